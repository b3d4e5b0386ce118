//! What the screen shows right after a restart, and what a simulated run without a disk leaves undone.

use std::io;
use std::time::Duration;

use super::options::{RunOptions, Speed, simulated_for};
use super::{Assembly, VirtualDriver, VirtualError, seen_at_the_end, simulate};
use crate::store::{Anchor, Disk, JournalFile, Resume, SegmentNo, SyncMode, Writer};

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

#[test]
fn a_live_run_fsyncs_its_journal_and_a_virtual_one_if_it_is_told_to() {
    let of = |speed: Speed, durable: bool| {
        let place = tempfile::tempdir().unwrap();
        let options = RunOptions { speed, durable, ..simulated_for(MINUTE) };
        Assembly::new(&options, place.path()).unwrap().journal.sync()
    };
    assert_eq!(of(Speed::Times(1), false), SyncMode::Data);
    assert_eq!(of(Speed::Times(60), false), SyncMode::Data);
    assert_eq!(of(Speed::Max, true), SyncMode::Data);
    assert_eq!(of(Speed::Max, false), SyncMode::None);
}

/// A disk on which nothing can be made, and how it answers.
pub(super) struct NoDisk(pub(super) fn() -> io::Result<Box<dyn JournalFile>>);

impl Disk for NoDisk {
    fn create(&mut self, _: SegmentNo) -> io::Result<Box<dyn JournalFile>> {
        (self.0)()
    }
    fn open(&mut self, _: SegmentNo) -> io::Result<Box<dyn JournalFile>> {
        (self.0)()
    }
    fn cut(&mut self, _: SegmentNo, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn note_head(&mut self, _: SegmentNo, _: Anchor) -> io::Result<()> {
        Ok(())
    }
    fn free_reserve(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn fill_reserve(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn in_virtual_time_no_order_goes_out_whose_record_cannot_be_written() {
    let place = tempfile::tempdir().unwrap();
    let mut assembly = Assembly::new(&simulated_for(MINUTE * 60), place.path()).unwrap();
    let full = NoDisk(|| Err(io::ErrorKind::StorageFull.into()));
    assembly.journal = Writer::new(Box::new(full), SyncMode::None, Resume::FRESH);

    let ended = VirtualDriver::run(assembly, 1, Some(MINUTE * 60));

    assert!(matches!(ended, Err(VirtualError::Journal(_))), "{ended:?}");
    let log = std::fs::read_to_string(place.path().join("venue.log")).unwrap();
    assert_eq!(log.lines().count(), 1, "the book as it was, and no order: {log}");
}
