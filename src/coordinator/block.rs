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

    /// Whether a resume is what ends it.
    pub const fn ends_with_a_resume(&self) -> bool {
        matches!(self.code, ReasonCode::Paused | ReasonCode::Watchdog)
    }
}

impl fmt::Display for Block {
    /// As the header says it: `paused`, `daily_loss to 00:00Z`, `feed stale`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match (self.code, &self.name) {
            (_, Some(name)) => name.clone(),
            (ReasonCode::Paused, None) => "paused".to_owned(),
            (ReasonCode::Halted, None) => "halted".to_owned(),
            (ReasonCode::LevelEmergency, None) => "LEVEL EMERGENCY".to_owned(),
            (ReasonCode::FeedStale, None) => "feed stale".to_owned(),
            (ReasonCode::StoreSlow, None) => "store slow".to_owned(),
            (ReasonCode::Watchdog, None) => "watchdog".to_owned(),
            (ReasonCode::SymbolLocked, None) => "symbol locked".to_owned(),
            (code, None) => code.to_string(),
        };
        f.write_str(&word)?;
        match self.until {
            // The other ends lie within a day; that of a week is told by its day.
            Some(until) if until == until.week_start() => f.write_str(" to Mon 00:00Z"),
            Some(until) => {
                let clock = until.clock();
                write!(f, " to {}Z", clock.get(..5).unwrap_or(&clock))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_week_is_told_by_its_day() {
        let daily = Timestamp::from_secs(1_754_006_400);
        let monday = Timestamp::from_secs(1_754_265_600);
        let said = |name: &str, until| {
            let block =
                Block { name: Some(name.to_owned()), until, ..Block::global(ReasonCode::BreakerTripped) };
            block.to_string()
        };
        assert_eq!(daily.to_string(), "2025-08-01T00:00:00.000Z");
        assert_eq!(monday.to_string(), "2025-08-04T00:00:00.000Z");
        assert_eq!(said("daily_loss", Some(daily)), "daily_loss to 00:00Z");
        assert_eq!(said("weekly_loss", Some(monday)), "weekly_loss to Mon 00:00Z");
        assert_eq!(said("max_drawdown", None), "max_drawdown");
    }
}
