//! The keys that steer the engine, and what becomes of what they ask for. Safer is one key; looser opens a dialog. The
//! result is the engine's answer alone.

use super::{App, Task};
use crate::alarm::AlarmClass;
use crate::console::dialogs::{Dialog, EmergencyBox, Release, Resume};
use crate::console::facts::Facts;
use crate::console::keymap::Binding;
use crate::console::panes::{PaneId, RowId};
use crate::console::stop_keys::{Pressed, Stop};
use crate::console::toasts::Ticket;
use crate::coordinator::input::Confirmation;
use crate::domain::{AlarmTarget, Command, CommandOutcome, TradingState, short_span};

impl App {
    /// Whether another press of the halt key halts.
    pub fn is_halt_armed(&self) -> bool {
        self.halt_armed.is_some_and(|until| self.now() < until)
    }

    /// The halt key was pressed once and not again.
    pub(super) fn disarm_halt(&mut self) {
        let now = self.now();
        if self.halt_armed.is_some_and(|until| now >= until) {
            self.halt_armed = None;
            let state = self.facts.state();
            let within = short_span(self.halt_within);
            self.say(format!("not halted: the second press did not come within {within}; {state}"));
        }
    }

    /// Sends a command. A console for looking sends pause and halt alone, and so does any while the core does not answer.
    pub(super) fn send(
        &mut self,
        command: Command,
        confirmation: Confirmation,
        tasks: &mut Vec<Task>,
    ) -> Option<Ticket> {
        let is_stop = matches!(command, Command::Pause { .. } | Command::Halt { .. });
        if self.options.read_only && !is_stop {
            self.say_read_only();
            return None;
        }
        if self.facts.is_stuck() && !is_stop {
            self.say_stuck();
            return None;
        }
        self.tickets += 1;
        let loosens = !matches!(confirmation, Confirmation::None);
        let now = self.now();
        self.toasts.pending(self.tickets, command.name(), loosens, now);
        let ticket = self.tickets;
        if let Command::AckAlarm { target: AlarmTarget::One(alarm), .. } = &command {
            self.emergencies.acknowledging(ticket, *alarm);
        }
        tasks.push(Task::Send { ticket, command, confirmation });
        Some(ticket)
    }

    /// The engine has answered.
    pub(super) fn answered(&mut self, ticket: Ticket, outcome: CommandOutcome) {
        self.emergencies.answered(ticket, outcome.is_done());
        let now = self.now();
        let is_asked = self.asked.take_if(|asked| *asked == ticket).is_some();
        if let Some(open) = self.dialog.as_mut().filter(|_| is_asked)
            && open.is_asking()
        {
            if outcome.is_done() {
                self.dialog = None;
            } else {
                // What was not done is shown where it was asked.
                open.show(&outcome, &self.facts);
                open.shown_at = now;
                self.toasts.forget(ticket);
            }
        }
        self.toasts.answered(ticket, outcome, now);
    }

    /// Opens a dialog that leads to a command, unless the console is for looking or nobody would take the command.
    pub(super) fn guarded(&mut self, dialog: impl FnOnce(&Facts) -> Dialog) {
        if self.options.read_only {
            self.say_read_only();
        } else if self.facts.is_stuck() {
            self.say_stuck();
        } else {
            let dialog = dialog(&self.facts);
            self.open(dialog);
        }
    }

    fn say_read_only(&mut self) {
        self.say("read-only: only pause and halt");
    }

    pub(super) fn say_stuck(&mut self) {
        let quit = self.keymap.name_of(Binding::Quit);
        if self.facts.has_ended {
            self.say(format!("the core has ended: nothing can be asked of it; {quit}, then start again"));
        } else {
            self.say(format!("the core does not answer: only pause, halt and {quit} quit work"));
        }
    }

    /// A stop key has worked, or there was nothing left to stop.
    pub(super) fn stopped(&mut self, pressed: Pressed, tasks: &mut Vec<Task>) {
        let Pressed { key, asked, found, armed } = pressed;
        self.looked();
        self.typing.forget();
        if let Some(stop) = asked {
            self.tickets += 1;
            let now = self.now();
            self.toasts.pending(self.tickets, stop.command().name(), false, now);
            tasks.push(Task::Follow(self.tickets));
        }
        let is_armed_now = armed.is_some() && key == Stop::Halt;
        self.halt_armed = armed;
        if is_armed_now {
            let (key, anywhere) =
                (self.keymap.name_of(Binding::Halt), self.keymap.name_of(Binding::HaltAnywhere));
            let within = short_span(self.halt_within);
            self.say(format!("paused; {key} or {anywhere} again within {within} HALTS"));
        } else if asked.is_none() {
            match (key, found) {
                (Stop::Pause, TradingState::Halted) => self.say("HALTED is stricter than PAUSED already"),
                (Stop::Pause | Stop::Halt, _) => self.say(format!("already {found}")),
            }
        }
    }

    pub(super) fn resume_key(&mut self) {
        match self.facts.state() {
            TradingState::Running => self.say("already RUNNING"),
            TradingState::Paused => self.guarded(|facts| Dialog::Resume(Resume::new(facts))),
            TradingState::Halted => self.guarded(|_| Dialog::Release(Release::default())),
        }
    }

    /// The selected alarm if that pane has the keys, else the oldest of the highest class. An Emergency wants a
    /// comment, so its box opens.
    pub(super) fn acknowledge_key(&mut self, tasks: &mut Vec<Task>) {
        if self.options.read_only {
            return self.say_read_only();
        }
        if self.facts.is_stuck() {
            return self.say_stuck();
        }
        self.emergencies.bring_back();
        let chosen = self
            .navigation
            .selected(PaneId::Alarms)
            .filter(|_| self.navigation.focus() == PaneId::Alarms)
            .and_then(|id| self.facts.snapshot.alarms.iter().find(|row| RowId::of(row.id) == *id));
        let target = chosen.or_else(|| self.facts.most_urgent());
        let Some((id, class, unacknowledged)) = target.map(|row| (row.id, row.class, row.unacknowledged))
        else {
            self.say("nothing to acknowledge");
            return;
        };
        if !unacknowledged {
            self.say(format!("{id} is acknowledged already"));
        } else if class == AlarmClass::Emergency {
            self.open(Dialog::Emergency(EmergencyBox::new(id)));
        } else {
            let command = Command::AckAlarm { target: AlarmTarget::One(id), comment: String::new() };
            self.send(command, Confirmation::None, tasks);
        }
    }
}
