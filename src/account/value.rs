//! What the account is worth, and how much of it stands in the market.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Account, AccountError, FreshPrices, PriceError};
use crate::domain::{Asset, MoneyError, Symbol, checked_add, checked_div, checked_mul, checked_sub};

/// One asset of the holdings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingShare {
    /// Which.
    pub asset: Asset,
    /// Worth of the holding, account currency.
    pub value: Decimal,
    /// The pair through which it is traded against the account currency; none for the currency itself.
    pub symbol: Option<Symbol>,
}

/// An asset that cannot take part in a rebalance, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which.
    pub asset: Asset,
    /// Missing pair, or missing or old price.
    pub why: PriceError,
}

/// Balances minus lots, valued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// The account currency.
    pub currency: Asset,
    /// Sum of the shares, account currency.
    pub total: Decimal,
    /// By asset name.
    pub shares: Vec<HoldingShare>,
    /// Assets with a target or a holding that have no pair against the currency, or no fresh price.
    pub left_out: Vec<LeftOut>,
}

impl Holdings {
    /// Assets that a pair prices, but not freshly: they are worth something, nobody knows what.
    pub fn unpriced(&self) -> impl Iterator<Item = &Asset> {
        let unpriced = self.left_out.iter().filter(|left| !matches!(left.why, PriceError::NoPath { .. }));
        unpriced.map(|left| &left.asset)
    }
}

impl Account {
    /// Worth of everything, account currency.
    ///
    /// # Errors
    /// An asset that is owned and has no fresh price: equity is unknown then, never a guess.
    pub fn equity(&self, prices: &FreshPrices<'_>) -> Result<Decimal, AccountError> {
        let mut owned = self.balances.iter().filter(|(_, amount)| !amount.is_zero());
        owned.try_fold(Decimal::ZERO, |sum, (asset, amount)| {
            Ok(checked_add(sum, prices.convert(*amount, asset, &self.currency)?)?)
        })
    }

    /// Worth of the lots of each pair, account currency. Each lot is worth what its base asset is worth, as in the
    /// equity: whenever that is known this is, however idle the pair of the lot may be.
    ///
    /// # Errors
    /// As [`Account::equity`].
    pub fn exposure_by_symbol(
        &self,
        prices: &FreshPrices<'_>,
    ) -> Result<BTreeMap<Symbol, Decimal>, AccountError> {
        let mut by_symbol = BTreeMap::new();
        for lot in &self.lots {
            let worth = prices.convert(lot.quantity, lot.symbol.base(), &self.currency)?;
            let sum = by_symbol.entry(lot.symbol.clone()).or_insert(Decimal::ZERO);
            *sum = checked_add(*sum, worth)?;
        }
        Ok(by_symbol)
    }

    /// Worth of all lots, account currency.
    pub fn exposure(&self, prices: &FreshPrices<'_>) -> Result<Decimal, AccountError> {
        let by_symbol = self.exposure_by_symbol(prices)?;
        Ok(by_symbol.values().try_fold(Decimal::ZERO, |sum, worth| checked_add(sum, *worth))?)
    }

    /// Worth of all lots in percent of equity.
    ///
    /// # Errors
    /// As [`Account::equity`], and [`AccountError::NoEquity`].
    pub fn exposure_pct(&self, prices: &FreshPrices<'_>) -> Result<Decimal, AccountError> {
        let equity = self.equity(prices)?;
        if equity <= Decimal::ZERO {
            return Err(AccountError::NoEquity);
        }
        Ok(checked_mul(checked_div(self.exposure(prices)?, equity)?, Decimal::ONE_HUNDRED)?)
    }

    /// What is owned of `asset` outside lots: what entries and legs may spend.
    pub fn holding(&self, asset: &Asset) -> Result<Decimal, MoneyError> {
        checked_sub(self.balance(asset), self.in_lots(asset)?)
    }

    /// The holdings of all assets that are owned or that `targets` names, valued at fresh prices.
    ///
    /// # Errors
    /// Arithmetic only; an asset without pair or price is listed as left out.
    pub fn holdings<'a>(
        &'a self,
        targets: impl IntoIterator<Item = &'a Asset>,
        prices: &FreshPrices<'_>,
    ) -> Result<Holdings, AccountError> {
        let mut assets: BTreeSet<&Asset> = targets.into_iter().collect();
        assets.extend(self.balances.iter().filter(|(_, amount)| !amount.is_zero()).map(|(asset, _)| asset));
        let (mut total, mut shares, mut left_out) = (Decimal::ZERO, Vec::new(), Vec::new());
        for asset in assets {
            match self.share(asset, prices)? {
                Ok(share) => {
                    total = checked_add(total, share.value)?;
                    shares.push(share);
                }
                Err(why) => left_out.push(LeftOut { asset: asset.clone(), why }),
            }
        }
        Ok(Holdings { currency: self.currency.clone(), total, shares, left_out })
    }

    fn share(
        &self,
        asset: &Asset,
        prices: &FreshPrices<'_>,
    ) -> Result<Result<HoldingShare, PriceError>, MoneyError> {
        let amount = self.holding(asset)?;
        if *asset == self.currency {
            return Ok(Ok(HoldingShare { asset: asset.clone(), value: amount, symbol: None }));
        }
        // Only a direct pair moves an asset against the currency in one trade; the others are warned of at the start.
        let pair = Symbol::of(asset, &self.currency).ok().filter(|pair| prices.knows(pair));
        let Some(pair) = pair else {
            return Ok(Err(PriceError::NoPath { from: asset.clone(), to: self.currency.clone() }));
        };
        Ok(match prices.price(&pair) {
            Ok(price) => {
                let value = checked_mul(amount, price)?;
                Ok(HoldingShare { asset: asset.clone(), value, symbol: Some(pair) })
            }
            Err(why) => Err(why),
        })
    }
}
