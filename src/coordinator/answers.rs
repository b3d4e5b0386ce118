//! Answers that the venue owes: what is not answered in time becomes Unknown and is asked for, never sent again on a
//! guess.

use std::collections::BTreeSet;

use super::degradation::Component;
use super::effect::Effect;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::domain::{
    ClientOrderId, OrderStatus, Purpose, SafeText, Timestamp, TradingState, Untrusted, VenueEvent,
};

/// Whether the answer to the hand-over is still owed.
pub(super) fn is_unanswered(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Intent | OrderStatus::Sent => true,
        OrderStatus::Accepted
        | OrderStatus::Filled
        | OrderStatus::Cancelled
        | OrderStatus::Rejected
        | OrderStatus::Unknown => false,
    }
}

impl Coordinator {
    /// Asks the venue what it knows of an order.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId) {
        self.live.waiting.insert(client_id, cx.now.operator);
        cx.effects.push(Effect::Query { client_id });
    }

    /// A venue that has failed is asked about an order that is over: whatever it answers is a success. So its level can
    /// end although it keeps every new order back.
    pub(super) fn probe_venue(&mut self, cx: &mut Cx<'_>) {
        let mut counters = self.durable.degradation.counters();
        if counters.any(|(component, counter)| *component == Component::Venue && counter.outstanding > 0)
            && let Some(client_id) = self.order_to_ask_for()
        {
            self.live.venue_probe = Some(client_id);
            cx.effects.push(Effect::Query { client_id });
        }
    }

    /// The last order about which no answer can change anything: a leg that was refused may yet go out again.
    fn order_to_ask_for(&self) -> Option<ClientOrderId> {
        let is_over = |client_id: &&ClientOrderId| {
            self.durable.orders.get(client_id).is_some_and(|tracked| {
                let is_leg = matches!(tracked.order.purpose, Purpose::Leg { .. });
                tracked.status.is_terminal() && !(is_leg && tracked.status == OrderStatus::Rejected)
            })
        };
        self.durable.orders_ended.iter().rev().find(is_over).copied()
    }

    /// The answer to the question of [`Coordinator::probe_venue`], if it is one.
    pub(super) fn venue_probed(&mut self, cx: &mut Cx<'_>, event: &VenueEvent) {
        let client_id = event.client_id();
        if self.live.venue_probe.take_if(|asked| *asked == client_id).is_some()
            && !matches!(event, VenueEvent::NoAnswer { .. })
        {
            self.count_venue_outcome(cx, true);
        }
    }

    /// No clear answer: the order is Unknown, and the venue is asked.
    pub(super) fn unknown(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId, detail: &Untrusted) {
        let status = self.durable.orders.get(&client_id).map(|tracked| tracked.status);
        if status.is_none_or(OrderStatus::is_terminal) && !self.is_asked_leg(client_id) {
            return;
        }
        if status.is_some_and(|status| !status.is_terminal() && status != OrderStatus::Unknown) {
            self.executed(cx, false);
            self.order_status(cx, client_id, OrderStatus::Unknown, detail.sanitize(120).as_str());
            self.raise_unknown(cx, client_id);
            self.ask_for_legs(cx);
            self.ask(cx, client_id);
        } else {
            // It was a question that has gone unanswered: asked again, but not at once.
            self.live.waiting.insert(client_id, cx.now.operator);
            self.raise_unknown(cx, client_id);
        }
        if self.live.reconciling.remove(&client_id) && self.durable.control.state != TradingState::Halted {
            let leg = self.durable.plans.leg_of(client_id).map(|(id, _)| id.to_string()).unwrap_or_default();
            let reason = SafeText::ours(format!("leg {leg} is still Unknown after reconciliation"));
            self.come_up_halted(cx, &reason);
        }
    }

    /// Orders and legs of which nobody can say what became of them, until the venue has answered.
    pub(super) fn unknown_orders(&self) -> BTreeSet<ClientOrderId> {
        let orders = self.durable.orders.iter().filter(|(_, tracked)| tracked.status == OrderStatus::Unknown);
        let legs = self.durable.plans.questions();
        orders.map(|(client_id, _)| *client_id).chain(legs.map(|(_, client_id)| client_id)).collect()
    }

    fn raise_unknown(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId) {
        let order = self.durable.orders.get(&client_id).map(|tracked| &tracked.order);
        let what = match (order, self.durable.plans.leg_of(client_id)) {
            (Some(order), _) => format!("{}: {}", order.symbol, super::routing::order_text(order)),
            (None, Some((id, leg))) => format!("{}: leg {id}, {}", leg.symbol, leg.side),
            (None, None) => return,
        };
        self.raise(cx, unknown_alarm(client_id), "no answer from the venue", what);
    }

    /// The venue has given a clear word: nothing is owed any more, and the alarm of an Unknown order is over.
    pub(super) fn answered(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId) {
        self.live.waiting.remove(&client_id);
        self.live.reconciling.remove(&client_id);
        self.clear(cx, unknown_alarm(client_id));
    }

    /// Orders whose answer is overdue become Unknown; what is Unknown is asked for again.
    pub(super) fn orders_without_answer(&mut self, cx: &mut Cx<'_>) {
        if self.next_answer_due().is_none_or(|at| at > cx.now.operator) {
            return;
        }
        let overdue: BTreeSet<ClientOrderId> =
            self.owed().filter(|(_, due)| *due <= cx.now.operator).map(|(client_id, _)| client_id).collect();
        for client_id in overdue {
            let status = self.durable.orders.get(&client_id).map(|tracked| tracked.status);
            if status.is_some_and(is_unanswered) || self.live.reconciling.contains(&client_id) {
                let event = VenueEvent::NoAnswer { client_id, detail: Untrusted::new("no answer in time") };
                self.venue_event(cx, event);
            } else {
                self.ask(cx, client_id);
            }
        }
    }

    /// When the next answer is overdue, operator time.
    pub(super) fn next_answer_due(&self) -> Option<Timestamp> {
        self.owed().map(|(_, due)| due).min()
    }

    /// Everything that an answer is owed for, and until when; an order that is a leg too may be in it twice.
    fn owed(&self) -> impl Iterator<Item = (ClientOrderId, Timestamp)> {
        let orders = self
            .durable
            .open_orders()
            .filter(|tracked| is_unanswered(tracked.status) || tracked.status == OrderStatus::Unknown)
            .map(|tracked| tracked.order.client_id);
        let legs = self.durable.plans.questions().map(|(_, client_id)| client_id);
        orders.chain(legs).map(|client_id| (client_id, self.owed_until(client_id)))
    }

    fn owed_until(&self, client_id: ClientOrderId) -> Timestamp {
        let since = self.live.waiting.get(&client_id).copied().unwrap_or(self.live.started_at.operator);
        let status = self.durable.orders.get(&client_id).map(|tracked| tracked.status);
        let first_answer = status.is_some_and(is_unanswered) || self.live.reconciling.contains(&client_id);
        let config = &self.config.execution.execution;
        since.plus(if first_answer { config.answer_within } else { config.ask_again_after })
    }

    fn is_asked_leg(&self, client_id: ClientOrderId) -> bool {
        self.durable.plans.leg_of(client_id).is_some_and(|(_, leg)| leg.asked)
    }
}

fn unknown_alarm(client_id: ClientOrderId) -> AlarmKey {
    AlarmKey::about(AlarmSource::OrderUnknown, Subject::Order(client_id))
}
