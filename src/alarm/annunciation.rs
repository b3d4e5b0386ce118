//! When an alarm speaks up again. All spans are operator time: they pace a person, not the market.

use std::time::Duration;

use super::{Alarm, AlarmState};
use crate::domain::Timestamp;

/// An unacknowledged alarm is annunciated again after each of these, then every hour.
pub const REPEATS: [Duration; 3] =
    [Duration::from_secs(5 * 60), Duration::from_secs(15 * 60), Duration::from_secs(60 * 60)];

/// An acknowledged alarm whose condition goes on is brought to mind once in this span.
pub const REMINDER_EVERY: Duration = Duration::from_secs(8 * 3_600);

const HOUR: Duration = Duration::from_secs(3_600);

/// When `alarm` speaks up next after `since`, operator time; never for states that time does not touch. Missed repeats
/// are not made up.
pub(super) fn due(alarm: &Alarm, since: Timestamp) -> Option<Timestamp> {
    // A clock that was set back between two runs silences nothing until the old time is reached.
    let paced_from = alarm.paced_from.min(since);
    let past = passed(alarm.state, since.since(paced_from));
    let offset = match alarm.state {
        AlarmState::Unacknowledged => repeat_offset(past),
        AlarmState::Acknowledged => REMINDER_EVERY.saturating_mul(past.saturating_add(1)),
        AlarmState::Normal
        | AlarmState::ReturnedUnacknowledged
        | AlarmState::LatchedUnacknowledged
        | AlarmState::LatchedAcknowledged => return None,
    };
    Some(paced_from.plus(offset))
}

/// How many annunciations of `state` are past after `elapsed`.
fn passed(state: AlarmState, elapsed: Duration) -> u32 {
    let whole = |span: Duration| u32::try_from(elapsed.as_secs() / span.as_secs()).unwrap_or(u32::MAX);
    match state {
        AlarmState::Acknowledged => whole(REMINDER_EVERY),
        AlarmState::Unacknowledged if elapsed >= HOUR => whole(HOUR).saturating_add(2),
        AlarmState::Unacknowledged => u32::from(elapsed >= REPEATS[0]) + u32::from(elapsed >= REPEATS[1]),
        AlarmState::Normal
        | AlarmState::ReturnedUnacknowledged
        | AlarmState::LatchedUnacknowledged
        | AlarmState::LatchedAcknowledged => 0,
    }
}

/// How long after the raise the repeat number `times` (from 0) comes.
fn repeat_offset(times: u32) -> Duration {
    match times {
        0 => REPEATS[0],
        1 => REPEATS[1],
        2.. => HOUR.saturating_mul(times - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_come_after_5_15_and_60_minutes_then_hourly() {
        let minutes: Vec<u64> = (0..5).map(|n| repeat_offset(n).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 15, 60, 120, 180]);
    }

    #[test]
    fn the_next_repeat_always_lies_ahead() {
        for minutes in [0_u64, 4, 5, 14, 15, 59, 60, 61, 119, 120, 6_000] {
            let elapsed = Duration::from_secs(minutes * 60);
            assert!(repeat_offset(passed(AlarmState::Unacknowledged, elapsed)) > elapsed, "{minutes} min");
        }
    }
}
