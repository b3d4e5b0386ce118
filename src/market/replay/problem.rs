//! What is wrong with the files of a replay, in words that say what to do.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::domain::{CandleError, Symbol, Timestamp, Untrusted, days_hms};

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
    /// A line without an end.
    #[error("the line is longer than {max} bytes; give a CSV file with a row on each line")]
    TooLong {
        /// Most bytes of a line.
        max: u64,
    },
    /// A field that is not a number.
    #[error("{column} is not a number: `{}`", text.sanitize(30))]
    NotANumber {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: Untrusted,
    },
    /// A count with a fraction.
    #[error("{column} is not a whole number: `{}`", text.sanitize(30))]
    NotWhole {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: Untrusted,
    },
    /// Prices that cannot be one candle's.
    #[error(transparent)]
    Candle(#[from] CandleError),
    /// A time in another unit.
    #[error("time {found} is in {unit}, not in seconds: divide the times by {divisor}")]
    OtherUnit {
        /// What is there.
        found: i64,
        /// The unit in which it is a time of a market.
        unit: &'static str,
        /// What makes seconds of it.
        divisor: &'static str,
    },
    /// A time that no market has seen.
    #[error("time {found} is not in unix seconds (1971 to 2200)")]
    NotATime {
        /// What is there.
        found: i64,
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
    /// The name can be read as two pairs.
    #[error("`{spec}`: `{pair}` can be read as {} or {}. Write {}={spec} or {}={spec}", readings.0, readings.1, readings.0, readings.1)]
    Ambiguous {
        /// As it was given.
        spec: String,
        /// The pair in it.
        pair: String,
        /// What it may be.
        readings: (String, String),
    },
    /// The file cannot be read.
    #[error("{}: {error}. Check the path; commas separate the files of a replay, \\, is a comma in a path", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file became another one while it was read.
    #[error("{}: the file was changed while it was read. Start again when nobody writes to it", file.display())]
    Changed {
        /// Which.
        file: PathBuf,
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
    /// The rows are spaced otherwise than they should be.
    #[error(
        "{}: {} says candles of {}, but the rows are usually {} apart. Give the file the minutes of its rows \
         ({} instead of {}), or correct the rows",
        file.display(), if *is_named { "its name" } else { "the shortest distance of two rows" },
        span(*interval_secs), span(*usual_secs), minutes(*usual_secs), minutes(*interval_secs)
    )]
    WrongInterval {
        /// Which file.
        file: PathBuf,
        /// Whether the interval is that of its name, or of its rows.
        is_named: bool,
        /// Length of a candle by that.
        interval_secs: u32,
        /// The usual distance of its rows.
        usual_secs: u32,
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
    /// Nothing for so long that no run could go on.
    #[error(
        "{}:{line}: {} without a row before this one (from {from}), more than market.gap_max ({}). Cut the file in two \
         there and play each part by itself, or raise market.gap_max in orchestration.yaml",
        file.display(), days(*length), days(*max)
    )]
    Gap {
        /// Which file.
        file: PathBuf,
        /// Of the row behind the gap.
        line: usize,
        /// Its beginning.
        from: Timestamp,
        /// Its length.
        length: Duration,
        /// The longest that is played.
        max: Duration,
    },
    /// The same between two files.
    #[error(
        "{} begins {} after the files before it end, more than market.gap_max ({}). Play it by itself, or raise \
         market.gap_max in orchestration.yaml",
        file.display(), days(*length), days(*max)
    )]
    Apart {
        /// The later file.
        file: PathBuf,
        /// How long nothing is there.
        length: Duration,
        /// The longest that is played.
        max: Duration,
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

/// `5 min`, or seconds where it is no whole number of minutes.
fn span(secs: u32) -> String {
    if secs.is_multiple_of(60) { format!("{} min", secs / 60) } else { format!("{secs} s") }
}

/// `_5`: how the name of a file says it.
fn minutes(secs: u32) -> String {
    format!("_{}", secs / 60)
}

fn days(span: Duration) -> String {
    days_hms(span)
}
