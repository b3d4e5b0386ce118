//! The keys that make things safer: pause and halt. They work whatever the drawing does, so the thread that reads the
//! keys and the loop that draws share them; who presses first shuts the gate.

use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::FutureExt as _;

use crate::coordinator::input::Confirmation;
use crate::domain::{Command, CommandOutcome, Timestamp, TradingState};
use crate::runtime::handle::Handle;

/// How long the loop may take to say whether keys are text, before a stop key is taken for one.
const LOOP_ANSWERS_WITHIN: Duration = Duration::from_millis(100);

/// What a key stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Pause at once.
    Pause,
    /// Pause at once; again in time: halt.
    Halt,
}

impl Stop {
    /// The command that does it.
    pub const fn command(self) -> Command {
        match self {
            Self::Pause => Command::Pause { reason: String::new() },
            Self::Halt => Command::Halt { reason: String::new() },
        }
    }
}

/// One press of a stop key, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressed {
    /// The key.
    pub key: Stop,
    /// What was asked of the engine; nothing if it is so already.
    pub asked: Option<Stop>,
    /// State of the gate before.
    pub found: TradingState,
    /// Until when another press of the halt key halts.
    pub armed: Option<Timestamp>,
}

/// The two steps of a halt.
#[derive(Debug)]
pub struct Switch {
    halt_within: Duration,
    armed: Option<Timestamp>,
}

impl Switch {
    /// A switch whose second press may follow the first by `halt_within`.
    pub const fn new(halt_within: Duration) -> Self {
        Self { halt_within, armed: None }
    }

    /// A stop key is pressed while the gate is in state `found`; `is_loosening` while a resume or release is on its way,
    /// which a pause overtakes.
    pub fn press(&mut self, key: Stop, found: TradingState, is_loosening: bool, now: Timestamp) -> Pressed {
        let pause = match found {
            TradingState::Running => Some(Stop::Pause),
            TradingState::Paused => is_loosening.then_some(Stop::Pause),
            TradingState::Halted => None,
        };
        self.armed.take_if(|until| now >= *until);
        let asked = match key {
            Stop::Pause => pause,
            Stop::Halt if self.armed.take().is_some() => Some(Stop::Halt),
            Stop::Halt if found == TradingState::Halted && !is_loosening => None,
            Stop::Halt => {
                self.armed = Some(now.plus(self.halt_within));
                pause
            }
        };
        Pressed { key, asked, found, armed: self.armed }
    }
}

/// The engine's answer to come.
pub type Answer = Pin<Box<dyn Future<Output = CommandOutcome> + Send>>;

/// What the loop has told last.
#[derive(Debug)]
struct State {
    switch: Switch,
    /// Keys and pastes that the loop has taken.
    taken: u64,
    is_text: bool,
    is_loosening: bool,
}

/// The stop keys as the two threads share them.
pub struct StopKeys {
    handle: Handle,
    state: Mutex<State>,
    moved: Condvar,
}

impl StopKeys {
    /// The stop keys of one engine.
    pub fn new(handle: Handle, halt_within: Duration) -> Self {
        let switch = Switch::new(halt_within);
        let state = State { switch, taken: 0, is_text: false, is_loosening: false };
        Self { handle, state: Mutex::new(state), moved: Condvar::new() }
    }

    /// The loop has taken `taken` keys and pastes; after them keys are text or not, and something that loosens is on its
    /// way or not.
    pub fn follow(&self, taken: u64, is_text: bool, is_loosening: bool) {
        let mut state = self.lock();
        (state.taken, state.is_text, state.is_loosening) = (taken, is_text, is_loosening);
        self.moved.notify_all();
    }

    /// Whether the next key is text, when `sent` keys and pastes were given to the loop, and behind number `leaves_text` no
    /// key that could leave a text field. A loop that hangs while that is unknown is not waited for: then it is none.
    pub fn are_keys_text(&self, sent: u64, leaves_text: u64) -> bool {
        let is_unknown = |state: &mut State| {
            let is_surely_text = state.is_text && state.taken >= leaves_text;
            state.taken < sent && !is_surely_text
        };
        let waited = self.moved.wait_timeout_while(self.lock(), LOOP_ANSWERS_WITHIN, is_unknown);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !is_unknown(&mut state) && state.is_text
    }

    /// Presses a stop key: the gate is shut and the command is with the engine when this returns.
    pub fn press(&self, key: Stop) -> (Pressed, Option<Answer>) {
        let mut state = self.lock();
        let (found, now) = (self.handle.gate().state, self.handle.now().operator);
        let is_loosening = state.is_loosening;
        let pressed = state.switch.press(key, found, is_loosening, now);
        let answer = pressed.asked.map(|stop| {
            let handle = self.handle.clone();
            let asked = async move { handle.command(stop.command(), Confirmation::None).await };
            let mut answer: Answer = Box::pin(asked);
            // The first step shuts the gate and hands the command over: it is not left to whoever waits for the answer.
            match (&mut answer).now_or_never() {
                Some(outcome) => Box::pin(std::future::ready(outcome)),
                None => answer,
            }
        });
        (pressed, answer)
    }

    /// Neither side leaves the state half changed, so a panic of the other one does not matter.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;
    use TradingState::{Halted, Paused, Running};

    fn at(secs: u64) -> Timestamp {
        fixture::now().operator.plus(Duration::from_secs(secs))
    }

    fn switch() -> Switch {
        Switch::new(Duration::from_secs(10))
    }

    #[test]
    fn the_halt_key_pauses_at_once_and_halts_the_second_time() {
        let mut switch = switch();
        let first = switch.press(Stop::Halt, Running, false, at(0));
        assert_eq!((first.asked, first.armed), (Some(Stop::Pause), Some(at(10))));
        let second = switch.press(Stop::Halt, Paused, false, at(9));
        assert_eq!((second.asked, second.armed), (Some(Stop::Halt), None));
    }

    #[test]
    fn a_late_second_press_begins_again() {
        let mut switch = switch();
        switch.press(Stop::Halt, Running, false, at(0));
        let late = switch.press(Stop::Halt, Paused, false, at(10));
        assert_eq!((late.asked, late.armed), (None, Some(at(20))));
    }

    #[test]
    fn what_is_so_already_is_not_asked_for_unless_something_would_loosen_it() {
        assert_eq!(switch().press(Stop::Pause, Paused, false, at(0)).asked, None);
        assert_eq!(switch().press(Stop::Pause, Paused, true, at(0)).asked, Some(Stop::Pause));
        let halted = switch().press(Stop::Halt, Halted, false, at(0));
        assert_eq!((halted.asked, halted.armed), (None, None));
        assert!(switch().press(Stop::Halt, Halted, true, at(0)).armed.is_some(), "a release is on its way");
    }

    #[test]
    fn a_loop_that_hangs_does_not_keep_a_key_from_stopping() {
        let (handle, _engine) = fixture::engine();
        let keys = StopKeys::new(handle, Duration::from_secs(10));
        assert!(!keys.are_keys_text(0, 0));
        assert!(!keys.are_keys_text(1, 1), "key 1 is not taken: it may have opened a text field, or not");
        keys.follow(1, true, false);
        assert!(keys.are_keys_text(1, 1));
        assert!(keys.are_keys_text(5, 1), "what is typed into a text field stays text");
        assert!(!keys.are_keys_text(6, 6), "key 6 may have left it");
    }

    #[test]
    fn a_stop_key_shuts_the_gate_and_the_engine_has_the_command_without_anybody_waiting() {
        let (handle, mut engine) = fixture::engine();
        let keys = StopKeys::new(handle, Duration::from_secs(10));
        let (_, answer) = keys.press(Stop::Halt);
        assert_eq!(engine.gate.state(), Paused);
        let (_, second) = keys.press(Stop::Halt);
        assert_eq!(engine.gate.state(), Halted);
        drop((answer, second));
        let commands = [engine.requests.try_recv().unwrap(), engine.requests.try_recv().unwrap()];
        assert_eq!(commands.map(|request| request.command.name()), ["pause", "halt"]);
    }
}
