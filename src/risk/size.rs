//! Rule 4: how much. Caps first, then halvings; every reduction is a `SIZE_REDUCED` change with its own words.

use rust_decimal::Decimal;

use super::numbers::{EntryNumbers, short};
use super::view::{EntryProposal, Rejection, RiskView};
use crate::config::{Orders, Risk};
use crate::domain::{Change, Level, Pct, ReasonCode, checked_div, checked_mul, checked_sub, pct_of};

/// The size in percent of equity after all reductions.
///
/// # Errors
/// `SIZE_TOO_SMALL` when nothing is left of it.
pub(super) fn reduce(
    proposal: &EntryProposal,
    n: &EntryNumbers,
    stop_distance_pct: Decimal,
    view: &RiskView<'_>,
    config: &Risk,
    changes: &mut Vec<Change>,
) -> Result<Pct, Rejection> {
    let mut size = Shrinking { pct: proposal.size_pct.value(), changes };

    let most = config.size.per_symbol_max_pct.value();
    let held = view.exposure.get(&proposal.symbol).copied().unwrap_or_default().max(Decimal::ZERO);
    let held_pct = pct_of(held, n.equity)?;
    let room = checked_sub(most, held_pct)?.max(Decimal::ZERO);
    size.at_most(room, || format!("at most {most} % of equity in one symbol, {} % held", short(held_pct)));

    let loss_max = config.size.loss_at_stop_max_pct.value();
    let affordable = checked_mul(checked_div(loss_max, stop_distance_pct)?, Decimal::ONE_HUNDRED)?;
    size.at_most(affordable, || format!("loss at stop at most {loss_max} % of equity"));

    if let Some(ratio) = view.atr_ratio.filter(|ratio| *ratio > config.size.spike_atr_ratio) {
        size.halve(|| format!("volatility spike: ATR {ratio:.1} times its average"));
    }
    let losses = view.streak.losses();
    if losses >= config.cooldown.losses {
        size.halve(|| format!("{losses} losses in a row"));
    }
    match view.level {
        Level::Normal | Level::Reduced => {}
        Level::Limited | Level::Emergency => size.halve(|| format!("LEVEL {}", view.level)),
    }
    if size.pct <= Decimal::ZERO {
        let why = size.changes.last().map_or_else(String::new, |change| change.why.clone());
        return Rejection::no(ReasonCode::SizeTooSmall, format!("nothing left: {why}"));
    }
    Pct::new(size.pct).map_err(|error| Rejection::new(ReasonCode::InvalidOrder, error.to_string()))
}

/// `SIZE_TOO_SMALL`: what the reductions left, in the account currency, has to be worth its fees. `FEED_STALE` while the
/// least amount cannot be converted.
pub(super) fn worth_while(worth: Decimal, least: Option<Decimal>, config: &Orders) -> Result<(), Rejection> {
    let least = least.ok_or_else(|| {
        Rejection::new(ReasonCode::FeedStale, format!("no fresh price for entry_min {}", config.entry_min))
    })?;
    if worth < least {
        let detail = format!("worth {} < {} ({})", short(worth), short(least), config.entry_min);
        return Rejection::no(ReasonCode::SizeTooSmall, detail);
    }
    Ok(())
}

/// A size that can only become smaller, and writes down why.
struct Shrinking<'a> {
    pct: Decimal,
    changes: &'a mut Vec<Change>,
}

impl Shrinking<'_> {
    fn at_most(&mut self, limit: Decimal, why: impl FnOnce() -> String) {
        if limit < self.pct {
            let change = Change { code: ReasonCode::SizeReduced, from: self.pct, to: limit, why: why() };
            self.pct = limit;
            self.changes.push(change);
        }
    }

    fn halve(&mut self, why: impl FnOnce() -> String) {
        // Halving a percentage cannot fail: it is at most 100, and 2 is not zero.
        let half = checked_div(self.pct, Decimal::TWO).unwrap_or(Decimal::ZERO);
        self.at_most(half, why);
    }
}
