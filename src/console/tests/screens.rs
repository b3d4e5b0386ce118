//! What the screen looks like.

use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};
use rstest::rstest;

use crate::console::app::{Action, App};
use crate::console::{Options, fixture, view};
use crate::coordinator::snapshot::{ControlView, Snapshot};
use crate::domain::{Now, TradingState};

/// For looking at: `cargo test --lib console::tests::screens::print -- --ignored --nocapture`.
#[test]
#[ignore = "prints the screens for a reader"]
fn print() {
    for (width, height) in [(120, 40), (80, 24), (60, 16), (40, 8)] {
        println!("{width}x{height}\n{}\n", fixture::screen(&fixture::app(), width, height));
    }
    for digit in "1234567890".chars() {
        let mut app = fixture::app();
        press(&mut app, &digit.to_string());
        println!("page {digit}\n{}\n", fixture::screen(&app, 100, 30));
    }
}

fn press(app: &mut App, key: &str) {
    let facts = app.facts().clone();
    app.update(facts, Action::Key(key.parse().unwrap()));
}

fn with_control(control: ControlView) -> Snapshot {
    Snapshot { control: Arc::new(control), ..fixture::empty() }
}

fn stuck() -> App {
    let snapshot = fixture::snapshot();
    let at = Now { operator: fixture::now().operator.minus(Duration::from_secs(7)), ..fixture::now() };
    fixture::app_of(Snapshot { at, ..snapshot })
}

#[test]
fn the_wide_screen_is_as_on_the_drawing_board() {
    insta::assert_snapshot!("normal_120x40", fixture::screen(&fixture::app(), 120, 40));
}

#[test]
fn the_narrow_screen_has_every_pane() {
    insta::assert_snapshot!("normal_80x24", fixture::screen(&fixture::app(), 80, 24));
}

#[test]
fn the_small_screen_has_one_pane_and_tabs() {
    insta::assert_snapshot!("normal_60x16", fixture::screen(&fixture::app(), 60, 16));
}

/// A dialog on the overview, as it is right after `keys`.
fn with_dialog(snapshot: Snapshot, keys: &[&str]) -> App {
    let mut app = fixture::app_of(snapshot);
    for key in keys {
        let facts = fixture::later(app.facts(), 1_000);
        app.update(facts, Action::Key(key.parse().unwrap()));
    }
    app
}

#[rstest]
#[case::resume("resume", with_dialog(fixture::snapshot(), &["r"]))]
#[case::release("release", with_dialog(with_control(fixture::halted_control()), &["r", "y", "o", "k", "enter"]))]
#[case::level("level", with_dialog(fixture::snapshot(), &["d"]))]
#[case::emergency("emergency", with_dialog(fixture::snapshot(), &["a"]))]
#[case::command("command", with_dialog(fixture::snapshot(), &[":", "r", "e"]))]
#[case::filter("filter", with_dialog(fixture::snapshot(), &["/", "x"]))]
#[case::quit("quit", with_dialog(fixture::snapshot(), &["q"]))]
#[case::help("help", with_dialog(fixture::snapshot(), &["?"]))]
fn every_dialog_names_its_target_and_its_keys(#[case] name: &str, #[case] app: App) {
    insta::assert_snapshot!(format!("dialog_{name}"), fixture::screen(&app, 80, 24));
}

#[rstest]
#[case::empty("empty", fixture::empty())]
#[case::overfull("overfull", fixture::overfull())]
fn other_facts_fill_the_same_screens(#[case] name: &str, #[case] snapshot: Snapshot) {
    let app = fixture::app_of(snapshot);
    for (width, height) in [(80, 24), (120, 40), (60, 16), (200, 60)] {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), fixture::screen(&app, width, height));
    }
}

#[rstest]
#[case(1, "topics")]
#[case(2, "consensus")]
#[case(3, "degradation")]
#[case(4, "schedule")]
#[case(5, "dca")]
#[case(6, "alarms")]
#[case(7, "decisions")]
#[case(8, "portfolio")]
#[case(9, "health")]
#[case(0, "log")]
fn every_pane_has_a_page(#[case] digit: u8, #[case] name: &str) {
    let mut app = fixture::app();
    let facts = app.facts().clone();
    let lines = vec!["INFO published signal".to_owned(), "WARN \u{1b}[31mred".to_owned()];
    app.update(facts, Action::Log(lines));
    press(&mut app, &digit.to_string());
    insta::assert_snapshot!(format!("page_{name}"), fixture::screen(&app, 100, 30));
}

#[test]
fn the_header_has_four_forms() {
    let header = |app: &App, width| {
        let screen = fixture::screen(app, width, 24);
        screen.lines().take(2).collect::<Vec<_>>().join("\n")
    };
    let running = fixture::app_of(with_control(fixture::running_control()));
    let halted = fixture::app_of(with_control(fixture::halted_control()));
    let all = [&running, &fixture::app(), &halted, &stuck()];
    let texts: Vec<_> = [120, 80, 60].iter().flat_map(|width| all.map(|app| header(app, *width))).collect();
    insta::assert_snapshot!("headers", texts.join("\n\n"));
}

#[test]
fn the_gate_s_word_goes_before_the_snapshot() {
    let mut facts = fixture::facts(with_control(fixture::running_control()));
    facts.gate = fixture::reading(TradingState::Halted);
    let screen = fixture::screen(&fixture::app_with(facts, Options::default()), 120, 40);
    assert!(screen.starts_with(" ■ HALTED by the gate, core follows"), "{screen}");
    assert!(!screen.contains("ENTRIES OPEN"));
}

#[test]
fn a_snapshot_older_than_three_seconds_says_stuck() {
    let screen = fixture::screen(&stuck(), 120, 40);
    assert!(screen.starts_with(" ?? CORE STUCK 0:07, gate PAUSED"), "{screen}");
    assert!(screen.contains("core 7.0s"));
}

#[test]
fn only_the_unacknowledged_emergency_is_red_reverse_on_the_whole_screen() {
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    let app = fixture::app();
    terminal.draw(|frame| view::draw(frame, &app)).unwrap();
    let buffer = terminal.backend().buffer();
    let red_reverse =
        |cell: &&ratatui::buffer::Cell| cell.fg == Color::Red && cell.modifier.contains(Modifier::REVERSED);
    let text: String = buffer.content.iter().filter(red_reverse).map(ratatui::buffer::Cell::symbol).collect();
    let words: Vec<_> = text.split_whitespace().collect();
    assert_eq!(words, ["!!", "1", "EMERGENCY", "unacked", "0:12:", "press", "a!!EMERGENCY", "NEW", "0:12"]);
}

#[test]
fn nothing_foreign_reaches_a_cell_unsanitized() {
    let mut app = fixture::app();
    let facts = app.facts().clone();
    app.update(facts, Action::Log(vec!["\u{1b}]0;title\u{7}\u{202e}olleh".to_owned()]));
    press(&mut app, "0");
    let screen = fixture::screen(&app, 80, 24);
    assert!(screen.contains("]0;titleolleh…"), "{screen}");
    assert!(!screen.contains(['\u{1b}', '\u{7}', '\u{202e}']));
}

#[test]
fn ascii_screens_are_ascii() {
    let options = Options { ascii: true, mono: true, ..Options::default() };
    let app = fixture::app_with(fixture::facts(fixture::snapshot()), options);
    assert!(fixture::screen(&app, 120, 40).is_ascii());
}

#[test]
fn records_that_are_not_on_disk_say_writing() {
    let mut snapshot = fixture::snapshot();
    snapshot.head = snapshot.head.next();
    let screen = fixture::screen(&fixture::app_of(snapshot), 120, 40);
    assert!(screen.contains("(writing)"), "{screen}");
}

#[test]
fn an_emergency_box_leaves_header_portfolio_and_footer_visible() {
    for (width, height) in [(120, 40), (80, 24)] {
        let facts = fixture::facts(fixture::snapshot());
        let app = App::new(facts, Options::default(), fixture::keymap(), 100);
        let screen = fixture::screen(&app, width, height);
        for seen in ["‖ PAUSED", "8 Portfolio", "-310.22", "? help", "1 investigating", "do      check stops"]
        {
            assert!(screen.contains(seen), "{width}x{height} hides {seen}:\n{screen}");
        }
    }
}

#[test]
fn every_size_draws() {
    let mut apps = [fixture::app_of(fixture::overfull()), fixture::app_of(fixture::empty()), stuck()];
    press(&mut apps[1], "8");
    press(&mut apps[2], "d");
    for width in (0..=130).step_by(7).chain([1, 59, 60, 79, 80, 99, 100]) {
        for height in 0..=45 {
            for app in &apps {
                fixture::screen(app, width, height);
            }
        }
    }
}
