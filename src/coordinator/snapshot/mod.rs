//! What the console sees: a copy of the core's facts, in sections that are rebuilt only when they changed.
//!
//! Times are market time unless a field says otherwise. Ages are not in here: the reader computes them from its own
//! clock, so that a snapshot that stopped coming looks old rather than fresh.

mod consensus;
mod control;
mod level;
mod plans;
mod portfolio;
mod schedule;

use std::sync::Arc;

use crate::alarm::AlarmClass;
use crate::domain::{AlarmId, Decision, Now, Outcome, SafeText, Seq, Timestamp};

pub use consensus::{ConsensusRow, LastSignal, TallyView, VoiceView};
pub use control::{Check, ControlView, HaltReason, ReleaseView, ResumeView};
pub use level::{ComponentView, DegradationView, ForcedView};
pub use plans::{LegView, PlanView};
pub use portfolio::{AllocationRow, OrderView, PortfolioView, PositionView};
pub use schedule::{TaskRow, TaskState, TaskSymbolRow};

/// All the facts at one instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Rises with every change of anything.
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

/// One alarm of pane 6.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmRow {
    /// The occurrence; an acknowledgement names it.
    pub id: AlarmId,
    /// How urgent.
    pub class: AlarmClass,
    /// The catalogue's name for it: `Circuit breaker tripped`.
    pub title: SafeText,
    /// What happened this time, in one line: `daily_loss 5.1% > 5%: paused`.
    pub headline: SafeText,
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
    pub today: Vec<(Outcome, u64)>,
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
