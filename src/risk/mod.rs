//! Whether an order may go out, and when trading stops by itself.
//!
//! Pure. The rules ([`check_entry`], [`check_leg`], [`check_exit`]) look at a proposal and at what the core knows and
//! answer with a verdict; they only ever reduce, and what they cannot compute they refuse. The machines ([`Breakers`],
//! [`Streak`], [`RecentOrders`]) are durable and change only by `apply` of what their `&self` functions returned.
//! Nothing here sends, cancels, pauses or raises an alarm: the core does, from what is returned.

mod breakers;
mod confidence;
mod exposure;
mod flow;
mod leverage;
mod numbers;
mod order_rate;
mod rules;
mod size;
mod standing;
mod stop;
mod streak;
mod view;

#[cfg(test)]
mod tests;

pub use breakers::{Breaker, BreakerName, BreakerTransition, Breakers, PEAK_STEP_PCT, RearmError, Trip};
pub use exposure::groups_of as correlation_groups_of;
pub use order_rate::{RecentOrders, SentOrder};
pub use rules::{check_entry, check_exit, check_leg};
pub use streak::{CooldownCause, Streak, StreakTransition};
pub use view::{
    EntryProposal, EntryVerdict, ExitProposal, LegOrder, LegProposal, OrderVerdict, Rejection, RiskView,
    VenueTerms,
};
