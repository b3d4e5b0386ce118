//! A run that ended, and the next one in its directory.

use std::collections::BTreeSet;
use std::fs;

use andon::coordinator::durable::Durable;
use andon::coordinator::record::RecordKind;
use andon::domain::{ClientOrderId, Confidence, TradingState};
use andon::runtime::options::RunOptions;
use andon::runtime::summary::{ListedAlarm, Summary};
use andon::store::{Checkpoint, CheckpointStore, Reader};

use super::place::{Data, HOUR, Place, booked, copy, intended, options, simulate};

/// Long enough for half a plan. No lots: their stops and exits go on while nothing may be bought.
fn half_a_plan(data: &Data) -> RunOptions {
    let mut config = (*options().config).clone();
    config.agents.trading_decision.confidence_min = Confidence::clamped(1.0);
    let config = config.into();
    RunOptions { run_for: Some(HOUR * 10), data_dir: Some(data.path()), config, ..options() }
}

fn legs(state: &Durable) -> BTreeSet<(ClientOrderId, bool)> {
    let plans = state.plans.open().chain(state.plans.finished());
    plans.flat_map(|plan| &plan.legs).map(|leg| (leg.client_id, leg.state.is_terminal())).collect()
}

#[test]
fn a_checkpoint_and_the_journal_alone_tell_the_same_state() {
    let place = Place::new();
    let data = place.data();
    simulate(&half_a_plan(&data));
    let rebuilt = data.copy_without_checkpoint(&place.path().join("copy"));

    let (from_checkpoint, from_journal) = (data.state(), rebuilt.state());

    assert!(!from_checkpoint.plans.open().next().unwrap().is_finished(), "there is something to lose");
    assert_eq!(from_checkpoint, from_journal);
}

#[test]
fn a_checkpoint_of_another_version_is_told_and_the_run_goes_on_from_the_journal() {
    let place = Place::new();
    let data = place.data();
    simulate(&half_a_plan(&data));
    let rebuilt = data.copy_without_checkpoint(&place.path().join("copy"));
    let found = CheckpointStore::open(&data.dir()).unwrap();
    let last = found.checkpoint.unwrap().unwrap();
    found.store.write(&Checkpoint { state: b"{\"another\":1}".to_vec(), ..last }).unwrap();
    drop(found.store);

    for data in [&data, &rebuilt] {
        simulate(&half_a_plan(data));
    }

    let told = |data: &Data| {
        let text = fs::read_to_string(data.dir().journal().join("00000001.log")).unwrap();
        text.contains("checkpoint_rebuilt") && text.contains("its state cannot be read")
    };
    assert!(told(&data) && !told(&rebuilt));
    assert!(data.path().join("corrupt-1").is_dir());
    assert_eq!(legs(&data.state()), legs(&rebuilt.state()));
    assert_eq!(data.state().account.balances(), rebuilt.state().account.balances());
}

#[test]
fn the_second_start_comes_up_paused_and_says_why() {
    let place = Place::new();
    let options = half_a_plan(&place.data());
    simulate(&options);

    let second = simulate(&options);

    let first_change = &second.state_changes[0];
    assert_eq!((&*first_change.to, &*first_change.by), ("PAUSED", "runtime"));
    assert_eq!(first_change.reason, "paused because restarted; r resumes");
    assert_eq!(second.seconds_in_state["PAUSED"], 10 * 3_600);
    assert_eq!(second.orders.intended, 0, "nothing is bought while it is paused");
    assert!(second.alarms_raised.get("Emergency").is_none_or(|n| *n == 0), "a clean end is no emergency");
}

#[test]
fn legs_are_neither_lost_nor_bought_twice_with_and_without_the_checkpoint() {
    let place = Place::new();
    let data = place.data();
    simulate(&half_a_plan(&data));
    let before = legs(&data.state());
    let rebuilt = data.copy_without_checkpoint(&place.path().join("copy"));
    let script = place.write("resume.yaml", "- { at: 10m, do: resume }\n");

    for data in [data, rebuilt] {
        let options = RunOptions { operator_script: Some(script.clone()), ..half_a_plan(&data) };
        let second = simulate(&RunOptions { run_for: Some(HOUR * 20), ..options });

        let state = data.state();
        assert_eq!(state.control.state, TradingState::Running);
        let after: BTreeSet<_> = legs(&state).into_iter().map(|(id, _)| id).collect();
        assert!(before.iter().all(|(id, _)| after.contains(id)), "a leg was lost");
        assert!(before.iter().any(|(_, done)| !done) && second.legs["filled"] >= before.len() as u64);
        let records = data.records();
        assert_eq!(intended(&records), data.venue_orders());
        assert_eq!(booked(&records), data.venue_fills());
        data.assert_verifies();
    }
}

/// The kind of the first record of every segment, as far as they can be read.
fn first_kinds(data: &Data) -> Vec<Option<RecordKind>> {
    let mut kinds = Vec::new();
    for number in 1.. {
        if !data.dir().journal().join(format!("{number:08}.log")).exists() {
            return kinds;
        }
        let mut reader = Reader::from_segment(&data.dir().journal(), number).unwrap();
        let line = reader.next_line().ok().flatten();
        kinds.push(line.and_then(|line| line.record().ok()).map(|record| record.kind));
    }
    kinds
}

#[test]
fn a_segment_begun_after_damage_or_a_torn_first_line_holds_the_whole_state() {
    for torn in [false, true] {
        let place = Place::new();
        let data = place.data();
        simulate(&half_a_plan(&data));
        let before = data.state();
        let segment = data.dir().journal().join("00000001.log");
        let mut bytes = fs::read(&segment).unwrap();
        if torn {
            // A kill during the first write of a segment.
            fs::write(data.dir().journal().join("00000002.log"), "0123").unwrap();
        } else {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&segment, &bytes).unwrap();
        }

        simulate(&half_a_plan(&data));

        let kinds = first_kinds(&data);
        assert_eq!(kinds.len(), 2, "torn: {torn}");
        let Some(RecordKind::State(state)) = &kinds[1] else { panic!("torn: {torn}: {:?}", kinds[1]) };
        assert_eq!(state.account, before.account, "torn: {torn}");
        // Without the checkpoint the new segment alone tells everything.
        let rebuilt = data.copy_without_checkpoint(&place.path().join("copy"));
        assert_eq!(rebuilt.state(), data.state(), "torn: {torn}");
    }
}

/// Where the damage is, and which checkpoint is there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Checkpointed {
    /// That of the run before the last one: what follows it comes from the journal.
    Before,
    /// None, and nothing that names one.
    Never,
    /// The store is gone, and its marker names the last one.
    Lost,
}

#[test]
fn whatever_is_damaged_the_next_runs_are_halted_and_in_the_journal_under_numbers_of_their_own() {
    for checkpointed in [Checkpointed::Before, Checkpointed::Never, Checkpointed::Lost] {
        for cut in [false, true] {
            let (place, case) = (Place::new(), format!("checkpoint {checkpointed:?}, cut: {cut}"));
            let data = place.data();
            simulate(&half_a_plan(&data));
            let before = place.path().join("before");
            copy(&data.path(), &before);
            simulate(&half_a_plan(&data));
            let (store, marker) = (data.dir().checkpoint_store(), data.dir().checkpoint_marker());
            fs::remove_dir_all(&store).unwrap();
            match checkpointed {
                Checkpointed::Before => {
                    copy(&before.join("store.sled"), &store);
                    fs::copy(before.join("checkpoint"), &marker).unwrap();
                }
                Checkpointed::Never => fs::remove_file(&marker).unwrap(),
                Checkpointed::Lost => {}
            }
            let segment = data.dir().journal().join("00000001.log");
            let mut bytes = fs::read(&segment).unwrap();
            let lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
            let last = lines.len() as u64;
            if cut {
                bytes = lines[..lines.len() - 5].concat();
            } else {
                let at = lines[..lines.len() - 5].concat().len();
                bytes[at + 100] ^= 1;
            }
            fs::write(&segment, &bytes).unwrap();

            for run in 3..5 {
                let next = simulate(&half_a_plan(&data));
                assert_eq!(next.seconds_in_state["HALTED"], 10 * 3_600, "{case}, run {run}");
                assert_eq!(next.orders.intended, 0, "{case}, run {run}");
            }

            let mut reader = Reader::from_segment(&data.dir().journal(), 2).unwrap();
            let first = reader.next_line().unwrap().unwrap().record().unwrap();
            assert!(matches!(first.kind, RecordKind::State(_)), "{case}: {first:?}");
            assert_eq!((first.seq.0, first.run), (last + 1, 3), "{case}: no number is used twice");
            assert_eq!(fs::read(&segment).unwrap(), bytes, "{case}: what is left is kept");
        }
    }
}

#[test]
fn with_the_journal_gone_the_state_is_that_of_the_checkpoint_also_after_a_kill() {
    for gone in ["journal/00000001.log", "journal"] {
        let place = Place::new();
        let data = place.data();
        simulate(&half_a_plan(&data));
        let (before, kept) = (data.state(), place.path().join("kept"));
        copy(&data.path(), &kept);
        let gone_path = data.path().join(gone);
        let removed =
            if gone_path.is_dir() { fs::remove_dir_all(gone_path) } else { fs::remove_file(gone_path) };
        removed.unwrap();
        let halted = |run: &Summary| run.seconds_in_state["HALTED"] == 10 * 3_600 && run.orders.intended == 0;

        assert!(halted(&simulate(&half_a_plan(&data))), "{gone}");
        // As if that run had been killed before its first checkpoint.
        fs::remove_dir_all(data.dir().checkpoint_store()).unwrap();
        copy(&kept.join("store.sled"), &data.dir().checkpoint_store());
        fs::copy(kept.join("checkpoint"), data.dir().checkpoint_marker()).unwrap();
        let third = simulate(&half_a_plan(&data));

        assert!(halted(&third), "{gone}");
        let after = data.state();
        assert_eq!(after.account.balances(), before.account.balances(), "{gone}");
        assert_eq!(legs(&after), legs(&before), "{gone}");
        let damaged = |alarm: &ListedAlarm| alarm.headline.contains("damaged");
        assert!(!third.alarms_listed.iter().any(damaged), "what was written since is no damage: {third:?}");
    }
}

#[test]
fn a_journal_without_a_run_beside_a_venue_that_has_traded_halts_and_names_each_execution() {
    for lines_left in [0, 1] {
        let place = Place::new();
        let data = place.data();
        simulate(&half_a_plan(&data));
        let executed = data.venue_fills();
        let first = data.dir().journal().join("00000001.log");
        let bytes = fs::read(&first).unwrap();
        fs::remove_dir_all(data.dir().journal()).unwrap();
        fs::remove_dir_all(data.dir().checkpoint_store()).unwrap();
        fs::remove_file(data.dir().checkpoint_marker()).unwrap();
        if lines_left > 0 {
            fs::create_dir(data.dir().journal()).unwrap();
            let left: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').take(lines_left).collect();
            fs::write(&first, left.concat()).unwrap();
        }

        let second = simulate(&half_a_plan(&data));

        assert_eq!(second.seconds_in_state["HALTED"], 10 * 3_600, "{lines_left}");
        assert_eq!(second.orders.intended, 0, "{lines_left}");
        let named =
            |words: &str| second.alarms_listed.iter().filter(|alarm| alarm.headline.contains(words)).count();
        assert!(named("the journal knows of no run, but the venue has orders") > 0, "{second:?}");
        assert_eq!(named("execution of an unknown order"), executed.len(), "{second:?}");
    }
}

#[test]
fn a_journal_that_is_damaged_or_has_lost_records_halts_the_start_and_stays_as_it_is() {
    for lost in [true, false] {
        let place = Place::new();
        let data = place.data();
        simulate(&half_a_plan(&data));
        let segment = data.dir().journal().join("00000001.log");
        let mut bytes = fs::read(&segment).unwrap();
        if lost {
            let lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
            bytes = lines[..lines.len() - 5].concat();
        } else {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        fs::write(&segment, &bytes).unwrap();

        let second = simulate(&half_a_plan(&data));

        assert_eq!(second.seconds_in_state["HALTED"], 10 * 3_600, "lost: {lost}");
        assert!(second.alarms_raised["Emergency"] >= 1, "lost: {lost}");
        assert_eq!(second.orders.intended, 0, "lost: {lost}");
        assert!(data.path().join("HALT").exists(), "lost: {lost}");
        assert_eq!(fs::read(&segment).unwrap(), bytes, "what is left is kept");
        assert_eq!(data.state().control.state, TradingState::Halted);
    }
}
