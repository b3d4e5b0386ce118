//! The house list holds: imports point up it only, there is no cycle, and the pure rooms stay pure.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails as the test does")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms from the top of the house to its ground. A room may use what stands before it, never what stands behind.
const HOUSE: [&str; 16] = [
    "domain",
    "config",
    "telemetry",
    "gate",
    "bus",
    "account",
    "alarm",
    "risk",
    "coordinator",
    "llm",
    "market",
    "agents",
    "venue",
    "store",
    "runtime",
    "console",
];

/// The roots of the program, which may use everything.
const ROOTS: [&str; 5] = ["main", "cli", "audit", "backup", "lib"];

/// Arrows that point up the list and are forbidden all the same.
const NEVER: [(&str, &[&str]); 1] = [("console", &["store", "venue", "llm"])];

/// Where decisions are made: no I/O, no clock, no chance. `telemetry` and `config` are there to read and write.
const PURE: [&str; 7] = ["domain", "gate", "bus", "account", "alarm", "risk", "coordinator"];

/// What a pure room never names. The bus may use `tokio::sync`.
const IMPURE: [&str; 13] = [
    "tokio::",
    "sled::",
    "reqwest::",
    "ratatui::",
    "crossterm::",
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "rand::",
    "rand_chacha::",
    "Uuid::new_v4",
    "Uuid::now_v7",
];

/// One source file: its path below `src`, and its text.
struct Source<'t> {
    path: &'t str,
    text: &'t str,
}

impl Source<'_> {
    /// `src/bus/mod.rs` and `src/bus.rs` are both of the room `bus`.
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The text without comments, and without the tests at its end when they do not count.
    fn code(&self, with_tests: bool) -> String {
        if !with_tests && Path::new(self.path).file_name().is_some_and(|name| name == "tests.rs") {
            return String::new();
        }
        let end = if with_tests { None } else { self.text.find("\n#[cfg(test)]\nmod tests") };
        let lines = self.text[..end.unwrap_or(self.text.len())].lines();
        lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    }

    /// The rooms that are named behind `crate::`, also in groups: `use crate::{bus::Bus, domain}`.
    fn uses(&self) -> BTreeSet<String> {
        let code = self.code(true);
        let mut rooms = BTreeSet::new();
        for (at, found) in code.match_indices("crate::") {
            // `$crate::` and `andon_crate::` are not ours.
            if code[..at].ends_with(|c: char| c == '$' || c == '_' || c.is_alphanumeric()) {
                continue;
            }
            let rest = &code[at + found.len()..];
            match rest.trim_start().strip_prefix('{') {
                Some(group) => rooms.extend(group_members(group)),
                None => drop(rooms.insert(first_word(rest))),
            }
        }
        rooms.remove("");
        rooms
    }
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| *c == '_' || c.is_alphanumeric()).collect()
}

/// The first words of the members of a `{..}` group, up to its closing brace.
fn group_members(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut members = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(String::new()),
            c => {
                if let Some(member) = members.last_mut().filter(|_| depth == 0) {
                    member.push(c);
                }
            }
        }
    }
    members.iter().map(|member| first_word(member)).collect()
}

/// Everything that breaks the rules of the house, one line each.
fn violations(sources: &[Source]) -> Vec<String> {
    let place = |room: &str| HOUSE.iter().position(|known| *known == room);
    let mut found = Vec::new();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !ROOTS.contains(&source.room())) {
        let (path, room) = (source.path, source.room());
        let Some(here) = place(room) else {
            found.push(format!("{path}: the room `{room}` is not in the house list"));
            continue;
        };
        for used in source.uses().into_iter().filter(|used| used != room) {
            arrows.entry(room.to_owned()).or_default().insert(used.clone());
            match place(&used) {
                None => found.push(format!("{path}: uses `{used}`, which is not in the house list")),
                Some(there) if there > here => found.push(format!("{path}: `{room}` uses `{used}` below it")),
                Some(_) => {}
            }
            if NEVER.iter().any(|(from, to)| *from == room && to.contains(&used.as_str())) {
                found.push(format!("{path}: `{room}` never uses `{used}`"));
            }
        }
        if PURE.contains(&room) {
            found.extend(impurities(source));
        }
    }
    found.extend(cycle(&arrows).map(|rooms| format!("a cycle: {}", rooms.join(" -> "))));
    found
}

fn impurities(source: &Source) -> Vec<String> {
    let code = source.code(false);
    let code = if source.room() == "bus" { code.replace("tokio::sync", "") } else { code };
    let named = IMPURE.iter().filter(|word| names(&code, word));
    named.map(|word| format!("{}: a pure room names `{word}`", source.path)).collect()
}

/// Whether `word` stands in the code as a word of its own: `operand::` does not name `rand::`.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(|c: char| c == '_' || c.is_alphanumeric()))
}

/// A way along the arrows that comes back to where it began.
fn cycle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn follow(arrows: &BTreeMap<String, BTreeSet<String>>, way: &mut Vec<String>) -> Option<Vec<String>> {
        let next = arrows.get(way.last()?).cloned().unwrap_or_default();
        for room in next {
            if let Some(start) = way.iter().position(|seen| *seen == room) {
                let mut round = way[start..].to_vec();
                round.push(room);
                return Some(round);
            }
            way.push(room);
            if let Some(round) = follow(arrows, way) {
                return Some(round);
            }
            way.pop();
        }
        None
    }
    arrows.keys().find_map(|room| follow(arrows, &mut vec![room.clone()]))
}

fn read_all(dir: &Path, below: &str, into: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = format!("{below}{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            read_all(&path, &format!("{name}/"), into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_house_is_in_order() {
    let mut files = Vec::new();
    read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    let sources: Vec<_> = files.iter().map(|(path, text)| Source { path, text }).collect();
    assert!(sources.iter().any(|source| source.path == "domain/mod.rs"), "src was not found");
    let found = violations(&sources);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Asserts that the one file breaks exactly one rule, and which.
fn assert_violation(path: &str, text: &str, expected: &str) {
    let found = violations(&[Source { path, text }]);
    assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
    assert!(found[0].contains(expected), "{found:?}");
}

#[test]
fn what_breaks_a_rule_is_found() {
    for (path, text, expected) in [
        ("risk/mod.rs", "use crate::coordinator::Step;", "`risk` uses `coordinator` below it"),
        ("bus.rs", "fn f() { crate::account::x() }", "`bus` uses `account` below it"),
        (
            "risk/deep/er.rs",
            "use crate::{\n    domain::{Symbol, Side},\n    store::Journal,\n};",
            "uses `store` below",
        ),
        ("alarm/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::venue::Paper;\n}", "uses `venue` below"),
        ("console/mod.rs", "use crate::store::Journal;", "`console` never uses `store`"),
        ("console/mod.rs", "use crate::llm;", "`console` never uses `llm`"),
        ("cellar/mod.rs", "", "`cellar` is not in the house list"),
        ("risk/mod.rs", "use crate::cellar::X;", "uses `cellar`, which is not in the house list"),
        ("coordinator/mod.rs", "use tokio::sync::mpsc;", "a pure room names `tokio::`"),
        ("bus/mod.rs", "use tokio::time::sleep;", "a pure room names `tokio::`"),
        ("alarm/mod.rs", "let now = std::time::Instant::now();", "names `Instant::now`"),
        ("gate/mod.rs", "use rand::Rng;", "names `rand::`"),
    ] {
        assert_violation(path, text, expected);
    }
}

#[test]
fn what_breaks_no_rule_is_left_alone() {
    for (path, text) in [
        ("coordinator/mod.rs", "use crate::{bus::Bus, domain::Symbol};"),
        ("bus/mod.rs", "use tokio::sync::Notify;"),
        ("main.rs", "use crate::console::Console; use crate::store::Journal;"),
        ("domain/mod.rs", "// use crate::console::X; Instant::now()"),
        ("domain/mod.rs", "let operand = operand::x();"),
        ("alarm/mod.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    let at = Instant::now();\n}"),
        ("runtime/clock.rs", "let at = Instant::now();"),
        ("risk/mod.rs", "use crate::risk::Rule; macro_rules! m { () => { $crate::console } }"),
    ] {
        let found = violations(&[Source { path, text }]);
        assert!(found.is_empty(), "{path}: {text}: {found:?}");
    }
}

#[test]
fn a_cycle_is_found() {
    let found = violations(&[
        Source { path: "gate/mod.rs", text: "use crate::bus::Bus;" },
        Source { path: "bus/mod.rs", text: "use crate::gate::Gate;" },
    ]);
    assert!(found.iter().any(|line| line == "a cycle: bus -> gate -> bus"), "{found:?}");
}
