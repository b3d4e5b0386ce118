//! The synchronous heart of the journal: encode, chain, buffer, write, fsync. It has no thread and no queue; the
//! virtual driver uses it inline, [`super::WriterThread`] around it otherwise.
//!
//! After a write error nothing more goes to that descriptor. The space kept in reserve is given back, and what is not on
//! the disk yet is tried once more in a new segment, so that a halt is recorded on a full disk; [`Writer::trouble`] says
//! so. If that fails too, records stay in memory and are written first when [`Writer::reopen`] begins a new segment.

use std::fmt;
use std::io;

use serde::Serialize;

use super::anchor::Anchor;
use super::disk::{Disk, JournalFile};
use super::line;
use super::segments::SegmentNo;
use crate::coordinator::record::Record;
use crate::domain::Seq;

/// How sure a commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// Handed to the operating system: simulated runs.
    None,
    /// On the disk.
    Data,
}

/// Where writing goes on. [`super::super::recover`] finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// The last record there is.
    pub head: Anchor,
    /// The segment to append to and its length in bytes; none to begin a new one.
    pub segment: Option<(SegmentNo, u64)>,
    /// The highest number that a segment file has; 0 without any.
    pub last_segment: SegmentNo,
}

impl Resume {
    /// An empty journal.
    pub const FRESH: Self = Self { head: Anchor::GENESIS, segment: None, last_segment: 0 };

    /// The next record begins a segment, so it must be one that holds the whole state.
    pub const fn begins_segment(&self) -> bool {
        self.segment.is_none()
    }
}

/// Why a record is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The disk refused. Nothing more is written until the journal is reopened.
    #[error(
        "the journal cannot be written ({doing}: {why}); free space or repair the disk, then reopen the store"
    )]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// The operating system's answer.
        why: String,
    },
    /// The caller's numbers have a gap.
    #[error("record {found} was to be written where {wanted} is next; restart andon")]
    OutOfOrder {
        /// The number that would continue the journal.
        wanted: Seq,
        /// The number that came.
        found: Seq,
    },
    /// A record without a JSON form.
    #[error("record {seq} cannot be encoded ({why}); restart andon")]
    Encode {
        /// Which.
        seq: Seq,
        /// Why.
        why: String,
    },
    /// The disk has failed for so long that no more could be kept in memory.
    #[error("more records than memory may hold could not be written; restart andon")]
    Overflow,
}

impl WriteError {
    /// [`Writer::reopen`] may help; otherwise records are lost and only a restart does.
    pub const fn can_reopen(&self) -> bool {
        match self {
            Self::Disk { .. } => true,
            Self::OutOfOrder { .. } | Self::Encode { .. } | Self::Overflow => false,
        }
    }
}

/// The segment in use. Without a file it has failed, or was not opened yet.
struct Segment {
    number: SegmentNo,
    /// Bytes of it that are committed.
    len: u64,
    file: Option<Box<dyn JournalFile>>,
}

/// Appends records to the journal.
pub struct Writer {
    disk: Box<dyn Disk>,
    sync: SyncMode,
    segment: Option<Segment>,
    last_segment: SegmentNo,
    /// Whole lines that are not committed yet.
    pending: Vec<u8>,
    /// The last record in `pending`, or the last committed one.
    head: Anchor,
    committed: Anchor,
    /// Why it writes in the space that was kept in reserve.
    on_reserve: Option<WriteError>,
    failed: Option<WriteError>,
}

/// `pending` is committed when it has grown to this, so that one commit is bounded.
const COMMIT_BYTES: usize = 1024 * 1024;

/// Most bytes kept in memory while the disk fails.
const PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;

impl Writer {
    /// A writer that goes on at `resume`. Nothing is touched before the first commit.
    pub fn new(disk: Box<dyn Disk>, sync: SyncMode, resume: Resume) -> Self {
        Self {
            disk,
            sync,
            segment: resume.segment.map(|(number, len)| Segment { number, len, file: None }),
            last_segment: resume.last_segment,
            pending: Vec::with_capacity(COMMIT_BYTES + COMMIT_BYTES / 4),
            head: resume.head,
            committed: resume.head,
            on_reserve: None,
            failed: None,
        }
    }

    /// The last appended record, committed or not: (seq, hash).
    pub const fn head(&self) -> Anchor {
        self.head
    }

    /// The last record that is as safe as [`SyncMode`] says.
    pub const fn committed(&self) -> Anchor {
        self.committed
    }

    /// Why nothing is written any more; none while all is well.
    pub const fn failed(&self) -> Option<&WriteError> {
        self.failed.as_ref()
    }

    /// A write failed since the last [`Writer::reopen`]: what is written now stands in the space kept in reserve, or
    /// nothing is written any more.
    pub fn trouble(&self) -> Option<&WriteError> {
        self.failed.as_ref().or(self.on_reserve.as_ref())
    }

    /// Whether what is committed is fsynced.
    #[cfg(test)]
    pub(crate) const fn sync(&self) -> SyncMode {
        self.sync
    }

    /// The segment with the last committed record, and its length then; none before the first commit of a segment.
    pub fn place(&self) -> Option<(SegmentNo, u64)> {
        let segment = self.segment.as_ref().filter(|segment| segment.len > 0)?;
        Some((segment.number, segment.len))
    }

    /// Chains and buffers one record. `starts_segment` says that it holds the whole state and begins a segment; the
    /// segment before is then sealed.
    ///
    /// # Errors
    /// The writer has failed, now or earlier. After a failure of the disk the record is kept for [`Writer::reopen`].
    pub fn append(&mut self, record: &Record, starts_segment: bool) -> Result<Anchor, WriteError> {
        self.append_as(record, record.seq, starts_segment)
    }

    fn append_as(
        &mut self,
        record: &impl Serialize,
        seq: Seq,
        starts_segment: bool,
    ) -> Result<Anchor, WriteError> {
        if let Some(error) = self.failed.as_ref().filter(|error| !error.can_reopen()) {
            return Err(error.clone());
        }
        let wanted = self.head.seq.next();
        if seq != wanted {
            return Err(self.refuse(WriteError::OutOfOrder { wanted, found: seq }));
        }
        let sealed = if starts_segment { self.seal() } else { Ok(()) };
        match line::encode(record, seq, self.head.hash, &mut self.pending) {
            Ok(head) => self.head = head,
            Err(why) => return Err(self.refuse(WriteError::Encode { seq, why })),
        }
        if let Some(error) = self.failed.clone() {
            let full = self.pending.len() > PENDING_BYTES_MAX;
            return Err(if full { self.fail(WriteError::Overflow) } else { error });
        }
        sealed?;
        if self.pending.len() >= COMMIT_BYTES {
            self.commit()?;
        }
        Ok(self.head)
    }

    /// Writes what is buffered and, with [`SyncMode::Data`], fsyncs. Returns the head, which is then committed.
    ///
    /// # Errors
    /// The writer has failed, now or earlier.
    pub fn commit(&mut self) -> Result<Anchor, WriteError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.pending.is_empty() {
            return Ok(self.head);
        }
        match self.write_pending() {
            Ok(()) => {
                self.pending.clear();
                self.committed = self.head;
                Ok(self.head)
            }
            Err((doing, error)) => self.disk_failed(doing, &error),
        }
    }

    /// The first failure frees the reserve and goes on in a new segment; the next one is the end until it is reopened.
    fn disk_failed(&mut self, doing: &'static str, error: &io::Error) -> Result<Anchor, WriteError> {
        let failure = WriteError::Disk { doing, why: error.to_string() };
        if self.on_reserve.is_some() {
            return Err(self.fail(failure));
        }
        tracing::error!(%failure, "the journal goes on in the space kept in reserve");
        self.on_reserve = Some(failure.clone());
        if let Err(error) = self.begin_again() {
            tracing::error!(%error, "the reserve does not help");
            return Err(self.fail(failure));
        }
        Ok(self.head)
    }

    /// Leaves the segment as far as it is committed, and writes the rest to a new one.
    fn begin_again(&mut self) -> Result<(), WriteError> {
        let failed = |doing| move |error: io::Error| WriteError::Disk { doing, why: error.to_string() };
        self.disk.free_reserve().map_err(failed("free the reserve"))?;
        if let Some(segment) = &self.segment {
            self.disk.cut(segment.number, segment.len).map_err(failed("cut the failed segment"))?;
            if segment.len == 0 {
                self.last_segment = segment.number - 1;
            }
        }
        self.segment = None;
        if !self.pending.is_empty() {
            self.write_pending().map_err(|(doing, error)| failed(doing)(error))?;
            self.pending.clear();
            self.committed = self.head;
        }
        Ok(())
    }

    fn write_pending(&mut self) -> Result<(), (&'static str, io::Error)> {
        let segment = self.segment.get_or_insert_with(|| {
            self.last_segment += 1;
            Segment { number: self.last_segment, len: 0, file: None }
        });
        let file = match &mut segment.file {
            Some(file) => file,
            slot => {
                let opened = if segment.len == 0 {
                    self.disk.create(segment.number).map_err(|error| ("create segment", error))
                } else {
                    self.disk.open(segment.number).map_err(|error| ("open segment", error))
                };
                slot.insert(opened?)
            }
        };
        file.write_all(&self.pending).map_err(|error| ("write", error))?;
        match self.sync {
            SyncMode::None => {}
            SyncMode::Data => file.sync().map_err(|error| ("fsync", error))?,
        }
        segment.len += self.pending.len() as u64;
        Ok(())
    }

    /// Commits, notes the head in `HEAD` and lets the next record begin a new segment. Does nothing to an empty one.
    ///
    /// # Errors
    /// The writer has failed, now or earlier.
    pub fn seal(&mut self) -> Result<(), WriteError> {
        self.write_head(1)?;
        self.segment = None;
        Ok(())
    }

    /// Commits and notes the head in `HEAD`: at a clean end.
    ///
    /// # Errors
    /// The writer has failed, now or earlier.
    pub fn note_head(&mut self) -> Result<(), WriteError> {
        self.write_head(0)
    }

    /// The next record is `ahead` segments after the present one.
    fn write_head(&mut self, ahead: u32) -> Result<(), WriteError> {
        let head = self.commit()?;
        let Some(number) = self.segment.as_ref().map(|segment| segment.number) else { return Ok(()) };
        match self.disk.note_head(number + ahead, head) {
            Ok(()) => Ok(()),
            Err(error) => self.disk_failed("write HEAD", &error).map(drop),
        }
    }

    /// Goes on after a failure of the disk. The failed segment is cut to what was committed; what was not is written
    /// to a new one, so no record is missing. The next record should hold the whole state and begin another. Then the
    /// reserve is filled again: that it fits is the proof that there is space.
    ///
    /// # Errors
    /// The disk still fails or is full, or records were lost; [`Writer::trouble`] stays.
    pub fn reopen(&mut self) -> Result<Anchor, WriteError> {
        match &self.failed {
            Some(error) if !error.can_reopen() => return Err(error.clone()),
            Some(_) => {
                if let Err(error) = self.begin_again() {
                    return Err(self.fail(error));
                }
                self.on_reserve = self.failed.take();
            }
            None if self.on_reserve.is_none() => return Ok(self.head),
            None => {
                self.commit()?;
            }
        }
        if let Err(error) = self.disk.fill_reserve() {
            let full = WriteError::Disk { doing: "fill the reserve", why: error.to_string() };
            self.on_reserve = Some(full.clone());
            return Err(full);
        }
        self.on_reserve = None;
        Ok(self.head)
    }

    /// A record that cannot be taken; the whole ones before it are written as far as the disk allows.
    fn refuse(&mut self, error: WriteError) -> WriteError {
        // No reopening helps any more, so the gap outweighs an error of the disk.
        drop(self.commit());
        self.fail(error)
    }

    /// From now on nothing is written to the open descriptor: it is gone.
    fn fail(&mut self, error: WriteError) -> WriteError {
        if let Some(segment) = &mut self.segment {
            segment.file = None;
        }
        self.failed = Some(error.clone());
        error
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("head", &self.head)
            .field("committed", &self.committed)
            .field("on_reserve", &self.on_reserve)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
