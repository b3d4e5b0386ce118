//! Rule 3: sure enough for this regime, and surer after losses. `CONFIDENCE_TOO_LOW`.

use super::view::Rejection;
use crate::config::MinConfidence;
use crate::domain::{Confidence, ReasonCode, Regime};

/// Sums of decimal fractions in `f64` miss by less than this; a confidence is not told apart more finely.
const TOLERANCE: f64 = 1e-9;

/// Least confidence in `regime` after `losses` in a row, at most 1. A regime that the configuration does not know
/// asks for certainty.
pub fn minimum(regime: Regime, losses: u32, config: &MinConfidence) -> Confidence {
    let base = config.min_by_regime.get(&regime).copied().unwrap_or(Confidence::ONE);
    let raise = if losses >= config.losses_many {
        config.raise_many
    } else if losses >= config.losses_some {
        config.raise_some
    } else {
        0.0
    };
    Confidence::clamped(base.value() + raise.max(0.0))
}

pub(super) fn check(
    confidence: Confidence,
    regime: Regime,
    losses: u32,
    config: &MinConfidence,
) -> Result<(), Rejection> {
    let least = minimum(regime, losses, config);
    if confidence.value() + TOLERANCE < least.value() {
        let detail = format!("{confidence} < {least} ({regime}, {losses} losses in a row)");
        return Rejection::no(ReasonCode::ConfidenceTooLow, detail);
    }
    Ok(())
}
