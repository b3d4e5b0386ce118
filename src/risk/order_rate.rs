//! The orders of the last minutes, for `DUPLICATE_ORDER` and `ORDER_RATE`.

use std::collections::VecDeque;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::config::{ORDERS_KEPT_FOR, ORDERS_KEPT_MAX};
use crate::domain::{Side, Symbol, Timestamp, checked_mul, checked_sub};

/// The window of `orders.per_minute_max`.
const MINUTE: Duration = Duration::from_secs(60);
/// Quantities that differ by less than this share are the same size: equity moves with every candle, and with it the
/// last digits of an order that is sent twice.
const SAME_SIZE_WITHIN: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// What is remembered of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentOrder {
    /// When it was sent, market time.
    pub at: Timestamp,
    /// Which pair.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// Base units.
    pub quantity: Decimal,
}

/// Recent orders, oldest first. Durable: after a restart the same order is still a duplicate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecentOrders {
    orders: VecDeque<SentOrder>,
}

impl RecentOrders {
    /// Remembers an order that was sent, and forgets those too old to matter.
    pub fn apply(&mut self, order: &SentOrder) {
        while self.orders.front().is_some_and(|oldest| order.at.since(oldest.at) > ORDERS_KEPT_FOR)
            || self.orders.len() >= ORDERS_KEPT_MAX
        {
            self.orders.pop_front();
        }
        self.orders.push_back(order.clone());
    }

    /// How long ago the same symbol, side and (to 1 %) quantity was sent, if within `within`.
    pub fn duplicate(
        &self,
        symbol: &Symbol,
        side: Side,
        quantity: Decimal,
        now: Timestamp,
        within: Duration,
    ) -> Option<Duration> {
        let same = |order: &&SentOrder| {
            order.symbol == *symbol && order.side == side && is_same_size(order.quantity, quantity)
        };
        self.orders.iter().rev().find(same).map(|order| now.since(order.at)).filter(|age| *age < within)
    }

    /// How many orders were sent in the minute before `now`.
    pub fn last_minute(&self, now: Timestamp) -> usize {
        self.orders.iter().rev().take_while(|order| now.since(order.at) < MINUTE).count()
    }
}

/// What cannot be compared counts as the same: then the order is refused.
fn is_same_size(sent: Decimal, wanted: Decimal) -> bool {
    let difference = checked_sub(sent, wanted).map(|difference| difference.abs());
    let tolerance = checked_mul(sent, SAME_SIZE_WITHIN);
    difference.and_then(|difference| Ok(difference <= tolerance?)).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(secs: i64) -> SentOrder {
        SentOrder {
            at: Timestamp::from_secs(secs),
            symbol: Symbol::new("BTC/USDT").unwrap(),
            side: Side::Buy,
            quantity: Decimal::ONE,
        }
    }

    #[test]
    fn the_minute_slides() {
        let mut recent = RecentOrders::default();
        for secs in [0, 30, 59] {
            recent.apply(&order(secs));
        }
        assert_eq!(recent.last_minute(Timestamp::from_secs(59)), 3);
        assert_eq!(recent.last_minute(Timestamp::from_secs(60)), 2);
        assert_eq!(recent.last_minute(Timestamp::from_secs(200)), 0);
    }

    #[test]
    fn only_the_same_symbol_side_and_quantity_is_a_duplicate() {
        let mut recent = RecentOrders::default();
        recent.apply(&order(0));
        let SentOrder { symbol, .. } = order(0);
        let age = |side, hundredths: i64, secs| {
            let now = Timestamp::from_secs(secs);
            recent.duplicate(&symbol, side, Decimal::new(hundredths, 2), now, MINUTE)
        };
        assert_eq!(age(Side::Buy, 100, 59), Some(Duration::from_secs(59)));
        assert_eq!(age(Side::Buy, 100, 60), None);
        assert_eq!(age(Side::Buy, 102, 1), None);
        assert!(age(Side::Buy, 99, 1).is_some() && age(Side::Buy, 101, 1).is_some(), "the last digits");
        assert_eq!(age(Side::Sell, 100, 1), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut recent = RecentOrders::default();
        (0..5_000).for_each(|_| recent.apply(&order(0)));
        assert_eq!(recent.orders.len(), ORDERS_KEPT_MAX);
        recent.apply(&order(3_601));
        assert_eq!(recent.orders.len(), 1);
    }
}
