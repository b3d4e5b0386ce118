//! `:` any command, with completion. The engine carries it out, refuses it, or says what it would do: then that is shown
//! and confirmed, by `y` or by the code that the engine wants typed. What has to be confirmed is the engine's rule alone.

use std::time::Duration;

use crossterm::event::KeyCode;
use ratatui::text::Line;

use super::code_entry::{CodeEntry, Entered};
use super::{Dialog, Panel, Release, Reply, Resume, given, keys, plain, typed};
use crate::config::KeyPress;
use crate::console::facts::Facts;
use crate::console::line::LineBuilder;
use crate::console::text;
use crate::console::text_field::TextField;
use crate::console::theme::{Role, Theme};
use crate::console::why;
use crate::coordinator::input::Confirmation;
use crate::domain::{Command, CommandOutcome, Epoch, Timestamp, TradingState};

const LINE_CHARS_MAX: usize = 300;
/// So many candidates are shown with their arguments; more of them by name alone.
const USAGES_MAX: usize = 9;

#[derive(Debug, Clone)]
enum Step {
    Typing,
    /// The engine has it and has not answered yet.
    Asked(Command),
    Confirm(Preview),
    Code {
        preview: Preview,
        entry: CodeEntry,
    },
}

/// What the engine said that a command would do.
#[derive(Debug, Clone)]
struct Preview {
    command: Command,
    would: String,
    epoch: Epoch,
    shown_at: Timestamp,
}

/// The line.
#[derive(Debug, Clone)]
pub struct CommandLine {
    field: TextField,
    step: Step,
    problem: Option<String>,
    read_only: bool,
    code_valid_for: Duration,
}

/// Everything that can be typed: the commands, and the question that is answered here.
fn usages() -> impl Iterator<Item = (&'static str, &'static str)> {
    Command::usages().chain([why::USAGE])
}

impl CommandLine {
    /// An empty line. With `read_only`, only pause and halt are accepted. The core takes a code for `code_valid_for`.
    pub const fn new(read_only: bool, code_valid_for: Duration) -> Self {
        let field = TextField::new(LINE_CHARS_MAX);
        Self { field, step: Step::Typing, problem: None, read_only, code_valid_for }
    }

    pub(super) const fn answers(&self) -> &'static str {
        match self.step {
            Step::Asked(_) => "the engine has not answered yet: wait, or Esc",
            Step::Typing | Step::Confirm(_) | Step::Code { .. } => "y or Esc",
        }
    }

    pub(super) const fn is_text(&self) -> bool {
        matches!(self.step, Step::Typing | Step::Code { .. })
    }

    pub(super) const fn is_typing(&self) -> bool {
        matches!(self.step, Step::Typing)
    }

    pub(super) fn paste(&mut self, pasted: &str) {
        match &self.step {
            Step::Typing => self.field.paste(pasted),
            // A code is typed: pasting it would prove nothing.
            Step::Asked(_) | Step::Confirm(_) | Step::Code { .. } => {}
        }
    }

    /// Commands whose name begins with the word being typed, then those that have it elsewhere; behind a whole name,
    /// that command alone.
    fn candidates(&self) -> Vec<(&'static str, &'static str)> {
        if let Some((word, _)) = self.field.raw().split_once(' ') {
            return usages().filter(|(name, _)| *name == word).collect();
        }
        let word = self.field.raw();
        let mut found: Vec<_> = usages().filter(|(name, _)| name.contains(word)).collect();
        found.sort_by_key(|(name, _)| !name.starts_with(word));
        found
    }

    /// The only one that could be meant, or as much as all those have in common.
    fn complete(&mut self) {
        let word = self.field.raw();
        if word.contains(' ') {
            return;
        }
        let names: Vec<_> = self.candidates().into_iter().map(|(name, _)| name).collect();
        let begun: Vec<_> = names.iter().copied().filter(|name| name.starts_with(word)).collect();
        let meant = if begun.is_empty() { names } else { begun };
        let completed = match meant.as_slice() {
            [] => return,
            [only] => format!("{only} "),
            [first, ..] => {
                let common = meant.iter().fold(*first, |common, name| {
                    let same = common.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
                    common.get(..same).unwrap_or("")
                });
                common.to_owned()
            }
        };
        if completed.len() >= word.len() {
            self.field.set(completed);
        }
    }

    /// What could be meant: how each is written while they are few, their names while they are many.
    fn offers(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let line = |text: &str, role| LineBuilder::new(theme).text(text, role).build();
        let candidates = self.candidates();
        match candidates.len() {
            0 => {
                let word = self.field.raw().split(' ').next().unwrap_or("");
                vec![line(
                    &format!("no command is called `{word}`; Ctrl-U clears, then all are listed"),
                    Role::Warn,
                )]
            }
            1..=USAGES_MAX => candidates.iter().map(|(_, usage)| line(usage, Role::Dim)).collect(),
            _ => {
                let names: Vec<_> = candidates.iter().map(|(name, _)| *name).collect();
                text::wrap(&names.join(" "), width).iter().map(|part| line(part, Role::Dim)).collect()
            }
        }
    }

    pub(super) fn key(&mut self, key: KeyPress, facts: &Facts) -> Reply {
        match &mut self.step {
            Step::Typing => self.typing(key, facts),
            _ if key.code == KeyCode::Esc => self.back(),
            Step::Confirm(Preview { command, epoch, shown_at, .. }) if key.typed() == Some('y') => {
                if *epoch == facts.gate.epoch {
                    Reply::Send(command.clone(), given(facts, *shown_at, None))
                } else {
                    Reply::Ask(command.clone())
                }
            }
            Step::Asked(_) | Step::Confirm(_) => Reply::Unknown,
            Step::Code { preview, entry } => match entry.key(key, facts) {
                Entered::Nothing => Reply::Stay,
                Entered::Say(words) => Reply::Say(format!("{}: {words}", preview.command.name())),
                Entered::Another => Reply::Ask(preview.command.clone()),
                Entered::Right => {
                    let confirmation = given(facts, entry.shown_at(), Some(entry.code().to_owned()));
                    Reply::Send(preview.command.clone(), confirmation)
                }
            },
        }
    }

    fn back(&mut self) -> Reply {
        self.step = Step::Typing;
        Reply::Restage
    }

    fn typing(&mut self, key: KeyPress, facts: &Facts) -> Reply {
        self.problem = None;
        match key.code {
            KeyCode::Esc => Reply::Close,
            KeyCode::Tab => {
                self.complete();
                Reply::Stay
            }
            KeyCode::Enter => self.enter(facts),
            _ => {
                self.field.key(key);
                Reply::Stay
            }
        }
    }

    fn enter(&mut self, facts: &Facts) -> Reply {
        if let Some(word) = why::asked(self.field.text()) {
            return match why::answer(facts, word) {
                Ok(answer) => Reply::Show(answer),
                Err(problem) => {
                    self.problem = Some(problem);
                    Reply::Stay
                }
            };
        }
        let command = match Command::parse(self.field.text()) {
            Ok(command) => command,
            Err(error) => {
                self.problem = Some(error.to_string());
                return Reply::Stay;
            }
        };
        let is_stop = matches!(command, Command::Pause { .. } | Command::Halt { .. });
        if self.read_only && !is_stop {
            self.problem = Some("read-only: only pause and halt".to_owned());
            return Reply::Stay;
        }
        // What has a dialog of its own is looked at there.
        match (&command, facts.state()) {
            (Command::Resume, TradingState::Paused) => {
                return Reply::Instead(Box::new(Dialog::Resume(Resume::new(facts))));
            }
            (Command::Release { reason }, TradingState::Halted) => {
                return Reply::Instead(Box::new(Dialog::Release(Release::because(reason))));
            }
            (_, TradingState::Running | TradingState::Paused | TradingState::Halted) => {}
        }
        // What makes things safer at once does not wait for an answer.
        if is_stop { Reply::Send(command, Confirmation::None) } else { Reply::Ask(command) }
    }

    /// The command went to the engine.
    pub(super) fn asked(&mut self, command: Command) {
        self.step = Step::Asked(command);
    }

    /// Shows the engine's answer to a command that it has not carried out. False if none is waited for.
    pub(super) fn show(&mut self, outcome: &CommandOutcome, facts: &Facts) -> bool {
        let Step::Asked(command) = &self.step else { return false };
        let preview = |would: &str| Preview {
            command: command.clone(),
            would: would.to_owned(),
            epoch: facts.gate.epoch,
            shown_at: facts.now.operator,
        };
        self.step = match outcome {
            CommandOutcome::Done { .. } => Step::Typing,
            CommandOutcome::Refused { why } => {
                self.problem = Some(why.to_string());
                Step::Typing
            }
            CommandOutcome::Preview { would, code: None } => Step::Confirm(preview(would.as_str())),
            CommandOutcome::Preview { would, code: Some(code) } => Step::Code {
                preview: preview(would.as_str()),
                entry: CodeEntry::new(code, self.code_valid_for, facts),
            },
        };
        true
    }

    /// Whether the engine's answer is waited for.
    pub(super) const fn is_asking(&self) -> bool {
        matches!(self.step, Step::Asked(_))
    }

    pub(super) fn panel(&self, facts: &Facts, theme: Theme, width: usize) -> Panel {
        let said = |title: &str, choices, prose| Panel {
            title: title.to_owned(),
            role: Role::Title,
            choices,
            prose,
        };
        match &self.step {
            Step::Typing => {
                let mut choices = vec![typed(theme, ":", self.field.raw())];
                choices.extend(keys(
                    theme,
                    &[("Tab", "complete"), ("Enter", "go on"), ("Esc", "cancel")],
                    width,
                ));
                let bad = |part: &String| LineBuilder::new(theme).text(part, Role::Bad).build();
                let prose = match &self.problem {
                    Some(problem) => text::wrap(problem, width).iter().map(bad).collect(),
                    None => self.offers(theme, width),
                };
                said("Command", choices, prose)
            }
            Step::Asked(command) => {
                let words = format!("{}: waiting for the engine's answer", command.name());
                said("Command", keys(theme, &[("Esc", "back")], width), vec![plain(theme, words)])
            }
            Step::Confirm(preview) => {
                let choices = keys(theme, &[("y", "carry out"), ("Esc", "back (default)")], width);
                said("Carry it out?", choices, preview.lines(self.field.text(), theme, width))
            }
            Step::Code { preview, entry } => {
                let choices = entry.lines("carry it out", facts, theme, width);
                said("Carry it out?", choices, preview.lines(self.field.text(), theme, width))
            }
        }
    }
}

impl Preview {
    /// What was asked for, and what the engine says to it.
    fn lines(&self, asked: &str, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let said = format!("{}: {}", self.command.name(), self.would);
        let lines = text::wrap(asked, width).into_iter().chain(text::wrap(&said, width));
        lines.map(|part| plain(theme, part)).collect()
    }
}
