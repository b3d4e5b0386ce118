use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::config::{Config, ModificationBounds};
use crate::coordinator::consensus::{Freshness, Voices, Word};
use crate::domain::{
    Confidence, InstallId, Pct, ReasonCode, RegimeUpdate, RiskAlert, RunId, SafeText, SentimentUpdate,
    Severity, Signal, SignalId, TaSignal, Untrusted,
};

const BTC: &str = "BTC/USDT";
const XRP: &str = "XRP/USDT";

fn config() -> config::Conflicts {
    Config::defaults().unwrap().orchestration.conflicts
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Voices received at second 0, and alerts.
#[derive(Default)]
struct Scene {
    voices: Voices,
    alerts: AlertsInForce,
}

impl Scene {
    fn ta(mut self, pair: &str, bias: Bias, confidence: f64) -> Self {
        let ta = TaSignal {
            symbol: symbol(pair),
            bias,
            confidence: Confidence::clamped(confidence),
            atr_pct: None,
            atr_ratio: None,
            support: None,
            resistance: None,
            reasoning: Untrusted::default(),
        };
        self.voices.update(Word::Technical(ta), at(0));
        self
    }

    fn mood(mut self, pair: &str, bias: SentimentBias, confidence: f64) -> Self {
        let (symbol, confidence) = (symbol(pair), Confidence::clamped(confidence));
        let update = SentimentUpdate { symbol, bias, confidence, reasoning: Untrusted::default() };
        self.voices.update(Word::Sentiment(update), at(0));
        self
    }

    fn regime(mut self, pair: &str, regime: Regime) -> Self {
        let (symbol, confidence) = (symbol(pair), Confidence::clamped(0.7));
        let update = RegimeUpdate { symbol, regime, confidence, reasoning: Untrusted::default() };
        self.voices.update(Word::Regime(update), at(0));
        self
    }

    fn alert(mut self, pair: Option<&str>, severity: Severity, until: i64) -> Self {
        self.alerts.add(&alert(pair, severity), at(until), at(0));
        self
    }

    fn kinds_at(&self, action: Action, secs: i64) -> Vec<ConflictKind> {
        let orchestration = Config::defaults().unwrap().orchestration;
        let freshness =
            Freshness::new(&orchestration.consensus, crate::domain::CandleSpan::new(Duration::from_secs(60)));
        let pair = symbol(BTC);
        let voices = self.voices.fresh(&pair, at(secs), &freshness);
        detect(&pair, action, &voices, &self.alerts, at(secs), &orchestration.conflicts)
            .into_iter()
            .map(|conflict| conflict.kind)
            .collect()
    }

    fn kinds(&self, action: Action) -> Vec<ConflictKind> {
        self.kinds_at(action, 1)
    }
}

fn alert(pair: Option<&str>, severity: Severity) -> RiskAlert {
    let (symbol, kind) = (pair.map(symbol), "drawdown".to_owned());
    RiskAlert { symbol, kind, severity, detail: SafeText::default() }
}

// --- Detection ----------------------------------------------------------------------------------------------------

#[test]
fn opposite_voices_that_are_about_equally_sure_conflict() {
    for (ta, mood) in [
        (Bias::Long, SentimentBias::Bearish),
        (Bias::Long, SentimentBias::VeryBearish),
        (Bias::Short, SentimentBias::Bullish),
        (Bias::Short, SentimentBias::VeryBullish),
    ] {
        let scene = Scene::default().ta(BTC, ta, 0.7).mood(BTC, mood, 0.6);
        assert_eq!(scene.kinds(Action::Buy), [ConflictKind::TaSentimentConflict]);
    }
}

#[test]
fn voices_of_one_mind_or_neutral_ones_do_not_conflict() {
    for (ta, mood) in [
        (Bias::Long, SentimentBias::Bullish),
        (Bias::Short, SentimentBias::Bearish),
        (Bias::Neutral, SentimentBias::VeryBearish),
        (Bias::Long, SentimentBias::Neutral),
    ] {
        let scene = Scene::default().ta(BTC, ta, 0.7).mood(BTC, mood, 0.7);
        assert_eq!(scene.kinds(Action::Buy), []);
    }
}

#[test]
fn confidences_exactly_the_gap_apart_do_not_conflict_whatever_their_binary_form() {
    for (ta, mood, conflicts) in
        [(0.7, 0.5, false), (0.8, 0.6, false), (0.9, 0.7, false), (0.7, 0.51, true), (0.5, 0.7, false)]
    {
        let scene = Scene::default().ta(BTC, Bias::Long, ta).mood(BTC, SentimentBias::Bearish, mood);
        assert_eq!(!scene.kinds(Action::Buy).is_empty(), conflicts, "{ta} against {mood}");
    }
}

#[test]
fn a_stale_voice_does_not_conflict() {
    let scene = Scene::default().ta(BTC, Bias::Long, 0.7).mood(BTC, SentimentBias::Bearish, 0.7);
    assert_eq!(scene.kinds_at(Action::Buy, 119).len(), 1);
    assert_eq!(scene.kinds_at(Action::Buy, 120), []);
    let scene = Scene::default().regime(BTC, Regime::Choppy);
    assert_eq!((scene.kinds_at(Action::Buy, 599).len(), scene.kinds_at(Action::Buy, 600).len()), (1, 0));
}

#[test]
fn voices_and_alerts_of_another_symbol_never_conflict() {
    let scene = Scene::default()
        .ta(BTC, Bias::Long, 0.7)
        .mood(XRP, SentimentBias::Bearish, 0.7)
        .regime(XRP, Regime::Choppy)
        .alert(Some(XRP), Severity::Critical, 100);
    assert_eq!(scene.kinds(Action::Buy), []);
}

#[test]
fn a_choppy_regime_conflicts_with_everything_but_hold() {
    let scene = Scene::default().regime(BTC, Regime::Choppy);
    for action in [Action::Buy, Action::Sell, Action::Close] {
        assert_eq!(scene.kinds(action), [ConflictKind::RegimeConflict]);
    }
    assert_eq!(scene.kinds(Action::Hold), []);
    for regime in Regime::ALL.into_iter().filter(|regime| *regime != Regime::Choppy) {
        assert_eq!(Scene::default().regime(BTC, regime).kinds(Action::Buy), []);
    }
}

#[test]
fn an_unexpired_alert_for_the_symbol_or_the_portfolio_overrides() {
    for pair in [Some(BTC), None] {
        for severity in [Severity::High, Severity::Critical] {
            let scene = Scene::default().alert(pair, severity, 100);
            assert_eq!(scene.kinds_at(Action::Buy, 99), [ConflictKind::RiskOverride]);
            assert_eq!(scene.kinds_at(Action::Buy, 100), []);
        }
        let mild = Scene::default().alert(pair, Severity::Medium, 100).alert(pair, Severity::Low, 100);
        assert_eq!(mild.kinds(Action::Buy), []);
    }
}

#[test]
fn a_later_milder_or_shorter_alert_never_loosens() {
    let scene = Scene::default().alert(None, Severity::Critical, 100).alert(None, Severity::Low, 10).alert(
        None,
        Severity::High,
        20,
    );
    assert_eq!(scene.kinds_at(Action::Buy, 99), [ConflictKind::RiskOverride]);
    let in_force = scene.alerts.against(&symbol(BTC), at(1)).unwrap();
    assert_eq!(in_force.severity, Severity::Critical);
    assert_eq!(in_force.to_string(), "critical alert `drawdown` for the portfolio until 00:01:40");
}

#[test]
fn an_expired_alert_lends_nothing_to_a_new_one() {
    let mut alerts = AlertsInForce::default();
    alerts.add(&alert(Some(BTC), Severity::Critical), at(10), at(0));
    alerts.add(&alert(Some(BTC), Severity::High), at(30), at(20));
    assert_eq!(alerts.against(&symbol(BTC), at(21)).unwrap().severity, Severity::High);
}

#[test]
fn all_kinds_are_found_together() {
    let scene = Scene::default()
        .ta(BTC, Bias::Short, 0.7)
        .mood(BTC, SentimentBias::Bullish, 0.7)
        .regime(BTC, Regime::Choppy)
        .alert(None, Severity::High, 100);
    assert_eq!(scene.kinds(Action::Sell).len(), 3);
}

// --- Defaults and models ------------------------------------------------------------------------------------------

fn conflicts(kinds: &[ConflictKind]) -> Vec<Conflict> {
    kinds.iter().map(|kind| Conflict { kind: *kind, detail: String::new() }).collect()
}

const TA: ConflictKind = ConflictKind::TaSentimentConflict;
const REGIME: ConflictKind = ConflictKind::RegimeConflict;
const RISK: ConflictKind = ConflictKind::RiskOverride;

#[test]
fn the_strictest_default_wins() {
    use ResolutionAction::{Abort, Modify, Proceed, Wait};
    let mut config = config();
    for (kinds, strictest) in [
        (&[][..], None),
        (&[TA][..], Some((Wait, TA))),
        (&[REGIME], Some((Abort, REGIME))),
        (&[RISK], Some((Abort, RISK))),
        (&[TA, RISK], Some((Abort, RISK))),
        (&[TA, REGIME, RISK], Some((Abort, REGIME))),
    ] {
        assert_eq!(strictest_default(&conflicts(kinds), &config), strictest, "{kinds:?}");
    }
    for configured in [Proceed, Wait, Abort] {
        config.defaults.ta_sentiment_conflict = configured;
        config.defaults.regime_conflict = configured;
        for kind in [TA, REGIME] {
            let strictest = strictest_default(&conflicts(&[kind]), &config);
            assert_eq!(strictest, Some((configured, kind)), "not a default of its own");
        }
    }
    config.defaults.ta_sentiment_conflict = Modify;
    let strictest = strictest_default(&conflicts(&[TA]), &config);
    assert_eq!(strictest, Some((Wait, TA)), "nobody is there to say what to modify");
}

#[test]
fn a_model_is_asked_only_when_every_kind_allows_it() {
    for (kinds, asked) in [
        (&[][..], [false; 4]),
        (&[TA][..], [true, true, false, false]),
        (&[REGIME][..], [true, true, true, false]),
        (&[TA, REGIME][..], [true, true, false, false]),
        (&[RISK][..], [false; 4]),
        (&[REGIME, RISK][..], [false; 4]),
    ] {
        let may = |level, models| may_ask_model(kinds.iter().copied(), level, models);
        assert_eq!(Level::ALL.map(|level| may(level, true)), asked, "{kinds:?}");
        assert_eq!(Level::ALL.map(|level| may(level, false)), [false; 4], "no model is a mode");
    }
}

// --- Modifications ------------------------------------------------------------------------------------------------

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn buy() -> Signal {
    Signal {
        id: SignalId::derive(InstallId::derived("x"), 1, RunId(1)),
        symbol: symbol(BTC),
        action: Action::Buy,
        confidence: Confidence::clamped(0.7),
        entry: Some(number("100")),
        stop: Some(number("97")),
        take_profit: Some(number("106")),
        size_pct: Pct::new(number("10")).unwrap(),
        leverage: number("3"),
        at: at(0),
        source: "trading_decision".to_owned(),
        reasoning: Untrusted::default(),
    }
}

/// Collar 98 to 102.
fn limits() -> EntryLimits {
    EntryLimits { last_trade: Some(number("100")), collar: Pct::new(number("2")).unwrap(), decimals: 8 }
}

fn wanting(leverage: Option<&str>, size: Option<&str>, entry: Option<&str>) -> Modifications {
    Modifications {
        leverage: leverage.map(number),
        size_reduction_pct: size.map(number),
        entry_adjustment_pct: entry.map(number),
    }
}

fn adjusted(wanted: &Modifications) -> Adjusted {
    apply_modifications(&buy(), wanted, &config().modification_bounds, limits()).unwrap()
}

fn entry_after(pct: &str) -> Decimal {
    adjusted(&wanting(None, None, Some(pct))).entry.unwrap()
}

#[test]
fn leverage_is_bounded_and_never_above_the_signals_own() {
    for (wanted, becomes) in [("2", "2"), ("4", "3"), ("100", "3"), ("0", "1"), ("-7", "1")] {
        let adjusted = adjusted(&wanting(Some(wanted), None, None));
        assert_eq!(adjusted.leverage, number(becomes), "{wanted}");
    }
    let config = ModificationBounds { leverage_min: number("4"), ..config().modification_bounds };
    let wanted = wanting(Some("2"), None, None);
    let result = apply_modifications(&buy(), &wanted, &config, limits()).unwrap();
    assert_eq!(result.leverage, number("3"), "a configured minimum does not lift it either");
}

#[test]
fn size_only_goes_down() {
    for (wanted, becomes) in [("50", "5"), ("0", "10"), ("-50", "10"), ("100", "0"), ("250", "0")] {
        let adjusted = adjusted(&wanting(None, Some(wanted), None));
        assert_eq!(adjusted.size_pct.value(), number(becomes), "{wanted}");
    }
}

#[test]
fn an_entry_moves_only_to_the_passive_side() {
    assert_eq!(entry_after("-1"), number("99"));
    assert_eq!(entry_after("1"), number("100"));
}

#[test]
fn an_entry_never_moves_past_the_collar() {
    assert_eq!(entry_after("-50"), number("98"));
}

#[test]
fn an_entry_never_moves_past_the_stop() {
    let close_stop = |stop: &str, pct| {
        let signal = Signal { stop: Some(number(stop)), ..buy() };
        let wanted = wanting(None, None, Some(pct));
        apply_modifications(&signal, &wanted, &config().modification_bounds, limits()).unwrap().entry.unwrap()
    };
    assert_eq!(close_stop("99.5", "-1"), number("100"));
    assert_eq!(close_stop("99", "-1"), number("100"), "at the stop is past it");
}

#[test]
fn without_a_fresh_price_or_an_entry_nothing_moves() {
    let wanted = wanting(None, None, Some("-1"));
    let blind = EntryLimits { last_trade: None, ..limits() };
    let bounds = config().modification_bounds;
    let result = apply_modifications(&buy(), &wanted, &bounds, blind).unwrap();
    assert_eq!(result, Adjusted::unchanged(&buy()));
    let no_entry = Signal { entry: None, ..buy() };
    assert_eq!(apply_modifications(&no_entry, &wanted, &bounds, limits()).unwrap().entry, None);
}

#[test]
fn an_entry_outside_the_collar_is_left_to_risk() {
    let far = Signal { entry: Some(number("97.5")), ..buy() };
    let wanted = wanting(None, None, Some("-0.1"));
    let result = apply_modifications(&far, &wanted, &config().modification_bounds, limits()).unwrap();
    assert_eq!((result.entry, result.changes.len()), (far.entry, 0));
}

#[test]
fn every_change_is_named_and_nothing_else_is() {
    let adjusted = adjusted(&wanting(Some("2"), Some("50"), Some("-1")));
    let codes: Vec<_> = adjusted.changes.iter().map(|change| change.code).collect();
    assert_eq!(codes, [ReasonCode::LeverageReduced, ReasonCode::SizeReduced, ReasonCode::EntryAdjusted]);
    assert_eq!(adjusted.changes[1].to, number("5"));
    let nothing = self::adjusted(&wanting(Some("9"), Some("-1"), Some("3")));
    assert_eq!(nothing, Adjusted::unchanged(&buy()));
}

proptest! {
    #[test]
    fn a_model_never_adds_risk(
        leverage in any::<Option<i64>>(),
        size in any::<Option<i32>>(),
        entry in prop::option::of(-200_000..200_000_i64),
        stop in 90..110_i64,
        last_trade in 80..120_i64,
    ) {
        let signal = Signal { stop: Some(Decimal::from(stop)), ..buy() };
        let wanted = Modifications {
            leverage: leverage.map(|n| Decimal::new(n, 3)),
            size_reduction_pct: size.map(|n| Decimal::new(i64::from(n), 2)),
            entry_adjustment_pct: entry.map(|n| Decimal::new(n, 3)),
        };
        let limits = EntryLimits { last_trade: Some(Decimal::from(last_trade)), ..limits() };
        let own = signal.entry.unwrap();
        let result = apply_modifications(&signal, &wanted, &config().modification_bounds, limits).unwrap();
        prop_assert!(result.leverage <= signal.leverage && result.leverage >= Decimal::ONE);
        prop_assert!(result.size_pct <= signal.size_pct);
        let moved = result.entry.unwrap();
        let collar = Decimal::from(last_trade) * number("0.02");
        let low = Decimal::from(last_trade) - collar;
        prop_assert!(moved <= own);
        prop_assert!(moved == own || (moved >= low && moved > Decimal::from(stop)));
    }
}
