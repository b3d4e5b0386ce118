//! `--speed max`: one plain loop over virtual time. Both clocks are virtual, agents run to completion at their
//! instant, the venue is stepped inline, nothing waits; so two runs on the same input end with the same journal.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use thiserror::Error;
use tokio::sync::watch;

use super::clock;
use super::script::Script;
use super::start::Assembly;
use super::summary::{Ending, Summary, Tally};
use super::world::{World, run_agent};
use crate::coordinator::Coordinator;
use crate::coordinator::conflict::Question;
use crate::coordinator::effect::{Effect, Effects};
use crate::coordinator::input::{Confirmation, Input};
use crate::coordinator::record::RecordKind;
use crate::coordinator::task::{TaskFailure, TaskRun};
use crate::domain::{Actor, CommandId, Now, SafeText, Timestamp, Untrusted};
use crate::llm::Exchange;
use crate::market::Feed;
use crate::store::{
    Checkpoint, CheckpointStore, DataDir, InstanceLock, WriteError, Writer, keep_model_texts,
};
#[cfg(test)]
use crate::{bus::Query, coordinator::snapshot::Snapshot, domain::Message, gate::Reading};

/// Shortest and longest simulated latency of an agent, milliseconds.
const LATENCY_MS: (u64, u64) = (20, 400);
/// Steps without time going on before something must be wrong.
const STEPS_PER_INSTANT_MAX: u32 = 100_000;

/// Why a virtual run ended early.
#[derive(Debug, Error)]
pub enum VirtualError {
    /// The journal could not be written.
    #[error("the journal could not be written: {0}")]
    Journal(#[from] WriteError),
    /// The last state could not be written.
    #[error("the checkpoint could not be written: {0}")]
    Checkpoint(String),
    /// Time stood still.
    #[error(
        "market time stands still at {0}: this is a fault in the program; please report it with the seed"
    )]
    Stuck(Timestamp),
}

/// What a task run or a model says, on its way to the core, ordered by instant, then by start.
struct Answer {
    at: Timestamp,
    order: u64,
    input: Input,
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Answer {}

impl PartialOrd for Answer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Answer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// How long a run takes in virtual time; none if it never answers.
pub type Latency = Box<dyn FnMut(&TaskRun) -> Option<Duration>>;

/// The loop.
pub struct VirtualDriver {
    core: Coordinator,
    world: World,
    feed: Box<dyn Feed>,
    journal: Writer,
    checkpoints: CheckpointStore,
    script: Option<Script>,
    /// Who may end it before its time.
    stop: Option<watch::Receiver<Option<SafeText>>>,
    answers: BinaryHeap<Reverse<Answer>>,
    answers_made: u64,
    model_calls: u64,
    commands: CommandId,
    seed: u64,
    latency: Latency,
    began_at: Timestamp,
    now: Timestamp,
    effects: Effects,
    tally: Tally,
    journal_error: Option<WriteError>,
    dir: DataDir,
    _lock: InstanceLock,
}

impl VirtualDriver {
    /// Runs an assembly until its market ends, or `run_for` of market time has passed. The agents answer after a
    /// latency that the seed decides.
    ///
    /// # Errors
    /// See [`VirtualError`].
    pub fn run(assembly: Assembly, seed: u64, run_for: Option<Duration>) -> Result<Summary, VirtualError> {
        Self::run_with(assembly, seed, Box::new(move |run| Some(latency(seed, run.id.0))), run_for)
    }

    /// As [`Self::run`], until `stop` says why it shall end, if that is earlier.
    ///
    /// # Errors
    /// See [`VirtualError`].
    pub(super) fn run_until(
        assembly: Assembly,
        seed: u64,
        run_for: Option<Duration>,
        stop: watch::Receiver<Option<SafeText>>,
    ) -> Result<Summary, VirtualError> {
        let wall = clock::monotonic();
        let mut driver = Self::begin(assembly, seed, Box::new(move |run| Some(latency(seed, run.id.0))));
        driver.stop = Some(stop);
        driver.go(run_for)?;
        driver.finish(wall.elapsed())
    }

    /// As [`Self::run`], with agents as slow as `latency` says: answers may come late, or never.
    ///
    /// # Errors
    /// See [`VirtualError`].
    pub fn run_with(
        assembly: Assembly,
        seed: u64,
        latency: Latency,
        run_for: Option<Duration>,
    ) -> Result<Summary, VirtualError> {
        let wall = clock::monotonic();
        let mut driver = Self::begin(assembly, seed, latency);
        driver.go(run_for)?;
        driver.finish(wall.elapsed())
    }

    fn begin(assembly: Assembly, seed: u64, latency: Latency) -> Self {
        let Assembly {
            core, world, feed, journal, checkpoints, script, started, begins_at, dir, lock, ..
        } = assembly;
        let mut driver = Self {
            tally: Tally::begin(&core, begins_at),
            commands: core.durable().last_command,
            core,
            world,
            feed,
            journal,
            checkpoints,
            script,
            stop: None,
            answers: BinaryHeap::new(),
            answers_made: 0,
            model_calls: 0,
            seed,
            latency,
            began_at: begins_at,
            now: begins_at,
            effects: Effects::new(),
            journal_error: None,
            dir,
            _lock: lock,
        };
        driver.input(Input::Started(Box::new(started)));
        driver
    }

    /// Lets `span` of market time pass, or all there is, unless it is stopped.
    fn go(&mut self, span: Option<Duration>) -> Result<(), VirtualError> {
        let end = span.map(|span| self.began_at.plus(span));
        self.until(end)?;
        if self.stopped_by().is_none() {
            self.now = self.now.max(end.unwrap_or(self.now));
        }
        Ok(())
    }

    /// Why it was asked to end before its time.
    fn stopped_by(&self) -> Option<SafeText> {
        self.stop.as_ref()?.borrow().clone()
    }

    /// Whether [`Self::stopped_by`] may have something to say: asked at every step, so without its lock.
    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.has_changed().unwrap_or(false))
    }

    /// The end record, everything on disk, the checkpoint, the summary.
    fn finish(mut self, wall: Duration) -> Result<Summary, VirtualError> {
        let reason = self.stopped_by().unwrap_or_else(|| SafeText::ours("end of the run"));
        self.input(Input::Stop { reason });
        self.journal.commit()?;
        self.journal.note_head()?;
        let anchor = self.journal.head();
        let in_words = |error: &dyn std::fmt::Display| VirtualError::Checkpoint(error.to_string());
        let state = serde_json::to_vec(self.core.durable()).map_err(|error| in_words(&error))?;
        let hints = serde_json::to_vec(&self.core.schedule_image()).map_err(|error| in_words(&error))?;
        self.checkpoints.write(&Checkpoint { anchor, state, hints }).map_err(|error| in_words(&error))?;
        let ending = Ending {
            market: self.feed.label().to_owned(),
            symbols: self.feed.symbols().to_vec(),
            span: (self.began_at, self.now),
            wall,
            dropped: self.world.bus.stats().counts.dropped,
            journal_head: anchor.hash.to_string(),
            script: self.script.as_ref().map(Script::left),
        };
        Ok(self.tally.end(self.core.durable(), ending))
    }

    /// What a console would see after `span` of market time: facts, gate, and the last messages, oldest first.
    #[cfg(test)]
    pub fn seen_after(
        assembly: Assembly,
        seed: u64,
        span: Option<Duration>,
    ) -> Result<(Snapshot, Reading, Vec<Arc<Message>>), VirtualError> {
        let mut driver = Self::begin(assembly, seed, Box::new(move |run| Some(latency(seed, run.id.0))));
        driver.go(span)?;
        driver.input(Input::Tick);
        let mut snapshot = driver.core.snapshot(Now::both(driver.now), None);
        snapshot.durable = snapshot.head;
        let mut messages = driver.world.bus.history(&Query { limit: 200, ..Query::default() });
        messages.reverse();
        Ok((snapshot, driver.world.gate.read(), messages))
    }

    /// Goes from instant to instant until nothing is due, or the end has come.
    fn until(&mut self, end: Option<Timestamp>) -> Result<(), VirtualError> {
        let mut steps_here = 0_u32;
        while let Some(next) = self.next_at() {
            if self.is_stopped()
                || end.is_some_and(|end| next > end)
                || (self.feed.next_at().is_none() && end.is_none())
            {
                break;
            }
            steps_here = if next > self.now { 0 } else { steps_here + 1 };
            if steps_here > STEPS_PER_INSTANT_MAX {
                return Err(VirtualError::Stuck(self.now));
            }
            self.now = self.now.max(next);
            self.one_step();
            if let Some(error) = self.journal_error.take() {
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn next_at(&self) -> Option<Timestamp> {
        let due = self.core.next_due();
        [
            self.feed.next_at(),
            self.answers.peek().map(|Reverse(answer)| answer.at),
            self.world.venue_expiry(),
            self.script.as_ref().and_then(Script::next_at),
            due.market,
            due.operator,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The first thing that is due now, by class: candles, venue, results, operator, the core's own instants.
    fn one_step(&mut self) {
        let now = self.now;
        if self.feed.next_at().is_some_and(|at| at <= now) {
            return self.feed_event();
        }
        if self.world.venue_expiry().is_some_and(|at| at <= now) {
            for said in self.world.venue_time(now) {
                self.input(said);
            }
            return;
        }
        if self.answers.peek().is_some_and(|Reverse(answer)| answer.at <= now)
            && let Some(Reverse(answer)) = self.answers.pop()
        {
            return self.input(answer.input);
        }
        if let Some(command) = self.script.as_mut().and_then(|script| script.pop_due(now)) {
            self.commands = self.commands.next();
            let (id, actor) = (self.commands, Actor::Script);
            return self.input(Input::Command { id, actor, command, confirmation: Confirmation::Script });
        }
        self.input(Input::Tick);
    }

    fn feed_event(&mut self) {
        let told = self.feed.pop().map(|event| self.world.feed_event(self.now, event));
        for input in told.into_iter().flatten() {
            self.input(input);
        }
    }

    /// Steps the core with one input and with everything that its effects bring back at the same instant.
    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.tally.input(&input);
            let mut effects = std::mem::take(&mut self.effects);
            self.core.step(Now::both(self.now), input, &mut effects);
            for effect in effects.drain() {
                self.tally.effect(&effect, self.core.durable());
                inputs.extend(self.carry_out(effect));
            }
            self.effects = effects;
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Vec<Input> {
        match effect {
            Effect::Record(record) => {
                let starts_segment = matches!(record.kind, RecordKind::State(_));
                drop(self.journal.append(&record, starts_segment));
                // A run that nobody watches ends at the first trouble of its disk.
                if self.journal_error.is_none() {
                    self.journal_error = self.journal.trouble().cloned();
                }
                Vec::new()
            }
            Effect::ReopenStore { command } => {
                let result = self.journal.reopen().map(drop).map_err(SafeText::ours);
                vec![Input::StoreReopened { command, result }]
            }
            Effect::RunTask(run) => {
                self.run_task(*run);
                Vec::new()
            }
            Effect::Resolve(question) => {
                self.ask_models(&question);
                Vec::new()
            }
            Effect::ProbeProvider { provider } => {
                self.probe_provider(provider);
                Vec::new()
            }
            Effect::AbandonModelCalls => {
                let is_task =
                    |Reverse(answer): &Reverse<Answer>| matches!(answer.input, Input::TaskFinished { .. });
                self.answers.retain(is_task);
                Vec::new()
            }
            Effect::Reply { command, outcome } => {
                tracing::debug!(%command, ?outcome, "command ended");
                Vec::new()
            }
            // A run that is not waited for any more: its answer will be recognised as late.
            Effect::AbandonTask(_) => Vec::new(),
            effect @ Effect::Submit { .. } => {
                // The venue keeps a log of its own: it must not know an order that the journal could still lose.
                if let Err(error) = self.journal.commit() {
                    self.journal_error.get_or_insert(error);
                    return Vec::new();
                }
                self.world.carry_out(self.now, effect)
            }
            effect @ (Effect::Publish(_)
            | Effect::CancelAll
            | Effect::ShrinkProtection { .. }
            | Effect::Query { .. }
            | Effect::FetchFills { .. }
            | Effect::PutNotesAway
            | Effect::ShutGate { .. }
            | Effect::OpenGate { .. }
            | Effect::SetLatch { .. }
            | Effect::ReleaseLatch { .. }) => self.world.carry_out(self.now, effect),
        }
    }

    /// Rule-based agents answer at once; the answer reaches the core after a latency.
    fn run_task(&mut self, run: TaskRun) {
        let id = run.id;
        let Some(latency) = (self.latency)(&run) else {
            return;
        };
        let result = match self.world.agents.get(&run.task) {
            Some(agent) => run_agent(Arc::clone(agent), run).now_or_never().unwrap_or_else(|| {
                Err(TaskFailure::Failed(Untrusted::new("an agent that waits cannot run in virtual time")))
            }),
            None => Err(TaskFailure::Failed(Untrusted::new("nobody runs this task"))),
        };
        self.answer(latency, Input::TaskFinished { run: id, result });
    }

    fn answer(&mut self, after: Duration, input: Input) {
        self.answers_made += 1;
        self.answers.push(Reverse(Answer { at: self.now.plus(after), order: self.answers_made, input }));
    }

    /// Scripted models need no waiting: what they will say, and when, is known as soon as they are asked.
    fn ask_models(&mut self, question: &Question) {
        let models = self.world.models.clone();
        let (after, exchange) = models.foresee(question, || self.model_latency());
        let Exchange { resolved, prompt, replies } = exchange;
        let (decision, resolved) = (question.decision, Box::new(resolved));
        if let Err(error) =
            keep_model_texts(&self.dir, [&prompt].into_iter().chain(&replies).map(String::as_str))
        {
            tracing::error!(%error, %decision, "what a model was asked is not kept");
        }
        self.answer(after, Input::Resolved { decision, resolved });
    }

    fn probe_provider(&mut self, provider: String) {
        let models = self.world.models.clone();
        let (after, result) = models.foresee_probe(&provider, || self.model_latency());
        self.answer(after, Input::ProviderProbed { provider, result });
    }

    fn model_latency(&mut self) -> Duration {
        self.model_calls += 1;
        // Other numbers than those of the task runs.
        latency(!self.seed, self.model_calls)
    }
}

/// A latency that only seed and number decide (`SplitMix64`, Steele et al. 2014).
fn latency(seed: u64, number: u64) -> Duration {
    let mut z = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let (least, most) = LATENCY_MS;
    Duration::from_millis(least + (z ^ (z >> 31)) % (most - least))
}
