//! The house: a whole run put together as the program does it (core, gate, paper venue, bus, journal on disk), with the
//! test in the place of feed, agents, operator and clock.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use andon::bus::{Filter, Mailbox};
use andon::config::TaskName;
use andon::coordinator::Coordinator;
use andon::coordinator::durable::Durable;
use andon::coordinator::effect::{Effect, Effects};
use andon::coordinator::input::{Confirmation, Input};
use andon::coordinator::record::{Record, RecordKind};
use andon::coordinator::snapshot::Snapshot;
use andon::coordinator::task::{RebalanceProposal, TaskFailure, TaskInput, TaskOutput, TaskRun};
use andon::domain::{
    Action, Actor, Bias, Candle, Command, CommandId, CommandOutcome, Confidence, Decision, Message, Now,
    Order, Pct, Regime, RegimeUpdate, SafeText, SentimentBias, SentimentUpdate, Signal, Symbol, TaSignal,
    Topic, Untrusted,
};
use andon::llm::{Model, Models, Scripted};
use andon::runtime::options::RunOptions;
use andon::runtime::{Assembly, World};
use andon::store::{InstanceLock, Writer};
use rust_decimal::Decimal;

use crate::place::{config, options};

/// More inputs in one go than any test can cause unless something goes round in a circle.
const INPUTS_MAX: usize = 2_000;

pub const BTC: &str = "BTC/USDT";
pub const XRP: &str = "XRP/USDT";

pub fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

pub fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub struct House {
    pub core: Coordinator,
    pub world: World,
    pub now: Now,
    /// Runs that nobody has answered yet.
    pub runs: VecDeque<TaskRun>,
    /// Every run that began, in order.
    pub begun: Vec<(TaskName, Option<Symbol>)>,
    /// Every order that was handed to the gate.
    pub submitted: Vec<Order>,
    /// Every record of this process.
    pub records: Vec<Record>,
    /// Runs that the core does not wait for any more.
    pub abandoned: usize,
    /// Runs are answered as soon as they begin, by agents that are content and hold.
    contented: bool,
    prices: BTreeMap<Symbol, Decimal>,
    replies: BTreeMap<CommandId, CommandOutcome>,
    journal: Writer,
    commands: u64,
    _lock: InstanceLock,
}

impl House {
    /// In a fresh directory, with these `FILE.KEY=VALUE` laid over the defaults, running and with fresh prices.
    pub fn open(place: &Path, set: &[&str]) -> Self {
        Self::with_models(place, set, &Models::new())
    }

    /// The same, with a model that answers every question like this.
    pub fn asking(place: &Path, set: &[&str], answer: &str) -> Self {
        let model: Arc<dyn Model> = Arc::new(Scripted::saying(answer));
        let set = [set, &["orchestration.llm.primary={name: alpha, timeout: 5s}"]].concat();
        Self::with_models(place, &set, &Models::from([("alpha".to_owned(), model)]))
    }

    fn with_models(place: &Path, set: &[&str], models: &Models) -> Self {
        // The runs of the start wait for the test to answer them, and must not keep others from beginning.
        let set = [&["orchestration.schedules.concurrent_max=64"], set].concat();
        let options = RunOptions { data_dir: Some(place.to_owned()), config: config(&set), ..options() };
        let Assembly { core, world, journal, started, begins_at, lock, .. } =
            Assembly::with_models(&options, place, models).unwrap();
        let prices = [(BTC, "40000"), (XRP, "0.5"), ("XRP/BTC", "0.0000125")];
        let mut house = Self {
            commands: core.durable().last_command.0,
            core,
            world,
            now: Now::both(begins_at.plus(secs(60))),
            runs: VecDeque::new(),
            begun: Vec::new(),
            submitted: Vec::new(),
            records: Vec::new(),
            abandoned: 0,
            contented: false,
            prices: prices.map(|(name, price)| (symbol(name), dec(price))).into(),
            replies: BTreeMap::new(),
            journal,
            _lock: lock,
        };
        house.tell(Input::Started(Box::new(started)));
        house.candles();
        house
    }

    /// The process ends: with its end record, or as by `kill -9`.
    pub fn end(mut self, cleanly: bool) {
        if cleanly {
            self.tell(Input::Stop { reason: SafeText::ours("test") });
            self.journal.note_head().unwrap();
        }
    }

    pub fn state(&self) -> &Durable {
        self.core.durable()
    }

    /// From now on all agents are content, about what they were asked already too.
    pub fn be_contented(&mut self) {
        self.contented = true;
        while let Some(run) = self.runs.pop_front() {
            self.answer(&run, Ok(contented(&run)));
        }
    }

    pub fn snapshot(&mut self) -> Snapshot {
        self.core.snapshot(self.now, None)
    }

    /// A mailbox for everything on these topics.
    pub fn mailbox(&self, id: &str, topics: &[Topic]) -> Mailbox {
        self.world.bus.subscribe(id, topics, 100_000, Filter::all())
    }

    /// One input, and everything that follows from it at the same instant.
    pub fn tell(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        let mut effects = Effects::new();
        let mut count = 0;
        while let Some(input) = inputs.pop_front() {
            count += 1;
            assert!(count < INPUTS_MAX, "something goes round in a circle");
            self.core.step(self.now, input, &mut effects);
            for effect in effects.drain() {
                match effect {
                    Effect::Record(record) => {
                        let starts = matches!(record.kind, RecordKind::State(_));
                        self.journal.append(&record, starts).unwrap();
                        self.records.push(*record);
                    }
                    Effect::RunTask(run) => {
                        self.begun.push((run.task, run.symbol.clone()));
                        if self.contented {
                            let result = Ok(contented(&run));
                            inputs.push_back(Input::TaskFinished { run: run.id, result });
                        } else {
                            self.runs.push_back(*run);
                        }
                    }
                    Effect::AbandonTask(_) => self.abandoned += 1,
                    Effect::Resolve(question) => {
                        let (_, exchange) = self.world.models.foresee(&question, || Duration::ZERO);
                        let (decision, resolved) = (question.decision, Box::new(exchange.resolved));
                        inputs.push_back(Input::Resolved { decision, resolved });
                    }
                    Effect::Reply { command, outcome } => {
                        self.replies.insert(command, outcome);
                    }
                    Effect::Submit { ref order, .. } => {
                        self.submitted.push((**order).clone());
                        // What is handed over is on disk before.
                        self.journal.commit().unwrap();
                        inputs.extend(self.world.carry_out(self.now.market, effect));
                    }
                    other => inputs.extend(self.world.carry_out(self.now.market, other)),
                }
            }
        }
        self.journal.commit().unwrap();
    }

    /// A candle of every pair closes now, at the price it had; how many.
    pub fn candles(&mut self) -> u64 {
        for (symbol, price) in self.prices.clone() {
            self.candle(symbol, price);
        }
        self.prices.len() as u64
    }

    pub fn candle(&mut self, symbol: Symbol, price: Decimal) {
        let open_time = self.now.market.minus(secs(60));
        let [open, high, low, close] = [price; 4];
        let candle = Candle {
            symbol,
            open_time,
            interval_secs: 60,
            open,
            high,
            low,
            close,
            volume: 1_000_000.into(),
            synthetic: false,
        };
        for told in self.world.candle(self.now.market, candle) {
            self.tell(told);
        }
    }

    /// A minute later everything has this price against BTC.
    pub fn btc_at(&mut self, price: &str) {
        self.prices.insert(symbol(BTC), dec(price));
        self.now = Now::both(self.now.market.plus(secs(60)));
        self.candles();
    }

    /// Lets time run, waking the core whenever it asked for it; candles come every minute.
    pub fn pass(&mut self, length: Duration) {
        let end = self.now.market.plus(length);
        while self.now.market < end {
            let due = self.core.next_due();
            let minute = self.now.market.floor_to(secs(60)).plus(secs(60));
            let next = [due.market, due.operator].into_iter().flatten().chain([minute, end]).min().unwrap();
            self.now = Now::both(next.max(self.now.market));
            for said in self.world.venue_time(self.now.market) {
                self.tell(said);
            }
            self.tell(Input::Tick);
            if next == minute {
                self.candles();
            }
        }
    }

    /// What an operator asks for, confirmed.
    pub fn say(&mut self, words: &str) -> CommandOutcome {
        self.commands += 1;
        let id = CommandId(self.commands);
        let command = Command::parse(words).unwrap();
        self.tell(Input::Command { id, actor: Actor::Script, command, confirmation: Confirmation::Script });
        self.replies[&id].clone()
    }

    /// The run in flight of a task for a symbol.
    pub fn run_of(&mut self, task: TaskName, about: Option<&str>) -> TaskRun {
        let wanted = |run: &TaskRun| run.task == task && run.symbol.as_ref().map(Symbol::as_str) == about;
        let at = self.runs.iter().position(wanted);
        self.runs.remove(at.unwrap_or_else(|| panic!("no run of {task}: {:?}", self.runs))).unwrap()
    }

    pub fn answer(&mut self, run: &TaskRun, result: Result<TaskOutput, TaskFailure>) {
        self.tell(Input::TaskFinished { run: run.id, result });
    }

    /// The run of a task that is in flight, or a new one that the operator asks for.
    pub fn asked(&mut self, task: TaskName, about: Option<&str>) -> TaskRun {
        let in_flight = |run: &TaskRun| run.task == task && run.symbol.as_ref().map(Symbol::as_str) == about;
        if !self.runs.iter().any(in_flight) {
            let outcome = self.say(&format!("run_task {task} {}", about.unwrap_or_default()));
            assert!(outcome.is_done(), "{outcome:?}");
        }
        self.run_of(task, about)
    }

    fn says(&mut self, task: TaskName, about: &str, output: TaskOutput) {
        let run = self.asked(task, Some(about));
        self.answer(&run, Ok(output));
    }

    pub fn technical(&mut self, about: &str, bias: Bias, confidence: f64) {
        self.says(TaskName::TechnicalAnalysis, about, technical(&symbol(about), bias, confidence));
    }

    pub fn regime(&mut self, about: &str, regime: Regime) {
        self.says(TaskName::RegimeDetection, about, regime_of(&symbol(about), regime));
    }

    pub fn mood(&mut self, about: &str, bias: SentimentBias, confidence: f64) {
        self.says(TaskName::SentimentAnalysis, about, mood(&symbol(about), bias, confidence));
    }

    /// All three voices on a symbol are for buying it.
    pub fn all_for_buying(&mut self, about: &str) {
        self.technical(about, Bias::Long, 0.8);
        self.regime(about, Regime::TrendingBull);
        self.mood(about, SentimentBias::Bullish, 0.8);
    }

    /// The trading decision is asked about a symbol and says this: 10 % of equity, stop 2 % below, target 5 % above.
    pub fn signal(&mut self, about: &str, action: Action, confidence: f64) -> Decision {
        let run = self.asked(TaskName::TradingDecision, Some(about));
        let signal = self.signal_of(&run, action, confidence);
        self.answer(&run, Ok(TaskOutput::Signal(signal)));
        self.state().decisions.back().unwrap().clone()
    }

    pub fn signal_of(&self, run: &TaskRun, action: Action, confidence: f64) -> Signal {
        let TaskInput::Decision(input) = &run.input else { panic!("a decision without its input") };
        let about = run.symbol.clone().unwrap();
        let entry = self.prices[&about];
        Signal {
            id: input.signal_id,
            symbol: about,
            action,
            confidence: Confidence::clamped(confidence),
            entry: Some(entry),
            stop: Some(entry * dec("0.98")),
            take_profit: Some(entry * dec("1.05")),
            size_pct: Pct::new(dec("10")).unwrap(),
            leverage: Decimal::ONE,
            at: self.now.market,
            source: "test".to_owned(),
            reasoning: Untrusted::new("because"),
        }
    }

    /// The decision as it stands now.
    pub fn again(&self, decision: &Decision) -> Decision {
        self.state().decision(decision.id).unwrap().clone()
    }
}

pub fn technical(symbol: &Symbol, bias: Bias, confidence: f64) -> TaskOutput {
    TaskOutput::Ta(TaSignal {
        symbol: symbol.clone(),
        bias,
        confidence: Confidence::clamped(confidence),
        atr_pct: Some(0.5),
        atr_ratio: Some(1.0),
        support: None,
        resistance: None,
        reasoning: Untrusted::new("because"),
    })
}

pub fn regime_of(symbol: &Symbol, regime: Regime) -> TaskOutput {
    let confidence = Confidence::clamped(0.8);
    TaskOutput::Regime(RegimeUpdate {
        symbol: symbol.clone(),
        regime,
        confidence,
        reasoning: Untrusted::new("because"),
    })
}

pub fn mood(symbol: &Symbol, bias: SentimentBias, confidence: f64) -> TaskOutput {
    TaskOutput::Sentiment(SentimentUpdate {
        symbol: symbol.clone(),
        bias,
        confidence: Confidence::clamped(confidence),
        reasoning: Untrusted::new("because"),
    })
}

/// Long, bullish, and yet it holds; no trade for the portfolio.
pub fn contented(run: &TaskRun) -> TaskOutput {
    let about = || run.symbol.as_ref().unwrap();
    match (run.task, &run.input) {
        (TaskName::TechnicalAnalysis, _) => technical(about(), Bias::Long, 0.8),
        (TaskName::RegimeDetection, _) => regime_of(about(), Regime::TrendingBull),
        (TaskName::SentimentAnalysis, _) => mood(about(), SentimentBias::Bullish, 0.8),
        (TaskName::TradingDecision, TaskInput::Decision(input)) => TaskOutput::Signal(Signal {
            id: input.signal_id,
            symbol: about().clone(),
            action: Action::Hold,
            confidence: Confidence::clamped(0.8),
            entry: None,
            stop: None,
            take_profit: None,
            size_pct: Pct::ZERO,
            leverage: Decimal::ONE,
            at: run.at,
            source: "test".to_owned(),
            reasoning: Untrusted::new("because"),
        }),
        (TaskName::PortfolioRebalance, _) => {
            TaskOutput::Rebalance(RebalanceProposal { deviation_pct: Decimal::ONE, trades: vec![] })
        }
        (TaskName::TradingDecision, _) => panic!("a decision without its input"),
    }
}

/// Everything that waits in a mailbox, as it is delivered.
pub fn drain(mailbox: &mut Mailbox) -> Vec<std::sync::Arc<Message>> {
    std::iter::from_fn(|| mailbox.try_recv().ok()).collect()
}
