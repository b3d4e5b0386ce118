//! Rule 2: every entry has a stop on the losing side, neither too near nor too far, and a target worth the risk.

use rust_decimal::Decimal;

use super::numbers::{EntryNumbers, short};
use super::view::Rejection;
use crate::config;
use crate::domain::{ReasonCode, Symbol, TradeCosts, checked_div, checked_mul, checked_sub, pct_of};

/// `STOP_LOSS_REQUIRED`, `STOP_WRONG_SIDE`, `STOP_TOO_TIGHT`, `STOP_TOO_WIDE`, `LOW_RR`, `TARGET_BELOW_COST`. Gives the distance of the
/// stop in percent of the entry. The side comes before the distance, which means nothing on the wrong side.
pub(super) fn check(
    symbol: &Symbol,
    n: &EntryNumbers,
    config: &config::Stop,
    costs: TradeCosts,
) -> Result<Decimal, Rejection> {
    let stop =
        n.stop.ok_or_else(|| Rejection::new(ReasonCode::StopLossRequired, "the signal has no stop"))?;
    if stop > n.entry {
        return Rejection::no(ReasonCode::StopWrongSide, format!("stop {stop} above entry {}", n.entry));
    }
    let risk = checked_sub(n.entry, stop)?;
    let distance_pct = pct_of(risk, n.entry)?;
    let (least, most) = (config.distance_min_pct.value(), config.distance_max(symbol).value());
    if distance_pct < least || risk.is_zero() {
        let detail = format!("{} % < {least} %", short(distance_pct));
        return Rejection::no(ReasonCode::StopTooTight, detail);
    }
    if distance_pct > most {
        return Rejection::no(ReasonCode::StopTooWide, format!("{} % > {most} %", short(distance_pct)));
    }
    let target =
        n.take_profit.ok_or_else(|| Rejection::new(ReasonCode::LowRr, "the signal has no target"))?;
    let reward_risk = checked_div(checked_sub(target, n.entry)?, risk)?;
    if reward_risk < config.reward_risk_min || reward_risk <= Decimal::ZERO {
        let detail = format!("{} < {}", short(reward_risk), config.reward_risk_min);
        return Rejection::no(ReasonCode::LowRr, detail);
    }
    worth_its_costs(n.entry, target, config, costs)?;
    Ok(distance_pct)
}

/// What the target brings has to be a multiple of what buying and selling take.
fn worth_its_costs(
    entry: Decimal,
    target: Decimal,
    config: &config::Stop,
    costs: TradeCosts,
) -> Result<(), Rejection> {
    let gain_pct = pct_of(checked_sub(target, entry)?, entry)?;
    let costs_pct = costs.round_trip_pct()?;
    if gain_pct < checked_mul(costs_pct, config.target_costs_min)? {
        let least = config.target_costs_min.normalize();
        let detail = format!("{} % < {least} times {} % of costs", short(gain_pct), short(costs_pct));
        return Rejection::no(ReasonCode::TargetBelowCost, detail);
    }
    Ok(())
}

/// `STOP_WRONG_SIDE` also when the market is at or under the stop: the entry would fill at once, and its stop too.
pub(super) fn not_reached(n: &EntryNumbers, last: Decimal) -> Result<(), Rejection> {
    match n.stop {
        Some(stop) if last <= stop => {
            Rejection::no(ReasonCode::StopWrongSide, format!("last trade {last} at or under stop {stop}"))
        }
        Some(_) | None => Ok(()),
    }
}
