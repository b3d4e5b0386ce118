//! What a data directory belongs to. It is bound at its first run to a market, an account currency and a seed; another
//! identity is refused, so that simulated money never meets a real market's history. Also counts the runs.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::data_dir::DataDir;
use super::durable_file;
use crate::domain::{Asset, InstallId};
use crate::market::FileExtent;

/// To what a data directory is bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `simulated`, `replay:<files>`, `kraken`.
    pub market: String,
    /// The account currency.
    pub currency: Asset,
    /// Of the simulator; none for a market that has no seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// `simulated/USDT/7`; the seed only where there is one.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.market, self.currency)?;
        self.seed.map_or(Ok(()), |seed| write!(f, "/{seed}"))
    }
}

/// The directory is not this run's.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It belongs to another identity.
    #[error("{path} belongs to {bound}, but this run is {wanted}; name another directory with --data-dir, or run with the first one's market, currency and seed", path = path.display())]
    Mismatch {
        /// The data directory.
        path: PathBuf,
        /// To what it is bound.
        bound: Box<Identity>,
        /// What this run is.
        wanted: Box<Identity>,
    },
    /// Nothing says any more to what it is bound, and its journal is not of this run's identity.
    #[error("{path} is gone, and the journal beside it is of another installation than {wanted}; put the file back, or run with the market, currency and seed of before, or name another directory with --data-dir", path = path.display())]
    Lost {
        /// The file.
        path: PathBuf,
        /// What this run is.
        wanted: Box<Identity>,
    },
    /// A file of ours is there, but not as we write it.
    #[error("{path} is damaged ({why}); restore it from a backup, or name another directory with --data-dir", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The disk refused.
    #[error("{path} cannot be used: {error}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
    /// Run numbers are never reused, and there is none left.
    #[error("{path} was started {} times, the most there can be; name another directory with --data-dir", u16::MAX, path = path.display())]
    RunsExhausted {
        /// The data directory.
        path: PathBuf,
    },
}

/// What `identity.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// To what the directory is bound.
    pub identity: Identity,
    /// Its name for ever; order ids derive from it.
    pub install: InstallId,
    /// The files of a replay as they were when it was last run with them. Older versions did not note them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileExtent>,
}

impl DataDir {
    /// Checks that the directory is not bound to another than `identity`, and returns the name it was given; `install` if
    /// it is not bound yet. The caller holds the lock.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn belongs_to(&self, identity: &Identity, install: InstallId) -> Result<Bound, IdentityError> {
        match self.bound()? {
            None => Ok(Bound { identity: identity.clone(), install, files: Vec::new() }),
            Some(bound) if bound.identity == *identity => Ok(bound),
            Some(bound) => {
                let (path, wanted) = (self.root().to_owned(), Box::new(identity.clone()));
                Err(IdentityError::Mismatch { path, bound: Box::new(bound.identity), wanted })
            }
        }
    }

    /// Binds the directory at its first run, or to files that have grown. `recorded` is the name in its journal, if it has one; it must be the same.
    ///
    /// # Errors
    /// See [`IdentityError`]; then nothing is written.
    pub fn bind(&self, bound: &Bound, recorded: Option<InstallId>) -> Result<(), IdentityError> {
        let path = self.identity_path();
        if recorded.is_some_and(|recorded| recorded != bound.install) {
            return Err(IdentityError::Lost { path, wanted: Box::new(bound.identity.clone()) });
        }
        if self.bound()?.as_ref() == Some(bound) {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(bound)
            .map_err(|error| IdentityError::Damaged { path: path.clone(), why: error.to_string() })?;
        durable_file::replace(&path, &text).map_err(|error| IdentityError::Io { path, error })
    }

    /// To what the directory is bound; none before its first run.
    ///
    /// # Errors
    /// [`IdentityError::Damaged`] and [`IdentityError::Io`].
    pub fn bound(&self) -> Result<Option<Bound>, IdentityError> {
        let path = self.identity_path();
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| IdentityError::Damaged { path, why: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IdentityError::Io { path, error }),
        }
    }

    /// The number of the run that begins now: durable when it returns, and higher than any before and than `seen`, the
    /// highest in the journal. The first is 1. The caller holds the lock.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn next_run(&self, seen: u16) -> Result<u16, IdentityError> {
        let path = self.root().join("run");
        let last = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim_end().parse::<u16>().map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error.to_string()),
            Err(error) => return Err(IdentityError::Io { path, error }),
        };
        let last = last.map_err(|why| IdentityError::Damaged { path: path.clone(), why })?;
        let next = last.max(seen).checked_add(1);
        let next = next.ok_or_else(|| IdentityError::RunsExhausted { path: self.root().to_owned() })?;
        durable_file::replace(&path, format!("{next}\n").as_bytes())
            .map_err(|error| IdentityError::Io { path, error })?;
        Ok(next)
    }

    fn identity_path(&self) -> PathBuf {
        self.root().join("identity.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(market: &str, seed: Option<u64>) -> Identity {
        Identity { market: market.to_owned(), currency: Asset::new("USDT").unwrap(), seed }
    }

    fn data_dir() -> (tempfile::TempDir, DataDir) {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        (parent, dir)
    }

    #[test]
    fn a_bound_directory_keeps_its_name_and_refuses_another_identity_naming_both() {
        let (_parent, dir) = data_dir();
        let (first, second) = (InstallId::derived("first"), InstallId::derived("second"));
        let bound = dir.belongs_to(&identity("simulated", Some(7)), first).unwrap();
        dir.bind(&bound, None).unwrap();

        let again = dir.belongs_to(&identity("simulated", Some(7)), second).unwrap();
        let other = dir.belongs_to(&identity("kraken", None), first).unwrap_err().to_string();

        assert_eq!(again.install, first);
        assert!(other.contains("belongs to simulated/USDT/7, but this run is kraken/USDT"), "{other}");
        assert!(other.contains("--data-dir"), "{other}");
    }

    #[test]
    fn an_identity_of_an_older_version_is_read_and_takes_the_files_of_its_next_run() {
        let (_parent, dir) = data_dir();
        let install = InstallId::derived("first");
        let old = Bound { identity: identity("replay:abc", None), install, files: Vec::new() };
        let text = serde_json::to_string(&old).unwrap();
        assert!(!text.contains("files"), "{text}");
        std::fs::write(dir.identity_path(), text).unwrap();
        assert_eq!(dir.bound().unwrap(), Some(old.clone()));

        let symbol = crate::domain::Symbol::new("BTC/USDT").unwrap();
        let files = vec![FileExtent { symbol, bytes: 7, hash: "h".to_owned() }];
        let new = Bound { files, ..old };
        dir.bind(&new, Some(install)).unwrap();

        assert_eq!(dir.bound().unwrap(), Some(new));
    }

    #[test]
    fn a_damaged_identity_is_refused_and_not_replaced() {
        let (_parent, dir) = data_dir();
        std::fs::write(dir.identity_path(), "{").unwrap();
        let error = dir.belongs_to(&identity("simulated", Some(7)), InstallId::derived("x")).unwrap_err();
        assert!(matches!(error, IdentityError::Damaged { .. }));
        assert_eq!(std::fs::read_to_string(dir.identity_path()).unwrap(), "{");
    }

    #[test]
    fn a_lost_identity_is_written_again_only_for_the_journal_that_is_there() {
        let (_parent, dir) = data_dir();
        let (first, second) = (InstallId::derived("first"), InstallId::derived("second"));
        let other = dir.belongs_to(&identity("simulated", Some(8)), second).unwrap();
        let lost = dir.bind(&other, Some(first)).unwrap_err().to_string();
        assert!(lost.contains("identity.json is gone") && lost.contains("simulated/USDT/8"), "{lost}");
        assert_eq!(dir.bound().unwrap(), None);
        let same = dir.belongs_to(&identity("simulated", Some(7)), first).unwrap();
        dir.bind(&same, Some(first)).unwrap();
        assert_eq!(dir.bound().unwrap(), Some(same));
    }

    #[test]
    fn run_numbers_only_go_up() {
        let (_parent, dir) = data_dir();
        assert_eq!(dir.next_run(0).unwrap(), 1);
        assert_eq!(dir.next_run(0).unwrap(), 2);
        assert_eq!(dir.next_run(40).unwrap(), 41, "the journal knows better");
        std::fs::remove_file(dir.root().join("run")).unwrap();
        assert_eq!(dir.next_run(41).unwrap(), 42);
        assert!(matches!(dir.next_run(u16::MAX), Err(IdentityError::RunsExhausted { .. })));
    }

    #[test]
    fn an_unreadable_run_counter_is_not_taken_for_none() {
        let (_parent, dir) = data_dir();
        std::fs::write(dir.root().join("run"), "").unwrap();
        assert!(matches!(dir.next_run(0), Err(IdentityError::Damaged { .. })));
    }
}
