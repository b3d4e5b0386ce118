//! Sentiment where the market brings its own: only a simulated one does. On real markets without a model this agent
//! has no source, and the voice stays absent; it is never invented.

use std::sync::Arc;

use super::{Agent, AgentError, AgentFuture, at_once, symbol_of};
use crate::config::TaskName;
use crate::coordinator::task::{TaskOutput, TaskRun};
use crate::domain::{SentimentUpdate, Symbol, Timestamp, Untrusted};
use crate::market::SentimentSource;

/// The market's own mood, passed on.
pub struct SentimentAgent {
    source: Option<Arc<dyn SentimentSource>>,
}

impl SentimentAgent {
    /// Reads from `source`, if there is one.
    pub const fn new(source: Option<Arc<dyn SentimentSource>>) -> Self {
        Self { source }
    }

    fn ask(&self, symbol: &Symbol, at: Timestamp) -> Result<SentimentUpdate, AgentError> {
        let mood = self.source.as_ref().and_then(|source| source.sentiment(symbol, at));
        let (bias, confidence) = mood.ok_or_else(|| AgentError::NoSource(symbol.clone()))?;
        Ok(SentimentUpdate {
            symbol: symbol.clone(),
            bias,
            confidence,
            reasoning: Untrusted::new(format!("simulated mood: {bias}, as it stands at {}", at.clock())),
        })
    }
}

impl std::fmt::Debug for SentimentAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentimentAgent").field("has_source", &self.source.is_some()).finish()
    }
}

impl Agent for SentimentAgent {
    fn task(&self) -> TaskName {
        TaskName::SentimentAnalysis
    }

    fn has_source(&self) -> bool {
        self.source.is_some()
    }

    fn run(&self, run: TaskRun) -> AgentFuture<'_> {
        at_once(symbol_of(&run).and_then(|symbol| self.ask(symbol, run.at)).map(TaskOutput::Sentiment))
    }
}
