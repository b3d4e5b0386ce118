//! Everything behind the one lock of the bus: who subscribes to what, history, counters. Because a message goes
//! to all its mailboxes under this lock, every mailbox sees the messages in the same order, and one reading of
//! the counters is consistent. Locks are taken hub first, then mailbox, never the other way. Nothing here waits,
//! and no code of others runs here: wakers and destructors are left to [`AfterLock`].

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use tokio::sync::oneshot;

use super::history::History;
use super::mailbox::Shared;
use super::queue::Offer;
use super::rate::Rate;
use super::stats::{BusStats, Counts, TopicStats};
use crate::domain::{Message, MessageError, MessageId, Timestamp, Topic};

const TOPICS: usize = Topic::ALL.len();

/// What became of a published message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use = "a closed mailbox wants an alarm"]
pub struct Published {
    /// Mailboxes that took it.
    pub mailboxes: usize,
    /// Messages dropped in Lossy mailboxes because of it, itself included.
    pub dropped: usize,
    /// Reliable mailboxes that were full and are closed now; see `take_closed`.
    pub closed: usize,
}

/// A Reliable mailbox that was closed because it was full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedMailbox {
    /// Name of the subscriber.
    pub id: Arc<str>,
    /// Topic of the message that found no room.
    pub topic: Topic,
    /// Messages queued at that moment; they can still be read.
    pub depth: usize,
}

/// What must happen once the lock is released: wake-ups and destructors. Sleepers cost a place in the list;
/// when nobody sleeps, nothing here allocates.
#[derive(Default)]
pub(super) struct AfterLock {
    pub(super) wakers: Vec<Waker>,
    pub(super) evicted: Option<Arc<Message>>,
    reply: Option<(oneshot::Sender<Arc<Message>>, Arc<Message>)>,
    /// Mailboxes, closed or off a topic, for whose room somebody may wait in vain.
    left: Vec<Arc<Shared>>,
    abandoned: Option<[VecDeque<Arc<Message>>; 4]>,
    requests: Option<HashMap<MessageId, oneshot::Sender<Arc<Message>>>>,
}

impl AfterLock {
    /// Wakes who has to be woken and drops what nobody needs.
    pub(super) fn finish(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
        self.left.iter().for_each(|shared| shared.wake_publishers());
        if let Some((requester, reply)) = self.reply.take() {
            // The requester may have given up since; the reply was delivered like any message all the same.
            let _: Result<(), Arc<Message>> = requester.send(reply);
        }
    }
}

/// The state of the bus.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) stopped: bool,
    /// Open mailboxes by topic, in order of subscription.
    topics: [Vec<Arc<Shared>>; TOPICS],
    /// Open mailboxes.
    open: Vec<Arc<Shared>>,
    /// Closed mailboxes that somebody still holds.
    closed: Vec<Arc<Shared>>,
    /// Counts of the mailboxes that are gone.
    gone: Counts,
    pub(super) history: History,
    /// Who waits for the reply to which message; one entry per live request future.
    pub(super) requests: HashMap<MessageId, oneshot::Sender<Arc<Message>>>,
    /// One entry per closed mailbox until the core takes them.
    pub(super) overflows: Vec<ClosedMailbox>,
    published: [u64; TOPICS],
    rates: [Rate; TOPICS],
    late: u64,
    pub(super) errors: u64,
    overflowed: u64,
}

impl Hub {
    pub(super) fn new(history_size_max: usize) -> Self {
        Self {
            stopped: false,
            topics: Default::default(),
            open: Vec::new(),
            closed: Vec::new(),
            gone: Counts::default(),
            history: History::new(history_size_max),
            requests: HashMap::new(),
            overflows: Vec::new(),
            published: [0; TOPICS],
            rates: Default::default(),
            late: 0,
            errors: 0,
            overflowed: 0,
        }
    }

    /// A full Reliable mailbox for which the publisher of this message should wait, if there is one.
    pub(super) fn full_mailbox(
        &self,
        message: &Message,
        now: Timestamp,
        publisher_reads: bool,
    ) -> Option<Arc<Shared>> {
        if message.is_expired(now) {
            return None;
        }
        let mut wanting = self.topics[message.topic as usize].iter().filter(|s| s.filter.accepts(message));
        wanting.find(|shared| shared.must_wait(message, publisher_reads)).cloned()
    }

    /// Gives a checked message to history and mailboxes. A Reliable mailbox that is full is closed.
    pub(super) fn publish(
        &mut self,
        message: &Arc<Message>,
        now: Timestamp,
        after: &mut AfterLock,
    ) -> Result<Published, MessageError> {
        if self.stopped {
            self.errors += 1;
            return Err(MessageError::Stopped);
        }
        if message.is_expired(now) {
            self.late += 1;
            return Ok(Published::default());
        }
        let topic = message.topic as usize;
        self.published[topic] += 1;
        self.rates[topic].record(now);
        after.evicted = self.history.push(message);
        if !self.requests.is_empty()
            && let Some(request) = message.correlation_id.filter(|request| *request != message.id)
        {
            after.reply = self.requests.remove(&request).map(|requester| (requester, Arc::clone(message)));
        }
        Ok(self.deliver(message, after))
    }

    fn deliver(&mut self, message: &Arc<Message>, after: &mut AfterLock) -> Published {
        let mut published = Published::default();
        let mut overflowed = Vec::new();
        for shared in &self.topics[message.topic as usize] {
            if !shared.filter.accepts(message) {
                continue;
            }
            match shared.offer(message, after) {
                Offer::Taken => published.mailboxes += 1,
                Offer::Displaced(_older) => {
                    published.mailboxes += 1;
                    published.dropped += 1;
                }
                Offer::Dropped => published.dropped += 1,
                Offer::Overflow => overflowed.push(Arc::clone(shared)),
            }
        }
        published.closed = overflowed.len();
        for shared in overflowed {
            let depth = shared.queue().depth();
            self.overflows.push(ClosedMailbox { id: Arc::clone(&shared.id), topic: message.topic, depth });
            self.overflowed += 1;
            self.close(&shared, after);
        }
        published
    }

    /// Opens a mailbox. An older one of the same id is closed and the new one stands in its place, topic by
    /// topic; nothing else moves.
    pub(super) fn open(&mut self, shared: &Arc<Shared>, topics: &[Topic], after: &mut AfterLock) {
        if self.stopped {
            after.wakers.extend(shared.queue().close());
            self.closed.push(Arc::clone(shared));
            return;
        }
        let old = self.open.iter().position(|other| other.id == shared.id);
        for topic in Topic::ALL {
            let list = &mut self.topics[topic as usize];
            let place = list.iter().position(|other| other.id == shared.id);
            match (place, topics.contains(&topic)) {
                (Some(place), true) => list[place] = Arc::clone(shared),
                (Some(place), false) => drop(list.remove(place)),
                (None, true) => list.push(Arc::clone(shared)),
                (None, false) => {}
            }
        }
        match old {
            Some(place) => {
                let old = std::mem::replace(&mut self.open[place], Arc::clone(shared));
                self.end(old, after);
            }
            None => self.open.push(Arc::clone(shared)),
        }
    }

    /// Takes the open mailbox of this id off one topic, and closes it if that was its last. Nobody needs to wait for
    /// its room with a message of that topic any more.
    pub(super) fn leave(&mut self, id: &str, topic: Topic, after: &mut AfterLock) -> bool {
        let list = &mut self.topics[topic as usize];
        let Some(place) = list.iter().position(|shared| &*shared.id == id) else {
            return false;
        };
        let shared = list.remove(place);
        if self.topics.iter().flatten().any(|other| Arc::ptr_eq(other, &shared)) {
            after.left.push(shared);
        } else {
            self.close(&shared, after);
        }
        true
    }

    /// Closes the open mailbox of this id, if there is one.
    pub(super) fn close_id(&mut self, id: &str, after: &mut AfterLock) -> bool {
        let found = self.open.iter().find(|shared| &*shared.id == id).cloned();
        found.is_some_and(|shared| {
            self.close(&shared, after);
            true
        })
    }

    /// Takes an open mailbox off every list and ends it.
    fn close(&mut self, shared: &Arc<Shared>, after: &mut AfterLock) {
        for list in &mut self.topics {
            list.retain(|other| !Arc::ptr_eq(other, shared));
        }
        if let Some(place) = self.open.iter().position(|other| Arc::ptr_eq(other, shared)) {
            let shared = self.open.remove(place);
            self.end(shared, after);
        }
    }

    /// Ends a mailbox that stands on no list any more; what it holds can still be read.
    fn end(&mut self, shared: Arc<Shared>, after: &mut AfterLock) {
        after.wakers.extend(shared.queue().close());
        after.left.push(Arc::clone(&shared));
        self.closed.push(shared);
    }

    /// Forgets a mailbox whose holder is gone, keeping its counts.
    pub(super) fn forget(&mut self, shared: &Arc<Shared>, after: &mut AfterLock) {
        self.close(shared, after);
        self.closed.retain(|other| !Arc::ptr_eq(other, shared));
        let mut queue = shared.queue();
        after.abandoned = Some(queue.abandon());
        self.gone.add(&queue.counts);
    }

    /// Refuses everything from now on and ends every mailbox and request.
    pub(super) fn stop(&mut self, after: &mut AfterLock) {
        self.stopped = true;
        for list in &mut self.topics {
            list.clear();
        }
        for shared in std::mem::take(&mut self.open) {
            self.end(shared, after);
        }
        after.requests = Some(std::mem::take(&mut self.requests));
    }

    /// Everything there is to count, at one instant: no message moves in while it is read, and each mailbox is
    /// read whole under its own lock.
    pub(super) fn stats(&mut self, now: Timestamp) -> BusStats {
        let mailboxes: Vec<_> = self.open.iter().chain(&self.closed).map(|shared| shared.stats()).collect();
        let mut counts = self.gone;
        for mailbox in &mailboxes {
            counts.add(&mailbox.counts);
        }
        let topics: Vec<_> = Topic::ALL
            .into_iter()
            .map(|topic| TopicStats {
                topic,
                published: self.published[topic as usize],
                per_second: self.rates[topic as usize].per_second(now),
                subscribers: self.topics[topic as usize].len(),
            })
            .collect();
        BusStats {
            published: self.published.iter().sum(),
            late: self.late,
            errors: self.errors,
            overflowed: self.overflowed,
            counts,
            queued: mailboxes.iter().map(super::stats::MailboxStats::depth).sum(),
            history: self.history.len(),
            indexed: self.history.indexed(),
            requests: self.requests.len(),
            subscribers: self.open.len(),
            topics_active: topics.iter().filter(|topic| topic.subscribers > 0).count(),
            topics,
            mailboxes,
        }
    }
}
