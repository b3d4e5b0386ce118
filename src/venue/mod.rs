//! Where orders go: the seam to a venue, and the paper venue behind it.
//!
//! A venue takes an order only together with a permit of the gate, and that hand-over is synchronous. It never
//! decides whether to trade; it says what became of what it was told. The only venue is the paper one; a venue
//! with money would implement the same trait.

mod paper;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::{
    Candle, ClientOrderId, Fill, FillRole, Order, OrderStatus, Protection, Purpose, Symbol, Timestamp,
    TradeId, VenueEvent,
};
use crate::gate::{AnyPermit, PermitKind};

pub use paper::{LogError, PaperBook, PaperTerms, PaperVenue};

/// Why a venue gave no answer. What became of the order is then unknown, and it must be asked for.
#[derive(Debug, Error)]
pub enum VenueError {
    /// The permit does not cover the purpose. Nothing was handed over.
    #[error("a {permit:?} permit does not admit {purpose:?}: ask the gate for the permit of that purpose")]
    WrongPermit {
        /// Purpose of the order.
        purpose: Purpose,
        /// Kind of the permit that came with it.
        permit: PermitKind,
    },
    /// The venue cannot write its log and answers nothing until it is opened again.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// What [`Venue::cancel_all`] takes back. Stops and targets always stay: no position becomes naked by a halt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelScope {
    /// Entries and legs that rest.
    Entries,
    /// Every order that rests, exits too.
    Orders,
}

/// An order as the venue knows it, and what protects what it bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReport {
    /// As it was submitted.
    pub order: Order,
    /// Accepted, Filled or Cancelled: a venue remembers no order that it refused.
    pub status: OrderStatus,
    /// Base units still to be executed; zero when the status is terminal.
    pub remaining: Decimal,
    /// Whether it ended by running out rather than by being cancelled.
    pub expired: bool,
    /// Executions of the order, its stops and its targets, oldest first.
    pub fills: Vec<Fill>,
    /// Stops and targets that stand for it, oldest first.
    pub protective: Vec<ProtectiveOrder>,
}

/// A stop and a target on the quantity of one fill. What the one executes, the other no longer stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectiveOrder {
    /// The entry whose fill it protects.
    pub client_id: ClientOrderId,
    /// What.
    pub symbol: Symbol,
    /// Base units.
    pub quantity: Decimal,
    /// At which prices it executes.
    pub levels: Protection,
    /// Since when it stands.
    pub placed_at: Timestamp,
    /// The stop was reached and could not be executed whole: the rest sells at the market, and the target is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub triggered: bool,
}

/// Answer to the question for one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The venue has it.
    Found(Box<OrderReport>),
    /// The venue surely does not have it: it never came, or it was refused.
    Absent,
}

impl OrderReport {
    /// The report as the events that would have told the same; a fill that is known already carries its known trade
    /// id.
    pub fn into_events(self) -> Vec<VenueEvent> {
        let client_id = self.order.client_id;
        let whole = self.status == OrderStatus::Filled;
        let last = self.fills.iter().rposition(|fill| fill.role == FillRole::Order);
        let unprotected = self.protective.is_empty();
        let last_sale = self.fills.iter().rposition(|fill| fill.role != FillRole::Order);
        let mut events = vec![VenueEvent::Accepted { client_id }];
        events.extend(self.fills.into_iter().enumerate().map(|(index, fill)| {
            let done = match fill.role {
                FillRole::Order => whole && Some(index) == last,
                FillRole::Stop | FillRole::Target => unprotected && Some(index) == last_sale,
            };
            VenueEvent::Filled { fill, done }
        }));
        if self.status == OrderStatus::Cancelled {
            events.push(VenueEvent::Cancelled { client_id, expired: self.expired });
        }
        events
    }
}

/// A place that executes orders. Every method answers at once; times are market time.
///
/// An order without a permit does not compile:
///
/// ```compile_fail,E0061
/// # use andon::{domain::{Order, Timestamp}, venue::Venue};
/// fn unchecked(venue: &mut dyn Venue, order: &Order) {
///     let _ = venue.submit(Timestamp::EPOCH, order);
/// }
/// ```
pub trait Venue: Send {
    /// Hands an order over and says what became of it. The permit is given back as soon as the venue has it.
    ///
    /// The same order again is answered with its present state and executes nothing; another order under a used
    /// name is refused.
    ///
    /// # Errors
    /// [`VenueError`]; after anything but `WrongPermit` the order is Unknown.
    fn submit(
        &mut self,
        now: Timestamp,
        order: &Order,
        permit: AnyPermit<'_>,
    ) -> Result<Vec<VenueEvent>, VenueError>;

    /// Takes one resting order back. An order that ended before is answered with its present state.
    fn cancel(&mut self, client_id: ClientOrderId) -> Result<Vec<VenueEvent>, VenueError>;

    /// Takes all resting orders of a scope back; stops and targets stay.
    fn cancel_all(&mut self, scope: CancelScope) -> Result<Vec<VenueEvent>, VenueError>;

    /// Lowers the protected quantity of an entry to `quantity` base units, oldest fill first; more than stands
    /// changes nothing, zero takes stop and target away. Returns what is protected now.
    fn shrink_protection(
        &mut self,
        client_id: ClientOrderId,
        quantity: Decimal,
    ) -> Result<Decimal, VenueError>;

    /// Orders that rest, oldest first.
    fn open_orders(&self) -> Result<Vec<OrderReport>, VenueError>;

    /// Stops and targets that stand, oldest first.
    fn protective_orders(&self) -> Result<Vec<ProtectiveOrder>, VenueError>;

    /// What the venue knows of an order.
    fn query(&self, client_id: ClientOrderId) -> Result<Answer, VenueError>;

    /// All executions after the given one, oldest first; `TradeId(0)` for all.
    fn fills_since(&self, after: TradeId) -> Result<Vec<Fill>, VenueError>;

    /// The close of a bar that is over is a price, and executes nothing: history before a run begins. A venue that
    /// has prices of its own has no use for it.
    fn see_price(&mut self, _candle: &Candle) {}

    /// A closed bar of the market: executes what it touched. A bar that is not newer than the last one of its
    /// symbol changes nothing.
    fn on_candle(&mut self, candle: &Candle) -> Result<Vec<VenueEvent>, VenueError>;

    /// Ends the orders that were valid until `now` or before.
    fn on_time(&mut self, now: Timestamp) -> Result<Vec<VenueEvent>, VenueError>;

    /// When [`Self::on_time`] has something to do next.
    fn next_expiry(&self) -> Option<Timestamp>;
}
