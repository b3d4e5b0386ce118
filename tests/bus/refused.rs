//! What is not accepted.

use andon::bus::wire;

use super::*;

#[test]
fn bad_messages_are_refused_and_counted() {
    let future = NOW.plus(Duration::from_millis(1));
    let (topic, payload) = (Topic::MarketData, Topic::SystemEvents);
    let room = BYTES_MAX - wire::encode(&message(1), BYTES_MAX).unwrap().len();
    let (fits, detail) = ("x".repeat(room), "x".repeat(room + 1));
    let bad = [
        (Message { source: "".into(), ..message(1) }, MessageError::EmptySource),
        (Message { source: " \t".into(), ..message(1) }, MessageError::EmptySource),
        (Message { ttl: Some(Duration::ZERO), ..message(1) }, MessageError::ZeroTtl),
        (Message { topic, ..message(1) }, MessageError::WrongTopic { topic, payload }),
        (
            Message { priority: Priority::Urgent, ..message(1) },
            MessageError::UrgentNotAllowed("agent".into()),
        ),
        (
            Message { priority: Priority::Urgent, source: "Risk".into(), ..message(1) },
            MessageError::UrgentNotAllowed("Risk".into()),
        ),
        (Message { timestamp: future, ..message(1) }, MessageError::FromTheFuture(future)),
        (
            Message { payload: event(None, &detail), ..message(1) },
            MessageError::TooLarge { bytes: BYTES_MAX + 1, max: BYTES_MAX },
        ),
    ];
    let bus = bus();
    let mut mailbox = reader(&bus, 8);
    for (sent, error) in &bad {
        assert_eq!(bus.publish(sent.clone(), NOW), Err(error.clone()));
    }
    let stats = bus.stats();
    assert_eq!((stats.errors, stats.published, stats.history), (bad.len() as u64, 0, 0));
    assert!(drain(&mut mailbox).is_empty());
    send_to_one(&bus, Message { payload: event(None, &fits), ..message(1) });
    for source in andon::bus::URGENT_SOURCES {
        let urgent = Message { priority: Priority::Urgent, source: source.into(), ..message(2) };
        send_to_one(&bus, urgent);
    }
}

#[test]
fn a_text_that_json_makes_longer_counts_as_long_as_it_gets() {
    let bus = bus();
    let text = "\"".repeat(BYTES_MAX / 2);
    let sent = Message { payload: event(None, &text), ..message(1) };
    let bytes = wire::encode(&sent, usize::MAX).unwrap().len();
    assert_eq!(bus.publish(sent, NOW), Err(MessageError::TooLarge { bytes, max: BYTES_MAX }));
}
