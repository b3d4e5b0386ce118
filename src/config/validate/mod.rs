//! What a configuration must fulfil beyond its types: ranges, and rules between keys. Finds all that is wrong.

mod check;
mod money;
mod orchestration;
mod risk;

use std::time::Duration;

use self::check::Check;
use super::file::ConfigFile;
use super::key_path::KeyPath;
use super::problem::{Finding, or_one_of};
use super::{Agents, Config, Console, IndicatorPeriods, KeyPress};
use crate::domain::{Pct, checked_mul};
use rust_decimal::Decimal;

/// What validation found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// What must be changed.
    pub problems: Vec<Finding>,
    /// What is allowed but worth a look.
    pub warnings: Vec<Finding>,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// Older than this many candles is old, whatever the feed.
const CANDLES_MAX: u32 = 100;

const DAY: Duration = Duration::from_secs(86_400);

/// Highest leverage that any key may hold; far above what any venue gives, low enough to catch a slip of the pen.
const LEVERAGE_MAX: Decimal = Decimal::ONE_HUNDRED;

/// Checks everything. Also to be asked again when a replay has replaced the symbols by those of its files.
pub fn validate(config: &Config) -> Report {
    let mut report = Report::default();
    orchestration::check(config, &mut of(ConfigFile::Orchestration, &mut report));
    agents(config, &mut of(ConfigFile::Agents, &mut report));
    risk::check(config, &mut of(ConfigFile::Risk, &mut report));
    money::check_portfolio(config, &mut of(ConfigFile::Portfolio, &mut report));
    money::check_execution(config, &mut of(ConfigFile::Execution, &mut report));
    console(&config.console, &mut of(ConfigFile::Console, &mut report));
    report
}

fn of(file: ConfigFile, report: &mut Report) -> Check<'_> {
    Check { file, report }
}

fn agents(config: &Config, check: &mut Check) {
    const FACTOR_MAX: f64 = 100.0;
    let Agents { indicators, technical_analysis, regime_detection, trading_decision } = &config.agents;
    check_indicators(indicators, check);
    check.above("technical_analysis.bias_from", technical_analysis.bias_from, 0.0, 1.0);
    check.range("regime_detection.adx_trending", regime_detection.adx_trending, 0.0, 100.0);
    check.range("regime_detection.choppiness_choppy", regime_detection.choppiness_choppy, 0.0, 100.0);
    check.above("regime_detection.atr_ratio_volatile", regime_detection.atr_ratio_volatile, 0.0, FACTOR_MAX);
    check.above(
        "regime_detection.width_ratio_breakout",
        regime_detection.width_ratio_breakout,
        0.0,
        FACTOR_MAX,
    );
    check.above("trading_decision.stop_atr", trading_decision.stop_atr, 0.0, FACTOR_MAX);
    check.above("trading_decision.take_profit_stops", trading_decision.take_profit_stops, 0.0, FACTOR_MAX);
    check.above("trading_decision.size_pct", trading_decision.size_pct, Pct::ZERO, Pct::HUNDRED);
    check.range("trading_decision.leverage", trading_decision.leverage, Decimal::ONE, LEVERAGE_MAX);

    let reward = Decimal::try_from(trading_decision.take_profit_stops);
    let reward_min = config.risk.stop.reward_risk_min;
    if reward.as_ref().is_ok_and(|reward| *reward < reward_min) {
        check.problem(
            KeyPath::of("trading_decision.take_profit_stops"),
            format!(
                "{} is below stop.reward_risk_min ({reward_min}) of risk.yaml: every entry would be rejected as LOW_RR",
                trading_decision.take_profit_stops
            ),
        );
    }
    let (stop, paper) = (&config.risk.stop, &config.execution.paper);
    if [paper.fee_pct, paper.slippage_pct].iter().any(|cost| cost.value() > money::COST_MAX) {
        // That is the fault, and named as one.
        return;
    }
    let farthest = reward.ok().and_then(|reward| checked_mul(stop.distance_max_pct.value(), reward).ok());
    let costs = paper.costs().round_trip_pct();
    let needed = costs.and_then(|costs| checked_mul(costs, stop.target_costs_min));
    if let (Some(farthest), Ok(needed)) = (farthest, needed)
        && farthest < needed
    {
        check.problem(
            KeyPath::of("trading_decision.take_profit_stops"),
            format!(
                "with stop.distance_max_pct of risk.yaml the farthest target is {} % away, and stop.target_costs_min ({}) \
                 wants {} %: every entry would be rejected as TARGET_BELOW_COST",
                farthest.normalize(),
                stop.target_costs_min,
                needed.normalize()
            ),
        );
    }
}

fn check_indicators(indicators: &IndicatorPeriods, check: &mut Check) {
    const PERIOD_MAX: u16 = 500;
    /// The history before a run is not much longer.
    const HOURS_MAX: u16 = 24;
    const DEVIATIONS_MAX: f64 = 10.0;
    let IndicatorPeriods { ema_fast, ema_medium, ema_slow, ema_trend, macd, bollinger, .. } = *indicators;
    for (key, period) in [
        ("indicators.ema_fast", ema_fast),
        ("indicators.ema_medium", ema_medium),
        ("indicators.ema_slow", ema_slow),
        ("indicators.ema_trend", ema_trend),
        ("indicators.rsi", indicators.rsi),
        ("indicators.macd.fast", macd.fast),
        ("indicators.macd.slow", macd.slow),
        ("indicators.macd.signal", macd.signal),
        ("indicators.adx", indicators.adx),
        ("indicators.atr", indicators.atr),
        ("indicators.bollinger.period", bollinger.period),
        ("indicators.choppiness", indicators.choppiness),
        ("indicators.average", indicators.average),
        ("indicators.levels", indicators.levels),
    ] {
        check.range(key, period, 2, PERIOD_MAX);
    }
    check.range("indicators.hourly_atr", indicators.hourly_atr, 2, HOURS_MAX);
    check.above("indicators.bollinger.deviations", bollinger.deviations, 0.0, DEVIATIONS_MAX);
    for (shorter, longer) in [
        (("indicators.ema_fast", ema_fast), ("indicators.ema_medium", ema_medium)),
        (("indicators.ema_medium", ema_medium), ("indicators.ema_slow", ema_slow)),
        (("indicators.ema_slow", ema_slow), ("indicators.ema_trend", ema_trend)),
        (("indicators.macd.fast", macd.fast), ("indicators.macd.slow", macd.slow)),
    ] {
        check.rising(shorter, longer);
    }
}

fn console(console: &Console, check: &mut Check) {
    check.range("frames_per_second", console.frames_per_second, 1, 60);
    check.range("traffic_kept", console.traffic_kept, 10, 100_000);
    check.range("log_kept", console.log_kept, 10, 100_000);
    let defaults = Config::defaults().map(|config| config.console.keys).unwrap_or_default();
    let known: Vec<&str> = defaults.keys().map(String::as_str).collect();
    for (action, keys) in &console.keys {
        let path = || KeyPath::of("keys").key(action);
        if !defaults.contains_key(action) {
            check.problem(path(), format!("nothing can be done by this name; {}", or_one_of(action, &known)));
        }
        if keys.is_empty() {
            check.problem(path(), "no key given; everything must stay within reach of the keyboard");
        }
        for (at, key) in keys.iter().enumerate() {
            if let Err(error) = key.parse::<KeyPress>() {
                check.problem(path().index(at), error);
            }
            let other = console.keys.iter().find(|(other, keys)| *other < action && keys.contains(key));
            if let Some((other, _)) = other {
                check.problem_between(
                    [path(), KeyPath::of("keys").key(other)],
                    format!("the key `{key}` is taken by {other} already"),
                );
            }
        }
    }
    for action in known.iter().filter(|action| !console.keys.contains_key(**action)) {
        check.problem(
            KeyPath::of("keys").key(action),
            "no key given; everything must stay within reach of the keyboard",
        );
    }
}
