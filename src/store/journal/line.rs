//! One line: how it is made and how it is checked.

use serde::{Deserialize, Serialize};

use super::anchor::{Anchor, Hash};
use crate::coordinator::record::Record;
use crate::domain::Seq;

/// The `kind` of the record that holds the whole state; a segment begins with one.
pub const STATE_KIND: &str = "state";

/// What separates hash and JSON.
const JSON_AT: usize = Hash::HEX_LEN + 1;

/// What is wrong with a line, or with its place in the journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not `<hash> <json>`.
    #[error("the line is not a hash and a record")]
    NotALine,
    /// The JSON is not what was written.
    #[error("the record does not match its hash")]
    HashMismatch,
    /// Hash and JSON agree, but this is no record.
    #[error("the record cannot be read: {0}")]
    NotARecord(String),
    /// A later version of the program wrote it.
    #[error(
        "the record is of version {found}, and this andon reads versions up to {}; start the newer andon that wrote it",
        Record::VERSION
    )]
    Newer {
        /// Its version.
        found: u16,
    },
    /// A record is missing, repeated or out of its place.
    #[error("record {found} stands in its place")]
    WrongSeq {
        /// The number found.
        found: Seq,
    },
    /// It does not follow the line before it.
    #[error("it does not continue the chain")]
    WrongPrev,
    /// The chain was made anew: it holds together, but it is not the one that the anchor was taken of.
    #[error("the chain is not the one that was anchored here")]
    NotAsAnchored,
    /// A line without its end, in a place where only whole lines can be.
    #[error("the line is cut off")]
    CutOff,
    /// A whole segment file is gone.
    #[error("segment {0} is missing")]
    SegmentMissing(super::SegmentNo),
    /// `journal/HEAD` is there but says nothing.
    #[error("the HEAD file cannot be read: {0}")]
    HeadUnreadable(String),
}

impl Fault {
    /// The fault and where it is: at a record, unless it is in `journal/HEAD`.
    pub fn at(&self, seq: Seq) -> String {
        match self {
            Self::HeadUnreadable(why) => format!("file HEAD: {why}"),
            why => format!("record {seq}: {why}"),
        }
    }
}

/// A line that is in order: hash, number and link agree.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its number and hash.
    pub anchor: Anchor,
    /// The record's kind, as it is spelt in the JSON.
    pub kind: &'a str,
    /// Version of its words: see [`Record::VERSION`].
    pub version: u16,
    /// The JSON bytes, with `prev`.
    pub json: &'a [u8],
}

impl Line<'_> {
    /// The whole record.
    ///
    /// # Errors
    /// [`Fault::Newer`], and [`Fault::NotARecord`] for what no version writes.
    pub fn record(&self) -> Result<Record, Fault> {
        self.is_known()?;
        serde_json::from_slice(self.json).map_err(|error| Fault::NotARecord(error.to_string()))
    }

    /// Whether this program knows the words of the record.
    ///
    /// # Errors
    /// [`Fault::Newer`].
    pub(in crate::store) const fn is_known(&self) -> Result<(), Fault> {
        if self.version > Record::VERSION { Err(Fault::Newer { found: self.version }) } else { Ok(()) }
    }
}

/// Lines had no version before there was a second one.
const fn first_version() -> u16 {
    1
}

/// The fields of which the chain is made.
#[derive(Deserialize)]
struct Link<'a> {
    seq: Seq,
    #[serde(default = "first_version")]
    v: u16,
    #[serde(borrow)]
    kind: &'a str,
    #[serde(borrow)]
    prev: &'a str,
}

/// Appends the line of `record`, with its newline, to `out`, and returns the new head. On an error `out` is as it was.
///
/// # Errors
/// When the record has no JSON form.
pub(super) fn encode(
    record: &impl Serialize,
    seq: Seq,
    prev: Hash,
    out: &mut Vec<u8>,
) -> Result<Anchor, String> {
    let start = out.len();
    out.extend_from_slice(&[b' '; JSON_AT]);
    let json_at = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, record) {
        out.truncate(start);
        return Err(error.to_string());
    }
    // A record is an object with fields, so the new ones go before its last brace.
    if out.pop() != Some(b'}') {
        out.truncate(start);
        return Err("the record is not a JSON object".to_owned());
    }
    out.extend_from_slice(format!(",\"v\":{},\"prev\":\"", Record::VERSION).as_bytes());
    out.extend_from_slice(prev.hex().as_ref().as_bytes());
    out.extend_from_slice(b"\"}");
    let hash = Hash::of(&out[json_at..]);
    out[start..json_at - 1].copy_from_slice(hash.hex().as_ref().as_bytes());
    out.push(b'\n');
    Ok(Anchor { seq, hash })
}

/// Checks one line (without its newline) by itself and reads its link.
fn parse(text: &[u8]) -> Result<(Line<'_>, &str), Fault> {
    if text.len() <= JSON_AT || text[JSON_AT - 1] != b' ' {
        return Err(Fault::NotALine);
    }
    let (written, json) = (&text[..Hash::HEX_LEN], &text[JSON_AT..]);
    let hash = Hash::of(json);
    if hash.hex().as_ref().as_bytes() != written {
        return Err(Fault::HashMismatch);
    }
    let link: Link<'_> =
        serde_json::from_slice(json).map_err(|error| Fault::NotARecord(error.to_string()))?;
    Ok((Line { anchor: Anchor { seq: link.seq, hash }, kind: link.kind, version: link.v, json }, link.prev))
}

/// Checks that `line` (without its newline) is the one after `head`.
pub(super) fn check(line: &[u8], head: Anchor) -> Result<Line<'_>, Fault> {
    let (line, prev) = parse(line)?;
    if line.anchor.seq != head.seq.next() {
        return Err(Fault::WrongSeq { found: line.anchor.seq });
    }
    if prev != head.hash.hex().as_ref() {
        return Err(Fault::WrongPrev);
    }
    Ok(line)
}

/// The place before `line`, taken from the line itself: where a reader begins that does not read from the first.
pub(super) fn place_before(line: &[u8]) -> Result<Anchor, Fault> {
    let (line, prev) = parse(line)?;
    let hash = prev.parse().map_err(|_| Fault::WrongPrev)?;
    Ok(Anchor { seq: Seq(line.anchor.seq.0.saturating_sub(1)), hash })
}

/// The anchor of a line that may stand anywhere; none if the line is not in order by itself.
pub(in crate::store) fn anchor_of(line: &[u8]) -> Option<Anchor> {
    parse(line).ok().map(|(line, _)| line.anchor)
}

/// Number of a line, and whether it holds the whole state; none if the line is not in order by itself.
pub(super) fn peek(line: &[u8]) -> Option<(Seq, bool)> {
    parse(line).ok().map(|(line, _)| (line.anchor.seq, line.kind == STATE_KIND))
}
