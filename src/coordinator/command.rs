//! What operators, scripts and rules ask for. Every command is recorded as requested and as ended.

use super::input::Confirmation;
use super::record::RecordKind;
use super::{Coordinator, Cx};
use crate::alarm::AlarmEvent;
use crate::config::TaskName;
use crate::domain::{
    Actor, Command, CommandId, CommandOutcome, Level, Payload, Priority, SafeText, SystemEventKind,
    TradingState,
};

/// A command that was begun: what is needed to record its end.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    /// Which.
    pub id: CommandId,
    actor: Actor,
    name: &'static str,
    before: (TradingState, Level),
}

impl Coordinator {
    /// Records the request, carries it out, and records how it ended. Resume and release end when the gate answers.
    pub(super) fn command(
        &mut self,
        cx: &mut Cx<'_>,
        id: CommandId,
        actor: Actor,
        command: Command,
        confirmation: &Confirmation,
    ) {
        tracing::info!(%id, %actor, command = command.name(), "command");
        let before = (self.durable.control.state, self.live.level);
        let pending = Pending { id, actor: actor.clone(), name: command.name(), before };
        self.record(cx, actor.clone(), RecordKind::CommandRequested { id, command: command.clone() });
        let source = self.live.sources.coordinator.clone();
        self.publish(cx, source, Priority::High, None, Payload::Command(command.clone()));
        self.live.pending.push(pending);
        if let Some(outcome) = self.carry_out(cx, id, actor, command, confirmation) {
            self.end_command(cx, id, outcome);
        }
    }

    /// Records how a command ended and tells the one who asked.
    pub(super) fn end_command(&mut self, cx: &mut Cx<'_>, id: CommandId, outcome: CommandOutcome) {
        let Some(at) = self.live.pending.iter().position(|pending| pending.id == id) else {
            return;
        };
        let Pending { actor, name, before, .. } = self.live.pending.swap_remove(at);
        let after = (self.durable.control.state, self.live.level);
        let ended = RecordKind::CommandEnded {
            id,
            command: name.to_owned(),
            outcome: outcome.clone(),
            before,
            after,
        };
        self.record(cx, actor, ended);
        cx.effects.push(super::effect::Effect::Reply { command: id, outcome });
    }

    /// None: the answer comes later.
    fn carry_out(
        &mut self,
        cx: &mut Cx<'_>,
        id: CommandId,
        actor: Actor,
        command: Command,
        confirmation: &Confirmation,
    ) -> Option<CommandOutcome> {
        if self.wants_confirmation(&command, cx.now) {
            if *confirmation == Confirmation::None {
                return Some(self.preview(&command, cx.now));
            }
            if let Some(refused) = self.superseded(confirmation) {
                return Some(refused);
            }
        }
        Some(match command {
            Command::Pause { reason } => {
                self.pause(cx, actor, SafeText::ours(reason));
                CommandOutcome::done(self.durable.control.state)
            }
            Command::Resume => return self.resume(cx, id, actor),
            Command::Halt { reason } => {
                self.halt(cx, actor, SafeText::ours(reason));
                CommandOutcome::done(self.durable.control.state)
            }
            Command::Release { reason } => return self.release(cx, id, actor, &reason, confirmation),
            Command::Flatten { symbol, all } => self.flatten(cx, &actor, symbol.as_ref(), all, confirmation),
            Command::ForceLevel { level, until, reason } => {
                self.force_level(cx, &actor, level, until, &reason)
            }
            Command::ClearLevel { reason } => self.clear_level(cx, &actor, &reason),
            Command::ResetFailures { reason } => self.reset_failures(cx, &actor, &reason),
            Command::RearmBreaker { name, reason } => self.rearm_breaker(cx, &actor, &name, &reason),
            Command::LockSymbol { symbol } => self.lock_symbol(cx, &actor, symbol, true),
            Command::UnlockSymbol { symbol } => self.lock_symbol(cx, &actor, symbol, false),
            Command::RunTask { task, symbol } => {
                self.with_task(&task, |core, task| core.run_task_now(task, symbol.as_ref(), cx))
            }
            Command::EnableTask { task } => {
                self.with_task(&task, |core, task| core.enable_task(cx, actor, task, true))
            }
            Command::DisableTask { task } => {
                self.with_task(&task, |core, task| core.enable_task(cx, actor, task, false))
            }
            Command::RunLeg { .. }
            | Command::SkipLeg { .. }
            | Command::PostponeLeg { .. }
            | Command::CancelLeg { .. }
            | Command::CancelPlan { .. } => self.leg_command(cx, &actor, &command),
            Command::AckAlarm { target, comment } => self.alarm_command(
                cx,
                &actor,
                &AlarmEvent::Acknowledge { target, by: actor.clone(), comment },
            ),
            Command::ResetAlarm { target } => {
                self.alarm_command(cx, &actor, &AlarmEvent::Reset { target, by: actor.clone() })
            }
            Command::ReopenStore => return self.reopen_store(cx, id),
            Command::Note { text } => {
                self.record(cx, actor, RecordKind::Note { text: SafeText::ours(text) });
                CommandOutcome::done("noted")
            }
        })
    }

    fn with_task(
        &mut self,
        name: &str,
        carry_out: impl FnOnce(&mut Self, TaskName) -> CommandOutcome,
    ) -> CommandOutcome {
        match name.parse() {
            Ok(task) => carry_out(self, task),
            Err(why) => CommandOutcome::refused(why),
        }
    }

    fn enable_task(
        &mut self,
        cx: &mut Cx<'_>,
        actor: Actor,
        task: TaskName,
        enabled: bool,
    ) -> CommandOutcome {
        let word = if enabled { "enabled" } else { "disabled" };
        if enabled != self.durable.tasks_disabled.contains(&task) {
            return CommandOutcome::done(format!("{task} is {word} already"));
        }
        self.record(cx, actor, RecordKind::TaskEnabled { task, enabled });
        self.live.schedule.set_enabled(task, enabled, cx.now);
        self.announce(cx, SystemEventKind::TaskChanged, Priority::High, format!("{task} {word}"));
        CommandOutcome::done(format!("{task} {word}"))
    }
}
