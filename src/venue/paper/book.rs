//! What the paper venue knows: orders, stops and targets, executions, positions. A pure machine, whose only
//! mutation is [`PaperBook::apply`]; the log holds what was applied, so that replaying it gives an equal book.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{
    ClientOrderId, Fill, FillRole, Order, OrderKind, OrderStatus, Purpose, Side, Symbol, Timestamp, TradeId,
    VenueEvent, checked_add, checked_sub,
};
use crate::venue::{OrderReport, ProtectiveOrder};

/// One change of the book. A closed list; the words of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    /// An order was taken.
    Accepted {
        /// As submitted.
        order: Order,
        /// Market time.
        at: Timestamp,
    },
    /// A part or all of an order was executed.
    Filled {
        /// The execution; its role is the order itself.
        fill: Fill,
    },
    /// A stop was reached, and nothing of it could be executed yet.
    ProtectionTriggered {
        /// The entry fill whose quantity it protects.
        protects: TradeId,
    },
    /// A part or all of a stop or target was executed.
    ProtectionFilled {
        /// The entry fill whose quantity it protected.
        protects: TradeId,
        /// The execution.
        fill: Fill,
    },
    /// A stop and target stand for less, or for nothing.
    ProtectionShrunk {
        /// The entry fill whose quantity they protect.
        protects: TradeId,
        /// Base units that are left.
        quantity: Decimal,
    },
    /// A resting order stands for less, because what it would sell is sold.
    Trimmed {
        /// Which.
        client_id: ClientOrderId,
        /// Base units that are left.
        remaining: Decimal,
    },
    /// Nothing more will happen to an order.
    Cancelled {
        /// Which.
        client_id: ClientOrderId,
        /// It ran out.
        expired: bool,
    },
}

/// What one operation did to the book, and what the client is told of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) changes: Vec<Change>,
    pub(super) events: Vec<VenueEvent>,
}

/// One order that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BookOrder {
    pub(super) order: Order,
    pub(super) at: Timestamp,
    /// Place in the line of resting orders.
    place: u64,
    pub(super) status: OrderStatus,
    pub(super) remaining: Decimal,
    expired: bool,
    fills: Vec<TradeId>,
}

/// What the paper venue knows. Durable; holds no prices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PaperBook {
    /// Every order ever taken: a name is never used for two.
    orders: BTreeMap<ClientOrderId, BookOrder>,
    /// The orders that rest, oldest first.
    resting: BTreeMap<u64, ClientOrderId>,
    /// Stops and targets, by the entry fill that placed them: oldest first.
    protective: BTreeMap<TradeId, ProtectiveOrder>,
    /// Every execution.
    fills: BTreeMap<TradeId, Fill>,
    /// Base units bought less sold, by symbol; what was held before the first order is not known here.
    positions: BTreeMap<Symbol, Decimal>,
    /// Base units that entries bought and nothing has sold since, by symbol.
    lots: BTreeMap<Symbol, Decimal>,
    last_trade: TradeId,
    last_place: u64,
}

impl PaperBook {
    /// Base units bought less sold of a symbol.
    pub fn position(&self, symbol: &Symbol) -> Decimal {
        self.positions.get(symbol).copied().unwrap_or_default()
    }

    /// Base units that entries bought of a symbol and nothing has sold since.
    pub fn lots(&self, symbol: &Symbol) -> Decimal {
        self.lots.get(symbol).copied().unwrap_or_default()
    }

    /// Base units of an entry for which a stop and a target stand.
    pub fn protected(&self, client_id: ClientOrderId) -> Decimal {
        self.protective_orders()
            .filter(|p| p.client_id == client_id)
            .fold(Decimal::ZERO, |sum, p| plus(sum, p.quantity))
    }

    /// All executions after the given one, oldest first.
    pub fn fills_since(&self, after: TradeId) -> impl Iterator<Item = &Fill> {
        self.fills.range(after.next()..).map(|(_, fill)| fill)
    }

    /// Stops and targets that stand, oldest first.
    pub fn protective_orders(&self) -> impl Iterator<Item = &ProtectiveOrder> {
        self.protective.values()
    }

    /// Whether it ever took one.
    pub fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Orders that rest, oldest first.
    pub fn open_orders(&self) -> Vec<OrderReport> {
        self.resting.values().filter_map(|client_id| self.report(*client_id)).collect()
    }

    /// All that is known of one order; none if it was never taken.
    pub fn report(&self, client_id: ClientOrderId) -> Option<OrderReport> {
        let known = self.orders.get(&client_id)?;
        Some(OrderReport {
            order: known.order.clone(),
            status: known.status,
            remaining: known.remaining,
            expired: known.expired,
            fills: known.fills.iter().filter_map(|id| self.fills.get(id)).cloned().collect(),
            protective: self.protective_orders().filter(|p| p.client_id == client_id).cloned().collect(),
        })
    }

    /// When the first resting order runs out.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.resting().filter_map(BookOrder::valid_until).min()
    }

    /// Base units that one side executed of a symbol since the given instant, which is not long ago.
    pub(super) fn executed_since(&self, symbol: &Symbol, side: Side, since: Timestamp) -> Decimal {
        let recent = self.fills.values().rev().take_while(|fill| fill.at >= since);
        recent
            .filter(|fill| fill.symbol == *symbol && fill.side == side)
            .fold(Decimal::ZERO, |sum, fill| plus(sum, fill.quantity))
    }

    pub(super) fn get(&self, client_id: ClientOrderId) -> Option<&BookOrder> {
        self.orders.get(&client_id)
    }

    pub(super) fn resting(&self) -> impl DoubleEndedIterator<Item = &BookOrder> {
        self.resting.values().filter_map(|client_id| self.orders.get(client_id))
    }

    pub(super) fn protective_of(&self, protects: TradeId) -> Option<&ProtectiveOrder> {
        self.protective.get(&protects)
    }

    pub(super) fn protective(&self) -> impl Iterator<Item = (TradeId, &ProtectiveOrder)> {
        self.protective.iter().map(|(id, protective)| (*id, protective))
    }

    /// The last execution; 0 before the first.
    pub const fn last_trade(&self) -> TradeId {
        self.last_trade
    }

    pub(super) fn next_trade(&self) -> TradeId {
        self.last_trade.next()
    }

    /// The only thing that changes the book, live and in recovery. Total: a change that does not fit the book
    /// (which only a damaged log can hold) changes nothing.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Accepted { order, at } => self.accept(order, *at),
            Change::Filled { fill } => self.fill_order(fill),
            Change::ProtectionTriggered { protects } => {
                if let Some(protective) = self.protective.get_mut(protects) {
                    protective.triggered = true;
                }
            }
            Change::ProtectionFilled { protects, fill } => {
                if let Some(mut protective) = self.protective.remove(protects)
                    && protective.quantity > fill.quantity
                {
                    protective.quantity = minus(protective.quantity, fill.quantity);
                    protective.triggered |= fill.role == FillRole::Stop;
                    self.protective.insert(*protects, protective);
                }
                if let Some(known) = self.orders.get_mut(&fill.client_id) {
                    known.fills.push(fill.trade_id);
                }
                self.take_from_lots(fill);
                self.book_fill(fill);
            }
            Change::ProtectionShrunk { protects, quantity } => {
                if *quantity <= Decimal::ZERO {
                    self.protective.remove(protects);
                } else if let Some(protective) = self.protective.get_mut(protects) {
                    protective.quantity = *quantity;
                }
            }
            Change::Trimmed { client_id, remaining } => {
                if let Some(known) = self.orders.get_mut(client_id) {
                    known.remaining = *remaining;
                }
            }
            Change::Cancelled { client_id, expired } => {
                if let Some(known) = self.orders.get_mut(client_id) {
                    known.status = OrderStatus::Cancelled;
                    known.expired = *expired;
                    known.remaining = Decimal::ZERO;
                    self.resting.remove(&known.place);
                }
            }
        }
    }

    fn accept(&mut self, order: &Order, at: Timestamp) {
        self.last_place = self.last_place.saturating_add(1);
        self.resting.insert(self.last_place, order.client_id);
        let known = BookOrder {
            order: order.clone(),
            at,
            place: self.last_place,
            status: OrderStatus::Accepted,
            remaining: order.quantity,
            expired: false,
            fills: Vec::new(),
        };
        self.orders.insert(order.client_id, known);
    }

    fn fill_order(&mut self, fill: &Fill) {
        let Some(known) = self.orders.get_mut(&fill.client_id) else { return };
        known.fills.push(fill.trade_id);
        known.remaining = minus(known.remaining, fill.quantity);
        if known.remaining <= Decimal::ZERO {
            known.status = OrderStatus::Filled;
            self.resting.remove(&known.place);
        }
        let (purpose, protection) = (known.order.purpose, known.order.protection);
        match purpose {
            Purpose::Entry { .. } => {
                let lots = plus(self.lots(&fill.symbol), fill.quantity);
                self.lots.insert(fill.symbol.clone(), lots);
                if let Some(levels) = protection {
                    let protective = ProtectiveOrder {
                        client_id: fill.client_id,
                        symbol: fill.symbol.clone(),
                        quantity: fill.quantity,
                        levels,
                        placed_at: fill.at,
                        triggered: false,
                    };
                    self.protective.insert(fill.trade_id, protective);
                }
            }
            Purpose::Exit { .. } | Purpose::Reduce { .. } | Purpose::Flatten { .. } => {
                self.take_from_lots(fill);
            }
            Purpose::Leg { .. } => {}
        }
        self.book_fill(fill);
    }

    fn take_from_lots(&mut self, fill: &Fill) {
        if fill.side == Side::Sell {
            let left = minus(self.lots(&fill.symbol), fill.quantity).max(Decimal::ZERO);
            self.lots.insert(fill.symbol.clone(), left);
        }
    }

    fn book_fill(&mut self, fill: &Fill) {
        let position = self.position(&fill.symbol);
        let position = match fill.side {
            Side::Buy => plus(position, fill.quantity),
            Side::Sell => minus(position, fill.quantity),
        };
        self.positions.insert(fill.symbol.clone(), position);
        self.last_trade = self.last_trade.max(fill.trade_id);
        self.fills.insert(fill.trade_id, fill.clone());
    }

    /// Applies a change and notes it.
    pub(super) fn change(&mut self, outcome: &mut Outcome, change: Change) {
        self.apply(&change);
        outcome.changes.push(change);
    }
}

impl BookOrder {
    pub(super) fn valid_until(&self) -> Option<Timestamp> {
        match self.order.kind {
            OrderKind::Limit { valid_until, .. } => valid_until,
            OrderKind::Market { .. } => None,
        }
    }

    /// Whether a part of it is executed.
    pub(super) fn has_fills(&self) -> bool {
        !self.fills.is_empty()
    }

    /// Whether it may sell only what entries bought: an agent's exit, or an emergency reduction of lots.
    pub(super) fn sells_lots_only(&self) -> bool {
        sells_lots_only(&self.order)
    }
}

/// Whether an order may sell only what entries bought. A flatten may close holdings too, so it is not bound.
pub(super) fn sells_lots_only(order: &Order) -> bool {
    match order.purpose {
        Purpose::Exit { .. } | Purpose::Reduce { .. } => true,
        Purpose::Entry { .. } | Purpose::Leg { .. } | Purpose::Flatten { .. } => false,
    }
}

/// Sum of two quantities that an execution has already priced, and which therefore fit; at the very end of the
/// decimal range the sum stays there, because `apply` must be total.
pub(super) fn plus(a: Decimal, b: Decimal) -> Decimal {
    checked_add(a, b).unwrap_or(Decimal::MAX)
}

/// Difference of two such quantities.
pub(super) fn minus(a: Decimal, b: Decimal) -> Decimal {
    checked_sub(a, b).unwrap_or(Decimal::MIN)
}
