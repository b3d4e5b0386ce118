//! What holds for the paper venue whatever is asked of it, over restarts.

use std::collections::{BTreeMap, BTreeSet};

use andon::domain::{
    ClientOrderId, Fill, FillRole, Order, OrderKind, Purpose, Side, TradeId, VenueEvent, checked_add,
};
use andon::venue::{CancelScope, PaperVenue, Venue};
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::bench::*;
use crate::sentences::Market;

#[derive(Debug, Clone)]
enum Step {
    Entry {
        quantity: u32,
        price: i64,
    },
    Leg {
        side: Side,
        quantity: u32,
        price: Option<i64>,
    },
    Exit {
        quantity: u32,
        price: Option<i64>,
    },
    Reduce {
        quantity: u32,
    },
    Flatten {
        quantity: u32,
    },
    /// An earlier order once more.
    Again(prop::sample::Index),
    Cancel(prop::sample::Index),
    CancelAll(bool),
    Shrink(prop::sample::Index, u32),
    /// The minute that closes now.
    Candle([i64; 4], i64),
    Time,
    Restart,
}

fn price() -> impl Strategy<Value = i64> {
    70_i64..140
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn step() -> impl Strategy<Value = Step> {
    let quantity = || 1_u32..10;
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (quantity(), price()).prop_map(|(quantity, price)| Step::Entry { quantity, price }),
        2 => (side(), quantity(), prop::option::of(price()))
            .prop_map(|(side, quantity, price)| Step::Leg { side, quantity, price }),
        3 => (quantity(), prop::option::of(price()))
            .prop_map(|(quantity, price)| Step::Exit { quantity, price }),
        1 => quantity().prop_map(|quantity| Step::Reduce { quantity }),
        1 => quantity().prop_map(|quantity| Step::Flatten { quantity }),
        2 => index().prop_map(Step::Again),
        1 => index().prop_map(Step::Cancel),
        1 => any::<bool>().prop_map(Step::CancelAll),
        1 => (index(), 0_u32..10).prop_map(|(which, to)| Step::Shrink(which, to)),
        8 => ([price(), price(), price(), price()], prop_oneof![Just(0_i64), 1_i64..100, Just(10_000_i64)])
            .prop_map(|(prices, volume)| Step::Candle(prices, volume)),
        1 => Just(Step::Time),
        1 => Just(Step::Restart),
    ]
}

fn kind(price: Option<i64>, until: i64) -> OrderKind {
    price.map_or(market(), |price| OrderKind::Limit { price: price.into(), valid_until: Some(at(until)) })
}

fn sum<'a>(fills: impl Iterator<Item = &'a Fill>) -> Decimal {
    fills.fold(Decimal::ZERO, |sum, fill| checked_add(sum, fill.quantity).unwrap())
}

/// Plays the steps, one a minute, on a venue with a log file, and notes each fill that was told.
struct Play {
    venue: PaperVenue,
    directory: tempfile::TempDir,
    orders: Vec<Order>,
    told: BTreeMap<TradeId, Fill>,
    market: Market,
}

impl Play {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let venue = PaperVenue::open(terms(), &directory.path().join("venue.log"), false).unwrap();
        Self { venue, directory, orders: Vec::new(), told: BTreeMap::new(), market: Market::default() }
    }

    fn submit(&mut self, minute: i64, order: Order) -> Vec<VenueEvent> {
        // Some seconds into the minute of which nobody knows anything yet.
        let events = submit(&mut self.venue, at(minute * 60 + 7), &order);
        self.market.check_at_once(&order, &events);
        self.orders.push(order);
        events
    }

    fn id_at(&self, which: prop::sample::Index) -> ClientOrderId {
        if self.orders.is_empty() { id("never") } else { which.get(&self.orders).client_id }
    }

    fn step(&mut self, minute: i64, step: &Step) -> Vec<VenueEvent> {
        let number = u64::try_from(minute).unwrap();
        let reducing = |purpose, quantity: u32, kind| order(purpose, Side::Sell, &quantity.to_string(), kind);
        match step {
            Step::Entry { quantity, price } => {
                self.submit(minute, entry(number, &quantity.to_string(), &price.to_string()))
            }
            Step::Leg { side, quantity, price } => {
                let kind = kind(*price, minute * 60 + 600);
                self.submit(minute, leg(number.try_into().unwrap(), *side, &quantity.to_string(), kind))
            }
            Step::Exit { quantity, price } => {
                self.submit(minute, exit(number, &quantity.to_string(), kind(*price, minute * 60 + 600)))
            }
            Step::Reduce { quantity } => {
                self.submit(minute, reducing(Purpose::Reduce { number }, *quantity, market()))
            }
            Step::Flatten { quantity } => {
                self.submit(minute, reducing(Purpose::Flatten { number }, *quantity, market()))
            }
            Step::Again(which) if !self.orders.is_empty() => {
                let order = which.get(&self.orders).clone();
                submit(&mut self.venue, at(minute * 60 + 7), &order)
            }
            Step::Again(_) => Vec::new(),
            Step::Cancel(which) => self.venue.cancel(self.id_at(*which)).unwrap(),
            Step::CancelAll(all) => {
                let scope = if *all { CancelScope::Orders } else { CancelScope::Entries };
                self.venue.cancel_all(scope).unwrap()
            }
            Step::Shrink(which, to) => {
                self.venue.shrink_protection(self.id_at(*which), (*to).into()).unwrap();
                Vec::new()
            }
            Step::Candle([open, a, b, close], volume) => {
                let high = *open.max(a).max(b).max(close);
                let low = *open.min(a).min(b).min(close);
                let bar = thin(minute - 1, [*open, high, low, *close], *volume);
                let protected = self.protected();
                let events = self.venue.on_candle(&bar).unwrap();
                self.market.check_bar(bar, &self.orders, &protected, &events, &self.venue);
                events
            }
            Step::Time => self.venue.on_time(at(minute * 60)).unwrap(),
            Step::Restart => {
                let before = self.venue.book().clone();
                let path = self.directory.path().join("venue.log");
                self.venue = PaperVenue::open(terms(), &path, false).unwrap();
                assert_eq!(self.venue.book(), &before, "the replayed book differs");
                Vec::new()
            }
        }
    }

    fn protected(&self) -> BTreeSet<ClientOrderId> {
        self.venue.protective_orders().unwrap().iter().map(|p| p.client_id).collect()
    }

    /// Everything that must hold after any step.
    fn check(&mut self, events: &[VenueEvent]) {
        for fill in fills(events) {
            let known = self.told.entry(fill.trade_id).or_insert_with(|| fill.clone());
            assert_eq!(*known, fill, "one trade id for two executions");
        }
        let booked: Vec<_> = self.venue.fills_since(TradeId(0)).unwrap();
        assert!(booked.iter().eq(self.told.values()), "an execution was not told");

        let of_side = |side| sum(booked.iter().filter(|fill| fill.side == side));
        assert_eq!(self.venue.book().position(&btc()), of_side(Side::Buy) - of_side(Side::Sell));

        for order in &self.orders {
            let mine = || booked.iter().filter(|fill| fill.client_id == order.client_id);
            let executed = sum(mine().filter(|fill| fill.role == FillRole::Order));
            let closed = sum(mine().filter(|fill| fill.role != FillRole::Order));
            assert!(executed <= order.quantity, "an order was filled twice: {order:?}");
            let after_stop = mine().skip_while(|fill| fill.role != FillRole::Stop);
            assert!(
                after_stop.into_iter().all(|fill| fill.role != FillRole::Target),
                "a target after its stop"
            );
            assert!(closed + self.venue.book().protected(order.client_id) <= executed);
        }

        let protected = self.venue.protective_orders().unwrap().iter().map(|p| p.quantity).sum::<Decimal>();
        assert!(protected <= self.venue.book().lots(&btc()), "more is protected than is there to sell");
    }

    /// Exits, reductions, stops and targets never sold more than entries had bought.
    fn lots_were_sold_at_most_once(&self) {
        let purpose =
            |fill: &Fill| self.orders.iter().find(|o| o.client_id == fill.client_id).unwrap().purpose;
        let (mut bought, mut sold) = (Decimal::ZERO, Decimal::ZERO);
        for fill in self.told.values() {
            match (purpose(fill), fill.role) {
                (Purpose::Entry { .. }, FillRole::Order) => bought += fill.quantity,
                (Purpose::Entry { .. }, FillRole::Stop | FillRole::Target)
                | (Purpose::Exit { .. } | Purpose::Reduce { .. }, _) => sold += fill.quantity,
                (Purpose::Leg { .. } | Purpose::Flatten { .. }, _) => {}
            }
            assert!(sold <= bought, "a lot was sold twice");
        }
    }
}

proptest! {
    #[test]
    fn fills_conserve_and_nothing_executes_twice(steps in prop::collection::vec(step(), 1..60)) {
        let mut play = Play::new();
        for (minute, step) in steps.iter().enumerate() {
            let events = play.step(i64::try_from(minute).unwrap(), step);
            play.check(&events);
        }
        play.lots_were_sold_at_most_once();
        let restarted = play.step(0, &Step::Restart);
        play.check(&restarted);
    }
}
