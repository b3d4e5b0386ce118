//! Pane 6: what the operator has to act on, unacknowledged first.

use ratatui::text::Line;

use super::{Content, Cx, Form, Row, RowId};
use crate::alarm::AlarmClass;
use crate::console::text;
use crate::console::theme::Role;
use crate::coordinator::snapshot::AlarmRow;

/// The mark before an alarm: shape first, colour second.
pub const fn mark(class: AlarmClass) -> &'static str {
    match class {
        AlarmClass::Emergency => "!!",
        AlarmClass::High => " !",
        AlarmClass::Medium => " +",
        AlarmClass::Low => " -",
    }
}

/// The word for a class.
pub const fn word(class: AlarmClass) -> &'static str {
    match class {
        AlarmClass::Emergency => "EMERGENCY",
        AlarmClass::High => "HIGH",
        AlarmClass::Medium => "MEDIUM",
        AlarmClass::Low => "LOW",
    }
}

fn role(row: &AlarmRow) -> Role {
    match (row.unacknowledged, row.class) {
        (true, AlarmClass::Emergency) => Role::Emergency,
        (true, AlarmClass::High) => Role::Bad,
        (true, AlarmClass::Medium | AlarmClass::Low) => Role::Warn,
        (false, _) => Role::Plain,
    }
}

fn status(cx: &Cx<'_>, row: &AlarmRow) -> (String, Role) {
    if row.unacknowledged {
        let word = if row.active { "NEW" } else { "NEW, gone" };
        return (format!("{word} {:>5}", text::ago(row.raised.operator, cx.facts.now.operator)), role(row));
    }
    match &row.acknowledged {
        Some(_) if row.resettable => ("gone: reset_alarm".to_owned(), Role::Good),
        Some((who, ..)) => {
            let age = text::ago(row.raised.operator, cx.facts.now.operator);
            (format!("acked {} {age:>5}", text::clip(who, 5)), Role::Dim)
        }
        None => ("active".to_owned(), Role::Plain),
    }
}

/// `10:42` of an instant.
pub fn minute(at: crate::domain::Timestamp) -> String {
    at.clock().chars().take(5).collect()
}

fn headline(row: &AlarmRow) -> String {
    let count = if row.count > 1 { format!(" x{}", row.count) } else { String::new() };
    format!("{}{count}", row.headline)
}

/// Title and rows.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let core = cx.facts.core_alarm();
    let alarms: Vec<_> = core.iter().chain(cx.facts.snapshot.alarms.iter()).collect();
    let unacknowledged = alarms.iter().filter(|row| row.unacknowledged).count();
    let acknowledged = alarms.iter().filter(|row| row.acknowledged.is_some()).count();
    let title = if alarms.is_empty() {
        "none".to_owned()
    } else {
        format!("{unacknowledged} unacked, {acknowledged} acked")
    };
    let mut rows = Vec::new();
    for (at, alarm) in alarms.into_iter().enumerate() {
        rows.push(cx.row(at, alarm.id, || line(cx, alarm, width)));
        if alarm.unacknowledged && alarm.class == AlarmClass::Emergency && cx.form == Form::Column {
            let said = format!("cause: {} effect: {}", alarm.cause, alarm.consequence);
            for said in [said, format!("do: {}", alarm.response)] {
                let parts = text::wrap(&said, width.saturating_sub(3));
                rows.extend(parts.iter().map(|part| Row::below(cx.line().gap(3).text(part, Role::Plain))));
            }
        }
    }
    Content { title, rows, ..Content::default() }
}

fn line(cx: &Cx<'_>, alarm: &AlarmRow, width: usize) -> crate::console::line::LineBuilder {
    let role = role(alarm);
    let (status, status_role) = status(cx, alarm);
    let mut line = cx.line().text(mark(alarm.class), role).gap(1);
    if cx.form != Form::Narrow {
        line = line.text(alarm.raised.market.clock(), Role::Dim).gap(1);
    }
    line = line.left(word(alarm.class), 10, role);
    let middle = width.saturating_sub(line.used() + text::width(&status) + 1);
    line.left(headline(alarm), middle, Role::Plain).gap(1).text(status, status_role)
}

/// Cause, consequence, response and timeline of one alarm.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let core = cx.facts.core_alarm();
    let mut alarms = core.iter().chain(cx.facts.snapshot.alarms.iter());
    let Some(alarm) = alarms.find(|row| RowId::of(row.id) == *id) else {
        return Vec::new();
    };
    let now = cx.facts.now.operator;
    let head = format!("{} {} {}", alarm.id, word(alarm.class), alarm.title);
    let mut lines = vec![cx.line().text(head, role(alarm)).build()];
    lines.extend(cx.labelled("what", alarm.headline.as_str(), width));
    lines.extend(cx.labelled("cause", alarm.cause.as_str(), width));
    lines.extend(cx.labelled("effect", alarm.consequence.as_str(), width));
    lines.extend(cx.labelled("do", alarm.response.as_str(), width));
    let times = if alarm.count > 1 { format!(", {} times", alarm.count) } else { String::new() };
    let (clock, age) = (alarm.raised.market.clock(), text::ago(alarm.raised.operator, now));
    let raised = format!("{clock} ({age} ago){times}");
    lines.extend(cx.labelled("raised", raised, width));
    if let Some((who, at, comment)) = &alarm.acknowledged {
        let comment = if comment.as_str().is_empty() { String::new() } else { format!(": {comment}") };
        let said = format!("{} ago by {who}{comment}", text::ago(*at, now));
        lines.extend(cx.labelled("acknowledged", said, width));
    }
    let condition = match (alarm.active, alarm.resettable) {
        (true, _) => "still holds",
        (false, true) => "gone; latched until reset_alarm",
        (false, false) => "gone",
    };
    lines.extend(cx.labelled("condition", condition, width));
    lines
}
