//! The agents in a simulated month: is the market one in which everything happens?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::prelude::ToPrimitive;

use super::*;
use crate::market::{Feed, FeedEvent, SentimentSource, SimulatedFeed};

/// What a month of one symbol came to.
#[derive(Debug, Default)]
struct Tally {
    regimes: BTreeMap<Regime, u32>,
    actions: BTreeMap<String, u32>,
    wins: u32,
    losses: u32,
    worst_day_pct: f64,
    day_open: Option<f64>,
    /// Stop and target of the position, if one is open: a minimal book, in and out at the signal's own prices.
    position: Option<(Decimal, Decimal)>,
}

impl Tally {
    fn on_candle(&mut self, candle: &Candle) {
        if let Some((stop, target)) = self.position {
            let (lost, won) = (candle.low <= stop, candle.high >= target);
            self.losses += u32::from(lost);
            self.wins += u32::from(won && !lost);
            self.position = self.position.filter(|_| !lost && !won);
        }
        let close = candle.close.to_f64().unwrap();
        if candle.close_time() == candle.close_time().day_start() {
            self.day_open = None;
        }
        let change = close / *self.day_open.get_or_insert(close) - 1.0;
        self.worst_day_pct = self.worst_day_pct.min(100.0 * change);
    }

    fn on_signal(&mut self, signal: &Signal) {
        *self.actions.entry(signal.action.to_string()).or_default() += 1;
        match signal.action {
            Action::Buy => self.position = self.position.or(signal.stop.zip(signal.take_profit)),
            Action::Sell | Action::Close => self.position = None,
            Action::Hold => {}
        }
    }
}

/// The rule-based agents, and what they are shown.
struct Desk {
    agents: Vec<Box<dyn Agent>>,
    store: CandleStore,
    mood: Arc<dyn SentimentSource>,
}

impl Desk {
    fn ask(&self, task: TaskName, symbol: &Symbol, at: Timestamp, input: TaskInput) -> TaskOutput {
        let mut run = run(task, Some(symbol), at, input);
        run.market = MarketView {
            indicators: self.store.indicators(symbol),
            last: self.store.last(symbol).cloned(),
            price_decimals: self.store.price_decimals(symbol),
            mood: self.mood.sentiment(symbol, at),
        };
        agent_for(&self.agents, task).run(&run).unwrap()
    }

    fn regime(&self, symbol: &Symbol, at: Timestamp) -> RegimeUpdate {
        match self.ask(TaskName::RegimeDetection, symbol, at, TaskInput::Analysis) {
            TaskOutput::Regime(update) => update,
            other => panic!("{other:?}"),
        }
    }

    fn signal(&self, symbol: &Symbol, at: Timestamp, regime: RegimeUpdate, held: bool) -> Signal {
        let technical = self.ask(TaskName::TechnicalAnalysis, symbol, at, TaskInput::Analysis);
        let sentiment = self.ask(TaskName::SentimentAnalysis, symbol, at, TaskInput::Analysis);
        let (TaskOutput::Ta(technical), TaskOutput::Sentiment(sentiment)) = (technical, sentiment) else {
            panic!("each task has its own output")
        };
        let input = DecisionInput {
            technical: Some(technical),
            regime: Some(regime),
            sentiment: Some(sentiment),
            held: if held { Decimal::ONE } else { Decimal::ZERO },
            ..voices(Bias::Neutral, Regime::Unknown, SentimentBias::Neutral, 0.0)
        };
        match self.ask(TaskName::TradingDecision, symbol, at, TaskInput::Decision(Box::new(input))) {
            TaskOutput::Signal(signal) => signal,
            other => panic!("{other:?}"),
        }
    }
}

/// Thirty days with the warmed-up history before them: a regime every five minutes, a signal every hour.
fn month(seed: u64) -> BTreeMap<Symbol, Tally> {
    let config = config();
    let mut feed = SimulatedFeed::new(seed, &config.orchestration.symbols);
    let mut store = CandleStore::new(config.agents.indicators);
    for candle in feed.warm_up() {
        assert!(store.on_candle(&candle));
    }
    let mood = feed.sentiment().unwrap();
    let mut desk = Desk { agents: rules(&config, true), store, mood };
    let end = feed.start_at().plus(Duration::from_secs(30 * 86_400));
    let mut tallies = BTreeMap::<Symbol, Tally>::new();

    while let Some(at) = feed.next_at().filter(|at| *at <= end) {
        let Some(FeedEvent::Candle(candle)) = feed.pop() else {
            panic!("a simulated market has candles only")
        };
        desk.store.on_candle(&candle);
        let tally = tallies.entry(candle.symbol.clone()).or_default();
        tally.on_candle(&candle);
        let is_multiple_of = |secs| at == at.floor_to(Duration::from_secs(secs));
        if is_multiple_of(300) {
            let regime = desk.regime(&candle.symbol, at);
            *tally.regimes.entry(regime.regime).or_default() += 1;
            if is_multiple_of(3_600) {
                tally.on_signal(&desk.signal(&candle.symbol, at, regime, tally.position.is_some()));
            }
        }
    }
    tallies
}

fn assert_lively(seed: u64) {
    for (symbol, tally) in month(seed) {
        let found = format!("seed {seed}, {symbol}: {tally:?}");
        println!("{found}");
        assert_eq!(tally.regimes.len(), Regime::ALL.len(), "{found}");
        assert_eq!(tally.actions.values().sum::<u32>(), 720, "{found}");
        assert!(tally.actions["BUY"] >= 50 && tally.actions["HOLD"] >= 350, "{found}");
        assert!(tally.actions.contains_key("SELL") && tally.actions.contains_key("CLOSE"), "{found}");
        assert!(tally.wins >= 3 && tally.losses >= 3, "{found}");
        assert!((-20.0..-2.0).contains(&tally.worst_day_pct), "{found}");
    }
}

#[test]
fn thirty_simulated_days_show_every_regime_and_every_action_whatever_the_seed() {
    (1..=20).for_each(assert_lively);
}
