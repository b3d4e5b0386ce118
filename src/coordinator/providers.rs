//! How the model providers are: their calls counted, failing ones probed, the alarm of one that is down.
//!
//! A level that forbids calls would otherwise never end: so the health check probes a failing provider with the
//! smallest question there is. Probes that fail do not count, those that succeed do.

use std::collections::BTreeMap;
use std::time::Duration;

use super::conflict::{CallFailure, Resolved};
use super::degradation::{Component, DegradationEvent};
use super::effect::Effect;
use super::health::Finding;
use super::snapshot::HealthStatus;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::config::Config;
use crate::domain::{Priority, SafeText, SystemEventKind, Timestamp, TradingState, short_span};

/// One provider in this run.
#[derive(Debug, Default)]
pub(super) struct ProviderHealth {
    /// Calls and probes that failed since the last one that worked.
    failed_in_a_row: u32,
    /// What went wrong last.
    problem: Option<SafeText>,
    /// Operator time.
    last_success: Option<Timestamp>,
    /// Operator time of the last probe.
    probed_at: Option<Timestamp>,
    /// Probes that failed since the last call or probe that worked.
    failed_probes: u32,
}

impl ProviderHealth {
    /// What went wrong last, in words; none since it worked.
    #[cfg(test)]
    pub(super) fn problem_text(&self) -> Option<String> {
        self.problem.as_ref().map(ToString::to_string)
    }

    /// How long the next probe waits after the last one: twice as long after each that fails, from the second on.
    fn probe_wait(&self, base: Duration, most: Duration) -> Duration {
        let times = 2_u32.saturating_pow(self.failed_probes.saturating_sub(1));
        base.saturating_mul(times).min(most.max(base))
    }
}

/// Those of the configuration, of which nothing is known yet.
pub(super) fn configured(config: &Config) -> BTreeMap<String, ProviderHealth> {
    let providers = config.orchestration.llm.providers();
    providers.map(|(_, provider)| (provider.name.clone(), ProviderHealth::default())).collect()
}

impl Coordinator {
    /// Counts each provider that was asked: one outcome of one question is at most one failure of each, so the failure of
    /// the one that is `counted` already is left out.
    pub(super) fn count_calls(&mut self, cx: &mut Cx<'_>, resolved: &Resolved, counted: Option<&str>) {
        let new = resolved.failures.iter().filter(|failed| Some(failed.provider.as_str()) != counted);
        for failed in new {
            self.provider_failed(cx, &failed.provider, &failed.failure);
            self.degradation_event(
                cx,
                &DegradationEvent::Failed(Component::Provider(failed.provider.clone())),
            );
        }
        if let Some(answered) = &resolved.answer {
            self.provider_worked(cx, &answered.provider);
        }
    }

    /// The answer to a probe.
    pub(super) fn provider_probed(
        &mut self,
        cx: &mut Cx<'_>,
        provider: &str,
        result: &Result<(), CallFailure>,
    ) {
        match result {
            Ok(()) => self.provider_worked(cx, provider),
            Err(failure) => {
                if let Some(health) = self.live.providers.get_mut(provider) {
                    health.failed_probes = health.failed_probes.saturating_add(1);
                }
                self.provider_failed(cx, provider, failure);
            }
        }
    }

    fn provider_worked(&mut self, cx: &mut Cx<'_>, name: &str) {
        let Some(health) = self.live.providers.get_mut(name) else {
            return;
        };
        health.failed_in_a_row = 0;
        health.problem = None;
        health.last_success = Some(cx.now.operator);
        health.failed_probes = 0;
        self.degradation_event(cx, &DegradationEvent::Succeeded(Component::Provider(name.to_owned())));
        self.clear(cx, down(name));
    }

    fn provider_failed(&mut self, cx: &mut Cx<'_>, name: &str, failure: &CallFailure) {
        let Some(health) = self.live.providers.get_mut(name) else {
            return;
        };
        health.failed_in_a_row = health.failed_in_a_row.saturating_add(1);
        health.problem = Some(SafeText::ours(failure));
        let is_down = health.failed_in_a_row >= self.config.orchestration.health.provider_down_after;
        tracing::warn!(provider = name, %failure, "a model gave no usable answer");
        self.announce(cx, SystemEventKind::Health, Priority::High, format!("model {name}: {failure}"));
        if is_down {
            self.raise(cx, down(name), "several failures in a row", format!("{name}: {failure}"));
        }
    }

    /// Probes those that fail and are due, at every level; HALTED asks no model anything.
    pub(super) fn probe_providers(&mut self, cx: &mut Cx<'_>) {
        if self.durable.control.state == TradingState::Halted {
            return;
        }
        let (base, most) =
            (self.config.orchestration.health.every, self.config.orchestration.llm.probe_backoff_max);
        for (name, health) in &mut self.live.providers {
            let failing = self.durable.degradation.outstanding(&Component::Provider(name.clone())) > 0;
            let wait = health.probe_wait(base, most);
            if failing && health.probed_at.is_none_or(|at| cx.now.operator >= at.plus(wait)) {
                health.probed_at = Some(cx.now.operator);
                cx.effects.push(Effect::ProbeProvider { provider: name.clone() });
            }
        }
    }

    /// One line for each provider; one in all where there is none.
    pub(super) fn check_providers(&self, cx: &Cx<'_>) -> Vec<Finding> {
        if self.live.providers.is_empty() {
            return vec![Finding::new("models", HealthStatus::Ok, "none configured: rules")];
        }
        let down_after = self.config.orchestration.health.provider_down_after;
        let line = |(name, health): (&String, &ProviderHealth)| {
            let status = match health.failed_in_a_row {
                0 => HealthStatus::Ok,
                failed if failed < down_after => HealthStatus::Warn,
                _ => HealthStatus::Failed,
            };
            let success = health.last_success.map_or_else(
                || "not asked yet".to_owned(),
                |at| format!("last success {} ago", short_span(cx.now.operator.since(at))),
            );
            let detail = match &health.problem {
                None => success,
                Some(problem) => format!("{problem}; {}", success.replace("not asked yet", "no success yet")),
            };
            Finding::new(format!("model {name}"), status, detail)
        };
        let late = (self.live.late_answers > 0).then(|| {
            Finding::new(
                "models",
                HealthStatus::Ok,
                format!("{} late answers ignored", self.live.late_answers),
            )
        });
        self.live.providers.iter().map(line).chain(late).collect()
    }
}

fn down(provider: &str) -> AlarmKey {
    AlarmKey::about(AlarmSource::ProviderDown, Subject::Component(provider.to_owned()))
}
