//! A directory of its own for each test: where its runs keep their data, and how to look into what they left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use andon::config::{Config, Overrides};
use andon::coordinator::durable::Durable;
use andon::coordinator::record::{Record, RecordKind};
use andon::domain::{ClientOrderId, InstallId, Now, Seq};
use andon::runtime::options::{ColorChoice, MarketChoice, RunOptions, Speed, SummaryFormat};
use andon::runtime::{RunError, summary::Summary};
use andon::store::{DataDir, Reader, RecoverError, Recovered, Scope, Verdict, recover, verify};
use serde_json::Value;
use tempfile::TempDir;

pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// What is asked of a run unless a test says otherwise: the simulated market of seed 7 with the defaults, at once, in
/// a temporary directory.
pub fn options() -> RunOptions {
    RunOptions {
        market: MarketChoice::Simulated,
        speed: Speed::Max,
        seed: 7,
        run_for: Some(DAY),
        console: false,
        summary: SummaryFormat::Text,
        operator_script: None,
        operator: None,
        data_dir: None,
        durable: false,
        anchors: None,
        read_only: false,
        ascii: false,
        color: ColorChoice::Never,
        config: Arc::new(Config::defaults().unwrap()),
    }
}

/// The defaults with these `FILE.KEY=VALUE` laid over them.
pub fn config(set: &[&str]) -> Arc<Config> {
    let overrides =
        Overrides { dir: None, set: set.iter().map(ToString::to_string).collect(), symbols: None };
    Arc::new(andon::config::load(&overrides).unwrap().config)
}

pub fn simulate(options: &RunOptions) -> Summary {
    andon::runtime::simulate(options).unwrap()
}

/// A home, and a data directory in it.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn data(&self) -> Data {
        Data(self.path().join("data"))
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The program in this home, without the configuration of whoever runs the tests.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
        command.args(args).current_dir(self.path()).env("HOME", self.path());
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME").env_remove("RUST_LOG");
        command
    }

    pub fn andon(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn assert_fails(output: &Output, code: i32, said: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for words in said {
        assert!(stderr.contains(words), "{words:?} is not in: {stderr}");
    }
    assert_eq!(text(&output.stdout), "", "an error belongs on stderr");
}

/// A data directory, looked at from outside.
pub struct Data(pub PathBuf);

impl Data {
    pub fn path(&self) -> PathBuf {
        self.0.clone()
    }

    pub fn arg(&self) -> &str {
        self.0.to_str().unwrap()
    }

    pub fn dir(&self) -> DataDir {
        DataDir::look_at(&self.0)
    }

    pub fn records(&self) -> Vec<Record> {
        Reader::all(&self.dir().journal()).unwrap().records().map(Result::unwrap).collect()
    }

    /// The records of a journal that may still be written to.
    pub fn records_so_far(&self) -> Vec<Record> {
        Reader::all(&self.dir().journal()).unwrap().records().map_while(Result::ok).collect()
    }

    pub fn assert_verifies(&self) {
        let report = verify(&self.dir().journal(), &[], Scope::All).unwrap();
        assert_eq!(report.verdict, Verdict::Sound, "{report}");
        assert_eq!(report.anchored, report.head.seq, "a run that ended in order names its head");
    }

    /// What a start would find. A child that another test is just starting holds our open files, and with them their
    /// locks, until it executes its program: then it is tried again.
    pub fn recovered(&self) -> Recovered<Durable> {
        const TRIES: u32 = 500;
        let is_locked = |error: &RecoverError| error.to_string().contains("acquire lock");
        for _ in 0..TRIES {
            let decode =
                |_: Seq, state: &[u8]| serde_json::from_slice(state).map_err(|error| error.to_string());
            match recover(&self.dir(), decode) {
                Err(error) if is_locked(&error) => std::thread::sleep(Duration::from_millis(10)),
                found => return found.unwrap(),
            }
        }
        panic!("{} stays locked", self.0.display())
    }

    /// The state that a start would go on with.
    pub fn state(&self) -> Durable {
        let recovered = self.recovered();
        assert!(recovered.troubles.is_empty(), "{:?}", recovered.troubles);
        let mut durable = if let Some(checkpoint) = &recovered.checkpoint {
            checkpoint.state.clone()
        } else {
            let record = recovered.records.first().unwrap();
            assert!(matches!(record.kind, RecordKind::State(_)), "the first record is the state");
            Durable::fresh(InstallId::derived("any"), &Config::defaults().unwrap(), Now::both(record.at))
        };
        recovered.records.iter().for_each(|record| durable.apply(record));
        durable
    }

    /// The same directory elsewhere, as if no checkpoint had ever been written.
    pub fn copy_without_checkpoint(&self, to: &Path) -> Self {
        copy(&self.0, to);
        fs::remove_dir_all(to.join("store.sled")).unwrap();
        fs::remove_file(to.join("checkpoint")).unwrap();
        Self(to.to_owned())
    }

    /// Every fill that the venue has executed, stops and targets included, by its trade id, with its order.
    pub fn venue_fills(&self) -> BTreeMap<u64, ClientOrderId> {
        let mut fills = BTreeMap::new();
        for line in self.venue_lines() {
            let of_book = line.pointer("/book/fills").and_then(Value::as_object);
            let changes = changes(&line);
            let new =
                changes.filter_map(|it| it.pointer("/filled/fill").or(it.pointer("/protection_filled/fill")));
            for fill in of_book.into_iter().flat_map(|fills| fills.values()).chain(new) {
                let order = serde_json::from_value(fill["client_id"].clone()).unwrap();
                assert_eq!(fills.insert(fill["trade_id"].as_u64().unwrap(), order), None);
            }
        }
        fills
    }

    /// Every order that the venue has accepted; none was accepted twice.
    pub fn venue_orders(&self) -> BTreeSet<ClientOrderId> {
        let mut orders = BTreeSet::new();
        for line in self.venue_lines() {
            let of_book = line.pointer("/book/orders").and_then(Value::as_object);
            let of_book = of_book.into_iter().flat_map(|orders| orders.keys().cloned().map(Value::String));
            let new = changes(&line).filter_map(|it| it.pointer("/accepted/order/client_id")).cloned();
            for id in of_book.chain(new) {
                assert!(
                    orders.insert(serde_json::from_value(id.clone()).unwrap()),
                    "{id} was accepted twice"
                );
            }
        }
        orders
    }

    /// The venue's log: first the book at the start of the last run, then what changed in it.
    fn venue_lines(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.0.join("venue.log")).unwrap();
        // A line that a kill cut off was never acted upon.
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn changes(line: &Value) -> impl Iterator<Item = &Value> {
    line["changes"].as_array().into_iter().flatten()
}

pub fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The orders that were to be handed over; none was handed over twice.
pub fn intended(records: &[Record]) -> BTreeSet<ClientOrderId> {
    let mut orders = BTreeSet::new();
    for record in records {
        if let RecordKind::OrderIntended(order) = &record.kind {
            assert!(orders.insert(order.client_id), "{} went out twice", order.client_id);
        }
    }
    orders
}

/// The fills that were booked, by the venue's trade id; each must be there once.
pub fn booked(records: &[Record]) -> BTreeMap<u64, ClientOrderId> {
    let mut fills = BTreeMap::new();
    for record in records {
        if let RecordKind::Fill { posting, .. } = &record.kind {
            let fill = &posting.fill;
            let before = fills.insert(fill.trade_id.0, fill.client_id);
            assert_eq!(before, None, "trade {} was booked twice", fill.trade_id);
        }
    }
    fills
}

/// What a start refused.
pub fn refused(options: &RunOptions) -> RunError {
    andon::runtime::simulate(options).unwrap_err()
}
