//! What a journal says of orders that a crash may have cut off.

use std::collections::{BTreeMap, BTreeSet};

use andon::coordinator::record::{Record, RecordKind};
use andon::domain::{ClientOrderId, OrderStatus};

/// The orders that were to be handed over, once or again.
pub fn intended(records: &[Record]) -> BTreeSet<ClientOrderId> {
    let order = |record: &Record| match &record.kind {
        RecordKind::OrderIntended(order) => Some(order.client_id),
        _ => None,
    };
    records.iter().filter_map(order).collect()
}

/// The first order that was to be handed over again although the venue may have had it.
pub fn sent_blindly(records: &[Record]) -> Option<ClientOrderId> {
    let mut may_be_there = BTreeMap::new();
    for record in records {
        if let RecordKind::OrderIntended(order) = &record.kind
            && may_be_there.insert(order.client_id, true) == Some(true)
        {
            return Some(order.client_id);
        }
        // Refused, or asked for and absent: surely not there.
        if let RecordKind::OrderStatus { client_id, status: OrderStatus::Rejected, .. } = &record.kind {
            may_be_there.insert(*client_id, false);
        }
    }
    None
}
