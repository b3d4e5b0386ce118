//! What a model may change about a signal. It may reduce, delay or stop; it never adds risk.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::config::ModificationBounds;
use crate::domain::{
    Change, Confidence, MoneyError, Pct, PriceRounding, ReasonCode, ResolutionAction, Signal, Untrusted,
    checked_add, checked_div, checked_mul, checked_sub, on_tick,
};

/// A model's answer to a conflict, after it has been read strictly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelAnswer {
    /// What it says to do.
    pub action: ResolutionAction,
    /// How sure it says it is.
    pub confidence: Confidence,
    /// Its words, at most 500 characters; shown only as quoted text.
    pub reasoning: Untrusted,
    /// Present with `modify`.
    pub modifications: Option<Modifications>,
}

/// What a model wants changed, as it wrote it: any number, bounded only when it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Modifications {
    /// Leverage instead of the signal's.
    pub leverage: Option<Decimal>,
    /// By how much the size is reduced, percent of it.
    pub size_reduction_pct: Option<Decimal>,
    /// By how much the entry is moved, percent of it; negative is a lower price.
    pub entry_adjustment_pct: Option<Decimal>,
}

impl Modifications {
    /// Whether nothing is wanted.
    pub const fn is_empty(&self) -> bool {
        self.leverage.is_none() && self.size_reduction_pct.is_none() && self.entry_adjustment_pct.is_none()
    }
}

/// How far an entry may be moved at most, in quote units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryLimits {
    /// Price of the last trade; without a fresh one the entry is not moved.
    pub last_trade: Option<Decimal>,
    /// Distance of the collar from it.
    pub collar: Pct,
    /// Decimal places of the pair's prices.
    pub decimals: u32,
}

/// The values of a signal after modification. The signal itself never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjusted {
    /// Limit price of the entry, quote units.
    pub entry: Option<Decimal>,
    /// Size in percent of equity; zero means that nothing is left to trade.
    pub size_pct: Pct,
    /// Leverage.
    pub leverage: Decimal,
    /// What differs from the signal.
    pub changes: Vec<Change>,
}

impl Adjusted {
    /// The signal as it is.
    pub fn unchanged(signal: &Signal) -> Self {
        Self {
            entry: signal.entry,
            size_pct: signal.size_pct,
            leverage: signal.leverage,
            changes: Vec::new(),
        }
    }
}

/// Applies what a model wants to a BUY, as far as the bounds allow. The result never carries more risk than the
/// signal: leverage and size at most its own, the entry at its own price or more passive.
///
/// # Errors
/// When a number is out of the decimal range; the caller then waits, as for an unreadable answer.
pub fn apply_modifications(
    signal: &Signal,
    wanted: &Modifications,
    bounds: &ModificationBounds,
    limits: EntryLimits,
) -> Result<Adjusted, MoneyError> {
    let mut adjusted = Adjusted::unchanged(signal);
    if let Some(leverage) = wanted.leverage {
        adjusted.leverage = bounded_leverage(leverage, signal.leverage, bounds);
        adjusted.note(ReasonCode::LeverageReduced, signal.leverage, adjusted.leverage, "model: leverage");
    }
    if let Some(reduction) = wanted.size_reduction_pct {
        adjusted.size_pct = reduced_size(reduction, signal.size_pct, bounds)?;
        let (from, to) = (signal.size_pct.value(), adjusted.size_pct.value());
        adjusted.note(ReasonCode::SizeReduced, from, to, "model: size");
    }
    if let (Some(adjustment), Some(entry)) = (wanted.entry_adjustment_pct, signal.entry) {
        let moved = moved_entry(adjustment, entry, signal.stop, bounds, limits)?;
        adjusted.entry = Some(moved);
        adjusted.note(ReasonCode::EntryAdjusted, entry, moved, "model: entry to the passive side");
    }
    Ok(adjusted)
}

impl Adjusted {
    fn note(&mut self, code: ReasonCode, from: Decimal, to: Decimal, why: &str) {
        if from != to {
            self.changes.push(Change { code, from, to, why: why.to_owned() });
        }
    }
}

fn bounded_leverage(wanted: Decimal, own: Decimal, bounds: &ModificationBounds) -> Decimal {
    // In this order: what the bounds do not agree on, the signal's own decides.
    wanted.max(bounds.leverage_min).min(bounds.leverage_max).min(own)
}

fn reduced_size(wanted: Decimal, own: Pct, bounds: &ModificationBounds) -> Result<Pct, MoneyError> {
    let reduction = wanted.max(Decimal::ZERO).min(bounds.size_reduction_pct_max.value());
    let size =
        checked_sub(own.value(), checked_div(checked_mul(own.value(), reduction)?, Decimal::ONE_HUNDRED)?)?;
    // Rounding in the last place must not lift the size above the signal's own.
    Ok(Pct::new(size).unwrap_or(Pct::ZERO).min(own))
}

/// The entry of a purchase, lower: models are asked about nothing else.
fn moved_entry(
    wanted: Decimal,
    entry: Decimal,
    stop: Option<Decimal>,
    bounds: &ModificationBounds,
    limits: EntryLimits,
) -> Result<Decimal, MoneyError> {
    let Some(last_trade) = limits.last_trade else { return Ok(entry) };
    let most = bounds.entry_adjustment_pct_max.value();
    let by = wanted.min(Decimal::ZERO).max(-most);
    let moved = checked_add(entry, checked_div(checked_mul(entry, by)?, Decimal::ONE_HUNDRED)?)?;
    let moved = moved.max(checked_sub(last_trade, limits.collar.of(last_trade)?)?);
    let moved = on_tick(moved, limits.decimals, PriceRounding::Up);
    // An entry at or under its stop is no entry; one that the collar forbids anyway is left to risk.
    let past_stop = stop.is_some_and(|stop| moved <= stop);
    Ok(if past_stop || moved > entry { entry } else { moved })
}
