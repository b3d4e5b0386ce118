//! Figures of journal, recovery and the way of an order through them, on the disk that holds `target/`.
//!
//! `cargo bench --bench store` takes about a minute and prints one line a figure; `cargo bench --bench store -- NAME`
//! prints those whose name contains NAME. None of them is a loop that criterion could time: most wait for the disk.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on must stop")]
#![expect(clippy::print_stdout, reason = "the figures are this benchmark's result")]

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use andon::config::Config;
use andon::coordinator::durable::Durable;
use andon::coordinator::record::{Record, RecordKind};
use andon::domain::{InstallId, Now, OrderStatus, Seq};
use andon::runtime::options::{ColorChoice, MarketChoice, RunOptions, Speed, SummaryFormat};
use andon::runtime::{Assembly, clock, simulate};
use andon::store::{DataDir, Reader, Resume, Scope, SyncMode, Writer, WriterThread, verify};
use tempfile::TempDir;

/// How long writers write.
const WRITE_FOR: Duration = Duration::from_secs(4);
/// Records of the long history, at least.
const HISTORY: usize = 100_000;
/// Simulated days that give as many.
const HISTORY_DAYS: u64 = 215;
/// Queue of the writer, as in a live run.
const QUEUE: usize = 65_536;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_trial = arguments.iter().any(|argument| argument == "--test" || argument == "--list");
    let wanted =
        |name: &str| !is_trial && (filters.is_empty() || filters.iter().any(|filter| name.contains(*filter)));
    if wanted("acknowledged") {
        acknowledged();
    }
    if wanted("order") {
        order();
    }
    if wanted("history") {
        history();
    }
}

/// A directory on the disk, not on a file system in memory.
fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn options(data_dir: &Path, days: u64) -> RunOptions {
    RunOptions {
        market: MarketChoice::Simulated,
        speed: Speed::Max,
        seed: 7,
        run_for: Some(Duration::from_secs(days * 86_400)),
        console: false,
        summary: SummaryFormat::Text,
        operator_script: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/operator.yaml")),
        operator: None,
        data_dir: Some(data_dir.to_owned()),
        durable: false,
        anchors: None,
        read_only: false,
        ascii: false,
        color: ColorChoice::Never,
        config: Arc::new(Config::defaults().unwrap()),
    }
}

fn journal_of(dir: &Path) -> std::path::PathBuf {
    DataDir::look_at(dir).journal()
}

fn records(journal: &Path) -> Vec<Record> {
    Reader::all(journal).unwrap().records().map(Result::unwrap).collect()
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// The value below which `permille` of the sorted ones are.
fn at<T: Copy>(sorted: &[T], permille: usize) -> T {
    sorted[(sorted.len() * permille / 1_000).min(sorted.len() - 1)]
}

/// Records that are written and acknowledged as durable one after the other by each of so many writers.
fn acknowledged() {
    let run = directory();
    simulate(&options(&run.path().join("data"), 3)).unwrap();
    let real: Arc<[Record]> = records(&journal_of(&run.path().join("data"))).into();
    let [one, many] = [1, 64].map(|writers| {
        let mut latencies = write_for(WRITE_FOR, writers, &real);
        latencies.sort();
        let rate = latencies.len() as f64 / WRITE_FOR.as_secs_f64();
        let (p50, p99) = (ms(at(&latencies, 500)), ms(at(&latencies, 990)));
        println!("acknowledged records, {writers} writers: {rate:.0} /s, p50 {p50:.2} ms, p99 {p99:.2} ms");
        rate
    });
    println!("acknowledged records, 64 writers against one: {:.1} times", many / one);
}

fn write_for(span: Duration, writers: usize, real: &Arc<[Record]>) -> Vec<Duration> {
    let place = directory();
    let dir = DataDir::open(&place.path().join("data")).unwrap();
    let writer = Writer::new(Box::new(dir.journal_disk(true)), SyncMode::Data, Resume::FRESH);
    let writer = Arc::new(Mutex::new((0_u64, WriterThread::spawn(writer, QUEUE).unwrap())));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let until = clock::monotonic() + span;
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (writer, real) = (Arc::clone(&writer), Arc::clone(real));
            let mut progress = writer.lock().unwrap().1.progress();
            runtime.spawn(async move {
                let mut latencies = Vec::new();
                while clock::monotonic() < until {
                    let began = clock::monotonic();
                    let mine = {
                        let (seq, writer) = &mut *writer.lock().unwrap();
                        *seq += 1;
                        let record = &real[usize::try_from(*seq).unwrap() % real.len()];
                        writer.append(Record { seq: Seq(*seq), ..record.clone() }, false).unwrap();
                        Seq(*seq)
                    };
                    progress.wait_for(|it| it.durable_seq() >= mine).await.unwrap();
                    latencies.push(began.elapsed());
                }
                latencies
            })
        })
        .collect();
    runtime.block_on(async {
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    })
}

/// From the record of an order to the record of the venue's answer, in the real program while it trades: the intent on
/// the disk, the gate, the venue and its own log on the disk. Wall times of records are whole milliseconds.
fn order() {
    const LIVE: [&str; 11] = [
        "--no-console",
        "--speed=600",
        "--for=4h",
        "--set",
        "portfolio.dca.legs_max=400",
        "--set",
        "portfolio.dca.spacing=20s",
        "--set",
        "risk.orders.per_minute_max=1000",
        "--set",
        "orchestration.control.restart=last",
    ];
    let place = directory();
    let data = place.path().join("data");
    let mut live = Command::new(env!("CARGO_BIN_EXE_andon"));
    let done = live.args(LIVE).arg("--data-dir").arg(&data).env("HOME", place.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut sent = std::collections::BTreeMap::new();
    let mut waits = Vec::new();
    for record in records(&journal_of(&data)) {
        let wall = record.wall.unwrap();
        match &record.kind {
            RecordKind::OrderIntended(order) => drop(sent.insert(order.client_id, wall)),
            RecordKind::OrderStatus { client_id, status: OrderStatus::Accepted, .. } => {
                waits.extend(sent.remove(client_id).map(|began| wall.since(began)));
            }
            _ => {}
        }
    }
    waits.sort();
    let (p50, p99, max) = (ms(at(&waits, 500)), ms(at(&waits, 990)), ms(at(&waits, 1_000)));
    println!(
        "order decided to venue's answer, durable, {} orders: p50 {p50:.0} ms, p99 {p99:.0} ms, max {max:.0} ms",
        waits.len()
    );
}

/// A long history: its size, reading, checking and applying it, and starting behind it.
fn history() {
    let place = directory();
    let data = place.path().join("data");
    simulate(&options(&data, HISTORY_DAYS)).unwrap();
    let journal = journal_of(&data);
    let bytes: u64 =
        std::fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();

    let began = clock::monotonic();
    let report = verify(&journal, &[], Scope::All).unwrap();
    let took = began.elapsed();
    assert!(report.is_sound(), "{report}");
    let count = usize::try_from(report.records).unwrap();
    assert!(count >= HISTORY, "{count} records in {HISTORY_DAYS} days");
    println!("history: {count} records, mean {} bytes", bytes / report.records);
    println!("history verified: {:.0} records/s", report.records as f64 / took.as_secs_f64());

    let began = clock::monotonic();
    let records = records(&journal);
    println!("history read and checked: {HISTORY} records in {:.0} ms", scaled(began.elapsed(), count));
    let first = Now::both(records[0].at);
    let mut durable = Durable::fresh(InstallId::derived("bench"), &Config::defaults().unwrap(), first);
    let began = clock::monotonic();
    for record in &records {
        durable.apply(record);
    }
    println!("history applied: {HISTORY} records in {:.0} ms", scaled(began.elapsed(), count));

    for (name, keep) in [("with its checkpoint", true), ("without", false)] {
        let mut starts: Vec<_> = (0..9).map(|_| start(&data, keep)).collect();
        starts.sort();
        println!("history, start {name}: {:.0} ms (median of 9)", ms(at(&starts, 500)));
    }
}

/// Milliseconds for [`HISTORY`] records, when `count` took `span`.
fn scaled(span: Duration, count: usize) -> f64 {
    ms(span) * HISTORY as f64 / count as f64
}

/// Until everything is there to trade: recovery, venue, agents, core.
fn start(data: &Path, with_checkpoint: bool) -> Duration {
    if !with_checkpoint {
        std::fs::remove_dir_all(DataDir::look_at(data).checkpoint_store()).unwrap();
    }
    let options = options(data, 1);
    let began = clock::monotonic();
    let assembly = Assembly::new(&options, data).unwrap();
    let took = began.elapsed();
    drop(assembly);
    took
}
