//! The one loop: events in, frames out. Generic over backend and input, so that the whole console runs in tests.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, KeyEventKind};
use futures_util::future::FutureExt as _;
use futures_util::stream::{FuturesUnordered, Stream, StreamExt as _};
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::layout::Rect;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::app::{Action, App, Task};
use super::facts::Facts;
use super::toasts::Ticket;
use super::{ConsoleEnd, ConsoleError, LogSource, view};
use crate::config::KeyPress;
use crate::coordinator::snapshot::Snapshot;
use crate::domain::CommandOutcome;
use crate::runtime::handle::{Handle, Traffic};

/// Messages taken at once, so that a flood cannot keep the loop from its keys.
const TRAFFIC_AT_ONCE: usize = 256;

/// What a console needs besides its screen.
pub struct World<'a, I> {
    /// The engine.
    pub handle: &'a Handle,
    /// The messages.
    pub traffic: Traffic,
    /// The log.
    pub log: &'a dyn LogSource,
    /// Log lines kept.
    pub log_kept: usize,
    /// Keys, pastes, resizes.
    pub input: I,
    /// True when the process is about to end.
    pub shutdown: watch::Receiver<bool>,
    /// Shortest time between two frames that no key asked for.
    pub frame: Duration,
    /// Rings the bell.
    pub bell: &'a mut dyn FnMut(),
}

/// Where the snapshots come from.
pub type Snapshots = watch::Receiver<Arc<Snapshot>>;

type Pending = Pin<Box<dyn Future<Output = (Ticket, CommandOutcome)>>>;

/// The facts of this instant.
pub fn facts(handle: &Handle, snapshots: &mut Snapshots) -> Facts {
    Facts {
        snapshot: snapshots.borrow_and_update().clone(),
        gate: handle.gate(),
        now: handle.now(),
        has_ended: handle.has_ended(),
    }
}

/// Runs until the operator quits, the process shuts down, or the terminal is gone.
///
/// # Errors
/// The terminal cannot be read or written any more.
pub async fn run<B, I>(
    terminal: &mut Terminal<B>,
    app: &mut App,
    mut world: World<'_, I>,
) -> Result<ConsoleEnd, ConsoleError>
where
    B: Backend,
    I: Stream<Item = std::io::Result<Event>> + Unpin,
{
    let mut snapshots = world.handle.snapshots();
    let mut pending: FuturesUnordered<Pending> = FuturesUnordered::new();
    let mut messages = Vec::with_capacity(TRAFFIC_AT_ONCE);
    let (mut engine_lives, mut traffic_flows) = (true, true);
    let mut drawn_at = draw(terminal, app)?;
    let mut is_dirty = false;
    loop {
        let next_frame = drawn_at + world.frame;
        // The clock of the header moves once a second, on the second.
        let into_second = u64::try_from(world.handle.now().operator.millis().rem_euclid(1_000)).unwrap_or(0);
        let next_second = Instant::now() + Duration::from_millis(1_000 - into_second);
        let (mut at_once, mut frame_due) = (false, false);
        // In this order: the operator first, then what the operator waits for; the frame that is due, the facts, the
        // clock and the end, none of which comes often; traffic last, because a flood of it would starve the rest.
        let action = tokio::select! {
            biased;
            event = world.input.next() => {
                at_once = true;
                match event {
                    Some(Ok(event)) => {
                        if let Event::Resize(width, height) = event {
                            // A terminal that was small for a moment has lost what it showed, although it may be as large
                            // as before when it is drawn again.
                            terminal.resize(Rect::new(0, 0, width, height)).map_err(is_gone)?;
                        }
                        translate(event)
                    }
                    Some(Err(error)) => return Err(ConsoleError::Input(error)),
                    None => return Err(ConsoleError::InputEnded),
                }
            }
            Some((ticket, outcome)) = pending.next(), if !pending.is_empty() => {
                Some(Action::Answered(ticket, outcome))
            }
            () = sleep_until(next_frame), if is_dirty => {
                frame_due = true;
                None
            }
            changed = snapshots.changed(), if engine_lives && !is_dirty => {
                engine_lives = changed.is_ok();
                Some(Action::Facts)
            }
            () = sleep_until(next_second) => Some(Action::Facts),
            // An error means that nobody is left who could say it: the process is ending.
            _ = world.shutdown.wait_for(|stop| *stop) => return Ok(ConsoleEnd::Shutdown),
            count = world.traffic.recv_many(&mut messages, TRAFFIC_AT_ONCE), if traffic_flows => {
                traffic_flows = count > 0;
                Some(Action::Traffic(std::mem::take(&mut messages), world.traffic.dropped()))
            }
        };
        if frame_due {
            drawn_at = refresh(terminal, app, &mut world, &mut snapshots)?;
            is_dirty = false;
        }
        let Some(action) = action else { continue };
        let now = facts(world.handle, &mut snapshots);
        for task in app.update(now, action) {
            match task {
                Task::Send { ticket, command, confirmation } => {
                    let handle = world.handle.clone();
                    let mut future: Pending =
                        Box::pin(async move { (ticket, handle.command(command, confirmation).await) });
                    // The first step of a pause or halt shuts the gate: it is not left to a later turn.
                    match (&mut future).now_or_never() {
                        Some((ticket, outcome)) => {
                            let now = facts(world.handle, &mut snapshots);
                            app.update(now, Action::Answered(ticket, outcome));
                        }
                        None => pending.push(future),
                    }
                }
                Task::Bell => (world.bell)(),
                Task::Quit => return Ok(ConsoleEnd::Quit),
            }
        }
        if at_once {
            drawn_at = refresh(terminal, app, &mut world, &mut snapshots)?;
            is_dirty = false;
        } else {
            is_dirty = true;
        }
    }
}

/// Brings facts and log up to date, and draws.
fn refresh<B, I>(
    terminal: &mut Terminal<B>,
    app: &mut App,
    world: &mut World<'_, I>,
    snapshots: &mut Snapshots,
) -> Result<Instant, ConsoleError>
where
    B: Backend,
{
    let now = facts(world.handle, snapshots);
    let action = if app.wants_log() { Action::Log(world.log.last(world.log_kept)) } else { Action::Facts };
    for task in app.update(now, action) {
        if task == Task::Bell {
            (world.bell)();
        }
    }
    draw(terminal, app)
}

fn draw<B: Backend>(terminal: &mut Terminal<B>, app: &App) -> Result<Instant, ConsoleError> {
    terminal.draw(|frame| view::draw(frame, app)).map_err(is_gone)?;
    Ok(Instant::now())
}

fn is_gone(error: impl std::error::Error) -> ConsoleError {
    ConsoleError::Terminal(std::io::Error::other(error.to_string()))
}

/// What an event of the terminal means; none for what is not ours.
fn translate(event: Event) -> Option<Action> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Action::Key(KeyPress::from(key))),
        Event::Paste(text) => Some(Action::Paste(text)),
        Event::Resize(..) | Event::FocusGained => Some(Action::Facts),
        Event::Key(_) | Event::FocusLost | Event::Mouse(_) => None,
    }
}
