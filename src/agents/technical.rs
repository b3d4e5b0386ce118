//! Technical analysis by rules: indicators of one symbol to a bias with confidence and the nearest levels.

use super::{Agent, AgentError, symbol_of};
use crate::config::{TaskName, Technical};
use crate::coordinator::task::{TaskOutput, TaskRun};
use crate::domain::{Bias, Confidence, IndicatorValues, TaSignal, Untrusted};

/// Weights of the parts of the score; they sum to 1.
const WEIGHT_AVERAGES: f64 = 0.40;
const WEIGHT_DIRECTION: f64 = 0.25;
const WEIGHT_MOMENTUM: f64 = 0.20;
const WEIGHT_STRENGTH: f64 = 0.15;

/// Confidence of a bias that only just deserves the name, and what a full score adds to it.
const CONFIDENCE_LEAST: f64 = 0.50;
const CONFIDENCE_SPAN: f64 = 0.45;

/// Confidence of "neutral, because there is too little data".
const CONFIDENCE_COLD: f64 = 0.10;

/// RSI beyond which a move is exhausted, on either side.
const RSI_HIGH: f64 = 80.0;
const RSI_LOW: f64 = 20.0;

/// Indicators to a bias.
#[derive(Debug)]
pub struct TechnicalAgent {
    config: Technical,
}

/// What speaks for up (towards 1) and for down (towards -1).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Score {
    averages: f64,
    direction: f64,
    momentum: f64,
    strength: f64,
    rsi: f64,
    adx: f64,
}

impl Score {
    /// None until every indicator is warmed up.
    fn of(values: &IndicatorValues) -> Option<Self> {
        let (ema_fast, ema_medium, ema_slow, ema_trend) =
            (values.ema_fast?, values.ema_medium?, values.ema_slow?, values.ema_trend?);
        let (adx, macd, rsi, atr) = (values.adx?, values.macd?, values.rsi?, values.atr?);
        let order =
            sign(ema_fast - ema_medium) + sign(ema_medium - ema_slow) + sign(values.close - ema_trend);
        let both = adx.plus + adx.minus;
        Some(Self {
            averages: order / 3.0,
            // A trend of ADX 25 counts in full; without one the direction hardly matters.
            direction: if both > 0.0 {
                (adx.plus - adx.minus) / both * (adx.adx / 25.0).min(1.0) * 2.0
            } else {
                0.0
            }
            .clamp(-1.0, 1.0),
            // A histogram of a fifth of the ATR is a strong one.
            momentum: if atr > 0.0 { (5.0 * macd.histogram() / atr).clamp(-1.0, 1.0) } else { 0.0 },
            strength: match rsi {
                rsi if rsi >= RSI_HIGH => -0.5,
                rsi if rsi <= RSI_LOW => 0.5,
                rsi => ((rsi - 50.0) / 20.0).clamp(-1.0, 1.0),
            },
            rsi,
            adx: adx.adx,
        })
    }

    /// The whole, -1 to 1.
    fn total(&self) -> f64 {
        WEIGHT_AVERAGES * self.averages
            + WEIGHT_DIRECTION * self.direction
            + WEIGHT_MOMENTUM * self.momentum
            + WEIGHT_STRENGTH * self.strength
    }
}

/// -1, 0 or 1.
fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

impl TechnicalAgent {
    /// Under these rules.
    pub const fn new(config: Technical) -> Self {
        Self { config }
    }

    fn analyse(&self, run: &TaskRun) -> Result<TaSignal, AgentError> {
        let symbol = symbol_of(run)?;
        let values = run.market.indicators.ok_or_else(|| AgentError::NoCandle(symbol.clone()))?;
        let (bias, confidence, reasoning) = match Score::of(&values) {
            Some(score) => self.judge(&score),
            None => (
                Bias::Neutral,
                CONFIDENCE_COLD,
                format!("warming up: {} candles, not every average is there, no bias yet", values.candles),
            ),
        };
        let (support, resistance) = levels(&values);
        Ok(TaSignal {
            symbol: symbol.clone(),
            bias,
            confidence: Confidence::clamped(confidence),
            atr_pct: values.hourly_atr_pct(),
            atr_ratio: values.atr_ratio(),
            support,
            resistance,
            reasoning: Untrusted::new(reasoning),
        })
    }

    fn judge(&self, score: &Score) -> (Bias, f64, String) {
        let (total, from) = (score.total(), self.config.bias_from);
        let beyond =
            |size: f64| CONFIDENCE_LEAST + CONFIDENCE_SPAN * ((size - from) / (1.0 - from).max(0.01));
        let (bias, confidence) = if total >= from {
            (Bias::Long, beyond(total))
        } else if total <= -from {
            (Bias::Short, beyond(-total))
        } else {
            (Bias::Neutral, CONFIDENCE_LEAST)
        };
        let Score { averages, direction, momentum, rsi, adx, .. } = score;
        let reasoning = format!(
            "score {total:+.2}: averages {averages:+.2}, direction {direction:+.2} (ADX {adx:.0}), \
             momentum {momentum:+.2}, RSI {rsi:.0}"
        );
        (bias, confidence, reasoning)
    }
}

/// The nearest level below and above the last close, out of averages, bands and recent extremes.
fn levels(values: &IndicatorValues) -> (Option<f64>, Option<f64>) {
    let levels = [
        values.ema_slow,
        values.ema_trend,
        values.bollinger.map(|bands| bands.lower),
        values.bollinger.map(|bands| bands.upper),
        values.lowest,
        values.highest,
    ];
    let known = || levels.into_iter().flatten();
    let support = known().filter(|level| *level < values.close).reduce(f64::max);
    let resistance = known().filter(|level| *level > values.close).reduce(f64::min);
    (support, resistance)
}

impl Agent for TechnicalAgent {
    fn task(&self) -> TaskName {
        TaskName::TechnicalAnalysis
    }

    fn run(&self, run: &TaskRun) -> Result<TaskOutput, AgentError> {
        self.analyse(run).map(TaskOutput::Ta)
    }
}
