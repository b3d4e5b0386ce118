//! A journal that an earlier version has written, checked in with the state that it made of it: nine simulated hours
//! with notes, orders, fills, a plan, alarms, a halt and its release, in records without a version of their own. Beside
//! it lies the log of a venue that executed these orders.

use std::fs;
use std::path::{Path, PathBuf};

use andon::coordinator::durable::Durable;
use andon::coordinator::record::Record;
use andon::domain::{Timestamp, TradingState};

use super::place::{Data, HOUR, Place, copy, options, simulate};
use andon::runtime::options::RunOptions;

fn earlier() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run/journal_v1")
}

/// A data directory that holds nothing but the earlier journal and the venue's log.
fn data(place: &Place) -> Data {
    let data = place.data();
    copy(&earlier(), &data.path());
    fs::remove_file(data.path().join("state.json")).unwrap();
    data
}

#[test]
fn a_journal_of_the_first_version_makes_the_state_that_it_made_then() {
    let place = Place::new();
    let text = fs::read_to_string(earlier().join("state.json")).unwrap();
    let then: Durable = serde_json::from_str(&text).unwrap();
    assert!(then.plans.open().next().is_some() && then.control.state == TradingState::Paused);
    let mut now = serde_json::to_value(data(&place).state()).unwrap();
    // What later versions keep besides.
    let since = now["degradation"].as_object_mut().unwrap().remove("announced_at");
    assert!(since.is_some(), "the level changed in the earlier journal");
    let first = now.as_object_mut().unwrap().remove("first_equity");
    assert_eq!(first.unwrap(), "10000", "the first mark");
    assert_eq!(serde_json::from_value::<Durable>(now).unwrap(), then);
}

#[test]
fn a_run_goes_on_where_the_first_version_ended() {
    let place = Place::new();
    let data = data(&place);
    let before = data.records();
    let options = RunOptions { data_dir: Some(data.path()), run_for: Some(HOUR), ..options() };
    simulate(&options);
    let records = data.records();
    assert_eq!(records[..before.len()], before[..]);
    assert!(records.len() > before.len());
    data.assert_verifies();
    let lines = fs::read_to_string(data.dir().journal().join("00000001.log")).unwrap();
    let version = format!("\"v\":{},\"prev\"", Record::VERSION);
    let versions: Vec<_> = lines.lines().map(|line| line.contains(&version)).collect();
    assert_eq!(versions.iter().position(|&v| v), Some(before.len()), "new records name their version");
}

#[test]
fn words_that_later_versions_write_otherwise_are_still_read() {
    let place = Place::new();
    let before = data(&place).state();
    let plan = before.plans.open().next().unwrap();
    let scheduled = |state: &Durable| -> Vec<Timestamp> {
        let plan = state.plans.plan(plan.id).unwrap();
        plan.legs.iter().filter(|leg| leg.state.name() == "scheduled").map(|leg| leg.due_at).collect()
    };
    assert!(!scheduled(&before).is_empty());
    let mut state = before.clone();
    let mut apply = |kind: &str| {
        let seq = state.seq.next().0;
        let line = format!(
            r#"{{"seq":{seq},"at":"2024-01-08T09:00:00.000Z","run":1,"actor":"coordinator",{kind}}}"#
        );
        let record: Record = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        state.apply(&record);
    };
    // Before version 5 a shift did not say for which legs it was; before 6 a closing might have ended otherwise.
    apply(&format!(r#""kind":"plan","data":{{"plan_step":"shifted","plan":{},"by":"1m"}}"#, plan.id.0));
    apply(r#""kind":"closing_ended","data":{"symbol":"BTC/USDT","complete":true}"#);
    let later: Vec<_> = scheduled(&before).iter().map(|due| due.plus(HOUR / 60)).collect();
    assert_eq!(scheduled(&state), later);
}
