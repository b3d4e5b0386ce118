//! The header: state, gate, what blocks entries, and what stands before a release or a resume.

use std::time::Duration;

use crate::coordinator::block::Block;
use crate::domain::{Epoch, Now, SafeText, Seq, Symbol, Timestamp, TradingState};

/// State, gate and what blocks entries.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlView {
    /// `SIM`, `REPLAY`, `KRAKEN`: what the data is.
    pub market: String,
    /// `PAPER`: where orders go.
    pub venue: String,
    /// Market seconds per real second; none for as fast as possible.
    pub speed: Option<u32>,
    /// As recorded.
    pub state: TradingState,
    /// Operator time of the change.
    pub since: Timestamp,
    /// Who changed it.
    pub by: String,
    /// Why; may be empty.
    pub reason: SafeText,
    /// The record of the change: `[writing]` until it is durable.
    pub recorded: Seq,
    /// The journal cannot be written: nothing that happens now is in it.
    pub not_durable: bool,
    /// Epoch of the gate as the core knows it.
    pub epoch: Epoch,
    /// Why the system is halted, one per halt; empty unless HALTED.
    pub halt_reasons: Vec<HaltReason>,
    /// What blocks every entry, strictest first. Empty: entries are open.
    pub blocks: Vec<Block>,
    /// Symbols that are locked or whose feed is stale, beyond the global blocks.
    pub symbols_locked: Vec<Symbol>,
    /// Operator time of the last candle, if one came.
    pub feed_at: Option<Timestamp>,
    /// Whether the feed has come to its end.
    pub feed_ended: bool,
    /// Operator time at which the last order was sent.
    pub last_order_at: Option<Timestamp>,
    /// Orders resting or on their way, protective ones not counted.
    pub orders_open: usize,
    /// Protective orders at the venue.
    pub stops: usize,
    /// What stands between HALTED and PAUSED; none unless HALTED.
    pub release: Option<ReleaseView>,
    /// What a resume would set going; none unless PAUSED.
    pub resume: Option<ResumeView>,
}

/// One reason for being halted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HaltReason {
    /// When, both clocks.
    pub at: Now,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: SafeText,
}

/// The pre-flight of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseView {
    /// Every check, with its result.
    pub checks: Vec<Check>,
    /// The code to type, bound to the epoch and the halt reasons.
    pub code: String,
    /// How long it may be used after it was shown, operator time.
    pub valid_for: Duration,
}

/// One line of a pre-flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// None: ok. Else why not.
    pub problem: Option<String>,
    /// A problem here does not forbid the release, it is only named.
    pub advisory: bool,
}

/// What a resume would set going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeView {
    /// Orders possible within the next hour of market time, in words.
    pub next_hour: Vec<String>,
    /// Unacknowledged Emergencies; any refuses the resume.
    pub unacknowledged: usize,
    /// What would still block entries afterwards.
    pub blocks_after: Vec<Block>,
}
