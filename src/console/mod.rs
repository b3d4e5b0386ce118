//! The console: what the engine is doing, on one screen, and the keys that steer it.
//!
//! It knows the engine by [`Handle`] and `Traffic` only, and draws from a `Snapshot`: it decides nothing, and what
//! it shows of a command is the engine's answer. It never prints foreign text as it came, never waits while
//! drawing, and never blocks the engine. `keyboard` reads the keys on a thread of its own (`key_parser` makes them of
//! bytes, `stop_keys` are those that work whatever the drawing does), `event_loop` turns what comes into actions, `app`
//! is the state that they change, `view` draws it.

pub mod app;
mod ascii;
mod dialogs;
pub mod event_loop;
pub mod facts;
mod footer;
mod header;
mod key_parser;
pub mod keyboard;
pub mod keymap;
mod layout;
mod line;
pub mod looks;
pub mod panes;
pub mod stop_keys;
mod terminal;
mod text;
mod text_field;
pub mod theme;
pub mod toasts;
pub mod topic_filter;
pub mod traffic_log;
mod view;
mod why;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::config::{self, Config};
use crate::runtime::handle::{Handle, Traffic};
use crate::telemetry::LogLines;
use app::App;
use keyboard::{INPUTS_MAX, Input, Keyboard};
use keymap::{Keymap, KeymapError};
use stop_keys::StopKeys;

/// Where the Log page gets its lines.
pub trait LogSource {
    /// At most `n` of the newest lines, oldest first.
    fn last(&self, n: usize) -> Vec<String>;
}

/// How the console was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// No command but pause and halt.
    pub read_only: bool,
    /// ASCII only.
    pub ascii: bool,
    /// No colours.
    pub mono: bool,
}

/// Why the console ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleEnd {
    /// The operator quit.
    Quit,
    /// The process is about to end.
    Shutdown,
}

/// Why there is no console.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// Input or output is not a terminal.
    #[error("no terminal to draw on: run it in one, or start it with --no-console")]
    NoTerminal,
    /// The terminal cannot place a cursor.
    #[error(
        "TERM={0}: such a terminal cannot show a screen; set TERM to what it is, or start it with --no-console"
    )]
    CannotDraw(String),
    /// The keys of the configuration cannot be used.
    #[error(transparent)]
    Keymap(#[from] KeymapError),
    /// The runtime of the console's thread did not start.
    #[error("the console could not start: {0}")]
    Start(io::Error),
    /// The terminal cannot be written any more.
    #[error("the terminal is gone: {0}; with positions open the engine goes on, paused")]
    Terminal(io::Error),
    /// The terminal cannot be read any more.
    #[error("no more keys can be read: {0}; with positions open the engine goes on, paused")]
    Input(io::Error),
    /// The terminal was closed.
    #[error("the terminal was closed; with positions open the engine goes on, paused")]
    InputEnded,
}

impl LogSource for LogLines {
    fn last(&self, n: usize) -> Vec<String> {
        let (lines, _) = self.read();
        let from = lines.len().saturating_sub(n);
        lines
            .iter()
            .skip(from)
            .map(|line| format!("{} {:5} {}: {}", line.at, line.level, line.target, line.text))
            .collect()
    }
}

/// Whether a console could be drawn: a terminal is there, and the keys can be used.
///
/// # Errors
/// [`ConsoleError::NoTerminal`], [`ConsoleError::CannotDraw`] and [`ConsoleError::Keymap`].
pub fn check(config: &config::Console) -> Result<(), ConsoleError> {
    Keymap::new(config)?;
    terminal::check()?;
    looks::check(&looks::environment)
}

/// Runs the console on the present thread until the operator quits, `shutdown` becomes true, or the terminal is
/// gone. The terminal is given back in every case.
///
/// # Errors
/// No terminal, unusable keys, or a terminal that went away; see [`ConsoleError`].
pub fn run(
    handle: &Handle,
    traffic: Traffic,
    log: &dyn LogSource,
    options: Options,
    config: &Config,
    shutdown: watch::Receiver<bool>,
) -> Result<ConsoleEnd, ConsoleError> {
    let keymap = Keymap::new(&config.console)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ConsoleError::Start)?;
    // Colours are mapped away by the theme; the library's own way leaves stray resets on the screen.
    crossterm::style::force_color_output(true);
    let screen = terminal::Screen::enter()?;
    let (inputs, input) = mpsc::channel(INPUTS_MAX);
    let halt_within = config.orchestration.control.halt_confirm_within;
    let stop_keys = Arc::new(StopKeys::new(handle.clone(), halt_within));
    let end = runtime.block_on(async {
        tell_resizes(inputs.downgrade()).map_err(ConsoleError::Start)?;
        let keyboard = Keyboard::start(handle.clone(), Arc::clone(&stop_keys), keymap.clone(), inputs);
        let keyboard = keyboard.map_err(ConsoleError::Start)?;
        let mut terminal = Terminal::new(terminal::WholeFrames::new()).map_err(ConsoleError::Terminal)?;
        let facts = event_loop::facts(handle, &mut handle.snapshots());
        let mut app = App::new(facts, options, keymap, config);
        let world = event_loop::World {
            handle,
            traffic,
            log,
            log_kept: config.console.log_kept,
            input,
            stop_keys: &stop_keys,
            shutdown,
            frame: frame_time(&config.console),
            bell: &mut terminal::bell,
        };
        let end = event_loop::run(&mut terminal, &mut app, world).await;
        // Before the terminal is given back: what is typed then is for whoever gets it.
        drop(keyboard);
        end
    });
    drop(screen);
    end
}

/// Tells the loop of every new size of the terminal, on a task of its own. It does not keep the line open.
fn tell_resizes(inputs: mpsc::WeakSender<io::Result<Input>>) -> io::Result<()> {
    let mut signals = signal(SignalKind::window_change())?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            let Some(inputs) = inputs.upgrade() else { return };
            // A loop that hangs with a full line looks at the size anyway when it draws again.
            drop(inputs.try_send(Ok(Input::Resized)));
        }
    });
    Ok(())
}

/// Shortest time between two frames.
fn frame_time(config: &config::Console) -> Duration {
    Duration::from_secs(1) / config.frames_per_second.clamp(1, 60)
}
