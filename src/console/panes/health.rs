//! Pane 9: what the runtime says about itself.

use ratatui::text::Line;

use super::{Content, Cx, Form, Row, RowId};
use crate::console::text;
use crate::console::theme::Role;
use crate::coordinator::snapshot::{HealthRow, HealthStatus};
use crate::domain::short_span;

const fn word(status: HealthStatus) -> (&'static str, Role) {
    match status {
        HealthStatus::Ok => ("ok", Role::Good),
        HealthStatus::Warn => ("WARN", Role::Warn),
        HealthStatus::Failed => ("FAILED", Role::Bad),
    }
}

/// `1 of 8 not ok: models`.
pub fn summary(cx: &Cx<'_>) -> String {
    let rows = &cx.facts.snapshot.health;
    let ill: Vec<_> =
        rows.iter().filter(|row| row.status != HealthStatus::Ok).map(|row| row.what.as_str()).collect();
    if ill.is_empty() {
        format!("{} ok", rows.len())
    } else if cx.form == Form::Narrow {
        format!("{} not ok", ill.len())
    } else {
        format!("{} of {} not ok: {}", ill.len(), rows.len(), ill.join(", "))
    }
}

/// Title and rows, worst first.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let mut sorted: Vec<&HealthRow> = cx.facts.snapshot.health.iter().collect();
    sorted.sort_by_key(|row| std::cmp::Reverse(row.status));
    let writing = match cx.facts.writing() {
        0 => String::new(),
        count => format!(" ─ {count} records (writing)"),
    };
    let title = format!("{}{writing}", summary(cx));
    let rows = if cx.form == Form::Narrow {
        Vec::new()
    } else {
        sorted.into_iter().map(|row| Row::new(&row.what, line(cx, row, width))).collect()
    };
    Content { title, rows, ..Content::default() }
}

fn line(cx: &Cx<'_>, row: &HealthRow, width: usize) -> crate::console::line::LineBuilder {
    let (word, role) = word(row.status);
    let since = short_span(cx.facts.now.operator.since(row.since));
    let line = cx.line().left(&row.what, 9, Role::Plain).gap(1).left(word, 6, role).gap(1);
    let middle = width.saturating_sub(line.used() + 5);
    line.left(row.detail.as_str(), middle, Role::Plain).gap(1).right(since, 4, Role::Dim)
}

/// One check in full.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let Some(row) = cx.facts.snapshot.health.iter().find(|row| row.what == id.0) else {
        return Vec::new();
    };
    let (status, role) = word(row.status);
    let mut lines = vec![cx.line().text(format!("{} ", row.what), Role::Title).text(status, role).build()];
    lines.extend(cx.labelled("figures", row.detail.as_str(), width));
    let since = format!("{} ago", text::ago(row.since, cx.facts.now.operator));
    lines.extend(cx.labelled("so since", since, width));
    lines
}
