//! Which row comes next: those that wait for their tick, by tick, and those that may begin, by turn. Only row numbers
//! and instants; why a row may begin is for the schedule to know.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Row;
use crate::config::TaskName;
use crate::domain::Timestamp;

/// Whose turn it is: the operator's wish before the ticks, the longest due first so that a busy task cannot starve a
/// later one, then the order of the rows.
type Turn = (bool, Timestamp, usize);

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Tick(Timestamp),
    Turn(TaskName, Turn),
}

/// The rows that something will happen to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Queue {
    /// Rows whose tick nobody has noticed yet.
    ticks: BTreeSet<(Timestamp, usize)>,
    /// Rows that want to begin and have not been found hindered since something changed for them.
    turns: BTreeMap<TaskName, BTreeSet<Turn>>,
    /// Of each row; none for those to which nothing will happen.
    places: Vec<Option<Place>>,
}

impl Queue {
    /// Nobody waits, of so many rows.
    pub fn new(rows: usize) -> Self {
        Self { ticks: BTreeSet::new(), turns: BTreeMap::new(), places: vec![None; rows] }
    }

    /// The row waits for its tick.
    pub fn await_tick(&mut self, index: usize, row: &Row) {
        self.remove(index);
        self.ticks.insert((row.due_at, index));
        self.places[index] = Some(Place::Tick(row.due_at));
    }

    /// The row may begin, as far as is known.
    pub fn offer(&mut self, index: usize, row: &Row) {
        self.remove(index);
        let turn = (!row.requested, row.due_at, index);
        self.turns.entry(row.task).or_default().insert(turn);
        self.places[index] = Some(Place::Turn(row.task, turn));
    }

    /// The row runs, cannot run, or waits for something that will put it back here.
    pub fn remove(&mut self, index: usize) {
        match self.places[index].take() {
            Some(Place::Tick(at)) => {
                self.ticks.remove(&(at, index));
            }
            Some(Place::Turn(task, turn)) => {
                self.turns.entry(task).or_default().remove(&turn);
            }
            None => {}
        }
    }

    /// The earliest tick that nobody has noticed yet.
    pub fn next_tick(&self) -> Option<Timestamp> {
        self.ticks.first().map(|(at, _)| *at)
    }

    /// Takes out a row whose tick has come.
    pub fn tick_come(&mut self, now: Timestamp) -> Option<usize> {
        let (_, index) = self.ticks.first().copied().filter(|(at, _)| *at <= now)?;
        self.remove(index);
        Some(index)
    }

    /// The row whose turn it is, among the tasks that have a slot.
    pub fn first(&self, has_slot: impl Fn(TaskName) -> bool) -> Option<usize> {
        let waiting = self.turns.iter().filter(|(_, turns)| !turns.is_empty());
        let with_slot = waiting.filter(|(task, _)| has_slot(**task));
        with_slot.filter_map(|(_, turns)| turns.first()).min().map(|(_, _, index)| *index)
    }
}
