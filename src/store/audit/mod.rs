//! The audit trail as a person asks for it: which records, in which words, and the page that is handed over with a
//! shift. It only reads, never takes the lock, and may run beside the instance that writes: a last line that is
//! still being written is left out.

mod filter;
mod handover;
mod since;
mod why;
mod words;

use std::path::Path;

pub use filter::{About, AboutError, Filter};
pub use handover::{Handover, HandoverError};
pub use since::{Since, SinceError};
pub use why::Why;
pub use words::in_words;

use super::journal::{self, Fault, Line, ReadError, Reader, SegmentNo};
use crate::coordinator::record::Record;
use crate::domain::{Seq, Timestamp};

/// A record that cannot be read; reading went on in the next segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} cannot be read: {why}; the rest of its segment was left out; see andon audit verify")]
pub struct Gap {
    /// Its number.
    pub seq: Seq,
    /// What is wrong with it.
    pub why: Fault,
}

/// Why a walk through the trail broke off.
#[derive(Debug, thiserror::Error)]
pub enum TrailError<E> {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(ReadError),
    /// Whoever was shown the records wants no more.
    #[error(transparent)]
    Visit(E),
}

/// When a record was made, by the clock of the operator: wall time, or market time in a run at full speed.
pub fn operator_time(record: &Record) -> Timestamp {
    record.wall.unwrap_or(record.at)
}

/// Shows every record that `filter` lets through, oldest first, with its line. What is damaged is skipped up to the
/// next segment, and said.
///
/// # Errors
/// [`TrailError`].
pub fn walk_trail<E>(
    journal: &Path,
    filter: &mut Filter,
    visit: &mut dyn FnMut(&Line<'_>, &Record) -> Result<(), E>,
) -> Result<Vec<Gap>, TrailError<E>> {
    let mut gaps = Vec::new();
    let mut next = Some(first_segment(journal, filter).map_err(TrailError::Read)?);
    while let Some(segment) = next.take() {
        let mut reader = Reader::from_segment(journal, segment).map_err(TrailError::Read)?;
        let gap = loop {
            match reader.next_line() {
                Ok(Some(line)) => match line.record() {
                    Ok(record) if filter.admits(&record) => {
                        visit(&line, &record).map_err(TrailError::Visit)?;
                    }
                    Ok(_) => {}
                    Err(why) => break Some(Gap { seq: line.anchor.seq, why }),
                },
                // The last line is being written, or a crash left it.
                Ok(None) | Err(ReadError::Torn(_)) => break None,
                Err(ReadError::Damaged { seq, why }) => break Some(Gap { seq, why }),
                Err(error @ (ReadError::Io { .. } | ReadError::Newer { .. })) => {
                    return Err(TrailError::Read(error));
                }
            }
        };
        if let Some(gap) = gap {
            let (damaged, _) = reader.place();
            next = journal::list(journal).map_err(TrailError::Read)?.into_iter().find(|&it| it > damaged);
            gaps.push(gap);
        }
    }
    Ok(gaps)
}

/// The last segment that begins before what is asked for; what an id is about may have begun long before.
fn first_segment(journal: &Path, filter: &Filter) -> Result<SegmentNo, ReadError> {
    let Some(since) = filter.since.filter(|_| filter.about.is_none()) else { return Ok(1) };
    for segment in journal::list(journal)?.into_iter().rev() {
        let mut reader = Reader::from_segment(journal, segment)?;
        let first = match reader.next_line() {
            Ok(Some(line)) => line.record().ok(),
            Ok(None) | Err(ReadError::Torn(_) | ReadError::Damaged { .. }) => None,
            Err(error @ (ReadError::Io { .. } | ReadError::Newer { .. })) => return Err(error),
        };
        if first.is_some_and(|record| operator_time(&record) <= since) {
            return Ok(segment);
        }
    }
    Ok(1)
}

/// The last record that can be read, to know by which clock the journal goes and how far; none of an empty journal.
///
/// # Errors
/// [`ReadError::Io`].
pub fn last_record(journal: &Path) -> Result<Option<Record>, ReadError> {
    for segment in journal::list(journal)?.into_iter().rev() {
        let mut reader = Reader::from_segment(journal, segment)?;
        let mut last = None;
        loop {
            match reader.next_line() {
                Ok(Some(line)) => last = line.record().ok().or(last),
                Ok(None) | Err(ReadError::Torn(_) | ReadError::Damaged { .. }) => break,
                Err(error @ (ReadError::Io { .. } | ReadError::Newer { .. })) => return Err(error),
            }
        }
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}
