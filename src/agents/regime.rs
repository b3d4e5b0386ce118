//! Regime detection by rules: how a market moves, from ADX, choppiness, ATR ratio, Bollinger width and the long EMA.
//!
//! The first rule that holds names the regime: volatile, trending, choppy, about to break out, else
//! ranging. Choppy comes before breakout because it is the stricter of two readings of a sideways market.

use super::{Agent, AgentError, symbol_of};
use crate::config::{RegimeDetection, TaskName};
use crate::coordinator::task::{TaskOutput, TaskRun};
use crate::domain::{Confidence, IndicatorValues, Regime, RegimeUpdate, Untrusted};

/// Confidence of a regime whose threshold is only just reached; twice the threshold earns [`CONFIDENCE_MOST`].
const CONFIDENCE_LEAST: f64 = 0.50;
const CONFIDENCE_MOST: f64 = 0.90;

/// Confidence of `unknown`.
const CONFIDENCE_COLD: f64 = 0.10;
const CONFIDENCE_TORN: f64 = 0.30;

/// Indicators to a regime.
#[derive(Debug)]
pub struct RegimeAgent {
    config: RegimeDetection,
    /// Bars in the long average, for its name in the reasoning.
    trend_bars: u16,
}

/// The indicators that the rules look at.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Facts {
    adx: f64,
    /// Whether the directional movement points up.
    heading_up: bool,
    /// Whether the close is above the long EMA.
    above: bool,
    choppiness: f64,
    atr_ratio: f64,
    width_ratio: f64,
}

impl Facts {
    /// None until every indicator is warmed up.
    fn of(values: &IndicatorValues) -> Option<Self> {
        let adx = values.adx?;
        Some(Self {
            adx: adx.adx,
            heading_up: adx.plus > adx.minus,
            above: values.close >= values.ema_trend?,
            choppiness: values.choppiness?,
            atr_ratio: values.atr_ratio()?,
            width_ratio: values.width_ratio()?,
        })
    }
}

impl RegimeAgent {
    /// Under these rules; the long average is over `trend_bars` bars.
    pub const fn new(config: RegimeDetection, trend_bars: u16) -> Self {
        Self { config, trend_bars }
    }

    fn detect(&self, run: &TaskRun) -> Result<RegimeUpdate, AgentError> {
        let symbol = symbol_of(run)?;
        let values = run.market.indicators.ok_or_else(|| AgentError::NoCandle(symbol.clone()))?;
        let (regime, confidence, reasoning) = match Facts::of(&values) {
            Some(facts) => {
                let (regime, confidence) = self.judge(&facts);
                let Facts { adx, choppiness, atr_ratio, width_ratio, above, .. } = facts;
                let side = if above { "above" } else { "below" };
                let reasoning = format!(
                    "ADX {adx:.0}, choppiness {choppiness:.0}, ATR x{atr_ratio:.1}, \
                     bands x{width_ratio:.1}, {side} EMA {}",
                    self.trend_bars
                );
                (regime, confidence, reasoning)
            }
            None => (
                Regime::Unknown,
                CONFIDENCE_COLD,
                format!("warming up: {} candles, long averages not there yet", values.candles),
            ),
        };
        Ok(RegimeUpdate {
            symbol: symbol.clone(),
            regime,
            confidence: Confidence::clamped(confidence),
            reasoning: Untrusted::new(reasoning),
        })
    }

    fn judge(&self, facts: &Facts) -> (Regime, f64) {
        let config = &self.config;
        if facts.atr_ratio >= config.atr_ratio_volatile {
            let regime = if facts.above { Regime::VolatileBull } else { Regime::VolatileBear };
            return (regime, confidence(facts.atr_ratio / config.atr_ratio_volatile));
        }
        if facts.adx >= config.adx_trending {
            let sure = confidence(facts.adx / config.adx_trending);
            return match (facts.heading_up, facts.above) {
                (true, true) => (Regime::TrendingBull, sure),
                (false, false) => (Regime::TrendingBear, sure),
                // Strength against the long average: a reversal or a correction, and nobody can tell yet.
                (true, false) | (false, true) => (Regime::Unknown, CONFIDENCE_TORN),
            };
        }
        if facts.choppiness > config.choppiness_choppy {
            return (Regime::Choppy, confidence(1.0 + (facts.choppiness - config.choppiness_choppy) / 20.0));
        }
        if facts.width_ratio < config.width_ratio_breakout {
            let sure = confidence(config.width_ratio_breakout / facts.width_ratio.max(f64::EPSILON));
            return (Regime::BreakoutPotential, sure);
        }
        (Regime::Ranging, confidence(config.adx_trending / facts.adx.max(f64::EPSILON)))
    }
}

/// From how many times over its threshold something is.
fn confidence(times: f64) -> f64 {
    (CONFIDENCE_LEAST + (CONFIDENCE_MOST - CONFIDENCE_LEAST) * (times - 1.0)).min(CONFIDENCE_MOST)
}

impl Agent for RegimeAgent {
    fn task(&self) -> TaskName {
        TaskName::RegimeDetection
    }

    fn run(&self, run: &TaskRun) -> Result<TaskOutput, AgentError> {
        self.detect(run).map(TaskOutput::Regime)
    }
}
