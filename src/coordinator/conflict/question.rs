//! The seam between core and models: what is asked about the conflicts of a signal, and what comes back.

use std::fmt;

use rust_decimal::Decimal;

use super::ModelAnswer;
use crate::config::ModificationBounds;
use crate::domain::{Confidence, Conflict, DecisionId, Signal, Timestamp, Untrusted, Vote};

/// One question, with all that a prompt may say.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Whose conflicts; asked about once.
    pub decision: DecisionId,
    /// When, market time.
    pub at: Timestamp,
    /// What was proposed.
    pub signal: Signal,
    /// Voices present.
    pub votes: Vec<Vote>,
    /// The signal's confidence after consensus.
    pub confidence: Confidence,
    /// What speaks against it; at least one, and all of kinds that a model may decide.
    pub conflicts: Vec<Conflict>,
    /// Last price, quote units; none when there is no fresh one.
    pub price: Option<Decimal>,
    /// What the answer may change.
    pub bounds: ModificationBounds,
}

/// Why a provider's call is a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFailure {
    /// No answer within its timeout.
    TimedOut,
    /// It could not be reached, or refused.
    Failed(Untrusted),
    /// It answered something that is not an answer.
    Unreadable(Untrusted),
    /// Its client panicked.
    Panicked(Untrusted),
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Enough of foreign words for one line.
        const CHARS_MAX: usize = 120;
        match self {
            Self::TimedOut => f.write_str("timed out"),
            Self::Failed(why) => write!(f, "failed: {}", why.sanitize(CHARS_MAX)),
            Self::Unreadable(why) => write!(f, "unreadable answer: {}", why.sanitize(CHARS_MAX)),
            Self::Panicked(why) => write!(f, "panicked: {}", why.sanitize(CHARS_MAX)),
        }
    }
}

/// One provider that gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFailure {
    /// Its name in the configuration.
    pub provider: String,
    /// Why.
    pub failure: CallFailure,
    /// BLAKE3 of what it wrote, if it wrote anything.
    pub reply_digest: Option<String>,
}

/// The usable answer of one provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Its name in the configuration.
    pub provider: String,
    /// What it says.
    pub answer: ModelAnswer,
    /// BLAKE3 of what it wrote.
    pub reply_digest: String,
}

/// How a question ended: one outcome, whoever was asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resolved {
    /// BLAKE3 of the prompt.
    pub prompt_digest: String,
    /// Those who failed, in the order in which they were asked.
    pub failures: Vec<ProviderFailure>,
    /// The first usable answer; none means that the configured default decides.
    pub answer: Option<Answered>,
}
