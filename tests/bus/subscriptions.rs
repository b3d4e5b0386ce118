//! Who gets what, from when to when.

use super::*;

#[test]
fn subscribing_an_id_again_replaces_its_mailbox_in_place() {
    let bus = bus();
    let mut old = reader(&bus, 4);
    let _behind = subscribe(&bus, "behind", 4);
    send(&bus, message(1));

    let topics = [Topic::SystemEvents, Topic::MarketData];
    let mut new = bus.subscribe("reader", &topics, 4, Filter::all());
    send(&bus, message(2));

    assert_eq!(drain(&mut old), [id(1)], "what it held can still be read");
    assert_eq!(old.try_recv().unwrap_err(), TryRecvError::Closed);
    drop(old); // must not take the new one with it
    send(&bus, message(3));
    assert_eq!(drain(&mut new), [2, 3].map(id));
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.subscribers, stats.topics_active), (2, 2));
    assert_eq!(stats.mailboxes.iter().map(|m| &*m.id).collect::<Vec<_>>(), ["reader", "behind"]);
}

#[test]
fn topics_that_are_not_asked_for_again_are_left() {
    let bus = bus();
    let _old = reader(&bus, 4);
    let _new = bus.subscribe("reader", &[Topic::MarketData], 4, Filter::all());
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
        let mut mailbox = bus.subscribe("x", &[Topic::SystemEvents], 9, filter.clone());
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
    let mailbox = reader(&bus, 4);
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
    let mut mailbox = reader(&bus, 4);
    send(&bus, message(1));
    drop(bus);
    assert_eq!(mailbox.recv().await.unwrap().id, id(1));
    assert!(mailbox.recv().await.is_none());
}
