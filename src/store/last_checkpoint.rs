//! The last checkpoint as a start finds it: what store and marker know of the journal, whether its state can be read, and
//! whether it is one to begin with.

use super::checkpoint::{Checkpoint, CheckpointError, CheckpointOpen, CheckpointStore};
use super::data_dir::DataDir;
use super::journal::Anchor;
use super::recovery::Trouble;
use crate::domain::Seq;

/// The last checkpoint, before it is decided what the state is built on.
pub(super) struct LastCheckpoint<S> {
    store: CheckpointStore,
    /// As it stands in the store.
    stored: Option<Checkpoint>,
    /// The same with its state read.
    read: Option<Checkpoint<S>>,
    /// What store and marker know of the journal.
    pub anchors: Vec<Anchor>,
    /// The store could not be opened, or is gone.
    trouble: Option<Trouble>,
    /// Why the one in the store is not to begin with.
    unusable: Option<String>,
}

/// What is left of it for the run that begins.
pub(super) struct Closed<S> {
    /// Where the next ones go.
    pub store: CheckpointStore,
    /// As it stands in that store.
    pub stored: Option<Checkpoint>,
    /// The same with its state read; also if its store was moved aside.
    pub read: Option<Checkpoint<S>>,
    /// What was wrong.
    pub trouble: Option<Trouble>,
}

impl<S> LastCheckpoint<S> {
    /// Opens the store and reads the state; `decode` may refuse it.
    ///
    /// # Errors
    /// Not even a new store can be made.
    pub fn open(
        dir: &DataDir,
        decode: impl FnOnce(Seq, &[u8]) -> Result<S, String>,
    ) -> Result<Self, CheckpointError> {
        let marked = CheckpointStore::marked(dir);
        let had_store = dir.checkpoint_store().exists();
        let (store, stored, mut trouble) = match CheckpointStore::open(dir)? {
            CheckpointOpen::Ready { store, checkpoint } => (store, checkpoint, None),
            CheckpointOpen::Damaged { store, why, moved_to } => {
                (store, None, Some(Trouble::CheckpointDamaged { why, moved_to }))
            }
        };
        let known = stored.as_ref().map(|stored| stored.anchor);
        let mut unusable = None;
        let is_missing = |it: &Anchor| trouble.is_none() && known.is_none_or(|known| known.seq < it.seq);
        if let Some(anchor) = marked.filter(is_missing) {
            if had_store {
                unusable = Some(format!("that of record {} is not in the store", anchor.seq));
            } else {
                trouble = Some(Trouble::CheckpointLost { anchor });
            }
        }
        let read = stored.clone().map(|stored| stored.decoded(decode)).transpose().unwrap_or_else(|why| {
            unusable.get_or_insert(format!("its state cannot be read: {why}"));
            None
        });
        let anchors = known.into_iter().chain(marked).collect();
        Ok(Self { store, stored, read, anchors, trouble, unusable })
    }

    /// Its record, if its state can be read, however old it is.
    pub fn readable(&self) -> Option<Anchor> {
        self.read.as_ref().map(|read| read.anchor)
    }

    /// Its record, if it is one to begin with.
    pub fn usable(&self) -> Option<Anchor> {
        self.readable().filter(|_| self.unusable.is_none())
    }

    /// It is not one to begin with, for a reason that names its record.
    pub fn refuse(&mut self, why: impl FnOnce(Seq) -> String) {
        if let Some(anchor) = self.usable() {
            self.unusable = Some(why(anchor.seq));
        }
    }

    /// Moves the store aside if it is of no use, and begins a new one.
    ///
    /// # Errors
    /// The operating system refuses either.
    pub fn close(self, dir: &DataDir) -> Result<Closed<S>, CheckpointError> {
        let Self { store, stored, read, anchors: _, trouble, unusable } = self;
        let Some(why) = unusable else {
            return Ok(Closed { store, stored, read, trouble });
        };
        let (store, moved_to) = store.set_aside(dir, &why)?;
        Ok(Closed { store, stored: None, read, trouble: Some(Trouble::CheckpointDamaged { why, moved_to }) })
    }
}
