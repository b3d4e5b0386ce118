//! How a trade becomes legs.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::config::Dca;
use crate::domain::{MoneyError, checked_add, checked_div, checked_mul, checked_sub};

/// Account currencies are paid in hundredths.
const CENT_DECIMALS: u32 = 2;

/// The amounts of the legs of one trade, in the order in which they run: at most `legs_max`, fewer where one would
/// fall below `leg_min`, each rounded down to cents, the remainder in the first. They sum to `amount` exactly. A trade
/// below `trade_min`, or without an amount, has no legs.
///
/// # Errors
/// The arithmetic overflows.
pub fn split(amount: Decimal, dca: &Dca, trade_min: Decimal) -> Result<Vec<Decimal>, MoneyError> {
    if amount <= Decimal::ZERO || amount < trade_min {
        return Ok(Vec::new());
    }
    for count in (2..=dca.legs_max).rev() {
        let share = checked_div(amount, Decimal::from(count))?;
        let share = share.round_dp_with_strategy(CENT_DECIMALS, RoundingStrategy::ToZero);
        if share < dca.leg_min || share.is_zero() {
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
