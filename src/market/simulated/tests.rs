use std::time::Duration;

use rust_decimal::prelude::ToPrimitive;

use super::*;
use crate::domain::SentimentBias;

fn symbols() -> Vec<Symbol> {
    ["BTC/USDT", "XRP/USDT", "XRP/BTC"].map(|text| Symbol::new(text).unwrap()).to_vec()
}

fn candles(feed: &mut SimulatedFeed, count: usize) -> Vec<Candle> {
    (0..count)
        .map(|_| match feed.pop() {
            Some(FeedEvent::Candle(candle)) => candle,
            other => panic!("a simulated market never ends and has no gaps: {other:?}"),
        })
        .collect()
}

/// BLAKE3 over every field, so that it does not depend on a text form.
fn digest<'a>(candles: impl IntoIterator<Item = &'a Candle>) -> String {
    let mut hasher = blake3::Hasher::new();
    for candle in candles {
        hasher.update(candle.symbol.as_str().as_bytes()).update(&candle.open_time.millis().to_le_bytes());
        for number in [candle.open, candle.high, candle.low, candle.close, candle.volume] {
            hasher.update(&number.mantissa().to_le_bytes()).update(&number.scale().to_le_bytes());
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

fn digest_of(seed: u64) -> String {
    let mut feed = SimulatedFeed::new(seed, &symbols());
    let history = feed.warm_up();
    let live = candles(&mut feed, 3 * 1_440);
    digest(history.iter().chain(&live))
}

#[test]
fn the_same_seed_gives_the_same_candles() {
    assert_eq!(digest_of(11), digest_of(11));
    assert_ne!(digest_of(11), digest_of(12));
}

#[test]
fn seed_seven_gives_the_candles_it_always_gave() {
    assert_eq!(digest_of(7), "1c9385497a5c51a9");
}

#[test]
fn every_candle_is_valid_and_opens_where_the_last_closed() {
    let mut feed = SimulatedFeed::new(3, &symbols());
    let mut all = feed.warm_up();
    assert_eq!(all.len(), 3 * 1_800);
    assert_eq!(all.last().map(Candle::close_time), Some(feed.start_at()));
    all.extend(candles(&mut feed, 3 * 10_000));
    let mut previous = all[..3].to_vec();
    for (index, candle) in all.iter().enumerate().skip(3) {
        let before = std::mem::replace(&mut previous[index % 3], candle.clone());
        assert_eq!(candle.clone().validated().as_ref(), Ok(candle));
        assert_eq!((&before.symbol, before.close_time()), (&candle.symbol, candle.open_time));
        assert_eq!(before.close, candle.open);
    }
}

#[test]
fn a_cross_pair_agrees_with_its_legs() {
    let mut feed = SimulatedFeed::new(5, &symbols());
    for minute in candles(&mut feed, 3 * 2_000).chunks(3) {
        let [btc, xrp, cross] = [0, 1, 2].map(|i| minute[i].close.to_f64().unwrap());
        assert!((cross / (xrp / btc) - 1.0).abs() < 3e-4, "{cross} against {}", xrp / btc);
    }
}

#[test]
fn prices_begin_near_the_known_ones() {
    for seed in 0..20 {
        let mut feed = SimulatedFeed::new(seed, &symbols());
        let first = candles(&mut feed, 3);
        let prices: Vec<f64> = first.iter().map(|c| c.close.to_f64().unwrap()).collect();
        assert!((41_000.0..43_000.0).contains(&prices[0]), "seed {seed}: {prices:?}");
        assert!((0.49..0.53).contains(&prices[1]), "seed {seed}: {prices:?}");
        assert_eq!(first.iter().map(|c| c.close.scale()).collect::<Vec<_>>(), [1, 5, 9]);
    }
}

#[test]
fn adding_a_symbol_changes_no_other_price() {
    let mut three = SimulatedFeed::new(9, &symbols());
    let more: Vec<Symbol> = symbols().into_iter().chain([Symbol::new("ETH/USDT").unwrap()]).collect();
    let mut four = SimulatedFeed::new(9, &more);
    let with_more: Vec<Candle> =
        candles(&mut four, 400).into_iter().filter(|c| symbols().contains(&c.symbol)).collect();
    assert_eq!(candles(&mut three, 300), with_more);
}

#[test]
fn a_restarted_run_continues_after_its_last_record_with_warm_history() {
    let mut whole = SimulatedFeed::new(7, &symbols());
    let mut all = whole.warm_up();
    all.extend(candles(&mut whole, 3 * 3_000));
    for minutes in [0, 1, 1_799, 1_800, 1_801, 1_802, 1_803, 2_000, 2_900] {
        for seconds_more in [0, 59] {
            let mut restarted = SimulatedFeed::new(7, &symbols());
            let resume_at = restarted.start_at().plus(MINUTE * minutes);
            restarted.skip_until(resume_at.plus(Duration::from_secs(seconds_more)));
            let minutes = usize::try_from(minutes).unwrap();
            let (past, coming) = all[3 * minutes..].split_at(3 * 1_800);
            assert_eq!(restarted.warm_up(), past, "{minutes} minutes");
            assert_eq!(restarted.next_at(), Some(resume_at.plus(MINUTE)));
            assert_eq!(candles(&mut restarted, 3 * 100), coming[..3 * 100], "{minutes} minutes");
        }
    }
}

#[test]
fn the_mood_is_known_for_its_own_symbols_only() {
    let feed = SimulatedFeed::new(7, &symbols());
    let source = feed.sentiment().unwrap();
    assert!(source.sentiment(&symbols()[0], feed.start_at()).is_some());
    assert!(source.sentiment(&Symbol::new("ETH/USDT").unwrap(), feed.start_at()).is_none());
}

#[test]
fn the_mood_follows_the_market_late_and_with_errors() {
    let feed = SimulatedFeed::new(7, &symbols());
    let source = feed.sentiment().unwrap();
    let (mut right, mut wrong) = (0, 0);
    for hour in 1..60 * 24 {
        let at = feed.start_at().plus(Duration::from_secs(hour * 3_600));
        let before = at.minus(Duration::from_secs(45 * 60));
        let truth = phase::Segment::at(7, symbols()[0].base(), before).phase.mood();
        let direction = match source.sentiment(&symbols()[0], at).unwrap().0 {
            SentimentBias::VeryBullish | SentimentBias::Bullish => 1.0,
            SentimentBias::Neutral => 0.0,
            SentimentBias::Bearish | SentimentBias::VeryBearish => -1.0,
        };
        right += u32::from(truth * direction > 0.0);
        wrong += u32::from(truth.abs() < 0.2 && direction != 0.0 || truth * direction < 0.0);
    }
    assert!(right > 600 && (20..300).contains(&wrong), "right {right}, wrong {wrong}");
}
