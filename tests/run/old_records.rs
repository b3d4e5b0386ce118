//! Damage in records that a start does not read: found by the running program, which halts and names the record.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use andon::alarm::{AlarmSource, AlarmTransition};
use andon::coordinator::record::{Record, RecordKind};
use andon::domain::TradingState;
use andon::runtime::options::RunOptions;
use andon::store::Reader;

use super::place::{DAY, Data, Place, config, options, simulate, text};

const SEGMENT_RECORDS: &str = "orchestration.store.segment_records=100";
const LIVE: [&str; 5] = ["--no-console", "--speed", "600", "--set", SEGMENT_RECORDS];
/// How often a journal is looked at before it counts as one that does not change: a minute at least.
const ROUNDS_MAX: u32 = 3_000;

fn start(place: &Place, data: &Data) -> Child {
    let args: Vec<_> = LIVE.into_iter().chain(["--data-dir", data.arg()]).collect();
    place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The journal cannot be read from its first record any more.
fn last_segment(data: &Data) -> Vec<Record> {
    let journal = data.dir().journal();
    let names = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().file_name());
    let last = names.filter_map(|name| name.to_str()?.strip_suffix(".log")?.parse().ok()).max();
    let mut reader = Reader::from_segment(&journal, last.unwrap()).unwrap();
    let mut records = Vec::new();
    while let Ok(Some(line)) = reader.next_line() {
        records.push(line.record().unwrap());
    }
    records
}

fn is_halt(record: &Record, why: &str) -> bool {
    matches!(&record.kind, RecordKind::StateChanged { to: TradingState::Halted, reason, .. }
        if reason.as_str().contains(why))
}

fn is_alarm(record: &Record) -> bool {
    matches!(&record.kind, RecordKind::Alarm(AlarmTransition::Raised { key, .. })
        if key.source == AlarmSource::JournalFault)
}

fn end(child: Child) {
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

fn three_days(data: &Data) -> RunOptions {
    let config = config(&[SEGMENT_RECORDS]);
    RunOptions { run_for: Some(DAY * 3), data_dir: Some(data.path()), config, ..options() }
}

/// Flips one bit in the middle of the second segment; returns the number of its record.
fn flip_a_bit(data: &Data) -> usize {
    const BEFORE: usize = 50;
    let segment = |number: u32| data.dir().journal().join(format!("{number:08}.log"));
    let first = fs::read_to_string(segment(1)).unwrap().lines().count();
    let mut bytes = fs::read(segment(2)).unwrap();
    let line: usize = bytes.split_inclusive(|&byte| byte == b'\n').take(BEFORE).map(<[u8]>::len).sum();
    bytes[line + 100] ^= 1;
    fs::write(segment(2), bytes).unwrap();
    first + BEFORE + 1
}

#[test]
fn a_bit_flipped_in_an_old_record_halts_every_run_by_its_number() {
    let place = Place::new();
    let data = place.data();
    simulate(&three_days(&data));
    let why = format!("first bad record #{}:", flip_a_bit(&data));

    for run in 2..=3 {
        let mut child = start(&place, &data);
        for round in 0.. {
            let mut records = last_segment(&data);
            records.retain(|record| record.run == run);
            if records.iter().any(|record| is_halt(record, &why)) && records.iter().any(is_alarm) {
                break;
            }
            assert!(round < ROUNDS_MAX, "run {run} does not halt");
            assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
            // Another process is waited for; it tells nobody.
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(data.path().join("HALT").exists());
        end(child);
    }
}

#[test]
fn old_records_that_are_sound_are_nothing_to_tell() {
    let place = Place::new();
    let data = place.data();
    simulate(&three_days(&data));
    let args: Vec<_> = LIVE.into_iter().chain(["--data-dir", data.arg(), "--for", "20m"]).collect();

    let output = place.andon(&args);

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        data.state().control.state,
        TradingState::Paused,
        "because restarted, and for no other reason"
    );
    assert!(!last_segment(&data).iter().any(is_alarm));
    let log = fs::read_dir(data.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let log: String = log.map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(log.contains("the records of earlier segments are in order"), "{log}");
    data.assert_verifies();
}
