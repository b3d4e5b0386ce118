//! Closing and reducing by order of an emergency or the operator: tried again until nothing is left.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::input::Confirmation;
use super::record::RecordKind;
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::domain::{
    Actor, Asset, ClientOrderId, CommandOutcome, Now, Order, OrderKind, Purpose, SafeText, Side, Symbol,
    Timestamp, checked_add, round_quantity,
};

/// How much of one symbol still has to be sold, and why. While one is open, each try is an order of its own, sent
/// only after the last one is terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Number of the emergency order within the installation; each try takes a new one.
    pub number: u64,
    /// Of what.
    pub symbol: Symbol,
    /// Base units still to sell.
    pub remaining: Decimal,
    /// Holdings too, not lots only.
    pub holdings: bool,
    /// Everything (flatten), or a share of it (reduce).
    pub flatten: bool,
    /// Tries in a row, up to now, that sold nothing.
    pub failures: u32,
    /// Who ordered it, and why.
    pub reason: SafeText,
}

impl Closing {
    /// How much of what is there it sells: all of it where holdings go too, also what came in after the order.
    fn of(&self, available: Decimal) -> Decimal {
        let wanted = if self.holdings { available } else { self.remaining.min(available) };
        round_quantity(wanted)
    }

    /// `flatten BTC/USDT: 0.5 still to sell, and what is bought meanwhile`
    pub(super) fn standing_text(&self) -> String {
        let verb = if self.flatten { "flatten" } else { "reduce" };
        let more = if self.holdings { ", and what is bought meanwhile" } else { "" };
        format!("{verb} {}: {} still to sell{more}", self.symbol, self.remaining.normalize())
    }
}

impl Coordinator {
    /// Sells everything of one symbol, or of all; holdings too with `all`.
    pub(super) fn flatten(
        &mut self,
        cx: &mut Cx<'_>,
        actor: &Actor,
        symbol: Option<&Symbol>,
        all: bool,
        confirmation: &Confirmation,
    ) -> CommandOutcome {
        let sales = match self.flatten_sales(cx.now, symbol, all) {
            Ok(sales) => sales,
            Err(refused) => return refused,
        };
        if let Some(refused) = self.wrong_code(cx.now, confirmation) {
            return refused;
        }
        let list = self.flatten_text(cx.now, &sales, all);
        for (own, quantity) in sales {
            let reason = SafeText::ours(format!("flatten by {actor}"));
            self.begin_closing(cx, actor.clone(), own, quantity, true, all, reason);
        }
        self.run_closings(cx);
        CommandOutcome::done(format!("selling {list}"))
    }

    /// What a flatten would sell, base units. With `all` that includes what the sales of other pairs bring in.
    pub(super) fn flatten_sales(
        &self,
        now: Now,
        symbol: Option<&Symbol>,
        all: bool,
    ) -> Result<Vec<(Symbol, Decimal)>, CommandOutcome> {
        symbol.map_or(Ok(()), |symbol| self.known_symbol(symbol))?;
        let (account, prices) = (&self.durable.account, self.prices(now));
        let wanted = self.setup.symbols.iter().filter(|own| symbol.is_none_or(|symbol| symbol == *own));
        let (last, first): (Vec<_>, Vec<_>) = wanted.partition(|own| own.quote() == account.currency());
        let mut sales: Vec<(Symbol, Decimal)> = Vec::new();
        for own in first.into_iter().chain(last) {
            let mut quantity = account.held(own).unwrap_or_default();
            let mut is_fed = false;
            if all && self.sells_holdings_of(own.base()) == Some(own) {
                let holding = account.holding(own.base()).unwrap_or_default();
                quantity = checked_add(quantity, holding).unwrap_or(quantity);
                for (other, sold) in sales.iter().filter(|(other, _)| other.quote() == own.base()) {
                    let brings = prices.convert(*sold, other.base(), own.base()).unwrap_or_default();
                    quantity = checked_add(quantity, brings).unwrap_or(quantity);
                    is_fed = true;
                }
            }
            if quantity > Decimal::ZERO || is_fed {
                sales.push((own.clone(), quantity));
            }
        }
        if sales.is_empty() {
            return Err(CommandOutcome::refused("nothing is held that it could sell"));
        }
        Ok(sales)
    }

    /// The pair through which a holding becomes account currency: at once, or with another sale after it.
    fn sells_holdings_of(&self, asset: &Asset) -> Option<&Symbol> {
        let currency = self.durable.account.currency();
        let mut pairs = self.setup.symbols.iter().filter(|own| own.base() == asset && asset != currency);
        let direct = pairs.clone().find(|own| own.quote() == currency);
        direct.or_else(|| pairs.next())
    }

    /// The sales of a flatten, and what may buy again: entries that rest at the venue, and with `all` plans.
    pub(super) fn flatten_text(&self, now: Now, sales: &[(Symbol, Decimal)], all: bool) -> String {
        let sales = sales.iter().map(|(symbol, quantity)| self.sale_text(now, symbol, *quantity));
        let sales = sales.collect::<Vec<_>>().join(", ");
        let open = self.durable.open_orders().map(|tracked| &tracked.order);
        let entries = open.filter(|order| matches!(order.purpose, Purpose::Entry { .. }));
        let entries = entries.map(|order| format!("{} {}", order.symbol, super::routing::order_text(order)));
        let entries = entries.collect::<Vec<_>>().join(", ");
        let plans = self.durable.plans.open().filter(|_| all).map(|plan| plan.id.to_string());
        let plans = plans.collect::<Vec<_>>().join(", ");
        let mut parts = vec![sales];
        if !entries.is_empty() {
            parts.push(format!("still at the venue, and may buy: {entries}: a halt cancels them"));
        }
        if !plans.is_empty() {
            parts.push(format!("the legs of {plans} are still to come: cancel_plan all calls them off"));
        }
        parts.join("; ")
    }

    fn sale_text(&self, now: Now, symbol: &Symbol, quantity: Decimal) -> String {
        let currency = self.durable.account.currency();
        let worth = self.prices(now).convert(quantity, symbol.base(), currency);
        let about = worth.map_or_else(
            |_| "no fresh price".to_owned(),
            |worth| format!("about {} {currency}", self.said(worth)),
        );
        format!("{} {symbol} ({about})", quantity.normalize())
    }

    /// Records that so much of a symbol has to be sold. What was ordered before for the same symbol still counts: the
    /// larger amount, and the wider reach. A try under way keeps its number, so that what it sells is counted.
    #[expect(clippy::too_many_arguments, reason = "the fields of one record")]
    pub(super) fn begin_closing(
        &mut self,
        cx: &mut Cx<'_>,
        actor: Actor,
        symbol: Symbol,
        quantity: Decimal,
        flatten: bool,
        holdings: bool,
        reason: SafeText,
    ) {
        let closing = match self.durable.closings.get(&symbol) {
            None => {
                let number = self.durable.last_closing + 1;
                Closing { number, symbol, remaining: quantity, holdings, flatten, failures: 0, reason }
            }
            Some(standing) => {
                let joined = Closing {
                    remaining: standing.remaining.max(quantity),
                    holdings: standing.holdings || holdings,
                    flatten: standing.flatten || flatten,
                    ..standing.clone()
                };
                if joined == *standing {
                    return;
                }
                Closing { reason, ..joined }
            }
        };
        self.record(cx, actor, RecordKind::Closing(closing));
    }

    /// Sends the next try of every closing that has none under way.
    pub(super) fn run_closings(&mut self, cx: &mut Cx<'_>) {
        // A rest that is over wakes nobody any more, also while a try is under way.
        self.live.closings_rest.retain(|_, until| *until > cx.now.market);
        for closing in self.durable.closings.values().cloned().collect::<Vec<_>>() {
            self.run_closing(cx, closing);
        }
    }

    fn run_closing(&mut self, cx: &mut Cx<'_>, closing: Closing) {
        let under_way = self.durable.open_orders().any(|tracked| {
            tracked.order.symbol == closing.symbol
                && matches!(tracked.order.purpose, Purpose::Reduce { .. } | Purpose::Flatten { .. })
        });
        if under_way || self.live.closings_rest.contains_key(&closing.symbol) {
            return;
        }
        let left = closing.of(self.closable(&closing));
        if left <= Decimal::ZERO {
            if self.is_promised(&closing) || self.is_fed(&closing) {
                // Another order is selling it, or may be: when that has ended it is sold, or its turn has come.
                return;
            }
            let symbol = closing.symbol;
            self.live.closings_rest.remove(&symbol);
            self.record_own(cx, RecordKind::ClosingEnded { symbol: symbol.clone() });
            self.clear(cx, not_done(&symbol));
            return;
        }
        if self.symbol_feed_stale(&closing.symbol, cx.now) {
            // After a start the first price may take a while to come.
            if cx.now.market.since(self.live.started_at.market) < self.live.ages.price {
                return;
            }
            let key = not_done(&closing.symbol);
            self.raise(cx, key, "no fresh price to sell at", format!("{left} {} not sold", closing.symbol));
            return;
        }
        let number = self.durable.last_closing + 1;
        // Only what may reach into the holdings is a flatten at the venue: a reduction never sells more than the lots
        // that it finds there, also when a stop was faster.
        let reaches_holdings = closing.holdings;
        let symbol = closing.symbol.clone();
        self.record_own(cx, RecordKind::Closing(Closing { number, ..closing }));
        let purpose = if reaches_holdings { Purpose::Flatten { number } } else { Purpose::Reduce { number } };
        let order = Order {
            client_id: ClientOrderId::derive(self.durable.install, &purpose.intent()),
            symbol,
            side: Side::Sell,
            quantity: left,
            kind: OrderKind::Market { bound: None },
            purpose,
            protection: None,
        };
        self.submit(cx, order, None);
    }

    /// When a closing that rests is tried again, market time.
    pub(super) fn next_closing(&self) -> Option<Timestamp> {
        self.live.closings_rest.values().min().copied()
    }

    /// Whether what the closing wants is there, but held back by an order that has not ended.
    fn is_promised(&self, closing: &Closing) -> bool {
        let account = &self.durable.account;
        let mut owned = account.held(&closing.symbol).unwrap_or_default();
        if closing.holdings {
            let holding = account.holding(closing.symbol.base()).unwrap_or_default();
            owned = checked_add(owned, holding).unwrap_or(owned);
        }
        let asset = closing.symbol.base();
        let holds_back = |order: &Order| {
            order.symbol.base() == asset || (order.side == Side::Buy && order.symbol.quote() == asset)
        };
        closing.of(owned) > Decimal::ZERO
            && self.durable.open_orders().any(|tracked| holds_back(&tracked.order))
    }

    /// Whether the closing of another pair brings in more of what this one sells.
    fn is_fed(&self, closing: &Closing) -> bool {
        let feeds = |other: &Closing| other.symbol.quote() == closing.symbol.base();
        closing.holdings && self.durable.closings.values().any(feeds)
    }

    /// Base units that a closing may sell: lots, and holdings where it was ordered so.
    fn closable(&self, closing: &Closing) -> Decimal {
        let free = self.held_free(&closing.symbol);
        if !closing.holdings {
            return free;
        }
        let holding = self.spendable(closing.symbol.base());
        checked_add(free, holding).unwrap_or(free)
    }

    /// A try of a closing is terminal. If anything is left the next one follows at once after a part fill, else after a
    /// rest.
    pub(super) fn closing_try_ended(&mut self, cx: &mut Cx<'_>, symbol: &Symbol, filled: Decimal) {
        let Some(closing) = self.durable.closings.get(symbol).cloned() else {
            return;
        };
        if filled > Decimal::ZERO {
            if closing.failures > 0 {
                self.record_own(cx, RecordKind::Closing(Closing { failures: 0, ..closing }));
            }
            return;
        }
        let failures = closing.failures.saturating_add(1);
        let config = &self.config.execution.execution;
        // Asked again at once, the venue would answer the same.
        let rests_until = cx.now.market.plus(self.live.ages.closing_again);
        let tries_max = config.closing_tries_max;
        self.live.closings_rest.insert(symbol.clone(), rests_until);
        let left = closing.remaining;
        self.record_own(cx, RecordKind::Closing(Closing { failures, ..closing }));
        if failures >= tries_max {
            let key = not_done(symbol);
            self.raise(
                cx,
                key,
                "the venue refuses to sell",
                format!("{left} {symbol} not sold after {failures} tries"),
            );
        }
    }
}

fn not_done(symbol: &Symbol) -> AlarmKey {
    AlarmKey::about(AlarmSource::ExitNotDone, Subject::Symbol(symbol.clone()))
}
