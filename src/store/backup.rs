//! A data directory in one file, and back: a plain tar archive that begins with a manifest. What can be lost (the
//! checkpoint with its marker, the reserve, the log) is left out; the journal says it all.
//!
//! The manifest holds the hash of every file, the head of the journal and the hash of the state that the journal tells,
//! so that whoever imports knows that it is the same. An import never touches what is there: it unpacks beside the
//! directory, checks, and only then takes its name.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointStore;
use super::data_dir::DataDir;
use super::durable_file;
use super::journal::{self, Anchor, Hash, ReadError, Reader};
use super::verify::{Scope, Verdict, verify};
use crate::coordinator::durable::Durable;
use crate::coordinator::record::{Record, RecordKind};
use crate::domain::Seq;

/// The form of the archive. An archive of a newer form is refused.
const FORM: u32 = 1;
/// Its first entry.
const MANIFEST: &str = "manifest.json";
/// Longest manifest that is read, bytes: a segment a line, for centuries.
const MANIFEST_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Files at the top of a data directory that are kept.
const KEPT: [&str; 6] = ["identity.json", "run", "venue.log", "models.log", "HALT", "halt.orders"];
/// Released latches are kept too.
const KEPT_BEGINS: &str = "HALT.released-";

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of the archive.
    pub andon_backup: u32,
    /// The program that wrote it.
    pub version: String,
    /// The last record.
    pub head: Anchor,
    /// BLAKE3 of the state after it, as JSON.
    pub state: Hash,
    /// Version of the words in which that JSON is (see [`Record::VERSION`]); 0 in backups that do not say it. Other words
    /// have another hash for the same state.
    #[serde(default)]
    pub state_version: u16,
    /// Every file, in the order of the archive.
    pub files: Vec<Kept>,
}

impl Manifest {
    /// Whether the hash of the state is one that this program would make of the same state.
    pub const fn has_comparable_state(&self) -> bool {
        self.state_version == Record::VERSION
    }
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Below the data directory.
    pub path: PathBuf,
    /// BLAKE3 of its bytes.
    pub hash: Hash,
}

/// A backup cannot be written or taken in. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The operating system refused.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Its answer.
        error: io::Error,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The journal is not in order; a copy would only spread that.
    #[error(
        "the journal is not in order: {0}; look at it with andon audit verify, and keep the directory as it is"
    )]
    Journal(String),
    /// A crash left a piece of a line.
    #[error("the last line of the journal is torn; start andon here once, which sets it aside, then export")]
    Torn,
    /// The state has no JSON form.
    #[error("the state cannot be written as JSON: {0}")]
    State(serde_json::Error),
    /// There is a file of that name.
    #[error("{path} exists already and is left as it is; name another file", path = .0.display())]
    Exists(PathBuf),
    /// The directory to import into holds something.
    #[error("{path} is not empty; name a new directory with --data-dir", path = .0.display())]
    NotEmpty(PathBuf),
    /// The archive is none of ours, or not whole.
    #[error("{path} is no whole backup of andon: {why}", path = path.display())]
    NotABackup {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Written by a later version.
    #[error("{path} is a backup of form {form}, written by andon {version}; this andon reads form {FORM}: use the newer one", path = path.display())]
    Newer {
        /// The archive.
        path: PathBuf,
        /// Its form.
        form: u32,
        /// Who wrote it.
        version: String,
    },
    /// Replaying the records gives another state than was written down.
    #[error(
        "the records up to {0} together give another state than was written down there; keep the backup and the \
         directory it came from"
    )]
    OtherState(Seq),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Io { path, error }
}

/// Writes everything of a data directory that must not be lost into a new file. The caller holds the lock.
///
/// # Errors
/// See [`BackupError`]; then there is no new file.
pub fn export(dir: &DataDir, to: &Path) -> Result<Manifest, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let report = verify(&dir.journal(), CheckpointStore::marked(dir).as_slice(), Scope::All)?;
    match report.verdict {
        Verdict::Sound => {}
        Verdict::Torn(_) => return Err(BackupError::Torn),
        Verdict::Damaged { .. } | Verdict::Shortened { .. } => {
            return Err(BackupError::Journal(report.to_string()));
        }
    }
    let state = last_state(&dir.journal())?;
    let files = files_of(dir)?;
    let kept = files.iter().map(|path| {
        let bytes = fs::read(dir.root().join(path)).map_err(at(path))?;
        Ok(Kept { path: path.clone(), hash: Hash::of(&bytes) })
    });
    let manifest = Manifest {
        andon_backup: FORM,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        head: report.head,
        state: hash_of(&state)?,
        state_version: Record::VERSION,
        files: kept.collect::<Result<_, BackupError>>()?,
    };
    let unfinished = durable_file::with_suffix(to, ".new");
    let written = write_archive(dir, &manifest, &unfinished).map_err(at(&unfinished));
    if let Err(error) = written.and_then(|()| fs::rename(&unfinished, to).map_err(at(to))) {
        // On a full disk a part of an archive would keep the space that the journal needs.
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    durable_file::sync_parent(&absolute(to)?).map_err(at(to))?;
    Ok(manifest)
}

fn absolute(path: &Path) -> Result<PathBuf, BackupError> {
    std::path::absolute(path).map_err(at(path))
}

/// What is kept, below the directory, in order.
fn files_of(dir: &DataDir) -> Result<Vec<PathBuf>, BackupError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir.root()).map_err(at(dir.root()))? {
        let name = entry.map_err(at(dir.root()))?.file_name();
        let is_kept = name.to_str().is_some_and(|name| KEPT.contains(&name) || name.starts_with(KEPT_BEGINS));
        files.extend(is_kept.then(|| PathBuf::from(name)));
    }
    let journal = dir.journal();
    for entry in fs::read_dir(&journal).map_err(at(&journal))? {
        files.push(Path::new("journal").join(entry.map_err(at(&journal))?.file_name()));
    }
    files.sort();
    Ok(files)
}

fn write_archive(dir: &DataDir, manifest: &Manifest, to: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let mut archive = tar::Builder::new(io::BufWriter::new(file));
    archive.mode(tar::HeaderMode::Deterministic);
    let text = serde_json::to_vec_pretty(manifest)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, MANIFEST, text.as_slice())?;
    for kept in &manifest.files {
        archive.append_path_with_name(dir.root().join(&kept.path), &kept.path)?;
    }
    archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Makes the data directory of a backup at `to`, which must not exist or be empty. Every file is checked against the
/// manifest, and the journal against its head. `replay` also applies every record from the first, and compares the
/// state with those that the journal holds and with the one that was exported.
///
/// # Errors
/// See [`BackupError`]; `to` is then as it was.
pub fn import(from: &Path, to: &Path, replay: bool) -> Result<Manifest, BackupError> {
    match fs::read_dir(to).map(|mut entries| entries.next().is_some()) {
        Ok(true) => return Err(BackupError::NotEmpty(to.to_owned())),
        Ok(false) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(to)(error)),
    }
    let to = absolute(to)?;
    let beside = durable_file::with_suffix(&to, ".importing");
    if let Some(parent) = to.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(at(parent))?;
    }
    // What an import left that was cut off.
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(at(&beside))?;
    }
    let checked = unpack(from, &beside).and_then(|manifest| {
        check(&DataDir::look_at(&beside), &manifest, replay)?;
        Ok(manifest)
    });
    let manifest = match checked {
        Ok(manifest) => manifest,
        Err(error) => {
            fs::remove_dir_all(&beside).map_err(at(&beside))?;
            return Err(error);
        }
    };
    if to.exists() {
        fs::remove_dir(&to).map_err(at(&to))?;
    }
    fs::rename(&beside, &to).map_err(at(&to))?;
    durable_file::sync_parent(&to).map_err(at(&to))?;
    Ok(manifest)
}

fn unpack(from: &Path, to: &Path) -> Result<Manifest, BackupError> {
    let no_backup = |why: String| BackupError::NotABackup { path: from.to_owned(), why };
    let broken = |error: io::Error| no_backup(error.to_string());
    DirBuilder::new().mode(0o700).create(to).map_err(at(to))?;
    let journal = to.join("journal");
    fs::create_dir(&journal).map_err(at(&journal))?;
    let file = File::open(from).map_err(at(from))?;
    let mut archive = tar::Archive::new(io::BufReader::new(file));
    let mut entries = archive.entries().map_err(broken)?;
    let first = entries.next().ok_or_else(|| no_backup("it is empty".to_owned()))?.map_err(broken)?;
    let manifest = read_manifest(first, from)?;
    for kept in &manifest.files {
        let name = kept.path.display();
        let mut entry =
            entries.next().ok_or_else(|| no_backup(format!("{name} is missing")))?.map_err(broken)?;
        if entry.path().map_err(broken)? != kept.path || !is_ours(&kept.path) {
            return Err(no_backup(format!("{name} is not where the manifest has it")));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(broken)?;
        if Hash::of(&bytes) != kept.hash {
            return Err(no_backup(format!("{name} is not as it was exported")));
        }
        let path = to.join(&kept.path);
        write_new(&path, &bytes).map_err(at(&path))?;
    }
    if entries.next().is_some() {
        return Err(no_backup("it holds more than the manifest names".to_owned()));
    }
    durable_file::sync_directory(&journal).map_err(at(&journal))?;
    durable_file::sync_directory(to).map_err(at(to))?;
    Ok(manifest)
}

fn read_manifest(mut entry: tar::Entry<'_, impl Read>, from: &Path) -> Result<Manifest, BackupError> {
    /// What every form will have.
    #[derive(Deserialize)]
    struct Form {
        andon_backup: u32,
        version: String,
    }
    let no_backup = |why: String| BackupError::NotABackup { path: from.to_owned(), why };
    if entry.path().ok().as_deref() != Some(Path::new(MANIFEST)) {
        return Err(no_backup("it does not begin with a manifest".to_owned()));
    }
    let mut text = Vec::new();
    entry.by_ref().take(MANIFEST_BYTES_MAX).read_to_end(&mut text).map_err(|e| no_backup(e.to_string()))?;
    let form: Form = serde_json::from_slice(&text).map_err(|e| no_backup(e.to_string()))?;
    if form.andon_backup > FORM {
        let (form, version) = (form.andon_backup, form.version);
        return Err(BackupError::Newer { path: from.to_owned(), form, version });
    }
    serde_json::from_slice(&text).map_err(|e| no_backup(e.to_string()))
}

/// Whether a backup of ours can hold a file of this name: nothing leads out of the directory.
fn is_ours(path: &Path) -> bool {
    let names: Option<Vec<&str>> = path
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
        })
        .collect();
    match names.as_deref() {
        Some([name]) => KEPT.contains(name) || name.starts_with(KEPT_BEGINS),
        Some(["journal", _]) => true,
        Some(_) | None => false,
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn check(dir: &DataDir, manifest: &Manifest, replay: bool) -> Result<(), BackupError> {
    let scope = if replay { Scope::All } else { Scope::FromAnchor };
    let report = verify(&dir.journal(), &[manifest.head], scope)?;
    if report.verdict != Verdict::Sound || report.head != manifest.head {
        return Err(BackupError::Journal(report.to_string()));
    }
    if replay {
        let state = hash_of(&state_from(Reader::all(&dir.journal())?)?)?;
        if manifest.has_comparable_state() && state != manifest.state {
            return Err(BackupError::OtherState(manifest.head.seq));
        }
    }
    Ok(())
}

/// The state that the last segment tells.
fn last_state(journal: &Path) -> Result<Durable, BackupError> {
    for segment in journal::list(journal)?.into_iter().rev() {
        if journal::read_head(journal, segment)?.is_some_and(|head| head.is_state) {
            return state_from(Reader::from_segment(journal, segment)?);
        }
    }
    Err(BackupError::Journal("no record holds the state".to_owned()))
}

/// The state after all records of a reader; the first of them holds the whole state. A later one that holds it must say
/// what the records before it lead to, if both are in the words of today: an earlier program may have kept less.
fn state_from(mut reader: Reader) -> Result<Durable, BackupError> {
    let mut state: Option<(Durable, u16)> = None;
    while let Some(line) = reader.next_line()? {
        let (seq, version) = (line.anchor.seq, line.version);
        let record = line.record().map_err(|why| ReadError::at(seq, why))?;
        let RecordKind::State(whole) = &record.kind else {
            let Some((state, _)) = &mut state else { break };
            state.apply(&record);
            continue;
        };
        if let Some((before, in_words)) = &state
            && [*in_words, version] == [Record::VERSION; 2]
            && **whole != *before
        {
            return Err(BackupError::OtherState(seq));
        }
        let mut whole = Durable::clone(whole);
        whole.apply(&record);
        state = Some((whole, version));
    }
    let state = state.map(|(state, _)| state);
    state.ok_or_else(|| BackupError::Journal("its first record does not hold the state".to_owned()))
}

fn hash_of(state: &Durable) -> Result<Hash, BackupError> {
    Ok(Hash::of(&serde_json::to_vec(state).map_err(BackupError::State)?))
}
