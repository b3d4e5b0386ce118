//! The ten panes. Each turns facts into a title, rows and the details of one row; where they go is decided in
//! `layout`, how they are put on the screen in `view`.

pub mod alarms;
pub mod consensus;
pub mod dca;
pub mod decisions;
pub mod degradation;
pub mod equity_chart;
pub mod health;
pub mod log;
pub mod message_text;
pub mod portfolio;
pub mod schedule;
pub mod topics;

use ratatui::text::Line;

use super::facts::Facts;
use super::line::LineBuilder;
use super::theme::{Role, Theme};
use super::topic_filter::TopicFilter;
use super::traffic_log::TrafficLog;

/// One of the ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaneId {
    /// 1
    Topics,
    /// 2
    Consensus,
    /// 3
    Degradation,
    /// 4
    Schedule,
    /// 5
    Dca,
    /// 6
    Alarms,
    /// 7
    Decisions,
    /// 8
    Portfolio,
    /// 9
    Health,
    /// 0, a page of its own.
    Log,
}

impl PaneId {
    /// All, by number; 0 is last.
    pub const ALL: [Self; 10] = [
        Self::Topics,
        Self::Consensus,
        Self::Degradation,
        Self::Schedule,
        Self::Dca,
        Self::Alarms,
        Self::Decisions,
        Self::Portfolio,
        Self::Health,
        Self::Log,
    ];

    /// The panes of the overview, in the order in which Tab visits them: as they stand on the screen.
    pub const TAB_ORDER: [Self; 9] = [
        Self::Alarms,
        Self::Consensus,
        Self::Decisions,
        Self::Topics,
        Self::Portfolio,
        Self::Dca,
        Self::Degradation,
        Self::Schedule,
        Self::Health,
    ];

    /// Its key.
    pub const fn digit(self) -> char {
        match self {
            Self::Topics => '1',
            Self::Consensus => '2',
            Self::Degradation => '3',
            Self::Schedule => '4',
            Self::Dca => '5',
            Self::Alarms => '6',
            Self::Decisions => '7',
            Self::Portfolio => '8',
            Self::Health => '9',
            Self::Log => '0',
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Topics => "Topics",
            Self::Consensus => "Consensus",
            Self::Degradation => "Degradation",
            Self::Schedule => "Schedule",
            Self::Dca => "DCA",
            Self::Alarms => "Alarms",
            Self::Decisions => "Decisions",
            Self::Portfolio => "Portfolio",
            Self::Health => "Health",
            Self::Log => "Log",
        }
    }
}

/// How much room a pane gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One of two columns.
    Column,
    /// One of many in a single narrow column: as few rows as possible.
    Narrow,
    /// The whole screen.
    Page,
}

/// Names a row, however the list moves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub String);

impl RowId {
    /// From anything that is unique within the pane.
    pub fn of(id: impl std::fmt::Display) -> Self {
        Self(id.to_string())
    }
}

/// One line of a pane. A row without an id belongs to the one above it and cannot be selected.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name.
    pub id: Option<RowId>,
    /// What it says; one cell narrower than the pane, because the mark of the selected row stands before it.
    pub line: Line<'static>,
}

impl Row {
    /// A row that can be selected.
    pub fn new(id: impl std::fmt::Display, line: LineBuilder) -> Self {
        Self { id: Some(RowId::of(id)), line: line.build() }
    }

    /// A line that belongs to the row above.
    pub fn below(line: LineBuilder) -> Self {
        Self { id: None, line: line.build() }
    }
}

/// What a pane shows.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Behind number and name.
    pub title: String,
    /// Column names, above the rows; not scrolled.
    pub head: Vec<Line<'static>>,
    /// The rows, most important first.
    pub rows: Vec<Row>,
    /// Explanation of the marks, below the rows.
    pub legend: Option<Line<'static>>,
}

/// All that a pane may look at.
#[derive(Debug, Clone, Copy)]
pub struct Cx<'a> {
    /// The facts.
    pub facts: &'a Facts,
    /// The looks.
    pub theme: Theme,
    /// The messages.
    pub traffic: &'a TrafficLog,
    /// Which of them.
    pub filter: &'a TopicFilter,
    /// The newest log lines, oldest first.
    pub log: &'a [String],
    /// How much room there is.
    pub form: Form,
    /// Rows after this many are only counted: they are not on the screen.
    pub rows_max: usize,
}

impl Cx<'_> {
    /// An empty line.
    pub const fn line(&self) -> LineBuilder {
        LineBuilder::new(self.theme)
    }

    /// The row at place `at` of its list; its line is made only if it can be seen.
    pub fn row(&self, at: usize, id: impl std::fmt::Display, line: impl FnOnce() -> LineBuilder) -> Row {
        Row::new(id, if at < self.rows_max { line() } else { self.line() })
    }

    /// A line of small print.
    pub fn note(&self, text: impl AsRef<str>) -> LineBuilder {
        self.line().text(text, Role::Dim)
    }

    /// `label: text`, broken into lines of `width` cells.
    pub fn labelled(&self, label: &str, content: impl AsRef<str>, width: usize) -> Vec<Line<'static>> {
        let indent = label.len() + 2;
        let parts = super::text::wrap(content.as_ref(), width.saturating_sub(indent).max(10));
        let line = |(at, part): (usize, String)| {
            let name = if at == 0 { format!("{label}: ") } else { " ".repeat(indent) };
            self.line().text(name, Role::Dim).text(part, Role::Plain).build()
        };
        parts.into_iter().enumerate().map(line).collect()
    }
}

/// What `pane` shows in rows of `width` cells.
pub fn content(pane: PaneId, cx: &Cx<'_>, width: usize) -> Content {
    match pane {
        PaneId::Topics => topics::content(cx, width),
        PaneId::Consensus => consensus::content(cx, width),
        PaneId::Degradation => degradation::content(cx, width),
        PaneId::Schedule => schedule::content(cx, width),
        PaneId::Dca => dca::content(cx, width),
        PaneId::Alarms => alarms::content(cx, width),
        PaneId::Decisions => decisions::content(cx, width),
        PaneId::Portfolio => portfolio::content(cx, width),
        PaneId::Health => health::content(cx, width),
        PaneId::Log => log::content(cx, width),
    }
}

/// All that is known of one row; empty when it has gone.
pub fn detail(pane: PaneId, cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    match pane {
        PaneId::Topics => topics::detail(cx, id, width),
        PaneId::Consensus => consensus::detail(cx, id, width),
        PaneId::Degradation => degradation::detail(cx, id, width),
        PaneId::Schedule => schedule::detail(cx, id, width),
        PaneId::Dca => dca::detail(cx, id, width),
        PaneId::Alarms => alarms::detail(cx, id, width),
        PaneId::Decisions => decisions::detail(cx, id, width),
        PaneId::Portfolio => portfolio::detail(cx, id, width),
        PaneId::Health => health::detail(cx, id, width),
        PaneId::Log => log::detail(cx, id, width),
    }
}
