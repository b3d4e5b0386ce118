//! Builds one line of the screen, column by column. The one way by which text gets into a pane.

use ratatui::text::{Line, Span};

use super::text;
use super::theme::{Role, Theme};

/// A line in the making.
#[derive(Debug, Clone)]
pub struct LineBuilder {
    theme: Theme,
    spans: Vec<Span<'static>>,
    used: usize,
}

impl LineBuilder {
    /// An empty line.
    pub const fn new(theme: Theme) -> Self {
        Self { theme, spans: Vec::new(), used: 0 }
    }

    /// Text as wide as it is.
    #[must_use]
    pub fn text(mut self, content: impl AsRef<str>, role: Role) -> Self {
        let content = text::clean(content.as_ref()).into_owned();
        self.used += text::width(&content);
        self.spans.push(Span::styled(content, self.theme.style(role)));
        self
    }

    /// A column of exactly `cells`, text on its left.
    #[must_use]
    pub fn left(self, content: impl AsRef<str>, cells: usize, role: Role) -> Self {
        let padded = text::pad(&text::clean(content.as_ref()), cells);
        self.text(padded, role)
    }

    /// A column of exactly `cells`, text on its right.
    #[must_use]
    pub fn right(self, content: impl AsRef<str>, cells: usize, role: Role) -> Self {
        let padded = text::pad_left(&text::clean(content.as_ref()), cells);
        self.text(padded, role)
    }

    /// Empty cells.
    #[must_use]
    pub fn gap(self, cells: usize) -> Self {
        self.left("", cells, Role::Plain)
    }

    /// What is left of `total` cells, with the text on its left.
    #[must_use]
    pub fn rest(self, content: impl AsRef<str>, total: usize, role: Role) -> Self {
        let cells = total.saturating_sub(self.used);
        self.left(content, cells, role)
    }

    /// Cells used so far.
    pub const fn used(&self) -> usize {
        self.used
    }

    /// This line with `other` behind it.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.used += other.used;
        self.spans.extend(other.spans);
        self
    }

    /// The line.
    pub fn build(self) -> Line<'static> {
        Line::from(self.spans)
    }
}
