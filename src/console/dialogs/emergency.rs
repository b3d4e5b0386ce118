//! An Emergency that nobody has acknowledged: what it is, what to do, and "seen, mine" with a comment. A digit, which
//! elsewhere opens a pane, only chooses the comment: it takes `y` to acknowledge, and `y` alone does nothing.

use crossterm::event::KeyCode;
use ratatui::text::Line;

use super::{Panel, Reply, keys, plain, typed};
use crate::config::KeyPress;
use crate::console::facts::Facts;
use crate::console::line::LineBuilder;
use crate::console::text;
use crate::console::text_field::TextField;
use crate::console::theme::{Role, Theme};
use crate::coordinator::input::Confirmation;
use crate::coordinator::snapshot::AlarmRow;
use crate::domain::{AlarmId, AlarmTarget, Command};

const COMMENT_CHARS_MAX: usize = 200;

/// The comments that have a digit.
const COMMENTS: [(char, &str); 3] = [('1', "investigating"), ('2', "expected"), ('3', "handed over")];

/// The box; it is about one occurrence, however the list moves.
#[derive(Debug, Clone)]
pub struct EmergencyBox {
    alarm: AlarmId,
    comment: Comment,
}

/// How far the comment has come.
#[derive(Debug, Clone)]
enum Comment {
    /// None yet.
    Open,
    /// One of those that have a digit.
    Chosen(char, &'static str),
    /// In the operator's own words.
    Typed(TextField),
}

impl EmergencyBox {
    /// The box for one alarm.
    pub const fn new(alarm: AlarmId) -> Self {
        Self { alarm, comment: Comment::Open }
    }

    /// Which alarm it is about.
    pub const fn alarm(&self) -> AlarmId {
        self.alarm
    }

    /// Whether a comment is being typed.
    pub const fn is_text(&self) -> bool {
        matches!(self.comment, Comment::Typed(_))
    }

    pub(super) fn paste(&mut self, pasted: &str) {
        if let Comment::Typed(field) = &mut self.comment {
            field.paste(pasted);
        }
    }

    fn acknowledge(&self, comment: &str) -> Reply {
        let command = Command::AckAlarm { target: AlarmTarget::One(self.alarm), comment: comment.to_owned() };
        Reply::Send(command, Confirmation::None)
    }

    pub(super) fn key(&mut self, key: KeyPress, facts: &Facts) -> Reply {
        let is_over = facts.alarm(self.alarm).is_none_or(|row| !row.unacknowledged);
        if let Comment::Typed(field) = &mut self.comment {
            return match key.code {
                KeyCode::Esc | KeyCode::Enter if is_over => Reply::Close,
                KeyCode::Esc => {
                    self.comment = Comment::Open;
                    Reply::Restage
                }
                KeyCode::Enter if field.text().is_empty() => {
                    Reply::Say("acknowledge: write a comment, or Esc".to_owned())
                }
                KeyCode::Enter => {
                    let comment = field.text().to_owned();
                    self.acknowledge(&comment)
                }
                _ => {
                    field.key(key);
                    Reply::Stay
                }
            };
        }
        if is_over {
            return Reply::Close;
        }
        match (key.typed(), &self.comment) {
            _ if key.code == KeyCode::Esc => Reply::Close,
            (Some('y'), Comment::Chosen(digit, word)) => self.acknowledge(&format!("{digit} {word}")),
            (Some('y'), _) => Reply::Say("acknowledge: choose a comment first: 1, 2, 3 or t".to_owned()),
            (Some('t'), _) => {
                self.comment = Comment::Typed(TextField::new(COMMENT_CHARS_MAX));
                Reply::Stay
            }
            (typed, _) => {
                let chosen = COMMENTS.into_iter().find(|(digit, _)| typed == Some(*digit));
                let Some((digit, word)) = chosen else { return Reply::Unknown };
                self.comment = Comment::Chosen(digit, word);
                Reply::Stay
            }
        }
    }

    pub(super) fn panel(&self, facts: &Facts, theme: Theme, width: usize) -> Panel {
        let emergencies = facts.emergencies();
        let place = emergencies.iter().position(|row| row.id == self.alarm);
        let title = match (place, emergencies.len()) {
            (Some(at), all) if all > 1 => format!("!! EMERGENCY {} of {all}", at + 1),
            _ => "!! EMERGENCY".to_owned(),
        };
        let Some(row) = facts.alarm(self.alarm) else {
            let mut choices = self.typed_line(theme);
            choices.extend(keys(theme, &[("Esc", "close")], width));
            let prose = vec![plain(theme, "gone from the list: nothing is left to be acknowledged")];
            return Panel { title, role: Role::Emergency, choices, prose };
        };
        let line = || LineBuilder::new(theme);
        let age = text::ago(row.raised.operator, facts.now.operator);
        let mut prose = vec![
            line().text(row.title.as_str(), Role::Title).text(format!("  {age} ago"), Role::Dim).build(),
        ];
        let mut labelled = |label: &str, words: &str| {
            let room = width.saturating_sub(8).max(10);
            let parts = text::wrap(words, room).into_iter().enumerate().map(|(at, part)| {
                let name = if at == 0 { label } else { "" };
                line().left(name, 8, Role::Dim).text(part, Role::Plain).build()
            });
            prose.extend::<Vec<Line<'static>>>(parts.collect());
        };
        labelled("what", row.headline.as_str());
        labelled("cause", row.cause.as_str());
        labelled("effect", row.consequence.as_str());
        labelled("do", row.response.as_str());
        prose.push(plain(theme, "Acknowledging says: seen, mine. It clears and resumes nothing."));
        Panel { title, role: Role::Emergency, choices: self.choices(row, theme, width), prose }
    }

    fn choices(&self, row: &AlarmRow, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let [(_, first), (_, second), (_, third)] = COMMENTS;
        let offers = [("1", first), ("2", second), ("3", third), ("t", "text")];
        match &self.comment {
            Comment::Open => keys(theme, &[offers.as_slice(), &[("Esc", "hide")]].concat(), width),
            Comment::Chosen(_, word) => {
                let confirm = format!("acknowledge as {word}");
                let mut choices = keys(theme, &[("y", confirm.as_str()), ("Esc", "hide (default)")], width);
                choices.extend(keys(theme, &offers, width));
                choices
            }
            Comment::Typed(_) => {
                let offers: &[_] = if row.unacknowledged {
                    &[("Enter", "acknowledge"), ("Esc", "back")]
                } else {
                    &[("Esc", "close: acknowledged already")]
                };
                let mut choices = self.typed_line(theme);
                choices.extend(keys(theme, offers, width));
                choices
            }
        }
    }

    /// The comment being typed, if one is.
    fn typed_line(&self, theme: Theme) -> Vec<Line<'static>> {
        match &self.comment {
            Comment::Typed(field) => vec![typed(theme, "comment:", field.raw())],
            Comment::Open | Comment::Chosen(..) => Vec::new(),
        }
    }
}
