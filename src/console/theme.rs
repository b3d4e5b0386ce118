//! Colours by meaning. Shape and word come first: whatever a colour says, a glyph or a word says too.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing special.
    Plain,
    /// Of less weight: ages, borders, legends.
    Dim,
    /// Title of a pane.
    Title,
    /// Title of the pane that has the keys.
    Focus,
    /// As it should be; gains.
    Good,
    /// Worth a look.
    Warn,
    /// Not working; losses.
    Bad,
    /// Too old to count.
    Stale,
    /// The state PAUSED.
    Paused,
    /// The state HALTED: steady.
    Halted,
    /// An Emergency that nobody has acknowledged; nothing else looks like this.
    Emergency,
    /// A key that can be pressed.
    Key,
    /// The selected row.
    Selected,
}

/// Which colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// The terminal's own sixteen, on its own background.
    Sixteen,
    /// None: weight and reversal only.
    Mono,
}

/// The look of every role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    palette: Palette,
}

impl Theme {
    /// A theme with these colours.
    pub const fn new(palette: Palette) -> Self {
        Self { palette }
    }

    /// How `role` looks.
    pub const fn style(self, role: Role) -> Style {
        let plain = Style::new();
        let coloured = match role {
            Role::Plain => plain,
            Role::Dim => plain.fg(Color::DarkGray),
            Role::Title | Role::Selected => plain.add_modifier(Modifier::BOLD),
            Role::Focus => plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            Role::Good => plain.fg(Color::Green),
            Role::Warn => plain.fg(Color::Yellow),
            Role::Bad => plain.fg(Color::Red),
            Role::Stale => plain.fg(Color::DarkGray).add_modifier(Modifier::ITALIC),
            Role::Paused => plain.fg(Color::Yellow).add_modifier(Modifier::BOLD),
            Role::Halted => plain.add_modifier(Modifier::BOLD.union(Modifier::REVERSED)),
            Role::Emergency => plain.fg(Color::Red).add_modifier(Modifier::BOLD.union(Modifier::REVERSED)),
            Role::Key => plain.fg(Color::Cyan),
        };
        match self.palette {
            Palette::Sixteen => coloured,
            Palette::Mono => Self::without_colour(role, coloured),
        }
    }

    const fn without_colour(role: Role, coloured: Style) -> Style {
        let plain = Style { fg: None, bg: None, ..coloured };
        match role {
            Role::Emergency | Role::Focus => plain.add_modifier(Modifier::UNDERLINED),
            Role::Dim | Role::Stale => plain.add_modifier(Modifier::DIM),
            Role::Plain
            | Role::Title
            | Role::Good
            | Role::Warn
            | Role::Bad
            | Role::Paused
            | Role::Halted
            | Role::Key
            | Role::Selected => plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 13] = [
        Role::Plain,
        Role::Dim,
        Role::Title,
        Role::Focus,
        Role::Good,
        Role::Warn,
        Role::Bad,
        Role::Stale,
        Role::Paused,
        Role::Halted,
        Role::Emergency,
        Role::Key,
        Role::Selected,
    ];

    #[test]
    fn only_an_unacknowledged_emergency_is_red_reverse() {
        let theme = Theme::new(Palette::Sixteen);
        for role in ROLES {
            let style = theme.style(role);
            let red_reverse = style.fg == Some(Color::Red) && style.add_modifier.contains(Modifier::REVERSED);
            assert_eq!(red_reverse, role == Role::Emergency, "{role:?}");
        }
    }

    #[test]
    fn monochrome_has_no_colour_and_still_tells_halted_from_emergency() {
        let theme = Theme::new(Palette::Mono);
        for role in ROLES {
            assert_eq!((theme.style(role).fg, theme.style(role).bg), (None, None), "{role:?}");
        }
        assert_ne!(theme.style(Role::Halted), theme.style(Role::Emergency));
    }
}
