//! A venue that does what the test wants of it. It knows what it was given, and may keep that to itself.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::super::input::Input;
use super::dec;
use crate::domain::{
    Asset, ClientOrderId, Fill, FillRole, Money, Now, Order, OrderKind, Purpose, Symbol, TradeId, Untrusted,
    VenueEvent, VenueReject,
};

/// How the venue treats orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Executes at once.
    Fill,
    /// Executes half of it, and lets the rest stand.
    FillHalf,
    /// Lets it stand.
    Rest,
    /// Refuses it.
    Reject,
    /// Never gets it.
    Deaf,
    /// Executes it, and the answer is lost.
    LoseAnswer,
    /// Cannot be reached, not even by questions.
    Unreachable,
}

#[derive(Debug, Clone)]
struct Known {
    order: Order,
    fills: Vec<Fill>,
    open: bool,
}

impl Known {
    fn filled(&self) -> Decimal {
        let of_order = self.fills.iter().filter(|fill| fill.role == FillRole::Order);
        of_order.map(|fill| fill.quantity).sum()
    }
}

/// The venue.
#[derive(Debug)]
pub(super) struct FakeVenue {
    pub mode: Mode,
    /// Does not take anything back.
    pub stubborn: bool,
    pub submitted: Vec<Order>,
    pub cancel_alls: usize,
    pub queries: usize,
    pub shrunk: Vec<(ClientOrderId, Decimal)>,
    known: BTreeMap<ClientOrderId, Known>,
    trades: u64,
}

impl FakeVenue {
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Fill,
            stubborn: false,
            submitted: Vec::new(),
            cancel_alls: 0,
            queries: 0,
            shrunk: Vec::new(),
            known: BTreeMap::new(),
            trades: 0,
        }
    }

    /// What it executed since a trade, each order before, and what rests.
    pub(super) fn since(&self, after: TradeId) -> Vec<Input> {
        if self.mode == Mode::Unreachable {
            return Vec::new();
        }
        let is_news = |known: &&Known| known.open || known.fills.iter().any(|fill| fill.trade_id > after);
        let orders = self.known.values().filter(is_news);
        let mut told: Vec<_> =
            orders.clone().map(|known| Input::OrderFound(Box::new(known.order.clone()))).collect();
        let mut fills: Vec<_> = orders
            .flat_map(|known| {
                let done = |at: usize| !known.open && at + 1 == known.fills.len();
                known.fills.iter().enumerate().map(move |(at, fill)| (fill.clone(), done(at)))
            })
            .filter(|(fill, _)| fill.trade_id > after)
            .collect();
        fills.sort_by_key(|(fill, _)| fill.trade_id);
        told.extend(fills.into_iter().map(|(fill, done)| Input::Venue(VenueEvent::Filled { fill, done })));
        told
    }

    pub(super) fn submit(&mut self, now: Now, order: &Order, price: Decimal) -> Vec<VenueEvent> {
        let client_id = order.client_id;
        self.submitted.push(order.clone());
        match self.mode {
            Mode::Deaf => return vec![],
            Mode::Unreachable => return vec![VenueEvent::NoAnswer { client_id, detail: "no route".into() }],
            Mode::Reject => {
                let reason = VenueReject::Other(Untrusted::new("not today"));
                return vec![VenueEvent::Rejected { client_id, reason }];
            }
            Mode::Fill | Mode::FillHalf | Mode::Rest | Mode::LoseAnswer => {}
        }
        if self.known.contains_key(&client_id) {
            return vec![VenueEvent::Rejected { client_id, reason: VenueReject::ClientIdReused }];
        }
        self.known.insert(client_id, Known { order: order.clone(), fills: vec![], open: true });
        let mut events = vec![VenueEvent::Accepted { client_id }];
        match self.mode {
            Mode::Fill | Mode::LoseAnswer => events.extend(self.fill(now, client_id, order.quantity, price)),
            Mode::FillHalf => events.extend(self.fill(now, client_id, order.quantity / dec("2"), price)),
            Mode::Rest | Mode::Reject | Mode::Deaf | Mode::Unreachable => {}
        }
        if self.mode == Mode::LoseAnswer { vec![] } else { events }
    }

    /// Executes a part of an order that stands, and no more than is left of it.
    pub(super) fn fill(
        &mut self,
        now: Now,
        client_id: ClientOrderId,
        quantity: Decimal,
        price: Decimal,
    ) -> Option<VenueEvent> {
        let known = self.known.get(&client_id).filter(|known| known.open)?;
        let (order, left) = (known.order.clone(), known.order.quantity - known.filled());
        let quantity = quantity.min(left);
        let price = match order.kind {
            OrderKind::Limit { price, .. } => price,
            OrderKind::Market { .. } => price,
        };
        let fill = self.fill_of(now, &order, FillRole::Order, quantity, price);
        let known = self.known.get_mut(&client_id)?;
        known.fills.push(fill.clone());
        let done = known.filled() == order.quantity;
        known.open = !done;
        Some(VenueEvent::Filled { fill, done })
    }

    /// The stop of an entry fires.
    pub(super) fn stop(&mut self, now: Now, entry: &Order, quantity: Decimal) -> VenueEvent {
        let price = entry.protection.unwrap().stop;
        let fill = self.fill_of(now, entry, FillRole::Stop, quantity, price);
        if let Some(known) = self.known.get_mut(&entry.client_id) {
            known.fills.push(fill.clone());
        }
        VenueEvent::Filled { fill, done: true }
    }

    fn fill_of(
        &mut self,
        now: Now,
        order: &Order,
        role: FillRole,
        quantity: Decimal,
        price: Decimal,
    ) -> Fill {
        self.trades += 1;
        let side = if role == FillRole::Order { order.side } else { crate::domain::Side::Sell };
        let fee = quantity * price * dec("0.0026");
        Fill {
            trade_id: TradeId(self.trades),
            client_id: order.client_id,
            role,
            symbol: order.symbol.clone(),
            side,
            quantity,
            price,
            fee: Money::new(fee, quote(&order.symbol)),
            at: now.market,
        }
    }

    pub(super) fn query(&mut self, client_id: ClientOrderId) -> Vec<Input> {
        self.queries += 1;
        if self.mode == Mode::Unreachable {
            let detail = "no route".into();
            return vec![Input::Venue(VenueEvent::NoAnswer { client_id, detail })];
        }
        let Some(known) = self.known.get(&client_id) else {
            return vec![Input::Venue(VenueEvent::Absent { client_id })];
        };
        let found = Input::OrderFound(Box::new(known.order.clone()));
        let mut told = vec![found, Input::Venue(VenueEvent::Accepted { client_id })];
        let fills = known.fills.iter().cloned();
        told.extend(fills.map(|fill| Input::Venue(VenueEvent::Filled { fill, done: !known.open })));
        told
    }

    /// The venue's copy of an order becomes another one.
    pub(super) fn change(&mut self, client_id: ClientOrderId, change: impl FnOnce(&mut Order)) {
        change(&mut self.known.get_mut(&client_id).unwrap().order);
    }

    pub(super) fn cancel_all(&mut self) -> Vec<VenueEvent> {
        self.cancel_alls += 1;
        if self.stubborn {
            return vec![];
        }
        let opens = |known: &&mut Known| {
            known.open && matches!(known.order.purpose, Purpose::Entry { .. } | Purpose::Leg { .. })
        };
        self.known
            .values_mut()
            .filter(opens)
            .map(|known| {
                known.open = false;
                VenueEvent::Cancelled { client_id: known.order.client_id, expired: false }
            })
            .collect()
    }

    /// One order is taken back by the venue's own clock.
    pub(super) fn expire(&mut self, client_id: ClientOrderId) -> VenueEvent {
        if let Some(known) = self.known.get_mut(&client_id) {
            known.open = false;
        }
        VenueEvent::Cancelled { client_id, expired: true }
    }
}

fn quote(symbol: &Symbol) -> Asset {
    symbol.quote().clone()
}
