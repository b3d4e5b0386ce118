//! Whole runs, as the operator starts and ends them: the result, what is left on disk, what the next start makes of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test stop at the first surprise")]

mod accounts;
mod continued;
mod foreign_text;
mod full_disk;
mod live;
mod misplaced;
mod models;
mod old_records;
mod place;
mod refusals;
mod replay;
mod signals;
mod simulated;
mod summary;
mod versions;
