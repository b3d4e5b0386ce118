//! The JSON form of a message, for agents in other languages and other processes:
//!
//! ```json
//! {"id": "...", "timestamp": "2022-01-01T00:00:00.000Z", "topic": "ta_signals", "source": "technical_analysis",
//!  "priority": "normal", "ttl_ms": 120000, "correlation_id": "...", "payload": {"symbol": "BTC/USDT"}}
//! ```
//!
//! `ttl_ms` and `correlation_id` may be left out. The topic says what the payload is; nothing is guessed from
//! its shape. Unknown fields are ignored, so that either side may grow; known ones are read strictly: a missing,
//! repeated or wrong one refuses the message. What the bus checks at publishing is not repeated here.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Candle, Message, MessageError, MessageId, Payload, Priority, SafeText, Timestamp, Topic, Untrusted,
};

/// Longest reason shown for an unreadable message, characters: it quotes what somebody else wrote.
const REASON_CHARS_MAX: usize = 200;

#[derive(Serialize)]
struct Outgoing<'a> {
    id: MessageId,
    timestamp: Timestamp,
    topic: Topic,
    source: &'a str,
    priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<MessageId>,
    payload: &'a Payload,
}

impl<'a> Outgoing<'a> {
    fn of(message: &'a Message) -> Self {
        let ttl_ms = |ttl: Duration| u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Self {
            id: message.id,
            timestamp: message.timestamp,
            topic: message.topic,
            source: &message.source,
            priority: message.priority,
            ttl_ms: message.ttl.map(ttl_ms),
            correlation_id: message.correlation_id,
            payload: &message.payload,
        }
    }
}

/// Everything but the payload, which is read in a second pass, once the topic is known.
#[derive(Deserialize)]
struct Envelope {
    id: MessageId,
    timestamp: Timestamp,
    topic: Topic,
    source: Arc<str>,
    priority: Priority,
    #[serde(default)]
    ttl_ms: Option<u64>,
    #[serde(default)]
    correlation_id: Option<MessageId>,
}

#[derive(Deserialize)]
struct Body<T> {
    payload: T,
}

/// Writes a message. A TTL is rounded up to whole milliseconds.
///
/// # Errors
/// [`MessageError::TooLarge`] when the text is longer than `bytes_max`.
pub fn encode(message: &Message, bytes_max: usize) -> Result<String, MessageError> {
    let text = serde_json::to_string(&Outgoing::of(message)).map_err(|e| unreadable(&e))?;
    check_size(text.len(), bytes_max)?;
    Ok(text)
}

/// How many bytes [`encode`] would write.
pub(super) fn size(message: &Message) -> Result<usize, MessageError> {
    let mut written = Counter(0);
    serde_json::to_writer(&mut written, &Outgoing::of(message)).map_err(|e| unreadable(&e))?;
    Ok(written.0)
}

/// Keeps nothing of what is written but its length.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads a message of at most `bytes_max` bytes.
///
/// # Errors
/// [`MessageError::TooLarge`] before anything is parsed; [`MessageError::Unreadable`] with the place and the
/// reason, fit for the screen.
pub fn decode(bytes: &[u8], bytes_max: usize) -> Result<Message, MessageError> {
    check_size(bytes.len(), bytes_max)?;
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| unreadable(&e))?;
    Ok(Message {
        id: envelope.id,
        topic: envelope.topic,
        source: envelope.source,
        priority: envelope.priority,
        timestamp: envelope.timestamp,
        ttl: envelope.ttl_ms.map(Duration::from_millis),
        correlation_id: envelope.correlation_id,
        payload: payload(envelope.topic, bytes)?,
    })
}

fn payload(topic: Topic, bytes: &[u8]) -> Result<Payload, MessageError> {
    Ok(match topic {
        Topic::MarketData => {
            let candle: Candle = body(bytes)?;
            Payload::Candle(candle.validated().map_err(|e| unreadable(&e))?)
        }
        Topic::TaSignals => Payload::Ta(body(bytes)?),
        Topic::RegimeUpdates => Payload::Regime(body(bytes)?),
        Topic::SentimentUpdates => Payload::Sentiment(body(bytes)?),
        Topic::TradingSignals => Payload::Signal(body(bytes)?),
        Topic::RiskAlerts => Payload::Risk(body(bytes)?),
        Topic::ExecutionEvents => Payload::Execution(body(bytes)?),
        Topic::PortfolioUpdates => Payload::Portfolio(body(bytes)?),
        Topic::SystemEvents => Payload::System(body(bytes)?),
        Topic::CoordinatorCommands => Payload::Command(body(bytes)?),
    })
}

fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MessageError> {
    serde_json::from_slice::<Body<T>>(bytes).map(|body| body.payload).map_err(|e| unreadable(&e))
}

/// Refuses a wire form of more bytes than `max`.
pub(super) fn check_size(bytes: usize, max: usize) -> Result<(), MessageError> {
    if bytes > max { Err(MessageError::TooLarge { bytes, max }) } else { Ok(()) }
}

fn unreadable(error: &dyn std::fmt::Display) -> MessageError {
    let reason: SafeText = Untrusted::new(error.to_string()).sanitize(REASON_CHARS_MAX);
    MessageError::Unreadable(reason.to_string())
}

#[cfg(test)]
mod tests;
