//! The steps of a leg, and the table that says from which states each may be taken.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Intent;
use super::leg::LegState::{
    self, Accepted, Deferred, Due, Intent as Intended, Rejected, Scheduled, Sent, Unknown, Waiting,
};
use crate::domain::{ReasonCode, Timestamp, TradeId, Untrusted, VenueReject};

/// Why a leg is deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeferReason {
    /// A rule speaks against it.
    Blocked(ReasonCode),
    /// The process ended between its time and its intent.
    Restarted,
    /// The venue has surely never seen it: it is a new decision.
    Absent,
    /// Another leg of the plan is Unknown.
    LegUnknown(u16),
}

impl fmt::Display for DeferReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked(code) => code.fmt(f),
            Self::Restarted => f.pad("restarted"),
            Self::Absent => f.pad("absent at the venue"),
            Self::LegUnknown(leg) => write!(f, "leg {leg} unknown"),
        }
    }
}

/// Why a leg waits for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// Overdue by more than `dca.max_lateness`.
    TooLate,
    /// A newer leg of the plan is overdue too, and at most one runs by itself.
    NotNewest,
    /// Its own terms, such as the cash to pay it, kept it back for longer than `dca.max_lateness`.
    Blocked(ReasonCode),
    /// The venue refused it.
    Rejected(VenueReject),
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLate => f.pad("too late"),
            Self::NotNewest => f.pad("overdue, not the newest"),
            Self::Blocked(code) => write!(f, "{code}, and too late"),
            Self::Rejected(reason) => write!(f, "venue refused: {reason}"),
        }
    }
}

/// Why a leg is where it is, for the states that need a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Of Deferred.
    Deferred(DeferReason),
    /// Of Waiting and Rejected.
    Waiting(WaitReason),
    /// Of Unknown, in the words of venue or transport.
    Unknown(Untrusted),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deferred(reason) => reason.fmt(f),
            Self::Waiting(reason) => reason.fmt(f),
            Self::Unknown(words) => write!(f, "\"{}\"", words.sanitize(WORDS_CHARS_MAX)),
        }
    }
}

/// Longest text of a venue shown as a reason, in characters.
const WORDS_CHARS_MAX: usize = 80;

/// One step of a leg. What the journal holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum LegTransition {
    /// Its time has come.
    Due,
    /// Its time has come, but.
    Deferred {
        /// But what.
        reason: DeferReason,
    },
    /// What will be sent.
    Intent {
        /// Exactly this.
        intent: Box<Intent>,
    },
    /// The gate, or the deadline, stood between intent and hand-over: surely not sent.
    Withdrawn {
        /// Which rule.
        reason: ReasonCode,
    },
    /// Handed over.
    Sent,
    /// The venue has it.
    Accepted,
    /// The venue refused it.
    Rejected {
        /// Why.
        reason: VenueReject,
    },
    /// No clear answer.
    Unknown {
        /// In the words of venue or transport.
        detail: Untrusted,
    },
    /// The venue is asked what became of it.
    Asked,
    /// Asked, the venue said that it has never seen it.
    Absent,
    /// A part or all was executed.
    Filled {
        /// The venue's number of the execution.
        trade: TradeId,
        /// Base units.
        quantity: Decimal,
        /// Quantity times price, quote units.
        worth: Decimal,
        /// Nothing of the order is left.
        done: bool,
    },
    /// The order ended at the venue before it was filled whole.
    Ended {
        /// It ran out rather than being cancelled.
        expired: bool,
    },
    /// For the operator.
    Waiting {
        /// Why.
        reason: WaitReason,
    },
    /// The operator moved it.
    Postponed {
        /// To when, market time.
        due_at: Timestamp,
    },
    /// The operator let it pass.
    Skipped,
    /// The operator called it off.
    Cancelled,
}

impl LegTransition {
    /// The table: the states in which a step may be taken. Everything else is refused. `Sent` follows `Intent` alone
    /// and `Intent` follows `Due` alone, and no step but a sure absence, a refusal by the venue or a withdrawal before
    /// the hand-over leads from behind an intent back to before it: so nothing is sent twice. Facts from the venue
    /// (accepted, filled) are taken in wherever the leg is not ended, even where we thought it absent.
    pub const fn allowed_from(&self) -> &'static [LegState] {
        match self {
            Self::Due => &[Scheduled, Deferred, Waiting],
            Self::Deferred { .. } => &[Scheduled, Due, Deferred],
            Self::Intent { .. } => &[Due],
            Self::Withdrawn { .. } | Self::Sent => &[Intended],
            Self::Accepted => &[Intended, Sent, Unknown, Scheduled, Due, Deferred, Waiting, Rejected],
            Self::Rejected { .. } | Self::Asked | Self::Absent => &[Intended, Sent, Unknown],
            Self::Unknown { .. } => &[Intended, Sent],
            Self::Filled { .. } => {
                &[Intended, Sent, Unknown, Accepted, Scheduled, Due, Deferred, Waiting, Rejected]
            }
            Self::Ended { .. } => &[Intended, Sent, Unknown, Accepted],
            Self::Waiting { .. } => &[Scheduled, Due, Deferred, Rejected],
            Self::Postponed { .. } | Self::Skipped | Self::Cancelled => &[Scheduled, Due, Deferred, Waiting],
        }
    }

    /// The step's word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Deferred { .. } => "deferred",
            Self::Intent { .. } => "intent",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::Unknown { .. } => "unknown",
            Self::Asked => "asked",
            Self::Absent => "absent",
            Self::Filled { .. } => "filled",
            Self::Ended { .. } => "ended",
            Self::Waiting { .. } => "waiting",
            Self::Postponed { .. } => "postponed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}
