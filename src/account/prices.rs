//! Last prices, how fresh they are, and what one asset is worth in another.
//!
//! A conversion goes through a pair directly, through the inverse pair, or through one asset in between (XRP/BTC,
//! then BTC/USDT). What is to be traded is converted at fresh prices only, never at a stand-in. What is only to be
//! valued falls back on the last known prices, and says how old they are.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::routes::{Hop, Routes};
use crate::domain::{Asset, Candle, MoneyError, Symbol, Timestamp, checked_div, checked_mul, short_span};

/// The least number of five digits.
const FIVE_DIGITS: Decimal = Decimal::from_parts(10_000, 0, 0, false, 0);
/// No venue's tick has more decimal places.
const PRICE_DECIMALS_MAX: u32 = 12;

/// Why something has no price.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceError {
    /// No candle of the pair has arrived yet.
    #[error("no price for {0} yet: wait for its first candle, or check the feed")]
    Missing(Symbol),
    /// The market of the pair has not begun, while others have.
    #[error("{0} is not listed yet: it is left out until its first candle")]
    NotListed(Symbol),
    /// The last candle of the pair is too old.
    #[error("the price of {symbol} is {} old (at most {}): check the feed", short_span(*age), short_span(*max_age))]
    Stale {
        /// Which pair.
        symbol: Symbol,
        /// How old its price is.
        age: Duration,
        /// How old it may be.
        max_age: Duration,
    },
    /// The last candle of the pair closed long after now: one of the clocks is wrong.
    #[error("the price of {symbol} is {} ahead of the clock: check the clock and the feed", short_span(*ahead))]
    Ahead {
        /// Which pair.
        symbol: Symbol,
        /// How far ahead its price is.
        ahead: Duration,
    },
    /// No pair, and no two pairs, lead from one asset to the other.
    #[error("{from} has no price path to {to}: add a pair such as {from}/{to}, or change account.currency")]
    NoPath {
        /// The asset to be valued.
        from: Asset,
        /// The asset to value it in.
        to: Asset,
    },
    /// The conversion has no result.
    #[error("cannot convert at the price of {symbol}: {error}")]
    Arithmetic {
        /// The pair at whose price it failed.
        symbol: Symbol,
        /// What failed.
        error: MoneyError,
    },
}

/// A last price and when it was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Quote units per base unit; positive.
    pub price: Decimal,
    /// When the candle closed, market time.
    pub at: Timestamp,
}

/// What an amount is worth at the last known prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth {
    /// In the asset that was asked for.
    pub amount: Decimal,
    /// Time of the oldest price it rests on.
    pub at: Timestamp,
    /// No price it rests on is too old.
    pub is_fresh: bool,
}

/// The last price of every pair.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prices {
    marks: BTreeMap<Symbol, Option<Mark>>,
    /// Most decimal places of each pair's prices so far: the tick that the market shows.
    decimals: BTreeMap<Symbol, u32>,
    routes: Routes,
    /// What one unit of an asset was worth in the account currency when an earlier process knew it.
    remembered: BTreeMap<Asset, Mark>,
}

impl Prices {
    /// No prices yet, for these pairs.
    pub fn new(symbols: impl IntoIterator<Item = Symbol>) -> Self {
        let marks: BTreeMap<_, _> = symbols.into_iter().map(|symbol| (symbol, None)).collect();
        Self {
            routes: Routes::of(marks.keys()),
            decimals: BTreeMap::new(),
            marks,
            remembered: BTreeMap::new(),
        }
    }

    /// Values at these rates what has no price of its own yet: in the account currency, by asset.
    #[must_use]
    pub fn remembering(mut self, rates: BTreeMap<Asset, Mark>) -> Self {
        self.remembered = rates;
        self
    }

    /// Whether any pair has ever had a price.
    pub fn any(&self) -> bool {
        self.marks.values().any(Option::is_some)
    }

    /// Takes the close of a candle. An older candle than the last, or one without a positive close, changes nothing;
    /// returns whether it was taken.
    pub fn update(&mut self, candle: &Candle) -> bool {
        let mark = Mark { price: candle.close, at: candle.close_time() };
        let last = self.mark(&candle.symbol);
        if mark.price <= Decimal::ZERO || last.is_some_and(|last| last.at > mark.at) {
            return false;
        }
        if self.marks.insert(candle.symbol.clone(), Some(mark)).is_none() {
            self.routes.add(&candle.symbol);
        }
        let prices = [candle.open, candle.high, candle.low, candle.close];
        let places = prices.into_iter().map(|price| price.normalize().scale()).max().unwrap_or_default();
        match self.decimals.get_mut(&candle.symbol) {
            Some(most) => *most = places.max(*most),
            None => drop(self.decimals.insert(candle.symbol.clone(), places)),
        }
        true
    }

    /// Decimal places of a pair's prices: as many as the market has shown so far, and enough for five digits, because
    /// the first few prices may all happen to be round.
    pub fn decimals(&self, symbol: &Symbol) -> u32 {
        let Some((shown, mark)) = self.decimals.get(symbol).zip(self.mark(symbol)) else {
            return PRICE_DECIMALS_MAX;
        };
        let mut digits = mark.price;
        let mut places = 0;
        while digits < FIVE_DIGITS && places < PRICE_DECIMALS_MAX {
            digits *= Decimal::TEN;
            places += 1;
        }
        places.max(*shown)
    }

    /// The last price, however old.
    pub fn mark(&self, symbol: &Symbol) -> Option<Mark> {
        self.marks.get(symbol).copied().flatten()
    }

    /// The last price, if it is at most `max_age` away from `now`: a price from the future would stay fresh for ever.
    pub fn fresh(&self, symbol: &Symbol, now: Timestamp, max_age: Duration) -> Result<Decimal, PriceError> {
        let mark = self.mark(symbol).ok_or_else(|| PriceError::Missing(symbol.clone()))?;
        let age = now.since(mark.at);
        if age > max_age {
            return Err(PriceError::Stale { symbol: symbol.clone(), age, max_age });
        }
        let ahead = mark.at.since(now);
        if ahead > max_age {
            return Err(PriceError::Ahead { symbol: symbol.clone(), ahead });
        }
        Ok(mark.price)
    }

    /// What `amount` of `from` is worth in `to`, at prices at most `max_age` old.
    ///
    /// # Errors
    /// The first pair on the way that has no fresh price, or that there is no way.
    pub fn convert(
        &self,
        amount: Decimal,
        from: &Asset,
        to: &Asset,
        now: Timestamp,
        max_age: Duration,
    ) -> Result<Decimal, PriceError> {
        if from == to {
            return Ok(amount);
        }
        let mut first_error = None;
        for path in self.routes.between(from, to) {
            match walk(amount, path, |symbol| self.fresh(symbol, now, max_age)) {
                Ok(worth) => return Ok(worth),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| PriceError::NoPath { from: from.clone(), to: to.clone() }))
    }

    /// At the last known prices, by the way whose oldest price is the newest.
    fn last_known(&self, amount: Decimal, from: &Asset, to: &Asset) -> Result<Worth, PriceError> {
        let mut best: Option<(Timestamp, Vec<Hop>)> = None;
        let mut missing = None;
        for path in self.routes.between(from, to) {
            let unpriced = path.iter().find(|hop| self.mark(&hop.symbol).is_none());
            if let Some(hop) = unpriced {
                missing.get_or_insert_with(|| PriceError::Missing(hop.symbol.clone()));
                continue;
            }
            let oldest = path.iter().filter_map(|hop| self.mark(&hop.symbol)).map(|mark| mark.at).min();
            if let Some(at) = oldest.filter(|at| best.as_ref().is_none_or(|(known, _)| at > known)) {
                best = Some((at, path));
            }
        }
        let Some((at, path)) = best else {
            return Err(missing.unwrap_or_else(|| PriceError::NoPath { from: from.clone(), to: to.clone() }));
        };
        let amount = walk(amount, path, |symbol| {
            let mark = self.mark(symbol).ok_or_else(|| PriceError::Missing(symbol.clone()))?;
            Ok(mark.price)
        })?;
        Ok(Worth { amount, at, is_fresh: false })
    }

    /// The prices as they may be used at `now`.
    pub const fn at(&self, now: Timestamp, max_age: Duration) -> PricesAt<'_> {
        PricesAt { prices: self, now, max_age }
    }

    /// The pairs that are known, priced or not.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.marks.keys()
    }
}

/// `amount` along a way, at the price that `price_of` gives for each pair on it.
fn walk(
    amount: Decimal,
    path: impl IntoIterator<Item = Hop>,
    price_of: impl Fn(&Symbol) -> Result<Decimal, PriceError>,
) -> Result<Decimal, PriceError> {
    path.into_iter().try_fold(amount, |amount, Hop { symbol, inverse }| {
        let price = price_of(&symbol)?;
        let worth = if inverse { checked_div(amount, price) } else { checked_mul(amount, price) };
        worth.map_err(|error| PriceError::Arithmetic { symbol: symbol.clone(), error })
    })
}

/// Prices at one instant, and how old they may be to count as fresh.
#[derive(Debug, Clone, Copy)]
pub struct PricesAt<'a> {
    prices: &'a Prices,
    now: Timestamp,
    max_age: Duration,
}

impl PricesAt<'_> {
    /// The fresh price of a pair, quote units per base unit.
    pub fn price(&self, symbol: &Symbol) -> Result<Decimal, PriceError> {
        self.prices.fresh(symbol, self.now, self.max_age)
    }

    /// What `amount` of `from` is worth in `to`, at fresh prices.
    ///
    /// # Errors
    /// See [`Prices::convert`].
    pub fn convert(&self, amount: Decimal, from: &Asset, to: &Asset) -> Result<Decimal, PriceError> {
        self.prices.convert(amount, from, to, self.now, self.max_age)
    }

    /// What `amount` of `from` is worth in the account currency `to`: at fresh prices if there are any, else at the last
    /// known ones, else at what an earlier process knew.
    ///
    /// # Errors
    /// It never had a price, or the arithmetic has no result.
    pub fn value(&self, amount: Decimal, from: &Asset, to: &Asset) -> Result<Worth, PriceError> {
        if let Ok(amount) = self.convert(amount, from, to) {
            return Ok(Worth { amount, at: self.now, is_fresh: true });
        }
        self.prices.last_known(amount, from, to).or_else(|error| {
            let remembered = self.prices.remembered.get(from).copied();
            let valued = remembered.and_then(|rate| Some((checked_mul(amount, rate.price).ok()?, rate.at)));
            valued.map(|(amount, at)| Worth { amount, at, is_fresh: false }).ok_or(error)
        })
    }

    /// What one unit of `from` is worth in `to`.
    pub fn rate(&self, from: &Asset, to: &Asset) -> Result<Decimal, PriceError> {
        self.convert(Decimal::ONE, from, to)
    }

    /// Whether the pair is known, priced or not.
    pub fn knows(&self, symbol: &Symbol) -> bool {
        self.prices.marks.contains_key(symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_AGE: Duration = Duration::from_secs(90);

    fn symbol(text: &str) -> Symbol {
        Symbol::new(text).unwrap()
    }

    fn asset(text: &str) -> Asset {
        Asset::new(text).unwrap()
    }

    fn candle(text: &str, close: &str, open_secs: i64) -> Candle {
        let close: Decimal = close.parse().unwrap();
        Candle {
            symbol: symbol(text),
            open_time: Timestamp::from_secs(open_secs),
            interval_secs: 60,
            open: close,
            high: close,
            low: close,
            close,
            volume: Decimal::ONE,
            synthetic: false,
        }
    }

    fn prices() -> Prices {
        let mut prices = Prices::new(["BTC/USDT", "XRP/BTC", "ETH/USDT"].map(symbol));
        assert!(prices.update(&candle("BTC/USDT", "40000", 0)));
        assert!(prices.update(&candle("XRP/BTC", "0.0000125", 0)));
        prices
    }

    fn converted(amount: i64, from: &str, to: &str, now: i64) -> Result<Decimal, PriceError> {
        prices().convert(amount.into(), &asset(from), &asset(to), Timestamp::from_secs(now), MAX_AGE)
    }

    #[test]
    fn amounts_convert_directly_inversely_and_through_one_asset_between() {
        for (amount, from, to, worth) in [
            (2, "BTC", "USDT", "80000"),
            (80_000, "USDT", "BTC", "2"),
            (100, "XRP", "USDT", "50"),
            (50, "USDT", "XRP", "100"),
            (7, "USDT", "USDT", "7"),
        ] {
            assert_eq!(converted(amount, from, to, 60).unwrap(), worth.parse().unwrap(), "{from} to {to}");
        }
    }

    #[test]
    fn an_old_or_missing_price_is_an_error_that_names_the_pair() {
        let stale = converted(1, "BTC", "USDT", 151).unwrap_err();
        assert_eq!(stale.to_string(), "the price of BTC/USDT is 91s old (at most 90s): check the feed");
        let ahead = converted(1, "BTC", "USDT", -31).unwrap_err();
        assert_eq!(
            ahead.to_string(),
            "the price of BTC/USDT is 91s ahead of the clock: check the clock and the feed"
        );
        assert_eq!(converted(1, "ETH", "USDT", 60), Err(PriceError::Missing(symbol("ETH/USDT"))));
        let no_path = PriceError::NoPath { from: asset("DOGE"), to: asset("USDT") };
        assert_eq!(converted(1, "DOGE", "USDT", 60), Err(no_path));
    }

    #[test]
    fn a_stale_direct_pair_is_replaced_by_a_fresh_way_round() {
        let mut prices = prices();
        prices.update(&candle("XRP/USDT", "9", -600));
        let worth =
            prices.convert(100.into(), &asset("XRP"), &asset("USDT"), Timestamp::from_secs(60), MAX_AGE);
        assert_eq!(worth, Ok(50.into()));
    }

    #[test]
    fn a_tick_is_as_fine_as_the_prices_shown_and_never_guessed_coarse() {
        let mut prices = prices();
        assert_eq!(prices.decimals(&symbol("XRP/BTC")), 9);
        assert_eq!(prices.decimals(&symbol("BTC/USDT")), 0);
        prices.update(&candle("BTC/USDT", "40000.25", 60));
        prices.update(&candle("BTC/USDT", "40001", 120));
        assert_eq!(prices.decimals(&symbol("BTC/USDT")), 2);
    }

    #[test]
    fn an_older_candle_never_replaces_a_newer_one() {
        let mut prices = prices();
        assert!(!prices.update(&candle("BTC/USDT", "1", -60)));
        assert_eq!(prices.mark(&symbol("BTC/USDT")).unwrap().price, 40_000.into());
    }
}
