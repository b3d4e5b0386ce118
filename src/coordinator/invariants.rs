//! What holds after every step, whatever came in: asserted in debug builds, and so in every test. Looks only; changes
//! nothing. The list for readers stands at the head of the module `coordinator`.

use std::collections::BTreeSet;

use super::effect::Effect;
use super::record::RecordKind;
use super::{Coordinator, Cx};
use crate::domain::{Asset, Purpose, TradingState};

impl Coordinator {
    /// Panics, naming what does not hold. Debug builds only.
    pub(super) fn assert_invariants(&self, cx: &Cx<'_>) {
        if !cfg!(debug_assertions) {
            return;
        }
        self.assert_all_state_is_recorded(cx);
        self.assert_questions();
        self.assert_outcomes();
        self.assert_state();
    }

    /// The last record handed out is the last one applied.
    fn assert_all_state_is_recorded(&self, cx: &Cx<'_>) {
        let recorded = cx.effects.as_slice().iter().rev().find_map(|effect| {
            let Effect::Record(record) = effect else { return None };
            Some(record.seq)
        });
        if let Some(seq) = recorded {
            assert_eq!(
                seq, self.durable.seq,
                "a record was applied and not handed out, or the other way round"
            );
        }
    }

    /// A model thinks about open decisions only, about each at most once, and about none that has an order.
    fn assert_questions(&self) {
        let mut asked = BTreeSet::new();
        for id in self.thinking() {
            assert!(asked.insert(id), "two questions wait for answers about decision {id}");
            let decision = self.durable.decision(id);
            let is_open = decision.is_some_and(|it| it.outcome.is_none() && it.orders.is_empty());
            assert!(is_open, "a model thinks about decision {id}, which is not open: {decision:?}");
        }
    }

    /// A decision is open exactly as long as an order of it is, or a model thinks about it.
    fn assert_outcomes(&self) {
        for decision in self.durable.decisions.iter().filter(|decision| decision.outcome.is_none()) {
            let is_open = |id| self.durable.orders.get(id).is_some_and(|order| !order.status.is_terminal());
            let waits = decision.orders.iter().any(is_open) || self.thinks_about(decision.id);
            assert!(waits, "nothing will ever end {decision:?}");
        }
        for order in self.durable.open_orders() {
            let (Purpose::Entry { decision } | Purpose::Exit { decision }) = order.order.purpose else {
                continue;
            };
            let ended = self.durable.decision(decision).and_then(|decision| decision.outcome);
            assert_eq!(ended, None, "decision {decision} ended before its order: {order:?}");
        }
    }

    /// Whether the record would end a decision that has ended.
    pub(super) fn ends_twice(&self, kind: &RecordKind) -> bool {
        let has_ended = |id| self.durable.decision(id).is_some_and(|decision| decision.outcome.is_some());
        if let RecordKind::Decision(decision) = kind {
            return decision.outcome.is_some() && has_ended(decision.id);
        }
        matches!(kind, RecordKind::DecisionEnded { id, .. } if has_ended(*id))
    }

    fn assert_state(&self) {
        let control = &self.durable.control;
        let is_halted = control.state == TradingState::Halted;
        assert_eq!(is_halted, !control.halt_reasons.is_empty(), "each halt has its reason: {control:?}");
        let effective = self.durable.degradation.effective(self.policy());
        assert_eq!(self.live.level, effective, "the level in force is that of counters and forced level");
        let account = &self.durable.account;
        let assets: BTreeSet<&Asset> = account.lots().iter().map(|lot| lot.symbol.base()).collect();
        for asset in assets {
            let (lots, owned) = (account.in_lots(asset), account.balance(asset));
            assert!(lots.is_ok_and(|lots| lots <= owned), "more {asset} in lots than is owned: {account:?}");
        }
    }
}
