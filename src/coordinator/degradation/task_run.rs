//! A cycle of a per-symbol task: does the task fail as a whole, or one of its symbols alone?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{DegradationRefusal, DegradationTransition, RunResult};
use super::{Component, Degradation, Policy};
use crate::config::TaskName;
use crate::domain::{Actor, Now, PriceJump, Symbol};

/// Why a symbol takes no entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SymbolLock {
    /// Who locked it.
    pub by: Actor,
    /// The task that failed for it; none if something else locked it.
    pub task: Option<TaskName>,
    /// The jump of its price that locked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<PriceJump>,
    /// Since when.
    pub at: Now,
}

/// How a cycle ended. The whole task fails when at least half of all its symbols failed in it. It succeeds when fewer
/// than half of those that ran failed; one symbol that was run by itself and failed is neither.
pub fn cycle_result(symbols_in_all: usize, results: &BTreeMap<Symbol, RunResult>) -> Option<RunResult> {
    let failures = results.values().filter(|result| **result == RunResult::Failed).count();
    if failures > 0 && failures * 2 >= symbols_in_all.max(results.len()) {
        Some(RunResult::Failed)
    } else {
        (failures * 2 < results.len()).then_some(RunResult::Succeeded)
    }
}

impl Degradation {
    pub(super) fn task_ran(
        &self,
        task: TaskName,
        symbols_in_all: usize,
        results: &BTreeMap<Symbol, RunResult>,
        policy: Policy<'_>,
        now: Now,
    ) -> Vec<DegradationTransition> {
        let component = Component::Task(task);
        let cycle = cycle_result(symbols_in_all, results);
        let counted = match cycle {
            Some(RunResult::Failed) => self.failed(&component, policy, now),
            Some(RunResult::Succeeded) => self.succeeded(&component, policy),
            None => None,
        };
        let mut transitions: Vec<_> = counted.into_iter().collect();
        for (symbol, result) in results {
            let streak = self.streak(task, symbol);
            let failures = match result {
                RunResult::Succeeded => 0,
                // Not the symbol's own trouble.
                RunResult::Failed if cycle == Some(RunResult::Failed) => streak,
                RunResult::Failed => streak.saturating_add(1),
            };
            if failures != streak {
                transitions.push(DegradationTransition::Streak { task, symbol: symbol.clone(), failures });
            }
            let lock_now = failures > streak && failures >= u32::from(policy.config.symbol_lock_after);
            if lock_now && !self.locks.contains_key(symbol) {
                let lock = SymbolLock { by: Actor::Coordinator, task: Some(task), jump: None, at: now };
                transitions.push(DegradationTransition::Locked { symbol: symbol.clone(), lock });
            }
        }
        transitions
    }

    /// A jump locks also what is locked already: each has to be looked at.
    pub(super) fn lock_for_jump(symbol: &Symbol, jump: PriceJump, now: Now) -> DegradationTransition {
        let lock = SymbolLock { by: Actor::Coordinator, task: None, jump: Some(jump), at: now };
        DegradationTransition::Locked { symbol: symbol.clone(), lock }
    }

    /// The operator's lock; it stands over any other, so that the name on the screen is the person's.
    pub(super) fn lock_by(&self, symbol: &Symbol, by: &Actor, now: Now) -> Option<DegradationTransition> {
        let own = self.locks.get(symbol).is_some_and(|lock| lock.task.is_none() && lock.jump.is_none());
        (!own).then(|| DegradationTransition::Locked {
            symbol: symbol.clone(),
            lock: SymbolLock { by: by.clone(), task: None, jump: None, at: now },
        })
    }

    pub(super) fn unlock(
        &self,
        symbol: &Symbol,
        by: &Actor,
    ) -> Result<DegradationTransition, DegradationRefusal> {
        if self.locks.contains_key(symbol) {
            Ok(DegradationTransition::Unlocked { symbol: symbol.clone(), by: by.clone() })
        } else {
            Err(DegradationRefusal::NotLocked(symbol.clone()))
        }
    }

    pub(super) fn set_streak(&mut self, task: TaskName, symbol: &Symbol, failures: u32) {
        let streaks = self.streaks.entry(task).or_default();
        if failures == 0 {
            streaks.remove(symbol);
        } else {
            streaks.insert(symbol.clone(), failures);
        }
    }
}
