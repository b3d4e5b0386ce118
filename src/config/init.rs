//! `andon config init DIR`: the commented defaults as files to change.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::file::ConfigFile;
use super::problem::ConfigError;

/// Writes all default files into `dir`, which is made if it is not there. Nothing that exists is overwritten: when
/// one of the files is there, none is written.
///
/// # Errors
/// A file exists already, or cannot be written.
pub fn init(dir: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let paths = ConfigFile::ALL.map(|file| (file, dir.join(file.file_name())));
    if let Some((_, there)) = paths.iter().find(|(_, path)| path.symlink_metadata().is_ok()) {
        return Err(ConfigError::Exists(there.clone()));
    }
    fs::create_dir_all(dir).map_err(|source| ConfigError::Write { path: dir.to_owned(), source })?;
    paths
        .into_iter()
        .map(|(file, path)| match write_new(&path, file.embedded()) {
            Ok(()) => Ok(path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(ConfigError::Exists(path)),
            Err(source) => Err(ConfigError::Write { path, source }),
        })
        .collect()
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides, load};

    #[test]
    fn what_is_written_loads_as_the_defaults() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("new/andon");
        assert_eq!(init(&dir).unwrap().len(), 6);
        let loaded = load(&Overrides { dir: Some(dir), set: vec![], symbols: None }).unwrap();
        assert_eq!(loaded.config, Config::defaults().unwrap());
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_is_half_written() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("risk.yaml"), "mine").unwrap();
        assert!(matches!(init(home.path()), Err(ConfigError::Exists(path)) if path.ends_with("risk.yaml")));
        assert_eq!(fs::read_to_string(home.path().join("risk.yaml")).unwrap(), "mine");
        assert!(!home.path().join("agents.yaml").exists());
    }
}
