//! Market and limit orders: prices, fees, refusals, names, cancelling, expiry, questions.

use std::time::Duration;

use andon::domain::{
    Candle, DecisionId, FillRole, Order, OrderKind, OrderStatus, Protection, Purpose, Side, Symbol, TradeId,
    TradingState, VenueEvent, VenueReject,
};
use andon::gate::Gate;
use andon::venue::{Answer, CancelScope, PaperTerms, PaperVenue, Venue, VenueError};
use rstest::rstest;
use rust_decimal::Decimal;

use crate::bench::*;

#[rstest]
#[case(Side::Buy, "100.1")]
#[case(Side::Sell, "99.9")]
fn a_market_order_pays_the_last_price_and_slippage_to_its_worse_side(
    #[case] side: Side,
    #[case] price: &str,
) {
    let events = submit(&mut at_100(), at(61), &leg(0, side, "2", market()));
    assert_fill(&events, FillRole::Order, "2", price);
}

#[test]
fn the_fee_is_a_share_of_the_amount_in_the_quote_asset() {
    let fill = only_fill(&submit(&mut holding_two(), at(61), &leg(0, Side::Buy, "2", market())));
    // 2 x 100.1 x 0.26 %
    assert_eq!((fill.fee.amount, fill.fee.currency.as_str()), (dec("0.52052"), "USDT"));
}

#[test]
fn a_market_order_beyond_its_bound_is_refused() {
    let bound = |price| OrderKind::Market { bound: Some(dec(price)) };
    let refused = submit(&mut at_100(), at(61), &leg(0, Side::Buy, "1", bound("100.09")));
    assert_eq!(rejected(&refused), VenueReject::PriceBound);
    let refused = submit(&mut at_100(), at(61), &leg(0, Side::Sell, "1", bound("99.91")));
    assert_eq!(rejected(&refused), VenueReject::PriceBound);
    let taken = submit(&mut at_100(), at(61), &leg(0, Side::Buy, "1", bound("100.1")));
    assert_fill(&taken, FillRole::Order, "1", "100.1");
}

#[test]
fn without_a_fresh_price_a_market_order_is_refused() {
    let order = leg(0, Side::Buy, "1", market());
    let mut never_priced = PaperVenue::in_memory(terms());
    assert_eq!(rejected(&submit(&mut never_priced, at(60), &order)), VenueReject::NoFreshPrice);
    // The price is of second 60 and fresh for 300 s.
    assert_eq!(rejected(&submit(&mut at_100(), at(361), &order)), VenueReject::NoFreshPrice);
    assert_fill(&submit(&mut at_100(), at(360), &order), FillRole::Order, "1", "100.1");
}

#[test]
fn a_marketable_limit_order_fills_at_once_but_never_worse_than_its_limit() {
    let buy = |price| only_fill(&submit(&mut at_100(), at(61), &leg(0, Side::Buy, "1", limit(price)))).price;
    assert_eq!(buy("105"), dec("100.1"));
    assert_eq!(buy("100.05"), dec("100.05"));
    let sell = submit(&mut at_100(), at(61), &leg(0, Side::Sell, "1", limit("99.95")));
    assert_fill(&sell, FillRole::Order, "1", "99.95");
}

#[test]
fn a_limit_order_rests_until_a_later_candle_crosses_it() {
    let mut venue = at_100();
    let events = submit(&mut venue, at(61), &leg(0, Side::Buy, "1", limit("95")));
    assert_eq!(events, [VenueEvent::Accepted { client_id: id("leg/1/0") }]);
    assert_eq!(venue.on_candle(&candle(2, [100, 101, 96, 98])).unwrap(), []);
    let events = venue.on_candle(&candle(3, [98, 99, 94, 97])).unwrap();
    assert_fill(&events, FillRole::Order, "1", "95");
    assert_eq!(venue.open_orders().unwrap(), []);
}

#[test]
fn a_limit_order_that_is_gapped_through_gets_the_better_open() {
    let mut venue = at_100();
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", limit("95")));
    let events = venue.on_candle(&candle(2, [92, 97, 91, 96])).unwrap();
    assert_fill(&events, FillRole::Order, "1", "92");
}

#[test]
fn the_open_of_a_bar_that_began_before_the_order_is_not_its_price() {
    let mut venue = PaperVenue::in_memory(terms());
    submit(&mut venue, at(90), &leg(0, Side::Buy, "1", limit("95")));
    let events = venue.on_candle(&candle(1, [92, 97, 91, 96])).unwrap();
    assert_fill(&events, FillRole::Order, "1", "95");
}

#[test]
fn a_bar_that_lies_below_the_limit_as_a_whole_fills_at_its_open() {
    let mut venue = PaperVenue::in_memory(terms());
    submit(&mut venue, at(90), &leg(0, Side::Buy, "1", limit("95")));
    let events = venue.on_candle(&candle(1, [92, 94, 91, 93])).unwrap();
    assert_fill(&events, FillRole::Order, "1", "92");
}

#[test]
fn a_limit_order_waits_for_the_running_bar_when_the_last_price_is_not_of_now() {
    let terms = PaperTerms { limit_at_once_for: Duration::from_secs(100), ..terms() };
    let mut venue = PaperVenue::in_memory(terms);
    venue.on_candle(&candle(0, [100, 100, 100, 100])).unwrap();
    let waits = submit(&mut venue, at(161), &leg(0, Side::Buy, "1", limit("100")));
    assert_eq!(waits, [VenueEvent::Accepted { client_id: id("leg/1/0") }]);
    assert_fill(
        &submit(&mut venue, at(161), &leg(1, Side::Buy, "1", market())),
        FillRole::Order,
        "1",
        "100.1",
    );
}

#[rstest]
#[case::buy_at_the_market(leg(0, Side::Buy, "1", market()), "100")]
#[case::sell_at_the_market(leg(0, Side::Sell, "1", market()), "100")]
#[case::buy_at_a_limit_between_two_ticks(leg(0, Side::Buy, "1", limit("100.7")), "100")]
fn fills_stand_on_the_tick_of_the_pair(#[case] order: Order, #[case] price: &str) {
    let mut venue = PaperVenue::in_memory(terms());
    let whole = |price: i64| Decimal::from(price);
    let bar = candle(0, [100, 100, 100, 100]);
    let bar = Candle { open: whole(100), high: whole(100), low: whole(100), close: whole(100), ..bar };
    venue.on_candle(&bar).unwrap();
    assert_fill(&submit(&mut venue, at(61), &order), FillRole::Order, "1", price);
}

#[test]
fn a_bar_that_closed_before_the_order_came_does_not_fill_it() {
    let mut venue = PaperVenue::in_memory(terms());
    submit(&mut venue, at(120), &leg(0, Side::Buy, "1", limit("95")));
    assert_eq!(venue.on_candle(&candle(1, [92, 97, 91, 96])).unwrap(), []);
}

#[test]
fn the_same_candle_again_or_an_older_one_changes_nothing() {
    let mut venue = at_100();
    let fallen = candle(2, [100, 101, 99, 99]);
    venue.on_candle(&fallen).unwrap();
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", limit("95")));
    assert_eq!(venue.on_candle(&candle(2, [100, 101, 80, 99])).unwrap(), []);
    assert_eq!(venue.on_candle(&candle(1, [100, 101, 80, 99])).unwrap(), []);
}

#[test]
fn the_same_order_again_is_answered_and_not_executed_again() {
    let mut venue = at_100();
    let order = leg(0, Side::Buy, "1", market());
    let first = submit(&mut venue, at(61), &order);
    assert_eq!(submit(&mut venue, at(62), &order), first);
    assert_eq!(venue.fills_since(TradeId(0)).unwrap().len(), 1);
    assert_eq!(venue.book().position(&btc()), dec("1"));
}

#[test]
fn a_used_name_with_other_parameters_is_refused() {
    let mut venue = at_100();
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", market()));
    let other = leg(0, Side::Buy, "2", market());
    assert_eq!(rejected(&submit(&mut venue, at(62), &other)), VenueReject::ClientIdReused);
    assert_eq!(venue.book().position(&btc()), dec("1"));
}

#[test]
fn a_refused_order_leaves_its_name_free() {
    let mut venue = PaperVenue::in_memory(terms());
    let order = leg(0, Side::Buy, "1", market());
    assert_eq!(rejected(&submit(&mut venue, at(60), &order)), VenueReject::NoFreshPrice);
    assert_eq!(venue.query(order.client_id).unwrap(), Answer::Absent);
    venue.on_candle(&candle(0, [100, 100, 100, 100])).unwrap();
    assert_fill(&submit(&mut venue, at(61), &order), FillRole::Order, "1", "100.1");
}

#[rstest]
#[case::no_quantity(Order { quantity: dec("0"), ..entry(1, "1", "100") })]
#[case::no_price(entry(1, "1", "-1"))]
#[case::entry_that_sells(Order { side: Side::Sell, ..entry(1, "1", "100") })]
#[case::exit_that_buys(Order { side: Side::Buy, ..exit(1, "1", market()) })]
#[case::stop_above_target(Order {
    protection: Some(Protection { stop: dec("120"), take_profit: dec("90") }), ..entry(1, "1", "100")
})]
#[case::leg_with_a_stop(Order {
    protection: entry(1, "1", "100").protection, ..leg(0, Side::Buy, "1", market())
})]
#[case::overflow(leg(0, Side::Buy, "79228162514264337593543950335", market()))]
fn an_order_that_cannot_be_carried_out_is_refused(#[case] order: Order) {
    assert_eq!(
        rejected(&submit(&mut holding_two(), at(61), &Order { client_id: id("x"), ..order })),
        VenueReject::InvalidOrder
    );
}

#[test]
fn a_symbol_that_is_not_traded_is_refused() {
    let order = Order { symbol: Symbol::new("DOGE/USDT").unwrap(), ..entry(1, "1", "100") };
    assert_eq!(rejected(&submit(&mut at_100(), at(61), &order)), VenueReject::UnknownSymbol);
}

#[test]
fn a_permit_of_the_wrong_kind_hands_nothing_over() {
    let (mut venue, gate) = (at_100(), Gate::new(1, TradingState::Paused));
    let order = leg(0, Side::Buy, "1", market());
    let answer = venue.submit(at(61), &order, gate.reduce().unwrap().into());
    assert!(matches!(answer, Err(VenueError::WrongPermit { .. })));
    assert_eq!(gate.read().permits_in_use, 0);
    assert_eq!(venue.query(order.client_id).unwrap(), Answer::Absent);
}

#[test]
fn a_limit_order_ends_at_its_time_and_is_not_filled_after_it() {
    let mut venue = at_100();
    let until = OrderKind::Limit { price: dec("95"), valid_until: Some(at(150)) };
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", until));
    assert_eq!(venue.next_expiry(), Some(at(150)));
    assert_eq!(venue.on_time(at(149)).unwrap(), []);
    let expired = VenueEvent::Cancelled { client_id: id("leg/1/0"), expired: true };
    assert_eq!(venue.on_time(at(150)).unwrap(), [expired]);
    assert_eq!(venue.next_expiry(), None);
    assert_eq!(venue.on_candle(&candle(2, [94, 94, 94, 94])).unwrap(), []);
}

#[test]
fn a_candle_that_closes_after_the_end_of_an_order_ends_it_first() {
    let mut venue = at_100();
    let until = OrderKind::Limit { price: dec("95"), valid_until: Some(at(150)) };
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", until));
    let expired = VenueEvent::Cancelled { client_id: id("leg/1/0"), expired: true };
    assert_eq!(venue.on_candle(&candle(2, [94, 94, 94, 94])).unwrap(), [expired]);
}

#[test]
fn a_candle_that_closes_with_the_end_of_an_order_still_fills_it() {
    let mut venue = at_100();
    let until = OrderKind::Limit { price: dec("95"), valid_until: Some(at(180)) };
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", until));
    assert_fill(&venue.on_candle(&candle(2, [94, 94, 94, 94])).unwrap(), FillRole::Order, "1", "94");
}

#[test]
fn an_order_that_comes_after_its_end_is_not_executed() {
    let until = OrderKind::Limit { price: dec("105"), valid_until: Some(at(60)) };
    let events = submit(&mut at_100(), at(61), &leg(0, Side::Buy, "1", until));
    let client_id = id("leg/1/0");
    assert_eq!(
        events,
        [VenueEvent::Accepted { client_id }, VenueEvent::Cancelled { client_id, expired: true }]
    );
}

#[test]
fn cancelling_takes_a_resting_order_back_and_answers_for_any_other() {
    let mut venue = at_100();
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", limit("95")));
    let client_id = id("leg/1/0");
    let cancelled = VenueEvent::Cancelled { client_id, expired: false };
    let first = venue.cancel(client_id).unwrap();
    let second = venue.cancel(client_id).unwrap();
    assert_eq!(second, [VenueEvent::Accepted { client_id }, cancelled.clone()]);
    assert_eq!(first, [cancelled]);
    assert_eq!(venue.cancel(id("never")).unwrap(), [VenueEvent::Absent { client_id: id("never") }]);
    assert_eq!(venue.on_candle(&candle(2, [90, 90, 90, 90])).unwrap(), []);
}

#[test]
fn a_halt_cancels_entries_and_legs_and_leaves_exits_stops_and_targets() {
    let mut venue = holding_two();
    submit(&mut venue, at(61), &entry(2, "1", "95"));
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", limit("95")));
    submit(&mut venue, at(61), &exit(3, "1", limit("110")));
    let cancelled = venue.cancel_all(CancelScope::Entries).unwrap();
    assert_eq!(cancelled.len(), 2);
    let left: Vec<_> = venue.open_orders().unwrap().into_iter().map(|open| open.order.client_id).collect();
    assert_eq!(left, [id("decision/3/exit")]);
    assert_eq!(venue.cancel_all(CancelScope::Orders).unwrap().len(), 1);
    assert_eq!(venue.protective_orders().unwrap().len(), 1);
}

#[test]
fn a_question_finds_an_order_with_its_fills_or_says_that_it_is_absent() {
    let venue = holding_two();
    let Answer::Found(report) = venue.query(id("decision/1/entry")).unwrap() else { panic!("not found") };
    assert_eq!((report.status, report.fills.len()), (OrderStatus::Filled, 1));
    assert_eq!(report.protective[0].quantity, dec("2"));
    assert_eq!(venue.query(id("never")).unwrap(), Answer::Absent);
}

#[test]
fn trade_ids_rise_and_fills_are_given_after_any_of_them() {
    let mut venue = at_100();
    for number in 0..3 {
        submit(&mut venue, at(61), &leg(number, Side::Buy, "1", market()));
    }
    let ids = |after| -> Vec<_> {
        venue.fills_since(TradeId(after)).unwrap().iter().map(|fill| fill.trade_id.0).collect()
    };
    assert_eq!((ids(0), ids(2), ids(3)), (vec![1, 2, 3], vec![3], vec![]));
}

#[test]
fn the_names_of_two_purposes_never_meet() {
    let entry = Purpose::Entry { decision: DecisionId(1) }.intent();
    assert_ne!(id(&entry), id(&Purpose::Exit { decision: DecisionId(1) }.intent()));
}
