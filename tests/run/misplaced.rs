//! Segments that are not where they were, and stores that hold a part: found at the start, and no number used twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use andon::domain::{Seq, TradingState};
use andon::runtime::Assembly;
use andon::runtime::options::RunOptions;
use andon::store::{Anchor, Hash, Scope, Verdict, verify};

use super::place::{Data, HOUR, Place, config, copy, options, simulate};

/// Many small segments.
fn busy(data: &Data) -> RunOptions {
    let config = config(&[
        "portfolio.dca.legs_max=40",
        "portfolio.dca.spacing=60s",
        "risk.orders.per_minute_max=1000",
        "orchestration.store.segment_records=100",
    ]);
    RunOptions { run_for: Some(HOUR), data_dir: Some(data.path()), config, ..options() }
}

fn segment(data: &Data, number: u32) -> PathBuf {
    data.dir().journal().join(format!("{number:08}.log"))
}

fn last_segment(data: &Data) -> u32 {
    (1..10_000).take_while(|number| segment(data, *number).exists()).last().unwrap()
}

/// The record of a line, if the line is in order by itself.
fn anchor(line: &str) -> Option<Anchor> {
    let (hash, json) = line.split_once(' ')?;
    let seq = serde_json::from_str::<serde_json::Value>(json).ok()?["seq"].as_u64()?;
    let hash: Hash = hash.parse().ok()?;
    (Hash::of(json.as_bytes()) == hash).then_some(Anchor { seq: Seq(seq), hash })
}

fn assert_no_number_twice(data: &Data) {
    let mut lines: BTreeMap<Seq, BTreeSet<String>> = BTreeMap::new();
    for entry in fs::read_dir(data.dir().journal()).unwrap().map(Result::unwrap) {
        let text = fs::read(entry.path()).unwrap();
        for anchor in String::from_utf8_lossy(&text).lines().filter_map(anchor) {
            lines.entry(anchor.seq).or_default().insert(anchor.hash.to_string());
        }
    }
    let twice: Vec<_> = lines.iter().filter(|(_, hashes)| hashes.len() > 1).map(|(seq, _)| seq).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// Wherever it stands, nothing of what is known is thrown away.
fn assert_state_is_that_of(data: &Data, seq: Seq) {
    let found = data.recovered();
    assert!(found.halts());
    assert_eq!(found.records.last().map(|record| record.seq), Some(seq));
}

fn halted_for(data: &Data) -> Option<u64> {
    simulate(&busy(data)).seconds_in_state.get("HALTED").copied()
}

/// A journal of many segments as a kill leaves it before its first checkpoint: `HEAD` is that of the last seal.
fn killed(place: &Place) -> Data {
    let data = place.data();
    simulate(&busy(&data));
    let last = last_segment(&data);
    assert!(last > 3, "more segments are wanted: {last}");
    let text = fs::read_to_string(segment(&data, last - 1)).unwrap();
    let Anchor { seq, hash } = anchor(text.lines().last().unwrap()).unwrap();
    let head = format!("{{\"segment\":{last},\"seq\":{},\"hash\":\"{hash}\"}}\n", seq.0);
    fs::write(data.dir().journal().join("HEAD"), head).unwrap();
    fs::remove_dir_all(data.dir().checkpoint_store()).unwrap();
    fs::remove_file(data.dir().checkpoint_marker()).unwrap();
    data
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_two_newest_segments_swapped_are_damage() {
    let place = Place::new();
    let data = killed(&place);
    let last = last_segment(&data);
    let highest = data.records().last().unwrap().seq;
    let (one, other, aside) = (segment(&data, last), segment(&data, last - 1), data.path().join("aside"));
    fs::rename(&one, &aside).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&aside, &other).unwrap();
    assert_state_is_that_of(&data, highest);
    assert_eq!(halted_for(&data), Some(3_600));
    assert_no_number_twice(&data);
}

#[test]
fn the_latest_state_counts_wherever_it_stands_and_no_number_is_used_again() {
    for order in ["the last one first", "the last three rotated"] {
        let place = Place::new();
        let data = killed(&place);
        let last = last_segment(&data);
        let highest = data.records().last().unwrap().seq;
        let moved =
            if order == "the last one first" { vec![1, last] } else { vec![last - 2, last - 1, last] };
        let texts: Vec<_> = moved.iter().map(|&number| fs::read(segment(&data, number)).unwrap()).collect();
        for (at, &number) in moved.iter().enumerate() {
            let text = &texts[(at + moved.len() - 1) % moved.len()];
            fs::write(segment(&data, number), text).unwrap();
        }
        assert_state_is_that_of(&data, highest);
        assert_eq!(halted_for(&data), Some(3_600), "{order}");
        assert_no_number_twice(&data);
    }
}

#[test]
fn an_older_segment_copied_behind_the_newest_is_damage_and_no_good_record_is_accused() {
    let place = Place::new();
    let data = killed(&place);
    let last = last_segment(&data);
    let highest = data.records().last().unwrap().seq;
    fs::copy(segment(&data, last - 2), segment(&data, last + 1)).unwrap();
    assert_state_is_that_of(&data, highest);
    let first_bad = |data: &Data| match verify(&data.dir().journal(), &[], Scope::All).unwrap().verdict {
        Verdict::Damaged { seq, .. } => seq,
        other => panic!("{other:?}"),
    };
    let before = first_bad(&data);
    assert_eq!(halted_for(&data), Some(3_600));
    assert_eq!(first_bad(&data), before);
    assert_no_number_twice(&data);
}

#[test]
fn numbers_behind_a_lost_segment_are_taken_even_if_the_next_line_is_bad() {
    let place = Place::new();
    let data = killed(&place);
    let last = last_segment(&data);
    fs::remove_file(segment(&data, last - 1)).unwrap();
    flip(&segment(&data, last), 100);
    assert_eq!(halted_for(&data), Some(3_600));
    assert_no_number_twice(&data);
}

#[test]
fn head_is_compared_with_the_record_before_the_segment_that_is_read() {
    let place = Place::new();
    let data = killed(&place);
    let path = data.dir().journal().join("HEAD");
    let text = fs::read_to_string(&path).unwrap();
    let at = text.rfind('"').unwrap() - 5;
    let digit = if &text[at..=at] == "0" { "1" } else { "0" };
    fs::write(&path, format!("{}{digit}{}", &text[..at], &text[at + 1..])).unwrap();
    assert!(!verify(&data.dir().journal(), &[], Scope::All).unwrap().is_sound());
    assert!(data.recovered().halts());
}

#[test]
fn a_readable_checkpoint_behind_what_is_left_of_the_journal_is_the_best_that_is_known() {
    let place = Place::new();
    let data = place.data();
    simulate(&busy(&data));
    let older = place.path().join("older");
    copy(&data.path(), &older);
    let (known, last) = (data.state(), last_segment(&data));
    simulate(&busy(&data));
    fs::remove_dir_all(data.dir().checkpoint_store()).unwrap();
    copy(&older.join("store.sled"), &data.dir().checkpoint_store());
    (last..=last_segment(&data)).for_each(|number| fs::remove_file(segment(&data, number)).unwrap());

    let found = data.recovered();

    assert!(found.halts());
    assert_eq!(found.checkpoint.map(|checkpoint| checkpoint.state), Some(known));
}

#[test]
fn what_halts_a_start_halts_the_next_one_though_nothing_was_written() {
    let place = Place::new();
    let data = killed(&place);
    let newest = segment(&data, last_segment(&data));
    let whole = fs::read(&newest).unwrap();
    flip(&newest, 100);
    // As if it was killed before its first record.
    drop(Assembly::new(&busy(&data), &data.path()).unwrap());
    let latched = fs::read_to_string(data.path().join("HALT")).unwrap();
    assert!(latched.contains("the journal is damaged"), "{latched}");
    fs::write(&newest, whole).unwrap();
    assert_eq!(halted_for(&data), Some(3_600), "only the operator releases it");
    assert_eq!(data.state().control.state, TradingState::Halted);
}

#[test]
fn a_start_that_finds_an_older_checkpoint_and_no_journal_and_is_killed_leaves_the_next_one_as_much() {
    let place = Place::new();
    let data = place.data();
    simulate(&busy(&data));
    let (known, older) = (data.state(), place.path().join("older"));
    copy(&data.path(), &older);
    simulate(&busy(&data));
    fs::remove_dir_all(data.dir().checkpoint_store()).unwrap();
    copy(&older.join("store.sled"), &data.dir().checkpoint_store());
    fs::remove_dir_all(data.dir().journal()).unwrap();
    for _ in 0..2 {
        drop(Assembly::new(&busy(&data), &data.path()).unwrap());
        assert_eq!(data.recovered().checkpoint.map(|checkpoint| checkpoint.state), Some(known.clone()));
    }
    assert_eq!(halted_for(&data), Some(3_600));
    assert_eq!(data.state().account.balances(), known.account.balances());
    assert!(data.path().join("corrupt-1").is_dir());
}

#[test]
fn a_file_whose_number_no_segment_can_have_is_not_one() {
    let place = Place::new();
    let data = killed(&place);
    fs::write(data.dir().journal().join("4294967295.log"), "junk\n").unwrap();
    assert_eq!(halted_for(&data), None);
    data.assert_verifies();
}

#[test]
fn numbers_so_high_that_none_is_left_refuse_the_start_and_say_who_names_them() {
    let place = Place::new();
    let data = killed(&place);
    let (junk, marker) = (data.dir().journal().join("99500000.log"), data.dir().checkpoint_marker());
    for (file, text, last) in [
        (&junk, "junk\n".to_owned(), "segment 99500000.log"),
        (&marker, format!("{} {}\n", u64::pow(2, 52), Hash::of(b"junk")), "record #4503599627370496"),
    ] {
        fs::write(file, text).unwrap();
        let refused = Assembly::new(&busy(&data), &data.path()).err().map(|error| error.to_string()).unwrap();
        assert!(refused.contains(last), "{refused}");
        fs::remove_file(file).unwrap();
    }
    assert_eq!(halted_for(&data), None);
    data.assert_verifies();
}

#[test]
fn an_order_of_which_only_the_venue_knows_tells_of_lost_records() {
    let place = Place::new();
    let data = killed(&place);
    let newest = segment(&data, last_segment(&data));
    let text = fs::read_to_string(&newest).unwrap();
    assert!(text.contains(r#""kind":"order_intended""#), "nothing was sent after the last seal");
    fs::remove_file(newest).unwrap();
    assert!(data.recovered().troubles.is_empty(), "chain and anchors are in order");
    drop(Assembly::new(&busy(&data), &data.path()).unwrap());
    let latched = fs::read_to_string(data.path().join("HALT")).unwrap();
    assert!(latched.contains("which the journal does not know"), "{latched}");
    assert_eq!(halted_for(&data), Some(3_600));
}

#[test]
fn of_two_segments_that_begin_alike_the_fuller_counts() {
    for is_behind in [false, true] {
        let place = Place::new();
        let data = killed(&place);
        let (highest, last) = (data.records().last().unwrap().seq, last_segment(&data));
        let text = fs::read_to_string(segment(&data, last)).unwrap();
        let some: String = text.split_inclusive('\n').take(3).collect();
        fs::write(segment(&data, if is_behind { last + 1 } else { 2 }), some).unwrap();
        assert_state_is_that_of(&data, highest);
        assert_eq!(halted_for(&data), Some(3_600));
        assert_no_number_twice(&data);
    }
}
