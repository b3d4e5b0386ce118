//! Orders to a venue and what the venue says of them.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ClientOrderId, DecisionId, Money, PlanId, Symbol, Timestamp, TradeId, Untrusted};

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Base comes in, quote goes out.
    Buy,
    /// Base goes out, quote comes in.
    Sell,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        })
    }
}

/// How an order is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum OrderKind {
    /// Now, at what the market gives, but not worse than `bound` (quote units).
    Market {
        /// Worst acceptable price; the venue refuses beyond it.
        bound: Option<Decimal>,
    },
    /// At `price` or better; rests until filled, cancelled or `valid_until`.
    Limit {
        /// Quote units.
        price: Decimal,
        /// Cancelled by the venue at this instant, market time.
        valid_until: Option<Timestamp>,
    },
}

/// Stop and target that the venue places on each fill of an entry, so that no position is ever naked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// Sell when the price falls to this, quote units.
    pub stop: Decimal,
    /// Sell when the price rises to this, quote units.
    pub take_profit: Decimal,
}

/// Why an order exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Purpose {
    /// Opens a lot for a decision.
    Entry {
        /// Which.
        decision: DecisionId,
    },
    /// Moves holdings towards the target allocation.
    Leg {
        /// Which plan.
        plan: PlanId,
        /// Which leg of it, from 0.
        leg: u16,
    },
    /// Reduces lots because an agent said so.
    Exit {
        /// Which decision.
        decision: DecisionId,
    },
    /// Reduces because an emergency action ordered it.
    Reduce {
        /// Number of the emergency order within the installation.
        number: u64,
    },
    /// Closes because the operator or an emergency action said flatten.
    Flatten {
        /// Number of the emergency order within the installation.
        number: u64,
    },
}

impl Purpose {
    /// The intent from which the client order id derives: no time and no attempt in it.
    pub fn intent(&self) -> String {
        match self {
            Self::Entry { decision } => format!("decision/{}/entry", decision.0),
            Self::Exit { decision } => format!("decision/{}/exit", decision.0),
            Self::Leg { plan, leg } => format!("leg/{}/{leg}", plan.0),
            Self::Reduce { number } => format!("reduce/{number}"),
            Self::Flatten { number } => format!("flatten/{number}"),
        }
    }
}

/// Why an order is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OrderError {
    /// Quantity is zero or negative.
    #[error("quantity {0} is not positive")]
    Quantity(Decimal),
    /// A price is zero or negative.
    #[error("price {0} is not positive")]
    Price(Decimal),
}

/// One order, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Our name for it; the venue knows it by this and never takes the same name twice.
    pub client_id: ClientOrderId,
    /// What.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// How much, in base units.
    pub quantity: Decimal,
    /// At what price.
    pub kind: OrderKind,
    /// Why.
    pub purpose: Purpose,
    /// Stop and target to place on each fill (entries only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
}

impl Order {
    /// Checks that every number of the order is positive.
    pub fn validated(self) -> Result<Self, OrderError> {
        if self.quantity <= Decimal::ZERO {
            return Err(OrderError::Quantity(self.quantity));
        }
        let price = match self.kind {
            OrderKind::Market { bound } => bound,
            OrderKind::Limit { price, .. } => Some(price),
        };
        let protection = self.protection.map(|p| [p.stop, p.take_profit]).into_iter().flatten();
        match price.into_iter().chain(protection).find(|p| *p <= Decimal::ZERO) {
            Some(price) => Err(OrderError::Price(price)),
            None => Ok(self),
        }
    }
}

/// Where an order stands, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Recorded, not yet handed over.
    Intent,
    /// Handed over, no answer yet.
    Sent,
    /// Resting or working at the venue.
    Accepted,
    /// Filled whole.
    Filled,
    /// Cancelled or expired, perhaps after a part was filled.
    Cancelled,
    /// Refused by gate or venue.
    Rejected,
    /// No clear answer; the venue must be asked.
    Unknown,
}

impl OrderStatus {
    /// Whether nothing more can happen to the order.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Filled | Self::Cancelled | Self::Rejected => true,
            Self::Intent | Self::Sent | Self::Accepted | Self::Unknown => false,
        }
    }
}

/// What kind of order a fill belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillRole {
    /// The order itself.
    Order,
    /// The stop that the venue had placed for it.
    Stop,
    /// The target that the venue had placed for it.
    Target,
}

/// One execution at the venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The venue's number of it, rising; a fill is applied once by this.
    pub trade_id: TradeId,
    /// The order it belongs to; for a stop or target, the entry that carried it.
    pub client_id: ClientOrderId,
    /// The order, or its stop or target.
    pub role: FillRole,
    /// What.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// Base units.
    pub quantity: Decimal,
    /// Quote units per base unit.
    pub price: Decimal,
    /// What the venue took, in the quote asset.
    pub fee: Money,
    /// When, market time.
    pub at: Timestamp,
}

/// Why a venue refused an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VenueReject {
    /// The venue has no price that is fresh enough.
    NoFreshPrice,
    /// The market is beyond the order's bound.
    PriceBound,
    /// The name was used before with other parameters.
    ClientIdReused,
    /// The venue does not trade this symbol.
    UnknownSymbol,
    /// A number is not usable.
    InvalidOrder,
    /// Anything else the venue said.
    Other(Untrusted),
}

impl fmt::Display for VenueReject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFreshPrice => f.write_str("NO_FRESH_PRICE"),
            Self::PriceBound => f.write_str("PRICE_BOUND"),
            Self::ClientIdReused => f.write_str("CLIENT_ID_REUSED"),
            Self::UnknownSymbol => f.write_str("UNKNOWN_SYMBOL"),
            Self::InvalidOrder => f.write_str("INVALID_ORDER"),
            Self::Other(text) => write!(f, "\"{}\"", text.sanitize(60)),
        }
    }
}

/// What a venue tells of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum VenueEvent {
    /// It has the order.
    Accepted {
        /// Which.
        client_id: ClientOrderId,
    },
    /// It refused the order.
    Rejected {
        /// Which.
        client_id: ClientOrderId,
        /// Why.
        reason: VenueReject,
    },
    /// A part or all of it was executed. `done` when nothing of the order is left.
    Filled {
        /// The execution.
        fill: Fill,
        /// Nothing of the order is left; of a stop or target, nothing of what protects the entry.
        done: bool,
    },
    /// Nothing more will happen to the order.
    Cancelled {
        /// Which.
        client_id: ClientOrderId,
        /// It ran out rather than being cancelled.
        expired: bool,
    },
    /// Answer to a question: the venue has never seen this order.
    Absent {
        /// Which.
        client_id: ClientOrderId,
    },
    /// No clear answer came; the order must be asked for.
    NoAnswer {
        /// Which.
        client_id: ClientOrderId,
        /// What went wrong, in the venue's or transport's words.
        detail: Untrusted,
    },
}

impl VenueEvent {
    /// The order that it is about.
    pub const fn client_id(&self) -> ClientOrderId {
        match self {
            Self::Accepted { client_id }
            | Self::Rejected { client_id, .. }
            | Self::Cancelled { client_id, .. }
            | Self::Absent { client_id }
            | Self::NoAnswer { client_id, .. } => *client_id,
            Self::Filled { fill, .. } => fill.client_id,
        }
    }
}
