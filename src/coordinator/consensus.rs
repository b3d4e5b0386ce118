//! Who agrees with a trade, and what that does to its confidence.
//!
//! Every symbol has its own voices; a word is filed under the symbol that it carries, so data of another symbol
//! cannot count. Absent and stale voices are not counted, a neutral one is present and agrees with nothing. Nothing
//! here reads bus history, and nothing here decides: a [`Tally`] only scales the confidence of a signal.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config;
use crate::domain::{
    Action, CandleSpan, Confidence, RegimeUpdate, SentimentUpdate, Symbol, TaSignal, Timestamp, VoiceKind,
    Vote,
};

/// How long each voice counts, market time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Technical analysis.
    pub technical: Duration,
    /// Regime.
    pub regime: Duration,
    /// Sentiment.
    pub sentiment: Duration,
}

impl Freshness {
    /// The configured spans, each at least so many candles of the feed. Also the TTL of the messages.
    pub fn new(config: &config::Consensus, candle: CandleSpan) -> Self {
        let of = |span| candle.age_of(span, config.fresh_candles_min);
        let spans = &config.fresh_for;
        Self { technical: of(spans.technical), regime: of(spans.regime), sentiment: of(spans.sentiment) }
    }
}

/// A word and when it was received, market time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Received<T> {
    at: Timestamp,
    said: T,
}

/// The last word of each voice on one symbol.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Last {
    technical: Option<Received<TaSignal>>,
    regime: Option<Received<RegimeUpdate>>,
    sentiment: Option<Received<SentimentUpdate>>,
}

/// The last words on every symbol.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Voices {
    by_symbol: BTreeMap<Symbol, Last>,
}

/// One new word.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// Of technical analysis.
    Technical(TaSignal),
    /// Of regime detection.
    Regime(RegimeUpdate),
    /// Of sentiment analysis.
    Sentiment(SentimentUpdate),
}

impl Voices {
    /// Takes in a word that was received at `at`, market time. It replaces the last one of the same voice on the
    /// same symbol; which symbol that is, the word itself says.
    pub fn update(&mut self, word: Word, at: Timestamp) {
        match word {
            Word::Technical(said) => {
                let last = self.last_of(&said.symbol);
                last.technical = Some(Received { at, said });
            }
            Word::Regime(said) => {
                let last = self.last_of(&said.symbol);
                last.regime = Some(Received { at, said });
            }
            Word::Sentiment(said) => {
                let last = self.last_of(&said.symbol);
                last.sentiment = Some(Received { at, said });
            }
        }
    }

    fn last_of(&mut self, symbol: &Symbol) -> &mut Last {
        self.by_symbol.entry(symbol.clone()).or_default()
    }

    /// The voices on `symbol` that count at `now`, market time.
    pub fn fresh(&self, symbol: &Symbol, now: Timestamp, freshness: &Freshness) -> FreshVoices<'_> {
        let last = self.by_symbol.get(symbol);
        FreshVoices {
            technical: last.and_then(|last| heard(last.technical.as_ref(), now, freshness.technical)),
            regime: last.and_then(|last| heard(last.regime.as_ref(), now, freshness.regime)),
            sentiment: last.and_then(|last| heard(last.sentiment.as_ref(), now, freshness.sentiment)),
        }
    }

    /// The last words on `symbol`, fresh or stale, each with when it was received.
    pub fn last(&self, symbol: &Symbol) -> LastWords<'_> {
        let last = self.by_symbol.get(symbol);
        LastWords {
            technical: last.and_then(|last| last.technical.as_ref()).map(|word| (&word.said, word.at)),
            regime: last.and_then(|last| last.regime.as_ref()).map(|word| (&word.said, word.at)),
            sentiment: last.and_then(|last| last.sentiment.as_ref()).map(|word| (&word.said, word.at)),
        }
    }
}

/// A word that counts, and its age. A word from the future is not one: the clock has been set back since.
fn heard<T>(received: Option<&Received<T>>, now: Timestamp, fresh_for: Duration) -> Option<Heard<'_, T>> {
    let received = received?;
    let age = now.since(received.at);
    (received.at <= now && age < fresh_for).then_some(Heard { said: &received.said, age })
}

/// The last words on one symbol, each with when it was received, market time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastWords<'a> {
    /// Technical analysis.
    pub technical: Option<(&'a TaSignal, Timestamp)>,
    /// Regime.
    pub regime: Option<(&'a RegimeUpdate, Timestamp)>,
    /// Sentiment.
    pub sentiment: Option<(&'a SentimentUpdate, Timestamp)>,
}

/// A word that counts.
#[derive(Debug, PartialEq)]
pub struct Heard<'a, T> {
    /// The word.
    pub said: &'a T,
    /// How long ago it was received, market time.
    pub age: Duration,
}

// By hand: a reference is copied whether or not the word behind it can be.
impl<T> Clone for Heard<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Heard<'_, T> {}

/// The voices on one symbol that count at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FreshVoices<'a> {
    /// Technical analysis.
    pub technical: Option<Heard<'a, TaSignal>>,
    /// Regime.
    pub regime: Option<Heard<'a, RegimeUpdate>>,
    /// Sentiment.
    pub sentiment: Option<Heard<'a, SentimentUpdate>>,
}

impl FreshVoices<'_> {
    /// How they stand towards `action`.
    pub fn tally(&self, action: Action, config: &config::Consensus) -> Tally {
        let technical = self.technical.map(|Heard { said, age }| Vote {
            voice: VoiceKind::Technical,
            says: said.bias.to_string(),
            confidence: said.confidence,
            age,
            agrees: said.bias.agrees_with(action),
        });
        let regime = self.regime.map(|Heard { said, age }| Vote {
            voice: VoiceKind::Regime,
            says: said.regime.to_string(),
            confidence: said.confidence,
            age,
            agrees: said.regime.agrees_with(action),
        });
        let sentiment = self.sentiment.map(|Heard { said, age }| Vote {
            voice: VoiceKind::Sentiment,
            says: said.bias.to_string(),
            confidence: said.confidence,
            age,
            agrees: said.bias.agrees_with(action),
        });
        Tally::of([technical, regime, sentiment].into_iter().flatten().collect(), action, config)
    }
}

/// The result of one vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The voices that count, in the order of the screen.
    pub votes: Vec<Vote>,
    /// How many agree.
    pub agreeing: usize,
    /// How many count.
    pub present: usize,
    /// Agreeing over present; none if nobody is present, or the action is HOLD and there is nothing to agree with.
    pub ratio: Option<f64>,
    /// By what the confidence of a signal is multiplied.
    pub multiplier: f64,
}

impl Tally {
    fn of(votes: Vec<Vote>, action: Action, config: &config::Consensus) -> Self {
        let present = votes.len();
        let agreeing = votes.iter().filter(|vote| vote.agrees).count();
        let ratio = match action {
            Action::Hold => None,
            Action::Buy | Action::Sell | Action::Close => {
                (present > 0).then(|| agreeing as f64 / present as f64)
            }
        };
        let multiplier = ratio.map_or(1.0, |ratio| multiplier(ratio, present, config));
        Self { votes, agreeing, present, ratio, multiplier }
    }

    /// The signal's confidence after the vote, at most 1.
    pub fn adjust(&self, confidence: Confidence) -> Confidence {
        Confidence::clamped(confidence.value() * self.multiplier)
    }
}

/// The share of agreeing voices at which neither boost nor penalty would apply on the boost's line.
const EVEN: f64 = 0.5;

/// By what `ratio` of `present` voices scales confidence: above `high` on a line that is 1 at one half and
/// 1 + `max_boost` at unanimity, below `low` on a line from 1 - `max_penalty` at nobody to 1 at `low`, else 1.
///
/// Fewer than `min_voices_for_boost` voices raise nothing: losing agents must not raise confidence.
fn multiplier(ratio: f64, present: usize, config: &config::Consensus) -> f64 {
    if ratio >= config.high {
        if present < usize::from(config.min_voices_for_boost) {
            return 1.0;
        }
        1.0 + (ratio - EVEN) * 2.0 * config.max_boost
    } else if ratio >= config.low {
        1.0
    } else {
        (1.0 - config.max_penalty) + ratio * config.max_penalty / config.low
    }
}

#[cfg(test)]
mod tests;
