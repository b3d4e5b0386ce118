//! Least amounts with their unit: a share of the account, or so much of an asset. A bare number has no unit and is none.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{Asset, Money, MoneyError, Pct};

/// The least amount of an order, leg or trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Minimum {
    /// Of the equity at the first start: `0.1%`.
    Share(Pct),
    /// In an asset, converted at its last price: `10 USDT`.
    Amount(Money),
}

/// How both forms are written.
const FORMS: &str =
    "a share of the equity at the first start (`0.1%`) or an amount with its asset (`10 USDT`)";

impl Minimum {
    /// The amount in the account currency. None while the equity at the first start, or the price of the asset, is not
    /// known.
    pub fn resolve(
        &self,
        first_equity: Option<Decimal>,
        worth: impl FnOnce(&Money) -> Option<Decimal>,
    ) -> Result<Option<Decimal>, MoneyError> {
        match self {
            Self::Share(share) => first_equity.map(|equity| share.of(equity)).transpose(),
            Self::Amount(amount) => Ok(worth(amount)),
        }
    }
}

impl FromStr for Minimum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.trim().parse::<Decimal>();
        if let Some(digits) = text.trim().strip_suffix('%') {
            let share = number(digits).map_err(|_| format!("`{text}` is not a share; allowed: {FORMS}"))?;
            return Pct::new(share).map(Self::Share).map_err(|error| error.to_string());
        }
        if number(text).is_ok() {
            let says = text.trim();
            return Err(format!(
                "`{says}` has no unit; allowed: {FORMS}. For an amount in the account currency add its name, such as \
                 `{says} USDT`"
            ));
        }
        let (digits, asset) = text
            .trim()
            .split_once(' ')
            .ok_or_else(|| format!("`{text}` is not a least amount; allowed: {FORMS}"))?;
        let amount = number(digits).map_err(|_| format!("`{digits}` is not a number; allowed: {FORMS}"))?;
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err(format!("`{text}` is below zero; allowed: {FORMS}"));
        }
        let asset = Asset::new(asset.trim()).map_err(|error| error.to_string())?;
        Ok(Self::Amount(Money::new(amount, asset)))
    }
}

impl fmt::Display for Minimum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share}"),
            Self::Amount(Money { amount, currency }) => write!(f, "{} {currency}", amount.normalize()),
        }
    }
}

impl Serialize for Minimum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Minimum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

/// Reads numbers as well as texts, so that a bare number is told what it lacks.
struct Text;

impl Visitor<'_> for Text {
    type Value = Minimum;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORMS)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Minimum, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Minimum, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Minimum, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Minimum, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_written_alike() {
        for text in ["0.1%", "0%", "10 USDT", "0.0001 BTC"] {
            assert_eq!(text.parse::<Minimum>().unwrap().to_string(), text);
        }
        assert_eq!("10  USDT".parse::<Minimum>(), "10 USDT".parse());
    }

    #[test]
    fn a_number_without_a_unit_is_told_both_forms() {
        for yaml in ["10", "0.5", "-1", "'10'"] {
            let error = serde_yaml::from_str::<Minimum>(yaml).unwrap_err().to_string();
            assert!(
                error.contains("has no unit") && error.contains("`0.1%`") && error.contains("`10 USDT`"),
                "{error}"
            );
        }
        for (text, said) in [
            ("101%", "between 0 and 100"),
            ("ten USDT", "not a number"),
            ("-1 USDT", "below zero"),
            ("5 usdt", "asset code"),
        ] {
            let error = text.parse::<Minimum>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
