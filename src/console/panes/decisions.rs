//! Pane 7: every signal and how it ended, newest first.

use ratatui::text::Line;

use super::{Content, Cx, Form, RowId};
use crate::console::line::LineBuilder;
use crate::console::text;
use crate::console::theme::Role;
use crate::domain::{Action, Decision, Outcome, Rule, Verdict, short_span};

fn word(outcome: Option<Outcome>) -> (&'static str, Role) {
    match outcome {
        None => ("OPEN", Role::Key),
        Some(Outcome::Hold) => ("HOLD", Role::Dim),
        Some(Outcome::Ignored) => ("IGNORE", Role::Plain),
        Some(Outcome::Rejected) => ("REJECT", Role::Warn),
        Some(Outcome::Waited) => ("WAIT", Role::Plain),
        Some(Outcome::Aborted) => ("ABORT", Role::Warn),
        Some(Outcome::Superseded) => ("NEWER", Role::Dim),
        Some(Outcome::Expired) => ("OLD", Role::Dim),
        Some(Outcome::Refused) => ("REFUSE", Role::Bad),
        Some(Outcome::Unfilled) => ("UNFILL", Role::Plain),
        Some(Outcome::Filled) => ("FILLED", Role::Good),
    }
}

/// Why it ended so, or what came of it; a fill in at most so many cells a figure.
fn because(decision: &Decision, cells: usize) -> String {
    if let (Some(price), false) = (decision.average_price, decision.filled.is_zero()) {
        let figure = |value| text::fitted(value, cells, false);
        return format!("{} @ {}", figure(decision.filled), figure(price));
    }
    if let (None, None, Some(conflict)) = (decision.outcome, &decision.resolution, decision.conflicts.first())
    {
        return format!("{}, a model is asked", conflict.kind);
    }
    match (decision.blocked_by(), &decision.resolution) {
        (Some(Rule::Conflict(kind)), Some(resolution)) => format!("{kind}, {}", resolution.by),
        (Some(rule), _) => {
            let rule = rule.to_string();
            // `PAUSED` needs no `paused` behind it.
            let says_more = !decision.detail.eq_ignore_ascii_case(&rule.replace('_', " "));
            let detail = if says_more { decision.detail.as_str() } else { "" };
            format!("{rule} {detail}").trim().to_owned()
        }
        (None, _) => decision.detail.clone(),
    }
}

/// How it ended and why: the first rule that blocked it, or what came of it.
pub fn ended(decision: &Decision) -> String {
    let (outcome, _) = word(decision.outcome);
    format!("{outcome} {}", because(decision, usize::MAX)).trim().to_owned()
}

/// `.74x1.10=.81`
fn arithmetic(decision: &Decision) -> String {
    if decision.signal.action == Action::Hold {
        return String::new();
    }
    let product = if (decision.multiplier - 1.0).abs() < 1e-9 {
        String::new()
    } else {
        format!("={}", decision.confidence)
    };
    let multiplier = format!("{:.2}", decision.multiplier);
    format!("{}x{multiplier}{product}", decision.signal.confidence)
}

fn line(cx: &Cx<'_>, decision: &Decision, width: usize) -> LineBuilder {
    let (outcome, role) = match (decision.signal.action, decision.outcome) {
        // HOLD says it all.
        (Action::Hold, Some(Outcome::Hold)) => ("", Role::Dim),
        (_, outcome) => word(outcome),
    };
    let clock = decision.at.clock();
    let clock = if cx.form == Form::Narrow { clock.get(..5).unwrap_or(&clock) } else { &clock };
    cx.line()
        .text(clock, Role::Dim)
        .gap(1)
        .left(decision.signal.symbol.as_str(), 9, Role::Plain)
        .gap(1)
        .left(decision.signal.action.to_string(), 5, Role::Plain)
        .gap(1)
        .left(arithmetic(decision), 12, Role::Dim)
        .gap(1)
        .left(outcome, 6, role)
        .gap(1)
        .rest(because(decision, 9), width, Role::Plain)
}

/// Title and rows.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let view = &cx.facts.snapshot.decisions;
    let total: u64 = view.today.iter().map(|(_, count)| count).sum();
    let counts: Vec<_> = view
        .today
        .iter()
        .rev()
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    let title =
        if total == 0 { "none today".to_owned() } else { format!("today {total}: {}", counts.join(", ")) };
    let rows =
        view.recent.iter().enumerate().map(|(at, d)| cx.row(at, d.id, || line(cx, d, width))).collect();
    Content { title, rows, ..Content::default() }
}

/// The whole trail from the votes to the fill.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let Some(decision) = cx.facts.snapshot.decisions.recent.iter().find(|d| RowId::of(d.id) == *id) else {
        return Vec::new();
    };
    let signal = &decision.signal;
    let head = format!(
        "{} {} {} by {} at {}",
        decision.id,
        signal.action,
        signal.symbol,
        signal.source,
        decision.at.clock()
    );
    let mut lines = vec![cx.line().text(head, Role::Title).build()];
    let price = |price: Option<rust_decimal::Decimal>| price.map_or_else(|| "–".to_owned(), text::number);
    let proposed = format!(
        "{} at {}, stop {}, target {}, {} of equity",
        signal.confidence,
        price(signal.entry),
        price(signal.stop),
        price(signal.take_profit),
        signal.size_pct
    );
    lines.extend(cx.labelled("proposed", proposed, width));
    for vote in &decision.votes {
        let agrees = if vote.agrees { "agrees" } else { "does not agree" };
        let said = format!("{} {} {} old: {agrees}", vote.says, vote.confidence, short_span(vote.age));
        lines.extend(cx.labelled(&vote.voice.to_string(), said, width));
    }
    let consensus = match (decision.ratio, decision.signal.action) {
        (_, Action::Hold) => "HOLD has nothing to agree with".to_owned(),
        (Some(ratio), _) => format!("{:.0}% agree, {}", ratio * 100.0, arithmetic(decision)),
        (None, _) => format!("nobody present, {}", arithmetic(decision)),
    };
    lines.extend(cx.labelled("consensus", consensus, width));
    for conflict in &decision.conflicts {
        lines.extend(cx.labelled("conflict", format!("{}: {}", conflict.kind, conflict.detail), width));
    }
    if let Some(resolution) = &decision.resolution {
        let took = resolution.took.map_or_else(String::new, |took| format!(" in {}", text::took(took)));
        let said = format!("{} by {}{took}", resolution.action, resolution.by);
        lines.extend(cx.labelled("resolved", said, width));
        if let Some(reasoning) = &resolution.reasoning {
            lines.extend(cx.labelled("the model wrote", format!("\"{}\"", reasoning.sanitize(500)), width));
        }
    }
    for change in &decision.changes {
        let said = format!("{} {} to {}: {}", change.code, change.from, change.to, change.why);
        lines.extend(cx.labelled("reduced", said, width));
    }
    match &decision.verdict {
        Some(Verdict::Approved { size_pct, quantity, .. }) => {
            lines.extend(cx.labelled(
                "risk",
                format!("approved {} ({size_pct})", text::number(*quantity)),
                width,
            ));
        }
        Some(Verdict::Rejected { code, detail }) => {
            lines.extend(cx.labelled("risk", format!("rejected {code} {detail}"), width));
        }
        None => {}
    }
    for order in &decision.orders {
        lines.extend(cx.labelled("order", order.to_string(), width));
    }
    lines.extend(cx.labelled("signal", signal.id.to_string(), width));
    lines.extend(cx.labelled("ended", ended(decision), width));
    lines
}
