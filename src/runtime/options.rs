//! What one run is asked to do: plain data, filled by the command line and by tests.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::config::{Config, Restart};
use crate::domain::Symbol;
use crate::market::{ReplayError, ReplayFeed};
use crate::store::DataDir;

/// Everything a run needs to know.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line, independent of the others"
)]
pub struct RunOptions {
    /// Where candles come from.
    pub market: MarketChoice,
    /// How fast market time goes.
    pub speed: Speed,
    /// From which the simulated market, and all ids, derive.
    pub seed: u64,
    /// End after this much market time; none means the market's end, or the operator's.
    pub run_for: Option<Duration>,
    /// Whether the console is drawn.
    pub console: bool,
    /// What is printed at the end of a run without console.
    pub summary: SummaryFormat,
    /// What the scripted operator does (YAML).
    pub operator_script: Option<PathBuf>,
    /// Name of the operator for the record; none means the user of the operating system.
    pub operator: Option<String>,
    /// Where journal, store and log are; none means a fresh temporary one.
    pub data_dir: Option<PathBuf>,
    /// Wait for the disk at `Speed::Max` too.
    pub durable: bool,
    /// File or pipe that is told how far the journal is on the disk.
    pub anchors: Option<PathBuf>,
    /// The console only shows; it sends no commands.
    pub read_only: bool,
    /// Draw with ASCII only.
    pub ascii: bool,
    /// How many colours are used.
    pub color: ColorChoice,
    /// The configuration in force, with the symbols of the market ([`MarketChoice::symbols`]).
    pub config: Arc<Config>,
}

/// Where candles come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketChoice {
    /// Made up from a seed.
    Simulated,
    /// Read from files of one symbol each.
    Replay(Vec<PathBuf>),
}

/// Why a text names no market.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MarketChoiceError {
    /// `replay:` without a file, or with an empty name.
    #[error("a replay needs its files: write replay:FILE or replay:FILE,FILE")]
    NoFile,
    /// A market of a later version.
    #[error(
        "the Kraken feed is not in this version; use simulated, or replay:FILE with candles from a CSV file"
    )]
    NotInThisVersion,
    /// Anything else.
    #[error("`{0}` is not a market: write simulated or replay:FILE[,FILE..]")]
    Unknown(String),
}

impl FromStr for MarketChoice {
    type Err = MarketChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "simulated" => Ok(Self::Simulated),
            None if text == "kraken" => Err(MarketChoiceError::NotInThisVersion),
            None if text == "replay" => Err(MarketChoiceError::NoFile),
            Some(("replay", files)) => {
                let files = split_files(files);
                let is_missing = files.iter().any(String::is_empty);
                let files = files.into_iter().map(PathBuf::from).collect();
                if is_missing { Err(MarketChoiceError::NoFile) } else { Ok(Self::Replay(files)) }
            }
            None | Some(_) => Err(MarketChoiceError::Unknown(text.to_owned())),
        }
    }
}

/// Commas separate the files; one behind a backslash is part of a path.
fn split_files(text: &str) -> Vec<String> {
    let mut files = vec![String::new()];
    let mut rest = text;
    while let Some(at) = rest.find(',') {
        let before = &rest[..at];
        let path = before.strip_suffix('\\');
        files.last_mut().into_iter().for_each(|file| file.push_str(path.unwrap_or(before)));
        match path {
            Some(_) => files.last_mut().into_iter().for_each(|file| file.push(',')),
            None => files.push(String::new()),
        }
        rest = &rest[at + 1..];
    }
    files.last_mut().into_iter().for_each(|file| file.push_str(rest));
    files
}

impl fmt::Display for MarketChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulated => f.write_str("simulated"),
            Self::Replay(files) => {
                let names: Vec<_> =
                    files.iter().map(|file| file.display().to_string().replace(',', "\\,")).collect();
                write!(f, "replay:{}", names.join(","))
            }
        }
    }
}

impl MarketChoice {
    /// Whether its time is the world's own: then no speed but 1 is possible, and a restart always comes up PAUSED.
    pub const fn is_real(&self) -> bool {
        match self {
            Self::Simulated | Self::Replay(_) => false,
        }
    }

    /// The symbols that the market brings along; none where the configuration names them.
    ///
    /// # Errors
    /// The name of a file says no symbol.
    pub fn symbols(&self) -> Result<Option<Vec<Symbol>>, ReplayError> {
        match self {
            Self::Simulated => Ok(None),
            Self::Replay(files) => ReplayFeed::symbols_of(&file_names(files)).map(Some),
        }
    }

    /// Refuses a configuration that this market must not be run with. What does not depend on the market has been
    /// checked when the configuration was read.
    ///
    /// # Errors
    /// `control.restart: last` on a real market; the text names file and key.
    pub fn accepts(&self, config: &Config) -> Result<(), String> {
        accepts(self.is_real(), config.orchestration.control.restart)
    }
}

/// A replay's files as they were written.
pub(super) fn file_names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.to_string_lossy().into_owned()).collect()
}

fn accepts(is_real: bool, restart: Restart) -> Result<(), String> {
    match restart {
        Restart::Last if is_real => {
            Err("orchestration.yaml: control.restart: `last` is for simulated and replayed \
                                         markets only; allowed here: paused"
                .to_owned())
        }
        Restart::Last | Restart::Paused => Ok(()),
    }
}

/// How fast market time goes against operator time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// So many times, 1 to [`Speed::TIMES_MAX`].
    Times(u32),
    /// As fast as the machine can: both clocks are virtual.
    Max,
}

/// Why a text is not a speed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a speed: write a whole number from 1 to {max}, or max", max = Speed::TIMES_MAX)]
pub struct SpeedError(String);

impl Speed {
    /// Above this a minute of the market is shorter than a frame of the console; `max` is meant then.
    pub const TIMES_MAX: u32 = 3_600;
}

impl Default for Speed {
    fn default() -> Self {
        Self::Times(60)
    }
}

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(times) if (1..=Self::TIMES_MAX).contains(&times) => Ok(Self::Times(times)),
            Err(_) if text == "max" => Ok(Self::Max),
            Ok(_) | Err(_) => Err(SpeedError(text.to_owned())),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// What is printed at the end of a run without console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SummaryFormat {
    /// For a person.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// How many colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// What the terminal says it can.
    #[default]
    Auto,
    /// None.
    Never,
    /// The 16 of every terminal.
    Ansi16,
    /// 256.
    Ansi256,
    /// 24 bit.
    TrueColor,
}

/// The data directory of an identity (market, account currency, seed): each has its own, so that the history of one
/// is never continued by another. None at [`Speed::Max`], where a fresh temporary one is used, and when there is no
/// home directory.
pub fn default_data_dir(market: &MarketChoice, seed: u64, config: &Config, pace: Speed) -> Option<PathBuf> {
    if pace == Speed::Max {
        return None;
    }
    Some(DataDir::default_parent().ok()?.join(identity(market, seed, config)))
}

fn identity(market: &MarketChoice, seed: u64, config: &Config) -> String {
    /// Enough of a BLAKE3 hash to tell the file lists of one person apart.
    const DIGITS: usize = 8;
    let currency = &config.execution.account.currency;
    match market {
        MarketChoice::Simulated => format!("simulated-{currency}-seed-{seed}"),
        MarketChoice::Replay(files) => {
            let absolute = |file: &PathBuf| std::path::absolute(file).unwrap_or_else(|_| file.clone());
            let names: Vec<_> = files.iter().map(absolute).collect();
            let joined: Vec<_> = names.iter().map(|name: &PathBuf| name.to_string_lossy()).collect();
            let hash = blake3::hash(joined.join("\n").as_bytes()).to_hex();
            let first = names.first().and_then(|name| Path::file_stem(name)).unwrap_or_default();
            format!("replay-{currency}-{}-{}", first.to_string_lossy(), &hash[..DIGITS])
        }
    }
}

/// A simulated run of this length from seed 1, in virtual time and by the default configuration.
#[cfg(test)]
pub(crate) fn simulated_for(span: std::time::Duration) -> RunOptions {
    RunOptions {
        market: MarketChoice::Simulated,
        speed: Speed::Max,
        seed: 1,
        run_for: Some(span),
        console: false,
        summary: SummaryFormat::Text,
        operator_script: None,
        operator: None,
        data_dir: None,
        durable: false,
        anchors: None,
        read_only: false,
        ascii: false,
        color: ColorChoice::Auto,
        config: Arc::new(Config::defaults().unwrap()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markets_read_back_as_written() {
        for text in ["simulated", "replay:a.csv", "replay:a.csv,dir/b.csv", r"replay:a\,b/c.csv,d.csv,\,"] {
            assert_eq!(text.parse::<MarketChoice>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_comma_in_a_path_is_written_with_a_backslash() {
        let market = r"replay:1\,2/BTCUSDT_1.csv,XRPUSDT_1.csv".parse();
        assert_eq!(
            market,
            Ok(MarketChoice::Replay(vec!["1,2/BTCUSDT_1.csv".into(), "XRPUSDT_1.csv".into()]))
        );
    }

    #[test]
    fn what_is_no_market_says_what_is() {
        for (text, expected) in [
            ("kraken", "not in this version"),
            ("replay", "replay:FILE"),
            ("replay:", "replay:FILE"),
            ("replay:a,,b", "replay:FILE"),
            ("binance", "write simulated or replay"),
            ("Simulated", "write simulated or replay"),
        ] {
            let error = text.parse::<MarketChoice>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn speeds_have_bounds() {
        assert_eq!("60".parse(), Ok(Speed::Times(60)));
        assert_eq!("max".parse(), Ok(Speed::Max));
        for text in ["0", "-1", "1.5", "3601", "MAX", "", "fast"] {
            assert!(text.parse::<Speed>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn restart_last_is_refused_on_a_real_market_only() {
        assert!(accepts(true, Restart::Last).unwrap_err().contains("control.restart"));
        assert!(accepts(true, Restart::Paused).is_ok());
        assert!(accepts(false, Restart::Last).is_ok());
    }

    #[test]
    fn identities_do_not_share_a_directory() {
        let config = Config::defaults().unwrap();
        let replay = |files: &str| format!("replay:{files}").parse::<MarketChoice>().unwrap();
        let names = [
            identity(&MarketChoice::Simulated, 7, &config),
            identity(&MarketChoice::Simulated, 8, &config),
            identity(&replay("x/btc.csv"), 7, &config),
            identity(&replay("y/btc.csv"), 7, &config),
        ];
        assert_eq!(names[0], "simulated-USDT-seed-7");
        assert!(names[2].starts_with("replay-USDT-btc-"));
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
