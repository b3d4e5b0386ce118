//! What happens when a mailbox is full: who loses, who waits, who is closed.

use std::pin::pin;

use super::*;

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
