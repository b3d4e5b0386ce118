//! A journal that cannot be written: nothing new is traded that nobody could prove, and no exit is trapped. And the way
//! back: a new segment, then a release. What went out in between is adopted.

use super::effect::Effect;
use super::input::{OldRecords, Probe, Started};
use super::record::RecordKind;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::domain::{
    Actor, ClientOrderId, CommandId, CommandOutcome, Order, Priority, Purpose, SafeText, SystemEventKind,
    TradingState,
};

impl Coordinator {
    /// Nothing is durable any more. Only what makes things safer still leaves the process.
    pub(super) fn store_failed(&mut self, cx: &mut Cx<'_>, error: &SafeText) {
        self.live.health.not_durable = true;
        self.stop_for_store(cx, error, "journal cannot be written");
        let said = "NOT DURABLE: what follows is not in the journal until the store is reopened";
        self.announce(cx, SystemEventKind::Health, Priority::Urgent, said);
    }

    /// A write failed, and the space kept in reserve takes what follows: the halt first of all.
    pub(super) fn store_on_reserve(&mut self, cx: &mut Cx<'_>, error: &SafeText) {
        self.live.health.not_durable = false;
        self.stop_for_store(cx, error, "journal is in its reserve");
    }

    fn stop_for_store(&mut self, cx: &mut Cx<'_>, error: &SafeText, what: &str) {
        self.live.health.store_failed = Some(error.clone());
        let reason = SafeText::ours(format!("{what}: {error}"));
        if self.durable.control.state == TradingState::Halted {
            // Whoever noticed has shut the gate already: its epoch must be known here.
            self.shut_gate(cx, TradingState::Halted, &reason);
        } else {
            self.halt(cx, Actor::Runtime, reason);
        }
        self.raise(cx, AlarmKey::of(AlarmSource::JournalFault), what, error);
    }

    /// Asks for a new segment; the answer ends the command.
    pub(super) fn reopen_store(&mut self, cx: &mut Cx<'_>, command: CommandId) -> Option<CommandOutcome> {
        if let Some(refused) = self.reopen_hindrance() {
            return Some(refused);
        }
        cx.effects.push(Effect::ReopenStore { command });
        None
    }

    /// Why there is nothing to reopen, whoever confirms it.
    pub(super) fn reopen_hindrance(&self) -> Option<CommandOutcome> {
        self.live
            .health
            .store_failed
            .is_none()
            .then(|| CommandOutcome::refused("the journal is being written: there is nothing to reopen"))
    }

    /// Everything is on the disk again, or still nothing is. The next segment begins with the whole state.
    pub(super) fn store_reopened(
        &mut self,
        cx: &mut Cx<'_>,
        command: CommandId,
        result: Result<(), SafeText>,
    ) {
        if let Err(why) = result {
            return self.end_command(cx, command, CommandOutcome::refused(format!("not reopened: {why}")));
        }
        self.live.health.store_failed = None;
        self.live.health.not_durable = false;
        self.record_state(cx);
        cx.effects.push(Effect::PutNotesAway);
        if self.live.journal_fault.is_none() {
            self.clear(cx, AlarmKey::of(AlarmSource::JournalFault));
        }
        let said = "the journal goes on in a new segment, with everything in it";
        self.announce(cx, SystemEventKind::Health, Priority::Urgent, said);
        self.end_command(cx, command, CommandOutcome::done(said));
    }

    /// Orders that went out without a record are taken over and asked for like every other.
    pub(super) fn adopt_noted(&mut self, cx: &mut Cx<'_>, started: &Started) {
        for order in &started.noted {
            self.adopt(cx, order);
        }
        if let Some(fault) = &started.notes_fault {
            let key = AlarmKey::about(AlarmSource::StoreFault, Subject::Component("halt.orders".to_owned()));
            self.raise_moment(cx, key, "orders without a record may be missing", fault);
        } else if !started.noted.is_empty() {
            cx.effects.push(Effect::PutNotesAway);
        }
    }

    /// An order as the venue has it. One that is known here must be the one that was sent.
    pub(super) fn order_found(&mut self, cx: &mut Cx<'_>, order: &Order) {
        if self.adopt(cx, order) {
            self.ask(cx, order.client_id);
        } else if let Some(sent) = self.as_sent(order.client_id).filter(|sent| sent != order) {
            let what = format!("{}: {}", order.symbol, super::routing::order_text(order));
            let how = format!("has it with another {}: {what}", differences(&sent, order));
            self.venue_contradicts(cx, order.client_id, &how);
        }
    }

    /// The order of this name as it was handed over; none if it ended too long ago.
    fn as_sent(&self, client_id: ClientOrderId) -> Option<Order> {
        let of_leg =
            self.durable.plans.leg_of(client_id).and_then(|(id, leg)| Some(leg.intent.as_ref()?.order(id)));
        of_leg.or_else(|| self.durable.orders.get(&client_id).map(|tracked| tracked.order.clone()))
    }

    /// Takes an emergency order over that is not known here; any other without a record is an Emergency itself.
    fn adopt(&mut self, cx: &mut Cx<'_>, order: &Order) -> bool {
        let client_id = order.client_id;
        let is_known = self.durable.orders.contains_key(&client_id)
            || self.durable.account.lot(client_id).is_some()
            || self.durable.plans.leg_of(client_id).is_some();
        if is_known {
            return false;
        }
        let what = format!("{}: {}", order.symbol, super::routing::order_text(order));
        match order.purpose {
            Purpose::Reduce { .. } | Purpose::Flatten { .. } => {
                self.record(cx, Actor::Runtime, RecordKind::OrderAdopted(Box::new(order.clone())));
                let said = format!("adopted an order that went out without its record: {what}");
                self.announce(cx, SystemEventKind::Started, Priority::High, said);
                true
            }
            Purpose::Entry { .. } | Purpose::Leg { .. } | Purpose::Exit { .. } => {
                let key = AlarmKey::about(AlarmSource::StoreFault, Subject::Order(client_id));
                self.raise(cx, key, "order without a record", what);
                false
            }
        }
    }

    /// A shortcut for the next start is there or not; the journal has everything either way.
    pub(super) fn checkpoint_written(&mut self, cx: &mut Cx<'_>, result: &Result<(), SafeText>) {
        let key = AlarmKey::about(AlarmSource::StoreFault, Subject::Component("checkpoint".to_owned()));
        match result {
            Ok(()) => self.clear(cx, key),
            Err(why) => self.raise(cx, key, "checkpoint not written", why),
        }
    }

    /// Records that the start did not read have been read since. Damage halts as it would have done at the start.
    pub(super) fn old_records_verified(&mut self, cx: &mut Cx<'_>, result: Result<(), SafeText>) {
        self.live.revision += 1;
        let Err(fault) = result else {
            self.live.health.old_records = OldRecords::Sound;
            return;
        };
        self.live.health.old_records = OldRecords::Damaged(fault.clone());
        self.halt(
            cx,
            Actor::Runtime,
            SafeText::ours(format!("old records of the journal were changed: {fault}")),
        );
        let key = AlarmKey::about(AlarmSource::JournalFault, Subject::Component("old records".to_owned()));
        self.raise(cx, key, "not what was written", fault);
    }

    /// Measurements do not end: the health check says so at once.
    pub(super) fn probe_hangs(&mut self, cx: &Cx<'_>) {
        self.live.health.probe_hangs = true;
        self.live.health.next_check = cx.now.operator;
    }

    /// What the runtime measured; a journal that is not as it was written halts at once.
    pub(super) fn probed(&mut self, cx: &mut Cx<'_>, probe: Probe) {
        let fault = probe.journal.as_ref().err().cloned();
        let before = self.live.health.journal_problem().is_some();
        self.live.health.probe = Some(probe);
        self.live.health.probe_hangs = false;
        let key = AlarmKey::about(AlarmSource::JournalFault, Subject::Component("head".to_owned()));
        match fault {
            Some(fault) if !before => {
                self.halt(cx, Actor::Runtime, SafeText::ours(format!("the journal was changed: {fault}")));
                self.raise(cx, key, "not what was written", fault);
            }
            Some(_) => {}
            None => self.clear(cx, key),
        }
    }
}

/// In what two orders of one name differ: `quantity, price`.
fn differences(one: &Order, other: &Order) -> String {
    let parts = [
        ("symbol", one.symbol != other.symbol),
        ("side", one.side != other.side),
        ("quantity", one.quantity != other.quantity),
        ("price", one.kind != other.kind),
        ("stop or target", one.protection != other.protection),
        ("purpose", one.purpose != other.purpose),
    ];
    let differing: Vec<_> = parts.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect();
    differing.join(", ")
}
