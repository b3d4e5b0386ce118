//! Tracing into a daily file and into memory, never to the terminal, which belongs to the console.
//!
//! The file is written by a thread of its own, so that a slow disk delays nobody; lines it cannot keep up with are
//! dropped by `tracing-appender`, which is right for diagnosis and wrong for facts: facts go to the journal.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Days of log that are kept.
const LOG_FILES_MAX: usize = 14;

/// Longest text of a kept line, in bytes; model and venue texts may be long.
const LINE_BYTES_MAX: usize = 2_048;

/// Why nothing is logged.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// `RUST_LOG` is not readable.
    #[error(
        "RUST_LOG is not readable: {0}; write a level (info) or target=level pairs (info,andon::bus=debug)"
    )]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The log directory or file cannot be made.
    #[error("cannot write the log: {0}")]
    File(#[from] tracing_appender::rolling::InitError),
    /// The log directory cannot be made.
    #[error("cannot make the log directory: {0}")]
    Directory(#[from] std::io::Error),
    /// Somebody has set up tracing before.
    #[error("tracing is set up already in this process")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends the events of the whole process to `<data_dir>/log/andon.<day>.log`, and to `lines` where somebody
/// reads them. `filter` is the text of `RUST_LOG`; none means INFO. The file is complete once the guard has been dropped.
///
/// # Errors
/// The filter is not readable, the file cannot be made, or this is the second call.
pub fn init(
    data_dir: &Path,
    filter: Option<&str>,
    lines: Option<LogLines>,
) -> Result<WorkerGuard, TelemetryError> {
    let (subscriber, guard) = subscriber(data_dir, filter, lines)?;
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(guard)
}

fn subscriber(
    data_dir: &Path,
    filter: Option<&str>,
    lines: Option<LogLines>,
) -> Result<(impl Subscriber + Send + Sync + use<>, WorkerGuard), TelemetryError> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(filter.unwrap_or_default())?;
    let directory = data_dir.join("log");
    std::fs::create_dir_all(&directory)?;
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("andon")
        .filename_suffix("log")
        .max_log_files(LOG_FILES_MAX)
        .build(directory)?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let to_file = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    Ok((tracing_subscriber::registry().with(filter).with(to_file).with(lines), guard))
}

/// One event, ready to be shown. Its text may hold foreign words: whoever shows it cleans it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Wall time, RFC 3339 in UTC.
    pub at: String,
    /// How much it matters.
    pub level: Level,
    /// The module it comes from.
    pub target: String,
    /// Message and fields.
    pub text: String,
}

/// The latest events, bounded; the oldest is dropped for the newest. Clones share the same lines.
#[derive(Debug, Clone)]
pub struct LogLines(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    lines: VecDeque<Arc<LogLine>>,
    lines_max: usize,
    total: u64,
}

impl LogLines {
    /// Keeps at most `lines_max` lines, at least one.
    pub fn new(lines_max: usize) -> Self {
        let lines_max = lines_max.max(1);
        Self(Arc::new(Mutex::new(Kept { lines: VecDeque::new(), lines_max, total: 0 })))
    }

    /// The kept lines, oldest first, and how many there were in all since the start.
    pub fn read(&self) -> (Vec<Arc<LogLine>>, u64) {
        let kept = self.lock();
        (kept.lines.iter().cloned().collect(), kept.total)
    }

    /// How many lines there were since the start: whether reading again is worth it.
    pub fn total(&self) -> u64 {
        self.lock().total
    }

    fn push(&self, line: LogLine) {
        let line = Arc::new(line);
        let mut kept = self.lock();
        if kept.lines.len() >= kept.lines_max {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
        kept.total += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A panic while a line was pushed leaves the list usable; losing the log over it would hide the panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for LogLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut at = String::new();
        if SystemTime.format_time(&mut Writer::new(&mut at)).is_err() {
            at.clear();
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let metadata = event.metadata();
        let line =
            LogLine { at, level: *metadata.level(), target: metadata.target().to_owned(), text: text.0 };
        self.push(line);
    }
}

/// Collects message and fields: `filled symbol=BTC/USDT`.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = if field.name() == "message" {
            let rest = std::mem::take(&mut self.0);
            let space = if rest.is_empty() { "" } else { " " };
            write!(self.0, "{value:?}{space}{rest}")
        } else {
            let space = if self.0.is_empty() { "" } else { " " };
            write!(self.0, "{space}{}={value:?}", field.name())
        };
        if written.is_err() {
            self.0.push_str(" (a field could not be written)");
        }
        if self.0.len() > LINE_BYTES_MAX {
            self.0.truncate(self.0.floor_char_boundary(LINE_BYTES_MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_reach_the_file_and_the_ring_and_debug_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let lines = LogLines::new(10);
        let (subscriber, guard) = subscriber(dir.path(), None, Some(lines.clone())).unwrap();

        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(symbol = %"BTC/USDT", count = 3, "signal published");
            tracing::debug!("of no interest");
        });
        drop(guard);

        let (kept, total) = lines.read();
        assert_eq!(total, 1);
        assert_eq!(kept[0].text, "signal published symbol=BTC/USDT count=3");
        assert_eq!((kept[0].level, kept[0].at.len()), (Level::INFO, "2026-01-01T00:00:00.000000Z".len()));
        let file = std::fs::read_dir(dir.path().join("log")).unwrap().next().unwrap().unwrap().path();
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains("signal published") && !text.contains("of no interest"), "{text}");
        assert!(!text.contains('\x1b'), "colours in the file");
    }

    #[test]
    fn the_filter_is_that_of_rust_log() {
        let dir = tempfile::tempdir().unwrap();
        let lines = LogLines::new(10);
        let (subscriber, _guard) =
            subscriber(dir.path(), Some("warn,andon=debug"), Some(lines.clone())).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("ours");
            tracing::info!(target: "sled", "theirs");
        });
        assert_eq!(lines.total(), 1);
        assert!(matches!(
            super::subscriber(dir.path(), Some("andon=loud"), Some(lines)),
            Err(TelemetryError::Filter(_))
        ));
    }

    #[test]
    fn the_ring_drops_the_oldest_and_counts_all() {
        let lines = LogLines::new(2);
        for text in ["a", "b", "c"] {
            lines.push(LogLine {
                at: String::new(),
                level: Level::INFO,
                target: String::new(),
                text: text.into(),
            });
        }
        let (kept, total) = lines.read();
        assert_eq!(kept.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(total, 3);
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let lines = LogLines::new(1);
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("{}", "ä".repeat(LINE_BYTES_MAX));
        });
        assert_eq!(lines.read().0[0].text.len(), LINE_BYTES_MAX);
    }
}
