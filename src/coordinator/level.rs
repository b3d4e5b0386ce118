//! The degradation level in the core: what counts as a failure, and what a change of the level sets going.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::degradation::{
    Component, DegradationEvent, DegradationTransition, LevelChange, Policy, RunResult, cycle_result,
};
use super::record::RecordKind;
use super::{Coordinator, Cx, Due};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::config::{Config, TaskName};
use crate::domain::{
    Actor, CommandOutcome, Level, PriceJump, Priority, SafeText, Symbol, SystemEventKind, days_hms,
};

pub(super) fn policy(config: &Config) -> Policy<'_> {
    let orchestration = &config.orchestration;
    Policy { config: &orchestration.degradation, tasks: &orchestration.schedules.tasks }
}

impl Coordinator {
    pub(super) fn policy(&self) -> Policy<'_> {
        policy(&self.config)
    }

    /// Takes in what cannot be refused: outcomes, time, restart.
    pub(super) fn degradation_event(&mut self, cx: &mut Cx<'_>, event: &DegradationEvent) {
        for transition in self.durable.degradation.step(self.policy(), event, cx.now).unwrap_or_default() {
            self.degradation_moved(cx, Actor::Coordinator, transition);
        }
        self.follow_automatic_level(cx);
    }

    fn degradation_command(
        &mut self,
        cx: &mut Cx<'_>,
        actor: &Actor,
        event: &DegradationEvent,
        done: impl fmt::Display,
    ) -> CommandOutcome {
        match self.durable.degradation.step(self.policy(), event, cx.now) {
            Ok(transitions) => {
                for transition in transitions {
                    self.degradation_moved(cx, actor.clone(), transition);
                }
                self.follow_automatic_level(cx);
                CommandOutcome::done(format!("{done}; now LEVEL {}", self.live.level))
            }
            Err(refusal) => CommandOutcome::refused(refusal),
        }
    }

    fn degradation_moved(&mut self, cx: &mut Cx<'_>, actor: Actor, transition: DegradationTransition) {
        self.live.dirty.level = true;
        self.record(cx, actor, RecordKind::Degradation(transition.clone()));
        match transition {
            DegradationTransition::LevelChanged(change) => {
                self.live.level = change.to;
                self.live.level_since = cx.now.operator;
                let why = self.why_level(&change);
                let said = format!("LEVEL {} (was {}): {why}", change.to, change.from);
                self.announce(cx, SystemEventKind::LevelChanged, Priority::Urgent, said);
            }
            DegradationTransition::Locked { symbol, lock } => {
                let key = AlarmKey::about(AlarmSource::SymbolLocked, Subject::Symbol(symbol.clone()));
                if let Some(task) = lock.task {
                    self.raise(cx, key, "failures in a row", format!("{symbol}: {task} keeps failing"));
                }
                if let Some(PriceJump { from, to }) = lock.jump {
                    let (from, to) = (from.normalize(), to.normalize());
                    let cause = format!("price jumped from {from} to {to}");
                    let key = AlarmKey::about(AlarmSource::PriceJump, Subject::Symbol(symbol.clone()));
                    let limit = self.config.orchestration.market.jump_max_pct;
                    let detail =
                        format!("{symbol} is locked for entries, more than {limit}; unlock_symbol {symbol}");
                    self.raise(cx, key, &cause, detail);
                    let said = SafeText::ours(format!("{cause}: locked for entries"));
                    self.announce_about(
                        cx,
                        SystemEventKind::StateChanged,
                        Priority::High,
                        Some(symbol),
                        said,
                    );
                }
            }
            DegradationTransition::Unlocked { symbol, .. } => {
                self.clear(cx, AlarmKey::about(AlarmSource::SymbolLocked, Subject::Symbol(symbol.clone())));
                self.clear(cx, AlarmKey::about(AlarmSource::PriceJump, Subject::Symbol(symbol)));
            }
            DegradationTransition::ReviewDue { level, since } => {
                let key = AlarmKey::of(AlarmSource::ForcedLevelReview);
                let age = days_hms(cx.now.operator.since(since.operator));
                self.raise(cx, key, "forced level due for review", format!("LEVEL {level} forced for {age}"));
            }
            DegradationTransition::EndNear { level, end } => {
                let left = days_hms(end.at.since(cx.now.market));
                let key = AlarmKey::of(AlarmSource::ForcedLevelEnding);
                self.raise(cx, key, "forced level ends soon", format!("LEVEL {level} ends in {left}"));
            }
            DegradationTransition::Forced { .. }
            | DegradationTransition::ForcedCleared { .. }
            | DegradationTransition::ForcedEnded { .. } => {
                self.clear(cx, AlarmKey::of(AlarmSource::ForcedLevelReview));
                self.clear(cx, AlarmKey::of(AlarmSource::ForcedLevelEnding));
            }
            DegradationTransition::Counted { .. }
            | DegradationTransition::Forgotten { .. }
            | DegradationTransition::FailuresReset { .. }
            | DegradationTransition::Streak { .. } => {}
        }
    }

    /// What the level in force comes from: the operator, or the counters.
    fn why_level(&self, change: &LevelChange) -> String {
        match self.durable.degradation.forced() {
            Some(forced) if forced.level > change.automatic => {
                let reason = forced.reason.as_str();
                let reason = if reason.is_empty() { String::new() } else { format!(", {reason}") };
                format!("forced by {}{reason}", forced.by)
            }
            Some(_) | None => format!("automatic, {} failures", change.failures),
        }
    }

    /// Failures that ask for LIMITED or worse are an alarm, whatever is forced beside them; a level that the operator
    /// forced is none: whoever forced it knows.
    fn follow_automatic_level(&mut self, cx: &mut Cx<'_>) {
        let degradation = &self.durable.degradation;
        let (level, failures) = (degradation.automatic(self.policy()), degradation.failures(self.policy()));
        let key = AlarmKey::of(AlarmSource::LevelLimited);
        if level >= Level::Limited {
            self.raise(cx, key, &format!("LEVEL {level}"), format!("{failures} failures"));
        } else {
            self.clear(cx, key);
        }
    }

    /// One run ended. The cycle of a per-symbol task counts once all its runs are in; how it ended, if it did.
    pub(super) fn count_task_outcome(
        &mut self,
        cx: &mut Cx<'_>,
        task: TaskName,
        symbol: Option<&Symbol>,
        result: RunResult,
    ) -> Option<RunResult> {
        let Some(symbol) = symbol else {
            let component = Component::Task(task);
            let event = match result {
                RunResult::Succeeded => DegradationEvent::Succeeded(component),
                RunResult::Failed => DegradationEvent::Failed(component),
            };
            self.degradation_event(cx, &event);
            return Some(result);
        };
        let symbols_in_all = self.listed_symbols(cx.now).count();
        let cycle = self.live.cycles.entry(task).or_default();
        let said_twice = cycle.contains_key(symbol);
        let over = said_twice || cycle.len() + 1 >= symbols_in_all;
        if !said_twice {
            cycle.insert(symbol.clone(), result);
        }
        if !over {
            return None;
        }
        let fresh = if said_twice { BTreeMap::from([(symbol.clone(), result)]) } else { BTreeMap::new() };
        let results = std::mem::replace(cycle, fresh);
        let ended = cycle_result(symbols_in_all, &results);
        self.degradation_event(cx, &DegradationEvent::TaskRan { task, symbols_in_all, results });
        ended
    }

    pub(super) fn count_venue_outcome(&mut self, cx: &mut Cx<'_>, worked: bool) {
        let event = if worked {
            DegradationEvent::Succeeded(Component::Venue)
        } else {
            DegradationEvent::Failed(Component::Venue)
        };
        self.degradation_event(cx, &event);
    }

    /// A forced level may be due for review, or end.
    pub(super) fn forced_level_due(&mut self, cx: &mut Cx<'_>) {
        let due = self.next_forced_level();
        if due.has_come(cx.now) {
            self.degradation_event(cx, &DegradationEvent::Tick);
        }
    }

    pub(super) fn next_forced_level(&self) -> Due {
        self.durable.degradation.next_due(self.policy())
    }

    pub(super) fn force_level(
        &mut self,
        cx: &mut Cx<'_>,
        actor: &Actor,
        level: Level,
        until: Option<Duration>,
        reason: &str,
    ) -> CommandOutcome {
        let event = DegradationEvent::Force { level, until, by: actor.clone(), reason: reason.to_owned() };
        self.degradation_command(cx, actor, &event, format!("LEVEL {level} forced"))
    }

    pub(super) fn clear_level(&mut self, cx: &mut Cx<'_>, actor: &Actor, reason: &str) -> CommandOutcome {
        let event = DegradationEvent::ClearForced { by: actor.clone(), reason: reason.to_owned() };
        self.degradation_command(cx, actor, &event, "forced level cleared")
    }

    pub(super) fn reset_failures(&mut self, cx: &mut Cx<'_>, actor: &Actor, reason: &str) -> CommandOutcome {
        let event = DegradationEvent::ResetFailures { by: actor.clone(), reason: reason.to_owned() };
        self.degradation_command(cx, actor, &event, "failures reset")
    }

    /// Whether `symbol` is one of those that are traded here.
    pub(super) fn known_symbol(&self, symbol: &Symbol) -> Result<(), CommandOutcome> {
        if self.setup.symbols.contains(symbol) {
            return Ok(());
        }
        let known = self.setup.symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(", ");
        Err(CommandOutcome::refused(format!("{symbol} is not traded here: {known}")))
    }

    pub(super) fn lock_symbol(
        &mut self,
        cx: &mut Cx<'_>,
        actor: &Actor,
        symbol: Symbol,
        locked: bool,
    ) -> CommandOutcome {
        if let Err(refused) = self.known_symbol(&symbol) {
            return refused;
        }
        let (word, by) = (if locked { "locked" } else { "unlocked" }, actor.clone());
        let event = if locked {
            DegradationEvent::Lock { symbol: symbol.clone(), by }
        } else {
            DegradationEvent::Unlock { symbol: symbol.clone(), by }
        };
        let outcome = self.degradation_command(cx, actor, &event, format!("{symbol} {word} for entries"));
        if outcome.is_done() {
            let detail = SafeText::ours(format!("{symbol} {word} for entries"));
            self.announce_about(cx, SystemEventKind::StateChanged, Priority::High, Some(symbol), detail);
        }
        outcome
    }
}
