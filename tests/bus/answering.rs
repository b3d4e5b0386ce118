//! Tasks that publish and read.

use super::*;

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
