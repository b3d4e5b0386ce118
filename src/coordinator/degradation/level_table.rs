//! Which models each level allows. Tasks follow their `stops_from`, entries the rules of risk and of blocks. Stops, exits
//! and cancels are not here: they are always allowed.

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
