//! The process is gone at one step of a leg, whatever the venue made of it: the next start neither loses the leg nor
//! sends it twice. The steps and the venue's faults are arranged by variables that only a debug build knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use andon::alarm::{AlarmKey, AlarmSource, Subject};
use andon::coordinator::dca::{LegState, LegTransition, PlanTransition};
use andon::coordinator::record::{Record, RecordKind};
use andon::domain::{ClientOrderId, Command as Operation, CommandOutcome, TradingState};

use super::orders::{intended, sent_blindly};
use super::place::{Data, Place, booked, text};
use super::replay::replay;
use super::side_by_side::side_by_side;

/// Before and after each, the process ends.
const STEPS: [&str; 7] = ["plan", "due", "intent", "gate", "sent", "outcome", "fill"];
/// What the venue makes of the first leg: it never gets it, says that it took it and tells the execution later, loses
/// its answer, executes it at once, refuses it.
const VENUES: [&str; 5] = ["deaf", "slow", "mute", "filling", "refusing"];
/// A plan of four legs, two at once and two a moment later, sent as soon as the program is up, and no other order.
const RUN: [&str; 15] = [
    "--no-console",
    "--speed",
    "600",
    "--set",
    "portfolio.dca.legs_max=2",
    "--set",
    "portfolio.dca.spacing=2m",
    "--set",
    "agents.trading_decision.confidence_min=1",
    "--set",
    "orchestration.control.restart=last",
    "--for",
    "5h",
    "--color",
    "never",
];
const LEGS: usize = 4;
/// When the operator tries, minutes after the start: the venue answers when it does.
const ROUNDS: [u32; 7] = [4, 8, 16, 32, 64, 128, 256];
/// How often a run is looked at before it counts as one that hangs: 30 s at least.
const ROUNDS_MAX: u32 = 3_000;
const SIGABRT: i32 = 6;

#[derive(Debug, Clone, Copy)]
struct Case {
    step: &'static str,
    side: &'static str,
    venue: &'static str,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gone {} {}, venue {}", self.side, self.step, self.venue)
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for step in STEPS {
        for side in ["before", "after"] {
            cases.extend(VENUES.map(|venue| Case { step, side, venue }));
        }
    }
    cases
}

#[test]
fn a_leg_is_neither_lost_nor_sent_twice_wherever_the_process_ends_and_whatever_the_venue_does() {
    let cases = cases();
    let judged = side_by_side(cases.len(), |n| {
        crash_and_drain(cases[n]).map_err(|why| format!("{}: {why}", cases[n]))
    });
    let failures: Vec<_> = judged.into_iter().filter_map(Result::err).collect();
    println!("{} cases, {} failed", cases.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Where a leg is on its way when the process ends, so that the next start has to ask for it.
const ON_ITS_WAY: [(&str, &str); 6] = [
    ("intent", "after"),
    ("gate", "before"),
    ("gate", "after"),
    ("sent", "before"),
    ("sent", "after"),
    ("outcome", "before"),
];

#[test]
fn a_leg_that_the_venue_does_not_answer_for_at_the_start_halts_and_is_sent_by_nobody_until_it_does() {
    let cases: Vec<_> = ON_ITS_WAY
        .into_iter()
        .flat_map(|(step, side)| ["deaf", "filling"].map(|venue| Case { step, side, venue }))
        .collect();
    let judged = side_by_side(cases.len(), |n| {
        crash_ask_in_vain_and_drain(cases[n]).map_err(|why| format!("{}: {why}", cases[n]))
    });
    let failures: Vec<_> = judged.into_iter().filter_map(Result::err).collect();
    println!("{} cases of a start without answers, {} failed", cases.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The run that is cut off, one that cannot ask, and the one that finishes the plan after a release.
fn crash_ask_in_vain_and_drain(case: Case) -> Result<(), String> {
    let place = Place::new();
    let data = place.data();
    let args: Vec<_> = RUN.into_iter().chain(["--data-dir", data.arg()]).collect();
    crash(&place, &args, case)?;
    let before = data.records_so_far().len();

    let mut second = place.command(&args);
    second.env("ANDON_VENUE", "unreachable");
    let has_halted = |records: &[Record]| {
        records[before..].iter().any(|record| {
            matches!(&record.kind, RecordKind::StateChanged { to: TradingState::Halted, reason, .. }
                if reason.as_str().contains("is still Unknown after reconciliation"))
        })
    };
    let status = wait(&mut second, || has_halted(&data.records_so_far()))?;
    let records = data.records();
    let state = replay(&records, "halted");
    let legs = state.plans.open().flat_map(|plan| &plan.legs);
    let unknown: Vec<_> =
        legs.filter(|leg| leg.state == LegState::Unknown).map(|leg| leg.client_id).collect();
    if !status.success() || !has_halted(&records) || unknown.is_empty() {
        return Err(format!("{status}; halted: {}, Unknown: {unknown:?}", has_halted(&records)));
    }
    let is_named = |client_id: &ClientOrderId| {
        let key = AlarmKey::about(AlarmSource::OrderUnknown, Subject::Order(*client_id));
        state.alarms.listed().into_iter().any(|alarm| alarm.key == key)
    };
    let sent = intended(&records[before..]);
    if !unknown.iter().all(is_named) || unknown.iter().any(|client_id| sent.contains(client_id)) {
        return Err(format!("Unknown {unknown:?}, without an alarm, or among those sent: {sent:?}"));
    }

    let script = place.write(
        "release.yaml",
        &again_and_again(
            &ROUNDS,
            &[
                "ack_alarm all looked at it",
                "release the venue answers again",
                "resume",
                "run_leg p1/0",
                "run_leg p1/1",
                "run_leg p1/2",
                "run_leg p1/3",
            ],
        ),
    );
    let mut third = place.command(&args);
    third.arg("--operator-script").arg(script);
    let status = wait(&mut third, || is_drained(&data.records_so_far()))?;
    if !status.success() {
        return Err(format!("the third run ended with {status}"));
    }
    judge(&data)
}

/// A run that ends at once where the case wants it.
fn crash(place: &Place, args: &[&str], case: Case) -> Result<(), String> {
    let mut first = place.command(args);
    first.env("ANDON_ABORT", format!("{}:{}", case.step, case.side)).env("ANDON_VENUE", case.venue);
    let status = wait(&mut first, || false)?;
    if status.signal() == Some(SIGABRT) { Ok(()) } else { Err(format!("it was to end there, but: {status}")) }
}

/// The run that is cut off, the one that finishes the plan, and what both left.
fn crash_and_drain(case: Case) -> Result<(), String> {
    let place = Place::new();
    let data = place.data();
    let args: Vec<_> = RUN.into_iter().chain(["--data-dir", data.arg()]).collect();
    crash(&place, &args, case)?;
    let was_intended = intended(&data.records_so_far());
    let past_the_intent = ["gate", "sent", "outcome", "fill"].contains(&case.step);
    if was_intended.is_empty() == past_the_intent || !was_intended.is_superset(&data.venue_orders()) {
        return Err(format!("intended {was_intended:?}, at the venue {:?}", data.venue_orders()));
    }
    // The operator lets a refused leg run again and, where the start came late, those that are not the newest any more.
    let refused = again_and_again(&ROUNDS, &["run_leg p1/0"]);
    let late = again_and_again(&[130, 258], &["run_leg p1/1", "run_leg p1/2", "run_leg p1/3"]);
    let script = place.write("again.yaml", &(refused + &late));
    let mut second = place.command(&args);
    second.arg("--operator-script").arg(script);
    let status = wait(&mut second, || is_drained(&data.records_so_far()))?;
    if !status.success() {
        return Err(format!("the second run ended with {status}"));
    }
    if let Some(leg) = helped(&data.records()) {
        return Err(format!("p1/{leg} would not have run by itself, and waited for nobody"));
    }
    judge(&data)
}

/// An operator script of these commands, each given in every round. One that there is nothing to do for is refused in
/// its turn.
fn again_and_again(rounds: &[u32], commands: &[&str]) -> String {
    let line = |minute, command| format!("- {{ at: {minute}m, do: {command} }}\n");
    let lines = rounds.iter().flat_map(|minute| commands.iter().map(move |command| line(minute, command)));
    lines.collect::<Vec<_>>().concat()
}

/// A leg behind the first that the operator ran although it had not been left to the operator.
fn helped(records: &[Record]) -> Option<u16> {
    let (mut left, mut asked) = (BTreeSet::from([0]), BTreeMap::new());
    for record in records {
        match &record.kind {
            RecordKind::Plan(PlanTransition::Leg { id, transition: LegTransition::Waiting { .. } }) => {
                left.insert(id.leg);
            }
            RecordKind::CommandRequested { id, command: Operation::RunLeg { leg, .. } } => {
                asked.insert(*id, *leg);
            }
            RecordKind::CommandEnded { id, outcome: CommandOutcome::Done { .. }, .. } => {
                let leg = asked.get(id).filter(|leg| !left.contains(leg));
                if leg.is_some() {
                    return leg.copied();
                }
            }
            _ => {}
        }
    }
    None
}

/// Runs it until it ends by itself, or is interrupted because the end has come.
fn wait(command: &mut Command, is_over: impl Fn() -> bool) -> Result<std::process::ExitStatus, String> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut interrupted = false;
    for _ in 0..ROUNDS_MAX {
        if let Some(status) = child.try_wait().unwrap() {
            let mut said = String::new();
            std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
            return if status.code().is_some_and(|code| code != 0) { Err(said) } else { Ok(status) };
        }
        if !interrupted && is_over() {
            let pid = child.id().to_string();
            interrupted = Command::new("kill").args(["-INT", &pid]).status().unwrap().success();
        }
        // Another process is waited for; it tells nobody.
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    Err(format!("it hangs: {}", text(&output.stderr)))
}

fn is_drained(records: &[Record]) -> bool {
    if records.iter().all(|record| record.run < 2) {
        return false;
    }
    let plans = replay(records, "while it drains").plans;
    plans.open().next().is_none() && plans.finished().next().is_some()
}

/// Nothing lost, nothing double: by the journal's plan, the venue's own book, and the account.
fn judge(data: &Data) -> Result<(), String> {
    let records = data.records();
    let state = replay(&records, "drained");
    let plans: Vec<_> = state.plans.open().chain(state.plans.finished()).collect();
    let [plan] = plans.as_slice() else { return Err(format!("{} plans", plans.len())) };
    let at_venue = data.venue_orders();
    let legs: BTreeMap<ClientOrderId, LegState> =
        plan.legs.iter().map(|leg| (leg.client_id, leg.state)).collect();
    if legs.len() != LEGS || legs.values().any(|state| *state != LegState::Filled) {
        return Err(format!("lost: {legs:?}"));
    }
    if legs.keys().any(|id| !at_venue.contains(id)) || at_venue.len() != legs.len() {
        return Err(format!("the venue has {at_venue:?}, the plan {legs:?}"));
    }
    let fills = data.venue_fills();
    if booked(&records) != fills || fills.len() != legs.len() {
        return Err(format!("executed at the venue {fills:?}, booked {:?}", booked(&records)));
    }
    sent_blindly(&records).map_or(Ok(()), |id| Err(format!("{id} was sent again without asking")))?;
    data.assert_verifies();
    Ok(())
}
