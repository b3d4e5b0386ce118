//! What makes a message acceptable. The size that counts is that of the wire form, but no message is written out
//! only to be measured: texts are all in it that can grow, so that a message with short ones surely fits.

use super::wire;
use crate::domain::{Command, ExecutionEvent, Message, MessageError, Payload, Priority, Timestamp};

/// The only senders of Urgent messages.
pub const URGENT_SOURCES: [&str; 3] = ["coordinator", "risk", "health"];

/// JSON writes at most so many bytes for one of a text (`\u001b`).
const JSON_BYTES_PER_TEXT_BYTE: usize = 6;
/// More bytes than everything else in a message can take: names, numbers, instants, ids.
pub(super) const BYTES_BESIDE_TEXTS_MAX: usize = 2_048;

/// Checks everything but the state of the bus.
pub(super) fn check(message: &Message, now: Timestamp, bytes_max: usize) -> Result<(), MessageError> {
    if message.source.chars().all(char::is_whitespace) {
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
    let surely = text_bytes(message).saturating_mul(JSON_BYTES_PER_TEXT_BYTE) + BYTES_BESIDE_TEXTS_MAX;
    if surely > bytes_max {
        wire::check_size(wire::size(message)?, bytes_max)?;
    }
    Ok(())
}

/// Bytes of everything in the message whose length its sender chooses.
fn text_bytes(message: &Message) -> usize {
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
        | Command::ReopenStore
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
