//! One instance for one data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::data_dir::DataDir;
use crate::domain::Timestamp;

/// Who holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// When it started, wall time.
    pub since: Timestamp,
}

/// The lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another instance has it. `main` exits with 3.
    #[error("another andon is running here: {}; look at that one, or name another --data-dir", holder_text(.0.as_ref()))]
    Held(Option<Holder>),
    /// The disk refused.
    #[error("the lock file {path} cannot be used: {error}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
}

fn holder_text(holder: Option<&Holder>) -> String {
    holder.map_or_else(
        || "pid unknown".to_owned(),
        |holder| format!("pid {} since {}", holder.pid, holder.since),
    )
}

/// Held while it lives; the operating system lets go of it however the process ends.
#[derive(Debug)]
pub struct InstanceLock {
    file: File,
}

impl InstanceLock {
    /// Takes the lock of a data directory for `holder`.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(dir: &DataDir, holder: Holder) -> Result<Self, LockError> {
        let path = path(dir.root());
        let io_error = |error| LockError::Io { path: path.clone(), error };
        // Not truncated before it is ours: the other's name stands in it.
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(io_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(Self::holder(dir.root()))),
            Err(TryLockError::Error(error)) => return Err(io_error(error)),
        }
        let text = serde_json::to_vec(&holder).map_err(|error| io_error(error.into()))?;
        file.set_len(0).and_then(|()| file.write_all(&text)).map_err(io_error)?;
        Ok(Self { file })
    }

    /// Who says to hold the lock of the data directory at `root`. After a kill it may name a process that is gone.
    pub fn holder(root: &Path) -> Option<Holder> {
        serde_json::from_slice(&std::fs::read(path(root)).ok()?).ok()
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        // The name is only for people; the lock itself goes with the descriptor.
        if let Err(error) = self.file.rewind().and_then(|()| self.file.set_len(0)) {
            tracing::debug!(%error, "the lock file still names this process");
        }
    }
}

fn path(root: &Path) -> PathBuf {
    root.join("lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32) -> Holder {
        Holder { pid, since: "2026-03-01T08:00:00Z".parse().unwrap() }
    }

    #[test]
    fn a_second_instance_is_refused_and_told_who_is_there() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        let first = InstanceLock::take(&dir, holder(123)).unwrap();

        let refused = InstanceLock::take(&dir, holder(456)).unwrap_err();

        assert_eq!(
            refused.to_string(),
            "another andon is running here: pid 123 since 2026-03-01T08:00:00.000Z; look at that one, or name another \
             --data-dir"
        );
        drop(first);
        assert_eq!(InstanceLock::holder(dir.root()), None);
        InstanceLock::take(&dir, holder(456)).unwrap();
    }

    #[test]
    fn a_name_left_by_a_killed_process_does_not_stop_a_start() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        std::fs::write(path(dir.root()), serde_json::to_vec(&holder(99_999)).unwrap()).unwrap();
        InstanceLock::take(&dir, holder(1)).unwrap();
        assert_eq!(InstanceLock::holder(dir.root()), None, "let go of at once");
    }
}
