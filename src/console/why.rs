//! `why SYMBOL`: the first rule that blocked its last signal, and what would block one now. `why ID`: the decision that
//! has this id anywhere in its trail. It looks only; nothing is asked of the engine.

use std::sync::Arc;

use super::facts::Facts;
use super::panes::{RowId, decisions};
use crate::domain::{Decision, Symbol};

/// Its name, and how it is written.
pub const USAGE: (&str, &str) = ("why", "why SYMBOL|ID");

/// What is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The row of the decision.
    pub row: RowId,
    /// The answer in one line.
    pub said: String,
}

/// The word behind `why`, if that is what `line` says.
pub fn asked(line: &str) -> Option<&str> {
    let (name, word) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    (name == USAGE.0).then(|| word.trim())
}

/// Answers for a symbol or an id.
///
/// # Errors
/// Nothing in the facts has that name; the text says where to look then.
pub fn answer(facts: &Facts, word: &str) -> Result<Answer, String> {
    let recent = &facts.snapshot.decisions.recent;
    let symbol =
        facts.snapshot.consensus.iter().map(|row| &row.symbol).find(|symbol| symbol.as_str() == word);
    if let Some(symbol) = symbol {
        let now = blocked_now(facts, symbol);
        return recent.iter().find(|decision| decision.signal.symbol == *symbol).map_or_else(
            || Err(format!("{symbol} has had no signal in the last {} decisions; {now}", recent.len())),
            |decision| Ok(said(decision, &format!("; {now}"))),
        );
    }
    recent.iter().find(|decision| decision.is_named(word)).map(|decision| said(decision, "")).ok_or_else(|| {
        let many = recent.len();
        format!("`{word}` is neither a symbol nor an id of the last {many} decisions; `andon audit show --id` finds older ones")
    })
}

fn said(decision: &Arc<Decision>, behind: &str) -> Answer {
    let signal = &decision.signal;
    let (symbol, action, at, ended) =
        (&signal.symbol, signal.action, decision.at.clock(), decisions::ended(decision));
    Answer { row: RowId::of(decision.id), said: format!("{symbol}: {action} at {at}Z {ended}{behind}") }
}

fn blocked_now(facts: &Facts, symbol: &Symbol) -> String {
    let global = facts.snapshot.control.blocks.iter();
    let rows = facts.snapshot.consensus.iter().filter(|row| row.symbol == *symbol);
    let own = rows.filter_map(|row| row.locked.as_ref());
    let blocks: Vec<_> = global.chain(own).map(ToString::to_string).collect();
    if blocks.is_empty() {
        "now nothing blocks entries".to_owned()
    } else {
        format!("now {}", blocks.join(", "))
    }
}
