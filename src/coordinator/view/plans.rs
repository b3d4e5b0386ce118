//! Pane 5: plans and their legs.

use rust_decimal::Decimal;

use crate::coordinator::Coordinator;
use crate::coordinator::dca::{Leg, LegState, Plan};
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
            reason: leg.why.as_ref().map(SafeText::ours).or_else(|| part_text(leg)),
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

/// `0.3 of 1.2 filled`, while or where it is not the whole.
fn part_text(leg: &Leg) -> Option<SafeText> {
    let wanted = leg.intent.as_ref().map(|intent| intent.quantity)?;
    let is_part = leg.filled.quantity > Decimal::ZERO && leg.filled.quantity < wanted;
    is_part.then(|| {
        SafeText::ours(format!("{} of {} filled", leg.filled.quantity.normalize(), wanted.normalize()))
    })
}
