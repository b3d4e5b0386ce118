//! One pair of the simulated market: the quotient of two paths, as candles with ticks and volume.

use rust_decimal::Decimal;

use super::noise::Dice;
use super::path::{Minute, Path, STEPS, is_dollar};
use crate::domain::{Candle, Symbol, Timestamp};

/// Deviation of a cross pair's price from the quotient of its legs.
const CROSS_NOISE: f64 = 0.000_03;

/// Worth of what is traded in a normal minute, in dollars.
const TURNOVER: f64 = 900_000.0;

/// One pair: the quotient of two paths.
#[derive(Debug)]
pub(super) struct Pair {
    symbol: Symbol,
    base: usize,
    quote: usize,
    noise: f64,
    dice: Dice,
    decimals: u32,
    last: Option<f64>,
}

impl Pair {
    pub(super) fn new(seed: u64, symbol: &Symbol, base: usize, quote: usize) -> Self {
        let against_dollar = is_dollar(symbol.quote()) && !is_dollar(symbol.base());
        Self {
            symbol: symbol.clone(),
            base,
            quote,
            noise: if against_dollar { 0.0 } else { CROSS_NOISE },
            dice: Dice::new(seed, &format!("pair/{symbol}"), 0),
            decimals: 0,
            last: None,
        }
    }

    /// The candle of the minute that begins at `open_time`, out of what the paths have just done.
    pub(super) fn candle(&mut self, open_time: Timestamp, paths: &[Path]) -> Candle {
        let flat: Minute = [0.0; STEPS + 1];
        let minute_of = |index: usize| paths.get(index).map_or(&flat, Path::minute);
        let (base, quote) = (minute_of(self.base), minute_of(self.quote));
        let mut prices: Minute = std::array::from_fn(|step| {
            let noise = if self.noise > 0.0 { self.noise * self.dice.normal() } else { 0.0 };
            libm::exp(base[step] - quote[step] + noise)
        });
        match self.last {
            Some(last) => prices[0] = last,
            None => self.decimals = decimals_for(prices[0]),
        }
        let close = prices[STEPS];
        self.last = Some(close);
        let high = prices.iter().copied().fold(close, f64::max);
        let low = prices.iter().copied().fold(close, f64::min);
        let base_price = libm::exp(base[STEPS]);
        Candle {
            symbol: self.symbol.clone(),
            open_time,
            interval_secs: 60,
            open: ticks(prices[0], self.decimals),
            high: ticks(high, self.decimals),
            low: ticks(low, self.decimals),
            close: ticks(close, self.decimals),
            volume: self.volume((high - low) / close, base_price),
            synthetic: false,
        }
    }

    /// Leaves out the candles of so many minutes. The first one after them opens at a price long past; drop it.
    pub(super) fn pass(&mut self, minutes: u64) {
        const FOR_VOLUME: u64 = 1;
        let for_prices = if self.noise > 0.0 { STEPS as u64 + 1 } else { 0 };
        self.dice.pass((for_prices + FOR_VOLUME) * minutes);
    }

    /// Base units traded: more in a wide bar than in a narrow one.
    fn volume(&mut self, range: f64, base_price: f64) -> Decimal {
        let busy = 0.3 + range / 0.001;
        ticks(TURNOVER * busy * self.dice.between(0.5, 1.5) / base_price, 4)
    }
}

/// Decimal places that give a price about five significant digits, at least one place.
fn decimals_for(price: f64) -> u32 {
    let mut decimals = 1;
    let mut scaled = price * 10.0;
    while scaled < 10_000.0 && decimals < 12 {
        scaled *= 10.0;
        decimals += 1;
    }
    decimals
}

/// The nearest number of ticks of 10^-`decimals`, at least one.
fn ticks(value: f64, decimals: u32) -> Decimal {
    let scale = (0..decimals).fold(1.0, |scale, _| scale * 10.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "simulated prices and volumes are far below 2^63 ticks"
    )]
    let mantissa = libm::round(value * scale) as i64;
    Decimal::new(mantissa.max(1), decimals)
}
