//! One line that says what became of what the operator asked for. The result is the engine's answer, never a guess.

use std::time::Duration;

use ratatui::text::Line;

use super::line::LineBuilder;
use super::text;
use super::theme::{Role, Theme};
use crate::domain::{CommandOutcome, Timestamp};

/// How long an answer stays.
const DONE_FOR: Duration = Duration::from_secs(10);
/// How long a refusal stays: it has to be read.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// More are never waiting at once; the oldest goes.
const KEPT_MAX: usize = 20;

/// Numbers one request of this console.
pub type Ticket = u64;

#[derive(Debug, Clone)]
enum State {
    Pending { ticket: Ticket, loosens: bool },
    Answered(CommandOutcome),
    Said,
}

#[derive(Debug, Clone)]
struct Toast {
    label: String,
    since: Timestamp,
    state: State,
}

/// What has been asked and answered lately, newest last.
#[derive(Debug, Clone, Default)]
pub struct Toasts {
    list: Vec<Toast>,
}

impl Toasts {
    /// A request went out.
    pub fn pending(&mut self, ticket: Ticket, label: impl Into<String>, loosens: bool, now: Timestamp) {
        self.push(Toast { label: label.into(), since: now, state: State::Pending { ticket, loosens } });
    }

    /// Its answer came.
    pub fn answered(&mut self, ticket: Ticket, outcome: CommandOutcome, now: Timestamp) {
        let is_it =
            |toast: &&mut Toast| matches!(toast.state, State::Pending { ticket: t, .. } if t == ticket);
        if let Some(toast) = self.list.iter_mut().find(is_it) {
            toast.state = State::Answered(outcome);
            toast.since = now;
        }
    }

    /// Its answer is shown elsewhere.
    pub fn forget(&mut self, ticket: Ticket) {
        self.list.retain(|toast| !matches!(toast.state, State::Pending { ticket: t, .. } if t == ticket));
    }

    /// The console itself has something to say.
    pub fn say(&mut self, words: impl Into<String>, now: Timestamp) {
        self.push(Toast { label: words.into(), since: now, state: State::Said });
    }

    fn push(&mut self, toast: Toast) {
        self.list.push(toast);
        if self.list.len() > KEPT_MAX {
            self.list.remove(0);
        }
    }

    /// Whether something that loosens is on its way to the engine.
    pub fn is_loosening(&self) -> bool {
        self.list.iter().any(|toast| matches!(toast.state, State::Pending { loosens: true, .. }))
    }

    /// Forgets what has been seen long enough. Whether anything went.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.list.len();
        self.list.retain(|toast| toast.end().is_none_or(|end| now < end));
        before != self.list.len()
    }

    /// The line; none when there is nothing to say.
    pub fn line(&self, theme: Theme, now: Timestamp, width: usize) -> Option<Line<'static>> {
        let waiting = |toast: &&Toast| matches!(toast.state, State::Pending { .. });
        let toast = self.list.last()?;
        let others = self.list.iter().filter(waiting).filter(|other| !std::ptr::eq(*other, toast)).count();
        let others = if others == 0 { String::new() } else { format!("  (+{others} pending)") };
        let age = text::ago(toast.since, now);
        let (words, role) = match &toast.state {
            State::Pending { .. } => (format!("{}: pending", toast.label), Role::Key),
            State::Answered(CommandOutcome::Done { detail }) => {
                (format!("{}: done: {detail}", toast.label), Role::Good)
            }
            State::Answered(CommandOutcome::Refused { why }) => {
                (format!("{}: REFUSED: {why}", toast.label), Role::Bad)
            }
            State::Answered(CommandOutcome::Preview { would, .. }) => {
                (format!("{}: NOT DONE, it has to be confirmed: {would}", toast.label), Role::Warn)
            }
            State::Said => (toast.label.clone(), Role::Warn),
        };
        let tail = format!("{others}  {age} ");
        let room = width.saturating_sub(text::width(&tail) + 1);
        let line = LineBuilder::new(theme).gap(1).left(words, room, role).text(tail, Role::Dim);
        Some(line.build())
    }
}

impl Toast {
    fn end(&self) -> Option<Timestamp> {
        match &self.state {
            State::Pending { .. } => None,
            State::Answered(CommandOutcome::Refused { .. } | CommandOutcome::Preview { .. }) => {
                Some(self.since.plus(REFUSED_FOR))
            }
            State::Answered(CommandOutcome::Done { .. }) | State::Said => Some(self.since.plus(DONE_FOR)),
        }
    }
}
