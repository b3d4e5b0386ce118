//! One consistent reading of the bus, for the screen and the metrics.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::Topic;

/// What became of the messages offered to mailboxes. At every instant
/// `offered = delivered + dropped + expired + abandoned + still queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Offered to a mailbox: its topics and filter matched.
    pub offered: u64,
    /// Received by the subscriber.
    pub delivered: u64,
    /// Dropped because the mailbox was full.
    pub dropped: u64,
    /// Found expired when the subscriber came to read them.
    pub expired: u64,
    /// Still queued when the subscriber went away.
    pub abandoned: u64,
}

impl Counts {
    /// Adds the counts of another mailbox.
    pub(super) fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.delivered += other.delivered;
        self.dropped += other.dropped;
        self.expired += other.expired;
        self.abandoned += other.abandoned;
    }
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopicStats {
    /// Which.
    pub topic: Topic,
    /// Messages accepted since the bus was made.
    pub published: u64,
    /// Messages per second of market time, mean of the last ten seconds.
    pub per_second: f64,
    /// Subscribers of this topic.
    pub subscribers: usize,
}

/// One mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailboxStats {
    /// Name of the subscriber.
    pub id: Arc<str>,
    /// Most messages it holds.
    pub capacity: usize,
    /// Closed, replaced or stopped: nothing more comes in, but somebody still holds it.
    pub closed: bool,
    /// Messages queued, highest lane first.
    pub depths: [usize; 4],
    /// What became of the messages offered to it.
    pub counts: Counts,
}

impl MailboxStats {
    /// Messages queued.
    pub fn depth(&self) -> usize {
        self.depths.iter().sum()
    }
}

/// The whole bus at one instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BusStats {
    /// Messages accepted: the sum over all topics.
    pub published: u64,
    /// Accepted, but their TTL had already ended: neither delivered nor kept. Not part of `published`.
    pub late: u64,
    /// Messages refused with a `MessageError`.
    pub errors: u64,
    /// What became of messages at the mailboxes: the sum over all mailboxes that ever were.
    pub counts: Counts,
    /// Messages queued in all mailboxes.
    pub queued: usize,
    /// Messages in history.
    pub history: usize,
    /// (topic, source, symbol) whose newest message is known.
    pub indexed: usize,
    /// Open mailboxes.
    pub subscribers: usize,
    /// Topics with at least one subscriber.
    pub topics_active: usize,
    /// Every topic, in the order of [`Topic::ALL`].
    pub topics: Vec<TopicStats>,
    /// Every mailbox that somebody holds, open ones first.
    pub mailboxes: Vec<MailboxStats>,
}
