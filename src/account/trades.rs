//! Which of the venue's fills are in the books: the memory behind "a fill is applied once".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::TradeId;

/// Most trade ids remembered one by one. Fills arrive out of order by a handful at most (a reconciliation beside
/// the live stream); an id that is older than this many later ones counts as applied.
const RECENT_MAX: usize = 256;

/// The trade ids that were applied: all up to a floor, and single ones above it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AppliedTrades {
    /// Every id up to here is applied.
    floor: TradeId,
    /// Applied ids above the floor.
    recent: BTreeSet<TradeId>,
}

impl AppliedTrades {
    /// Whether this fill is in the books.
    pub fn contains(&self, trade: TradeId) -> bool {
        trade <= self.floor || self.recent.contains(&trade)
    }

    /// Every fill up to this id is in the books: what a reconciliation asks the venue to continue from.
    pub fn complete_to(&self) -> TradeId {
        self.floor
    }

    /// The highest id in the books.
    pub fn last(&self) -> TradeId {
        self.recent.last().copied().unwrap_or(self.floor)
    }

    /// Remembers a fill.
    pub(super) fn insert(&mut self, trade: TradeId) {
        self.recent.insert(trade);
        while self.recent.remove(&self.floor.next()) {
            self.floor = self.floor.next();
        }
        while self.recent.len() > RECENT_MAX
            && let Some(oldest) = self.recent.pop_first()
        {
            self.floor = oldest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_order_leave_only_a_floor() {
        let mut applied = AppliedTrades::default();
        (1..=3).for_each(|id| applied.insert(TradeId(id)));
        assert_eq!(applied, AppliedTrades { floor: TradeId(3), recent: BTreeSet::new() });
    }

    #[test]
    fn an_id_that_comes_late_is_still_new() {
        let mut applied = AppliedTrades::default();
        applied.insert(TradeId(1));
        applied.insert(TradeId(3));
        assert!(!applied.contains(TradeId(2)));
        assert_eq!((applied.complete_to(), applied.last()), (TradeId(1), TradeId(3)));
        applied.insert(TradeId(2));
        assert_eq!((applied.complete_to(), applied.last()), (TradeId(3), TradeId(3)));
    }

    #[test]
    fn the_memory_is_bounded_and_never_forgets_towards_applying_twice() {
        let mut applied = AppliedTrades::default();
        let ids = (1..=5_000).map(|n| TradeId(n * 7));
        ids.clone().for_each(|id| applied.insert(id));
        assert!(applied.recent.len() <= RECENT_MAX);
        assert!(ids.clone().all(|id| applied.contains(id)));
    }
}
