//! From PAUSED to RUNNING: what would be set going, what would still block, and one confirmation.

use crossterm::event::KeyCode;

use super::{Panel, Reply, given, keys, plain};
use crate::config::KeyPress;
use crate::console::facts::Facts;
use crate::console::line::LineBuilder;
use crate::console::text;
use crate::console::theme::{Role, Theme};
use crate::coordinator::block::Block;
use crate::domain::{Command, Epoch, Timestamp, TradingState};

/// What the operator was shown, to be compared when it is confirmed.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    epoch: Epoch,
    orders: usize,
    blocks: Vec<Block>,
}

impl Shown {
    fn of(facts: &Facts) -> Self {
        let resume = facts.snapshot.control.resume.as_ref();
        Self {
            epoch: facts.gate.epoch,
            orders: resume.map_or(0, |view| view.next_hour.len()),
            blocks: resume.map(|view| view.blocks_after.clone()).unwrap_or_default(),
        }
    }
}

/// The dialog.
#[derive(Debug, Clone)]
pub struct Resume {
    shown: Shown,
    shown_at: Timestamp,
}

impl Resume {
    /// Shows what a resume would do now.
    pub fn new(facts: &Facts) -> Self {
        Self { shown: Shown::of(facts), shown_at: facts.now.operator }
    }

    pub(super) fn key(&mut self, key: KeyPress, facts: &Facts) -> Reply {
        if key.code == KeyCode::Esc {
            return Reply::Close;
        }
        if key.typed() != Some('y') {
            return Reply::Unknown;
        }
        let Some(view) = &facts.snapshot.control.resume else {
            return Reply::Say("the core has not listed what a resume would do yet: wait, then y".to_owned());
        };
        if view.unacknowledged > 0 {
            return Reply::Say(format!(
                "resume: {} Emergency unacknowledged: Esc, then a",
                view.unacknowledged
            ));
        }
        if facts.state() != TradingState::Paused || self.shown != Shown::of(facts) {
            *self = Self::new(facts);
            return Reply::Say("something changed since this was shown: look again".to_owned());
        }
        Reply::Send(Command::Resume, given(facts, self.shown_at, None))
    }

    pub(super) fn panel(facts: &Facts, theme: Theme, width: usize) -> Panel {
        let title = "Resume: PAUSED to RUNNING".to_owned();
        let line = || LineBuilder::new(theme);
        let Some(view) = &facts.snapshot.control.resume else {
            let prose = vec![plain(theme, "the core has not answered yet")];
            return Panel {
                title,
                role: Role::Paused,
                choices: keys(theme, &[("Esc", "cancel")], width),
                prose,
            };
        };
        let mut lines = vec![plain(theme, "What it sets going within the next hour of market time:")];
        if view.next_hour.is_empty() {
            lines.push(line().text("  no order", Role::Dim).build());
        }
        lines.extend(view.next_hour.iter().flat_map(|order| {
            let parts = text::wrap(order, width.saturating_sub(2));
            parts.into_iter().map(|part| plain(theme, format!("  {part}")))
        }));
        if view.blocks_after.is_empty() {
            lines.push(line().text("Nothing else blocks entries.", Role::Plain).build());
        } else {
            let blocks: Vec<_> = view.blocks_after.iter().map(ToString::to_string).collect();
            lines.push(
                line().text(format!("Still blocked afterwards: {}", blocks.join("; ")), Role::Warn).build(),
            );
        }
        lines.push(line().text("Positions, stops and plans stay as they are.", Role::Dim).build());
        let choices = if view.unacknowledged > 0 {
            let words = format!("{} Emergency unacknowledged: not possible before that", view.unacknowledged);
            lines.insert(0, line().text(words, Role::Emergency).build());
            keys(theme, &[("Esc", "back (default), then a to acknowledge")], width)
        } else {
            keys(theme, &[("y", "resume"), ("Esc", "cancel (default)")], width)
        };
        Panel { title, role: Role::Paused, choices, prose: lines }
    }
}
