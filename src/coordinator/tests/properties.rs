//! Random histories. What holds after every step is asserted by the desk (the records, through JSON, make the live
//! state) and by the core itself (`coordinator::invariants`, and that nothing that opens is submitted while entries are
//! blocked).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::conflict::CallFailure;
use super::super::input::{Confirmation, Input};
use super::super::task::TaskFailure;
use super::models::{modify, nobody_answers, says, unreadable};
use super::*;
use crate::domain::{Actor, ClientOrderId, DecisionId, Regime, ResolutionAction, Untrusted};

/// One thing that may happen.
#[derive(Debug, Clone)]
enum Happening {
    Price(u32),
    Pass(u64),
    Signal(usize, Action),
    Venue(Mode),
    Say(&'static str),
    Unconfirmed(&'static str),
    ShutByWatchdog(TradingState),
    FillRest,
    Expire,
    Propose(Side),
    FailTasks,
    Restart { clean: bool },
    Panic,
    StoreFails,
    StoreOnReserve,
    Reopens(bool),
    OldRecords(bool),
    CheckpointFails,
    Probed(bool),
    FeedGap,
    VenueShows { other: bool },
    VenueFails,
    LatchFails,
    Gap,
    FeedEnds,
    DiskTakes(u64),
    SameSignalAgain,
    HoldOpening,
    LetGo,
    Probe(bool),
    Lag(u64),
    Feed(bool),
    Regime(usize, bool),
    ModelSays(ModelWord),
}

/// How the oldest open question ends.
#[derive(Debug, Clone, Copy)]
enum ModelWord {
    Proceed,
    Abort,
    Enlarge,
    Shrink,
    Babble,
    Nothing,
}

fn happening() -> impl Strategy<Value = Happening> {
    let words = prop::sample::select(vec![
        "pause",
        "resume",
        "resume",
        "halt drill",
        "release done",
        "flatten",
        "flatten --all",
        "flatten XRP/USDT",
        "force_level LIMITED drill",
        "force_level EMERGENCY --until 10m drill",
        "clear_level done",
        "reset_failures done",
        "rearm_breaker daily_loss done",
        "rearm_breaker weekly_loss done",
        "rearm_breaker max_drawdown done",
        "reopen_store",
        "lock_symbol BTC/USDT",
        "unlock_symbol BTC/USDT",
        "run_task technical_analysis",
        "disable_task trading_decision",
        "enable_task trading_decision",
        "run_leg p1/1",
        "skip_leg p1/2",
        "postpone_leg p1/3 1h",
        "cancel_leg p1/4",
        "cancel_plan p1",
        "ack_alarm all 1",
        "ack_alarm all 1",
        "reset_alarm all",
        "note x",
    ]);
    let modes = prop::sample::select(vec![
        Mode::Fill,
        Mode::Fill,
        Mode::FillHalf,
        Mode::Rest,
        Mode::Reject,
        Mode::Deaf,
        Mode::LoseAnswer,
        Mode::Unreachable,
    ]);
    let actions =
        prop::sample::select(vec![Action::Buy, Action::Buy, Action::Sell, Action::Close, Action::Hold]);
    prop_oneof![
        3 => (30_000_u32..50_000).prop_map(Happening::Price),
        3 => prop::sample::select(vec![1_u64, 20, 70, 400, 3_700]).prop_map(Happening::Pass),
        5 => (0_usize..3, actions).prop_map(|(symbol, action)| Happening::Signal(symbol, action)),
        3 => modes.prop_map(Happening::Venue),
        6 => words.clone().prop_map(Happening::Say),
        2 => words.prop_map(Happening::Unconfirmed),
        1 => prop::sample::select(vec![TradingState::Paused, TradingState::Halted])
            .prop_map(Happening::ShutByWatchdog),
        2 => Just(Happening::FillRest),
        1 => Just(Happening::Expire),
        2 => prop::bool::ANY.prop_map(|buy| Happening::Propose(if buy { Side::Buy } else { Side::Sell })),
        1 => Just(Happening::FailTasks),
        1 => prop::bool::ANY.prop_map(|clean| Happening::Restart { clean }),
        1 => Just(Happening::Panic),
        1 => prop::sample::select(vec![
            Happening::StoreFails,
            Happening::StoreOnReserve,
            Happening::OldRecords(true),
            Happening::OldRecords(false),
            Happening::CheckpointFails,
            Happening::FeedGap,
            Happening::VenueShows { other: false },
            Happening::VenueShows { other: true },
            Happening::VenueFails,
            Happening::LatchFails,
            Happening::Gap,
            Happening::FeedEnds,
        ]),
        1 => prop::bool::ANY.prop_map(Happening::Reopens),
        1 => prop::bool::ANY.prop_map(Happening::Probed),
        1 => prop::sample::select(vec![0, 0, 1, 200, 400]).prop_map(Happening::DiskTakes),
        1 => Just(Happening::SameSignalAgain),
        1 => Just(Happening::HoldOpening),
        1 => Just(Happening::LetGo),
        1 => prop::bool::ANY.prop_map(Happening::Probe),
        1 => (0_u64..3).prop_map(Happening::Lag),
        1 => prop::bool::ANY.prop_map(Happening::Feed),
        2 => (0_usize..3, prop::bool::ANY).prop_map(|(symbol, choppy)| Happening::Regime(symbol, choppy)),
        3 => prop::sample::select(vec![
            ModelWord::Proceed,
            ModelWord::Abort,
            ModelWord::Enlarge,
            ModelWord::Shrink,
            ModelWord::Babble,
            ModelWord::Nothing,
        ]).prop_map(Happening::ModelSays),
    ]
}

fn some_open_order(desk: &Desk) -> Option<(ClientOrderId, Decimal)> {
    let tracked = desk.core.durable().open_orders().next()?;
    Some((tracked.order.client_id, tracked.order.quantity - tracked.filled))
}

fn told_by_the_runtime(happening: &Happening, now: Now) -> Option<Input> {
    let full = || SafeText::ours("full");
    Some(match *happening {
        Happening::Panic => Input::Panicked { what: SafeText::ours("webhook") },
        Happening::StoreFails => Input::StoreFailed { error: full() },
        Happening::StoreOnReserve => Input::StoreOnReserve { error: full() },
        Happening::VenueFails => Input::VenueFailed { error: full() },
        Happening::LatchFails => Input::LatchFailed { error: full() },
        Happening::CheckpointFails => Input::CheckpointWritten { result: Err(full()) },
        Happening::OldRecords(sound) => {
            let result = if sound { Ok(()) } else { Err(SafeText::ours("first bad record 3")) };
            Input::OldRecordsVerified { result }
        }
        Happening::Lag(oldest) => Input::StoreLag { waiting: 0, oldest: secs(oldest) },
        Happening::Gap => Input::ProcessGap { length: secs(11) },
        Happening::FeedGap => {
            Input::FeedGap { symbol: btc(), from: now.market.minus(secs(600)), until: now.market }
        }
        Happening::FeedEnds => Input::FeedEnded,
        _ => return None,
    })
}

fn happens(desk: &mut Desk, happening: &Happening) {
    match *happening {
        Happening::Price(price) => desk.btc_at(&price.to_string()),
        Happening::Pass(length) => desk.pass(secs(length)),
        Happening::Signal(symbol, action) => {
            let symbol = desk.config.orchestration.symbols[symbol].clone();
            let signal = desk.new_signal(&symbol, action);
            desk.deliver(signal);
        }
        Happening::Venue(mode) => desk.venue.mode = mode,
        // While the gate's opening is held, nobody answers yet.
        Happening::Say(words) => {
            let confirmation = desk.confirmed();
            desk.order(Command::parse(words).unwrap(), confirmation);
        }
        Happening::Unconfirmed(words) => {
            desk.order(Command::parse(words).unwrap(), Confirmation::None);
        }
        Happening::ShutByWatchdog(to) => {
            let epoch = desk.gate.shut(to);
            let (by, reason) = (Actor::Watchdog, SafeText::ours("stuck"));
            desk.tell(Input::GateShut { epoch, to, by, reason });
        }
        Happening::FillRest => {
            if let Some((id, left)) = some_open_order(desk)
                && let Some(event) = desk.venue.fill(desk.now, id, left, dec("40000"))
            {
                desk.venue_says(event);
            }
        }
        Happening::Expire => {
            if let Some((id, _)) = some_open_order(desk) {
                let event = desk.venue.expire(id);
                desk.venue_says(event);
            }
        }
        Happening::Propose(side) => desk.propose(&[(btc(), side, "1500"), (xrp(), Side::Buy, "900")]),
        Happening::FailTasks => {
            desk.agents_answer = false;
            desk.say("run_task technical_analysis");
            desk.agents_answer = true;
            while let Some(run) = desk.runs.pop_front() {
                let failure = TaskFailure::Failed(Untrusted::new("no data"));
                desk.tell(Input::TaskFinished { run: run.id, result: Err(failure) });
            }
        }
        Happening::Restart { clean } => desk.restart(clean, |_| {}),
        Happening::Reopens(works) => {
            desk.reopens = if works { Ok(()) } else { Err(SafeText::ours("still full")) };
        }
        Happening::Probed(works) => {
            if let Some(provider) = desk.probes.pop_front() {
                let result = if works { Ok(()) } else { Err(CallFailure::TimedOut) };
                desk.tell(Input::ProviderProbed { provider, result });
            }
        }
        Happening::VenueShows { other } => {
            if let Some(mut order) = desk.venue.submitted.last().cloned() {
                if other {
                    order.quantity += Decimal::ONE;
                }
                desk.tell(Input::OrderFound(Box::new(order)));
            }
        }
        Happening::DiskTakes(length) => desk.disk_takes = secs(length),
        Happening::SameSignalAgain => {
            let last = desk.core.durable().decisions.back().map(|decision| decision.signal.clone());
            if let Some(signal) = last {
                desk.deliver(signal);
            }
        }
        Happening::HoldOpening => desk.hold_opening = true,
        Happening::LetGo => desk.let_go(),
        Happening::Probe(works) => desk.probe(|probe| {
            if !works {
                probe.store = Err(SafeText::ours("read-only"));
            }
        }),
        Happening::Feed(runs) => desk.feed = runs,
        Happening::Regime(symbol, choppy) => {
            let symbol = desk.config.orchestration.symbols[symbol].clone();
            desk.regime(&symbol, if choppy { Regime::Choppy } else { Regime::TrendingBull });
        }
        Happening::ModelSays(word) => {
            if let Some(question) = desk.questions.pop_front() {
                let resolved = match word {
                    ModelWord::Proceed => says(ResolutionAction::Proceed, None),
                    ModelWord::Abort => says(ResolutionAction::Abort, None),
                    ModelWord::Enlarge => modify(Some("9"), Some("-80"), Some("7")),
                    ModelWord::Shrink => modify(Some("1"), Some("40"), Some("-1")),
                    ModelWord::Babble => nobody_answers(&unreadable()),
                    ModelWord::Nothing => nobody_answers(&CallFailure::TimedOut),
                };
                desk.tell(Input::Resolved { decision: question.decision, resolved: Box::new(resolved) });
            }
        }
        _ => {
            if let Some(input) = told_by_the_runtime(happening, desk.now) {
                desk.tell(input);
            }
        }
    }
}

/// Each signal became one decision, and each decision has one outcome at most, in all records.
fn signals_end_once(desk: &Desk) {
    let mut outcomes: BTreeMap<DecisionId, u32> = BTreeMap::new();
    let mut of_signal = BTreeMap::new();
    for record in &desk.records {
        if let RecordKind::Decision(decision) = &record.kind {
            let first = *of_signal.entry(decision.signal.id).or_insert(decision.id);
            assert_eq!(first, decision.id, "one signal, two decisions");
            *outcomes.entry(decision.id).or_default() += u32::from(decision.outcome.is_some());
        } else if let RecordKind::DecisionEnded { id, .. } = &record.kind {
            *outcomes.entry(*id).or_default() += 1;
        }
    }
    assert!(outcomes.values().all(|count| *count <= 1), "a second outcome: {outcomes:?}");
}

fn desk() -> Desk {
    let mut config = models::config();
    config.orchestration.store.segment_records = 150;
    config.execution.account.start.insert(btc().base().clone(), dec("0.2"));
    Desk::with(config)
}

/// A history that was found by chance: what is sold when an answer is lost must not be sold a second time.
#[test]
fn a_flatten_that_is_refused_and_then_unanswered_sells_no_more_than_is_owned() {
    let mut desk = desk();
    for happening in [
        Happening::Signal(0, Action::Buy),
        Happening::Price(30_000),
        Happening::Venue(Mode::Reject),
        Happening::Unconfirmed("flatten --all"),
        Happening::Say("flatten --all"),
        Happening::Price(30_000),
        Happening::Venue(Mode::LoseAnswer),
        Happening::Price(30_000),
        Happening::FillRest,
        Happening::Price(30_000),
    ] {
        happens(&mut desk, &happening);
    }
    let account = &desk.core.durable().account;
    assert!(account.balances().values().all(|balance| !balance.is_sign_negative()), "{account:?}");
    signals_end_once(&desk);
}

proptest! {
    #[test]
    fn the_records_make_the_live_state_whatever_happens(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut desk = desk();
        for happening in happenings {
            let halted = desk.state() == TradingState::Halted;
            let released = matches!(happening, Happening::Say("release done"));
            happens(&mut desk, &happening);
            prop_assert!(!halted || released || desk.state() == TradingState::Halted, "a halt was lost");
            prop_assert!(desk.core.durable().control.state != TradingState::Halted || desk.latch.is_some());
        }
        signals_end_once(&desk);
    }
}
