//! One file of a replay, row by row: Kraken's OHLCVT layout to candles.
//!
//! Rows are `unix seconds, open, high, low, close, volume, trades`, without a header. Anything that is not exactly that
//! is refused with file, line and reason. One line is in memory at a time.

use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};

use rust_decimal::Decimal;

use super::{ReplayError, RowProblem};
use crate::domain::{Candle, Symbol, Timestamp};

const COLUMNS: usize = 7;

/// Far above seven numbers.
const LINE_BYTES_MAX: u64 = 1_000;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Unix seconds of 1971 to 2200: what lies outside is another unit or a slip.
const TIMES: std::ops::Range<i64> = 31_536_000..7_258_118_400;

/// Units in which others write times, and what makes seconds of them.
const UNITS: [(&str, i64, &str); 3] = [
    ("milliseconds", 1_000, "1,000"),
    ("microseconds", 1_000_000, "1,000,000"),
    ("nanoseconds", 1_000_000_000, "1,000,000,000"),
];

/// The rows of one file, in its order.
#[derive(Debug)]
pub(super) struct Rows<R> {
    file: PathBuf,
    input: R,
    /// The last one read, from 1.
    line: usize,
    buffer: Vec<u8>,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(file: &Path, input: R) -> Self {
        Self { file: file.to_owned(), input, line: 0, buffer: Vec::new() }
    }

    /// The next row; none at the end. Empty lines at the end do not count.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, ReplayError> {
        let mut empty_line = None;
        while self.next_line()? {
            let text =
                std::str::from_utf8(&self.buffer).map_err(|_| self.at(self.line, RowProblem::NotText))?;
            let text = text.trim();
            if text.is_empty() {
                empty_line = empty_line.or(Some(self.line));
                continue;
            }
            if let Some(line) = empty_line {
                return Err(self.at(line, RowProblem::Columns { found: 1 }));
            }
            return Row::parse(text).map(Some).map_err(|problem| self.at(self.line, problem));
        }
        Ok(None)
    }

    /// A problem of the row that was read last.
    pub(super) fn here(&self, problem: RowProblem) -> ReplayError {
        self.at(self.line, problem)
    }

    pub(super) const fn line(&self) -> usize {
        self.line
    }

    fn next_line(&mut self) -> Result<bool, ReplayError> {
        self.buffer.clear();
        self.line += 1;
        let mut limited = (&mut self.input).take(LINE_BYTES_MAX);
        let read = limited
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| ReplayError::Unreadable { file: self.file.clone(), error })?;
        if read as u64 == LINE_BYTES_MAX && !self.buffer.ends_with(b"\n") {
            return Err(self.at(self.line, RowProblem::TooLong { max: LINE_BYTES_MAX }));
        }
        if self.line == 1 && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(read > 0)
    }

    fn at(&self, line: usize, problem: RowProblem) -> ReplayError {
        ReplayError::Row { file: self.file.clone(), line, problem }
    }
}

/// The numbers of one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) secs: i64,
    open: Decimal,
    high: Decimal,
    low: Decimal,
    close: Decimal,
    volume: Decimal,
}

impl Row {
    fn parse(line: &str) -> Result<Self, RowProblem> {
        let found = line.split(',').count();
        if found != COLUMNS {
            return Err(RowProblem::Columns { found });
        }
        let mut fields = line.split(',').map(str::trim);
        let mut field = || fields.next().unwrap_or_default();
        let secs = unix_seconds(whole(field(), "time")?)?;
        let [open, high, low, close, volume] = [
            decimal(field(), "open")?,
            decimal(field(), "high")?,
            decimal(field(), "low")?,
            decimal(field(), "close")?,
            decimal(field(), "volume")?,
        ];
        let trades = field();
        if whole(trades, "trades")?.is_negative() {
            return Err(RowProblem::NotANumber { column: "trades", text: trades.into() });
        }
        Ok(Self { secs, open, high, low, close, volume })
    }

    /// The row as a candle of this length, if its numbers can be one.
    pub(super) fn candle(self, symbol: &Symbol, interval_secs: u32) -> Result<Candle, RowProblem> {
        let Self { secs, open, high, low, close, volume } = self;
        let (symbol, open_time) = (symbol.clone(), Timestamp::from_secs(secs));
        let candle =
            Candle { symbol, open_time, interval_secs, open, high, low, close, volume, synthetic: false };
        Ok(candle.validated()?)
    }
}

fn unix_seconds(found: i64) -> Result<i64, RowProblem> {
    if TIMES.contains(&found) {
        return Ok(found);
    }
    let other = UNITS.iter().find(|(_, per_second, _)| TIMES.contains(&(found / per_second)));
    Err(match other {
        Some(&(unit, _, divisor)) => RowProblem::OtherUnit { found, unit, divisor },
        None => RowProblem::NotATime { found },
    })
}

/// A whole number, also as others write one: `5.0`.
fn whole(text: &str, column: &'static str) -> Result<i64, RowProblem> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number = digits.parse();
    if fraction.bytes().all(|digit| digit == b'0')
        && let Ok(number) = number
    {
        return Ok(number);
    }
    let is_number = number.is_ok() && fraction.bytes().all(|digit| digit.is_ascii_digit());
    Err(if is_number {
        RowProblem::NotWhole { column, text: text.into() }
    } else {
        RowProblem::NotANumber { column, text: text.into() }
    })
}

/// A decimal number, also as others write very small ones: `8e-08`.
fn decimal(text: &str, column: &'static str) -> Result<Decimal, RowProblem> {
    let parsed = text.parse().or_else(|error| {
        let is_scientific = text.contains(['e', 'E']);
        if is_scientific { Decimal::from_scientific(text) } else { Err(error) }
    });
    parsed.map_err(|_| RowProblem::NotANumber { column, text: text.into() })
}
