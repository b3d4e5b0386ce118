//! A journal that cannot be written, the way back, and what went out in between.

use super::*;
use crate::coordinator::input::OldRecords;
use crate::coordinator::record::RecordKind;
use crate::coordinator::snapshot::HealthStatus;
use crate::domain::{Order, OrderStatus};

fn failed(desk: &mut Desk) {
    desk.tell(Input::StoreFailed { error: SafeText::ours("no space left") });
}

fn fills(desk: &Desk) -> Vec<u64> {
    let trade = |record: &Record| match &record.kind {
        RecordKind::Fill { posting, .. } => Some(posting.fill.trade_id.0),
        _ => None,
    };
    desk.records.iter().filter_map(trade).collect()
}

/// A flatten went out whose records are lost: the order, as the venue has it.
fn flattened_without_a_record(desk: &mut Desk) -> Order {
    let durable = desk.records.len();
    assert!(desk.say("flatten").is_done());
    let order = desk.venue.submitted.last().unwrap().clone();
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
    desk.forget_records_from(durable);
    order
}

#[test]
fn a_reopened_store_goes_on_with_the_whole_state_and_can_be_released() {
    let mut desk = Desk::new();
    failed(&mut desk);
    assert!(desk.snapshot().control.not_durable);
    assert!(!desk.say_unconfirmed("reopen_store").is_done(), "it loosens");
    desk.acknowledge();
    assert!(!desk.say("release too early").is_done());

    assert!(desk.say("reopen_store").is_done());

    assert!(!desk.snapshot().control.not_durable);
    let state = desk.place(|it| matches!(it, Effect::Record(r) if matches!(r.kind, RecordKind::State(_))));
    assert!(state < desk.place(|it| matches!(it, Effect::PutNotesAway)));
    assert_eq!(desk.state(), TradingState::Halted, "it never loosens by itself");
    let released = desk.say("release space is back");
    assert!(released.is_done(), "{released:?}");
}

#[test]
fn measurements_that_do_not_end_are_told_and_none_of_them_is_called_good() {
    let mut desk = Desk::new();
    let rows = |desk: &mut Desk| {
        desk.pass(secs(60));
        let snapshot = desk.snapshot();
        let row = |what: &str| snapshot.health.iter().find(|row| row.what == what).unwrap().clone();
        [row("store"), row("disk"), row("clock"), row("mailboxes")]
    };
    desk.probe(|_| {});
    assert!(rows(&mut desk).iter().all(|row| row.status == HealthStatus::Ok));

    desk.tell(Input::ProbeHangs);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::StoreFault)), AlarmState::Unacknowledged, "at once");
    let [store, others @ ..] = rows(&mut desk);
    assert_eq!(
        (store.status, store.detail.as_str()),
        (HealthStatus::Failed, "the last test write does not end")
    );
    for row in others {
        assert_eq!((row.status, row.detail.as_str()), (HealthStatus::Warn, "not measured"), "{}", row.what);
    }
    desk.probe(|_| {});
    assert!(rows(&mut desk).iter().all(|row| row.status == HealthStatus::Ok));
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::StoreFault)), AlarmState::LatchedUnacknowledged);
}

#[test]
fn a_store_that_cannot_be_reopened_stays_failed_and_says_why() {
    let mut desk = Desk::new();
    assert!(!desk.say("reopen_store").is_done(), "there is nothing to reopen");
    failed(&mut desk);
    desk.reopens = Err(SafeText::ours("fill the reserve: no space left"));
    let CommandOutcome::Refused { why } = desk.say("reopen_store") else { panic!("reopened") };
    assert!(why.as_str().contains("fill the reserve"), "{why}");
    assert!(desk.snapshot().control.not_durable);
    desk.acknowledge();
    assert!(!desk.say("release hope").is_done());
}

#[test]
fn a_journal_in_its_reserve_halts_but_is_durable() {
    let mut desk = Desk::new();
    desk.tell(Input::StoreOnReserve { error: SafeText::ours("no space left") });
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Halted, TradingState::Halted));
    assert!(!desk.snapshot().control.not_durable);
    let entries = desk.core.entries(&btc(), desk.now);
    assert!(entries.iter().any(|block| block.code == ReasonCode::StoreSlow), "not by the halt alone");
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::JournalFault)), AlarmState::Unacknowledged);
    desk.acknowledge();
    assert!(!desk.say("release no space yet").is_done());
}

#[test]
fn an_order_noted_beside_the_latch_is_adopted_with_its_fills_once() {
    let mut desk = Desk::new().with_lot(&btc());
    let order = flattened_without_a_record(&mut desk);

    desk.restart(false, |started| started.noted = vec![order.clone()]);

    assert_eq!(desk.held(&btc()), Decimal::ZERO);
    assert_eq!(desk.status(order.client_id), OrderStatus::Filled);
    assert_eq!(fills(&desk), [1, 2], "each once");
    assert_eq!(desk.venue.submitted.len(), 2, "nothing is sent again");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::PutNotesAway)));
}

#[test]
fn an_order_that_only_the_venue_knows_is_adopted_and_its_name_is_not_used_again() {
    let mut desk = Desk::new().with_lot(&btc());
    let order = flattened_without_a_record(&mut desk);

    desk.restart(false, |_| {});

    assert_eq!(desk.held(&btc()), Decimal::ZERO);
    assert_eq!(fills(&desk), [1, 2], "each once");
    desk.acknowledge();
    desk.candles();
    assert!(desk.say("resume").is_done());
    desk.pass(secs(120));
    desk = desk.with_lot(&btc());
    assert!(desk.say("flatten").is_done());
    assert_eq!(desk.held(&btc()), Decimal::ZERO, "under a name of its own");
    assert_ne!(desk.venue.submitted.last().unwrap().client_id, order.client_id);
}

#[test]
fn a_noted_order_that_never_reached_the_venue_sold_nothing() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.venue.mode = Mode::Deaf;
    let durable = desk.records.len();
    desk.say("flatten");
    let order = desk.venue.submitted.last().unwrap().clone();
    desk.forget_records_from(durable);
    let held = desk.held(&btc());

    desk.restart(false, |started| started.noted = vec![order.clone()]);

    assert_eq!(desk.status(order.client_id), OrderStatus::Rejected, "surely absent");
    assert_eq!(desk.held(&btc()), held);
}

#[test]
fn an_entry_that_nobody_recorded_is_an_emergency_and_not_adopted() {
    let mut desk = Desk::new();
    let durable = desk.records.len();
    let entry = desk.signal(&btc(), Action::Buy).orders[0];
    desk.forget_records_from(durable);

    desk.restart(false, |_| {});

    let key = AlarmKey::about(AlarmSource::StoreFault, Subject::Order(entry));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    assert_eq!(desk.held(&btc()), Decimal::ZERO);
}

#[test]
fn notes_that_cannot_be_read_are_an_emergency_and_stay() {
    let mut desk = Desk::new();
    desk.restart(false, |started| started.notes_fault = Some(SafeText::ours("2 lines cannot be read")));
    let key = AlarmKey::about(AlarmSource::StoreFault, Subject::Component("halt.orders".to_owned()));
    assert_eq!(desk.alarm(&key), AlarmState::LatchedUnacknowledged);
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::PutNotesAway)));
}

#[test]
fn a_new_segment_after_damage_begins_with_the_state() {
    let mut desk = Desk::new();
    let before = desk.records.len();
    desk.restart(true, |started| started.begins_segment = true);
    let first =
        desk.records[before..].iter().find(|it| it.run == 2 || matches!(it.kind, RecordKind::State(_)));
    assert!(matches!(first.unwrap().kind, RecordKind::State(_)), "{first:?}");
}

#[test]
fn a_journal_that_was_changed_under_the_run_halts_and_fails_its_row() {
    let mut desk = Desk::new();
    desk.probe(|probe| probe.journal = Err(SafeText::ours("record 7 is not what was written")));
    assert_eq!(desk.state(), TradingState::Halted);
    desk.pass(secs(120));
    let rows = std::sync::Arc::clone(&desk.snapshot().health);
    let row = rows.iter().find(|row| row.what.as_str() == "journal").unwrap();
    assert!(row.detail.as_str().contains("record 7"), "{row:?}");
    desk.acknowledge();
    assert!(!desk.say("release hope").is_done());
    assert_eq!(desk.core.durable().control.halt_reasons.len(), 1, "halted once, not at every look");
}

const FIRST_BAD: &str = "first bad record #7: the record does not match its hash";

/// What a release would be told of the records that the start did not read.
fn note_on_old_records(desk: &mut Desk) -> Option<String> {
    let control = std::sync::Arc::clone(&desk.snapshot().control);
    let checks = &control.release.as_ref().expect("it is HALTED").checks;
    let check = checks.iter().find(|check| check.what == "older records verified").unwrap();
    assert!(check.advisory);
    check.problem.clone()
}

#[test]
fn a_release_is_told_of_old_records_that_are_not_verified_and_need_not_wait() {
    let mut desk = Desk::new();
    desk.restart(true, |started| started.old_records = OldRecords::BeingVerified);
    desk.candles();
    desk.say("halt");
    assert_eq!(note_on_old_records(&mut desk).as_deref(), Some("still being read"));
    let preview = desk.say_unconfirmed("release looked at");
    let CommandOutcome::Preview { would, .. } = &preview else { panic!("{preview:?}") };
    assert!(would.as_str().contains("note: older records verified: still being read"), "{would}");

    desk.tell(Input::OldRecordsVerified { result: Ok(()) });
    assert_eq!(note_on_old_records(&mut desk), None);
    assert_eq!(desk.core.durable().control.halt_reasons.len(), 1, "nothing wrong, nothing said");
    assert!(desk.say("release looked at").is_done());
}

#[test]
fn damaged_old_records_halt_by_name_and_can_be_released_until_the_next_start() {
    let mut desk = Desk::new();
    desk.restart(true, |started| {
        started.keep_running = true;
        started.old_records = OldRecords::BeingVerified;
    });
    assert_eq!(desk.state(), TradingState::Running);

    desk.tell(Input::OldRecordsVerified { result: Err(SafeText::ours(FIRST_BAD)) });

    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Halted, TradingState::Halted));
    assert!(desk.latch.is_some());
    assert!(desk.core.durable().control.halt_reasons[0].reason.as_str().contains("#7"));
    let key = AlarmKey::about(AlarmSource::JournalFault, Subject::Component("old records".to_owned()));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    assert_eq!(note_on_old_records(&mut desk).as_deref(), Some(FIRST_BAD));
    desk.pass(secs(120));
    let rows = std::sync::Arc::clone(&desk.snapshot().health);
    let row = rows.iter().find(|row| row.what.as_str() == "journal").unwrap();
    assert!(row.detail.as_str().contains("#7"), "{row:?}");

    desk.acknowledge();
    desk.candles();
    assert!(desk.say("release the copy of last night has it").is_done());
    desk.restart(true, |started| started.old_records = OldRecords::BeingVerified);
    assert_eq!(desk.state(), TradingState::Paused);
    desk.tell(Input::OldRecordsVerified { result: Err(SafeText::ours(FIRST_BAD)) });
    assert_eq!(desk.state(), TradingState::Halted);
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged, "a new occurrence");
}

#[test]
fn a_checkpoint_that_is_not_written_is_told_and_holds_nothing_up() {
    let mut desk = Desk::new();
    let key = AlarmKey::about(AlarmSource::StoreFault, Subject::Component("checkpoint".to_owned()));
    desk.tell(Input::CheckpointWritten { result: Err(SafeText::ours("no space")) });
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    assert_eq!(desk.state(), TradingState::Running, "the journal has everything");
    desk.tell(Input::CheckpointWritten { result: Ok(()) });
    assert_eq!(desk.alarm(&key), AlarmState::LatchedUnacknowledged);
}
