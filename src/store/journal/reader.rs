//! Reads segments line by line and checks every one. It never changes anything.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::anchor::Anchor;
use super::line::{self, Fault, Line};
use super::segments::{self, SegmentNo};
use crate::coordinator::record::Record;
use crate::domain::Seq;

/// A last line without its end, as a crash leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// In which segment; always the last.
    pub segment: SegmentNo,
    /// Length of the whole lines before it, bytes.
    pub whole_len: u64,
    /// Length of the torn piece, bytes.
    pub torn_len: u64,
    /// The last whole record.
    pub after: Anchor,
}

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk refused.
    #[error("{path} cannot be read: {error}", path = path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
    /// The last line is cut off, with nothing after it.
    #[error("the last line, after record {}, is torn", .0.after.seq)]
    Torn(Torn),
    /// A later version of the program wrote here.
    #[error("record {seq}: {}", Fault::Newer { found: *found })]
    Newer {
        /// Its number.
        seq: Seq,
        /// Its version.
        found: u16,
    },
    /// A line is not what was written, or not where it was.
    #[error("record {seq} is damaged: {why}")]
    Damaged {
        /// The number that was due.
        seq: Seq,
        /// What is wrong.
        why: Fault,
    },
}

impl ReadError {
    /// What is wrong with record `seq`.
    pub(in crate::store) fn at(seq: Seq, why: Fault) -> Self {
        match why {
            Fault::Newer { found } => Self::Newer { seq, found },
            why => Self::Damaged { seq, why },
        }
    }
}

/// A walk over the lines from the start of some segment to the end of the last.
#[derive(Debug)]
pub struct Reader {
    journal: PathBuf,
    /// Segments not begun yet.
    rest: VecDeque<SegmentNo>,
    segment: SegmentNo,
    bytes: Vec<u8>,
    at: usize,
    /// The last good line; none before the first one of a reader that begins in the middle.
    head: Option<Anchor>,
    /// The line before the first, as the first names it.
    before: Option<Anchor>,
    ended: bool,
}

impl Reader {
    /// From the very first record.
    ///
    /// # Errors
    /// [`ReadError::Io`] when the directory cannot be listed.
    pub fn all(journal: &Path) -> Result<Self, ReadError> {
        Self::starting(journal, 1, Some(Anchor::GENESIS))
    }

    /// From the first record of `segment`; that it follows what stands before is taken on trust.
    ///
    /// # Errors
    /// [`ReadError::Io`] when the directory cannot be listed.
    pub fn from_segment(journal: &Path, segment: SegmentNo) -> Result<Self, ReadError> {
        Self::starting(journal, segment, (segment == 1).then_some(Anchor::GENESIS))
    }

    /// From the very first record, and only the segments before `end`.
    ///
    /// # Errors
    /// [`ReadError::Io`] when the directory cannot be listed.
    pub(in crate::store) fn before(journal: &Path, end: SegmentNo) -> Result<Self, ReadError> {
        let mut reader = Self::all(journal)?;
        reader.rest.retain(|&segment| segment < end);
        Ok(reader)
    }

    /// From the record after `anchor`, wherever that stands; none if neither the anchored record is there nor the one that
    /// names it as the one before. What is before it is not looked at.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn after(journal: &Path, anchor: Anchor) -> Result<Option<Self>, ReadError> {
        let segments = segments::list(journal)?;
        for &segment in segments.iter().rev() {
            let bytes = read_segment(journal, segment)?;
            let mut at = 0;
            for text in bytes.split_inclusive(|&byte| byte == b'\n') {
                let line = text.strip_suffix(b"\n").unwrap_or_default();
                let is_after = line::place_before(line) == Ok(anchor);
                if !is_after {
                    at += text.len();
                }
                if is_after || line::anchor_of(line) == Some(anchor) {
                    let rest = segments.into_iter().filter(|&later| later > segment).collect();
                    let (journal, head) = (journal.to_owned(), Some(anchor));
                    return Ok(Some(Self {
                        journal,
                        rest,
                        segment,
                        bytes,
                        at,
                        head,
                        before: head,
                        ended: false,
                    }));
                }
            }
        }
        Ok(None)
    }

    fn starting(journal: &Path, first: SegmentNo, head: Option<Anchor>) -> Result<Self, ReadError> {
        let rest = segments::list(journal)?.into_iter().filter(|&segment| segment >= first).collect();
        // The segment before the first, so that the first is due.
        let segment = first.saturating_sub(1);
        let journal = journal.to_owned();
        Ok(Self { journal, rest, segment, bytes: Vec::new(), at: 0, head, before: head, ended: false })
    }

    /// The last good line so far; [`Anchor::GENESIS`] before any.
    pub fn head(&self) -> Anchor {
        self.head.unwrap_or(Anchor::GENESIS)
    }

    /// The line before the first one, as the first names it; none before that is read.
    pub(in crate::store) const fn before_first(&self) -> Option<Anchor> {
        self.before
    }

    /// The segment being read, and the length of the good lines in it.
    pub const fn place(&self) -> (SegmentNo, u64) {
        (self.segment, self.at as u64)
    }

    /// The next line, checked: its hash, its number, and that it follows the line before it. After the last line, and
    /// after an error, there is none.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let range = match self.next_range() {
            Ok(Some(range)) => range,
            Ok(None) => {
                self.ended = true;
                return Ok(None);
            }
            Err(error) => {
                self.ended = true;
                return Err(error);
            }
        };
        let text = &self.bytes[range.clone()];
        let checked = match self.head {
            Some(head) => line::check(text, head),
            None => {
                line::place_before(text).and_then(|before| line::check(text, *self.before.insert(before)))
            }
        };
        match checked {
            Ok(line) => {
                self.at = range.end + 1;
                self.head = Some(line.anchor);
                Ok(Some(line))
            }
            Err(why) => {
                self.ended = true;
                Err(ReadError::Damaged { seq: self.head.unwrap_or(Anchor::GENESIS).seq.next(), why })
            }
        }
    }

    /// Where the next whole line stands in `bytes`; loads segments as needed.
    fn next_range(&mut self) -> Result<Option<Range<usize>>, ReadError> {
        while self.at == self.bytes.len() {
            let Some(&next) = self.rest.front() else { return Ok(None) };
            if next != self.segment + 1 && !self.goes_on_in(next)? {
                return Err(self.damaged(Fault::SegmentMissing(self.segment + 1)));
            }
            self.rest.pop_front();
            let path = self.journal.join(segments::file_name(next));
            self.bytes.clear();
            self.at = 0;
            self.segment = next;
            let read =
                std::fs::File::open(&path).and_then(|mut it| io::Read::read_to_end(&mut it, &mut self.bytes));
            read.map_err(|error| io_error(&path, error))?;
        }
        let left = &self.bytes[self.at..];
        match left.iter().position(|&byte| byte == b'\n') {
            Some(len) => Ok(Some(self.at..self.at + len)),
            None if self.rest.is_empty() => Err(ReadError::Torn(Torn {
                segment: self.segment,
                whole_len: self.at as u64,
                torn_len: left.len() as u64,
                after: self.head(),
            })),
            None => Err(self.damaged(Fault::CutOff)),
        }
    }

    /// A segment may bear a later number than the next: `HEAD` had named one that never came to be.
    fn goes_on_in(&self, segment: SegmentNo) -> Result<bool, ReadError> {
        let bytes = read_segment(&self.journal, segment)?;
        let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        Ok(self.head.is_some_and(|head| line::place_before(first) == Ok(head)))
    }

    fn damaged(&self, why: Fault) -> ReadError {
        ReadError::Damaged { seq: self.head().seq.next(), why }
    }

    /// From the first record of `segment`, whatever that is.
    ///
    /// # Errors
    /// [`ReadError::Io`] when the directory cannot be listed.
    pub(in crate::store) fn on_trust(journal: &Path, segment: SegmentNo) -> Result<Self, ReadError> {
        Self::starting(journal, segment, None)
    }

    /// Whether exactly this record stands anywhere, whatever is around it.
    pub(in crate::store) fn holds(journal: &Path, anchor: Anchor) -> Result<bool, ReadError> {
        for segment in segments::list(journal)?.into_iter().rev() {
            let bytes = read_segment(journal, segment)?;
            let mut lines =
                bytes.split_inclusive(|&byte| byte == b'\n').filter_map(|text| text.strip_suffix(b"\n"));
            if lines.any(|line| line::anchor_of(line) == Some(anchor)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Beside damage: the highest record anywhere that is in order by itself. Nothing may be written under a number that is
    /// already there.
    pub(in crate::store) fn highest_readable(journal: &Path) -> Result<Option<Anchor>, ReadError> {
        let mut highest: Option<Anchor> = None;
        for segment in segments::list(journal)? {
            let bytes = read_segment(journal, segment)?;
            for text in bytes.split(|&byte| byte == b'\n') {
                let anchor = line::anchor_of(text).filter(Anchor::is_possible);
                highest = highest.into_iter().chain(anchor).max_by_key(|anchor| anchor.seq);
            }
        }
        Ok(highest)
    }

    /// The records themselves. Ends after the first error.
    pub fn records(mut self) -> impl Iterator<Item = Result<Record, ReadError>> {
        std::iter::from_fn(move || {
            let line = match self.next_line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            let seq = line.anchor.seq;
            match line.record() {
                Ok(record) => Some(Ok(record)),
                Err(why) => {
                    self.ended = true;
                    Some(Err(ReadError::at(seq, why)))
                }
            }
        })
    }
}

fn read_segment(journal: &Path, segment: SegmentNo) -> Result<Vec<u8>, ReadError> {
    let path = journal.join(segments::file_name(segment));
    std::fs::read(&path).map_err(|error| io_error(&path, error))
}

pub(super) fn io_error(path: &Path, error: io::Error) -> ReadError {
    ReadError::Io { path: path.to_owned(), error }
}
