//! The checkpoints of a live run: when the next one is due, and that none waits for one that does not end. One thread
//! writes them all: what sled is to free waits in the thread that used it, until that uses it again.

use std::io;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::coordinator::input::Input;
use crate::domain::{SafeText, Seq, Timestamp};
use crate::store::{Anchor, Checkpoint, CheckpointStore};

/// They are written this often, if anything changed.
const EVERY: Duration = Duration::from_secs(1);
/// After one that was not written the next waits twice as long as the one before, up to this: a store that failed holds
/// on to its memory.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// One that takes longer is told.
const WITHIN: Duration = Duration::from_secs(30);
/// How long the end of a run waits for the one on its way.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Whether a checkpoint is to be taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Not yet.
    No,
    /// Now.
    Yes,
    /// The one before does not end, and it is time to say so.
    Hangs,
}

/// One to be written, and who is told.
type Job = (Checkpoint, oneshot::Sender<Result<(), SafeText>>);

/// The thread that writes them, and how far the last one is.
pub(super) struct Checkpoints {
    /// The thread ends when this is dropped; the process does not wait for it.
    jobs: std::sync::mpsc::Sender<Job>,
    /// Says of the one on its way whether it was written.
    under_way: Option<oneshot::Receiver<bool>>,
    /// How long after the last one the next is due.
    pause: Duration,
    /// Record of the last one, unless it failed.
    taken: Seq,
    /// When it was taken, or last told to hang; operator time.
    at: Timestamp,
}

impl Checkpoints {
    /// The state after `seq` is that of the start: there is nothing to write yet.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn new(store: CheckpointStore, seq: Seq, now: Timestamp) -> io::Result<Self> {
        let (jobs, to_do) = std::sync::mpsc::channel::<Job>();
        let write = move || {
            for (checkpoint, written) in to_do {
                // Whoever does not listen any more has said that it hangs.
                written.send(store.write(&checkpoint).map_err(SafeText::ours)).ok();
            }
        };
        std::thread::Builder::new().name("checkpoints".to_owned()).spawn(write)?;
        Ok(Self { jobs, under_way: None, pause: EVERY, taken: seq, at: now })
    }

    /// Whether one is to be taken of the state after `seq`; if so it counts as taken.
    pub fn due(&mut self, seq: Seq, now: Timestamp) -> Due {
        let quiet = now.since(self.at);
        if self.is_under_way() {
            // sled may hang on a bad disk.
            if quiet < WITHIN {
                return Due::No;
            }
            self.at = now;
            return Due::Hangs;
        }
        if seq == self.taken || quiet < self.pause {
            return Due::No;
        }
        (self.taken, self.at) = (seq, now);
        Due::Yes
    }

    pub fn is_under_way(&mut self) -> bool {
        let Some(under_way) = &mut self.under_way else { return false };
        let is_written = match under_way.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => return true,
            Ok(is_written) => is_written,
            Err(oneshot::error::TryRecvError::Closed) => false,
        };
        self.under_way = None;
        self.pause = if is_written { EVERY } else { (self.pause * 2).min(PAUSE_MAX) };
        if !is_written {
            self.taken = Seq(0);
        }
        false
    }

    /// Writes one in the background as soon as its record is durable, and tells the core how that ended.
    pub fn write(
        &mut self,
        anchor: oneshot::Receiver<Anchor>,
        (state, hints): (Vec<u8>, Vec<u8>),
        inputs: mpsc::UnboundedSender<Input>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let jobs = self.jobs.clone();
        let (done, under_way) = oneshot::channel();
        self.under_way = Some(under_way);
        async move {
            let Ok(anchor) = anchor.await else {
                return;
            };
            let result = written(&jobs, Checkpoint { anchor, state, hints }).await;
            let is_written = result.is_ok();
            // Only a process that ends does not listen.
            drop(inputs.send(Input::CheckpointWritten { result }));
            done.send(is_written).ok();
        }
    }

    /// The last one of a run. Blocks, but not for ever.
    pub fn finish(mut self, last: &Checkpoint) {
        if self.is_under_way() && self.under_way.take().is_some_and(does_not_end) {
            tracing::error!("no last checkpoint: the one before does not end; the journal has everything");
            return;
        }
        let written = written(&self.jobs, last.clone());
        let ended = Handle::current().block_on(async { tokio::time::timeout(ENDS_WITHIN, written).await });
        let why = match ended {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why,
            Err(_) => SafeText::ours("it does not end"),
        };
        tracing::error!(%why, "last checkpoint not written; the journal has everything");
    }
}

/// Has the thread write one, behind those that wait.
async fn written(jobs: &std::sync::mpsc::Sender<Job>, checkpoint: Checkpoint) -> Result<(), SafeText> {
    let (written, ended) = oneshot::channel();
    // Without the thread nobody answers.
    drop(jobs.send((checkpoint, written)));
    ended.await.unwrap_or_else(|_| Err(SafeText::ours("the thread that writes it has ended")))
}

fn does_not_end(under_way: oneshot::Receiver<bool>) -> bool {
    Handle::current().block_on(async { tokio::time::timeout(ENDS_WITHIN, under_way).await }).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{DataDir, Hash};

    fn at(secs: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(secs))
    }

    fn checkpoints(dir: &DataDir) -> Checkpoints {
        let store = CheckpointStore::open(dir).unwrap().store;
        Checkpoints::new(store, Seq(1), at(0)).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_next_one_waits_for_the_one_before_and_one_that_hangs_is_told_again_and_again() {
        let place = tempfile::tempdir().unwrap();
        let mut checkpoints = checkpoints(&DataDir::open(place.path()).unwrap());
        assert_eq!(checkpoints.due(Seq(1), at(1)), Due::No, "nothing has changed");
        assert_eq!(checkpoints.due(Seq(2), at(1)), Due::Yes);
        let (_never, anchor) = oneshot::channel();
        let (inputs, _heard) = mpsc::unbounded_channel();
        let hanging = tokio::spawn(checkpoints.write(anchor, (Vec::new(), Vec::new()), inputs));

        assert_eq!(checkpoints.due(Seq(3), at(2)), Due::No);
        assert_eq!(checkpoints.due(Seq(3), at(31)), Due::Hangs);
        assert_eq!(checkpoints.due(Seq(3), at(32)), Due::No, "it has been told");
        assert_eq!(checkpoints.due(Seq(3), at(61)), Due::Hangs);

        hanging.abort();
        assert!(hanging.await.is_err());
        assert_eq!(checkpoints.due(Seq(3), at(62)), Due::No, "it has failed");
        assert_eq!(checkpoints.due(Seq(3), at(63)), Due::Yes);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_a_failure_the_next_one_waits_longer_each_time_and_no_longer_than_a_minute() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        let mut checkpoints = checkpoints(&dir);
        let (inputs, _heard) = mpsc::unbounded_channel();
        // A directory that is not empty has its place: it cannot be written.
        let marker = place.path().join("checkpoint");
        std::fs::create_dir_all(marker.join("in the way")).unwrap();
        let (mut now, mut waited) = (0, Vec::new());
        for round in 1..=10 {
            // After the first one nothing more happens.
            let seq = if round == 10 { Seq(3) } else { Seq(2) };
            let before = now;
            while checkpoints.due(seq, at(now)) == Due::No {
                now += 1;
                assert!(now - before < 1_000, "round {round}: never due again");
            }
            waited.push(now - before);
            if round == 9 {
                std::fs::remove_dir_all(&marker).unwrap();
            }
            let (answer, anchor) = oneshot::channel();
            answer.send(Anchor { seq, hash: Hash::GENESIS }).unwrap();
            checkpoints.write(anchor, (Vec::new(), Vec::new()), inputs.clone()).await;
        }
        assert_eq!(waited, [1, 2, 4, 8, 16, 32, 60, 60, 60, 1]);
        assert_eq!(checkpoints.due(Seq(3), at(now + 100)), Due::No, "it is written");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_end_waits_for_the_one_on_its_way_and_writes_the_last() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        let mut checkpoints = checkpoints(&dir);
        let (answer, anchor) = oneshot::channel();
        let (inputs, mut heard) = mpsc::unbounded_channel();
        let writing = tokio::spawn(checkpoints.write(anchor, (Vec::new(), Vec::new()), inputs));
        let anchor = |seq| Anchor { seq: Seq(seq), hash: Hash::GENESIS };
        answer.send(anchor(2)).unwrap();
        let last = Checkpoint { anchor: anchor(3), state: Vec::new(), hints: Vec::new() };
        tokio::task::spawn_blocking(move || checkpoints.finish(&last)).await.unwrap();
        writing.await.unwrap();
        let told = heard.recv().await;
        assert!(matches!(told, Some(Input::CheckpointWritten { result: Ok(()) })), "{told:?}");
        assert_eq!(CheckpointStore::marked(&dir), Some(anchor(3)));
    }
}
