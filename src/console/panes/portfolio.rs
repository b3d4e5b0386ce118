//! Pane 8: what is held, what it is worth, and how much of each limit is used.

use ratatui::text::Line;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::alarms::minute;
use super::{Content, Cx, Form, Row, RowId, equity_chart};
use crate::console::line::LineBuilder;
use crate::console::text;
use crate::console::theme::Role;
use crate::coordinator::snapshot::{AllocationRow, PortfolioView, PositionView};
use crate::domain::{Timestamp, short_span};

/// The look of a gain or a loss.
pub const fn result_role(value: Decimal) -> Role {
    if value.is_zero() {
        Role::Plain
    } else if value.is_sign_negative() {
        Role::Bad
    } else {
        Role::Good
    }
}

/// A figure beside its limit: `day -5.1% of 5!`, where `!` says that the limit is reached.
fn of_limit(line: LineBuilder, name: &str, (value, limit): (Option<Decimal>, Decimal)) -> LineBuilder {
    let Some(value) = value else {
        let said = format!("unknown of {}", text::percent(limit));
        return line.text(format!("{name} "), Role::Dim).text(said, Role::Stale).gap(2);
    };
    let reached = value.abs() >= limit
        && !limit.is_zero()
        && (name != "day" && name != "week" || value.is_sign_negative());
    let mark = if reached { "!" } else { "" };
    let role = if reached { Role::Bad } else { Role::Plain };
    line.text(format!("{name} "), Role::Dim)
        .text(format!("{}% of {}{mark}", text::percent(value), text::percent(limit)), role)
        .gap(2)
}

/// How a figure looks that rests on a price of `stale_since`.
fn freshness(stale_since: Option<Timestamp>) -> Role {
    if stale_since.is_some() { Role::Stale } else { Role::Plain }
}

fn position(cx: &Cx<'_>, position: &PositionView, width: usize) -> LineBuilder {
    let wide = width > 60;
    let cells = if wide { (12, 11, 11) } else { (9, 9, 8) };
    let (price, price_role) = position.price.map_or_else(
        || ("no price".to_owned(), Role::Stale),
        |price| (text::fitted(price, cells.1, false), freshness(position.stale_since)),
    );
    let (result, role) = position.result.map_or_else(
        || ("–".to_owned(), Role::Stale),
        |result| {
            let said = text::result(result, cx.facts.snapshot.portfolio.decimals);
            let fits = text::width(&said) <= cells.2;
            (if fits { said } else { text::fitted(result, cells.2, true) }, result_role(result))
        },
    );
    let (stop, stop_role) = position.stop_pct.map_or_else(
        || ("NO STOP".to_owned(), Role::Bad),
        |pct| (format!("stop {}%", text::percent(pct)), Role::Plain),
    );
    let line = cx
        .line()
        .left(position.symbol.as_str(), 9, Role::Plain)
        .gap(1)
        .left(text::fitted(position.quantity, cells.0, true), cells.0, Role::Plain)
        .gap(1)
        .right(price, cells.1, price_role)
        .gap(1)
        .right(result, cells.2, role);
    let line = if wide {
        line.gap(1).left(cx.facts.snapshot.portfolio.currency.as_str(), 5, Role::Dim)
    } else {
        line
    };
    let line = line.gap(1).text(stop, stop_role);
    let entry = format!("entry {}", text::number(position.entry));
    if wide && line.used() + 2 + text::width(&entry) <= width {
        line.gap(2).text(entry, Role::Dim)
    } else {
        line
    }
}

/// `1 position, 2 holdings, 0 orders`: positions are what agents bought and what has a stop; holdings are what the
/// allocation keeps, and what plans buy and sell.
fn counts(view: &PortfolioView) -> String {
    let holdings = view.allocation.iter().filter(|row| is_holding(view, row)).count();
    let parts = [
        text::counted(view.positions.len(), "position"),
        text::counted(holdings, "holding"),
        text::counted(view.orders.len(), "order"),
    ];
    parts.join(", ")
}

/// Whether it is an asset that is held beside the cash.
fn is_holding(view: &PortfolioView, row: &AllocationRow) -> bool {
    row.asset != view.currency && !row.quantity.is_zero()
}

fn cash_last(view: &PortfolioView) -> Vec<&AllocationRow> {
    let mut rows: Vec<_> = view.allocation.iter().collect();
    rows.sort_by_key(|row| row.asset == view.currency);
    rows
}

fn asset_kind(view: &PortfolioView, row: &AllocationRow) -> &'static str {
    if row.asset == view.currency { "cash" } else { "holds" }
}

/// One asset, with a bar of its share; in its own units where nobody knows what it is worth.
fn asset_line(cx: &Cx<'_>, view: &PortfolioView, row: &AllocationRow, width: usize) -> LineBuilder {
    let line = cx.line().left(asset_kind(view, row), 6, Role::Dim).left(row.asset.as_str(), 6, Role::Plain);
    let Some(value) = row.value else {
        let said = format!("{}, never had a price", text::number(row.quantity));
        let target = format!(" of {}%", text::percent(row.target_pct));
        return line.text(said, Role::Stale).text(target, Role::Dim);
    };
    let share = row.share_pct.map_or_else(|| "?%".to_owned(), |pct| format!("{}%", text::percent(pct)));
    let line = line
        .right(text::amount_within(value, view.decimals, 11), 11, freshness(row.stale_since))
        .right(share, 7, Role::Plain)
        .left(format!(" of {}%", text::percent(row.target_pct)), 10, Role::Dim);
    if let Some(since) = row.stale_since {
        return line.text(format!("price of {}", minute(since)), Role::Stale);
    }
    let cells = width.saturating_sub(line.used()).min(40);
    match row.share_pct {
        Some(share) => line.text(equity_chart::bar(share, row.target_pct, cells), Role::Dim),
        None => line,
    }
}

/// `holds BTC 554 5.5/33.3%  XRP 555 5.6/33.3%  cash USDT 8,885 88.9/33.3%`, where there is no room for a row each.
fn allocation_line(cx: &Cx<'_>, view: &PortfolioView, width: usize) -> LineBuilder {
    let (mut line, mut kind_before) = (cx.line(), "");
    for row in cash_last(view) {
        let (kind, asset) = (asset_kind(view, row), row.asset.as_str());
        let (share, target) = (text::known_percent(row.share_pct), text::percent(row.target_pct));
        let value = row.value.map_or_else(|| "?".to_owned(), |value| text::fitted(value, 6, false));
        let said = format!("{asset} {value} {share}/{target}%");
        if line.used() + kind.len() + 1 + text::width(&said) > width {
            return line.rest("…", width, Role::Dim);
        }
        if kind != kind_before {
            line = line.text(kind, Role::Dim).gap(1);
            kind_before = kind;
        }
        line = line.text(said, Role::Plain).gap(2);
    }
    line
}

/// Title and rows.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let view = &cx.facts.snapshot.portfolio;
    let exposure =
        format!("{}/{}%", text::known_percent(view.exposure_pct.0), text::percent(view.exposure_pct.1));
    let title = counts(view);
    let title = if cx.form == Form::Column { title } else { format!("{title}, exposure {exposure}") };
    let mut rows: Vec<_> = view
        .positions
        .iter()
        .enumerate()
        .map(|(at, row)| cx.row(at, &row.symbol, || position(cx, row, width)))
        .collect();
    rows.extend(view.orders.iter().enumerate().map(|(at, order)| {
        let age = short_span(cx.facts.now.market.since(order.at));
        let line = cx
            .line()
            .left(order.symbol.as_str(), 9, Role::Plain)
            .gap(1)
            .text(&order.text, Role::Plain)
            .gap(1)
            .rest(format!("{} {age}", order.status), width, Role::Dim);
        Row::new(format!("order {at} {}", order.symbol), line)
    }));
    if cx.form == Form::Narrow {
        if !view.allocation.is_empty() {
            rows.push(Row::below(allocation_line(cx, view, width)));
        }
        return Content { title, rows, ..Content::default() };
    }
    let (equity, role) = view.equity.map_or_else(
        || ("unknown, no price".to_owned(), Role::Stale),
        |equity| {
            let stale = view.stale_since.map(|since| format!(", some at prices of {}", minute(since)));
            let said = format!(
                "{} {}{}",
                text::amount(equity, view.decimals),
                view.currency,
                stale.unwrap_or_default()
            );
            (said, freshness(view.stale_since))
        },
    );
    let line = cx.line().text("equity ", Role::Dim).text(equity, role);
    let line = of_limit(line.gap(2), "exposure", view.exposure_pct);
    rows.push(Row::below(line));
    let line = of_limit(cx.line(), "day", view.day_pct);
    rows.push(Row::below(of_limit(of_limit(line, "week", view.week_pct), "dd", view.drawdown_pct)));
    if !view.equity_history.is_empty() && cx.form == Form::Column {
        let values = view.equity_history.iter().filter_map(|(_, equity)| equity.to_f64());
        let chart = equity_chart::spark(values, width.saturating_sub(12));
        rows.push(Row::below(cx.line().text("24 h ", Role::Dim).text(chart, Role::Plain)));
    }
    if let Some((symbol, share, limit)) = &view.largest {
        rows.push(Row::below(of_limit(cx.line(), &format!("largest {symbol}"), (Some(*share), *limit))));
    }
    if !view.breakers_tripped.is_empty() {
        rows.push(Row::below(
            cx.line().text(format!("tripped: {}", view.breakers_tripped.join(", ")), Role::Bad),
        ));
    }
    for row in cash_last(view) {
        rows.push(Row::new(format!("asset {}", row.asset), asset_line(cx, view, row, width)));
    }
    rows.push(Row::below(
        cx.note(format!("realised since the start {}", text::result(view.realised, view.decimals))),
    ));
    Content { title, rows, ..Content::default() }
}

/// One position in full, or the changes of the day.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let view = &cx.facts.snapshot.portfolio;
    let Some(position) = view.positions.iter().find(|position| position.symbol.as_str() == id.0) else {
        return Vec::new();
    };
    let mut lines = vec![cx.line().text(position.symbol.as_str(), Role::Title).build()];
    let price = position.price.map_or_else(|| "no price yet".to_owned(), text::number);
    let stale = position.stale_since.map(|since| format!(" of {}", minute(since))).unwrap_or_default();
    let said = format!(
        "{} bought at {} on average, last {price}{stale}",
        text::number(position.quantity),
        text::number(position.entry)
    );
    lines.extend(cx.labelled("held", said, width));
    let stop = position
        .stop_pct
        .map_or_else(|| "NONE".to_owned(), |pct| format!("{}% from the last price", text::percent(pct)));
    lines.extend(cx.labelled("nearest stop", stop, width));
    lines
}
