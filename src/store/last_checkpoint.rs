//! The last checkpoint as a start finds it: what store and marker know of the journal, whether its state can be read, and
//! whether it is one to begin with.

use std::path::Path;

use super::checkpoint::{Checkpoint, CheckpointError, CheckpointOpen, CheckpointStore};
use super::data_dir::DataDir;
use super::journal::{Anchor, ReadError, Reader};
use super::recovery::Trouble;
use crate::domain::Seq;

/// The last checkpoint, before it is decided what the state is built on.
pub(super) struct LastCheckpoint<S> {
    store: CheckpointStore,
    /// With its state read.
    read: Option<Checkpoint<S>>,
    /// What store and marker know of the journal.
    pub anchors: Vec<Anchor>,
    /// The whole store is gone.
    lost: Option<Anchor>,
    /// Why what is in the store is not to begin with.
    unusable: Option<String>,
}

/// What is left of it for the run that begins.
pub(super) struct Closed<S> {
    /// Where the next ones go.
    pub store: CheckpointStore,
    /// With its state read; also if it was not to begin with.
    pub read: Option<Checkpoint<S>>,
    /// What was wrong.
    pub trouble: Option<Trouble>,
}

impl<S> LastCheckpoint<S> {
    /// Opens the store and reads the state; `decode` may refuse it.
    ///
    /// # Errors
    /// The operating system does not let us.
    pub fn open(
        dir: &DataDir,
        decode: impl FnOnce(Seq, &[u8]) -> Result<S, String>,
    ) -> Result<Self, CheckpointError> {
        let marked = CheckpointStore::marked(dir);
        let had_store = dir.checkpoint_store().exists();
        let CheckpointOpen { store, checkpoint } = CheckpointStore::open(dir)?;
        let (stored, mut unusable) = match checkpoint {
            Ok(stored) => (stored, None),
            Err(why) => (None, Some(why)),
        };
        let known = stored.as_ref().map(|stored| stored.anchor);
        let mut lost = None;
        let is_missing = |it: &Anchor| unusable.is_none() && known.is_none_or(|known| known.seq < it.seq);
        if let Some(anchor) = marked.filter(is_missing) {
            if had_store {
                unusable = Some(format!("that of record {} is not in the store", anchor.seq));
            } else {
                lost = Some(anchor);
            }
        }
        let read = stored.map(|stored| stored.decoded(decode)).transpose().unwrap_or_else(|why| {
            unusable.get_or_insert(format!("its state cannot be read: {why}"));
            None
        });
        let anchors = known.into_iter().chain(marked).collect();
        Ok(Self { store, read, anchors, lost, unusable })
    }

    /// Its record, if its state can be read, however old it is.
    pub fn readable(&self) -> Option<Anchor> {
        self.read.as_ref().map(|read| read.anchor)
    }

    /// Its record, if it is one to begin with.
    pub fn usable(&self) -> Option<Anchor> {
        self.readable().filter(|_| self.unusable.is_none())
    }

    /// It is one to begin with, but its record is nowhere in the journal. Reads the journal from its end until it is found.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn is_lost(&self, journal: &Path) -> Result<bool, ReadError> {
        self.usable().map_or(Ok(false), |anchor| Ok(!Reader::holds(journal, anchor)?))
    }

    /// It is not one to begin with, for a reason that names its record.
    pub fn refuse(&mut self, why: impl FnOnce(Seq) -> String) {
        if let Some(anchor) = self.usable() {
            self.unusable = Some(why(anchor.seq));
        }
    }

    /// What is left. A store that is of no use stays in its place until the next checkpoint is written: what it knows may be
    /// all there is, and the start may be refused or killed.
    pub fn close(self) -> Closed<S> {
        let Self { store, read, anchors: _, lost, unusable } = self;
        let damaged = unusable.map(|why| Trouble::CheckpointDamaged { why, moved_to: store.give_up() });
        let trouble = damaged.or(lost.map(|anchor| Trouble::CheckpointLost { anchor }));
        Closed { store, read, trouble }
    }
}
