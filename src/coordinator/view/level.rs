//! Pane 3: the level and its counters.

use crate::coordinator::Coordinator;
use crate::coordinator::degradation::Component;
use crate::coordinator::snapshot::{ComponentView, DegradationView, ForcedView};
use crate::domain::Level;

impl Coordinator {
    pub(super) fn degradation_view(&self) -> DegradationView {
        let degradation = &self.durable.degradation;
        let config = &self.config.orchestration.degradation;
        let mut components: Vec<ComponentView> = degradation
            .counters()
            .map(|(component, counter)| ComponentView {
                name: component.to_string(),
                is_llm: component.is_provider(),
                failures: counter.outstanding,
                successes: counter.successes,
            })
            .collect();
        // A provider that never failed has no counter, and is there all the same.
        let quiet = self.live.providers.keys().map(|name| Component::Provider(name.clone()));
        let quiet = quiet.filter(|component| degradation.counters().all(|(counted, _)| counted != component));
        components.extend(quiet.map(|component| ComponentView {
            name: component.to_string(),
            is_llm: true,
            failures: 0,
            successes: 0,
        }));
        components.sort_by_key(|component| std::cmp::Reverse(component.failures));
        let small = |failures: u32| u8::try_from(failures).unwrap_or(u8::MAX);
        let automatic = degradation.automatic(self.policy());
        DegradationView {
            effective: self.live.level,
            automatic,
            forced: degradation.forced().map(|forced| ForcedView {
                level: forced.level,
                by: forced.by.to_string(),
                since: forced.at.operator,
                until: forced.end.map(|end| end.at),
                reason: forced.reason.clone(),
            }),
            since: self.live.level_since,
            llm_failures: small(degradation.llm_failures()),
            api_failures: small(degradation.api_failures(self.policy())),
            next_level_at: match automatic {
                Level::Normal => Some(config.reduced_from),
                Level::Reduced => Some(config.limited_from),
                Level::Limited => Some(config.emergency_from),
                Level::Emergency => None,
            },
            components,
            models_configured: !self.live.providers.is_empty(),
        }
    }
}
