//! The paper venue's own log file: one JSON line per operation, holding the changes it made to the book.
//!
//! The first line is the whole book; each opening replays the file and begins it anew. A last line without its
//! end was never answered for and is dropped; anything else that cannot be read is damage and stops the opening.
//! After a failed write nothing more is written and nothing is answered until the file is opened again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::book::{Change, PaperBook};

/// What the paper venue's log could not do.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file cannot be read.
    #[error("cannot read the venue's log {path}: {source}; check its owner and the disk, then start again")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written or synced.
    #[error("cannot write the venue's log {path}: {source}; free the disk, then start again")]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line that was complete cannot be understood.
    #[error("the venue's log {path} is damaged at line {line}: {source}; restore it from a copy")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file does not begin with a book.
    #[error("the venue's log {path} does not begin with its book; restore it from a copy")]
    Headless {
        /// Which file.
        path: PathBuf,
    },
    /// An earlier write failed, so memory and disk may differ.
    #[error("the venue's log {path} failed before; nothing is answered until it is opened again: restart")]
    Failed {
        /// Which file.
        path: PathBuf,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum LineOut<'a> {
    Book(&'a PaperBook),
    Changes(&'a [Change]),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum LineIn {
    Book(Box<PaperBook>),
    Changes(Vec<Change>),
}

/// The log, or none for a venue without a file.
#[derive(Debug)]
pub(super) struct VenueLog {
    target: Option<Target>,
}

#[derive(Debug)]
struct Target {
    path: PathBuf,
    file: File,
    /// Whether answers wait for the disk.
    sync: bool,
    /// Something was written since the last sync.
    unsynced: bool,
    failed: bool,
}

impl VenueLog {
    /// A log on a device: `/dev/full` takes nothing, `/dev/null` takes everything and cannot be synced.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn on_device(path: &str) -> io::Result<Self> {
        let path = PathBuf::from(path);
        let file = OpenOptions::new().write(true).open(&path)?;
        Ok(Self { target: Some(Target { path, file, sync: true, unsynced: false, failed: false }) })
    }

    /// Keeps nothing.
    pub(super) const fn none() -> Self {
        Self { target: None }
    }

    /// Replays the file, if there is one, and begins it anew with the book it gave.
    pub(super) fn open(path: &Path, sync: bool) -> Result<(Self, PaperBook), LogError> {
        let book = match fs::read(path) {
            Ok(bytes) => replay(path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => PaperBook::default(),
            Err(source) => return Err(LogError::Read { path: path.to_owned(), source }),
        };
        let file =
            begin(path, &book, sync).map_err(|source| LogError::Write { path: path.to_owned(), source })?;
        let target = Target { path: path.to_owned(), file, sync, unsynced: false, failed: false };
        Ok((Self { target: Some(target) }, book))
    }

    /// Whether the log stands for what the book says.
    pub(super) fn usable(&self) -> Result<(), LogError> {
        match &self.target {
            Some(target) if target.failed => Err(LogError::Failed { path: target.path.clone() }),
            Some(_) | None => Ok(()),
        }
    }

    /// Writes the changes of one operation as one line; nothing, if it changed nothing.
    pub(super) fn append(&mut self, changes: &[Change]) -> Result<(), LogError> {
        match &mut self.target {
            Some(target) if !changes.is_empty() => {
                let written = line(&LineOut::Changes(changes)).and_then(|line| target.file.write_all(&line));
                target.unsynced = true;
                target.checked(written)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Waits until what was written is on the disk.
    pub(super) fn sync(&mut self) -> Result<(), LogError> {
        match &mut self.target {
            Some(target) if target.sync && target.unsynced => {
                let synced = target.file.sync_data();
                target.unsynced = false;
                target.checked(synced)
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Target {
    fn checked(&mut self, result: io::Result<()>) -> Result<(), LogError> {
        result.map_err(|source| {
            self.failed = true;
            LogError::Write { path: self.path.clone(), source }
        })
    }
}

fn line(content: &LineOut<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(content)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn replay(path: &Path, bytes: &[u8]) -> Result<PaperBook, LogError> {
    let mut book = None;
    let complete = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    for (index, text) in complete.enumerate() {
        let content = serde_json::from_slice(text).map_err(|source| LogError::Damaged {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        match (content, &mut book) {
            (LineIn::Book(first), None) => book = Some(*first),
            (LineIn::Changes(changes), Some(book)) => changes.iter().for_each(|change| book.apply(change)),
            (LineIn::Book(_), Some(_)) | (LineIn::Changes(_), None) => {
                return Err(LogError::Headless { path: path.to_owned() });
            }
        }
    }
    book.ok_or_else(|| LogError::Headless { path: path.to_owned() })
}

/// Puts a file with this book in the place of the old one, in one step: a crash leaves the one or the other.
fn begin(path: &Path, book: &PaperBook, sync: bool) -> io::Result<File> {
    let fresh = path.with_extension("log.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&fresh)?;
    file.write_all(&line(&LineOut::Book(book))?)?;
    if sync {
        file.sync_all()?;
    }
    fs::rename(&fresh, path)?;
    if sync {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(file)
}
