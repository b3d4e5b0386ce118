//! Candles from files.

use std::fmt::Write as _;

use andon::coordinator::record::RecordKind;
use andon::domain::Purpose;
use rust_decimal::Decimal;

use super::place::{Place, assert_fails, booked, text};

const START: u64 = 1_704_067_200;

/// A market in which somebody trades in less than one minute of four, by chance, at prices that wander.
fn thin(minutes: u64) -> (String, u64) {
    let (mut rows, mut count, mut chance, mut close) = (String::new(), 0, 12_345_u64, 4_000_000_i64);
    for minute in 0..minutes {
        // Knuth's generator; its high bits are the random ones.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = chance >> 33;
        if minute == 0 || minute + 1 == minutes || dice % 9 < 2 {
            let open = close;
            close = (close + i64::try_from(dice / 9 % 2_001).unwrap() - 1_000).max(1_000_000);
            let (high, low) = (open.max(close) + 50, open.min(close) - 50);
            let price = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
            let [open, high, low, close] = [open, high, low, close].map(price);
            writeln!(rows, "{},{open},{high},{low},{close},0.35,2", START + minute * 60).unwrap();
            count += 1;
        }
    }
    (rows, count)
}

fn play(place: &Place, market: &str, args: &[&str]) -> serde_json::Value {
    let output = place.andon(&[&REPLAY[..], &[market], args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Nothing is wrong with a market only because nobody trades in it.
fn assert_quiet(days: u64) {
    let place = Place::new();
    let minutes = days * 1_440;
    let (rows, count) = thin(minutes);
    assert!(count < minutes / 4, "{count} of {minutes} minutes are not thin");
    place.write("BTCUSDT_1.csv", &rows);

    // Without costs, so that no breaker trips over them.
    let costs = "execution.paper={fee_pct: 0, slippage_pct: 0}";
    let summary = play(&place, "replay:BTCUSDT_1.csv", &["--set", costs]);

    assert_eq!(summary["symbols"], serde_json::json!(["BTC/USDT"]));
    assert_eq!(summary["synthetic_candles"], minutes - count);
    assert_eq!(summary["messages"]["market_data"], minutes);
    let raised = &summary["alarms_raised"];
    assert!(raised.get("High").is_none() && raised.get("Emergency").is_none(), "{raised}");
    assert_eq!(summary["level_changes"], serde_json::json!([]));
}

#[test]
fn two_days_of_a_thin_market_raise_no_high_alarm_and_change_no_level() {
    assert_quiet(2);
}

#[test]
#[ignore = "long: a quarter of one-minute candles"]
fn a_quarter_of_a_thin_market_raises_no_high_alarm_and_changes_no_level() {
    assert_quiet(91);
}

#[test]
fn a_file_that_has_grown_goes_on_in_its_directory_and_one_that_was_rewritten_is_refused() {
    let place = Place::new();
    let (all, play_on) = (candles(120), ["--data-dir", "data"]);
    let first_hour: String = all.split_inclusive('\n').take(60).collect();
    place.write("BTCUSDT_1.csv", &first_hour);
    let first = play(&place, "replay:BTCUSDT_1.csv", &play_on);
    assert_eq!((&first["messages"]["market_data"], first.get("market_grown")), (&60.into(), None));

    place.write("BTCUSDT_1.csv", &all);
    let second = play(&place, "replay:BTCUSDT_1.csv", &play_on);
    assert_eq!(second["messages"]["market_data"], 60, "the other hour");
    let said = second["market_grown"].as_str().unwrap();
    assert!(said.contains("grown") && said.contains("BTC/USDT"), "{said}");

    place.write("BTCUSDT_1.csv", &first_hour);
    let refused = place.andon(&[&REPLAY[..], &["replay:BTCUSDT_1.csv"], &play_on].concat());
    assert_fails(&refused, 2, &["BTC/USDT", "do not begin with them any more", "--data-dir"]);
    place.write("BTCUSDT_1.csv", &all.replacen(",12.5,30", ",12.6,30", 1));
    let refused = place.andon(&[&REPLAY[..], &["replay:BTCUSDT_1.csv"], &play_on].concat());
    assert_fails(&refused, 2, &["do not begin with them any more"]);
}

#[test]
fn paths_with_equals_signs_and_commas_are_played() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().join("pair=XBTUSDT,year=2024")).unwrap();
    place.write("pair=XBTUSDT,year=2024/XBTUSDT_1.csv", &candles(30));
    for spec in ["", "BTC/USDT="] {
        let market = format!(r"replay:{spec}pair=XBTUSDT\,year=2024/XBTUSDT_1.csv");
        assert_eq!(play(&place, &market, &[])["symbols"], serde_json::json!(["BTC/USDT"]));
    }
    let unescaped = place.andon(&[&REPLAY[..], &["replay:pair=XBTUSDT,year=2024/XBTUSDT_1.csv"]].concat());
    assert_fails(&unescaped, 2, &["pair=XBTUSDT", r"\, is a comma in a path"]);
}

#[test]
fn a_symbol_whose_file_begins_later_is_waited_for_by_nobody() {
    let place = Place::new();
    place.write("BTCUSDT_1.csv", &candles(400));
    let late: String = candles(400).split_inclusive('\n').skip(200).collect();
    place.write("XRPUSDT_1.csv", &late);
    let summary = play(&place, "replay:BTCUSDT_1.csv,XRPUSDT_1.csv", &[]);
    assert_eq!(summary["messages"]["market_data"], 600);
    let raised = &summary["alarms_raised"];
    assert!(raised.get("High").is_none() && raised.get("Medium").is_none(), "{raised}");
    assert_eq!(summary["level_changes"], serde_json::json!([]));
}

/// Candles of one minute that wander up and down, in the replay's layout.
fn candles(minutes: u64) -> String {
    let mut rows = String::new();
    for minute in 0..minutes {
        let swing = |at: u64| 40_000 + (at % 97) * 11 + (at % 13) * 7;
        let (open, close) = (swing(minute), swing(minute + 1));
        let (high, low) = (open.max(close) + 5, open.min(close) - 5);
        writeln!(rows, "{},{open},{high},{low},{close},12.5,30", START + minute * 60).unwrap();
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
