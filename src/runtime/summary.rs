//! The account of a run without a console: counted from what really passed by, printed once at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::Serialize;

use super::buy_and_hold::{BuyAndHold, Held};
use super::script::NeverDue;
use crate::account::{Posting, Results};
use crate::alarm::{AlarmState, AlarmTransition};
use crate::config::TaskName;
use crate::coordinator::Coordinator;
use crate::coordinator::conflict::{CallFailure, Resolved};
use crate::coordinator::dca::{Leg, LegState, Plan, PlanTransition, Plans};
use crate::coordinator::degradation::DegradationTransition;
use crate::coordinator::durable::{Durable, Uncertain};
use crate::coordinator::effect::Effect;
use crate::coordinator::input::Input;
use crate::coordinator::record::RecordKind;
use crate::coordinator::task::TaskFailure;
use crate::domain::{
    Actor, Asset, CommandOutcome, DECIMALS_MAX, DecisionId, FillRole, OrderStatus, Outcome, PlanId,
    ReasonCode, Rule, RunId, Symbol, Timestamp, Topic, TradingState, checked_add, checked_mul, checked_sub,
    pct_of, shown_amount,
};

/// Orders by how they stand.
#[derive(Debug, Default, Serialize)]
pub struct OrderCounts {
    /// Handed over, or about to be.
    pub intended: u64,
    /// Ended by a whole fill.
    pub filled: u64,
    /// Cancelled or run out.
    pub cancelled: u64,
    /// Those of the cancelled that were filled in part.
    pub part_filled: u64,
    /// Refused by gate or venue.
    pub rejected: u64,
    /// Left without an answer for a while.
    pub unknown: u64,
}

/// One change of the trading state.
#[derive(Debug, Serialize)]
pub struct StateChange {
    /// Market time.
    pub at: Timestamp,
    /// To.
    pub to: String,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// One change of the level.
#[derive(Debug, Serialize)]
pub struct LevelStep {
    /// Market time.
    pub at: Timestamp,
    /// From.
    pub from: String,
    /// To.
    pub to: String,
}

/// The trading state, and how it came about.
#[derive(Debug, Serialize)]
pub struct StateNow {
    /// Which.
    pub state: String,
    /// Since when, market time.
    pub since: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// One alarm on the list.
#[derive(Debug, Serialize)]
pub struct ListedAlarm {
    /// Its class.
    pub class: String,
    /// Where it stands.
    pub state: &'static str,
    /// What it says.
    pub headline: String,
}

/// What the run has paid to trade.
#[derive(Debug, Serialize)]
pub struct Costs {
    /// Fees of all executions, account currency.
    pub fees: Decimal,
    /// The same in percent of the equity at the first mark.
    pub pct_of_start: Option<Decimal>,
    /// Fees that are missing in the sum, because their asset had no price.
    pub unpriced: u64,
}

/// What sales out of lots have brought.
#[derive(Debug, Serialize)]
pub struct RunResults {
    /// Lots closed with a profit, or even.
    pub won: u64,
    /// Lots closed with a loss.
    pub lost: u64,
    /// Sum of the results of all sales, also of parts of lots that are still open, account currency.
    pub realised: Decimal,
    /// Sales whose result is missing in the sum, because the quote asset had no price.
    pub unpriced: u64,
}

/// What became of the commands of an operator script.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ScriptAccount {
    /// Commands that were carried out; a daily entry gives one each day.
    pub done: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Those without an answer at the end.
    pub unanswered: u64,
    /// Entries whose time did not come.
    pub never_due: u64,
    /// The first refusals, in words.
    pub refusals: Vec<String>,
    /// The first entries whose time did not come.
    pub not_reached: Vec<String>,
}

impl ScriptAccount {
    /// Most refusals, and most entries, that are told in words.
    const TOLD_MAX: usize = 5;

    fn ended(&mut self, at: Timestamp, command: &str, outcome: &CommandOutcome) {
        self.unanswered = self.unanswered.saturating_sub(1);
        let why = match outcome {
            CommandOutcome::Done { .. } => return self.done += 1,
            CommandOutcome::Refused { why } | CommandOutcome::Preview { would: why, .. } => why,
        };
        self.refused += 1;
        if self.refusals.len() < Self::TOLD_MAX {
            self.refusals.push(format!("{at} {command}: {why}"));
        }
    }

    fn left(&mut self, left: &[NeverDue]) {
        self.never_due = left.len() as u64;
        let told = left.iter().take(Self::TOLD_MAX);
        self.not_reached =
            told.map(|it| format!("entry {}: {} at {}", it.entry, it.command, it.at)).collect();
    }
}

/// Numbers by two words, such as a class and a state.
pub type Table = BTreeMap<String, BTreeMap<String, u64>>;

/// Everything that the summary says.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Version of the program.
    pub version: &'static str,
    /// `SIM`, `REPLAY`.
    pub market: String,
    /// The pairs it was run with.
    pub symbols: Vec<String>,
    /// Candles without a trade that the feed filled in.
    pub synthetic_candles: u64,
    /// The files have grown since the last run: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market_grown: Option<String>,
    /// Market time at the start.
    pub started_at: Timestamp,
    /// Market time at the end.
    pub ended_at: Timestamp,
    /// Market time that passed, seconds.
    pub virtual_seconds: u64,
    /// Real time that passed, seconds. The only number that differs between two equal runs.
    pub wall_seconds: f64,
    /// Messages by topic.
    pub messages: BTreeMap<String, u64>,
    /// Task runs by task and outcome.
    pub task_runs: Table,
    /// Calls of models about conflicts, by provider and outcome.
    pub model_calls: Table,
    /// Signals decided.
    pub signals: u64,
    /// Decisions by outcome.
    pub decisions: BTreeMap<String, u64>,
    /// Reasons of decisions by outcome and code; one decision may have several, a HOLD has none. Of those that waited
    /// or were aborted: the kinds of their conflicts.
    pub reasons: Table,
    /// Orders.
    pub orders: OrderCounts,
    /// Executions, also of stops and targets.
    pub fills: u64,
    /// Those of stops.
    pub stops: u64,
    /// Those of targets.
    pub targets: u64,
    /// Fees of all executions, by asset.
    pub fees: BTreeMap<String, Decimal>,
    /// DCA legs by state: those of the plans that ended in this run, and of those open at its end.
    pub legs: BTreeMap<String, u64>,
    /// Those that wait for the operator at the end: which, and why.
    pub legs_waiting: Vec<String>,
    /// Alarms raised by class.
    pub alarms_raised: BTreeMap<String, u64>,
    /// Alarms on the list at the end by class and state.
    pub alarms: Table,
    /// The same alarms in words, most important first.
    pub alarms_listed: Vec<ListedAlarm>,
    /// Changes of the level.
    pub level_changes: Vec<LevelStep>,
    /// Changes of the trading state.
    pub state_changes: Vec<StateChange>,
    /// Market seconds spent in each trading state.
    pub seconds_in_state: BTreeMap<String, u64>,
    /// Trading state at the end.
    pub state: StateNow,
    /// Equity at the first mark, account currency.
    pub equity_start: Option<Decimal>,
    /// Equity at the last mark.
    pub equity_end: Option<Decimal>,
    /// Deepest fall of the marks below the highest one before, percent; a mark is every five minutes.
    pub drawdown_max_pct: Decimal,
    /// What the same targets, bought at the start and kept, would have made of it.
    pub buy_and_hold: Option<Held>,
    /// What was paid to trade.
    pub costs: Costs,
    /// Held assets without a fresh price at the end: since when and by how much the equity is uncertain.
    pub uncertain: Vec<Uncertain>,
    /// What sales out of lots have brought in this run.
    pub results: RunResults,
    /// Account currency.
    pub currency: String,
    /// What became of the operator script, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<ScriptAccount>,
    /// Messages that mailboxes dropped.
    pub dropped: u64,
    /// Records in the journal.
    pub records: u64,
    /// Hash of the last journal record.
    pub journal_head: String,
}

/// Counts while a run goes on.
#[derive(Debug, Default)]
pub struct Tally {
    synthetic_candles: u64,
    market_grown: Option<String>,
    messages: BTreeMap<Topic, u64>,
    runs: BTreeMap<RunId, TaskName>,
    task_runs: BTreeMap<TaskName, BTreeMap<&'static str, u64>>,
    model_calls: Table,
    signals: u64,
    last_decision: DecisionId,
    decisions: BTreeMap<String, u64>,
    reasons: Table,
    orders: OrderCounts,
    fills: u64,
    stops: u64,
    targets: u64,
    fees: BTreeMap<Asset, Decimal>,
    /// The same in the account currency, and how many could not be converted.
    fees_in_account: (Decimal, u64),
    buy_and_hold: BuyAndHold,
    currency_decimals: u32,
    /// Those that were open when last looked at.
    open_plans: BTreeSet<PlanId>,
    legs: BTreeMap<String, u64>,
    alarms_raised: BTreeMap<String, u64>,
    level_changes: Vec<LevelStep>,
    state_changes: Vec<StateChange>,
    seconds_in_state: BTreeMap<TradingState, Duration>,
    state: Option<(TradingState, Timestamp)>,
    equity: Option<Equity>,
    results_before: Results,
    script: ScriptAccount,
}

/// The marks of equity so far.
#[derive(Debug, Clone, Copy)]
struct Equity {
    first: Decimal,
    last: Decimal,
    highest: Decimal,
    drawdown_max_pct: Decimal,
}

impl Equity {
    fn begin(mark: Decimal) -> Self {
        Self { first: mark, last: mark, highest: mark, drawdown_max_pct: Decimal::ZERO }
    }

    fn mark(&mut self, mark: Decimal) {
        self.last = mark;
        self.highest = self.highest.max(mark);
        let fall = checked_sub(self.highest, mark).and_then(|fall| pct_of(fall, self.highest));
        self.drawdown_max_pct = self.drawdown_max_pct.max(fall.unwrap_or_default());
    }
}

/// What the tally cannot know by itself.
#[derive(Debug)]
pub struct Ending {
    /// `SIM`, `REPLAY`.
    pub market: String,
    /// The pairs of the feed.
    pub symbols: Vec<Symbol>,
    /// Market time at the start and at the end.
    pub span: (Timestamp, Timestamp),
    /// Real time that passed.
    pub wall: Duration,
    /// Messages that mailboxes dropped.
    pub dropped: u64,
    /// Hash of the last journal record.
    pub journal_head: String,
    /// Entries of the operator script that never became due; none without a script.
    pub(super) script: Option<Vec<NeverDue>>,
}

impl Tally {
    /// Begins to count at `now` in the state `core` is in.
    pub fn begin(core: &Coordinator, now: Timestamp) -> Self {
        let durable = core.durable();
        Self {
            buy_and_hold: BuyAndHold::of(core.config()),
            currency_decimals: core.decimals(),
            state: Some((durable.control.state, now)),
            last_decision: durable.last_decision,
            results_before: durable.account.results().clone(),
            open_plans: durable.plans.open().map(|plan| plan.id).collect(),
            ..Self::default()
        }
    }

    /// Counts an input.
    pub fn input(&mut self, input: &Input) {
        if let Input::Candle(candle) = input {
            self.synthetic_candles += u64::from(candle.synthetic);
        }
        if let Input::Started(started) = input {
            self.market_grown = started.market_grown.as_ref().map(ToString::to_string);
        }
        if let Input::TaskFinished { run, result } = input {
            let outcome = match result {
                Ok(_) => "succeeded",
                Err(TaskFailure::Failed(_)) => "failed",
                Err(TaskFailure::TimedOut) => "timed_out",
                Err(TaskFailure::Panicked(_)) => "panicked",
            };
            self.run_ended(*run, outcome);
        }
        if let Input::Candle(candle) = input {
            self.buy_and_hold.candle(candle);
        }
        if let Input::Resolved { resolved, .. } = input {
            self.models_called(resolved);
        }
    }

    fn models_called(&mut self, resolved: &Resolved) {
        for failed in &resolved.failures {
            let outcome = match failed.failure {
                CallFailure::TimedOut => "timed_out",
                CallFailure::Failed(_) => "failed",
                CallFailure::Unreadable(_) => "unreadable",
                CallFailure::Panicked(_) => "panicked",
            };
            count(&mut self.model_calls, &failed.provider, &outcome);
        }
        if let Some(answered) = &resolved.answer {
            count(&mut self.model_calls, &answered.provider, &"answered");
        }
    }

    fn run_ended(&mut self, run: RunId, outcome: &'static str) {
        if let Some(task) = self.runs.remove(&run) {
            *self.task_runs.entry(task).or_default().entry(outcome).or_default() += 1;
        }
    }

    /// Counts an effect of a step that has led to `durable`.
    pub fn effect(&mut self, effect: &Effect, durable: &Durable) {
        match effect {
            Effect::Publish(message) => *self.messages.entry(message.topic).or_default() += 1,
            Effect::RunTask(run) => {
                self.runs.insert(run.id, run.task);
            }
            Effect::AbandonTask(run) => self.run_ended(*run, "timed_out"),
            Effect::Record(record) => {
                self.record(record.at, &record.actor.to_string(), &record.kind);
                if record.actor == Actor::Script {
                    self.scripted(record.at, &record.kind);
                }
                self.count_part_filled(&record.kind, durable);
                self.count_ended_plans(&durable.plans);
            }
            Effect::Submit { .. }
            | Effect::CancelAll
            | Effect::ShrinkProtection { .. }
            | Effect::Query { .. }
            | Effect::FetchFills { .. }
            | Effect::PutNotesAway
            | Effect::ReopenStore { .. }
            | Effect::Resolve(_)
            | Effect::ProbeProvider { .. }
            | Effect::AbandonModelCalls
            | Effect::Reply { .. }
            | Effect::ShutGate { .. }
            | Effect::OpenGate { .. }
            | Effect::SetLatch { .. }
            | Effect::ReleaseLatch { .. } => {}
        }
    }

    /// Counts an order that ended after a part of it was filled.
    fn count_part_filled(&mut self, kind: &RecordKind, durable: &Durable) {
        if let RecordKind::OrderStatus { client_id, status: OrderStatus::Cancelled, .. } = kind
            && durable.orders.get(client_id).is_some_and(|tracked| !tracked.filled.is_zero())
        {
            self.orders.part_filled += 1;
        }
    }

    fn record(&mut self, at: Timestamp, actor: &str, kind: &RecordKind) {
        match kind {
            RecordKind::StateChanged { to, reason, .. } => {
                self.state_changed(at, *to, actor, reason.as_str());
            }
            RecordKind::Degradation(DegradationTransition::LevelChanged(change)) => {
                let (from, to) = (change.from.to_string(), change.to.to_string());
                self.level_changes.push(LevelStep { at, from, to });
            }
            RecordKind::Decision(decision) => {
                // One that waited for a model comes a second time.
                if decision.id > self.last_decision {
                    self.last_decision = decision.id;
                    self.signals += 1;
                }
                if let Some(outcome) = decision.outcome {
                    self.decided(outcome, &decision.reasons);
                    if let Some(Rule::Conflict(kind)) = decision.blocked_by() {
                        count(&mut self.reasons, &outcome, &kind);
                    }
                }
            }
            RecordKind::DecisionEnded { outcome, reasons, .. } => self.decided(*outcome, reasons),
            RecordKind::OrderIntended(_) => self.orders.intended += 1,
            RecordKind::OrderStatus { status, .. } => match status {
                OrderStatus::Filled => self.orders.filled += 1,
                OrderStatus::Cancelled => self.orders.cancelled += 1,
                OrderStatus::Rejected => self.orders.rejected += 1,
                OrderStatus::Unknown => self.orders.unknown += 1,
                OrderStatus::Intent | OrderStatus::Sent | OrderStatus::Accepted => {}
            },
            RecordKind::Fill { posting, done } => {
                self.fills += 1;
                match posting.fill.role {
                    FillRole::Order => self.orders.filled += u64::from(*done),
                    FillRole::Stop => self.stops += 1,
                    FillRole::Target => self.targets += 1,
                }
                let fee = &posting.fill.fee;
                let paid = self.fees.entry(fee.currency.clone()).or_default();
                *paid = checked_add(*paid, fee.amount).unwrap_or(Decimal::MAX);
                self.count_fee(posting);
            }
            RecordKind::Alarm(AlarmTransition::Raised { class, .. }) => {
                *self.alarms_raised.entry(class.to_string()).or_default() += 1;
            }
            RecordKind::Plan(PlanTransition::Created { plan }) => {
                self.open_plans.insert(plan.id);
            }
            RecordKind::Mark { equity, .. } => {
                self.equity.get_or_insert_with(|| Equity::begin(*equity)).mark(*equity);
                self.buy_and_hold.mark(at, *equity);
            }
            RecordKind::State(_)
            | RecordKind::RunStarted { .. }
            | RecordKind::RunEnded { .. }
            | RecordKind::CommandRequested { .. }
            | RecordKind::CommandEnded { .. }
            | RecordKind::Degradation(_)
            | RecordKind::Breaker(_)
            | RecordKind::Streak(_)
            | RecordKind::Closing(_)
            | RecordKind::OrderAdopted(_)
            | RecordKind::ClosingEnded { .. }
            | RecordKind::Plan(PlanTransition::Leg { .. } | PlanTransition::Shifted { .. })
            | RecordKind::Alarm(_)
            | RecordKind::TaskEnabled { .. }
            | RecordKind::Note { .. } => {}
        }
    }

    /// Counts what the script asked for, and what became of it.
    fn scripted(&mut self, at: Timestamp, kind: &RecordKind) {
        if let RecordKind::CommandRequested { .. } = kind {
            self.script.unanswered += 1;
        }
        if let RecordKind::CommandEnded { command, outcome, .. } = kind {
            self.script.ended(at, command, outcome);
        }
    }

    /// A fee in the quote asset is worth what that was when it was paid.
    fn count_fee(&mut self, posting: &Posting) {
        let fee = &posting.fill.fee;
        let rate = posting.quote_rate.filter(|_| fee.currency == *posting.fill.symbol.quote());
        let (sum, unpriced) = &mut self.fees_in_account;
        match rate.map(|rate| checked_mul(fee.amount, rate).and_then(|paid| checked_add(*sum, paid))) {
            Some(Ok(total)) => *sum = total,
            Some(Err(_)) | None => *unpriced += 1,
        }
    }

    /// Counts the legs of plans that have ended, while they are remembered: the state forgets all but the last.
    fn count_ended_plans(&mut self, plans: &Plans) {
        let ended = self.open_plans.extract_if(.., |id| plans.plan(*id).is_some_and(Plan::is_finished));
        for plan in ended.filter_map(|id| plans.plan(id)) {
            count_legs(&mut self.legs, plan);
        }
    }

    fn decided(&mut self, outcome: Outcome, reasons: &[ReasonCode]) {
        *self.decisions.entry(outcome.to_string()).or_default() += 1;
        for reason in reasons {
            count(&mut self.reasons, &outcome, reason);
        }
    }

    fn state_changed(&mut self, at: Timestamp, to: TradingState, by: &str, reason: &str) {
        self.pass_time(at);
        self.state = Some((to, at));
        let (by, reason) = (by.to_owned(), reason.to_owned());
        self.state_changes.push(StateChange { at, to: to.to_string(), by, reason });
    }

    fn pass_time(&mut self, until: Timestamp) {
        // A start begins in the state of the last end, and may leave it at once.
        if let Some((state, since)) = self.state
            && until > since
        {
            *self.seconds_in_state.entry(state).or_default() += until.since(since);
        }
    }

    /// The summary of a run that ended in `durable`.
    pub fn end(mut self, durable: &Durable, ending: Ending) -> Summary {
        let (started_at, ended_at) = ending.span;
        self.pass_time(ended_at);
        self.count_ended_plans(&durable.plans);
        let mut legs_waiting = Vec::new();
        for plan in durable.plans.open() {
            count_legs(&mut self.legs, plan);
            let waiting = plan.legs.iter().filter(|leg| leg.state == LegState::Waiting);
            legs_waiting.extend(waiting.map(|leg| leg_text(plan, leg)));
        }
        let (mut alarms, mut alarms_listed) = (Table::new(), Vec::new());
        for alarm in durable.alarms.listed() {
            let (state, headline) = (state_word(alarm.state), alarm.headline().to_string());
            count(&mut alarms, &alarm.class, &state);
            alarms_listed.push(ListedAlarm { class: alarm.class.to_string(), state, headline });
        }
        let decimals = self.currency_decimals;
        let shown = |amount| shown_amount(amount, decimals);
        let (fees, unpriced) = self.fees_in_account;
        let costs = Costs {
            fees: shown(fees),
            pct_of_start: self.equity.and_then(|equity| pct_of(fees, equity.first).ok()).map(percent),
            unpriced,
        };
        let (before, results) = (&self.results_before, durable.account.results());
        let results = RunResults {
            won: results.won - before.won,
            lost: results.lost - before.lost,
            realised: shown(checked_sub(results.realised, before.realised).unwrap_or_default()),
            unpriced: results.unpriced - before.unpriced,
        };
        let control = &durable.control;
        let named =
            |map: BTreeMap<Topic, u64>| map.into_iter().map(|(topic, n)| (topic.to_string(), n)).collect();
        Summary {
            version: env!("CARGO_PKG_VERSION"),
            market: ending.market,
            symbols: ending.symbols.iter().map(ToString::to_string).collect(),
            synthetic_candles: self.synthetic_candles,
            market_grown: self.market_grown,
            started_at,
            ended_at,
            virtual_seconds: ended_at.since(started_at).as_secs(),
            wall_seconds: ending.wall.as_secs_f64(),
            messages: named(self.messages),
            task_runs: self
                .task_runs
                .into_iter()
                .map(|(task, runs)| {
                    (task.to_string(), runs.into_iter().map(|(word, n)| (word.to_owned(), n)).collect())
                })
                .collect(),
            model_calls: self.model_calls,
            signals: self.signals,
            decisions: self.decisions,
            reasons: self.reasons,
            orders: self.orders,
            fills: self.fills,
            stops: self.stops,
            targets: self.targets,
            fees: self.fees.into_iter().map(|(asset, paid)| (asset.to_string(), paid.normalize())).collect(),
            legs: self.legs,
            legs_waiting,
            alarms_raised: self.alarms_raised,
            alarms,
            alarms_listed,
            level_changes: self.level_changes,
            state_changes: self.state_changes,
            seconds_in_state: self
                .seconds_in_state
                .into_iter()
                .map(|(state, span)| (state.to_string(), span.as_secs()))
                .collect(),
            state: StateNow {
                state: control.state.to_string(),
                since: control.since.market,
                by: control.by.to_string(),
                reason: control.reason.to_string(),
            },
            equity_start: self.equity.map(|equity| shown(equity.first)),
            equity_end: self.equity.map(|equity| shown(equity.last)),
            buy_and_hold: self.buy_and_hold.end(ended_at, decimals),
            costs,
            drawdown_max_pct: percent(self.equity.map(|equity| equity.drawdown_max_pct).unwrap_or_default()),
            uncertain: durable.uncertain(),
            results,
            currency: durable.account.currency().to_string(),
            script: ending.script.map(|left| {
                self.script.left(&left);
                self.script
            }),
            dropped: ending.dropped,
            records: durable.seq.0,
            journal_head: ending.journal_head,
        }
    }
}

fn count(table: &mut Table, row: &impl ToString, column: &impl ToString) {
    *table.entry(row.to_string()).or_default().entry(column.to_string()).or_default() += 1;
}

fn count_legs(legs: &mut BTreeMap<String, u64>, plan: &Plan) {
    for leg in &plan.legs {
        *legs.entry(leg.state.to_string()).or_default() += 1;
    }
}

/// `p1/2 BTC/USDT buy 555.50: 3 h late`.
fn leg_text(plan: &Plan, leg: &Leg) -> String {
    let why = leg.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{} {} {} {}{why}", plan.leg_id(leg), leg.symbol, leg.side, leg.amount)
}

/// A percentage as the summary says it.
fn percent(value: Decimal) -> Decimal {
    shown_amount(value, 2)
}

const fn state_word(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Normal => "normal",
        AlarmState::Unacknowledged => "unacknowledged",
        AlarmState::Acknowledged => "acknowledged",
        AlarmState::ReturnedUnacknowledged => "returned_unacknowledged",
        AlarmState::LatchedUnacknowledged => "latched_unacknowledged",
        AlarmState::LatchedAcknowledged => "latched_acknowledged",
    }
}

impl Summary {
    /// For a person.
    pub fn to_text(&self) -> String {
        let mut lines = Lines::default();
        self.market_lines(&mut lines);
        self.money_lines(&mut lines);
        self.trade_lines(&mut lines);
        self.event_lines(&mut lines);
        if let Some(script) = &self.script {
            script.lines(&mut lines);
        }
        lines.add("messages", list(&self.messages));
        for (task, runs) in &self.task_runs {
            lines.add("task", format!("{task}: {}", list(runs)));
        }
        lines.add("models", table(&self.model_calls));
        lines.add("dropped", self.dropped.to_string());
        lines.add("journal", format!("{} records, head {}", self.records, self.journal_head));
        lines.0
    }

    fn market_lines(&self, lines: &mut Lines) {
        lines.add("market", format!("{} {} to {}", self.market, self.started_at, self.ended_at));
        lines.add("symbols", self.symbols.join(", "));
        if self.synthetic_candles > 0 {
            lines.add("no trades", format!("in {} candles, filled in flat", self.synthetic_candles));
        }
        lines.add("grown", self.market_grown.clone().unwrap_or_default());
        lines.add("wall", format!("{:.2} s", self.wall_seconds));
        let StateNow { state, since, by, reason } = &self.state;
        lines.add("state", format!("{state} since {since} by {by}{}", because(reason)));
        let spent = self
            .seconds_in_state
            .iter()
            .map(|(state, secs)| format!("{state} {:.1} h", *secs as f64 / 3_600.0));
        lines.add("time in", spent.collect::<Vec<_>>().join(", "));
    }

    fn money_lines(&self, lines: &mut Lines) {
        let amount = |value: Option<Decimal>| value.map_or_else(|| "unknown".to_owned(), |v| v.to_string());
        lines.add(
            "equity",
            format!(
                "{} to {} {}, deepest drawdown {} %",
                amount(self.equity_start),
                amount(self.equity_end),
                self.currency,
                self.drawdown_max_pct
            ),
        );
        if let Some(Held { since, end, .. }) = &self.buy_and_hold {
            lines.add(
                "buy and hold",
                format!("{end} {}, the targets bought at {since} without fees", self.currency),
            );
        }
        let Costs { fees, pct_of_start, unpriced } = &self.costs;
        let share = pct_of_start.map(|pct| format!(", {pct} % of the start")).unwrap_or_default();
        let missing =
            if *unpriced > 0 { format!(", {unpriced} fees without a price left out") } else { String::new() };
        lines.add("costs", format!("{fees} {} of fees{share}{missing}", self.currency));
        for uncertain in &self.uncertain {
            lines.add("  uncertain", uncertain.to_string());
        }
        let RunResults { won, lost, realised, unpriced } = &self.results;
        let missing = if *unpriced > 0 {
            format!(", {unpriced} sales without a price left out")
        } else {
            String::new()
        };
        lines.add(
            "lots closed",
            format!("{won} won, {lost} lost; realised {realised} {}{missing}", self.currency),
        );
    }

    fn trade_lines(&self, lines: &mut Lines) {
        lines.add("decisions", list(&self.decisions));
        lines.add("reasons", table(&self.reasons));
        let OrderCounts { intended, filled, cancelled, part_filled, rejected, unknown } = &self.orders;
        let in_part =
            if *part_filled > 0 { format!(" ({part_filled} filled in part)") } else { String::new() };
        lines.add(
            "orders",
            format!(
                "{intended} intended, {filled} filled, {cancelled} cancelled{in_part}, {rejected} rejected, \
                 {unknown} unknown for a time"
            ),
        );
        lines.add(
            "fills",
            format!("{}, of them {} of stops, {} of targets", self.fills, self.stops, self.targets),
        );
        let fees = self
            .fees
            .iter()
            .map(|(asset, paid)| format!("{} {asset}", paid.round_dp(DECIMALS_MAX).normalize()));
        lines.add("fees", fees.collect::<Vec<_>>().join(", "));
        lines.add("legs", list(&self.legs));
        for leg in &self.legs_waiting {
            lines.add("  waits", leg.clone());
        }
    }

    fn event_lines(&self, lines: &mut Lines) {
        let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        lines.add("raised", or_none(list(&self.alarms_raised)));
        lines.add("alarms", or_none(table(&self.alarms).replace('_', " ")));
        for ListedAlarm { class, state, headline } in &self.alarms_listed {
            lines.add("  alarm", format!("{class}, {}: {headline}", state.replace('_', " ")));
        }
        for change in &self.state_changes {
            let why = because(&change.reason);
            lines.add("  state", format!("{} {} by {}{why}", change.at, change.to, change.by));
        }
        for step in &self.level_changes {
            lines.add("  level", format!("{} {} to {}", step.at, step.from, step.to));
        }
    }
}

impl ScriptAccount {
    fn lines(&self, lines: &mut Lines) {
        let ScriptAccount { done, refused, unanswered, never_due, .. } = self;
        let open = if *unanswered > 0 { format!(", {unanswered} unanswered") } else { String::new() };
        lines.add("script", format!("{done} done, {refused} refused, {never_due} never due{open}"));
        let more = |all: u64, told: &[String]| match all.saturating_sub(told.len() as u64) {
            0 => String::new(),
            more => format!("and {more} more"),
        };
        self.refusals.iter().for_each(|why| lines.add("  refused", why.clone()));
        lines.add("  refused", more(*refused, &self.refusals));
        self.not_reached.iter().for_each(|entry| lines.add("  never due", entry.clone()));
        lines.add("  never due", more(*never_due, &self.not_reached));
    }
}

/// The summary for a person: a name a line, and what is said of it.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// One more; none where there is nothing to say.
    fn add(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            // Writing into a String cannot fail.
            let _ = writeln!(self.0, "{name:<12} {value}");
        }
    }
}

/// `NAME COUNT, NAME COUNT`
fn list(map: &BTreeMap<String, u64>) -> String {
    map.iter().map(|(word, n)| format!("{word} {n}")).collect::<Vec<_>>().join(", ")
}

/// `ROW: NAME COUNT, ..; ROW: ..`
fn table(table: &Table) -> String {
    table.iter().map(|(word, row)| format!("{word}: {}", list(row))).collect::<Vec<_>>().join("; ")
}

/// What stands behind a state: `: REASON`, if there is one.
fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
