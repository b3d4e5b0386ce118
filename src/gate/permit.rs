//! Permits: proof, carried by type, that the gate let an order pass.
//!
//! A permit covers only the synchronous hand-over to the venue's connection: it borrows the gate, cannot leave
//! its thread, and is given back when it is dropped, also by a panic.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::{Purpose, Seq};

/// Kind of permit: to open or extend a position.
#[derive(Debug)]
pub struct Entry(pub(super) ());

/// Kind of permit: to reduce a position on an agent's word.
#[derive(Debug)]
pub struct Reduce(pub(super) ());

/// Kind of permit: to carry out one recorded flatten or emergency order.
#[derive(Debug)]
pub struct Flatten(pub(super) FlattenOrder);

/// Where a flatten or emergency order is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// In the journal, as this record, which is durable.
    Journal(Seq),
    /// Beside the halt latch, because the journal cannot be written.
    BesideLatch,
    /// Nowhere here: not even the file beside the latch could be written. The venue's own record is the only one.
    AtVenueOnly,
}

/// Names one order of a recorded flatten or emergency action: the only thing of which a `Permit<Flatten>` is
/// made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlattenOrder {
    number: u64,
    recorded: Recorded,
}

impl FlattenOrder {
    /// The order for `purpose`, which stands at `recorded`. None if the purpose is no flatten and no emergency
    /// reduction: an entry, a leg or an agent's exit never gets this pass.
    pub fn new(purpose: &Purpose, recorded: Recorded) -> Option<Self> {
        match *purpose {
            Purpose::Reduce { number } | Purpose::Flatten { number } => Some(Self { number, recorded }),
            Purpose::Entry { .. } | Purpose::Leg { .. } | Purpose::Exit { .. } => None,
        }
    }

    /// Number of the emergency order within the installation.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Where it is recorded.
    pub const fn recorded(&self) -> Recorded {
        self.recorded
    }
}

/// A permit of kind [`Entry`], [`Reduce`] or [`Flatten`], in use until it is dropped.
///
/// It cannot be sent to another thread:
///
/// ```compile_fail,E0277
/// # use andon::{domain::TradingState, gate::Gate};
/// let gate = Gate::new(1, TradingState::Running);
/// let permit = gate.reduce().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(permit));
/// });
/// ```
#[derive(Debug)]
#[must_use = "a permit that is not handed to a venue admits nothing"]
pub struct Permit<'gate, Kind> {
    word: &'gate AtomicU64,
    kind: Kind,
    /// A raw pointer is neither `Send` nor `Sync`, and so is a permit.
    stays_on_its_thread: PhantomData<*const ()>,
}

impl<'gate, Kind> Permit<'gate, Kind> {
    /// The caller has counted the permit in `word`.
    pub(super) fn new(word: &'gate AtomicU64, kind: Kind) -> Self {
        Self { word, kind, stays_on_its_thread: PhantomData }
    }
}

impl Permit<'_, Flatten> {
    /// The recorded order for which it was given.
    pub fn order(&self) -> FlattenOrder {
        self.kind.0
    }
}

impl<Kind> Drop for Permit<'_, Kind> {
    fn drop(&mut self) {
        // The permits are the lowest bits and at least one is in use, so nothing is borrowed from the state.
        self.word.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Which kind a permit is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermitKind {
    /// [`Entry`].
    Entry,
    /// [`Reduce`].
    Reduce,
    /// [`Flatten`].
    Flatten,
}

/// A permit of any kind: what a venue takes with every order.
#[derive(Debug)]
#[must_use = "a permit that is not handed to a venue admits nothing"]
pub enum AnyPermit<'gate> {
    /// For entries and legs.
    Entry(Permit<'gate, Entry>),
    /// For exits, and for reductions outside HALTED.
    Reduce(Permit<'gate, Reduce>),
    /// For one recorded flatten or emergency order.
    Flatten(Permit<'gate, Flatten>),
}

impl AnyPermit<'_> {
    /// Which kind it is of.
    pub fn kind(&self) -> PermitKind {
        match self {
            Self::Entry(_) => PermitKind::Entry,
            Self::Reduce(_) => PermitKind::Reduce,
            Self::Flatten(_) => PermitKind::Flatten,
        }
    }

    /// Whether it admits an order of this purpose: entries and legs by an entry permit; an agent's exit by a
    /// reduce permit; emergency orders by a reduce permit, or by the flatten permit of their own number.
    pub fn admits(&self, purpose: &Purpose) -> bool {
        match (self, purpose) {
            (Self::Entry(_), Purpose::Entry { .. } | Purpose::Leg { .. })
            | (Self::Reduce(_), Purpose::Exit { .. } | Purpose::Reduce { .. } | Purpose::Flatten { .. }) => {
                true
            }
            (Self::Flatten(permit), Purpose::Reduce { number } | Purpose::Flatten { number }) => {
                permit.order().number() == *number
            }
            (Self::Entry(_), Purpose::Exit { .. } | Purpose::Reduce { .. } | Purpose::Flatten { .. })
            | (Self::Reduce(_), Purpose::Entry { .. } | Purpose::Leg { .. })
            | (Self::Flatten(_), Purpose::Entry { .. } | Purpose::Leg { .. } | Purpose::Exit { .. }) => false,
        }
    }
}

impl<'gate> From<Permit<'gate, Entry>> for AnyPermit<'gate> {
    fn from(permit: Permit<'gate, Entry>) -> Self {
        Self::Entry(permit)
    }
}

impl<'gate> From<Permit<'gate, Reduce>> for AnyPermit<'gate> {
    fn from(permit: Permit<'gate, Reduce>) -> Self {
        Self::Reduce(permit)
    }
}

impl<'gate> From<Permit<'gate, Flatten>> for AnyPermit<'gate> {
    fn from(permit: Permit<'gate, Flatten>) -> Self {
        Self::Flatten(permit)
    }
}
