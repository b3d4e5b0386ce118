//! The simulated mood: it follows the true phase of the market late and noisily, as news do.

use std::time::Duration;

use super::noise::Dice;
use super::path::is_dollar;
use super::phase::Segment;
use crate::domain::{Asset, Confidence, SentimentBias, Symbol, Timestamp};
use crate::market::SentimentSource;

/// How long the mood needs to notice a new phase.
const LAG: Duration = Duration::from_secs(45 * 60);

/// How long one error of judgement lasts.
const SLOT: Duration = Duration::from_secs(30 * 60);

/// Deviation of the error.
const ERROR: f64 = 0.3;

/// Moods from which the words apply, on either side of zero.
const SOME: f64 = 0.3;
const STRONG: f64 = 0.95;

/// The mood of the simulated market: a function of seed, symbol and instant.
#[derive(Debug, Clone)]
pub struct SimulatedSentiment {
    seed: u64,
    symbols: Vec<Symbol>,
}

impl SimulatedSentiment {
    /// The mood about `symbols` in the market of `seed`.
    pub fn new(seed: u64, symbols: &[Symbol]) -> Self {
        Self { seed, symbols: symbols.to_vec() }
    }

    fn mood_of(&self, asset: &Asset, at: Timestamp) -> f64 {
        if is_dollar(asset) { 0.0 } else { Segment::at(self.seed, asset, at).phase.mood() }
    }
}

impl SentimentSource for SimulatedSentiment {
    fn sentiment(&self, symbol: &Symbol, at: Timestamp) -> Option<(SentimentBias, Confidence)> {
        if !self.symbols.contains(symbol) {
            return None;
        }
        let noticed = at.minus(LAG);
        let slot = at.floor_to(SLOT).millis();
        let error = ERROR * Dice::new(self.seed, &format!("mood/{symbol}"), slot).normal();
        let mood = self.mood_of(symbol.base(), noticed) - self.mood_of(symbol.quote(), noticed) + error;
        let bias = match mood {
            mood if mood >= STRONG => SentimentBias::VeryBullish,
            mood if mood >= SOME => SentimentBias::Bullish,
            mood if mood > -SOME => SentimentBias::Neutral,
            mood if mood > -STRONG => SentimentBias::Bearish,
            _ => SentimentBias::VeryBearish,
        };
        let clearness = if bias == SentimentBias::Neutral { SOME - mood.abs() } else { mood.abs() };
        Some((bias, Confidence::clamped((0.4 + 0.4 * clearness).min(0.9))))
    }
}
