//! Where candles come from.
//!
//! A feed is pulled: it says when its next event is due and hands it out when asked, so that the same feed serves the
//! scaled live clock and the virtual one. It reads no clock and invents nothing: a hole in the data is an event.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Asset, Candle, Confidence, DECIMALS_MAX, SentimentBias, Symbol, Timestamp};

/// What a feed reports.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedEvent {
    /// A candle closed.
    Candle(Candle),
    /// Candles are missing; reported just before the first candle after the hole.
    Gap {
        /// Whose.
        symbol: Symbol,
        /// First instant without data.
        from: Timestamp,
        /// First instant with data again.
        until: Timestamp,
    },
    /// There is nothing more; comes once, last.
    Ended,
}

/// A source of closed candles for a fixed list of symbols.
///
/// Events come in the order of their instants; at one instant in the order of [`Feed::symbols`].
pub trait Feed: Send {
    /// The pairs it delivers, in the order of the configuration or of the files.
    fn symbols(&self) -> &[Symbol];

    /// Length of its candles.
    fn interval(&self) -> Duration;

    /// Decimal places of an asset's amounts.
    fn decimals(&self, asset: &Asset) -> u32 {
        let _ = asset;
        DECIMALS_MAX
    }

    /// The tag shown wherever its data shows: `SIM`, `REPLAY`.
    fn label(&self) -> &'static str;

    /// Names the data itself; a data directory is bound to it.
    fn identity(&self) -> String;

    /// Market time at which a fresh run begins. Nothing is due at or before it.
    fn start_at(&self) -> Timestamp;

    /// Closed candles before the next event, in order: they fill the candle store and are never traded. Ask once,
    /// after [`Feed::skip_until`] if that is used. May be empty: then indicators warm up as candles come.
    fn warm_up(&mut self) -> Vec<Candle>;

    /// Drops everything due at or before `at`: a restarted run continues after its last record.
    fn skip_until(&mut self, at: Timestamp);

    /// When the next event is due; none after [`FeedEvent::Ended`].
    fn next_at(&self) -> Option<Timestamp>;

    /// Hands out the next event; none after [`FeedEvent::Ended`].
    fn pop(&mut self) -> Option<FeedEvent>;

    /// The mood that belongs to this market, if it has one of its own. Only a simulated market has.
    fn sentiment(&self) -> Option<Arc<dyn SentimentSource>> {
        None
    }
}

/// The mood about a symbol. Answers from the market's own past only, never from what comes after `at`.
pub trait SentimentSource: Send + Sync {
    /// The mood at `at`; none if nothing is known of this symbol.
    fn sentiment(&self, symbol: &Symbol, at: Timestamp) -> Option<(SentimentBias, Confidence)>;
}
