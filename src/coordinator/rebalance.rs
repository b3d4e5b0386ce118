//! Rebalance proposals, plans and their legs: when a leg goes out, and what the venue's word makes of it.

use std::time::Duration;

use rust_decimal::Decimal;

use super::closing::Closing;
use super::dca::{DcaRefusal, IntentTerms, Leg, LegId, LegState, LegTransition, PlanTerms, PlanTransition};
use super::record::RecordKind;
use super::task::RebalanceProposal;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::config::{Minimum, TaskName};
use crate::domain::{
    Actor, Asset, ClientOrderId, Command, CommandOutcome, LegTarget, MoneyError, Now, PlanTarget, Priority,
    ReasonCode, SafeText, Side, SystemEventKind, Timestamp, TradeCosts, TradingState, VenueEvent,
    checked_add, checked_div, checked_mul, days_hms, pct_of,
};
use crate::risk::{LegOrder, LegProposal, check_leg};

impl Coordinator {
    /// A rebalance run has an answer. Only RUNNING makes a plan of it; else it is only shown.
    pub(super) fn rebalance(&mut self, cx: &mut Cx<'_>, proposal: &RebalanceProposal) {
        self.live.deviation_pct = Some(proposal.deviation_pct);
        let rules = &self.config.portfolio.rebalancing;
        let rested =
            self.durable.last_rebalance.is_none_or(|last| cx.now.market.since(last) >= rules.every_min);
        let wanted =
            proposal.deviation_pct >= rules.threshold_pct.value() && !proposal.trades.is_empty() && rested;
        if !wanted {
            return;
        }
        let waits = self.not_worth_its_cost(cx.now, proposal);
        if let Some(why) = waits.unwrap_or_else(|error| Some(SafeText::ours(error))) {
            self.live.problems.insert((TaskName::PortfolioRebalance, None), why);
            return;
        }
        if let Some(plan) = self.durable.plans.open().next() {
            let waiting = plan.legs.iter().filter(|leg| leg.state == LegState::Waiting).count();
            let why = if waiting > 0 {
                format!("no new plan while legs of {} wait for you: {waiting} (run_leg, skip_leg)", plan.id)
            } else {
                format!("no new plan while {} is open", plan.id)
            };
            self.live.problems.insert((TaskName::PortfolioRebalance, None), SafeText::ours(why));
            return;
        }
        let refused = AlarmKey::of(AlarmSource::PlanRefused);
        if let Some(problem) = self.live.health.store_problem() {
            // No store, no plan: a leg that is kept in memory alone would be forgotten, or sent twice.
            self.raise(cx, refused, "a plan cannot be made durable", problem);
            return;
        }
        self.clear(cx, refused);
        if !self.global_blocks(cx.now).is_empty() {
            return;
        }
        let terms = match self.plan_terms(cx.now) {
            Ok(terms) => terms,
            Err(unknown) => {
                let why = SafeText::ours(format!("waits for what {unknown} is worth"));
                self.live.problems.insert((TaskName::PortfolioRebalance, None), why);
                return;
            }
        };
        match self.durable.plans.propose(&proposal.trades, cx.now.market, &terms) {
            Ok(created) => {
                self.plan_step(cx, Actor::Coordinator, created);
                let left_out = self.holdings(cx.now).left_out;
                let left_out: Vec<_> = left_out.iter().map(|left| format!("; {}", left.why)).collect();
                let detail = format!(
                    "plan made: {} trades, deviation {} points{}",
                    proposal.trades.len(),
                    proposal.deviation_pct.round_dp(1),
                    left_out.concat()
                );
                self.announce(cx, SystemEventKind::Plan, Priority::High, detail);
            }
            Err(refusal) => {
                tracing::warn!(%refusal, "no plan made");
            }
        }
    }

    /// Why a rebalance waits although its threshold is reached: what its trades mend is not worth what they cost. What
    /// they mend is the sum of the squared deviations, because to be twice as far off is four times as bad.
    fn not_worth_its_cost(
        &self,
        now: Now,
        proposal: &RebalanceProposal,
    ) -> Result<Option<SafeText>, MoneyError> {
        let wanted = self.config.portfolio.rebalancing.gain_per_cost_min;
        let allocation = self.allocation(now);
        let gain_pct = allocation.assets.iter().try_fold(Decimal::ZERO, |sum, share| {
            let points = share.points_off(allocation.total)?;
            checked_add(sum, checked_div(checked_mul(points, points)?, Decimal::ONE_HUNDRED)?)
        })?;
        let traded =
            proposal.trades.iter().try_fold(Decimal::ZERO, |sum, trade| checked_add(sum, trade.amount))?;
        let cost_pct = pct_of(self.config.execution.paper.costs().of(traded)?, allocation.total)?;
        let is_worth_it = gain_pct >= checked_mul(cost_pct, wanted)?;
        Ok((!is_worth_it).then(|| {
            SafeText::ours(format!(
                "waits at {} points: a gain of {} % is not {} times its cost of {} %",
                proposal.deviation_pct.round_dp(1),
                gain_pct.round_dp(3),
                wanted.normalize(),
                cost_pct.round_dp(3)
            ))
        }))
    }

    /// What a plan is made from now, or the least amount that cannot be converted.
    fn plan_terms(&self, now: Now) -> Result<PlanTerms, Minimum> {
        let (rules, dca) = (&self.config.portfolio.rebalancing, &self.config.portfolio.dca);
        let least = |minimum: &Minimum| self.least(minimum, now).ok_or_else(|| minimum.clone());
        Ok(PlanTerms {
            at_once_below: least(&dca.at_once_below)?,
            trade_min: least(&rules.trade_min)?,
            leg_min: least(&dca.leg_min)?,
            legs_max: dca.legs_max,
            spacing: dca.spacing,
            decimals: self.setup.decimals,
            install: self.durable.install,
        })
    }

    /// A rebalance run could not compare: no plan, and the reason is shown until a run can.
    pub(super) fn rebalance_waits(&mut self, cx: &mut Cx<'_>, unpriced: &[Asset]) {
        self.live.deviation_pct = None;
        let names = unpriced.iter().map(Asset::as_str).collect::<Vec<_>>().join(", ");
        let why = SafeText::ours(format!("waits for a fresh price of {names}"));
        self.announce(cx, SystemEventKind::Plan, Priority::Normal, format!("rebalance {why}"));
        self.live.problems.insert((TaskName::PortfolioRebalance, None), why);
    }

    fn plan_step(&mut self, cx: &mut Cx<'_>, actor: Actor, step: PlanTransition) {
        self.live.dirty.plans = true;
        if let PlanTransition::Leg { id, transition } = &step {
            let key = waiting_alarm(*id);
            if let Some(leg) = self.durable.plans.leg(*id) {
                tracing::info!(leg = %id, from = %leg.state, step = transition.name(), "leg");
            }
            self.record(cx, actor, RecordKind::Plan(step.clone()));
            let waiting = self.durable.plans.leg(*id).is_some_and(|leg| leg.state == LegState::Waiting);
            let why = self.leg_reason(*id);
            let leg = self.leg_text(*id);
            self.raise_while(cx, waiting, key, "leg waits", format!("{leg}: {why}; run or skip it"));
        } else {
            self.record(cx, actor, RecordKind::Plan(step));
        }
    }

    /// `p1/2 BTC/USDT buy`
    fn leg_text(&self, id: LegId) -> String {
        let leg = self.durable.plans.leg(id);
        leg.map_or_else(|| id.to_string(), |leg| format!("{id} {} {}", leg.symbol, leg.side))
    }

    fn leg_reason(&self, id: LegId) -> String {
        let why = self.durable.plans.leg(id).and_then(|leg| leg.why.as_ref());
        why.map_or_else(String::new, ToString::to_string)
    }

    fn plan_steps(&mut self, cx: &mut Cx<'_>, actor: &Actor, steps: Vec<PlanTransition>) {
        for step in steps {
            self.plan_step(cx, actor.clone(), step);
        }
    }

    /// Why a leg may not go out now: what blocks entries, or that it cannot be priced or paid for.
    fn leg_hindrance(&self, now: Now, leg: &Leg) -> Option<ReasonCode> {
        let block = self.entries(&leg.symbol, now).first().map(|block| block.code);
        block.or_else(|| self.leg_terms(now, leg).err())
    }

    /// Takes legs whose time has come as far as they can go now.
    pub(super) fn run_legs(&mut self, cx: &mut Cx<'_>) {
        if self.next_leg().is_none_or(|at| at > cx.now.market) {
            return;
        }
        self.live.legs_offered_at = Some(cx.now.market);
        let steps = self
            .durable
            .plans
            .due(cx.now.market, self.live.ages.lateness, |leg| self.leg_hindrance(cx.now, leg));
        self.plan_steps(cx, &Actor::Coordinator, steps);
        for id in self.durable.plans.ready().map(|(id, _)| id).collect::<Vec<_>>() {
            self.send_leg(cx, id);
        }
    }

    /// When legs have to be looked at next.
    pub(super) fn next_leg(&self) -> Option<Timestamp> {
        let plans = &self.durable.plans;
        let deferred = plans.count(LegState::Deferred) + plans.count(LegState::Due) > 0;
        let offered_again = |at: Timestamp| at.plus(self.live.ages.offer_again);
        let again = deferred.then(|| self.live.legs_offered_at.map_or(Timestamp::EPOCH, offered_again));
        [plans.next_due(), again].into_iter().flatten().min()
    }

    /// Intent on disk, then the gate, then the venue. What cannot be priced or paid for waits, with the reason shown.
    fn send_leg(&mut self, cx: &mut Cx<'_>, id: LegId) {
        let Some(leg) = self.durable.plans.leg(id).cloned() else {
            return;
        };
        let terms = match self.leg_terms(cx.now, &leg) {
            Ok(terms) => terms,
            Err(code) => return self.defer_leg(cx, id, code),
        };
        match self.durable.plans.intend(id, terms) {
            Ok(step) => {
                self.plan_steps(cx, &Actor::Coordinator, step.into_iter().collect());
                let intent = self.durable.plans.leg(id).and_then(|leg| leg.intent.clone());
                if let Some(intent) = intent {
                    self.submit(cx, intent.order(id), Some(intent.deadline));
                }
            }
            Err(refusal) => self.leg_refused(cx, leg.client_id, &refusal),
        }
    }

    fn leg_terms(&self, now: Now, leg: &Leg) -> Result<IntentTerms, ReasonCode> {
        let prices = self.prices(now);
        let asset = match leg.side {
            Side::Buy => leg.symbol.quote(),
            Side::Sell => leg.symbol.base(),
        };
        let invalid = |_| ReasonCode::InvalidOrder;
        let collar = self.config.risk.orders.price_collar_pct;
        let proposal = LegProposal {
            symbol: leg.symbol.clone(),
            side: leg.side,
            amount: leg.amount,
            price: prices.price(&leg.symbol).ok(),
            quote_rate: prices.rate(leg.symbol.quote(), self.durable.account.currency()).ok(),
            available: self.spendable(asset),
            costs_max: self.plan_costs_max(leg.client_id).map_err(invalid)?,
            price_decimals: self.live.prices.decimals(&leg.symbol),
            collar,
        };
        let LegOrder { quantity, price_bound } = check_leg(&proposal, self.equity(now), &self.venue_terms())
            .map_err(|rejection| rejection.code)?;
        Ok(IntentTerms {
            quantity,
            price_bound,
            deadline: now.market.plus(self.live.ages.intent),
            epoch: self.live.epoch,
        })
    }

    /// The most that the trades of a leg's plan may cost beside their amounts: fees, and fills at the end of the collar.
    fn plan_costs_max(&self, leg: ClientOrderId) -> Result<Decimal, MoneyError> {
        let Some(plan) = self.durable.plans.leg_of(leg).and_then(|(id, _)| self.durable.plans.plan(id.plan))
        else {
            return Ok(Decimal::ZERO);
        };
        let fee_pct = self.config.execution.paper.fee_pct;
        TradeCosts { fee_pct, slippage_pct: self.config.risk.orders.price_collar_pct }.of(plan.amount()?)
    }

    fn defer_leg(&mut self, cx: &mut Cx<'_>, id: LegId, code: ReasonCode) {
        match self.durable.plans.defer(id, code) {
            Ok(step) => self.plan_step(cx, Actor::Coordinator, step),
            Err(refusal) => tracing::error!(%refusal, "leg neither sent nor deferred"),
        }
    }

    /// The venue spoke of an order that may be a leg.
    pub(super) fn leg_event(&mut self, cx: &mut Cx<'_>, event: &VenueEvent) {
        let client_id = event.client_id();
        self.leg_handed_over(cx, client_id, event);
        match self.durable.plans.venue(event) {
            // A fill moves the leg in the record that moves cash and position.
            Ok(_) if matches!(event, VenueEvent::Filled { .. }) => {}
            Ok(steps) => self.plan_steps(cx, &Actor::Coordinator, steps),
            Err(refusal) => self.leg_refused(cx, client_id, &refusal),
        }
    }

    /// A part of a leg was executed: it waits for nobody any more.
    pub(super) fn leg_filled(&mut self, cx: &mut Cx<'_>, id: LegId) {
        self.clear(cx, waiting_alarm(id));
    }

    /// A step that the leg does not allow. Where it shows that we and the venue disagree, an Emergency.
    fn leg_refused(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId, refusal: &DcaRefusal) {
        tracing::error!(%refusal, order = %client_id, "leg step refused");
        if refusal.is_emergency() {
            let key = AlarmKey::about(AlarmSource::LegMismatch, Subject::Order(client_id));
            self.raise_moment(cx, key, "leg and venue disagree", refusal);
        }
    }

    /// Any word of the venue on a leg in Intent means that it was handed over; a question answered with "absent"
    /// means that it was not.
    fn leg_handed_over(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId, event: &VenueEvent) {
        let Some((id, leg)) = self.durable.plans.leg_of(client_id) else {
            return;
        };
        if leg.state != LegState::Intent || leg.asked || matches!(event, VenueEvent::Absent { .. }) {
            return;
        }
        let Some(digest) = leg.intent.as_ref().map(|intent| intent.digest.clone()) else {
            return;
        };
        match self.durable.plans.send(id, &digest) {
            Ok(step) => self.plan_step(cx, Actor::Coordinator, step),
            Err(refusal) => self.leg_refused(cx, client_id, &refusal),
        }
    }

    pub(super) fn leg_not_handed_over(
        &mut self,
        cx: &mut Cx<'_>,
        client_id: ClientOrderId,
        reason: ReasonCode,
    ) {
        let Some((id, _)) = self.durable.plans.leg_of(client_id) else {
            return;
        };
        match self.durable.plans.withdraw(id, reason) {
            Ok(step) => self.plan_step(cx, Actor::Coordinator, step),
            Err(refusal) => tracing::error!(%refusal, "a leg that was not handed over is not in Intent"),
        }
    }

    /// An Unknown leg is about to be asked for: only then does "absent" count.
    pub(super) fn ask_for_legs(&mut self, cx: &mut Cx<'_>) {
        let steps = self.durable.plans.ask_unknown();
        self.plan_steps(cx, &Actor::Coordinator, steps);
    }

    /// After a restart: what was on its way is asked for, what was due is a new decision.
    pub(super) fn restart_legs(&mut self, cx: &mut Cx<'_>) {
        let steps = self.durable.plans.restarted();
        self.plan_steps(cx, &Actor::Runtime, steps);
    }

    /// After a resume, deferred legs are offered at once.
    pub(super) fn resumed_legs(&mut self, cx: &mut Cx<'_>) {
        self.live.legs_offered_at = None;
        self.run_legs(cx);
    }

    /// What a resume would set going within the next hour, for its dialog: of the overdue legs the newest of each plan
    /// runs, if it is not too late, and the others wait for the operator. A closing that is not done goes on.
    pub(super) fn orders_possible_within_hour(&self, now: Now) -> Vec<String> {
        let hour = now.market.plus(Duration::from_secs(3_600));
        let plans = &self.durable.plans;
        // As the next offer takes them, when the trading state does not hold them back any more.
        let steps = plans.due(now.market, self.live.ages.lateness, |leg| {
            let block = self.entries(&leg.symbol, now).into_iter().find(|block| !block.ends_with_a_resume());
            block.map(|block| block.code).or_else(|| self.leg_terms(now, leg).err())
        });
        let offered = |leg: LegId| {
            steps.iter().find_map(|step| match step {
                PlanTransition::Leg { id, transition } if *id == leg => Some(transition),
                PlanTransition::Leg { .. }
                | PlanTransition::Created { .. }
                | PlanTransition::Shifted { .. } => None,
            })
        };
        let mut possible = Vec::new();
        for (plan, leg) in plans.open().flat_map(|plan| plan.legs.iter().map(move |leg| (plan, leg))) {
            let id = plan.leg_id(leg);
            let how = match (offered(id), leg.state) {
                (Some(LegTransition::Waiting { reason }), _) => format!("will WAIT for you: {reason}"),
                (Some(LegTransition::Deferred { reason }), _) => format!("stays deferred: {reason}"),
                (Some(_), _) | (None, LegState::Due) => "runs at once".to_owned(),
                (None, LegState::Scheduled | LegState::Deferred) if leg.due_at > now.market => {
                    if leg.due_at > hour {
                        continue;
                    }
                    format!("runs in {}", days_hms(leg.due_at.since(now.market)))
                }
                (None, LegState::Deferred) => {
                    let why = leg.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
                    format!("stays deferred{why}")
                }
                (
                    None,
                    LegState::Scheduled
                    | LegState::Intent
                    | LegState::Sent
                    | LegState::Accepted
                    | LegState::Rejected
                    | LegState::Unknown
                    | LegState::Filled
                    | LegState::Skipped
                    | LegState::Cancelled
                    | LegState::Waiting,
                ) => continue,
            };
            possible.push(format!("leg {id}: {} {how}", leg_text(leg)));
        }
        let decisions = self.live.schedule.next_run_of(TaskName::TradingDecision);
        let decides = self.config.orchestration.schedules.tasks.get(&TaskName::TradingDecision);
        let stops_from = decides.and_then(|task| task.stops_from);
        if decisions.is_some_and(|at| at <= hour) && stops_from.is_none_or(|from| self.live.level < from) {
            possible.push("trading decisions of all symbols".to_owned());
        }
        possible.extend(self.durable.closings.values().map(Closing::standing_text));
        possible
    }

    /// The step of `run_leg`, if no rule speaks against it.
    pub(super) fn run_leg_step(&self, id: LegId, now: Now) -> Result<PlanTransition, DcaRefusal> {
        let blocked = self.durable.plans.leg(id).and_then(|leg| self.leg_hindrance(now, leg));
        self.durable.plans.run_leg(id, blocked)
    }

    /// The operator's word on a leg or plan.
    pub(super) fn leg_command(
        &mut self,
        cx: &mut Cx<'_>,
        actor: &Actor,
        command: &Command,
    ) -> CommandOutcome {
        let plans = &self.durable.plans;
        let steps = match command {
            Command::RunLeg { plan, leg } => {
                self.run_leg_step(LegId { plan: *plan, leg: *leg }, cx.now).map(|step| vec![step])
            }
            Command::SkipLeg { target: LegTarget::One { plan, leg } } => {
                plans.skip_leg(LegId { plan: *plan, leg: *leg }).map(|step| vec![step])
            }
            Command::SkipLeg { target: LegTarget::All } => Ok(plans.skip_waiting()),
            Command::CancelLeg { plan, leg } => {
                plans.cancel_leg(LegId { plan: *plan, leg: *leg }).map(|step| vec![step])
            }
            Command::PostponeLeg { plan, leg, by } => {
                plans.postpone_leg(LegId { plan: *plan, leg: *leg }, *by, cx.now.market)
            }
            Command::CancelPlan { target: PlanTarget::One(plan) } => plans.cancel_plan(*plan),
            Command::CancelPlan { target: PlanTarget::All } => Ok(plans.cancel_all()),
            other => return CommandOutcome::refused(format!("{} is not about a leg", other.name())),
        };
        match steps {
            Ok(steps) => {
                let count = steps.len();
                self.plan_steps(cx, actor, steps);
                if self.durable.control.state == TradingState::Running {
                    self.resumed_legs(cx);
                }
                CommandOutcome::done(format!("{count} leg{} changed", if count == 1 { "" } else { "s" }))
            }
            Err(refusal) => CommandOutcome::refused(refusal),
        }
    }
}

/// `buy BTC/USDT for 83.33`
pub(super) fn leg_text(leg: &Leg) -> String {
    format!("{} {} for {}", leg.side, leg.symbol, leg.amount.normalize())
}

fn waiting_alarm(id: LegId) -> AlarmKey {
    AlarmKey::about(AlarmSource::LegWaiting, Subject::Component(id.to_string()))
}
