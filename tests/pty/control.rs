//! Keys that steer the engine: what they do to the screen, the latch and the journal.

use tempfile::tempdir;

use crate::terminal::{Console, journal};

#[test]
fn p_pauses_at_once() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING", "ENTRIES OPEN"]);

    console.press("p");

    console.shows(&["PAUSED", "ENTRIES BLOCKED: paused", "EXITS ON"]);
}

#[test]
fn the_halt_key_pauses_then_halts_and_the_latch_and_the_journal_say_so() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(80, 24, dir.path(), &[]);
    console.shows(&["RUNNING"]);

    console.press("H");
    console.shows(&["PAUSED"]);
    console.press("H");

    console.shows(&["HALTED", "[durable]"]);
    assert!(dir.path().join("HALT").exists());
    let journal = journal(dir.path());
    assert!(journal.contains(r#""to":"PAUSED""#), "{journal}");
    assert!(journal.contains(r#""from":"PAUSED","to":"HALTED""#), "{journal}");
}

#[test]
fn ctrl_x_halts_out_of_a_text_field() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);
    console.press("/");
    console.press("btc");

    console.press("\x18");
    console.shows(&["PAUSED"]);
    console.press("\x18");

    console.shows(&["HALTED", "[durable]"]);
    assert!(dir.path().join("HALT").exists());
}

#[test]
fn a_tighter_level_is_forced_by_its_digit_and_accuses_nobody() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["LEVEL NORMAL"]);

    console.press("d");
    console.shows(&["Degradation level"]);
    console.press_until("3", "LEVEL LIMITED");

    console.shows(&["forced LIMITED by", "no alarms"]);
    assert!(journal(dir.path()).contains(r#""transition":"forced""#));
}

#[test]
fn a_pause_is_ended_by_r_and_y() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);
    console.press("p");
    console.shows(&["PAUSED"]);

    console.press("r");
    console.shows(&["Resume: PAUSED to RUNNING"]);
    console.press_until("y", "RUNNING 0:0");

    console.shows(&["ENTRIES OPEN"]);
    assert!(journal(dir.path()).contains(r#""from":"PAUSED","to":"RUNNING""#));
}

#[test]
fn a_halt_is_released_by_reason_and_code_to_paused() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);
    console.press("H");
    console.press("H");
    console.shows(&["HALTED"]);

    console.press("r");
    console.shows(&["Release: HALTED to PAUSED", "ok     store writes"]);
    console.press_until("y", "why is it safe again?");
    console.press_until("z", "again? z");
    console.press_until("\r", " to release (");
    let screen = console.screen();
    let (_, rest) = screen.split_once("│ type ").unwrap();
    let (code, _) = rest.split_once(" to release").unwrap();
    console.press_until(code, "PAUSED 0:0");

    assert!(!dir.path().join("HALT").exists());
    assert!(journal(dir.path()).contains(r#""from":"HALTED","to":"PAUSED""#));
}
