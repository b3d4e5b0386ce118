//! A code that the operator types: the same rules wherever one is wanted. What is typed once it counts no more goes
//! nowhere, neither into another field nor to a key.

use std::time::Duration;

use crossterm::event::KeyCode;
use ratatui::text::Line;

use super::{keys, typed};
use crate::config::KeyPress;
use crate::console::facts::Facts;
use crate::console::line::LineBuilder;
use crate::console::text_field::TextField;
use crate::console::theme::{Role, Theme};
use crate::domain::{Epoch, Timestamp, short_span};

/// The code as it was shown, what is typed of it, and what makes it void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeEntry {
    field: TextField,
    code: String,
    epoch: Epoch,
    reasons: usize,
    shown_at: Timestamp,
    valid_for: Duration,
}

/// What a key made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// Nothing yet.
    Nothing,
    /// This is to be told.
    Say(String),
    /// It is right.
    Right,
    /// It counts no more, and the operator wants another one.
    Another,
}

/// Whether a code still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Good(Duration),
    RanOut,
    Void,
}

impl CodeEntry {
    /// A code that is shown now.
    pub fn new(code: &str, valid_for: Duration, facts: &Facts) -> Self {
        Self {
            field: TextField::new(code.chars().count()),
            code: code.to_owned(),
            epoch: facts.gate.epoch,
            reasons: facts.snapshot.control.halt_reasons.len(),
            shown_at: facts.now.operator,
            valid_for,
        }
    }

    /// When it was shown.
    pub const fn shown_at(&self) -> Timestamp {
        self.shown_at
    }

    /// The code itself.
    pub fn code(&self) -> &str {
        &self.code
    }

    fn standing(&self, facts: &Facts) -> Standing {
        let left = self.valid_for.saturating_sub(facts.now.operator.since(self.shown_at));
        if facts.gate.epoch != self.epoch || facts.snapshot.control.halt_reasons.len() != self.reasons {
            Standing::Void
        } else if left.is_zero() {
            Standing::RanOut
        } else {
            Standing::Good(left)
        }
    }

    /// Why it counts no more.
    fn over(&self, standing: Standing) -> Option<String> {
        match standing {
            Standing::Good(_) => None,
            Standing::RanOut => Some(format!("the code ran out after {}", short_span(self.valid_for))),
            Standing::Void => Some("the gate was shut again meanwhile: the code is void".to_owned()),
        }
    }

    pub(super) fn key(&mut self, key: KeyPress, facts: &Facts) -> Entered {
        if let Some(why) = self.over(self.standing(facts)) {
            return if key.code == KeyCode::Enter {
                Entered::Another
            } else {
                Entered::Say(format!("{why}; Enter shows a new one"))
            };
        }
        let capital = key.typed().map(|c| KeyPress::plain(KeyCode::Char(c.to_ascii_uppercase())));
        let is_edited = self.field.key(capital.unwrap_or(key));
        if !is_edited || self.field.text().chars().count() < self.code.chars().count() {
            return Entered::Nothing;
        }
        if self.field.text().eq_ignore_ascii_case(&self.code) {
            return Entered::Right;
        }
        self.field.set("");
        Entered::Say("that is not the code; type what is shown".to_owned())
    }

    /// The line that it is typed into, and its keys.
    pub(super) fn lines(&self, what: &str, facts: &Facts, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let standing = self.standing(facts);
        let mut lines = match standing {
            Standing::Good(left) => {
                let label = format!("type {} to {what} ({} s left):", self.code, left.as_secs());
                vec![typed(theme, &label, self.field.raw())]
            }
            Standing::RanOut | Standing::Void => {
                let why = self.over(standing).unwrap_or_default();
                vec![LineBuilder::new(theme).text(why, Role::Warn).build()]
            }
        };
        let offers: &[_] = match standing {
            Standing::Good(_) => &[("Esc", "back (default)")],
            Standing::RanOut | Standing::Void => &[("Enter", "shows a new one"), ("Esc", "back (default)")],
        };
        lines.extend(keys(theme, offers, width));
        lines
    }
}
