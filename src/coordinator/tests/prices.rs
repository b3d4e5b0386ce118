//! Prices that are missing, old, or jump: who is blinded by them (nobody), and what is said.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::input::Input;
use super::*;
use crate::account::Mark;
use crate::domain::{Asset, OrderKind};

fn asset(name: &str) -> Asset {
    Asset::new(name).unwrap()
}

fn uncertain(name: &str) -> AlarmKey {
    AlarmKey::about(AlarmSource::PriceStale, Subject::Asset(asset(name)))
}

/// 1,000 USDT, 0.2 BTC (8,000 USDT) and 2,000 XRP (1,000 USDT).
fn three_assets() -> Config {
    let mut config = Config::defaults().unwrap();
    let start = &mut config.execution.account.start;
    start.insert(asset("USDT"), dec("1000"));
    start.insert(asset("BTC"), dec("0.2"));
    start.insert(asset("XRP"), dec("2000"));
    config
}

fn silence(desk: &mut Desk, base: &str) {
    desk.prices.retain(|symbol, _| symbol.base().as_str() != base);
}

fn level(desk: &mut Desk) -> Level {
    desk.snapshot().degradation.effective
}

fn blocked(desk: &Desk, symbol: &Symbol) -> bool {
    !desk.core.entries(symbol, desk.now).is_empty()
}

#[test]
fn a_held_asset_without_a_price_blinds_no_breaker_and_stops_no_other_symbol() {
    let mut desk = Desk::with(three_assets());
    silence(&mut desk, "XRP");
    desk.pass(secs(14 * 60));
    assert_eq!(desk.alarm(&uncertain("XRP")), AlarmState::Normal);
    desk.pass(secs(2 * 60));
    assert_eq!(desk.alarm(&uncertain("XRP")), AlarmState::Unacknowledged);
    let view = desk.snapshot().portfolio.clone();
    assert_eq!((view.equity, view.stale_since.is_some()), (Some(dec("10000")), true));
    assert!(blocked(&desk, &xrp()) && !blocked(&desk, &btc()));
    assert_eq!(level(&mut desk), Level::Normal);

    desk.btc_at("37000");
    let tripped: Vec<_> = desk.core.durable().breakers.tripped().map(|(name, _)| name.to_string()).collect();
    assert_eq!(tripped, ["daily_loss"], "600 of 10,000 are lost");
    assert_eq!(desk.state(), crate::domain::TradingState::Paused);
    let [told] = &desk.core.durable().uncertain()[..] else { panic!("nothing is uncertain") };
    assert_eq!((told.worth, told.since), (Some(dec("1000")), Some(desk.now.market.minus(secs(17 * 60)))));

    desk.prices.insert(xrp(), dec("0.5"));
    desk.candles();
    assert!(!desk.alarm(&uncertain("XRP")).is_active());
    assert_eq!(desk.core.durable().uncertain(), []);
}

#[test]
fn a_silent_feed_is_one_alarm_and_not_one_for_each_asset() {
    let mut desk = Desk::with(three_assets());
    desk.feed = false;
    desk.pass(secs(3_600));
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::FeedStale)), AlarmState::Unacknowledged);
    assert_eq!(desk.alarm(&uncertain("XRP")), AlarmState::Normal);
    assert_eq!(desk.core.equity(desk.now), Some(dec("10000")));
}

#[test]
fn sizes_count_an_asset_without_a_fresh_price_as_nothing() {
    let mut desk = Desk::with(three_assets());
    silence(&mut desk, "XRP");
    desk.pass(secs(600));
    let decision = desk.signal(&btc(), Action::Buy);
    let order = desk.core.durable().orders[&decision.orders[0]].order.clone();
    let OrderKind::Limit { price, .. } = order.kind else { panic!("{order:?}") };
    assert_eq!(order.quantity * price, dec("900"), "10 % of 9,000");
}

#[test]
fn what_never_had_a_price_is_left_out_by_name_and_is_no_emergency() {
    let mut desk = Desk::before_start(three_assets());
    silence(&mut desk, "XRP");
    desk.tell(Input::Started(Box::new(super::desk::started(1))));
    desk.candles();
    assert_eq!(desk.core.equity(desk.now), None, "its first price may still come");
    desk.pass(secs(16 * 60));
    assert_eq!(desk.core.equity(desk.now), Some(dec("9000")));
    assert_eq!(desk.alarm(&uncertain("XRP")), AlarmState::Unacknowledged);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::RiskUnfed)), AlarmState::Normal);
    assert_eq!(desk.core.durable().uncertain()[0].worth, None);
    desk.btc_at("36000");
    assert!(desk.core.durable().breakers.tripped().next().is_some(), "800 of 9,000 are lost");
}

#[test]
fn an_equity_that_nobody_can_know_is_an_emergency_and_lets_no_entry_pass() {
    let mut config = three_assets();
    config.execution.account.start.retain(|held, _| *held == asset("BTC"));
    let mut desk = Desk::before_start(config);
    desk.prices.retain(|symbol, _| *symbol == xrp());
    desk.tell(Input::Started(Box::new(super::desk::started(1))));
    desk.pass(secs(14 * 60));
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::RiskUnfed)), AlarmState::Normal);
    desk.pass(secs(3 * 60));
    assert_eq!(desk.core.durable().alarms.unacknowledged_emergencies().count(), 1);
    assert_eq!(desk.core.equity(desk.now), None);
    let decision = desk.signal(&xrp(), Action::Buy);
    assert_eq!(decision.reasons, [ReasonCode::NoEquity]);
}

#[test]
fn after_a_restart_what_has_no_price_yet_is_valued_as_before() {
    let mut desk = Desk::with(three_assets());
    silence(&mut desk, "XRP");
    desk.pass(secs(20 * 60));
    let stale_since = desk.core.durable().uncertain()[0].since;
    desk.restart(true, |_| {});
    desk.candles();
    assert_eq!(desk.core.equity(desk.now), Some(dec("10000")));
    assert!(desk.core.durable().breakers.tripped().next().is_none());
    desk.pass(secs(120));
    assert!(desk.alarm(&uncertain("XRP")).is_active());
    assert_eq!(desk.core.durable().uncertain()[0].since, stale_since);
}

#[test]
fn a_market_that_has_not_begun_is_waited_for_by_nobody() {
    let mut desk = Desk::before_start(Config::defaults().unwrap());
    silence(&mut desk, "XRP");
    desk.tell(Input::Started(Box::new(super::desk::started(1))));
    desk.candles();
    desk.pass(secs(2 * 3_600));
    assert_eq!(level(&mut desk), Level::Normal);
    let raised: Vec<_> = desk.core.durable().alarms.listed().iter().map(|alarm| alarm.key.clone()).collect();
    assert_eq!(raised, []);
    let schedule = desk.snapshot().schedule.clone();
    let technical = schedule.iter().find(|row| row.task == TaskName::TechnicalAnalysis).unwrap();
    assert_eq!(technical.ok, (1, 1));
    let of_xrp = technical.symbols.iter().find(|row| row.symbol == Some(xrp())).unwrap();
    assert_eq!(of_xrp.state, super::super::snapshot::TaskState::NotListed);
    let allocation = desk.core.allocation(desk.now);
    assert_eq!(allocation.unpriced, [], "the rebalance does not wait for it");
    assert_eq!(allocation.assets.len(), 2);

    desk.prices.insert(xrp(), dec("0.5"));
    desk.pass(secs(3_600));
    assert_eq!(desk.core.allocation(desk.now).assets.len(), 3);
    assert!(desk.core.durable().alarms.listed().is_empty());
}

#[test]
fn a_price_that_jumps_locks_its_symbol_until_somebody_unlocks_it() {
    let key = AlarmKey::about(AlarmSource::PriceJump, Subject::Symbol(xrp()));
    let mut desk = Desk::new();
    let at = |desk: &mut Desk, price: &str| {
        desk.prices.insert(xrp(), dec(price));
        desk.pass(secs(60));
    };
    at(&mut desk, "0.75");
    assert!(!blocked(&desk, &xrp()), "50 % is not more than 50 %");
    at(&mut desk, "0.37");
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    assert!(blocked(&desk, &xrp()) && !blocked(&desk, &btc()));
    at(&mut desk, "0.75");
    desk.restart(true, |_| {});
    desk.say("resume");
    desk.pass(secs(120));
    assert!(desk.alarm(&key).is_active(), "a second jump, and a restart, unlock nothing");
    assert!(desk.say("unlock_symbol XRP/USDT").is_done());
    assert!(!desk.alarm(&key).is_active() && !blocked(&desk, &xrp()));

    let mut desk = Desk::new();
    silence(&mut desk, "XRP");
    desk.pass(secs(7_200));
    at(&mut desk, "1");
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged, "over a gap too");
}

#[test]
fn nothing_is_recorded_while_nothing_changes() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.core.live.schedule.set_enabled(TaskName::TradingDecision, false, desk.now);
    desk.pass(secs(3_600));
    let before = desk.records.len();
    desk.pass(secs(5 * 3_600));
    let idle: Vec<_> = desk.records[before..].iter().map(|record| record.kind.name()).collect();
    assert_eq!(idle, Vec::<&str>::new(), "a flat market");

    desk.feed = false;
    desk.pass(secs(2 * 3_600));
    let before = desk.records.len();
    desk.pass(secs(12 * 3_600));
    let idle: Vec<_> = desk.records[before..].iter().map(|record| record.kind.name()).collect();
    assert_eq!(idle, Vec::<&str>::new(), "a feed that is down, with its alarms unacknowledged");
}

#[test]
fn on_daily_candles_nothing_younger_than_two_of_them_is_old() {
    let day = secs(86_400);
    let desk = Desk::with_candles_of(day);
    let ages = desk.core.live.ages;
    let all = [
        ages.voices.technical,
        ages.voices.regime,
        ages.voices.sentiment,
        ages.price,
        ages.stale_held,
        ages.signal,
        ages.entry,
        ages.intent,
        ages.lateness,
        ages.candle_message,
        ages.mark_message,
    ];
    assert!(all.into_iter().all(|age| age >= day * 2), "{ages:?}");
}

/// What happens in a minute: of which pairs a candle comes, and at which prices.
#[derive(Debug, Clone)]
struct Minute {
    btc: Option<u32>,
    xrp: Option<u32>,
    xrp_in_btc: Option<u32>,
}

fn minutes() -> impl Strategy<Value = Vec<Minute>> {
    let price = || prop::option::weighted(0.4, 900_u32..1_100);
    let minute = (price(), price(), price());
    prop::collection::vec(minute.prop_map(|(btc, xrp, xrp_in_btc)| Minute { btc, xrp, xrp_in_btc }), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_prices_are_missing_the_breakers_see_the_value_at_the_last_known_ones(minutes in minutes()) {
        let mut desk = Desk::with(three_assets());
        desk.feed = false;
        let cross = Symbol::new("XRP/BTC").unwrap();
        let mut last: BTreeMap<Symbol, Mark> =
            desk.prices.iter().map(|(symbol, price)| (symbol.clone(), Mark { price: *price, at: desk.now.market })).collect();
        for Minute { btc: a, xrp: b, xrp_in_btc: c } in minutes {
            desk.now = Now::both(desk.now.market.plus(secs(60)));
            desk.prices.clear();
            let scales = [(btc(), a, dec("40")), (xrp(), b, dec("0.0005")), (cross.clone(), c, dec("0.0000000125"))];
            for (symbol, price, scale) in scales {
                if let Some(price) = price {
                    let price = Decimal::from(price) * scale;
                    desk.prices.insert(symbol.clone(), price);
                    last.insert(symbol, Mark { price, at: desk.now.market });
                }
            }
            desk.candles();
            desk.tell(Input::Tick);
            let is_fresh = |mark: &Mark| desk.now.market.since(mark.at) <= secs(180);
            let (btc, direct, cross) = (last[&btc()], last[&xrp()], last[&cross]);
            // Its own pair, unless only the way round is fresh, or that is the newer of two old ones.
            let goes_round = |own: Mark, other: Mark| {
                let round_at = other.at.min(cross.at);
                !is_fresh(&own) && ((is_fresh(&other) && is_fresh(&cross)) || round_at > own.at)
            };
            let of_btc = dec("0.2");
            let of_btc = if goes_round(btc, direct) { of_btc / cross.price * direct.price } else { of_btc * btc.price };
            let of_xrp = dec("2000");
            let of_xrp = if goes_round(direct, btc) { of_xrp * cross.price * btc.price } else { of_xrp * direct.price };
            let expected = dec("1000") + of_btc + of_xrp;
            let known = desk.core.equity(desk.now);
            prop_assert_eq!(known.map(|equity| equity.round_dp(8)), Some(expected.round_dp(8)));
            // They are fed with every candle; a value that only ages into another route waits for the next one.
            if a.or(b).or(c).is_none() {
                continue;
            }
            let peak = desk.core.durable().breakers.get(crate::risk::BreakerName::MaxDrawdown).baseline.unwrap();
            prop_assert!(peak * dec("1.002") >= expected, "the breakers did not see {} above {}", expected, peak);
        }
    }
}
