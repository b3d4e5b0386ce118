//! `risk.yaml`: rules before every order, and circuit breakers.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Minimum;
use super::by_name::by_name;
use crate::domain::{Confidence, Pct, Regime, Symbol};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// Where a stop must be.
    pub stop: Stop,
    /// Least confidence.
    pub confidence: MinConfidence,
    /// Most size.
    pub size: Size,
    /// Most leverage.
    pub leverage: Leverage,
    /// Most exposure.
    pub exposure: Exposure,
    /// Bounds on single orders.
    pub orders: Orders,
    /// When trading stops by itself.
    pub breakers: Breakers,
    /// Rest after losses.
    pub cooldown: Cooldown,
}

/// Section `stop`: distances from the entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Least distance.
    pub distance_min_pct: Pct,
    /// Most distance.
    pub distance_max_pct: Pct,
    /// Most distance for single symbols.
    pub distance_max_pct_by_symbol: BTreeMap<Symbol, Pct>,
    /// Least reward per risk.
    pub reward_risk_min: Decimal,
    /// Least distance of the target from the entry, in multiples of what buying and selling cost (fee and slippage both
    /// ways).
    pub target_costs_min: Decimal,
}

impl Stop {
    /// Most distance for `symbol`.
    pub fn distance_max(&self, symbol: &Symbol) -> Pct {
        let own = self.distance_max_pct_by_symbol.get(symbol).copied();
        own.map_or(self.distance_max_pct, |own| own.min(self.distance_max_pct))
    }
}

/// Section `confidence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinConfidence {
    /// Least confidence by regime; every regime must be there.
    #[serde(deserialize_with = "by_name")]
    pub min_by_regime: BTreeMap<Regime, Confidence>,
    /// Losses in a row from which `raise_some` is added.
    pub losses_some: u32,
    /// See `losses_some`.
    pub raise_some: f64,
    /// Losses in a row from which `raise_many` is added instead.
    pub losses_many: u32,
    /// See `losses_many`.
    pub raise_many: f64,
}

/// Section `size`, percent of equity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Most in one symbol, lots that are there included.
    pub per_symbol_max_pct: Pct,
    /// Most lost at the stop.
    pub loss_at_stop_max_pct: Pct,
    /// ATR over its average above which size is halved.
    pub spike_atr_ratio: f64,
}

/// Section `leverage`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leverage {
    /// Most by regime; every regime must be there.
    #[serde(deserialize_with = "by_name")]
    pub max_by_regime: BTreeMap<Regime, Decimal>,
    /// Most by drawdown, rising.
    pub max_by_drawdown: Vec<DrawdownTier>,
    /// Most by confidence, falling; below all of them 1.
    pub max_by_confidence: Vec<ConfidenceTier>,
}

/// One row of `leverage.max_by_drawdown`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawdownTier {
    /// From this drawdown on.
    pub from_pct: Pct,
    /// At most this leverage.
    pub max: Decimal,
}

/// One row of `leverage.max_by_confidence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfidenceTier {
    /// From this confidence on.
    pub from: Confidence,
    /// At most this leverage.
    pub max: Decimal,
}

/// Section `exposure`: lots, percent of equity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// Most in all.
    pub total_max_pct: Pct,
    /// Most within one correlated group.
    pub correlated_max_pct: Pct,
    /// Most open positions (symbols with lots).
    pub positions_max: usize,
    /// Most margin in use.
    pub margin_max_pct: Pct,
    /// Pairs that move together. Empty: all pairs with BTC or XRP in them form one group.
    pub correlation_groups: Vec<Vec<Symbol>>,
}

/// How long a sent order is remembered (market time), and so the longest `duplicate_within`.
pub const ORDERS_KEPT_FOR: Duration = Duration::from_secs(3_600);
/// How many are remembered, and so the largest `per_minute_max`.
pub const ORDERS_KEPT_MAX: usize = 1_024;

/// Section `orders`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// Least worth of an entry after reductions.
    pub entry_min: Minimum,
    /// Most distance of a price from the last trade.
    pub price_collar_pct: Pct,
    /// The same symbol, side and size is refused within this span (market time).
    #[serde(with = "humantime_serde")]
    pub duplicate_within: Duration,
    /// Most orders in any minute (market time).
    pub per_minute_max: usize,
}

/// Section `breakers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breakers {
    /// Loss since 00:00 UTC.
    pub daily_loss_pct: Pct,
    /// Loss since Monday 00:00 UTC.
    pub weekly_loss_pct: Pct,
    /// Below the peak.
    pub max_drawdown_pct: Pct,
}

/// Section `cooldown`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cooldown {
    /// Losses in a row that begin it.
    pub losses: u32,
    /// Its length (market time).
    #[serde(with = "humantime_serde", rename = "for")]
    pub length: Duration,
}
