//! Leaving: which stops will sleep.

use crossterm::event::KeyCode;

use super::{Panel, Reply, keys, plain};
use crate::config::KeyPress;
use crate::console::facts::Facts;
use crate::console::line::LineBuilder;
use crate::console::text;
use crate::console::theme::{Role, Theme};

/// The dialog.
#[derive(Debug, Clone, Copy)]
pub struct Quit;

impl Quit {
    #[expect(clippy::unused_self, reason = "every dialog takes its keys the same way")]
    pub(super) const fn key(self, key: KeyPress) -> Reply {
        match key.code {
            KeyCode::Char('y') if !key.ctrl && !key.alt => Reply::Quit,
            KeyCode::Esc | KeyCode::Char('n') => Reply::Close,
            _ => Reply::Unknown,
        }
    }
}

pub(super) fn panel(facts: &Facts, theme: Theme, width: usize) -> Panel {
    let positions = &facts.snapshot.portfolio.positions;
    let mut lines = Vec::new();
    if positions.is_empty() {
        let core = if facts.has_ended {
            "The core has ended already."
        } else {
            "The engine stops with the console."
        };
        lines.push(plain(theme, format!("No positions are open. {core}")));
    } else {
        lines.push(plain(
            theme,
            if facts.has_ended {
                "The core has ended already: the stops of these positions sleep until it runs again:"
            } else {
                "The engine stops with the console. The stops of these positions will sleep:"
            },
        ));
        for position in positions {
            let stop = position
                .stop_pct
                .map_or_else(|| "no stop".to_owned(), |p| format!("stop {}%", text::percent(p)));
            let line = LineBuilder::new(theme)
                .gap(2)
                .left(position.symbol.as_str(), 12, Role::Title)
                .left(text::signed(position.quantity), 14, Role::Plain)
                .text(stop, Role::Warn);
            lines.push(line.build());
        }
        if !facts.has_ended {
            lines.push(plain(theme, "To keep it running, stay, or detach tmux."));
        }
    }
    let stay = if facts.has_ended { "stay (default)" } else { "keep running (default)" };
    let choices = keys(theme, &[("y", "quit"), ("Esc", stay)], width);
    Panel { title: "Quit?".to_owned(), role: Role::Warn, choices, prose: lines }
}
