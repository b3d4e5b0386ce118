//! Figures of the core: consensus and conflicts for one signal, and every kind of step, on a desk of three symbols and
//! on one of a thousand.
//!
//! `cargo bench --bench coordinator` takes about a minute. Steps are timed one by one while a desk is at work: the core
//! with gate, bus and paper venue, candles and agents' words of every minute, and now and then a signal to buy that
//! becomes an order and is sold at its target. `cargo bench --bench coordinator -- NAME` runs those whose name contains
//! NAME; what criterion does not time is called `steps` and `bytes per symbol`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on must stop")]
#![expect(clippy::panic, reason = "a benchmark that cannot go on must stop")]

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon::alarm::Catalogue;
use andon::bus::MessageBus;
use andon::config::{Config, TaskName};
use andon::coordinator::conflict::{AlertsInForce, detect};
use andon::coordinator::consensus::{Freshness, Voices, Word};
use andon::coordinator::durable::Durable;
use andon::coordinator::effect::{Effect, Effects};
use andon::coordinator::input::{Confirmation, Input, OldRecords, Started};
use andon::coordinator::task::{RebalanceProposal, TaskInput, TaskOutput, TaskRun};
use andon::coordinator::{Coordinator, Setup};
use andon::domain::{
    Action, Actor, Bias, Candle, CandleSpan, Command, CommandId, Confidence, InstallId, Now, Pct, Regime,
    RegimeUpdate, SentimentBias, SentimentUpdate, Signal, Symbol, TaSignal, Timestamp, TradingState,
    Untrusted,
};
use andon::gate::Gate;
use andon::llm::{Models, Providers};
use andon::market::CandleStore;
use andon::runtime::World;
use andon::venue::{PaperTerms, PaperVenue};
use criterion::{BenchmarkId, Criterion, criterion_group};
use rust_decimal::Decimal;

const START: Timestamp = Timestamp::from_secs(1_640_995_200);
const MINUTE: Duration = Duration::from_secs(60);
/// Desks that are compared.
const SIZES: [usize; 2] = [3, 1_000];
/// Signals to buy in one go: fewer than the positions that risk allows.
const SIGNALS: usize = 3;

/// Three symbols, or these and many more, of which a third is quoted in BTC.
fn symbols(count: usize) -> Vec<Symbol> {
    let named = ["BTC/USDT", "XRP/USDT", "XRP/BTC"].map(str::to_owned);
    let numbered = (0..).map(|n| if n % 3 == 2 { format!("C{n:04}/BTC") } else { format!("C{n:04}/USDT") });
    named.into_iter().chain(numbered).take(count).map(|text| Symbol::new(&text).unwrap()).collect()
}

fn config(count: usize) -> Config {
    let mut config = Config::defaults().unwrap();
    config.orchestration.symbols = symbols(count);
    // Something to spend on the pairs against BTC.
    config.execution.account.start.insert(Symbol::new("BTC/USDT").unwrap().base().clone(), Decimal::ONE);
    config
}

fn price(symbol: &Symbol) -> Decimal {
    let price = match symbol.as_str() {
        "BTC/USDT" => "40000",
        "XRP/USDT" => "0.5",
        "XRP/BTC" => "0.0000125",
        other if other.ends_with("/BTC") => "0.002",
        _ => "10",
    };
    price.parse().unwrap()
}

fn confidence() -> Confidence {
    Confidence::clamped(0.9)
}

fn technical(symbol: &Symbol) -> TaSignal {
    TaSignal {
        symbol: symbol.clone(),
        bias: Bias::Long,
        confidence: confidence(),
        atr_pct: Some(0.5),
        atr_ratio: Some(1.0),
        support: None,
        resistance: None,
        reasoning: Untrusted::new("trend up on the hourly bars"),
    }
}

fn regime(symbol: &Symbol) -> RegimeUpdate {
    RegimeUpdate {
        symbol: symbol.clone(),
        regime: Regime::TrendingBull,
        confidence: confidence(),
        reasoning: Untrusted::new("ADX 31, price above EMA 200"),
    }
}

fn mood(symbol: &Symbol) -> SentimentUpdate {
    SentimentUpdate {
        symbol: symbol.clone(),
        bias: SentimentBias::Bullish,
        confidence: confidence(),
        reasoning: Untrusted::new("greedy"),
    }
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Candle,
    Word,
    Hold,
    Order,
    Venue,
    Tick,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Candle => "candle",
            Self::Word => "an agent's word (a plain message)",
            Self::Hold => "signal to hold, with its decision",
            Self::Order => "signal to buy, with its decision and order",
            Self::Venue => "answer or fill of the venue",
            Self::Tick => "tick",
        }
    }
}

/// A core with gate, bus and paper venue around it, and agents that answer at once.
struct Desk {
    symbols: Vec<Symbol>,
    core: Coordinator,
    world: World,
    now: Now,
    effects: Effects,
    commands: u64,
    /// Symbols to be bought when their trading decision is asked.
    buys: Vec<Symbol>,
    steps: BTreeMap<Kind, Vec<Duration>>,
}

impl Desk {
    fn new(count: usize) -> Self {
        let config = Arc::new(config(count));
        let symbols = config.orchestration.symbols.clone();
        let now = Now::both(START);
        let setup = Setup {
            market: "SIM".to_owned(),
            venue: "PAPER".to_owned(),
            speed: None,
            symbols: symbols.clone(),
            decimals: 2,
            listed_at: BTreeMap::new(),
            candle_interval: MINUTE,
            run_all_on_start: true,
            has_sentiment: true,
            leverage_max: Decimal::ONE,
            stamps_wall: false,
        };
        let durable = Durable::fresh(InstallId::derived("bench"), &config, now);
        let terms = PaperTerms::new(&config.execution.paper, symbols.clone(), CandleSpan::new(MINUTE));
        let world = World {
            gate: Gate::new(1, TradingState::Running),
            venue: Box::new(PaperVenue::in_memory(terms)),
            venue_failed: false,
            bus: MessageBus::new(&config.orchestration.message_bus),
            candles: CandleStore::new(config.agents.indicators),
            mood: None,
            agents: BTreeMap::new(),
            models: Providers::of(&config.orchestration.llm, &Models::new()).unwrap(),
            latch: None,
            notes: None,
        };
        let core = Coordinator::new(config, setup, Catalogue::embedded().unwrap(), durable, None, now);
        let mut desk = Self {
            symbols,
            core,
            world,
            now,
            effects: Effects::new(),
            commands: 0,
            buys: Vec::new(),
            steps: BTreeMap::new(),
        };
        desk.tell(Input::Started(Box::new(Started {
            run: 1,
            version: "bench".to_owned(),
            config_fingerprint: String::new(),
            latched: None,
            journal_fault: None,
            old_records: OldRecords::Sound,
            begins_segment: false,
            noted: Vec::new(),
            notes_fault: None,
            torn: None,
            checkpoint_rebuilt: None,
            unreserved: Vec::new(),
            market_grown: None,
            keep_running: false,
        })));
        desk.minute();
        desk.steps.clear();
        desk
    }

    /// One input, and everything that follows from it at the same instant.
    fn tell(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.timed_step(input);
            for effect in self.effects.drain() {
                match effect {
                    Effect::RunTask(run) => {
                        let result = Ok(answer(&run, &self.buys));
                        inputs.push_back(Input::TaskFinished { run: run.id, result });
                    }
                    Effect::Record(_) | Effect::Reply { .. } => {}
                    Effect::AbandonTask(_)
                    | Effect::AbandonModelCalls
                    | Effect::Resolve(_)
                    | Effect::ProbeProvider { .. }
                    | Effect::ReopenStore { .. } => {
                        panic!("nobody hangs, no model is configured, and nothing is written")
                    }
                    Effect::Publish(_)
                    | Effect::Submit { .. }
                    | Effect::CancelAll
                    | Effect::ShrinkProtection { .. }
                    | Effect::Query { .. }
                    | Effect::FetchFills { .. }
                    | Effect::PutNotesAway
                    | Effect::ShutGate { .. }
                    | Effect::OpenGate { .. }
                    | Effect::SetLatch { .. }
                    | Effect::ReleaseLatch { .. } => {
                        inputs.extend(self.world.carry_out(self.now.market, effect));
                    }
                }
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    fn timed_step(&mut self, input: Input) {
        let kind = kind_of(&input);
        let start = Instant::now();
        self.core.step(self.now, input, &mut self.effects);
        let took = start.elapsed();
        if let Some(kind) = kind {
            self.steps.entry(kind).or_default().push(took);
        }
    }

    /// Candles of a minute; those that were bought reach their targets. Then a few plain ticks.
    fn minute(&mut self) {
        self.now = Now::both(self.now.market.plus(MINUTE));
        let bought = std::mem::take(&mut self.buys);
        for symbol in self.symbols.clone() {
            let price = price(&symbol);
            let high = if bought.contains(&symbol) { price * Decimal::new(106, 2) } else { price };
            let candle = Candle {
                symbol,
                open_time: self.now.market.minus(MINUTE),
                interval_secs: 60,
                open: price,
                high,
                low: price,
                close: price,
                volume: Decimal::ONE,
                synthetic: false,
            };
            for told in self.world.candle(self.now.market, candle) {
                self.tell(told);
            }
        }
        for _ in 0..5 {
            self.now = Now::both(self.now.market.plus(Duration::from_secs(1)));
            self.tell(Input::Tick);
        }
    }

    /// The operator has the trading decision asked about some symbols, and it says BUY.
    fn buy_some(&mut self, turn: usize) {
        let at = (0..SIGNALS).map(|n| (turn * SIGNALS + n) % self.symbols.len());
        self.buys = at.map(|at| self.symbols[at].clone()).collect();
        for symbol in self.buys.clone() {
            self.commands += 1;
            let command = Command::parse(&format!("run_task trading_decision {symbol}")).unwrap();
            let (id, actor) = (CommandId(self.commands), Actor::Script);
            self.tell(Input::Command { id, actor, command, confirmation: Confirmation::Script });
            let decision = self.core.durable().decisions.back().unwrap();
            assert!(!decision.orders.is_empty(), "a signal without its order: {decision:?}");
        }
    }
}

const fn kind_of(input: &Input) -> Option<Kind> {
    match input {
        Input::Candle(_) => Some(Kind::Candle),
        Input::Tick => Some(Kind::Tick),
        Input::Venue(_) => Some(Kind::Venue),
        Input::TaskFinished { result: Ok(output), .. } => match output {
            TaskOutput::Signal(signal) if matches!(signal.action, Action::Buy) => Some(Kind::Order),
            TaskOutput::Signal(_) => Some(Kind::Hold),
            TaskOutput::Ta(_) | TaskOutput::Regime(_) | TaskOutput::Sentiment(_) => Some(Kind::Word),
            TaskOutput::Rebalance(_) | TaskOutput::RebalanceWaits(_) => None,
        },
        _ => None,
    }
}

fn answer(run: &TaskRun, buys: &[Symbol]) -> TaskOutput {
    let symbol = || run.symbol.as_ref().unwrap();
    match (run.task, &run.input) {
        (TaskName::TechnicalAnalysis, _) => TaskOutput::Ta(technical(symbol())),
        (TaskName::RegimeDetection, _) => TaskOutput::Regime(regime(symbol())),
        (TaskName::SentimentAnalysis, _) => TaskOutput::Sentiment(mood(symbol())),
        (TaskName::PortfolioRebalance, _) => {
            TaskOutput::Rebalance(RebalanceProposal { deviation_pct: Decimal::ONE, trades: vec![] })
        }
        (TaskName::TradingDecision, TaskInput::Decision(input)) => {
            let action = if buys.contains(symbol()) { Action::Buy } else { Action::Hold };
            let entry = price(symbol());
            TaskOutput::Signal(Signal {
                id: input.signal_id,
                symbol: symbol().clone(),
                action,
                confidence: confidence(),
                entry: Some(entry),
                stop: Some(entry * Decimal::new(98, 2)),
                take_profit: Some(entry * Decimal::new(105, 2)),
                size_pct: Pct::new(Decimal::ONE).unwrap(),
                leverage: Decimal::ONE,
                at: run.at,
                source: "trading_decision".to_owned(),
                reasoning: Untrusted::new("three voices for it"),
            })
        }
        (TaskName::TradingDecision, TaskInput::Analysis | TaskInput::Rebalance(_)) => {
            panic!("a trading decision is asked with what it needs")
        }
    }
}

/// Every kind of step: what half of them take at most, and ninety-nine of a hundred.
#[expect(clippy::print_stdout, reason = "the figure is this benchmark's result")]
fn steps() {
    const MINUTES: usize = 240;
    for count in SIZES {
        // As many signals on either desk; the small one needs no more minutes for it than the large one.
        let mut desk = Desk::new(count);
        for turn in 0..MINUTES / 2 {
            desk.buy_some(turn);
            desk.minute();
            desk.minute();
        }
        println!("steps with {count} symbols, {MINUTES} minutes of market time:");
        for (kind, mut took) in desk.steps {
            took.sort();
            let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e6;
            println!(
                "  {:44} median {:6.2} us, p99 {:7.2} us  ({} steps)",
                kind.name(),
                at(50),
                at(99),
                took.len()
            );
        }
    }
}

/// Consensus and conflicts for one signal, as the core looks at them.
fn consensus_and_conflicts(c: &mut Criterion) {
    let mut group = c.benchmark_group("consensus and conflicts, symbols");
    for count in SIZES {
        let config = config(count);
        let (mut voices, alerts) = (Voices::default(), AlertsInForce::default());
        for symbol in &config.orchestration.symbols {
            voices.update(Word::Technical(technical(symbol)), START);
            voices.update(Word::Regime(regime(symbol)), START);
            voices.update(Word::Sentiment(mood(symbol)), START);
        }
        let freshness = Freshness::new(&config.orchestration.consensus, CandleSpan::new(MINUTE));
        let symbol = config.orchestration.symbols.last().unwrap();
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |b, _| {
            b.iter(|| {
                let fresh = voices.fresh(black_box(symbol), START, &freshness);
                let tally = fresh.tally(Action::Buy, &config.orchestration.consensus);
                let conflicts =
                    detect(symbol, Action::Buy, &fresh, &alerts, START, &config.orchestration.conflicts);
                black_box((tally.adjust(confidence()), conflicts))
            });
        });
    }
    group.finish();
}

/// What the screen asks for, at most 20 times a second, with every section touched.
fn snapshot(c: &mut Criterion) {
    let mut group = c.benchmark_group("snapshot, symbols");
    for count in SIZES {
        let mut desk = Desk::new(count);
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |b, _| {
            b.iter(|| black_box(desk.core.snapshot(desk.now, None)));
        });
    }
    group.finish();
}

/// Resident memory of this process, bytes; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1_024
}

/// What one more symbol costs in the core, once every agent has spoken of it; bus and candles have their own figures.
/// Runs first, before freed memory could be used again unseen.
#[expect(clippy::print_stdout, reason = "the figure is this benchmark's result")]
fn bytes_per_symbol() {
    const MANY: u64 = 5_000;
    let held = |count: u64| {
        let before = resident_bytes();
        let Desk { core, world, .. } = Desk::new(usize::try_from(count).unwrap());
        drop(world);
        let after = resident_bytes();
        (after.saturating_sub(before), core)
    };
    let (few, _keep) = held(3);
    let (many, _keep_too) = held(MANY);
    println!("bytes per symbol in the core ({MANY} symbols): {}", many.saturating_sub(few) / (MANY - 3));
}

criterion_group!(figures, consensus_and_conflicts, snapshot);

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_trial = arguments.iter().any(|argument| argument == "--test" || argument == "--list");
    let wanted =
        |name: &str| !is_trial && (filters.is_empty() || filters.iter().any(|filter| name.contains(*filter)));
    if wanted("bytes per symbol") {
        bytes_per_symbol();
    }
    figures();
    if wanted("steps") {
        steps();
    }
    Criterion::default().configure_from_args().final_summary();
}
