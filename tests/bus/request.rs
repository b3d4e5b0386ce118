//! Request and reply.

use std::future::{pending, ready};
use std::pin::pin;

use futures_util::FutureExt as _;

use super::*;

#[tokio::test]
async fn a_request_gets_the_reply_that_names_it() {
    let bus = bus();
    let mut server = reliable(&bus, 4);
    let answering = async {
        let request = server.recv().await.unwrap();
        let other = Message { correlation_id: Some(id(99)), ..message(2) };
        let reply = Message { correlation_id: Some(request.id), ..message(3) };
        send_to_one(&bus, other);
        send_to_one(&bus, reply);
    };
    // Time is up as soon as everything has been answered.
    let (time_up, timeout) = tokio::sync::oneshot::channel::<()>();
    let request = bus.request(message(1), NOW, timeout.map(|_| ()));
    let (reply, ()) = tokio::join!(request, answering.map(|()| drop(time_up)));
    assert_eq!(reply.unwrap().id, id(3));
    assert_eq!(bus.stats().requests, 0);
}

#[tokio::test]
async fn a_request_ends_by_timeout_refusal_stop_or_withdrawal_and_leaves_nothing_behind() {
    let bus = bus();
    assert_eq!(bus.request(message(1), NOW, ready(())).await, Err(RequestError::TimedOut));
    let bad = Message { source: "".into(), ..message(2) };
    let refused = bus.request(bad, NOW, pending()).await;
    assert_eq!(refused, Err(RequestError::Refused(MessageError::EmptySource)));
    {
        let mut withdrawn = pin!(bus.request(message(3), NOW, pending()));
        assert!(poll(withdrawn.as_mut()).is_pending());
        assert_eq!(bus.stats().requests, 1);
        let same = bus.request(message(3), NOW, pending()).await;
        assert_eq!(same, Err(RequestError::IdInUse(id(3))));
    }
    assert_eq!(bus.stats().requests, 0);
    let mut waiting = pin!(bus.request(message(4), NOW, pending()));
    assert!(poll(waiting.as_mut()).is_pending());
    bus.stop();
    assert_eq!(poll(waiting.as_mut()), Poll::Ready(Err(RequestError::Stopped)));
    assert_eq!(bus.request(message(5), NOW, pending()).await, Err(RequestError::Stopped));
}
