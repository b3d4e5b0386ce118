//! The core: a synchronous state machine that makes every decision. It reads no clock, does no I/O and spawns
//! nothing: the runtime feeds it one [`Input`] at a time and carries out the [`Effect`]s.
//!
//! Where things live: `control` (state, gate), `start` (restart), `cancel` (what a halt takes back), `command` (what operators ask), `tasks` and `schedule`
//! (agents), `store` (a journal that cannot be written), `consensus`, `conflict`, `routing` (signal to order), `resolution` (models asked about conflicts),
//! `providers` (how the models are), `execution` (what the venue says), `rebalance`
//! and `dca` (plans and legs), `emergency` (breakers, closings), `degradation`, `health`, `alarms`; `durable` and
//! `record` (what survives), `view` and `snapshot` (what is seen).
//!
//! What always holds, asserted in debug builds (`invariants`):
//! - durable state changes only by applying a record that is pushed as an effect in the same step, so that replaying
//!   the records gives the same state;
//! - no entry or leg is submitted while [`Coordinator::entries`] of its symbol is not empty;
//! - a model thinks about a decision at most once, about at most one of a symbol, and only about open ones;
//! - every signal ends in exactly one outcome: none is left without an order or a question that will end it, none
//!   ends before its order or a second time;
//! - HALTED has a reason for each halt; the level in force is that of counters and forced level; the lots of an asset
//!   never exceed its balance.

mod alarms;
mod answers;
pub mod block;
mod cancel;
pub mod closing;
mod command;
pub mod conflict;
pub mod consensus;
mod control;
pub mod dca;
pub mod degradation;
pub mod durable;
pub mod effect;
mod emergency;
mod execution;
mod health;
pub mod input;
mod invariants;
mod level;
mod market;
mod preview;
mod providers;
mod rebalance;
pub mod record;
mod resolution;
mod routing;
pub mod schedule;
pub mod snapshot;
mod start;
mod still_holds;
mod store;
pub mod task;
mod tasks;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::account::Prices;
use crate::alarm::Catalogue;
use crate::config::{Config, TaskName};
use crate::domain::{
    Actor, ClientOrderId, CommandOutcome, Epoch, Level, Message, MessageId, Now, Payload, Priority, RunId,
    SafeText, Symbol, SystemEvent, SystemEventKind, Timestamp,
};
use cancel::Cancelling;
use command::Pending;
use consensus::{Freshness, Voices};
use control::Opening;
use degradation::RunResult;
use durable::Durable;
use effect::{Effect, Effects};
use health::HealthState;
use input::Input;
use providers::ProviderHealth;
use record::{Record, RecordKind};
use resolution::Thinking;
use schedule::{Schedule, ScheduleImage};
use view::Dirty;

/// Distance of the equity marks (market time): five minutes draw a day in 288 points.
const MARK_EVERY: Duration = Duration::from_secs(300);

/// The first health check comes when the tasks of the start have answered (operator time).
const FIRST_CHECK_AFTER: Duration = Duration::from_secs(2);

/// What does not change during a run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `SIM`, `REPLAY`, `KRAKEN`.
    pub market: String,
    /// `PAPER`.
    pub venue: String,
    /// Market seconds per real second; none for as fast as possible.
    pub speed: Option<u32>,
    /// The pairs, in config order.
    pub symbols: Vec<Symbol>,
    /// Length of the feed's candles.
    pub candle_interval: Duration,
    /// Run every task once at start, in dependency order.
    pub run_all_on_start: bool,
    /// Sentiment has somewhere to ask.
    pub has_sentiment: bool,
    /// The venue's own leverage limit.
    pub leverage_max: Decimal,
    /// Records carry wall time (live runs).
    pub stamps_wall: bool,
}

/// The core.
#[derive(Debug)]
pub struct Coordinator {
    config: Arc<Config>,
    setup: Setup,
    catalogue: Catalogue,
    durable: Durable,
    live: Live,
}

/// What is rebuilt after a restart rather than remembered.
#[derive(Debug)]
struct Live {
    prices: Prices,
    voices: Voices,
    freshness: Freshness,
    schedule: Schedule,
    last_run: RunId,
    /// Results of the running cycle of each per-symbol task.
    cycles: BTreeMap<TaskName, BTreeMap<Symbol, RunResult>>,
    /// What went wrong last with a task.
    problems: BTreeMap<TaskName, SafeText>,
    /// Failed cycles in a row of each task.
    failed_in_a_row: BTreeMap<TaskName, u32>,
    /// Decisions that wait for a model.
    thinking: BTreeMap<Symbol, Thinking>,
    /// Answers of models that nobody waited for any more, in this run.
    late_answers: u64,
    /// How each configured provider is.
    providers: BTreeMap<String, ProviderHealth>,
    /// Commands that were begun and have not ended.
    pending: Vec<Pending>,
    /// When deferred legs were offered last, market time.
    legs_offered_at: Option<Timestamp>,
    /// Closings whose last try failed: not again before this, market time.
    closings_rest: BTreeMap<Symbol, Timestamp>,
    /// Since when the venue owes an answer, operator time.
    waiting: BTreeMap<ClientOrderId, Timestamp>,
    /// The ended order about which a venue that has failed was asked.
    venue_probe: Option<ClientOrderId>,
    /// Legs of the last process that the venue has been asked for and has not answered.
    reconciling: BTreeSet<ClientOrderId>,
    /// The cancel-all that is not through.
    cancelling: Option<Cancelling>,
    /// What was wrong with the journal at start.
    journal_fault: Option<SafeText>,
    /// The configuration is not that of the last run.
    config_changed: bool,
    /// When this process run began.
    started_at: Now,
    /// Source names of messages, made once.
    sources: Sources,
    /// Number of this process run.
    run: u16,
    /// Operator time of the last candle of any symbol.
    feed_at: Option<Timestamp>,
    feed_ended: bool,
    /// Market time at which this run began.
    begun_at: Timestamp,
    /// Epoch of the gate as last heard.
    epoch: Epoch,
    /// The gate is as open as the recorded state says; false between a resume and the gate's answer.
    gate_confirmed: bool,
    /// The resume or release that waits for the gate.
    opening: Option<Opening>,
    /// Messages published in this run.
    messages: u64,
    next_mark: Timestamp,
    health: HealthState,
    /// Proposal of the last rebalance run: largest deviation in points.
    deviation_pct: Option<Decimal>,
    level: Level,
    /// Operator time since which it is in force.
    level_since: Timestamp,
    /// Operator time of the last step.
    stepped_at: Timestamp,
    /// BUY multipliers after each technical update, for the screen.
    multipliers: BTreeMap<Symbol, std::collections::VecDeque<f64>>,
    dirty: Dirty,
    revision: u64,
}

impl Live {
    fn new(
        config: &Config,
        setup: &Setup,
        durable: &Durable,
        image: Option<&ScheduleImage>,
        now: Now,
    ) -> Self {
        let schedule_setup = schedule::Setup {
            config: &config.orchestration.schedules,
            symbols: &setup.symbols,
            sources: schedule::Sources { sentiment: setup.has_sentiment },
            disabled: &durable.tasks_disabled,
            run_all_on_start: setup.run_all_on_start,
        };
        let schedule = match image {
            Some(image) => Schedule::restored(&schedule_setup, image, now),
            None => Schedule::new(&schedule_setup, now),
        };
        Self {
            prices: Prices::new(setup.symbols.iter().cloned()),
            voices: Voices::default(),
            freshness: Freshness::new(&config.orchestration.consensus.fresh_for, setup.candle_interval),
            schedule,
            last_run: RunId(0),
            cycles: BTreeMap::new(),
            problems: BTreeMap::new(),
            failed_in_a_row: BTreeMap::new(),
            thinking: BTreeMap::new(),
            late_answers: 0,
            providers: providers::configured(config),
            pending: Vec::new(),
            legs_offered_at: None,
            closings_rest: BTreeMap::new(),
            waiting: BTreeMap::new(),
            venue_probe: None,
            reconciling: BTreeSet::new(),
            cancelling: None,
            journal_fault: None,
            config_changed: false,
            started_at: now,
            sources: Sources::new(setup),
            run: durable.run,
            feed_at: None,
            feed_ended: false,
            begun_at: now.market,
            epoch: Epoch::default(),
            gate_confirmed: false,
            opening: None,
            messages: 0,
            next_mark: now.market,
            health: HealthState {
                next_check: now.operator.plus(FIRST_CHECK_AFTER),
                ..HealthState::default()
            },
            deviation_pct: None,
            // A restart comes up in the level that was recovered.
            level: durable.degradation.effective(level::policy(config)),
            level_since: now.operator,
            stepped_at: now.operator,
            multipliers: BTreeMap::new(),
            dirty: Dirty::all(),
            revision: 0,
        }
    }
}

/// Source names of messages: made once, shared by every message.
#[derive(Debug)]
struct Sources {
    coordinator: Arc<str>,
    risk: Arc<str>,
    feed: Arc<str>,
    venue: Arc<str>,
    tasks: BTreeMap<TaskName, Arc<str>>,
}

impl Sources {
    fn new(setup: &Setup) -> Self {
        Self {
            coordinator: "coordinator".into(),
            risk: "risk".into(),
            feed: setup.market.to_lowercase().into(),
            venue: setup.venue.to_lowercase().into(),
            tasks: TaskName::ALL.into_iter().map(|task| (task, task.name().into())).collect(),
        }
    }

    fn task(&self, task: TaskName) -> Arc<str> {
        self.tasks.get(&task).unwrap_or(&self.coordinator).clone()
    }
}

/// The instant of a step and where its effects go.
struct Cx<'a> {
    now: Now,
    effects: &'a mut Effects,
}

/// What the core wants to be woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// Market time.
    pub market: Option<Timestamp>,
    /// Operator time.
    pub operator: Option<Timestamp>,
}

impl Due {
    fn market(&mut self, at: Option<Timestamp>) {
        self.market = [self.market, at].into_iter().flatten().min();
    }

    fn operator(&mut self, at: Option<Timestamp>) {
        self.operator = [self.operator, at].into_iter().flatten().min();
    }

    /// Whether either instant has come.
    pub fn has_come(&self, now: Now) -> bool {
        self.market.is_some_and(|at| at <= now.market) || self.operator.is_some_and(|at| at <= now.operator)
    }
}

impl Coordinator {
    /// The core of a run: `durable` fresh or recovered, `image` the schedule of the last checkpoint, if any. The
    /// first input must be [`Input::Started`].
    pub fn new(
        config: Arc<Config>,
        setup: Setup,
        catalogue: Catalogue,
        durable: Durable,
        image: Option<&ScheduleImage>,
        now: Now,
    ) -> Self {
        let live = Live::new(&config, &setup, &durable, image, now);
        Self { config, setup, catalogue, durable, live }
    }

    /// Feeds one input at one instant and pushes what must happen next, in order.
    pub fn step(&mut self, now: Now, input: Input, effects: &mut Effects) {
        let cx = &mut Cx { now, effects };
        self.live.stepped_at = now.operator;
        match input {
            Input::Started(started) => self.started(cx, &started),
            Input::Tick => {}
            Input::Candle(candle) => self.candle(cx, candle),
            Input::FeedGap { symbol, from, until } => self.feed_gap(cx, &symbol, from, until),
            Input::FeedEnded => self.feed_ended(cx),
            Input::TaskFinished { run, result } => self.task_finished(cx, run, result),
            Input::Resolved { decision, resolved } => self.resolved(cx, decision, &resolved),
            Input::ProviderProbed { provider, result } => self.provider_probed(cx, &provider, &result),
            Input::Command { id, actor, command, confirmation } => {
                self.command(cx, id, actor, command, &confirmation);
            }
            Input::Venue(event) => self.venue_event(cx, event),
            Input::VenueFailed { error } => self.venue_failed(cx, error),
            Input::LatchFailed { error } => self.latch_failed(cx, &error),
            Input::NotHandedOver { client_id, reason } => self.not_handed_over(cx, client_id, reason),
            Input::GateShut { epoch, to, by, reason } => self.gate_shut(cx, epoch, to, by, reason),
            Input::GateOpened { epoch, command } => self.gate_opened(cx, epoch, command),
            Input::GateNotOpened { command } => self.gate_not_opened(cx, command),
            Input::StoreLag { waiting, oldest } => self.store_lag(cx, waiting, oldest),
            Input::StoreFailed { error } => self.store_failed(cx, &error),
            Input::StoreOnReserve { error } => self.store_on_reserve(cx, &error),
            Input::StoreReopened { command, result } => self.store_reopened(cx, command, result),
            Input::OrderFound(order) => self.order_found(cx, &order),
            Input::Probe(probe) => self.probed(cx, probe),
            Input::MailboxClosed { subscriber, topic, depth } => {
                self.mailbox_closed(cx, &subscriber, topic, depth);
            }
            Input::Panicked { what } => self.panicked(cx, &what),
            Input::ProcessGap { length } => self.process_gap(cx, length),
            Input::Stop { reason } => self.stop(cx, reason),
        }
        self.settle(cx);
        self.assert_invariants(cx);
    }

    /// The last record of a run; whoever still waits for an answer is told that none will come.
    fn stop(&mut self, cx: &mut Cx<'_>, reason: SafeText) {
        for id in self.live.pending.iter().map(|pending| pending.id).collect::<Vec<_>>() {
            let why = "the program ended before the gate answered: look at the state after the next start";
            self.end_command(cx, id, CommandOutcome::refused(why));
        }
        self.stop_thinking(cx);
        self.record(cx, Actor::Runtime, RecordKind::RunEnded { reason });
    }

    /// What follows from any input once its own consequences are drawn: whatever is due at this instant.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        if self.durable.ended_cleanly {
            return;
        }
        self.forced_level_due(cx);
        self.watch_thinking(cx);
        self.run_tasks(cx);
        self.run_legs(cx);
        self.run_closings(cx);
        self.orders_without_answer(cx);
        self.watch_cancelling(cx);
        self.mark_equity(cx);
        self.check_health(cx);
        self.alarms_due(cx);
        self.begin_segment(cx);
    }

    /// The next instants at which the core wants [`Input::Tick`], if nothing else happens.
    pub fn next_due(&self) -> Due {
        let mut due = Due::default();
        if self.durable.ended_cleanly {
            return due;
        }
        let schedule = self.live.schedule.next_due();
        due.market(schedule.market);
        due.operator(schedule.operator);
        due.market(self.next_leg());
        due.market(self.next_closing());
        due.operator(self.next_answer_due());
        due.operator(self.next_cancelling());
        let thinking = self.next_thinking();
        due.market(thinking.market);
        due.operator(thinking.operator);
        due.market(Some(self.live.next_mark));
        due.operator(Some(self.live.health.next_check));
        due.operator(self.next_alarm());
        let forced = self.next_forced_level();
        due.market(forced.market);
        due.operator(forced.operator);
        due
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Rises with every change that a snapshot would show.
    pub const fn revision(&self) -> u64 {
        self.live.revision
    }

    /// The durable state.
    pub const fn durable(&self) -> &Durable {
        &self.durable
    }

    /// The schedule as a checkpoint should carry it.
    pub fn schedule_image(&self) -> ScheduleImage {
        self.live.schedule.image()
    }

    /// Numbers a record, applies it, and has it written.
    fn record(&mut self, cx: &mut Cx<'_>, actor: Actor, kind: RecordKind) {
        let record = Box::new(Record {
            seq: self.durable.seq.next(),
            at: cx.now.market,
            wall: self.setup.stamps_wall.then_some(cx.now.operator),
            run: self.live.run,
            actor,
            kind,
        });
        debug_assert!(!self.ends_twice(&record.kind), "a second outcome: {record:?}");
        self.live.dirty.touched_by(&record.kind);
        self.live.revision += 1;
        self.durable.apply(&record);
        cx.effects.push(Effect::Record(record));
    }

    /// Records as the coordinator itself, applying a rule.
    fn record_own(&mut self, cx: &mut Cx<'_>, kind: RecordKind) {
        self.record(cx, Actor::Coordinator, kind);
    }

    /// A full state record begins a segment after so many records, and the very first one.
    fn begin_segment(&mut self, cx: &mut Cx<'_>) {
        if self.durable.seq.0.saturating_sub(self.durable.segment_at.0)
            >= self.config.orchestration.store.segment_records
        {
            self.record_state(cx);
        }
    }

    /// The full state, which begins a segment.
    fn record_state(&mut self, cx: &mut Cx<'_>) {
        let state = Box::new(self.durable.clone());
        self.record(cx, Actor::Runtime, RecordKind::State(state));
    }

    /// Puts a message of the core on the bus.
    fn publish(
        &mut self,
        cx: &mut Cx<'_>,
        source: Arc<str>,
        priority: Priority,
        ttl: Option<Duration>,
        payload: Payload,
    ) {
        self.live.messages += 1;
        let message = Message {
            id: MessageId::sequential(self.durable.install, u32::from(self.live.run), self.live.messages),
            topic: payload.topic(),
            source,
            priority,
            timestamp: cx.now.market,
            ttl,
            correlation_id: None,
            payload,
        };
        cx.effects.push(Effect::Publish(Arc::new(message)));
    }

    /// Says something about the system itself.
    fn announce(
        &mut self,
        cx: &mut Cx<'_>,
        kind: SystemEventKind,
        priority: Priority,
        detail: impl std::fmt::Display,
    ) {
        self.announce_about(cx, kind, priority, None, detail);
    }

    fn announce_about(
        &mut self,
        cx: &mut Cx<'_>,
        kind: SystemEventKind,
        priority: Priority,
        symbol: Option<Symbol>,
        detail: impl std::fmt::Display,
    ) {
        let detail = SafeText::ours(detail);
        tracing::info!(?kind, symbol = symbol.as_ref().map(Symbol::as_str), %detail, "system event");
        let source = self.live.sources.coordinator.clone();
        self.publish(cx, source, priority, None, Payload::System(SystemEvent { kind, symbol, detail }));
    }
}
