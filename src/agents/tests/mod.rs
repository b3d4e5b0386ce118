mod month;

use futures_util::FutureExt;
use proptest::prelude::*;
use rstest::rstest;
use rust_decimal::Decimal;

use super::*;
use crate::coordinator::task::{Allocation, AssetShare, DecisionInput, TaskInput};
use crate::domain::{
    Action, Asset, Bias, Candle, Confidence, InstallId, Pct, Regime, RegimeUpdate, RunId, SentimentBias,
    SentimentUpdate, Signal, SignalId, TaSignal, Timestamp, Untrusted,
};

fn symbol() -> Symbol {
    Symbol::new("BTC/USDT").unwrap()
}

fn config() -> Config {
    Config::defaults().unwrap()
}

fn run(task: TaskName, symbol: Option<&Symbol>, at: Timestamp, input: TaskInput) -> TaskRun {
    TaskRun { id: RunId(1), task, symbol: symbol.cloned(), at, input }
}

fn agent_for(agents: &[Box<dyn Agent>], task: TaskName) -> &dyn Agent {
    agents.iter().find(|agent| agent.task() == task).unwrap().as_ref()
}

/// Rule-based agents never wait.
fn answer(agent: &dyn Agent, run: TaskRun) -> Result<TaskOutput, AgentError> {
    agent.run(run).now_or_never().expect("a rule-based agent answers at once")
}

/// A store with `minutes` candles that climb by one a minute from 40,000, two wide.
fn climbing(minutes: i64) -> CandleStore {
    let store = CandleStore::new(config().agents.indicators);
    for minute in 0..minutes {
        let price = Decimal::new(400_000 + 10 * minute, 1);
        store.on_candle(&Candle {
            symbol: symbol(),
            open_time: Timestamp::from_secs(minute * 60),
            interval_secs: 60,
            open: price,
            high: price + Decimal::ONE,
            low: price - Decimal::ONE,
            close: price,
            volume: Decimal::ONE,
            synthetic: false,
        });
    }
    store
}

fn voices(bias: Bias, regime: Regime, mood: SentimentBias, confidence: f64) -> DecisionInput {
    let (confidence, reasoning) = (Confidence::clamped(confidence), Untrusted::default());
    DecisionInput {
        signal_id: SignalId::derive(InstallId::derived("test"), 1, RunId(1)),
        technical: Some(TaSignal {
            symbol: symbol(),
            bias,
            confidence,
            atr_pct: None,
            atr_ratio: None,
            support: None,
            resistance: None,
            reasoning: reasoning.clone(),
        }),
        regime: Some(RegimeUpdate { symbol: symbol(), regime, confidence, reasoning: reasoning.clone() }),
        sentiment: Some(SentimentUpdate { symbol: symbol(), bias: mood, confidence, reasoning }),
        held: Decimal::ZERO,
        stop_distance_pct: (Pct::new(Decimal::new(5, 1)).unwrap(), Pct::new(Decimal::from(3)).unwrap()),
    }
}

fn decided(store: &CandleStore, input: DecisionInput) -> Signal {
    let agent = TradingAgent::new(config().agents.trading_decision, store.clone());
    let input = TaskInput::Decision(Box::new(input));
    let run = run(TaskName::TradingDecision, Some(&symbol()), Timestamp::from_secs(9), input);
    match answer(&agent, run) {
        Ok(TaskOutput::Signal(signal)) => signal,
        other => panic!("{other:?}"),
    }
}

fn analysed(store: &CandleStore, task: TaskName) -> TaskOutput {
    let agents = rules(&config(), store, None);
    answer(agent_for(&agents, task), run(task, Some(&symbol()), Timestamp::EPOCH, TaskInput::Analysis))
        .unwrap()
}

#[rstest]
#[case(TaskName::TechnicalAnalysis)]
#[case(TaskName::RegimeDetection)]
fn without_a_candle_analysis_says_so(#[case] task: TaskName) {
    let agents = rules(&config(), &CandleStore::new(config().agents.indicators), None);
    let run = run(task, Some(&symbol()), Timestamp::EPOCH, TaskInput::Analysis);
    let error = answer(agent_for(&agents, task), run).unwrap_err();
    assert_eq!(error.to_string(), "no closed candle of BTC/USDT yet: wait for the feed");
}

#[test]
fn an_agent_refuses_what_is_not_its_own_input() {
    let agents = rules(&config(), &climbing(1), None);
    for task in [TaskName::TradingDecision, TaskName::PortfolioRebalance] {
        let wrong = run(task, Some(&symbol()), Timestamp::EPOCH, TaskInput::Analysis);
        assert_eq!(answer(agent_for(&agents, task), wrong), Err(AgentError::WrongInput(task)));
    }
    let task = TaskName::TechnicalAnalysis;
    let nameless = run(task, None, Timestamp::EPOCH, TaskInput::Analysis);
    assert_eq!(answer(agent_for(&agents, task), nameless), Err(AgentError::NoSymbol(task)));
}

#[test]
fn sentiment_without_a_source_is_absent_and_not_invented() {
    let agents = rules(&config(), &climbing(300), None);
    let agent = agent_for(&agents, TaskName::SentimentAnalysis);
    assert!(!agent.has_source());
    let run = run(agent.task(), Some(&symbol()), Timestamp::EPOCH, TaskInput::Analysis);
    assert_eq!(answer(agent, run), Err(AgentError::NoSource(symbol())));
}

#[test]
fn before_warm_up_technical_is_neutral_and_regime_unknown_and_both_say_why() {
    let store = climbing(150);
    let (TaskOutput::Ta(ta), TaskOutput::Regime(regime)) =
        (analysed(&store, TaskName::TechnicalAnalysis), analysed(&store, TaskName::RegimeDetection))
    else {
        panic!("each task has its own output")
    };
    assert_eq!((ta.bias, regime.regime), (Bias::Neutral, Regime::Unknown));
    assert!(ta.confidence.value() < 0.2 && regime.confidence.value() < 0.2);
    assert!(ta.reasoning.raw().contains("150 candles") && regime.reasoning.raw().contains("warming up"));
}

#[test]
fn a_market_that_only_climbs_is_long_and_a_bull_trend() {
    let store = climbing(1_000);
    let (TaskOutput::Ta(ta), TaskOutput::Regime(regime)) =
        (analysed(&store, TaskName::TechnicalAnalysis), analysed(&store, TaskName::RegimeDetection))
    else {
        panic!("each task has its own output")
    };
    assert_eq!((ta.bias, regime.regime), (Bias::Long, Regime::TrendingBull));
    let close = 40_999.0;
    assert!(ta.support.unwrap() < close && ta.resistance.unwrap() > close);
    assert!(ta.atr_pct.is_some() && ta.atr_ratio.is_some());
}

#[test]
fn clear_voices_up_are_a_buy_with_a_stop_below_and_a_target_above() {
    let input = voices(Bias::Long, Regime::TrendingBull, SentimentBias::VeryBullish, 0.8);
    let signal = decided(&climbing(1_000), input.clone());
    assert_eq!((signal.action, signal.id), (Action::Buy, input.signal_id));
    assert!((signal.confidence.value() - 0.8).abs() < 1e-9);
    let [entry, stop, target] = [signal.entry, signal.stop, signal.take_profit].map(Option::unwrap);
    assert_eq!(entry.to_string(), "40999.0");
    // Hourly ATR is 61 (60 a candle hour and the wicks); 1.5 of that is below 0.5 % of the entry: clamped.
    assert_eq!(stop.to_string(), "40794.0");
    assert_eq!(target.to_string(), "41409.0");
    assert_eq!((signal.size_pct.to_string(), signal.leverage), ("10%".to_owned(), Decimal::ONE));
}

#[test]
fn without_an_hourly_range_there_is_no_stop_and_so_no_purchase() {
    let signal =
        decided(&climbing(600), voices(Bias::Long, Regime::TrendingBull, SentimentBias::Bullish, 0.9));
    assert_eq!((signal.action, signal.entry), (Action::Hold, None));
    assert!(signal.reasoning.raw().contains("hourly ATR"));
}

#[rstest]
#[case::nothing_held(0, 0.9, Action::Hold)]
#[case::held_and_clear(1, 0.9, Action::Close)]
#[case::held_and_less_clear(1, 0.5, Action::Sell)]
#[case::held_and_unclear(1, 0.3, Action::Hold)]
fn voices_down_sell_only_what_is_held(#[case] held: i64, #[case] confidence: f64, #[case] action: Action) {
    let mut input = voices(Bias::Short, Regime::TrendingBear, SentimentBias::VeryBearish, confidence);
    input.held = Decimal::from(held);
    let signal = decided(&climbing(1_000), input);
    assert_eq!(signal.action, action, "{:?}", signal.reasoning);
    assert_eq!((signal.stop, signal.take_profit), (None, None));
}

#[test]
fn neutral_voices_hold_even_if_no_confidence_is_asked_for() {
    let mut config = config().agents.trading_decision;
    config.confidence_min = Confidence::ZERO;
    let agent = TradingAgent::new(config, climbing(1_000));
    let mut input = voices(Bias::Neutral, Regime::Ranging, SentimentBias::Neutral, 0.9);
    input.held = Decimal::ONE;
    let input = TaskInput::Decision(Box::new(input));
    let run = run(TaskName::TradingDecision, Some(&symbol()), Timestamp::EPOCH, input);
    let Ok(TaskOutput::Signal(signal)) = answer(&agent, run) else { panic!("a decision always comes") };
    assert_eq!(signal.action, Action::Hold);
}

#[test]
fn voices_that_disagree_or_are_absent_hold() {
    let store = climbing(1_000);
    let torn = voices(Bias::Long, Regime::TrendingBear, SentimentBias::Neutral, 0.9);
    assert_eq!(decided(&store, torn).action, Action::Hold);
    let mut blind = voices(Bias::Long, Regime::TrendingBull, SentimentBias::VeryBullish, 1.0);
    blind.technical = None;
    assert_eq!(decided(&store, blind).action, Action::Hold);
}

proptest! {
    #[test]
    fn a_stop_is_always_within_its_bounds(start in 1_i64..5_000_000, swing in 0_i64..400, decimals in 2_u32..9) {
        let store = CandleStore::new(config().agents.indicators);
        let start = start + 10_000;
        for minute in 0..15 * 60 {
            let wide = Decimal::new(start * swing / 10_000, decimals);
            let price = Decimal::new(start, decimals);
            let candle = Candle {
                symbol: symbol(),
                open_time: Timestamp::from_secs(minute * 60),
                interval_secs: 60,
                open: price,
                high: price + wide,
                low: price - wide,
                close: price,
                volume: Decimal::ONE, synthetic: false,
            };
            store.on_candle(&candle);
        }
        let input = voices(Bias::Long, Regime::TrendingBull, SentimentBias::VeryBullish, 0.8);
        let signal = decided(&store, input);
        prop_assert_eq!(signal.action, Action::Buy);
        let (entry, stop) = (signal.entry.unwrap(), signal.stop.unwrap());
        let pct = (entry - stop) / entry * Decimal::ONE_HUNDRED;
        prop_assert!(pct >= Decimal::new(5, 1) && pct <= Decimal::from(3), "{}", pct);
        prop_assert!((signal.take_profit.unwrap() - entry) / (entry - stop) >= Decimal::new(19, 1));
    }
}

fn share(asset: &str, value: i64, target: &str, pair: Option<&str>) -> AssetShare {
    AssetShare {
        asset: Asset::new(asset).unwrap(),
        value: Decimal::from(value),
        target_pct: target.parse().unwrap(),
        symbol: pair.map(|pair| Symbol::new(pair).unwrap()),
    }
}

fn rebalanced(assets: Vec<AssetShare>) -> Result<(String, Vec<String>), AgentError> {
    let total = assets.iter().map(|share| share.value).sum();
    let allocation =
        Allocation { currency: Asset::new("USDT").unwrap(), decimals: 2, total, assets, unpriced: vec![] };
    let agent = RebalanceAgent;
    let input = TaskInput::Rebalance(Box::new(allocation));
    match answer(&agent, run(TaskName::PortfolioRebalance, None, Timestamp::EPOCH, input))? {
        TaskOutput::Rebalance(proposal) => {
            let words =
                proposal.trades.iter().map(|t| format!("{} {} {}", t.side, t.amount.normalize(), t.symbol));
            Ok((proposal.deviation_pct.to_string(), words.collect()))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fresh_account_buys_its_targets() {
    let (deviation, trades) = rebalanced(vec![
        share("BTC", 0, "33.33", Some("BTC/USDT")),
        share("USDT", 10_000, "33.34", None),
        share("XRP", 0, "33.33", Some("XRP/USDT")),
    ])
    .unwrap();
    assert_eq!(deviation, "66.66");
    assert_eq!(trades, ["buy 3333 BTC/USDT", "buy 3333 XRP/USDT"]);
}

#[test]
fn sells_come_before_buys() {
    let (deviation, trades) = rebalanced(vec![
        share("BTC", 2_000, "30", Some("BTC/USDT")),
        share("ETH", 995, "10", Some("ETH/USDT")),
        share("EUR", 3_000, "20", Some("USDT/EUR")),
        share("XRP", 4_000, "30", Some("XRP/USDT")),
        share("USDT", 5, "10", None),
    ])
    .unwrap();
    assert_eq!(deviation, "10");
    assert_eq!(
        trades,
        ["buy 1000 USDT/EUR", "sell 1000 XRP/USDT", "buy 1000 BTC/USDT", "buy 5 ETH/USDT"],
        "what is too small is for the plan to say"
    );
}

#[test]
fn a_rebalance_without_all_prices_waits_and_proposes_nothing() {
    let assets = vec![share("BTC", 0, "50", Some("BTC/USDT")), share("USDT", 10_000, "50", None)];
    let unpriced = vec![Asset::new("XRP").unwrap()];
    let (currency, total) = (Asset::new("USDT").unwrap(), Decimal::from(10_000));
    let allocation = Allocation { currency, decimals: 2, total, assets, unpriced: unpriced.clone() };
    let agent = RebalanceAgent;
    let input = TaskInput::Rebalance(Box::new(allocation));
    let output = answer(&agent, run(TaskName::PortfolioRebalance, None, Timestamp::EPOCH, input));
    assert_eq!(output, Ok(TaskOutput::RebalanceWaits(unpriced)));
}

#[test]
fn nothing_cannot_be_rebalanced() {
    assert_eq!(rebalanced(vec![share("BTC", 0, "100", Some("BTC/USDT"))]), Err(AgentError::NothingHeld));
}
