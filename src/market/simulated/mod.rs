//! The simulated market: one-minute candles from a seed, the same on every machine.
//!
//! Each asset has its own path through phases (trends, ranges, quiet, volatile and choppy hours, now and then a
//! slump); a pair is the quotient of two paths, so cross pairs always agree with their legs. Prices are made of `libm`
//! and integer mantissas only. It is labelled `SIM` wherever its data shows, and never stands in for a real market.

mod noise;
mod pair;
mod path;
mod phase;
mod sentiment;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::pair::Pair;
use self::path::{LEADER, Path, is_dollar};
pub use self::sentiment::SimulatedSentiment;
use super::{Feed, FeedEvent, SentimentSource};
use crate::domain::{Asset, Candle, DECIMALS_MAX, Symbol, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);

/// Decimal places of its dollars.
const DOLLAR_DECIMALS: u32 = 2;

/// History before the start, in minutes: 30 hours, so that the long averages and the hourly ATR are warm.
const WARM_UP_MINUTES: u32 = 1_800;

/// The first possible day: 2024-01-01T00:00:00Z.
const FIRST_START: Timestamp = Timestamp::from_secs(1_704_067_200);

/// Starts are spread over so many days.
const START_DAYS: u64 = 365;

/// A seeded market without an end.
#[derive(Debug)]
pub struct SimulatedFeed {
    seed: u64,
    symbols: Vec<Symbol>,
    /// The leader first.
    paths: Vec<Path>,
    pairs: Vec<Pair>,
    start_at: Timestamp,
    /// First instant of the next minute to be made.
    open_time: Timestamp,
    /// Made and not handed out. Never empty, unless there are no symbols.
    ready: VecDeque<Candle>,
    /// Made before the start, or skipped: the newest [`WARM_UP_MINUTES`] of each symbol.
    history: VecDeque<Candle>,
}

impl SimulatedFeed {
    /// The market of `seed` for these pairs; any asset codes will do.
    pub fn new(seed: u64, symbols: &[Symbol]) -> Self {
        let mut paths = Vec::new();
        // A code of capitals is always an asset; without the leader the others would still have paths of their own.
        paths.extend(Asset::new(LEADER).ok().map(|leader| Path::new(seed, &leader)));
        let mut index_of = |asset: &Asset| {
            paths.iter().position(|path| path.asset() == asset).unwrap_or_else(|| {
                paths.push(Path::new(seed, asset));
                paths.len() - 1
            })
        };
        let pairs: Vec<Pair> = symbols
            .iter()
            .map(|symbol| {
                let (base, quote) = (index_of(symbol.base()), index_of(symbol.quote()));
                Pair::new(seed, symbol, base, quote)
            })
            .collect();

        let start_at = FIRST_START.plus(Duration::from_secs(seed % START_DAYS * 86_400));
        let history_at = start_at.minus(MINUTE * WARM_UP_MINUTES);
        // The history is rehearsed once, so that it leads to the known prices instead of away from them.
        for minute in 0..WARM_UP_MINUTES {
            step_all(&mut paths, history_at.plus(MINUTE * minute));
        }
        let paths = paths.iter().map(Path::aimed).collect();
        let mut feed = Self {
            seed,
            symbols: symbols.to_vec(),
            paths,
            pairs,
            start_at,
            open_time: history_at,
            ready: VecDeque::new(),
            history: VecDeque::new(),
        };
        feed.make_minute();
        feed.skip_until(start_at);
        feed
    }

    /// Makes the next minute of every pair.
    fn make_minute(&mut self) {
        step_all(&mut self.paths, self.open_time);
        for pair in &mut self.pairs {
            let candle = pair.candle(self.open_time, &self.paths);
            self.ready.push_back(candle);
        }
        self.open_time = self.open_time.plus(MINUTE);
    }

    /// Lets so many minutes pass of which no candle is kept, then makes one. Paths and dice end where they would have.
    fn pass(&mut self, minutes: u64) {
        for _ in 0..minutes {
            step_all(&mut self.paths, self.open_time);
            self.open_time = self.open_time.plus(MINUTE);
        }
        for pair in &mut self.pairs {
            pair.pass(minutes);
        }
        self.ready.clear();
        self.history.clear();
        self.make_minute();
    }

    fn take(&mut self) -> Option<Candle> {
        let candle = self.ready.pop_front()?;
        if self.ready.is_empty() {
            self.make_minute();
        }
        Some(candle)
    }
}

/// Moves every path on by the minute that begins at `open_time`; the first one leads.
fn step_all(paths: &mut [Path], open_time: Timestamp) {
    if let [leader, others @ ..] = paths {
        leader.step(open_time, None);
        for path in others {
            path.step(open_time, Some(leader.minute()));
        }
    }
}

impl Feed for SimulatedFeed {
    fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    fn interval(&self) -> Duration {
        MINUTE
    }

    /// Its dollars are paid in cents.
    fn decimals(&self, asset: &Asset) -> u32 {
        if is_dollar(asset) { DOLLAR_DECIMALS } else { DECIMALS_MAX }
    }

    fn label(&self) -> &'static str {
        "SIM"
    }

    fn identity(&self) -> String {
        "simulated".to_owned()
    }

    fn start_at(&self) -> Timestamp {
        self.start_at
    }

    fn warm_up(&mut self) -> Vec<Candle> {
        std::mem::take(&mut self.history).into()
    }

    fn skip_until(&mut self, at: Timestamp) {
        let due =
            u64::try_from(at.since(self.open_time).as_millis() / MINUTE.as_millis()).unwrap_or(u64::MAX);
        // One more than is kept is made: the first candle that is kept opens where that one closed.
        if let Some(minutes @ 1..) = due.checked_sub(u64::from(WARM_UP_MINUTES) + 1) {
            self.pass(minutes);
        }
        let kept = usize::try_from(WARM_UP_MINUTES).unwrap_or(usize::MAX).saturating_mul(self.symbols.len());
        while self.next_at().is_some_and(|next| next <= at) {
            if self.history.len() == kept {
                self.history.pop_front();
            }
            let skipped = self.take();
            self.history.extend(skipped);
        }
    }

    fn next_at(&self) -> Option<Timestamp> {
        self.ready.front().map(Candle::close_time)
    }

    fn pop(&mut self) -> Option<FeedEvent> {
        self.take().map(FeedEvent::Candle)
    }

    fn sentiment(&self) -> Option<Arc<dyn SentimentSource>> {
        Some(Arc::new(SimulatedSentiment::new(self.seed, &self.symbols)))
    }
}
