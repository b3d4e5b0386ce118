//! `:` any command, with completion; what loosens is shown and confirmed, release and flatten want the code too.

use crossterm::event::KeyCode;
use ratatui::text::Line;

use super::{Dialog, Panel, Release, Reply, Resume, given, keys, plain, typed};
use crate::console::facts::Facts;
use crate::console::key::KeyPress;
use crate::console::line::LineBuilder;
use crate::console::text;
use crate::console::text_field::TextField;
use crate::console::theme::{Role, Theme};
use crate::coordinator::input::Confirmation;
use crate::domain::{Command, CommandOutcome, Epoch, Level, Tier, Timestamp, TradingState};

const LINE_CHARS_MAX: usize = 300;
const CODE_CHARS: usize = 4;
/// So many candidates are shown with their arguments; more of them by name alone.
const USAGES_MAX: usize = 9;

#[derive(Debug, Clone)]
enum Step {
    Typing,
    Confirm { command: Command, epoch: Epoch, shown_at: Timestamp },
    Code { command: Command, told: Option<String>, code: TextField, epoch: Epoch, shown_at: Timestamp },
}

/// The line.
#[derive(Debug, Clone)]
pub struct CommandLine {
    field: TextField,
    step: Step,
    problem: Option<String>,
    read_only: bool,
}

/// What it takes here: a level that is not above the one in force may loosen, so it is shown first.
fn tier(command: &Command, facts: &Facts) -> Tier {
    match command {
        Command::ForceLevel { level, .. } if *level < effective(facts) => Tier::Looser,
        other => other.tier(),
    }
}

fn effective(facts: &Facts) -> Level {
    facts.snapshot.degradation.effective
}

impl CommandLine {
    /// An empty line. With `read_only`, only pause and halt are accepted.
    pub const fn new(read_only: bool) -> Self {
        Self { field: TextField::new(LINE_CHARS_MAX), step: Step::Typing, problem: None, read_only }
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
            Step::Confirm { .. } | Step::Code { .. } => {}
        }
    }

    /// Commands whose name begins with the word being typed, then those that have it elsewhere; behind a whole name,
    /// that command alone.
    fn candidates(&self) -> Vec<(&'static str, &'static str)> {
        if let Some((word, _)) = self.field.raw().split_once(' ') {
            return Command::usages().filter(|(name, _)| *name == word).collect();
        }
        let word = self.field.raw();
        let mut found: Vec<_> = Command::usages().filter(|(name, _)| name.contains(word)).collect();
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
        match self.step.clone() {
            Step::Typing => self.typing(key, facts),
            Step::Confirm { command, epoch, shown_at } => match key.typed() {
                Some('y') if epoch == facts.gate.epoch => Reply::Send(command, given(facts, shown_at, None)),
                Some('y') => {
                    self.step =
                        Step::Confirm { command, epoch: facts.gate.epoch, shown_at: facts.now.operator };
                    Reply::Say("something changed since this was shown: look again".to_owned())
                }
                _ if key.code == KeyCode::Esc => self.back(),
                _ => Reply::Stay,
            },
            Step::Code { command, mut code, told, epoch, shown_at } => {
                if key.code == KeyCode::Esc {
                    return self.back();
                }
                if epoch != facts.gate.epoch {
                    self.step = Step::Typing;
                    return Reply::Say(
                        "something changed since the code was shown: ask again with Enter".to_owned(),
                    );
                }
                code.key(key.typed().map_or(key, |c| KeyPress::plain(KeyCode::Char(c.to_ascii_uppercase()))));
                if told.is_some() && code.text().chars().count() == CODE_CHARS {
                    let confirmation = given(facts, shown_at, Some(code.text().to_owned()));
                    return Reply::Send(command, confirmation);
                }
                self.step = Step::Code { command, told, code, epoch, shown_at };
                Reply::Stay
            }
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
        let (epoch, shown_at) = (facts.gate.epoch, facts.now.operator);
        match tier(&command, facts) {
            Tier::Safer => Reply::Send(command, Confirmation::None),
            Tier::Looser => {
                self.step = Step::Confirm { command, epoch, shown_at };
                Reply::Restage
            }
            Tier::WithCode => {
                let code = TextField::new(CODE_CHARS);
                self.step = Step::Code { command: command.clone(), told: None, code, epoch, shown_at };
                Reply::Preview(command)
            }
        }
    }

    /// The engine's words on what the command would do, with the code to type.
    pub(super) fn preview(&mut self, outcome: &CommandOutcome, facts: &Facts) {
        if let Step::Code { told, shown_at, .. } = &mut self.step {
            let words = match outcome {
                CommandOutcome::Done { detail } => detail,
                CommandOutcome::Refused { why } => why,
            };
            *told = Some(words.to_string());
            *shown_at = facts.now.operator;
        }
    }

    pub(super) fn panel(&self, theme: Theme, width: usize) -> Panel {
        let line = || LineBuilder::new(theme);
        let mut lines = Vec::new();
        match &self.step {
            Step::Typing => {
                if let Some(problem) = &self.problem {
                    lines.extend(
                        text::wrap(problem, width).iter().map(|part| line().text(part, Role::Bad).build()),
                    );
                } else {
                    lines.extend(self.offers(theme, width));
                }
                lines.push(typed(theme, ":", self.field.raw()));
                lines.push(keys(theme, &[("Tab", "complete"), ("Enter", "go on"), ("Esc", "cancel")]));
            }
            Step::Confirm { command, .. } => {
                lines.push(plain(theme, format!("{}: makes things looser or makes orders.", command.name())));
                lines.push(typed(theme, ":", self.field.text()));
                lines.push(keys(theme, &[("y", "carry out"), ("Esc", "back (default)")]));
            }
            Step::Code { command, told, code, .. } => {
                let told = told.as_deref().unwrap_or("waiting for the engine's preview");
                lines.push(plain(theme, format!("{}:", command.name())));
                lines.extend(text::wrap(told, width).iter().map(|part| plain(theme, part)));
                lines.push(typed(theme, "type the code to carry it out:", code.raw()));
                lines.push(keys(theme, &[("Esc", "back (default)")]));
            }
        }
        Panel { title: "Command".to_owned(), role: Role::Title, lines }
    }
}
