//! Which task runs next, for which symbol. A pure machine: it reads no clock, starts nothing itself and knows no
//! agent; it names the runs that must begin now and is told how they ended.
//!
//! It is not journaled: an [`ScheduleImage`] of it rides in the checkpoint, and losing that costs one
//! interval, never an order. The rules are "Scheduled tasks" of the coordinator's notes: no run of a (task, symbol)
//! overlaps another, missed ticks collapse into one run, and a dependency that cannot run never starves what is
//! behind it. A task that has nothing new to look at waits for it: on candles longer than its interval it runs once a
//! candle.

mod image;
mod news;
mod queue;
mod row;
mod setup;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::{Task, TaskName};
use crate::coordinator::Due;
use crate::coordinator::task::TaskFailure;
use crate::domain::{Level, Now, RunId, Symbol, Timestamp, TradingState};

pub use image::{RowImage, ScheduleImage};
pub use news::{Expired, Finished, RunNowRefusal, Start};
use queue::Queue;
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
    /// The rows of each symbol.
    rows_of: BTreeMap<Symbol, Vec<usize>>,
    /// The rows of no symbol.
    portfolio: Vec<usize>,
    /// Runs in flight: run to row. Never more than may run at once.
    running: BTreeMap<RunId, usize>,
    /// Runs that timed out and have not answered since: run to row.
    abandoned: BTreeMap<RunId, usize>,
    queue: Queue,
    conditions: Conditions,
    /// Orders events within one instant; never goes back.
    clock: u64,
    /// Set when something happened that may let a waiting row go.
    recheck_at: Option<Timestamp>,
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
        let mut rows_of: BTreeMap<Symbol, Vec<usize>> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            if let Some(symbol) = &row.symbol {
                rows_of.entry(symbol.clone()).or_default().push(index);
            }
        }
        let portfolio: Vec<usize> = (0..rows.len()).filter(|&index| rows[index].symbol.is_none()).collect();
        link(&mut rows, &rows_of, &portfolio, &setup.config.tasks);
        let mut schedule = Self {
            concurrent_max: setup.config.concurrent_max.max(1),
            tasks: setup.config.tasks.clone(),
            sources: setup.sources,
            disabled: setup.disabled.clone(),
            rows,
            rows_of,
            portfolio,
            running: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            queue: Queue::new(0),
            conditions: Conditions { level: Level::Normal, state: TradingState::Running },
            clock: 0,
            recheck_at: None,
        };
        schedule.await_ticks();
        schedule
    }

    /// Every row waits for its own tick, and for nothing else.
    fn await_ticks(&mut self) {
        self.queue = Queue::new(self.rows.len());
        for index in 0..self.rows.len() {
            self.queue_up(index);
        }
    }

    /// Puts a row where it belongs, now that it has changed: among those that may begin, among those that wait for
    /// their tick, or nowhere while it runs or cannot run.
    fn queue_up(&mut self, index: usize) {
        let row = &self.rows[index];
        self.queue.remove(index);
        if row.wants_to_begin() {
            self.queue.offer(index, row);
        } else if row.running.is_none() && self.is_live(row) {
            self.queue.await_tick(index, row);
        }
    }

    /// The runs that begin now, oldest tick first and at one instant in dependency, config and symbol order. Call it
    /// after every other change of the step; with nothing due it is three comparisons, and what it costs otherwise
    /// depends on what begins, not on how many rows there are. `next_run_id` is asked once per run and must never give
    /// the same id twice.
    pub fn start_due(
        &mut self,
        now: Now,
        conditions: Conditions,
        mut next_run_id: impl FnMut() -> RunId,
    ) -> Vec<Start> {
        let tick_passed = self.queue.next_tick().is_some_and(|at| at <= now.market);
        let changed = conditions != self.conditions;
        if !tick_passed && self.recheck_at.is_none() && !changed {
            return Vec::new();
        }
        self.conditions = conditions;
        self.recheck_at = None;
        if changed {
            self.follow_conditions(now.market);
        }
        self.notice_due(now.market);
        let mut starts = Vec::new();
        while let Some(index) = self.queue.first(|task| self.has_slot(task)) {
            if self.hindrance(index).is_some() {
                self.queue.remove(index);
            } else {
                starts.push(self.start(index, now, next_run_id()));
            }
        }
        starts
    }

    /// What a run in flight was asked; none of a run that nobody waits for.
    pub fn asked(&self, run: RunId) -> Option<(TaskName, Option<&Symbol>)> {
        let row = &self.rows[*self.running.get(&run)?];
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
        let Some(index) = self.running.remove(&run) else {
            return Finished::Unknown;
        };
        self.end(index, now, result.map_err(Clone::clone));
        let row = &self.rows[index];
        Finished::InTime { task: row.task, symbol: row.symbol.clone() }
    }

    /// Ends the runs whose timeout is over (operator time). Each counts as failed and frees its slot; until it answers
    /// it is counted as abandoned, and its answer will be [`Finished::Late`].
    pub fn expired(&mut self, now: Now) -> Vec<Expired> {
        if self.next_timeout().is_none_or(|at| at > now.operator) {
            return Vec::new();
        }
        let mut over: Vec<(usize, RunId)> = Vec::new();
        for (run, index) in &self.running {
            if self.rows[*index].running.as_ref().is_some_and(|running| running.timeout_at <= now.operator) {
                over.push((*index, *run));
            }
        }
        over.sort_unstable();
        let mut expired = Vec::new();
        for (index, run) in over {
            self.running.remove(&run);
            self.end(index, now, Err(TaskFailure::TimedOut));
            let row = &mut self.rows[index];
            row.counts.abandoned = row.counts.abandoned.saturating_add(1);
            expired.push(Expired { run, task: row.task, symbol: row.symbol.clone() });
            self.abandoned.insert(run, index);
        }
        expired
    }

    /// A row's run is over, and whoever waited for it may begin.
    fn end(&mut self, index: usize, now: Now, result: Result<(), TaskFailure>) {
        let clock = self.advance();
        self.rows[index].end(now, clock, result);
        self.queue_up(index);
        for &dependent in &self.rows[index].dependents {
            if self.rows[dependent].wants_to_begin() {
                self.queue.offer(dependent, &self.rows[dependent]);
            }
        }
        self.recheck_at = Some(now.market);
    }

    /// The feed gave a candle of `symbol`: its runs may begin, and the portfolio's, which looks at all.
    pub fn candle_seen(&mut self, symbol: &Symbol, now: Timestamp) {
        let own = self.rows_of.get(symbol).map_or(&[][..], Vec::as_slice);
        for index in own.iter().chain(&self.portfolio).copied().collect::<Vec<_>>() {
            self.news(index, now);
        }
    }

    /// Balances have changed: the portfolio is to be looked at again.
    pub fn account_changed(&mut self, now: Timestamp) {
        for index in self.portfolio.clone() {
            self.news(index, now);
        }
    }

    fn news(&mut self, index: usize, now: Timestamp) {
        let row = &mut self.rows[index];
        row.news(now);
        if row.wants_to_begin() {
            self.queue.offer(index, row);
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
        for index in 0..self.rows.len() {
            let row = &mut self.rows[index];
            if row.task == task {
                row.forget_tick();
                row.roll(now.market, every);
                self.queue_up(index);
            }
        }
        self.requeue_waiting();
        self.recheck_at = Some(now.market);
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
        for index in 0..self.rows.len() {
            let row = &mut self.rows[index];
            if wanted(row) && row.running.is_none() {
                row.requested = true;
                any = true;
                self.queue_up(index);
            }
        }
        if !any {
            return Err(RunNowRefusal::AlreadyRunning(task));
        }
        self.recheck_at = Some(now.market);
        Ok(())
    }

    /// When to come back: the next tick in market time, the next timeout in operator time. Rows that wait for a
    /// dependency or a slot are not in it: what they wait for is.
    pub fn next_due(&self) -> Due {
        let market = [self.queue.next_tick(), self.recheck_at].into_iter().flatten().min();
        Due { market, operator: self.next_timeout() }
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        let running = self.running.values().filter_map(|index| self.rows[*index].running.as_ref());
        running.map(|running| running.timeout_at).min()
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
        while let Some(index) = self.queue.tick_come(now) {
            let skipped = self.skip(&self.rows[index]).is_some();
            let every = self.every(&self.rows[index]);
            let row = &mut self.rows[index];
            if skipped {
                row.roll(now, every);
                row.counts.skipped = row.counts.skipped.saturating_add(1);
            } else {
                row.noticed = Some(clock);
            }
            self.queue_up(index);
        }
    }

    /// Level or state have changed: rows that are skipped now forget what they waited for, and every other may begin.
    /// What the portfolio makes of its allocation depends on them.
    fn follow_conditions(&mut self, now: Timestamp) {
        self.account_changed(now);
        for index in 0..self.rows.len() {
            if self.rows[index].wants_to_begin() && self.skip(&self.rows[index]).is_some() {
                self.rows[index].forget_tick();
                self.queue_up(index);
            }
        }
        self.requeue_waiting();
    }

    /// What held rows back may be gone: each is looked at again.
    fn requeue_waiting(&mut self) {
        for (index, row) in self.rows.iter().enumerate() {
            if row.wants_to_begin() {
                self.queue.offer(index, row);
            }
        }
    }

    /// Whether one more run of `task` may be in flight.
    fn has_slot(&self, task: TaskName) -> bool {
        let limit = self.tasks.get(&task).map_or(1, |task| task.concurrent.max(1));
        let same = self.running.values().filter(|index| self.rows[**index].task == task).count();
        self.running.len() < self.concurrent_max && same < limit
    }

    /// What a row that wants to begin waits for, besides a slot.
    fn hindrance(&self, index: usize) -> Option<Wait> {
        let row = &self.rows[index];
        if !row.has_input() {
            return Some(Wait::Candle);
        }
        if row.requested {
            return None;
        }
        let open = row.dependencies.iter().find(|&&on| !self.holds(&self.rows[on], row));
        open.map(|&on| Wait::Dependency(self.rows[on].task))
    }

    /// Whether `on` lets `row` begin.
    fn holds(&self, on: &Row, row: &Row) -> bool {
        if !self.is_live(on) || self.skip(on).is_some() || !on.has_candle || on.is_settled() {
            // It will not run, or has nothing to add: waiting for it would starve the row.
            return true;
        }
        // A success after this row became due is as fresh as can be: waiting for yet another would never end behind a
        // dependency that is slower than its own interval.
        let fresh = row.noticed.is_some_and(|noticed| on.succeeded > noticed);
        fresh || (on.running.is_none() && !on.may_begin() && on.succeeded > row.begun)
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
        let start = Start { run, task: row.task, symbol: row.symbol.clone(), late_cycles };
        self.running.insert(run, index);
        self.queue_up(index);
        start
    }

    fn every(&self, row: &Row) -> Duration {
        self.tasks.get(&row.task).map(|task| task.every).unwrap_or_default()
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

/// Tells each row which others it waits for, and each other who waits for it: rows of the same symbol; the portfolio
/// waits for every symbol, and every symbol for the portfolio.
fn link(
    rows: &mut [Row],
    rows_of: &BTreeMap<Symbol, Vec<usize>>,
    portfolio: &[usize],
    tasks: &BTreeMap<TaskName, Task>,
) {
    for index in 0..rows.len() {
        let Some(task) = tasks.get(&rows[index].task) else { continue };
        let concerned: Vec<usize> = match rows[index].symbol.as_ref().and_then(|symbol| rows_of.get(symbol)) {
            Some(own) => own.iter().chain(portfolio).copied().collect(),
            None => (0..rows.len()).collect(),
        };
        for on in concerned {
            if rows[on].task != rows[index].task && task.depends_on.contains(&rows[on].task) {
                rows[index].dependencies.push(on);
                rows[on].dependents.push(index);
            }
        }
        rows[index].dependencies.sort_unstable();
    }
}
