//! Whole runs in virtual time with scripted models.

use std::sync::Arc;

use andon::alarm::{AlarmSource, AlarmTransition};
use andon::coordinator::degradation::{Component, DegradationTransition};
use andon::coordinator::record::RecordKind;
use andon::domain::{Decision, Outcome, ResolvedBy};
use andon::llm::{After, Models, Said, Scripted};
use andon::runtime::options::RunOptions;
use andon::runtime::simulate_with;
use andon::runtime::summary::Summary;
use andon::store::ModelText;

use super::place::{DAY, Data, Place, config, intended, options};

const PROVIDERS: &str =
    "orchestration.llm={primary: {name: alpha, timeout: 5s}, fallback: {name: beta, timeout: 4s}}";
const PROCEED: &str = r#"{"action": "proceed", "confidence": 0.9, "reasoning": "go on"}"#;

fn models(alpha: Scripted, beta: Scripted) -> Models {
    let mut models = Models::new();
    models.insert("alpha".to_owned(), Arc::new(alpha));
    models.insert("beta".to_owned(), Arc::new(beta));
    models
}

/// Ten days in which every conflict goes to these models.
fn run(data: &Data, alpha: Scripted, beta: Scripted) -> Summary {
    let options = RunOptions {
        run_for: Some(DAY * 10),
        data_dir: Some(data.path()),
        config: config(&[PROVIDERS, "agents.trading_decision.confidence_min=0.2"]),
        ..options()
    };
    simulate_with(&options, &models(alpha, beta)).unwrap()
}

/// The decisions as they were recorded last, those only that a model was asked about.
fn asked(data: &Data) -> Vec<Decision> {
    let mut last = std::collections::BTreeMap::new();
    for record in data.records() {
        if let RecordKind::Decision(decision) = record.kind {
            last.insert(decision.id, *decision);
        }
    }
    let by_default = |decision: &Decision| {
        decision.resolution.as_ref().is_none_or(|resolution| resolution.by == ResolvedBy::Default)
    };
    last.into_values().filter(|decision| !by_default(decision)).collect()
}

#[test]
fn models_decide_conflicts_and_equal_runs_end_with_the_same_journal() {
    let (place, again) = (Place::new(), Place::new());
    let summary = run(&place.data(), Scripted::saying(PROCEED), Scripted::hanging());
    let second = run(&again.data(), Scripted::saying(PROCEED), Scripted::hanging());
    assert_eq!(summary.journal_head, second.journal_head);
    assert_eq!(summary.decisions.values().sum::<u64>(), summary.signals, "every signal ends in one outcome");

    let asked = asked(&place.data());
    assert!(!asked.is_empty(), "no conflict in ten days: nothing was tested");
    assert_eq!(summary.model_calls["alpha"]["answered"], asked.len() as u64, "{:?}", summary.model_calls);
    for decision in &asked {
        let resolution = decision.resolution.as_ref().unwrap();
        assert_eq!(resolution.by, ResolvedBy::Model("alpha".to_owned()));
        assert!(resolution.prompt_digest.is_some() && resolution.reply_digest.is_some());
        assert!(resolution.took.unwrap().as_millis() >= 20, "an answer takes its time: {resolution:?}");
    }
    let written = std::fs::read_to_string(place.data().dir().model_texts()).unwrap();
    let texts: Vec<ModelText> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text_of = |digest: &Option<String>| {
        let text = texts.iter().find(|text| Some(&text.digest) == digest.as_ref());
        text.unwrap_or_else(|| panic!("no text for {digest:?}")).text.as_str()
    };
    for resolution in asked.iter().filter_map(|decision| decision.resolution.as_ref()) {
        assert_eq!(text_of(&resolution.reply_digest), PROCEED);
        assert!(text_of(&resolution.prompt_digest).contains("_conflict"));
    }
    let records = place.data().records();
    assert_eq!(intended(&records), place.data().venue_orders());
    place.data().assert_verifies();
}

#[test]
fn models_that_hang_or_babble_never_trade_and_lower_the_level() {
    let place = Place::new();
    let babbling = Scripted::new(|_| {
        Said::text("buy, of course").after(After::Exactly(std::time::Duration::from_secs(1)))
    });
    let summary = run(&place.data(), Scripted::hanging(), babbling);

    let asked = asked(&place.data());
    assert!(!asked.is_empty());
    for (provider, outcome) in [("alpha", "timed_out"), ("beta", "unreadable")] {
        let calls = summary.model_calls.get(provider).and_then(|calls| calls.get(outcome));
        assert!(calls.is_some_and(|calls| *calls > 0), "{:?}", summary.model_calls);
    }
    for decision in &asked {
        assert_eq!(decision.resolution.as_ref().unwrap().by, ResolvedBy::DefaultAfterFailure);
        assert!(matches!(decision.outcome, Some(Outcome::Aborted | Outcome::Waited)), "{decision:?}");
    }
    assert!(summary.level_changes.iter().any(|step| step.to == "REDUCED"), "{:?}", summary.level_changes);
    assert_eq!(summary.decisions.values().sum::<u64>(), summary.signals);
}

#[test]
fn a_model_that_comes_back_is_trusted_again() {
    let place = Place::new();
    let calls = std::sync::atomic::AtomicU32::new(0);
    let recovering = Scripted::new(move |_| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if call < 30 { Said::refusal("quota") } else { Said::text(PROCEED) }
    });
    run(&place.data(), recovering, Scripted::saying(PROCEED));

    let alpha = Component::Provider("alpha".to_owned());
    let records = place.data().records();
    let failures = |kind: &RecordKind| match kind {
        RecordKind::Degradation(DegradationTransition::Counted { component, counter })
            if *component == alpha =>
        {
            Some(counter.outstanding)
        }
        _ => None,
    };
    let worst = records.iter().filter_map(|record| failures(&record.kind)).max();
    assert!(worst >= Some(1), "it never failed: {worst:?}");
    assert_eq!(place.data().state().degradation.outstanding(&alpha), 0, "its probes took all of it off");
    let down = |kind: &RecordKind| matches!(kind, RecordKind::Alarm(AlarmTransition::Raised { key, .. }) if key.source == AlarmSource::ProviderDown);
    assert!(records.iter().any(|record| down(&record.kind)));
}
