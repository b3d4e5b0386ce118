//! Instants as plain numbers. Nothing here reads a clock: time arrives with each input.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in UTC, in whole milliseconds since 1970-01-01. Written as RFC 3339 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since 1970, saturating at the ends of the range.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This instant plus `span`, saturating.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(span)))
    }

    /// This instant minus `span`, saturating.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(span)))
    }

    /// The latest multiple of `span` since 1970 that is not after this instant. A span under 1 ms changes nothing.
    #[must_use]
    pub fn floor_to(self, span: Duration) -> Self {
        let span = millis_of(span);
        if span == 0 { self } else { Self(self.0 - self.0.rem_euclid(span)) }
    }

    /// Midnight UTC of this instant's day.
    #[must_use]
    pub fn day_start(self) -> Self {
        self.floor_to(Duration::from_secs(86_400))
    }

    /// Monday 00:00 UTC of this instant's week.
    #[must_use]
    pub fn week_start(self) -> Self {
        // 1970-01-01 was a Thursday, so weeks that begin on Monday are offset by four days.
        const OFFSET: Duration = Duration::from_secs(4 * 86_400);
        self.minus(OFFSET).floor_to(Duration::from_secs(7 * 86_400)).plus(OFFSET)
    }

    /// As a chrono value, for formatting. Instants outside chrono's range become its nearest end.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(if self.0 < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
    }

    /// `10:42:07`.
    pub fn clock(self) -> String {
        let secs = self.0.div_euclid(1_000).rem_euclid(86_400);
        format!("{:02}:{:02}:{:02}", secs / 3_600, secs / 60 % 60, secs % 60)
    }
}

fn millis_of(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl FromStr for Timestamp {
    type Err = chrono::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        DateTime::parse_from_rfc3339(text).map(|at| Self(at.timestamp_millis()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The two clocks at one instant; every input to the core carries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Schedules, TTLs, freshness, legs, breaker days, signal age, cooldowns. Scaled by `--speed`.
    pub market: Timestamp,
    /// Key guards, codes, reminders, model timeouts, health, checkpoints. Real and monotonic.
    pub operator: Timestamp,
}

impl Now {
    /// Both clocks at the same instant, as in the virtual driver.
    pub const fn both(at: Timestamp) -> Self {
        Self { market: at, operator: at }
    }
}

/// A span as an operator reads it in the header: `0:12`, `4:12:07`, `3d 04:12:07`.
pub fn days_hms(span: Duration) -> String {
    let secs = span.as_secs();
    let (days, hours, minutes, seconds) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60, secs % 60);
    if days > 0 {
        format!("{days}d {hours:02}:{minutes:02}:{seconds:02}")
    } else if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A span in one short word for a narrow column: `8s`, `2m`, `41m`, `3h`, `2d`.
pub fn short_span(span: Duration) -> String {
    match span.as_secs() {
        secs @ 0..=119 => format!("{secs}s"),
        secs @ 120..=7_199 => format!("{}m", secs / 60),
        secs @ 7_200..=172_799 => format!("{}h", secs / 3_600),
        secs => format!("{}d", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_round_trips_through_its_text() {
        let at = Timestamp::from_millis(1_640_995_200_123);
        assert_eq!(at.to_string(), "2022-01-01T00:00:00.123Z");
        assert_eq!(at.to_string().parse::<Timestamp>(), Ok(at));
    }

    #[test]
    fn weeks_begin_on_monday() {
        let saturday: Timestamp = "2022-01-01T13:00:00Z".parse().unwrap();
        assert_eq!(saturday.week_start().to_string(), "2021-12-27T00:00:00.000Z");
        let monday: Timestamp = "2022-01-03T00:00:00Z".parse().unwrap();
        assert_eq!(monday.week_start(), monday);
    }

    #[test]
    fn spans_never_go_negative() {
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(5)), Duration::ZERO);
    }

    #[test]
    fn spans_read_like_a_clock() {
        assert_eq!(days_hms(Duration::from_secs(12)), "0:12");
        assert_eq!(days_hms(Duration::from_secs(15_127)), "4:12:07");
        assert_eq!(days_hms(Duration::from_secs(3 * 86_400 + 15_127)), "3d 04:12:07");
        assert_eq!(short_span(Duration::from_secs(141)), "2m");
    }
}
