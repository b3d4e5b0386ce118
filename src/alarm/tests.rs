//! Every (state, event) cell by name, and what must hold over any sequence of events.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::{Actor, AlarmId, AlarmTarget, Now, SafeText, Symbol, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Latched, Emergency.
const LATCHED: AlarmSource = AlarmSource::BreakerTripped;
/// Not latched, High.
const PLAIN: AlarmSource = AlarmSource::FeedStale;

fn ana() -> Actor {
    Actor::Operator { user: "ana".to_owned(), uid: 1_000, name: None }
}

/// One machine with one alarm, driven by hand.
struct Panel {
    catalogue: Catalogue,
    alarms: Alarms,
    now: Timestamp,
    key: AlarmKey,
    heard: Vec<Annunciation>,
    said_until: Timestamp,
}

impl Panel {
    fn new(source: AlarmSource) -> Self {
        Self {
            catalogue: Catalogue::embedded().unwrap(),
            alarms: Alarms::default(),
            now: Timestamp::from_secs(1_000_000),
            key: AlarmKey::of(source),
            heard: Vec::new(),
            said_until: Timestamp::from_secs(1_000_000),
        }
    }

    /// A machine whose alarm has been brought into `state`.
    fn at(source: AlarmSource, state: AlarmState) -> Self {
        let mut panel = Self::new(source);
        match state {
            AlarmState::Normal => {}
            AlarmState::Unacknowledged => panel.raise(),
            AlarmState::Acknowledged => {
                panel.raise();
                panel.ack();
            }
            AlarmState::ReturnedUnacknowledged | AlarmState::LatchedUnacknowledged => {
                panel.raise();
                panel.clear();
            }
            AlarmState::LatchedAcknowledged => {
                panel.raise();
                panel.ack();
                panel.clear();
            }
        }
        assert_eq!(panel.state(), state);
        panel.heard.clear();
        panel
    }

    fn feed(&mut self, event: &AlarmEvent) -> Result<usize, AlarmRefusal> {
        let transitions = self.alarms.step(&self.catalogue, event, Now::both(self.now))?;
        for transition in &transitions {
            self.alarms.apply(transition);
            self.heard.extend(transition.annunciation());
        }
        Ok(transitions.len())
    }

    fn raise_with(&mut self, cause: &str, at_least: Option<AlarmClass>) -> usize {
        let mut raise = Raise::new(self.key.clone(), SafeText::ours(cause), SafeText::ours(self.now));
        raise.at_least = at_least;
        self.feed(&AlarmEvent::Raise(raise)).unwrap()
    }

    fn raise(&mut self) {
        self.raise_with("cause", None);
    }

    fn clear(&mut self) {
        self.feed(&AlarmEvent::Clear { key: self.key.clone() }).unwrap();
    }

    fn ack_as(&mut self, id: AlarmId, by: Actor, comment: &str) -> Result<usize, AlarmRefusal> {
        let target = AlarmTarget::One(id);
        self.feed(&AlarmEvent::Acknowledge { target, by, comment: comment.to_owned() })
    }

    fn ack(&mut self) {
        self.ack_as(self.id(), ana(), "1").unwrap();
    }

    fn reset(&mut self) -> Result<usize, AlarmRefusal> {
        let target = AlarmTarget::One(self.id());
        self.feed(&AlarmEvent::Reset { target, by: ana() })
    }

    fn tick_after(&mut self, span: Duration) -> usize {
        self.now = self.now.plus(span);
        let since = std::mem::replace(&mut self.said_until, self.now);
        self.feed(&AlarmEvent::Tick { since }).unwrap()
    }

    fn restart(&mut self) -> usize {
        self.said_until = self.now;
        self.feed(&AlarmEvent::Restart).unwrap()
    }

    fn state(&self) -> AlarmState {
        self.alarms.state(&self.key)
    }

    fn alarm(&self) -> &Alarm {
        self.alarms.get(&self.key).unwrap()
    }

    fn id(&self) -> AlarmId {
        self.alarm().id
    }
}

// --- A, normal ----------------------------------------------------------------------------------------------------

#[test]
fn a_normal_raise_is_a_new_unacknowledged_occurrence() {
    let mut panel = Panel::at(PLAIN, AlarmState::Normal);
    panel.raise();
    assert_eq!((panel.state(), panel.id(), panel.alarm().count), (AlarmState::Unacknowledged, AlarmId(1), 1));
    assert_eq!(panel.heard, [Annunciation::New]);
}

#[test]
fn a_normal_ack_of_an_id_never_given_is_unknown() {
    let mut panel = Panel::at(PLAIN, AlarmState::Normal);
    assert_eq!(panel.ack_as(AlarmId(1), ana(), "x"), Err(AlarmRefusal::Unknown(AlarmId(1))));
    assert_eq!(panel.ack_as(AlarmId(0), ana(), "x"), Err(AlarmRefusal::Unknown(AlarmId(0))));
}

#[test]
fn a_normal_clear_time_and_restart_change_nothing() {
    let mut panel = Panel::at(PLAIN, AlarmState::Normal);
    panel.clear();
    assert_eq!((panel.tick_after(HOUR * 100), panel.restart()), (0, 0));
    assert_eq!(panel.state(), AlarmState::Normal);
}

#[test]
fn a_normal_reset_says_that_it_is_over() {
    let mut panel = Panel::at(PLAIN, AlarmState::Acknowledged);
    panel.clear();
    assert_eq!(panel.state(), AlarmState::Normal);
    assert_eq!(panel.reset(), Err(AlarmRefusal::AlreadyOver(AlarmId(1))));
}

// --- B, unacknowledged --------------------------------------------------------------------------------------------

#[test]
fn b_unacknowledged_raise_with_the_same_cause_changes_nothing() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    let before = panel.alarms.clone();
    panel.now = panel.now.plus(MINUTE);
    assert_eq!(panel.raise_with("cause", None), 0);
    assert_eq!(panel.alarms, before);
}

#[test]
fn b_unacknowledged_raise_with_a_new_cause_updates_the_same_occurrence_silently() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    panel.raise_with("another cause", None);
    assert_eq!((panel.id(), panel.alarm().count), (AlarmId(1), 2));
    assert_eq!(panel.alarm().cause.as_str(), "another cause");
    assert!(panel.heard.is_empty());
}

#[test]
fn b_unacknowledged_raise_with_a_higher_class_is_a_new_occurrence() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    panel.raise_with("cause", Some(AlarmClass::Emergency));
    assert_eq!((panel.id(), panel.alarm().class), (AlarmId(2), AlarmClass::Emergency));
    assert!(panel.alarm().latched, "an Emergency latches whatever the catalogue says of its source");
    assert!(matches!(panel.ack_as(AlarmId(1), ana(), "x"), Err(AlarmRefusal::Superseded { .. })));
}

#[test]
fn b_unacknowledged_ack_is_acknowledged() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    assert_eq!(panel.ack_as(AlarmId(1), ana(), ""), Ok(1));
    assert_eq!(panel.state(), AlarmState::Acknowledged);
    assert_eq!(panel.alarms.acknowledgement(AlarmId(1)).unwrap().by, ana());
}

#[test]
fn b_unacknowledged_clear_is_returned_unacknowledged() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    panel.clear();
    assert_eq!(panel.state(), AlarmState::ReturnedUnacknowledged);
}

#[test]
fn b_unacknowledged_clear_of_a_latched_one_is_latched_unacknowledged() {
    let mut panel = Panel::at(LATCHED, AlarmState::Unacknowledged);
    panel.clear();
    assert_eq!(panel.state(), AlarmState::LatchedUnacknowledged);
}

#[test]
fn b_unacknowledged_time_annunciates_after_5_15_60_minutes_then_hourly() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    let heard_at: Vec<u64> = (1..=200).filter(|_| panel.tick_after(MINUTE) == 1).collect();
    assert_eq!(heard_at, [5, 15, 60, 120, 180]);
    assert_eq!((panel.state(), panel.id()), (AlarmState::Unacknowledged, AlarmId(1)));
    assert_eq!(panel.heard, [Annunciation::Repeat; 5]);
}

#[test]
fn b_unacknowledged_missed_repeats_are_not_made_up() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    assert_eq!((panel.tick_after(HOUR * 30), panel.tick_after(MINUTE)), (1, 0));
    assert_eq!(panel.tick_after(MINUTE * 59), 1);
}

#[test]
fn b_unacknowledged_reset_is_refused() {
    for source in [PLAIN, LATCHED] {
        let mut panel = Panel::at(source, AlarmState::Unacknowledged);
        assert_eq!(panel.reset(), Err(AlarmRefusal::NotAcknowledged(AlarmId(1))));
    }
}

#[test]
fn b_unacknowledged_restart_annunciates_and_paces_anew() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    panel.now = panel.now.plus(MINUTE * 4);
    assert_eq!(panel.restart(), 1);
    assert_eq!((panel.state(), panel.id()), (AlarmState::Unacknowledged, AlarmId(1)));
    assert_eq!(panel.heard, [Annunciation::Restart]);
    assert_eq!((panel.tick_after(MINUTE * 4), panel.tick_after(MINUTE)), (0, 1));
}

// --- C, acknowledged ----------------------------------------------------------------------------------------------

#[test]
fn c_acknowledged_second_ack_is_fine_and_changes_nothing() {
    let mut panel = Panel::at(LATCHED, AlarmState::Acknowledged);
    let other = Actor::Operator { user: "bo".to_owned(), uid: 1_001, name: None };
    let before = panel.alarms.clone();
    assert_eq!(panel.ack_as(AlarmId(1), other, ""), Ok(0));
    assert_eq!(panel.alarms, before);
    assert_eq!(panel.alarms.acknowledgement(AlarmId(1)).unwrap().by, ana());
}

#[test]
fn c_acknowledged_clear_is_normal() {
    let mut panel = Panel::at(PLAIN, AlarmState::Acknowledged);
    panel.clear();
    assert_eq!(panel.state(), AlarmState::Normal);
    assert!(panel.alarms.listed().is_empty());
}

#[test]
fn c_acknowledged_clear_of_a_latched_one_is_latched_acknowledged() {
    let mut panel = Panel::at(LATCHED, AlarmState::Acknowledged);
    panel.clear();
    assert_eq!(panel.state(), AlarmState::LatchedAcknowledged);
}

#[test]
fn c_acknowledged_time_reminds_once_in_eight_hours() {
    let mut panel = Panel::at(PLAIN, AlarmState::Acknowledged);
    let reminded_at: Vec<u64> = (1..=25).filter(|_| panel.tick_after(HOUR) == 1).collect();
    assert_eq!(reminded_at, [8, 16, 24]);
    assert_eq!(panel.state(), AlarmState::Acknowledged);
    assert_eq!(panel.heard, [Annunciation::Reminder; 3]);
}

#[test]
fn c_acknowledged_raise_with_the_same_cause_changes_nothing() {
    let mut panel = Panel::at(PLAIN, AlarmState::Acknowledged);
    assert_eq!(panel.raise_with("cause", None), 0);
    assert_eq!(panel.raise_with("cause", Some(AlarmClass::Low)), 0);
    assert_eq!(panel.state(), AlarmState::Acknowledged);
}

#[test]
fn c_acknowledged_raise_with_a_new_cause_is_a_new_occurrence() {
    let mut panel = Panel::at(PLAIN, AlarmState::Acknowledged);
    panel.raise_with("another cause", None);
    assert_eq!((panel.state(), panel.id()), (AlarmState::Unacknowledged, AlarmId(2)));
    assert_eq!(panel.alarm().ack, None);
}

#[test]
fn c_acknowledged_raise_with_a_higher_class_is_a_new_occurrence() {
    let mut panel = Panel::at(PLAIN, AlarmState::Acknowledged);
    panel.raise_with("cause", Some(AlarmClass::Emergency));
    assert_eq!((panel.state(), panel.id()), (AlarmState::Unacknowledged, AlarmId(2)));
}

#[test]
fn c_acknowledged_reset_is_refused_while_active() {
    for source in [PLAIN, LATCHED] {
        let mut panel = Panel::at(source, AlarmState::Acknowledged);
        assert_eq!(panel.reset(), Err(AlarmRefusal::StillActive(AlarmId(1))));
    }
}

#[test]
fn c_acknowledged_restart_stays_and_keeps_silent() {
    let mut panel = Panel::at(PLAIN, AlarmState::Acknowledged);
    assert_eq!(panel.restart(), 0);
    assert_eq!(panel.state(), AlarmState::Acknowledged);
}

// --- D, returned unacknowledged -----------------------------------------------------------------------------------

#[test]
fn d_returned_ack_is_normal() {
    let mut panel = Panel::at(PLAIN, AlarmState::ReturnedUnacknowledged);
    panel.ack();
    assert_eq!(panel.state(), AlarmState::Normal);
}

#[test]
fn d_returned_second_ack_is_still_answered_with_a_name() {
    let mut panel = Panel::at(PLAIN, AlarmState::ReturnedUnacknowledged);
    panel.ack();
    assert_eq!(panel.ack_as(AlarmId(1), Actor::Script, ""), Ok(0));
    assert_eq!(panel.alarms.acknowledgement(AlarmId(1)).unwrap().by, ana());
}

#[test]
fn d_returned_raise_is_a_new_occurrence_and_the_old_ack_is_superseded() {
    let mut panel = Panel::at(PLAIN, AlarmState::ReturnedUnacknowledged);
    panel.raise();
    assert_eq!((panel.state(), panel.id(), panel.alarm().count), (AlarmState::Unacknowledged, AlarmId(2), 2));
    let refusal = panel.ack_as(AlarmId(1), ana(), "x").unwrap_err();
    assert_eq!(refusal, AlarmRefusal::Superseded { id: AlarmId(1), by: Some(AlarmId(2)) });
    assert!(refusal.to_string().starts_with("a1 is superseded by a2"));
    assert_eq!(panel.state(), AlarmState::Unacknowledged);
}

#[test]
fn d_returned_an_ack_from_several_occurrences_ago_is_superseded_too() {
    let mut panel = Panel::at(PLAIN, AlarmState::ReturnedUnacknowledged);
    panel.raise();
    panel.clear();
    panel.raise();
    let refused = Err(AlarmRefusal::Superseded { id: AlarmId(1), by: None });
    assert_eq!(panel.ack_as(AlarmId(1), ana(), "x"), refused);
}

#[test]
fn d_returned_clear_and_time_change_nothing_and_reset_is_refused() {
    let mut panel = Panel::at(PLAIN, AlarmState::ReturnedUnacknowledged);
    panel.clear();
    assert_eq!(panel.tick_after(HOUR * 100), 0);
    assert_eq!(panel.reset(), Err(AlarmRefusal::NotAcknowledged(AlarmId(1))));
    assert_eq!(panel.state(), AlarmState::ReturnedUnacknowledged);
}

#[test]
fn d_returned_restart_annunciates_again() {
    let mut panel = Panel::at(PLAIN, AlarmState::ReturnedUnacknowledged);
    assert_eq!(panel.restart(), 1);
    assert_eq!(panel.state(), AlarmState::ReturnedUnacknowledged);
}

// --- BL, latched unacknowledged -----------------------------------------------------------------------------------

#[test]
fn bl_latched_ack_is_latched_acknowledged() {
    let mut panel = Panel::at(LATCHED, AlarmState::LatchedUnacknowledged);
    panel.ack();
    assert_eq!(panel.state(), AlarmState::LatchedAcknowledged);
}

#[test]
fn bl_latched_ack_of_an_emergency_wants_a_comment_too() {
    let mut panel = Panel::at(LATCHED, AlarmState::LatchedUnacknowledged);
    assert_eq!(panel.ack_as(AlarmId(1), ana(), " "), Err(AlarmRefusal::CommentWanted(AlarmId(1))));
}

#[test]
fn bl_latched_raise_is_a_new_occurrence() {
    let mut panel = Panel::at(LATCHED, AlarmState::LatchedUnacknowledged);
    panel.raise();
    assert_eq!((panel.state(), panel.id()), (AlarmState::Unacknowledged, AlarmId(2)));
}

#[test]
fn bl_latched_raise_of_a_milder_case_stays_an_emergency_until_somebody_has_seen_it() {
    let mut panel = Panel::new(PLAIN);
    panel.raise_with("cause", Some(AlarmClass::Emergency));
    panel.clear();
    panel.raise();
    assert_eq!((panel.id(), panel.alarm().class), (AlarmId(2), AlarmClass::Emergency));
}

#[test]
fn bl_latched_clear_and_time_change_nothing_and_reset_is_refused() {
    let mut panel = Panel::at(LATCHED, AlarmState::LatchedUnacknowledged);
    panel.clear();
    assert_eq!(panel.tick_after(HOUR * 100), 0);
    assert_eq!(panel.reset(), Err(AlarmRefusal::NotAcknowledged(AlarmId(1))));
    assert_eq!(panel.state(), AlarmState::LatchedUnacknowledged);
}

#[test]
fn bl_latched_restart_annunciates_again() {
    let mut panel = Panel::at(LATCHED, AlarmState::LatchedUnacknowledged);
    assert_eq!(panel.restart(), 1);
    assert_eq!(panel.heard, [Annunciation::Restart]);
}

// --- CL, latched acknowledged -------------------------------------------------------------------------------------

#[test]
fn cl_latched_reset_is_normal() {
    let mut panel = Panel::at(LATCHED, AlarmState::LatchedAcknowledged);
    assert_eq!(panel.reset(), Ok(1));
    assert_eq!(panel.state(), AlarmState::Normal);
}

#[test]
fn cl_latched_raise_is_a_new_occurrence() {
    let mut panel = Panel::at(LATCHED, AlarmState::LatchedAcknowledged);
    panel.raise();
    assert_eq!((panel.state(), panel.id()), (AlarmState::Unacknowledged, AlarmId(2)));
}

#[test]
fn cl_latched_ack_clear_time_and_restart_change_nothing() {
    let mut panel = Panel::at(LATCHED, AlarmState::LatchedAcknowledged);
    panel.ack();
    panel.clear();
    assert_eq!((panel.tick_after(HOUR * 100), panel.restart()), (0, 0));
    assert_eq!(panel.state(), AlarmState::LatchedAcknowledged);
}

// --- Any state ----------------------------------------------------------------------------------------------------

#[test]
fn an_emergency_is_acknowledged_only_with_a_comment_that_can_be_read() {
    let mut panel = Panel::at(LATCHED, AlarmState::Unacknowledged);
    for comment in ["", "   ", "\u{200b}\u{202e}", "…"] {
        let refused = Err(AlarmRefusal::CommentWanted(AlarmId(1)));
        assert_eq!(panel.ack_as(AlarmId(1), ana(), comment), refused, "{comment:?} was accepted");
    }
    assert_eq!(panel.ack_as(AlarmId(1), ana(), "3"), Ok(1));
    assert_eq!(panel.alarm().ack.as_ref().unwrap().comment.as_str(), "handed over");
}

#[test]
fn an_alarm_raised_after_its_end_does_not_inherit_the_old_acknowledgement() {
    let mut panel = Panel::at(PLAIN, AlarmState::Acknowledged);
    panel.clear();
    panel.raise();
    assert_eq!((panel.state(), panel.alarm().count), (AlarmState::Unacknowledged, 1));
    let refused = Err(AlarmRefusal::Superseded { id: AlarmId(1), by: Some(AlarmId(2)) });
    assert_eq!(panel.ack_as(AlarmId(1), ana(), "x"), refused);
}

#[test]
fn acknowledging_all_takes_what_it_can_and_leaves_emergencies_without_a_comment() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    panel.key = AlarmKey::of(LATCHED);
    panel.raise();
    let all = |comment: &str| AlarmEvent::Acknowledge {
        target: AlarmTarget::All,
        by: Actor::Script,
        comment: comment.to_owned(),
    };
    assert_eq!(panel.feed(&all("")), Ok(1));
    assert_eq!(panel.alarms.state(&AlarmKey::of(PLAIN)), AlarmState::Acknowledged);
    assert_eq!(panel.feed(&all("")), Err(AlarmRefusal::CommentWanted(AlarmId(2))));
    assert_eq!(panel.feed(&all("expected")), Ok(1));
    assert_eq!(panel.feed(&all("expected")), Ok(0), "nothing left to do is no refusal");
}

#[test]
fn resetting_all_takes_what_is_gone_and_acknowledged_and_leaves_the_rest() {
    let mut panel = Panel::at(LATCHED, AlarmState::LatchedAcknowledged);
    panel.key = AlarmKey::of(PLAIN);
    panel.raise();
    let all = AlarmEvent::Reset { target: AlarmTarget::All, by: Actor::Script };
    assert_eq!(panel.feed(&all), Ok(1));
    assert_eq!(panel.alarms.state(&AlarmKey::of(LATCHED)), AlarmState::Normal);
    assert_eq!(panel.alarms.state(&AlarmKey::of(PLAIN)), AlarmState::Unacknowledged);
    assert_eq!(panel.feed(&all), Ok(0));
}

#[test]
fn a_clock_set_back_between_two_runs_silences_nothing() {
    for state in [AlarmState::Unacknowledged, AlarmState::Acknowledged] {
        let mut panel = Panel::at(PLAIN, state);
        panel.now = panel.now.minus(HOUR * 240);
        panel.said_until = panel.now;
        assert!(panel.alarms.next_due(panel.now).unwrap() <= panel.now.plus(REMINDER_EVERY));
        assert_eq!((panel.tick_after(REMINDER_EVERY), panel.tick_after(Duration::ZERO)), (1, 0));
    }
}

#[test]
fn the_next_due_instant_is_the_one_at_which_a_tick_does_something() {
    let mut panel = Panel::at(PLAIN, AlarmState::Unacknowledged);
    let due = panel.alarms.next_due(panel.now).unwrap();
    panel.now = due.minus(Duration::from_millis(1));
    assert_eq!(panel.tick_after(Duration::ZERO), 0);
    assert_eq!(panel.tick_after(Duration::from_millis(1)), 1);
    assert_eq!(Panel::new(PLAIN).alarms.next_due(due), None);
}

#[test]
fn the_list_shows_unacknowledged_first_then_the_highest_class_then_the_oldest() {
    let mut panel = Panel::at(LATCHED, AlarmState::Acknowledged);
    for source in [AlarmSource::ClockDrift, AlarmSource::FeedStale, AlarmSource::StoreSlow] {
        panel.key = AlarmKey::of(source);
        panel.raise();
    }
    let order: Vec<_> = panel.alarms.listed().iter().map(|alarm| alarm.key.source).collect();
    let expected = [AlarmSource::FeedStale, AlarmSource::StoreSlow, AlarmSource::ClockDrift, LATCHED];
    assert_eq!(order, expected);
    assert_eq!(panel.alarms.counts(), AlarmCounts { unacknowledged: 3, acknowledged: 1 });
}

#[test]
fn the_memory_of_normal_alarms_is_bounded_and_never_costs_a_listed_one() {
    let mut panel = Panel::at(LATCHED, AlarmState::Unacknowledged);
    for n in 0..200 {
        panel.key = AlarmKey::about(PLAIN, Subject::Component(format!("mailbox {n}")));
        panel.raise();
        panel.ack();
        panel.clear();
    }
    assert!(panel.alarms.alarms.len() <= 65);
    assert_eq!(panel.alarms.state(&AlarmKey::of(LATCHED)), AlarmState::Unacknowledged);
}

#[test]
fn the_state_round_trips_through_json() {
    let mut panel = Panel::at(LATCHED, AlarmState::Acknowledged);
    panel.key = AlarmKey::about(PLAIN, Subject::Symbol(Symbol::new("BTC/USDT").unwrap()));
    panel.raise();
    let json = serde_json::to_string(&panel.alarms).unwrap();
    assert_eq!(serde_json::from_str::<Alarms>(&json).unwrap(), panel.alarms);
}

// --- Over any sequence --------------------------------------------------------------------------------------------

#[derive(Debug, Clone)]
enum Step {
    Raise { alarm: usize, cause: u8, at_least: Option<AlarmClass> },
    Clear { alarm: usize },
    Ack { id: u64, comment: &'static str },
    AckAll { comment: &'static str },
    Reset { id: u64 },
    ResetAll,
    Wait { minutes: u64 },
    Restart,
}

const SOURCES: [AlarmSource; 4] =
    [LATCHED, AlarmSource::OrderUnknown, AlarmSource::FeedStale, AlarmSource::MailboxDrops];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let comment = prop_oneof![Just(""), Just("1"), Just("looked at it")];
    let at_least = prop_oneof![
        4 => Just(None),
        1 => Just(Some(AlarmClass::High)),
        1 => Just(Some(AlarmClass::Emergency)),
    ];
    let step = prop_oneof![
        4 => (0..SOURCES.len(), 0..3_u8, at_least)
            .prop_map(|(alarm, cause, at_least)| Step::Raise { alarm, cause, at_least }),
        3 => (0..SOURCES.len()).prop_map(|alarm| Step::Clear { alarm }),
        4 => (0..12_u64, comment.clone()).prop_map(|(id, comment)| Step::Ack { id, comment }),
        1 => comment.prop_map(|comment| Step::AckAll { comment }),
        2 => (0..12_u64).prop_map(|id| Step::Reset { id }),
        1 => Just(Step::ResetAll),
        2 => (0..600_u64).prop_map(|minutes| Step::Wait { minutes }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..60)
}

impl Step {
    fn event(&self, now: &mut Timestamp) -> AlarmEvent {
        match self {
            Self::Raise { alarm, cause, at_least } => AlarmEvent::Raise(Raise {
                key: AlarmKey::of(SOURCES[*alarm]),
                cause: SafeText::ours(cause),
                detail: SafeText::default(),
                at_least: *at_least,
            }),
            Self::Clear { alarm } => AlarmEvent::Clear { key: AlarmKey::of(SOURCES[*alarm]) },
            Self::Ack { id, comment } => AlarmEvent::Acknowledge {
                target: AlarmTarget::One(AlarmId(*id)),
                by: ana(),
                comment: (*comment).to_owned(),
            },
            Self::AckAll { comment } => AlarmEvent::Acknowledge {
                target: AlarmTarget::All,
                by: Actor::Script,
                comment: (*comment).to_owned(),
            },
            Self::Reset { id } => AlarmEvent::Reset { target: AlarmTarget::One(AlarmId(*id)), by: ana() },
            Self::ResetAll => AlarmEvent::Reset { target: AlarmTarget::All, by: ana() },
            Self::Wait { minutes } => {
                let since = *now;
                *now = now.plus(MINUTE * u32::try_from(*minutes).unwrap());
                AlarmEvent::Tick { since }
            }
            Self::Restart => AlarmEvent::Restart,
        }
    }
}

proptest! {
    #[test]
    fn nothing_leaves_the_list_unseen_and_the_journal_gives_the_same_state(steps in steps()) {
        let catalogue = Catalogue::embedded().unwrap();
        let mut now = Timestamp::from_secs(1_000_000);
        let mut alarms = Alarms::default();
        let mut journal = Vec::new();
        for step in steps {
            let event = step.event(&mut now);
            let before = alarms.clone();
            let Ok(transitions) = alarms.step(&catalogue, &event, Now::both(now)) else { continue };
            for transition in transitions {
                let was = alarms.get(transition.key()).cloned();
                alarms.apply(&transition);
                // As the journal does it: through its text.
                let line = serde_json::to_string(&transition).unwrap();
                journal.push(serde_json::from_str::<AlarmTransition>(&line).unwrap());
                let is = alarms.get(transition.key()).unwrap();
                let went_normal = is.state == AlarmState::Normal
                    && was.as_ref().is_some_and(|was| was.state != AlarmState::Normal);
                if went_normal {
                    prop_assert!(is.ack.is_some(), "{transition:?} ended an alarm that nobody acknowledged");
                    if is.latched {
                        let by_reset = matches!(transition, AlarmTransition::Reset { .. });
                        prop_assert!(by_reset, "a latched alarm ended without a reset");
                    }
                }
                if is.state == AlarmState::Acknowledged || is.state == AlarmState::LatchedAcknowledged {
                    let ack = is.ack.as_ref().unwrap();
                    prop_assert!(is.class != AlarmClass::Emergency || !ack.comment.as_str().is_empty());
                }
            }
            for emergency in before.unacknowledged_emergencies() {
                let is = alarms.get(&emergency.key).unwrap();
                let acknowledged_now = matches!(event, AlarmEvent::Acknowledge { .. });
                prop_assert!(is.state.is_unacknowledged() || acknowledged_now);
                prop_assert!(is.class == AlarmClass::Emergency && is.state.is_listed());
            }
            if let Some(due) = alarms.next_due(now) {
                prop_assert!(due > now || !matches!(event, AlarmEvent::Tick { .. }), "a tick left something due");
            }
        }
        let mut recovered = Alarms::default();
        for transition in &journal {
            recovered.apply(transition);
        }
        prop_assert_eq!(recovered, alarms);
    }
}

#[test]
fn a_key_of_an_earlier_journal_is_read_by_its_old_name() {
    let id = "5b7c1f9e-6a04-5d2f-9f0c-3f6f0e8f5a11";
    let key: AlarmKey = serde_json::from_value(format!("leg_unknown order {id}").into()).unwrap();
    assert_eq!(key, AlarmKey::about(AlarmSource::OrderUnknown, Subject::Order(id.parse().unwrap())));
    assert_eq!(key.to_string(), format!("order_unknown order {id}"), "and written by its new one");
}

#[test]
fn a_key_whose_source_no_longer_exists_is_read_as_the_nearest_one() {
    let key: AlarmKey = serde_json::from_value("mailbox_closed component archive".into()).unwrap();
    assert_eq!(key, AlarmKey::about(AlarmSource::MailboxDrops, Subject::Component("archive".to_owned())));
}
