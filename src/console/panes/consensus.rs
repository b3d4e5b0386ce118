//! Pane 2: who says what about each symbol, and what that would do to a BUY and to a SELL now.

use std::time::Duration;

use ratatui::text::Line;

use super::{Content, Cx, Form, RowId};
use crate::console::line::LineBuilder;
use crate::console::text;
use crate::console::theme::Role;
use crate::coordinator::snapshot::{ConsensusRow, TallyView, VoiceView};
use crate::domain::{Bias, Confidence, Regime, SentimentBias, short_span};

const SYMBOL_CELLS: usize = 11;
/// Cells of a whole row without price and last signal.
const COLUMN_CELLS: usize = 66;
/// The least row with the price.
const PRICED_CELLS: usize = COLUMN_CELLS + 13;
/// The least row with the last signal: action, confidence and age of it fit.
const SIGNAL_CELLS: usize = PRICED_CELLS + 20;
const LEGEND: &str = "* held  ! locked  – neutral  · absent  ~ stale (not counted)";

/// What one voice's cell says.
struct Cell {
    word: String,
    age: String,
    role: Role,
}

fn cell<T: Copy>(cx: &Cx<'_>, voice: &VoiceView<T>, word: impl Fn(T, Confidence) -> (String, Role)) -> Cell {
    let (Some((says, confidence)), Some(at)) = (voice.says, voice.at) else {
        return Cell { word: "· absent".to_owned(), age: String::new(), role: Role::Dim };
    };
    let age = cx.facts.now.market.since(at);
    let (word, role) = word(says, confidence);
    if age > voice.fresh_for {
        return Cell { word: "~".to_owned(), age: seconds(age), role: Role::Stale };
    }
    Cell { word, age: brief(age), role }
}

/// An age in three cells.
fn brief(age: Duration) -> String {
    match age.as_secs() {
        secs @ 0..100 => format!("{secs}s"),
        secs @ 100..6_000 => format!("{}m", secs / 60),
        secs @ 6_000..360_000 => format!("{}h", secs / 3_600),
        secs => format!("{}d", secs / 86_400),
    }
}

/// A stale age says its seconds as long as they fit: it is compared with a limit.
fn seconds(age: Duration) -> String {
    if age.as_secs() < 1_000 { format!("{}s", age.as_secs()) } else { short_span(age) }
}

fn technical(bias: Bias, confidence: Confidence) -> (String, Role) {
    let (glyph, role) = match bias {
        Bias::Long => ('▲', Role::Good),
        Bias::Short => ('▼', Role::Bad),
        Bias::Neutral => ('–', Role::Plain),
    };
    (format!("{glyph}{confidence}"), role)
}

fn regime(regime: Regime, _: Confidence) -> (String, Role) {
    let (word, role) = match regime {
        Regime::TrendingBull => ("bull", Role::Good),
        Regime::TrendingBear => ("bear", Role::Bad),
        Regime::Ranging => ("ranging", Role::Plain),
        Regime::VolatileBull => ("v.bull", Role::Warn),
        Regime::VolatileBear => ("v.bear", Role::Warn),
        Regime::Choppy => ("choppy", Role::Warn),
        Regime::BreakoutPotential => ("breakout", Role::Good),
        Regime::Unknown => ("unknown", Role::Dim),
    };
    (word.to_owned(), role)
}

fn sentiment(bias: SentimentBias, confidence: Confidence) -> (String, Role) {
    let (glyph, role) = match bias {
        SentimentBias::VeryBullish => ("▲▲", Role::Good),
        SentimentBias::Bullish => ("▲", Role::Good),
        SentimentBias::Neutral => ("–", Role::Plain),
        SentimentBias::Bearish => ("▼", Role::Bad),
        SentimentBias::VeryBearish => ("▼▼", Role::Bad),
    };
    (format!("{glyph}{confidence}"), role)
}

fn multiplier(tally: TallyView) -> String {
    let text = format!("{:.2}", tally.multiplier);
    text.strip_prefix('0').map_or(text.clone(), ToOwned::to_owned)
}

fn votes(tally: TallyView) -> String {
    format!("{}/{} x{}", tally.agreeing, tally.present, multiplier(tally))
}

fn short_votes(tally: TallyView) -> String {
    format!("{}/{} {}", tally.agreeing, tally.present, multiplier(tally))
}

fn symbol(row: &ConsensusRow) -> String {
    let held = if row.held { "*" } else { "" };
    let locked = if row.locked.is_some() { "!" } else { "" };
    format!("{}{held}{locked}", row.symbol)
}

/// A word and its age in columns of their own; a word without an age has both.
fn voice(cx: &Cx<'_>, cell: &Cell, cells: usize) -> LineBuilder {
    const AGE_CELLS: usize = 4;
    if cell.age.is_empty() {
        return cx.line().left(&cell.word, cells + AGE_CELLS, cell.role);
    }
    cx.line().left(&cell.word, cells, cell.role).right(&cell.age, AGE_CELLS, Role::Dim)
}

fn line(cx: &Cx<'_>, row: &ConsensusRow, width: usize) -> LineBuilder {
    let ta = cell(cx, &row.technical, technical);
    let rg = cell(cx, &row.regime, regime);
    let se = cell(cx, &row.sentiment, sentiment);
    let name = if row.locked.is_some() { Role::Warn } else { Role::Plain };
    let line = cx.line().left(symbol(row), SYMBOL_CELLS, name);
    let confidence = row.last_signal.as_ref().map_or_else(|| "–".to_owned(), |s| s.confidence.to_string());
    if cx.form == Form::Narrow {
        return line
            .text("TA ", Role::Dim)
            .then(voice(cx, &ta, 4))
            .text(" RG ", Role::Dim)
            .then(voice(cx, &rg, 8))
            .text(" SE ", Role::Dim)
            .left(voice_word(&se), 9, se.role)
            .text(" BUY ", Role::Dim)
            .left(short_votes(row.buy), 8, Role::Plain)
            .text(" SELL ", Role::Dim)
            .rest(short_votes(row.sell), width, Role::Plain);
    }
    let line =
        line.then(voice(cx, &ta, 4)).gap(1).then(voice(cx, &rg, 8)).gap(1).left(voice_word(&se), 10, se.role);
    if width < COLUMN_CELLS {
        let short = |tally: TallyView| format!("{}/{}", tally.agreeing, tally.present);
        let line = line
            .text("B ", Role::Dim)
            .text(short(row.buy), Role::Plain)
            .gap(1)
            .text("S ", Role::Dim)
            .text(short(row.sell), Role::Plain);
        let spare = width.saturating_sub(line.used());
        return if spare > text::width(&confidence) {
            line.gap(1).text(confidence, Role::Plain)
        } else {
            line
        };
    }
    let line = line.left(votes(row.buy), 10, Role::Plain).left(votes(row.sell), 10, Role::Plain).left(
        confidence,
        3,
        Role::Plain,
    );
    if width < PRICED_CELLS {
        return line;
    }
    let price = row.price.map_or_else(|| "no price".to_owned(), text::number);
    let line = line.gap(1).right(price, 11, Role::Plain);
    if width < SIGNAL_CELLS {
        return line;
    }
    let last = row.last_signal.as_ref().map_or_else(String::new, |s| last_signal(cx, s));
    line.gap(2).rest(last, width, Role::Dim)
}

fn voice_word(cell: &Cell) -> String {
    format!("{} {}", cell.word, cell.age).trim_end().to_owned()
}

fn last_signal(cx: &Cx<'_>, signal: &crate::coordinator::snapshot::LastSignal) -> String {
    let outcome = signal.outcome.map_or_else(|| "open".to_owned(), |outcome| outcome.to_string());
    let rule = signal.blocked_by.map_or_else(String::new, |rule| format!(" {rule}"));
    let age = short_span(cx.facts.now.market.since(signal.at));
    format!("{} {} {age} ago: {outcome}{rule}", signal.action, signal.confidence)
}

/// Title and rows.
pub fn content(cx: &Cx<'_>, width: usize) -> Content {
    let rows = &cx.facts.snapshot.consensus;
    let attention = rows.iter().filter(|row| row.held || row.locked.is_some()).count();
    let title = match rows.len() {
        0 => "no symbols".to_owned(),
        all if attention == 0 => format!("{}, none held or locked", text::counted(all, "symbol")),
        all => format!("{}, {attention} held or locked first", text::counted(all, "symbol")),
    };
    let head = if cx.form == Form::Narrow || rows.is_empty() || width < COLUMN_CELLS {
        Vec::new()
    } else {
        let names = format!("{:11}{:9}{:13}{:10}{:10}{:9}conf", "", "TA", "regime", "sentim.", "BUY", "SELL");
        let last = match width {
            SIGNAL_CELLS.. => "        price  last signal",
            PRICED_CELLS.. => "        price",
            _ => "",
        };
        vec![cx.note(format!("{names}{last}")).build()]
    };
    let legend = (cx.form != Form::Narrow && !rows.is_empty()).then(|| cx.note(LEGEND).build());
    let rows =
        rows.iter().enumerate().map(|(at, row)| cx.row(at, &row.symbol, || line(cx, row, width))).collect();
    Content { title, head, rows, legend }
}

/// Votes, last signal and history of one symbol.
pub fn detail(cx: &Cx<'_>, id: &RowId, width: usize) -> Vec<Line<'static>> {
    let Some(row) = cx.facts.snapshot.consensus.iter().find(|row| row.symbol.as_str() == id.0) else {
        return Vec::new();
    };
    let mut lines = vec![cx.line().text(symbol(row), Role::Title).build()];
    let voices = [
        ("technical", cell(cx, &row.technical, technical), row.technical.fresh_for),
        ("regime", cell(cx, &row.regime, regime), row.regime.fresh_for),
        ("sentiment", cell(cx, &row.sentiment, sentiment), row.sentiment.fresh_for),
    ];
    for (name, cell, fresh_for) in voices {
        let said = format!("{} (counted for {})", voice_word(&cell), short_span(fresh_for));
        lines.extend(cx.labelled(name, said, width));
    }
    lines.extend(cx.labelled("BUY now", votes(row.buy), width));
    lines.extend(cx.labelled("SELL now", votes(row.sell), width));
    if let Some(block) = &row.locked {
        lines.extend(cx.labelled("entries locked", block.to_string(), width));
    }
    if let Some(signal) = &row.last_signal {
        lines.extend(cx.labelled("last signal", last_signal(cx, signal), width));
    }
    if !row.history.is_empty() {
        let chart = super::equity_chart::spark(row.history.iter().copied(), width.saturating_sub(20));
        lines.extend(cx.labelled("BUY multiplier", chart, width));
    }
    lines
}
