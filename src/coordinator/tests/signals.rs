//! From signal to order, and what stops it.

use super::super::input::Input;
use super::super::task::TaskOutput;
use super::*;
use crate::config::TaskName;
use crate::domain::{Bias, Confidence, OrderKind, Pct, TaSignal, Untrusted};

#[test]
fn a_buy_becomes_one_protected_entry() {
    let mut desk = Desk::new();
    let decision = desk.signal(&btc(), Action::Buy);
    let order = &desk.venue.submitted[0];
    assert_eq!((order.side, &order.symbol), (Side::Buy, &btc()));
    assert_eq!(order.protection.unwrap().stop, dec("39200"));
    assert_eq!(decision.outcome, Some(Outcome::Filled));
    assert_eq!((decision.filled, decision.average_price), (order.quantity, Some(dec("40000"))));
    assert_eq!(desk.held(&btc()), order.quantity);
}

#[test]
fn an_order_is_as_large_as_its_signal_says_of_the_equity_there_is() {
    for start in ["10000", "37000"] {
        for size in ["3", "7.5", "12"] {
            let mut config = Config::defaults().unwrap();
            config.execution.account.start.insert(btc().quote().clone(), dec(start));
            let mut desk = Desk::with(config);
            let mut signal = desk.new_signal(&btc(), Action::Buy);
            signal.size_pct = Pct::new(dec(size)).unwrap();
            desk.deliver(signal);
            let order = &desk.venue.submitted[0];
            let OrderKind::Limit { price, .. } = order.kind else { panic!("an entry is a limit order") };
            assert_eq!(order.quantity * price, dec(start) * dec(size) / dec("100"), "{size} % of {start}");
        }
    }
}

#[test]
fn a_pair_in_bitcoin_is_bought_for_its_share_of_the_equity_in_dollars() {
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("1"));
    let mut desk = Desk::with(config);
    let pair = Symbol::new("XRP/BTC").unwrap();
    desk.signal(&pair, Action::Buy);
    // A tenth of 50,000 USDT in XRP of half a dollar.
    assert_eq!(desk.venue.submitted[0].quantity, dec("10000"));
}

#[test]
fn a_volatility_that_is_no_number_lets_no_entry_pass() {
    for ratio in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut desk = Desk::with_silent_agents(Config::defaults().unwrap());
        let run = desk.run_of(TaskName::TechnicalAnalysis, Some(&btc()));
        let TaskOutput::Ta(mut ta) = desk::answer_to(&run, desk.now.market) else { panic!("another answer") };
        ta.atr_ratio = Some(ratio);
        desk.tell(Input::TaskFinished { run: run.id, result: Ok(TaskOutput::Ta(ta)) });
        let decision = desk.signal(&btc(), Action::Buy);
        assert_eq!(
            (decision.outcome, &decision.reasons[..]),
            (Some(Outcome::Rejected), &[ReasonCode::InvalidOrder][..]),
            "{ratio}"
        );
        assert!(desk.venue.submitted.is_empty());
    }
}

#[test]
fn the_same_signal_twice_trades_once() {
    let mut desk = Desk::new();
    let signal = desk.new_signal(&btc(), Action::Buy);
    desk.deliver(signal.clone());
    desk.deliver(signal.clone());
    desk.restart(true, |started| started.keep_running = true);
    desk.candles();
    desk.deliver(signal);
    assert_eq!(desk.venue.submitted.len(), 1);
    assert_eq!(desk.core.durable().decisions.len(), 1);
}

#[test]
fn a_hold_is_recorded_and_nothing_else() {
    let mut desk = Desk::new();
    assert_eq!(desk.signal(&btc(), Action::Hold).outcome, Some(Outcome::Hold));
    assert!(desk.venue.submitted.is_empty());
}

#[test]
fn an_old_signal_is_ignored() {
    let mut desk = Desk::new();
    let signal = desk.new_signal(&btc(), Action::Buy);
    desk.pass(secs(121));
    let decision = desk.deliver(signal);
    assert_eq!(
        (decision.outcome, &decision.reasons[..]),
        (Some(Outcome::Ignored), &[ReasonCode::SignalTooOld][..])
    );
}

#[test]
fn an_entry_that_the_disk_held_back_too_long_is_refused_and_an_exit_still_goes_out() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.disk_takes = secs(121);
    let late = desk.signal(&xrp(), Action::Buy);
    assert_eq!(
        (late.outcome, &late.reasons[..]),
        (Some(Outcome::Refused), &[ReasonCode::DeadlinePassed][..])
    );
    assert_eq!(desk.venue.submitted.len(), 1, "only the lot that was there before");
    let exit = desk.signal(&btc(), Action::Close);
    assert_eq!(exit.outcome, Some(Outcome::Filled));
}

#[test]
fn what_working_orders_will_cost_includes_their_fees() {
    let mut desk = Desk::new();
    let before = desk.core.spendable(btc().quote());
    desk.venue.mode = Mode::Rest;
    desk.signal(&btc(), Action::Buy);
    let order = desk.venue.submitted[0].clone();
    let OrderKind::Limit { price, .. } = order.kind else { panic!("an entry is a limit order") };
    let worth = order.quantity * price;
    let fee = desk.config.execution.paper.fee_pct.of(worth).unwrap();
    assert_eq!(desk.core.spendable(btc().quote()), before - worth - fee);
}

#[test]
fn a_blocked_entry_lists_every_reason() {
    let mut desk = Desk::new();
    desk.say_unconfirmed("lock_symbol BTC/USDT");
    desk.say_unconfirmed("force_level EMERGENCY drill");
    desk.say_unconfirmed("pause");
    desk.tell(Input::StoreLag { waiting: 0, oldest: secs(5) });
    desk.now = crate::domain::Now::both(desk.now.market.plus(secs(600)));
    let decision = desk.signal(&btc(), Action::Buy);
    assert_eq!(decision.outcome, Some(Outcome::Ignored));
    let all = [
        ReasonCode::Paused,
        ReasonCode::LevelEmergency,
        ReasonCode::StoreSlow,
        ReasonCode::SymbolLocked,
        ReasonCode::FeedStale,
    ];
    assert_eq!(decision.reasons, all);
    assert!(decision.detail.contains("paused") && decision.detail.contains("feed stale"));
}

#[test]
fn a_sell_without_a_lot_is_ignored_and_never_opens_a_short() {
    let mut desk = Desk::new();
    for action in [Action::Sell, Action::Close] {
        let decision = desk.signal(&btc(), action);
        assert_eq!(
            (decision.outcome, decision.reasons),
            (Some(Outcome::Ignored), vec![ReasonCode::NothingHeld])
        );
    }
    assert!(desk.venue.submitted.is_empty());
}

#[test]
fn a_sell_reduces_the_lots_of_its_own_symbol_only() {
    let mut desk = Desk::new().with_lot(&btc()).with_lot(&xrp());
    let (btc_held, xrp_held) = (desk.held(&btc()), desk.held(&xrp()));
    let mut signal = desk.new_signal(&btc(), Action::Sell);
    signal.size_pct = Pct::new(dec("4")).unwrap();
    assert_eq!(desk.deliver(signal).outcome, Some(Outcome::Filled));
    assert!(desk.held(&btc()) < btc_held && desk.held(&btc()) > Decimal::ZERO);
    assert_eq!(desk.signal(&btc(), Action::Close).outcome, Some(Outcome::Filled));
    assert_eq!((desk.held(&btc()), desk.held(&xrp())), (Decimal::ZERO, xrp_held));
}

#[test]
fn a_sell_for_more_than_is_held_sells_all_that_is_held() {
    let mut desk = Desk::new().with_lot(&btc());
    let held = desk.held(&btc());
    let mut signal = desk.new_signal(&btc(), Action::Sell);
    signal.size_pct = Pct::HUNDRED;
    let decision = desk.deliver(signal);
    assert_eq!((decision.outcome, decision.filled), (Some(Outcome::Filled), held));
    assert!(desk.held(&btc()).is_zero());
}

#[test]
fn a_lot_without_a_price_keeps_no_other_symbol_from_trading() {
    let mut desk = Desk::new().with_lot(&btc()).with_lot(&xrp());
    // Nothing prices XRP any more.
    desk.prices.retain(|symbol, _| *symbol == btc());
    desk.pass(secs(240));
    assert_eq!(desk.core.entries(&xrp(), desk.now)[0].code, ReasonCode::FeedStale);
    let held = desk.held(&btc());
    assert_eq!(desk.signal(&btc(), Action::Sell).outcome, Some(Outcome::Filled));
    assert!(desk.held(&btc()) < held);
    assert_eq!(desk.signal(&btc(), Action::Close).outcome, Some(Outcome::Filled));
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
}

#[test]
fn two_exits_never_sell_more_than_is_held() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.venue.mode = Mode::Rest;
    assert_eq!(desk.signal(&btc(), Action::Close).outcome, None);
    let second = desk.signal(&btc(), Action::Close);
    assert_eq!(second.reasons, [ReasonCode::NothingHeld]);
}

#[test]
fn halted_lets_no_agent_sell() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.say("halt");
    let decision = desk.signal(&btc(), Action::Close);
    assert_eq!((decision.outcome, decision.reasons), (Some(Outcome::Ignored), vec![ReasonCode::Halted]));
}

#[test]
fn risk_says_no_with_its_first_rule() {
    let mut desk = Desk::new();
    let mut signal = desk.new_signal(&btc(), Action::Buy);
    signal.stop = None;
    let decision = desk.deliver(signal);
    assert_eq!(
        (decision.outcome, decision.reasons),
        (Some(Outcome::Rejected), vec![ReasonCode::StopLossRequired])
    );
}

#[test]
fn the_consensus_of_another_symbol_never_counts() {
    let mut desk = Desk::with_silent_agents(Config::defaults().unwrap());
    let run = desk.run_of(TaskName::TechnicalAnalysis, Some(&xrp()));
    let ta = desk::answer_to(&run, desk.now.market);
    desk.tell(Input::TaskFinished { run: run.id, result: Ok(ta) });
    let (heard, silent) = (desk.signal(&xrp(), Action::Buy), desk.signal(&btc(), Action::Buy));
    assert_eq!((heard.votes.len(), silent.votes.len()), (1, 0));
}

#[test]
fn an_answer_for_another_symbol_is_dropped() {
    let mut desk = Desk::with_silent_agents(Config::defaults().unwrap());
    let run = desk.run_of(TaskName::TechnicalAnalysis, Some(&btc()));
    let foreign = TaSignal {
        symbol: xrp(),
        bias: Bias::Long,
        confidence: Confidence::ONE,
        atr_pct: None,
        atr_ratio: None,
        support: None,
        resistance: None,
        reasoning: Untrusted::new("x"),
    };
    desk.tell(Input::TaskFinished { run: run.id, result: Ok(TaskOutput::Ta(foreign)) });
    assert!(desk.announced(SystemEventKind::TaskError));
    let says = desk.snapshot().consensus.iter().filter(|row| row.technical.says.is_some()).count();
    assert_eq!(says, 0);
}

#[test]
fn an_analyst_cannot_trade() {
    let mut desk = Desk::with_silent_agents(Config::defaults().unwrap());
    let run = desk.run_of(TaskName::TechnicalAnalysis, Some(&btc()));
    let signal = desk.new_signal(&btc(), Action::Buy);
    desk.tell(Input::TaskFinished { run: run.id, result: Ok(TaskOutput::Signal(signal)) });
    assert!(desk.core.durable().decisions.is_empty() && desk.venue.submitted.is_empty());
}
