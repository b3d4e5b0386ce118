//! The terminal's modes: what is turned on is turned off again on quit, error and panic, in the reverse order.

use std::io::{self, IsTerminal as _, Stdout, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType as Part, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

use super::ConsoleError;
use crate::runtime::panics;

/// Whether input and output are a terminal.
///
/// # Errors
/// [`ConsoleError::NoTerminal`].
pub fn check() -> Result<(), ConsoleError> {
    let both = io::stdout().is_terminal() && io::stdin().is_terminal();
    if both { Ok(()) } else { Err(ConsoleError::NoTerminal) }
}

/// The terminal in the console's hands; dropping it gives it back.
#[derive(Debug)]
pub struct Screen {
    is_ours: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal: raw mode, alternate screen, bracketed paste, and the routing of panics.
    ///
    /// # Errors
    /// [`ConsoleError::NoTerminal`] when input or output is not one; [`ConsoleError::Terminal`] when it refuses.
    pub fn enter() -> Result<Self, ConsoleError> {
        check()?;
        let screen = Self { is_ours: Arc::new(AtomicBool::new(true)) };
        route_panics(std::thread::current().id(), Arc::clone(&screen.is_ours));
        enable_raw_mode().map_err(ConsoleError::Terminal)?;
        // Not every terminal clears its alternate screen, or has one.
        execute!(io::stdout(), EnterAlternateScreen, Clear(Part::All), EnableBracketedPaste)
            .map_err(ConsoleError::Terminal)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back(&self.is_ours);
    }
}

/// Turns every mode off, once. Errors mean that the terminal is gone, and then nothing is left to be done.
fn give_back(is_ours: &AtomicBool) {
    if is_ours.swap(false, Ordering::SeqCst) {
        let _ =
            execute!(io::stdout(), EndSynchronizedUpdate, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// A panic of the console's own thread would be printed onto the alternate screen and lost with it, so the terminal
/// is given back first; one of another thread would be printed into the picture, so it goes to the log alone.
fn route_panics(thread: ThreadId, is_ours: Arc<AtomicBool>) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == thread {
            give_back(&is_ours);
        } else if is_ours.load(Ordering::SeqCst) {
            panics::log(info);
            return;
        }
        before(info);
    }));
}

/// Rings the terminal's bell; a terminal that is gone is found out by the next frame.
pub fn bell() {
    let mut out = io::stdout();
    let _ = out.write_all(b"\x07").and_then(|()| out.flush());
}

/// A backend whose frames appear whole: what is drawn until the flush is one synchronized update.
#[derive(Debug)]
pub struct WholeFrames {
    inner: CrosstermBackend<Stdout>,
}

impl WholeFrames {
    /// The backend on standard output.
    pub fn new() -> Self {
        Self { inner: CrosstermBackend::new(io::stdout()) }
    }
}

impl Default for WholeFrames {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for WholeFrames {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Self::Error>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        panics::provoke("console");
        queue!(self.inner, BeginSynchronizedUpdate)?;
        self.inner.draw(content)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        queue!(self.inner, EndSynchronizedUpdate)?;
        Backend::flush(&mut self.inner)
    }

    fn hide_cursor(&mut self) -> Result<(), Self::Error> {
        self.inner.hide_cursor()
    }

    /// The library calls this once more when it is dropped, and prints to stderr what goes wrong then: on a terminal that
    /// is gone, that would be a panic. What was missed here is made good when the terminal is given back.
    fn show_cursor(&mut self) -> Result<(), Self::Error> {
        let _ = self.inner.show_cursor();
        Ok(())
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

    /// Only ever before a frame: the update that its flush ends begins here, so that no empty screen is seen.
    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Self::Error> {
        queue!(self.inner, BeginSynchronizedUpdate)?;
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> Result<Size, Self::Error> {
        self.inner.size()
    }

    fn window_size(&mut self) -> Result<WindowSize, Self::Error> {
        self.inner.window_size()
    }
}
