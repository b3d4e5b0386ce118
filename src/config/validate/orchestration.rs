//! Rules of `orchestration.yaml`.

use std::collections::BTreeSet;
use std::time::Duration;

use rust_decimal::Decimal;

use super::check::{Check, Shown};
use super::money::symbol_is_priced;
use super::{CANDLES_MAX, DAY, HOUR, LEVERAGE_MAX, MINUTE, SECOND};
use crate::config::key_path::KeyPath;
use crate::config::problem::suggestion;
use crate::config::{Config, EmergencyVerb, Orchestration, Schedules, TaskName};
use crate::domain::{AGE_CANDLES_MIN, MESSAGE_BYTES_MAX, Pct, ResolutionAction};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A limit above this would let a price through that has lost two of its digits.
const JUMP_PCT_MAX: Decimal = Decimal::ONE_HUNDRED;

/// The breaches that the risk rules know.
const BREAKERS: [&str; 3] = ["daily_loss", "weekly_loss", "max_drawdown"];

pub(super) fn check(config: &Config, check: &mut Check) {
    let file = &config.orchestration;
    symbols(config, check);
    spans_and_sizes(file, check);
    llm(file, check);
    degradation(file, check);
    consensus(file, check);
    conflicts(file, check);
    schedules(&file.schedules, check);
    emergency(file, check);
}

fn symbols(config: &Config, check: &mut Check) {
    const SYMBOLS_MAX: usize = 100;
    let symbols = &config.orchestration.symbols;
    let currency = &config.execution.account.currency;
    check.range("symbols", symbols.len(), 1, SYMBOLS_MAX);
    for (at, symbol) in symbols.iter().enumerate() {
        let path = || KeyPath::of("symbols").index(at);
        if symbols.iter().take(at).any(|earlier| earlier == symbol) {
            check.problem(path(), format!("{symbol} is there twice"));
        }
        if !symbol_is_priced(symbol, symbols, currency) {
            let quote = symbol.quote();
            check.problem(
                path(),
                format!(
                    "{symbol} has no price in {currency}, the account currency: add the pair {quote}/{currency} to \
                     symbols (to a replay: its file), or change account.currency and account.start in execution.yaml"
                ),
            );
        }
    }
}

fn spans_and_sizes(file: &Orchestration, check: &mut Check) {
    check.range("control.halt_confirm_within", file.control.halt_confirm_within, SECOND, MINUTE);
    check.range(
        "control.release_code_valid_for",
        file.control.release_code_valid_for,
        10 * SECOND,
        5 * MINUTE,
    );

    check.range("message_bus.max_history_size", file.message_bus.max_history_size, 1, 1_000_000);
    check.range(
        "message_bus.max_message_bytes",
        file.message_bus.max_message_bytes,
        1_024,
        MESSAGE_BYTES_MAX,
    );
    check.range("message_bus.cleanup_every", file.message_bus.cleanup_every, SECOND, HOUR);

    check.range("signals.max_age", file.signals.max_age, SECOND, DAY);
    check.range("signals.max_age_candles", file.signals.max_age_candles, AGE_CANDLES_MIN, CANDLES_MAX);
    check.range("signals.feed_stale_after", file.signals.feed_stale_after, SECOND, DAY);
    check.range("signals.feed_stale_candles", file.signals.feed_stale_candles, AGE_CANDLES_MIN, CANDLES_MAX);
    check.range("market.jump_max_pct", file.market.jump_max_pct.value(), Decimal::ONE, JUMP_PCT_MAX);
    check.range("market.stale_held_max", file.market.stale_held_max, MINUTE, 30 * DAY);

    check.range("market.quiet_max", file.market.quiet_max, MINUTE, 31 * DAY);
    check.range("market.gap_max", file.market.gap_max, DAY, 3_660 * DAY);
    check.not_above(("market.quiet_max", file.market.quiet_max), ("market.gap_max", file.market.gap_max));

    check.range("health.every", file.health.every, SECOND, HOUR);
    check.range("health.disk_free_min_mib", file.health.disk_free_min_mib, 1, 1_048_576);
    check.range("health.clock_drift_max", file.health.clock_drift_max, 100 * MILLISECOND, HOUR);
    check.range("health.execution_errors_max", file.health.execution_errors_max, 1, 100);
    check.range("health.execution_cooldown", file.health.execution_cooldown, Duration::ZERO, DAY);
    check.range("health.task_failing_after", file.health.task_failing_after, 1, 100);
    check.range("health.provider_down_after", file.health.provider_down_after, 1, 100);

    check.range("store.outbox_wait_max", file.store.outbox_wait_max, 10 * MILLISECOND, MINUTE);
    check.range("store.outbox_records_max", file.store.outbox_records_max, 1, 1_000_000);
    check.range("store.segment_records", file.store.segment_records, 100, 1_000_000);
}

fn llm(file: &Orchestration, check: &mut Check) {
    const NAME_CHARS_MAX: usize = 24;
    let it = &file.llm;
    check.range("llm.resolve_within", it.resolve_within, 100 * MILLISECOND, MINUTE);
    check.range("llm.probe_backoff_max", it.probe_backoff_max, file.health.every, DAY);
    for (key, provider) in it.providers() {
        let path = KeyPath::of("llm").key(key);
        let named = !provider.name.is_empty()
            && provider.name.len() <= NAME_CHARS_MAX
            && provider.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !named {
            let text = format!("allowed: 1 to {NAME_CHARS_MAX} of a to z, 0 to 9 and -");
            check.problem(path.clone().key("name"), text);
        }
        check.range(path.key("timeout"), provider.timeout, 100 * MILLISECOND, MINUTE);
    }
    let in_all: Duration = it.providers().map(|(_, provider)| provider.timeout).sum();
    if in_all > it.resolve_within {
        let keys: Vec<_> =
            it.providers().map(|(key, _)| KeyPath::of("llm").key(key).key("timeout")).collect();
        let (in_all, within) = (in_all.shown(), it.resolve_within.shown());
        check.problem_between(keys, format!("{in_all} in all, above llm.resolve_within ({within})"));
    }
    let Some(fallback) = &it.fallback else { return };
    let fallback_name = KeyPath::of("llm.fallback").key("name");
    match &it.primary {
        None => check.problem(KeyPath::of("llm.fallback"), "a fallback needs a primary: set llm.primary"),
        Some(primary) if primary.name == fallback.name => {
            check.problem(fallback_name, format!("`{}` is the primary already", fallback.name));
        }
        Some(_) => {}
    }
}

fn degradation(file: &Orchestration, check: &mut Check) {
    let it = &file.degradation;
    check.range("degradation.reduced_from", it.reduced_from, 1, 100);
    check
        .rising(("degradation.reduced_from", it.reduced_from), ("degradation.limited_from", it.limited_from));
    check.rising(
        ("degradation.limited_from", it.limited_from),
        ("degradation.emergency_from", it.emergency_from),
    );
    check.range("degradation.failures_max", it.failures_max, 1, 100);
    // Otherwise one component alone, failing for ever, could not bring the tightest level about.
    check.not_above(
        ("degradation.emergency_from", it.emergency_from),
        ("degradation.failures_max", it.failures_max),
    );
    check.range("degradation.failure_spacing", it.failure_spacing, Duration::ZERO, HOUR);
    check.range("degradation.successes_to_recover", it.successes_to_recover, 1, 100);
    check.range("degradation.forced_review_after", it.forced_review_after, MINUTE, 7 * DAY);
    check.range("degradation.forced_end_warned_before", it.forced_end_warned_before, Duration::ZERO, DAY);
    check.range("degradation.symbol_lock_after", it.symbol_lock_after, 1, 100);
}

fn consensus(file: &Orchestration, check: &mut Check) {
    let it = &file.consensus;
    // A ratio under one half would boost by less than nothing.
    check.range("consensus.high", it.high, 0.5, 1.0);
    check.range("consensus.low", it.low, 0.0, 1.0);
    check.rising(("consensus.low", it.low), ("consensus.high", it.high));
    check.range("consensus.max_boost", it.max_boost, 0.0, 1.0);
    check.range("consensus.max_penalty", it.max_penalty, 0.0, 1.0);
    check.range("consensus.min_voices_for_boost", it.min_voices_for_boost, 1, 3);
    check.range("consensus.fresh_candles_min", it.fresh_candles_min, AGE_CANDLES_MIN, CANDLES_MAX);
    check.range("consensus.fresh_for.technical", it.fresh_for.technical, SECOND, DAY);
    check.range("consensus.fresh_for.regime", it.fresh_for.regime, SECOND, DAY);
    check.range("consensus.fresh_for.sentiment", it.fresh_for.sentiment, SECOND, 7 * DAY);
}

fn conflicts(file: &Orchestration, check: &mut Check) {
    let it = &file.conflicts;
    check.range("conflicts.confidence_gap", it.confidence_gap, 0.0, 1.0);
    check.range("conflicts.proceed_confidence_min", it.proceed_confidence_min, 0.0, 1.0);
    let defaults = KeyPath::of("conflicts.defaults");
    for (key, action) in [
        ("ta_sentiment_conflict", it.defaults.ta_sentiment_conflict),
        ("regime_conflict", it.defaults.regime_conflict),
    ] {
        if action == ResolutionAction::Modify {
            check.problem(
                defaults.clone().key(key),
                "modify needs a model that says what; allowed: proceed, wait, abort",
            );
        }
    }
    match it.defaults.risk_override {
        ResolutionAction::Wait | ResolutionAction::Abort => {}
        action @ (ResolutionAction::Proceed | ResolutionAction::Modify) => check.problem(
            defaults.key("risk_override"),
            format!("{action} would trade against a risk alert in force; allowed: wait, abort"),
        ),
    }
    let bounds = &it.modification_bounds;
    check.range(
        "conflicts.modification_bounds.leverage_min",
        bounds.leverage_min,
        Decimal::ONE,
        LEVERAGE_MAX,
    );
    check.range(
        "conflicts.modification_bounds.leverage_max",
        bounds.leverage_max,
        Decimal::ONE,
        LEVERAGE_MAX,
    );
    check.not_above(
        ("conflicts.modification_bounds.leverage_min", bounds.leverage_min),
        ("conflicts.modification_bounds.leverage_max", bounds.leverage_max),
    );
}

fn schedules(schedules: &Schedules, check: &mut Check) {
    const CONCURRENT_MAX: usize = 64;
    check.range("schedules.concurrent_max", schedules.concurrent_max, 1, CONCURRENT_MAX);
    let tasks = KeyPath::of("schedules.tasks");
    for name in TaskName::ALL {
        let path = tasks.clone().key(name);
        let Some(task) = schedules.tasks.get(&name) else {
            check.problem(
                path,
                "the task is missing; a task that must not run is disabled by the operator, not removed",
            );
            continue;
        };
        check.range(path.clone().key("every"), task.every, SECOND, 7 * DAY);
        check.range(path.clone().key("timeout"), task.timeout, 100 * MILLISECOND, HOUR);
        check.range(path.clone().key("concurrent"), task.concurrent, 1, CONCURRENT_MAX);
        if task.concurrent > schedules.concurrent_max {
            check.warning(
                path.clone().key("concurrent"),
                format!(
                    "{} is above schedules.concurrent_max ({}), which therefore rules",
                    task.concurrent, schedules.concurrent_max
                ),
            );
        }
        let once: BTreeSet<_> = task.depends_on.iter().collect();
        if once.len() != task.depends_on.len() {
            check.problem(path.key("depends_on"), "a task is there twice");
        }
    }
    for cycle in cycles(schedules) {
        let keys: Vec<_> = cycle.iter().map(|name| tasks.clone().key(name).key("depends_on")).collect();
        let names: Vec<_> = cycle.iter().chain(cycle.first()).map(|name| name.name()).collect();
        check.problem_between(
            keys,
            format!(
                "tasks wait for each other and none would run: {}; take one arrow out",
                names.join(" -> ")
            ),
        );
    }
}

/// Every way round on which tasks wait for each other, each once, beginning with its first task.
fn cycles(schedules: &Schedules) -> Vec<Vec<TaskName>> {
    fn follow(schedules: &Schedules, way: &mut Vec<TaskName>, found: &mut Vec<Vec<TaskName>>) {
        let (Some(&first), Some(&here)) = (way.first(), way.last()) else { return };
        let next = schedules.tasks.get(&here).map(|task| task.depends_on.clone()).unwrap_or_default();
        for name in next.into_iter().collect::<BTreeSet<_>>() {
            if name == first {
                found.push(way.clone());
            } else if name > first && !way.contains(&name) {
                way.push(name);
                follow(schedules, way, found);
                way.pop();
            }
        }
    }
    let mut found = Vec::new();
    for name in TaskName::ALL {
        follow(schedules, &mut vec![name], &mut found);
    }
    found
}

fn emergency(file: &Orchestration, check: &mut Check) {
    for (breach, action) in &file.emergency.actions {
        let path = KeyPath::of("emergency.actions").key(breach);
        if !BREAKERS.contains(&breach.as_str()) {
            let near = suggestion(breach, BREAKERS).map(|near| format!("; did you mean `{near}`?"));
            let near = near.unwrap_or_default();
            let names = BREAKERS.join(", ");
            check.problem(path.clone(), format!("no breaker has this name (there are {names}){near}"));
        }
        let reduces = action.action == EmergencyVerb::ReducePositions;
        match action.reduce_pct {
            Some(_) if !reduces => {
                check.problem(path.clone().key("reduce_pct"), "only with action: reduce_positions");
            }
            Some(share) if share == Pct::ZERO => {
                check.problem(
                    path.clone().key("reduce_pct"),
                    "0 is out of range; allowed: above 0, up to 100",
                );
            }
            None if reduces => {
                check.problem(
                    path.clone(),
                    "reduce_positions needs reduce_pct, the percent of every lot to sell",
                );
            }
            Some(_) | None => {}
        }
        if action.close_positions && action.action != EmergencyVerb::HaltAll {
            check.problem(path.key("close_positions"), "only with action: halt_all");
        }
    }
}
