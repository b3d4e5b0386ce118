//! How an answer is read: strictly. The object is the whole text, or one code fence is, or it follows a closed block of
//! thinking. An object with prose around it is no answer: it may be quoted in order to warn of it. What cannot be read
//! is never a reason to trade.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
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
    /// Nothing was written.
    #[error("empty")]
    Empty,
    /// A block of thinking was begun and not closed: the reply was cut.
    #[error("the thinking is cut off before the answer")]
    OpenThinking,
    /// There is no JSON object in it.
    #[error("no JSON object in it")]
    NoObject,
    /// Something stands before or behind the object: prose, or a second one.
    #[error("text around the JSON object; only the object alone is an answer")]
    TextAround,
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

/// The numbers as they were written, so that none passes through a float.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireModifications {
    #[serde(default)]
    leverage: Option<Box<RawValue>>,
    #[serde(default)]
    size_reduction_pct: Option<Box<RawValue>>,
    #[serde(default)]
    entry_adjustment_pct: Option<Box<RawValue>>,
}

/// The one answer that `text` is.
///
/// # Errors
/// Why it is none; see [`Unreadable`].
pub fn read(text: &str) -> Result<ModelAnswer, Unreadable> {
    if text.len() > BYTES_MAX {
        return Err(Unreadable::TooLong(text.len()));
    }
    let said = without_fence(behind_thinking(trimmed(text))?);
    if said.is_empty() {
        return Err(Unreadable::Empty);
    }
    if !said.starts_with('{') {
        return Err(if said.contains('{') { Unreadable::TextAround } else { Unreadable::NoObject });
    }
    let mut objects = serde_json::Deserializer::from_str(said).into_iter::<Wire>();
    let wire = match objects.next() {
        Some(Ok(wire)) => wire,
        Some(Err(error)) => return Err(Unreadable::NotOfTheSchema(error.to_string())),
        None => return Err(Unreadable::Empty),
    };
    if !said[objects.byte_offset()..].trim().is_empty() {
        return Err(Unreadable::TextAround);
    }
    wire.checked()
}

/// Without white space, byte order marks and zero-width characters at its ends.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
    })
}

/// What follows a closed block of thinking, where the text begins with one.
fn behind_thinking(text: &str) -> Result<&str, Unreadable> {
    const TAGS: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];
    let Some((open, close)) = TAGS.into_iter().find(|(open, _)| text.starts_with(open)) else {
        return Ok(text);
    };
    let (mut rest, mut depth) = (text, 0_usize);
    loop {
        match (rest.find(open), rest.find(close)) {
            (Some(opens), closes) if closes.is_none_or(|closes| opens < closes) => {
                depth += 1;
                rest = &rest[opens + open.len()..];
            }
            (_, Some(closes)) => {
                depth -= 1;
                rest = &rest[closes + close.len()..];
                if depth == 0 {
                    return Ok(trimmed(rest));
                }
            }
            (_, None) => return Err(Unreadable::OpenThinking),
        }
    }
}

/// What is in the fence, where the whole text is one.
fn without_fence(text: &str) -> &str {
    const FENCE: &str = "```";
    let inner = text.strip_prefix(FENCE).and_then(|inner| inner.strip_suffix(FENCE));
    let Some((language, inner)) = inner.and_then(|inner| inner.split_once('\n')) else {
        return text;
    };
    let language = language.trim();
    if language.is_empty() || language.eq_ignore_ascii_case("json") { trimmed(inner) } else { text }
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
        let percent = Decimal::ONE_HUNDRED;
        Ok(Modifications {
            leverage: number("leverage", self.leverage, Decimal::ONE, Decimal::MAX)?,
            size_reduction_pct: number(
                "size_reduction_pct",
                self.size_reduction_pct,
                Decimal::ZERO,
                percent,
            )?,
            entry_adjustment_pct: number(
                "entry_adjustment_pct",
                self.entry_adjustment_pct,
                -percent,
                percent,
            )?,
        })
    }
}

/// A number from `min` to `max`, as it was written. The configured bounds are narrower; those limit what is carried
/// out, these say what makes sense at all.
fn number(
    name: &'static str,
    written: Option<Box<RawValue>>,
    min: Decimal,
    max: Decimal,
) -> Result<Option<Decimal>, Unreadable> {
    let Some(written) = written else { return Ok(None) };
    let text = written.get();
    let exact = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text));
    let in_range = exact.ok().filter(|number| (min..=max).contains(number));
    in_range.map(Some).ok_or(Unreadable::Number(name))
}
