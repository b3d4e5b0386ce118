//! One position of the signal sleeve: bought by one entry order, protected by its own stop and target.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{
    ClientOrderId, DecisionId, MoneyError, Protection, Symbol, Timestamp, checked_div, checked_mul,
    checked_sub,
};

/// What is left of what one entry order bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// The decision that opened it.
    pub decision: DecisionId,
    /// The entry order; its stop and target fill under the same name.
    pub client_id: ClientOrderId,
    /// Which pair.
    pub symbol: Symbol,
    /// Base units still held; always positive.
    pub quantity: Decimal,
    /// Average price paid, quote units per base unit, without fees.
    pub entry_price: Decimal,
    /// Stop price, quote units. None only if an entry was filled that carried no protection: the lot is naked.
    pub stop: Option<Decimal>,
    /// Target price, quote units. None as for the stop.
    pub take_profit: Option<Decimal>,
    /// First fill, market time.
    pub opened_at: Timestamp,
    /// Fees paid for what is still held, quote units.
    pub fees: Decimal,
    /// Result of the parts already sold, fees included, quote units.
    pub realised: Decimal,
}

impl Lot {
    /// Stop and target together, if the entry carried them.
    pub fn protection(&self) -> Option<Protection> {
        Some(Protection { stop: self.stop?, take_profit: self.take_profit? })
    }

    /// What selling all of it at `price` would bring or cost, entry fees included, quote units.
    pub fn unrealised(&self, price: Decimal) -> Result<Decimal, MoneyError> {
        let gross = checked_mul(self.quantity, checked_sub(price, self.entry_price)?)?;
        checked_sub(gross, self.fees)
    }

    /// Takes `quantity` (at most all) out of the lot and returns the share of the entry fees that leaves with it.
    pub(super) fn take(&mut self, quantity: Decimal) -> Result<Decimal, MoneyError> {
        let fees = if quantity == self.quantity {
            self.fees
        } else {
            checked_div(checked_mul(self.fees, quantity)?, self.quantity)?
        };
        self.quantity = checked_sub(self.quantity, quantity)?;
        self.fees = checked_sub(self.fees, fees)?;
        Ok(fees)
    }
}
