//! Trading pairs and the assets they are made of.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Longest asset code accepted, in bytes. Exchanges stay below ten.
const ASSET_BYTES_MAX: usize = 12;

/// Why a text is not a symbol or an asset.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SymbolError {
    /// There is not exactly one slash.
    #[error("`{0}` is not a symbol: write BASE/QUOTE, such as BTC/USDT")]
    NotAPair(String),
    /// One half is not an asset code.
    #[error("`{0}` is not an asset code: 1 to 12 of A-Z and 0-9, such as BTC")]
    NotAnAsset(String),
    /// Base and quote are the same.
    #[error("`{0}` prices an asset in itself: base and quote must differ")]
    SameTwice(String),
}

/// A currency or coin code in capitals: `BTC`, `USDT`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asset(Arc<str>);

impl Asset {
    /// Checks and wraps an asset code.
    pub fn new(code: &str) -> Result<Self, SymbolError> {
        let fits = (1..=ASSET_BYTES_MAX).contains(&code.len());
        if fits && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            Ok(Self(code.into()))
        } else {
            Err(SymbolError::NotAnAsset(code.to_owned()))
        }
    }

    /// The code itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A trading pair, `BASE/QUOTE`: the price is how much quote one base costs.
///
/// Symbols are ordered as their texts are. They are the keys of nearly every map, so the beginning of the text is kept
/// in place: it tells most symbols apart without a look at the text, which lies elsewhere in memory.
#[derive(Clone)]
pub struct Symbol {
    beginning: u64,
    parts: Arc<Parts>,
}

struct Parts {
    text: Box<str>,
    base: Asset,
    quote: Asset,
}

impl Symbol {
    /// Checks and wraps `BASE/QUOTE`.
    pub fn new(text: &str) -> Result<Self, SymbolError> {
        let (base, quote) = text.split_once('/').ok_or_else(|| SymbolError::NotAPair(text.to_owned()))?;
        if quote.contains('/') {
            return Err(SymbolError::NotAPair(text.to_owned()));
        }
        Self::of(&Asset::new(base)?, &Asset::new(quote)?)
    }

    /// The pair of two assets.
    pub fn of(base: &Asset, quote: &Asset) -> Result<Self, SymbolError> {
        let text = format!("{base}/{quote}");
        if base == quote {
            return Err(SymbolError::SameTwice(text));
        }
        let parts = Parts { text: text.into(), base: base.clone(), quote: quote.clone() };
        Ok(Self { beginning: beginning(&parts.text), parts: Arc::new(parts) })
    }

    /// `BASE/QUOTE`.
    pub fn as_str(&self) -> &str {
        &self.parts.text
    }

    /// What is bought.
    pub fn base(&self) -> &Asset {
        &self.parts.base
    }

    /// What it is paid with.
    pub fn quote(&self) -> &Asset {
        &self.parts.quote
    }
}

/// The first eight bytes as a number that orders as they do; a text that is shorter comes first, as no byte is zero.
fn beginning(text: &str) -> u64 {
    let mut bytes = [0; 8];
    for (byte, of_text) in bytes.iter_mut().zip(text.bytes()) {
        *byte = of_text;
    }
    u64::from_be_bytes(bytes)
}

impl PartialEq for Symbol {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Symbol {}

impl PartialOrd for Symbol {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Symbol {
    fn cmp(&self, other: &Self) -> Ordering {
        self.beginning.cmp(&other.beginning).then_with(|| {
            let is_same = Arc::ptr_eq(&self.parts, &other.parts);
            if is_same { Ordering::Equal } else { self.as_str().cmp(other.as_str()) }
        })
    }
}

impl std::hash::Hash for Symbol {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

macro_rules! text_type {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = SymbolError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_type!(Asset);
text_type!(Symbol);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_knows_its_halves() {
        let symbol = Symbol::new("XRP/BTC").unwrap();
        assert_eq!((symbol.base().as_str(), symbol.quote().as_str()), ("XRP", "BTC"));
        assert_eq!(serde_json::to_string(&symbol).unwrap(), "\"XRP/BTC\"");
    }

    #[test]
    fn symbols_are_ordered_and_told_apart_as_their_texts_are() {
        let texts = [
            "A/B",
            "A1/B",
            "BTC/USD",
            "BTC/USDC",
            "BTC/USDT",
            "BTC/USDT1",
            "BTC1/USDT",
            "LONGNAME1/BTC",
            "LONGNAME2/BTC",
        ];
        for (left, right) in texts.iter().flat_map(|left| texts.iter().map(move |right| (left, right))) {
            let symbols = [left, right].map(|text| Symbol::new(text).unwrap());
            assert_eq!(symbols[0].cmp(&symbols[1]), left.cmp(right), "{left} {right}");
            assert_eq!(symbols[0] == symbols[1], left == right, "{left} {right}");
        }
    }

    #[test]
    fn what_is_not_base_slash_quote_is_refused() {
        for text in ["", "BTC", "BTC/", "/USDT", "btc/usdt", "BTC/USDT/X", "BTC/BTC", "B TC/USDT", "ÄÖ/USDT"]
        {
            assert!(Symbol::new(text).is_err(), "{text:?} was accepted");
        }
    }
}
