//! The keys, from the live keymap.

use crossterm::event::KeyCode;

use super::{Panel, Reply};
use crate::config::KeyPress;
use crate::console::keymap::{Binding, Entry, Keymap};
use crate::console::line::LineBuilder;
use crate::console::panes::PaneId;
use crate::console::theme::{Role, Theme};

/// The list is never scrolled so far that nothing is left of it.
const LAST: usize = Binding::ALL.len() + PaneId::ALL.len() - 1;

/// The list, scrolled by some lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Help {
    from: usize,
}

impl Help {
    pub(super) fn key(&mut self, key: KeyPress) -> Reply {
        match key.code {
            KeyCode::Down | KeyCode::Char('j') => self.from = (self.from + 1).min(LAST),
            KeyCode::Up | KeyCode::Char('k') => self.from = self.from.saturating_sub(1),
            KeyCode::PageDown => self.from = (self.from + 10).min(LAST),
            KeyCode::PageUp => self.from = self.from.saturating_sub(10),
            KeyCode::Esc | KeyCode::Char('?' | 'q') => return Reply::Close,
            _ => {}
        }
        Reply::Stay
    }

    pub(super) fn panel(self, keymap: &Keymap, theme: Theme) -> Panel {
        let line = |Entry { keys, what, .. }: Entry| {
            LineBuilder::new(theme).left(keys, 14, Role::Key).gap(1).text(what, Role::Plain).build()
        };
        let prose = keymap.entries().into_iter().skip(self.from).map(line).collect();
        Panel {
            title: "Keys (Esc closes, j k scroll)".to_owned(),
            role: Role::Title,
            choices: Vec::new(),
            prose,
        }
    }
}
