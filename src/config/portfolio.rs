//! `portfolio.yaml`: target allocation, rebalancing, DCA.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Minimum;
use super::target::{Target, by_asset};
use crate::domain::{Asset, Pct};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portfolio {
    /// Percent per asset; sums to 100 within 0.1.
    pub target_allocation: BTreeMap<Target, Pct>,
    /// When the portfolio is moved back to it.
    pub rebalancing: Rebalancing,
    /// How large trades are spread over time.
    pub dca: Dca,
}

impl Portfolio {
    /// The target of each asset in an account of `currency`.
    pub fn targets(&self, currency: &Asset) -> BTreeMap<Asset, Pct> {
        by_asset(&self.target_allocation, currency)
    }
}

/// Section `rebalancing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebalancing {
    /// Largest distance from a target, in points, from which a rebalance is planned.
    pub threshold_pct: Pct,
    /// At most one rebalance in this span (market time).
    #[serde(with = "humantime_serde")]
    pub every_min: Duration,
    /// Trades below this are dropped.
    pub trade_min: Minimum,
    /// A rebalance waits until its gain is this many times its cost. The gain is the sum of the squared deviations, in
    /// percent of the holdings; the cost is fee and slippage of its trades.
    pub gain_per_cost_min: Decimal,
}

/// Section `dca`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dca {
    /// A rebalance whose trades sum to less than this is done at once.
    pub at_once_below: Minimum,
    /// Most legs per trade.
    pub legs_max: u16,
    /// Distance of the legs (market time).
    #[serde(with = "humantime_serde")]
    pub spacing: Duration,
    /// Least amount of a leg.
    pub leg_min: Minimum,
    /// An overdue leg runs by itself only if it is at most this late (market time).
    #[serde(with = "humantime_serde")]
    pub max_lateness: Duration,
    /// A leg is not handed over later than this after it was decided (market time).
    #[serde(with = "humantime_serde")]
    pub intent_valid_for: Duration,
    /// A deferred leg is offered again at least in this distance (market time).
    #[serde(with = "humantime_serde")]
    pub offer_again_after: Duration,
}
