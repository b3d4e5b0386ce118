//! Portfolio rebalance: the allocation as it is to the trades that would restore the targets.
//!
//! Exact decimals only. It always names the deviation and the trades; whether and when they are made is the core's
//! decision.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Agent, AgentError};
use crate::config::{Rebalancing, TaskName};
use crate::coordinator::task::{
    Allocation, AssetShare, RebalanceProposal, RebalanceTrade, TaskInput, TaskOutput, TaskRun,
};
use crate::domain::{MoneyError, Side, checked_div, checked_mul, checked_sub};

/// Amounts are whole cents of the account currency, rounded towards zero.
const CENTS: u32 = 2;

/// Balances against targets.
#[derive(Debug)]
pub struct RebalanceAgent {
    config: Rebalancing,
}

impl RebalanceAgent {
    /// Under these rules.
    pub const fn new(config: Rebalancing) -> Self {
        Self { config }
    }

    fn propose(&self, allocation: &Allocation) -> Result<RebalanceProposal, AgentError> {
        if allocation.total <= Decimal::ZERO {
            return Err(AgentError::NothingHeld);
        }
        let mut deviation_pct = Decimal::ZERO;
        let (mut sells, mut buys) = (Vec::new(), Vec::new());
        for share in &allocation.assets {
            let points = points_off(share, allocation.total)?;
            deviation_pct = deviation_pct.max(points.abs());
            let trades = if points > Decimal::ZERO { &mut sells } else { &mut buys };
            trades.extend(self.trade(share, points, allocation.total)?);
        }
        // What is sold brings in what the rest spends; the larger first, ties in the order of the assets.
        for trades in [&mut sells, &mut buys] {
            trades.sort_by_key(|trade: &RebalanceTrade| std::cmp::Reverse(trade.amount));
        }
        sells.append(&mut buys);
        Ok(RebalanceProposal { deviation_pct: deviation_pct.normalize(), trades: sells })
    }

    /// The trade of one asset; none for the account currency, and none below the least amount.
    fn trade(
        &self,
        share: &AssetShare,
        points: Decimal,
        total: Decimal,
    ) -> Result<Option<RebalanceTrade>, MoneyError> {
        let Some(symbol) = &share.symbol else { return Ok(None) };
        let target = checked_div(checked_mul(total, share.target_pct)?, Decimal::ONE_HUNDRED)?;
        let amount =
            checked_sub(target, share.value)?.abs().round_dp_with_strategy(CENTS, RoundingStrategy::ToZero);
        if amount < self.config.trade_min || amount.is_zero() {
            return Ok(None);
        }
        let too_much = points > Decimal::ZERO;
        // In a pair that has the asset as its quote, selling the asset is buying the base.
        let is_base = *symbol.base() == share.asset;
        let side = if too_much == is_base { Side::Sell } else { Side::Buy };
        Ok(Some(RebalanceTrade { symbol: symbol.clone(), side, amount }))
    }
}

/// By how many points of the total an asset is above its target.
fn points_off(share: &AssetShare, total: Decimal) -> Result<Decimal, MoneyError> {
    let pct = checked_div(checked_mul(share.value, Decimal::ONE_HUNDRED)?, total)?;
    checked_sub(pct, share.target_pct)
}

impl Agent for RebalanceAgent {
    fn task(&self) -> TaskName {
        TaskName::PortfolioRebalance
    }

    fn run(&self, run: &TaskRun) -> Result<TaskOutput, AgentError> {
        match &run.input {
            TaskInput::Rebalance(allocation) if !allocation.unpriced.is_empty() => {
                Ok(TaskOutput::RebalanceWaits(allocation.unpriced.clone()))
            }
            TaskInput::Rebalance(allocation) => self.propose(allocation).map(TaskOutput::Rebalance),
            TaskInput::Analysis | TaskInput::Decision(_) => Err(AgentError::WrongInput(run.task)),
        }
    }
}
