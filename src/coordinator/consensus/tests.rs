use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::domain::{Bias, Regime, SentimentBias, Untrusted};

const MINUTE: Duration = Duration::from_secs(60);

fn config() -> config::Consensus {
    Config::defaults().unwrap().orchestration.consensus
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn ta(pair: &str, bias: Bias) -> Word {
    Word::Technical(TaSignal {
        symbol: symbol(pair),
        bias,
        confidence: Confidence::clamped(0.7),
        atr_pct: None,
        atr_ratio: None,
        support: None,
        resistance: None,
        reasoning: Untrusted::default(),
    })
}

fn regime(pair: &str, regime: Regime) -> Word {
    let (symbol, confidence) = (symbol(pair), Confidence::clamped(0.7));
    Word::Regime(RegimeUpdate { symbol, regime, confidence, reasoning: Untrusted::default() })
}

fn sentiment(pair: &str, bias: SentimentBias) -> Word {
    let (symbol, confidence) = (symbol(pair), Confidence::clamped(0.7));
    Word::Sentiment(SentimentUpdate { symbol, bias, confidence, reasoning: Untrusted::default() })
}

fn voices(words: impl IntoIterator<Item = Word>) -> Voices {
    let mut voices = Voices::default();
    for word in words {
        voices.update(word, at(0));
    }
    voices
}

fn tally(voices: &Voices, action: Action) -> Tally {
    voices.fresh(&symbol("BTC/USDT"), at(1), &freshness(MINUTE)).tally(action, &config())
}

fn freshness(candle_interval: Duration) -> Freshness {
    Freshness::new(&config(), crate::domain::CandleSpan::new(candle_interval))
}

fn present(voices: &Voices, secs: i64, candle_interval: Duration) -> usize {
    let heard = voices.fresh(&symbol("BTC/USDT"), at(secs), &freshness(candle_interval));
    heard.tally(Action::Buy, &config()).present
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn words_on_another_symbol_never_count() {
    let voices = voices([
        ta("XRP/USDT", Bias::Long),
        regime("XRP/USDT", Regime::TrendingBull),
        sentiment("XRP/BTC", SentimentBias::VeryBullish),
    ]);
    let tally = tally(&voices, Action::Buy);
    assert_eq!((tally.present, tally.ratio), (0, None));
    assert!(close(tally.multiplier, 1.0));
}

#[test]
fn words_on_another_symbol_do_not_replace_the_own_ones() {
    let voices = voices([ta("BTC/USDT", Bias::Long), ta("XRP/USDT", Bias::Short)]);
    assert_eq!(tally(&voices, Action::Buy).votes[0].says, "long");
}

#[test]
fn unanimity_gives_the_whole_boost() {
    let voices = voices([
        ta("BTC/USDT", Bias::Long),
        regime("BTC/USDT", Regime::BreakoutPotential),
        sentiment("BTC/USDT", SentimentBias::Bullish),
    ]);
    assert!(close(tally(&voices, Action::Buy).multiplier, 1.3));
    let against = tally(&voices, Action::Sell);
    assert_eq!((against.agreeing, against.ratio), (0, Some(0.0)));
    assert!(close(against.multiplier, 0.85));
}

#[test]
fn two_of_three_is_a_small_boost_and_one_of_three_changes_nothing() {
    let voices = voices([
        ta("BTC/USDT", Bias::Long),
        regime("BTC/USDT", Regime::TrendingBull),
        sentiment("BTC/USDT", SentimentBias::Bearish),
    ]);
    assert!(close(tally(&voices, Action::Buy).multiplier, 1.1));
    assert!(close(tally(&voices, Action::Sell).multiplier, 1.0));
}

#[test]
fn a_neutral_voice_is_present_and_agrees_with_nothing() {
    let voices = voices([ta("BTC/USDT", Bias::Long), sentiment("BTC/USDT", SentimentBias::Neutral)]);
    let tally = tally(&voices, Action::Buy);
    assert_eq!((tally.agreeing, tally.present), (1, 2));
    assert!(close(tally.multiplier, 1.0));
}

#[test]
fn a_lone_voice_raises_nothing_but_can_lower() {
    let voices = voices([ta("BTC/USDT", Bias::Long)]);
    let (with, against) = (tally(&voices, Action::Buy), tally(&voices, Action::Sell));
    assert_eq!(with.ratio, Some(1.0));
    assert!(close(with.multiplier, 1.0));
    assert!(close(against.multiplier, 0.85));
}

#[test]
fn losing_voices_never_raises_confidence() {
    let all = [
        ta("BTC/USDT", Bias::Long),
        regime("BTC/USDT", Regime::TrendingBull),
        sentiment("BTC/USDT", SentimentBias::Bullish),
    ];
    let whole = tally(&voices(all.clone()), Action::Buy).multiplier;
    for left in 0..3 {
        assert!(tally(&voices(all.iter().take(left).cloned()), Action::Buy).multiplier <= whole);
    }
}

#[test]
fn hold_is_never_scaled() {
    let voices = voices([ta("BTC/USDT", Bias::Long), regime("BTC/USDT", Regime::TrendingBull)]);
    let tally = tally(&voices, Action::Hold);
    assert_eq!((tally.ratio, tally.present), (None, 2));
    assert!(close(tally.multiplier, 1.0));
}

#[test]
fn close_is_agreed_with_like_sell() {
    let voices = voices([ta("BTC/USDT", Bias::Short), regime("BTC/USDT", Regime::TrendingBear)]);
    assert_eq!(tally(&voices, Action::Close), tally(&voices, Action::Sell));
}

#[test]
fn a_stale_voice_is_not_counted() {
    let voices = voices([ta("BTC/USDT", Bias::Long), regime("BTC/USDT", Regime::TrendingBull)]);
    assert_eq!([119, 120, 599, 600].map(|secs| present(&voices, secs, MINUTE)), [2, 1, 1, 0]);
}

#[test]
fn freshness_is_at_least_two_candles_of_the_feed() {
    let voices = voices([ta("BTC/USDT", Bias::Long)]);
    let hour = Duration::from_secs(3_600);
    assert_eq!([7_199, 7_200].map(|secs| present(&voices, secs, hour)), [1, 0]);
    assert_eq!(freshness(MINUTE).sentiment, hour);
}

#[test]
fn a_word_from_the_future_is_not_counted() {
    let mut voices = Voices::default();
    voices.update(ta("BTC/USDT", Bias::Long), at(100));
    assert_eq!(present(&voices, 99, MINUTE), 0);
}

#[test]
fn a_newer_word_replaces_the_older_one_of_the_same_voice() {
    let mut voices = voices([ta("BTC/USDT", Bias::Long)]);
    voices.update(ta("BTC/USDT", Bias::Short), at(1));
    let tally = tally(&voices, Action::Buy);
    assert_eq!((tally.present, tally.agreeing), (1, 0));
}

#[test]
fn adjusted_confidence_is_at_most_one() {
    let voices = voices([ta("BTC/USDT", Bias::Long), regime("BTC/USDT", Regime::TrendingBull)]);
    let tally = tally(&voices, Action::Buy);
    assert_eq!(tally.adjust(Confidence::clamped(0.9)), Confidence::ONE);
    assert!(close(tally.adjust(Confidence::clamped(0.5)).value(), 0.65));
}

#[test]
fn the_voices_round_trip_through_json() {
    let voices = voices([ta("BTC/USDT", Bias::Long), sentiment("XRP/BTC", SentimentBias::Bearish)]);
    let json = serde_json::to_string(&voices).unwrap();
    assert_eq!(serde_json::from_str::<Voices>(&json).unwrap(), voices);
}

proptest! {
    #[test]
    fn the_multiplier_keeps_its_bounds_and_fixed_points(
        low in 0.01..0.49_f64,
        high in 0.51..1.0_f64,
        max_boost in 0.0..1.0_f64,
        max_penalty in 0.0..1.0_f64,
        ratio in 0.0..=1.0_f64,
        more in 0.0..=1.0_f64,
        present in 1..4_usize,
    ) {
        let config = config::Consensus { high, low, max_boost, max_penalty, ..config() };
        let of = |ratio| multiplier(ratio, present, &config);
        let value = of(ratio);
        prop_assert!(value >= 1.0 - max_penalty - 1e-12 && value <= 1.0 + max_boost + 1e-12);
        prop_assert!(close(of(0.0), 1.0 - max_penalty));
        prop_assert!(close(of(low), 1.0) && close(of(EVEN), 1.0));
        let unanimous = if present < 2 { 1.0 } else { 1.0 + max_boost };
        prop_assert!(close(of(1.0), unanimous));
        prop_assert!(of(ratio.max(more)) >= of(ratio.min(more)) - 1e-12, "more agreement lowered confidence");
    }
}

#[test]
fn a_regime_counts_the_same_in_either_vocabulary() {
    for (name, action) in [
        ("trending_bull", Action::Buy),
        ("trending_up", Action::Buy),
        ("breakout_potential", Action::Buy),
        ("breakout", Action::Buy),
        ("trending_bear", Action::Sell),
        ("trending_down", Action::Sell),
    ] {
        let said = format!(r#"{{"symbol":"BTC/USDT","regime":"{name}","confidence":0.7,"reasoning":""}}"#);
        let voices = voices([Word::Regime(serde_json::from_str(&said).unwrap())]);
        assert_eq!(tally(&voices, action).agreeing, 1, "{name}");
        let other = if action == Action::Buy { Action::Sell } else { Action::Buy };
        assert_eq!(tally(&voices, other).agreeing, 0, "{name}");
    }
}

#[test]
fn every_regime_has_its_own_place_in_the_limits_of_risk() {
    let risk = Config::defaults().unwrap().risk;
    for regime in Regime::ALL {
        assert!(risk.confidence.min_by_regime.contains_key(&regime), "{regime}");
        assert!(risk.leverage.max_by_regime.contains_key(&regime), "{regime}");
    }
}
