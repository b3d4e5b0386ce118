//! Replay of recorded candles: `--market replay:FILE[,FILE...]`.
//!
//! Files are read twice. The first reading checks every row before the first candle is played; a file with one bad row
//! is refused. The second one plays them, a row at a time, so that no file is too long for the memory. Trading begins
//! with the first row: nothing is set aside for warming up. Kraken's files have no row for an interval without a trade:
//! a short hole is a quiet market and is played as flat candles, a long one is reported as a gap. Layout: Kraken's
//! downloadable OHLCVT files.

mod name;
mod problem;
mod rows;
mod survey;
mod track;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::time::Duration;

use self::name::Source;
pub use self::problem::{ReplayError, RowProblem};
use self::survey::Survey;
use self::track::Track;
use super::{Feed, FeedEvent, FileExtent, Since};
use crate::config::Market;
use crate::domain::{Candle, SafeText, Symbol, Timestamp};

/// Recorded candles of one or more files, merged in the order of time.
#[derive(Debug)]
pub struct ReplayFeed {
    symbols: Vec<Symbol>,
    sources: Vec<Source>,
    surveys: Vec<Survey>,
    tracks: Vec<Track>,
    interval: Duration,
    identity: String,
    start_at: Timestamp,
    end_at: Timestamp,
    /// Instant of the last event.
    played_until: Timestamp,
    ended: bool,
}

impl ReplayFeed {
    /// Reads and checks all files. A spec is a path such as `data/BTCUSDT_1.csv`, or `BTC/USDT=data/any.csv`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its file and line.
    pub fn open<S: AsRef<str>>(specs: &[S], terms: &Market) -> Result<Self, ReplayError> {
        let sources =
            specs.iter().map(|spec| Source::parse(spec.as_ref())).collect::<Result<Vec<_>, ReplayError>>()?;
        check_once_each(&sources)?;
        let mut digest = blake3::Hasher::new();
        let (mut files, mut surveys) = (Vec::new(), Vec::new());
        for source in &sources {
            let unreadable = |error| ReplayError::Unreadable { file: source.file.clone(), error };
            let file = File::open(&source.file).map_err(unreadable)?;
            let bytes = file.metadata().map_err(unreadable)?.len();
            // The length keeps two files from reading like one.
            digest.update(source.symbol.as_str().as_bytes()).update(&bytes.to_le_bytes());
            surveys.push(Survey::of(source, &file, bytes, terms.gap_max, &mut digest)?);
            files.push(file);
        }
        let interval_secs = one_interval(&sources, &surveys)?;
        check_overlap(&sources, &surveys, terms.gap_max)?;
        let start_at = surveys.iter().map(Survey::starts_at).min().ok_or(ReplayError::NoFiles)?;
        let end_at = surveys.iter().map(Survey::ends_at).max().ok_or(ReplayError::NoFiles)?;
        let tracks = sources
            .iter()
            .zip(files)
            .zip(&surveys)
            .map(|((source, file), survey)| Track::new(source.clone(), file, survey, terms.quiet_max))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            interval: Duration::from_secs(u64::from(interval_secs)),
            identity: format!("replay:{}", &digest.finalize().to_hex()[..32]),
            start_at,
            end_at,
            played_until: start_at,
            ended: false,
            symbols: sources.iter().map(|source| source.symbol.clone()).collect(),
            sources,
            surveys,
            tracks,
        })
    }

    /// The symbols of these specs, in their order; no file is read.
    ///
    /// # Errors
    /// A name that says no symbol.
    pub fn symbols_of<S: AsRef<str>>(specs: &[S]) -> Result<Vec<Symbol>, ReplayError> {
        specs.iter().map(|spec| Ok(Source::parse(spec.as_ref())?.symbol)).collect()
    }

    /// The path in a spec.
    pub fn file_of(spec: &str) -> &str {
        name::split_spec(spec).1
    }

    /// The track whose next candle closes first; the earlier file at one instant. None after a fault.
    fn next_track(&self) -> Option<usize> {
        if self.fault().is_some() {
            return None;
        }
        let closes = self.tracks.iter().enumerate().filter_map(|(i, track)| Some((track.next_at()?, i)));
        closes.min().map(|(_, index)| index)
    }

    fn fault(&self) -> Option<&SafeText> {
        self.tracks.iter().find_map(Track::fault)
    }
}

/// No symbol has two files.
fn check_once_each(sources: &[Source]) -> Result<(), ReplayError> {
    for (index, source) in sources.iter().enumerate() {
        if let Some(first) = sources.iter().take(index).find(|known| known.symbol == source.symbol) {
            return Err(ReplayError::Twice {
                symbol: source.symbol.clone(),
                first: first.file.clone(),
                second: source.file.clone(),
            });
        }
    }
    Ok(())
}

/// The interval that all files share.
fn one_interval(sources: &[Source], surveys: &[Survey]) -> Result<u32, ReplayError> {
    let mut intervals = sources.iter().zip(surveys.iter().map(|survey| survey.interval_secs));
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

/// Nowhere between the files is there a longer gap than may be in one of them.
fn check_overlap(sources: &[Source], surveys: &[Survey], gap_max: Duration) -> Result<(), ReplayError> {
    let mut by_start: Vec<_> = sources.iter().zip(surveys).collect();
    by_start.sort_by_key(|(_, survey)| survey.starts_at());
    let mut covered_until: Option<Timestamp> = None;
    for (source, survey) in by_start {
        let length = covered_until.map_or(Duration::ZERO, |until| survey.starts_at().since(until));
        if length > gap_max {
            return Err(ReplayError::Apart { file: source.file.clone(), length, max: gap_max });
        }
        covered_until = covered_until.max(Some(survey.ends_at()));
    }
    Ok(())
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

    fn listed_at(&self, symbol: &Symbol) -> Option<Timestamp> {
        let index = self.symbols.iter().position(|known| known == symbol)?;
        self.surveys.get(index).map(Survey::starts_at)
    }

    fn extents(&self) -> Vec<FileExtent> {
        let files = self.symbols.iter().zip(&self.surveys);
        files
            .map(|(symbol, survey)| FileExtent {
                symbol: symbol.clone(),
                bytes: survey.bytes,
                hash: survey.hash.to_hex().to_string(),
            })
            .collect()
    }

    fn since(&self, before: &[FileExtent]) -> Result<Since, ReplayError> {
        if !before.iter().map(|extent| &extent.symbol).eq(&self.symbols) {
            return Ok(Since::Others);
        }
        for ((source, survey), extent) in self.sources.iter().zip(&self.surveys).zip(before) {
            let begins_with = track::begins_with(source, extent.bytes, &extent.hash)
                .map_err(|error| ReplayError::Unreadable { file: source.file.clone(), error })?;
            if extent.bytes > survey.bytes || !begins_with {
                return Ok(Since::Rewritten);
            }
        }
        Ok(Since::Grown)
    }

    fn warm_up(&mut self) -> Vec<Candle> {
        let mut history: Vec<Candle> = self.tracks.iter_mut().flat_map(Track::take_skipped).collect();
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
            None if self.ended => None,
            None if self.fault().is_some() => Some(self.played_until),
            None => Some(self.end_at),
        }
    }

    fn pop(&mut self) -> Option<FeedEvent> {
        if let Some(index) = self.next_track() {
            let track = self.tracks.get_mut(index)?;
            self.played_until = track.next_at()?;
            return track.pop();
        }
        let last = self.fault().map_or(FeedEvent::Ended, |why| FeedEvent::Failed(why.clone()));
        (!std::mem::replace(&mut self.ended, true)).then_some(last)
    }
}
