//! Oscillators on the close: relative strength index and moving average convergence/divergence.

use super::average::{Ema, Wilder};
use crate::domain::MacdValue;

/// Relative strength index (Wilder 1978): `100 - 100 / (1 + average gain / average loss)`, both averages Wilder's.
/// Without any loss it is 100; without any movement 50.
#[derive(Debug, Clone)]
pub struct Rsi {
    previous: Option<f64>,
    gain: Wilder,
    loss: Wilder,
}

impl Rsi {
    /// Over `period` changes; the first value comes with close `period + 1`.
    pub fn new(period: u16) -> Self {
        Self { previous: None, gain: Wilder::new(period), loss: Wilder::new(period) }
    }

    /// Adds a close and returns the index, 0 to 100.
    pub fn push(&mut self, close: f64) -> Option<f64> {
        let change = close - self.previous.replace(close)?;
        let gain = self.gain.push(change.max(0.0));
        let loss = self.loss.push((-change).max(0.0));
        let (gain, loss) = (gain?, loss?);
        let all = gain + loss;
        Some(if all == 0.0 { 50.0 } else { 100.0 * gain / all })
    }
}

/// Moving average convergence/divergence (Gerald Appel, 1979): the difference of two EMAs, and an EMA of that.
#[derive(Debug, Clone)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

impl Macd {
    /// With these periods; 12, 26 and 9 are the usual ones. The first value comes with close `slow + signal - 1`.
    pub fn new(fast: u16, slow: u16, signal: u16) -> Self {
        Self { fast: Ema::new(fast), slow: Ema::new(slow), signal: Ema::new(signal) }
    }

    /// Adds a close and returns line and signal.
    pub fn push(&mut self, close: f64) -> Option<MacdValue> {
        let fast = self.fast.push(close);
        let slow = self.slow.push(close);
        let line = fast? - slow?;
        let signal = self.signal.push(line)?;
        Some(MacdValue { line, signal })
    }
}
