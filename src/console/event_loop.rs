//! The one loop: events in, frames out. Generic over the backend, so that the whole console runs in tests.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::layout::{Position, Rect};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::app::{Action, App, Task};
use super::facts::Facts;
use super::keyboard::{Input, Inputs};
use super::stop_keys::{Answer, StopKeys};
use super::toasts::Ticket;
use super::{ConsoleEnd, ConsoleError, LogSource, view};
use crate::coordinator::snapshot::Snapshot;
use crate::domain::{CommandOutcome, Timestamp};
use crate::runtime::handle::{Handle, Traffic};

/// Messages taken at once, so that a flood cannot keep the loop from its keys.
const TRAFFIC_AT_ONCE: usize = 256;

/// What a console needs besides its screen.
pub struct World<'a> {
    /// The engine.
    pub handle: &'a Handle,
    /// The messages.
    pub traffic: Traffic,
    /// The log.
    pub log: &'a dyn LogSource,
    /// Log lines kept.
    pub log_kept: usize,
    /// Keys, pastes, resizes.
    pub input: Inputs,
    /// The keys that stop, as the keyboard has them too.
    pub stop_keys: &'a StopKeys,
    /// True when the process is about to end.
    pub shutdown: watch::Receiver<bool>,
    /// Shortest time between two frames that no key asked for.
    pub frame: Duration,
    /// Rings the bell.
    pub bell: &'a mut dyn FnMut(),
}

/// A turn of the loop that takes longer was held up by the terminal: nothing else in it waits.
const STALLED_FROM: Duration = Duration::from_secs(1);

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
pub async fn run<B: Backend>(
    terminal: &mut Terminal<B>,
    app: &mut App,
    mut world: World<'_>,
) -> Result<ConsoleEnd, ConsoleError> {
    let mut snapshots = world.handle.snapshots();
    let mut pending: FuturesUnordered<Pending> = FuturesUnordered::new();
    let mut messages = Vec::with_capacity(TRAFFIC_AT_ONCE);
    let (mut engine_lives, mut traffic_flows) = (true, true);
    let mut turn = Turn::new(draw(terminal, app)?);
    loop {
        let next_frame = turn.drawn_at + world.frame;
        // The clock of the header moves once a second, on the second.
        let operator = world.handle.now().operator;
        let into_second = u64::try_from(operator.millis().rem_euclid(1_000)).unwrap_or(0);
        let next_second = Instant::now() + Duration::from_millis(1_000 - into_second);
        let key_due = app.next_due().map(|due| Instant::now() + due.since(operator));
        let (mut at_once, mut frame_due) = (false, false);
        // In this order: the operator first, then what the operator waits for; the frame that is due, the facts, the
        // clock and the end, none of which comes often; traffic last, because a flood of it would starve the rest.
        let action = tokio::select! {
            biased;
            input = world.input.recv() => {
                at_once = true;
                match input {
                    Some(Ok(input)) => turn.take(input, terminal)?,
                    Some(Err(error)) => return Err(ConsoleError::Input(error)),
                    None => return Err(ConsoleError::InputEnded),
                }
            }
            () = sleep_until(key_due.unwrap_or(next_second)), if key_due.is_some() => {
                at_once = true;
                Some(Action::Facts)
            }
            Some((ticket, outcome)) = pending.next(), if !pending.is_empty() => {
                Some(Action::Answered(ticket, outcome))
            }
            () = sleep_until(next_frame), if turn.is_dirty => {
                frame_due = true;
                None
            }
            changed = snapshots.changed(), if engine_lives && !turn.is_dirty => {
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
        let began = Instant::now();
        if frame_due {
            turn.drawn_at = refresh(terminal, app, &mut world, &mut snapshots)?;
            turn.is_dirty = false;
        }
        if let Some(action) = action {
            let now = facts(world.handle, &mut snapshots);
            let tasks = app.update(now, action);
            world.stop_keys.follow(turn.taken, app.are_keys_text(), app.is_loosening());
            if turn.carry_out(tasks, app, &mut world, &mut snapshots, &mut pending) {
                return Ok(ConsoleEnd::Quit);
            }
            // Keys that wait already are taken first: what they were typed for is on the screen, and each would cost a frame.
            let draws = at_once && (world.input.is_empty() || turn.drawn_at.elapsed() >= world.frame);
            if draws {
                turn.drawn_at = refresh(terminal, app, &mut world, &mut snapshots)?;
            }
            turn.is_dirty = !draws;
        }
        world.stop_keys.follow(turn.taken, app.are_keys_text(), app.is_loosening());
        let held_up = began.elapsed();
        if held_up >= STALLED_FROM {
            turn.was_stalled(held_up, world.handle.now().operator);
        }
        // Behind the keys that have waited: what they say must not hide it.
        if let Some(span) = turn.stalled.take_if(|_| world.input.is_empty()) {
            app.update(facts(world.handle, &mut snapshots), Action::Stalled(span));
            turn.is_dirty = true;
        }
    }
}

/// What the loop remembers from one turn to the next.
struct Turn {
    drawn_at: Instant,
    is_dirty: bool,
    /// Keys and pastes taken so far.
    taken: u64,
    /// Until when nothing was drawn: whoever typed before that did not see what for. Operator time.
    blind_until: Timestamp,
    /// For how long nothing was drawn, until that is told.
    stalled: Option<Duration>,
    /// The answer to what a stop key has asked, until its ticket is known.
    answer: Option<Answer>,
}

impl Turn {
    fn new(drawn_at: Instant) -> Self {
        Self {
            drawn_at,
            is_dirty: false,
            taken: 0,
            blind_until: Timestamp::default(),
            stalled: None,
            answer: None,
        }
    }

    /// What an input means; nothing if it was typed blindly.
    fn take<B: Backend>(
        &mut self,
        input: Input,
        terminal: &mut Terminal<B>,
    ) -> Result<Option<Action>, ConsoleError> {
        let (action, at) = match input {
            Input::Key { key, at } => (Action::Key(key), at),
            Input::Paste { text, at } => (Action::Paste(text), at),
            Input::Stopped(pressed, answer) => {
                self.answer = answer;
                return Ok(Some(Action::Stopped(pressed)));
            }
            Input::Dropped(count) => return Ok(Some(Action::Dropped(count))),
            Input::Resized => {
                // A terminal that was small for a moment has lost what it showed, although it may be as large as before
                // when it is drawn again.
                let size = terminal.size().map_err(is_gone)?;
                terminal.resize(Rect::from((Position::ORIGIN, size))).map_err(is_gone)?;
                return Ok(Some(Action::Facts));
            }
        };
        self.taken += 1;
        Ok((at >= self.blind_until).then_some(action))
    }

    /// Carries out what the screen asks for. True if it is to be left.
    fn carry_out(
        &mut self,
        tasks: Vec<Task>,
        app: &mut App,
        world: &mut World<'_>,
        snapshots: &mut Snapshots,
        pending: &mut FuturesUnordered<Pending>,
    ) -> bool {
        let mut tasks = VecDeque::from(tasks);
        while let Some(task) = tasks.pop_front() {
            match task {
                Task::Send { ticket, command, confirmation } => {
                    let handle = world.handle.clone();
                    let mut future: Pending =
                        Box::pin(async move { (ticket, handle.command(command, confirmation).await) });
                    // The first step of a pause or halt shuts the gate: it is not left to a later turn.
                    match (&mut future).now_or_never() {
                        Some((ticket, outcome)) => {
                            let now = facts(world.handle, snapshots);
                            app.update(now, Action::Answered(ticket, outcome));
                        }
                        None => pending.push(future),
                    }
                }
                Task::Stop(stop) => {
                    let (pressed, answer) = world.stop_keys.press(stop);
                    self.answer = answer;
                    tasks.extend(app.update(facts(world.handle, snapshots), Action::Stopped(pressed)));
                }
                Task::Follow(ticket) => {
                    if let Some(answer) = self.answer.take() {
                        pending.push(Box::pin(async move { (ticket, answer.await) }));
                    }
                }
                Task::Bell => (world.bell)(),
                Task::Quit => return true,
            }
        }
        false
    }

    /// Nothing could be drawn for `span`, until `now`: what was typed meanwhile is not taken.
    fn was_stalled(&mut self, span: Duration, now: Timestamp) {
        tracing::warn!(
            ?span,
            "the terminal took nothing: what was typed meanwhile is not taken, except stop keys"
        );
        self.blind_until = now;
        self.stalled = Some(self.stalled.unwrap_or_default() + span);
    }
}

/// Brings facts and log up to date, and draws.
fn refresh<B: Backend>(
    terminal: &mut Terminal<B>,
    app: &mut App,
    world: &mut World<'_>,
    snapshots: &mut Snapshots,
) -> Result<Instant, ConsoleError> {
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
