//! How an answer is read: strictly. It may sit in prose or in a code fence, but there must be exactly one answer, and it
//! must be of the closed schema. Anything else is no answer, and what cannot be read is never a reason to trade.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use serde::Deserialize;
use thiserror::Error;

use crate::coordinator::conflict::{ModelAnswer, Modifications};
use crate::domain::{Confidence, ResolutionAction, Untrusted};

/// Longest reply that is looked at.
pub const BYTES_MAX: usize = 64 * 1_024;
/// Longest reasoning that is kept, in characters, with the mark that something was cut.
pub const REASONING_CHARS_MAX: usize = 500;

/// Why a text is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Nobody reads that much.
    #[error("{0} bytes, at most {BYTES_MAX}")]
    TooLong(usize),
    /// There is no JSON object in it.
    #[error("no JSON object in it")]
    NoObject,
    /// What begins like a JSON object is none, or not of the schema.
    #[error("{0}")]
    NotOfTheSchema(String),
    /// `modify` that says nothing to modify.
    #[error("modify without modifications")]
    NothingToModify,
    /// An action that has no modifications has some.
    #[error("proceed with modifications")]
    ProceedWithModifications,
    /// A number that is none, or out of its range.
    #[error("{0} is not a usable number")]
    Number(&'static str),
    /// Two answers that are not the same.
    #[error("two answers that contradict each other")]
    Contradiction,
}

/// The schema. Unknown and repeated keys are refused by the derived reader.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    action: ResolutionAction,
    confidence: f64,
    #[serde(default)]
    reasoning: String,
    #[serde(default)]
    modifications: Option<WireModifications>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireModifications {
    #[serde(default)]
    leverage: Option<f64>,
    #[serde(default)]
    size_reduction_pct: Option<f64>,
    #[serde(default)]
    entry_adjustment_pct: Option<f64>,
}

/// The one answer in `text`.
///
/// # Errors
/// Why there is none; see [`Unreadable`].
pub fn read(text: &str) -> Result<ModelAnswer, Unreadable> {
    if text.len() > BYTES_MAX {
        return Err(Unreadable::TooLong(text.len()));
    }
    let mut found: Option<ModelAnswer> = None;
    let mut rest = text;
    while let Some(begin) = rest.find('{') {
        rest = &rest[begin..];
        if !begins_an_object(rest) {
            // A brace of the prose, unless an answer was meant: it may say the opposite of the one that can be read.
            let group = rest.find('}').map_or(rest, |end| &rest[..end]);
            if group.to_ascii_lowercase().contains("action") {
                return Err(Unreadable::NotOfTheSchema("an answer that is no JSON".to_owned()));
            }
            rest = &rest[1..];
            continue;
        }
        let mut objects = serde_json::Deserializer::from_str(rest).into_iter::<Wire>();
        let wire = match objects.next() {
            Some(Ok(wire)) => wire,
            Some(Err(error)) => return Err(Unreadable::NotOfTheSchema(error.to_string())),
            None => return Err(Unreadable::NoObject),
        };
        rest = &rest[objects.byte_offset()..];
        let answer = wire.checked()?;
        match &found {
            // Said twice, in prose and in a fence.
            Some(before) if *before == answer => {}
            Some(_) => return Err(Unreadable::Contradiction),
            None => found = Some(answer),
        }
    }
    found.ok_or(Unreadable::NoObject)
}

/// Whether this brace is meant as JSON: a key or the end follows it.
fn begins_an_object(text: &str) -> bool {
    text[1..].trim_start().starts_with(['"', '}'])
}

impl Wire {
    fn checked(self) -> Result<ModelAnswer, Unreadable> {
        let confidence = Confidence::new(self.confidence).map_err(|_| Unreadable::Number("confidence"))?;
        let modifications = self
            .modifications
            .map(WireModifications::checked)
            .transpose()?
            .filter(|wanted| !wanted.is_empty());
        match (self.action, modifications) {
            (ResolutionAction::Modify, None) => return Err(Unreadable::NothingToModify),
            (ResolutionAction::Proceed, Some(_)) => return Err(Unreadable::ProceedWithModifications),
            (
                ResolutionAction::Proceed
                | ResolutionAction::Modify
                | ResolutionAction::Wait
                | ResolutionAction::Abort,
                _,
            ) => {}
        }
        // The mark of a cut takes one character.
        let reasoning = Untrusted::new(self.reasoning).sanitize(REASONING_CHARS_MAX - 1);
        Ok(ModelAnswer {
            action: self.action,
            confidence,
            reasoning: Untrusted::new(reasoning.as_str()),
            modifications: modifications.filter(|_| self.action == ResolutionAction::Modify),
        })
    }
}

impl WireModifications {
    fn checked(self) -> Result<Modifications, Unreadable> {
        let decimal = |name, value: Option<f64>| {
            let exact = |value| Decimal::from_f64(value).ok_or(Unreadable::Number(name));
            value.map(exact).transpose()
        };
        Ok(Modifications {
            leverage: decimal("leverage", self.leverage)?,
            size_reduction_pct: decimal("size_reduction_pct", self.size_reduction_pct)?,
            entry_adjustment_pct: decimal("entry_adjustment_pct", self.entry_adjustment_pct)?,
        })
    }
}
