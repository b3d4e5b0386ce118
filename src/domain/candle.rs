//! Price bars.

use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Symbol, Timestamp};

/// Why a bar is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CandleError {
    /// High and low do not enclose open and close.
    #[error("high {high} and low {low} do not enclose open {open} and close {close}")]
    NotEnclosed {
        /// Highest price claimed.
        high: Decimal,
        /// Lowest price claimed.
        low: Decimal,
        /// First price.
        open: Decimal,
        /// Last price.
        close: Decimal,
    },
    /// A price that is zero or negative.
    #[error("price {0} is not positive")]
    NotPositive(Decimal),
    /// A negative volume.
    #[error("volume {0} is negative")]
    NegativeVolume(Decimal),
    /// A bar of no length.
    #[error("a candle's interval must be longer than zero")]
    NoInterval,
}

/// One closed price bar of one symbol. Prices are in the symbol's quote asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// Whose price.
    pub symbol: Symbol,
    /// First instant of the bar.
    pub open_time: Timestamp,
    /// Length in seconds.
    pub interval_secs: u32,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Traded amount, base units. Zero: nobody traded.
    pub volume: Decimal,
    /// Nobody traded: the source has no such bar, and all four prices are the last close before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub synthetic: bool,
}

impl Candle {
    /// The bar of an interval in which nobody traded: flat at the last close, without volume.
    pub fn quiet(symbol: Symbol, open_time: Timestamp, interval_secs: u32, last_close: Decimal) -> Self {
        Self {
            symbol,
            open_time,
            interval_secs,
            open: last_close,
            high: last_close,
            low: last_close,
            close: last_close,
            volume: Decimal::ZERO,
            synthetic: true,
        }
    }

    /// Checks that the bar can be one.
    pub fn validated(self) -> Result<Self, CandleError> {
        if self.interval_secs == 0 {
            return Err(CandleError::NoInterval);
        }
        if let Some(price) =
            [self.low, self.open, self.close, self.high].into_iter().find(|p| *p <= Decimal::ZERO)
        {
            return Err(CandleError::NotPositive(price));
        }
        if self.high < self.open.max(self.close) || self.low > self.open.min(self.close) {
            let Self { high, low, open, close, .. } = self;
            return Err(CandleError::NotEnclosed { high, low, open, close });
        }
        if self.volume.is_sign_negative() && !self.volume.is_zero() {
            return Err(CandleError::NegativeVolume(self.volume));
        }
        Ok(self)
    }

    /// Decimal places of the finest of its prices.
    pub fn price_decimals(&self) -> u32 {
        [self.open, self.high, self.low, self.close].map(|price| price.scale()).into_iter().fold(0, u32::max)
    }

    /// Length of the bar.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.interval_secs))
    }

    /// First instant after the bar: when it is known.
    pub fn close_time(&self) -> Timestamp {
        self.open_time.plus(self.interval())
    }

    /// Whether it closes more than its own length after `now`, market time: no clock is so far out. Taken for the last
    /// one, it would keep every honest candle out until its time has come.
    pub fn is_ahead_of(&self, now: Timestamp) -> bool {
        self.close_time().since(now) > self.interval()
    }
}

/// A price that moved by more than it may from one candle to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceJump {
    /// Last known price, quote units.
    pub from: Decimal,
    /// The next one.
    pub to: Decimal,
}

/// Fewest candles that any age may span: what is younger than the candle before the last is never old.
pub const AGE_CANDLES_MIN: u32 = 2;

/// The length of a feed's candles. Configured spans are in seconds; on candles that are longer than that they would
/// make everything stale, so every age is asked for here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandleSpan(Duration);

impl CandleSpan {
    /// Of a feed whose candles have this length.
    pub const fn new(length: Duration) -> Self {
        Self(length)
    }

    /// How old something may be: as configured, but at least [`AGE_CANDLES_MIN`] candles.
    pub fn age(self, configured: Duration) -> Duration {
        self.age_of(configured, AGE_CANDLES_MIN)
    }

    /// The same with a number of candles of its own, which cannot go below [`AGE_CANDLES_MIN`].
    pub fn age_of(self, configured: Duration, candles: u32) -> Duration {
        configured.max(self.0.saturating_mul(candles.max(AGE_CANDLES_MIN)))
    }

    /// How often to try again what only a new price can change: as configured, but at most once a candle.
    pub fn pace(self, configured: Duration) -> Duration {
        configured.max(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a candle was written before there were synthetic ones.
    const OLD: &str = r#"{"symbol":"BTC/USDT","open_time":"2022-01-01T00:00:00.000Z","interval_secs":60,"open":"1","high":"2","low":"1","close":"2","volume":"3"}"#;

    #[test]
    fn a_candle_written_by_an_older_version_reads_as_traded_and_is_written_the_same() {
        let candle: Candle = serde_json::from_str(OLD).unwrap();
        assert!(!candle.synthetic);
        assert_eq!(serde_json::to_string(&candle).unwrap(), OLD);
    }

    #[test]
    fn a_quiet_candle_is_valid_and_says_what_it_is() {
        let symbol = Symbol::new("BTC/USDT").unwrap();
        let quiet = Candle::quiet(symbol, Timestamp::EPOCH, 60, Decimal::TWO).validated().unwrap();
        assert_eq!((quiet.low, quiet.high, quiet.volume), (Decimal::TWO, Decimal::TWO, Decimal::ZERO));
        let text = serde_json::to_string(&quiet).unwrap();
        assert!(text.contains(r#""synthetic":true"#), "{text}");
        assert_eq!(serde_json::from_str::<Candle>(&text).unwrap(), quiet);
    }

    #[test]
    fn every_age_is_at_least_two_candles() {
        let secs = Duration::from_secs;
        let (minute, day) = (CandleSpan::new(secs(60)), CandleSpan::new(secs(86_400)));
        assert_eq!((minute.age(secs(90)), minute.age(secs(600))), (secs(120), secs(600)));
        assert_eq!(day.age(secs(90)), secs(2 * 86_400));
        assert_eq!((day.age_of(secs(90), 3), day.age_of(secs(90), 1)), (secs(3 * 86_400), secs(2 * 86_400)));
        assert_eq!((minute.pace(secs(30)), minute.pace(secs(90))), (secs(60), secs(90)));
    }
}
