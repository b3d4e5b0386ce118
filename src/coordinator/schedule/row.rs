//! One task for one symbol: its ticks, its run in flight, and what is remembered of earlier ones.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::TaskName;
use crate::coordinator::task::TaskFailure;
use crate::domain::{Now, RunId, Symbol, Timestamp};

/// What a row that is due waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// This task has not succeeded yet since the row last ran, or is due or running itself.
    Dependency(TaskName),
    /// As many runs as are allowed at once are in flight.
    Slot,
    /// The feed has not given a candle of the symbol since its last run, or ever: there is nothing new to look at.
    Candle,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// With an answer.
    Succeeded,
    /// Without.
    Failed(TaskFailure),
}

/// The last run that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its id.
    pub run: RunId,
    /// When it began, market time.
    pub started: Timestamp,
    /// How long it took, operator time.
    pub took: Duration,
    /// How it ended.
    pub outcome: RunOutcome,
    /// How many ticks had been missed when it began.
    pub late_cycles: u32,
}

/// What a row counts, since the data directory was made (`abandoned`: now).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Runs begun.
    pub started: u64,
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that failed, timeouts included.
    pub failed: u64,
    /// Runs that timed out.
    pub timed_out: u64,
    /// Ticks that passed unused because of the level or a halt.
    pub skipped: u64,
    /// Ticks that were missed because a run could not begin in time.
    pub missed: u64,
    /// Runs that timed out and have not answered since.
    pub abandoned: u32,
}

/// A run in flight.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Running {
    pub run: RunId,
    pub started: Now,
    /// Operator time.
    pub timeout_at: Timestamp,
    /// What `Row::begun` was before, to go back to if the process dies under this run.
    pub begun_before: u64,
    pub late_cycles: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub task: TaskName,
    pub symbol: Option<Symbol>,
    /// The next tick (market time), or the oldest one not yet run.
    pub due_at: Timestamp,
    /// The operator asked for a run.
    pub requested: bool,
    /// The feed has given a candle of its symbol, or the row is of none; before there is nothing to analyse.
    pub has_candle: bool,
    /// What it looks at has changed since its last run began, or that run failed.
    pub has_news: bool,
    /// Rows that must have succeeded first, by index.
    pub dependencies: Vec<usize>,
    /// Rows that wait for this one, by index.
    pub dependents: Vec<usize>,
    pub running: Option<Running>,
    pub last: Option<LastRun>,
    pub counts: Counts,
    /// Schedule clock when the present tick was noticed; none while it lies ahead.
    pub noticed: Option<u64>,
    /// Schedule clock when a run last began; 0 for never.
    pub begun: u64,
    /// Schedule clock when a run last succeeded; 0 for never.
    pub succeeded: u64,
}

impl Row {
    pub fn new(task: TaskName, symbol: Option<Symbol>, due_at: Timestamp) -> Self {
        let is_portfolio = symbol.is_none();
        Self {
            task,
            symbol,
            due_at,
            requested: false,
            has_candle: is_portfolio,
            has_news: is_portfolio,
            dependencies: Vec::new(),
            dependents: Vec::new(),
            running: None,
            last: None,
            counts: Counts::default(),
            noticed: None,
            begun: 0,
            succeeded: 0,
        }
    }

    pub fn wants_to_begin(&self) -> bool {
        self.running.is_none() && (self.noticed.is_some() || self.requested)
    }

    /// It has something to look at, or somebody wants it to look again.
    pub fn has_input(&self) -> bool {
        self.has_candle && (self.has_news || self.requested)
    }

    /// It would begin if nothing held it back.
    pub fn may_begin(&self) -> bool {
        self.wants_to_begin() && self.has_input()
    }

    /// Its last answer is what it would say again: it succeeded, and nothing has changed since.
    pub const fn is_settled(&self) -> bool {
        !self.has_news && self.succeeded > self.begun
    }

    /// There is something new to look at. A tick that was waiting for it comes now: it was not late.
    pub fn news(&mut self, now: Timestamp) {
        if self.wants_to_begin() && !self.has_input() {
            self.due_at = self.due_at.max(now);
        }
        self.has_candle = true;
        self.has_news = true;
    }

    /// Whole intervals that have passed since the tick.
    pub fn cycles_late(&self, now: Timestamp, every: Duration) -> u32 {
        let cycles = now.since(self.due_at).as_millis() / every.as_millis().max(1);
        u32::try_from(cycles).unwrap_or(u32::MAX)
    }

    /// Moves a tick that has come to the first one after `now`, on the same grid.
    pub fn roll(&mut self, now: Timestamp, every: Duration) {
        if self.due_at > now {
            return;
        }
        let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
        let behind = u64::try_from(now.since(self.due_at).as_millis()).unwrap_or(u64::MAX);
        let ahead = every - behind % every;
        self.due_at = now.plus(Duration::from_millis(ahead));
    }

    /// Drops the wish to begin; the next tick brings it back.
    pub fn forget_tick(&mut self) {
        self.noticed = None;
        self.requested = false;
    }

    pub fn begin(&mut self, running: Running, clock: u64) {
        self.forget_tick();
        self.has_news = false;
        self.begun = clock;
        self.counts.started = self.counts.started.saturating_add(1);
        self.counts.missed = self.counts.missed.saturating_add(u64::from(running.late_cycles));
        self.running = Some(running);
    }

    pub fn end(&mut self, now: Now, clock: u64, result: Result<(), TaskFailure>) {
        let Some(running) = self.running.take() else { return };
        let outcome = match result {
            Ok(()) => {
                self.succeeded = clock;
                self.counts.succeeded = self.counts.succeeded.saturating_add(1);
                RunOutcome::Succeeded
            }
            Err(failure) => {
                self.has_news = true;
                self.counts.failed = self.counts.failed.saturating_add(1);
                let timed_out = failure == TaskFailure::TimedOut;
                self.counts.timed_out = self.counts.timed_out.saturating_add(u64::from(timed_out));
                RunOutcome::Failed(failure)
            }
        };
        self.last = Some(LastRun {
            run: running.run,
            started: running.started.market,
            took: now.operator.since(running.started.operator),
            outcome,
            late_cycles: running.late_cycles,
        });
    }
}
