//! The seat of a front: what the runtime gives to whoever draws, without knowing who that is; and what becomes of the
//! run when the front ends.

use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::RunError;
use super::handle::{Handle, Traffic};
use crate::coordinator::input::Confirmation;
use crate::domain::{Command, CommandOutcome, SafeText};
use crate::telemetry::LogLines;

/// How long a front that was asked to leave may take to give the terminal back.
pub(super) const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// What a front is given.
pub struct Seat {
    /// The engine.
    pub handle: Handle,
    /// Its messages.
    pub traffic: Traffic,
    /// Its log.
    pub log: LogLines,
    /// Becomes true when the process is about to end.
    pub shutdown: watch::Receiver<bool>,
}

/// Why a front ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// The operator quit: the process ends cleanly.
    Quit,
    /// The screen is gone, for this reason: with positions open the engine goes on without it, PAUSED.
    Gone(String),
}

/// Draws until it ends; runs on a thread of its own.
pub type Front = Box<dyn FnOnce(Seat) -> Left + Send>;

/// Gives a front its seat, on a thread of its own. What it says at its end comes out of the receiver.
pub(super) fn on_its_thread(front: Front, seat: Seat) -> std::io::Result<oneshot::Receiver<Left>> {
    let (leave, left) = oneshot::channel();
    std::thread::Builder::new().name("front".to_owned()).spawn(move || {
        // A front that panics drops the sender, which says so.
        drop(leave.send(front(seat)));
    })?;
    Ok(left)
}

/// Waits for the front to end, or for the hangup of its terminal. Quit ends the process; a screen that is gone ends it
/// only when nothing is held.
pub(super) async fn watch(
    mut left: oneshot::Receiver<Left>,
    mut hangups: watch::Receiver<bool>,
    close: watch::Sender<bool>,
    handle: Handle,
    stop: watch::Sender<Option<SafeText>>,
) -> Result<(), RunError> {
    let ended = tokio::select! {
        biased;
        ended = &mut left => ended,
        Ok(()) = hangups.changed() => {
            close.send_replace(true);
            // Whether it could draw its end is all the same: its terminal is gone.
            drop(tokio::time::timeout(LEAVE_WITHIN, left).await);
            Ok(Left::Gone("SIGHUP: the terminal was closed".to_owned()))
        }
    };
    let (why, end) = match ended {
        Ok(Left::Quit) => {
            stop.send_replace(Some(SafeText::ours("quit by the operator")));
            return Ok(());
        }
        Ok(Left::Gone(why)) => (why, Ok(())),
        Err(_) => ("the console panicked".to_owned(), Err(RunError::ConsolePanicked)),
    };
    tracing::error!(%why, "the console ended");
    let holds = !handle.snapshots().borrow().portfolio.positions.is_empty();
    if holds {
        let command = Command::Pause { reason: why };
        let outcome = handle.command(command, Confirmation::None).await;
        if matches!(outcome, CommandOutcome::Refused { .. }) {
            // A pause is refused by an engine that is no more, and by no other.
            stop.send_replace(Some(SafeText::ours("the console ended after the engine")));
        }
        tracing::warn!(?outcome, "positions are open: going on without a screen, PAUSED; SIGTERM ends it");
    } else {
        stop.send_replace(Some(SafeText::ours(why)));
    }
    end
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rust_decimal::Decimal;
    use tokio::sync::mpsc;

    use super::*;
    use crate::bus::MessageBus;
    use crate::config::Config;
    use crate::coordinator::snapshot::{PositionView, Snapshot};
    use crate::domain::{Symbol, TradingState};
    use crate::gate::Gate;
    use crate::runtime::handle::Request;
    use crate::runtime::options::simulated_for;

    /// A run with a front, and the ends of every wire between them.
    struct Run {
        leave: Option<oneshot::Sender<Left>>,
        hang_up: watch::Sender<bool>,
        close: watch::Receiver<bool>,
        stop: watch::Receiver<Option<SafeText>>,
        requests: Option<mpsc::Receiver<Request>>,
        gate: Gate,
        watching: tokio::task::JoinHandle<Result<(), RunError>>,
        // Whoever watches borrows from it.
        _snapshots: watch::Sender<Arc<Snapshot>>,
    }

    impl Run {
        fn holding(positions: usize) -> Self {
            let (mut snapshot, ..) =
                crate::runtime::seen_at_the_end(&simulated_for(Duration::from_secs(60))).unwrap();
            let position = PositionView {
                stale_since: None,
                symbol: Symbol::new("BTC/USDT").unwrap(),
                quantity: Decimal::ONE,
                entry: Decimal::ONE,
                price: None,
                result: None,
                stop_pct: None,
            };
            Arc::make_mut(&mut snapshot.portfolio).positions = vec![position; positions];
            let now = snapshot.at;
            let (snapshots, seen) = watch::channel(Arc::new(snapshot));
            let (send, requests) = mpsc::channel(4);
            let gate = Gate::new(1, TradingState::Running);
            let bus = MessageBus::new(&Config::defaults().unwrap().orchestration.message_bus);
            let handle = Handle::new(seen, send, gate.clone(), bus, Arc::new(move || now));
            let (leave, left) = oneshot::channel();
            let (hang_up, hangups) = watch::channel(false);
            let (close_front, close) = watch::channel(false);
            let (stopping, stop) = watch::channel(None);
            let watching = tokio::spawn(watch(left, hangups, close_front, handle, stopping));
            let (leave, requests) = (Some(leave), Some(requests));
            Self { leave, hang_up, close, stop, requests, gate, watching, _snapshots: snapshots }
        }

        fn front_says(&mut self, left: Left) {
            self.leave.take().unwrap().send(left).unwrap();
        }

        fn stopped_because(&self) -> Option<String> {
            self.stop.borrow().as_ref().map(ToString::to_string)
        }

        /// Answers the one request that is expected, and returns its command.
        async fn answer(&mut self) -> Command {
            let request = self.requests.as_mut().unwrap().recv().await.unwrap();
            request.reply.send(CommandOutcome::done("PAUSED")).unwrap();
            request.command
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_front_that_quits_ends_the_run_whatever_is_held() {
        let mut run = Run::holding(1);
        run.front_says(Left::Quit);
        assert!((&mut run.watching).await.unwrap().is_ok());
        assert_eq!(run.stopped_because().as_deref(), Some("quit by the operator"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_screen_ends_a_run_that_holds_nothing() {
        let mut run = Run::holding(0);
        run.front_says(Left::Gone("EIO".to_owned()));
        assert!((&mut run.watching).await.unwrap().is_ok());
        assert_eq!(run.stopped_because().as_deref(), Some("EIO"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_screen_pauses_a_run_that_holds_positions_and_lets_it_go_on() {
        let mut run = Run::holding(2);
        run.front_says(Left::Gone("EIO".to_owned()));
        let command = run.answer().await;
        assert!(matches!(&command, Command::Pause { reason } if reason == "EIO"), "{command:?}");
        assert!((&mut run.watching).await.unwrap().is_ok());
        assert_eq!(run.gate.state(), TradingState::Paused);
        assert_eq!(run.stopped_because(), None, "the engine goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_hangup_closes_the_front_and_does_not_wait_for_one_that_hangs() {
        let mut run = Run::holding(1);
        run.hang_up.send(true).unwrap();
        let command = run.answer().await;
        assert!(matches!(&command, Command::Pause { reason } if reason.contains("SIGHUP")), "{command:?}");
        assert!((&mut run.watching).await.unwrap().is_ok());
        assert!(*run.close.borrow(), "the front was asked to leave");
        assert_eq!(run.stopped_because(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_screen_after_the_engine_ends_the_run() {
        let mut run = Run::holding(1);
        run.requests = None;
        run.front_says(Left::Gone("EIO".to_owned()));
        assert!((&mut run.watching).await.unwrap().is_ok());
        assert_eq!(run.stopped_because().as_deref(), Some("the console ended after the engine"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_front_that_panics_is_told_as_such() {
        let mut run = Run::holding(0);
        run.leave = None;
        assert!(matches!((&mut run.watching).await.unwrap(), Err(RunError::ConsolePanicked)));
        assert_eq!(run.stopped_because().as_deref(), Some("the console panicked"));
    }
}
