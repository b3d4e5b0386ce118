//! The candle store: what agents read of the market.
//!
//! Per symbol a bounded ring of closed candles, the indicators on the feed's own interval, and one-hour bars for the
//! hourly ATR. Cheap to clone; each call takes a short lock and never waits. It decides nothing and forgets
//! everything at exit: history comes back from the feed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::indicators::{Atr, Bar, IndicatorValues, Indicators};
use crate::config::IndicatorPeriods;
use crate::domain::{Candle, Symbol, Timestamp};

/// Candles kept per symbol: a day of one-minute bars and an hour.
pub const CANDLES_MAX: usize = 1_500;

const HOUR: Duration = Duration::from_secs(3_600);

/// Closed candles and indicators of all symbols, shared between the driver that writes and the agents that read.
#[derive(Debug, Clone)]
pub struct CandleStore {
    periods: IndicatorPeriods,
    series: Arc<Mutex<BTreeMap<Symbol, Series>>>,
}

impl CandleStore {
    /// An empty store, with indicators of these lengths.
    pub fn new(periods: IndicatorPeriods) -> Self {
        Self { periods, series: Arc::default() }
    }

    /// The lengths of the indicators.
    pub const fn periods(&self) -> &IndicatorPeriods {
        &self.periods
    }

    /// Adds a closed candle. One that is not newer than the last of its symbol is not taken: returns whether it was.
    pub fn on_candle(&self, candle: &Candle) -> bool {
        let mut series = self.lock();
        if let Some(known) = series.get_mut(&candle.symbol) {
            return known.push(candle);
        }
        series.entry(candle.symbol.clone()).or_insert(Series::new(&self.periods)).push(candle)
    }

    /// The indicators at the last closed candle; none before the first.
    pub fn indicators(&self, symbol: &Symbol) -> Option<IndicatorValues> {
        self.lock().get(symbol).map(Series::values)
    }

    /// The last closed candle.
    pub fn last(&self, symbol: &Symbol) -> Option<Candle> {
        self.lock().get(symbol)?.ring.back().cloned()
    }

    /// The last `count` closed candles (at most [`CANDLES_MAX`]), oldest first.
    pub fn recent(&self, symbol: &Symbol, count: usize) -> Vec<Candle> {
        self.lock().get(symbol).map_or_else(Vec::new, |series| series.tail(count).cloned().collect())
    }

    /// Lowest low and highest high of the last `count` closed candles.
    pub fn extremes(&self, symbol: &Symbol, count: usize) -> Option<(f64, f64)> {
        let series = self.lock();
        series
            .get(symbol)?
            .tail(count)
            .map(Bar::from)
            .map(|bar| (bar.low, bar.high))
            .reduce(|(low, high), (next_low, next_high)| (low.min(next_low), high.max(next_high)))
    }

    /// Decimal places of the symbol's price tick: the most that any of its candles has shown.
    pub fn price_decimals(&self, symbol: &Symbol) -> Option<u32> {
        self.lock().get(symbol).map(|series| series.decimals)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Symbol, Series>> {
        // Every update is whole before the next can panic, so a poisoned lock still guards valid data.
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is kept of one symbol.
#[derive(Debug)]
struct Series {
    ring: VecDeque<Candle>,
    decimals: u32,
    indicators: Indicators,
    hours: Hours,
}

impl Series {
    fn new(periods: &IndicatorPeriods) -> Self {
        Self {
            ring: VecDeque::new(),
            decimals: 0,
            indicators: Indicators::new(periods),
            hours: Hours { open: None, atr: Atr::new(periods.hourly_atr) },
        }
    }

    fn push(&mut self, candle: &Candle) -> bool {
        if self.ring.back().is_some_and(|last| candle.open_time < last.close_time()) {
            return false;
        }
        if self.ring.len() == CANDLES_MAX {
            self.ring.pop_front();
        }
        self.decimals = self.decimals.max(candle.price_decimals());
        let bar = Bar::from(candle);
        self.indicators.push(bar);
        self.hours.push(candle, bar);
        self.ring.push_back(candle.clone());
        true
    }

    fn values(&self) -> IndicatorValues {
        IndicatorValues { hourly_atr: self.hours.atr.value(), ..self.indicators.values() }
    }

    fn tail(&self, count: usize) -> impl Iterator<Item = &Candle> {
        self.ring.range(self.ring.len().saturating_sub(count)..)
    }
}

/// One-hour bars out of shorter ones. An hour is closed by its last candle, or, after a gap, by the first candle of a
/// later hour. Candles of an hour or longer count as they are.
#[derive(Debug)]
struct Hours {
    open: Option<(Timestamp, Bar)>,
    atr: Atr,
}

impl Hours {
    fn push(&mut self, candle: &Candle, bar: Bar) {
        let hour = candle.open_time.floor_to(HOUR);
        let merged = match self.open.take() {
            Some((open, so_far)) if open == hour => {
                Bar { high: so_far.high.max(bar.high), low: so_far.low.min(bar.low), close: bar.close }
            }
            Some((_, earlier)) => {
                self.atr.push(earlier);
                bar
            }
            None => bar,
        };
        if candle.close_time() >= hour.plus(HOUR) {
            self.atr.push(merged);
        } else {
            self.open = Some((hour, merged));
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::config::Config;

    fn candle(minute: i64, close: i64) -> Candle {
        let price = Decimal::new(close, 1);
        Candle {
            symbol: Symbol::new("BTC/USDT").unwrap(),
            open_time: Timestamp::from_secs(minute * 60),
            interval_secs: 60,
            open: price,
            high: price + Decimal::ONE,
            low: price - Decimal::ONE,
            close: price,
            volume: Decimal::ONE,
            synthetic: false,
        }
    }

    fn symbol() -> Symbol {
        candle(0, 1).symbol
    }

    fn store() -> CandleStore {
        CandleStore::new(Config::defaults().unwrap().agents.indicators)
    }

    #[test]
    fn indicators_are_as_long_as_they_are_configured() {
        let usual = Config::defaults().unwrap().agents.indicators;
        let store = CandleStore::new(IndicatorPeriods { ema_trend: 3, ..usual });
        for minute in 0..3 {
            assert_eq!(store.indicators(&symbol()).and_then(|values| values.ema_trend), None);
            store.on_candle(&candle(minute, 1_000 + 10 * minute));
        }
        let values = store.indicators(&symbol()).unwrap();
        assert_eq!((values.ema_trend, values.ema_fast), (Some(101.0), None));
    }

    #[test]
    fn the_ring_keeps_the_newest_candles_only() {
        let store = store();
        for minute in 0..2_000 {
            assert!(store.on_candle(&candle(minute, 1_000 + minute)));
        }
        let kept = store.recent(&symbol(), usize::MAX);
        assert_eq!(kept.len(), CANDLES_MAX);
        assert_eq!(kept.last().map(|c| c.open_time), Some(Timestamp::from_secs(1_999 * 60)));
        assert_eq!(store.recent(&symbol(), 2).len(), 2);
        assert_eq!(store.indicators(&symbol()).unwrap().candles, 2_000);
        assert_eq!(store.price_decimals(&symbol()), Some(1));
    }

    #[test]
    fn a_candle_that_came_before_is_not_counted_twice() {
        let store = store();
        assert!(store.on_candle(&candle(5, 1_000)));
        assert!(!store.on_candle(&candle(5, 9_000)));
        assert!(!store.on_candle(&candle(4, 9_000)));
        assert_eq!(store.indicators(&symbol()).unwrap().candles, 1);
        assert_eq!(store.last(&symbol()).unwrap().close, Decimal::new(1_000, 1));
    }

    #[test]
    fn another_symbol_has_no_data() {
        let store = store();
        store.on_candle(&candle(0, 1_000));
        let other = Symbol::new("XRP/USDT").unwrap();
        assert!(store.indicators(&other).is_none() && store.last(&other).is_none());
        assert!(store.recent(&other, 5).is_empty() && store.extremes(&other, 5).is_none());
    }

    #[test]
    fn the_hourly_range_is_that_of_whole_hours() {
        let store = store();
        // Within each hour the close climbs by 59 tenths, and starts again: high - low is 5.9 + 2.
        for minute in 0..15 * 60 {
            store.on_candle(&candle(minute, 1_000 + minute % 60));
            let atr = store.indicators(&symbol()).unwrap().hourly_atr;
            assert_eq!(atr.is_some(), minute == 15 * 60 - 1, "minute {minute}");
        }
        let atr = store.indicators(&symbol()).unwrap().hourly_atr.unwrap();
        assert!((atr - 7.9).abs() < 1e-9, "{atr}");
    }

    #[test]
    fn a_gap_closes_the_hour_that_it_cut() {
        let store = store();
        for hour in 0..16 {
            // Only the first half of each hour arrives.
            for minute in 0..30 {
                store.on_candle(&candle(hour * 60 + minute, 1_000 + minute));
            }
        }
        let atr = store.indicators(&symbol()).unwrap().hourly_atr.unwrap();
        assert!((atr - 4.9).abs() < 1e-9, "{atr}");
    }

    #[test]
    fn extremes_cover_the_asked_window() {
        let store = store();
        for (minute, close) in [(0, 5_000), (1, 1_000), (2, 1_200)] {
            store.on_candle(&candle(minute, close));
        }
        assert_eq!(store.extremes(&symbol(), 2), Some((99.0, 121.0)));
    }
}
