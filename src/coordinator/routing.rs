//! From signal to order: blocks, consensus, conflicts, risk. Every signal becomes one decision.

use rust_decimal::Decimal;

use super::consensus::Tally;
use super::effect::Effect;
use super::record::RecordKind;
use super::{Coordinator, Cx, conflict};
use crate::domain::{
    Action, ClientOrderId, Decision, Now, Order, OrderKind, Outcome, Priority, Protection, Purpose,
    ReasonCode, Regime, Resolution, ResolutionAction, ResolvedBy, Side, Signal, Symbol, TradingState,
    Verdict, checked_add, checked_mul, checked_sub,
};
use crate::risk::{EntryProposal, EntryVerdict, ExitProposal, RiskView, VenueTerms, check_entry, check_exit};

/// Candles after which a signal is too old, at least.
const SIGNAL_CANDLES: u32 = 2;

/// How a decision goes on once everything has been looked at.
enum Way {
    /// It is over.
    Ends { outcome: Outcome, code: Option<ReasonCode>, detail: String },
    /// An order goes out.
    Orders(Order),
}

impl Way {
    fn ends(outcome: Outcome, code: ReasonCode, detail: impl Into<String>) -> Self {
        Self::Ends { outcome, code: Some(code), detail: detail.into() }
    }
}

impl Coordinator {
    /// A signal arrived. The same id again is ignored: it was decided once.
    pub(super) fn signal(&mut self, cx: &mut Cx<'_>, signal: Signal) {
        if self.durable.signals.contains(&signal.id) {
            tracing::warn!(signal = %signal.id, "signal delivered again; ignored");
            return;
        }
        let mut decision = self.open_decision(cx.now, signal);
        let way = self.decide(cx.now, &mut decision);
        match way {
            Way::Ends { outcome, code, detail } => {
                decision.outcome = Some(outcome);
                decision.ended_at = Some(cx.now.market);
                // The list of blocks is in `reasons` already when entries were blocked.
                if let Some(code) = code.filter(|code| !decision.reasons.contains(code)) {
                    decision.reasons.insert(0, code);
                }
                decision.detail = detail;
                tracing::info!(
                    decision = %decision.id, symbol = %decision.signal.symbol, action = %decision.signal.action,
                    %outcome, reasons = ?decision.reasons, detail = %decision.detail, "signal decided"
                );
                self.record_own(cx, RecordKind::Decision(Box::new(decision)));
            }
            Way::Orders(order) => {
                decision.orders.push(order.client_id);
                tracing::info!(
                    decision = %decision.id, symbol = %order.symbol, side = %order.side, quantity = %order.quantity,
                    order = %order.client_id, "trade routed"
                );
                self.record_own(cx, RecordKind::Decision(Box::new(decision)));
                self.submit(cx, order);
            }
        }
    }

    fn open_decision(&self, now: Now, signal: Signal) -> Decision {
        let tally = self.tally(&signal.symbol, signal.action, now);
        Decision {
            id: self.durable.last_decision.next(),
            at: now.market,
            confidence: tally.adjust(signal.confidence),
            votes: tally.votes,
            ratio: tally.ratio,
            multiplier: tally.multiplier,
            signal,
            conflicts: Vec::new(),
            resolution: None,
            changes: Vec::new(),
            verdict: None,
            orders: Vec::new(),
            filled: Decimal::ZERO,
            average_price: None,
            reasons: Vec::new(),
            detail: String::new(),
            outcome: None,
            ended_at: None,
        }
    }

    pub(super) fn tally(&self, symbol: &Symbol, action: Action, now: Now) -> Tally {
        self.live
            .voices
            .fresh(symbol, now.market, &self.live.freshness)
            .tally(action, &self.config.orchestration.consensus)
    }

    fn decide(&self, now: Now, decision: &mut Decision) -> Way {
        let signal = decision.signal.clone();
        if signal.action == Action::Hold {
            return Way::Ends { outcome: Outcome::Hold, code: None, detail: String::new() };
        }
        let max_age =
            self.config.orchestration.signals.max_age.max(self.setup.candle_interval * SIGNAL_CANDLES);
        let age = now.market.since(signal.at);
        if age > max_age {
            let detail = format!("{} s old > {} s", age.as_secs(), max_age.as_secs());
            return Way::ends(Outcome::Ignored, ReasonCode::SignalTooOld, detail);
        }
        let is_exit = matches!(signal.action, Action::Sell | Action::Close);
        if is_exit && self.durable.control.state == TradingState::Halted {
            // Nothing new but what the emergency ordered, and flatten.
            return Way::ends(Outcome::Ignored, ReasonCode::Halted, "halted");
        }
        if signal.action == Action::Buy {
            let blocks = self.entries(&signal.symbol, now);
            if !blocks.is_empty() {
                decision.reasons = blocks.iter().map(|block| block.code).collect();
                let detail = blocks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Way::Ends { outcome: Outcome::Ignored, code: None, detail };
            }
        }
        if let Some(over) = self.conflicts(now, decision) {
            return over;
        }
        match signal.action {
            Action::Buy => self.approve_entry(now, decision),
            Action::Sell | Action::Close | Action::Hold => self.approve_exit(now, decision),
        }
    }

    /// What speaks against the signal, and what the configured defaults make of it.
    fn conflicts(&self, now: Now, decision: &mut Decision) -> Option<Way> {
        let config = &self.config.orchestration.conflicts;
        let signal = &decision.signal;
        let voices = self.live.voices.fresh(&signal.symbol, now.market, &self.live.freshness);
        let mut conflicts =
            conflict::detect(&signal.symbol, signal.action, &voices, &self.live.alerts, now.market, config);
        if signal.action != Action::Buy {
            // A risk alert must never keep a position from being reduced.
            conflicts.retain(|conflict| conflict.kind != crate::domain::ConflictKind::RiskOverride);
        }
        if conflicts.is_empty() {
            return None;
        }
        let action = conflict::default_action(&conflicts, config);
        let first =
            conflicts.first().map(|conflict| format!("{}, default: {}", conflict.kind, conflict.detail));
        let detail = first.unwrap_or_default();
        decision.conflicts = conflicts;
        decision.resolution = Some(Resolution {
            action,
            by: ResolvedBy::Default,
            reasoning: None,
            prompt_digest: None,
            reply_digest: None,
            took: None,
        });
        match action {
            ResolutionAction::Proceed | ResolutionAction::Modify => None,
            ResolutionAction::Wait => Some(Way::Ends { outcome: Outcome::Waited, code: None, detail }),
            ResolutionAction::Abort => Some(Way::Ends { outcome: Outcome::Aborted, code: None, detail }),
        }
    }

    fn approve_entry(&self, now: Now, decision: &mut Decision) -> Way {
        let signal = decision.signal.clone();
        let EntryVerdict { verdict, changes } = self.check_entry(now, &signal, decision);
        decision.changes = changes;
        decision.verdict = Some(verdict.clone());
        let quantity = match verdict {
            Verdict::Rejected { code, detail } => return Way::ends(Outcome::Rejected, code, detail),
            Verdict::Approved { quantity, .. } => quantity,
        };
        let (Some(price), Some(stop), Some(take_profit)) = (signal.entry, signal.stop, signal.take_profit)
        else {
            return Way::ends(Outcome::Rejected, ReasonCode::InvalidOrder, "entry, stop or target missing");
        };
        let purpose = Purpose::Entry { decision: decision.id };
        let valid_until = Some(now.market.plus(self.config.execution.execution.entry_valid_for));
        let order = Order {
            client_id: ClientOrderId::derive(self.durable.install, &purpose.intent()),
            symbol: signal.symbol,
            side: Side::Buy,
            quantity,
            kind: OrderKind::Limit { price, valid_until },
            purpose,
            protection: Some(Protection { stop, take_profit }),
        };
        match order.validated() {
            Ok(order) => Way::Orders(order),
            Err(error) => Way::ends(Outcome::Rejected, ReasonCode::InvalidOrder, error.to_string()),
        }
    }

    fn check_entry(&self, now: Now, signal: &Signal, decision: &Decision) -> EntryVerdict {
        let prices = self.prices(now);
        let equity = self.equity(now);
        let symbol = &signal.symbol;
        let voices = self.live.voices.fresh(symbol, now.market, &self.live.freshness);
        let locked = self.locked_symbols();
        let view = RiskView {
            now: now.market,
            equity,
            drawdown_pct: equity.map_or(Decimal::ZERO, |equity| self.durable.breakers.drawdown_pct(equity)),
            exposure: &self.exposure_with_orders(now),
            margin_used: Decimal::ZERO,
            regime: voices.regime.map_or(Regime::Unknown, |heard| heard.said.regime),
            atr_ratio: voices.technical.and_then(|heard| heard.said.atr_ratio),
            streak: &self.durable.streak,
            breakers: &self.durable.breakers,
            locked: &locked,
            last_price: prices.price(symbol).ok(),
            quote_rate: prices.rate(symbol.quote(), self.durable.account.currency()).ok(),
            funds: self.spendable(symbol.quote()),
            recent: &self.durable.recent_orders,
            level: self.live.level,
        };
        let proposal = EntryProposal::of(signal, decision.confidence);
        check_entry(&proposal, &view, &self.config.risk, &self.venue_terms())
    }

    pub(super) fn venue_terms(&self) -> VenueTerms {
        VenueTerms { leverage_max: self.setup.leverage_max, fee_pct: self.config.execution.paper.fee_pct }
    }

    /// Symbols locked by the operator or by failures of their own.
    fn locked_symbols(&self) -> std::collections::BTreeSet<Symbol> {
        self.durable.degradation.locks().map(|(symbol, _)| symbol.clone()).collect()
    }

    /// Worth of the lots of each symbol and of what working entries would still buy, account currency.
    fn exposure_with_orders(&self, now: Now) -> std::collections::BTreeMap<Symbol, Decimal> {
        let prices = self.prices(now);
        let mut exposure = self.durable.account.exposure_by_symbol(&prices).unwrap_or_default();
        for tracked in self.durable.open_orders() {
            let (Purpose::Entry { .. }, OrderKind::Limit { price, .. }) =
                (tracked.order.purpose, tracked.order.kind)
            else {
                continue;
            };
            let symbol = &tracked.order.symbol;
            let worth = checked_sub(tracked.order.quantity, tracked.filled)
                .and_then(|left| checked_mul(left, price))
                .ok()
                .and_then(|worth| {
                    prices.convert(worth, symbol.quote(), self.durable.account.currency()).ok()
                });
            // What cannot be priced counts as everything: not knowing must not let more through.
            let worth = worth.or_else(|| self.equity(now)).unwrap_or_default();
            let sum = exposure.entry(symbol.clone()).or_default();
            *sum = checked_add(*sum, worth).unwrap_or(Decimal::MAX);
        }
        exposure
    }

    /// What of an asset is outside lots and not promised to working orders.
    pub(super) fn spendable(&self, asset: &crate::domain::Asset) -> Decimal {
        let mut free = self.durable.account.holding(asset).unwrap_or_default();
        // Closings sell lots first; what they sell beyond them comes out of here.
        let lots = self.durable.account.in_lots(asset).unwrap_or_default();
        let mut closing = Decimal::ZERO;
        for tracked in self.durable.open_orders() {
            let Ok(left) = checked_sub(tracked.order.quantity, tracked.filled) else {
                continue;
            };
            let promised = match (tracked.order.side, tracked.order.kind) {
                (Side::Buy, OrderKind::Limit { price, .. } | OrderKind::Market { bound: Some(price) })
                    if tracked.order.symbol.quote() == asset =>
                {
                    checked_mul(left, price).unwrap_or(free)
                }
                (Side::Sell, _) if tracked.order.symbol.base() == asset && is_leg(tracked.order.purpose) => {
                    left
                }
                (Side::Sell, _) if tracked.order.symbol.base() == asset => {
                    closing = checked_add(closing, left).unwrap_or(Decimal::MAX);
                    Decimal::ZERO
                }
                (Side::Buy | Side::Sell, _) => Decimal::ZERO,
            };
            free = checked_sub(free, promised).unwrap_or_default().max(Decimal::ZERO);
        }
        let beyond_lots = checked_sub(closing, lots).unwrap_or_default().max(Decimal::ZERO);
        checked_sub(free, beyond_lots).unwrap_or_default().max(Decimal::ZERO)
    }

    /// SELL reduces the lots of its symbol by the signal's size, CLOSE by all of it.
    fn approve_exit(&self, now: Now, decision: &mut Decision) -> Way {
        let signal = &decision.signal;
        let symbol = &signal.symbol;
        let held = self.held_free(symbol);
        let price = self.prices(now).price(symbol).ok();
        let quantity = match signal.action {
            Action::Sell => self.quantity_of(now, signal).map_or(held, |wanted| wanted.min(held)),
            Action::Close | Action::Buy | Action::Hold => held,
        };
        let purpose = Purpose::Exit { decision: decision.id };
        let client_id = ClientOrderId::derive(self.durable.install, &purpose.intent());
        if held.is_zero() {
            let detail = format!("no lot of {symbol} to sell");
            return Way::ends(Outcome::Ignored, ReasonCode::NothingHeld, detail);
        }
        let exit = ExitProposal {
            symbol: symbol.clone(),
            quantity,
            held,
            price,
            client_id_used: self.durable.orders.contains_key(&client_id),
        };
        match check_exit(&exit) {
            Err(rejection) => Way::ends(Outcome::Rejected, rejection.code, rejection.detail),
            Ok(quantity) => Way::Orders(Order {
                client_id,
                symbol: symbol.clone(),
                side: Side::Sell,
                quantity,
                kind: OrderKind::Market { bound: None },
                purpose,
                protection: None,
            }),
        }
    }

    /// Base units in lots of `symbol` that no other order is selling.
    pub(super) fn held_free(&self, symbol: &Symbol) -> Decimal {
        let mut free = self.durable.account.held(symbol).unwrap_or_default();
        for tracked in self.durable.open_orders() {
            let sells = tracked.order.side == Side::Sell && tracked.order.symbol == *symbol;
            if sells && !is_leg(tracked.order.purpose) {
                let left = checked_sub(tracked.order.quantity, tracked.filled).unwrap_or_default();
                free = checked_sub(free, left).unwrap_or_default();
            }
        }
        free.max(Decimal::ZERO)
    }

    /// Base units worth the signal's size in percent of equity, at the last price.
    fn quantity_of(&self, now: Now, signal: &Signal) -> Option<Decimal> {
        let prices = self.prices(now);
        let equity = self.equity(now)?;
        let worth = signal.size_pct.of(equity).ok()?;
        let rate = prices.rate(signal.symbol.base(), self.durable.account.currency()).ok()?;
        crate::domain::checked_div(worth, rate).ok()
    }

    /// Records an order and has it handed over once the record is on disk.
    pub(super) fn submit(&mut self, cx: &mut Cx<'_>, order: Order) {
        debug_assert!(
            !matches!(order.purpose, Purpose::Entry { .. } | Purpose::Leg { .. })
                || self.entries(&order.symbol, cx.now).is_empty(),
            "an entry or leg is submitted only while entries are open"
        );
        self.live.dirty.orders();
        self.record_own(cx, RecordKind::OrderIntended(Box::new(order.clone())));
        self.announce_sent(cx, &order);
        self.live.waiting.insert(order.client_id, cx.now.operator);
        let (recorded, approved) = (self.durable.seq, self.live.epoch);
        cx.effects.push(Effect::Submit { order: Box::new(order), approved, recorded });
    }

    fn announce_sent(&mut self, cx: &mut Cx<'_>, order: &Order) {
        let detail = crate::domain::SafeText::ours(order_text(order));
        let event = crate::domain::ExecutionEvent::Sent {
            client_id: order.client_id,
            symbol: order.symbol.clone(),
            detail,
        };
        let source = self.live.sources.coordinator.clone();
        self.publish(cx, source, Priority::High, None, crate::domain::Payload::Execution(event));
    }
}

fn is_leg(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Leg { .. })
}

/// An order in words: `buy 0.012 @ 42310.5`.
pub(super) fn order_text(order: &Order) -> String {
    let at = match order.kind {
        OrderKind::Limit { price, .. } => format!(" @ {}", price.normalize()),
        OrderKind::Market { .. } => " at market".to_owned(),
    };
    let why = match order.purpose {
        Purpose::Entry { decision } => format!("entry {decision}"),
        Purpose::Exit { decision } => format!("exit {decision}"),
        Purpose::Leg { plan, leg } => format!("leg {plan}/{leg}"),
        Purpose::Reduce { number } => format!("reduce {number}"),
        Purpose::Flatten { number } => format!("flatten {number}"),
    };
    format!("{} {}{at} ({why})", order.side, order.quantity.normalize())
}
