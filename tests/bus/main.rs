//! The message bus through its public face: order, loss, expiry, counts, stopping.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use andon::bus::{BusStats, Filter, Mailbox, MailboxStats, MessageBus, Published, Query, TryRecvError};
use andon::config;
use andon::domain::{
    InstallId, Message, MessageError, MessageId, Payload, Priority, SafeText, Symbol, SystemEvent,
    SystemEventKind, Timestamp, Topic,
};

mod full;
mod history;
mod lanes;
mod load;
mod model;
mod refused;
mod stats;
mod stopping;
mod subscriptions;

const NOW: Timestamp = Timestamp::from_secs(1_640_995_200);
const BYTES_MAX: usize = 4_096;

fn bus_keeping(max_history_size: usize) -> MessageBus {
    MessageBus::new(&config::MessageBus {
        max_history_size,
        max_message_bytes: BYTES_MAX,
        cleanup_every: Duration::from_secs(60),
    })
}

fn bus() -> MessageBus {
    bus_keeping(1_000)
}

/// A system event from `agent`, Normal, about no symbol, for ever.
fn message(count: u64) -> Message {
    Message {
        id: MessageId::sequential(InstallId::derived("tests"), 1, count),
        topic: Topic::SystemEvents,
        source: "agent".into(),
        priority: Priority::Normal,
        timestamp: NOW,
        ttl: None,
        correlation_id: None,
        payload: event(None, ""),
    }
}

fn event(symbol: Option<&str>, detail: &str) -> Payload {
    Payload::System(SystemEvent {
        kind: SystemEventKind::Feed,
        symbol: symbol.map(|text| Symbol::new(text).unwrap()),
        detail: SafeText::ours(detail),
    })
}

fn with_priority(count: u64, priority: Priority) -> Message {
    Message { priority, source: "risk".into(), ..message(count) }
}

fn id(count: u64) -> MessageId {
    message(count).id
}

/// Publishes as the core does, to whoever listens.
fn send(bus: &MessageBus, message: Message) {
    assert!(bus.publish(message, NOW).is_ok());
}

/// Publishes as the core does; exactly one mailbox must take it, and nothing be dropped.
fn send_to_one(bus: &MessageBus, message: Message) {
    assert_eq!(bus.publish(message, NOW), Ok(Published { mailboxes: 1, dropped: 0 }));
}

fn subscribe(bus: &MessageBus, name: &str, capacity: usize) -> Mailbox {
    bus.subscribe(name, &[Topic::SystemEvents], capacity, Filter::all())
}

fn reader(bus: &MessageBus, capacity: usize) -> Mailbox {
    subscribe(bus, "reader", capacity)
}

fn drain(mailbox: &mut Mailbox) -> Vec<MessageId> {
    std::iter::from_fn(|| mailbox.try_recv().ok()).map(|message| message.id).collect()
}

/// A waker that remembers whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Woken {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls once; `woken` learns of it when polling again is worth it.
fn poll_with<F: Future + ?Sized>(future: std::pin::Pin<&mut F>, woken: &Arc<Woken>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(woken))))
}

/// What must hold in every reading.
fn assert_consistent(stats: &BusStats) {
    let counts = stats.counts;
    assert_eq!(
        counts.offered,
        counts.delivered + counts.dropped + counts.expired + counts.abandoned + stats.queued as u64,
        "{stats:?}"
    );
    assert_eq!(stats.published, stats.topics.iter().map(|topic| topic.published).sum::<u64>());
    assert_eq!(stats.queued, stats.mailboxes.iter().map(MailboxStats::depth).sum::<usize>());
}
