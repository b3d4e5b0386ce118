//! Crashes of the real program, and what the next start makes of them: nothing acknowledged is lost, nothing is done
//! twice.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test stop at the first surprise")]
#![expect(clippy::print_stdout, reason = "seeds and figures are for whoever reads the output of a test")]

mod damage;
mod kills;
#[cfg(debug_assertions)]
mod legs;
mod model;
mod orders;
#[path = "../run/place.rs"]
#[expect(dead_code, reason = "the helpers are shared with the tests of whole runs")]
mod place;
mod replay;
mod side_by_side;
mod tampering;
