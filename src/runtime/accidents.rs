//! Accidents that a test arranges because nothing else brings them about when it wants: a process that is gone at one
//! step of a leg, a venue that does not answer. Debug builds read them from the environment; a release build has
//! nothing of this. It only ever takes something away: no order is made here, and none is let through.

use crate::coordinator::dca::PlanTransition;
use crate::coordinator::record::RecordKind;
use crate::domain::Purpose;
#[cfg(not(debug_assertions))]
use crate::venue::Venue;

/// A step of the leg protocol: what happens in the journal, and what happens on the way to the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The plan with all its legs is recorded.
    Plan,
    /// The leg's time has come.
    Due,
    /// What will be sent is recorded.
    Intent,
    /// The gate is asked.
    Gate,
    /// That it was handed over is recorded.
    Sent,
    /// The venue's word is recorded.
    Outcome,
    /// An execution is recorded, with cash and position.
    Fill,
}

impl Step {
    /// The step of a leg that a record is; none for all the others.
    pub fn of(kind: &RecordKind) -> Option<Self> {
        if !cfg!(debug_assertions) {
            return None;
        }
        if let RecordKind::Fill { posting, .. } = kind {
            return is_leg(posting.purpose).then_some(Self::Fill);
        }
        let RecordKind::Plan(plan_step) = kind else { return None };
        let transition = match plan_step {
            PlanTransition::Created { .. } => return Some(Self::Plan),
            PlanTransition::Shifted { .. } => return None,
            PlanTransition::Leg { transition, .. } => transition,
        };
        match transition.name() {
            "due" => Some(Self::Due),
            "intent" => Some(Self::Intent),
            "sent" => Some(Self::Sent),
            "accepted" | "rejected" | "unknown" => Some(Self::Outcome),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Due => "due",
            Self::Intent => "intent",
            Self::Gate => "gate",
            Self::Sent => "sent",
            Self::Outcome => "outcome",
            Self::Fill => "fill",
        }
    }
}

const fn is_leg(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Leg { .. })
}

/// Ends the process without a word, as a kill would, if `ANDON_ABORT` is `<step>:before`.
#[inline]
pub fn before(step: Option<Step>) {
    if is_arranged(step, "before") {
        std::process::abort();
    }
}

/// The same for `<step>:after`, as soon as the step is `done`.
#[inline]
pub fn after(step: Option<Step>, done: impl Fn() -> bool) {
    if is_arranged(step, "after") {
        while !done() {
            std::thread::yield_now();
        }
        std::process::abort();
    }
}

/// [`Step::Gate`] for an order that is a leg.
pub const fn gate_of(purpose: Purpose) -> Option<Step> {
    if is_leg(purpose) { Some(Step::Gate) } else { None }
}

fn is_arranged(step: Option<Step>, side: &str) -> bool {
    cfg!(debug_assertions)
        && step.is_some_and(|step| {
            let wanted = std::env::var("ANDON_ABORT").unwrap_or_default();
            wanted.split_once(':') == Some((step.name(), side))
        })
}

/// The venue of a run. In a debug build `ANDON_VENUE` spoils its word about the first leg that it is given.
#[cfg(not(debug_assertions))]
pub fn venue(venue: impl Venue + 'static) -> Box<dyn Venue> {
    Box::new(venue)
}

#[cfg(debug_assertions)]
pub use spoilt::venue;

#[cfg(debug_assertions)]
mod spoilt {
    use rust_decimal::Decimal;

    use super::is_leg;
    use crate::domain::{
        Candle, ClientOrderId, Fill, Order, Timestamp, TradeId, Untrusted, VenueEvent, VenueReject,
    };
    use crate::gate::AnyPermit;
    use crate::venue::{Answer, CancelScope, LogError, OrderReport, ProtectiveOrder, Venue, VenueError};

    /// What happens to the first leg, and to nothing after it, unless it says otherwise.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fault {
        /// It never comes to the venue, and nobody answers.
        Deaf,
        /// It is taken and executed, but the answer only says that it was taken; the execution is told with the next
        /// candle.
        Slow,
        /// It is taken and executed, and the answer is lost.
        Mute,
        /// It is refused.
        Refusing,
        /// No question is answered, for the whole run.
        Unreachable,
    }

    impl Fault {
        fn of(name: &str) -> Option<Self> {
            let all = [
                ("deaf", Self::Deaf),
                ("slow", Self::Slow),
                ("mute", Self::Mute),
                ("refusing", Self::Refusing),
                ("unreachable", Self::Unreachable),
            ];
            all.into_iter().find(|(known, _)| *known == name).map(|(_, fault)| fault)
        }
    }

    /// See [`super::venue`].
    pub fn venue(inner: impl Venue + 'static) -> Box<dyn Venue> {
        match std::env::var("ANDON_VENUE").ok().as_deref().and_then(Fault::of) {
            Some(fault) => Box::new(Spoilt { inner, fault: Some(fault), untold: Vec::new() }),
            None => Box::new(inner),
        }
    }

    struct Spoilt<V> {
        inner: V,
        fault: Option<Fault>,
        untold: Vec<VenueEvent>,
    }

    impl<V: Venue> Venue for Spoilt<V> {
        fn submit(
            &mut self,
            now: Timestamp,
            order: &Order,
            permit: AnyPermit<'_>,
        ) -> Result<Vec<VenueEvent>, VenueError> {
            let client_id = order.client_id;
            let is_for_it = is_leg(order.purpose) && self.fault != Some(Fault::Unreachable);
            let fault = if is_for_it { self.fault.take() } else { None };
            let silence = VenueEvent::NoAnswer { client_id, detail: Untrusted::new("no answer, on purpose") };
            match fault {
                None | Some(Fault::Unreachable) => self.inner.submit(now, order, permit),
                Some(Fault::Deaf) => Ok(vec![silence]),
                Some(Fault::Mute) => self.inner.submit(now, order, permit).map(|_lost| vec![silence]),
                Some(Fault::Refusing) => {
                    let reason = VenueReject::Other(Untrusted::new("refused, on purpose"));
                    Ok(vec![VenueEvent::Rejected { client_id, reason }])
                }
                Some(Fault::Slow) => {
                    let said = self.inner.submit(now, order, permit)?;
                    let (told, untold) =
                        said.into_iter().partition(|event| matches!(event, VenueEvent::Accepted { .. }));
                    self.untold = untold;
                    Ok(told)
                }
            }
        }

        fn cancel(&mut self, client_id: ClientOrderId) -> Result<Vec<VenueEvent>, VenueError> {
            self.inner.cancel(client_id)
        }

        fn cancel_all(&mut self, scope: CancelScope) -> Result<Vec<VenueEvent>, VenueError> {
            self.inner.cancel_all(scope)
        }

        fn shrink_protection(
            &mut self,
            client_id: ClientOrderId,
            quantity: Decimal,
        ) -> Result<Decimal, VenueError> {
            self.inner.shrink_protection(client_id, quantity)
        }

        fn open_orders(&self) -> Result<Vec<OrderReport>, VenueError> {
            self.inner.open_orders()
        }

        fn protective_orders(&self) -> Result<Vec<ProtectiveOrder>, VenueError> {
            self.inner.protective_orders()
        }

        fn query(&self, client_id: ClientOrderId) -> Result<Answer, VenueError> {
            if self.fault == Some(Fault::Unreachable) {
                return Err(LogError::Failed { path: "no answer, on purpose".into() }.into());
            }
            self.inner.query(client_id)
        }

        fn fills_since(&self, after: TradeId) -> Result<Vec<Fill>, VenueError> {
            self.inner.fills_since(after)
        }

        fn see_price(&mut self, candle: &Candle) {
            self.inner.see_price(candle);
        }

        fn on_candle(&mut self, candle: &Candle) -> Result<Vec<VenueEvent>, VenueError> {
            let mut said = std::mem::take(&mut self.untold);
            said.extend(self.inner.on_candle(candle)?);
            Ok(said)
        }

        fn on_time(&mut self, now: Timestamp) -> Result<Vec<VenueEvent>, VenueError> {
            self.inner.on_time(now)
        }

        fn next_expiry(&self) -> Option<Timestamp> {
            self.inner.next_expiry()
        }
    }
}
