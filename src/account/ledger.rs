//! Balances and lots, and the one way in which they change: a fill of the venue.
//!
//! A fill is a fact. It is booked even if it makes no sense to us (more sold than owned): the books then say so
//! (`overdrawn`, `shrunk`) instead of disagreeing with the venue.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{AccountError, AppliedTrades, Lot};
use crate::domain::{
    Asset, ClientOrderId, DecisionId, Fill, FillRole, Money, MoneyError, Protection, Purpose, Side, Symbol,
    checked_add, checked_div, checked_mul, checked_sub,
};

/// One fill with all that booking it needs, so that recovery books it alike without asking for prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// What the venue did.
    pub fill: Fill,
    /// Why the order existed; for a stop or target, the purpose of the entry that carried it.
    pub purpose: Purpose,
    /// Stop and target of the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// Account currency per quote unit when it was filled; none if there was no price. Only results need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_rate: Option<Decimal>,
}

/// A result, fees included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realised {
    /// In the quote asset; negative is a loss.
    pub quote: Money,
    /// In the account currency, if the quote asset had a price.
    pub account: Option<Decimal>,
}

impl Realised {
    fn new(amount: Decimal, symbol: &Symbol, quote_rate: Option<Decimal>) -> Result<Self, MoneyError> {
        let account = quote_rate.map(|rate| checked_mul(amount, rate)).transpose()?;
        Ok(Self { quote: Money::new(amount, symbol.quote().clone()), account })
    }

    /// Whether money was lost; needs no price, because a rate never changes the sign.
    pub fn is_loss(&self) -> bool {
        self.quote.amount < Decimal::ZERO
    }
}

/// A lot that an entry opened or enlarged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotChange {
    /// The lot as it is now.
    pub lot: Lot,
    /// It is new, rather than enlarged.
    pub opened: bool,
}

/// A part of a lot that was sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotSale {
    /// The entry order of the lot.
    pub client_id: ClientOrderId,
    /// The decision that had opened it.
    pub decision: DecisionId,
    /// Base units sold out of it.
    pub quantity: Decimal,
    /// Base units left; zero when it is closed.
    pub left: Decimal,
    /// Result of this part.
    pub result: Realised,
    /// Result of the whole lot, if this closed it.
    pub closed: Option<Realised>,
}

/// A lot that became smaller because the balance behind it did: its protective orders must shrink too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shrink {
    /// The entry order of the lot.
    pub client_id: ClientOrderId,
    /// Which pair.
    pub symbol: Symbol,
    /// By how many base units.
    pub by: Decimal,
    /// Base units left; zero when the lot is gone.
    pub left: Decimal,
}

/// What booking a fill did besides moving balances.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Booked {
    /// The lot that was opened or enlarged.
    pub bought: Option<LotChange>,
    /// Lots sold from, oldest first.
    pub sold: Vec<LotSale>,
    /// Lots cut down to the balance, newest first.
    pub shrunk: Vec<Shrink>,
    /// Assets of the fill whose balance is below zero now: the venue gave more than we thought we had.
    pub overdrawn: Vec<Asset>,
}

/// What became of a posting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// The trade id is in the books; nothing changed.
    AlreadyApplied,
    /// It is in the books now.
    Booked(Box<Booked>),
}

/// Results of all lots since the account was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Results {
    /// Lots closed with a profit, or even.
    pub won: u64,
    /// Lots closed with a loss.
    pub lost: u64,
    /// Sum of all results, account currency.
    pub realised: Decimal,
    /// Sales whose result is missing in the sum, because the quote asset had no price.
    pub unpriced: u64,
}

/// Balances, lots and results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub(super) currency: Asset,
    pub(super) balances: BTreeMap<Asset, Decimal>,
    pub(super) lots: Vec<Lot>,
    trades: AppliedTrades,
    results: Results,
}

impl Account {
    /// A fresh account with these balances.
    pub fn new(currency: Asset, start: BTreeMap<Asset, Decimal>) -> Self {
        Self {
            currency,
            balances: start,
            lots: Vec::new(),
            trades: AppliedTrades::default(),
            results: Results::default(),
        }
    }

    /// Everything is valued in this.
    pub const fn currency(&self) -> &Asset {
        &self.currency
    }

    /// Every balance, lots included.
    pub const fn balances(&self) -> &BTreeMap<Asset, Decimal> {
        &self.balances
    }

    /// What is owned of `asset`, lots included.
    pub fn balance(&self, asset: &Asset) -> Decimal {
        self.balances.get(asset).copied().unwrap_or_default()
    }

    /// Open lots, oldest first.
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    /// Open lots of one pair, oldest first.
    pub fn lots_of<'a>(&'a self, symbol: &'a Symbol) -> impl Iterator<Item = &'a Lot> {
        self.lots.iter().filter(move |lot| lot.symbol == *symbol)
    }

    /// The lot that an entry order opened.
    pub fn lot(&self, client_id: ClientOrderId) -> Option<&Lot> {
        self.lots.iter().find(|lot| lot.client_id == client_id)
    }

    /// Base units in lots of one pair.
    pub fn held(&self, symbol: &Symbol) -> Result<Decimal, MoneyError> {
        self.lots_of(symbol).try_fold(Decimal::ZERO, |sum, lot| checked_add(sum, lot.quantity))
    }

    /// Number of pairs with lots.
    pub fn positions(&self) -> usize {
        self.lots.iter().map(|lot| &lot.symbol).collect::<BTreeSet<_>>().len()
    }

    /// Which fills are in the books.
    pub const fn trades(&self) -> &AppliedTrades {
        &self.trades
    }

    /// Results so far.
    pub const fn results(&self) -> &Results {
        &self.results
    }

    /// Books a fill, once by the venue's trade id.
    ///
    /// # Errors
    /// A quantity or price that is not positive, or arithmetic without a result; nothing is changed then.
    pub fn apply(&mut self, posting: &Posting) -> Result<Applied, AccountError> {
        let trade = posting.fill.trade_id;
        if self.trades.contains(trade) {
            return Ok(Applied::AlreadyApplied);
        }
        if posting.fill.quantity <= Decimal::ZERO || posting.fill.price <= Decimal::ZERO {
            return Err(AccountError::NotAFill(trade));
        }
        // Booked on a copy, so that a fill that overflows half-way leaves no half of itself behind.
        let mut next = self.clone();
        let booked = next.book(posting)?;
        next.trades.insert(trade);
        *self = next;
        Ok(Applied::Booked(Box::new(booked)))
    }

    fn book(&mut self, posting: &Posting) -> Result<Booked, MoneyError> {
        let Posting { fill, purpose, .. } = posting;
        self.move_balances(fill)?;
        let mut booked = Booked::default();
        match (fill.side, fill.role) {
            (Side::Buy, FillRole::Order) => match purpose {
                Purpose::Entry { decision } => booked.bought = Some(self.enlarge(posting, *decision)?),
                Purpose::Leg { .. }
                | Purpose::Exit { .. }
                | Purpose::Reduce { .. }
                | Purpose::Flatten { .. } => {}
            },
            (Side::Sell, FillRole::Order) => match purpose {
                Purpose::Entry { .. }
                | Purpose::Exit { .. }
                | Purpose::Reduce { .. }
                | Purpose::Flatten { .. } => {
                    booked.sold = self.sell(posting, |lot| lot.symbol == fill.symbol)?;
                }
                Purpose::Leg { .. } => {}
            },
            (Side::Sell, FillRole::Stop | FillRole::Target) => {
                booked.sold = self.sell(posting, |lot| lot.client_id == fill.client_id)?;
            }
            // Lots are long: a protective order that buys belongs to none of them.
            (Side::Buy, FillRole::Stop | FillRole::Target) => {}
        }
        booked.shrunk = self.shrink_to_balances()?;
        let touched = BTreeSet::from([fill.symbol.base(), fill.symbol.quote(), &fill.fee.currency]);
        let below_zero = touched.into_iter().filter(|asset| self.balance(asset) < Decimal::ZERO);
        booked.overdrawn = below_zero.cloned().collect();
        Ok(booked)
    }

    fn move_balances(&mut self, fill: &Fill) -> Result<(), MoneyError> {
        let value = checked_mul(fill.quantity, fill.price)?;
        let (base, quote) = match fill.side {
            Side::Buy => (fill.quantity, -value),
            Side::Sell => (-fill.quantity, value),
        };
        self.credit(fill.symbol.base(), base)?;
        self.credit(fill.symbol.quote(), quote)?;
        self.credit(&fill.fee.currency, -fill.fee.amount)
    }

    /// What is sold to the last unit leaves the books, so that they do not grow with every asset ever traded.
    fn credit(&mut self, asset: &Asset, amount: Decimal) -> Result<(), MoneyError> {
        let balance = checked_add(self.balance(asset), amount)?;
        if balance.is_zero() {
            self.balances.remove(asset);
        } else {
            self.balances.insert(asset.clone(), balance);
        }
        Ok(())
    }

    fn enlarge(&mut self, posting: &Posting, decision: DecisionId) -> Result<LotChange, MoneyError> {
        let fill = &posting.fill;
        let fee = quote_fee(fill);
        if let Some(lot) = self.lots.iter_mut().find(|lot| lot.client_id == fill.client_id) {
            let paid = checked_mul(lot.quantity, lot.entry_price)?;
            let paid = checked_add(paid, checked_mul(fill.quantity, fill.price)?)?;
            lot.quantity = checked_add(lot.quantity, fill.quantity)?;
            lot.entry_price = checked_div(paid, lot.quantity)?;
            lot.fees = checked_add(lot.fees, fee)?;
            return Ok(LotChange { lot: lot.clone(), opened: false });
        }
        let lot = Lot {
            decision,
            client_id: fill.client_id,
            symbol: fill.symbol.clone(),
            quantity: fill.quantity,
            entry_price: fill.price,
            stop: posting.protection.map(|p| p.stop),
            take_profit: posting.protection.map(|p| p.take_profit),
            opened_at: fill.at,
            fees: fee,
            realised: Decimal::ZERO,
        };
        self.lots.push(lot.clone());
        Ok(LotChange { lot, opened: true })
    }

    /// Sells out of the lots that `belongs` names, oldest first. What is sold beyond them came out of holdings.
    fn sell(
        &mut self,
        posting: &Posting,
        belongs: impl Fn(&Lot) -> bool,
    ) -> Result<Vec<LotSale>, MoneyError> {
        let fill = &posting.fill;
        let mut left = fill.quantity;
        let mut sold = Vec::new();
        for lot in self.lots.iter_mut().filter(|lot| belongs(lot)) {
            let quantity = left.min(lot.quantity);
            if quantity.is_zero() {
                break;
            }
            left = checked_sub(left, quantity)?;
            let exit_fee = checked_div(checked_mul(quote_fee(fill), quantity)?, fill.quantity)?;
            let gross = checked_mul(quantity, checked_sub(fill.price, lot.entry_price)?)?;
            let result = checked_sub(checked_sub(gross, lot.take(quantity)?)?, exit_fee)?;
            lot.realised = checked_add(lot.realised, result)?;
            let whole = Realised::new(lot.realised, &lot.symbol, posting.quote_rate)?;
            sold.push(LotSale {
                client_id: lot.client_id,
                decision: lot.decision,
                quantity,
                left: lot.quantity,
                result: Realised::new(result, &lot.symbol, posting.quote_rate)?,
                closed: lot.quantity.is_zero().then_some(whole),
            });
        }
        self.lots.retain(|lot| !lot.quantity.is_zero());
        sold.iter().try_for_each(|sale| self.results.count(sale))?;
        Ok(sold)
    }

    /// Cuts lots down to the balances behind them, newest first: the oldest ones own what is there.
    fn shrink_to_balances(&mut self) -> Result<Vec<Shrink>, MoneyError> {
        let bases: BTreeSet<Asset> = self.lots.iter().map(|lot| lot.symbol.base().clone()).collect();
        let mut shrunk = Vec::new();
        for base in bases {
            let owned = self.balance(&base).max(Decimal::ZERO);
            let mut excess = checked_sub(self.in_lots(&base)?, owned)?;
            for lot in self.lots.iter_mut().rev().filter(|lot| *lot.symbol.base() == base) {
                if excess <= Decimal::ZERO {
                    break;
                }
                let by = excess.min(lot.quantity);
                excess = checked_sub(excess, by)?;
                lot.take(by)?;
                let (client_id, symbol, left) = (lot.client_id, lot.symbol.clone(), lot.quantity);
                shrunk.push(Shrink { client_id, symbol, by, left });
            }
        }
        self.lots.retain(|lot| !lot.quantity.is_zero());
        Ok(shrunk)
    }

    /// Base units of `asset` in lots, over all pairs.
    pub fn in_lots(&self, asset: &Asset) -> Result<Decimal, MoneyError> {
        let mut of_asset = self.lots.iter().filter(|lot| lot.symbol.base() == asset);
        of_asset.try_fold(Decimal::ZERO, |sum, lot| checked_add(sum, lot.quantity))
    }
}

impl Results {
    fn count(&mut self, sale: &LotSale) -> Result<(), MoneyError> {
        match sale.result.account {
            Some(result) => self.realised = checked_add(self.realised, result)?,
            None => self.unpriced = self.unpriced.saturating_add(1),
        }
        match sale.closed.as_ref().map(Realised::is_loss) {
            Some(true) => self.lost = self.lost.saturating_add(1),
            Some(false) => self.won = self.won.saturating_add(1),
            None => {}
        }
        Ok(())
    }
}

/// The fee as part of a lot's result. A fee in another asset moves that balance, but is not a quote amount.
fn quote_fee(fill: &Fill) -> Decimal {
    if fill.fee.currency == *fill.symbol.quote() { fill.fee.amount } else { Decimal::ZERO }
}
