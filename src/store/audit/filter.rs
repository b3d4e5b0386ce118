//! Which records are meant.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::operator_time;
use crate::coordinator::dca::{LegId, PlanTransition};
use crate::coordinator::record::{Record, RecordKind};
use crate::domain::{
    AlarmId, AlarmTarget, ClientOrderId, Command, CommandId, DecisionId, LegTarget, PlanId, PlanTarget,
    Purpose, Seq, Timestamp, TradeId,
};

/// What a record can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The record of this number.
    Record(Seq),
    /// A command: asked for, and how it ended.
    Command(CommandId),
    /// A decision with its orders and their fills.
    Decision(DecisionId),
    /// One occurrence of an alarm, and the commands aimed at it.
    Alarm(AlarmId),
    /// A plan with its legs, their orders and fills.
    Plan(PlanId),
    /// One leg of a plan.
    Leg(LegId),
    /// An order and its fills.
    Order(ClientOrderId),
    /// One execution.
    Trade(TradeId),
}

/// Not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no id; write #120 (record), c7 (command), d41 (decision), a3 (alarm), p2 (plan), p2/0 (leg), v9 \
     (execution) or the UUID of an order"
)]
pub struct AboutError(String);

impl FromStr for About {
    type Err = AboutError;

    fn from_str(text: &str) -> Result<Self, AboutError> {
        let error = || AboutError(text.to_owned());
        if let Ok(order) = text.parse() {
            return Ok(Self::Order(order));
        }
        let number = text.get(1..).filter(|rest| rest.bytes().all(|c| c.is_ascii_digit() || c == b'/'));
        let Some(number) = number else { return Err(error()) };
        if let (true, Some((plan, leg))) = (text.starts_with('p'), number.split_once('/')) {
            let plan = plan.parse().map_err(|_| error())?;
            return Ok(Self::Leg(LegId { plan, leg: leg.parse().map_err(|_| error())? }));
        }
        let count = number.parse().map_err(|_| error())?;
        match text.chars().next() {
            Some('#') => Ok(Self::Record(Seq(count))),
            Some('c') => Ok(Self::Command(CommandId(count))),
            Some('d') => Ok(Self::Decision(DecisionId(count))),
            Some('a') => Ok(Self::Alarm(AlarmId(count))),
            Some('p') => Ok(Self::Plan(PlanId(count))),
            Some('v') => Ok(Self::Trade(TradeId(count))),
            Some(_) | None => Err(error()),
        }
    }
}

/// Lets records through. It remembers which orders and commands belong to what is asked for, so it must see the
/// records in their order.
#[derive(Debug, Default)]
pub struct Filter {
    /// Not before this, operator time.
    pub(super) since: Option<Timestamp>,
    /// Only these kinds, if any.
    pub(super) kinds: Vec<&'static str>,
    /// Only what is about this.
    pub(super) about: Option<About>,
    orders: BTreeSet<ClientOrderId>,
    commands: BTreeSet<CommandId>,
}

impl Filter {
    /// Everything that is not before `since`, of these kinds (none: of all), and about this.
    pub fn new(since: Option<Timestamp>, kinds: Vec<&'static str>, about: Option<About>) -> Self {
        Self { since, kinds, about, ..Self::default() }
    }

    /// Whether the record is meant.
    pub fn admits(&mut self, record: &Record) -> bool {
        // First, because it learns which orders belong to what is asked for.
        let is_about = self.about.is_none_or(|about| self.is_about(record, about));
        is_about
            && self.since.is_none_or(|since| operator_time(record) >= since)
            && (self.kinds.is_empty() || self.kinds.contains(&record.kind.name()))
    }

    fn is_about(&mut self, record: &Record, about: About) -> bool {
        if about == About::Record(record.seq) {
            return true;
        }
        match &record.kind {
            RecordKind::CommandRequested { id, command } => {
                let meant = about == About::Command(*id) || is_aimed_at(command, about);
                if meant {
                    self.commands.insert(*id);
                }
                meant
            }
            RecordKind::CommandEnded { id, .. } => self.commands.contains(id),
            RecordKind::Decision(decision) => about == About::Decision(decision.id),
            RecordKind::DecisionEnded { id, .. } => about == About::Decision(*id),
            RecordKind::OrderIntended(order) | RecordKind::OrderAdopted(order) => {
                let meant = about == About::Order(order.client_id) || is_for(&order.purpose, about);
                if meant {
                    self.orders.insert(order.client_id);
                }
                meant
            }
            RecordKind::OrderStatus { client_id, .. } => self.orders.contains(client_id),
            RecordKind::Fill { posting, .. } => {
                about == About::Trade(posting.fill.trade_id)
                    || about == About::Order(posting.fill.client_id)
                    || is_for(&posting.purpose, about)
            }
            RecordKind::Plan(PlanTransition::Created { plan }) => about == About::Plan(plan.id),
            RecordKind::Plan(PlanTransition::Shifted { plan, .. }) => about == About::Plan(*plan),
            RecordKind::Plan(PlanTransition::Leg { id, .. }) => {
                about == About::Plan(id.plan) || about == About::Leg(*id)
            }
            RecordKind::Alarm(transition) => about == About::Alarm(transition.id()),
            RecordKind::State(_)
            | RecordKind::RunStarted { .. }
            | RecordKind::RunEnded { .. }
            | RecordKind::StateChanged { .. }
            | RecordKind::Degradation(_)
            | RecordKind::Breaker(_)
            | RecordKind::Streak(_)
            | RecordKind::Closing(_)
            | RecordKind::ClosingEnded { .. }
            | RecordKind::TaskEnabled { .. }
            | RecordKind::Mark { .. }
            | RecordKind::Note { .. } => false,
        }
    }
}

fn is_for(purpose: &Purpose, about: About) -> bool {
    match purpose {
        Purpose::Entry { decision } | Purpose::Exit { decision } => about == About::Decision(*decision),
        Purpose::Leg { plan, leg } => {
            about == About::Plan(*plan) || about == About::Leg(LegId { plan: *plan, leg: *leg })
        }
        Purpose::Reduce { .. } | Purpose::Flatten { .. } => false,
    }
}

fn is_aimed_at(command: &Command, about: About) -> bool {
    match command {
        Command::AckAlarm { target: AlarmTarget::One(id), .. }
        | Command::ResetAlarm { target: AlarmTarget::One(id) } => about == About::Alarm(*id),
        Command::RunLeg { plan, leg }
        | Command::SkipLeg { target: LegTarget::One { plan, leg } }
        | Command::PostponeLeg { plan, leg, .. }
        | Command::CancelLeg { plan, leg } => is_for(&Purpose::Leg { plan: *plan, leg: *leg }, about),
        Command::CancelPlan { target: PlanTarget::One(plan) } => about == About::Plan(*plan),
        Command::AckAlarm { target: AlarmTarget::All, .. }
        | Command::ResetAlarm { target: AlarmTarget::All }
        | Command::SkipLeg { target: LegTarget::All }
        | Command::CancelPlan { target: PlanTarget::All }
        | Command::Pause { .. }
        | Command::Resume
        | Command::ReopenStore
        | Command::Halt { .. }
        | Command::Release { .. }
        | Command::Flatten { .. }
        | Command::ForceLevel { .. }
        | Command::ClearLevel { .. }
        | Command::ResetFailures { .. }
        | Command::RearmBreaker { .. }
        | Command::LockSymbol { .. }
        | Command::UnlockSymbol { .. }
        | Command::RunTask { .. }
        | Command::EnableTask { .. }
        | Command::DisableTask { .. }
        | Command::Note { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstallId;

    #[test]
    fn ids_are_read_as_they_are_shown() {
        let order = ClientOrderId::derive(InstallId::derived("filter"), "leg/2/0");
        for (text, about) in [
            ("#120", About::Record(Seq(120))),
            ("c7", About::Command(CommandId(7))),
            ("d41", About::Decision(DecisionId(41))),
            ("a3", About::Alarm(AlarmId(3))),
            ("p2", About::Plan(PlanId(2))),
            ("p2/0", About::Leg(LegId { plan: PlanId(2), leg: 0 })),
            ("v9", About::Trade(TradeId(9))),
            (order.to_string().as_str(), About::Order(order)),
        ] {
            assert_eq!(text.parse(), Ok(about));
        }
        for text in ["", "#", "7", "x7", "d-1", "p2/", "p2/0/1", "a3/1", "é7"] {
            assert_eq!(text.parse::<About>(), Err(AboutError(text.to_owned())));
        }
    }
}
