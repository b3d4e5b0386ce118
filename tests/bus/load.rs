//! Many at once, and for long.

use std::collections::BTreeMap;

use super::*;

/// Capacity of a mailbox that is to lose none of `count` messages.
fn room_for(count: u64) -> usize {
    usize::try_from(count).unwrap()
}

/// Takes `count` messages and checks that each of the publishers comes in its own order.
async fn take_in_order(mut mailbox: Mailbox, count: u64, each: u64) -> Mailbox {
    let mut next: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for _ in 0..count {
        let received = mailbox.recv().await.unwrap();
        let publisher: u64 = received.source.trim_start_matches("agent").parse().unwrap();
        let expected = next.entry(received.source.clone()).or_insert(publisher * each);
        assert_eq!(received.id, id(*expected), "out of order from {}", received.source);
        *expected += 1;
    }
    mailbox
}

/// One task that publishes `each` messages, letting others run now and then.
fn publisher(bus: &MessageBus, number: u64, each: u64) -> tokio::task::JoinHandle<()> {
    let (bus, source) = (bus.clone(), Arc::<str>::from(format!("agent{number}")));
    tokio::spawn(async move {
        for n in 0..each {
            let sent = Message { source: Arc::clone(&source), ..message(number * each + n) };
            assert!(bus.publish(sent, NOW).unwrap().mailboxes >= 1);
            if n.is_multiple_of(10) {
                tokio::task::yield_now().await;
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_concurrent_publishers_lose_nothing_and_each_keeps_its_order() {
    const PUBLISHERS: u64 = 100;
    const EACH: u64 = 1_000;
    const READERS: u64 = 3;
    let bus = bus();
    let readers: Vec<_> = (0..READERS)
        .map(|n| {
            let mailbox = subscribe(&bus, &format!("reader{n}"), room_for(PUBLISHERS * EACH));
            tokio::spawn(take_in_order(mailbox, PUBLISHERS * EACH, EACH))
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS).map(|number| publisher(&bus, number, EACH)).collect();

    for publisher in publishers {
        publisher.await.unwrap();
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap().try_recv().unwrap_err(), TryRecvError::Empty);
    }
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.published, stats.counts.delivered), (PUBLISHERS * EACH, READERS * PUBLISHERS * EACH));
    assert_eq!((stats.counts.dropped, stats.errors), (0, 0));
    assert_eq!(stats.history, 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn receivers_dropped_mid_delivery_cost_only_themselves() {
    const PUBLISHERS: u64 = 8;
    const EACH: u64 = 1_000;
    let bus = bus();
    let steady = subscribe(&bus, "steady", room_for(PUBLISHERS * EACH));
    let steady = tokio::spawn(take_in_order(steady, PUBLISHERS * EACH, EACH));
    let guests: Vec<_> = (0..4)
        .map(|n| {
            let bus = bus.clone();
            tokio::spawn(async move {
                while bus.is_running() {
                    let mut guest = subscribe(&bus, &format!("guest{n}"), 1);
                    guest.recv().await;
                }
            })
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS).map(|number| publisher(&bus, number, EACH)).collect();

    for publisher in publishers {
        publisher.await.unwrap();
    }
    let _steady = steady.await.unwrap();
    bus.stop();
    for guest in guests {
        guest.await.unwrap();
    }
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.published, stats.errors), (PUBLISHERS * EACH, 0));
}

/// Ten seconds of market time.
#[test]
fn ten_thousand_messages_a_second_lose_nothing_for_who_keeps_up_beside_one_that_is_stuck() {
    const MILLIS: u64 = 10_000;
    const PER_MILLI: u64 = 10;
    const STUCK: u64 = 256;
    let bus = bus();
    let mut reader = reader(&bus, 16);
    let stuck = subscribe(&bus, "stuck", room_for(STUCK));
    for milli in 0..MILLIS {
        let now = NOW.plus(Duration::from_millis(milli));
        for n in 0..PER_MILLI {
            let urgent = milli % 10 == 0 && n + 1 == PER_MILLI;
            let priority = if urgent { Priority::Urgent } else { Priority::Normal };
            let sent = Message { timestamp: now, ..with_priority(milli * PER_MILLI + n, priority) };
            assert!(bus.publish(sent, now).unwrap().mailboxes >= 1);
        }
        let received = drain(&mut reader);
        assert_eq!(received.len() as u64, PER_MILLI);
        let first = if milli % 10 == 0 { milli * PER_MILLI + PER_MILLI - 1 } else { milli * PER_MILLI };
        assert_eq!(received[0], id(first), "the Urgent one was not first");
    }
    let stats = bus.stats();
    assert_consistent(&stats);
    let rate = stats.topics.iter().find(|stats| stats.topic == Topic::SystemEvents).unwrap().per_second;
    assert!((rate - 10_000.0).abs() < f64::EPSILON, "{rate}");
    assert_eq!(stats.counts.delivered, MILLIS * PER_MILLI);
    assert_eq!((stuck.depth() as u64, stuck.counts().dropped), (STUCK, MILLIS * PER_MILLI - STUCK));
}
