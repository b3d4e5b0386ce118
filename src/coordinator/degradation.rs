//! How much of the system is trusted: failure counters, the level that follows from them, and the operator's floor.
//!
//! The level is a function of the counters and the forced level, never a state of its own, so it cannot drift from
//! them; hysteresis lies in the counters (one failure in a minute counts, three successes in a row take one off).
//! The forced level only tightens. Automatic recovery of the level is the one thing in the house that loosens by
//! itself; it never changes the trading state. Locks of symbols stay until somebody unlocks them.

mod counter;
mod event;
mod forced;
mod level_table;
mod step;
mod task_run;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use counter::{Component, ComponentError, Counter};
pub use event::{DegradationEvent, DegradationRefusal, DegradationTransition, LevelChange, RunResult};
pub use forced::{Forced, ForcedEnd};
pub use level_table::{ModelUse, allows_model};
pub use task_run::{SymbolLock, cycle_result};

use crate::config;
use crate::config::TaskName;
use crate::coordinator::Due;
use crate::domain::{Level, Now, Symbol, Tier, Timestamp};

/// What the level depends on besides the counters.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// Thresholds and spans.
    pub config: &'a config::Degradation,
    /// From which level each task is not run any more.
    pub tasks: &'a BTreeMap<TaskName, config::Task>,
}

impl Policy<'_> {
    /// What the failures of a component count for. Those of a task never bring about by themselves a level that stops
    /// it: it could not succeed there, and the level would never end.
    fn weight(self, component: &Component, counter: Counter) -> u32 {
        let outstanding = u32::from(counter.outstanding);
        let Component::Task(name) = component else { return outstanding };
        let Some(stops_from) = self.tasks.get(name).and_then(|task| task.stops_from) else {
            return outstanding;
        };
        let begins_at = match stops_from {
            Level::Normal => 0,
            Level::Reduced => self.config.reduced_from,
            Level::Limited => self.config.limited_from,
            Level::Emergency => self.config.emergency_from,
        };
        outstanding.min(u32::from(begins_at).saturating_sub(1))
    }
}

/// Counters, forced level, streaks and locks: all durable.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Degradation {
    /// Components with something to remember; one that is not here never failed.
    counters: BTreeMap<Component, Counter>,
    forced: Option<Forced>,
    /// Failures in a row of one symbol of a task, where the task as a whole did not fail.
    streaks: BTreeMap<TaskName, BTreeMap<Symbol, u32>>,
    locks: BTreeMap<Symbol, SymbolLock>,
    /// The effective level as last recorded; only to tell when it changes.
    announced: Level,
    /// Since when it is in force; none before the first change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    announced_at: Option<Now>,
}

impl Degradation {
    /// The level in force as last recorded.
    pub const fn recorded_level(&self) -> Level {
        self.announced
    }

    /// When the level in force began; none if it was never another one.
    pub const fn level_since(&self) -> Option<Now> {
        self.announced_at
    }

    /// Outstanding failures: the worst provider's plus the worst other component's.
    pub fn failures(&self, policy: Policy<'_>) -> u32 {
        self.llm_failures() + self.api_failures(policy)
    }

    /// Those of the worst provider.
    pub fn llm_failures(&self) -> u32 {
        let providers = self.counters.iter().filter(|(component, _)| component.is_provider());
        providers.map(|(_, counter)| u32::from(counter.outstanding)).max().unwrap_or(0)
    }

    /// Those of the worst component that is no provider.
    pub fn api_failures(&self, policy: Policy<'_>) -> u32 {
        let counters = self.counters.iter().filter(|(component, _)| !component.is_provider());
        counters.map(|(component, counter)| policy.weight(component, *counter)).max().unwrap_or(0)
    }

    /// The level that the counters ask for. Rules stand in for every model, so model trouble alone stops at LIMITED.
    pub fn automatic(&self, policy: Policy<'_>) -> Level {
        let by_models_alone = self.api_failures(policy) == 0;
        let level = level_of(self.failures(policy), policy.config);
        if by_models_alone { level.min(Level::Limited) } else { level }
    }

    /// The level in force: the tighter of automatic and forced.
    pub fn effective(&self, policy: Policy<'_>) -> Level {
        self.automatic(policy).max(self.forced_level())
    }

    /// The level that the operator forced, if any.
    pub const fn forced(&self) -> Option<&Forced> {
        self.forced.as_ref()
    }

    fn forced_level(&self) -> Level {
        self.forced.as_ref().map_or(Level::Normal, |forced| forced.level)
    }

    /// Every component with something to remember, for the screen.
    pub fn counters(&self) -> impl Iterator<Item = (&Component, &Counter)> {
        self.counters.iter()
    }

    /// Failures of `component` that successes have not taken off yet.
    pub fn outstanding(&self, component: &Component) -> u8 {
        self.counters.get(component).map_or(0, |counter| counter.outstanding)
    }

    /// Failures in a row of `symbol` in `task`.
    pub fn streak(&self, task: TaskName, symbol: &Symbol) -> u32 {
        self.streaks.get(&task).and_then(|streaks| streaks.get(symbol)).copied().unwrap_or(0)
    }

    /// The lock on entries of `symbol`, if a failing task or the operator set one.
    pub fn lock(&self, symbol: &Symbol) -> Option<&SymbolLock> {
        self.locks.get(symbol)
    }

    /// All locked symbols.
    pub fn locks(&self) -> impl Iterator<Item = (&Symbol, &SymbolLock)> {
        self.locks.iter()
    }

    /// What it takes to force `level` for `until` at `now`, market time: at once when it tightens, in two steps when it
    /// lets the system do more than the forced level that is there, now or once the new one has ended.
    pub fn force_tier(&self, level: Level, until: Option<Duration>, now: Timestamp) -> Tier {
        let Some(forced) = &self.forced else { return Tier::Safer };
        let ends_earlier = match (until, forced.end) {
            (Some(_), None) => true,
            (Some(length), Some(end)) => now.plus(length) < end.at,
            (None, _) => false,
        };
        if level < forced.level || ends_earlier { Tier::Looser } else { Tier::Safer }
    }

    /// When [`DegradationEvent::Tick`] has something to do next. Review is operator time, warning and end are market
    /// time; each may lie in the past.
    pub fn next_due(&self, policy: Policy<'_>) -> Due {
        self.forced.as_ref().map_or_else(Due::default, |forced| forced.next_due(policy.config))
    }

    /// Whether the level in force differs from the one that was last recorded, and how.
    fn level_change(&self, policy: Policy<'_>, at: Now) -> Option<DegradationTransition> {
        let to = self.effective(policy);
        (to != self.announced).then(|| {
            DegradationTransition::LevelChanged(LevelChange {
                from: self.announced,
                to,
                automatic: self.automatic(policy),
                forced: self.forced.as_ref().map(|forced| forced.level),
                failures: self.failures(policy),
                at,
            })
        })
    }
}

fn level_of(failures: u32, config: &config::Degradation) -> Level {
    if failures >= u32::from(config.emergency_from) {
        Level::Emergency
    } else if failures >= u32::from(config.limited_from) {
        Level::Limited
    } else if failures >= u32::from(config.reduced_from) {
        Level::Reduced
    } else {
        Level::Normal
    }
}

#[cfg(test)]
mod tests;
