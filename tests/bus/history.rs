//! What is remembered, and for how long.

use super::*;

#[test]
fn expired_messages_are_neither_delivered_nor_returned() {
    let bus = bus();
    let mut mailbox = reader(&bus, 8);
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
