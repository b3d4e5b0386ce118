//! The console as a whole: what it looks like, what its keys do, how often it draws.

mod keys;
mod pictures;
mod screens;
mod whole;
