//! What can raise an alarm, and about what. Both enums are closed: a source that is not here cannot be raised.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::TaskName;
use crate::domain::{Asset, ClientOrderId, Symbol};

/// How much an alarm matters. Ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmClass {
    /// Look at it today.
    Low,
    /// Look at it within hours.
    Medium,
    /// Look at it within half an hour.
    High,
    /// Look at it now: latched, never shelved, acknowledged only with a comment.
    Emergency,
}

impl AlarmClass {
    /// All classes, most important first, as lists show them.
    pub const DESCENDING: [Self; 4] = [Self::Emergency, Self::High, Self::Medium, Self::Low];
}

impl fmt::Display for AlarmClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Emergency => "Emergency",
        })
    }
}

/// Declares the sources once, so that enum, list and names cannot drift apart.
macro_rules! sources {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What raised an alarm. Class and texts of each stand in `assets/alarms.yaml`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum AlarmSource {
            $($(#[$doc])* $name,)*
        }

        impl AlarmSource {
            /// All sources, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in journal, catalogue and on screen.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

sources! {
    // Emergency.
    /// A circuit breaker tripped and acted.
    BreakerTripped = "breaker_tripped",
    /// An entry order is still at the venue after everything was to be cancelled.
    OrderLeftAfterCancelAll = "order_left_after_cancel_all",
    /// A closing or reducing order that an emergency ordered did not get done.
    ExitNotDone = "exit_not_done",
    /// The journal could not be written, or is damaged or shorter than its anchor.
    JournalFault = "journal_fault",
    /// The checkpoint store or the data directory failed.
    StoreFault = "store_fault",
    /// The venue keeps no book any more: stops and targets do not fire.
    VenueFailed = "venue_failed",
    /// The venue does not know what it had taken, or gave one number to two executions.
    VenueContradicts = "venue_contradicts",
    /// Nobody can say whether an order was executed.
    OrderUnknown = "order_unknown",
    /// A leg was to be sent again with other parameters.
    LegMismatch = "leg_mismatch",
    /// A task of the program panicked.
    TaskPanicked = "task_panicked",
    /// The core made no step for too long.
    CoreStuck = "core_stuck",
    /// The program came up HALTED.
    HaltedAtStart = "halted_at_start",
    /// What the account is worth is not known, or nothing.
    RiskUnfed = "risk_unfed",
    // High.
    /// The degradation level is LIMITED or EMERGENCY.
    LevelLimited = "level_limited",
    /// No fresh price.
    FeedStale = "feed_stale",
    /// Several orders in a row failed to execute.
    ExecutionErrors = "execution_errors",
    /// A leg waits for the operator to run or skip it.
    LegWaiting = "leg_waiting",
    /// A plan was refused because it could not be made durable.
    PlanRefused = "plan_refused",
    /// A least amount is more than the whole account.
    MinimumOutOfReach = "minimum_out_of_reach",
    /// Notifications do not get out.
    NotificationFailing = "notification_failing",
    /// The last run did not end cleanly.
    UncleanEnd = "unclean_end",
    /// Records wait too long for the disk.
    StoreSlow = "store_slow",
    /// The space for recording a halt on a full disk could not be kept back.
    ReserveMissing = "reserve_missing",
    /// The process did not run for a while.
    ProcessGap = "process_gap",
    /// An asset that is held has had no fresh price for long, or never had one.
    PriceStale = "price_stale",
    /// A price moved by more than it may from one candle to the next.
    PriceJump = "price_jump",
    // Medium.
    /// A task failed several times in a row.
    TaskFailing = "task_failing",
    /// A required agent says nothing of a symbol whose prices are fresh.
    AgentsSilent = "agents_silent",
    /// A symbol is locked for entries.
    SymbolLocked = "symbol_locked",
    /// A model provider does not answer.
    ProviderDown = "provider_down",
    /// A forced level is due for review.
    ForcedLevelReview = "forced_level_review",
    /// A forced level ends soon.
    ForcedLevelEnding = "forced_level_ending",
    /// Drawdown is over half its limit.
    DrawdownHalf = "drawdown_half",
    /// The checkpoint was damaged or is lost, and has been rebuilt from the journal.
    CheckpointRebuilt = "checkpoint_rebuilt",
    /// Little space is left in the data directory.
    DiskLow = "disk_low",
    // Low.
    /// A mailbox dropped messages.
    MailboxDrops = "mailbox_drops",
    /// A task is late by a cycle.
    TaskLate = "task_late",
    /// The process clock and the wall clock disagree.
    ClockDrift = "clock_drift",
}

impl fmt::Display for AlarmSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What an alarm is about, where its source alone does not say it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A pair.
    Symbol(Symbol),
    /// An asset that is held.
    Asset(Asset),
    /// A scheduled task.
    Task(TaskName),
    /// A part of the house or of the world outside: `feed`, `venue`, a provider, a mailbox.
    Component(String),
    /// A circuit breaker: `daily_loss`, `weekly_loss`, `max_drawdown`.
    Breaker(String),
    /// An order or a leg, by the name under which the venue knows it.
    Order(ClientOrderId),
}

impl Subject {
    /// Its name alone: `BTC/USDT`.
    pub fn name(&self) -> String {
        match self {
            Self::Symbol(symbol) => symbol.to_string(),
            Self::Asset(asset) => asset.to_string(),
            Self::Task(task) => task.to_string(),
            Self::Component(name) | Self::Breaker(name) => name.clone(),
            Self::Order(id) => id.to_string(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Symbol(_) => "symbol",
            Self::Asset(_) => "asset",
            Self::Task(_) => "task",
            Self::Component(_) => "component",
            Self::Breaker(_) => "breaker",
            Self::Order(_) => "order",
        };
        write!(f, "{kind} {}", self.name())
    }
}

/// Which alarm: a source, and what it is about. Written `feed_stale symbol BTC/USDT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AlarmKey {
    /// What raised it.
    pub source: AlarmSource,
    /// About what, if the source does not say it all.
    pub subject: Option<Subject>,
}

impl AlarmKey {
    /// An alarm of which there is only one.
    pub const fn of(source: AlarmSource) -> Self {
        Self { source, subject: None }
    }

    /// An alarm about something.
    pub const fn about(source: AlarmSource, subject: Subject) -> Self {
        Self { source, subject: Some(subject) }
    }
}

impl fmt::Display for AlarmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Some(subject) => write!(f, "{} {subject}", self.source),
            None => write!(f, "{}", self.source),
        }
    }
}

impl From<AlarmKey> for String {
    fn from(key: AlarmKey) -> Self {
        key.to_string()
    }
}

/// Why a text is not the key of an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not an alarm: write SOURCE, or SOURCE and symbol|asset|task|component|breaker|order NAME")]
pub struct AlarmKeyError(String);

/// The source that stands for a name found only in older records.
fn former(name: &str) -> Option<AlarmSource> {
    match name {
        // Up to version 2.
        "leg_unknown" => Some(AlarmSource::OrderUnknown),
        // Mailboxes that were closed when they were full no longer exist; all of them drop.
        "mailbox_closed" => Some(AlarmSource::MailboxDrops),
        _ => None,
    }
}

impl FromStr for AlarmKey {
    type Err = AlarmKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || AlarmKeyError(text.to_owned());
        let mut words = text.splitn(3, ' ');
        let name = words.next().unwrap_or_default();
        let named = AlarmSource::ALL.iter().copied().find(|source| source.name() == name);
        let source = named.or_else(|| former(name)).ok_or_else(wrong)?;
        let Some(kind) = words.next() else { return Ok(Self::of(source)) };
        let about = words.next().ok_or_else(wrong)?;
        let subject = match kind {
            "symbol" => Subject::Symbol(about.parse().map_err(|_| wrong())?),
            "asset" => Subject::Asset(Asset::new(about).map_err(|_| wrong())?),
            "task" => Subject::Task(about.parse().map_err(|_| wrong())?),
            "component" => Subject::Component(about.to_owned()),
            "breaker" => Subject::Breaker(about.to_owned()),
            "order" => Subject::Order(about.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        };
        Ok(Self::about(source, subject))
    }
}

impl TryFrom<String> for AlarmKey {
    type Error = AlarmKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstallId;

    #[test]
    fn the_name_of_a_source_is_its_serde_name() {
        for source in AlarmSource::ALL {
            assert_eq!(serde_json::to_value(source).unwrap(), serde_json::json!(source.name()));
        }
    }

    #[test]
    fn a_key_round_trips_through_its_text() {
        let order = ClientOrderId::derive(InstallId::derived("x"), "leg/1/2");
        for subject in [
            None,
            Some(Subject::Symbol(Symbol::new("BTC/USDT").unwrap())),
            Some(Subject::Asset(Asset::new("XRP").unwrap())),
            Some(Subject::Task(TaskName::RegimeDetection)),
            Some(Subject::Component("a provider with spaces".to_owned())),
            Some(Subject::Breaker("max_drawdown".to_owned())),
            Some(Subject::Order(order)),
        ] {
            let key = AlarmKey { source: AlarmSource::FeedStale, subject };
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in ["", "no_such_source", "feed_stale symbol", "feed_stale symbol BTC", "feed_stale moon x"]
        {
            assert!(text.parse::<AlarmKey>().is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn emergency_is_the_highest_class() {
        assert!(AlarmClass::DESCENDING.is_sorted_by(|a, b| a > b));
        assert_eq!(AlarmClass::DESCENDING[0], AlarmClass::Emergency);
    }
}
