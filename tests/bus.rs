//! The message bus through its public face: order, loss, waiting, expiry, counts, stopping.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::collections::BTreeMap;
use std::future::{Future, pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use andon::bus::{
    BusStats, Delivery, Filter, Mailbox, MailboxStats, MessageBus, Query, RequestError, TryRecvError,
};
use andon::config;
use andon::domain::{
    InstallId, Message, MessageError, MessageId, Payload, Priority, SafeText, Symbol, SystemEvent,
    SystemEventKind, Timestamp, Topic,
};

#[path = "bus/model.rs"]
mod model;

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
    let _ = bus.publish(message, NOW).unwrap();
}

/// Publishes as the core does; exactly one mailbox must take it.
fn send_to_one(bus: &MessageBus, message: Message) {
    let published = bus.publish(message, NOW).unwrap();
    assert_eq!((published.mailboxes, published.closed), (1, 0));
}

fn subscribe(bus: &MessageBus, name: &str, delivery: Delivery) -> Mailbox {
    bus.subscribe(name, &[Topic::SystemEvents], delivery, Filter::all())
}

fn reliable(bus: &MessageBus, capacity: usize) -> Mailbox {
    subscribe(bus, "reader", Delivery::Reliable { capacity })
}

fn lossy(bus: &MessageBus, capacity: usize) -> Mailbox {
    subscribe(bus, "eye", Delivery::Lossy { capacity })
}

fn drain(mailbox: &mut Mailbox) -> Vec<MessageId> {
    std::iter::from_fn(|| mailbox.try_recv().ok()).map(|message| message.id).collect()
}

/// Polls once, without a runtime.
fn poll<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
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

// Order

#[tokio::test]
async fn urgent_published_last_is_received_first_and_each_lane_keeps_its_order() {
    let bus = bus();
    let mut mailbox = reliable(&bus, 16);
    let sent =
        [Priority::Low, Priority::High, Priority::Normal, Priority::Low, Priority::High, Priority::Urgent];
    for (count, priority) in (1..).zip(sent) {
        assert_eq!(bus.publish(with_priority(count, priority), NOW).unwrap().mailboxes, 1);
    }

    let mut received = Vec::new();
    assert_eq!(mailbox.recv_many(&mut received, 4).await, 4);
    received.extend(mailbox.recv().await);
    received.extend(mailbox.recv().await);

    assert_eq!(received.iter().map(|m| m.id).collect::<Vec<_>>(), [6, 2, 5, 3, 1, 4].map(id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_concurrent_publishers_lose_nothing_and_each_keeps_its_order() {
    const PUBLISHERS: u64 = 100;
    const EACH: u64 = 1_000;
    let bus = bus();
    let mut mailbox = reliable(&bus, 64);
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let source: Arc<str> = format!("agent{publisher}").into();
                    let sent = Message { source, ..message(publisher * EACH + n) };
                    assert_eq!(bus.publish_waiting(sent, NOW).await.unwrap().mailboxes, 1);
                }
            })
        })
        .collect();

    let mut next: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for _ in 0..PUBLISHERS * EACH {
        let received = mailbox.recv().await.unwrap();
        let publisher: u64 = received.source.trim_start_matches("agent").parse().unwrap();
        let expected = next.entry(received.source.clone()).or_insert(publisher * EACH);
        assert_eq!(received.id, id(*expected), "out of order from {}", received.source);
        *expected += 1;
    }

    for publisher in publishers {
        publisher.await.unwrap();
    }
    assert_eq!(mailbox.try_recv().unwrap_err(), TryRecvError::Empty);
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.published, stats.counts.delivered), (PUBLISHERS * EACH, PUBLISHERS * EACH));
    assert_eq!((stats.counts.dropped, stats.overflowed, stats.errors), (0, 0, 0));
    assert_eq!(stats.history, 1_000);
}

// Full mailboxes

#[test]
fn a_full_lossy_mailbox_drops_the_oldest_of_the_lowest_lane() {
    let bus = bus();
    let mut mailbox = lossy(&bus, 3);
    let sent =
        [Priority::Low, Priority::Normal, Priority::Low, Priority::High, Priority::Urgent, Priority::Urgent];
    for (count, priority) in (1..).zip(sent) {
        assert_eq!(bus.publish(with_priority(count, priority), NOW).unwrap().mailboxes, 1);
    }
    // Held now: High 4, Urgent 5 and 6. A lower message displaces none of them; an Urgent one displaces High.
    let refused = bus.publish(with_priority(7, Priority::Normal), NOW).unwrap();
    assert_eq!((refused.mailboxes, refused.dropped), (0, 1));
    send_to_one(&bus, with_priority(8, Priority::Urgent));
    send_to_one(&bus, with_priority(9, Priority::Urgent));
    assert_eq!(bus.publish(with_priority(10, Priority::High), NOW).unwrap().dropped, 1);

    assert_eq!(drain(&mut mailbox), [6, 8, 9].map(id));
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.counts.offered, stats.counts.dropped), (10, 7));
}

#[test]
fn a_stuck_lossy_subscriber_delays_nobody_and_its_losses_are_counted() {
    let bus = bus();
    let stuck = lossy(&bus, 10);
    let mut reader = reliable(&bus, 1);
    for count in 0..1_000 {
        let mut publishing = pin!(bus.publish_waiting(message(count), NOW));
        assert!(poll(publishing.as_mut()).is_ready(), "the publisher waits for a lossy mailbox");
        assert_eq!(reader.try_recv().unwrap().id, id(count));
    }
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!(stuck.depth(), 10);
    assert_eq!((stats.counts.dropped, stats.counts.delivered), (990, 1_000));
}

#[test]
fn a_slow_reliable_reader_delays_only_outside_publishers_to_it() {
    let bus = bus();
    let mut slow = reliable(&bus, 1);
    let mut other = bus.subscribe(
        "other",
        &[Topic::SystemEvents],
        Delivery::Reliable { capacity: 8 },
        Filter::all().from_sources(["risk"]),
    );
    send_to_one(&bus, message(1));

    let mut waiting = pin!(bus.publish_waiting(message(2), NOW));
    assert!(poll(waiting.as_mut()).is_pending());
    // Bulk in front of it never holds up an Urgent message, and other topics go on.
    let mut urgent = pin!(bus.publish_waiting(with_priority(3, Priority::Urgent), NOW));
    assert!(poll(urgent.as_mut()).is_ready());
    assert_eq!(drain(&mut other), [id(3)]);
    assert!(poll(waiting.as_mut()).is_pending());

    assert_eq!(slow.try_recv().unwrap().id, id(3));
    assert!(poll(waiting.as_mut()).is_pending(), "room for Urgent is no room for bulk");
    assert_eq!(slow.try_recv().unwrap().id, id(1));
    assert!(matches!(poll(waiting.as_mut()), Poll::Ready(Ok(_))));
    assert_eq!(drain(&mut slow), [id(2)]);
    assert_eq!(bus.stats().overflowed, 0);
}

#[test]
fn room_that_one_waiting_publisher_cannot_use_goes_to_the_next() {
    let bus = bus();
    let mut first = reliable(&bus, 1);
    let about_btc = Filter::all().about([Symbol::new("BTC/USDT").unwrap()]);
    let topics = [Topic::SystemEvents];
    let second = bus.subscribe("second", &topics, Delivery::Reliable { capacity: 1 }, about_btc);
    let to_both = |count| Message { payload: event(Some("BTC/USDT"), ""), ..message(count) };
    let to_first = |count| Message { payload: event(Some("XRP/USDT"), ""), ..message(count) };
    send(&bus, to_both(1));

    let mut stuck = pin!(bus.publish_waiting(to_both(2), NOW));
    let mut next = pin!(bus.publish_waiting(to_first(3), NOW));
    assert!(poll(stuck.as_mut()).is_pending());
    assert!(poll(next.as_mut()).is_pending());
    assert_eq!(first.try_recv().unwrap().id, id(1));
    assert!(poll(stuck.as_mut()).is_pending(), "the second mailbox is still full");

    assert!(poll(next.as_mut()).is_ready());
    assert_eq!(drain(&mut first), [id(3)]);
    drop(second);
    assert!(poll(stuck.as_mut()).is_ready(), "a subscriber that left is still waited for");
}

#[test]
fn a_full_reliable_mailbox_is_closed_and_reported_when_the_core_publishes() {
    let bus = bus();
    let mut mailbox = reliable(&bus, 2);
    let mut healthy = lossy(&bus, 100);
    for count in 1..=2 {
        assert_eq!(bus.publish(message(count), NOW).unwrap().closed, 0);
    }

    let published = bus.publish(message(3), NOW).unwrap();

    assert_eq!((published.mailboxes, published.closed), (1, 1));
    let closed = bus.take_closed();
    assert_eq!((closed.len(), &*closed[0].id, closed[0].depth), (1, "reader", 2));
    assert!(bus.take_closed().is_empty());
    assert_eq!(drain(&mut mailbox), [1, 2].map(id));
    assert_eq!(mailbox.try_recv().unwrap_err(), TryRecvError::Closed);
    assert_eq!(bus.publish(message(4), NOW).unwrap().mailboxes, 1, "a closed mailbox costs only itself");
    assert_eq!(drain(&mut healthy), [1, 2, 3, 4].map(id));
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.overflowed, stats.subscribers), (1, 1));
}

#[test]
fn the_urgent_lane_of_a_reliable_mailbox_is_bounded_too() {
    let bus = bus();
    let _mailbox = reliable(&bus, 2);
    for count in 1..=2 {
        assert_eq!(bus.publish(with_priority(count, Priority::Urgent), NOW).unwrap().closed, 0);
    }
    assert_eq!(bus.publish(with_priority(3, Priority::Urgent), NOW).unwrap().closed, 1);
}

#[test]
fn a_cancelled_waiting_publisher_publishes_nothing_and_gives_its_turn_away() {
    let bus = bus();
    let mut mailbox = reliable(&bus, 1);
    send_to_one(&bus, message(1));
    let mut next = pin!(bus.publish_waiting(message(3), NOW));
    {
        let mut cancelled = pin!(bus.publish_waiting(message(2), NOW));
        assert!(poll(cancelled.as_mut()).is_pending());
        assert!(poll(next.as_mut()).is_pending());
        assert_eq!(drain(&mut mailbox), [id(1)]);
    }
    assert!(poll(next.as_mut()).is_ready());
    assert_eq!(drain(&mut mailbox), [id(3)]);
}

// Publishing while reading

#[test]
fn publishing_from_a_receiving_task_does_not_deadlock() {
    let bus = bus();
    let mut mailbox = reliable(&bus, 1);
    send_to_one(&bus, message(1));

    // Full, and its only reader publishes to it: there is room for one more while it does.
    let mut answer = Box::pin(mailbox.publish_waiting(message(2), NOW));
    assert!(matches!(poll(answer.as_mut()), Poll::Ready(Ok(published)) if published.mailboxes == 1));
    drop(answer);
    let mut flood = Box::pin(mailbox.publish_waiting(message(3), NOW));
    assert!(matches!(poll(flood.as_mut()), Poll::Ready(Ok(published)) if published.closed == 1));
    drop(flood);

    assert_eq!(drain(&mut mailbox), [1, 2].map(id));
    assert_eq!(bus.take_closed().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_answer_each_other_without_end_do_not_deadlock() {
    const ROUNDS: u64 = 2_000;
    let bus = bus();
    let side = |name: &'static str, other: &'static str| {
        let from_other = Filter::all().from_sources([other]);
        let delivery = Delivery::Reliable { capacity: 2 };
        let mut mailbox = bus.subscribe(name, &[Topic::SystemEvents], delivery, from_other);
        async move {
            for count in 0..ROUNDS {
                let sent = Message { source: name.into(), ..message(count) };
                let published = mailbox.publish_waiting(sent, NOW).await.unwrap();
                if published.mailboxes == 0 {
                    return; // the other side has finished
                }
                mailbox.recv().await;
            }
        }
    };
    let (left, right) = (tokio::spawn(side("left", "right")), tokio::spawn(side("right", "left")));
    left.await.unwrap();
    right.await.unwrap();
    assert_consistent(&bus.stats());
}

#[test]
fn two_full_readers_that_publish_to_each_other_do_not_wait_in_a_circle() {
    let bus = bus();
    let delivery = Delivery::Reliable { capacity: 1 };
    let topics = [Topic::SystemEvents];
    let mut left = bus.subscribe("left", &topics, delivery, Filter::all().from_sources(["right"]));
    let mut right = bus.subscribe("right", &topics, delivery, Filter::all().from_sources(["left"]));
    let from = |source: &str, count| Message { source: source.into(), ..message(count) };
    send_to_one(&bus, from("left", 1));
    send_to_one(&bus, from("right", 2));

    let mut to_right = Box::pin(left.publish_waiting(from("left", 3), NOW));
    assert!(poll(to_right.as_mut()).is_pending(), "the right one may still read");
    // The left one does not read while it waits: it has room for one more, then it is given up.
    for (count, closed) in [(4, 0), (5, 1)] {
        let mut to_left = Box::pin(right.publish_waiting(from("right", count), NOW));
        assert!(matches!(poll(to_left.as_mut()), Poll::Ready(Ok(published)) if published.closed == closed));
    }
    assert_eq!(&*bus.take_closed()[0].id, "left");
    assert_eq!(drain(&mut right), [id(1)]);
    assert!(poll(to_right.as_mut()).is_ready());
    drop(to_right);
    assert_eq!(drain(&mut left), [2, 4].map(id), "what it held can still be read");
}

// Subscriptions and filters

#[test]
fn subscribing_an_id_again_replaces_its_mailbox_in_place() {
    let bus = bus();
    let mut old = reliable(&bus, 4);
    let _behind = lossy(&bus, 4);
    send(&bus, message(1));

    let topics = [Topic::SystemEvents, Topic::MarketData];
    let mut new = bus.subscribe("reader", &topics, Delivery::Lossy { capacity: 4 }, Filter::all());
    send(&bus, message(2));

    assert_eq!(drain(&mut old), [id(1)], "what it held can still be read");
    assert_eq!(old.try_recv().unwrap_err(), TryRecvError::Closed);
    drop(old); // must not take the new one with it
    send(&bus, message(3));
    assert_eq!(drain(&mut new), [2, 3].map(id));
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.subscribers, stats.topics_active), (2, 2));
    assert_eq!(stats.mailboxes.iter().map(|m| &*m.id).collect::<Vec<_>>(), ["reader", "eye"]);
}

#[test]
fn topics_that_are_not_asked_for_again_are_left() {
    let bus = bus();
    let _old = reliable(&bus, 4);
    let _new = bus.subscribe("reader", &[Topic::MarketData], Delivery::Lossy { capacity: 4 }, Filter::all());
    assert_eq!(bus.publish(message(1), NOW).unwrap().mailboxes, 0);
}

#[test]
fn filters_pass_what_they_say() {
    let btc = Symbol::new("BTC/USDT").unwrap();
    for (filter, expected) in [
        (Filter::all(), vec![1, 2, 3, 4]),
        (Filter::all().from_sources(["risk"]), vec![3]),
        (Filter::all().at_least(Priority::High), vec![3]),
        (Filter::all().about([btc.clone()]), vec![1, 3, 4]),
        (Filter::all().about([btc.clone()]).from_sources(["agent"]), vec![1, 4]),
    ] {
        let bus = bus();
        let mut mailbox =
            bus.subscribe("x", &[Topic::SystemEvents], Delivery::Lossy { capacity: 9 }, filter.clone());
        for sent in [
            Message { payload: event(Some("BTC/USDT"), ""), ..message(1) },
            Message { payload: event(Some("XRP/USDT"), ""), ..message(2) },
            // About the whole portfolio: nobody who asked for one pair may miss it.
            Message { payload: event(None, ""), ..with_priority(3, Priority::High) },
            Message { payload: event(Some("BTC/USDT"), ""), ..message(4) },
        ] {
            send(&bus, sent);
        }
        let mut received = drain(&mut mailbox);
        received.sort();
        assert_eq!(received, expected.into_iter().map(id).collect::<Vec<_>>(), "{filter:?}");
    }
}

#[test]
fn dropping_a_mailbox_unsubscribes_and_counts_what_nobody_read() {
    let bus = bus();
    let mailbox = reliable(&bus, 4);
    send(&bus, message(1));
    drop(mailbox);
    assert_eq!(bus.publish(message(2), NOW).unwrap().mailboxes, 0);
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.counts.offered, stats.counts.abandoned, stats.subscribers), (1, 1, 0));
    assert!(stats.mailboxes.is_empty());
}

#[tokio::test]
async fn readers_end_when_the_last_handle_of_the_bus_is_gone() {
    let bus = bus();
    let mut mailbox = reliable(&bus, 4);
    send(&bus, message(1));
    drop(bus);
    assert_eq!(mailbox.recv().await.unwrap().id, id(1));
    assert!(mailbox.recv().await.is_none());
    assert_eq!(mailbox.publish_waiting(message(2), NOW).await, Err(MessageError::Stopped));
}

// Expiry and history

#[test]
fn expired_messages_are_neither_delivered_nor_returned() {
    let bus = bus();
    let mut mailbox = reliable(&bus, 8);
    let ttl = Duration::from_secs(10);
    send(&bus, Message { ttl: Some(ttl), ..message(1) });
    send(&bus, message(2));

    bus.advance(NOW.plus(ttl));
    let dead_on_arrival = bus.publish(Message { ttl: Some(ttl), ..message(3) }, NOW).unwrap();

    assert_eq!(dead_on_arrival.mailboxes, 0);
    assert_eq!(drain(&mut mailbox), [id(2)]);
    assert_eq!(bus.history(&Query::default()).iter().map(|m| m.id).collect::<Vec<_>>(), [id(2)]);
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.counts.expired, stats.late, stats.history), (1, 1, 2));
    assert_eq!(bus.cleanup(NOW), 1, "time does not run backwards");
    assert_eq!(bus.stats().history, 1);
}

#[test]
fn latest_outlives_eviction_and_never_mixes_symbols() {
    let bus = bus_keeping(2);
    let about = |count, symbol| Message { payload: event(Some(symbol), ""), ..message(count) };
    send(&bus, about(1, "BTC/USDT"));
    for count in 2..10 {
        send(&bus, about(count, "XRP/USDT"));
    }
    let latest = |symbol: &str| {
        bus.latest(Topic::SystemEvents, Some(&Symbol::new(symbol).unwrap())).map(|message| message.id)
    };
    assert_eq!(latest("BTC/USDT"), Some(id(1)));
    assert_eq!(latest("XRP/USDT"), Some(id(9)));
    assert_eq!(latest("XRP/BTC"), None);
    assert_eq!(bus.latest(Topic::SystemEvents, None), None);
    assert_eq!(bus.history(&Query::default()).len(), 2);
}

#[test]
fn when_the_newest_word_expires_the_newest_of_another_source_counts() {
    let bus = bus();
    let short = Duration::from_secs(1);
    send(&bus, message(1));
    send(&bus, Message { ttl: Some(short), ..with_priority(2, Priority::High) });
    assert_eq!(bus.latest(Topic::SystemEvents, None).unwrap().id, id(2));
    bus.advance(NOW.plus(short));
    assert_eq!(bus.latest(Topic::SystemEvents, None).unwrap().id, id(1));
    assert!(bus.latest_from(Topic::SystemEvents, "risk", None).is_none());
    assert_eq!(bus.latest_from(Topic::SystemEvents, "agent", None).unwrap().id, id(1));
    bus.cleanup(NOW.plus(short));
    assert_eq!((bus.stats().indexed, bus.latest(Topic::SystemEvents, None).unwrap().id), (1, id(1)));
}

#[test]
fn history_is_asked_by_topic_source_symbol_since_and_limit_newest_first() {
    let bus = bus();
    let btc = Symbol::new("BTC/USDT").unwrap();
    let earlier = NOW.minus(Duration::from_secs(5));
    send(&bus, Message { timestamp: earlier, ..message(1) });
    send(&bus, with_priority(2, Priority::High));
    send(&bus, Message { payload: event(Some("BTC/USDT"), ""), ..message(3) });
    for (query, expected) in [
        (Query::default(), vec![3, 2, 1]),
        (Query { limit: 2, ..Query::default() }, vec![3, 2]),
        (Query { limit: 0, ..Query::default() }, vec![]),
        (Query { source: Some("risk".into()), ..Query::default() }, vec![2]),
        (Query { symbol: Some(btc), ..Query::default() }, vec![3]),
        (Query { since: Some(NOW), ..Query::default() }, vec![3, 2]),
        (Query { topic: Some(Topic::MarketData), ..Query::default() }, vec![]),
    ] {
        let found: Vec<_> = bus.history(&query).iter().map(|message| message.id).collect();
        assert_eq!(found, expected.into_iter().map(id).collect::<Vec<_>>(), "{query:?}");
    }
}

// What is refused

#[test]
fn bad_messages_are_refused_and_counted() {
    let future = NOW.plus(Duration::from_millis(1));
    let (topic, payload) = (Topic::MarketData, Topic::SystemEvents);
    let detail = "x".repeat(BYTES_MAX);
    let bad = [
        (Message { source: "".into(), ..message(1) }, MessageError::EmptySource),
        (Message { source: " \t".into(), ..message(1) }, MessageError::EmptySource),
        (Message { ttl: Some(Duration::ZERO), ..message(1) }, MessageError::ZeroTtl),
        (Message { topic, ..message(1) }, MessageError::WrongTopic { topic, payload }),
        (
            Message { priority: Priority::Urgent, ..message(1) },
            MessageError::UrgentNotAllowed("agent".into()),
        ),
        (
            Message { priority: Priority::Urgent, source: "Risk".into(), ..message(1) },
            MessageError::UrgentNotAllowed("Risk".into()),
        ),
        (Message { timestamp: future, ..message(1) }, MessageError::FromTheFuture(future)),
        (
            Message { payload: event(None, &detail), ..message(1) },
            MessageError::TooLarge { bytes: BYTES_MAX + 5, max: BYTES_MAX },
        ),
    ];
    let bus = bus();
    let mut mailbox = reliable(&bus, 8);
    for (sent, error) in &bad {
        assert_eq!(bus.publish(sent.clone(), NOW), Err(error.clone()));
    }
    let stats = bus.stats();
    assert_eq!((stats.errors, stats.published, stats.history), (bad.len() as u64, 0, 0));
    assert!(drain(&mut mailbox).is_empty());
    for source in andon::bus::URGENT_SOURCES {
        let urgent = Message { priority: Priority::Urgent, source: source.into(), ..message(2) };
        send_to_one(&bus, urgent);
    }
}

// Request and reply

#[tokio::test]
async fn a_request_gets_the_reply_that_names_it() {
    let bus = bus();
    let mut server = reliable(&bus, 4);
    let answering = async {
        let request = server.recv().await.unwrap();
        let other = Message { correlation_id: Some(id(99)), ..message(2) };
        let reply = Message { correlation_id: Some(request.id), ..message(3) };
        send_to_one(&bus, other);
        send_to_one(&bus, reply);
    };
    let (reply, ()) = tokio::join!(bus.request(message(1), NOW, pending()), answering);
    assert_eq!(reply.unwrap().id, id(3));
    assert_eq!(bus.stats().requests, 0);
}

#[tokio::test]
async fn a_request_ends_by_timeout_refusal_stop_or_withdrawal_and_leaves_nothing_behind() {
    let bus = bus();
    assert_eq!(bus.request(message(1), NOW, ready(())).await, Err(RequestError::TimedOut));
    let bad = Message { source: "".into(), ..message(2) };
    let refused = bus.request(bad, NOW, pending()).await;
    assert_eq!(refused, Err(RequestError::Refused(MessageError::EmptySource)));
    {
        let mut withdrawn = pin!(bus.request(message(3), NOW, pending()));
        assert!(poll(withdrawn.as_mut()).is_pending());
        assert_eq!(bus.stats().requests, 1);
        let same = bus.request(message(3), NOW, pending()).await;
        assert_eq!(same, Err(RequestError::IdInUse(id(3))));
    }
    assert_eq!(bus.stats().requests, 0);
    let mut waiting = pin!(bus.request(message(4), NOW, pending()));
    assert!(poll(waiting.as_mut()).is_pending());
    bus.stop();
    assert_eq!(poll(waiting.as_mut()), Poll::Ready(Err(RequestError::Stopped)));
    assert_eq!(bus.request(message(5), NOW, pending()).await, Err(RequestError::Stopped));
}

// Starting and stopping

#[tokio::test]
async fn stopping_ends_readers_and_waiting_publishers_and_starting_begins_anew() {
    let bus = bus();
    let mut mailbox = reliable(&bus, 1);
    send(&bus, message(1));
    let mut waiting = pin!(bus.publish_waiting(message(2), NOW));
    let mut stopped = pin!(bus.stopped());
    assert!(poll(waiting.as_mut()).is_pending());
    assert!(poll(stopped.as_mut()).is_pending());

    bus.stop();
    bus.stop();

    assert_eq!(poll(waiting.as_mut()), Poll::Ready(Err(MessageError::Stopped)));
    assert!(poll(stopped.as_mut()).is_ready());
    assert_eq!(bus.publish(message(3), NOW), Err(MessageError::Stopped));
    assert_eq!(mailbox.recv().await.unwrap().id, id(1));
    assert!(mailbox.recv().await.is_none());
    assert!(subscribe(&bus, "late", Delivery::Lossy { capacity: 1 }).is_closed());
    assert!(!bus.is_running());
    assert_consistent(&bus.stats());

    bus.start();
    let mut mailbox = reliable(&bus, 1);
    send_to_one(&bus, message(4));
    assert_eq!(drain(&mut mailbox), [id(4)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stopping_during_cleanup_ends_cleanly() {
    for round in 0..50 {
        let bus = bus();
        let mut mailbox = lossy(&bus, 8);
        let short = Duration::from_millis(5);
        let publisher = tokio::spawn({
            let bus = bus.clone();
            async move {
                for count in 0.. {
                    let timestamp = NOW.plus(Duration::from_millis(count / 10));
                    let sent = Message { timestamp, ttl: Some(short), ..message(count) };
                    if bus.publish(sent, timestamp).is_err() {
                        return;
                    }
                }
            }
        });
        let cleaner = tokio::spawn({
            let bus = bus.clone();
            async move {
                while bus.is_running() {
                    bus.cleanup(NOW);
                    tokio::task::yield_now().await;
                }
            }
        });
        // Let both get going, a little longer each round.
        for _ in 0..=round {
            mailbox.recv().await.unwrap();
        }
        bus.stop();
        publisher.await.unwrap();
        cleaner.await.unwrap();
        while mailbox.recv().await.is_some() {}
        assert_eq!(bus.cleanup(NOW), 0);
        assert_consistent(&bus.stats());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_reading_is_consistent_while_history_is_trimmed_under_load() {
    const PUBLISHERS: u64 = 4;
    const EACH: u64 = 5_000;
    let bus = bus_keeping(50);
    let mut eye = lossy(&bus, 7);
    let mut reader = reliable(&bus, 32);
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let ttl = n.is_multiple_of(3).then_some(Duration::from_millis(2));
                    let timestamp = NOW.plus(Duration::from_millis(n / 100));
                    let sent = Message { ttl, timestamp, ..message(publisher * EACH + n) };
                    let _ = bus.publish_waiting(sent, timestamp).await.unwrap();
                    if n.is_multiple_of(500) {
                        // Subscribers come and go meanwhile.
                        drop(subscribe(&bus, &format!("guest{publisher}"), Delivery::Lossy { capacity: 1 }));
                    }
                }
            })
        })
        .collect();
    let reading = tokio::spawn(async move {
        let mut batch = Vec::new();
        while reader.recv_many(&mut batch, 16).await > 0 {
            batch.clear();
        }
    });

    let mut readings = 0;
    while publishers.iter().any(|publisher| !publisher.is_finished()) {
        let stats = bus.stats();
        assert_consistent(&stats);
        assert!(stats.history <= 50 && stats.subscribers >= 2);
        readings += 1;
        bus.cleanup(NOW);
        let _ = eye.try_recv();
        tokio::task::yield_now().await;
    }

    for publisher in publishers {
        publisher.await.unwrap();
    }
    bus.stop();
    reading.await.unwrap();
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!(stats.published + stats.late, PUBLISHERS * EACH);
    assert!(readings > 0);
}

#[test]
fn rates_are_per_topic_and_per_second_of_market_time() {
    let bus = bus();
    for count in 0..50 {
        send(&bus, message(count));
    }
    let rate = |stats: &BusStats, topic: Topic| {
        stats.topics.iter().find(|stats| stats.topic == topic).map(|stats| stats.per_second)
    };
    let stats = bus.stats();
    assert_eq!(rate(&stats, Topic::SystemEvents), Some(5.0));
    assert_eq!(rate(&stats, Topic::MarketData), Some(0.0));
    bus.advance(NOW.plus(Duration::from_secs(10)));
    assert_eq!(rate(&bus.stats(), Topic::SystemEvents), Some(0.0));
}
