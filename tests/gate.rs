//! The gate under many threads: what may never happen, whatever the order of events.

#![expect(clippy::unwrap_used, reason = "the helpers of a test stop at the first surprise")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use andon::domain::{DecisionId, Epoch, PlanId, Purpose, Seq, TradingState};
use andon::gate::{AnyPermit, FlattenOrder, Gate, Recorded, Refused, Superseded};
use rstest::rstest;

const THREADS: usize = 8;
const ROUNDS: usize = 1_000;

fn running() -> Gate {
    Gate::new(3, TradingState::Running)
}

fn flatten_order(number: u64) -> FlattenOrder {
    FlattenOrder::new(&Purpose::Flatten { number }, Recorded::Journal(Seq(9))).unwrap()
}

#[test]
fn after_halt_returned_no_entry_permit_is_in_use_or_granted() {
    let gate = Gate::new(1, TradingState::Halted);
    let (halt_returned, stop) = (AtomicBool::new(true), AtomicBool::new(false));
    let (granted, violations) = (AtomicU64::new(0), AtomicU64::new(0));
    let watch = || {
        if halt_returned.load(SeqCst) {
            violations.fetch_add(1, SeqCst);
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    match gate.entry(gate.epoch()) {
                        Ok(permit) => {
                            watch();
                            granted.fetch_add(1, SeqCst);
                            watch();
                            drop(permit);
                        }
                        Err(_) => thread::yield_now(),
                    }
                }
            });
        }
        for round in 0..ROUNDS {
            let before = granted.load(SeqCst);
            halt_returned.store(false, SeqCst);
            gate.open(gate.epoch(), TradingState::Running).unwrap();
            while granted.load(SeqCst) == before {
                thread::yield_now();
            }
            gate.halt();
            halt_returned.store(true, SeqCst);
            let after = granted.load(SeqCst);
            assert_eq!(gate.read().permits_in_use, 0, "round {round}");
            thread::yield_now();
            assert_eq!(
                granted.load(SeqCst),
                after,
                "an entry was granted after halt returned, round {round}"
            );
        }
        stop.store(true, SeqCst);
    });
    assert_eq!(violations.load(SeqCst), 0);
}

#[test]
fn no_epoch_is_given_twice_by_shuttings_at_the_same_time() {
    let gate = running();
    let epochs: Vec<Epoch> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| (0..ROUNDS).map(|_| gate.shut(TradingState::Paused)).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: BTreeSet<_> = epochs.iter().collect();
    assert_eq!(distinct.len(), THREADS * ROUNDS);
    assert_eq!(gate.epoch(), Epoch { run: 3, count: 8_000 });
}

#[test]
fn a_shutting_during_a_resume_always_wins() {
    for _ in 0..ROUNDS {
        let gate = Gate::new(1, TradingState::Paused);
        let seen = gate.epoch();
        thread::scope(|scope| {
            scope.spawn(|| gate.shut(TradingState::Paused));
            let _ = gate.open(seen, TradingState::Running);
        });
        assert_eq!(gate.state(), TradingState::Paused);
    }
}

#[test]
fn opening_with_a_stale_epoch_is_refused_and_changes_nothing() {
    let gate = Gate::new(1, TradingState::Paused);
    let seen = gate.epoch();
    let current = gate.shut(TradingState::Paused);
    assert_eq!(gate.open(seen, TradingState::Running), Err(Superseded { seen, current }));
    assert_eq!(gate.state(), TradingState::Paused);
    assert_eq!(gate.open(current, TradingState::Running), Ok(current));
    assert_eq!(gate.state(), TradingState::Running);
}

#[test]
fn shutting_only_tightens_and_begins_an_epoch_every_time() {
    let gate = running();
    let halted = gate.shut(TradingState::Halted);
    let again = gate.shut(TradingState::Paused);
    assert_eq!(gate.state(), TradingState::Halted);
    assert!(again > halted);
}

#[test]
fn opening_to_something_stricter_voids_what_was_approved() {
    let gate = running();
    let approved = gate.epoch();
    let paused = gate.open(approved, TradingState::Paused).unwrap();
    gate.open(paused, TradingState::Running).unwrap();
    assert_eq!(gate.entry(approved).unwrap_err(), Refused::Epoch { approved, current: paused });
}

#[test]
fn an_entry_that_was_approved_before_a_pause_is_refused_after_the_resume() {
    let gate = running();
    let approved = gate.epoch();
    let current = gate.shut(TradingState::Paused);
    assert_eq!(gate.entry(approved).unwrap_err(), Refused::State(TradingState::Paused));
    gate.open(current, TradingState::Running).unwrap();
    assert_eq!(gate.entry(approved).unwrap_err(), Refused::Epoch { approved, current });
    assert!(gate.entry(current).is_ok());
}

#[rstest]
#[case(TradingState::Running, true, true)]
#[case(TradingState::Paused, false, true)]
#[case(TradingState::Halted, false, false)]
fn each_state_admits_its_kinds_and_always_a_flatten(
    #[case] state: TradingState,
    #[case] entry: bool,
    #[case] reduce: bool,
) {
    let gate = Gate::new(1, state);
    assert_eq!(gate.entry(gate.epoch()).is_ok(), entry);
    assert_eq!(gate.reduce().is_ok(), reduce);
    assert!(gate.flatten(flatten_order(1)).is_ok());
}

#[test]
fn permits_are_counted_and_given_back() {
    let gate = running();
    let (entry, reduce) = (gate.entry(gate.epoch()).unwrap(), gate.reduce().unwrap());
    let flatten = gate.flatten(flatten_order(1)).unwrap();
    assert_eq!(gate.read().permits_in_use, 3);
    drop((entry, reduce));
    assert_eq!(gate.read().permits_in_use, 1);
    drop(flatten);
    assert_eq!(gate.read().permits_in_use, 0);
    assert_eq!(gate.state(), TradingState::Running);
}

#[test]
fn a_panic_during_the_hand_over_gives_the_permit_back() {
    let gate = running();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _permit = gate.reduce().unwrap();
        panic!("the connection broke");
    }));
    assert!(result.is_err());
    gate.halt();
    assert_eq!(gate.read().permits_in_use, 0);
}

#[test]
fn halt_waits_for_the_permit_that_is_in_use() {
    let gate = running();
    let (taken, given_back) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let permit = gate.entry(gate.epoch()).unwrap();
            taken.store(true, SeqCst);
            // The halt has begun, and cannot return before this thread goes on.
            while gate.state() != TradingState::Halted {
                thread::yield_now();
            }
            given_back.store(true, SeqCst);
            drop(permit);
        });
        while !taken.load(SeqCst) {
            thread::yield_now();
        }
        gate.halt();
        assert!(given_back.load(SeqCst));
    });
}

#[test]
fn clones_are_the_same_gate() {
    let gate = running();
    gate.clone().shut(TradingState::Halted);
    assert_eq!(gate.state(), TradingState::Halted);
}

#[test]
fn only_a_flatten_or_an_emergency_reduction_gets_the_pass_through_a_halt() {
    let pass = |purpose| FlattenOrder::new(&purpose, Recorded::BesideLatch).is_some();
    assert!(pass(Purpose::Flatten { number: 1 }) && pass(Purpose::Reduce { number: 1 }));
    assert!(!pass(Purpose::Entry { decision: DecisionId(1) }));
    assert!(!pass(Purpose::Exit { decision: DecisionId(1) }));
    assert!(!pass(Purpose::Leg { plan: PlanId(1), leg: 0 }));
}

#[rstest]
#[case::entry(Purpose::Entry { decision: DecisionId(1) }, [true, false, false])]
#[case::leg(Purpose::Leg { plan: PlanId(1), leg: 0 }, [true, false, false])]
#[case::exit(Purpose::Exit { decision: DecisionId(1) }, [false, true, false])]
#[case::reduce(Purpose::Reduce { number: 7 }, [false, true, true])]
#[case::flatten(Purpose::Flatten { number: 7 }, [false, true, true])]
#[case::another_flatten(Purpose::Flatten { number: 8 }, [false, true, false])]
fn a_permit_admits_only_the_purposes_of_its_kind(#[case] purpose: Purpose, #[case] expected: [bool; 3]) {
    let gate = running();
    let permits: [AnyPermit<'_>; 3] = [
        gate.entry(gate.epoch()).unwrap().into(),
        gate.reduce().unwrap().into(),
        gate.flatten(flatten_order(7)).unwrap().into(),
    ];
    assert_eq!(permits.map(|permit| permit.admits(&purpose)), expected);
}
