//! Maps whose keys are words of a closed enum, read so that an error names its key.
//!
//! An enum reads its own name in a way that hides it from whoever follows the path to an error; a text does not.

use std::collections::BTreeMap;

use serde::de::value::Error as WordError;
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer};

/// For `#[serde(deserialize_with = "by_name")]`.
pub(super) fn by_name<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: DeserializeOwned + Ord,
    V: Deserialize<'de>,
{
    let named = BTreeMap::<Named<K>, V>::deserialize(deserializer)?;
    Ok(named.into_iter().map(|(Named(key), value)| (key, value)).collect())
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Named<K>(K);

impl<'de, K: DeserializeOwned> Deserialize<'de> for Named<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let key: Result<K, WordError> = K::deserialize(word.into_deserializer());
        key.map(Self).map_err(D::Error::custom)
    }
}
