//! The subscriber's end: waits for messages and takes them out, highest lane first, oldest first within a lane.
//! One reader per mailbox; dropping the mailbox unsubscribes.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use thiserror::Error;
use tokio::sync::Notify;

use super::clock::Clock;
use super::filter::Filter;
use super::hub::{AfterLock, Published};
use super::queue::{Delivery, Freed, Offer, Part, Queue};
use super::stats::{Counts, MailboxStats};
use super::{Inner, MessageBus};
use crate::domain::{Message, MessageError, Timestamp};

/// Why there is no message right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TryRecvError {
    /// Nothing is queued; more may come.
    #[error("the mailbox is empty: try again later")]
    Empty,
    /// Nothing is queued and nothing will come: replaced, overflowed, or the bus stopped.
    #[error("the mailbox is closed and drained: subscribe again")]
    Closed,
}

/// What the bus and the reader share of one mailbox.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: Arc<str>,
    pub(super) filter: Filter,
    pub(super) delivery: Delivery,
    clock: Arc<Clock>,
    queue: Mutex<Queue>,
    /// Wakes publishers that wait for room in one of the two parts.
    urgent_room: Notify,
    bulk_room: Notify,
}

impl Shared {
    pub(super) fn new(id: Arc<str>, filter: Filter, delivery: Delivery, clock: Arc<Clock>) -> Self {
        Self {
            id,
            filter,
            delivery,
            clock,
            queue: Mutex::new(Queue::new(delivery)),
            urgent_room: Notify::new(),
            bulk_room: Notify::new(),
        }
    }

    /// The queue under its lock. No code of others runs under it, so a poisoned lock still guards whole data.
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers a message that the filter accepts.
    pub(super) fn offer(&self, message: &Arc<Message>, after: &mut AfterLock) -> Offer {
        let mut queue = self.queue();
        let offer = queue.offer(message);
        after.wakers.extend(queue.reader.take());
        offer
    }

    /// Whether a publisher that may wait has to. A publisher that reads a mailbox itself never waits for a reader
    /// that waits in the same way: two such readers would wait for each other for ever.
    pub(super) fn must_wait(&self, message: &Message, publisher_reads: bool) -> bool {
        let queue = self.queue();
        queue.is_full(Part::of(message.priority)) && !(publisher_reads && queue.reader_publishes)
    }

    /// Waits until the part has room, or may have.
    pub(super) async fn room(&self, part: Part) {
        let mut notified = pin!(self.room_of(part).notified());
        // In line before the look, so that room made between look and wait is not missed.
        notified.as_mut().enable();
        if let Some(_counted) = InLine::join(self, part) {
            notified.await;
        }
    }

    /// Hands an unused wake-up on to the next publisher in line.
    pub(super) fn pass_on_room(&self, part: Part) {
        if !self.queue().is_full(part) {
            self.room_of(part).notify_one();
        }
    }

    /// Wakes every publisher in line: the mailbox is closed, or has grown.
    pub(super) fn wake_publishers(&self) {
        self.urgent_room.notify_waiters();
        self.bulk_room.notify_waiters();
    }

    fn room_of(&self, part: Part) -> &Notify {
        match part {
            Part::Urgent => &self.urgent_room,
            Part::Bulk => &self.bulk_room,
        }
    }

    fn made_room(&self, freed: &Freed) {
        (0..freed.urgent).for_each(|_| self.urgent_room.notify_one());
        (0..freed.bulk).for_each(|_| self.bulk_room.notify_one());
    }

    pub(super) fn stats(&self) -> MailboxStats {
        let queue = self.queue();
        MailboxStats {
            id: Arc::clone(&self.id),
            delivery: self.delivery,
            closed: queue.closed,
            depths: queue.depths(),
            counts: queue.counts,
        }
    }
}

/// While it lives, a publisher waits for room; readers see by the count whether anybody has to be woken.
struct InLine<'a> {
    shared: &'a Shared,
    part: Part,
}

impl<'a> InLine<'a> {
    /// Joins if there is no room.
    fn join(shared: &'a Shared, part: Part) -> Option<Self> {
        let mut queue = shared.queue();
        queue.is_full(part).then(|| {
            *queue.waiting.of(part) += 1;
            Self { shared, part }
        })
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        *self.shared.queue().waiting.of(self.part) -= 1;
    }
}

/// A subscription and the messages that wait in it. Expired messages are counted and never returned; expiry is
/// judged by the latest instant the bus has been told of.
#[derive(Debug)]
#[must_use = "dropping a mailbox unsubscribes"]
pub struct Mailbox {
    shared: Arc<Shared>,
    bus: Weak<Inner>,
}

impl Mailbox {
    pub(super) fn new(shared: Arc<Shared>, bus: Weak<Inner>) -> Self {
        Self { shared, bus }
    }

    /// Name of the subscriber.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Messages queued, expired ones included.
    pub fn depth(&self) -> usize {
        self.shared.queue().depth()
    }

    /// What became of the messages offered to it so far.
    pub fn counts(&self) -> Counts {
        self.shared.queue().counts
    }

    /// Whether nothing more comes in: replaced, overflowed, or the bus stopped. What is queued can still be read.
    pub fn is_closed(&self) -> bool {
        self.shared.queue().closed
    }

    /// The next message; none when the mailbox is closed and drained. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Arc<Message>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<Message>>> {
        let mut freed = Freed::default();
        let polled = {
            let mut queue = self.shared.queue();
            match queue.pop(self.shared.clock.latest(), &mut freed) {
                Some(message) => Poll::Ready(Some(message)),
                None if queue.closed => Poll::Ready(None),
                None => {
                    if !queue.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                        queue.reader = Some(cx.waker().clone());
                    }
                    Poll::Pending
                }
            }
        };
        self.shared.made_room(&freed);
        polled
    }

    /// Waits for one message, then takes what is queued, at most `limit`, into `messages`. Returns how many; 0
    /// when the mailbox is closed and drained, or `limit` is 0. Cancelling loses nothing.
    pub async fn recv_many(&mut self, messages: &mut Vec<Arc<Message>>, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        let Some(first) = self.recv().await else {
            return 0;
        };
        messages.push(first);
        1 + self.drain(messages, limit - 1)
    }

    /// Takes what is queued now, at most `limit`.
    fn drain(&mut self, messages: &mut Vec<Arc<Message>>, limit: usize) -> usize {
        let mut freed = Freed::default();
        let before = messages.len();
        {
            let mut queue = self.shared.queue();
            let now = self.shared.clock.latest();
            messages.extend(std::iter::from_fn(|| queue.pop(now, &mut freed)).take(limit));
        }
        self.shared.made_room(&freed);
        messages.len() - before
    }

    /// The next message if there is one now.
    pub fn try_recv(&mut self) -> Result<Arc<Message>, TryRecvError> {
        let mut freed = Freed::default();
        let (message, closed) = {
            let mut queue = self.shared.queue();
            (queue.pop(self.shared.clock.latest(), &mut freed), queue.closed)
        };
        self.shared.made_room(&freed);
        message.ok_or(if closed { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    /// As [`MessageBus::publish_waiting`], for a task that reads this mailbox. While it waits nobody reads here,
    /// so the mailbox holds twice its capacity meanwhile, and it never waits for a reader that waits likewise
    /// (itself among them): it closes that reader's mailbox, as the core would. Tasks that publish to each
    /// other, or to themselves, so cannot deadlock.
    pub async fn publish_waiting(
        &mut self,
        message: impl Into<Arc<Message>>,
        now: Timestamp,
    ) -> Result<Published, MessageError> {
        let inner = self.bus.upgrade().ok_or(MessageError::Stopped)?;
        let _publishing = Publishing::begin(&self.shared);
        MessageBus { inner }.publish_when_room(message.into(), now, true).await
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if let Some(inner) = self.bus.upgrade() {
            inner.forget(&self.shared);
        }
    }
}

/// While it lives, the reader of a mailbox is publishing.
struct Publishing<'a>(&'a Shared);

impl<'a> Publishing<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.queue().reader_publishes = true;
        shared.wake_publishers();
        Self(shared)
    }
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        self.0.queue().reader_publishes = false;
    }
}
