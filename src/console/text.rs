//! Text that fits: cutting and padding by the cells it takes on the screen, and numbers as an operator reads them.
//!
//! Every text on its way to the screen passes [`clean`], so that nothing foreign can move the cursor or hide.

use std::borrow::Cow;
use std::time::Duration;

use rust_decimal::{Decimal, RoundingStrategy};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::domain::{Timestamp, Untrusted, days_hms, shown_amount};

/// Longest text that is worth cleaning for one line; no screen is wider.
const LINE_CHARS_MAX: usize = 1_000;

/// Cells that `text` takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// A count of cells as ratatui wants it; beyond its range is the end of its range.
pub fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// `text` without anything that does not belong on a line of a screen.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(Untrusted::new(text).sanitize(LINE_CHARS_MAX).as_str().to_owned())
    }
}

/// At most `cells_max` cells of `text`; a `…` shows that something was cut.
pub fn clip(text: &str, cells_max: usize) -> Cow<'_, str> {
    if width(text) <= cells_max {
        return Cow::Borrowed(text);
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars() {
        let next = used + c.width().unwrap_or(0);
        if next + 1 > cells_max {
            break;
        }
        out.push(c);
        used = next;
    }
    if cells_max > 0 {
        out.push('…');
    }
    Cow::Owned(out)
}

/// Exactly `wanted` cells: cut, or filled with spaces on the right.
pub fn pad(text: &str, wanted: usize) -> String {
    let text = clip(text, wanted);
    let fill = wanted.saturating_sub(width(&text));
    format!("{text}{:fill$}", "")
}

/// Exactly `wanted` cells: cut, or filled with spaces on the left.
pub fn pad_left(text: &str, wanted: usize) -> String {
    let text = clip(text, wanted);
    let fill = wanted.saturating_sub(width(&text));
    format!("{:fill$}{text}", "")
}

/// `42310.50` as `42,310.5`: grouped, without closing zeros.
pub fn number(value: Decimal) -> String {
    group(&value.normalize().to_string())
}

/// As [`number`], always with a sign.
pub fn signed(value: Decimal) -> String {
    if value.is_sign_negative() { number(value) } else { format!("+{}", number(value)) }
}

/// A result in an asset of so many decimals: sign, grouped.
pub fn result(value: Decimal, decimals: u32) -> String {
    let text = amount(value, decimals);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

/// An amount of an asset of so many decimals: grouped, with all of them.
pub fn amount(value: Decimal, decimals: u32) -> String {
    said(shown_amount(value, decimals))
}

/// A number that carries its decimals, grouped.
pub fn said(value: Decimal) -> String {
    group(&value.to_string())
}

/// As [`amount`], with fewer places where the cells do not hold all.
pub fn amount_within(value: Decimal, decimals: u32, cells: usize) -> String {
    let whole = amount(value, decimals);
    if width(&whole) <= cells { whole } else { fitted(value, cells, false) }
}

/// A percentage with one place, and none where it would be a zero: `-5.1`, `34`.
pub fn percent(value: Decimal) -> String {
    number(round(value, 1))
}

/// `1 position`, `2 positions`.
pub fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// A percentage, or `?` while it is unknown.
pub fn known_percent(value: Option<Decimal>) -> String {
    value.map_or_else(|| "?".to_owned(), percent)
}

fn round(value: Decimal, places: u32) -> Decimal {
    value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}

fn group(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// How long ago something was, as on a clock: `0:12`, `4:12:07`.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    days_hms(now.since(then))
}

/// A delay that is normally short: `0.4s`, `7.2s`, `2m`.
pub fn delay(span: Duration) -> String {
    if span < Duration::from_secs(60) {
        format!("{:.1}s", span.as_secs_f64())
    } else {
        crate::domain::short_span(span)
    }
}

/// How long a run took: `212ms`, `60.0s`.
pub fn took(span: Duration) -> String {
    if span < Duration::from_secs(1) {
        format!("{}ms", span.as_millis())
    } else {
        format!("{:.1}s", span.as_secs_f64())
    }
}

/// What somebody wrote, or that nothing was written.
pub const fn or_none_given(reason: &str) -> &str {
    if reason.is_empty() { "no reason given" } else { reason }
}

/// `value` in at most `cells`: grouped and with as many places as fit, but never with fewer than three digits that
/// mean something; `sign` puts a `+` before what is not negative.
pub fn fitted(value: Decimal, cells: usize, sign: bool) -> String {
    let said = |value: Decimal| if sign { signed(value) } else { number(value) };
    let least = value.round_sf(3).map_or(0, |rounded| rounded.normalize().scale());
    let places = (least..value.scale()).rev().map(|places| said(round(value, places)));
    std::iter::once(said(value))
        .chain(places)
        .find(|text| width(text) <= cells)
        .unwrap_or_else(|| said(round(value, least)))
}

/// `text` broken into lines of at most `wanted` cells, at spaces where there are any.
pub fn wrap(text: &str, wanted: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(&clip(word, wanted));
        } else if width(line) + 1 + width(word) <= wanted {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(clip(word, wanted).into_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn padded_text_takes_exactly_its_cells(text in "\\PC{0,40}", wanted in 0_usize..30) {
            let text = clean(&text);
            prop_assert_eq!(width(&pad(&text, wanted)), wanted);
            prop_assert_eq!(width(&pad_left(&text, wanted)), wanted);
        }
    }

    #[test]
    fn numbers_read_like_the_sketch() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(number(decimal("42310.50")), "42,310.5");
        assert_eq!(signed(decimal("2400")), "+2,400");
        assert_eq!(result(decimal("-310.215"), 2), "-310.22");
        assert_eq!(result(decimal("1234567.8"), 2), "+1,234,567.80");
        assert_eq!(amount(decimal("1"), 8), "1.00000000");
        assert_eq!(amount(decimal("9999999.6"), 0), "10,000,000");
        assert_eq!(amount_within(decimal("12345.12345678"), 8, 11), "12,345.1235");
        assert_eq!(percent(decimal("-5.14")), "-5.1");
        assert_eq!(number(decimal("0.5102")), "0.5102");
    }

    #[test]
    fn a_number_loses_places_before_it_loses_its_size() {
        for (value, cells, expected) in [
            ("0.0120", 9, "0.012"),
            ("0.01234567", 9, "0.0123457"),
            ("0.000012091", 9, "0.0000121"),
            ("0.000012091", 4, "0.0000121"),
            ("42310.512345", 9, "42,310.51"),
            ("1234567.89", 9, "1,234,568"),
        ] {
            assert_eq!(fitted(value.parse().unwrap(), cells, false), expected, "{value} in {cells}");
        }
        assert_eq!(fitted("2400.123456".parse().unwrap(), 9, true), "+2,400.12");
    }

    #[test]
    fn wide_characters_count_double_when_cut() {
        assert_eq!(clip("日本語", 5), "日本…");
        assert_eq!(clip("日本語", 4), "日…");
    }

    #[test]
    fn escapes_do_not_pass() {
        assert_eq!(clean("\u{1b}[2Jgone"), "[2Jgone…");
        assert_eq!(clean("a\u{202e}b"), "ab…");
    }
}
