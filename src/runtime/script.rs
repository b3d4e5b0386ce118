//! The operator of a simulated or replayed run: a YAML list of what to do when.
//!
//! ```yaml
//! - at: 36h            # once, so long after the start
//!   do: pause lunch
//! - at: daily 08:00    # every day at this time (UTC, market time)
//!   do: ack_alarm all
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::config::bounded::{self, Unbounded};
use crate::domain::{Command, CommandParseError, Timestamp};

/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// Why a script cannot be used.
#[derive(Debug, Error)]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("{}: the operator script is not read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Unbounded,
    },
    /// Nobody means this many brackets.
    #[error("{}:{line}:{column}: {}", path.display(), bounded::too_deep_text())]
    TooDeep {
        /// Which.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// It is not a YAML list of `at` and `do`.
    #[error("{}: {source}; an operator script is a YAML list of entries with `at:` and `do:`", path.display())]
    NotAScript {
        /// Which.
        path: PathBuf,
        /// What serde says, with line and column.
        source: serde_yaml::Error,
    },
    /// There is nothing in it.
    #[error("{}: the operator script has no entry; leave the option out, or write entries with `at:` and `do:`", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// An instant is not one.
    #[error("{}: entry {entry}: `at: {at}` is neither an offset such as 36h nor `daily 08:00`", path.display())]
    At {
        /// Which file.
        path: PathBuf,
        /// Number of the entry, from 1.
        entry: usize,
        /// What was written.
        at: String,
    },
    /// The words are not a command.
    #[error("{}: entry {entry}: {source}", path.display())]
    Do {
        /// Which file.
        path: PathBuf,
        /// Number of the entry, from 1.
        entry: usize,
        /// What is wrong.
        source: CommandParseError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    at: String,
    r#do: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Offset(Duration),
    Daily(Duration),
}

/// What the scripted operator will do, in order.
#[derive(Debug)]
pub struct Script {
    entries: Vec<(At, Command)>,
    /// When which entry is due next; those of one instant in the order of the file.
    due: BTreeSet<(Timestamp, usize)>,
    given: BTreeSet<usize>,
}

/// An entry that never became due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NeverDue {
    /// Number of the entry, from 1.
    pub(super) entry: usize,
    /// Name of its command.
    pub(super) command: &'static str,
    /// When it would have been.
    pub(super) at: Timestamp,
}

impl Script {
    /// Reads a script whose offsets count from `start`.
    ///
    /// # Errors
    /// Unreadable file, not a list of `at` and `do`, an instant or a command that is not one.
    pub fn load(path: &Path, start: Timestamp) -> Result<Self, ScriptError> {
        let text = bounded::read(path)
            .map_err(|source| ScriptError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path, start)
    }

    fn parse(text: &str, path: &Path, start: Timestamp) -> Result<Self, ScriptError> {
        if let Some((line, column)) = bounded::too_deep(text) {
            return Err(ScriptError::TooDeep { path: path.to_owned(), line, column });
        }
        let raw: Option<Vec<Entry>> = serde_yaml::from_str(text)
            .map_err(|source| ScriptError::NotAScript { path: path.to_owned(), source })?;
        let raw = raw.filter(|entries| !entries.is_empty());
        let raw = raw.ok_or_else(|| ScriptError::Empty { path: path.to_owned() })?;
        let mut entries = Vec::with_capacity(raw.len());
        for (index, Entry { at, r#do }) in raw.into_iter().enumerate() {
            let entry = index + 1;
            let when = parse_at(&at).ok_or_else(|| ScriptError::At {
                path: path.to_owned(),
                entry,
                at: at.clone(),
            })?;
            let command = Command::parse(&r#do).map_err(|source| ScriptError::Do {
                path: path.to_owned(),
                entry,
                source,
            })?;
            entries.push((when, command));
        }
        let due = entries.iter().enumerate().map(|(index, (at, _))| (first_due(*at, start), index)).collect();
        Ok(Self { entries, due, given: BTreeSet::new() })
    }

    /// When the next entry is due.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The first entry that is due at `now`, if any; a daily one is due again the next day.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Command> {
        let (due, index) = self.due.first().copied().filter(|(due, _)| *due <= now)?;
        self.due.remove(&(due, index));
        let (at, command) = self.entries.get(index)?;
        match at {
            At::Offset(_) => {}
            At::Daily(_) => drop(self.due.insert((due.plus(DAY), index))),
        }
        self.given.insert(index);
        Some(command.clone())
    }

    /// The entries whose time has not come once.
    pub(super) fn left(&self) -> Vec<NeverDue> {
        let left = self.due.iter().filter(|(_, index)| !self.given.contains(index));
        left.filter_map(|(at, index)| {
            let (_, command) = self.entries.get(*index)?;
            Some(NeverDue { entry: index + 1, command: command.name(), at: *at })
        })
        .collect()
    }
}

fn parse_at(text: &str) -> Option<At> {
    let Some(clock) = text.strip_prefix("daily ") else {
        return humantime::parse_duration(text).ok().map(At::Offset);
    };
    let (hours, minutes) = clock.trim().split_once(':')?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then(|| At::Daily(Duration::from_secs(hours * 3_600 + minutes * 60)))
}

fn first_due(at: At, start: Timestamp) -> Timestamp {
    match at {
        At::Offset(offset) => start.plus(offset),
        At::Daily(time) => {
            let today = start.day_start().plus(time);
            if today > start { today } else { today.plus(DAY) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2024-01-01T10:00:00Z".parse().unwrap()
    }

    fn script(text: &str) -> Result<Script, ScriptError> {
        Script::parse(text, Path::new("s.yaml"), start())
    }

    #[test]
    fn entries_come_at_their_time_and_daily_ones_again() {
        let mut script =
            script("- { at: daily 08:00, do: resume }\n- { at: 2h, do: pause lunch }\n").unwrap();
        assert_eq!(script.next_at(), Some(start().plus(Duration::from_secs(7_200))));
        assert_eq!(script.pop_due(start()), None);
        let lunch = start().plus(Duration::from_secs(7_200));
        assert_eq!(script.left().len(), 2);
        assert_eq!(script.pop_due(lunch), Some(Command::Pause { reason: "lunch".into() }));
        let left = script.left();
        assert_eq!(left.iter().map(|left| (left.entry, left.command)).collect::<Vec<_>>(), [(1, "resume")]);
        assert_eq!(script.pop_due(lunch), None);
        let morning: Timestamp = "2024-01-02T08:00:00Z".parse().unwrap();
        assert_eq!(script.next_at(), Some(morning));
        assert_eq!(script.pop_due(morning), Some(Command::Resume));
        assert_eq!(script.next_at(), Some(morning.plus(DAY)));
        assert_eq!(script.left(), []);
    }

    #[test]
    fn what_nobody_can_have_meant_is_refused_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "x".repeat(10_000_000)).unwrap();
        let error = Script::load(file.path(), start()).unwrap_err().to_string();
        assert!(error.contains("more than 128 KiB"), "{error}");
        for (text, expected) in [
            (format!("- {}", "[".repeat(100_000)), "s.yaml:1:67: more than 64 brackets"),
            (
                format!("- {{ at: 1h, do: pause {} }}", "x".repeat(1_000)),
                "s.yaml: entry 1: 1006 characters, at most 500",
            ),
        ] {
            let error = script(&text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_wrong_script_names_file_entry_and_what_is_allowed() {
        for (text, expected) in [
            ("- { at: noon, do: pause }", "s.yaml: entry 1: `at: noon` is neither"),
            ("- { at: daily 25:00, do: pause }", "neither an offset"),
            ("- { at: 1h, do: pauze }", "s.yaml: entry 1: `pauze` is not a command"),
            ("- { at: 1h }", "missing field `do`"),
            ("at: 1h", "a YAML list"),
            ("", "s.yaml: the operator script has no entry"),
            ("[]", "has no entry"),
            ("# later\n", "has no entry"),
        ] {
            let error = script(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} said: {error}");
        }
    }
}
