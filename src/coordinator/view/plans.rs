//! Pane 5: plans and their legs.

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
