//! Wrong configurations and what is said about them; right ones and what they become.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails as the test does")]

use std::fs;
use std::path::Path;

use andon::config::{Config, ConfigError, Loaded, Overrides, load};
use tempfile::TempDir;

/// A configuration directory with one file.
fn dir_with(name: &str, text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), text).unwrap();
    dir
}

fn load_dir(dir: &Path) -> Result<Loaded, ConfigError> {
    load(&Overrides { dir: Some(dir.to_owned()), set: vec![], symbols: None })
}

fn load_set(set: &[&str]) -> Result<Loaded, ConfigError> {
    load(&Overrides { dir: None, set: set.iter().map(ToString::to_string).collect(), symbols: None })
}

/// The problems, one text each.
fn problems(result: Result<Loaded, ConfigError>) -> Vec<String> {
    match result.map(|loaded| loaded.config) {
        Err(ConfigError::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Asserts that `set` is refused for exactly one reason.
fn assert_refused(set: &str, key: &str, text: &str) {
    let found = problems(load_set(&[set]));
    assert_eq!(found.len(), 1, "{set}: {found:#?}");
    let expected = format!("--set {set}: {key}: ");
    assert!(found[0].starts_with(&expected), "{set}: {}", found[0]);
    assert!(found[0].contains(text), "{set}: {}", found[0]);
}

fn file_problems(name: &str, text: &str) -> Vec<String> {
    let dir = dir_with(name, text);
    let prefix = format!("{}/", dir.path().display());
    problems(load_dir(dir.path())).iter().map(|problem| problem.replace(&prefix, "")).collect()
}

#[test]
fn without_anything_given_the_defaults_hold() {
    let loaded = load_set(&[]).unwrap();
    assert_eq!(loaded.config, Config::defaults().unwrap());
    assert_eq!(loaded.warnings, []);
}

#[test]
fn a_file_changes_its_keys_and_no_others_and_set_has_the_last_word() {
    let dir = dir_with("orchestration.yaml", "consensus:\n  high: 0.7\n  low: 0.2\nsymbols: [BTC/USDT]\n");
    let set = vec!["orchestration.consensus.low=0.4".to_owned()];
    let config = load(&Overrides { dir: Some(dir.path().to_owned()), set, symbols: None }).unwrap().config;
    let defaults = Config::defaults().unwrap();
    assert_eq!((config.orchestration.consensus.high, config.orchestration.consensus.low), (0.7, 0.4));
    assert_eq!(config.orchestration.symbols.len(), 1, "lists replace");
    assert_eq!(config.orchestration.schedules, defaults.orchestration.schedules);
    assert_eq!(config.risk, defaults.risk);
}

#[test]
fn an_asset_of_the_defaults_is_taken_out_by_null() {
    let dir = dir_with("portfolio.yaml", "target_allocation: {XRP: null, BTC: 50, USDT: 50}\n");
    let config = load_dir(dir.path()).unwrap().config;
    assert_eq!(config.portfolio.target_allocation.len(), 2);
}

#[test]
fn what_is_shown_reads_back_as_the_same_configuration() {
    let shown = load_set(&[
        "risk.leverage.max_by_drawdown=[{from_pct: 1.5, max: 2}]",
        "agents.trading_decision.leverage=2",
    ])
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    for file in andon::config::ConfigFile::ALL {
        fs::write(dir.path().join(file.file_name()), shown.to_yaml(Some(file)).unwrap()).unwrap();
    }
    let again = load_dir(dir.path()).unwrap().config;
    assert_eq!(again, shown.config);
    assert_eq!(again.fingerprint().unwrap(), shown.config.fingerprint().unwrap());
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_line() {
    for (text, expected) in [
        ("", "risk.yaml: the file is empty; remove it to use the defaults"),
        ("# only words\n", "risk.yaml: the file is empty"),
        ("- a\n- b\n", "risk.yaml: not a map of keys"),
        ("just words\n", "risk.yaml: not a map of keys"),
        ("stop:\n  distance_min_pct: [1\n", "risk.yaml:3:1: not readable as YAML"),
        ("stop:\n\tdistance: 1\n", "risk.yaml:2:1: not readable as YAML"),
        (
            "size: {}\nsize: {}\n",
            "risk.yaml:1:1: not readable as YAML: in the map that begins here, duplicate entry with key \"size\"",
        ),
    ] {
        let found = file_problems("risk.yaml", text);
        assert_eq!(found.len(), 1, "{text:?}: {found:#?}");
        assert!(found[0].starts_with(expected), "{text:?}: {}", found[0]);
    }
}

#[test]
fn a_text_that_is_not_utf_8_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("risk.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    assert!(problems(load_dir(dir.path()))[0].contains("not UTF-8 text, from byte 0 on"));
}

#[test]
fn keys_and_values_are_named_with_line_and_column() {
    for (name, text, expected) in [
        (
            "orchestration.yaml",
            "consensus:\n  low: 0.3\n  hihg: 0.7\n",
            "orchestration.yaml:3:3: consensus.hihg: not a key; did you mean `high`?",
        ),
        (
            "console.yaml",
            "colours: 5\n",
            "console.yaml:1:1: colours: not a key; allowed: frames_per_second, traffic_kept, log_kept, keys",
        ),
        (
            "orchestration.yaml",
            "consensus: {low: 0.3, high: much}\n",
            "orchestration.yaml:1:23: consensus.high: string \"much\", allowed: a number",
        ),
        (
            "orchestration.yaml",
            "schedules:\n  tasks:\n    trading_decision:\n      depends_on:\n        - technical_analysis\n        - regime\n",
            "orchestration.yaml:6:11: schedules.tasks.trading_decision.depends_on[1]: `regime` is not allowed; did you \
             mean `regime_detection`?",
        ),
        (
            "risk.yaml",
            "# mine\nleverage:\n  max_by_regime:\n    chopy: 1\n",
            "risk.yaml:4:5: leverage.max_by_regime.chopy: `chopy` is not allowed; did you mean `choppy`?",
        ),
        (
            "risk.yaml",
            "leverage:\n  max_by_drawdown:\n    - from_pct: 5\n",
            "risk.yaml:3:7: leverage.max_by_drawdown[0]: the key `max` is missing",
        ),
        (
            "risk.yaml",
            "breakers:\n  daily_loss_pct: 105\n",
            "risk.yaml:2:3: breakers.daily_loss_pct: 105 is not a percentage between 0 and 100",
        ),
        (
            "orchestration.yaml",
            "symbols: [BTC/USDT, btcusdt]\n",
            "orchestration.yaml:1:21: symbols[1]: `btcusdt` is not a symbol: write BASE/QUOTE",
        ),
        (
            "orchestration.yaml",
            "consensus:\n  low: 0.9\n",
            "orchestration.yaml:2:3: consensus.low: 0.9 must be below consensus.high (0.66)",
        ),
        (
            "orchestration.yaml",
            "consensus:\n  high: 0.2\n",
            "orchestration.yaml:2:3: consensus.high: 0.2 is out of range; allowed: 0.5 to 1",
        ),
    ] {
        let found = file_problems(name, text);
        assert!(found[0].starts_with(expected), "{text}: {found:#?}");
    }
}

#[test]
fn a_section_without_anything_in_it_is_named_with_its_line() {
    for (name, text, expected) in [
        ("portfolio.yaml", "# mine\ndca:\n#  legs_max: 4\n", "portfolio.yaml:2:1: dca: is there and empty"),
        ("portfolio.yaml", "dca: ~\n", "portfolio.yaml:1:1: dca: is there and empty"),
        ("portfolio.yaml", "dca:\n  legs_max:\n", "portfolio.yaml:2:3: dca.legs_max: is there and empty"),
        (
            "risk.yaml",
            "leverage: {max_by_drawdown: null}\n",
            "risk.yaml:1:12: leverage.max_by_drawdown: is there",
        ),
        ("orchestration.yaml", "symbols:\n", "orchestration.yaml:1:1: symbols: is there and empty"),
        ("console.yaml", "keys:\nlog_kept: 100\n", "console.yaml:1:1: keys: is there and empty"),
    ] {
        let found = file_problems(name, text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{text}: {found:#?}");
    }
    let found = problems(load_set(&["portfolio.dca="]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("--set portfolio.dca=: dca: is there and empty"), "{found:?}");
}

#[test]
fn all_problems_are_found_at_once() {
    let text =
        "consensus: {low: 2, hihg: 1}\nsignals: {max_age: 30}\nsymbols: [BTC/USDT, BTC/USDT]\nlmm: 1\n";
    let found = file_problems("orchestration.yaml", text);
    assert_eq!(found.len(), 6, "{found:#?}");
    for key in ["consensus.low: 2 is out", "consensus.low: 2 must", "hihg", "max_age", "symbols[1]", "lmm"] {
        assert!(found.iter().any(|problem| problem.contains(key)), "{key}: {found:#?}");
    }
}

#[test]
fn a_directory_that_is_none_or_holds_strangers_is_refused() {
    let none = problems(load_dir(Path::new("/nowhere/at/all")));
    assert!(none[0].contains("`andon config init DIR` writes one"), "{none:?}");
    let empty = tempfile::tempdir().unwrap();
    assert!(problems(load_dir(empty.path()))[0].contains("no configuration file is in this directory"));
    let found = file_problems("riks.yaml", "size: {}\n");
    assert_eq!(found, ["riks.yaml: not a configuration file of andon; did you mean `risk.yaml`?"]);
    assert!(file_problems("risk.yml", "size: {}\n")[0].contains("did you mean `risk.yaml`?"));
}

#[test]
fn values_out_of_range_are_refused() {
    for (set, allowed) in [
        ("orchestration.symbols=[]", "1 to 100"),
        ("orchestration.control.halt_confirm_within=0s", "1s to 1m"),
        ("orchestration.control.release_code_valid_for=1h", "10s to 5m"),
        ("orchestration.message_bus.max_history_size=0", "1 to 1000000"),
        ("orchestration.message_bus.max_message_bytes=65537", "1024 to 65536"),
        ("orchestration.message_bus.cleanup_every=0s", "1s to 1h"),
        ("orchestration.llm.resolve_within=1ms", "100ms to 1m"),
        ("orchestration.degradation.reduced_from=0", "1 to 100"),
        ("orchestration.degradation.failures_max=101", "1 to 100"),
        ("orchestration.degradation.successes_to_recover=0", "1 to 100"),
        ("orchestration.degradation.forced_review_after=1s", "1m to 7days"),
        ("orchestration.degradation.forced_end_warned_before=2days", "0s to 1day"),
        ("orchestration.degradation.failure_spacing=2h", "0s to 1h"),
        ("orchestration.degradation.symbol_lock_after=0", "1 to 100"),
        ("orchestration.consensus.max_boost=1.1", "0 to 1"),
        ("orchestration.consensus.max_boost=.nan", "0 to 1"),
        ("orchestration.consensus.max_penalty=-.inf", "0 to 1"),
        ("orchestration.consensus.min_voices_for_boost=4", "1 to 3"),
        ("orchestration.consensus.fresh_candles_min=0", "2 to 100"),
        ("orchestration.consensus.fresh_for.regime=0s", "1s to 1day"),
        ("orchestration.signals.max_age=0s", "1s to 1day"),
        ("orchestration.signals.max_age_candles=0", "2 to 100"),
        ("orchestration.signals.feed_stale_after=2days", "1s to 1day"),
        ("orchestration.signals.feed_stale_candles=101", "2 to 100"),
        ("orchestration.market.jump_max_pct=0", "1 to 100"),
        ("orchestration.market.stale_held_max=59s", "1m to 30days"),
        ("orchestration.conflicts.confidence_gap=-0.1", "0 to 1"),
        ("orchestration.conflicts.modification_bounds.leverage_min=0", "1 to 100"),
        ("orchestration.schedules.concurrent_max=0", "1 to 64"),
        ("orchestration.schedules.tasks.technical_analysis.every=0s", "1s to 7days"),
        ("orchestration.schedules.tasks.technical_analysis.timeout=0s", "100ms to 1h"),
        ("orchestration.schedules.tasks.technical_analysis.concurrent=0", "1 to 64"),
        ("orchestration.health.every=0s", "1s to 1h"),
        ("orchestration.health.disk_free_min_mib=0", "1 to 1048576"),
        ("orchestration.health.clock_drift_max=0s", "100ms to 1h"),
        ("orchestration.health.execution_errors_max=0", "1 to 100"),
        ("orchestration.health.task_failing_after=0", "1 to 100"),
        ("orchestration.health.provider_down_after=0", "1 to 100"),
        ("orchestration.store.outbox_wait_max=0s", "10ms to 1m"),
        ("orchestration.store.outbox_records_max=0", "1 to 1000000"),
        ("orchestration.store.segment_records=1", "100 to 1000000"),
        ("risk.stop.distance_min_pct=0", "above 0, up to 100"),
        ("risk.stop.reward_risk_min=-1", "0 to 100"),
        ("risk.confidence.losses_some=0", "1 to 100"),
        ("risk.confidence.raise_many=1.1", "0 to 1"),
        ("risk.size.per_symbol_max_pct=0", "above 0, up to 100"),
        ("risk.size.loss_at_stop_max_pct=0", "above 0, up to 100"),
        ("risk.size.spike_atr_ratio=0.5", "1 to 100"),
        ("risk.leverage.max_by_regime.choppy=0", "1 to 100"),
        ("risk.leverage.max_by_regime.choppy=1000", "1 to 100"),
        ("risk.exposure.correlated_max_pct=0", "above 0, up to 100"),
        ("risk.exposure.positions_max=0", "1 to 1000"),
        ("risk.exposure.margin_max_pct=0", "above 0, up to 100"),
        ("risk.stop.target_costs_min=-1", "0 to 1000"),
        ("risk.orders.price_collar_pct=0", "above 0, up to 100"),
        ("risk.orders.duplicate_within=2days", "0s to 1h"),
        ("risk.orders.per_minute_max=1025", "1 to 1024"),
        ("risk.breakers.daily_loss_pct=0", "above 0, up to 100"),
        ("risk.cooldown.losses=0", "1 to 100"),
        ("risk.cooldown.for=8days", "0s to 7days"),
        ("portfolio.rebalancing.threshold_pct=0", "above 0, up to 100"),
        ("portfolio.rebalancing.every_min=1s", "1m to"),
        ("portfolio.rebalancing.trade_min=2000000000 USDT", "0 to 1000000000"),
        ("portfolio.rebalancing.gain_per_cost_min=-1", "0 to 1000000"),
        ("portfolio.dca.legs_max=0", "1 to 1000"),
        ("portfolio.dca.spacing=0s", "1s to 30days"),
        ("portfolio.dca.leg_min=0%", "above 0, such as"),
        ("portfolio.dca.max_lateness=31days", "0s to 30days"),
        ("portfolio.dca.intent_valid_for=0s", "1s to 1day"),
        ("portfolio.dca.offer_again_after=0s", "1s to 1day"),
        ("execution.account.start.BTC=-1", "0 to 1000000000"),
        ("execution.execution.entry_valid_for=0s", "1s to 7days"),
        ("execution.execution.answer_within=1h", "100ms to 5m"),
        ("execution.execution.ask_again_after=0s", "1s to 1h"),
        ("execution.execution.cancel_again_after=0s", "100ms to 1m"),
        ("execution.execution.cancel_reported_after=1h", "1s to 5m"),
        ("execution.execution.closing_again_after=0s", "1s to 1h"),
        ("execution.execution.closing_tries_max=0", "1 to 100"),
        ("execution.paper.fee_pct=11", "0 to 10"),
        ("execution.paper.slippage_pct=11", "0 to 10"),
        ("execution.paper.leverage_max=2", "1, the paper venue trades spot"),
        ("execution.paper.price_fresh_for=0s", "1s to 1day"),
        ("execution.paper.price_fresh_candles=1", "2 to 100"),
        ("console.frames_per_second=0", "1 to 60"),
        ("console.traffic_kept=1", "10 to 100000"),
        ("console.log_kept=1000000", "10 to 100000"),
    ] {
        let key = set.split_once('=').unwrap().0.split_once('.').unwrap().1;
        assert_refused(set, key, &format!("is out of range; allowed: {allowed}"));
    }
}

#[test]
fn a_least_amount_is_neither_negative_nor_more_than_everything() {
    assert_refused(
        "portfolio.dca.at_once_below=101%",
        "dca.at_once_below",
        "101 is not a percentage between 0 and 100",
    );
    assert_refused(
        "risk.orders.entry_min=-1 USDT",
        "orders.entry_min",
        "is below zero; allowed: a share of the equity",
    );
}

#[test]
fn lengths_and_thresholds_of_agents_out_of_range_are_refused() {
    for (set, allowed) in [
        ("agents.indicators.ema_fast=1", "2 to 500"),
        ("agents.indicators.ema_trend=501", "2 to 500"),
        ("agents.indicators.rsi=1", "2 to 500"),
        ("agents.indicators.hourly_atr=25", "2 to 24"),
        ("agents.indicators.macd.signal=0", "2 to 500"),
        ("agents.indicators.bollinger.period=1", "2 to 500"),
        ("agents.indicators.bollinger.deviations=0", "above 0, up to 10"),
        ("agents.indicators.average=1", "2 to 500"),
        ("agents.technical_analysis.bias_from=0", "above 0, up to 1"),
        ("agents.regime_detection.adx_trending=101", "0 to 100"),
        ("agents.regime_detection.choppiness_choppy=-1", "0 to 100"),
        ("agents.regime_detection.atr_ratio_volatile=0", "above 0, up to 100"),
        ("agents.regime_detection.width_ratio_breakout=.nan", "above 0, up to 100"),
        ("agents.trading_decision.stop_atr=0", "above 0, up to 100"),
        ("agents.trading_decision.take_profit_stops=101", "above 0, up to 100"),
        ("agents.trading_decision.size_pct=0", "above 0, up to 100"),
        ("agents.trading_decision.leverage=0.5", "1 to 100"),
    ] {
        let key = set.split_once('=').unwrap().0.split_once('.').unwrap().1;
        assert_refused(set, key, &format!("is out of range; allowed: {allowed}"));
    }
}

#[test]
fn contradictions_in_the_orchestration_are_refused() {
    for (set, key, text) in [
        (
            "orchestration.degradation.limited_from=9",
            "degradation.limited_from",
            "9 must be below degradation.emergency_from (9)",
        ),
        ("orchestration.degradation.failures_max=8", "degradation.emergency_from", "must not be above"),
        ("orchestration.consensus.low=0.66", "consensus.low", "must be below consensus.high"),
        (
            "orchestration.conflicts.modification_bounds.leverage_min=6",
            "conflicts.modification_bounds.leverage_min",
            "must not be above",
        ),
        (
            "orchestration.conflicts.defaults.risk_override=proceed",
            "conflicts.defaults.risk_override",
            "allowed: wait, abort",
        ),
        (
            "orchestration.conflicts.defaults.risk_override=modify",
            "conflicts.defaults.risk_override",
            "allowed: wait, abort",
        ),
        (
            "orchestration.conflicts.defaults.regime_conflict=modify",
            "conflicts.defaults.regime_conflict",
            "allowed: proceed, wait, abort",
        ),
        ("orchestration.llm.primary={name: Al pha, timeout: 5s}", "llm.primary.name", "a to z"),
        (
            "orchestration.llm.primary={name: alpha, timeout: 11s}",
            "llm.primary.timeout",
            "above llm.resolve_within",
        ),
        ("orchestration.llm.primary={name: alpha, timeout: 5s, url: x}", "llm.primary.url", "not a key"),
        ("orchestration.llm.fallback={name: alpha, timeout: 5s}", "llm.fallback", "needs a primary"),
        (
            "orchestration.llm={primary: {name: a, timeout: 2s}, fallback: {name: a, timeout: 2s}}",
            "llm.fallback.name",
            "is the primary already",
        ),
        (
            "orchestration.llm={primary: {name: a, timeout: 6s}, fallback: {name: b, timeout: 5s}}",
            "llm.primary.timeout",
            "11s in all",
        ),
        (
            "orchestration.emergency.actions.daily_loss={action: pause_trading, reduce_pct: 5}",
            "emergency.actions.daily_loss.reduce_pct",
            "only with action: reduce_positions",
        ),
        (
            "orchestration.emergency.actions.daily_loss={action: reduce_positions}",
            "emergency.actions.daily_loss",
            "needs reduce_pct",
        ),
        (
            "orchestration.emergency.actions.weekly_loss.reduce_pct=0",
            "emergency.actions.weekly_loss.reduce_pct",
            "above 0",
        ),
        (
            "orchestration.emergency.actions.daily_loss.close_positions=true",
            "emergency.actions.daily_loss.close_positions",
            "only with action: halt_all",
        ),
        (
            "orchestration.schedules.tasks.sentiment_analysis=null",
            "schedules.tasks.sentiment_analysis",
            "the task is missing",
        ),
        (
            "orchestration.schedules.tasks.sentiment_analysis.depends_on=[technical_analysis, technical_analysis]",
            "schedules.tasks.sentiment_analysis.depends_on",
            "twice",
        ),
        (
            "orchestration.schedules.tasks.technical_analysis.depends_on=[technical_analysis]",
            "schedules.tasks.technical_analysis.depends_on",
            "technical_analysis -> technical_analysis;",
        ),
        (
            "orchestration.schedules.tasks.sentiment_analysis.depends_on=[trading_decision]",
            "schedules.tasks.sentiment_analysis.depends_on",
            "sentiment_analysis -> trading_decision -> sentiment_analysis",
        ),
        ("orchestration.symbols=[BTC/USDT, XRP/BTC, BTC/USDT]", "symbols[2]", "there twice"),
        (
            "orchestration.symbols=[BTC/USDT, XRP/USDT, ETH/EUR]",
            "symbols[2]",
            "add the pair EUR/USDT to symbols (to a replay: its file), or change account.currency",
        ),
    ] {
        assert_refused(set, key, text);
    }
}

#[test]
fn contradictions_in_the_risk_rules_are_refused() {
    for (set, key, text) in [
        (
            "risk.stop={distance_min_pct: 6, distance_max_pct_by_symbol: {BTC/USDT: null}}",
            "stop.distance_min_pct",
            "must be below stop.distance_max_pct (5)",
        ),
        (
            "risk.stop.distance_max_pct_by_symbol={BTC/USDT: 6}",
            "stop.distance_max_pct_by_symbol.BTC/USDT",
            "up to distance_max_pct (5)",
        ),
        (
            "risk.confidence.min_by_regime.choppy=null",
            "confidence.min_by_regime",
            "the regime choppy is missing",
        ),
        (
            "risk.leverage.max_by_regime.unknown=null",
            "leverage.max_by_regime",
            "the regime unknown is missing",
        ),
        ("risk.confidence.losses_many=3", "confidence.losses_some", "must be below"),
        ("risk.confidence.raise_some=0.3", "confidence.raise_some", "must not be above"),
        (
            "risk.leverage.max_by_drawdown=[{from_pct: 5, max: 3}, {from_pct: 5, max: 2}]",
            "leverage.max_by_drawdown[1]",
            "from_pct must rise",
        ),
        (
            "risk.leverage.max_by_drawdown=[{from_pct: 5, max: 2}, {from_pct: 6, max: 3}]",
            "leverage.max_by_drawdown[1]",
            "out of order",
        ),
        (
            "risk.leverage.max_by_drawdown=[{from_pct: 5, max: 0}]",
            "leverage.max_by_drawdown[0].max",
            "allowed: 1 to 100",
        ),
        (
            "risk.leverage.max_by_confidence=[{from: 0.5, max: 3}, {from: 0.6, max: 2}]",
            "leverage.max_by_confidence[1]",
            "from must fall",
        ),
        (
            "risk.exposure.correlated_max_pct=90",
            "exposure.correlated_max_pct",
            "must not be above exposure.total_max_pct (80)",
        ),
        ("risk.exposure.correlation_groups=[[]]", "exposure.correlation_groups[0]", "an empty group"),
        (
            "risk.breakers.daily_loss_pct=11",
            "breakers.daily_loss_pct",
            "must not be above breakers.weekly_loss_pct (10)",
        ),
        ("risk.breakers.max_drawdown_pct=9", "breakers.weekly_loss_pct", "must not be above"),
        ("agents.trading_decision.take_profit_stops=1.4", "trading_decision.take_profit_stops", "LOW_RR"),
        ("agents.indicators.ema_fast=21", "indicators.ema_fast", "must be below indicators.ema_medium (21)"),
        ("agents.indicators.ema_trend=50", "indicators.ema_slow", "must be below indicators.ema_trend (50)"),
        ("agents.indicators.macd.slow=12", "indicators.macd.fast", "must be below indicators.macd.slow (12)"),
    ] {
        assert_refused(set, key, text);
    }
}

#[test]
fn contradictions_in_money_and_keys_are_refused() {
    for (set, key, text) in [
        ("portfolio.target_allocation.BTC=40", "target_allocation", "sum to 106.67 and must sum to 100"),
        ("portfolio.target_allocation.BTC=33.2", "target_allocation", "sum to 99.87"),
        ("execution.account.start={USDT: 0}", "account.start", "would be empty"),
        ("execution.account.start.DOGE=5", "account.start.DOGE", "add the pair DOGE/USDT"),
        ("console.keys.pause=[]", "keys.pause", "no key given"),
        ("console.keys.pause=null", "keys.pause", "no key given"),
        ("console.keys.pause=[FooBar]", "keys.pause[0]", "`FooBar` is not a key: write one character"),
        ("console.keys.resume=[p]", "keys.resume", "taken by pause"),
        ("console.keys.pauze=[x]", "keys.pauze", "did you mean `pause`?"),
    ] {
        assert_refused(set, key, text);
    }
}

#[test]
fn a_least_amount_has_a_unit_a_price_and_is_within_reach_of_the_account() {
    let btc = "execution.account={currency: BTC, start: {USDT: null, BTC: 1}}";
    let pairs = "orchestration.symbols=[LTC/BTC]";
    let targets = "portfolio.target_allocation={BTC: 50, LTC: 50, XRP: null}";
    for (file, key) in
        [("risk", "orders.entry_min"), ("portfolio", "rebalancing.trade_min"), ("portfolio", "dca.leg_min")]
    {
        let refused = |value: &str| {
            let set = format!("{file}.{key}={value}");
            let found = problems(load_set(&[btc, pairs, targets, &set]));
            assert!(found.len() == 1 && found[0].contains(key), "{found:#?}");
            found[0].clone()
        };
        let bare = refused("10");
        assert!(bare.contains("`10` has no unit") && bare.contains("`0.1%`"), "{bare}");
        assert!(bare.contains("`10 USDT`"), "{bare}");
        let unpriced = refused("10 USDT");
        assert!(unpriced.contains("`10 USDT` has no price in BTC, the account currency"), "{unpriced}");
        let beyond = refused("10 BTC");
        assert!(beyond.contains("`10 BTC` is more than there can ever be: the most is"), "{beyond}");
        assert!(beyond.contains("of account.start (1 BTC)"), "{beyond}");
        assert!(load_set(&[btc, pairs, targets, &format!("{file}.{key}=0.001 BTC")]).is_ok());
    }
    assert_refused("risk.orders.entry_min=21%", "orders.entry_min", "the most is 20% of the equity");
    assert!(load_set(&["portfolio.dca.at_once_below=100000 USDT"]).is_ok(), "always at once");
    assert!(load_set(&["portfolio.dca.leg_min=0.0001 BTC"]).is_ok(), "BTC has a price");
    assert_refused("portfolio.dca.at_once_below=100000", "dca.at_once_below", "`100000` has no unit");
}

#[test]
fn the_account_currency_and_cash_are_one_target() {
    let targets = |set: &[&str]| {
        let config = load_set(set).unwrap().config;
        let targets = config.portfolio.targets(&config.execution.account.currency);
        targets.into_iter().map(|(asset, share)| format!("{asset} {share}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(targets(&[]), "BTC 33.33%, USDT 33.34%, XRP 33.33%");
    let pairs = "orchestration.symbols=[BTC/USD, XRP/USD]";
    let usd = "execution.account={currency: USD, start: {USDT: null, USD: 10000}}";
    assert_eq!(targets(&[pairs, usd]), "BTC 33.33%, USD 33.34%, XRP 33.33%");
    for own in ["{BTC: 50, XRP: null, USD: 50}", "{BTC: 50, XRP: null, cash: 50}"] {
        let set = format!("portfolio.target_allocation={own}");
        assert_eq!(targets(&[pairs, usd, &set]), "BTC 50%, USD 50%", "{own}");
    }
    assert_eq!(
        targets(&["portfolio.target_allocation={BTC: 50, XRP: 50, USDT: 0}"]),
        "BTC 50%, USDT 0%, XRP 50%"
    );
    assert_eq!(targets(&["portfolio.target_allocation={BTC: 50, XRP: 50, USDT: null}"]), "BTC 50%, XRP 50%");
    let btc = "execution.account={currency: BTC, start: {USDT: null, BTC: 1}}";
    let ltc = "orchestration.symbols=[LTC/BTC, XRP/BTC]";
    assert_eq!(targets(&[ltc, btc]), "BTC 66.67%, XRP 33.33%", "what the defaults say of BTC and of cash");
    for own in ["{BTC: 50, LTC: 50, XRP: null, USDT: null}", "{cash: 50, LTC: 50, BTC: null, XRP: null}"] {
        let set = format!("portfolio.target_allocation={own}");
        assert_eq!(targets(&[ltc, btc, &set]), "BTC 50%, LTC 50%", "{own}");
    }
    assert_refused(
        "portfolio.target_allocation={USDT: 20, cash: 33.34}",
        "target_allocation",
        "`cash` and `USDT` both name the account currency; keep one of them",
    );
    assert_refused("portfolio.target_allocation.csh=5", "target_allocation.csh", "or `cash`");
}

#[test]
fn a_sum_within_the_tolerance_is_accepted() {
    for set in ["portfolio.target_allocation.BTC=33.43", "portfolio.target_allocation.BTC=33.23"] {
        assert!(load_set(&[set]).is_ok(), "{set}");
    }
}

#[test]
fn what_is_allowed_but_odd_is_a_warning() {
    let warnings = |set: &[&str]| {
        let loaded = load_set(set).unwrap();
        loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let found = warnings(&["portfolio.target_allocation={BTC: 50, XRP: null, USDT: 40, ETH: 10}"]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("ETH: no symbol trades ETH against USDT: it is left out"), "{}", found[0]);

    let through_btc = "orchestration.symbols=[BTC/USDT, XRP/BTC]";
    let found = warnings(&[through_btc, "execution.account.start.XRP=1000"]);
    for part in [
        "target_allocation.XRP: no symbol trades XRP against USDT: it is left out",
        "account.start.XRP: no symbol trades XRP against USDT: it counts in the equity",
    ] {
        assert!(found.iter().any(|warning| warning.contains(part)), "{part}: {found:#?}");
    }

    let found = warnings(&["risk.exposure.correlation_groups=[[BTC/USDT, XRP/USDTT]]"]);
    for part in [
        "XRP/USDTT is not among the symbols traded; the group does not count it",
        "XRP/USDT is in no group: exposure.correlated_max_pct does not limit it",
        "XRP/BTC is in no group",
    ] {
        assert!(found.iter().any(|warning| warning.contains(part)), "{part}: {found:?}");
    }
    let found = warnings(&["orchestration.schedules.concurrent_max=2"]);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("is above schedules.concurrent_max (2)"));

    let found = warnings(&["risk.stop.distance_max_pct_by_symbol.ETH/USDT=2"]);
    assert!(found[0].contains("not among the symbols traded"), "{found:#?}");
}

#[test]
fn an_action_for_a_breach_that_no_breaker_has_is_refused() {
    for (name, said) in [
        ("dayly_loss", "(there are daily_loss, weekly_loss, max_drawdown); did you mean `daily_loss`?"),
        ("loss_of_the_week", "no breaker has this name (there are daily_loss, weekly_loss, max_drawdown)"),
    ] {
        let set = format!("orchestration.emergency.actions.{name}={{action: halt_all}}");
        let found = problems(load_set(&[&set]));
        assert!(found.len() == 1 && found[0].contains(said), "{found:#?}");
    }
}

#[test]
fn a_pair_of_which_an_asset_is_three_pairs_away_from_the_currency_is_refused() {
    let found = problems(load_set(&["orchestration.symbols=[BTC/USDT, ETH/BTC, XRP/ETH]"]));
    assert!(found.iter().any(|problem| problem.contains("XRP/ETH has no price in USDT")), "{found:#?}");
    assert_eq!(found.len(), 1, "ETH is two away: {found:#?}");
}

#[test]
fn a_problem_without_place_in_a_file_names_the_default_or_the_option() {
    let found = problems(load_set(&["execution.account.currency=EUR"]));
    assert!(found.iter().any(|p| p.starts_with("built-in orchestration.yaml: symbols[0]:")), "{found:#?}");
}

#[test]
fn the_error_lists_and_counts() {
    let text = load_set(&["risk.cooldown.losses=0", "console.log_kept=1"]).unwrap_err().to_string();
    assert!(text.starts_with("the configuration is refused, 2 problems:\n  "), "{text}");
    assert_eq!(text.lines().count(), 3);
}
