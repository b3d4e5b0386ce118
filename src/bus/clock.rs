//! The latest instant the bus has been told of. It reads no clock: every publish, clean-up and
//! [`MessageBus::advance`](super::MessageBus::advance) carries market time in, and receivers judge expiry by
//! the latest of them. A receiver that slept an hour so still sees that its messages are an hour older.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::Timestamp;

/// Market time as far as the bus knows; never runs backwards.
#[derive(Debug)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    /// A clock that has not been told anything yet.
    pub(super) const fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// Takes `now` in and returns the latest instant known.
    pub(super) fn advance(&self, now: Timestamp) -> Timestamp {
        let latest = self.latest();
        if latest >= now {
            return latest;
        }
        now.max(Timestamp::from_millis(self.0.fetch_max(now.millis(), Ordering::Relaxed)))
    }

    /// The latest instant known.
    pub(super) fn latest(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_runs_backwards() {
        let clock = Clock::new();
        let (early, late) = (Timestamp::from_secs(1), Timestamp::from_secs(2));
        assert_eq!(clock.advance(late), late);
        assert_eq!(clock.advance(early), late);
        assert_eq!(clock.latest(), late);
    }
}
