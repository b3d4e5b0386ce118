//! Rule 1: may anything be opened at all? `BREAKER_TRIPPED`, `IN_COOLDOWN`, `SYMBOL_LOCKED`.

use super::view::{Rejection, RiskView};
use crate::domain::{ReasonCode, Symbol, days_hms};

pub(super) fn check(symbol: &Symbol, view: &RiskView<'_>) -> Result<(), Rejection> {
    let tripped: Vec<&str> = view.breakers.tripped().map(|(name, _)| name.as_str()).collect();
    if !tripped.is_empty() {
        return Rejection::no(ReasonCode::BreakerTripped, tripped.join(", "));
    }
    if let Some((until, cause)) = view.streak.cooldown(view.now) {
        let left = days_hms(until.since(view.now));
        return Rejection::no(ReasonCode::InCooldown, format!("{cause}, {left} left"));
    }
    if view.locked.contains(symbol) {
        return Rejection::no(ReasonCode::SymbolLocked, symbol.to_string());
    }
    Ok(())
}
