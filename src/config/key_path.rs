//! Where a value stands within a file: `leverage.max_by_drawdown[1].from_pct`.

use std::fmt;

use serde_path_to_error::{Path, Segment};
use serde_yaml::Value;

/// One step of a key path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a map.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// The steps from the top of a file to a value; none is the whole file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPath(pub(super) Vec<Step>);

impl KeyPath {
    /// Reads keys with dots between them.
    pub fn of(dotted: &str) -> Self {
        Self(dotted.split('.').map(|key| Step::Key(key.to_owned())).collect())
    }

    /// This path and one key more.
    #[must_use]
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        self.0.push(Step::Key(key.to_string()));
        self
    }

    /// This path and one position in a list more.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// Whether one of the two leads to, or through, the other.
    pub(super) fn is_on_the_way_of(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a == b)
    }

    /// The value at this path.
    pub(super) fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get(key.as_str()),
            Step::Index(index) => value.get(*index),
        })
    }

    /// The value at this path, to change it.
    pub(super) fn get_mut<'v>(&self, value: &'v mut Value) -> Option<&'v mut Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get_mut(key.as_str()),
            Step::Index(index) => value.get_mut(*index),
        })
    }

    /// The path without its last step, and that step.
    pub(super) fn split_last(&self) -> Option<(Self, &Step)> {
        self.0.split_last().map(|(last, before)| (Self(before.to_vec()), last))
    }
}

impl From<&Path> for KeyPath {
    fn from(path: &Path) -> Self {
        Self(
            path.iter()
                .filter_map(|segment| match segment {
                    Segment::Seq { index } => Some(Step::Index(*index)),
                    Segment::Map { key } => Some(Step::Key(key.clone())),
                    // Enums of the configuration are plain words: their variant is the value, not a step to it.
                    Segment::Enum { .. } | Segment::Unknown => None,
                })
                .collect(),
        )
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_the_operator_would() {
        let path = KeyPath::of("leverage.max_by_drawdown").index(1).key("from_pct");
        assert_eq!(path.to_string(), "leverage.max_by_drawdown[1].from_pct");
    }

    #[test]
    fn a_path_finds_its_value_and_nothing_else() {
        let value: Value = serde_yaml::from_str("a: {b: [1, 2]}").unwrap();
        assert_eq!(KeyPath::of("a.b").index(1).get(&value), Some(&Value::from(2)));
        assert_eq!(KeyPath::of("a.c").get(&value), None);
        assert_eq!(KeyPath::of("a.b").index(2).get(&value), None);
    }
}
