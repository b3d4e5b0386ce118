//! What the operator may do to plans and legs. Every function returns steps, or a refusal that says why.

use std::time::Duration;

use super::{DcaRefusal, LegId, LegState, LegTransition, Plan, PlanTransition, Plans};
use crate::domain::{PlanId, ReasonCode, Timestamp};

impl Plans {
    /// `run_leg`: the leg is due now, however early or late, if no rule speaks against it.
    ///
    /// # Errors
    /// Blocked, ended, in flight, or no such leg.
    pub fn run_leg(&self, id: LegId, blocked: Option<ReasonCode>) -> Result<PlanTransition, DcaRefusal> {
        let run = self.by_hand(id, LegTransition::Due)?;
        match blocked {
            Some(reason) => Err(DcaRefusal::Blocked { id, reason }),
            None => Ok(run),
        }
    }

    /// `skip_leg`: the leg never runs; the others do.
    ///
    /// # Errors
    /// Ended, in flight, or no such leg.
    pub fn skip_leg(&self, id: LegId) -> Result<PlanTransition, DcaRefusal> {
        self.by_hand(id, LegTransition::Skipped)
    }

    /// `skip_leg all`: no leg waits for the operator any more; those that do never run.
    pub fn skip_waiting(&self) -> Vec<PlanTransition> {
        let waiting = self.open_legs().filter(|(_, leg)| leg.state == LegState::Waiting);
        waiting.map(|(id, _)| PlanTransition::Leg { id, transition: LegTransition::Skipped }).collect()
    }

    /// `cancel_leg`: the leg never runs.
    ///
    /// # Errors
    /// Ended, in flight, or no such leg.
    pub fn cancel_leg(&self, id: LegId) -> Result<PlanTransition, DcaRefusal> {
        self.by_hand(id, LegTransition::Cancelled)
    }

    /// `postpone_leg`: the leg is due `by` later than it was, and at least `by` from now. The scheduled ones behind it
    /// move as far, so that the plan's spacing is kept.
    ///
    /// # Errors
    /// No span, ended, in flight, or no such leg.
    pub fn postpone_leg(
        &self,
        id: LegId,
        by: Duration,
        now: Timestamp,
    ) -> Result<Vec<PlanTransition>, DcaRefusal> {
        let leg = self.open_leg(id)?;
        if by.as_millis() == 0 {
            return Err(DcaRefusal::NoSpan(id));
        }
        let was = leg.due_at;
        let due_at = was.max(now).plus(by);
        let mut steps = vec![self.by_hand(id, LegTransition::Postponed { due_at })?];
        let behind = self.open_legs().filter(|(other, leg)| {
            other.plan == id.plan && leg.state == LegState::Scheduled && leg.due_at > was
        });
        steps.extend(behind.map(|(other, leg)| PlanTransition::Leg {
            id: other,
            transition: LegTransition::Postponed { due_at: leg.due_at.plus(due_at.since(was)) },
        }));
        Ok(steps)
    }

    /// `cancel_plan`: every leg that is not at the venue, or on its way there, never runs.
    ///
    /// # Errors
    /// No such open plan, or every open leg of it is in flight.
    pub fn cancel_plan(&self, id: PlanId) -> Result<Vec<PlanTransition>, DcaRefusal> {
        let plan = self.open.get(&id).ok_or(DcaRefusal::NoOpenPlan(id))?;
        let steps: Vec<_> = cancellable(plan).collect();
        match plan.legs.iter().find(|leg| !leg.state.is_terminal()) {
            Some(leg) if steps.is_empty() => {
                Err(DcaRefusal::InFlight { id: plan.leg_id(leg), state: leg.state })
            }
            Some(_) | None => Ok(steps),
        }
    }

    /// `cancel_plan all`: [`Plans::cancel_plan`] of every open plan; legs in flight end by the venue's word.
    pub fn cancel_all(&self) -> Vec<PlanTransition> {
        self.open().flat_map(cancellable).collect()
    }

    fn by_hand(&self, id: LegId, transition: LegTransition) -> Result<PlanTransition, DcaRefusal> {
        let leg = self.open_leg(id)?;
        if leg.may(&transition) {
            Ok(PlanTransition::Leg { id, transition })
        } else {
            Err(DcaRefusal::InFlight { id, state: leg.state })
        }
    }
}

/// Cancels each leg of a plan that may still be cancelled.
fn cancellable(plan: &Plan) -> impl Iterator<Item = PlanTransition> {
    let legs = plan.legs.iter().filter(|leg| leg.may(&LegTransition::Cancelled));
    legs.map(|leg| PlanTransition::Leg { id: plan.leg_id(leg), transition: LegTransition::Cancelled })
}
