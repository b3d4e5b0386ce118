//! Indicators on the whole bar: average true range, directional movement, Bollinger bands, choppiness, extremes.

use std::collections::VecDeque;

use super::Bar;
use super::average::{Wilder, Window};
use crate::domain::{AdxValue, BollingerValue};

/// The greatest of: high to low, high to the previous close, previous close to low (Wilder 1978).
pub fn true_range(bar: Bar, previous_close: f64) -> f64 {
    bar.high.max(previous_close) - bar.low.min(previous_close)
}

/// Average true range (Wilder 1978), in quote units. The first bar only gives the previous close.
#[derive(Debug, Clone)]
pub struct Atr {
    previous_close: Option<f64>,
    average: Wilder,
}

impl Atr {
    /// Over `period` true ranges; the first value comes with bar `period + 1`.
    pub fn new(period: u16) -> Self {
        Self { previous_close: None, average: Wilder::new(period) }
    }

    /// Adds a bar and returns the average.
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let previous = self.previous_close.replace(bar.close)?;
        self.average.push(true_range(bar, previous))
    }

    /// The average, once there are enough bars.
    pub fn value(&self) -> Option<f64> {
        self.average.value()
    }
}

/// Average directional index (Wilder 1978): `DX = 100 |+DI - -DI| / (+DI + -DI)`, averaged by Wilder's average.
#[derive(Debug, Clone)]
pub struct Adx {
    previous: Option<Bar>,
    range: Wilder,
    plus: Wilder,
    minus: Wilder,
    index: Wilder,
}

impl Adx {
    /// Over `period` bars; the first value comes with bar `2 * period`.
    pub fn new(period: u16) -> Self {
        let average = || Wilder::new(period);
        Self { previous: None, range: average(), plus: average(), minus: average(), index: average() }
    }

    /// Adds a bar and returns the index and both directions.
    pub fn push(&mut self, bar: Bar) -> Option<AdxValue> {
        let previous = self.previous.replace(bar)?;
        let (up, down) = (bar.high - previous.high, previous.low - bar.low);
        let range = self.range.push(true_range(bar, previous.close));
        let plus = self.plus.push(if up > down && up > 0.0 { up } else { 0.0 });
        let minus = self.minus.push(if down > up && down > 0.0 { down } else { 0.0 });
        let (range, plus, minus) = (range?, plus?, minus?);

        let share = |movement: f64| if range > 0.0 { 100.0 * movement / range } else { 0.0 };
        let (plus, minus) = (share(plus), share(minus));
        let both = plus + minus;
        let dx = if both > 0.0 { 100.0 * (plus - minus).abs() / both } else { 0.0 };
        let adx = self.index.push(dx)?;
        Some(AdxValue { adx, plus, minus })
    }
}

/// Bollinger bands: simple moving average plus and minus so many standard deviations of the population
/// (John Bollinger, *Bollinger on Bollinger Bands*, 2001).
#[derive(Debug, Clone)]
pub struct Bollinger {
    closes: Window,
    deviations: f64,
}

impl Bollinger {
    /// Over `period` closes; 20 and 2 are the usual ones.
    pub fn new(period: usize, deviations: f64) -> Self {
        Self { closes: Window::new(period), deviations }
    }

    /// Adds a close and returns the bands.
    pub fn push(&mut self, close: f64) -> Option<BollingerValue> {
        self.closes.push(close);
        if !self.closes.is_full() {
            return None;
        }
        let (middle, half) = (self.closes.mean(), self.deviations * self.closes.deviation());
        Some(BollingerValue { upper: middle + half, middle, lower: middle - half })
    }
}

/// Choppiness index (E. W. Dreiss): `100 log10(sum of true ranges / (highest high - lowest low)) / log10(period)`.
/// Near 100 the bars go nowhere, near 0 they go straight. A market that does not move at all counts as 100.
#[derive(Debug, Clone)]
pub struct Choppiness {
    period: f64,
    previous_close: Option<f64>,
    ranges: Window,
    highs: Window,
    lows: Window,
}

impl Choppiness {
    /// Over `period` bars; the first value comes with bar `period + 1`.
    pub fn new(period: u16) -> Self {
        let window = || Window::new(usize::from(period));
        Self {
            period: f64::from(period),
            previous_close: None,
            ranges: window(),
            highs: window(),
            lows: window(),
        }
    }

    /// Adds a bar and returns the index, 0 to 100.
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let previous = self.previous_close.replace(bar.close)?;
        self.ranges.push(true_range(bar, previous));
        self.highs.push(bar.high);
        self.lows.push(bar.low);
        if !self.ranges.is_full() {
            return None;
        }
        let span = self.highs.max() - self.lows.min();
        if span <= 0.0 {
            return Some(100.0);
        }
        let index = 100.0 * libm::log10(self.ranges.sum() / span) / libm::log10(self.period);
        Some(index.clamp(0.0, 100.0))
    }
}

/// Lowest low and highest high of the last bars, in constant time per bar: each side keeps only the bars that no later
/// bar has beaten (a monotonic queue).
#[derive(Debug, Clone)]
pub struct Extremes {
    period: u64,
    bars: u64,
    /// Number of the bar and its low, rising from the front.
    lows: VecDeque<(u64, f64)>,
    /// Number of the bar and its high, falling from the front.
    highs: VecDeque<(u64, f64)>,
}

impl Extremes {
    /// Over `period` bars; before that over as many as there are.
    pub fn new(period: u16) -> Self {
        Self { period: period.into(), bars: 0, lows: VecDeque::new(), highs: VecDeque::new() }
    }

    /// Adds a bar and returns the lowest low and the highest high.
    pub fn push(&mut self, bar: Bar) -> (f64, f64) {
        self.bars += 1;
        while self.lows.back().is_some_and(|(_, low)| *low >= bar.low) {
            self.lows.pop_back();
        }
        while self.highs.back().is_some_and(|(_, high)| *high <= bar.high) {
            self.highs.pop_back();
        }
        self.lows.push_back((self.bars, bar.low));
        self.highs.push_back((self.bars, bar.high));
        for side in [&mut self.lows, &mut self.highs] {
            while side.front().is_some_and(|(bar, _)| bar + self.period <= self.bars) {
                side.pop_front();
            }
        }
        // The bar just pushed is always among them.
        let front = |side: &VecDeque<(u64, f64)>, own: f64| side.front().map_or(own, |(_, price)| *price);
        (front(&self.lows, bar.low), front(&self.highs, bar.high))
    }
}
