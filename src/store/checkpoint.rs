//! The checkpoint: a shortcut through the journal, kept in sled. Losing it costs time, never facts.
//!
//! Nothing else is cached there, because nothing else would be read: candles come from the feed, which brings the history
//! before the run; decisions, plans, orders and alarms are part of the state; what was said on the bus is for those who
//! listened, and what mattered of it is in the journal. The only losable part is the schedule, as the hints.
//!
//! sled's `flush` does not fsync on Linux and sled does not notice bit rot, so a checkpoint carries its own hash and
//! proves nothing about durability. sled may panic on a damaged directory: every call into it is caught. What is too
//! large for a page it puts into files that it does not remove again, so a checkpoint is many small values, replaced
//! together. All calls block.
//!
//! sled does not notice either when it has lost what it held, and a directory that is deleted says nothing. So a marker
//! beside the store names the record of the last checkpoint: what the marker names and the store has not is lost. The
//! store is written first, the marker second: a kill in between leaves a marker that asks for less.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
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
pub struct CheckpointOpen {
    /// For writing the next ones.
    pub store: CheckpointStore,
    /// The last one, if one was ever written; or why it cannot be read.
    pub checkpoint: Result<Option<Checkpoint>, String>,
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
    /// None if it is of no use, or after a failure: sled never recovers from one, nor lets go of its files then. The next
    /// checkpoint begins a new one.
    db: Option<sled::Db>,
    /// Something was read from the store, or written to it: it is moved aside when a new one takes its place.
    is_kept: bool,
    /// How many values the checkpoint in it has.
    chunks: usize,
    /// Record of the newest one written here.
    newest: Seq,
}

/// Length of a value, bytes: so many of them as may stand in a page are less than sled puts into a file of its own.
const CHUNK_BYTES: usize = 4 * 1024;
/// Memory that sled may use for pages.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// What sled takes besides what it holds, generously.
const SPACE_BYTES: usize = 2 * 1024 * 1024;
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

impl CheckpointStore {
    /// Opens the store of a data directory. What cannot be read stays where it is until the next checkpoint is written.
    ///
    /// # Errors
    /// The operating system does not let us; the store may be fine.
    pub fn open(dir: &DataDir) -> Result<CheckpointOpen, CheckpointError> {
        let path = dir.checkpoint_store();
        let (db, chunks, checkpoint) = match guarded(|| open_and_read(&path)) {
            Ok((db, chunks, checkpoint)) => (Some(db), chunks, Ok(checkpoint)),
            Err(Failure::Damaged(why)) => (None, 0, Err(why)),
            Err(Failure::Refused(why)) => return Err(CheckpointError::Store { path, why }),
        };
        let (marker, corrupt) = (dir.checkpoint_marker(), dir.corrupt());
        let open = Mutex::new(Open { db, is_kept: true, chunks, newest: Seq(0) });
        Ok(CheckpointOpen { store: Self { path, marker, corrupt, open }, checkpoint })
    }

    /// What is in it is of no use: the next checkpoint goes into a new store, and this one is kept beside it. Returns where
    /// that will be.
    pub(super) fn give_up(&self) -> PathBuf {
        if let Some(db) = self.lock().db.take() {
            let_go(db);
        }
        self.aside()
    }

    /// Where it is kept when a new one takes its place.
    pub(super) fn aside(&self) -> PathBuf {
        durable_file::first_free(&self.corrupt).unwrap_or_else(|_| self.corrupt.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut open = self.lock();
        if checkpoint.anchor.seq < open.newest {
            return Ok(());
        }
        let failed =
            |failure: Failure| CheckpointError::Store { path: self.path.clone(), why: failure.why() };
        let bytes = encode(checkpoint).map_err(Failure::from).map_err(failed)?;
        let db = match open.db.take() {
            Some(db) => db,
            None => self.begin_again(&mut open, bytes.len()).map_err(failed)?,
        };
        let written = guarded(|| {
            db.apply_batch(replacing(open.chunks, &bytes))?;
            db.flush()?;
            Ok(())
        });
        if let Err(failure) = written {
            let_go(db);
            return Err(failed(failure));
        }
        (open.db, open.is_kept, open.chunks) = (Some(db), true, bytes.len().div_ceil(CHUNK_BYTES));
        durable_file::swap(&self.marker, format!("{}\n", checkpoint.anchor).as_bytes())
            .map_err(|error| CheckpointError::Marker { path: self.marker.clone(), error })?;
        open.newest = checkpoint.anchor.seq;
        Ok(())
    }

    /// A new store in the place of one that is of no use.
    fn begin_again(&self, open: &mut Open, len: usize) -> Result<sled::Db, Failure> {
        // Every store that fails stays open for ever: one is begun only where it will hold the checkpoint.
        durable_file::test_space(&self.path, len * 2 + SPACE_BYTES).map_err(sled::Error::from)?;
        let made_room = if open.is_kept {
            tracing::warn!(path = %self.path.display(), "the checkpoint store cannot be used; it is moved aside");
            move_aside(&self.path, &self.corrupt)
        } else {
            std::fs::remove_dir_all(&self.path)
        };
        made_room.or_else(absent_is_fine).map_err(sled::Error::from)?;
        (open.is_kept, open.chunks) = (false, 0);
        let (db, ..) = guarded(|| open_and_read(&self.path))?;
        Ok(db)
    }
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn open_and_read(path: &Path) -> Result<(sled::Db, usize, Option<Checkpoint>), Failure> {
    remove_half_written(path)?;
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let db = open_unlocked(&config)?;
    let read =
        db.iter().values().collect::<sled::Result<Vec<_>>>().map_err(Failure::from).and_then(|values| {
            let checkpoint = if values.is_empty() { None } else { Some(decode(&values.concat())?) };
            Ok((values.len(), checkpoint))
        });
    match read {
        Ok((chunks, checkpoint)) => Ok((db, chunks, checkpoint)),
        Err(failure) => {
            let_go(db);
            Err(failure)
        }
    }
}

/// sled takes a snapshot that it was killed while writing, or had no space for, for the newest one: only a rename makes it
/// that.
fn remove_half_written(path: &Path) -> sled::Result<()> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?.path();
        if entry.extension().is_some_and(|extension| extension == "generating") {
            std::fs::remove_file(entry)?;
        }
    }
    Ok(())
}

/// What puts `bytes` into the place of a checkpoint of so many values, all or nothing of it.
fn replacing(chunks: usize, bytes: &[u8]) -> sled::Batch {
    let mut batch = sled::Batch::default();
    let mut keys = (0_u32..).map(u32::to_be_bytes);
    let mut count = 0;
    for (chunk, key) in bytes.chunks(CHUNK_BYTES).zip(keys.by_ref()) {
        batch.insert(&key, chunk);
        count += 1;
    }
    keys.take(chunks.saturating_sub(count)).for_each(|key| batch.remove(&key));
    batch
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

fn move_aside(path: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(path, durable_file::first_free(to)?)?;
    durable_file::sync_parent(path)
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
        CheckpointStore::open(dir).unwrap().checkpoint.unwrap()
    }

    fn empty(dir: &DataDir) -> CheckpointStore {
        CheckpointStore::open(dir).unwrap().store
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
    fn a_snapshot_that_was_being_written_is_not_taken_for_one() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        empty(&dir).write(&at(7)).unwrap();
        let half_written = dir.checkpoint_store().join("snap.0000000000000FFF.generating");
        std::fs::write(half_written, "").unwrap();
        assert_eq!(stored(&dir), Some(at(7)));
    }

    #[test]
    fn a_store_that_is_open_already_is_not_taken_for_a_damaged_one() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        let first = CheckpointStore::open(&dir).unwrap();
        let second = CheckpointStore::open(&dir);
        assert!(matches!(second, Err(CheckpointError::Store { .. })), "{second:?}");
        assert_eq!(first.checkpoint, Ok(None));
    }

    #[test]
    fn a_store_that_is_of_no_use_is_kept_beside_the_new_one_that_the_next_checkpoint_begins() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        let store = empty(&dir);
        store.write(&at(7)).unwrap();
        let aside = store.give_up();
        assert!(dir.checkpoint_store().exists() && !aside.exists(), "it is all there is until then");
        // A directory in its place: it cannot be made.
        let test = durable_file::with_suffix(&dir.checkpoint_store(), ".test");
        std::fs::create_dir(&test).unwrap();
        assert!(matches!(store.write(&at(8)), Err(CheckpointError::Store { .. })));
        assert!(dir.checkpoint_store().exists() && !aside.exists(), "nor is there space for another one");
        std::fs::remove_dir(&test).unwrap();
        store.write(&at(8)).unwrap();
        assert!(aside.is_dir());
        assert_eq!(CheckpointStore::marked(&dir), Some(at(8).anchor));
        drop(store);
        assert_eq!(stored(&dir), Some(at(8)));
    }

    /// Bytes below a directory, and files.
    fn size(path: &Path) -> (u64, usize) {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
        entries.fold((0, 0), |(bytes, files), entry| {
            let found = entry.metadata().unwrap();
            let (more, others) = if found.is_dir() { size(&entry.path()) } else { (found.len(), 1) };
            (bytes + more, files + others)
        })
    }

    #[test]
    fn large_and_small_states_follow_each_other_and_the_store_does_not_grow() {
        const LARGE: usize = 400_000;
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        let mut store = empty(&dir);
        for seq in 1..=200 {
            let len = if seq % 3 == 0 { 100 } else { LARGE + seq };
            let next =
                Checkpoint { state: vec![b'a' + u8::try_from(seq % 26).unwrap(); len], ..at(seq as u64) };
            store.write(&next).unwrap();
            if seq % 50 < 2 {
                drop(store);
                assert_eq!(stored(&dir), Some(next));
                store = empty(&dir);
            }
        }
        let (bytes, files) = size(&dir.checkpoint_store());
        assert!(bytes < 20 * LARGE as u64 && files < 10, "{bytes} bytes in {files} files");
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
        assert!(CheckpointStore::open(&dir).is_ok());
        letting_go.join().unwrap();
    }
}
