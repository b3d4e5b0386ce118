//! What is drawn on terminals of every size.

use rstest::rstest;
use tempfile::tempdir;

use crate::terminal::Console;

const PANES: [&str; 9] = [
    "1 Topics",
    "2 Consensus",
    "3 Degradation",
    "4 Schedule",
    "5 DCA",
    "6 Alarms",
    "7 Decisions",
    "8 Portfolio",
    "9 Health",
];

#[rstest]
#[case::small(80, 24)]
#[case::large(120, 40)]
fn every_pane_is_alive_on_the_first_screen(#[case] width: u16, #[case] height: u16) {
    let dir = tempdir().unwrap();
    let mut console = Console::start(width, height, dir.path(), &[]);

    console.shows(&["RUNNING"]);
    println!("{width}x{height}: first frame after {:?}", console.age());
    console.shows(&PANES);
    console.shows(&["market_data", "BTC/USDT", "1 plan", "HOLD", "PAPER SIM"]);
    assert!(console.bytes().starts_with(b"\x1b[?1049h"), "the first bytes enter the alternate screen");

    console.press("0");
    console.shows(&["Log"]);
    console.press("\x1b");
    console.shows(&PANES);
}

#[test]
fn a_storm_of_resizes_down_to_one_cell_leaves_a_whole_screen() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);

    for step in 0_u16..60 {
        console.resize(1 + (step * 37) % 200, 1 + (step * 23) % 60);
    }
    console.resize(1, 1);
    console.resize(80, 24);

    console.shows(&["RUNNING"]);
    console.shows(&PANES);
    console.press("p");
    console.shows(&["PAUSED"]);
}

#[test]
fn a_key_in_the_moment_of_a_resize_does_not_wait_for_the_next_one() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&PANES);

    for step in 0_u16..100 {
        console.resize(100 + step % 2, 30);
        console.press("0");
        console.shows(&["0 Log"]);
        console.resize(120 + step % 2, 40);
        console.press("\x1b");
        console.shows(&PANES);
    }
}

#[rstest]
#[case::resume(&["p"], "PAUSED", "r", "Resume: PAUSED to RUNNING", "Esc cancel")]
#[case::level(&[], "RUNNING", "d", "Degradation level", "4 EMERGENCY")]
#[case::quit(&[], "RUNNING", "q", "Quit?", "keep running (default)")]
#[case::command(&[], "RUNNING", ":", "Command", "Esc cancel")]
fn a_dialog_stays_whole_while_the_terminal_is_resized(
    #[case] before: &[&str],
    #[case] state: &str,
    #[case] opens: &str,
    #[case] title: &str,
    #[case] kept: &str,
) {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);
    for key in before {
        console.press(key);
    }
    console.shows(&[state]);
    console.press(opens);
    console.shows(&[title, kept]);

    for (width, height) in [(80, 24), (60, 16), (1, 1), (200, 60), (80, 24)] {
        console.resize(width, height);
    }

    console.shows(&[title, kept, state, "? help"]);
    console.press_until_hidden("\x1b", title);
}

#[test]
fn the_screen_comes_back_whole_although_the_size_is_the_old_one_again_when_it_is_looked_at() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&PANES);

    console.signal("STOP");
    console.wait_for("the stop", || !console.is_alive());
    console.resize(1, 1);
    console.resize(120, 40);
    console.signal("CONT");

    console.shows(&PANES);
    let bytes = console.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let (before, _) = text.rsplit_once("\x1b[2J").expect("it is drawn anew");
    assert!(before.ends_with("\x1b[?2026h"), "no empty screen is shown");
}

#[test]
fn a_paste_is_no_keys() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);

    console.press("\x1b[200~HHpq\ry\x1b[201~");

    console.shows(&["paste ignored", "RUNNING"]);
    assert!(!dir.path().join("HALT").exists());
}

#[test]
fn a_terminal_of_one_cell_can_be_started_on_halted_and_left() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(1, 1, dir.path(), &[]);
    console.writes("\x1b[?1049h");

    console.press_until_there("H", &dir.path().join("HALT"));

    console.signal("TERM");
    assert_eq!(console.end().exit_code(), 0);
    console.assert_given_back();
}

/// One start, with this environment.
fn bytes_of(env: &[(&str, &str)]) -> String {
    let dir = tempdir().unwrap();
    let console = Console::start_with(80, 24, dir.path(), &[], env);
    console.shows(&["RUNNING", "1 Topics"]);
    String::from_utf8_lossy(&console.bytes()).into_owned()
}

#[test]
fn a_vt100_gets_no_colour_and_a_locale_without_utf8_ascii() {
    let is_coloured = |bytes: &str| bytes.contains("\x1b[38;5;");

    assert!(is_coloured(&bytes_of(&[])));
    assert!(!is_coloured(&bytes_of(&[("TERM", "vt100"), ("COLORTERM", "truecolor")])));
    assert!(!is_coloured(&bytes_of(&[("NO_COLOR", "1")])));
    assert!(!bytes_of(&[]).is_ascii());
    assert!(bytes_of(&[("LC_ALL", "C")]).is_ascii());
}

#[test]
fn the_alternate_screen_is_cleared_before_anything_is_drawn() {
    let bytes = bytes_of(&[]);
    let (_, entered) = bytes.split_once("\x1b[?1049h").unwrap();
    assert!(entered.starts_with("\x1b[2J"), "{:?}", entered.get(..40));
}

#[test]
fn a_terminal_without_a_cursor_is_refused_before_anything_trades() {
    let dir = tempdir().unwrap();
    let mut console = Console::start_with(80, 24, dir.path(), &[], &[("TERM", "dumb")]);

    assert_eq!(console.end().exit_code(), 2);

    assert!(console.screen().contains("TERM=dumb"), "{}", console.screen());
    assert!(console.screen().contains("--no-console"), "{}", console.screen());
    assert!(!dir.path().join("journal").exists());
}
