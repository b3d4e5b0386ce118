//! The terminal's bytes as keys and pastes. Sans-IO: bytes and instants go in, keys come out.
//!
//! Nothing that a terminal sends may hold the keyboard. What has begun and is not finished is dropped when no byte has
//! come for a while, or when it takes too long; Ctrl-X (0x18, CAN in ECMA-48) ends it at once and is a key itself.

use std::time::Duration;

use crossterm::event::KeyCode;

use crate::config::KeyPress;
use crate::domain::Timestamp;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
/// Ctrl-X, which ECMA-48 calls CANCEL.
const CANCEL: u8 = 0x18;
const PASTE_END: &[u8] = b"\x1b[201~";

/// An escape sequence or a character without its end is given up after so long without a byte.
pub const SEQUENCE_QUIET: Duration = Duration::from_millis(100);
/// The same for a paste.
pub const PASTE_QUIET: Duration = Duration::from_secs(1);
/// However its bytes come: a key that is held down must not keep an open sequence alive.
const SEQUENCE_LONGEST: Duration = Duration::from_secs(1);
/// The same for a paste.
const PASTE_LONGEST: Duration = Duration::from_secs(5);
/// Parameters of a longer sequence are none of ours.
const PARAMETERS_MAX: usize = 64;
/// A longer paste is read to its end and dropped: no text field takes it.
const PASTE_BYTES_MAX: usize = 64 * 1_024;
/// Bytes that follow `ESC [ M`: button, column, row.
const MOUSE_BYTES: u8 = 3;

/// What was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// One key.
    Key(KeyPress),
    /// A whole paste.
    Paste(String),
}

/// What has begun and is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Pending {
    #[default]
    Nothing,
    /// `ESC`: the key, or the begin of something.
    Escape,
    /// `ESC [` and its parameters.
    Control(Vec<u8>),
    /// `ESC [ [`, as the Linux console begins F1 to F5.
    LinuxFunction,
    /// `ESC O`
    Function,
    /// `ESC [ M`: so many bytes are still to come.
    Mouse(u8),
    /// OSC, DCS, SOS, PM or APC: text for a program, to its terminator.
    Text { after_escape: bool },
    /// Bytes of a UTF-8 character, how many it has, and whether `ESC` stood before it.
    Character { bytes: Vec<u8>, wanted: usize, alt: bool },
    /// `ESC [ 200 ~` and what was pasted.
    Paste { text: Vec<u8>, is_too_long: bool },
}

/// Reads keys.
#[derive(Debug, Default)]
pub struct KeyParser {
    pending: Pending,
    /// When the pending one began, and when its last byte came.
    began: Timestamp,
    heard: Timestamp,
    dropped: u64,
}

impl KeyParser {
    /// Reads `bytes`, which came at `now`.
    pub fn feed(&mut self, now: Timestamp, bytes: &[u8], out: &mut Vec<Typed>) {
        self.give_up(now, out);
        for byte in bytes {
            let was_idle = self.pending == Pending::Nothing;
            self.byte(*byte, out);
            if was_idle {
                self.began = now;
            }
        }
        self.heard = now;
    }

    /// Gives up what is unfinished for too long at `now`. An `ESC` with nothing behind it was the key.
    pub fn give_up(&mut self, now: Timestamp, out: &mut Vec<Typed>) {
        if self.next_due().is_some_and(|due| now >= due) {
            if std::mem::take(&mut self.pending) == Pending::Escape {
                out.push(Typed::Key(KeyPress::plain(KeyCode::Esc)));
            } else {
                self.dropped += 1;
            }
        }
    }

    /// When [`Self::give_up`] has something to do, if nothing comes before.
    pub fn next_due(&self) -> Option<Timestamp> {
        let (quiet, longest) = match self.pending {
            Pending::Nothing => return None,
            Pending::Paste { .. } => (PASTE_QUIET, PASTE_LONGEST),
            Pending::Escape
            | Pending::Control(_)
            | Pending::LinuxFunction
            | Pending::Function
            | Pending::Mouse(_)
            | Pending::Text { .. }
            | Pending::Character { .. } => (SEQUENCE_QUIET, SEQUENCE_LONGEST),
        };
        Some(self.heard.plus(quiet).min(self.began.plus(longest)))
    }

    /// Sequences, pastes and characters that were given up or were none.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Typed>) {
        let pending = std::mem::take(&mut self.pending);
        if byte == CANCEL {
            if !matches!(pending, Pending::Nothing | Pending::Escape) {
                self.dropped += 1;
            }
            out.push(Typed::Key(with_ctrl('x')));
            return;
        }
        match pending {
            Pending::Nothing => self.first(byte, false, out),
            Pending::Escape => self.after_escape(byte, out),
            Pending::Control(parameters) => self.control(parameters, byte, out),
            Pending::LinuxFunction => match byte {
                b'A'..=b'E' => out.push(plain(KeyCode::F(byte - b'A' + 1))),
                _ => self.drop_before(byte, out),
            },
            Pending::Function => match function_key(byte) {
                Some(code) => out.push(plain(code)),
                None => self.drop_before(byte, out),
            },
            Pending::Mouse(1) => {}
            Pending::Mouse(left) => self.pending = Pending::Mouse(left - 1),
            Pending::Text { after_escape: true } if byte != b'\\' => {
                self.dropped += 1;
                self.after_escape(byte, out);
            }
            Pending::Text { after_escape: true } => {}
            Pending::Text { after_escape: false } => match byte {
                BEL => {}
                ESC => self.pending = Pending::Text { after_escape: true },
                0x00..=0x1f => self.drop_before(byte, out),
                _ => self.pending = Pending::Text { after_escape: false },
            },
            Pending::Character { bytes, wanted, alt } => self.character(bytes, wanted, alt, byte, out),
            Pending::Paste { text, is_too_long } => self.paste(text, is_too_long, byte, out),
        }
    }

    /// What was pending is nothing, and `byte` is read as if it had not been there.
    fn drop_before(&mut self, byte: u8, out: &mut Vec<Typed>) {
        self.dropped += 1;
        self.first(byte, false, out);
    }

    /// A byte with nothing pending before it but, if `alt`, an `ESC`.
    fn first(&mut self, byte: u8, alt: bool, out: &mut Vec<Typed>) {
        let wanted = match byte {
            ESC => {
                self.pending = Pending::Escape;
                return;
            }
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => {
                match single(byte) {
                    Some(key) => out.push(Typed::Key(KeyPress { alt, ..key })),
                    None => self.dropped += 1,
                }
                return;
            }
        };
        self.pending = Pending::Character { bytes: vec![byte], wanted, alt };
    }

    fn after_escape(&mut self, byte: u8, out: &mut Vec<Typed>) {
        match byte {
            ESC => {
                out.push(plain(KeyCode::Esc));
                self.pending = Pending::Escape;
            }
            b'[' => self.pending = Pending::Control(Vec::new()),
            b'O' => self.pending = Pending::Function,
            b']' | b'P' | b'X' | b'^' | b'_' => self.pending = Pending::Text { after_escape: false },
            _ => self.first(byte, true, out),
        }
    }

    fn control(&mut self, mut parameters: Vec<u8>, byte: u8, out: &mut Vec<Typed>) {
        match byte {
            b'[' if parameters.is_empty() => self.pending = Pending::LinuxFunction,
            b'M' if parameters.is_empty() => self.pending = Pending::Mouse(MOUSE_BYTES),
            0x20..=0x3f => {
                if parameters.len() < PARAMETERS_MAX {
                    parameters.push(byte);
                }
                self.pending = Pending::Control(parameters);
            }
            b'~' if parameters == b"200" => {
                self.pending = Pending::Paste { text: Vec::new(), is_too_long: false };
            }
            0x40..=0x7e => out.extend(control_key(&parameters, byte).map(Typed::Key)),
            _ => self.drop_before(byte, out),
        }
    }

    fn character(&mut self, mut bytes: Vec<u8>, wanted: usize, alt: bool, byte: u8, out: &mut Vec<Typed>) {
        if !(0x80..=0xbf).contains(&byte) {
            return self.drop_before(byte, out);
        }
        bytes.push(byte);
        if bytes.len() < wanted {
            self.pending = Pending::Character { bytes, wanted, alt };
            return;
        }
        match std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next()) {
            Some(c) => out.push(Typed::Key(KeyPress { alt, ..KeyPress::plain(KeyCode::Char(c)) })),
            None => self.dropped += 1,
        }
    }

    fn paste(&mut self, mut text: Vec<u8>, mut is_too_long: bool, byte: u8, out: &mut Vec<Typed>) {
        text.push(byte);
        if text.ends_with(PASTE_END) {
            if is_too_long {
                self.dropped += 1;
            } else {
                text.truncate(text.len() - PASTE_END.len());
                out.push(Typed::Paste(String::from_utf8_lossy(&text).into_owned()));
            }
            return;
        }
        if text.len() > PASTE_BYTES_MAX {
            is_too_long = true;
            // The end may have begun.
            text.drain(..text.len() - PASTE_END.len());
        }
        self.pending = Pending::Paste { text, is_too_long };
    }
}

const fn plain(code: KeyCode) -> Typed {
    Typed::Key(KeyPress::plain(code))
}

const fn with_ctrl(c: char) -> KeyPress {
    KeyPress { code: KeyCode::Char(c), ctrl: true, alt: false }
}

/// The key that is one byte. Ctrl-H and Backspace are the same on half of all terminals, and Backspace on the other
/// half is 0x7f: both are Backspace.
fn single(byte: u8) -> Option<KeyPress> {
    let key = match byte {
        b'\r' => KeyPress::plain(KeyCode::Enter),
        b'\t' => KeyPress::plain(KeyCode::Tab),
        0x08 | 0x7f => KeyPress::plain(KeyCode::Backspace),
        0x00 => with_ctrl(' '),
        0x01..=0x1a => with_ctrl(char::from(byte - 1 + b'a')),
        0x1c..=0x1f => with_ctrl(char::from(byte - 0x1c + b'\\')),
        0x20..=0x7e => KeyPress::plain(KeyCode::Char(char::from(byte))),
        _ => return None,
    };
    Some(key)
}

/// `ESC O byte`, and the end of `ESC [ 1 ; modifiers byte`.
const fn function_key(byte: u8) -> Option<KeyCode> {
    Some(match byte {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(byte - b'P' + 1),
        _ => return None,
    })
}

/// `ESC [ number ~`
fn numbered_key(number: u32) -> Option<KeyCode> {
    let function = |number: u32| u8::try_from(number).ok().map(KeyCode::F);
    match number {
        1 | 7 => Some(KeyCode::Home),
        2 => Some(KeyCode::Insert),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        11..=15 => function(number - 10),
        17..=21 => function(number - 11),
        23 | 24 => function(number - 12),
        _ => None,
    }
}

/// The key of a finished `ESC [` sequence; none for what is no key (mouse, focus, answers) or a key let go.
fn control_key(parameters: &[u8], end: u8) -> Option<KeyPress> {
    let text = std::str::from_utf8(parameters).ok()?;
    let mut fields = text.split(';').map(|field| {
        let mut parts = field.split(':').map(|part| part.parse::<u32>().ok());
        (parts.next().flatten(), parts.next().flatten())
    });
    let (first, _) = fields.next()?;
    let (modifiers, event) = fields.next().unwrap_or_default();
    let (third, _) = fields.next().unwrap_or_default();
    let is_released = event == Some(3);
    // xterm counts modifiers from 1: shift 1, alt 2, ctrl 4.
    let bits = modifiers.unwrap_or(1).saturating_sub(1);
    let (shift, alt, ctrl) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
    let code = match end {
        b'Z' => KeyCode::BackTab,
        b'u' => coded_key(first?, shift, ctrl)?,
        b'~' if first == Some(27) => coded_key(third?, shift, ctrl)?,
        b'~' => numbered_key(first?)?,
        b'M' | b'm' => return None,
        _ => function_key(end)?,
    };
    (!is_released).then_some(KeyPress { code, ctrl, alt })
}

/// A key by its code point, as terminals send it that tell every chord apart.
fn coded_key(code: u32, shift: bool, ctrl: bool) -> Option<KeyCode> {
    match code {
        8 | 127 => Some(KeyCode::Backspace),
        9 if shift => Some(KeyCode::BackTab),
        9 => Some(KeyCode::Tab),
        13 => Some(KeyCode::Enter),
        27 => Some(KeyCode::Esc),
        _ => {
            let c = char::from_u32(code).filter(|c| !c.is_control())?;
            let c = match (ctrl, shift) {
                (true, _) => c.to_ascii_lowercase(),
                (false, true) => c.to_ascii_uppercase(),
                (false, false) => c,
            };
            Some(KeyCode::Char(c))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn at(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    fn key(text: &str) -> Typed {
        Typed::Key(text.parse().unwrap())
    }

    /// What `bytes` are when nothing follows for a long time.
    fn read(bytes: &[u8]) -> (Vec<Typed>, u64) {
        let (mut parser, mut out) = (KeyParser::default(), Vec::new());
        parser.feed(START, bytes, &mut out);
        parser.give_up(at(10_000), &mut out);
        assert_eq!(parser.next_due(), None);
        (out, parser.dropped())
    }

    #[rstest]
    #[case::letters(b"pH?", &["p", "H", "?"])]
    #[case::control_bytes(b"\x03\x1a\x00\x1c\x1f", &["ctrl-c", "ctrl-z", "ctrl-space", "ctrl-\\", "ctrl-_"])]
    #[case::named(b"\r\t\x7f\x08", &["enter", "tab", "backspace", "backspace"])]
    #[case::arrows(b"\x1b[A\x1bOB\x1b[1;5C", &["up", "down", "ctrl-right"])]
    #[case::numbered(b"\x1b[5~\x1b[6~\x1b[3~\x1b[15~\x1b[24~", &["pgup", "pgdn", "delete", "f5", "f12"])]
    #[case::functions(b"\x1bOP\x1b[[A\x1b[Z", &["f1", "f1", "shift-tab"])]
    #[case::alt(b"\x1bx\x1b\xc3\xa9", &["alt-x", "alt-\u{e9}"])]
    #[case::escape(b"\x1b", &["esc"])]
    #[case::escapes(b"\x1b\x1b\x1b[B", &["esc", "esc", "down"])]
    #[case::characters("é€𝄞".as_bytes(), &["é", "€", "𝄞"])]
    #[case::every_chord_told_apart(b"\x1b[120;5u\x1b[27;5;112~\x1b[112;1:3u", &["ctrl-x", "ctrl-p"])]
    #[case::none_of_ours(b"\x1b[<0;3;4M\x1b[<0;3;4m\x1b[M !!\x1b[I\x1b]0;pHq\x07\x1bPpHq\x1b\\\x1b_G\x1b\\p", &["p"])]
    fn keys_are_read(#[case] bytes: &[u8], #[case] keys: &[&str]) {
        let keys: Vec<_> = keys.iter().map(|text| key(text)).collect();
        assert_eq!(read(bytes), (keys, 0));
    }

    #[test]
    fn a_paste_is_one_text_whatever_is_in_it() {
        let (typed, dropped) = read(b"\x1b[200~HH\x1b[200~\xc3\xa9\x1b[20\x1b[201~p");
        assert_eq!(typed, [Typed::Paste("HH\u{1b}[200~é\u{1b}[20".to_owned()), key("p")]);
        assert_eq!(dropped, 0);
    }

    #[test]
    fn a_paste_that_no_field_takes_is_read_to_its_end_and_dropped() {
        let long = [&b"\x1b[200~"[..], &vec![b'H'; PASTE_BYTES_MAX * 3], b"\x1b[201~p"].concat();
        assert_eq!(read(&long), (vec![key("p")], 1));
    }

    /// What can be cut anywhere.
    const UNFINISHED: [&[u8]; 12] = [
        b"\x1b[",
        b"\x1b[<0;12;3",
        b"\x1b[M !",
        b"\x1b[[",
        b"\x1bO",
        b"\x1b]0;title",
        b"\x1bPq#0;2",
        b"\x1b_Gf=100",
        b"\x1b^x\x1b",
        b"\xe2\x82",
        b"\xf0",
        b"\x1b\xc3",
    ];

    #[test]
    fn a_sequence_without_its_end_is_given_up_after_a_tenth_of_a_second() {
        for bytes in UNFINISHED {
            let (mut parser, mut out) = (KeyParser::default(), Vec::new());
            parser.feed(START, bytes, &mut out);
            assert_eq!(parser.next_due(), Some(at(100)), "{bytes:?}");
            parser.feed(at(100), b"p", &mut out);
            assert_eq!((out, parser.dropped()), (vec![key("p")], 1), "{bytes:?}");
        }
    }

    #[test]
    fn a_paste_without_its_end_is_given_up_after_a_second() {
        let (mut parser, mut out) = (KeyParser::default(), Vec::new());
        parser.feed(START, b"\x1b[200~half a paste", &mut out);
        parser.feed(at(999), b"H", &mut out);
        assert_eq!((out.len(), parser.next_due()), (0, Some(at(1_999))));
        parser.feed(at(1_999), b"HH", &mut out);
        assert_eq!((out, parser.dropped()), (vec![key("H"), key("H")], 1));
    }

    #[test]
    fn a_key_held_down_does_not_keep_an_open_sequence_alive() {
        for (begin, longest) in [(&b"\x1b[200~"[..], 5_000), (b"\x1b]0;", 1_000)] {
            let (mut parser, mut out) = (KeyParser::default(), Vec::new());
            parser.feed(START, begin, &mut out);
            for step in 1..=longest / 30 + 1 {
                parser.feed(at(step * 30), b"H", &mut out);
            }
            assert_eq!(out.first(), Some(&key("H")), "{begin:?}");
        }
    }

    #[test]
    fn ctrl_x_ends_whatever_is_open_and_is_a_key_at_once() {
        for bytes in UNFINISHED.into_iter().chain([&b"\x1b"[..], b"\x1b[200~HH", b"\x1b[200~\x1b[20", b""]) {
            let (mut parser, mut out) = (KeyParser::default(), Vec::new());
            parser.feed(START, bytes, &mut out);
            parser.feed(START, b"\x18p", &mut out);
            assert_eq!(out, [key("ctrl-x"), key("p")], "{bytes:?}");
        }
    }

    #[test]
    fn another_control_key_ends_a_sequence_and_is_a_key() {
        for bytes in [&b"\x1b[<0;3"[..], b"\x1b]0;t", b"\xe2\x82"] {
            assert_eq!(read(&[bytes, b"\x03"].concat()), (vec![key("ctrl-c")], 1), "{bytes:?}");
        }
    }

    /// Bytes that are likelier to mean something than chance would have it.
    fn garbage() -> impl Strategy<Value = Vec<u8>> {
        let pieces: Vec<Vec<u8>> = UNFINISHED
            .into_iter()
            .chain([
                &b"\x1b"[..],
                b"\x1b[200~",
                b"\x1b[201~",
                b"\x1b\\",
                b"\x07",
                b"\x18",
                b"\xff\x80",
                b"[M",
                b"~",
            ])
            .map(<[u8]>::to_vec)
            .collect();
        let piece = prop_oneof![prop::sample::select(pieces), prop::collection::vec(any::<u8>(), 0..6)];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn keys_work_a_second_after_any_bytes(bytes in garbage()) {
            let (mut parser, mut out) = (KeyParser::default(), Vec::new());
            parser.feed(START, &bytes, &mut out);
            out.clear();
            parser.give_up(at(1_000), &mut out);
            out.clear();
            parser.feed(at(1_000), b"pHH\x18q", &mut out);
            prop_assert_eq!(out, ["p", "H", "H", "ctrl-x", "q"].map(key));
        }

        #[test]
        fn ctrl_x_works_at_once_behind_any_bytes(bytes in garbage()) {
            let (mut parser, mut out) = (KeyParser::default(), Vec::new());
            parser.feed(START, &bytes, &mut out);
            out.clear();
            parser.feed(START, b"\x18\x18", &mut out);
            prop_assert_eq!(out, [key("ctrl-x"), key("ctrl-x")]);
        }

        #[test]
        fn where_a_read_ends_makes_no_difference(bytes in garbage(), cut in any::<prop::sample::Index>()) {
            let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
            let (mut parser, mut out) = (KeyParser::default(), Vec::new());
            parser.feed(START, first, &mut out);
            parser.feed(START, second, &mut out);
            parser.give_up(at(10_000), &mut out);
            let cut = (out, parser.dropped());
            prop_assert_eq!(cut, read(&bytes));
        }
    }
}
