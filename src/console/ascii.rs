//! The screen for terminals without Unicode: the finished frame is rewritten, so that nothing else has to know.

use ratatui::buffer::Buffer;

/// Replaces every cell that is not ASCII by its nearest look.
pub fn simplify(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let plain = replacement(cell.symbol());
            cell.set_symbol(plain);
        }
    }
}

fn replacement(symbol: &str) -> &'static str {
    match symbol {
        "─" | "–" | "▃" | "▄" => "-",
        "│" => "|",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" | "▅" | "▆" => "+",
        "►" => ">",
        "‖" => "=",
        "■" | "▇" | "█" => "#",
        "▲" => "^",
        "▼" => "v",
        "·" | "…" | "•" | "▁" | "▂" => ".",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn a_simplified_frame_holds_ascii_only() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "► ‖ ■ ▲ é 日", Style::new());
        simplify(&mut buffer);
        assert!(buffer.content.iter().all(|cell| cell.symbol().is_ascii()));
        assert_eq!(buffer[(0, 0)].symbol(), ">");
    }
}
