//! Signals: what they end, what they leave behind, and what they do not do.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use andon::coordinator::record::RecordKind;
use rstest::rstest;

use super::place::{Data, Place, text};

const AT_FULL_SPEED: [&str; 6] = ["--no-console", "--speed", "max", "--for", "3000d", "--summary"];

/// How often something is looked at before it counts as one that does not come: 20 s at least.
const ROUNDS_MAX: u32 = 1_000;

/// Starts the program in a shell that ignores these signals, with a temporary folder of its own.
fn start(place: &Place, ignored: &str, args: &[&str]) -> Child {
    let andon = place.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{ignored} exec \"$0\" \"$@\"")]).arg(andon.get_program());
    command.args(andon.get_args()).current_dir(place.path());
    command.env("HOME", place.path()).env("TMPDIR", temporary(place));
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME").env_remove("RUST_LOG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn temporary(place: &Place) -> std::path::PathBuf {
    let folder = place.path().join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Bytes of the journals in the data directories of a folder, or in this one.
fn journal_bytes(place: &Path) -> u64 {
    let inside = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = inside.chain([place.to_owned()]).map(|dir| dir.join("journal/00000001.log"));
    files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}

/// Waits until the journal has grown by a good deal.
fn works_on(child: &mut Child, place: &Path) {
    const GROWTH: u64 = 20_000;
    let before = journal_bytes(place);
    for _ in 0..ROUNDS_MAX {
        if journal_bytes(place) > before + GROWTH {
            return;
        }
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        // Another process is waited for; it tells nobody.
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the journal does not grow")
}

fn kill(child: &Child, name: &str) {
    let killed = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

fn last_reason(data: &Data) -> String {
    match data.records().pop().map(|record| record.kind) {
        Some(RecordKind::RunEnded { reason }) => reason.to_string(),
        other => panic!("no end record but {other:?}"),
    }
}

#[rstest]
#[case("INT")]
#[case("TERM")]
#[case("HUP")]
#[case("QUIT")]
fn a_signal_ends_a_run_at_full_speed_in_order_and_leaves_nothing_behind(#[case] name: &str) {
    let place = Place::new();
    let mut child = start(&place, "", &[&AT_FULL_SPEED[..], &["json"]].concat());
    works_on(&mut child, &temporary(&place));

    kill(&child, name);

    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(summary["virtual_seconds"].as_u64().unwrap() < 3_000 * 86_400, "it did not go to its end");
    assert_eq!(std::fs::read_dir(temporary(&place)).unwrap().count(), 0);
}

#[test]
fn the_end_record_of_a_run_at_full_speed_names_the_signal() {
    let place = Place::new();
    let data = place.data();
    let mut child = start(&place, "", &[&AT_FULL_SPEED[..], &["json", "--data-dir", data.arg()]].concat());
    works_on(&mut child, &data.path());

    kill(&child, "TERM");

    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["records"].as_u64(), Some(data.records().len() as u64));
    assert_eq!(last_reason(&data), "SIGTERM");
    data.assert_verifies();
}

#[rstest]
#[case::at_full_speed("max", "HUP")]
#[case::live("3600", "HUP")]
#[case::live_interrupt("3600", "INT")]
fn what_was_ignored_at_the_start_stays_ignored(#[case] speed: &str, #[case] name: &str) {
    let place = Place::new();
    let data = place.data();
    let args = ["--no-console", "--speed", speed, "--for", "3000d", "--data-dir", data.arg()];
    let mut child = start(&place, &format!("trap '' {name};"), &args);
    works_on(&mut child, &data.path());

    kill(&child, name);

    works_on(&mut child, &data.path());
    kill(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(last_reason(&data), "SIGTERM");
}

#[rstest]
#[case::at_full_speed("max")]
#[case::live("3600")]
fn the_signals_of_the_user_end_nothing(#[case] speed: &str) {
    let place = Place::new();
    let data = place.data();
    let args = ["--no-console", "--speed", speed, "--for", "3000d", "--data-dir", data.arg()];
    let mut child = start(&place, "", &args);
    works_on(&mut child, &data.path());

    kill(&child, "USR1");
    kill(&child, "USR2");

    works_on(&mut child, &data.path());
    kill(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(last_reason(&data), "SIGINT");
}
