//! The state of the screen, and what each event does to it. No terminal, no clock, no I/O: events carry the facts
//! of their instant, and what has to happen outside is returned as tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyCode;

use super::Options;
use super::dialogs::{
    CommandLine, Dialog, EmergencyBox, FilterLine, Help, LevelMenu, Open, Quit, Release, Reply, Resume,
};
use super::facts::Facts;
use super::key::KeyPress;
use super::keymap::{Binding, Keymap};
use super::panes::{PaneId, RowId};
use super::theme::{Palette, Theme};
use super::toasts::{Ticket, Toasts};
use super::topic_filter::TopicFilter;
use super::traffic_log::TrafficLog;
use super::view;
use crate::alarm::AlarmClass;
use crate::coordinator::input::Confirmation;
use crate::domain::{AlarmId, AlarmTarget, Command, CommandOutcome, Message, Timestamp, TradingState};

/// The second press of the halt key counts within this time.
const HALT_WITHIN: Duration = Duration::from_secs(10);
/// The same key that loosens within this time is key repeat.
const REPEAT_WITHIN: Duration = Duration::from_millis(100);
/// After so long without a key, the first one tells what happened meanwhile.
const AWAY_AFTER: Duration = Duration::from_mins(15);
/// Rows of a page key.
const PAGE_ROWS: isize = 10;

/// Something that happened to the screen.
#[derive(Debug, Clone)]
pub enum Action {
    /// A key was pressed.
    Key(KeyPress),
    /// Text was pasted.
    Paste(String),
    /// An answer of the engine.
    Answered(Ticket, CommandOutcome),
    /// New messages, and how many were lost so far.
    Traffic(Vec<Arc<Message>>, u64),
    /// The newest log lines.
    Log(Vec<String>),
    /// Nothing but newer facts.
    Facts,
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Send to the engine; the answer comes back as [`Action::Answered`].
    Send {
        /// Its number.
        ticket: Ticket,
        /// What.
        command: Command,
        /// How it was confirmed.
        confirmation: Confirmation,
    },
    /// Ring the terminal's bell.
    Bell,
    /// Leave.
    Quit,
}

/// What an operator who was away has seen.
#[derive(Debug, Clone)]
struct Seen {
    at: Timestamp,
    market: Timestamp,
    alarm: Option<AlarmId>,
    decision: Option<crate::domain::DecisionId>,
}

impl Seen {
    fn of(facts: &Facts) -> Self {
        Self {
            at: facts.now.operator,
            market: facts.now.market,
            alarm: facts.snapshot.alarms.iter().map(|row| row.id).max(),
            decision: facts.snapshot.decisions.recent.iter().map(|decision| decision.id).max(),
        }
    }
}

/// The console.
#[derive(Debug)]
pub struct App {
    facts: Facts,
    options: Options,
    keymap: Keymap,
    theme: Theme,
    traffic: TrafficLog,
    filter: TopicFilter,
    log: Vec<String>,
    focus: PaneId,
    page: Option<PaneId>,
    detail_open: bool,
    detail_scroll: u16,
    selected: BTreeMap<PaneId, RowId>,
    dialog: Option<Open>,
    toasts: Toasts,
    tickets: Ticket,
    previews: BTreeSet<Ticket>,
    /// Until when another press of the halt key halts.
    halt_armed: Option<Timestamp>,
    last_key: Option<(KeyPress, Timestamp)>,
    /// Emergencies put aside by Esc, until the acknowledge key.
    hidden: BTreeSet<AlarmId>,
    /// Acknowledgements on their way.
    acknowledging: BTreeMap<Ticket, AlarmId>,
    rung: BTreeSet<AlarmId>,
    seen: Seen,
}

impl App {
    /// A console that has seen these facts.
    pub fn new(facts: Facts, options: Options, keymap: Keymap, traffic_kept: usize) -> Self {
        let palette = if options.mono { Palette::Mono } else { Palette::Sixteen };
        let seen = Seen::of(&facts);
        let mut app = Self {
            facts,
            options,
            keymap,
            theme: Theme::new(palette),
            traffic: TrafficLog::new(traffic_kept),
            filter: TopicFilter::default(),
            log: Vec::new(),
            focus: PaneId::Consensus,
            page: None,
            detail_open: false,
            detail_scroll: 0,
            selected: BTreeMap::new(),
            dialog: None,
            toasts: Toasts::default(),
            tickets: 0,
            previews: BTreeSet::new(),
            halt_armed: None,
            last_key: None,
            hidden: BTreeSet::new(),
            acknowledging: BTreeMap::new(),
            rung: BTreeSet::new(),
            seen,
        };
        app.open_emergency();
        app
    }

    /// What is drawn from.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// How the console was started.
    pub const fn options(&self) -> Options {
        self.options
    }

    /// The keys.
    pub const fn keymap(&self) -> &Keymap {
        &self.keymap
    }

    /// The looks.
    pub const fn theme(&self) -> Theme {
        self.theme
    }

    /// The messages.
    pub const fn traffic(&self) -> &TrafficLog {
        &self.traffic
    }

    /// Which of them are shown.
    pub const fn filter(&self) -> &TopicFilter {
        &self.filter
    }

    /// The log lines, oldest first.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// The pane that has the keys.
    pub const fn focus(&self) -> PaneId {
        self.focus
    }

    /// The pane that has the whole screen.
    pub const fn page(&self) -> Option<PaneId> {
        self.page
    }

    /// Whether the details have the room of the list.
    pub const fn is_detail_open(&self) -> bool {
        self.detail_open
    }

    /// First line of the details that is shown.
    pub const fn detail_scroll(&self) -> u16 {
        self.detail_scroll
    }

    /// The selected row of a pane.
    pub fn selected(&self, pane: PaneId) -> Option<&RowId> {
        self.selected.get(&pane)
    }

    /// The dialog that is open.
    pub const fn dialog(&self) -> Option<&Open> {
        self.dialog.as_ref()
    }

    /// What is to be said.
    pub const fn toasts(&self) -> &Toasts {
        &self.toasts
    }

    /// Whether another press of the halt key halts.
    pub fn is_halt_armed(&self) -> bool {
        self.halt_armed.is_some_and(|until| self.now() < until)
    }

    /// Whether log lines are wanted now.
    pub fn wants_log(&self) -> bool {
        self.page == Some(PaneId::Log) || self.focus == PaneId::Log
    }

    const fn now(&self) -> Timestamp {
        self.facts.now.operator
    }

    /// Takes one event with the facts of its instant.
    pub fn update(&mut self, facts: Facts, action: Action) -> Vec<Task> {
        self.facts = facts;
        let mut tasks = Vec::new();
        self.pass_time();
        match action {
            Action::Key(key) => self.key(key, &mut tasks),
            Action::Paste(text) => self.paste(&text, &mut tasks),
            Action::Answered(ticket, outcome) => self.answered(ticket, outcome),
            Action::Traffic(messages, dropped) => {
                self.traffic.extend(self.facts.now.operator, messages, dropped);
            }
            Action::Log(lines) => self.log = lines,
            Action::Facts => {}
        }
        self.follow_alarms(&mut tasks);
        tasks
    }

    fn pass_time(&mut self) {
        let now = self.now();
        self.toasts.expire(now);
        if self.halt_armed.is_some_and(|until| now >= until) {
            self.halt_armed = None;
            self.toasts.say(
                format!("not halted: the second press did not come within 10 s; {}", self.facts.state()),
                now,
            );
        }
    }

    /// Rings for new ones, opens the box for an Emergency, closes it when somebody else acknowledged.
    fn follow_alarms(&mut self, tasks: &mut Vec<Task>) {
        let new: Vec<_> = self
            .facts
            .snapshot
            .alarms
            .iter()
            .filter(|row| row.unacknowledged && row.class >= AlarmClass::High && !self.rung.contains(&row.id))
            .map(|row| row.id)
            .collect();
        if !new.is_empty() {
            tasks.push(Task::Bell);
            self.rung.extend(new);
        }
        let open: BTreeSet<_> = self.facts.emergencies().iter().map(|row| row.id).collect();
        self.hidden.retain(|id| open.contains(id));
        self.acknowledging.retain(|_, id| open.contains(id));
        let is_over = self.dialog.as_ref().is_some_and(|shown| match &shown.dialog {
            // Text that is being typed is never taken away.
            Dialog::Emergency(alarm) => !shown.is_text() && !open.contains(&alarm.alarm()),
            Dialog::Resume(_)
            | Dialog::Release(_)
            | Dialog::Level(_)
            | Dialog::Command(_)
            | Dialog::Filter(_)
            | Dialog::Quit(_)
            | Dialog::Help(_) => false,
        });
        if is_over {
            self.dialog = None;
        }
        self.open_emergency();
    }

    /// Opens the box for the oldest Emergency that was not put aside, unless something else is open.
    fn open_emergency(&mut self) {
        if self.dialog.is_some() || self.options.read_only {
            return;
        }
        let waiting =
            |id: AlarmId| !self.hidden.contains(&id) && !self.acknowledging.values().any(|a| *a == id);
        let next = self.facts.emergencies().iter().map(|row| row.id).find(|id| waiting(*id));
        if let Some(id) = next {
            self.open(Dialog::Emergency(EmergencyBox::new(id)));
        }
    }

    fn open(&mut self, dialog: Dialog) {
        self.dialog = Some(Open { dialog, shown_at: self.now() });
    }

    fn say(&mut self, words: impl Into<String>) {
        let now = self.now();
        self.toasts.say(words, now);
    }

    fn send(&mut self, command: Command, confirmation: Confirmation, tasks: &mut Vec<Task>) -> Ticket {
        self.tickets += 1;
        let is_stop = matches!(command, Command::Pause { .. } | Command::Halt { .. });
        if self.options.read_only && !is_stop {
            self.say("read-only: only pause and halt");
            return self.tickets;
        }
        let loosens = !matches!(confirmation, Confirmation::None);
        let now = self.now();
        self.toasts.pending(self.tickets, command.name(), loosens, now);
        tasks.push(Task::Send { ticket: self.tickets, command, confirmation });
        self.tickets
    }

    fn answered(&mut self, ticket: Ticket, outcome: CommandOutcome) {
        if let Some(alarm) = self.acknowledging.remove(&ticket)
            && !outcome.is_done()
        {
            // It stays in the header; the box would only ask again for what was refused.
            self.hidden.insert(alarm);
        }
        if self.previews.remove(&ticket) {
            // The answer to a question is shown where it was asked.
            self.toasts.forget(ticket);
            if let Some(open) = &mut self.dialog {
                open.preview(&outcome, &self.facts);
                open.shown_at = self.facts.now.operator;
            }
        }
        let now = self.now();
        self.toasts.answered(ticket, outcome, now);
    }

    fn paste(&mut self, text: &str, tasks: &mut Vec<Task>) {
        let reply = match &mut self.dialog {
            Some(open) if open.is_text() => open.paste(text),
            Some(_) | None => {
                self.say("paste ignored: no text is being typed");
                return;
            }
        };
        self.obey(reply, tasks);
    }

    fn key(&mut self, key: KeyPress, tasks: &mut Vec<Task>) {
        let now = self.now();
        let is_repeat = self.last_key.is_some_and(|(last, at)| last == key && now.since(at) < REPEAT_WITHIN);
        self.tell_what_happened();
        self.last_key = Some((key, now));
        let binding = self.keymap.get(key);
        if binding == Some(Binding::HaltAnywhere) {
            self.halt_key(tasks);
        } else if key.ctrl && key.code == KeyCode::Char('z') {
            self.say("a trading engine is not suspended: detach tmux, or q");
        } else if self.dialog.is_some() {
            self.dialog_key(key, binding, is_repeat, tasks);
        } else {
            self.main_key(key, binding, tasks);
        }
    }

    fn dialog_key(
        &mut self,
        key: KeyPress,
        binding: Option<Binding>,
        is_repeat: bool,
        tasks: &mut Vec<Task>,
    ) {
        let now = self.now();
        let Some(open) = &mut self.dialog else { return };
        if !open.is_text() {
            match binding {
                Some(Binding::Pause) => return self.pause_key(tasks),
                Some(Binding::Halt) => return self.halt_key(tasks),
                Some(_) | None => {}
            }
        }
        if key.ctrl && binding == Some(Binding::Quit) {
            self.open(Dialog::Quit(Quit));
            return;
        }
        if open.is_guarded(now) || (is_repeat && !open.is_text()) {
            return;
        }
        let reply = open.key(key, &self.facts);
        self.obey(reply, tasks);
    }

    fn obey(&mut self, reply: Reply, tasks: &mut Vec<Task>) {
        let now = self.now();
        match reply {
            Reply::Stay => {}
            Reply::Restage => {
                if let Some(open) = &mut self.dialog {
                    open.shown_at = now;
                }
            }
            Reply::Say(words) => {
                self.say(words);
                if let Some(open) = &mut self.dialog
                    && !open.is_text()
                {
                    open.shown_at = now;
                }
            }
            Reply::Close => self.close(),
            Reply::Send(command, confirmation) => {
                let alarm = match &command {
                    Command::AckAlarm { target: AlarmTarget::One(id), .. } => Some(*id),
                    _ => None,
                };
                self.dialog = None;
                let ticket = self.send(command, confirmation, tasks);
                if let Some(alarm) = alarm {
                    self.acknowledging.insert(ticket, alarm);
                }
            }
            Reply::Preview(command) => {
                let ticket = self.send(command, Confirmation::None, tasks);
                self.previews.insert(ticket);
            }
            Reply::Filter(filter) => self.filter = filter,
            Reply::Quit => tasks.push(Task::Quit),
        }
    }

    /// Closing the Emergency box puts every Emergency of now aside.
    fn close(&mut self) {
        if let Some(Open { dialog: Dialog::Emergency(_), .. }) = self.dialog.take() {
            let ids: Vec<_> = self.facts.emergencies().iter().map(|row| row.id).collect();
            self.hidden.extend(ids);
        }
    }

    fn main_key(&mut self, key: KeyPress, binding: Option<Binding>, tasks: &mut Vec<Task>) {
        if let Some(pane) = key.typed().and_then(|c| PaneId::ALL.into_iter().find(|pane| pane.digit() == c)) {
            self.page_key(pane);
            return;
        }
        let Some(binding) = binding else { return };
        match binding {
            Binding::Pause => self.pause_key(tasks),
            Binding::Halt | Binding::HaltAnywhere => self.halt_key(tasks),
            Binding::Resume => self.resume_key(),
            Binding::Level => self.guarded(|_| Dialog::Level(LevelMenu::default())),
            Binding::Acknowledge => self.acknowledge_key(tasks),
            Binding::Palette => {
                let read_only = self.options.read_only;
                self.open(Dialog::Command(CommandLine::new(read_only)));
            }
            Binding::Filter => self.open(Dialog::Filter(FilterLine::new(&self.filter))),
            Binding::Freeze => self.traffic.toggle_freeze(),
            Binding::Zoom => self.page_key(self.focus),
            Binding::Open => self.open_key(),
            Binding::Back => self.back_key(),
            Binding::NextPane => self.move_focus(1),
            Binding::PreviousPane => self.move_focus(-1),
            Binding::Up => self.move_cursor(-1),
            Binding::Down => self.move_cursor(1),
            Binding::PageUp => self.move_cursor(-PAGE_ROWS),
            Binding::PageDown => self.move_cursor(PAGE_ROWS),
            Binding::Top => self.top_key(),
            Binding::Bottom => self.move_cursor(isize::MAX),
            Binding::Help => self.open(Dialog::Help(Help::default())),
            Binding::Quit => self.open(Dialog::Quit(Quit)),
        }
    }

    /// Opens a dialog that leads to a command, unless the console is read-only.
    fn guarded(&mut self, dialog: impl FnOnce(&Facts) -> Dialog) {
        if self.options.read_only {
            self.say("read-only: only pause and halt");
        } else {
            let dialog = dialog(&self.facts);
            self.open(dialog);
        }
    }

    /// At once, no dialog. When it is PAUSED already it does nothing, unless a resume is on its way: then it
    /// overtakes it.
    fn pause_key(&mut self, tasks: &mut Vec<Task>) {
        match self.facts.state() {
            TradingState::Running => {
                self.send(Command::Pause { reason: String::new() }, Confirmation::None, tasks);
            }
            TradingState::Paused if self.toasts.is_loosening() => {
                self.send(Command::Pause { reason: String::new() }, Confirmation::None, tasks);
            }
            TradingState::Paused => self.say("already PAUSED"),
            TradingState::Halted => self.say("HALTED is stricter than PAUSED already"),
        }
    }

    fn halt_key(&mut self, tasks: &mut Vec<Task>) {
        let key = self.keymap.name_of(Binding::Halt);
        if self.is_halt_armed() {
            self.halt_armed = None;
            self.send(Command::Halt { reason: String::new() }, Confirmation::None, tasks);
            return;
        }
        if self.facts.state() == TradingState::Halted && !self.toasts.is_loosening() {
            self.say("already HALTED");
            return;
        }
        self.pause_key(tasks);
        self.halt_armed = Some(self.now().plus(HALT_WITHIN));
        self.say(format!("paused; {key} or Ctrl-X again within 10 s HALTS"));
    }

    fn resume_key(&mut self) {
        match self.facts.state() {
            TradingState::Running => self.say("already RUNNING"),
            TradingState::Paused => self.guarded(|facts| Dialog::Resume(Resume::new(facts))),
            TradingState::Halted => self.guarded(|_| Dialog::Release(Release::default())),
        }
    }

    fn acknowledge_key(&mut self, tasks: &mut Vec<Task>) {
        if self.options.read_only {
            self.say("read-only: only pause and halt");
            return;
        }
        self.hidden.clear();
        let chosen = self
            .selected(PaneId::Alarms)
            .filter(|_| self.focus == PaneId::Alarms)
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

    /// The page of a pane; the same key again goes back.
    fn page_key(&mut self, pane: PaneId) {
        self.page = if self.page == Some(pane) { None } else { Some(pane) };
        self.detail_open = false;
        self.detail_scroll = 0;
        self.focus = if self.page.is_none() && pane == PaneId::Log { PaneId::Topics } else { pane };
    }

    fn open_key(&mut self) {
        if self.page == Some(self.focus) {
            self.detail_open = !self.detail_open;
            self.detail_scroll = 0;
        } else {
            self.page_key(self.focus);
        }
    }

    fn back_key(&mut self) {
        if self.detail_open {
            self.detail_open = false;
            self.detail_scroll = 0;
        } else if let Some(pane) = self.page {
            self.page_key(pane);
        } else {
            self.selected.remove(&self.focus);
            self.traffic.follow();
        }
    }

    fn top_key(&mut self) {
        self.selected.remove(&self.focus);
        self.detail_scroll = 0;
        if self.focus == PaneId::Topics {
            self.traffic.follow();
        }
    }

    fn move_focus(&mut self, by: isize) {
        let order = PaneId::TAB_ORDER;
        let at = order.iter().position(|pane| *pane == self.focus).unwrap_or(0);
        let count = order.len().cast_signed();
        let next = (at.cast_signed() + by).rem_euclid(count).unsigned_abs();
        self.focus = order.get(next).copied().unwrap_or(self.focus);
        self.detail_open = false;
        self.detail_scroll = 0;
        if self.page.is_some() {
            self.page = Some(self.focus);
        }
    }

    /// Moves the selection, which is an id and not a row; open details are scrolled instead.
    fn move_cursor(&mut self, by: isize) {
        if self.detail_open {
            let by = u16::try_from(by.unsigned_abs()).unwrap_or(u16::MAX);
            let down = self.detail_scroll.saturating_add(by).min(500);
            self.detail_scroll = if by > 0 { down } else { self.detail_scroll.saturating_sub(by) };
            return;
        }
        if self.focus == PaneId::Topics {
            self.traffic.hold();
        }
        let ids = view::row_ids(self, self.focus);
        let Some(last) = ids.len().checked_sub(1) else { return };
        let at = self.selected(self.focus).and_then(|id| ids.iter().position(|row| row == id)).unwrap_or(0);
        let next = at.saturating_add_signed(by).min(last);
        if let Some(id) = ids.into_iter().nth(next) {
            self.selected.insert(self.focus, id);
        }
    }

    /// The first key after a long time says what happened since the last one.
    fn tell_what_happened(&mut self) {
        let now = self.now();
        let last = self.last_key.map_or(self.seen.at, |(_, at)| at);
        if now.since(last) >= AWAY_AFTER {
            let snapshot = &self.facts.snapshot;
            let alarms = snapshot.alarms.iter().filter(|row| Some(row.id) > self.seen.alarm).count();
            let decisions =
                snapshot.decisions.recent.iter().filter(|d| Some(d.id) > self.seen.decision).count();
            let day = super::text::percent(snapshot.portfolio.day_pct.0);
            let since = super::panes::alarms::minute(self.seen.market);
            self.say(format!("since {since}: {alarms} alarms, {decisions} decisions, today {day} %"));
        }
        self.seen = Seen::of(&self.facts);
    }
}
