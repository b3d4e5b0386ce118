//! Pane 8: account, positions, orders, allocation.

use rust_decimal::Decimal;

use crate::coordinator::Coordinator;
use crate::coordinator::durable::TrackedOrder;
use crate::coordinator::routing::order_text;
use crate::coordinator::snapshot::{AllocationRow, OrderView, PortfolioView, PositionView};
use crate::domain::{
    Asset, MoneyError, Now, OrderStatus, Symbol, Timestamp, checked_add, checked_div, checked_mul,
    checked_sub,
};
use crate::risk::BreakerName;

impl Coordinator {
    pub(super) fn portfolio_view(&self, now: Now) -> PortfolioView {
        let account = &self.durable.account;
        let prices = self.prices(now);
        let equity = self.equity(now);
        let valuation = self.valuation(now);
        let stale_since = valuation.and_then(|it| it.stale.iter().map(|stale| stale.since).min());
        let limits = &self.config.risk.breakers;
        let breakers = &self.durable.breakers;
        let loss = |name: BreakerName| equity.map(|equity| breakers.get(name).loss_pct(equity));
        let exposure = account.exposure_by_symbol(&prices).unwrap_or_default();
        let share = |worth: Decimal| {
            let pct = checked_div(checked_mul(worth, Decimal::ONE_HUNDRED)?, equity.unwrap_or_default())?;
            Ok::<_, MoneyError>(pct)
        };
        let largest = exposure.iter().max_by_key(|(_, worth)| **worth).and_then(|(symbol, worth)| {
            let limit = self.config.risk.size.per_symbol_max_pct.value();
            Some((symbol.clone(), share(*worth).ok()?, limit))
        });
        PortfolioView {
            currency: account.currency().clone(),
            decimals: self.setup.decimals,
            equity,
            stale_since,
            day_pct: (self.change_pct(BreakerName::DailyLoss, equity), limits.daily_loss_pct.value()),
            week_pct: (self.change_pct(BreakerName::WeeklyLoss, equity), limits.weekly_loss_pct.value()),
            drawdown_pct: (loss(BreakerName::MaxDrawdown), limits.max_drawdown_pct.value()),
            exposure_pct: (
                equity.and_then(|equity| account.exposure_pct(equity, &prices).ok()),
                self.config.risk.exposure.total_max_pct.value(),
            ),
            largest,
            breakers_tripped: breakers.tripped().map(|(name, _)| name.to_string()).collect(),
            positions: self.setup.symbols.iter().filter_map(|symbol| self.position(symbol, now)).collect(),
            orders: self
                .durable
                .open_orders()
                .map(|tracked| OrderView {
                    symbol: tracked.order.symbol.clone(),
                    text: order_text(&tracked.order),
                    status: status_text(tracked),
                    at: tracked.at.market,
                })
                .collect(),
            allocation: self.allocation_rows(now),
            equity_history: self.equity_history(now, equity),
            marks: self.durable.changes.iter().cloned().collect(),
            realised: account.results().realised,
        }
    }

    /// The marks of the last day, and the present equity: while that does not change there are no marks.
    fn equity_history(&self, now: Now, equity: Option<Decimal>) -> Vec<(Timestamp, Decimal)> {
        let marks = self.durable.marks.iter().copied();
        let is_newer = self.durable.marks.back().is_some_and(|(at, _)| *at < now.market);
        marks.chain(equity.filter(|_| is_newer).map(|equity| (now.market, equity))).collect()
    }

    /// Every holding has a row, at its last known price.
    fn allocation_rows(&self, now: Now) -> Vec<AllocationRow> {
        let holdings = self.holdings(now);
        let targets = self.targets(&holdings);
        let (account, prices) = (&self.durable.account, self.prices(now));
        let owned = |asset: &Asset| account.holding(asset).unwrap_or_default();
        let worth = |asset: &Asset| {
            if owned(asset).is_zero() {
                return Some((Decimal::ZERO, None));
            }
            let worth = prices.value(owned(asset), asset, account.currency()).ok()?;
            Some((worth.amount, (!worth.is_fresh).then_some(worth.at)))
        };
        let fresh = holdings.shares.iter().map(|share| (&share.asset, Some((share.value, None))));
        let left_out = holdings.left_out.iter().map(|left| (&left.asset, worth(&left.asset)));
        let valued: Vec<_> = fresh.chain(left_out).collect();
        let known = valued.iter().filter_map(|(_, worth)| worth.map(|(value, _)| value));
        let total = known.into_iter().try_fold(Decimal::ZERO, |sum, value| checked_add(sum, value).ok());
        let all_known = valued.iter().all(|(_, worth)| worth.is_some());
        let row = |(asset, worth): (&Asset, Option<(Decimal, Option<Timestamp>)>)| AllocationRow {
            asset: asset.clone(),
            quantity: owned(asset),
            value: worth.map(|(value, _)| value),
            stale_since: worth.and_then(|(_, since)| since),
            share_pct: worth.filter(|_| all_known).and_then(|(value, _)| {
                let hundredfold = checked_mul(value, Decimal::ONE_HUNDRED).ok()?;
                checked_div(hundredfold, total?).ok()
            }),
            target_pct: targets.get(asset).copied().unwrap_or_default(),
        };
        let mut rows: Vec<_> = valued.into_iter().map(row).collect();
        rows.retain(|row| !row.quantity.is_zero() || !row.target_pct.is_zero());
        rows.sort_by(|a, b| a.asset.cmp(&b.asset));
        rows
    }

    /// Change of equity against a breaker's baseline, percent; negative is a loss, none is unknown.
    fn change_pct(&self, name: BreakerName, equity: Option<Decimal>) -> Option<Decimal> {
        let baseline = self.durable.breakers.get(name).baseline?;
        let change = checked_sub(equity?, baseline).ok()?;
        checked_div(checked_mul(change, Decimal::ONE_HUNDRED).ok()?, baseline).ok()
    }

    fn position(&self, symbol: &Symbol, now: Now) -> Option<PositionView> {
        let account = &self.durable.account;
        let prices = self.prices(now);
        let price = self.live.prices.mark(symbol).map(|mark| mark.price);
        let (mut quantity, mut cost, mut result) = (Decimal::ZERO, Decimal::ZERO, Some(Decimal::ZERO));
        let mut stop: Option<Decimal> = None;
        for lot in account.lots_of(symbol) {
            quantity = checked_add(quantity, lot.quantity).ok()?;
            cost = checked_add(cost, checked_mul(lot.quantity, lot.entry_price).ok()?).ok()?;
            let unrealised = price.and_then(|price| lot.unrealised(price).ok());
            result = result.zip(unrealised).and_then(|(sum, part)| checked_add(sum, part).ok());
            stop = stop.into_iter().chain(lot.stop).max();
        }
        if quantity.is_zero() {
            return None;
        }
        let result = result.and_then(|quote| {
            prices.value(quote, symbol.quote(), account.currency()).ok().map(|worth| worth.amount)
        });
        let stale_since = self.live.prices.mark(symbol).map(|mark| mark.at);
        let stale_since = stale_since.filter(|_| self.symbol_feed_stale(symbol, now));
        let stop_pct = price.zip(stop).and_then(|(price, stop)| {
            let distance = checked_mul(checked_sub(stop, price).ok()?, Decimal::ONE_HUNDRED).ok()?;
            checked_div(distance, price).ok()
        });
        let entry = checked_div(cost, quantity).ok()?;
        Some(PositionView { symbol: symbol.clone(), quantity, entry, price, stale_since, result, stop_pct })
    }
}

/// `accepted`, or `part filled 1 of 9.8`.
fn status_text(tracked: &TrackedOrder) -> String {
    if tracked.filled.is_zero() {
        return status_word(tracked.status).to_owned();
    }
    let word = match tracked.status {
        OrderStatus::Accepted => "part filled".to_owned(),
        other => format!("{}, filled", status_word(other)),
    };
    format!("{word} {} of {}", tracked.filled.normalize(), tracked.order.quantity.normalize())
}

const fn status_word(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Intent => "intent",
        OrderStatus::Sent => "sent",
        OrderStatus::Accepted => "accepted",
        OrderStatus::Filled => "filled",
        OrderStatus::Cancelled => "cancelled",
        OrderStatus::Rejected => "rejected",
        OrderStatus::Unknown => "unknown",
    }
}
