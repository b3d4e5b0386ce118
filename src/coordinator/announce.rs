//! What the core says on the bus: messages under the name of whoever they are from, and events about the system
//! itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::effect::Effect;
use super::{Coordinator, Cx, Setup};
use crate::config::TaskName;
use crate::domain::{Message, MessageId, Payload, Priority, SafeText, Symbol, SystemEvent, SystemEventKind};

/// Source names of messages: made once, shared by every message.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) coordinator: Arc<str>,
    pub(super) risk: Arc<str>,
    pub(super) feed: Arc<str>,
    pub(super) venue: Arc<str>,
    pub(super) tasks: BTreeMap<TaskName, Arc<str>>,
}

impl Sources {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            coordinator: "coordinator".into(),
            risk: "risk".into(),
            feed: setup.market.to_lowercase().into(),
            venue: setup.venue.to_lowercase().into(),
            tasks: TaskName::ALL.into_iter().map(|task| (task, task.name().into())).collect(),
        }
    }

    pub(super) fn task(&self, task: TaskName) -> Arc<str> {
        self.tasks.get(&task).unwrap_or(&self.coordinator).clone()
    }
}

impl Coordinator {
    /// Puts a message of the core on the bus.
    pub(super) fn publish(
        &mut self,
        cx: &mut Cx<'_>,
        source: Arc<str>,
        priority: Priority,
        ttl: Option<Duration>,
        payload: Payload,
    ) {
        self.live.messages += 1;
        let message = Message {
            id: MessageId::sequential(self.durable.install, u32::from(self.live.run), self.live.messages),
            topic: payload.topic(),
            source,
            priority,
            timestamp: cx.now.market,
            ttl,
            correlation_id: None,
            payload,
        };
        cx.effects.push(Effect::Publish(Arc::new(message)));
    }

    /// Says something about the system itself.
    pub(super) fn announce(
        &mut self,
        cx: &mut Cx<'_>,
        kind: SystemEventKind,
        priority: Priority,
        detail: impl std::fmt::Display,
    ) {
        self.announce_about(cx, kind, priority, None, detail);
    }

    pub(super) fn announce_about(
        &mut self,
        cx: &mut Cx<'_>,
        kind: SystemEventKind,
        priority: Priority,
        symbol: Option<Symbol>,
        detail: impl std::fmt::Display,
    ) {
        let detail = SafeText::ours(detail);
        tracing::info!(?kind, symbol = symbol.as_ref().map(Symbol::as_str), %detail, "system event");
        let source = self.live.sources.coordinator.clone();
        self.publish(cx, source, priority, None, Payload::System(SystemEvent { kind, symbol, detail }));
    }
}
