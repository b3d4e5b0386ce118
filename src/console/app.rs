//! The state of the screen, and what each event does to it. No terminal, no clock, no I/O: events carry the facts
//! of their instant, and what has to happen outside is returned as tasks.

mod away;
mod emergencies;
mod navigation;
mod steering;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyCode;

use super::Options;
use super::dialogs::{CommandLine, Dialog, EmergencyBox, FilterLine, Help, LevelMenu, Open, Quit, Reply};
use super::facts::Facts;
use super::keymap::{Binding, Keymap};
use super::panes::PaneId;
use super::theme::{Palette, Theme};
use super::toasts::{Ticket, Toasts};
use super::topic_filter::TopicFilter;
use super::traffic_log::TrafficLog;
use super::view;
use crate::config::Config;
use crate::config::KeyPress;
use crate::coordinator::input::Confirmation;
use crate::domain::{Command, CommandOutcome, Message, Timestamp};
use away::LastLook;
use emergencies::Emergencies;
pub use navigation::Navigation;

/// The same key that loosens within this time is key repeat.
const REPEAT_WITHIN: Duration = Duration::from_millis(100);
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
    navigation: Navigation,
    dialog: Option<Open>,
    emergencies: Emergencies,
    toasts: Toasts,
    tickets: Ticket,
    /// The request whose answer belongs into the dialog.
    asked: Option<Ticket>,
    /// How long the second press of the halt key may follow the first.
    halt_within: Duration,
    /// Until when another press of the halt key halts.
    halt_armed: Option<Timestamp>,
    last_key: Option<(KeyPress, Timestamp)>,
    last_look: LastLook,
}

impl App {
    /// A console that has seen these facts.
    pub fn new(facts: Facts, options: Options, keymap: Keymap, config: &Config) -> Self {
        let palette = if options.mono { Palette::Mono } else { Palette::Sixteen };
        let last_look = LastLook::at(&facts);
        let mut app = Self {
            facts,
            options,
            keymap,
            theme: Theme::new(palette),
            traffic: TrafficLog::new(config.console.traffic_kept),
            filter: TopicFilter::default(),
            log: Vec::new(),
            navigation: Navigation::default(),
            dialog: None,
            emergencies: Emergencies::default(),
            toasts: Toasts::default(),
            tickets: 0,
            asked: None,
            halt_within: config.orchestration.control.halt_confirm_within,
            halt_armed: None,
            last_key: None,
            last_look,
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

    /// Where the operator is.
    pub const fn navigation(&self) -> &Navigation {
        &self.navigation
    }

    /// The dialog that is open.
    pub const fn dialog(&self) -> Option<&Open> {
        self.dialog.as_ref()
    }

    /// What is to be said.
    pub const fn toasts(&self) -> &Toasts {
        &self.toasts
    }

    /// Whether the Topics pane is before the operator, so that freezing and filtering it make sense.
    pub fn shows_topics(&self) -> bool {
        self.navigation.page().is_none_or(|page| page == PaneId::Topics)
    }

    /// Whether log lines are wanted now.
    pub fn wants_log(&self) -> bool {
        self.navigation.focus() == PaneId::Log
    }

    const fn now(&self) -> Timestamp {
        self.facts.now.operator
    }

    /// Takes one event with the facts of its instant.
    pub fn update(&mut self, facts: Facts, action: Action) -> Vec<Task> {
        self.facts = facts;
        let mut tasks = Vec::new();
        self.toasts.expire(self.facts.now.operator);
        self.disarm_halt();
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
        if self.emergencies.follow(&self.facts) {
            tasks.push(Task::Bell);
        }
        self.close_what_is_over();
        self.open_emergency();
        tasks
    }

    /// The box of an Emergency that somebody else has acknowledged goes, and every box while nobody would take the
    /// acknowledgement; but text that is being typed stays.
    fn close_what_is_over(&mut self) {
        if let Some(Open { dialog: Dialog::Emergency(alarm), .. }) = &self.dialog
            && !alarm.is_text()
            && (self.facts.is_stuck() || !self.facts.emergencies().iter().any(|row| row.id == alarm.alarm()))
        {
            self.dialog = None;
        }
    }

    /// Opens the box for the oldest Emergency that was not put aside, unless something else is open.
    fn open_emergency(&mut self) {
        if self.dialog.is_none()
            && !self.options.read_only
            && !self.facts.is_stuck()
            && let Some(id) = self.emergencies.next(&self.facts)
        {
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
        if let Some(news) = self.last_look.news(&self.facts) {
            self.say(news);
        }
        self.last_look = LastLook::at(&self.facts);
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
            Reply::Instead(dialog) => self.open(*dialog),
            Reply::Send(command, confirmation) => {
                self.dialog = None;
                self.send(command, confirmation, tasks);
            }
            Reply::Ask(command) => {
                self.asked = self.send(command.clone(), Confirmation::None, tasks);
                if let (Some(open), Some(_)) = (&mut self.dialog, self.asked) {
                    open.asked(command);
                    open.shown_at = now;
                }
            }
            Reply::Show(answer) => {
                self.dialog = None;
                self.navigation.show(PaneId::Decisions, answer.row);
                self.say(answer.said);
            }
            Reply::Filter(filter) => self.filter = filter,
            Reply::Quit => tasks.push(Task::Quit),
        }
    }

    /// Closing the Emergency box puts every Emergency of now aside.
    fn close(&mut self) {
        if let Some(Open { dialog: Dialog::Emergency(_), .. }) = self.dialog.take() {
            self.emergencies.put_aside(&self.facts);
        }
    }

    fn main_key(&mut self, key: KeyPress, binding: Option<Binding>, tasks: &mut Vec<Task>) {
        if let Some(pane) = key.typed().and_then(|c| PaneId::ALL.into_iter().find(|pane| pane.digit() == c)) {
            self.navigation.turn_to(pane);
            return;
        }
        let Some(binding) = binding else { return };
        match binding {
            Binding::Pause => self.pause_key(tasks),
            Binding::Halt | Binding::HaltAnywhere => self.halt_key(tasks),
            Binding::Resume => self.resume_key(),
            Binding::Level => self.guarded(|_| Dialog::Level(LevelMenu::default())),
            Binding::Acknowledge => self.acknowledge_key(tasks),
            Binding::Palette if self.facts.is_stuck() => self.say_stuck(),
            Binding::Palette => self.open(Dialog::Command(CommandLine::new(self.options.read_only))),
            Binding::Filter => self.open(Dialog::Filter(FilterLine::new(&self.filter))),
            Binding::Freeze if self.shows_topics() => self.traffic.toggle_freeze(),
            Binding::Freeze => self.say("nothing on this page moves: Topics (1) can be frozen"),
            Binding::Zoom => self.navigation.turn_to(self.navigation.focus()),
            Binding::Open => self.navigation.open(),
            Binding::Back => {
                if !self.navigation.back() {
                    self.traffic.follow();
                }
            }
            Binding::NextPane => self.navigation.move_focus(1),
            Binding::PreviousPane => self.navigation.move_focus(-1),
            Binding::Up => self.move_cursor(-1),
            Binding::Down => self.move_cursor(1),
            Binding::PageUp => self.move_cursor(-PAGE_ROWS),
            Binding::PageDown => self.move_cursor(PAGE_ROWS),
            Binding::Top => {
                self.navigation.top();
                if self.navigation.focus() == PaneId::Topics {
                    self.traffic.follow();
                }
            }
            Binding::Bottom => self.move_cursor(isize::MAX),
            Binding::Help => self.open(Dialog::Help(Help::default())),
            Binding::Quit => self.open(Dialog::Quit(Quit)),
        }
    }

    /// Moves the selection, or scrolls open details. A moving list is held while its rows are looked at.
    fn move_cursor(&mut self, by: isize) {
        if self.navigation.is_detail_open() {
            self.navigation.scroll_detail(by);
            return;
        }
        let pane = self.navigation.focus();
        if pane == PaneId::Topics {
            self.traffic.hold();
        }
        let ids = view::row_ids(self, pane);
        self.navigation.select_by(by, ids);
    }
}
