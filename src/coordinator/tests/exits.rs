//! Flatten and the closings of an emergency.

use super::super::input::{Confirmation, Input};
use super::*;
use crate::domain::{Actor, Purpose, SafeText, TradingState};
use desk::operator;

fn not_done(symbol: &Symbol) -> AlarmKey {
    AlarmKey::about(AlarmSource::ExitNotDone, Subject::Symbol(symbol.clone()))
}

#[test]
fn flatten_works_in_every_state() {
    for state in ["note nothing", "pause", "halt"] {
        let mut desk = Desk::new().with_lot(&btc()).with_lot(&xrp());
        desk.say(state);
        assert!(desk.say("flatten").is_done(), "{state}");
        assert_eq!((desk.held(&btc()), desk.held(&xrp())), (Decimal::ZERO, Decimal::ZERO), "{state}");
    }
}

#[test]
fn flatten_wants_the_code() {
    let mut desk = Desk::new().with_lot(&btc());
    let confirmation = match desk.confirmed() {
        Confirmation::Given { epoch, shown_at, .. } => Confirmation::Given { epoch, shown_at, code: None },
        other => other,
    };
    let id = desk.order(Command::Flatten { symbol: None, all: false }, confirmation);
    assert!(!desk.replies[&id].is_done());
    assert!(desk.held(&btc()) > Decimal::ZERO);
}

#[test]
fn flatten_leaves_holdings_unless_all_is_said() {
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("0.1"));
    let mut desk = Desk::with(config).with_lot(&btc());
    desk.say("flatten");
    assert_eq!(desk.core.durable().account.balance(btc().base()), dec("0.1"));
    desk.say("flatten --all");
    assert_eq!(desk.core.durable().account.balance(btc().base()), Decimal::ZERO);
    assert!(desk.core.durable().closings.is_empty());
}

#[test]
fn flatten_all_sells_what_the_sale_of_another_pair_brings_in() {
    let pair = Symbol::new("XRP/BTC").unwrap();
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("0.2"));
    let mut desk = Desk::with(config).with_lot(&btc()).with_lot(&pair);
    desk.propose(&[(xrp(), Side::Buy, "1200")]);
    let done = format!("{:?}", desk.say("flatten --all"));
    assert!(done.contains("XRP/BTC") && done.contains("cancel_plan all"), "{done}");
    desk.pass(secs(180));
    let account = &desk.core.durable().account;
    for asset in [btc().base(), xrp().base()] {
        assert!(account.balance(asset) < dec("0.00000001"), "less than can be sold: {asset} {account:?}");
    }
    assert!(desk.core.durable().closings.is_empty());
}

#[test]
fn flatten_names_the_entries_that_may_open_a_position_again() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.venue.mode = Mode::Rest;
    desk.signal(&xrp(), Action::Buy);
    desk.venue.mode = Mode::Fill;
    desk.say("pause");
    let entry = desk.venue.submitted.last().unwrap();
    let named = format!(
        "still at the venue, and may buy: XRP/USDT {}: a halt cancels them",
        super::super::routing::order_text(entry)
    );
    let preview = desk.core.preview(&Command::parse("flatten").unwrap(), desk.now);
    assert!(format!("{preview:?}").contains(&named), "{preview:?}");
    let done = desk.say("flatten");
    assert!(done.is_done() && format!("{done:?}").contains(&named), "{done:?}");
}

#[test]
fn flatten_all_is_not_done_while_an_entry_of_another_pair_may_spend_a_part() {
    let pair = Symbol::new("XRP/BTC").unwrap();
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("0.2"));
    let mut desk = Desk::with(config);
    desk.venue.mode = Mode::Rest;
    let entry = desk.signal(&pair, Action::Buy).orders[0];
    desk.venue.mode = Mode::Fill;

    assert!(desk.say("flatten --all").is_done());

    let left = |desk: &Desk| desk.core.durable().account.balance(btc().base());
    assert!(left(&desk) > Decimal::ZERO && left(&desk) < dec("0.2"), "{}", left(&desk));
    assert!(desk.core.durable().closings.contains_key(&btc()), "the entry may end without a fill");
    let over = desk.venue.expire(entry);
    desk.venue_says(over);
    assert_eq!(left(&desk), Decimal::ZERO);
    assert!(desk.core.durable().closings.is_empty());
}

#[test]
fn flatten_all_sells_a_holding_that_has_no_pair_with_the_currency_through_another() {
    let pair = Symbol::new("XRP/BTC").unwrap();
    let mut config = Config::defaults().unwrap();
    config.orchestration.symbols = vec![btc(), pair.clone()];
    config.execution.account.start.insert(pair.base().clone(), dec("1000"));
    let mut desk = Desk::with(config);

    let done = format!("{:?}", desk.say("flatten --all"));

    assert!(done.contains("1000 XRP/BTC") && done.contains("BTC/USDT"), "{done}");
    desk.pass(secs(180));
    let account = &desk.core.durable().account;
    for asset in [btc().base(), pair.base()] {
        assert!(account.balance(asset) < dec("0.00000001"), "less than can be sold: {asset} {account:?}");
    }
}

#[test]
fn a_flatten_waits_for_the_order_that_holds_the_lots_and_then_sells_them() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.venue.mode = Mode::Rest;
    let exit = desk.signal(&btc(), Action::Close).orders[0];
    let flatten = desk.say("flatten");
    assert!(desk.held(&btc()) > Decimal::ZERO, "{flatten:?}");
    assert!(desk.core.durable().closings.contains_key(&btc()), "nothing is sold yet");

    desk.venue.mode = Mode::Fill;
    desk.venue_says(VenueEvent::Cancelled { client_id: exit, expired: false });
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
    assert!(desk.core.durable().closings.is_empty());
}

#[test]
fn flatten_of_one_symbol_leaves_the_others() {
    let mut desk = Desk::new().with_lot(&btc()).with_lot(&xrp());
    desk.say("flatten XRP/USDT");
    assert_eq!(desk.held(&xrp()), Decimal::ZERO);
    assert!(desk.held(&btc()) > Decimal::ZERO);
    assert!(!desk.say("flatten DOGE/USDT").is_done());
}

#[test]
fn a_closing_is_tried_again_after_a_refusal_and_reported_by_name() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.say("halt");
    desk.venue.mode = Mode::Reject;
    desk.say("flatten");
    assert_eq!(desk.submits().len(), 1, "not again at the same instant");
    desk.pass(secs(90));
    assert_eq!(desk.alarm(&not_done(&btc())), AlarmState::Unacknowledged);
    let tries: Vec<_> = desk.venue.submitted.iter().filter(|order| order.side == Side::Sell).collect();
    assert!((3..=5).contains(&tries.len()), "{} tries", tries.len());
    let failures = u32::try_from(tries.len()).unwrap();
    assert_eq!(desk.core.durable().closings[&btc()].failures, failures);
    let names: std::collections::BTreeSet<_> = tries.iter().map(|order| order.client_id).collect();
    assert_eq!(names.len(), tries.len(), "each try has its own name");
    desk.venue.mode = Mode::Fill;
    desk.pass(secs(60));
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
    assert_eq!(desk.alarm(&not_done(&btc())), AlarmState::LatchedUnacknowledged);
}

#[test]
fn an_order_to_sell_more_takes_nothing_back_from_the_one_that_stands() {
    let mut desk = Desk::new().with_lot(&btc());
    let held = desk.held(&btc());
    desk.venue.mode = Mode::Rest;
    desk.inside(|core, cx| {
        core.begin_closing(cx, operator(), btc(), held / dec("4"), true, true, SafeText::ours("flatten"));
    });
    desk.tell(Input::Tick);
    let standing = desk.core.durable().closings[&btc()].clone();
    desk.inside(|core, cx| {
        let why = SafeText::ours("a breach");
        core.begin_closing(cx, Actor::Breaker, btc(), held / dec("2"), false, false, why);
    });
    let joined = desk.core.durable().closings[&btc()].clone();
    assert_eq!((joined.remaining, joined.holdings, joined.flatten), (held / dec("2"), true, true));
    assert_eq!(joined.number, standing.number, "what the try under way sells is counted");
}

#[test]
fn two_reductions_sell_the_larger_share_and_not_both() {
    let mut desk = Desk::new().with_lot(&btc());
    let held = desk.held(&btc());
    let reduce = |desk: &mut Desk, share: &str| {
        let quantity = held * dec(share);
        desk.inside(|core, cx| {
            let why = SafeText::ours("a breach");
            core.begin_closing(cx, Actor::Breaker, btc(), quantity, false, false, why);
        });
    };
    desk.venue.mode = Mode::Rest;
    reduce(&mut desk, "0.3");
    let first = desk.venue.submitted.last().unwrap().clone();
    assert_eq!(first.quantity, held * dec("0.3"));
    reduce(&mut desk, "0.5");
    let told = desk.venue.fill(desk.now, first.client_id, first.quantity, dec("40000")).unwrap();
    desk.venue.mode = Mode::Fill;
    desk.venue_says(told);
    assert_eq!(desk.held(&btc()), held * dec("0.5"));
    assert!(desk.core.durable().closings.is_empty());
}

#[test]
fn a_try_that_sells_a_part_ends_the_row_of_failures() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.venue.mode = Mode::Reject;
    desk.say("flatten");
    let failures = |desk: &Desk| desk.core.durable().closings[&btc()].failures;
    assert_eq!(failures(&desk), 1);
    desk.venue.mode = Mode::FillHalf;
    desk.pass(secs(60));
    let id = desk.venue.submitted.last().unwrap().client_id;
    desk.venue.mode = Mode::Reject;
    let ended = desk.venue.expire(id);
    desk.venue_says(ended);
    assert_eq!(failures(&desk), 1, "the one after the part that was sold");
}

#[test]
fn the_resume_dialog_names_a_closing_that_is_not_done() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.say("pause lunch");
    desk.venue.mode = Mode::Reject;
    desk.say("flatten --all");
    let listed = desk.snapshot().control.resume.clone().unwrap().next_hour;
    let held = desk.held(&btc()).normalize();
    let line = format!("flatten BTC/USDT: {held} still to sell, and what is bought meanwhile");
    assert!(listed.contains(&line), "{listed:?}");
}

#[test]
fn the_next_try_waits_until_the_last_one_has_ended() {
    let mut desk = Desk::new().with_lot(&btc());
    let held = desk.held(&btc());
    desk.venue.mode = Mode::FillHalf;
    desk.say("flatten");
    desk.pass(secs(300));
    let sells = |desk: &Desk| desk.venue.submitted.iter().filter(|order| order.side == Side::Sell).count();
    assert_eq!(sells(&desk), 1);
    let id = desk.venue.submitted.last().unwrap().client_id;
    desk.venue.mode = Mode::Fill;
    let ended = desk.venue.expire(id);
    desk.venue_says(ended);
    assert_eq!(sells(&desk), 2);
    assert_eq!(desk.venue.submitted.last().unwrap().quantity, held / dec("2"));
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
}

#[test]
fn a_smaller_order_to_sell_does_not_take_the_place_of_a_larger_one() {
    let mut desk = Desk::new().with_lot(&btc());
    let held = desk.held(&btc());
    desk.venue.mode = Mode::Reject;
    desk.say("flatten");
    let half = held / dec("2");
    desk.inside(|core, cx| {
        core.begin_closing(cx, Actor::Breaker, btc(), half, false, false, SafeText::ours("a breach"));
    });
    assert_eq!(desk.core.durable().closings[&btc()].remaining, held);
    desk.venue.mode = Mode::Fill;
    desk.pass(secs(60));
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
}

#[test]
fn a_closing_without_an_answer_is_asked_for_not_sent_twice() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.venue.mode = Mode::LoseAnswer;
    desk.say("flatten");
    desk.pass(secs(120));
    let sells = desk.venue.submitted.iter().filter(|order| order.side == Side::Sell).count();
    assert_eq!((sells, desk.held(&btc())), (1, Decimal::ZERO));
}

#[test]
fn a_closing_goes_on_after_a_restart_also_when_halted() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.say("halt");
    desk.venue.mode = Mode::Reject;
    desk.say("flatten");
    desk.restart(false, |_| {});
    assert_eq!(desk.state(), TradingState::Halted);
    assert_eq!(desk.core.durable().closings.len(), 1);
    assert_eq!(desk.alarm(&not_done(&btc())), AlarmState::Normal, "the first price has not come yet");
    desk.venue.mode = Mode::Fill;
    desk.candles();
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
    assert!(desk.core.durable().closings.is_empty());
}

#[test]
fn a_closing_without_a_price_waits_and_says_so() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.feed = false;
    desk.pass(secs(300));
    desk.say("flatten");
    assert!(desk.submits().is_empty());
    assert_eq!(desk.alarm(&not_done(&btc())), AlarmState::Unacknowledged);
    desk.candles();
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
}

#[test]
fn a_closing_and_an_agent_never_sell_the_same_lot() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.venue.mode = Mode::Rest;
    assert_eq!(desk.signal(&btc(), Action::Close).outcome, None);
    desk.say("flatten");
    let flattens =
        desk.venue.submitted.iter().filter(|order| matches!(order.purpose, Purpose::Flatten { .. }));
    assert_eq!(flattens.count(), 0, "all of it is being sold already");
}

#[test]
fn a_leg_does_not_sell_what_a_closing_is_selling() {
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("0.2"));
    let mut desk = Desk::with(config);
    desk.venue.mode = Mode::Rest;
    desk.say("flatten --all");
    desk.propose(&[(btc(), Side::Sell, "1500")]);
    let legs = desk.venue.submitted.iter().filter(|order| matches!(order.purpose, Purpose::Leg { .. }));
    assert_eq!(legs.count(), 0);
}
