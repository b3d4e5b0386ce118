//! What can happen to alarms, what follows from it, and why something is refused.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Acknowledgement, AlarmClass, AlarmKey, AlarmState};
use crate::domain::{Actor, AlarmId, AlarmTarget, Now, SafeText, Timestamp};

/// A condition that somebody has to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    /// Which alarm.
    pub key: AlarmKey,
    /// What brought it about, without numbers that run: while it stays the same, raising again changes nothing.
    pub cause: SafeText,
    /// The numbers of this moment. Foreign text in it must have been sanitized and labelled.
    pub detail: SafeText,
    /// A class above the catalogue's, where the case is worse than usual; a lower one is ignored.
    pub at_least: Option<AlarmClass>,
}

impl Raise {
    /// Of the catalogue's class.
    pub fn new(key: AlarmKey, cause: SafeText, detail: SafeText) -> Self {
        Self { key, cause, detail, at_least: None }
    }
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmEvent {
    /// The condition is there.
    Raise(Raise),
    /// The condition is gone.
    Clear {
        /// Of which alarm.
        key: AlarmKey,
    },
    /// "Seen, mine."
    Acknowledge {
        /// Which occurrence, or every one that can be.
        target: AlarmTarget,
        /// By whom.
        by: Actor,
        /// `1`, `2`, `3` or text; an Emergency wants one.
        comment: String,
    },
    /// Off the list: latched, acknowledged and gone.
    Reset {
        /// Which occurrence, or every one that can be.
        target: AlarmTarget,
        /// By whom.
        by: Actor,
    },
    /// Time went on. What follows is only said: repeats and reminders change no alarm, and need no record.
    Tick {
        /// Operator time up to which everything has been said.
        since: Timestamp,
    },
    /// The process began again with these alarms.
    Restart,
}

/// Why an alarm makes itself heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Annunciation {
    /// A new occurrence.
    New,
    /// Nobody has acknowledged it yet.
    Repeat,
    /// Acknowledged long ago and still there.
    Reminder,
    /// The process began again and nobody has acknowledged it yet.
    Restart,
}

/// One change of one alarm: the only thing that changes the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "transition")]
pub enum AlarmTransition {
    /// A new occurrence: unacknowledged, annunciated.
    Raised {
        /// Which alarm.
        key: AlarmKey,
        /// The new occurrence.
        id: AlarmId,
        /// Its class.
        class: AlarmClass,
        /// Whether it stays after its condition is gone.
        latched: bool,
        /// What brought it about.
        cause: SafeText,
        /// The numbers of that moment.
        detail: SafeText,
        /// When.
        at: Now,
    },
    /// The same occurrence has another cause now.
    Updated {
        /// Which alarm.
        key: AlarmKey,
        /// Which occurrence.
        id: AlarmId,
        /// What brings it about now.
        cause: SafeText,
        /// The numbers of that moment.
        detail: SafeText,
        /// When.
        at: Now,
    },
    /// The condition is gone.
    Cleared {
        /// Which alarm.
        key: AlarmKey,
        /// Which occurrence.
        id: AlarmId,
        /// What it is now.
        to: AlarmState,
        /// When.
        at: Now,
    },
    /// Somebody has seen it.
    Acknowledged {
        /// Which alarm.
        key: AlarmKey,
        /// Which occurrence.
        id: AlarmId,
        /// What it is now.
        to: AlarmState,
        /// Who, when, and what they said.
        ack: Acknowledgement,
    },
    /// It went off the list.
    Reset {
        /// Which alarm.
        key: AlarmKey,
        /// Which occurrence.
        id: AlarmId,
        /// By whom.
        by: Actor,
        /// When.
        at: Now,
    },
    /// It made itself heard again.
    Annunciated {
        /// Which alarm.
        key: AlarmKey,
        /// Which occurrence.
        id: AlarmId,
        /// Why.
        why: Annunciation,
        /// When.
        at: Now,
    },
}

impl AlarmTransition {
    /// Which alarm it changes.
    pub const fn key(&self) -> &AlarmKey {
        match self {
            Self::Raised { key, .. }
            | Self::Updated { key, .. }
            | Self::Cleared { key, .. }
            | Self::Acknowledged { key, .. }
            | Self::Reset { key, .. }
            | Self::Annunciated { key, .. } => key,
        }
    }

    /// Which occurrence it is about.
    pub const fn id(&self) -> AlarmId {
        match self {
            Self::Raised { id, .. }
            | Self::Updated { id, .. }
            | Self::Cleared { id, .. }
            | Self::Acknowledged { id, .. }
            | Self::Reset { id, .. }
            | Self::Annunciated { id, .. } => *id,
        }
    }

    /// Whether the operator is to hear of it (bell, title, webhook), and why.
    pub const fn annunciation(&self) -> Option<Annunciation> {
        match self {
            Self::Raised { .. } => Some(Annunciation::New),
            Self::Annunciated { why, .. } => Some(*why),
            Self::Updated { .. } | Self::Cleared { .. } | Self::Acknowledged { .. } | Self::Reset { .. } => {
                None
            }
        }
    }
}

fn by_text(by: Option<&AlarmId>) -> String {
    by.map(|id| format!(" by {id}")).unwrap_or_default()
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AlarmRefusal {
    /// No occurrence ever had this id.
    #[error("no alarm {0} is known: look at the list again")]
    Unknown(AlarmId),
    /// The alarm was raised again since: what was seen is not what is there.
    #[error("{id} is superseded{}: look at the list again and name what is there now", by_text(.by.as_ref()))]
    Superseded {
        /// What was named.
        id: AlarmId,
        /// The occurrence that came after it, if that is the current one.
        by: Option<AlarmId>,
    },
    /// An Emergency is not waved through.
    #[error(
        "{0} is an Emergency: acknowledge it with a comment: 1 investigating, 2 expected, 3 handed over, or text"
    )]
    CommentWanted(AlarmId),
    /// Only what somebody has seen goes off the list.
    #[error("{0} is not acknowledged: acknowledge it first")]
    NotAcknowledged(AlarmId),
    /// Only what is gone goes off the list.
    #[error("{0} is still active: it can be reset once its condition is gone")]
    StillActive(AlarmId),
    /// It is off the list already.
    #[error("{0} is off the list already: nothing is left to reset")]
    AlreadyOver(AlarmId),
}
