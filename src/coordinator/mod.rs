//! The core: a synchronous state machine that makes every decision. It reads no clock, does no I/O and spawns
//! nothing: the runtime feeds it one [`Input`] at a time and carries out the [`Effect`]s.
//!
//! Where things live: `control` (state, gate), `start` (restart), `cancel` (what a halt takes back), `command` (what
//! operators ask), `tasks` and `schedule` (agents), `store` (a journal that cannot be written), `consensus`, `conflict`,
//! `routing` (signal to order), `resolution` (models asked about conflicts), `providers` (how the models are),
//! `execution` (what the venue says), `rebalance` and `dca` (plans and legs), `emergency` (breakers, closings),
//! `degradation`, `health`, `alarms`; `durable` and `record` (what survives), `live` (what a restart rebuilds),
//! `announce` (what is said on the bus), `view` and `snapshot` (what is seen).
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

mod ages;
mod alarms;
mod announce;
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
mod live;
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

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::alarm::Catalogue;
use crate::config::Config;
use crate::domain::{Actor, CommandOutcome, Now, SafeText, Symbol, Timestamp};
use durable::Durable;
use effect::{Effect, Effects};
use input::Input;
use live::Live;
use record::{Record, RecordKind};
use schedule::ScheduleImage;

/// Distance of the equity marks (market time): five minutes draw a day in 288 points.
const MARK_EVERY: Duration = Duration::from_secs(300);

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
    /// Decimal places of the account currency.
    pub decimals: u32,
    /// When the first candle of a symbol opens, where the feed knows; until then the symbol is not listed yet.
    pub listed_at: BTreeMap<Symbol, Timestamp>,
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

/// The instant of a step and where its effects go.
struct Cx<'a> {
    now: Now,
    effects: &'a mut Effects,
}

/// When something has to be done next, if nothing happens before.
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
            Input::FeedFailed { why } => self.feed_failed(cx, &why),
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
            Input::CheckpointWritten { result } => self.checkpoint_written(cx, &result),
            Input::OldRecordsVerified { result } => self.old_records_verified(cx, result),
            Input::OrderFound(order) => self.order_found(cx, &order),
            Input::Probe(probe) => self.probed(cx, probe),
            Input::ProbeHangs => self.probe_hangs(cx),
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
        self.last_mark(cx);
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
        due.market(self.live.mark_due);
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

    /// Decimal places of the account currency.
    pub const fn decimals(&self) -> u32 {
        self.setup.decimals
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

    /// A full state record begins a segment after so many records.
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
}
