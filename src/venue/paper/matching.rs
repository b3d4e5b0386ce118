//! What a closed bar does to the book.
//!
//! A bar does not tell in which order its prices came, so the worse order is assumed: stops before targets, and
//! both before anything that rests. Only bars that close after an order was taken concern it; the open of a bar
//! that began earlier is a price the order never met.

use rust_decimal::Decimal;

use super::book::{Change, Outcome, PaperBook};
use super::execution::Execution;
use super::terms::PaperTerms;
use crate::domain::{
    Candle, ClientOrderId, Fill, FillRole, MoneyError, OrderKind, Side, Timestamp, TradeId, Untrusted,
    VenueEvent,
};
use crate::venue::ProtectiveOrder;

impl PaperBook {
    /// Executes what the bar touched: standing stops and targets, then resting limit orders, then the stops of
    /// what these bought.
    pub(super) fn on_candle(&mut self, terms: &PaperTerms, candle: &Candle) -> Outcome {
        let mut outcome = Outcome::default();
        let at = candle.close_time();
        // At the instant of its end itself an order still meets the bar that closes then.
        self.expire(&mut outcome, |until| until < at);
        self.match_protection(terms, candle, &mut outcome);
        self.match_limits(terms, candle, &mut outcome);
        outcome
    }

    fn match_protection(&mut self, terms: &PaperTerms, candle: &Candle, outcome: &mut Outcome) {
        let touched: Vec<_> = self
            .protective()
            .filter(|(_, p)| p.symbol == candle.symbol && p.placed_at < candle.close_time())
            .filter_map(|(id, p)| trigger(p, candle).map(|(role, price)| (id, p.client_id, role, price)))
            .collect();
        for (protects, client_id, role, price) in touched {
            self.fire(terms, outcome, candle, (protects, client_id), role, price);
        }
    }

    /// Executes one stop or target, of which the other is gone with it.
    fn fire(
        &mut self,
        terms: &PaperTerms,
        outcome: &mut Outcome,
        candle: &Candle,
        (protects, client_id): (TradeId, ClientOrderId),
        role: FillRole,
        price: Decimal,
    ) {
        let quantity = self.protective().find(|(id, _)| *id == protects).map(|(_, p)| p.quantity);
        let Some(quantity) = quantity else { return };
        let priced = match role {
            FillRole::Stop | FillRole::Order => terms.worse(Side::Sell, price),
            FillRole::Target => Ok(price),
        };
        let fill = priced.and_then(|price| {
            let (symbol, at) = (&candle.symbol, candle.close_time());
            Execution { client_id, role, symbol, side: Side::Sell, quantity, price, at }
                .into_fill(terms, self.next_trade())
        });
        match fill {
            Ok(fill) => {
                self.change(outcome, Change::ProtectionFilled { protects, fill: fill.clone() });
                outcome.events.push(VenueEvent::Filled { fill, done: true });
                self.trim_exits(outcome, &candle.symbol);
            }
            Err(error) => outcome.events.push(not_computed(client_id, error)),
        }
    }

    fn match_limits(&mut self, terms: &PaperTerms, candle: &Candle, outcome: &mut Outcome) {
        let concerned: Vec<_> = self
            .resting()
            .filter(|known| known.order.symbol == candle.symbol && known.at < candle.close_time())
            .map(|known| known.order.client_id)
            .collect();
        for client_id in concerned {
            match self.limit_fill(terms, candle, client_id) {
                Ok(Some(fill)) => {
                    let (bought, price) = (fill.trade_id, fill.price);
                    self.fill(outcome, &fill);
                    self.stop_in_the_same_bar(terms, candle, outcome, bought, price);
                }
                Ok(None) => {}
                Err(error) => outcome.events.push(not_computed(client_id, error)),
            }
        }
    }

    /// The execution of a resting order in this bar. None if it is not touched, or was ended by one before it.
    fn limit_fill(
        &self,
        terms: &PaperTerms,
        candle: &Candle,
        client_id: ClientOrderId,
    ) -> Result<Option<Fill>, MoneyError> {
        let Some(known) = self.get(client_id).filter(|known| !known.status.is_terminal()) else {
            return Ok(None);
        };
        let OrderKind::Limit { price: limit, .. } = known.order.kind else { return Ok(None) };
        let met_open = met_open(candle, known.at);
        let side = known.order.side;
        let price = match side {
            Side::Buy if candle.low > limit => return Ok(None),
            Side::Sell if candle.high < limit => return Ok(None),
            Side::Buy if met_open => candle.open.min(limit),
            Side::Sell if met_open => candle.open.max(limit),
            Side::Buy | Side::Sell => limit,
        };
        let (symbol, quantity, at) = (&candle.symbol, known.remaining, candle.close_time());
        Execution { client_id, role: FillRole::Order, symbol, side, quantity, price, at }
            .into_fill(terms, self.next_trade())
            .map(Some)
    }

    /// A bar that bought and whose low lies below the stop went through the stop after it bought. Its high may
    /// have come before, so the target has to wait for the next bar.
    fn stop_in_the_same_bar(
        &mut self,
        terms: &PaperTerms,
        candle: &Candle,
        outcome: &mut Outcome,
        bought: TradeId,
        price: Decimal,
    ) {
        let placed = self.protective().find(|(id, _)| *id == bought);
        let hit =
            placed.filter(|(_, p)| candle.low <= p.levels.stop).map(|(_, p)| (p.client_id, p.levels.stop));
        if let Some((client_id, stop)) = hit {
            self.fire(terms, outcome, candle, (bought, client_id), FillRole::Stop, stop.min(price));
        }
    }
}

/// Which of stop and target the bar touched, and at which price; the stop, when both.
fn trigger(protective: &ProtectiveOrder, candle: &Candle) -> Option<(FillRole, Decimal)> {
    let levels = protective.levels;
    let met_open = met_open(candle, protective.placed_at);
    if candle.low <= levels.stop {
        let price = if met_open { candle.open.min(levels.stop) } else { levels.stop };
        return Some((FillRole::Stop, price));
    }
    if candle.high >= levels.take_profit {
        let price = if met_open { candle.open.max(levels.take_profit) } else { levels.take_profit };
        return Some((FillRole::Target, price));
    }
    None
}

fn met_open(candle: &Candle, since: Timestamp) -> bool {
    candle.open_time >= since
}

/// An execution whose amount does not fit a decimal: the order stays, and the operator hears of it.
fn not_computed(client_id: ClientOrderId, error: MoneyError) -> VenueEvent {
    VenueEvent::NoAnswer { client_id, detail: Untrusted::new(error.to_string()) }
}
