//! Who did something.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who asked for a change: every record of the journal names one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The person at the console or behind `ctl`: OS user, uid, and the name given with `--operator`.
    Operator {
        /// OS user name.
        user: String,
        /// OS user id.
        uid: u32,
        /// What the person wants to be called, if said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The coordinator itself, applying a rule.
    Coordinator,
    /// A circuit breaker.
    Breaker,
    /// The watchdog thread.
    Watchdog,
    /// A value in the configuration.
    Config,
    /// The operator script of a simulated or replayed run.
    Script,
    /// The runtime (start, recovery, supervision).
    Runtime,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator { user, name, .. } => f.write_str(name.as_deref().unwrap_or(user)),
            Self::Coordinator => f.write_str("coordinator"),
            Self::Breaker => f.write_str("breaker"),
            Self::Watchdog => f.write_str("watchdog"),
            Self::Config => f.write_str("config"),
            Self::Script => f.write_str("script"),
            Self::Runtime => f.write_str("runtime"),
        }
    }
}
