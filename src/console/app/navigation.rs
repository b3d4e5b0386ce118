//! Where the operator is: which pane has the keys, which one the whole screen, which row is selected. It decides what
//! is looked at and nothing else.

use std::collections::BTreeMap;

use crate::console::panes::{PaneId, RowId};

/// Farther than any details reach.
const DETAIL_LINES_MAX: u16 = 500;

/// The place on the screen.
#[derive(Debug)]
pub struct Navigation {
    focus: PaneId,
    page: Option<PaneId>,
    detail_open: bool,
    detail_scroll: u16,
    selected: BTreeMap<PaneId, RowId>,
}

impl Default for Navigation {
    /// The overview, with the keys at the consensus.
    fn default() -> Self {
        Self {
            focus: PaneId::Consensus,
            page: None,
            detail_open: false,
            detail_scroll: 0,
            selected: BTreeMap::new(),
        }
    }
}

impl Navigation {
    /// The pane that has the keys.
    pub const fn focus(&self) -> PaneId {
        self.focus
    }

    /// The pane that has the whole screen.
    pub const fn page(&self) -> Option<PaneId> {
        self.page
    }

    /// Whether the details have the room of the list.
    pub const fn is_detail_open(&self) -> bool {
        self.detail_open
    }

    /// First line of the details that is shown.
    pub const fn detail_scroll(&self) -> u16 {
        self.detail_scroll
    }

    /// The selected row of a pane.
    pub fn selected(&self, pane: PaneId) -> Option<&RowId> {
        self.selected.get(&pane)
    }

    /// To the page of a pane; from there back to the overview.
    pub fn turn_to(&mut self, pane: PaneId) {
        self.page = if self.page == Some(pane) { None } else { Some(pane) };
        self.close_detail();
        // The overview has no log.
        self.focus = if self.page.is_none() && pane == PaneId::Log { PaneId::Topics } else { pane };
    }

    /// To one row of a pane, with its details.
    pub fn show(&mut self, pane: PaneId, row: RowId) {
        self.page = Some(pane);
        self.focus = pane;
        self.selected.insert(pane, row);
        self.detail_open = true;
        self.detail_scroll = 0;
    }

    /// Into the details: the page of the pane first, then the whole room for the selected row, and back.
    pub fn open(&mut self) {
        if self.page == Some(self.focus) {
            self.detail_open = !self.detail_open;
            self.detail_scroll = 0;
        } else {
            self.turn_to(self.focus);
        }
    }

    /// One step back. False if there was none to take: then the selection is given up.
    pub fn back(&mut self) -> bool {
        if self.detail_open {
            self.close_detail();
        } else if let Some(pane) = self.page {
            self.turn_to(pane);
        } else {
            self.selected.remove(&self.focus);
            return false;
        }
        true
    }

    /// To the first row, whichever that will be.
    pub fn top(&mut self) {
        self.selected.remove(&self.focus);
        self.detail_scroll = 0;
    }

    /// To the pane that is `by` farther on the screen; on a page, to its page.
    pub fn move_focus(&mut self, by: isize) {
        let order = PaneId::TAB_ORDER;
        let at = order.iter().position(|pane| *pane == self.focus).unwrap_or(0);
        let next = (at.cast_signed() + by).rem_euclid(order.len().cast_signed()).unsigned_abs();
        self.focus = order.get(next).copied().unwrap_or(self.focus);
        self.close_detail();
        if self.page.is_some() {
            self.page = Some(self.focus);
        }
    }

    /// Scrolls the details.
    pub fn scroll_detail(&mut self, by: isize) {
        let lines = u16::try_from(by.unsigned_abs()).unwrap_or(u16::MAX);
        self.detail_scroll = if by > 0 {
            self.detail_scroll.saturating_add(lines).min(DETAIL_LINES_MAX)
        } else {
            self.detail_scroll.saturating_sub(lines)
        };
    }

    /// Selects the row that is `by` farther in `ids`, the rows of the focused pane. What is selected is an id and not
    /// a place.
    pub fn select_by(&mut self, by: isize, ids: Vec<RowId>) {
        let Some(last) = ids.len().checked_sub(1) else { return };
        let at = self.selected(self.focus).and_then(|id| ids.iter().position(|row| row == id)).unwrap_or(0);
        let next = at.saturating_add_signed(by).min(last);
        if let Some(id) = ids.into_iter().nth(next) {
            self.selected.insert(self.focus, id);
        }
    }

    const fn close_detail(&mut self) {
        self.detail_open = false;
        self.detail_scroll = 0;
    }
}
