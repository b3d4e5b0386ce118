//! Plans and their legs in the core.

use super::super::dca::{LegId, LegState};
use super::super::record::{Record, RecordKind};
use super::super::task::{RebalanceProposal, RebalanceTrade};
use super::*;
use crate::config::{Config, TaskName};
use crate::domain::{Order, OrderStatus, PlanId, Purpose, TradingState};
use crate::risk::BreakerName;

const FIRST: LegId = LegId { plan: PlanId(1), leg: 0 };

fn plan(desk: &mut Desk) {
    desk.propose(&[(btc(), Side::Buy, "3000")]);
}

fn leg_state(desk: &Desk, leg: u16) -> LegState {
    desk.core.durable().plans.leg(LegId { leg, ..FIRST }).unwrap().state
}

fn legs_sent(desk: &Desk) -> Vec<&Order> {
    let is_leg = |order: &&Order| matches!(order.purpose, Purpose::Leg { .. });
    desk.venue.submitted.iter().filter(is_leg).collect()
}

#[test]
fn a_plan_runs_its_first_leg_now_and_the_others_apart() {
    let mut desk = Desk::new();
    plan(&mut desk);
    assert_eq!((leg_state(&desk, 0), leg_state(&desk, 1)), (LegState::Filled, LegState::Scheduled));
    assert_eq!(legs_sent(&desk)[0].quantity, dec("0.0125"));
    desk.pass(secs(4 * 3_600 + 60));
    assert_eq!(leg_state(&desk, 1), LegState::Filled);
    desk.pass(secs(20 * 3_600));
    assert_eq!(legs_sent(&desk).len(), 6);
    assert!(desk.core.durable().plans.open().next().is_none());
    assert_eq!(desk.core.durable().account.balance(btc().base()), dec("0.075"));
}

#[test]
fn a_leg_goes_out_only_after_its_intent() {
    let mut desk = Desk::new();
    plan(&mut desk);
    let kinds: Vec<_> = desk.records.iter().map(|record| record.kind.name()).collect();
    let created = desk.records.iter().position(|record| record.kind.name() == "plan").unwrap();
    let intended = desk
        .records
        .iter()
        .position(|record| serde_json::to_string(&record.kind).unwrap().contains("\"step\":\"intent\""))
        .unwrap();
    let order = kinds.iter().position(|kind| *kind == "order_intended").unwrap();
    let fill = kinds.iter().position(|kind| *kind == "fill").unwrap();
    assert!(created < intended && intended < order && order < fill, "{kinds:?}");
}

#[test]
fn a_fill_of_a_leg_is_one_record_with_its_cash() {
    let mut desk = Desk::new();
    plan(&mut desk);
    let cut = desk.records.iter().position(|record| record.kind.name() == "fill").unwrap();
    desk.forget_records_from(cut);
    desk.restart(false, |_| {});
    assert_eq!(leg_state(&desk, 0), LegState::Filled);
    assert_eq!(desk.core.durable().account.balance(btc().base()), dec("0.0125"));
    assert_eq!(legs_sent(&desk).len(), 1);
}

#[test]
fn a_leg_that_is_filled_in_part_counts_for_that_part() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::FillHalf;
    plan(&mut desk);
    assert_eq!(leg_state(&desk, 0), LegState::Accepted);
    let shown = desk.snapshot().plans[0].clone();
    assert_eq!((shown.done, shown.left), (dec("250"), dec("2750")));
    assert_eq!(shown.legs[0].reason, Some(SafeText::ours("0.00625 of 0.0125 filled")));

    let ended = desk.venue.expire(legs_sent(&desk)[0].client_id);
    desk.venue_says(ended);

    assert_eq!(leg_state(&desk, 0), LegState::Filled, "as far as the venue would");
    let shown = desk.snapshot().plans[0].clone();
    assert_eq!((shown.done, shown.left), (dec("250"), dec("2500")));
}

#[test]
fn no_plan_is_made_while_entries_are_blocked() {
    let mut desk = Desk::new();
    desk.say("pause");
    plan(&mut desk);
    assert!(desk.core.durable().plans.open().next().is_none());
    assert_eq!(desk.core.durable().last_rebalance, None);
    assert_eq!(desk.core.live.deviation_pct, Some(dec("33")), "shown all the same");
}

#[test]
fn a_plan_is_made_from_five_points_on_and_once_a_day() {
    let mut desk = Desk::new();
    let propose = |desk: &mut Desk, points: &str| {
        let trades = vec![RebalanceTrade { symbol: btc(), side: Side::Buy, amount: dec("100") }];
        let proposal = RebalanceProposal { deviation_pct: dec(points), trades };
        desk.inside(|core, cx| core.rebalance(cx, &proposal));
        let plans = &desk.core.durable().plans;
        plans.open().chain(plans.finished()).count()
    };
    assert_eq!(propose(&mut desk, "4.99"), 0);
    assert_eq!(propose(&mut desk, "5"), 1);
    desk.pass(secs(86_400 - 60));
    assert!(desk.core.durable().plans.open().next().is_none(), "one leg, done at once");
    assert_eq!(propose(&mut desk, "40"), 1, "not yet a day");
    desk.pass(secs(60));
    assert_eq!(propose(&mut desk, "40"), 2);
}

#[test]
fn a_rebalance_waits_until_what_it_mends_is_worth_its_cost() {
    let plans = |factor: &str| {
        let mut config = Config::defaults().unwrap();
        config.portfolio.rebalancing.gain_per_cost_min = dec(factor);
        let mut desk = Desk::with(config);
        // All cash: 33.33, 33.33 and 66.66 points off, a gain of 66.65 %; 66.66 % traded at 0.36 % cost 0.24 %.
        desk.propose(&[(btc(), Side::Buy, "3333"), (xrp(), Side::Buy, "3333")]);
        let why = desk.core.live.problems.get(&(TaskName::PortfolioRebalance, None)).map(ToString::to_string);
        (desk.core.durable().plans.open().count(), why)
    };
    assert_eq!(plans("277"), (1, None));
    let (count, why) = plans("279");
    assert_eq!(count, 0);
    assert!(why.is_some());
}

#[test]
fn the_first_equity_stays_whatever_becomes_of_the_account() {
    let mut desk = Desk::new();
    assert_eq!(desk.core.durable().first_equity, Some(dec("10000")));
    plan(&mut desk);
    desk.prices.insert(btc(), dec("50000"));
    desk.pass(secs(2 * 86_400));
    assert!(desk.core.equity(desk.now).unwrap() > dec("10000"));
    desk.restart(true, |_| {});
    assert_eq!(desk.core.durable().first_equity, Some(dec("10000")));
    let mut older = desk.core.durable().clone();
    older.first_equity = None;
    let peak = older.breakers.get(BreakerName::MaxDrawdown).baseline;
    let started = desk.records.iter().rfind(|record| record.kind.name() == "run_started").unwrap();
    older.apply(started);
    assert_eq!(older.first_equity, peak, "an account that does not know it takes its highest");
}

#[test]
fn a_minimum_that_the_account_can_never_reach_is_an_alarm_once_it_has_a_price() {
    let key = AlarmKey::of(AlarmSource::MinimumOutOfReach);
    for (minimum, state) in [("1 BTC", AlarmState::Unacknowledged), ("0.2 BTC", AlarmState::Normal)] {
        let mut config = Config::defaults().unwrap();
        config.portfolio.dca.leg_min = minimum.parse().unwrap();
        assert_eq!(Desk::with(config).alarm(&key), state, "{minimum} of 10,000 USDT at 40,000");
    }
}

#[test]
fn no_store_no_plan() {
    let mut desk = Desk::new();
    desk.probe(|probe| probe.store = Err(SafeText::ours("read-only file system")));
    plan(&mut desk);
    assert!(desk.core.durable().plans.open().next().is_none());
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::PlanRefused)), AlarmState::Unacknowledged);
}

#[test]
fn a_leg_whose_time_comes_while_paused_is_deferred_and_offered_at_the_resume() {
    let mut desk = Desk::new();
    plan(&mut desk);
    desk.say("pause");
    desk.pass(secs(4 * 3_600 + 120));
    assert_eq!(leg_state(&desk, 1), LegState::Deferred);
    let resume = desk.snapshot().control.resume.clone().unwrap();
    assert!(resume.next_hour.iter().any(|line| line.contains("p1/1")), "{:?}", resume.next_hour);
    assert!(desk.say("resume").is_done());
    assert_eq!(leg_state(&desk, 1), LegState::Filled);
}

#[test]
fn the_resume_dialog_says_which_overdue_leg_runs_and_which_wait_and_so_it_comes() {
    for (late, runs) in [(secs(120), "runs at once"), (secs(2 * 3_600), "will WAIT for you: too late")] {
        let mut desk = Desk::new();
        plan(&mut desk);
        desk.say("pause");
        desk.pass(secs(8 * 3_600) + late);
        let listed = desk.snapshot().control.resume.clone().unwrap().next_hour;
        let of = |leg: &str| listed.iter().find(|line| line.starts_with(leg)).unwrap();
        assert!(of("leg p1/1:").ends_with("will WAIT for you: overdue, not the newest"), "{listed:?}");
        assert!(of("leg p1/2:").ends_with(runs), "{listed:?}");
        assert!(!listed.iter().any(|line| line.starts_with("leg p1/3:")), "not within the hour: {listed:?}");
        assert!(desk.say("resume").is_done());
        let ran = if runs == "runs at once" { LegState::Filled } else { LegState::Waiting };
        assert_eq!((leg_state(&desk, 1), leg_state(&desk, 2)), (LegState::Waiting, ran));
    }
}

#[test]
fn the_resume_dialog_says_which_leg_stays_back_and_which_is_due_within_the_hour() {
    let mut desk = Desk::new();
    plan(&mut desk);
    desk.say("lock_symbol BTC/USDT");
    desk.say("pause");
    desk.pass(secs(3 * 3_600 + 1_800));
    let listed = |desk: &mut Desk| desk.snapshot().control.resume.clone().unwrap().next_hour;
    let soon = listed(&mut desk);
    assert!(soon.iter().any(|line| line.starts_with("leg p1/1:") && line.contains(" runs in ")), "{soon:?}");
    desk.pass(secs(3_600));
    let due = listed(&mut desk);
    let expected =
        |line: &String| line.starts_with("leg p1/1:") && line.contains("stays deferred: SYMBOL_LOCKED");
    assert!(due.iter().any(expected), "{due:?}");
}

#[test]
fn a_leg_refused_by_the_gate_is_deferred_and_goes_out_later_under_its_name() {
    let mut desk = Desk::new();
    desk.gate.shut(TradingState::Paused);
    plan(&mut desk);
    assert_eq!(leg_state(&desk, 0), LegState::Deferred);
    assert!(legs_sent(&desk).is_empty());
    desk.gate.open(desk.gate.epoch(), TradingState::Running).unwrap();
    desk.say("pause");
    assert!(desk.say("resume").is_done());
    assert_eq!(leg_state(&desk, 0), LegState::Filled);
    assert_eq!(legs_sent(&desk).len(), 1);
}

#[test]
fn an_unknown_leg_is_asked_for_and_holds_the_others_back() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Unreachable;
    plan(&mut desk);
    assert_eq!(leg_state(&desk, 0), LegState::Unknown);
    desk.pass(secs(4 * 3_600 + 60));
    assert_eq!(legs_sent(&desk).len(), 1, "never on a guess");
    assert_eq!(leg_state(&desk, 1), LegState::Deferred);
    desk.venue.mode = Mode::Fill;
    desk.pass(secs(180));
    assert!(matches!(leg_state(&desk, 0), LegState::Waiting | LegState::Filled), "a new decision");
    assert_eq!(leg_state(&desk, 1), LegState::Filled);
}

#[test]
fn a_lost_answer_is_found_by_asking() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::LoseAnswer;
    plan(&mut desk);
    desk.pass(secs(60));
    assert_eq!(leg_state(&desk, 0), LegState::Filled);
    assert_eq!(legs_sent(&desk).len(), 1);
    assert_eq!(desk.core.durable().account.balance(btc().base()), dec("0.0125"));
}

#[test]
fn a_leg_that_the_venue_refuses_waits_for_the_operator() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Reject;
    plan(&mut desk);
    assert_eq!(leg_state(&desk, 0), LegState::Waiting);
    let key = AlarmKey::about(AlarmSource::LegWaiting, Subject::Component("p1/0".to_owned()));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    desk.venue.mode = Mode::Fill;
    assert!(desk.say("run_leg p1/0").is_done());
    assert_eq!(leg_state(&desk, 0), LegState::Filled);
    assert_eq!(desk.alarm(&key), AlarmState::ReturnedUnacknowledged);
}

#[test]
fn a_leg_whose_intent_waited_past_its_deadline_is_withdrawn_and_offered_again() {
    let mut desk = Desk::new();
    desk.disk_takes = secs(301);
    plan(&mut desk);
    assert!(legs_sent(&desk).is_empty());
    assert!(matches!(leg_state(&desk, 0), LegState::Deferred | LegState::Due), "{:?}", leg_state(&desk, 0));

    desk.disk_takes = secs(0);
    desk.candles();
    desk.pass(secs(60));
    assert_eq!((leg_state(&desk, 0), legs_sent(&desk).len()), (LegState::Filled, 1));
}

#[test]
fn skipping_all_takes_the_waiting_legs_and_no_others() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Reject;
    plan(&mut desk);
    assert_eq!((leg_state(&desk, 0), leg_state(&desk, 1)), (LegState::Waiting, LegState::Scheduled));
    assert!(desk.say_unconfirmed("skip_leg all").is_done());
    assert_eq!((leg_state(&desk, 0), leg_state(&desk, 1)), (LegState::Skipped, LegState::Scheduled));
    assert!(desk.say_unconfirmed("cancel_plan all").is_done());
    assert!(desk.core.durable().plans.open().next().is_none());
    assert!(desk.say_unconfirmed("skip_leg all").is_done(), "nothing left to do is no refusal");
}

#[test]
fn running_a_leg_by_hand_does_not_go_around_a_block() {
    let mut desk = Desk::new();
    plan(&mut desk);
    desk.say("pause");
    assert!(!desk.say("run_leg p1/1").is_done());
    assert_eq!(legs_sent(&desk).len(), 1);
    assert!(desk.say_unconfirmed("cancel_plan p1").is_done());
    assert!(desk.core.durable().plans.open().next().is_none());
}

#[test]
fn a_leg_without_funds_waits_with_its_reason() {
    let mut desk = Desk::new();
    desk.propose(&[(btc(), Side::Sell, "3000")]);
    assert_eq!(leg_state(&desk, 0), LegState::Deferred);
    let plans = std::sync::Arc::clone(&desk.snapshot().plans);
    assert!(plans[0].legs[0].reason.is_some());
    assert!(legs_sent(&desk).is_empty());
}

#[test]
fn a_leg_that_nothing_will_ever_pay_waits_for_the_operator_and_says_why() {
    let mut desk = Desk::new();
    desk.propose(&[(btc(), Side::Sell, "400")]);
    let key = AlarmKey::about(AlarmSource::LegWaiting, Subject::Component(FIRST.to_string()));
    desk.pass(secs(3_600));
    assert_eq!((leg_state(&desk, 0), desk.alarm(&key)), (LegState::Deferred, AlarmState::Normal));
    desk.pass(secs(120));
    assert_eq!((leg_state(&desk, 0), desk.alarm(&key)), (LegState::Waiting, AlarmState::Unacknowledged));
    let why = desk.core.durable().plans.leg(FIRST).unwrap().why.as_ref().unwrap().to_string();
    assert!(why.contains("INSUFFICIENT_FUNDS"), "{why}");
    let refused = desk.say("run_leg p1/0");
    assert!(format!("{refused:?}").contains("INSUFFICIENT_FUNDS"), "{refused:?}");
    assert!(desk.say_unconfirmed("skip_leg p1/0").is_done());
    assert!(desk.core.durable().plans.open().next().is_none(), "a new plan may be made");
}

#[test]
fn a_leg_kept_back_by_a_pause_however_long_is_not_the_legs_own_trouble() {
    let mut desk = Desk::new();
    desk.propose(&[(btc(), Side::Buy, "3000")]);
    desk.say("pause");
    desk.pass(secs(5 * 3_600));
    assert_eq!(leg_state(&desk, 1), LegState::Deferred, "1 h late, and offered at the resume");
}

#[test]
fn a_leg_still_unknown_after_a_restart_halts() {
    for (mode, wait) in [(Mode::Unreachable, 0), (Mode::LoseAnswer, 0)] {
        let mut desk = Desk::new();
        desk.venue.mode = mode;
        plan(&mut desk);
        desk.venue.mode = Mode::Unreachable;
        desk.restart(false, |_| {});
        desk.pass(secs(wait));
        assert_eq!(desk.state(), TradingState::Halted, "{mode:?}");
        let said = desk.core.durable().control.reason.to_string();
        assert!(said.contains("p1/0"), "{said}");
        desk.venue.mode = Mode::Fill;
        desk.pass(secs(61));
        assert_eq!(desk.state(), TradingState::Halted, "nothing loosens by itself");
        assert_ne!(leg_state(&desk, 0), LegState::Unknown);
    }
}

#[test]
fn a_leg_found_at_the_restart_is_adopted_and_an_absent_one_is_a_new_decision() {
    for (mode, state, balance) in
        [(Mode::LoseAnswer, LegState::Filled, "0.0125"), (Mode::Deaf, LegState::Deferred, "0")]
    {
        let mut desk = Desk::new();
        desk.venue.mode = mode;
        plan(&mut desk);
        desk.venue.mode = Mode::Fill;
        desk.restart(false, |_| {});
        assert_eq!(desk.state(), TradingState::Paused);
        assert_eq!(leg_state(&desk, 0), state);
        assert_eq!(desk.core.durable().account.balance(btc().base()), dec(balance));
        assert_eq!(legs_sent(&desk).len(), 1);
    }
}

/// The disk stops at every record of a plan's first leg, with every kind of venue: no duplicate, nothing lost.
#[test]
fn wherever_the_process_ends_a_leg_is_bought_at_most_once_and_never_forgotten() {
    for mode in [Mode::Deaf, Mode::Fill, Mode::LoseAnswer, Mode::Rest, Mode::Reject] {
        let mut whole = Desk::new();
        whole.venue.mode = mode;
        let from = whole.records.len();
        plan(&mut whole);
        for cut in from..=whole.records.len() {
            let mut desk = Desk::new();
            desk.venue.mode = mode;
            plan(&mut desk);
            let submitted_before = matches!(&desk.records[..cut], records if records.iter().any(|record| {
                matches!(&record.kind, RecordKind::OrderIntended(_))
            }));
            desk.forget_records_from(cut);
            if !submitted_before {
                // An order is handed over only once its record is on disk.
                desk.venue = super::venue::FakeVenue::new();
            }
            desk.venue.mode = Mode::Fill;
            desk.restart(false, |_| {});
            desk.candles();
            desk.acknowledge();
            assert!(desk.say("resume").is_done(), "{mode:?} cut at {cut}");
            desk.pass(secs(120));
            let bought = desk.core.durable().account.balance(btc().base());
            assert!(bought <= dec("0.0125"), "{mode:?} cut at {cut}: {bought}");
            if let Some(leg) = desk.core.durable().plans.leg(FIRST) {
                let done = bought == dec("0.0125") && leg.state == LegState::Filled;
                let standing = matches!(leg.state, LegState::Accepted | LegState::Waiting);
                assert!(done || standing, "{mode:?} cut at {cut}: {} {bought}", leg.state);
            }
        }
    }
}

#[test]
fn a_leg_that_the_venue_had_taken_and_does_not_know_any_more_has_ended_and_halts() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Rest;
    plan(&mut desk);
    assert_eq!(leg_state(&desk, 0), LegState::Accepted);
    let client_id = legs_sent(&desk)[0].client_id;

    desk.venue_says(VenueEvent::Absent { client_id });

    assert_eq!(leg_state(&desk, 0), LegState::Cancelled, "not one that may go out again");
    assert_eq!(desk.status(client_id), OrderStatus::Cancelled);
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Halted, TradingState::Halted));
    let key = AlarmKey::about(AlarmSource::VenueContradicts, Subject::Order(client_id));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
}

#[test]
fn a_leg_that_the_venue_has_with_other_parameters_is_an_emergency_and_halts() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Rest;
    plan(&mut desk);
    let client_id = legs_sent(&desk)[0].client_id;
    desk.restart(false, |_| {});
    assert_eq!(desk.state(), TradingState::Paused, "as long as it is the same");

    desk.venue.change(client_id, |order| order.quantity *= dec("2"));
    desk.restart(false, |_| {});

    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Halted, TradingState::Halted));
    let key = AlarmKey::about(AlarmSource::VenueContradicts, Subject::Order(client_id));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    let said = desk.core.durable().control.reason.to_string();
    assert!(said.contains("with another quantity: BTC/USDT: buy 0.025 at market (leg p1/0)"), "{said}");
    desk.candles();
    assert!(!desk.say("release it is fine").is_done(), "not before somebody has looked");
}

#[test]
fn a_leg_without_an_order_of_its_own_that_is_unknown_is_named_and_keeps_a_release_back() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::Deaf;
    plan(&mut desk);
    let is_intended = |record: &Record| matches!(&record.kind, RecordKind::OrderIntended(_));
    let cut = desk.records.iter().position(is_intended).unwrap();
    desk.forget_records_from(cut);
    desk.venue.mode = Mode::Unreachable;
    desk.restart(false, |_| {});
    assert_eq!((desk.state(), leg_state(&desk, 0)), (TradingState::Halted, LegState::Unknown));
    let client_id = desk.core.durable().plans.leg(FIRST).unwrap().client_id;
    assert!(!desk.core.durable().orders.contains_key(&client_id));
    let key = AlarmKey::about(AlarmSource::OrderUnknown, Subject::Order(client_id));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);

    desk.acknowledge();
    desk.candles();
    let refused = desk.say("release it is fine");

    assert!(format!("{refused:?}").contains("no order or leg Unknown: 1 Unknown"), "{refused:?}");
    assert_eq!(desk.state(), TradingState::Halted);
    desk.venue.mode = Mode::Rest;
    desk.pass(secs(61));
    assert_eq!(leg_state(&desk, 0), LegState::Deferred, "the venue has surely never seen it");
    assert!(desk.say("release it is fine").is_done());
}

#[test]
fn a_leg_that_nobody_answers_for_until_its_deadline_has_passed_was_handed_over_all_the_same() {
    let mut desk = Desk::new();
    desk.venue.mode = Mode::LoseAnswer;
    plan(&mut desk);
    assert_eq!(leg_state(&desk, 0), LegState::Intent);
    // Ten seconds of the operator at 60 times the speed.
    desk.now = Now { market: desk.now.market.plus(secs(600)), operator: desk.now.operator.plus(secs(10)) };
    desk.tell(Input::Tick);
    let steps: Vec<_> =
        desk.records.iter().map(|record| serde_json::to_string(&record.kind).unwrap()).collect();
    let place = |word: &str| steps.iter().position(|step| step.contains(&format!("\"step\":\"{word}\"")));
    assert!(place("intent") < place("sent") && place("sent") < place("unknown"), "{steps:?}");
    assert_eq!(desk.core.durable().plans.leg(FIRST).unwrap().sends, 1);
}
