//! The subscriber's end: waits for messages and takes them out, highest lane first, oldest first within a lane.
//! One reader per mailbox; dropping the mailbox unsubscribes.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use thiserror::Error;

use super::hub::Locked;
use super::shared::Shared;
use super::stats::Counts;
use crate::domain::Message;

/// Why there is no message right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TryRecvError {
    /// Nothing is queued; more may come.
    #[error("the mailbox is empty: try again later")]
    Empty,
    /// Nothing is queued and nothing will come: replaced, or the bus stopped.
    #[error("the mailbox is closed and drained: subscribe again")]
    Closed,
}

/// A subscription and the messages that wait in it. Expired messages are counted and never returned; expiry is
/// judged by the latest instant the bus has been told of.
#[derive(Debug)]
#[must_use = "dropping a mailbox unsubscribes"]
pub struct Mailbox {
    shared: Arc<Shared>,
    bus: Weak<Locked>,
}

impl Mailbox {
    pub(super) fn new(shared: Arc<Shared>, bus: Weak<Locked>) -> Self {
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

    /// Whether nothing more comes in: replaced, or the bus stopped. What is queued can still be read.
    pub fn is_closed(&self) -> bool {
        self.shared.queue().closed
    }

    /// The next message; none when the mailbox is closed and drained. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Arc<Message>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<Message>>> {
        let mut queue = self.shared.queue();
        match queue.pop(self.shared.clock.latest()) {
            Some(message) => Poll::Ready(Some(message)),
            None if queue.closed => Poll::Ready(None),
            None => {
                if !queue.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                    queue.reader = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
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
        let before = messages.len();
        let mut queue = self.shared.queue();
        let now = self.shared.clock.latest();
        messages.extend(std::iter::from_fn(|| queue.pop(now)).take(limit));
        messages.len() - before
    }

    /// The next message if there is one now.
    pub fn try_recv(&mut self) -> Result<Arc<Message>, TryRecvError> {
        let mut queue = self.shared.queue();
        let message = queue.pop(self.shared.clock.latest());
        message.ok_or(if queue.closed { TryRecvError::Closed } else { TryRecvError::Empty })
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if let Some(bus) = self.bus.upgrade() {
            bus.with(|hub, after| hub.forget(&self.shared, after));
        }
    }
}
