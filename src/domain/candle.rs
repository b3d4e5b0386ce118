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
}
