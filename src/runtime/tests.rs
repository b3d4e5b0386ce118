//! What the screen shows right after a restart.

use std::time::Duration;

use super::options::{RunOptions, simulated_for};
use super::{seen_at_the_end, simulate};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn after_a_restart_the_indicators_are_warm_and_the_decisions_before_it_are_shown() {
    let parent = tempfile::tempdir().unwrap();
    let data_dir = Some(parent.path().join("data"));
    let first = RunOptions { data_dir, ..simulated_for(MINUTE * 60 * 5) };
    simulate(&first).unwrap();

    let (seen, ..) = seen_at_the_end(&RunOptions { run_for: Some(MINUTE * 2), ..first }).unwrap();

    let warm = seen.consensus.iter().filter(|row| row.technical.says.is_some()).count();
    assert_eq!(warm, seen.consensus.len(), "{:?}", seen.consensus);
    let decided_before = seen.decisions.recent.iter().filter(|row| row.at < seen.at.market.minus(MINUTE * 3));
    assert!(decided_before.count() > 0, "{:?}", seen.decisions);
}
