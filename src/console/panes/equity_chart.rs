//! Curves: the equity of a day with its level and state changes, one-line sparks, and bars against a target.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::Marker;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Cx;
use super::alarms::minute;
use crate::console::text;
use crate::console::theme::Role;
use crate::domain::DECIMALS_MAX;

const STEPS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

/// At most `cells` of the newest values, each as high as it stands between the lowest and the highest.
pub fn spark(values: impl Iterator<Item = f64>, cells: usize) -> String {
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    let newest = thin(&values, cells);
    let (low, high) =
        newest.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
    let spread = high - low;
    let step = |value: f64| {
        let share = if spread > 0.0 { (value - low) / spread } else { 0.5 };
        // The share lies within 0 and 1, so that the index is one of the seven.
        let bound = |at: usize| at as f64 / STEPS.len() as f64;
        let at = (1..STEPS.len()).filter(|at| share >= bound(*at)).count();
        STEPS.get(at).copied().unwrap_or('▁')
    };
    newest.into_iter().map(step).collect()
}

/// At most `count` values, evenly taken, the last one always among them.
fn thin(values: &[f64], count: usize) -> Vec<f64> {
    if count == 0 {
        return Vec::new();
    }
    let stride = values.len().div_ceil(count).max(1);
    let mut kept: Vec<_> = values.iter().rev().step_by(stride).copied().collect();
    kept.reverse();
    kept
}

/// A share of 100 as a bar of `cells`, with a mark where its target is.
pub fn bar(share_pct: Decimal, target_pct: Decimal, cells: usize) -> String {
    let place = |pct: Decimal| {
        let share = pct.to_f64().unwrap_or(0.0).clamp(0.0, 100.0) / 100.0;
        (0..cells).filter(|at| (*at as f64) < share * cells as f64).count()
    };
    let (filled, target) = (place(share_pct), place(target_pct).saturating_sub(1));
    (0..cells)
        .map(|at| match (at == target, at < filled) {
            (true, _) => '│',
            (false, true) => '▇',
            (false, false) => '·',
        })
        .collect()
}

/// The equity of the last 24 hours; level and state changes are marked on it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, cx: &Cx<'_>) {
    let view = &cx.facts.snapshot.portfolio;
    let point = |(at, equity): &(crate::domain::Timestamp, Decimal)| {
        Some((at.millis() as f64, equity.to_f64().filter(|e| e.is_finite())?))
    };
    let curve: Vec<_> = view.equity_history.iter().filter_map(point).collect();
    let (Some(first), Some(last)) = (view.equity_history.first(), view.equity_history.last()) else {
        frame.render_widget(cx.note(" equity: no history yet").build(), area);
        return;
    };
    let (low, high) =
        curve.iter().fold((f64::MAX, f64::MIN), |(low, high), (_, e)| (low.min(*e), high.max(*e)));
    let margin = ((high - low) * 0.1).max(high.abs() * 1e-4);
    let at_curve = |at: f64| curve.iter().rev().find(|(x, _)| *x <= at).map_or(low, |(_, equity)| *equity);
    let marks: Vec<_> =
        view.marks.iter().map(|(at, _)| at.millis() as f64).map(|x| (x, at_curve(x))).collect();
    let datasets = vec![
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(cx.theme.style(Role::Good))
            .data(&curve),
        Dataset::default().marker(Marker::Dot).style(cx.theme.style(Role::Warn)).data(&marks),
    ];
    let places = places_of(high - low + 2.0 * margin);
    let money = |value: f64| {
        Decimal::from_f64_retain(value).map_or_else(String::new, |value| text::said(value.round_dp(places)))
    };
    let dim = cx.theme.style(Role::Dim);
    let x_axis = Axis::default()
        .style(dim)
        .bounds([first.0.millis() as f64, last.0.millis() as f64])
        .labels([minute(first.0), minute(last.0)]);
    let y_axis = Axis::default()
        .style(dim)
        .bounds([low - margin, high + margin])
        .labels([money(low - margin), money(high + margin)]);
    frame.render_widget(Chart::new(datasets).x_axis(x_axis).y_axis(y_axis).legend_position(None), area);
}

/// Decimal places at which the two ends of so wide an axis differ.
fn places_of(span: f64) -> u32 {
    let (mut places, mut span) = (0, span);
    while span < 1.0 && places < DECIMALS_MAX {
        span *= 10.0;
        places += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spark_goes_from_the_lowest_to_the_highest() {
        assert_eq!(spark([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].into_iter(), 7), "▁▂▃▄▅▆▇");
        assert_eq!(spark([5.0, 5.0].into_iter(), 7), "▄▄");
        assert_eq!(spark([f64::NAN].into_iter(), 7), "");
        assert_eq!(spark((0..1_000).map(f64::from), 10).chars().count(), 10);
    }

    #[test]
    fn a_bar_shows_where_its_target_is() {
        assert_eq!(bar(Decimal::from(50), Decimal::from(80), 10), "▇▇▇▇▇··│··");
    }
}
