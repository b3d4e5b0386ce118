//! Readings that agree with themselves.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_reading_is_consistent_while_history_is_trimmed_under_load() {
    const PUBLISHERS: u64 = 4;
    const EACH: u64 = 5_000;
    let bus = bus_keeping(50);
    let mut eye = subscribe(&bus, "eye", 7);
    let mut reader = reader(&bus, 32);
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let ttl = n.is_multiple_of(3).then_some(Duration::from_millis(2));
                    let timestamp = NOW.plus(Duration::from_millis(n / 100));
                    let sent = Message { ttl, timestamp, ..message(publisher * EACH + n) };
                    assert!(bus.publish(sent, timestamp).is_ok());
                    if n.is_multiple_of(500) {
                        // Subscribers come and go meanwhile.
                        drop(subscribe(&bus, &format!("guest{publisher}"), 1));
                        tokio::task::yield_now().await;
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
