//! Models: who is asked, in which words, and how an answer is read. Nothing here decides or trades; what a model says
//! goes to the core, which checks everything again.
//!
//! Prompts are our own words, with foreign text only as quoted data. Replies are untrusted: what is not exactly the
//! closed schema is no answer.

pub mod prompt;
mod providers;
pub mod reply;
mod scripted;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

pub use providers::{Exchange, NoClient, Provider, Providers, RealModel};
pub use scripted::{After, Said, Scripted};

use crate::domain::Untrusted;

/// What a provider is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The whole prompt.
    pub prompt: Arc<str>,
    /// The answer is of no use after this (operator time); the caller stops waiting then, whatever the client does.
    pub timeout: Duration,
}

/// Why a provider gave no text at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelError {
    /// Nobody is there.
    #[error("not reached: {}", .0.sanitize(120))]
    Unreachable(Untrusted),
    /// It said no: key, quota, unknown model.
    #[error("refused: {}", .0.sanitize(120))]
    Refused(Untrusted),
}

/// The raw text of an answer, when it comes.
pub type ModelFuture<'a> = Pin<Box<dyn Future<Output = Result<String, ModelError>> + Send + 'a>>;

/// A model behind some provider.
pub trait Model: Send + Sync {
    /// Asks. Dropping the future cancels the call.
    fn ask(&self, call: Call) -> ModelFuture<'_>;

    /// A model that need not be waited for, because its answers are written already: the only kind that virtual time
    /// can ask.
    fn as_scripted(&self) -> Option<&Scripted> {
        None
    }
}

/// Clients by the name of their provider in the configuration.
pub type Models = BTreeMap<String, Arc<dyn Model>>;
