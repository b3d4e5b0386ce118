//! Dialogs and text lines above the screen. A dialog names its target, what will happen and its keys; the key that
//! confirms is never the one that opened it; the result comes from the engine alone.

mod code_entry;
mod command_line;
mod emergency;
mod filter_line;
mod help;
mod level;
mod quit;
mod release;
mod resume;

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use super::app::App;
use super::facts::Facts;
use super::layout::{self, Mode};
use super::line::LineBuilder;
use super::text::cells;
use super::theme::{Role, Theme};
use super::topic_filter::TopicFilter;
use super::why;
use crate::config::KeyPress;
use crate::coordinator::input::Confirmation;
use crate::domain::{Command, CommandOutcome, Timestamp};

pub use command_line::CommandLine;
pub use emergency::EmergencyBox;
pub use filter_line::FilterLine;
pub use help::Help;
pub use level::LevelMenu;
pub use quit::Quit;
pub use release::Release;
pub use resume::Resume;

/// Keys typed in the first moments of a dialog were meant for the screen below.
const GUARD: Duration = Duration::from_millis(300);
/// The box that opens by itself waits longer.
const EMERGENCY_GUARD: Duration = Duration::from_millis(500);

/// What a dialog wants after a key.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Nothing.
    Stay,
    /// The key means nothing here.
    Unknown,
    /// It shows something new to decide on: keys are guarded again.
    Restage,
    /// It is finished.
    Close,
    /// This dialog takes its place.
    Instead(Box<Dialog>),
    /// It is finished, and this is to be carried out.
    Send(Command, Confirmation),
    /// Ask the engine for this; what it does not carry out comes back to the dialog.
    Ask(Command),
    /// It is finished, and this row of the decisions is to be shown.
    Show(why::Answer),
    /// This filter is to be used; the dialog stays.
    Filter(TopicFilter),
    /// This is to be told, and looked at again: keys are guarded again.
    Say(String),
    /// The console is to be left.
    Quit,
}

/// One of them.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// From PAUSED to RUNNING.
    Resume(Resume),
    /// From HALTED to PAUSED.
    Release(Release),
    /// Degradation level.
    Level(LevelMenu),
    /// An Emergency that wants to be acknowledged.
    Emergency(EmergencyBox),
    /// `:`
    Command(CommandLine),
    /// `/`
    Filter(FilterLine),
    /// Leaving.
    Quit(Quit),
    /// The keys.
    Help(Help),
}

/// A dialog on the screen.
#[derive(Debug, Clone)]
pub struct Open {
    /// Which.
    pub dialog: Dialog,
    /// Since when it shows what it shows, operator time.
    pub shown_at: Timestamp,
}

/// What a dialog looks like.
#[derive(Debug, Clone)]
pub struct Panel {
    /// In its frame.
    pub title: String,
    /// Look of the title.
    pub role: Role,
    /// What is typed, the keys and what they do: they stand first and are cut last.
    pub choices: Vec<Line<'static>>,
    /// What there is to know.
    pub prose: Vec<Line<'static>>,
}

impl Open {
    /// Whether keys are text now; then only the halt key keeps its meaning.
    pub const fn is_text(&self) -> bool {
        match &self.dialog {
            Dialog::Resume(_) | Dialog::Quit(_) | Dialog::Help(_) => false,
            Dialog::Release(release) => release.is_text(),
            Dialog::Level(menu) => menu.is_text(),
            Dialog::Emergency(alarm) => alarm.is_text(),
            Dialog::Command(line) => line.is_text(),
            Dialog::Filter(_) => true,
        }
    }

    /// Whether a character acts only when nothing is typed right before or behind it: where something is decided, what is
    /// typed in a row is no answer.
    pub const fn wants_single_keys(&self) -> bool {
        !self.is_text() && !matches!(&self.dialog, Dialog::Help(_))
    }

    /// The keys that act, for whoever presses another one.
    pub const fn answers(&self) -> &'static str {
        match &self.dialog {
            Dialog::Resume(_) | Dialog::Release(_) | Dialog::Quit(_) => "y or Esc",
            Dialog::Level(menu) => menu.answers(),
            Dialog::Emergency(_) => "1, 2, 3 or t, then y; or Esc",
            Dialog::Command(line) => line.answers(),
            Dialog::Filter(_) | Dialog::Help(_) => "Esc",
        }
    }

    /// Whether keys are still taken for ones that were meant for the screen below.
    pub fn is_guarded(&self, now: Timestamp) -> bool {
        let guard = match &self.dialog {
            Dialog::Emergency(_) => EMERGENCY_GUARD,
            Dialog::Resume(_) | Dialog::Release(_) | Dialog::Level(_) | Dialog::Quit(_) => GUARD,
            // The operator opened a line to type at once; what it asks for afterwards is guarded.
            Dialog::Command(line) if !line.is_typing() => GUARD,
            Dialog::Command(_) | Dialog::Filter(_) | Dialog::Help(_) => Duration::ZERO,
        };
        now.since(self.shown_at) < guard
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyPress, facts: &Facts) -> Reply {
        match &mut self.dialog {
            Dialog::Resume(dialog) => dialog.key(key, facts),
            Dialog::Release(dialog) => dialog.key(key, facts),
            Dialog::Level(dialog) => dialog.key(key, facts),
            Dialog::Emergency(dialog) => dialog.key(key, facts),
            Dialog::Command(dialog) => dialog.key(key, facts),
            Dialog::Filter(dialog) => dialog.key(key),
            Dialog::Quit(dialog) => dialog.key(key),
            Dialog::Help(dialog) => dialog.key(key),
        }
    }

    /// Takes a pasted text, if keys are text now.
    pub fn paste(&mut self, pasted: &str) -> Reply {
        match &mut self.dialog {
            Dialog::Release(dialog) => dialog.paste(pasted),
            Dialog::Level(dialog) => dialog.paste(pasted),
            Dialog::Emergency(dialog) => dialog.paste(pasted),
            Dialog::Command(dialog) => dialog.paste(pasted),
            Dialog::Filter(dialog) => return dialog.paste(pasted),
            Dialog::Resume(_) | Dialog::Quit(_) | Dialog::Help(_) => {}
        }
        Reply::Stay
    }

    /// The line that asks the engine, if it is this dialog.
    const fn asking_line(&mut self) -> Option<&mut CommandLine> {
        match &mut self.dialog {
            Dialog::Command(line) => Some(line),
            Dialog::Resume(_)
            | Dialog::Release(_)
            | Dialog::Level(_)
            | Dialog::Emergency(_)
            | Dialog::Filter(_)
            | Dialog::Quit(_)
            | Dialog::Help(_) => None,
        }
    }

    /// What [`Reply::Ask`] asked for is on its way.
    pub fn asked(&mut self, command: Command) {
        if let Some(line) = self.asking_line() {
            line.asked(command);
        }
    }

    /// Whether the answer to [`Reply::Ask`] is waited for.
    pub fn is_asking(&mut self) -> bool {
        self.asking_line().is_some_and(|line| line.is_asking())
    }

    /// Shows the answer to [`Reply::Ask`]. False if none is waited for.
    pub fn show(&mut self, outcome: &CommandOutcome, facts: &Facts) -> bool {
        self.asking_line().is_some_and(|line| line.show(outcome, facts))
    }

    fn panel(&self, app: &App, width: usize) -> Panel {
        let (facts, theme) = (app.facts(), app.theme());
        match &self.dialog {
            Dialog::Resume(_) => Resume::panel(facts, theme, width),
            Dialog::Release(dialog) => dialog.panel(facts, theme, width),
            Dialog::Level(dialog) => dialog.panel(facts, theme, width),
            Dialog::Emergency(dialog) => dialog.panel(facts, theme, width),
            Dialog::Command(dialog) => dialog.panel(facts, theme, width),
            Dialog::Filter(dialog) => dialog.panel(theme, width),
            Dialog::Quit(_) => quit::panel(facts, theme, width),
            Dialog::Help(dialog) => dialog.panel(app.keymap(), theme),
        }
    }
}

/// How to confirm what was shown now.
fn given(facts: &Facts, shown_at: Timestamp, code: Option<String>) -> Confirmation {
    Confirmation::Given { epoch: facts.gate.epoch, shown_at, code }
}

/// `label  text_` with a cursor, for a line that is being typed.
fn typed(theme: Theme, label: &str, text: &str) -> Line<'static> {
    LineBuilder::new(theme)
        .text(format!("{label} "), Role::Dim)
        .text(text, Role::Title)
        .text("_", Role::Key)
        .build()
}

/// A line of plain words.
fn plain(theme: Theme, words: impl AsRef<str>) -> Line<'static> {
    LineBuilder::new(theme).text(words, Role::Plain).build()
}

/// Keys and what they do: `y resume   Esc cancel`, on as many lines as they need.
fn keys(theme: Theme, offers: &[(&str, &str)], width: usize) -> Vec<Line<'static>> {
    const GAP: usize = 3;
    let mut lines = Vec::new();
    let mut line = LineBuilder::new(theme);
    for (key, word) in offers {
        let offer = LineBuilder::new(theme).text(*key, Role::Key).gap(1).text(*word, Role::Plain);
        if line.used() == 0 {
            line = offer;
        } else if line.used() + GAP + offer.used() <= width {
            line = line.gap(GAP).then(offer);
        } else {
            lines.push(std::mem::replace(&mut line, offer).build());
        }
    }
    lines.push(line.build());
    lines
}

/// What is said first where there is room for a few lines alone: the title and what can be done.
pub fn in_short(app: &App, open: &Open, width: usize) -> Vec<Line<'static>> {
    let panel = open.panel(app, width);
    let title = Line::styled(panel.title, app.theme().style(panel.role));
    std::iter::once(title).chain(panel.choices).collect()
}

/// Draws a dialog over the body. The Emergency box leaves header, portfolio and footer visible.
pub fn draw(frame: &mut Frame<'_>, app: &App, open: &Open, body: Rect, portfolio: Option<Rect>) {
    let room = match (&open.dialog, layout::mode(frame.area())) {
        (Dialog::Emergency(_), Mode::Columns) if app.navigation().page().is_none() => {
            Rect { width: layout::split(body.width), ..body }
        }
        (Dialog::Emergency(_), _) => below(body, portfolio),
        (_, _) => body,
    };
    let width = room.width.min(90);
    let panel = open.panel(app, usize::from(width.saturating_sub(4)));
    let mut lines = panel.choices;
    lines.extend(panel.prose);
    let height = cells(lines.len() + 2).min(room.height);
    // Text is typed at the bottom; what is decided on has a box of its own.
    let is_line = match &open.dialog {
        Dialog::Command(line) => line.is_typing(),
        Dialog::Filter(_) => true,
        Dialog::Resume(_)
        | Dialog::Release(_)
        | Dialog::Level(_)
        | Dialog::Emergency(_)
        | Dialog::Quit(_)
        | Dialog::Help(_) => false,
    };
    let y = if is_line || matches!(open.dialog, Dialog::Emergency(_)) {
        room.bottom().saturating_sub(height)
    } else {
        room.y + (room.height.saturating_sub(height)) / 2
    };
    let area = Rect { x: room.x + (room.width - width) / 2, y, width, height };
    let style = app.theme().style(panel.role);
    let block = Block::bordered()
        .border_type(BorderType::Plain)
        .title(Line::styled(format!(" {} ", panel.title), style))
        .padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The larger part of `body` beside `kept`, above or below it.
fn below(body: Rect, kept: Option<Rect>) -> Rect {
    let Some(kept) = kept else { return body };
    let (above, below) = (kept.y.saturating_sub(body.y), body.bottom().saturating_sub(kept.bottom()));
    if below >= above {
        Rect { y: kept.bottom(), height: below, ..body }
    } else {
        Rect { height: above, ..body }
    }
}
