//! The JSON form, both ways.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::check::BYTES_BESIDE_TEXTS_MAX;
use super::*;
use crate::domain::{
    Action, Bias, ClientOrderId, Command, Confidence, ExecutionEvent, Fill, FillRole, InstallId, Level,
    Money, Pct, PortfolioUpdate, Regime, RegimeUpdate, RiskAlert, RunId, SentimentBias, SentimentUpdate,
    Severity, Side, Signal, SignalId, Symbol, SystemEvent, SystemEventKind, TaSignal, TradeId,
};

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

/// A payload of each kind, every number as long as it can be, every text `text`.
fn one_of_each(text: &str) -> Vec<Payload> {
    said_by_agents(text).into_iter().chain(said_by_the_house(text)).collect()
}

/// The longest number that is a percentage too.
fn long() -> Decimal {
    "7.9228162514264337593543950335".parse().unwrap()
}

fn long_symbol() -> Symbol {
    Symbol::new("ABCDEFGHIJKL/MNOPQRSTUVWX").unwrap()
}

fn said_by_agents(text: &str) -> Vec<Payload> {
    let id = SignalId::derive(InstallId::derived("wire"), 1, RunId(1));
    let (symbol, long, at) = (long_symbol(), long(), Timestamp::from_secs(1_640_995_200));
    let number = Some(-1.797_693_134_862_315_7e308);
    let confidence = Confidence::clamped(0.123_456_789_012_345_67);
    let reasoning = Untrusted::new(text);
    vec![
        Payload::Candle(Candle {
            symbol: symbol.clone(),
            open_time: at,
            interval_secs: u32::MAX,
            open: long,
            high: long,
            low: long,
            close: long,
            volume: long,
            synthetic: false,
        }),
        Payload::Ta(TaSignal {
            symbol: symbol.clone(),
            bias: Bias::Neutral,
            confidence,
            atr_pct: number,
            atr_ratio: number,
            support: number,
            resistance: number,
            reasoning: reasoning.clone(),
        }),
        Payload::Regime(RegimeUpdate {
            symbol: symbol.clone(),
            regime: Regime::BreakoutPotential,
            confidence,
            reasoning: reasoning.clone(),
        }),
        Payload::Sentiment(SentimentUpdate {
            symbol: symbol.clone(),
            bias: SentimentBias::Neutral,
            confidence,
            reasoning: reasoning.clone(),
        }),
        Payload::Signal(Signal {
            id,
            symbol,
            action: Action::Close,
            confidence,
            entry: Some(long),
            stop: Some(long),
            take_profit: Some(long),
            size_pct: Pct::new(long).unwrap(),
            leverage: long,
            at,
            source: text.to_owned(),
            reasoning,
        }),
    ]
}

fn said_by_the_house(text: &str) -> Vec<Payload> {
    let client_id = ClientOrderId::derive(InstallId::derived("wire"), "leg/1/2");
    let (symbol, long, safe) = (long_symbol(), long(), SafeText::ours(text));
    let (at, asset) = (Timestamp::from_secs(1_640_995_200), symbol.quote().clone());
    vec![
        Payload::Risk(RiskAlert {
            symbol: Some(symbol.clone()),
            kind: text.to_owned(),
            severity: Severity::Critical,
            detail: safe.clone(),
        }),
        Payload::Execution(ExecutionEvent::Sent { client_id, symbol: symbol.clone(), detail: safe.clone() }),
        Payload::Execution(ExecutionEvent::Ended { client_id, symbol: symbol.clone(), detail: safe.clone() }),
        Payload::Execution(ExecutionEvent::Filled {
            fill: Fill {
                trade_id: TradeId(u64::MAX),
                client_id,
                role: FillRole::Target,
                symbol: symbol.clone(),
                side: Side::Sell,
                quantity: long,
                price: long,
                fee: Money { amount: -long, currency: asset.clone() },
                at,
            },
        }),
        Payload::Portfolio(PortfolioUpdate {
            currency: asset,
            equity: -long,
            exposure_pct: -long,
            drawdown_pct: -long,
            deviation_pct: Some(-long),
        }),
        Payload::System(SystemEvent {
            kind: SystemEventKind::StateChanged,
            symbol: Some(symbol),
            detail: safe,
        }),
        Payload::Command(Command::ForceLevel {
            level: Level::Emergency,
            until: Some(Duration::from_nanos(u64::MAX)),
            reason: text.to_owned(),
        }),
    ]
}

fn read(json: &Value) -> Result<Message, MessageError> {
    decode(json.to_string().as_bytes(), BYTES_MAX)
}

#[test]
fn a_message_of_each_kind_reads_back_as_it_was_written() {
    for payload in one_of_each("quote \" backslash \\ and ü") {
        let sent = message(payload);
        let text = encode(&sent, BYTES_MAX).unwrap();
        assert_eq!(size(&sent), Ok(text.len()));
        assert_eq!(decode(text.as_bytes(), BYTES_MAX), Ok(sent), "{text}");
    }
    let note = message(Payload::Command(Command::Note { text: "line \u{1b} and \n".into() }));
    assert_eq!(decode(encode(&note, BYTES_MAX).unwrap().as_bytes(), BYTES_MAX), Ok(note));
}

#[test]
fn what_stands_beside_the_texts_never_grows_over_its_bound() {
    for payload in one_of_each("") {
        let most = Message { correlation_id: Some(message(ta("")).id), ..message(payload) };
        let bytes = size(&most).unwrap();
        assert!(2 * bytes <= BYTES_BESIDE_TEXTS_MAX, "{bytes} bytes: {most:?}");
    }
}

#[test]
fn each_payload_ignores_unknown_fields_and_reads_known_ones_strictly() {
    for payload in one_of_each("text") {
        let sent = message(payload);
        let json: Value = serde_json::from_str(&encode(&sent, BYTES_MAX).unwrap()).unwrap();
        let mut grown = json.clone();
        grown["payload"]["added_later"] = json!({"a": [1, null]});
        assert_eq!(read(&grown), Ok(sent.clone()), "{grown}");

        let fields: Vec<_> = json["payload"].as_object().unwrap().keys().cloned().collect();
        for field in fields {
            for wrong in [json!({"no": "thing"}), json!([]), json!("\u{1}wrong\u{1}")] {
                let mut broken = json.clone();
                broken["payload"][&field] = wrong.clone();
                let is_free_text = json["payload"][&field] == "text" && wrong.is_string();
                assert_eq!(read(&broken).is_ok(), is_free_text, "{field} of {broken}");
            }
            let mut missing = json.clone();
            missing["payload"].as_object_mut().unwrap().remove(&field);
            assert_ne!(read(&missing), Ok(sent.clone()), "{field} is not looked at: {missing}");
        }
    }
}

#[test]
fn a_signal_without_a_known_action_is_refused_and_never_read_as_another() {
    let said = |payload: &Payload| matches!(payload, Payload::Signal(_));
    let signal = said_by_agents("text").into_iter().find(said).unwrap();
    let json: Value = serde_json::from_str(&encode(&message(signal), BYTES_MAX).unwrap()).unwrap();
    for action in [None, Some("SHORT"), Some("sell"), Some("buy"), Some("Sell"), Some("")] {
        let mut broken = json.clone();
        match action {
            Some(action) => broken["payload"]["action"] = json!(action),
            None => drop(broken["payload"].as_object_mut().unwrap().remove("action")),
        }
        assert!(matches!(read(&broken), Err(MessageError::Unreadable(_))), "{action:?}");
    }
    for action in ["BUY", "SELL", "HOLD", "CLOSE"] {
        let mut known = json.clone();
        known["payload"]["action"] = json!(action);
        let Payload::Signal(signal) = read(&known).unwrap().payload else { panic!("another payload") };
        assert_eq!(signal.action.to_string(), action);
    }
}

#[test]
fn foreign_text_that_counts_as_safe_carries_nothing_that_reaches_the_screen_unseen() {
    let sent = message(said_by_the_house("plain").remove(0));
    let text = encode(&sent, BYTES_MAX).unwrap().replace("plain", "\\u001b[31m\\u202ered");
    let Payload::Risk(alert) = decode(text.as_bytes(), BYTES_MAX).unwrap().payload else {
        panic!("another payload: {text}");
    };
    assert_eq!(alert.detail.as_str(), "[31mred…");
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
