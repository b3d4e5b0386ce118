//! The price of one asset in the simulator's unit of account (one US dollar), minute by minute, as logarithms.

use super::noise::Dice;
use super::phase::Segment;
use crate::domain::{Asset, Timestamp};

/// Prices drawn within a minute; high and low are the extremes among them.
pub(super) const STEPS: usize = 4;

/// The logarithms of a minute's prices: the open, then one per step.
pub(super) type Minute = [f64; STEPS + 1];

/// The asset whose moves the others follow in part.
pub(super) const LEADER: &str = "BTC";

/// Assets that are worth one dollar at all times.
const DOLLARS: [&str; 4] = ["USDT", "USDC", "USD", "DAI"];

/// First prices in dollars, as they were at the beginning of 2024.
const FIRST_PRICES: [(&str, f64); 12] = [
    ("BTC", 42_000.0),
    ("ETH", 2_300.0),
    ("XRP", 0.51),
    ("SOL", 98.0),
    ("XMR", 165.0),
    ("LTC", 72.0),
    ("ADA", 0.56),
    ("DOGE", 0.09),
    ("DOT", 7.9),
    ("LINK", 14.5),
    ("EUR", 1.10),
    ("GBP", 1.27),
];

/// Deviation of a normal minute's return: the leader's, and what others have of their own.
const LEADER_DEVIATION: f64 = 0.000_42;
const OWN_DEVIATION: f64 = 0.000_44;

/// How much of the leader's return the others take over.
const FOLLOW: f64 = 0.4;

/// Share of the distance to the first price that a minute takes back: two weeks' worth. It keeps a market that runs
/// for years from drifting to zero or to the moon, and is far too weak to be seen within a day.
const HOMING: f64 = 1.0 / (14.0 * 1_440.0);

/// Least and greatest size of a sudden move.
const JUMP: (f64, f64) = (0.004, 0.014);

/// Whether `asset` is a dollar by another name.
pub(super) fn is_dollar(asset: &Asset) -> bool {
    DOLLARS.contains(&asset.as_str())
}

/// The price of `asset` at the beginning of every simulation, in dollars.
fn first_price(asset: &Asset) -> f64 {
    if is_dollar(asset) {
        return 1.0;
    }
    let known = FIRST_PRICES.iter().find(|(code, _)| *code == asset.as_str());
    // An asset that nobody thought of costs between ten cents and a thousand dollars, by its name.
    known.map_or_else(
        || libm::exp10(Dice::new(0, &format!("first price/{asset}"), 0).between(-1.0, 3.0)),
        |(_, price)| *price,
    )
}

/// The path of one asset. It knows its whole state; time comes in with each step.
#[derive(Debug)]
pub(super) struct Path {
    asset: Asset,
    seed: u64,
    dice: Dice,
    home: f64,
    log_price: f64,
    segment: Option<Segment>,
    /// Price to which ranging phases return.
    centre: f64,
    minute: Minute,
}

impl Path {
    pub(super) fn new(seed: u64, asset: &Asset) -> Self {
        let home = libm::log(first_price(asset));
        Self {
            asset: asset.clone(),
            seed,
            dice: Dice::new(seed, &format!("path/{asset}"), 0),
            home,
            log_price: home,
            segment: None,
            centre: home,
            minute: [home; STEPS + 1],
        }
    }

    /// The same path, begun so much higher or lower that where this one stands now it will stand at its first price.
    pub(super) fn aimed(&self) -> Self {
        let begin = self.home - (self.log_price - self.home);
        Self {
            log_price: begin,
            centre: begin,
            minute: [begin; STEPS + 1],
            ..Self::new(self.seed, &self.asset)
        }
    }

    /// The asset whose path this is.
    pub(super) fn asset(&self) -> &Asset {
        &self.asset
    }

    /// The prices of the last minute stepped.
    pub(super) const fn minute(&self) -> &Minute {
        &self.minute
    }

    /// Moves on by the minute that begins at `open_time`, following `leader` if there is one.
    pub(super) fn step(&mut self, open_time: Timestamp, leader: Option<&Minute>) {
        self.minute[0] = self.log_price;
        if is_dollar(&self.asset) {
            return;
        }
        let segment = match self.segment {
            Some(segment) if open_time < segment.until => segment,
            Some(_) | None => {
                self.centre = self.log_price;
                *self.segment.insert(Segment::at(self.seed, &self.asset, open_time))
            }
        };
        let motion = segment.phase.motion();
        let normal = if leader.is_none() { LEADER_DEVIATION } else { OWN_DEVIATION };
        let deviation = normal * motion.volatility * segment.strength;
        let steps = STEPS as f64;
        let (step_drift, step_deviation) = (motion.drift * deviation / steps, deviation / libm::sqrt(steps));

        let jump = self.jump(motion.jumps_per_hour, motion.drift);
        for step in 1..=STEPS {
            let followed = leader.map_or(0.0, |l| FOLLOW * (l[step] - l[step - 1]));
            let pulled = motion.pull / steps * (self.centre - self.log_price)
                + HOMING / steps * (self.home - self.log_price);
            self.centre += followed;
            self.log_price += followed + pulled + step_drift + step_deviation * self.dice.normal();
            if step == STEPS / 2 {
                self.log_price += jump;
            }
            self.minute[step] = self.log_price;
        }
    }

    /// A sudden move, three times in four in the direction of the drift; mostly none.
    fn jump(&mut self, per_hour: f64, drift: f64) -> f64 {
        if per_hour == 0.0 || self.dice.unit() >= per_hour / 60.0 {
            return 0.0;
        }
        let along = self.dice.unit() < 0.75;
        let size = self.dice.between(JUMP.0, JUMP.1);
        if along == (drift > 0.0) { size } else { -size }
    }
}
