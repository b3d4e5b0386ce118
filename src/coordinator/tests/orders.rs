//! What the venue says of orders.

use super::super::input::Input;
use super::*;
use crate::domain::{Decision, ExecutionEvent, Fill, OrderStatus, Payload, TradingState, VenueReject};

#[test]
fn a_refused_entry_ends_its_decision() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Reject;
    let decision = desk.signal(&btc(), Action::Buy);
    assert_eq!(
        (decision.outcome, decision.reasons),
        (Some(Outcome::Refused), vec![ReasonCode::VenueRefused])
    );
}

#[test]
fn a_refused_trade_is_seen_on_the_bus_in_the_list_and_in_the_counts_of_the_day() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Reject;
    let by_venue = desk.signal(&btc(), Action::Buy);
    let ended = desk.effects.iter().find_map(|effect| match effect {
        Effect::Publish(message) => match &message.payload {
            Payload::Execution(ExecutionEvent::Ended { client_id, detail, .. }) => Some((*client_id, detail)),
            _ => None,
        },
        _ => None,
    });
    let (order, detail) = ended.unwrap();
    assert_eq!(order, by_venue.orders[0]);
    assert!(!detail.as_str().is_empty());
    desk.tell(Input::StoreLag { waiting: 0, oldest: secs(60) });
    let by_block = desk.signal(&xrp(), Action::Buy);
    let shown = desk.snapshot().decisions;
    let listed = |decision: &Decision| shown.recent.iter().find(|it| it.id == decision.id).unwrap().outcome;
    assert_eq!((listed(&by_venue), listed(&by_block)), (Some(Outcome::Refused), by_block.outcome));
    let count = |outcome| shown.today.iter().find(|(it, _)| *it == outcome).map(|(_, count)| *count);
    assert_eq!(count(Outcome::Refused), Some(1));
    assert_eq!(count(by_block.outcome.unwrap()), Some(1));
}

#[test]
fn the_gate_refuses_what_was_approved_before_it_was_shut() {
    let mut desk = Desk::new();
    desk.gate.shut(TradingState::Paused);
    let decision = desk.signal(&btc(), Action::Buy);
    assert_eq!((decision.outcome, decision.reasons), (Some(Outcome::Refused), vec![ReasonCode::GateShut]));
    assert!(desk.venue.submitted.is_empty());
}

#[test]
fn an_entry_that_runs_out_is_unfilled_and_half_filled_is_filled() {
    for (mode, outcome) in [(Mode::Rest, Outcome::Unfilled), (Mode::FillHalf, Outcome::Filled)] {
        let mut desk = Desk::new();
        desk.venue.mode = mode;
        let decision = desk.signal(&btc(), Action::Buy);
        assert_eq!(decision.outcome, None);
        let cancelled = desk.venue.expire(decision.orders[0]);
        desk.venue_says(cancelled.clone());
        desk.venue_says(cancelled);
        assert_eq!(desk.decision(&decision).outcome, Some(outcome));
    }
}

#[test]
fn an_order_that_works_on_after_a_part_fill_shows_how_much_and_ends_saying_so() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::FillHalf;
    let decision = desk.signal(&btc(), Action::Buy);
    let wanted = desk.venue.submitted[0].quantity;
    let half = wanted / dec("2");
    let of = format!("{} of {}", half.normalize(), wanted.normalize());
    assert_eq!(desk.snapshot().portfolio.orders[0].status, format!("part filled {of}"));
    assert_eq!(desk.held(&btc()), half);

    let ended = desk.venue.expire(decision.orders[0]);
    desk.venue_says(ended);

    let decision = desk.decision(&decision);
    assert_eq!((decision.filled, decision.outcome), (half, Some(Outcome::Filled)));
    assert_eq!(decision.detail, format!("expired after {of}"));
    assert_eq!(desk.status(decision.orders[0]), OrderStatus::Cancelled);
}

#[test]
fn a_halt_takes_entries_back_and_a_pause_does_not() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Rest;
    let decision = desk.signal(&btc(), Action::Buy);
    desk.say("pause");
    assert_eq!(desk.status(decision.orders[0]), OrderStatus::Accepted);
    desk.say("halt");
    assert_eq!(desk.status(decision.orders[0]), OrderStatus::Cancelled);
    assert_eq!(desk.decision(&decision).outcome, Some(Outcome::Unfilled));
}

#[test]
fn an_entry_left_after_ten_seconds_of_cancelling_is_an_emergency_by_name() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Rest;
    desk.venue.stubborn = true;
    let decision = desk.signal(&btc(), Action::Buy);
    let id = decision.orders[0];
    let key = AlarmKey::about(AlarmSource::OrderLeftAfterCancelAll, Subject::Order(id));
    desk.say("halt");
    desk.pass(secs(9));
    assert!(desk.venue.cancel_alls > 5, "asked again and again");
    assert_eq!(desk.alarm(&key), AlarmState::Normal);
    desk.pass(secs(1));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    let gone = desk.venue.expire(id);
    desk.venue_says(gone);
    assert_eq!(desk.alarm(&key), AlarmState::LatchedUnacknowledged);
}

#[test]
fn a_fill_that_comes_while_halted_is_booked_and_protected() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Rest;
    desk.venue.stubborn = true;
    let decision = desk.signal(&btc(), Action::Buy);
    desk.say("halt");
    let order = desk.venue.submitted[0].clone();
    let fill = desk.venue.fill(desk.now, order.client_id, order.quantity, dec("40000")).unwrap();
    desk.venue_says(fill.clone());
    desk.venue_says(fill);
    assert_eq!(desk.held(&btc()), order.quantity, "booked once");
    assert_eq!(desk.decision(&decision).outcome, Some(Outcome::Filled));
    assert_eq!(desk.snapshot().control.stops, 1);
}

#[test]
fn an_order_without_an_answer_becomes_unknown_and_is_asked_for_not_sent_again() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::LoseAnswer;
    let decision = desk.signal(&btc(), Action::Buy);
    let id = decision.orders[0];
    assert_eq!(desk.status(id), OrderStatus::Intent);
    desk.pass(desk.config.execution.execution.answer_within + secs(1));
    assert_eq!(desk.decision(&decision).outcome, Some(Outcome::Filled), "the question found it");
    assert_eq!(desk.venue.submitted.len(), 1);
    let key = AlarmKey::about(AlarmSource::OrderUnknown, Subject::Order(id));
    assert_eq!(desk.alarm(&key), AlarmState::LatchedUnacknowledged);
}

#[test]
fn a_venue_out_of_reach_is_asked_again_but_not_in_a_loop() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Unreachable;
    let decision = desk.signal(&btc(), Action::Buy);
    assert_eq!(desk.status(decision.orders[0]), OrderStatus::Unknown);
    desk.pass(secs(600));
    assert!((5..=15).contains(&desk.venue.queries), "{} questions", desk.venue.queries);
    desk.venue.mode = Mode::Fill;
    desk.pass(secs(61));
    assert_eq!(desk.decision(&decision).outcome, Some(Outcome::Refused), "surely absent");
    assert_eq!(desk.venue.submitted.len(), 1);
}

#[test]
fn a_name_that_the_venue_knows_for_another_order_is_a_question_not_a_no() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Deaf;
    let decision = desk.signal(&btc(), Action::Buy);
    let client_id = decision.orders[0];
    desk.venue_says(VenueEvent::Rejected { client_id, reason: VenueReject::ClientIdReused });
    assert!(desk.venue.queries > 0);
}

#[test]
fn three_execution_errors_begin_a_cooldown_and_repeated_words_do_not_count() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Reject;
    let decision = desk.signal(&btc(), Action::Buy);
    let client_id = decision.orders[0];
    for _ in 0..5 {
        let reason = VenueReject::InvalidOrder;
        desk.venue_says(VenueEvent::Rejected { client_id, reason });
    }
    assert_eq!(desk.core.durable().streak.execution_errors(), 1);
    for _ in 0..2 {
        desk.pass(secs(61));
        desk.signal(&btc(), Action::Buy);
    }
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::ExecutionErrors)), AlarmState::Unacknowledged);
    assert_eq!(desk.signal(&btc(), Action::Buy).reasons, [ReasonCode::InCooldown]);
}

#[test]
fn an_execution_of_an_order_that_is_not_ours_is_an_emergency_and_is_not_booked() {
    let mut desk = Desk::new().with_lot(&btc());
    let entry = desk.venue.submitted[0].clone();
    let mut foreign = desk.venue.stop(desk.now, &entry, entry.quantity);
    let VenueEvent::Filled { fill, .. } = &mut foreign else { panic!("no fill") };
    fill.client_id = crate::domain::ClientOrderId::derive(
        crate::domain::InstallId::derived("somebody else"),
        "decision/1/entry",
    );
    let mut another = fill.clone();
    another.trade_id = another.trade_id.next();
    let trades = [fill.trade_id, another.trade_id];
    desk.venue_says(foreign);
    desk.acknowledge();
    desk.venue_says(VenueEvent::Filled { fill: another, done: true });
    assert_eq!(desk.held(&btc()), entry.quantity);
    let state = |trade| {
        let about = Subject::Component(format!("trade {trade}"));
        desk.alarm(&AlarmKey::about(AlarmSource::StoreFault, about))
    };
    let expected = [AlarmState::Acknowledged, AlarmState::Unacknowledged];
    assert_eq!(trades.map(state), expected, "each for itself");
}

#[test]
fn losses_are_counted_when_the_stop_fires() {
    let mut desk = Desk::new().with_lot(&btc());
    let entry = desk.venue.submitted[0].clone();
    let stop = desk.venue.stop(desk.now, &entry, entry.quantity);
    desk.venue_says(stop);
    assert_eq!(desk.core.durable().streak.losses(), 1);
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
    let decision = desk.core.durable().decisions[0].clone();
    assert_eq!(decision.outcome, Some(Outcome::Filled), "the entry's outcome stays");
}

#[test]
fn a_slow_store_blocks_entries_and_leaves_exits() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.tell(Input::StoreLag { waiting: 100_000, oldest: secs(0) });
    assert_eq!(desk.signal(&xrp(), Action::Buy).reasons, [ReasonCode::StoreSlow]);
    assert_eq!(desk.signal(&btc(), Action::Close).outcome, Some(Outcome::Filled));
    desk.tell(Input::StoreLag { waiting: 0, oldest: secs(0) });
    assert_eq!(desk.core.entries(&xrp(), desk.now), []);
}

#[test]
fn a_journal_that_cannot_be_written_halts() {
    let mut desk = Desk::new();
    desk.tell(Input::StoreFailed { error: SafeText::ours("no space left") });
    assert_eq!(desk.state(), TradingState::Halted);
    desk.acknowledge();
    assert!(!desk.say("release hope").is_done());
}

#[test]
fn one_trade_number_for_two_executions_halts_and_books_nothing() {
    let mut desk = Desk::new();
    let first = desk.signal(&btc(), Action::Buy).orders[0];
    desk.venue.mode = Mode::Rest;
    let second = desk.signal(&xrp(), Action::Buy).orders[0];
    let order = desk.venue.submitted.last().unwrap().clone();
    let told = desk.venue.fill(desk.now, second, order.quantity, dec("0.5"));
    let Some(VenueEvent::Filled { fill, done }) = told else { panic!("{told:?}") };
    let taken = desk.core.durable().account.trades().last();
    let balances = desk.core.durable().account.balances().clone();

    desk.venue_says(VenueEvent::Filled { fill: Fill { trade_id: taken, ..fill }, done });

    assert_ne!(first, second);
    assert_eq!(*desk.core.durable().account.balances(), balances);
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Halted, TradingState::Halted));
    let key = AlarmKey::about(AlarmSource::VenueContradicts, Subject::Order(second));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
}

#[test]
fn a_position_whose_order_the_venue_does_not_know_any_more_halts() {
    let mut desk = Desk::new().with_lot(&btc());
    let client_id = desk.venue.submitted[0].client_id;
    desk.venue_says(VenueEvent::Absent { client_id });
    assert_eq!(desk.state(), TradingState::Halted);
    let key = AlarmKey::about(AlarmSource::VenueContradicts, Subject::Order(client_id));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    assert_eq!(desk.status(client_id), OrderStatus::Filled, "what was booked was executed");
}

#[test]
fn an_entry_that_the_venue_turns_out_to_have_with_another_stop_halts() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Rest;
    let client_id = desk.signal(&btc(), Action::Buy).orders[0];
    desk.venue_says(VenueEvent::NoAnswer { client_id, detail: "no route".into() });
    assert_eq!((desk.status(client_id), desk.state()), (OrderStatus::Accepted, TradingState::Running));

    desk.venue.change(client_id, |order| order.protection = None);
    desk.venue_says(VenueEvent::NoAnswer { client_id, detail: "no route".into() });

    assert_eq!(desk.state(), TradingState::Halted);
    let said = desk.core.durable().control.reason.to_string();
    assert!(said.contains("has it with another stop or target"), "{said}");
}

#[test]
fn an_order_executed_in_part_that_the_venue_does_not_know_any_more_was_not_refused() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::FillHalf;
    let decision = desk.signal(&btc(), Action::Buy);
    let (client_id, held) = (decision.orders[0], desk.held(&btc()));
    assert!(held > Decimal::ZERO);
    desk.venue.mode = Mode::Unreachable;
    desk.venue_says(VenueEvent::NoAnswer { client_id, detail: "no route".into() });
    assert_eq!(desk.status(client_id), OrderStatus::Unknown);

    desk.venue_says(VenueEvent::Absent { client_id });

    assert_eq!((desk.status(client_id), desk.held(&btc())), (OrderStatus::Cancelled, held));
    assert_eq!(desk.decision(&decision).outcome, Some(Outcome::Filled));
    assert_eq!(desk.state(), TradingState::Halted);
}
