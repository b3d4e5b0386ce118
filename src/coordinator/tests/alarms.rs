//! Alarms through the core, and what a snapshot shares.

use std::sync::Arc;

use super::super::input::Input;
use super::*;

#[test]
fn an_acknowledgement_names_the_occurrence_and_an_emergency_wants_a_comment() {
    let mut desk = Desk::new();
    desk.tell(Input::Panicked { what: SafeText::ours("webhook") });
    let id = desk.snapshot().alarms[0].id;
    let ack = |comment: &str| Command::AckAlarm { target: AlarmTarget::One(id), comment: comment.to_owned() };
    let id = desk.order(ack(""), super::super::input::Confirmation::None);
    assert!(!desk.replies[&id].is_done());
    let id = desk.order(ack("1"), super::super::input::Confirmation::None);
    assert!(desk.replies[&id].is_done());
    assert!(!desk.snapshot().alarms[0].unacknowledged);
}

#[test]
fn a_second_acknowledgement_is_told_who_was_first_and_when_and_changes_nothing() {
    let mut desk = Desk::new();
    desk.tell(Input::Panicked { what: SafeText::ours("webhook") });
    let alarm = desk.snapshot().alarms[0].id;
    let ack =
        |comment: &str| Command::AckAlarm { target: AlarmTarget::One(alarm), comment: comment.to_owned() };
    desk.order(ack("1"), super::super::input::Confirmation::None);
    let (first, at) = (desk.snapshot().alarms[0].acknowledged.clone().unwrap(), desk.now.market.clock());
    desk.pass(secs(90));
    let second = desk.order(ack("3"), super::super::input::Confirmation::None);
    let CommandOutcome::Done { detail } = &desk.replies[&second] else {
        panic!("{:?}", desk.replies[&second])
    };
    assert_eq!(detail.as_str(), format!("already by {} at {at}Z, 1:30 ago: investigating", first.0));
    assert_eq!(desk.snapshot().alarms[0].acknowledged, Some(first));
}

#[test]
fn emergencies_are_acknowledged_in_one_go_only_after_a_look_at_their_names() {
    let mut desk = Desk::new();
    desk.tell(Input::StoreLag { waiting: 0, oldest: secs(5) });
    assert!(desk.say_unconfirmed("ack_alarm all seen").is_done(), "no Emergency is among them");
    desk.tell(Input::Panicked { what: SafeText::ours("webhook") });
    desk.tell(Input::Panicked { what: SafeText::ours("probe") });
    let CommandOutcome::Preview { would, code: None } = desk.say_unconfirmed("ack_alarm all seen") else {
        panic!("acknowledged without a look");
    };
    let said = would.as_str();
    assert!(said.starts_with("acknowledges 2 Emergency in one go"), "{said}");
    assert!(said.contains("webhook") && said.contains("probe"), "{said}");
    assert_eq!(desk.core.durable().alarms.unacknowledged_emergencies().count(), 2);
    assert!(desk.say("ack_alarm all seen").is_done());
    assert_eq!(desk.core.durable().alarms.unacknowledged_emergencies().count(), 0);
}

#[test]
fn an_alarm_speaks_up_again_until_it_is_seen() {
    let mut desk = Desk::new();
    desk.tell(Input::StoreLag { waiting: 0, oldest: secs(5) });
    let records = desk.records.len();
    let spoken_after = |desk: &mut Desk, span| {
        desk.now = Now::both(desk.now.market.plus(secs(span)));
        desk.feed = false;
        desk.tell(Input::Tick);
        desk.effects.iter().any(|effect| match effect {
            effect::Effect::Publish(message) => {
                serde_json::to_string(&message.payload).unwrap().contains("store_slow not acknowledged yet")
            }
            _ => false,
        })
    };
    assert!(!spoken_after(&mut desk, 299));
    assert!(spoken_after(&mut desk, 2));
    let about_it = desk.records[records..].iter();
    let about_it =
        about_it.filter(|record| serde_json::to_string(&record.kind).unwrap().contains("store_slow"));
    assert_eq!(about_it.count(), 0, "saying it again is no change");
    desk.acknowledge();
    assert!(!spoken_after(&mut desk, 3_600));
}

#[test]
fn unacknowledged_alarms_are_spoken_of_again_after_a_restart() {
    let mut desk = Desk::new();
    desk.tell(Input::Panicked { what: SafeText::ours("webhook") });
    desk.restart(true, |_| {});
    let lines = desk.effects.iter().filter_map(|effect| match effect {
        effect::Effect::Record(record) => Some(serde_json::to_string(&record.kind).unwrap()),
        _ => None,
    });
    assert!(lines.into_iter().any(|line| line.contains("annunciated") && line.contains("task_panicked")));
}

#[test]
fn a_snapshot_shares_the_sections_that_nothing_has_touched() {
    let mut desk = Desk::new();
    let first = desk.core.snapshot(desk.now, None);
    desk.say("note all quiet");
    let second = desk.core.snapshot(desk.now, Some(&first));
    for shared in [
        Arc::ptr_eq(&first.plans, &second.plans),
        Arc::ptr_eq(&first.alarms, &second.alarms),
        Arc::ptr_eq(&first.decisions, &second.decisions),
        Arc::ptr_eq(&first.degradation, &second.degradation),
    ] {
        assert!(shared);
    }
    assert!(second.head > first.head);
    desk.tell(Input::StoreLag { waiting: 0, oldest: secs(5) });
    let third = desk.core.snapshot(desk.now, Some(&second));
    assert!(!Arc::ptr_eq(&second.alarms, &third.alarms));
    assert!(Arc::ptr_eq(&second.plans, &third.plans));
    assert!(third.revision > second.revision);
}

#[test]
fn what_a_snapshot_shows_ages_though_nothing_happens() {
    let mut desk = Desk::new();
    desk.signal(&btc(), Action::Buy);
    let first = desk.core.snapshot(desk.now, None);
    assert!(first.portfolio.equity.is_some() && !first.decisions.today.is_empty());
    let begun = desk.now;
    let mut at = |hours: u64| {
        let market = begun.market.plus(secs(hours * 3_600));
        desk.core.snapshot(Now { market, ..begun }, Some(&first))
    };
    let no_prices = at(2);
    assert_eq!(no_prices.portfolio.equity, None, "no candle has come for two hours");
    assert!(no_prices.schedule.iter().any(|row| row.late_cycles > 1), "nothing has run for two hours");
    assert!(!no_prices.decisions.today.is_empty());
    assert!(at(24).decisions.today.is_empty(), "today is another day");
}

#[test]
fn a_day_without_trouble_is_quiet() {
    let mut desk = Desk::new();
    desk.pass(secs(86_400));
    let raised = desk.records.iter().filter(|record| record.kind.name() == "alarm").count();
    assert_eq!(raised, 0);
    assert_eq!(desk.snapshot().degradation.effective, Level::Normal);
}

#[test]
fn a_segment_begins_with_the_whole_state() {
    let mut config = Config::defaults().unwrap();
    config.orchestration.store.segment_records = 40;
    let mut desk = Desk::with(config).with_lot(&btc());
    desk.propose(&[(btc(), Side::Buy, "3000")]);
    desk.pass(secs(5 * 3_600));
    let last = desk.records.iter().rposition(|record| record.kind.name() == "state").unwrap();
    assert!(last > 40 && desk.records.len() - last <= 41);
    let mut recovered = durable::Durable::fresh(desk.core.durable().install, &desk.config, desk.now);
    for record in &desk.records[last..] {
        recovered.apply(record);
    }
    assert_eq!(recovered, *desk.core.durable());
}
