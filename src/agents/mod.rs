//! Agents: they read the market and propose. None decides, none publishes, none keeps state between runs.
//!
//! An agent gets one run and returns one output or says why it cannot; the core publishes and judges it. The agents
//! here follow fixed rules and say so. They invent nothing: without data they return an error, and sentiment exists
//! only where the market brings its own.

mod rebalance;
mod regime;
mod sentiment;
mod technical;
mod trading;

#[cfg(test)]
mod tests;

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use thiserror::Error;

pub use rebalance::RebalanceAgent;
pub use regime::RegimeAgent;
pub use sentiment::SentimentAgent;
pub use technical::TechnicalAgent;
pub use trading::TradingAgent;

use crate::config::{Config, TaskName};
use crate::coordinator::task::{TaskOutput, TaskRun};
use crate::domain::{MoneyError, Symbol};
use crate::market::{CandleStore, SentimentSource};

/// Why an agent returns nothing. The text goes to the operator as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AgentError {
    /// There is no price to work with.
    #[error("no closed candle of {0} yet: wait for the feed")]
    NoCandle(Symbol),
    /// A task for symbols was run for none.
    #[error("{0} was run without a symbol: run it for one")]
    NoSymbol(TaskName),
    /// Input of another task.
    #[error("{0} was given the input of another task")]
    WrongInput(TaskName),
    /// Nobody knows the mood of this symbol.
    #[error("no source of sentiment for {0}: it stays absent")]
    NoSource(Symbol),
    /// There is nothing to allocate.
    #[error("the holdings are worth nothing: a rebalance needs a total above zero")]
    NothingHeld,
    /// A price or amount cannot be computed.
    #[error("cannot compute a price or amount: {0}")]
    Money(#[from] MoneyError),
}

/// The result of a run, when it comes.
pub type AgentFuture<'a> = Pin<Box<dyn Future<Output = Result<TaskOutput, AgentError>> + Send + 'a>>;

/// Something that carries out the runs of one task.
pub trait Agent: Send + Sync {
    /// Which task.
    fn task(&self) -> TaskName;

    /// Whether it has anything to work from at all; without, its task shows as `no source` and is never run.
    fn has_source(&self) -> bool {
        true
    }

    /// Carries out one run. Dropping the future cancels it.
    fn run(&self, run: TaskRun) -> AgentFuture<'_>;
}

/// The rule-based agents, one per task, in the order of the tasks.
pub fn rules(
    config: &Config,
    candles: &CandleStore,
    sentiment: Option<Arc<dyn SentimentSource>>,
) -> Vec<Box<dyn Agent>> {
    vec![
        Box::new(TechnicalAgent::new(config.agents.technical_analysis.clone(), candles.clone())),
        Box::new(RegimeAgent::new(config.agents.regime_detection.clone(), candles.clone())),
        Box::new(SentimentAgent::new(sentiment)),
        Box::new(TradingAgent::new(config.agents.trading_decision.clone(), candles.clone())),
        Box::new(RebalanceAgent),
    ]
}

/// The future of an agent that never waits.
fn at_once<'a>(result: Result<TaskOutput, AgentError>) -> AgentFuture<'a> {
    Box::pin(ready(result))
}

/// The symbol of a run that must have one.
fn symbol_of(run: &TaskRun) -> Result<&Symbol, AgentError> {
    run.symbol.as_ref().ok_or(AgentError::NoSymbol(run.task))
}
