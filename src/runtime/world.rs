//! What surrounds the core: gate, venue, latch, bus, candles, agents. Both drivers carry out effects through here, so
//! that a simulated run and a live one differ only in their loops.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use super::accidents;
use crate::agents::Agent;
use crate::bus::MessageBus;
use crate::config::TaskName;
use crate::coordinator::effect::Effect;
use crate::coordinator::input::Input;
use crate::coordinator::task::{MarketView, TaskFailure, TaskOutput, TaskRun};
use crate::domain::{
    Actor, Candle, ClientOrderId, Epoch, Message, Order, Purpose, ReasonCode, SafeText, Timestamp, TradeId,
    TradingState, Untrusted, VenueEvent,
};
use crate::gate::{AnyPermit, FlattenOrder, Gate, Recorded, Refused};
use crate::llm::Providers;
use crate::market::{CandleStore, FeedEvent, SentimentSource};
use crate::store::{Hash, Latch, LatchState, OrderNotes};
use crate::venue::{Answer, CancelScope, OrderReport, Venue, VenueError};

/// Longest text of the HALT latch that is shown, characters.
const LATCH_CHARS_MAX: usize = 200;

/// The HALT latch and what it said when it was last looked at.
#[derive(Debug)]
pub struct WatchedLatch {
    latch: Latch,
    seen: Option<Hash>,
}

impl WatchedLatch {
    /// Reads the latch of a data directory: its reason, if it is set or cannot be read.
    pub fn look(latch: Latch) -> (Self, Option<SafeText>) {
        let (seen, reason) = match latch.read() {
            LatchState::Clear => (None, None),
            LatchState::Halted { reason, seen } => {
                let reason = reason.sanitize(LATCH_CHARS_MAX);
                let is_empty = reason.as_str().trim().is_empty();
                (
                    Some(seen),
                    Some(if is_empty {
                        SafeText::ours("the file HALT was there, without a word")
                    } else {
                        reason
                    }),
                )
            }
            LatchState::Unreadable { why } => {
                (None, Some(SafeText::ours(format!("HALT is unreadable: {why}"))))
            }
        };
        (Self { latch, seen }, reason)
    }

    /// Makes what a halt will rename, so that it needs no space then.
    ///
    /// # Errors
    /// The operating system's answer; halting will need disk space.
    pub(super) fn arm(&self) -> std::io::Result<()> {
        self.latch.arm()
    }

    /// Puts a reason on disk. What the latch says then counts as shown only if what it said before was.
    ///
    /// # Errors
    /// Why the latch is not set.
    pub(super) fn set(&mut self, reason: &SafeText) -> Result<(), SafeText> {
        let was_shown = match self.latch.read() {
            LatchState::Clear => true,
            LatchState::Halted { seen, .. } => self.seen == Some(seen),
            LatchState::Unreadable { .. } => false,
        };
        let latched = self.latch.halt(reason.as_str()).map_err(SafeText::ours)?;
        if was_shown && let LatchState::Halted { seen, .. } = self.latch.read() {
            self.seen = Some(seen);
        }
        match latched.flaw {
            Some(flaw) if latched.already => {
                tracing::error!(%flaw, "the HALT latch was set before; one more reason could not be added");
                Ok(())
            }
            Some(flaw) => {
                Err(SafeText::ours(format!("the latch is set, but a power cut may undo it: {flaw}")))
            }
            None => Ok(()),
        }
    }

    /// Takes the latch away, if it says what was shown.
    ///
    /// # Errors
    /// Why it stays, with what it says if that is news; it counts as shown then.
    fn release(&mut self) -> Result<(), String> {
        let says = match self.latch.read() {
            LatchState::Halted { reason, seen } if self.seen != Some(seen) => {
                self.seen = Some(seen);
                return Err(format!("HALT says what was not shown: {}", reason.sanitize(LATCH_CHARS_MAX)));
            }
            LatchState::Halted { seen, .. } => seen,
            LatchState::Clear => return Ok(()),
            LatchState::Unreadable { why } => return Err(format!("HALT is unreadable: {why}")),
        };
        self.latch.release(says).map_err(|error| error.to_string())?;
        self.seen = None;
        Ok(())
    }
}

/// Everything outside the core that effects act on.
pub struct World {
    /// Who may trade.
    pub gate: Gate,
    /// Where orders go.
    pub venue: Box<dyn Venue>,
    /// It answers nothing any more.
    pub venue_failed: bool,
    /// Who listens.
    pub bus: MessageBus,
    /// What the agents are shown of the market.
    pub candles: CandleStore,
    /// The mood of a market that has one of its own.
    pub mood: Option<Arc<dyn SentimentSource>>,
    /// Who proposes.
    pub agents: BTreeMap<TaskName, Arc<dyn Agent>>,
    /// Who may be asked about conflicts.
    pub models: Providers,
    /// None where a run leaves nothing behind.
    pub latch: Option<WatchedLatch>,
    /// Where orders are noted while the journal cannot be written.
    pub notes: Option<OrderNotes>,
}

impl World {
    /// What the core is told of an event of the feed at `now`, market time.
    pub fn feed_event(&mut self, now: Timestamp, event: FeedEvent) -> Vec<Input> {
        match event {
            FeedEvent::Candle(candle) => self.candle(now, candle),
            FeedEvent::Gap { symbol, from, until } => vec![Input::FeedGap { symbol, from, until }],
            FeedEvent::Ended => vec![Input::FeedEnded],
            FeedEvent::Failed(why) => {
                tracing::error!(%why, "the feed has failed");
                vec![Input::FeedFailed { why }]
            }
        }
    }

    /// A closed candle, before the core hears of it: the candle store takes it, and the venue executes what it
    /// touched. Gives what the core is told, in order: the executions first, so that it never closes a lot that a stop
    /// has just sold; then the candle. One that is dated ahead moves nothing: the core alone is told, and counts it.
    pub fn candle(&mut self, now: Timestamp, candle: Candle) -> Vec<Input> {
        if candle.is_ahead_of(now) {
            return vec![Input::Candle(candle)];
        }
        self.candles.on_candle(&candle);
        let said = self.venue.on_candle(&candle);
        let mut told = self.venue_said(said);
        told.push(Input::Candle(candle));
        told
    }

    /// A candle of the history before the run: it warms indicators and gives a price, but nothing is executed on it.
    pub fn history(&mut self, candle: &Candle) {
        self.candles.on_candle(candle);
        self.venue.see_price(candle);
    }

    /// The agent of a run, and the run with the market as it is now.
    ///
    /// # Errors
    /// Nobody runs this task.
    pub fn begin(&self, mut run: TaskRun) -> Result<(Arc<dyn Agent>, TaskRun), TaskFailure> {
        let agent = self.agents.get(&run.task).cloned();
        let agent = agent.ok_or_else(|| TaskFailure::Failed(Untrusted::new("nobody runs this task")))?;
        if let Some(symbol) = &run.symbol {
            run.market = MarketView {
                indicators: self.candles.indicators(symbol),
                last: self.candles.last(symbol).cloned(),
                price_decimals: self.candles.price_decimals(symbol),
                mood: self.mood.as_ref().and_then(|mood| mood.sentiment(symbol, run.at)),
            };
        }
        Ok((agent, run))
    }

    /// Time has come to the venue: orders may have run out.
    pub fn venue_time(&mut self, now: Timestamp) -> Vec<Input> {
        let said = self.venue.on_time(now);
        self.venue_said(said)
    }

    /// When [`World::venue_time`] has something to do next; never again once the venue has failed.
    pub fn venue_expiry(&self) -> Option<Timestamp> {
        if self.venue_failed { None } else { self.venue.next_expiry() }
    }

    /// A venue that fails says nothing more until it is opened again: the core is told once.
    fn venue_said(&mut self, said: Result<Vec<VenueEvent>, VenueError>) -> Vec<Input> {
        match said {
            Ok(events) => events.into_iter().map(Input::Venue).collect(),
            Err(_) if self.venue_failed => Vec::new(),
            Err(error) => {
                self.venue_failed = true;
                tracing::error!(%error, "the venue has failed");
                vec![Input::VenueFailed { error: SafeText::ours(error) }]
            }
        }
    }

    /// Carries out one effect that acts on the world; gives what the core must hear of it. Records, replies and task
    /// runs are the driver's.
    pub fn carry_out(&mut self, now: Timestamp, effect: Effect) -> Vec<Input> {
        match effect {
            Effect::Publish(message) => {
                self.publish(now, message);
                Vec::new()
            }
            Effect::Submit { order, deadline, .. } if deadline.is_some_and(|deadline| now > deadline) => {
                tracing::warn!(order = %order.client_id, "the deadline of an order passed before it could go out");
                vec![Input::NotHandedOver { client_id: order.client_id, reason: ReasonCode::DeadlinePassed }]
            }
            Effect::Submit { order, approved, recorded, .. } => {
                self.submit(now, &order, approved, Recorded::Journal(recorded))
            }
            Effect::FetchFills { after } => self.fills_since(after),
            Effect::PutNotesAway => {
                if let Some(Err(error)) = self.notes.as_ref().map(OrderNotes::put_away) {
                    tracing::error!(%error, "orders noted beside the latch are adopted but still noted");
                }
                Vec::new()
            }
            Effect::CancelAll => {
                let said = self.venue.cancel_all(CancelScope::Entries);
                self.venue_said(said)
            }
            Effect::ShrinkProtection { client_id, quantity } => {
                let said = self.venue.shrink_protection(client_id, quantity);
                self.venue_said(said.map(|_protected| Vec::new()))
            }
            Effect::Query { client_id } => match self.venue.query(client_id) {
                Ok(Answer::Found(report)) => Self::found(*report),
                Ok(Answer::Absent) => vec![Input::Venue(VenueEvent::Absent { client_id })],
                Err(error) => Self::answered(client_id, Err(error)),
            },
            Effect::ShutGate { to, reason } => vec![self.shut_gate(to, reason)],
            Effect::OpenGate { seen, to, command } => vec![match self.gate.open(seen, to) {
                Ok(epoch) => Input::GateOpened { epoch, command },
                Err(superseded) => {
                    tracing::warn!(%superseded, "gate not opened");
                    Input::GateNotOpened { command }
                }
            }],
            Effect::SetLatch { reason } => self.set_latch(&reason),
            Effect::ReleaseLatch { seen } => self.release_latch(seen),
            Effect::Record(_)
            | Effect::Reply { .. }
            | Effect::ReopenStore { .. }
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

    /// Carries out an effect whose record is not on the disk and may never be: what makes things safer, and what
    /// somebody has to hear.
    pub fn carry_out_not_durable(&mut self, now: Timestamp, effect: Effect) -> Vec<Input> {
        match effect {
            Effect::Submit { order, approved, .. } => match order.purpose {
                Purpose::Reduce { .. } | Purpose::Flatten { .. } => {
                    let recorded = self.note(&order);
                    self.submit(now, &order, approved, recorded)
                }
                Purpose::Entry { .. } | Purpose::Leg { .. } | Purpose::Exit { .. } => {
                    let (client_id, reason) = (order.client_id, ReasonCode::GateShut);
                    tracing::warn!(order = %client_id, "not handed over: the journal cannot be written");
                    vec![Input::NotHandedOver { client_id, reason }]
                }
            },
            Effect::OpenGate { command, .. } => vec![Input::GateNotOpened { command }],
            // Neither is safe to believe: the latch holds, and what was noted stays noted.
            Effect::ReleaseLatch { .. } | Effect::PutNotesAway => Vec::new(),
            effect @ (Effect::Publish(_)
            | Effect::CancelAll
            | Effect::ShrinkProtection { .. }
            | Effect::Query { .. }
            | Effect::FetchFills { .. }
            | Effect::ShutGate { .. }
            | Effect::SetLatch { .. }
            | Effect::Record(_)
            | Effect::Reply { .. }
            | Effect::ReopenStore { .. }
            | Effect::RunTask(_)
            | Effect::AbandonTask(_)
            | Effect::Resolve(_)
            | Effect::ProbeProvider { .. }
            | Effect::AbandonModelCalls) => self.carry_out(now, effect),
        }
    }

    /// Notes an order beside the latch. If even that fails it goes out all the same: a halt never traps an exit, and
    /// the venue knows of it.
    fn note(&self, order: &Order) -> Recorded {
        match self.notes.as_ref().map(|notes| notes.note(order)) {
            Some(Ok(())) => Recorded::BesideLatch,
            Some(Err(error)) => {
                tracing::error!(%error, order = %order.client_id, "an exit goes out that could not be noted");
                Recorded::AtVenueOnly
            }
            None => Recorded::AtVenueOnly,
        }
    }

    /// What the venue has executed since a trade, in its order, each order of it before; and what rests there.
    fn fills_since(&mut self, after: TradeId) -> Vec<Input> {
        let told = self.missed(after);
        told.unwrap_or_else(|error| self.venue_said(Err(error)))
    }

    fn missed(&self, after: TradeId) -> Result<Vec<Input>, VenueError> {
        let mut reports = self.venue.open_orders()?;
        for fill in self.venue.fills_since(after)? {
            let is_new = reports.iter().all(|report| report.order.client_id != fill.client_id);
            if is_new && let Answer::Found(report) = self.venue.query(fill.client_id)? {
                reports.push(*report);
            }
        }
        let mut told: Vec<_> =
            reports.iter().map(|report| Input::OrderFound(Box::new(report.order.clone()))).collect();
        let mut fills = BTreeMap::new();
        for event in reports.into_iter().flat_map(OrderReport::into_events) {
            if let VenueEvent::Filled { fill, .. } = &event
                && fill.trade_id > after
            {
                fills.insert(fill.trade_id, event);
            }
        }
        told.extend(fills.into_values().map(Input::Venue));
        Ok(told)
    }

    /// The order as the venue has it, and then what became of it.
    fn found(report: OrderReport) -> Vec<Input> {
        let order = Input::OrderFound(Box::new(report.order.clone()));
        std::iter::once(order).chain(report.into_events().into_iter().map(Input::Venue)).collect()
    }

    fn publish(&self, now: Timestamp, message: Arc<Message>) {
        if let Err(error) = self.bus.publish(message, now) {
            tracing::error!(%error, "message not published");
        }
    }

    fn shut_gate(&self, to: TradingState, reason: SafeText) -> Input {
        let epoch = match to {
            TradingState::Halted => self.gate.halt(),
            TradingState::Paused | TradingState::Running => self.gate.shut(to),
        };
        Input::GateShut { epoch, to, by: Actor::Coordinator, reason }
    }

    fn set_latch(&mut self, reason: &SafeText) -> Vec<Input> {
        match self.latch.as_mut().map_or(Ok(()), |latch| latch.set(reason)) {
            Ok(()) => Vec::new(),
            Err(error) => {
                tracing::error!(%error, "the HALT latch could not be set");
                vec![Input::LatchFailed { error }]
            }
        }
    }

    /// A latch that changed since it was shown stays, and the gate with it. So does one whose release was overtaken by
    /// another halt: the gate was shut since the epoch that the releaser had seen.
    fn release_latch(&mut self, seen: Epoch) -> Vec<Input> {
        let Some(latch) = self.latch.as_mut().filter(|_| self.gate.epoch() == seen) else {
            return Vec::new();
        };
        match latch.release() {
            Ok(()) => Vec::new(),
            Err(why) => {
                let reason = SafeText::ours(format!("latch not released: {why}"));
                let epoch = self.gate.halt();
                vec![Input::GateShut { epoch, to: TradingState::Halted, by: Actor::Runtime, reason }]
            }
        }
    }

    /// The gate first, then the venue, in one synchronous hand-over.
    fn submit(&mut self, now: Timestamp, order: &Order, approved: Epoch, recorded: Recorded) -> Vec<Input> {
        let client_id = order.client_id;
        let gate = self.gate.clone();
        let step = accidents::gate_of(order.purpose);
        accidents::before(step);
        let permit = match permit(&gate, order, approved, recorded) {
            Ok(permit) => permit,
            Err(refused) => {
                tracing::warn!(order = %client_id, %refused, "the gate refused an order");
                return vec![Input::NotHandedOver { client_id, reason: ReasonCode::GateShut }];
            }
        };
        accidents::after(step, || true);
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
    recorded: Recorded,
) -> Result<AnyPermit<'gate>, Refused> {
    match order.purpose {
        Purpose::Entry { .. } | Purpose::Leg { .. } => gate.entry(approved).map(Into::into),
        Purpose::Exit { .. } => gate.reduce().map(Into::into),
        Purpose::Reduce { .. } | Purpose::Flatten { .. } => {
            match FlattenOrder::new(&order.purpose, recorded) {
                Some(flatten) => gate.flatten(flatten).map(Into::into),
                None => gate.reduce().map(Into::into),
            }
        }
    }
}

/// Runs an agent to its end; a panic only fails the run.
pub fn run_agent(agent: &dyn Agent, run: &TaskRun) -> Result<TaskOutput, TaskFailure> {
    match std::panic::catch_unwind(AssertUnwindSafe(|| agent.run(run))) {
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
