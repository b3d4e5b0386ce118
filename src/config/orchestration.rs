//! `orchestration.yaml`: how the coordinator decides.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::by_name::by_name;
use crate::domain::{Level, Pct, ResolutionAction, Symbol};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orchestration {
    /// The pairs to trade.
    pub symbols: Vec<Symbol>,
    /// Restart and codes.
    pub control: Control,
    /// History and sizes of the bus.
    pub message_bus: MessageBus,
    /// Models.
    pub llm: Llm,
    /// When the level changes.
    pub degradation: Degradation,
    /// How voices change confidence.
    pub consensus: Consensus,
    /// How old things may be.
    pub signals: Signals,
    /// What counts as a quiet, a stale or a broken market.
    pub market: Market,
    /// What speaks against a signal, and what then.
    pub conflicts: Conflicts,
    /// The tasks.
    pub schedules: Schedules,
    /// What each breach does.
    pub emergency: Emergency,
    /// Health checks.
    pub health: Health,
    /// Journal and outbox.
    pub store: Store,
}

/// In which trading state a restart comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// PAUSED (HALTED stays HALTED).
    Paused,
    /// As it was; simulated and replayed markets only.
    Last,
}

/// Section `control`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// State after a restart.
    pub restart: Restart,
    /// How long the second `H` may follow the first (operator time).
    #[serde(with = "humantime_serde")]
    pub halt_confirm_within: Duration,
    /// How long a release code is valid (operator time).
    #[serde(with = "humantime_serde")]
    pub release_code_valid_for: Duration,
}

/// Section `message_bus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageBus {
    /// Messages kept for history queries.
    pub max_history_size: usize,
    /// Largest message, bytes of its JSON form.
    pub max_message_bytes: usize,
    /// How often expired messages are cleaned out (market time).
    #[serde(with = "humantime_serde")]
    pub cleanup_every: Duration,
}

/// Section `llm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Llm {
    /// Longest a conflict may wait for an answer, all providers together (operator time).
    #[serde(with = "humantime_serde")]
    pub resolve_within: Duration,
    /// Longest distance of the probes of a failing provider; they begin at `health.every` (operator time).
    #[serde(with = "humantime_serde")]
    pub probe_backoff_max: Duration,
    /// Who is asked first. None is a mode, not a failure: rules and defaults decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<Provider>,
    /// Who is asked when the primary gives no usable answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Provider>,
}

impl Llm {
    /// The providers in the order in which they are asked, each with its key.
    pub fn providers(&self) -> impl Iterator<Item = (&'static str, &Provider)> {
        let keyed = [("primary", &self.primary), ("fallback", &self.fallback)];
        keyed.into_iter().filter_map(|(key, provider)| Some((key, provider.as_ref()?)))
    }
}

/// `llm.primary` and `llm.fallback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in journal, alarms and on the screen.
    pub name: String,
    /// A call that takes longer has failed (operator time).
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

/// Section `degradation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Degradation {
    /// Failures from which REDUCED begins.
    pub reduced_from: u8,
    /// Failures from which LIMITED begins.
    pub limited_from: u8,
    /// Failures from which EMERGENCY begins.
    pub emergency_from: u8,
    /// Most outstanding failures of one component.
    pub failures_max: u8,
    /// At most one failure of a component counts in this span (operator time).
    #[serde(with = "humantime_serde")]
    pub failure_spacing: Duration,
    /// Successes in a row that take one failure off.
    pub successes_to_recover: u8,
    /// When a forced level is due for review (operator time).
    #[serde(with = "humantime_serde")]
    pub forced_review_after: Duration,
    /// How long before its end the end of a forced level is announced (market time).
    #[serde(with = "humantime_serde")]
    pub forced_end_warned_before: Duration,
    /// Failures in a row of one symbol of a task that lock the symbol.
    pub symbol_lock_after: u8,
}

/// Section `consensus`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consensus {
    /// Share of agreeing voices from which confidence is raised, 0 to 1.
    pub high: f64,
    /// Share below which confidence is lowered, 0 to 1.
    pub low: f64,
    /// Largest raise: 0.30 is x1.30.
    pub max_boost: f64,
    /// Largest cut: 0.15 is x0.85.
    pub max_penalty: f64,
    /// Fewest present voices for a raise.
    pub min_voices_for_boost: u8,
    /// Candle intervals of the feed for which each voice counts at least.
    pub fresh_candles_min: u32,
    /// How long each voice counts.
    pub fresh_for: FreshFor,
}

/// Section `consensus.fresh_for`, market time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshFor {
    /// Technical analysis.
    #[serde(with = "humantime_serde")]
    pub technical: Duration,
    /// Regime.
    #[serde(with = "humantime_serde")]
    pub regime: Duration,
    /// Sentiment.
    #[serde(with = "humantime_serde")]
    pub sentiment: Duration,
}

/// Section `signals`, market time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signals {
    /// A signal older than this, or `max_age_candles`, is not traded.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// The same in candle intervals; the longer one rules.
    pub max_age_candles: u32,
    /// A price older than this, or `feed_stale_candles`, blocks entries.
    #[serde(with = "humantime_serde")]
    pub feed_stale_after: Duration,
    /// The same in candle intervals; the longer one rules.
    pub feed_stale_candles: u32,
}

/// Section `market`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// A price that moves by more than this from one candle to the next locks its symbol.
    pub jump_max_pct: Pct,
    /// An asset that is held may be without a fresh price for this long, and at least two candles, before it is an
    /// alarm (market time).
    #[serde(with = "humantime_serde")]
    pub stale_held_max: Duration,
    /// Two rows of a replay at most this far apart, or two candles, are a quiet market; longer is a gap.
    #[serde(with = "humantime_serde")]
    pub quiet_max: Duration,
    /// Longest gap that a replay is played over.
    #[serde(with = "humantime_serde")]
    pub gap_max: Duration,
}

/// Section `conflicts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflicts {
    /// TA and sentiment conflict only when their confidences are closer than this, 0 to 1.
    pub confidence_gap: f64,
    /// A model that says `proceed` or `modify` with less confidence than this is taken to say `wait`, 0 to 1.
    pub proceed_confidence_min: f64,
    /// What happens without a model.
    pub defaults: ConflictDefaults,
    /// What a model may change.
    pub modification_bounds: ModificationBounds,
}

/// Section `conflicts.defaults`: `proceed`, `wait` or `abort`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConflictDefaults {
    /// TA against sentiment.
    pub ta_sentiment_conflict: ResolutionAction,
    /// Choppy regime.
    pub regime_conflict: ResolutionAction,
    /// Risk alert in force.
    pub risk_override: ResolutionAction,
}

/// Section `conflicts.modification_bounds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModificationBounds {
    /// Least leverage.
    pub leverage_min: rust_decimal::Decimal,
    /// Most leverage, and never above the signal's own.
    pub leverage_max: rust_decimal::Decimal,
    /// Most reduction of the size, percent.
    pub size_reduction_pct_max: Pct,
    /// Most adjustment of the entry, percent, to the passive side only.
    pub entry_adjustment_pct_max: Pct,
}

/// Section `schedules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedules {
    /// Most (task, symbol) runs at once.
    pub concurrent_max: usize,
    /// By task name.
    #[serde(deserialize_with = "by_name")]
    pub tasks: BTreeMap<TaskName, Task>,
}

/// The tasks there are, in the order in which they run at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskName {
    /// Indicators to a bias, per symbol.
    TechnicalAnalysis,
    /// Indicators to a regime, per symbol.
    RegimeDetection,
    /// Mood, per symbol.
    SentimentAnalysis,
    /// Voices to a signal, per symbol.
    TradingDecision,
    /// Balances against targets, once for the portfolio.
    PortfolioRebalance,
}

impl TaskName {
    /// All tasks.
    pub const ALL: [Self; 5] = [
        Self::TechnicalAnalysis,
        Self::RegimeDetection,
        Self::SentimentAnalysis,
        Self::TradingDecision,
        Self::PortfolioRebalance,
    ];

    /// The name in config, journal and screen; also the source of its messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TechnicalAnalysis => "technical_analysis",
            Self::RegimeDetection => "regime_detection",
            Self::SentimentAnalysis => "sentiment_analysis",
            Self::TradingDecision => "trading_decision",
            Self::PortfolioRebalance => "portfolio_rebalance",
        }
    }

    /// Whether it runs once for every symbol, or once for the portfolio.
    pub const fn is_per_symbol(self) -> bool {
        !matches!(self, Self::PortfolioRebalance)
    }
}

impl std::fmt::Display for TaskName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for TaskName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|task| task.name() == text).ok_or_else(|| {
            format!("`{text}` is not a task: it is one of {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Distance of its runs (market time).
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// A run that takes longer has failed (operator time).
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Most symbols at once.
    pub concurrent: usize,
    /// Tasks that must have succeeded since this one last ran.
    pub depends_on: Vec<TaskName>,
    /// Whether it runs at once at start, rather than one interval later.
    pub run_on_start: bool,
    /// Level from which it is skipped; none means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops_from: Option<Level>,
}

/// Section `emergency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// By breach. One that is not here: `halt_all` for severity high or critical, else `pause_trading`.
    pub actions: BTreeMap<String, EmergencyAction>,
}

/// What a breach does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmergencyVerb {
    /// Trading state PAUSED.
    PauseTrading,
    /// Sell `reduce_pct` of every lot, and PAUSED.
    ReducePositions,
    /// Trading state HALTED.
    HaltAll,
}

/// One entry of `emergency.actions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyAction {
    /// What is done.
    pub action: EmergencyVerb,
    /// Share of every lot to sell; `reduce_positions` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce_pct: Option<Pct>,
    /// Close all lots too; `halt_all` only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub close_positions: bool,
}

/// Section `health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// How often everything is checked (operator time).
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// Least free space in the data directory, MiB.
    pub disk_free_min_mib: u64,
    /// Largest difference between process and wall clock.
    #[serde(with = "humantime_serde")]
    pub clock_drift_max: Duration,
    /// Execution errors in a row that begin a cooldown.
    pub execution_errors_max: u8,
    /// Its length (market time).
    #[serde(with = "humantime_serde")]
    pub execution_cooldown: Duration,
    /// Failures of a task in a row that raise an alarm.
    pub task_failing_after: u32,
    /// Failures of a model provider in a row with which it counts as down.
    pub provider_down_after: u32,
}

/// Section `store`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Longest a record may wait for the disk before entries are blocked (operator time).
    #[serde(with = "humantime_serde")]
    pub outbox_wait_max: Duration,
    /// Most records that may wait before entries are blocked.
    pub outbox_records_max: u64,
    /// Records per journal segment.
    pub segment_records: u64,
}
