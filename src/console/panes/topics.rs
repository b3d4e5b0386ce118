//! Pane 1: what travels on the bus, newest first.

use ratatui::text::Line;

use super::{Content, Cx, Row, RowId, message_text};
use crate::console::text;
use crate::console::theme::Role;
use crate::console::traffic_log::Entry;
use crate::domain::Priority;

const fn role(priority: Priority) -> Role {
    match priority {
        Priority::Low => Role::Dim,
        Priority::Normal => Role::Plain,
        Priority::High => Role::Title,
        Priority::Urgent => Role::Warn,
    }
}

fn line(cx: &Cx<'_>, entry: &Entry, width: usize) -> crate::console::line::LineBuilder {
    let message = &entry.message;
    // What a message says is worth more than the whole name of who said it.
    let (topic, source) = match width {
        0..78 => (17, 11),
        78..100 => (17, 18),
        100.. => (20, 20),
    };
    let symbol = message.payload.symbol().map_or("-", |symbol| symbol.as_str());
    cx.line()
        .text(message.timestamp.clock(), Role::Dim)
        .gap(1)
        .left(message.topic.name(), topic, Role::Plain)
        .gap(1)
        .left(&*message.source, source, Role::Dim)
        .gap(1)
        .text(message.priority.letter().to_string(), role(message.priority))
        .gap(1)
        .left(symbol, 9, Role::Plain)
        .gap(1)
        .rest(message_text::in_words(&message.payload), width, Role::Plain)
}

/// Title and the rows that can be seen: nobody counts the others.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let traffic = cx.traffic;
    let filter = if cx.filter.text().is_empty() { "none" } else { cx.filter.text() };
    let title = format!(
        "{:.1}/s ─ {} ─ dropped {} ─ filter {filter}",
        traffic.rate(cx.facts.now.operator),
        traffic.view_word(),
        traffic.dropped()
    );
    let rows = traffic
        .visible(cx.filter)
        .take(cx.rows_max)
        .map(|e| Row::new(e.number, line(cx, e, width)))
        .collect();
    Content { title, rows, ..Content::default() }
}

/// The whole message as a tree.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let Some(entry) = cx.traffic.visible(cx.filter).find(|entry| RowId::of(entry.number) == *id) else {
        return Vec::new();
    };
    let message = &entry.message;
    let head = format!("{} from {}", message.topic, message.source);
    let mut lines = vec![cx.line().text(head, Role::Title).build()];
    lines.extend(cx.labelled("id", message.id.to_string(), width));
    lines.extend(cx.labelled("at", message.timestamp.to_string(), width));
    if let Some(ttl) = message.ttl {
        lines.extend(cx.labelled("ttl", text::delay(ttl), width));
    }
    if let Some(correlation) = message.correlation_id {
        lines.extend(cx.labelled("correlation", correlation.to_string(), width));
    }
    // JSON escapes control characters, and the line builder drops what else must not reach a screen.
    let tree = serde_json::to_string_pretty(&message.payload).unwrap_or_else(|e| format!("unreadable: {e}"));
    lines.extend(tree.lines().map(|part| cx.line().text(text::clip(part, width), Role::Plain).build()));
    lines
}
