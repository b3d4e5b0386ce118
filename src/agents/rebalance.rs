//! Portfolio rebalance: the allocation as it is to the trades that would restore the targets.
//!
//! Exact decimals only. It always names the deviation and the trades; whether and when they are made is the core's
//! decision.

use rust_decimal::Decimal;

use super::{Agent, AgentError, AgentFuture, at_once};
use crate::config::TaskName;
use crate::coordinator::task::{
    Allocation, AssetShare, RebalanceProposal, RebalanceTrade, TaskInput, TaskOutput, TaskRun,
};
use crate::domain::{MoneyError, Side, checked_div, checked_mul, checked_sub, spendable_amount};

/// Balances against targets.
#[derive(Debug)]
pub struct RebalanceAgent;

impl RebalanceAgent {
    fn propose(allocation: &Allocation) -> Result<RebalanceProposal, AgentError> {
        if allocation.total <= Decimal::ZERO {
            return Err(AgentError::NothingHeld);
        }
        let mut deviation_pct = Decimal::ZERO;
        let (mut sells, mut buys) = (Vec::new(), Vec::new());
        for share in &allocation.assets {
            let points = share.points_off(allocation.total)?;
            deviation_pct = deviation_pct.max(points.abs());
            let trades = if points > Decimal::ZERO { &mut sells } else { &mut buys };
            trades.extend(trade(share, points, allocation)?);
        }
        // What is sold brings in what the rest spends; the larger first, ties in the order of the assets.
        for trades in [&mut sells, &mut buys] {
            trades.sort_by_key(|trade: &RebalanceTrade| std::cmp::Reverse(trade.amount));
        }
        sells.append(&mut buys);
        Ok(RebalanceProposal { deviation_pct: deviation_pct.normalize(), trades: sells })
    }
}

/// The trade of one asset, to the decimals of the account currency; none for the currency itself.
fn trade(
    share: &AssetShare,
    points: Decimal,
    allocation: &Allocation,
) -> Result<Option<RebalanceTrade>, MoneyError> {
    let Some(symbol) = &share.symbol else { return Ok(None) };
    let target = checked_div(checked_mul(allocation.total, share.target_pct)?, Decimal::ONE_HUNDRED)?;
    let amount = spendable_amount(checked_sub(target, share.value)?.abs(), allocation.decimals);
    if amount.is_zero() {
        return Ok(None);
    }
    let too_much = points > Decimal::ZERO;
    // In a pair that has the asset as its quote, selling the asset is buying the base.
    let is_base = *symbol.base() == share.asset;
    let side = if too_much == is_base { Side::Sell } else { Side::Buy };
    Ok(Some(RebalanceTrade { symbol: symbol.clone(), side, amount }))
}

impl Agent for RebalanceAgent {
    fn task(&self) -> TaskName {
        TaskName::PortfolioRebalance
    }

    fn run(&self, run: TaskRun) -> AgentFuture<'_> {
        let result = match &run.input {
            TaskInput::Rebalance(allocation) if !allocation.unpriced.is_empty() => {
                Ok(TaskOutput::RebalanceWaits(allocation.unpriced.clone()))
            }
            TaskInput::Rebalance(allocation) => Self::propose(allocation).map(TaskOutput::Rebalance),
            TaskInput::Analysis | TaskInput::Decision(_) => Err(AgentError::WrongInput(run.task)),
        };
        at_once(result)
    }
}
