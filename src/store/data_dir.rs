//! The data directory: where things are in it, that only its owner may enter, and that it can be written.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::journal::{Disk as _, FsDisk};

/// Only the owner may enter: what is in it says what is held, and removing `HALT` releases.
const MODE: u32 = 0o700;

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be made, read or written.
    #[error("the data directory {path} cannot be used ({doing}: {error}); make it yours and writable, or name another with --data-dir", path = path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The operating system's answer.
        error: io::Error,
    },
    /// Nothing can be written into it now.
    #[error("no space is left for the data directory {path} ({error}); free some, then start again", path = path.display())]
    Full {
        /// Which.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
    /// Others may enter it, and it holds something already.
    #[error("the data directory {path} is open to others (mode {mode:o}); run chmod 700 {path}, or name another with --data-dir", path = path.display())]
    OpenToOthers {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nobody knows where data belongs.
    #[error("there is no home directory for the data; name a directory with --data-dir")]
    NoHome,
}

/// A directory that, after [`DataDir::open`], exists, is closed to others and was written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Opens `root`, or makes it with mode 0700. Nothing of an existing one is changed, unless it is empty.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        let unusable = |doing| move |error| DataDirError::Unusable { path: root.to_owned(), doing, error };
        if !root.exists() {
            DirBuilder::new().recursive(true).mode(MODE).create(root).map_err(unusable("create"))?;
        }
        let mut entries = std::fs::read_dir(root).map_err(unusable("read"))?;
        let mode = root.metadata().map_err(unusable("read"))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            if entries.next().is_some() {
                return Err(DataDirError::OpenToOthers { path: root.to_owned(), mode });
            }
            std::fs::set_permissions(root, Permissions::from_mode(MODE)).map_err(unusable("chmod 700"))?;
        }
        let dir = Self { root: root.to_owned() };
        dir.test_write().map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                DataDirError::Full { path: root.to_owned(), error }
            }
            _ => unusable("test write")(error),
        })?;
        Ok(dir)
    }

    /// An existing directory, to look into: nothing is written or checked, and no run may begin in it.
    pub fn look_at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The directory that holds the default directories of all identities: `<XDG data>/andon`.
    ///
    /// # Errors
    /// [`DataDirError::NoHome`].
    pub fn default_parent() -> Result<PathBuf, DataDirError> {
        let base = etcetera::base_strategy::Xdg::new().map_err(|_| DataDirError::NoHome)?;
        Ok(base.data_dir().join("andon"))
    }

    /// Writes a small file without a name and fsyncs it: whether the store would work now.
    ///
    /// # Errors
    /// The operating system's answer.
    pub fn test_write(&self) -> io::Result<()> {
        let mut file = tempfile::tempfile_in(&self.root)?;
        file.write_all(b"andon\n")?;
        file.sync_all()
    }

    /// Fills the file whose space is given back when the disk is full. Does nothing if it is there.
    ///
    /// # Errors
    /// The operating system's answer; the space is then not reserved.
    pub fn fill_reserve(&self) -> io::Result<()> {
        self.journal_disk(true).fill_reserve()
    }

    /// The journal of this directory as a disk to write to; `durable` says whether names are fsynced too.
    pub fn journal_disk(&self, durable: bool) -> FsDisk {
        FsDisk::new(self.journal(), Some(self.reserve()), durable)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Directory of the journal's segments.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// What models were asked and what they wrote.
    pub fn model_texts(&self) -> PathBuf {
        self.root.join("models.log")
    }

    /// Directory of the checkpoint store.
    pub fn checkpoint_store(&self) -> PathBuf {
        self.root.join("store.sled")
    }

    /// Record and hash of the last checkpoint that was written.
    pub fn checkpoint_marker(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    /// Checkpoint stores that are of no use, or know of lost records, are kept at this path with `-1`, `-2`, ... after it.
    pub(super) fn corrupt(&self) -> PathBuf {
        self.root.join("corrupt")
    }

    fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_directory_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("a/b");
        DataDir::open(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
    }

    #[test]
    fn an_empty_open_directory_is_closed_and_a_full_one_refused() {
        let parent = tempfile::tempdir().unwrap();
        for (name, full) in [("empty", false), ("full", true)] {
            let root = parent.path().join(name);
            std::fs::create_dir(&root).unwrap();
            if full {
                std::fs::write(root.join("thesis.tex"), "x").unwrap();
            }
            std::fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
            let opened = DataDir::open(&root);
            assert_eq!(mode(&root), if full { 0o755 } else { 0o700 });
            assert_eq!(matches!(opened, Err(DataDirError::OpenToOthers { mode: 0o755, .. })), full);
        }
    }

    #[test]
    fn a_file_in_its_place_is_an_error_that_says_what_to_do() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("file");
        std::fs::write(&root, "x").unwrap();
        let error = DataDir::open(&root).unwrap_err().to_string();
        assert!(error.contains("cannot be used (read: ") && error.contains("--data-dir"), "{error}");
    }

    #[test]
    fn the_reserve_really_takes_its_space_and_is_given_back() {
        use super::super::journal::Disk;
        use std::os::unix::fs::MetadataExt;
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        dir.fill_reserve().unwrap();
        assert!(dir.reserve().metadata().unwrap().blocks() * 512 >= 4 * 1024 * 1024);
        let mut disk = dir.journal_disk(true);
        disk.free_reserve().unwrap();
        disk.free_reserve().unwrap();
        assert!(!dir.reserve().exists());
    }
}
