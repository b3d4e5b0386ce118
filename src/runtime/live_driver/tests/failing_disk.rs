//! A live run whose journal fails: the gate is shut, exits still go out, nothing piles up; and the way back, with and
//! without a restart.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rust_decimal::Decimal;

use super::*;
use crate::coordinator::record::Record;
use crate::domain::{Asset, Command, ExecutionEvent, Payload, ReasonCode, TradeId, TradingState};
use crate::runtime::tests::NoDisk;
use crate::store::{
    Anchor, Disk, FsDisk, JournalFile, OrderNotes, Reader, Resume, Scope, SegmentNo, SyncMode, Verdict,
    Writer, verify,
};

/// Turns of the loop before something counts as never happening.
const TURNS_MAX: u32 = 20_000;

/// A disk that is full when the test says so.
#[derive(Clone)]
struct Faulty {
    inner: FsDisk,
    full: Arc<AtomicBool>,
    /// Giving the reserve back makes room for as long as there is no second failure.
    reserve_helps: bool,
    helped: Arc<AtomicBool>,
}

impl Faulty {
    fn check(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) && !self.helped.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

struct FaultyFile(Box<dyn JournalFile>, Faulty);

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.check()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl JournalFile for FaultyFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Disk for Faulty {
    fn create(&mut self, segment: SegmentNo) -> io::Result<Box<dyn JournalFile>> {
        Ok(Box::new(FaultyFile(self.inner.create(segment)?, self.clone())))
    }

    fn open(&mut self, segment: SegmentNo) -> io::Result<Box<dyn JournalFile>> {
        Ok(Box::new(FaultyFile(self.inner.open(segment)?, self.clone())))
    }

    fn cut(&mut self, segment: SegmentNo, len: u64) -> io::Result<()> {
        self.inner.cut(segment, len)
    }

    fn note_head(&mut self, segment: SegmentNo, head: Anchor) -> io::Result<()> {
        self.check()?;
        self.inner.note_head(segment, head)
    }

    fn free_reserve(&mut self) -> io::Result<()> {
        self.helped.fetch_or(self.reserve_helps, Ordering::SeqCst);
        self.inner.free_reserve()
    }

    fn fill_reserve(&mut self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.helped.store(false, Ordering::SeqCst);
        self.inner.fill_reserve()
    }
}

/// A live run with 0.1 BTC, turned by hand.
struct Run {
    driver: LiveDriver,
    traffic: crate::runtime::handle::Traffic,
    full: Arc<AtomicBool>,
    stop: watch::Receiver<Option<SafeText>>,
    /// What a run ends without.
    _kept: (watch::Sender<Option<SafeText>>, Watchdog, InstanceLock),
}

impl Run {
    fn start(place: &Path, reserve_helps: bool) -> Self {
        let mut config = Config::defaults().unwrap();
        config.execution.account.start.insert(btc(), Decimal::new(1, 1));
        let options = RunOptions {
            speed: Speed::Times(600),
            run_for: None,
            config: config.into(),
            ..simulated_for(Duration::ZERO)
        };
        let mut assembly = Assembly::new(&options, place).unwrap();
        let full = Arc::new(AtomicBool::new(false));
        if assembly.core.durable().seq == Seq(0) {
            let inner = assembly.dir.journal_disk(true);
            let disk = Faulty { inner, full: Arc::clone(&full), reserve_helps, helped: Arc::default() };
            assembly.journal = Writer::new(Box::new(disk), SyncMode::Data, Resume::FRESH);
        }
        let Engine { driver, handle, watchdog, lock, .. } =
            LiveDriver::prepare(assembly, 600, Actor::Script).unwrap();
        let (stopper, stop) = watch::channel(None);
        Self { traffic: handle.traffic(), driver, full, stop, _kept: (stopper, watchdog, lock) }
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&LiveDriver) -> bool) {
        for _ in 0..TURNS_MAX {
            if holds(&self.driver) {
                return;
            }
            self.driver.turn(None, &mut self.stop).await;
        }
        panic!("never: {what}");
    }

    /// Prices are there, and everything so far is on the disk.
    async fn warm(&mut self) {
        self.until("fresh and durable", |driver| {
            let durable = driver.core.durable();
            driver.outbox.len() == 0 && durable.marks.len() > 2 && durable.plans.open().next().is_some()
        })
        .await;
    }

    async fn command(&mut self, words: &str, confirmation: Confirmation) -> CommandOutcome {
        let (reply, mut outcome) = oneshot::channel();
        let command = Command::parse(words).unwrap();
        self.driver.request(Request { command, confirmation, reply });
        for _ in 0..TURNS_MAX {
            if let Ok(outcome) = outcome.try_recv() {
                return outcome;
            }
            self.driver.turn(None, &mut self.stop).await;
        }
        panic!("no answer to {words}");
    }

    /// As the operator does it: the preview, then the code that it names.
    async fn confirmed(&mut self, words: &str) -> CommandOutcome {
        let shown_at = self.driver.clock.now().operator;
        let is_told =
            |driver: &LiveDriver| driver.snapshots.borrow().control.epoch == driver.world.gate.epoch();
        self.until("the core knows of the gate", is_told).await;
        let code = match self.command(words, Confirmation::None).await {
            CommandOutcome::Preview { code, .. } => code,
            CommandOutcome::Done { .. } | CommandOutcome::Refused { .. } => None,
        };
        let epoch = self.driver.world.gate.epoch();
        self.command(words, Confirmation::Given { epoch, shown_at, code }).await
    }

    /// The process is gone; nothing is written any more.
    async fn crash(mut self) {
        while self.driver.checkpoints.is_under_way() {
            tokio::task::yield_now().await;
        }
    }
}

/// But for what is less than a step of the venue.
fn is_sold(driver: &LiveDriver) -> bool {
    driver.core.durable().account.balance(&btc()) < Decimal::new(1, 8)
}

fn btc() -> Asset {
    "BTC".parse().unwrap()
}

fn journal(place: &Path) -> std::path::PathBuf {
    DataDir::look_at(place).journal()
}

fn segments(place: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(journal(place)).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "log"));
    files.sort();
    let first_kind = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().next().unwrap_or_default().to_owned();
        line.split("\"kind\":\"").nth(1).unwrap_or_default().split('"').next().unwrap().to_owned()
    };
    files
        .iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), first_kind(path)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_measurement_is_under_way_at_a_time_and_one_that_hangs_keeps_a_release_back() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), false);
    run.warm().await;
    run.until("measured", |driver| driver.probing.strong_count() == 0).await;
    run.command("halt", Confirmation::None).await;
    let why = |outcome| format!("{outcome:?}").contains("the last test write does not end");
    assert!(!why(run.command("release too early", Confirmation::None).await));

    let hangs = Arc::new(());
    run.driver.probing = Arc::downgrade(&hangs);
    run.driver.probed_at = Timestamp::EPOCH;
    run.driver.probe();
    assert_eq!(run.driver.probing.strong_count(), 1, "no other one was begun");
    assert!(why(run.command("release too early", Confirmation::None).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_an_answer_at_the_end_gets_it_once_its_record_is_durable() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), false);
    run.warm().await;
    let (reply, outcome) = oneshot::channel();
    let command = CommandId(u64::MAX);
    run.driver.replies.insert(command, reply);
    run.driver.outbox.recorded(run.driver.core.durable().seq.next());
    let done = CommandOutcome::done("noted");
    take_on(&mut run.driver, Effect::Reply { command, outcome: done.clone() });
    assert_eq!(run.driver.outbox.len(), 1);
    run.driver.finish(SafeText::ours("the end"), Duration::ZERO).unwrap();
    assert_eq!(outcome.await.unwrap(), done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_journal_failed_a_flatten_goes_out_nothing_piles_up_and_the_next_start_adopts_it() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), false);
    run.warm().await;

    run.full.store(true, Ordering::SeqCst);
    run.until("NOT DURABLE", |driver| driver.snapshots.borrow().control.not_durable).await;
    assert_eq!(run.driver.world.gate.state(), TradingState::Halted);
    let durable = run.driver.progress.borrow().durable_seq();

    let outcome = run.confirmed("flatten --all").await;
    assert!(outcome.is_done() && format!("{outcome:?}").contains("NOT DURABLE"), "{outcome:?}");
    run.until("sold", is_sold).await;
    assert_eq!(run.driver.progress.borrow().durable_seq(), durable, "nothing of it is in the journal");
    let noted = OrderNotes::new(place.path()).read().unwrap();
    assert!(!noted.orders.is_empty() && noted.unreadable == 0);

    // Half an hour of market time later nothing has piled up, and the bus still speaks.
    let later = run.driver.clock.now().market.plus(Duration::from_secs(1_800));
    run.until("later", |driver| driver.clock.now().market > later).await;
    assert_eq!(run.driver.outbox.len(), 0);
    let shown = Arc::clone(&run.driver.snapshots.borrow());
    assert!(shown.durable == durable && shown.head > durable, "the screen says what is not written");
    let mut messages = Vec::new();
    run.traffic.recv_many(&mut messages, 10_000).await;
    let is_sale = |payload: &Payload| matches!(payload, Payload::Execution(ExecutionEvent::Filled { .. }));
    assert!(messages.iter().any(|message| is_sale(&message.payload)), "the sale was told");

    let account = run.driver.core.durable().account.clone();
    run.crash().await;

    let mut next = Run::start(place.path(), false);
    assert_eq!(next.driver.world.gate.state(), TradingState::Halted, "the latch holds");
    assert!(!is_sold(&next.driver), "the journal does not know of it yet");
    next.until("adopted", is_sold).await;
    let trades = next.driver.world.venue.fills_since(TradeId(0)).unwrap();
    next.until("reconciled and durable", |driver| {
        driver.outbox.len() == 0 && driver.core.durable().open_orders().next().is_none()
    })
    .await;
    assert_eq!(next.driver.core.durable().account.balances(), account.balances());
    assert_eq!(next.driver.core.durable().account.trades(), account.trades());
    assert_eq!(trades.len() as u64, account.trades().complete_to().0, "the venue has executed nothing else");
    assert_eq!(OrderNotes::new(place.path()).read().unwrap().orders, [], "adopted, and put away");
    next.crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_journal_failed_nothing_is_loosened_and_a_reopened_store_has_every_record() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), false);
    run.warm().await;
    run.full.store(true, Ordering::SeqCst);
    run.until("NOT DURABLE", |driver| driver.snapshots.borrow().control.not_durable).await;
    run.command("ack_alarm all 1", Confirmation::Script).await;
    assert!(!run.command("release hope", Confirmation::Script).await.is_done());
    assert!(!run.command("reopen_store", Confirmation::Script).await.is_done(), "the disk is still full");
    assert!(run.driver.snapshots.borrow().control.not_durable);

    run.full.store(false, Ordering::SeqCst);
    let reopened = run.command("reopen_store", Confirmation::Script).await;
    assert!(reopened.is_done() && !format!("{reopened:?}").contains("NOT DURABLE"), "{reopened:?}");
    assert!(!run.driver.core.snapshot(run.driver.clock.now(), None).control.not_durable);
    assert!(run.command("release space is back", Confirmation::Script).await.is_done());
    assert_eq!(run.driver.world.gate.state(), TradingState::Paused);

    let report = verify(&journal(place.path()), &[], Scope::All).unwrap();
    assert_eq!(report.verdict, Verdict::Sound, "{report}");
    let records: Vec<_> =
        Reader::all(&journal(place.path())).unwrap().records().map_while(Result::ok).collect();
    assert!(records.windows(2).all(|pair| pair[1].seq == pair[0].seq.next()), "none is missing");
    let kinds: Vec<_> = segments(place.path()).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!((kinds.len(), kinds[0].as_str(), kinds[2].as_str()), (3, "state", "state"), "{kinds:?}");
    assert!(place.path().join("reserve").exists(), "the reserve is there again");
    run.crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_the_halt_is_recorded_in_the_reserve() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), true);
    run.warm().await;
    run.full.store(true, Ordering::SeqCst);
    run.until("halted and durable", |driver| {
        let control = &driver.core.durable().control;
        control.state == TradingState::Halted && driver.progress.borrow().durable_seq() >= control.recorded
    })
    .await;
    assert_eq!(run.driver.store, Store::OnReserve);
    assert_eq!(run.driver.world.gate.state(), TradingState::Halted);
    assert!(!place.path().join("reserve").exists(), "its space is given back");
    let outcome = run.command("note this is durable", Confirmation::None).await;
    assert!(!format!("{outcome:?}").contains("NOT DURABLE"), "{outcome:?}");
    let refused = format!("{:?}", run.command("reopen_store", Confirmation::Script).await);
    assert!(refused.contains("fill the reserve"), "{refused}");

    run.full.store(false, Ordering::SeqCst);
    assert!(run.command("reopen_store", Confirmation::Script).await.is_done());
    assert_eq!(run.driver.store, Store::Open);
    assert!(place.path().join("reserve").exists());
    run.crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_fills_no_memory() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), false);
    run.warm().await;
    // Records that are never durable: whatever waits in the outbox waits for ever.
    run.driver.outbox.recorded(Seq(u64::MAX));
    let query = Effect::Query {
        client_id: crate::domain::ClientOrderId::derive(crate::domain::InstallId::derived("none"), "x"),
    };
    for _ in 0..70_000 {
        take_on(&mut run.driver, query.clone());
    }
    assert!(run.driver.outbox.len() > 65_536);
    run.driver.flush();
    assert_eq!((run.driver.outbox.len(), run.driver.store), (0, Store::Failed));
    assert_eq!(run.driver.world.gate.state(), TradingState::Halted);
    run.crash().await;
}

/// A writer whose thread is gone.
async fn gone_writer(run: &Run) -> WriterThread {
    let breaking = NoDisk(|| panic!("on purpose"));
    let journal = Writer::new(Box::new(breaking), SyncMode::Data, Resume::FRESH);
    let writer = WriterThread::spawn(journal, 8).unwrap();
    let kind = RecordKind::Note { text: SafeText::ours("the last") };
    let at = run.driver.clock.now().market;
    let first = Record { seq: Seq(1), at, wall: None, run: 1, actor: Actor::Script, kind };
    writer.append(first, true).unwrap();
    writer.progress().wait_for(|progress| progress.state == WriterState::Gone).await.unwrap();
    writer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_gone_halts_as_soon_as_it_is_seen() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), false);
    run.warm().await;
    run.driver.progress = gone_writer(&run).await.progress();
    run.driver.disk_moved();
    assert_eq!(run.driver.store, Store::Failed);
    assert_eq!(run.driver.world.gate.state(), TradingState::Halted);
    run.crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_the_writer_does_not_take_halts_before_anything_follows_from_it() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), false);
    run.warm().await;
    // What the writer tells is not heard: the refused record alone must do.
    run.driver.writer = gone_writer(&run).await;
    let outcome = run.command("note is anybody there", Confirmation::None).await;
    assert!(format!("{outcome:?}").contains("NOT DURABLE"), "{outcome:?}");
    assert_eq!(run.driver.store, Store::Failed);
    assert_eq!(run.driver.world.gate.state(), TradingState::Halted);
    let ended = run.driver.finish(SafeText::ours("enough"), Duration::ZERO);
    let Err(LiveError::Journal(why)) = ended else { panic!("{ended:?}") };
    assert!(why.contains("and the last record is"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_blocked_while_the_disk_is_far_behind_and_open_again_once_it_has_caught_up() {
    let is_slow = |driver: &LiveDriver| {
        driver.snapshots.borrow().control.blocks.iter().any(|block| block.code == ReasonCode::StoreSlow)
    };
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), false);
    run.warm().await;
    run.driver.outbox.recorded(Seq(u64::MAX));
    run.until("slow", is_slow).await;
    assert_eq!(run.driver.world.gate.state(), TradingState::Running, "it is behind, and has not failed");
    run.driver.outbox.durable(Seq(u64::MAX));
    run.until("caught up", |driver| !is_slow(driver)).await;
    run.crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_last_records_are_not_in_the_journal_does_not_end_well() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::start(place.path(), false);
    run.warm().await;
    run.full.store(true, Ordering::SeqCst);
    run.until("NOT DURABLE", |driver| driver.snapshots.borrow().control.not_durable).await;
    let ended = run.driver.finish(SafeText::ours("enough"), Duration::ZERO);
    assert!(matches!(ended, Err(LiveError::Journal(_))), "{ended:?}");
}
