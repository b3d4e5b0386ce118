//! One line of text being typed.

use crossterm::event::KeyCode;

use super::text;
use crate::config::KeyPress;

/// A text with its cursor at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextField {
    content: String,
    chars_max: usize,
}

impl TextField {
    /// An empty field for at most `chars_max` characters.
    pub const fn new(chars_max: usize) -> Self {
        Self { content: String::new(), chars_max }
    }

    /// What has been typed.
    pub fn text(&self) -> &str {
        self.content.trim()
    }

    /// What has been typed, spaces included.
    pub fn raw(&self) -> &str {
        &self.content
    }

    /// Replaces it.
    pub fn set(&mut self, content: impl Into<String>) {
        self.content = content.into();
    }

    /// Types `c`, if there is room and it takes a place on the screen.
    pub fn push(&mut self, c: char) {
        let fits = self.content.chars().count() < self.chars_max;
        if fits && text::clean(c.encode_utf8(&mut [0; 4])).as_ref() == c.to_string() {
            self.content.push(c);
        }
    }

    /// Types a pasted text; line ends become spaces, control characters are left out.
    pub fn paste(&mut self, pasted: &str) {
        for c in pasted.chars() {
            self.push(if c == '\n' || c == '\r' || c == '\t' { ' ' } else { c });
        }
    }

    /// Takes a key: characters, Backspace, Ctrl-U (all), Ctrl-W (a word). Whether it was one of these.
    pub fn key(&mut self, key: KeyPress) -> bool {
        match key.code {
            KeyCode::Backspace => {
                self.content.pop();
            }
            KeyCode::Char('u') if key.ctrl => self.content.clear(),
            KeyCode::Char('w') if key.ctrl => {
                let kept = self.content.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.content.truncate(kept);
            }
            _ => match key.typed() {
                Some(c) => self.push(c),
                None => return false,
            },
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_keys_edit() {
        let mut field = TextField::new(20);
        field.paste("one two\nthree\u{1b}\u{202e}");
        assert_eq!(field.raw(), "one two three");
        field.key("ctrl-w".parse().unwrap());
        assert_eq!(field.raw(), "one two ");
        field.key("backspace".parse().unwrap());
        assert_eq!(field.raw(), "one two");
        field.key("ctrl-u".parse().unwrap());
        assert_eq!(field.raw(), "");
    }

    #[test]
    fn no_more_is_typed_than_there_is_room() {
        let mut field = TextField::new(3);
        field.paste("abcdef");
        assert_eq!(field.raw(), "abc");
    }
}
