//! The rhythm of the keys: what is typed in a row is typing and no answer, and what follows a text belongs to it.

use std::time::Duration;

use crate::config::KeyPress;
use crate::domain::Timestamp;

/// Keys closer than this are typed in a row: key repeat, a paste without its marks, a word.
const IN_A_ROW: Duration = Duration::from_millis(100);
/// A character that comes so soon after a text field has closed was meant for it.
const BEHIND_TEXT: Duration = Duration::from_millis(300);

/// How a key stands to the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Nothing was typed right before.
    Alone,
    /// It is one of several.
    InARow,
    /// It is a character right behind a text that is closed.
    BehindText,
}

/// The keys of the last moment.
#[derive(Debug, Default)]
pub struct Typing {
    last: Option<Timestamp>,
    /// When a character last went into a text, or followed one at once.
    text: Option<Timestamp>,
    /// The row that is being typed began before what is shown now: none of it was meant for that.
    is_stale: bool,
    /// A key that acts if nothing is typed right behind it.
    held: Option<(KeyPress, Timestamp)>,
}

impl Typing {
    /// A key is pressed; one that was held back is one of several then, and goes.
    pub fn press(&mut self, key: KeyPress, now: Timestamp) -> Rhythm {
        let is_within = |at: Option<Timestamp>, span| at.is_some_and(|at| now.since(at) < span);
        let is_in_a_row = is_within(self.last.replace(now), IN_A_ROW);
        self.held = None;
        self.is_stale &= is_in_a_row;
        if key.typed().is_some() && is_within(self.text, BEHIND_TEXT) {
            self.text = Some(now);
            Rhythm::BehindText
        } else if is_in_a_row {
            Rhythm::InARow
        } else {
            Rhythm::Alone
        }
    }

    /// The key that was pressed last was meant for what was there before.
    pub fn was_stale(&mut self) {
        self.is_stale = true;
    }

    /// Whether the key that was pressed last belongs to a row that was meant for what was there before.
    pub const fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Text was pasted: that is a row of its own.
    pub fn pasted(&mut self, now: Timestamp) {
        self.last = Some(now);
        self.held = None;
    }

    /// The key that was pressed last went into a text.
    pub fn was_text(&mut self, now: Timestamp) {
        self.text = Some(now);
    }

    /// Holds a key back until it is clear that it is alone.
    pub fn hold(&mut self, key: KeyPress, now: Timestamp) {
        self.held = Some((key, now));
    }

    /// What was shown has changed: the key was not meant for it.
    pub fn forget(&mut self) {
        self.held = None;
    }

    /// When the key that is held back acts.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.held.map(|(_, at)| at.plus(IN_A_ROW))
    }

    /// The key that was held back, once it is alone.
    pub fn release(&mut self, now: Timestamp) -> Option<KeyPress> {
        let is_due = self.next_due().is_some_and(|due| now >= due);
        self.held.take_if(|_| is_due).map(|(key, _)| key)
    }
}
