//! What the analysing agents say about a symbol.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Action, Confidence, Symbol, Untrusted};

/// The three voices that consensus listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoiceKind {
    /// Technical analysis.
    Technical,
    /// Market regime.
    Regime,
    /// News and mood.
    Sentiment,
}

impl VoiceKind {
    /// All voices, in the order of the screen.
    pub const ALL: [Self; 3] = [Self::Technical, Self::Regime, Self::Sentiment];
}

impl fmt::Display for VoiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Technical => "technical",
            Self::Regime => "regime",
            Self::Sentiment => "sentiment",
        })
    }
}

/// Direction that technical analysis sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    /// Up.
    Long,
    /// Down.
    Short,
    /// Neither.
    Neutral,
}

/// Kind of market. Reads the older names `trending_up`, `trending_down`, `breakout` too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// Rising with strength.
    #[serde(alias = "trending_up")]
    TrendingBull,
    /// Falling with strength.
    #[serde(alias = "trending_down")]
    TrendingBear,
    /// Sideways within a band.
    Ranging,
    /// Wide swings upwards.
    VolatileBull,
    /// Wide swings downwards.
    VolatileBear,
    /// Sideways without a band.
    Choppy,
    /// Narrow, about to move.
    #[serde(alias = "breakout")]
    BreakoutPotential,
    /// Too little data to say.
    Unknown,
}

impl Regime {
    /// All regimes.
    pub const ALL: [Self; 8] = [
        Self::TrendingBull,
        Self::TrendingBear,
        Self::Ranging,
        Self::VolatileBull,
        Self::VolatileBear,
        Self::Choppy,
        Self::BreakoutPotential,
        Self::Unknown,
    ];
}

/// Mood of news and people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentimentBias {
    /// Strongly up.
    VeryBullish,
    /// Up.
    Bullish,
    /// Neither.
    Neutral,
    /// Down.
    Bearish,
    /// Strongly down.
    VeryBearish,
}

macro_rules! snake_text {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // The serde name is the field's one spelling in code, config, screen and journal.
                match serde_json::to_value(self) {
                    Ok(serde_json::Value::String(name)) => f.pad(&name),
                    Ok(_) | Err(_) => Err(fmt::Error),
                }
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|e| e.to_string())
            }
        }
    };
}

snake_text!(Bias);
snake_text!(Regime);
snake_text!(SentimentBias);

impl Bias {
    /// Whether this voice agrees with buying or selling; a neutral one and HOLD agree with nothing.
    pub fn agrees_with(self, action: Action) -> bool {
        matches!((self, action), (Self::Long, Action::Buy) | (Self::Short, Action::Sell | Action::Close))
    }
}

impl Regime {
    /// Whether this regime agrees with buying or selling.
    pub fn agrees_with(self, action: Action) -> bool {
        matches!(
            (self, action),
            (Self::TrendingBull | Self::BreakoutPotential, Action::Buy)
                | (Self::TrendingBear, Action::Sell | Action::Close)
        )
    }
}

impl SentimentBias {
    /// Whether this mood agrees with buying or selling.
    pub fn agrees_with(self, action: Action) -> bool {
        matches!(
            (self, action),
            (Self::Bullish | Self::VeryBullish, Action::Buy)
                | (Self::Bearish | Self::VeryBearish, Action::Sell | Action::Close)
        )
    }
}

/// Output of technical analysis for one symbol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaSignal {
    /// Whose.
    pub symbol: Symbol,
    /// Direction.
    pub bias: Bias,
    /// How sure.
    pub confidence: Confidence,
    /// Average true range over 14 one-hour bars, as a share of the price in percent; absent until warmed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr_pct: Option<f64>,
    /// Current ATR 14 over its own long average: above 3 is a volatility spike; absent until warmed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr_ratio: Option<f64>,
    /// Nearest level below, in quote units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<f64>,
    /// Nearest level above, in quote units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resistance: Option<f64>,
    /// One line that says why.
    pub reasoning: Untrusted,
}

/// Output of regime detection for one symbol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegimeUpdate {
    /// Whose.
    pub symbol: Symbol,
    /// Which.
    pub regime: Regime,
    /// How sure.
    pub confidence: Confidence,
    /// One line that says why.
    pub reasoning: Untrusted,
}

/// Output of sentiment analysis for one symbol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentimentUpdate {
    /// Whose.
    pub symbol: Symbol,
    /// Which way.
    pub bias: SentimentBias,
    /// How sure.
    pub confidence: Confidence,
    /// One line that says why.
    pub reasoning: Untrusted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_vocabularies_of_regimes_are_read() {
        for (text, regime) in [
            ("trending_up", Regime::TrendingBull),
            ("trending_bull", Regime::TrendingBull),
            ("trending_down", Regime::TrendingBear),
            ("breakout", Regime::BreakoutPotential),
        ] {
            assert_eq!(text.parse(), Ok(regime));
        }
        assert!("sideways".parse::<Regime>().is_err());
        assert_eq!(Regime::BreakoutPotential.to_string(), "breakout_potential");
    }

    #[test]
    fn a_neutral_voice_agrees_with_nothing() {
        for action in [Action::Buy, Action::Sell, Action::Hold, Action::Close] {
            assert!(!Bias::Neutral.agrees_with(action));
            assert!(!Regime::Ranging.agrees_with(action));
            assert!(!SentimentBias::Neutral.agrees_with(action));
        }
    }
}
