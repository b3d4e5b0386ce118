//! What a target is for: an asset, or the cash.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{Asset, Pct};

/// The word for the account currency, whatever it is.
pub(super) const CASH: &str = "cash";

/// A key of `target_allocation`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An asset by its code. The account currency by its code is the cash.
    Asset(Asset),
    /// The account currency.
    Cash,
}

impl Target {
    /// The asset, in an account of `currency`.
    pub fn asset<'a>(&'a self, currency: &'a Asset) -> &'a Asset {
        match self {
            Self::Asset(asset) => asset,
            Self::Cash => currency,
        }
    }
}

/// The targets by asset in an account of `currency`; what is said of the currency under both its names is added.
pub(super) fn by_asset(targets: &BTreeMap<Target, Pct>, currency: &Asset) -> BTreeMap<Asset, Pct> {
    let mut sums: BTreeMap<Asset, Pct> = BTreeMap::new();
    for (target, share) in targets {
        let sum = sums.entry(target.asset(currency).clone()).or_insert(Pct::ZERO);
        *sum = Pct::new(sum.value() + share.value()).unwrap_or(Pct::HUNDRED);
    }
    sums
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asset(asset) => asset.fmt(f),
            Self::Cash => f.pad(CASH),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        if word == CASH {
            return Ok(Self::Cash);
        }
        let asset = Asset::new(&word).map_err(|error| D::Error::custom(format!("{error}, or `{CASH}`")))?;
        Ok(Self::Asset(asset))
    }
}
