//! What the venue says of orders, and what follows: fills, ends, results.

use super::answers::is_unanswered;
use super::dca::LegId;
use super::effect::Effect;
use super::record::RecordKind;
use super::{Coordinator, Cx};
use crate::account::{Applied, Booked, Posting};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::domain::{
    Actor, Asset, ClientOrderId, DecisionId, ExecutionEvent, Fill, FillRole, OrderStatus, Outcome, Payload,
    Priority, Purpose, ReasonCode, SafeText, TradingState, Untrusted, VenueEvent, VenueReject,
};

impl Coordinator {
    /// One word of the venue. Repeated and late words change nothing.
    pub(super) fn venue_event(&mut self, cx: &mut Cx<'_>, event: VenueEvent) {
        self.live.revision += 1;
        self.venue_probed(cx, &event);
        self.leg_event(cx, &event);
        match event {
            VenueEvent::Accepted { client_id } => self.accepted(cx, client_id),
            // The venue knows another order by this name: not a no, but a question.
            VenueEvent::Rejected { client_id, reason: VenueReject::ClientIdReused } => {
                self.unknown(cx, client_id, &Untrusted::new(VenueReject::ClientIdReused.to_string()));
            }
            VenueEvent::Rejected { client_id, reason } => {
                if self.is_open(client_id) {
                    self.executed(cx, false);
                }
                let detail = reason.to_string();
                self.order_ended(cx, client_id, OrderStatus::Rejected, ReasonCode::VenueRefused, &detail);
            }
            VenueEvent::Filled { fill, done } => self.filled(cx, &fill, done),
            VenueEvent::Cancelled { client_id, expired } => {
                let detail = if expired { "expired" } else { "cancelled" };
                self.order_ended(cx, client_id, OrderStatus::Cancelled, ReasonCode::VenueRefused, detail);
            }
            VenueEvent::Absent { client_id } => self.absent(cx, client_id),
            VenueEvent::NoAnswer { client_id, detail } => self.unknown(cx, client_id, &detail),
        }
    }

    /// The gate was shut between approval and hand-over; the venue never saw the order.
    pub(super) fn not_handed_over(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId, reason: ReasonCode) {
        self.leg_not_handed_over(cx, client_id, reason);
        self.order_ended(cx, client_id, OrderStatus::Rejected, reason, "not handed over");
    }

    fn accepted(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId) {
        let status = self.durable.orders.get(&client_id).map(|tracked| tracked.status);
        let news = status.is_some_and(|status| is_unanswered(status) || status == OrderStatus::Unknown);
        if news {
            self.executed(cx, true);
            self.order_status(cx, client_id, OrderStatus::Accepted, "");
            self.answered(cx, client_id);
        }
    }

    /// The venue has no order of that name. A sure no, unless it had taken it: then it has lost what it knew, and with it
    /// stops and targets.
    fn absent(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId) {
        let was_taken = self.durable.orders.get(&client_id).is_some_and(|tracked| {
            let has_fills = !tracked.status.is_terminal() && !tracked.filled.is_zero();
            tracked.status == OrderStatus::Accepted || has_fills
        });
        if was_taken || self.durable.account.lot(client_id).is_some() {
            self.venue_contradicts(cx, client_id, "does not know an order any more that it had taken");
        }
        self.answered(cx, client_id);
        let (status, detail) = if was_taken {
            (OrderStatus::Cancelled, "the venue had taken it and does not know it any more")
        } else {
            (OrderStatus::Rejected, "the venue has never seen it")
        };
        self.order_ended(cx, client_id, status, ReasonCode::VenueRefused, detail);
    }

    /// What the venue says cannot be so if what it said before was: nothing is traded until somebody has looked.
    pub(super) fn venue_contradicts(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId, how: &str) {
        let key = AlarmKey::about(AlarmSource::VenueContradicts, Subject::Order(client_id));
        self.raise(cx, key, "the venue contradicts itself", format!("it {how}"));
        if self.durable.control.state != TradingState::Halted {
            self.halt(cx, Actor::Runtime, SafeText::ours(format!("the venue {how}: {client_id}")));
        }
    }

    fn is_open(&self, client_id: ClientOrderId) -> bool {
        self.durable.orders.get(&client_id).is_some_and(|tracked| !tracked.status.is_terminal())
    }

    pub(super) fn order_status(
        &mut self,
        cx: &mut Cx<'_>,
        client_id: ClientOrderId,
        status: OrderStatus,
        detail: &str,
    ) {
        let detail = SafeText::ours(detail);
        self.record_own(cx, RecordKind::OrderStatus { client_id, status, detail });
    }

    /// An order ended without being filled whole.
    fn order_ended(
        &mut self,
        cx: &mut Cx<'_>,
        client_id: ClientOrderId,
        status: OrderStatus,
        code: ReasonCode,
        detail: &str,
    ) {
        let Some(tracked) =
            self.durable.orders.get(&client_id).filter(|tracked| !tracked.status.is_terminal())
        else {
            return;
        };
        let (symbol, purpose, filled) = (tracked.order.symbol.clone(), tracked.order.purpose, tracked.filled);
        let part = format!("{detail} after {} of {}", filled.normalize(), tracked.order.quantity.normalize());
        let detail = if filled.is_zero() { detail } else { part.as_str() };
        tracing::info!(order = %client_id, %symbol, ?status, detail, "order ended");
        self.order_status(cx, client_id, status, detail);
        self.answered(cx, client_id);
        self.nothing_left(cx, client_id);
        let event =
            ExecutionEvent::Ended { client_id, symbol: symbol.clone(), detail: SafeText::ours(detail) };
        let source = self.live.sources.venue.clone();
        self.publish(cx, source, Priority::High, None, Payload::Execution(event));
        match purpose {
            Purpose::Entry { decision } | Purpose::Exit { decision } => {
                let (outcome, codes) = match (filled.is_zero(), status) {
                    (false, _) => (Outcome::Filled, vec![]),
                    (true, OrderStatus::Rejected) => (Outcome::Refused, vec![code]),
                    (true, _) => (Outcome::Unfilled, vec![]),
                };
                self.end_decision(cx, decision, outcome, codes, detail);
            }
            Purpose::Reduce { .. } | Purpose::Flatten { .. } => self.closing_try_ended(cx, &symbol, filled),
            Purpose::Leg { .. } => {}
        }
    }

    pub(super) fn end_decision(
        &mut self,
        cx: &mut Cx<'_>,
        id: DecisionId,
        outcome: Outcome,
        reasons: Vec<ReasonCode>,
        detail: &str,
    ) {
        if self.durable.decision(id).is_some_and(|decision| decision.outcome.is_none()) {
            let detail = detail.to_owned();
            self.record_own(cx, RecordKind::DecisionEnded { id, outcome, reasons, detail });
        }
    }

    /// An execution. Tried on a copy of the books first: what cannot be booked is an Emergency, never a guess.
    fn filled(&mut self, cx: &mut Cx<'_>, fill: &Fill, done: bool) {
        if self.durable.account.trades().contains(fill.trade_id) {
            let tracked = self.durable.orders.get(&fill.client_id);
            if fill.role == FillRole::Order && tracked.is_some_and(|tracked| tracked.filled.is_zero()) {
                let how = format!("gave the number of trade {} to two executions", fill.trade_id);
                self.venue_contradicts(cx, fill.client_id, &how);
            }
            return;
        }
        self.accepted(cx, fill.client_id);
        let Some(posting) = self.posting(cx, fill) else {
            let detail = format!("of {}, order {}", fill.symbol, fill.client_id);
            self.raise(cx, not_booked(fill), "execution of an unknown order", detail);
            return;
        };
        let booked = match self.durable.account.clone().apply(&posting) {
            Ok(Applied::Booked(booked)) => booked,
            Ok(Applied::AlreadyApplied) => return,
            Err(error) => {
                let detail = format!("of order {}: {error}", fill.client_id);
                self.raise(cx, not_booked(fill), "execution cannot be booked", detail);
                return;
            }
        };
        tracing::info!(
            trade = %fill.trade_id, order = %fill.client_id, symbol = %fill.symbol, side = %fill.side,
            quantity = %fill.quantity, price = %fill.price, role = ?fill.role, "filled"
        );
        let purpose = posting.purpose;
        self.record_own(cx, RecordKind::Fill { posting: Box::new(posting), done });
        let event = ExecutionEvent::Filled { fill: fill.clone() };
        let source = self.live.sources.venue.clone();
        self.publish(cx, source, Priority::High, None, Payload::Execution(event));
        self.after_fill(cx, &booked);
        if let Purpose::Leg { plan, leg } = purpose {
            self.leg_filled(cx, LegId { plan, leg });
        }
        if done && fill.role == FillRole::Order {
            self.nothing_left(cx, fill.client_id);
            match purpose {
                Purpose::Entry { decision } | Purpose::Exit { decision } => {
                    self.end_decision(cx, decision, Outcome::Filled, vec![], "");
                }
                Purpose::Reduce { .. } | Purpose::Flatten { .. } => {
                    self.closing_try_ended(cx, &fill.symbol, fill.quantity);
                }
                Purpose::Leg { .. } => {}
            }
        }
    }

    /// The fill with what is needed to book it: why the order existed, and what protected it.
    fn posting(&self, cx: &Cx<'_>, fill: &Fill) -> Option<Posting> {
        let prices = self.prices(cx.now);
        let quote_rate = prices.rate(fill.symbol.quote(), self.durable.account.currency()).ok();
        let (purpose, protection) = if let Some(tracked) = self.durable.orders.get(&fill.client_id) {
            (tracked.order.purpose, tracked.order.protection)
        } else if let Some(lot) = self.durable.account.lot(fill.client_id) {
            (Purpose::Entry { decision: lot.decision }, lot.protection())
        } else {
            let (LegId { plan, leg }, _) = self.durable.plans.leg_of(fill.client_id)?;
            (Purpose::Leg { plan, leg }, None)
        };
        Some(Posting { fill: fill.clone(), purpose, protection, quote_rate })
    }

    /// Results of closed lots count; protections follow what is left of their lots.
    fn after_fill(&mut self, cx: &mut Cx<'_>, booked: &Booked) {
        for sale in &booked.sold {
            if let Some(result) = &sale.closed {
                let counted = result.account.unwrap_or(result.quote.amount);
                let changes = self.durable.streak.closed(cx.now.market, counted, &self.config.risk.cooldown);
                for change in changes {
                    self.record_own(cx, RecordKind::Streak(change));
                }
            }
        }
        for shrink in &booked.shrunk {
            cx.effects.push(Effect::ShrinkProtection { client_id: shrink.client_id, quantity: shrink.left });
        }
        let key = AlarmKey::about(AlarmSource::StoreFault, Subject::Component("account".to_owned()));
        let overdrawn: Vec<_> = booked.overdrawn.iter().map(Asset::as_str).collect();
        if !overdrawn.is_empty() {
            self.raise(cx, key, "a balance went below zero", overdrawn.join(", "));
        } else if self.durable.account.balances().values().all(|balance| !balance.is_sign_negative()) {
            self.clear(cx, key);
        }
        self.live.schedule.account_changed(cx.now.market);
        self.watch_equity(cx);
    }

    /// Execution errors in a row begin a cooldown and raise an alarm.
    pub(super) fn executed(&mut self, cx: &mut Cx<'_>, worked: bool) {
        let health = &self.config.orchestration.health;
        for change in self.durable.streak.executed(cx.now.market, worked, health) {
            self.record_own(cx, RecordKind::Streak(change));
        }
        self.count_venue_outcome(cx, worked);
        let errors = self.durable.streak.execution_errors();
        let failing = errors >= u32::from(self.config.orchestration.health.execution_errors_max);
        let key = AlarmKey::of(AlarmSource::ExecutionErrors);
        self.raise_while(cx, failing, key, "orders fail to execute", format!("{errors} in a row"));
    }
}

/// Each execution that is not in the books is an alarm of its own.
fn not_booked(fill: &Fill) -> AlarmKey {
    AlarmKey::about(AlarmSource::StoreFault, Subject::Component(format!("trade {}", fill.trade_id)))
}
