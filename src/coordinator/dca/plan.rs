//! One plan: the trades of a rebalance, spread over time.

use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{DcaRefusal, FilledPart, Leg, LegId, LegState, split};
use crate::coordinator::task::RebalanceTrade;
use crate::domain::{
    ClientOrderId, InstallId, MoneyError, PlanId, Purpose, Side, Timestamp, checked_add, checked_sub,
};

/// One plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its number; never used again.
    pub id: PlanId,
    /// When it was made, market time.
    pub created_at: Timestamp,
    /// What it carries out, sells before buys.
    pub trades: Vec<RebalanceTrade>,
    /// In the order of their times; at one instant sells before buys.
    pub legs: Vec<Leg>,
    /// For the legs that were due when, the ones behind them were last shifted, and how far by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shifted: Option<(Timestamp, Duration)>,
}

/// What a plan is made from. Amounts are in the account currency.
#[derive(Debug, Clone, Copy)]
pub struct PlanTerms {
    /// Trades that sum to less than this are one leg each.
    pub at_once_below: Decimal,
    /// Trades below this are dropped.
    pub trade_min: Decimal,
    /// Least amount of a leg.
    pub leg_min: Decimal,
    /// Most legs per trade.
    pub legs_max: u16,
    /// Distance of the legs (market time).
    pub spacing: Duration,
    /// Decimal places of the account currency.
    pub decimals: u32,
    /// Names the legs at the venue.
    pub install: InstallId,
}

impl Plan {
    /// Spreads trades over legs: the first runs at `now`, the others `spacing` apart.
    pub(super) fn draft(
        id: PlanId,
        now: Timestamp,
        proposed: &[RebalanceTrade],
        terms: &PlanTerms,
    ) -> Result<Self, DcaRefusal> {
        let worth_it =
            |trade: &&RebalanceTrade| trade.amount > Decimal::ZERO && trade.amount >= terms.trade_min;
        let mut trades: Vec<RebalanceTrade> = proposed.iter().filter(worth_it).cloned().collect();
        trades.sort_by_key(|trade| trade.side == Side::Buy);
        if trades.is_empty() {
            return Err(DcaRefusal::NothingToTrade { trade_min: terms.trade_min });
        }
        let total = sum(trades.iter().map(|trade| trade.amount))?;
        let mut drafts = Vec::new();
        for (trade, wanted) in trades.iter().enumerate() {
            let amounts =
                if total < terms.at_once_below { vec![wanted.amount] } else { split(wanted.amount, terms)? };
            drafts.extend(amounts.into_iter().enumerate().map(|(slot, amount)| (slot, trade, amount)));
        }
        drafts.sort_by_key(|&(slot, trade, _)| (slot, trade));
        let mut legs = Vec::with_capacity(drafts.len());
        for (number, (slot, trade, amount)) in drafts.into_iter().enumerate() {
            let number = u16::try_from(number).map_err(|_| DcaRefusal::TooManyLegs)?;
            let slot = u32::try_from(slot).map_err(|_| DcaRefusal::TooManyLegs)?;
            let spread: Duration = terms.spacing.saturating_mul(slot);
            legs.push(Leg {
                number,
                trade: u16::try_from(trade).map_err(|_| DcaRefusal::TooManyLegs)?,
                symbol: trades[trade].symbol.clone(),
                side: trades[trade].side,
                amount,
                due_at: now.plus(spread),
                state: LegState::Scheduled,
                why: None,
                client_id: ClientOrderId::derive(
                    terms.install,
                    &Purpose::Leg { plan: id, leg: number }.intent(),
                ),
                intent: None,
                sends: 0,
                asked: false,
                filled: FilledPart::default(),
            });
        }
        Ok(Self { id, created_at: now, trades, legs, shifted: None })
    }

    /// How far the scheduled legs were shifted because legs that were due at this time ran late.
    pub(super) fn shifted_for(&self, due_at: Timestamp) -> Duration {
        self.shifted.filter(|(at, _)| *at == due_at).map_or(Duration::ZERO, |(_, by)| by)
    }

    /// The name of one of its legs.
    pub fn leg_id(&self, leg: &Leg) -> LegId {
        LegId { plan: self.id, leg: leg.number }
    }

    /// Whether nothing more can happen to any of its legs.
    pub fn is_finished(&self) -> bool {
        self.legs.iter().all(|leg| leg.state.is_terminal())
    }

    /// Sum of its trades, in the account currency.
    pub fn amount(&self) -> Result<Decimal, MoneyError> {
        sum(self.trades.iter().map(|trade| trade.amount))
    }

    /// What its purchases still need beyond what its sales still bring, in the account currency. Legs that wait for the
    /// operator are promised to nobody.
    pub fn amount_promised(&self) -> Result<Decimal, MoneyError> {
        let to_come = |leg: &&Leg| match leg.state {
            LegState::Scheduled | LegState::Due | LegState::Deferred => true,
            LegState::Intent
            | LegState::Sent
            | LegState::Accepted
            | LegState::Rejected
            | LegState::Unknown
            | LegState::Filled
            | LegState::Skipped
            | LegState::Cancelled
            | LegState::Waiting => false,
        };
        self.legs.iter().filter(to_come).try_fold(Decimal::ZERO, |sum, leg| match leg.side {
            Side::Buy => checked_add(sum, leg.amount),
            Side::Sell => checked_sub(sum, leg.amount),
        })
    }

    /// Sum of what is filled of the legs, in the account currency.
    ///
    /// # Errors
    /// The sum overflows.
    pub fn amount_done(&self) -> Result<Decimal, MoneyError> {
        self.legs.iter().try_fold(Decimal::ZERO, |sum, leg| checked_add(sum, leg.amount_done()?))
    }

    /// Sum of what the legs that have not ended may still trade, in the account currency.
    ///
    /// # Errors
    /// The sum overflows.
    pub fn amount_left(&self) -> Result<Decimal, MoneyError> {
        let open = self.legs.iter().filter(|leg| !leg.state.is_terminal());
        let mut left = open.map(|leg| checked_sub(leg.amount, leg.amount_done()?));
        left.try_fold(Decimal::ZERO, |sum, left| checked_add(sum, left?))
    }

    /// Whether it could have been made just now: legs numbered from 0, none begun, and each trade's legs sum to it.
    pub(super) fn is_fresh(&self) -> bool {
        let untouched = self.legs.iter().enumerate().all(|(number, leg)| {
            usize::from(leg.number) == number
                && usize::from(leg.trade) < self.trades.len()
                && leg.state == LegState::Scheduled
                && leg.intent.is_none()
                && leg.sends == 0
        });
        let exact = self.trades.iter().enumerate().all(|(index, trade)| {
            let own = self.legs.iter().filter(|leg| usize::from(leg.trade) == index);
            sum(own.map(|leg| leg.amount)) == Ok(trade.amount)
        });
        !self.legs.is_empty() && untouched && exact
    }
}

fn sum(mut amounts: impl Iterator<Item = Decimal>) -> Result<Decimal, MoneyError> {
    amounts.try_fold(Decimal::ZERO, checked_add)
}
