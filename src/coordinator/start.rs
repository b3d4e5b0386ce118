//! The start of a process run: what recovery left is taken over, and it is decided in which state to come up.
//!
//! Nothing here loosens: HALTED stays HALTED, with its latch; what the record and the latch disagree about is decided
//! for the stricter.

use std::collections::BTreeSet;

use super::degradation::DegradationEvent;
use super::durable::ControlState;
use super::effect::Effect;
use super::input::Started;
use super::record::RecordKind;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource};
use crate::domain::{
    Actor, ClientOrderId, DecisionId, Epoch, Outcome, Priority, SafeText, SystemEventKind, TradingState,
};

impl Coordinator {
    /// First input of every run.
    pub(super) fn started(&mut self, cx: &mut Cx<'_>, started: &Started) {
        let first_run = self.durable.run == 0;
        let unclean = !first_run && !self.durable.ended_cleanly;
        self.live.config_changed =
            !first_run && self.durable.config_fingerprint != started.config_fingerprint;
        self.live.journal_fault.clone_from(&started.journal_fault);
        self.live.health.old_records.clone_from(&started.old_records);
        self.live.run = started.run;
        if self.durable.seq.0 == 0 || started.begins_segment {
            self.record_state(cx);
        }
        self.live.epoch = Epoch { run: started.run, count: 0 };
        let (version, config_fingerprint) = (started.version.clone(), started.config_fingerprint.clone());
        self.record(cx, Actor::Runtime, RecordKind::RunStarted { version, config_fingerprint });

        self.clear_what_is_over(cx);
        self.alarms_restarted(cx);
        self.come_up(cx, started, first_run);
        self.found_at_start(cx, started, unclean);
        let providers = self.live.providers.keys().cloned().collect();
        self.degradation_event(cx, &DegradationEvent::Restart { providers });
        self.restart_legs(cx);
        self.adopt_noted(cx, started);
        cx.effects.push(Effect::FetchFills { after: self.durable.account.trades().complete_to() });
        self.reconcile_orders(cx);
        self.end_orphaned_decisions(cx);
        let said = format!("run {} is {}", self.live.run, self.durable.control.state);
        self.announce(cx, SystemEventKind::Started, Priority::High, said);
    }

    /// HALTED for a halt in force, a latch, or a damaged journal; RUNNING in a fresh installation, or where a restart
    /// keeps it; else PAUSED.
    fn come_up(&mut self, cx: &mut Cx<'_>, started: &Started, first_run: bool) {
        let before = self.durable.control.clone();
        let was_halted = before.state == TradingState::Halted;
        let latched = started.latched.as_ref().filter(|_| !was_halted);
        if let Some(reason) = latched.or(started.journal_fault.as_ref()) {
            self.come_up_halted(cx, reason);
        } else if was_halted {
            self.shut_gate(cx, TradingState::Halted, &before.reason);
            if started.latched.is_none() {
                // The latch is gone but nobody released: the record decides.
                cx.effects.push(Effect::SetLatch { reason: before.reason.clone() });
            }
            self.cancel_all(cx);
            let key = AlarmKey::of(AlarmSource::HaltedAtStart);
            let reason =
                if before.reason.as_str().is_empty() { "no reason given" } else { before.reason.as_str() };
            self.raise(cx, key, "a halt was in force", format!("by {}: {reason}", before.by));
        } else if first_run || (started.keep_running && before.state == TradingState::Running) {
            self.live.gate_confirmed = true;
        } else {
            let reason = restarted(&before);
            self.shut_gate(cx, TradingState::Paused, &reason);
            self.change_state(cx, Actor::Runtime, TradingState::Paused, reason);
        }
    }

    /// Halts at start, or as soon as it turns out that the start should have been one.
    pub(super) fn come_up_halted(&mut self, cx: &mut Cx<'_>, reason: &SafeText) {
        self.halt(cx, Actor::Runtime, reason.clone());
        self.raise(cx, AlarmKey::of(AlarmSource::HaltedAtStart), "halted at start", reason);
    }

    /// Alarms for what recovery found.
    fn found_at_start(&mut self, cx: &mut Cx<'_>, started: &Started, unclean: bool) {
        if let Some(fault) = &started.journal_fault {
            self.raise(cx, AlarmKey::of(AlarmSource::JournalFault), "journal fault found at start", fault);
        }
        if let Some(fault) = &started.checkpoint_rebuilt {
            let key = AlarmKey::of(AlarmSource::CheckpointRebuilt);
            self.raise_moment(cx, key, "checkpoint rebuilt", fault);
        }
        if unclean || started.torn.is_some() {
            // In the cause, so that an alarm that is not over yet takes it in.
            let torn = started.torn.as_ref().map(|torn| format!("; torn last record moved to {torn}"));
            let cause = format!("unclean end{}", torn.unwrap_or_default());
            let key = AlarmKey::of(AlarmSource::UncleanEnd);
            self.raise_moment(cx, key, &cause, "the last run left no end record");
        }
        if !started.unreserved.is_empty() {
            let missing = started.unreserved.iter().map(SafeText::as_str).collect::<Vec<_>>().join("; ");
            let key = AlarmKey::of(AlarmSource::ReserveMissing);
            self.raise(cx, key, "no space is kept back for recording a halt", missing);
        }
        if let Some(grown) = &started.market_grown {
            self.announce(cx, SystemEventKind::Started, Priority::High, grown.to_string());
        }
        if self.live.config_changed {
            let said = "configuration changed since the last run";
            self.announce(cx, SystemEventKind::Started, Priority::High, said);
        }
    }

    /// Decisions whose order is not on its way any more: the process ended between two records.
    fn end_orphaned_decisions(&mut self, cx: &mut Cx<'_>) {
        let is_open = |id: &ClientOrderId| {
            self.durable.orders.get(id).is_some_and(|tracked| !tracked.status.is_terminal())
        };
        let open = self.durable.decisions.iter().filter(|decision| decision.outcome.is_none());
        let orphaned: Vec<(DecisionId, Outcome, &str)> = open
            .filter(|decision| !decision.orders.iter().any(is_open))
            .map(|decision| match (decision.orders.is_empty(), decision.filled.is_zero()) {
                (true, _) => {
                    (decision.id, Outcome::Expired, "the last process ended while a model was thinking")
                }
                (false, true) => (decision.id, Outcome::Unfilled, "ended with the last process"),
                (false, false) => (decision.id, Outcome::Filled, "ended with the last process"),
            })
            .collect();
        for (id, outcome, detail) in orphaned {
            self.end_decision(cx, id, outcome, vec![], detail);
        }
    }

    /// After a restart every order that had not ended is asked for at the venue by its name, and so are the lots, whose
    /// stop or target may have fired while nobody listened.
    fn reconcile_orders(&mut self, cx: &mut Cx<'_>) {
        let orders = self.durable.open_orders().map(|tracked| tracked.order.client_id);
        let legs = self.durable.plans.questions().map(|(_, client_id)| client_id);
        let lots = self.durable.account.lots().iter().map(|lot| lot.client_id);
        let asked: BTreeSet<ClientOrderId> = orders.chain(legs).chain(lots).collect();
        self.live.reconciling = self.durable.plans.questions().map(|(_, client_id)| client_id).collect();
        for client_id in asked {
            self.ask(cx, client_id);
        }
    }
}

/// Why a run comes up PAUSED. A pause that was in force is not forgotten over it.
fn restarted(before: &ControlState) -> SafeText {
    const SAYS: &str = "paused because restarted; r resumes";
    if before.state != TradingState::Paused {
        return SafeText::ours(SAYS);
    }
    if before.reason.as_str().starts_with(SAYS) {
        return before.reason.clone();
    }
    let why = if before.reason.as_str().is_empty() { "no reason given" } else { before.reason.as_str() };
    SafeText::ours(format!("{SAYS}; it was PAUSED by {}: {why}", before.by))
}
