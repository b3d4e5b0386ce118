//! Collects findings: range checks whose texts name the value and what is allowed.

use std::cmp::Ordering;
use std::fmt::Display;
use std::time::Duration;

use rust_decimal::Decimal;

use super::Report;
use crate::config::file::ConfigFile;
use crate::config::key_path::KeyPath;
use crate::config::problem::Finding;
use crate::domain::{Confidence, Pct};

/// How a value is written in a finding.
pub(super) trait Shown: PartialOrd + Copy {
    fn shown(&self) -> String;
}

macro_rules! shown_as_displayed {
    ($($type:ty),*) => {
        $(impl Shown for $type {
            fn shown(&self) -> String {
                self.to_string()
            }
        })*
    };
}

shown_as_displayed!(u8, u16, u32, u64, usize, f64);

impl Shown for Decimal {
    fn shown(&self) -> String {
        self.normalize().to_string()
    }
}

impl Shown for Pct {
    fn shown(&self) -> String {
        self.value().shown()
    }
}

impl Shown for Confidence {
    fn shown(&self) -> String {
        self.value().to_string()
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

/// The checks of one file.
pub(super) struct Check<'r> {
    pub file: ConfigFile,
    pub report: &'r mut Report,
}

impl Check<'_> {
    /// Notes a problem at `key`.
    pub(super) fn problem(&mut self, key: KeyPath, text: impl Display) {
        self.problem_between([key], text);
    }

    /// Notes a problem between several keys; the first is named.
    pub(super) fn problem_between(&mut self, keys: impl Into<Vec<KeyPath>>, text: impl Display) {
        self.report.problems.push(Finding { file: self.file, keys: keys.into(), text: text.to_string() });
    }

    /// Notes what is allowed but worth a look.
    pub(super) fn warning(&mut self, key: KeyPath, text: impl Display) {
        self.report.warnings.push(Finding { file: self.file, keys: vec![key], text: text.to_string() });
    }

    /// `min <= value <= max`. A number that is none (NaN) is outside of every range.
    pub(super) fn range<T: Shown>(&mut self, key: impl Into<KeyPath>, value: T, min: T, max: T) {
        if !(min <= value && value <= max) {
            let text =
                format!("{} is out of range; allowed: {} to {}", value.shown(), min.shown(), max.shown());
            self.problem(key.into(), text);
        }
    }

    /// `min < value <= max`.
    pub(super) fn above<T: Shown>(&mut self, key: impl Into<KeyPath>, value: T, min: T, max: T) {
        if !(min < value && value <= max) {
            let text = format!(
                "{} is out of range; allowed: above {}, up to {}",
                value.shown(),
                min.shown(),
                max.shown()
            );
            self.problem(key.into(), text);
        }
    }

    /// `low < high`, named by their keys.
    pub(super) fn rising<T: Shown>(&mut self, low: (&str, T), high: (&str, T)) {
        if low.1.partial_cmp(&high.1) != Some(Ordering::Less) {
            let text = format!("{} must be below {} ({})", low.1.shown(), high.0, high.1.shown());
            self.problem_between([KeyPath::of(low.0), KeyPath::of(high.0)], text);
        }
    }

    /// `low <= high`, named by their keys.
    pub(super) fn not_above<T: Shown>(&mut self, low: (&str, T), high: (&str, T)) {
        if !matches!(low.1.partial_cmp(&high.1), Some(Ordering::Less | Ordering::Equal)) {
            let text = format!("{} must not be above {} ({})", low.1.shown(), high.0, high.1.shown());
            self.problem_between([KeyPath::of(low.0), KeyPath::of(high.0)], text);
        }
    }
}

impl From<&str> for KeyPath {
    fn from(dotted: &str) -> Self {
        Self::of(dotted)
    }
}
