//! Puts a run together: market, data directory, recovery, venue, agents, core. What is wrong is found here, before
//! anything trades.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::accidents;
use super::clock;
use super::options::{MarketChoice, RunOptions, Speed, file_names};
use super::script::{Script, ScriptError};
use super::world::{WatchedLatch, World};
use crate::agents;
use crate::alarm::{Catalogue, CatalogueError};
use crate::bus::MessageBus;
use crate::config::{Config, Restart};
use crate::coordinator::durable::Durable;
use crate::coordinator::input::{OldRecords, Started};
use crate::coordinator::schedule::ScheduleImage;
use crate::coordinator::{Coordinator, Setup};
use crate::domain::{
    CandleSpan, ClientOrderId, InstallId, Now, Order, SafeText, Seq, Symbol, Timestamp, TradeId, TradingState,
};
use crate::gate::Gate;
use crate::llm::{Models, NoClient, Providers, RealModel};
use crate::market::{CandleStore, Feed, ReplayError, ReplayFeed, SimulatedFeed, Since};
use crate::store::{
    Bound, Checkpoint, CheckpointStore, DataDir, DataDirError, Holder, Identity, IdentityError, InstanceLock,
    Latch, LockError, Noted, OrderNotes, RecoverError, Recovered, SyncMode, Trouble, Unread, Writer, recover,
};
use crate::venue::{LogError, PaperBook, PaperTerms, PaperVenue};

/// Why a run cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A replay file cannot be used.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The operator script cannot be used.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The configuration was not read for this market.
    #[error("the configuration is for {}, the market has {}", list(.configured), list(.market))]
    Symbols {
        /// Of the feed.
        market: Vec<Symbol>,
        /// Of the configuration.
        configured: Vec<Symbol>,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A model provider is configured that cannot be asked.
    #[error(transparent)]
    NoClient(#[from] NoClient),
    /// A model that must be waited for in virtual time.
    #[error(transparent)]
    RealModel(#[from] RealModel),
    /// No temporary directory could be made.
    #[error("no temporary data directory could be made ({0}); give one with --data-dir DIR")]
    Temporary(std::io::Error),
    /// Another instance runs here.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The data directory belongs to something else.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file of a replay is not any more what it was when the directory was begun with it.
    #[error(
        "{dir} was begun with the candles of {} as they were then, but the files do not begin with them any more: rows \
         were changed or left out; put the old files back, or name another directory with --data-dir",
        list(.symbols), dir = dir.display()
    )]
    Rewritten {
        /// The data directory.
        dir: PathBuf,
        /// Of the files.
        symbols: Vec<Symbol>,
    },
    /// The journal or checkpoint cannot be read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The venue's log cannot be used.
    #[error(transparent)]
    Venue(#[from] LogError),
    /// The venue knows less than was booked: it is not the one that executed it.
    #[error(
        "{log} knows executions up to {executed}, but the journal has booked them up to {booked}: the venue's log was \
         lost or replaced, and orders, stops and targets with it; put it back as it was, or name another directory with \
         --data-dir", log = log.display()
    )]
    VenueForgot {
        /// Its log.
        log: PathBuf,
        /// Its last execution.
        executed: TradeId,
        /// The last one in the books.
        booked: TradeId,
    },
    /// The embedded alarm catalogue is wrong.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The configuration cannot be fingerprinted.
    #[error("the configuration cannot be written as JSON ({0})")]
    Fingerprint(serde_json::Error),
}

fn list(symbols: &[Symbol]) -> String {
    symbols.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Where a run keeps its data; a temporary directory is removed with it.
#[derive(Debug)]
pub enum Place {
    /// Named by the operator, or the default of its identity.
    Kept(PathBuf),
    /// For this run only.
    Temporary(tempfile::TempDir),
}

impl Place {
    /// The directory of these options.
    ///
    /// # Errors
    /// No temporary directory could be made.
    pub fn of(options: &RunOptions) -> Result<Self, StartError> {
        match &options.data_dir {
            Some(dir) => Ok(Self::Kept(dir.clone())),
            None => tempfile::Builder::new()
                .prefix("andon-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(StartError::Temporary),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }
}

/// A run, ready to go.
pub struct Assembly {
    /// The decisions.
    pub core: Coordinator,
    /// What they act on.
    pub world: World,
    /// Where candles come from.
    pub feed: Box<dyn Feed>,
    /// The journal, ready to go on.
    pub journal: Writer,
    /// Where checkpoints go.
    pub checkpoints: CheckpointStore,
    /// The scripted operator.
    pub script: Option<Script>,
    /// The first input.
    pub started: Started,
    /// Records that were not needed, to be verified while it runs.
    pub unread: Option<Unread>,
    /// Market time at which it goes on.
    pub begins_at: Timestamp,
    /// The data directory.
    pub dir: DataDir,
    /// Nobody else runs here while this is held.
    pub lock: InstanceLock,
}

/// What recovery made of the last run.
struct Past {
    durable: Durable,
    image: Option<ScheduleImage>,
}

impl Assembly {
    /// Opens everything that a run needs, with no model to ask.
    ///
    /// # Errors
    /// See [`StartError`]; nothing has been traded then.
    pub fn new(options: &RunOptions, place: &Path) -> Result<Self, StartError> {
        Self::with_models(options, place, &Models::new())
    }

    /// The same with models, by the names that the configuration gives to their providers.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn with_models(options: &RunOptions, place: &Path, models: &Models) -> Result<Self, StartError> {
        let mut feed = open_feed(options)?;
        let config = Arc::clone(&options.config);
        let models = Providers::of(&config.orchestration.llm, models)?;
        if options.speed == Speed::Max {
            models.only_scripted()?;
        }
        let dir = DataDir::open(place)?;
        let lock = InstanceLock::take(&dir, Holder { pid: std::process::id(), since: clock::wall() })?;
        let Owned { bound, market_grown } = belongs_to(&dir, options, feed.as_ref())?;
        let (mut latch, latched) = WatchedLatch::look(Latch::new(dir.root()));
        let beside_latch = OrderNotes::new(dir.root());
        let unreserved = keep_back(&dir, latched.is_none().then_some(&latch), &beside_latch);
        let (noted, notes_fault) = read_notes(&beside_latch);
        let recovered = recover(&dir, state_after)?;
        let mut faults = Faults::of(&recovered);
        let resume = recovered.resume;
        let is_virtual = options.speed == Speed::Max;
        let at_once = |market| {
            if is_virtual { Now::both(market) } else { Now { market, operator: clock::wall() } }
        };
        let past = past(&recovered, &config, bound.install, at_once(feed.start_at()));
        dir.bind(&bound, (past.durable.run > 0).then_some(past.durable.install))?;
        let run = dir.next_run(past.durable.run)?;

        let begins_at = past.durable.at.max(feed.start_at());
        if past.durable.seq.0 > 0 {
            feed.skip_until(begins_at);
        }
        let candles = CandleStore::new(config.agents.indicators);
        let history = feed.warm_up();
        let durable_writes = !is_virtual || options.durable;
        let sync = if durable_writes { SyncMode::Data } else { SyncMode::None };
        let journal = Writer::new(Box::new(dir.journal_disk(durable_writes)), sync, resume);
        let setup = setup_of(options, feed.as_ref(), &config);
        let candle = CandleSpan::new(setup.candle_interval);
        let terms = PaperTerms::new(&config.execution.paper, feed.symbols().to_vec(), candle);
        let log = dir.root().join("venue.log");
        let venue = PaperVenue::open(terms, &log, durable_writes)?;
        faults.compare(venue.book(), log, &past.durable, &noted)?;
        if latched.is_none() {
            faults.latch(&mut latch);
        }

        let keep_running = config.orchestration.control.restart == Restart::Last && !options.market.is_real();
        let first = past.durable.run == 0;
        let gate = Gate::new(
            run,
            first_gate(&past.durable, first || keep_running, latched.is_some() || faults.halts),
        );
        let now = at_once(begins_at);
        let started = Started {
            run,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config_fingerprint: config.fingerprint().map_err(StartError::Fingerprint)?,
            latched,
            begins_segment: resume.begins_segment(),
            noted,
            notes_fault,
            journal_fault: faults.journal,
            old_records: match &recovered.unread {
                None => OldRecords::Sound,
                Some(_) if is_virtual => OldRecords::NotVerified,
                Some(_) => OldRecords::BeingVerified,
            },
            torn: faults.torn,
            checkpoint_rebuilt: faults.checkpoint,
            unreserved,
            market_grown,
            keep_running,
        };
        let mood = feed.sentiment();
        let agents = agents::rules(&config, mood.is_some());
        let mut world = World {
            gate,
            venue: accidents::venue(venue),
            venue_failed: false,
            bus: MessageBus::new(&config.orchestration.message_bus),
            candles,
            mood,
            agents: agents.into_iter().map(|agent| (agent.task(), Arc::from(agent))).collect(),
            models,
            latch: Some(latch),
            notes: Some(beside_latch),
        };
        let script =
            options.operator_script.as_deref().map(|path| Script::load(path, begins_at)).transpose()?;
        let mut core = Coordinator::new(
            config.clone(),
            setup,
            Catalogue::embedded()?,
            past.durable,
            past.image.as_ref(),
            now,
        );
        for candle in &history {
            world.history(candle);
            core.history(candle);
        }
        let (checkpoints, unread) = (recovered.store, recovered.unread);
        Ok(Self { core, world, feed, journal, checkpoints, script, started, unread, begins_at, dir, lock })
    }
}

/// Keeps space back for what a halt writes, so that a full disk does not lose it. What could not be kept back, and why.
fn keep_back(dir: &DataDir, latch: Option<&WatchedLatch>, notes: &OrderNotes) -> Vec<SafeText> {
    // The small ones first: they matter most, and fit where the reserve of the journal does not.
    let kept = [
        ("halt.armed", latch.map_or(Ok(()), WatchedLatch::arm)),
        ("halt.orders", notes.arm()),
        ("reserve", dir.fill_reserve()),
    ];
    let missing = kept.into_iter().filter_map(|(name, kept)| Some((name, kept.err()?)));
    missing
        .map(|(name, error)| {
            tracing::error!(%error, name, "no space could be kept back for recording a halt on a full disk");
            SafeText::ours(format!("{name}: {error}"))
        })
        .collect()
}

/// The orders beside the latch, and why some of them may be missing.
fn read_notes(notes: &OrderNotes) -> (Vec<Order>, Option<SafeText>) {
    match notes.read() {
        Ok(Noted { orders, unreadable: 0 }) => (orders, None),
        Ok(Noted { orders, unreadable }) => {
            (orders, Some(SafeText::ours(format!("{unreadable} lines of halt.orders cannot be read"))))
        }
        Err(error) => (Vec::new(), Some(SafeText::ours(format!("halt.orders cannot be read: {error}")))),
    }
}

/// To whom the directory belongs.
struct Owned {
    bound: Bound,
    market_grown: Option<SafeText>,
}

/// The directory is this run's, or it belongs to the same files when they were shorter: what they were is still their
/// beginning, so that the run goes on where the last one ended.
fn belongs_to(dir: &DataDir, options: &RunOptions, feed: &dyn Feed) -> Result<Owned, StartError> {
    let identity = &Identity {
        market: feed.identity(),
        currency: options.config.execution.account.currency.clone(),
        seed: matches!(options.market, MarketChoice::Simulated).then_some(options.seed),
    };
    // Derived, so that runs repeat; a market with real money wants one of chance.
    let install = InstallId::derived(&identity.to_string());
    let files = feed.extents();
    let refused = match dir.belongs_to(identity, install) {
        Ok(bound) => return Ok(Owned { bound: Bound { files, ..bound }, market_grown: None }),
        Err(refused) => refused,
    };
    let same_but_market = |bound: &Identity| Identity { market: identity.market.clone(), ..bound.clone() };
    let Some(before) = dir.bound()?.filter(|bound| same_but_market(&bound.identity) == *identity) else {
        return Err(refused.into());
    };
    match feed.since(&before.files)? {
        Since::Grown => {
            let grown = files.iter().zip(&before.files).filter(|(now, then)| now.bytes > then.bytes);
            let names: Vec<_> = grown.map(|(now, _)| now.symbol.to_string()).collect();
            let said = format!("the files have grown since the last run ({}); it goes on", names.join(", "));
            let bound = Bound { identity: identity.clone(), install: before.install, files };
            Ok(Owned { bound, market_grown: Some(SafeText::ours(said)) })
        }
        Since::Rewritten => {
            let (dir, symbols) = (dir.root().to_owned(), feed.symbols().to_vec());
            Err(StartError::Rewritten { dir, symbols })
        }
        Since::Others => Err(refused.into()),
    }
}

/// The gate may be stricter than the core, never looser.
fn first_gate(durable: &Durable, may_run: bool, halted: bool) -> TradingState {
    match durable.control.state {
        _ if halted => TradingState::Halted,
        TradingState::Running if may_run => TradingState::Running,
        TradingState::Running | TradingState::Paused => TradingState::Paused,
        TradingState::Halted => TradingState::Halted,
    }
}

fn setup_of(options: &RunOptions, feed: &dyn Feed, config: &Config) -> Setup {
    Setup {
        market: feed.label().to_owned(),
        venue: "PAPER".to_owned(),
        speed: match options.speed {
            Speed::Times(times) => Some(times),
            Speed::Max => None,
        },
        symbols: feed.symbols().to_vec(),
        decimals: feed.decimals(&config.execution.account.currency),
        listed_at: feed
            .symbols()
            .iter()
            .filter_map(|symbol| Some((symbol.clone(), feed.listed_at(symbol)?)))
            .collect(),
        candle_interval: feed.interval().max(Duration::from_secs(1)),
        run_all_on_start: matches!(options.market, MarketChoice::Simulated),
        has_sentiment: feed.sentiment().is_some(),
        leverage_max: config.execution.paper.leverage_max,
        stamps_wall: options.speed != Speed::Max,
    }
}

/// Where candles come from. Their symbols are those of the configuration.
fn open_feed(options: &RunOptions) -> Result<Box<dyn Feed>, StartError> {
    let configured = &options.config.orchestration.symbols;
    match &options.market {
        MarketChoice::Simulated => Ok(Box::new(SimulatedFeed::new(options.seed, configured))),
        MarketChoice::Replay(files) => {
            let feed = ReplayFeed::open(&file_names(files), &options.config.orchestration.market)?;
            if feed.symbols() != configured {
                return Err(StartError::Symbols {
                    market: feed.symbols().to_vec(),
                    configured: configured.clone(),
                });
            }
            Ok(Box::new(feed))
        }
    }
}

/// Reads the state of a checkpoint. It must be of the record that names it.
fn state_after(seq: Seq, state: &[u8]) -> Result<Durable, String> {
    let state: Durable = serde_json::from_slice(state).map_err(|error| error.to_string())?;
    if state.seq == seq { Ok(state) } else { Err(format!("it is of {}, not of {seq}", state.seq)) }
}

/// The state that checkpoint and journal tell, or a fresh one.
fn past(recovered: &Recovered<Durable>, config: &Config, install: InstallId, now: Now) -> Past {
    let (mut durable, image) = match &recovered.checkpoint {
        // Hints only save time: unreadable ones are as good as none.
        Some(Checkpoint { state, hints, .. }) => (state.clone(), serde_json::from_slice(hints).ok()),
        None => (Durable::fresh(install, config, now), None),
    };
    for record in &recovered.records {
        durable.apply(record);
    }
    // What stands behind damage, or was lost, has taken its numbers with it.
    durable.seq = recovered.head().seq;
    Past { durable, image }
}

/// What recovery found wrong, in words.
struct Faults {
    journal: Option<SafeText>,
    checkpoint: Option<SafeText>,
    torn: Option<SafeText>,
    halts: bool,
}

impl Faults {
    /// The venue has executed what is in the books, and nothing goes to it that is not in the journal before, or noted
    /// beside one that could not be written.
    fn compare(
        &mut self,
        book: &PaperBook,
        log: PathBuf,
        past: &Durable,
        noted: &[Order],
    ) -> Result<(), StartError> {
        let (executed, booked) = (book.last_trade(), past.account.trades().last());
        if executed < booked {
            return Err(StartError::VenueForgot { log, executed, booked });
        }
        // One that is damaged says so itself.
        if self.halts {
            return Ok(());
        }
        let is_unknown = |client_id: &ClientOrderId| {
            !past.orders.contains_key(client_id)
                && past.account.lot(*client_id).is_none()
                && noted.iter().all(|order| order.client_id != *client_id)
        };
        let resting = book.open_orders().into_iter().map(|report| report.order.client_id);
        let unknown = book.fills_since(booked).map(|fill| fill.client_id).chain(resting).find(is_unknown);
        let what = if past.run == 0 && book.has_orders() {
            format!(
                "the journal knows of no run, but the venue has orders and executions up to {executed}: journal and \
                 checkpoint were lost; put them back as they were"
            )
        } else if let Some(client_id) = unknown {
            format!(
                "the venue has order {client_id}, which the journal does not know: records after {} were lost; compare \
                 holdings, plans and orders with the venue before a release",
                past.seq
            )
        } else {
            return Ok(());
        };
        self.journal = Some(SafeText::ours(what));
        self.halts = true;
        Ok(())
    }

    /// Before anything is written: after a kill within the first records the next start may find nothing wrong.
    fn latch(&self, latch: &mut WatchedLatch) {
        if let Some(fault) = self.journal.as_ref().filter(|_| self.halts)
            && let Err(error) = latch.set(fault)
        {
            tracing::error!(%error, "the HALT latch could not be set");
        }
    }

    fn of(recovered: &Recovered<Durable>) -> Self {
        let (mut journal, mut checkpoint) = (None, None);
        for trouble in &recovered.troubles {
            match trouble {
                Trouble::Shortened { .. } | Trouble::Damaged { .. } => {
                    journal = Some(SafeText::ours(trouble));
                }
                Trouble::CheckpointDamaged { .. } | Trouble::CheckpointLost { .. } => {
                    checkpoint = Some(SafeText::ours(trouble));
                }
            }
        }
        let torn = (!recovered.torn_unrecorded.is_empty())
            .then(|| SafeText::ours(format!("journal/{}", recovered.torn_unrecorded.join(", journal/"))));
        Self { journal, checkpoint, torn, halts: recovered.halts() }
    }
}
