//! Circuit breakers on equity: `daily_loss`, `weekly_loss`, `max_drawdown`.
//!
//! Each is armed or tripped. It trips once and then latches, whatever equity does: the first two are armed again by
//! the calendar (00:00 UTC, Monday 00:00 UTC) with a new baseline, the third only by the operator. Being armed again
//! resumes nothing: the trading state is the core's, and does not loosen by itself.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config;
use crate::domain::{Pct, Timestamp, checked_div, checked_mul, checked_sub};

/// The recorded peak follows equity in steps of this, percent: every new high as a record would flood the journal.
/// A drawdown is understated by at most this much.
pub const PEAK_STEP_PCT: Decimal = Decimal::from_parts(1, 0, 0, false, 1);

/// The breakers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerName {
    /// Loss since 00:00 UTC.
    DailyLoss,
    /// Loss since Monday 00:00 UTC.
    WeeklyLoss,
    /// Below the peak.
    MaxDrawdown,
}

impl BreakerName {
    /// All breakers, in the order of the screen.
    pub const ALL: [Self; 3] = [Self::DailyLoss, Self::WeeklyLoss, Self::MaxDrawdown];

    /// The name in config, commands, journal and on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DailyLoss => "daily_loss",
            Self::WeeklyLoss => "weekly_loss",
            Self::MaxDrawdown => "max_drawdown",
        }
    }

    /// The loss at which it trips, percent of its baseline.
    pub const fn limit(self, config: &config::Breakers) -> Pct {
        match self {
            Self::DailyLoss => config.daily_loss_pct,
            Self::WeeklyLoss => config.weekly_loss_pct,
            Self::MaxDrawdown => config.max_drawdown_pct,
        }
    }

    /// Begin of the period that `now` lies in, for the breakers that follow the calendar.
    fn period(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::DailyLoss => Some(now.day_start()),
            Self::WeeklyLoss => Some(now.week_start()),
            Self::MaxDrawdown => None,
        }
    }
}

impl fmt::Display for BreakerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BreakerName {
    type Err = RearmError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|name| name.as_str() == text);
        named.ok_or_else(|| RearmError::UnknownName(text.to_owned()))
    }
}

/// When and how a breaker tripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Market time.
    pub at: Timestamp,
    /// Equity then, account currency.
    pub equity: Decimal,
    /// Loss then, percent of the baseline.
    pub loss_pct: Decimal,
}

/// One breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// Equity that losses are measured from (for `max_drawdown`, the peak); none before the first known equity.
    pub baseline: Option<Decimal>,
    /// When the baseline was set, market time.
    pub since: Option<Timestamp>,
    /// Tripped, rather than armed.
    pub tripped: Option<Trip>,
}

impl Breaker {
    /// How far `equity` is below the baseline, in percent of it; zero above it. A loss that cannot be computed counts
    /// as total: not knowing must not keep a breaker from tripping.
    pub fn loss_pct(&self, equity: Decimal) -> Decimal {
        let Some(baseline) = self.baseline else { return Decimal::ZERO };
        checked_sub(baseline, equity)
            .and_then(|loss| checked_mul(loss, Decimal::ONE_HUNDRED))
            .and_then(|loss| checked_div(loss, baseline))
            .map_or(Decimal::ONE_HUNDRED, |pct| pct.max(Decimal::ZERO))
    }

    fn rebase(&mut self, at: Timestamp, equity: Decimal) {
        *self = Self { baseline: Some(equity), since: Some(at), tripped: None };
    }
}

/// One change of a breaker; a journal record each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "transition")]
pub enum BreakerTransition {
    /// The first known equity, or a new day or week: losses count from here, and the breaker is armed.
    Baseline {
        /// Which.
        name: BreakerName,
        /// Market time.
        at: Timestamp,
        /// The new baseline, account currency.
        equity: Decimal,
        /// It was tripped until now.
        rearmed: bool,
    },
    /// A new high, of `max_drawdown`.
    Peak {
        /// Market time.
        at: Timestamp,
        /// The new peak, account currency.
        equity: Decimal,
    },
    /// The limit is reached; the core acts on this once.
    Tripped {
        /// Which.
        name: BreakerName,
        /// When and how.
        trip: Trip,
        /// What the loss was measured from.
        baseline: Decimal,
        /// The limit that was reached.
        limit_pct: Pct,
    },
    /// The operator armed it again.
    Rearmed {
        /// Which.
        name: BreakerName,
        /// Market time.
        at: Timestamp,
        /// The old baseline.
        from: Option<Decimal>,
        /// The new one: equity as it is.
        to: Decimal,
    },
}

/// Why a breaker is not armed again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RearmError {
    /// No breaker has this name.
    #[error("`{0}` is not a breaker: it is one of daily_loss, weekly_loss, max_drawdown")]
    UnknownName(String),
    /// It is not tripped.
    #[error("{0} is armed: nothing to do")]
    NotTripped(BreakerName),
    /// There is nothing to measure losses from.
    #[error("equity is not above zero: no baseline to arm {0} with; check balances and prices")]
    NoEquity(BreakerName),
}

/// All breakers. Durable.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breakers {
    daily_loss: Breaker,
    weekly_loss: Breaker,
    max_drawdown: Breaker,
}

impl Breakers {
    /// One breaker.
    pub const fn get(&self, name: BreakerName) -> &Breaker {
        match name {
            BreakerName::DailyLoss => &self.daily_loss,
            BreakerName::WeeklyLoss => &self.weekly_loss,
            BreakerName::MaxDrawdown => &self.max_drawdown,
        }
    }

    const fn get_mut(&mut self, name: BreakerName) -> &mut Breaker {
        match name {
            BreakerName::DailyLoss => &mut self.daily_loss,
            BreakerName::WeeklyLoss => &mut self.weekly_loss,
            BreakerName::MaxDrawdown => &mut self.max_drawdown,
        }
    }

    /// The tripped ones.
    pub fn tripped(&self) -> impl Iterator<Item = (BreakerName, Trip)> + '_ {
        BreakerName::ALL.into_iter().filter_map(|name| Some((name, self.get(name).tripped?)))
    }

    /// Below the recorded peak, percent.
    pub fn drawdown_pct(&self, equity: Decimal) -> Decimal {
        self.max_drawdown.loss_pct(equity)
    }

    /// What `equity` at `now` changes, in order: new periods, the peak, trips. Equity that is zero or negative is
    /// never a baseline, but trips what has one. While equity is unknown, do not ask.
    pub fn evaluate(
        &self,
        now: Timestamp,
        equity: Decimal,
        config: &config::Breakers,
    ) -> Vec<BreakerTransition> {
        let mut next = self.clone();
        let mut changes = Vec::new();
        for name in BreakerName::ALL {
            let found = next.rebased_by_date(name, now, equity).or_else(|| next.peak(name, now, equity));
            let Some(change) = found else { continue };
            next.apply(&change);
            changes.push(change);
        }
        changes.extend(BreakerName::ALL.into_iter().filter_map(|name| next.trip(name, now, equity, config)));
        changes
    }

    fn rebased_by_date(
        &self,
        name: BreakerName,
        now: Timestamp,
        equity: Decimal,
    ) -> Option<BreakerTransition> {
        let breaker = self.get(name);
        let is_new = match (breaker.since, name.period(now)) {
            (None, _) => true,
            (Some(since), Some(begin)) => since < begin,
            (Some(_), None) => false,
        };
        let rearmed = breaker.tripped.is_some();
        (is_new && equity > Decimal::ZERO).then_some(BreakerTransition::Baseline {
            name,
            at: now,
            equity,
            rearmed,
        })
    }

    fn peak(&self, name: BreakerName, now: Timestamp, equity: Decimal) -> Option<BreakerTransition> {
        let breaker = self.get(name);
        let peak = breaker.baseline.filter(|_| name == BreakerName::MaxDrawdown)?;
        let step = checked_div(checked_mul(peak, PEAK_STEP_PCT).ok()?, Decimal::ONE_HUNDRED).ok()?;
        let rise = checked_sub(equity, peak).ok()?;
        (breaker.tripped.is_none() && rise >= step).then_some(BreakerTransition::Peak { at: now, equity })
    }

    fn trip(
        &self,
        name: BreakerName,
        now: Timestamp,
        equity: Decimal,
        config: &config::Breakers,
    ) -> Option<BreakerTransition> {
        let breaker = self.get(name);
        let baseline = breaker.baseline?;
        let (loss_pct, limit_pct) = (breaker.loss_pct(equity), name.limit(config));
        let trips = breaker.tripped.is_none() && loss_pct > Decimal::ZERO && loss_pct >= limit_pct.value();
        let trip = Trip { at: now, equity, loss_pct };
        trips.then_some(BreakerTransition::Tripped { name, trip, baseline, limit_pct })
    }

    /// Arms a tripped breaker with `equity` as its new baseline.
    pub fn rearm(
        &self,
        name: BreakerName,
        now: Timestamp,
        equity: Decimal,
    ) -> Result<BreakerTransition, RearmError> {
        let breaker = self.get(name);
        if breaker.tripped.is_none() {
            return Err(RearmError::NotTripped(name));
        }
        if equity <= Decimal::ZERO {
            return Err(RearmError::NoEquity(name));
        }
        Ok(BreakerTransition::Rearmed { name, at: now, from: breaker.baseline, to: equity })
    }

    /// The only thing that changes a breaker.
    pub fn apply(&mut self, transition: &BreakerTransition) {
        match transition {
            BreakerTransition::Baseline { name, at, equity, rearmed: _ } => {
                self.get_mut(*name).rebase(*at, *equity);
            }
            BreakerTransition::Peak { at, equity } => {
                self.max_drawdown.baseline = Some(*equity);
                self.max_drawdown.since = Some(*at);
            }
            BreakerTransition::Tripped { name, trip, .. } => self.get_mut(*name).tripped = Some(*trip),
            BreakerTransition::Rearmed { name, at, to, from: _ } => self.get_mut(*name).rebase(*at, *to),
        }
    }
}

#[cfg(test)]
mod tests;
