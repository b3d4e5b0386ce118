//! The one place that reads a clock. Everything else is handed its instants.

use std::time::{Duration, Instant, SystemTime};

#[cfg(target_os = "linux")]
use rustix::time::{ClockId, clock_gettime};

use crate::domain::{Now, Timestamp};

/// The live clocks: operator time is the wall at start plus what a clock counts since that never goes back and goes on
/// while the machine sleeps; market time starts at a given instant and runs `speed` times as fast.
#[derive(Debug, Clone, Copy)]
pub struct LiveClock {
    started: Duration,
    operator_start: Timestamp,
    market_start: Timestamp,
    speed: u32,
}

impl LiveClock {
    /// Starts both clocks. `speed` is market seconds per real second, at least 1.
    pub fn start(market_start: Timestamp, speed: u32) -> Self {
        Self { started: uptime(), operator_start: wall(), market_start, speed: speed.max(1) }
    }

    /// Both clocks now.
    pub fn now(&self) -> Now {
        let elapsed = uptime().saturating_sub(self.started);
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

    /// How far the process clock is from the wall clock: it grows when the wall was set.
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

/// Real time since the machine was booted, its sleep included where the system tells.
#[cfg(target_os = "linux")]
fn uptime() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    // Both are in range and not negative: POSIX, clock_gettime.
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Real time since the first reading: without a clock that counts the machine's sleep, a sleep shows as drift only.
#[cfg(not(target_os = "linux"))]
fn uptime() -> Duration {
    static FIRST: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(monotonic).elapsed()
}

/// The monotonic clock, for measuring spans of real time.
#[expect(clippy::disallowed_methods, reason = "the one live clock file")]
pub fn monotonic() -> Instant {
    Instant::now()
}
