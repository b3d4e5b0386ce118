//! What follows from time, from the venue and from a restart.

use std::time::Duration;

use rust_decimal::Decimal;

use super::{
    DcaRefusal, DeferReason, Intent, IntentDigest, IntentTerms, Leg, LegId, LegState, LegTransition, Plan,
    PlanTerms, PlanTransition, Plans, WaitReason, Why,
};
use crate::coordinator::task::RebalanceTrade;
use crate::domain::{
    ClientOrderId, Fill, FillRole, ReasonCode, Timestamp, VenueEvent, VenueReject, checked_mul,
};

fn step(id: LegId, transition: LegTransition) -> PlanTransition {
    PlanTransition::Leg { id, transition }
}

impl Plans {
    /// The plan that carries out these trades. It counts once its record is durable: without a store there is no plan.
    ///
    /// # Errors
    /// A plan is still open, nothing is worth an order, or the amounts cannot be computed.
    pub fn propose(
        &self,
        trades: &[RebalanceTrade],
        now: Timestamp,
        terms: &PlanTerms,
    ) -> Result<PlanTransition, DcaRefusal> {
        if let Some(id) = self.open.keys().next() {
            return Err(DcaRefusal::PlanOpen(*id));
        }
        let plan = Plan::draft(self.last.next(), now, trades, terms)?;
        Ok(PlanTransition::Created { plan })
    }

    /// What time does to the legs; `blocked` names the rule that speaks against a leg now, if one does. Of the overdue
    /// legs of a plan only the newest run, and only when at most `max_lateness` late, and the scheduled ones shift;
    /// the older ones wait for the operator, and so does a leg that its own terms have kept back for longer than that.
    /// Legs of one plan that are due at the same instant (one per trade) count as one. Legs in state Due afterwards are
    /// the ones to send: [`Plans::ready`].
    pub fn due(
        &self,
        now: Timestamp,
        max_lateness: Duration,
        blocked: impl Fn(&Leg) -> Option<ReasonCode>,
    ) -> Vec<PlanTransition> {
        self.open.values().flat_map(|plan| due_of(plan, now, max_lateness, &blocked)).collect()
    }

    /// The legs to send now, sells before buys.
    pub fn ready(&self) -> impl Iterator<Item = (LegId, &Leg)> {
        self.open_legs().filter(|(_, leg)| leg.state == LegState::Due)
    }

    /// Puts a leg that is due aside, because a rule speaks against sending it.
    ///
    /// # Errors
    /// The leg is not due.
    pub fn defer(&self, id: LegId, reason: ReasonCode) -> Result<PlanTransition, DcaRefusal> {
        self.open_leg_in(id, LegState::Due)?;
        Ok(step(id, LegTransition::Deferred { reason: DeferReason::Blocked(reason) }))
    }

    /// The intent to send a leg on these terms; nothing if exactly this intent stands already.
    ///
    /// # Errors
    /// Another intent of the leg stands (an Emergency), the leg is not due, or a number is not positive.
    pub fn intend(&self, id: LegId, terms: IntentTerms) -> Result<Option<PlanTransition>, DcaRefusal> {
        if terms.quantity <= Decimal::ZERO || terms.price_bound <= Decimal::ZERO {
            return Err(DcaRefusal::InvalidNumbers(id));
        }
        let leg = self.leg(id).ok_or(DcaRefusal::NoSuchLeg(id))?;
        let intent = Intent::new(leg, terms);
        if let Some(standing) = &leg.intent {
            let same = standing.digest == intent.digest;
            return if same { Ok(None) } else { Err(DcaRefusal::OtherParameters(id)) };
        }
        self.open_leg_in(id, LegState::Due)?;
        Ok(Some(step(id, LegTransition::Intent { intent: Box::new(intent) })))
    }

    /// The hand-over of a durable intent, recorded with the venue's first word on it; until then the leg is in Intent,
    /// and a restart asks for it. A leg that was sent is never sent again.
    ///
    /// # Errors
    /// The leg has no intent waiting, or another one than `digest` (an Emergency).
    pub fn send(&self, id: LegId, digest: &IntentDigest) -> Result<PlanTransition, DcaRefusal> {
        let leg = self.leg(id).ok_or(DcaRefusal::NoSuchLeg(id))?;
        let Some(intent) = &leg.intent else {
            return Err(DcaRefusal::NotIn { id, state: leg.state, needed: LegState::Intent });
        };
        if intent.digest != *digest {
            return Err(DcaRefusal::OtherParameters(id));
        }
        if !leg.may(&LegTransition::Sent) {
            return Err(DcaRefusal::InFlight { id, state: leg.state });
        }
        Ok(step(id, LegTransition::Sent))
    }

    /// Takes an intent back that was surely not handed over (gate shut, deadline passed).
    ///
    /// # Errors
    /// The leg is not in Intent, or the venue is already being asked about it.
    pub fn withdraw(&self, id: LegId, reason: ReasonCode) -> Result<PlanTransition, DcaRefusal> {
        let leg = self.open_leg_in(id, LegState::Intent)?;
        let transition = LegTransition::Withdrawn { reason };
        if leg.may(&transition) {
            Ok(step(id, transition))
        } else {
            Err(DcaRefusal::InFlight { id, state: leg.state })
        }
    }

    /// What a restart does, before anything else: legs between due and intent become a new decision, and every leg of
    /// which an order may be at the venue is to be asked for ([`Plans::questions`]).
    pub fn restarted(&self) -> Vec<PlanTransition> {
        let mut steps = Vec::new();
        for (id, leg) in self.open_legs() {
            match leg.state {
                LegState::Due => {
                    steps.push(step(id, LegTransition::Deferred { reason: DeferReason::Restarted }));
                }
                LegState::Rejected => steps.extend(waiting_after_refusal(id, leg)),
                LegState::Intent | LegState::Sent | LegState::Unknown if !leg.asked => {
                    steps.push(step(id, LegTransition::Asked));
                }
                LegState::Intent
                | LegState::Sent
                | LegState::Unknown
                | LegState::Accepted
                | LegState::Scheduled
                | LegState::Deferred
                | LegState::Waiting
                | LegState::Filled
                | LegState::Skipped
                | LegState::Cancelled => {}
            }
        }
        steps
    }

    /// Marks every Unknown leg as asked for; the venue's "absent" counts for no other.
    pub fn ask_unknown(&self) -> Vec<PlanTransition> {
        let unknown = self.open_legs().filter(|(_, leg)| leg.state == LegState::Unknown && !leg.asked);
        unknown.map(|(id, _)| step(id, LegTransition::Asked)).collect()
    }

    /// The orders to ask the venue for, until it gives a clear answer.
    pub fn questions(&self) -> impl Iterator<Item = (LegId, ClientOrderId)> {
        self.open_legs().filter(|(_, leg)| leg.asked).map(|(id, leg)| (id, leg.client_id))
    }

    /// What the venue's word does. Nothing for orders that are not legs, for news that came before, and for an
    /// "absent" to a question that was not asked.
    ///
    /// # Errors
    /// The venue contradicts what we know ([`DcaRefusal::is_emergency`]), or a fill cannot be computed.
    pub fn venue(&self, event: &VenueEvent) -> Result<Vec<PlanTransition>, DcaRefusal> {
        let Some((id, leg)) = self.leg_of(event.client_id()) else { return Ok(Vec::new()) };
        let transition = match event {
            VenueEvent::Accepted { .. } => match leg.state {
                LegState::Skipped | LegState::Cancelled => {
                    return Err(DcaRefusal::AliveAfterEnd { id, state: leg.state });
                }
                LegState::Filled
                | LegState::Scheduled
                | LegState::Due
                | LegState::Intent
                | LegState::Sent
                | LegState::Accepted
                | LegState::Rejected
                | LegState::Unknown
                | LegState::Deferred
                | LegState::Waiting => LegTransition::Accepted,
            },
            // The venue knows an order by this name that is not the one we sent: not a no, but a question.
            VenueEvent::Rejected { reason: VenueReject::ClientIdReused, .. } => {
                LegTransition::Unknown { detail: VenueReject::ClientIdReused.to_string().as_str().into() }
            }
            VenueEvent::Rejected { reason, .. } => LegTransition::Rejected { reason: reason.clone() },
            VenueEvent::Filled { fill, done } => match filled(id, leg, fill, *done)? {
                Some(transition) => transition,
                None => return Ok(Vec::new()),
            },
            VenueEvent::Cancelled { expired, .. } => LegTransition::Ended { expired: *expired },
            // It was there: not a leg that may go out again, but one that has ended.
            VenueEvent::Absent { .. } if leg.state == LegState::Accepted => {
                LegTransition::Ended { expired: false }
            }
            VenueEvent::Absent { .. } => LegTransition::Absent,
            VenueEvent::NoAnswer { detail, .. } => LegTransition::Unknown { detail: detail.clone() },
        };
        if !leg.may(&transition) {
            return Ok(Vec::new());
        }
        let mut steps = vec![step(id, transition.clone())];
        if let LegTransition::Rejected { reason } = transition {
            steps.push(step(id, LegTransition::Waiting { reason: WaitReason::Rejected(reason) }));
        }
        Ok(steps)
    }

    pub(super) fn open_leg(&self, id: LegId) -> Result<&Leg, DcaRefusal> {
        let leg = self.leg(id).ok_or(DcaRefusal::NoSuchLeg(id))?;
        if leg.state.is_terminal() { Err(DcaRefusal::Ended { id, state: leg.state }) } else { Ok(leg) }
    }

    fn open_leg_in(&self, id: LegId, needed: LegState) -> Result<&Leg, DcaRefusal> {
        let leg = self.open_leg(id)?;
        if leg.state == needed { Ok(leg) } else { Err(DcaRefusal::NotIn { id, state: leg.state, needed }) }
    }
}

fn waiting_after_refusal(id: LegId, leg: &Leg) -> Option<PlanTransition> {
    match &leg.why {
        Some(Why::Waiting(reason)) => Some(step(id, LegTransition::Waiting { reason: reason.clone() })),
        Some(Why::Deferred(_) | Why::Unknown(_)) | None => None,
    }
}

/// The step of one execution; none if it was counted before.
fn filled(id: LegId, leg: &Leg, fill: &Fill, done: bool) -> Result<Option<LegTransition>, DcaRefusal> {
    let counted = leg.filled.last_trade.is_some_and(|last| fill.trade_id <= last);
    if counted || fill.role != FillRole::Order {
        return Ok(None);
    }
    if leg.state.is_terminal() {
        return Err(DcaRefusal::AliveAfterEnd { id, state: leg.state });
    }
    if fill.symbol != leg.symbol || fill.side != leg.side {
        return Err(DcaRefusal::OtherParameters(id));
    }
    let worth = checked_mul(fill.quantity, fill.price)?;
    Ok(Some(LegTransition::Filled { trade: fill.trade_id, quantity: fill.quantity, worth, done }))
}

fn due_of(
    plan: &Plan,
    now: Timestamp,
    max_lateness: Duration,
    blocked: &impl Fn(&Leg) -> Option<ReasonCode>,
) -> Vec<PlanTransition> {
    let unknown = plan.legs.iter().find(|leg| leg.state == LegState::Unknown).map(|leg| leg.number);
    let against =
        |leg: &Leg| unknown.map(DeferReason::LegUnknown).or_else(|| blocked(leg).map(DeferReason::Blocked));
    let is_overdue =
        |leg: &&Leg| matches!(leg.state, LegState::Scheduled | LegState::Deferred) && leg.due_at <= now;
    let newest = plan.legs.iter().filter(is_overdue).map(|leg| leg.due_at).max();
    let is_too_late = |leg: &Leg| now.since(leg.due_at) > max_lateness;
    let mut steps = Vec::new();
    let mut late_by = None;
    for leg in plan.legs.iter().filter(|leg| leg.state == LegState::Due || is_overdue(leg)) {
        let transition = match against(leg) {
            // No end of a pause or of a block will ever pay for it.
            Some(DeferReason::Blocked(code)) if is_of_its_own(code) && is_too_late(leg) => {
                LegTransition::Waiting { reason: WaitReason::Blocked(code) }
            }
            Some(reason) if leg.why == Some(Why::Deferred(reason)) => continue,
            Some(reason) => LegTransition::Deferred { reason },
            None if leg.state == LegState::Due => continue,
            None if Some(leg.due_at) < newest => LegTransition::Waiting { reason: WaitReason::NotNewest },
            None if is_too_late(leg) => LegTransition::Waiting { reason: WaitReason::TooLate },
            None => {
                // One of the same time that ran before it has shifted them already.
                let by = now.since(leg.due_at).saturating_sub(plan.shifted_for(leg.due_at));
                late_by = Some((leg.due_at, by));
                LegTransition::Due
            }
        };
        steps.push(step(plan.leg_id(leg), transition));
    }
    let ahead = plan.legs.iter().any(|leg| leg.state == LegState::Scheduled && leg.due_at > now);
    if let Some((due_at, by)) = late_by.filter(|(_, by)| ahead && !by.is_zero()) {
        steps.push(PlanTransition::Shifted { plan: plan.id, due_at: Some(due_at), by });
    }
    steps
}

/// Whether the rule speaks against the leg itself, not against trading as it is now.
fn is_of_its_own(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::InsufficientFunds | ReasonCode::InvalidOrder)
}
