//! What the terminal can show, as its environment says: colours by `TERM`, `COLORTERM` and `NO_COLOR`, glyphs by the locale.

use super::{ConsoleError, Options};
use crate::runtime::options::ColorChoice;

/// Reads one variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process.
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// What is drawn with: the operator's wish goes before what the environment says.
pub fn options(read_only: bool, color: ColorChoice, ascii: bool, environment: Environment<'_>) -> Options {
    let mono = match color {
        ColorChoice::Auto => !has_colours(environment),
        ColorChoice::Never => true,
        ColorChoice::Ansi16 | ColorChoice::Ansi256 | ColorChoice::TrueColor => false,
    };
    Options { read_only, ascii: ascii || !shows_unicode(environment), mono }
}

/// Whether the terminal can place a cursor at all.
pub(super) fn check(environment: Environment<'_>) -> Result<(), ConsoleError> {
    let term = set(environment, "TERM").unwrap_or_default();
    if term == "dumb" || term.starts_with("dumb-") || term == "unknown" {
        return Err(ConsoleError::CannotDraw(term));
    }
    Ok(())
}

fn set(environment: Environment<'_>, name: &str) -> Option<String> {
    environment(name).filter(|value| !value.is_empty())
}

fn has_colours(environment: Environment<'_>) -> bool {
    if set(environment, "NO_COLOR").is_some() {
        return false;
    }
    match set(environment, "TERM") {
        Some(term) => !is_monochrome(&term),
        None => set(environment, "COLORTERM").is_some(),
    }
}

/// The terminals of glass and their emulations: DEC's up to the VT420, Wyse's, and what terminfo calls monochrome.
fn is_monochrome(term: &str) -> bool {
    let numbered = |maker: &str| {
        term.strip_prefix(maker).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let is_dec = numbered("vt") && !term.starts_with("vt525");
    is_dec || numbered("wy") || term.ends_with("-m") || term.ends_with("-mono")
}

/// Whether the locale has UTF-8. One that is not set at all says nothing about the terminal.
fn shows_unicode(environment: Environment<'_>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| set(environment, name));
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn of(color: ColorChoice, variables: &[(&str, &str)]) -> Options {
        options(false, color, false, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[rstest]
    #[case::xterm(&[("TERM", "xterm-256color")], true)]
    #[case::linux(&[("TERM", "linux")], true)]
    #[case::vte(&[("TERM", "vte-256color")], true)]
    #[case::vt100(&[("TERM", "vt100"), ("COLORTERM", "truecolor")], false)]
    #[case::vt220(&[("TERM", "vt220-8bit")], false)]
    #[case::wyse(&[("TERM", "wy60")], false)]
    #[case::monochrome(&[("TERM", "linux-m")], false)]
    #[case::no_term(&[], false)]
    #[case::no_term_but_colours(&[("COLORTERM", "24bit")], true)]
    #[case::no_color(&[("TERM", "xterm"), ("NO_COLOR", "1")], false)]
    #[case::empty_no_color(&[("TERM", "xterm"), ("NO_COLOR", "")], true)]
    fn colours_follow_the_terminal_and_the_wish(
        #[case] variables: &[(&str, &str)],
        #[case] has_colours: bool,
    ) {
        assert_eq!(!of(ColorChoice::Auto, variables).mono, has_colours);
        assert!(of(ColorChoice::Never, variables).mono);
        assert!(!of(ColorChoice::Ansi16, variables).mono, "--color goes before the environment");
    }

    #[rstest]
    #[case::utf8(&[("LANG", "de_DE.UTF-8")], false)]
    #[case::other_spelling(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")], false)]
    #[case::c(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], true)]
    #[case::posix(&[("LANG", "POSIX")], true)]
    #[case::latin(&[("LANG", "en_US.ISO-8859-1")], true)]
    #[case::no_charset(&[("LANG", "en_US")], true)]
    #[case::empty(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")], false)]
    #[case::not_set(&[], false)]
    fn a_locale_without_utf8_gets_ascii(#[case] variables: &[(&str, &str)], #[case] ascii: bool) {
        assert_eq!(of(ColorChoice::Auto, variables).ascii, ascii);
    }

    #[test]
    fn a_terminal_without_a_cursor_is_refused() {
        for term in ["dumb", "dumb-emacs-ansi", "unknown"] {
            let error = check(&|_| Some(term.to_owned())).unwrap_err().to_string();
            assert!(error.contains(term) && error.contains("--no-console"), "{error}");
        }
        assert!(check(&|_| None).is_ok());
        assert!(check(&|_| Some("vt100".to_owned())).is_ok());
    }
}
