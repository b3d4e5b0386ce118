//! What a schedule is made from, and what stands above every task.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::config::{Schedules, Task, TaskName};
use crate::domain::{Level, Symbol, TradingState};

/// Which tasks have somewhere to get their answer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Sentiment has one on the simulated market, and wherever a model is configured.
    pub sentiment: bool,
}

impl Sources {
    pub(super) const fn has(self, task: TaskName) -> bool {
        match task {
            TaskName::SentimentAnalysis => self.sentiment,
            TaskName::TechnicalAnalysis
            | TaskName::RegimeDetection
            | TaskName::TradingDecision
            | TaskName::PortfolioRebalance => true,
        }
    }
}

/// What a schedule is made from.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// Intervals, limits, dependencies.
    pub config: &'a Schedules,
    /// The pairs, in config order.
    pub symbols: &'a [Symbol],
    /// Which tasks can answer at all.
    pub sources: Sources,
    /// Tasks that the operator has disabled (durable state of the core).
    pub disabled: &'a BTreeSet<TaskName>,
    /// Simulated market: every task is due at once, and runs in dependency order.
    pub run_all_on_start: bool,
}

/// What stands above every task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// The effective degradation level.
    pub level: Level,
    /// HALTED leaves only rule-based technical and regime analysis; PAUSED changes nothing here.
    pub state: TradingState,
}

/// Why a task may not run at all under the present conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    Level(Level),
    Halted,
}

impl Conditions {
    pub(super) fn skip(self, name: TaskName, task: &Task) -> Option<Skip> {
        let blind_without = matches!(name, TaskName::TechnicalAnalysis | TaskName::RegimeDetection);
        if self.state == TradingState::Halted && !blind_without {
            Some(Skip::Halted)
        } else if task.stops_from.is_some_and(|from| self.level >= from) {
            Some(Skip::Level(self.level))
        } else {
            None
        }
    }
}
