//! What a run without a console says at its end.

use std::collections::BTreeMap;

use andon::coordinator::dca::PlanTransition;
use andon::coordinator::record::RecordKind;
use andon::domain::FillRole;
use andon::runtime::options::RunOptions;
use rust_decimal::Decimal;

use super::place::{DAY, Place, config, options, simulate, text};

const AT_ONCE: [&str; 5] = ["--no-console", "--speed", "max", "--for", "6h"];

#[test]
fn the_json_summary_is_one_object_that_says_everything() {
    let place = Place::new();

    let output = place.andon(&[&AT_ONCE[..], &["--summary", "json"]].concat());

    let summary: serde_json::Map<_, _> = serde_json::from_slice(&output.stdout).unwrap();
    for field in [
        "version",
        "market",
        "symbols",
        "synthetic_candles",
        "started_at",
        "ended_at",
        "virtual_seconds",
        "wall_seconds",
        "messages",
        "task_runs",
        "model_calls",
        "signals",
        "decisions",
        "reasons",
        "orders",
        "fills",
        "stops",
        "targets",
        "fees",
        "legs",
        "legs_waiting",
        "alarms_raised",
        "alarms",
        "alarms_listed",
        "level_changes",
        "state_changes",
        "seconds_in_state",
        "state",
        "equity_start",
        "equity_end",
        "drawdown_max_pct",
        "results",
        "currency",
        "dropped",
        "records",
        "journal_head",
    ] {
        assert!(summary.get(field).is_some_and(|value| !value.is_null()), "{field} is missing: {summary:?}");
    }
    assert_eq!(summary["virtual_seconds"], 6 * 3_600);
    assert_eq!(summary["messages"]["market_data"], 3 * 6 * 60, "a candle a minute of three symbols");
    assert_eq!(summary["task_runs"]["technical_analysis"]["succeeded"], 3 * 6 * 60);
    assert_eq!(summary["seconds_in_state"]["RUNNING"], 6 * 3_600);
    assert_eq!(summary["equity_start"], "10000.00");
    assert_eq!(summary["journal_head"].as_str().unwrap().len(), 64);
}

#[test]
fn every_decision_that_was_held_up_is_there_with_its_reason() {
    let args = [&AT_ONCE[..4], &["3d", "--summary", "json"]].concat();
    let summary: serde_json::Value = serde_json::from_slice(&Place::new().andon(&args).stdout).unwrap();
    let sum = |row: &serde_json::Value| -> u64 {
        row.as_object().map_or(0, |row| row.values().filter_map(serde_json::Value::as_u64).sum())
    };
    for outcome in ["waited", "rejected"] {
        let (decided, reasons) = (&summary["decisions"][outcome], &summary["reasons"][outcome]);
        assert!(decided.as_u64().unwrap() > 0, "{}", summary["decisions"]);
        assert!(
            sum(reasons) >= decided.as_u64().unwrap(),
            "{outcome}: {decided} decided, because of {reasons}"
        );
    }
}

#[test]
fn alarms_are_counted_by_class_and_state() {
    let place = Place::new();
    // It is warned of at 5 h 55 min, and ends only after the run.
    let script = "- { at: 1h, do: force_level emergency --until 5h10m drill }\n\
                  - { at: 5h57m, do: ack_alarm all 2 expected }\n";
    place.write("s.yaml", script);
    let args = ["--summary", "json", "--operator-script", "s.yaml"];

    let output = place.andon(&[&AT_ONCE[..], &args].concat());

    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["alarms_raised"]["Medium"], 1, "{}", text(&output.stdout));
    assert_eq!(summary["alarms"]["Medium"]["acknowledged"], 1, "{}", summary["alarms"]);
    assert_eq!(
        summary["alarms_listed"],
        serde_json::json!([{
            "class": "Medium",
            "state": "acknowledged",
            "headline": "forced level ends soon: LEVEL EMERGENCY ends in 15:00"
        }])
    );
    assert_eq!(summary["level_changes"][0]["to"], "EMERGENCY");
}

#[test]
fn legs_that_wait_for_the_operator_are_named() {
    let place = Place::new();
    place.write("s.yaml", "- { at: 30m, do: pause lunch }\n- { at: 4h30m, do: resume }\n");
    let args = ["--operator-script", "s.yaml", "--set", "portfolio.dca.spacing=1h"];

    let said = text(&place.andon(&[&AT_ONCE[..], &args].concat()).stdout);

    let waiting: Vec<_> = said.lines().filter(|line| line.starts_with("  waits ")).collect();
    assert!(said.contains(&format!("waiting {}", waiting.len())), "{said}");
    assert!(waiting.len() >= 2, "{said}");
    assert!(waiting[0].starts_with("  waits      p1/2 BTC/USDT buy 555.50: "), "{said}");
}

#[test]
fn legs_and_fees_are_those_of_the_whole_run() {
    let place = Place::new();
    // A plan an hour, in many legs: more plans than the state remembers.
    let config = config(&[
        "portfolio.rebalancing.every_min=1h",
        "portfolio.rebalancing.threshold_pct=0.2",
        "portfolio.rebalancing.gain_per_cost_min=0",
        "risk.stop.target_costs_min=0",
        "portfolio.dca.at_once_below=1 USDT",
        "portfolio.dca.spacing=5m",
    ]);
    let options =
        RunOptions { data_dir: Some(place.data().path()), run_for: Some(3 * DAY), config, ..options() };

    let summary = simulate(&options);

    let (mut plans, mut legs, mut stops, mut fees) = (0, 0, 0, BTreeMap::<String, Decimal>::new());
    for record in place.data().records() {
        match record.kind {
            RecordKind::Plan(PlanTransition::Created { plan }) => {
                plans += 1;
                legs += plan.legs.len() as u64;
            }
            RecordKind::Fill { posting, .. } => {
                stops += u64::from(posting.fill.role == FillRole::Stop);
                *fees.entry(posting.fill.fee.currency.to_string()).or_default() += posting.fill.fee.amount;
            }
            _ => {}
        }
    }
    assert!(plans > 20, "{plans} plans are all remembered");
    assert_eq!(summary.legs.values().sum::<u64>(), legs, "{:?}", summary.legs);
    assert_eq!((summary.stops, summary.fees), (stops, fees));
    let (mut highest, mut deepest) = (Decimal::ZERO, Decimal::ZERO);
    for mark in place.data().records().into_iter().filter_map(|record| match record.kind {
        RecordKind::Mark { equity, .. } => Some(equity),
        _ => None,
    }) {
        highest = highest.max(mark);
        deepest = deepest.max((highest - mark) / highest * Decimal::ONE_HUNDRED);
    }
    assert!(deepest > Decimal::ZERO);
    assert_eq!(summary.drawdown_max_pct, deepest.round_dp(2));
    let results = place.data().state().account.results().clone();
    assert!(results.won + results.lost > 0, "{results:?}");
    assert_eq!((summary.results.won, summary.results.lost), (results.won, results.lost));
    assert_eq!(summary.results.realised, results.realised.round_dp(2));

    let again = simulate(&RunOptions { run_for: Some(DAY), ..options });
    let both = place.data().state().account.results().clone();
    assert_eq!(again.results.won + summary.results.won, both.won, "each run counts its own");
}

#[test]
fn the_text_summary_is_for_a_person() {
    let said = text(&Place::new().andon(&AT_ONCE).stdout);
    for line in [
        "market       SIM 2024-01-08T00:00:00.000Z to ",
        "time in      RUNNING 6.0 h\n",
        "equity       10000.00 to ",
        "buy and hold ",
        " USDT, the targets bought at 2024-01-08T00:",
        "costs        ",
        " USDT of fees, ",
    ] {
        assert!(said.contains(line), "{line:?} is not in:\n{said}");
    }
}

#[test]
fn the_summary_says_what_became_of_every_command_of_the_script() {
    let place = Place::new();
    let script = place.write(
        "s.yaml",
        "- { at: 1h, do: pause lunch }\n- { at: 2h, do: release x }\n- { at: 2h, do: skip_leg p9/9 }\n\
         - { at: daily 03:00, do: resume }\n- { at: 40d, do: halt much later }\n",
    );
    let options = ["--operator-script", script.to_str().unwrap()];

    let output = place.andon(&[&AT_ONCE[..], &options, &["--summary", "json"]].concat());

    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let account = &summary["script"];
    for (key, number) in [("done", 2), ("refused", 2), ("never_due", 1), ("unanswered", 0)] {
        assert_eq!(account[key], number, "{key}: {account}");
    }
    let refusals = account["refusals"].as_array().unwrap();
    assert!(refusals[0].as_str().unwrap().starts_with("2024-01-08T02:00:00.000Z release: "), "{account}");
    assert!(
        account["not_reached"][0].as_str().unwrap().starts_with("entry 5: halt at 2024-02-17"),
        "{account}"
    );
    let said = text(&place.andon(&[&AT_ONCE[..], &options].concat()).stdout);
    assert!(said.contains("script       2 done, 2 refused, 1 never due\n"), "{said}");
    assert!(said.contains("  refused    2024-01-08T02:00:00.000Z skip_leg: "), "{said}");
}
