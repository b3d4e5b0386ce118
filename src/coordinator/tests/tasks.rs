//! Scheduled runs, the level, health.

use super::super::block::Block;
use super::super::dca::{LegId, LegState};
use super::super::degradation::Component;
use super::super::input::{BusLosses, Input};
use super::super::snapshot::{AllocationRow, HealthStatus, TaskState};
use super::super::task::{TaskFailure, TaskOutput};
use super::*;
use crate::domain::{
    Candle, InstallId, Payload, PlanId, RunId, Signal, SignalId, Timestamp, Untrusted, Verdict,
};
use desk::answer_to;

fn level(desk: &mut Desk) -> Level {
    desk.snapshot().degradation.effective
}

#[test]
fn runs_begin_when_they_are_due_and_their_words_are_heard() {
    let mut desk = Desk::new();
    desk.pass(secs(3_700));
    let snapshot = desk.snapshot();
    assert!(snapshot.consensus.iter().all(|row| row.technical.says.is_some()));
    assert_eq!(snapshot.consensus[0].buy.agreeing, 3);
    assert_eq!(desk.core.durable().decisions.len(), 3, "one a symbol and hour");
}

#[test]
fn a_candle_from_the_future_keeps_no_honest_one_out() {
    let mut desk = Desk::new();
    let ahead = Candle {
        symbol: btc(),
        open_time: desk.now.market.plus(secs(86_400)),
        interval_secs: 60,
        open: dec("90000"),
        high: dec("90000"),
        low: dec("90000"),
        close: dec("90000"),
        volume: Decimal::ONE,
        synthetic: false,
    };
    desk.tell(Input::Candle(ahead));
    assert!(desk.core.entries(&btc(), desk.now).is_empty(), "the last price is still the last");
    desk.btc_at("40100");
    desk.pass(secs(120));
    let price = desk.core.live.prices.mark(&btc()).unwrap().price;
    assert_eq!(price, dec("40100"));
    let feed = desk.snapshot().health.iter().find(|line| line.what == "feed").unwrap().clone();
    assert_eq!(feed.status, HealthStatus::Ok);
    assert!(feed.detail.to_string().ends_with("s, 1 refused"), "{feed:?}");
}

#[test]
fn what_waits_for_a_turn_says_so() {
    let mut config = Config::defaults().unwrap();
    config.orchestration.schedules.concurrent_max = 1;
    let mut desk = Desk::with_silent_agents(config);
    let row = |desk: &mut Desk, task| {
        desk.snapshot().schedule.iter().find(|row| row.task == task).unwrap().state.clone()
    };
    assert_eq!(row(&mut desk, TaskName::TechnicalAnalysis), TaskState::WaitingForSlot);
}

#[test]
fn a_timeout_is_a_failure_and_the_late_answer_is_ignored() {
    let mut desk = Desk::with_silent_agents(Config::defaults().unwrap());
    let run = desk.run_of(TaskName::TechnicalAnalysis, Some(&btc()));
    desk.pass(secs(31));
    assert!(desk.snapshot().schedule.iter().any(|row| row.problem.is_some()));
    let late = desk::answer_to(&run, desk.now.market);
    desk.tell(Input::TaskFinished { run: run.id, result: Ok(late) });
    assert!(desk.snapshot().consensus.iter().all(|row| row.technical.says.is_none()));
}

#[test]
fn one_symbol_that_keeps_failing_is_locked_alone() {
    let mut desk = Desk::new();
    desk.agents_answer = false;
    for _ in 0..3 {
        desk.say("run_task technical_analysis");
        while let Some(run) = desk.runs.pop_front() {
            let result = if run.symbol.as_ref() == Some(&xrp()) {
                Err(TaskFailure::Failed(Untrusted::new("no data")))
            } else {
                Ok(desk::answer_to(&run, desk.now.market))
            };
            desk.tell(Input::TaskFinished { run: run.id, result });
        }
        desk.now = crate::domain::Now::both(desk.now.market.plus(secs(61)));
        desk.candles();
    }
    let codes = |desk: &Desk, symbol| {
        desk.core.entries(&symbol, desk.now).iter().map(|block| block.code).collect::<Vec<_>>()
    };
    assert_eq!((codes(&desk, xrp()), codes(&desk, btc())), (vec![ReasonCode::SymbolLocked], vec![]));
    assert_eq!(desk.snapshot().degradation.api_failures, 0, "it counts for nobody else");
    let key = AlarmKey::about(AlarmSource::SymbolLocked, Subject::Symbol(xrp()));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    assert!(desk.say("unlock_symbol XRP/USDT").is_done());
    assert_eq!(codes(&desk, xrp()), []);
}

#[test]
fn an_answer_to_another_question_is_a_failed_run() {
    let mut desk = Desk::new();
    desk.agents_answer = false;
    for _ in 0..3 {
        desk.say("run_task technical_analysis");
        while let Some(run) = desk.runs.pop_front() {
            let mut other = run.clone();
            other.symbol = Some(if run.symbol == Some(btc()) { xrp() } else { btc() });
            let answer = desk::answer_to(&other, desk.now.market);
            desk.tell(Input::TaskFinished { run: run.id, result: Ok(answer) });
            assert!(desk.announced(SystemEventKind::TaskError));
        }
        desk.now = crate::domain::Now::both(desk.now.market.plus(secs(61)));
        desk.candles();
    }
    assert_eq!(level(&mut desk), Level::Reduced, "three cycles failed as a whole");
    let row = desk.snapshot().schedule.iter().find(|row| row.task == TaskName::TechnicalAnalysis).cloned();
    assert_eq!(row.unwrap().ok.0, 0);
}

#[test]
fn one_symbol_without_a_feed_blocks_itself_and_leaves_the_level_alone() {
    let mut desk = Desk::new();
    let silent = crate::domain::Symbol::new("XRP/BTC").unwrap();
    desk.prices.remove(&silent);
    desk.pass(secs(1_800));
    assert_eq!(level(&mut desk), Level::Normal);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::FeedStale)), AlarmState::Normal, "the feed is alive");
    let blocked = |desk: &Desk, symbol| !desk.core.entries(symbol, desk.now).is_empty();
    assert!(blocked(&desk, &silent) && !blocked(&desk, &btc()));
}

#[test]
fn a_venue_that_failed_is_asked_until_its_level_ends() {
    let mut desk = Desk::new().with_lot(&xrp());
    desk.venue.mode = Mode::Unreachable;
    // Until the level keeps every new order back.
    for _ in 0..9 {
        desk.pass(secs(61));
        desk.inside(|core, cx| core.count_venue_outcome(cx, false));
    }
    assert_eq!(level(&mut desk), Level::Emergency);
    desk.venue.mode = Mode::Fill;
    let orders = desk.venue.submitted.len();
    desk.pass(secs(3_600));
    assert_eq!(level(&mut desk), Level::Normal);
    assert_eq!(desk.venue.submitted.len(), orders, "no order was needed for it");
}

#[test]
fn a_forced_level_only_tightens_without_a_confirmation() {
    let mut desk = Desk::new();
    assert!(desk.say_unconfirmed("force_level LIMITED drill").is_done());
    assert!(desk.say_unconfirmed("force_level EMERGENCY drill").is_done());
    assert!(!desk.say_unconfirmed("force_level REDUCED enough").is_done());
    assert_eq!(level(&mut desk), Level::Emergency);
    assert!(desk.say("force_level REDUCED enough").is_done());
    assert!(!desk.say_unconfirmed("clear_level enough").is_done());
    assert!(desk.say("clear_level enough").is_done());
    assert_eq!(level(&mut desk), Level::Normal);
}

#[test]
fn entries_and_legs_follow_the_level() {
    for (level, size, leg) in [
        ("REDUCED", Some("10"), LegState::Filled),
        ("LIMITED", Some("5"), LegState::Filled),
        ("EMERGENCY", None, LegState::Deferred),
    ] {
        let mut desk = Desk::new();
        // A plan made before: of the level, only EMERGENCY keeps its next leg back.
        desk.propose(&[(btc(), Side::Buy, "1500")]);
        desk.say_unconfirmed(&format!("force_level {level} drill"));
        let decision = desk.signal(&xrp(), Action::Buy);
        let approved = match decision.verdict {
            Some(Verdict::Approved { size_pct, .. }) => Some(size_pct.value()),
            Some(Verdict::Rejected { .. }) | None => None,
        };
        assert_eq!(approved, size.map(dec), "{level}: {:?}", decision.reasons);
        desk.pass(secs(4 * 3_600 + 60));
        let next = LegId { plan: PlanId(1), leg: 1 };
        assert_eq!(desk.core.durable().plans.leg(next).unwrap().state, leg, "{level}");
    }
}

#[test]
fn what_is_held_stays_on_the_screen_with_its_target_while_nobody_prices_it() {
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("0.2"));
    let mut desk = Desk::with(config);
    desk.pass(secs(60));
    let rows = |desk: &mut Desk| {
        let portfolio = desk.snapshot().portfolio.clone();
        let row = |row: &AllocationRow| {
            (
                row.asset.to_string(),
                row.quantity,
                row.value.is_some(),
                row.share_pct.is_some(),
                row.target_pct,
            )
        };
        portfolio.allocation.iter().map(row).collect::<Vec<_>>()
    };
    let before = rows(&mut desk);
    assert!(before.iter().all(|(_, _, is_valued, has_share, _)| *is_valued && *has_share), "{before:?}");

    desk.prices.retain(|symbol, _| *symbol == xrp());
    desk.pass(secs(240));

    let after = rows(&mut desk);
    let expected: Vec<_> = before
        .into_iter()
        .map(|(asset, quantity, _, _, target)| (asset, quantity, true, true, target))
        .collect();
    assert_eq!(after, expected, "at the last known price");
    let portfolio = desk.snapshot().portfolio.clone();
    let stale = portfolio.allocation.iter().filter(|row| row.stale_since.is_some());
    assert_eq!(stale.map(|row| row.asset.as_str()).collect::<Vec<_>>(), ["BTC"]);
}

#[test]
fn a_rebalance_waits_for_a_missing_price_and_says_so() {
    let mut desk = Desk::new();
    desk.prices.retain(|symbol, _| *symbol != xrp());
    desk.pass(secs(240));
    let run = |desk: &mut Desk| {
        let allocation = desk.core.allocation(desk.now);
        desk.agents_answer = false;
        desk.say("run_task portfolio_rebalance");
        desk.agents_answer = true;
        (desk.run_of(TaskName::PortfolioRebalance, None), allocation)
    };
    let (asked, allocation) = run(&mut desk);
    assert_eq!(allocation.unpriced, [xrp().base().clone()], "not renormalised over what has a price");
    desk.tell(Input::TaskFinished {
        run: asked.id,
        result: Ok(TaskOutput::RebalanceWaits(allocation.unpriced)),
    });
    let problem = |desk: &mut Desk| {
        let schedule = Arc::clone(&desk.snapshot().schedule);
        let row = schedule.iter().find(|row| row.task == TaskName::PortfolioRebalance).unwrap();
        row.problem.as_ref().map(ToString::to_string)
    };
    assert_eq!(problem(&mut desk).as_deref(), Some("waits for a fresh price of XRP"));
    assert!(desk.core.durable().plans.open().next().is_none());
    assert!(
        desk.core
            .durable()
            .degradation
            .counters()
            .next()
            .is_none_or(|(component, _)| { *component != Component::Task(TaskName::PortfolioRebalance) })
    );

    desk.prices.insert(xrp(), dec("0.5"));
    desk.pass(secs(60));
    let (asked, allocation) = run(&mut desk);
    assert_eq!(allocation.unpriced, []);
    let answer = desk::answer_to(&asked, desk.now.market);
    desk.tell(Input::TaskFinished { run: asked.id, result: Ok(answer) });
    assert_eq!(problem(&mut desk), None);
}

#[test]
fn a_level_that_the_operator_forced_is_said_so_and_is_no_alarm() {
    let mut desk = Desk::new();
    desk.say_unconfirmed("force_level LIMITED drill");
    assert!(
        desk.announcement(SystemEventKind::LevelChanged)
            .starts_with("LEVEL LIMITED (was NORMAL): forced by ")
    );
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::LevelLimited)), AlarmState::Normal);
}

#[test]
fn failures_that_ask_for_limited_are_an_alarm_under_a_tighter_forced_level_too() {
    let mut desk = Desk::new();
    desk.say_unconfirmed("force_level EMERGENCY drill");
    desk.feed = false;
    desk.pass(secs(600));
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::LevelLimited)), AlarmState::Unacknowledged);
    desk.feed = true;
    desk.pass(secs(3_600));
    assert!(!desk.alarm(&AlarmKey::of(AlarmSource::LevelLimited)).is_active());
    assert_eq!(level(&mut desk), Level::Emergency, "what the operator forced stays");
}

#[test]
fn a_forced_level_is_warned_of_and_ends_by_itself() {
    let mut desk = Desk::new();
    desk.say_unconfirmed("force_level LIMITED --until 1h drill");
    desk.pass(secs(46 * 60));
    let key = AlarmKey::of(AlarmSource::ForcedLevelEnding);
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    desk.pass(secs(15 * 60));
    assert_eq!(level(&mut desk), Level::Normal);
    assert!(!desk.alarm(&key).is_active());
}

#[test]
fn the_level_follows_the_feed_down_and_up_again_and_resumes_nothing() {
    let mut desk = Desk::new();
    desk.feed = false;
    desk.pass(secs(600));
    assert!(level(&mut desk) >= Level::Limited);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::FeedStale)), AlarmState::Unacknowledged);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::LevelLimited)), AlarmState::Unacknowledged);
    desk.say("pause");
    desk.feed = true;
    desk.pass(secs(3_600));
    assert_eq!(level(&mut desk), Level::Normal);
    assert_eq!(desk.state(), crate::domain::TradingState::Paused);
}

#[test]
fn halted_goes_on_looking_but_decides_nothing() {
    let mut desk = Desk::new().with_lot(&btc());
    desk.say("halt");
    for step in 0..25 {
        desk.btc_at(&(40_000 + step).to_string());
        desk.pass(secs(240));
    }
    let snapshot = desk.snapshot();
    assert!(snapshot.consensus.iter().all(|row| row.technical.says.is_some()));
    assert!(snapshot.portfolio.equity_history.len() > 20, "marks go on");
    assert_eq!(desk.core.durable().decisions.len(), 1, "that of the lot");
}

#[test]
fn a_task_that_is_late_by_a_cycle_raises_a_low_alarm() {
    let mut config = Config::defaults().unwrap();
    config.orchestration.schedules.tasks.get_mut(&TaskName::TechnicalAnalysis).unwrap().timeout = secs(1_000);
    let mut desk = Desk::with_silent_agents(config);
    desk.pass(secs(300));
    let key = AlarmKey::about(AlarmSource::TaskLate, Subject::Task(TaskName::TechnicalAnalysis));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    while let Some(run) = desk.runs.pop_front() {
        let output = desk::answer_to(&run, desk.now.market);
        desk.tell(Input::TaskFinished { run: run.id, result: Ok(output) });
    }
    desk.agents_answer = true;
    desk.pass(secs(120));
    assert!(!desk.alarm(&key).is_active());
}

#[test]
fn a_disabled_task_stays_disabled_over_a_restart() {
    let mut desk = Desk::new();
    assert!(desk.say_unconfirmed("disable_task technical_analysis").is_done());
    desk.restart(true, |_| {});
    desk.pass(secs(300));
    assert!(desk.snapshot().consensus.iter().all(|row| row.technical.says.is_none()));
    assert!(desk.say("enable_task technical_analysis").is_done());
    desk.pass(secs(120));
    assert!(desk.snapshot().consensus.iter().all(|row| row.technical.says.is_some()));
}

#[test]
fn health_names_what_is_wrong() {
    let mut desk = Desk::new();
    desk.probe(|probe| {
        probe.disk_free_mib = Some(3);
        probe.clock_drift = secs(60);
        probe.bus.dropped = 7;
    });
    desk.pass(secs(61));
    let bad: Vec<String> = desk
        .snapshot()
        .health
        .iter()
        .filter(|row| row.status != HealthStatus::Ok)
        .map(|row| row.what.clone())
        .collect();
    for what in ["disk", "clock", "mailboxes"] {
        assert!(bad.iter().any(|row| row == what), "{what} missing in {bad:?}");
    }
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::DiskLow)), AlarmState::Unacknowledged);
    desk.probe(|_| {});
    desk.pass(secs(61));
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::DiskLow)), AlarmState::ReturnedUnacknowledged);
}

/// Answers each run of the task for `cycles` cycles, failing those of the symbols that `fails` names.
fn cycles(desk: &mut Desk, task: TaskName, cycles: u64, fails: impl Fn(&crate::domain::Symbol) -> bool) {
    desk.agents_answer = false;
    for _ in 0..cycles {
        desk.say(&format!("run_task {task}"));
        while let Some(run) = desk.runs.pop_front() {
            let result = if run.task == task && run.symbol.as_ref().is_some_and(&fails) {
                Err(TaskFailure::Failed(Untrusted::new("no data")))
            } else {
                Ok(desk::answer_to(&run, desk.now.market))
            };
            desk.tell(Input::TaskFinished { run: run.id, result });
        }
        desk.now = crate::domain::Now::both(desk.now.market.plus(secs(61)));
        desk.candles();
    }
}

#[test]
fn a_task_raises_its_alarm_after_three_failed_cycles_not_after_three_failed_runs() {
    let task = TaskName::TechnicalAnalysis;
    let key = AlarmKey::about(AlarmSource::TaskFailing, Subject::Task(task));
    let mut desk = Desk::new();
    for (fail, expected) in [(2, AlarmState::Normal), (1, AlarmState::Unacknowledged)] {
        cycles(&mut desk, task, fail, |_| true);
        assert_eq!(desk.alarm(&key), expected);
    }
    cycles(&mut desk, task, 1, |_| false);
    assert_eq!(desk.alarm(&key), AlarmState::ReturnedUnacknowledged);
    let mut desk = Desk::new();
    cycles(&mut desk, task, 4, |symbol| *symbol == xrp());
    assert_eq!(desk.alarm(&key), AlarmState::Normal, "one symbol alone is locked instead");
}

#[test]
fn silent_agents_are_an_alarm_unless_they_lack_prices() {
    let key = AlarmKey::of(AlarmSource::AgentsSilent);
    let mut desk = Desk::new();
    desk.pass(secs(900));
    assert_eq!(desk.alarm(&key), AlarmState::Normal);
    desk.say_unconfirmed("disable_task regime_detection");
    desk.pass(secs(900));
    assert_eq!(desk.alarm(&key), AlarmState::Unacknowledged);
    desk.say("enable_task regime_detection");
    desk.pass(secs(900));
    assert_eq!(desk.alarm(&key), AlarmState::ReturnedUnacknowledged);

    let mut desk = Desk::new();
    desk.say_unconfirmed("disable_task regime_detection");
    desk.say_unconfirmed("disable_task technical_analysis");
    desk.feed = false;
    desk.pass(secs(1_800));
    assert_eq!(desk.alarm(&key), AlarmState::Normal, "the stale feed is the one alarm");
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::FeedStale)), AlarmState::Unacknowledged);
}

#[test]
fn an_account_that_is_worth_nothing_is_an_emergency_and_a_feed_that_stops_leaves_its_worth_known() {
    let key = AlarmKey::of(AlarmSource::RiskUnfed);
    let row = |desk: &mut Desk| {
        desk.snapshot().health.iter().find(|row| row.what == "risk").map(|row| row.status).unwrap()
    };
    let mut config = Config::defaults().unwrap();
    config.execution.account.start.clear();
    let mut desk = Desk::with(config);
    desk.pass(secs(61));
    assert_eq!((row(&mut desk), desk.alarm(&key)), (HealthStatus::Failed, AlarmState::Unacknowledged));

    let mut desk = Desk::new().with_lot(&btc());
    desk.feed = false;
    desk.pass(secs(600));
    assert_eq!(
        (row(&mut desk), desk.alarm(&key)),
        (HealthStatus::Ok, AlarmState::Normal),
        "at the last price"
    );
}

#[test]
fn each_kind_of_loss_on_the_bus_is_a_warning_until_it_stops() {
    let losses: [fn(&mut BusLosses); 2] = [|bus| bus.dropped = 1, |bus| bus.refused = 1];
    for lose in losses {
        let mut desk = Desk::new();
        desk.probe(|probe| lose(&mut probe.bus));
        for expected in [HealthStatus::Warn, HealthStatus::Ok] {
            desk.pass(secs(61));
            let health = desk.snapshot().health.clone();
            let row = health.iter().find(|row| row.what == "mailboxes").unwrap();
            assert_eq!(row.status, expected, "{}", row.detail);
        }
    }
}

#[test]
fn the_age_of_the_level_goes_on_over_a_restart() {
    let mut desk = Desk::new();
    desk.say_unconfirmed("force_level REDUCED drill");
    let since = desk.snapshot().degradation.since;
    desk.pass(secs(600));
    desk.restart(true, |_| {});
    desk.pass(secs(60));
    assert_eq!(desk.snapshot().degradation.since, since);
}

#[test]
fn what_agents_say_of_stale_candles_is_no_news() {
    let mut desk = Desk::new();
    let votes = |desk: &Desk| {
        let voices = &desk.core.live.voices;
        let fresh = voices.fresh(&btc(), desk.now.market, &desk.core.live.ages.voices);
        (fresh.technical.is_some(), fresh.regime.is_some())
    };
    desk.pass(secs(600));
    assert_eq!(votes(&desk), (true, true));
    desk.feed = false;
    desk.pass(secs(360));
    assert_eq!(votes(&desk), (false, true));
    desk.pass(secs(600));
    assert_eq!(votes(&desk), (false, false));
}

#[test]
fn the_end_of_a_replay_is_a_pause_without_an_alarm() {
    let mut desk = Desk::new();
    desk.feed = false;
    desk.tell(Input::FeedEnded);
    desk.pass(secs(1_200));
    assert_eq!(desk.state(), crate::domain::TradingState::Paused);
    assert_eq!(desk.alarm(&AlarmKey::of(AlarmSource::FeedStale)), AlarmState::Normal);
    assert_eq!(level(&mut desk), Level::Normal);
    let control = desk.snapshot().control.clone();
    let said = |blocks: &[Block]| blocks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    assert_eq!(said(&control.blocks), "paused, feed ended");
    assert_eq!(said(&control.resume.as_ref().unwrap().blocks_after), "feed ended", "resuming opens nothing");
}

#[test]
fn what_blocks_each_symbol_alike_blocks_entries_for_header_and_dialogs() {
    let mut desk = Desk::new();
    let codes = |desk: &mut Desk| {
        let blocks = desk.snapshot().control.blocks.clone();
        blocks.iter().map(|block| block.code).collect::<Vec<_>>()
    };
    desk.pass(secs(60));
    for symbol in desk.config.orchestration.symbols.clone() {
        assert_eq!(codes(&mut desk), [], "one symbol is free");
        desk.say(&format!("lock_symbol {symbol}"));
    }
    assert_eq!(codes(&mut desk), [ReasonCode::SymbolLocked]);

    let mut config = Config::defaults().unwrap();
    config.execution.account.start.insert(btc().base().clone(), dec("0.2"));
    let mut desk = Desk::before_start(config);
    desk.prices.retain(|symbol, _| *symbol == xrp());
    desk.tell(Input::Started(Box::new(started(1))));
    desk.pass(secs(300));
    assert!(codes(&mut desk).contains(&ReasonCode::NoEquity), "nobody knows what the bitcoin is worth");
}

#[test]
fn a_signal_dated_ahead_or_with_the_id_of_another_is_a_failed_run_and_no_decision() {
    for forge in [
        |signal: &mut Signal, now: Timestamp| signal.at = now.plus(secs(3_600)),
        |signal: &mut Signal, _: Timestamp| {
            signal.id = SignalId::derive(InstallId::derived("x"), 1, RunId(1));
        },
        |_: &mut Signal, _: Timestamp| {},
    ] {
        let mut desk = Desk::new();
        desk.pass(secs(60));
        desk.agents_answer = false;
        desk.say("run_task trading_decision BTC/USDT");
        let run = desk.run_of(TaskName::TradingDecision, Some(&btc()));
        let TaskOutput::Signal(mut signal) = answer_to(&run, desk.now.market) else { panic!("{run:?}") };
        let honest = signal.clone();
        forge(&mut signal, desk.now.market);
        let is_forged = signal != honest;
        desk.tell(Input::TaskFinished { run: run.id, result: Ok(TaskOutput::Signal(signal)) });
        assert_eq!(desk.core.durable().decisions.is_empty(), is_forged);
        let row = desk.snapshot().schedule.iter().find(|row| row.task == run.task).unwrap().clone();
        let said = row.problem.map(|problem| problem.to_string()).unwrap_or_default();
        assert_eq!(said.starts_with("BTC/USDT: its signal is dated ahead"), is_forged, "{said}");
    }
}

#[test]
fn a_signal_lives_on_the_bus_as_long_as_it_may_be_traded() {
    let mut config = Config::defaults().unwrap();
    config.orchestration.signals.max_age = secs(600);
    let mut desk = Desk::with_silent_agents(config);
    desk.say("run_task trading_decision BTC/USDT");
    let run = desk.run_of(TaskName::TradingDecision, Some(&btc()));
    let answer = answer_to(&run, desk.now.market);
    desk.tell(Input::TaskFinished { run: run.id, result: Ok(answer) });
    let ttl = desk.effects.iter().find_map(|effect| match effect {
        Effect::Publish(message) if matches!(message.payload, Payload::Signal(_)) => Some(message.ttl),
        _ => None,
    });
    assert_eq!(ttl, Some(Some(secs(600))));
}

#[test]
fn the_success_of_another_symbol_does_not_take_the_reason_of_a_failure_away() {
    let mut desk = Desk::with_silent_agents(Config::defaults().unwrap());
    let task = TaskName::TechnicalAnalysis;
    let problem = |desk: &mut Desk| {
        desk.snapshot().schedule.iter().find(|row| row.task == task).unwrap().problem.clone()
    };
    let (bad, good) = (desk.run_of(task, Some(&btc())), desk.run_of(task, Some(&xrp())));
    let failure = TaskFailure::Failed(Untrusted::new("no candles"));
    desk.tell(Input::TaskFinished { run: bad.id, result: Err(failure) });
    let output = answer_to(&good, desk.now.market);
    desk.tell(Input::TaskFinished { run: good.id, result: Ok(output) });
    assert_eq!(problem(&mut desk).unwrap().as_str(), "BTC/USDT: no candles");
}
