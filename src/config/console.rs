//! `console.yaml`: keys and what the console keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Most frames drawn a second, 1 to 60.
    pub frames_per_second: u32,
    /// Messages kept for the Topics pane.
    pub traffic_kept: usize,
    /// Log lines kept for the Log pane.
    pub log_kept: usize,
    /// Key texts by what they do; the console checks them.
    pub keys: BTreeMap<String, Vec<String>>,
}
