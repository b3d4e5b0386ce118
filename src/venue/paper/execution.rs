//! What a client asks of the book: take an order, take one back, protect less; and what time does to it.

use rust_decimal::Decimal;

use super::book::{Change, Outcome, PaperBook, minus, plus, sells_lots_only};
use super::terms::{PaperTerms, SeenBar};
use crate::domain::{
    ClientOrderId, Fill, FillRole, Money, MoneyError, Order, OrderKind, Purpose, Side, Symbol, Timestamp,
    TradeId, Untrusted, VenueEvent, VenueReject,
};
use crate::venue::CancelScope;

/// An execution before it has its number and its fee.
pub(super) struct Execution<'a> {
    pub(super) client_id: ClientOrderId,
    pub(super) role: FillRole,
    pub(super) symbol: &'a Symbol,
    pub(super) side: Side,
    pub(super) quantity: Decimal,
    pub(super) price: Decimal,
    pub(super) at: Timestamp,
}

impl Execution<'_> {
    pub(super) fn into_fill(self, terms: &PaperTerms, trade_id: TradeId) -> Result<Fill, MoneyError> {
        let fee = Money::new(terms.fee(self.quantity, self.price)?, self.symbol.quote().clone());
        let Self { client_id, role, symbol, side, quantity, price, at } = self;
        Ok(Fill { trade_id, client_id, role, symbol: symbol.clone(), side, quantity, price, fee, at })
    }
}

/// What becomes of a sound order at once.
enum Plan {
    /// Works for this quantity; the fill is what is executed at once.
    Work(Decimal, Option<Fill>),
    /// Came after its end.
    TooLate,
}

impl PaperBook {
    /// Takes an order, or refuses it. A refused order is forgotten: its name stays free, so that an operator can
    /// have a refused leg run again under the name that the leg always has.
    pub(super) fn submit(
        &mut self,
        terms: &PaperTerms,
        now: Timestamp,
        order: &Order,
        last: Option<&SeenBar>,
    ) -> Outcome {
        let client_id = order.client_id;
        if let Some(known) = self.get(client_id) {
            return if known.order == *order {
                self.state_of(client_id)
            } else {
                refused(client_id, VenueReject::ClientIdReused)
            };
        }
        match self.plan(terms, now, order, last) {
            Ok(plan) => self.take(now, order, plan),
            Err(reason) => refused(client_id, reason),
        }
    }

    fn plan(
        &self,
        terms: &PaperTerms,
        now: Timestamp,
        order: &Order,
        last: Option<&SeenBar>,
    ) -> Result<Plan, VenueReject> {
        check(terms, order)?;
        let quantity = self.sellable(order)?;
        let side = order.side;
        let (bar, price) = match order.kind {
            OrderKind::Limit { valid_until: Some(until), .. } if until <= now => return Ok(Plan::TooLate),
            OrderKind::Limit { price: limit, .. } => {
                match terms.at_once(now, last).filter(|bar| crosses(side, bar.candle.close, limit)) {
                    Some(bar) => {
                        let price = terms.worse(bar, side, bar.candle.close).map_err(invalid)?;
                        (bar, not_worse(side, price, bar.on_tick(side, limit)))
                    }
                    None => return Ok(Plan::Work(quantity, None)),
                }
            }
            OrderKind::Market { bound } => {
                let bar = terms.fresh(now, last).ok_or(VenueReject::NoFreshPrice)?;
                let price = terms.worse(bar, side, bar.candle.close).map_err(invalid)?;
                if is_beyond(side, price, bound) {
                    return Err(VenueReject::PriceBound);
                }
                (bar, price)
            }
        };
        // An order whose worth does not fit a decimal is refused, however little of it there is to fill now.
        terms.fee(quantity, price).map_err(invalid)?;
        let (client_id, role, symbol) = (order.client_id, FillRole::Order, &order.symbol);
        let wanted = Execution { client_id, role, symbol, side, quantity, price, at: now };
        Ok(Plan::Work(quantity, self.execute(terms, bar, wanted).map_err(invalid)?))
    }

    /// The execution of as much as the bar's volume leaves for its side; none if it leaves nothing.
    pub(super) fn execute(
        &self,
        terms: &PaperTerms,
        bar: &SeenBar,
        wanted: Execution<'_>,
    ) -> Result<Option<Fill>, MoneyError> {
        // What was executed since the bar closed was executed against it: the next one is not known yet.
        let taken = self.executed_since(wanted.symbol, wanted.side, bar.candle.close_time());
        let quantity = wanted.quantity.min(minus(terms.volume_share(bar)?, taken));
        if quantity <= Decimal::ZERO {
            return Ok(None);
        }
        Execution { quantity, ..wanted }.into_fill(terms, self.next_trade()).map(Some)
    }

    /// How much of the order there is to execute. Exits and emergency reductions sell what entries bought and
    /// nothing else, so that a stop and an exit that cross on their way do not sell the same lot twice.
    fn sellable(&self, order: &Order) -> Result<Decimal, VenueReject> {
        if !sells_lots_only(order) {
            return Ok(order.quantity);
        }
        let quantity = order.quantity.min(self.lots(&order.symbol));
        if quantity > Decimal::ZERO {
            Ok(quantity)
        } else {
            Err(VenueReject::Other(Untrusted::new("nothing is left to reduce")))
        }
    }

    fn take(&mut self, now: Timestamp, order: &Order, plan: Plan) -> Outcome {
        let client_id = order.client_id;
        let mut outcome = Outcome::default();
        self.change(&mut outcome, Change::Accepted { order: order.clone(), at: now });
        outcome.events.push(VenueEvent::Accepted { client_id });
        match plan {
            Plan::Work(quantity, at_once) => {
                self.trim(&mut outcome, client_id, quantity);
                if let Some(fill) = at_once {
                    self.fill(&mut outcome, &fill);
                }
            }
            Plan::TooLate => self.end(&mut outcome, client_id, true),
        }
        outcome
    }

    /// Executes a part or all of an order, with what follows from it for stops, targets and exits.
    pub(super) fn fill(&mut self, outcome: &mut Outcome, fill: &Fill) {
        let reduces = self.get(fill.client_id).is_some_and(|known| match known.order.purpose {
            Purpose::Exit { .. } | Purpose::Reduce { .. } | Purpose::Flatten { .. } => {
                fill.side == Side::Sell
            }
            Purpose::Entry { .. } | Purpose::Leg { .. } => false,
        });
        self.change(outcome, Change::Filled { fill: fill.clone() });
        let done = self.get(fill.client_id).is_some_and(|known| known.status.is_terminal());
        outcome.events.push(VenueEvent::Filled { fill: fill.clone(), done });
        if reduces {
            self.shrink_oldest(outcome, |symbol| *symbol == fill.symbol, fill.quantity);
            self.trim_exits(outcome, &fill.symbol);
        }
    }

    /// Lowers the stops and targets of the fills in question by `quantity` in all, oldest first.
    fn shrink_oldest(
        &mut self,
        outcome: &mut Outcome,
        concerns: impl Fn(&Symbol) -> bool,
        quantity: Decimal,
    ) {
        let standing: Vec<_> =
            self.protective().filter(|(_, p)| concerns(&p.symbol)).map(|(id, p)| (id, p.quantity)).collect();
        self.shrink(outcome, standing, quantity);
    }

    fn shrink(&mut self, outcome: &mut Outcome, standing: Vec<(TradeId, Decimal)>, mut by: Decimal) {
        for (protects, quantity) in standing {
            if by <= Decimal::ZERO {
                return;
            }
            let taken = quantity.min(by);
            by = minus(by, taken);
            self.change(outcome, Change::ProtectionShrunk { protects, quantity: minus(quantity, taken) });
        }
    }

    /// Lowers resting exits until all of them together sell no more than is left, the newest first.
    pub(super) fn trim_exits(&mut self, outcome: &mut Outcome, symbol: &Symbol) {
        let mut left = self.lots(symbol);
        let exits: Vec<_> = self
            .resting()
            .filter(|known| known.sells_lots_only() && known.order.symbol == *symbol)
            .map(|known| (known.order.client_id, known.remaining))
            .collect();
        for (client_id, remaining) in exits {
            let kept = remaining.min(left);
            left = minus(left, kept);
            if kept <= Decimal::ZERO {
                self.end(outcome, client_id, false);
            } else {
                self.trim(outcome, client_id, kept);
            }
        }
    }

    /// Lowers the flattens that work: what a stop or target has sold is not sold again out of the holdings.
    pub(super) fn trim_flattens(&mut self, outcome: &mut Outcome, symbol: &Symbol, mut sold: Decimal) {
        let flattens: Vec<_> = self
            .resting()
            .filter(|known| matches!(known.order.purpose, Purpose::Flatten { .. }))
            .filter(|known| known.order.side == Side::Sell && known.order.symbol == *symbol)
            .map(|known| (known.order.client_id, known.remaining))
            .collect();
        for (client_id, remaining) in flattens {
            let kept = minus(remaining, sold).max(Decimal::ZERO);
            sold = minus(sold, minus(remaining, kept));
            if kept.is_zero() {
                self.end(outcome, client_id, false);
            } else {
                self.trim(outcome, client_id, kept);
            }
        }
    }

    fn trim(&mut self, outcome: &mut Outcome, client_id: ClientOrderId, remaining: Decimal) {
        if self.get(client_id).is_some_and(|known| remaining < known.remaining) {
            self.change(outcome, Change::Trimmed { client_id, remaining });
        }
    }

    pub(super) fn end(&mut self, outcome: &mut Outcome, client_id: ClientOrderId, expired: bool) {
        self.change(outcome, Change::Cancelled { client_id, expired });
        outcome.events.push(VenueEvent::Cancelled { client_id, expired });
    }

    /// Takes a resting order back; says how any other stands.
    pub(super) fn cancel(&mut self, client_id: ClientOrderId) -> Outcome {
        if self.get(client_id).is_none_or(|known| known.status.is_terminal()) {
            return self.state_of(client_id);
        }
        let mut outcome = Outcome::default();
        self.end(&mut outcome, client_id, false);
        outcome
    }

    pub(super) fn cancel_all(&mut self, scope: CancelScope) -> Outcome {
        let in_scope = |purpose: &Purpose| match (scope, purpose) {
            (CancelScope::Orders, _)
            | (CancelScope::Entries, Purpose::Entry { .. } | Purpose::Leg { .. }) => true,
            (
                CancelScope::Entries,
                Purpose::Exit { .. } | Purpose::Reduce { .. } | Purpose::Flatten { .. },
            ) => false,
        };
        let ids: Vec<_> = self
            .resting()
            .filter(|known| in_scope(&known.order.purpose))
            .map(|known| known.order.client_id)
            .collect();
        let mut outcome = Outcome::default();
        for client_id in ids {
            self.end(&mut outcome, client_id, false);
        }
        outcome
    }

    /// Lowers what is protected of one entry to `quantity`.
    pub(super) fn shrink_protection(&mut self, client_id: ClientOrderId, quantity: Decimal) -> Outcome {
        let standing: Vec<_> = self
            .protective()
            .filter(|(_, p)| p.client_id == client_id)
            .map(|(id, p)| (id, p.quantity))
            .collect();
        let total = standing.iter().fold(Decimal::ZERO, |sum, (_, quantity)| plus(sum, *quantity));
        let mut outcome = Outcome::default();
        self.shrink(&mut outcome, standing, minus(total, quantity.max(Decimal::ZERO)));
        outcome
    }

    /// Ends the orders that were valid until `now` or before.
    pub(super) fn on_time(&mut self, now: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        self.expire(&mut outcome, |until| until <= now);
        outcome
    }

    pub(super) fn expire(&mut self, outcome: &mut Outcome, is_over: impl Fn(Timestamp) -> bool) {
        let over: Vec<_> = self
            .resting()
            .filter(|known| known.valid_until().is_some_and(&is_over))
            .map(|known| known.order.client_id)
            .collect();
        for client_id in over {
            self.end(outcome, client_id, true);
        }
    }

    /// An answer that changes nothing: how the order stands.
    fn state_of(&self, client_id: ClientOrderId) -> Outcome {
        let events = match self.report(client_id) {
            Some(report) => report.into_events(),
            None => vec![VenueEvent::Absent { client_id }],
        };
        Outcome { changes: Vec::new(), events }
    }
}

fn refused(client_id: ClientOrderId, reason: VenueReject) -> Outcome {
    Outcome { changes: Vec::new(), events: vec![VenueEvent::Rejected { client_id, reason }] }
}

fn invalid(_: MoneyError) -> VenueReject {
    VenueReject::InvalidOrder
}

/// Refuses what no spot venue could carry out: unknown pairs, unusable numbers, entries that sell, stops without
/// an entry or above their target.
fn check(terms: &PaperTerms, order: &Order) -> Result<(), VenueReject> {
    if !terms.symbols.contains(&order.symbol) {
        return Err(VenueReject::UnknownSymbol);
    }
    let may_protect = matches!(order.purpose, Purpose::Entry { .. });
    let side_fits = match order.purpose {
        Purpose::Entry { .. } => order.side == Side::Buy,
        Purpose::Exit { .. } | Purpose::Reduce { .. } => order.side == Side::Sell,
        // A holding of the quote asset is closed by buying the base.
        Purpose::Leg { .. } | Purpose::Flatten { .. } => true,
    };
    let protection_fits = order.protection.is_none_or(|p| may_protect && p.stop < p.take_profit);
    if side_fits && protection_fits && order.clone().validated().is_ok() {
        Ok(())
    } else {
        Err(VenueReject::InvalidOrder)
    }
}

/// Whether one who will pay (or take) at worst `limit` trades at `price`.
fn crosses(side: Side, price: Decimal, limit: Decimal) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// Whether the price is worse than a market order accepts.
pub(super) fn is_beyond(side: Side, price: Decimal, bound: Option<Decimal>) -> bool {
    bound.is_some_and(|bound| !crosses(side, price, bound))
}

fn not_worse(side: Side, price: Decimal, limit: Decimal) -> Decimal {
    match side {
        Side::Buy => price.min(limit),
        Side::Sell => price.max(limit),
    }
}
