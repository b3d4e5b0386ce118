//! Request and reply over the bus. A request is a message like any other; its reply is the first message whose
//! `correlation_id` is the request's id, on whatever topic. The caller brings the deadline as a future, because
//! the bus reads no clock.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use thiserror::Error;
use tokio::sync::oneshot;

use super::{Inner, MessageBus};
use crate::domain::{Message, MessageError, MessageId, Timestamp};

/// Why a request has no reply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The request itself was not accepted.
    #[error("request refused: {0}")]
    Refused(#[from] MessageError),
    /// A request with the same id is still waiting.
    #[error("a request with id {0} is still waiting: give every message an id of its own")]
    IdInUse(MessageId),
    /// Nobody answered in time.
    #[error("no reply in time: see whether the addressee runs, then ask again with a new id")]
    TimedOut,
    /// The bus was stopped while it waited.
    #[error("the bus was stopped before a reply came")]
    Stopped,
}

impl MessageBus {
    /// Publishes `message`, as [`publish_waiting`](Self::publish_waiting), and waits for the reply until
    /// `timeout` completes. A reply that is there when the timeout fires still counts. Dropping the future
    /// withdraws the request.
    pub async fn request(
        &self,
        message: impl Into<Arc<Message>>,
        now: Timestamp,
        timeout: impl Future<Output = ()>,
    ) -> Result<Arc<Message>, RequestError> {
        let message = message.into();
        let (waiting, reply) = Waiting::begin(&self.inner, message.id)?;
        let conversation = async {
            // How many mailboxes took it says nothing about who will answer.
            let _ = self.publish_when_room(message, now, false).await?;
            reply.await.map_err(|_closed| RequestError::Stopped)
        };
        let outcome = match select(pin!(conversation), pin!(timeout)).await {
            Either::Left((outcome, _timeout)) => outcome,
            Either::Right(((), _conversation)) => Err(RequestError::TimedOut),
        };
        drop(waiting);
        outcome
    }
}

/// The entry of one request; leaves with the future that made it.
struct Waiting<'a> {
    bus: &'a Inner,
    id: MessageId,
}

impl<'a> Waiting<'a> {
    fn begin(bus: &'a Inner, id: MessageId) -> Result<(Self, oneshot::Receiver<Arc<Message>>), RequestError> {
        let (requester, reply) = oneshot::channel();
        let mut hub = bus.hub();
        if hub.stopped {
            return Err(RequestError::Stopped);
        }
        if hub.requests.contains_key(&id) {
            return Err(RequestError::IdInUse(id));
        }
        hub.requests.insert(id, requester);
        Ok((Self { bus, id }, reply))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let withdrawn = self.bus.hub().requests.remove(&self.id);
        drop(withdrawn);
    }
}
