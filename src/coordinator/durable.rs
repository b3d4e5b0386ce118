//! The durable state: what survives a restart. It changes only in [`Durable::apply`], by records; so what runs and
//! what is recovered cannot differ.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::closing::Closing;
use super::conflict::AlertsInForce;
use super::dca::{PlanTransition, Plans};
use super::degradation::{Degradation, DegradationTransition};
use super::emergency::{ALERT_TTL, breaker_alert};
use super::record::{Record, RecordKind};
use super::snapshot::HaltReason;
use crate::account::{Account, Applied, Mark, Posting};
use crate::alarm::{AlarmSource, Alarms, Subject};
use crate::config::{Config, TaskName};
use crate::domain::{
    Actor, Asset, ClientOrderId, CommandId, Decision, DecisionId, Fill, FillRole, InstallId, MoneyError, Now,
    Order, OrderStatus, Outcome, Purpose, SafeText, Seq, SignalId, Symbol, Timestamp, TradingState,
    VenueEvent, checked_add, checked_div, checked_mul, checked_sub,
};
use crate::risk::{BreakerName, BreakerTransition, Breakers, RecentOrders, SentOrder, Streak};

/// Decisions kept in the state; older ones are in the journal.
const DECISIONS_KEPT: usize = 100;
/// Ended orders kept to recognise late words about them.
const ORDERS_ENDED_KEPT: usize = 64;
/// Signal ids kept to recognise a second delivery: ten for each of the most symbols that a configuration may have. A
/// signal that comes later than that is too old to be traded.
const SIGNALS_KEPT: usize = 1_000;
/// How much of the equity history is kept for the chart.
const MARKS_KEPT: Duration = Duration::from_secs(86_400);

/// Trading state, and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlState {
    /// Which.
    pub state: TradingState,
    /// Since when, both clocks.
    pub since: Now,
    /// By whom.
    pub by: Actor,
    /// Why.
    pub reason: SafeText,
    /// The record that made it so.
    pub recorded: Seq,
    /// One per halt; empty unless HALTED.
    pub halt_reasons: Vec<HaltReason>,
}

/// An order and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackedOrder {
    /// As it was handed over.
    pub order: Order,
    /// As far as we know.
    pub status: OrderStatus,
    /// Base units.
    pub filled: Decimal,
    /// When it was made, both clocks.
    pub at: Now,
}

/// A held asset that keeps the equity uncertain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uncertain {
    /// Which.
    pub asset: Asset,
    /// What is owned of it.
    pub quantity: Decimal,
    /// Since when it has no newer price, market time; none if it never had one.
    pub since: Option<Timestamp>,
    /// Worth at the last known price, account currency: so much of the equity is uncertain. None if it never had one, and
    /// is left out.
    pub worth: Option<Decimal>,
}

impl fmt::Display for Uncertain {
    /// `500 XRP (about 250) without a fresh price since 2024-01-01T03:45:00.000Z`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.quantity.normalize(), self.asset)?;
        match (self.worth, self.since) {
            (Some(worth), Some(since)) => {
                write!(f, " (about {}) without a fresh price since {since}", worth.round_dp(2).normalize())
            }
            (None, _) | (_, None) => f.write_str(" never had a price and is left out"),
        }
    }
}

/// Everything that survives a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Durable {
    /// Last record applied.
    pub seq: Seq,
    /// Its market time.
    pub at: Timestamp,
    /// The last full state record.
    pub segment_at: Seq,
    /// Number of the process run.
    pub run: u16,
    /// The last run ended with its end record.
    pub ended_cleanly: bool,
    /// Fingerprint of the configuration of the last run.
    pub config_fingerprint: String,
    /// Names this installation.
    pub install: InstallId,
    /// Trading state.
    pub control: ControlState,
    /// Failure counters, forced level, symbol streaks.
    pub degradation: Degradation,
    /// Balances and lots.
    pub account: Account,
    /// Equity when it was first known: shares of it are the least amounts of orders. None before. Journals of earlier
    /// versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_equity: Option<Decimal>,
    /// Circuit breakers.
    pub breakers: Breakers,
    /// Losses in a row, cooldowns.
    pub streak: Streak,
    /// Risk alerts that have not expired.
    #[serde(default)]
    pub alerts: AlertsInForce,
    /// Alarms.
    pub alarms: Alarms,
    /// DCA plans.
    pub plans: Plans,
    /// When the last plan was made.
    pub last_rebalance: Option<Timestamp>,
    /// Orders that have not ended, and the last that have.
    pub orders: BTreeMap<ClientOrderId, TrackedOrder>,
    /// Ended orders, oldest first.
    pub orders_ended: VecDeque<ClientOrderId>,
    /// Sales ordered by an emergency or the operator.
    pub closings: BTreeMap<Symbol, Closing>,
    /// The last decisions, oldest first.
    pub decisions: VecDeque<Decision>,
    /// Outcomes of the present day, and the day.
    pub outcomes_today: (Timestamp, BTreeMap<Outcome, u64>),
    /// Ids of the last signals.
    pub signals: VecDeque<SignalId>,
    /// Tasks that the operator switched off.
    pub tasks_disabled: BTreeSet<TaskName>,
    /// The orders of the last minutes, for duplicates and rate.
    pub recent_orders: RecentOrders,
    /// Equity of the last day.
    pub marks: VecDeque<(Timestamp, Decimal)>,
    /// What one unit of each asset was worth when it was last held and marked, account currency.
    #[serde(default)]
    pub rates: BTreeMap<Asset, Mark>,
    /// Level and state changes of the last day.
    pub changes: VecDeque<(Timestamp, SafeText)>,
    /// When the last order was made, operator time.
    pub last_order_at: Option<Timestamp>,
    /// Counters for ids.
    pub last_decision: DecisionId,
    /// See `last_decision`.
    pub last_command: CommandId,
    /// See `last_decision`.
    pub last_closing: u64,
}

impl Durable {
    /// The state of a fresh installation.
    pub fn fresh(install: InstallId, config: &Config, now: Now) -> Self {
        Self {
            seq: Seq(0),
            at: now.market,
            segment_at: Seq(0),
            run: 0,
            ended_cleanly: true,
            config_fingerprint: String::new(),
            install,
            control: ControlState {
                state: TradingState::Running,
                since: now,
                by: Actor::Runtime,
                reason: SafeText::ours("fresh start"),
                recorded: Seq(0),
                halt_reasons: Vec::new(),
            },
            degradation: Degradation::default(),
            account: Account::new(
                config.execution.account.currency.clone(),
                config.execution.account.start.clone(),
            ),
            first_equity: None,
            breakers: Breakers::default(),
            streak: Streak::default(),
            alerts: AlertsInForce::default(),
            alarms: Alarms::default(),
            plans: Plans::default(),
            last_rebalance: None,
            orders: BTreeMap::new(),
            orders_ended: VecDeque::new(),
            closings: BTreeMap::new(),
            decisions: VecDeque::new(),
            outcomes_today: (now.market.day_start(), BTreeMap::new()),
            signals: VecDeque::new(),
            tasks_disabled: BTreeSet::new(),
            recent_orders: RecentOrders::default(),
            marks: VecDeque::new(),
            rates: BTreeMap::new(),
            changes: VecDeque::new(),
            last_order_at: None,
            last_decision: DecisionId(0),
            last_command: CommandId(0),
            last_closing: 0,
        }
    }

    /// Applies one record. Total and deterministic: the only way in which anything here changes.
    pub fn apply(&mut self, record: &Record) {
        let operator = record.wall.unwrap_or(record.at);
        let at = Now { market: record.at, operator };
        match &record.kind {
            RecordKind::State(state) => {
                *self = (**state).clone();
                self.segment_at = record.seq;
            }
            RecordKind::RunStarted { config_fingerprint, .. } => {
                self.run = record.run;
                self.ended_cleanly = false;
                self.config_fingerprint.clone_from(config_fingerprint);
                // An account of an earlier version: the highest equity there was stands for the first.
                self.first_equity =
                    self.first_equity.or(self.breakers.get(BreakerName::MaxDrawdown).baseline);
            }
            RecordKind::RunEnded { .. } => self.ended_cleanly = true,
            RecordKind::CommandRequested { id, .. } => self.last_command = self.last_command.max(*id),
            RecordKind::CommandEnded { .. } | RecordKind::Note { .. } => {}
            RecordKind::StateChanged { to, reason, .. } => {
                self.control.recorded = record.seq;
                self.apply_state(*to, reason, &record.actor, at);
            }
            RecordKind::Degradation(transition) => {
                self.degradation.apply(transition);
                if let DegradationTransition::LevelChanged(change) = transition {
                    self.mark_change(at.market, SafeText::ours(format!("LEVEL {}", change.to)));
                }
            }
            RecordKind::Decision(decision) => self.apply_decision(decision),
            RecordKind::DecisionEnded { id, outcome, reasons, detail } => {
                self.count_outcome(*outcome, at.market);
                if let Some(decision) = self.decision_mut(*id) {
                    decision.outcome = Some(*outcome);
                    decision.ended_at = Some(at.market);
                    decision.reasons.extend(reasons);
                    decision.detail.clone_from(detail);
                }
            }
            RecordKind::OrderIntended(order) => {
                self.last_order_at = Some(operator);
                self.recent_orders.apply(&SentOrder {
                    at: at.market,
                    symbol: order.symbol.clone(),
                    side: order.side,
                    quantity: order.quantity,
                });
                let tracked = TrackedOrder {
                    order: (**order).clone(),
                    status: OrderStatus::Intent,
                    filled: Decimal::ZERO,
                    at,
                };
                // A leg that the venue never saw is sent again under its one name.
                self.orders_ended.retain(|ended| *ended != order.client_id);
                self.orders.insert(order.client_id, tracked);
            }
            RecordKind::OrderAdopted(order) => self.adopt(order, at),
            RecordKind::OrderStatus { client_id, status, .. } => self.apply_order_status(*client_id, *status),
            RecordKind::Fill { posting, done } => self.apply_fill(posting, *done, at.market),
            RecordKind::Breaker(transition) => {
                self.breakers.apply(transition);
                if let BreakerTransition::Baseline { equity, .. } = transition {
                    self.first_equity.get_or_insert(*equity);
                }
                if let BreakerTransition::Tripped { name, trip, limit_pct, .. } = transition {
                    let until = trip.at.plus(ALERT_TTL);
                    self.alerts.add(&breaker_alert(*name, *trip, *limit_pct), until, at.market);
                }
            }
            RecordKind::Streak(transition) => self.streak.apply(transition),
            RecordKind::Closing(closing) => {
                self.last_closing = self.last_closing.max(closing.number);
                self.closings.insert(closing.symbol.clone(), closing.clone());
            }
            RecordKind::ClosingEnded { symbol, .. } => {
                self.closings.remove(symbol);
            }
            RecordKind::Plan(transition) => self.apply_plan(transition, at.market),
            RecordKind::Alarm(transition) => self.alarms.apply(transition),
            RecordKind::TaskEnabled { task, enabled: true } => {
                self.tasks_disabled.remove(task);
            }
            RecordKind::TaskEnabled { task, enabled: false } => {
                self.tasks_disabled.insert(*task);
            }
            RecordKind::Mark { equity, rates } => {
                self.first_equity.get_or_insert(*equity);
                self.rates.extend(rates.iter().map(|(asset, rate)| (asset.clone(), *rate)));
                self.marks.push_back((at.market, *equity));
                let oldest = at.market.minus(MARKS_KEPT);
                while self.marks.front().is_some_and(|(at, _)| *at < oldest) {
                    self.marks.pop_front();
                }
            }
        }
        self.seq = record.seq;
        self.at = record.at;
    }

    fn apply_state(&mut self, to: TradingState, reason: &SafeText, by: &Actor, at: Now) {
        let before = self.control.state;
        match to {
            TradingState::Halted => {
                let (by, reason) = (by.to_string(), reason.clone());
                self.control.halt_reasons.push(HaltReason { at, by, reason });
            }
            TradingState::Running | TradingState::Paused => self.control.halt_reasons.clear(),
        }
        self.control.state = to;
        self.control.by = by.clone();
        self.control.reason = reason.clone();
        if before != to {
            self.control.since = at;
            self.mark_change(at.market, SafeText::ours(to));
        }
    }

    fn mark_change(&mut self, at: Timestamp, what: SafeText) {
        self.changes.push_back((at, what));
        let oldest = at.minus(MARKS_KEPT);
        while self.changes.front().is_some_and(|(at, _)| *at < oldest) {
            self.changes.pop_front();
        }
    }

    fn apply_decision(&mut self, decision: &Decision) {
        if let Some(outcome) = decision.outcome {
            self.count_outcome(outcome, decision.ended_at.unwrap_or(decision.at));
        }
        // One that waited for a model is there already.
        if let Some(open) = self.decision_mut(decision.id) {
            open.clone_from(decision);
            return;
        }
        self.last_decision = self.last_decision.max(decision.id);
        self.signals.push_back(decision.signal.id);
        if self.signals.len() > SIGNALS_KEPT {
            self.signals.pop_front();
        }
        self.decisions.push_back(decision.clone());
        if self.decisions.len() > DECISIONS_KEPT {
            // An open decision stays, however old: its order may still fill.
            if let Some(at) = self.decisions.iter().position(|decision| decision.outcome.is_some()) {
                self.decisions.remove(at);
            }
        }
    }

    fn count_outcome(&mut self, outcome: Outcome, at: Timestamp) {
        let day = at.day_start();
        if self.outcomes_today.0 != day {
            self.outcomes_today = (day, BTreeMap::new());
        }
        *self.outcomes_today.1.entry(outcome).or_default() += 1;
    }

    /// It is out, whatever has become of it; its number is taken.
    fn adopt(&mut self, order: &Order, at: Now) {
        if let Purpose::Reduce { number } | Purpose::Flatten { number } = order.purpose {
            self.last_closing = self.last_closing.max(number);
        }
        let (order, status, filled) = (order.clone(), OrderStatus::Sent, Decimal::ZERO);
        self.orders_ended.retain(|ended| *ended != order.client_id);
        self.orders.insert(order.client_id, TrackedOrder { order, status, filled, at });
    }

    fn apply_order_status(&mut self, client_id: ClientOrderId, status: OrderStatus) {
        let Some(tracked) = self.orders.get_mut(&client_id) else {
            return;
        };
        let ended_now = status.is_terminal() && !tracked.status.is_terminal();
        tracked.status = status;
        if ended_now {
            self.orders_ended.push_back(client_id);
            if self.orders_ended.len() > ORDERS_ENDED_KEPT
                && let Some(oldest) = self.orders_ended.pop_front()
            {
                self.orders.remove(&oldest);
            }
        }
    }

    fn apply_fill(&mut self, posting: &Posting, done: bool, at: Timestamp) {
        // The step that made this record has tried the posting on a copy; an error here is the same live and in
        // recovery, and leaves the account as it was.
        let Ok(Applied::Booked(_)) = self.account.apply(posting) else {
            return;
        };
        let fill = &posting.fill;
        if fill.role == FillRole::Order {
            if let Some(tracked) = self.orders.get_mut(&fill.client_id) {
                tracked.filled = checked_add(tracked.filled, fill.quantity).unwrap_or(tracked.filled);
            }
            if let Purpose::Entry { decision } | Purpose::Exit { decision } = posting.purpose
                && let Some(decision) = self.decision_mut(decision)
            {
                add_execution(decision, fill);
            }
            if let Purpose::Reduce { number } | Purpose::Flatten { number } = posting.purpose
                && let Some(closing) = self.closings.values_mut().find(|closing| closing.number == number)
            {
                closing.remaining = checked_sub(closing.remaining, fill.quantity).unwrap_or_default();
            }
        }
        if let Purpose::Leg { .. } = posting.purpose {
            let told = VenueEvent::Filled { fill: fill.clone(), done };
            // What does not fit the leg has raised its alarm when it was told; the cash has moved all the same.
            for step in self.plans.venue(&told).unwrap_or_default() {
                self.apply_plan(&step, at);
            }
        }
        if done && fill.role == FillRole::Order {
            self.apply_order_status(fill.client_id, OrderStatus::Filled);
        }
    }

    fn apply_plan(&mut self, transition: &PlanTransition, at: Timestamp) {
        // The step that made this record took it from `Plans` itself; one that does not fit changes nothing, live and
        // in recovery alike.
        if self.plans.apply(transition).is_ok() && matches!(transition, PlanTransition::Created { .. }) {
            self.last_rebalance = Some(at);
        }
    }

    fn decision_mut(&mut self, id: DecisionId) -> Option<&mut Decision> {
        self.decisions.iter_mut().rev().find(|decision| decision.id == id)
    }

    /// A decision that is still known here.
    pub fn decision(&self, id: DecisionId) -> Option<&Decision> {
        self.decisions.iter().rev().find(|decision| decision.id == id)
    }

    /// The assets whose missing or old price is an alarm now.
    pub(super) fn uncertain_alarms(&self) -> impl Iterator<Item = &Asset> {
        let listed = self.alarms.listed().into_iter();
        let active =
            listed.filter(|alarm| alarm.key.source == AlarmSource::PriceStale && alarm.state.is_active());
        active.filter_map(|alarm| match &alarm.key.subject {
            Some(Subject::Asset(asset)) => Some(asset),
            Some(
                Subject::Symbol(_)
                | Subject::Task(_)
                | Subject::Component(_)
                | Subject::Breaker(_)
                | Subject::Order(_),
            )
            | None => None,
        })
    }

    /// What keeps the equity uncertain, since when and by how much.
    pub fn uncertain(&self) -> Vec<Uncertain> {
        let of = |asset: &Asset| {
            let quantity = self.account.balance(asset).normalize();
            let rate = self.rates.get(asset);
            let worth =
                rate.and_then(|rate| checked_mul(quantity, rate.price).ok()).map(|worth| worth.normalize());
            Uncertain { asset: asset.clone(), quantity, since: rate.map(|rate| rate.at), worth }
        };
        self.uncertain_alarms().map(of).collect()
    }

    /// Orders that have not ended.
    pub fn open_orders(&self) -> impl Iterator<Item = &TrackedOrder> {
        self.orders.values().filter(|tracked| !tracked.status.is_terminal())
    }
}

fn add_execution(decision: &mut Decision, fill: &Fill) {
    let total = || {
        let before = checked_mul(decision.average_price.unwrap_or_default(), decision.filled)?;
        let filled = checked_add(decision.filled, fill.quantity)?;
        let average = checked_div(checked_add(before, checked_mul(fill.price, fill.quantity)?)?, filled)?;
        Ok::<_, MoneyError>((filled, average))
    };
    if let Ok((filled, average)) = total() {
        decision.filled = filled;
        decision.average_price = Some(average);
    }
}
