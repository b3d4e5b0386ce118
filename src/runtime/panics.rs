//! Where the news of a panic goes: always into the log; onto stderr only when no screen would be spoilt by it; of a task
//! of ours, to the gate and the core.

use std::panic::PanicHookInfo;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::coordinator::input::Input;
use crate::domain::{SafeText, TradingState};
use crate::gate::Gate;

/// Writes every panic of the process into the log before it goes where it went before.
pub(super) fn log_all() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        log(info);
        before(info);
    }));
}

/// Writes one into the log. A front that owns the screen calls this instead of the hook it found.
pub fn log(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let what = info.payload_as_str().unwrap_or("no text");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(thread = thread.name().unwrap_or("unnamed"), %place, "panicked: {what}");
}

/// Waits for a task of ours. One that panics shuts the gate and is an Emergency by name; the process goes on.
pub(super) async fn supervise(
    what: &'static str,
    task: JoinHandle<()>,
    gate: Gate,
    inputs: mpsc::UnboundedSender<Input>,
) {
    let Err(error) = task.await else { return };
    if error.is_panic() {
        gate.shut(TradingState::Paused);
        tracing::error!(%error, what, "task panicked");
        // Only a process that ends does not listen.
        drop(inputs.send(Input::Panicked { what: SafeText::ours(what) }));
    }
}

/// Panics where the variable `ANDON_PANIC` says so: tests have no other way into a healthy program. A release build
/// has nothing of this.
///
/// # Panics
/// In a debug build, when `ANDON_PANIC` names `place`.
#[inline]
pub fn provoke(place: &str) {
    if cfg!(debug_assertions) {
        let wanted = std::env::var_os("ANDON_PANIC").is_some_and(|there| there == place);
        assert!(!wanted, "provoked in the {place}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state of the gate and what the core hears after a supervised task has ended so.
    async fn after(task: JoinHandle<()>) -> (TradingState, Option<Input>) {
        let gate = Gate::new(1, TradingState::Running);
        let (inputs, mut heard) = mpsc::unbounded_channel();
        supervise("webhook", task, gate.clone(), inputs).await;
        (gate.state(), heard.recv().await)
    }

    #[tokio::test]
    async fn a_task_that_panics_shuts_the_gate_and_the_core_hears_its_name() {
        let (state, heard) = after(tokio::spawn(async { panic!("on purpose") })).await;
        assert_eq!(state, TradingState::Paused);
        assert!(matches!(&heard, Some(Input::Panicked { what }) if what.as_str() == "webhook"), "{heard:?}");
    }

    #[tokio::test]
    async fn a_task_that_ends_or_is_called_off_is_nothing_to_tell() {
        let called_off = tokio::spawn(std::future::pending());
        called_off.abort();
        for task in [tokio::spawn(async {}), called_off] {
            let (state, heard) = after(task).await;
            assert_eq!(state, TradingState::Running);
            assert!(heard.is_none(), "{heard:?}");
        }
    }
}
