//! The hash of a line, and a place in the journal that is named by one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::Seq;

/// BLAKE3 of the JSON bytes of one line. Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(blake3::Hash);

/// Not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: want 64 lower-case hexadecimal digits")]
pub struct HashError;

impl Hash {
    /// What the first line of a journal names as the line before: 64 zeros.
    pub const GENESIS: Self = Self(blake3::Hash::from_bytes([0; 32]));

    /// Length of its text.
    pub const HEX_LEN: usize = 64;

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes))
    }

    /// Its 64 digits.
    pub fn hex(&self) -> impl AsRef<str> + use<> {
        self.0.to_hex()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex().as_ref())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let hash = blake3::Hash::from_hex(text).map(Self).map_err(|_| HashError)?;
        // Upper-case digits would give one hash two spellings.
        if hash.hex().as_ref() == text { Ok(hash) } else { Err(HashError) }
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.hex().as_ref())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A record and the hash of its line. Whoever knows a later anchor knows whether anything before it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Number of the record; 0 before the first.
    pub seq: Seq,
    /// Hash of its line.
    pub hash: Hash,
}

/// As it is kept outside: the number and the hash.
impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq.0, self.hash)
    }
}

/// Not a number and a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an anchor: want the number of a record and its hash")]
pub struct AnchorError;

impl FromStr for Anchor {
    type Err = AnchorError;

    fn from_str(text: &str) -> Result<Self, AnchorError> {
        let (seq, hash) = text.split_once(' ').ok_or(AnchorError)?;
        let seq = seq.parse().map_err(|_| AnchorError)?;
        let anchor = Self { seq: Seq(seq), hash: hash.parse().map_err(|_| AnchorError)? };
        if anchor.is_possible() { Ok(anchor) } else { Err(AnchorError) }
    }
}

/// No journal becomes that long; a larger number is damage, and must not be counted on from.
const SEQ_MAX: u64 = 1 << 53;

impl Anchor {
    /// The place before the first record.
    pub const GENESIS: Self = Self { seq: Seq(0), hash: Hash::GENESIS };

    /// Whether a journal can have such a record.
    pub(super) const fn is_possible(&self) -> bool {
        self.seq.0 < SEQ_MAX
    }

    /// Whether a run can go on from there, and the next ones.
    pub(in crate::store) const fn leaves_numbers(&self) -> bool {
        self.seq.0 < SEQ_MAX / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_reads_back_as_it_is_kept() {
        let anchor = Anchor { seq: Seq(7), hash: Hash::of(b"line") };
        assert_eq!(anchor.to_string().parse(), Ok(anchor));
        let endless = Anchor { seq: Seq(u64::MAX), ..anchor }.to_string();
        for text in ["", "7", "7 ", "x 00", &endless, &anchor.to_string()[1..], &format!("{anchor} ")] {
            assert_eq!(text.parse::<Anchor>(), Err(AnchorError), "{text:?}");
        }
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = Hash::of(b"andon");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().to_uppercase().parse::<Hash>(), Err(HashError));
        assert_eq!(Hash::GENESIS.to_string(), "0".repeat(Hash::HEX_LEN));
    }
}
