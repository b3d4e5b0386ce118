//! How the core raises, clears and answers for alarms.

use std::fmt;

use super::record::RecordKind;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmEvent, AlarmKey, AlarmTransition, Raise};
use crate::domain::{
    Actor, AlarmTarget, CommandOutcome, Now, Priority, SafeText, SystemEventKind, Timestamp, days_hms,
};

impl Coordinator {
    /// Raises an alarm. While its condition holds, a second raise with the same cause changes nothing.
    pub(super) fn raise(&mut self, cx: &mut Cx<'_>, key: AlarmKey, cause: &str, detail: impl fmt::Display) {
        let raise = Raise::new(key, SafeText::ours(cause), SafeText::ours(detail));
        self.alarm_event(cx, &Actor::Coordinator, &AlarmEvent::Raise(raise));
    }

    /// Something that happened and is over: it stays on the list until somebody has seen it.
    pub(super) fn raise_moment(
        &mut self,
        cx: &mut Cx<'_>,
        key: AlarmKey,
        cause: &str,
        detail: impl fmt::Display,
    ) {
        self.raise(cx, key.clone(), cause, detail);
        self.clear(cx, key);
    }

    /// The condition of an alarm is gone.
    pub(super) fn clear(&mut self, cx: &mut Cx<'_>, key: AlarmKey) {
        if self.durable.alarms.state(&key).is_active() {
            self.alarm_event(cx, &Actor::Coordinator, &AlarmEvent::Clear { key });
        }
    }

    /// Raised while `holds`, cleared while not.
    pub(super) fn raise_while(
        &mut self,
        cx: &mut Cx<'_>,
        holds: bool,
        key: AlarmKey,
        cause: &str,
        detail: impl fmt::Display,
    ) {
        if holds {
            self.raise(cx, key, cause, detail);
        } else {
            self.clear(cx, key);
        }
    }

    /// After a restart, what nobody has acknowledged is annunciated again.
    pub(super) fn alarms_restarted(&mut self, cx: &mut Cx<'_>) {
        self.alarm_event(cx, &Actor::Coordinator, &AlarmEvent::Restart);
    }

    /// Repeats and reminders are said, not recorded: nothing has changed.
    pub(super) fn alarms_due(&mut self, cx: &mut Cx<'_>) {
        if self.next_alarm().is_none_or(|at| at > cx.now.operator) {
            return;
        }
        let tick = AlarmEvent::Tick { since: self.live.spoken_until };
        self.live.spoken_until = cx.now.operator;
        // A tick is total: only acknowledge and reset can be refused.
        for spoken in self.durable.alarms.step(&self.catalogue, &tick, cx.now).unwrap_or_default() {
            let again = if self.durable.alarms.state(spoken.key()).is_unacknowledged() {
                "not acknowledged yet"
            } else {
                "acknowledged, and still there"
            };
            self.announce(cx, SystemEventKind::Alarm, Priority::High, format!("{} {again}", spoken.key()));
        }
    }

    pub(super) fn next_alarm(&self) -> Option<Timestamp> {
        self.durable.alarms.next_due(self.live.spoken_until)
    }

    /// An operator acknowledges or resets.
    pub(super) fn alarm_command(
        &mut self,
        cx: &mut Cx<'_>,
        actor: &Actor,
        event: &AlarmEvent,
    ) -> CommandOutcome {
        match self.durable.alarms.step(&self.catalogue, event, cx.now) {
            Ok(transitions) => {
                if let Some(said) =
                    transitions.is_empty().then(|| self.acknowledged_before(event, cx.now)).flatten()
                {
                    return CommandOutcome::done(said);
                }
                let count = transitions.len();
                for transition in transitions {
                    self.alarm_moved(cx, actor, transition);
                }
                CommandOutcome::done(format!("{count} alarm{}", if count == 1 { "" } else { "s" }))
            }
            Err(refusal) => CommandOutcome::refused(refusal),
        }
    }

    /// A second acknowledgement of an occurrence: who was first, and when.
    fn acknowledged_before(&self, event: &AlarmEvent, now: Now) -> Option<String> {
        let AlarmEvent::Acknowledge { target: AlarmTarget::One(id), .. } = event else { return None };
        let ack = self.durable.alarms.acknowledgement(*id)?;
        let (at, age) = (ack.at.market.clock(), days_hms(now.operator.since(ack.at.operator)));
        let comment =
            if ack.comment.as_str().is_empty() { String::new() } else { format!(": {}", ack.comment) };
        Some(format!("already by {} at {at}Z, {age} ago{comment}", ack.by))
    }

    fn alarm_event(&mut self, cx: &mut Cx<'_>, actor: &Actor, event: &AlarmEvent) {
        // Raise, clear and restart are total; only acknowledge and reset can be refused.
        for transition in self.durable.alarms.step(&self.catalogue, event, cx.now).unwrap_or_default() {
            self.alarm_moved(cx, actor, transition);
        }
    }

    fn alarm_moved(&mut self, cx: &mut Cx<'_>, actor: &Actor, transition: AlarmTransition) {
        let word = match &transition {
            AlarmTransition::Raised { .. } => Some("raised"),
            AlarmTransition::Cleared { .. } => Some("cleared"),
            AlarmTransition::Acknowledged { .. } => Some("acknowledged"),
            AlarmTransition::Reset { .. } => Some("reset"),
            AlarmTransition::Updated { .. } | AlarmTransition::Annunciated { .. } => None,
        };
        let said = word.map(|word| format!("{} {word}", transition.key()));
        let raised = matches!(transition, AlarmTransition::Raised { .. });
        self.record(cx, actor.clone(), RecordKind::Alarm(transition));
        if let Some(said) = said {
            let priority = if raised { Priority::Urgent } else { Priority::Normal };
            self.announce(cx, SystemEventKind::Alarm, priority, said);
        }
    }
}
