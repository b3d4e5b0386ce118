//! What a command that loosens, or makes orders, would do: the words that the operator confirms. Changes nothing.

use super::Coordinator;
use super::dca::LegId;
use super::degradation::{Degradation, DegradationEvent};
use super::rebalance::leg_text;
use crate::alarm::{AlarmEvent, AlarmTransition};
use crate::domain::{
    Actor, AlarmTarget, Command, CommandOutcome, Level, Now, SafeText, Symbol, Tier, TradingState,
};

/// Names shown in a preview before the rest is counted.
const NAMED_MAX: usize = 5;

impl Coordinator {
    /// Whether `command` has to be confirmed, as things are now.
    pub(super) fn wants_confirmation(&self, command: &Command, now: Now) -> bool {
        match command {
            Command::ForceLevel { level, until, .. } => {
                self.durable.degradation.force_tier(*level, *until, now.market) != Tier::Safer
            }
            // One after the other they are looked at; in one go they are not.
            Command::AckAlarm { target: AlarmTarget::All, .. } => {
                self.durable.alarms.unacknowledged_emergencies().next().is_some()
            }
            other => other.tier() != Tier::Safer,
        }
    }

    /// What `command` would do now, to be confirmed; or how it would end at once, where there is nothing to confirm.
    pub(super) fn preview(&self, command: &Command, now: Now) -> CommandOutcome {
        let code = (command.tier() == Tier::WithCode).then(|| self.code());
        match self.would(command, now) {
            Ok(would) => CommandOutcome::Preview { would: SafeText::ours(would), code },
            Err(end) => end,
        }
    }

    fn would(&self, command: &Command, now: Now) -> Result<String, CommandOutcome> {
        match command {
            Command::Resume => self.would_resume(now),
            Command::Release { reason } => {
                self.release_hindrance(reason, now).map_or(Ok(()), Err)?;
                let reasons = self.durable.control.halt_reasons.iter().map(|halt| halt.reason.as_str());
                let noted = self.release_checks(now).into_iter().filter(|check| check.advisory);
                let noted: Vec<_> = noted
                    .filter_map(|check| check.problem.map(|problem| format!("{}: {problem}", check.what)))
                    .collect();
                let noted =
                    if noted.is_empty() { String::new() } else { format!("; note: {}", noted.join("; ")) };
                Ok(format!("HALTED becomes PAUSED; it was halted because: {}{noted}", listed(reasons)))
            }
            Command::Flatten { symbol, all } => {
                let sales = self.flatten_sales(now, symbol.as_ref(), *all)?;
                Ok(format!("sells {}", self.flatten_text(now, &sales, *all)))
            }
            Command::ForceLevel { level, until, reason } => {
                let (level, until, by, reason) = (*level, *until, Actor::Coordinator, reason.clone());
                self.would_change_level(&DegradationEvent::Force { level, until, by, reason }, now)
            }
            Command::ClearLevel { reason } => {
                let (by, reason) = (Actor::Coordinator, reason.clone());
                self.would_change_level(&DegradationEvent::ClearForced { by, reason }, now)
            }
            Command::ResetFailures { reason } => {
                let (by, reason) = (Actor::Coordinator, reason.clone());
                self.would_change_level(&DegradationEvent::ResetFailures { by, reason }, now)
            }
            Command::RearmBreaker { name, reason } => {
                let (equity, rearmings) = self.rearmings(name, reason, now)?;
                let currency = self.durable.account.currency();
                let said = rearmings.iter().map(|(name, _)| {
                    let old = self.durable.breakers.get(*name).baseline;
                    let old = old.map_or_else(|| "none".to_owned(), |old| self.said(old).to_string());
                    format!("{name}: baseline {old} becomes {} {currency} (equity now)", self.said(equity))
                });
                let state = self.durable.control.state;
                Ok(format!("{}; armed again, the state stays {state}", said.collect::<Vec<_>>().join("; ")))
            }
            Command::UnlockSymbol { symbol } => self.would_unlock(symbol, now),
            Command::RunTask { task, symbol } => {
                let task = task.parse().map_err(CommandOutcome::refused)?;
                // Tried on a copy: a task that cannot run now says so before it is confirmed.
                let mut schedule = self.live.schedule.clone();
                schedule
                    .run_now(task, symbol.as_ref(), now, self.conditions())
                    .map_err(CommandOutcome::refused)?;
                let whose = symbol.as_ref().map_or_else(|| "all it runs for".to_owned(), Symbol::to_string);
                Ok(format!("runs {task} now, for {whose}; what comes of it may make orders"))
            }
            Command::EnableTask { task } => {
                let task = task.parse().map_err(CommandOutcome::refused)?;
                if !self.durable.tasks_disabled.contains(&task) {
                    return Err(CommandOutcome::done(format!("{task} is enabled already")));
                }
                Ok(format!("{task} runs again when it is due"))
            }
            Command::RunLeg { plan, leg } => {
                let id = LegId { plan: *plan, leg: *leg };
                self.run_leg_step(id, now).map_err(CommandOutcome::refused)?;
                let leg = self.durable.plans.leg(id).map_or_else(String::new, leg_text);
                Ok(format!("sends leg {id} now: {leg}"))
            }
            Command::AckAlarm { target, comment } => {
                let (target, by, comment) = (*target, Actor::Coordinator, comment.clone());
                let names = self.would_move_alarms(&AlarmEvent::Acknowledge { target, by, comment }, now)?;
                let emergencies = self.durable.alarms.unacknowledged_emergencies().count();
                Ok(format!("acknowledges {emergencies} Emergency in one go, in all {names}"))
            }
            Command::ResetAlarm { target } => {
                let event = AlarmEvent::Reset { target: *target, by: Actor::Coordinator };
                Ok(format!("takes off the list: {}", self.would_move_alarms(&event, now)?))
            }
            Command::ReopenStore => {
                self.reopen_hindrance().map_or(Ok(()), Err)?;
                let state = self.durable.control.state;
                Ok(format!(
                    "a new segment of the journal begins with the whole state; the state stays {state}"
                ))
            }
            Command::Pause { .. }
            | Command::Halt { .. }
            | Command::LockSymbol { .. }
            | Command::DisableTask { .. }
            | Command::SkipLeg { .. }
            | Command::PostponeLeg { .. }
            | Command::CancelLeg { .. }
            | Command::CancelPlan { .. }
            | Command::Note { .. } => Ok("is carried out at once, without confirmation".to_owned()),
        }
    }

    fn would_resume(&self, now: Now) -> Result<String, CommandOutcome> {
        self.resume_hindrance().map_or(Ok(()), Err)?;
        let orders = self.orders_possible_within_hour(now);
        let orders = if orders.is_empty() { "no order".to_owned() } else { orders.join("; ") };
        Ok(format!("PAUSED becomes RUNNING; possible within the next hour: {orders}"))
    }

    fn would_change_level(&self, event: &DegradationEvent, now: Now) -> Result<String, CommandOutcome> {
        let before = &self.durable.degradation;
        let steps = before.step(self.policy(), event, now).map_err(CommandOutcome::refused)?;
        let mut after = before.clone();
        for step in &steps {
            after.apply(step);
        }
        let forced = |level: &Degradation| {
            level.forced().map_or_else(
                || "nothing forced".to_owned(),
                |forced| {
                    let end =
                        forced.end.map_or_else(String::new, |end| format!(" until {}Z", end.at.clock()));
                    format!("LEVEL {} forced{end}", forced.level)
                },
            )
        };
        let (from, to): (Level, Level) = (self.live.level, after.effective(self.policy()));
        let level =
            if from == to { format!("LEVEL stays {to}") } else { format!("LEVEL {from} becomes {to}") };
        let failures = (before.failures(self.policy()), after.failures(self.policy()));
        let failures = if failures.0 == failures.1 {
            String::new()
        } else {
            format!("; {} failures become {}", failures.0, failures.1)
        };
        Ok(format!("{level}; {} becomes {}{failures}", forced(before), forced(&after)))
    }

    fn would_unlock(&self, symbol: &Symbol, now: Now) -> Result<String, CommandOutcome> {
        let event = DegradationEvent::Unlock { symbol: symbol.clone(), by: Actor::Coordinator };
        self.known_symbol(symbol)?;
        self.durable.degradation.step(self.policy(), &event, now).map_err(CommandOutcome::refused)?;
        let lock = self.durable.degradation.lock(symbol);
        let by = lock.map_or_else(String::new, |lock| format!(" (locked by {})", lock.by));
        let state = match self.durable.control.state {
            TradingState::Running => "",
            TradingState::Paused | TradingState::Halted => ", once the trading state allows any",
        };
        Ok(format!("entries of {symbol} are possible again{state}{by}"))
    }

    fn would_move_alarms(&self, event: &AlarmEvent, now: Now) -> Result<String, CommandOutcome> {
        let moves = self.durable.alarms.step(&self.catalogue, event, now).map_err(CommandOutcome::refused)?;
        if moves.is_empty() {
            return Err(CommandOutcome::done("0 alarms"));
        }
        Ok(listed(moves.iter().map(AlarmTransition::key)))
    }
}

/// `a, b, c, d, e and 3 more`
fn listed(names: impl Iterator<Item = impl ToString>) -> String {
    let names: Vec<_> = names.map(|name| name.to_string()).collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    let shown = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
