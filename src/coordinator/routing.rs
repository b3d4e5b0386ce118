//! From signal to order: blocks, consensus, conflicts, risk. Every signal becomes one decision.

use std::time::Duration;

use rust_decimal::Decimal;

use super::conflict::{Adjusted, Question};
use super::consensus::Tally;
use super::effect::Effect;
use super::record::RecordKind;
use super::{Coordinator, Cx, conflict};
use crate::domain::{
    Action, Asset, ClientOrderId, Conflict, Decision, Now, Order, OrderKind, Outcome, PriceRounding,
    Priority, Protection, Purpose, ReasonCode, Regime, Resolution, ResolutionAction, Side, Signal, Symbol,
    Timestamp, TradingState, Verdict, checked_add, checked_div, checked_mul, checked_sub, on_tick,
};
use crate::risk::{EntryProposal, EntryVerdict, ExitProposal, RiskView, VenueTerms, check_entry, check_exit};

/// How a decision goes on once everything has been looked at.
pub(super) enum Way {
    /// It is over.
    Ends { outcome: Outcome, code: Option<ReasonCode>, detail: String },
    /// A model is asked.
    Asks(Box<Question>),
    /// An order goes out.
    Orders(Order),
}

impl Way {
    pub(super) fn ends(outcome: Outcome, code: ReasonCode, detail: impl Into<String>) -> Self {
        Self::Ends { outcome, code: Some(code), detail: detail.into() }
    }

    /// What the resolution of its conflicts makes of a decision, if it does not go on.
    pub(super) fn stopped_by(action: ResolutionAction, decision: &Decision) -> Option<Self> {
        let outcome = match action {
            ResolutionAction::Proceed | ResolutionAction::Modify => return None,
            ResolutionAction::Wait => Outcome::Waited,
            ResolutionAction::Abort => Outcome::Aborted,
        };
        let by = decision.resolution.as_ref().map(|resolution| resolution.by.to_string()).unwrap_or_default();
        let conflict = decision.conflicts.first();
        let detail = conflict.map(|conflict| format!("{} ({by})", conflict.detail)).unwrap_or_default();
        Some(Self::Ends { outcome, code: None, detail })
    }
}

impl Coordinator {
    /// A signal arrived. The same id again is ignored: it was decided once.
    pub(super) fn signal(&mut self, cx: &mut Cx<'_>, signal: Signal) {
        if self.durable.signals.contains(&signal.id) {
            tracing::warn!(signal = %signal.id, "signal delivered again; ignored");
            return;
        }
        self.supersede(cx, &signal.symbol);
        let mut decision = self.open_decision(cx.now, signal);
        let way = self.decide(cx.now, &mut decision);
        self.go(cx, decision, way);
    }

    /// Records the decision as it is now, and does what it says.
    pub(super) fn go(&mut self, cx: &mut Cx<'_>, mut decision: Decision, way: Way) {
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
            Way::Asks(question) => {
                self.record_own(cx, RecordKind::Decision(Box::new(decision)));
                self.ask_model(cx, question);
            }
            Way::Orders(order) => {
                decision.orders.push(order.client_id);
                tracing::info!(
                    decision = %decision.id, symbol = %order.symbol, side = %order.side, quantity = %order.quantity,
                    order = %order.client_id, "trade routed"
                );
                // A signal that was too old to be decided is too old to be handed over; an exit always goes out.
                let is_entry = matches!(order.purpose, Purpose::Entry { .. });
                let deadline = is_entry.then(|| decision.signal.at.plus(self.live.ages.signal));
                self.record_own(cx, RecordKind::Decision(Box::new(decision)));
                self.submit(cx, order, deadline);
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
            .fresh(symbol, now.market, &self.live.ages.voices)
            .tally(action, &self.config.orchestration.consensus)
    }

    fn decide(&self, now: Now, decision: &mut Decision) -> Way {
        if decision.signal.action == Action::Hold {
            return Way::Ends { outcome: Outcome::Hold, code: None, detail: String::new() };
        }
        if let Some(over) = self.barred(now, decision, Outcome::Ignored) {
            return over;
        }
        decision.conflicts = self.conflicts(now, &decision.signal);
        if decision.signal.action != Action::Buy {
            // What speaks against an entry must never keep a position from being reduced: it is only written down.
            return self.approve_exit(now, decision);
        }
        let config = &self.config.orchestration.conflicts;
        let Some((action, kind)) = conflict::strictest_default(&decision.conflicts, config) else {
            return self.approve_entry(now, decision, Adjusted::unchanged(&decision.signal));
        };
        if let Some(question) = self.question(now, decision) {
            return Way::Asks(question);
        }
        decision.resolution = Some(Resolution::by_default(action));
        decision.put_first(kind);
        match Way::stopped_by(action, decision) {
            Some(over) => over,
            None => self.approve_entry(now, decision, Adjusted::unchanged(&decision.signal)),
        }
    }

    /// What ends a decision before anything is weighed: age, a halt, and whatever blocks entries. Looked at when the
    /// signal comes, and again when a model has answered.
    pub(super) fn barred(&self, now: Now, decision: &mut Decision, too_old: Outcome) -> Option<Way> {
        let signal = &decision.signal;
        let age = now.market.since(signal.at);
        if age > self.live.ages.signal {
            let detail = format!("{} s old > {} s", age.as_secs(), self.live.ages.signal.as_secs());
            return Some(Way::ends(too_old, ReasonCode::SignalTooOld, detail));
        }
        let is_entry = signal.action == Action::Buy;
        if !is_entry && self.durable.control.state == TradingState::Halted {
            // Nothing new but what the emergency ordered, and flatten.
            return Some(Way::ends(Outcome::Ignored, ReasonCode::Halted, "halted"));
        }
        let blocks = if is_entry { self.entries(&signal.symbol, now) } else { Vec::new() };
        (!blocks.is_empty()).then(|| {
            decision.reasons = blocks.iter().map(|block| block.code).collect();
            let detail = blocks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Way::Ends { outcome: Outcome::Ignored, code: None, detail }
        })
    }

    /// The first instant at which a signal of `at` is too old.
    pub(super) fn too_old_at(&self, at: Timestamp) -> Timestamp {
        at.plus(self.live.ages.signal + Duration::from_millis(1))
    }

    /// What speaks against the signal now.
    pub(super) fn conflicts(&self, now: Now, signal: &Signal) -> Vec<Conflict> {
        let voices = self.live.voices.fresh(&signal.symbol, now.market, &self.live.ages.voices);
        let (alerts, config) = (&self.durable.alerts, &self.config.orchestration.conflicts);
        conflict::detect(&signal.symbol, signal.action, &voices, alerts, now.market, config)
    }

    /// Risk, and the order. `adjusted` is the signal as the resolution of its conflicts left it.
    pub(super) fn approve_entry(&self, now: Now, decision: &mut Decision, adjusted: Adjusted) -> Way {
        let decimals = self.live.prices.decimals(&decision.signal.symbol);
        let proposal = EntryProposal {
            entry: adjusted.entry.map(|price| on_tick(price, decimals, PriceRounding::Down)),
            size_pct: adjusted.size_pct,
            leverage: adjusted.leverage,
            ..EntryProposal::of(&decision.signal, decision.confidence)
        };
        let EntryVerdict { verdict, changes } = self.check_entry(now, &proposal);
        decision.changes = adjusted.changes;
        decision.changes.extend(changes);
        decision.verdict = Some(verdict.clone());
        let quantity = match verdict {
            Verdict::Rejected { code, detail } => return Way::ends(Outcome::Rejected, code, detail),
            Verdict::Approved { quantity, .. } => quantity,
        };
        let (Some(price), Some(stop), Some(take_profit)) =
            (proposal.entry, proposal.stop, proposal.take_profit)
        else {
            return Way::ends(Outcome::Rejected, ReasonCode::InvalidOrder, "entry, stop or target missing");
        };
        let purpose = Purpose::Entry { decision: decision.id };
        let valid_until = Some(now.market.plus(self.live.ages.entry));
        let order = Order {
            client_id: ClientOrderId::derive(self.durable.install, &purpose.intent()),
            symbol: proposal.symbol,
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

    fn check_entry(&self, now: Now, proposal: &EntryProposal) -> EntryVerdict {
        let prices = self.prices(now);
        let worth = self.equity(now);
        let symbol = &proposal.symbol;
        let voices = self.live.voices.fresh(symbol, now.market, &self.live.ages.voices);
        let locked = self.locked_symbols();
        let view = RiskView {
            now: now.market,
            equity: self.equity_for_sizes(now),
            drawdown_pct: worth.map_or(Decimal::ZERO, |worth| self.durable.breakers.drawdown_pct(worth)),
            exposure: &self.exposure_with_orders(now),
            margin_used: Decimal::ZERO,
            regime: voices.regime.map_or(Regime::Unknown, |heard| heard.said.regime),
            atr_ratio: voices.technical.and_then(|heard| heard.said.atr_ratio),
            streak: &self.durable.streak,
            breakers: &self.durable.breakers,
            locked: &locked,
            last_price: prices.price(symbol).ok(),
            quote_rate: prices.rate(symbol.quote(), self.durable.account.currency()).ok(),
            funds: self.free_for_entries(symbol.quote()),
            entry_min: self.least(&self.config.risk.orders.entry_min, now),
            recent: &self.durable.recent_orders,
            level: self.live.level,
        };
        check_entry(proposal, &view, &self.config.risk, &self.venue_terms())
    }

    pub(super) fn venue_terms(&self) -> VenueTerms {
        VenueTerms { leverage_max: self.setup.leverage_max, costs: self.config.execution.paper.costs() }
    }

    /// Symbols locked by the operator or by failures of their own.
    fn locked_symbols(&self) -> std::collections::BTreeSet<Symbol> {
        self.durable.degradation.locks().map(|(symbol, _)| symbol.clone()).collect()
    }

    /// Worth of the lots of each symbol and of what working entries would still buy, account currency.
    fn exposure_with_orders(&self, now: Now) -> std::collections::BTreeMap<Symbol, Decimal> {
        let prices = self.prices(now);
        // Unknown only for a lot that never had a price: then the equity without it is all that may be sized from.
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

    /// What of an asset is outside lots and not promised to working orders, their fees included.
    pub(super) fn spendable(&self, asset: &Asset) -> Decimal {
        let mut free = self.durable.account.holding(asset).unwrap_or_default();
        // Closings sell lots first; what they sell beyond them comes out of here.
        let lots = self.durable.account.in_lots(asset).unwrap_or_default();
        let mut closing = Decimal::ZERO;
        let costs = self.config.execution.paper.costs();
        for tracked in self.durable.open_orders() {
            let Ok(left) = checked_sub(tracked.order.quantity, tracked.filled) else {
                continue;
            };
            let promised = match (tracked.order.side, tracked.order.kind) {
                (Side::Buy, OrderKind::Limit { price, .. } | OrderKind::Market { bound: Some(price) })
                    if tracked.order.symbol.quote() == asset =>
                {
                    checked_mul(left, price).and_then(|worth| costs.with_fee(worth)).unwrap_or(free)
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

    /// What entries may spend of an asset: nothing that the legs of open plans will need, with what they cost.
    fn free_for_entries(&self, asset: &Asset) -> Decimal {
        let free = self.spendable(asset);
        if asset != self.durable.account.currency() {
            return free;
        }
        let costs = self.config.execution.paper.costs();
        let promised = self.durable.plans.open().try_fold(Decimal::ZERO, |sum, plan| {
            let legs = plan.amount_promised()?.max(Decimal::ZERO);
            checked_add(sum, checked_add(legs, costs.of(plan.amount()?)?)?)
        });
        promised.and_then(|promised| checked_sub(free, promised)).unwrap_or_default().max(Decimal::ZERO)
    }

    /// SELL reduces the lots of its symbol by the signal's size, CLOSE by all of it.
    fn approve_exit(&self, now: Now, decision: &mut Decision) -> Way {
        let signal = &decision.signal;
        let symbol = &signal.symbol;
        let held = self.held_free(symbol);
        if held.is_zero() {
            let detail = format!("no lot of {symbol} to sell");
            return Way::ends(Outcome::Ignored, ReasonCode::NothingHeld, detail);
        }
        let price = self.prices(now).price(symbol).ok();
        let quantity = match signal.action {
            Action::Sell => match self.quantity_of(now, signal) {
                Ok(wanted) => wanted.min(held),
                // Not knowing how much is meant must not become "all of it"; what closes says CLOSE.
                Err(code) => {
                    let detail = format!("{} of equity cannot be sized", signal.size_pct);
                    return Way::ends(Outcome::Rejected, code, detail);
                }
            },
            Action::Close | Action::Buy | Action::Hold => held,
        };
        let purpose = Purpose::Exit { decision: decision.id };
        let client_id = ClientOrderId::derive(self.durable.install, &purpose.intent());
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
    fn quantity_of(&self, now: Now, signal: &Signal) -> Result<Decimal, ReasonCode> {
        let equity = self.equity_for_sizes(now);
        let equity = equity.filter(|equity| *equity > Decimal::ZERO).ok_or(ReasonCode::NoEquity)?;
        let rate = self.prices(now).rate(signal.symbol.base(), self.durable.account.currency());
        let rate = rate.map_err(|_| ReasonCode::FeedStale)?;
        let worth = signal.size_pct.of(equity).map_err(|_| ReasonCode::InvalidOrder)?;
        checked_div(worth, rate).map_err(|_| ReasonCode::InvalidOrder)
    }

    /// Records an order and has it handed over once the record is on disk, if that is not after `deadline`.
    pub(super) fn submit(&mut self, cx: &mut Cx<'_>, order: Order, deadline: Option<Timestamp>) {
        debug_assert!(
            !matches!(order.purpose, Purpose::Entry { .. } | Purpose::Leg { .. })
                || self.entries(&order.symbol, cx.now).is_empty(),
            "an entry or leg is submitted only while entries are open"
        );
        self.record_own(cx, RecordKind::OrderIntended(Box::new(order.clone())));
        self.announce_sent(cx, &order);
        self.live.waiting.insert(order.client_id, cx.now.operator);
        let (recorded, approved) = (self.durable.seq, self.live.epoch);
        cx.effects.push(Effect::Submit { order: Box::new(order), deadline, approved, recorded });
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
