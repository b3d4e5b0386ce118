//! What the rules are given and what they answer.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::{Breakers, RecentOrders, Streak};
use crate::domain::{
    Change, Confidence, Level, MoneyError, Pct, ReasonCode, Regime, Side, Signal, Symbol, Timestamp,
    TradeCosts, Verdict,
};

/// An entry as consensus and conflicts left it: a limit order to buy, with stop and target. There is no side: the
/// venue is spot, so an entry buys.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryProposal {
    /// Which pair.
    pub symbol: Symbol,
    /// After consensus.
    pub confidence: Confidence,
    /// Limit price, quote units.
    pub entry: Option<Decimal>,
    /// Stop price, quote units.
    pub stop: Option<Decimal>,
    /// Target price, quote units.
    pub take_profit: Option<Decimal>,
    /// Wanted value of the position, percent of equity (leverage does not multiply it).
    pub size_pct: Pct,
    /// Wanted leverage; 1 is none.
    pub leverage: Decimal,
}

impl EntryProposal {
    /// The signal's own numbers with the confidence that consensus gave it.
    pub fn of(signal: &Signal, confidence: Confidence) -> Self {
        Self {
            symbol: signal.symbol.clone(),
            confidence,
            entry: signal.entry,
            stop: signal.stop,
            take_profit: signal.take_profit,
            size_pct: signal.size_pct,
            leverage: signal.leverage,
        }
    }
}

/// One trade of a rebalance or DCA leg.
#[derive(Debug, Clone, PartialEq)]
pub struct LegProposal {
    /// Which pair.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// For how much, account currency.
    pub amount: Decimal,
    /// Fresh price of the pair, quote units; none if there is none.
    pub price: Option<Decimal>,
    /// Account currency per quote unit, fresh; 1 for the currency itself.
    pub quote_rate: Option<Decimal>,
    /// What may be spent: the quote balance outside lots when buying, the base balance outside lots when selling.
    pub available: Decimal,
    /// By how much a purchase may be smaller because the trades of its plan cost more than their amounts, account
    /// currency.
    pub costs_max: Decimal,
    /// Decimal places of the pair's prices.
    pub price_decimals: u32,
    /// Most distance of the fill from the price.
    pub collar: Pct,
}

/// A leg as it may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegOrder {
    /// Base units.
    pub quantity: Decimal,
    /// The worst price at which it may fill: within the collar, and paid for with its fee.
    pub price_bound: Decimal,
}

/// A sale of lots (or of holdings, when flattening all).
#[derive(Debug, Clone, PartialEq)]
pub struct ExitProposal {
    /// Which pair.
    pub symbol: Symbol,
    /// Base units.
    pub quantity: Decimal,
    /// Base units that are there to be sold and not being sold by another order.
    pub held: Decimal,
    /// Fresh price of the pair, quote units; none if there is none.
    pub price: Option<Decimal>,
    /// The client order id was used before: the venue would answer for the other order.
    pub client_id_used: bool,
}

/// What the venue itself allows and takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VenueTerms {
    /// Its leverage limit; spot is 1.
    pub leverage_max: Decimal,
    /// What its trades cost beside their price.
    pub costs: TradeCosts,
}

/// What the core knows at the moment of asking. All amounts are in the account currency unless said otherwise.
#[derive(Debug, Clone, Copy)]
pub struct RiskView<'a> {
    /// Market time.
    pub now: Timestamp,
    /// Worth of everything; none if a price is missing.
    pub equity: Option<Decimal>,
    /// Below the peak, percent.
    pub drawdown_pct: Decimal,
    /// Worth of the lots of each pair, and of what working entry orders would still buy.
    pub exposure: &'a BTreeMap<Symbol, Decimal>,
    /// Margin bound by leveraged positions; zero on a spot venue.
    pub margin_used: Decimal,
    /// Regime of the symbol; `Unknown` if stale.
    pub regime: Regime,
    /// ATR over its own average, of the symbol; none until warmed up.
    pub atr_ratio: Option<f64>,
    /// Losses in a row and cooldowns.
    pub streak: &'a Streak,
    /// Circuit breakers.
    pub breakers: &'a Breakers,
    /// Locked symbols.
    pub locked: &'a BTreeSet<Symbol>,
    /// Last trade of the symbol, if fresh, quote units.
    pub last_price: Option<Decimal>,
    /// Account currency per quote unit, if fresh; 1 for the currency itself.
    pub quote_rate: Option<Decimal>,
    /// Quote units that may be spent: balance minus lots, minus what working orders will spend.
    pub funds: Decimal,
    /// Least worth of an entry; none while it cannot be converted.
    pub entry_min: Option<Decimal>,
    /// Orders of the last minutes.
    pub recent: &'a RecentOrders,
    /// Effective degradation level.
    pub level: Level,
}

/// Why an order may not go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The rule.
    pub code: ReasonCode,
    /// Its numbers.
    pub detail: String,
}

impl Rejection {
    pub(super) fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    pub(super) fn no<T>(code: ReasonCode, detail: impl Into<String>) -> Result<T, Self> {
        Err(Self::new(code, detail))
    }
}

impl From<MoneyError> for Rejection {
    /// Numbers that cannot be computed with are no order.
    fn from(error: MoneyError) -> Self {
        Self::new(ReasonCode::InvalidOrder, error.to_string())
    }
}

/// The verdict on an entry, and what was reduced on the way, in the order of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryVerdict {
    /// Approved with its numbers, or the first rule that said no.
    pub verdict: Verdict,
    /// Reductions; also those made before a rejection.
    pub changes: Vec<Change>,
}

/// The verdict on an exit: the quantity in base units, or the first rule that said no.
pub type OrderVerdict = Result<Decimal, Rejection>;
