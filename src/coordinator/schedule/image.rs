//! What the checkpoint carries of the schedule: last runs, ticks, and which runs were in flight.

use serde::{Deserialize, Serialize};

use super::{Counts, LastRun, Row, Schedule, Setup};
use crate::config::TaskName;
use crate::domain::{Now, RunId, Symbol, Timestamp};

/// The schedule at one instant, without what the configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScheduleImage {
    /// Orders the events of the rows.
    pub clock: u64,
    /// One per task and symbol.
    pub rows: Vec<RowImage>,
}

/// One row of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowImage {
    /// Which task.
    pub task: TaskName,
    /// For which symbol; none for the portfolio.
    pub symbol: Option<Symbol>,
    /// Its next tick, market time.
    pub due_at: Timestamp,
    /// The run that was in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<RunId>,
    /// The last run that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRun>,
    /// Counters.
    pub counts: Counts,
    /// Image clock of the last begin of a run that ended; 0 for never.
    pub begun: u64,
    /// Image clock of the last success; 0 for never.
    pub succeeded: u64,
}

impl Schedule {
    /// What a checkpoint should carry.
    pub fn image(&self) -> ScheduleImage {
        let rows = self.rows.iter().map(|row| RowImage {
            task: row.task,
            symbol: row.symbol.clone(),
            due_at: row.due_at,
            in_flight: row.running.as_ref().map(|running| running.run),
            last: row.last.clone(),
            counts: row.counts,
            // A run that the process dies under has not run: its dependencies still hold.
            begun: row.running.as_ref().map_or(row.begun, |running| running.begun_before),
            succeeded: row.succeeded,
        });
        ScheduleImage { clock: self.clock, rows: rows.collect() }
    }

    /// A schedule after a restart. Runs in flight at the end are due at once; ticks that were missed are one run; a tick
    /// never lies farther ahead than one interval, whatever the image or the clock says. Rows that the configuration
    /// no longer has are dropped, new ones begin as in [`Schedule::new`].
    pub fn restored(setup: &Setup<'_>, image: &ScheduleImage, now: Now) -> Self {
        let mut schedule = Self::new(setup, now);
        schedule.clock = image.clock;
        for saved in &image.rows {
            let Some(row) = schedule.row_mut(saved.task, saved.symbol.as_ref()) else { continue };
            // `new` gave it now or one interval from now: the restored tick lies between.
            row.due_at = match saved.in_flight {
                Some(_) => now.market,
                None => saved.due_at.clamp(now.market, row.due_at),
            };
            row.last.clone_from(&saved.last);
            row.counts = Counts { abandoned: 0, ..saved.counts };
            row.begun = saved.begun.min(image.clock);
            row.succeeded = saved.succeeded.min(image.clock);
        }
        schedule.await_ticks();
        schedule
    }

    fn row_mut(&mut self, task: TaskName, symbol: Option<&Symbol>) -> Option<&mut Row> {
        let Some(symbol) = symbol else {
            return self.rows.iter_mut().find(|row| row.task == task && row.symbol.is_none());
        };
        let own = self.rows_of.get(symbol)?;
        let index = own.iter().find(|index| self.rows[**index].task == task)?;
        self.rows.get_mut(*index)
    }
}
