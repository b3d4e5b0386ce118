//! Rules of `portfolio.yaml` and `execution.yaml`: amounts, and that everything has a price.

use std::time::Duration;

use rust_decimal::Decimal;

use super::check::{Check, Shown};
use super::{CANDLES_MAX, DAY, HOUR, MINUTE, SECOND};
use crate::config::key_path::KeyPath;
use crate::config::{Config, Minimum, converts, price_path};
use crate::domain::{AGE_CANDLES_MIN, Asset, Money, Pct, Symbol, checked_add, checked_sub};

/// Most that fee or slippage may take of a trade, percent.
pub(super) const COST_MAX: Decimal = Decimal::TEN;

/// The largest amount any key may hold, in the account currency; above it is a slip of the pen.
const AMOUNT_MAX: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

/// A gain of more times its cost than this is never reached.
const FACTOR_MAX: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// How far the targets may be from 100, in points.
const TARGET_SUM_TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 1);

/// Whether both assets of the symbol have a worth in the account currency: what is bought, and what it is paid with.
pub(super) fn symbol_is_priced(symbol: &Symbol, symbols: &[Symbol], currency: &Asset) -> bool {
    [symbol.base(), symbol.quote()].into_iter().all(|asset| price_path(symbols, asset, currency).is_some())
}

/// Whether the rebalance can move the asset: one trade turns it into the account currency and back.
fn is_rebalanced(asset: &Asset, symbols: &[Symbol], currency: &Asset) -> bool {
    asset == currency || symbols.iter().any(|symbol| symbol.base() == asset && symbol.quote() == currency)
}

pub(super) fn check_portfolio(config: &Config, check: &mut Check) {
    let file = &config.portfolio;
    targets(config, check);
    check.above("rebalancing.threshold_pct", file.rebalancing.threshold_pct, Pct::ZERO, Pct::HUNDRED);
    check.range("rebalancing.every_min", file.rebalancing.every_min, MINUTE, 365 * DAY);
    check.range(
        "rebalancing.gain_per_cost_min",
        file.rebalancing.gain_per_cost_min,
        Decimal::ZERO,
        FACTOR_MAX,
    );
    let minimum = |key: &'static str, minimum: &Minimum, check: &mut Check| {
        least(key, minimum, config, check);
        within_reach(key, minimum, Pct::HUNDRED, config, check);
    };
    minimum("rebalancing.trade_min", &file.rebalancing.trade_min, check);
    minimum("dca.leg_min", &file.dca.leg_min, check);
    // Not `within_reach`: above the whole account it means "always at once".
    least("dca.at_once_below", &file.dca.at_once_below, config, check);
    if matches!(&file.dca.leg_min, Minimum::Share(share) if *share == Pct::ZERO)
        || matches!(&file.dca.leg_min, Minimum::Amount(amount) if amount.amount.is_zero())
    {
        let text =
            format!("{} is out of range; allowed: above 0, such as `0.1%` or `10 USDT`", file.dca.leg_min);
        check.problem(KeyPath::of("dca.leg_min"), text);
    }
    check.range("dca.legs_max", file.dca.legs_max, 1, 1_000);
    check.range("dca.spacing", file.dca.spacing, SECOND, 30 * DAY);
    check.range("dca.max_lateness", file.dca.max_lateness, Duration::ZERO, 30 * DAY);
    check.range("dca.intent_valid_for", file.dca.intent_valid_for, SECOND, DAY);
    check.range("dca.offer_again_after", file.dca.offer_again_after, SECOND, DAY);
}

/// A least amount is no slip of the pen, and has a worth in the account currency.
pub(super) fn least(key: &str, minimum: &Minimum, config: &Config, check: &mut Check) {
    let Minimum::Amount(Money { amount, currency: asset }) = minimum else { return };
    check.range(key, *amount, Decimal::ZERO, AMOUNT_MAX);
    let currency = &config.execution.account.currency;
    if !converts(&config.orchestration.symbols, asset, currency) {
        check.problem(
            KeyPath::of(key),
            format!(
                "`{minimum}` has no price in {currency}, the account currency: write an amount in {currency}, or a share \
                 of the equity at the first start (`0.1%`)"
            ),
        );
    }
}

/// An order of this size is possible for an account that may put `most` of its equity into one. What the account starts
/// with is known here only where it is all in the account currency; anything else is known when it has a price.
pub(super) fn within_reach(key: &str, minimum: &Minimum, most: Pct, config: &Config, check: &mut Check) {
    if most == Pct::ZERO {
        // That is a fault of its own, and named as one.
        return;
    }
    let account = &config.execution.account;
    let unreachable = |allowed: String| {
        format!(
            "`{minimum}` is more than there can ever be: the most is {allowed}; lower it, such as to `0.1%`"
        )
    };
    match minimum {
        Minimum::Share(share) if *share > most => {
            check.problem(KeyPath::of(key), unreachable(format!("{most} of the equity")));
        }
        // A larger one is out of range, which is said elsewhere.
        Minimum::Amount(amount) if amount.currency == account.currency && amount.amount <= AMOUNT_MAX => {
            let mut owned = account.start.iter().filter(|(_, amount)| !amount.is_zero());
            let all_cash = owned.all(|(asset, _)| *asset == account.currency);
            let cash = account.start.get(&account.currency).copied().unwrap_or_default();
            if let Ok(reach) = most.of(cash)
                && all_cash
                && amount.amount > reach
            {
                let start = Money::new(cash, account.currency.clone());
                check.problem(KeyPath::of(key), unreachable(format!("{most} of account.start ({start})")));
            }
        }
        Minimum::Share(_) | Minimum::Amount(_) => {}
    }
}

fn targets(config: &Config, check: &mut Check) {
    let path = || KeyPath::of("target_allocation");
    let targets = &config.portfolio.target_allocation;
    let currency = &config.execution.account.currency;
    let symbols = &config.orchestration.symbols;

    let sum = targets.values().try_fold(Decimal::ZERO, |sum, share| checked_add(sum, share.value()));
    let distance = sum.and_then(|sum| checked_sub(sum, Decimal::ONE_HUNDRED));
    if !distance.is_ok_and(|distance| distance.abs() <= TARGET_SUM_TOLERANCE) {
        let parts: Vec<_> =
            targets.iter().map(|(asset, share)| format!("{asset} {}", share.shown())).collect();
        check.problem(
            path(),
            format!(
                "the targets sum to {} and must sum to 100 (within {TARGET_SUM_TOLERANCE}): {}; an asset of the \
                 defaults is taken out by `ASSET: null`",
                sum.map_or_else(|e| e.to_string(), |sum| sum.shown()),
                parts.join(", "),
            ),
        );
    }
    let is_rebalanced = |asset: &Asset| is_rebalanced(asset, symbols, currency);
    let targets = config.portfolio.targets(currency);
    for asset in targets.keys().filter(|asset| !is_rebalanced(asset)) {
        check.warning(
            path().key(asset),
            format!(
                "no symbol trades {asset} against {currency}: it is left out and the other targets are scaled up to 100; \
                 to include it add {asset}/{currency} (symbols in orchestration.yaml; in a replay, one more file), or \
                 change account.currency in execution.yaml"
            ),
        );
    }
    if !targets.iter().any(|(asset, share)| is_rebalanced(asset) && *share > Pct::ZERO) {
        check.problem(path(), format!("no target is left that can be traded against {currency}"));
    }
}

pub(super) fn check_execution(config: &Config, check: &mut Check) {
    let file = &config.execution;
    start(config, check);
    check.range("execution.entry_valid_for", file.execution.entry_valid_for, SECOND, 7 * DAY);
    let it = &file.execution;
    check.range("execution.answer_within", it.answer_within, Duration::from_millis(100), 5 * MINUTE);
    check.range("execution.ask_again_after", it.ask_again_after, SECOND, HOUR);
    check.range("execution.cancel_again_after", it.cancel_again_after, Duration::from_millis(100), MINUTE);
    check.not_above(
        ("execution.cancel_again_after", it.cancel_again_after),
        ("execution.cancel_reported_after", it.cancel_reported_after),
    );
    check.range("execution.cancel_reported_after", it.cancel_reported_after, SECOND, 5 * MINUTE);
    check.range("execution.closing_again_after", it.closing_again_after, SECOND, HOUR);
    check.range("execution.closing_tries_max", it.closing_tries_max, 1, 100);
    check.range("paper.fee_pct", file.paper.fee_pct.value(), Decimal::ZERO, COST_MAX);
    check.range("paper.slippage_pct", file.paper.slippage_pct.value(), Decimal::ZERO, COST_MAX);
    check.above("paper.volume_share_max_pct", file.paper.volume_share_max_pct, Pct::ZERO, Pct::HUNDRED);
    if file.paper.leverage_max != Decimal::ONE {
        let wanted = file.paper.leverage_max.shown();
        let text =
            format!("{wanted} is out of range; allowed: 1, the paper venue trades spot and lends nothing");
        check.problem(KeyPath::of("paper.leverage_max"), text);
    }
    check.range("paper.price_fresh_for", file.paper.price_fresh_for, SECOND, DAY);
    let candles = file.paper.price_fresh_candles;
    check.range("paper.price_fresh_candles", candles, AGE_CANDLES_MIN, CANDLES_MAX);
}

fn start(config: &Config, check: &mut Check) {
    let currency = &config.execution.account.currency;
    let symbols = &config.orchestration.symbols;
    let start = &config.execution.account.start;
    for (asset, amount) in start {
        let path = KeyPath::of("account.start").key(asset);
        check.range(path.clone(), *amount, Decimal::ZERO, AMOUNT_MAX);
        if price_path(symbols, asset, currency).is_none() {
            check.problem(
                path,
                format!(
                    "{asset} has no price in {currency}, so that the worth of the account would be unknown: take it \
                     out (`{asset}: null`), or add the pair {asset}/{currency} to symbols in orchestration.yaml, or \
                     change account.currency"
                ),
            );
        } else if *amount > Decimal::ZERO && !is_rebalanced(asset, symbols, currency) {
            check.warning(
                path,
                format!(
                    "no symbol trades {asset} against {currency}: it counts in the equity and can be flattened, but the \
                     rebalance leaves it out; add {asset}/{currency} to symbols in orchestration.yaml to include it"
                ),
            );
        }
    }
    if !start.values().any(|amount| *amount > Decimal::ZERO) {
        check.problem(
            KeyPath::of("account.start"),
            "the account would be empty; give at least one asset an amount",
        );
    }
}
