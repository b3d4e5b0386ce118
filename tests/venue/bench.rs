//! A paper venue with an open gate, and short words for orders and candles.

use std::time::Duration;

use andon::domain::{
    Candle, ClientOrderId, DecisionId, Fill, FillRole, InstallId, Order, OrderKind, Pct, PlanId, Protection,
    Purpose, Seq, Side, Symbol, Timestamp, TradingState, VenueEvent, VenueReject,
};
use andon::gate::{AnyPermit, FlattenOrder, Gate, Recorded};
use andon::venue::{PaperTerms, PaperVenue, Venue};
use rust_decimal::Decimal;

pub fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub fn btc() -> Symbol {
    Symbol::new("BTC/USDT").unwrap()
}

/// Seconds since the start of the day on which these tests play.
pub fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_640_995_200 + secs)
}

/// Fee 0.26 %, slippage 0.1 %, a tenth of a bar's volume, prices fresh for 300 s.
pub fn terms() -> PaperTerms {
    PaperTerms {
        symbols: [btc(), Symbol::new("XRP/USDT").unwrap()].into(),
        fee_pct: Pct::new(dec("0.26")).unwrap(),
        slippage_pct: Pct::new(dec("0.1")).unwrap(),
        volume_share_max_pct: Pct::new(dec("10")).unwrap(),
        price_fresh_for: Duration::from_secs(300),
        limit_at_once_for: Duration::from_secs(300),
    }
}

pub fn id(intent: &str) -> ClientOrderId {
    ClientOrderId::derive(InstallId::derived("test"), intent)
}

pub fn order(purpose: Purpose, side: Side, quantity: &str, kind: OrderKind) -> Order {
    let client_id = id(&purpose.intent());
    Order { client_id, symbol: btc(), side, quantity: dec(quantity), kind, purpose, protection: None }
}

pub fn limit(price: &str) -> OrderKind {
    OrderKind::Limit { price: dec(price), valid_until: None }
}

pub fn market() -> OrderKind {
    OrderKind::Market { bound: None }
}

/// Buys `quantity` at `price` with stop 90 and target 120.
pub fn entry(decision: u64, quantity: &str, price: &str) -> Order {
    let purpose = Purpose::Entry { decision: DecisionId(decision) };
    let protection = Some(Protection { stop: dec("90"), take_profit: dec("120") });
    Order { protection, ..order(purpose, Side::Buy, quantity, limit(price)) }
}

pub fn leg(leg: u16, side: Side, quantity: &str, kind: OrderKind) -> Order {
    order(Purpose::Leg { plan: PlanId(1), leg }, side, quantity, kind)
}

pub fn exit(decision: u64, quantity: &str, kind: OrderKind) -> Order {
    order(Purpose::Exit { decision: DecisionId(decision) }, Side::Sell, quantity, kind)
}

/// The minute of BTC that begins `minute` minutes into the day, with volume enough for every order here. Its tick is a
/// hundredth.
pub fn candle(minute: i64, prices: [i64; 4]) -> Candle {
    thin(minute, prices, 1_000_000)
}

/// The same with this volume, of which a tenth may be bought and a tenth sold.
pub fn thin(minute: i64, prices: [i64; 4], volume: i64) -> Candle {
    let [open, high, low, close] = prices.map(|price| Decimal::new(price * 100, 2));
    let (symbol, open_time, volume) = (btc(), at(minute * 60), volume.into());
    Candle { symbol, open_time, interval_secs: 60, open, high, low, close, volume, synthetic: false }
        .validated()
        .unwrap()
}

/// Hands an order over with the permit that its purpose needs.
pub fn submit(venue: &mut PaperVenue, now: Timestamp, order: &Order) -> Vec<VenueEvent> {
    let gate = Gate::new(1, TradingState::Running);
    let permit: AnyPermit<'_> = match order.purpose {
        Purpose::Entry { .. } | Purpose::Leg { .. } => gate.entry(gate.epoch()).unwrap().into(),
        Purpose::Exit { .. } => gate.reduce().unwrap().into(),
        Purpose::Reduce { .. } | Purpose::Flatten { .. } => {
            let order = FlattenOrder::new(&order.purpose, Recorded::Journal(Seq(1))).unwrap();
            gate.flatten(order).unwrap().into()
        }
    };
    venue.submit(now, order, permit).unwrap()
}

/// A venue whose market stood at 100 when minute 0 closed.
pub fn at_100() -> PaperVenue {
    let mut venue = PaperVenue::in_memory(terms());
    venue.on_candle(&candle(0, [100, 100, 100, 100])).unwrap();
    venue
}

/// A venue that has bought 2 BTC at 100 as a lot, at second 60.
pub fn holding_two() -> PaperVenue {
    let mut venue = at_100();
    let fill = only_fill(&submit(&mut venue, at(60), &entry(1, "2", "100")));
    assert_eq!(fill.price, dec("100"));
    venue
}

pub fn fills(events: &[VenueEvent]) -> Vec<Fill> {
    let fills = events.iter().filter_map(|event| match event {
        VenueEvent::Filled { fill, .. } => Some(fill.clone()),
        _ => None,
    });
    fills.collect()
}

#[track_caller]
pub fn only_fill(events: &[VenueEvent]) -> Fill {
    let fills = fills(events);
    assert_eq!(fills.len(), 1, "{events:?}");
    fills[0].clone()
}

#[track_caller]
pub fn assert_fill(events: &[VenueEvent], role: FillRole, quantity: &str, price: &str) {
    let fill = only_fill(events);
    assert_eq!((fill.role, fill.quantity, fill.price), (role, dec(quantity), dec(price)));
}

#[track_caller]
pub fn rejected(events: &[VenueEvent]) -> VenueReject {
    match events {
        [VenueEvent::Rejected { reason, .. }] => reason.clone(),
        _ => panic!("not one rejection: {events:?}"),
    }
}
