//! Builds the snapshot, section by section, and only those that something has touched.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::dca::{Leg, LegState, Plan};
use super::degradation::Component;
use super::record::RecordKind;
use super::routing::order_text;
use super::schedule::{RowStatus, RowView, RunOutcome, Wait};
use super::snapshot::{
    AlarmRow, AllocationRow, ComponentView, ConsensusRow, ControlView, DecisionsView, DegradationView,
    ForcedView, LastSignal, LegView, OrderView, PlanView, PortfolioView, PositionView, Snapshot, TallyView,
    TaskRow, TaskState, TaskSymbolRow, VoiceView,
};
use super::{Coordinator, consensus::Tally};
use crate::config::TaskName;
use crate::domain::{
    Action, Bias, Level, Now, OrderStatus, Regime, SafeText, SentimentBias, Seq, Symbol, checked_add,
    checked_div, checked_mul, checked_sub,
};
use crate::risk::BreakerName;

/// Decisions in a snapshot.
const DECISIONS_SHOWN: usize = 100;

/// Which sections something has touched since the last snapshot. Ages and blocks move with time alone, so the control
/// section is rebuilt for every snapshot.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "one flag a section")]
pub(super) struct Dirty {
    pub control: bool,
    pub level: bool,
    pub market: bool,
    pub consensus: bool,
    pub schedule: bool,
    pub plans: bool,
    pub alarms: bool,
    pub decisions: bool,
    pub health: bool,
}

impl Dirty {
    pub const fn all() -> Self {
        Self {
            control: true,
            level: true,
            market: true,
            consensus: true,
            schedule: true,
            plans: true,
            alarms: true,
            decisions: true,
            health: true,
        }
    }

    const fn none() -> Self {
        Self {
            control: false,
            level: false,
            market: false,
            consensus: false,
            schedule: false,
            plans: false,
            alarms: false,
            decisions: false,
            health: false,
        }
    }

    /// Orders show in the portfolio and in the header.
    pub const fn orders(&mut self) {
        self.market = true;
        self.control = true;
    }

    /// What a record changes.
    pub const fn touched_by(&mut self, kind: &RecordKind) {
        match kind {
            RecordKind::State(_)
            | RecordKind::RunStarted { .. }
            | RecordKind::RunEnded { .. }
            | RecordKind::CommandRequested { .. }
            | RecordKind::CommandEnded { .. }
            | RecordKind::Note { .. } => {}
            RecordKind::StateChanged { .. } => self.control = true,
            RecordKind::Degradation(_) => {
                self.level = true;
                self.consensus = true;
            }
            RecordKind::Decision(_) | RecordKind::DecisionEnded { .. } => {
                self.decisions = true;
                self.consensus = true;
            }
            RecordKind::Fill { .. } => {
                self.orders();
                self.decisions = true;
                self.consensus = true;
                self.plans = true;
            }
            RecordKind::OrderIntended(_)
            | RecordKind::OrderAdopted(_)
            | RecordKind::OrderStatus { .. }
            | RecordKind::Breaker(_)
            | RecordKind::Streak(_)
            | RecordKind::Closing(_)
            | RecordKind::ClosingEnded { .. }
            | RecordKind::Mark { .. } => self.orders(),
            RecordKind::Plan(_) => self.plans = true,
            RecordKind::Alarm(_) => self.alarms = true,
            RecordKind::TaskEnabled { .. } => self.schedule = true,
        }
    }
}

impl Coordinator {
    /// The facts at `now`. Sections that nothing has touched are shared with `last`.
    pub fn snapshot(&mut self, now: Now, last: Option<&Snapshot>) -> Snapshot {
        let dirty = std::mem::replace(&mut self.live.dirty, Dirty::none());
        macro_rules! section {
            ($field:ident, $touched:expr, $build:expr) => {
                match last {
                    Some(last) if !$touched => Arc::clone(&last.$field),
                    _ => Arc::new($build),
                }
            };
        }
        Snapshot {
            revision: self.live.revision,
            at: now,
            head: self.durable.seq,
            durable: Seq(0),
            control: section!(control, true, self.control_view(now)),
            degradation: section!(degradation, dirty.level, self.degradation_view()),
            consensus: section!(consensus, true, self.consensus_view(now)),
            schedule: section!(
                schedule,
                dirty.schedule || dirty.level || dirty.control,
                self.schedule_view(now)
            ),
            plans: section!(plans, dirty.plans, self.plans_view()),
            alarms: section!(alarms, dirty.alarms, self.alarms_view()),
            decisions: section!(decisions, dirty.decisions, self.decisions_view(now)),
            portfolio: section!(portfolio, dirty.market, self.portfolio_view(now)),
            health: section!(health, dirty.health, self.live.health.rows.clone()),
        }
    }

    fn control_view(&self, now: Now) -> ControlView {
        let control = &self.durable.control;
        let is_locked = |symbol: &&Symbol| !self.symbol_blocks(symbol, now).is_empty();
        ControlView {
            market: self.setup.market.clone(),
            venue: self.setup.venue.clone(),
            speed: self.setup.speed,
            state: control.state,
            since: control.since.operator,
            by: control.by.to_string(),
            reason: control.reason.clone(),
            recorded: control.recorded,
            not_durable: self.live.health.not_durable,
            epoch: self.live.epoch,
            halt_reasons: control.halt_reasons.clone(),
            blocks: self.global_blocks(now),
            symbols_locked: self.setup.symbols.iter().filter(is_locked).cloned().collect(),
            feed_at: self.live.feed_at,
            feed_ended: self.live.feed_ended,
            last_order_at: self.durable.last_order_at,
            orders_open: self.durable.open_orders().count(),
            stops: self.durable.account.lots().iter().filter(|lot| lot.protection().is_some()).count(),
            release: self.release_view(now),
            resume: self.resume_view(now),
        }
    }

    fn degradation_view(&self) -> DegradationView {
        let degradation = &self.durable.degradation;
        let config = &self.config.orchestration.degradation;
        let mut components: Vec<ComponentView> = degradation
            .counters()
            .map(|(component, counter)| ComponentView {
                name: component.to_string(),
                is_llm: component.is_provider(),
                failures: counter.outstanding,
                successes: counter.successes,
            })
            .collect();
        // A provider that never failed has no counter, and is there all the same.
        let quiet = self.live.providers.keys().map(|name| Component::Provider(name.clone()));
        let quiet = quiet.filter(|component| degradation.counters().all(|(counted, _)| counted != component));
        components.extend(quiet.map(|component| ComponentView {
            name: component.to_string(),
            is_llm: true,
            failures: 0,
            successes: 0,
        }));
        components.sort_by_key(|component| std::cmp::Reverse(component.failures));
        let small = |failures: u32| u8::try_from(failures).unwrap_or(u8::MAX);
        let automatic = degradation.automatic(self.policy());
        DegradationView {
            effective: self.live.level,
            automatic,
            forced: degradation.forced().map(|forced| ForcedView {
                level: forced.level,
                by: forced.by.to_string(),
                since: forced.at.operator,
                until: forced.end.map(|end| end.at),
                reason: forced.reason.clone(),
            }),
            since: self.live.level_since,
            llm_failures: small(degradation.llm_failures()),
            api_failures: small(degradation.api_failures(self.policy())),
            next_level_at: match automatic {
                Level::Normal => Some(config.reduced_from),
                Level::Reduced => Some(config.limited_from),
                Level::Limited => Some(config.emergency_from),
                Level::Emergency => None,
            },
            components,
            models_configured: !self.live.providers.is_empty(),
        }
    }

    /// Attention first: held, then locked, then the rest in config order.
    fn consensus_view(&self, now: Now) -> Vec<ConsensusRow> {
        let mut rows: Vec<ConsensusRow> =
            self.setup.symbols.iter().map(|symbol| self.consensus_row(symbol, now)).collect();
        rows.sort_by_key(|row| (!row.held, row.locked.is_none()));
        rows
    }

    fn consensus_row(&self, symbol: &Symbol, now: Now) -> ConsensusRow {
        let last = self.live.voices.last(symbol);
        let freshness = &self.live.freshness;
        let decision = self.durable.decisions.iter().rev().find(|decision| decision.signal.symbol == *symbol);
        ConsensusRow {
            symbol: symbol.clone(),
            held: self.durable.account.lots_of(symbol).next().is_some(),
            locked: self.symbol_blocks(symbol, now).into_iter().next(),
            technical: VoiceView::<Bias> {
                says: last.technical.map(|(said, _)| (said.bias, said.confidence)),
                at: last.technical.map(|(_, at)| at),
                fresh_for: freshness.technical,
            },
            regime: VoiceView::<Regime> {
                says: last.regime.map(|(said, _)| (said.regime, said.confidence)),
                at: last.regime.map(|(_, at)| at),
                fresh_for: freshness.regime,
            },
            sentiment: VoiceView::<SentimentBias> {
                says: last.sentiment.map(|(said, _)| (said.bias, said.confidence)),
                at: last.sentiment.map(|(_, at)| at),
                fresh_for: freshness.sentiment,
            },
            buy: tally_view(&self.tally(symbol, Action::Buy, now)),
            sell: tally_view(&self.tally(symbol, Action::Sell, now)),
            price: self.live.prices.mark(symbol).map(|mark| mark.price),
            last_signal: decision.map(|decision| LastSignal {
                at: decision.at,
                action: decision.signal.action,
                confidence: decision.confidence,
                outcome: decision.outcome,
                reason: decision.reasons.first().copied(),
            }),
            history: self
                .live
                .multipliers
                .get(symbol)
                .map(|history| history.iter().copied().collect())
                .unwrap_or_default(),
        }
    }

    fn schedule_view(&self, now: Now) -> Vec<TaskRow> {
        let mut by_task: BTreeMap<TaskName, Vec<RowView>> = BTreeMap::new();
        for row in self.live.schedule.view(now) {
            by_task.entry(row.task).or_default().push(row);
        }
        by_task.into_iter().map(|(task, rows)| self.task_row(task, &rows)).collect()
    }

    fn task_row(&self, task: TaskName, rows: &[RowView]) -> TaskRow {
        let symbols: Vec<TaskSymbolRow> = rows.iter().map(task_symbol_row).collect();
        TaskRow {
            task,
            state: symbols.iter().map(|row| row.state.clone()).max().unwrap_or(TaskState::Idle),
            ok: (symbols.iter().filter(|row| row.last_ok == Some(true)).count(), symbols.len()),
            took: symbols.iter().filter_map(|row| row.took).max(),
            next_due: symbols.iter().filter_map(|row| row.next_due).min(),
            late_cycles: rows.iter().map(|row| row.late_cycles).max().unwrap_or(0),
            abandoned: rows.iter().map(|row| row.counts.abandoned).sum(),
            problem: self.live.problems.get(&task).cloned(),
            symbols,
        }
    }

    fn plans_view(&self) -> Vec<PlanView> {
        self.durable.plans.open().map(plan_view).collect()
    }

    fn alarms_view(&self) -> Vec<AlarmRow> {
        let alarms = self.durable.alarms.listed();
        alarms
            .into_iter()
            .map(|alarm| {
                let entry = self.catalogue.entry(alarm.key.source);
                AlarmRow {
                    id: alarm.id,
                    class: alarm.class,
                    title: SafeText::ours(&alarm.key),
                    detail: alarm.detail.clone(),
                    unacknowledged: alarm.state.is_unacknowledged(),
                    active: alarm.state.is_active(),
                    resettable: alarm.state == crate::alarm::AlarmState::LatchedAcknowledged,
                    raised: alarm.raised_at,
                    acknowledged: alarm
                        .ack
                        .as_ref()
                        .map(|ack| (ack.by.to_string(), ack.at.operator, ack.comment.clone())),
                    count: alarm.count,
                    cause: SafeText::ours(&entry.cause),
                    consequence: SafeText::ours(&entry.consequence),
                    response: SafeText::ours(&entry.response),
                }
            })
            .collect()
    }

    fn decisions_view(&self, now: Now) -> DecisionsView {
        let (day, outcomes) = &self.durable.outcomes_today;
        let today = if *day == now.market.day_start() {
            outcomes.iter().map(|(outcome, count)| (*outcome, *count)).collect()
        } else {
            Vec::new()
        };
        let recent = self.durable.decisions.iter().rev().take(DECISIONS_SHOWN);
        DecisionsView { recent: recent.map(|decision| Arc::new(decision.clone())).collect(), today }
    }

    fn portfolio_view(&self, now: Now) -> PortfolioView {
        let account = &self.durable.account;
        let prices = self.prices(now);
        let equity = self.equity(now);
        let limits = &self.config.risk.breakers;
        let breakers = &self.durable.breakers;
        let loss =
            |name: BreakerName| equity.map_or(Decimal::ZERO, |equity| breakers.get(name).loss_pct(equity));
        let exposure = account.exposure_by_symbol(&prices).unwrap_or_default();
        let share = |worth: Decimal| {
            let pct = checked_div(checked_mul(worth, Decimal::ONE_HUNDRED)?, equity.unwrap_or_default())?;
            Ok::<_, crate::domain::MoneyError>(pct)
        };
        let largest = exposure.iter().max_by_key(|(_, worth)| **worth).and_then(|(symbol, worth)| {
            let limit = self.config.risk.size.per_symbol_max_pct.value();
            Some((symbol.clone(), share(*worth).ok()?, limit))
        });
        let allocation = self.allocation(now);
        PortfolioView {
            currency: account.currency().clone(),
            equity,
            day_pct: (self.change_pct(BreakerName::DailyLoss, equity), limits.daily_loss_pct.value()),
            week_pct: (self.change_pct(BreakerName::WeeklyLoss, equity), limits.weekly_loss_pct.value()),
            drawdown_pct: (loss(BreakerName::MaxDrawdown), limits.max_drawdown_pct.value()),
            exposure_pct: (
                account.exposure_pct(&prices).unwrap_or_default(),
                self.config.risk.exposure.total_max_pct.value(),
            ),
            largest,
            breakers_tripped: breakers.tripped().map(|(name, _)| name.to_string()).collect(),
            positions: self.setup.symbols.iter().filter_map(|symbol| self.position(symbol, now)).collect(),
            orders: self
                .durable
                .open_orders()
                .map(|tracked| OrderView {
                    symbol: tracked.order.symbol.clone(),
                    text: order_text(&tracked.order),
                    status: status_word(tracked.status).to_owned(),
                    at: tracked.at.market,
                })
                .collect(),
            allocation: allocation
                .assets
                .iter()
                .map(|asset| AllocationRow {
                    asset: asset.asset.clone(),
                    value: asset.value,
                    share_pct: checked_mul(asset.value, Decimal::ONE_HUNDRED)
                        .and_then(|value| checked_div(value, allocation.total))
                        .unwrap_or_default(),
                    target_pct: asset.target_pct,
                })
                .collect(),
            equity_history: self.durable.marks.iter().copied().collect(),
            marks: self.durable.changes.iter().cloned().collect(),
            realised: account.results().realised,
        }
    }

    /// Change of equity against a breaker's baseline, percent; negative is a loss.
    fn change_pct(&self, name: BreakerName, equity: Option<Decimal>) -> Decimal {
        let change = || {
            let baseline = self.durable.breakers.get(name).baseline?;
            let change = checked_sub(equity?, baseline).ok()?;
            checked_div(checked_mul(change, Decimal::ONE_HUNDRED).ok()?, baseline).ok()
        };
        change().unwrap_or_default()
    }

    fn position(&self, symbol: &Symbol, now: Now) -> Option<PositionView> {
        let account = &self.durable.account;
        let prices = self.prices(now);
        let price = prices.price(symbol).ok();
        let (mut quantity, mut cost, mut result) = (Decimal::ZERO, Decimal::ZERO, Some(Decimal::ZERO));
        let mut stop: Option<Decimal> = None;
        for lot in account.lots_of(symbol) {
            quantity = checked_add(quantity, lot.quantity).ok()?;
            cost = checked_add(cost, checked_mul(lot.quantity, lot.entry_price).ok()?).ok()?;
            let unrealised = price.and_then(|price| lot.unrealised(price).ok());
            result = result.zip(unrealised).and_then(|(sum, part)| checked_add(sum, part).ok());
            stop = stop.into_iter().chain(lot.stop).max();
        }
        if quantity.is_zero() {
            return None;
        }
        let result = result.and_then(|quote| prices.convert(quote, symbol.quote(), account.currency()).ok());
        let stop_pct = price.zip(stop).and_then(|(price, stop)| {
            let distance = checked_mul(checked_sub(stop, price).ok()?, Decimal::ONE_HUNDRED).ok()?;
            checked_div(distance, price).ok()
        });
        let entry = checked_div(cost, quantity).ok()?;
        Some(PositionView { symbol: symbol.clone(), quantity, entry, price, result, stop_pct })
    }
}

fn tally_view(tally: &Tally) -> TallyView {
    let small = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
    TallyView { agreeing: small(tally.agreeing), present: small(tally.present), multiplier: tally.multiplier }
}

fn task_symbol_row(row: &RowView) -> TaskSymbolRow {
    let last_ok = row.last.as_ref().map(|last| match &last.outcome {
        RunOutcome::Succeeded => true,
        RunOutcome::Failed(_) => false,
    });
    let state = match &row.status {
        RowStatus::Idle if last_ok == Some(false) => TaskState::Failing,
        RowStatus::Idle | RowStatus::Waiting(Wait::Slot) => TaskState::Idle,
        RowStatus::Running { .. } => TaskState::Running,
        RowStatus::Waiting(Wait::Dependency(task)) => TaskState::WaitingOn(*task),
        RowStatus::Waiting(Wait::Candle) => TaskState::WaitingForFeed,
        RowStatus::SkippedByLevel(_) => TaskState::SkippedByLevel,
        RowStatus::Halted => TaskState::SkippedByState,
        RowStatus::Disabled => TaskState::Disabled,
        RowStatus::NoSource => TaskState::NoSource,
    };
    TaskSymbolRow {
        symbol: row.symbol.clone(),
        state,
        last_run: row.last.as_ref().map(|last| last.started),
        last_ok,
        took: row.last.as_ref().map(|last| last.took),
        next_due: row.next_due,
        counts: (row.counts.succeeded, row.counts.failed.saturating_add(row.counts.timed_out)),
    }
}

fn plan_view(plan: &Plan) -> PlanView {
    let of_trade = |leg: &Leg| {
        let own: Vec<u16> =
            plan.legs.iter().filter(|other| other.trade == leg.trade).map(|leg| leg.number).collect();
        let place = own.iter().position(|number| *number == leg.number).unwrap_or(0) + 1;
        let small = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        (small(place), small(own.len()))
    };
    let legs: Vec<LegView> = plan
        .legs
        .iter()
        .map(|leg| LegView {
            number: leg.number,
            of_trade: of_trade(leg),
            symbol: leg.symbol.clone(),
            side: leg.side,
            amount: leg.amount,
            due: leg.due_at,
            state: leg.state.name().to_owned(),
            reason: leg.why.as_ref().map(SafeText::ours),
            is_terminal: leg.state.is_terminal(),
            needs_attention: matches!(leg.state, LegState::Waiting | LegState::Unknown),
        })
        .collect();
    PlanView {
        id: plan.id,
        at: plan.created_at,
        legs_per_trade: legs.iter().map(|leg| leg.of_trade.1).max().unwrap_or(0),
        legs,
        done: plan.amount_done().unwrap_or_default(),
        left: plan.amount_left().unwrap_or_default(),
    }
}

const fn status_word(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Intent => "intent",
        OrderStatus::Sent => "sent",
        OrderStatus::Accepted => "accepted",
        OrderStatus::Filled => "filled",
        OrderStatus::Cancelled => "cancelled",
        OrderStatus::Rejected => "rejected",
        OrderStatus::Unknown => "unknown",
    }
}
