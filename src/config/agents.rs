//! `agents.yaml`: the rule-based agents.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{Confidence, Pct};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// Indicators to a bias.
    pub technical_analysis: Technical,
    /// Indicators to a regime.
    pub regime_detection: RegimeDetection,
    /// Voices to a signal.
    pub trading_decision: TradingDecision,
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
    /// ADX 14 from which a market trends, 0 to 100.
    pub adx_trending: f64,
    /// Choppiness 14 above which a market without trend is choppy, 0 to 100.
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
    /// Distance of the stop in hourly ATR 14.
    pub stop_atr: f64,
    /// Distance of the target in stop distances.
    pub take_profit_stops: f64,
    /// Wanted size in percent of equity.
    pub size_pct: Pct,
    /// Wanted leverage; 1 is none.
    pub leverage: Decimal,
}
