//! The gate: one atomic word that every order must pass, and the permits that say it did.
//!
//! The word holds the trading state, the epoch and the number of permits in use. Anyone may shut the gate (pause,
//! halt, the watchdog with `shut(Paused)` when the core is stuck); only the core opens it, by compare-and-set on
//! the epoch it saw. So the gate may be stricter than the core believes, never looser. It reads no clock, takes
//! no lock and never waits, except in [`Gate::halt`], which waits for permits alone.

mod permit;
mod word;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

use crate::domain::{Epoch, TradingState};
pub use permit::{AnyPermit, Entry, Flatten, FlattenOrder, Permit, PermitKind, Recorded, Reduce};
use word::Word;

/// Rounds of busy waiting before a waiting halt begins to give its time slice away. A hand-over takes about a
/// microsecond; this is a few of them.
const SPINS_BEFORE_YIELD: u32 = 256;

/// The gate was shut again after the epoch that the opener saw: the resume or release does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "superseded: the gate was shut again (epoch {current}, seen {seen}); look at the new reason and resume again"
)]
pub struct Superseded {
    /// The epoch that the opener had seen.
    pub seen: Epoch,
    /// The epoch in force.
    pub current: Epoch,
}

/// Why the gate did not give a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// The trading state does not allow this kind of order.
    #[error("the gate is {0}: resume or release first")]
    State(TradingState),
    /// The gate was shut after the order was approved.
    #[error("approved in epoch {approved}, but the gate was shut since (epoch {current}): decide again")]
    Epoch {
        /// Epoch in which the order was approved.
        approved: Epoch,
        /// The epoch in force.
        current: Epoch,
    },
    /// As many permits are in use as the word can count.
    #[error("too many orders are being handed over at once: send it again")]
    TooMany,
}

/// All that the word says, at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Whether the system may trade.
    pub state: TradingState,
    /// Which opening of the gate this is.
    pub epoch: Epoch,
    /// Orders that are being handed over.
    pub permits_in_use: u16,
}

/// The gate. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate {
    word: Arc<AtomicU64>,
}

impl Gate {
    /// The gate of process run `run`, whose number no other run of the installation has, in the state that
    /// recovery found.
    pub fn new(run: u16, state: TradingState) -> Self {
        Self::at(state, Epoch { run, count: 0 })
    }

    fn at(state: TradingState, epoch: Epoch) -> Self {
        Self { word: Arc::new(AtomicU64::new(Word { state, epoch, permits: 0 }.pack())) }
    }

    /// State, epoch and permits in use, read together.
    pub fn read(&self) -> Reading {
        let Word { state, epoch, permits } = self.load();
        Reading { state, epoch, permits_in_use: permits }
    }

    /// Whether the system may trade.
    pub fn state(&self) -> TradingState {
        self.load().state
    }

    /// The epoch in force.
    pub fn epoch(&self) -> Epoch {
        self.load().epoch
    }

    /// Shuts the gate to `to`, or leaves it where it is if that is stricter, and begins a new epoch in any case:
    /// whatever was approved before is void. Returns at once; an order that is being handed over at this moment
    /// may still arrive, which [`Self::halt`] excludes.
    pub fn shut(&self, to: TradingState) -> Epoch {
        self.update(|word| word.shut(to)).epoch
    }

    /// Shuts the gate to HALTED and returns when no permit is in use. Nothing but a flatten can pass after that.
    ///
    /// The wait is as long as one hand-over to a venue's connection, because a permit covers no more. Never call
    /// it on a thread that holds a permit.
    pub fn halt(&self) -> Epoch {
        let epoch = self.shut(TradingState::Halted);
        let mut rounds = 0_u32;
        while self.load().permits > 0 {
            if rounds < SPINS_BEFORE_YIELD {
                rounds += 1;
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        epoch
    }

    /// Opens the gate as far as `to`, provided it was not shut since `seen` was read. Only the core calls this.
    ///
    /// The epoch stays: it was new when the gate was shut, and nothing was approved in it. A `to` that is
    /// stricter than the state in force is a [`Self::shut`], with its new epoch.
    ///
    /// # Errors
    /// [`Superseded`] if the gate was shut since, or if the run has used up its epochs.
    pub fn open(&self, seen: Epoch, to: TradingState) -> Result<Epoch, Superseded> {
        self.try_update(|word| word.open(seen, to)).map(|word| word.epoch)
    }

    /// A permit to open or extend a position: the gate must be RUNNING, in the epoch of the approval.
    ///
    /// # Errors
    /// [`Refused`], with what to do.
    pub fn entry(&self, approved: Epoch) -> Result<Permit<'_, Entry>, Refused> {
        self.try_update(|word| word.admit_entry(approved))?;
        Ok(Permit::new(&self.word, Entry(())))
    }

    /// A permit to reduce a position: the gate must not be HALTED.
    ///
    /// # Errors
    /// [`Refused`], with what to do.
    pub fn reduce(&self) -> Result<Permit<'_, Reduce>, Refused> {
        self.try_update(Word::admit_reduce)?;
        Ok(Permit::new(&self.word, Reduce(())))
    }

    /// A permit to carry out one recorded flatten or emergency order, in any state: a halt never traps an exit.
    ///
    /// # Errors
    /// [`Refused::TooMany`] only.
    pub fn flatten(&self, order: FlattenOrder) -> Result<Permit<'_, Flatten>, Refused> {
        self.try_update(Word::admit)?;
        Ok(Permit::new(&self.word, Flatten(order)))
    }

    fn load(&self) -> Word {
        Word::unpack(self.word.load(Ordering::Acquire))
    }

    fn update(&self, change: impl Fn(Word) -> Word) -> Word {
        match self.try_update(|word| Ok::<_, std::convert::Infallible>(change(word))) {
            Ok(word) => word,
            Err(never) => match never {},
        }
    }

    /// Replaces the word by what `change` makes of it, and returns the new one. Every change of the gate but the
    /// return of a permit goes through this one compare-and-set.
    fn try_update<E>(&self, change: impl Fn(Word) -> Result<Word, E>) -> Result<Word, E> {
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let next = change(Word::unpack(seen))?;
            match self.word.compare_exchange_weak(seen, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(next),
                Err(current) => seen = current,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_has_used_up_its_epochs_stays_halted() {
        let last = Epoch { run: 7, count: u32::MAX };
        let gate = Gate::at(TradingState::Running, Epoch { run: 7, count: u32::MAX - 1 });
        assert_eq!(gate.shut(TradingState::Paused), last);
        assert_eq!(gate.state(), TradingState::Halted);
        assert_eq!(gate.shut(TradingState::Paused), last);
        assert_eq!(gate.open(last, TradingState::Running), Err(Superseded { seen: last, current: last }));
    }
}
