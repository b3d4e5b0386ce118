//! The rules in their order, for the three kinds of order. The first rejection ends it.

use rust_decimal::Decimal;

use super::view::{
    EntryProposal, EntryVerdict, ExitProposal, LegOrder, LegProposal, OrderVerdict, Rejection, RiskView,
    VenueTerms,
};
use super::{confidence, exposure, flow, leverage, numbers, size, standing, stop};
use crate::config::Risk;
use crate::domain::{
    Change, Pct, PriceRounding, ReasonCode, Side, Symbol, Verdict, checked_add, checked_div, checked_mul,
    checked_sub, on_tick, round_quantity,
};

/// An entry that passed every rule.
struct Approved {
    size_pct: Pct,
    leverage: Decimal,
    quantity: Decimal,
}

/// All rules, for an order that opens or enlarges a lot. Size and leverage are only ever reduced, and the limits are
/// checked on what is left of them.
pub fn check_entry(
    proposal: &EntryProposal,
    view: &RiskView<'_>,
    config: &Risk,
    terms: &VenueTerms,
) -> EntryVerdict {
    let mut changes = Vec::new();
    let verdict = match entry(proposal, view, config, terms, &mut changes) {
        Ok(Approved { size_pct, leverage, quantity }) => Verdict::Approved { size_pct, leverage, quantity },
        Err(Rejection { code, detail }) => Verdict::Rejected { code, detail },
    };
    EntryVerdict { verdict, changes }
}

fn entry(
    proposal: &EntryProposal,
    view: &RiskView<'_>,
    config: &Risk,
    terms: &VenueTerms,
    changes: &mut Vec<Change>,
) -> Result<Approved, Rejection> {
    let symbol = &proposal.symbol;
    standing::check(symbol, view)?;
    let n = numbers::entry(proposal, view)?;
    let stop_distance_pct = stop::check(symbol, &n, &config.stop, terms.costs)?;
    confidence::check(proposal.confidence, view.regime, view.streak.losses(), &config.confidence)?;
    let size_pct = size::reduce(proposal, &n, stop_distance_pct, view, config, changes)?;
    let leverage = leverage::reduce(proposal, view, terms, &config.leverage, changes);

    let worth = size_pct.of(n.equity)?;
    size::worth_while(worth, view.entry_min, &config.orders)?;
    exposure::check(symbol, worth, leverage, n.equity, view, &config.exposure)?;

    let last = numbers::fresh("last trade", view.last_price)?;
    flow::collar(n.entry, last, &config.orders)?;
    stop::not_reached(&n, last)?;
    let quantity = quantity(symbol, worth, n.entry, view.quote_rate)?;
    flow::rate(symbol, quantity, view, &config.orders)?;
    funds(quantity, n.entry, view.funds, terms)?;
    Ok(Approved { size_pct, leverage, quantity })
}

/// Base units worth `worth` (account currency) at `price`, through the quote asset's own price.
fn quantity(
    symbol: &Symbol,
    worth: Decimal,
    price: Decimal,
    quote_rate: Option<Decimal>,
) -> Result<Decimal, Rejection> {
    let rate = numbers::fresh(symbol.quote().as_str(), quote_rate)?;
    numbers::quantity(checked_div(worth, rate)?, price)
}

/// `INSUFFICIENT_FUNDS`: the order and its fee are paid from what is outside lots.
fn funds(quantity: Decimal, price: Decimal, funds: Decimal, terms: &VenueTerms) -> Result<(), Rejection> {
    let cost = terms.costs.with_fee(checked_mul(quantity, price)?)?;
    if cost > funds { Err(not_enough(cost, funds)) } else { Ok(()) }
}

fn not_enough(cost: Decimal, funds: Decimal) -> Rejection {
    let detail = format!("{} with fee > {} available", numbers::short(cost), numbers::short(funds));
    Rejection::new(ReasonCode::InsufficientFunds, detail)
}

/// The rules for a trade that moves holdings: numbers, fresh price, balance. A purchase is made smaller by what the
/// trades of its plan have cost, a sale by what has become of the holding; its bound is what can be paid for.
///
/// # Errors
/// `NO_EQUITY`, `INVALID_ORDER`, `FEED_STALE`, `INSUFFICIENT_FUNDS`.
pub fn check_leg(
    leg: &LegProposal,
    equity: Option<Decimal>,
    terms: &VenueTerms,
) -> Result<LegOrder, Rejection> {
    numbers::equity(equity)?;
    let amount = numbers::amount("amount", leg.amount)?;
    let price = numbers::fresh("last trade", leg.price)?;
    let wanted = quantity(&leg.symbol, amount, price, leg.quote_rate)?;
    match leg.side {
        Side::Buy => buy_leg(leg, price, wanted, terms),
        Side::Sell => sell_leg(leg, price, wanted),
    }
}

fn buy_leg(
    leg: &LegProposal,
    price: Decimal,
    wanted: Decimal,
    terms: &VenueTerms,
) -> Result<LegOrder, Rejection> {
    let expected = checked_add(price, terms.costs.slippage_pct.of(price)?)?;
    let expected = on_tick(expected, leg.price_decimals, PriceRounding::Up);
    let cost = terms.costs.with_fee(checked_mul(wanted, expected)?)?;
    let value_max = terms.costs.without_fee(leg.available)?;
    let quantity = if cost <= leg.available {
        wanted
    } else {
        let rate = numbers::fresh(leg.symbol.quote().as_str(), leg.quote_rate)?;
        let short_by = checked_mul(checked_sub(cost, leg.available)?, rate)?;
        if short_by > leg.costs_max || leg.available <= Decimal::ZERO {
            return Err(not_enough(cost, leg.available));
        }
        numbers::quantity(value_max, expected)?
    };
    let collar = checked_add(price, leg.collar.of(price)?)?;
    let paid_for = on_tick(checked_div(value_max, quantity)?, leg.price_decimals, PriceRounding::Down);
    let collar = on_tick(collar, leg.price_decimals, PriceRounding::Down);
    // Division rounds in its last place; the quantity was made to be paid for at the expected price.
    Ok(LegOrder { quantity, price_bound: collar.min(paid_for.max(expected)) })
}

fn sell_leg(leg: &LegProposal, price: Decimal, wanted: Decimal) -> Result<LegOrder, Rejection> {
    let quantity = wanted.min(round_quantity(leg.available));
    if quantity <= Decimal::ZERO {
        let detail = format!("sell {wanted} {} > {} outside lots", leg.symbol, leg.available);
        return Rejection::no(ReasonCode::InsufficientFunds, detail);
    }
    let price_bound = checked_sub(price, leg.collar.of(price)?)?;
    Ok(LegOrder { quantity, price_bound: on_tick(price_bound, leg.price_decimals, PriceRounding::Up) })
}

/// The rules for a stop, target, reduction or flatten: numbers, fresh price, at most what is held, a client order id
/// of its own. Nothing else may keep a position from being closed: no breaker, cooldown, level, rate, or equity.
///
/// # Errors
/// `INVALID_ORDER`, `FEED_STALE`, `NOTHING_HELD`, `QUANTITY_TOO_HIGH`, `DUPLICATE_ORDER`.
pub fn check_exit(exit: &ExitProposal) -> OrderVerdict {
    let quantity = numbers::amount("quantity", exit.quantity)?;
    numbers::fresh("last trade", exit.price)?;
    if exit.held <= Decimal::ZERO {
        return Rejection::no(ReasonCode::NothingHeld, format!("no {} to sell", exit.symbol.base()));
    }
    if quantity > exit.held {
        return Rejection::no(ReasonCode::QuantityTooHigh, format!("{quantity} > {} held", exit.held));
    }
    if exit.client_id_used {
        return Rejection::no(ReasonCode::DuplicateOrder, "this client order id was used before");
    }
    // All of it is sold to the last digit; a part is rounded down, so that parts never sum to more than all.
    let rounded = if quantity == exit.held { quantity } else { round_quantity(quantity) };
    numbers::amount("rounded quantity", rounded)
}
