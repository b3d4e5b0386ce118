//! `kill -9` at a random moment while the program trades. What it had told to be on the disk is there with the hash it
//! told, the checkpoint and the records after it say the same as all records, and what the venue did is booked once.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use andon::store::{Anchor, Scope, verify};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng as _};

use super::orders::{intended, sent_blindly};
use super::place::{Data, Place, booked, text};
use super::replay::{copy_parts, replay};
use super::side_by_side::side_by_side;

/// Hundreds of small legs, so close that something is always on its way.
const RUN: [&str; 14] = [
    "--no-console",
    "--speed",
    "600",
    "--set",
    "portfolio.dca.legs_max=400",
    "--set",
    "portfolio.dca.spacing=20s",
    "--set",
    "risk.orders.per_minute_max=1000",
    "--set",
    "orchestration.control.restart=last",
    "--for=20d",
    "--anchors",
    "/dev/stdout",
];
const SIGKILL: i32 = 9;
/// The longest that most runs live after their first word, milliseconds.
const LIFE_MS_MAX: u64 = 400;
/// Every so many runs one lives longer, so that there is a checkpoint to go on from, or one under way.
const LONG_EVERY: usize = 4;
/// By how much. A checkpoint is taken every second.
const LONGER: Duration = Duration::from_millis(1_600);
/// Longest wait for a word of the program; only a hang takes as long.
const WORD_WITHIN: Duration = Duration::from_secs(30);

/// What the cycles in one directory saw.
#[derive(Debug, Default)]
struct Seen {
    anchors: Vec<Anchor>,
    fills: usize,
    idle_cycles: usize,
    torn: usize,
    with_checkpoint: usize,
}

#[test]
fn nothing_told_to_be_durable_is_lost_by_a_kill() {
    kill_often(2, 5, 20_260_301);
}

#[test]
#[ignore = "long: 200 kills"]
fn nothing_told_to_be_durable_is_lost_by_200_kills() {
    kill_often(10, 20, 20_260_302);
}

#[test]
fn a_kill_at_full_speed_leaves_no_order_at_the_venue_that_the_journal_does_not_know() {
    const KILLS: usize = 6;
    const LIFE_MS_EACH: u64 = 40;
    let at_full_speed = |data: &Data, span: &str| {
        ["--no-console", "--speed", "max", "--for", span, "--data-dir", data.arg()].map(str::to_owned)
    };
    let orders = side_by_side(KILLS, |n| {
        let place = Place::new();
        let data = place.data();
        let args = at_full_speed(&data, "3650d");
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut child = place.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let log = data.path().join("venue.log");
        let trades = || fs::read_to_string(&log).is_ok_and(|text| text.contains("accepted"));
        for _ in 0..WORD_WITHIN.as_millis() / 10 {
            if trades() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // The moment of the kill is what is tried here.
        std::thread::sleep(Duration::from_millis(LIFE_MS_EACH * n as u64));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL), "it ended by itself");
        let orders = data.venue_orders();
        assert!(!orders.is_empty(), "kill {n}: it does not trade");
        assert!(
            orders.is_subset(&intended(&data.records_so_far())),
            "kill {n}: an order that nobody recorded"
        );

        let args = at_full_speed(&data, "1h");
        let next = place.andon(&args.iter().map(String::as_str).collect::<Vec<_>>());

        assert!(next.status.success(), "kill {n}: {}", text(&next.stderr));
        assert_eq!(booked(&data.records()), data.venue_fills(), "kill {n}: executed and booked");
        data.assert_verifies();
        orders.len()
    });
    println!("{KILLS} kills at full speed, orders at the venue: {orders:?}");
}

/// Kills `cycles` runs in each of `directories`, a few directories at a time.
fn kill_often(directories: usize, cycles: usize, seed: u64) {
    println!("seed {seed}");
    let mut all = Seen::default();
    for saw in side_by_side(directories, |n| kill_in_one_directory(seed + n as u64, cycles)) {
        all.anchors.extend(saw.anchors);
        all.fills += saw.fills;
        all.idle_cycles += saw.idle_cycles;
        all.torn += saw.torn;
        all.with_checkpoint += saw.with_checkpoint;
    }
    let kills = directories * cycles;
    println!(
        "{kills} kills: {} anchors told, 0 lost; {} fills, {} kills without one; {} torn lines; {} times on from a \
         checkpoint",
        all.anchors.len(),
        all.fills,
        all.idle_cycles,
        all.torn,
        all.with_checkpoint
    );
    assert!(all.fills >= 2 * kills && all.idle_cycles * 4 <= kills, "it hardly trades");
    assert!(all.anchors.len() >= kills, "it hardly writes");
    assert!(all.with_checkpoint * LONG_EVERY * 2 >= kills, "it hardly takes checkpoints");
}

fn kill_in_one_directory(seed: u64, cycles: usize) -> Seen {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let place = Place::new();
    let data = place.data();
    let mut saw = Seen::default();
    for cycle in 1..=cycles {
        let fills = if cycle == 1 { 0 } else { booked(&data.records_so_far()).len() };
        let longer = if cycle.is_multiple_of(LONG_EVERY) { LONGER } else { Duration::ZERO };
        let life = longer + Duration::from_millis(rng.next_u64() % LIFE_MS_MAX);
        saw.anchors.extend(run_and_kill(&place, &data, life));
        let at = format!("seed {seed}, kill {cycle}");

        let report = verify(&data.dir().journal(), &saw.anchors, Scope::All).unwrap();
        assert!(report.is_sound(), "{at}: {report}");
        let told = saw.anchors.iter().map(|anchor| anchor.seq).max().unwrap();
        assert!(report.head.seq >= told && report.anchored >= told, "{at}: told {told}, {report}");

        let copy = place.path().join(format!("copy-{cycle}"));
        let (has_checkpoint, torn) = assert_checkpoint_and_tail_equal_all_records(&data, &copy, &at);
        saw.with_checkpoint += usize::from(has_checkpoint);
        saw.torn += usize::from(torn);

        let records = data.records_so_far();
        let (orders, done, fills_now) = (intended(&records), data.venue_fills(), booked(&records));
        assert!(data.venue_orders().is_subset(&orders), "{at}: an order that nobody recorded");
        assert_eq!(sent_blindly(&records), None, "{at}: sent again without asking");
        assert!(
            fills_now.iter().all(|(trade, id)| done.get(trade) == Some(id)),
            "{at}: booked, not executed"
        );
        saw.fills += fills_now.len() - fills;
        saw.idle_cycles += usize::from(fills_now.len() == fills);
    }
    finish(&place, &data);
    saw
}

/// The anchors that a run told before it was killed, `life` after the first of them.
pub fn run_and_kill(place: &Place, data: &Data, life: Duration) -> Vec<Anchor> {
    let args: Vec<_> = RUN.into_iter().chain(["--data-dir", data.arg()]).collect();
    let mut child = place.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (first, reading) = read_anchors(child.stdout.take().unwrap());
    first.recv_timeout(WORD_WITHIN).unwrap();
    // The moment of the kill is what is tried here.
    std::thread::sleep(life);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL), "it ended by itself");
    reading.join().unwrap()
}

fn read_anchors(pipe: ChildStdout) -> (Receiver<()>, JoinHandle<Vec<Anchor>>) {
    let (tell, first) = channel();
    let reading = std::thread::spawn(move || {
        let mut told = Vec::new();
        for line in BufReader::new(pipe).lines() {
            told.push(line.unwrap().parse().unwrap());
            // Nobody waits after the first.
            let _ = tell.send(());
        }
        told
    });
    (first, reading)
}

/// Returns whether there was a checkpoint to go on from, and whether the last line was torn. Works on a copy: recovery
/// sets a torn line aside, which is the next run's to do.
fn assert_checkpoint_and_tail_equal_all_records(data: &Data, copy: &Path, at: &str) -> (bool, bool) {
    let copied = Data(copy.to_owned());
    copy_parts(data, &copied, &["journal", "store.sled", "checkpoint"]);
    let has_checkpoint = copied.recovered().checkpoint.is_some();
    let gone_on = copied.state();
    let replayed = replay(&copied.records(), at);
    assert!(gone_on == replayed, "{at}: checkpoint and tail differ from all records");
    let torn = fs::read_dir(copy.join("journal")).unwrap();
    let torn = torn.into_iter().any(|entry| entry.unwrap().file_name().to_string_lossy().contains(".torn-"));
    (has_checkpoint, torn)
}

/// A last run with nothing to send any more: by its end everything that the venue executed is booked.
fn finish(place: &Place, data: &Data) {
    let script = place.write("enough.yaml", "- { at: 1s, do: cancel_plan all }\n");
    let args: Vec<_> =
        RUN.into_iter().map(|word| if word == "--for=20d" { "--for=30m" } else { word }).collect();
    let mut last = place.command(&args);
    last.args(["--data-dir", data.arg(), "--operator-script"]).arg(script);
    let output = last.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(booked(&data.records()), data.venue_fills(), "executed and booked");
    data.assert_verifies();
}
