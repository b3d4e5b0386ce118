//! The pictures of the README: the real screen, drawn from the facts of a real simulated run, as SVG.
//!
//! `ANDON_BLESS=1 cargo test --lib pictures` writes them anew; without it they are compared with what is checked in.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::console::app::{Action, App};
use crate::console::facts::Facts;
use crate::console::{Options, fixture, view};
use crate::runtime::options::simulated_for;

/// Size of a cell of the picture.
const CELL: (usize, usize) = (9, 19);
/// Offset of the base line within a cell.
const BASELINE: usize = 14;
const BACKGROUND: &str = "#14171c";
const FOREGROUND: &str = "#c8ccd4";

fn a_simulated_run() -> (Facts, Vec<Arc<crate::domain::Message>>) {
    let options = simulated_for(Duration::from_secs(62 * 3_600 + 1_450));
    let (snapshot, gate, messages) = crate::runtime::seen_at_the_end(&options).unwrap();
    let now = snapshot.at;
    (Facts { snapshot: Arc::new(snapshot), gate, now, has_ended: false }, messages)
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

/// The arms of a character of a frame: up, right, down, left.
fn arms(symbol: &str) -> Option<[bool; 4]> {
    let of = |arms: &str| ['u', 'r', 'd', 'l'].map(|arm| arms.contains(arm));
    Some(of(match symbol {
        "─" => "rl",
        "│" => "ud",
        "┌" => "rd",
        "┐" => "dl",
        "└" => "ur",
        "┘" => "ul",
        "├" => "urd",
        "┤" => "udl",
        "┬" => "rdl",
        "┴" => "url",
        "┼" => "urdl",
        _ => return None,
    }))
}

/// The look of one cell.
#[derive(PartialEq, Clone, Copy)]
struct Look {
    ink: &'static str,
    paper: &'static str,
    bold: bool,
}

fn look(cell: &Cell) -> Look {
    let (ink, paper) = (name_of(cell.fg, FOREGROUND), name_of(cell.bg, BACKGROUND));
    let bold = cell.modifier.contains(Modifier::BOLD);
    if cell.modifier.contains(Modifier::REVERSED) {
        Look { ink: paper, paper: ink, bold }
    } else {
        Look { ink, paper, bold }
    }
}

/// Frames are drawn as lines, so that they meet whatever the font; of the text every character has its own x, so that
/// any monospaced font keeps the grid.
fn svg_of(buffer: &Buffer) -> String {
    let (columns, rows) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let (width, height) = (columns * CELL.0, rows * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"15\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{BACKGROUND}\"/>\n"
    );
    for (y, row) in buffer.content.chunks(columns).enumerate() {
        let mut x = 0;
        while let Some(first) = row.get(x) {
            let look = look(first);
            let run: Vec<_> = row[x..].iter().take_while(|cell| self::look(cell) == look).collect();
            svg.push_str(&run_of(&run, look, (x * CELL.0, y * CELL.1)));
            x += run.len();
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Cells of one look beside each other: their ground, their frame lines, their text.
fn run_of(run: &[&Cell], look: Look, (left, top): (usize, usize)) -> String {
    let Look { ink, paper, bold } = look;
    let mut svg = String::new();
    if paper != BACKGROUND {
        let (width, height) = (run.len() * CELL.0, CELL.1);
        writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"{paper}\"/>"
        )
        .unwrap();
    }
    let mut strokes = Vec::new();
    for (at, cell) in run.iter().enumerate() {
        let x = left + at * CELL.0;
        let Some([up, right, down, left]) = arms(cell.symbol()) else { continue };
        let (middle, centre) = (x + CELL.0 / 2, top + CELL.1 / 2);
        if left || right {
            let (from, to) = (if left { x } else { middle }, if right { x + CELL.0 } else { middle });
            draw_on(&mut strokes, [from, centre, to, centre]);
        }
        if up || down {
            let (from, to) = (if up { top } else { centre }, if down { top + CELL.1 } else { centre });
            draw_on(&mut strokes, [middle, from, middle, to]);
        }
    }
    if !strokes.is_empty() {
        let path: Vec<_> =
            strokes.iter().map(|[x, y, to_x, to_y]| format!("M{x} {y}L{to_x} {to_y}")).collect();
        writeln!(svg, "<path d=\"{}\" stroke=\"{ink}\"/>", path.concat()).unwrap();
    }
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let is_text = |cell: &Cell| arms(cell.symbol()).is_none() && !cell.symbol().trim().is_empty();
    let mut at = 0;
    for word in run.chunk_by(|one, next| is_text(one) == is_text(next)) {
        if is_text(word[0]) {
            let places: Vec<_> =
                (at..at + word.len()).map(|place| (left + place * CELL.0).to_string()).collect();
            let symbols: String = word.iter().map(|cell| cell.symbol()).collect();
            let text = symbols.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let (x, y) = (places.join(" "), top + BASELINE);
            writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"{ink}\"{weight}>{text}</text>").unwrap();
        }
        at += word.len();
    }
    svg
}

/// A line from one point to another.
type Stroke = [usize; 4];

/// Adds a line; one that goes on where the last one ended makes that longer.
fn draw_on(strokes: &mut Vec<Stroke>, stroke: Stroke) {
    let [x, y, to_x, to_y] = stroke;
    match strokes.last_mut() {
        Some(last) if last[1] == y && last[2..] == [x, y] && to_y == y => last[2] = to_x,
        Some(_) | None => strokes.push(stroke),
    }
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
