//! Everything the screen is drawn from that is not the screen's own: the snapshot, the gate's word, the clocks.

use std::sync::Arc;
use std::time::Duration;

use crate::alarm::AlarmClass;
use crate::coordinator::snapshot::{AlarmRow, Snapshot};
use crate::domain::{AlarmId, Now, TradingState};
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
}

impl Facts {
    /// How old the snapshot is, operator time.
    pub fn core_age(&self) -> Duration {
        self.now.operator.since(self.snapshot.at.operator)
    }

    /// Whether the core has stopped telling facts.
    pub fn is_stuck(&self) -> bool {
        self.core_age() > STUCK_AFTER
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
