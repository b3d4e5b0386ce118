//! Which key does what, from `console.yaml`. Dialog keys (`y`, `Esc`, digits) are fixed and not bound here.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use thiserror::Error;

use super::panes::PaneId;
use super::stop_keys::Stop;
use crate::config;
use crate::config::{KeyError, KeyPress};

/// What a key of the main screen does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// Pause at once.
    Pause,
    /// Pause at once, halt when pressed again.
    Halt,
    /// The same, in dialogs and text fields too.
    HaltAnywhere,
    /// Resume or release dialog.
    Resume,
    /// Level menu.
    Level,
    /// Acknowledge an alarm.
    Acknowledge,
    /// Whole page of the focused pane, and back.
    Zoom,
    /// Freeze the view.
    Freeze,
    /// Filter the Topics pane.
    Filter,
    /// Type a command.
    Palette,
    /// List the keys.
    Help,
    /// Leave (asks).
    Quit,
    /// Back to the overview.
    Back,
    /// Focus the next pane.
    NextPane,
    /// Focus the pane before.
    PreviousPane,
    /// Select the row above.
    Up,
    /// Select the row below.
    Down,
    /// Ten rows up.
    PageUp,
    /// Ten rows down.
    PageDown,
    /// First row.
    Top,
    /// Last row.
    Bottom,
    /// Details of the selected row.
    Open,
}

impl Binding {
    /// Every binding, in the order of the help.
    pub const ALL: [Self; 22] = [
        Self::Pause,
        Self::Halt,
        Self::HaltAnywhere,
        Self::Resume,
        Self::Level,
        Self::Acknowledge,
        Self::Palette,
        Self::Filter,
        Self::Freeze,
        Self::Zoom,
        Self::Open,
        Self::Back,
        Self::NextPane,
        Self::PreviousPane,
        Self::Up,
        Self::Down,
        Self::PageUp,
        Self::PageDown,
        Self::Top,
        Self::Bottom,
        Self::Help,
        Self::Quit,
    ];

    /// Its name in `console.yaml`, and what it does.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Pause => ("pause", "pause: no entries, no legs; exits go on"),
            Self::Halt => ("halt", "pause at once; pressed again in time: halt"),
            Self::HaltAnywhere => ("halt_anywhere", "the same, in dialogs and text fields too"),
            Self::Resume => ("resume", "resume when PAUSED, release when HALTED"),
            Self::Level => ("level", "force a degradation level, or clear it"),
            Self::Acknowledge => ("acknowledge", "acknowledge an alarm: seen, mine"),
            Self::Palette => ("palette", "type any command"),
            Self::Filter => ("filter", "filter Topics: topic: source: symbol: prio: or text"),
            Self::Freeze => ("freeze", "freeze the Topics view (never trading)"),
            Self::Zoom => ("zoom", "whole page of the focused pane, and back"),
            Self::Open => ("open", "details of the selected row"),
            Self::Back => ("back", "back; never quits"),
            Self::NextPane => ("next_pane", "next pane"),
            Self::PreviousPane => ("previous_pane", "previous pane"),
            Self::Up => ("up", "row above"),
            Self::Down => ("down", "row below"),
            Self::PageUp => ("page_up", "ten rows up"),
            Self::PageDown => ("page_down", "ten rows down"),
            Self::Top => ("top", "first row; Topics: follow again"),
            Self::Bottom => ("bottom", "last row"),
            Self::Help => ("help", "this list"),
            Self::Quit => ("quit", "quit (asks)"),
        }
    }

    /// What it stops, if it makes things safer and so works whatever else the console does.
    pub const fn stop(self) -> Option<Stop> {
        match self {
            Self::Pause => Some(Stop::Pause),
            Self::Halt | Self::HaltAnywhere => Some(Stop::Halt),
            Self::Resume
            | Self::Level
            | Self::Acknowledge
            | Self::Zoom
            | Self::Freeze
            | Self::Filter
            | Self::Palette
            | Self::Help
            | Self::Quit
            | Self::Back
            | Self::NextPane
            | Self::PreviousPane
            | Self::Up
            | Self::Down
            | Self::PageUp
            | Self::PageDown
            | Self::Top
            | Self::Bottom
            | Self::Open => None,
        }
    }

    /// Whether the console is unsafe without a key for it.
    const fn must_be_bound(self) -> bool {
        matches!(self, Self::Pause | Self::Halt | Self::HaltAnywhere | Self::Quit)
    }
}

/// Why the keys of the configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeymapError {
    /// No such thing to do.
    #[error("console.yaml: keys.{0} is not something a key can do; `andon keys` lists what is")]
    UnknownBinding(String),
    /// Not a key.
    #[error("console.yaml: keys.{binding}: {error}")]
    Key {
        /// Where.
        binding: &'static str,
        /// What is wrong.
        error: KeyError,
    },
    /// One key, two meanings.
    #[error("console.yaml: `{key}` is bound to both {first} and {second}: take it from one of them")]
    Twice {
        /// The key.
        key: String,
        /// One meaning.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The digits are the panes.
    #[error("console.yaml: keys.{binding}: `{key}` opens a pane and cannot be bound")]
    Reserved {
        /// Where.
        binding: &'static str,
        /// The key.
        key: String,
    },
    /// It would be typed instead.
    #[error("console.yaml: keys.halt_anywhere: `{0}` would be typed into text fields; use a ctrl- key")]
    TypedAnywhere(String),
    /// A console without it would be unsafe.
    #[error("console.yaml: keys.{0} needs at least one key")]
    Unbound(&'static str),
}

/// The keys of the main screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    by_key: HashMap<KeyPress, Binding>,
    by_binding: BTreeMap<Binding, Vec<KeyPress>>,
}

impl Keymap {
    /// Reads the keys of the configuration.
    ///
    /// # Errors
    /// An unknown meaning, a text that is not a key, a key bound twice, or no key for pause, halt or quit.
    pub fn new(config: &config::Console) -> Result<Self, KeymapError> {
        let mut map = Self { by_key: HashMap::new(), by_binding: BTreeMap::new() };
        for (name, texts) in &config.keys {
            let binding = Binding::ALL
                .into_iter()
                .find(|binding| binding.words().0 == name)
                .ok_or_else(|| KeymapError::UnknownBinding(name.clone()))?;
            for text in texts {
                map.bind(binding, text)?;
            }
        }
        let unbound = Binding::ALL.into_iter().find(|b| b.must_be_bound() && map.keys_of(*b).is_empty());
        unbound.map_or(Ok(map), |binding| Err(KeymapError::Unbound(binding.words().0)))
    }

    fn bind(&mut self, binding: Binding, text: &str) -> Result<(), KeymapError> {
        let name = binding.words().0;
        let key: KeyPress = text.parse().map_err(|error| KeymapError::Key { binding: name, error })?;
        if key.typed().is_some_and(|c| c.is_ascii_digit()) {
            return Err(KeymapError::Reserved { binding: name, key: text.to_owned() });
        }
        if binding == Binding::HaltAnywhere && !key.ctrl {
            return Err(KeymapError::TypedAnywhere(text.to_owned()));
        }
        if let Some(other) = self.by_key.insert(key, binding) {
            let key = text.to_owned();
            return Err(KeymapError::Twice { key, first: other.words().0, second: name });
        }
        self.by_binding.entry(binding).or_default().push(key);
        Ok(())
    }

    /// What `key` does. An `Esc` right before a key makes it an Alt chord: that must not keep a stop key from working.
    pub fn get(&self, key: KeyPress) -> Option<Binding> {
        let without_alt = || {
            let plain = self.by_key.get(&KeyPress { alt: false, ..key }).copied();
            plain.filter(|binding| key.alt && binding.stop().is_some())
        };
        self.by_key.get(&key).copied().or_else(without_alt)
    }

    /// The keys that do it.
    pub fn keys_of(&self, binding: Binding) -> &[KeyPress] {
        self.by_binding.get(&binding).map_or(&[], Vec::as_slice)
    }

    /// The first key that does it, as the footer names it; empty if there is none.
    pub fn name_of(&self, binding: Binding) -> String {
        self.keys_of(binding).first().map(ToString::to_string).unwrap_or_default()
    }

    /// Every key and what it does: those that can be bound, then the digits of the panes, which cannot.
    pub fn entries(&self) -> Vec<Entry> {
        let bound = Binding::ALL.into_iter().map(|binding| {
            let (name, what) = binding.words();
            let keys: Vec<_> = self.keys_of(binding).iter().map(ToString::to_string).collect();
            Entry { name, keys: keys.join(" "), what: what.to_owned() }
        });
        let panes = PaneId::ALL.into_iter().map(|pane| Entry {
            name: FIXED,
            keys: pane.digit().to_string(),
            what: format!("page of {}, and back", pane.name()),
        });
        bound.chain(panes).collect()
    }
}

/// One line of the list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in `console.yaml`, or [`FIXED`].
    pub name: &'static str,
    /// The keys.
    pub keys: String,
    /// What they do.
    pub what: String,
}

/// Stands in the place of a name where a key cannot be bound to anything else.
pub const FIXED: &str = "(fixed)";

/// What `andon keys` prints: every key with its name in `console.yaml` and what it does.
pub fn printout(keymap: &Keymap) -> String {
    let mut out = String::new();
    for Entry { name, keys, what } in keymap.entries() {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{name:<14} {keys:<12} {what}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn with(name: &str, keys: &[&str]) -> Result<Keymap, KeymapError> {
        let mut config = Config::defaults().unwrap().console;
        config.keys.insert(name.into(), keys.iter().map(|key| (*key).into()).collect());
        Keymap::new(&config)
    }

    #[test]
    fn the_default_keys_are_a_keymap() {
        let map = Keymap::new(&Config::defaults().unwrap().console).unwrap();
        assert_eq!(map.get("p".parse().unwrap()), Some(Binding::Pause));
        assert_eq!(map.get("ctrl-x".parse().unwrap()), Some(Binding::HaltAnywhere));
        for binding in Binding::ALL {
            assert!(!map.keys_of(binding).is_empty(), "{binding:?} has no default key");
        }
        assert!(map.get("h".parse().unwrap()).is_none(), "Caps Lock must not move the cursor");
    }

    #[test]
    fn an_escape_right_before_a_stop_key_does_not_make_it_another_key() {
        let map = Keymap::new(&Config::defaults().unwrap().console).unwrap();
        assert_eq!(map.get("alt-p".parse().unwrap()), Some(Binding::Pause));
        assert_eq!(map.get("alt-H".parse().unwrap()), Some(Binding::Halt));
        assert_eq!(map.get("alt-q".parse().unwrap()), None);
        assert_eq!(with("resume", &["alt-p"]).unwrap().get("alt-p".parse().unwrap()), Some(Binding::Resume));
    }

    #[test]
    fn a_key_bound_twice_is_refused() {
        let error = with("resume", &["p"]).unwrap_err();
        assert!(matches!(error, KeymapError::Twice { .. }), "{error}");
        assert!(matches!(with("resume", &["r", "r"]), Err(KeymapError::Twice { .. })));
    }

    #[test]
    fn a_keymap_without_a_way_to_stop_is_refused() {
        assert_eq!(with("pause", &[]), Err(KeymapError::Unbound("pause")));
        assert_eq!(with("halt_anywhere", &["X"]), Err(KeymapError::TypedAnywhere("X".into())));
    }

    #[test]
    fn digits_unknown_names_and_unknown_keys_are_refused() {
        assert!(matches!(with("zoom", &["3"]), Err(KeymapError::Reserved { .. })));
        assert!(matches!(with("fly", &["f"]), Err(KeymapError::UnknownBinding(_))));
        assert!(matches!(with("zoom", &["zz"]), Err(KeymapError::Key { .. })));
    }

    #[test]
    fn the_printout_names_every_binding_and_the_digit_of_every_pane() {
        let text = printout(&Keymap::new(&Config::defaults().unwrap().console).unwrap());
        for binding in Binding::ALL {
            assert!(text.lines().any(|line| line.starts_with(binding.words().0)), "{binding:?}: {text}");
        }
        for pane in PaneId::ALL {
            let line = format!("(fixed)        {:<12} page of {}, and back", pane.digit(), pane.name());
            assert!(text.contains(&line), "{pane:?}: {text}");
        }
        assert!(text.contains("halt_anywhere  Ctrl-X       the same, in dialogs"), "{text}");
    }
}
