//! Breakers and what they do: pause, reduce, halt, close. Each trips once and acts once.

use std::time::Duration;

use rust_decimal::Decimal;

use super::record::RecordKind;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::config::{EmergencyAction, EmergencyVerb};
use crate::domain::{
    Actor, CommandOutcome, Now, Payload, Pct, Priority, RiskAlert, SafeText, Severity, Timestamp,
    checked_add, round_quantity,
};
use crate::risk::{BreakerName, BreakerTransition, RearmError, Trip};

/// How long a breaker's alert stays in force (market time).
pub(super) const ALERT_TTL: Duration = Duration::from_secs(3_600);

/// The risk alert of a trip, for the whole portfolio.
pub(super) fn breaker_alert(name: BreakerName, trip: Trip, limit_pct: Pct) -> RiskAlert {
    RiskAlert {
        symbol: None,
        kind: "circuit_breaker".to_owned(),
        severity: Severity::Critical,
        detail: SafeText::ours(format!("{name} {}% >= {limit_pct}", trip.loss_pct.round_dp(1))),
    }
}

impl Coordinator {
    /// A breaker moved. A trip acts at once, by config.
    pub(super) fn breaker_changed(&mut self, cx: &mut Cx<'_>, transition: &BreakerTransition) {
        self.record(cx, Actor::Breaker, RecordKind::Breaker(transition.clone()));
        match *transition {
            BreakerTransition::Tripped { name, trip, limit_pct, .. } => {
                self.tripped(cx, name, trip, limit_pct);
            }
            BreakerTransition::Baseline { name, rearmed: true, .. }
            | BreakerTransition::Rearmed { name, .. } => {
                self.clear(cx, breaker_alarm(name));
            }
            BreakerTransition::Baseline { rearmed: false, .. } | BreakerTransition::Peak { .. } => {}
        }
    }

    fn tripped(&mut self, cx: &mut Cx<'_>, name: BreakerName, trip: Trip, limit_pct: Pct) {
        let alert = breaker_alert(name, trip, limit_pct);
        let said = alert.detail.to_string();
        tracing::warn!(breaker = %name, loss_pct = %trip.loss_pct, %limit_pct, "breaker tripped");
        let source = self.live.sources.risk.clone();
        self.publish(cx, source, Priority::Urgent, Some(ALERT_TTL), Payload::Risk(alert));
        let done = self.act_on_breach(cx, &name.to_string(), &said);
        self.raise(cx, breaker_alarm(name), &said, done);
    }

    /// Carries out what the config orders for a breach, or halts, and says what was done.
    fn act_on_breach(&mut self, cx: &mut Cx<'_>, breach: &str, said: &str) -> String {
        let configured = self.config.orchestration.emergency.actions.get(breach).copied();
        let action = configured.unwrap_or(EmergencyAction {
            action: EmergencyVerb::HaltAll,
            reduce_pct: None,
            close_positions: false,
        });
        let reason = SafeText::ours(said);
        match action.action {
            EmergencyVerb::PauseTrading => {
                self.pause(cx, Actor::Breaker, reason);
                "trading paused".to_owned()
            }
            EmergencyVerb::ReducePositions => {
                let pct = action.reduce_pct.unwrap_or(Pct::HUNDRED);
                self.pause(cx, Actor::Breaker, reason.clone());
                let symbols = self.close_share(cx, pct, false, &reason);
                format!("trading paused, {pct} of {symbols} positions being sold")
            }
            EmergencyVerb::HaltAll => {
                self.halt(cx, Actor::Breaker, reason.clone());
                if action.close_positions {
                    let symbols = self.close_share(cx, Pct::HUNDRED, true, &reason);
                    format!("halted, {symbols} positions being closed")
                } else {
                    "halted".to_owned()
                }
            }
        }
    }

    /// Orders `pct` of the lots of every symbol to be sold; gives the number of symbols.
    fn close_share(&mut self, cx: &mut Cx<'_>, pct: Pct, flatten: bool, reason: &SafeText) -> usize {
        let mut count = 0;
        for symbol in self.setup.symbols.clone() {
            let held = self.durable.account.held(&symbol).unwrap_or_default();
            let quantity = round_quantity(pct.of(held).unwrap_or(held));
            if quantity > Decimal::ZERO {
                self.begin_closing(cx, Actor::Breaker, symbol, quantity, flatten, false, reason.clone());
                count += 1;
            }
        }
        count
    }

    /// Arms a tripped breaker with the present equity.
    pub(super) fn rearm_breaker(
        &mut self,
        cx: &mut Cx<'_>,
        actor: &Actor,
        name: &str,
        reason: &str,
    ) -> CommandOutcome {
        let (equity, rearmings) = match self.rearmings(name, reason, cx.now) {
            Ok(rearmings) => rearmings,
            Err(end) => return end,
        };
        for (name, transition) in rearmings {
            tracing::info!(breaker = %name, %equity, reason, "breaker armed again");
            self.record(cx, actor.clone(), RecordKind::Breaker(transition));
            self.clear(cx, breaker_alarm(name));
        }
        CommandOutcome::done(format!("armed at {}", self.said(equity)))
    }

    /// The steps that arm one breaker, or all that are tripped, with the equity that becomes the new baseline; or how
    /// the command ends without any.
    pub(super) fn rearmings(
        &self,
        name: &str,
        reason: &str,
        now: Now,
    ) -> Result<(Decimal, Vec<(BreakerName, BreakerTransition)>), CommandOutcome> {
        if reason.trim().is_empty() {
            return Err(CommandOutcome::refused("arming a breaker wants a reason"));
        }
        let names: Vec<BreakerName> = if name == "all" {
            self.durable.breakers.tripped().map(|(name, _)| name).collect()
        } else {
            vec![name.parse().map_err(CommandOutcome::refused)?]
        };
        if names.is_empty() {
            return Err(CommandOutcome::done("no breaker is tripped"));
        }
        let equity = self.equity(now).ok_or_else(|| {
            CommandOutcome::refused("equity is unknown, a price is missing: no baseline to arm with")
        })?;
        let breakers = &self.durable.breakers;
        let steps = names.into_iter().map(|name| Ok((name, breakers.rearm(name, now.market, equity)?)));
        let steps: Result<_, RearmError> = steps.collect();
        Ok((equity, steps.map_err(CommandOutcome::refused)?))
    }

    /// Half of the drawdown's limit is worth an alarm of its own.
    pub(super) fn watch_drawdown(&mut self, cx: &mut Cx<'_>, equity: Decimal) {
        let drawdown = self.durable.breakers.drawdown_pct(equity);
        let limit = self.config.risk.breakers.max_drawdown_pct.value();
        let doubled = checked_add(drawdown, drawdown).unwrap_or(Decimal::MAX);
        let over_half = doubled > limit;
        // Cleared only under a third of the limit, so that it does not flap around the half.
        let well_below = checked_add(doubled, drawdown).is_ok_and(|tripled| tripled < limit);
        let key = AlarmKey::of(AlarmSource::DrawdownHalf);
        if over_half {
            // No figure of the moment: it would stand there while the drawdown deepens.
            self.raise(cx, key, "drawdown over half its limit", format!("the limit is {limit} %"));
        } else if well_below {
            self.clear(cx, key);
        }
    }

    /// When a tripped breaker arms itself again, if ever.
    pub(super) fn rearms_at(name: BreakerName, now: Now) -> Option<Timestamp> {
        const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
        match name {
            BreakerName::DailyLoss => Some(now.market.day_start().plus(DAY)),
            BreakerName::WeeklyLoss => Some(now.market.week_start().plus(DAY * 7)),
            BreakerName::MaxDrawdown => None,
        }
    }

    /// A task of the runtime panicked: the runtime has shut the gate already.
    pub(super) fn panicked(&mut self, cx: &mut Cx<'_>, what: &SafeText) {
        self.pause(cx, Actor::Runtime, SafeText::ours(format!("{what} panicked")));
        let key = AlarmKey::about(AlarmSource::TaskPanicked, Subject::Component(what.to_string()));
        self.raise_moment(cx, key, "panic", what);
    }

    /// A venue that keeps no book fires no stops: no entry may be made there, and the operator has to know.
    pub(super) fn venue_failed(&mut self, cx: &mut Cx<'_>, error: SafeText) {
        let key = AlarmKey::of(AlarmSource::VenueFailed);
        self.raise(cx, key, "stops and targets do not fire", &error);
        self.pause(cx, Actor::Runtime, error);
    }

    /// The halt holds in this process; whether the next one knows of it hangs on the journal alone.
    pub(super) fn latch_failed(&mut self, cx: &mut Cx<'_>, error: &SafeText) {
        let key = AlarmKey::about(AlarmSource::StoreFault, Subject::Component("latch".to_owned()));
        self.raise_moment(cx, key, "HALT is not on disk", error);
    }
}

fn breaker_alarm(name: BreakerName) -> AlarmKey {
    AlarmKey::about(AlarmSource::BreakerTripped, Subject::Breaker(name.to_string()))
}
