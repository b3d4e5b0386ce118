//! What the console sees: a copy of the core's facts, in sections that are rebuilt only when they changed.
//!
//! Times are market time unless a field says otherwise. Ages are not in here: the reader computes them from its own
//! clock, so that a snapshot that stopped coming looks old rather than fresh.

use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

use super::block::Block;
use crate::alarm::AlarmClass;
use crate::config::TaskName;
use crate::domain::{
    Asset, Bias, Confidence, Decision, Epoch, Level, Now, PlanId, Regime, SafeText, SentimentBias, Seq, Side,
    Symbol, Timestamp, TradingState,
};

/// All the facts at one instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Rises with every change of anything; a confirmed command names the one it was made on.
    pub revision: u64,
    /// When the core made it, both clocks.
    pub at: Now,
    /// Last record numbered by the core.
    pub head: Seq,
    /// Last record on disk; facts of later records show `(writing)`. Filled in by the runtime.
    pub durable: Seq,
    /// Header.
    pub control: Arc<ControlView>,
    /// Pane 3.
    pub degradation: Arc<DegradationView>,
    /// Pane 2, attention first.
    pub consensus: Arc<Vec<ConsensusRow>>,
    /// Pane 4.
    pub schedule: Arc<Vec<TaskRow>>,
    /// Pane 5.
    pub plans: Arc<Vec<PlanView>>,
    /// Pane 6, unacknowledged first, then by class, newest first.
    pub alarms: Arc<Vec<AlarmRow>>,
    /// Pane 7, newest first.
    pub decisions: Arc<DecisionsView>,
    /// Pane 8.
    pub portfolio: Arc<PortfolioView>,
    /// Pane 9.
    pub health: Arc<Vec<HealthRow>>,
}

/// State, gate and what blocks entries.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlView {
    /// `SIM`, `REPLAY`, `KRAKEN`: what the data is.
    pub market: String,
    /// `PAPER`: where orders go.
    pub venue: String,
    /// Market seconds per real second; none for as fast as possible.
    pub speed: Option<u32>,
    /// As recorded.
    pub state: TradingState,
    /// Operator time of the change.
    pub since: Timestamp,
    /// Who changed it.
    pub by: String,
    /// Why; may be empty.
    pub reason: SafeText,
    /// The record of the change: `[writing]` until it is durable.
    pub recorded: Seq,
    /// The journal cannot be written: nothing that happens now is in it.
    pub not_durable: bool,
    /// Epoch of the gate as the core knows it.
    pub epoch: Epoch,
    /// Why the system is halted, one per halt; empty unless HALTED.
    pub halt_reasons: Vec<HaltReason>,
    /// What blocks every entry, strictest first. Empty: entries are open.
    pub blocks: Vec<Block>,
    /// Symbols that are locked or whose feed is stale, beyond the global blocks.
    pub symbols_locked: Vec<Symbol>,
    /// Operator time of the last candle, if one came.
    pub feed_at: Option<Timestamp>,
    /// Whether the feed has come to its end.
    pub feed_ended: bool,
    /// Operator time at which the last order was sent.
    pub last_order_at: Option<Timestamp>,
    /// Orders resting or on their way, protective ones not counted.
    pub orders_open: usize,
    /// Protective orders at the venue.
    pub stops: usize,
    /// What stands between HALTED and PAUSED; none unless HALTED.
    pub release: Option<ReleaseView>,
    /// What a resume would set going; none unless PAUSED.
    pub resume: Option<ResumeView>,
}

/// One reason for being halted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HaltReason {
    /// When, both clocks.
    pub at: Now,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: SafeText,
}

/// The pre-flight of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseView {
    /// Every check, with its result.
    pub checks: Vec<Check>,
    /// The code to type, bound to the epoch and the halt reasons.
    pub code: String,
    /// How long it may be used after it was shown, operator time.
    pub valid_for: Duration,
}

/// One line of a pre-flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// None: ok. Else why not.
    pub problem: Option<String>,
    /// A problem here does not forbid the release, it is only named.
    pub advisory: bool,
}

/// What a resume would set going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeView {
    /// Orders possible within the next hour of market time, in words.
    pub next_hour: Vec<String>,
    /// Unacknowledged Emergencies; any refuses the resume.
    pub unacknowledged: usize,
    /// What would still block entries afterwards.
    pub blocks_after: Vec<Block>,
}

/// Pane 3.
#[derive(Debug, Clone, PartialEq)]
pub struct DegradationView {
    /// The stricter of the two below.
    pub effective: Level,
    /// From the counters.
    pub automatic: Level,
    /// By the operator.
    pub forced: Option<ForcedView>,
    /// Operator time of the last change of the effective level.
    pub since: Timestamp,
    /// Failures of the worst model provider.
    pub llm_failures: u8,
    /// Failures of the worst other component.
    pub api_failures: u8,
    /// Failures at which the next level begins; none at the last.
    pub next_level_at: Option<u8>,
    /// Every component with its counter, worst first.
    pub components: Vec<ComponentView>,
    /// Whether models are configured at all.
    pub models_configured: bool,
}

/// A forced level.
#[derive(Debug, Clone, PartialEq)]
pub struct ForcedView {
    /// Which.
    pub level: Level,
    /// Who.
    pub by: String,
    /// Operator time.
    pub since: Timestamp,
    /// Market time at which it ends by itself.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: SafeText,
}

/// One component's failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentView {
    /// Its name.
    pub name: String,
    /// A model provider, not an API.
    pub is_llm: bool,
    /// Outstanding.
    pub failures: u8,
    /// In a row, towards taking one off.
    pub successes: u8,
}

/// One symbol of pane 2.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsensusRow {
    /// Which.
    pub symbol: Symbol,
    /// Lots are held.
    pub held: bool,
    /// Entries of this symbol are locked, or its feed is stale: why.
    pub locked: Option<Block>,
    /// Technical analysis.
    pub technical: VoiceView<Bias>,
    /// Regime.
    pub regime: VoiceView<Regime>,
    /// Sentiment.
    pub sentiment: VoiceView<SentimentBias>,
    /// For a BUY now.
    pub buy: TallyView,
    /// For a SELL now.
    pub sell: TallyView,
    /// Last price, quote units.
    pub price: Option<Decimal>,
    /// Confidence after consensus of the last signal, and how its decision ended.
    pub last_signal: Option<LastSignal>,
    /// BUY multipliers of the last technical updates, oldest first, for the sparkline.
    pub history: Vec<f64>,
}

/// What one voice said last.
#[derive(Debug, Clone, PartialEq)]
pub struct VoiceView<T> {
    /// Its last word; none when it never spoke.
    pub says: Option<(T, Confidence)>,
    /// When it said so.
    pub at: Option<Timestamp>,
    /// After this it is stale and no longer counted.
    pub fresh_for: Duration,
}

/// Agreement for one action.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TallyView {
    /// Voices that agree.
    pub agreeing: u8,
    /// Voices that are present.
    pub present: u8,
    /// What confidence would be multiplied by.
    pub multiplier: f64,
}

/// The last signal of a symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct LastSignal {
    /// When.
    pub at: Timestamp,
    /// BUY, SELL, HOLD, CLOSE.
    pub action: crate::domain::Action,
    /// After consensus.
    pub confidence: Confidence,
    /// How it ended; none while open.
    pub outcome: Option<crate::domain::Outcome>,
    /// The first rule that spoke against it.
    pub reason: Option<crate::domain::ReasonCode>,
}

/// One task of pane 4.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRow {
    /// Which.
    pub task: TaskName,
    /// Worst of its symbols' states.
    pub state: TaskState,
    /// Symbols whose last run succeeded, and all symbols.
    pub ok: (usize, usize),
    /// Length of the longest last run, operator time.
    pub took: Option<Duration>,
    /// When it is due next.
    pub next_due: Option<Timestamp>,
    /// Cycles it is late by.
    pub late_cycles: u32,
    /// Runs whose answer is no longer waited for.
    pub abandoned: u32,
    /// What went wrong last, sanitized.
    pub problem: Option<SafeText>,
    /// By symbol.
    pub symbols: Vec<TaskSymbolRow>,
}

/// One symbol of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSymbolRow {
    /// None for the portfolio.
    pub symbol: Option<Symbol>,
    /// What it is doing.
    pub state: TaskState,
    /// When it last ended.
    pub last_run: Option<Timestamp>,
    /// How it ended; none when it never did.
    pub last_ok: Option<bool>,
    /// Length of the last run, operator time.
    pub took: Option<Duration>,
    /// Due next.
    pub next_due: Option<Timestamp>,
    /// Runs that succeeded, and that failed.
    pub counts: (u64, u64),
}

/// What a task is doing. Ordered by how much it needs attention.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskState {
    /// Waits for its time.
    Idle,
    /// Runs now.
    Running,
    /// Is due, and waits for a task it depends on.
    WaitingOn(TaskName),
    /// Due, but the feed has not given a candle yet.
    WaitingForFeed,
    /// Nothing to ask (sentiment without a source).
    NoSource,
    /// The level forbids it.
    SkippedByLevel,
    /// The trading state forbids it.
    SkippedByState,
    /// The operator switched it off.
    Disabled,
    /// Its last run failed.
    Failing,
}

/// One plan of pane 5.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanView {
    /// Which.
    pub id: PlanId,
    /// When it was made.
    pub at: Timestamp,
    /// Its legs in order.
    pub legs: Vec<LegView>,
    /// Sum of the amounts that are filled, account currency.
    pub done: Decimal,
    /// Sum of the amounts still to come.
    pub left: Decimal,
    /// Legs per trade in the plan (`3/6`).
    pub legs_per_trade: u16,
}

/// One leg.
#[derive(Debug, Clone, PartialEq)]
pub struct LegView {
    /// Number within the plan, from 0.
    pub number: u16,
    /// Number within its trade, from 1, and how many there are.
    pub of_trade: (u16, u16),
    /// What.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// Account currency.
    pub amount: Decimal,
    /// When.
    pub due: Timestamp,
    /// Where it stands: `scheduled`, `deferred`, `sent`, ...
    pub state: String,
    /// Why it is deferred or waiting.
    pub reason: Option<SafeText>,
    /// Nothing more will happen to it.
    pub is_terminal: bool,
    /// Needs the operator or is uncertain (waiting, unknown).
    pub needs_attention: bool,
}

/// One alarm of pane 6.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmRow {
    /// The occurrence; an acknowledgement names it.
    pub id: crate::domain::AlarmId,
    /// How urgent.
    pub class: AlarmClass,
    /// Source and subject: `daily_loss`, `symbol locked XRP/USDT`.
    pub title: SafeText,
    /// Its numbers.
    pub detail: SafeText,
    /// Somebody has to acknowledge it.
    pub unacknowledged: bool,
    /// Its condition still holds.
    pub active: bool,
    /// Acknowledged and the condition gone, but latched: waits for reset.
    pub resettable: bool,
    /// When it was raised, both clocks.
    pub raised: Now,
    /// Who acknowledged it, when (operator time) and with what comment.
    pub acknowledged: Option<(String, Timestamp, SafeText)>,
    /// Raises of this occurrence.
    pub count: u32,
    /// Why this happens.
    pub cause: SafeText,
    /// What it means.
    pub consequence: SafeText,
    /// What to do.
    pub response: SafeText,
}

/// Pane 7.
#[derive(Debug, Clone, Default)]
pub struct DecisionsView {
    /// Newest first, at most the last hundred.
    pub recent: Vec<Arc<Decision>>,
    /// Outcomes since 00:00 UTC, with their counts; open ones are not counted.
    pub today: Vec<(crate::domain::Outcome, u64)>,
}

/// Pane 8, in the account currency.
#[derive(Debug, Clone, PartialEq)]
pub struct PortfolioView {
    /// Which.
    pub currency: Asset,
    /// Everything at the last prices; none when a price is missing.
    pub equity: Option<Decimal>,
    /// Change since 00:00 UTC, percent, and its breaker's limit.
    pub day_pct: (Decimal, Decimal),
    /// Change since Monday 00:00 UTC, percent, and its breaker's limit.
    pub week_pct: (Decimal, Decimal),
    /// Below the peak, percent, and its breaker's limit.
    pub drawdown_pct: (Decimal, Decimal),
    /// Lots, percent of equity, and the limit.
    pub exposure_pct: (Decimal, Decimal),
    /// Largest position: symbol, percent of equity, limit.
    pub largest: Option<(Symbol, Decimal, Decimal)>,
    /// Names of tripped breakers.
    pub breakers_tripped: Vec<String>,
    /// Open positions.
    pub positions: Vec<PositionView>,
    /// Orders that rest or are on their way.
    pub orders: Vec<OrderView>,
    /// Holdings against targets.
    pub allocation: Vec<AllocationRow>,
    /// Equity of the last 24 hours with its times, oldest first.
    pub equity_history: Vec<(Timestamp, Decimal)>,
    /// Level and state changes of the last 24 hours, for the chart.
    pub marks: Vec<(Timestamp, SafeText)>,
    /// Profit and loss of closed lots since the account began.
    pub realised: Decimal,
}

/// The lots of one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionView {
    /// Which.
    pub symbol: Symbol,
    /// Base units.
    pub quantity: Decimal,
    /// Average entry, quote units.
    pub entry: Decimal,
    /// Last price, quote units.
    pub price: Option<Decimal>,
    /// Unrealised result, account currency.
    pub result: Option<Decimal>,
    /// Distance of the nearest stop from the last price, percent (negative: below).
    pub stop_pct: Option<Decimal>,
}

/// One open order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderView {
    /// Which.
    pub symbol: Symbol,
    /// In words: `buy 0.012 @ 42310.5`.
    pub text: String,
    /// `intent`, `sent`, `accepted`, `unknown`.
    pub status: String,
    /// When it was made.
    pub at: Timestamp,
}

/// One asset of the target allocation.
#[derive(Debug, Clone, PartialEq)]
pub struct AllocationRow {
    /// Which.
    pub asset: Asset,
    /// Worth, account currency.
    pub value: Decimal,
    /// Share of all holdings, percent.
    pub share_pct: Decimal,
    /// Target, percent.
    pub target_pct: Decimal,
}

/// One line of pane 9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthRow {
    /// What is checked: `feed`, `store`, `journal`, `agents`, ...
    pub what: String,
    /// How it is.
    pub status: HealthStatus,
    /// Its numbers.
    pub detail: SafeText,
    /// Operator time since which it is so.
    pub since: Timestamp,
}

/// Result of a health check. Ordered from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthStatus {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Not working.
    Failed,
}
