//! What waits for the disk: nothing that follows from a record leaves the process before the record is durable.

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
}

#[derive(Debug)]
struct Waiting {
    behind: Seq,
    since: Timestamp,
    effect: Effect,
}

impl Outbox {
    /// Begins behind `durable`, the last record of the journal.
    pub const fn new(durable: Seq) -> Self {
        Self { waiting: VecDeque::new(), head: durable, durable }
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
    pub fn pop_ready(&mut self) -> Option<Effect> {
        let ready = self.waiting.front()?.behind <= self.durable;
        if ready { self.waiting.pop_front().map(|waiting| waiting.effect) } else { None }
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
        assert_eq!(outbox.pop_ready(), Some(query(1)));
        assert_eq!(outbox.pop_ready(), None);
        outbox.durable(Seq(6));
        assert_eq!(outbox.pop_ready(), Some(query(2)));
    }

    #[test]
    fn what_follows_no_new_record_does_not_wait() {
        let mut outbox = Outbox::new(Seq(4));
        outbox.push(query(1), Timestamp::EPOCH);
        assert_eq!(outbox.pop_ready(), Some(query(1)));
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
