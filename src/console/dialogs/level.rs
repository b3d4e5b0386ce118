//! Degradation level: a tighter one at once by its digit; a looser one after a reason and `y`.

use std::cmp::Ordering;

use crossterm::event::KeyCode;

use super::{Panel, Reply, given, keys, plain, typed};
use crate::config::KeyPress;
use crate::console::facts::Facts;
use crate::console::line::LineBuilder;
use crate::console::panes::degradation;
use crate::console::text;
use crate::console::text_field::TextField;
use crate::console::theme::{Role, Theme};
use crate::coordinator::input::Confirmation;
use crate::domain::{Command, Epoch, Level, Timestamp};

const REASON_CHARS_MAX: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Choose,
    Reason(Level),
    Confirm { level: Level, epoch: Epoch, shown_at: Timestamp },
}

/// The menu.
#[derive(Debug, Clone)]
pub struct LevelMenu {
    step: Step,
    reason: TextField,
}

impl Default for LevelMenu {
    fn default() -> Self {
        Self { step: Step::Choose, reason: TextField::new(REASON_CHARS_MAX) }
    }
}

const fn digit(level: Level) -> char {
    match level {
        Level::Normal => '1',
        Level::Reduced => '2',
        Level::Limited => '3',
        Level::Emergency => '4',
    }
}

const fn meaning(level: Level) -> &'static str {
    match level {
        Level::Normal => "everything works",
        Level::Reduced => "models no longer choose the rebalance strategy",
        Level::Limited => "no sentiment; signal entries at half size",
        Level::Emergency => "no entries, no model calls",
    }
}

impl LevelMenu {
    pub(super) const fn is_text(&self) -> bool {
        matches!(self.step, Step::Reason(_))
    }

    pub(super) const fn answers(&self) -> &'static str {
        match self.step {
            Step::Choose => "1 to 4, or Esc",
            Step::Reason(_) | Step::Confirm { .. } => "y or Esc",
        }
    }

    pub(super) fn paste(&mut self, pasted: &str) {
        if self.is_text() {
            self.reason.paste(pasted);
        }
    }

    pub(super) fn key(&mut self, key: KeyPress, facts: &Facts) -> Reply {
        if key.code == KeyCode::Esc {
            return self.back();
        }
        match self.step.clone() {
            Step::Choose => {
                let level = key.typed().and_then(|c| Level::ALL.into_iter().find(|level| digit(*level) == c));
                level.map_or(Reply::Unknown, |level| self.choose(level, facts))
            }
            Step::Reason(level) if key.code == KeyCode::Enter => {
                if self.reason.text().is_empty() {
                    return Reply::Say("level: write why it may be looser".to_owned());
                }
                self.step = Step::Confirm { level, epoch: facts.gate.epoch, shown_at: facts.now.operator };
                Reply::Restage
            }
            Step::Reason(_) => {
                self.reason.key(key);
                Reply::Stay
            }
            Step::Confirm { level, epoch, shown_at } if key.typed() == Some('y') => {
                if epoch != facts.gate.epoch {
                    self.step =
                        Step::Confirm { level, epoch: facts.gate.epoch, shown_at: facts.now.operator };
                    return Reply::Say("something changed since this was shown: look again".to_owned());
                }
                let reason = self.reason.text().to_owned();
                let command = if level <= facts.snapshot.degradation.automatic {
                    Command::ClearLevel { reason }
                } else {
                    Command::ForceLevel { level, until: None, reason }
                };
                Reply::Send(command, given(facts, shown_at, None))
            }
            Step::Confirm { .. } => Reply::Unknown,
        }
    }

    fn back(&mut self) -> Reply {
        match self.step {
            Step::Choose => return Reply::Close,
            Step::Reason(_) => self.step = Step::Choose,
            Step::Confirm { level, .. } => self.step = Step::Reason(level),
        }
        Reply::Restage
    }

    fn choose(&mut self, level: Level, facts: &Facts) -> Reply {
        let view = &facts.snapshot.degradation;
        let forced = view.forced.as_ref().map(|forced| forced.level);
        if forced == Some(level) {
            return Reply::Say(format!("LEVEL {level} is forced already"));
        }
        if level > view.effective || (level == view.effective && forced.is_none()) {
            let command = Command::ForceLevel { level, until: None, reason: String::new() };
            return Reply::Send(command, Confirmation::None);
        }
        if forced.is_none() {
            let words = format!(
                "LEVEL {} is automatic: it goes when the failures pass, or by :reset_failures",
                view.automatic
            );
            return Reply::Say(words);
        }
        self.step = Step::Reason(level);
        Reply::Restage
    }

    pub(super) fn panel(&self, facts: &Facts, theme: Theme, width: usize) -> Panel {
        let view = &facts.snapshot.degradation;
        let line = || LineBuilder::new(theme);
        let forced =
            view.forced.as_ref().map_or_else(|| "none".to_owned(), |forced| forced.level.to_string());
        let now = format!("now LEVEL {}: automatic {}, forced {forced}", view.effective, view.automatic);
        let mut choices = Vec::new();
        let mut prose = vec![plain(theme, now)];
        match &self.step {
            Step::Choose => {
                for level in Level::ALL {
                    let how = match level.cmp(&view.effective) {
                        Ordering::Greater => "at once",
                        Ordering::Equal => "now",
                        Ordering::Less => "reason, then y",
                    };
                    let row = line()
                        .text(digit(level).to_string(), Role::Key)
                        .gap(1)
                        .left(level.to_string(), 10, degradation::role(level))
                        .left(meaning(level), 48, Role::Plain)
                        .text(how, Role::Dim);
                    choices.push(row.build());
                }
                choices.extend(keys(theme, &[("Esc", "cancel (default)")], width));
            }
            Step::Reason(level) => {
                choices.push(typed(theme, &format!("why may it be LEVEL {level}?"), self.reason.raw()));
                choices.extend(keys(theme, &[("Enter", "go on"), ("Esc", "back")], width));
            }
            Step::Confirm { level, .. } => {
                let after = (*level).max(view.automatic);
                let words = format!(
                    "LEVEL {} becomes {after}: {}. Reason: {}",
                    view.effective,
                    meaning(after),
                    self.reason.text()
                );
                prose.extend(text::wrap(&words, width).iter().map(|part| plain(theme, part)));
                choices.extend(keys(theme, &[("y", "loosen"), ("Esc", "back (default)")], width));
            }
        }
        Panel { title: "Degradation level".to_owned(), role: Role::Title, choices, prose }
    }
}
