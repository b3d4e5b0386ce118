//! The watchdog: a thread of its own that needs none of the others. When the core has not stepped for too long it shuts
//! the gate to entries; when the process itself did not run for a while it says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::clock::LiveClock;
use crate::coordinator::input::Input;
use crate::domain::{Actor, SafeText, Timestamp, TradingState, days_hms};
use crate::gate::Gate;

/// Without a step for this long the core counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(3);
/// If neither driver nor watchdog was awake for longer than this, the process did not run (SIGSTOP, machine asleep).
const GAP_MIN: Duration = Duration::from_secs(10);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// When the core last stepped, and when the process was last awake, operator time; shared between driver and watchdog.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    stepped: Arc<AtomicI64>,
    awake: Arc<AtomicI64>,
}

impl Heartbeat {
    /// Beats now.
    pub fn new(now: Timestamp) -> Self {
        let at = || Arc::new(AtomicI64::new(now.millis()));
        Self { stepped: at(), awake: at() }
    }

    /// The core has stepped.
    pub fn beat(&self, now: Timestamp) {
        self.stepped.store(now.millis(), Ordering::Release);
    }

    fn last(&self) -> Timestamp {
        Timestamp::from_millis(self.stepped.load(Ordering::Acquire))
    }

    /// Driver and watchdog say here that they are awake, before they do anything else. If neither was for too long the
    /// process did not run: the gate is shut before anybody acts on what was true before, and the first to notice is
    /// told for how long.
    pub fn awake(&self, now: Timestamp, gate: &Gate) -> Option<Duration> {
        let last = self.awake.load(Ordering::Acquire);
        let length = now.since(Timestamp::from_millis(last));
        if length > GAP_MIN {
            gate.shut(TradingState::Paused);
        }
        let first = self
            .awake
            .compare_exchange(last, now.millis().max(last), Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        (first && length > GAP_MIN).then_some(length)
    }
}

/// The thread; ends when dropped.
#[derive(Debug)]
pub struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts to watch.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(
        heartbeat: Heartbeat,
        gate: Gate,
        clock: LiveClock,
        inputs: UnboundedSender<Input>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watch = move || {
            let mut is_stuck = false;
            while !stopped.load(Ordering::Acquire) {
                std::thread::park_timeout(LOOK_EVERY);
                let now = clock.now().operator;
                let silent = now.since(heartbeat.last());
                if let Some(length) = heartbeat.awake(now, &gate) {
                    tracing::error!(?length, "the process did not run; the gate is shut");
                    // Nobody listens any more only when the process ends.
                    drop(inputs.send(Input::ProcessGap { length }));
                    // The core was not awake either: it is given its time anew.
                    heartbeat.beat(now);
                    continue;
                }
                if silent > STUCK_AFTER && !is_stuck {
                    shut(&gate, &inputs, format!("core stuck for {}", days_hms(silent)));
                }
                is_stuck = silent > STUCK_AFTER;
            }
        };
        let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

/// The gate first; the core learns of it when it steps again.
fn shut(gate: &Gate, inputs: &UnboundedSender<Input>, reason: String) {
    let epoch = gate.shut(TradingState::Paused);
    tracing::error!(%reason, "gate shut by the watchdog");
    let reason = SafeText::ours(reason);
    // Nobody listens any more only when the process ends.
    drop(inputs.send(Input::GateShut { epoch, to: TradingState::Paused, by: Actor::Watchdog, reason }));
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_did_not_run_has_its_gate_shut_by_whoever_wakes_first_and_is_told_once() {
        let (start, gate) = (Timestamp::from_secs(1_000), Gate::new(1, TradingState::Running));
        let heartbeat = Heartbeat::new(start);
        let soon = start.plus(Duration::from_secs(10));
        assert_eq!((heartbeat.awake(soon, &gate), gate.state()), (None, TradingState::Running));

        let later = soon.plus(Duration::from_secs(11));
        assert_eq!(heartbeat.awake(later, &gate), Some(Duration::from_secs(11)));
        assert_eq!(gate.state(), TradingState::Paused);
        assert_eq!(heartbeat.awake(later, &gate), None);
    }

    #[test]
    fn a_core_that_does_not_step_has_its_gate_shut_by_the_watchdog() {
        let clock = LiveClock::start(Timestamp::EPOCH, 1);
        let gate = Gate::new(1, TradingState::Running);
        let (inputs, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let long_ago = clock.now().operator.minus(Duration::from_secs(60));

        let heartbeat = Heartbeat::new(clock.now().operator);
        heartbeat.beat(long_ago);

        let watchdog = Watchdog::start(heartbeat, gate.clone(), clock, inputs).unwrap();
        let input = heard.blocking_recv();
        drop(watchdog);

        assert_eq!(gate.state(), TradingState::Paused);
        assert!(matches!(input, Some(Input::GateShut { by: Actor::Watchdog, .. })), "{input:?}");
    }
}
