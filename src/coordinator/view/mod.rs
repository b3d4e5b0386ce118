//! Builds the snapshot, section by section, and only those that something has touched.

mod consensus;
mod control;
mod level;
mod plans;
mod portfolio;
mod schedule;

use std::sync::Arc;

use super::Coordinator;
use super::record::RecordKind;
use super::snapshot::{AlarmRow, DecisionsView, Snapshot};
use crate::alarm::AlarmState;
use crate::domain::{Now, SafeText, Seq};

/// Decisions in a snapshot.
const DECISIONS_SHOWN: usize = 100;

/// Which sections something has touched since the last snapshot. Ages, blocks, waits and prices that go stale move with
/// time alone: the sections that hold them are rebuilt for every snapshot.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "one flag a section")]
pub(super) struct Dirty {
    pub level: bool,
    pub plans: bool,
    pub alarms: bool,
    pub decisions: bool,
    pub health: bool,
}

impl Dirty {
    pub const fn all() -> Self {
        Self { level: true, plans: true, alarms: true, decisions: true, health: true }
    }

    const fn none() -> Self {
        Self { level: false, plans: false, alarms: false, decisions: false, health: false }
    }

    /// What a record changes.
    pub const fn touched_by(&mut self, kind: &RecordKind) {
        match kind {
            RecordKind::State(_)
            | RecordKind::RunStarted { .. }
            | RecordKind::RunEnded { .. }
            | RecordKind::CommandRequested { .. }
            | RecordKind::CommandEnded { .. }
            | RecordKind::StateChanged { .. }
            | RecordKind::OrderIntended(_)
            | RecordKind::OrderAdopted(_)
            | RecordKind::OrderStatus { .. }
            | RecordKind::Breaker(_)
            | RecordKind::Streak(_)
            | RecordKind::Closing(_)
            | RecordKind::ClosingEnded { .. }
            | RecordKind::Mark { .. }
            | RecordKind::TaskEnabled { .. }
            | RecordKind::Note { .. } => {}
            RecordKind::Degradation(_) => self.level = true,
            RecordKind::Decision(_) | RecordKind::DecisionEnded { .. } => self.decisions = true,
            RecordKind::Fill { .. } => {
                self.decisions = true;
                self.plans = true;
            }
            RecordKind::Plan(_) => self.plans = true,
            RecordKind::Alarm(_) => self.alarms = true,
        }
    }
}

impl Coordinator {
    /// The facts at `now`. Sections that nothing has touched are shared with `last`.
    pub fn snapshot(&mut self, now: Now, last: Option<&Snapshot>) -> Snapshot {
        let dirty = std::mem::replace(&mut self.live.dirty, Dirty::none());
        let is_new_day = last.is_some_and(|last| last.at.market.day_start() != now.market.day_start());
        macro_rules! section {
            ($field:ident, $touched:expr, $build:expr) => {
                match last {
                    Some(last) if !$touched => Arc::clone(&last.$field),
                    _ => Arc::new($build),
                }
            };
        }
        Snapshot {
            revision: self.live.revision,
            at: now,
            head: self.durable.seq,
            durable: Seq(0),
            control: Arc::new(self.control_view(now)),
            degradation: section!(degradation, dirty.level, self.degradation_view()),
            consensus: Arc::new(self.consensus_view(now)),
            schedule: Arc::new(self.schedule_view(now)),
            plans: section!(plans, dirty.plans, self.plans_view()),
            alarms: section!(alarms, dirty.alarms, self.alarms_view()),
            decisions: section!(decisions, dirty.decisions || is_new_day, self.decisions_view(now)),
            portfolio: Arc::new(self.portfolio_view(now)),
            health: section!(health, dirty.health, self.live.health.rows.clone()),
        }
    }

    fn alarms_view(&self) -> Vec<AlarmRow> {
        let alarms = self.durable.alarms.listed();
        alarms
            .into_iter()
            .map(|alarm| {
                let entry = self.catalogue.entry(alarm.key.source);
                AlarmRow {
                    id: alarm.id,
                    class: alarm.class,
                    title: SafeText::ours(&entry.title),
                    headline: alarm.headline(),
                    unacknowledged: alarm.state.is_unacknowledged(),
                    active: alarm.state.is_active(),
                    resettable: alarm.state == AlarmState::LatchedAcknowledged,
                    raised: alarm.raised_at,
                    acknowledged: alarm
                        .ack
                        .as_ref()
                        .map(|ack| (ack.by.to_string(), ack.at.operator, ack.comment.clone())),
                    count: alarm.count,
                    cause: SafeText::ours(&entry.cause),
                    consequence: SafeText::ours(&entry.consequence),
                    response: SafeText::ours(&entry.response),
                }
            })
            .collect()
    }

    fn decisions_view(&self, now: Now) -> DecisionsView {
        let (day, outcomes) = &self.durable.outcomes_today;
        let today = if *day == now.market.day_start() {
            outcomes.iter().map(|(outcome, count)| (*outcome, *count)).collect()
        } else {
            Vec::new()
        };
        let recent = self.durable.decisions.iter().rev().take(DECISIONS_SHOWN);
        DecisionsView { recent: recent.map(|decision| Arc::new(decision.clone())).collect(), today }
    }
}
