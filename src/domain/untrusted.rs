//! Text that somebody else wrote. It is kept as it came and shown only after [`Untrusted::sanitize`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text from a model, a venue, a feed, the bus or a file: never printed as it is.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Wraps foreign text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The raw text, for parsing and storing; not for the screen.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// At most `chars_max` visible characters: no control, escape, bidi, zero-width or tag characters, at most two
    /// combining marks in a row. A `…` at the end says that something was cut or removed.
    pub fn sanitize(&self, chars_max: usize) -> SafeText {
        let mut out = String::with_capacity(self.0.len().min(chars_max));
        let (mut kept, mut marks, mut removed) = (0, 0, false);
        for c in self.0.chars() {
            if kept == chars_max {
                removed = true;
                break;
            }
            let c = if c == '\n' || c == '\t' { ' ' } else { c };
            marks = if is_combining(c) { marks + 1 } else { 0 };
            if c.is_control() || is_invisible(c) || marks > 2 {
                removed = true;
                continue;
            }
            out.push(c);
            kept += 1;
        }
        if removed {
            out.push('…');
        }
        SafeText(out)
    }
}

/// Characters that take no place on the screen or reorder it (Unicode categories Cf, Zl, Zp, variation selectors,
/// tags, fillers).
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_combining(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{0591}'..='\u{05bd}' | '\u{064b}'..='\u{065f}'
        | '\u{0e31}' | '\u{0e34}'..='\u{0e3a}' | '\u{0e47}'..='\u{0e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Text that is fit for the screen: ours, or sanitized. What is read from outside is sanitized as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(from = "Untrusted")]
pub struct SafeText(String);

impl From<Untrusted> for SafeText {
    fn from(text: Untrusted) -> Self {
        text.sanitize(usize::MAX)
    }
}

impl SafeText {
    /// Text of our own making. Foreign parts of it should have been sanitized and cut before; what must not reach
    /// the screen is taken out here all the same.
    pub fn ours(text: impl fmt::Display) -> Self {
        Untrusted::new(text.to_string()).into()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_bidi_zero_width_and_tags_never_reach_the_screen() {
        for (raw, shown) in [
            ("\u{1b}[31mred", "[31mred…"),
            ("a\u{202e}b\u{200b}c", "abc…"),
            ("x\u{e0041}y", "xy…"),
            ("two\nlines", "two lines"),
            ("e\u{301}\u{301}\u{301}", "e\u{301}\u{301}…"),
            ("plain", "plain"),
        ] {
            assert_eq!(Untrusted::new(raw).sanitize(50).as_str(), shown);
        }
    }

    #[test]
    fn long_text_is_cut_visibly() {
        assert_eq!(Untrusted::new("abcdef").sanitize(3).as_str(), "abc…");
    }
}
