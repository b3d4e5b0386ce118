//! Rule 5: how much leverage. The least of all limits; a reduction is a `LEVERAGE_REDUCED` change.

use rust_decimal::Decimal;

use super::view::{EntryProposal, RiskView, VenueTerms};
use crate::config::Leverage;
use crate::domain::{Change, Confidence, ReasonCode, Regime};

/// The least leverage limit and the words of the rule that set it. Never below 1, which is none.
pub fn limit(
    regime: Regime,
    drawdown_pct: Decimal,
    confidence: Confidence,
    venue_max: Decimal,
    config: &Leverage,
) -> (Decimal, String) {
    let by_regime = config.max_by_regime.get(&regime).copied().unwrap_or(Decimal::ONE);
    let reached = config.max_by_drawdown.iter().filter(|tier| drawdown_pct >= tier.from_pct.value());
    let by_drawdown = reached.map(|tier| tier.max).min();
    let tiers = config.max_by_confidence.iter().filter(|tier| confidence >= tier.from);
    let by_confidence = tiers.map(|tier| tier.max).max().unwrap_or(Decimal::ONE);
    let mut least = (by_regime, format!("regime {regime}"));
    let others = [
        by_drawdown.map(|max| (max, format!("drawdown {} %", drawdown_pct.round_dp(2)))),
        Some((by_confidence, format!("confidence {confidence}"))),
        Some((venue_max, "venue limit".to_owned())),
    ];
    for other in others.into_iter().flatten() {
        if other.0 < least.0 {
            least = other;
        }
    }
    (least.0.max(Decimal::ONE), least.1)
}

/// The leverage after reduction. The wanted one is at least 1, so the result never exceeds it.
pub(super) fn reduce(
    proposal: &EntryProposal,
    view: &RiskView<'_>,
    terms: &VenueTerms,
    config: &Leverage,
    changes: &mut Vec<Change>,
) -> Decimal {
    let (most, why) = limit(view.regime, view.drawdown_pct, proposal.confidence, terms.leverage_max, config);
    if most >= proposal.leverage {
        return proposal.leverage;
    }
    changes.push(Change {
        code: ReasonCode::LeverageReduced,
        from: proposal.leverage,
        to: most,
        why: format!("at most {most}: {why}"),
    });
    most
}
