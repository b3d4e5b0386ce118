//! Where the news of a panic goes: always into the log; onto stderr only when no screen would be spoilt by it.

use std::panic::PanicHookInfo;

/// Writes every panic of the process into the log before it goes where it went before.
pub(super) fn log_all() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        log(info);
        before(info);
    }));
}

/// Writes one into the log. A front that owns the screen calls this instead of the hook it found.
pub fn log(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let what = info.payload_as_str().unwrap_or("no text");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(thread = thread.name().unwrap_or("unnamed"), %place, "panicked: {what}");
}

/// Panics where the variable `ANDON_PANIC` says so: tests have no other way into a healthy program. A release build
/// has nothing of this.
///
/// # Panics
/// In a debug build, when `ANDON_PANIC` names `place`.
#[inline]
pub fn provoke(place: &str) {
    if cfg!(debug_assertions) {
        let wanted = std::env::var_os("ANDON_PANIC").is_some_and(|there| there == place);
        assert!(!wanted, "provoked in the {place}");
    }
}
