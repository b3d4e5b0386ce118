//! What the paper venue charges, and what it calls a fresh price.

use std::collections::BTreeSet;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::config::Paper;
use crate::domain::{
    CandleSpan, MoneyError, Pct, Side, Symbol, Timestamp, checked_add, checked_mul, checked_sub,
};

/// The conditions of the paper venue. They may change between two runs; what was executed keeps its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperTerms {
    /// What it trades.
    pub symbols: BTreeSet<Symbol>,
    /// Share of the traded amount that it takes, in the quote asset.
    pub fee_pct: Pct,
    /// Distance of the price of a market order or stop from the price seen, to the worse side.
    pub slippage_pct: Pct,
    /// A price older than this is not fresh.
    pub price_fresh_for: Duration,
}

impl PaperTerms {
    /// The configured conditions for the configured symbols, whose prices come with candles of this length.
    pub fn new(config: &Paper, symbols: impl IntoIterator<Item = Symbol>, candle: CandleSpan) -> Self {
        Self {
            symbols: symbols.into_iter().collect(),
            fee_pct: config.fee_pct,
            slippage_pct: config.slippage_pct,
            price_fresh_for: candle.age_of(config.price_fresh_for, config.price_fresh_candles),
        }
    }

    /// The price at which one trades who cannot wait.
    pub(super) fn worse(&self, side: Side, price: Decimal) -> Result<Decimal, MoneyError> {
        let distance = self.slippage_pct.of(price)?;
        match side {
            Side::Buy => checked_add(price, distance),
            Side::Sell => checked_sub(price, distance),
        }
    }

    /// What the venue takes of a trade.
    pub(super) fn fee(&self, quantity: Decimal, price: Decimal) -> Result<Decimal, MoneyError> {
        self.fee_pct.of(checked_mul(quantity, price)?)
    }

    /// The price, if it is fresh at `now`.
    pub(super) fn fresh(&self, now: Timestamp, last: Option<&LastPrice>) -> Option<Decimal> {
        last.filter(|last| now.since(last.at) <= self.price_fresh_for).map(|last| last.price)
    }
}

/// The last price that the market showed of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastPrice {
    /// Quote units.
    pub(super) price: Decimal,
    /// When it was known.
    pub(super) at: Timestamp,
}
