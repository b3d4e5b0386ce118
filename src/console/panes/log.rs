//! Page 0: the newest lines of the program's own log.

use ratatui::text::Line;

use super::{Content, Cx, Row, RowId};
use crate::console::text;
use crate::console::theme::Role;

/// Title and rows, newest first.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let title = format!("{} lines, newest first", cx.log.len());
    let line = |(at, line): (usize, &String)| Row::new(at, cx.line().left(line, width, role(line)));
    Content { title, rows: cx.log.iter().enumerate().rev().map(line).collect(), ..Content::default() }
}

fn role(line: &str) -> Role {
    let starts = |word| line.split_whitespace().take(3).any(|part| part == word);
    if starts("ERROR") {
        Role::Bad
    } else if starts("WARN") {
        Role::Warn
    } else {
        Role::Plain
    }
}

/// One line, unbroken as far as the screen is wide.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let line = id.0.parse().ok().and_then(|at: usize| cx.log.get(at));
    let parts = line.map(|line| text::wrap(&text::clean(line), width)).unwrap_or_default();
    parts.into_iter().map(|part| cx.line().text(part, Role::Plain).build()).collect()
}
