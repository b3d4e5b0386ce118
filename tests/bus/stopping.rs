//! Stopping at any moment.

use std::future::pending;
use std::pin::pin;

use super::*;

#[tokio::test]
async fn stopping_wakes_readers_and_refuses_everything_from_then_on() {
    let bus = bus();
    let mut mailbox = reader(&bus, 1);
    let mut asleep = subscribe(&bus, "asleep", 1);
    send(&bus, message(1));
    assert_eq!(asleep.recv().await.unwrap().id, id(1));
    let woken = Arc::new(Woken::default());
    let mut waiting = pin!(asleep.recv());
    assert!(poll_with(waiting.as_mut(), &woken).is_pending());

    bus.stop();
    bus.stop();

    assert!(woken.is_set(), "the reader sleeps on");
    assert_eq!(poll_with(waiting.as_mut(), &woken), Poll::Ready(None));
    assert_eq!(bus.publish(message(2), NOW), Err(MessageError::Stopped));
    assert_eq!(mailbox.recv().await.unwrap().id, id(1));
    assert!(mailbox.recv().await.is_none());
    assert!(subscribe(&bus, "late", 1).is_closed());
    assert!(!bus.is_running());
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.subscribers, stats.errors), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stopping_during_cleanup_ends_cleanly() {
    for round in 0..50 {
        let bus = bus();
        let mut mailbox = reader(&bus, 8);
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

#[tokio::test]
async fn the_clean_up_task_of_a_stopped_bus_ends_at_once() {
    let bus = bus();
    bus.stop();
    bus.keep_clean(pending).await;
}
