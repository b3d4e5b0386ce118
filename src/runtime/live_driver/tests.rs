//! Model calls of a live run: out at once, one outcome each, and none left after a halt. And a run whose disk fails.

mod failing_disk;

use std::sync::Arc;

use rust_decimal::Decimal;

use super::*;
use crate::agents::{Agent, AgentError};
use crate::config::{Config, Overrides, Provider, TaskName, load};
use crate::coordinator::task::TaskOutput;
use crate::domain::{
    ClientOrderId, DecisionId, InstallId, Message, MessageId, Order, OrderKind, Payload, Priority, Purpose,
    Side, Symbol, SystemEvent, SystemEventKind, Topic, TradeId, TradingState,
};
use crate::llm::tests::question;
use crate::llm::{Models, Scripted};
use crate::runtime::options::{RunOptions, Speed, simulated_for};

const ABORT: &str = r#"{"action": "abort", "confidence": 0.9, "reasoning": "no"}"#;

/// A live run that nobody drives but the test; its directory lives as long as the engine.
fn engine(alpha: Scripted) -> (Engine, tempfile::TempDir) {
    let mut config = Config::defaults().unwrap();
    config.orchestration.llm.primary =
        Some(Provider { name: "alpha".to_owned(), timeout: Duration::from_secs(5) });
    let options = RunOptions {
        speed: Speed::Times(60),
        run_for: None,
        config: config.into(),
        ..simulated_for(Duration::ZERO)
    };
    let place = tempfile::tempdir().unwrap();
    let mut models = Models::new();
    models.insert("alpha".to_owned(), Arc::new(alpha));
    let assembly = Assembly::with_models(&options, place.path(), &models).unwrap();
    (LiveDriver::prepare(assembly, 60, Actor::Script).unwrap(), place)
}

fn take_on(driver: &mut LiveDriver, effect: Effect) {
    let now = driver.clock.now().operator;
    driver.take_on(effect, now);
}

/// The next input of a model; those of others are passed over.
async fn heard(driver: &mut LiveDriver) -> Input {
    loop {
        let input = driver.inputs.recv().await.unwrap();
        if matches!(input, Input::Resolved { .. } | Input::ProviderProbed { .. }) {
            return input;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_does_not_wait_for_the_disk_and_brings_one_outcome() {
    let (Engine { mut driver, watchdog, .. }, _place) = engine(Scripted::saying(ABORT));
    // Records that are never durable: whatever waits in the outbox waits for ever.
    driver.outbox.recorded(Seq(u64::MAX));
    take_on(&mut driver, Effect::Resolve(Box::new(question())));
    let Input::Resolved { decision, resolved } = heard(&mut driver).await else { panic!("not an answer") };
    assert_eq!(decision, DecisionId(7));
    assert_eq!(resolved.answer.unwrap().provider, "alpha");
    take_on(&mut driver, Effect::ProbeProvider { provider: "alpha".to_owned() });
    let probed = Input::ProviderProbed { provider: "alpha".to_owned(), result: Ok(()) };
    assert_eq!(heard(&mut driver).await, probed);
    drop(watchdog);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_calls_end_without_an_answer() {
    let (Engine { mut driver, watchdog, .. }, _place) = engine(Scripted::hanging());
    take_on(&mut driver, Effect::Resolve(Box::new(question())));
    take_on(&mut driver, Effect::AbandonModelCalls);
    let ended = driver.model_calls.join_next().await.unwrap();
    assert!(ended.unwrap_err().is_cancelled());
    drop(watchdog);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_probe_looks_whether_the_last_record_still_stands_where_it_was_written() {
    let (Engine { mut driver, watchdog, .. }, place) = engine(Scripted::saying(ABORT));
    driver.progress.wait_for(|progress| progress.place.is_some()).await.unwrap();
    let look = async |driver: &mut LiveDriver| {
        driver.probed_at = Timestamp::EPOCH;
        driver.probe();
        loop {
            if let Input::Probe(probe) = driver.inputs.recv().await.unwrap() {
                return probe.journal;
            }
        }
    };
    assert_eq!(look(&mut driver).await, Ok(()));
    let segment = place.path().join("journal/00000001.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert!(look(&mut driver).await.is_err());
    drop(watchdog);
}

/// Blocks its thread until its other end is dropped, and hears of nothing.
struct Deaf(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

impl Agent for Deaf {
    fn task(&self) -> TaskName {
        TaskName::TechnicalAnalysis
    }

    fn run(&self, _: &TaskRun) -> Result<TaskOutput, AgentError> {
        let _let_go = self.0.lock().unwrap().recv_timeout(Duration::from_secs(90));
        Err(AgentError::NothingHeld)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_block_and_are_deaf_leave_loop_and_gate_alone() {
    let timeout = "orchestration.schedules.tasks.technical_analysis.timeout=1s";
    let overrides = Overrides { set: vec![timeout.to_owned()], ..Overrides::default() };
    let config = load(&overrides).unwrap().config;
    let options =
        RunOptions { speed: Speed::Times(60), config: config.into(), ..simulated_for(Duration::ZERO) };
    let place = tempfile::tempdir().unwrap();
    let mut assembly = Assembly::new(&options, place.path()).unwrap();
    let (let_go, blocked) = std::sync::mpsc::channel();
    let deaf = Arc::new(Deaf(std::sync::Mutex::new(blocked)));
    assembly.world.agents.insert(TaskName::TechnicalAnalysis, deaf);
    let Engine { driver, handle, watchdog, .. } = LiveDriver::prepare(assembly, 60, Actor::Script).unwrap();
    let (stop, stopped) = watch::channel(None);
    let run = tokio::spawn(driver.run(None, stopped));

    // Three runs block three threads; each ends for the core by its timeout, and is counted as abandoned.
    let mut snapshots = handle.snapshots();
    let abandoned = |seen: &Arc<Snapshot>| seen.schedule.iter().map(|row| row.abandoned).sum::<u32>() >= 3;
    let seen = tokio::time::timeout(Duration::from_secs(60), snapshots.wait_for(abandoned)).await;
    assert!(seen.is_ok(), "the loop stands still, or waits for them");
    assert_eq!(handle.gate().state, TradingState::Running, "the watchdog found nothing stuck");
    drop(seen);
    stop.send_replace(Some(SafeText::ours("test")));
    run.await.unwrap().unwrap();
    drop((let_go, watchdog));
}

/// One of each effect that may leave the process only after the records before it are durable.
fn that_wait_for_the_disk(driver: &LiveDriver) -> Vec<Effect> {
    let client_id = ClientOrderId::derive(InstallId::derived("none"), "x");
    let purpose = Purpose::Flatten { number: 1 };
    let order = Order {
        client_id,
        symbol: Symbol::new("BTC/USDT").unwrap(),
        side: Side::Sell,
        quantity: Decimal::ONE,
        kind: OrderKind::Market { bound: None },
        purpose,
        protection: None,
    };
    let event = SystemEvent {
        kind: SystemEventKind::Started,
        symbol: None,
        detail: SafeText::ours("said before it is recorded"),
    };
    let message = Message {
        id: MessageId::sequential(InstallId::derived("none"), 1, 1),
        topic: Topic::SystemEvents,
        source: "coordinator".into(),
        priority: Priority::Normal,
        timestamp: driver.clock.now().market,
        ttl: None,
        correlation_id: None,
        payload: Payload::System(event),
    };
    let (seen, command) = (driver.world.gate.epoch(), CommandId(1));
    vec![
        Effect::Publish(Arc::new(message)),
        Effect::Submit { order: Box::new(order), deadline: None, approved: seen, recorded: Seq(1) },
        Effect::ShrinkProtection { client_id, quantity: Decimal::ZERO },
        Effect::Query { client_id },
        Effect::FetchFills { after: TradeId(0) },
        Effect::PutNotesAway,
        Effect::Reply { command, outcome: CommandOutcome::done("acknowledged") },
        Effect::OpenGate { seen, to: TradingState::Running, command },
        Effect::ReleaseLatch { seen },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_follows_from_a_record_stays_here_until_the_record_is_durable() {
    let (Engine { mut driver, watchdog, .. }, _place) = engine(Scripted::hanging());
    driver.outbox.recorded(Seq(u64::MAX));
    for effect in that_wait_for_the_disk(&driver) {
        let before = driver.outbox.len();
        take_on(&mut driver, effect.clone());
        driver.flush();
        assert_eq!(driver.outbox.len(), before + 1, "{effect:?}");
    }
    drop(watchdog);
}
