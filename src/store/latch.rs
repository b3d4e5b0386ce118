//! The HALT latch: a file whose being there means HALTED, whatever else is known. It is set without needing space on
//! the disk, by `touch HALT` as well, and taken away only by whoever has seen what it says.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::durable_file;
use super::journal::Hash;
use crate::domain::Untrusted;

/// Size of the armed file, bytes. Its blocks are there already, so a reason fits on a full disk.
const ARMED_BYTES: usize = 512;
/// Longest latch that is read, bytes.
const READ_BYTES_MAX: u64 = 64 * 1024;

/// What stands at the latch's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LatchState {
    /// Nothing.
    Clear,
    /// HALTED.
    Halted {
        /// What it says, a line for each halt; empty after `touch HALT`. Anybody may have written it.
        reason: Untrusted,
        /// What [`Latch::release`] wants back.
        seen: Hash,
    },
    /// HALTED: something is there, or may be.
    Unreadable {
        /// Why it cannot be read.
        why: String,
    },
}

impl LatchState {
    /// Anything but "not found" means HALTED.
    pub const fn is_halted(&self) -> bool {
        match self {
            Self::Clear => false,
            Self::Halted { .. } | Self::Unreadable { .. } => true,
        }
    }
}

/// The latch is set; how well.
#[derive(Debug)]
pub struct Latched {
    /// It was set before; the reason was added to those in it.
    pub already: bool,
    /// What did not work: the reason is missing, or a power cut may undo it. Worth an alarm.
    pub flaw: Option<io::Error>,
}

/// The latch could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum LatchError {
    /// It could not be set: the halt does not survive a restart.
    #[error("the latch {path} could not be set: {error}; create that file by hand", path = path.display())]
    NotSet {
        /// Where it belongs.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
    /// It says something else than what was shown.
    #[error("the latch changed after it was shown: a new reason to halt; look at it and release again")]
    Changed,
    /// It cannot be read, so nobody can have seen what it says.
    #[error("the latch cannot be read ({why}); look at it and remove it by hand")]
    Unreadable {
        /// Why.
        why: String,
    },
    /// It could not be taken away, or not for good.
    #[error("the latch {path} could not be released: {error}; it still holds", path = path.display())]
    NotReleased {
        /// Where it is.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
}

/// The latch of one data directory.
#[derive(Debug, Clone)]
pub struct Latch {
    dir: PathBuf,
}

impl Latch {
    /// The latch in the directory `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Makes the file that becomes the latch, with its space taken. At every start and after every release.
    ///
    /// # Errors
    /// The operating system's answer; [`Latch::halt`] then needs space on the disk.
    pub fn arm(&self) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(self.armed())?;
        file.write_all(&[b' '; ARMED_BYTES])?;
        file.sync_all()?;
        durable_file::sync_directory(&self.dir)
    }

    /// Sets the latch and makes it durable. A reason that cannot be written does not stop it.
    ///
    /// # Errors
    /// [`LatchError::NotSet`] when no file could be put there at all.
    pub fn halt(&self, reason: &str) -> Result<Latched, LatchError> {
        let reason = one_line(reason);
        if self.read().is_halted() {
            return Ok(Latched { already: true, flaw: self.add(&reason).err() });
        }
        let written = self.write_armed(&reason);
        if std::fs::rename(self.armed(), self.path()).is_err() {
            // Not armed: any file will do.
            let made = OpenOptions::new().append(true).create(true).open(self.path());
            let mut file = made.map_err(|error| LatchError::NotSet { path: self.path(), error })?;
            let written = file.write_all(reason.as_bytes()).and_then(|()| file.sync_all());
            let flaw = written.and_then(|()| durable_file::sync_directory(&self.dir));
            return Ok(Latched { already: false, flaw: flaw.err() });
        }
        let flaw = written.and(durable_file::sync_directory(&self.dir));
        Ok(Latched { already: false, flaw: flaw.err() })
    }

    fn add(&self, reason: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.path())?;
        // Halting again and again must not fill the disk, nor make a latch that cannot be compared.
        if file.metadata()?.len() + reason.len() as u64 > READ_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the latch holds too many reasons for one more",
            ));
        }
        file.write_all(reason.as_bytes())?;
        file.sync_data()
    }

    fn write_armed(&self, reason: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(self.armed())?;
        file.write_all(reason.as_bytes())?;
        file.sync_data()
    }

    /// What stands there now.
    pub fn read(&self) -> LatchState {
        match self.path().symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => LatchState::Clear,
            Err(error) => LatchState::Unreadable { why: error.to_string() },
            Ok(found) if !found.is_file() => {
                LatchState::Unreadable { why: "it is not a plain file".to_owned() }
            }
            Ok(_) => match read_bounded(&self.path()) {
                Ok(bytes) => LatchState::Halted { reason: reasons(&bytes), seen: Hash::of(&bytes) },
                Err(error) => LatchState::Unreadable { why: error.to_string() },
            },
        }
    }

    /// Takes the latch away, if it still says what was `seen`: it becomes `HALT.released-N`, whose name is returned, and
    /// a new one is armed. Releasing what is clear is fine and returns none.
    ///
    /// # Errors
    /// See [`LatchError`]; the latch then holds.
    pub fn release(&self, seen: Hash) -> Result<Option<PathBuf>, LatchError> {
        let not_released = |error| LatchError::NotReleased { path: self.path(), error };
        match self.read() {
            LatchState::Clear => return Ok(None),
            LatchState::Unreadable { why } => return Err(LatchError::Unreadable { why }),
            LatchState::Halted { seen: now, .. } if now != seen => return Err(LatchError::Changed),
            LatchState::Halted { .. } => {}
        }
        let released = durable_file::first_free(&durable_file::with_suffix(&self.path(), ".released"))
            .map_err(not_released)?;
        std::fs::rename(self.path(), &released).map_err(not_released)?;
        // A reason may have been added between looking and renaming.
        let unchanged = read_bounded(&released).is_ok_and(|bytes| Hash::of(&bytes) == seen);
        if !unchanged {
            std::fs::rename(&released, self.path()).map_err(not_released)?;
            return Err(LatchError::Changed);
        }
        durable_file::sync_directory(&self.dir).map_err(not_released)?;
        if let Err(error) = self.arm() {
            tracing::warn!(%error, "the latch is released but not armed again; halting needs disk space");
        }
        Ok(Some(released))
    }

    /// `<directory>/HALT`.
    pub fn path(&self) -> PathBuf {
        self.dir.join("HALT")
    }

    fn armed(&self) -> PathBuf {
        self.dir.join("halt.armed")
    }
}

/// One line that fits into the armed file.
fn one_line(reason: &str) -> String {
    let mut line: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.truncate(line.floor_char_boundary(ARMED_BYTES - 1));
    line.push('\n');
    line
}

/// The lines of a latch without the blanks of the armed file.
fn reasons(bytes: &[u8]) -> Untrusted {
    let text = String::from_utf8_lossy(bytes);
    Untrusted::new(text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(READ_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > READ_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than {READ_BYTES_MAX} bytes"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed() -> (tempfile::TempDir, Latch) {
        let dir = tempfile::tempdir().unwrap();
        let latch = Latch::new(dir.path());
        latch.arm().unwrap();
        (dir, latch)
    }

    fn shown(latch: &Latch) -> (String, Hash) {
        match latch.read() {
            LatchState::Halted { reason, seen } => (reason.raw().to_owned(), seen),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_halt_is_read_back_with_its_reason_and_needs_no_new_space() {
        let (_dir, latch) = armed();
        let before = latch.armed().metadata().unwrap().len();

        let latched = latch.halt("operator: prices\nlook wrong").unwrap();

        assert!(!latched.already && latched.flaw.is_none());
        assert_eq!(shown(&latch).0, "operator: prices look wrong");
        assert_eq!(latch.path().metadata().unwrap().len(), before);
    }

    #[test]
    fn a_second_halt_adds_its_reason_and_voids_what_was_seen() {
        let (_dir, latch) = armed();
        latch.halt("first").unwrap();
        let (_, seen) = shown(&latch);

        assert!(latch.halt("second").unwrap().already);

        assert_eq!(shown(&latch).0, "first\nsecond");
        assert!(matches!(latch.release(seen), Err(LatchError::Changed)));
        assert!(latch.read().is_halted());
    }

    #[test]
    fn a_release_keeps_the_old_latch_and_arms_a_new_one() {
        let (dir, latch) = armed();
        for n in 1..=2 {
            latch.halt("x").unwrap();
            let released = latch.release(shown(&latch).1).unwrap();
            assert_eq!(released, Some(dir.path().join(format!("HALT.released-{n}"))));
            assert_eq!(latch.read(), LatchState::Clear);
            assert!(latch.armed().exists());
        }
    }

    #[test]
    fn a_touched_file_halts() {
        let (_dir, latch) = armed();
        std::fs::write(latch.path(), "").unwrap();
        assert_eq!(shown(&latch).0, "");
    }

    #[test]
    fn whatever_cannot_be_read_halts_and_is_not_released() {
        let (dir, latch) = armed();
        std::fs::create_dir(latch.path()).unwrap();
        assert!(matches!(latch.read(), LatchState::Unreadable { .. }));
        assert!(matches!(latch.release(Hash::GENESIS), Err(LatchError::Unreadable { .. })));
        assert!(latch.halt("x").unwrap().already);

        std::fs::remove_dir(latch.path()).unwrap();
        std::os::unix::fs::symlink(dir.path().join("nowhere"), latch.path()).unwrap();
        assert!(matches!(latch.read(), LatchState::Unreadable { .. }), "a dangling link is not nothing");

        let not_a_directory = Latch::new(&latch.armed());
        assert!(not_a_directory.read().is_halted(), "only `not found` is clear");
    }

    #[test]
    fn halting_without_end_neither_fills_the_disk_nor_frees_the_latch() {
        let (_dir, latch) = armed();
        let reason = "x".repeat(400);
        assert!((0..200).filter_map(|_| latch.halt(&reason).unwrap().flaw).count() > 0);
        assert!(latch.path().metadata().unwrap().len() <= READ_BYTES_MAX);
        latch.release(shown(&latch).1).unwrap();
    }

    #[test]
    fn an_unarmed_latch_still_halts_and_a_missing_directory_is_an_error() {
        let (dir, latch) = armed();
        std::fs::remove_file(latch.armed()).unwrap();
        assert!(latch.halt("x").unwrap().flaw.is_none());
        assert_eq!(shown(&latch).0, "x");

        let nowhere = Latch::new(&dir.path().join("nowhere"));
        assert!(matches!(nowhere.halt("x"), Err(LatchError::NotSet { .. })));
    }

    #[test]
    fn a_reason_of_any_length_stays_a_line_of_the_armed_file() {
        assert_eq!(one_line(&"x".repeat(999)).len(), ARMED_BYTES);
        assert_eq!(one_line(&"é".repeat(999)).len(), ARMED_BYTES - 1);
        assert_eq!(one_line("\u{1b}[2J"), " [2J\n");
    }
}
