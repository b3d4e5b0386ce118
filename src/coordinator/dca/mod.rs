//! Plans and their legs: spread over time, each leg sent at most once.
//!
//! Event-sourced: `&self` functions look at what happened and return [`PlanTransition`]s or a [`DcaRefusal`];
//! [`Plans::apply`] alone changes state, live and in recovery. It never sends an order, reads a clock or asks a price.
//! The rules are "DCA legs: at most once" of the operator-safety notes; the table of steps is
//! [`LegTransition::allowed_from`].

mod decide;
mod intent;
mod leg;
mod operator;
mod plan;
mod refusal;
mod split;
#[cfg(test)]
mod tests;
mod transition;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{ClientOrderId, PlanId, Timestamp};

pub use intent::{Intent, IntentDigest, IntentTerms};
pub use leg::{FilledPart, Leg, LegId, LegState};
pub use plan::{Plan, PlanTerms};
pub use refusal::{ApplyError, DcaRefusal};
pub use split::split;
pub use transition::{DeferReason, LegTransition, WaitReason, Why};

/// Finished plans that are kept for the screen and for late news from the venue. At one plan a day: three weeks.
const FINISHED_MAX: usize = 20;

/// One change of the plans. What the journal holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "plan_step")]
pub enum PlanTransition {
    /// A plan with all its legs: it is scheduled when this is durable, and not before.
    Created {
        /// The plan.
        plan: Plan,
    },
    /// One leg made a step.
    Leg {
        /// Which.
        id: LegId,
        /// What.
        transition: LegTransition,
    },
    /// A leg ran late: the scheduled ones behind it keep their distance.
    Shifted {
        /// Which plan.
        plan: PlanId,
        /// When the leg was due. Earlier journals do not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
        /// By how much, market time.
        #[serde(with = "humantime_serde")]
        by: Duration,
    },
}

/// All plans.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Plans {
    last: PlanId,
    open: BTreeMap<PlanId, Plan>,
    finished: BTreeMap<PlanId, Plan>,
}

impl Plans {
    /// Plans with legs that may still run, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Plan> {
        self.open.values()
    }

    /// The latest plans of which nothing is left, oldest first.
    pub fn finished(&self) -> impl Iterator<Item = &Plan> {
        self.finished.values()
    }

    /// A plan by its number, open or finished.
    pub fn plan(&self, id: PlanId) -> Option<&Plan> {
        self.open.get(&id).or_else(|| self.finished.get(&id))
    }

    /// A leg by its name.
    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.plan(id.plan)?.legs.get(usize::from(id.leg))
    }

    /// The leg that the venue knows by this name.
    pub fn leg_of(&self, client_id: ClientOrderId) -> Option<(LegId, &Leg)> {
        let plans = self.open.values().chain(self.finished.values().rev());
        let mut legs = plans.flat_map(|plan| plan.legs.iter().map(|leg| (plan.leg_id(leg), leg)));
        legs.find(|(_, leg)| leg.client_id == client_id)
    }

    /// The number of legs in a state, over all open plans.
    pub fn count(&self, state: LegState) -> usize {
        self.open_legs().filter(|(_, leg)| leg.state == state).count()
    }

    /// When the next scheduled leg is due, market time. Deferred legs are not in it: they are offered whenever
    /// [`Plans::due`] is asked.
    pub fn next_due(&self) -> Option<Timestamp> {
        let scheduled = self.open_legs().filter(|(_, leg)| leg.state == LegState::Scheduled);
        scheduled.map(|(_, leg)| leg.due_at).min()
    }

    /// Makes one change, or none.
    ///
    /// # Errors
    /// The change does not fit the state; the state is as it was.
    pub fn apply(&mut self, transition: &PlanTransition) -> Result<(), ApplyError> {
        match transition {
            PlanTransition::Created { plan } => {
                if plan.id <= self.last || !plan.is_fresh() {
                    return Err(ApplyError::NotFresh(plan.id));
                }
                self.last = plan.id;
                self.open.insert(plan.id, plan.clone());
            }
            PlanTransition::Leg { id, transition } => {
                let plan = self.open.get_mut(&id.plan).ok_or(ApplyError::NotOpen(id.plan))?;
                let leg = plan.legs.get_mut(usize::from(id.leg)).ok_or(ApplyError::NoSuchLeg(*id))?;
                if !leg.may(transition) {
                    return Err(ApplyError::NotAllowed { id: *id, from: leg.state, step: transition.name() });
                }
                leg.take(transition);
                if plan.is_finished() {
                    self.retire(id.plan);
                }
            }
            PlanTransition::Shifted { plan, due_at, by } => {
                let plan = self.open.get_mut(plan).ok_or(ApplyError::NotOpen(*plan))?;
                for leg in plan.legs.iter_mut().filter(|leg| leg.state == LegState::Scheduled) {
                    leg.due_at = leg.due_at.plus(*by);
                }
                plan.shifted = due_at.map(|due_at| (due_at, plan.shifted_for(due_at) + *by));
            }
        }
        Ok(())
    }

    fn retire(&mut self, id: PlanId) {
        if let Some(plan) = self.open.remove(&id) {
            self.finished.insert(id, plan);
        }
        while self.finished.len() > FINISHED_MAX {
            self.finished.pop_first();
        }
    }

    fn open_legs(&self) -> impl Iterator<Item = (LegId, &Leg)> {
        self.open.values().flat_map(|plan| plan.legs.iter().map(|leg| (plan.leg_id(leg), leg)))
    }
}
