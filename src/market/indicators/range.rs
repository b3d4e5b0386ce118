//! Indicators on the whole bar: average true range, directional movement, Bollinger bands, choppiness.

use super::Bar;
use super::average::{Wilder, Window};

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

/// One value of [`Adx`]; all three 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdxValue {
    /// Strength of the trend, whichever way.
    pub adx: f64,
    /// Upward directional indicator, +DI.
    pub plus: f64,
    /// Downward directional indicator, -DI.
    pub minus: f64,
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

/// One value of [`Bollinger`], in quote units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BollingerValue {
    /// Upper band.
    pub upper: f64,
    /// Simple moving average.
    pub middle: f64,
    /// Lower band.
    pub lower: f64,
}

impl BollingerValue {
    /// Distance of the bands over the middle (Bollinger calls it `BandWidth`).
    pub fn width(self) -> f64 {
        if self.middle == 0.0 { 0.0 } else { (self.upper - self.lower) / self.middle }
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
