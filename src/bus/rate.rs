//! How many messages per second a topic carries, over a sliding window of market time.

use crate::domain::Timestamp;

/// Width of the window, seconds.
const WINDOW_SECS: u8 = 10;

/// One counter per second of the window.
#[derive(Debug, Clone, Default)]
pub(super) struct Rate {
    /// The latest second counted, since 1970.
    second: i64,
    /// Counts by second modulo the window.
    counts: [u32; WINDOW_SECS as usize],
}

impl Rate {
    /// Counts one message at `now`; time that runs backwards counts for the latest second.
    pub(super) fn record(&mut self, now: Timestamp) {
        self.roll(now);
        let slot = Self::slot(self.second);
        self.counts[slot] = self.counts[slot].saturating_add(1);
    }

    /// Mean messages per second over the ten seconds up to `now`, the running one included.
    pub(super) fn per_second(&mut self, now: Timestamp) -> f64 {
        self.roll(now);
        self.counts.iter().map(|count| f64::from(*count)).sum::<f64>() / f64::from(WINDOW_SECS)
    }

    /// Forgets the seconds that have left the window.
    fn roll(&mut self, now: Timestamp) {
        let second = now.millis().div_euclid(1_000);
        if second <= self.second {
            return;
        }
        let gone = second.saturating_sub(self.second).min(i64::from(WINDOW_SECS));
        for back in 0..gone {
            self.counts[Self::slot(second - back)] = 0;
        }
        self.second = second;
    }

    fn slot(second: i64) -> usize {
        usize::try_from(second.rem_euclid(i64::from(WINDOW_SECS))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "counts over ten are exact enough to compare")]
    fn a_rate_forgets_what_left_the_window() {
        let mut rate = Rate::default();
        for second in 100..110 {
            for _ in 0..5 {
                rate.record(Timestamp::from_secs(second));
            }
        }
        assert_eq!(rate.per_second(Timestamp::from_secs(109)), 5.0);
        assert_eq!(rate.per_second(Timestamp::from_secs(114)), 2.5);
        assert_eq!(rate.per_second(Timestamp::from_secs(1_000_000)), 0.0);
    }
}
