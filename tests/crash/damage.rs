//! Damaged checkpoint stores: flipped, cut, overwritten, deleted in part or whole, after a run that ended in order and
//! after one that was killed. The program starts every time, with the state that the journal tells, and says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use andon::alarm::{AlarmSource, AlarmTransition};
use andon::coordinator::record::{Record, RecordKind};
use andon::runtime::options::RunOptions;
use andon::store::{Checkpoint, CheckpointStore};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng as _};

use super::kills::run_and_kill;
use super::place::{Data, HOUR, Place, options, simulate, text};
use super::replay::{copy_parts, replay};
use super::side_by_side::side_by_side;

const SEED: u64 = 20_260_303;
const ROUNDS: usize = 100;
/// Ways to damage a store.
const KINDS: usize = 5;

/// Life of the run that is killed: it takes a checkpoint a second.
const LIFE: Duration = Duration::from_millis(2_500);

#[test]
fn a_damaged_checkpoint_store_never_stops_a_start_and_is_always_told() {
    println!("seed {SEED}");
    let place = Place::new();
    let ended = Data(place.path().join("ended"));
    simulate(&RunOptions { run_for: Some(HOUR * 2), data_dir: Some(ended.path()), ..options() });
    let killed = Data(place.path().join("killed"));
    // A slow disk may need more than one life for it.
    while !killed.path().join("checkpoint").exists() {
        run_and_kill(&place, &killed, LIFE);
    }

    let told = side_by_side(ROUNDS, |round| {
        let whole = if (round / KINDS).is_multiple_of(2) { &ended } else { &killed };
        start_damaged(&place, whole, round)
    });

    let told = told.into_iter().filter(|told| *told).count();
    println!(
        "{ROUNDS} damaged checkpoint stores: {ROUNDS} started, {told} told, the others had lost nothing"
    );
    assert!(told > ROUNDS / 2, "most of the damage hits nothing");
}

/// Whether the start of a damaged copy of `whole` told the damage.
fn start_damaged(place: &Place, whole: &Data, round: usize) -> bool {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED + round as u64);
    let data = Data(place.path().join(format!("round-{round}")));
    let parts = ["journal", "store.sled", "checkpoint", "venue.log", "identity.json", "run", "reserve"];
    copy_parts(whole, &data, &parts);
    let before = stored(&data);
    assert!(before.is_some(), "there is nothing to lose");
    let what = damage(&data.path().join("store.sled"), round, &mut rng);
    let is_whole = stored(&data) == before;

    let args = ["--no-console", "--speed", "max", "--for", "1m", "--data-dir", data.arg()];
    let started = place.andon(&args);

    let at = format!("seed {SEED}, round {round}, {}, {what}", whole.0.display());
    assert!(started.status.success(), "{at}: {}", text(&started.stderr));
    let records = data.records();
    assert!(data.state() == replay(&records, &at), "{at}: another state than the journal's");
    data.assert_verifies();
    // Some bytes are in nobody's use: then the checkpoint is there as it was.
    assert_eq!(is_told(&records), !is_whole, "{at}: told, lost");
    fs::remove_dir_all(data.path()).unwrap();
    !is_whole
}

/// Damages a file of the store, or all; says how.
fn damage(store: &Path, round: usize, rng: &mut ChaCha8Rng) -> String {
    let mut below = |n: usize| usize::try_from(rng.next_u64() % n.max(1) as u64).unwrap();
    let entries = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    let path = files[below(files.len())].clone();
    let mut bytes = fs::read(&path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let what = match round % KINDS {
        0 => {
            let flips = 1 + below(32);
            for _ in 0..flips {
                let at = below(bytes.len());
                bytes[at] ^= 1 << below(8);
            }
            format!("{flips} bits of {name} flipped")
        }
        1 => {
            bytes.truncate(below(bytes.len()));
            format!("{name} cut to {} bytes", bytes.len())
        }
        2 => {
            fs::remove_file(path).unwrap();
            return format!("{name} deleted");
        }
        3 => {
            fs::remove_dir_all(store).unwrap();
            return "all deleted".to_owned();
        }
        _ => {
            let from = below(bytes.len());
            let garbage = 1 + below(bytes.len() - from);
            for byte in &mut bytes[from..from + garbage] {
                *byte = u8::try_from(below(256)).unwrap();
            }
            format!("{garbage} bytes of {name} overwritten from {from}")
        }
    };
    fs::write(path, bytes).unwrap();
    what
}

/// The checkpoint that can still be read. Works on a copy, which it opens.
fn stored(data: &Data) -> Option<Checkpoint> {
    let copy = Data(data.path().with_extension("opened"));
    copy_parts(data, &copy, &["store.sled"]);
    let found = CheckpointStore::open(&copy.dir()).unwrap().checkpoint.unwrap_or(None);
    fs::remove_dir_all(copy.path()).unwrap();
    found
}

/// The alarm that the checkpoint was rebuilt, in the run after the damage: the last one.
fn is_told(records: &[Record]) -> bool {
    let last = records.last().map(|record| record.run);
    records.iter().filter(|record| Some(record.run) == last).any(|record| {
        matches!(&record.kind, RecordKind::Alarm(AlarmTransition::Raised { key, .. })
            if key.source == AlarmSource::CheckpointRebuilt)
    })
}
