//! Part fills: a bar gives a tenth of its volume to each side, and the rest of an order works on.

use andon::domain::{Fill, FillRole, OrderKind, OrderStatus, Purpose, Side, TradeId, VenueEvent};
use andon::venue::{Answer, PaperVenue, Venue};
use rust_decimal::Decimal;

use crate::bench::*;

/// A venue whose market stood at 100 when minute 0 closed, with this volume in that minute.
fn thin_at_100(volume: i64) -> PaperVenue {
    let mut venue = PaperVenue::in_memory(terms());
    venue.on_candle(&thin(0, [100, 100, 100, 100], volume)).unwrap();
    venue
}

fn parts(events: &[VenueEvent]) -> Vec<(FillRole, String, String)> {
    let words =
        |fill: Fill| (fill.role, fill.quantity.normalize().to_string(), fill.price.normalize().to_string());
    fills(events).into_iter().map(words).collect()
}

fn part(role: FillRole, quantity: &str, price: &str) -> (FillRole, String, String) {
    (role, quantity.to_owned(), price.to_owned())
}

fn is_done(events: &[VenueEvent]) -> bool {
    events.iter().any(|event| matches!(event, VenueEvent::Filled { done: true, .. }))
}

#[test]
fn nobody_trades_in_a_bar_without_volume() {
    let mut venue = holding_two();
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", limit("95")));
    assert_eq!(venue.on_candle(&thin(1, [100, 130, 80, 90], 0)).unwrap(), []);
    assert_eq!(venue.book().protected(id("decision/1/entry")), dec("2"));
    let next = venue.on_candle(&thin(2, [100, 101, 94, 100], 1_000)).unwrap();
    assert_eq!(parts(&next), [part(FillRole::Order, "1", "95")]);
}

#[test]
fn an_order_that_trades_at_once_gets_a_share_of_the_last_bar_and_works_on_at_the_next_opens() {
    let mut venue = thin_at_100(10);
    let first = submit(&mut venue, at(60), &leg(0, Side::Buy, "3.5", market()));
    assert_eq!((parts(&first), is_done(&first)), (vec![part(FillRole::Order, "1", "100.1")], false));
    let second = venue.on_candle(&thin(1, [110, 111, 109, 110], 20)).unwrap();
    assert_eq!((parts(&second), is_done(&second)), (vec![part(FillRole::Order, "2", "110.11")], false));
    let third = venue.on_candle(&thin(2, [120, 121, 119, 120], 20)).unwrap();
    assert_eq!((parts(&third), is_done(&third)), (vec![part(FillRole::Order, "0.5", "120.12")], true));
    let ids: Vec<_> = venue.fills_since(TradeId(0)).unwrap().iter().map(|fill| fill.trade_id.0).collect();
    assert_eq!(ids, [1, 2, 3], "each part has a trade id of its own");
    let fees: Vec<_> = venue.fills_since(TradeId(0)).unwrap().iter().map(|fill| fill.fee.amount).collect();
    assert_eq!(fees[1], dec("2") * dec("110.11") * dec("0.0026"), "and a fee of its own");
}

#[test]
fn two_orders_share_the_volume_of_one_bar_and_the_other_side_has_its_own() {
    let mut venue = thin_at_100(10);
    let buy = |number, quantity| leg(number, Side::Buy, quantity, market());
    assert_eq!(parts(&submit(&mut venue, at(60), &buy(0, "0.75"))), [part(FillRole::Order, "0.75", "100.1")]);
    assert_eq!(parts(&submit(&mut venue, at(61), &buy(1, "1"))), [part(FillRole::Order, "0.25", "100.1")]);
    assert_eq!(parts(&submit(&mut venue, at(62), &buy(2, "1"))), []);
    let sold = submit(&mut venue, at(63), &leg(3, Side::Sell, "1", market()));
    assert_eq!(parts(&sold), [part(FillRole::Order, "1", "99.9")]);
    let next = venue.on_candle(&thin(1, [100, 100, 100, 100], 10)).unwrap();
    let bought: Vec<_> = parts(&next).into_iter().map(|(_, quantity, _)| quantity).collect();
    assert_eq!(bought, ["0.75", "0.25"], "the oldest first");
}

#[test]
fn each_part_of_an_entry_is_protected_and_the_rest_keeps_its_limit() {
    let mut venue = thin_at_100(10);
    submit(&mut venue, at(60), &entry(1, "5", "100"));
    venue.on_candle(&thin(1, [100, 101, 99, 100], 20)).unwrap();
    let standing: Vec<_> = venue.protective_orders().unwrap().iter().map(|p| p.quantity).collect();
    assert_eq!(standing, [dec("1"), dec("2")]);
    let Answer::Found(report) = venue.query(id("decision/1/entry")).unwrap() else { panic!("not found") };
    assert_eq!((report.status, report.remaining, report.fills.len()), (OrderStatus::Accepted, dec("2"), 2));
    assert!(!is_done(&report.into_events()), "a part is not the whole");
}

#[test]
fn an_order_that_ends_after_a_part_fill_says_both() {
    let mut venue = thin_at_100(10);
    let until = OrderKind::Limit { price: dec("100"), valid_until: Some(at(90)) };
    submit(&mut venue, at(60), &leg(0, Side::Buy, "5", until));
    let ended = venue.on_time(at(90)).unwrap();
    let client_id = id("leg/1/0");
    assert_eq!(ended, [VenueEvent::Cancelled { client_id, expired: true }]);
    let Answer::Found(report) = venue.query(client_id).unwrap() else { panic!("not found") };
    assert_eq!((report.status, report.remaining), (OrderStatus::Cancelled, dec("0")));
    assert_eq!((parts(&report.into_events())), [part(FillRole::Order, "1", "100")]);
}

#[test]
fn a_market_order_ends_when_the_market_opens_beyond_its_bound() {
    let mut venue = thin_at_100(10);
    let bound = OrderKind::Market { bound: Some(dec("102")) };
    submit(&mut venue, at(60), &leg(0, Side::Buy, "5", bound));
    venue.on_candle(&thin(1, [103, 103, 103, 103], 0)).unwrap();
    assert_eq!(venue.open_orders().unwrap().len(), 1, "nobody traded there");
    let ended = venue.on_candle(&thin(2, [103, 103, 100, 101], 10)).unwrap();
    assert_eq!(ended, [VenueEvent::Cancelled { client_id: id("leg/1/0"), expired: false }]);
    assert_eq!(venue.book().position(&btc()), dec("1"));
}

#[test]
fn a_stop_that_was_reached_sells_on_at_the_market_and_its_target_is_gone() {
    let mut venue = holding_two();
    let first = venue.on_candle(&thin(1, [100, 101, 89, 95], 5)).unwrap();
    assert_eq!((parts(&first), is_done(&first)), (vec![part(FillRole::Stop, "0.5", "89.91")], false));
    let second = venue.on_candle(&thin(2, [125, 126, 124, 125], 5)).unwrap();
    assert_eq!(parts(&second), [part(FillRole::Stop, "0.5", "124.88")], "124.875 on the tick");
    let last = venue.on_candle(&thin(3, [95, 96, 94, 95], 100)).unwrap();
    assert_eq!((parts(&last), is_done(&last)), (vec![part(FillRole::Stop, "1", "94.91")], true));
    assert_eq!(venue.protective_orders().unwrap(), []);
}

#[test]
fn a_stop_for_which_no_volume_is_left_is_reached_all_the_same() {
    let mut venue = holding_two();
    submit(&mut venue, at(61), &entry(2, "1", "100"));
    venue.on_candle(&thin(1, [100, 101, 89, 95], 10)).unwrap();
    let next = venue.on_candle(&thin(2, [100, 101, 99, 100], 1_000)).unwrap();
    assert_eq!(parts(&next), [part(FillRole::Stop, "1", "99.9"), part(FillRole::Stop, "1", "99.9")]);
}

#[test]
fn a_target_sells_a_part_and_the_rest_waits_for_its_price() {
    let mut venue = holding_two();
    let first = venue.on_candle(&thin(1, [100, 121, 99, 110], 5)).unwrap();
    assert_eq!(parts(&first), [part(FillRole::Target, "0.5", "120")]);
    assert_eq!(venue.on_candle(&thin(2, [110, 119, 105, 110], 1_000)).unwrap(), []);
    let stopped = venue.on_candle(&thin(3, [100, 121, 90, 95], 1_000)).unwrap();
    assert_eq!(parts(&stopped), [part(FillRole::Stop, "1.5", "89.91")]);
}

#[test]
fn an_entry_buys_no_more_once_its_stop_or_target_was_reached() {
    for (bar, role) in [([100, 101, 89, 95], FillRole::Stop), ([100, 121, 99, 119], FillRole::Target)] {
        let mut venue = thin_at_100(10);
        submit(&mut venue, at(60), &entry(1, "5", "100"));
        let events = venue.on_candle(&thin(1, bar, 10)).unwrap();
        assert_eq!(only_fill(&events).role, role);
        let ended = VenueEvent::Cancelled { client_id: id("decision/1/entry"), expired: false };
        assert!(events.contains(&ended), "{events:?}");
        assert_eq!(venue.open_orders().unwrap(), []);
    }
}

#[test]
fn a_flatten_that_works_on_does_not_sell_what_the_stop_has_sold() {
    let mut venue = thin_at_100(10);
    // One of a lot, and four of a holding that the venue knows nothing of.
    submit(&mut venue, at(60), &entry(1, "1", "100"));
    let flatten = order(Purpose::Flatten { number: 1 }, Side::Sell, "5", market());
    submit(&mut venue, at(60), &leg(9, Side::Sell, "1", market()));
    assert_eq!(parts(&submit(&mut venue, at(61), &flatten)), []);
    let mut sold = venue.on_candle(&thin(1, [100, 100, 89, 90], 10)).unwrap();
    sold.extend(venue.on_candle(&thin(2, [90, 90, 90, 90], 1_000)).unwrap());
    let quantity = fills(&sold).iter().fold(Decimal::ZERO, |sum, fill| sum + fill.quantity);
    assert_eq!((fills(&sold)[0].role, quantity), (FillRole::Stop, dec("5")));
    assert_eq!(venue.open_orders().unwrap(), []);
}

#[test]
fn a_flatten_that_works_on_takes_the_protection_away_part_by_part() {
    let mut venue = holding_two();
    venue.on_candle(&thin(1, [100, 100, 100, 100], 5)).unwrap();
    submit(&mut venue, at(120), &order(Purpose::Flatten { number: 1 }, Side::Sell, "2", market()));
    assert_eq!(venue.book().protected(id("decision/1/entry")), dec("1.5"));
    let stopped = venue.on_candle(&thin(2, [100, 100, 89, 90], 1_000)).unwrap();
    assert_eq!(parts(&stopped), [part(FillRole::Stop, "1.5", "89.91")]);
    assert_eq!((venue.book().lots(&btc()), venue.open_orders().unwrap().len()), (dec("0"), 0));
}

#[test]
fn a_part_fill_is_remembered_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("venue.log");
    let mut venue = PaperVenue::open(terms(), &path, false).unwrap();
    venue.on_candle(&thin(0, [100, 100, 100, 100], 10)).unwrap();
    submit(&mut venue, at(60), &entry(1, "5", "100"));
    venue.on_candle(&thin(1, [100, 101, 89, 95], 0)).unwrap();
    let book = venue.book().clone();
    let mut venue = PaperVenue::open(terms(), &path, false).unwrap();
    assert_eq!(venue.book(), &book);
    let events = venue.on_candle(&thin(2, [100, 101, 99, 100], 1_000)).unwrap();
    assert_eq!(parts(&events), [part(FillRole::Order, "4", "100")]);
}
