//! Runs in real time, ended from outside.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use andon::alarm::{AlarmSource, AlarmTransition};
use andon::coordinator::record::{Record, RecordKind};
use andon::domain::TradingState;
use andon::store::{CheckpointStore, Scope, verify};

use super::place::{Data, Place, assert_fails, booked, intended, text};

const LIVE: [&str; 4] = ["--no-console", "--speed", "600", "--data-dir"];

/// How often a journal is looked at before it counts as one that does not grow: 20 s at least.
const ROUNDS_MAX: u32 = 1_000;

/// Starts a live run and waits until `records` of its journal are on disk.
fn start(place: &Place, data: &Data, records: u64) -> Child {
    let args: Vec<_> = LIVE.into_iter().chain([data.arg(), "--summary", "json"]).collect();
    let mut child = place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..ROUNDS_MAX {
        if written(data) >= records {
            return child;
        }
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        // Another process is waited for; it tells nobody.
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the journal does not grow to {records} records")
}

fn written(data: &Data) -> u64 {
    let journal = data.dir().journal();
    if journal.is_dir() { verify(&journal, &[], Scope::All).unwrap().records } else { 0 }
}

fn interrupt(child: &Child) {
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

#[test]
fn an_interrupt_ends_a_live_run_in_order() {
    let place = Place::new();
    let data = place.data();
    let child = start(&place, &data, 20);

    interrupt(&child);

    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let records = data.records();
    assert_eq!(summary["records"].as_u64(), Some(records.len() as u64));
    let last = &records.last().unwrap().kind;
    assert!(matches!(last, RecordKind::RunEnded { reason, .. } if reason.as_str() == "SIGINT"), "{last:?}");
    let marked = CheckpointStore::marked(&data.dir()).map(|anchor| anchor.seq);
    assert_eq!(marked, records.last().map(|record| record.seq), "the last checkpoint is that of the end");
    data.assert_verifies();
}

#[test]
fn a_second_instance_exits_3_and_the_first_goes_on_and_can_be_audited() {
    let place = Place::new();
    let data = place.data();
    let child = start(&place, &data, 5);

    let second = place.andon(&["--no-console", "--speed", "max", "--data-dir", data.arg()]);
    let audit = place.andon(&["audit", "verify", "--data-dir", data.arg()]);

    let pid = format!("another andon is running here: pid {} since ", child.id());
    assert_fails(&second, 3, &[&pid]);
    let export = place.andon(&["state", "export", "backup.tar", "--data-dir", data.arg()]);
    assert_fails(&export, 3, &[&pid]);
    assert_eq!(audit.status.code(), Some(0), "{}", text(&audit.stderr));
    assert!(text(&audit.stdout).contains(", chain sound"), "{}", text(&audit.stdout));
    interrupt(&child);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn the_trail_can_be_read_while_it_is_written() {
    let place = Place::new();
    let data = place.data();
    let child = start(&place, &data, 20);

    let before = written(&data);
    let read = |words: &[&str]| place.andon(&[words, &["--data-dir", data.arg()]].concat());
    let shown = read(&["audit", "show"]);
    let exported = read(&["audit", "export"]);
    let since = read(&["since", "1h"]);
    let page = read(&["handover"]);
    let verified = read(&["audit", "verify"]);
    let after = written(&data);

    for output in [&shown, &exported, &since, &page, &verified] {
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    for lines in [&shown, &exported, &since] {
        let count = text(&lines.stdout).lines().count() as u64;
        assert!((before..=after).contains(&count), "{count} of {before} to {after} records");
    }
    assert!(text(&page.stdout).contains("STATE RUNNING"), "{}", text(&page.stdout));
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "reading disturbed it: {}", text(&output.stderr));
    data.assert_verifies();
}

fn raised(records: &[Record], source: AlarmSource) -> bool {
    records.iter().any(|record| {
        matches!(&record.kind, RecordKind::Alarm(AlarmTransition::Raised { key, .. }) if key.source == source)
    })
}

#[test]
fn after_a_kill_nothing_acknowledged_is_lost_and_it_comes_up_paused_with_an_alarm() {
    let place = Place::new();
    let data = place.data();
    let mut child = start(&place, &data, 60);
    let seen = data.records_so_far();
    child.kill().unwrap();
    child.wait().unwrap();
    let (sent, filled) = (data.venue_orders(), data.venue_fills());

    let next = place.andon(&[&LIVE[..], &[data.arg(), "--for", "20m"]].concat());

    assert_eq!(next.status.code(), Some(0), "{}", text(&next.stderr));
    let records = data.records();
    assert_eq!(records[..seen.len()], seen, "what was on disk stays as it was");
    let orders = intended(&records);
    assert!(!sent.is_empty() && sent.iter().all(|id| orders.contains(id)), "an order nobody recorded");
    assert_eq!(booked(&records), filled, "every fill is booked, and booked once");
    let second_run: Vec<_> = records.into_iter().filter(|record| record.run == 2).collect();
    assert!(raised(&second_run, AlarmSource::UncleanEnd));
    assert!(intended(&second_run).is_empty(), "nothing is bought while it is paused");
    assert_eq!(data.state().control.state, TradingState::Paused);
    data.assert_verifies();
}
