//! Which alarms have been brought to the operator's notice: rung for once, put aside by Esc, or on their way to being
//! acknowledged. It acknowledges nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::alarm::AlarmClass;
use crate::console::facts::Facts;
use crate::console::toasts::Ticket;
use crate::domain::AlarmId;

/// What the console remembers of the alarms on the list.
#[derive(Debug, Default)]
pub struct Emergencies {
    /// Put aside by Esc, until the acknowledge key.
    hidden: BTreeSet<AlarmId>,
    /// Acknowledgements on their way.
    acknowledging: BTreeMap<Ticket, AlarmId>,
    rung: BTreeSet<AlarmId>,
}

impl Emergencies {
    /// Forgets what has left the list. Whether the bell is to ring: once for every alarm from High on.
    pub fn follow(&mut self, facts: &Facts) -> bool {
        let listed: BTreeSet<_> = facts.snapshot.alarms.iter().map(|row| row.id).collect();
        let open: BTreeSet<_> = facts.emergencies().iter().map(|row| row.id).collect();
        self.hidden.retain(|id| open.contains(id));
        self.acknowledging.retain(|_, id| open.contains(id));
        self.rung.retain(|id| listed.contains(id));
        let loud = |row: &&crate::coordinator::snapshot::AlarmRow| {
            row.unacknowledged && row.class >= AlarmClass::High
        };
        let rung_before = self.rung.len();
        self.rung.extend(facts.snapshot.alarms.iter().filter(loud).map(|row| row.id));
        self.rung.len() > rung_before
    }

    /// The oldest Emergency that is neither put aside nor about to be acknowledged.
    pub fn next(&self, facts: &Facts) -> Option<AlarmId> {
        let is_waiting =
            |id: &AlarmId| !self.hidden.contains(id) && !self.acknowledging.values().any(|other| other == id);
        facts.emergencies().iter().map(|row| row.id).find(is_waiting)
    }

    /// Every Emergency of now waits in the header.
    pub fn put_aside(&mut self, facts: &Facts) {
        self.hidden.extend(facts.emergencies().iter().map(|row| row.id));
    }

    /// Those that were put aside are shown again.
    pub fn bring_back(&mut self) {
        self.hidden.clear();
    }

    /// An acknowledgement goes out.
    pub fn acknowledging(&mut self, ticket: Ticket, alarm: AlarmId) {
        self.acknowledging.insert(ticket, alarm);
    }

    /// It was answered. A refused one stays in the header: the box would only ask again for what was refused.
    pub fn answered(&mut self, ticket: Ticket, is_done: bool) {
        if let Some(alarm) = self.acknowledging.remove(&ticket)
            && !is_done
        {
            self.hidden.insert(alarm);
        }
    }
}
