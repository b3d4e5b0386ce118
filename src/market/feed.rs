//! Where candles come from.
//!
//! A feed is pulled: it says when its next event is due and hands it out when asked, so that the same feed serves the
//! scaled live clock and the virtual one. It reads no clock and invents no price: an interval without a trade is a flat
//! candle that says so, a longer hole is an event.

use std::sync::Arc;
use std::time::Duration;

use super::{FileExtent, ReplayError, Since};
use crate::domain::{Asset, Candle, Confidence, DECIMALS_MAX, SafeText, SentimentBias, Symbol, Timestamp};

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
    /// The source failed, and there will be nothing more; comes once, last, instead of the end.
    Failed(SafeText),
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

    /// The files behind it as they were read now; none where there are no files.
    fn extents(&self) -> Vec<FileExtent> {
        Vec::new()
    }

    /// What has become of its files since they went so far. Reads that much of each again.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn since(&self, _before: &[FileExtent]) -> Result<Since, ReplayError> {
        Ok(Since::Others)
    }

    /// Market time at which a fresh run begins. Nothing is due at or before it.
    fn start_at(&self) -> Timestamp;

    /// When the first candle of a symbol opens, if the feed knows. Until then the symbol is not listed yet: nobody waits
    /// for it, and it counts as no failure.
    fn listed_at(&self, _symbol: &Symbol) -> Option<Timestamp> {
        None
    }

    /// Closed candles before the next event, in order: they fill the candle store and are never traded. Ask once,
    /// after [`Feed::skip_until`] if that is used. May be empty: then indicators warm up as candles come.
    fn warm_up(&mut self) -> Vec<Candle>;

    /// Drops everything due at or before `at`: a restarted run continues after its last record.
    fn skip_until(&mut self, at: Timestamp);

    /// When the next event is due; none after the last event.
    fn next_at(&self) -> Option<Timestamp>;

    /// Hands out the next event; none after the last event.
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
