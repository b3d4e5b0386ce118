//! Cancelling everything that could still open a position: asked again until nothing is left, and what is left after a
//! while is reported by name.

use std::time::Duration;

use super::effect::Effect;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::domain::{ClientOrderId, Order, Purpose, Timestamp};

/// How often the venue is told again, operator time.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// What is left after this is an Emergency, operator time.
const REPORTED_AFTER: Duration = Duration::from_secs(10);

/// A cancel-all that is not through yet. Operator times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cancelling {
    since: Timestamp,
    asked: Timestamp,
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
        let left: Vec<ClientOrderId> = self
            .durable
            .open_orders()
            .filter(|tracked| is_to_be_cancelled(&tracked.order))
            .map(|tracked| tracked.order.client_id)
            .collect();
        if left.is_empty() {
            self.live.cancelling = None;
        } else if cx.now.operator >= cancelling.since.plus(REPORTED_AFTER) {
            self.live.cancelling = None;
            for client_id in left {
                self.report_left(cx, client_id);
            }
        } else if cx.now.operator >= cancelling.asked.plus(AGAIN_AFTER) {
            self.cancel_all(cx);
        }
    }

    /// When [`Self::watch_cancelling`] has something to do, operator time.
    pub(super) fn next_cancelling(&self) -> Option<Timestamp> {
        let cancelling = self.live.cancelling?;
        Some(cancelling.asked.plus(AGAIN_AFTER).min(cancelling.since.plus(REPORTED_AFTER)))
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
