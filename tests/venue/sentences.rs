//! The sentences that every fill of the paper venue obeys, checked from outside: what a bar allows, and what it owes.

use std::collections::BTreeSet;

use andon::domain::{
    Candle, ClientOrderId, Fill, FillRole, Order, OrderKind, Protection, Purpose, Side, VenueEvent,
    checked_mul,
};
use andon::venue::{PaperVenue, Venue};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::bench::*;

/// The market as the venue has seen it.
#[derive(Debug, Default)]
pub struct Market {
    bar: Option<Candle>,
    bought: Decimal,
    sold: Decimal,
    /// Entries whose stop was reached: what is left of it sells at the market.
    stopped: BTreeSet<ClientOrderId>,
}

fn crosses(side: Side, price: Decimal, limit: Decimal) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// The price with slippage of 0.1 %, on the tick of a hundredth that is nearer to the price seen.
fn slipped(side: Side, price: Decimal) -> Decimal {
    match side {
        Side::Buy => {
            checked_mul(price, dec("1.001")).unwrap().round_dp_with_strategy(2, RoundingStrategy::ToZero)
        }
        Side::Sell => checked_mul(price, dec("0.999"))
            .unwrap()
            .round_dp_with_strategy(2, RoundingStrategy::AwayFromZero),
    }
}

impl Market {
    /// What an order executes when it is accepted: at the last price, out of the last bar's volume.
    pub fn check_at_once(&mut self, order: &Order, events: &[VenueEvent]) {
        for fill in fills(events) {
            let bar = self.bar.clone().unwrap();
            let with_slippage = slipped(fill.side, bar.close);
            match order.kind {
                OrderKind::Market { .. } => assert_eq!(fill.price, with_slippage, "not the last price"),
                OrderKind::Limit { price: limit, .. } => {
                    assert!(crosses(fill.side, bar.close, limit), "not marketable: {fill:?}");
                    let worst = match fill.side {
                        Side::Buy => with_slippage.min(limit),
                        Side::Sell => with_slippage.max(limit),
                    };
                    assert_eq!(fill.price, worst, "not the last price within the limit");
                }
            }
            self.check_any(&fill);
        }
        let id = order.client_id;
        assert!(
            !events.contains(&VenueEvent::Cancelled { client_id: id, expired: false }),
            "the rest works on"
        );
    }

    /// What a bar executes of orders that were there, and of stops and targets; `protected` names the entries for which
    /// any stood before it.
    pub fn check_bar(
        &mut self,
        bar: Candle,
        orders: &[Order],
        protected: &BTreeSet<ClientOrderId>,
        events: &[VenueEvent],
        venue: &PaperVenue,
    ) {
        (self.bought, self.sold) = (Decimal::ZERO, Decimal::ZERO);
        self.bar = Some(bar.clone());
        let executed = fills(events);
        for fill in &executed {
            let order = orders.iter().find(|order| order.client_id == fill.client_id).unwrap();
            match fill.role {
                FillRole::Order => self.check_working(&bar, order, fill),
                FillRole::Stop => self.check_stop(&bar, order, fill, protected, &executed),
                FillRole::Target => self.check_target(&bar, order, fill, protected, &executed),
            }
            self.check_any(fill);
        }
        for event in events {
            if let VenueEvent::Cancelled { client_id, expired: false } = event {
                let order = orders.iter().find(|order| order.client_id == *client_id).unwrap();
                // Exits and flattens end where nothing is left to sell.
                let sells = !matches!(order.purpose, Purpose::Entry { .. } | Purpose::Leg { .. });
                let is_reached = |it: Protection| bar.low <= it.stop || bar.high >= it.take_profit;
                let ends = sells || order.protection.is_some_and(is_reached);
                assert!(ends, "the rest works on: {order:?}");
            }
        }
        if bar.volume > Decimal::ZERO {
            self.check_owed(&bar, orders, protected, &executed, venue);
        }
    }

    /// No fill outside its bar, off the tick, where nobody traded, or beyond the share of the volume.
    fn check_any(&mut self, fill: &Fill) {
        let bar = self.bar.as_ref().unwrap();
        assert!(bar.volume > Decimal::ZERO, "nobody traded: {fill:?}");
        let (low, high) = (slipped(Side::Sell, bar.low), slipped(Side::Buy, bar.high));
        assert!(low <= fill.price && fill.price <= high, "outside of its bar: {fill:?}, {bar:?}");
        assert_eq!(fill.price, fill.price.round_dp(2), "off the tick");
        let executed = match fill.side {
            Side::Buy => &mut self.bought,
            Side::Sell => &mut self.sold,
        };
        *executed += fill.quantity;
        assert!(*executed * Decimal::TEN <= bar.volume, "more than a tenth of the volume: {fill:?}, {bar:?}");
    }

    fn check_working(&self, bar: &Candle, order: &Order, fill: &Fill) {
        match order.kind {
            OrderKind::Market { .. } => assert_eq!(fill.price, slipped(fill.side, bar.open)),
            OrderKind::Limit { price: limit, .. } => {
                let better_open = fill.price == bar.open && crosses(fill.side, bar.open, limit);
                assert!(
                    fill.price == limit || better_open,
                    "neither limit nor better open: {fill:?}, {bar:?}"
                );
                assert!(bar.low <= fill.price && fill.price <= bar.high, "outside: {fill:?}, {bar:?}");
            }
        }
    }

    fn check_stop(
        &self,
        bar: &Candle,
        order: &Order,
        fill: &Fill,
        protected: &BTreeSet<ClientOrderId>,
        executed: &[Fill],
    ) {
        let stop = order.protection.unwrap().stop;
        let mut allowed = Vec::new();
        if self.stopped.contains(&order.client_id) {
            allowed.push(slipped(Side::Sell, bar.open));
        } else if bar.low <= stop {
            let of_entry = executed.iter().filter(|it| it.client_id == order.client_id);
            let bought = of_entry.filter(|it| it.role == FillRole::Order);
            allowed.extend(bought.map(|it| slipped(Side::Sell, stop.min(it.price))));
            if protected.contains(&order.client_id) {
                allowed.push(slipped(Side::Sell, stop.min(bar.open)));
            }
        }
        assert!(allowed.contains(&fill.price), "{fill:?}, {bar:?}, allowed {allowed:?}");
    }

    fn check_target(
        &self,
        bar: &Candle,
        order: &Order,
        fill: &Fill,
        protected: &BTreeSet<ClientOrderId>,
        executed: &[Fill],
    ) {
        let levels = order.protection.unwrap();
        assert!(bar.low > levels.stop && !self.stopped.contains(&order.client_id), "the worse side first");
        let mut allowed = Vec::new();
        if protected.contains(&order.client_id) && bar.high >= levels.take_profit {
            allowed.push(levels.take_profit.max(bar.open));
        }
        if bar.close >= levels.take_profit {
            let of_entry = executed.iter().filter(|it| it.client_id == order.client_id);
            let bought = of_entry.filter(|it| it.role == FillRole::Order);
            allowed.extend(bought.map(|it| levels.take_profit.max(it.price)));
        }
        assert!(allowed.contains(&fill.price), "{fill:?}, {bar:?}, allowed {allowed:?}");
    }

    /// What the bar reached is executed, unless its volume was used up.
    fn check_owed(
        &mut self,
        bar: &Candle,
        orders: &[Order],
        protected: &BTreeSet<ClientOrderId>,
        executed: &[Fill],
        venue: &PaperVenue,
    ) {
        let share = bar.volume / Decimal::TEN;
        for order in orders {
            let Some(levels) = order.protection else { continue };
            let id = order.client_id;
            let bought = executed.iter().any(|fill| fill.client_id == id && fill.role == FillRole::Order);
            let stood = protected.contains(&id);
            if bar.low <= levels.stop && (bought || stood) {
                self.stopped.insert(id);
            }
            let is_owed = self.stopped.contains(&id)
                || (stood && bar.high >= levels.take_profit)
                || (bought && !stood && bar.close >= levels.take_profit);
            let left = venue.book().protected(id);
            assert!(!is_owed || self.sold == share || left.is_zero(), "{left} of {order:?} left in {bar:?}");
        }
        for open in venue.open_orders().unwrap() {
            let used_up = match open.order.side {
                Side::Buy => self.bought == share,
                Side::Sell => self.sold == share,
            };
            let is_owed = match (open.order.kind, open.order.side) {
                (OrderKind::Market { .. }, _) => true,
                (OrderKind::Limit { price, .. }, Side::Buy) => bar.low <= price,
                (OrderKind::Limit { price, .. }, Side::Sell) => bar.high >= price,
            };
            assert!(!is_owed || used_up, "not executed in {bar:?}: {open:?}");
        }
    }
}
