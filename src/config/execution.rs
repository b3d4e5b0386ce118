//! `execution.yaml`: the account and the paper venue.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{Asset, Pct, TradeCosts};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionFile {
    /// Currency and start balances.
    pub account: Account,
    /// How orders are sent.
    pub execution: Execution,
    /// The paper venue.
    pub paper: Paper,
}

/// Section `account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Everything is valued in this.
    pub currency: Asset,
    /// What a fresh account holds.
    pub start: BTreeMap<Asset, Decimal>,
}

/// Section `execution`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Execution {
    /// An entry that is not filled after this is cancelled (market time).
    #[serde(with = "humantime_serde")]
    pub entry_valid_for: Duration,
    /// An order without an answer is Unknown after this (operator time).
    #[serde(with = "humantime_serde")]
    pub answer_within: Duration,
    /// An Unknown order is asked for again in this distance (operator time).
    #[serde(with = "humantime_serde")]
    pub ask_again_after: Duration,
    /// While a cancel-all leaves orders at the venue, it is told again in this distance (operator time).
    #[serde(with = "humantime_serde")]
    pub cancel_again_after: Duration,
    /// What a cancel-all has left after this is an Emergency (operator time).
    #[serde(with = "humantime_serde")]
    pub cancel_reported_after: Duration,
    /// A closing that sold nothing is tried again after this (market time).
    #[serde(with = "humantime_serde")]
    pub closing_again_after: Duration,
    /// Tries that sold nothing before a closing is an Emergency.
    pub closing_tries_max: u32,
}

/// Section `paper`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Share of the traded amount.
    pub fee_pct: Pct,
    /// Distance of a market order's price from the last trade, to the worse side.
    pub slippage_pct: Pct,
    /// Most of a bar's volume that the venue buys, and that it sells; the rest of an order stays working.
    pub volume_share_max_pct: Pct,
    /// The venue's own leverage limit; always 1, it trades spot.
    pub leverage_max: Decimal,
    /// A price older than this, or `price_fresh_candles`, is not fresh for the venue (market time).
    #[serde(with = "humantime_serde")]
    pub price_fresh_for: Duration,
    /// The same in candle intervals; the longer one rules.
    pub price_fresh_candles: u32,
}

impl Paper {
    /// What a trade costs beside its price.
    pub const fn costs(&self) -> TradeCosts {
        TradeCosts { fee_pct: self.fee_pct, slippage_pct: self.slippage_pct }
    }
}
