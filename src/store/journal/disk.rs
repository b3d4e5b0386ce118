//! The disk as the writer sees it: a seam, so that a failing one can be put in its place.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::anchor::Anchor;
use super::segments::{self, SegmentNo};
use crate::store::durable_file;

/// A segment that is open for appending.
pub trait JournalFile: Write + Send {
    /// Returns when what was written survives a power cut.
    fn sync(&mut self) -> io::Result<()>;
}

impl JournalFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Size of the space kept for bad times: thousands of records.
const RESERVE_BYTES: usize = 4 * 1024 * 1024;

/// What a [`super::Writer`] needs of the disk.
pub trait Disk: Send {
    /// Makes a new, empty segment whose name survives a power cut.
    fn create(&mut self, segment: SegmentNo) -> io::Result<Box<dyn JournalFile>>;
    /// Opens a segment at its end.
    fn open(&mut self, segment: SegmentNo) -> io::Result<Box<dyn JournalFile>>;
    /// Cuts a segment to its first `len` bytes, through a new descriptor; with `len` 0 the file goes, if it is there.
    fn cut(&mut self, segment: SegmentNo, len: u64) -> io::Result<()>;
    /// Notes the head, and in which segment the next record will be.
    fn note_head(&mut self, segment: SegmentNo, head: Anchor) -> io::Result<()>;
    /// Gives back the space kept for bad times.
    fn free_reserve(&mut self) -> io::Result<()>;
    /// Takes that space again; does nothing if it is taken.
    fn fill_reserve(&mut self) -> io::Result<()>;
}

/// The journal directory of the file system.
#[derive(Debug, Clone)]
pub struct FsDisk {
    journal: PathBuf,
    reserve: Option<PathBuf>,
    durable: bool,
}

impl FsDisk {
    /// For the segments in `journal`, which is created if missing; `reserve` is removed when the disk is full.
    /// Without `durable` neither names nor `HEAD` are fsynced.
    pub fn new(journal: PathBuf, reserve: Option<PathBuf>, durable: bool) -> Self {
        Self { journal, reserve, durable }
    }

    fn sync_names(&self) -> io::Result<()> {
        if self.durable { durable_file::sync_directory(&self.journal) } else { Ok(()) }
    }
}

impl Disk for FsDisk {
    fn create(&mut self, segment: SegmentNo) -> io::Result<Box<dyn JournalFile>> {
        if !self.journal.exists() {
            std::fs::create_dir_all(&self.journal)?;
            durable_file::sync_parent(&self.journal)?;
        }
        let path = self.journal.join(segments::file_name(segment));
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        self.sync_names()?;
        Ok(Box::new(file))
    }

    fn open(&mut self, segment: SegmentNo) -> io::Result<Box<dyn JournalFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(self.journal.join(segments::file_name(segment)))?))
    }

    fn cut(&mut self, segment: SegmentNo, len: u64) -> io::Result<()> {
        let path = self.journal.join(segments::file_name(segment));
        if len == 0 {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            return self.sync_names();
        }
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        if self.durable { file.sync_all() } else { Ok(()) }
    }

    fn note_head(&mut self, segment: SegmentNo, head: Anchor) -> io::Result<()> {
        segments::write_head_file(&self.journal, segment, head, self.durable)
    }

    fn free_reserve(&mut self) -> io::Result<()> {
        match self.reserve.as_deref().map(std::fs::remove_file) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Some(Ok(()) | Err(_)) | None => Ok(()),
        }
    }

    fn fill_reserve(&mut self) -> io::Result<()> {
        let Some(path) = self.reserve.clone() else { return Ok(()) };
        match path.metadata() {
            Ok(found) if found.len() == RESERVE_BYTES as u64 => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        // Written, not just made long: a sparse file reserves nothing.
        let filled = file.write_all(&vec![0xa5; RESERVE_BYTES]).and_then(|()| file.sync_all());
        if let Err(error) = filled {
            // A part of it would only take space from the journal.
            self.free_reserve()?;
            return Err(error);
        }
        durable_file::sync_parent(&path)
    }
}
