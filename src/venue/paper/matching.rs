//! What a closed bar does to the book.
//!
//! A bar does not tell in which order its prices came, so the worse order is assumed: stops before targets, and both
//! before anything that rests. In the bar that fills a resting entry its stop counts if the low reaches it, its target
//! only if the close is beyond it. An order that was filled when it was accepted meets the next bar as a later one,
//! however far that bar had come. A bar without volume executes nothing.

use rust_decimal::Decimal;

use super::book::{BookOrder, Change, Outcome, PaperBook};
use super::execution::{Execution, is_beyond};
use super::terms::{PaperTerms, SeenBar};
use crate::domain::{
    ClientOrderId, Fill, FillRole, MoneyError, OrderKind, Side, TradeId, Untrusted, VenueEvent,
};
use crate::venue::ProtectiveOrder;

/// At which price a working order meets a bar.
enum Meeting {
    /// This one.
    At(Decimal),
    /// None that it accepts; it works on.
    Missed,
    /// A market order whose bound the market has left behind: it ends.
    BeyondBound,
}

impl PaperBook {
    /// Executes what the bar touched: standing stops and targets, then working orders, each with the stops and targets
    /// of what it bought.
    pub(super) fn on_bar(&mut self, terms: &PaperTerms, bar: &SeenBar) -> Outcome {
        let mut outcome = Outcome::default();
        let at = bar.candle.close_time();
        // At the instant of its end itself an order still meets the bar that closes then.
        self.expire(&mut outcome, |until| until < at);
        if bar.candle.volume > Decimal::ZERO {
            self.match_protection(terms, bar, &mut outcome);
            self.match_working(terms, bar, &mut outcome);
        }
        outcome
    }

    fn match_protection(&mut self, terms: &PaperTerms, bar: &SeenBar, outcome: &mut Outcome) {
        let touched: Vec<_> = self
            .protective()
            .filter(|(_, p)| p.symbol == bar.candle.symbol && p.placed_at < bar.candle.close_time())
            .filter_map(|(id, p)| trigger(p, bar).map(|(role, price)| (id, role, price)))
            .collect();
        for (protects, role, price) in touched {
            self.fire(terms, bar, outcome, protects, role, price);
        }
    }

    /// Executes a stop or target as far as the volume goes. Its entry buys no more: what it bought now would be sold at
    /// once.
    fn fire(
        &mut self,
        terms: &PaperTerms,
        bar: &SeenBar,
        outcome: &mut Outcome,
        protects: TradeId,
        role: FillRole,
        price: Decimal,
    ) {
        let Some(protective) = self.protective_of(protects).cloned() else { return };
        let client_id = protective.client_id;
        match self.protective_fill(terms, bar, &protective, role, price) {
            Ok(Some(fill)) => {
                self.change(outcome, Change::ProtectionFilled { protects, fill: fill.clone() });
                let done = self.protective_orders().all(|p| p.client_id != client_id);
                outcome.events.push(VenueEvent::Filled { fill: fill.clone(), done });
                self.trim_exits(outcome, &fill.symbol);
                self.trim_flattens(outcome, &fill.symbol, fill.quantity);
            }
            Ok(None) if role == FillRole::Stop && !protective.triggered => {
                self.change(outcome, Change::ProtectionTriggered { protects });
            }
            Ok(None) => {}
            Err(error) => {
                outcome.events.push(not_computed(client_id, error));
                return;
            }
        }
        if self.get(client_id).is_some_and(|entry| !entry.status.is_terminal()) {
            self.end(outcome, client_id, false);
        }
    }

    fn protective_fill(
        &self,
        terms: &PaperTerms,
        bar: &SeenBar,
        protective: &ProtectiveOrder,
        role: FillRole,
        price: Decimal,
    ) -> Result<Option<Fill>, MoneyError> {
        let side = Side::Sell;
        let price = match role {
            FillRole::Stop | FillRole::Order => terms.worse(bar, side, price)?,
            FillRole::Target => bar.on_tick(side, price),
        };
        let (client_id, symbol, quantity) = (protective.client_id, &protective.symbol, protective.quantity);
        let at = bar.candle.close_time();
        self.execute(terms, bar, Execution { client_id, role, symbol, side, quantity, price, at })
    }

    fn match_working(&mut self, terms: &PaperTerms, bar: &SeenBar, outcome: &mut Outcome) {
        let concerned: Vec<_> = self
            .resting()
            .filter(|known| known.order.symbol == bar.candle.symbol && known.at < bar.candle.close_time())
            .map(|known| known.order.client_id)
            .collect();
        for client_id in concerned {
            // One before it may have ended it.
            let Some(known) = self.get(client_id).filter(|known| !known.status.is_terminal()) else {
                continue;
            };
            let fill = match meeting(terms, bar, known) {
                Ok(Meeting::At(price)) => self.working_fill(terms, bar, known, price),
                Ok(Meeting::Missed) => Ok(None),
                Ok(Meeting::BeyondBound) => {
                    self.end(outcome, client_id, false);
                    continue;
                }
                Err(error) => Err(error),
            };
            match fill {
                Ok(Some(fill)) => {
                    self.fill(outcome, &fill);
                    self.protect_in_the_same_bar(terms, bar, outcome, &fill);
                }
                Ok(None) => {}
                Err(error) => outcome.events.push(not_computed(client_id, error)),
            }
        }
    }

    fn working_fill(
        &self,
        terms: &PaperTerms,
        bar: &SeenBar,
        known: &BookOrder,
        price: Decimal,
    ) -> Result<Option<Fill>, MoneyError> {
        let (client_id, role, symbol) = (known.order.client_id, FillRole::Order, &known.order.symbol);
        let (side, quantity, at) = (known.order.side, known.remaining, bar.candle.close_time());
        self.execute(terms, bar, Execution { client_id, role, symbol, side, quantity, price, at })
    }

    /// In the bar that bought, the low may have come after the purchase, and the close surely did; the high may have
    /// come before it.
    fn protect_in_the_same_bar(
        &mut self,
        terms: &PaperTerms,
        bar: &SeenBar,
        outcome: &mut Outcome,
        bought: &Fill,
    ) {
        let Some(levels) = self.protective_of(bought.trade_id).map(|p| p.levels) else { return };
        let (role, price) = if bar.candle.low <= levels.stop {
            (FillRole::Stop, levels.stop.min(bought.price))
        } else if bar.candle.close >= levels.take_profit {
            (FillRole::Target, levels.take_profit.max(bought.price))
        } else {
            return;
        };
        self.fire(terms, bar, outcome, bought.trade_id, role, price);
    }
}

/// Which of stop and target a later bar touched, and at which price; the stop, when both.
fn trigger(protective: &ProtectiveOrder, bar: &SeenBar) -> Option<(FillRole, Decimal)> {
    let (candle, levels) = (&bar.candle, protective.levels);
    if protective.triggered {
        return Some((FillRole::Stop, candle.open));
    }
    if candle.low <= levels.stop {
        return Some((FillRole::Stop, candle.open.min(levels.stop)));
    }
    if candle.high >= levels.take_profit {
        return Some((FillRole::Target, candle.open.max(levels.take_profit)));
    }
    None
}

fn meeting(terms: &PaperTerms, bar: &SeenBar, known: &BookOrder) -> Result<Meeting, MoneyError> {
    let side = known.order.side;
    match known.order.kind {
        OrderKind::Limit { price, .. } => {
            let is_later = bar.candle.open_time >= known.at || known.has_fills();
            let price = limit_price(bar, side, bar.on_tick(side, price), is_later);
            Ok(price.map_or(Meeting::Missed, Meeting::At))
        }
        OrderKind::Market { bound } => {
            let price = terms.worse(bar, side, bar.candle.open)?;
            Ok(if is_beyond(side, price, bound) { Meeting::BeyondBound } else { Meeting::At(price) })
        }
    }
}

/// The limit, or the open where that is better. The open of a bar that had begun before the order came counts only
/// where the bar lies beyond the limit as a whole and there is no other price to take.
fn limit_price(bar: &SeenBar, side: Side, limit: Decimal, is_later: bool) -> Option<Decimal> {
    let candle = &bar.candle;
    let (is_reached, lies_beyond, better) = match side {
        Side::Buy => (candle.low <= limit, candle.high < limit, candle.open.min(limit)),
        Side::Sell => (candle.high >= limit, candle.low > limit, candle.open.max(limit)),
    };
    is_reached.then_some(if is_later || lies_beyond { better } else { limit })
}

/// An execution whose amount does not fit a decimal: the order stays, and the operator hears of it.
fn not_computed(client_id: ClientOrderId, error: MoneyError) -> VenueEvent {
    VenueEvent::NoAnswer { client_id, detail: Untrusted::new(error.to_string()) }
}
