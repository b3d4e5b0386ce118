//! The schedule as an operator reads it: one row per task and symbol.

use super::{Counts, LastRun, Schedule, Skip, Wait};
use crate::config::TaskName;
use crate::domain::{Level, Now, RunId, Symbol, Timestamp};

/// What a row is doing, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowStatus {
    /// Waits for its next tick.
    Idle,
    /// A run is in flight.
    Running {
        /// Which.
        run: RunId,
        /// Since when, both clocks.
        since: Now,
        /// When it times out, operator time.
        timeout_at: Timestamp,
    },
    /// Due, but something has to happen first.
    Waiting(Wait),
    /// The degradation level forbids it.
    SkippedByLevel(Level),
    /// HALTED forbids it.
    Halted,
    /// The operator disabled it.
    Disabled,
    /// It has nobody to ask.
    NoSource,
}

/// One row of the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowView {
    /// Which task.
    pub task: TaskName,
    /// For which symbol; none for the portfolio.
    pub symbol: Option<Symbol>,
    /// What it is doing.
    pub status: RowStatus,
    /// The last run that ended.
    pub last: Option<LastRun>,
    /// Its next tick, market time; in the past while it is late; none while it cannot run at all, or waits for a candle.
    pub next_due: Option<Timestamp>,
    /// `late by N cycles`: whole intervals since the tick that has not been run.
    pub late_cycles: u32,
    /// Counters; `abandoned` is what is still going after its timeout.
    pub counts: Counts,
}

impl Schedule {
    /// Every row, in the order in which they run.
    pub fn view(&self, now: Now) -> Vec<RowView> {
        (0..self.rows.len()).map(|index| self.row_view(index, now)).collect()
    }

    fn row_view(&self, index: usize, now: Now) -> RowView {
        let row = &self.rows[index];
        let every = self.every(row);
        let status = self.status(index);
        let can_run =
            !matches!(status, RowStatus::Disabled | RowStatus::NoSource | RowStatus::Waiting(Wait::Candle));
        let late_cycles = match status {
            // The run in flight has eaten its own tick: `due_at` is already the one after it.
            RowStatus::Running { .. } if row.due_at <= now.market => {
                row.cycles_late(now.market, every).saturating_add(1)
            }
            RowStatus::Waiting(Wait::Dependency(_) | Wait::Slot) | RowStatus::Idle => {
                row.cycles_late(now.market, every)
            }
            RowStatus::Waiting(Wait::Candle)
            | RowStatus::Running { .. }
            | RowStatus::SkippedByLevel(_)
            | RowStatus::Halted
            | RowStatus::Disabled
            | RowStatus::NoSource => 0,
        };
        RowView {
            task: row.task,
            symbol: row.symbol.clone(),
            status,
            last: row.last.clone(),
            next_due: can_run.then_some(row.due_at),
            late_cycles,
            counts: row.counts,
        }
    }

    fn status(&self, index: usize) -> RowStatus {
        let row = &self.rows[index];
        if let Some(running) = &row.running {
            let (run, since, timeout_at) = (running.run, running.started, running.timeout_at);
            return RowStatus::Running { run, since, timeout_at };
        }
        if !self.sources.has(row.task) {
            return RowStatus::NoSource;
        }
        if self.disabled.contains(&row.task) {
            return RowStatus::Disabled;
        }
        match self.skip(row) {
            Some(Skip::Halted) => RowStatus::Halted,
            Some(Skip::Level(level)) => RowStatus::SkippedByLevel(level),
            None if row.wants_to_begin() => RowStatus::Waiting(self.hindrance(index).unwrap_or(Wait::Slot)),
            None => RowStatus::Idle,
        }
    }
}
