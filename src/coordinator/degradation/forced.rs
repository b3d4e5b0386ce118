//! The level that the operator forced: who, since when, until when, and when it is due for review.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config;
use crate::coordinator::Due;
use crate::domain::{Actor, Level, Now, SafeText, Timestamp};

/// An end that was asked for, market time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForcedEnd {
    /// When.
    pub at: Timestamp,
    /// How long after the forcing that was.
    pub length: Duration,
    /// Whether the end has been announced.
    pub warned: bool,
}

/// A floor under the level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forced {
    /// The floor.
    pub level: Level,
    /// By whom.
    pub by: Actor,
    /// Why; may be empty.
    pub reason: SafeText,
    /// Since when.
    pub at: Now,
    /// Its end, if one was asked for.
    pub end: Option<ForcedEnd>,
    /// Whether its review has been announced.
    pub review_announced: bool,
}

impl Forced {
    /// Whether it is due for review at `now`, operator time. A start in the future means that the clock was set back
    /// between two runs: then nobody knows how long it has been in force, and a review does no harm.
    pub fn is_review_due(&self, now: Timestamp, config: &config::Degradation) -> bool {
        self.at.operator > now || now.since(self.at.operator) >= config.forced_review_after
    }

    /// Whether its end is near at `now`, market time.
    pub fn is_end_near(&self, now: Timestamp, config: &config::Degradation) -> bool {
        self.end.is_some_and(|end| now >= end.at.minus(config.forced_end_warned_before))
    }

    /// Whether it has ended at `now`, market time.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.end.is_some_and(|end| now >= end.at)
    }

    pub(super) fn next_due(&self, config: &config::Degradation) -> Due {
        let review = self.at.operator.plus(config.forced_review_after);
        let warned_at = |end: ForcedEnd| end.at.minus(config.forced_end_warned_before);
        let end = self.end.map(|end| if end.warned { end.at } else { warned_at(end) });
        Due { market: end, operator: (!self.review_announced).then_some(review) }
    }

    /// As it comes back after a restart at `now`: its end is at most its whole length away.
    pub(super) fn restarted(&self, now: Timestamp) -> Self {
        let clamped = |end: ForcedEnd| ForcedEnd { at: end.at.min(now.plus(end.length)), ..end };
        Self { end: self.end.map(clamped), ..self.clone() }
    }
}
