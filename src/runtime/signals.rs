//! Signals of the operating system, on a thread of their own: they are heard from before the first file is made until
//! the last one is gone, whatever the drivers are doing.
//!
//! What was ignored when the process began stays ignored: `nohup` and a shell's background jobs mean it.

use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::domain::SafeText;

/// Hears signals until it is dropped.
pub(super) struct Signals {
    /// Why the run shall end; others may say so too.
    pub(super) stop: watch::Sender<Option<SafeText>>,
    /// What was said: a clone has it as news even if it was said before.
    pub(super) stopped: watch::Receiver<Option<SafeText>>,
    /// Becomes true when the terminal of a front was closed.
    pub(super) hangups: watch::Receiver<bool>,
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Signals {
    /// Begins to listen. A hangup ends a run without a front; one with a front decides itself.
    pub(super) fn listen(has_front: bool) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let heard = Heard::from_now_on(&runtime, ignored_at_start())?;
        let (stop, stopped) = watch::channel(None);
        let (hang_up, hangups) = watch::channel(false);
        let (close, closed) = oneshot::channel();
        let (stopping, hang_up) = (stop.clone(), has_front.then_some(hang_up));
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = closed => {}
                    () = heard.serve(stopping, hang_up) => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(serve)?;
        Ok(Self { stop, stopped, hangups, thread: Some((close, thread)) })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        if let Some((close, thread)) = self.thread.take() {
            drop(close);
            if thread.join().is_err() {
                tracing::error!("the thread that hears signals panicked");
            }
        }
    }
}

/// One that is not ignored.
struct Wanted(Option<Signal>);

impl Wanted {
    fn new(kind: SignalKind, ignored: u64) -> std::io::Result<Self> {
        let is_ignored = u32::try_from(kind.as_raw_value() - 1).is_ok_and(|bit| (ignored >> bit) & 1 == 1);
        if is_ignored { Ok(Self(None)) } else { signal(kind).map(|signal| Self(Some(signal))) }
    }

    async fn came(&mut self) {
        let came = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

struct Heard {
    interrupt: Wanted,
    terminate: Wanted,
    quit: Wanted,
    hangup: Wanted,
    user1: Wanted,
    user2: Wanted,
}

impl Heard {
    fn from_now_on(runtime: &Runtime, ignored: u64) -> std::io::Result<Self> {
        let _inside = runtime.enter();
        Ok(Self {
            interrupt: Wanted::new(SignalKind::interrupt(), ignored)?,
            terminate: Wanted::new(SignalKind::terminate(), ignored)?,
            quit: Wanted::new(SignalKind::quit(), ignored)?,
            hangup: Wanted::new(SignalKind::hangup(), ignored)?,
            user1: Wanted::new(SignalKind::user_defined1(), ignored)?,
            user2: Wanted::new(SignalKind::user_defined2(), ignored)?,
        })
    }

    async fn serve(mut self, stop: watch::Sender<Option<SafeText>>, hang_up: Option<watch::Sender<bool>>) {
        let mut parked = Vec::new();
        loop {
            // Biased: what ends a run comes first.
            let name = tokio::select! {
                biased;
                () = self.interrupt.came() => "SIGINT",
                () = self.terminate.came() => "SIGTERM",
                () = self.quit.came() => "SIGQUIT",
                () = self.hangup.came() => match &hang_up {
                    Some(hang_up) => {
                        match park_stdin() {
                            Ok(keeps_it_open) => parked.push(keeps_it_open),
                            Err(error) => tracing::warn!(
                                %error, "no pipe in the place of the closed terminal; reading keys may keep a core busy"
                            ),
                        }
                        hang_up.send_replace(true);
                        continue;
                    }
                    None => "SIGHUP",
                },
                // Heard all the same: their default would end the process and leave the terminal raw.
                () = self.user1.came() => {
                    tracing::info!("SIGUSR1 has no meaning in this version; nothing is done");
                    continue;
                }
                () = self.user2.came() => {
                    tracing::info!("SIGUSR2 has no meaning in this version; nothing is done");
                    continue;
                }
            };
            stop.send_replace(Some(SafeText::ours(name)));
        }
    }
}

/// The signals that this process was started to ignore, a bit each, the lowest for number 1. None where the system does
/// not tell.
fn ignored_at_start() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).unwrap_or(0)
}

/// The same out of the text of `/proc/self/status`.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Puts a pipe that never speaks in the place of a terminal that was closed: whoever still reads keys from it sleeps
/// instead of spinning on its end. The pipe is silent as long as what is returned lives.
fn park_stdin() -> std::io::Result<std::os::fd::OwnedFd> {
    let (silent, keeps_it_open) = rustix::pipe::pipe()?;
    rustix::stdio::dup2_stdin(&silent)?;
    Ok(keeps_it_open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ignored_signals_are_read_from_the_status_of_the_process() {
        let status = "Name:\tandon\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001003\nSigCgt:\t0\n";
        assert_eq!(ignored(status), Some(0x1003));
        for strange in ["", "SigIgn:\tnonsense\n", "SigCgt:\t1\n"] {
            assert_eq!(ignored(strange), None, "{strange:?}");
        }
    }
}
