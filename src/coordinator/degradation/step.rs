//! What follows from an event, and the one function that changes the state.

use std::time::Duration;

use super::{
    Component, Counter, Degradation, DegradationEvent, DegradationRefusal, DegradationTransition, Forced,
    ForcedEnd, Policy,
};
use crate::domain::{Actor, Level, Now, SafeText, Tier, Untrusted};

/// Longest reason kept, in characters.
const REASON_CHARS_MAX: usize = 200;

impl Degradation {
    /// What follows from `event`; nothing changes until the transitions are applied, in order. A change of the
    /// effective level is always the last of them.
    ///
    /// # Errors
    /// Only for what the operator asks, see [`DegradationRefusal`].
    pub fn step(
        &self,
        policy: Policy<'_>,
        event: &DegradationEvent,
        now: Now,
    ) -> Result<Vec<DegradationTransition>, DegradationRefusal> {
        let mut transitions = self.before_level(policy, event, now)?;
        let mut after = self.clone();
        for transition in &transitions {
            after.apply(transition);
        }
        transitions.extend(after.level_change(policy, now));
        Ok(transitions)
    }

    fn before_level(
        &self,
        policy: Policy<'_>,
        event: &DegradationEvent,
        now: Now,
    ) -> Result<Vec<DegradationTransition>, DegradationRefusal> {
        Ok(match event {
            DegradationEvent::Failed(component) => self.failed(component, policy, now).into_iter().collect(),
            DegradationEvent::Succeeded(component) => self.succeeded(component, policy).into_iter().collect(),
            DegradationEvent::TaskRan { task, symbols_in_all, results } => {
                self.task_ran(*task, *symbols_in_all, results, policy, now)
            }
            DegradationEvent::Force { level, until, by, reason } => {
                vec![self.force(*level, *until, by, reason, policy, now)?]
            }
            DegradationEvent::ClearForced { by, reason } => {
                let forced = self.forced.as_ref().ok_or(DegradationRefusal::NothingForced)?;
                let (level, by, reason) = (forced.level, by.clone(), reason_wanted(reason)?);
                vec![DegradationTransition::ForcedCleared { level, by, reason }]
            }
            DegradationEvent::ResetFailures { by, reason } => {
                vec![DegradationTransition::FailuresReset { by: by.clone(), reason: reason_wanted(reason)? }]
            }
            DegradationEvent::Lock { symbol, by } => self.lock_by(symbol, by, now).into_iter().collect(),
            DegradationEvent::PriceJumped { symbol, jump } => {
                vec![Self::lock_for_jump(symbol, *jump, now)]
            }
            DegradationEvent::Unlock { symbol, by } => vec![self.unlock(symbol, by)?],
            DegradationEvent::Tick => self.time_passed(policy, now),
            DegradationEvent::Restart { providers } => self.restarted(providers, now),
        })
    }

    pub(super) fn failed(
        &self,
        component: &Component,
        policy: Policy<'_>,
        now: Now,
    ) -> Option<DegradationTransition> {
        self.counted(component, |counter| counter.failed(now.operator, policy.config))
    }

    pub(super) fn succeeded(
        &self,
        component: &Component,
        policy: Policy<'_>,
    ) -> Option<DegradationTransition> {
        self.counted(component, |counter| counter.succeeded(policy.config))
    }

    fn counted(
        &self,
        component: &Component,
        change: impl FnOnce(Counter) -> Counter,
    ) -> Option<DegradationTransition> {
        let before = self.counters.get(component).copied().unwrap_or_default();
        let counter = change(before);
        (counter != before).then(|| DegradationTransition::Counted { component: component.clone(), counter })
    }

    fn force(
        &self,
        level: Level,
        until: Option<Duration>,
        by: &Actor,
        reason: &str,
        policy: Policy<'_>,
        now: Now,
    ) -> Result<DegradationTransition, DegradationRefusal> {
        if level == Level::Normal {
            return Err(DegradationRefusal::NormalForcesNothing);
        }
        if until.is_some_and(|length| length.is_zero()) {
            return Err(DegradationRefusal::NoLength);
        }
        let reason = match self.force_tier(level, until, now.market) {
            Tier::Safer => reason_of(reason),
            Tier::Looser | Tier::WithCode => reason_wanted(reason)?,
        };
        let end = until.map(|length| ForcedEnd {
            at: now.market.plus(length),
            length,
            // Whoever forces for less than the warning's lead has just been told when it ends.
            warned: length <= policy.config.forced_end_warned_before,
        });
        let forced = Forced { level, by: by.clone(), reason, at: now, end, review_announced: false };
        Ok(DegradationTransition::Forced { forced })
    }

    fn time_passed(&self, policy: Policy<'_>, now: Now) -> Vec<DegradationTransition> {
        let Some(forced) = &self.forced else { return Vec::new() };
        if forced.is_over(now.market) {
            return vec![DegradationTransition::ForcedEnded { level: forced.level, since: forced.at }];
        }
        let near = forced.end.filter(|end| !end.warned && forced.is_end_near(now.market, policy.config));
        let review = !forced.review_announced && forced.is_review_due(now.operator, policy.config);
        let near = near.map(|end| DegradationTransition::EndNear { level: forced.level, end });
        let review =
            review.then_some(DegradationTransition::ReviewDue { level: forced.level, since: forced.at });
        near.into_iter().chain(review).collect()
    }

    /// A provider that is no longer configured can never succeed again: its failures are forgotten.
    fn restarted(&self, providers: &[String], now: Now) -> Vec<DegradationTransition> {
        let gone = |component: &&Component| match component {
            Component::Provider(name) => !providers.contains(name),
            Component::Feed | Component::Venue | Component::Task(_) => false,
        };
        let forgotten = self
            .counters
            .keys()
            .filter(gone)
            .map(|component| DegradationTransition::Forgotten { component: component.clone() });
        let forced = self.forced.as_ref().and_then(|forced| {
            let clamped = forced.restarted(now.market);
            (clamped != *forced).then_some(DegradationTransition::Forced { forced: clamped })
        });
        forgotten.chain(forced).collect()
    }

    /// Changes the state. Total: what does not fit the state changes nothing.
    pub fn apply(&mut self, transition: &DegradationTransition) {
        match transition {
            DegradationTransition::Counted { component, counter } => {
                self.counters.insert(component.clone(), *counter);
            }
            DegradationTransition::Forgotten { component } => {
                self.counters.remove(component);
            }
            DegradationTransition::FailuresReset { .. } => {
                self.counters.clear();
                self.streaks.clear();
            }
            DegradationTransition::Forced { forced } => self.forced = Some(forced.clone()),
            DegradationTransition::ForcedCleared { .. } | DegradationTransition::ForcedEnded { .. } => {
                self.forced = None;
            }
            DegradationTransition::ReviewDue { .. } => {
                if let Some(forced) = &mut self.forced {
                    forced.review_announced = true;
                }
            }
            DegradationTransition::EndNear { .. } => {
                if let Some(end) = self.forced.as_mut().and_then(|forced| forced.end.as_mut()) {
                    end.warned = true;
                }
            }
            DegradationTransition::Streak { task, symbol, failures } => {
                self.set_streak(*task, symbol, *failures);
            }
            DegradationTransition::Locked { symbol, lock } => {
                self.locks.insert(symbol.clone(), lock.clone());
            }
            DegradationTransition::Unlocked { symbol, .. } => {
                self.locks.remove(symbol);
                self.streaks.values_mut().for_each(|streaks| {
                    streaks.remove(symbol);
                });
            }
            DegradationTransition::LevelChanged(change) => {
                self.announced = change.to;
                self.announced_at = Some(change.at);
            }
        }
    }
}

fn reason_of(written: &str) -> SafeText {
    Untrusted::new(written.trim()).sanitize(REASON_CHARS_MAX)
}

fn reason_wanted(written: &str) -> Result<SafeText, DegradationRefusal> {
    let reason = reason_of(written);
    // What is left of text that was all invisible is the mark that something was removed.
    let readable = !reason.as_str().trim_matches([' ', '…']).is_empty();
    readable.then_some(reason).ok_or(DegradationRefusal::ReasonWanted)
}
