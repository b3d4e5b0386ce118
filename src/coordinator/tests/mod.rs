//! The core as a whole, at a desk: with a real gate, a venue that misbehaves on demand, and time by hand. After every
//! step the records so far, through JSON, must make the very state that is live.

mod alarms;
mod control;
mod desk;
mod emergency;
mod exits;
mod legs;
mod models;
mod orders;
mod prices;
mod properties;
mod seams;
mod signals;
mod start;
mod store;
mod tasks;
mod venue;

use super::*;
use crate::alarm::{AlarmKey, AlarmSource, AlarmState, Subject};
use crate::config::TaskName;
use crate::domain::{
    Action, AlarmTarget, Command, Level, Outcome, ReasonCode, Side, SystemEventKind, TradingState, VenueEvent,
};
use desk::{Desk, btc, dec, started, xrp};
use venue::Mode;

/// Seconds.
const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}
