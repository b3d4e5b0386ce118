//! Breakers and what they set going.

use super::*;
use crate::domain::{ConflictKind, TradingState};

fn tripped(name: &str) -> AlarmKey {
    AlarmKey::about(AlarmSource::BreakerTripped, Subject::Breaker(name.to_owned()))
}

/// A desk that holds two bitcoin outside lots, so that its equity follows the price.
fn exposed() -> Desk {
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("2"));
    Desk::with(config)
}

#[test]
fn a_daily_loss_pauses_once_and_latches() {
    let mut desk = exposed();
    desk.btc_at("37500");
    assert_eq!(desk.state(), TradingState::Paused);
    assert_eq!(desk.alarm(&tripped("daily_loss")), AlarmState::Unacknowledged);
    let changes =
        |desk: &Desk| desk.records.iter().filter(|record| record.kind.name() == "state_changed").count();
    let before = changes(&desk);
    desk.btc_at("40500");
    desk.btc_at("37500");
    assert_eq!(changes(&desk), before, "acts once");
    desk.acknowledge();
    assert!(desk.say("resume").is_done());
    assert_eq!(desk.core.entries(&btc(), desk.now)[0].code, ReasonCode::BreakerTripped);
}

#[test]
fn midnight_arms_the_daily_breaker_and_resumes_nothing() {
    let mut desk = exposed();
    desk.btc_at("37500");
    desk.pass(secs(14 * 3_600));
    assert!(desk.core.durable().breakers.tripped().next().is_none());
    assert_eq!(desk.alarm(&tripped("daily_loss")), AlarmState::LatchedUnacknowledged);
    assert_eq!(desk.state(), TradingState::Paused);
}

#[test]
fn a_weekly_loss_pauses_and_sells_half() {
    let mut desk = exposed().with_lot(&xrp());
    let held = desk.held(&xrp());
    desk.btc_at("35000");
    assert_eq!(desk.state(), TradingState::Paused);
    assert_eq!(desk.held(&xrp()), held / dec("2"));
    assert_eq!(desk.alarm(&tripped("weekly_loss")), AlarmState::Unacknowledged);
    desk.btc_at("34900");
    assert_eq!(desk.held(&xrp()), held / dec("2"), "acts once");
}

#[test]
fn a_max_drawdown_halts_and_closes_while_halted() {
    let mut desk = exposed().with_lot(&xrp());
    desk.btc_at("28000");
    assert_eq!(desk.state(), TradingState::Halted);
    assert!(desk.latch.is_some());
    assert_eq!(desk.held(&xrp()), Decimal::ZERO);
    assert!(desk.core.durable().closings.is_empty());
}

#[test]
fn a_milder_alert_never_loosens() {
    let mut desk = exposed();
    desk.say("halt");
    desk.btc_at("37500");
    assert_eq!(desk.alarm(&tripped("daily_loss")), AlarmState::Unacknowledged);
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Halted, TradingState::Halted));
}

#[test]
fn a_breach_without_a_configured_action_halts() {
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("2"));
    config.orchestration.emergency.actions.clear();
    let mut desk = Desk::with(config);
    desk.btc_at("37500");
    assert_eq!(desk.state(), TradingState::Halted);
}

#[test]
fn arming_again_takes_the_present_equity_and_wants_a_reason() {
    let mut desk = exposed();
    desk.btc_at("37500");
    let id = {
        let confirmation = desk.confirmed();
        let command = Command::RearmBreaker { name: "daily_loss".to_owned(), reason: " ".to_owned() };
        desk.order(command, confirmation)
    };
    assert!(!desk.replies[&id].is_done());
    let CommandOutcome::Preview { would, code: None } = desk.say_unconfirmed("rearm_breaker daily_loss seen")
    else {
        panic!("armed without a look");
    };
    assert_eq!(
        would.as_str(),
        "daily_loss: baseline 90000.00 becomes 85000.00 USDT (equity now); armed again, the state stays PAUSED"
    );
    assert!(desk.say("rearm_breaker daily_loss looked at it").is_done());
    let outcome = desk.say_unconfirmed("rearm_breaker daily_loss again");
    assert_eq!(
        outcome,
        CommandOutcome::refused("daily_loss is armed: nothing to do"),
        "before it is confirmed"
    );
    assert!(!desk.say("rearm_breaker daily_loss again").is_done(), "it is armed");
    let breaker = *desk.core.durable().breakers.get(crate::risk::BreakerName::DailyLoss);
    assert_eq!((breaker.tripped, breaker.baseline), (None, Some(dec("85000"))));
    assert_eq!(desk.state(), TradingState::Paused, "arming resumes nothing");
    desk.btc_at("37400");
    assert!(desk.core.durable().breakers.tripped().next().is_none());
}

#[test]
fn half_of_the_drawdown_limit_is_an_alarm_of_its_own() {
    let mut desk = exposed();
    let key = AlarmKey::of(AlarmSource::DrawdownHalf);
    desk.btc_at("35000");
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    // Of a peak of 90,000: 8 %, then 6 %; the limit is 20 %.
    desk.btc_at("36400");
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged, "it does not flap around the half");
    desk.btc_at("37300");
    assert_eq!(desk.alarm(&key), AlarmState::ReturnedUnacknowledged);
}

#[test]
fn a_stop_that_costs_too_much_trips_the_breaker_without_waiting_for_a_candle() {
    let mut config = Config::defaults().unwrap();
    config.risk.breakers.daily_loss_pct = crate::domain::Pct::new(dec("0.1")).unwrap();
    let mut desk = Desk::with(config).with_lot(&btc());
    desk.prices.insert(btc(), dec("40000"));
    let entry = desk.venue.submitted[0].clone();
    let stop = desk.venue.stop(desk.now, &entry, entry.quantity);
    desk.venue_says(stop);
    assert_eq!(desk.state(), TradingState::Paused);
}

#[test]
fn the_alert_of_a_trip_outlives_a_restart_and_expires_after_its_hour() {
    let mut desk = exposed();
    desk.btc_at("37500");
    desk.restart(false, |_| {});
    desk.candles();
    desk.acknowledge();
    assert!(desk.say("rearm_breaker daily_loss looked at").is_done());
    assert!(desk.say("resume").is_done());
    let said =
        |desk: &mut Desk| desk.snapshot().control.blocks.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(said(&mut desk), ["risk alert to 11:01Z"], "the header does not say that entries are open");
    let decision = desk.signal(&btc(), Action::Buy);
    assert_eq!(decision.outcome, Some(Outcome::Aborted), "{decision:?}");
    assert_eq!(decision.conflicts[0].kind, ConflictKind::RiskOverride);
    desk.pass(secs(3_600));
    assert!(said(&mut desk).is_empty());
    let decision = desk.signal(&btc(), Action::Buy);
    assert_ne!(decision.outcome, Some(Outcome::Aborted), "{decision:?}");
}
