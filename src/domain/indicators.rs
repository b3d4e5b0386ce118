//! Indicator values of one symbol: what agents read of a market. How they are computed is `market::indicators`.

use serde::{Deserialize, Serialize};

/// Moving average convergence/divergence, in quote units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MacdValue {
    /// Fast average minus slow average.
    pub line: f64,
    /// Average of the line.
    pub signal: f64,
}

impl MacdValue {
    /// Line minus signal: positive while momentum grows.
    pub fn histogram(self) -> f64 {
        self.line - self.signal
    }
}

/// Average directional index; all three 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdxValue {
    /// Strength of the trend, whichever way.
    pub adx: f64,
    /// Upward directional indicator, +DI.
    pub plus: f64,
    /// Downward directional indicator, -DI.
    pub minus: f64,
}

/// Bollinger bands, in quote units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BollingerValue {
    /// Upper band.
    pub upper: f64,
    /// Simple moving average.
    pub middle: f64,
    /// Lower band.
    pub lower: f64,
}

impl BollingerValue {
    /// Distance of the bands over the middle (Bollinger calls it `BandWidth`).
    pub fn width(self) -> f64 {
        if self.middle == 0.0 { 0.0 } else { (self.upper - self.lower) / self.middle }
    }
}

/// All indicators of one symbol at its last closed candle. Prices are in quote units.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct IndicatorValues {
    /// Candles seen.
    pub candles: u64,
    /// Last close.
    pub close: f64,
    /// Exponential averages of the close, each over more of them.
    pub ema_fast: Option<f64>,
    /// See `ema_fast`.
    pub ema_medium: Option<f64>,
    /// See `ema_fast`.
    pub ema_slow: Option<f64>,
    /// The longest: the trend.
    pub ema_trend: Option<f64>,
    /// Relative strength, 0 to 100.
    pub rsi: Option<f64>,
    /// Convergence and divergence of averages.
    pub macd: Option<MacdValue>,
    /// Trend strength and direction.
    pub adx: Option<AdxValue>,
    /// Average true range of the feed's own interval.
    pub atr: Option<f64>,
    /// That, averaged over many bars.
    pub atr_average: Option<f64>,
    /// Bands around the mean.
    pub bollinger: Option<BollingerValue>,
    /// Width of the bands, averaged over many bars.
    pub width_average: Option<f64>,
    /// Choppiness, 0 to 100.
    pub choppiness: Option<f64>,
    /// Average true range of one-hour bars.
    pub hourly_atr: Option<f64>,
    /// Lowest low of the last bars (`indicators.levels` of them, or as many as there are).
    pub lowest: Option<f64>,
    /// Highest high of the same bars.
    pub highest: Option<f64>,
}

impl IndicatorValues {
    /// ATR over its own long average; absent until both are there or while the average is zero.
    pub fn atr_ratio(&self) -> Option<f64> {
        ratio(self.atr?, self.atr_average?)
    }

    /// Bollinger width over its own long average; absent until both are there or while the average is zero.
    pub fn width_ratio(&self) -> Option<f64> {
        ratio(self.bollinger?.width(), self.width_average?)
    }

    /// Hourly ATR in percent of the last close.
    pub fn hourly_atr_pct(&self) -> Option<f64> {
        ratio(100.0 * self.hourly_atr?, self.close)
    }
}

fn ratio(value: f64, base: f64) -> Option<f64> {
    (base > 0.0).then(|| value / base)
}
