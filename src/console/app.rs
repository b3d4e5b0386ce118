//! The state of the screen, and what each event does to it. No terminal, no clock, no I/O: events carry the facts
//! of their instant, and what has to happen outside is returned as tasks.

mod away;
mod emergencies;
mod navigation;
mod steering;
mod typing;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyCode;

use super::Options;
use super::dialogs::{CommandLine, Dialog, EmergencyBox, FilterLine, Help, LevelMenu, Open, Quit, Reply};
use super::facts::Facts;
use super::keymap::{Binding, Keymap};
use super::panes::PaneId;
use super::stop_keys::{Pressed, Stop};
use super::theme::{Palette, Theme};
use super::toasts::{Ticket, Toasts};
use super::topic_filter::TopicFilter;
use super::traffic_log::TrafficLog;
use super::view;
use crate::config::Config;
use crate::config::KeyPress;
use crate::coordinator::input::Confirmation;
use crate::domain::{Command, CommandOutcome, Message, Timestamp, short_span};
use away::LastLook;
use emergencies::Emergencies;
pub use navigation::Navigation;
use typing::{Rhythm, Typing};

/// Rows of a page key.
const PAGE_ROWS: isize = 10;

/// Something that happened to the screen.
#[derive(Debug, Clone)]
pub enum Action {
    /// A key was pressed.
    Key(KeyPress),
    /// Text was pasted.
    Paste(String),
    /// A stop key was pressed, and this came of it.
    Stopped(Pressed),
    /// The terminal sent so much, since the start, that was dropped as unfinished or unknown.
    Dropped(u64),
    /// Nothing could be drawn for so long, and what was typed meanwhile was not taken.
    Stalled(Duration),
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
    /// Press a stop key; what comes of it comes back as [`Action::Stopped`].
    Stop(Stop),
    /// The answer to what a stop key has asked belongs to this ticket.
    Follow(Ticket),
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
    /// How long the core takes a code that it has shown.
    code_valid_for: Duration,
    /// Until when another press of the halt key halts.
    halt_armed: Option<Timestamp>,
    typing: Typing,
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
            code_valid_for: config.orchestration.control.release_code_valid_for,
            halt_armed: None,
            typing: Typing::default(),
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
        self.let_act(&mut tasks);
        match action {
            Action::Key(key) => self.key(key, &mut tasks),
            Action::Paste(text) => self.paste(&text, &mut tasks),
            Action::Answered(ticket, outcome) => self.answered(ticket, outcome),
            Action::Traffic(messages, dropped) => {
                self.traffic.extend(self.facts.now.operator, messages, dropped);
            }
            Action::Log(lines) => self.log = lines,
            Action::Stopped(pressed) => self.stopped(pressed, &mut tasks),
            Action::Dropped(count) => {
                self.say(format!(
                    "{count} pastes or key sequences without an end or a meaning dropped so far"
                ));
            }
            Action::Stalled(span) => {
                let span = short_span(span);
                self.say(format!(
                    "the terminal took nothing for {span}: of what was typed meanwhile only stop keys count"
                ));
            }
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
        self.typing.forget();
        self.dialog = Some(Open { dialog, shown_at: self.now() });
    }

    fn say(&mut self, words: impl Into<String>) {
        let now = self.now();
        self.toasts.say(words, now);
    }

    fn paste(&mut self, text: &str, tasks: &mut Vec<Task>) {
        let now = self.now();
        self.typing.pasted(now);
        let reply = match &mut self.dialog {
            Some(open) if open.is_text() => open.paste(text),
            Some(_) | None => {
                self.say("paste ignored: no text is being typed");
                return;
            }
        };
        self.obey(reply, tasks);
    }

    /// The operator is there: what happened meanwhile is told once.
    fn looked(&mut self) {
        if let Some(news) = self.last_look.news(&self.facts) {
            self.say(news);
        }
        self.last_look = LastLook::at(&self.facts);
    }

    fn key(&mut self, key: KeyPress, tasks: &mut Vec<Task>) {
        self.looked();
        let now = self.now();
        let rhythm = self.typing.press(key, now);
        let binding = self.keymap.get(key);
        let is_text = self.are_keys_text();
        if let Some(stop) =
            binding.filter(|b| *b == Binding::HaltAnywhere || !is_text).and_then(Binding::stop)
        {
            tasks.push(Task::Stop(stop));
        } else if key.ctrl && key.code == KeyCode::Char('z') {
            self.say("a trading engine is not suspended: detach tmux, or q");
        } else if self.dialog.is_some() {
            self.dialog_key(key, binding, rhythm, tasks);
        } else if rhythm != Rhythm::BehindText {
            self.main_key(key, binding, tasks);
        }
        if is_text && key.typed().is_some() {
            self.typing.was_text(now);
        }
    }

    fn dialog_key(&mut self, key: KeyPress, binding: Option<Binding>, rhythm: Rhythm, tasks: &mut Vec<Task>) {
        let now = self.now();
        let Some(open) = &self.dialog else { return };
        if key.ctrl && binding == Some(Binding::Quit) {
            return self.open(Dialog::Quit(Quit));
        }
        if open.is_guarded(now) || self.typing.is_stale() {
            self.typing.was_stale();
            return;
        }
        if !open.wants_single_keys() || key.typed().is_none() {
            return self.give(key, tasks);
        }
        match rhythm {
            Rhythm::Alone => self.typing.hold(key, now),
            Rhythm::InARow => {
                let answers = open.answers();
                self.say(format!("typed in a row, which is no answer: {answers}, alone"));
            }
            Rhythm::BehindText => {}
        }
    }

    /// Gives a key to the dialog.
    fn give(&mut self, key: KeyPress, tasks: &mut Vec<Task>) {
        if let Some(open) = &mut self.dialog {
            let reply = open.key(key, &self.facts);
            let is_unknown = matches!(reply, Reply::Unknown) && key.typed().is_some();
            let answers = open.answers();
            self.obey(reply, tasks);
            if is_unknown {
                self.say(answers);
            }
        }
    }

    /// A key that was held back acts, now that nothing was typed behind it.
    fn let_act(&mut self, tasks: &mut Vec<Task>) {
        if let Some(key) = self.typing.release(self.facts.now.operator) {
            self.give(key, tasks);
        }
    }

    /// When something is to happen although nothing else does, operator time.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.typing.next_due()
    }

    /// Whether keys are text now: then of the stop keys only the one that works anywhere is none.
    pub fn are_keys_text(&self) -> bool {
        self.dialog.as_ref().is_some_and(Open::is_text)
    }

    /// Whether something that loosens is on its way to the engine.
    pub fn is_loosening(&self) -> bool {
        self.toasts.is_loosening()
    }

    fn obey(&mut self, reply: Reply, tasks: &mut Vec<Task>) {
        let now = self.now();
        match reply {
            Reply::Stay | Reply::Unknown => {}
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
            // Done before anything else is asked.
            Binding::Pause | Binding::Halt | Binding::HaltAnywhere => {}
            Binding::Resume => self.resume_key(),
            Binding::Level => self.guarded(|_| Dialog::Level(LevelMenu::default())),
            Binding::Acknowledge => self.acknowledge_key(tasks),
            Binding::Palette if self.facts.is_stuck() => self.say_stuck(),
            Binding::Palette => {
                self.open(Dialog::Command(CommandLine::new(self.options.read_only, self.code_valid_for)));
            }
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
