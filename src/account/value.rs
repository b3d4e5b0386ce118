//! What the account is worth, and how much of it stands in the market.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Account, AccountError, Mark, PriceError, PricesAt};
use crate::domain::{
    Asset, MoneyError, Symbol, Timestamp, checked_add, checked_div, checked_mul, checked_sub,
};

/// An asset that is owned and valued at an old price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleAsset {
    /// Which.
    pub asset: Asset,
    /// What is owned of it.
    pub quantity: Decimal,
    /// Worth of it at the last known price, account currency.
    pub worth: Decimal,
    /// Since when there is no newer price.
    pub since: Timestamp,
}

/// What the account is worth at the last known prices, and how far that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Valuation {
    /// Everything that ever had a price, account currency. What breakers, drawdown and screen go by.
    pub worth: Decimal,
    /// Of that, what has a fresh price. What sizes go by.
    pub fresh: Decimal,
    /// Valued at an old price.
    pub stale: Vec<StaleAsset>,
    /// Owned, and left out because it never had a price; and why.
    pub unpriced: Vec<LeftOut>,
    /// Something that is owned has ever had a price (the account currency needs none), or nothing is owned.
    pub is_known: bool,
}

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
    /// Assets that a pair prices, but not freshly: a rebalance waits for them. It does not wait for a market that has
    /// not begun.
    pub fn unpriced(&self) -> impl Iterator<Item = &Asset> {
        let is_awaited =
            |left: &&LeftOut| !matches!(left.why, PriceError::NoPath { .. } | PriceError::NotListed(_));
        self.left_out.iter().filter(is_awaited).map(|left| &left.asset)
    }
}

impl Account {
    /// What everything is worth at the last known prices. An asset without a fresh price is named, and hides no other.
    ///
    /// # Errors
    /// Arithmetic only.
    pub fn valuation(&self, prices: &PricesAt<'_>) -> Result<Valuation, MoneyError> {
        let (mut worth, mut fresh) = (Decimal::ZERO, Decimal::ZERO);
        let (mut stale, mut unpriced) = (Vec::new(), Vec::new());
        let mut known = 0_usize;
        for (asset, quantity) in self.balances.iter().filter(|(_, amount)| !amount.is_zero()) {
            match prices.value(*quantity, asset, &self.currency) {
                Ok(value) => {
                    worth = checked_add(worth, value.amount)?;
                    if value.is_fresh {
                        fresh = checked_add(fresh, value.amount)?;
                    } else {
                        let (asset, quantity, since) = (asset.clone(), *quantity, value.at);
                        stale.push(StaleAsset { asset, quantity, worth: value.amount, since });
                    }
                    known += 1;
                }
                Err(PriceError::Arithmetic { error, .. }) => return Err(error),
                Err(why) => unpriced.push(LeftOut { asset: asset.clone(), why }),
            }
        }
        let is_known = known > 0 || unpriced.is_empty();
        Ok(Valuation { worth, fresh, stale, unpriced, is_known })
    }

    /// What one unit of each owned asset is worth, account currency, as far as that is known.
    pub fn rates(&self, prices: &PricesAt<'_>) -> BTreeMap<Asset, Mark> {
        let owned =
            self.balances.iter().filter(|(asset, amount)| !amount.is_zero() && **asset != self.currency);
        let rate = |asset: &Asset| {
            let worth = prices.value(Decimal::ONE, asset, &self.currency).ok()?;
            Some(Mark { price: worth.amount, at: worth.at })
        };
        owned.filter_map(|(asset, _)| Some((asset.clone(), rate(asset)?))).collect()
    }

    /// Worth of the lots of each pair, account currency, at the last known prices. Each lot is worth what its base asset
    /// is worth, as in the valuation, or what was paid for it if that never had a price.
    ///
    /// # Errors
    /// A lot whose quote asset never had a price either.
    pub fn exposure_by_symbol(
        &self,
        prices: &PricesAt<'_>,
    ) -> Result<BTreeMap<Symbol, Decimal>, AccountError> {
        let mut by_symbol = BTreeMap::new();
        for lot in &self.lots {
            let worth = if let Ok(worth) = prices.value(lot.quantity, lot.symbol.base(), &self.currency) {
                worth.amount
            } else {
                let paid = checked_mul(lot.quantity, lot.entry_price)?;
                prices.value(paid, lot.symbol.quote(), &self.currency)?.amount
            };
            let sum = by_symbol.entry(lot.symbol.clone()).or_insert(Decimal::ZERO);
            *sum = checked_add(*sum, worth)?;
        }
        Ok(by_symbol)
    }

    /// Worth of all lots, account currency.
    pub fn exposure(&self, prices: &PricesAt<'_>) -> Result<Decimal, AccountError> {
        let by_symbol = self.exposure_by_symbol(prices)?;
        Ok(by_symbol.values().try_fold(Decimal::ZERO, |sum, worth| checked_add(sum, *worth))?)
    }

    /// Worth of all lots in percent of `equity`.
    ///
    /// # Errors
    /// As [`Account::exposure_by_symbol`], and [`AccountError::NoEquity`].
    pub fn exposure_pct(&self, equity: Decimal, prices: &PricesAt<'_>) -> Result<Decimal, AccountError> {
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
        prices: &PricesAt<'_>,
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
        prices: &PricesAt<'_>,
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
