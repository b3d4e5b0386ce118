//! The scheduled agents: which runs begin, and what becomes of their answers.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::consensus::Word;
use super::degradation::RunResult;
use super::effect::Effect;
use super::schedule::{Conditions, Finished};
use super::task::{Allocation, AssetShare, DecisionInput, TaskFailure, TaskInput, TaskOutput, TaskRun};
use super::{Coordinator, Cx};
use crate::account::{Holdings, PriceError};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::config::TaskName;
use crate::domain::{
    Action, Asset, CommandOutcome, Now, Payload, Priority, RunId, SafeText, SignalId, Symbol,
    SystemEventKind, Untrusted, checked_div, checked_mul, checked_sub,
};

/// Technical updates whose multipliers the console draws.
const MULTIPLIERS_KEPT: usize = 30;

impl Coordinator {
    /// Ends runs whose time is over and starts those that are due.
    pub(super) fn run_tasks(&mut self, cx: &mut Cx<'_>) {
        let due = self.live.schedule.next_due();
        if due.operator.is_some_and(|at| at <= cx.now.operator) {
            for expired in self.live.schedule.expired(cx.now) {
                cx.effects.push(Effect::AbandonTask(expired.run));
                self.task_failed(cx, expired.task, expired.symbol.as_ref(), &TaskFailure::TimedOut);
            }
        }
        let conditions = self.conditions();
        let last_run = &mut self.live.last_run;
        let starts = self.live.schedule.start_due(cx.now, conditions, || {
            *last_run = last_run.next();
            *last_run
        });
        for start in starts {
            self.live.revision += 1;
            let input = self.task_input(cx, start.task, start.symbol.as_ref(), start.run);
            let run =
                TaskRun { id: start.run, task: start.task, symbol: start.symbol, at: cx.now.market, input };
            cx.effects.push(Effect::RunTask(Box::new(run)));
        }
    }

    fn task_input(&self, cx: &Cx<'_>, task: TaskName, symbol: Option<&Symbol>, run: RunId) -> TaskInput {
        match (task, symbol) {
            (TaskName::TradingDecision, Some(symbol)) => {
                TaskInput::Decision(Box::new(self.decision_input(cx, symbol, run)))
            }
            (TaskName::PortfolioRebalance, _) => TaskInput::Rebalance(Box::new(self.allocation(cx.now))),
            (
                TaskName::TechnicalAnalysis
                | TaskName::RegimeDetection
                | TaskName::SentimentAnalysis
                | TaskName::TradingDecision,
                _,
            ) => TaskInput::Analysis,
        }
    }

    fn decision_input(&self, cx: &Cx<'_>, symbol: &Symbol, run: RunId) -> DecisionInput {
        let fresh = self.live.voices.fresh(symbol, cx.now.market, &self.live.ages.voices);
        let stop = &self.config.risk.stop;
        DecisionInput {
            signal_id: self.signal_id(run),
            technical: fresh.technical.map(|heard| heard.said.clone()),
            regime: fresh.regime.map(|heard| heard.said.clone()),
            sentiment: fresh.sentiment.map(|heard| heard.said.clone()),
            held: self.durable.account.held(symbol).unwrap_or_default(),
            stop_distance_pct: (stop.distance_min_pct, stop.distance_max(symbol)),
        }
    }

    /// What is owned outside lots, valued where there is a fresh price.
    pub(super) fn holdings(&self, now: Now) -> Holdings {
        let targets = self.config.portfolio.targets(self.durable.account.currency());
        let valued = self.durable.account.holdings(targets.keys(), &self.prices(now));
        let mut holdings = valued.unwrap_or_else(|error| {
            tracing::error!(%error, "holdings cannot be valued");
            let currency = self.durable.account.currency().clone();
            Holdings { currency, total: Decimal::ZERO, shares: Vec::new(), left_out: Vec::new() }
        });
        for left in &mut holdings.left_out {
            if let PriceError::Missing(symbol) = &left.why
                && self.is_not_listed(symbol, now)
            {
                left.why = PriceError::NotListed(symbol.clone());
            }
        }
        holdings
    }

    /// The target of each asset, percent of all holdings. Those that no symbol prices at all have none, and the others are
    /// renormalised.
    pub(super) fn targets<'a>(&self, holdings: &'a Holdings) -> BTreeMap<&'a Asset, Decimal> {
        let targets = self.config.portfolio.targets(self.durable.account.currency());
        let priced = holdings.shares.iter().map(|share| &share.asset).chain(holdings.unpriced());
        let targets: BTreeMap<_, _> = priced
            .map(|asset| (asset, targets.get(asset).map_or(Decimal::ZERO, |pct| pct.value())))
            .collect();
        let sum: Decimal = targets.values().sum();
        let share = |target| checked_div(checked_mul(target, Decimal::ONE_HUNDRED)?, sum);
        targets.into_iter().map(|(asset, target)| (asset, share(target).unwrap_or_default())).collect()
    }

    /// The holdings against their targets. Cash that working entries will spend is no holding any more.
    pub(super) fn allocation(&self, now: Now) -> Allocation {
        let mut holdings = self.holdings(now);
        let free = self.spendable(&holdings.currency);
        for cash in holdings.shares.iter_mut().filter(|share| share.asset == holdings.currency) {
            let promised = checked_sub(cash.value, cash.value.min(free)).unwrap_or_default();
            cash.value = checked_sub(cash.value, promised).unwrap_or_default();
            holdings.total = checked_sub(holdings.total, promised).unwrap_or_default();
        }
        let targets = self.targets(&holdings);
        let assets = holdings.shares.iter().map(|share| AssetShare {
            target_pct: targets.get(&share.asset).copied().unwrap_or_default(),
            asset: share.asset.clone(),
            value: share.value,
            symbol: share.symbol.clone(),
        });
        Allocation {
            assets: assets.collect(),
            unpriced: holdings.unpriced().cloned().collect(),
            currency: holdings.currency.clone(),
            decimals: self.setup.decimals,
            total: holdings.total,
        }
    }

    /// A run ended. Late and unknown answers are ignored; the answer to another question is a failure.
    pub(super) fn task_finished(
        &mut self,
        cx: &mut Cx<'_>,
        run: RunId,
        result: Result<TaskOutput, TaskFailure>,
    ) {
        let result = result.and_then(|output| match self.live.schedule.asked(run) {
            Some((task, symbol)) if !is_answer_of(task, symbol, &output) => {
                Err(TaskFailure::Failed(Untrusted::new("answered something else than it was asked; dropped")))
            }
            Some(_) if self.is_forged(cx.now, run, &output) => Err(TaskFailure::Failed(Untrusted::new(
                "its signal is dated ahead or bears another id than it was given; dropped",
            ))),
            Some(_) | None => Ok(output),
        });
        let ended = self.live.schedule.finished(run, cx.now, result.as_ref().map(|_| ()));
        self.live.revision += 1;
        let (task, symbol) = match ended {
            Finished::InTime { task, symbol } => (task, symbol),
            Finished::Late { task, .. } => {
                tracing::warn!(%run, %task, "late answer ignored");
                return;
            }
            Finished::Unknown => return,
        };
        match result {
            Ok(output) => {
                tracing::info!(%run, %task, symbol = symbol.as_ref().map(Symbol::as_str), "task run succeeded");
                self.task_outcome(cx, task, symbol.as_ref(), true);
                self.task_output(cx, task, output);
            }
            Err(failure) => self.task_failed(cx, task, symbol.as_ref(), &failure),
        }
    }

    /// A signal that is dated ahead would never be too old, and one with the id of another would be taken for it.
    fn is_forged(&self, now: Now, run: RunId, output: &TaskOutput) -> bool {
        match output {
            TaskOutput::Signal(signal) => signal.at > now.market || signal.id != self.signal_id(run),
            TaskOutput::Ta(_)
            | TaskOutput::Regime(_)
            | TaskOutput::Sentiment(_)
            | TaskOutput::Rebalance(_)
            | TaskOutput::RebalanceWaits(_) => false,
        }
    }

    /// The id that the signal of a run bears.
    fn signal_id(&self, run: RunId) -> SignalId {
        SignalId::derive(self.durable.install, self.live.run, run)
    }

    /// Takes what a run returned: published under the task's name, then heard or decided.
    fn task_output(&mut self, cx: &mut Cx<'_>, task: TaskName, output: TaskOutput) {
        let (ttl, source) = (self.live.ages.voices, self.live.sources.task(task));
        let (normal, high) = (Priority::Normal, Priority::High);
        match output {
            TaskOutput::Ta(ta) => {
                self.publish(cx, source, normal, Some(ttl.technical), Payload::Ta(ta.clone()));
                let symbol = ta.symbol.clone();
                self.hear_of_candles(cx, &symbol, Word::Technical(ta));
                self.remember_multiplier(cx, symbol);
            }
            TaskOutput::Regime(update) => {
                self.publish(cx, source, normal, Some(ttl.regime), Payload::Regime(update.clone()));
                let symbol = update.symbol.clone();
                self.hear_of_candles(cx, &symbol, Word::Regime(update));
            }
            TaskOutput::Sentiment(update) => {
                self.publish(cx, source, normal, Some(ttl.sentiment), Payload::Sentiment(update.clone()));
                self.live.voices.update(Word::Sentiment(update), cx.now.market);
            }
            TaskOutput::Signal(signal) => {
                tracing::info!(
                    signal = %signal.id, symbol = %signal.symbol, action = %signal.action,
                    confidence = %signal.confidence, "signal published"
                );
                self.publish(cx, source, high, Some(self.live.ages.signal), Payload::Signal(signal.clone()));
                self.signal(cx, signal);
            }
            TaskOutput::Rebalance(proposal) => self.rebalance(cx, &proposal),
            TaskOutput::RebalanceWaits(unpriced) => self.rebalance_waits(cx, &unpriced),
        }
    }

    /// A word that was computed from candles. Once these are stale, saying it again is no news: the last word ages.
    fn hear_of_candles(&mut self, cx: &Cx<'_>, symbol: &Symbol, word: Word) {
        if !self.symbol_feed_stale(symbol, cx.now) {
            self.live.voices.update(word, cx.now.market);
        }
    }

    /// The multiplier of a BUY after each technical update, for the screen.
    fn remember_multiplier(&mut self, cx: &Cx<'_>, symbol: Symbol) {
        let tally = self.tally(&symbol, Action::Buy, cx.now);
        let history = self.live.multipliers.entry(symbol).or_default();
        history.push_back(tally.multiplier);
        if history.len() > MULTIPLIERS_KEPT {
            history.pop_front();
        }
    }

    fn task_failed(
        &mut self,
        cx: &mut Cx<'_>,
        task: TaskName,
        symbol: Option<&Symbol>,
        failure: &TaskFailure,
    ) {
        let what = match failure {
            TaskFailure::Failed(text) => text.sanitize(120).to_string(),
            TaskFailure::TimedOut => "timed out".to_owned(),
            TaskFailure::Panicked(text) => format!("panicked: {}", text.sanitize(120)),
        };
        tracing::warn!(%task, symbol = symbol.map(Symbol::as_str), %what, "task run failed");
        let detail = format!("{task}: {what}");
        self.announce_about(cx, SystemEventKind::TaskError, Priority::High, symbol.cloned(), &detail);
        self.live.problems.insert((task, symbol.cloned()), SafeText::ours(what));
        self.task_outcome(cx, task, symbol, false);
    }

    /// What a run's end means for the level, for the symbol, and for the alarm of a failing task.
    fn task_outcome(&mut self, cx: &mut Cx<'_>, task: TaskName, symbol: Option<&Symbol>, worked: bool) {
        if worked {
            self.live.problems.remove(&(task, symbol.cloned()));
        }
        let result = if worked { RunResult::Succeeded } else { RunResult::Failed };
        let Some(cycle) = self.count_task_outcome(cx, task, symbol, result) else {
            return;
        };
        let failed = self.live.failed_in_a_row.entry(task).or_default();
        *failed = match cycle {
            RunResult::Succeeded => 0,
            RunResult::Failed => failed.saturating_add(1),
        };
        let failing = *failed >= self.config.orchestration.health.task_failing_after;
        let key = AlarmKey::about(AlarmSource::TaskFailing, Subject::Task(task));
        self.raise_while(cx, failing, key, "several failures in a row", task);
    }

    /// What decides which tasks may run now.
    pub(super) fn conditions(&self) -> Conditions {
        Conditions { level: self.live.level, state: self.durable.control.state }
    }

    /// The operator wants a run now.
    pub(super) fn run_task_now(
        &mut self,
        task: TaskName,
        symbol: Option<&Symbol>,
        cx: &mut Cx<'_>,
    ) -> CommandOutcome {
        match self.live.schedule.run_now(task, symbol, cx.now, self.conditions()) {
            Ok(()) => {
                self.run_tasks(cx);
                CommandOutcome::done(format!("{task} asked to run"))
            }
            Err(refusal) => CommandOutcome::refused(refusal),
        }
    }
}

/// Whether `output` is what `task` returns when it is run for `symbol`.
fn is_answer_of(task: TaskName, symbol: Option<&Symbol>, output: &TaskOutput) -> bool {
    let (by, about) = match output {
        TaskOutput::Ta(ta) => (TaskName::TechnicalAnalysis, Some(&ta.symbol)),
        TaskOutput::Regime(update) => (TaskName::RegimeDetection, Some(&update.symbol)),
        TaskOutput::Sentiment(update) => (TaskName::SentimentAnalysis, Some(&update.symbol)),
        TaskOutput::Signal(signal) => (TaskName::TradingDecision, Some(&signal.symbol)),
        TaskOutput::Rebalance(_) | TaskOutput::RebalanceWaits(_) => (TaskName::PortfolioRebalance, None),
    };
    task == by && symbol == about
}
