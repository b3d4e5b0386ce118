//! What the runtime must do next. Effects come in order; everything behind a record waits until that record is on
//! disk, except what is marked as immediate.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::conflict::Question;
use super::record::Record;
use super::task::TaskRun;
use crate::domain::{
    ClientOrderId, CommandId, CommandOutcome, Epoch, Message, Order, RunId, SafeText, Seq, Timestamp,
    TradeId, TradingState,
};

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Write to the journal.
    Record(Box<Record>),
    /// Put on the bus. Waits for the records before it.
    Publish(Arc<Message>),
    /// Hand an order to the venue, if the gate gives the permit of its purpose and its deadline has not passed. Waits
    /// for the records before it.
    Submit {
        /// The order.
        order: Box<Order>,
        /// Not handed over after this, market time.
        deadline: Option<Timestamp>,
        /// Epoch of the gate in which it was approved: an entry or leg passes in no other.
        approved: Epoch,
        /// The record that ordered it.
        recorded: Seq,
    },
    /// Ask the venue to cancel every order but the protective ones. Immediate.
    CancelAll,
    /// Tell the venue how much of an entry's fills its stops may still sell: the lot shrank by other means. Waits
    /// for the records before it.
    ShrinkProtection {
        /// The entry.
        client_id: ClientOrderId,
        /// Base units that are left to protect.
        quantity: Decimal,
    },
    /// Ask the venue what it knows of an order. Waits for the records before it; answered by `OrderFound` and what became
    /// of it, or by a word that it is absent.
    Query {
        /// Which.
        client_id: ClientOrderId,
    },
    /// Ask the venue what it has executed since a trade, and what rests there. Waits for the records before it;
    /// answered by `OrderFound` for each order concerned, then by its executions in their order.
    FetchFills {
        /// The last trade up to which every one is in the books.
        after: TradeId,
    },
    /// What was noted beside the latch is in the journal now. Waits for the records before it.
    PutNotesAway,
    /// Try to write the journal again, in a new segment. Immediate; answered by `StoreReopened`.
    ReopenStore {
        /// The command that asked for it.
        command: CommandId,
    },
    /// Start a task run. Immediate.
    RunTask(Box<TaskRun>),
    /// Nobody waits for this run any more. Immediate.
    AbandonTask(RunId),
    /// Ask a model about the conflicts of a decision. Immediate; answered by one `Resolved`.
    Resolve(Box<Question>),
    /// Ask a failing provider for the least there is. Immediate; answered by `ProviderProbed`.
    ProbeProvider {
        /// Its name in the configuration.
        provider: String,
    },
    /// Nobody waits for any model any more. Immediate.
    AbandonModelCalls,
    /// Tell the one who asked. Waits for the records before it.
    Reply {
        /// Which command.
        command: CommandId,
        /// How it ended.
        outcome: CommandOutcome,
    },
    /// Shut the gate, and wait until no permit is in use. Immediate; answered by `GateShut`.
    ShutGate {
        /// How tight.
        to: TradingState,
        /// Why.
        reason: SafeText,
    },
    /// Loosen the gate if nobody shut it since. Waits for the records before it; answered by `GateOpened` or
    /// `GateNotOpened`.
    OpenGate {
        /// The epoch the core saw last.
        seen: Epoch,
        /// How far.
        to: TradingState,
        /// The command that asked for it.
        command: CommandId,
    },
    /// Put the HALT latch on disk. Immediate.
    SetLatch {
        /// The reason line.
        reason: SafeText,
    },
    /// Take the HALT latch away, unless the gate was shut since. Waits for the records before it.
    ReleaseLatch {
        /// The epoch of the gate that the release saw.
        seen: Epoch,
    },
}

/// The effects of one step, in order. Reused between steps.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    /// Takes all out, in order; the room is kept for the next step.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.0.drain(..)
    }

    /// All so far.
    pub fn as_slice(&self) -> &[Effect] {
        &self.0
    }
}
