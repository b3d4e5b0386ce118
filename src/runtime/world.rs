//! What surrounds the core: gate, venue, latch, bus, candles, agents. Both drivers carry out effects through here, so
//! that a simulated run and a live one differ only in their loops.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::agents::Agent;
use crate::bus::{ClosedMailbox, MessageBus};
use crate::config::TaskName;
use crate::coordinator::effect::Effect;
use crate::coordinator::input::Input;
use crate::coordinator::task::{TaskFailure, TaskOutput, TaskRun};
use crate::domain::{
    Actor, Candle, ClientOrderId, Epoch, Message, Order, Purpose, ReasonCode, SafeText, Seq, Timestamp,
    TradingState, Untrusted, VenueEvent,
};
use crate::gate::{AnyPermit, FlattenOrder, Gate, Recorded, Refused};
use crate::llm::Providers;
use crate::market::CandleStore;
use crate::store::{Hash, Latch, LatchState};
use crate::venue::{CancelScope, Venue, VenueError};

/// Longest name of a subscriber that is shown, characters.
const SUBSCRIBER_CHARS_MAX: usize = 60;

/// The HALT latch and what it said when it was last looked at.
#[derive(Debug)]
pub struct WatchedLatch {
    latch: Latch,
    seen: Option<Hash>,
}

impl WatchedLatch {
    /// Arms the latch of a data directory and reads it: its reason, if it is set or cannot be read.
    pub fn arm(latch: Latch) -> (Self, Option<SafeText>) {
        let (seen, reason) = match latch.read() {
            LatchState::Clear => (None, None),
            LatchState::Halted { reason, seen } => (Some(seen), Some(reason.sanitize(200))),
            LatchState::Unreadable { why } => {
                (None, Some(SafeText::ours(format!("HALT is unreadable: {why}"))))
            }
        };
        if reason.is_none()
            && let Err(error) = latch.arm()
        {
            tracing::error!(%error, "the HALT latch cannot be armed; halting will need disk space");
        }
        (Self { latch, seen }, reason)
    }

    fn set(&mut self, reason: &SafeText) {
        match self.latch.halt(reason.as_str()) {
            Ok(latched) => {
                if let Some(flaw) = latched.flaw {
                    tracing::error!(%flaw, "the HALT latch is set, but its reason may be lost");
                }
            }
            Err(error) => tracing::error!(%error, "the HALT latch could not be set"),
        }
        if let LatchState::Halted { seen, .. } = self.latch.read() {
            self.seen = Some(seen);
        }
    }

    fn release(&mut self) -> Result<(), String> {
        match self.seen {
            Some(seen) => self.latch.release(seen).map(|_| ()).map_err(|error| error.to_string()),
            None => match self.latch.read() {
                LatchState::Clear => Ok(()),
                LatchState::Halted { .. } | LatchState::Unreadable { .. } => {
                    Err("the HALT file is not the one that was shown".to_owned())
                }
            },
        }
    }
}

/// Everything outside the core that effects act on.
pub struct World {
    /// Who may trade.
    pub gate: Gate,
    /// Where orders go.
    pub venue: Box<dyn Venue>,
    /// Who listens.
    pub bus: MessageBus,
    /// What the agents read.
    pub candles: CandleStore,
    /// Who proposes.
    pub agents: BTreeMap<TaskName, Arc<dyn Agent>>,
    /// Who may be asked about conflicts.
    pub models: Providers,
    /// None where a run leaves nothing behind.
    pub latch: Option<WatchedLatch>,
}

impl World {
    /// A closed candle, before the core hears of it: the candle store takes it, and the venue executes what it
    /// touched. Gives the venue's words, which the core hears after the candle.
    pub fn candle(&mut self, candle: &Candle) -> Vec<Input> {
        self.candles.on_candle(candle);
        let said = self.venue.on_candle(candle);
        Self::venue_said(said)
    }

    /// A candle of the history before the run: it warms indicators and gives a price, but nothing is executed on it.
    pub fn history(&mut self, candle: &Candle) {
        self.candles.on_candle(candle);
        self.venue.see_price(candle);
    }

    /// Time has come to the venue: orders may have run out.
    pub fn venue_time(&mut self, now: Timestamp) -> Vec<Input> {
        let said = self.venue.on_time(now);
        Self::venue_said(said)
    }

    /// When [`World::venue_time`] has something to do next.
    pub fn venue_expiry(&self) -> Option<Timestamp> {
        self.venue.next_expiry()
    }

    fn venue_said(said: Result<Vec<VenueEvent>, VenueError>) -> Vec<Input> {
        match said {
            Ok(events) => events.into_iter().map(Input::Venue).collect(),
            Err(error) => {
                tracing::error!(%error, "the venue gives no answer");
                Vec::new()
            }
        }
    }

    /// Carries out one effect that acts on the world; gives what the core must hear of it. Records, replies and task
    /// runs are the driver's.
    pub fn carry_out(&mut self, now: Timestamp, effect: Effect) -> Vec<Input> {
        match effect {
            Effect::Publish(message) => self.publish(now, message),
            Effect::Submit { order, deadline, .. } if deadline.is_some_and(|deadline| now > deadline) => {
                tracing::warn!(order = %order.client_id, "the deadline of an order passed before it could go out");
                vec![Input::NotHandedOver { client_id: order.client_id, reason: ReasonCode::DeadlinePassed }]
            }
            Effect::Submit { order, approved, recorded, .. } => self.submit(now, &order, approved, recorded),
            Effect::CancelAll => {
                let said = self.venue.cancel_all(CancelScope::Entries);
                Self::venue_said(said)
            }
            Effect::ShrinkProtection { client_id, quantity } => {
                if let Err(error) = self.venue.shrink_protection(client_id, quantity) {
                    tracing::error!(%error, order = %client_id, "protection could not be lowered");
                }
                Vec::new()
            }
            Effect::Query { client_id } => {
                let said = self.venue.query(client_id).map(|answer| answer.into_events(client_id));
                Self::answered(client_id, said)
            }
            Effect::ShutGate { to, reason } => vec![self.shut_gate(to, reason)],
            Effect::OpenGate { seen, to, command } => vec![match self.gate.open(seen, to) {
                Ok(epoch) => Input::GateOpened { epoch, command },
                Err(superseded) => {
                    tracing::warn!(%superseded, "gate not opened");
                    Input::GateNotOpened { command }
                }
            }],
            Effect::SetLatch { reason } => {
                if let Some(latch) = &mut self.latch {
                    latch.set(&reason);
                }
                Vec::new()
            }
            Effect::ReleaseLatch => self.release_latch(),
            Effect::Record(_)
            | Effect::Reply { .. }
            | Effect::RunTask(_)
            | Effect::AbandonTask(_)
            | Effect::Resolve(_)
            | Effect::ProbeProvider { .. }
            | Effect::AbandonModelCalls => {
                debug_assert!(
                    false,
                    "records, replies, task runs and model calls are carried out by the driver"
                );
                Vec::new()
            }
        }
    }

    /// The core never waits: whoever must see everything and has no room is cut off, and the core hears of it; also of
    /// those that were cut off since it last published.
    fn publish(&self, now: Timestamp, message: Arc<Message>) -> Vec<Input> {
        if let Err(error) = self.bus.publish(message, now) {
            tracing::error!(%error, "message not published");
        }
        self.bus.take_closed().iter().map(Self::mailbox_closed).collect()
    }

    fn mailbox_closed(closed: &ClosedMailbox) -> Input {
        let subscriber = Untrusted::new(&*closed.id).sanitize(SUBSCRIBER_CHARS_MAX);
        tracing::error!(%subscriber, topic = %closed.topic, "a full reliable mailbox was closed");
        Input::MailboxClosed { subscriber, topic: closed.topic, depth: closed.depth }
    }

    fn shut_gate(&self, to: TradingState, reason: SafeText) -> Input {
        let epoch = match to {
            TradingState::Halted => self.gate.halt(),
            TradingState::Paused | TradingState::Running => self.gate.shut(to),
        };
        Input::GateShut { epoch, to, by: Actor::Coordinator, reason }
    }

    /// A latch that changed since it was shown stays, and the gate with it.
    fn release_latch(&mut self) -> Vec<Input> {
        let Some(latch) = &mut self.latch else {
            return Vec::new();
        };
        match latch.release() {
            Ok(()) => {
                latch.seen = None;
                Vec::new()
            }
            Err(why) => {
                let reason = SafeText::ours(format!("latch not released: {why}"));
                let epoch = self.gate.halt();
                vec![Input::GateShut { epoch, to: TradingState::Halted, by: Actor::Runtime, reason }]
            }
        }
    }

    /// The gate first, then the venue, in one synchronous hand-over.
    fn submit(&mut self, now: Timestamp, order: &Order, approved: Epoch, recorded: Seq) -> Vec<Input> {
        let client_id = order.client_id;
        let gate = self.gate.clone();
        let permit = match permit(&gate, order, approved, recorded) {
            Ok(permit) => permit,
            Err(refused) => {
                tracing::warn!(order = %client_id, %refused, "the gate refused an order");
                return vec![Input::NotHandedOver { client_id, reason: ReasonCode::GateShut }];
            }
        };
        let said = self.venue.submit(now, order, permit);
        Self::answered(client_id, said)
    }

    /// A venue that fails to answer leaves the order Unknown.
    fn answered(client_id: ClientOrderId, said: Result<Vec<VenueEvent>, VenueError>) -> Vec<Input> {
        match said {
            Ok(events) => events.into_iter().map(Input::Venue).collect(),
            Err(error @ VenueError::WrongPermit { .. }) => {
                tracing::error!(%error, order = %client_id, "order not handed over");
                vec![Input::NotHandedOver { client_id, reason: ReasonCode::GateShut }]
            }
            Err(VenueError::Log(error)) => {
                let detail = Untrusted::new(error.to_string());
                vec![Input::Venue(VenueEvent::NoAnswer { client_id, detail })]
            }
        }
    }
}

/// The permit that the order's purpose needs.
fn permit<'gate>(
    gate: &'gate Gate,
    order: &Order,
    approved: Epoch,
    recorded: Seq,
) -> Result<AnyPermit<'gate>, Refused> {
    match order.purpose {
        Purpose::Entry { .. } | Purpose::Leg { .. } => gate.entry(approved).map(Into::into),
        Purpose::Exit { .. } => gate.reduce().map(Into::into),
        Purpose::Reduce { .. } | Purpose::Flatten { .. } => {
            match FlattenOrder::new(&order.purpose, Recorded::Journal(recorded)) {
                Some(flatten) => gate.flatten(flatten).map(Into::into),
                None => gate.reduce().map(Into::into),
            }
        }
    }
}

/// Runs an agent to its end; a panic only fails the run.
pub async fn run_agent(agent: Arc<dyn Agent>, run: TaskRun) -> Result<TaskOutput, TaskFailure> {
    match AssertUnwindSafe(async { agent.run(run).await }).catch_unwind().await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(TaskFailure::Failed(Untrusted::new(error.to_string()))),
        Err(panic) => Err(TaskFailure::Panicked(Untrusted::new(panic_text(panic.as_ref())))),
    }
}

/// What a panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
