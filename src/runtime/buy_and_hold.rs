//! What the account would be worth if its targets had been bought when all of them first had a price, and kept: what a
//! run's own result is compared with. Nothing is paid for it, so that it is no flattering comparison.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::Serialize;

use crate::account::Prices;
use crate::config::{Config, converts};
use crate::domain::{
    Asset, Candle, MoneyError, Timestamp, checked_add, checked_div, checked_mul, shown_amount,
};

/// The targets, bought and held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// When they were bought, market time.
    pub since: Timestamp,
    /// For how much, account currency.
    pub start: Decimal,
    /// What they are worth at the end.
    pub end: Decimal,
}

/// Follows the prices of the targets.
#[derive(Debug, Default)]
pub(super) struct BuyAndHold {
    currency: Option<Asset>,
    /// Percent; what no symbol prices is left out.
    targets: BTreeMap<Asset, Decimal>,
    prices: Prices,
    bought: Option<Bought>,
}

#[derive(Debug)]
struct Bought {
    at: Timestamp,
    equity: Decimal,
    rates: BTreeMap<Asset, Decimal>,
}

impl BuyAndHold {
    /// Of the targets of this configuration.
    pub(super) fn of(config: &Config) -> Self {
        let currency = &config.execution.account.currency;
        let symbols = &config.orchestration.symbols;
        let targets = config.portfolio.targets(currency).into_iter();
        let targets = targets.map(|(asset, share)| (asset, share.value()));
        Self {
            targets: targets
                .filter(|(asset, share)| *share > Decimal::ZERO && converts(symbols, asset, currency))
                .collect(),
            prices: Prices::new(symbols.iter().cloned()),
            currency: Some(currency.clone()),
            bought: None,
        }
    }

    /// A price.
    pub(super) fn candle(&mut self, candle: &Candle) {
        self.prices.update(candle);
    }

    /// The account's own equity; the targets are bought for the first one at which all of them have a price.
    pub(super) fn mark(&mut self, at: Timestamp, equity: Decimal) {
        if self.bought.is_none() {
            self.bought = self.rates(at).map(|rates| Bought { at, equity, rates });
        }
    }

    fn rates(&self, at: Timestamp) -> Option<BTreeMap<Asset, Decimal>> {
        let currency = self.currency.as_ref()?;
        let rate = |asset: &Asset| {
            // However old: this is a comparison, not an order.
            let rate = self.prices.convert(Decimal::ONE, asset, currency, at, Duration::MAX).ok()?;
            Some((asset.clone(), rate))
        };
        self.targets.keys().map(rate).collect()
    }

    /// The result at `at`, to so many decimals; none if the targets never all had a price.
    pub(super) fn end(&self, at: Timestamp, decimals: u32) -> Option<Held> {
        let bought = self.bought.as_ref()?;
        let end = self.worth(bought, &self.rates(at)?).ok()?;
        let shown = |amount| shown_amount(amount, decimals);
        Some(Held { since: bought.at, start: shown(bought.equity), end: shown(end) })
    }

    fn worth(&self, bought: &Bought, rates: &BTreeMap<Asset, Decimal>) -> Result<Decimal, MoneyError> {
        let whole = self.targets.values().try_fold(Decimal::ZERO, |sum, share| checked_add(sum, *share))?;
        self.targets.iter().try_fold(Decimal::ZERO, |sum, (asset, share)| {
            let [then, now] =
                [&bought.rates, rates].map(|rates| rates.get(asset).copied().unwrap_or_default());
            let spent = checked_div(checked_mul(bought.equity, *share)?, whole)?;
            checked_add(sum, checked_mul(spent, checked_div(now, then)?)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Symbol;

    fn candle(symbol: &str, secs: i64, price: i64) -> Candle {
        let price = Decimal::from(price);
        Candle {
            symbol: Symbol::new(symbol).unwrap(),
            open_time: Timestamp::from_secs(secs),
            interval_secs: 60,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Decimal::ONE,
            synthetic: false,
        }
    }

    #[test]
    fn targets_are_bought_once_all_have_a_price_and_kept() {
        let mut held = BuyAndHold::of(&Config::defaults().unwrap());
        let at = Timestamp::from_secs;
        held.candle(&candle("BTC/USDT", 0, 40_000));
        held.mark(at(60), Decimal::from(9_000));
        assert_eq!(held.end(at(60), 2), None, "XRP has no price");
        held.candle(&candle("XRP/USDT", 60, 1));
        held.mark(at(120), Decimal::from(10_000));
        held.candle(&candle("BTC/USDT", 120, 80_000));
        held.candle(&candle("XRP/USDT", 120, 2));
        held.mark(at(180), Decimal::from(1));
        let end = held.end(at(180), 2).unwrap();
        assert_eq!((end.since, end.start.to_string()), (at(120), "10000.00".to_owned()));
        assert_eq!(end.end.to_string(), "16666.00");
    }
}
