//! The shell around the core: turns the world into inputs and carries out effects. Two drivers, live and virtual, share
//! everything but their loops.

mod accidents;
mod agent_threads;
mod anchors;
pub mod buy_and_hold;
mod checkpoints;
pub mod clock;
pub mod front;
pub mod handle;
mod live_driver;
mod old_records;
pub mod operator;
pub mod options;
mod outbox;
pub mod panics;
pub mod script;
mod signals;
mod start;
pub mod summary;
mod virtual_driver;
mod watchdog;
mod world;

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use thiserror::Error;
use tokio::sync::watch;

use crate::llm::Models;
use crate::telemetry::{self, LogLines, TelemetryError};
use front::{Front, LEAVE_WITHIN, Seat};
pub use live_driver::LiveError;
use live_driver::{Engine, LiveDriver};
use options::{RunOptions, Speed, SummaryFormat};
use signals::Signals;
pub use start::{Assembly, Place, StartError};
use summary::Summary;
pub use virtual_driver::{Latency, VirtualDriver, VirtualError};
pub use world::{World, run_agent};

/// Why a run ended without having done what was asked.
#[derive(Debug, Error)]
pub enum RunError {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The log could not be opened.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A run in virtual time broke off.
    #[error(transparent)]
    Virtual(#[from] VirtualError),
    /// A live run broke off.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The core ended by a panic.
    #[error("the core ended: {0}; the gate is shut, the log has the place; start again to recover")]
    CoreEnded(String),
    /// The console ended by a panic.
    #[error(
        "the console panicked; the engine has stopped in order, the log has the place; start again to go on"
    )]
    ConsolePanicked,
    /// The operating system gives no threads or signals.
    #[error("the operating system refuses: {0}")]
    System(#[from] std::io::Error),
    /// Nobody takes the anchors.
    #[error("--anchors: {path} cannot be written ({error}); name a file or a pipe that can", path = path.display())]
    Anchors {
        /// The file or pipe.
        path: PathBuf,
        /// The operating system's answer.
        error: std::io::Error,
    },
    /// Its summary could not be printed.
    #[error("the summary could not be printed: {0}")]
    Print(std::io::Error),
    /// Its summary could not be written as JSON.
    #[error("the summary could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Runs until the market, the operator or the clock ends it, and prints the summary of a run without a front.
///
/// # Errors
/// See [`RunError`]; the text says what to do.
pub fn run(options: &RunOptions, front: Option<Front>) -> Result<(), RunError> {
    let has_front = front.is_some();
    let summary = complete(options, front)?;
    if has_front {
        return Ok(());
    }
    let text = match options.summary {
        SummaryFormat::Json => serde_json::to_string_pretty(&summary)? + "\n",
        SummaryFormat::Text => summary.to_text(),
    };
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(RunError::Print)
}

/// Runs until the market, the operator or the clock ends it.
///
/// # Errors
/// See [`RunError`].
fn complete(options: &RunOptions, front: Option<Front>) -> Result<Summary, RunError> {
    // A pipe may wait here for its reader: nothing is made yet, and signals still end the process.
    let anchors = options.anchors.as_deref().map(|path| (path, anchors::open(path)));
    let anchors = anchors
        .map(|(path, file)| file.map_err(|error| RunError::Anchors { path: path.to_owned(), error }))
        .transpose()?;
    // Before there is anything that a signal could leave behind.
    let signals = Signals::listen(front.is_some())?;
    let place = Place::of(options)?;
    let assembly = Assembly::new(options, place.path())?;
    let front = front.map(|front| (front, LogLines::new(options.config.console.log_kept)));
    let shown = front.as_ref().map(|(_, log)| log.clone());
    let filter = std::env::var("RUST_LOG").ok();
    // The log of a temporary directory would be removed with it before anybody could read it.
    let _log_guard = match &place {
        Place::Kept(path) => Some(telemetry::init(path, filter.as_deref(), shown)?),
        Place::Temporary(_) => None,
    };
    panics::log_all();
    match options.speed {
        Speed::Max => {
            let stopped = signals.stopped.clone();
            Ok(VirtualDriver::run_until(assembly, options.seed, options.run_for, stopped)?)
        }
        Speed::Times(times) => run_live(assembly, options, times, front, anchors, &signals),
    }
}

/// Runs in virtual time whatever `speed` says, prints nothing and writes no log: for tests and for programs that
/// compare runs.
///
/// # Errors
/// See [`RunError`].
pub fn simulate(options: &RunOptions) -> Result<Summary, RunError> {
    simulate_with(options, &Models::new())
}

/// The same with models, by the names that the configuration gives to their providers. Virtual time can ask only
/// scripted ones.
///
/// # Errors
/// See [`RunError`].
pub fn simulate_with(options: &RunOptions, models: &Models) -> Result<Summary, RunError> {
    let options = RunOptions { speed: Speed::Max, ..options.clone() };
    let place = Place::of(&options)?;
    let assembly = Assembly::with_models(&options, place.path(), models)?;
    Ok(VirtualDriver::run(assembly, options.seed, options.run_for)?)
}

/// What a console would see at the end of a simulated run: facts, gate, and the last messages.
#[cfg(test)]
pub(crate) fn seen_at_the_end(
    options: &RunOptions,
) -> Result<
    (
        crate::coordinator::snapshot::Snapshot,
        crate::gate::Reading,
        Vec<std::sync::Arc<crate::domain::Message>>,
    ),
    RunError,
> {
    let place = Place::of(options)?;
    let assembly = Assembly::new(options, place.path())?;
    Ok(VirtualDriver::seen_after(assembly, options.seed, options.run_for)?)
}

/// A run in real time: the driver on a runtime of its own, the front on a thread of its own.
fn run_live(
    assembly: Assembly,
    options: &RunOptions,
    times: u32,
    front: Option<(Front, LogLines)>,
    anchors: Option<File>,
    signals: &Signals,
) -> Result<Summary, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let operator = operator::current(options.operator.clone());
    let ended = runtime.block_on(async {
        let Engine { driver, handle, watchdog, lock, progress } =
            LiveDriver::prepare(assembly, times, operator)?;
        let mut stopped = signals.stopped.clone();
        let (close_front, shutdown) = watch::channel(false);
        let front = match front {
            Some((front, log)) => {
                let seat = Seat { handle: handle.clone(), traffic: handle.traffic(), log, shutdown };
                let left = front::on_its_thread(front, seat)?;
                let (close, hangups, stop) =
                    (close_front.clone(), signals.hangups.clone(), signals.stop.clone());
                Some(tokio::spawn(front::watch(left, hangups, close, handle, stop)))
            }
            None => None,
        };
        let told = anchors.map(|file| anchors::follow(file, progress)).transpose()?;
        let ended = tokio::spawn(driver.run(options.run_for, stopped.clone())).await;
        let left = match front {
            Some(front) => {
                if ended.is_err() {
                    // The core is gone and the watchdog has shut the gate: the screen stays, and says so, until the
                    // operator leaves it.
                    drop(stopped.wait_for(Option::is_some).await);
                }
                close_front.send_replace(true);
                // A terminal that takes no more bytes must not keep the process.
                let left = tokio::time::timeout(LEAVE_WITHIN, front).await;
                left.unwrap_or(Ok(Ok(()))).unwrap_or(Ok(()))
            }
            None => Ok(()),
        };
        if let Some(told) = told {
            // A pipe that nobody empties must not keep the process.
            drop(tokio::time::timeout(LEAVE_WITHIN, told).await);
        }
        drop(watchdog);
        drop(lock);
        match ended {
            Ok(summary) => summary.map_err(RunError::from).and_then(|summary| left.map(|()| summary)),
            Err(error) => Err(RunError::CoreEnded(error.to_string())),
        }
    });
    // A disk that hangs must not keep the process.
    runtime.shutdown_timeout(LEAVE_WITHIN);
    ended
}

#[cfg(test)]
mod tests;
