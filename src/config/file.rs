//! The files the configuration consists of, and their embedded defaults.

use std::fmt;

/// One configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigFile {
    /// `orchestration.yaml`.
    Orchestration,
    /// `agents.yaml`.
    Agents,
    /// `risk.yaml`.
    Risk,
    /// `portfolio.yaml`.
    Portfolio,
    /// `execution.yaml`.
    Execution,
    /// `console.yaml`.
    Console,
}

impl ConfigFile {
    /// All files, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Orchestration, Self::Agents, Self::Risk, Self::Portfolio, Self::Execution, Self::Console];

    /// The name without its ending, as written in `--set STEM.KEY=VALUE`.
    pub const fn stem(self) -> &'static str {
        match self {
            Self::Orchestration => "orchestration",
            Self::Agents => "agents",
            Self::Risk => "risk",
            Self::Portfolio => "portfolio",
            Self::Execution => "execution",
            Self::Console => "console",
        }
    }

    /// The name in a configuration directory.
    pub fn file_name(self) -> String {
        format!("{}.yaml", self.stem())
    }

    /// The commented defaults.
    pub const fn embedded(self) -> &'static str {
        match self {
            Self::Orchestration => include_str!("../../config/orchestration.yaml"),
            Self::Agents => include_str!("../../config/agents.yaml"),
            Self::Risk => include_str!("../../config/risk.yaml"),
            Self::Portfolio => include_str!("../../config/portfolio.yaml"),
            Self::Execution => include_str!("../../config/execution.yaml"),
            Self::Console => include_str!("../../config/console.yaml"),
        }
    }

    /// The file with this stem.
    pub fn of_stem(stem: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|file| file.stem() == stem)
    }
}

impl fmt::Display for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.yaml", self.stem())
    }
}
