//! Exact amounts. All money arithmetic of the house goes through the checked operations here: an overflow or a
//! division by zero is a typed error, never a panic and never a wrong number.

use std::fmt;

use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::Asset;

/// Why an amount could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyError {
    /// The result does not fit 96 bits of precision.
    #[error("amount overflows the decimal range")]
    Overflow,
    /// Divided by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A floating-point value was NaN or infinite.
    #[error("not a finite number")]
    NotFinite,
}

/// `a + b`.
pub fn checked_add(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    a.checked_add(b).ok_or(MoneyError::Overflow)
}

/// `a - b`.
pub fn checked_sub(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    a.checked_sub(b).ok_or(MoneyError::Overflow)
}

/// `a * b`.
pub fn checked_mul(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    a.checked_mul(b).ok_or(MoneyError::Overflow)
}

/// `a / b`.
pub fn checked_div(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    if b.is_zero() {
        return Err(MoneyError::DivisionByZero);
    }
    a.checked_div(b).ok_or(MoneyError::Overflow)
}

/// Which way a price is rounded onto its tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceRounding {
    /// To the nearest tick.
    Nearest,
    /// Down, towards zero.
    Down,
    /// Up, away from zero.
    Up,
}

/// Turns an indicator's `f64` into a price with `decimals` places: the only place where that happens.
pub fn price_from_f64(value: f64, decimals: u32, rounding: PriceRounding) -> Result<Decimal, MoneyError> {
    if !value.is_finite() {
        return Err(MoneyError::NotFinite);
    }
    // 16 significant digits are what an f64 holds; more would be noise presented as precision.
    let exact = Decimal::from_f64(value).ok_or(MoneyError::Overflow)?;
    Ok(on_tick(exact, decimals, rounding))
}

/// A price on the tick of its pair, which is the last of `decimals` places.
pub fn on_tick(price: Decimal, decimals: u32, rounding: PriceRounding) -> Decimal {
    let strategy = match rounding {
        PriceRounding::Nearest => RoundingStrategy::MidpointAwayFromZero,
        PriceRounding::Down => RoundingStrategy::ToZero,
        PriceRounding::Up => RoundingStrategy::AwayFromZero,
    };
    price.round_dp_with_strategy(decimals, strategy)
}

/// `part` in percent of `whole`.
pub fn pct_of(part: Decimal, whole: Decimal) -> Result<Decimal, MoneyError> {
    checked_mul(checked_div(part, whole)?, Decimal::ONE_HUNDRED)
}

/// Decimal places of an asset of which the market says nothing, and of every quantity: exchanges trade no finer.
pub const DECIMALS_MAX: u32 = 8;

/// A quantity rounded down to what exchanges trade; may be zero.
pub fn round_quantity(exact: Decimal) -> Decimal {
    exact.round_dp_with_strategy(DECIMALS_MAX, RoundingStrategy::ToZero).normalize()
}

/// An amount as it is shown: rounded to the decimals of its asset and with all of them, so that equal amounts look
/// equal.
pub fn shown_amount(amount: Decimal, decimals: u32) -> Decimal {
    let mut shown = amount.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    shown.rescale(decimals);
    shown
}

/// An amount where the decimals of its asset are not known: as many as any asset has, and no closing zeros.
pub fn plain_amount(amount: Decimal) -> Decimal {
    amount.round_dp(DECIMALS_MAX).normalize()
}

/// An amount that may be spent: rounded towards zero to the decimals of its asset.
pub fn spendable_amount(amount: Decimal, decimals: u32) -> Decimal {
    amount.round_dp_with_strategy(decimals, RoundingStrategy::ToZero)
}

/// What a trade costs beside its price, percent of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeCosts {
    /// The venue's fee.
    pub fee_pct: Pct,
    /// How much worse than the last price a market order is expected to fill.
    pub slippage_pct: Pct,
}

impl TradeCosts {
    /// Fee and slippage of one trade, percent.
    pub fn one_way_pct(self) -> Result<Decimal, MoneyError> {
        checked_add(self.fee_pct.value(), self.slippage_pct.value())
    }

    /// Fee and slippage of trading for `amount`.
    pub fn of(self, amount: Decimal) -> Result<Decimal, MoneyError> {
        checked_div(checked_mul(amount, self.one_way_pct()?)?, Decimal::ONE_HUNDRED)
    }

    /// Fee and slippage of buying and selling again, percent.
    pub fn round_trip_pct(self) -> Result<Decimal, MoneyError> {
        checked_mul(self.one_way_pct()?, Decimal::TWO)
    }

    /// `value` and its fee.
    pub fn with_fee(self, value: Decimal) -> Result<Decimal, MoneyError> {
        checked_add(value, self.fee_pct.of(value)?)
    }

    /// What can be bought for `funds` when the fee is paid from them too.
    pub fn without_fee(self, funds: Decimal) -> Result<Decimal, MoneyError> {
        checked_div(funds, self.with_fee(Decimal::ONE)?)
    }
}

/// An amount of one asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// How much; may be negative (a loss).
    pub amount: Decimal,
    /// Of what.
    pub currency: Asset,
}

impl Money {
    /// An amount of an asset.
    pub fn new(amount: Decimal, currency: Asset) -> Self {
        Self { amount, currency }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", plain_amount(self.amount), self.currency)
    }
}

/// Why a number is not a percentage.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} is not a percentage between 0 and 100")]
pub struct PctError(pub String);

/// A share in percent, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Default)]
pub struct Pct(Decimal);

impl Pct {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// All of it.
    pub const HUNDRED: Self = Self(Decimal::ONE_HUNDRED);

    /// Checks that the number is within 0 and 100.
    pub fn new(value: Decimal) -> Result<Self, PctError> {
        if (Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&value) {
            Ok(Self(value))
        } else {
            Err(PctError(value.to_string()))
        }
    }

    /// The number, 0 to 100.
    pub const fn value(self) -> Decimal {
        self.0
    }

    /// The number as `f64`, for indicator arithmetic and the screen.
    pub fn as_f64(self) -> f64 {
        self.0.to_f64().unwrap_or(0.0)
    }

    /// This share of `amount`.
    pub fn of(self, amount: Decimal) -> Result<Decimal, MoneyError> {
        checked_div(checked_mul(amount, self.0)?, Decimal::ONE_HUNDRED)
    }
}

impl<'de> Deserialize<'de> for Pct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(<Decimal as Deserialize>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Pct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0.normalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_an_error_and_not_a_panic() {
        assert_eq!(checked_mul(Decimal::MAX, Decimal::TWO), Err(MoneyError::Overflow));
        assert_eq!(checked_div(Decimal::ONE, Decimal::ZERO), Err(MoneyError::DivisionByZero));
    }

    #[test]
    fn a_price_is_rounded_onto_its_tick_and_nan_is_refused() {
        let price = |rounding| price_from_f64(0.510_27, 4, rounding).unwrap().to_string();
        assert_eq!(price(PriceRounding::Nearest), "0.5103");
        assert_eq!(price(PriceRounding::Down), "0.5102");
        assert_eq!(price(PriceRounding::Up), "0.5103");
        assert_eq!(price_from_f64(f64::NAN, 2, PriceRounding::Nearest), Err(MoneyError::NotFinite));
        assert_eq!(price_from_f64(1e300, 2, PriceRounding::Nearest), Err(MoneyError::Overflow));
    }

    #[test]
    fn an_amount_shows_the_decimals_of_its_asset() {
        let dec = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(shown_amount(dec("1.002345675"), 8).to_string(), "1.00234568");
        assert_eq!(shown_amount(dec("1"), 8).to_string(), "1.00000000");
        assert_eq!(shown_amount(dec("9999999.5"), 0).to_string(), "10000000");
        assert_eq!(spendable_amount(dec("0.0149999999"), 8).to_string(), "0.01499999");
        let btc = Money::new(dec("0.00040001"), Asset::new("BTC").unwrap());
        assert_eq!(btc.to_string(), "0.00040001 BTC");
    }

    #[test]
    fn a_percentage_outside_its_range_does_not_construct() {
        assert!(Pct::new(Decimal::from(101)).is_err());
        assert!(serde_json::from_str::<Pct>("-1").is_err());
        assert_eq!(serde_json::from_str::<Pct>("33.33").unwrap().to_string(), "33.33%");
    }
}
