//! Pane 4: what runs when, and whether it went well.

use ratatui::text::Line;

use super::{Content, Cx, Form, Row, RowId};
use crate::console::text;
use crate::console::theme::Role;
use crate::coordinator::snapshot::{TaskRow, TaskState};
use crate::domain::{Timestamp, days_hms, short_span};

fn word(state: &TaskState) -> (String, Role) {
    match state {
        TaskState::Idle => ("ok".to_owned(), Role::Good),
        TaskState::Running => ("RUN".to_owned(), Role::Key),
        TaskState::WaitingForSlot | TaskState::WaitingOn(_) | TaskState::WaitingForFeed => {
            ("WAIT".to_owned(), Role::Dim)
        }
        TaskState::NotListed | TaskState::NoSource => ("none".to_owned(), Role::Dim),
        TaskState::SkippedByLevel => ("LEVEL".to_owned(), Role::Warn),
        TaskState::SkippedByState => ("STATE".to_owned(), Role::Warn),
        TaskState::Disabled => ("OFF".to_owned(), Role::Warn),
        TaskState::Failing => ("ERR".to_owned(), Role::Bad),
    }
}

/// What keeps a task from running, or what went wrong last.
fn because(cx: &Cx<'_>, row: &TaskRow) -> (String, Role) {
    match &row.state {
        TaskState::WaitingForSlot => ("for its turn".to_owned(), Role::Dim),
        TaskState::WaitingOn(task) => (format!("for {task}"), Role::Dim),
        TaskState::WaitingForFeed => ("for a candle".to_owned(), Role::Dim),
        TaskState::NotListed => ("not listed yet".to_owned(), Role::Dim),
        TaskState::SkippedByLevel => {
            (format!("not at {}", cx.facts.snapshot.degradation.effective), Role::Dim)
        }
        TaskState::SkippedByState => (format!("not while {}", cx.facts.snapshot.control.state), Role::Dim),
        TaskState::Idle
        | TaskState::Running
        | TaskState::NoSource
        | TaskState::Disabled
        | TaskState::Failing => {
            (row.problem.as_ref().map(ToString::to_string).unwrap_or_default(), Role::Bad)
        }
    }
}

/// `next 0:41`, or `late 1:02` when that is over.
fn next(cx: &Cx<'_>, due: Option<Timestamp>) -> (String, Role) {
    let now = cx.facts.now.market;
    match due {
        None => ("–".to_owned(), Role::Dim),
        Some(at) if at >= now => (format!("next {:>5}", days_hms(at.since(now))), Role::Plain),
        Some(at) => (format!("due  {:>5}", days_hms(now.since(at))), Role::Warn),
    }
}

/// The task that is due first.
fn first_due<'a>(cx: &Cx<'a>) -> Option<&'a TaskRow> {
    cx.facts.snapshot.schedule.iter().filter(|row| row.next_due.is_some()).min_by_key(|row| row.next_due)
}

/// Cells of the length of a run.
const TOOK_CELLS: usize = 5;

fn line(cx: &Cx<'_>, row: &TaskRow, width: usize) -> crate::console::line::LineBuilder {
    let (state, role) = word(&row.state);
    let (next, next_role) = next(cx, row.next_due);
    let took = row.took.map(text::took).unwrap_or_default();
    let count =
        if row.task.is_per_symbol() { format!("{}/{}", row.ok.0, row.ok.1) } else { "plan".to_owned() };
    let mut line = cx.line().left(row.task.name(), 19, Role::Plain).gap(1).left(state, 5, role);
    // When it runs next is worth more than how the last run went.
    let spare = width.saturating_sub(line.used() + text::width(&next) + 1);
    let count_cells = text::width(&count).max(4);
    if spare > count_cells {
        line = line.gap(1).left(&count, count_cells, Role::Plain);
    }
    if spare > count_cells + TOOK_CELLS + 1 {
        line = line.gap(1).right(took, TOOK_CELLS, Role::Dim);
    }
    let (why, why_role) = because(cx, row);
    let middle = width.saturating_sub(line.used() + text::width(&next) + 1);
    let why = if middle < 8 { String::new() } else { format!(" {why}") };
    let line = line.left(why, middle, why_role);
    let rest = width.saturating_sub(line.used());
    line.right(next, rest, next_role)
}

/// Title and rows, failing ones first.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let tasks = &cx.facts.snapshot.schedule;
    let failing = tasks.iter().filter(|row| row.state == TaskState::Failing).count();
    let mut title = format!("{} tasks, {failing} failing", tasks.len());
    let mut shown: Vec<&TaskRow> = tasks.iter().collect();
    if cx.form == Form::Narrow {
        if let Some(row) = first_due(cx) {
            title = format!("{title} ─ {} {}", row.task, next(cx, row.next_due).0);
        }
        shown.sort_by_key(|row| std::cmp::Reverse(row.state.clone()));
    }
    let rows = shown.into_iter().map(|row| Row::new(row.task, line(cx, row, width))).collect();
    Content { title, rows, ..Content::default() }
}

/// Every symbol of one task.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let Some(task) = cx.facts.snapshot.schedule.iter().find(|row| row.task.name() == id.0) else {
        return Vec::new();
    };
    let mut lines = vec![cx.line().text(task.task.name(), Role::Title).build()];
    if let Some(problem) = &task.problem {
        lines.extend(cx.labelled("last problem", problem.as_str(), width));
    }
    if task.late_cycles > 0 || task.abandoned > 0 {
        let said = format!("{} cycles late, {} runs no longer waited for", task.late_cycles, task.abandoned);
        lines.extend(cx.labelled("behind", said, width));
    }
    for row in &task.symbols {
        let (state, role) = word(&row.state);
        let name = row.symbol.as_ref().map_or("portfolio", |symbol| symbol.as_str());
        let last = row.last_run.map_or_else(
            || "never ran".to_owned(),
            |at| {
                let how = match row.last_ok {
                    Some(true) => "ok",
                    Some(false) => "failed",
                    None => "unknown",
                };
                format!("{how} {} ago", short_span(cx.facts.now.market.since(at)))
            },
        );
        let line = cx
            .line()
            .left(name, 12, Role::Plain)
            .left(state, 8, role)
            .left(last, 18, Role::Plain)
            .left(row.took.map(text::took).unwrap_or_default(), 8, Role::Dim)
            .left(format!("{} ok, {} failed", row.counts.0, row.counts.1), 22, Role::Dim)
            .text(next(cx, row.next_due).0, Role::Plain);
        lines.push(line.build());
    }
    lines
}
