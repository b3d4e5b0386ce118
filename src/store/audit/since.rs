//! `22:00`, `90m`, a day or an instant: from when on records are asked for. All times are UTC.

use std::str::FromStr;
use std::time::Duration;

use crate::domain::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    when: When,
    is_wall: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// The last time that it was so late in the day.
    Clock(Duration),
    /// So long ago.
    Ago(Duration),
    /// An instant.
    At(Timestamp),
}

/// Not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time; write 22:00, 90m, 2026-03-01, \"2026-03-01 08:00\" or 2026-03-01T08:00:00Z (UTC), with `w ` \
     before it for wall time"
)]
pub struct SinceError(String);

impl Since {
    /// The instant that is meant at `now`.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self.when {
            When::Clock(into_day) => {
                let today = now.day_start().plus(into_day);
                if today <= now { today } else { today.minus(DAY) }
            }
            When::Ago(span) => now.minus(span),
            When::At(at) => at,
        }
    }

    /// Whether wall time was asked for, which a run at full speed does not have.
    pub fn is_wall(self) -> bool {
        self.is_wall
    }
}

impl FromStr for Since {
    type Err = SinceError;

    fn from_str(text: &str) -> Result<Self, SinceError> {
        let (is_wall, time) = match text.strip_prefix("w ") {
            Some(time) => (true, time),
            None => (false, text),
        };
        let clock = clock(time).map(When::Clock);
        let ago = || humantime::parse_duration(time).ok().map(When::Ago);
        let when = clock.or_else(|| instant(time).map(When::At)).or_else(ago);
        when.map(|when| Self { when, is_wall }).ok_or_else(|| SinceError(text.to_owned()))
    }
}

/// `22:00`, `22:00:30` or `22:00:30.5`, as time since midnight.
fn clock(text: &str) -> Option<Duration> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = text.split(':');
    let mut part = |below: u64| -> Option<u64> {
        let digits = parts.next()?;
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|&number| plain && number < below)
    };
    let (hours, minutes) = (part(24)?, part(60)?);
    let seconds = if text.len() > 5 { part(60)? } else { 0 };
    let millis = fraction.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("{fraction:0<3.3}"))?;
    let millis: u64 = millis.parse().ok()?;
    let whole = Duration::from_secs(hours * 3_600 + minutes * 60 + seconds);
    parts.next().is_none().then(|| whole + Duration::from_millis(millis))
}

/// `2026-03-01`, `2026-03-01 08:00` with or without seconds, and either with a `T` and an offset.
fn instant(text: &str) -> Option<Timestamp> {
    let Some((day, time)) = text.split_once(['T', ' ']) else {
        return format!("{text}T00:00:00Z").parse().ok();
    };
    let (time, offset) = time.split_at(time.find(['Z', '+', '-']).unwrap_or(time.len()));
    let midnight: Timestamp =
        format!("{day}T00:00:00{}", if offset.is_empty() { "Z" } else { offset }).parse().ok()?;
    Some(midnight.plus(clock(time)?))
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
    fn times_are_taken_in_every_form_in_which_they_are_printed() {
        let at: Timestamp = "2026-03-01T08:00:09.250Z".parse().unwrap();
        assert_eq!(resolved(&at.to_string()), at.to_string());
        assert_eq!(resolved(&super::super::words::time(at)), "2026-03-01T08:00:09.000Z");
        assert_eq!(resolved(&at.clock()), "2026-03-02T08:00:09.000Z");
        assert_eq!(resolved("2026-03-01 08:00"), "2026-03-01T08:00:00.000Z");
        assert_eq!(resolved("2026-03-01T08:00"), "2026-03-01T08:00:00.000Z");
        assert_eq!(resolved("2026-03-01 08:00Z"), "2026-03-01T08:00:00.000Z");
        assert_eq!(resolved("1h 28m"), "2026-03-02T20:02:00.000Z");
        assert_eq!(resolved("w 22:00"), "2026-03-01T22:00:00.000Z");
        assert!(
            "w 22:00".parse::<Since>().unwrap().is_wall() && !"22:00".parse::<Since>().unwrap().is_wall()
        );
    }

    #[test]
    fn anything_else_is_refused_with_advice() {
        for text in [
            "",
            "24:00",
            "22:60",
            "1:00",
            "22:00:00:00",
            "22:00:",
            "yesterday",
            "-5m",
            "2026-13-01",
            "w",
            "w w 22:00",
            "2026-03-01 24:00",
            "2026-03-01 8:00",
            "2026-03-01  08:00",
            "2026-02-30 08:00",
            "22:00.x",
            "2026-03-01 ",
        ] {
            let error = text.parse::<Since>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no time; write 22:00")), "{error}");
        }
    }
}
