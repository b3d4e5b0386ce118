//! The keys that do something now.

use ratatui::text::Line;

use super::app::App;
use super::keymap::Binding;
use super::line::LineBuilder;
use super::panes::PaneId;
use super::text;
use super::theme::Role;
use crate::domain::TradingState;

/// The bottom line; what does not fit is left out from the right, `?` help never.
pub fn line(app: &App, width: usize) -> Line<'static> {
    let keymap = app.keymap();
    let key = |binding| keymap.name_of(binding);
    let mut offers: Vec<(String, &str)> = Vec::new();
    let (state, facts) = (app.facts().state(), app.facts());
    // Without a core only the gate can be shut, and where there is none for good not even that means anything.
    let (may_stop, may_ask) = (!facts.has_ended, !facts.is_stuck() && !app.options().read_only);
    if state == TradingState::Running && may_stop {
        offers.push((key(Binding::Pause), "pause"));
    }
    if state != TradingState::Halted && may_stop {
        let halt = key(Binding::Halt);
        let (keys, word) =
            if app.is_halt_armed() { (halt, "HALTS NOW") } else { (format!("{halt} {halt}"), "halt") };
        offers.push((keys, word));
    }
    if may_ask && facts.most_urgent().is_some() {
        offers.push((key(Binding::Acknowledge), "ack"));
    }
    if state != TradingState::Halted && may_stop {
        offers.push((key(Binding::HaltAnywhere), "anywhere"));
    }
    if facts.is_stuck() {
        offers.push((PaneId::Log.digit().to_string(), "log"));
        offers.push((key(Binding::Quit), "quit"));
    }
    if may_ask {
        match state {
            TradingState::Running => {}
            TradingState::Paused => offers.push((key(Binding::Resume), "resume")),
            TradingState::Halted => offers.push((key(Binding::Resume), "release")),
        }
        offers.push((key(Binding::Level), "level"));
    }
    if app.navigation().page().is_some() {
        offers.push((key(Binding::Back), "back"));
    }
    offers.push((key(Binding::Zoom), "zoom"));
    if may_ask {
        offers.push((key(Binding::Palette), "command"));
    }
    if app.shows_topics() {
        offers.push((key(Binding::Filter), "filter"));
        let word = if app.traffic().is_frozen() { "follow" } else { "freeze" };
        offers.push((key(Binding::Freeze), word));
    }
    if !facts.is_stuck() {
        offers.push((key(Binding::Quit), "quit"));
    }

    let help = key(Binding::Help);
    let read_only = if app.options().read_only { "  READ ONLY" } else { "" };
    let reserve = text::width(&help) + " help".len() + read_only.len() + 1;
    let mut line = LineBuilder::new(app.theme()).gap(1);
    for (keys, word) in offers {
        if line.used() + text::width(&keys) + word.len() + 3 + reserve > width {
            continue;
        }
        line = line.text(keys, Role::Key).gap(1).text(word, Role::Plain).gap(2);
    }
    line.text(help, Role::Key).text(" help", Role::Plain).text(read_only, Role::Warn).build()
}
