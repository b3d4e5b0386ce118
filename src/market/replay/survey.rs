//! The first reading of a file: every row is checked before the first candle is played, and none is kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::time::Duration;

use super::name::Source;
use super::rows::Rows;
use super::{ReplayError, RowProblem};
use crate::domain::Timestamp;

/// So many distances of rows that are all the same are no accident: at one trade in two minutes, 1 in 250,000.
const ALIKE_MIN: u64 = 9;
/// So many distances that are all multiples of one are no accident either.
const MULTIPLES_MIN: u64 = 19;
/// The usual distance is that of at least so many of ten.
const OF_TEN_MIN: u64 = 9;

/// What one reading has shown of a file.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Of all its bytes.
    pub(super) hash: blake3::Hash,
    pub(super) interval_secs: u32,
    /// Open times of the first and the last row, unix seconds.
    first_secs: i64,
    last_secs: i64,
}

impl Survey {
    /// Reads the whole file; `digest` takes its bytes too.
    pub(super) fn of(
        source: &Source,
        file: &File,
        bytes: u64,
        gap_max: Duration,
        digest: &mut blake3::Hasher,
    ) -> Result<Self, ReplayError> {
        let mut own = blake3::Hasher::new();
        let tapped = Tapped { inner: file.take(bytes), digests: [&mut own, digest] };
        let mut rows = Rows::new(&source.file, BufReader::new(tapped));
        let mut spacing: Option<Spacing> = None;
        while let Some(row) = rows.next_row()? {
            // A length of 1 s: it is not known yet, and the prices do not depend on it.
            row.candle(&source.symbol, 1).map_err(|problem| rows.here(problem))?;
            match &mut spacing {
                None => spacing = Some(Spacing::begin(row.secs)),
                Some(spacing) => {
                    let previous = spacing.last_secs;
                    spacing.push(row.secs).map_err(|problem| rows.here(problem))?;
                    let length = Timestamp::from_secs(row.secs).since(Timestamp::from_secs(previous));
                    if length > gap_max {
                        let (from, line) = (Timestamp::from_secs(previous), rows.line());
                        let file = source.file.clone();
                        return Err(ReplayError::Gap { file, line, from, length, max: gap_max });
                    }
                }
            }
        }
        drop(rows);
        if own.count() != bytes {
            return Err(ReplayError::Changed { file: source.file.clone() });
        }
        let spacing = spacing.ok_or_else(|| ReplayError::Empty { file: source.file.clone() })?;
        let interval_secs = spacing.interval(source)?;
        spacing.check_grid(source, file, interval_secs)?;
        Ok(Self {
            rows: spacing.rows,
            bytes,
            hash: own.finalize(),
            interval_secs,
            first_secs: spacing.first_secs,
            last_secs: spacing.last_secs,
        })
    }

    /// When the first candle opens.
    pub(super) fn starts_at(&self) -> Timestamp {
        Timestamp::from_secs(self.first_secs)
    }

    /// When the last candle closes.
    pub(super) fn ends_at(&self) -> Timestamp {
        Timestamp::from_secs(self.last_secs).plus(Duration::from_secs(u64::from(self.interval_secs)))
    }
}

/// How far the rows of a file are apart.
#[derive(Debug)]
struct Spacing {
    rows: u64,
    first_secs: i64,
    last_secs: i64,
    /// How often each distance comes, seconds. Few: their sum ends in 2200.
    distances: BTreeMap<i64, u64>,
}

impl Spacing {
    fn begin(secs: i64) -> Self {
        Self { rows: 1, first_secs: secs, last_secs: secs, distances: BTreeMap::new() }
    }

    fn push(&mut self, secs: i64) -> Result<(), RowProblem> {
        let previous = std::mem::replace(&mut self.last_secs, secs);
        if secs <= previous {
            return Err(RowProblem::NotLater { secs, previous });
        }
        self.rows += 1;
        *self.distances.entry(secs - previous).or_default() += 1;
        Ok(())
    }

    /// The interval of the name, or the shortest distance of two rows. The usual distance must not speak against it.
    fn interval(&self, source: &Source) -> Result<u32, ReplayError> {
        let shortest = self.distances.keys().next().and_then(|secs| u32::try_from(*secs).ok());
        let interval_secs = source
            .interval_secs
            .or(shortest)
            .ok_or_else(|| ReplayError::NoInterval { file: source.file.clone() })?;
        match self.usual().and_then(|secs| u32::try_from(secs).ok()) {
            Some(usual_secs) if usual_secs != interval_secs => Err(ReplayError::WrongInterval {
                file: source.file.clone(),
                is_named: source.interval_secs.is_some(),
                interval_secs,
                usual_secs,
            }),
            Some(_) | None => Ok(interval_secs),
        }
    }

    /// The distance of nearly all rows; else the longest one of which all distances are multiples. None where there are
    /// too few rows to tell a rule from an accident.
    fn usual(&self) -> Option<i64> {
        let count = self.rows - 1;
        let (distance, often) = self.distances.iter().max_by_key(|(_, often)| **often)?;
        if count >= ALIKE_MIN && often * 10 >= count * OF_TEN_MIN {
            return Some(*distance);
        }
        (count >= MULTIPLES_MIN).then(|| self.common_divisor()).filter(|common| *common >= 60)
    }

    fn common_divisor(&self) -> i64 {
        self.distances.keys().copied().fold(0, greatest_common_divisor)
    }

    /// Every row begins a candle. Only where one does not is the file read again, for its line.
    fn check_grid(&self, source: &Source, mut file: &File, interval_secs: u32) -> Result<(), ReplayError> {
        let grid = i64::from(interval_secs);
        if greatest_common_divisor(self.first_secs, self.common_divisor()) % grid == 0 {
            return Ok(());
        }
        io::Seek::rewind(&mut file)
            .map_err(|error| ReplayError::Unreadable { file: source.file.clone(), error })?;
        let mut rows = Rows::new(&source.file, BufReader::new(file));
        while let Some(row) = rows.next_row()? {
            if row.secs % grid != 0 {
                return Err(rows.here(RowProblem::OffGrid { secs: row.secs, interval_secs }));
            }
        }
        Err(ReplayError::Changed { file: source.file.clone() })
    }
}

/// Euclid's; that of 0 and a number is the number.
const fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Passes bytes on to those who sum them up.
struct Tapped<'d, R> {
    inner: R,
    digests: [&'d mut blake3::Hasher; 2],
}

impl<R: Read> Read for Tapped<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for digest in &mut self.digests {
            digest.update(buffer.get(..read).unwrap_or_default());
        }
        Ok(read)
    }
}
