use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::domain::{Actor, ConflictKind};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn ana() -> Actor {
    Actor::Operator { user: "ana".to_owned(), uid: 1_000, name: None }
}

fn provider(name: &str) -> Component {
    Component::Provider(name.to_owned())
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

/// The machine, its clock and its journal.
struct Rig {
    config: config::Degradation,
    tasks: BTreeMap<TaskName, config::Task>,
    state: Degradation,
    now: Timestamp,
    journal: Vec<DegradationTransition>,
}

impl Rig {
    fn new() -> Self {
        Self {
            config: Config::defaults().unwrap().orchestration.degradation,
            tasks: Config::defaults().unwrap().orchestration.schedules.tasks,
            state: Degradation::default(),
            now: Timestamp::from_secs(1_000_000),
            journal: Vec::new(),
        }
    }

    fn failures(&self) -> u32 {
        self.state.failures(self.policy())
    }

    fn policy(&self) -> Policy<'_> {
        Policy { config: &self.config, tasks: &self.tasks }
    }

    fn feed(&mut self, event: &DegradationEvent) -> Result<Vec<DegradationTransition>, DegradationRefusal> {
        let transitions = self.state.step(self.policy(), event, Now::both(self.now))?;
        for transition in &transitions {
            self.state.apply(transition);
        }
        self.journal.extend(transitions.clone());
        Ok(transitions)
    }

    fn fail(&mut self, component: &Component) {
        self.now = self.now.plus(MINUTE);
        self.feed(&DegradationEvent::Failed(component.clone())).unwrap();
    }

    fn fail_times(&mut self, component: &Component, times: u32) {
        (0..times).for_each(|_| self.fail(component));
    }

    fn succeed_times(&mut self, component: &Component, times: u32) {
        for _ in 0..times {
            self.feed(&DegradationEvent::Succeeded(component.clone())).unwrap();
        }
    }

    fn force(&mut self, level: Level, until: Option<Duration>) -> Result<(), DegradationRefusal> {
        self.force_because(level, until, "")
    }

    fn force_because(
        &mut self,
        level: Level,
        until: Option<Duration>,
        reason: &str,
    ) -> Result<(), DegradationRefusal> {
        let (by, reason) = (ana(), reason.to_owned());
        self.feed(&DegradationEvent::Force { level, until, by, reason }).map(|_| ())
    }

    fn tick_after(&mut self, span: Duration) -> Vec<DegradationTransition> {
        self.now = self.now.plus(span);
        self.feed(&DegradationEvent::Tick).unwrap()
    }

    fn ran(&mut self, symbols_in_all: usize, results: &[(&str, bool)]) -> Vec<DegradationTransition> {
        self.now = self.now.plus(MINUTE);
        let result = |ok: bool| if ok { RunResult::Succeeded } else { RunResult::Failed };
        let results = results.iter().map(|(name, ok)| (symbol(name), result(*ok))).collect();
        let task = TaskName::TechnicalAnalysis;
        self.feed(&DegradationEvent::TaskRan { task, symbols_in_all, results }).unwrap()
    }

    fn level(&self) -> Level {
        self.state.effective(self.policy())
    }

    fn outstanding(&self, component: &Component) -> u8 {
        self.state.counters.get(component).map_or(0, |counter| counter.outstanding)
    }
}

// --- Counters -----------------------------------------------------------------------------------------------------

#[test]
fn a_burst_of_failures_within_a_minute_counts_once() {
    let mut rig = Rig::new();
    rig.fail(&Component::Feed);
    for _ in 0..50 {
        rig.now = rig.now.plus(Duration::from_secs(1));
        rig.feed(&DegradationEvent::Failed(Component::Feed)).unwrap();
    }
    assert_eq!(rig.outstanding(&Component::Feed), 1);
    rig.now = rig.now.plus(Duration::from_secs(10));
    rig.feed(&DegradationEvent::Failed(Component::Feed)).unwrap();
    assert_eq!(rig.outstanding(&Component::Feed), 2);
}

#[test]
fn outstanding_failures_never_exceed_their_maximum() {
    let mut rig = Rig::new();
    rig.fail_times(&Component::Venue, 30);
    assert_eq!(rig.outstanding(&Component::Venue), 9);
}

#[test]
fn three_successes_in_a_row_take_one_failure_off() {
    let mut rig = Rig::new();
    rig.fail_times(&Component::Feed, 2);
    rig.succeed_times(&Component::Feed, 2);
    assert_eq!(rig.outstanding(&Component::Feed), 2);
    rig.succeed_times(&Component::Feed, 1);
    assert_eq!(rig.outstanding(&Component::Feed), 1);
    rig.succeed_times(&Component::Feed, 3);
    assert_eq!(rig.outstanding(&Component::Feed), 0);
}

#[test]
fn a_failure_too_early_to_count_still_ends_the_row_of_successes() {
    let mut rig = Rig::new();
    rig.fail(&Component::Feed);
    rig.succeed_times(&Component::Feed, 2);
    rig.feed(&DegradationEvent::Failed(Component::Feed)).unwrap();
    rig.succeed_times(&Component::Feed, 2);
    assert_eq!(rig.outstanding(&Component::Feed), 1);
    rig.succeed_times(&Component::Feed, 1);
    assert_eq!(rig.outstanding(&Component::Feed), 0);
}

#[test]
fn successes_of_a_sound_component_leave_no_record() {
    let mut rig = Rig::new();
    rig.succeed_times(&Component::Feed, 100);
    assert!(rig.journal.is_empty());
    rig.fail(&Component::Feed);
    assert_eq!(rig.outstanding(&Component::Feed), 1, "successes in stock do not pay for a failure");
}

#[test]
fn a_clock_set_back_between_two_runs_does_not_stop_the_counting() {
    let mut rig = Rig::new();
    rig.fail(&Component::Feed);
    rig.now = rig.now.minus(HOUR * 100);
    rig.feed(&DegradationEvent::Failed(Component::Feed)).unwrap();
    assert_eq!(rig.outstanding(&Component::Feed), 2);
}

// --- Level --------------------------------------------------------------------------------------------------------

#[test]
fn levels_begin_at_3_6_and_9_failures() {
    let mut rig = Rig::new();
    let levels: Vec<Level> = (0..9)
        .map(|_| {
            rig.fail(&Component::Feed);
            rig.level()
        })
        .collect();
    let (normal, reduced, limited) = ([Level::Normal; 2], [Level::Reduced; 3], [Level::Limited; 3]);
    assert_eq!(levels, [&normal[..], &reduced[..], &limited[..], &[Level::Emergency]].concat());
}

#[test]
fn the_worst_provider_and_the_worst_component_add_up_and_no_others() {
    let mut rig = Rig::new();
    rig.fail_times(&provider("one"), 2);
    rig.fail_times(&provider("two"), 1);
    rig.fail_times(&Component::Feed, 1);
    rig.fail_times(&Component::Venue, 1);
    assert_eq!(rig.failures(), 3);
    assert_eq!(rig.level(), Level::Reduced);
}

#[test]
fn model_trouble_alone_stops_at_limited() {
    let mut rig = Rig::new();
    rig.fail_times(&provider("one"), 9);
    assert_eq!(rig.level(), Level::Limited);
    rig.fail(&Component::Feed);
    assert_eq!(rig.level(), Level::Emergency, "it is not alone any more");
}

#[test]
fn a_change_of_level_is_recorded_once_and_last() {
    let mut rig = Rig::new();
    rig.fail_times(&Component::Feed, 2);
    rig.now = rig.now.plus(MINUTE);
    let transitions = rig.feed(&DegradationEvent::Failed(Component::Feed)).unwrap();
    let Some(DegradationTransition::LevelChanged(change)) = transitions.last() else {
        panic!("no change of level in {transitions:?}")
    };
    assert_eq!((change.from, change.to, change.failures), (Level::Normal, Level::Reduced, 3));
    assert_eq!(rig.tick_after(MINUTE), []);
}

#[test]
fn alternating_outcomes_never_make_the_level_oscillate() {
    let mut rig = Rig::new();
    let mut last = Level::Normal;
    for _ in 0..60 {
        rig.fail(&Component::Feed);
        rig.succeed_times(&Component::Feed, 1);
        assert!(rig.level() >= last);
        last = rig.level();
    }
    assert_eq!(last, Level::Emergency);
    let changes = rig.journal.iter().filter(|t| matches!(t, DegradationTransition::LevelChanged(_))).count();
    assert_eq!(changes, 3);
}

#[test]
fn a_recovering_provider_lets_the_level_end() {
    let mut rig = Rig::new();
    rig.fail_times(&provider("one"), 9);
    rig.succeed_times(&provider("one"), 3 * 4);
    assert_eq!(rig.level(), Level::Reduced);
    rig.succeed_times(&provider("one"), 3 * 5);
    assert_eq!(rig.level(), Level::Normal);
}

#[test]
fn a_level_and_its_counters_survive_a_restart() {
    let mut rig = Rig::new();
    rig.fail_times(&Component::Feed, 4);
    rig.force(Level::Limited, None).unwrap();
    let json = serde_json::to_string(&rig.state).unwrap();
    rig.state = serde_json::from_str(&json).unwrap();
    rig.feed(&DegradationEvent::Restart { providers: vec![] }).unwrap();
    assert_eq!((rig.level(), rig.outstanding(&Component::Feed)), (Level::Limited, 4));
    assert_eq!(rig.state.automatic(rig.policy()), Level::Reduced);
}

#[test]
fn a_task_never_brings_about_by_itself_the_level_that_stops_it() {
    for (task, worst) in [
        (TaskName::SentimentAnalysis, Level::Reduced),
        (TaskName::TradingDecision, Level::Limited),
        (TaskName::PortfolioRebalance, Level::Limited),
        (TaskName::TechnicalAnalysis, Level::Emergency),
    ] {
        let mut rig = Rig::new();
        for _ in 0..20 {
            rig.fail(&Component::Task(task));
        }
        assert_eq!(rig.level(), worst, "{task}");
        let stops_from = rig.tasks[&task].stops_from;
        assert!(stops_from.is_none_or(|from| rig.level() < from), "{task} could never succeed again");
    }
}

#[test]
fn a_provider_that_is_no_longer_configured_does_not_hold_the_level_for_ever() {
    let mut rig = Rig::new();
    rig.fail_times(&provider("gone"), 6);
    rig.fail_times(&provider("kept"), 3);
    rig.feed(&DegradationEvent::Restart { providers: vec!["kept".to_owned()] }).unwrap();
    assert_eq!((rig.level(), rig.failures()), (Level::Reduced, 3));
}

#[test]
fn changed_thresholds_are_recorded_as_a_change_of_level_at_restart() {
    let mut rig = Rig::new();
    rig.fail_times(&Component::Feed, 2);
    rig.config.reduced_from = 2;
    let transitions = rig.feed(&DegradationEvent::Restart { providers: vec![] }).unwrap();
    assert!(matches!(&transitions[..], [DegradationTransition::LevelChanged(_)]));
}

// --- Forced level -------------------------------------------------------------------------------------------------

#[test]
fn a_forced_level_only_tightens() {
    let mut rig = Rig::new();
    rig.fail_times(&Component::Feed, 6);
    rig.force(Level::Reduced, None).unwrap();
    assert_eq!(rig.level(), Level::Limited);
    rig.force(Level::Emergency, None).unwrap();
    assert_eq!(rig.level(), Level::Emergency);
    rig.succeed_times(&Component::Feed, 18);
    assert_eq!((rig.state.automatic(rig.policy()), rig.level()), (Level::Normal, Level::Emergency));
}

#[test]
fn forcing_normal_is_refused_because_it_forces_nothing() {
    let mut rig = Rig::new();
    assert_eq!(rig.force(Level::Normal, None), Err(DegradationRefusal::NormalForcesNothing));
    assert_eq!(rig.force(Level::Reduced, Some(Duration::ZERO)), Err(DegradationRefusal::NoLength));
}

#[test]
fn loosening_the_forced_level_takes_two_steps_and_a_reason() {
    let mut rig = Rig::new();
    assert_eq!(rig.state.force_tier(Level::Limited, Some(HOUR), rig.now), Tier::Safer);
    rig.force(Level::Limited, None).unwrap();
    for (level, until, tier) in [
        (Level::Emergency, None, Tier::Safer),
        (Level::Limited, None, Tier::Safer),
        (Level::Reduced, None, Tier::Looser),
        (Level::Emergency, Some(HOUR), Tier::Looser),
    ] {
        assert_eq!(rig.state.force_tier(level, until, rig.now), tier, "{level} {until:?}");
    }
    assert_eq!(rig.force(Level::Reduced, None), Err(DegradationRefusal::ReasonWanted));
    assert_eq!(rig.force_because(Level::Reduced, None, "\u{200b}"), Err(DegradationRefusal::ReasonWanted));
    assert_eq!(rig.force_because(Level::Reduced, None, "feed is back"), Ok(()));
    assert_eq!(rig.level(), Level::Reduced);
}

#[test]
fn moving_the_end_out_is_safer_and_moving_it_in_is_looser() {
    let mut rig = Rig::new();
    rig.force(Level::Limited, Some(HOUR * 2)).unwrap();
    assert_eq!(rig.state.force_tier(Level::Limited, Some(HOUR * 3), rig.now), Tier::Safer);
    assert_eq!(rig.state.force_tier(Level::Limited, None, rig.now), Tier::Safer);
    assert_eq!(rig.state.force_tier(Level::Limited, Some(HOUR), rig.now), Tier::Looser);
}

#[test]
fn a_forced_level_without_an_end_stays_and_is_due_for_review_once() {
    let mut rig = Rig::new();
    rig.force(Level::Limited, None).unwrap();
    assert_eq!(rig.state.next_due(rig.policy()).operator, Some(rig.now.plus(HOUR * 8)));
    assert_eq!(rig.tick_after(MINUTE * (8 * 60 - 1)), []);
    assert!(matches!(&rig.tick_after(MINUTE)[..], [DegradationTransition::ReviewDue { .. }]));
    assert_eq!(rig.tick_after(HOUR * 1_000), []);
    assert_eq!(rig.level(), Level::Limited);
    rig.force(Level::Limited, None).unwrap();
    assert!(!rig.state.forced().unwrap().review_announced, "forcing it again begins a new review time");
}

#[test]
fn an_end_that_was_asked_for_is_warned_15_minutes_before_and_then_comes() {
    let mut rig = Rig::new();
    rig.force(Level::Limited, Some(HOUR)).unwrap();
    assert_eq!(rig.tick_after(MINUTE * 44), []);
    assert!(matches!(&rig.tick_after(MINUTE)[..], [DegradationTransition::EndNear { .. }]));
    assert_eq!(rig.tick_after(MINUTE), []);
    let end = rig.tick_after(MINUTE * 14);
    let [DegradationTransition::ForcedEnded { .. }, DegradationTransition::LevelChanged(change)] = &end[..]
    else {
        panic!("{end:?}")
    };
    assert_eq!((change.to, rig.level()), (Level::Normal, Level::Normal));
}

#[test]
fn an_end_missed_by_more_than_its_warning_still_comes() {
    let mut rig = Rig::new();
    rig.force(Level::Limited, Some(HOUR)).unwrap();
    assert_eq!(rig.tick_after(HOUR * 5).len(), 2);
    assert_eq!(rig.state.forced(), None);
}

#[test]
fn an_end_comes_back_from_a_restart_at_most_its_whole_length_away() {
    let mut rig = Rig::new();
    rig.force(Level::Limited, Some(HOUR)).unwrap();
    rig.now = rig.now.minus(HOUR * 1_000);
    rig.feed(&DegradationEvent::Restart { providers: vec![] }).unwrap();
    assert_eq!(rig.state.forced().unwrap().end.unwrap().at, rig.now.plus(HOUR));
}

#[test]
fn clearing_and_resetting_want_a_reason() {
    let mut rig = Rig::new();
    rig.fail_times(&Component::Feed, 6);
    let clear = |reason: &str| DegradationEvent::ClearForced { by: ana(), reason: reason.to_owned() };
    let reset = |reason: &str| DegradationEvent::ResetFailures { by: ana(), reason: reason.to_owned() };
    assert_eq!(rig.feed(&clear("x")), Err(DegradationRefusal::NothingForced));
    rig.force(Level::Emergency, None).unwrap();
    assert_eq!(rig.feed(&clear(" ")), Err(DegradationRefusal::ReasonWanted));
    assert_eq!(rig.feed(&reset("")), Err(DegradationRefusal::ReasonWanted));
    rig.feed(&clear("checked")).unwrap();
    assert_eq!(rig.level(), Level::Limited);
    rig.feed(&reset("venue confirmed")).unwrap();
    assert_eq!(rig.level(), Level::Normal);
}

// --- Tasks and symbols --------------------------------------------------------------------------------------------

#[test]
fn a_task_fails_as_a_component_when_half_of_its_symbols_fail() {
    let mut rig = Rig::new();
    let task = Component::Task(TaskName::TechnicalAnalysis);
    rig.ran(3, &[("BTC/USDT", false), ("XRP/USDT", false), ("XRP/BTC", true)]);
    assert_eq!(rig.outstanding(&task), 1);
    rig.ran(4, &[("BTC/USDT", false), ("XRP/USDT", false), ("XRP/BTC", true), ("ETH/BTC", true)]);
    assert_eq!(rig.outstanding(&task), 2);
    rig.ran(1, &[("BTC/USDT", false)]);
    assert_eq!(rig.outstanding(&task), 3);
    assert_eq!(rig.state.streak(TaskName::TechnicalAnalysis, &symbol("BTC/USDT")), 0);
    assert_eq!(rig.state.lock(&symbol("BTC/USDT")), None);
}

#[test]
fn one_symbol_that_fails_alone_three_times_in_a_row_is_locked_and_the_level_stays() {
    let mut rig = Rig::new();
    for _ in 0..2 {
        rig.ran(3, &[("BTC/USDT", true), ("XRP/USDT", true), ("XRP/BTC", false)]);
    }
    assert_eq!(rig.state.lock(&symbol("XRP/BTC")), None);
    rig.ran(3, &[("BTC/USDT", true), ("XRP/USDT", true), ("XRP/BTC", false)]);
    let lock = rig.state.lock(&symbol("XRP/BTC")).unwrap();
    assert_eq!((lock.task, &lock.by), (Some(TaskName::TechnicalAnalysis), &Actor::Coordinator));
    assert_eq!(rig.state.locks().count(), 1);
    assert_eq!((rig.level(), rig.failures()), (Level::Normal, 0));
}

#[test]
fn a_success_between_ends_the_streak_of_a_symbol() {
    let mut rig = Rig::new();
    for ok in [false, false, true, false, false] {
        rig.ran(3, &[("BTC/USDT", true), ("XRP/USDT", true), ("XRP/BTC", ok)]);
    }
    assert_eq!(rig.state.streak(TaskName::TechnicalAnalysis, &symbol("XRP/BTC")), 2);
    assert_eq!(rig.state.lock(&symbol("XRP/BTC")), None);
}

#[test]
fn one_symbol_run_by_hand_that_fails_is_neither_failure_nor_success_of_the_task() {
    let mut rig = Rig::new();
    rig.ran(3, &[("BTC/USDT", false), ("XRP/USDT", false), ("XRP/BTC", true)]);
    let before = rig.state.counters.clone();
    rig.ran(3, &[("XRP/BTC", false)]);
    assert_eq!(rig.state.counters, before);
    assert_eq!(rig.state.streak(TaskName::TechnicalAnalysis, &symbol("XRP/BTC")), 1);
}

#[test]
fn an_empty_cycle_is_nothing() {
    assert_eq!(Rig::new().ran(0, &[]), []);
}

#[test]
fn a_lock_stays_until_somebody_unlocks_and_then_the_streak_begins_anew() {
    let mut rig = Rig::new();
    let pair = symbol("XRP/BTC");
    for ok in [false, false, false, true, true] {
        rig.ran(3, &[("BTC/USDT", true), ("XRP/USDT", true), ("XRP/BTC", ok)]);
    }
    assert!(rig.state.lock(&pair).is_some(), "success does not unlock");
    rig.feed(&DegradationEvent::Unlock { symbol: pair.clone(), by: ana() }).unwrap();
    assert_eq!((rig.state.lock(&pair), rig.state.streak(TaskName::TechnicalAnalysis, &pair)), (None, 0));
    let again = rig.feed(&DegradationEvent::Unlock { symbol: pair.clone(), by: ana() });
    assert_eq!(again, Err(DegradationRefusal::NotLocked(pair)));
}

#[test]
fn locking_twice_is_fine_and_keeps_the_first_name() {
    let mut rig = Rig::new();
    let pair = symbol("XRP/BTC");
    assert_eq!(rig.feed(&DegradationEvent::Lock { symbol: pair.clone(), by: ana() }).unwrap().len(), 1);
    assert_eq!(rig.feed(&DegradationEvent::Lock { symbol: pair.clone(), by: Actor::Script }).unwrap(), []);
    assert_eq!(rig.state.lock(&pair).unwrap().by, ana());
}

#[test]
fn a_component_round_trips_through_its_text() {
    for component in
        [provider("a b"), Component::Feed, Component::Venue, Component::Task(TaskName::TradingDecision)]
    {
        assert_eq!(component.to_string().parse(), Ok(component));
    }
    for text in ["", "feeds", "task", "task nothing", "feed x"] {
        assert!(text.parse::<Component>().is_err(), "{text} was accepted");
    }
}

// --- The level table ----------------------------------------------------------------------------------------------

#[test]
fn model_calls_follow_the_level_table() {
    let (ta, regime, risk) =
        (ConflictKind::TaSentimentConflict, ConflictKind::RegimeConflict, ConflictKind::RiskOverride);
    for (wanted, allowed) in [
        (ModelUse::Conflict(ta), [true, true, false, false]),
        (ModelUse::Conflict(regime), [true, true, true, false]),
        (ModelUse::Conflict(risk), [false; 4]),
        (ModelUse::Agent, [true, true, false, false]),
        (ModelUse::RebalanceStrategy, [true, false, false, false]),
    ] {
        assert_eq!(Level::ALL.map(|level| allows_model(level, wanted)), allowed, "{wanted:?}");
    }
}

// --- Over any sequence --------------------------------------------------------------------------------------------

fn events() -> impl Strategy<Value = Vec<(u64, DegradationEvent)>> {
    let component = prop_oneof![
        Just(provider("one")),
        Just(provider("two")),
        Just(Component::Feed),
        Just(Component::Task(TaskName::TechnicalAnalysis)),
    ];
    let event = prop_oneof![
        6 => component.clone().prop_map(DegradationEvent::Failed),
        6 => component.prop_map(DegradationEvent::Succeeded),
        1 => prop::sample::select(&Level::ALL[..]).prop_map(|level| DegradationEvent::Force {
            level,
            until: Some(HOUR),
            by: ana(),
            reason: "because".to_owned(),
        }),
        1 => Just(DegradationEvent::ResetFailures { by: ana(), reason: "because".to_owned() }),
        1 => Just(DegradationEvent::Restart { providers: vec!["one".to_owned()] }),
        2 => prop::bool::ANY.prop_map(|ok| DegradationEvent::TaskRan {
            task: TaskName::TechnicalAnalysis,
            symbols_in_all: 3,
            results: BTreeMap::from([
                (symbol("XRP/BTC"), if ok { RunResult::Succeeded } else { RunResult::Failed }),
                (symbol("BTC/USDT"), RunResult::Succeeded),
                (symbol("XRP/USDT"), RunResult::Succeeded),
            ]),
        }),
        2 => Just(DegradationEvent::Tick),
    ];
    prop::collection::vec((0..200_u64, event), 0..120)
}

proptest! {
    #[test]
    fn the_level_is_a_function_of_the_counters_and_the_journal_gives_the_same_state(events in events()) {
        let mut rig = Rig::new();
        for (secs, event) in events {
            rig.now = rig.now.plus(Duration::from_secs(secs));
            let before = rig.state.clone();
            let Ok(transitions) = rig.feed(&event) else { continue };
            prop_assert!(rig.state.counters.values().all(|counter| counter.outstanding <= 9));
            prop_assert!(rig.level() >= rig.state.forced_level());
            prop_assert_eq!(rig.state.announced, rig.level(), "a change of level was not recorded");
            let rebuilt = Degradation {
                counters: rig.state.counters.clone(),
                forced: rig.state.forced.clone(),
                ..Degradation::default()
            };
            prop_assert_eq!(rebuilt.effective(rig.policy()), rig.level());
            if matches!(event, DegradationEvent::Failed(_)) {
                prop_assert!(rig.failures() >= before.failures(rig.policy()));
            }
            prop_assert!(before.locks.keys().all(|locked| rig.state.locks.contains_key(locked)));
            prop_assert!(!transitions.is_empty() || before == rig.state);
        }
        let mut recovered = Degradation::default();
        for transition in &rig.journal {
            let line = serde_json::to_string(transition).unwrap();
            recovered.apply(&serde_json::from_str(&line).unwrap());
        }
        prop_assert_eq!(recovered, rig.state);
    }
}
