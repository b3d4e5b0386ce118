//! A model whose answers are written beforehand: it stands for a provider in tests and simulations.

use std::fmt;
use std::time::Duration;

use super::{Call, Model, ModelError, ModelFuture};
use crate::domain::Untrusted;

/// When an answer comes, operator time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// After a latency that the seed of a virtual run decides; at once in a live one.
    Seeded,
    /// After exactly this.
    Exactly(Duration),
    /// Never.
    Never,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The text, or why there is none.
    pub reply: Result<String, ModelError>,
    /// When.
    pub after: After,
}

impl Said {
    /// A text, after a latency.
    pub fn text(text: impl Into<String>) -> Self {
        Self { reply: Ok(text.into()), after: After::Seeded }
    }

    /// A refusal, after a latency.
    pub fn refusal(why: &str) -> Self {
        Self { reply: Err(ModelError::Refused(Untrusted::new(why))), after: After::Seeded }
    }

    /// The same answer, at another time.
    #[must_use]
    pub fn after(self, after: After) -> Self {
        Self { after, ..self }
    }
}

/// Answers as its script says. For equal runs to be equal, the script must be a function of the calls so far.
pub struct Scripted {
    script: Box<dyn Fn(&Call) -> Said + Send + Sync>,
}

impl Scripted {
    /// Asks `script` for every answer.
    pub fn new(script: impl Fn(&Call) -> Said + Send + Sync + 'static) -> Self {
        Self { script: Box::new(script) }
    }

    /// Always says the same.
    pub fn saying(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(move |_| Said::text(text.clone()))
    }

    /// Never answers.
    pub fn hanging() -> Self {
        Self::new(|_| Said::text("").after(After::Never))
    }

    /// What it answers to this call, and when.
    pub fn say(&self, call: &Call) -> Said {
        (self.script)(call)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

impl Model for Scripted {
    fn ask(&self, call: Call) -> ModelFuture<'_> {
        Box::pin(async move {
            let said = self.say(&call);
            match said.after {
                After::Seeded => {}
                After::Exactly(latency) => tokio::time::sleep(latency).await,
                After::Never => std::future::pending().await,
            }
            said.reply
        })
    }

    fn as_scripted(&self) -> Option<&Self> {
        Some(self)
    }
}
