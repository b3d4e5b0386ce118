//! The checkpoint: a shortcut through the journal, kept in sled. Losing it costs time, never facts.
//!
//! Nothing else is cached there, because nothing else would be read: candles come from the feed, which brings the history
//! before the run; decisions, plans, orders and alarms are part of the state; what was said on the bus is for those who
//! listened, and what mattered of it is in the journal. The only losable part is the schedule, as the hints.
//!
//! sled's `flush` does not fsync on Linux and sled does not notice bit rot, so a checkpoint carries its own hash and
//! proves nothing about durability. sled may panic on a damaged directory: every call into it is caught.
//! All calls block; async callers use a blocking thread.
//!
//! sled does not notice either when it has lost what it held, and a directory that is deleted says nothing. So a marker
//! beside the store names the record of the last checkpoint: what the marker names and the store has not is lost. The
//! store is written first, the marker second: a kill in between leaves a marker that asks for less.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::data_dir::DataDir;
use super::durable_file;
use super::journal::{Anchor, Hash};
use crate::domain::Seq;

/// The state after one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint<S = Vec<u8>> {
    /// The record after which it was taken, and its hash.
    pub anchor: Anchor,
    /// The state; stored in the form that its owner gave it.
    pub state: S,
    /// What may be lost and only saves time (open windows, last prices), in the form that its owner gave it.
    pub hints: Vec<u8>,
}

impl Checkpoint {
    /// Puts a copy of it, as it is stored, into a file of its own. None if that does not work: what is in the store counts.
    pub(super) fn keep(&self, dir: &DataDir) -> Option<PathBuf> {
        let path = dir.kept_checkpoint(self.anchor.seq);
        let written = encode(self)
            .and_then(|bytes| durable_file::replace(&path, &bytes).map_err(|error| error.to_string()));
        if let Err(why) = written {
            tracing::error!(path = %path.display(), why, "the checkpoint cannot be kept");
            return None;
        }
        Some(path)
    }

    /// The same with its state read.
    pub(super) fn decoded<S>(
        self,
        decode: impl FnOnce(Seq, &[u8]) -> Result<S, String>,
    ) -> Result<Checkpoint<S>, String> {
        Ok(Checkpoint {
            state: decode(self.anchor.seq, &self.state)?,
            anchor: self.anchor,
            hints: self.hints,
        })
    }
}

/// What opening found.
#[derive(Debug)]
pub enum CheckpointOpen {
    /// The last checkpoint, if one was ever written.
    Ready {
        /// For writing the next ones.
        store: CheckpointStore,
        /// The last one.
        checkpoint: Option<Checkpoint>,
    },
    /// It was unreadable. It is kept aside, and a new store is in its place.
    Damaged {
        /// The new store, empty.
        store: CheckpointStore,
        /// What was wrong with the old one.
        why: String,
        /// Where the old one is.
        moved_to: PathBuf,
    },
}

/// The checkpoint store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// sled refused or panicked.
    #[error("the checkpoint store at {path} failed ({why}); free space, or move it away while andon does not run", path = path.display())]
    Store {
        /// Where it is.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The store has the checkpoint; the file that names it cannot be written.
    #[error("{path}, which names the last checkpoint, cannot be written ({error}); free space, or see whose it is", path = path.display())]
    Marker {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
    /// A damaged one could not be moved aside.
    #[error("the damaged checkpoint store at {path} cannot be moved aside: {error}", path = path.display())]
    MoveAside {
        /// Where it is.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
}

/// Writes checkpoints. The newest is the one that counts.
#[derive(Debug)]
pub struct CheckpointStore {
    path: PathBuf,
    marker: PathBuf,
    corrupt: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    /// None after a failure: sled never recovers from one, nor lets go of its files then.
    db: Option<sled::Db>,
    /// Something was read from the store, or written to it: it is kept if it fails.
    is_kept: bool,
    /// Record of the newest one written here.
    newest: Seq,
}

const KEY: &str = "checkpoint";
/// Memory that sled may use for pages; it holds one value.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// What sled takes besides what it holds, generously.
const SPACE_BYTES: usize = 2 * 1024 * 1024;
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

impl CheckpointStore {
    /// Opens the store of a data directory.
    ///
    /// # Errors
    /// When not even a new one can be made.
    pub fn open(dir: &DataDir) -> Result<CheckpointOpen, CheckpointError> {
        let path = dir.checkpoint_store();
        let damage = match guarded(|| open_and_read(&path)) {
            Ok((db, checkpoint)) => {
                return Ok(CheckpointOpen::Ready { store: Self::of(dir, db), checkpoint });
            }
            Err(Failure::Refused(why)) => return Err(CheckpointError::Store { path, why }),
            Err(Failure::Damaged(why)) => why,
        };
        let (store, moved_to) = Self::anew(dir, &damage)?;
        Ok(CheckpointOpen::Damaged { store, why: damage, moved_to })
    }

    /// Moves the store aside and begins a new one in its place. Returns where the old one is.
    pub(super) fn set_aside(self, dir: &DataDir, why: &str) -> Result<(Self, PathBuf), CheckpointError> {
        drop(self);
        Self::anew(dir, why)
    }

    fn anew(dir: &DataDir, why: &str) -> Result<(Self, PathBuf), CheckpointError> {
        let path = dir.checkpoint_store();
        tracing::warn!(path = %path.display(), why, "the checkpoint store cannot be used; it is moved aside");
        let moved_to = move_aside(&path, &dir.corrupt())
            .map_err(|error| CheckpointError::MoveAside { path: path.clone(), error })?;
        match guarded(|| open_and_read(&path)) {
            Ok((db, _)) => Ok((Self::of(dir, db), moved_to)),
            Err(failure) => Err(CheckpointError::Store { path, why: failure.why() }),
        }
    }

    fn of(dir: &DataDir, db: sled::Db) -> Self {
        let (path, marker, corrupt) = (dir.checkpoint_store(), dir.checkpoint_marker(), dir.corrupt());
        let open = Open { db: Some(db), is_kept: true, newest: Seq(0) };
        Self { path, marker, corrupt, open: Mutex::new(open) }
    }

    /// The record of the last checkpoint that was written, as the marker has it; also beside a running instance. None if
    /// there was none. A marker that cannot be read, as a power cut may leave it, is as good as none.
    pub fn marked(dir: &DataDir) -> Option<Anchor> {
        std::fs::read_to_string(dir.checkpoint_marker()).ok()?.strip_suffix('\n')?.parse().ok()
    }

    /// Replaces the checkpoint, and then the marker. An older one that comes late is left out. Returns when the operating
    /// system has it, which is not yet the disk. After a failure a new store takes the place of the one that failed, as
    /// soon as there is space for it.
    ///
    /// # Errors
    /// When sled refuses or panics, or the marker cannot be written. The journal still has everything.
    pub fn write(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if checkpoint.anchor.seq < open.newest {
            return Ok(());
        }
        let failed =
            |failure: Failure| CheckpointError::Store { path: self.path.clone(), why: failure.why() };
        let bytes = encode(checkpoint).map_err(Failure::from).map_err(failed)?;
        let db = match open.db.take() {
            Some(db) => db,
            None => self.begin_again(&mut open.is_kept, bytes.len()).map_err(failed)?,
        };
        let written = guarded(|| {
            db.insert(KEY, bytes)?;
            db.flush()?;
            Ok(())
        });
        if let Err(failure) = written {
            let_go(db);
            return Err(failed(failure));
        }
        (open.db, open.is_kept) = (Some(db), true);
        durable_file::swap(&self.marker, format!("{}\n", checkpoint.anchor).as_bytes())
            .map_err(|error| CheckpointError::Marker { path: self.marker.clone(), error })?;
        open.newest = checkpoint.anchor.seq;
        Ok(())
    }

    /// A new store in the place of one that failed.
    fn begin_again(&self, is_kept: &mut bool, len: usize) -> Result<sled::Db, Failure> {
        // Every store that fails stays open for ever: one is begun only where it will hold the checkpoint.
        durable_file::test_space(&self.path, len * 2 + SPACE_BYTES).map_err(sled::Error::from)?;
        let made_room = if *is_kept {
            move_aside(&self.path, &self.corrupt).map(drop)
        } else {
            std::fs::remove_dir_all(&self.path)
        };
        made_room.or_else(absent_is_fine).map_err(sled::Error::from)?;
        *is_kept = false;
        let (db, _) = guarded(|| open_and_read(&self.path))?;
        Ok(db)
    }
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn open_and_read(path: &Path) -> Result<(sled::Db, Option<Checkpoint>), Failure> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let db = open_unlocked(&config)?;
    let checkpoint = db.get(KEY)?.map(|bytes| decode(&bytes)).transpose()?;
    // A kill in the first checkpoint: sled can neither read nor replace what stands in its blobs then.
    let blobs = std::fs::read_dir(path.join("blobs"));
    if checkpoint.is_none() && blobs.is_ok_and(|mut blobs| blobs.next().is_some()) {
        let_go(db);
        return Err(Failure::Damaged("it holds a part of a checkpoint".to_owned()));
    }
    Ok((db, checkpoint))
}

/// A store that has failed may wait for ever for its own end: nobody waits with it.
fn let_go(db: sled::Db) {
    thread::spawn(move || drop(db));
}

/// Who has the data directory has it alone, so a lock on the store is one that sled has not let go of yet: it does so
/// when the last of its threads has ended, which is a moment after the store was dropped.
fn open_unlocked(config: &sled::Config) -> sled::Result<sled::Db> {
    for _ in 0..LOCK_TRIES {
        match config.open() {
            Err(sled::Error::Io(error)) if is_locked(&error) => thread::sleep(LOCK_PAUSE),
            opened => return opened,
        }
    }
    config.open()
}

/// What a call into sled can end with, apart from its result.
enum Failure {
    /// The store is not as it was written.
    Damaged(String),
    /// The operating system did not let us; the store may be fine.
    Refused(String),
}

impl Failure {
    fn why(self) -> String {
        match self {
            Self::Damaged(why) | Self::Refused(why) => why,
        }
    }
}

impl From<sled::Error> for Failure {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) if is_refusal(&error) => Self::Refused(error.to_string()),
            sled::Error::Io(error) => Self::Damaged(error.to_string()),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

fn is_refusal(error: &io::Error) -> bool {
    let kinds = [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::FileTooLarge,
        io::ErrorKind::WouldBlock,
    ];
    is_locked(error) || kinds.contains(&error.kind())
}

/// sled has no kind for a store that is open already.
fn is_locked(error: &io::Error) -> bool {
    error.to_string().contains("acquire lock")
}

fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Failure::Damaged(format!("panicked: {}", panic_text(&*panic)))))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn move_aside(path: &Path, to: &Path) -> io::Result<PathBuf> {
    let moved_to = durable_file::first_free(to)?;
    std::fs::rename(path, &moved_to)?;
    durable_file::sync_parent(path)?;
    Ok(moved_to)
}

/// Second line of the stored bytes; the first is the hash of everything after it. State and hints follow as they are.
#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(flatten)]
    anchor: Anchor,
    state_len: usize,
}

fn encode(checkpoint: &Checkpoint) -> Result<Vec<u8>, String> {
    let header = Header { anchor: checkpoint.anchor, state_len: checkpoint.state.len() };
    let header = serde_json::to_vec(&header).map_err(|error| error.to_string())?;
    let content = [&header, b"\n".as_slice(), &checkpoint.state, &checkpoint.hints].concat();
    Ok([Hash::of(&content).hex().as_ref().as_bytes(), b"\n", &content].concat())
}

fn decode(bytes: &[u8]) -> Result<Checkpoint, String> {
    let (hash, content) = split_line(bytes).ok_or("it has no hash")?;
    if hash != Hash::of(content).hex().as_ref().as_bytes() {
        return Err("it does not match its hash".to_owned());
    }
    let (header, content) = split_line(content).ok_or("it has no header")?;
    let header: Header = serde_json::from_slice(header).map_err(|error| error.to_string())?;
    let (state, hints) = content.split_at_checked(header.state_len).ok_or("it is too short")?;
    Ok(Checkpoint { anchor: header.anchor, state: state.to_vec(), hints: hints.to_vec() })
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Seq;

    fn checkpoint() -> Checkpoint {
        let anchor = Anchor { seq: Seq(7), hash: Hash::of(b"line") };
        Checkpoint { anchor, state: b"{}\n{}".to_vec(), hints: b"h".to_vec() }
    }

    #[test]
    fn a_checkpoint_with_any_bit_flipped_is_refused() {
        let bytes = encode(&checkpoint()).unwrap();
        assert_eq!(decode(&bytes), Ok(checkpoint()));
        for at in 0..bytes.len() {
            let mut rotten = bytes.clone();
            rotten[at] ^= 1;
            assert!(decode(&rotten).is_err(), "byte {at}");
            assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_panic_of_the_store_is_damage_and_not_the_end() {
        let caught = guarded::<()>(|| panic!("a page that cannot be"));
        assert_eq!(caught.map_err(Failure::why), Err("panicked: a page that cannot be".to_owned()));
    }

    fn at(seq: u64) -> Checkpoint {
        Checkpoint { anchor: Anchor { seq: Seq(seq), ..checkpoint().anchor }, ..checkpoint() }
    }

    fn stored(dir: &DataDir) -> Option<Checkpoint> {
        match CheckpointStore::open(dir).unwrap() {
            CheckpointOpen::Ready { checkpoint, .. } => checkpoint,
            CheckpointOpen::Damaged { .. } => None,
        }
    }

    fn empty(dir: &DataDir) -> CheckpointStore {
        match CheckpointStore::open(dir).unwrap() {
            CheckpointOpen::Ready { store, .. } | CheckpointOpen::Damaged { store, .. } => store,
        }
    }

    #[test]
    fn an_older_checkpoint_that_comes_late_replaces_neither_store_nor_marker() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        let store = empty(&dir);
        store.write(&at(9)).unwrap();
        store.write(&at(7)).unwrap();
        drop(store);
        assert_eq!(CheckpointStore::marked(&dir), Some(at(9).anchor));
        assert_eq!(stored(&dir), Some(at(9)));
    }

    #[test]
    fn the_marker_names_nothing_that_the_store_has_not() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        std::fs::create_dir(dir.checkpoint_marker()).unwrap();
        let store = empty(&dir);
        let told = store.write(&at(7)).unwrap_err().to_string();
        assert!(told.contains(dir.checkpoint_marker().to_str().unwrap()), "{told}");
        drop(store);
        assert_eq!(stored(&dir), Some(at(7)), "it was written first");
    }

    #[test]
    fn a_store_that_is_open_already_is_not_taken_for_a_damaged_one() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        let first = CheckpointStore::open(&dir).unwrap();
        let second = CheckpointStore::open(&dir);
        assert!(matches!(second, Err(CheckpointError::Store { .. })), "{second:?}");
        assert!(matches!(first, CheckpointOpen::Ready { checkpoint: None, .. }));
    }

    #[test]
    fn a_store_that_failed_is_written_again_when_it_can_be() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        let store = empty(&dir);
        store.write(&at(7)).unwrap();
        // What is this large goes into a file of its own, which cannot be made without its directory. What is there is kept.
        let large = Checkpoint { state: vec![b'x'; 300_000], ..at(8) };
        let blobs = dir.checkpoint_store().join("blobs");
        std::fs::remove_dir_all(&blobs).unwrap();
        assert!(matches!(store.write(&large), Err(CheckpointError::Store { .. })));
        store.write(&large).unwrap();
        assert!(durable_file::with_suffix(&dir.corrupt(), "-1").is_dir());
        assert_eq!(CheckpointStore::marked(&dir), Some(large.anchor));
        drop(store);
        assert_eq!(stored(&dir), Some(large));
    }

    #[test]
    fn a_store_that_is_about_to_be_let_go_is_waited_for() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        let first = CheckpointStore::open(&dir).unwrap();
        let letting_go = thread::spawn(move || {
            thread::sleep(LOCK_PAUSE * 3);
            drop(first);
        });
        assert!(matches!(CheckpointStore::open(&dir), Ok(CheckpointOpen::Ready { .. })));
        letting_go.join().unwrap();
    }
}
