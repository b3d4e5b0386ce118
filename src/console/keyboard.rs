//! The thread that reads the terminal's keys. It waits for bytes and for nothing else: stop keys it presses itself, all
//! others go to the loop that draws.

use std::io::{self, Stdin};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossterm::event::KeyCode;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::mpsc;

use super::key_parser::{KeyParser, Typed};
use super::keymap::{Binding, Keymap};
use super::stop_keys::{Answer, Pressed, Stop, StopKeys};
use crate::config::KeyPress;
use crate::domain::Timestamp;
use crate::runtime::handle::Handle;

/// Keys that may wait for a loop that hangs; what is typed beyond that is lost. Stop keys do not wait.
pub const INPUTS_MAX: usize = 1_024;
/// Bytes read at once.
const READ_BYTES: usize = 4_096;

/// What the loop is told.
pub enum Input {
    /// A key was pressed.
    Key {
        /// Which.
        key: KeyPress,
        /// When it was read, operator time.
        at: Timestamp,
    },
    /// A text was pasted.
    Paste {
        /// What.
        text: String,
        /// When it was read, operator time.
        at: Timestamp,
    },
    /// A stop key was pressed, and has worked.
    Stopped(Pressed, Option<Answer>),
    /// So many unfinished or unknown sequences have been dropped since the start.
    Dropped(u64),
    /// The terminal has another size.
    Resized,
}

/// Where the loop gets it from.
pub type Inputs = mpsc::Receiver<io::Result<Input>>;

/// The thread; dropping this ends it.
pub struct Keyboard {
    /// The thread ends when this is closed.
    line: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Keyboard {
    /// Begins to read standard input.
    ///
    /// # Errors
    /// No thread or no pipe.
    pub fn start(
        handle: Handle,
        stop_keys: Arc<StopKeys>,
        keymap: Keymap,
        inputs: mpsc::Sender<io::Result<Input>>,
    ) -> io::Result<Self> {
        let (end, line) = pipe_with(PipeFlags::CLOEXEC)?;
        let reader = Reader {
            handle,
            stop_keys,
            keymap,
            inputs,
            parser: KeyParser::default(),
            sent: 0,
            leaves_text: 0,
            dropped: 0,
        };
        let thread = std::thread::Builder::new()
            .name("keyboard".to_owned())
            .spawn(move || reader.run(&io::stdin(), &end))?;
        Ok(Self { line: Some(line), thread: Some(thread) })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        drop(self.line.take());
        if let Some(thread) = self.thread.take() {
            // It has panicked, which the log says, or it has ended.
            drop(thread.join());
        }
    }
}

struct Reader {
    handle: Handle,
    stop_keys: Arc<StopKeys>,
    keymap: Keymap,
    inputs: mpsc::Sender<io::Result<Input>>,
    parser: KeyParser,
    /// Keys and pastes that were given to the loop, and the number of the last one that could have left a text field.
    sent: u64,
    leaves_text: u64,
    dropped: u64,
}

impl Reader {
    fn run(mut self, stdin: &Stdin, end: &OwnedFd) {
        let (mut bytes, mut typed) = ([0; READ_BYTES], Vec::new());
        loop {
            match self.wait(stdin, end) {
                Ok(Woken::Bytes) => match rustix::io::read(stdin, &mut bytes) {
                    Ok(0) => return,
                    Ok(count) => {
                        let read = bytes.get(..count).unwrap_or_default();
                        self.parser.feed(self.now(), read, &mut typed);
                    }
                    Err(Errno::INTR | Errno::AGAIN) => {}
                    Err(error) => return self.fail(error),
                },
                Ok(Woken::Due) => self.parser.give_up(self.now(), &mut typed),
                Ok(Woken::End) => return,
                Err(error) => return self.fail(error),
            }
            if self.parser.dropped() > self.dropped {
                self.dropped = self.parser.dropped();
                tracing::debug!(
                    count = self.dropped,
                    "input of the terminal was dropped: unfinished or unknown"
                );
                self.tell(Input::Dropped(self.dropped));
            }
            for typed in typed.drain(..) {
                self.take(typed);
            }
        }
    }

    /// Waits for bytes, for the moment in which what is unfinished is given up, and for the end.
    fn wait(&self, stdin: &Stdin, end: &OwnedFd) -> Result<Woken, Errno> {
        let mut fds = [PollFd::new(stdin, PollFlags::IN), PollFd::new(end, PollFlags::empty())];
        let left = self.parser.next_due().map(|due| due.since(self.now()));
        // A span of milliseconds always is one.
        let left = left.and_then(|span| Timespec::try_from(span).ok());
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let [bytes, end] = fds.map(|fd| !fd.revents().is_empty());
        Ok(if end {
            Woken::End
        } else if bytes {
            Woken::Bytes
        } else {
            Woken::Due
        })
    }

    fn take(&mut self, typed: Typed) {
        let at = self.now();
        match typed {
            Typed::Key(key) => {
                if let Some(stop) = self.stops(key) {
                    let (pressed, answer) = self.stop_keys.press(stop);
                    self.tell(Input::Stopped(pressed, answer));
                } else if self.tell(Input::Key { key, at }) {
                    self.sent += 1;
                    if key.typed().is_none() && key.code != KeyCode::Backspace {
                        self.leaves_text = self.sent;
                    }
                }
            }
            Typed::Paste(text) => {
                if self.tell(Input::Paste { text, at }) {
                    self.sent += 1;
                }
            }
        }
    }

    /// What `key` stops now.
    fn stops(&self, key: KeyPress) -> Option<Stop> {
        let binding = self.keymap.get(key)?;
        let stop = binding.stop()?;
        let works =
            binding == Binding::HaltAnywhere || !self.stop_keys.are_keys_text(self.sent, self.leaves_text);
        works.then_some(stop)
    }

    /// Never waits: a loop that hangs must not keep the next key from being read. False if the loop will not get it.
    fn tell(&self, input: Input) -> bool {
        self.inputs.try_send(Ok(input)).is_ok()
    }

    fn fail(&self, error: Errno) {
        // A loop that hangs finds the line closed instead.
        drop(self.inputs.try_send(Err(error.into())));
    }

    fn now(&self) -> Timestamp {
        self.handle.now().operator
    }
}

enum Woken {
    Bytes,
    Due,
    End,
}
