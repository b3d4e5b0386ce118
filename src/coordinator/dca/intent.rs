//! What will be sent for a leg, exactly, and the digest that tells one intent from another.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Leg, LegId};
use crate::domain::{ClientOrderId, Epoch, Order, OrderKind, Purpose, Side, Symbol, Timestamp};

/// BLAKE3 of everything an intent says, in hex: two intents are the same if and only if these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentDigest(String);

impl fmt::Display for IntentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What the core adds to a leg when it decides to send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntentTerms {
    /// Base units, positive.
    pub quantity: Decimal,
    /// Worst acceptable price, quote units, positive.
    pub price_bound: Decimal,
    /// Not handed over after this, market time.
    pub deadline: Timestamp,
    /// The gate's epoch at the decision.
    pub epoch: Epoch,
}

/// What will be sent, exactly. On disk before anything is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The leg's one name at the venue.
    pub client_id: ClientOrderId,
    /// What.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// For how much, in the account currency.
    pub amount: Decimal,
    /// How much of it, base units.
    pub quantity: Decimal,
    /// Worst acceptable price, quote units.
    pub price_bound: Decimal,
    /// Not handed over after this, market time.
    pub deadline: Timestamp,
    /// The gate's epoch at the decision.
    pub epoch: Epoch,
    /// Of all the above.
    pub digest: IntentDigest,
}

impl Intent {
    /// The intent to send `leg` on these terms.
    pub fn new(leg: &Leg, terms: IntentTerms) -> Self {
        let mut intent = Self {
            client_id: leg.client_id,
            symbol: leg.symbol.clone(),
            side: leg.side,
            amount: leg.amount,
            quantity: terms.quantity,
            price_bound: terms.price_bound,
            deadline: terms.deadline,
            epoch: terms.epoch,
            digest: IntentDigest(String::new()),
        };
        intent.digest = intent.computed_digest();
        intent
    }

    /// The order to hand over.
    pub fn order(&self, id: LegId) -> Order {
        Order {
            client_id: self.client_id,
            symbol: self.symbol.clone(),
            side: self.side,
            quantity: self.quantity,
            kind: OrderKind::Market { bound: Some(self.price_bound) },
            purpose: Purpose::Leg { plan: id.plan, leg: id.leg },
            protection: None,
        }
    }

    /// No field can hold a line feed, and decimals are normalised: equal meaning, equal text.
    fn computed_digest(&self) -> IntentDigest {
        let text = format!(
            "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}",
            self.client_id,
            self.symbol,
            self.side,
            self.amount.normalize(),
            self.quantity.normalize(),
            self.price_bound.normalize(),
            self.deadline.millis(),
            self.epoch,
        );
        IntentDigest(blake3::hash(text.as_bytes()).to_hex().to_string())
    }

    /// Whether it says what the leg says, and is what its digest says.
    pub(super) fn is_for(&self, leg: &Leg) -> bool {
        self.client_id == leg.client_id
            && self.symbol == leg.symbol
            && self.side == leg.side
            && self.amount == leg.amount
            && self.digest == self.computed_digest()
    }
}
