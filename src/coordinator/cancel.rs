//! Cancelling everything that could still open a position: asked again until nothing is left, and what is left after a
//! while is reported by name.

use super::effect::Effect;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::config::Execution;
use crate::domain::{ClientOrderId, Order, Purpose, Timestamp};

/// A cancel-all that is not through yet. Operator times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cancelling {
    since: Timestamp,
    asked: Timestamp,
}

impl Cancelling {
    fn told_again_at(self, config: &Execution) -> Timestamp {
        self.asked.plus(config.cancel_again_after)
    }

    /// What is left then is an Emergency.
    fn reported_at(self, config: &Execution) -> Timestamp {
        self.since.plus(config.cancel_reported_after)
    }
}

impl Coordinator {
    /// Tells the venue to take back everything but protective orders.
    pub(super) fn cancel_all(&mut self, cx: &mut Cx<'_>) {
        cx.effects.push(Effect::CancelAll);
        let since = self.live.cancelling.map_or(cx.now.operator, |cancelling| cancelling.since);
        self.live.cancelling = Some(Cancelling { since, asked: cx.now.operator });
    }

    /// Asks again while anything is left; reports by name what is left in the end.
    pub(super) fn watch_cancelling(&mut self, cx: &mut Cx<'_>) {
        let Some(cancelling) = self.live.cancelling else {
            return;
        };
        let config = &self.config.execution.execution;
        let left: Vec<ClientOrderId> = self
            .durable
            .open_orders()
            .filter(|tracked| is_to_be_cancelled(&tracked.order))
            .map(|tracked| tracked.order.client_id)
            .collect();
        if left.is_empty() {
            self.live.cancelling = None;
        } else if cx.now.operator >= cancelling.reported_at(config) {
            self.live.cancelling = None;
            for client_id in left {
                self.report_left(cx, client_id);
            }
        } else if cx.now.operator >= cancelling.told_again_at(config) {
            self.cancel_all(cx);
        }
    }

    /// When [`Self::watch_cancelling`] has something to do, operator time.
    pub(super) fn next_cancelling(&self) -> Option<Timestamp> {
        let cancelling = self.live.cancelling?;
        let config = &self.config.execution.execution;
        Some(cancelling.told_again_at(config).min(cancelling.reported_at(config)))
    }

    fn report_left(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId) {
        let Some(order) = self.durable.orders.get(&client_id).map(|tracked| &tracked.order) else {
            return;
        };
        let what = format!("{}: {}", order.symbol, super::routing::order_text(order));
        self.raise(cx, left_alarm(client_id), "order left after cancel-all", what);
    }

    /// The order has ended: nothing of it is left at the venue.
    pub(super) fn nothing_left(&mut self, cx: &mut Cx<'_>, client_id: ClientOrderId) {
        self.clear(cx, left_alarm(client_id));
    }
}

fn is_to_be_cancelled(order: &Order) -> bool {
    match order.purpose {
        Purpose::Entry { .. } | Purpose::Leg { .. } => true,
        Purpose::Exit { .. } | Purpose::Reduce { .. } | Purpose::Flatten { .. } => false,
    }
}

fn left_alarm(client_id: ClientOrderId) -> AlarmKey {
    AlarmKey::about(AlarmSource::OrderLeftAfterCancelAll, Subject::Order(client_id))
}
