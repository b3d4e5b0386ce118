//! Pane 8: what is owned, what it is worth, and how near the limits are.

use rust_decimal::Decimal;

use crate::domain::{Asset, SafeText, Symbol, Timestamp};

/// Pane 8, in the account currency.
#[derive(Debug, Clone, PartialEq)]
pub struct PortfolioView {
    /// Which.
    pub currency: Asset,
    /// Decimal places of its amounts.
    pub decimals: u32,
    /// Everything at the last known prices; none when nothing that is held has ever had one.
    pub equity: Option<Decimal>,
    /// The oldest price in it that is not fresh any more; none when all are.
    pub stale_since: Option<Timestamp>,
    /// Change since 00:00 UTC, percent, none while it is unknown as in the three below; and its breaker's limit.
    pub day_pct: (Option<Decimal>, Decimal),
    /// Change since Monday 00:00 UTC, percent, and its breaker's limit.
    pub week_pct: (Option<Decimal>, Decimal),
    /// Below the peak, percent, and its breaker's limit.
    pub drawdown_pct: (Option<Decimal>, Decimal),
    /// Lots, percent of equity, and the limit.
    pub exposure_pct: (Option<Decimal>, Decimal),
    /// Largest position: symbol, percent of equity, limit.
    pub largest: Option<(Symbol, Decimal, Decimal)>,
    /// Names of tripped breakers.
    pub breakers_tripped: Vec<String>,
    /// Open positions.
    pub positions: Vec<PositionView>,
    /// Orders that rest or are on their way.
    pub orders: Vec<OrderView>,
    /// Holdings against targets.
    pub allocation: Vec<AllocationRow>,
    /// Equity of the last 24 hours with its times, oldest first.
    pub equity_history: Vec<(Timestamp, Decimal)>,
    /// Level and state changes of the last 24 hours, for the chart.
    pub marks: Vec<(Timestamp, SafeText)>,
    /// Profit and loss of closed lots since the account began.
    pub realised: Decimal,
}

/// The lots of one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionView {
    /// Which.
    pub symbol: Symbol,
    /// Base units.
    pub quantity: Decimal,
    /// Average entry, quote units.
    pub entry: Decimal,
    /// Last price, quote units.
    pub price: Option<Decimal>,
    /// From when it is, if it is not fresh any more.
    pub stale_since: Option<Timestamp>,
    /// Unrealised result, account currency.
    pub result: Option<Decimal>,
    /// Distance of the nearest stop from the last price, percent (negative: below).
    pub stop_pct: Option<Decimal>,
}

/// One open order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderView {
    /// Which.
    pub symbol: Symbol,
    /// In words: `buy 0.012 @ 42310.5`.
    pub text: String,
    /// `intent`, `sent`, `accepted`, `part filled 1 of 9.8`, `unknown`.
    pub status: String,
    /// When it was made.
    pub at: Timestamp,
}

/// One asset of the target allocation.
#[derive(Debug, Clone, PartialEq)]
pub struct AllocationRow {
    /// Which.
    pub asset: Asset,
    /// What is owned of it outside lots, in its own units.
    pub quantity: Decimal,
    /// Worth at the last known price, account currency; none if there never was one.
    pub value: Option<Decimal>,
    /// From when that price is, if it is not fresh any more.
    pub stale_since: Option<Timestamp>,
    /// Share of all holdings, percent; none while the worth of any of them is unknown.
    pub share_pct: Option<Decimal>,
    /// Target, percent.
    pub target_pct: Decimal,
}
