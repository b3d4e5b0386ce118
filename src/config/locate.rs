//! Finds the line of a key in the text of a YAML file.
//!
//! The reader of the text itself is used: a walk along the key path fails on purpose at its end, and the error
//! carries the place. So quoted keys, flow maps and anchors are found as well as plain lines.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::key_path::{KeyPath, Step};

/// Line and column of a key (or of a list's element), both from 1; none when the text has no such key.
pub(super) fn locate(text: &str, path: &KeyPath) -> Option<(usize, usize)> {
    if path.0.is_empty() {
        return None;
    }
    let error = Walk(&path.0).deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    let place = error.location()?;
    // Any other error means that the text could not be read that far.
    error.to_string().contains(HERE).then_some((place.line(), place.column()))
}

const HERE: &str = "the key is here";

/// Walks the rest of a path; reading fails where the path ends and succeeds where it leads nowhere.
struct Walk<'p>(&'p [Step]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.0.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while let Some(found) = map.next_key_seed(Key { wanted, is_last: rest.is_empty() })? {
            if found {
                map.next_value_seed(Walk(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.0.split_first() else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        for _ in 0..*wanted {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        if rest.is_empty() {
            seq.next_element_seed(Stop)?;
        } else {
            seq.next_element_seed(Walk(rest))?;
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a key: is it the wanted one? The last one of a path stops the walk.
struct Key<'p> {
    wanted: &'p str,
    is_last: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        match (key == self.wanted, self.is_last) {
            (true, true) => Err(E::custom(HERE)),
            (is_wanted, _) => Ok(is_wanted),
        }
    }
}

/// Fails at whatever it meets.
struct Stop;

impl<'de> DeserializeSeed<'de> for Stop {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Stop {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HERE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment with high: in it
consensus:
  low: 0.3
  'high': 0.7
tasks: {ta: {every: 60s}, \"x y\": 1}
symbols: [BTC/USDT,
  XRP/USDT]
tiers:
  - from: 1
  - from: 2
";

    #[test]
    fn keys_are_found_in_every_way_of_writing_them() {
        for (path, place) in [
            (KeyPath::of("consensus"), (2, 1)),
            (KeyPath::of("consensus.low"), (3, 3)),
            (KeyPath::of("consensus.high"), (4, 3)),
            (KeyPath::of("tasks.ta.every"), (5, 14)),
            (KeyPath::of("tasks.x y"), (5, 27)),
            (KeyPath::of("symbols").index(1), (7, 3)),
            (KeyPath::of("tiers").index(1).key("from"), (10, 5)),
        ] {
            assert_eq!(locate(TEXT, &path), Some(place), "{path}");
        }
    }

    #[test]
    fn what_is_not_there_has_no_place() {
        for path in ["high", "consensus.max", "consensus.low.deeper", "symbols.high", "tasks.ta.every.x"] {
            assert_eq!(locate(TEXT, &KeyPath::of(path)), None, "{path}");
        }
        assert_eq!(locate(TEXT, &KeyPath::of("tiers").index(7)), None);
        assert_eq!(locate("a: [", &KeyPath::of("b")), None);
    }
}
