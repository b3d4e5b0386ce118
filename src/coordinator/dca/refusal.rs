//! Why a change of the plans is refused.

use rust_decimal::Decimal;
use thiserror::Error;

use super::{LegId, LegState};
use crate::domain::{MoneyError, PlanId, ReasonCode};

/// Why something is not done; the text is for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DcaRefusal {
    /// Two plans at once would both correct the same deviation.
    #[error("plan {0} still has legs: let it end, or cancel_plan {0}")]
    PlanOpen(PlanId),
    /// Nothing is worth an order.
    #[error("no trade reaches rebalancing.trade_min {trade_min}: nothing to plan")]
    NothingToTrade {
        /// The limit, account currency.
        trade_min: Decimal,
    },
    /// More legs than can be numbered.
    #[error("more than 65,536 legs: lower dca.legs_max")]
    TooManyLegs,
    /// An amount cannot be computed.
    #[error("the legs cannot be computed: {0}")]
    Money(#[from] MoneyError),
    /// There is no such plan, or it is finished.
    #[error("no open plan {0}: the pane of DCA plans lists them")]
    NoOpenPlan(PlanId),
    /// The plan has no such leg.
    #[error("no leg {0}: the pane of DCA plans lists the legs of open plans")]
    NoSuchLeg(LegId),
    /// The leg has ended.
    #[error("leg {id} is already {state}")]
    Ended {
        /// Which.
        id: LegId,
        /// How.
        state: LegState,
    },
    /// The leg is at the venue, or on its way, or may be.
    #[error("leg {id} is {state}: its order may be at the venue; only the venue's answer moves it")]
    InFlight {
        /// Which.
        id: LegId,
        /// In which state.
        state: LegState,
    },
    /// The leg is not in the state that this needs.
    #[error("leg {id} is {state}: this needs a leg that is {needed}")]
    NotIn {
        /// Which.
        id: LegId,
        /// Its state.
        state: LegState,
        /// What it should be.
        needed: LegState,
    },
    /// A rule speaks against running it.
    #[error("leg {id} may not run now: {reason}; clear that first")]
    Blocked {
        /// Which.
        id: LegId,
        /// Which rule.
        reason: ReasonCode,
    },
    /// A postponement that moves nothing.
    #[error("postponing leg {0} needs a span longer than zero, such as 2h")]
    NoSpan(LegId),
    /// The numbers of an order are not positive.
    #[error("leg {0}: quantity and price bound must be positive")]
    InvalidNumbers(LegId),
    /// The leg has an intent with other parameters, or the venue reports something else than the leg is.
    #[error("leg {0}: same leg, other parameters: refused")]
    OtherParameters(LegId),
    /// The venue reports an order of a leg that has ended.
    #[error("leg {id} is {state}, but the venue reports an order of it: compare holdings with the venue")]
    AliveAfterEnd {
        /// Which.
        id: LegId,
        /// How it had ended.
        state: LegState,
    },
}

impl DcaRefusal {
    /// Whether the refusal shows that we and the venue, or we and ourselves, disagree about an order: an Emergency.
    pub const fn is_emergency(&self) -> bool {
        match self {
            Self::OtherParameters(_) | Self::AliveAfterEnd { .. } => true,
            Self::PlanOpen(_)
            | Self::NothingToTrade { .. }
            | Self::TooManyLegs
            | Self::Money(_)
            | Self::NoOpenPlan(_)
            | Self::NoSuchLeg(_)
            | Self::Ended { .. }
            | Self::InFlight { .. }
            | Self::NotIn { .. }
            | Self::Blocked { .. }
            | Self::NoSpan(_)
            | Self::InvalidNumbers(_) => false,
        }
    }
}

/// Why a recorded change does not fit the state. In recovery: the journal is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// Number used before, legs already begun, or legs that do not sum to their trades.
    #[error("plan {0} is not a fresh plan: refused")]
    NotFresh(PlanId),
    /// The plan does not exist or is finished.
    #[error("plan {0} is not open")]
    NotOpen(PlanId),
    /// The plan has no such leg.
    #[error("leg {0} does not exist")]
    NoSuchLeg(LegId),
    /// The table forbids it.
    #[error("leg {id} is {from}: the step `{step}` is not allowed there")]
    NotAllowed {
        /// Which leg.
        id: LegId,
        /// Its state.
        from: LegState,
        /// The step.
        step: &'static str,
    },
}
