//! What is wrong with a configuration: where, which key, and what is allowed.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::file::ConfigFile;
use super::key_path::KeyPath;
use crate::domain::SafeText;

/// Something found wrong, before it is known where the value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In which file.
    pub file: ConfigFile,
    /// The keys concerned; the first is the one that is named.
    pub keys: Vec<KeyPath>,
    /// What is wrong and what is allowed.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if let Some(key) = self.keys.first() {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of a file of the operator.
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A file or directory as a whole.
    Path(PathBuf),
    /// A `--set` option, as written.
    Set(String),
    /// The market brings it along.
    Market,
    /// The default file.
    BuiltIn(ConfigFile),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name with a line break in it must not look like a second problem.
        let shown = |path: &Path| SafeText::ours(path.display());
        match self {
            Self::Line { path, line, column } => write!(f, "{}:{line}:{column}", shown(path)),
            Self::Path(path) => write!(f, "{}", shown(path)),
            Self::Set(text) => write!(f, "--set {text}"),
            Self::Market => f.write_str("--market"),
            Self::BuiltIn(file) => write!(f, "built-in {file}"),
        }
    }
}

/// One thing that is wrong, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the value came from.
    pub place: Place,
    /// Which key; empty for a file as a whole.
    pub key: String,
    /// What is wrong and what is allowed.
    pub text: String,
}

impl Problem {
    /// Something wrong with a file or directory as a whole.
    pub(super) fn of_path(path: &Path, text: String) -> Self {
        Self { place: Place::Path(path.to_owned()), key: String::new(), text }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.place, self.text)
        } else {
            write!(f, "{}: {}: {}", self.place, self.key, self.text)
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Everything that is wrong with it.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `config init` met files that are there already.
    #[error("{} exists already and is left as it is; name another directory, or remove the file", .0.display())]
    Exists(PathBuf),
    /// A value could not be shown.
    #[error("cannot show the configuration: {0}")]
    Show(#[from] serde_yaml::Error),
}

fn list(problems: &[Problem]) -> String {
    let heading = match problems.len() {
        1 => "the configuration is refused:".to_owned(),
        n => format!("the configuration is refused, {n} problems:"),
    };
    problems.iter().fold(heading, |text, problem| format!("{text}\n  {problem}"))
}

/// The known word that is nearest to `word`, when it is near enough to be meant.
pub(super) fn suggestion<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    const NEAR: f64 = 0.8;
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The word that was meant, or else the list of what is allowed.
pub(super) fn or_one_of(word: &str, known: &[&str]) -> String {
    match suggestion(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "nothing is allowed here".to_owned(),
        None => format!("allowed: {}", known.join(", ")),
    }
}
