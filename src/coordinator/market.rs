//! Candles, prices and equity: what the feed tells, and what the account is worth by it.
//!
//! A missing price blinds nobody: breakers, drawdown and the screen go by the last known prices, sizes by the fresh ones
//! alone, and what is held without a fresh price for long is an alarm of its own.

use rust_decimal::Decimal;

use super::degradation::DegradationEvent;
use super::record::RecordKind;
use super::{Coordinator, Cx, MARK_EVERY};
use crate::account::{Mark, PricesAt, StaleAsset, Valuation};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::config::Minimum;
use crate::domain::{
    Actor, Asset, Candle, Money, Now, Payload, Pct, PortfolioUpdate, PriceJump, Priority, SafeText, Symbol,
    SystemEventKind, Timestamp, checked_sub, days_hms, pct_of, shown_amount,
};

impl Coordinator {
    /// The prices at `now`, and how old they may be.
    pub(super) fn prices(&self, now: Now) -> PricesAt<'_> {
        self.live.prices.at(now.market, self.live.ages.price)
    }

    /// What the account is worth, and how far that can be trusted; none when it cannot be computed.
    pub(super) fn valuation(&self, now: Now) -> Option<Valuation> {
        let valuation = self.durable.account.valuation(&self.prices(now));
        valuation.inspect_err(|error| tracing::error!(%error, "the account cannot be valued")).ok()
    }

    /// Everything at the last known prices, account currency. None while the first price of something that is held may
    /// still come, and when nothing that is held has ever had one.
    pub(super) fn equity(&self, now: Now) -> Option<Decimal> {
        self.equity_of(&self.valuation(now)?, now)
    }

    fn equity_of(&self, valuation: &Valuation, now: Now) -> Option<Decimal> {
        let awaited = !valuation.unpriced.is_empty() && self.awaits_first_prices(now);
        (valuation.is_known && !awaited).then_some(valuation.worth)
    }

    /// The equity that sizes are computed from: what has no fresh price counts as nothing.
    pub(super) fn equity_for_sizes(&self, now: Now) -> Option<Decimal> {
        let valuation = self.valuation(now)?;
        self.equity_of(&valuation, now).map(|_| valuation.fresh)
    }

    /// The run is so young that a first price may still come.
    pub(super) fn awaits_first_prices(&self, now: Now) -> bool {
        now.market.since(self.live.begun_at) < self.live.ages.stale_held
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

    /// The market of a symbol has not begun: nobody waits for it, and it fails nobody. A feed that knows says when its
    /// first candle opens; else it is a symbol without any price while others have had theirs.
    pub(super) fn is_not_listed(&self, symbol: &Symbol, now: Now) -> bool {
        match self.setup.listed_at.get(symbol) {
            Some(opens) => opens.plus(self.setup.candle_interval) > now.market,
            None => {
                self.live.prices.mark(symbol).is_none()
                    && self.live.prices.any()
                    && now.market.since(self.live.begun_at) >= self.live.ages.price
            }
        }
    }

    /// The symbols whose market has begun, or may still be expected to.
    pub(super) fn listed_symbols(&self, now: Now) -> impl Iterator<Item = &Symbol> {
        self.setup.symbols.iter().filter(move |symbol| !self.is_not_listed(symbol, now))
    }

    /// No symbol has a fresh price: that is the feed, not the market of one of them.
    pub(super) fn whole_feed_stale(&self, now: Now) -> bool {
        self.listed_symbols(now).all(|symbol| self.symbol_feed_stale(symbol, now))
    }

    /// A candle of the history before the run: its close is a price, and nothing else follows from it.
    pub fn history(&mut self, candle: &Candle) {
        self.live.prices.update(candle);
        self.live.schedule.candle_seen(&candle.symbol, candle.close_time());
    }

    /// A closed candle: prices, then everything that follows from what the account is worth.
    pub(super) fn candle(&mut self, cx: &mut Cx<'_>, candle: Candle) {
        let before = self.live.prices.mark(&candle.symbol);
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
        let (symbol, close) = (candle.symbol.clone(), candle.close);
        self.publish_about(cx, &symbol, Payload::Candle(candle));
        if let Some(before) = before {
            self.watch_jump(cx, symbol, before, close);
        }
        self.watch_equity(cx);
    }

    fn publish_about(&mut self, cx: &mut Cx<'_>, symbol: &Symbol, payload: Payload) {
        debug_assert_eq!(payload.symbol(), Some(symbol), "a candle is about its own symbol");
        let source = self.live.sources.feed.clone();
        self.publish(cx, source, Priority::Low, Some(self.live.ages.candle_message), payload);
    }

    /// A price that moves by more than any market does is a fault of the data until a person says otherwise.
    fn watch_jump(&mut self, cx: &mut Cx<'_>, symbol: Symbol, before: Mark, to: Decimal) {
        let moved = checked_sub(to, before.price).and_then(|change| pct_of(change.abs(), before.price));
        let limit = self.config.orchestration.market.jump_max_pct.value();
        if moved.is_ok_and(|pct| pct <= limit) {
            return;
        }
        let jump = PriceJump { from: before.price, to };
        self.degradation_event(cx, &DegradationEvent::PriceJumped { symbol, jump });
    }

    /// Breakers look at every equity there is: after each candle, and after each fill.
    pub(super) fn watch_equity(&mut self, cx: &mut Cx<'_>) {
        self.await_mark(cx.now);
        let Some(valuation) = self.valuation(cx.now) else {
            return;
        };
        self.watch_uncertainty(cx, &valuation);
        let Some(equity) = self.equity_of(&valuation, cx.now) else {
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

    /// What is held without a fresh price for too long is an alarm, one for each asset. While the whole feed is silent
    /// that is the alarm, and after its end nothing is expected any more.
    pub(super) fn watch_uncertainty(&mut self, cx: &mut Cx<'_>, valuation: &Valuation) {
        if valuation.stale.is_empty() && valuation.unpriced.is_empty() && self.live.uncertain.is_empty() {
            return;
        }
        let ended = self.live.uncertain.iter().filter(|asset| {
            valuation.stale.iter().all(|stale| stale.asset != **asset)
                && valuation.unpriced.iter().all(|left| left.asset != **asset)
        });
        for asset in ended.cloned().collect::<Vec<_>>() {
            self.clear(cx, uncertain(&asset));
            self.live.uncertain.remove(&asset);
        }
        if self.live.feed_ended || self.whole_feed_stale(cx.now) {
            return;
        }
        for stale in &valuation.stale {
            let age = cx.now.market.since(stale.since);
            if age > self.live.ages.stale_held && self.live.uncertain.insert(stale.asset.clone()) {
                let detail = self.stale_text(stale, valuation.worth);
                self.raise(cx, uncertain(&stale.asset), "held without a fresh price", detail);
                self.mark(cx, true);
            }
        }
        if self.awaits_first_prices(cx.now) {
            return;
        }
        for left in &valuation.unpriced {
            if self.live.uncertain.insert(left.asset.clone()) {
                let quantity = self.durable.account.balance(&left.asset).normalize();
                let detail = format!("{quantity} {} left out of the equity: {}", left.asset, left.why);
                self.raise(cx, uncertain(&left.asset), "held, and never had a price", detail);
            }
        }
    }

    /// `500 XRP since 2024-01-01T03:45:00.000Z, about 250 USDT, 2.5 % of the equity`
    fn stale_text(&self, stale: &StaleAsset, equity: Decimal) -> String {
        let StaleAsset { asset, quantity, worth, since } = stale;
        let currency = self.durable.account.currency();
        let share = pct_of(*worth, equity).map_or_else(|_| "?".to_owned(), |pct| pct.round_dp(1).to_string());
        let (quantity, worth) = (quantity.normalize(), worth.round_dp(2).normalize());
        format!("{quantity} {asset} since {since}, about {worth} {currency}, {share} % of the equity")
    }

    /// The equity may have changed: it is marked at the next full five minutes, or now if those are over.
    fn await_mark(&mut self, now: Now) {
        let next = self.live.marked_at.floor_to(MARK_EVERY).plus(MARK_EVERY);
        self.live.mark_due.get_or_insert(next.max(now.market));
    }

    /// Records the equity if it is not what was recorded last, and the rates that have moved; with `whole` also those
    /// that have only grown older, so that they are known after a restart.
    fn mark(&mut self, cx: &mut Cx<'_>, whole: bool) {
        let Some(equity) = self.equity(cx.now) else {
            return;
        };
        let mut rates = self.durable.account.rates(&self.prices(cx.now));
        rates.retain(|asset, rate| {
            let known = self.durable.rates.get(asset);
            known.is_none_or(|known| known.price != rate.price || (whole && known.at != rate.at))
        });
        let is_known = self.durable.marks.back().is_some_and(|(_, last)| *last == equity);
        if !is_known || !rates.is_empty() {
            self.record_own(cx, RecordKind::Mark { equity, rates });
        }
    }

    /// What the account is worth when the run ends.
    pub(super) fn last_mark(&mut self, cx: &mut Cx<'_>) {
        self.mark(cx, true);
    }

    /// Every five minutes in which something has happened: equity for the chart and for those who listen.
    pub(super) fn mark_equity(&mut self, cx: &mut Cx<'_>) {
        if self.live.mark_due.is_none_or(|due| due > cx.now.market) {
            return;
        }
        self.live.mark_due = None;
        self.live.marked_at = cx.now.market;
        let Some(equity) = self.equity(cx.now) else {
            return;
        };
        self.mark(cx, false);
        let exposure_pct = match self.durable.account.exposure_pct(equity, &self.prices(cx.now)) {
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
        let ttl = self.live.ages.mark_message;
        self.publish(cx, source, Priority::Normal, Some(ttl), Payload::Portfolio(update));
    }

    /// A hole in the feed: an event; staleness follows from the age of the last price by itself.
    pub(super) fn feed_gap(&mut self, cx: &mut Cx<'_>, symbol: &Symbol, from: Timestamp, until: Timestamp) {
        let detail = format!("gap of {} from {}", days_hms(until.since(from)), from);
        self.announce_about(cx, SystemEventKind::Feed, Priority::High, Some(symbol.clone()), detail);
    }

    /// A replay is over: nothing more will come, so nothing more is traded.
    pub(super) fn feed_ended(&mut self, cx: &mut Cx<'_>) {
        self.no_more_candles(cx, SafeText::ours("feed ended"));
        self.clear(cx, AlarmKey::of(AlarmSource::FeedStale));
    }

    /// The feed is broken, and nothing more will come: the same, but somebody has to know.
    pub(super) fn feed_failed(&mut self, cx: &mut Cx<'_>, why: &SafeText) {
        self.no_more_candles(cx, SafeText::ours(format!("feed failed: {why}")));
        self.raise_moment(cx, AlarmKey::of(AlarmSource::FeedStale), "feed failed", why.to_string());
    }

    fn no_more_candles(&mut self, cx: &mut Cx<'_>, said: SafeText) {
        self.live.feed_ended = true;
        self.announce(cx, SystemEventKind::Feed, Priority::High, said.to_string());
        self.pause(cx, Actor::Runtime, said);
    }
}

/// The alarm of an asset that is held without a fresh price.
fn uncertain(asset: &Asset) -> AlarmKey {
    AlarmKey::about(AlarmSource::PriceStale, Subject::Asset(asset.clone()))
}
