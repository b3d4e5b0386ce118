//! Text that somebody else wrote. It is kept as it came and shown only after [`Untrusted::sanitize`].

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// Most marks in a row that fit on any letter, such as accents: more of them spill over the lines around.
const ACCENTS_MAX: usize = 2;
/// Most marks of any kind in a row: Tibetan and Burmese syllables have up to five.
const MARKS_MAX: usize = 6;

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

    /// At most `chars_max` visible characters: no control, escape, bidi, zero-width or tag characters, no letters without
    /// a shape, no piles of marks. A `…` at the end says that something was cut or removed.
    pub fn sanitize(&self, chars_max: usize) -> SafeText {
        let mut out = String::with_capacity(self.0.len().min(chars_max));
        let (mut kept, mut removed) = (0, false);
        // Behind the last letter. What is removed does not end a row of marks.
        let (mut accents, mut marks) = (0, 0);
        for c in self.0.chars() {
            if kept == chars_max {
                removed = true;
                break;
            }
            let c = if c == '\n' || c == '\t' { ' ' } else { c };
            match Sight::of(c) {
                Sight::Hidden => {
                    removed = true;
                    continue;
                }
                Sight::Accent => (accents, marks) = (accents + 1, marks + 1),
                Sight::Mark => marks += 1,
                Sight::Shape => (accents, marks) = (0, 0),
            }
            if accents > ACCENTS_MAX || marks > MARKS_MAX {
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

    /// The same line by line, for a message of at most `lines_max` lines. A long line is cut in its middle: a message
    /// says at its beginning what is wrong, and at its end what to do.
    pub fn sanitize_lines(&self, chars_max: usize, lines_max: usize) -> SafeText {
        let mut lines = self.0.lines();
        let safe = lines.by_ref().take(lines_max).map(|line| {
            let line = SafeText::ours(line).0;
            let surplus = line.chars().count().saturating_sub(chars_max);
            if surplus == 0 {
                return line;
            }
            let kept = chars_max.div_ceil(2);
            let beginning = line.chars().take(kept);
            beginning.chain(['…']).chain(line.chars().skip(kept + surplus)).collect()
        });
        let mut text = safe.collect::<Vec<_>>().join("\n");
        if lines.next().is_some() {
            text.push_str("\n…");
        }
        SafeText(text)
    }
}

/// What the eye sees of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// Something of its own.
    Shape,
    /// Something on the character before, in a script that is written so.
    Mark,
    /// Something on the character before, whatever that is.
    Accent,
    /// Nothing, or a change of what stands around it.
    Hidden,
}

impl Sight {
    fn of(c: char) -> Self {
        if matches!(c, ' '..='~') {
            return Self::Shape;
        }
        if is_blank(c) {
            return Self::Hidden;
        }
        match c.general_category() {
            GeneralCategory::Format if is_number_sign(c) => Self::Shape,
            GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator => Self::Hidden,
            _ if is_accent(c) => Self::Accent,
            GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark => Self::Mark,
            _ => Self::Shape,
        }
    }
}

/// Letters, marks, symbols and reserved places that are drawn as nothing although their category is that of something
/// visible: what has the property `Default_Ignorable_Code_Point` (which never loses a member) and is no format
/// character, and the blanks of Braille and of musical notation.
const fn is_blank(c: char) -> bool {
    matches!(c,
        '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1d159}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Format characters that are drawn: the number and verse signs of Arabic, Syriac and Kaithi
/// (`Prepended_Concatenation_Mark`).
const fn is_number_sign(c: char) -> bool {
    matches!(
        c,
        '\u{0600}'
            ..='\u{0605}'
                | '\u{06dd}'
                | '\u{070f}'
                | '\u{0890}'
                | '\u{0891}'
                | '\u{08e2}'
                | '\u{110bd}'
                | '\u{110cd}'
    )
}

/// The blocks of marks for any letter, and those of the alphabets of which a letter takes two at most.
const fn is_accent(c: char) -> bool {
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
    use proptest::prelude::*;
    use regex_syntax::hir::{Class, HirKind};

    use super::*;

    fn shown(raw: &str) -> String {
        Untrusted::new(raw).sanitize(usize::MAX).to_string()
    }

    /// The characters of a class of the tables of another library, such as `\p{Cf}`.
    fn class(pattern: &str) -> Vec<char> {
        let hir = regex_syntax::parse(pattern).unwrap();
        let HirKind::Class(Class::Unicode(class)) = hir.into_kind() else { panic!("{pattern} is no class") };
        class.iter().flat_map(|range| range.start()..=range.end()).collect()
    }

    #[test]
    fn escapes_bidi_zero_width_and_tags_never_reach_the_screen() {
        for (raw, expected) in [
            ("\u{1b}[31mred", "[31mred…"),
            ("a\u{202e}b\u{200b}c", "abc…"),
            ("x\u{e0041}y", "xy…"),
            ("two\nlines", "two lines"),
            ("e\u{301}\u{301}\u{301}", "e\u{301}\u{301}…"),
            ("plain", "plain"),
        ] {
            assert_eq!(shown(raw), expected);
        }
    }

    #[test]
    fn what_is_drawn_as_nothing_never_reaches_the_screen() {
        let hidden =
            r"[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--\p{Prepended_Concatenation_Mark}]";
        let blanks = ['\u{2800}', '\u{1d159}'];
        for c in class(hidden).into_iter().chain(blanks).filter(|c| !matches!(c, '\n' | '\t')) {
            assert_eq!(shown(&format!("a{c}b")), "ab…", "U+{:04X}", c as u32);
        }
    }

    #[test]
    fn good_text_of_every_script_stays_as_it_is() {
        for text in [
            "Zürich, naïve, Łódź",
            "e\u{301} a\u{302}\u{323}",
            "Привет й",
            "Ελληνικά ώ",
            "שָׁלוֹם",
            "مُحَمَّد عَرَبِيّ \u{600}١٢",
            "हिन्दी कों स्त्री",
            "বাংলা ক্ষুদ্র",
            "தமிழ் కృష్ణ ಕನ್ನಡ",
            "ภาษาไทย ที่นี่",
            "རྒྱུད་བསྒྲུབས་",
            "မြန်မာ ရွှိုင်း",
            "ភាសាខ្មែរ ស្ត្រី",
            "한국어 \u{1112}\u{1161}\u{11ab}",
            "日本語 が か\u{3099} 中文",
            "አማርኛ ქართული հայերեն",
            "€ ₿ ± → █ ▁▂▃ 🦀",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn piles_of_marks_are_cut_whatever_is_hidden_between_them() {
        let accents = "a".to_owned() + &"\u{301}".repeat(500) + "b";
        assert_eq!(shown(&accents), "a\u{301}\u{301}b…");
        assert_eq!(shown("a\u{301}\u{200b}\u{302}\u{34f}\u{303}b"), "a\u{301}\u{302}b…");
        for mark in ['\u{302a}', '\u{a67c}', '\u{1d165}', '\u{0c4d}', '\u{103e}', '\u{0f74}'] {
            let shown = shown(&("x".to_owned() + &mark.to_string().repeat(500)));
            assert_eq!(shown.chars().count(), 1 + MARKS_MAX + 1, "U+{:04X}", mark as u32);
        }
    }

    #[test]
    fn long_text_is_cut_visibly() {
        assert_eq!(Untrusted::new("abcdef").sanitize(3).as_str(), "abc…");
    }

    #[test]
    fn a_message_keeps_its_lines_and_no_more_of_them_than_asked() {
        let text = Untrusted::new("one\u{202e}\ntwo\r\nbeginning and end\nfour");
        assert_eq!(text.sanitize_lines(5, 3).as_str(), "one…\ntwo\nbeg…nd\n…");
        assert_eq!(text.sanitize_lines(17, 9).as_str(), "one…\ntwo\nbeginning and end\nfour");
    }

    proptest! {
        #[test]
        fn whatever_is_shown_is_visible_and_stays_the_same(raw in any::<String>(), chars_max in 0_usize..200) {
            let once = Untrusted::new(raw).sanitize(chars_max);
            let (mut accents, mut marks) = (0, 0);
            for c in once.as_str().chars() {
                (accents, marks) = match Sight::of(c) {
                    Sight::Hidden => return Err(TestCaseError::fail(format!("U+{:04X} is hidden", c as u32))),
                    Sight::Accent => (accents + 1, marks + 1),
                    Sight::Mark => (accents, marks + 1),
                    Sight::Shape => (0, 0),
                };
                prop_assert!(accents <= ACCENTS_MAX && marks <= MARKS_MAX);
            }
            prop_assert!(once.as_str().chars().count() <= chars_max + 1);
            prop_assert_eq!(Untrusted::new(once.as_str()).sanitize(usize::MAX), once);
        }
    }
}
