//! Alarms: what the operator has to act on; anything else is an event.
//!
//! A pure, total, event-sourced machine after ISA-18.2 / IEC 62682: [`Alarms::step`] looks at an event and says
//! which transitions follow, [`Alarms::apply`] is the only thing that changes state, live and in recovery alike.
//! It never reads a clock, never publishes, rings or notifies, and acknowledging never clears, resets or resumes
//! anything: it means "seen, mine".

mod annunciation;
mod catalogue;
mod source;
mod state;
mod step;
mod transition;

#[cfg(test)]
mod tests;

pub use annunciation::{REMINDER_EVERY, REPEATS};
pub use catalogue::{Catalogue, CatalogueError, Entry};
pub use source::{AlarmClass, AlarmKey, AlarmKeyError, AlarmSource, Subject};
pub use state::{Acknowledgement, Alarm, AlarmCounts, AlarmState, Alarms};
pub use transition::{AlarmEvent, AlarmRefusal, AlarmTransition, Annunciation, Raise};
