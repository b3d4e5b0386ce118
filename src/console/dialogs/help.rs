//! The keys, from the live keymap.

use crossterm::event::KeyCode;

use super::{Panel, Reply};
use crate::console::key::KeyPress;
use crate::console::keymap::Keymap;
use crate::console::line::LineBuilder;
use crate::console::theme::{Role, Theme};

/// The list, scrolled by some lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Help {
    from: usize,
}

impl Help {
    pub(super) fn key(&mut self, key: KeyPress) -> Reply {
        match key.code {
            KeyCode::Down | KeyCode::Char('j') => self.from = (self.from + 1).min(20),
            KeyCode::Up | KeyCode::Char('k') => self.from = self.from.saturating_sub(1),
            KeyCode::PageDown => self.from = (self.from + 10).min(20),
            KeyCode::PageUp => self.from = self.from.saturating_sub(10),
            KeyCode::Esc | KeyCode::Char('?' | 'q') => return Reply::Close,
            _ => {}
        }
        Reply::Stay
    }

    pub(super) fn panel(self, keymap: &Keymap, theme: Theme) -> Panel {
        let line = |(keys, what): (String, &str)| {
            LineBuilder::new(theme).left(keys, 14, Role::Key).gap(1).text(what, Role::Plain).build()
        };
        let lines = keymap.lines().into_iter().skip(self.from).map(line).collect();
        Panel { title: "Keys (Esc closes, j k scroll)".to_owned(), role: Role::Title, lines }
    }
}
