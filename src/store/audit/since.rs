//! `22:00`, `90m`, a day or an instant: from when on records are asked for. All times are UTC.

use std::str::FromStr;
use std::time::Duration;

use crate::domain::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The last time that it was so late in the day.
    Clock(Duration),
    /// So long ago.
    Ago(Duration),
    /// An instant.
    At(Timestamp),
}

/// Not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time; write 22:00, 90m, 2026-03-01 or 2026-03-01T08:00:00Z (UTC)")]
pub struct SinceError(String);

impl Since {
    /// The instant that is meant at `now`.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Clock(into_day) => {
                let today = now.day_start().plus(into_day);
                if today <= now { today } else { today.minus(DAY) }
            }
            Self::Ago(span) => now.minus(span),
            Self::At(at) => at,
        }
    }
}

impl FromStr for Since {
    type Err = SinceError;

    fn from_str(text: &str) -> Result<Self, SinceError> {
        let clock = clock(text).map(Self::Clock);
        let at = || text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok().map(Self::At);
        let ago = || humantime::parse_duration(text).ok().map(Self::Ago);
        clock.or_else(at).or_else(ago).ok_or_else(|| SinceError(text.to_owned()))
    }
}

/// `22:00` or `22:00:30`, as time since midnight.
fn clock(text: &str) -> Option<Duration> {
    let mut parts = text.split(':');
    let mut part = |below: u64| -> Option<u64> {
        let digits = parts.next()?;
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|&number| plain && number < below)
    };
    let (hours, minutes) = (part(24)?, part(60)?);
    let seconds = if text.len() > 5 { part(60)? } else { 0 };
    parts.next().is_none().then(|| Duration::from_secs(hours * 3_600 + minutes * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> String {
        let now = "2026-03-02T21:30:00Z".parse().unwrap();
        text.parse::<Since>().unwrap().resolve(now).to_string()
    }

    #[test]
    fn a_time_of_day_is_the_last_one_and_never_in_the_future() {
        assert_eq!(resolved("21:30"), "2026-03-02T21:30:00.000Z");
        assert_eq!(resolved("21:30:01"), "2026-03-01T21:30:01.000Z");
        assert_eq!(resolved("22:00"), "2026-03-01T22:00:00.000Z");
    }

    #[test]
    fn spans_days_and_instants_are_understood() {
        assert_eq!(resolved("90m"), "2026-03-02T20:00:00.000Z");
        assert_eq!(resolved("2026-03-01"), "2026-03-01T00:00:00.000Z");
        assert_eq!(resolved("2026-03-01T08:00:00+01:00"), "2026-03-01T07:00:00.000Z");
    }

    #[test]
    fn anything_else_is_refused_with_advice() {
        for text in ["", "24:00", "22:60", "1:00", "22:00:00:00", "22:00:", "yesterday", "-5m", "2026-13-01"]
        {
            let error = text.parse::<Since>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no time; write 22:00")), "{error}");
        }
    }
}
