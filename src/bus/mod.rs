//! The message bus: publishers put messages on topics, every subscriber has a mailbox with one lane per
//! priority. It orders by priority, bounds everything it holds, counts everything it loses, and keeps a short
//! history with the last word of every source.
//!
//! Nobody ever waits for a slow reader: a full mailbox drops its oldest message of the lowest lane and counts
//! it. The bus reads no clock and spawns nothing: market time comes in with each call, and `tokio::sync` is all
//! it uses of the runtime. The core decides nothing by what is on the bus; its own state does that.
//!
//! | file      | idea                                                             |
//! | --------- | ---------------------------------------------------------------- |
//! | `mod`     | the handle: what can be asked of the bus                         |
//! | `mailbox` | the subscriber's end                                             |
//! | `hub`     | what is behind the one lock of the bus                           |
//! | `shared`  | one mailbox as the hub and its reader share it                   |
//! | `queue`   | four lanes, and what is dropped when they are full               |
//! | `filter`  | which messages a subscriber wants                                |
//! | `history` | what was said lately, and the last word of everybody             |
//! | `check`   | what makes a message acceptable                                  |
//! | `stats`   | one consistent reading                                           |
//! | `rate`    | messages per second                                              |
//! | `clock`   | the latest instant the bus has been told of                      |
//! | `wire`    | the JSON form                                                    |

mod check;
mod clock;
mod filter;
mod history;
mod hub;
mod mailbox;
mod queue;
mod rate;
mod shared;
mod stats;
pub mod wire;

pub use check::URGENT_SOURCES;
pub use filter::Filter;
pub use history::Query;
pub use hub::Published;
pub use mailbox::{Mailbox, TryRecvError};
pub use stats::{BusStats, Counts, MailboxStats, TopicStats};

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};

use crate::config;
use crate::domain::{Message, MessageError, Symbol, Timestamp, Topic};
use hub::{Hub, Locked};
use shared::Shared;

/// A handle on the bus; clones share it. When the last handle is dropped, the mailboxes close.
#[derive(Debug, Clone)]
pub struct MessageBus {
    hub: Arc<Locked>,
    message_bytes_max: usize,
}

impl MessageBus {
    /// A running bus without subscribers.
    pub fn new(config: &config::MessageBus) -> Self {
        Self {
            hub: Arc::new(Locked::new(Hub::new(config.max_history_size))),
            message_bytes_max: config.max_message_bytes,
        }
    }

    /// Subscribes `id` to `topics`, with a mailbox of at most `capacity` messages (0 counts as 1). When it is
    /// full, the oldest message of the lowest lane is dropped and counted, the new one among them: a Low message
    /// never displaces a High one.
    ///
    /// An id has one mailbox. Subscribing it again replaces the old mailbox as a whole and in place: topics that
    /// are not asked for again are left, the new mailbox keeps the old one's turn in delivery, and the old one
    /// is closed (what it holds can still be read). On a stopped bus the mailbox is closed from the start.
    pub fn subscribe(
        &self,
        id: impl Into<Arc<str>>,
        topics: &[Topic],
        capacity: usize,
        filter: Filter,
    ) -> Mailbox {
        let shared = Arc::new(Shared::new(id.into(), filter, capacity, Arc::clone(self.hub.clock())));
        self.hub.with(|hub, after| hub.open(&shared, topics, after));
        Mailbox::new(shared, Arc::downgrade(&self.hub))
    }

    /// Publishes to history and mailboxes without ever waiting. `now` is market time.
    ///
    /// # Errors
    /// The message is not acceptable, or the bus is stopped; nobody got it.
    pub fn publish(
        &self,
        message: impl Into<Arc<Message>>,
        now: Timestamp,
    ) -> Result<Published, MessageError> {
        let message = message.into();
        let now = self.hub.clock().advance(now);
        let checked = check::check(&message, now, self.message_bytes_max);
        self.hub.with(|hub, after| {
            let published = checked.and_then(|()| hub.publish(&message, now, after));
            published.inspect_err(|_| hub.errors += 1)
        })
    }

    /// The newest message on `topic` about `symbol` (`None`: about no symbol), of the last words of all sources
    /// those that have not expired. One look-up, whatever the history holds.
    pub fn latest(&self, topic: Topic, symbol: Option<&Symbol>) -> Option<Arc<Message>> {
        self.hub.lock().history.latest(topic, symbol, self.hub.clock().latest())
    }

    /// The messages of the history that fit the query and have not expired, newest first. Looks at every message
    /// of the history, at most `max_history_size`.
    pub fn history(&self, query: &Query) -> Vec<Arc<Message>> {
        self.hub.lock().history.query(query, self.hub.clock().latest())
    }

    /// Tells the bus what time it is, so that receivers see messages expire while nothing is published.
    pub fn advance(&self, now: Timestamp) {
        self.hub.clock().advance(now);
    }

    /// Takes expired messages out of the history and returns how many. Nothing is half done at any moment, so it
    /// may run at any time beside [`stop`](Self::stop); on a stopped bus it does nothing.
    pub fn cleanup(&self, now: Timestamp) -> usize {
        let now = self.hub.clock().advance(now);
        let (count, removed) = {
            let mut hub = self.hub.lock();
            if hub.is_running() { hub.history.remove_expired(now) } else { (0, Vec::new()) }
        };
        drop(removed); // outside the lock
        count
    }

    /// Cleans up whenever `due` completes, which tells the time, until the bus is stopped. The stop also ends a
    /// wait for `due`. Dropping the future loses nothing.
    pub async fn keep_clean<F: Future<Output = Timestamp>>(&self, mut due: impl FnMut() -> F) {
        let Some(mut running) = self.hub.lock().running() else { return };
        let mut stopped = pin!(async move { while running.changed().await.is_ok() {} });
        // The stop is looked at first, so that a `due` that is always ready cannot outrun it.
        while let Either::Right((now, _)) = select(stopped.as_mut(), pin!(due())).await {
            self.cleanup(now);
        }
    }

    /// Stops for good: nothing is accepted any more, and mailboxes close (what they hold can still be read).
    /// History and counters stay readable. Stopping twice is stopping once.
    pub fn stop(&self) {
        self.hub.with(Hub::stop);
    }

    /// Whether messages are accepted.
    pub fn is_running(&self) -> bool {
        self.hub.lock().is_running()
    }

    /// One consistent reading of everything that is counted.
    pub fn stats(&self) -> BusStats {
        self.hub.lock().stats(self.hub.clock().latest())
    }
}
