//! The embedded catalogue of alarms: class, latch, and what each means and asks for, in our own words.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use super::{AlarmClass, AlarmSource};

/// What the catalogue says about one source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Least class of its alarms.
    pub class: AlarmClass,
    /// Whether it stays on the list after its condition is gone, until it is reset.
    pub latched: bool,
    /// What happened, in a few words.
    pub title: String,
    /// What usually brings it about.
    pub cause: String,
    /// What it means for trading if nobody acts.
    pub consequence: String,
    /// What the operator is expected to do.
    pub response: String,
}

/// Why the catalogue cannot be used.
#[derive(Debug, Error)]
pub enum CatalogueError {
    /// It is not readable.
    #[error("alarms.yaml: {0}")]
    Unreadable(#[from] serde_yaml::Error),
    /// A source is not in it.
    #[error("alarms.yaml: `{0}` is missing: add class, latched, title, cause, consequence and response")]
    Missing(AlarmSource),
    /// A text is empty.
    #[error("alarms.yaml: `{source_name}` has an empty {text}: say it in one sentence")]
    Empty {
        /// Of which source.
        source_name: AlarmSource,
        /// Which text.
        text: &'static str,
    },
    /// An Emergency that would go away by itself.
    #[error("alarms.yaml: `{0}` is an Emergency: it must have `latched: true`")]
    NotLatched(AlarmSource),
}

/// One entry for every source: an incomplete catalogue does not construct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// In the order of [`AlarmSource::ALL`], one for each.
    entries: Box<[Entry]>,
}

impl Catalogue {
    /// The catalogue of this program. A test reads it, so a shipped program has a good one.
    ///
    /// # Errors
    /// See [`CatalogueError`].
    pub fn embedded() -> Result<Self, CatalogueError> {
        Self::parse(include_str!("../../assets/alarms.yaml"))
    }

    fn parse(yaml: &str) -> Result<Self, CatalogueError> {
        let mut read: BTreeMap<AlarmSource, Entry> = serde_yaml::from_str(yaml)?;
        let take = |source: &AlarmSource| {
            let entry = read.remove(source).ok_or(CatalogueError::Missing(*source))?;
            entry.checked(*source)
        };
        Ok(Self { entries: AlarmSource::ALL.iter().map(take).collect::<Result<_, _>>()? })
    }

    /// What it says about `source`.
    pub fn entry(&self, source: AlarmSource) -> &Entry {
        // `parse` gives every source its place in the order of the enum.
        &self.entries[source as usize]
    }
}

impl Entry {
    fn checked(self, source_name: AlarmSource) -> Result<Self, CatalogueError> {
        let texts = [
            ("title", &self.title),
            ("cause", &self.cause),
            ("consequence", &self.consequence),
            ("response", &self.response),
        ];
        if let Some((text, _)) = texts.into_iter().find(|(_, said)| said.trim().is_empty()) {
            return Err(CatalogueError::Empty { source_name, text });
        }
        if self.class == AlarmClass::Emergency && !self.latched {
            return Err(CatalogueError::NotLatched(source_name));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogue_has_every_source_at_its_place() {
        let catalogue = Catalogue::embedded().unwrap();
        for (place, source) in AlarmSource::ALL.iter().enumerate() {
            assert_eq!(*source as usize, place);
            assert!(
                catalogue.entry(*source).title.chars().count() <= 40,
                "{source}: title too long for a row"
            );
        }
    }

    #[test]
    fn classes_are_those_of_the_design() {
        use AlarmClass::{Emergency, High, Low, Medium};
        let catalogue = Catalogue::embedded().unwrap();
        for (source, class) in [
            (AlarmSource::BreakerTripped, Emergency),
            (AlarmSource::OrderLeftAfterCancelAll, Emergency),
            (AlarmSource::JournalFault, Emergency),
            (AlarmSource::StoreFault, Emergency),
            (AlarmSource::VenueFailed, Emergency),
            (AlarmSource::OrderUnknown, Emergency),
            (AlarmSource::TaskPanicked, Emergency),
            (AlarmSource::CoreStuck, Emergency),
            (AlarmSource::HaltedAtStart, Emergency),
            (AlarmSource::RiskUnfed, Emergency),
            (AlarmSource::LevelLimited, High),
            (AlarmSource::PriceStale, High),
            (AlarmSource::PriceJump, High),
            (AlarmSource::FeedStale, High),
            (AlarmSource::ExecutionErrors, High),
            (AlarmSource::LegWaiting, High),
            (AlarmSource::NotificationFailing, High),
            (AlarmSource::UncleanEnd, High),
            (AlarmSource::StoreSlow, High),
            (AlarmSource::TaskFailing, Medium),
            (AlarmSource::SymbolLocked, Medium),
            (AlarmSource::ProviderDown, Medium),
            (AlarmSource::ForcedLevelReview, Medium),
            (AlarmSource::DrawdownHalf, Medium),
            (AlarmSource::MailboxDrops, Low),
            (AlarmSource::TaskLate, Low),
            (AlarmSource::ClockDrift, Low),
        ] {
            assert_eq!(catalogue.entry(source).class, class, "{source}");
        }
        for source in AlarmSource::ALL {
            let entry = catalogue.entry(*source);
            assert_eq!(entry.latched, entry.class == Emergency, "{source}");
        }
    }

    #[test]
    fn an_incomplete_or_unlatched_catalogue_is_refused() {
        let whole = include_str!("../../assets/alarms.yaml");
        assert!(matches!(Catalogue::parse("{}"), Err(CatalogueError::Missing(AlarmSource::BreakerTripped))));
        let loose = whole.replacen("latched: true", "latched: false", 1);
        assert!(matches!(Catalogue::parse(&loose), Err(CatalogueError::NotLatched(_))));
        let unknown = format!("{whole}\nmade_up: {{}}\n");
        assert!(matches!(Catalogue::parse(&unknown), Err(CatalogueError::Unreadable(_))));
    }
}
