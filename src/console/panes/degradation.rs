//! Pane 3: which level is in force, why, and what brings the next one.

use ratatui::text::Line;

use super::{Content, Cx, Form, Row, RowId};
use crate::console::panes::alarms::minute;
use crate::console::text;
use crate::console::theme::Role;
use crate::coordinator::snapshot::ForcedView;
use crate::domain::Level;

/// Names the row of the forced level; no component is called so.
const FORCED: &str = "(forced)";

/// The look of a level.
pub const fn role(level: Level) -> Role {
    match level {
        Level::Normal => Role::Good,
        Level::Reduced => Role::Warn,
        Level::Limited | Level::Emergency => Role::Bad,
    }
}

/// The line that fits anywhere: `auto REDUCED, forced none, LLM 2 API 1`.
pub fn summary(cx: &Cx<'_>) -> String {
    let view = &cx.facts.snapshot.degradation;
    let forced = view.forced.as_ref().map_or_else(|| "none".to_owned(), |forced| forced.level.to_string());
    format!("auto {}, forced {forced}, LLM {} API {}", view.automatic, view.llm_failures, view.api_failures)
}

/// Title and rows.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let view = &cx.facts.snapshot.degradation;
    if cx.form == Form::Narrow {
        return Content { title: summary(cx), ..Content::default() };
    }
    let title = format!("effective {} {}", view.effective, text::ago(view.since, cx.facts.now.operator));
    let forced = view.forced.as_ref().map_or_else(
        || "none".to_owned(),
        |forced| {
            let until = forced.until.map_or_else(String::new, |until| format!(" to {}", minute(until)));
            format!("{} by {}{until}", forced.level, forced.by)
        },
    );
    let levels = cx
        .line()
        .text("automatic ", Role::Dim)
        .text(view.automatic.to_string(), role(view.automatic))
        .text("  forced ", Role::Dim)
        .rest(forced, width, Role::Plain);
    let levels = if view.forced.is_some() { Row::new(FORCED, levels) } else { Row::below(levels) };
    let next = view.next_level_at.map_or_else(String::new, |at| format!("  (next level at {at})"));
    let failures = format!("LLM failures {}  API failures {}{next}", view.llm_failures, view.api_failures);
    let mut rows = vec![levels, Row::below(cx.line().left(failures, width, Role::Plain))];
    if !view.models_configured {
        rows.push(Row::below(cx.note("no models configured: rules decide")));
    }
    rows.extend(view.components.iter().map(|component| {
        let kind = if component.is_llm { "LLM" } else { "API" };
        let (word, role) = match component.failures {
            0 => ("ok".to_owned(), Role::Good),
            1 => ("1 failure".to_owned(), Role::Warn),
            failures => (format!("{failures} failures"), Role::Warn),
        };
        let successes = match component.successes {
            0 => String::new(),
            in_row => format!("{in_row} ok in a row"),
        };
        let line = cx
            .line()
            .left(&component.name, 18, Role::Plain)
            .gap(1)
            .left(kind, 4, Role::Dim)
            .left(word, 12, role)
            .rest(successes, width, Role::Dim);
        Row::new(&component.name, line)
    }));
    Content { title, rows, ..Content::default() }
}

/// The forced level in full, or one component.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let view = &cx.facts.snapshot.degradation;
    if let (FORCED, Some(forced)) = (id.0.as_str(), &view.forced) {
        return forced_detail(cx, forced, width);
    }
    let Some(component) = view.components.iter().find(|component| component.name == id.0) else {
        return Vec::new();
    };
    let mut lines = vec![cx.line().text(&component.name, Role::Title).build()];
    lines.extend(cx.labelled("failures outstanding", component.failures.to_string(), width));
    lines.extend(cx.labelled("successes in a row", component.successes.to_string(), width));
    lines
}

fn forced_detail(cx: &Cx<'_>, forced: &ForcedView, width: usize) -> Vec<Line<'static>> {
    let age = text::ago(forced.since, cx.facts.now.operator);
    let head = format!("LEVEL {} forced by {} {age} ago", forced.level, forced.by);
    let mut lines = vec![cx.line().text(head, Role::Title).build()];
    lines.extend(cx.labelled("why", text::or_none_given(forced.reason.as_str()), width));
    let end = forced.until.map_or_else(
        || "when somebody clears it".to_owned(),
        |until| format!("{} market time, or when somebody clears it", until.clock()),
    );
    lines.extend(cx.labelled("ends", end, width));
    lines
}
