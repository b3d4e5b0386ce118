//! Why entries are blocked: the one list that header, decisions and gate agree on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{ReasonCode, Symbol, Timestamp};

/// One reason why entries are blocked now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Which rule.
    pub code: ReasonCode,
    /// The breaker's or cooldown's name, where there are several.
    pub name: Option<String>,
    /// Only for this symbol; none blocks all.
    pub symbol: Option<Symbol>,
    /// When it ends by itself, market time; none when it does not.
    pub until: Option<Timestamp>,
}

impl Block {
    /// A block of everything without an end of its own.
    pub const fn global(code: ReasonCode) -> Self {
        Self { code, name: None, symbol: None, until: None }
    }
}

impl fmt::Display for Block {
    /// As the header says it: `paused`, `daily_loss to 00:00Z`, `feed stale`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match (self.code, &self.name) {
            (_, Some(name)) => name.clone(),
            (ReasonCode::Paused, None) => "paused".to_owned(),
            (ReasonCode::Halted, None) => "halted".to_owned(),
            (ReasonCode::LevelEmergency, None) => "level EMERGENCY".to_owned(),
            (ReasonCode::FeedStale, None) => "feed stale".to_owned(),
            (ReasonCode::StoreSlow, None) => "store slow".to_owned(),
            (ReasonCode::Watchdog, None) => "watchdog".to_owned(),
            (ReasonCode::SymbolLocked, None) => "symbol locked".to_owned(),
            (code, None) => code.to_string(),
        };
        f.write_str(&word)?;
        match self.until {
            Some(until) => {
                let clock = until.clock();
                write!(f, " to {}Z", clock.get(..5).unwrap_or(&clock))
            }
            None => Ok(()),
        }
    }
}
