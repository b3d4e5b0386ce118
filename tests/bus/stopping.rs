//! Stopping at any moment, and starting again.

use std::future::pending;
use std::pin::pin;

use super::*;

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
                let again = || async {
                    tokio::task::yield_now().await;
                    NOW
                };
                bus.keep_clean(again).await;
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

#[test]
fn the_clean_up_task_takes_expired_messages_out_and_ends_with_the_bus_while_it_waits() {
    let bus = bus();
    let ttl = Duration::from_secs(10);
    send(&bus, Message { ttl: Some(ttl), ..message(1) });
    send(&bus, message(2));
    let mut times = [NOW, NOW.plus(ttl)].into_iter();
    let next_time = || {
        let time = times.next();
        async move {
            match time {
                Some(time) => time,
                None => pending().await,
            }
        }
    };
    let woken = Arc::new(Woken::default());
    let mut cleaning = pin!(bus.keep_clean(next_time));
    assert!(poll_with(cleaning.as_mut(), &woken).is_pending());
    assert_eq!(bus.stats().history, 1);

    bus.stop();

    assert!(woken.is_set(), "it sleeps on after the stop");
    assert!(poll_with(cleaning.as_mut(), &woken).is_ready());
}
