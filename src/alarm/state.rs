//! The alarms there are, and the one function that changes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AlarmClass, AlarmKey, AlarmTransition, Annunciation, Subject, annunciation};
use crate::domain::{Actor, AlarmId, Now, SafeText, Timestamp};

/// How many alarms that are back to normal are remembered, so that a second acknowledgement of the same
/// occurrence can still be answered with a name and a time.
const NORMAL_KEPT_MAX: usize = 64;

/// Where one alarm stands. The letters are those of the standard's state diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// A: not on the list.
    Normal,
    /// B: there, and nobody has said "seen".
    Unacknowledged,
    /// C: there, and somebody has.
    Acknowledged,
    /// D: gone before anybody said "seen".
    ReturnedUnacknowledged,
    /// BL: latched; gone before anybody said "seen".
    LatchedUnacknowledged,
    /// CL: latched; seen, and gone; waits for its reset.
    LatchedAcknowledged,
}

impl AlarmState {
    /// Whether the condition is there now.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::Acknowledged)
    }

    /// Whether somebody still has to say "seen".
    pub const fn is_unacknowledged(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::ReturnedUnacknowledged | Self::LatchedUnacknowledged)
    }

    /// Whether it is on the list.
    pub const fn is_listed(self) -> bool {
        !matches!(self, Self::Normal)
    }
}

/// Who said "seen, mine", when, and with which words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Now,
    /// Their words; empty if they said nothing.
    pub comment: SafeText,
}

/// One alarm and its current occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Which.
    pub key: AlarmKey,
    /// The current occurrence; acknowledgements name it.
    pub id: AlarmId,
    /// The occurrence before it, as far as it is remembered.
    pub previous: Option<AlarmId>,
    /// Its class, as at the raise.
    pub class: AlarmClass,
    /// Whether it stays after its condition is gone.
    pub latched: bool,
    /// Where it stands.
    pub state: AlarmState,
    /// When this occurrence began.
    pub raised_at: Now,
    /// When its condition went away; none while it is there.
    pub cleared_at: Option<Now>,
    /// What brought it about.
    pub cause: SafeText,
    /// The numbers of the moment at which the cause was last set.
    pub detail: SafeText,
    /// Who has seen this occurrence.
    pub ack: Option<Acknowledgement>,
    /// Raises since it came on the list, changes of cause included.
    pub count: u32,
    /// From when its repeats or reminders are paced, operator time.
    pub(super) paced_from: Timestamp,
}

/// How many alarms are on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AlarmCounts {
    /// Waiting for somebody to say "seen".
    pub unacknowledged: usize,
    /// Seen, and still there or waiting for a reset.
    pub acknowledged: usize,
}

/// All alarms.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Alarms {
    /// The last occurrence id given out.
    pub(super) last_id: AlarmId,
    pub(super) alarms: BTreeMap<AlarmKey, Alarm>,
}

impl Alarms {
    /// Where the alarm `key` stands.
    pub fn state(&self, key: &AlarmKey) -> AlarmState {
        self.alarms.get(key).map_or(AlarmState::Normal, |alarm| alarm.state)
    }

    /// The alarm `key`, also when it is remembered as back to normal.
    pub fn get(&self, key: &AlarmKey) -> Option<&Alarm> {
        self.alarms.get(key)
    }

    /// The alarm whose current occurrence is `id`.
    pub fn occurrence(&self, id: AlarmId) -> Option<&Alarm> {
        self.alarms.values().find(|alarm| alarm.id == id)
    }

    /// Who acknowledged the occurrence `id`, for the answer "already by X at T".
    pub fn acknowledgement(&self, id: AlarmId) -> Option<&Acknowledgement> {
        self.occurrence(id)?.ack.as_ref()
    }

    /// The list as the operator reads it: unacknowledged first, then the highest class, then the oldest.
    pub fn listed(&self) -> Vec<&Alarm> {
        let mut listed: Vec<_> = self.alarms.values().filter(|alarm| alarm.state.is_listed()).collect();
        listed.sort_by_key(|alarm| {
            (!alarm.state.is_unacknowledged(), std::cmp::Reverse(alarm.class), alarm.id)
        });
        listed
    }

    /// Emergencies that nobody has acknowledged: any refuses a resume and a release.
    pub fn unacknowledged_emergencies(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms
            .values()
            .filter(|alarm| alarm.class == AlarmClass::Emergency && alarm.state.is_unacknowledged())
    }

    /// How many are on the list.
    pub fn counts(&self) -> AlarmCounts {
        let listed = self.alarms.values().filter(|alarm| alarm.state.is_listed());
        let (unacknowledged, acknowledged): (Vec<_>, Vec<_>) =
            listed.partition(|alarm| alarm.state.is_unacknowledged());
        AlarmCounts { unacknowledged: unacknowledged.len(), acknowledged: acknowledged.len() }
    }

    /// When an alarm speaks up next after `since`, operator time; may be in the past.
    pub fn next_due(&self, since: Timestamp) -> Option<Timestamp> {
        self.alarms.values().filter_map(|alarm| annunciation::due(alarm, since)).min()
    }

    /// Changes the state. Total: a transition of an occurrence that is not the current one changes nothing.
    pub fn apply(&mut self, transition: &AlarmTransition) {
        if let AlarmTransition::Raised { key, id, class, latched, cause, detail, at } = transition {
            let before = self.alarms.get(key);
            let listed = before.filter(|alarm| alarm.state.is_listed());
            let alarm = Alarm {
                key: key.clone(),
                id: *id,
                previous: before.map(|alarm| alarm.id),
                class: *class,
                latched: *latched,
                state: AlarmState::Unacknowledged,
                raised_at: *at,
                cleared_at: None,
                cause: cause.clone(),
                detail: detail.clone(),
                ack: None,
                count: listed.map_or(0, |alarm| alarm.count).saturating_add(1),
                paced_from: at.operator,
            };
            self.last_id = self.last_id.max(*id);
            self.alarms.insert(key.clone(), alarm);
        } else if let Some(alarm) = self.alarms.get_mut(transition.key())
            && alarm.id == transition.id()
        {
            alarm.apply(transition);
            self.forget_oldest_normal();
        }
    }

    /// Keeps the memory of alarms that are back to normal bounded.
    fn forget_oldest_normal(&mut self) {
        let normal = || self.alarms.values().filter(|alarm| !alarm.state.is_listed());
        if normal().count() > NORMAL_KEPT_MAX
            && let Some(key) = normal().min_by_key(|alarm| alarm.id).map(|alarm| alarm.key.clone())
        {
            self.alarms.remove(&key);
        }
    }
}

impl Alarm {
    /// About what, why and with what numbers; each once.
    pub fn headline(&self) -> SafeText {
        let (cause, detail) = (self.cause.as_str(), self.detail.as_str());
        let said = if detail.is_empty() { cause.to_owned() } else { format!("{cause}: {detail}") };
        let name = self.key.subject.as_ref().map(Subject::name).unwrap_or_default();
        SafeText::ours(if said.contains(&name) { said } else { format!("{name} {said}") })
    }

    fn apply(&mut self, transition: &AlarmTransition) {
        match transition {
            AlarmTransition::Raised { .. } => {} // A new occurrence replaces the alarm as a whole.
            AlarmTransition::Updated { cause, detail, .. } => {
                self.cause = cause.clone();
                self.detail = detail.clone();
                self.count = self.count.saturating_add(1);
            }
            AlarmTransition::Cleared { to, at, .. } => {
                self.state = *to;
                self.cleared_at = Some(*at);
            }
            AlarmTransition::Acknowledged { to, ack, .. } => {
                self.state = *to;
                self.paced_from = ack.at.operator;
                self.ack = Some(ack.clone());
            }
            AlarmTransition::Reset { .. } => self.state = AlarmState::Normal,
            AlarmTransition::Annunciated { why, at, .. } => {
                // Earlier programs also recorded repeats and reminders, which change nothing.
                if *why == Annunciation::Restart {
                    self.paced_from = at.operator;
                }
            }
        }
    }
}
