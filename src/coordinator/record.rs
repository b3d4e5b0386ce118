//! What the journal holds. Durable state changes only by applying a record, live and in recovery alike.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::closing::Closing;
use super::dca::PlanTransition;
use super::degradation::DegradationTransition;
use super::durable::Durable;
use crate::account::{self, Posting};
use crate::alarm::AlarmTransition;
use crate::config::TaskName;
use crate::domain::{
    Actor, Asset, ClientOrderId, Command, CommandId, CommandOutcome, Decision, DecisionId, Level, Order,
    OrderStatus, Outcome, ReasonCode, SafeText, Seq, Symbol, Timestamp, TradingState,
};
use crate::risk::{BreakerTransition, StreakTransition};

/// One line of the journal, before the writer adds version and hash chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number; the first is 1. After damage it goes on above every number that may have been used.
    pub seq: Seq,
    /// Market time.
    pub at: Timestamp,
    /// Wall time; live runs only, so that simulated journals are reproducible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<Timestamp>,
    /// Number of the process run.
    pub run: u16,
    /// Who caused it.
    pub actor: Actor,
    /// What happened.
    #[serde(flatten)]
    pub kind: RecordKind,
}

impl Record {
    /// Version of the words in which records are written. It rises with every kind, field or value that an earlier
    /// program would not read or would read otherwise; what earlier ones have written is read for ever.
    ///
    /// 1: the first. 2: adopted orders, the command `reopen_store`. 3: the reason `SIZE_TOO_SMALL`, the alarm
    /// `order_unknown` (`leg_unknown` before). 4: the alarm `venue_contradicts`. 5: of a
    /// plan's shift, for which legs it was. 6: a closing that ended is done. 7: the reason `TARGET_BELOW_COST`, the first
    /// equity in the state; rates in marks, locks for a jump of the price, the alarms `price_stale`, `price_jump` and
    /// `minimum_out_of_reach`.
    pub const VERSION: u16 = 7;
}

/// What happened. A closed enum; the JSON has `kind` and `data`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "data")]
pub enum RecordKind {
    /// The full durable state; begins every segment, so that recovery never reads more than one.
    State(Box<Durable>),
    /// A process run began.
    RunStarted {
        /// Version of the program.
        version: String,
        /// BLAKE3 of the configuration in force.
        config_fingerprint: String,
    },
    /// A process run ended cleanly.
    RunEnded {
        /// Why.
        reason: SafeText,
    },
    /// Somebody asked for something.
    CommandRequested {
        /// Which request.
        id: CommandId,
        /// For what.
        command: Command,
    },
    /// A request was carried out or refused.
    CommandEnded {
        /// Which request.
        id: CommandId,
        /// The command's name.
        command: String,
        /// How.
        outcome: CommandOutcome,
        /// Trading state and effective level when it was asked for.
        before: (TradingState, Level),
        /// The same when it ended.
        after: (TradingState, Level),
    },
    /// The trading state changed, or a halt was repeated with another reason.
    StateChanged {
        /// From.
        from: TradingState,
        /// To.
        to: TradingState,
        /// Why.
        reason: SafeText,
    },
    /// Failure counters, forced level, symbol streaks.
    Degradation(DegradationTransition),
    /// A signal as far as it is decided: without an order, up to its order, or up to the question that a model is
    /// asked; then the decision comes once more, whole, when the wait is over.
    Decision(Box<Decision>),
    /// A decision with an order ended.
    DecisionEnded {
        /// Which.
        id: DecisionId,
        /// How.
        outcome: Outcome,
        /// Why.
        reasons: Vec<ReasonCode>,
        /// The numbers of the first reason.
        detail: String,
    },
    /// An order is about to be handed over.
    OrderIntended(Box<Order>),
    /// An order that went out without its record, because the journal could not be written: found beside the latch or
    /// at the venue.
    OrderAdopted(Box<Order>),
    /// What became of an order.
    OrderStatus {
        /// Which.
        client_id: ClientOrderId,
        /// Where it stands.
        status: OrderStatus,
        /// Why, in words.
        detail: SafeText,
    },
    /// An execution: applied once, to cash, position, order, decision and leg together.
    Fill {
        /// The execution, and what is needed to book it.
        posting: Box<Posting>,
        /// Nothing of the order is left.
        done: bool,
    },
    /// A breaker's baseline, trip or arming.
    Breaker(BreakerTransition),
    /// Losses in a row and cooldowns.
    Streak(StreakTransition),
    /// Positions are being closed or reduced by order of an emergency or the operator.
    Closing(Closing),
    /// That ended: everything was sold.
    ClosingEnded {
        /// Of which symbol.
        symbol: Symbol,
    },
    /// A plan was made, or one of its legs moved.
    Plan(PlanTransition),
    /// An alarm moved.
    Alarm(AlarmTransition),
    /// A task was enabled or disabled by the operator.
    TaskEnabled {
        /// Which.
        task: TaskName,
        /// On or off.
        enabled: bool,
    },
    /// The equity has changed; at most one in five minutes, for the chart.
    Mark {
        /// In the account currency.
        equity: Decimal,
        /// What one unit of a held asset is worth, where that has changed: a restart values it so until it has a price.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        rates: BTreeMap<Asset, account::Mark>,
    },
    /// A line that the operator wrote.
    Note {
        /// The line.
        text: SafeText,
    },
}

impl RecordKind {
    /// The names of all kinds, in the order of their declaration.
    pub const NAMES: [&'static str; 22] = [
        "state",
        "run_started",
        "run_ended",
        "command_requested",
        "command_ended",
        "state_changed",
        "degradation",
        "decision",
        "decision_ended",
        "order_intended",
        "order_adopted",
        "order_status",
        "fill",
        "breaker",
        "streak",
        "closing",
        "closing_ended",
        "plan",
        "alarm",
        "task_enabled",
        "mark",
        "note",
    ];

    /// The name under which the journal holds it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::State(_) => "state",
            Self::RunStarted { .. } => "run_started",
            Self::RunEnded { .. } => "run_ended",
            Self::CommandRequested { .. } => "command_requested",
            Self::CommandEnded { .. } => "command_ended",
            Self::StateChanged { .. } => "state_changed",
            Self::Degradation(_) => "degradation",
            Self::Decision(_) => "decision",
            Self::DecisionEnded { .. } => "decision_ended",
            Self::OrderIntended(_) => "order_intended",
            Self::OrderAdopted(_) => "order_adopted",
            Self::OrderStatus { .. } => "order_status",
            Self::Fill { .. } => "fill",
            Self::Breaker(_) => "breaker",
            Self::Streak(_) => "streak",
            Self::Closing(_) => "closing",
            Self::ClosingEnded { .. } => "closing_ended",
            Self::Plan(_) => "plan",
            Self::Alarm(_) => "alarm",
            Self::TaskEnabled { .. } => "task_enabled",
            Self::Mark { .. } => "mark",
            Self::Note { .. } => "note",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_kinds_is_what_the_journal_reads() {
        let error = serde_json::from_str::<RecordKind>(r#"{"kind":"x","data":{}}"#).unwrap_err().to_string();
        let known = error.split("expected one of ").nth(1).unwrap().split(" at line").next().unwrap();
        let known: Vec<_> = known.split(", ").map(|name| name.trim_matches('`')).collect();
        assert_eq!(known, RecordKind::NAMES);
    }
}
