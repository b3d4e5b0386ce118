//! A terminal with the program in it: a pseudo-terminal, the screen that its bytes draw, and a keyboard.
//!
//! Whoever waits, waits for output, and fails with the screen in hand when the deadline comes. Only silence that means
//! something to the program is kept by sleeping.

#![expect(clippy::disallowed_methods, reason = "a test of a real process waits in real time")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// A loaded machine is slow; a broken program never gets there.
const DEADLINE: Duration = Duration::from_secs(60);
/// A key that a dialog may still ignore is pressed again after this long: longer than key repeat.
const AGAIN_AFTER: Duration = Duration::from_millis(700);

/// What the program has written so far.
struct Output {
    bytes: Vec<u8>,
    parser: vt100::Parser,
    is_closed: bool,
    is_hung_up: bool,
    /// Nobody reads what the program writes, as behind a connection that is stalled.
    is_unread: bool,
}

type Shared = Arc<(Mutex<Output>, Condvar)>;

/// The program on a screen.
pub struct Console {
    output: Shared,
    /// The terminal's own end of the line, and what is typed into it; gone when it is closed.
    line: Option<(Box<dyn MasterPty + Send>, Box<dyn Write + Send>)>,
    child: Box<dyn Child + Send + Sync>,
    started: Instant,
}

impl Console {
    /// Starts the program at this size, on this data directory, with these further arguments.
    pub fn start(width: u16, height: u16, data: &Path, args: &[&str]) -> Self {
        Self::start_with(width, height, data, args, &[])
    }

    /// The same, with additional environment.
    pub fn start_with(width: u16, height: u16, data: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(pty_size(width, height)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_andon"));
        command.arg("--data-dir");
        command.arg(data);
        command.args(args);
        command.cwd(data);
        command.env("HOME", data);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env_remove("LC_ALL");
        command.env_remove("LC_CTYPE");
        command.env_remove("NO_COLOR");
        command.env_remove("XDG_CONFIG_HOME");
        for (name, value) in env {
            command.env(name, value);
        }
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let parser = vt100::Parser::new(height.try_into().unwrap(), width.try_into().unwrap(), 0);
        let output =
            Output { bytes: Vec::new(), parser, is_closed: false, is_hung_up: false, is_unread: false };
        let output: Shared = Arc::new((Mutex::new(output), Condvar::new()));
        let reader = pair.master.try_clone_reader().unwrap();
        std::thread::spawn({
            let output = Arc::clone(&output);
            move || read_all(reader, &output)
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { output, line: Some((pair.master, keyboard)), child, started }
    }

    /// Time since the start.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        self.send(keys.as_bytes());
    }

    /// Sends these bytes, which need not be text.
    pub fn send(&mut self, bytes: &[u8]) {
        let (_, keyboard) = self.line.as_mut().unwrap();
        keyboard.write_all(bytes).unwrap();
        keyboard.flush().unwrap();
    }

    /// Sends nothing for a while.
    pub fn rest(&self, span: Duration) {
        self.wait(span, |_| false);
    }

    /// Leaves what the program writes in the line, until it is full.
    pub fn stop_reading(&self) {
        self.output.0.lock().unwrap().is_unread = true;
    }

    /// Reads on.
    pub fn go_on_reading(&self) {
        self.output.0.lock().unwrap().is_unread = false;
        self.output.1.notify_all();
    }

    /// Closes the terminal, as by the button of its window. Nothing can be read from the program afterwards.
    pub fn hang_up(&mut self) {
        self.line = None;
        self.output.0.lock().unwrap().is_hung_up = true;
        // The reader lets go of the line at the next frame.
        assert!(self.wait_closed(DEADLINE), "nothing was drawn any more:\n{}", self.screen());
    }

    /// Makes the terminal this big.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.output
            .0
            .lock()
            .unwrap()
            .parser
            .screen_mut()
            .set_size(height.try_into().unwrap(), width.try_into().unwrap());
        self.tell_size(width, height);
    }

    /// Tells the program that the terminal is this big; what it draws is read as before.
    pub fn tell_size(&self, width: u16, height: u16) {
        self.line.as_ref().unwrap().0.resize(pty_size(width, height)).unwrap();
    }

    /// The screen, one line per row.
    pub fn screen(&self) -> String {
        self.output.0.lock().unwrap().parser.screen().contents()
    }

    /// Everything that was ever written.
    pub fn bytes(&self) -> Vec<u8> {
        self.output.0.lock().unwrap().bytes.clone()
    }

    /// Waits until the screen shows all of these.
    pub fn shows(&self, texts: &[&str]) {
        assert!(
            self.wait(DEADLINE, |screen| texts.iter().all(|text| screen.contains(text))),
            "{texts:?} never came on the screen:\n{}",
            self.screen()
        );
    }

    /// Waits until these bytes have been written.
    pub fn writes(&self, text: &str) {
        let (output, changed) = &*self.output;
        let is_missing = |output: &mut Output| !String::from_utf8_lossy(&output.bytes).contains(text);
        let waited = changed.wait_timeout_while(output.lock().unwrap(), DEADLINE, is_missing).unwrap();
        assert!(!waited.1.timed_out(), "{text:?} was never written");
    }

    /// Waits until the screen does not show this any more.
    pub fn hides(&self, text: &str) {
        assert!(
            self.wait(DEADLINE, |screen| !screen.contains(text)),
            "{text:?} never left the screen:\n{}",
            self.screen()
        );
    }

    /// Presses a key, again if need be, until the screen shows this: a dialog drops what comes in its first moment.
    pub fn press_until(&mut self, keys: &str, text: &str) {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            self.press(keys);
            if self.wait(AGAIN_AFTER, |screen| screen.contains(text)) {
                return;
            }
        }
        panic!("{keys:?} never brought {text:?} on the screen:\n{}", self.screen());
    }

    /// Presses a key, again if need be, until the screen does not show this any more.
    pub fn press_until_hidden(&mut self, keys: &str, text: &str) {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            self.press(keys);
            if self.wait(AGAIN_AFTER, |screen| !screen.contains(text)) {
                return;
            }
        }
        panic!("{keys:?} never took {text:?} from the screen:\n{}", self.screen());
    }

    /// Presses a key, again if need be, until there is this file.
    pub fn press_until_there(&mut self, keys: &str, file: &Path) {
        let end = Instant::now() + DEADLINE;
        while !file.exists() {
            assert!(Instant::now() < end, "{keys:?} never made {}", file.display());
            self.press(keys);
            self.wait(AGAIN_AFTER, |_| file.exists());
        }
    }

    /// Waits until something outside of the screen is so.
    pub fn wait_for(&self, what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !is_so() {
            assert!(Instant::now() < end, "waited in vain for {what}:\n{}", self.screen());
            self.wait(AGAIN_AFTER, |_| is_so());
        }
    }

    /// Presses a key, again if need be, until the program has ended.
    pub fn press_until_end(&mut self, keys: &str) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        loop {
            self.press(keys);
            if self.wait_closed(AGAIN_AFTER) || Instant::now() > end {
                return self.end();
            }
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Whether the process is there and not stopped.
    pub fn is_alive(&self) -> bool {
        let pid = self.child.process_id().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The state is the letter behind the name in parentheses.
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        state.is_some_and(|letter| !matches!(letter, 'T' | 't' | 'Z' | 'X'))
    }

    /// Waits for the program's end.
    pub fn end(&mut self) -> ExitStatus {
        // The terminal is closed by the end of the process, a moment before that can be waited for.
        let is_closed = self.wait_closed(DEADLINE);
        assert!(is_closed, "the program goes on:\n{}", self.screen());
        self.child.wait().unwrap()
    }

    /// Fails unless every mode that was turned on is off again.
    pub fn assert_given_back(&self) {
        let output = self.output.0.lock().unwrap();
        let screen = output.parser.screen();
        let on: Vec<_> = [
            ("alternate screen", screen.alternate_screen()),
            ("hidden cursor", screen.hide_cursor()),
            ("bracketed paste", screen.bracketed_paste()),
        ]
        .into_iter()
        .filter_map(|(mode, is_on)| is_on.then_some(mode))
        .collect();
        assert!(on.is_empty(), "still on: {on:?}");
        let bytes = String::from_utf8_lossy(&output.bytes);
        assert_eq!(bytes.matches("\x1b[?1049h").count(), 1, "the alternate screen was entered once");
        let modes = self.line.as_ref().unwrap().0.get_termios().unwrap();
        let modes = format!("{:?}", modes.local_flags);
        assert!(modes.contains("ICANON") && modes.contains("ECHO"), "still raw: {modes}");
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for output until the screen is right; false at the deadline.
    fn wait(&self, span: Duration, is_right: impl Fn(&str) -> bool) -> bool {
        let (output, changed) = &*self.output;
        let guard = output.lock().unwrap();
        let (guard, timeout) = changed
            .wait_timeout_while(guard, span, |output| {
                !output.is_closed && !is_right(&output.parser.screen().contents())
            })
            .unwrap();
        !timeout.timed_out() && is_right(&guard.parser.screen().contents())
    }

    fn wait_closed(&self, span: Duration) -> bool {
        let (output, changed) = &*self.output;
        let guard = output.lock().unwrap();
        changed.wait_timeout_while(guard, span, |output| !output.is_closed).unwrap().0.is_closed
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        if let Some(pid) = self.child.process_id()
            && !self.has_ended()
        {
            drop(Command::new("kill").args(["-s", "KILL", &pid.to_string()]).status());
            drop(self.child.wait());
        }
    }
}

/// The whole journal of a data directory.
pub fn journal(data: &Path) -> String {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// The log files of a data directory.
pub fn log(data: &Path) -> String {
    let files = std::fs::read_dir(data.join("log")).unwrap();
    files.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

fn pty_size(width: u16, height: u16) -> PtySize {
    PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 }
}

fn read_all(mut reader: Box<dyn Read + Send>, output: &Shared) {
    let mut buffer = [0; 8_192];
    loop {
        drop(output.1.wait_while(output.0.lock().unwrap(), |output| output.is_unread).unwrap());
        // Linux says EIO when the last process has closed the terminal.
        let read = reader.read(&mut buffer).unwrap_or(0);
        let mut guard = output.0.lock().unwrap();
        guard.bytes.extend_from_slice(&buffer[..read]);
        guard.parser.process(&buffer[..read]);
        guard.is_closed = read == 0 || guard.is_hung_up;
        if guard.is_closed {
            drop(reader);
            output.1.notify_all();
            return;
        }
        output.1.notify_all();
    }
}
