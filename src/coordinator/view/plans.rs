//! Pane 5: plans and their legs.

use crate::coordinator::Coordinator;
use crate::coordinator::dca::{LegState, Plan};
use crate::coordinator::snapshot::{LegView, PlanView};
use crate::domain::SafeText;

impl Coordinator {
    pub(super) fn plans_view(&self) -> Vec<PlanView> {
        self.durable.plans.open().map(plan_view).collect()
    }
}

fn plan_view(plan: &Plan) -> PlanView {
    let legs: Vec<LegView> = plan
        .legs
        .iter()
        .map(|leg| LegView {
            number: leg.number,
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
        legs,
        done: plan.amount_done().unwrap_or_default(),
        left: plan.amount_left().unwrap_or_default(),
    }
}
