//! Prices: feeds, the candle store, indicators.
//!
//! A feed delivers closed candles; the store keeps the recent ones and their indicators for the agents. Nothing here
//! decides anything, and nothing here reads a clock. A feed is never replaced by another one silently: what is simulated
//! or replayed says so in its label.

mod candles;
mod extent;
mod feed;
pub mod indicators;
mod replay;
mod simulated;

pub use candles::{CANDLES_MAX, CandleStore};
pub use extent::{FileExtent, Since};
pub use feed::{Feed, FeedEvent, SentimentSource};
pub use replay::{ReplayError, ReplayFeed, RowProblem};
pub use simulated::{SimulatedFeed, SimulatedSentiment};
