//! Whatever the terminal has sent, and whether or not it takes what is drawn: pause, halt, Ctrl-X and quit work.

use std::time::Duration;

use rstest::rstest;
use tempfile::tempdir;

use crate::terminal::{Console, journal, log};

/// A paste, a mouse report, a character, and texts for a program, each without its end.
#[rstest]
#[case::open_paste(b"\x1b[200~buy the dip", 1_050)]
#[case::mouse_report(b"\x1b[<0;12;", 150)]
#[case::old_mouse_report(b"\x1b[M !", 150)]
#[case::half_a_character(b"\xf0\x9f\x92", 150)]
#[case::title(b"\x1b]0;pHq", 150)]
#[case::device_control(b"\x1bP1;2q#0", 150)]
#[case::application_command(b"\x1b_Gf=100;AAAA\x1b", 150)]
fn the_keys_that_stop_work_behind_half_a_sequence(#[case] bytes: &[u8], #[case] millis: u64) {
    let dir = tempdir().unwrap();
    let mut console = Console::start(80, 24, dir.path(), &[]);
    console.shows(&["RUNNING"]);
    console.send(bytes);
    console.rest(Duration::from_millis(millis));

    console.press("p");
    console.shows(&["PAUSED"]);
    console.send(bytes);
    console.rest(Duration::from_millis(millis));
    console.press("H");
    console.press("H");
    console.shows(&["HALTED"]);

    console.send(bytes);
    console.rest(Duration::from_millis(millis));
    console.press_until("q", "Quit?");
    assert_eq!(console.press_until_end("y").exit_code(), 0);
    console.assert_given_back();
}

#[rstest]
#[case::open_paste(b"\x1b[200~buy the dip")]
#[case::device_control(b"\x1bP1;2q#0")]
fn ctrl_x_halts_at_once_out_of_half_a_sequence(#[case] bytes: &[u8]) {
    let dir = tempdir().unwrap();
    let mut console = Console::start(80, 24, dir.path(), &[]);
    console.shows(&["RUNNING"]);

    console.send(&[bytes, b"\x18\x18"].concat());

    console.shows(&["HALTED", "[durable]"]);
    assert!(dir.path().join("HALT").exists());
}

/// Xorshift: the same garbage for the same seed.
fn garbage(seed: u64, count: usize) -> Vec<u8> {
    const PIECES: [&[u8]; 8] =
        [b"\x1b[", b"\x1b[200~", b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b[<0;", b"\xe2\x82", b"\x1bO"];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let mut bytes = Vec::new();
    while bytes.len() < count {
        if next().is_multiple_of(3) {
            bytes.extend_from_slice(PIECES[next() % PIECES.len()]);
        } else {
            bytes.push(u8::try_from(next() % 256).unwrap());
        }
    }
    // What stops is pressed afterwards, so that it is seen to work.
    bytes.retain(|byte| !b"pH\x18".contains(byte));
    bytes
}

#[rstest]
fn the_keys_that_stop_work_a_second_after_any_bytes(#[values(1, 2, 3, 4, 5, 6)] seed: u64) {
    println!("seed {seed}");
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);
    let disturb = |console: &mut Console, round| {
        console.send(&garbage(seed * 16 + round, 400));
        console.rest(Duration::from_millis(1_050));
        // Out of the texts and boxes that the garbage may have opened.
        for _ in 0..4 {
            console.press("\x1b");
            console.rest(Duration::from_millis(350));
        }
    };

    disturb(&mut console, 1);
    console.shows(&["RUNNING"]);
    console.press("p");
    console.shows(&["PAUSED"]);
    disturb(&mut console, 2);
    console.press("H");
    console.press("H");
    console.shows(&["HALTED"]);
    disturb(&mut console, 3);
    console.press("q");
    console.shows(&["Quit?"]);
}

#[test]
fn the_keys_that_stop_work_while_nobody_reads_the_terminal_and_that_is_told_afterwards() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);
    console.stop_reading();
    // Every size is a whole frame more than the line holds.
    for step in 0_u16..60 {
        console.tell_size(120 + step % 2, 40);
        console.rest(Duration::from_millis(50));
    }

    console.press("p");
    console.wait_for("the pause to be recorded", || journal(dir.path()).contains(r#""to":"PAUSED""#));
    console.press("HH");
    console.wait_for("the latch", || dir.path().join("HALT").exists());
    assert!(journal(dir.path()).contains(r#""from":"PAUSED","to":"HALTED""#));
    // Typed blindly: it must not act when the screen moves again.
    console.press("q");
    console.rest(Duration::from_millis(1_000));

    console.go_on_reading();
    console.shows(&["HALTED", "the terminal took nothing for"]);
    assert!(!console.screen().contains("Quit?"), "{}", console.screen());
    assert!(log(dir.path()).contains("the terminal took nothing"));
}

#[test]
fn a_terminal_that_nobody_reads_halts_by_ctrl_x_out_of_a_text_field() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);
    console.press("/");
    console.shows(&["Filter topics"]);
    console.stop_reading();
    for step in 0_u16..60 {
        console.tell_size(120 + step % 2, 40);
        console.rest(Duration::from_millis(50));
    }

    console.press("pHH");
    console.rest(Duration::from_millis(500));
    assert!(!journal(dir.path()).contains(r#""to":"PAUSED""#), "what is typed into a text is text");
    console.press("\x18\x18");

    console.wait_for("the latch", || dir.path().join("HALT").exists());
    console.go_on_reading();
    console.shows(&["HALTED"]);
}

#[test]
fn letters_typed_into_a_text_in_one_go_are_no_keys() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);

    console.press("/pHHq");

    console.shows(&["RUNNING", "/ pHHq_"]);
    assert!(!journal(dir.path()).contains(r#""to":"PAUSED""#));
}

#[test]
fn a_burst_of_keys_behind_a_box_confirms_nothing() {
    let dir = tempdir().unwrap();
    let mut console = Console::start(120, 40, dir.path(), &[]);
    console.shows(&["RUNNING"]);
    console.press("q");
    console.shows(&["Quit?"]);
    console.rest(Duration::from_millis(500));

    console.press("yes");

    console.shows(&["typed in a row, which is no answer"]);
    console.rest(Duration::from_millis(500));
    assert!(console.is_alive());
    console.shows(&["Quit?"]);
}
