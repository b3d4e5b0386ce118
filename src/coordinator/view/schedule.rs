//! Pane 4: the tasks.

use std::collections::BTreeMap;

use crate::config::TaskName;
use crate::coordinator::Coordinator;
use crate::coordinator::schedule::{RowStatus, RowView, RunOutcome, Wait};
use crate::coordinator::snapshot::{TaskRow, TaskState, TaskSymbolRow};
use crate::domain::{Now, SafeText};

impl Coordinator {
    pub(super) fn schedule_view(&self, now: Now) -> Vec<TaskRow> {
        let mut by_task: BTreeMap<TaskName, Vec<RowView>> = BTreeMap::new();
        for row in self.live.schedule.view(now) {
            by_task.entry(row.task).or_default().push(row);
        }
        by_task.into_iter().map(|(task, rows)| self.task_row(task, &rows, now)).collect()
    }

    fn task_row(&self, task: TaskName, rows: &[RowView], now: Now) -> TaskRow {
        let is_not_listed =
            |row: &RowView| row.symbol.as_ref().is_some_and(|symbol| self.is_not_listed(symbol, now));
        let symbols: Vec<TaskSymbolRow> =
            rows.iter().map(|row| task_symbol_row(row, is_not_listed(row))).collect();
        let listed = || symbols.iter().filter(|row| row.state != TaskState::NotListed);
        TaskRow {
            task,
            state: listed().map(|row| row.state.clone()).max().unwrap_or(TaskState::Idle),
            ok: (listed().filter(|row| row.last_ok == Some(true)).count(), listed().count()),
            took: symbols.iter().filter_map(|row| row.took).max(),
            next_due: symbols.iter().filter_map(|row| row.next_due).min(),
            late_cycles: rows.iter().map(|row| row.late_cycles).max().unwrap_or(0),
            abandoned: rows.iter().map(|row| row.counts.abandoned).sum(),
            problem: self.problem_of(task),
            symbols,
        }
    }

    /// Why the task fails, or why it makes no plan: of its first symbol that has a reason.
    fn problem_of(&self, task: TaskName) -> Option<SafeText> {
        let ((_, symbol), why) = self.live.problems.iter().find(|((of, _), _)| *of == task)?;
        Some(symbol.as_ref().map_or_else(|| why.clone(), |symbol| SafeText::ours(format!("{symbol}: {why}"))))
    }
}

fn task_symbol_row(row: &RowView, is_not_listed: bool) -> TaskSymbolRow {
    let last_ok = row.last.as_ref().map(|last| match &last.outcome {
        RunOutcome::Succeeded => true,
        RunOutcome::Failed(_) => false,
    });
    let state = match &row.status {
        RowStatus::Waiting(Wait::Candle) if is_not_listed => TaskState::NotListed,
        RowStatus::Idle if last_ok == Some(false) => TaskState::Failing,
        RowStatus::Idle => TaskState::Idle,
        RowStatus::Waiting(Wait::Slot) => TaskState::WaitingForSlot,
        RowStatus::Running { .. } => TaskState::Running,
        RowStatus::Waiting(Wait::Dependency(task)) => TaskState::WaitingOn(*task),
        RowStatus::Waiting(Wait::Candle) => TaskState::WaitingForFeed,
        RowStatus::SkippedByLevel(_) => TaskState::SkippedByLevel,
        RowStatus::Halted => TaskState::SkippedByState,
        RowStatus::Disabled => TaskState::Disabled,
        RowStatus::NoSource => TaskState::NoSource,
    };
    TaskSymbolRow {
        symbol: row.symbol.clone(),
        state,
        last_run: row.last.as_ref().map(|last| last.started),
        last_ok,
        took: row.last.as_ref().map(|last| last.took),
        next_due: row.next_due,
        counts: (row.counts.succeeded, row.counts.failed),
    }
}
