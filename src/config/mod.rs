//! Configuration: one file here per YAML file. The defaults are the files of `config/`, embedded into the binary;
//! a file of the same name in the user's directory is merged over them key by key, and `--set` over both.
//!
//! Nothing here is guessed: an unknown key, a value out of range or keys that contradict each other refuse the start,
//! all of them at once, each with file, line, key and what is allowed.

mod agents;
pub(crate) mod bounded;
mod by_name;
mod console;
mod execution;
mod file;
mod init;
mod key_path;
mod key_press;
mod load;
mod locate;
mod minimum;
mod orchestration;
mod portfolio;
mod price_path;
mod problem;
mod risk;
mod source;
mod target;
mod validate;

pub use agents::{
    Agents, BollingerTerms, IndicatorPeriods, MacdPeriods, RegimeDetection, Technical, TradingDecision,
};
pub use console::Console;
pub use execution::{Account, Execution, ExecutionFile, Paper};
pub use file::ConfigFile;
pub use init::init;
pub use key_path::KeyPath;
pub use key_press::{KeyError, KeyPress};
pub use load::{Loaded, load};
pub use minimum::Minimum;
pub use orchestration::{
    ConflictDefaults, Conflicts, Consensus, Control, Degradation, Emergency, EmergencyAction, EmergencyVerb,
    FreshFor, Health, Llm, Market, MessageBus, ModificationBounds, Orchestration, Provider, Restart,
    Schedules, Signals, Store, Task, TaskName,
};
pub use portfolio::{Dca, Portfolio, Rebalancing};
pub use price_path::{converts, price_path};
pub use problem::{ConfigError, Finding, Place, Problem};
pub use risk::{
    Breakers, ConfidenceTier, Cooldown, DrawdownTier, Exposure, Leverage, MinConfidence, ORDERS_KEPT_FOR,
    ORDERS_KEPT_MAX, Orders, Risk, Size, Stop,
};
pub use source::{Overrides, default_dir};
pub use target::Target;
pub use validate::{Report, validate};

use serde::Serialize;

/// All of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// `orchestration.yaml`.
    pub orchestration: Orchestration,
    /// `agents.yaml`.
    pub agents: Agents,
    /// `risk.yaml`.
    pub risk: Risk,
    /// `portfolio.yaml`.
    pub portfolio: Portfolio,
    /// `execution.yaml`.
    pub execution: ExecutionFile,
    /// `console.yaml`.
    pub console: Console,
}

impl Config {
    /// The embedded defaults.
    ///
    /// # Errors
    /// When an embedded file is not readable; a test reads them all.
    pub fn defaults() -> Result<Self, serde_yaml::Error> {
        Ok(Self {
            orchestration: serde_yaml::from_str(ConfigFile::Orchestration.embedded())?,
            agents: serde_yaml::from_str(ConfigFile::Agents.embedded())?,
            risk: serde_yaml::from_str(ConfigFile::Risk.embedded())?,
            portfolio: serde_yaml::from_str(ConfigFile::Portfolio.embedded())?,
            execution: serde_yaml::from_str(ConfigFile::Execution.embedded())?,
            console: serde_yaml::from_str(ConfigFile::Console.embedded())?,
        })
    }

    /// BLAKE3 of the configuration as JSON with sorted keys, in hex: the same values give the same text, however they
    /// were written.
    ///
    /// # Errors
    /// When a value has no JSON form; none of a validated configuration is like that.
    pub fn fingerprint(&self) -> Result<String, serde_json::Error> {
        // Through `Value`, whose maps are sorted, so that moving a field in a struct changes nothing.
        let canonical = serde_json::to_value(self)?.to_string();
        Ok(blake3::hash(canonical.as_bytes()).to_hex().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_defaults_are_readable() {
        let config = Config::defaults().unwrap();
        assert_eq!(config.orchestration.symbols.len(), 3);
    }

    #[test]
    fn the_embedded_defaults_have_neither_problems_nor_warnings() {
        assert_eq!(validate(&Config::defaults().unwrap()), Report::default());
    }

    #[test]
    fn the_fingerprint_follows_the_values() {
        let mut config = Config::defaults().unwrap();
        let before = config.fingerprint().unwrap();
        assert_eq!(before.len(), 64);
        assert_eq!(before, Config::defaults().unwrap().fingerprint().unwrap());
        config.portfolio.dca.legs_max += 1;
        assert_ne!(before, config.fingerprint().unwrap());
    }
}
