//! Trading decision by rules: the fresh voices of one symbol to a signal.
//!
//! BUY when the voices together point up clearly enough; SELL or CLOSE only when something is held; else HOLD. It
//! proposes a size, but whether there will be an order is for consensus, conflicts and risk to say.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{Agent, AgentError, symbol_of};
use crate::config::{TaskName, TradingDecision};
use crate::coordinator::task::{DecisionInput, MarketView, TaskInput, TaskOutput, TaskRun};
use crate::domain::{
    Action, Bias, Candle, Confidence, Pct, PriceRounding, Regime, SentimentBias, Signal, Untrusted,
    price_from_f64,
};

/// How much each voice counts; an absent one does not.
const WEIGHT_TECHNICAL: f64 = 0.5;
const WEIGHT_REGIME: f64 = 0.3;
const WEIGHT_SENTIMENT: f64 = 0.2;

/// A downward score of this many times `confidence_min` closes the position instead of reducing it.
const CLOSE_TIMES: f64 = 1.4;

/// Voices to a signal.
#[derive(Debug)]
pub struct TradingAgent {
    config: TradingDecision,
}

/// Entry, stop and target of a purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Levels {
    entry: Decimal,
    stop: Decimal,
    take_profit: Decimal,
}

impl TradingAgent {
    /// Under these rules.
    pub const fn new(config: TradingDecision) -> Self {
        Self { config }
    }

    fn decide(&self, run: &TaskRun, input: &DecisionInput) -> Result<Signal, AgentError> {
        let symbol = symbol_of(run)?;
        let last = run.market.last.as_ref().ok_or_else(|| AgentError::NoCandle(symbol.clone()))?;
        let hold = |sure: f64, why: String| Signal {
            id: input.signal_id,
            symbol: symbol.clone(),
            action: Action::Hold,
            confidence: Confidence::clamped(sure),
            entry: None,
            stop: None,
            take_profit: None,
            size_pct: Pct::ZERO,
            leverage: Decimal::ONE,
            at: run.at,
            source: TaskName::TradingDecision.name().to_owned(),
            reasoning: Untrusted::new(why),
        };
        if input.technical.is_none() {
            return Ok(hold(0.0, "no fresh technical analysis: nothing to trade on".to_owned()));
        }
        let (score, voices) = score(input);
        let enough = self.config.confidence_min.value();
        let unsure = (1.0 - score.abs()).max(0.0);
        if score > 0.0 && score >= enough {
            return Ok(match self.levels(&run.market, last, input.stop_distance_pct)? {
                Some(levels) => Signal {
                    action: Action::Buy,
                    entry: Some(levels.entry),
                    stop: Some(levels.stop),
                    take_profit: Some(levels.take_profit),
                    size_pct: self.config.size_pct,
                    leverage: self.config.leverage,
                    ..hold(score, format!("score {score:+.2} of {voices}"))
                },
                None => hold(
                    unsure,
                    format!(
                        "score {score:+.2}, but no stop without an hourly ATR (15 closed hours): {voices}"
                    ),
                ),
            });
        }
        let down = score < 0.0 && score <= -enough;
        if down && input.held > Decimal::ZERO {
            let action = if score <= -enough * CLOSE_TIMES { Action::Close } else { Action::Sell };
            return Ok(Signal {
                action,
                entry: Some(last.close),
                size_pct: self.config.size_pct,
                ..hold(-score, format!("score {score:+.2} of {voices}"))
            });
        }
        let why = if down { "down, but nothing is held" } else { "not clear enough" };
        Ok(hold(unsure, format!("{why}: score {score:+.2} of {voices}")))
    }

    /// Entry at the last close, the stop so many hourly ATR below within the bounds, the target so many stops above.
    /// None while there is no hourly ATR.
    fn levels(
        &self,
        market: &MarketView,
        last: &Candle,
        bounds: (Pct, Pct),
    ) -> Result<Option<Levels>, AgentError> {
        let (Some(atr), Some(entry)) = (market.indicators.and_then(|v| v.hourly_atr), last.close.to_f64())
        else {
            return Ok(None);
        };
        let [nearest, farthest] = [bounds.0, bounds.1].map(|pct| pct.as_f64() / 100.0 * entry);
        // `max` before `min`: should the bounds contradict each other, the nearer one wins.
        let distance = (self.config.stop_atr * atr).max(nearest).min(farthest);
        let decimals = market.price_decimals.unwrap_or_else(|| last.close.scale());

        // Rounding goes to the inside of the bounds: nearer at the far one, else farther.
        let below = |rounding| price_from_f64(entry - distance, decimals, rounding);
        let down = below(PriceRounding::Down)?;
        let too_far = down.to_f64().is_none_or(|stop| entry - stop > farthest);
        let stop = if too_far { below(PriceRounding::Up)? } else { down };
        let target = entry + self.config.take_profit_stops * distance;
        let take_profit = price_from_f64(target, decimals, PriceRounding::Up)?;
        Ok(Some(Levels { entry: last.close, stop, take_profit }))
    }
}

/// The weighted mean of the voices present, -1 to 1, and the voices in words.
fn score(input: &DecisionInput) -> (f64, String) {
    let technical =
        input.technical.as_ref().map(|v| (WEIGHT_TECHNICAL, technical_direction(v.bias), v.confidence));
    let regime = input.regime.as_ref().map(|v| (WEIGHT_REGIME, regime_direction(v.regime), v.confidence));
    let sentiment =
        input.sentiment.as_ref().map(|v| (WEIGHT_SENTIMENT, sentiment_direction(v.bias), v.confidence));
    let voices = [("technical", technical), ("regime", regime), ("sentiment", sentiment)];

    let (mut sum, mut weights, mut words) = (0.0, 0.0, Vec::new());
    for (name, voice) in voices {
        let Some((weight, direction, confidence)) = voice else {
            words.push(format!("{name} absent"));
            continue;
        };
        let value = direction * confidence.value();
        sum += weight * value;
        weights += weight;
        words.push(format!("{name} {value:+.2}"));
    }
    (if weights > 0.0 { sum / weights } else { 0.0 }, words.join(", "))
}

const fn technical_direction(bias: Bias) -> f64 {
    match bias {
        Bias::Long => 1.0,
        Bias::Short => -1.0,
        Bias::Neutral => 0.0,
    }
}

const fn regime_direction(regime: Regime) -> f64 {
    match regime {
        Regime::TrendingBull => 1.0,
        Regime::TrendingBear => -1.0,
        Regime::VolatileBull | Regime::BreakoutPotential => 0.5,
        Regime::VolatileBear => -0.5,
        Regime::Ranging | Regime::Choppy | Regime::Unknown => 0.0,
    }
}

const fn sentiment_direction(bias: SentimentBias) -> f64 {
    match bias {
        SentimentBias::VeryBullish => 1.0,
        SentimentBias::Bullish => 0.7,
        SentimentBias::Neutral => 0.0,
        SentimentBias::Bearish => -0.7,
        SentimentBias::VeryBearish => -1.0,
    }
}

impl Agent for TradingAgent {
    fn task(&self) -> TaskName {
        TaskName::TradingDecision
    }

    fn run(&self, run: &TaskRun) -> Result<TaskOutput, AgentError> {
        match &run.input {
            TaskInput::Decision(input) => self.decide(run, input).map(TaskOutput::Signal),
            TaskInput::Analysis | TaskInput::Rebalance(_) => Err(AgentError::WrongInput(run.task)),
        }
    }
}
