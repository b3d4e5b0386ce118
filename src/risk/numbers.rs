//! Rule zero: the numbers are usable. Everything behind it may compute.

use rust_decimal::Decimal;

use super::view::{EntryProposal, Rejection, RiskView};
use crate::domain::{DECIMALS_MAX, ReasonCode, checked_div, round_quantity};

/// A price, amount or quantity above this is a mistake of units, not a trade: 10^12.
const AMOUNT_MAX: Decimal = Decimal::from_parts(3_567_587_328, 232, 0, false, 0);
/// A price below this leaves no digits to compute with: 10^-12.
const PRICE_MIN: Decimal = Decimal::from_parts(1, 0, 0, false, 12);
/// No venue gives more leverage than this.
const LEVERAGE_ABSURD: Decimal = Decimal::from_parts(1_000, 0, 0, false, 0);

/// The numbers of an entry after this rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryNumbers {
    /// Limit price, quote units; positive.
    pub entry: Decimal,
    /// Stop price if there is one; positive.
    pub stop: Option<Decimal>,
    /// Target price if there is one; positive.
    pub take_profit: Option<Decimal>,
    /// Account currency; positive.
    pub equity: Decimal,
}

/// `INVALID_ORDER`, `NO_EQUITY`.
pub(super) fn entry(proposal: &EntryProposal, view: &RiskView<'_>) -> Result<EntryNumbers, Rejection> {
    let entry = proposal.entry.ok_or_else(|| Rejection::new(ReasonCode::InvalidOrder, "no entry price"))?;
    price("entry", entry)?;
    proposal.stop.map_or(Ok(()), |stop| price("stop", stop))?;
    proposal.take_profit.map_or(Ok(()), |target| price("take-profit", target))?;
    if proposal.size_pct.value() <= Decimal::ZERO {
        return invalid(format!("size {} % of equity", proposal.size_pct.value()));
    }
    if !(Decimal::ONE..=LEVERAGE_ABSURD).contains(&proposal.leverage) {
        return invalid(format!("leverage {}", proposal.leverage));
    }
    if let Some(ratio) = view.atr_ratio.filter(|ratio| !ratio.is_finite() || *ratio < 0.0) {
        return invalid(format!("ATR ratio {ratio}"));
    }
    for (name, value) in [("margin in use", view.margin_used), ("drawdown", view.drawdown_pct)] {
        if value < Decimal::ZERO {
            return invalid(format!("{name} {value}"));
        }
    }
    Ok(EntryNumbers {
        entry,
        stop: proposal.stop,
        take_profit: proposal.take_profit,
        equity: equity(view.equity)?,
    })
}

/// `NO_EQUITY`: zero, negative or unknown lets nothing pass; absurd is `INVALID_ORDER`.
pub(super) fn equity(equity: Option<Decimal>) -> Result<Decimal, Rejection> {
    match equity {
        None => Rejection::no(ReasonCode::NoEquity, "equity unknown: a price is missing"),
        Some(equity) if equity <= Decimal::ZERO => {
            Rejection::no(ReasonCode::NoEquity, format!("equity {}", equity.normalize()))
        }
        Some(equity) => amount("equity", equity),
    }
}

/// A positive amount or quantity that is not absurd.
pub(super) fn amount(name: &str, value: Decimal) -> Result<Decimal, Rejection> {
    if value > Decimal::ZERO && value <= AMOUNT_MAX { Ok(value) } else { invalid(format!("{name} {value}")) }
}

fn price(name: &str, value: Decimal) -> Result<(), Rejection> {
    if (PRICE_MIN..=AMOUNT_MAX).contains(&value) { Ok(()) } else { invalid(format!("{name} price {value}")) }
}

/// A price that must be there, fresh (`FEED_STALE`) and usable.
pub(super) fn fresh(name: &str, value: Option<Decimal>) -> Result<Decimal, Rejection> {
    let value =
        value.ok_or_else(|| Rejection::new(ReasonCode::FeedStale, format!("no fresh price: {name}")))?;
    price(name, value).map(|()| value)
}

/// Base units for `worth` quote units at `price`, rounded down so that rounding never buys more.
pub(super) fn quantity(worth: Decimal, price: Decimal) -> Result<Decimal, Rejection> {
    let exact = checked_div(worth, price)?;
    let rounded = round_quantity(exact);
    if rounded.is_zero() { invalid(format!("quantity {exact} rounds down to nothing")) } else { Ok(rounded) }
}

/// For details: at most four places, and all that there are below one, without trailing zeros.
pub(super) fn short(value: Decimal) -> Decimal {
    let places = if value.abs() < Decimal::ONE { DECIMALS_MAX } else { 4 };
    value.round_dp(places).normalize()
}

fn invalid<T>(detail: String) -> Result<T, Rejection> {
    Rejection::no(ReasonCode::InvalidOrder, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_what_their_comments_say() {
        assert_eq!(AMOUNT_MAX, "1000000000000".parse().unwrap());
        assert_eq!(PRICE_MIN, "0.000000000001".parse().unwrap());
        assert_eq!(LEVERAGE_ABSURD, Decimal::ONE_THOUSAND);
    }

    #[test]
    fn a_quantity_is_rounded_down_and_never_to_nothing() {
        assert_eq!(quantity(100.into(), 3.into()), Ok("33.33333333".parse().unwrap()));
        assert_eq!(quantity(1.into(), AMOUNT_MAX).unwrap_err().code, ReasonCode::InvalidOrder);
    }
}
