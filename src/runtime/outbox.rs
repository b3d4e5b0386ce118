//! What waits for the disk: nothing that follows from a record leaves the process before the record is durable. When the
//! disk has failed nothing waits any more, and what comes out is marked: whoever lets it out decides what may pass.

use std::collections::VecDeque;
use std::time::Duration;

use crate::coordinator::effect::Effect;
use crate::domain::{Seq, Timestamp};

/// Effects in order, each behind the last record before it.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    /// Last record numbered, and last record durable.
    head: Seq,
    durable: Seq,
    /// The disk has failed: there is nothing to wait for.
    disk_failed: bool,
}

/// What need not wait any more.
#[derive(Debug, Clone, PartialEq)]
pub enum Ready {
    /// The records before it are on the disk.
    Durable(Effect),
    /// They are not, and may never be.
    NotDurable(Effect),
}

/// Most effects that may wait; more of them mean that the disk hangs.
const WAITING_MAX: usize = 65_536;

#[derive(Debug)]
struct Waiting {
    behind: Seq,
    since: Timestamp,
    effect: Effect,
}

impl Outbox {
    /// Begins behind `durable`, the last record of the journal.
    pub const fn new(durable: Seq) -> Self {
        Self { waiting: VecDeque::new(), head: durable, durable, disk_failed: false }
    }

    /// The disk has failed, or is written again.
    pub const fn set_disk_failed(&mut self, failed: bool) {
        self.disk_failed = failed;
    }

    /// Effects that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// More wait than may.
    pub fn is_full(&self) -> bool {
        self.len() > WAITING_MAX
    }

    /// A record was handed to the writer: what is pushed from now on waits for it.
    pub fn recorded(&mut self, seq: Seq) {
        self.head = self.head.max(seq);
    }

    /// The disk has everything up to `seq`.
    pub fn durable(&mut self, seq: Seq) {
        self.durable = self.durable.max(seq);
    }

    /// Puts an effect behind the records before it. `since` is operator time.
    pub fn push(&mut self, effect: Effect, since: Timestamp) {
        self.waiting.push_back(Waiting { behind: self.head, since, effect });
    }

    /// The next effect that need not wait any more.
    pub fn pop_ready(&mut self) -> Option<Ready> {
        let is_durable = self.waiting.front()?.behind <= self.durable;
        if !is_durable && !self.disk_failed {
            return None;
        }
        let effect = self.waiting.pop_front()?.effect;
        Some(if is_durable { Ready::Durable(effect) } else { Ready::NotDurable(effect) })
    }

    /// Records that are not durable yet, and how long the oldest effect has waited for one, operator time.
    pub fn lag(&self, now: Timestamp) -> (u64, Duration) {
        let records = self.head.0.saturating_sub(self.durable.0);
        (records, self.waiting.front().map_or(Duration::ZERO, |waiting| now.since(waiting.since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(number: u64) -> Effect {
        let install = crate::domain::InstallId::derived("outbox");
        Effect::Query { client_id: crate::domain::ClientOrderId::derive(install, &number.to_string()) }
    }

    #[test]
    fn nothing_leaves_before_the_record_in_front_of_it_is_durable() {
        let mut outbox = Outbox::new(Seq(4));
        outbox.recorded(Seq(5));
        outbox.push(query(1), Timestamp::EPOCH);
        outbox.recorded(Seq(6));
        outbox.push(query(2), Timestamp::EPOCH);

        assert_eq!(outbox.pop_ready(), None);
        outbox.durable(Seq(5));
        assert_eq!(outbox.pop_ready(), Some(Ready::Durable(query(1))));
        assert_eq!(outbox.pop_ready(), None);
        outbox.durable(Seq(6));
        assert_eq!(outbox.pop_ready(), Some(Ready::Durable(query(2))));
    }

    #[test]
    fn what_follows_no_new_record_does_not_wait() {
        let mut outbox = Outbox::new(Seq(4));
        outbox.push(query(1), Timestamp::EPOCH);
        assert_eq!(outbox.pop_ready(), Some(Ready::Durable(query(1))));
    }

    #[test]
    fn nothing_waits_for_a_disk_that_has_failed_and_what_comes_out_is_marked() {
        let mut outbox = Outbox::new(Seq(4));
        outbox.push(query(1), Timestamp::EPOCH);
        outbox.recorded(Seq(5));
        outbox.push(query(2), Timestamp::EPOCH);
        outbox.set_disk_failed(true);
        assert_eq!(outbox.pop_ready(), Some(Ready::Durable(query(1))));
        assert_eq!(outbox.pop_ready(), Some(Ready::NotDurable(query(2))));

        outbox.set_disk_failed(false);
        outbox.push(query(3), Timestamp::EPOCH);
        assert_eq!(outbox.pop_ready(), None, "it waits again for record 5");
        outbox.durable(Seq(5));
        assert_eq!(outbox.pop_ready(), Some(Ready::Durable(query(3))));
    }

    #[test]
    fn the_lag_is_what_the_disk_is_behind() {
        let mut outbox = Outbox::new(Seq(4));
        outbox.recorded(Seq(7));
        outbox.push(query(1), Timestamp::from_secs(10));
        assert_eq!(outbox.lag(Timestamp::from_secs(12)), (3, Duration::from_secs(2)));
        outbox.durable(Seq(7));
        outbox.pop_ready();
        assert_eq!(outbox.lag(Timestamp::from_secs(12)), (0, Duration::ZERO));
    }
}
