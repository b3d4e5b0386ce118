mod properties;

use std::time::Duration;

use rust_decimal::Decimal;

use super::*;
use crate::config::{Config, Dca};
use crate::coordinator::task::RebalanceTrade;
use crate::domain::{
    Asset, Epoch, Fill, FillRole, InstallId, Money, ReasonCode, Side, Symbol, TradeId, VenueEvent,
    VenueReject,
};

fn dca() -> Dca {
    Config::defaults().unwrap().portfolio.dca
}

fn hours(count: i64) -> Timestamp {
    Timestamp::from_secs(count * 3_600)
}

fn minutes(count: i64) -> Timestamp {
    Timestamp::from_secs(count * 60)
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn trade(symbol: &str, side: Side, amount: &str) -> RebalanceTrade {
    RebalanceTrade { symbol: Symbol::new(symbol).unwrap(), side, amount: dec(amount) }
}

/// The terms of an account that began with 10,000 USDT.
fn terms() -> PlanTerms {
    PlanTerms {
        at_once_below: dec("500"),
        trade_min: dec("10"),
        leg_min: dec("10"),
        legs_max: dca().legs_max,
        spacing: dca().spacing,
        decimals: 2,
        install: InstallId::derived("simulated/USDT/7"),
    }
}

fn leg(number: u16) -> LegId {
    LegId { plan: PlanId(1), leg: number }
}

fn open(_: &Leg) -> Option<ReasonCode> {
    None
}

#[expect(clippy::unnecessary_wraps, reason = "it stands in for the core's rule, which may say nothing")]
fn paused(_: &Leg) -> Option<ReasonCode> {
    Some(ReasonCode::Paused)
}

fn intent_terms(price_bound: &str) -> IntentTerms {
    IntentTerms {
        quantity: dec("0.002"),
        price_bound: dec(price_bound),
        deadline: hours(1_000),
        epoch: Epoch { run: 1, count: 1 },
    }
}

/// Plans with the journal of how they came to be.
#[derive(Default)]
struct Bench {
    plans: Plans,
    journal: Vec<PlanTransition>,
}

impl Bench {
    /// One plan of 600 USDT in six legs of one trade, four hours apart.
    fn with_plan() -> Self {
        Self::with_trades(&[trade("BTC/USDT", Side::Buy, "600")])
    }

    fn with_trades(trades: &[RebalanceTrade]) -> Self {
        let mut bench = Self::default();
        let created = bench.plans.propose(trades, hours(0), &terms()).unwrap();
        bench.take([created]);
        bench
    }

    fn take(&mut self, steps: impl IntoIterator<Item = PlanTransition>) {
        for step in steps {
            self.plans.apply(&step).unwrap();
            self.journal.push(step);
        }
    }

    fn due(&mut self, now: Timestamp, blocked: impl Fn(&Leg) -> Option<ReasonCode>) {
        let steps = self.plans.due(now, dca().max_lateness, blocked);
        self.take(steps);
    }

    fn restart(&mut self) {
        let steps = self.plans.restarted();
        self.take(steps);
    }

    fn venue(&mut self, event: &VenueEvent) {
        let steps = self.plans.venue(event).unwrap();
        self.take(steps);
    }

    fn send(&mut self, id: LegId) {
        let intent = self.plans.intend(id, intent_terms("50000")).unwrap();
        self.take(intent);
        let digest = self.plans.leg(id).unwrap().intent.clone().unwrap().digest;
        let sent = self.plans.send(id, &digest).unwrap();
        self.take([sent]);
    }

    /// A leg that was handed over at its time, and of which nothing was heard since.
    fn with_sent_leg() -> Self {
        let mut bench = Self::with_plan();
        bench.due(hours(0), open);
        bench.send(leg(0));
        bench
    }

    fn state(&self, number: u16) -> LegState {
        self.plans.leg(leg(number)).unwrap().state
    }

    fn states(&self) -> Vec<LegState> {
        self.plans.plan(PlanId(1)).unwrap().legs.iter().map(|leg| leg.state).collect()
    }

    fn due_minutes(&self) -> Vec<i64> {
        self.plans.plan(PlanId(1)).unwrap().legs.iter().map(|leg| leg.due_at.millis() / 60_000).collect()
    }

    fn name(&self, number: u16) -> ClientOrderId {
        self.plans.leg(leg(number)).unwrap().client_id
    }

    fn fill(&self, number: u16, trade_id: u64) -> Fill {
        let leg = self.plans.leg(leg(number)).unwrap();
        Fill {
            trade_id: TradeId(trade_id),
            client_id: leg.client_id,
            role: FillRole::Order,
            symbol: leg.symbol.clone(),
            side: leg.side,
            quantity: dec("0.001"),
            price: dec("50000"),
            fee: Money::new(dec("0.13"), Asset::new("USDT").unwrap()),
            at: hours(0),
        }
    }
}

fn no_answer(client_id: ClientOrderId) -> VenueEvent {
    VenueEvent::NoAnswer { client_id, detail: "timeout".into() }
}

use LegState::{
    Accepted, Cancelled, Deferred, Due, Filled, Rejected, Scheduled, Sent, Skipped, Unknown, Waiting,
};

#[test]
fn a_trade_becomes_equal_legs_with_the_remainder_in_the_first() {
    let amounts = |amount| split(dec(amount), &terms()).unwrap();

    assert_eq!(amounts("500"), ["83.35", "83.33", "83.33", "83.33", "83.33", "83.33"].map(dec));
    assert_eq!(amounts("25.005"), ["12.505", "12.50"].map(dec));
    assert_eq!(amounts("19.99"), ["19.99"].map(dec));
    assert_eq!(amounts("9.99"), [Decimal::ZERO; 0]);
    assert_eq!(amounts("-100"), [Decimal::ZERO; 0]);
    assert_eq!(amounts("79228162514264337593543950335").iter().sum::<Decimal>(), Decimal::MAX);
}

#[test]
fn a_plan_sells_before_it_buys_and_spaces_its_legs() {
    let trades = [trade("XRP/USDT", Side::Buy, "300"), trade("BTC/USDT", Side::Sell, "300")];
    let bench = Bench::with_trades(&trades);
    let plan = bench.plans.plan(PlanId(1)).unwrap();

    assert_eq!(plan.legs.len(), 12);
    assert_eq!([plan.legs[0].side, plan.legs[1].side], [Side::Sell, Side::Buy]);
    assert_eq!([1, 2, 11].map(|n: usize| plan.legs[n].due_at), [hours(0), hours(4), hours(20)]);
    assert_eq!(plan.amount_left(), Ok(dec("600")));
    assert_eq!(bench.plans.next_due(), Some(hours(0)));
}

#[test]
fn a_small_plan_is_done_at_once() {
    let trades = [trade("BTC/USDT", Side::Buy, "400"), trade("XRP/USDT", Side::Sell, "9")];
    let bench = Bench::with_trades(&trades);

    assert_eq!(bench.states(), [Scheduled]);
    assert_eq!(bench.plans.leg(leg(0)).unwrap().amount, dec("400"));
}

#[test]
fn a_second_plan_and_an_empty_one_are_refused() {
    let bench = Bench::with_plan();
    let trades = [trade("BTC/USDT", Side::Buy, "600")];

    assert_eq!(bench.plans.propose(&trades, hours(1), &terms()), Err(DcaRefusal::PlanOpen(PlanId(1))));
    assert!(matches!(
        Plans::default().propose(&[], hours(1), &terms()),
        Err(DcaRefusal::NothingToTrade { .. })
    ));
}

#[test]
fn the_same_plan_number_is_never_used_again() {
    let mut bench = Bench::with_plan();
    let created = bench.journal[0].clone();
    let steps = bench.plans.cancel_plan(PlanId(1)).unwrap();
    bench.take(steps);

    assert_eq!(bench.plans.apply(&created), Err(ApplyError::NotFresh(PlanId(1))));
    let next = bench.plans.propose(&[trade("BTC/USDT", Side::Buy, "600")], hours(30), &terms()).unwrap();
    assert!(matches!(next, PlanTransition::Created { plan } if plan.id == PlanId(2)));
}

#[test]
fn a_plan_whose_legs_do_not_sum_to_its_trades_is_refused() {
    let bench = Bench::with_plan();
    let PlanTransition::Created { mut plan } = bench.journal[0].clone() else { panic!("not a plan") };
    plan.legs[3].amount += dec("0.01");

    let mut plans = Plans::default();
    assert_eq!(plans.apply(&PlanTransition::Created { plan }), Err(ApplyError::NotFresh(PlanId(1))));
    assert_eq!(plans, Plans::default());
}

#[test]
fn a_leg_runs_from_due_to_filled_and_every_fill_counts_once() {
    let mut bench = Bench::with_sent_leg();
    bench.venue(&VenueEvent::Accepted { client_id: bench.name(0) });
    let part = VenueEvent::Filled { fill: bench.fill(0, 7), done: false };
    bench.venue(&part);
    bench.venue(&part);
    assert_eq!(bench.state(0), Accepted);

    bench.venue(&VenueEvent::Filled { fill: bench.fill(0, 8), done: true });

    let filled = &bench.plans.leg(leg(0)).unwrap().filled;
    assert_eq!((filled.quantity, filled.worth), (dec("0.002"), dec("100")));
    assert_eq!(bench.state(0), Filled);
    assert_eq!(bench.plans.plan(PlanId(1)).unwrap().amount_done(), Ok(dec("100")));
}

#[test]
fn a_leg_that_meets_a_pause_is_deferred_and_offered_again_after_it() {
    let mut bench = Bench::with_plan();

    bench.due(hours(0), paused);
    bench.due(minutes(1), paused);
    assert_eq!(bench.state(0), Deferred);
    assert_eq!(bench.journal.len(), 2, "the same reason is recorded once");

    bench.due(minutes(40), open);
    assert_eq!(bench.plans.ready().map(|(id, _)| id).collect::<Vec<_>>(), [leg(0)]);
    assert_eq!(bench.due_minutes(), [0, 280, 520, 760, 1_000, 1_240]);
}

#[test]
fn a_leg_too_late_waits_for_the_operator_and_moves_nothing() {
    let mut bench = Bench::with_plan();

    bench.due(minutes(60), paused);
    bench.due(minutes(61), open);

    assert_eq!(bench.states(), [Waiting, Scheduled, Scheduled, Scheduled, Scheduled, Scheduled]);
    assert_eq!(bench.due_minutes()[1], 240);
}

#[test]
fn a_leg_kept_back_by_its_own_terms_waits_once_it_is_too_late_and_one_kept_back_by_a_rule_does_not() {
    for (code, state) in [
        (ReasonCode::InsufficientFunds, Waiting),
        (ReasonCode::InvalidOrder, Waiting),
        (ReasonCode::FeedStale, Deferred),
        (ReasonCode::LevelEmergency, Deferred),
    ] {
        let mut bench = Bench::with_plan();
        bench.due(minutes(0), |_| Some(code));
        bench.due(minutes(60), |_| Some(code));
        assert_eq!(bench.state(0), Deferred);
        bench.due(minutes(61), |_| Some(code));
        assert_eq!(bench.state(0), state, "{code}");
    }
}

#[test]
fn postponing_a_leg_keeps_the_spacing_of_those_behind_it() {
    let mut bench = Bench::with_plan();
    bench.due(minutes(60), paused);
    bench.due(minutes(61), open);
    assert_eq!(bench.state(0), Waiting);
    let moved = bench.plans.postpone_leg(leg(0), Duration::from_secs(3_600), minutes(90)).unwrap();
    bench.take(moved);
    assert_eq!(bench.due_minutes(), [150, 390, 630, 870, 1_110, 1_350]);
}

#[test]
fn of_several_overdue_legs_only_the_newest_runs() {
    let mut bench = Bench::with_plan();

    bench.due(minutes(8 * 60 + 30), open);

    assert_eq!(bench.states(), [Waiting, Waiting, Due, Scheduled, Scheduled, Scheduled]);
    assert_eq!(bench.due_minutes()[3..], [12 * 60 + 30, 16 * 60 + 30, 20 * 60 + 30]);
}

#[test]
fn after_a_long_absence_nothing_runs_by_itself() {
    let mut bench = Bench::with_plan();

    bench.due(hours(100), open);

    assert_eq!(bench.states(), [Waiting; 6]);
    assert_eq!(bench.plans.ready().count(), 0);
}

#[test]
fn legs_of_one_time_that_run_late_one_after_the_other_shift_as_far_as_the_latest() {
    let mut bench = Bench::with_trades(&[
        trade("BTC/USDT", Side::Buy, "600"),
        trade("XRP/USDT", Side::Buy, "600"),
        trade("XRP/BTC", Side::Buy, "600"),
    ]);
    let stale = |symbols: &'static [&'static str]| {
        move |leg: &Leg| symbols.contains(&leg.symbol.as_str()).then_some(ReasonCode::FeedStale)
    };
    bench.due(minutes(0), paused);
    bench.due(minutes(5), stale(&["XRP/USDT", "XRP/BTC"]));
    assert_eq!(bench.due_minutes()[3..6], [245; 3]);
    bench.due(minutes(10), stale(&["XRP/BTC"]));
    assert_eq!(bench.due_minutes()[3..6], [250; 3]);
    bench.due(minutes(12), open);
    assert_eq!(bench.due_minutes()[3..9], [252, 252, 252, 492, 492, 492]);

    bench.due(minutes(253), stale(&["XRP/USDT", "XRP/BTC"]));
    bench.due(minutes(254), open);
    assert_eq!(bench.due_minutes()[6..9], [494; 3], "each time of the plan for itself");
}

#[test]
fn a_leg_on_time_shifts_nothing() {
    let mut bench = Bench::with_plan();

    bench.due(hours(0), open);

    assert_eq!(bench.journal.len(), 2);
    assert_eq!(bench.state(0), Due);
}

#[test]
fn a_leg_between_due_and_intent_at_a_crash_is_a_new_decision() {
    let mut bench = Bench::with_plan();
    bench.due(hours(0), open);

    bench.restart();

    assert_eq!(bench.state(0), Deferred);
    bench.due(hours(2), open);
    assert_eq!(bench.state(0), Waiting);
}

#[test]
fn after_a_restart_every_leg_in_question_is_asked_for_and_none_is_sent() {
    let mut bench = Bench::with_plan();
    bench.due(hours(0), open);
    let intent = bench.plans.intend(leg(0), intent_terms("50000")).unwrap();
    bench.take(intent);
    let digest = bench.plans.leg(leg(0)).unwrap().intent.clone().unwrap().digest;

    bench.restart();

    assert_eq!(bench.plans.questions().collect::<Vec<_>>(), [(leg(0), bench.name(0))]);
    assert!(matches!(bench.plans.send(leg(0), &digest), Err(DcaRefusal::InFlight { .. })));
    assert!(matches!(bench.plans.withdraw(leg(0), ReasonCode::GateShut), Err(DcaRefusal::InFlight { .. })));
}

#[test]
fn the_three_answers_of_a_reconciliation() {
    for (answer, expected) in [(0, Accepted), (1, Deferred), (2, Unknown)] {
        let mut bench = Bench::with_sent_leg();
        bench.restart();
        let client_id = bench.name(0);
        bench.venue(&match answer {
            0 => VenueEvent::Accepted { client_id },
            1 => VenueEvent::Absent { client_id },
            _ => no_answer(client_id),
        });
        assert_eq!(bench.state(0), expected);
        assert_eq!(bench.plans.questions().count(), usize::from(expected == Unknown));
    }
}

#[test]
fn an_absent_that_was_not_asked_for_changes_nothing() {
    let mut bench = Bench::with_sent_leg();
    let absent = VenueEvent::Absent { client_id: bench.name(0) };

    bench.venue(&absent);
    assert_eq!(bench.state(0), Sent);

    // Asked, absent, decided and sent again: the answer to a second question must not free it once more.
    bench.venue(&no_answer(bench.name(0)));
    let asked = bench.plans.ask_unknown();
    bench.take(asked);
    bench.venue(&absent);
    bench.due(minutes(1), open);
    bench.send(leg(0));
    bench.venue(&absent);
    assert_eq!((bench.state(0), bench.plans.leg(leg(0)).unwrap().sends), (Sent, 2));
}

#[test]
fn an_order_that_turns_up_after_it_was_called_absent_is_adopted() {
    let mut bench = Bench::with_sent_leg();
    bench.restart();
    bench.venue(&VenueEvent::Absent { client_id: bench.name(0) });

    bench.venue(&VenueEvent::Filled { fill: bench.fill(0, 3), done: true });

    assert_eq!(bench.state(0), Filled);
}

#[test]
fn a_refused_leg_waits_for_the_operator() {
    let mut bench = Bench::with_sent_leg();

    bench.venue(&VenueEvent::Rejected { client_id: bench.name(0), reason: VenueReject::NoFreshPrice });

    assert_eq!(bench.state(0), Waiting);
    let run = bench.plans.run_leg(leg(0), None).unwrap();
    bench.take([run]);
    assert_eq!(bench.state(0), Due);
}

#[test]
fn a_name_that_the_venue_knows_already_is_a_question_and_not_a_no() {
    let mut bench = Bench::with_sent_leg();

    bench.venue(&VenueEvent::Rejected { client_id: bench.name(0), reason: VenueReject::ClientIdReused });

    assert_eq!(bench.state(0), Unknown);
}

#[test]
fn an_order_that_ends_at_the_venue_ends_the_leg() {
    let mut bench = Bench::with_sent_leg();
    bench.venue(&VenueEvent::Cancelled { client_id: bench.name(0), expired: true });
    assert_eq!(bench.state(0), Cancelled);

    let mut bench = Bench::with_sent_leg();
    bench.venue(&VenueEvent::Filled { fill: bench.fill(0, 1), done: false });
    bench.venue(&VenueEvent::Cancelled { client_id: bench.name(0), expired: true });
    assert_eq!(bench.state(0), Filled);
}

#[test]
fn the_same_leg_with_other_parameters_is_refused_as_an_emergency() {
    let bench = Bench::with_sent_leg();

    assert_eq!(bench.plans.intend(leg(0), intent_terms("50000.0")), Ok(None));
    let refusal = bench.plans.intend(leg(0), intent_terms("50001")).unwrap_err();
    assert_eq!((refusal.is_emergency(), refusal), (true, DcaRefusal::OtherParameters(leg(0))));

    let mut foreign = bench.fill(0, 1);
    foreign.side = Side::Sell;
    let before = bench.plans.clone();
    let refusal = bench.plans.venue(&VenueEvent::Filled { fill: foreign, done: true }).unwrap_err();
    assert!(refusal.is_emergency());

    // An intent whose parameters do not belong to its digest does not even apply.
    let LegTransition::Intent { mut intent } = (match &bench.journal[2] {
        PlanTransition::Leg { transition, .. } => transition.clone(),
        other => panic!("{other:?}"),
    }) else {
        panic!("not an intent")
    };
    intent.quantity = dec("2");
    let mut fresh = Bench::with_plan();
    fresh.due(hours(0), open);
    let forged = PlanTransition::Leg { id: leg(0), transition: LegTransition::Intent { intent } };
    assert!(fresh.plans.apply(&forged).is_err());
    assert_eq!(bench.plans, before);
}

#[test]
fn only_the_intent_that_stands_is_handed_over_or_taken_back() {
    let mut bench = Bench::with_plan();
    bench.due(hours(0), open);
    let intent = bench.plans.intend(leg(0), intent_terms("50000")).unwrap();
    bench.take(intent);
    let standing = bench.plans.leg(leg(0)).unwrap();
    let digest = standing.intent.clone().unwrap().digest;

    let other = Intent::new(standing, intent_terms("50001")).digest;
    let refusal = bench.plans.send(leg(0), &other).unwrap_err();
    assert_eq!((refusal.is_emergency(), refusal), (true, DcaRefusal::OtherParameters(leg(0))));

    assert!(bench.plans.send(leg(0), &digest).is_ok());

    let withdrawn = bench.plans.withdraw(leg(0), ReasonCode::GateShut).unwrap();
    bench.take([withdrawn]);
    assert_eq!((bench.state(0), bench.plans.leg(leg(0)).unwrap().intent.is_none()), (Deferred, true));
}

#[test]
fn while_one_leg_is_unknown_the_others_of_its_plan_are_deferred() {
    let mut bench = Bench::with_sent_leg();
    bench.venue(&no_answer(bench.name(0)));

    bench.due(hours(4), open);

    assert_eq!(bench.plans.leg(leg(1)).unwrap().why, Some(Why::Deferred(DeferReason::LegUnknown(0))));
}

#[test]
fn the_operator_moves_skips_and_cancels_what_is_not_at_the_venue() {
    let mut bench = Bench::with_sent_leg();
    for step in [bench.plans.skip_leg(leg(2)), bench.plans.cancel_leg(leg(3))] {
        bench.take([step.unwrap()]);
    }
    let moved = bench.plans.postpone_leg(leg(1), Duration::from_secs(7_200), hours(1)).unwrap();
    bench.take(moved);
    assert_eq!(bench.states(), [Sent, Scheduled, Skipped, Cancelled, Scheduled, Scheduled]);
    assert_eq!(bench.due_minutes(), [0, 360, 480, 720, 16 * 60 + 120, 20 * 60 + 120]);

    let steps = bench.plans.cancel_plan(PlanId(1)).unwrap();
    bench.take(steps);
    assert_eq!(bench.states(), [Sent, Cancelled, Skipped, Cancelled, Cancelled, Cancelled]);
    bench.venue(&VenueEvent::Filled { fill: bench.fill(0, 1), done: true });
    assert_eq!((bench.plans.open().count(), bench.plans.finished().count()), (0, 1));
}

#[test]
fn a_refused_command_says_why() {
    let mut bench = Bench::with_sent_leg();
    bench.take([bench.plans.skip_leg(leg(2)).unwrap()]);
    let text = |step: Result<PlanTransition, DcaRefusal>| step.unwrap_err().to_string();

    for (refusal, expected) in [
        (text(bench.plans.run_leg(leg(0), None)), "only the venue's answer"),
        (text(bench.plans.cancel_leg(leg(0))), "leg p1/0 is sent"),
        (text(bench.plans.run_leg(leg(2), None)), "already skipped"),
        (text(bench.plans.run_leg(leg(1), Some(ReasonCode::Paused))), "PAUSED"),
        (text(bench.plans.skip_leg(leg(9))), "no leg p1/9"),
        (
            bench.plans.postpone_leg(leg(1), Duration::ZERO, hours(1)).unwrap_err().to_string(),
            "longer than zero",
        ),
        (bench.plans.cancel_plan(PlanId(8)).unwrap_err().to_string(), "no open plan p8"),
    ] {
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn news_of_a_leg_that_had_ended_is_an_emergency() {
    let mut bench = Bench::with_plan();
    bench.take([bench.plans.skip_leg(leg(0)).unwrap()]);

    let accepted = VenueEvent::Accepted { client_id: bench.name(0) };
    let filled = VenueEvent::Filled { fill: bench.fill(0, 1), done: true };

    for event in [accepted, filled] {
        assert!(bench.plans.venue(&event).unwrap_err().is_emergency());
    }
}

fn every_step(bench: &Bench) -> Vec<LegTransition> {
    let intent = Box::new(Intent::new(bench.plans.leg(leg(0)).unwrap(), intent_terms("50000")));
    vec![
        LegTransition::Due,
        LegTransition::Deferred { reason: DeferReason::Restarted },
        LegTransition::Intent { intent },
        LegTransition::Withdrawn { reason: ReasonCode::GateShut },
        LegTransition::Sent,
        LegTransition::Accepted,
        LegTransition::Rejected { reason: VenueReject::PriceBound },
        LegTransition::Unknown { detail: "timeout".into() },
        LegTransition::Asked,
        LegTransition::Absent,
        LegTransition::Filled { trade: TradeId(9), quantity: dec("1"), worth: dec("1"), done: true },
        LegTransition::Filled { trade: TradeId(9), quantity: dec("1"), worth: dec("1"), done: false },
        LegTransition::Ended { expired: false },
        LegTransition::Waiting { reason: WaitReason::TooLate },
        LegTransition::Postponed { due_at: hours(9) },
        LegTransition::Skipped,
        LegTransition::Cancelled,
    ]
}

#[test]
fn the_table_lets_nothing_out_of_an_end_and_nothing_but_an_intent_be_sent() {
    for step in every_step(&Bench::with_plan()) {
        for from in LegState::ALL {
            let allowed = step.allowed_from().contains(&from);
            assert!(!(from.is_terminal() && allowed), "{from} lets `{}` happen", step.name());
            let sends = step == LegTransition::Sent;
            assert!(!(sends && allowed) || from == LegState::Intent, "{from} can be sent");
        }
    }
}

#[test]
fn steps_survive_the_journal() {
    for transition in every_step(&Bench::with_plan()) {
        let step = PlanTransition::Leg { id: leg(3), transition };
        let text = serde_json::to_string(&step).unwrap();
        assert_eq!(serde_json::from_str::<PlanTransition>(&text).unwrap(), step, "{text}");
    }
    assert_eq!(Rejected.to_string(), "rejected");
}
