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
    let outgoing = Outgoing {
        id: message.id,
        timestamp: message.timestamp,
        topic: message.topic,
        source: &message.source,
        priority: message.priority,
        ttl_ms: message.ttl.map(|ttl| u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)),
        correlation_id: message.correlation_id,
        payload: &message.payload,
    };
    let text = serde_json::to_string(&outgoing).map_err(|e| unreadable(&e))?;
    check_size(text.len(), bytes_max)?;
    Ok(text)
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

fn check_size(bytes: usize, max: usize) -> Result<(), MessageError> {
    if bytes > max { Err(MessageError::TooLarge { bytes, max }) } else { Ok(()) }
}

fn unreadable(error: &dyn std::fmt::Display) -> MessageError {
    let reason: SafeText = Untrusted::new(error.to_string()).sanitize(REASON_CHARS_MAX);
    MessageError::Unreadable(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::check::text_bytes;
    use super::*;
    use crate::domain::{Bias, Command, Confidence, InstallId, RiskAlert, Severity, Symbol, TaSignal};

    const BYTES_MAX: usize = 64 * 1024;

    fn message(payload: Payload) -> Message {
        Message {
            id: MessageId::sequential(InstallId::derived("wire"), 1, 7),
            topic: payload.topic(),
            source: "technical_analysis".into(),
            priority: Priority::Normal,
            timestamp: Timestamp::from_secs(1_640_995_200),
            ttl: Some(Duration::from_secs(120)),
            correlation_id: None,
            payload,
        }
    }

    fn ta(reasoning: &str) -> Payload {
        Payload::Ta(TaSignal {
            symbol: Symbol::new("BTC/USDT").unwrap(),
            bias: Bias::Long,
            confidence: Confidence::clamped(0.74),
            atr_pct: Some(1.5),
            atr_ratio: None,
            support: None,
            resistance: None,
            reasoning: reasoning.into(),
        })
    }

    fn candle_json() -> String {
        let id = MessageId::sequential(InstallId::derived("wire"), 1, 8);
        format!(
            r#"{{"id":"{id}","timestamp":"2022-01-01T00:01:00Z","topic":"market_data","source":"feed",
            "priority":"low","payload":{{"symbol":"BTC/USDT","open_time":"2022-01-01T00:00:00Z",
            "interval_secs":60,"open":"10","high":"12","low":"9","close":"11","volume":"3"}}}}"#
        )
    }

    #[test]
    fn a_message_reads_back_as_it_was_written() {
        let alert = RiskAlert {
            symbol: None,
            kind: "drawdown".into(),
            severity: Severity::High,
            detail: SafeText::ours("5 % below the peak"),
        };
        let note = Command::Note { text: "quote \" and newline \n".into() };
        for payload in [ta("line\u{1b} and ü"), Payload::Risk(alert), Payload::Command(note)] {
            let sent = message(payload);
            let text = encode(&sent, BYTES_MAX).unwrap();
            assert_eq!(decode(text.as_bytes(), BYTES_MAX), Ok(sent.clone()), "{text}");
            assert!(text_bytes(&sent) <= text.len(), "the lower bound of the size is none");
        }
    }

    #[test]
    fn the_form_is_flat() {
        let text = encode(&message(ta("up")), BYTES_MAX).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["id", "payload", "priority", "source", "timestamp", "topic", "ttl_ms"]);
        assert_eq!(json["topic"], "ta_signals");
        assert_eq!(json["priority"], "normal");
        assert_eq!(json["payload"]["symbol"], "BTC/USDT");
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let text = candle_json().replacen("\"source\"", "\"shard\":[1,{}],\"source\"", 1).replacen(
            "\"open\"",
            "\"trades\":17,\"open\"",
            1,
        );
        assert!(matches!(decode(text.as_bytes(), BYTES_MAX).unwrap().payload, Payload::Candle(_)));
    }

    #[test]
    fn known_fields_are_read_strictly() {
        for (from, to) in [
            ("\"low\",", "\"LOW\","),
            ("\"low\",", "4,"),
            ("market_data", "ta_signals"),
            ("market_data", "weather"),
            ("\"BTC/USDT\"", "\"btc\""),
            ("\"high\":\"12\"", "\"high\":\"8\""),
            ("\"open\":\"10\"", "\"open\":\"10\",\"open\":\"10\""),
            ("\"source\":\"feed\"", "\"source\":\"feed\",\"source\":\"risk\""),
            ("\"source\":\"feed\"", "\"source\":null"),
            ("\"priority\"", "\"prio\""),
            ("\"priority\"", "\"ttl_ms\":-1,\"priority\""),
            ("\"priority\"", "\"correlation_id\":\"7\",\"priority\""),
            ("\"payload\"", "\"body\""),
            ("2022-01-01T00:01:00Z", "yesterday"),
        ] {
            let text = candle_json();
            let broken = text.replacen(from, to, 1);
            assert_ne!(text, broken, "{from} is not in the example");
            let refused = decode(broken.as_bytes(), BYTES_MAX);
            assert!(matches!(refused, Err(MessageError::Unreadable(_))), "{from} -> {to}: {refused:?}");
        }
        for text in ["", "null", "[]", "{}", "\u{feff}{}", &(candle_json() + "x"), &candle_json()[..80]] {
            assert!(decode(text.as_bytes(), BYTES_MAX).is_err(), "{text:?} was accepted");
        }
        assert!(decode(b"\xff\xfe", BYTES_MAX).is_err());
        let deep = candle_json().replacen("\"source\"", &format!("\"x\":{}", "[".repeat(10_000)), 1);
        assert!(decode(deep.as_bytes(), BYTES_MAX).is_err());
    }

    #[test]
    fn a_reason_never_carries_foreign_control_characters() {
        let text = candle_json().replacen("market_data", "\\u001b[31m\\u202e", 1);
        let Err(MessageError::Unreadable(reason)) = decode(text.as_bytes(), BYTES_MAX) else {
            panic!("accepted");
        };
        assert!(!reason.contains(['\u{1b}', '\u{202e}']), "{reason:?}");
    }

    #[test]
    fn size_is_checked_both_ways() {
        let text = candle_json();
        assert!(decode(text.as_bytes(), text.len()).is_ok());
        let max = text.len() - 1;
        assert_eq!(decode(text.as_bytes(), max), Err(MessageError::TooLarge { bytes: text.len(), max }));
        assert!(matches!(encode(&message(ta("long")), 20), Err(MessageError::TooLarge { .. })));
    }

    #[test]
    fn a_ttl_shorter_than_a_millisecond_does_not_become_none() {
        let mut sent = message(ta("up"));
        sent.ttl = Some(Duration::from_micros(10));
        let read = decode(encode(&sent, BYTES_MAX).unwrap().as_bytes(), BYTES_MAX).unwrap();
        assert_eq!(read.ttl, Some(Duration::from_millis(1)));
    }
}
