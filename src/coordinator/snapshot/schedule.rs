//! Pane 4: what each task is doing.

use std::time::Duration;

use crate::config::TaskName;
use crate::domain::{SafeText, Symbol, Timestamp};

/// One task of pane 4.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRow {
    /// Which.
    pub task: TaskName,
    /// Worst of its symbols' states.
    pub state: TaskState,
    /// Symbols whose last run succeeded, and all symbols.
    pub ok: (usize, usize),
    /// Length of the longest last run, operator time.
    pub took: Option<Duration>,
    /// When it is due next.
    pub next_due: Option<Timestamp>,
    /// Cycles it is late by.
    pub late_cycles: u32,
    /// Runs whose answer is no longer waited for.
    pub abandoned: u32,
    /// What went wrong last, sanitized.
    pub problem: Option<SafeText>,
    /// By symbol.
    pub symbols: Vec<TaskSymbolRow>,
}

/// One symbol of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSymbolRow {
    /// None for the portfolio.
    pub symbol: Option<Symbol>,
    /// What it is doing.
    pub state: TaskState,
    /// When its last run that has ended began.
    pub last_run: Option<Timestamp>,
    /// How it ended; none when it never did.
    pub last_ok: Option<bool>,
    /// Length of the last run, operator time.
    pub took: Option<Duration>,
    /// Due next.
    pub next_due: Option<Timestamp>,
    /// Runs that succeeded, and that failed.
    pub counts: (u64, u64),
}

/// What a task is doing. Ordered by how much it needs attention.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskState {
    /// Waits for its time.
    Idle,
    /// Runs now.
    Running,
    /// Is due, and as many runs are under way as there may be.
    WaitingForSlot,
    /// Is due, and waits for a task it depends on.
    WaitingOn(TaskName),
    /// Due, but the feed has given no candle since its last run.
    WaitingForFeed,
    /// The market of its symbol has not begun.
    NotListed,
    /// Nothing to ask (sentiment without a source).
    NoSource,
    /// The level forbids it.
    SkippedByLevel,
    /// The trading state forbids it.
    SkippedByState,
    /// The operator switched it off.
    Disabled,
    /// Its last run failed.
    Failing,
}
