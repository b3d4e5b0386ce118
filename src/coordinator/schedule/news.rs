//! What the schedule tells: which runs begin or are over, what an answer counts for, and why a wish is refused.

use thiserror::Error;

use crate::config::TaskName;
use crate::domain::{Level, RunId, Symbol};

/// A run that must begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its id.
    pub run: RunId,
    /// Which task.
    pub task: TaskName,
    /// For which symbol; none for the portfolio.
    pub symbol: Option<Symbol>,
    /// How many ticks were missed before it could begin; they are not made up.
    pub late_cycles: u32,
}

/// A run whose time is over. It no longer holds a slot; the runtime should cancel it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Its id.
    pub run: RunId,
    /// Which task.
    pub task: TaskName,
    /// For which symbol; none for the portfolio.
    pub symbol: Option<Symbol>,
}

/// What an answer turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// The answer of a run in flight: it counts.
    InTime {
        /// Which task.
        task: TaskName,
        /// For which symbol; none for the portfolio.
        symbol: Option<Symbol>,
    },
    /// The answer of a run that had timed out: it must be ignored.
    Late {
        /// Which task.
        task: TaskName,
        /// For which symbol; none for the portfolio.
        symbol: Option<Symbol>,
    },
    /// Nobody waits for this run (answered before, or of another process run): it must be ignored.
    Unknown,
}

/// Why a task is not run now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RunNowRefusal {
    /// There is no such row.
    #[error("{task} has no run for {symbol}: name one of the configured symbols, or none for all")]
    NoSuchRow {
        /// The task.
        task: TaskName,
        /// The symbol asked for, or `the portfolio`.
        symbol: String,
    },
    /// It is disabled.
    #[error("{0} is disabled: enable_task {0} first")]
    Disabled(TaskName),
    /// It has nobody to ask.
    #[error("{0} has no source on this market: configure a model for it")]
    NoSource(TaskName),
    /// The level forbids it.
    #[error("{task} is skipped at LEVEL {level}: it runs again when the level is milder")]
    SkippedByLevel {
        /// The task.
        task: TaskName,
        /// The level in force.
        level: Level,
    },
    /// The trading state forbids it.
    #[error("{0} does not run while HALTED: only technical_analysis and regime_detection do")]
    Halted(TaskName),
    /// Every run asked for is in flight.
    #[error("{0} is already running: wait for it to end")]
    AlreadyRunning(TaskName),
}
