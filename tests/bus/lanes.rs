//! Which message comes next.

use super::*;

#[tokio::test]
async fn urgent_published_last_is_received_first_and_each_lane_keeps_its_order() {
    let bus = bus();
    let mut mailbox = reader(&bus, 16);
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
