//! One key press, and its text as written in `console.yaml`: `p`, `H`, `ctrl-x`, `shift-tab`, `pgdn`, `f1`.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
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

/// Why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a key: write one character, ctrl-x, tab, shift-tab, enter, esc, space, up, pgdn or f1")]
pub struct KeyError(pub String);

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

impl From<KeyEvent> for KeyPress {
    fn from(event: KeyEvent) -> Self {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let shift = event.modifiers.contains(KeyModifiers::SHIFT);
        let code = match event.code {
            KeyCode::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            KeyCode::Char(c) if shift => KeyCode::Char(c.to_ascii_uppercase()),
            KeyCode::Tab if shift => KeyCode::BackTab,
            code => code,
        };
        Self { code, ctrl, alt: event.modifiers.contains(KeyModifiers::ALT) }
    }
}

impl FromStr for KeyPress {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || KeyError(text.to_owned());
        let (ctrl, rest) = text.strip_prefix("ctrl-").map_or((false, text), |rest| (true, rest));
        let (alt, rest) = rest.strip_prefix("alt-").map_or((false, rest), |rest| (true, rest));
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) => KeyCode::Char(if ctrl { c.to_ascii_lowercase() } else { c }),
            (Some('f'), Some('0'..='9')) => {
                let number = rest.get(1..).and_then(|n| n.parse().ok()).filter(|n| (1..=12).contains(n));
                KeyCode::F(number.ok_or_else(wrong)?)
            }
            _ if rest == "space" => KeyCode::Char(' '),
            _ => NAMED.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code).ok_or_else(wrong)?,
        };
        Ok(Self { code, ctrl, alt })
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
    fn a_shifted_letter_is_its_capital_however_the_terminal_says_it() {
        let shifted = KeyEvent::new(KeyCode::Char('h'), KeyModifiers::SHIFT);
        let capital = KeyEvent::new(KeyCode::Char('H'), KeyModifiers::NONE);
        assert_eq!(KeyPress::from(shifted), KeyPress::from(capital));
        let tab = KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT);
        assert_eq!(KeyPress::from(tab), KeyPress::plain(KeyCode::BackTab));
    }
}
