//! A conflict that a model may decide: asked once, waited for, and looked at anew when the answer comes.
//!
//! While a model thinks nothing is held up, and nothing is taken for granted afterwards: state, epoch, level, age,
//! conflicts, price and risk are checked again. What went wrong ends in the configured default. A model may reduce,
//! delay or stop an entry; it never adds risk, and it is never asked about an exit.

use std::collections::BTreeSet;

use super::conflict::{
    self, Adjusted, CallFailure, EntryLimits, ProviderFailure, Question, Resolved, apply_modifications,
};
use super::degradation::{ModelUse, allows_model};
use super::effect::Effect;
use super::routing::Way;
use super::{Coordinator, Cx, Due};
use crate::domain::{
    Conflict, ConflictKind, Decision, DecisionId, Epoch, Level, Now, Outcome, ReasonCode, Resolution,
    ResolutionAction, ResolvedBy, Symbol, Timestamp, TradingState,
};

/// A decision that waits for a model: at most one for each symbol, because a newer signal supersedes it.
#[derive(Debug)]
pub(super) struct Thinking {
    decision: DecisionId,
    asked: Now,
    /// Of the gate, when it was asked.
    epoch: Epoch,
    /// What it was asked about.
    kinds: BTreeSet<ConflictKind>,
    /// When the signal is too old, market time.
    expires: Timestamp,
}

impl Coordinator {
    /// What a model is asked about the conflicts of an entry, if one may be asked about all of them.
    pub(super) fn question(&self, now: Now, decision: &Decision) -> Option<Box<Question>> {
        let kinds = decision.conflicts.iter().map(|conflict| conflict.kind);
        let models_configured = self.config.orchestration.llm.primary.is_some();
        conflict::may_ask_model(kinds, self.live.level, models_configured).then(|| {
            Box::new(Question {
                decision: decision.id,
                at: now.market,
                signal: decision.signal.clone(),
                votes: decision.votes.clone(),
                confidence: decision.confidence,
                conflicts: decision.conflicts.clone(),
                price: self.prices(now).price(&decision.signal.symbol).ok(),
                bounds: self.config.orchestration.conflicts.modification_bounds.clone(),
            })
        })
    }

    /// Asks. The decision has been recorded, so that a restart knows of it.
    pub(super) fn ask_model(&mut self, cx: &mut Cx<'_>, question: Box<Question>) {
        let signal = &question.signal;
        let thinking = Thinking {
            decision: question.decision,
            asked: cx.now,
            epoch: self.live.epoch,
            kinds: question.conflicts.iter().map(|conflict| conflict.kind).collect(),
            expires: self.too_old_at(signal.at),
        };
        tracing::info!(decision = %question.decision, symbol = %signal.symbol, "a model is asked");
        let before = self.live.thinking.insert(signal.symbol.clone(), thinking);
        debug_assert!(before.is_none(), "the one before was superseded");
        cx.effects.push(Effect::Resolve(question));
    }

    /// A newer signal of the symbol came: the one that still waits for a model is not traded any more.
    pub(super) fn supersede(&mut self, cx: &mut Cx<'_>, symbol: &Symbol) {
        if let Some(thinking) = self.live.thinking.remove(symbol) {
            let why = "a newer signal came while a model was thinking";
            self.end_decision(cx, thinking.decision, Outcome::Superseded, vec![], why);
        }
    }

    /// The one outcome of a question. Late ones change no decision, but say how the providers are.
    pub(super) fn resolved(&mut self, cx: &mut Cx<'_>, id: DecisionId, resolved: &Resolved) {
        let counted = self.live.silent.remove(&id).then(|| self.primary()).flatten();
        self.count_calls(cx, resolved, counted.as_deref());
        let waiting = self.live.thinking.iter().find(|(_, thinking)| thinking.decision == id);
        let Some(symbol) = waiting.map(|(symbol, _)| symbol.clone()) else {
            self.live.late_answers += 1;
            tracing::warn!(decision = %id, "a model answered late; ignored");
            return;
        };
        self.conclude(cx, &symbol, resolved);
    }

    /// The provider that is asked first.
    fn primary(&self) -> Option<String> {
        self.config.orchestration.llm.primary.as_ref().map(|primary| primary.name.clone())
    }

    /// Ends the wait of a symbol's decision with `resolved`.
    fn conclude(&mut self, cx: &mut Cx<'_>, symbol: &Symbol, resolved: &Resolved) {
        let Some(thinking) = self.live.thinking.remove(symbol) else {
            return;
        };
        // An open decision stays in the state until it has ended.
        let Some(mut decision) = self.durable.decision(thinking.decision).cloned() else {
            return;
        };
        let way = self.decide_again(cx.now, &thinking, resolved, &mut decision);
        self.go(cx, decision, way);
    }

    /// Everything once more, as it is now.
    fn decide_again(
        &self,
        now: Now,
        thinking: &Thinking,
        resolved: &Resolved,
        decision: &mut Decision,
    ) -> Way {
        let left_to_defaults = self.not_for_the_model(now, thinking, decision);
        let action = self.resolve(now, thinking, resolved, &left_to_defaults, decision);
        if let Some(over) = self.barred(now, decision, Outcome::Expired) {
            return over;
        }
        if thinking.epoch != self.live.epoch {
            let why = "the gate was shut while a model was thinking";
            return Way::ends(Outcome::Ignored, ReasonCode::GateShut, why);
        }
        if let Some(over) = Way::stopped_by(action, decision) {
            return match self.too_unsure(resolved).filter(|_| action == ResolutionAction::Wait) {
                Some(detail) => Way::Ends { outcome: Outcome::Waited, code: None, detail },
                None => over,
            };
        }
        match self.adjusted(now, action, resolved, decision) {
            Some(adjusted) if adjusted.size_pct.value().is_zero() => {
                Way::ends(Outcome::Rejected, ReasonCode::SizeTooSmall, "nothing left: the model took it all")
            }
            Some(adjusted) => self.approve_entry(now, decision, adjusted),
            None => Way::Ends {
                outcome: Outcome::Waited,
                code: None,
                detail: "the model's changes cannot be computed".to_owned(),
            },
        }
    }

    /// Conflicts that are new since the model was asked, or that it may not decide any more: they take their
    /// defaults. The new ones are added to the trail.
    fn not_for_the_model(&self, now: Now, thinking: &Thinking, decision: &mut Decision) -> Vec<Conflict> {
        let level = self.live.level;
        let may_decide =
            |kind| thinking.kinds.contains(&kind) && allows_model(level, ModelUse::Conflict(kind));
        let mut conflicts = self.conflicts(now, &decision.signal);
        conflicts.retain(|conflict| !may_decide(conflict.kind));
        let new = conflicts.iter().filter(|conflict| !thinking.kinds.contains(&conflict.kind));
        decision.conflicts.extend(new.cloned());
        conflicts
    }

    /// Resolves by the model's word or by the default, whichever is stricter.
    fn resolve(
        &self,
        now: Now,
        thinking: &Thinking,
        resolved: &Resolved,
        left_to_defaults: &[Conflict],
        decision: &mut Decision,
    ) -> ResolutionAction {
        let config = &self.config.orchestration.conflicts;
        let mut decided = None;
        let (mut action, mut by) = if let Some(answered) = &resolved.answer {
            let said = answered.answer.action;
            let action = if self.too_unsure(resolved).is_some() { ResolutionAction::Wait } else { said };
            (action, ResolvedBy::Model(answered.provider.clone()))
        } else {
            let unreadable =
                resolved.failures.iter().any(|it| matches!(it.failure, CallFailure::Unreadable(_)));
            // Words that nobody can read are no reason to trade, whatever the default says of silence.
            let least = if unreadable { ResolutionAction::Wait } else { ResolutionAction::Proceed };
            let default = conflict::strictest_default(&decision.conflicts, config);
            decided = default.map(|(_, kind)| kind);
            (default.map_or(least, |(action, _)| action.max(least)), ResolvedBy::DefaultAfterFailure)
        };
        if let Some((default, kind)) = conflict::strictest_default(left_to_defaults, config)
            && default > action
        {
            (action, by, decided) = (default, ResolvedBy::Default, Some(kind));
        }
        if let Some(kind) = decided {
            decision.put_first(kind);
        }
        let last_reply = resolved.failures.iter().rev().find_map(|failure| failure.reply_digest.clone());
        let answered = resolved.answer.as_ref();
        decision.resolution = Some(Resolution {
            action,
            by,
            confidence: answered.map(|answered| answered.answer.confidence),
            reasoning: answered.map(|answered| answered.answer.reasoning.clone()),
            prompt_digest: Some(resolved.prompt_digest.clone()).filter(|digest| !digest.is_empty()),
            reply_digest: answered.map(|answered| answered.reply_digest.clone()).or(last_reply),
            took: Some(now.operator.since(thinking.asked.operator)),
        });
        action
    }

    /// Why an answer that lets the entry go on is taken for `wait`: it is not sure enough of it.
    fn too_unsure(&self, resolved: &Resolved) -> Option<String> {
        let answered = resolved.answer.as_ref()?;
        let (said, confidence) = (answered.answer.action, answered.answer.confidence);
        let min = self.config.orchestration.conflicts.proceed_confidence_min;
        match said {
            ResolutionAction::Proceed | ResolutionAction::Modify if confidence.value() < min => {
                let by = &answered.provider;
                Some(format!("{by} said {said} with confidence {confidence}, below {min:.2}: wait"))
            }
            ResolutionAction::Proceed
            | ResolutionAction::Modify
            | ResolutionAction::Wait
            | ResolutionAction::Abort => None,
        }
    }

    /// The signal's numbers as the model left them; none when they cannot be computed.
    fn adjusted(
        &self,
        now: Now,
        action: ResolutionAction,
        resolved: &Resolved,
        decision: &Decision,
    ) -> Option<Adjusted> {
        let wanted = resolved.answer.as_ref().and_then(|answered| answered.answer.modifications);
        match (action, wanted) {
            (ResolutionAction::Modify, Some(wanted)) => {
                let bounds = &self.config.orchestration.conflicts.modification_bounds;
                let last_trade = self.prices(now).price(&decision.signal.symbol).ok();
                let limits = EntryLimits {
                    last_trade,
                    collar: self.config.risk.orders.price_collar_pct,
                    decimals: self.live.prices.decimals(&decision.signal.symbol),
                };
                apply_modifications(&decision.signal, &wanted, bounds, limits).ok()
            }
            (ResolutionAction::Modify, None) => None,
            (ResolutionAction::Proceed | ResolutionAction::Wait | ResolutionAction::Abort, _) => {
                Some(Adjusted::unchanged(&decision.signal))
            }
        }
    }

    /// Waits that end without an answer: nobody may be asked any more, the signal is too old, or the time is over.
    pub(super) fn watch_thinking(&mut self, cx: &mut Cx<'_>) {
        if self.live.thinking.is_empty() {
            return;
        }
        let silenced =
            self.durable.control.state == TradingState::Halted || self.live.level == Level::Emergency;
        if silenced {
            cx.effects.push(Effect::AbandonModelCalls);
            self.live.silent.clear();
        }
        for symbol in self.live.thinking.keys().cloned().collect::<Vec<_>>() {
            let Some(thinking) = self.live.thinking.get(&symbol) else { continue };
            if silenced || thinking.expires <= cx.now.market {
                let id = thinking.decision;
                self.live.thinking.remove(&symbol);
                self.end_unanswered(cx, id);
            } else if self.answer_due(thinking) <= cx.now.operator {
                // The last resort: nobody has said how the calls ended. The primary was certainly asked.
                let failures = self.primary().map(|provider| ProviderFailure {
                    provider,
                    failure: CallFailure::TimedOut,
                    reply_digest: None,
                });
                let silence = Resolved { failures: failures.into_iter().collect(), ..Resolved::default() };
                self.live.silent.insert(thinking.decision);
                self.count_calls(cx, &silence, None);
                self.conclude(cx, &symbol, &silence);
            }
        }
    }

    /// The decisions that wait for a model.
    pub(super) fn thinking(&self) -> impl Iterator<Item = DecisionId> {
        self.live.thinking.values().map(|thinking| thinking.decision)
    }

    /// Whether this decision waits for a model and is open.
    pub(super) fn thinks_about(&self, id: DecisionId) -> bool {
        self.thinking().any(|waiting| waiting == id)
            && self.durable.decision(id).is_some_and(|decision| decision.outcome.is_none())
    }

    fn end_unanswered(&mut self, cx: &mut Cx<'_>, id: DecisionId) {
        let Some(mut decision) = self.durable.decision(id).cloned() else {
            return;
        };
        let way = self.barred(cx.now, &mut decision, Outcome::Expired);
        debug_assert!(way.is_some(), "only what is barred ends unanswered");
        if let Some(way) = way {
            self.go(cx, decision, way);
        }
    }

    /// The program ends: nobody will hear the answers.
    pub(super) fn stop_thinking(&mut self, cx: &mut Cx<'_>) {
        for (_, thinking) in std::mem::take(&mut self.live.thinking) {
            let why = "the program ended while a model was thinking";
            self.end_decision(cx, thinking.decision, Outcome::Expired, vec![], why);
        }
    }

    fn answer_due(&self, thinking: &Thinking) -> Timestamp {
        thinking.asked.operator.plus(self.config.orchestration.llm.resolve_within)
    }

    pub(super) fn next_thinking(&self) -> Due {
        let thinking = || self.live.thinking.values();
        Due {
            market: thinking().map(|thinking| thinking.expires).min(),
            operator: thinking().map(|thinking| self.answer_due(thinking)).min(),
        }
    }
}
