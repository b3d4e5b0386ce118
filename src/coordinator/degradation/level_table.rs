//! What each level allows. Stops, exits and cancels are not here: they are always allowed.

use rust_decimal::Decimal;

use crate::domain::{ConflictKind, Level};

/// What a model is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelUse {
    /// To decide a conflict.
    Conflict(ConflictKind),
    /// For an analysing or deciding agent.
    Agent,
    /// For the strategy of a rebalance.
    RebalanceStrategy,
}

/// Whether a model may be asked at `level`. A risk override no model ever decides.
pub fn allows_model(level: Level, wanted: ModelUse) -> bool {
    let tightest = match wanted {
        ModelUse::Conflict(ConflictKind::RiskOverride) => return false,
        ModelUse::Conflict(ConflictKind::RegimeConflict) => Level::Limited,
        ModelUse::Conflict(ConflictKind::TaSentimentConflict) | ModelUse::Agent => Level::Reduced,
        ModelUse::RebalanceStrategy => Level::Normal,
    };
    level <= tightest
}

/// How large the entry of a signal may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntrySize {
    /// As signalled.
    Full,
    /// Half of it.
    Halved,
    /// No entry.
    None,
}

impl EntrySize {
    /// By what a size is multiplied.
    pub const fn factor(self) -> Decimal {
        match self {
            Self::Full => Decimal::ONE,
            Self::Halved => Decimal::from_parts(5, 0, 0, false, 1),
            Self::None => Decimal::ZERO,
        }
    }
}

/// Signal entries at `level`.
pub const fn entry_size(level: Level) -> EntrySize {
    match level {
        Level::Normal | Level::Reduced => EntrySize::Full,
        Level::Limited => EntrySize::Halved,
        Level::Emergency => EntrySize::None,
    }
}

/// Whether DCA legs run at `level`; otherwise they are deferred.
pub const fn allows_legs(level: Level) -> bool {
    match level {
        Level::Normal | Level::Reduced | Level::Limited => true,
        Level::Emergency => false,
    }
}

/// Whether a task with this `stops_from` runs at `level`.
pub fn task_runs(level: Level, stops_from: Option<Level>) -> bool {
    stops_from.is_none_or(|from| level < from)
}
