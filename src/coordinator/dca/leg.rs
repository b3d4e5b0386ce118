//! One leg of a plan: its states, and what a step does to it.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{DeferReason, Intent, LegTransition, WaitReason, Why};
use crate::domain::{
    ClientOrderId, MoneyError, PlanId, Side, Symbol, Timestamp, TradeId, checked_add, checked_div,
    checked_mul,
};

/// Names one leg: `p3/2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegId {
    /// Its plan.
    pub plan: PlanId,
    /// Its number in the plan, from 0.
    pub leg: u16,
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.plan, self.leg)
    }
}

/// Where a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// Waits for its time.
    Scheduled,
    /// Its time has come and nothing speaks against it; no intent yet.
    Due,
    /// What would be sent is on disk; nothing was handed over yet, as far as we know.
    Intent,
    /// Handed over, no answer yet. It is never handed over again.
    Sent,
    /// The venue has it; perhaps a part is filled.
    Accepted,
    /// The venue refused it. Becomes Waiting at once.
    Rejected,
    /// No clear answer: only the venue can say what became of it.
    Unknown,
    /// Done, whole or as far as the venue would.
    Filled,
    /// Its time came while something spoke against it; offered again when nothing does.
    Deferred,
    /// The operator let it pass.
    Skipped,
    /// Called off, or ended at the venue with nothing filled.
    Cancelled,
    /// For the operator: run or skip.
    Waiting,
}

impl LegState {
    /// All states.
    pub const ALL: [Self; 12] = [
        Self::Scheduled,
        Self::Due,
        Self::Intent,
        Self::Sent,
        Self::Accepted,
        Self::Rejected,
        Self::Unknown,
        Self::Filled,
        Self::Deferred,
        Self::Skipped,
        Self::Cancelled,
        Self::Waiting,
    ];

    /// Whether nothing more can happen to the leg.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Filled | Self::Skipped | Self::Cancelled)
    }

    /// The state's word in journal and screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Due => "due",
            Self::Intent => "intent",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Filled => "filled",
            Self::Deferred => "deferred",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting",
        }
    }
}

impl fmt::Display for LegState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the venue has executed of a leg.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FilledPart {
    /// Base units.
    pub quantity: Decimal,
    /// Quantity times price, quote units.
    pub worth: Decimal,
    /// The last fill counted in; the venue's numbers rise.
    pub last_trade: Option<TradeId>,
}

/// One leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// From 0, in the order of their times.
    pub number: u16,
    /// Index of its trade in the plan.
    pub trade: u16,
    /// What.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// For how much, in the account currency.
    pub amount: Decimal,
    /// When, market time.
    pub due_at: Timestamp,
    /// Where it stands.
    pub state: LegState,
    /// Why it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Its one name at the venue, for ever: no time and no attempt in it.
    pub client_id: ClientOrderId,
    /// The intent in force; none before it, and none again once the venue surely never saw it or refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// How often it was handed over. More than 1 only after a clear no or a sure absence.
    pub sends: u32,
    /// The venue is being asked what became of it. Only then does "absent" count.
    pub asked: bool,
    /// What was executed.
    pub filled: FilledPart,
}

impl Leg {
    /// Whether the step may be taken now: the table, and what the step itself asks for.
    pub fn may(&self, step: &LegTransition) -> bool {
        let fits = match step {
            LegTransition::Intent { intent } => intent.is_for(self),
            // Once the venue is being asked, handing over would race the answer.
            LegTransition::Sent => self.intent.is_some() && !self.asked,
            LegTransition::Withdrawn { .. } => !self.asked,
            LegTransition::Absent => self.asked,
            LegTransition::Filled { trade, quantity, worth, .. } => {
                self.filled.last_trade.is_none_or(|last| *trade > last)
                    && checked_add(self.filled.quantity, *quantity).is_ok()
                    && checked_add(self.filled.worth, *worth).is_ok()
            }
            LegTransition::Due
            | LegTransition::Deferred { .. }
            | LegTransition::Accepted
            | LegTransition::Rejected { .. }
            | LegTransition::Unknown { .. }
            | LegTransition::Asked
            | LegTransition::Ended { .. }
            | LegTransition::Waiting { .. }
            | LegTransition::Postponed { .. }
            | LegTransition::Skipped
            | LegTransition::Cancelled => true,
        };
        fits && step.allowed_from().contains(&self.state)
    }

    /// Takes the step; the caller has asked [`Leg::may`].
    pub(super) fn take(&mut self, step: &LegTransition) {
        self.why = None;
        match step {
            LegTransition::Due => self.state = LegState::Due,
            LegTransition::Deferred { reason } => self.defer(*reason),
            LegTransition::Intent { intent } => {
                self.state = LegState::Intent;
                self.asked = false;
                self.intent = Some(Intent::clone(intent));
            }
            LegTransition::Withdrawn { reason } => {
                self.intent = None;
                self.defer(DeferReason::Blocked(*reason));
            }
            LegTransition::Sent => {
                self.state = LegState::Sent;
                self.sends = self.sends.saturating_add(1);
            }
            LegTransition::Accepted => self.settle(LegState::Accepted),
            LegTransition::Rejected { reason } => {
                self.intent = None;
                self.settle(LegState::Rejected);
                self.why = Some(Why::Waiting(WaitReason::Rejected(reason.clone())));
            }
            LegTransition::Unknown { detail } => {
                self.state = LegState::Unknown;
                self.why = Some(Why::Unknown(detail.clone()));
            }
            LegTransition::Asked => self.asked = true,
            LegTransition::Absent => {
                self.intent = None;
                self.asked = false;
                self.defer(DeferReason::Absent);
            }
            LegTransition::Filled { trade, quantity, worth, done } => {
                self.filled.quantity = checked_add(self.filled.quantity, *quantity).unwrap_or(*quantity);
                self.filled.worth = checked_add(self.filled.worth, *worth).unwrap_or(*worth);
                self.filled.last_trade = Some(*trade);
                self.settle(if *done { LegState::Filled } else { LegState::Accepted });
            }
            LegTransition::Ended { .. } => {
                let nothing = self.filled.quantity.is_zero();
                self.settle(if nothing { LegState::Cancelled } else { LegState::Filled });
            }
            LegTransition::Waiting { reason } => {
                self.state = LegState::Waiting;
                self.why = Some(Why::Waiting(reason.clone()));
            }
            LegTransition::Postponed { due_at } => {
                self.state = LegState::Scheduled;
                self.due_at = *due_at;
            }
            LegTransition::Skipped => self.state = LegState::Skipped,
            LegTransition::Cancelled => self.state = LegState::Cancelled,
        }
    }

    /// How much of its amount is executed, account currency: all of it once its order was filled whole.
    pub(super) fn amount_done(&self) -> Result<Decimal, MoneyError> {
        match &self.intent {
            Some(intent) if self.filled.quantity < intent.quantity => {
                checked_div(checked_mul(self.amount, self.filled.quantity)?, intent.quantity)
            }
            Some(_) => Ok(self.amount),
            // The venue executed it although we thought that it had never seen it.
            None if self.state == LegState::Filled => Ok(self.amount),
            None => Ok(Decimal::ZERO),
        }
    }

    fn defer(&mut self, reason: DeferReason) {
        self.state = LegState::Deferred;
        self.why = Some(Why::Deferred(reason));
    }

    /// The venue has spoken: there is nothing left to ask.
    fn settle(&mut self, state: LegState) {
        self.state = state;
        self.asked = false;
    }
}
