//! `agents.yaml`: the rule-based agents.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{Confidence, Pct};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// Lengths of what the agents look at.
    pub indicators: IndicatorPeriods,
    /// Indicators to a bias.
    pub technical_analysis: Technical,
    /// Indicators to a regime.
    pub regime_detection: RegimeDetection,
    /// Voices to a signal.
    pub trading_decision: TradingDecision,
}

/// Section `indicators`: lengths in bars of the feed, 2 to 500.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndicatorPeriods {
    /// Exponential average of the close.
    pub ema_fast: u16,
    /// The same, longer.
    pub ema_medium: u16,
    /// The same, longer.
    pub ema_slow: u16,
    /// The same, longer: the long trend.
    pub ema_trend: u16,
    /// Relative strength.
    pub rsi: u16,
    /// Convergence and divergence of averages.
    pub macd: MacdPeriods,
    /// Trend strength and direction.
    pub adx: u16,
    /// Average true range of the feed's bars.
    pub atr: u16,
    /// Average true range of one-hour bars, 2 to 24.
    pub hourly_atr: u16,
    /// Bands around the mean of the close.
    pub bollinger: BollingerTerms,
    /// Choppiness.
    pub choppiness: u16,
    /// The averages to which ATR and width of the bands are compared.
    pub average: u16,
    /// Highest high and lowest low: levels of support and resistance.
    pub levels: u16,
}

/// Section `indicators.macd`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MacdPeriods {
    /// The shorter average of the close.
    pub fast: u16,
    /// The longer one.
    pub slow: u16,
    /// The average of their difference.
    pub signal: u16,
}

/// Section `indicators.bollinger`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BollingerTerms {
    /// Closes in the mean.
    pub period: u16,
    /// Distance of the bands from it, in standard deviations.
    pub deviations: f64,
}

/// Section `technical_analysis`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Technical {
    /// Score (-1 to 1) from which the bias is long, and below whose negative it is short.
    pub bias_from: f64,
}

/// Section `regime_detection`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegimeDetection {
    /// ADX from which a market trends, 0 to 100.
    pub adx_trending: f64,
    /// Choppiness above which a market without trend is choppy, 0 to 100.
    pub choppiness_choppy: f64,
    /// ATR over its average from which a market is volatile.
    pub atr_ratio_volatile: f64,
    /// Bollinger width over its average below which a breakout is near.
    pub width_ratio_breakout: f64,
}

/// Section `trading_decision`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TradingDecision {
    /// Confidence below which the agent says HOLD.
    pub confidence_min: Confidence,
    /// Distance of the stop in hourly ATR.
    pub stop_atr: f64,
    /// Distance of the target in stop distances.
    pub take_profit_stops: f64,
    /// Wanted size in percent of equity.
    pub size_pct: Pct,
    /// Wanted leverage; 1 is none.
    pub leverage: Decimal,
}
