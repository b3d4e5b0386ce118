//! The paper venue: executes against closed bars, with fees and slippage, and remembers in a log of its own.
//!
//! It knows what an exchange would know, our journal what we know; so an answer that was lost between the two can
//! be asked for again. Every change of the book is in the log before anyone hears of it. It never reads a clock.

mod book;
mod execution;
mod log;
mod matching;
mod terms;

use std::collections::BTreeMap;
use std::path::Path;

use rust_decimal::Decimal;

use super::{Answer, CancelScope, OrderReport, ProtectiveOrder, Venue, VenueError};
use crate::domain::{Candle, ClientOrderId, Fill, Order, Symbol, Timestamp, TradeId, VenueEvent};
use crate::gate::AnyPermit;

use book::Outcome;
pub use book::PaperBook;
pub use log::LogError;
use log::VenueLog;
pub use terms::PaperTerms;
use terms::SeenBar;

/// The paper venue.
#[derive(Debug)]
pub struct PaperVenue {
    terms: PaperTerms,
    book: PaperBook,
    log: VenueLog,
    /// The last bar of each symbol. Not in the log: a price from before a restart is not fresh, and without a fresh one
    /// the venue refuses.
    bars: BTreeMap<Symbol, SeenBar>,
}

impl PaperVenue {
    /// A venue without a file, which forgets everything with the process.
    pub fn in_memory(terms: PaperTerms) -> Self {
        Self { terms, book: PaperBook::default(), log: VenueLog::none(), bars: BTreeMap::new() }
    }

    /// The venue of the log file at `path`, which is made if it is not there: the book is rebuilt from it, and
    /// the file begins again with the whole book. `sync` makes every answer wait until it is on the disk.
    ///
    /// # Errors
    /// [`LogError`] if the file cannot be read or written, or is damaged before its last line.
    pub fn open(terms: PaperTerms, path: &Path, sync: bool) -> Result<Self, LogError> {
        let (log, book) = VenueLog::open(path, sync)?;
        Ok(Self { terms, book, log, bars: BTreeMap::new() })
    }

    /// A venue whose log can never be written.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn on_a_full_disk(terms: PaperTerms) -> std::io::Result<Self> {
        Ok(Self { log: VenueLog::on_device("/dev/full")?, ..Self::in_memory(terms) })
    }

    /// What the venue knows.
    pub fn book(&self) -> &PaperBook {
        &self.book
    }

    /// Makes an operation durable: written, then synced, then told.
    fn settle(&mut self, outcome: Outcome) -> Result<Vec<VenueEvent>, VenueError> {
        self.log.append(&outcome.changes)?;
        self.log.sync()?;
        Ok(outcome.events)
    }
}

impl Venue for PaperVenue {
    fn submit(
        &mut self,
        now: Timestamp,
        order: &Order,
        permit: AnyPermit<'_>,
    ) -> Result<Vec<VenueEvent>, VenueError> {
        if !permit.admits(&order.purpose) {
            return Err(VenueError::WrongPermit { purpose: order.purpose, permit: permit.kind() });
        }
        self.log.usable()?;
        let outcome = self.book.submit(&self.terms, now, order, self.bars.get(&order.symbol));
        self.log.append(&outcome.changes)?;
        // The order is handed over; a slow disk must not keep a halt waiting.
        drop(permit);
        self.log.sync()?;
        Ok(outcome.events)
    }

    fn cancel(&mut self, client_id: ClientOrderId) -> Result<Vec<VenueEvent>, VenueError> {
        self.log.usable()?;
        let outcome = self.book.cancel(client_id);
        self.settle(outcome)
    }

    fn cancel_all(&mut self, scope: CancelScope) -> Result<Vec<VenueEvent>, VenueError> {
        self.log.usable()?;
        let outcome = self.book.cancel_all(scope);
        self.settle(outcome)
    }

    fn shrink_protection(
        &mut self,
        client_id: ClientOrderId,
        quantity: Decimal,
    ) -> Result<Decimal, VenueError> {
        self.log.usable()?;
        let outcome = self.book.shrink_protection(client_id, quantity);
        self.settle(outcome)?;
        Ok(self.book.protected(client_id))
    }

    fn open_orders(&self) -> Result<Vec<OrderReport>, VenueError> {
        self.log.usable()?;
        Ok(self.book.open_orders())
    }

    fn protective_orders(&self) -> Result<Vec<ProtectiveOrder>, VenueError> {
        self.log.usable()?;
        Ok(self.book.protective_orders().cloned().collect())
    }

    fn query(&self, client_id: ClientOrderId) -> Result<Answer, VenueError> {
        self.log.usable()?;
        Ok(self.book.report(client_id).map_or(Answer::Absent, |report| Answer::Found(Box::new(report))))
    }

    fn fills_since(&self, after: TradeId) -> Result<Vec<Fill>, VenueError> {
        self.log.usable()?;
        Ok(self.book.fills_since(after).cloned().collect())
    }

    fn see_price(&mut self, candle: &Candle) {
        let bar = SeenBar::after(self.bars.get(&candle.symbol), candle);
        self.bars.insert(candle.symbol.clone(), bar);
    }

    fn on_candle(&mut self, candle: &Candle) -> Result<Vec<VenueEvent>, VenueError> {
        self.log.usable()?;
        let last = self.bars.get(&candle.symbol);
        if last.is_some_and(|last| last.candle.close_time() >= candle.close_time()) {
            return Ok(Vec::new());
        }
        let bar = SeenBar::after(last, candle);
        let outcome = self.book.on_bar(&self.terms, &bar);
        self.bars.insert(candle.symbol.clone(), bar);
        self.settle(outcome)
    }

    fn on_time(&mut self, now: Timestamp) -> Result<Vec<VenueEvent>, VenueError> {
        self.log.usable()?;
        let outcome = self.book.on_time(now);
        self.settle(outcome)
    }

    fn next_expiry(&self) -> Option<Timestamp> {
        self.book.next_expiry()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::domain::{CandleSpan, InstallId, OrderKind, PlanId, Purpose, Side, TradingState};
    use crate::gate::Gate;

    fn terms() -> PaperTerms {
        let minute = CandleSpan::new(Duration::from_secs(60));
        PaperTerms::new(&Config::defaults().unwrap().execution.paper, [order().symbol], minute)
    }

    fn order() -> Order {
        Order {
            client_id: ClientOrderId::derive(InstallId::derived("test"), "leg/1/0"),
            symbol: Symbol::new("BTC/USDT").unwrap(),
            side: Side::Buy,
            quantity: Decimal::ONE,
            kind: OrderKind::Limit { price: Decimal::TEN, valid_until: None },
            purpose: Purpose::Leg { plan: PlanId(1), leg: 0 },
            protection: None,
        }
    }

    #[test]
    fn a_venue_that_cannot_write_its_log_answers_nothing_more_and_gives_the_permit_back() {
        let mut venue = PaperVenue::on_a_full_disk(terms()).unwrap();
        let order = order();
        let gate = Gate::new(1, TradingState::Running);

        let answer = venue.submit(Timestamp::EPOCH, &order, gate.entry(gate.epoch()).unwrap().into());

        assert!(matches!(answer, Err(VenueError::Log(LogError::Write { .. }))));
        assert_eq!(gate.read().permits_in_use, 0);
        let asked = venue.query(order.client_id);
        assert!(
            matches!(asked, Err(VenueError::Log(LogError::Failed { .. }))),
            "an order that may be lost was confirmed"
        );
    }

    #[test]
    fn an_order_that_is_not_on_the_venues_disk_is_not_confirmed() {
        let log = VenueLog::on_device("/dev/null").unwrap();
        let mut venue = PaperVenue { log, ..PaperVenue::in_memory(terms()) };
        let gate = Gate::new(1, TradingState::Running);
        let answer = venue.submit(Timestamp::EPOCH, &order(), gate.entry(gate.epoch()).unwrap().into());
        assert!(matches!(answer, Err(VenueError::Log(LogError::Write { .. }))), "{answer:?}");
    }
}
