//! Models asked about conflicts: what is asked, what an answer may do, and what has moved when it comes.

use super::super::conflict::{
    Answered, CallFailure, ModelAnswer, Modifications, ProviderFailure, Question, Resolved,
};
use super::super::consensus::Word;
use super::super::degradation::{Component, DegradationEvent};
use super::super::effect::Effect;
use super::super::input::Input;
use super::super::snapshot::HealthStatus;
use super::*;
use crate::config::Provider;
use crate::domain::{
    Bias, Confidence, ConflictKind, Decision, DecisionId, Level, Now, OrderKind, Pct, Regime, RegimeUpdate,
    ResolutionAction, ResolvedBy, Rule, SentimentBias, SentimentUpdate, TaSignal, Untrusted,
};
use crate::risk::{BreakerName, BreakerTransition, Trip};

const ALPHA: &str = "alpha";
const BETA: &str = "beta";

pub(super) fn config() -> Config {
    let mut config = Config::defaults().unwrap();
    let provider = |name: &str| Some(Provider { name: name.to_owned(), timeout: secs(5) });
    config.orchestration.llm.primary = provider(ALPHA);
    config.orchestration.llm.fallback = provider(BETA);
    config
}

impl Desk {
    fn with_models(config: Config) -> Self {
        let mut desk = Self::with(config);
        desk.regime(&btc(), Regime::Choppy);
        desk
    }

    fn hear(&mut self, word: Word) {
        self.inside(|core, cx| core.live.voices.update(word, cx.now.market));
    }

    pub(super) fn regime(&mut self, symbol: &Symbol, regime: Regime) {
        let (symbol, confidence) = (symbol.clone(), Confidence::clamped(0.7));
        self.hear(Word::Regime(RegimeUpdate { symbol, regime, confidence, reasoning: Untrusted::default() }));
    }

    /// Technical analysis and sentiment of BTC at odds.
    fn at_odds(&mut self) {
        let (symbol, confidence, reasoning) = (btc(), Confidence::clamped(0.7), Untrusted::default());
        self.hear(Word::Technical(TaSignal {
            symbol: symbol.clone(),
            bias: Bias::Long,
            confidence,
            atr_pct: None,
            atr_ratio: None,
            support: None,
            resistance: None,
            reasoning: reasoning.clone(),
        }));
        let bias = SentimentBias::Bearish;
        self.hear(Word::Sentiment(SentimentUpdate { symbol, bias, confidence, reasoning }));
    }

    /// A breaker tripped and was armed again: its alert stays in force.
    fn alert(&mut self) {
        let (name, at) = (BreakerName::DailyLoss, self.now.market);
        let trip = Trip { at, equity: dec("9400"), loss_pct: dec("6") };
        let (baseline, limit_pct) = (dec("10000"), Pct::new(dec("5")).unwrap());
        for moved in [
            BreakerTransition::Tripped { name, trip, baseline, limit_pct },
            BreakerTransition::Rearmed { name, at, from: Some(baseline), to: trip.equity },
        ] {
            self.inside(|core, cx| core.record_own(cx, RecordKind::Breaker(moved)));
        }
    }

    /// Seconds of both clocks, without anything being told.
    fn later(&mut self, length: u64) {
        self.now = Now::both(self.now.market.plus(secs(length)));
    }

    /// A buy that a model is asked about.
    fn asked(&mut self) -> (Decision, Question) {
        let decision = self.signal(&btc(), Action::Buy);
        let question = self.questions.pop_front().unwrap_or_else(|| panic!("nobody was asked: {decision:?}"));
        assert_eq!((question.decision, decision.outcome), (decision.id, None));
        assert!(self.venue.submitted.is_empty(), "traded before the answer");
        (decision, question)
    }

    fn answer(&mut self, id: DecisionId, resolved: Resolved) -> Decision {
        self.tell(Input::Resolved { decision: id, resolved: Box::new(resolved) });
        self.core.durable().decision(id).unwrap().clone()
    }

    fn outstanding(&self, provider: &str) -> u8 {
        self.core.durable().degradation.outstanding(&Component::Provider(provider.to_owned()))
    }

    /// So many failures of a provider, each far enough from the last.
    fn provider_fails(&mut self, count: usize) {
        for _ in 0..count {
            self.later(60);
            self.candles();
            let failed = DegradationEvent::Failed(Component::Provider(ALPHA.to_owned()));
            self.inside(|core, cx| core.degradation_event(cx, &failed));
        }
        self.probes.clear();
        self.regime(&btc(), Regime::Choppy);
    }

    fn level(&self) -> Level {
        self.core.live.level
    }

    fn health(&self, what: &str) -> Option<(HealthStatus, String)> {
        let rows = &self.core.live.health.rows;
        let row = rows.iter().find(|row| row.what == what)?;
        Some((row.status, row.detail.to_string()))
    }
}

pub(super) fn says(action: ResolutionAction, modifications: Option<Modifications>) -> Resolved {
    let answer = ModelAnswer {
        action,
        confidence: Confidence::clamped(0.6),
        reasoning: Untrusted::new("as I see it"),
        modifications,
    };
    let (provider, reply_digest) = (ALPHA.to_owned(), "d1".to_owned());
    Resolved {
        prompt_digest: "d0".to_owned(),
        failures: vec![],
        answer: Some(Answered { provider, answer, reply_digest }),
    }
}

/// The same, this sure of it.
fn sure(mut resolved: Resolved, confidence: f64) -> Resolved {
    if let Some(answered) = &mut resolved.answer {
        answered.answer.confidence = Confidence::clamped(confidence);
    }
    resolved
}

pub(super) fn modify(leverage: Option<&str>, size: Option<&str>, entry: Option<&str>) -> Resolved {
    let wanted = Modifications {
        leverage: leverage.map(dec),
        size_reduction_pct: size.map(dec),
        entry_adjustment_pct: entry.map(dec),
    };
    says(ResolutionAction::Modify, Some(wanted))
}

fn proceed() -> Resolved {
    says(ResolutionAction::Proceed, None)
}

pub(super) fn nobody_answers(failure: &CallFailure) -> Resolved {
    let failed = |provider: &str| ProviderFailure {
        provider: provider.to_owned(),
        failure: failure.clone(),
        reply_digest: None,
    };
    Resolved { prompt_digest: "d0".to_owned(), failures: vec![failed(ALPHA), failed(BETA)], answer: None }
}

pub(super) fn unreadable() -> CallFailure {
    CallFailure::Unreadable(Untrusted::new("no JSON object in it"))
}

/// Outcome and first reason.
fn end(decision: &Decision) -> (Outcome, Option<ReasonCode>) {
    (decision.outcome.unwrap(), decision.reasons.first().copied())
}

// --- Asking and answering -----------------------------------------------------------------------------------------

#[test]
fn a_model_is_asked_once_and_its_word_is_in_the_trail() {
    let mut desk = Desk::with_models(config());
    let (decision, question) = desk.asked();
    assert_eq!(question.conflicts[0].kind, ConflictKind::RegimeConflict);
    assert_eq!((question.signal, question.price), (decision.signal.clone(), Some(dec("40000"))));
    desk.later(3);
    let decided = desk.answer(decision.id, proceed());
    assert_eq!(decided.outcome, Some(Outcome::Filled));
    let resolution = decided.resolution.unwrap();
    assert_eq!(
        (resolution.action, resolution.by),
        (ResolutionAction::Proceed, ResolvedBy::Model(ALPHA.into()))
    );
    assert_eq!(
        (resolution.prompt_digest.as_deref(), resolution.reply_digest.as_deref()),
        (Some("d0"), Some("d1"))
    );
    assert_eq!((resolution.took, resolution.reasoning.unwrap().raw()), (Some(secs(3)), "as I see it"));
    assert_eq!(desk.venue.submitted.len(), 1);
    assert_eq!(desk.core.durable().outcomes_today.1.values().sum::<u64>(), 1, "one signal, one outcome");
}

#[test]
fn a_model_that_is_not_sure_enough_to_go_on_is_taken_to_say_wait() {
    let min = config().orchestration.conflicts.proceed_confidence_min;
    for (resolved, outcome) in [
        (sure(proceed(), min), Outcome::Filled),
        (sure(proceed(), min - 0.01), Outcome::Waited),
        (sure(proceed(), 0.0), Outcome::Waited),
        (sure(modify(None, Some("10"), None), min - 0.01), Outcome::Waited),
        (sure(says(ResolutionAction::Abort, None), 0.0), Outcome::Aborted),
    ] {
        let said = resolved.answer.as_ref().unwrap().answer.action;
        let mut desk = Desk::with_models(config());
        let (decision, _) = desk.asked();
        let decided = desk.answer(decision.id, resolved);
        assert_eq!(decided.outcome, Some(outcome), "{said}: {}", decided.detail);
        let resolution = decided.resolution.unwrap();
        assert_eq!(resolution.by, ResolvedBy::Model(ALPHA.into()), "its answer counts as one");
        assert_eq!(resolution.action == ResolutionAction::Wait, outcome == Outcome::Waited);
        assert_eq!(decided.detail.contains("below 0.50"), outcome == Outcome::Waited, "{}", decided.detail);
    }
}

#[test]
fn wait_and_abort_are_final_for_the_signal() {
    for (action, outcome) in
        [(ResolutionAction::Wait, Outcome::Waited), (ResolutionAction::Abort, Outcome::Aborted)]
    {
        let mut desk = Desk::with_models(config());
        let (decision, _) = desk.asked();
        assert_eq!(desk.answer(decision.id, says(action, None)).outcome, Some(outcome));
        desk.pass(secs(90));
        desk.deliver(decision.signal);
        assert!(desk.questions.is_empty() && desk.venue.submitted.is_empty(), "offered again");
    }
}

#[test]
fn without_a_usable_answer_the_configured_default_decides() {
    for (default, outcome) in [
        (ResolutionAction::Abort, Outcome::Aborted),
        (ResolutionAction::Wait, Outcome::Waited),
        (ResolutionAction::Proceed, Outcome::Filled),
    ] {
        let mut config = config();
        config.orchestration.conflicts.defaults.regime_conflict = default;
        let mut desk = Desk::with_models(config);
        let (decision, _) = desk.asked();
        let decided = desk.answer(decision.id, nobody_answers(&CallFailure::TimedOut));
        assert_eq!(decided.outcome, Some(outcome));
        assert_eq!(decided.resolution.unwrap().by, ResolvedBy::DefaultAfterFailure);
    }
}

#[test]
fn an_unreadable_answer_is_a_failure_and_never_a_reason_to_trade() {
    let mut config = config();
    config.orchestration.conflicts.defaults.regime_conflict = ResolutionAction::Proceed;
    let mut desk = Desk::with_models(config);
    desk.provider_fails(1);
    let (decision, _) = desk.asked();
    desk.later(1);
    let decided = desk.answer(decision.id, nobody_answers(&unreadable()));
    assert_eq!(decided.outcome, Some(Outcome::Waited));
    assert_eq!(
        (desk.outstanding(ALPHA), desk.outstanding(BETA)),
        (1, 1),
        "within a minute one failure counts once"
    );
    assert!(desk.core.durable().degradation.counters().all(|(_, counter)| counter.successes == 0));
}

#[test]
fn a_failing_primary_counts_and_the_fallback_decides() {
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    let failures = nobody_answers(&CallFailure::TimedOut).failures;
    let mut resolved = Resolved { failures: failures[..1].to_vec(), ..proceed() };
    resolved.answer.as_mut().unwrap().provider = BETA.to_owned();
    let decided = desk.answer(decision.id, resolved);
    assert_eq!(decided.resolution.unwrap().by, ResolvedBy::Model(BETA.into()));
    assert_eq!((desk.outstanding(ALPHA), desk.outstanding(BETA)), (1, 0));
}

#[test]
fn no_model_and_no_conflict_ask_nobody() {
    let mut desk = Desk::with_models(Config::defaults().unwrap());
    let decision = desk.signal(&btc(), Action::Buy);
    assert_eq!((decision.outcome, desk.questions.len()), (Some(Outcome::Aborted), 0));
    assert_eq!(decision.resolution.unwrap().by, ResolvedBy::Default);
    let mut desk = Desk::with_models(config());
    assert_eq!(desk.signal(&xrp(), Action::Buy).outcome, Some(Outcome::Filled));
    assert!(desk.questions.is_empty());
}

#[test]
fn an_exit_is_never_held_up_by_a_conflict_or_a_model() {
    for action in [Action::Sell, Action::Close] {
        let mut desk = Desk::with(config()).with_lot(&btc());
        desk.regime(&btc(), Regime::Choppy);
        desk.alert();
        let decision = desk.signal(&btc(), action);
        assert_eq!((decision.outcome, desk.questions.len()), (Some(Outcome::Filled), 0));
        assert_eq!(decision.conflicts.len(), 2, "what spoke against it is in the trail");
    }
}

#[test]
fn each_level_allows_its_own_questions() {
    for (failures, level, regime_asks, odds_ask) in [
        (0, Level::Normal, true, true),
        (3, Level::Reduced, true, true),
        (6, Level::Limited, true, false),
        (9, Level::Limited, true, false),
    ] {
        let mut desk = Desk::with_models(config());
        desk.provider_fails(failures);
        assert_eq!(desk.level(), level, "model trouble alone stops at LIMITED");
        desk.signal(&btc(), Action::Buy);
        assert_eq!(desk.questions.len(), usize::from(regime_asks), "{level}");
        desk.regime(&btc(), Regime::Ranging);
        desk.at_odds();
        desk.questions.clear();
        desk.signal(&btc(), Action::Buy);
        assert_eq!(desk.questions.len(), usize::from(odds_ask), "{level}");
    }
    let mut desk = Desk::with_models(config());
    desk.say_unconfirmed("force_level EMERGENCY drill");
    assert_eq!(end(&desk.signal(&btc(), Action::Buy)), (Outcome::Ignored, Some(ReasonCode::LevelEmergency)));
    assert!(desk.questions.is_empty());
}

// --- A model never adds risk --------------------------------------------------------------------------------------

#[test]
fn a_model_makes_an_entry_smaller() {
    let mut whole = Desk::with_models(config());
    let (decision, _) = whole.asked();
    whole.answer(decision.id, proceed());
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    let decided = desk.answer(decision.id, modify(None, Some("50"), None));
    assert_eq!(desk.venue.submitted[0].quantity * Decimal::TWO, whole.venue.submitted[0].quantity);
    assert_eq!(decided.changes[0].why, "model: size");
    assert_eq!(decided.signal, decision.signal, "a signal is never changed");
}

#[test]
fn a_model_that_wants_more_gets_no_more() {
    let mut plain = Desk::with_models(config());
    let (decision, _) = plain.asked();
    plain.answer(decision.id, proceed());
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    let decided = desk.answer(decision.id, modify(Some("5"), Some("-300"), Some("4")));
    assert_eq!(
        (&desk.venue.submitted[0].kind, desk.venue.submitted[0].quantity),
        (&plain.venue.submitted[0].kind, plain.venue.submitted[0].quantity)
    );
    assert_eq!(decided.changes, plain.decision(&decision).changes);
}

#[test]
fn a_model_moves_an_entry_down_but_not_past_collar_or_stop() {
    for (wanted, stop, becomes) in
        [("-1", "39200", "39600"), ("-50", "38900", "39200"), ("-50", "39600", "40000")]
    {
        let mut desk = Desk::with_models(config());
        let mut signal = desk.new_signal(&btc(), Action::Buy);
        (signal.stop, signal.take_profit) = (Some(dec(stop)), Some(dec("44000")));
        let decision = desk.deliver(signal);
        let decided = desk.answer(decision.id, modify(None, None, Some(wanted)));
        let OrderKind::Limit { price, .. } =
            desk.venue.submitted.first().unwrap_or_else(|| panic!("{decided:?}")).kind
        else {
            panic!("an entry is a limit order")
        };
        assert_eq!(price, dec(becomes), "{wanted}");
    }
}

#[test]
fn a_model_that_takes_everything_away_leaves_nothing_to_trade() {
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    let decided = desk.answer(decision.id, modify(None, Some("100"), None));
    assert_eq!(end(&decided), (Outcome::Rejected, Some(ReasonCode::SizeTooSmall)));
}

#[test]
fn modify_that_says_nothing_to_modify_does_not_trade() {
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    assert_eq!(desk.answer(decision.id, says(ResolutionAction::Modify, None)).outcome, Some(Outcome::Waited));
    assert!(desk.venue.submitted.is_empty());
}

// --- What has moved while a model was thinking --------------------------------------------------------------------

/// How a decision ends whose model says proceed after something has moved.
fn moved(change: impl FnOnce(&mut Desk)) -> (Outcome, Option<ReasonCode>) {
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    desk.later(3);
    change(&mut desk);
    let decided = desk.answer(decision.id, proceed());
    assert!(desk.venue.submitted.is_empty(), "traded all the same");
    assert!(desk.questions.is_empty(), "asked a second time");
    end(&decided)
}

#[test]
fn a_pause_while_a_model_thinks_holds() {
    assert_eq!(
        moved(|desk| drop(desk.say_unconfirmed("pause"))),
        (Outcome::Ignored, Some(ReasonCode::Paused))
    );
}

#[test]
fn pause_and_resume_while_a_model_thinks_do_not_let_the_old_signal_through() {
    let paused_and_resumed = |desk: &mut Desk| {
        desk.say_unconfirmed("pause");
        assert!(desk.say("resume").is_done());
        assert_eq!(desk.core.entries(&btc(), desk.now), []);
    };
    assert_eq!(moved(paused_and_resumed), (Outcome::Ignored, Some(ReasonCode::GateShut)));
}

#[test]
fn a_level_that_rises_while_a_model_thinks_holds() {
    let emergency = |desk: &mut Desk| drop(desk.say_unconfirmed("force_level EMERGENCY drill"));
    assert_eq!(moved(emergency), (Outcome::Ignored, Some(ReasonCode::LevelEmergency)));
}

#[test]
fn a_lock_while_a_model_thinks_holds() {
    let lock = |desk: &mut Desk| drop(desk.say_unconfirmed("lock_symbol BTC/USDT"));
    assert_eq!(moved(lock), (Outcome::Ignored, Some(ReasonCode::SymbolLocked)));
}

#[test]
fn a_price_that_runs_away_while_a_model_thinks_is_not_chased() {
    let to = |price: &'static str| {
        move |desk: &mut Desk| {
            desk.prices.insert(btc(), dec(price));
            desk.candles();
        }
    };
    assert_eq!(moved(to("40900")), (Outcome::Rejected, Some(ReasonCode::PriceCollar)));
    assert_eq!(moved(to("39100")), (Outcome::Rejected, Some(ReasonCode::PriceCollar)));
}

#[test]
fn a_price_at_the_stop_while_a_model_thinks_ends_the_entry() {
    let mut desk = Desk::with_models(config());
    let mut signal = desk.new_signal(&btc(), Action::Buy);
    (signal.stop, signal.take_profit) = (Some(dec("39600")), Some(dec("41000")));
    let decision = desk.deliver(signal);
    desk.later(2);
    desk.prices.insert(btc(), dec("39600"));
    desk.candles();
    let decided = desk.answer(decision.id, proceed());
    assert_eq!(end(&decided), (Outcome::Rejected, Some(ReasonCode::StopWrongSide)));
}

#[test]
fn money_spent_while_a_model_thinks_is_not_spent_twice() {
    let mut desk = Desk::with_models(config());
    let mut signal = desk.new_signal(&btc(), Action::Buy);
    signal.size_pct = crate::domain::Pct::new(dec("20")).unwrap();
    let decision = desk.deliver(signal);
    desk.later(2);
    let mut other = desk.new_signal(&xrp(), Action::Buy);
    other.size_pct = crate::domain::Pct::new(dec("20")).unwrap();
    assert_eq!(desk.deliver(other).outcome, Some(Outcome::Filled), "another symbol goes on meanwhile");
    let mut third = desk.new_signal(&Symbol::new("XRP/BTC").unwrap(), Action::Hold);
    third.size_pct = crate::domain::Pct::ZERO;
    desk.deliver(third);
    let decided = desk.answer(decision.id, proceed());
    assert_eq!(end(&decided), (Outcome::Rejected, Some(ReasonCode::CorrelatedExposure)), "{decided:?}");
}

#[test]
fn a_signal_that_grows_too_old_while_a_model_thinks_expires_by_itself() {
    let mut desk = Desk::with_models(config());
    let mut signal = desk.new_signal(&btc(), Action::Buy);
    signal.at = desk.now.market.minus(secs(115));
    let decision = desk.deliver(signal);
    desk.pass(secs(6));
    assert_eq!(end(&desk.decision(&decision)), (Outcome::Expired, Some(ReasonCode::SignalTooOld)));
    assert_eq!(desk.answer(decision.id, proceed()).outcome, Some(Outcome::Expired));
    assert!(desk.venue.submitted.is_empty());
}

#[test]
fn an_answer_at_the_instant_of_expiry_is_too_late() {
    let mut desk = Desk::with_models(config());
    let mut signal = desk.new_signal(&btc(), Action::Buy);
    signal.at = desk.now.market.minus(secs(115));
    let decision = desk.deliver(signal);
    desk.later(6);
    let decided = desk.answer(decision.id, proceed());
    assert_eq!(end(&decided), (Outcome::Expired, Some(ReasonCode::SignalTooOld)));
}

#[test]
fn a_conflict_that_is_new_takes_its_default_and_the_strictest_outcome_wins() {
    assert_eq!(moved(Desk::at_odds), (Outcome::Waited, None));
    assert_eq!(moved(Desk::alert), (Outcome::Aborted, None));
    let both = |desk: &mut Desk| {
        desk.at_odds();
        desk.alert();
    };
    assert_eq!(moved(both), (Outcome::Aborted, None));
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    desk.at_odds();
    let decided = desk.answer(decision.id, says(ResolutionAction::Abort, None));
    assert_eq!(decided.outcome, Some(Outcome::Aborted), "a model may be stricter than the default");
    assert_eq!(decided.conflicts.len(), 2);
}

/// Why a decision did not trade, in the order of its conflicts.
fn blocked(decision: &Decision) -> (Option<Rule>, Vec<ConflictKind>) {
    (decision.blocked_by(), decision.conflicts.iter().map(|conflict| conflict.kind).collect())
}

#[test]
fn of_several_conflicts_the_one_that_decided_is_named() {
    use ConflictKind::{RegimeConflict, TaSentimentConflict};
    let mut desk = Desk::with_models(Config::defaults().unwrap());
    desk.at_odds();
    let decided = desk.signal(&btc(), Action::Buy);
    let aborted = (Some(Rule::Conflict(RegimeConflict)), vec![RegimeConflict, TaSentimentConflict]);
    assert_eq!(blocked(&decided), aborted);
    assert_eq!(decided.detail, "regime choppy .70 (default)");

    let mut desk = Desk::with_models(config());
    desk.at_odds();
    let (decision, _) = desk.asked();
    let failed = desk.answer(decision.id, nobody_answers(&CallFailure::TimedOut));
    assert_eq!(blocked(&failed), aborted);

    // The model lets the old one pass; the new one waits.
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    desk.at_odds();
    let waited = desk.answer(decision.id, proceed());
    let expected = (Some(Rule::Conflict(TaSentimentConflict)), vec![TaSentimentConflict, RegimeConflict]);
    assert_eq!(blocked(&waited), expected);
}

#[test]
fn a_conflict_that_let_the_signal_pass_is_not_what_blocked_it() {
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    desk.prices.insert(btc(), dec("40900"));
    desk.candles();
    let rejected = desk.answer(decision.id, proceed());
    let collar = Some(Rule::Reason(ReasonCode::PriceCollar));
    assert_eq!(blocked(&rejected), (collar, vec![ConflictKind::RegimeConflict]));

    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    assert_eq!(desk.answer(decision.id, proceed()).blocked_by(), None, "it was filled");
}

#[test]
fn a_conflict_that_the_level_takes_from_the_model_takes_its_default() {
    let mut desk = Desk::with(config());
    desk.at_odds();
    let (decision, _) = desk.asked();
    desk.say_unconfirmed("force_level LIMITED drill");
    let decided = desk.answer(decision.id, proceed());
    assert_eq!(decided.outcome, Some(Outcome::Waited));
    assert_eq!(decided.resolution.unwrap().by, ResolvedBy::Default);
}

#[test]
fn a_conflict_that_is_gone_does_not_undo_what_the_model_said() {
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    desk.regime(&btc(), Regime::TrendingBull);
    let decided = desk.answer(decision.id, says(ResolutionAction::Abort, None));
    assert_eq!(decided.outcome, Some(Outcome::Aborted));
}

// --- Hanging, late, superseded, halted, restarted -----------------------------------------------------------------

#[test]
fn halting_calls_off_a_probe_that_nobody_waits_for() {
    let mut desk = Desk::with_models(config());
    desk.say_unconfirmed("halt smoke");
    assert!(desk.effects.contains(&Effect::AbandonModelCalls));
    let mut without = Desk::new();
    without.say_unconfirmed("halt smoke");
    assert!(!without.effects.contains(&Effect::AbandonModelCalls));
}

#[test]
fn halting_while_a_model_hangs_sends_no_order() {
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    desk.say_unconfirmed("halt smoke");
    assert!(desk.effects.contains(&Effect::AbandonModelCalls));
    assert_eq!(end(&desk.decision(&decision)), (Outcome::Ignored, Some(ReasonCode::Halted)));
    desk.answer(decision.id, proceed());
    assert!(desk.say("release done").is_done() && desk.say("resume").is_done());
    let decided = desk.answer(decision.id, proceed());
    assert_eq!(end(&decided), (Outcome::Ignored, Some(ReasonCode::Halted)));
    assert!(desk.venue.submitted.is_empty());
}

#[test]
fn a_model_that_hangs_ends_in_the_default_and_counts_once() {
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    desk.pass(secs(9));
    assert_eq!(desk.decision(&decision).outcome, None);
    desk.pass(secs(1));
    assert_eq!(desk.decision(&decision).outcome, Some(Outcome::Aborted));
    assert_eq!(desk.decision(&decision).resolution.unwrap().by, ResolvedBy::DefaultAfterFailure);
    assert_eq!((desk.outstanding(ALPHA), desk.outstanding(BETA)), (1, 0));
}

#[test]
fn what_comes_of_a_silence_that_was_counted_is_no_second_failure() {
    let mut config = config();
    config.orchestration.health.provider_down_after = 2;
    let mut desk = Desk::with_models(config);
    let (decision, _) = desk.asked();
    desk.pass(secs(10));
    let silence = desk.decision(&decision);
    desk.answer(decision.id, nobody_answers(&CallFailure::TimedOut));
    let down = AlarmKey::about(AlarmSource::ProviderDown, Subject::Component(ALPHA.to_owned()));
    assert_eq!(desk.alarm(&down), AlarmState::Normal, "one failure in a row");
    assert_eq!((desk.outstanding(ALPHA), desk.outstanding(BETA)), (1, 1), "the other hung too");
    assert_eq!(desk.decision(&decision), silence);
    let (decision, _) = desk.asked();
    desk.answer(decision.id, nobody_answers(&CallFailure::TimedOut));
    assert_eq!(desk.alarm(&down), AlarmState::Unacknowledged, "two");
}

#[test]
fn a_late_answer_is_counted_and_changes_no_decision() {
    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    desk.pass(secs(11));
    let before = desk.decision(&decision);
    let failed = desk.core.live.providers[ALPHA].problem_text();
    assert_eq!(desk.answer(decision.id, proceed()), before);
    assert_eq!((desk.core.live.late_answers, desk.venue.submitted.len()), (1, 0));
    assert_eq!(failed, Some("timed out".to_owned()));
    assert_eq!(desk.core.live.providers[ALPHA].problem_text(), None, "a success is one wherever it happens");
}

#[test]
fn a_newer_signal_supersedes_one_that_waits_for_a_model() {
    for action in [Action::Buy, Action::Hold] {
        let mut desk = Desk::with_models(config());
        let (old, _) = desk.asked();
        desk.later(2);
        let new = desk.signal(&btc(), action);
        assert_eq!(desk.decision(&old).outcome, Some(Outcome::Superseded));
        assert_eq!(desk.answer(old.id, proceed()).outcome, Some(Outcome::Superseded));
        assert!(desk.venue.submitted.is_empty());
        if action == Action::Buy {
            assert_eq!(desk.answer(new.id, proceed()).outcome, Some(Outcome::Filled));
            assert_eq!(desk.venue.submitted.len(), 1);
        }
    }
}

#[test]
fn two_symbols_think_independently() {
    let mut desk = Desk::with_models(config());
    desk.regime(&xrp(), Regime::Choppy);
    let (first, second) = (desk.signal(&btc(), Action::Buy), desk.signal(&xrp(), Action::Buy));
    assert_eq!(desk.questions.len(), 2);
    assert_eq!(desk.answer(second.id, proceed()).outcome, Some(Outcome::Filled));
    assert_eq!(desk.decision(&first).outcome, None);
    assert_eq!(desk.answer(first.id, says(ResolutionAction::Wait, None)).outcome, Some(Outcome::Waited));
}

#[test]
fn a_restart_while_a_model_thinks_ends_the_decision_once_and_trades_nothing() {
    for clean in [true, false] {
        let mut desk = Desk::with_models(config());
        let (decision, _) = desk.asked();
        desk.restart(clean, |started| started.keep_running = true);
        desk.candles();
        let ended = desk.decision(&decision);
        assert_eq!(ended.outcome, Some(Outcome::Expired));
        assert!(ended.detail.contains("while a model was thinking"), "{}", ended.detail);
        desk.answer(decision.id, proceed());
        desk.deliver(decision.signal);
        assert!(desk.venue.submitted.is_empty() && desk.questions.is_empty());
        assert_eq!(desk.core.durable().decisions.len(), 1);
        assert_eq!(desk.core.durable().outcomes_today.1.values().sum::<u64>(), 1);
    }
}

// --- How the providers are ----------------------------------------------------------------------------------------

/// Answers every probe for `length`; how long after the last one each came.
fn probe_for(desk: &mut Desk, length: u64, works: bool) -> Vec<u64> {
    let (mut distances, mut last, mut left) = (Vec::new(), desk.now.operator, length);
    while left > 0 {
        desk.pass(secs(10));
        left = left.saturating_sub(10);
        while let Some(provider) = desk.probes.pop_front() {
            distances.push(desk.now.operator.since(last).as_secs().div_ceil(10) * 10);
            last = desk.now.operator;
            let result = if works { Ok(()) } else { Err(CallFailure::TimedOut) };
            desk.tell(Input::ProviderProbed { provider, result });
        }
    }
    distances
}

#[test]
fn a_level_that_forbids_questions_ends_by_probes() {
    let mut desk = Desk::with_models(config());
    desk.provider_fails(6);
    assert_eq!(desk.level(), Level::Limited);
    probe_for(&mut desk, 60 * 20, true);
    assert_eq!((desk.level(), desk.outstanding(ALPHA)), (Level::Normal, 0));
    assert_eq!(probe_for(&mut desk, 600, true), Vec::<u64>::new(), "one that works is not probed");
}

#[test]
fn failing_probes_do_not_count_and_come_ever_more_rarely() {
    let mut desk = Desk::with_models(config());
    desk.provider_fails(1);
    let distances = probe_for(&mut desk, 4 * 3_600, false);
    assert_eq!(desk.outstanding(ALPHA), 1);
    assert_eq!(distances[1..8], [60, 120, 240, 480, 900, 900, 900]);
    let distances = probe_for(&mut desk, 2_000, true);
    assert_eq!((distances[1], distances[2]), (60, 60), "back to every minute after the first success");
}

#[test]
fn halted_probes_nobody() {
    let mut desk = Desk::with_models(config());
    desk.provider_fails(3);
    desk.say_unconfirmed("halt smoke");
    assert_eq!(probe_for(&mut desk, 300, true), Vec::<u64>::new());
}

#[test]
fn emergency_probes_all_the_same() {
    let mut desk = Desk::with_models(config());
    desk.provider_fails(3);
    desk.say_unconfirmed("force_level EMERGENCY drill");
    assert!(probe_for(&mut desk, 120, true).len() > 1);
}

#[test]
fn a_provider_that_is_down_raises_its_alarm_until_it_answers() {
    let mut desk = Desk::with_models(config());
    let key = AlarmKey::about(AlarmSource::ProviderDown, Subject::Component(ALPHA.to_owned()));
    desk.provider_fails(1);
    probe_for(&mut desk, 100, false);
    assert_eq!(desk.alarm(&key), AlarmState::Normal);
    probe_for(&mut desk, 200, false);
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    probe_for(&mut desk, 300, true);
    assert_eq!(desk.alarm(&key), AlarmState::ReturnedUnacknowledged);
}

#[test]
fn providers_are_on_the_screen_only_where_there_are_any() {
    let mut without = Desk::new();
    without.pass(secs(70));
    assert_eq!(without.health("models"), Some((HealthStatus::Ok, "none configured: rules".to_owned())));
    assert!(!without.snapshot().degradation.models_configured);

    let mut desk = Desk::with_models(config());
    let (decision, _) = desk.asked();
    desk.answer(decision.id, nobody_answers(&CallFailure::TimedOut));
    desk.pass(secs(70));
    assert_eq!(desk.health("models"), None);
    let (status, detail) = desk.health("model alpha").unwrap();
    assert_eq!((status, detail.as_str()), (HealthStatus::Warn, "timed out; no success yet"));
    let view = desk.snapshot().degradation;
    assert!(view.models_configured);
    let llm: Vec<_> = view.components.iter().filter(|it| it.is_llm).map(|it| it.name.as_str()).collect();
    assert_eq!(llm, ["provider alpha", "provider beta"]);
}

#[test]
fn failures_of_a_provider_survive_a_restart_and_those_of_one_that_is_gone_do_not() {
    let mut desk = Desk::with_models(config());
    desk.provider_fails(3);
    desk.restart(true, |_| {});
    assert_eq!(desk.level(), Level::Reduced);
    desk.config = std::sync::Arc::new(Config::defaults().unwrap());
    desk.restart(true, |_| {});
    assert_eq!(desk.level(), Level::Normal);
}
