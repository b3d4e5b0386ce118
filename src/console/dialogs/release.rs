//! From HALTED to PAUSED: the pre-flight, live; then a reason; then the code.

use crossterm::event::KeyCode;

use super::code_entry::{CodeEntry, Entered};
use super::{Panel, Reply, given, keys, plain, typed};
use crate::config::KeyPress;
use crate::console::facts::Facts;
use crate::console::line::LineBuilder;
use crate::console::text;
use crate::console::text_field::TextField;
use crate::console::theme::{Role, Theme};
use crate::domain::Command;

const REASON_CHARS_MAX: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Checks,
    Reason,
    Code(CodeEntry),
}

/// The dialog.
#[derive(Debug, Clone)]
pub struct Release {
    step: Step,
    reason: TextField,
}

impl Default for Release {
    fn default() -> Self {
        Self { step: Step::Checks, reason: TextField::new(REASON_CHARS_MAX) }
    }
}

impl Release {
    /// The dialog with its reason written already.
    pub fn because(reason: &str) -> Self {
        let mut dialog = Self::default();
        dialog.reason.set(reason);
        dialog
    }
}

/// Whether nothing in the pre-flight forbids it.
fn is_clear(facts: &Facts) -> bool {
    let checks = facts.snapshot.control.release.as_ref().map(|view| &view.checks);
    checks.is_some_and(|checks| checks.iter().all(|check| check.problem.is_none() || check.advisory))
}

impl Release {
    pub(super) const fn is_text(&self) -> bool {
        match self.step {
            Step::Checks => false,
            Step::Reason | Step::Code(_) => true,
        }
    }

    pub(super) fn paste(&mut self, pasted: &str) {
        match &mut self.step {
            Step::Reason => self.reason.paste(pasted),
            // A code is typed: pasting it would prove nothing.
            Step::Checks | Step::Code(_) => {}
        }
    }

    pub(super) fn key(&mut self, key: KeyPress, facts: &Facts) -> Reply {
        if key.code == KeyCode::Esc {
            return self.back();
        }
        match &mut self.step {
            Step::Checks if key.typed() != Some('y') => Reply::Unknown,
            Step::Checks if is_clear(facts) => {
                self.step = Step::Reason;
                Reply::Restage
            }
            Step::Checks => {
                Reply::Say("release: a check has failed; nothing can be released before it is ok".to_owned())
            }
            Step::Reason if key.code == KeyCode::Enter => self.show_code(facts),
            Step::Reason => {
                self.reason.key(key);
                Reply::Stay
            }
            Step::Code(_) => self.code_key(key, facts),
        }
    }

    fn back(&mut self) -> Reply {
        match self.step {
            Step::Checks => Reply::Close,
            Step::Reason => {
                self.step = Step::Checks;
                Reply::Restage
            }
            Step::Code(_) => {
                self.step = Step::Reason;
                Reply::Restage
            }
        }
    }

    fn show_code(&mut self, facts: &Facts) -> Reply {
        let control = &facts.snapshot.control;
        let Some(view) = control.release.as_ref().filter(|_| is_clear(facts)) else {
            self.step = Step::Checks;
            return Reply::Say("release: a check has failed meanwhile".to_owned());
        };
        if self.reason.text().is_empty() {
            return Reply::Say("release: write why first".to_owned());
        }
        self.step = Step::Code(CodeEntry::new(&view.code, view.valid_for, facts));
        Reply::Restage
    }

    fn code_key(&mut self, key: KeyPress, facts: &Facts) -> Reply {
        let Step::Code(entry) = &mut self.step else { return Reply::Stay };
        match entry.key(key, facts) {
            Entered::Nothing => Reply::Stay,
            Entered::Say(words) => Reply::Say(format!("release: {words}")),
            // What was checked is looked at again with it.
            Entered::Another => self.show_code(facts),
            Entered::Right => {
                let confirmation = given(facts, entry.shown_at(), Some(entry.code().to_owned()));
                Reply::Send(Command::Release { reason: self.reason.text().to_owned() }, confirmation)
            }
        }
    }

    pub(super) fn panel(&self, facts: &Facts, theme: Theme, width: usize) -> Panel {
        let line = || LineBuilder::new(theme);
        let control = &facts.snapshot.control;
        let mut lines = Vec::new();
        for halt in &control.halt_reasons {
            let (age, why) = (text::ago(halt.at.operator, facts.now.operator), halt.reason.as_str());
            let words = format!("halted {age} ago by {}: {}", halt.by, text::or_none_given(why));
            lines.push(line().left(words, width, Role::Title).build());
        }
        for check in control.release.iter().flat_map(|view| &view.checks) {
            let (mark, role) = match (&check.problem, check.advisory) {
                (None, _) => ("ok    ", Role::Good),
                (Some(_), true) => ("note  ", Role::Warn),
                (Some(_), false) => ("FAILED", Role::Bad),
            };
            let words = check
                .problem
                .as_ref()
                .map_or_else(|| check.what.clone(), |why| format!("{}: {why}", check.what));
            lines.push(line().text(mark, role).gap(1).rest(words, width, Role::Plain).build());
        }
        if control.release.is_none() {
            lines.push(plain(theme, "the core has not answered yet"));
        }
        lines.push(line().text("It goes to PAUSED; nothing is bought or sold by it.", Role::Dim).build());
        let choices = match &self.step {
            Step::Checks if is_clear(facts) => {
                keys(theme, &[("y", "go on: reason, then code"), ("Esc", "cancel (default)")], width)
            }
            Step::Checks => keys(theme, &[("Esc", "back (default); failed checks forbid it")], width),
            Step::Reason => {
                let mut choices = vec![typed(theme, "why is it safe again?", self.reason.raw())];
                choices.extend(keys(theme, &[("Enter", "shows the code"), ("Esc", "back")], width));
                choices
            }
            Step::Code(entry) => {
                lines.push(line().text(format!("reason: {}", self.reason.text()), Role::Plain).build());
                entry.lines("release", facts, theme, width)
            }
        };
        Panel { title: "Release: HALTED to PAUSED".to_owned(), role: Role::Halted, choices, prose: lines }
    }
}
