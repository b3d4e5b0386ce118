//! Pane 5: plans and their legs.

use rust_decimal::Decimal;

use crate::domain::{PlanId, SafeText, Side, Symbol, Timestamp};

/// One plan of pane 5.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanView {
    /// Which.
    pub id: PlanId,
    /// When it was made.
    pub at: Timestamp,
    /// Its legs in order.
    pub legs: Vec<LegView>,
    /// Sum of the amounts that are filled, account currency.
    pub done: Decimal,
    /// Sum of the amounts still to come.
    pub left: Decimal,
}

/// One leg.
#[derive(Debug, Clone, PartialEq)]
pub struct LegView {
    /// Number within the plan, from 0.
    pub number: u16,
    /// What.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// Account currency.
    pub amount: Decimal,
    /// When.
    pub due: Timestamp,
    /// Where it stands: `scheduled`, `deferred`, `sent`, ...
    pub state: String,
    /// Why it is deferred or waiting, or how much of it is filled.
    pub reason: Option<SafeText>,
    /// Nothing more will happen to it.
    pub is_terminal: bool,
    /// Needs the operator or is uncertain (waiting, unknown).
    pub needs_attention: bool,
}
