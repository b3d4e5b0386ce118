//! What can happen to the degradation level, what follows from it, and why something is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Component, Counter, Forced, ForcedEnd, SymbolLock};
use crate::config::TaskName;
use crate::domain::{Actor, Level, Now, PriceJump, SafeText, Symbol};

/// How one run for one symbol ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunResult {
    /// With an output.
    Succeeded,
    /// With an error, a timeout or a panic.
    Failed,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DegradationEvent {
    /// A component failed (a provider: an error, a timeout, an unreadable answer). Failing probes are not reported.
    Failed(Component),
    /// A component succeeded, wherever that happened; succeeding probes too.
    Succeeded(Component),
    /// All runs of one cycle of a per-symbol task are over.
    TaskRan {
        /// Which task.
        task: TaskName,
        /// For how many symbols it is scheduled in all.
        symbols_in_all: usize,
        /// How each symbol of this cycle ended.
        results: BTreeMap<Symbol, RunResult>,
    },
    /// The operator sets a floor under the level.
    Force {
        /// The floor.
        level: Level,
        /// Ends by itself after this long, market time.
        until: Option<Duration>,
        /// By whom.
        by: Actor,
        /// Why; may be empty when it tightens.
        reason: String,
    },
    /// The operator takes the floor away.
    ClearForced {
        /// By whom.
        by: Actor,
        /// Why; must not be empty.
        reason: String,
    },
    /// The operator sets all failure counters and streaks to zero. Locks stay.
    ResetFailures {
        /// By whom.
        by: Actor,
        /// Why; must not be empty.
        reason: String,
    },
    /// No entries for one symbol.
    Lock {
        /// Which.
        symbol: Symbol,
        /// By whom.
        by: Actor,
    },
    /// No entries for one symbol until somebody has looked at its price.
    PriceJumped {
        /// Which.
        symbol: Symbol,
        /// From where to where.
        jump: PriceJump,
    },
    /// Entries for it again.
    Unlock {
        /// Which.
        symbol: Symbol,
        /// By whom.
        by: Actor,
    },
    /// Time went on.
    Tick,
    /// The process began again, with these providers configured.
    Restart {
        /// Their names.
        providers: Vec<String>,
    },
}

/// A change of the effective level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelChange {
    /// Before.
    pub from: Level,
    /// In force now.
    pub to: Level,
    /// What the counters ask for.
    pub automatic: Level,
    /// What the operator asks for.
    pub forced: Option<Level>,
    /// Outstanding failures.
    pub failures: u32,
    /// When.
    pub at: Now,
}

/// One change: the only thing that changes the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "transition")]
pub enum DegradationTransition {
    /// A counter is this now.
    Counted {
        /// Whose.
        component: Component,
        /// Its new value.
        counter: Counter,
    },
    /// A component is not there any more (a provider that is no longer configured).
    Forgotten {
        /// Which.
        component: Component,
    },
    /// All counters and streaks are zero.
    FailuresReset {
        /// By whom.
        by: Actor,
        /// Why.
        reason: SafeText,
    },
    /// The forced level is this now.
    Forced {
        /// The new floor.
        forced: Forced,
    },
    /// The forced level was taken away.
    ForcedCleared {
        /// Which it was.
        level: Level,
        /// By whom.
        by: Actor,
        /// Why.
        reason: SafeText,
    },
    /// The forced level came to the end that was asked for.
    ForcedEnded {
        /// Which it was.
        level: Level,
        /// Since when.
        since: Now,
    },
    /// The forced level is due for review: alarm.
    ReviewDue {
        /// Which it is.
        level: Level,
        /// Since when.
        since: Now,
    },
    /// The forced level ends soon: warning.
    EndNear {
        /// Which it is.
        level: Level,
        /// Its end.
        end: ForcedEnd,
    },
    /// So many failures in a row of one symbol of a task.
    Streak {
        /// Which task.
        task: TaskName,
        /// Which symbol.
        symbol: Symbol,
        /// How many; zero ends it.
        failures: u32,
    },
    /// No entries for a symbol.
    Locked {
        /// Which.
        symbol: Symbol,
        /// Why and since when.
        lock: SymbolLock,
    },
    /// Entries for a symbol again.
    Unlocked {
        /// Which.
        symbol: Symbol,
        /// By whom.
        by: Actor,
    },
    /// The effective level changed: system event, and from LIMITED an alarm.
    LevelChanged(LevelChange),
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DegradationRefusal {
    /// Loosening wants a reason.
    #[error("give a reason: it loosens the level")]
    ReasonWanted,
    /// There is nothing to take away.
    #[error("no level is forced: nothing to clear")]
    NothingForced,
    /// NORMAL is not a floor.
    #[error("NORMAL forces nothing: to take a forced level away, use clear_level REASON")]
    NormalForcesNothing,
    /// An end that has passed already.
    #[error("--until must be longer than zero")]
    NoLength,
    /// It is not locked.
    #[error("{0} is not locked")]
    NotLocked(Symbol),
}
