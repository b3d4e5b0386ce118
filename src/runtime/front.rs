//! The seat of a front: what the runtime gives to whoever draws, without knowing who that is.

use tokio::sync::watch;

use super::handle::{Handle, Traffic};
use crate::telemetry::LogLines;

/// What a front is given.
pub struct Seat {
    /// The engine.
    pub handle: Handle,
    /// Its messages.
    pub traffic: Traffic,
    /// Its log.
    pub log: LogLines,
    /// Becomes true when the process is about to end.
    pub shutdown: watch::Receiver<bool>,
}

/// Why a front ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// The operator quit: the process ends cleanly.
    Quit,
    /// The screen is gone, for this reason: with positions open the engine goes on without it, PAUSED.
    Gone(String),
}

/// Draws until it ends; runs on a thread of its own.
pub type Front = Box<dyn FnOnce(Seat) -> Left + Send>;
