//! Trading state, gate, confirmations.

use super::super::block::Block;
use super::super::effect::Effect;
use super::super::input::{Confirmation, Input};
use super::super::record::RecordKind;
use super::super::snapshot::HealthStatus;
use super::*;
use crate::domain::{Actor, CommandId};

fn is_state_record(effect: &Effect) -> bool {
    matches!(effect, Effect::Record(record) if matches!(record.kind, RecordKind::StateChanged { .. }))
}

#[test]
fn a_fresh_installation_is_running_and_its_first_candle_opens_entries() {
    let mut desk = Desk::before_start(Config::defaults().unwrap());
    desk.tell(Input::Started(Box::new(started(1))));
    assert_eq!(desk.state(), TradingState::Running);
    assert_eq!(desk.core.entries(&btc(), desk.now)[0].code, ReasonCode::FeedStale);
    desk.candles();
    assert_eq!(desk.core.entries(&btc(), desk.now), []);
}

#[test]
fn halting_shuts_the_gate_sets_the_latch_and_cancels_before_the_record() {
    let mut desk = Desk::new();
    assert!(desk.say_unconfirmed("halt smoke").is_done());
    let gate = desk.place(|effect| matches!(effect, Effect::ShutGate { to: TradingState::Halted, .. }));
    let latch = desk.place(|effect| matches!(effect, Effect::SetLatch { .. }));
    let cancel = desk.place(|effect| matches!(effect, Effect::CancelAll));
    let record = desk.place(is_state_record);
    assert!(gate < latch && latch < cancel && cancel < record);
    assert_eq!(desk.state(), TradingState::Halted);
    assert_eq!(desk.latch.as_ref().unwrap().as_str(), "smoke");
}

#[test]
fn pausing_is_at_once_and_stops_nothing_but_entries() {
    let mut desk = Desk::new().with_lot(&btc());
    assert!(desk.say_unconfirmed("pause lunch").is_done());
    assert_eq!(desk.state(), TradingState::Paused);
    assert_eq!(desk.signal(&xrp(), Action::Buy).outcome, Some(Outcome::Ignored));
    assert_eq!(desk.signal(&btc(), Action::Close).outcome, Some(Outcome::Filled));
}

#[test]
fn a_pause_never_loosens_a_halt() {
    let mut desk = Desk::new();
    desk.say("halt");
    assert!(desk.say_unconfirmed("pause").is_done());
    assert_eq!(desk.state(), TradingState::Halted);
}

#[test]
fn a_pause_while_paused_moves_the_gate_on_and_what_follows_can_still_be_confirmed() {
    let mut desk = Desk::new();
    desk.say("pause");
    // Whoever asks shuts the gate before the core hears of it.
    desk.gate.shut(TradingState::Paused);
    assert!(desk.say_unconfirmed("pause lunch").is_done());
    let resume = desk.say("resume");
    assert!(resume.is_done(), "{resume:?}");
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Running, TradingState::Running));
}

#[test]
fn a_venue_that_has_failed_pauses_and_is_an_emergency() {
    let mut desk = Desk::new();
    desk.tell(Input::VenueFailed { error: SafeText::ours("no space left") });
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Paused, TradingState::Paused));
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::VenueFailed)), AlarmState::Unacknowledged);
}

#[test]
fn the_health_of_the_journal_is_that_of_the_last_write() {
    let mut desk = Desk::new();
    let journal = |desk: &mut Desk| {
        desk.pass(secs(120));
        let rows = std::sync::Arc::clone(&desk.snapshot().health);
        rows.iter().find(|row| row.what.as_str() == "journal").unwrap().status
    };
    assert_eq!(journal(&mut desk), HealthStatus::Ok);
    desk.tell(Input::StoreFailed { error: SafeText::ours("no space left") });
    assert_eq!(journal(&mut desk), HealthStatus::Failed);
}

#[test]
fn pause_then_resume_is_no_way_around_a_halt() {
    let mut desk = Desk::new();
    desk.say("halt");
    desk.say("pause");
    let resume = desk.say("resume");
    assert!(!resume.is_done(), "{resume:?}");
    assert_eq!(desk.state(), TradingState::Halted);
    assert!(desk.latch.is_some());
}

#[test]
fn a_resume_wants_a_confirmation_of_the_present_epoch() {
    let mut desk = Desk::new();
    desk.say("pause");
    assert!(!desk.say_unconfirmed("resume").is_done());
    let stale = desk.confirmed();
    desk.say("pause again");
    let epoch = desk.gate.shut(TradingState::Paused);
    let (to, by, reason) = (TradingState::Paused, Actor::Watchdog, SafeText::ours("stuck"));
    desk.tell(Input::GateShut { epoch, to, by, reason });
    desk.acknowledge();
    let id = desk.order(Command::Resume, stale);
    assert!(!desk.replies[&id].is_done());
    assert!(desk.say("resume").is_done());
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Running, TradingState::Running));
    assert_eq!(desk.core.entries(&btc(), desk.now), []);
}

#[test]
fn whoever_asked_is_answered_behind_the_record_of_the_answer() {
    let mut desk = Desk::new();
    for words in ["note hello", "pause lunch", "resume"] {
        desk.say(words);
        let record = desk.place(
            |effect| matches!(effect, Effect::Record(it) if matches!(it.kind, RecordKind::CommandEnded { .. })),
        );
        assert!(record < desk.place(|effect| matches!(effect, Effect::Reply { .. })), "{words}");
    }
}

#[test]
fn the_gate_is_asked_to_open_behind_the_record_of_what_opens_it() {
    let mut desk = Desk::new();
    for (halt, open) in [("halt smoke", "release no fire"), ("pause lunch", "resume")] {
        desk.say(halt);
        assert!(desk.say(open).is_done());
        let record = desk.place(is_state_record);
        assert!(record < desk.place(|effect| matches!(effect, Effect::OpenGate { .. })), "{open}");
    }
}

#[test]
fn a_resume_is_refused_while_an_emergency_is_unacknowledged() {
    let mut desk = Desk::new();
    desk.tell(Input::Panicked { what: SafeText::ours("webhook") });
    assert_eq!(desk.state(), TradingState::Paused);
    assert!(!desk.say("resume").is_done());
    desk.acknowledge();
    assert!(desk.say("resume").is_done());
}

#[test]
fn entries_stay_blocked_until_the_gate_has_answered_a_resume() {
    let mut desk = Desk::new();
    desk.say("pause");
    desk.hold_opening = true;
    let confirmation = desk.confirmed();
    let id = desk.order(Command::Resume, confirmation);
    assert!(!desk.replies.contains_key(&id), "answered before the gate");
    assert_eq!(desk.signal(&btc(), Action::Buy).reasons, [ReasonCode::Paused]);
    desk.let_go();
    assert!(desk.replies[&id].is_done());
    assert_eq!(desk.signal(&btc(), Action::Buy).outcome, Some(Outcome::Filled));
}

/// A resume that waits for the gate, which the watchdog shuts meanwhile.
fn lost_race(heard_first: bool) -> (Desk, CommandId) {
    let mut desk = Desk::new();
    desk.say("pause");
    desk.hold_opening = true;
    let confirmation = desk.confirmed();
    let id = desk.order(Command::Resume, confirmation);
    let epoch = desk.gate.shut(TradingState::Paused);
    let (to, by, reason) = (TradingState::Paused, Actor::Watchdog, SafeText::ours("stuck"));
    let shut = Input::GateShut { epoch, to, by, reason };
    if heard_first {
        desk.tell(shut);
        desk.let_go();
    } else {
        desk.let_go();
        desk.tell(shut);
    }
    (desk, id)
}

#[test]
fn a_resume_that_lost_the_race_goes_back_to_paused() {
    for heard_first in [true, false] {
        let (desk, id) = lost_race(heard_first);
        assert!(!desk.replies[&id].is_done());
        assert_eq!((desk.state(), desk.gate.state()), (TradingState::Paused, TradingState::Paused));
        assert!(desk.latch.is_none(), "a lost resume is no halt");
    }
}

#[test]
fn a_rule_that_pauses_while_the_gate_opens_wins() {
    let mut desk = Desk::new();
    desk.say("pause");
    desk.hold_opening = true;
    let confirmation = desk.confirmed();
    let id = desk.order(Command::Resume, confirmation);
    desk.tell(Input::ProcessGap { length: secs(60) });
    desk.let_go();
    assert!(!desk.replies[&id].is_done());
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Paused, TradingState::Paused));
}

#[test]
fn a_release_wants_its_preflight_a_reason_and_the_code() {
    let mut desk = Desk::new();
    desk.tell(Input::Panicked { what: SafeText::ours("webhook") });
    desk.say("halt");
    let refused = desk.say("release fixed");
    assert!(format!("{refused:?}").contains("every Emergency acknowledged"), "{refused:?}");
    desk.acknowledge();

    let confirmation = desk.confirmed();
    let no_reason = desk.order(Command::Release { reason: " ".to_owned() }, confirmation);
    assert!(!desk.replies[&no_reason].is_done());
    let (epoch, shown_at) = match desk.confirmed() {
        Confirmation::Given { epoch, shown_at, .. } => (epoch, shown_at),
        other => panic!("{other:?}"),
    };
    for code in [None, Some("????".to_owned())] {
        let release = Command::Release { reason: "fixed".to_owned() };
        let id = desk.order(release, Confirmation::Given { epoch, shown_at, code });
        assert!(!desk.replies[&id].is_done());
    }
    assert_eq!(desk.state(), TradingState::Halted);

    assert!(desk.say("release fixed").is_done());
    assert_eq!((desk.state(), desk.gate.state()), (TradingState::Paused, TradingState::Paused));
    assert!(desk.latch.is_none());
    assert!(desk.core.durable().control.halt_reasons.is_empty());
}

#[test]
fn a_release_code_grows_old_and_is_void_after_another_halt() {
    let mut desk = Desk::new();
    desk.say("halt");
    let release = || Command::Release { reason: "fixed".to_owned() };
    let early = desk.confirmed();
    desk.pass(secs(31));
    let id = desk.order(release(), early);
    assert!(!desk.replies[&id].is_done(), "older than 30 s");
    let before = desk.confirmed();
    desk.say("halt again");
    let id = desk.order(release(), before);
    assert!(!desk.replies[&id].is_done(), "another reason came");
    assert_eq!(desk.core.durable().control.halt_reasons.len(), 2);
    assert!(desk.say("release fixed").is_done());
}

#[test]
fn a_release_that_lost_the_race_is_halted_again() {
    let mut desk = Desk::new();
    desk.say("halt");
    desk.hold_opening = true;
    let confirmation = desk.confirmed();
    let id = desk.order(Command::Release { reason: "fixed".to_owned() }, confirmation);
    desk.gate.shut(TradingState::Halted);
    desk.let_go();
    assert!(!desk.replies[&id].is_done());
    assert_eq!(desk.state(), TradingState::Halted);
    assert!(desk.latch.is_some());
}

#[test]
fn a_resume_waits_until_the_release_is_through() {
    let mut desk = Desk::new();
    desk.say("halt");
    desk.hold_opening = true;
    let confirmation = desk.confirmed();
    let release = desk.order(Command::Release { reason: "fixed".to_owned() }, confirmation);
    assert!(!desk.say("resume").is_done());
    desk.let_go();
    assert!(desk.replies[&release].is_done());
    assert!(desk.say("resume").is_done());
}

#[test]
fn a_halt_that_went_past_the_core_is_recorded_by_name() {
    let mut desk = Desk::new();
    let epoch = desk.gate.shut(TradingState::Halted);
    let by = Actor::Operator { user: "kim".to_owned(), uid: 501, name: None };
    let reason = SafeText::ours("by signal");
    desk.tell(Input::GateShut { epoch, to: TradingState::Halted, by: by.clone(), reason });
    assert_eq!(desk.state(), TradingState::Halted);
    assert_eq!(desk.core.durable().control.by, by);
    assert!(desk.latch.is_some());
}

#[test]
fn a_stuck_core_and_a_gap_are_alarms_that_wait_to_be_seen() {
    let mut desk = Desk::new();
    desk.tell(Input::ProcessGap { length: secs(75) });
    assert_eq!(desk.state(), TradingState::Paused);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::ProcessGap)), AlarmState::ReturnedUnacknowledged);
    desk.acknowledge();
    assert!(desk.say("resume").is_done());
    let epoch = desk.gate.shut(TradingState::Paused);
    let (to, by, reason) = (TradingState::Paused, Actor::Watchdog, SafeText::ours("no step for 3 s"));
    desk.tell(Input::GateShut { epoch, to, by, reason });
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::CoreStuck)), AlarmState::LatchedUnacknowledged);
    let codes = |blocks: Vec<Block>| blocks.iter().map(|block| block.code).collect::<Vec<_>>();
    assert_eq!(codes(desk.core.entries(&btc(), desk.now)), [ReasonCode::Paused, ReasonCode::Watchdog]);
    let resume = desk.snapshot().control.resume.clone().unwrap();
    assert!(resume.blocks_after.is_empty(), "a resume ends both: {resume:?}");
}

#[test]
fn every_command_is_recorded_as_requested_and_as_ended() {
    let mut desk = Desk::new();
    for words in ["pause", "resume", "run_task no_such_task", "lock_symbol BTC/USDT", "note all quiet"] {
        desk.say(words);
    }
    let count = |wanted: &str| desk.records.iter().filter(|record| record.kind.name() == wanted).count();
    assert_eq!((count("command_requested"), count("command_ended")), (5, 5));
}

#[test]
fn a_command_that_still_waits_is_refused_when_the_program_ends() {
    let mut desk = Desk::new();
    desk.say("pause");
    desk.hold_opening = true;
    let confirmation = desk.confirmed();
    let id = desk.order(Command::Resume, confirmation);
    desk.tell(Input::Stop { reason: SafeText::ours("quit") });
    assert!(!desk.replies[&id].is_done());
    assert_eq!(desk.records.last().unwrap().kind.name(), "run_ended");
    assert_eq!(desk.core.next_due(), Due::default());
}

/// Everything durable but the numbers that every command moves.
fn but_for_numbers(desk: &Desk) -> durable::Durable {
    let mut state = desk.core.durable().clone();
    state.seq = crate::domain::Seq(0);
    state.last_command = CommandId(0);
    state
}

#[test]
fn what_loosens_says_first_what_it_would_do_and_changes_nothing() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.say_unconfirmed("lock_symbol XRP/USDT");
    desk.say_unconfirmed("disable_task sentiment_analysis");
    desk.say_unconfirmed("force_level LIMITED --until 3h drill");
    desk.say_unconfirmed("pause lunch");
    for (words, expected) in [
        ("resume", "PAUSED becomes RUNNING; possible within the next hour: "),
        ("flatten", "sells "),
        (
            "unlock_symbol XRP/USDT",
            "entries of XRP/USDT are possible again, once the trading state allows any",
        ),
        ("enable_task sentiment_analysis", "sentiment_analysis runs again when it is due"),
        ("run_task technical_analysis", "runs technical_analysis now, for all it runs for"),
        ("clear_level done", "LEVEL LIMITED becomes NORMAL; LEVEL LIMITED forced until 13:"),
        ("force_level LIMITED --until 1h less", "LEVEL stays LIMITED; LEVEL LIMITED forced until 13:"),
        ("force_level REDUCED less", "LEVEL LIMITED becomes REDUCED; LEVEL LIMITED forced until 13:"),
        ("reset_failures done", "LEVEL stays LIMITED; "),
    ] {
        let before = but_for_numbers(&desk);
        let outcome = desk.say_unconfirmed(words);
        let CommandOutcome::Preview { would, code } = &outcome else { panic!("{words}: {outcome:?}") };
        assert!(would.as_str().starts_with(expected), "{words}: {would}");
        assert_eq!(code.is_some(), words == "flatten", "{words}");
        assert_eq!(but_for_numbers(&desk), before, "{words} changed something");
    }
}

#[test]
fn what_cannot_be_done_is_refused_before_anybody_confirms_it() {
    let mut desk = Desk::new();
    for (words, expected) in [
        ("resume", "already RUNNING"),
        ("release fixed", "not HALTED"),
        ("flatten", "nothing is held"),
        ("unlock_symbol BTC/USDT", "BTC/USDT is not locked"),
        ("run_task nonsense", "nonsense"),
        ("clear_level done", "no level is forced"),
        ("rearm_breaker daily_loss done", "daily_loss is armed: nothing to do"),
        ("run_leg 9/1", "9/1"),
        ("reset_alarm a1", "no alarm a1 is known"),
    ] {
        let outcome = desk.say_unconfirmed(words);
        let CommandOutcome::Refused { why } = &outcome else { panic!("{words}: {outcome:?}") };
        assert!(why.as_str().contains(expected), "{words}: {why}");
    }
}

#[test]
fn a_resume_names_the_decisions_to_come_only_where_the_level_lets_them_run() {
    for (stops_from, is_named) in [(Level::Emergency, true), (Level::Limited, false)] {
        let mut config = Config::defaults().unwrap();
        let tasks = &mut config.orchestration.schedules.tasks;
        tasks.get_mut(&TaskName::TradingDecision).unwrap().stops_from = Some(stops_from);
        let mut desk = Desk::with(config);
        assert!(desk.say("force_level LIMITED").is_done());
        assert!(desk.say("pause").is_done());
        let preview = format!("{:?}", desk.say_unconfirmed("resume"));
        assert_eq!(preview.contains("trading decisions of all symbols"), is_named, "{stops_from}: {preview}");
    }
}
