//! What speaks against a signal, who may decide about it, and what happens when nobody does.
//!
//! Everything is looked up for the signal's own symbol. Nothing here asks a model: the core does, as an effect, and
//! checks everything again when the answer comes. Prompt and reply parsing live with the models.

mod alerts;
mod modification;
mod question;

pub use alerts::{AlertInForce, AlertsInForce};
pub use modification::{Adjusted, EntryLimits, ModelAnswer, Modifications, apply_modifications};
pub use question::{Answered, CallFailure, ProviderFailure, Question, Resolved};

use super::consensus::FreshVoices;
use super::degradation::{ModelUse, allows_model};
use crate::config;
use crate::domain::{
    Action, Bias, Conflict, ConflictKind, Level, Regime, ResolutionAction, SentimentBias, Symbol, Timestamp,
};

/// Confidences are decimal fractions with a few places; closer than this they are the same distance apart.
const CONFIDENCE_GRAIN: f64 = 1e-9;

/// What speaks against `action` on `symbol` at `now`, market time. `voices` must be the fresh ones of that symbol.
///
/// HOLD trades nothing, so nothing speaks against it.
pub fn detect(
    symbol: &Symbol,
    action: Action,
    voices: &FreshVoices<'_>,
    alerts: &AlertsInForce,
    now: Timestamp,
    config: &config::Conflicts,
) -> Vec<Conflict> {
    match action {
        Action::Hold => Vec::new(),
        Action::Buy | Action::Sell | Action::Close => {
            [ta_sentiment(voices, config), choppy(voices), risk_override(symbol, alerts, now)]
                .into_iter()
                .flatten()
                .collect()
        }
    }
}

fn ta_sentiment(voices: &FreshVoices<'_>, config: &config::Conflicts) -> Option<Conflict> {
    let (ta, mood) = (voices.technical?.said, voices.sentiment?.said);
    let gap = (ta.confidence.value() - mood.confidence.value()).abs();
    let about_equally_sure = gap + CONFIDENCE_GRAIN < config.confidence_gap;
    (are_opposite(ta.bias, mood.bias) && about_equally_sure).then(|| Conflict {
        kind: ConflictKind::TaSentimentConflict,
        detail: format!(
            "technical {} {} against sentiment {} {}",
            ta.bias, ta.confidence, mood.bias, mood.confidence
        ),
    })
}

const fn are_opposite(ta: Bias, mood: SentimentBias) -> bool {
    match ta {
        Bias::Long => matches!(mood, SentimentBias::Bearish | SentimentBias::VeryBearish),
        Bias::Short => matches!(mood, SentimentBias::Bullish | SentimentBias::VeryBullish),
        Bias::Neutral => false,
    }
}

fn choppy(voices: &FreshVoices<'_>) -> Option<Conflict> {
    let update = voices.regime?.said;
    (update.regime == Regime::Choppy).then(|| Conflict {
        kind: ConflictKind::RegimeConflict,
        detail: format!("regime {} {}", update.regime, update.confidence),
    })
}

fn risk_override(symbol: &Symbol, alerts: &AlertsInForce, now: Timestamp) -> Option<Conflict> {
    let alert = alerts.against(symbol, now)?;
    Some(Conflict { kind: ConflictKind::RiskOverride, detail: alert.to_string() })
}

/// What is done about `conflicts` when no model decides: the strictest of their defaults, with the first conflict that
/// asks for it. None without conflicts.
pub fn strictest_default(
    conflicts: &[Conflict],
    config: &config::Conflicts,
) -> Option<(ResolutionAction, ConflictKind)> {
    let default = |conflict: &Conflict| {
        let configured = match conflict.kind {
            ConflictKind::TaSentimentConflict => config.defaults.ta_sentiment_conflict,
            ConflictKind::RegimeConflict => config.defaults.regime_conflict,
            ConflictKind::RiskOverride => config.defaults.risk_override,
        };
        match configured {
            // There is nobody here to say what to modify.
            ResolutionAction::Modify => ResolutionAction::Wait,
            ResolutionAction::Proceed | ResolutionAction::Wait | ResolutionAction::Abort => configured,
        }
    };
    // Of equals, the last is the greatest.
    let strictest = conflicts.iter().rev().max_by_key(|conflict| default(conflict))?;
    Some((default(strictest), strictest.kind))
}

/// Whether a model may decide about these kinds at `level`: every one of them has to allow it, since an answer is one
/// outcome for all. No model configured is a mode, not a failure.
pub fn may_ask_model(
    kinds: impl IntoIterator<Item = ConflictKind>,
    level: Level,
    models_configured: bool,
) -> bool {
    let mut kinds = kinds.into_iter().peekable();
    models_configured
        && kinds.peek().is_some()
        && kinds.all(|kind| allows_model(level, ModelUse::Conflict(kind)))
}

#[cfg(test)]
mod tests;
