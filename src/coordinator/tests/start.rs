//! Restarts.

use super::super::effect::Effect;
use super::super::input::Input;
use super::*;
use crate::alarm::AlarmState;

#[test]
fn a_restart_comes_up_paused_and_says_why() {
    let mut desk = Desk::new();
    desk.restart(true, |_| {});
    assert_eq!(desk.state(), TradingState::Paused);
    assert_eq!(desk.gate.state(), TradingState::Paused);
    assert_eq!(desk.core.durable().control.reason.as_str(), "paused because restarted; r resumes");
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::UncleanEnd)), AlarmState::Normal);
    desk.candles();
    assert!(desk.say("resume").is_done());
}

#[test]
fn a_pause_that_was_in_force_is_named_also_after_the_second_restart() {
    let mut desk = Desk::new();
    desk.say("pause lunch");
    for _ in 0..2 {
        desk.restart(true, |_| {});
        assert_eq!(
            desk.core.durable().control.reason.as_str(),
            "paused because restarted; r resumes; it was PAUSED by kim: lunch"
        );
    }
}

#[test]
fn a_simulated_run_may_keep_running() {
    let mut desk = Desk::new();
    desk.restart(true, |started| started.keep_running = true);
    assert_eq!(desk.state(), TradingState::Running);
    desk.candles();
    assert_eq!(desk.core.entries(&btc(), desk.now), []);
    desk.say("pause");
    desk.restart(true, |started| started.keep_running = true);
    assert_eq!(desk.state(), TradingState::Paused);
}

#[test]
fn an_unclean_end_raises_an_alarm() {
    let mut desk = Desk::new();
    desk.restart(false, |_| {});
    assert_eq!(desk.state(), TradingState::Paused);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::UncleanEnd)), AlarmState::ReturnedUnacknowledged);
}

#[test]
fn a_restart_with_the_latch_set_is_halted() {
    let mut desk = Desk::new();
    desk.restart(true, |started| started.latched = Some(SafeText::ours("touched by hand")));
    assert_eq!(desk.state(), TradingState::Halted);
    assert_eq!(desk.core.durable().control.halt_reasons.len(), 1);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::HaltedAtStart)), AlarmState::Unacknowledged);
}

#[test]
fn halted_stays_halted_over_a_restart_even_without_the_latch() {
    let mut desk = Desk::new();
    desk.say("halt smoke");
    desk.latch = None;
    desk.restart(true, |started| started.keep_running = true);
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Halted, TradingState::Halted));
    assert_eq!(desk.latch.as_ref().unwrap().as_str(), "smoke");
    assert!(desk.effects.contains(&Effect::CancelAll), "what the last process did not get to");
    assert_eq!(desk.core.durable().control.halt_reasons.len(), 1, "it is the same halt");
}

#[test]
fn the_alarm_of_a_halted_start_is_over_with_the_release() {
    let mut desk = Desk::new();
    desk.say("halt smoke");
    desk.restart(true, |_| {});
    desk.candles();
    desk.acknowledge();
    assert!(desk.say("release fixed").is_done());
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::HaltedAtStart)), AlarmState::LatchedAcknowledged);
}

#[test]
fn a_damaged_journal_halts_and_cannot_be_released_away() {
    let mut desk = Desk::new();
    desk.restart(true, |started| started.journal_fault = Some(SafeText::ours("bad record at #12")));
    assert_eq!(desk.state(), TradingState::Halted);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::JournalFault)), AlarmState::Unacknowledged);
    desk.candles();
    desk.acknowledge();
    let refused = desk.say("release looks fine");
    assert!(format!("{refused:?}").contains("bad record at #12"), "{refused:?}");
    desk.restart(true, |_| {});
    desk.candles();
    desk.acknowledge();
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::JournalFault)), AlarmState::LatchedAcknowledged);
    assert!(desk.say("release repaired").is_done());
}

#[test]
fn a_restart_comes_up_in_the_recovered_level() {
    let mut desk = Desk::new();
    assert!(desk.say_unconfirmed("force_level EMERGENCY drill").is_done());
    desk.restart(true, |_| {});
    assert_eq!(desk.snapshot().degradation.effective, Level::Emergency);
    let codes: Vec<_> = desk.core.entries(&btc(), desk.now).iter().map(|block| block.code).collect();
    assert!(codes.contains(&ReasonCode::LevelEmergency), "{codes:?}");
}

#[test]
fn a_changed_configuration_is_said_and_listed_at_the_release() {
    let mut desk = Desk::new();
    desk.say("halt");
    desk.restart(true, |started| started.config_fingerprint = "other".to_owned());
    let release = desk.snapshot().control.release.clone().unwrap();
    let line = release.checks.iter().find(|check| check.what.starts_with("configuration")).unwrap();
    assert!(line.problem.is_some() && line.advisory);
}

#[test]
fn an_order_on_its_way_at_the_end_is_asked_for_and_adopted() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::LoseAnswer;
    let decision = desk.signal(&btc(), Action::Buy);
    assert_eq!(decision.outcome, None);
    desk.restart(false, |_| {});
    assert_eq!(desk.decision(&decision).outcome, Some(Outcome::Filled));
    assert!(desk.held(&btc()) > Decimal::ZERO);
    assert_eq!(desk.venue.submitted.len(), 1, "asked, not sent again");
}

#[test]
fn an_order_that_the_venue_never_got_ends_without_a_fill() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Deaf;
    let decision = desk.signal(&btc(), Action::Buy);
    desk.restart(false, |_| {});
    assert_eq!(desk.decision(&decision).outcome, Some(Outcome::Refused));
    assert_eq!(desk.venue.submitted.len(), 1);
}

#[test]
fn a_stop_that_fired_while_nobody_listened_is_booked_after_the_restart() {
    let mut desk = Desk::new().with_lot(&btc());
    let entry = desk.venue.submitted[0].clone();
    let unheard = desk.venue.stop(desk.now, &entry, entry.quantity);
    desk.restart(true, |_| {});
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
    let balance = desk.core.durable().account.balances().clone();
    desk.venue_says(unheard);
    assert_eq!(*desk.core.durable().account.balances(), balance, "booked once");
}

#[test]
fn a_decision_whose_order_was_never_recorded_is_ended_at_the_next_start() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Rest;
    let decision = desk.signal(&btc(), Action::Buy);
    // The journal ends between the decision and its order.
    let cut = desk.records.iter().position(|record| record.kind.name() == "decision").unwrap() + 1;
    desk.forget_records_from(cut);
    desk.restart(false, |_| {});
    assert_eq!(desk.decision(&decision).outcome, Some(Outcome::Unfilled));
}

#[test]
fn alarms_of_the_last_process_are_over_but_still_want_to_be_seen() {
    let mut desk = Desk::new();
    desk.tell(Input::StoreLag { waiting: 10_000, oldest: secs(9) });
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::StoreSlow)), AlarmState::Unacknowledged);
    desk.restart(true, |_| {});
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::StoreSlow)), AlarmState::ReturnedUnacknowledged);
}

#[test]
fn the_last_worth_of_a_run_is_that_of_its_end() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.pass(secs(90));
    desk.btc_at("40100");
    let (at, worth) = (desk.now.market, desk.core.equity(desk.now).unwrap());
    desk.tell(Input::Stop { reason: SafeText::ours("enough") });
    let [.., mark, end] = &desk.records[..] else { panic!("no records") };
    let RecordKind::Mark { equity, .. } = &mark.kind else { panic!("{mark:?}") };
    assert_eq!((mark.at, *equity), (at, worth));
    assert!(matches!(&end.kind, RecordKind::RunEnded { .. }), "{end:?}");
}
