//! The program `andon`: reads the command line and calls the one function that does what it asks for.

mod audit;
mod backup;
mod cli;

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use andon::config::{self, ConfigError, Loaded, Overrides};
use andon::console::keymap::{self, Keymap};
use andon::console::{self, ConsoleEnd, looks};
use andon::domain::{SafeText, Untrusted};
use andon::market::ReplayFeed;
use andon::runtime::front::{Front, Left, Seat};
use andon::runtime::options::{self, MarketChoice, RunOptions, Speed};
use andon::runtime::{self, RunError, StartError};
use andon::store::DataDirError;
use clap::Parser as _;
use color_eyre::config::{HookBuilder, Theme};
use color_eyre::eyre::Report;

use crate::cli::{Cli, ConfigTask, RunArgs, Task, TrailArgs};

/// Why the program ends without having done what was asked; each kind has its exit code.
enum Failure {
    /// Something broke while it ran: 1.
    Broken(Report),
    /// The configuration or the command line is wrong; the operator can mend it: 2.
    Usage(String),
    /// Another instance runs in the same data directory: 3.
    Running(String),
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Start(StartError::Lock(error)) => Self::Running(error.to_string()),
            RunError::Start(
                error @ (StartError::Replay(_)
                | StartError::Script(_)
                | StartError::Symbols { .. }
                | StartError::Rewritten { .. }
                | StartError::NoClient(_)
                | StartError::RealModel(_)
                | StartError::DataDir(
                    DataDirError::Unusable { .. } | DataDirError::OpenToOthers { .. } | DataDirError::NoHome,
                )
                | StartError::Identity(_)),
            ) => Self::Usage(error.to_string()),
            error => Self::Broken(error.into()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Problems(_) | ConfigError::Exists(_) => Self::Usage(error.to_string()),
            ConfigError::Write { .. } | ConfigError::Show(_) => Self::Broken(error.into()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.into())
    }
}

/// Reports of panics go to stderr. One that is gone, with its terminal, must not make a second panic of the first: that
/// would be the end of an engine that holds positions.
fn report_panics() -> Result<(), Report> {
    let (panics, errors) = HookBuilder::default().theme(Theme::new()).into_hooks();
    errors.install()?;
    std::panic::set_hook(Box::new(move |info| tell(&panics.panic_report(info).to_string())));
    Ok(())
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            tell(&error.to_string());
            return ExitCode::from(2);
        }
        // Help and version: words of ours.
        Err(error) => error.exit(),
    };
    let done = report_panics().map_err(Failure::Broken).and_then(|()| match cli.task {
        None => run(&cli.run),
        Some(Task::Run(args)) => run(&args),
        Some(Task::Config(task)) => configure(&task),
        Some(Task::Keys(args)) => keys(&args.overrides()),
        Some(Task::Audit(task)) => audit::run(task),
        Some(Task::State(task)) => backup::run(task),
        Some(Task::Since { since, data_dir }) => audit::show(&TrailArgs::since(since), data_dir.as_deref()),
        Some(Task::Why { symbol, data_dir }) => audit::why(symbol, data_dir.as_deref()),
        Some(Task::Handover { since, data_dir }) => audit::handover(since, data_dir.as_deref()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // `andon config show | head` closes the pipe early, and that is fine.
        Err(Failure::Broken(report)) if is_closed_pipe(&report) => ExitCode::SUCCESS,
        Err(Failure::Broken(report)) => {
            complain(&whole(&report));
            ExitCode::from(1)
        }
        Err(Failure::Usage(text)) => {
            complain(&text);
            ExitCode::from(2)
        }
        Err(Failure::Running(text)) => {
            complain(&text);
            ExitCode::from(3)
        }
    }
}

fn run(args: &RunArgs) -> Result<(), Failure> {
    let options = run_options(args)?;
    let front = front(&options)?;
    runtime::run(&options, front).map_err(Failure::from)
}

/// The console of a run that has one. What would keep it from drawing is found out before anything trades.
fn front(options: &RunOptions) -> Result<Option<Front>, Failure> {
    if !options.console {
        return Ok(None);
    }
    let config = options.config.clone();
    console::check(&config.console).map_err(|error| Failure::Usage(error.to_string()))?;
    let look = looks::options(options.read_only, options.color, options.ascii, &looks::environment);
    Ok(Some(Box::new(move |seat: Seat| {
        let Seat { handle, traffic, log, shutdown } = seat;
        match console::run(&handle, traffic, &log, look, &config, shutdown) {
            Ok(ConsoleEnd::Quit | ConsoleEnd::Shutdown) => Left::Quit,
            Err(error) => Left::Gone(error.to_string()),
        }
    })))
}

fn run_options(args: &RunArgs) -> Result<RunOptions, Failure> {
    if let MarketChoice::Replay(files) = &args.market {
        for spec in files {
            let file = ReplayFeed::file_of(&spec.to_string_lossy()).to_owned();
            readable(Path::new(&file), "--market replay").map_err(|refused| match refused {
                Failure::Usage(text) if files.len() > 1 => Failure::Usage(format!(
                    "{text}; commas separate the files of a replay, \\, is a comma in a path"
                )),
                refused => refused,
            })?;
        }
    }
    let symbols = args.market.symbols().map_err(|error| Failure::Usage(error.to_string()))?;
    let Loaded { config, .. } = load(&Overrides { symbols, ..args.config.overrides() })?;
    args.market.accepts(&config).map_err(Failure::Usage)?;
    if args.anchors.is_some() && args.speed == Speed::Max {
        let text = "--anchors: a run at full speed is over before anybody could keep them; its summary names the head";
        return Err(Failure::Usage(text.to_owned()));
    }
    if let Some(script) = &args.operator_script {
        readable(script, "--operator-script")?;
    }
    let data_dir = args
        .data_dir
        .clone()
        .or_else(|| options::default_data_dir(&args.market, args.seed, &config, args.speed));
    Ok(RunOptions {
        market: args.market.clone(),
        speed: args.speed,
        seed: args.seed,
        run_for: args.run_for,
        console: !args.no_console,
        summary: args.summary.into(),
        operator_script: args.operator_script.clone(),
        operator: args.operator.clone(),
        data_dir,
        durable: args.durable,
        anchors: args.anchors.clone(),
        read_only: args.read_only,
        ascii: args.ascii,
        color: args.color.into(),
        config: Arc::new(config),
    })
}

/// Reads the configuration and says its warnings.
fn load(overrides: &Overrides) -> Result<Loaded, Failure> {
    let loaded = config::load(overrides)?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    Ok(loaded)
}

fn readable(file: &Path, option: &str) -> Result<(), Failure> {
    let refused =
        |why: &dyn std::fmt::Display| Failure::Usage(format!("{option}: {}: {why}", file.display()));
    match std::fs::metadata(file) {
        Ok(meta) if meta.is_file() => Ok(()),
        Ok(_) => Err(refused(&"not a file")),
        Err(e) => Err(refused(&e)),
    }
}

fn configure(task: &ConfigTask) -> Result<(), Failure> {
    match task {
        ConfigTask::Check(args) => {
            let loaded = load(&args.overrides())?;
            keymap_of(&loaded)?;
            let fingerprint = loaded.config.fingerprint().map_err(|e| Failure::Broken(e.into()))?;
            say(&format!("the configuration is fine; its fingerprint is {fingerprint}\n"))
        }
        ConfigTask::Show { file, config } => say(&load(&config.overrides())?.to_yaml(*file)?),
        ConfigTask::Init { dir } => {
            let written = config::init(dir)?;
            let lines: Vec<_> =
                written.iter().map(|path| SafeText::ours(path.display()).to_string()).collect();
            say_lines(&lines)
        }
    }
}

fn keys(overrides: &Overrides) -> Result<(), Failure> {
    say(&keymap::printout(&keymap_of(&load(overrides)?)?))
}

fn keymap_of(loaded: &Loaded) -> Result<Keymap, Failure> {
    Keymap::new(&loaded.config.console).map_err(|error| Failure::Usage(error.to_string()))
}

fn say_lines(lines: &[String]) -> Result<(), Failure> {
    say(&(lines.join("\n") + "\n"))
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Says what keeps the program from its work. What follows a line break stands further to the right, so that foreign
/// text with a line break in it does not look like a message of its own.
fn complain(text: &str) {
    let mut lines = text.lines();
    let first = format!("andon: {}", lines.next().unwrap_or_default());
    let indented = lines.map(|line| format!("\n  {}", line.strip_prefix("  ").unwrap_or(line)));
    tell(&indented.fold(first, |said, line| said + &line));
}

/// The only way to stderr. Files, arguments and backups are quoted there, and a terminal would obey what is in them.
fn tell(text: &str) {
    /// Longest line, and most lines, that anybody reads.
    const CHARS_MAX: usize = 2_000;
    const LINES_MAX: usize = 200;
    let safe = Untrusted::new(text).sanitize_lines(CHARS_MAX, LINES_MAX);
    // If even that fails there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{safe}");
}

/// The error and its causes, without those that it has told itself.
fn whole(report: &Report) -> String {
    report.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        _ if said.contains(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

fn is_closed_pipe(report: &Report) -> bool {
    report.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}
