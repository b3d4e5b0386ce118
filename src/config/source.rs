//! What the operator wrote: the files of a configuration directory and the `--set` options.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde_yaml::Value;

use super::bounded;
use super::file::ConfigFile;
use super::key_path::{KeyPath, Step};
use super::locate::locate;
use super::problem::{Place, Problem, or_one_of};
use crate::domain::Symbol;

/// What is laid over the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// A directory with files of the same names as the defaults. It must hold at least one.
    pub dir: Option<PathBuf>,
    /// `FILE.KEY=VALUE`, later ones over earlier ones.
    pub set: Vec<String>,
    /// Symbols that the market brings along; they take the place of the configured ones.
    pub symbols: Option<Vec<Symbol>>,
}

/// `~/.config/andon` (or what XDG says), if it is there.
pub fn default_dir() -> Option<PathBuf> {
    let dir = etcetera::choose_base_strategy().ok()?.config_dir().join("andon");
    dir.is_dir().then_some(dir)
}

/// A file of the operator.
#[derive(Debug)]
pub(super) struct UserFile {
    pub path: PathBuf,
    text: String,
    pub value: Value,
}

/// A `--set` option.
#[derive(Debug)]
pub(super) struct Set {
    text: String,
    pub file: ConfigFile,
    pub path: KeyPath,
    pub value: Value,
}

/// Everything the operator wrote, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub files: BTreeMap<ConfigFile, UserFile>,
    pub sets: Vec<Set>,
    pub symbols: Option<Vec<Symbol>>,
}

impl Sources {
    /// Reads directory and options; what cannot be read becomes a problem.
    pub(super) fn read(overrides: &Overrides, problems: &mut Vec<Problem>) -> Self {
        let mut sources = Self { symbols: overrides.symbols.clone(), ..Self::default() };
        if let Some(dir) = &overrides.dir {
            sources.read_dir(dir, problems);
        }
        for text in &overrides.set {
            match Set::parse(text) {
                Ok(set) => sources.sets.push(set),
                Err(wrong) => {
                    problems.push(Problem {
                        place: Place::Set(text.clone()),
                        key: String::new(),
                        text: wrong,
                    });
                }
            }
        }
        sources
    }

    fn read_dir(&mut self, dir: &Path, problems: &mut Vec<Problem>) {
        let names = match yaml_names(dir) {
            Ok(names) => names,
            Err(e) => {
                let advice = format!(
                    "cannot read this configuration directory: {e}; `andon config init DIR` writes one"
                );
                return problems.push(Problem::of_path(dir, advice));
            }
        };
        if names.is_empty() {
            let known = ConfigFile::ALL.map(ConfigFile::file_name).join(", ");
            let advice = format!("no configuration file is in this directory; it may hold {known}");
            problems.push(Problem::of_path(dir, advice));
        }
        for name in names {
            let path = dir.join(&name);
            let Some(file) = ConfigFile::ALL.into_iter().find(|file| file.file_name() == name) else {
                let known = ConfigFile::ALL.map(ConfigFile::file_name);
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let advice = format!("not a configuration file of andon; {}", or_one_of(&name, &known));
                problems.push(Problem::of_path(&path, advice));
                continue;
            };
            match read_file(&path) {
                Ok(read) => drop(self.files.insert(file, read)),
                Err(problem) => problems.push(problem),
            }
        }
    }

    /// Where the value of one of `keys` came from: the first that the operator wrote, else the defaults.
    pub(super) fn place_of(&self, file: ConfigFile, keys: &[KeyPath]) -> Place {
        let own = keys.iter().find_map(|key| self.place_of_key(file, key));
        own.unwrap_or(Place::BuiltIn(file))
    }

    /// Whether the operator wrote this very key.
    pub(super) fn names(&self, file: ConfigFile, key: &KeyPath) -> bool {
        let set = self.sets.iter().any(|set| set.file == file && key.get(&set.as_tree()).is_some());
        set || self.files.get(&file).is_some_and(|user| key.get(&user.value).is_some())
    }

    fn place_of_key(&self, file: ConfigFile, key: &KeyPath) -> Option<Place> {
        if self.symbols.is_some()
            && file == ConfigFile::Orchestration
            && KeyPath::of("symbols").is_on_the_way_of(key)
        {
            return Some(Place::Market);
        }
        let set = self.sets.iter().rev().find(|set| set.file == file && set.path.is_on_the_way_of(key));
        if let Some(set) = set {
            return Some(Place::Set(set.text.clone()));
        }
        let user = self.files.get(&file)?;
        if key.0.is_empty() {
            return Some(Place::Path(user.path.clone()));
        }
        let (line, column) = locate(&user.text, key)?;
        Some(Place::Line { path: user.path.clone(), line, column })
    }
}

/// Names of the YAML files in a directory, sorted.
fn yaml_names(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_yaml = Path::new(&name).extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if is_yaml && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read_file(path: &Path) -> Result<UserFile, Problem> {
    let refused = |place: Place, text: String| Problem { place, key: String::new(), text };
    let whole = || Place::Path(path.to_owned());
    let text = bounded::read(path).map_err(|e| refused(whole(), e.to_string()))?;
    if let Some((line, column)) = bounded::too_deep(&text) {
        let place = Place::Line { path: path.to_owned(), line, column };
        return Err(refused(place, bounded::too_deep_text()));
    }
    let value: Value = serde_yaml::from_str(&text).map_err(|e| {
        let place = e.location().map_or_else(whole, |at| Place::Line {
            path: path.to_owned(),
            line: at.line(),
            column: at.column(),
        });
        let message = e.to_string();
        let message = without_location(&message);
        // Of a repeated key the reader gives the place of the whole map.
        let scope = if message.contains("duplicate entry") { "in the map that begins here, " } else { "" };
        refused(place, format!("not readable as YAML: {scope}{message}"))
    })?;
    match value {
        Value::Null => {
            Err(refused(whole(), "the file is empty; remove it to use the defaults, or write a key".into()))
        }
        Value::Mapping(_) => Ok(UserFile { path: path.to_owned(), text, value }),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sequence(_) | Value::Tagged(_) => {
            Err(refused(whole(), "not a map of keys; write `key: value` lines as in the defaults".into()))
        }
    }
}

/// The reader's message without its own ` at line 3 column 5`, which the place says already.
fn without_location(message: &str) -> &str {
    message.split(" at line ").next().unwrap_or(message)
}

impl Set {
    fn parse(text: &str) -> Result<Self, String> {
        const USAGE: &str = "write FILE.KEY=VALUE, such as portfolio.dca.legs_max=4";
        let (key, value) = text.split_once('=').ok_or_else(|| format!("no `=` in it; {USAGE}"))?;
        let (stem, key) = key.split_once('.').ok_or_else(|| format!("no key in it; {USAGE}"))?;
        let file = ConfigFile::of_stem(stem).ok_or_else(|| {
            let known = ConfigFile::ALL.map(ConfigFile::stem);
            format!("`{stem}` is not a configuration file; {}", or_one_of(stem, &known))
        })?;
        if key.split('.').any(str::is_empty) {
            return Err(format!("a part of the key is empty; {USAGE}"));
        }
        if bounded::too_deep(value).is_some() {
            return Err(bounded::too_deep_text());
        }
        let value = serde_yaml::from_str(value).map_err(|e| {
            format!("the value is not readable as YAML: {}", without_location(&e.to_string()))
        })?;
        Ok(Self { text: text.to_owned(), file, path: KeyPath::of(key), value })
    }

    /// The value inside the maps that lead to it.
    pub(super) fn as_tree(&self) -> Value {
        self.path.0.iter().rev().fold(self.value.clone(), |inner, step| {
            let key = match step {
                Step::Key(key) => Value::from(key.as_str()),
                Step::Index(index) => Value::from(*index),
            };
            Value::Mapping([(key, inner)].into_iter().collect())
        })
    }
}

/// Lays `over` over `base`: maps key by key, everything else as a whole; a key without value (`key:`, `null`) takes
/// the key out of the defaults.
pub(super) fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Mapping(base), Value::Mapping(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(_) if value.is_null() => drop(base.shift_remove(&key)),
                    Some(there) => merge(there, value),
                    // Also without value: a mistyped key must be met as unknown, not vanish.
                    None => drop(base.insert(key, value)),
                }
            }
        }
        (base, over) => *base = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, over: &str) -> String {
        let mut base: Value = serde_yaml::from_str(base).unwrap();
        merge(&mut base, serde_yaml::from_str(over).unwrap());
        serde_yaml::to_string(&base).unwrap()
    }

    #[test]
    fn maps_merge_lists_replace_and_nothing_removes() {
        assert_eq!(merged("{a: {b: 1, c: 2}}", "{a: {c: 3, d: 4}}"), "a:\n  b: 1\n  c: 3\n  d: 4\n");
        assert_eq!(merged("{a: [1, 2, 3]}", "{a: [9]}"), "a:\n- 9\n");
        assert_eq!(merged("{a: {b: 1, c: 2, d: 3}}", "{a: {b: ~}}"), "a:\n  c: 2\n  d: 3\n");
        assert_eq!(merged("{a: {b: 1}}", "{a: 5}"), "a: 5\n");
    }

    #[test]
    fn a_set_option_becomes_a_tree() {
        let set = Set::parse("orchestration.consensus.high=0.7").unwrap();
        assert_eq!(serde_yaml::to_string(&set.as_tree()).unwrap(), "consensus:\n  high: 0.7\n");
        let set = Set::parse("portfolio.target_allocation={BTC: 50, USDT: 50}").unwrap();
        assert!(set.value.is_mapping());
        let set = Set::parse("console.keys.filter=[\"=\"]").unwrap();
        assert_eq!(set.value[0], Value::from("="));
    }

    #[test]
    fn a_wrong_set_option_says_how_it_is_written() {
        for (text, expected) in [
            ("risk.stop", "no `=` in it; write FILE.KEY=VALUE"),
            ("risk=1", "no key in it"),
            ("risk..x=1", "a part of the key is empty"),
            ("riks.x=1", "did you mean `risk`?"),
            ("nonsense.x=1", "allowed: orchestration, agents"),
            ("risk.x=[1", "not readable as YAML"),
        ] {
            let error = Set::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
