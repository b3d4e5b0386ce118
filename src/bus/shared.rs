//! One mailbox as the hub, which fills it, and its reader share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use super::filter::Filter;
use super::queue::Queue;
use super::stats::MailboxStats;

/// The queue under its lock, and what never changes.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: Arc<str>,
    pub(super) filter: Filter,
    pub(super) clock: Arc<Clock>,
    queue: Mutex<Queue>,
}

impl Shared {
    pub(super) fn new(id: Arc<str>, filter: Filter, capacity: usize, clock: Arc<Clock>) -> Self {
        Self { id, filter, clock, queue: Mutex::new(Queue::new(capacity)) }
    }

    /// No foreign code runs under the lock, so even a poisoned lock guards whole data.
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stats(&self) -> MailboxStats {
        let queue = self.queue();
        MailboxStats {
            id: Arc::clone(&self.id),
            capacity: queue.capacity,
            closed: queue.closed,
            depths: queue.depths(),
            counts: queue.counts,
        }
    }
}
