//! Stops and targets, and what exits do to them.

use andon::domain::{FillRole, Order, Purpose, Side, Symbol, TradeId, VenueEvent, VenueReject};
use andon::venue::Venue;

use crate::bench::*;

#[test]
fn each_fill_of_an_entry_gets_a_stop_and_a_target_of_its_quantity() {
    let mut venue = holding_two();
    submit(&mut venue, at(62), &entry(2, "3", "100"));
    let standing: Vec<_> =
        venue.protective_orders().unwrap().into_iter().map(|p| (p.client_id, p.quantity)).collect();
    assert_eq!(standing, [(id("decision/1/entry"), dec("2")), (id("decision/2/entry"), dec("3"))]);
}

#[test]
fn a_stop_fires_inside_the_bar_with_slippage_and_takes_the_target_with_it() {
    let mut venue = holding_two();
    let events = venue.on_candle(&candle(1, [100, 101, 89, 95])).unwrap();
    // 90 less 0.1 %
    assert_fill(&events, FillRole::Stop, "2", "89.91");
    assert_eq!(venue.protective_orders().unwrap(), []);
    assert_eq!(venue.on_candle(&candle(2, [125, 125, 125, 125])).unwrap(), []);
}

#[test]
fn a_target_fires_inside_the_bar_at_its_price() {
    let mut venue = holding_two();
    let events = venue.on_candle(&candle(1, [100, 121, 99, 119])).unwrap();
    assert_fill(&events, FillRole::Target, "2", "120");
    assert_eq!(venue.on_candle(&candle(2, [80, 80, 80, 80])).unwrap(), []);
}

#[test]
fn when_a_bar_touches_both_the_stop_counts() {
    let events = holding_two().on_candle(&candle(1, [100, 130, 80, 125])).unwrap();
    assert_fill(&events, FillRole::Stop, "2", "89.91");
}

#[test]
fn over_a_gap_the_stop_sells_at_the_open_with_slippage_and_the_target_at_the_open() {
    let stopped = holding_two().on_candle(&candle(1, [80, 85, 75, 82])).unwrap();
    assert_fill(&stopped, FillRole::Stop, "2", "79.92");
    let reached = holding_two().on_candle(&candle(1, [130, 135, 125, 131])).unwrap();
    assert_fill(&reached, FillRole::Target, "2", "130");
}

#[test]
fn an_entry_that_falls_through_its_stop_in_one_bar_is_stopped_in_it() {
    let mut venue = at_100();
    submit(&mut venue, at(60), &entry(1, "1", "95"));
    let events = venue.on_candle(&candle(1, [100, 125, 85, 88])).unwrap();
    let roles: Vec<_> = fills(&events).into_iter().map(|fill| (fill.role, fill.price)).collect();
    assert_eq!(roles, [(FillRole::Order, dec("95")), (FillRole::Stop, dec("89.91"))]);
}

#[test]
fn an_entry_filled_at_an_open_below_its_stop_is_sold_no_dearer_than_that_open() {
    let mut venue = at_100();
    submit(&mut venue, at(60), &entry(1, "1", "95"));
    let events = venue.on_candle(&candle(1, [80, 94, 79, 93])).unwrap();
    let prices: Vec<_> = fills(&events).into_iter().map(|fill| fill.price).collect();
    assert_eq!(prices, [dec("80"), dec("79.92")]);
}

#[test]
fn the_high_of_the_bar_that_bought_does_not_reach_the_target() {
    let mut venue = at_100();
    submit(&mut venue, at(60), &entry(1, "1", "95"));
    let events = venue.on_candle(&candle(1, [100, 125, 94, 96])).unwrap();
    assert_fill(&events, FillRole::Order, "1", "95");
    assert_eq!(venue.protective_orders().unwrap().len(), 1);
}

#[test]
fn a_close_beyond_the_target_sells_in_the_bar_that_bought() {
    let mut venue = at_100();
    submit(&mut venue, at(60), &entry(1, "1", "95"));
    let events = venue.on_candle(&candle(1, [100, 125, 94, 121])).unwrap();
    let roles: Vec<_> = fills(&events).into_iter().map(|fill| (fill.role, fill.price)).collect();
    assert_eq!(roles, [(FillRole::Order, dec("95")), (FillRole::Target, dec("120"))]);
}

#[test]
fn what_was_bought_at_once_meets_the_next_bar_from_its_open_however_far_it_had_come() {
    for (bar, role, price) in
        [([80, 85, 75, 82], FillRole::Stop, "79.92"), ([130, 135, 125, 131], FillRole::Target, "130")]
    {
        let mut venue = at_100();
        let bought = submit(&mut venue, at(61), &entry(1, "2", "100"));
        assert_fill(&bought, FillRole::Order, "2", "100");
        assert_fill(&venue.on_candle(&candle(1, bar)).unwrap(), role, "2", price);
    }
}

#[test]
fn stops_of_other_symbols_stay() {
    let mut venue = holding_two();
    let mut xrp = candle(1, [50, 50, 50, 50]);
    xrp.symbol = Symbol::new("XRP/USDT").unwrap();
    assert_eq!(venue.on_candle(&xrp).unwrap(), []);
}

#[test]
fn an_exit_lowers_the_protection_of_its_symbol_oldest_first() {
    let mut venue = holding_two();
    submit(&mut venue, at(62), &entry(2, "3", "100"));
    submit(&mut venue, at(63), &exit(3, "4", market()));
    assert_eq!(venue.book().protected(id("decision/1/entry")), dec("0"));
    assert_eq!(venue.book().protected(id("decision/2/entry")), dec("1"));
    assert_eq!(venue.book().lots(&btc()), dec("1"));
}

#[test]
fn a_leg_that_sells_leaves_the_protection_of_lots_alone() {
    let mut venue = holding_two();
    submit(&mut venue, at(62), &leg(0, Side::Sell, "2", market()));
    assert_eq!(venue.book().protected(id("decision/1/entry")), dec("2"));
}

#[test]
fn a_flatten_takes_stop_and_target_away_with_the_lot() {
    let mut venue = holding_two();
    let flatten = order(Purpose::Flatten { number: 1 }, Side::Sell, "2", market());
    submit(&mut venue, at(62), &flatten);
    assert_eq!(venue.on_candle(&candle(1, [80, 130, 75, 82])).unwrap(), []);
    assert_eq!(venue.book().position(&btc()), dec("0"));
}

#[test]
fn an_exit_that_crosses_with_the_stop_does_not_sell_the_lot_twice() {
    let mut venue = holding_two();
    venue.on_candle(&candle(1, [100, 101, 89, 95])).unwrap();
    let refused = submit(&mut venue, at(121), &exit(2, "2", market()));
    assert!(matches!(rejected(&refused), VenueReject::Other(_)));
    assert_eq!(venue.book().position(&btc()), dec("0"));
}

#[test]
fn an_exit_sells_no_more_than_the_lots_that_are_left() {
    let mut venue = holding_two();
    submit(&mut venue, at(61), &exit(2, "1.5", market()));
    let events = submit(&mut venue, at(62), &exit(3, "2", market()));
    let (fill, done) = match events.as_slice() {
        [VenueEvent::Accepted { .. }, VenueEvent::Filled { fill, done }] => (fill, *done),
        _ => panic!("{events:?}"),
    };
    assert_eq!((fill.quantity, done), (dec("0.5"), true));
}

#[test]
fn a_stop_takes_the_resting_exit_of_its_lot_back() {
    let mut venue = holding_two();
    submit(&mut venue, at(61), &exit(2, "2", limit("110")));
    let events = venue.on_candle(&candle(1, [100, 115, 89, 95])).unwrap();
    assert_eq!(only_fill(&events).role, FillRole::Stop);
    let cancelled = VenueEvent::Cancelled { client_id: id("decision/2/exit"), expired: false };
    assert_eq!(events[1], cancelled);
    assert_eq!(venue.book().position(&btc()), dec("0"));
}

#[test]
fn a_stop_lowers_a_resting_exit_to_what_other_lots_leave() {
    let mut venue = holding_two();
    let far = Order { protection: None, ..entry(2, "1", "100") };
    submit(&mut venue, at(61), &far);
    submit(&mut venue, at(61), &exit(3, "3", limit("110")));
    venue.on_candle(&candle(1, [100, 101, 89, 95])).unwrap();
    assert_eq!(venue.open_orders().unwrap()[0].remaining, dec("1"));
    assert_fill(&venue.on_candle(&candle(2, [111, 112, 111, 111])).unwrap(), FillRole::Order, "1", "111");
    assert_eq!(venue.book().position(&btc()), dec("0"));
}

#[test]
fn protection_can_be_lowered_and_taken_away_but_not_raised() {
    let (mut venue, lot) = (holding_two(), id("decision/1/entry"));
    assert_eq!(venue.shrink_protection(lot, dec("5")).unwrap(), dec("2"));
    assert_eq!(venue.shrink_protection(lot, dec("0.5")).unwrap(), dec("0.5"));
    assert_fill(&venue.on_candle(&candle(1, [100, 101, 89, 95])).unwrap(), FillRole::Stop, "0.5", "89.91");
    assert_eq!(venue.shrink_protection(lot, dec("0")).unwrap(), dec("0"));
    assert_eq!(venue.fills_since(TradeId(0)).unwrap().len(), 2);
}
