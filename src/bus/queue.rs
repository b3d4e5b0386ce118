//! The lanes of one mailbox: plain data under the mailbox's lock. Decides who is dropped, who must wait and when
//! a mailbox overflows; never blocks, never wakes anybody itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use super::stats::Counts;
use crate::domain::{Message, Priority, Timestamp};

/// What happens when a mailbox is full. A capacity of 0 counts as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The oldest message of the lowest lane is dropped and counted, the new one among them: a Low message never
    /// displaces a High one. Nobody ever waits. For eyes: screens, metrics.
    Lossy {
        /// Most messages held, all lanes together.
        capacity: usize,
    },
    /// Nothing is dropped. Outside publishers wait; when the core finds it full, it is closed, counted and
    /// reported. For hands: whoever must see every message.
    Reliable {
        /// Most messages held in the three lower lanes together, and again in the Urgent lane: bulk never
        /// stands in the way of an alarm.
        capacity: usize,
    },
}

/// The two separately bounded parts of a Reliable mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Urgent,
    Bulk,
}

impl Part {
    pub(super) const fn of(priority: Priority) -> Self {
        match priority {
            Priority::Urgent => Self::Urgent,
            Priority::High | Priority::Normal | Priority::Low => Self::Bulk,
        }
    }
}

/// What became of a message offered to a queue.
pub(super) enum Offer {
    /// It was taken, and nobody suffered.
    Taken,
    /// It was taken; this older one of the lowest lane was dropped for it.
    Displaced(Arc<Message>),
    /// It was itself the one to be dropped.
    Dropped,
    /// There is no room in a Reliable mailbox.
    Overflow,
}

/// How much room a receive made for which publishers wait, so that as many can be woken.
#[derive(Debug, Default)]
pub(super) struct Freed {
    pub(super) urgent: usize,
    pub(super) bulk: usize,
}

/// Four lanes and the state of the reader.
#[derive(Debug)]
pub(super) struct Queue {
    delivery: Delivery,
    /// Highest priority first.
    lanes: [VecDeque<Arc<Message>>; 4],
    pub(super) counts: Counts,
    /// Nothing more comes in; what is queued may still be read.
    pub(super) closed: bool,
    /// The reader of this mailbox waits for room elsewhere: its own mailbox holds twice as much meanwhile.
    pub(super) reader_publishes: bool,
    /// The reader, asleep.
    pub(super) reader: Option<Waker>,
    /// Publishers that wait for room in the two parts.
    pub(super) waiting: Waiting,
}

/// How many publishers wait for room.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    urgent: usize,
    bulk: usize,
}

impl Waiting {
    pub(super) fn of(&mut self, part: Part) -> &mut usize {
        match part {
            Part::Urgent => &mut self.urgent,
            Part::Bulk => &mut self.bulk,
        }
    }
}

const fn lane(priority: Priority) -> usize {
    Priority::Urgent as usize - priority as usize
}

impl Queue {
    pub(super) fn new(delivery: Delivery) -> Self {
        Self {
            delivery,
            lanes: Default::default(),
            counts: Counts::default(),
            closed: false,
            reader_publishes: false,
            reader: None,
            waiting: Waiting::default(),
        }
    }

    /// Whether a message of this part finds no room. A Lossy queue always makes room; a closed one needs none.
    pub(super) fn is_full(&self, part: Part) -> bool {
        match self.delivery {
            Delivery::Lossy { .. } => false,
            Delivery::Reliable { capacity } => {
                let limit = capacity.max(1).saturating_mul(if self.reader_publishes { 2 } else { 1 });
                !self.closed && self.len_of(part) >= limit
            }
        }
    }

    fn len_of(&self, part: Part) -> usize {
        let [urgent, high, normal, low] = &self.lanes;
        match part {
            Part::Urgent => urgent.len(),
            Part::Bulk => high.len() + normal.len() + low.len(),
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

    /// Puts a message into its lane, or says why not.
    pub(super) fn offer(&mut self, message: &Arc<Message>) -> Offer {
        self.counts.offered += 1;
        let own = lane(message.priority);
        match self.delivery {
            Delivery::Reliable { .. } => {
                if self.is_full(Part::of(message.priority)) {
                    self.counts.dropped += 1;
                    return Offer::Overflow;
                }
                self.lanes[own].push_back(Arc::clone(message));
                Offer::Taken
            }
            Delivery::Lossy { capacity } => {
                if self.depth() < capacity.max(1) {
                    self.lanes[own].push_back(Arc::clone(message));
                    return Offer::Taken;
                }
                self.counts.dropped += 1;
                let displaced = self.lanes[own..].iter_mut().rev().find_map(VecDeque::pop_front);
                match displaced {
                    Some(displaced) => {
                        self.lanes[own].push_back(Arc::clone(message));
                        Offer::Displaced(displaced)
                    }
                    None => Offer::Dropped,
                }
            }
        }
    }

    /// The oldest unexpired message of the highest lane.
    pub(super) fn pop(&mut self, now: Timestamp, freed: &mut Freed) -> Option<Arc<Message>> {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            while let Some(message) = lane.pop_front() {
                match index {
                    0 => freed.urgent += usize::from(self.waiting.urgent > 0),
                    _ => freed.bulk += usize::from(self.waiting.bulk > 0),
                }
                if message.is_expired(now) {
                    self.counts.expired += 1;
                } else {
                    self.counts.delivered += 1;
                    return Some(message);
                }
            }
        }
        None
    }

    /// Ends the queue: nothing more comes in. Returns the reader, to be woken once the locks are released.
    pub(super) fn close(&mut self) -> Option<Waker> {
        self.closed = true;
        self.reader.take()
    }

    /// Counts what nobody will read any more and hands it out, to be dropped once the locks are released.
    pub(super) fn abandon(&mut self) -> [VecDeque<Arc<Message>>; 4] {
        self.counts.abandoned += self.depth() as u64;
        std::mem::take(&mut self.lanes)
    }
}
