//! Small files that are written whole or not at all.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Replaces `path` by `bytes`: a temporary file beside it, fsync, rename, fsync of the directory. After a crash the
/// old content is there or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = with_suffix(path, ".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&temporary, path)?;
    sync_parent(path)
}

/// [`replace`] without fsync: after a kill the old content is there or the new one, after a power cut perhaps none.
pub(super) fn swap(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = with_suffix(path, ".new");
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, path)
}

/// Whether `len` more bytes fit beside `path`: they are written, and removed.
pub(super) fn test_space(path: &Path, len: usize) -> io::Result<()> {
    let test = with_suffix(path, ".test");
    let written = std::fs::write(&test, vec![b'x'; len]);
    let removed = std::fs::remove_file(&test);
    written.and(removed)
}

/// Makes names created, renamed or removed in `directory` survive a power cut.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// [`sync_directory`] of the directory that holds `path`.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_directory)
}

/// `journal/00000001.log` and `.torn` give `journal/00000001.log.torn`.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// The first of `path`-1, `path`-2, ... that does not exist.
pub(super) fn first_free(path: &Path) -> io::Result<PathBuf> {
    for n in 1..=u32::MAX {
        let candidate = with_suffix(path, &format!("-{n}"));
        match candidate.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(candidate),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name left"))
}
