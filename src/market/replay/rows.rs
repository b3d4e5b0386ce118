//! One file of a replay: Kraken's OHLCVT layout to candles.
//!
//! Rows are `unix seconds, open, high, low, close, volume, trades`, without a header. Anything that is not exactly that
//! is refused with file, line and reason before the first candle is played.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::string::FromUtf8Error;

use rust_decimal::Decimal;

use super::{ReplayError, RowProblem};
use crate::domain::{Candle, Symbol, Timestamp};

const COLUMNS: usize = 7;

/// Unix seconds of 1971 to 2200: what lies outside is another unit or a slip.
const TIMES: std::ops::Range<i64> = 31_536_000..7_258_118_400;

/// Quote assets by which a file name such as `BTCUSDT_1.csv` is split; longer ones first.
const QUOTES: [&str; 12] =
    ["USDT", "USDC", "USD", "EUR", "GBP", "CHF", "JPY", "CAD", "AUD", "XBT", "BTC", "ETH"];

/// Kraken's own codes and what everyone else calls them.
const KRAKEN_CODES: [(&str, &str); 2] = [("XBT", "BTC"), ("XDG", "DOGE")];

/// A file that was named on the command line: `BTCUSDT_1.csv` or `BTC/USDT=any.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) symbol: Symbol,
    pub(super) file: PathBuf,
    /// From the file name; none means from the rows.
    pub(super) interval_secs: Option<u32>,
}

impl Source {
    /// Reads `SYMBOL=FILE`, or symbol and interval from the name of the file.
    pub(super) fn parse(spec: &str) -> Result<Self, ReplayError> {
        let (symbol, file) = spec.split_once('=').map_or((None, spec), |(symbol, file)| (Some(symbol), file));
        let unclear = |reason: &str| {
            let (spec, file) = (spec.to_owned(), file.to_owned());
            ReplayError::Name { spec, file, reason: reason.to_owned() }
        };
        if let Some(symbol) = symbol {
            let symbol = Symbol::new(symbol).map_err(|error| unclear(&error.to_string()))?;
            return Ok(Self { symbol, file: file.into(), interval_secs: None });
        }
        let file = Path::new(file);
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let (pair, minutes) =
            stem.rsplit_once('_').ok_or_else(|| unclear("there is no `_MINUTES` in its name"))?;
        let interval_secs = minutes
            .parse::<u32>()
            .ok()
            .and_then(|minutes| minutes.checked_mul(60))
            .filter(|secs| *secs > 0)
            .ok_or_else(|| unclear(&format!("`{minutes}` is not a number of minutes")))?;
        let (base, quote) = QUOTES
            .iter()
            .find_map(|quote| pair.strip_suffix(quote).filter(|b| !b.is_empty()).map(|b| (b, *quote)))
            .ok_or_else(|| unclear(&format!("`{pair}` does not end in a known quote asset")))?;
        let text = format!("{}/{}", common_code(base), common_code(quote));
        let symbol = Symbol::new(&text).map_err(|error| unclear(&error.to_string()))?;
        Ok(Self { symbol, file: file.into(), interval_secs: Some(interval_secs) })
    }

    /// All candles of the file's text, checked.
    pub(super) fn candles(&self, text: &str) -> Result<Vec<Candle>, ReplayError> {
        let mut rows = Vec::new();
        for (line, row) in numbered(text) {
            rows.push((line, Row::parse(row).map_err(|problem| self.at(line, problem))?));
        }
        let interval_secs = self.interval_of(&rows)?;
        let mut candles: Vec<Candle> = Vec::with_capacity(rows.len());
        for (line, row) in rows {
            if row.secs.rem_euclid(i64::from(interval_secs)) != 0 {
                return Err(self.at(line, RowProblem::OffGrid { secs: row.secs, interval_secs }));
            }
            let candle = Candle {
                symbol: self.symbol.clone(),
                open_time: Timestamp::from_secs(row.secs),
                interval_secs,
                open: row.open,
                high: row.high,
                low: row.low,
                close: row.close,
                volume: row.volume,
            };
            candles.push(candle.validated().map_err(|error| self.at(line, error.into()))?);
        }
        Ok(candles)
    }

    /// Which line is no text.
    pub(super) fn not_text(&self, error: &FromUtf8Error) -> ReplayError {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        self.at(before.filter(|byte| **byte == b'\n').count() + 1, RowProblem::NotText)
    }

    /// The interval of the name, or the smallest distance of two rows; checks that time goes forward.
    fn interval_of(&self, rows: &[(usize, Row)]) -> Result<u32, ReplayError> {
        let mut smallest = None;
        for pair in rows.windows(2) {
            let [(_, before), (line, after)] = pair else { continue };
            if after.secs <= before.secs {
                let problem = RowProblem::NotLater { secs: after.secs, previous: before.secs };
                return Err(self.at(*line, problem));
            }
            let distance = after.secs.saturating_sub(before.secs);
            smallest = Some(smallest.map_or(distance, |s: i64| s.min(distance)));
        }
        if rows.is_empty() {
            return Err(ReplayError::Empty { file: self.file.clone() });
        }
        let spaced = smallest.and_then(|secs| u32::try_from(secs).ok());
        self.interval_secs.or(spaced).ok_or_else(|| ReplayError::NoInterval { file: self.file.clone() })
    }

    fn at(&self, line: usize, problem: RowProblem) -> ReplayError {
        ReplayError::Row { file: self.file.clone(), line, problem }
    }
}

fn common_code(code: &str) -> &str {
    KRAKEN_CODES.iter().find(|(kraken, _)| *kraken == code).map_or(code, |(_, common)| common)
}

/// Lines with their numbers from 1; empty lines at the end do not count.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.trim_end().lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// The numbers of one row.
#[derive(Debug, Clone, Copy)]
struct Row {
    secs: i64,
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
        let secs = number(&mut fields, "time")?;
        if !TIMES.contains(&secs) {
            return Err(RowProblem::NotATime { secs });
        }
        let [open, high, low, close, volume] = [
            number(&mut fields, "open")?,
            number(&mut fields, "high")?,
            number(&mut fields, "low")?,
            number(&mut fields, "close")?,
            number(&mut fields, "volume")?,
        ];
        let _trades: u64 = number(&mut fields, "trades")?;
        Ok(Self { secs, open, high, low, close, volume })
    }
}

fn number<'a, T: FromStr>(
    fields: &mut impl Iterator<Item = &'a str>,
    column: &'static str,
) -> Result<T, RowProblem> {
    let text = fields.next().unwrap_or_default();
    text.parse().map_err(|_| RowProblem::NotANumber { column, text: text.into() })
}
