//! What follows from an event: one function per event, a total match over the states in each.

use super::{
    Acknowledgement, Alarm, AlarmClass, AlarmEvent, AlarmKey, AlarmRefusal, AlarmState, AlarmTransition,
    Alarms, Annunciation, Catalogue, Raise, annunciation,
};
use crate::domain::{Actor, AlarmId, AlarmTarget, Now, SafeText, Timestamp, Untrusted};

/// Longest comment kept, in characters.
const COMMENT_CHARS_MAX: usize = 200;

impl Alarms {
    /// What follows from `event`; nothing changes until the transitions are applied, in order.
    ///
    /// No transitions means that there is nothing to change: the condition is known already, or the occurrence is
    /// acknowledged already (then [`Alarms::acknowledgement`] says by whom).
    ///
    /// # Errors
    /// Only for `Acknowledge` and `Reset`, see [`AlarmRefusal`].
    pub fn step(
        &self,
        catalogue: &Catalogue,
        event: &AlarmEvent,
        now: Now,
    ) -> Result<Vec<AlarmTransition>, AlarmRefusal> {
        match event {
            AlarmEvent::Raise(raise) => Ok(self.raise(catalogue, raise, now).into_iter().collect()),
            AlarmEvent::Clear { key } => Ok(self.clear(key, now).into_iter().collect()),
            AlarmEvent::Acknowledge { target, by, comment } => {
                let comment = comment_of(comment);
                self.each(*target, |alarm| acknowledge(alarm, by, &comment, now))
            }
            AlarmEvent::Reset { target, by } => self.each(*target, |alarm| reset(alarm, by, now)),
            AlarmEvent::Tick { since } => {
                Ok(self.alarms.values().filter_map(|alarm| speak_up(alarm, *since, now)).collect())
            }
            AlarmEvent::Restart => Ok(self
                .alarms
                .values()
                .filter(|alarm| alarm.state.is_unacknowledged())
                .map(|alarm| annunciated(alarm, Annunciation::Restart, now))
                .collect()),
        }
    }

    fn raise(&self, catalogue: &Catalogue, raise: &Raise, now: Now) -> Option<AlarmTransition> {
        let entry = catalogue.entry(raise.key.source);
        let known = self.alarms.get(&raise.key);
        // While nobody has seen the last occurrence, a new one does not make it milder.
        let unseen = known.filter(|alarm| alarm.state.is_unacknowledged()).map(|alarm| alarm.class);
        let class = entry.class.max(raise.at_least.unwrap_or(entry.class)).max(unseen.unwrap_or(entry.class));
        let new_occurrence = || {
            Some(AlarmTransition::Raised {
                key: raise.key.clone(),
                id: self.last_id.next(),
                class,
                latched: entry.latched || class == AlarmClass::Emergency,
                cause: raise.cause.clone(),
                detail: raise.detail.clone(),
                at: now,
            })
        };
        let Some(alarm) = known else { return new_occurrence() };
        let new_cause = alarm.cause != raise.cause;
        match alarm.state {
            AlarmState::Normal
            | AlarmState::ReturnedUnacknowledged
            | AlarmState::LatchedUnacknowledged
            | AlarmState::LatchedAcknowledged => new_occurrence(),
            // An acknowledgement on its way was meant for the milder alarm: it must not take the worse one along.
            AlarmState::Unacknowledged if class > alarm.class => new_occurrence(),
            AlarmState::Unacknowledged => new_cause.then(|| AlarmTransition::Updated {
                key: raise.key.clone(),
                id: alarm.id,
                cause: raise.cause.clone(),
                detail: raise.detail.clone(),
                at: now,
            }),
            AlarmState::Acknowledged if new_cause || class > alarm.class => new_occurrence(),
            AlarmState::Acknowledged => None,
        }
    }

    fn clear(&self, key: &AlarmKey, now: Now) -> Option<AlarmTransition> {
        let alarm = self.alarms.get(key)?;
        let to = match (alarm.state, alarm.latched) {
            (AlarmState::Unacknowledged, false) => AlarmState::ReturnedUnacknowledged,
            (AlarmState::Unacknowledged, true) => AlarmState::LatchedUnacknowledged,
            (AlarmState::Acknowledged, false) => AlarmState::Normal,
            (AlarmState::Acknowledged, true) => AlarmState::LatchedAcknowledged,
            (
                AlarmState::Normal
                | AlarmState::ReturnedUnacknowledged
                | AlarmState::LatchedUnacknowledged
                | AlarmState::LatchedAcknowledged,
                _latched,
            ) => return None,
        };
        Some(AlarmTransition::Cleared { key: key.clone(), id: alarm.id, to, at: now })
    }

    /// Does it to the one that is named, or to every one on the list that takes it: none is no failure, except where
    /// an Emergency wants a comment.
    fn each(
        &self,
        target: AlarmTarget,
        act: impl Fn(&Alarm) -> Result<Option<AlarmTransition>, AlarmRefusal>,
    ) -> Result<Vec<AlarmTransition>, AlarmRefusal> {
        match target {
            AlarmTarget::One(id) => Ok(act(self.named(id)?)?.into_iter().collect()),
            AlarmTarget::All => {
                let mut done = Vec::new();
                let mut uncommented = None;
                for result in self.listed().into_iter().map(act) {
                    match result {
                        Ok(transition) => done.extend(transition),
                        Err(refusal @ AlarmRefusal::CommentWanted(_)) => uncommented = Some(refusal),
                        Err(_does_not_apply) => {}
                    }
                }
                uncommented.filter(|_| done.is_empty()).map_or(Ok(done), Err)
            }
        }
    }

    /// The alarm whose current occurrence is `id`.
    fn named(&self, id: AlarmId) -> Result<&Alarm, AlarmRefusal> {
        self.occurrence(id).ok_or_else(|| {
            if id == AlarmId(0) || id > self.last_id {
                return AlarmRefusal::Unknown(id);
            }
            let successor = self.alarms.values().find(|alarm| alarm.previous == Some(id));
            AlarmRefusal::Superseded { id, by: successor.map(|alarm| alarm.id) }
        })
    }
}

fn acknowledge(
    alarm: &Alarm,
    by: &Actor,
    comment: &SafeText,
    now: Now,
) -> Result<Option<AlarmTransition>, AlarmRefusal> {
    let to = match alarm.state {
        AlarmState::Unacknowledged => AlarmState::Acknowledged,
        AlarmState::ReturnedUnacknowledged => AlarmState::Normal,
        AlarmState::LatchedUnacknowledged => AlarmState::LatchedAcknowledged,
        AlarmState::Normal | AlarmState::Acknowledged | AlarmState::LatchedAcknowledged => return Ok(None),
    };
    if alarm.class == AlarmClass::Emergency && comment.as_str().is_empty() {
        return Err(AlarmRefusal::CommentWanted(alarm.id));
    }
    let ack = Acknowledgement { by: by.clone(), at: now, comment: comment.clone() };
    Ok(Some(AlarmTransition::Acknowledged { key: alarm.key.clone(), id: alarm.id, to, ack }))
}

fn reset(alarm: &Alarm, by: &Actor, now: Now) -> Result<Option<AlarmTransition>, AlarmRefusal> {
    match alarm.state {
        AlarmState::LatchedAcknowledged => {
            Ok(Some(AlarmTransition::Reset { key: alarm.key.clone(), id: alarm.id, by: by.clone(), at: now }))
        }
        AlarmState::Unacknowledged
        | AlarmState::ReturnedUnacknowledged
        | AlarmState::LatchedUnacknowledged => Err(AlarmRefusal::NotAcknowledged(alarm.id)),
        AlarmState::Acknowledged => Err(AlarmRefusal::StillActive(alarm.id)),
        AlarmState::Normal => Err(AlarmRefusal::AlreadyOver(alarm.id)),
    }
}

fn speak_up(alarm: &Alarm, since: Timestamp, now: Now) -> Option<AlarmTransition> {
    let due = annunciation::due(alarm, since)?;
    let why = if alarm.state.is_unacknowledged() { Annunciation::Repeat } else { Annunciation::Reminder };
    (due <= now.operator).then(|| annunciated(alarm, why, now))
}

fn annunciated(alarm: &Alarm, why: Annunciation, now: Now) -> AlarmTransition {
    AlarmTransition::Annunciated { key: alarm.key.clone(), id: alarm.id, why, at: now }
}

/// The comment in words; empty when nothing that can be read was written.
fn comment_of(written: &str) -> SafeText {
    match written.trim() {
        "1" => SafeText::ours("investigating"),
        "2" => SafeText::ours("expected"),
        "3" => SafeText::ours("handed over"),
        text => {
            let safe = Untrusted::new(text).sanitize(COMMENT_CHARS_MAX);
            // What is left of text that was all invisible is the mark that something was removed.
            if safe.as_str().trim_matches([' ', '…']).is_empty() { SafeText::default() } else { safe }
        }
    }
}
