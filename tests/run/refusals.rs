//! What cannot be run: said before anything is traded, with what to do.

use std::fs;

use andon::coordinator::record::Record;
use andon::runtime::options::RunOptions;
use rstest::rstest;

use super::place::{DAY, HOUR, Place, assert_fails, options, refused, simulate};

const AT_ONCE: [&str; 5] = ["--no-console", "--speed", "max", "--for", "1h"];

#[test]
fn the_directory_of_another_seed_or_currency_is_refused_by_both_names() {
    let place = Place::new();
    let data = place.data();
    simulate(&RunOptions { run_for: Some(HOUR), data_dir: Some(data.path()), ..options() });
    let before = data.records();

    let output = place.andon(&[&AT_ONCE[..], &["--data-dir", data.arg(), "--seed", "8"]].concat());

    assert_fails(&output, 2, &["simulated/USDT/7", "simulated/USDT/8"]);
    assert_eq!(data.records(), before, "nothing was written into it");
}

#[test]
fn a_directory_whose_identity_is_lost_goes_on_only_as_what_it_was() {
    let place = Place::new();
    let data = place.data();
    let run = |seed: u64| RunOptions { run_for: Some(HOUR), data_dir: Some(data.path()), seed, ..options() };
    simulate(&run(7));
    let (identity, before) = (data.path().join("identity.json"), data.records());
    fs::remove_file(&identity).unwrap();

    let error = refused(&run(8)).to_string();

    assert!(error.contains("identity.json is gone") && error.contains("simulated/USDT/8"), "{error}");
    assert!(!identity.exists());
    assert_eq!(data.records(), before, "nothing was written into it");
    simulate(&run(7));
    assert!(identity.exists());
}

#[rstest]
#[case::a_file("file", "cannot be used (")]
#[case::below_a_file("file/below", "cannot be used (")]
#[case::where_nothing_can_be_made("/proc/none", "cannot be used (create: ")]
fn a_data_directory_that_cannot_be_used_exits_2(#[case] dir: &str, #[case] said: &str) {
    let place = Place::new();
    place.write("file", "x");
    let output = place.andon(&[&AT_ONCE[..], &["--data-dir", dir]].concat());
    assert_fails(&output, 2, &[dir, said, "--data-dir"]);
}

#[test]
fn a_model_that_nothing_here_can_ask_is_refused_and_not_silently_left_out() {
    let place = Place::new();
    let primary = "orchestration.llm.primary={name: alpha, timeout: 5s}";
    let output = place.andon(&[&AT_ONCE[..], &["--set", primary]].concat());
    assert_fails(&output, 2, &["llm.primary", "`alpha`", "remove llm.primary"]);
}

#[test]
fn a_pair_without_a_slash_exits_2_and_says_how_it_is_written() {
    let place = Place::new();
    let output = place.andon(&[&AT_ONCE[..], &["--set", "orchestration.symbols=[BTCUSDT]"]].concat());
    assert_fails(&output, 2, &["symbols", "BASE/QUOTE"]);
}

#[test]
fn an_empty_configuration_file_exits_2_and_names_it() {
    let place = Place::new();
    place.write("portfolio.yaml", "");
    let output = place.andon(&[&AT_ONCE[..], &["--config", "."]].concat());
    assert_fails(&output, 2, &["portfolio.yaml: the file is empty"]);
}

#[rstest]
#[case::instant("- { at: noon, do: pause }", "entry 1: `at: noon`")]
#[case::command("- { at: 1h, do: resume }\n- { at: 2h, do: pauze }", "entry 2: `pauze` is not a command")]
fn a_wrong_operator_script_exits_2_and_names_the_entry(#[case] script: &str, #[case] said: &str) {
    let place = Place::new();
    place.write("s.yaml", script);
    let output = place.andon(&[&AT_ONCE[..], &["--operator-script", "s.yaml"]].concat());
    assert_fails(&output, 2, &["s.yaml", said]);
}

#[rstest]
#[case::one_value("x: ", "a", 10_000_000, "risk.yaml: more than 128 KiB")]
#[case::many_keys("", "- a\n", 3_000_000, "risk.yaml: more than 128 KiB")]
#[case::brackets("x: ", "[", 100_000, "risk.yaml:1:68: more than 64 brackets")]
#[case::braces("x: ", "{a: ", 25_000, "brackets open within each other")]
#[case::lists_in_a_line("x:\n ", "- ", 60_000, "recursion limit")]
fn a_configuration_that_nobody_can_have_meant_is_refused_with_its_limit(
    #[case] before: &str,
    #[case] part: &str,
    #[case] times: usize,
    #[case] said: &str,
) {
    let place = Place::new();
    place.write("risk.yaml", &(before.to_owned() + &part.repeat(times)));
    let output = place.andon(&["config", "check", "--config", "."]);
    assert_fails(&output, 2, &["risk.yaml", said]);
}

#[test]
fn a_script_that_nobody_can_have_meant_is_refused_with_its_limit() {
    let place = Place::new();
    let reason = "x".repeat(10_000);
    for (script, said) in [
        ("# much\n".repeat(2_000_000), "s.yaml: the operator script is not read: more than 128 KiB"),
        (format!("- {{ at: 1h, do: note {reason} }}"), "entry 1: 10005 characters, at most 500"),
        ("[".repeat(100_000), "s.yaml:1:65: more than 64 brackets"),
    ] {
        place.write("s.yaml", &script);
        let output = place.andon(&[&AT_ONCE[..], &["--operator-script", "s.yaml"]].concat());
        assert_fails(&output, 2, &[said]);
    }
}

#[test]
fn a_journal_that_was_cut_is_not_traded_upon() {
    let place = Place::new();
    let data = place.data();
    let options = RunOptions { run_for: Some(HOUR), data_dir: Some(data.path()), ..options() };
    simulate(&options);
    let log = data.dir().journal().join("00000001.log");
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    fs::write(&log, lines[..lines.len() - 3].join("\n") + "\n").unwrap();

    let next = simulate(&options);

    assert_eq!(next.state.state, "HALTED");
    assert_eq!(next.orders.intended, 0);
    assert!(next.alarms["Emergency"].values().sum::<u64>() > 0, "{:?}", next.alarms);
}

#[test]
fn a_start_that_is_refused_is_an_error_of_the_library_too() {
    let place = Place::new();
    let error = refused(&RunOptions { data_dir: Some(place.write("file", "x")), ..options() });
    assert!(error.to_string().contains("cannot be used"), "{error}");
}

#[test]
fn a_venue_that_lost_what_it_had_executed_is_refused_before_anything_is_traded() {
    let place = Place::new();
    let data = place.data();
    simulate(&RunOptions { run_for: Some(DAY * 2), data_dir: Some(data.path()), ..options() });
    let (log, kept) = (data.path().join("venue.log"), data.path().join("venue.log.kept"));
    assert!(!data.venue_fills().is_empty(), "there is nothing to lose");
    let segment = data.dir().journal().join("00000001.log");
    let whole = fs::read(&segment).unwrap();
    let last_line = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    fs::write(&segment, [&whole, &whole[last_line..last_line + 40]].concat()).unwrap();
    let before = data.records_so_far();
    fs::rename(&log, &kept).unwrap();
    let again = [&AT_ONCE[..], &["--data-dir", data.arg()]].concat();

    let output = place.andon(&again);

    assert_fails(&output, 1, &["venue.log knows executions up to", "put it back as it was"]);
    assert_eq!(data.records(), before, "nothing was written into it");
    fs::rename(&kept, &log).unwrap();
    let output = place.andon(&again);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let torn = format!("torn last record moved to journal/00000001.log.torn-{}", before.len());
    let names_it = |record: &&Record| serde_json::to_string(record).unwrap().contains(&torn);
    assert_eq!(data.records().iter().filter(names_it).count(), 1, "the refused start could not record it");
}
