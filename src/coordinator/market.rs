//! Candles, prices and equity: what the feed tells, and what the account is worth by it.

use std::time::Duration;

use rust_decimal::Decimal;

use super::record::RecordKind;
use super::{Coordinator, Cx, MARK_EVERY};
use crate::account::FreshPrices;
use crate::alarm::{AlarmKey, AlarmSource};
use crate::config::Minimum;
use crate::domain::{
    Candle, Money, Now, Payload, Pct, PortfolioUpdate, Priority, Symbol, SystemEventKind, Timestamp,
    days_hms, shown_amount,
};

/// How long a candle's message is of use.
const CANDLE_TTL: Duration = Duration::from_secs(3_600);

impl Coordinator {
    /// How old a price may be (market time).
    pub(super) fn price_max_age(&self) -> Duration {
        let config = &self.config.orchestration.signals;
        config.feed_stale_after.max(self.setup.candle_interval * config.feed_stale_candles)
    }

    /// The prices that are fresh now.
    pub(super) fn prices(&self, now: Now) -> FreshPrices<'_> {
        self.live.prices.at(now.market, self.price_max_age())
    }

    /// Everything at fresh prices, account currency; none when one is missing.
    pub(super) fn equity(&self, now: Now) -> Option<Decimal> {
        self.durable.account.equity(&self.prices(now)).ok()
    }

    /// A least amount in the account currency; none while the first equity or a price is not known.
    pub(super) fn least(&self, minimum: &Minimum, now: Now) -> Option<Decimal> {
        let currency = self.durable.account.currency();
        let worth = |of: &Money| self.prices(now).convert(of.amount, &of.currency, currency).ok();
        minimum.resolve(self.durable.first_equity, worth).ok().flatten()
    }

    /// An amount of the account currency as it is said.
    pub(super) fn said(&self, amount: Decimal) -> Decimal {
        shown_amount(amount, self.setup.decimals)
    }

    pub(super) fn symbol_feed_stale(&self, symbol: &Symbol, now: Now) -> bool {
        self.prices(now).price(symbol).is_err()
    }

    /// A candle of the history before the run: its close is a price, and nothing else follows from it.
    pub fn history(&mut self, candle: &Candle) {
        self.live.prices.update(candle);
        self.live.schedule.candle_seen(&candle.symbol, candle.close_time());
    }

    /// A closed candle: prices, then everything that follows from what the account is worth.
    pub(super) fn candle(&mut self, cx: &mut Cx<'_>, candle: Candle) {
        if candle.is_ahead_of(cx.now.market) || !self.live.prices.update(&candle) {
            self.live.candles_refused += 1;
            tracing::warn!(
                symbol = %candle.symbol, closed_at = %candle.close_time(), close = %candle.close,
                "a candle is older than the last one, dated ahead or without a price; ignored"
            );
            return;
        }
        self.live.feed_at = Some(cx.now.operator);
        self.live.schedule.candle_seen(&candle.symbol, cx.now.market);
        self.live.revision += 1;
        let symbol = candle.symbol.clone();
        self.publish_about(cx, &symbol, Payload::Candle(candle));
        self.watch_equity(cx);
    }

    fn publish_about(&mut self, cx: &mut Cx<'_>, symbol: &Symbol, payload: Payload) {
        debug_assert_eq!(payload.symbol(), Some(symbol), "a candle is about its own symbol");
        let source = self.live.sources.feed.clone();
        self.publish(cx, source, Priority::Low, Some(CANDLE_TTL), payload);
    }

    /// Breakers look at every equity there is: after each candle, and after each fill.
    pub(super) fn watch_equity(&mut self, cx: &mut Cx<'_>) {
        let Some(equity) = self.equity(cx.now) else {
            return;
        };
        for transition in self.durable.breakers.evaluate(cx.now.market, equity, &self.config.risk.breakers) {
            self.breaker_changed(cx, &transition);
        }
        self.watch_drawdown(cx, equity);
        self.watch_minima(cx);
    }

    /// Least amounts in other assets are known once they have a price: what can never be reached is said then, once a run.
    fn watch_minima(&mut self, cx: &mut Cx<'_>) {
        if self.live.minima_checked {
            return;
        }
        let config = &self.config;
        let minima = [
            ("risk.orders.entry_min", &config.risk.orders.entry_min, config.risk.size.per_symbol_max_pct),
            ("portfolio.rebalancing.trade_min", &config.portfolio.rebalancing.trade_min, Pct::HUNDRED),
            ("portfolio.dca.leg_min", &config.portfolio.dca.leg_min, Pct::HUNDRED),
        ];
        let mut beyond = Vec::new();
        for (key, minimum, most) in minima {
            let reach = self.durable.first_equity.and_then(|equity| most.of(equity).ok());
            let (Some(least), Some(reach)) = (self.least(minimum, cx.now), reach) else { return };
            if least > reach {
                let (least, reach) = (self.said(least), self.said(reach));
                beyond.push(format!("{key} {minimum} is {least}, the most is {reach}"));
            }
        }
        self.live.minima_checked = true;
        let key = AlarmKey::of(AlarmSource::MinimumOutOfReach);
        self.raise_while(cx, !beyond.is_empty(), key, "a least amount is out of reach", beyond.join("; "));
    }

    /// What the account is worth when the run ends.
    pub(super) fn last_mark(&mut self, cx: &mut Cx<'_>) {
        let is_told = self.durable.marks.back().is_some_and(|(at, _)| *at == cx.now.market);
        if let Some(equity) = self.equity(cx.now).filter(|_| !is_told) {
            self.record_own(cx, RecordKind::Mark { equity });
        }
    }

    /// Every five minutes: equity for the chart and for those who listen.
    pub(super) fn mark_equity(&mut self, cx: &mut Cx<'_>) {
        if cx.now.market < self.live.next_mark {
            return;
        }
        self.live.next_mark = cx.now.market.floor_to(MARK_EVERY).plus(MARK_EVERY);
        let Some(equity) = self.equity(cx.now) else {
            return;
        };
        self.record_own(cx, RecordKind::Mark { equity });
        let exposure_pct = match self.durable.account.exposure_pct(&self.prices(cx.now)) {
            Ok(exposure_pct) => exposure_pct,
            // Unknown is not told as nothing: no update is better than a wrong one.
            Err(error) => return tracing::warn!(%error, "exposure is unknown"),
        };
        let update = PortfolioUpdate {
            currency: self.durable.account.currency().clone(),
            equity: self.said(equity),
            exposure_pct,
            drawdown_pct: self.durable.breakers.drawdown_pct(equity),
            deviation_pct: self.live.deviation_pct,
        };
        let source = self.live.sources.coordinator.clone();
        self.publish(cx, source, Priority::Normal, Some(MARK_EVERY * 2), Payload::Portfolio(update));
    }

    /// A hole in the feed: an event; staleness follows from the age of the last price by itself.
    pub(super) fn feed_gap(&mut self, cx: &mut Cx<'_>, symbol: &Symbol, from: Timestamp, until: Timestamp) {
        let detail = format!("gap of {} from {}", days_hms(until.since(from)), from);
        self.announce_about(cx, SystemEventKind::Feed, Priority::High, Some(symbol.clone()), detail);
    }

    /// A replay is over: nothing more will come, so nothing more is traded.
    pub(super) fn feed_ended(&mut self, cx: &mut Cx<'_>) {
        self.live.feed_ended = true;
        self.pause(cx, crate::domain::Actor::Runtime, crate::domain::SafeText::ours("feed ended"));
        self.clear(cx, AlarmKey::of(AlarmSource::FeedStale));
        self.announce(cx, SystemEventKind::Feed, Priority::High, "feed ended");
    }
}
