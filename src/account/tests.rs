//! How fills move balances and lots, and what holds after any sequence of them.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::domain::{
    Asset, Candle, ClientOrderId, DecisionId, Fill, FillRole, InstallId, Money, PlanId, Protection, Purpose,
    Side, Symbol, Timestamp,
};

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn asset(text: &str) -> Asset {
    Asset::new(text).unwrap()
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn order_id(number: u64) -> ClientOrderId {
    ClientOrderId::derive(InstallId::derived("test"), &format!("decision/{number}/entry"))
}

/// 10,000 USDT and 1 BTC.
fn account() -> Account {
    let start = BTreeMap::from([(asset("USDT"), dec("10000")), (asset("BTC"), Decimal::ONE)]);
    Account::new(asset("USDT"), start)
}

/// Builds postings one after the other, with rising trade ids.
struct Venue {
    trade: u64,
}

impl Venue {
    fn new() -> Self {
        Self { trade: 0 }
    }

    fn fill(&mut self, side: Side, pair: &str, quantity: &str, price: &str, fee: &str) -> Fill {
        self.trade += 1;
        let symbol = symbol(pair);
        Fill {
            trade_id: crate::domain::TradeId(self.trade),
            client_id: order_id(self.trade + 1_000),
            role: FillRole::Order,
            side,
            quantity: dec(quantity),
            price: dec(price),
            fee: Money::new(dec(fee), symbol.quote().clone()),
            symbol,
            at: Timestamp::from_secs(i64::try_from(self.trade).unwrap()),
        }
    }

    /// A fill of the entry of `decision`.
    fn entry(&mut self, decision: u64, pair: &str, quantity: &str, price: &str, fee: &str) -> Posting {
        let fill = Fill { client_id: order_id(decision), ..self.fill(Side::Buy, pair, quantity, price, fee) };
        let protection = Protection { stop: dec("1"), take_profit: dec("1000000") };
        let purpose = Purpose::Entry { decision: DecisionId(decision) };
        Posting { fill, purpose, protection: Some(protection), quote_rate: Some(Decimal::ONE) }
    }

    /// A fill of the stop that the entry of `decision` carried.
    fn stop(&mut self, decision: u64, pair: &str, quantity: &str, price: &str, fee: &str) -> Posting {
        let mut posting = self.entry(decision, pair, quantity, price, fee);
        (posting.fill.side, posting.fill.role) = (Side::Sell, FillRole::Stop);
        posting
    }

    fn other(&mut self, purpose: Purpose, side: Side, pair: &str, quantity: &str, price: &str) -> Posting {
        let fill = self.fill(side, pair, quantity, price, "0");
        Posting { fill, purpose, protection: None, quote_rate: Some(Decimal::ONE) }
    }

    fn flatten(&mut self, pair: &str, quantity: &str, price: &str) -> Posting {
        self.other(Purpose::Flatten { number: 1 }, Side::Sell, pair, quantity, price)
    }

    fn leg(&mut self, side: Side, pair: &str, quantity: &str, price: &str) -> Posting {
        self.other(Purpose::Leg { plan: PlanId(1), leg: 0 }, side, pair, quantity, price)
    }
}

fn book(account: &mut Account, posting: &Posting) -> Booked {
    match account.apply(posting).unwrap() {
        Applied::Booked(booked) => *booked,
        Applied::AlreadyApplied => panic!("{:?} was applied before", posting.fill.trade_id),
    }
}

fn quantities(account: &Account) -> Vec<Decimal> {
    account.lots().iter().map(|lot| lot.quantity).collect()
}

#[test]
fn an_entry_opens_a_lot_and_its_next_fill_enlarges_it() {
    let (mut account, mut venue) = (account(), Venue::new());
    let first = book(&mut account, &venue.entry(1, "BTC/USDT", "0.1", "40000", "10"));
    assert!(first.bought.unwrap().opened);
    let second = book(&mut account, &venue.entry(1, "BTC/USDT", "0.1", "42000", "10"));
    let LotChange { lot, opened } = second.bought.unwrap();
    assert!(!opened);
    assert_eq!((lot.quantity, lot.entry_price, lot.fees), (dec("0.2"), dec("41000"), dec("20")));
    assert_eq!(lot.protection(), Some(Protection { stop: dec("1"), take_profit: dec("1000000") }));
    assert_eq!(account.balance(&asset("USDT")), dec("1780"));
    assert_eq!(account.balance(&asset("BTC")), dec("1.2"));
    assert_eq!(account.holding(&asset("BTC")), Ok(Decimal::ONE));
}

#[test]
fn a_fill_is_applied_once() {
    let (mut account, mut venue) = (account(), Venue::new());
    let posting = venue.entry(1, "BTC/USDT", "0.1", "40000", "0");
    book(&mut account, &posting);
    let before = account.clone();
    assert_eq!(account.apply(&posting), Ok(Applied::AlreadyApplied));
    assert_eq!(account, before);
}

#[test]
fn a_stop_closes_its_own_lot_and_tells_the_result_after_fees() {
    let (mut account, mut venue) = (account(), Venue::new());
    book(&mut account, &venue.entry(1, "BTC/USDT", "0.1", "40000", "10"));
    book(&mut account, &venue.entry(2, "BTC/USDT", "0.1", "40000", "10"));
    let part = book(&mut account, &venue.stop(2, "BTC/USDT", "0.05", "39000", "5"));
    assert_eq!(part.sold[0].result.account, Some(dec("-60")));
    assert_eq!((part.sold[0].left, &part.sold[0].closed), (dec("0.05"), &None));
    let rest = book(&mut account, &venue.stop(2, "BTC/USDT", "0.05", "39000", "5"));
    let whole = rest.sold[0].closed.clone().unwrap();
    assert_eq!(whole.quote, Money::new(dec("-120"), asset("USDT")));
    assert!(whole.is_loss());
    assert_eq!(account.lots().iter().map(|lot| lot.decision).collect::<Vec<_>>(), [DecisionId(1)]);
    let expected = Results { won: 0, lost: 1, realised: dec("-120"), unpriced: 0 };
    assert_eq!(*account.results(), expected);
}

#[test]
fn flatten_and_exit_reduce_lots_of_the_symbol_oldest_first_and_then_holdings() {
    let (mut account, mut venue) = (account(), Venue::new());
    for decision in [1, 2] {
        book(&mut account, &venue.entry(decision, "BTC/USDT", "0.1", "40000", "0"));
    }
    let exit =
        venue.other(Purpose::Exit { decision: DecisionId(9) }, Side::Sell, "BTC/USDT", "0.15", "41000");
    let booked = book(&mut account, &exit);
    assert_eq!(booked.sold.iter().map(|s| s.left).collect::<Vec<_>>(), [Decimal::ZERO, dec("0.05")]);
    assert_eq!(quantities(&account), [dec("0.05")]);
    let all = book(&mut account, &venue.flatten("BTC/USDT", "1.05", "41000"));
    assert_eq!((all.sold.len(), all.overdrawn.len()), (1, 0));
    assert_eq!((quantities(&account), account.balance(&asset("BTC"))), (vec![], Decimal::ZERO));
    assert!(!account.balances().contains_key(&asset("BTC")), "the books keep what is not owned any more");
}

#[test]
fn a_leg_moves_holdings_and_leaves_lots_alone() {
    let (mut account, mut venue) = (account(), Venue::new());
    book(&mut account, &venue.entry(1, "BTC/USDT", "0.1", "40000", "0"));
    let sold = book(&mut account, &venue.leg(Side::Sell, "BTC/USDT", "1", "40000"));
    assert_eq!(sold, Booked::default());
    let bought = book(&mut account, &venue.leg(Side::Buy, "BTC/USDT", "0.5", "40000"));
    assert_eq!(bought, Booked::default());
    assert_eq!(quantities(&account), [dec("0.1")]);
    assert_eq!(account.holding(&asset("BTC")), Ok(dec("0.5")));
}

#[test]
fn lots_shrink_with_the_balance_behind_them_newest_first() {
    let (mut account, mut venue) = (account(), Venue::new());
    for decision in [1, 2] {
        book(&mut account, &venue.entry(decision, "BTC/USDT", "0.1", "40000", "10"));
    }
    let booked = book(&mut account, &venue.leg(Side::Sell, "BTC/USDT", "1.05", "40000"));
    let (client_id, symbol) = (order_id(2), symbol("BTC/USDT"));
    assert_eq!(booked.shrunk, [Shrink { client_id, symbol, by: dec("0.05"), left: dec("0.05") }]);
    assert_eq!(quantities(&account), [dec("0.1"), dec("0.05")]);
    assert_eq!(account.lot(client_id).unwrap().fees, dec("5"));
}

#[test]
fn the_venue_selling_more_than_is_owned_is_booked_and_said() {
    let (mut account, mut venue) = (account(), Venue::new());
    let booked = book(&mut account, &venue.flatten("BTC/USDT", "3", "40000"));
    assert_eq!(booked.overdrawn, [asset("BTC")]);
    assert_eq!(account.balance(&asset("BTC")), dec("-2"));
}

#[test]
fn a_result_without_a_rate_is_kept_in_its_own_currency() {
    let (mut account, mut venue) = (account(), Venue::new());
    book(&mut account, &venue.entry(1, "XRP/BTC", "1000", "0.00001", "0"));
    let stop = Posting { quote_rate: None, ..venue.stop(1, "XRP/BTC", "1000", "0.000009", "0") };
    let sale = book(&mut account, &stop).sold.remove(0);
    assert_eq!(sale.result, Realised { quote: Money::new(dec("-0.001"), asset("BTC")), account: None });
    assert_eq!((account.results().lost, account.results().unpriced), (1, 1));
}

#[test]
fn a_fill_that_cannot_be_booked_changes_nothing() {
    let (mut account, mut venue) = (account(), Venue::new());
    let before = account.clone();
    let mut overflow = venue.entry(1, "BTC/USDT", "1", "1", "0");
    (overflow.fill.quantity, overflow.fill.price) = (Decimal::MAX, Decimal::MAX);
    assert!(matches!(account.apply(&overflow), Err(AccountError::Money(_))));
    let nothing = venue.entry(1, "BTC/USDT", "0", "1", "0");
    assert_eq!(account.apply(&nothing), Err(AccountError::NotAFill(nothing.fill.trade_id)));
    assert_eq!(account, before);
}

#[test]
fn an_entry_without_protection_is_a_lot_that_shows_itself_naked() {
    let (mut account, mut venue) = (account(), Venue::new());
    let naked = Posting { protection: None, ..venue.entry(1, "BTC/USDT", "0.1", "40000", "0") };
    assert_eq!(book(&mut account, &naked).bought.unwrap().lot.protection(), None);
}

fn prices(marks: &[(&str, &str)]) -> Prices {
    let mut prices = Prices::new(marks.iter().map(|(pair, _)| symbol(pair)));
    for (pair, price) in marks.iter().filter(|(_, price)| !price.is_empty()) {
        let close = dec(price);
        let (open_time, interval_secs, volume) = (Timestamp::EPOCH, 60, Decimal::ONE);
        let symbol = symbol(pair);
        let (open, high, low) = (close, close, close);
        prices.update(&Candle {
            symbol,
            open_time,
            interval_secs,
            open,
            high,
            low,
            close,
            volume,
            synthetic: false,
        });
    }
    prices
}

const MAX_AGE: Duration = Duration::from_secs(90);

#[test]
fn equity_counts_everything_and_exposure_lots_only() {
    let (mut account, mut venue) = (account(), Venue::new());
    book(&mut account, &venue.entry(1, "BTC/USDT", "0.1", "40000", "0"));
    book(&mut account, &venue.entry(2, "XRP/BTC", "4000", "0.00001", "0"));
    let prices = prices(&[("BTC/USDT", "50000"), ("XRP/BTC", "0.00001")]);
    let now = prices.at(Timestamp::from_secs(60), MAX_AGE);
    // 6,000 USDT, 1.06 BTC, 4,000 XRP at 0.5.
    assert_eq!(account.valuation(&now).unwrap().worth, dec("61000"));
    let by_symbol = BTreeMap::from([(symbol("BTC/USDT"), dec("5000")), (symbol("XRP/BTC"), dec("2000"))]);
    assert_eq!(account.exposure_by_symbol(&now), Ok(by_symbol));
    assert_eq!(account.exposure_pct(dec("61000"), &now).unwrap().round_dp(4), dec("11.4754"));
    assert_eq!(account.positions(), 2);
    assert_eq!(account.held(&symbol("XRP/BTC")), Ok(dec("4000")));
}

#[test]
fn a_lot_whose_own_pair_is_idle_still_counts_as_exposure() {
    let (mut account, mut venue) = (account(), Venue::new());
    book(&mut account, &venue.entry(1, "BTC/USDT", "0.1", "40000", "0"));
    book(&mut account, &venue.entry(2, "XRP/BTC", "4000", "0.00001", "0"));
    let prices = prices(&[("BTC/USDT", "50000"), ("XRP/BTC", ""), ("XRP/USDT", "0.5")]);
    let now = prices.at(Timestamp::from_secs(60), MAX_AGE);
    let by_symbol = BTreeMap::from([(symbol("BTC/USDT"), dec("5000")), (symbol("XRP/BTC"), dec("2000"))]);
    assert_eq!(account.exposure_by_symbol(&now), Ok(by_symbol));
}

#[test]
fn an_old_price_still_values_and_sizes_nothing() {
    let prices = prices(&[("BTC/USDT", "50000")]);
    let late = prices.at(Timestamp::from_secs(151), MAX_AGE);
    let valuation = account().valuation(&late).unwrap();
    assert_eq!((valuation.worth, valuation.fresh, valuation.is_known), (dec("60000"), dec("10000"), true));
    let [stale] = &valuation.stale[..] else { panic!("{valuation:?}") };
    assert_eq!((stale.asset.as_str(), stale.worth), ("BTC", dec("50000")));
    assert_eq!(stale.since, Timestamp::from_secs(60));
}

#[test]
fn what_never_had_a_price_is_left_out_by_name_and_unknown_only_if_nothing_has() {
    let nothing = Prices::default();
    let nothing = nothing.at(Timestamp::EPOCH, MAX_AGE);
    let valuation = account().valuation(&nothing).unwrap();
    assert_eq!((valuation.worth, valuation.is_known), (dec("10000"), true));
    assert_eq!(valuation.unpriced[0].asset.as_str(), "BTC");
    let without_cash = Account::new(asset("USDT"), BTreeMap::from([(asset("BTC"), dec("1"))]));
    assert!(!without_cash.valuation(&nothing).unwrap().is_known);

    let (mut account, mut venue) = (account(), Venue::new());
    book(&mut account, &venue.entry(1, "XRP/USDT", "4000", "0.5", "0"));
    let prices = prices(&[("BTC/USDT", "50000"), ("XRP/USDT", "")]);
    let valuation = account.valuation(&prices.at(Timestamp::from_secs(60), MAX_AGE)).unwrap();
    assert_eq!((valuation.worth, valuation.is_known), (dec("58000"), true));
    assert_eq!(valuation.unpriced[0].asset.as_str(), "XRP");
}

#[test]
fn a_rate_of_an_earlier_process_values_what_has_no_price_yet() {
    let at = Timestamp::from_secs(-600);
    let known = BTreeMap::from([(asset("BTC"), Mark { price: dec("40000"), at })]);
    let prices = Prices::new([symbol("BTC/USDT")]).remembering(known);
    let valuation = account().valuation(&prices.at(Timestamp::EPOCH, MAX_AGE)).unwrap();
    assert_eq!((valuation.worth, valuation.fresh), (dec("50000"), dec("10000")));
    assert_eq!(valuation.stale[0].since, at);
}

#[test]
fn a_percentage_of_no_equity_is_refused() {
    let prices = Prices::default();
    let empty = Account::new(asset("USDT"), BTreeMap::new());
    let now = prices.at(Timestamp::EPOCH, MAX_AGE);
    assert_eq!(empty.exposure_pct(Decimal::ZERO, &now), Err(AccountError::NoEquity));
}

#[test]
fn holdings_leave_lots_out_and_name_what_cannot_be_traded() {
    let (mut account, mut venue) = (account(), Venue::new());
    book(&mut account, &venue.entry(1, "BTC/USDT", "0.1", "40000", "0"));
    let prices = prices(&[("BTC/USDT", "50000"), ("XRP/USDT", ""), ("ADA/BTC", "0.00001")]);
    let targets = ["BTC", "XRP", "USDT", "ADA"].map(asset);
    let holdings = account.holdings(&targets, &prices.at(Timestamp::from_secs(60), MAX_AGE)).unwrap();
    assert_eq!(holdings.total, dec("56000"));
    let shares: Vec<_> =
        holdings.shares.iter().map(|s| (s.asset.as_str(), s.value, s.symbol.clone())).collect();
    let btc = ("BTC", dec("50000"), Some(symbol("BTC/USDT")));
    assert_eq!(shares, [btc, ("USDT", dec("6000"), None)]);
    let left_out: Vec<_> = holdings.left_out.iter().map(|l| (l.asset.as_str(), l.why.clone())).collect();
    let no_path = PriceError::NoPath { from: asset("ADA"), to: asset("USDT") };
    assert_eq!(left_out, [("ADA", no_path), ("XRP", PriceError::Missing(symbol("XRP/USDT")))]);
}

/// Any fill: pair, side, role, purpose, quantity and price in hundredths, fee in thousandths, decision.
fn any_postings() -> impl Strategy<Value = Vec<Posting>> {
    let one = (0_usize..3, any::<bool>(), 0_u8..3, 0_u8..5, 1_i64..500, 1_i64..5_000, 0_i64..500, 1_u64..6);
    prop::collection::vec(one, 1..40).prop_map(|fills| {
        let mut venue = Venue::new();
        let posting = |(pair, buys, role, purpose, quantity, price, fee, number): (
            usize,
            bool,
            u8,
            u8,
            i64,
            i64,
            i64,
            u64,
        )| {
            let pair = ["BTC/USDT", "XRP/USDT", "XRP/BTC"][pair];
            let side = if buys { Side::Buy } else { Side::Sell };
            let mut fill = venue.fill(side, pair, "1", "1", "0");
            (fill.quantity, fill.price) = (Decimal::new(quantity, 2), Decimal::new(price, 2));
            fill.fee.amount = Decimal::new(fee, 3);
            fill.role = [FillRole::Order, FillRole::Stop, FillRole::Target][usize::from(role)];
            let decision = DecisionId(number);
            let purpose = match purpose {
                0 | 1 => Purpose::Entry { decision },
                2 => Purpose::Exit { decision },
                3 => Purpose::Leg { plan: PlanId(number), leg: 0 },
                _ => Purpose::Flatten { number },
            };
            if matches!(purpose, Purpose::Entry { .. }) {
                fill.client_id = ClientOrderId::derive(InstallId::derived(pair), &number.to_string());
            }
            Posting { fill, purpose, protection: None, quote_rate: Some(Decimal::ONE) }
        };
        fills.into_iter().map(posting).collect()
    })
}

/// Balances as plain sums of the fills, without those that come to nothing.
fn summed(postings: &[Posting]) -> BTreeMap<Asset, Decimal> {
    let mut balances = account().balances().clone();
    for Posting { fill, .. } in postings {
        let sign = if fill.side == Side::Buy { Decimal::ONE } else { Decimal::NEGATIVE_ONE };
        *balances.entry(fill.symbol.base().clone()).or_default() += sign * fill.quantity;
        *balances.entry(fill.symbol.quote().clone()).or_default() -= sign * fill.quantity * fill.price;
        *balances.entry(fill.fee.currency.clone()).or_default() -= fill.fee.amount;
    }
    balances.retain(|_, balance| !balance.is_zero());
    balances
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing appears, nothing vanishes, lots never exceed the balance, and twice is once.
    #[test]
    fn money_is_conserved_over_any_fills(postings in any_postings()) {
        let mut account = account();
        for posting in &postings {
            book(&mut account, posting);
            for lot in account.lots() {
                prop_assert!(lot.quantity > Decimal::ZERO);
                let base = lot.symbol.base();
                prop_assert!(account.in_lots(base).unwrap() <= account.balance(base));
            }
        }
        prop_assert_eq!(account.balances(), &summed(&postings));

        let before = account.clone();
        for posting in &postings {
            prop_assert_eq!(account.apply(posting), Ok(Applied::AlreadyApplied));
        }
        prop_assert_eq!(&account, &before);

        let stored = serde_json::to_string(&account).unwrap();
        prop_assert_eq!(serde_json::from_str::<Account>(&stored).unwrap(), account);
    }

    /// What lots earned and what they still hold is what was paid and received for them.
    #[test]
    fn results_of_lots_are_conserved(
        trades in prop::collection::vec((any::<bool>(), 1_i64..50, 100_i64..200, 0_i64..100, 1_u64..4), 1..40)
    ) {
        let start = BTreeMap::from([(asset("USDT"), dec("1000000"))]);
        let (mut account, mut venue) = (Account::new(asset("USDT"), start), Venue::new());
        for (buys, quantity, price, fee, number) in trades {
            let text = |n: i64| Decimal::new(n, 2).to_string();
            let (quantity, price, fee) = (Decimal::new(quantity, 2), text(price), text(fee));
            if buys {
                book(&mut account, &venue.entry(number, "XRP/USDT", &quantity.to_string(), &price, &fee));
                continue;
            }
            let sellable = quantity.min(account.balance(&asset("XRP")));
            if sellable > Decimal::ZERO {
                let mut exit = venue.flatten("XRP/USDT", &sellable.to_string(), &price);
                exit.fill.fee.amount = dec(&fee);
                let booked = book(&mut account, &exit);
                prop_assert!(booked.shrunk.is_empty() && booked.overdrawn.is_empty());
            }
        }
        let invested: Decimal = account.lots().iter().map(|lot| lot.quantity * lot.entry_price + lot.fees).sum();
        let expected = dec("1000000") + account.results().realised - invested;
        let difference = (account.balance(&asset("USDT")) - expected).abs();
        prop_assert!(difference < dec("0.000000000001"), "{difference}");
    }
}
