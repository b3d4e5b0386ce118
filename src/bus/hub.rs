//! Everything behind the one lock of the bus: who subscribes to what, history, counters. A message goes to all
//! its mailboxes under this lock, so every mailbox sees the messages in the same order, and one reading of the
//! counters is consistent. Locks are taken hub first, then mailbox, never the other way. Nothing here waits or
//! runs foreign code: wakers and destructors are left to [`AfterLock`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::watch;

use super::clock::Clock;
use super::history::History;
use super::queue::{Lanes, Offer};
use super::rate::Rate;
use super::shared::Shared;
use super::stats::{BusStats, Counts, MailboxStats, TopicStats};
use crate::domain::{Message, MessageError, Timestamp, Topic};

const TOPICS: usize = Topic::ALL.len();

/// What became of a published message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Published {
    /// Mailboxes that took it.
    pub mailboxes: usize,
    /// Messages dropped in full mailboxes because of it, itself included.
    pub dropped: usize,
}

/// The hub under its lock, and the clock, which needs none.
#[derive(Debug)]
pub(super) struct Locked {
    hub: Mutex<Hub>,
    clock: Arc<Clock>,
}

impl Locked {
    pub(super) fn new(hub: Hub) -> Self {
        Self { hub: Mutex::new(hub), clock: Arc::new(Clock::new()) }
    }

    pub(super) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// No foreign code runs under the lock, so even a poisoned lock guards whole data.
    pub(super) fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` under the lock, and what it leaves to do once the lock is released.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Hub, &mut AfterLock) -> T) -> T {
        let mut after = AfterLock::default();
        let result = work(&mut self.lock(), &mut after);
        after.wakers.drain(..).for_each(Waker::wake);
        result
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.with(Hub::stop);
    }
}

/// What must happen once the lock is released: wake-ups, and the destructors of the rest. When nobody sleeps,
/// nothing here allocates.
#[derive(Default)]
pub(super) struct AfterLock {
    wakers: Vec<Waker>,
    evicted: Option<Arc<Message>>,
    abandoned: Option<Lanes>,
    running: Option<watch::Sender<()>>,
}

/// The state of the bus.
#[derive(Debug)]
pub(super) struct Hub {
    /// Dropped by the stop, which is how those who watch it learn of the stop.
    running: Option<watch::Sender<()>>,
    /// Open mailboxes by topic, in order of subscription.
    topics: [Vec<Arc<Shared>>; TOPICS],
    open: Vec<Arc<Shared>>,
    /// Closed mailboxes that somebody still holds.
    closed: Vec<Arc<Shared>>,
    /// Counts of the mailboxes that are gone.
    gone: Counts,
    pub(super) history: History,
    published: [u64; TOPICS],
    rates: [Rate; TOPICS],
    late: u64,
    pub(super) errors: u64,
}

impl Hub {
    pub(super) fn new(history_size_max: usize) -> Self {
        Self {
            running: Some(watch::Sender::new(())),
            topics: Default::default(),
            open: Vec::new(),
            closed: Vec::new(),
            gone: Counts::default(),
            history: History::new(history_size_max),
            published: [0; TOPICS],
            rates: Default::default(),
            late: 0,
            errors: 0,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Closes when the bus is stopped; none if it is stopped.
    pub(super) fn running(&self) -> Option<watch::Receiver<()>> {
        self.running.as_ref().map(watch::Sender::subscribe)
    }

    /// Gives a checked message to history and mailboxes.
    pub(super) fn publish(
        &mut self,
        message: &Arc<Message>,
        now: Timestamp,
        after: &mut AfterLock,
    ) -> Result<Published, MessageError> {
        if !self.is_running() {
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
        Ok(self.deliver(message, after))
    }

    fn deliver(&self, message: &Arc<Message>, after: &mut AfterLock) -> Published {
        let mut published = Published::default();
        for shared in &self.topics[message.topic as usize] {
            if !shared.filter.accepts(message) {
                continue;
            }
            let mut queue = shared.queue();
            match queue.offer(message) {
                Offer::Taken => published.mailboxes += 1,
                Offer::Displaced(_older) => {
                    published.mailboxes += 1;
                    published.dropped += 1;
                }
                Offer::Dropped => published.dropped += 1,
            }
            after.wakers.extend(queue.reader.take());
        }
        published
    }

    /// Opens a mailbox. An older one of the same id is closed and the new one stands in its place, topic by
    /// topic; nothing else moves.
    pub(super) fn open(&mut self, shared: &Arc<Shared>, topics: &[Topic], after: &mut AfterLock) {
        if !self.is_running() {
            self.end(Arc::clone(shared), after);
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

    /// Ends a mailbox that stands on no list any more; what it holds can still be read.
    fn end(&mut self, shared: Arc<Shared>, after: &mut AfterLock) {
        after.wakers.extend(shared.queue().close());
        self.closed.push(shared);
    }

    /// Forgets a mailbox whose holder is gone, keeping its counts.
    pub(super) fn forget(&mut self, shared: &Arc<Shared>, after: &mut AfterLock) {
        for list in self.topics.iter_mut().chain([&mut self.open, &mut self.closed]) {
            list.retain(|other| !Arc::ptr_eq(other, shared));
        }
        let mut queue = shared.queue();
        after.wakers.extend(queue.close());
        after.abandoned = Some(queue.abandon());
        self.gone.add(&queue.counts);
    }

    /// Refuses everything from now on and ends every mailbox.
    pub(super) fn stop(&mut self, after: &mut AfterLock) {
        after.running = self.running.take();
        for list in &mut self.topics {
            list.clear();
        }
        for shared in std::mem::take(&mut self.open) {
            self.end(shared, after);
        }
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
            counts,
            queued: mailboxes.iter().map(MailboxStats::depth).sum(),
            history: self.history.len(),
            indexed: self.history.indexed(),
            subscribers: self.open.len(),
            topics_active: topics.iter().filter(|topic| topic.subscribers > 0).count(),
            topics,
            mailboxes,
        }
    }
}
