//! The seam between core and agents: what a scheduled run is given and what it returns.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::config::TaskName;
use crate::domain::{
    Asset, MoneyError, Pct, RegimeUpdate, RunId, SentimentUpdate, Side, Signal, SignalId, Symbol, TaSignal,
    Timestamp, Untrusted, checked_sub, pct_of,
};

/// One run of a task for one symbol (or for the portfolio), with all it needs to know of the core.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRun {
    /// Never used twice.
    pub id: RunId,
    /// Which task.
    pub task: TaskName,
    /// For which symbol; none for the portfolio.
    pub symbol: Option<Symbol>,
    /// Market time at which it was started.
    pub at: Timestamp,
    /// What the core gives it.
    pub input: TaskInput,
}

/// What the core gives a run. Candles and indicators the agent reads from the candle store itself.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskInput {
    /// Technical, regime, sentiment: nothing but the symbol.
    Analysis,
    /// Trading decision: the fresh voices of its own symbol, and what is held of it.
    Decision(Box<DecisionInput>),
    /// Rebalance: the allocation as it is.
    Rebalance(Box<Allocation>),
}

/// The fresh voices of one symbol; absent or stale ones are none.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionInput {
    /// The id that the signal of this run must carry.
    pub signal_id: SignalId,
    /// Technical analysis.
    pub technical: Option<TaSignal>,
    /// Regime.
    pub regime: Option<RegimeUpdate>,
    /// Sentiment.
    pub sentiment: Option<SentimentUpdate>,
    /// Base units held in lots of this symbol.
    pub held: Decimal,
    /// Bounds of the stop distance for this symbol, percent of the entry.
    pub stop_distance_pct: (Pct, Pct),
}

/// The holdings (balances minus lots) against their targets, valued at fresh prices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// The account currency.
    pub currency: Asset,
    /// Decimal places of its amounts.
    pub decimals: u32,
    /// Sum of all holdings, in the account currency.
    pub total: Decimal,
    /// Every asset with a target or a balance that has a fresh price. Those that no symbol prices at all are left out,
    /// and the targets of the rest renormalised.
    pub assets: Vec<AssetShare>,
    /// Assets that a symbol prices, but not freshly now: without them nothing can be compared.
    pub unpriced: Vec<Asset>,
}

impl AssetShare {
    /// By how many points of `total` the asset is above its target.
    ///
    /// # Errors
    /// The arithmetic has no result.
    pub fn points_off(&self, total: Decimal) -> Result<Decimal, MoneyError> {
        checked_sub(pct_of(self.value, total)?, self.target_pct)
    }
}

/// One asset of an allocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssetShare {
    /// Which.
    pub asset: Asset,
    /// Worth of the holding in the account currency.
    pub value: Decimal,
    /// Target, percent of the total, after renormalising.
    pub target_pct: Decimal,
    /// The pair through which it is bought and sold against the account currency; none for the currency itself.
    pub symbol: Option<Symbol>,
}

/// What a run returns. Only the core publishes it.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskOutput {
    /// Of technical analysis.
    Ta(TaSignal),
    /// Of regime detection.
    Regime(RegimeUpdate),
    /// Of sentiment analysis.
    Sentiment(SentimentUpdate),
    /// Of the trading decision.
    Signal(Signal),
    /// Of the portfolio rebalance.
    Rebalance(RebalanceProposal),
    /// Of the portfolio rebalance: these assets have no fresh price, and what is not known is not guessed.
    RebalanceWaits(Vec<Asset>),
}

/// Trades that would bring the portfolio back to its targets; whether and when is the core's decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RebalanceProposal {
    /// Largest distance of an asset from its target, in points.
    pub deviation_pct: Decimal,
    /// Sells before buys.
    pub trades: Vec<RebalanceTrade>,
}

/// One trade of a rebalance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RebalanceTrade {
    /// Which pair.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// For how much, in the account currency.
    pub amount: Decimal,
}

/// Why a run did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskFailure {
    /// The agent said so.
    Failed(Untrusted),
    /// It took longer than its timeout.
    TimedOut,
    /// The agent panicked.
    Panicked(Untrusted),
}
