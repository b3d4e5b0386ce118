//! Identifiers. None is random: each is a counter of the durable state, or derives from the install id and
//! counters, so that the same history always carries the same names.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Default)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(CounterVisitor).map(Self)
            }
        }

        impl $name {
            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix).unwrap_or(text).parse().map(Self)
            }
        }
    };
}

/// Reads a counter as a number, or as the text that JSON makes of it where it is the key of a map.
struct CounterVisitor;

impl Visitor<'_> for CounterVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number that is not negative")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
        text.parse().map_err(E::custom)
    }
}

counter_id!(
    /// Number of a journal record; the first is 1.
    Seq, "#"
);
counter_id!(
    /// One decision on one signal.
    DecisionId, "d"
);
counter_id!(
    /// One DCA plan.
    PlanId, "p"
);
counter_id!(
    /// One occurrence of an alarm.
    AlarmId, "a"
);
counter_id!(
    /// One run of a scheduled task for one symbol.
    RunId, "t"
);
counter_id!(
    /// One operator command.
    CommandId, "c"
);
counter_id!(
    /// The venue's own number of one fill.
    TradeId, "v"
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// From a UUID that was made elsewhere.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// Names one data directory for ever; everything that must be unique at a venue derives from it.
    InstallId
);
uuid_id!(
    /// One message on the bus.
    MessageId
);
uuid_id!(
    /// One trading signal, given by the agent that made it.
    SignalId
);
uuid_id!(
    /// The name under which the venue knows one order of ours; the same intent always has the same name.
    ClientOrderId
);

/// Namespace of the install ids that derive from a seed (a random v4 UUID, fixed for ever).
const SEED_NAMESPACE: Uuid = Uuid::from_u128(0x6f1c_94d2_0b7e_4a55_9c3d_2ab1_77e0_58f4);

impl InstallId {
    /// The id of a simulated or replayed installation: a function of what it is bound to.
    pub fn derived(identity: &str) -> Self {
        Self(Uuid::new_v5(&SEED_NAMESPACE, identity.as_bytes()))
    }
}

impl ClientOrderId {
    /// The name of an order: UUIDv5 over the install id and `intent`, which holds no time and no attempt
    /// (`leg/7/2`, `decision/41/entry`).
    pub fn derive(install: InstallId, intent: &str) -> Self {
        Self(Uuid::new_v5(&install.0, intent.as_bytes()))
    }
}

impl SignalId {
    /// The id of the signal that task run `run` of process run `process_run` makes.
    pub fn derive(install: InstallId, process_run: u16, run: RunId) -> Self {
        Self(Uuid::new_v5(&install.0, format!("signal/{process_run}/{}", run.0).as_bytes()))
    }
}

impl MessageId {
    /// A cheap id for the `count`-th message of process run `run`: the install id's upper half, then run and
    /// count. Never reused, because run numbers are not.
    pub const fn sequential(install: InstallId, run: u32, count: u64) -> Self {
        // 64 bits of installation, 24 of run, 40 of count: a run of 2^40 messages lasts three years at 10,000/s.
        let high = install.0.as_u128() & !0xffff_ffff_ffff_ffff;
        let low = ((run as u128 & 0xff_ffff) << 40) | (count as u128 & 0xff_ffff_ffff);
        Self(Uuid::from_u128(high | low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_intent_always_has_the_same_order_id() {
        let install = InstallId::derived("simulated/USDT/7");
        assert_eq!(ClientOrderId::derive(install, "leg/1/2"), ClientOrderId::derive(install, "leg/1/2"));
        assert_ne!(ClientOrderId::derive(install, "leg/1/2"), ClientOrderId::derive(install, "leg/1/3"));
    }

    #[test]
    fn message_ids_differ_by_run_and_count() {
        let install = InstallId::derived("x");
        let ids = [(1, 1), (1, 2), (2, 1)].map(|(run, count)| MessageId::sequential(install, run, count));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
    }

    #[test]
    fn a_counter_id_is_a_number_in_json_and_still_reads_as_the_key_of_a_buffered_map() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", content = "data")]
        enum Tagged {
            Map(std::collections::BTreeMap<PlanId, Seq>),
        }
        let map = Tagged::Map([(PlanId(3), Seq(7))].into());
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(text, r#"{"kind":"Map","data":{"3":7}}"#);
        assert_eq!(serde_json::from_str::<Tagged>(&text).unwrap(), map);
        let data_first = r#"{"data":{"3":7},"kind":"Map"}"#;
        assert_eq!(serde_json::from_str::<Tagged>(data_first).unwrap(), map);
        assert!(serde_json::from_str::<Seq>("-1").is_err() && serde_json::from_str::<Seq>("1.5").is_err());
    }

    #[test]
    fn a_counter_id_reads_with_and_without_its_letter() {
        assert_eq!("d41".parse(), Ok(DecisionId(41)));
        assert_eq!("41".parse(), Ok(DecisionId(41)));
    }
}
