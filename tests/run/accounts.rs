//! Accounts in other currencies than dollars: their plans run to the end, and nothing is spent that is not there.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::place::{Place, text};

const START: u64 = 1_704_067_200;
const FIVE_MINUTES: u64 = 300;
/// Two days and a half: six legs four hours apart, and time to see that nothing hangs.
const ROWS: u64 = 720;

/// Calm candles of five minutes around `price`, which has as many places as its tick.
fn candles(price: &str) -> String {
    let price: Decimal = price.parse().unwrap();
    let swing = |at: u64| {
        let permille = Decimal::from((at * 7) % 11) - Decimal::from(5);
        (price + price * permille / Decimal::from(5_000)).round_dp(price.scale())
    };
    (0..ROWS).fold(String::new(), |mut rows, at| {
        let (open, close) = (swing(at), swing(at + 1));
        let (high, low) = (open.max(close), open.min(close));
        writeln!(rows, "{},{open},{high},{low},{close},100000000,30", START + at * FIVE_MINUTES).unwrap();
        rows
    })
}

/// What is left when a run of this account over these files has ended: its summary, and that all is in order.
fn run(pairs: &[(&str, &str)], currency: &str, start: &str, set: &[&str]) -> serde_json::Value {
    let place = Place::new();
    let files: Vec<_> = pairs
        .iter()
        .enumerate()
        .map(|(at, (pair, price))| {
            let name = format!("{at}.csv");
            place.write(&name, &candles(price));
            format!("{pair}={name}")
        })
        .collect();
    let market = format!("replay:{}", files.join(","));
    let currency_from = if currency == "USDT" { String::new() } else { "USDT: null, ".to_owned() };
    let account =
        format!("execution.account={{currency: {currency}, start: {{{currency_from}{currency}: {start}}}}}");
    let data = place.data();
    let mut args = vec!["--no-console", "--speed", "max", "--summary", "json", "--data-dir", data.arg()];
    args.extend(["--market", &market, "--set", &account]);
    // What agents buy comes and goes; here the plans alone are looked at.
    args.extend(["--set", "agents.trading_decision.confidence_min=1"]);
    for set in set {
        args.extend(["--set", set]);
    }
    let output = place.andon(&args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let account = place.data().state().account;
    for (asset, balance) in account.balances() {
        assert!(*balance >= Decimal::ZERO, "{balance} {asset}");
    }
    for class in ["High", "Emergency"] {
        assert!(summary["alarms_raised"][class].is_null(), "{summary:#}");
    }
    summary
}

fn decimal(value: &serde_json::Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

fn assert_done(summary: &serde_json::Value, legs: u64) {
    assert_eq!(summary["legs"], serde_json::json!({ "filled": legs }), "{summary:#}");
    let (start, end) = (decimal(&summary["equity_start"]), decimal(&summary["equity_end"]));
    assert!(end < start && end > start * Decimal::new(99, 2), "{start} to {end}");
}

#[test]
fn accounts_in_any_currency_run_their_plans_to_the_end() {
    let dollars = [("BTC/USD", "42000.1"), ("XRP/USD", "0.51234")];
    assert_done(&run(&dollars, "USD", "10000", &[]), 12);
    let euros = [("BTC/EUR", "39000.1"), ("XRP/EUR", "0.47123")];
    assert_done(&run(&euros, "EUR", "250.55", &[]), 12);
    let yen = [("BTC/JPY", "6000001"), ("XRP/JPY", "73.123")];
    assert_done(&run(&yen, "JPY", "10000000", &[]), 12);
    let halves = "portfolio.target_allocation={BTC: 50, LTC: 50, XRP: null, USDT: null}";
    for start in ["1", "0.015"] {
        let summary = run(&[("LTC/BTC", "0.001632")], "BTC", start, &[halves]);
        assert_done(&summary, 6);
        assert_eq!(decimal(&summary["equity_start"]), start.parse().unwrap());
        assert_eq!(summary["equity_start"].as_str().unwrap().split_once('.').unwrap().1.len(), 8);
    }
}

#[test]
fn a_plan_that_spends_all_the_cash_pays_its_costs_out_of_the_last_leg() {
    let pairs = [("BTC/USDT", "42000.1"), ("XRP/USDT", "0.51234")];
    let all = "portfolio.target_allocation={BTC: 50, XRP: 50, USDT: 0}";
    assert_done(&run(&pairs, "USDT", "10000", &[all]), 12);
    let yen = [("BTC/JPY", "6000001"), ("XRP/JPY", "73.123")];
    let all = "portfolio.target_allocation={BTC: 50, XRP: 50, cash: 0}";
    assert_done(&run(&yen, "JPY", "10000000", &[all]), 12);
    let coin = "portfolio.target_allocation={LTC: 100, BTC: 0, XRP: null}";
    assert_done(&run(&[("LTC/BTC", "0.001632")], "BTC", "0.015", &[coin]), 6);
}

#[test]
fn cash_stays_in_cash_in_another_account_currency() {
    let summary = run(&[("BTC/USD", "42000.1")], "USD", "10000", &[]);
    assert_done(&summary, 6);
    let spent = decimal(&summary["costs"]["fees"]) / Decimal::new(26, 4);
    assert!((spent - Decimal::from(5_000)).abs() < Decimal::from(20), "half of the priced targets: {spent}");
}
