//! An earlier system of this kind was reviewed and found not fit for production: thirteen issues, eight gaps in its
//! tests, four deviations from its own plan. One test a row, in the review's order, each through the public API with
//! the real collaborators (core, gate, bus, paper venue, journal on disk), so that a reader can tick the review off.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::float_cmp,
    reason = "the helpers of a test stop at the first surprise and print the seed of a random run; these numbers are \
              to be exact"
)]

#[path = "review/house.rs"]
mod house;
#[path = "run/place.rs"]
#[expect(dead_code, reason = "shared with the tests of whole runs; each uses what it needs")]
mod place;
#[path = "review/week.rs"]
mod week;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use andon::alarm::{AlarmKey, AlarmSource, AlarmState, Subject};
use andon::bus::{Filter, MessageBus, TryRecvError};
use andon::config::TaskName;
use andon::coordinator::degradation::Component;
use andon::coordinator::input::{BusLosses, Input, Probe};
use andon::coordinator::record::RecordKind;
use andon::coordinator::snapshot::{HealthStatus, TaskState};
use andon::coordinator::task::{RebalanceProposal, RebalanceTrade, TaskFailure, TaskOutput};
use andon::domain::{
    Action, Bias, Candle, Change, ConflictKind, InstallId, Level, Message, MessageId, Now, OrderKind,
    Outcome, Payload, Priority, Purpose, ReasonCode, Regime, ResolvedBy, SafeText, SentimentBias, Side,
    Signal, SystemEvent, SystemEventKind, Timestamp, Topic, TradingState, Untrusted, Verdict,
};
use andon::runtime::{Assembly, VirtualDriver};
use rust_decimal::Decimal;

use house::{BTC, House, XRP, dec, drain, secs, symbol, technical};
use place::{Place, booked, config, intended, options};

const NOW: Timestamp = Timestamp::from_secs(1_704_189_600);
/// Bitcoin worth 8,000 beside 10,000 USDT: at 35,000 a day's loss of 5.6 %, at 30,000 a week's of 11.1 %.
const WITH_BTC: &str = "execution.account.start.BTC=0.2";

fn bus() -> MessageBus {
    MessageBus::new(&config(&[]).orchestration.message_bus)
}

/// One more message on `system_events`, from an agent of no name.
fn message(count: u64, priority: Priority) -> Message {
    let detail = SafeText::ours(count);
    Message {
        id: MessageId::sequential(InstallId::derived("review"), 1, count),
        topic: Topic::SystemEvents,
        source: "coordinator".into(),
        priority,
        timestamp: NOW,
        ttl: None,
        correlation_id: None,
        payload: Payload::System(SystemEvent { kind: SystemEventKind::Health, symbol: None, detail }),
    }
}

fn is_task_error(message: &Message) -> bool {
    matches!(&message.payload, Payload::System(event) if event.kind == SystemEventKind::TaskError)
}

// Issues.

#[test]
fn issue_01_priority_orders_delivery_and_a_risk_alert_overtakes_market_data() {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[WITH_BTC]);
    let mut mailbox = house.mailbox("desk", &Topic::ALL);

    // The alert is published behind the candle that it follows from.
    house.btc_at("35000");

    let received = drain(&mut mailbox);
    let place_of = |topic| received.iter().position(|message| message.topic == topic).unwrap();
    assert!(place_of(Topic::RiskAlerts) < place_of(Topic::MarketData));
    assert!(received.is_sorted_by(|a, b| a.priority >= b.priority), "one lane after the other");
    let low: Vec<_> = received.iter().filter(|message| message.priority == Priority::Low).collect();
    assert!(low.len() == 3 && low.is_sorted_by_key(|message| message.id), "in order within a lane");
}

#[test]
fn issue_02_a_stuck_subscriber_delays_nobody_and_its_losses_are_counted() {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[]);
    house.be_contented();
    let stuck = house.world.bus.subscribe("stuck", &Topic::ALL, 4, Filter::all());
    let mut reader = house.mailbox("reader", &Topic::ALL);

    let mut received = 0;
    for _ in 0..62 {
        house.pass(secs(60));
        received += drain(&mut reader).len() as u64;
    }

    let stats = house.world.bus.stats();
    let of = |id: &str| stats.mailboxes.iter().find(|mailbox| &*mailbox.id == id).unwrap().counts;
    assert!(received > 300 && received == of("reader").offered, "{received} of {:?}", of("reader"));
    assert_eq!(of("stuck").dropped, received - 4, "what was lost is counted, message by message");
    assert_eq!(
        house.state().decisions.len(),
        6,
        "the publisher went on deciding, at the start and an hour later"
    );
    assert!(!stuck.is_closed() && stuck.depth() == 4);
}

#[test]
fn issue_03_statistics_are_one_consistent_reading() {
    let bus = bus();
    let mut reader = bus.subscribe("reader", &Topic::ALL, 16, Filter::all());
    std::thread::scope(|threads| {
        let publishers: Vec<_> = (0..3)
            .map(|publisher| {
                let bus = &bus;
                threads.spawn(move || {
                    for count in 0..5_000 {
                        let message = message(publisher * 5_000 + count, Priority::Normal);
                        assert_eq!(bus.publish(message, NOW).unwrap().mailboxes, 1);
                    }
                })
            })
            .collect();
        while publishers.iter().any(|publisher| !publisher.is_finished()) {
            drop(reader.try_recv());
            let stats = bus.stats();
            let counts = stats.counts;
            let accounted = counts.delivered + counts.dropped + counts.expired + counts.abandoned;
            assert_eq!(counts.offered, accounted + stats.queued as u64);
            assert_eq!(stats.published, counts.offered, "one mailbox takes everything");
            assert_eq!(stats.published, stats.topics.iter().map(|topic| topic.published).sum::<u64>());
        }
    });
    assert_eq!(bus.stats().published, 15_000);
}

#[test]
fn issue_04_subscribing_again_replaces_in_place() {
    let bus = bus();
    let capacity = 8;
    let mut first = bus.subscribe("agent", &[Topic::SystemEvents], capacity, Filter::all());
    let mut other = bus.subscribe("other", &[Topic::SystemEvents], capacity, Filter::all());
    assert_eq!(bus.publish(message(1, Priority::Normal), NOW).unwrap().dropped, 0);

    let mut second = bus.subscribe("agent", &[Topic::SystemEvents], capacity, Filter::all());
    assert_eq!(bus.publish(message(2, Priority::Normal), NOW).unwrap().dropped, 0);

    assert_eq!(drain(&mut first).len(), 1, "what it held can still be read");
    assert!(first.is_closed() && matches!(first.try_recv(), Err(TryRecvError::Closed)));
    assert_eq!((drain(&mut second).len(), drain(&mut other).len()), (1, 2));
    let stats = bus.stats();
    assert_eq!(stats.subscribers, 2, "the list has not grown");
    assert_eq!(&*stats.mailboxes[0].id, "agent", "and the new mailbox has the old one's turn");
}

#[test]
fn issue_05_consensus_hears_only_the_signals_own_symbol() {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[]);
    house.all_for_buying(XRP);

    let (silent, heard) = (house.signal(BTC, Action::Buy, 0.7), house.signal(XRP, Action::Buy, 0.7));

    assert_eq!((silent.votes.len(), silent.ratio, silent.multiplier), (0, None, 1.0));
    assert_eq!(silent.confidence.value(), 0.7);
    assert_eq!((heard.votes.len(), heard.ratio, heard.multiplier), (3, Some(1.0), 1.3));
    assert!((heard.confidence.value() - 0.91).abs() < 1e-9);
}

#[test]
fn issue_06_conflicts_are_those_of_the_signals_own_symbol() {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[]);
    house.technical(XRP, Bias::Long, 0.8);
    house.mood(XRP, SentimentBias::Bearish, 0.75);
    house.regime(XRP, Regime::Choppy);

    let (quiet, torn) = (house.signal(BTC, Action::Buy, 0.9), house.signal(XRP, Action::Buy, 0.9));

    assert_eq!((quiet.conflicts.len(), quiet.outcome), (0, Some(Outcome::Filled)));
    let kinds: Vec<_> = torn.conflicts.iter().map(|conflict| conflict.kind).collect();
    assert_eq!(kinds, [ConflictKind::RegimeConflict, ConflictKind::TaSentimentConflict]);
    assert_eq!(torn.outcome, Some(Outcome::Aborted), "the strictest default wins, and stands first");
}

#[test]
fn issue_07_tasks_follow_the_level() {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[]);
    house.be_contented();
    let all = BTreeSet::from(TaskName::ALL);
    let mut ran_at = |words: &str| {
        assert!(house.say(words).is_done());
        house.begun.clear();
        // Whatever the level, the same two hours.
        house.pass(secs(7_300));
        let ran: BTreeSet<_> = house.begun.iter().map(|(task, _)| *task).collect();
        let skipped: Vec<_> = house
            .snapshot()
            .schedule
            .iter()
            .filter(|row| row.state == TaskState::SkippedByLevel)
            .map(|row| row.task)
            .collect();
        let shown: BTreeSet<_> = all.difference(&ran).copied().collect();
        assert_eq!(
            skipped.into_iter().collect::<BTreeSet<_>>(),
            shown,
            "what is skipped is shown as skipped"
        );
        ran
    };

    assert_eq!(ran_at("note NORMAL"), all);
    assert_eq!(ran_at("force_level REDUCED drill"), all);
    let without_mood: BTreeSet<_> =
        all.iter().copied().filter(|task| *task != TaskName::SentimentAnalysis).collect();
    assert_eq!(ran_at("force_level LIMITED drill"), without_mood);
    let looking_only = BTreeSet::from([TaskName::TechnicalAnalysis, TaskName::RegimeDetection]);
    assert_eq!(ran_at("force_level EMERGENCY drill"), looking_only);
    assert_eq!(ran_at("clear_level done"), all);
}

#[test]
fn issue_08_a_hanging_task_times_out_and_the_loop_goes_on() {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[]);
    let mut mailbox = house.mailbox("desk", &Topic::ALL);
    let hanging = house.run_of(TaskName::TechnicalAnalysis, Some(BTC));
    let other = house.run_of(TaskName::TechnicalAnalysis, Some(XRP));
    house.answer(&other, Ok(technical(&symbol(XRP), Bias::Long, 0.8)));
    house.be_contented();

    house.pass(secs(31));

    let errors: Vec<_> = drain(&mut mailbox).into_iter().filter(|message| is_task_error(message)).collect();
    assert!(errors.iter().any(|message| message.payload.symbol() == Some(&symbol(BTC))), "{errors:?}");
    assert!(errors.iter().all(|message| message.payload.symbol() != Some(&symbol(XRP))));
    assert!(house.abandoned >= 1);
    // Late, it changes nothing; the next run of the same task and symbol does.
    house.answer(&hanging, Ok(technical(&symbol(BTC), Bias::Short, 0.9)));
    let says = |house: &mut House| {
        let snapshot = house.snapshot();
        let row = snapshot.consensus.iter().find(|row| row.symbol == symbol(BTC)).unwrap();
        row.technical.says.map(|(bias, _)| bias)
    };
    assert_eq!(says(&mut house), None);
    house.pass(secs(60));
    assert_eq!(says(&mut house), Some(Bias::Long));
}

/// A rebalance run proposes to buy for 1,500 USDT of bitcoin, in six legs.
fn propose(house: &mut House) {
    let run = house.asked(TaskName::PortfolioRebalance, None);
    let trades = vec![RebalanceTrade { symbol: symbol(BTC), side: Side::Buy, amount: dec("1500") }];
    house.answer(&run, Ok(TaskOutput::Rebalance(RebalanceProposal { deviation_pct: dec("15"), trades })));
}

#[test]
fn issue_09_legs_are_durable_before_they_are_scheduled_and_refused_without_a_store() {
    let place = Place::new();
    let data = place.data();
    let mut house = House::open(&data.path(), &[]);
    propose(&mut house);
    let made = house.state().plans.clone();
    assert_eq!(made.open().next().unwrap().legs.len(), 6);
    let at = |wanted: fn(&RecordKind) -> bool| {
        house.records.iter().position(|record| wanted(&record.kind)).unwrap()
    };
    assert!(
        at(|kind| matches!(kind, RecordKind::Plan(_)))
            < at(|kind| matches!(kind, RecordKind::OrderIntended(_)))
    );
    // As by kill -9: what comes back is what the journal holds.
    house.end(false);
    assert_eq!(data.state().plans, made);

    let elsewhere = place.path().join("no store");
    let mut house = House::open(&elsewhere, &[]);
    house.tell(Input::Probe(Probe {
        journal: Ok(()),
        store: Err(SafeText::ours("No space left on device")),
        disk_free_mib: Some(0),
        clock_drift: Duration::ZERO,
        bus: BusLosses::default(),
    }));
    propose(&mut house);
    assert_eq!(house.state().plans.open().count(), 0);
    assert!(house.submitted.is_empty());
    let refused = AlarmKey::of(AlarmSource::PlanRefused);
    assert_eq!(house.state().alarms.state(&refused), AlarmState::Unacknowledged);
}

/// Fails every run of the technical analysis for this long.
fn fail_for(house: &mut House, minutes: u32) {
    for _ in 0..minutes {
        house.pass(secs(60));
        while let Some(run) = house.runs.pop_front() {
            house.answer(&run, Err(TaskFailure::Failed(Untrusted::new("no data"))));
        }
    }
}

#[test]
fn issue_10_level_counters_and_forced_floor_survive_a_crash() {
    let place = Place::new();
    let dir = place.path().join("d");
    let mut house = House::open(&dir, &[]);
    fail_for(&mut house, 5);
    assert!(house.say("force_level LIMITED drill").is_done());
    let before = house.state().degradation.clone();
    assert!(before.counters().any(|(_, counter)| counter.outstanding >= 3));
    house.end(false);

    let mut house = House::open(&dir, &[]);

    assert_eq!(house.state().degradation, before);
    let shown = house.snapshot().degradation;
    assert_eq!((shown.effective, shown.automatic), (Level::Limited, Level::Reduced));
    assert_eq!(shown.forced.as_ref().unwrap().level, Level::Limited);
    assert!(house.say("clear_level done").is_done());
    assert_eq!(house.snapshot().degradation.effective, Level::Reduced, "the counters are still there");
}

#[test]
fn issue_11_thresholds_of_the_consensus_come_from_config() {
    let multiplier = |set: &[&str]| {
        let place = Place::new();
        let mut house = House::open(&place.path().join("d"), set);
        house.technical(BTC, Bias::Long, 0.8);
        house.regime(BTC, Regime::TrendingBull);
        house.mood(BTC, SentimentBias::Neutral, 0.8);
        house.signal(BTC, Action::Buy, 0.7).multiplier
    };
    let close = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} != {wanted}");

    close(multiplier(&[]), 1.1);
    close(multiplier(&["orchestration.consensus.high=0.9"]), 1.0);
    close(multiplier(&["orchestration.consensus.max_boost=0.6"]), 1.2);
    close(multiplier(&["orchestration.consensus.min_voices_for_boost=3"]), 1.1);
    let low = ["orchestration.consensus.high=0.9", "orchestration.consensus.low=0.8"];
    close(multiplier(&low), 0.85 + (2.0 / 3.0) * 0.15 / 0.8);
    let wrong = andon::config::load(&andon::config::Overrides {
        dir: None,
        set: vec!["orchestration.consensus.low=0.7".to_owned()],
        symbols: None,
    });
    let said = wrong.unwrap_err().to_string();
    assert!(said.contains("consensus"), "contradicting thresholds are refused by name: {said}");
}

/// What a subscriber of the log would read at INFO.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn issue_12_business_events_are_logged_at_info() {
    // With one subscriber alone, tracing asks whichever thread comes by a line first whether it is wanted, and the other
    // tests' threads want none. With two it asks the subscribers.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let place = Place::new();
        let mut house = House::open(&place.path().join("d"), &[]);
        house.technical(BTC, Bias::Long, 0.8);
        house.signal(BTC, Action::Buy, 0.9);
        assert!(house.say("pause lunch").is_done());
        house.signal(BTC, Action::Buy, 0.9);
    });
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for words in [
        "signal published",
        "task run succeeded",
        "trade routed",
        "filled trade=",
        "signal decided",
        "reasons=[Paused]",
        "PAUSED by script: lunch",
    ] {
        let line = log.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {log}"));
        assert!(line.contains("INFO"), "{line}");
    }
    assert!(
        log.lines().filter(|line| line.contains("signal published")).all(|line| line.contains("signal="))
    );
}

#[test]
fn issue_13_bounds_from_config_limit_what_a_model_may_change() {
    const LESS: &str = r#"{"action": "modify", "confidence": 0.9, "reasoning": "choppy, so less", "modifications":
        {"leverage": 3, "size_reduction_pct": 80, "entry_adjustment_pct": -1}}"#;
    // A choppy market makes a conflict, and the model says what it would change.
    let changed = |bound: &[&str]| {
        let place = Place::new();
        let bound: Vec<String> =
            bound.iter().map(|it| format!("orchestration.conflicts.modification_bounds.{it}")).collect();
        let bound: Vec<&str> = bound.iter().map(String::as_str).collect();
        let mut house = House::asking(&place.path().join("d"), &bound, LESS);
        house.technical(BTC, Bias::Long, 0.8);
        house.regime(BTC, Regime::Choppy);
        let run = house.asked(TaskName::TradingDecision, Some(BTC));
        let signal = Signal { leverage: dec("4"), ..house.signal_of(&run, Action::Buy, 0.9) };
        house.answer(&run, Ok(TaskOutput::Signal(signal)));
        let decision = house.state().decisions.back().unwrap().clone();
        assert_eq!(decision.resolution.as_ref().unwrap().by, ResolvedBy::Model("alpha".to_owned()));
        let order = house.submitted.last().unwrap_or_else(|| panic!("nothing was sent: {decision:?}"));
        let OrderKind::Limit { price, .. } = order.kind else { panic!("{order:?}") };
        let Some(Verdict::Approved { size_pct, .. }) = &decision.verdict else { panic!("{decision:?}") };
        let by_model =
            |change: &&Change| change.code == ReasonCode::LeverageReduced && change.from == dec("4");
        (decision.changes.iter().find(by_model).unwrap().to, size_pct.value(), price)
    };
    assert_eq!(changed(&[]), (dec("3"), dec("2"), dec("39600")));
    assert_eq!(changed(&["leverage_max=2"]).0, dec("2"));
    assert_eq!(changed(&["size_reduction_pct_max=50"]).1, dec("5"));
    assert_eq!(changed(&["entry_adjustment_pct_max=0.5"]).2, dec("39800"));
}

// Gaps.

#[test]
fn gap_1_concurrent_publishers_and_subscribers_lose_nothing_and_keep_their_order() {
    const EACH: u64 = 2_000;
    let bus = bus();
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let all = usize::try_from(4 * EACH).unwrap();
            bus.subscribe(format!("reader {reader}"), &[Topic::SystemEvents], all, Filter::all())
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        let publishers = (0..4_u64).map(|publisher| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for count in 0..EACH {
                    let message = message(publisher * EACH + count, Priority::Normal);
                    assert_eq!(bus.publish(message, NOW).unwrap().dropped, 0);
                }
            })
        });
        let publishers: Vec<_> = publishers.collect();
        let reading = readers.into_iter().map(|mut mailbox| {
            tokio::spawn(async move {
                let mut last = BTreeMap::new();
                for _ in 0..4 * EACH {
                    let message = mailbox.recv().await.unwrap();
                    let Payload::System(event) = &message.payload else { panic!("{message:?}") };
                    let number: u64 = event.detail.as_str().parse().unwrap();
                    let before = last.insert(number / EACH, number);
                    assert!(before.is_none_or(|before| before + 1 == number), "{before:?} then {number}");
                }
                last.len()
            })
        });
        for reader in reading.collect::<Vec<_>>() {
            assert_eq!(reader.await.unwrap(), 4);
        }
        for publisher in publishers {
            publisher.await.unwrap();
        }
    });
    let counts = bus.stats().counts;
    assert_eq!((counts.delivered, counts.dropped), (16 * EACH, 0));
}

#[test]
fn gap_2_whatever_the_order_of_publishing_the_highest_lane_comes_first() {
    let bus = bus();
    let capacity = 100;
    let mut mailbox = bus.subscribe("reader", &[Topic::SystemEvents], capacity, Filter::all());
    let (low, normal, high, urgent) = (Priority::Low, Priority::Normal, Priority::High, Priority::Urgent);
    let published = [low, urgent, normal, low, high, urgent, high, normal];
    for (count, priority) in (0..).zip(published) {
        assert_eq!(bus.publish(message(count, priority), NOW).unwrap().dropped, 0);
    }

    let received: Vec<_> = drain(&mut mailbox).iter().map(|message| (message.priority, message.id)).collect();

    let mut expected: Vec<_> =
        (0..).zip(published).map(|(count, priority)| (priority, message(count, priority).id)).collect();
    // The sort is stable: first in, first out within a lane.
    expected.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    assert_eq!(received, expected);
}

#[test]
fn gap_3_stopping_during_cleanup_ends_cleanly() {
    for round in 0..20 {
        let bus = bus();
        let mut mailbox = bus.subscribe("reader", &Topic::ALL, 32, Filter::all());
        let (market, cleaned) = (AtomicU64::new(0), AtomicUsize::new(0));
        let at = || NOW.plus(Duration::from_millis(market.load(Ordering::Relaxed)));
        std::thread::scope(|threads| {
            let publisher = threads.spawn(|| {
                let short = Some(Duration::from_millis(5));
                while bus.is_running() {
                    let count = market.fetch_add(1, Ordering::Relaxed);
                    let sent = Message { timestamp: at(), ttl: short, ..message(count, Priority::Normal) };
                    drop(bus.publish(sent, at()));
                }
            });
            let janitor = threads.spawn(|| {
                while bus.is_running() {
                    cleaned.fetch_add(bus.cleanup(at()), Ordering::Relaxed);
                }
            });
            // Let both get going, a little further each round.
            while market.load(Ordering::Relaxed) < 200 + 20 * round || cleaned.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            bus.stop();
            publisher.join().unwrap();
            janitor.join().unwrap();
        });
        drain(&mut mailbox);
        assert!(mailbox.is_closed());
        assert_eq!(bus.cleanup(at()), 0, "a stopped bus holds nothing");
        let stats = bus.stats();
        let counts = stats.counts;
        assert_eq!(
            counts.offered,
            counts.delivered + counts.dropped + counts.expired + counts.abandoned + stats.queued as u64
        );
    }
}

#[test]
fn gap_4_with_voices_of_other_symbols_only_the_multiplier_stays_1() {
    for asked in [BTC, XRP, "XRP/BTC"] {
        let place = Place::new();
        let mut house = House::open(&place.path().join("d"), &[]);
        for other in [BTC, XRP, "XRP/BTC"].into_iter().filter(|other| *other != asked) {
            house.all_for_buying(other);
        }
        for action in [Action::Buy, Action::Sell] {
            let decision = house.signal(asked, action, 0.7);
            assert_eq!((decision.multiplier, decision.confidence.value()), (1.0, 0.7), "{asked} {action}");
        }
        // An agent that answers for another symbol than it was asked about is not heard at all.
        let run = house.asked(TaskName::TechnicalAnalysis, Some(asked));
        let wrong = if asked == BTC { XRP } else { BTC };
        house.answer(&run, Ok(technical(&symbol(wrong), Bias::Short, 1.0)));
        assert_eq!(house.signal(asked, Action::Sell, 0.7).votes.len(), 0);
        let votes = house.signal(wrong, Action::Hold, 0.7).votes;
        assert!(votes.iter().all(|vote| vote.says != "short"), "{votes:?}");
    }
}

#[test]
fn gap_5_the_level_survives_a_restart_and_ends_by_success_alone() {
    let place = Place::new();
    let dir = place.path().join("d");
    let mut house = House::open(&dir, &[]);
    fail_for(&mut house, 8);
    assert_eq!(house.snapshot().degradation.effective, Level::Limited);
    house.end(true);

    let mut house = House::open(&dir, &[]);

    assert_eq!(house.snapshot().degradation.effective, Level::Limited);
    let blocked = |house: &House| house.core.entries(&symbol(BTC), house.now);
    assert!(blocked(&house).iter().all(|block| block.code == ReasonCode::Paused));
    house.be_contented();
    // Three rebalance runs, three hours.
    house.pass(place::HOUR * 4);
    let counters = &house.state().degradation;
    assert!(counters.counters().all(|(_, counter)| counter.outstanding == 0), "{counters:?}");
    assert_eq!(house.snapshot().degradation.effective, Level::Normal);
    assert_eq!(house.state().control.state, TradingState::Paused, "and that resumes nothing");
}

#[test]
fn gap_6_a_task_that_never_ends_does_not_block_the_loop() {
    let place = Place::new();
    let data = place.data();
    let options = andon::runtime::options::RunOptions { data_dir: Some(data.path()), ..options() };
    let assembly = Assembly::new(&options, &data.path()).unwrap();
    // Sentiment never answers; everything else does after a second.
    let latency = |run: &andon::coordinator::task::TaskRun| {
        (run.task != TaskName::SentimentAnalysis).then_some(secs(1))
    };

    VirtualDriver::run_with(assembly, 7, Box::new(latency), Some(place::HOUR * 6)).unwrap();

    let state = data.state();
    // From the first purchase on the equity moves with every candle, and is marked every five minutes to the end.
    let first = state.marks[0].1;
    let moving: Vec<_> =
        state.marks.iter().skip_while(|(_, equity)| *equity == first).map(|(at, _)| *at).collect();
    assert!(moving.windows(2).all(|pair| pair[1].since(pair[0]) <= secs(300)), "{moving:?}");
    assert!(moving.len() >= 60 && state.at.since(*moving.last().unwrap()) <= secs(300), "{moving:?}");
    assert!(state.plans.open().chain(state.plans.finished()).count() > 0, "the rebalance ran");
    let failing = AlarmKey::about(AlarmSource::TaskFailing, Subject::Task(TaskName::SentimentAnalysis));
    assert!(state.alarms.state(&failing).is_active(), "and it is said that one task never answers");
    let of = |component: &Component| {
        state.degradation.counters().find(|(one, _)| *one == component).map_or(0, |(_, c)| c.outstanding)
    };
    assert!(of(&Component::Task(TaskName::SentimentAnalysis)) > 0);
    assert_eq!(of(&Component::Task(TaskName::TechnicalAnalysis)), 0);
}

#[test]
fn gap_7_legs_are_neither_lost_nor_bought_twice_over_crashes_and_restarts() {
    let place = Place::new();
    let dir = place.path().join("d");
    let mut house = House::open(&dir, &[]);
    propose(&mut house);
    house.be_contented();
    let plan = house.state().plans.open().next().unwrap().id;
    let all: BTreeSet<_> =
        house.state().plans.plan(plan).unwrap().legs.iter().map(|leg| leg.client_id).collect();
    for restart in 0..5 {
        house.end(restart % 2 == 0);
        house = House::open(&dir, &[]);
        house.be_contented();
        house.say("ack_alarm all 1");
        let outcome = house.say("resume");
        assert!(outcome.is_done(), "{outcome:?}");
        house.pass(place::HOUR * 4 + secs(120));
    }
    let done = house.state().plans.plan(plan).unwrap().clone();
    house.end(true);

    assert!(done.is_finished(), "{done:?}");
    let data = place::Data(dir);
    let records = data.records();
    assert_eq!(intended(&records), all, "every leg went out, and once");
    assert_eq!(data.venue_orders(), all);
    let fills = booked(&records);
    assert_eq!(fills, data.venue_fills(), "what was bought is what is booked");
    assert_eq!(fills.values().copied().collect::<BTreeSet<_>>(), all);
    assert_eq!(done.legs.iter().map(|leg| leg.amount).sum::<Decimal>(), dec("1500"));
}

/// What became of a signal.
#[derive(Debug, PartialEq)]
struct Decided {
    action: Action,
    outcome: Option<Outcome>,
    reasons: Vec<ReasonCode>,
    multiplier: f64,
    filled: Decimal,
}

/// Ten seconds of market time with a signal every half second; what became of each.
fn ten_seconds(place: &std::path::Path, load: bool) -> Vec<Decided> {
    const MESSAGES_PER_MS: u64 = 10;
    let mut house =
        House::open(place, &["risk.orders.duplicate_within=1s", "risk.orders.per_minute_max=1000"]);
    house.all_for_buying(BTC);
    house.all_for_buying(XRP);
    let bus = house.world.bus.clone();
    let stuck = bus.subscribe("stuck", &Topic::ALL, 64, Filter::all());
    let mut reader = house.mailbox("reader", &Topic::ALL);
    let (mut received, mut count) = (0_u64, 0_u64);
    let mut decisions = Vec::new();
    let actions = [Action::Buy, Action::Buy, Action::Sell, Action::Close, Action::Hold];
    let before = bus.stats().published;
    for ms in 1..=10_000_u64 {
        house.now = Now::both(house.now.market.plus(Duration::from_millis(1)));
        if load {
            // A part of it comes through indicators, venue and core; the rest from others, past them.
            let own = house.candles();
            for _ in own..MESSAGES_PER_MS {
                count += 1;
                let about = symbol(if count % 2 == 0 { BTC } else { XRP });
                let noise = Message {
                    id: MessageId::sequential(InstallId::derived("load"), 1, count),
                    topic: Topic::MarketData,
                    source: "load".into(),
                    priority: Priority::Low,
                    timestamp: house.now.market,
                    ttl: Some(secs(60)),
                    correlation_id: None,
                    payload: Payload::Candle(noise(about, house.now.market)),
                };
                assert!(bus.publish(noise, house.now.market).is_ok());
            }
        }
        if ms % 500 == 0 {
            let about = if ms % 1_000 == 0 { BTC } else { XRP };
            let action = actions[decisions.len() % actions.len()];
            let decision = house.signal(about, action, 0.8);
            let decision = house.again(&decision);
            decisions.push(Decided {
                action,
                outcome: decision.outcome,
                reasons: decision.reasons,
                multiplier: decision.multiplier,
                filled: decision.filled,
            });
        }
        received += drain(&mut reader).len() as u64;
    }
    if load {
        let stats = bus.stats();
        assert!(stats.published - before >= 100_000);
        assert_eq!(received, stats.published - before, "the reader that keeps up misses nothing");
        let of_stuck = stats.mailboxes.iter().find(|mailbox| &*mailbox.id == "stuck").unwrap();
        assert_eq!(of_stuck.counts.dropped, of_stuck.counts.offered - stuck.depth() as u64);
        assert!(stats.history <= house.core.config().orchestration.message_bus.max_history_size);
    }
    decisions
}

fn noise(symbol: andon::domain::Symbol, at: Timestamp) -> Candle {
    let price = Decimal::ONE;
    let (open_time, volume) = (at.minus(secs(60)), Decimal::ONE);
    Candle {
        symbol,
        open_time,
        interval_secs: 60,
        open: price,
        high: price,
        low: price,
        close: price,
        volume,
        synthetic: false,
    }
}

#[test]
fn gap_8_at_10_000_messages_a_second_decisions_are_the_same_as_without() {
    let place = Place::new();

    let (quiet, loaded) =
        (ten_seconds(&place.path().join("quiet"), false), ten_seconds(&place.path().join("load"), true));

    assert_eq!(quiet, loaded);
    assert_eq!(loaded.len(), 20);
    let filled = loaded.iter().filter(|decided| decided.outcome == Some(Outcome::Filled)).count();
    assert!(filled >= 8, "the comparison is not of two refusals: {loaded:?}");
    for decided in loaded {
        let multiplier = match decided.action {
            Action::Buy => 1.3,
            Action::Sell | Action::Close => 0.85,
            Action::Hold => 1.0,
        };
        assert_eq!(decided.multiplier, multiplier, "{decided:?}");
    }
}

// Deviations.

#[test]
fn deviation_1_every_priority_level_is_used_as_its_topic_wants() {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[WITH_BTC]);
    let mut mailbox = house.mailbox("desk", &Topic::ALL);
    house.all_for_buying(BTC);
    house.signal(BTC, Action::Buy, 0.9);
    house.btc_at("35000");

    let mut used: BTreeMap<Topic, BTreeSet<Priority>> = BTreeMap::new();
    for message in drain(&mut mailbox) {
        used.entry(message.topic).or_default().insert(message.priority);
    }
    for (topic, priority) in [
        (Topic::MarketData, Priority::Low),
        (Topic::TaSignals, Priority::Normal),
        (Topic::RegimeUpdates, Priority::Normal),
        (Topic::SentimentUpdates, Priority::Normal),
        (Topic::TradingSignals, Priority::High),
        (Topic::ExecutionEvents, Priority::High),
        (Topic::RiskAlerts, Priority::Urgent),
    ] {
        assert_eq!(used.get(&topic), Some(&BTreeSet::from([priority])), "{topic}");
    }
    assert!(used[&Topic::SystemEvents].contains(&Priority::Urgent), "a change of state is urgent");
}

#[test]
fn deviation_2_health_is_checked_every_60_seconds() {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[]);
    house.be_contented();
    let mut mailbox = house.mailbox("desk", &[Topic::SystemEvents]);
    let probe = |free| {
        Input::Probe(Probe {
            journal: Ok(()),
            store: Ok(Duration::from_millis(2)),
            disk_free_mib: Some(free),
            clock_drift: Duration::ZERO,
            bus: BusLosses::default(),
        })
    };
    house.tell(probe(10_000));
    house.pass(secs(360));
    let rows = house.snapshot().health;
    let names: BTreeSet<&str> = rows.iter().map(|row| row.what.as_str()).collect();
    for what in ["agents", "risk", "feed", "models", "store", "journal", "clock", "mailboxes", "disk"] {
        assert!(names.contains(what), "{what} is not in {names:?}");
    }
    assert!(rows.iter().all(|row| row.status == HealthStatus::Ok), "{rows:?}");

    house.tell(probe(1));
    house.pass(secs(60));

    let disk =
        |house: &mut House| house.snapshot().health.iter().find(|row| row.what == "disk").cloned().unwrap();
    let failed = disk(&mut house);
    assert_ne!(failed.status, HealthStatus::Ok);
    assert!(house.now.operator.since(failed.since) <= secs(60));
    let low = AlarmKey::of(AlarmSource::DiskLow);
    assert!(house.state().alarms.state(&low).is_active());
    let said = drain(&mut mailbox);
    assert!(said.iter().any(
        |message| matches!(&message.payload, Payload::System(event) if event.kind == SystemEventKind::Health)
    ));
    house.pass(secs(600));
    assert_eq!(disk(&mut house).since, failed.since, "since when, not when it was last looked at");
    house.tell(probe(10_000));
    house.pass(secs(60));
    assert_eq!(disk(&mut house).status, HealthStatus::Ok);
    assert!(!house.state().alarms.state(&low).is_active());
}

#[test]
fn deviation_3_depends_on_is_enforced_and_checked_at_load() {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[]);
    // For one hour the regime of BTC fails, and nothing else does.
    let end = house.now.market.plus(secs(3_700));
    while house.now.market < end {
        while let Some(run) = house.runs.pop_front() {
            let fails = run.task == TaskName::RegimeDetection && run.symbol == Some(symbol(BTC));
            let result = if fails {
                Err(TaskFailure::Failed(Untrusted::new("no data")))
            } else if run.task == TaskName::TradingDecision {
                Ok(TaskOutput::Signal(house.signal_of(&run, Action::Hold, 0.8)))
            } else {
                Ok(house::contented(&run))
            };
            house.answer(&run, result);
        }
        house.pass(secs(10));
    }
    let decided: BTreeSet<_> = house
        .begun
        .iter()
        .filter(|(task, _)| *task == TaskName::TradingDecision)
        .filter_map(|(_, about)| about.clone())
        .collect();
    assert_eq!(decided, BTreeSet::from([symbol(XRP), symbol("XRP/BTC")]), "a failed run is not a success");
    let snapshot = house.snapshot();
    let row = snapshot.schedule.iter().find(|row| row.task == TaskName::TradingDecision).unwrap();
    let waiting = row.symbols.iter().find(|row| row.symbol == Some(symbol(BTC))).unwrap();
    assert_eq!(waiting.state, TaskState::WaitingOn(TaskName::RegimeDetection));

    // At load: names that are no tasks and circles are refused where they stand.
    for (set, said) in [
        (
            "orchestration.schedules.tasks.trading_decision.depends_on=[technical_analysys]",
            "technical_analysis",
        ),
        (
            "orchestration.schedules.tasks.technical_analysis.depends_on=[trading_decision]",
            "wait for each other",
        ),
    ] {
        let overrides = andon::config::Overrides { dir: None, set: vec![set.to_owned()], symbols: None };
        let error = andon::config::load(&overrides).unwrap_err().to_string();
        assert!(error.contains("depends_on") && error.contains(said), "{set}: {error}");
    }
}

/// The state after a daily loss, and what was sold for it, as a share of the lots.
fn after_a_daily_loss(set: &[&str]) -> (TradingState, Vec<Purpose>, Decimal) {
    let place = Place::new();
    let mut house = House::open(&place.path().join("d"), &[&[WITH_BTC], set].concat());
    house.all_for_buying(XRP);
    let bought = house.signal(XRP, Action::Buy, 0.9);
    assert_eq!(house.again(&bought).outcome, Some(Outcome::Filled), "{bought:?}");
    let held = house.state().account.held(&symbol(XRP)).unwrap();
    house.submitted.clear();

    // The loss is in the holdings; no stop of the lot is touched.
    house.btc_at("35000");
    house.pass(secs(120));

    let left = house.state().account.held(&symbol(XRP)).unwrap();
    let purposes = house.submitted.iter().map(|order| order.purpose).collect();
    (house.state().control.state, purposes, (held - left) / held)
}

#[test]
fn deviation_4_each_breach_does_what_config_says() {
    const DAILY: &str = "orchestration.emergency.actions.daily_loss";
    let reduces =
        |purposes: &[Purpose]| purposes.iter().filter(|it| matches!(it, Purpose::Reduce { .. })).count();

    let (state, sold, share) = after_a_daily_loss(&[]);
    assert_eq!((state, sold.len(), share), (TradingState::Paused, 0, Decimal::ZERO), "pause_trading");

    let (reduce, by) = (format!("{DAILY}.action=reduce_positions"), format!("{DAILY}.reduce_pct=50"));
    let (state, sold, share) = after_a_daily_loss(&[&reduce, &by]);
    assert_eq!((state, reduces(&sold)), (TradingState::Paused, 1), "reduce_positions");
    assert!((share - dec("0.5")).abs() < dec("0.0001"), "{share}");

    let halt = format!("{DAILY}.action=halt_all");
    let (state, sold, share) = after_a_daily_loss(&[&halt]);
    assert_eq!((state, sold.len(), share), (TradingState::Halted, 0, Decimal::ZERO), "halt_all");

    let close = format!("{DAILY}.close_positions=true");
    let (state, sold, share) = after_a_daily_loss(&[&halt, &close]);
    assert_eq!((state, share), (TradingState::Halted, Decimal::ONE), "and close_positions");
    assert!(
        matches!(sold[..], [Purpose::Reduce { .. }]),
        "closing works while halted, and no further than the lots: {sold:?}"
    );

    // What is not configured is taken as the worst: a breaker's severity is critical.
    let (state, ..) = after_a_daily_loss(&[&format!("{DAILY}=null")]);
    assert_eq!(state, TradingState::Halted);
}
