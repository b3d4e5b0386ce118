//! Pane 5: plans and their legs, what is done and what is still to come.

use ratatui::text::Line;

use super::{Content, Cx, Form, Row, RowId};
use crate::console::text;
use crate::console::theme::Role;
use crate::coordinator::snapshot::{LegView, PlanView, PortfolioView};
use crate::domain::days_hms;

/// `p1/2`: the name of the leg in commands, alarms and journal.
fn leg_id(plan: &PlanView, leg: &LegView) -> String {
    format!("{}/{}", plan.id, leg.number)
}

/// `in 3:12:07`, or `deferred (paused)`.
fn when(cx: &Cx<'_>, leg: &LegView) -> (String, Role) {
    let now = cx.facts.now.market;
    let reason = leg.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    if leg.needs_attention {
        (format!("{}{reason}", leg.state), Role::Bad)
    } else if leg.is_terminal {
        (format!("{}{reason}", leg.state), Role::Dim)
    } else if leg.state == "scheduled" && leg.due >= now {
        (format!("in {:>8}", days_hms(leg.due.since(now))), Role::Plain)
    } else {
        (format!("{}{reason}", leg.state), Role::Warn)
    }
}

/// Cells of the account currency.
const CURRENCY_CELLS: usize = 4;
/// Cells of a countdown; a longer reason may be cut.
const WHEN_CELLS: usize = 11;

fn line(cx: &Cx<'_>, plan: &PlanView, leg: &LegView, width: usize) -> crate::console::line::LineBuilder {
    let (when, role) = when(cx, leg);
    let PortfolioView { currency, decimals, .. } = &*cx.facts.snapshot.portfolio;
    let (amount, name) = (text::amount(leg.amount, *decimals), leg_id(plan, leg));
    let line = cx
        .line()
        .left(leg.symbol.as_str(), 9, Role::Plain)
        .gap(1)
        .left(leg.side.to_string(), 4, Role::Plain)
        .gap(1)
        .right(&amount, text::width(&amount).max(7), Role::Plain);
    // Until when is worth more than the currency, which is everywhere the same.
    let spare = width.saturating_sub(line.used() + text::width(&name) + 2);
    let line = if spare >= CURRENCY_CELLS + 1 + text::width(&when).min(WHEN_CELLS) {
        line.gap(1).left(currency.as_str(), CURRENCY_CELLS, Role::Dim)
    } else {
        line
    };
    line.gap(1).text(name, Role::Plain).gap(1).rest(when, width, role)
}

/// Title and rows: legs that need a hand, then those to come by their time, then the totals.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let plans = &cx.facts.snapshot.plans;
    let legs = || plans.iter().flat_map(|plan| plan.legs.iter().map(move |leg| (plan, leg)));
    let open = legs().filter(|(_, leg)| !leg.is_terminal).count();
    let attention = legs().filter(|(_, leg)| leg.needs_attention).count();
    let uncertain = if attention == 0 { "none Unknown".to_owned() } else { format!("{attention} NEED YOU") };
    let word = if plans.len() == 1 { "plan" } else { "plans" };
    let title = match plans.len() {
        0 => "no plans".to_owned(),
        count => format!("{count} {word}, {open} of {} legs left, {uncertain}", legs().count()),
    };
    let mut shown: Vec<_> = legs().filter(|(_, leg)| cx.form == Form::Page || !leg.is_terminal).collect();
    shown.sort_by_key(|(plan, leg)| (!leg.needs_attention, leg.is_terminal, leg.due, plan.id, leg.number));
    let mut rows: Vec<_> = shown
        .into_iter()
        .enumerate()
        .map(|(at, (plan, leg))| cx.row(at, leg_id(plan, leg), || line(cx, plan, leg, width)))
        .collect();
    if cx.form == Form::Column {
        rows.extend(plans.iter().map(|plan| Row::below(cx.note(totals(cx, plan)))));
    }
    Content { title, rows, ..Content::default() }
}

fn totals(cx: &Cx<'_>, plan: &PlanView) -> String {
    let amount = |sum| text::amount(sum, cx.facts.snapshot.portfolio.decimals);
    format!("{} done {}  left {}", plan.id, amount(plan.done), amount(plan.left))
}

/// The plan of one leg.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let plans = &cx.facts.snapshot.plans;
    let Some(plan) = plans.iter().find(|plan| plan.legs.iter().any(|leg| leg_id(plan, leg) == id.0)) else {
        return Vec::new();
    };
    let head = format!("plan {} made {}", plan.id, plan.at);
    let mut lines = vec![cx.line().text(head, Role::Title).build(), cx.note(totals(cx, plan)).build()];
    lines.extend(plan.legs.iter().map(|leg| {
        let mark = if leg_id(plan, leg) == id.0 { ">" } else { " " };
        cx.line().left(mark, 2, Role::Key).then(line(cx, plan, leg, width.saturating_sub(2))).build()
    }));
    lines
}
