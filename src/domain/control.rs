//! What the operator steers: trading state, degradation level, and the epoch that orders both in time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether the system may trade. Ordered from loose to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TradingState {
    /// Entries, legs and exits.
    Running,
    /// No entries, no legs; exits go on.
    Paused,
    /// Nothing new but what an emergency ordered, and flatten.
    Halted,
}

impl fmt::Display for TradingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Halted => "HALTED",
        })
    }
}

/// How much of the system is trusted. Ordered from all to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Everything works.
    #[default]
    Normal,
    /// Some trouble: models no longer used for the rebalance strategy.
    Reduced,
    /// More trouble: no sentiment, signal entries at half size.
    Limited,
    /// No entries, no model calls; technical and regime analysis only.
    Emergency,
}

impl Level {
    /// All levels, from loose to tight.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Reduced, Self::Limited, Self::Emergency];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Normal => "NORMAL",
            Self::Reduced => "REDUCED",
            Self::Limited => "LIMITED",
            Self::Emergency => "EMERGENCY",
        })
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|level| level.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("`{text}` is not a level: NORMAL, REDUCED, LIMITED or EMERGENCY"))
    }
}

/// Which opening of the gate something belongs to. Every shutting begins a new epoch; the run number in it makes
/// an epoch unique over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Epoch {
    /// Number of the process run.
    pub run: u16,
    /// Counts within the run.
    pub count: u32,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.run, self.count)
    }
}
