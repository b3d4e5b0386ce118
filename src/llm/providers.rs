//! Primary, then fallback, each within its own timeout: one question, one outcome. The same for clients that are
//! waited for and, in virtual time, for scripted models that are not.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use thiserror::Error;

use super::{After, Call, Model, Models, Scripted, prompt, reply};
use crate::config;
use crate::coordinator::conflict::{Answered, CallFailure, ProviderFailure, Question, Resolved};
use crate::domain::Untrusted;

/// A provider is configured that nothing here can ask.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "orchestration.yaml: llm.{key}: there is no client for `{name}` in this version; remove llm.{key}: without a \
     model, rules and conflicts.defaults decide"
)]
pub struct NoClient {
    /// `primary` or `fallback`.
    pub key: &'static str,
    /// Its name.
    pub name: String,
}

/// A model that must be waited for, where nobody can wait.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the model `{0}` cannot be asked in virtual time; use --speed N instead of --speed max, or remove it from llm"
)]
pub struct RealModel(pub String);

/// One provider, ready to be asked.
#[derive(Clone)]
pub struct Provider {
    name: String,
    timeout: Duration,
    model: Arc<dyn Model>,
}

/// Those of the configuration, in the order in which they are asked. Clones are the same providers.
#[derive(Clone, Default)]
pub struct Providers(Arc<[Provider]>);

/// A question and what was written about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exchange {
    /// Whom to ask next is known from it, and in the end how the question ended.
    pub resolved: Resolved,
    /// The prompt, which is the same for all.
    pub prompt: String,
    /// What was answered, readable or not, in the order in which it came.
    pub replies: Vec<String>,
}

/// BLAKE3 of a text in hex, by which the journal names it.
fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

impl Exchange {
    fn about(question: &Question) -> Self {
        let prompt = prompt::about(question);
        let resolved = Resolved { prompt_digest: digest(&prompt), ..Resolved::default() };
        Self { resolved, prompt, replies: Vec::new() }
    }

    /// Takes what `provider` answered; whether that settles it.
    fn take(&mut self, provider: &Provider, said: Result<String, CallFailure>) -> bool {
        let provider = provider.name.clone();
        let (failure, reply_digest) = match said {
            Err(failure) => (failure, None),
            Ok(text) => {
                let reply_digest = digest(&text);
                let read = reply::read(&text);
                self.replies.push(text);
                match read {
                    Ok(answer) => {
                        self.resolved.answer = Some(Answered { provider, answer, reply_digest });
                        return true;
                    }
                    Err(why) => (unreadable(&why), Some(reply_digest)),
                }
            }
        };
        self.resolved.failures.push(ProviderFailure { provider, failure, reply_digest });
        false
    }
}

fn unreadable(why: &reply::Unreadable) -> CallFailure {
    CallFailure::Unreadable(Untrusted::new(why.to_string()))
}

impl Providers {
    /// The configured providers with their clients.
    ///
    /// # Errors
    /// [`NoClient`] for the first one without.
    pub fn of(config: &config::Llm, models: &Models) -> Result<Self, NoClient> {
        let with_client = |(key, provider): (&'static str, &config::Provider)| {
            let name = provider.name.clone();
            match models.get(&name) {
                Some(model) => Ok(Provider { name, timeout: provider.timeout, model: Arc::clone(model) }),
                None => Err(NoClient { key, name }),
            }
        };
        config.providers().map(with_client).collect::<Result<_, _>>().map(Self)
    }

    /// Whether virtual time can ask them all.
    ///
    /// # Errors
    /// [`RealModel`] for the first that it cannot.
    pub fn only_scripted(&self) -> Result<(), RealModel> {
        match self.0.iter().find(|provider| provider.model.as_scripted().is_none()) {
            Some(real) => Err(RealModel(real.name.clone())),
            None => Ok(()),
        }
    }

    /// Asks one after the other until one answers, waiting for each as long as its timeout allows.
    pub async fn resolve(&self, question: &Question) -> Exchange {
        let mut exchange = Exchange::about(question);
        let prompt = Arc::from(exchange.prompt.as_str());
        for provider in self.0.iter() {
            let said = ask(provider, Arc::clone(&prompt)).await;
            if exchange.take(provider, said) {
                break;
            }
        }
        exchange
    }

    /// Asks one provider for the least there is. It must be readable: else a provider that only babbles would recover
    /// by its probes.
    ///
    /// # Errors
    /// As for a question.
    pub async fn probe(&self, name: &str) -> Result<(), CallFailure> {
        let said = match self.0.iter().find(|provider| provider.name == name) {
            Some(provider) => ask(provider, Arc::from(prompt::PROBE)).await,
            None => Err(CallFailure::Failed(Untrusted::new("no such provider"))),
        };
        said.and_then(|text| reply::read(&text).map(drop).map_err(|why| unreadable(&why)))
    }

    /// What [`Providers::resolve`] would give, and after how long, without waiting. `latency` is asked where the script
    /// leaves it open.
    pub fn foresee(
        &self,
        question: &Question,
        mut latency: impl FnMut() -> Duration,
    ) -> (Duration, Exchange) {
        let mut exchange = Exchange::about(question);
        let (prompt, mut after) = (Arc::from(exchange.prompt.as_str()), Duration::ZERO);
        for provider in self.0.iter() {
            let (took, said) = foretell(provider, Arc::clone(&prompt), &mut latency);
            after += took;
            if exchange.take(provider, said) {
                break;
            }
        }
        (after, exchange)
    }

    /// What [`Providers::probe`] would give, and after how long.
    pub fn foresee_probe(
        &self,
        name: &str,
        mut latency: impl FnMut() -> Duration,
    ) -> (Duration, Result<(), CallFailure>) {
        let (after, said) = match self.0.iter().find(|provider| provider.name == name) {
            Some(provider) => foretell(provider, Arc::from(prompt::PROBE), &mut latency),
            None => (Duration::ZERO, Err(CallFailure::Failed(Untrusted::new("no such provider")))),
        };
        (after, said.and_then(|text| reply::read(&text).map(drop).map_err(|why| unreadable(&why))))
    }
}

/// One call, for as long as it may take; a client that panics has failed and nothing more.
async fn ask(provider: &Provider, prompt: Arc<str>) -> Result<String, CallFailure> {
    let call = Call { prompt, timeout: provider.timeout };
    let answer = AssertUnwindSafe(async { provider.model.ask(call).await }).catch_unwind();
    match tokio::time::timeout(provider.timeout, answer).await {
        Ok(Ok(Ok(text))) => Ok(text),
        Ok(Ok(Err(error))) => Err(CallFailure::Failed(Untrusted::new(error.to_string()))),
        Ok(Err(panic)) => Err(panicked(panic.as_ref())),
        Err(_) => Err(CallFailure::TimedOut),
    }
}

/// The same of a scripted model, and how long it would have taken.
fn foretell(
    provider: &Provider,
    prompt: Arc<str>,
    latency: &mut impl FnMut() -> Duration,
) -> (Duration, Result<String, CallFailure>) {
    let call = Call { prompt, timeout: provider.timeout };
    let Some(scripted) = provider.model.as_scripted() else {
        return (
            Duration::ZERO,
            Err(CallFailure::Failed(Untrusted::new(RealModel(provider.name.clone()).to_string()))),
        );
    };
    let said = match catch_unwind(AssertUnwindSafe(|| Scripted::say(scripted, &call))) {
        Ok(said) => said,
        Err(panic) => return (latency(), Err(panicked(panic.as_ref()))),
    };
    let after = match said.after {
        After::Seeded => Some(latency()),
        After::Exactly(after) => Some(after),
        After::Never => None,
    };
    match after.filter(|after| *after <= provider.timeout) {
        None => (provider.timeout, Err(CallFailure::TimedOut)),
        Some(after) => {
            (after, said.reply.map_err(|error| CallFailure::Failed(Untrusted::new(error.to_string()))))
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> CallFailure {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    CallFailure::Panicked(Untrusted::new(text.unwrap_or_else(|| "no message".to_owned())))
}
