//! How the program ends, and what it leaves behind: the terminal as it was, and a journal that says the end.

use std::path::Path;
use std::process::{Command, Stdio};

use rstest::rstest;
use tempfile::tempdir;

use crate::terminal::{Console, journal, log};

/// The last record; the file beside the segments tells the head, and is none.
fn last_record(data: &Path) -> String {
    let journal = journal(data);
    let record = journal.lines().rfind(|line| line.contains(r#""kind":"#));
    record.unwrap_or_default().to_owned()
}

/// The last change of the trading state.
fn last_state(data: &Path) -> Option<String> {
    journal(data).lines().rfind(|line| line.contains("state_changed")).map(ToOwned::to_owned)
}

fn assert_clean_end(data: &Path, why: &str) {
    let record = last_record(data);
    assert!(record.contains("run_ended"), "the last record is {record}");
    assert!(record.contains(why), "{why:?} is not in {record}");
}

#[rstest]
#[case::its_key("q")]
#[case::ctrl_c("\x03")]
fn quitting_asks_first(#[case] key: &str) {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);

    console.press(key);
    console.shows(&["Quit?", "keep running (default)"]);
    let status = console.press_until_end("y");

    assert_eq!(status.exit_code(), 0);
    console.assert_given_back();
    assert_clean_end(dir.path(), "quit by the operator");
}

#[rstest]
#[case::term("TERM")]
#[case::int("INT")]
#[case::quit("QUIT")]
fn a_signal_ends_it_cleanly(#[case] name: &str) {
    let dir = tempdir().unwrap();
    let mut console = Console::start(80, 24, dir.path(), &[]);
    console.shows(&["RUNNING"]);

    console.signal(name);
    let status = console.end();

    assert_eq!(status.exit_code(), 0);
    console.assert_given_back();
    assert_clean_end(dir.path(), name);
}

#[test]
fn the_signals_of_the_user_leave_the_console_as_it_is() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);

    console.signal("USR1");
    console.signal("USR2");
    console.wait_for("both to be heard", || {
        let log = log(dir.path());
        log.contains("SIGUSR1 has no meaning") && log.contains("SIGUSR2 has no meaning")
    });

    console.press("p");
    console.shows(&["PAUSED"]);
    console.signal("TERM");
    assert_eq!(console.end().exit_code(), 0);
    console.assert_given_back();
}

#[test]
fn a_hangup_without_positions_ends_it_cleanly() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(80, 24, dir.path(), &[]);
    console.shows(&["RUNNING", "0 positions"]);

    console.signal("HUP");
    let status = console.end();

    assert_eq!(status.exit_code(), 0);
    console.assert_given_back();
    assert_clean_end(dir.path(), "SIGHUP");
}

/// A console at real speed on a market in which positions are open, and running.
fn with_positions(data: &Path) -> Console {
    const KEEP_RUNNING: [&str; 2] = ["--set", "orchestration.control.restart=last"];
    for _ in 0..16 {
        let simulated = Command::new(env!("CARGO_BIN_EXE_andon"))
            .args(["run", "--speed", "max", "--for", "3h", "--no-console", "--data-dir"])
            .arg(data)
            .args(KEEP_RUNNING)
            .env("HOME", data)
            .output()
            .unwrap();
        assert!(simulated.status.success(), "{}", String::from_utf8_lossy(&simulated.stderr));
        let mut console = Console::start(120, 40, data, &["--speed", "1", KEEP_RUNNING[0], KEEP_RUNNING[1]]);
        console.shows(&["RUNNING", "8 Portfolio ─ "]);
        if !console.screen().contains("8 Portfolio ─ 0 positions") {
            return console;
        }
        console.signal("TERM");
        console.end();
    }
    panic!("two days of this market without a position");
}

#[test]
fn a_hangup_with_positions_open_keeps_the_engine_going_paused() {
    let dir = tempdir().unwrap();
    let mut console = with_positions(dir.path());

    console.signal("HUP");
    console.writes("\x1b[?1049l");
    console.wait_for("the pause to be recorded", || {
        last_state(dir.path())
            .is_some_and(|record| record.contains(r#""to":"PAUSED""#) && record.contains("SIGHUP"))
    });

    assert!(console.is_alive(), "{}", log(dir.path()));
    assert!(!dir.path().join("HALT").exists());
    console.assert_given_back();
    console.signal("TERM");
    assert_eq!(console.end().exit_code(), 0);
    assert_clean_end(dir.path(), "SIGTERM");
}

#[test]
fn a_closed_terminal_without_positions_ends_it_cleanly() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(80, 24, dir.path(), &[]);
    console.shows(&["RUNNING", "0 positions"]);

    console.hang_up();
    let status = console.end();

    assert_eq!(status.exit_code(), 0, "{}", log(dir.path()));
    assert!(last_record(dir.path()).contains("run_ended"), "{}", log(dir.path()));
}

#[test]
fn a_closed_terminal_with_positions_open_keeps_the_engine_going_paused() {
    let dir = tempdir().unwrap();
    let mut console = with_positions(dir.path());

    console.hang_up();
    console.wait_for("the pause to be recorded", || {
        last_state(dir.path()).is_some_and(|record| record.contains(r#""to":"PAUSED""#))
    });

    assert!(console.is_alive(), "{}", log(dir.path()));
    console.signal("TERM");
    assert_eq!(console.end().exit_code(), 0);
    assert_clean_end(dir.path(), "SIGTERM");
}

#[test]
fn ctrl_z_does_not_stop_the_engine() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);

    console.press("\x1a");

    console.shows(&["detach tmux, or q"]);
    assert!(console.is_alive());
}

#[test]
fn the_second_start_comes_up_paused_and_names_the_key() {
    let dir = tempdir().unwrap();
    let mut first = Console::start(120, 40, dir.path(), &[]);
    first.shows(&["RUNNING"]);
    first.press("q");
    first.shows(&["Quit?"]);
    first.press_until_end("y");

    let second = Console::start(120, 40, dir.path(), &[]);

    second.shows(&["PAUSED", "restarted", "r resumes"]);
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let dir = tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_andon"))
        .arg("--data-dir")
        .arg(dir.path())
        .env("HOME", dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--no-console"), "{said}");
    assert_eq!(output.stdout, b"");
    assert!(!dir.path().join("journal").exists(), "nothing may trade before there is a screen");
}
