//! The paper venue, rule by rule, through the seam that every venue has.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test stop at the first surprise")]

mod bench;
mod log;
mod orders;
mod properties;
mod protection;
mod sentences;
mod volume;
