//! The desk: a core, its surroundings, and hands to move them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

use super::super::conflict::Question;
use super::super::durable::Durable;
use super::super::effect::{Effect, Effects};
use super::super::input::{BusLosses, Confirmation, Input, OldRecords, Probe, Started};
use super::super::record::{Record, RecordKind};
use super::super::snapshot::Snapshot;
use super::super::task::{RebalanceProposal, RebalanceTrade, TaskInput, TaskOutput, TaskRun};
use super::super::{Coordinator, Cx, Setup};
use super::venue::FakeVenue;
use crate::alarm::{AlarmKey, AlarmState, Catalogue};
use crate::config::{Config, TaskName};
use crate::domain::{
    Action, Actor, Bias, Candle, ClientOrderId, Command, CommandId, CommandOutcome, Confidence, Decision,
    InstallId, Now, Order, OrderStatus, Payload, Pct, Purpose, ReasonCode, Regime, RegimeUpdate, SafeText,
    SentimentBias, SentimentUpdate, Side, Signal, SignalId, Symbol, SystemEventKind, TaSignal, Timestamp,
    TradingState, Untrusted, VenueEvent,
};
use crate::gate::{FlattenOrder, Gate, Recorded};

/// Tuesday, 2024-01-02 10:00 UTC.
const START: i64 = 1_704_189_600;
/// More inputs in one go than any of these tests can cause unless something goes round in a circle.
const INPUTS_MAX: usize = 2_000;

pub(super) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(super) fn btc() -> Symbol {
    Symbol::new("BTC/USDT").unwrap()
}

pub(super) fn xrp() -> Symbol {
    Symbol::new("XRP/USDT").unwrap()
}

fn install() -> InstallId {
    InstallId::derived("simulated/USDT/7")
}

pub(super) fn started(run: u16) -> Started {
    Started {
        run,
        version: "0.1.0".to_owned(),
        config_fingerprint: "same".to_owned(),
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
    }
}

pub(super) fn operator() -> Actor {
    Actor::Operator { user: "kim".to_owned(), uid: 501, name: None }
}

pub(super) struct Desk {
    pub core: Coordinator,
    pub config: Arc<Config>,
    pub gate: Gate,
    pub venue: FakeVenue,
    pub now: Now,
    pub prices: BTreeMap<Symbol, Decimal>,
    pub records: Vec<Record>,
    /// Effects of the last input told, with what followed from it, in order.
    pub effects: Vec<Effect>,
    pub replies: BTreeMap<CommandId, CommandOutcome>,
    pub latch: Option<SafeText>,
    /// Runs that nobody has answered yet.
    pub runs: VecDeque<TaskRun>,
    /// Questions to models and probes of providers that nobody has answered yet.
    pub questions: VecDeque<Question>,
    pub probes: VecDeque<String>,
    /// Runs are answered as soon as they begin.
    pub agents_answer: bool,
    /// How long an order waits for the disk before it is handed over, market time.
    pub disk_takes: Duration,
    /// Candles come every minute.
    pub feed: bool,
    /// How long they are.
    candle_interval: Duration,
    /// The gate's opening waits until it is let go.
    pub hold_opening: bool,
    /// How a reopening of the store ends.
    pub reopens: Result<(), SafeText>,
    held: Vec<Effect>,
    /// What the records make of a fresh state.
    replayed: Durable,
    fresh: Durable,
    inbox: VecDeque<Input>,
    commands: u64,
    signals: u64,
}

impl Desk {
    /// A desk in its first run, with fresh prices.
    pub(super) fn new() -> Self {
        Self::with(Config::defaults().unwrap())
    }

    pub(super) fn with(config: Config) -> Self {
        Self::begun(Self::before_start(config))
    }

    /// A feed with candles of this length.
    pub(super) fn with_candles_of(length: Duration) -> Self {
        let mut desk = Self::before_start(Config::defaults().unwrap());
        desk.candle_interval = length;
        let durable = desk.core.durable().clone();
        desk.core = core(&desk.config, length, durable, desk.now);
        Self::begun(desk)
    }

    fn begun(mut desk: Self) -> Self {
        desk.tell(Input::Started(Box::new(started(1))));
        desk.candles();
        desk
    }

    /// A desk whose agents wait for the test to answer for them; the runs of the start are under way.
    pub(super) fn with_silent_agents(config: Config) -> Self {
        let mut desk = Self::before_start(config);
        desk.agents_answer = false;
        desk.tell(Input::Started(Box::new(started(1))));
        desk.candles();
        desk
    }

    pub(super) fn before_start(config: Config) -> Self {
        let now = Now::both(Timestamp::from_secs(START));
        let config = Arc::new(config);
        let durable = Durable::fresh(install(), &config, now);
        let candle_interval = Duration::from_secs(60);
        let core = core(&config, candle_interval, durable.clone(), now);
        let prices = [("BTC/USDT", "40000"), ("XRP/USDT", "0.5"), ("XRP/BTC", "0.0000125")];
        Self {
            gate: Gate::new(1, TradingState::Running),
            venue: FakeVenue::new(),
            now,
            prices: prices.map(|(symbol, price)| (Symbol::new(symbol).unwrap(), dec(price))).into(),
            records: Vec::new(),
            effects: Vec::new(),
            replies: BTreeMap::new(),
            latch: None,
            runs: VecDeque::new(),
            questions: VecDeque::new(),
            probes: VecDeque::new(),
            agents_answer: true,
            disk_takes: Duration::ZERO,
            feed: true,
            candle_interval,
            hold_opening: false,
            reopens: Ok(()),
            held: Vec::new(),
            replayed: durable.clone(),
            fresh: durable,
            inbox: VecDeque::new(),
            commands: 0,
            signals: 0,
            core,
            config,
        }
    }

    /// The process ends, with its end record or without, and the next one begins with what the journal holds.
    pub(super) fn restart(&mut self, clean: bool, change: impl FnOnce(&mut Started)) {
        if clean {
            self.tell(Input::Stop { reason: SafeText::ours("test") });
        }
        self.now = Now::both(self.now.market.plus(Duration::from_secs(5)));
        let run = self.core.durable().run + 1;
        let image = self.core.schedule_image();
        let durable = self.replayed.clone();
        self.gate = Gate::new(run, durable.control.state);
        self.core = Coordinator::new(
            Arc::clone(&self.config),
            setup(&self.config, self.candle_interval),
            Catalogue::embedded().unwrap(),
            durable,
            Some(&image),
            self.now,
        );
        self.inbox.clear();
        self.runs.clear();
        self.questions.clear();
        self.probes.clear();
        self.held.clear();
        let mut start = Started { latched: self.latch.clone(), ..started(run) };
        change(&mut start);
        self.tell(Input::Started(Box::new(start)));
    }

    /// One input, and everything that follows from it.
    pub(super) fn tell(&mut self, input: Input) {
        self.effects.clear();
        self.inbox.push_back(input);
        self.work_off();
    }

    fn work_off(&mut self) {
        let mut count = 0;
        while let Some(input) = self.inbox.pop_front() {
            count += 1;
            assert!(count < INPUTS_MAX, "something goes round in a circle");
            let mut effects = Effects::new();
            self.core.step(self.now, input, &mut effects);
            for effect in effects.drain() {
                self.effects.push(effect.clone());
                self.carry_out(effect);
            }
            assert_eq!(self.replayed, *self.core.durable(), "the records make another state");
        }
    }

    /// Works directly on the core, as an agent's answer would.
    pub(super) fn inside(&mut self, work: impl FnOnce(&mut Coordinator, &mut Cx<'_>)) {
        self.effects.clear();
        let mut effects = Effects::new();
        let cx = &mut Cx { now: self.now, effects: &mut effects };
        work(&mut self.core, cx);
        self.core.settle(cx);
        self.core.assert_invariants(cx);
        for effect in effects.drain() {
            self.effects.push(effect.clone());
            self.carry_out(effect);
        }
        self.work_off();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Record(record) => self.write(*record),
            Effect::Publish(_) | Effect::AbandonTask(_) | Effect::PutNotesAway => {}
            Effect::Submit { order, deadline, .. }
                if deadline.is_some_and(|deadline| self.now.market.plus(self.disk_takes) > deadline) =>
            {
                let (client_id, reason) = (order.client_id, ReasonCode::DeadlinePassed);
                self.inbox.push_back(Input::NotHandedOver { client_id, reason });
            }
            Effect::Submit { order, approved, recorded, .. } => self.submit(&order, approved, recorded),
            Effect::CancelAll => {
                let events = self.venue.cancel_all();
                self.inbox.extend(events.into_iter().map(Input::Venue));
            }
            Effect::ShrinkProtection { client_id, quantity } => {
                self.venue.shrunk.push((client_id, quantity));
            }
            Effect::Query { client_id } => {
                let told = self.venue.query(client_id);
                self.inbox.extend(told);
            }
            Effect::Resolve(question) => self.questions.push_back(*question),
            Effect::ProbeProvider { provider } => self.probes.push_back(provider),
            Effect::AbandonModelCalls => {
                self.questions.clear();
                self.probes.clear();
            }
            Effect::RunTask(run) => {
                if self.agents_answer {
                    let output = answer_to(&run, self.now.market);
                    self.inbox.push_back(Input::TaskFinished { run: run.id, result: Ok(output) });
                } else {
                    self.runs.push_back(*run);
                }
            }
            Effect::Reply { command, outcome } => {
                self.replies.insert(command, outcome);
            }
            Effect::ShutGate { to, reason } => {
                let epoch = self.gate.shut(to);
                let by = Actor::Coordinator;
                self.inbox.push_back(Input::GateShut { epoch, to, by, reason });
            }
            Effect::OpenGate { .. } if self.hold_opening => self.held.push(effect),
            Effect::OpenGate { seen, to, command } => {
                self.inbox.push_back(match self.gate.open(seen, to) {
                    Ok(epoch) => Input::GateOpened { epoch, command },
                    Err(_) => Input::GateNotOpened { command },
                });
            }
            Effect::FetchFills { after } => {
                let told = self.venue.since(after);
                self.inbox.extend(told);
            }
            Effect::ReopenStore { command } => {
                let result = self.reopens.clone();
                self.inbox.push_back(Input::StoreReopened { command, result });
            }
            Effect::SetLatch { reason } => self.latch = Some(reason),
            Effect::ReleaseLatch { .. } => self.latch = None,
        }
    }

    /// Through JSON, as the journal has it.
    fn write(&mut self, record: Record) {
        let line = serde_json::to_string(&record).unwrap();
        let read: Record = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(read, record);
        self.replayed.apply(&read);
        self.records.push(record);
    }

    fn submit(&mut self, order: &Order, approved: crate::domain::Epoch, recorded: crate::domain::Seq) {
        let client_id = order.client_id;
        let intended = self.records.iter().any(
            |record| matches!(&record.kind, RecordKind::OrderIntended(intent) if intent.client_id == client_id),
        );
        assert!(intended && self.records.last().unwrap().seq >= recorded, "handed over before its record");
        let admitted = match order.purpose {
            Purpose::Entry { .. } | Purpose::Leg { .. } => self.gate.entry(approved).map(drop),
            Purpose::Exit { .. } => self.gate.reduce().map(drop),
            Purpose::Reduce { .. } | Purpose::Flatten { .. } => {
                let flatten = FlattenOrder::new(&order.purpose, Recorded::Journal(recorded)).unwrap();
                self.gate.flatten(flatten).map(drop)
            }
        };
        if admitted.is_err() {
            return self.inbox.push_back(Input::NotHandedOver { client_id, reason: ReasonCode::GateShut });
        }
        let price = self.prices[&order.symbol];
        let events = self.venue.submit(self.now, order, price);
        self.inbox.extend(events.into_iter().map(Input::Venue));
    }

    /// As if the disk had stopped there: for a restart to recover from.
    pub(super) fn forget_records_from(&mut self, count: usize) {
        self.records.truncate(count);
        self.replayed = self.fresh.clone();
        for record in &self.records {
            self.replayed.apply(record);
        }
    }

    /// The gate's opening that was held is carried out now.
    pub(super) fn let_go(&mut self) {
        self.hold_opening = false;
        self.effects.clear();
        for effect in std::mem::take(&mut self.held) {
            self.carry_out(effect);
        }
        self.work_off();
    }

    // Time and prices.

    /// A candle of every pair closes now.
    pub(super) fn candles(&mut self) {
        for (symbol, price) in self.prices.clone() {
            self.tell(Input::Candle(Candle {
                symbol,
                open_time: self.now.market.minus(self.candle_interval),
                interval_secs: u32::try_from(self.candle_interval.as_secs()).unwrap(),
                open: price,
                high: price,
                low: price,
                close: price,
                volume: Decimal::ONE,
                synthetic: false,
            }));
        }
    }

    /// Sets the price of BTC; XRP/BTC stays, and XRP follows.
    pub(super) fn btc_at(&mut self, price: &str) {
        let price = dec(price);
        self.prices.insert(btc(), price);
        self.now = Now::both(self.now.market.plus(Duration::from_secs(60)));
        self.candles();
    }

    /// Lets both clocks run, waking the core whenever it asked for it.
    pub(super) fn pass(&mut self, length: Duration) {
        let end = self.now.market.plus(length);
        let mut wakes = 0;
        while self.now.market < end {
            let due = self.core.next_due();
            let minute = self.now.market.floor_to(Duration::from_secs(60)).plus(Duration::from_secs(60));
            let next = [due.market, due.operator].into_iter().flatten().chain([minute, end]).min().unwrap();
            if next <= self.now.market {
                wakes += 1;
                assert!(wakes < 50, "the core wants to be woken at {next} again and again: {due:?}");
            } else {
                wakes = 0;
                self.now = Now::both(next);
            }
            self.tell(Input::Tick);
            if self.feed && next == minute {
                self.candles();
            }
        }
    }

    // Commands.

    pub(super) fn order(&mut self, command: Command, confirmation: Confirmation) -> CommandId {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.tell(Input::Command { id, actor: operator(), command, confirmation });
        id
    }

    /// As an operator types it, with the preview seen and the code read off it. How it ended.
    pub(super) fn say(&mut self, words: &str) -> CommandOutcome {
        let confirmation = self.confirmed();
        let id = self.order(Command::parse(words).unwrap(), confirmation);
        self.replies[&id].clone()
    }

    pub(super) fn confirmed(&mut self) -> Confirmation {
        let control = Arc::clone(&self.snapshot().control);
        Confirmation::Given {
            epoch: control.epoch,
            shown_at: self.now.operator,
            code: Some(self.core.code()),
        }
    }

    /// Without any confirmation.
    pub(super) fn say_unconfirmed(&mut self, words: &str) -> CommandOutcome {
        let id = self.order(Command::parse(words).unwrap(), Confirmation::None);
        self.replies[&id].clone()
    }

    /// Acknowledges everything.
    pub(super) fn acknowledge(&mut self) {
        let outcome = self.say("ack_alarm all 1");
        assert!(outcome.is_done(), "{outcome:?}");
    }

    // Signals and tasks.

    pub(super) fn new_signal(&mut self, symbol: &Symbol, action: Action) -> Signal {
        self.signals += 1;
        let entry = self.prices[symbol];
        Signal {
            id: SignalId::derive(install(), 999, crate::domain::RunId(self.signals)),
            symbol: symbol.clone(),
            action,
            confidence: Confidence::clamped(0.9),
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

    pub(super) fn signal(&mut self, symbol: &Symbol, action: Action) -> Decision {
        let signal = self.new_signal(symbol, action);
        self.deliver(signal)
    }

    pub(super) fn deliver(&mut self, signal: Signal) -> Decision {
        self.inside(|core, cx| core.signal(cx, signal));
        self.core.durable().decisions.back().unwrap().clone()
    }

    /// A lot of about a tenth of the equity.
    pub(super) fn with_lot(mut self, symbol: &Symbol) -> Self {
        let decision = self.signal(symbol, Action::Buy);
        assert_eq!(decision.outcome, Some(crate::domain::Outcome::Filled), "{decision:?}");
        self
    }

    pub(super) fn held(&self, symbol: &Symbol) -> Decimal {
        self.core.durable().account.held(symbol).unwrap()
    }

    pub(super) fn propose(&mut self, trades: &[(Symbol, Side, &str)]) {
        let trades = trades
            .iter()
            .map(|(symbol, side, amount)| RebalanceTrade {
                symbol: symbol.clone(),
                side: *side,
                amount: dec(amount),
            })
            .collect();
        let proposal = RebalanceProposal { deviation_pct: dec("33"), trades };
        self.inside(|core, cx| core.rebalance(cx, &proposal));
    }

    pub(super) fn run_of(&mut self, task: TaskName, symbol: Option<&Symbol>) -> TaskRun {
        let at = self.runs.iter().position(|run| run.task == task && run.symbol.as_ref() == symbol);
        self.runs.remove(at.unwrap_or_else(|| panic!("no run of {task}: {:?}", self.runs))).unwrap()
    }

    // What is to be seen.

    pub(super) fn snapshot(&mut self) -> Snapshot {
        // Of its own, so that looking does not change what the next snapshot shares.
        let dirty = self.core.live.dirty;
        let snapshot = self.core.snapshot(self.now, None);
        self.core.live.dirty = dirty;
        snapshot
    }

    pub(super) fn state(&self) -> TradingState {
        assert!(self.gate.state() >= self.core.durable().control.state, "the gate is looser than the record");
        self.core.durable().control.state
    }

    pub(super) fn alarm(&self, key: &AlarmKey) -> AlarmState {
        self.core.durable().alarms.state(key)
    }

    pub(super) fn status(&self, id: ClientOrderId) -> OrderStatus {
        self.core.durable().orders[&id].status
    }

    pub(super) fn decision(&self, decision: &Decision) -> Decision {
        self.core.durable().decision(decision.id).unwrap().clone()
    }

    pub(super) fn venue_says(&mut self, event: VenueEvent) {
        self.tell(Input::Venue(event));
    }

    pub(super) fn submits(&self) -> Vec<&Order> {
        let orders = self.effects.iter().filter_map(|effect| match effect {
            Effect::Submit { order, .. } => Some(&**order),
            _ => None,
        });
        orders.collect()
    }

    /// The last announcement of this kind.
    pub(super) fn announcement(&self, kind: SystemEventKind) -> String {
        let said = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Publish(message) => match &message.payload {
                Payload::System(event) if event.kind == kind => Some(event.detail.to_string()),
                _ => None,
            },
            _ => None,
        });
        said.unwrap_or_default()
    }

    pub(super) fn announced(&self, kind: SystemEventKind) -> bool {
        self.effects.iter().any(|effect| match effect {
            Effect::Publish(message) => {
                matches!(&message.payload, Payload::System(event) if event.kind == kind)
            }
            _ => false,
        })
    }

    /// Place of the first effect that fits.
    pub(super) fn place(&self, fits: impl Fn(&Effect) -> bool) -> usize {
        self.effects.iter().position(fits).unwrap_or_else(|| panic!("not among {:#?}", self.effects))
    }

    pub(super) fn probe(&mut self, change: impl FnOnce(&mut Probe)) {
        let mut probe = Probe {
            journal: Ok(()),
            store: Ok(Duration::from_millis(2)),
            disk_free_mib: Some(10_000),
            clock_drift: Duration::ZERO,
            bus: BusLosses::default(),
        };
        change(&mut probe);
        self.tell(Input::Probe(probe));
    }
}

fn setup(config: &Config, candle_interval: Duration) -> Setup {
    Setup {
        decimals: 2,
        market: "SIM".to_owned(),
        venue: "PAPER".to_owned(),
        speed: Some(60),
        symbols: config.orchestration.symbols.clone(),
        listed_at: BTreeMap::new(),
        candle_interval,
        run_all_on_start: false,
        has_sentiment: true,
        leverage_max: Decimal::ONE,
        stamps_wall: false,
    }
}

fn core(config: &Arc<Config>, candle_interval: Duration, durable: Durable, now: Now) -> Coordinator {
    let setup = setup(config, candle_interval);
    Coordinator::new(Arc::clone(config), setup, Catalogue::embedded().unwrap(), durable, None, now)
}

/// What a contented agent says.
pub(super) fn answer_to(run: &TaskRun, at: Timestamp) -> TaskOutput {
    let confidence = Confidence::clamped(0.8);
    let reasoning = Untrusted::new("because");
    let symbol = || run.symbol.clone().unwrap();
    match run.task {
        TaskName::TechnicalAnalysis => TaskOutput::Ta(TaSignal {
            symbol: symbol(),
            bias: Bias::Long,
            confidence,
            atr_pct: Some(0.5),
            atr_ratio: Some(1.0),
            support: None,
            resistance: None,
            reasoning,
        }),
        TaskName::RegimeDetection => TaskOutput::Regime(RegimeUpdate {
            symbol: symbol(),
            regime: Regime::TrendingBull,
            confidence,
            reasoning,
        }),
        TaskName::SentimentAnalysis => TaskOutput::Sentiment(SentimentUpdate {
            symbol: symbol(),
            bias: SentimentBias::Bullish,
            confidence,
            reasoning,
        }),
        TaskName::TradingDecision => {
            let TaskInput::Decision(input) = &run.input else { panic!("a decision without its input") };
            TaskOutput::Signal(Signal {
                id: input.signal_id,
                symbol: symbol(),
                action: Action::Hold,
                confidence,
                entry: None,
                stop: None,
                take_profit: None,
                size_pct: Pct::ZERO,
                leverage: Decimal::ONE,
                at,
                source: "test".to_owned(),
                reasoning,
            })
        }
        TaskName::PortfolioRebalance => {
            TaskOutput::Rebalance(RebalanceProposal { deviation_pct: Decimal::ONE, trades: vec![] })
        }
    }
}
