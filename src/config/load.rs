//! From defaults, files and `--set` options to a checked [`Config`]. All problems are collected before it is refused.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_yaml::Value;

use super::file::ConfigFile;
use super::key_path::{KeyPath, Step};
use super::problem::{ConfigError, Finding, Problem, or_one_of, suggestion};
use super::source::{Overrides, Set, Sources, merge};
use super::target::CASH;
use super::{Config, validate};
use crate::domain::{Asset, SafeText};

/// A configuration that may be run, and what should be said about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration in force.
    pub config: Config,
    /// What is allowed but worth a look.
    pub warnings: Vec<Problem>,
    effective: Vec<(ConfigFile, Value)>,
    sources: Sources,
}

/// Reads, merges and checks everything.
///
/// # Errors
/// All that is wrong, each with its place.
pub fn load(overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let sources = Sources::read(overrides, &mut problems);
    let mut reader = Reader { sources: &sources, findings: Vec::new(), effective: Vec::new() };
    let mut config = reader.config();
    if let (Some(config), Some(symbols)) = (&mut config, &sources.symbols) {
        config.orchestration.symbols.clone_from(symbols);
    }
    let Reader { mut findings, effective, .. } = reader;

    let mut warnings = Vec::new();
    if let Some(config) = &config {
        let report = validate::validate(config);
        findings.extend(report.problems);
        warnings = report.warnings;
    }
    let placed = |finding: Finding| Problem {
        place: sources.place_of(finding.file, &finding.keys),
        key: finding.keys.first().map(KeyPath::to_string).unwrap_or_default(),
        text: finding.text,
    };
    problems.extend(findings.into_iter().map(&placed));
    let warnings: Vec<Problem> = warnings.into_iter().map(&placed).collect();
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded { config, warnings, effective, sources }),
        Some(_) | None => Err(ConfigError::Problems(problems)),
    }
}

impl Loaded {
    /// The values in force as YAML, one file or all of them, each with a line that says where they come from.
    ///
    /// # Errors
    /// When a value cannot be written as YAML.
    pub fn to_yaml(&self, only: Option<ConfigFile>) -> Result<String, ConfigError> {
        let mut text = String::new();
        for (file, value) in &self.effective {
            if only.is_some_and(|only| only != *file) {
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            let mut origin = String::from("the defaults");
            if let Some(user) = self.sources.files.get(file) {
                let _ = write!(origin, ", {}", SafeText::ours(user.path.display()));
            }
            if self.sources.sets.iter().any(|set| set.file == *file) {
                origin.push_str(", --set");
            }
            let _ = write!(text, "# {file}: {origin}\n{}", serde_yaml::to_string(value)?);
        }
        Ok(text)
    }
}

/// Turns the merged values into types, noting what does not fit.
struct Reader<'s> {
    sources: &'s Sources,
    findings: Vec<Finding>,
    effective: Vec<(ConfigFile, Value)>,
}

impl Reader<'_> {
    fn config(&mut self) -> Option<Config> {
        // Every file is read before the first failure ends the reading, so that all problems are found.
        let orchestration = self.file(ConfigFile::Orchestration);
        let agents = self.file(ConfigFile::Agents);
        let risk = self.file(ConfigFile::Risk);
        let portfolio = self.file(ConfigFile::Portfolio);
        let execution = self.file(ConfigFile::Execution);
        let console = self.file(ConfigFile::Console);
        Some(Config {
            orchestration: orchestration?,
            agents: agents?,
            risk: risk?,
            portfolio: portfolio?,
            execution: execution?,
            console: console?,
        })
    }

    /// The defaults of a file with what the operator wrote laid over them.
    fn merged(&mut self, file: ConfigFile, defaults: &Value) -> Value {
        let sources = self.sources;
        let own = sources.files.get(&file).map(|user| user.value.clone());
        let sets = sources.sets.iter().filter(|set| set.file == file).map(Set::as_tree);
        let mut value = defaults.clone();
        for mut layer in own.into_iter().chain(sets) {
            if file == ConfigFile::Portfolio
                && let Some(currency) = self.currency()
                && let Err(text) = replace_cash(&mut value, &mut layer, &currency)
            {
                self.findings.push(Finding { file, keys: vec![KeyPath::of(TARGETS)], text });
            }
            merge(&mut value, layer);
        }
        value
    }

    /// The account currency as it is written, before it is known whether it is one.
    fn currency(&mut self) -> Option<String> {
        let defaults = serde_yaml::from_str(ConfigFile::Execution.embedded()).ok()?;
        let execution = self.merged(ConfigFile::Execution, &defaults);
        Some(KeyPath::of("account.currency").get(&execution)?.as_str()?.to_owned())
    }

    /// Reads one file. A value that does not fit is noted and replaced by its default, and the reading begins again,
    /// until all that does not fit is known.
    fn file<T: DeserializeOwned>(&mut self, file: ConfigFile) -> Option<T> {
        /// More problems than anybody reads; also the end if a repair should not help.
        const PROBLEMS_MAX: usize = 50;

        let defaults: Value = match serde_yaml::from_str(file.embedded()) {
            Ok(defaults) => defaults,
            Err(e) => {
                self.findings.push(Finding { file, keys: vec![], text: e.to_string() });
                return None;
            }
        };
        let mut value = self.merged(file, &defaults);
        for _ in 0..PROBLEMS_MAX {
            match serde_path_to_error::deserialize::<_, T>(value.clone()) {
                Ok(typed) => {
                    self.effective.push((file, value));
                    return Some(typed);
                }
                Err(e) => {
                    let path = KeyPath::from(e.path());
                    let misfit = Misfit::of(&e.inner().to_string(), &path);
                    let before = value.clone();
                    misfit.repair(&mut value, &defaults);
                    self.findings.push(self.finding(file, misfit));
                    if value == before {
                        return None;
                    }
                }
            }
        }
        None
    }
}

impl Reader<'_> {
    /// A key that is missing although the operator wrote it has no value, and that is what there is to say.
    fn finding(&self, file: ConfigFile, misfit: Misfit) -> Finding {
        let written = misfit.missing.map(|key| misfit.at.clone().key(key));
        match written.filter(|key| self.sources.names(file, key)) {
            Some(key) => {
                let text = "is there and empty; give it a value, or take it out for the default";
                Finding { file, keys: vec![key], text: text.to_owned() }
            }
            None => Finding { file, keys: vec![misfit.at], text: misfit.text },
        }
    }
}

/// The map whose keys may name the account currency in two ways.
const TARGETS: &str = "target_allocation";

/// Makes `layer` name the account currency as `cash`, and takes out of `base` what it said of it under either name: the
/// two names mean the same. A target without value that is not there is not there.
fn replace_cash(base: &mut Value, layer: &mut Value, currency: &str) -> Result<(), String> {
    let (Some(Value::Mapping(base)), Some(Value::Mapping(own))) =
        (base.get_mut(TARGETS), layer.get_mut(TARGETS))
    else {
        return Ok(());
    };
    let by_code = own.shift_remove(currency);
    let by_word = own.shift_remove(CASH);
    let has_value = |share: &Option<Value>| share.as_ref().is_some_and(|share| !share.is_null());
    let both = has_value(&by_code) && has_value(&by_word);
    let share = if has_value(&by_word) { by_word } else { by_code.or(by_word) };
    if let Some(share) = share {
        base.shift_remove(currency);
        base.insert(Value::from(CASH), Value::Null);
        own.insert(Value::from(CASH), share);
    }
    let is_absent =
        |key: &Value| !base.contains_key(key) && key.as_str().is_some_and(|code| Asset::new(code).is_ok());
    own.retain(|key, share| !(share.is_null() && is_absent(key)));
    if both {
        return Err(format!("`{CASH}` and `{currency}` both name the account currency; keep one of them"));
    }
    Ok(())
}

/// A value that does not fit its type.
struct Misfit {
    at: KeyPath,
    text: String,
    /// A key that should be there, below `at`.
    missing: Option<String>,
    /// The key itself is wrong, not its value.
    is_key: bool,
}

impl Misfit {
    fn of(message: &str, path: &KeyPath) -> Self {
        let mut misfit = Self { at: path.clone(), text: String::new(), missing: None, is_key: false };
        let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        match words.split_first() {
            Some((word, known)) if message.starts_with("unknown field") => {
                misfit.is_key = true;
                misfit.text = format!("not a key; {}", or_one_of(word, known));
            }
            Some((word, known)) if message.starts_with("unknown variant") => {
                // In a map by task or regime the word is the key, elsewhere the value.
                misfit.is_key = path.0.last() == Some(&Step::Key((*word).to_owned()));
                let near = suggestion(word, known.iter().copied())
                    .map_or_else(String::new, |near| format!("did you mean `{near}`? "));
                misfit.text = format!("`{word}` is not allowed; {near}allowed: {}", known.join(", "));
            }
            Some((word, _)) if message.starts_with("missing field") => {
                misfit.missing = Some((*word).to_owned());
                misfit.text = format!("the key `{word}` is missing");
            }
            Some(_) | None => misfit.text = plain(message),
        }
        misfit
    }

    /// Makes the value fit, so that reading can go on to the next problem.
    fn repair(&self, value: &mut Value, defaults: &Value) {
        if let Some(missing) = &self.missing {
            let path = self.at.clone().key(missing);
            match (path.get(defaults), self.at.get_mut(value)) {
                (Some(default), Some(Value::Mapping(map))) => {
                    map.insert(Value::from(missing.as_str()), default.clone());
                }
                (Some(_) | None, _) => remove(&self.at, value),
            }
            return;
        }
        match (self.at.get(defaults), self.at.get_mut(value)) {
            (Some(default), Some(there)) if !self.is_key && there != default => *there = default.clone(),
            (Some(_) | None, _) => remove(&self.at, value),
        }
    }
}

fn remove(path: &KeyPath, value: &mut Value) {
    let Some((parent, last)) = path.split_last() else { return };
    match (last, parent.get_mut(value)) {
        (Step::Key(key), Some(Value::Mapping(map))) => drop(map.shift_remove(key.as_str())),
        (Step::Index(at), Some(Value::Sequence(items))) if *at < items.len() => drop(items.remove(*at)),
        (Step::Key(_) | Step::Index(_), _) => {}
    }
}

/// The reader's message in the words of somebody who does not know Rust.
fn plain(message: &str) -> String {
    const WORDS: [(&str, &str); 12] = [
        ("expected u8", "allowed: a whole number from 0 to 255"),
        ("expected u16", "allowed: a whole number from 0 to 65535"),
        ("expected u32", "allowed: a whole number from 0"),
        ("expected u64", "allowed: a whole number from 0"),
        ("expected usize", "allowed: a whole number from 0"),
        ("expected f64", "allowed: a number"),
        ("expected a Decimal type representing a fixed-point number", "allowed: a number"),
        ("expected a duration", "allowed: a span such as 30s, 5m, 1h"),
        ("expected a boolean", "allowed: true or false"),
        ("expected a sequence", "allowed: a list, such as [a, b]"),
        ("expected a map", "allowed: a map of keys"),
        ("expected a string", "allowed: a text"),
    ];
    let mut text = message.to_owned();
    for (theirs, ours) in WORDS {
        if let Some(start) = text.strip_suffix(theirs) {
            text = format!("{start}{ours}");
        }
    }
    text.replace("invalid type: ", "").replace("invalid value: ", "")
}
