//! The live loop: real time, scaled for simulated and replayed markets. One task owns the core; agents run on threads of
//! their own, the journal is written by its own thread, and what follows from a record waits in the outbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::accidents::{self, Step};
use super::agent_threads::AgentThreads;
use super::checkpoints::{Checkpoints, Due};
use super::clock::{self, LiveClock};
use super::handle::{Handle, Request};
use super::old_records::Verification;
use super::outbox::{Outbox, Ready};
use super::panics;
use super::script::Script;
use super::start::Assembly;
use super::summary::{Ending, Summary, Tally};
use super::watchdog::{Heartbeat, Watchdog};
use super::world::World;
use crate::bus::MessageBus;
use crate::coordinator::Coordinator;
use crate::coordinator::conflict::Question;
use crate::coordinator::effect::{Effect, Effects};
use crate::coordinator::input::{BusLosses, Confirmation, Input, Probe};
use crate::coordinator::record::RecordKind;
use crate::coordinator::snapshot::Snapshot;
use crate::coordinator::task::{TaskFailure, TaskRun};
use crate::domain::{Actor, CommandId, CommandOutcome, SafeText, Seq, Timestamp};
use crate::llm::Exchange;
use crate::market::Feed;
use crate::store::{
    Checkpoint, DataDir, InstanceLock, Progress, WriterState, WriterThread, keep_model_texts, still_holds,
};

/// Records that may wait for the writer before the store counts as failed.
const WRITER_QUEUE_MAX: usize = 65_536;
/// Requests of consoles that may wait.
const REQUESTS_MAX: usize = 64;
/// The core is stepped at least this often, so that a silent one is a stuck one.
const STEP_EVERY: Duration = Duration::from_secs(1);
/// Snapshots come at most this often.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(50);
/// The runtime measures its surroundings this often.
const PROBE_EVERY: Duration = Duration::from_secs(20);
/// Candles taken from the feed before anybody else gets a turn.
const FEED_BATCH: usize = 64;

/// Why a live run broke off.
#[derive(Debug, Error)]
pub enum LiveError {
    /// The operating system gives no thread.
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The journal could not be written to the end.
    #[error("the journal could not be written to the end: {0}; what was acknowledged is in it")]
    Journal(String),
}

/// Why the loop woke.
enum Woken {
    Request(Request),
    Input(Box<Input>),
    Disk,
    Time,
}

/// How far the journal can be relied on. Worse than what the core has been told it is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Store {
    /// It is written.
    Open,
    /// A write failed; the space kept in reserve takes what follows.
    OnReserve,
    /// It is not written, or does not get on.
    Failed,
}

/// The loop.
pub struct LiveDriver {
    core: Coordinator,
    world: World,
    feed: Box<dyn Feed>,
    script: Option<Script>,
    writer: WriterThread,
    progress: watch::Receiver<Progress>,
    outbox: Outbox,
    store: Store,
    clock: LiveClock,
    heartbeat: Heartbeat,
    inputs_in: mpsc::UnboundedSender<Input>,
    inputs: mpsc::UnboundedReceiver<Input>,
    requests: mpsc::Receiver<Request>,
    replies: BTreeMap<CommandId, oneshot::Sender<CommandOutcome>>,
    agent_threads: AgentThreads,
    /// Questions and probes on their way.
    model_calls: JoinSet<()>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    shown: (u64, Seq, Timestamp),
    commands: CommandId,
    operator: Actor,
    effects: Effects,
    tally: Tally,
    checkpoints: Checkpoints,
    dir: Arc<DataDir>,
    probed_at: Timestamp,
    /// Alive while a probe is under way.
    probing: Weak<()>,
    lagged: bool,
    began_at: Timestamp,
    /// Records that the start did not read; verified while it runs.
    old_records: Option<Verification>,
}

/// What a driver is started with, and what it is steered by.
pub struct Engine {
    /// The loop, to be run.
    pub driver: LiveDriver,
    /// What consoles use.
    pub handle: Handle,
    /// Watches the loop; keep it as long as the loop runs.
    pub watchdog: Watchdog,
    /// Keep it as long as the process has anything to do with the data directory: longer than the loop, which may panic.
    pub lock: InstanceLock,
    /// How far the journal is on the disk.
    pub progress: watch::Receiver<Progress>,
}

impl LiveDriver {
    /// Prepares a live run at `speed` market seconds per second, commanded by `operator`.
    ///
    /// # Errors
    /// No thread for agents, journal or watchdog.
    pub fn prepare(assembly: Assembly, speed: u32, operator: Actor) -> Result<Engine, LiveError> {
        let Assembly {
            mut core,
            world,
            feed,
            journal,
            checkpoints,
            script,
            started,
            unread,
            begins_at,
            dir,
            lock,
            ..
        } = assembly;
        let clock = LiveClock::start(begins_at, speed);
        let now = clock.now();
        let writer = WriterThread::spawn(journal, WRITER_QUEUE_MAX)?;
        let progress = writer.progress();
        let (inputs_in, inputs) = mpsc::unbounded_channel();
        let (requests_in, requests) = mpsc::channel(REQUESTS_MAX);
        let (snapshots, seen) = watch::channel(Arc::new(core.snapshot(now, None)));
        let heartbeat = Heartbeat::new(now.operator);
        let watchdog = Watchdog::start(heartbeat.clone(), world.gate.clone(), clock, inputs_in.clone())?;
        let handle = Handle::new(
            seen,
            requests_in,
            world.gate.clone(),
            world.bus.clone(),
            Arc::new(move || clock.now()),
        );
        let durable = core.durable().seq;
        let mut driver = Self {
            tally: Tally::begin(&core, begins_at),
            outbox: Outbox::new(durable),
            store: Store::Open,
            commands: core.durable().last_command,
            checkpoints: Checkpoints::new(checkpoints, durable, now.operator)?,
            core,
            world,
            feed,
            script,
            writer,
            progress,
            clock,
            heartbeat,
            inputs_in,
            inputs,
            requests,
            replies: BTreeMap::new(),
            agent_threads: AgentThreads::new()?,
            model_calls: JoinSet::new(),
            snapshots,
            shown: (0, durable, Timestamp::EPOCH),
            operator,
            effects: Effects::new(),
            dir: Arc::new(dir),
            probed_at: Timestamp::EPOCH,
            probing: Weak::new(),
            lagged: false,
            began_at: begins_at,
            old_records: unread.map(Verification::new),
        };
        driver.input(Input::Started(Box::new(started)));
        driver.show();
        let progress = driver.writer.progress();
        Ok(Engine { driver, handle, watchdog, lock, progress })
    }

    /// Runs until `stop` says why, or `run_for` of market time has passed.
    ///
    /// # Errors
    /// See [`LiveError`].
    pub async fn run(
        mut self,
        run_for: Option<Duration>,
        mut stop: watch::Receiver<Option<SafeText>>,
    ) -> Result<Summary, LiveError> {
        let wall = clock::monotonic();
        self.keep_bus_clean();
        self.verify_old_records();
        let end = run_for.map(|span| self.began_at.plus(span));
        let reason = loop {
            if let Some(reason) = stop.borrow_and_update().clone() {
                break reason;
            }
            if end.is_some_and(|end| self.clock.now().market >= end) {
                break SafeText::ours("end of the run");
            }
            self.turn(end, &mut stop).await;
        };
        self.finish(reason, wall.elapsed())
    }

    /// Waits for the next thing to do, does it, and whatever is due.
    async fn turn(&mut self, end: Option<Timestamp>, stop: &mut watch::Receiver<Option<SafeText>>) {
        let wake = self.wake_in(end);
        // Biased: what the operator asks comes before what the disk, the agents or the market say.
        let woken = tokio::select! {
            biased;
            _ = stop.changed() => Woken::Time,
            Some(request) = self.requests.recv() => Woken::Request(request),
            Some(input) = self.inputs.recv() => Woken::Input(Box::new(input)),
            Ok(()) = self.progress.changed() => Woken::Disk,
            () = tokio::time::sleep(wake) => Woken::Time,
        };
        self.notice_gap();
        match woken {
            Woken::Request(request) => self.request(request),
            Woken::Input(input) => self.input(*input),
            Woken::Disk => self.disk_moved(),
            Woken::Time => {}
        }
        self.due();
    }

    /// After a gap in the life of the process nothing is done before the core knows of it.
    fn notice_gap(&mut self) {
        if let Some(length) = self.heartbeat.awake(self.clock.now().operator, &self.world.gate) {
            self.input(Input::ProcessGap { length });
        }
    }

    /// How long nothing needs to be done.
    fn wake_in(&self, end: Option<Timestamp>) -> Duration {
        let due = self.core.next_due();
        let script = self.script.as_ref().and_then(Script::next_at);
        let market =
            [self.feed.next_at(), self.world.venue_expiry(), script, due.market, end].into_iter().flatten();
        let mut wake = STEP_EVERY;
        if let Some(at) = market.min() {
            wake = wake.min(self.clock.until_market(at));
        }
        if let Some(at) = due.operator {
            wake = wake.min(self.clock.until_operator(at));
        }
        if self.is_unshown() {
            wake = wake.min(self.clock.until_operator(self.shown.2.plus(SNAPSHOT_EVERY)));
        }
        // Waking a moment early would only spin.
        wake + Duration::from_millis(1)
    }

    /// Everything whose time has come: candles first, then the venue, the script, the core's own instants.
    fn due(&mut self) {
        panics::provoke("core");
        let now = self.clock.now();
        for _ in 0..FEED_BATCH {
            if self.feed.next_at().is_none_or(|at| at > now.market) {
                break;
            }
            self.feed_event();
        }
        if self.world.venue_expiry().is_some_and(|at| at <= now.market) {
            for said in self.world.venue_time(now.market) {
                self.input(said);
            }
        }
        while let Some(command) = self.script.as_mut().and_then(|script| script.pop_due(now.market)) {
            let id = self.next_command();
            self.input(Input::Command {
                id,
                actor: Actor::Script,
                command,
                confirmation: Confirmation::Script,
            });
        }
        self.watch_lag();
        self.probe();
        self.input(Input::Tick);
        self.show();
        self.checkpoint();
    }

    fn feed_event(&mut self) {
        let Some(event) = self.feed.pop() else { return };
        let now = self.clock.now().market;
        for input in tokio::task::block_in_place(|| self.world.feed_event(now, event)) {
            self.input(input);
        }
    }

    fn next_command(&mut self) -> CommandId {
        self.commands = self.commands.next();
        self.commands
    }

    fn request(&mut self, request: Request) {
        let id = self.next_command();
        self.replies.insert(id, request.reply);
        let (actor, command, confirmation) = (self.operator.clone(), request.command, request.confirmation);
        self.input(Input::Command { id, actor, command, confirmation });
        self.show();
    }

    /// Steps the core; what its effects bring back comes through the queue.
    fn input(&mut self, input: Input) {
        let now = self.clock.now();
        self.tally.input(&input);
        if let Input::StoreReopened { result, .. } = &input {
            self.store_reopened(result.is_ok());
        }
        let mut effects = std::mem::take(&mut self.effects);
        self.core.step(now, input, &mut effects);
        self.heartbeat.beat(now.operator);
        for effect in effects.drain() {
            self.tally.effect(&effect, self.core.durable());
            self.take_on(effect, now.operator);
        }
        self.effects = effects;
        self.flush();
    }

    /// Immediate effects at once, the others into the outbox.
    fn take_on(&mut self, effect: Effect, now: Timestamp) {
        match effect {
            Effect::Record(record) => {
                let starts_segment = matches!(record.kind, RecordKind::State(_));
                let (seq, step) = (record.seq, Step::of(&record.kind));
                accidents::before(step);
                self.outbox.recorded(seq);
                if let Err(error) = self.writer.append(*record, starts_segment) {
                    self.store_is(Store::Failed, &error);
                }
                accidents::after(step, || self.progress.borrow().durable_seq() >= seq);
            }
            Effect::ReopenStore { command } => self.reopen_store(command),
            Effect::RunTask(run) => self.run_task(*run),
            // A run that nobody waits for any more goes on to its end: the core recognises its answer as late.
            Effect::AbandonTask(_) => {}
            Effect::Resolve(question) => self.ask_models(question),
            Effect::ProbeProvider { provider } => self.probe_provider(provider),
            Effect::AbandonModelCalls => self.model_calls.abort_all(),
            effect @ (Effect::ShutGate { .. } | Effect::SetLatch { .. } | Effect::CancelAll) => {
                self.carry_out(effect);
            }
            effect @ (Effect::Publish(_)
            | Effect::Submit { .. }
            | Effect::ShrinkProtection { .. }
            | Effect::Query { .. }
            | Effect::FetchFills { .. }
            | Effect::PutNotesAway
            | Effect::Reply { .. }
            | Effect::OpenGate { .. }
            | Effect::ReleaseLatch { .. }) => self.outbox.push(effect, now),
        }
    }

    /// Lets out what no longer waits for the disk.
    fn flush(&mut self) {
        if self.outbox.is_full() {
            self.store_is(Store::Failed, &"the disk does not get on: too much waits for it");
        }
        while let Some(ready) = self.outbox.pop_ready() {
            match ready {
                Ready::Durable(Effect::Reply { command, outcome }) => self.reply(command, outcome),
                Ready::NotDurable(Effect::Reply { command, outcome }) => {
                    self.reply(command, outcome.not_durable());
                }
                Ready::Durable(effect) => self.carry_out(effect),
                Ready::NotDurable(effect) => {
                    let now = self.clock.now().market;
                    let heard = tokio::task::block_in_place(|| self.world.carry_out_not_durable(now, effect));
                    self.hear_all(heard);
                }
            }
        }
    }

    fn reply(&mut self, command: CommandId, outcome: CommandOutcome) {
        if let Some(reply) = self.replies.remove(&command) {
            // A console that has gone does not need the answer; the journal has it.
            drop(reply.send(outcome));
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let now = self.clock.now().market;
        let heard = tokio::task::block_in_place(|| self.world.carry_out(now, effect));
        self.hear_all(heard);
    }

    fn hear_all(&self, heard: Vec<Input>) {
        for input in heard {
            self.hear(input);
        }
    }

    /// Puts an input behind those that wait already.
    fn hear(&self, input: Input) {
        // The receiver lives as long as this driver.
        drop(self.inputs_in.send(input));
    }

    fn run_task(&self, run: TaskRun) {
        let id = run.id;
        let (agent, run) = match self.world.begin(run) {
            Ok(begun) => begun,
            Err(failure) => return self.hear(Input::TaskFinished { run: id, result: Err(failure) }),
        };
        let ended = self.agent_threads.start(agent, run);
        let inputs = self.inputs_in.clone();
        tokio::spawn(async move {
            // Panics are caught inside: only a thread that was never given fails to answer.
            let result = ended.await.unwrap_or(Err(TaskFailure::TimedOut));
            // Only a process that ends does not listen.
            drop(inputs.send(Input::TaskFinished { run: id, result }));
        });
    }

    fn ask_models(&mut self, question: Box<Question>) {
        let (models, inputs) = (self.world.models.clone(), self.inputs_in.clone());
        let dir = Arc::clone(&self.dir);
        self.call_model(async move {
            let Exchange { resolved, prompt, replies } = models.resolve(&question).await;
            let (decision, resolved) = (question.decision, Box::new(resolved));
            // Only a process that ends does not listen.
            drop(inputs.send(Input::Resolved { decision, resolved }));
            let texts =
                move || keep_model_texts(&dir, [&prompt].into_iter().chain(&replies).map(String::as_str));
            match tokio::task::spawn_blocking(texts).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, %decision, "what a model was asked is not kept"),
                Err(error) => tracing::error!(%error, %decision, "what a model was asked is not kept"),
            }
        });
    }

    fn probe_provider(&mut self, provider: String) {
        let (models, inputs) = (self.world.models.clone(), self.inputs_in.clone());
        self.call_model(async move {
            let result = models.probe(&provider).await;
            // Only a process that ends does not listen.
            drop(inputs.send(Input::ProviderProbed { provider, result }));
        });
    }

    /// Those that have ended are let go of; clients that panic have been caught where they were asked.
    fn call_model(&mut self, call: impl Future<Output = ()> + Send + 'static) {
        while self.model_calls.try_join_next().is_some() {}
        self.model_calls.spawn(call);
    }

    fn disk_moved(&mut self) {
        let progress = self.progress.borrow_and_update().clone();
        self.outbox.durable(progress.durable_seq());
        match progress.state {
            WriterState::Open | WriterState::Closed => {}
            WriterState::OnReserve { error } => self.store_is(Store::OnReserve, &error),
            WriterState::Failed { error } => self.store_is(Store::Failed, &error),
            WriterState::Gone => self.store_is(Store::Failed, &"the writer's thread ended"),
        }
        self.flush();
    }

    /// The journal has got worse: nothing is traded any more, and if nothing is written any more nothing waits for it.
    /// The core is told once; only an answer to a reopening makes it better.
    fn store_is(&mut self, store: Store, why: &dyn std::fmt::Display) {
        if store <= self.store {
            return;
        }
        self.store = store;
        self.world.gate.halt();
        let error = SafeText::ours(why);
        tracing::error!(?store, %error, "the journal has failed");
        self.outbox.set_disk_failed(store == Store::Failed);
        self.hear(match store {
            Store::Failed => Input::StoreFailed { error },
            Store::Open | Store::OnReserve => Input::StoreOnReserve { error },
        });
    }

    fn reopen_store(&mut self, command: CommandId) {
        let answer = match self.writer.reopen() {
            Ok(answer) => answer,
            Err(error) => {
                return self.hear(Input::StoreReopened { command, result: Err(SafeText::ours(error)) });
            }
        };
        let inputs = self.inputs_in.clone();
        let waiting = tokio::spawn(async move {
            let result = match answer.await {
                Ok(result) => result.map(drop).map_err(SafeText::ours),
                Err(_) => Err(SafeText::ours("the journal's writer has ended; restart andon")),
            };
            // Only a process that ends does not listen.
            drop(inputs.send(Input::StoreReopened { command, result }));
        });
        self.supervise("reopening of the store", waiting);
    }

    /// What the writer says now counts, before the core goes on: it may write again although the reserve is not filled,
    /// and it may have failed since.
    fn store_reopened(&mut self, is_open: bool) {
        let state = self.progress.borrow().state.clone();
        let writes = matches!(state, WriterState::Open | WriterState::OnReserve { .. });
        if is_open || (writes && self.store == Store::Failed) {
            self.store = Store::Open;
            self.outbox.set_disk_failed(false);
        }
        self.disk_moved();
    }

    /// Tells the core when the disk falls behind, and when it has caught up. One that has failed is not behind.
    fn watch_lag(&mut self) {
        if self.store == Store::Failed {
            return;
        }
        let (waiting, oldest) = self.outbox.lag(self.clock.now().operator);
        let config = &self.core.config().orchestration.store;
        let lags = waiting > config.outbox_records_max || oldest > config.outbox_wait_max;
        if lags || self.lagged {
            self.lagged = lags;
            self.input(Input::StoreLag { waiting, oldest });
        }
    }

    /// Measures disk, clock and mailboxes in the background, once at a time.
    fn probe(&mut self) {
        let now = self.clock.now().operator;
        if now.since(self.probed_at) < PROBE_EVERY {
            return;
        }
        self.probed_at = now;
        if self.probing.strong_count() > 0 {
            return self.input(Input::ProbeHangs);
        }
        let under_way = Arc::new(());
        self.probing = Arc::downgrade(&under_way);
        let (dir, inputs, clock, bus) =
            (Arc::clone(&self.dir), self.inputs_in.clone(), self.clock, self.world.bus.clone());
        let progress = self.progress.borrow().clone();
        let probe = tokio::task::spawn_blocking(move || {
            panics::provoke("probe");
            let journal = still_holds(&dir.journal(), &progress).map_err(SafeText::ours);
            let before = clock::monotonic();
            let store = dir.test_write().map(|()| before.elapsed()).map_err(SafeText::ours);
            let probe = Probe {
                journal,
                store,
                disk_free_mib: disk_free_mib(dir.root()),
                clock_drift: clock.drift(),
                bus: losses(&bus),
            };
            drop(under_way);
            // Only a process that ends does not listen.
            drop(inputs.send(Input::Probe(probe)));
        });
        self.supervise("health probe", probe);
    }

    /// Takes expired messages out of the bus in the background, until the bus is stopped.
    fn keep_bus_clean(&self) {
        let every = self.core.config().orchestration.message_bus.cleanup_every;
        let (bus, clock) = (self.world.bus.clone(), self.clock);
        let cleaning = tokio::spawn(async move {
            bus.keep_clean(|| async move {
                tokio::time::sleep(clock.until_market(clock.now().market.plus(every))).await;
                clock.now().market
            })
            .await;
        });
        self.supervise("bus clean-up", cleaning);
    }

    fn verify_old_records(&self) {
        let Some(verification) = &self.old_records else { return };
        let (read, inputs) = (verification.begin(), self.inputs_in.clone());
        let reading = tokio::task::spawn_blocking(move || {
            if let Some(result) = read() {
                // Only a process that ends does not listen.
                drop(inputs.send(Input::OldRecordsVerified { result }));
            }
        });
        self.supervise("verification of old records", reading);
    }

    fn supervise(&self, what: &'static str, task: JoinHandle<()>) {
        tokio::spawn(panics::supervise(what, task, self.world.gate.clone(), self.inputs_in.clone()));
    }

    fn is_unshown(&self) -> bool {
        (self.core.revision(), self.progress.borrow().durable_seq()) != (self.shown.0, self.shown.1)
    }

    /// Publishes a snapshot if anything changed and the last one is old enough; else the next wake does.
    fn show(&mut self) {
        let now = self.clock.now();
        let quiet = now.operator.since(self.shown.2);
        if quiet < SNAPSHOT_EVERY || (!self.is_unshown() && quiet < STEP_EVERY) {
            return;
        }
        let last = Arc::clone(&self.snapshots.borrow());
        let mut snapshot = self.core.snapshot(now, Some(&last));
        snapshot.durable = self.progress.borrow().durable_seq();
        self.shown = (snapshot.revision, snapshot.durable, now.operator);
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    /// Writes the state as it is now, named by its record, once that record is durable.
    fn checkpoint(&mut self) {
        match self.checkpoints.due(self.core.durable().seq, self.clock.now().operator) {
            Due::No => return,
            Due::Yes => {}
            Due::Hangs => {
                let result = Err(SafeText::ours("the one before does not end"));
                return self.input(Input::CheckpointWritten { result });
            }
        }
        let (Ok(anchor), Some(state)) = (self.writer.anchor(), self.state_bytes()) else {
            return;
        };
        let writing = tokio::spawn(self.checkpoints.write(anchor, state, self.inputs_in.clone()));
        self.supervise("checkpoint", writing);
    }

    fn state_bytes(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let state = serde_json::to_vec(self.core.durable());
        match state.and_then(|state| Ok((state, serde_json::to_vec(&self.core.schedule_image())?))) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                tracing::error!(%error, "state cannot be written as JSON");
                None
            }
        }
    }

    /// Ends in order: no new runs, the end record, everything on disk, the last checkpoint.
    fn finish(mut self, reason: SafeText, wall: Duration) -> Result<Summary, LiveError> {
        self.model_calls.abort_all();
        self.old_records = None;
        self.input(Input::Stop { reason });
        let bytes = self.state_bytes();
        let ended_at = self.clock.now().market;
        let ending = Ending {
            market: self.feed.label().to_owned(),
            symbols: self.feed.symbols().to_vec(),
            span: (self.began_at, ended_at),
            wall,
            dropped: self.world.bus.stats().counts.dropped,
            journal_head: String::new(),
            script: self.script.as_ref().map(Script::left),
        };
        self.world.bus.stop();
        let Self { writer, core, checkpoints, tally, mut outbox, mut replies, .. } = self;
        let progress = tokio::task::block_in_place(|| writer.close());
        if let WriterState::Failed { error } = &progress.state {
            return Err(LiveError::Journal(error.to_string()));
        }
        let (written, last) = (progress.durable_seq(), core.durable().seq);
        if written != last {
            return Err(LiveError::Journal(format!("it ends at {written}, and the last record is {last}")));
        }
        // Nothing goes to the venue any more; whoever waits for an answer is told.
        outbox.durable(written);
        while let Some(ready) = outbox.pop_ready() {
            if let Ready::Durable(Effect::Reply { command, outcome }) = ready
                && let Some(reply) = replies.remove(&command)
            {
                drop(reply.send(outcome));
            }
        }
        if let Some((state, hints)) = bytes {
            let last = Checkpoint { anchor: progress.durable, state, hints };
            tokio::task::block_in_place(|| checkpoints.finish(&last));
        }
        let journal_head = progress.durable.hash.to_string();
        Ok(tally.end(core.durable(), Ending { journal_head, ..ending }))
    }
}

fn losses(bus: &MessageBus) -> BusLosses {
    let stats = bus.stats();
    BusLosses { dropped: stats.counts.dropped, refused: stats.errors }
}

/// Free space of the file system that holds `path`, MiB; none when the system does not say.
fn disk_free_mib(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize) / (1_024 * 1_024))
}

#[cfg(test)]
mod tests;
