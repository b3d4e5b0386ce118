//! Sentiment where the market brings its own: only a simulated one does. On real markets without a model this agent
//! has no source, and the voice stays absent; it is never invented.

use super::{Agent, AgentError, symbol_of};
use crate::config::TaskName;
use crate::coordinator::task::{TaskOutput, TaskRun};
use crate::domain::{SentimentUpdate, Untrusted};

/// The market's own mood, passed on.
#[derive(Debug)]
pub struct SentimentAgent {
    has_mood: bool,
}

impl SentimentAgent {
    /// `has_mood`: the market has a mood of its own.
    pub const fn new(has_mood: bool) -> Self {
        Self { has_mood }
    }
}

impl Agent for SentimentAgent {
    fn task(&self) -> TaskName {
        TaskName::SentimentAnalysis
    }

    fn has_source(&self) -> bool {
        self.has_mood
    }

    fn run(&self, run: &TaskRun) -> Result<TaskOutput, AgentError> {
        let symbol = symbol_of(run)?;
        let (bias, confidence) = run.market.mood.ok_or_else(|| AgentError::NoSource(symbol.clone()))?;
        Ok(TaskOutput::Sentiment(SentimentUpdate {
            symbol: symbol.clone(),
            bias,
            confidence,
            reasoning: Untrusted::new(format!("simulated mood: {bias}, as it stands at {}", run.at.clock())),
        }))
    }
}
