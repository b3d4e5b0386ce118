//! What a trading agent proposes. A signal is immutable: whatever is adjusted later lives in its Decision.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::{Pct, SignalId, Symbol, Timestamp, Untrusted};

/// What to do. A closed enum: anything else is refused where it is read, never taken for SELL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// Open or enlarge.
    Buy,
    /// Reduce what is held.
    Sell,
    /// Nothing.
    Hold,
    /// Reduce to nothing.
    Close,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
            Self::Hold => "HOLD",
            Self::Close => "CLOSE",
        })
    }
}

/// Why a number is not a confidence.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("confidence {0} is not a number between 0 and 1")]
pub struct ConfidenceError(pub f64);

/// How sure somebody is: a finite number in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Default)]
#[serde(transparent)]
pub struct Confidence(f64);

impl Confidence {
    /// Not at all.
    pub const ZERO: Self = Self(0.0);
    /// Certain.
    pub const ONE: Self = Self(1.0);

    /// Checks that the number is finite and within [0, 1].
    pub fn new(value: f64) -> Result<Self, ConfidenceError> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(ConfidenceError(value)) }
    }

    /// The nearest confidence; NaN becomes 0, because nothing is known.
    pub fn clamped(value: f64) -> Self {
        if value.is_nan() { Self::ZERO } else { Self(value.clamp(0.0, 1.0)) }
    }

    /// The number.
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Confidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Confidence {
    /// `.74`, `1.0`: as narrow as the screen needs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.2}", self.0);
        f.pad(text.strip_prefix('0').unwrap_or("1.0"))
    }
}

/// A proposal to trade one symbol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Given by the agent; the same id delivered again is ignored.
    pub id: SignalId,
    /// What to trade.
    pub symbol: Symbol,
    /// How.
    pub action: Action,
    /// How sure the agent is.
    pub confidence: Confidence,
    /// Limit price of the entry, in quote units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Decimal>,
    /// Stop-loss price, in quote units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Decimal>,
    /// Take-profit price, in quote units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<Decimal>,
    /// Wanted size in percent of equity.
    pub size_pct: Pct,
    /// Wanted leverage; 1 is none.
    pub leverage: Decimal,
    /// When the agent made it, market time.
    pub at: Timestamp,
    /// Which agent.
    pub source: String,
    /// One line that says why.
    pub reasoning: Untrusted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_action_is_refused_and_never_read_as_sell() {
        for text in ["\"SHORT\"", "\"sell\"", "\"\"", "null", "1"] {
            assert!(serde_json::from_str::<Action>(text).is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn a_confidence_outside_its_range_does_not_construct() {
        for value in [f64::NAN, f64::INFINITY, -0.01, 1.01] {
            assert!(Confidence::new(value).is_err());
        }
        assert_eq!(Confidence::clamped(f64::NAN), Confidence::ZERO);
    }

    #[test]
    fn a_confidence_reads_back_to_the_last_bit() {
        // What recovery reads must be what was live; this one is read as 0.99 where floats are read in haste.
        let confidence = Confidence::clamped(0.9 * 1.1);
        let written = serde_json::to_string(&confidence).unwrap();
        assert_eq!(serde_json::from_str::<Confidence>(&written).unwrap(), confidence);
    }

    #[test]
    fn a_confidence_prints_narrow() {
        assert_eq!(Confidence::clamped(0.74).to_string(), ".74");
        assert_eq!(Confidence::ONE.to_string(), "1.0");
        assert_eq!(Confidence::clamped(0.999).to_string(), "1.0");
    }
}
