//! What the core hands to the risk rules, to the venue and to the bus: each value of it decides something here. The rules
//! themselves are tested where they stand.

use super::super::effect::Effect;
use super::super::input::Input;
use super::super::task::TaskOutput;
use super::*;
use crate::config::TaskName;
use crate::domain::{Confidence, Decision, Order, OrderKind, Payload, Pct, Regime, Signal};

fn buy(desk: &mut Desk, symbol: &Symbol, change: impl FnOnce(&mut Signal)) -> Decision {
    let mut signal = desk.new_signal(symbol, Action::Buy);
    change(&mut signal);
    desk.deliver(signal)
}

fn sure(confidence: f64) -> impl FnOnce(&mut Signal) {
    move |signal| signal.confidence = Confidence::clamped(confidence)
}

fn sized(pct: &str) -> impl FnOnce(&mut Signal) {
    let pct = Pct::new(dec(pct)).unwrap();
    move |signal| signal.size_pct = pct
}

/// In percent of the 10,000 that there are.
fn worth_pct(order: &Order) -> Decimal {
    let OrderKind::Limit { price, .. } = order.kind else { panic!("an entry is a limit order") };
    (order.quantity * price / dec("100")).round_dp(4)
}

fn last_order(desk: &Desk) -> &Order {
    desk.venue.submitted.last().unwrap()
}

#[test]
fn the_least_confidence_is_that_of_the_regime_of_the_symbol() {
    let mut desk = Desk::new();
    desk.regime(&btc(), Regime::VolatileBear);
    desk.regime(&xrp(), Regime::TrendingBull);
    // A lone voice may lower what it does not raise: unsure enough for one, sure enough for the other.
    assert_eq!(buy(&mut desk, &btc(), sure(0.6)).reasons, [ReasonCode::ConfidenceTooLow]);
    assert_eq!(buy(&mut desk, &xrp(), sure(0.6)).outcome, Some(Outcome::Filled));
}

#[test]
fn a_spike_of_volatility_that_technical_analysis_saw_halves_the_entry() {
    for (ratio, worth) in [(2.9, "10"), (3.1, "5")] {
        let mut desk = Desk::with_silent_agents(Config::defaults().unwrap());
        let run = desk.run_of(TaskName::TechnicalAnalysis, Some(&btc()));
        let TaskOutput::Ta(mut ta) = desk::answer_to(&run, desk.now.market) else { panic!("another answer") };
        ta.atr_ratio = Some(ratio);
        desk.tell(Input::TaskFinished { run: run.id, result: Ok(TaskOutput::Ta(ta)) });
        desk.signal(&btc(), Action::Buy);
        assert_eq!(worth_pct(last_order(&desk)), dec(worth), "{ratio}");
    }
}

#[test]
fn losses_in_a_row_rest_entries_halve_them_and_raise_the_least_confidence() {
    let mut config = Config::defaults().unwrap();
    config.orchestration.consensus.max_boost = 0.0;
    let mut desk = Desk::with(config);
    for _ in 0..5 {
        desk.pass(secs(61));
        assert_eq!(desk.signal(&btc(), Action::Buy).outcome, Some(Outcome::Filled));
        let entry = last_order(&desk).clone();
        let stop = desk.venue.stop(desk.now, &entry, entry.quantity);
        desk.venue_says(stop);
    }
    desk.pass(secs(61));
    assert_eq!(desk.signal(&btc(), Action::Buy).reasons, [ReasonCode::InCooldown]);
    desk.pass(secs(1_800));
    // TRENDING_BULL wants 0.55, and 0.20 more now.
    assert_eq!(buy(&mut desk, &btc(), sure(0.74)).reasons, [ReasonCode::ConfidenceTooLow]);
    let decision = buy(&mut desk, &btc(), sure(0.76));
    assert_eq!(decision.outcome, Some(Outcome::Filled), "{decision:?}");
    assert!((worth_pct(last_order(&desk)) - dec("5")).abs() < dec("0.1"), "{:?}", last_order(&desk));
}

#[test]
fn the_same_order_again_and_too_many_orders_are_refused() {
    let mut config = Config::defaults().unwrap();
    config.risk.orders.per_minute_max = 2;
    let mut desk = Desk::with(config);
    assert_eq!(desk.signal(&btc(), Action::Buy).outcome, Some(Outcome::Filled));
    assert_eq!(desk.signal(&btc(), Action::Buy).reasons, [ReasonCode::DuplicateOrder]);
    assert_eq!(desk.signal(&xrp(), Action::Buy).outcome, Some(Outcome::Filled));
    assert_eq!(buy(&mut desk, &xrp(), sized("3")).reasons, [ReasonCode::OrderRate]);
    desk.pass(secs(60));
    assert_eq!(buy(&mut desk, &xrp(), sized("3")).outcome, Some(Outcome::Filled));
}

#[test]
fn an_entry_that_rests_counts_as_if_it_were_bought() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Rest;
    buy(&mut desk, &btc(), sized("15"));
    buy(&mut desk, &btc(), sized("12"));
    assert_eq!(worth_pct(last_order(&desk)), dec("5"), "20 % is the most of one symbol");
    buy(&mut desk, &xrp(), sized("20"));
    let full = buy(&mut desk, &xrp(), sized("4"));
    assert_eq!(full.outcome, Some(Outcome::Rejected), "40 % is the most of those that move together");
}

#[test]
fn an_entry_is_valid_as_long_as_configured() {
    let mut config = Config::defaults().unwrap();
    config.execution.execution.entry_valid_for = secs(420);
    let mut desk = Desk::with(config);
    desk.signal(&btc(), Action::Buy);
    let OrderKind::Limit { valid_until, .. } = last_order(&desk).kind else { panic!("an entry is a limit") };
    assert_eq!(valid_until, Some(desk.now.market.plus(secs(420))));
}

#[test]
fn a_leg_takes_no_price_beyond_the_collar() {
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("0.2"));
    let mut desk = Desk::with(config);
    desk.propose(&[(btc(), Side::Sell, "3000"), (xrp(), Side::Buy, "3000")]);
    let bounds: Vec<_> = desk.venue.submitted.iter().map(|order| (order.side, order.kind)).collect();
    let bound = |price| OrderKind::Market { bound: Some(dec(price)) };
    assert_eq!(bounds, [(Side::Sell, bound("39200")), (Side::Buy, bound("0.51"))]);
}

#[test]
fn what_agents_say_lives_as_long_as_it_counts() {
    let mut desk = Desk::new();
    let mut lives = Vec::new();
    for task in ["technical_analysis", "regime_detection", "sentiment_analysis", "trading_decision"] {
        desk.say(&format!("run_task {task} BTC/USDT"));
        lives.extend(desk.effects.iter().filter_map(|effect| match effect {
            Effect::Publish(message) => match &message.payload {
                Payload::Ta(_) | Payload::Regime(_) | Payload::Sentiment(_) | Payload::Signal(_) => {
                    message.ttl
                }
                _ => None,
            },
            _ => None,
        }));
    }
    assert_eq!(lives, [secs(120), secs(600), secs(3_600), secs(120)]);
}

#[test]
fn long_candles_leave_signals_and_prices_more_time() {
    let mut desk = Desk::with_candles_of(secs(300));
    desk.feed = false;
    let signal = desk.new_signal(&btc(), Action::Buy);
    // Two candles for a signal, three for a price.
    desk.now = crate::domain::Now::both(desk.now.market.plus(secs(600)));
    assert_eq!(desk.deliver(signal).outcome, Some(Outcome::Filled));
    let late = desk.new_signal(&xrp(), Action::Buy);
    desk.now = crate::domain::Now::both(desk.now.market.plus(secs(300)));
    assert_eq!(desk.signal(&xrp(), Action::Buy).outcome, Some(Outcome::Filled));
    desk.now = crate::domain::Now::both(desk.now.market.plus(secs(301)));
    assert!(desk.signal(&btc(), Action::Buy).reasons.contains(&ReasonCode::FeedStale));
    assert!(desk.deliver(late).reasons.contains(&ReasonCode::SignalTooOld));
}
