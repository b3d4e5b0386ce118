//! The real program on a real pseudo-terminal: what the operator sees, presses, and finds on the disk afterwards.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails as the test does")]

mod bytes;
mod control;
mod leaving;
mod panics;
mod screen;
mod terminal;
