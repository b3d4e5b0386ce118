//! The whole console on a test backend: scripted events, a paused clock, and frames that are counted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossterm::event::KeyCode;
use ratatui::Terminal;
use ratatui::backend::{Backend, ClearType, TestBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use crate::bus::MessageBus;
use crate::config::{Config, KeyPress};
use crate::console::event_loop::{self, World};
use crate::console::keyboard::Input;
use crate::console::stop_keys::{Stop, StopKeys};
use crate::console::{ConsoleEnd, ConsoleError, LogSource, Options, fixture};
use crate::coordinator::snapshot::Snapshot;
use crate::domain::{Command, CommandOutcome, Now, TradingState};
use crate::gate::Gate;
use crate::runtime::handle::{Handle, Request};

struct NoLog;

impl LogSource for NoLog {
    fn last(&self, _: usize) -> Vec<String> {
        Vec::new()
    }
}

/// A test backend that counts its frames.
struct Counting {
    inner: TestBackend,
    frames: Arc<AtomicUsize>,
}

impl Backend for Counting {
    type Error = std::convert::Infallible;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> Result<(), Self::Error> {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.inner.draw(content)
    }
    fn hide_cursor(&mut self) -> Result<(), Self::Error> {
        self.inner.hide_cursor()
    }
    fn show_cursor(&mut self) -> Result<(), Self::Error> {
        self.inner.show_cursor()
    }
    fn get_cursor_position(&mut self) -> Result<Position, Self::Error> {
        self.inner.get_cursor_position()
    }
    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Self::Error> {
        self.inner.set_cursor_position(position)
    }
    fn clear(&mut self) -> Result<(), Self::Error> {
        self.inner.clear()
    }
    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Self::Error> {
        self.inner.clear_region(clear_type)
    }
    fn size(&self) -> Result<Size, Self::Error> {
        self.inner.size()
    }
    fn window_size(&mut self) -> Result<WindowSize, Self::Error> {
        self.inner.window_size()
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        self.inner.flush()
    }
}

/// The engine's side of a console.
struct Engine {
    gate: Gate,
    snapshots: watch::Sender<Arc<Snapshot>>,
    requests: mpsc::Receiver<Request>,
    bus: MessageBus,
    input: mpsc::Sender<io::Result<Input>>,
    stop_keys: Arc<StopKeys>,
    shutdown: watch::Sender<bool>,
    frames: Arc<AtomicUsize>,
}

impl Engine {
    fn press(&self, key: char) {
        let (key, at) = (KeyPress::plain(KeyCode::Char(key)), fixture::now().operator);
        self.input.try_send(Ok(Input::Key { key, at })).ok().unwrap();
    }

    fn frames(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }
}

/// Starts a console beside `script`, and returns how it ended and its last screen.
async fn beside<F, Fut>(script: F) -> (Result<ConsoleEnd, ConsoleError>, String)
where
    F: FnOnce(Engine) -> Fut,
    Fut: Future<Output = Engine>,
{
    let start = Instant::now();
    let clock = move || {
        let span = start.elapsed();
        let now = fixture::now();
        Now { market: now.market.plus(span), operator: now.operator.plus(span) }
    };
    let mut snapshot = fixture::empty();
    snapshot.at = clock();
    let (snapshots, seen) = watch::channel(Arc::new(snapshot));
    let (send, requests) = mpsc::channel(16);
    let bus = MessageBus::new(&Config::defaults().unwrap().orchestration.message_bus);
    let (input, events) = mpsc::channel(64);
    let (shutdown, stop) = watch::channel(false);
    let gate = Gate::new(1, TradingState::Running);
    let handle = Handle::new(seen, send, gate.clone(), bus.clone(), Arc::new(clock));
    let stop_keys = Arc::new(StopKeys::new(handle.clone(), Duration::from_secs(10)));
    let frames = Arc::new(AtomicUsize::new(0));
    let backend = Counting { inner: TestBackend::new(120, 40), frames: Arc::clone(&frames) };
    let mut terminal = Terminal::new(backend).unwrap();
    let facts = event_loop::facts(&handle, &mut handle.snapshots());
    let mut app = fixture::new_app(facts, Options::default());
    let world = World {
        handle: &handle,
        traffic: handle.traffic(),
        log: &NoLog,
        log_kept: 10,
        input: events,
        stop_keys: &stop_keys,
        shutdown: stop,
        frame: Duration::from_millis(50),
        bell: &mut || {},
    };
    let engine =
        Engine { gate, snapshots, requests, bus, input, stop_keys: Arc::clone(&stop_keys), shutdown, frames };
    let end = {
        let console = event_loop::run(&mut terminal, &mut app, world);
        let script = async {
            let engine = script(engine).await;
            // A console that has ended already does not listen any more.
            let _ = engine.shutdown.send(true);
            engine
        };
        let (end, _engine) = tokio::join!(console, script);
        end
    };
    (end, fixture::text_of(terminal.backend().inner.buffer()))
}

#[tokio::test(start_paused = true)]
async fn an_idle_console_draws_once_a_second() {
    let (end, _) = beside(async |engine| {
        sleep(Duration::from_millis(10_000)).await;
        assert!((10..=11).contains(&engine.frames()), "{} frames", engine.frames());
        engine
    })
    .await;
    assert!(matches!(end, Ok(ConsoleEnd::Shutdown)));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_is_drawn_twenty_times_a_second() {
    let (_, screen) = beside(async |engine| {
        for _ in 0..1_000 {
            assert!(engine.bus.publish(fixture::ta_message("BTC/USDT"), fixture::now().market).is_ok());
            sleep(Duration::from_millis(1)).await;
        }
        assert!((15..=21).contains(&engine.frames()), "{} frames", engine.frames());
        sleep(Duration::from_millis(60)).await;
        engine
    })
    .await;
    assert!(screen.contains("100.0/s"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_on_the_screen_one_frame_later() {
    let (_, screen) = beside(async |engine| {
        sleep(Duration::from_millis(300)).await;
        let mut snapshot = fixture::snapshot();
        snapshot.at = Now::both(fixture::now().operator.plus(Duration::from_millis(300)));
        engine.snapshots.send(Arc::new(snapshot)).unwrap();
        sleep(Duration::from_millis(60)).await;
        engine
    })
    .await;
    assert!(screen.contains("1 EMERGENCY unacked"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_shuts_the_gate_although_the_core_does_not_answer() {
    let (_, screen) = beside(async |engine| {
        engine.press('p');
        sleep(Duration::from_millis(5)).await;
        assert_eq!(engine.gate.state(), TradingState::Paused);
        engine
    })
    .await;
    assert!(screen.contains("pause: pending"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn two_halt_keys_halt_although_nothing_else_moves() {
    let (_, screen) = beside(async |engine| {
        engine.press('H');
        engine.press('H');
        sleep(Duration::from_millis(5)).await;
        assert_eq!(engine.gate.state(), TradingState::Halted);
        engine
    })
    .await;
    assert!(screen.starts_with(" ■ HALTED [writing] by the gate"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_engine_is_shown() {
    let (_, screen) = beside(async |mut engine| {
        engine.press('p');
        let request = engine.requests.recv().await.unwrap();
        assert!(matches!(request.command, Command::Pause { .. }));
        request.reply.send(CommandOutcome::done("paused by ana")).unwrap();
        sleep(Duration::from_millis(60)).await;
        engine
    })
    .await;
    assert!(screen.contains("pause: done: paused by ana"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn a_core_that_stops_telling_facts_is_stuck_after_three_seconds() {
    let (_, screen) = beside(async |engine| {
        sleep(Duration::from_millis(5_000)).await;
        engine
    })
    .await;
    assert!(screen.starts_with(" ?? CORE STUCK"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn a_terminal_that_is_gone_ends_the_console_with_an_error() {
    let (end, _) = beside(async |engine| {
        engine.input.send(Err(io::Error::other("EIO"))).await.ok().unwrap();
        engine
    })
    .await;
    assert!(matches!(end, Err(ConsoleError::Input(_))));
}

#[tokio::test(start_paused = true)]
async fn quitting_ends_the_console() {
    let (end, _) = beside(async |engine| {
        engine.press('q');
        sleep(Duration::from_millis(400)).await;
        engine.press('y');
        sleep(Duration::from_millis(105)).await;
        engine
    })
    .await;
    assert!(matches!(end, Ok(ConsoleEnd::Quit)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_key_of_the_keyboard_is_shown_with_its_answer() {
    let (_, screen) = beside(async |mut engine| {
        let (pressed, answer) = engine.stop_keys.press(Stop::Pause);
        assert_eq!(engine.gate.state(), TradingState::Paused, "before the loop has seen anything");
        engine.input.send(Ok(Input::Stopped(pressed, answer))).await.ok().unwrap();
        let request = engine.requests.recv().await.unwrap();
        request.reply.send(CommandOutcome::done("paused by ana")).unwrap();
        sleep(Duration::from_millis(60)).await;
        assert!(engine.requests.try_recv().is_err(), "it is asked for once");
        engine
    })
    .await;
    assert!(screen.contains("pause: done: paused by ana"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn the_keyboard_knows_that_keys_are_text_once_the_loop_has_taken_the_key_that_made_them_text() {
    let (end, _) = beside(async |engine| {
        engine.press(':');
        sleep(Duration::from_millis(5)).await;
        assert!(engine.stop_keys.are_keys_text(1, 1));
        engine.press('p');
        sleep(Duration::from_millis(5)).await;
        assert_eq!(engine.gate.state(), TradingState::Running);
        engine
    })
    .await;
    assert!(matches!(end, Ok(ConsoleEnd::Shutdown)));
}
