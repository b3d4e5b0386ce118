//! What an operator who was away is told with the first key.

use std::time::Duration;

use crate::console::facts::Facts;
use crate::console::panes::alarms::minute;
use crate::console::text;
use crate::domain::{AlarmId, DecisionId, Timestamp};

/// After so long without a key, the first one tells what happened meanwhile.
const AWAY_AFTER: Duration = Duration::from_mins(15);

/// What was on the screen at the last key.
#[derive(Debug)]
pub struct LastLook {
    at: Timestamp,
    market: Timestamp,
    alarm: Option<AlarmId>,
    decision: Option<DecisionId>,
}

impl LastLook {
    /// The operator looks at this now.
    pub fn at(facts: &Facts) -> Self {
        Self {
            at: facts.now.operator,
            market: facts.now.market,
            alarm: facts.snapshot.alarms.iter().map(|row| row.id).max(),
            decision: facts.snapshot.decisions.recent.iter().map(|decision| decision.id).max(),
        }
    }

    /// One line on what has happened since, if that was long ago.
    pub fn news(&self, facts: &Facts) -> Option<String> {
        if facts.now.operator.since(self.at) < AWAY_AFTER {
            return None;
        }
        let snapshot = &facts.snapshot;
        let alarms = snapshot.alarms.iter().filter(|row| Some(row.id) > self.alarm).count();
        let decisions = snapshot.decisions.recent.iter().filter(|d| Some(d.id) > self.decision).count();
        let day = text::known_percent(snapshot.portfolio.day_pct.0);
        let since = minute(self.market);
        Some(format!("since {since}: {alarms} alarms, {decisions} decisions, today {day} %"))
    }
}
