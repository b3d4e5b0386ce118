//! Answers whether the journal is the one that was written: the chain, and the anchors that are known of it. It only
//! reads, and may run beside a writer's instance.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::journal::{self, Anchor, Fault, HeadFile, Line, Progress, ReadError, Reader, SegmentNo, Torn};
use crate::domain::Seq;

/// How far back a verification looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// From the first record.
    All,
    /// From the segment that holds the earliest of the given anchors; what is older is taken on trust.
    FromAnchor,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Whole lines that are in order.
    pub records: u64,
    /// The last of them.
    pub head: Anchor,
    /// Up to here the journal is known to be the one that was written; 0 without an anchor. Later records hold
    /// together, but nothing outside them says that they were not all made anew.
    pub anchored: Seq,
    /// The answer.
    pub verdict: Verdict,
}

/// Whether the journal is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every line is.
    Sound,
    /// Every whole line is; the last one is cut off, beyond every anchor: a crash.
    Torn(Torn),
    /// The first bad record.
    Damaged {
        /// Its number.
        seq: Seq,
        /// What is wrong with it.
        why: Fault,
    },
    /// It ends before a record that is known to have been in it.
    Shortened {
        /// What is known.
        anchor: Anchor,
    },
}

impl VerifyReport {
    /// `andon audit verify` exits 0: nothing that was durable is missing or changed.
    pub const fn is_sound(&self) -> bool {
        match self.verdict {
            Verdict::Sound | Verdict::Torn(_) => true,
            Verdict::Damaged { .. } | Verdict::Shortened { .. } => false,
        }
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Sound => write!(f, "{} records in order", self.records)?,
            Verdict::Torn(torn) => write!(
                f,
                "{} records in order; a torn line of {} bytes after {}",
                self.records, torn.torn_len, self.head.seq
            )?,
            Verdict::Damaged { seq, why } => return write!(f, "first bad {}", why.at(*seq)),
            Verdict::Shortened { anchor } => {
                return write!(f, "records after {} are lost; {} was there", self.head.seq, anchor.seq);
            }
        }
        if self.head.seq > self.anchored { write!(f, "; unanchored after {}", self.anchored) } else { Ok(()) }
    }
}

/// Verifies the journal directory `journal` against `anchors` (the checkpoint's, its marker's) and its own `HEAD`.
///
/// # Errors
/// Only [`ReadError::Io`]: what is found wrong is in the report.
pub fn verify(journal: &Path, anchors: &[Anchor], scope: Scope) -> Result<VerifyReport, ReadError> {
    let from = match scope {
        Scope::All => None,
        Scope::FromAnchor => {
            let earliest = anchors.iter().map(|anchor| anchor.seq).min();
            earliest.map(|seq| segment_of(journal, seq)).transpose()?.flatten()
        }
    };
    let (report, _) = walk(journal, anchors, from, &mut |_| Ok(()))?;
    Ok(report)
}

/// Whether the last record that the writer has made durable still stands where it was written: a look at one line,
/// while the writer goes on.
///
/// # Errors
/// What is wrong, in words.
pub fn still_holds(journal: &Path, progress: &Progress) -> Result<(), String> {
    let Some((segment, end)) = progress.place else { return Ok(()) };
    let name = journal::file_name(segment);
    let line = journal::line_before(journal, segment, end)
        .map_err(|error| format!("record {} is not in {name}: {error}", progress.durable.seq))?;
    if journal::anchor_of(&line) == Some(progress.durable) {
        Ok(())
    } else {
        Err(format!("record {} of {name} is not what was written", progress.durable.seq))
    }
}

/// The sealed segments that a start did not read. What it did read vouches for them: its first record names the hash of
/// their last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    journal: PathBuf,
    /// The first segment that was read.
    end: SegmentNo,
    /// The last record before it.
    last: Anchor,
    /// What is known of records before that.
    anchors: Vec<Anchor>,
}

impl Unread {
    /// Verifies them, beside a writer of later segments. None if `stop` was set before it came to an end.
    ///
    /// # Errors
    /// Only [`ReadError::Io`]: what is found wrong is in the report.
    pub fn verify(&self, stop: &AtomicBool) -> Result<Option<VerifyReport>, ReadError> {
        let mut reader = Reader::before(&self.journal, self.end)?;
        let mut records = 0;
        let end = loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match reader.next_line() {
                Ok(Some(line)) if is_another(&self.anchors, line.anchor) => {
                    break Err(ReadError::Damaged { seq: line.anchor.seq, why: Fault::NotAsAnchored });
                }
                Ok(Some(_)) => records += 1,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let (head, last) = (reader.head(), self.last);
        let verdict = match end {
            Ok(()) if head == last => Verdict::Sound,
            Ok(()) if head.seq < last.seq => Verdict::Shortened { anchor: last },
            Ok(()) => Verdict::Damaged { seq: last.seq, why: Fault::NotAsAnchored },
            // More was written after it.
            Err(ReadError::Torn(torn)) => Verdict::Damaged { seq: torn.after.seq.next(), why: Fault::CutOff },
            Err(ReadError::Damaged { seq, why }) => Verdict::Damaged { seq, why },
            Err(error @ (ReadError::Io { .. } | ReadError::Newer { .. })) => return Err(error),
        };
        let anchored = if verdict == Verdict::Sound { last.seq } else { Seq(0) };
        Ok(Some(VerifyReport { records, head, anchored, verdict }))
    }
}

/// What a walk leaves for whoever goes on writing.
pub(super) struct Ending {
    /// What stands in the segments before `from`.
    pub unread: Option<Unread>,
    /// The last segment with a good line, and the length of the good lines in it.
    pub place: (SegmentNo, u64),
    /// What `HEAD` says, if it can be read.
    pub head_file: Option<HeadFile>,
    /// The highest record known, good or not.
    pub highest: Anchor,
}

/// Checks the lines from segment `from` (none: from the first record) and shows each good one to `visit`.
pub(super) fn walk(
    journal: &Path,
    anchors: &[Anchor],
    from: Option<SegmentNo>,
    visit: &mut dyn FnMut(&Line<'_>) -> Result<(), Fault>,
) -> Result<(VerifyReport, Ending), ReadError> {
    let head_file = journal::read_head_file(journal)
        .map_err(|error| ReadError::Io { path: journal.join("HEAD"), error })?;
    let (head_file, head_fault) = match head_file {
        Ok(head_file) => (head_file, None),
        Err(why) => (None, Some(Fault::HeadUnreadable(why))),
    };
    let mut anchors: Vec<Anchor> =
        anchors.iter().copied().chain(head_file.map(|it| it.anchor)).filter(|it| it.seq > Seq(0)).collect();
    anchors.sort_by_key(|anchor| anchor.seq);
    let mut ahead = anchors.as_slice();
    let mut reader = match from {
        Some(segment) => Reader::from_segment(journal, segment)?,
        None => Reader::all(journal)?,
    };
    let (mut records, mut anchored) = (0, Seq(0));
    let stop = loop {
        let line = match reader.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => break None,
            Err(stop) => break Some(stop),
        };
        let here = line.anchor;
        let (passed, later) = ahead.split_at(ahead.partition_point(|anchor| anchor.seq <= here.seq));
        ahead = later;
        if is_another(passed, here) {
            break Some(ReadError::Damaged { seq: here.seq, why: Fault::NotAsAnchored });
        }
        if passed.iter().any(|anchor| anchor.seq == here.seq) {
            anchored = here.seq;
        }
        if let Err(why) = visit(&line) {
            break Some(ReadError::at(here.seq, why));
        }
        records += 1;
    };
    let place = reader.place();
    let head = reader.head();
    let highest_anchor = anchors.last().copied();
    let beyond = highest_anchor.filter(|anchor| anchor.seq > head.seq);
    let mut verdict = match stop {
        None => beyond.map_or(Verdict::Sound, |anchor| Verdict::Shortened { anchor }),
        Some(ReadError::Torn(torn)) if beyond.is_none() => Verdict::Torn(torn),
        Some(ReadError::Torn(torn)) => Verdict::Damaged { seq: torn.after.seq.next(), why: Fault::CutOff },
        Some(ReadError::Damaged { seq, why }) => Verdict::Damaged { seq, why },
        Some(error @ (ReadError::Io { .. } | ReadError::Newer { .. })) => return Err(error),
    };
    let before = reader.before_first();
    if let Some(before) = before.filter(|before| is_another(&anchors, *before)) {
        verdict = Verdict::Damaged { seq: before.seq, why: Fault::NotAsAnchored };
    }
    if let Some(why) = head_fault
        && matches!(verdict, Verdict::Sound | Verdict::Torn(_))
    {
        verdict = Verdict::Damaged { seq: head.seq, why };
    }
    // The number of a bad record is taken, and so is every one that can be read.
    let (bad, readable) = match verdict {
        Verdict::Damaged { seq, .. } => (Some(Anchor { seq, ..head }), Reader::highest_readable(journal)?),
        Verdict::Shortened { .. } | Verdict::Sound | Verdict::Torn(_) => (None, None),
    };
    let known = [Some(head), bad, highest_anchor, readable];
    let highest = known.into_iter().flatten().max_by_key(|anchor| anchor.seq);
    let unread = from.filter(|&end| end > 1).zip(before);
    let unread = unread.map(|(end, last)| {
        let anchors = anchors.into_iter().filter(|anchor| anchor.seq < last.seq).collect();
        Unread { journal: journal.to_owned(), end, last, anchors }
    });
    let ending = Ending { unread, place, head_file, highest: highest.unwrap_or(head) };
    Ok((VerifyReport { records, head, anchored, verdict }, ending))
}

/// Another record is known to stand there.
fn is_another(known: &[Anchor], here: Anchor) -> bool {
    known.iter().any(|anchor| anchor.seq == here.seq && anchor.hash != here.hash)
}

/// The last segment whose first record is not after `seq`; none if there is none, or it is unreadable.
pub(super) fn segment_of(journal: &Path, seq: Seq) -> Result<Option<SegmentNo>, ReadError> {
    for segment in journal::list(journal)?.into_iter().rev() {
        if journal::read_head(journal, segment)?.is_some_and(|head| head.first <= seq) {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}
