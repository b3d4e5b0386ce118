//! Moving averages: simple over a window, exponential, and Wilder's.

use std::collections::VecDeque;

/// Exponential moving average over `period` values, smoothing factor `2 / (period + 1)`, seeded with the simple mean
/// of the first `period` values (the convention of TA-Lib and of most charting programs).
#[derive(Debug, Clone)]
pub struct Ema {
    smoothed: Smoothed,
}

/// Wilder's moving average: like an exponential one with smoothing factor `1 / period`, seeded with the simple mean
/// (J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978).
#[derive(Debug, Clone)]
pub struct Wilder {
    smoothed: Smoothed,
}

impl Ema {
    /// An average over `period` values.
    pub fn new(period: u16) -> Self {
        Self { smoothed: Smoothed::new(period, 2.0 / (f64::from(period) + 1.0)) }
    }

    /// Adds a value and returns the average, once there are enough.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.smoothed.push(value)
    }

    /// The average, once there are enough values.
    pub fn value(&self) -> Option<f64> {
        self.smoothed.value()
    }
}

impl Wilder {
    /// An average over `period` values.
    pub fn new(period: u16) -> Self {
        Self { smoothed: Smoothed::new(period, 1.0 / f64::from(period)) }
    }

    /// Adds a value and returns the average, once there are enough.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.smoothed.push(value)
    }

    /// The average, once there are enough values.
    pub fn value(&self) -> Option<f64> {
        self.smoothed.value()
    }
}

/// What both have in common: a simple mean first, then `mean += factor * (value - mean)`.
#[derive(Debug, Clone)]
struct Smoothed {
    period: u16,
    factor: f64,
    seen: u16,
    /// The sum while warming up, the average afterwards.
    state: f64,
}

impl Smoothed {
    const fn new(period: u16, factor: f64) -> Self {
        Self { period, factor, seen: 0, state: 0.0 }
    }

    fn push(&mut self, value: f64) -> Option<f64> {
        if self.seen < self.period {
            self.seen += 1;
            self.state += value;
            if self.seen == self.period {
                self.state /= f64::from(self.period);
            }
        } else {
            self.state += self.factor * (value - self.state);
        }
        self.value()
    }

    fn value(&self) -> Option<f64> {
        (self.seen >= self.period).then_some(self.state)
    }
}

/// The last `period` values. Sums over it are taken anew each time: with windows of at most 20 that costs less than
/// a cache miss, and unlike a running sum it cannot drift over millions of candles.
#[derive(Debug, Clone)]
pub struct Window {
    period: usize,
    values: VecDeque<f64>,
}

impl Window {
    /// An empty window of `period` places.
    pub fn new(period: usize) -> Self {
        Self { period, values: VecDeque::with_capacity(period) }
    }

    /// Adds a value; the oldest one leaves a full window.
    pub fn push(&mut self, value: f64) {
        if self.values.len() == self.period {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// Whether there are `period` values.
    pub fn is_full(&self) -> bool {
        self.values.len() == self.period
    }

    /// Sum of the values.
    pub fn sum(&self) -> f64 {
        self.values.iter().sum()
    }

    /// Mean of the values; zero when there are none.
    pub fn mean(&self) -> f64 {
        if self.values.is_empty() { 0.0 } else { self.sum() / self.values.len() as f64 }
    }

    /// Standard deviation of the values (of the population, as Bollinger uses it).
    pub fn deviation(&self) -> f64 {
        if self.values.is_empty() {
            return 0.0;
        }
        let mean = self.mean();
        let squares: f64 = self.values.iter().map(|v| (v - mean) * (v - mean)).sum();
        libm::sqrt(squares / self.values.len() as f64)
    }

    /// Largest of the values; negative infinity when there are none.
    pub fn max(&self) -> f64 {
        self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Smallest of the values; infinity when there are none.
    pub fn min(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }
}
