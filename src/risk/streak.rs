//! Losses in a row, execution errors in a row, and the cooldowns that follow. A cooldown only ever lengthens.

use std::fmt;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::config;
use crate::domain::Timestamp;

/// What a cooldown follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CooldownCause {
    /// Lots closed with a loss.
    Losses,
    /// Orders that the venue refused or did not answer.
    ExecutionErrors,
}

impl fmt::Display for CooldownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Losses => "losses in a row",
            Self::ExecutionErrors => "execution errors in a row",
        })
    }
}

/// One change of a streak; a journal record each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "transition")]
pub enum StreakTransition {
    /// The number of losses in a row.
    Losses {
        /// Zero after a profit.
        in_a_row: u32,
    },
    /// The number of execution errors in a row.
    ExecutionErrors {
        /// Zero after a success.
        in_a_row: u32,
    },
    /// No entries until then; one that runs longer stays.
    Cooldown {
        /// What it follows.
        cause: CooldownCause,
        /// Market time.
        until: Timestamp,
    },
}

/// Both streaks and their cooldowns. Durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Streak {
    losses: u32,
    execution_errors: u32,
    losses_until: Option<Timestamp>,
    execution_until: Option<Timestamp>,
}

impl Streak {
    /// Lots closed with a loss since the last profit.
    pub const fn losses(&self) -> u32 {
        self.losses
    }

    /// Execution errors since the last success.
    pub const fn execution_errors(&self) -> u32 {
        self.execution_errors
    }

    /// The cooldown that runs at `now`: until when (the longest), and after what.
    pub fn cooldown(&self, now: Timestamp) -> Option<(Timestamp, CooldownCause)> {
        let losses = self.losses_until.map(|until| (until, CooldownCause::Losses));
        let execution = self.execution_until.map(|until| (until, CooldownCause::ExecutionErrors));
        losses.max(execution).filter(|(until, _)| *until > now)
    }

    /// What a closed lot changes. `result` may be in any currency, fees included: only its sign counts, and a result
    /// of exactly zero changes nothing.
    pub fn closed(
        &self,
        now: Timestamp,
        result: Decimal,
        config: &config::Cooldown,
    ) -> Vec<StreakTransition> {
        if result < Decimal::ZERO {
            let in_a_row = self.losses.saturating_add(1);
            let rest =
                (in_a_row >= config.losses).then(|| Self::rest(now, CooldownCause::Losses, config.length));
            return [Some(StreakTransition::Losses { in_a_row }), rest].into_iter().flatten().collect();
        }
        let ends = result > Decimal::ZERO && self.losses > 0;
        ends.then_some(StreakTransition::Losses { in_a_row: 0 }).into_iter().collect()
    }

    /// What the outcome of an execution changes: an order refused or unanswered, or one that worked.
    pub fn executed(&self, now: Timestamp, worked: bool, config: &config::Health) -> Vec<StreakTransition> {
        if !worked {
            let in_a_row = self.execution_errors.saturating_add(1);
            let rest = (in_a_row >= u32::from(config.execution_errors_max))
                .then(|| Self::rest(now, CooldownCause::ExecutionErrors, config.execution_cooldown));
            return [Some(StreakTransition::ExecutionErrors { in_a_row }), rest]
                .into_iter()
                .flatten()
                .collect();
        }
        let ends = self.execution_errors > 0;
        ends.then_some(StreakTransition::ExecutionErrors { in_a_row: 0 }).into_iter().collect()
    }

    fn rest(now: Timestamp, cause: CooldownCause, length: Duration) -> StreakTransition {
        StreakTransition::Cooldown { cause, until: now.plus(length) }
    }

    /// The only thing that changes a streak.
    pub fn apply(&mut self, transition: &StreakTransition) {
        match *transition {
            StreakTransition::Losses { in_a_row } => self.losses = in_a_row,
            StreakTransition::ExecutionErrors { in_a_row } => self.execution_errors = in_a_row,
            StreakTransition::Cooldown { cause, until } => {
                let ends = match cause {
                    CooldownCause::Losses => &mut self.losses_until,
                    CooldownCause::ExecutionErrors => &mut self.execution_until,
                };
                *ends = (*ends).max(Some(until));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn after(results: &[(i64, i64)]) -> Streak {
        let config = Config::defaults().unwrap().risk.cooldown;
        let mut streak = Streak::default();
        for (secs, result) in results {
            let changes = streak.closed(Timestamp::from_secs(*secs), (*result).into(), &config);
            for change in &changes {
                streak.apply(change);
            }
        }
        streak
    }

    #[test]
    fn five_losses_in_a_row_begin_a_cooldown_of_thirty_minutes() {
        let four: Vec<_> = (0..4).map(|n| (n, -1)).collect();
        assert_eq!(after(&four).cooldown(Timestamp::from_secs(4)), None);
        let five: Vec<_> = (0..5).map(|n| (n, -1)).collect();
        let streak = after(&five);
        let until = Timestamp::from_secs(4 + 1_800);
        assert_eq!(streak.cooldown(Timestamp::from_secs(5)), Some((until, CooldownCause::Losses)));
        assert_eq!(streak.cooldown(until), None);
    }

    #[test]
    fn a_profit_ends_the_streak_and_breaking_even_does_not() {
        assert_eq!(after(&[(0, -1), (1, -1), (2, 0)]).losses(), 2);
        assert_eq!(after(&[(0, -1), (1, -1), (2, 5)]).losses(), 0);
    }

    #[test]
    fn a_profit_does_not_end_a_running_cooldown() {
        let mut results: Vec<_> = (0..5).map(|n| (n, -1)).collect();
        results.push((6, 1));
        assert!(after(&results).cooldown(Timestamp::from_secs(7)).is_some());
    }

    #[test]
    fn a_cooldown_only_lengthens() {
        let mut streak = Streak::default();
        for until in [100, 50, 200, 150] {
            let until = Timestamp::from_secs(until);
            streak.apply(&StreakTransition::Cooldown { cause: CooldownCause::Losses, until });
        }
        assert_eq!(streak.cooldown(Timestamp::EPOCH).unwrap().0, Timestamp::from_secs(200));
    }

    #[test]
    fn three_execution_errors_in_a_row_begin_a_cooldown_and_a_success_ends_the_count() {
        let config = Config::defaults().unwrap().orchestration.health;
        let mut streak = Streak::default();
        let mut execute = |secs, worked| {
            let changes = streak.executed(Timestamp::from_secs(secs), worked, &config);
            for change in &changes {
                streak.apply(change);
            }
            streak
        };
        for (secs, worked) in [(0, false), (1, false), (2, true), (3, false), (4, false)] {
            execute(secs, worked);
        }
        assert_eq!(execute(4, true).cooldown(Timestamp::from_secs(5)), None);
        for secs in [5, 6, 7] {
            execute(secs, false);
        }
        let until = Timestamp::from_secs(7 + 900);
        assert_eq!(
            execute(8, true).cooldown(Timestamp::from_secs(9)),
            Some((until, CooldownCause::ExecutionErrors))
        );
    }
}
