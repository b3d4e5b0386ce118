//! Where the agents of a live run work: each run on a thread of its own, so that an agent that blocks holds up nobody
//! else, neither the loop nor the disk.

use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::world::run_agent;
use crate::agents::Agent;
use crate::coordinator::task::{TaskFailure, TaskOutput, TaskRun};

/// Runs that block keep their threads; behind this many of them, later runs wait until they time out too.
const THREADS_MAX: usize = 256;

/// The threads. Those that still work when this is dropped end with the process.
pub(super) struct AgentThreads {
    runtime: Handle,
    /// Taken out only to be shut down.
    owned: Option<Runtime>,
}

impl AgentThreads {
    /// No thread is started yet.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn new() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(THREADS_MAX).thread_name("agents");
        let runtime = builder.build()?;
        Ok(Self { runtime: runtime.handle().clone(), owned: Some(runtime) })
    }

    /// Starts a run.
    pub fn start(&self, agent: Arc<dyn Agent>, run: TaskRun) -> JoinHandle<Result<TaskOutput, TaskFailure>> {
        self.runtime.spawn_blocking(move || run_agent(agent.as_ref(), &run))
    }
}

impl Drop for AgentThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.owned.take() {
            runtime.shutdown_background();
        }
    }
}
