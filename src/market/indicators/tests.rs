//! The incremental indicators against plain batch versions of their definitions, and against hand-made cases.

use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::domain::{AdxValue, BollingerValue};

fn usual() -> Indicators {
    Indicators::new(&Config::defaults().unwrap().agents.indicators)
}

/// A restless deterministic series; the shape does not matter, only that nothing is symmetric.
fn series(len: u32) -> Vec<Bar> {
    let mut state = 12_345_u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24) - 0.5
    };
    let mut close = 100.0;
    (0..len)
        .map(|i| {
            let open: f64 = close;
            close += (f64::from(i) / 37.0).sin() * 0.3 + noise();
            Bar { high: open.max(close) + noise().abs(), low: open.min(close) - noise().abs(), close }
        })
        .collect()
}

fn closes(bars: &[Bar]) -> Vec<f64> {
    bars.iter().map(|bar| bar.close).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Seeded with the mean of the first `period`, then weighted by `factor`; as long as what has a value.
fn smoothed(values: &[f64], period: usize, factor: f64) -> Vec<f64> {
    let mut out = vec![mean(&values[..period])];
    for value in &values[period..] {
        out.push(factor * value + (1.0 - factor) * out[out.len() - 1]);
    }
    out
}

fn batch_ema(values: &[f64], period: usize) -> Vec<f64> {
    smoothed(values, period, 2.0 / (period as f64 + 1.0))
}

fn batch_wilder(values: &[f64], period: usize) -> Vec<f64> {
    smoothed(values, period, 1.0 / period as f64)
}

fn batch_true_ranges(bars: &[Bar]) -> Vec<f64> {
    bars.windows(2)
        .map(|w| {
            let (previous, bar) = (w[0].close, w[1]);
            [bar.high - bar.low, (bar.high - previous).abs(), (bar.low - previous).abs()]
                .into_iter()
                .fold(0.0, f64::max)
        })
        .collect()
}

/// The last `expected.len()` outputs are these, and before them there is none.
#[track_caller]
fn assert_same(outputs: &[Option<f64>], expected: &[f64]) {
    let cold = outputs.len() - expected.len();
    assert!(outputs[..cold].iter().all(Option::is_none), "a value before warm-up");
    for (index, (output, expected)) in outputs[cold..].iter().zip(expected).enumerate() {
        let output = output.unwrap_or_else(|| panic!("no value at {}", cold + index));
        assert!(
            (output - expected).abs() < 1e-9 * expected.abs().max(1.0),
            "{index}: {output} != {expected}"
        );
    }
}

fn outputs<T>(bars: &[Bar], mut push: impl FnMut(Bar) -> T) -> Vec<T> {
    bars.iter().map(|bar| push(*bar)).collect()
}

#[test]
fn ema_is_that_of_its_definition() {
    let bars = series(400);
    for period in [9, 21, 50, 200] {
        let mut ema = Ema::new(period);
        assert_same(
            &outputs(&bars, |bar| ema.push(bar.close)),
            &batch_ema(&closes(&bars), usize::from(period)),
        );
    }
}

#[test]
fn ema_of_a_known_row() {
    let mut ema = Ema::new(3);
    let values = [1.0, 2.0, 3.0, 5.0, 9.0].map(|value| ema.push(value));
    assert_eq!(values, [None, None, Some(2.0), Some(3.5), Some(6.25)]);
}

#[test]
fn rsi_is_that_of_its_definition() {
    let bars = series(300);
    let changes: Vec<f64> = closes(&bars).windows(2).map(|w| w[1] - w[0]).collect();
    let part = |keep: fn(f64) -> f64| batch_wilder(&changes.iter().map(|c| keep(*c)).collect::<Vec<_>>(), 14);
    let (gains, losses) = (part(|c| if c > 0.0 { c } else { 0.0 }), part(|c| if c < 0.0 { -c } else { 0.0 }));
    let expected: Vec<f64> =
        gains.iter().zip(&losses).map(|(gain, loss)| 100.0 - 100.0 / (1.0 + gain / loss)).collect();
    let mut rsi = Rsi::new(14);
    assert_same(&outputs(&bars, |bar| rsi.push(bar.close)), &expected);
}

#[test]
fn rsi_of_wilders_own_kind_of_example() {
    // The closes of a widely printed worked example; its first RSI 14 is 70.46 (70.53 where gains are rounded).
    let closes = [
        44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931,
        46.0328, 45.6140, 46.2820, 46.2820,
    ];
    let mut rsi = Rsi::new(14);
    let last = closes.iter().fold(None, |_, close| rsi.push(*close)).unwrap();
    assert!((last - 70.5).abs() < 0.1, "{last}");
}

#[test]
fn rsi_at_its_ends() {
    let rsi_of = |step: f64| {
        let mut rsi = Rsi::new(14);
        (0..20).fold(None, |_, i| rsi.push(100.0 + step * f64::from(i)))
    };
    assert_eq!([rsi_of(1.0), rsi_of(0.0), rsi_of(-1.0)], [Some(100.0), Some(50.0), Some(0.0)]);
}

#[test]
fn macd_is_that_of_its_definition() {
    let bars = series(300);
    let (fast, slow) = (batch_ema(&closes(&bars), 12), batch_ema(&closes(&bars), 26));
    let line: Vec<f64> = fast[26 - 12..].iter().zip(&slow).map(|(fast, slow)| fast - slow).collect();
    let signal = batch_ema(&line, 9);
    let mut macd = Macd::new(12, 26, 9);
    let values = outputs(&bars, |bar| macd.push(bar.close));
    assert_same(&values.iter().map(|v| v.map(|v| v.line)).collect::<Vec<_>>(), &line[8..]);
    assert_same(&values.iter().map(|v| v.map(|v| v.signal)).collect::<Vec<_>>(), &signal);
    assert!(values.iter().position(Option::is_some) == Some(26 + 9 - 2));
}

#[test]
fn atr_is_that_of_its_definition() {
    let bars = series(300);
    let mut atr = Atr::new(14);
    assert_same(&outputs(&bars, |bar| atr.push(bar)), &batch_wilder(&batch_true_ranges(&bars), 14));
}

#[test]
fn adx_is_that_of_its_definition() {
    let bars = series(300);
    // Wilder's own form: running sums, each losing a 14th.
    let sums = |values: &[f64]| -> Vec<f64> {
        let mut out = vec![values[..14].iter().sum::<f64>()];
        for value in &values[14..] {
            let last = out[out.len() - 1];
            out.push(last - last / 14.0 + value);
        }
        out
    };
    let movement = |keep: fn(f64, f64) -> f64| -> Vec<f64> {
        let moves = bars.windows(2).map(|w| keep(w[1].high - w[0].high, w[0].low - w[1].low));
        sums(&moves.collect::<Vec<_>>())
    };
    let ranges = sums(&batch_true_ranges(&bars));
    let plus = movement(|up, down| if up > down { up.max(0.0) } else { 0.0 });
    let minus = movement(|up, down| if down > up { down.max(0.0) } else { 0.0 });
    let di = |moves: &[f64]| -> Vec<f64> { moves.iter().zip(&ranges).map(|(m, r)| 100.0 * m / r).collect() };
    let (plus, minus) = (di(&plus), di(&minus));
    let dx: Vec<f64> = plus.iter().zip(&minus).map(|(p, m)| 100.0 * (p - m).abs() / (p + m)).collect();

    let mut adx = Adx::new(14);
    let values = outputs(&bars, |bar| adx.push(bar));
    assert_same(&values.iter().map(|v| v.map(|v| v.adx)).collect::<Vec<_>>(), &batch_wilder(&dx, 14));
    assert_same(&values.iter().map(|v| v.map(|v| v.plus)).collect::<Vec<_>>(), &plus[13..]);
    assert_same(&values.iter().map(|v| v.map(|v| v.minus)).collect::<Vec<_>>(), &minus[13..]);
    assert_eq!(values.iter().position(Option::is_some), Some(27));
}

#[test]
fn bollinger_bands_are_those_of_their_definition() {
    let bars = series(300);
    let mut bollinger = Bollinger::new(20, 2.0);
    let values = outputs(&bars, |bar| bollinger.push(bar.close));
    let closes = closes(&bars);
    let upper: Vec<f64> = closes
        .windows(20)
        .map(|w| {
            // The mean of squares less the square of the mean.
            let squares = mean(&w.iter().map(|c| c * c).collect::<Vec<_>>());
            mean(w) + 2.0 * (squares - mean(w) * mean(w)).sqrt()
        })
        .collect();
    let middle: Vec<f64> = closes.windows(20).map(mean).collect();
    let width: Vec<f64> = upper.iter().zip(&middle).map(|(u, m)| 2.0 * (u - m) / m).collect();
    assert_same(&values.iter().map(|v| v.map(|v| v.upper)).collect::<Vec<_>>(), &upper);
    assert_same(&values.iter().map(|v| v.map(|v| v.middle)).collect::<Vec<_>>(), &middle);
    assert_same(&values.iter().map(|v| v.map(BollingerValue::width)).collect::<Vec<_>>(), &width);
}

#[test]
fn choppiness_is_that_of_its_definition() {
    let bars = series(300);
    let ranges = batch_true_ranges(&bars);
    let expected: Vec<f64> = bars[1..]
        .windows(14)
        .zip(ranges.windows(14))
        .map(|(bars, ranges)| {
            let high = bars.iter().map(|bar| bar.high).fold(f64::MIN, f64::max);
            let low = bars.iter().map(|bar| bar.low).fold(f64::MAX, f64::min);
            100.0 * (ranges.iter().sum::<f64>() / (high - low)).log10() / 14.0_f64.log10()
        })
        .collect();
    let mut choppiness = Choppiness::new(14);
    assert_same(&outputs(&bars, |bar| choppiness.push(bar)), &expected);
}

#[test]
fn a_market_that_stands_still_divides_by_nothing() {
    let mut indicators = usual();
    for _ in 0..500 {
        indicators.push(Bar { high: 5.0, low: 5.0, close: 5.0 });
    }
    let values = indicators.values();
    assert_eq!((values.rsi, values.choppiness), (Some(50.0), Some(100.0)));
    assert_eq!(values.adx, Some(AdxValue { adx: 0.0, plus: 0.0, minus: 0.0 }));
    assert_eq!((values.atr, values.atr_ratio(), values.width_ratio()), (Some(0.0), None, None));
}

#[test]
fn the_set_is_warm_after_219_candles_and_not_before() {
    let bars = series(219);
    let mut indicators = usual();
    for bar in &bars {
        indicators.push(*bar);
    }
    let values = indicators.values();
    assert!(values.atr_ratio().is_some() && values.width_ratio().is_some());
    assert_eq!(values.candles, 219);
    assert!((values.ema_trend.unwrap() - batch_ema(&closes(&bars), 200)[19]).abs() < 1e-9);
    let long = batch_ema(&batch_wilder(&batch_true_ranges(&bars), 14), 200);
    assert!((values.atr_average.unwrap() - long[long.len() - 1]).abs() < 1e-9);

    let mut early = usual();
    for bar in &bars[..213] {
        early.push(*bar);
    }
    assert!(early.values().ema_trend.is_some() && early.values().atr_ratio().is_none());
}

proptest! {
    #[test]
    fn indices_stay_within_0_and_100_whatever_the_market_does(
        moves in proptest::collection::vec((-0.2_f64..0.2, 0.0_f64..0.1, 0.0_f64..0.1), 30..300)
    ) {
        let mut indicators = usual();
        let mut close = 1_000.0;
        for (change, above, below) in moves {
            let open: f64 = close;
            close *= 1.0 + change;
            let bar = Bar { high: open.max(close) * (1.0 + above), low: open.min(close) * (1.0 - below), close };
            indicators.push(bar);
            let values = indicators.values();
            let adx = values.adx.map_or([50.0; 3], |adx| [adx.adx, adx.plus, adx.minus]);
            let others = [values.rsi.unwrap_or(50.0), values.choppiness.unwrap_or(50.0)];
            for index in adx.into_iter().chain(others) {
                prop_assert!((0.0..=100.0 + 1e-9).contains(&index), "{:?}", values);
            }
            let bands = values.bollinger;
            prop_assert!(bands.is_none_or(|b| b.lower <= b.middle && b.middle <= b.upper), "{:?}", bands);
        }
    }
}

proptest! {
    #[test]
    fn extremes_are_those_of_the_last_bars(
        prices in prop::collection::vec((1.0..100.0_f64, 0.0..10.0_f64), 1..200), period in 2_u16..80,
    ) {
        let mut extremes = Extremes::new(period);
        for (index, (low, height)) in prices.iter().enumerate() {
            let (lowest, highest) = extremes.push(Bar { high: low + height, low: *low, close: *low });
            let window = &prices[(index + 1).saturating_sub(usize::from(period))..=index];
            let scanned = window.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), (low, height)| {
                (least.min(*low), most.max(low + height))
            });
            prop_assert_eq!((lowest, highest), scanned);
        }
    }
}
