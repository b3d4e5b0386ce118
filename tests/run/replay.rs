//! Candles from files.

use std::fmt::Write as _;

use andon::coordinator::record::RecordKind;
use andon::domain::Purpose;
use rust_decimal::Decimal;

use super::place::{Place, assert_fails, booked, text};

/// Candles of one minute that wander up and down, in the replay's layout.
fn candles(minutes: u64) -> String {
    let mut rows = String::new();
    for minute in 0..minutes {
        let swing = |at: u64| 40_000 + (at % 97) * 11 + (at % 13) * 7;
        let (open, close) = (swing(minute), swing(minute + 1));
        let (high, low) = (open.max(close) + 5, open.min(close) - 5);
        writeln!(rows, "{},{open},{high},{low},{close},12.5,30", 1_704_067_200 + minute * 60).unwrap();
    }
    rows
}

/// Candles of this length that wander up and down; one of them is missing.
fn long_candles(minutes: u64, count: u64) -> String {
    let mut rows = String::new();
    for at in (0..count).filter(|at| *at != 3) {
        let swing = |at: u64| 40_000 + (at % 97) * 11 + (at % 13) * 7;
        let (open, close) = (swing(at), swing(at + 1));
        let (high, low) = (open.max(close) + 5, open.min(close) - 5);
        writeln!(rows, "{},{open},{high},{low},{close},12500,30", 1_704_067_200 + at * minutes * 60).unwrap();
    }
    rows
}

const REPLAY: [&str; 6] = ["--no-console", "--speed", "max", "--summary", "json", "--market"];

#[test]
fn a_replay_ends_paused_because_its_feed_ended() {
    let place = Place::new();
    place.write("BTCUSDT_1.csv", &candles(600));

    let output = place.andon(&[&REPLAY[..], &["replay:BTCUSDT_1.csv"]].concat());

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["market"], "REPLAY");
    assert_eq!(summary["messages"]["market_data"], 600);
    assert_eq!(
        (&summary["state"]["state"], &summary["state"]["reason"]),
        (&"PAUSED".into(), &"feed ended".into())
    );
}

#[test]
fn hourly_and_daily_files_run_their_plans_to_the_end_and_record_only_changes() {
    let targets = "portfolio.target_allocation={BTC: 50, XRP: null, USDT: 50}";
    for (minutes, count) in [(60, 200), (1_440, 60)] {
        let place = Place::new();
        let file = format!("BTCUSDT_{minutes}.csv");
        place.write(&file, &long_candles(minutes, count));
        let output = place.andon(&[&REPLAY[..], &[&format!("replay:{file}"), "--set", targets]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["legs"], serde_json::json!({ "filled": 6 }), "{minutes} min");
        assert_eq!(summary["alarms_raised"], serde_json::json!({}), "{minutes} min");
        let runs = summary["task_runs"]["technical_analysis"]["succeeded"].as_u64().unwrap();
        assert!(runs <= count, "{minutes} min: {runs} runs on {count} candles");
        let records = summary["records"].as_u64().unwrap();
        assert!(records < count * 6 + 200, "{minutes} min: {records} records of {count} candles");
    }
}

#[test]
fn a_held_asset_that_loses_its_price_blinds_no_breaker_and_is_told_in_summary_and_handover() {
    let place = Place::new();
    let mut falling = String::new();
    for at in 0..120_u64 {
        // Flat for 5 hours, then down by a third.
        let price = |at: u64| 40_000 - at.saturating_sub(60) * 220;
        let (open, close) = (price(at), price(at + 1));
        writeln!(falling, "{},{open},{open},{close},{close},900,30", 1_704_067_200 + at * 300).unwrap();
    }
    place.write("BTCUSDT_5.csv", &falling);
    let mut flat = String::new();
    for at in 0..40_u64 {
        writeln!(flat, "{},0.5,0.5,0.5,0.5,900000,30", 1_704_067_200 + at * 300).unwrap();
    }
    place.write("XRPUSDT_5.csv", &flat);
    let account = "execution.account.start={USDT: 1500, BTC: 0.2, XRP: 1000}";
    let targets = "portfolio.target_allocation={BTC: 80, XRP: 5, USDT: 15}";
    let files = "replay:BTCUSDT_5.csv,XRPUSDT_5.csv";
    let args = [files, "--set", account, "--set", targets, "--data-dir", "data"];
    let output = place.andon(&[&REPLAY[..], &args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["state"]["state"], "HALTED");
    let uncertain = &summary["uncertain"][0];
    assert_eq!((&uncertain["asset"], &uncertain["worth"]), (&"XRP".into(), &"500".into()), "{uncertain}");
    assert_eq!(uncertain["since"], "2024-01-01T03:20:00.000Z");

    let output = place.andon(&["handover", "--data-dir", "data"]);
    let page = text(&output.stdout);
    assert!(page.contains("equity uncertain: 1000 XRP (about 500) without a fresh price since"), "{page}");
}

#[test]
fn a_restart_keeps_the_time_at_which_a_task_runs_next() {
    let place = Place::new();
    place.write("BTCUSDT_1.csv", &candles(600));
    let decisions = |minutes: &str| {
        let args = ["replay:BTCUSDT_1.csv", "--data-dir", "data", "--for", minutes];
        let output = place.andon(&[&REPLAY[..], &args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        summary["task_runs"]["trading_decision"]["succeeded"].as_u64().unwrap_or_default()
    };
    assert_eq!(decisions("50m"), 0, "one hour after the start");
    assert_eq!(decisions("20m"), 1, "that hour goes on");
}

#[test]
fn a_thin_market_fills_the_legs_of_a_plan_in_parts_that_are_booked_one_by_one() {
    let place = Place::new();
    let data = place.data();
    place.write("BTCUSDT_1.csv", &candles(600).replace(",12.5,30", ",0.1,3"));
    let targets = "portfolio.target_allocation={BTC: 50, XRP: null, USDT: 50}";
    let args = ["replay:BTCUSDT_1.csv", "--data-dir", data.arg(), "--set", targets];

    let output = place.andon(&[&REPLAY[..], &args].concat());

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let records = data.records();
    assert_eq!(booked(&records), data.venue_fills());
    let is_leg = |purpose: Purpose| matches!(purpose, Purpose::Leg { .. });
    let (mut legs, mut fees) = (0, Decimal::ZERO);
    for record in &records {
        match &record.kind {
            RecordKind::Fill { posting, .. } => fees += posting.fill.fee.amount,
            RecordKind::OrderIntended(order) if is_leg(order.purpose) => {
                legs += 1;
                let parts: Vec<_> = records
                    .iter()
                    .filter_map(|record| match &record.kind {
                        RecordKind::Fill { posting, done } if posting.fill.client_id == order.client_id => {
                            Some((posting.fill.quantity, *done))
                        }
                        _ => None,
                    })
                    .collect();
                let done: Vec<_> = parts.iter().map(|(_, done)| *done).collect();
                assert!(
                    parts.len() >= 3 && done.iter().position(|it| *it) == Some(parts.len() - 1),
                    "{done:?}"
                );
                assert!(
                    parts.iter().all(|(part, _)| *part <= Decimal::new(1, 2)),
                    "a tenth of 0.1: {parts:?}"
                );
                assert_eq!(parts.iter().map(|(part, _)| *part).sum::<Decimal>(), order.quantity);
            }
            _ => {}
        }
    }
    assert_eq!(legs, 3, "after one, five and nine hours");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let paid: Decimal = summary["fees"]["USDT"].as_str().unwrap().parse().unwrap();
    assert_eq!(paid, fees);
}

#[test]
fn a_file_of_any_name_is_played_when_its_pair_is_given() {
    let place = Place::new();
    place.write("any.csv", &candles(60));
    let output = place.andon(&[&REPLAY[..], &["replay:BTC/USDT=any.csv"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn targets_that_a_replay_cannot_price_are_left_out_with_a_warning() {
    let place = Place::new();
    place.write("BTCUSDT_1.csv", &candles(600));
    let output = place.andon(&[&REPLAY[..], &["replay:BTCUSDT_1.csv"]].concat());
    let said = text(&output.stderr);
    assert!(
        said.starts_with("andon: warning: ") && said.contains("no symbol trades XRP against USDT"),
        "{said}"
    );
}

#[test]
fn pairs_that_the_account_currency_cannot_price_are_refused_and_run_in_another_currency() {
    let place = Place::new();
    place.write("LTCBTC_1.csv", &candles(60));
    let replay = [&REPLAY[..], &["replay:LTCBTC_1.csv"]].concat();
    let refused = place.andon(&replay);
    let advice = "change account.currency and account.start in execution.yaml";
    assert_fails(&refused, 2, &["--market: symbols[0]: LTC/BTC has no price in USDT", advice]);

    let refused = place.andon(&[&replay[..], &["--set", "execution.account.currency=BTC"]].concat());
    assert_fails(&refused, 2, &["account.start.USDT", "take it out (`USDT: null`)"]);

    let account = "execution.account={currency: BTC, start: {USDT: null, BTC: 1}}";
    let output = place.andon(&[&replay[..], &["--set", account]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["currency"], &summary["equity_start"]), (&"BTC".into(), &"1.00000000".into()));
}

#[test]
fn a_bad_row_is_refused_with_file_and_line() {
    let place = Place::new();
    for (row, said) in [
        ("1704067380,1,2,1", "4 columns instead of 7"),
        ("1704067380,40000,40010,39990,forty,1,1", "close is not a number: `forty`"),
        ("1704067260,40000,40010,39990,40000,1,1", "must be sorted and unique"),
    ] {
        place.write("BTCUSDT_1.csv", &(candles(3) + row + "\n"));
        let output = place.andon(&[&REPLAY[..], &["replay:BTCUSDT_1.csv"]].concat());
        assert_fails(&output, 2, &["BTCUSDT_1.csv:4", said]);
    }
}
