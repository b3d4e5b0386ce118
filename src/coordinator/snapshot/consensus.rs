//! Pane 2: the voices on each symbol and how they would vote.

use std::time::Duration;

use rust_decimal::Decimal;

use crate::coordinator::block::Block;
use crate::domain::{Action, Bias, Confidence, Outcome, Regime, Rule, SentimentBias, Symbol, Timestamp};

/// One symbol of pane 2.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsensusRow {
    /// Which.
    pub symbol: Symbol,
    /// Lots are held.
    pub held: bool,
    /// Entries of this symbol are locked, or its feed is stale: why.
    pub locked: Option<Block>,
    /// Technical analysis.
    pub technical: VoiceView<Bias>,
    /// Regime.
    pub regime: VoiceView<Regime>,
    /// Sentiment.
    pub sentiment: VoiceView<SentimentBias>,
    /// For a BUY now.
    pub buy: TallyView,
    /// For a SELL now.
    pub sell: TallyView,
    /// Last price, quote units.
    pub price: Option<Decimal>,
    /// Confidence after consensus of the last signal, and how its decision ended.
    pub last_signal: Option<LastSignal>,
    /// BUY multipliers of the last technical updates, oldest first, for the sparkline.
    pub history: Vec<f64>,
}

/// What one voice said last.
#[derive(Debug, Clone, PartialEq)]
pub struct VoiceView<T> {
    /// Its last word; none when it never spoke.
    pub says: Option<(T, Confidence)>,
    /// When it said so.
    pub at: Option<Timestamp>,
    /// After this it is stale and no longer counted.
    pub fresh_for: Duration,
}

/// Agreement for one action.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TallyView {
    /// Voices that agree.
    pub agreeing: u8,
    /// Voices that are present.
    pub present: u8,
    /// What confidence would be multiplied by.
    pub multiplier: f64,
}

/// The last signal of a symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct LastSignal {
    /// When.
    pub at: Timestamp,
    /// BUY, SELL, HOLD, CLOSE.
    pub action: Action,
    /// After consensus.
    pub confidence: Confidence,
    /// How it ended; none while open.
    pub outcome: Option<Outcome>,
    /// The first rule that blocked it.
    pub blocked_by: Option<Rule>,
}
