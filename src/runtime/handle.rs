//! All that a console needs of the engine: facts, traffic, the gate's word, the clocks, and commands.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::bus::{Filter, Mailbox, MessageBus};
use crate::coordinator::input::Confirmation;
use crate::coordinator::snapshot::Snapshot;
use crate::domain::{Command, CommandOutcome, Message, Now, Topic, TradingState};
use crate::gate::{Gate, Reading};

/// Name of the console's mailbox.
const CONSOLE: &str = "console";
/// Messages that may wait for the console before the oldest of the lowest lane is dropped.
const TRAFFIC_CAPACITY: usize = 4_096;

/// Tells both clocks.
pub type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

/// One request on its way to the core.
#[derive(Debug)]
pub struct Request {
    /// What.
    pub command: Command,
    /// How it was confirmed.
    pub confirmation: Confirmation,
    /// Where the outcome goes.
    pub reply: oneshot::Sender<CommandOutcome>,
}

/// The engine as a console sees it. Clones are the same engine.
#[derive(Clone)]
pub struct Handle {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    requests: mpsc::Sender<Request>,
    gate: Gate,
    bus: MessageBus,
    clock: Clock,
}

impl Handle {
    /// Puts a handle together.
    pub fn new(
        snapshots: watch::Receiver<Arc<Snapshot>>,
        requests: mpsc::Sender<Request>,
        gate: Gate,
        bus: MessageBus,
        clock: Clock,
    ) -> Self {
        Self { snapshots, requests, gate, bus, clock }
    }

    /// The facts; changes at most 20 times a second.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// State and epoch by the gate's own word, which may be stricter than the snapshot.
    pub fn gate(&self) -> Reading {
        self.gate.read()
    }

    /// Whether nobody is left who could carry out a command.
    pub fn has_ended(&self) -> bool {
        self.requests.is_closed()
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        (self.clock)()
    }

    /// Everything that is published from now on. What a slow console does not take in time is dropped.
    pub fn traffic(&self) -> Traffic {
        Traffic { mailbox: self.bus.subscribe(CONSOLE, &Topic::ALL, TRAFFIC_CAPACITY, Filter::all()) }
    }

    /// Asks for something and waits for how it ended. A pause or halt shuts the gate before anything else happens, so
    /// it holds even while the core is stuck; then nothing answers, and the gate's word is the truth.
    pub async fn command(&self, command: Command, confirmation: Confirmation) -> CommandOutcome {
        if let Command::Pause { .. } = command {
            self.gate.shut(TradingState::Paused);
        }
        if let Command::Halt { .. } = command {
            self.gate.halt();
        }
        let (reply, outcome) = oneshot::channel();
        if self.requests.send(Request { command, confirmation, reply }).await.is_err() {
            return CommandOutcome::refused("the engine has stopped");
        }
        outcome.await.unwrap_or_else(|_| CommandOutcome::refused("the engine stopped before it answered"))
    }
}

/// Messages for the eye.
#[derive(Debug)]
pub struct Traffic {
    mailbox: Mailbox,
}

impl Traffic {
    /// Waits for messages and takes at most `limit` of them. Zero: the engine has stopped.
    pub async fn recv_many(&mut self, into: &mut Vec<Arc<Message>>, limit: usize) -> usize {
        self.mailbox.recv_many(into, limit).await
    }

    /// Messages that did not fit and were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.mailbox.counts().dropped
    }
}
