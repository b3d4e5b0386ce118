//! What a message says, in a few words.

use crate::console::text;
use crate::domain::{ExecutionEvent, Payload, Severity};

/// One line of words for the Topics pane and its filter. Foreign words in it are sanitized.
pub fn in_words(payload: &Payload) -> String {
    match payload {
        Payload::Candle(candle) if candle.synthetic => format!("{} ·", text::number(candle.close)),
        Payload::Candle(candle) => text::number(candle.close),
        Payload::Ta(ta) => format!("{} {} {}", ta.bias, ta.confidence, ta.reasoning.sanitize(80)),
        Payload::Regime(update) => {
            format!("{} {} {}", update.regime, update.confidence, update.reasoning.sanitize(80))
        }
        Payload::Sentiment(update) => {
            format!("{} {} {}", update.bias, update.confidence, update.reasoning.sanitize(80))
        }
        Payload::Signal(signal) => {
            format!("{} {} size {}", signal.action, signal.confidence, signal.size_pct)
        }
        Payload::Risk(alert) => format!("{} {}: {}", severity(alert.severity), alert.kind, alert.detail),
        Payload::Execution(event) => execution(event),
        Payload::Portfolio(update) => format!(
            "equity {} {}, exposure {}%, dd {}%",
            text::said(update.equity),
            update.currency,
            text::percent(update.exposure_pct),
            text::percent(update.drawdown_pct)
        ),
        Payload::System(event) => event.detail.to_string(),
        Payload::Command(command) => command.name().to_owned(),
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn execution(event: &ExecutionEvent) -> String {
    match event {
        ExecutionEvent::Sent { detail, .. } => format!("sent {detail}"),
        ExecutionEvent::Filled { fill } => {
            format!("fill {} {} @ {}", fill.side, text::number(fill.quantity), text::number(fill.price))
        }
        ExecutionEvent::Ended { detail, .. } => detail.to_string(),
    }
}
