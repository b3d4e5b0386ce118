//! Outstanding failures of one component.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::{self, TaskName};
use crate::domain::Timestamp;

/// What can fail. Written `provider NAME`, `feed`, `venue`, `task NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Component {
    /// A model provider, by the name it has in the configuration.
    Provider(String),
    /// The market feed.
    Feed,
    /// The venue.
    Venue,
    /// A scheduled task as a whole.
    Task(TaskName),
}

impl Component {
    /// Whether its trouble is model trouble.
    pub const fn is_provider(&self) -> bool {
        matches!(self, Self::Provider(_))
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(name) => write!(f, "provider {name}"),
            Self::Feed => f.write_str("feed"),
            Self::Venue => f.write_str("venue"),
            Self::Task(task) => write!(f, "task {task}"),
        }
    }
}

impl From<Component> for String {
    fn from(component: Component) -> Self {
        component.to_string()
    }
}

/// Why a text is not a component.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a component: write `feed`, `venue`, `provider NAME` or `task NAME`")]
pub struct ComponentError(String);

impl FromStr for Component {
    type Err = ComponentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ComponentError(text.to_owned());
        match text.split_once(' ') {
            None if text == "feed" => Ok(Self::Feed),
            None if text == "venue" => Ok(Self::Venue),
            Some(("provider", name)) => Ok(Self::Provider(name.to_owned())),
            Some(("task", name)) => name.parse().map(Self::Task).map_err(|_| wrong()),
            None | Some(_) => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Component {
    type Error = ComponentError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Outstanding failures of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counter {
    /// Failures that successes have not taken off yet.
    pub outstanding: u8,
    /// Successes in a row since the last failure, or since the last one taken off.
    pub successes: u8,
    /// When the last failure counted, operator time.
    pub counted_at: Option<Timestamp>,
}

impl Counter {
    /// The counter after a failure at `now`, operator time.
    ///
    /// One failure in a span counts; any failure ends the row of successes. An instant in the future means that the
    /// clock was set back between two runs: then the failure counts.
    #[must_use]
    pub fn failed(self, now: Timestamp, config: &config::Degradation) -> Self {
        if self.outstanding >= config.failures_max {
            // It cannot count: nothing changes but the row of successes.
            return Self { successes: 0, ..self };
        }
        let spaced = self.counted_at.is_none_or(|at| at > now || now.since(at) >= config.failure_spacing);
        if spaced {
            let outstanding = self.outstanding.saturating_add(1).min(config.failures_max);
            Self { outstanding, successes: 0, counted_at: Some(now) }
        } else {
            Self { successes: 0, ..self }
        }
    }

    /// The counter after a success. Successes while nothing is outstanding leave no trace.
    #[must_use]
    pub fn succeeded(self, config: &config::Degradation) -> Self {
        if self.outstanding == 0 {
            return self;
        }
        let successes = self.successes.saturating_add(1);
        if successes >= config.successes_to_recover {
            Self { outstanding: self.outstanding - 1, successes: 0, ..self }
        } else {
            Self { successes, ..self }
        }
    }
}
