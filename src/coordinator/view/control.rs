//! The header.

use crate::coordinator::Coordinator;
use crate::coordinator::snapshot::ControlView;
use crate::domain::{Now, Symbol};

impl Coordinator {
    pub(super) fn control_view(&self, now: Now) -> ControlView {
        let control = &self.durable.control;
        let is_locked = |symbol: &&Symbol| !self.symbol_blocks(symbol, now).is_empty();
        ControlView {
            market: self.setup.market.clone(),
            venue: self.setup.venue.clone(),
            speed: self.setup.speed,
            state: control.state,
            since: control.since.operator,
            by: control.by.to_string(),
            reason: control.reason.clone(),
            recorded: control.recorded,
            not_durable: self.live.health.not_durable,
            epoch: self.live.epoch,
            halt_reasons: control.halt_reasons.clone(),
            blocks: self.blocks_of_all(now),
            symbols_locked: self.setup.symbols.iter().filter(is_locked).cloned().collect(),
            feed_at: self.live.feed_at,
            feed_ended: self.live.feed_ended,
            last_order_at: self.durable.last_order_at,
            orders_open: self.durable.open_orders().count(),
            stops: self.durable.account.lots().iter().filter(|lot| lot.protection().is_some()).count(),
            release: self.release_view(now),
            resume: self.resume_view(now),
        }
    }
}
