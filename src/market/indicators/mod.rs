//! Technical indicators over closed candles, updated in constant time per candle.
//!
//! Each is absent until it has seen enough candles. None reads a clock, allocates after warm-up, or uses the
//! platform's mathematics (`libm` instead), so equal candles give equal values on every machine.

mod average;
mod momentum;
mod range;

#[cfg(test)]
mod tests;

use rust_decimal::prelude::ToPrimitive;

pub use average::{Ema, Wilder, Window};
pub use momentum::{Macd, Rsi};
pub use range::{Adx, Atr, Bollinger, Choppiness, Extremes, true_range};

use crate::config::IndicatorPeriods;
use crate::domain::{Candle, IndicatorValues};

/// The prices of one candle as `f64`: what indicators compute with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

impl From<&Candle> for Bar {
    fn from(candle: &Candle) -> Self {
        // A Decimal always has a nearest f64; NaN would mark a broken invariant and spread, never look like a price.
        let number = |price: rust_decimal::Decimal| price.to_f64().unwrap_or(f64::NAN);
        Self { high: number(candle.high), low: number(candle.low), close: number(candle.close) }
    }
}

/// The indicators of one symbol on the feed's own interval.
#[derive(Debug, Clone)]
pub struct Indicators {
    values: IndicatorValues,
    ema_fast: Ema,
    ema_medium: Ema,
    ema_slow: Ema,
    ema_trend: Ema,
    rsi: Rsi,
    macd: Macd,
    adx: Adx,
    atr: Atr,
    atr_average: Ema,
    bollinger: Bollinger,
    width_average: Ema,
    choppiness: Choppiness,
    extremes: Extremes,
}

impl Indicators {
    /// Before the first bar.
    pub fn new(periods: &IndicatorPeriods) -> Self {
        let IndicatorPeriods { macd, bollinger, average, .. } = *periods;
        Self {
            values: IndicatorValues::default(),
            ema_fast: Ema::new(periods.ema_fast),
            ema_medium: Ema::new(periods.ema_medium),
            ema_slow: Ema::new(periods.ema_slow),
            ema_trend: Ema::new(periods.ema_trend),
            rsi: Rsi::new(periods.rsi),
            macd: Macd::new(macd.fast, macd.slow, macd.signal),
            adx: Adx::new(periods.adx),
            atr: Atr::new(periods.atr),
            atr_average: Ema::new(average),
            bollinger: Bollinger::new(usize::from(bollinger.period), bollinger.deviations),
            width_average: Ema::new(average),
            choppiness: Choppiness::new(periods.choppiness),
            extremes: Extremes::new(periods.levels),
        }
    }

    /// Adds the next closed bar.
    pub fn push(&mut self, bar: Bar) {
        let close = bar.close;
        let atr = self.atr.push(bar);
        let bollinger = self.bollinger.push(close);
        let (lowest, highest) = self.extremes.push(bar);
        self.values = IndicatorValues {
            candles: self.values.candles + 1,
            close,
            ema_fast: self.ema_fast.push(close),
            ema_medium: self.ema_medium.push(close),
            ema_slow: self.ema_slow.push(close),
            ema_trend: self.ema_trend.push(close),
            rsi: self.rsi.push(close),
            macd: self.macd.push(close),
            adx: self.adx.push(bar),
            atr,
            atr_average: atr.and_then(|atr| self.atr_average.push(atr)),
            bollinger,
            width_average: bollinger.and_then(|bands| self.width_average.push(bands.width())),
            choppiness: self.choppiness.push(bar),
            hourly_atr: None,
            lowest: Some(lowest),
            highest: Some(highest),
        };
    }

    /// The values at the last bar; the hourly one is not known here.
    pub const fn values(&self) -> IndicatorValues {
        self.values
    }
}
