//! Panics, provoked by a variable that only a debug build knows: the terminal comes back whole, the gate is shut, and
//! no word of them is printed into the picture.

#![cfg(debug_assertions)]

use tempfile::tempdir;

use crate::terminal::{Console, journal, log};

const WORDS: &str = "provoked in the";

/// What was written since the screen was taken: before that, a panic may still go to stderr.
fn on_the_screen(console: &Console) -> String {
    const SCREEN_TAKEN: &str = "\u{1b}[?1049h";
    let bytes = console.bytes();
    let text = String::from_utf8_lossy(&bytes);
    text.rsplit(SCREEN_TAKEN).next().unwrap_or_default().to_owned()
}

#[test]
fn a_panic_of_the_console_gives_the_terminal_back_and_is_told_behind_the_screen() {
    let dir = tempdir().unwrap();
    let mut console = Console::start_with(120, 40, dir.path(), &[], &[("ANDON_PANIC", "console")]);

    let status = console.end();

    assert_eq!(status.exit_code(), 1);
    console.assert_given_back();
    let bytes = console.bytes();
    let said = String::from_utf8_lossy(&bytes);
    let (_, behind) = said.rsplit_once("\x1b[?1049l").unwrap();
    assert!(behind.contains("provoked in the console"), "{behind}");
    assert!(behind.contains("andon: the console panicked"), "{behind}");
    assert!(journal(dir.path()).contains("run_ended"));
    assert!(log(dir.path()).contains("provoked in the console"));
}

#[test]
fn a_panic_of_a_task_pauses_raises_an_emergency_and_goes_to_the_log_alone() {
    let dir = tempdir().unwrap();
    let mut console = Console::start_with(120, 40, dir.path(), &[], &[("ANDON_PANIC", "probe")]);

    console.shows(&["PAUSED", "EMERGENCY", "health probe"]);

    assert!(!on_the_screen(&console).contains(WORDS), "it was printed onto the screen");
    assert!(log(dir.path()).contains("provoked in the probe"));
    console.press_until("1", "acknowledge as investigating");
    console.press_until("y", "1 acked");
    console.hides("EMERGENCY unacked");
    console.wait_for("the acknowledgement to be recorded", || journal(dir.path()).contains("investigating"));
}

#[test]
fn a_panic_of_the_core_leaves_a_screen_that_says_so_and_a_shut_gate() {
    let dir = tempdir().unwrap();
    let mut console = Console::start_with(120, 40, dir.path(), &[], &[("ANDON_PANIC", "core")]);

    console.shows(&["CORE ENDED", "gate PAUSED", "core ended", "its task panicked"]);
    assert!(!on_the_screen(&console).contains(WORDS), "it was printed onto the screen");
    assert!(!console.screen().contains("r resume"), "{}", console.screen());
    console.press_until("0", "provoked in the core");
    console.press_until("0", "6 Alarms");
    console.signal("TERM");
    let status = console.end();

    assert_eq!(status.exit_code(), 1);
    console.assert_given_back();
    assert!(String::from_utf8_lossy(&console.bytes()).contains("andon: the core ended"));
    assert!(log(dir.path()).contains("provoked in the core"));
}
