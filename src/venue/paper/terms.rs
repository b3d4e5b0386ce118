//! What the paper venue charges, what it calls a fresh price, and how much of a market it gives.

use std::collections::BTreeSet;
use std::time::Duration;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::config::Paper;
use crate::domain::{
    Candle, CandleSpan, MoneyError, Pct, Side, Symbol, Timestamp, checked_add, checked_mul, checked_sub,
    round_quantity,
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
    /// Most of a bar's volume that is bought, and that is sold.
    pub volume_share_max_pct: Pct,
    /// A price older than this is not fresh.
    pub price_fresh_for: Duration,
    /// A limit order takes the last price at once only while it is no older than this. It loses nothing by waiting for
    /// the bar that is running, of which nobody knows yet whether anyone trades in it.
    pub limit_at_once_for: Duration,
}

impl PaperTerms {
    /// The configured conditions for the configured symbols, whose prices come with candles of this length.
    pub fn new(config: &Paper, symbols: impl IntoIterator<Item = Symbol>, candle: CandleSpan) -> Self {
        Self {
            symbols: symbols.into_iter().collect(),
            fee_pct: config.fee_pct,
            slippage_pct: config.slippage_pct,
            volume_share_max_pct: config.volume_share_max_pct,
            price_fresh_for: candle.age_of(config.price_fresh_for, config.price_fresh_candles),
            limit_at_once_for: config.price_fresh_for,
        }
    }

    /// The price at which one trades who cannot wait.
    pub(super) fn worse(&self, bar: &SeenBar, side: Side, price: Decimal) -> Result<Decimal, MoneyError> {
        let distance = self.slippage_pct.of(price)?;
        let price = match side {
            Side::Buy => checked_add(price, distance),
            Side::Sell => checked_sub(price, distance),
        };
        price.map(|price| bar.on_tick(side, price))
    }

    /// What the venue takes of a trade.
    pub(super) fn fee(&self, quantity: Decimal, price: Decimal) -> Result<Decimal, MoneyError> {
        self.fee_pct.of(checked_mul(quantity, price)?)
    }

    /// The last bar, if its close is fresh at `now`.
    pub(super) fn fresh<'a>(&self, now: Timestamp, last: Option<&'a SeenBar>) -> Option<&'a SeenBar> {
        last.filter(|last| now.since(last.candle.close_time()) <= self.price_fresh_for)
    }

    /// The last bar, if a limit order that comes at `now` may take its close.
    pub(super) fn at_once<'a>(&self, now: Timestamp, last: Option<&'a SeenBar>) -> Option<&'a SeenBar> {
        self.fresh(now, last).filter(|last| now.since(last.candle.close_time()) <= self.limit_at_once_for)
    }

    /// Most that one side may execute of a bar, base units.
    pub(super) fn volume_share(&self, bar: &SeenBar) -> Result<Decimal, MoneyError> {
        Ok(round_quantity(self.volume_share_max_pct.of(bar.candle.volume)?))
    }
}

/// A closed bar of the market, and the tick of its symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeenBar {
    pub(super) candle: Candle,
    /// Decimal places of the tick: the most that any price of the symbol has shown.
    decimals: u32,
}

impl SeenBar {
    /// The bar that follows `before`.
    pub(super) fn after(before: Option<&Self>, candle: &Candle) -> Self {
        let decimals = before.map_or(0, |before| before.decimals).max(candle.price_decimals());
        Self { candle: candle.clone(), decimals }
    }

    /// The nearest price on the tick that is no worse for whoever trades: never above a limit to buy at, and never
    /// farther from the price seen than slippage goes.
    pub(super) fn on_tick(&self, side: Side, price: Decimal) -> Decimal {
        let strategy = match side {
            Side::Buy => RoundingStrategy::ToZero,
            Side::Sell => RoundingStrategy::AwayFromZero,
        };
        price.round_dp_with_strategy(self.decimals, strategy)
    }
}
