//! What makes a message acceptable. Nothing is serialised here: the exact size of the wire form is checked where
//! the wire form exists ([`wire`](super::wire)). On the way in only a lower bound of it is, the bytes of its
//! free texts, because texts are all that can grow: a message refused here would be refused on the wire too.

use crate::domain::{Command, ExecutionEvent, Message, MessageError, Payload, Priority, Timestamp};

/// The only senders of Urgent messages.
pub const URGENT_SOURCES: [&str; 3] = ["coordinator", "risk", "health"];

/// Checks everything but the state of the bus.
pub(super) fn check(message: &Message, now: Timestamp, bytes_max: usize) -> Result<(), MessageError> {
    if message.source.trim().is_empty() {
        return Err(MessageError::EmptySource);
    }
    if message.ttl.is_some_and(|ttl| ttl.is_zero()) {
        return Err(MessageError::ZeroTtl);
    }
    if message.payload.topic() != message.topic {
        return Err(MessageError::WrongTopic { topic: message.topic, payload: message.payload.topic() });
    }
    if message.priority == Priority::Urgent && !URGENT_SOURCES.contains(&&*message.source) {
        return Err(MessageError::UrgentNotAllowed(message.source.to_string()));
    }
    if message.timestamp > now {
        return Err(MessageError::FromTheFuture(message.timestamp));
    }
    let bytes = text_bytes(message);
    if bytes > bytes_max {
        return Err(MessageError::TooLarge { bytes, max: bytes_max });
    }
    Ok(())
}

/// Bytes of everything in the message whose length its sender chooses; the wire form is never shorter.
pub(super) fn text_bytes(message: &Message) -> usize {
    let payload = match &message.payload {
        Payload::Candle(_) | Payload::Portfolio(_) => 0,
        Payload::Ta(ta) => ta.reasoning.raw().len(),
        Payload::Regime(update) => update.reasoning.raw().len(),
        Payload::Sentiment(update) => update.reasoning.raw().len(),
        Payload::Signal(signal) => signal.source.len() + signal.reasoning.raw().len(),
        Payload::Risk(alert) => alert.kind.len() + alert.detail.as_str().len(),
        Payload::Execution(event) => match event {
            ExecutionEvent::Sent { detail, .. } | ExecutionEvent::Ended { detail, .. } => {
                detail.as_str().len()
            }
            ExecutionEvent::Filled { .. } => 0,
        },
        Payload::System(event) => event.detail.as_str().len(),
        Payload::Command(command) => command_bytes(command),
    };
    message.source.len() + payload
}

fn command_bytes(command: &Command) -> usize {
    match command {
        Command::Pause { reason }
        | Command::Halt { reason }
        | Command::Release { reason }
        | Command::ForceLevel { reason, .. }
        | Command::ClearLevel { reason }
        | Command::ResetFailures { reason } => reason.len(),
        Command::RearmBreaker { name, reason } => name.len() + reason.len(),
        Command::RunTask { task, .. } | Command::EnableTask { task } | Command::DisableTask { task } => {
            task.len()
        }
        Command::AckAlarm { comment, .. } => comment.len(),
        Command::Note { text } => text.len(),
        Command::Resume
        | Command::Flatten { .. }
        | Command::LockSymbol { .. }
        | Command::UnlockSymbol { .. }
        | Command::RunLeg { .. }
        | Command::SkipLeg { .. }
        | Command::PostponeLeg { .. }
        | Command::CancelLeg { .. }
        | Command::CancelPlan { .. }
        | Command::ResetAlarm { .. } => 0,
    }
}
