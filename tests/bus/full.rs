//! What happens when a mailbox is full: who loses what.

use super::*;

#[test]
fn a_full_mailbox_drops_the_oldest_of_the_lowest_lane() {
    let bus = bus();
    let mut mailbox = reader(&bus, 3);
    let sent =
        [Priority::Low, Priority::Normal, Priority::Low, Priority::High, Priority::Urgent, Priority::Urgent];
    for (count, priority) in (1..).zip(sent) {
        assert_eq!(bus.publish(with_priority(count, priority), NOW).unwrap().mailboxes, 1);
    }
    // Held now: High 4, Urgent 5 and 6. A lower message displaces none of them; an Urgent one displaces High.
    let refused = bus.publish(with_priority(7, Priority::Normal), NOW).unwrap();
    assert_eq!((refused.mailboxes, refused.dropped), (0, 1));
    for count in [8, 9] {
        let taken = Published { mailboxes: 1, dropped: 1 };
        assert_eq!(bus.publish(with_priority(count, Priority::Urgent), NOW), Ok(taken));
    }
    assert_eq!(bus.publish(with_priority(10, Priority::High), NOW).unwrap().dropped, 1);

    assert_eq!(drain(&mut mailbox), [6, 8, 9].map(id));
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stats.counts.offered, stats.counts.dropped), (10, 7));
}

#[test]
fn a_stuck_subscriber_delays_nobody_and_its_losses_are_counted() {
    let bus = bus();
    let stuck = subscribe(&bus, "stuck", 10);
    let mut reader = reader(&bus, 1);
    for count in 0..1_000 {
        assert_eq!(bus.publish(message(count), NOW).unwrap().mailboxes, 2);
        assert_eq!(reader.try_recv().unwrap().id, id(count));
    }
    let stats = bus.stats();
    assert_consistent(&stats);
    assert_eq!((stuck.depth(), stuck.counts().dropped), (10, 990));
    assert_eq!((stats.counts.dropped, stats.counts.delivered), (990, 1_000));
}

#[test]
fn a_mailbox_without_room_holds_the_newest_message() {
    let bus = bus();
    let mut mailbox = reader(&bus, 0);
    send_to_one(&bus, message(1));
    assert_eq!(bus.publish(message(2), NOW), Ok(Published { mailboxes: 1, dropped: 1 }));
    assert_eq!(drain(&mut mailbox), [id(2)]);
}
