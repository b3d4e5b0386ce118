//! Why the last signal of a symbol did not trade: the first rule that stood in its way.

use std::fmt;

use super::words::time;
use crate::coordinator::record::{Record, RecordKind};
use crate::domain::{Decision, Outcome, SafeText, Symbol, Untrusted};

/// Longest answer.
const CHARS_MAX: usize = 400;

/// What became of the last signal of one symbol, out of its records in their order.
#[derive(Debug)]
pub struct Why {
    symbol: Symbol,
    last: Option<Decision>,
}

impl Why {
    /// The kinds of records that tell it.
    pub const KINDS: [&'static str; 2] = ["decision", "decision_ended"];

    /// Nothing is known of the symbol yet.
    pub const fn of(symbol: Symbol) -> Self {
        Self { symbol, last: None }
    }

    /// Takes the next record in.
    pub fn add(&mut self, record: &Record) {
        if let RecordKind::Decision(decision) = &record.kind
            && decision.signal.symbol == self.symbol
        {
            self.last = Some((**decision).clone());
        }
        if let RecordKind::DecisionEnded { id, outcome, reasons, detail } = &record.kind
            && let Some(decision) = self.last.as_mut().filter(|decision| decision.id == *id)
        {
            decision.outcome = Some(*outcome);
            decision.reasons.extend(reasons);
            decision.detail.clone_from(detail);
        }
    }

    /// The answer, safe for a terminal.
    pub fn answer(&self) -> SafeText {
        Untrusted::new(self.to_string()).sanitize(CHARS_MAX)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(decision) = &self.last else {
            return write!(f, "{}: no signal yet", self.symbol);
        };
        let signal = &decision.signal;
        write!(f, "{}: {} {} of {} ", self.symbol, decision.id, signal.action, time(signal.at))?;
        match decision.outcome {
            None => return f.write_str("is not decided yet: an order or a question of it is open"),
            Some(Outcome::Filled) => return f.write_str("was filled: nothing blocked it"),
            Some(Outcome::Hold) => return f.write_str("asked for nothing"),
            Some(outcome) => write!(f, "was {outcome}: ")?,
        }
        match (decision.blocked_by(), decision.detail.as_str()) {
            (Some(rule), "") => write!(f, "{rule}"),
            (Some(rule), detail) => write!(f, "{rule}: {detail}"),
            (None, detail) => f.write_str(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::{
        Action, Actor, Confidence, Conflict, ConflictKind, DecisionId, InstallId, Pct, ReasonCode, RunId,
        Seq, Signal, SignalId, Timestamp,
    };

    fn btc() -> Symbol {
        Symbol::new("BTC/USDT").unwrap()
    }

    fn decision(id: u64, symbol: Symbol, outcome: Option<Outcome>) -> Decision {
        let at = Timestamp::from_secs(1_704_189_600);
        Decision {
            id: DecisionId(id),
            at,
            signal: Signal {
                id: SignalId::derive(InstallId::derived("why"), 1, RunId(id)),
                symbol,
                action: Action::Buy,
                confidence: Confidence::clamped(0.8),
                entry: None,
                stop: None,
                take_profit: None,
                size_pct: Pct::ZERO,
                leverage: Decimal::ONE,
                at,
                source: "test".to_owned(),
                reasoning: Untrusted::default(),
            },
            votes: Vec::new(),
            ratio: None,
            multiplier: 1.0,
            confidence: Confidence::clamped(0.8),
            conflicts: Vec::new(),
            resolution: None,
            changes: Vec::new(),
            verdict: None,
            orders: Vec::new(),
            filled: Decimal::ZERO,
            average_price: None,
            reasons: Vec::new(),
            detail: String::new(),
            outcome,
            ended_at: None,
        }
    }

    /// The answer about BTC after these records.
    fn answer(kinds: impl IntoIterator<Item = RecordKind>) -> String {
        let mut why = Why::of(btc());
        for (seq, kind) in (1..).zip(kinds) {
            let at = Timestamp::from_secs(1_704_189_600);
            why.add(&Record { seq: Seq(seq), at, wall: None, run: 1, actor: Actor::Coordinator, kind });
        }
        why.answer().to_string()
    }

    fn decided(decision: Decision) -> RecordKind {
        RecordKind::Decision(Box::new(decision))
    }

    #[test]
    fn the_first_rule_of_the_last_signal_of_the_symbol_is_named() {
        let blocked = Decision {
            reasons: vec![ReasonCode::Paused, ReasonCode::SymbolLocked],
            detail: "paused, symbol locked".to_owned(),
            ..decision(2, btc(), Some(Outcome::Ignored))
        };
        let of_another = decision(3, Symbol::new("XRP/USDT").unwrap(), Some(Outcome::Filled));
        let before = decision(1, btc(), Some(Outcome::Filled));
        assert_eq!(
            answer([before, blocked, of_another].map(decided)),
            "BTC/USDT: d2 BUY of 2024-01-02 10:00:00 was ignored: PAUSED: paused, symbol locked"
        );
    }

    #[test]
    fn a_conflict_and_the_end_of_an_order_are_rules_too() {
        let detail = "regime choppy .70".to_owned();
        let conflicts = vec![Conflict { kind: ConflictKind::RegimeConflict, detail: detail.clone() }];
        let aborted = Decision { conflicts, detail, ..decision(1, btc(), Some(Outcome::Aborted)) };
        assert!(answer([decided(aborted)]).ends_with("was aborted: regime_conflict: regime choppy .70"));
        let refused = RecordKind::DecisionEnded {
            id: DecisionId(1),
            outcome: Outcome::Refused,
            reasons: vec![ReasonCode::GateShut],
            detail: "not handed over".to_owned(),
        };
        let told = answer([decided(decision(1, btc(), None)), refused]);
        assert!(told.ends_with("was refused: GATE_SHUT: not handed over"), "{told}");
    }

    #[test]
    fn what_was_not_blocked_says_so() {
        for (outcome, end) in [
            (None, "is not decided yet: an order or a question of it is open"),
            (Some(Outcome::Filled), "was filled: nothing blocked it"),
            (Some(Outcome::Hold), "asked for nothing"),
        ] {
            let told = answer([decided(decision(1, btc(), outcome))]);
            assert!(told.ends_with(end), "{told}");
        }
        assert_eq!(answer([]), "BTC/USDT: no signal yet");
    }
}
