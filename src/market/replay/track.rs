//! The second reading of a file: its candles, and what stands between two rows.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, Take};
use std::time::Duration;

use rust_decimal::Decimal;

use super::ReplayError;
use super::name::Source;
use super::rows::Rows;
use super::survey::Survey;
use crate::domain::{Candle, SafeText, Timestamp, Untrusted};
use crate::market::{CANDLES_MAX, FeedEvent};

/// Longest text of a fault that is shown, characters.
const FAULT_CHARS_MAX: usize = 300;

/// One symbol's file, and how far it is played. One row is in memory, besides those that were skipped last.
#[derive(Debug)]
pub(super) struct Track {
    source: Source,
    interval_secs: u32,
    quiet_max: Duration,
    rows: Rows<BufReader<Take<File>>>,
    rows_left: u64,
    /// The next row.
    next: Option<Candle>,
    last: Option<Last>,
    /// The newest skipped candles.
    skipped: VecDeque<Candle>,
    fault: Option<SafeText>,
}

/// How far a track is played.
#[derive(Debug, Clone, Copy)]
struct Last {
    close: Decimal,
    /// Open time of the last row.
    row_at: Timestamp,
    /// Close of the last candle, a quiet one too, or the end of a gap.
    until: Timestamp,
}

/// What comes next.
enum Coming {
    Row,
    /// A candle that opens then.
    Quiet(Timestamp),
    /// Nothing since then.
    Gap(Timestamp),
}

impl Track {
    /// Begins to play a file that was surveyed.
    pub(super) fn new(
        source: Source,
        mut file: File,
        survey: &Survey,
        quiet_max: Duration,
    ) -> Result<Self, ReplayError> {
        file.rewind().map_err(|error| ReplayError::Unreadable { file: source.file.clone(), error })?;
        let mut track = Self {
            interval_secs: survey.interval_secs,
            quiet_max: quiet_max.max(2 * Duration::from_secs(u64::from(survey.interval_secs))),
            // What is appended meanwhile was not surveyed, and is not played.
            rows: Rows::new(&source.file, BufReader::new(file.take(survey.bytes))),
            rows_left: survey.rows,
            source,
            next: None,
            last: None,
            skipped: VecDeque::new(),
            fault: None,
        };
        track.advance();
        Ok(track)
    }

    /// When the next event is due; none at the end and after a fault. A gap is known when the candle behind it is.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        let next = self.next.as_ref()?;
        Some(match self.coming(next) {
            Coming::Row | Coming::Gap(_) => next.close_time(),
            Coming::Quiet(open_time) => open_time.plus(next.interval()),
        })
    }

    /// Why there is nothing more, although there should be.
    pub(super) const fn fault(&self) -> Option<&SafeText> {
        self.fault.as_ref()
    }

    /// The gap or the quiet candle before the next row, or that row.
    pub(super) fn pop(&mut self) -> Option<FeedEvent> {
        let next = self.next.take()?;
        match (self.coming(&next), self.last.as_mut()) {
            (Coming::Gap(from), Some(last)) => {
                last.until = next.open_time;
                let (symbol, until) = (next.symbol.clone(), next.open_time);
                self.next = Some(next);
                Some(FeedEvent::Gap { symbol, from, until })
            }
            (Coming::Quiet(open_time), Some(last)) => {
                let symbol = next.symbol.clone();
                let quiet = Candle::quiet(symbol, open_time, self.interval_secs, last.close);
                last.until = quiet.close_time();
                self.next = Some(next);
                Some(FeedEvent::Candle(quiet))
            }
            (Coming::Row | Coming::Quiet(_) | Coming::Gap(_), _) => {
                let (row_at, until) = (next.open_time, next.close_time());
                self.last = Some(Last { close: next.close, row_at, until });
                self.advance();
                Some(FeedEvent::Candle(next))
            }
        }
    }

    /// Drops what is due at or before `at`.
    pub(super) fn skip_until(&mut self, at: Timestamp) {
        while self.next_at().is_some_and(|next| next <= at) {
            let Some(FeedEvent::Candle(candle)) = self.pop() else { continue };
            if self.skipped.len() == CANDLES_MAX {
                self.skipped.pop_front();
            }
            self.skipped.push_back(candle);
        }
    }

    /// The newest candles that were skipped, oldest first.
    pub(super) fn take_skipped(&mut self) -> VecDeque<Candle> {
        std::mem::take(&mut self.skipped)
    }

    fn coming(&self, next: &Candle) -> Coming {
        match self.last {
            Some(last) if last.until < next.open_time => {
                let is_quiet = next.open_time.since(last.row_at) <= self.quiet_max;
                if is_quiet { Coming::Quiet(last.until) } else { Coming::Gap(last.until) }
            }
            Some(_) | None => Coming::Row,
        }
    }

    /// Reads the next row. It was in order when the file was surveyed; a file may have changed since.
    fn advance(&mut self) {
        if self.rows_left == 0 {
            return;
        }
        self.rows_left -= 1;
        match self.next_candle() {
            Ok(candle) => self.next = Some(candle),
            Err(error) => {
                self.fault = Some(Untrusted::new(error.to_string()).sanitize(FAULT_CHARS_MAX));
            }
        }
    }

    fn next_candle(&mut self) -> Result<Candle, ReplayError> {
        let changed = || ReplayError::Changed { file: self.source.file.clone() };
        let row = self.rows.next_row()?.ok_or_else(changed)?;
        let candle =
            row.candle(&self.source.symbol, self.interval_secs).map_err(|problem| self.rows.here(problem))?;
        let is_in_order = self.last.is_none_or(|last| last.until <= candle.open_time)
            && row.secs % i64::from(self.interval_secs) == 0;
        if is_in_order { Ok(candle) } else { Err(changed()) }
    }
}

/// Whether the file still begins with `bytes` bytes of this hash, and goes on with a new line there.
pub(super) fn begins_with(source: &Source, bytes: u64, hash: &str) -> io::Result<bool> {
    let mut file = File::open(&source.file)?;
    let mut digest = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    let (mut left, mut last) = (bytes, b'\n');
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = file.read(buffer.get_mut(..want).unwrap_or_default())?;
        let Some(got) = buffer.get(..read).filter(|got| !got.is_empty()) else { return Ok(false) };
        digest.update(got);
        last = *got.last().unwrap_or(&last);
        left -= read as u64;
    }
    let mut next = [b'\n'];
    let is_whole = last == b'\n' || file.read(&mut next)? == 0 || matches!(next, [b'\n' | b'\r']);
    Ok(is_whole && digest.finalize().to_hex().as_str() == hash)
}
