//! The two lines on top: may entries go out, which level, does anything need me, how old is this.
//!
//! The trading state is the gate's own word and one field; the Emergency is another, never instead. A field that
//! does not fit is said shorter, the least important first; state, Emergency and age are never left out.

use std::cmp::Reverse;
use std::time::Duration;

use ratatui::text::Line;

use super::app::App;
use super::facts::Facts;
use super::keymap::{Binding, Keymap};
use super::line::LineBuilder;
use super::panes::degradation;
use super::text;
use super::theme::{Role, Theme};
use crate::domain::{Level, ReasonCode, TradingState, days_hms, short_span};

/// One thing the header says, from its longest wording to its shortest.
struct Field {
    /// What is said, and how much that is worth: of all wordings in use the cheapest is given up first.
    wordings: Vec<(u8, String)>,
    /// Which of them is in use.
    chosen: usize,
    role: Role,
    /// Stands at the right end.
    right: bool,
}

impl Field {
    fn new(role: Role, wordings: impl IntoIterator<Item = (u8, String)>) -> Self {
        let clean = |(worth, words): (u8, String)| (worth, text::clean(&words).into_owned());
        Self { wordings: wordings.into_iter().map(clean).collect(), chosen: 0, role, right: false }
    }

    fn at_right(mut self) -> Self {
        self.right = true;
        self
    }

    fn word(&self) -> &str {
        self.wordings.get(self.chosen).map_or("", |(_, words)| words)
    }

    fn worth(&self) -> u8 {
        self.wordings.get(self.chosen).map_or(0, |(worth, _)| *worth)
    }

    /// Whether it is never left out.
    fn is_vital(&self) -> bool {
        self.wordings.last().is_some_and(|(worth, words)| *worth >= VITAL && !words.is_empty())
    }
}

/// Words worth this much are on every screen.
const VITAL: u8 = 20;

/// The keys that the header names, as they are bound.
struct Keys<'a> {
    keymap: &'a Keymap,
    read_only: bool,
}

impl<'a> Keys<'a> {
    fn of(app: &'a App) -> Self {
        Self { keymap: app.keymap(), read_only: app.options().read_only }
    }

    /// A key between two texts; nothing where it is not bound.
    fn said(&self, before: &str, binding: Binding, after: &str) -> String {
        let key = self.keymap.name_of(binding);
        if key.is_empty() { key } else { format!("{before}{key}{after}") }
    }

    /// As [`Self::said`], and nothing where the key does nothing.
    fn asked(&self, before: &str, binding: Binding, after: &str) -> String {
        if self.read_only { String::new() } else { self.said(before, binding, after) }
    }
}

/// The header for a screen of `width` cells.
pub fn lines(app: &App, width: usize) -> [Line<'static>; 2] {
    let (facts, theme, keys) = (app.facts(), app.theme(), Keys::of(app));
    if facts.is_stuck() {
        return [lay(theme, width, stuck_first(facts)), lay(theme, width, stuck_second(facts, &keys))];
    }
    [lay(theme, width, first(facts, &keys)), lay(theme, width, second(facts, &keys))]
}

/// The state and the Emergency in one short line, for a screen on which nothing else fits: in the end the state's glyph
/// alone.
pub fn smallest(app: &App, width: usize) -> Line<'static> {
    let (facts, theme) = (app.facts(), app.theme());
    let fields = if facts.is_stuck() { stuck_first(facts) } else { first(facts, &Keys::of(app)) };
    let vital: Vec<_> = fields.into_iter().filter(Field::is_vital).collect();
    let least: Vec<_> =
        vital.iter().filter_map(|field| Some((field.wordings.last()?.1.clone(), field.role))).collect();
    let cells = |words: &[(String, Role)]| words.iter().map(|(said, _)| text::width(said) + 1).sum::<usize>();
    // A margin of one on the left, and two cells between the words; then less.
    if cells(&least) + least.len() <= width + 1 {
        return lay(theme, width, vital);
    }
    let glyph = |(said, role): &(String, Role)| (said.split(' ').next().unwrap_or("").to_owned(), *role);
    let state: Vec<_> = least.iter().take(1).map(glyph).collect();
    let beside = [&state[..], least.get(1..).unwrap_or(&[])].concat();
    let words = [least, beside].into_iter().find(|words| cells(words) <= width + 1).unwrap_or(state);
    let line = words.iter().enumerate().fold(LineBuilder::new(theme), |line, (at, (said, role))| {
        line.gap(usize::from(at > 0)).text(said, *role)
    });
    line.build()
}

fn needed(fields: &[Field]) -> usize {
    let words: Vec<_> = fields.iter().map(Field::word).filter(|word| !word.is_empty()).collect();
    words.iter().map(|word| text::width(word)).sum::<usize>() + (2 * words.len()).saturating_sub(1)
}

/// Says fields shorter, the cheapest words first, until all fit. Then the dearest of what was given up comes back where
/// a later cut has left room for it.
fn fit(fields: &mut [Field], width: usize) {
    while needed(fields) > width {
        let shorter = fields.iter_mut().filter(|field| field.chosen + 1 < field.wordings.len());
        let Some(field) = shorter.min_by_key(|field| field.worth()) else { break };
        field.chosen += 1;
    }
    let mut given_up: Vec<_> = fields
        .iter()
        .enumerate()
        .flat_map(|(at, field)| {
            field.wordings.iter().take(field.chosen).enumerate().map(move |words| (at, words))
        })
        .map(|(at, (longer, (worth, _)))| (Reverse(*worth), longer, at))
        .collect();
    given_up.sort_unstable();
    for (_, longer, at) in given_up {
        let before = fields[at].chosen;
        fields[at].chosen = longer.min(before);
        if needed(fields) > width {
            fields[at].chosen = before;
        }
    }
}

fn lay(theme: Theme, width: usize, mut fields: Vec<Field>) -> Line<'static> {
    fit(&mut fields, width);
    let (right, left): (Vec<_>, Vec<_>) = fields.into_iter().partition(|field| field.right);
    let gap = |fields: &[Field]| fields.iter().filter(|field| !field.word().is_empty()).count();
    let spare = width.saturating_sub(needed(&left) + needed(&right));
    let wide = if spare >= gap(&left) { 3 } else { 2 };
    let side = |fields: Vec<Field>, mut line: LineBuilder| {
        for field in fields.into_iter().filter(|field| !field.word().is_empty()) {
            if line.used() > 1 {
                line = line.gap(wide);
            }
            line = line.text(field.word(), field.role);
        }
        line
    };
    let left = side(left, LineBuilder::new(theme).gap(1));
    let right = side(right, LineBuilder::new(theme));
    let between = width.saturating_sub(left.used() + right.used()).max(1);
    left.gap(between).then(right).build()
}

fn clock(facts: &Facts) -> Field {
    Field::new(Role::Dim, [(7, format!("{}Z", facts.now.market.clock())), (9, String::new())]).at_right()
}

fn place(facts: &Facts) -> Field {
    let control = &facts.snapshot.control;
    let speed = match control.speed {
        Some(1) => String::new(),
        Some(speed) => format!(" x{speed}"),
        None => " x max".to_owned(),
    };
    let (venue, market) = (&control.venue, &control.market);
    let wordings =
        [(5, format!("{venue} {market}{speed}")), (7, format!("{market}{speed}")), (8, market.clone())];
    Field::new(Role::Plain, wordings)
}

fn level(facts: &Facts) -> Field {
    let level = facts.snapshot.degradation.effective;
    let said = format!("LEVEL {level}");
    // The bare word would be taken for an alarm.
    let short = if level == Level::Emergency { said.clone() } else { level.to_string() };
    Field::new(degradation::role(level), [(7, said), (10, short), (9, String::new())])
}

/// The state by the gate, and who made it so if the core knows.
fn state(facts: &Facts) -> Field {
    let control = &facts.snapshot.control;
    let state = facts.state();
    let (glyph, role) = match state {
        TradingState::Running => ("►", Role::Good),
        TradingState::Paused => ("‖", Role::Paused),
        TradingState::Halted => ("■", Role::Halted),
    };
    let durable = match (state, facts.is_state_durable()) {
        _ if control.not_durable => "",
        (TradingState::Halted, true) => " [durable]",
        (TradingState::Running | TradingState::Paused, true) => "",
        (TradingState::Running | TradingState::Paused | TradingState::Halted, false) => " [writing]",
    };
    // What cannot be proved later is never left out.
    let short = format!("{glyph} {state}{}", if control.not_durable { ", NOT DURABLE" } else { "" });
    if control.state != state {
        let wordings = [
            (3, format!("{short}{durable} by the gate, core follows")),
            (11, format!("{short}{durable}")),
            (VITAL, short),
        ];
        return Field::new(role, wordings);
    }
    let age = text::ago(control.since, facts.now.operator);
    let reason = control.reason.as_str();
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let by = &control.by;
    let name = by.split(' ').next().unwrap_or(by);
    // Why it stands still is asked for; why it runs is not.
    let (all, some) = match state {
        TradingState::Running => (3, 4),
        TradingState::Paused | TradingState::Halted => (4, 7),
    };
    let wordings = [
        (all, format!("{short} {age} by {by}{why}{durable}")),
        (some, format!("{short} {age} by {by}{}{durable}", text::clip(&why, 26))),
        (8, format!("{short} {age} {}{durable}", text::clip(name, 12))),
        (11, format!("{short} {age}{durable}")),
        (VITAL, short.clone()),
    ];
    Field::new(role, wordings)
}

fn alarms(facts: &Facts, keys: &Keys<'_>) -> Field {
    let key = |before: &str| keys.asked(before, Binding::Acknowledge, "");
    let (press, spaced, short) = (key(": press "), key(": "), key(":"));
    let now = facts.now.operator;
    let alarms = &facts.snapshot.alarms;
    let emergencies = facts.emergencies();
    if let Some(oldest) = emergencies.first() {
        let count = emergencies.len();
        let age = text::ago(oldest.raised.operator, now);
        let wordings = [
            (4, format!("!! {count} EMERGENCY unacked {age}{press}")),
            (5, format!("!! {count} EMERGENCY {age}{spaced}")),
            (12, format!("!! {count} EMERGENCY{short}")),
            (VITAL, format!("!!{count}{short}")),
        ];
        return Field::new(Role::Emergency, wordings).at_right();
    }
    let newest = alarms.iter().filter(|row| row.unacknowledged).map(|row| row.raised.operator).max();
    if let Some(newest) = newest {
        let unacknowledged = alarms.iter().filter(|row| row.unacknowledged).count();
        let long = format!("{unacknowledged} unacked {} ago{press}", text::ago(newest, now));
        return Field::new(Role::Warn, [(4, long), (12, format!("{unacknowledged} unacked{short}"))])
            .at_right();
    }
    let (long, short) = match alarms.len() {
        0 => ("no alarms".to_owned(), String::new()),
        open => (format!("0 unacked, {open} open"), format!("{open} open")),
    };
    Field::new(Role::Dim, [(2, long), (6, short)]).at_right()
}

fn first(facts: &Facts, keys: &Keys<'_>) -> Vec<Field> {
    vec![state(facts), level(facts), place(facts), alarms(facts, keys), clock(facts)]
}

/// Whether entries may go out: what the core's list says, and the gate where it is stricter.
fn entries(facts: &Facts) -> Field {
    let control = &facts.snapshot.control;
    let locked = match control.symbols_locked.len() {
        0 => String::new(),
        1 => ", 1 symbol locked".to_owned(),
        count => format!(", {count} symbols locked"),
    };
    let mut reasons: Vec<String> = control.blocks.iter().map(ToString::to_string).collect();
    if reasons.is_empty() && facts.state() != TradingState::Running {
        reasons.push(format!("gate {}", facts.state()));
    }
    let Some(first) = reasons.first() else {
        let role = if locked.is_empty() { Role::Good } else { Role::Warn };
        return Field::new(role, [(8, format!("ENTRIES OPEN{locked}")), (VITAL, "ENTRIES OPEN".to_owned())]);
    };
    // The state stands right above: where there is no room, only what else blocks is named.
    let beside: Vec<_> = control
        .blocks
        .iter()
        .filter(|block| block.code != ReasonCode::Paused)
        .map(ToString::to_string)
        .collect();
    let beside = if beside.is_empty() { reasons.join("; ") } else { beside.join("; ") };
    let more = match reasons.len() {
        1 => String::new(),
        count => format!(" +{}", count - 1),
    };
    let wordings = [
        (3, format!("ENTRIES BLOCKED: {}{locked}", reasons.join("; "))),
        (6, format!("ENTRIES BLOCKED: {}", reasons.join("; "))),
        (9, format!("ENTRIES BLOCKED: {beside}")),
        (10, format!("ENTRIES BLOCKED: {first}{more}")),
        (VITAL, "ENTRIES BLOCKED".to_owned()),
    ];
    Field::new(Role::Warn, wordings)
}

fn figures(facts: &Facts) -> Field {
    let view = &facts.snapshot.portfolio;
    let short = |(value, limit): (Option<rust_decimal::Decimal>, rust_decimal::Decimal)| {
        format!("{}/{}", text::known_percent(value), text::percent(limit))
    };
    let (day, dd, exposure) = (short(view.day_pct), short(view.drawdown_pct), short(view.exposure_pct));
    let wordings = [
        (2, format!("day {day}%  dd {dd}%  exp {exposure}%")),
        (7, format!("day {day} dd {dd}")),
        (8, format!("day {day}")),
        (9, String::new()),
    ];
    Field::new(Role::Plain, wordings).at_right()
}

fn ages(facts: &Facts) -> Field {
    let control = &facts.snapshot.control;
    let core = facts.core_age();
    let feed_age = control.feed_at.map(|at| facts.now.operator.since(at));
    let feed = |say: fn(Duration) -> String| match (control.feed_ended, feed_age) {
        (true, _) => "ended".to_owned(),
        (false, Some(age)) => say(age),
        (false, None) => "none".to_owned(),
    };
    let role = if facts.is_stuck() { Role::Bad } else { Role::Dim };
    let wordings = [
        (5, format!("feed {} core {}", feed(text::delay), text::delay(core))),
        (10, format!("feed {} core {}", feed(short_span), short_span(core))),
        (VITAL, format!("core {}", short_span(core))),
    ];
    Field::new(role, wordings).at_right()
}

/// After a halt: what was observed, not what was asked for.
fn observed(facts: &Facts) -> Field {
    let control = &facts.snapshot.control;
    let last = control.last_order_at.map_or_else(
        || "no order yet".to_owned(),
        |at| format!("last order {} ago", text::ago(at, facts.now.operator)),
    );
    let counts = format!("orders {}  stops {} kept", control.orders_open, control.stops);
    let orders = format!("orders {}", control.orders_open);
    Field::new(
        Role::Plain,
        [(6, format!("{last}  {counts}")), (7, format!("{last}  {orders}")), (10, orders)],
    )
}

fn second(facts: &Facts, keys: &Keys<'_>) -> Vec<Field> {
    match facts.state() {
        TradingState::Running | TradingState::Paused => {
            let exits = Field::new(Role::Good, [(4, "EXITS ON".to_owned()), (9, String::new())]);
            vec![entries(facts), exits, figures(facts), ages(facts)]
        }
        TradingState::Halted => {
            let reasons = facts.snapshot.control.halt_reasons.len();
            let long = match reasons {
                0 => "ENTRIES BLOCKED: halted".to_owned(),
                1 => "ENTRIES BLOCKED: halted, 1 reason".to_owned(),
                count => format!("ENTRIES BLOCKED: halted, {count} reasons"),
            };
            let short = "ENTRIES BLOCKED: halted".to_owned();
            let blocked = Field::new(Role::Warn, [(5, long), (VITAL, short)]);
            let release = keys.asked("", Binding::Resume, " release");
            let release = Field::new(Role::Key, [(3, release), (9, String::new())]);
            vec![blocked, observed(facts), release, ages(facts)]
        }
    }
}

fn stuck_first(facts: &Facts) -> Vec<Field> {
    let age = days_hms(facts.core_age());
    let (gate, how) = (facts.state(), if facts.has_ended { "ENDED" } else { "STUCK" });
    let role = match gate {
        TradingState::Running | TradingState::Paused => Role::Bad,
        TradingState::Halted => Role::Halted,
    };
    let wordings = [
        (6, format!("?? CORE {how} {age}, gate {gate}")),
        (11, format!("?? {how} {age} {gate}")),
        (VITAL, format!("?? {how} {gate}")),
    ];
    let below =
        [(6, format!("values below are {age} old")), (7, format!("all {age} old")), (9, String::new())];
    vec![
        Field::new(role, wordings),
        Field::new(Role::Stale, below),
        place(facts),
        stuck_alarms(facts),
        clock(facts),
    ]
}

/// The core's own trouble and what nobody had acknowledged before: nothing can be acknowledged now.
fn stuck_alarms(facts: &Facts) -> Field {
    let count = facts.emergencies().len() + 1;
    let wordings = [
        (4, format!("!! {count} EMERGENCY: see 6 Alarms")),
        (12, format!("!! {count}: see 6")),
        (VITAL, format!("!!{count}:6")),
    ];
    Field::new(Role::Emergency, wordings).at_right()
}

fn stuck_second(facts: &Facts, keys: &Keys<'_>) -> Vec<Field> {
    let stops = facts.snapshot.control.stops;
    let blocked = match (facts.has_ended, facts.state()) {
        (true, _) => "ENTRIES BLOCKED: core ended".to_owned(),
        (false, TradingState::Running) => {
            format!("ENTRIES NOT BLOCKED: pause now{}", keys.said(" (", Binding::Pause, ")"))
        }
        (false, TradingState::Paused | TradingState::Halted) => "ENTRIES BLOCKED: core stuck".to_owned(),
    };
    let (long, short) = if facts.has_ended {
        let quit = |after| keys.said("", Binding::Quit, after);
        (quit(" quits, then start again"), quit(" quits"))
    } else {
        let halt = |after| keys.said("", Binding::HaltAnywhere, after);
        (halt(" halts without the core"), halt(" halts"))
    };
    let halts = [(3, long), (5, short), (9, String::new())];
    vec![
        Field::new(Role::Warn, [(VITAL, blocked)]),
        Field::new(Role::Warn, [(6, format!("EXITS AT VENUE ONLY ({stops})")), (9, String::new())]),
        Field::new(Role::Key, halts).at_right(),
        ages(facts),
    ]
}
