//! `portfolio.yaml`: target allocation, rebalancing, DCA.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{Asset, Pct};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portfolio {
    /// Percent per asset; sums to 100 within 0.1.
    pub target_allocation: BTreeMap<Asset, Pct>,
    /// When the portfolio is moved back to it.
    pub rebalancing: Rebalancing,
    /// How large trades are spread over time.
    pub dca: Dca,
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
    /// Trades below this are dropped (account currency).
    pub trade_min: Decimal,
}

/// Section `dca`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dca {
    /// A rebalance whose trades sum to less than this is done at once (account currency).
    pub at_once_below: Decimal,
    /// Most legs per trade.
    pub legs_max: u16,
    /// Distance of the legs (market time).
    #[serde(with = "humantime_serde")]
    pub spacing: Duration,
    /// Least amount of a leg (account currency).
    pub leg_min: Decimal,
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
