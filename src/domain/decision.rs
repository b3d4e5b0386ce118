//! The whole trail of one signal, from the votes to the fill.

use std::fmt;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{ClientOrderId, Confidence, DecisionId, Pct, Signal, Timestamp, Untrusted, VoiceKind};

/// How one voice stood towards the signal when it was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Which voice.
    pub voice: VoiceKind,
    /// What it said (`long`, `choppy`, `bearish`).
    pub says: String,
    /// How sure it was.
    pub confidence: Confidence,
    /// How old its word was.
    pub age: Duration,
    /// Whether it agreed with the signal's action.
    pub agrees: bool,
}

/// What spoke against the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Technical analysis and sentiment point in opposite directions, about equally sure.
    TaSentimentConflict,
    /// The regime is choppy.
    RegimeConflict,
    /// A risk alert of severity high or critical is in force.
    RiskOverride,
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TaSentimentConflict => "ta_sentiment_conflict",
            Self::RegimeConflict => "regime_conflict",
            Self::RiskOverride => "risk_override",
        })
    }
}

/// One conflict and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Which kind.
    pub kind: ConflictKind,
    /// The facts in one line, in our own words.
    pub detail: String,
}

/// What is done about a conflict. Ordered from mild to strict: with several, the strictest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolutionAction {
    /// Trade as signalled.
    Proceed,
    /// Trade smaller.
    Modify,
    /// Do not trade this signal; the next one is a new decision.
    Wait,
    /// Do not trade this signal.
    Abort,
}

impl fmt::Display for ResolutionAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Proceed => "proceed",
            Self::Modify => "modify",
            Self::Wait => "wait",
            Self::Abort => "abort",
        })
    }
}

/// Who resolved a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolvedBy {
    /// The configured default: no model, level forbids it, or no model may decide this kind.
    Default,
    /// A model provider, by name.
    Model(String),
    /// A model was asked and did not give a usable answer in time; the default was taken.
    DefaultAfterFailure,
}

impl fmt::Display for ResolvedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::Model(name) => f.pad(name),
            Self::DefaultAfterFailure => f.pad("default, model failed"),
        }
    }
}

/// How the conflicts of a decision were resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// What was decided.
    pub action: ResolutionAction,
    /// By whom.
    pub by: ResolvedBy,
    /// How sure the model said it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// What the model said, at most 500 characters; shown only as quoted text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Untrusted>,
    /// BLAKE3 of the prompt, where a model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_digest: Option<String>,
    /// BLAKE3 of the reply, where one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_digest: Option<String>,
    /// How long it took, operator time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
}

impl Resolution {
    /// What the configuration says, with no model asked.
    pub const fn by_default(action: ResolutionAction) -> Self {
        Self {
            action,
            by: ResolvedBy::Default,
            confidence: None,
            reasoning: None,
            prompt_digest: None,
            reply_digest: None,
            took: None,
        }
    }
}

/// A reason with a name: why an order was not sent, or why it was made smaller. The names are the ones that the
/// screen, the journal and the documentation use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReasonCode {
    // Entries blocked before risk is asked.
    /// The trading state is PAUSED.
    Paused,
    /// The trading state is HALTED.
    Halted,
    /// The degradation level forbids entries.
    LevelEmergency,
    /// No fresh price for the symbol.
    FeedStale,
    /// Records wait too long for the disk.
    StoreSlow,
    /// The watchdog shut the gate.
    Watchdog,
    /// The same signal id was delivered before.
    DuplicateSignal,
    /// The signal is older than it may be.
    SignalTooOld,
    /// SELL or CLOSE without anything held.
    NothingHeld,
    // Risk, in the order of its rules.
    /// A circuit breaker is tripped.
    BreakerTripped,
    /// A cooldown runs.
    InCooldown,
    /// The symbol is locked.
    SymbolLocked,
    /// A number is not usable (not finite, zero, negative, absurd).
    InvalidOrder,
    /// An entry without a stop.
    StopLossRequired,
    /// The stop is nearer than allowed.
    StopTooTight,
    /// The stop is farther than allowed.
    StopTooWide,
    /// The stop is on the profit side of the entry.
    StopWrongSide,
    /// Reward over risk is too low.
    LowRr,
    /// The target is too near to be worth what buying and selling cost.
    TargetBelowCost,
    /// Confidence below the regime's minimum.
    ConfidenceTooLow,
    /// Size was reduced.
    SizeReduced,
    /// What is left of the size is nothing, or not worth its fees.
    SizeTooSmall,
    /// Leverage was reduced.
    LeverageReduced,
    /// The entry was moved to the passive side.
    EntryAdjusted,
    /// Total exposure would be too high.
    ExposureTooHigh,
    /// Exposure within one correlated group would be too high.
    CorrelatedExposure,
    /// Too many open positions.
    TooManyPositions,
    /// Margin use would be too high.
    MarginTooHigh,
    /// The price is too far from the last trade.
    PriceCollar,
    /// Same symbol, side and size within a minute.
    DuplicateOrder,
    /// Too many orders in a minute.
    OrderRate,
    /// Not enough balance outside lots.
    InsufficientFunds,
    /// Equity is zero, negative or unknown.
    NoEquity,
    /// More than what is held would be sold.
    QuantityTooHigh,
    /// The gate was shut between approval and hand-over.
    GateShut,
    /// The order could not be handed over in time.
    DeadlinePassed,
    /// The venue refused.
    VenueRefused,
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => f.pad(&name),
            Ok(_) | Err(_) => Err(fmt::Error),
        }
    }
}

/// One change that risk or a resolution made to the size, leverage or entry of the signal. Changes only ever reduce
/// risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which rule.
    pub code: ReasonCode,
    /// From what (percent of equity, leverage, or quote units).
    pub from: Decimal,
    /// To what.
    pub to: Decimal,
    /// The rule's own words: `loss at stop 2% of equity`.
    pub why: String,
}

/// What risk said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Verdict {
    /// The order may go out like this.
    Approved {
        /// Size in percent of equity after reductions.
        size_pct: Pct,
        /// Leverage after reductions.
        leverage: Decimal,
        /// Quantity in base units.
        quantity: Decimal,
    },
    /// The order may not go out.
    Rejected {
        /// The first rule that said no.
        code: ReasonCode,
        /// Its numbers: `1.2 < 1.5`.
        detail: String,
    },
}

/// How a decision ended. Every signal ends in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The signal was HOLD.
    Hold,
    /// Entries were blocked, or the signal was not tradable; see the reasons.
    Ignored,
    /// Risk said no.
    Rejected,
    /// A conflict was resolved as wait.
    Waited,
    /// A conflict was resolved as abort.
    Aborted,
    /// A newer signal came while a model was thinking.
    Superseded,
    /// The signal grew too old while a model was thinking.
    Expired,
    /// Gate or venue refused the order.
    Refused,
    /// The order was cancelled or ran out without a fill.
    Unfilled,
    /// The order was filled, at least in part.
    Filled,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hold => "hold",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
            Self::Waited => "waited",
            Self::Aborted => "aborted",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Unfilled => "unfilled",
            Self::Filled => "filled",
        })
    }
}

/// What stood in a signal's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A block, a rule of risk, the gate or the venue.
    Reason(ReasonCode),
    /// A conflict that was resolved as wait or abort.
    Conflict(ConflictKind),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reason(code) => code.fmt(f),
            Self::Conflict(kind) => kind.fmt(f),
        }
    }
}

/// The trail of one signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Number within the installation.
    pub id: DecisionId,
    /// When it began, market time.
    pub at: Timestamp,
    /// What was proposed; never changed.
    pub signal: Signal,
    /// Voices present at that moment.
    pub votes: Vec<Vote>,
    /// Agreeing over present, if anybody was present.
    pub ratio: Option<f64>,
    /// By what the signal's confidence was multiplied.
    pub multiplier: f64,
    /// The product, at most 1.
    pub confidence: Confidence,
    /// What spoke against it, first the one whose default was taken.
    pub conflicts: Vec<Conflict>,
    /// How that was resolved.
    pub resolution: Option<Resolution>,
    /// Reductions.
    pub changes: Vec<Change>,
    /// What risk said.
    pub verdict: Option<Verdict>,
    /// Orders that came of it.
    pub orders: Vec<ClientOrderId>,
    /// Base units filled so far.
    pub filled: Decimal,
    /// Average price of what was filled, quote units.
    pub average_price: Option<Decimal>,
    /// Why it ended as it did, first rule first.
    pub reasons: Vec<ReasonCode>,
    /// Numbers that belong to the first reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// How it ended; none while it is open.
    pub outcome: Option<Outcome>,
    /// When it ended, market time.
    pub ended_at: Option<Timestamp>,
}

impl Decision {
    /// Puts the conflict that decided before the others.
    pub fn put_first(&mut self, decided: ConflictKind) {
        self.conflicts.sort_by_key(|conflict| conflict.kind != decided);
    }

    /// The first rule that blocked it; none while it is open, and none where nothing did.
    pub fn blocked_by(&self) -> Option<Rule> {
        match self.outcome? {
            Outcome::Hold | Outcome::Filled => None,
            Outcome::Waited | Outcome::Aborted => {
                self.conflicts.first().map(|conflict| Rule::Conflict(conflict.kind))
            }
            Outcome::Ignored
            | Outcome::Rejected
            | Outcome::Superseded
            | Outcome::Expired
            | Outcome::Refused
            | Outcome::Unfilled => self.reasons.first().copied().map(Rule::Reason),
        }
    }

    /// Whether `id` is one of those in its trail: its own, its signal's, or that of an order that came of it.
    pub fn is_named(&self, id: &str) -> bool {
        self.id.to_string() == id
            || self.signal.id.to_string() == id
            || self.orders.iter().any(|order| order.to_string() == id)
    }
}
