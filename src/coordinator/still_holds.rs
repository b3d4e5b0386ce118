//! After a restart: which of the recovered alarms still have their condition.
//!
//! What only the lost process could see does not hold any more; if it is still so, the next check raises it again.
//! Clearing acknowledges nothing: what nobody has seen stays on the list.

use super::dca::LegState;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::domain::{Level, OrderStatus, TradingState};

impl Coordinator {
    /// Clears the alarms whose condition ended with the process that raised them, or that the recovered state does not
    /// show.
    pub(super) fn clear_what_is_over(&mut self, cx: &mut Cx<'_>) {
        let alarms = self.durable.alarms.listed();
        let over = alarms.into_iter().filter(|alarm| !self.still_holds(&alarm.key));
        for key in over.map(|alarm| alarm.key.clone()).collect::<Vec<_>>() {
            self.clear(cx, key);
        }
    }

    fn still_holds(&self, key: &AlarmKey) -> bool {
        match key.source {
            AlarmSource::BreakerTripped
            | AlarmSource::ExitNotDone
            | AlarmSource::OrderUnknown
            | AlarmSource::OrderLeftAfterCancelAll
            | AlarmSource::LegWaiting
            | AlarmSource::PriceStale
            | AlarmSource::PriceJump
            | AlarmSource::SymbolLocked => {
                key.subject.as_ref().is_some_and(|subject| self.subject_still_so(key.source, subject))
            }
            AlarmSource::LevelLimited => self.durable.degradation.automatic(self.policy()) >= Level::Limited,
            AlarmSource::HaltedAtStart => self.durable.control.state == TradingState::Halted,
            AlarmSource::ForcedLevelReview | AlarmSource::ForcedLevelEnding => {
                self.durable.degradation.forced().is_some()
            }
            // Both follow durable counts, and are cleared by the event that ends them.
            AlarmSource::ExecutionErrors | AlarmSource::DrawdownHalf => true,
            AlarmSource::JournalFault
            | AlarmSource::StoreFault
            | AlarmSource::VenueFailed
            | AlarmSource::VenueContradicts
            | AlarmSource::LegMismatch
            | AlarmSource::TaskPanicked
            | AlarmSource::CoreStuck
            | AlarmSource::FeedStale
            | AlarmSource::PlanRefused
            | AlarmSource::MinimumOutOfReach
            | AlarmSource::NotificationFailing
            | AlarmSource::UncleanEnd
            | AlarmSource::StoreSlow
            | AlarmSource::ReserveMissing
            | AlarmSource::ProcessGap
            | AlarmSource::RiskUnfed
            | AlarmSource::AgentsSilent
            | AlarmSource::TaskFailing
            | AlarmSource::ProviderDown
            | AlarmSource::CheckpointRebuilt
            | AlarmSource::DiskLow
            | AlarmSource::MailboxDrops
            | AlarmSource::TaskLate
            | AlarmSource::ClockDrift => false,
        }
    }

    fn subject_still_so(&self, source: AlarmSource, subject: &Subject) -> bool {
        let durable = &self.durable;
        match subject {
            Subject::Breaker(name) => durable.breakers.tripped().any(|(tripped, _)| tripped.as_str() == name),
            Subject::Symbol(symbol) if source == AlarmSource::ExitNotDone => {
                durable.closings.contains_key(symbol)
            }
            Subject::Symbol(symbol) => durable.degradation.lock(symbol).is_some(),
            Subject::Asset(asset) => !durable.account.balance(asset).is_zero(),
            Subject::Order(id) => {
                let order = durable.orders.get(id).map(|tracked| tracked.status);
                let leg = durable.plans.leg_of(*id).map(|(_, leg)| leg.state);
                if source == AlarmSource::OrderLeftAfterCancelAll {
                    order.is_some_and(|status| !status.is_terminal())
                } else {
                    order == Some(OrderStatus::Unknown) || leg == Some(LegState::Unknown)
                }
            }
            Subject::Component(name) => durable.plans.open().any(|plan| {
                let waiting = plan.legs.iter().filter(|leg| leg.state == LegState::Waiting);
                waiting.map(|leg| plan.leg_id(leg).to_string()).any(|id| id == *name)
            }),
            Subject::Task(_) => false,
        }
    }
}
