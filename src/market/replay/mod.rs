//! Replay of recorded candles: `--market replay:FILE[,FILE...]`.
//!
//! Files are read and checked whole before the first candle is played; a file with one bad row is refused. Trading
//! begins with the first row: nothing is set aside for warming up. A hole in the data is reported as a gap, never
//! filled. Layout: Kraken's downloadable OHLCVT files.

mod rows;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use self::rows::Source;
use super::{CANDLES_MAX, Feed, FeedEvent};
use crate::domain::{Candle, CandleError, Symbol, Timestamp, Untrusted};

/// Why one row of a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowProblem {
    /// Not seven columns.
    #[error("{found} columns instead of 7 (unix seconds, open, high, low, close, volume, trades; no header)")]
    Columns {
        /// How many there are.
        found: usize,
    },
    /// Bytes that are no characters.
    #[error("not UTF-8 text; give a plain CSV file")]
    NotText,
    /// A field that is not a number.
    #[error("{column} is not a number: `{}`", text.sanitize(30))]
    NotANumber {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: Untrusted,
    },
    /// Prices that cannot be one candle's.
    #[error(transparent)]
    Candle(#[from] CandleError),
    /// A time that no market has seen.
    #[error("time {secs} is not in unix seconds (milliseconds must be divided by 1000)")]
    NotATime {
        /// What is there.
        secs: i64,
    },
    /// Time stands still or goes back.
    #[error("time {secs} is not after the row before ({previous}): rows must be sorted and unique")]
    NotLater {
        /// Unix seconds of this row.
        secs: i64,
        /// Unix seconds of the row before.
        previous: i64,
    },
    /// A time between two candles.
    #[error("time {secs} is not a multiple of the interval of {interval_secs} s")]
    OffGrid {
        /// Unix seconds of this row.
        secs: i64,
        /// Length of a candle.
        interval_secs: u32,
    },
}

/// Why a replay is refused. Each text says what to do.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The name says neither symbol nor interval.
    #[error("`{spec}`: {reason}. Name the file like BTCUSDT_1.csv (pair, minutes), or write BTC/USDT={file}")]
    Name {
        /// As it was given.
        spec: String,
        /// The file in it.
        file: String,
        /// What is missing.
        reason: String,
    },
    /// The file cannot be read.
    #[error("{}: {error}. Check the path; files of a replay are separated by commas", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A row is not a candle.
    #[error("{}:{line}: {problem}. Correct or remove the row; nothing was played", file.display())]
    Row {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: RowProblem,
    },
    /// There is no row.
    #[error("{}: no rows. Give a file with candles, or leave it out", file.display())]
    Empty {
        /// Which.
        file: PathBuf,
    },
    /// One row alone has no spacing.
    #[error("{}: one row does not say how long a candle is. Name the file like BTCUSDT_1.csv", file.display())]
    NoInterval {
        /// Which.
        file: PathBuf,
    },
    /// Files of different intervals.
    #[error(
        "{} has candles of {interval_secs} s, {} of {other_secs} s. Replay files of one interval together",
        file.display(), other.display()
    )]
    MixedIntervals {
        /// A file.
        file: PathBuf,
        /// Its interval.
        interval_secs: u32,
        /// The first file.
        other: PathBuf,
        /// Its interval.
        other_secs: u32,
    },
    /// Two files for one symbol.
    #[error("{symbol} is in two files, {} and {}. Join them into one", first.display(), second.display())]
    Twice {
        /// Which.
        symbol: Symbol,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// No file at all.
    #[error("a replay needs at least one file: --market replay:FILE[,FILE...]")]
    NoFiles,
}

/// Recorded candles of one or more files, merged in the order of time.
#[derive(Debug)]
pub struct ReplayFeed {
    symbols: Vec<Symbol>,
    tracks: Vec<Track>,
    interval: Duration,
    identity: String,
    start_at: Timestamp,
    end_at: Timestamp,
    ended: bool,
}

/// One symbol's candles and how far they are played.
#[derive(Debug)]
struct Track {
    candles: VecDeque<Candle>,
    /// The newest skipped ones.
    skipped: VecDeque<Candle>,
    /// Close of the last candle handed out or skipped.
    played_until: Option<Timestamp>,
}

impl ReplayFeed {
    /// Reads and checks all files. A spec is a path such as `data/BTCUSDT_1.csv`, or `BTC/USDT=data/any.csv`.
    pub fn open<S: AsRef<str>>(specs: &[S]) -> Result<Self, ReplayError> {
        let mut files = Vec::new();
        for spec in specs {
            let source = Source::parse(spec.as_ref())?;
            let bytes = std::fs::read(&source.file)
                .map_err(|error| ReplayError::Unreadable { file: source.file.clone(), error })?;
            let text = String::from_utf8(bytes).map_err(|error| source.not_text(&error))?;
            files.push((source, text));
        }
        Self::of(&files)
    }

    /// The symbols of these specs, in their order; no file is read.
    pub fn symbols_of<S: AsRef<str>>(specs: &[S]) -> Result<Vec<Symbol>, ReplayError> {
        specs.iter().map(|spec| Ok(Source::parse(spec.as_ref())?.symbol)).collect()
    }

    /// Of texts that have been read.
    fn of(files: &[(Source, String)]) -> Result<Self, ReplayError> {
        let mut digest = blake3::Hasher::new();
        let mut loaded: Vec<(&Source, Vec<Candle>)> = Vec::new();
        for (source, text) in files {
            if let Some((first, _)) = loaded.iter().find(|(known, _)| known.symbol == source.symbol) {
                return Err(ReplayError::Twice {
                    symbol: source.symbol.clone(),
                    first: first.file.clone(),
                    second: source.file.clone(),
                });
            }
            // The length keeps two files from reading like one.
            digest.update(source.symbol.as_str().as_bytes()).update(&(text.len() as u64).to_le_bytes());
            digest.update(text.as_bytes());
            loaded.push((source, source.candles(text)?));
        }
        let interval_secs = one_interval(&loaded)?;
        let all = || loaded.iter().flat_map(|(_, candles)| candles);
        let start_at = all().map(|candle| candle.open_time).min().ok_or(ReplayError::NoFiles)?;
        let end_at = all().map(Candle::close_time).max().ok_or(ReplayError::NoFiles)?;
        Ok(Self {
            interval: Duration::from_secs(u64::from(interval_secs)),
            identity: format!("replay:{}", &digest.finalize().to_hex()[..32]),
            start_at,
            end_at,
            ended: false,
            symbols: loaded.iter().map(|(source, _)| source.symbol.clone()).collect(),
            tracks: loaded.into_iter().map(|(_, candles)| Track::new(candles)).collect(),
        })
    }

    /// The track whose next candle closes first; the earlier file at one instant.
    fn next_track(&self) -> Option<usize> {
        let closes = self.tracks.iter().enumerate().filter_map(|(i, track)| Some((track.next_at()?, i)));
        closes.min().map(|(_, index)| index)
    }
}

/// The interval that all files share.
fn one_interval(loaded: &[(&Source, Vec<Candle>)]) -> Result<u32, ReplayError> {
    let mut intervals =
        loaded.iter().filter_map(|(source, candles)| Some((source, candles.first()?.interval_secs)));
    let (first, first_secs) = intervals.next().ok_or(ReplayError::NoFiles)?;
    match intervals.find(|(_, secs)| *secs != first_secs) {
        None => Ok(first_secs),
        Some((source, interval_secs)) => Err(ReplayError::MixedIntervals {
            file: source.file.clone(),
            interval_secs,
            other: first.file.clone(),
            other_secs: first_secs,
        }),
    }
}

impl Track {
    fn new(candles: Vec<Candle>) -> Self {
        Self { candles: candles.into(), skipped: VecDeque::new(), played_until: None }
    }

    fn next_at(&self) -> Option<Timestamp> {
        self.candles.front().map(Candle::close_time)
    }

    fn skip_until(&mut self, at: Timestamp) {
        while let Some(candle) = self.candles.pop_front_if(|candle| candle.close_time() <= at) {
            self.played_until = Some(candle.close_time());
            if self.skipped.len() == CANDLES_MAX {
                self.skipped.pop_front();
            }
            self.skipped.push_back(candle);
        }
    }

    /// The hole before the next candle, or that candle.
    fn pop(&mut self) -> Option<FeedEvent> {
        let next = self.candles.front()?;
        if let Some(from) = self.played_until.filter(|played| *played < next.open_time) {
            self.played_until = Some(next.open_time);
            return Some(FeedEvent::Gap { symbol: next.symbol.clone(), from, until: next.open_time });
        }
        let candle = self.candles.pop_front()?;
        self.played_until = Some(candle.close_time());
        Some(FeedEvent::Candle(candle))
    }
}

impl Feed for ReplayFeed {
    fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn label(&self) -> &'static str {
        "REPLAY"
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }

    fn start_at(&self) -> Timestamp {
        self.start_at
    }

    fn warm_up(&mut self) -> Vec<Candle> {
        let mut history: Vec<Candle> =
            self.tracks.iter_mut().flat_map(|track| std::mem::take(&mut track.skipped)).collect();
        // Stable, so that at one instant the order of the files remains.
        history.sort_by_key(Candle::close_time);
        history
    }

    fn skip_until(&mut self, at: Timestamp) {
        for track in &mut self.tracks {
            track.skip_until(at);
        }
    }

    fn next_at(&self) -> Option<Timestamp> {
        match self.next_track() {
            Some(index) => self.tracks.get(index)?.next_at(),
            None => (!self.ended).then_some(self.end_at),
        }
    }

    fn pop(&mut self) -> Option<FeedEvent> {
        match self.next_track() {
            Some(index) => self.tracks.get_mut(index)?.pop(),
            None => (!std::mem::replace(&mut self.ended, true)).then_some(FeedEvent::Ended),
        }
    }
}
