//! `/` what the Topics pane shows; it filters while it is typed.

use crossterm::event::KeyCode;

use super::{Panel, Reply, keys, plain, typed};
use crate::config::KeyPress;
use crate::console::text_field::TextField;
use crate::console::theme::{Role, Theme};
use crate::console::topic_filter::TopicFilter;

/// The line.
#[derive(Debug, Clone)]
pub struct FilterLine {
    field: TextField,
}

impl FilterLine {
    /// Begins with the filter in use.
    pub fn new(filter: &TopicFilter) -> Self {
        let mut field = TextField::new(120);
        field.set(filter.text());
        Self { field }
    }

    fn filter(&self) -> Reply {
        Reply::Filter(TopicFilter::parse(self.field.raw()))
    }

    pub(super) fn paste(&mut self, pasted: &str) -> Reply {
        self.field.paste(pasted);
        self.filter()
    }

    pub(super) fn key(&mut self, key: KeyPress) -> Reply {
        match key.code {
            KeyCode::Enter => Reply::Close,
            KeyCode::Esc if self.field.raw().is_empty() => Reply::Close,
            KeyCode::Esc => {
                self.field.set("");
                self.filter()
            }
            _ => {
                self.field.key(key);
                self.filter()
            }
        }
    }

    pub(super) fn panel(&self, theme: Theme, width: usize) -> Panel {
        let mut choices = vec![typed(theme, "/", self.field.raw())];
        choices.extend(keys(theme, &[("Enter", "keep"), ("Esc", "show all, then close")], width));
        let how = "topic:ta  source:sim  symbol:BTC  prio:H (and above)  or any text; all must match";
        Panel {
            title: "Filter topics".to_owned(),
            role: Role::Title,
            choices,
            prose: vec![plain(theme, how)],
        }
    }
}
