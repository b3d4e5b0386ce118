//! Where the agents of a live run work: each run on a thread of its own, so that an agent that blocks holds up nobody
//! else, neither the loop nor the checkpoints.

use std::io;
use std::sync::Arc;

use futures_util::future::{AbortHandle, Aborted, abortable};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::world::run_agent;
use crate::agents::Agent;
use crate::coordinator::task::{TaskFailure, TaskOutput, TaskRun};

/// More runs than these, all of them deaf to their abandonment, keep later ones waiting until they time out too.
const THREADS_MAX: usize = 256;

/// What a run came to; nothing if it was abandoned.
pub(super) type Ended = Result<Result<TaskOutput, TaskFailure>, Aborted>;

/// The threads. Those that still work when this is dropped end with the process.
pub(super) struct AgentThreads {
    runtime: Handle,
    /// Taken out only to be shut down.
    owned: Option<Runtime>,
}

impl AgentThreads {
    /// None of them is started yet.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn new() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(THREADS_MAX).thread_name("agents").enable_all();
        let runtime = builder.build()?;
        Ok(Self { runtime: runtime.handle().clone(), owned: Some(runtime) })
    }

    /// Starts a run. The handle abandons it: at once if it waits for something, and if it blocks when it has done so.
    pub fn start(&self, agent: Arc<dyn Agent>, run: TaskRun) -> (AbortHandle, JoinHandle<Ended>) {
        let (run, abandon) = abortable(run_agent(agent, run));
        let runtime = self.runtime.clone();
        (abandon, self.runtime.spawn_blocking(move || runtime.block_on(run)))
    }
}

impl Drop for AgentThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.owned.take() {
            runtime.shutdown_background();
        }
    }
}
