//! Pane 3: the level and where it comes from.

use crate::domain::{Level, SafeText, Timestamp};

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
