//! Model calls of a live run: out at once, one outcome each, and none left after a halt. And a run whose disk fails.

mod failing_disk;

use std::sync::Arc;

use super::*;
use crate::config::{Config, Provider};
use crate::domain::DecisionId;
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
