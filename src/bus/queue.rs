//! The lanes of one mailbox: plain data under the mailbox's lock. Decides what is dropped; never blocks, never
//! wakes anybody itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use super::stats::Counts;
use crate::domain::{Message, Priority, Timestamp};

/// One lane per priority, the highest first.
pub(super) type Lanes = [VecDeque<Arc<Message>>; 4];

/// What became of a message offered to a queue.
pub(super) enum Offer {
    /// It was taken, and nothing was dropped.
    Taken,
    /// It was taken; this older one of the lowest lane was dropped for it.
    Displaced(Arc<Message>),
    /// It was itself the one to be dropped.
    Dropped,
}

/// Four lanes and the state of the reader.
#[derive(Debug)]
pub(super) struct Queue {
    /// Most messages held, all lanes together; at least 1.
    pub(super) capacity: usize,
    lanes: Lanes,
    pub(super) counts: Counts,
    /// Nothing more comes in; what is queued may still be read.
    pub(super) closed: bool,
    /// The reader, asleep.
    pub(super) reader: Option<Waker>,
}

const fn lane(priority: Priority) -> usize {
    Priority::Urgent as usize - priority as usize
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            lanes: Lanes::default(),
            counts: Counts::default(),
            closed: false,
            reader: None,
        }
    }

    /// Messages held, highest lane first.
    pub(super) fn depths(&self) -> [usize; 4] {
        self.lanes.each_ref().map(VecDeque::len)
    }

    /// Messages held.
    pub(super) fn depth(&self) -> usize {
        self.depths().iter().sum()
    }

    /// Puts a message into its lane. A full queue drops the oldest message of its lowest lane, unless the new one
    /// is of a lower lane still.
    pub(super) fn offer(&mut self, message: &Arc<Message>) -> Offer {
        self.counts.offered += 1;
        let own = lane(message.priority);
        let mut offer = Offer::Taken;
        if self.depth() >= self.capacity {
            self.counts.dropped += 1;
            match self.lanes[own..].iter_mut().rev().find_map(VecDeque::pop_front) {
                Some(displaced) => offer = Offer::Displaced(displaced),
                None => return Offer::Dropped,
            }
        }
        self.lanes[own].push_back(Arc::clone(message));
        offer
    }

    /// The oldest unexpired message of the highest lane.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Arc<Message>> {
        while let Some(message) = self.lanes.iter_mut().find_map(VecDeque::pop_front) {
            if !message.is_expired(now) {
                self.counts.delivered += 1;
                return Some(message);
            }
            self.counts.expired += 1;
        }
        None
    }

    /// Ends the queue: nothing more comes in. Returns the reader, to be woken once the locks are released.
    pub(super) fn close(&mut self) -> Option<Waker> {
        self.closed = true;
        self.reader.take()
    }

    /// Counts what nobody will read any more and hands it out, to be dropped once the locks are released.
    pub(super) fn abandon(&mut self) -> Lanes {
        self.counts.abandoned += self.depth() as u64;
        std::mem::take(&mut self.lanes)
    }
}
