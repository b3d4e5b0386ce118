//! Everything the screen is drawn from that is not the screen's own: the snapshot, the gate's word, the clocks.

use std::sync::Arc;
use std::time::Duration;

use crate::alarm::AlarmClass;
use crate::coordinator::snapshot::{AlarmRow, Snapshot};
use crate::domain::{AlarmId, Now, SafeText, TradingState, days_hms};
use crate::gate::Reading;

/// A snapshot older than this means that the core does not step any more.
pub const STUCK_AFTER: Duration = Duration::from_secs(3);

/// What is known at one instant.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The core's facts.
    pub snapshot: Arc<Snapshot>,
    /// The gate's own word; it may be stricter than the snapshot.
    pub gate: Reading,
    /// Both clocks.
    pub now: Now,
    /// The core is no more: it panicked, or the process is ending.
    pub has_ended: bool,
}

impl Facts {
    /// How old the snapshot is, operator time.
    pub fn core_age(&self) -> Duration {
        self.now.operator.since(self.snapshot.at.operator)
    }

    /// Whether the core has stopped telling facts and answering, for a while or for good.
    pub fn is_stuck(&self) -> bool {
        self.has_ended || self.core_age() > STUCK_AFTER
    }

    /// The alarm that a core which is stuck cannot raise. The console's own: nobody can acknowledge it.
    pub fn core_alarm(&self) -> Option<AlarmRow> {
        let (title, cause, consequence, response) = if self.has_ended {
            (
                "Core ended",
                "its task panicked; the log (0) names the place",
                "nothing is traded and nothing answers; stops of the paper venue do not fire; all that is shown is old",
                "read the log (0), quit (q) and start again: the journal brings everything back, PAUSED",
            )
        } else {
            (
                "Core makes no steps",
                "the core has not finished a step for longer than the watchdog allows",
                "no entries go out; what is shown is old, and nothing that is asked is answered",
                "look at load and memory of the machine and at the log (0); quit (q) and start again if it does not \
                 recover within a minute",
            )
        };
        let what = if self.has_ended { "core ended" } else { "core stuck" };
        self.is_stuck().then(|| AlarmRow {
            id: AlarmId(0),
            class: AlarmClass::Emergency,
            title: SafeText::ours(title),
            headline: SafeText::ours(format!("{what}: no step for {}", days_hms(self.core_age()))),
            unacknowledged: true,
            active: true,
            resettable: false,
            raised: self.snapshot.at,
            acknowledged: None,
            count: 1,
            cause: SafeText::ours(cause),
            consequence: SafeText::ours(consequence),
            response: SafeText::ours(response),
        })
    }

    /// The trading state, by the gate's word.
    pub const fn state(&self) -> TradingState {
        self.gate.state
    }

    /// Records that are not on disk yet.
    pub fn writing(&self) -> u64 {
        self.snapshot.head.0.saturating_sub(self.snapshot.durable.0)
    }

    /// Whether the trading state that is shown is on disk: the core knows of it, and its record is durable.
    pub fn is_state_durable(&self) -> bool {
        let control = &self.snapshot.control;
        control.state == self.state() && control.recorded <= self.snapshot.durable
    }

    /// Emergencies that nobody has acknowledged, oldest first.
    pub fn emergencies(&self) -> Vec<&AlarmRow> {
        let mut rows: Vec<_> = self
            .snapshot
            .alarms
            .iter()
            .filter(|row| row.unacknowledged && row.class == AlarmClass::Emergency)
            .collect();
        rows.sort_by_key(|row| (row.raised.operator, row.id));
        rows
    }

    /// The alarm to be acknowledged next: the oldest unacknowledged one of the highest class.
    pub fn most_urgent(&self) -> Option<&AlarmRow> {
        let unacknowledged = self.snapshot.alarms.iter().filter(|row| row.unacknowledged);
        unacknowledged.min_by_key(|row| (std::cmp::Reverse(row.class), row.raised.operator, row.id))
    }

    /// The alarm with this id, while it is listed.
    pub fn alarm(&self, id: AlarmId) -> Option<&AlarmRow> {
        self.snapshot.alarms.iter().find(|row| row.id == id)
    }
}
