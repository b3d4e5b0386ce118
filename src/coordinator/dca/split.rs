//! How a trade becomes legs.

use rust_decimal::Decimal;

use super::PlanTerms;
use crate::domain::{MoneyError, checked_add, checked_div, checked_mul, checked_sub, spendable_amount};

/// The amounts of the legs of one trade, in the order in which they run: at most `legs_max`, fewer where one would
/// fall below `leg_min`, each rounded down to the decimals of the account currency, the remainder in the first. They sum
/// to `amount` exactly. A trade below `trade_min`, or without an amount, has no legs.
///
/// # Errors
/// The arithmetic overflows.
pub fn split(amount: Decimal, terms: &PlanTerms) -> Result<Vec<Decimal>, MoneyError> {
    if amount <= Decimal::ZERO || amount < terms.trade_min {
        return Ok(Vec::new());
    }
    for count in (2..=terms.legs_max).rev() {
        let share = spendable_amount(checked_div(amount, Decimal::from(count))?, terms.decimals);
        if share < terms.leg_min || share.is_zero() {
            continue;
        }
        let others = checked_mul(share, Decimal::from(count - 1))?;
        let first = checked_sub(amount, others)?;
        // Near the end of its range a decimal rounds silently; then one leg is the exact answer.
        if checked_add(first, others)? != amount {
            break;
        }
        let mut legs = vec![share; usize::from(count)];
        legs[0] = first;
        return Ok(legs);
    }
    Ok(vec![amount])
}
