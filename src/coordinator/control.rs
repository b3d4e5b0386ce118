//! Trading state: pause, resume, halt, release, and what the gate says of them. It never loosens by itself.

use super::block::Block;
use super::effect::Effect;
use super::input::Confirmation;
use super::record::RecordKind;
use super::snapshot::{Check, ReleaseView, ResumeView};
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource};
use crate::domain::{
    Actor, CommandId, CommandOutcome, Epoch, Level, Now, Priority, ReasonCode, SafeText, Symbol,
    SystemEventKind, TradingState, days_hms,
};

/// Length of a release code.
const CODE_CHARS: usize = 4;

/// A resume or release that waits for the gate's answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    command: CommandId,
    to: TradingState,
}

const SUPERSEDED: &str = "superseded: the gate was shut again; look at the new reason";

impl Coordinator {
    /// Every reason why entries of `symbol` are blocked now. Empty means that they are open.
    pub fn entries(&self, symbol: &Symbol, now: Now) -> Vec<Block> {
        let mut blocks = self.global_blocks(now);
        blocks.extend(self.symbol_blocks(symbol, now));
        blocks
    }

    /// What blocks every entry, strictest first.
    pub(super) fn global_blocks(&self, now: Now) -> Vec<Block> {
        let mut blocks = Vec::new();
        match self.durable.control.state {
            TradingState::Halted => blocks.push(Block::global(ReasonCode::Halted)),
            TradingState::Paused => {
                blocks.push(Block::global(ReasonCode::Paused));
                if self.durable.control.by == Actor::Watchdog {
                    blocks.push(Block::global(ReasonCode::Watchdog));
                }
            }
            TradingState::Running if !self.live.gate_confirmed => {
                blocks.push(Block::global(ReasonCode::Paused));
            }
            TradingState::Running => {}
        }
        for (breaker, _) in self.durable.breakers.tripped() {
            let until = Self::rearms_at(breaker, now);
            let name = Some(breaker.to_string());
            blocks.push(Block { name, until, ..Block::global(ReasonCode::BreakerTripped) });
        }
        if let Some((until, cause)) = self.durable.streak.cooldown(now.market) {
            let name = Some(format!("cooldown after {cause}"));
            blocks.push(Block { name, until: Some(until), ..Block::global(ReasonCode::InCooldown) });
        }
        if self.live.level == Level::Emergency {
            blocks.push(Block::global(ReasonCode::LevelEmergency));
        }
        if self.live.health.store_slow(&self.config.orchestration.store) {
            blocks.push(Block::global(ReasonCode::StoreSlow));
        }
        blocks
    }

    /// What keeps every entry back: [`Self::global_blocks`], what blocks each symbol alike, an equity that nobody
    /// knows, with which risk lets nothing pass, and a risk alert, which outlives the breaker that it tells of and
    /// keeps every BUY back while it is in force. What header and dialogs say.
    pub(super) fn blocks_of_all(&self, now: Now) -> Vec<Block> {
        let mut blocks = self.global_blocks(now);
        let symbols = &self.setup.symbols;
        if symbols.iter().all(|symbol| self.durable.degradation.lock(symbol).is_some()) {
            blocks.push(Block::global(ReasonCode::SymbolLocked));
        }
        let named = |name: &str, code| Block { name: Some(name.to_owned()), ..Block::global(code) };
        if symbols.iter().all(|symbol| self.symbol_feed_stale(symbol, now)) {
            let name = if self.live.feed_ended { "feed ended" } else { "feed stale" };
            blocks.push(named(name, ReasonCode::FeedStale));
        } else if self.equity(now).is_none() {
            blocks.push(named("equity unknown", ReasonCode::NoEquity));
        }
        if let Some(alert) = self.durable.alerts.portfolio(now.market) {
            let until = Some(alert.until);
            blocks.push(Block { until, ..named("risk alert", ReasonCode::BreakerTripped) });
        }
        blocks
    }

    /// What blocks the entries of one symbol alone.
    pub(super) fn symbol_blocks(&self, symbol: &Symbol, now: Now) -> Vec<Block> {
        let locked = self.durable.degradation.lock(symbol).map(|_| ReasonCode::SymbolLocked);
        let stale = self.symbol_feed_stale(symbol, now) || self.live.uncertain.contains(symbol.base());
        let stale = stale.then_some(ReasonCode::FeedStale);
        let own = |code| Block { symbol: Some(symbol.clone()), ..Block::global(code) };
        [locked, stale].into_iter().flatten().map(own).collect()
    }

    /// Shuts the gate before anything is recorded.
    pub(super) fn shut_gate(&mut self, cx: &mut Cx<'_>, to: TradingState, reason: &SafeText) {
        self.live.gate_confirmed = false;
        cx.effects.push(Effect::ShutGate { to, reason: reason.clone() });
    }

    /// Records a change of the trading state and says so.
    pub(super) fn change_state(&mut self, cx: &mut Cx<'_>, actor: Actor, to: TradingState, reason: SafeText) {
        let from = self.durable.control.state;
        let said = if reason.as_str().is_empty() {
            format!("{to} by {actor}")
        } else {
            format!("{to} by {actor}: {reason}")
        };
        self.record(cx, actor, RecordKind::StateChanged { from, to, reason });
        self.announce(cx, SystemEventKind::StateChanged, Priority::Urgent, said);
    }

    /// Gate shut to entries and state at least PAUSED. The gate is shut in any case: whoever asked may have shut it
    /// already, and its answer brings the epoch without which nothing could be confirmed any more.
    pub(super) fn pause(&mut self, cx: &mut Cx<'_>, actor: Actor, reason: SafeText) {
        self.shut_gate(cx, TradingState::Paused, &reason);
        if self.durable.control.state == TradingState::Running {
            self.change_state(cx, actor, TradingState::Paused, reason);
        }
    }

    /// Gate shut and drained, latch on disk, venue told to cancel, then the record. A repeat adds its reason.
    pub(super) fn halt(&mut self, cx: &mut Cx<'_>, actor: Actor, reason: SafeText) {
        self.shut_gate(cx, TradingState::Halted, &reason);
        cx.effects.push(Effect::SetLatch { reason: reason.clone() });
        self.cancel_all(cx);
        if !self.live.providers.is_empty() {
            // Probes too: HALTED asks no model anything.
            cx.effects.push(Effect::AbandonModelCalls);
        }
        self.change_state(cx, actor, TradingState::Halted, reason);
    }

    /// From PAUSED to RUNNING: recorded first, then the gate is opened, and only its answer ends the command.
    pub(super) fn resume(&mut self, cx: &mut Cx<'_>, id: CommandId, actor: Actor) -> Option<CommandOutcome> {
        if let Some(refused) = self.resume_hindrance() {
            return Some(refused);
        }
        self.change_state(cx, actor, TradingState::Running, SafeText::default());
        self.open_gate(cx, id, TradingState::Running);
        None
    }

    /// Why a resume would be refused now, whoever confirms it.
    pub(super) fn resume_hindrance(&self) -> Option<CommandOutcome> {
        match self.durable.control.state {
            TradingState::Running => return Some(CommandOutcome::refused("already RUNNING")),
            TradingState::Halted => {
                return Some(CommandOutcome::refused("HALTED: release first; resume works from PAUSED only"));
            }
            TradingState::Paused if self.live.opening.is_some() => {
                return Some(CommandOutcome::refused(
                    "the release is not through yet: resume again in a moment",
                ));
            }
            TradingState::Paused => {}
        }
        let unacknowledged = self.durable.alarms.unacknowledged_emergencies().count();
        let plural = if unacknowledged == 1 { "y is" } else { "ies are" };
        (unacknowledged > 0).then(|| {
            CommandOutcome::refused(format!(
                "{unacknowledged} Emergenc{plural} unacknowledged: acknowledge first (a)"
            ))
        })
    }

    fn open_gate(&mut self, cx: &mut Cx<'_>, command: CommandId, to: TradingState) {
        self.live.opening = Some(Opening { command, to });
        self.live.gate_confirmed = false;
        cx.effects.push(Effect::OpenGate { seen: self.live.epoch, to, command });
    }

    /// From HALTED to PAUSED.
    pub(super) fn release(
        &mut self,
        cx: &mut Cx<'_>,
        id: CommandId,
        actor: Actor,
        reason: &str,
        confirmation: &Confirmation,
    ) -> Option<CommandOutcome> {
        let hindered = self.release_hindrance(reason, cx.now);
        if let Some(refused) = hindered.or_else(|| self.wrong_code(cx.now, confirmation)) {
            return Some(refused);
        }
        cx.effects.push(Effect::ReleaseLatch { seen: self.live.epoch });
        self.change_state(cx, actor, TradingState::Paused, SafeText::ours(format!("released: {reason}")));
        self.open_gate(cx, id, TradingState::Paused);
        None
    }

    /// Why a release would be refused now, whatever code is typed.
    pub(super) fn release_hindrance(&self, reason: &str, now: Now) -> Option<CommandOutcome> {
        if self.durable.control.state != TradingState::Halted {
            return Some(CommandOutcome::refused("not HALTED: there is nothing to release"));
        }
        if reason.trim().is_empty() {
            return Some(CommandOutcome::refused("a release wants a reason: say what was put right"));
        }
        let failed: Vec<String> = self
            .release_checks(now)
            .into_iter()
            .filter(|check| !check.advisory)
            .filter_map(|check| check.problem.map(|problem| format!("{}: {problem}", check.what)))
            .collect();
        (!failed.is_empty())
            .then(|| CommandOutcome::refused(format!("pre-flight failed: {}", failed.join("; "))))
    }

    /// A confirmation counts only for the epoch that its preview showed.
    pub(super) fn superseded(&self, confirmation: &Confirmation) -> Option<CommandOutcome> {
        match confirmation {
            Confirmation::Given { epoch, .. } if *epoch != self.live.epoch => Some(CommandOutcome::refused(
                "superseded: the gate was shut again since the preview; look at it again",
            )),
            Confirmation::Given { .. } | Confirmation::Script | Confirmation::None => None,
        }
    }

    /// Release and flatten want the code of their preview, typed in time.
    pub(super) fn wrong_code(&self, now: Now, confirmation: &Confirmation) -> Option<CommandOutcome> {
        let Confirmation::Given { shown_at, code, .. } = confirmation else {
            return None;
        };
        let valid_for = self.config.orchestration.control.release_code_valid_for;
        if now.operator.since(*shown_at) > valid_for {
            return Some(CommandOutcome::refused(format!(
                "the code is older than {} s: open the dialog again",
                valid_for.as_secs()
            )));
        }
        let right = code.as_ref().is_some_and(|code| code.eq_ignore_ascii_case(&self.code()));
        (!right).then(|| CommandOutcome::refused("wrong code"))
    }

    /// The code to type: bound to the epoch and the number of halt reasons, so that it is void when either moves.
    pub(super) fn code(&self) -> String {
        // Letters and digits that are not mistaken for each other.
        const ALPHABET: &[u8] = b"ABCDEFGHJKMNPQRTUVWXYZ2346789";
        let reasons = self.durable.control.halt_reasons.len();
        let bound = format!("{}/{}/{reasons}", self.durable.install, self.live.epoch);
        let digest = blake3::hash(bound.as_bytes());
        let letters = digest.as_bytes().iter().take(CODE_CHARS);
        letters
            .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
            .map(|b| char::from(*b))
            .collect()
    }

    pub(super) fn release_checks(&self, now: Now) -> Vec<Check> {
        let check =
            |what: &str, problem: Option<String>| Check { what: what.to_owned(), problem, advisory: false };
        let unacknowledged = self.durable.alarms.unacknowledged_emergencies().count();
        let unknown = self.unknown_orders().len();
        let stale: Vec<_> = self
            .setup
            .symbols
            .iter()
            .filter(|symbol| self.symbol_feed_stale(symbol, now))
            .map(Symbol::as_str)
            .collect();
        let tripped: Vec<_> =
            self.durable.breakers.tripped().map(|(breaker, _)| breaker.to_string()).collect();
        let named = |list: Vec<String>| (!list.is_empty()).then(|| list.join(", "));
        vec![
            check(
                "every Emergency acknowledged",
                (unacknowledged > 0).then(|| format!("{unacknowledged} unacknowledged")),
            ),
            check("no order or leg Unknown", (unknown > 0).then(|| format!("{unknown} Unknown"))),
            check("store writes", self.live.health.store_problem()),
            check(
                "journal verified from its anchor",
                self.live
                    .journal_fault
                    .as_ref()
                    .or(self.live.health.journal_problem())
                    .map(|fault| format!("{fault}: put it right and start again")),
            ),
            check(
                "feed fresh",
                (!stale.is_empty() && !self.live.feed_ended).then(|| format!("{} stale", stale.join(", "))),
            ),
            Check {
                advisory: true,
                ..check("older records verified", self.live.health.old_records.problem())
            },
            Check {
                advisory: true,
                ..check("breakers armed", named(tripped).map(|names| format!("tripped: {names}")))
            },
            Check {
                advisory: true,
                ..check(
                    "configuration as in the last run",
                    self.live.config_changed.then(|| "changed since the last run".to_owned()),
                )
            },
        ]
    }

    /// The dialog of a release; none unless HALTED.
    pub(super) fn release_view(&self, now: Now) -> Option<ReleaseView> {
        (self.durable.control.state == TradingState::Halted).then(|| ReleaseView {
            checks: self.release_checks(now),
            code: self.code(),
            valid_for: self.config.orchestration.control.release_code_valid_for,
        })
    }

    /// The dialog of a resume; none unless PAUSED.
    pub(super) fn resume_view(&self, now: Now) -> Option<ResumeView> {
        let mut blocks_after = self.blocks_of_all(now);
        blocks_after.retain(|block| !block.ends_with_a_resume());
        (self.durable.control.state == TradingState::Paused).then(|| ResumeView {
            next_hour: self.orders_possible_within_hour(now),
            unacknowledged: self.durable.alarms.unacknowledged_emergencies().count(),
            blocks_after,
        })
    }

    /// The gate was shut: by our own effect, or by somebody who could not wait for us.
    pub(super) fn gate_shut(
        &mut self,
        cx: &mut Cx<'_>,
        epoch: Epoch,
        to: TradingState,
        by: Actor,
        reason: SafeText,
    ) {
        self.live.epoch = self.live.epoch.max(epoch);
        if by == Actor::Coordinator {
            return;
        }
        self.live.gate_confirmed = false;
        let by_watchdog = by == Actor::Watchdog;
        let said = reason.clone();
        match (to, self.durable.control.state) {
            (TradingState::Halted, _) => self.halt(cx, by, reason),
            (TradingState::Paused, TradingState::Running) => {
                self.change_state(cx, by, TradingState::Paused, reason);
            }
            (TradingState::Paused | TradingState::Running, _) => {}
        }
        if by_watchdog {
            self.raise_moment(cx, AlarmKey::of(AlarmSource::CoreStuck), "the watchdog shut the gate", said);
        }
    }

    /// The gate is as open as recorded: the command that asked for it is done.
    pub(super) fn gate_opened(&mut self, cx: &mut Cx<'_>, epoch: Epoch, command: CommandId) {
        let Some(opening) = self.live.opening.take_if(|opening| opening.command == command) else {
            return;
        };
        self.live.epoch = self.live.epoch.max(epoch);
        let state = self.durable.control.state;
        if state != opening.to {
            // Shut again by a rule of ours since the gate was asked: that order is on its way to the gate.
            return self.end_command(cx, command, CommandOutcome::refused(SUPERSEDED));
        }
        self.live.gate_confirmed = true;
        match state {
            TradingState::Running => self.resumed_legs(cx),
            TradingState::Paused => self.clear(cx, AlarmKey::of(AlarmSource::HaltedAtStart)),
            TradingState::Halted => {}
        }
        self.end_command(cx, command, CommandOutcome::done(state));
    }

    /// Somebody shut the gate in between: the record goes back to what the gate says.
    pub(super) fn gate_not_opened(&mut self, cx: &mut Cx<'_>, command: CommandId) {
        let Some(opening) = self.live.opening.take_if(|opening| opening.command == command) else {
            return;
        };
        // Whoever shut it may have been heard already; then the record is right as it is.
        if self.durable.control.state == opening.to {
            match opening.to {
                TradingState::Running => {
                    let reason = SafeText::ours("resume superseded");
                    self.change_state(cx, Actor::Coordinator, TradingState::Paused, reason);
                }
                TradingState::Paused | TradingState::Halted => {
                    self.halt(cx, Actor::Coordinator, SafeText::ours("release superseded"));
                }
            }
        }
        self.end_command(cx, command, CommandOutcome::refused(SUPERSEDED));
    }

    /// The process was suspended: what was true before the gap need not be true any more.
    pub(super) fn process_gap(&mut self, cx: &mut Cx<'_>, length: std::time::Duration) {
        let said = format!("the process did not run for {}", days_hms(length));
        self.pause(cx, Actor::Runtime, SafeText::ours(&said));
        self.raise_moment(cx, AlarmKey::of(AlarmSource::ProcessGap), "process was suspended", said);
    }
}
