//! What the core knows for the length of one run: prices, voices, the schedule, what waits for answers. A restart
//! rebuilds it; nothing in here has to survive (that is `durable`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rust_decimal::Decimal;

use super::ages::Ages;
use super::announce::Sources;
use super::cancel::Cancelling;
use super::command::Pending;
use super::consensus::Voices;
use super::control::Opening;
use super::degradation::RunResult;
use super::durable::Durable;
use super::health::HealthState;
use super::providers::{self, ProviderHealth};
use super::resolution::Thinking;
use super::schedule::{self, Schedule, ScheduleImage};
use super::view::Dirty;
use super::{Setup, level};
use crate::account::Prices;
use crate::config::{Config, TaskName};
use crate::domain::{
    Asset, ClientOrderId, DecisionId, Epoch, Level, Now, RunId, SafeText, Symbol, Timestamp,
};

/// The first health check comes when the tasks of the start have answered (operator time).
const FIRST_CHECK_AFTER: Duration = Duration::from_secs(2);

/// What is rebuilt after a restart rather than remembered.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Live {
    pub(super) prices: Prices,
    pub(super) voices: Voices,
    pub(super) ages: Ages,
    pub(super) schedule: Schedule,
    pub(super) last_run: RunId,
    /// Results of the running cycle of each per-symbol task.
    pub(super) cycles: BTreeMap<TaskName, BTreeMap<Symbol, RunResult>>,
    /// What went wrong last with a task.
    pub(super) problems: BTreeMap<(TaskName, Option<Symbol>), SafeText>,
    /// Failed cycles in a row of each task.
    pub(super) failed_in_a_row: BTreeMap<TaskName, u32>,
    /// Decisions that wait for a model.
    pub(super) thinking: BTreeMap<Symbol, Thinking>,
    /// Answers of models that nobody waited for any more, in this run.
    pub(super) late_answers: u64,
    /// Questions that have ended in silence, counted as the primary's failure, which is not counted again.
    pub(super) silent: BTreeSet<DecisionId>,
    /// Candles that told nothing usable.
    pub(super) candles_refused: u64,
    /// How each configured provider is.
    pub(super) providers: BTreeMap<String, ProviderHealth>,
    /// Commands that were begun and have not ended.
    pub(super) pending: Vec<Pending>,
    /// When deferred legs were offered last, market time.
    pub(super) legs_offered_at: Option<Timestamp>,
    /// Closings whose last try failed: not again before this, market time.
    pub(super) closings_rest: BTreeMap<Symbol, Timestamp>,
    /// Since when the venue owes an answer, operator time.
    pub(super) waiting: BTreeMap<ClientOrderId, Timestamp>,
    /// The ended order about which a venue that has failed was asked.
    pub(super) venue_probe: Option<ClientOrderId>,
    /// Legs of the last process that the venue has been asked for and has not answered.
    pub(super) reconciling: BTreeSet<ClientOrderId>,
    /// The cancel-all that is not through.
    pub(super) cancelling: Option<Cancelling>,
    /// What was wrong with the journal at start.
    pub(super) journal_fault: Option<SafeText>,
    /// The configuration is not that of the last run.
    pub(super) config_changed: bool,
    /// When this process run began.
    pub(super) started_at: Now,
    /// Source names of messages, made once.
    pub(super) sources: Sources,
    /// Number of this process run.
    pub(super) run: u16,
    /// Operator time of the last candle of any symbol.
    pub(super) feed_at: Option<Timestamp>,
    pub(super) feed_ended: bool,
    /// The least amounts have been compared with the account.
    pub(super) minima_checked: bool,
    /// Market time at which this run began.
    pub(super) begun_at: Timestamp,
    /// Epoch of the gate as last heard.
    pub(super) epoch: Epoch,
    /// The gate is as open as the recorded state says; false between a resume and the gate's answer.
    pub(super) gate_confirmed: bool,
    /// The resume or release that waits for the gate.
    pub(super) opening: Option<Opening>,
    /// Messages published in this run.
    pub(super) messages: u64,
    /// When the equity is marked next, market time; none while nothing has happened since the last mark.
    pub(super) mark_due: Option<Timestamp>,
    /// When it was marked last, market time.
    pub(super) marked_at: Timestamp,
    /// Held assets whose price is missing or old for so long that it is an alarm.
    pub(super) uncertain: BTreeSet<Asset>,
    /// Operator time up to which repeats and reminders of alarms have been spoken.
    pub(super) spoken_until: Timestamp,
    pub(super) health: HealthState,
    /// Proposal of the last rebalance run: largest deviation in points.
    pub(super) deviation_pct: Option<Decimal>,
    pub(super) level: Level,
    /// Operator time since which it is in force.
    pub(super) level_since: Timestamp,
    /// Operator time of the last step.
    pub(super) stepped_at: Timestamp,
    /// BUY multipliers after each technical update, for the screen.
    pub(super) multipliers: BTreeMap<Symbol, VecDeque<f64>>,
    pub(super) dirty: Dirty,
    pub(super) revision: u64,
}

impl Live {
    pub(super) fn new(
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
            prices: Prices::new(setup.symbols.iter().cloned()).remembering(durable.rates.clone()),
            voices: Voices::default(),
            ages: Ages::new(config, setup),
            schedule,
            last_run: RunId(0),
            cycles: BTreeMap::new(),
            problems: BTreeMap::new(),
            failed_in_a_row: BTreeMap::new(),
            thinking: BTreeMap::new(),
            late_answers: 0,
            silent: BTreeSet::new(),
            candles_refused: 0,
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
            minima_checked: false,
            begun_at: now.market,
            epoch: Epoch::default(),
            gate_confirmed: false,
            opening: None,
            messages: 0,
            mark_due: Some(now.market),
            marked_at: now.market,
            uncertain: durable.uncertain_alarms().cloned().collect(),
            spoken_until: now.operator,
            health: HealthState {
                next_check: now.operator.plus(FIRST_CHECK_AFTER),
                ..HealthState::default()
            },
            deviation_pct: None,
            // A restart comes up in the level that was recovered.
            level: durable.degradation.effective(level::policy(config)),
            level_since: durable.degradation.level_since().map_or(now.operator, |since| since.operator),
            stepped_at: now.operator,
            multipliers: BTreeMap::new(),
            dirty: Dirty::all(),
            revision: 0,
        }
    }
}
