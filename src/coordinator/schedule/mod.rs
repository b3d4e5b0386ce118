//! Which task runs next, for which symbol. A pure machine: it reads no clock, starts nothing itself and knows no
//! agent; it names the runs that must begin now and is told how they ended.
//!
//! It is not journaled: an [`ScheduleImage`] of it rides in the checkpoint, and losing that costs one
//! interval, never an order. The rules are "Scheduled tasks" of the coordinator's notes: no run of a (task, symbol)
//! overlaps another, missed ticks collapse into one run, and a dependency that cannot run never starves what is
//! behind it.

mod image;
mod news;
mod row;
mod setup;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Task, TaskName};
use crate::coordinator::task::TaskFailure;
use crate::domain::{Level, Now, RunId, Symbol, Timestamp, TradingState};

pub use image::{RowImage, ScheduleImage};
pub use news::{Expired, Finished, NextDue, RunNowRefusal, Start};
pub use row::{Counts, LastRun, RunOutcome, Wait};
use row::{Row, Running};
use setup::Skip;
pub use setup::{Conditions, Setup, Sources};
pub use view::{RowStatus, RowView};

/// The schedule: one row per task and symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    concurrent_max: usize,
    tasks: BTreeMap<TaskName, Task>,
    sources: Sources,
    disabled: BTreeSet<TaskName>,
    /// In dependency, then config, then symbol order.
    rows: Vec<Row>,
    /// Rows that each row waits for, by index.
    dependencies: Vec<Vec<usize>>,
    /// Symbols of which the feed has given a candle; of the others there is nothing to analyse yet.
    seen: BTreeSet<Symbol>,
    /// Runs that timed out and have not answered since: run to row.
    abandoned: BTreeMap<RunId, usize>,
    conditions: Conditions,
    /// Orders events within one instant; never goes back.
    clock: u64,
    /// Earliest tick of a row that nobody has noticed yet.
    next_tick: Option<Timestamp>,
    /// Set when something happened that may let a waiting row go.
    recheck_at: Option<Timestamp>,
    next_timeout: Option<Timestamp>,
}

impl Schedule {
    /// A schedule that has never run. Tasks with `run_on_start` are due at once, the others one interval later.
    pub fn new(setup: &Setup<'_>, now: Now) -> Self {
        let order = dependency_order(&setup.config.tasks);
        let mut rows = Vec::new();
        for name in order {
            let Some(task) = setup.config.tasks.get(&name) else { continue };
            let at_once = task.run_on_start || setup.run_all_on_start;
            let due_at = if at_once { now.market } else { now.market.plus(task.every) };
            if name.is_per_symbol() {
                rows.extend(setup.symbols.iter().map(|s| Row::new(name, Some(s.clone()), due_at)));
            } else {
                rows.push(Row::new(name, None, due_at));
            }
        }
        let dependencies = rows.iter().map(|row| dependencies_of(row, &rows, &setup.config.tasks)).collect();
        let mut schedule = Self {
            concurrent_max: setup.config.concurrent_max.max(1),
            tasks: setup.config.tasks.clone(),
            sources: setup.sources,
            disabled: setup.disabled.clone(),
            rows,
            dependencies,
            seen: BTreeSet::new(),
            abandoned: BTreeMap::new(),
            conditions: Conditions { level: Level::Normal, state: TradingState::Running },
            clock: 0,
            next_tick: None,
            recheck_at: None,
            next_timeout: None,
        };
        schedule.refresh_next_tick();
        schedule
    }

    /// The runs that begin now, oldest tick first and at one instant in dependency, config and symbol order. Call it
    /// after every other change of the step; with nothing due it is three comparisons. `next_run_id` is asked once
    /// per run and must never give the same id twice.
    pub fn start_due(
        &mut self,
        now: Now,
        conditions: Conditions,
        mut next_run_id: impl FnMut() -> RunId,
    ) -> Vec<Start> {
        let tick_passed = self.next_tick.is_some_and(|at| at <= now.market);
        if !tick_passed && self.recheck_at.is_none() && conditions == self.conditions {
            return Vec::new();
        }
        self.conditions = conditions;
        self.recheck_at = None;
        self.notice_due(now.market);
        let mut starts = Vec::new();
        for index in self.waiting() {
            match self.hindrance(index) {
                Some(wait) => self.rows[index].wait = Some(wait),
                None => starts.push(self.start(index, now, next_run_id())),
            }
        }
        self.refresh_next_tick();
        starts
    }

    /// What a run in flight was asked; none of a run that nobody waits for.
    pub fn asked(&self, run: RunId) -> Option<(TaskName, Option<&Symbol>)> {
        let row = self.rows.iter().find(|row| row.is_running(run))?;
        Some((row.task, row.symbol.as_ref()))
    }

    /// Takes the end of a run. A failed run is no success for what depends on it, and is not tried again before its
    /// next tick.
    pub fn finished(&mut self, run: RunId, now: Now, result: Result<(), &TaskFailure>) -> Finished {
        if let Some(index) = self.abandoned.remove(&run) {
            let row = &mut self.rows[index];
            row.counts.abandoned = row.counts.abandoned.saturating_sub(1);
            return Finished::Late { task: row.task, symbol: row.symbol.clone() };
        }
        let Some(index) = self.rows.iter().position(|row| row.is_running(run)) else {
            return Finished::Unknown;
        };
        let clock = self.advance();
        let row = &mut self.rows[index];
        row.end(now, clock, result.map_err(Clone::clone));
        let finished = Finished::InTime { task: row.task, symbol: row.symbol.clone() };
        self.after_end(now);
        finished
    }

    /// Ends the runs whose timeout is over (operator time). Each counts as failed and frees its slot; until it answers
    /// it is counted as abandoned, and its answer will be [`Finished::Late`].
    pub fn expired(&mut self, now: Now) -> Vec<Expired> {
        if self.next_timeout.is_none_or(|at| at > now.operator) {
            return Vec::new();
        }
        let mut expired = Vec::new();
        for index in 0..self.rows.len() {
            let over = self.rows[index].running.as_ref().filter(|r| r.timeout_at <= now.operator);
            let Some(run) = over.map(|running| running.run) else { continue };
            let clock = self.advance();
            let row = &mut self.rows[index];
            row.end(now, clock, Err(TaskFailure::TimedOut));
            row.counts.abandoned = row.counts.abandoned.saturating_add(1);
            expired.push(Expired { run, task: row.task, symbol: row.symbol.clone() });
            self.abandoned.insert(run, index);
        }
        self.after_end(now);
        expired
    }

    /// The feed gave a candle of `symbol`: its runs may begin.
    pub fn candle_seen(&mut self, symbol: &Symbol, now: Timestamp) {
        if !self.seen.contains(symbol) {
            self.seen.insert(symbol.clone());
            self.recheck_at = Some(now);
        }
    }

    /// Enables or disables a task. A run in flight ends as it would have; a task that is enabled again waits for its
    /// next tick.
    pub fn set_enabled(&mut self, task: TaskName, enabled: bool, now: Now) {
        let changed = if enabled { self.disabled.remove(&task) } else { self.disabled.insert(task) };
        if !changed {
            return;
        }
        let every = self.tasks.get(&task).map(|task| task.every).unwrap_or_default();
        for row in self.rows.iter_mut().filter(|row| row.task == task) {
            row.forget_tick();
            row.roll(now.market, every);
        }
        self.recheck_at = Some(now.market);
        self.refresh_next_tick();
    }

    /// Has a task run at the next [`Schedule::start_due`], for one symbol or for all. The operator's word stands in for
    /// dependencies and ticks, not for limits, level, halt or a run that is still going. Its ticks stay where they are.
    ///
    /// # Errors
    /// Nothing of it can run; the text says why.
    pub fn run_now(
        &mut self,
        task: TaskName,
        symbol: Option<&Symbol>,
        now: Now,
        conditions: Conditions,
    ) -> Result<(), RunNowRefusal> {
        let wanted = |row: &Row| row.task == task && (symbol.is_none() || row.symbol.as_ref() == symbol);
        let config = self.tasks.get(&task).filter(|_| self.rows.iter().any(wanted));
        let Some(config) = config else {
            let symbol = symbol.map_or_else(|| "the portfolio".to_owned(), ToString::to_string);
            return Err(RunNowRefusal::NoSuchRow { task, symbol });
        };
        if !self.sources.has(task) {
            return Err(RunNowRefusal::NoSource(task));
        }
        if self.disabled.contains(&task) {
            return Err(RunNowRefusal::Disabled(task));
        }
        match conditions.skip(task, config) {
            Some(Skip::Halted) => return Err(RunNowRefusal::Halted(task)),
            Some(Skip::Level(level)) => return Err(RunNowRefusal::SkippedByLevel { task, level }),
            None => {}
        }
        let mut any = false;
        for row in self.rows.iter_mut().filter(|row| wanted(row) && row.running.is_none()) {
            row.requested = true;
            any = true;
        }
        if !any {
            return Err(RunNowRefusal::AlreadyRunning(task));
        }
        self.recheck_at = Some(now.market);
        Ok(())
    }

    /// When to come back: the next tick in market time, the next timeout in operator time. Rows that wait for a
    /// dependency or a slot are not in it: what they wait for is.
    pub fn next_due(&self) -> NextDue {
        let market = [self.next_tick, self.recheck_at].into_iter().flatten().min();
        NextDue { market, operator: self.next_timeout }
    }

    fn advance(&mut self) -> u64 {
        self.clock = self.clock.saturating_add(1);
        self.clock
    }

    /// The next tick of a task for any symbol, market time; none if it cannot run at all.
    pub fn next_run_of(&self, task: TaskName) -> Option<Timestamp> {
        let rows = self.rows.iter().filter(|row| row.task == task && self.is_live(row));
        rows.map(|row| row.due_at).min()
    }

    /// Whether a row's task is switched on and has someone to ask, whatever the conditions.
    fn is_live(&self, row: &Row) -> bool {
        self.sources.has(row.task) && !self.disabled.contains(&row.task)
    }

    fn skip(&self, row: &Row) -> Option<Skip> {
        self.tasks.get(&row.task).and_then(|task| self.conditions.skip(row.task, task))
    }

    /// Marks the rows whose tick has come. The tick of a skipped row passes unused, so that nothing has piled up when
    /// the skipping ends.
    fn notice_due(&mut self, now: Timestamp) {
        let clock = self.advance();
        for index in 0..self.rows.len() {
            let row = &self.rows[index];
            if !self.is_live(row) {
                continue;
            }
            let skipped = self.skip(row).is_some();
            let every = self.tasks.get(&row.task).map(|task| task.every).unwrap_or_default();
            let row = &mut self.rows[index];
            if skipped {
                row.forget_tick();
                if row.roll(now, every) {
                    row.counts.skipped = row.counts.skipped.saturating_add(1);
                }
            } else if row.running.is_none() && row.due_at <= now && row.noticed.is_none() {
                row.noticed = Some(clock);
            }
        }
    }

    /// Rows that want to begin, the longest due first, so that a busy task cannot starve a later one.
    fn waiting(&self) -> Vec<usize> {
        let mut waiting: Vec<usize> =
            (0..self.rows.len()).filter(|&index| self.rows[index].wants_to_begin()).collect();
        // The operator's wish comes before the ticks; the sort is stable, so rows of one instant keep their order.
        waiting.sort_by_key(|&index| (!self.rows[index].requested, self.rows[index].due_at));
        waiting
    }

    fn hindrance(&self, index: usize) -> Option<Wait> {
        let row = &self.rows[index];
        if row.symbol.as_ref().is_some_and(|symbol| !self.seen.contains(symbol)) {
            return Some(Wait::Candle);
        }
        let open = self.dependencies[index].iter().find(|&&on| !self.holds(&self.rows[on], row));
        if let Some(&on) = open.filter(|_| !row.requested) {
            return Some(Wait::Dependency(self.rows[on].task));
        }
        let limit = self.tasks.get(&row.task).map_or(1, |task| task.concurrent.max(1));
        let (mut all, mut same) = (0, 0);
        for other in self.rows.iter().filter(|other| other.running.is_some()) {
            all += 1;
            same += usize::from(other.task == row.task);
        }
        (all >= self.concurrent_max || same >= limit).then_some(Wait::Slot)
    }

    /// Whether `on` lets `row` begin.
    fn holds(&self, on: &Row, row: &Row) -> bool {
        if !self.is_live(on) || self.skip(on).is_some() {
            // It will not run: waiting for it would starve the row.
            return true;
        }
        // A success after this row became due is as fresh as can be: waiting for yet another would never end behind a
        // dependency that is slower than its own interval.
        let fresh = row.noticed.is_some_and(|noticed| on.succeeded > noticed);
        fresh || (on.running.is_none() && !on.wants_to_begin() && on.succeeded > row.begun)
    }

    fn start(&mut self, index: usize, now: Now, run: RunId) -> Start {
        let clock = self.advance();
        let row = &mut self.rows[index];
        let (every, timeout) =
            self.tasks.get(&row.task).map(|task| (task.every, task.timeout)).unwrap_or_default();
        let late_cycles = row.cycles_late(now.market, every);
        row.roll(now.market, every);
        let timeout_at = now.operator.plus(timeout);
        row.begin(Running { run, started: now, timeout_at, begun_before: row.begun, late_cycles }, clock);
        self.next_timeout = [self.next_timeout, Some(timeout_at)].into_iter().flatten().min();
        Start { run, task: row.task, symbol: row.symbol.clone(), late_cycles }
    }

    fn after_end(&mut self, now: Now) {
        self.recheck_at = Some(now.market);
        self.next_timeout =
            self.rows.iter().filter_map(|row| row.running.as_ref()).map(|running| running.timeout_at).min();
    }

    fn refresh_next_tick(&mut self) {
        let unnoticed = |row: &&Row| row.running.is_none() && row.noticed.is_none() && self.is_live(row);
        self.next_tick = self.rows.iter().filter(unnoticed).map(|row| row.due_at).min();
    }
}

/// Task names so that each comes after what it depends on; otherwise in their own order. Names on a cycle (config
/// refuses them) come last.
fn dependency_order(tasks: &BTreeMap<TaskName, Task>) -> Vec<TaskName> {
    let mut left: Vec<TaskName> = tasks.keys().copied().collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let free = left.iter().position(|name| {
            tasks
                .get(name)
                .is_none_or(|task| !task.depends_on.iter().any(|on| on != name && left.contains(on)))
        });
        order.push(left.remove(free.unwrap_or(0)));
    }
    order
}

/// Rows of the same symbol; the portfolio waits for every symbol, and every symbol for the portfolio.
fn dependencies_of(row: &Row, rows: &[Row], tasks: &BTreeMap<TaskName, Task>) -> Vec<usize> {
    let Some(task) = tasks.get(&row.task) else { return Vec::new() };
    let concerns = |on: &Row| row.symbol.is_none() || on.symbol.is_none() || on.symbol == row.symbol;
    rows.iter()
        .enumerate()
        .filter(|(_, on)| on.task != row.task && task.depends_on.contains(&on.task) && concerns(on))
        .map(|(index, _)| index)
        .collect()
}
