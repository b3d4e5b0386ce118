//! What the screen looks like.

use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};
use ratatui::text::Line;
use rstest::rstest;

use crate::config::Config;
use crate::console::app::{Action, App};
use crate::console::keymap::Keymap;
use crate::console::panes::{self, Form, PaneId};
use crate::console::{Options, fixture, layout, view};
use crate::coordinator::snapshot::{ControlView, Snapshot};
use crate::domain::{Now, SafeText, Seq, TradingState};

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
        if app.next_due().is_some() {
            let facts = fixture::later(app.facts(), 100);
            app.update(facts, Action::Facts);
        }
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
fn the_header_names_keys_as_they_are_bound_and_none_that_does_nothing() {
    let mut config = Config::defaults().unwrap();
    config.console.keys.insert("acknowledge".to_owned(), vec!["A".to_owned()]);
    config.console.keys.insert("resume".to_owned(), vec!["R".to_owned()]);
    let keymap = Keymap::new(&config.console).unwrap();
    let snapshot = with_control(fixture::halted_control());
    let snapshot = Snapshot { alarms: fixture::snapshot().alarms, ..snapshot };
    let facts = fixture::facts(snapshot);
    let header = |options| {
        let app = App::new(facts.clone(), options, keymap.clone(), &config);
        fixture::screen(&app, 140, 24).lines().take(2).collect::<String>()
    };
    let bound = header(Options::default());
    assert!(bound.contains("press A") && bound.contains("R release"), "{bound}");
    let read_only = header(Options { read_only: true, ..Options::default() });
    assert!(!read_only.contains("press") && !read_only.contains("release"), "{read_only}");
}

#[test]
fn the_gate_s_word_goes_before_the_snapshot() {
    let mut facts = fixture::facts(with_control(fixture::running_control()));
    facts.gate = fixture::reading(TradingState::Halted);
    let screen = fixture::screen(&fixture::app_with(facts, Options::default()), 120, 40);
    assert!(screen.starts_with(" ■ HALTED [writing] by the gate, core follows"), "{screen}");
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
fn a_state_says_writing_until_its_record_is_on_disk_and_no_longer() {
    let first_line = |control: ControlView, durable: u64, width| {
        let snapshot = Snapshot { durable: Seq(durable), ..with_control(control) };
        let screen = fixture::screen(&fixture::app_of(snapshot), width, 24);
        screen.lines().next().unwrap().to_owned()
    };
    for width in [120, 80, 60] {
        let halted = |durable| first_line(fixture::halted_control(), durable, width);
        assert!(halted(18_199).contains("[writing]"), "{width}: {}", halted(18_199));
        assert!(
            halted(18_200).contains("[durable]"),
            "{width}: later records do not matter: {}",
            halted(18_200)
        );
        assert!(first_line(fixture::control(), 18_199, width).contains("[writing]"), "{width}");
        assert!(!first_line(fixture::control(), 18_200, width).contains('['), "{width}");
    }
}

#[test]
fn what_is_not_durable_says_so_on_every_width() {
    for width in 60..=120 {
        let control = ControlView { not_durable: true, ..fixture::halted_control() };
        let screen = fixture::screen(&fixture::app_of(with_control(control)), width, 24);
        let first = screen.lines().next().unwrap();
        assert!(first.contains("HALTED, NOT DURABLE"), "{width}: {first}");
        assert!(!first.contains('['), "{width}: {first}");
    }
}

#[test]
fn a_halt_by_the_gate_alone_says_writing() {
    for width in [120, 80, 60] {
        let mut facts = fixture::facts(with_control(fixture::running_control()));
        facts.gate = fixture::reading(TradingState::Halted);
        let screen = fixture::screen(&fixture::app_with(facts, Options::default()), width, 24);
        assert!(screen.starts_with(" ■ HALTED [writing]"), "{screen}");
    }
}

#[test]
fn halted_says_why_entries_are_blocked_on_every_width() {
    for width in 60..=120 {
        let screen = fixture::screen(&fixture::app_of(with_control(fixture::halted_control())), width, 24);
        let header: Vec<_> = screen.lines().take(2).collect();
        assert!(header[1].contains("ENTRIES BLOCKED: halted"), "{width}: {header:?}");
        assert!(width < 80 || header[0].contains("runaway XRP"), "{width}: {header:?}");
    }
}

#[test]
fn the_speed_is_named_wherever_there_is_room_for_columns() {
    for width in 80..=120 {
        for control in [fixture::running_control(), fixture::control()] {
            let screen = fixture::screen(&fixture::app_of(with_control(control)), width, 24);
            assert!(screen.lines().next().unwrap().contains("SIM x60"), "{width}: {screen}");
        }
    }
}

#[rstest]
#[case::large(120, 40, &[
    "0.000012091", "▼▼.90 85m 2/3", "▼.61  1m breakout", "LEVEL 3/3", "STATE 3/3", "+0.012346  42,310.5", "0.0000121 -1,310.2",
    "then trading is still", "PAUSED.", "1 EMERGENCY unacked 0:12: press a",
])]
#[case::small(80, 24, &["0.000012091", "▼▼.90 85m", "breakout", "1/2 1.00", "-1,310.22 USDT  stop -0.4%", "cash USDT"])]
fn what_ordinary_trading_shows_is_not_cut(#[case] width: u16, #[case] height: u16, #[case] seen: &[&str]) {
    let mut app = fixture::app_of(fixture::longest());
    let facts = app.facts().clone();
    app.update(facts, Action::Traffic(vec![fixture::longest_price()], 0));
    let screen = fixture::screen(&app, width, height);
    for text in seen {
        assert!(screen.contains(text), "{text} is cut or missing:\n{screen}");
    }
}

#[test]
fn what_a_plan_bought_is_a_holding_and_not_a_position() {
    let mut portfolio = fixture::portfolio();
    portfolio.positions.clear();
    let snapshot = Snapshot { portfolio: Arc::new(portfolio), ..fixture::empty() };
    let app = fixture::app_of(snapshot);
    for (width, height) in [(120, 40), (80, 24)] {
        let screen = fixture::screen(&app, width, height);
        assert!(screen.contains("0 positions, 2 holdings, 0 orders"), "{screen}");
        assert!(screen.contains("holds BTC"), "{screen}");
        assert!(screen.contains("cash") && screen.contains("USDT"), "{screen}");
    }
}

#[test]
fn the_footer_offers_freezing_and_filtering_only_where_topics_are_seen() {
    let footer = |app: &App| fixture::screen(app, 120, 40).lines().last().unwrap().to_owned();
    let mut app = fixture::app_of(with_control(fixture::running_control()));
    assert!(footer(&app).contains("Space freeze"), "{}", footer(&app));
    press(&mut app, "8");
    assert!(!footer(&app).contains("freeze") && !footer(&app).contains("filter"), "{}", footer(&app));
    press(&mut app, "1");
    press(&mut app, "space");
    assert!(footer(&app).contains("Space follow"), "{}", footer(&app));
}

#[test]
fn a_halt_without_a_reason_says_so_and_tells_its_age() {
    let mut control = fixture::halted_control();
    control.halt_reasons[0].reason = SafeText::default();
    control.halt_reasons[0].at.market = fixture::now().market.minus(Duration::from_secs(60 * 33_123));
    let screen = fixture::screen(&with_dialog(with_control(control), &["r"]), 80, 24);
    assert!(screen.contains("halted 9:12:04 ago by ana: no reason given"), "{screen}");
}

#[test]
fn an_emergency_box_leaves_header_portfolio_and_footer_visible() {
    for (width, height) in [(120, 40), (80, 24)] {
        let facts = fixture::facts(fixture::snapshot());
        let app = fixture::new_app(facts, Options::default());
        let screen = fixture::screen(&app, width, height);
        for seen in ["‖ PAUSED", "8 Portfolio", "-310.22", "? help", "1 investigating", "do      check stops"]
        {
            assert!(screen.contains(seen), "{width}x{height} hides {seen}:\n{screen}");
        }
    }
}

#[test]
fn every_box_shows_its_choices_first_at_every_size() {
    let halted = || with_control(fixture::halted_control());
    let overfull = || fixture::app_of(fixture::overfull());
    let mut acknowledging = overfull();
    press(&mut acknowledging, "a");
    for (app, choice) in [
        (acknowledging, "1 investigating"),
        (with_dialog(fixture::snapshot(), &["a", "2"]), "y acknowledge as expected"),
        (with_dialog(fixture::snapshot(), &["a", "t"]), "Enter acknowledge"),
        (with_dialog(fixture::snapshot(), &["r"]), "Esc"),
        (with_dialog(halted(), &["r"]), "y go on"),
        (with_dialog(halted(), &["r", "y"]), "Enter shows the code"),
        (with_dialog(halted(), &["r", "y", "o", "enter"]), "to release ("),
        (with_dialog(fixture::snapshot(), &["d"]), "4 EMERGENCY"),
        (with_dialog(fixture::snapshot(), &["q"]), "y quit"),
        (with_dialog(fixture::snapshot(), &[":"]), "Enter go on"),
        (with_dialog(fixture::snapshot(), &["/"]), "Enter keep"),
    ] {
        for (width, height) in [(120, 40), (80, 24), (60, 16), (200, 60), (40, 10)] {
            let screen = fixture::screen(&app, width, height);
            assert!(screen.contains(choice), "{width}x{height} hides `{choice}`:\n{screen}");
        }
    }
}

#[test]
fn the_smallest_screen_shows_the_state_and_the_next_larger_ones_the_emergency() {
    let paused = fixture::app();
    let running = fixture::app_of(with_control(fixture::running_control()));
    let halted = fixture::app_of(with_control(fixture::halted_control()));
    for (app, glyph) in [(&paused, "‖"), (&running, "►"), (&halted, "■"), (&stuck(), "?")] {
        for width in 1..60 {
            let screen = fixture::screen(app, width, 1);
            assert!(screen.trim_start().starts_with(glyph), "{width}x1 has no {glyph}: {screen:?}");
        }
    }
    for (width, expected) in
        [(1, "‖"), (6, "‖"), (7, "‖ !!1:a"), (14, "‖ PAUSED !!1:a"), (16, " ‖ PAUSED  !!1:a")]
    {
        assert_eq!(fixture::screen(&paused, width, 1), expected, "{width}x1");
    }
}

/// Every line that a pane shows on any screen of 60 to 140 columns.
fn lines_of(app: &App, pane: PaneId, mut look: impl FnMut(&str, &Line<'static>)) {
    let columns = (100..=140_u16).flat_map(|width| {
        let split = layout::split(width);
        [(Form::Column, split - 1), (Form::Column, width - split - 2)]
    });
    let rows = (80..=140).map(|width| (Form::Narrow, width));
    let pages = (60..=140).flat_map(|width| [(Form::Page, width), (Form::Column, width)]);
    for (form, width) in columns.chain(rows).chain(pages) {
        let content = panes::content(pane, &view::cx(app, form, usize::MAX), usize::from(width) - 1);
        let place = format!("{pane:?} as {form:?}, {width} cells");
        for line in content.head.iter().chain(content.rows.iter().map(|row| &row.line)).chain(&content.legend)
        {
            look(&place, line);
        }
    }
}

#[test]
fn no_two_columns_touch_and_no_figure_is_cut_at_any_width() {
    let mut full = fixture::app_of(fixture::longest());
    let facts = full.facts().clone();
    full.update(facts, Action::Traffic(vec![fixture::longest_price()], 0));
    for app in [&full, &fixture::app(), &fixture::app_of(fixture::empty())] {
        for pane in PaneId::ALL {
            lines_of(app, pane, |place, line| {
                let said: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
                for pair in line.spans.windows(2) {
                    let touch = !pair[0].content.ends_with(' ') && !pair[1].content.starts_with(' ');
                    let both = !pair[0].content.is_empty() && !pair[1].content.is_empty();
                    assert!(
                        !(touch && both),
                        "{place}: {:?} and {:?} in {said}",
                        pair[0].content,
                        pair[1].content
                    );
                }
                let cut =
                    said.match_indices('…').any(|(at, _)| said[..at].ends_with(|c: char| c.is_ascii_digit()));
                let is_table =
                    matches!(pane, PaneId::Schedule | PaneId::Dca | PaneId::Consensus | PaneId::Portfolio);
                assert!(!(cut && is_table), "{place}: a figure is cut in {said}");
            });
        }
    }
}

#[test]
fn what_is_unknown_is_not_shown_as_nothing() {
    let app = fixture::app_of(fixture::empty());
    for (width, height) in [(120, 40), (80, 24)] {
        let screen = fixture::screen(&app, width, height);
        assert!(screen.contains("day ?/5"), "{screen}");
        assert!(screen.contains("exposure ?/80%") || screen.contains("exposure unknown of 80"), "{screen}");
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
