//! The thread that owns the writer. The core hands records over without waiting; whoever must know that one is on
//! the disk watches [`Progress`].
//!
//! Group commit by natural batching: write what has queued, fsync once, tell, repeat. No timer.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::anchor::Anchor;
use super::segments::SegmentNo;
use super::writer::{WriteError, Writer};
use crate::coordinator::record::Record;
use crate::domain::Seq;

/// How the writer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriterState {
    /// It writes.
    Open,
    /// A write failed; it goes on in a new segment, in the space that was kept in reserve, until
    /// [`WriterThread::reopen`]. Everything is durable still.
    OnReserve {
        /// Why.
        error: WriteError,
    },
    /// It does not write any more; what was handed over and is not durable is kept until [`WriterThread::reopen`].
    Failed {
        /// Why.
        error: WriteError,
    },
    /// It ended as asked, everything written.
    Closed,
    /// Its thread is gone without being asked.
    Gone,
}

/// What is published after every commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The last record that is on the disk, and its hash.
    pub durable: Anchor,
    /// Where it stands: the segment, and its length behind that record; none before the first.
    pub place: Option<(SegmentNo, u64)>,
    /// Whether more will follow.
    pub state: WriterState,
}

impl Progress {
    /// Number of the last record that is on the disk.
    pub const fn durable_seq(&self) -> Seq {
        self.durable.seq
    }
}

/// The writer did not take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue is full: the disk hangs. The record is not in the journal, so neither can any later one be.
    #[error("the journal's queue is full; the disk does not keep up")]
    Full,
    /// The thread has ended.
    #[error("the journal's writer has ended")]
    Gone,
}

enum Request {
    Append { record: Box<Record>, starts_segment: bool },
    Anchor(oneshot::Sender<Anchor>),
    Reopen(oneshot::Sender<Result<Anchor, WriteError>>),
    Close,
}

/// The handle of the writer's thread. One owner: the order of its calls is the order of the journal.
#[derive(Debug)]
pub struct WriterThread {
    queue: SyncSender<Request>,
    progress: watch::Receiver<Progress>,
    thread: JoinHandle<()>,
}

impl WriterThread {
    /// Starts the thread. `queue_max` is how many requests may wait; beyond that [`WriterThread::append`] refuses,
    /// because the core never waits for the disk.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn spawn(writer: Writer, queue_max: usize) -> io::Result<Self> {
        let (queue, requests) = sync_channel(queue_max);
        let (told, progress) = watch::channel(progress_of(&writer));
        let worker = Worker { writer, told, waiting: Vec::new() };
        let thread =
            std::thread::Builder::new().name("journal".to_owned()).spawn(move || worker.run(&requests))?;
        Ok(Self { queue, progress, thread })
    }

    /// Hands over the next record. `starts_segment` says that it holds the whole state and begins a segment.
    ///
    /// # Errors
    /// [`AppendError`]: treat it as a failed store.
    pub fn append(&self, record: Record, starts_segment: bool) -> Result<(), AppendError> {
        self.send(Request::Append { record: Box::new(record), starts_segment })
    }

    /// Asks for number and hash of the record handed over last; answered when it is durable, dropped if it never is.
    /// A checkpoint of the state after that record is named by it.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn anchor(&self) -> Result<oneshot::Receiver<Anchor>, AppendError> {
        let (answer, anchor) = oneshot::channel();
        self.send(Request::Anchor(answer)).map(|()| anchor)
    }

    /// Begins a new segment after a failure; see [`Writer::reopen`]. The answer comes when everything handed over
    /// before is durable, or says why it is not.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn reopen(&self) -> Result<oneshot::Receiver<Result<Anchor, WriteError>>, AppendError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Request::Reopen(answer)).map(|()| outcome)
    }

    /// Watches what is durable.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Writes what has queued, notes the head in `HEAD` and ends the thread. Blocks until then.
    pub fn close(self) -> Progress {
        // Refused only when the thread is gone already, which the last progress says.
        drop(self.queue.send(Request::Close));
        drop(self.queue);
        match self.thread.join() {
            Ok(()) => self.progress.borrow().clone(),
            Err(_panic) => Progress { state: WriterState::Gone, ..self.progress.borrow().clone() },
        }
    }

    fn send(&self, request: Request) -> Result<(), AppendError> {
        self.queue.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => AppendError::Full,
            TrySendError::Disconnected(_) => AppendError::Gone,
        })
    }
}

fn progress_of(writer: &Writer) -> Progress {
    let state = match (writer.failed(), writer.trouble()) {
        (Some(error), _) => WriterState::Failed { error: error.clone() },
        (None, Some(error)) => WriterState::OnReserve { error: error.clone() },
        (None, None) => WriterState::Open,
    };
    Progress { durable: writer.committed(), place: writer.place(), state }
}

/// Most requests served between two commits, so that an early one does not wait for an endless stream of later ones.
const BATCH_MAX: usize = 4096;

struct Worker {
    writer: Writer,
    told: watch::Sender<Progress>,
    /// Who wants to know that a head is durable.
    waiting: Vec<(Anchor, oneshot::Sender<Anchor>)>,
}

impl Worker {
    fn run(mut self, requests: &Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            for request in std::iter::once(first).chain(requests.try_iter().take(BATCH_MAX)) {
                if !self.serve(request) {
                    return self.close();
                }
            }
            self.commit();
        }
        // The handle was dropped: the same end as being asked.
        self.close();
    }

    /// Returns whether more may follow. What the writer refuses it remembers, and [`Worker::tell`] says.
    fn serve(&mut self, request: Request) -> bool {
        match request {
            Request::Append { record, starts_segment } => drop(self.writer.append(&record, starts_segment)),
            Request::Anchor(answer) => self.waiting.push((self.writer.head(), answer)),
            Request::Reopen(answer) => {
                let outcome = self.writer.reopen();
                self.tell();
                // Nobody may be listening any more; the progress says the same.
                drop(answer.send(outcome));
            }
            Request::Close => return false,
        }
        true
    }

    fn commit(&mut self) {
        let committed = self.writer.commit().is_ok();
        self.tell();
        for (anchor, answer) in self.waiting.drain(..).filter(|_| committed) {
            // Whoever asked may have gone.
            let _ = answer.send(anchor);
        }
    }

    fn tell(&self) {
        let progress = progress_of(&self.writer);
        self.told.send_if_modified(|told| {
            let changed = *told != progress;
            *told = progress;
            changed
        });
    }

    fn close(mut self) {
        self.commit();
        let closed = self.writer.note_head().is_ok();
        self.tell();
        if closed {
            self.told.send_modify(|told| told.state = WriterState::Closed);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Reached while it writes only by a panic: nobody may believe that writing goes on.
        self.told.send_if_modified(|told| {
            let open = matches!(told.state, WriterState::Open | WriterState::OnReserve { .. });
            if open {
                told.state = WriterState::Gone;
            }
            open
        });
    }
}
