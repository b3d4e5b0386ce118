//! What we own and what it is worth: balances, lots, holdings, prices.
//!
//! Pure data owned by the core. It changes only by [`Account::apply`] of a [`Posting`] (one fill of the venue), which
//! recovery repeats with the same result. It never decides whether to trade, and it never makes up a price: an amount
//! to trade needs fresh prices, else a [`PriceError`] names the pair; a [`Valuation`] goes by the last known prices and
//! names what is stale.
//!
//! Two sleeves share the balances. **Lots** were opened by signals and carry their stop and target; **holdings** are
//! the rest, the part that rebalancing moves. The lots of an asset never exceed its balance.

mod ledger;
mod lot;
mod prices;
mod routes;
mod trades;
mod value;

#[cfg(test)]
mod tests;

pub use ledger::{Account, Applied, Booked, LotChange, LotSale, Posting, Realised, Results, Shrink};
pub use lot::Lot;
pub use prices::{Mark, PriceError, Prices, PricesAt, Worth};
pub use trades::AppliedTrades;
pub use value::{HoldingShare, Holdings, LeftOut, StaleAsset, Valuation};

use thiserror::Error;

use crate::domain::{MoneyError, TradeId};

/// Why the account could not book a fill or state a value. It is unchanged then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AccountError {
    /// The arithmetic has no result.
    #[error("account arithmetic: {0}; check the quantities and prices of the fill or the feed")]
    Money(#[from] MoneyError),
    /// A price is missing or too old.
    #[error(transparent)]
    Price(#[from] PriceError),
    /// The venue reported an execution of nothing, or for nothing.
    #[error("fill {0} has a quantity or price that is not positive: compare it with the venue's own record")]
    NotAFill(TradeId),
    /// Percentages of an equity that is zero or negative mean nothing.
    #[error("equity is zero or negative: there is nothing to take a percentage of")]
    NoEquity,
}
