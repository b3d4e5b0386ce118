//! Where each pane goes on a screen of a given size. Pure arithmetic on rectangles.

use ratatui::layout::Rect;

use super::panes::PaneId;

/// Rows of the header.
pub const HEADER_ROWS: u16 = 2;

/// How a screen is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Two columns of panes.
    Columns,
    /// One column of panes.
    Column,
    /// One pane, the others as tabs.
    Tabs,
    /// State, alarms, and the size that is needed.
    Tiny,
}

/// The mode for a screen of this size.
pub const fn mode(area: Rect) -> Mode {
    if area.width >= 100 && area.height >= 30 {
        Mode::Columns
    } else if area.width >= 80 && area.height >= 24 {
        Mode::Column
    } else if area.width >= 60 && area.height >= 16 {
        Mode::Tabs
    } else {
        Mode::Tiny
    }
}

/// What a pane would like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Which pane.
    pub pane: PaneId,
    /// Rows that it gets before any other gets more.
    pub least: u16,
    /// Rows beyond which it has nothing more to show.
    pub most: u16,
}

/// The left column of the wide screen, from the top.
pub const LEFT: [PaneId; 4] = [PaneId::Alarms, PaneId::Consensus, PaneId::Decisions, PaneId::Topics];

/// The right column of the wide screen, from the top.
pub const RIGHT: [PaneId; 5] =
    [PaneId::Portfolio, PaneId::Dca, PaneId::Degradation, PaneId::Schedule, PaneId::Health];

/// The panes of the narrow screen, from the top; Health shares the title line of Degradation.
pub const NARROW: [PaneId; 8] = [
    PaneId::Alarms,
    PaneId::Consensus,
    PaneId::Portfolio,
    PaneId::Dca,
    PaneId::Decisions,
    PaneId::Degradation,
    PaneId::Schedule,
    PaneId::Topics,
];

/// Column of the line between the two columns.
pub fn split(width: u16) -> u16 {
    // 68 of 120, as on the drawing board; a wider screen gives both sides their share.
    u16::try_from(u32::from(width) * 68 / 120).unwrap_or(width)
}

/// Shares `rows` (title lines not counted) among the panes, in the order of the wishes: first everybody's least,
/// then one row each in turn until nobody wants more; what is left goes to `greedy`.
pub fn share(rows: u16, wishes: &[Wish], greedy: PaneId) -> Vec<(PaneId, u16)> {
    let mut left = rows;
    let mut given: Vec<(Wish, u16)> = wishes
        .iter()
        .map(|wish| {
            let first = wish.least.min(wish.most).min(left);
            left -= first;
            (*wish, first)
        })
        .collect();
    while left > 0 {
        let before = left;
        for (wish, has) in &mut given {
            if left > 0 && *has < wish.most {
                *has += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    if let Some((_, has)) = given.iter_mut().find(|(wish, _)| wish.pane == greedy) {
        *has += left;
    }
    given.into_iter().map(|(wish, rows)| (wish.pane, rows)).collect()
}

/// Stacks panes from the top of `area`: each has its title line, then its rows.
pub fn stack(area: Rect, shares: &[(PaneId, u16)]) -> Vec<(PaneId, Rect)> {
    let mut y = area.y;
    let mut out = Vec::with_capacity(shares.len());
    for (pane, rows) in shares {
        let height = (rows + 1).min(area.bottom().saturating_sub(y));
        if height == 0 {
            break;
        }
        out.push((*pane, Rect { y, height, ..area }));
        y += height;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_row_is_given_twice_or_lost(
            rows in 0_u16..200,
            wants in proptest::collection::vec((0_u16..5, 0_u16..60), 4),
        ) {
            let wishes: Vec<_> = LEFT
                .into_iter()
                .zip(wants)
                .map(|(pane, (least, most))| Wish { pane, least, most })
                .collect();
            let shares = share(rows, &wishes, PaneId::Topics);
            prop_assert_eq!(shares.iter().map(|(_, rows)| rows).sum::<u16>(), rows);
        }
    }

    #[test]
    fn every_pane_but_the_log_stands_on_both_overviews() {
        for pane in PaneId::TAB_ORDER {
            assert!(LEFT.contains(&pane) || RIGHT.contains(&pane), "{pane:?}");
            assert!(NARROW.contains(&pane) || pane == PaneId::Health, "{pane:?}");
        }
    }

    #[test]
    fn the_mode_follows_the_size() {
        for (width, height, expected) in [
            (200, 60, Mode::Columns),
            (120, 40, Mode::Columns),
            (100, 29, Mode::Column),
            (80, 24, Mode::Column),
            (79, 24, Mode::Tabs),
            (60, 16, Mode::Tabs),
            (59, 16, Mode::Tiny),
            (0, 0, Mode::Tiny),
        ] {
            assert_eq!(mode(Rect::new(0, 0, width, height)), expected, "{width}x{height}");
        }
    }
}
