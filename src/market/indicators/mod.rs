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
pub use momentum::{Macd, MacdValue, Rsi};
pub use range::{Adx, AdxValue, Atr, Bollinger, BollingerValue, Choppiness, true_range};

use crate::domain::Candle;

/// Period of RSI, ADX, ATR and choppiness, in bars.
pub const PERIOD: u16 = 14;

/// Period of the averages to which ATR and Bollinger width are compared, in bars.
pub const LONG_PERIOD: u16 = 200;

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

/// All indicators of one symbol at its last closed candle. Prices are in quote units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct IndicatorValues {
    /// Candles seen.
    pub candles: u64,
    /// Last close.
    pub close: f64,
    /// Exponential averages of the close.
    pub ema_9: Option<f64>,
    /// Over 21 closes.
    pub ema_21: Option<f64>,
    /// Over 50 closes.
    pub ema_50: Option<f64>,
    /// Over 200 closes.
    pub ema_200: Option<f64>,
    /// Relative strength, 0 to 100.
    pub rsi_14: Option<f64>,
    /// Convergence and divergence 12/26/9.
    pub macd: Option<MacdValue>,
    /// Trend strength and direction.
    pub adx_14: Option<AdxValue>,
    /// Average true range of the feed's own interval.
    pub atr_14: Option<f64>,
    /// That, averaged over [`LONG_PERIOD`] bars.
    pub atr_average: Option<f64>,
    /// Bands 20/2.
    pub bollinger: Option<BollingerValue>,
    /// Width of the bands, averaged over [`LONG_PERIOD`] bars.
    pub width_average: Option<f64>,
    /// Choppiness, 0 to 100.
    pub choppiness_14: Option<f64>,
    /// Average true range of one-hour bars.
    pub hourly_atr_14: Option<f64>,
}

impl IndicatorValues {
    /// ATR over its own long average; absent until both are there or while the average is zero.
    pub fn atr_ratio(&self) -> Option<f64> {
        ratio(self.atr_14?, self.atr_average?)
    }

    /// Bollinger width over its own long average; absent until both are there or while the average is zero.
    pub fn width_ratio(&self) -> Option<f64> {
        ratio(self.bollinger?.width(), self.width_average?)
    }

    /// Hourly ATR in percent of the last close.
    pub fn hourly_atr_pct(&self) -> Option<f64> {
        ratio(100.0 * self.hourly_atr_14?, self.close)
    }
}

fn ratio(value: f64, base: f64) -> Option<f64> {
    (base > 0.0).then(|| value / base)
}

/// The indicators of one symbol on the feed's own interval.
#[derive(Debug, Clone)]
pub struct Indicators {
    values: IndicatorValues,
    ema_9: Ema,
    ema_21: Ema,
    ema_50: Ema,
    ema_200: Ema,
    rsi: Rsi,
    macd: Macd,
    adx: Adx,
    atr: Atr,
    atr_average: Ema,
    bollinger: Bollinger,
    width_average: Ema,
    choppiness: Choppiness,
}

impl Default for Indicators {
    fn default() -> Self {
        Self {
            values: IndicatorValues::default(),
            ema_9: Ema::new(9),
            ema_21: Ema::new(21),
            ema_50: Ema::new(50),
            ema_200: Ema::new(200),
            rsi: Rsi::new(PERIOD),
            macd: Macd::new(12, 26, 9),
            adx: Adx::new(PERIOD),
            atr: Atr::new(PERIOD),
            atr_average: Ema::new(LONG_PERIOD),
            bollinger: Bollinger::new(20, 2.0),
            width_average: Ema::new(LONG_PERIOD),
            choppiness: Choppiness::new(PERIOD),
        }
    }
}

impl Indicators {
    /// Adds the next closed bar.
    pub fn push(&mut self, bar: Bar) {
        let close = bar.close;
        let atr_14 = self.atr.push(bar);
        let bollinger = self.bollinger.push(close);
        self.values = IndicatorValues {
            candles: self.values.candles + 1,
            close,
            ema_9: self.ema_9.push(close),
            ema_21: self.ema_21.push(close),
            ema_50: self.ema_50.push(close),
            ema_200: self.ema_200.push(close),
            rsi_14: self.rsi.push(close),
            macd: self.macd.push(close),
            adx_14: self.adx.push(bar),
            atr_14,
            atr_average: atr_14.and_then(|atr| self.atr_average.push(atr)),
            bollinger,
            width_average: bollinger.and_then(|bands| self.width_average.push(bands.width())),
            choppiness_14: self.choppiness.push(bar),
            hourly_atr_14: None,
        };
    }

    /// The values at the last bar; the hourly one is not known here.
    pub const fn values(&self) -> IndicatorValues {
        self.values
    }
}
