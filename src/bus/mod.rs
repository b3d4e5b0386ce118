//! The message bus: publishers put messages on topics, every subscriber has a mailbox with one lane per
//! priority. It orders by priority, bounds everything it holds, counts everything it loses, and keeps a short
//! history with the last word of every source.
//!
//! It never makes a publisher wait for a slow reader unless both asked for it ([`Delivery::Reliable`] and
//! [`MessageBus::publish_waiting`]), never makes the core wait at all ([`MessageBus::publish`]), never reads a
//! clock and spawns nothing: market time comes in with each call, `tokio::sync` is all it uses of the runtime.
//! The core is not delivered its own messages and decides nothing by what is in the history here.
//!
//! | file      | idea                                                             |
//! | --------- | ---------------------------------------------------------------- |
//! | `mod`     | the handle: what can be asked of the bus                         |
//! | `hub`     | what is behind its one lock                                      |
//! | `mailbox` | the subscriber's end                                             |
//! | `queue`   | four lanes; who is dropped, who waits, who overflows             |
//! | `filter`  | which messages a subscriber wants                                |
//! | `history` | what was said lately, and the last word of everybody             |
//! | `check`   | what makes a message acceptable                                  |
//! | `request` | request and reply                                                |
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
mod request;
mod stats;
pub mod wire;

pub use check::URGENT_SOURCES;
pub use filter::Filter;
pub use history::Query;
pub use hub::{ClosedMailbox, Published};
pub use mailbox::{Mailbox, TryRecvError};
pub use queue::Delivery;
pub use request::RequestError;
pub use stats::{BusStats, Counts, MailboxStats, TopicStats};

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, select};
use tokio::sync::watch;

use crate::config;
use crate::domain::{Message, MessageError, Symbol, Timestamp, Topic};
use clock::Clock;
use hub::{AfterLock, Hub};
use mailbox::Shared;
use queue::Part;

/// A handle on the bus; clones share it. When the last handle is dropped, the mailboxes close.
#[derive(Debug, Clone)]
pub struct MessageBus {
    inner: Arc<Inner>,
}

/// What one try to publish came to.
enum Attempt {
    Done(Published),
    /// Nothing was published anywhere: this mailbox must be waited for.
    Full(Arc<Shared>),
}

#[derive(Debug)]
struct Inner {
    hub: Mutex<Hub>,
    clock: Arc<Clock>,
    message_bytes_max: usize,
    running: watch::Sender<bool>,
}

impl MessageBus {
    /// A running bus without subscribers.
    pub fn new(config: &config::MessageBus) -> Self {
        Self {
            inner: Arc::new(Inner {
                hub: Mutex::new(Hub::new(config.max_history_size)),
                clock: Arc::new(Clock::new()),
                message_bytes_max: config.max_message_bytes,
                running: watch::Sender::new(true),
            }),
        }
    }

    /// Subscribes `id` to `topics`.
    ///
    /// An id has one mailbox. Subscribing it again replaces the old mailbox as a whole and in place: topics that
    /// are not asked for again are left, the new mailbox keeps the old one's turn in delivery, and the old one
    /// is closed (what it holds can still be read). On a stopped bus the mailbox is closed from the start.
    pub fn subscribe(
        &self,
        id: impl Into<Arc<str>>,
        topics: &[Topic],
        delivery: Delivery,
        filter: Filter,
    ) -> Mailbox {
        let shared = Arc::new(Shared::new(id.into(), filter, delivery, Arc::clone(&self.inner.clock)));
        self.inner.under_lock(|hub, after| hub.open(&shared, topics, after));
        Mailbox::new(shared, Arc::downgrade(&self.inner))
    }

    /// Takes `id` off one topic. Its mailbox stays for the others, and closes with the last of them. Returns
    /// whether it was on it.
    pub fn unsubscribe(&self, id: &str, topic: Topic) -> bool {
        self.inner.under_lock(|hub, after| hub.leave(id, topic, after))
    }

    /// Takes `id` off all topics and closes its mailbox; what it holds can still be read. Returns whether there was
    /// one. Dropping the mailbox does the same.
    pub fn unsubscribe_all(&self, id: &str) -> bool {
        self.inner.under_lock(|hub, after| hub.close_id(id, after))
    }

    /// Publishes without ever waiting: for the core. A full Reliable mailbox is closed, counted in the result
    /// and named by [`take_closed`](Self::take_closed). `now` is market time.
    ///
    /// # Errors
    /// The message is not acceptable, or the bus is stopped; nobody got it.
    pub fn publish(
        &self,
        message: impl Into<Arc<Message>>,
        now: Timestamp,
    ) -> Result<Published, MessageError> {
        let message = message.into();
        self.checked(&message, now, |hub, now, after| hub.publish(&message, now, after))
    }

    /// Publishes, waiting while a Reliable mailbox that wants the message is full: for publishers outside the
    /// core. All mailboxes get it at the same instant, once every one has room. Cancelling before it is done
    /// publishes nothing.
    ///
    /// A task that reads a Reliable mailbox uses [`Mailbox::publish_waiting`] instead: here it could wait for
    /// itself.
    ///
    /// # Errors
    /// The message is not acceptable, or the bus is stopped, before or while it waits.
    pub async fn publish_waiting(
        &self,
        message: impl Into<Arc<Message>>,
        now: Timestamp,
    ) -> Result<Published, MessageError> {
        self.publish_when_room(message.into(), now, false).await
    }

    /// Publishes once nobody has to be waited for. `publisher_reads`: the publisher reads a mailbox itself.
    async fn publish_when_room(
        &self,
        message: Arc<Message>,
        now: Timestamp,
        publisher_reads: bool,
    ) -> Result<Published, MessageError> {
        let part = Part::of(message.priority);
        let mut woken_by: Option<Arc<Shared>> = None;
        loop {
            let attempt = self.checked(&message, now, |hub, now, after| {
                match hub.full_mailbox(&message, now, publisher_reads) {
                    Some(full) => Ok(Attempt::Full(full)),
                    None => hub.publish(&message, now, after).map(Attempt::Done),
                }
            });
            if let Some(shared) = woken_by.take() {
                // The wake-up was for one publisher; whoever is next in line must not miss what is left over.
                shared.pass_on_room(part);
            }
            match attempt? {
                Attempt::Done(published) => return Ok(published),
                Attempt::Full(shared) => {
                    shared.room(part).await;
                    woken_by = Some(shared);
                }
            }
        }
    }

    /// Does `work` with a message that is acceptable at `now`, and counts one that is not.
    fn checked<T>(
        &self,
        message: &Message,
        now: Timestamp,
        work: impl FnOnce(&mut Hub, Timestamp, &mut AfterLock) -> Result<T, MessageError>,
    ) -> Result<T, MessageError> {
        let now = self.inner.clock.advance(now);
        let checked = check::check(message, now, self.inner.message_bytes_max);
        self.inner.under_lock(|hub, after| match checked {
            Ok(()) => work(hub, now, after),
            Err(error) => {
                hub.errors += 1;
                Err(error)
            }
        })
    }

    /// The Reliable mailboxes closed for being full since this was last asked, so that the core can alarm.
    pub fn take_closed(&self) -> Vec<ClosedMailbox> {
        std::mem::take(&mut self.inner.hub().overflows)
    }

    /// The newest message on `topic` about `symbol` (`None`: about no symbol), of the last words of all sources
    /// those that have not expired. One look-up, whatever the history holds.
    pub fn latest(&self, topic: Topic, symbol: Option<&Symbol>) -> Option<Arc<Message>> {
        self.inner.hub().history.latest(topic, symbol, self.inner.clock.latest())
    }

    /// The last word of `source` on `topic` about `symbol`, unless it has expired.
    pub fn latest_from(&self, topic: Topic, source: &str, symbol: Option<&Symbol>) -> Option<Arc<Message>> {
        self.inner.hub().history.latest_from(topic, source, symbol, self.inner.clock.latest())
    }

    /// The messages of the history that fit the query and have not expired, newest first. Looks at every message
    /// of the history, at most `max_history_size`.
    pub fn history(&self, query: &Query) -> Vec<Arc<Message>> {
        self.inner.hub().history.query(query, self.inner.clock.latest())
    }

    /// Tells the bus what time it is, so that receivers see messages expire while nothing is published.
    pub fn advance(&self, now: Timestamp) {
        self.inner.clock.advance(now);
    }

    /// Takes expired messages out of the history and returns how many. Nothing is half done at any moment, so it
    /// may run at any time beside [`stop`](Self::stop); on a stopped bus it does nothing.
    pub fn cleanup(&self, now: Timestamp) -> usize {
        let now = self.inner.clock.advance(now);
        let (count, removed) = {
            let mut hub = self.inner.hub();
            if hub.stopped { (0, Vec::new()) } else { hub.history.remove_expired(now) }
        };
        drop(removed); // outside the lock
        count
    }

    /// Stops: nothing is accepted any more, mailboxes close (what they hold can still be read), publishers and
    /// requests that wait end with an error. History and counters stay readable. Stopping twice is stopping once.
    pub fn stop(&self) {
        self.inner.under_lock(|hub, after| {
            hub.stop(after);
            self.inner.running.send_replace(false);
        });
    }

    /// Runs again after a stop, without the old subscribers.
    pub fn start(&self) {
        self.inner.under_lock(|hub, _| {
            hub.stopped = false;
            self.inner.running.send_replace(true);
        });
    }

    /// Whether messages are accepted.
    pub fn is_running(&self) -> bool {
        *self.inner.running.borrow()
    }

    /// The clean-up task: cleans up whenever `due` completes, which tells the time, until the bus is stopped. It ends
    /// with the bus at any moment, also while `due` is still waited for; ending it early loses nothing.
    pub async fn keep_clean<F: Future<Output = Timestamp>>(&self, mut due: impl FnMut() -> F) {
        let mut stopped = pin!(self.stopped());
        // The stop is looked at first, so that a `due` that is always ready cannot outrun it.
        while let Either::Right((now, _)) = select(stopped.as_mut(), pin!(due())).await {
            self.cleanup(now);
        }
    }

    /// Completes when the bus is stopped; at once if it is.
    pub async fn stopped(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.inner.running.subscribe().wait_for(|running| !running).await;
    }

    /// One consistent reading of everything that is counted.
    pub fn stats(&self) -> BusStats {
        self.inner.hub().stats(self.inner.clock.latest())
    }
}

impl Inner {
    /// The state under its lock. No code of others runs under it, so a poisoned lock still guards whole data.
    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` under the lock, and what it leaves to do once the lock is released.
    fn under_lock<T>(&self, work: impl FnOnce(&mut Hub, &mut AfterLock) -> T) -> T {
        let mut after = AfterLock::default();
        let result = work(&mut self.hub(), &mut after);
        after.finish();
        result
    }

    fn forget(&self, shared: &Arc<Shared>) {
        self.under_lock(|hub, after| hub.forget(shared, after));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.under_lock(Hub::stop);
    }
}
