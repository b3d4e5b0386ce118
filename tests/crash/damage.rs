//! Damaged checkpoint stores: flipped, cut, deleted, overwritten. The program starts every time, with the state that
//! the journal tells, and says so.

use std::fs;
use std::path::{Path, PathBuf};

use andon::alarm::{AlarmSource, AlarmTransition};
use andon::coordinator::record::{Record, RecordKind};
use andon::runtime::options::RunOptions;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng as _};

use super::place::{Data, HOUR, Place, options, simulate, text};
use super::replay::{copy_parts, replay};
use super::side_by_side::side_by_side;

const SEED: u64 = 20_260_303;
const ROUNDS: usize = 100;

#[test]
fn a_damaged_checkpoint_store_never_stops_a_start_and_is_always_told() {
    println!("seed {SEED}");
    let place = Place::new();
    let whole = place.data();
    simulate(&RunOptions { run_for: Some(HOUR * 2), data_dir: Some(whole.path()), ..options() });

    let told = side_by_side(ROUNDS, |round| start_damaged(&place, &whole, round));

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
    copy_parts(whole, &data, &["journal", "store.sled", "venue.log", "identity.json", "run", "reserve"]);
    let what = damage(&data.path().join("store.sled"), round, &mut rng);
    let is_whole = has_checkpoint(&data);

    let args = ["--no-console", "--speed", "max", "--for", "1m", "--data-dir", data.arg()];
    let started = place.andon(&args);

    let at = format!("seed {SEED}, round {round}, {what}");
    assert!(started.status.success(), "{at}: {}", text(&started.stderr));
    let records = data.records();
    assert!(data.state() == replay(&records, &at), "{at}: another state than the journal's");
    data.assert_verifies();
    // Some bytes are in nobody's use: then the checkpoint is there as it was.
    assert!(is_told(&records) || is_whole, "{at}: the checkpoint is gone and nobody says so");
    fs::remove_dir_all(data.path()).unwrap();
    is_told(&records)
}

/// Damages one file of the store, or more; says how.
fn damage(store: &Path, round: usize, rng: &mut ChaCha8Rng) -> String {
    let mut below = |n: usize| usize::try_from(rng.next_u64() % n.max(1) as u64).unwrap();
    let entries = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    let path = files[below(files.len())].clone();
    let mut bytes = fs::read(&path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let what = match round % 4 {
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

/// Whether the checkpoint of the last record is still in the store. Works on a copy, which it opens.
fn has_checkpoint(data: &Data) -> bool {
    let copy = Data(data.path().with_extension("opened"));
    copy_parts(data, &copy, &["journal", "store.sled"]);
    let recovered = copy.recovered();
    let found = recovered.checkpoint.as_ref().is_some_and(|it| it.anchor == recovered.head());
    fs::remove_dir_all(copy.path()).unwrap();
    found
}

/// The alarm that the checkpoint was rebuilt, in the run after the damage.
fn is_told(records: &[Record]) -> bool {
    records.iter().filter(|record| record.run == 2).any(|record| {
        matches!(&record.kind, RecordKind::Alarm(AlarmTransition::Raised { key, .. })
            if key.source == AlarmSource::CheckpointRebuilt)
    })
}
