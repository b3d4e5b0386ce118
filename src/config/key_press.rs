//! One key press, and its text as written in `console.yaml`: `p`, `H`, `ctrl-x`, `shift-tab`, `pgdn`, `f1`.

use std::fmt;
use std::str::FromStr;

use crossterm::event::KeyCode;
use thiserror::Error;

/// Names of the keys that are not a character.
const NAMED: [(&str, KeyCode); 14] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
];

/// Why a text is not a key that can be bound.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not a key at all.
    #[error(
        "`{0}` is not a key: write one character, ctrl-x, tab, shift-tab, enter, esc, space, up, pgdn or f1"
    )]
    Unknown(String),
    /// A chord that no terminal sends as such.
    #[error("`{chord}` would never be seen: terminals send {sent}; write {instead}")]
    NeverSent {
        /// As it was written.
        chord: String,
        /// What comes instead of it.
        sent: &'static str,
        /// What to bind.
        instead: &'static str,
    },
}

/// One key press. Upper case stands for shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPress {
    /// Which key.
    pub code: KeyCode,
    /// Held with Ctrl.
    pub ctrl: bool,
    /// Held with Alt.
    pub alt: bool,
}

impl KeyPress {
    /// A key alone.
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// The character that it would type into a text field.
    pub const fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

/// What terminals send instead of a chord, and what to bind instead; none for a chord that they do send. A control
/// byte stands for several chords, and `ESC` with some characters begins a sequence.
const fn never_sent(key: KeyPress) -> Option<(&'static str, &'static str)> {
    match key.code {
        KeyCode::Char('x') if key.ctrl && key.alt => Some(("Ctrl-X", "ctrl-x")),
        KeyCode::Char(c) if key.ctrl => match c {
            'h' | '8' | '?' => Some(("Backspace", "backspace or another letter")),
            'i' => Some(("Tab", "tab or another letter")),
            'm' => Some(("Enter", "enter or another letter")),
            '[' | '3' => Some(("Esc", "esc or a letter")),
            '2' | '@' => Some(("Ctrl-Space", "ctrl-space")),
            '4' => Some(("Ctrl-\\", "ctrl-\\")),
            '5' => Some(("Ctrl-]", "ctrl-]")),
            '6' => Some(("Ctrl-^", "ctrl-^")),
            '7' | '/' => Some(("Ctrl-_", "ctrl-_")),
            'a'..='z' | ' ' | '\\' | ']' | '^' | '_' => None,
            _ => Some(("it without ctrl", "ctrl- with a letter")),
        },
        KeyCode::Char('[' | ']' | 'O' | 'P' | 'X' | '^' | '_') if key.alt => {
            Some(("the begin of a sequence", "alt- with another character"))
        }
        KeyCode::Enter | KeyCode::Tab | KeyCode::BackTab | KeyCode::Esc | KeyCode::Backspace if key.ctrl => {
            Some(("it without ctrl", "it without ctrl"))
        }
        KeyCode::Esc if key.alt => Some(("Esc twice", "esc")),
        _ => None,
    }
}

impl FromStr for KeyPress {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || KeyError::Unknown(text.to_owned());
        let (ctrl, rest) = text.strip_prefix("ctrl-").map_or((false, text), |rest| (true, rest));
        let (alt, rest) = rest.strip_prefix("alt-").map_or((false, rest), |rest| (true, rest));
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => {
                KeyCode::Char(if ctrl { c.to_ascii_lowercase() } else { c })
            }
            (Some('f'), Some('0'..='9')) => {
                let number = rest.get(1..).and_then(|n| n.parse().ok()).filter(|n| (1..=12).contains(n));
                KeyCode::F(number.ok_or_else(wrong)?)
            }
            _ if rest == "space" => KeyCode::Char(' '),
            _ => NAMED.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code).ok_or_else(wrong)?,
        };
        let key = Self { code, ctrl, alt };
        match never_sent(key) {
            Some((sent, instead)) => Err(KeyError::NeverSent { chord: text.to_owned(), sent, instead }),
            None => Ok(key),
        }
    }
}

impl fmt::Display for KeyPress {
    /// As the footer and the help say it: `p`, `H`, `Ctrl-X`, `Space`, `S-Tab`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(c) if self.ctrl => c.to_ascii_uppercase().to_string(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::BackTab => "S-Tab".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            code => code.to_string(),
        };
        let (ctrl, alt) = (if self.ctrl { "Ctrl-" } else { "" }, if self.alt { "Alt-" } else { "" });
        f.pad(&format!("{ctrl}{alt}{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_texts_are_read() {
        for (text, code, ctrl) in [
            ("p", KeyCode::Char('p'), false),
            ("H", KeyCode::Char('H'), false),
            ("ctrl-x", KeyCode::Char('x'), true),
            ("space", KeyCode::Char(' '), false),
            ("shift-tab", KeyCode::BackTab, false),
            ("f1", KeyCode::F(1), false),
            ("f", KeyCode::Char('f'), false),
            ("?", KeyCode::Char('?'), false),
        ] {
            assert_eq!(text.parse(), Ok(KeyPress { code, ctrl, alt: false }), "{text}");
        }
        for text in ["", "pp", "ctrl-", "f13", "meta-x"] {
            assert!(text.parse::<KeyPress>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn chords_that_no_terminal_sends_are_refused_with_what_to_write() {
        for (chord, instead) in [
            ("ctrl-i", "tab"),
            ("ctrl-m", "enter"),
            ("ctrl-[", "esc"),
            ("ctrl-h", "backspace"),
            ("ctrl-1", "ctrl- with a letter"),
            ("ctrl-2", "ctrl-space"),
            ("ctrl-4", "ctrl-\\"),
            ("ctrl-/", "ctrl-_"),
            ("ctrl-é", "ctrl- with a letter"),
            ("ctrl-tab", "it without ctrl"),
            ("ctrl-enter", "it without ctrl"),
            ("ctrl-alt-x", "ctrl-x"),
            ("alt-[", "alt- with another character"),
            ("alt-O", "alt- with another character"),
            ("alt-esc", "esc"),
        ] {
            match chord.parse::<KeyPress>() {
                Err(KeyError::NeverSent { instead: told, .. }) => {
                    assert!(told.starts_with(instead), "{chord}: {told}");
                }
                other => panic!("{chord}: {other:?}"),
            }
        }
        for chord in ["ctrl-a", "ctrl-J", "ctrl-space", "ctrl-]", "ctrl-up", "ctrl-f5", "alt-p", "alt-enter"]
        {
            assert!(chord.parse::<KeyPress>().is_ok(), "{chord}");
        }
    }
}
