//! Rules 6 and 7: how much in all, how much that moves together, how many positions, how much margin.

use rust_decimal::Decimal;

use super::numbers::short;
use super::view::{Rejection, RiskView};
use crate::config::Exposure;
use crate::domain::{ReasonCode, Symbol, checked_add, checked_div, checked_sub, pct_of};

/// The assets whose pairs move together unless the configuration says otherwise.
const CORRELATED_ASSETS: [&str; 2] = ["BTC", "XRP"];
/// A size cut to exactly a limit must not fail that limit for the last digit of a division.
const ROUNDING_PCT: Decimal = Decimal::from_parts(1, 0, 0, false, 12);

/// The members, among `symbols`, of each correlation group that `symbol` belongs to.
pub fn groups_of<'a>(
    symbol: &Symbol,
    symbols: impl Iterator<Item = &'a Symbol> + Clone,
    config: &Exposure,
) -> Vec<Vec<&'a Symbol>> {
    if config.correlation_groups.is_empty() {
        let members = symbols.filter(|other| is_correlated(other)).collect();
        return if is_correlated(symbol) { vec![members] } else { Vec::new() };
    }
    let own = config.correlation_groups.iter().filter(|group| group.contains(symbol));
    own.map(|group| symbols.clone().filter(|other| group.contains(other)).collect()).collect()
}

fn is_correlated(symbol: &Symbol) -> bool {
    [symbol.base(), symbol.quote()].iter().any(|asset| CORRELATED_ASSETS.contains(&asset.as_str()))
}

/// `EXPOSURE_TOO_HIGH`, `CORRELATED_EXPOSURE`, `TOO_MANY_POSITIONS`, `MARGIN_TOO_HIGH`, on `worth` (account currency)
/// as it is after all reductions.
pub(super) fn check(
    symbol: &Symbol,
    worth: Decimal,
    leverage: Decimal,
    equity: Decimal,
    view: &RiskView<'_>,
    config: &Exposure,
) -> Result<(), Rejection> {
    let total = sum(view.exposure.values(), worth)?;
    within(ReasonCode::ExposureTooHigh, total, equity, config.total_max_pct.value())?;
    for group in groups_of(symbol, view.exposure.keys(), config) {
        let together = sum(group.iter().filter_map(|member| view.exposure.get(member)), worth)?;
        within(ReasonCode::CorrelatedExposure, together, equity, config.correlated_max_pct.value())?;
    }
    let is_open = |s: &Symbol| view.exposure.get(s).is_some_and(|worth| !worth.is_zero());
    let positions = view.exposure.keys().filter(|s| is_open(s)).count() + usize::from(!is_open(symbol));
    if positions > config.positions_max {
        let detail = format!("{positions} > {}", config.positions_max);
        return Rejection::no(ReasonCode::TooManyPositions, detail);
    }
    // A position that is paid in full binds no margin.
    if leverage > Decimal::ONE {
        let margin = checked_add(view.margin_used, checked_div(worth, leverage)?)?;
        within(ReasonCode::MarginTooHigh, margin, equity, config.margin_max_pct.value())?;
    } else {
        within(ReasonCode::MarginTooHigh, view.margin_used, equity, config.margin_max_pct.value())?;
    }
    Ok(())
}

fn sum<'a>(mut worths: impl Iterator<Item = &'a Decimal>, more: Decimal) -> Result<Decimal, Rejection> {
    // A negative exposure does not exist on a spot venue and must not make room for more.
    Ok(worths.try_fold(more, |sum, worth| checked_add(sum, (*worth).max(Decimal::ZERO)))?)
}

fn within(code: ReasonCode, amount: Decimal, equity: Decimal, most: Decimal) -> Result<(), Rejection> {
    let pct = pct_of(amount, equity)?;
    if checked_sub(pct, most)? > ROUNDING_PCT {
        return Rejection::no(code, format!("{} % > {most} %", short(pct)));
    }
    Ok(())
}
