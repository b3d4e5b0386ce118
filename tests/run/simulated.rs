//! Runs in virtual time on the simulated market.

use andon::runtime::options::RunOptions;

use super::place::{DAY, HOUR, Place, booked, config, intended, options, simulate};

#[test]
fn the_same_seed_ends_with_the_same_journal_and_another_with_another() {
    let head = |seed| simulate(&RunOptions { seed, run_for: Some(HOUR * 12), ..options() }).journal_head;
    assert_eq!(head(7), head(7));
    assert_ne!(head(7), head(8));
}

#[test]
fn three_days_make_plans_fills_and_decisions_of_several_outcomes() {
    let place = Place::new();
    let data = place.data();
    let options = RunOptions { run_for: Some(DAY * 3), data_dir: Some(data.path()), ..options() };

    let summary = simulate(&options);

    assert!(summary.legs["filled"] >= 12, "{:?}", summary.legs);
    assert!(summary.decisions.len() >= 3 && summary.decisions["filled"] > 0, "{:?}", summary.decisions);
    assert_eq!(summary.decisions.values().sum::<u64>(), summary.signals, "every signal ends in one outcome");
    let records = data.records();
    assert_eq!(records.len() as u64, summary.records);
    assert_eq!(intended(&records), data.venue_orders());
    assert_eq!(booked(&records), data.venue_fills());
    assert_eq!(summary.fills, data.venue_fills().len() as u64);
    data.assert_verifies();
}

#[test]
fn a_day_without_faults_hardly_disturbs_the_operator() {
    for seed in [1, 2, 7] {
        let raised = simulate(&RunOptions { seed, ..options() }).alarms_raised;
        let of = |class: &str| raised.get(class).copied().unwrap_or_default();
        assert_eq!(of("Emergency"), 0, "seed {seed}: {raised:?}");
        assert!(of("High") <= 2, "seed {seed}: {raised:?}");
        assert!(raised.values().sum::<u64>() <= 20, "seed {seed}: {raised:?}");
    }
}

/// The checked-in script, with a halt before its first morning.
fn script_with_a_halt(place: &Place) -> std::path::PathBuf {
    let mornings = include_str!("../../assets/operator.yaml");
    place.write("halt.yaml", &format!("- {{ at: 6h, do: halt a drill }}\n{mornings}"))
}

#[test]
fn the_scripted_operator_releases_and_resumes_in_the_morning() {
    let place = Place::new();
    let operator_script = Some(script_with_a_halt(&place));

    let summary = simulate(&RunOptions { operator_script, run_for: Some(HOUR * 10), ..options() });

    let changes: Vec<_> = summary.state_changes.iter().map(|it| (it.to.as_str(), it.by.as_str())).collect();
    assert_eq!(changes, [("HALTED", "script"), ("PAUSED", "script"), ("RUNNING", "script")]);
    assert_eq!(summary.seconds_in_state["HALTED"], 2 * 3_600 + 3 * 60);
    assert_eq!(summary.state.state, "RUNNING");
}

#[test]
fn a_tripped_breaker_stops_trading_until_an_operator_arms_it() {
    let touchy = config(&["risk.breakers.daily_loss_pct=0.1"]);
    let alone = RunOptions { run_for: Some(DAY * 2), config: touchy, ..options() };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/operator.yaml").into();
    let attended = RunOptions { operator_script: Some(script), ..alone.clone() };

    let (alone, attended) = (simulate(&alone), simulate(&attended));

    assert_eq!((alone.state.state.as_str(), alone.state.by.as_str()), ("PAUSED", "breaker"));
    assert_eq!(alone.state_changes.len(), 1, "nothing resumes by itself");
    assert!(alone.alarms["Emergency"].keys().all(|state| state.ends_with("unacknowledged")));
    assert!(attended.state_changes.iter().any(|change| (&*change.to, &*change.by) == ("RUNNING", "script")));
    assert!(attended.seconds_in_state["RUNNING"] > alone.seconds_in_state["RUNNING"]);
}
