//! The one place that reads a clock. Everything else is handed its instants.

use std::time::{Duration, Instant, SystemTime};

use crate::domain::{Now, Timestamp};

/// The live clocks: operator time is the wall at start plus what a monotonic clock counts since, so that it never
/// jumps; market time starts at a given instant and runs `speed` times as fast.
#[derive(Debug, Clone, Copy)]
pub struct LiveClock {
    started: Instant,
    operator_start: Timestamp,
    market_start: Timestamp,
    speed: u32,
}

impl LiveClock {
    /// Starts both clocks. `speed` is market seconds per real second, at least 1.
    pub fn start(market_start: Timestamp, speed: u32) -> Self {
        Self { started: monotonic(), operator_start: wall(), market_start, speed: speed.max(1) }
    }

    /// Both clocks now.
    pub fn now(&self) -> Now {
        let elapsed = monotonic().duration_since(self.started);
        Now {
            market: self.market_start.plus(elapsed.saturating_mul(self.speed)),
            operator: self.operator_start.plus(elapsed),
        }
    }

    /// How long to really wait for `market` to come.
    pub fn until_market(&self, market: Timestamp) -> Duration {
        market.since(self.now().market) / self.speed
    }

    /// How long to really wait for `operator` to come.
    pub fn until_operator(&self, operator: Timestamp) -> Duration {
        operator.since(self.now().operator)
    }

    /// How far the process clock is from the wall clock: it grows when the machine slept or the wall was set.
    pub fn drift(&self) -> Duration {
        let (process, wall) = (self.now().operator, wall());
        wall.since(process).max(process.since(wall))
    }
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the one live clock file")]
pub fn wall() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// The monotonic clock, for measuring spans of real time.
#[expect(clippy::disallowed_methods, reason = "the one live clock file")]
pub fn monotonic() -> Instant {
    Instant::now()
}
