//! The 64 bits of the gate and the rules by which they change: pure functions, tried again by the gate until its
//! compare-and-set succeeds.

use super::{Refused, Superseded};
use crate::domain::{Epoch, TradingState};

const PERMIT_BITS: u32 = 14;
const STATE_SHIFT: u32 = PERMIT_BITS;
const COUNT_SHIFT: u32 = 16;
const RUN_SHIFT: u32 = 48;

/// More hand-overs at once than any house of ours has threads.
const PERMITS_MAX: u16 = (1 << PERMIT_BITS) - 1;

/// From the top: run (16 bits), count (32), state (2), permits (14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) state: TradingState,
    pub(super) epoch: Epoch,
    pub(super) permits: u16,
}

impl Word {
    pub(super) fn pack(self) -> u64 {
        let state: u64 = match self.state {
            TradingState::Running => 0,
            TradingState::Paused => 1,
            TradingState::Halted => 2,
        };
        u64::from(self.epoch.run) << RUN_SHIFT
            | u64::from(self.epoch.count) << COUNT_SHIFT
            | state << STATE_SHIFT
            | u64::from(self.permits)
    }

    pub(super) fn unpack(bits: u64) -> Self {
        let [run_high, run_low, c3, c2, c1, c0, low_high, low_low] = bits.to_be_bytes();
        let low = u16::from_be_bytes([low_high, low_low]);
        let state = match low >> STATE_SHIFT {
            0 => TradingState::Running,
            1 => TradingState::Paused,
            // Two bits can say 3, which nobody writes; if memory were damaged, strict is right.
            2.. => TradingState::Halted,
        };
        let epoch = Epoch {
            run: u16::from_be_bytes([run_high, run_low]),
            count: u32::from_be_bytes([c3, c2, c1, c0]),
        };
        Self { state, epoch, permits: low & PERMITS_MAX }
    }

    /// The last epoch of a run is HALTED for good, so that its number, which later shuttings share, never
    /// belongs to an opening.
    pub(super) fn shut(self, to: TradingState) -> Self {
        let count = self.epoch.count.saturating_add(1);
        let state = if count == u32::MAX { TradingState::Halted } else { self.state.max(to) };
        Self { state, epoch: Epoch { count, ..self.epoch }, ..self }
    }

    pub(super) fn open(self, seen: Epoch, to: TradingState) -> Result<Self, Superseded> {
        if self.epoch != seen || self.epoch.count == u32::MAX {
            return Err(Superseded { seen, current: self.epoch });
        }
        Ok(if to > self.state { self.shut(to) } else { Self { state: to, ..self } })
    }

    pub(super) fn admit_entry(self, approved: Epoch) -> Result<Self, Refused> {
        match self.state {
            TradingState::Running if self.epoch == approved => self.admit(),
            TradingState::Running => Err(Refused::Epoch { approved, current: self.epoch }),
            TradingState::Paused | TradingState::Halted => Err(Refused::State(self.state)),
        }
    }

    pub(super) fn admit_reduce(self) -> Result<Self, Refused> {
        match self.state {
            TradingState::Running | TradingState::Paused => self.admit(),
            TradingState::Halted => Err(Refused::State(self.state)),
        }
    }

    pub(super) fn admit(self) -> Result<Self, Refused> {
        if self.permits == PERMITS_MAX {
            return Err(Refused::TooMany);
        }
        Ok(Self { permits: self.permits + 1, ..self })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word() -> impl Strategy<Value = Word> {
        let state =
            prop_oneof![Just(TradingState::Running), Just(TradingState::Paused), Just(TradingState::Halted)];
        (state, any::<u16>(), any::<u32>(), 0..=PERMITS_MAX).prop_map(|(state, run, count, permits)| Word {
            state,
            epoch: Epoch { run, count },
            permits,
        })
    }

    proptest! {
        #[test]
        fn a_word_survives_its_packing(word in word()) {
            prop_assert_eq!(Word::unpack(word.pack()), word);
        }

        #[test]
        fn shutting_never_loosens_and_keeps_the_permits(word in word(), to in word()) {
            let shut = word.shut(to.state);
            prop_assert!(shut.state >= word.state && shut.state >= to.state);
            prop_assert_eq!(shut.permits, word.permits);
            prop_assert!(shut.epoch > word.epoch || shut.epoch.count == u32::MAX);
        }
    }

    #[test]
    fn permits_never_run_over_into_the_state() {
        let full = Word { state: TradingState::Running, epoch: Epoch::default(), permits: PERMITS_MAX };
        assert_eq!(full.admit(), Err(Refused::TooMany));
    }
}
