//! The true state of a simulated market: each asset goes through phases that last one to six hours.
//!
//! The phases of one day are a function of seed, asset and day alone, not of prices. So the price path and the mood
//! that follows it can each ask for any instant without sharing state.

use std::time::Duration;

use super::noise::Dice;
use crate::domain::{Asset, Timestamp};

const DAY_SECS: i64 = 86_400;

/// What the market of one asset is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    TrendUp,
    TrendDown,
    Range,
    Choppy,
    Quiet,
    VolatileUp,
    VolatileDown,
    /// A sell-off of several percent: rare, and what loss breakers are for.
    Slump,
}

impl Phase {
    /// How often each phase is drawn. The parts sum to 100.
    const PARTS: [(Self, f64); 8] = [
        (Self::TrendUp, 23.0),
        (Self::TrendDown, 20.0),
        (Self::Range, 18.0),
        (Self::Choppy, 12.0),
        (Self::Quiet, 12.0),
        (Self::VolatileUp, 8.0),
        (Self::VolatileDown, 6.0),
        (Self::Slump, 1.0),
    ];

    fn drawn(dice: &mut Dice) -> Self {
        let mut left = dice.between(0.0, 100.0);
        for (phase, part) in Self::PARTS {
            if left < part {
                return phase;
            }
            left -= part;
        }
        Self::Range
    }

    /// How prices move in this phase.
    pub(super) const fn motion(self) -> Motion {
        let (drift, volatility, pull, jumps_per_hour) = match self {
            Self::TrendUp => (0.10, 0.9, 0.0, 0.0),
            Self::TrendDown => (-0.10, 0.9, 0.0, 0.0),
            Self::Range => (0.0, 0.8, 0.02, 0.0),
            Self::Choppy => (0.0, 1.5, 0.7, 0.0),
            Self::Quiet => (0.0, 0.3, 0.01, 0.0),
            Self::VolatileUp => (0.04, 2.4, 0.0, 0.5),
            Self::VolatileDown => (-0.04, 2.4, 0.0, 0.5),
            Self::Slump => (-0.12, 2.6, 0.0, 1.0),
        };
        Motion { drift, volatility, pull, jumps_per_hour }
    }

    /// What the mood makes of this phase, -1 to 1.
    pub(super) const fn mood(self) -> f64 {
        match self {
            Self::TrendUp => 0.75,
            Self::TrendDown => -0.75,
            Self::Range | Self::Choppy => 0.0,
            Self::Quiet => 0.1,
            Self::VolatileUp => 0.5,
            Self::VolatileDown => -0.6,
            Self::Slump => -1.2,
        }
    }
}

/// How prices move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Motion {
    /// Expected return of a minute, in deviations of that minute.
    pub(super) drift: f64,
    /// Deviation of a minute's return, in deviations of a normal minute.
    pub(super) volatility: f64,
    /// Share of the distance to the phase's first price that a minute takes back.
    pub(super) pull: f64,
    /// Expected number of sudden moves in an hour.
    pub(super) jumps_per_hour: f64,
}

/// One phase of one asset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Segment {
    pub(super) phase: Phase,
    /// First instant after it.
    pub(super) until: Timestamp,
    /// How pronounced it is: 1 is usual.
    pub(super) strength: f64,
}

impl Segment {
    /// The phase of `asset` at `at`.
    pub(super) fn at(seed: u64, asset: &Asset, at: Timestamp) -> Self {
        let day = at.day_start();
        let end = day.plus(Duration::from_secs(DAY_SECS.unsigned_abs()));
        let mut dice = Dice::new(seed, &format!("phase/{asset}"), day.millis() / 1_000 / DAY_SECS);
        let mut until = day;
        loop {
            let phase = Phase::drawn(&mut dice);
            let minutes = libm::round(dice.between(75.0, 360.0));
            let strength = dice.between(0.7, 1.4);
            until = until.plus(Duration::from_secs_f64(minutes * 60.0)).min(end);
            if at < until || until == end {
                return Self { phase, until, strength };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_segment_is_the_same_from_wherever_it_is_asked() {
        let asset = Asset::new("BTC").unwrap();
        let mut at = Timestamp::from_secs(1_704_067_200);
        for _ in 0..200 {
            let segment = Segment::at(7, &asset, at);
            assert!(segment.until > at);
            let last = segment.until.minus(Duration::from_secs(60));
            assert_eq!(Segment::at(7, &asset, last), segment);
            at = segment.until;
        }
    }

    #[test]
    fn every_phase_occurs_within_sixty_days() {
        let asset = Asset::new("BTC").unwrap();
        let hours = 0..60 * 24;
        let seen: HashSet<Phase> =
            hours.map(|hour| Segment::at(7, &asset, Timestamp::from_secs(hour * 3_600)).phase).collect();
        assert_eq!(seen.len(), Phase::PARTS.len(), "{seen:?}");
    }
}
