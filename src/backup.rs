//! The commands that put a data directory into one file and make one of it: `state export`, `state import`.

use std::path::Path;

use andon::domain::SafeText;
use andon::runtime::clock;
use andon::store::backup::{self, BackupError};
use andon::store::{DataDir, Holder, InstanceLock, LockError};

use crate::audit::journal_of;
use crate::cli::StateTask;
use crate::{Failure, say};

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Exists(_) | BackupError::NotEmpty(_) => Self::Usage(error.to_string()),
            BackupError::Io { .. }
            | BackupError::Read(_)
            | BackupError::Journal(_)
            | BackupError::Torn
            | BackupError::State(_)
            | BackupError::NotABackup { .. }
            | BackupError::Newer { .. }
            | BackupError::OtherState(_) => Self::Broken(error.into()),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held(_) => Self::Running(error.to_string()),
            LockError::Io { .. } => Self::Broken(error.into()),
        }
    }
}

pub fn run(task: StateTask) -> Result<(), Failure> {
    match task {
        StateTask::Export { file, data_dir } => export(&file, data_dir.as_deref()),
        StateTask::Import { file, data_dir, verify } => import(&file, &data_dir, verify),
    }
}

fn export(file: &Path, data_dir: Option<&Path>) -> Result<(), Failure> {
    let (dir, _) = journal_of(data_dir)?;
    let dir = DataDir::look_at(&dir);
    // Journal and venue must be of one moment.
    let _lock = InstanceLock::take(&dir, Holder { pid: std::process::id(), since: clock::wall() })?;
    let manifest = backup::export(&dir, file)?;
    say(&format!(
        "{}: {} files, {} records, head {}, state {}\n",
        SafeText::ours(file.display()),
        manifest.files.len(),
        manifest.head.seq.0,
        manifest.head.hash,
        manifest.state
    ))
}

fn import(file: &Path, dir: &Path, verify: bool) -> Result<(), Failure> {
    let manifest = backup::import(file, dir, verify)?;
    let state = match (verify, manifest.has_comparable_state()) {
        (true, true) => format!("chain sound, all records give state {}", manifest.state),
        (true, false) => {
            let not_compared = "the state is in an earlier form and was not compared with the backup's";
            format!("chain sound, all records read; {not_compared}")
        }
        (false, _) => "chain sound at its end".to_owned(),
    };
    say(&format!(
        "{}: {} records, head {}, {state}\n",
        SafeText::ours(dir.display()),
        manifest.head.seq.0,
        manifest.head.hash
    ))
}
