//! Rule 8: the order fits the flow of orders and the market. `PRICE_COLLAR`, `DUPLICATE_ORDER`, `ORDER_RATE`.

use rust_decimal::Decimal;

use super::numbers::short;
use super::view::{Rejection, RiskView};
use crate::config::Orders;
use crate::domain::{ReasonCode, Side, Symbol, checked_sub, pct_of};

pub(super) fn collar(entry: Decimal, last: Decimal, config: &Orders) -> Result<(), Rejection> {
    let distance_pct = pct_of(checked_sub(entry, last)?.abs(), last)?;
    let most = config.price_collar_pct.value();
    if distance_pct > most {
        let detail =
            format!("{entry} is {} % from the last trade {last}, at most {most} %", short(distance_pct));
        return Rejection::no(ReasonCode::PriceCollar, detail);
    }
    Ok(())
}

pub(super) fn rate(
    symbol: &Symbol,
    quantity: Decimal,
    view: &RiskView<'_>,
    config: &Orders,
) -> Result<(), Rejection> {
    if let Some(age) = view.recent.duplicate(symbol, Side::Buy, quantity, view.now, config.duplicate_within) {
        let detail = format!("buy {quantity} {symbol} was sent {} s ago", age.as_secs());
        return Rejection::no(ReasonCode::DuplicateOrder, detail);
    }
    let count = view.recent.last_minute(view.now);
    if count >= config.per_minute_max {
        let detail = format!("{count} orders in the last minute, at most {}", config.per_minute_max);
        return Rejection::no(ReasonCode::OrderRate, detail);
    }
    Ok(())
}
