//! Rules of `risk.yaml`.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use super::check::{Check, Shown};
use super::money::{least, within_reach};
use super::{DAY, LEVERAGE_MAX};
use crate::config::key_path::KeyPath;
use crate::config::{Config, Leverage, ORDERS_KEPT_FOR, ORDERS_KEPT_MAX, Risk, Stop};
use crate::domain::{Confidence, Pct, Regime, Symbol};

pub(super) fn check(config: &Config, check: &mut Check) {
    let file = &config.risk;
    stop(&file.stop, &config.orchestration.symbols, check);
    confidence(file, check);
    leverage(&file.leverage, check);

    check.above("size.per_symbol_max_pct", file.size.per_symbol_max_pct, Pct::ZERO, Pct::HUNDRED);
    check.above("size.loss_at_stop_max_pct", file.size.loss_at_stop_max_pct, Pct::ZERO, Pct::HUNDRED);
    check.range("size.spike_atr_ratio", file.size.spike_atr_ratio, 1.0, 100.0);

    check.above("exposure.total_max_pct", file.exposure.total_max_pct, Pct::ZERO, Pct::HUNDRED);
    check.above("exposure.correlated_max_pct", file.exposure.correlated_max_pct, Pct::ZERO, Pct::HUNDRED);
    check.not_above(
        ("exposure.correlated_max_pct", file.exposure.correlated_max_pct),
        ("exposure.total_max_pct", file.exposure.total_max_pct),
    );
    check.range("exposure.positions_max", file.exposure.positions_max, 1, 1_000);
    check.above("exposure.margin_max_pct", file.exposure.margin_max_pct, Pct::ZERO, Pct::HUNDRED);
    correlation_groups(&file.exposure.correlation_groups, &config.orchestration.symbols, check);

    least("orders.entry_min", &file.orders.entry_min, config, check);
    within_reach("orders.entry_min", &file.orders.entry_min, file.size.per_symbol_max_pct, config, check);
    check.above("orders.price_collar_pct", file.orders.price_collar_pct, Pct::ZERO, Pct::HUNDRED);
    check.range("orders.duplicate_within", file.orders.duplicate_within, Duration::ZERO, ORDERS_KEPT_FOR);
    check.range("orders.per_minute_max", file.orders.per_minute_max, 1, ORDERS_KEPT_MAX);

    let breakers = &file.breakers;
    check.above("breakers.daily_loss_pct", breakers.daily_loss_pct, Pct::ZERO, Pct::HUNDRED);
    check.not_above(
        ("breakers.daily_loss_pct", breakers.daily_loss_pct),
        ("breakers.weekly_loss_pct", breakers.weekly_loss_pct),
    );
    check.not_above(
        ("breakers.weekly_loss_pct", breakers.weekly_loss_pct),
        ("breakers.max_drawdown_pct", breakers.max_drawdown_pct),
    );

    check.range("cooldown.losses", file.cooldown.losses, 1, 100);
    check.range("cooldown.for", file.cooldown.length, Duration::ZERO, 7 * DAY);
}

fn stop(stop: &Stop, symbols: &[Symbol], check: &mut Check) {
    check.above("stop.distance_min_pct", stop.distance_min_pct, Pct::ZERO, Pct::HUNDRED);
    check.rising(
        ("stop.distance_min_pct", stop.distance_min_pct),
        ("stop.distance_max_pct", stop.distance_max_pct),
    );
    for (symbol, own) in &stop.distance_max_pct_by_symbol {
        let path = || KeyPath::of("stop.distance_max_pct_by_symbol").key(symbol);
        if *own > stop.distance_max_pct || *own <= stop.distance_min_pct {
            check.problem_between(
                [path(), KeyPath::of("stop.distance_min_pct"), KeyPath::of("stop.distance_max_pct")],
                format!(
                    "{} is out of range; allowed: above distance_min_pct ({}), up to distance_max_pct ({})",
                    own.shown(),
                    stop.distance_min_pct.shown(),
                    stop.distance_max_pct.shown()
                ),
            );
        }
        if !symbols.contains(symbol) {
            check.warning(
                path(),
                format!("{symbol} is not among the symbols traded; this limit meets nothing"),
            );
        }
    }
    check.range("stop.reward_risk_min", stop.reward_risk_min, Decimal::ZERO, Decimal::ONE_HUNDRED);
    check.range("stop.target_costs_min", stop.target_costs_min, Decimal::ZERO, Decimal::ONE_THOUSAND);
}

fn correlation_groups(groups: &[Vec<Symbol>], symbols: &[Symbol], check: &mut Check) {
    let path = || KeyPath::of("exposure.correlation_groups");
    for (at, group) in groups.iter().enumerate() {
        if group.is_empty() {
            check.problem(path().index(at), "an empty group limits nothing; name its pairs, or take it out");
        }
        for symbol in group.iter().filter(|symbol| !symbols.contains(symbol)) {
            let said = format!("{symbol} is not among the symbols traded; the group does not count it");
            check.warning(path().index(at), said);
        }
    }
    if groups.is_empty() {
        return;
    }
    for symbol in symbols.iter().filter(|symbol| !groups.iter().any(|group| group.contains(symbol))) {
        let said = format!("{symbol} is in no group: exposure.correlated_max_pct does not limit it");
        check.warning(path(), said);
    }
}

fn confidence(file: &Risk, check: &mut Check) {
    let it = &file.confidence;
    complete(&it.min_by_regime, "confidence.min_by_regime", check);
    check.range("confidence.losses_some", it.losses_some, 1, 100);
    check.rising(("confidence.losses_some", it.losses_some), ("confidence.losses_many", it.losses_many));
    check.range("confidence.raise_some", it.raise_some, 0.0, 1.0);
    check.range("confidence.raise_many", it.raise_many, 0.0, 1.0);
    check.not_above(("confidence.raise_some", it.raise_some), ("confidence.raise_many", it.raise_many));
}

/// Every regime has a row.
fn complete<T>(rows: &BTreeMap<Regime, T>, key: &str, check: &mut Check) {
    for regime in Regime::ALL.into_iter().filter(|regime| !rows.contains_key(regime)) {
        check
            .problem(KeyPath::of(key), format!("the regime {regime} is missing; every regime needs its row"));
    }
}

fn leverage(leverage: &Leverage, check: &mut Check) {
    complete(&leverage.max_by_regime, "leverage.max_by_regime", check);
    for (regime, max) in &leverage.max_by_regime {
        let path = KeyPath::of("leverage.max_by_regime").key(regime);
        check.range(path, *max, Decimal::ONE, LEVERAGE_MAX);
    }

    let drawdown: Vec<_> = leverage.max_by_drawdown.iter().map(|tier| (tier.from_pct, tier.max)).collect();
    let rising = |before: &(Pct, Decimal), after: &(Pct, Decimal)| before.0 < after.0 && before.1 >= after.1;
    let rule = "from_pct must rise from row to row, and max must not";
    tiers(&drawdown, "leverage.max_by_drawdown", rising, rule, check);

    let confidence: Vec<_> = leverage.max_by_confidence.iter().map(|tier| (tier.from, tier.max)).collect();
    let falling = |before: &(Confidence, Decimal), after: &(Confidence, Decimal)| {
        before.0 > after.0 && before.1 >= after.1
    };
    let rule = "from must fall from row to row, and max must not rise";
    tiers(&confidence, "leverage.max_by_confidence", falling, rule, check);
}

/// Each row's limit is in range, and each pair of neighbours in order.
fn tiers<F>(
    rows: &[(F, Decimal)],
    key: &str,
    is_ordered: impl Fn(&(F, Decimal), &(F, Decimal)) -> bool,
    rule: &str,
    check: &mut Check,
) {
    for (at, (_, max)) in rows.iter().enumerate() {
        let path = KeyPath::of(key).index(at).key("max");
        check.range(path, *max, Decimal::ONE, LEVERAGE_MAX);
    }
    for (at, pair) in rows.windows(2).enumerate() {
        if let [before, after] = pair
            && !is_ordered(before, after)
        {
            check.problem(KeyPath::of(key).index(at + 1), format!("out of order: {rule}"));
        }
    }
}
