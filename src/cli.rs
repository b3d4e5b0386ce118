//! The command line: what can be asked of the program, and what it says about itself.

use std::path::PathBuf;
use std::time::Duration;

use andon::config::{ConfigFile, Overrides};
use andon::coordinator::record::RecordKind;
use andon::domain::Symbol;
use andon::runtime::options::{ColorChoice, MarketChoice, Speed, SummaryFormat};
use andon::store::audit::{About, Since};
use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  andon                                       a simulated market, 60 times as fast as a real one
  andon run --market replay:BTCUSDT_1.csv     real candles from a file
  andon run --speed max --for 30d --no-console --summary json
                                              a month at once, its result on stdout
  andon run --set portfolio.dca.legs_max=4    one value changed, for this run
  andon config init ~/.config/andon           the commented defaults, to be changed
  andon since 22:00                           what happened during the night
  andon why BTC/USDT                          what stopped its last signal
  andon handover                              one page for whoever takes over
  andon config check                          all that is wrong with them, each with its line

Keys in the console: p pause, H halt, ctrl-x halt at once, ? help. `andon keys` lists them all.

Exit codes: 0 ok, 1 failed, 2 wrong configuration or usage, 3 another andon is running on this data directory.";

/// Runs a multi-agent trading system under the eyes and hands of one person.
///
/// Without a subcommand `andon` runs: the options of `andon run` may be given directly. Orders go to a paper venue
/// inside the program; no real money is ever moved.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub task: Option<Task>,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What is asked for.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Run market, agents and coordinator, and show them
    Run(Box<RunArgs>),
    /// Check, show or write the configuration
    #[command(subcommand)]
    Config(ConfigTask),
    /// List the keys of the console, as configured
    Keys(ConfigArgs),
    /// Work with the audit trail
    #[command(subcommand)]
    Audit(AuditTask),
    /// Put a data directory into one file, or make one of such a file
    #[command(subcommand)]
    State(StateTask),
    /// Show what happened since a time: 22:00, 90m, 2026-03-01, "2026-03-01 08:00" or an instant (UTC)
    Since {
        /// From when on
        since: Since,
        /// Data directory of the run [default: the one there is, if there is only one]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Say why the last signal of a symbol did not trade: the first rule that stood in its way
    Why {
        /// Which pair, such as BTC/USDT
        symbol: Symbol,
        /// Data directory of the run [default: the one there is, if there is only one]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Print one page for whoever takes over: state, positions, open alarms, what was done by whom
    Handover {
        /// From when on it says what was done [default: 24h]
        #[arg(long, value_name = "TIME")]
        since: Option<Since>,
        /// Data directory of the run [default: the one there is, if there is only one]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// `andon config ..`.
#[derive(Debug, Subcommand)]
pub enum ConfigTask {
    /// Say all that is wrong with the configuration, or nothing is
    Check(ConfigArgs),
    /// Print the values in force as YAML
    Show {
        /// Only this file: orchestration, agents, risk, portfolio, execution or console
        #[arg(value_parser = config_file)]
        file: Option<ConfigFile>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Write the commented defaults into a directory; nothing is overwritten
    Init {
        /// Where to; `~/.config/andon` is read without being named
        dir: PathBuf,
    },
}

/// `andon audit ..`.
#[derive(Debug, Subcommand)]
pub enum AuditTask {
    /// Check the hash chain of the journal and its anchors
    Verify {
        /// Also check against what `run --anchors` wrote, one number and hash a line
        #[arg(long, value_name = "FILE")]
        anchors: Option<PathBuf>,
        /// Data directory of the run [default: the one there is, if there is only one]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Show records, one line each
    Show {
        #[command(flatten)]
        trail: TrailArgs,
        /// Data directory of the run [default: the one there is, if there is only one]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Print records as JSON lines; the BLAKE3 of each is `prev` of the next
    Export {
        #[command(flatten)]
        trail: TrailArgs,
        /// Data directory of the run [default: the one there is, if there is only one]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// `andon state ..`.
#[derive(Debug, Subcommand)]
pub enum StateTask {
    /// Write all that must not be lost of a data directory into one file (tar); no run may be on
    Export {
        /// The file to write; it must not exist
        file: PathBuf,
        /// Data directory [default: the one there is, if there is only one]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Make a data directory of such a file; each file and the journal's end are checked
    Import {
        /// The file that `state export` wrote
        file: PathBuf,
        /// Directory to make; it must not exist, or be empty
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
        /// Also check the whole chain, apply every record from the first, and compare the state
        #[arg(long)]
        verify: bool,
    },
}

/// Which records.
#[derive(Debug, Default, Args)]
pub struct TrailArgs {
    /// Not before this: 22:00, 90m, 2026-03-01, "2026-03-01 08:00" or an instant (UTC; wall time, market time of runs
    /// at full speed)
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// Only this kind, such as fill or alarm; may be given again, or with commas
    #[arg(long = "kind", value_name = "KIND", value_parser = record_kind, value_delimiter = ',')]
    pub kinds: Vec<&'static str>,
    /// Only what is about this: #120 (record), c7 (command), d41 (decision), a3 (alarm), p2 (plan), p2/0 (leg),
    /// v9 (execution), or the UUID of an order
    #[arg(long = "id", value_name = "ID")]
    pub about: Option<About>,
}

impl TrailArgs {
    /// Everything since a time.
    pub fn since(since: Since) -> Self {
        Self { since: Some(since), ..Self::default() }
    }
}

/// Which configuration.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Directory with YAML files laid over the defaults key by key [default: ~/.config/andon, if it is there]
    #[arg(long = "config", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Change one value, such as orchestration.consensus.high=0.7; may be given again
    #[arg(long, value_name = "FILE.KEY=VALUE")]
    pub set: Vec<String>,
}

impl ConfigArgs {
    /// What is laid over the defaults: the directory given, else the one at home.
    pub fn overrides(&self) -> Overrides {
        let dir = self.dir.clone().or_else(andon::config::default_dir);
        Overrides { dir, set: self.set.clone(), symbols: None }
    }
}

/// `andon run ..`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct RunArgs {
    /// Where candles come from: simulated, or replay:FILE[,FILE..] (CSV: unix seconds, open, high, low, close,
    /// volume, trades; no header)
    #[arg(long, value_name = "MARKET", default_value = "simulated", help_heading = "Market")]
    pub market: MarketChoice,
    /// How many times faster than real the market goes, or max
    #[arg(long, value_name = "N|max", default_value_t, help_heading = "Market")]
    pub speed: Speed,
    /// From which the simulated market and all ids derive: same seed, same run
    #[arg(long, value_name = "N", default_value_t = 7, help_heading = "Market")]
    pub seed: u64,
    /// End after so much market time, such as 24h or 30d
    #[arg(long = "for", value_name = "SPAN", value_parser = span, help_heading = "Market")]
    pub run_for: Option<Duration>,

    #[command(flatten, next_help_heading = "Configuration")]
    pub config: ConfigArgs,

    /// Directory of journal, store and log [default: one per market, currency and seed; with --speed max a fresh
    /// temporary one]
    #[arg(long, value_name = "DIR", help_heading = "Record")]
    pub data_dir: Option<PathBuf>,
    /// Wait for the disk with --speed max too
    #[arg(long, help_heading = "Record")]
    pub durable: bool,
    /// Write number and hash of the journal's head to this file or pipe whenever more of it is on the disk; kept
    /// elsewhere, they prove later that nothing was lost or changed (see `audit verify --anchors`)
    #[arg(long, value_name = "FILE", help_heading = "Record")]
    pub anchors: Option<PathBuf>,

    /// Name of the operator in the record [default: the user of the operating system]
    #[arg(long, value_name = "NAME", value_parser = operator_name, help_heading = "Operator")]
    pub operator: Option<String>,
    /// What a scripted operator does: a YAML list of `at:` and `do:`
    #[arg(long, value_name = "FILE", help_heading = "Operator")]
    pub operator_script: Option<PathBuf>,
    /// Only look: the console sends no commands but pause and halt
    #[arg(long, help_heading = "Operator")]
    pub read_only: bool,

    /// Run without a screen and print a summary at the end
    #[arg(long, help_heading = "Screen")]
    pub no_console: bool,
    /// Form of the summary
    #[arg(long, value_name = "FORM", value_enum, default_value_t, help_heading = "Screen")]
    pub summary: Summary,
    /// Draw with ASCII only
    #[arg(long, help_heading = "Screen")]
    pub ascii: bool,
    /// How many colours to use
    #[arg(long, value_name = "COLORS", value_enum, default_value_t, help_heading = "Screen")]
    pub color: Colors,
}

/// `--summary`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Summary {
    /// For a person
    #[default]
    Text,
    /// One JSON object
    Json,
}

impl From<Summary> for SummaryFormat {
    fn from(summary: Summary) -> Self {
        match summary {
            Summary::Text => Self::Text,
            Summary::Json => Self::Json,
        }
    }
}

/// `--color`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Colors {
    /// What the terminal can
    #[default]
    Auto,
    /// None
    Never,
    /// The 16 of every terminal
    #[value(name = "16")]
    Ansi16,
    /// 256
    #[value(name = "256")]
    Ansi256,
    /// 24 bit
    #[value(name = "truecolor")]
    TrueColor,
}

impl From<Colors> for ColorChoice {
    fn from(colors: Colors) -> Self {
        match colors {
            Colors::Auto => Self::Auto,
            Colors::Never => Self::Never,
            Colors::Ansi16 => Self::Ansi16,
            Colors::Ansi256 => Self::Ansi256,
            Colors::TrueColor => Self::TrueColor,
        }
    }
}

fn record_kind(text: &str) -> Result<&'static str, String> {
    let known = RecordKind::NAMES.into_iter().find(|name| *name == text);
    known.ok_or_else(|| format!("no such kind; it is one of {}", RecordKind::NAMES.join(", ")))
}

fn config_file(text: &str) -> Result<ConfigFile, String> {
    let stem = text.strip_suffix(".yaml").unwrap_or(text);
    ConfigFile::of_stem(stem).ok_or_else(|| {
        let known = ConfigFile::ALL.map(ConfigFile::stem);
        format!("no such file; it is one of {}", known.join(", "))
    })
}

fn span(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(span) if span.is_zero() => Err("nothing happens in no time; write a span such as 24h".to_owned()),
        Ok(span) => Ok(span),
        Err(e) => Err(format!("{e}; write a span such as 90m, 24h or 30d")),
    }
}

/// The name goes into every record and onto the screen.
fn operator_name(text: &str) -> Result<String, String> {
    const CHARS_MAX: usize = 32;
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | '@'));
    if (1..=CHARS_MAX).contains(&text.chars().count()) && is_plain && text.trim() == text {
        Ok(text.to_owned())
    } else {
        Err(format!("a name has 1 to {CHARS_MAX} letters, digits, spaces, and . - _ @"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn run_args(words: &[&str]) -> RunArgs {
        let cli = Cli::try_parse_from(std::iter::once(&"andon").chain(words)).unwrap();
        match cli.task {
            None => cli.run,
            Some(Task::Run(args)) => *args,
            Some(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_options_are_the_same_with_and_without_the_subcommand() {
        let options = ["--seed", "9", "--speed", "max", "--for", "2days", "--color", "16"];
        for words in [options.to_vec(), [&["run"], &options[..]].concat()] {
            let args = run_args(&words);
            assert_eq!((args.seed, args.speed), (9, Speed::Max));
            assert_eq!(args.run_for, Some(Duration::from_secs(172_800)));
            assert!(matches!(args.color, Colors::Ansi16));
        }
    }

    #[test]
    fn without_options_the_defaults_hold() {
        let args = run_args(&[]);
        assert_eq!((args.market, args.speed, args.seed), (MarketChoice::Simulated, Speed::Times(60), 7));
        assert!(!args.no_console && !args.durable && !args.read_only);
    }

    #[test]
    fn wrong_values_are_refused_with_advice() {
        for (words, expected) in [
            (["--market", "kraken"], "not in this version"),
            (["--market", "mars"], "write simulated or replay"),
            (["--speed", "0"], "from 1 to 3600, or max"),
            (["--for", "0s"], "such as 24h"),
            (["--for", "soon"], "such as 90m"),
            (["--operator", "a\u{1b}[2J"], "letters, digits"),
            (["--color", "many"], "truecolor"),
        ] {
            let error = Cli::try_parse_from(["andon", words[0], words[1]]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(expected), "{words:?}: {error}");
        }
    }
}
