//! What the keys do: the state machine without a terminal.

use std::sync::Arc;
use std::time::Duration;

use crate::alarm::AlarmClass;
use crate::config::Config;
use crate::console::app::{Action, App, Task};
use crate::console::dialogs::Dialog;
use crate::console::facts::Facts;
use crate::console::panes::PaneId;
use crate::console::stop_keys::{Stop, Switch};
use crate::console::{Options, fixture};
use crate::coordinator::input::Confirmation;
use crate::coordinator::snapshot::{AlarmRow, ControlView, ForcedView, Snapshot};
use crate::domain::{AlarmId, Command, CommandOutcome, Epoch, Level, SafeText, TradingState};

/// A console whose keys are a second apart unless a test says otherwise.
struct Desk {
    app: App,
    facts: Facts,
    switch: Switch,
    sent: Vec<(Command, Confirmation)>,
    has_quit: bool,
    tickets: Vec<u64>,
}

impl Desk {
    fn new(control: ControlView) -> Self {
        Self::of(Snapshot { control: Arc::new(control), ..fixture::empty() }, Options::default())
    }

    fn of(snapshot: Snapshot, options: Options) -> Self {
        let facts = fixture::facts(snapshot);
        let app = fixture::new_app(facts.clone(), options);
        let switch = Switch::new(Config::defaults().unwrap().orchestration.control.halt_confirm_within);
        Self { app, facts, switch, sent: Vec::new(), has_quit: false, tickets: Vec::new() }
    }

    fn act(&mut self, action: Action) {
        for task in self.app.update(self.facts.clone(), action) {
            match task {
                Task::Send { ticket, command, confirmation } => {
                    self.tickets.push(ticket);
                    self.sent.push((command, confirmation));
                }
                Task::Stop(stop) => self.stop(stop),
                Task::Follow(_) | Task::Bell => {}
                Task::Quit => self.has_quit = true,
            }
        }
    }

    /// A stop key works, wherever it was read.
    fn stop(&mut self, stop: Stop) {
        let (state, now) = (self.facts.state(), self.facts.now.operator);
        let pressed = self.switch.press(stop, state, self.app.is_loosening(), now);
        for task in self.app.update(self.facts.clone(), Action::Stopped(pressed)) {
            if let (Task::Follow(ticket), Some(stop)) = (task, pressed.asked) {
                self.tickets.push(ticket);
                self.sent.push((stop.command(), Confirmation::None));
            }
        }
    }

    fn wait(&mut self, millis: u64) {
        self.facts = fixture::later(&self.facts, millis);
        self.act(Action::Facts);
    }

    /// A key with nothing right behind it.
    fn key(&mut self, key: &str) {
        self.press(key);
        if self.app.next_due().is_some() {
            self.wait(100);
        }
    }

    fn press(&mut self, key: &str) {
        self.act(Action::Key(key.parse().unwrap()));
    }

    /// Keys a second apart.
    fn keys(&mut self, keys: &[&str]) {
        for key in keys {
            self.wait(1_000);
            self.key(key);
        }
    }

    fn words(&mut self, text: &str) {
        for c in text.chars() {
            self.act(Action::Key(if c == ' ' { "space".parse() } else { c.to_string().parse() }.unwrap()));
        }
    }

    fn edit(&mut self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = (*self.facts.snapshot).clone();
        change(&mut snapshot);
        self.facts.snapshot = Arc::new(snapshot);
        self.act(Action::Facts);
    }

    fn commands(&self) -> Vec<&'static str> {
        self.sent.iter().map(|(command, _)| command.name()).collect()
    }

    fn screen(&self) -> String {
        fixture::screen(&self.app, 120, 40)
    }

    fn alarm_box(&self) -> Option<AlarmId> {
        match &self.app.dialog()?.dialog {
            Dialog::Emergency(alarm) => Some(alarm.alarm()),
            _ => None,
        }
    }
}

fn running() -> Desk {
    Desk::new(fixture::running_control())
}

fn paused() -> Desk {
    Desk::new(fixture::control())
}

fn halted() -> Desk {
    Desk::new(fixture::halted_control())
}

#[test]
fn p_pauses_at_once() {
    let mut desk = running();
    desk.key("p");
    assert_eq!(desk.commands(), ["pause"]);
    assert!(desk.app.dialog().is_none());
}

#[test]
fn p_does_nothing_when_paused_unless_a_resume_is_on_its_way() {
    let mut desk = paused();
    desk.key("p");
    assert!(desk.sent.is_empty());
    desk.keys(&["r", "y", "p"]);
    assert_eq!(desk.commands(), ["resume", "pause"]);
}

#[test]
fn the_halt_key_pauses_at_once_and_halts_the_second_time() {
    let mut desk = running();
    desk.key("H");
    assert_eq!(desk.commands(), ["pause"]);
    desk.key("H");
    assert_eq!(desk.commands(), ["pause", "halt"], "key repeat counts");
}

#[test]
fn a_single_halt_key_stays_paused_and_says_so() {
    let mut desk = running();
    desk.key("H");
    desk.facts.gate = fixture::reading(TradingState::Paused);
    desk.wait(10_000);
    assert!(desk.screen().contains("not halted: the second press did not come within 10s; PAUSED"));
    desk.key("H");
    assert_eq!(desk.commands(), ["pause"], "a late second press begins again");
    assert!(desk.app.is_halt_armed());
}

#[test]
fn the_time_for_the_second_halt_key_is_the_configured_one() {
    let mut config = Config::defaults().unwrap();
    config.orchestration.control.halt_confirm_within = Duration::from_secs(3);
    let mut desk = running();
    desk.app = App::new(desk.facts.clone(), Options::default(), fixture::keymap(), &config);
    desk.switch = Switch::new(Duration::from_secs(3));
    desk.key("H");
    assert!(desk.screen().contains("again within 3s HALTS"), "{}", desk.screen());
    desk.wait(2_999);
    assert!(desk.app.is_halt_armed());
    desk.wait(1);
    assert!(!desk.app.is_halt_armed());
    assert!(desk.screen().contains("did not come within 3s"), "{}", desk.screen());
}

#[test]
fn ctrl_x_halts_from_every_dialog_and_text_field() {
    for open in [&[][..], &["r"], &["d"], &[":"], &["/"], &["?"], &["q"]] {
        let mut desk = paused();
        desk.keys(open);
        desk.key("ctrl-x");
        desk.key("ctrl-x");
        assert_eq!(desk.commands(), ["halt"], "from {open:?}");
    }
}

#[test]
fn pause_and_halt_pass_the_guard_of_a_dialog() {
    let mut desk = running();
    desk.key("d");
    desk.key("p");
    desk.key("H");
    desk.key("H");
    assert_eq!(desk.commands(), ["pause", "pause", "halt"]);
}

#[test]
fn a_capital_h_is_text_in_a_text_field() {
    let mut desk = running();
    desk.key(":");
    desk.words("HH");
    assert!(desk.sent.is_empty());
    assert!(desk.screen().contains(": HH_"));
}

#[test]
fn resume_is_confirmed_by_y_with_the_epoch_that_was_shown() {
    let mut desk = paused();
    desk.key("r");
    let shown_at = desk.facts.now.operator;
    assert!(desk.screen().contains("leg p7/3 buy BTC/USDT 83.33 USDT"));
    assert!(desk.screen().contains("Still blocked afterwards: daily_loss to 00:00Z"));
    desk.keys(&["r", "enter", "space", "y"]);
    let confirmation = Confirmation::Given { epoch: Epoch { run: 1, count: 4 }, shown_at, code: None };
    assert_eq!(desk.sent, [(Command::Resume, confirmation)]);
}

#[test]
fn keys_of_the_first_moments_of_a_dialog_are_dropped() {
    let mut desk = paused();
    desk.key("r");
    desk.wait(299);
    desk.key("y");
    assert!(desk.sent.is_empty());
    desk.wait(101);
    desk.key("y");
    assert_eq!(desk.commands(), ["resume"]);
}

#[test]
fn key_repeat_never_loosens() {
    let mut desk = paused();
    desk.key("r");
    for _ in 0..20 {
        desk.wait(30);
        desk.key("y");
    }
    assert!(desk.sent.is_empty(), "a key held down since before the guard ended is not a confirmation");
}

#[test]
fn a_resume_is_refused_while_an_emergency_is_unacknowledged() {
    let mut control = fixture::control();
    control.resume.as_mut().unwrap().unacknowledged = 1;
    let mut desk = Desk::new(control);
    desk.keys(&["r", "y"]);
    assert!(desk.sent.is_empty());
    assert!(desk.screen().contains("1 Emergency unacknowledged"));
}

#[test]
fn a_resume_is_looked_at_again_when_the_epoch_moved() {
    let mut desk = paused();
    desk.key("r");
    desk.facts.gate.epoch.count += 1;
    desk.keys(&["y"]);
    assert!(desk.sent.is_empty());
    desk.keys(&["y"]);
    assert_eq!(desk.commands(), ["resume"]);
}

#[test]
fn release_wants_the_checks_a_reason_and_the_code() {
    let mut desk = halted();
    desk.keys(&["r", "y"]);
    desk.wait(400);
    desk.words("feed is sane");
    desk.keys(&["enter"]);
    let shown_at = desk.facts.now.operator;
    assert!(desk.screen().contains("type K7QX to release (30 s left)"));
    desk.wait(400);
    desk.words("k7qx");
    let confirmation =
        Confirmation::Given { epoch: desk.facts.gate.epoch, shown_at, code: Some("K7QX".into()) };
    assert_eq!(desk.sent, [(Command::Release { reason: "feed is sane".into() }, confirmation)]);
}

#[test]
fn the_code_is_good_for_as_long_as_the_core_takes_it() {
    let mut control = fixture::halted_control();
    control.release.as_mut().unwrap().valid_for = Duration::from_secs(60);
    let mut desk = Desk::new(control);
    desk.keys(&["r", "y"]);
    desk.wait(400);
    desk.words("ok");
    desk.keys(&["enter"]);
    assert!(desk.screen().contains("type K7QX to release (60 s left)"), "{}", desk.screen());
    desk.wait(59_000);
    assert!(desk.screen().contains("(1 s left)"));
    desk.wait(1_000);
    desk.key("k");
    assert!(desk.screen().contains("the code ran out after 60s"), "{}", desk.screen());
}

#[test]
fn a_failed_check_forbids_the_release() {
    let mut control = fixture::halted_control();
    control.release.as_mut().unwrap().checks[0].problem = Some("1 unacknowledged".into());
    let mut desk = Desk::new(control);
    desk.keys(&["r", "y", "enter"]);
    assert!(desk.screen().contains("FAILED every Emergency acknowledged: 1 unacknowledged"));
    assert!(!desk.screen().contains("type K7QX"));
    assert!(desk.sent.is_empty());
}

#[test]
fn a_wrong_late_or_void_code_releases_nothing() {
    let ready = || {
        let mut desk = halted();
        desk.keys(&["r", "y"]);
        desk.wait(400);
        desk.words("ok");
        desk.keys(&["enter"]);
        desk.wait(400);
        desk
    };
    let mut wrong = ready();
    wrong.words("AAAA");
    assert!(wrong.sent.is_empty());
    let mut late = ready();
    late.wait(30_000);
    late.words("K7QX");
    assert!(late.sent.is_empty());
    let mut void = ready();
    void.facts.gate.epoch.count += 1;
    void.words("K7QX");
    assert!(void.sent.is_empty());
}

#[test]
fn a_code_is_not_pasted() {
    let mut desk = halted();
    desk.keys(&["r", "y"]);
    desk.wait(400);
    desk.act(Action::Paste("pasted reason".into()));
    desk.keys(&["enter"]);
    desk.wait(400);
    desk.act(Action::Paste("K7QX".into()));
    assert!(desk.sent.is_empty());
}

#[test]
fn a_tighter_level_is_forced_at_once() {
    let mut desk = running();
    desk.keys(&["d", "3"]);
    let command = Command::ForceLevel { level: Level::Limited, until: None, reason: String::new() };
    assert_eq!(desk.sent, [(command, Confirmation::None)]);
}

fn forced_limited() -> Desk {
    let mut desk = running();
    desk.edit(|snapshot| {
        let mut view = (*snapshot.degradation).clone();
        view.effective = Level::Limited;
        view.forced = Some(ForcedView {
            level: Level::Limited,
            by: "ana".into(),
            since: fixture::now().operator,
            until: None,
            reason: SafeText::ours("storm"),
        });
        snapshot.degradation = Arc::new(view);
    });
    desk
}

#[test]
fn a_looser_level_wants_a_reason_and_y() {
    for (digit, expected) in [("1", "clear_level"), ("2", "force_level")] {
        let mut desk = forced_limited();
        desk.keys(&["d", digit]);
        desk.wait(400);
        desk.words("over");
        desk.keys(&["enter"]);
        assert!(desk.sent.is_empty(), "Enter never executes");
        desk.keys(&["y"]);
        assert_eq!(desk.commands(), [expected]);
        assert!(matches!(desk.sent[0].1, Confirmation::Given { .. }));
    }
}

#[test]
fn a_looser_level_without_a_reason_goes_nowhere() {
    let mut desk = forced_limited();
    desk.keys(&["d", "1", "enter", "enter", "y"]);
    assert!(desk.sent.is_empty());
}

fn alarmed() -> Desk {
    Desk::of(fixture::snapshot(), Options::default())
}

#[test]
fn an_emergency_opens_a_box_and_wants_a_comment() {
    let mut desk = alarmed();
    assert_eq!(desk.alarm_box(), Some(AlarmId(41)));
    desk.key("1");
    desk.wait(499);
    desk.key("1");
    assert!(desk.sent.is_empty(), "the first 500 ms are guarded");
    desk.keys(&["enter", "space", "y"]);
    assert!(desk.sent.is_empty(), "without a comment");
    desk.keys(&["1", "enter", "space", "1"]);
    assert!(desk.sent.is_empty(), "a digit opens a pane elsewhere: it only chooses here");
    assert!(desk.screen().contains("y acknowledge as investigating"), "{}", desk.screen());
    desk.keys(&["3", "y"]);
    assert!(matches!(&desk.sent[0].0, Command::AckAlarm { comment, .. } if comment == "3 handed over"));
    assert_eq!(desk.alarm_box(), None, "it is on its way");
}

#[test]
fn a_comment_and_y_right_behind_each_other_acknowledge() {
    let mut desk = alarmed();
    desk.wait(600);
    desk.key("2");
    desk.wait(120);
    desk.key("y");
    assert_eq!(desk.commands(), ["ack_alarm"]);
}

#[test]
fn a_comment_that_was_chosen_is_forgotten_when_the_box_is_hidden() {
    let mut desk = alarmed();
    desk.keys(&["1", "esc", "y", "a", "y"]);
    assert!(desk.sent.is_empty());
    assert_eq!(desk.alarm_box(), Some(AlarmId(41)));
}

#[test]
fn an_emergency_takes_a_comment_of_own_words() {
    let mut desk = alarmed();
    desk.keys(&["t"]);
    desk.words("pH probe");
    desk.keys(&["enter"]);
    assert!(matches!(&desk.sent[0].0, Command::AckAlarm { comment, .. } if comment == "pH probe"));
}

#[test]
fn what_is_said_is_not_hidden_by_a_dialog() {
    let mut desk = alarmed();
    desk.keys(&["t", "enter"]);
    assert!(desk.screen().contains("acknowledge: write a comment, or Esc"));
    assert!(desk.screen().contains("comment: _"));
}

#[test]
fn escape_hides_an_emergency_until_a_and_a_new_one_opens_again() {
    let mut desk = alarmed();
    desk.keys(&["esc"]);
    assert_eq!(desk.alarm_box(), None);
    assert!(desk.screen().contains("1 EMERGENCY unacked"));
    desk.edit(|snapshot| {
        let mut alarms = (*snapshot.alarms).clone();
        alarms.insert(0, fixture::second_emergency());
        snapshot.alarms = Arc::new(alarms);
    });
    assert_eq!(desk.alarm_box(), Some(AlarmId(42)));
    assert!(desk.screen().contains("EMERGENCY 2 of 2"));
    desk.keys(&["esc", "a"]);
    assert_eq!(desk.alarm_box(), Some(AlarmId(41)), "the oldest first");
}

#[test]
fn an_emergency_never_replaces_text_being_typed() {
    let mut desk = running();
    desk.key(":");
    desk.words("note he");
    desk.edit(|snapshot| snapshot.alarms = fixture::snapshot().alarms);
    desk.words("llo");
    assert_eq!(desk.alarm_box(), None);
    assert!(desk.screen().contains("1 EMERGENCY unacked"));
    desk.keys(&["enter"]);
    assert_eq!(desk.sent[0].0, Command::Note { text: "note hello".trim_start_matches("note ").into() });
    assert_eq!(desk.alarm_box(), None, "the line waits for its answer");
    desk.act(Action::Answered(desk.tickets[0], CommandOutcome::done("noted")));
    assert_eq!(desk.alarm_box(), Some(AlarmId(41)), "it waited");
}

#[test]
fn a_refused_acknowledgement_is_told_and_does_not_ask_in_a_loop() {
    let mut desk = alarmed();
    desk.keys(&["1", "y"]);
    let ticket = desk.tickets[0];
    desk.act(Action::Answered(ticket, CommandOutcome::refused("superseded")));
    assert!(desk.screen().contains("ack_alarm: REFUSED: superseded"));
    assert_eq!(desk.alarm_box(), None);
}

#[test]
fn a_acknowledges_the_oldest_of_the_highest_class_or_the_selected_one() {
    let alarm = |id, class, age: u64| AlarmRow {
        id: AlarmId(id),
        class,
        unacknowledged: true,
        acknowledged: None,
        raised: crate::domain::Now::both(fixture::now().operator.minus(std::time::Duration::from_secs(age))),
        ..fixture::second_emergency()
    };
    let mut desk = running();
    desk.edit(|snapshot| {
        let list =
            [alarm(1, AlarmClass::High, 5), alarm(2, AlarmClass::High, 50), alarm(3, AlarmClass::Low, 500)];
        snapshot.alarms = Arc::new(list.into());
    });
    desk.keys(&["a"]);
    assert!(
        matches!(&desk.sent[0].0, Command::AckAlarm { target, .. } if *target == crate::domain::AlarmTarget::One(AlarmId(2)))
    );
    desk.keys(&["6", "G", "a"]);
    assert!(
        matches!(&desk.sent[1].0, Command::AckAlarm { target, .. } if *target == crate::domain::AlarmTarget::One(AlarmId(3)))
    );
}

/// Types a command and has the engine answer it.
fn answered(words: &str, outcome: CommandOutcome) -> Desk {
    let mut desk = running();
    desk.key(":");
    desk.words(words);
    desk.keys(&["enter"]);
    assert_eq!(desk.sent.last().unwrap().1, Confirmation::None, "nothing is confirmed yet");
    let ticket = *desk.tickets.last().unwrap();
    desk.act(Action::Answered(ticket, outcome));
    desk
}

fn would(words: &str, code: Option<&str>) -> CommandOutcome {
    CommandOutcome::Preview { would: SafeText::ours(words), code: code.map(str::to_owned) }
}

#[test]
fn what_the_engine_has_carried_out_closes_the_line_and_is_told() {
    let desk = answered("lock_symbol BTC/USDT", CommandOutcome::done("locked"));
    assert_eq!(desk.commands(), ["lock_symbol"]);
    assert!(desk.app.dialog().is_none());
    assert!(desk.screen().contains("lock_symbol: done: locked"));
}

#[test]
fn what_the_engine_wants_confirmed_is_shown_and_takes_y() {
    // A shorter forced level loosens, which only the engine knows.
    let told = would("LIMITED forced until 12:00Z becomes LIMITED forced until 11:00Z", None);
    let mut desk = answered("force_level LIMITED --until 1h calmer", told);
    assert!(desk.screen().contains("becomes LIMITED forced until 11:00Z"), "{}", desk.screen());
    desk.key("y");
    assert_eq!(desk.sent.len(), 1, "in the first moments a key was meant for something else");
    let shown_at = desk.facts.now.operator;
    desk.keys(&["enter", "space"]);
    assert_eq!(desk.sent.len(), 1);
    desk.keys(&["y"]);
    let epoch = desk.facts.gate.epoch;
    assert_eq!(desk.sent[1], (desk.sent[0].0.clone(), Confirmation::Given { epoch, shown_at, code: None }));
}

#[test]
fn a_preview_of_another_epoch_is_asked_for_anew() {
    let mut desk = answered("reset_failures storm is over", would("2 failures become 0", None));
    desk.facts.gate.epoch = Epoch { run: 1, count: 5 };
    desk.keys(&["y"]);
    assert_eq!(desk.sent.last().unwrap().1, Confirmation::None);
    let ticket = *desk.tickets.last().unwrap();
    desk.act(Action::Answered(ticket, would("3 failures become 0", None)));
    assert!(desk.screen().contains("3 failures become 0"), "{}", desk.screen());
}

#[test]
fn a_refused_command_stays_in_the_line_with_the_reason() {
    let refused = CommandOutcome::refused("daily_loss is armed: nothing to do");
    let mut desk = answered("rearm_breaker daily_loss seen", refused);
    assert!(desk.screen().contains("daily_loss is armed: nothing to do"), "{}", desk.screen());
    assert!(desk.screen().contains(": rearm_breaker daily_loss seen"), "{}", desk.screen());
    desk.keys(&["y"]);
    assert_eq!(desk.sent.len(), 1, "it is text again");
}

#[test]
fn an_answer_that_comes_after_its_line_was_left_is_told_and_asks_nothing() {
    let mut desk = running();
    desk.key(":");
    desk.words("clear_level enough");
    desk.keys(&["enter", "esc"]);
    assert!(desk.app.dialog().is_some(), "back to the text");
    desk.words(" x");
    desk.act(Action::Answered(desk.tickets[0], would("LEVEL LIMITED becomes NORMAL", None)));
    assert!(desk.screen().contains(": clear_level enough x"), "{}", desk.screen());
    assert!(desk.screen().contains("NOT DONE"), "{}", desk.screen());
    desk.keys(&["y"]);
    assert_eq!(desk.sent.len(), 1);
}

#[test]
fn why_shows_the_first_rule_that_blocked_the_last_signal_and_what_blocks_now() {
    let mut desk = alarmed();
    desk.keys(&["esc", ":"]);
    desk.words("why XRP/BTC");
    desk.keys(&["enter"]);
    let screen = desk.screen();
    assert!(screen.contains("XRP/BTC: BUY at 08:40:01Z REJECT LOW_RR 1.2 < 1.5; now paused"), "{screen}");
    assert!(screen.contains("d10 BUY XRP/BTC by trading_decision"), "the trail is shown:\n{screen}");
    assert!(desk.sent.is_empty(), "nothing is asked of the engine");
}

#[test]
fn why_finds_a_decision_by_any_id_in_its_trail_and_says_where_to_look_for_others() {
    let order = crate::domain::ClientOrderId::from_uuid(uuid::Uuid::from_u128(77));
    let decision = |desk: &Desk| desk.facts.snapshot.decisions.recent[2].clone();
    let mut desk = alarmed();
    desk.edit(|snapshot| {
        let mut view = (*snapshot.decisions).clone();
        Arc::make_mut(&mut view.recent[2]).orders.push(order);
        snapshot.decisions = Arc::new(view);
    });
    desk.keys(&["esc"]);
    let wanted = decision(&desk);
    for id in [wanted.id.to_string(), wanted.signal.id.to_string(), order.to_string()] {
        desk.keys(&[":"]);
        desk.words(&format!("why {id}"));
        desk.keys(&["enter"]);
        assert_eq!(
            desk.app.navigation().selected(PaneId::Decisions).unwrap().0,
            wanted.id.to_string(),
            "{id}"
        );
        assert!(desk.screen().contains("CONFIDENCE_TOO_LOW"), "{}", desk.screen());
        desk.keys(&["esc", "esc"]);
    }
    desk.keys(&[":"]);
    desk.words("why d9999");
    desk.keys(&["enter"]);
    assert!(desk.screen().contains("andon audit show --id"), "{}", desk.screen());
}

#[test]
fn the_palette_completes_and_explains() {
    let mut desk = running();
    desk.key(":");
    desk.words("rese");
    desk.key("tab");
    assert!(desk.screen().contains(": reset__"), "{}", desk.screen());
    desk.keys(&["enter"]);
    assert!(desk.screen().contains("is not a command"));
    assert!(desk.sent.is_empty());
}

#[test]
fn the_palette_finds_every_command_by_any_part_of_its_name() {
    for (name, _) in Command::usages() {
        for part in [&name[..2], &name[name.len() - 3..], name] {
            let mut desk = running();
            desk.key(":");
            desk.words(part);
            assert!(desk.screen().contains(name), "`{part}` does not offer {name}:\n{}", desk.screen());
        }
        let mut desk = running();
        desk.key(":");
        desk.words(&name[..name.len() - 1]);
        desk.key("tab");
        assert!(
            desk.screen().contains(&format!(": {name} _")),
            "{name} is not completed:\n{}",
            desk.screen()
        );
    }
}

#[test]
fn the_palette_says_when_nothing_is_called_so() {
    let mut desk = running();
    desk.key(":");
    desk.words("xyz");
    desk.key("tab");
    assert!(desk.screen().contains("no command is called `xyz`"), "{}", desk.screen());
}

#[test]
fn resume_and_release_typed_by_name_open_their_dialogs() {
    let mut desk = paused();
    desk.key(":");
    desk.words("resume");
    desk.keys(&["enter"]);
    assert!(desk.screen().contains("Resume: PAUSED to RUNNING"));
    desk.keys(&["y"]);
    assert_eq!(desk.commands(), ["resume"]);
    let mut desk = halted();
    desk.key(":");
    desk.words("release feed is sane");
    desk.keys(&["enter"]);
    assert!(desk.screen().contains("ok     every Emergency acknowledged"), "{}", desk.screen());
    desk.keys(&["y", "enter"]);
    desk.wait(400);
    desk.words("k7qx");
    assert!(matches!(&desk.sent[0].0, Command::Release { reason } if reason == "feed is sane"));
}

#[test]
fn flatten_shows_the_engine_s_preview_and_wants_its_code() {
    let mut desk = answered("flatten", would("sells 0.012 BTC/USDT", Some("W3ZP")));
    assert!(desk.screen().contains("flatten: sells 0.012 BTC/USDT"), "{}", desk.screen());
    assert!(desk.screen().contains("type W3ZP to carry it out"), "{}", desk.screen());
    let shown_at = desk.facts.now.operator;
    desk.wait(400);
    desk.words("y");
    desk.key("backspace");
    desk.words("w3z");
    assert_eq!(desk.sent.len(), 1);
    desk.words("p");
    let confirmation =
        Confirmation::Given { epoch: desk.facts.gate.epoch, shown_at, code: Some("W3ZP".into()) };
    assert_eq!(desk.sent[1].1, confirmation);
}

fn stuck(has_ended: bool) -> Desk {
    let mut desk = alarmed();
    if has_ended {
        desk.facts.has_ended = true;
    } else {
        desk.facts.now.operator = desk.facts.now.operator.plus(Duration::from_secs(5));
    }
    desk.act(Action::Facts);
    desk
}

/// Later, and the core says nothing more.
fn silence(desk: &mut Desk) {
    desk.facts.now.operator = desk.facts.now.operator.plus(Duration::from_secs(1));
    desk.act(Action::Facts);
}

#[test]
fn without_a_core_only_what_can_work_is_offered_and_sent() {
    for (has_ended, word) in [(true, "core ended"), (false, "core stuck")] {
        let mut desk = stuck(has_ended);
        assert_eq!(desk.alarm_box(), None, "nobody would take the acknowledgement");
        let screen = desk.screen();
        let footer = screen.lines().last().unwrap();
        for not in ["resume", "ack", "level", "command", "release"] {
            assert!(!footer.contains(not), "{not} is offered: {footer}");
        }
        assert_eq!(footer.contains("H H halt"), !has_ended, "{footer}");
        assert!(footer.contains("0 log") && footer.contains("q quit"), "{footer}");
        for seen in [word, "no step for", "2 EMERGENCY: see 6"] {
            assert!(screen.contains(seen), "{seen} is missing:\n{screen}");
        }
        for key in ["r", "d", "a", ":"] {
            silence(&mut desk);
            desk.key(key);
            assert!(desk.app.dialog().is_none(), "{key} opened something");
        }
        assert!(desk.sent.is_empty());
        silence(&mut desk);
        desk.key("H");
        desk.key("H");
        assert!(desk.commands().contains(&"halt"), "the gate can be shut without the core");
    }
}

#[test]
fn a_dialog_that_was_open_before_the_core_ended_sends_nothing() {
    let mut desk = paused();
    desk.keys(&["r"]);
    desk.facts.has_ended = true;
    silence(&mut desk);
    desk.key("y");
    assert!(desk.sent.is_empty());
    assert!(desk.screen().contains("the core has ended: nothing can be asked of it"), "{}", desk.screen());
}

#[test]
fn the_alarms_page_tells_what_happened_to_the_core_and_what_to_do() {
    let mut desk = stuck(true);
    silence(&mut desk);
    desk.key("6");
    let screen = desk.screen();
    for seen in ["EMERGENCY core ended", "its task panicked; the log (0) names the place", "start again"] {
        assert!(screen.contains(seen), "{seen} is missing:\n{screen}");
    }
}

#[test]
fn the_answer_comes_from_the_engine_alone() {
    let mut desk = running();
    desk.key("p");
    assert!(desk.screen().contains("pause: pending"));
    let ticket = desk.tickets[0];
    desk.act(Action::Answered(ticket, CommandOutcome::done("no entries since 10:42:07")));
    assert!(desk.screen().contains("pause: done: no entries since 10:42:07"));
    desk.wait(10_000);
    assert!(!desk.screen().contains("pause: done"));
}

#[test]
fn read_only_knows_pause_and_halt_alone() {
    let options = Options { read_only: true, ..Options::default() };
    let mut desk = Desk::of(fixture::snapshot(), options);
    assert!(desk.app.dialog().is_none(), "no box asks for what cannot be done");
    desk.keys(&["r", "d", "a", ":"]);
    desk.words("note x");
    desk.keys(&["enter"]);
    assert!(desk.sent.is_empty());
    desk.keys(&["esc", "H", "H"]);
    assert_eq!(desk.commands(), ["halt"]);
}

#[test]
fn quitting_asks_and_names_the_stops_that_will_sleep() {
    let mut desk = running();
    desk.edit(|snapshot| snapshot.portfolio = Arc::new(fixture::portfolio()));
    desk.key("q");
    assert!(desk.screen().contains("stops of these positions will sleep"));
    assert!(desk.screen().contains("XRP/USDT"));
    desk.keys(&["esc"]);
    assert!(!desk.has_quit);
    desk.keys(&["ctrl-c", "q", "enter", "y"]);
    assert!(desk.has_quit);
}

#[test]
fn escape_never_quits_and_ctrl_z_does_not_suspend() {
    let mut desk = running();
    desk.keys(&["esc", "esc", "esc"]);
    assert!(!desk.has_quit);
    desk.key("ctrl-z");
    assert!(desk.screen().contains("detach tmux, or q"));
}

#[test]
fn a_paste_outside_a_text_field_is_ignored() {
    let mut desk = running();
    desk.act(Action::Paste("HHy:release x".into()));
    assert!(desk.sent.is_empty());
    desk.key("/");
    desk.act(Action::Paste("prio:H".into()));
    assert_eq!(desk.app.filter().text(), "prio:H");
}

#[test]
fn digits_open_pages_and_close_them_again() {
    let mut desk = running();
    for pane in PaneId::ALL {
        desk.key(&pane.digit().to_string());
        assert_eq!(desk.app.navigation().page(), Some(pane));
    }
    desk.keys(&["0"]);
    assert_eq!(desk.app.navigation().page(), None);
    desk.keys(&["8", "esc", "z", "tab"]);
    assert_eq!(desk.app.navigation().page(), Some(PaneId::Dca));
}

#[test]
fn the_selection_is_an_id_and_not_a_row() {
    let mut desk = alarmed();
    desk.keys(&["esc", "2", "j"]);
    assert_eq!(desk.app.navigation().selected(PaneId::Consensus).map(|id| id.0.as_str()), Some("XRP/USDT"));
    desk.edit(|snapshot| {
        let mut rows = (*snapshot.consensus).clone();
        rows.reverse();
        snapshot.consensus = Arc::new(rows);
    });
    desk.keys(&["j"]);
    assert_eq!(desk.app.navigation().selected(PaneId::Consensus).map(|id| id.0.as_str()), Some("BTC/USDT"));
}

#[test]
fn space_freezes_the_view_and_nothing_else() {
    let mut desk = running();
    desk.act(Action::Traffic(fixture::messages(3), 0));
    desk.key("space");
    desk.act(Action::Traffic(fixture::messages(312), 0));
    assert!(desk.screen().contains("FROZEN +312 new"));
    assert!(desk.sent.is_empty());
}

#[test]
fn space_on_a_page_without_topics_says_that_nothing_moves() {
    let mut desk = running();
    desk.keys(&["8", "space", "8"]);
    assert!(desk.screen().contains("LIVE"), "the hidden view was frozen:\n{}", desk.screen());
}

#[test]
fn the_help_lists_the_live_keymap() {
    let mut desk = running();
    desk.key("?");
    let screen = desk.screen();
    for seen in ["Ctrl-X", "pause at once; pressed again in time: halt", "S-Tab"] {
        assert!(screen.contains(seen), "{seen} is missing:\n{screen}");
    }
}

#[test]
fn the_first_key_after_a_long_time_says_what_happened() {
    let mut desk = running();
    desk.key("j");
    desk.facts = fixture::later(&desk.facts, 16 * 60_000);
    let alarms = fixture::snapshot().alarms[1..].to_vec();
    desk.edit(|snapshot| snapshot.alarms = Arc::new(alarms));
    desk.key("k");
    assert!(desk.screen().contains("since 10:42: 1 alarms, 0 decisions"), "{}", desk.screen());
}

#[test]
fn what_is_typed_in_a_row_confirms_nothing() {
    for gap in [0, 30, 99] {
        let mut desk = paused();
        desk.keys(&["r"]);
        desk.wait(1_000);
        for key in ["y", "e", "s", "y"] {
            desk.press(key);
            desk.wait(gap);
        }
        desk.wait(500);
        // The last one has a moment behind it, but none before.
        assert!(desk.sent.is_empty(), "{gap} ms apart");
        assert!(desk.screen().contains("typed in a row, which is no answer: y or Esc"), "{}", desk.screen());
        desk.keys(&["y"]);
        assert_eq!(desk.commands(), ["resume"], "a key alone still is one");
    }
}

#[test]
fn a_y_acts_only_when_nothing_is_typed_or_pasted_behind_it() {
    let mut desk = paused();
    desk.keys(&["r"]);
    desk.wait(1_000);
    desk.press("y");
    desk.wait(99);
    assert!(desk.sent.is_empty());
    desk.act(Action::Paste("es".into()));
    desk.wait(1_000);
    assert!(desk.sent.is_empty());
}

#[test]
fn a_y_that_waits_does_not_confirm_what_is_shown_instead() {
    let mut desk = running();
    desk.keys(&["q"]);
    desk.wait(1_000);
    desk.press("y");
    desk.press("H");
    desk.wait(1_000);
    assert!(!desk.has_quit);
    assert_eq!(desk.commands(), ["pause"]);
}

#[test]
fn another_key_in_a_preview_says_which_ones_act_and_there_is_no_cursor() {
    let mut desk = answered("reset_failures storm", would("2 failures become 0", None));
    assert!(desk.screen().contains("reset_failures storm ") && !desk.screen().contains("storm_"));
    desk.keys(&["n"]);
    assert!(desk.screen().contains("y or Esc"), "{}", desk.screen());
    assert_eq!(desk.sent.len(), 1);
}

/// A release whose code is shown, and counts for 30 s.
fn with_code() -> Desk {
    let mut desk = halted();
    desk.keys(&["r", "y"]);
    desk.wait(400);
    desk.words("ok");
    desk.keys(&["enter"]);
    desk.wait(400);
    desk
}

#[test]
fn letters_of_a_code_that_ran_out_go_nowhere() {
    let mut desk = with_code();
    desk.wait(30_000);
    desk.words("k7qxpHHry");
    assert!(desk.sent.is_empty());
    assert!(desk.screen().contains("reason: ok"), "{}", desk.screen());
    assert!(desk.screen().contains("the code ran out after 30s"), "{}", desk.screen());
    desk.keys(&["enter"]);
    desk.wait(400);
    desk.words("k7qx");
    assert!(matches!(&desk.sent[0].0, Command::Release { reason } if reason == "ok"), "{:?}", desk.sent);
}

#[test]
fn letters_of_a_void_code_go_nowhere() {
    for mut desk in [with_code(), answered("flatten", would("sells 1 BTC/USDT", Some("W3ZP")))] {
        let before = desk.sent.len();
        desk.wait(400);
        desk.facts.gate.epoch.count += 1;
        desk.words("ypHHqr");
        assert_eq!(desk.sent.len(), before);
        assert!(!desk.has_quit);
        assert!(desk.screen().contains("the code is void"), "{}", desk.screen());
    }
}

#[test]
fn a_wrong_code_is_told_and_typed_again_wherever_it_is_wanted() {
    for mut desk in [with_code(), answered("flatten", would("sells 1 BTC/USDT", Some("K7QX")))] {
        let before = desk.sent.len();
        desk.wait(400);
        desk.words("AAAA");
        assert_eq!(desk.sent.len(), before);
        assert!(desk.screen().contains("that is not the code"), "{}", desk.screen());
        desk.words("K7QX");
        assert_eq!(desk.sent.len(), before + 1);
    }
}

#[test]
fn what_is_typed_beyond_a_code_does_not_act_on_the_screen_below() {
    let mut desk = with_code();
    desk.words("k7qxqa:");
    assert_eq!(desk.commands(), ["release"]);
    assert!(desk.app.dialog().is_none(), "{}", desk.screen());
}

#[test]
fn a_comment_being_typed_does_not_turn_into_keys_when_somebody_else_acknowledges() {
    let mut desk = alarmed();
    desk.keys(&["t"]);
    desk.wait(400);
    desk.words("hap");
    desk.edit(|snapshot| {
        let mut alarms = (*snapshot.alarms).clone();
        for row in &mut alarms {
            row.unacknowledged = false;
        }
        snapshot.alarms = Arc::new(alarms);
    });
    desk.words("pened H q");
    assert!(desk.sent.is_empty());
    assert!(desk.screen().contains("comment: happened H q_"), "{}", desk.screen());
    assert!(desk.screen().contains("acknowledged already"), "{}", desk.screen());
    desk.keys(&["enter"]);
    assert!(desk.app.dialog().is_none() && desk.sent.is_empty());
}

#[test]
fn what_was_dropped_and_how_long_nothing_was_drawn_is_told() {
    let mut desk = running();
    desk.act(Action::Dropped(3));
    assert!(desk.screen().contains("3 pastes or key sequences without an end"), "{}", desk.screen());
    desk.act(Action::Stalled(Duration::from_secs(42)));
    assert!(desk.screen().contains("the terminal took nothing for 42s"), "{}", desk.screen());
}

#[test]
fn a_row_of_keys_that_began_before_a_box_may_be_answered_is_dropped_whole() {
    let mut desk = with_code();
    desk.keys(&["esc", "enter"]);
    desk.wait(250);
    for letter in ["k", "7", "q", "x"] {
        desk.press(letter);
        desk.wait(20);
    }
    assert!(desk.screen().contains("left): _"), "half a code was taken:\n{}", desk.screen());
    desk.wait(200);
    desk.words("k7qx");
    assert_eq!(desk.commands(), ["release"]);
}
