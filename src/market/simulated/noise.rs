//! The simulator's dice. Every stream of numbers is a function of the seed and of a name, so that adding a symbol to
//! the configuration changes no other symbol's prices.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded stream of random numbers; the same on every machine.
#[derive(Debug, Clone)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of `seed` that belongs to `name` and `number`.
    pub(super) fn new(seed: u64, name: &str, number: i64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(&number.to_le_bytes()).update(name.as_bytes());
        Self(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// Evenly in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        /// 2^-53: an f64 holds 53 bits.
        const STEP: f64 = 1.0 / 9_007_199_254_740_992.0;
        (self.0.next_u64() >> 11) as f64 * STEP
    }

    /// Evenly in [low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Leaves out so many numbers, of whatever kind: each is one draw.
    pub(super) fn pass(&mut self, numbers: u64) {
        const WORDS_PER_DRAW: u128 = 2;
        self.0.set_word_pos(self.0.get_word_pos() + WORDS_PER_DRAW * u128::from(numbers));
    }

    /// Roughly normal with mean 0 and deviation 1: four even numbers of 16 bits from one draw, summed (Irwin-Hall).
    /// Never beyond 3.5 deviations; heavier tails are the phases' business.
    pub(super) fn normal(&mut self) -> f64 {
        /// Deviation of the sum of four even numbers in [0, 1): the root of 4/12.
        const DEVIATION: f64 = 0.577_350_269_189_625_8;
        let bits = self.0.next_u64();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
        // Half a step is added to each part so that the mean is exactly zero.
        ((sum as f64 + 2.0) / 65_536.0 - 2.0) / DEVIATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_numbers_have_mean_zero_and_deviation_one() {
        let mut dice = Dice::new(1, "test", 0);
        let numbers: Vec<f64> = (0..100_000).map(|_| dice.normal()).collect();
        let mean = numbers.iter().sum::<f64>() / 1e5;
        let variance = numbers.iter().map(|n| (n - mean) * (n - mean)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }

    #[test]
    fn numbers_left_out_are_those_that_would_have_been_drawn() {
        for (before, left_out) in [(0, 0), (1, 1), (3, 29), (5, 1_000), (32, 64)] {
            let (mut drawn, mut passed) = (Dice::new(1, "test", 0), Dice::new(1, "test", 0));
            for _ in 0..before {
                assert_eq!(drawn.normal().to_bits(), passed.normal().to_bits());
            }
            for _ in 0..left_out {
                drawn.normal();
            }
            passed.pass(left_out);
            assert_eq!(drawn.unit().to_bits(), passed.unit().to_bits(), "{before} then {left_out}");
        }
    }

    #[test]
    fn streams_of_different_names_differ() {
        assert_ne!(Dice::new(1, "BTC", 0).unit().to_bits(), Dice::new(1, "XRP", 0).unit().to_bits());
        assert_ne!(Dice::new(1, "BTC", 0).unit().to_bits(), Dice::new(1, "BTC", 1).unit().to_bits());
        assert_eq!(Dice::new(1, "BTC", 0).unit().to_bits(), Dice::new(1, "BTC", 0).unit().to_bits());
    }
}
