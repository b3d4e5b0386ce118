//! When breakers trip, stay tripped, and are armed again.

use proptest::prelude::*;

use super::*;
use crate::config::Config;

/// 2022-01-05 is a Wednesday.
const WEDNESDAY: &str = "2022-01-05T08:00:00Z";
const HOUR: i64 = 3_600;

/// Breakers with a clock.
struct Desk {
    breakers: Breakers,
    config: config::Breakers,
    start: Timestamp,
}

impl Desk {
    /// Armed at 10,000 on a Wednesday at 08:00.
    fn new() -> Self {
        let config = Config::defaults().unwrap().risk.breakers;
        let mut desk = Self { breakers: Breakers::default(), config, start: WEDNESDAY.parse().unwrap() };
        assert_eq!(desk.see(0, 10_000).len(), 3, "a baseline each");
        desk
    }

    fn at(&self, hours: i64) -> Timestamp {
        Timestamp::from_millis(self.start.millis() + hours * HOUR * 1_000)
    }

    /// Equity `hours` after the start; gives the names of what tripped or was rebased.
    fn see(&mut self, hours: i64, equity: i64) -> Vec<String> {
        let changes = self.breakers.evaluate(self.at(hours), equity.into(), &self.config);
        for change in &changes {
            self.breakers.apply(change);
        }
        changes
            .iter()
            .map(|change| match change {
                BreakerTransition::Baseline { name, rearmed: true, .. } => format!("{name} armed again"),
                BreakerTransition::Baseline { name, rearmed: false, .. } => format!("{name} baseline"),
                BreakerTransition::Peak { equity, .. } => format!("peak {equity}"),
                BreakerTransition::Tripped { name, .. } => format!("{name} tripped"),
                BreakerTransition::Rearmed { name, .. } => format!("{name} rearmed"),
            })
            .collect()
    }
}

#[test]
fn a_daily_loss_of_five_percent_trips_once_and_latches() {
    let mut desk = Desk::new();
    assert!(desk.see(1, 9_501).is_empty());
    assert_eq!(desk.see(2, 9_500), ["daily_loss tripped"]);
    assert!(desk.see(3, 9_400).is_empty());
    assert!(desk.see(4, 9_990).is_empty(), "a recovery does not lift it");
    assert_eq!(desk.breakers.tripped().map(|(name, _)| name).collect::<Vec<_>>(), [BreakerName::DailyLoss]);
}

#[test]
fn midnight_arms_the_daily_breaker_with_a_new_baseline() {
    let mut desk = Desk::new();
    desk.see(1, 9_500);
    assert!(desk.see(15, 9_400).is_empty(), "23:00");
    assert_eq!(desk.see(16, 9_400), ["daily_loss armed again"]);
    assert!(desk.see(17, 9_100).is_empty(), "3.2 % of the new day");
    assert_eq!(desk.breakers.tripped().count(), 0);
}

#[test]
fn monday_arms_the_weekly_breaker_and_no_other_midnight_does() {
    let mut desk = Desk::new();
    assert_eq!(desk.see(1, 9_000), ["daily_loss tripped", "weekly_loss tripped"]);
    for day in 0..4 {
        desk.see(16 + 24 * day, 9_000);
        assert!(desk.breakers.get(BreakerName::WeeklyLoss).tripped.is_some());
    }
    assert_eq!(desk.see(16 + 24 * 4, 9_000), ["daily_loss baseline", "weekly_loss armed again"]);
}

#[test]
fn the_drawdown_breaker_is_never_armed_by_the_calendar() {
    let mut desk = Desk::new();
    desk.see(1, 8_000);
    for day in 0..30 {
        desk.see(16 + 24 * day, 12_000);
        assert!(desk.breakers.get(BreakerName::MaxDrawdown).tripped.is_some());
    }
}

#[test]
fn rearming_rebases_so_that_it_does_not_trip_again_at_once() {
    let mut desk = Desk::new();
    desk.see(1, 7_900);
    let name = BreakerName::MaxDrawdown;
    let rearmed = desk.breakers.rearm(name, desk.at(2), 7_900.into()).unwrap();
    let (from, to, at) = (Some(10_000.into()), 7_900.into(), desk.at(2));
    assert_eq!(rearmed, BreakerTransition::Rearmed { name, at, from, to });
    desk.breakers.apply(&rearmed);
    assert!(desk.see(3, 7_800).is_empty());
    assert_eq!(desk.see(4, 6_320), ["max_drawdown tripped"], "20 % below the new baseline");
}

#[test]
fn rearming_is_refused_with_a_reason() {
    let mut desk = Desk::new();
    let name = BreakerName::DailyLoss;
    let rearm = |desk: &Desk, equity: i64| desk.breakers.rearm(name, desk.start, equity.into()).unwrap_err();
    assert_eq!(rearm(&desk, 10_000), RearmError::NotTripped(name));
    desk.see(1, 0);
    assert_eq!(rearm(&desk, 0), RearmError::NoEquity(name));
    assert_eq!("weekly".parse::<BreakerName>(), Err(RearmError::UnknownName("weekly".to_owned())));
    assert_eq!("weekly_loss".parse(), Ok(BreakerName::WeeklyLoss));
}

#[test]
fn the_peak_moves_in_steps_and_drawdown_is_measured_from_it() {
    let mut desk = Desk::new();
    assert!(desk.see(1, 10_009).is_empty());
    assert_eq!(desk.see(2, 10_010), ["peak 10010"]);
    assert!(desk.see(3, 9_700).is_empty());
    assert_eq!(desk.breakers.drawdown_pct(Decimal::from(9_009)).round_dp(6), Decimal::from(10));
}

#[test]
fn a_clock_that_steps_back_changes_nothing() {
    let mut desk = Desk::new();
    desk.see(1, 9_500);
    let before = desk.breakers.clone();
    assert!(desk.see(-100, 9_500).is_empty());
    assert_eq!(desk.breakers, before);
}

#[test]
fn no_equity_is_no_baseline_but_a_loss() {
    let config = Config::defaults().unwrap().risk.breakers;
    let fresh = Breakers::default();
    assert!(fresh.evaluate(WEDNESDAY.parse().unwrap(), Decimal::ZERO, &config).is_empty());
    let mut desk = Desk::new();
    assert_eq!(desk.see(1, -5), ["daily_loss tripped", "weekly_loss tripped", "max_drawdown tripped"]);
    assert!(desk.see(16, -5).is_empty(), "no new day on no equity");
}

#[test]
fn a_loss_that_cannot_be_computed_trips() {
    let mut desk = Desk::new();
    let changes = desk.breakers.evaluate(desk.at(1), Decimal::MIN, &desk.config);
    for change in &changes {
        desk.breakers.apply(change);
    }
    assert_eq!(desk.breakers.tripped().count(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Over any walk of equity: a trip is recorded once, at its limit; only a later day or week lifts the first two and
    /// nothing lifts the third; seeing the same again changes nothing; the records rebuild the state.
    #[test]
    fn breakers_latch_over_any_walk(walk in prop::collection::vec((0_i64..40, -8_i64..9), 1..120)) {
        let config = Config::defaults().unwrap().risk.breakers;
        let mut now: Timestamp = WEDNESDAY.parse().unwrap();
        let mut equity = Decimal::from(10_000);
        let (mut breakers, mut journal) = (Breakers::default(), Vec::new());
        for (hours, pct) in walk {
            now = Timestamp::from_millis(now.millis() + hours * HOUR * 1_000);
            equity += equity * Decimal::new(pct, 2);
            let changes = breakers.evaluate(now, equity, &config);
            for change in &changes {
                match change {
                    BreakerTransition::Tripped { name, trip, limit_pct, .. } => {
                        prop_assert!(breakers.get(*name).tripped.is_none());
                        prop_assert!(trip.loss_pct >= limit_pct.value());
                    }
                    BreakerTransition::Baseline { name, rearmed, .. } => {
                        let breaker = breakers.get(*name);
                        prop_assert_eq!(*rearmed, breaker.tripped.is_some());
                        if let Some(since) = breaker.since {
                            let begin = name.period(now);
                            prop_assert!(begin.is_some_and(|begin| since < begin));
                        }
                    }
                    BreakerTransition::Peak { equity, .. } => {
                        prop_assert!(Some(*equity) > breakers.get(BreakerName::MaxDrawdown).baseline);
                    }
                    BreakerTransition::Rearmed { .. } => prop_assert!(false, "nobody asked"),
                }
                breakers.apply(change);
            }
            journal.extend(changes);
            prop_assert_eq!(breakers.evaluate(now, equity, &config), vec![]);
        }
        let mut recovered = Breakers::default();
        for change in &journal {
            let stored = serde_json::to_string(change).unwrap();
            recovered.apply(&serde_json::from_str(&stored).unwrap());
        }
        prop_assert_eq!(recovered, breakers);
    }
}
