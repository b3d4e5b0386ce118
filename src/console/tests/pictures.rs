//! The pictures of the README: the real screen, drawn from the facts of a real simulated run, as SVG.
//!
//! `ANDON_BLESS=1 cargo test --lib pictures` writes them anew; without it they are compared with what is checked in.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use crate::config::Config;
use crate::console::app::{Action, App};
use crate::console::facts::Facts;
use crate::console::{Options, fixture, view};
use crate::runtime::options::{ColorChoice, MarketChoice, RunOptions, Speed, SummaryFormat};

/// Size of a cell of the picture.
const CELL: (usize, usize) = (9, 19);
/// Offset of the base line within a cell.
const BASELINE: usize = 14;
const BACKGROUND: &str = "#14171c";
const FOREGROUND: &str = "#c8ccd4";

fn a_simulated_run() -> (Facts, Vec<Arc<crate::domain::Message>>) {
    let options = RunOptions {
        market: MarketChoice::Simulated,
        speed: Speed::Max,
        seed: 1,
        run_for: Some(Duration::from_secs(62 * 3_600 + 1_450)),
        console: false,
        summary: SummaryFormat::Text,
        operator_script: None,
        operator: None,
        data_dir: None,
        durable: false,
        read_only: false,
        ascii: false,
        color: ColorChoice::Auto,
        config: Arc::new(Config::defaults().unwrap()),
    };
    let (snapshot, gate, messages) = crate::runtime::seen_at_the_end(&options).unwrap();
    let now = snapshot.at;
    (Facts { snapshot: Arc::new(snapshot), gate, now }, messages)
}

fn screen_of(facts: &Facts, messages: &[Arc<crate::domain::Message>], width: u16, height: u16) -> Buffer {
    let mut app: App = fixture::app_with(facts.clone(), Options::default());
    app.update(facts.clone(), Action::Traffic(messages.to_vec(), 0));
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, &app)).unwrap();
    terminal.backend().buffer().clone()
}

fn name_of(color: Color, default: &'static str) -> &'static str {
    match color {
        Color::Black => "#1c2027",
        Color::Red | Color::LightRed => "#ef6b73",
        Color::Green | Color::LightGreen => "#8ec07c",
        Color::Yellow | Color::LightYellow => "#e5c07b",
        Color::Blue | Color::LightBlue => "#6ca8e8",
        Color::Magenta | Color::LightMagenta => "#c792ea",
        Color::Cyan | Color::LightCyan => "#56c2c9",
        Color::Gray => "#9aa1ad",
        Color::DarkGray => "#717986",
        Color::White => "#ffffff",
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => default,
    }
}

/// One `text` a run of equal style; every character has its own x, so that any monospaced font keeps the grid.
fn svg_of(buffer: &Buffer) -> String {
    let (columns, rows) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let (width, height) = (columns * CELL.0, rows * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"15\" xml:space=\"preserve\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{BACKGROUND}\"/>\n"
    );
    for y in 0..buffer.area.height {
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let reversed = cell.modifier.contains(Modifier::REVERSED);
            let (mut ink, mut paper) = (name_of(cell.fg, FOREGROUND), name_of(cell.bg, BACKGROUND));
            if reversed {
                std::mem::swap(&mut ink, &mut paper);
            }
            let (left, top) = (usize::from(x) * CELL.0, usize::from(y) * CELL.1);
            if paper != BACKGROUND {
                writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"{paper}\"/>",
                    CELL.0, CELL.1
                )
                .unwrap();
            }
            let symbol = cell.symbol();
            if symbol.trim().is_empty() {
                continue;
            }
            let weight = if cell.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
            let text = symbol.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            writeln!(svg, "<text x=\"{left}\" y=\"{}\" fill=\"{ink}\"{weight}>{text}</text>", top + BASELINE)
                .unwrap();
        }
    }
    svg.push_str("</svg>\n");
    svg
}

#[test]
fn the_pictures_of_the_readme_are_the_screen_as_it_is() {
    let (facts, messages) = a_simulated_run();
    for (width, height) in [(120, 40), (80, 24)] {
        let svg = svg_of(&screen_of(&facts, &messages, width, height));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/console-{width}x{height}.svg"));
        if std::env::var_os("ANDON_BLESS").is_some() {
            std::fs::write(&path, &svg).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(checked_in == svg, "{} is stale: ANDON_BLESS=1 cargo test --lib pictures", path.display());
    }
}
