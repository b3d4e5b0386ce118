//! Puts the whole screen together. A pure function of what the app holds: no lock, no wait, no I/O.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::app::App;
use super::layout::{self, Mode, Wish};
use super::panes::{self, Content, Cx, Form, PaneId, Row, equity_chart};
use super::text::{self, cells};
use super::theme::{Role, Theme};
use super::{ascii, dialogs, footer, header};

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    if area.width > 0 && area.height > 0 {
        let mode = layout::mode(area);
        match mode {
            Mode::Tiny => tiny(frame, app),
            Mode::Columns | Mode::Column | Mode::Tabs => full(frame, app, mode),
        }
    }
    if app.options().ascii {
        ascii::simplify(frame.buffer_mut());
    }
}

/// State, alarms, the size that is needed; halt still works.
fn tiny(frame: &mut Frame<'_>, app: &App) {
    let (facts, theme, area) = (app.facts(), app.theme(), frame.area());
    let width = usize::from(area.width);
    let [_, second] = header::lines(app, width);
    let unacknowledged = facts.snapshot.alarms.iter().filter(|row| row.unacknowledged).count();
    let size = format!("{}x{}: 60x16 needed", area.width, area.height);
    let keys = app.keymap();
    let halt = format!(
        "{0} {0} halt  {1} pause",
        keys.name_of(super::keymap::Binding::Halt),
        keys.name_of(super::keymap::Binding::Pause)
    );
    let mut lines = vec![header::smallest(app, width)];
    lines.extend(app.dialog().into_iter().flat_map(|open| dialogs::in_short(app, open, width)));
    lines.extend([
        Line::styled(format!("{} unacked", text::counted(unacknowledged, "alarm")), theme.style(Role::Warn)),
        Line::styled(size, theme.style(Role::Dim)),
        Line::styled(halt, theme.style(Role::Key)),
        second,
    ]);
    frame.render_widget(Paragraph::new(lines), area);
}

fn full(frame: &mut Frame<'_>, app: &App, mode: Mode) {
    let area = frame.area();
    let width = usize::from(area.width);
    let [first, second] = header::lines(app, width);
    frame.render_widget(Paragraph::new(vec![first, second]), Rect { height: layout::HEADER_ROWS, ..area });
    let body = Rect {
        y: area.y + layout::HEADER_ROWS,
        height: area.height.saturating_sub(layout::HEADER_ROWS + 1),
        ..area
    };
    let portfolio = match (app.navigation().page(), mode) {
        (Some(pane), _) => page(frame, app, pane, body),
        (None, Mode::Columns) => columns(frame, app, body),
        (None, Mode::Column) => column(frame, app, body),
        (None, Mode::Tabs | Mode::Tiny) => tabs(frame, app, body),
    };
    let mut room = body;
    if let Some(toast) = app.toasts().line(app.theme(), app.facts().now.operator, width) {
        room.height = room.height.saturating_sub(1);
        let row = Rect { y: room.bottom(), height: 1, ..body };
        frame.render_widget(Clear, row);
        frame.render_widget(toast, row);
    }
    let bottom = Rect { y: area.bottom() - 1, height: 1, ..area };
    frame.render_widget(footer::line(app, width), bottom);
    if let Some(open) = app.dialog() {
        dialogs::draw(frame, app, open, room, portfolio);
    }
}

pub fn cx(app: &App, form: Form, rows_max: usize) -> Cx<'_> {
    Cx {
        facts: app.facts(),
        theme: app.theme(),
        traffic: app.traffic(),
        filter: app.filter(),
        log: app.log(),
        form,
        rows_max,
    }
}

/// Rows are made up to the height of the screen, unless the selection is farther down.
fn content_of(app: &App, pane: PaneId, form: Form, width: u16, rows_max: u16) -> Content {
    let rows_max =
        if app.navigation().selected(pane).is_some() { usize::MAX } else { usize::from(rows_max) + 1 };
    panes::content(pane, &cx(app, form, rows_max), usize::from(width).saturating_sub(1))
}

fn columns(frame: &mut Frame<'_>, app: &App, body: Rect) -> Option<Rect> {
    let split = layout::split(body.width);
    let inner_height = body.height.saturating_sub(1);
    let left = Rect { x: body.x + 1, width: split.saturating_sub(1), height: inner_height, ..body };
    let right = Rect {
        x: body.x + split + 1,
        width: body.width.saturating_sub(split + 2),
        height: inner_height,
        ..body
    };
    let mut edges = Vec::new();
    let mut portfolio = None;
    for (side, order, greedy) in
        [(left, &layout::LEFT[..], PaneId::Topics), (right, &layout::RIGHT[..], PaneId::Portfolio)]
    {
        let contents: Vec<_> = order
            .iter()
            .map(|pane| (*pane, content_of(app, *pane, Form::Column, side.width, side.height)))
            .collect();
        let titles = cells(contents.len());
        let wishes: Vec<_> = contents
            .iter()
            .map(|(pane, content)| Wish { pane: *pane, least: least(*pane, content), most: most(content) })
            .collect();
        let shares = layout::share(side.height.saturating_sub(titles), &wishes, greedy);
        for (pane, area) in layout::stack(side, &shares) {
            let content = contents.iter().find(|(id, _)| *id == pane).map(|(_, content)| content);
            let Some(content) = content else { continue };
            if pane == PaneId::Portfolio {
                portfolio = Some(area);
            }
            draw_pane(frame, app, pane, content, (area, " "));
            edges.push((side.x == left.x, area.y));
        }
    }
    borders(frame, app.theme(), body, split, &edges);
    portfolio
}

fn least(pane: PaneId, content: &Content) -> u16 {
    match pane {
        PaneId::Alarms => most(content).min(8),
        PaneId::Portfolio => 4,
        PaneId::Topics
        | PaneId::Consensus
        | PaneId::Degradation
        | PaneId::Schedule
        | PaneId::Dca
        | PaneId::Decisions
        | PaneId::Health
        | PaneId::Log => 2,
    }
}

fn most(content: &Content) -> u16 {
    cells(content.head.len() + content.rows.len() + usize::from(content.legend.is_some()))
}

const fn below_title(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

fn column(frame: &mut Frame<'_>, app: &App, body: Rect) -> Option<Rect> {
    let contents: Vec<_> = layout::NARROW
        .iter()
        .map(|pane| (*pane, content_of(app, *pane, Form::Narrow, body.width, body.height)))
        .collect();
    let wishes: Vec<_> = contents
        .iter()
        .map(|(pane, content)| Wish {
            pane: *pane,
            least: most(content).min(least_narrow(*pane)),
            most: most(content),
        })
        .collect();
    let shares = layout::share(body.height.saturating_sub(cells(wishes.len())), &wishes, PaneId::Topics);
    let mut portfolio = None;
    for (pane, area) in layout::stack(body, &shares) {
        let Some((_, content)) = contents.iter().find(|(id, _)| *id == pane) else { continue };
        if pane == PaneId::Portfolio {
            portfolio = Some(area);
        }
        draw_pane(frame, app, pane, content, (area, "─ "));
        if pane == PaneId::Degradation {
            // Health has no rows here: its title stands behind that of Degradation.
            let used = cells(text::width(&format!("─ 3 {} ─ {} ", pane.name(), content.title)));
            let rest = Rect { x: area.x + used, width: area.width.saturating_sub(used), ..area };
            let health = panes::content(PaneId::Health, &cx(app, Form::Narrow, 0), usize::from(rest.width));
            title(frame, app, PaneId::Health, &health.title, (rest, "─ "));
        }
    }
    portfolio
}

const fn least_narrow(pane: PaneId) -> u16 {
    match pane {
        PaneId::Consensus | PaneId::Portfolio => 3,
        PaneId::Alarms | PaneId::Decisions | PaneId::Topics => 2,
        PaneId::Dca | PaneId::Schedule => 1,
        PaneId::Degradation | PaneId::Health | PaneId::Log => 0,
    }
}

/// One pane; the numbers of the others stand above it.
fn tabs(frame: &mut Frame<'_>, app: &App, body: Rect) -> Option<Rect> {
    let theme = app.theme();
    let spans: Vec<_> = PaneId::ALL
        .into_iter()
        .flat_map(|pane| {
            let (role, name) = if pane == app.navigation().focus() {
                (Role::Focus, pane.name())
            } else {
                (Role::Dim, pane.name().get(..3).unwrap_or(""))
            };
            [Span::raw(" "), Span::styled(format!("{}{name}", pane.digit()), theme.style(role))]
        })
        .collect();
    frame.render_widget(Line::from(spans), Rect { height: 1, ..body });
    let area = below_title(body);
    let content = content_of(app, app.navigation().focus(), Form::Column, area.width, area.height);
    draw_pane(frame, app, app.navigation().focus(), &content, (area, "─ "));
    (app.navigation().focus() == PaneId::Portfolio).then_some(Rect { height: area.height.min(6), ..area })
}

/// A pane with the whole screen: its list, and the details of the selected row below.
fn page(frame: &mut Frame<'_>, app: &App, pane: PaneId, body: Rect) -> Option<Rect> {
    let content = content_of(app, pane, Form::Page, body.width, body.height);
    title(frame, app, pane, &content.title, (Rect { height: 1, ..body }, "─ "));
    let inside = below_title(body);
    let cx = cx(app, Form::Page, usize::MAX);
    let selected = app
        .navigation()
        .selected(pane)
        .cloned()
        .or_else(|| content.rows.iter().find_map(|row| row.id.clone()));
    let detail = selected.map(|id| panes::detail(pane, &cx, &id, usize::from(body.width).saturating_sub(2)));
    let detail = detail.unwrap_or_default();
    let wanted = if app.navigation().is_detail_open() { inside.height } else { inside.height * 2 / 5 };
    let chart = if pane == PaneId::Portfolio && !app.navigation().is_detail_open() {
        inside.height * 2 / 5
    } else {
        0
    };
    let below = cells(detail.len() + 1).min(wanted.saturating_sub(chart / 2));
    let list = Rect { height: inside.height.saturating_sub(below + chart), ..inside };
    rows(frame, app, pane, &content, list);
    let mut y = list.bottom();
    if chart > 0 {
        let marks = app.facts().snapshot.portfolio.marks.len();
        rule(
            frame,
            app.theme(),
            &format!("equity, 24 h, {marks} changes of level or state marked"),
            Rect { y, height: 1, ..inside },
        );
        equity_chart::draw(frame, Rect { y: y + 1, height: chart - 1, ..inside }, &cx);
        y += chart;
    }
    if below > 0 && !detail.is_empty() {
        rule(frame, app.theme(), "details", Rect { y, height: 1, ..inside });
        let area =
            Rect { x: inside.x + 1, y: y + 1, width: inside.width.saturating_sub(1), height: below - 1 };
        frame.render_widget(Paragraph::new(detail).scroll((app.navigation().detail_scroll(), 0)), area);
    }
    (pane == PaneId::Portfolio).then_some(Rect { height: body.height.min(8), ..body })
}

fn rule(frame: &mut Frame<'_>, theme: Theme, name: &str, area: Rect) {
    let line = format!("─ {name} {}", "─".repeat(usize::from(area.width)));
    frame.render_widget(Line::styled(line, theme.style(Role::Dim)), area);
}

/// Title and rows; rows that are hidden and not counted below are counted in the title.
fn draw_pane(
    frame: &mut Frame<'_>,
    app: &App,
    pane: PaneId,
    content: &Content,
    (area, lead): (Rect, &'static str),
) {
    let hidden = rows(frame, app, pane, content, below_title(area));
    let said = if hidden == 0 { content.title.clone() } else { format!("{} (+{hidden})", content.title) };
    title(frame, app, pane, &said, (area, lead));
}

/// `─ 6 Alarms ─ 1 unacked ─────`
fn title(frame: &mut Frame<'_>, app: &App, pane: PaneId, said: &str, (area, lead): (Rect, &'static str)) {
    let theme = app.theme();
    let name = if app.navigation().focus() == pane { Role::Focus } else { Role::Title };
    let dim = theme.style(Role::Dim);
    let mut spans = vec![
        Span::styled(lead, dim),
        Span::styled(format!("{} {} ", pane.digit(), pane.name()), theme.style(name)),
    ];
    if !said.is_empty() {
        spans.push(Span::styled(format!("─ {said} "), theme.style(Role::Plain)));
    }
    spans.push(Span::styled("─".repeat(usize::from(area.width)), dim));
    frame.render_widget(Line::from(spans), Rect { height: 1, ..area });
}

/// Head, as many rows as fit with the selected one among them, and the legend. Returns how many are hidden without
/// a line that says so.
fn rows(frame: &mut Frame<'_>, app: &App, pane: PaneId, content: &Content, area: Rect) -> usize {
    let height = usize::from(area.height);
    let theme = app.theme();
    let mut lines: Vec<Line<'static>> = Vec::with_capacity(height);
    if height > content.head.len() + 1 {
        lines.extend(content.head.iter().map(|line| marked(line, " ", theme.style(Role::Plain))));
    }
    let rest = height.saturating_sub(lines.len());
    let legend = content.legend.as_ref().filter(|_| rest > content.rows.len());
    let room = rest.saturating_sub(usize::from(legend.is_some()));
    let selected = app
        .navigation()
        .selected(pane)
        .and_then(|id| content.rows.iter().position(|row| row.id.as_ref() == Some(id)));
    let is_focused = app.navigation().focus() == pane;
    let cursor = selected.or_else(|| is_focused.then_some(0));
    // Messages never end: how many are not shown means nothing.
    let says_hidden = room >= SAY_HIDDEN_FROM && pane != PaneId::Topics;
    let (from, shown) = window(content.rows.len(), room, cursor, says_hidden);
    for (at, row) in content.rows.iter().enumerate().skip(from).take(shown) {
        let on = is_focused && Some(at) == cursor && row.id.is_some();
        let style = theme.style(if on { Role::Selected } else { Role::Plain });
        lines.push(marked(&row.line, if on { ">" } else { " " }, style));
    }
    let is_listed = |(at, row): &(usize, &Row)| row.id.is_some() && !(from..from + shown).contains(at);
    let hidden = content.rows.iter().enumerate().filter(is_listed).count();
    if hidden > 0 && says_hidden {
        let note = format!(" ... {hidden} more: {} shows all", pane.digit());
        lines.push(Line::styled(note, theme.style(Role::Dim)));
    }
    lines.extend(legend.map(|legend| marked(legend, " ", Style::new())));
    frame.render_widget(Paragraph::new(lines), area);
    if says_hidden || pane == PaneId::Topics { 0 } else { hidden }
}

/// A pane of fewer rows has no line to spare for saying how many are hidden.
const SAY_HIDDEN_FROM: usize = 4;

/// First row shown and how many: the cursor is among them, and a line is kept for the count of hidden ones.
fn window(rows: usize, room: usize, cursor: Option<usize>, says_hidden: bool) -> (usize, usize) {
    if rows <= room {
        return (0, rows);
    }
    let shown = room.saturating_sub(usize::from(says_hidden));
    let from = cursor.map_or(0, |at| (at + 1).saturating_sub(shown));
    (from, shown)
}

fn marked(line: &Line<'static>, mark: &'static str, style: Style) -> Line<'static> {
    let mut spans = Vec::with_capacity(line.spans.len() + 1);
    spans.push(Span::styled(mark, style));
    spans.extend(line.spans.iter().map(|span| Span::styled(span.content.clone(), span.style.patch(style))));
    Line::from(spans)
}

/// The frame of the two columns, with the joints where titles meet it.
fn borders(frame: &mut Frame<'_>, theme: Theme, body: Rect, split: u16, edges: &[(bool, u16)]) {
    let style = theme.style(Role::Dim);
    let (left, middle, right) = (body.x, body.x + split, body.right() - 1);
    let bottom = body.bottom() - 1;
    let buffer = frame.buffer_mut();
    for y in body.y..body.bottom() {
        let on_left = edges.contains(&(true, y));
        let on_right = edges.contains(&(false, y));
        let (a, b, c) = match (y == body.y, y == bottom) {
            (true, _) => ("┌", "┬", "┐"),
            (_, true) => ("└", "┴", "┘"),
            (false, false) => (
                if on_left { "├" } else { "│" },
                match (on_left, on_right) {
                    (true, true) => "┼",
                    (true, false) => "┤",
                    (false, true) => "├",
                    (false, false) => "│",
                },
                if on_right { "┤" } else { "│" },
            ),
        };
        for (x, symbol) in [(left, a), (middle, b), (right, c)] {
            buffer[(x, y)].set_symbol(symbol).set_style(style);
        }
    }
    for x in left + 1..right {
        if x != middle {
            buffer[(x, bottom)].set_symbol("─").set_style(style);
        }
    }
}

/// The ids of `pane` in their order, for moving the selection.
pub fn row_ids(app: &App, pane: PaneId) -> Vec<panes::RowId> {
    let form = if app.navigation().page().is_some() { Form::Page } else { Form::Column };
    // Only the ids are wanted; but messages are not listed at all unless they are asked for.
    let rows_max = if pane == PaneId::Topics { usize::MAX } else { 0 };
    let content = panes::content(pane, &cx(app, form, rows_max), 80);
    content.rows.into_iter().filter_map(|row: Row| row.id).collect()
}
