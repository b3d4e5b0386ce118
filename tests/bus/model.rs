//! Any interleaving of subscribing, publishing, receiving, leaving and expiring, against a model that is slow,
//! has no lanes, no index and no locks, and says in a few lines what the bus promises.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use andon::domain::{RiskAlert, Severity};

const TOPICS: [Topic; 2] = [Topic::SystemEvents, Topic::RiskAlerts];
const IDS: [&str; 3] = ["a", "b", "c"];
const SOURCES: [&str; 3] = ["agent", "risk", "health"];
const SYMBOLS: [Option<&str>; 3] = [None, Some("BTC/USDT"), Some("XRP/USDT")];
const HISTORY_MAX: usize = 5;

#[derive(Debug, Clone)]
enum Step {
    Subscribe {
        id: &'static str,
        topics: Vec<Topic>,
        capacity: usize,
        filter: Filter,
    },
    Leave(&'static str),
    Publish {
        topic: Topic,
        source: &'static str,
        symbol: Option<&'static str>,
        priority: Priority,
        ttl_secs: u64,
    },
    Receive(&'static str),
    Advance {
        secs: u64,
    },
    Cleanup,
    Ask(Query),
}

fn priority() -> impl Strategy<Value = Priority> {
    select(Priority::DESCENDING.to_vec())
}

fn filter() -> impl Strategy<Value = Filter> {
    let lowest = prop_oneof![3 => Just(Priority::Low), 1 => priority()];
    let sources = proptest::sample::subsequence(SOURCES.to_vec(), 0..=1);
    let symbols = proptest::sample::subsequence(vec!["BTC/USDT", "XRP/USDT"], 0..=1);
    (lowest, sources, symbols).prop_map(|(lowest, sources, symbols)| {
        let symbols = symbols.into_iter().map(|text| Symbol::new(text).unwrap());
        Filter::all().at_least(lowest).from_sources(sources).about(symbols)
    })
}

fn query() -> impl Strategy<Value = Query> {
    let topic = proptest::option::of(select(TOPICS.to_vec()));
    let source = proptest::option::of(select(SOURCES.to_vec()));
    let since = proptest::option::of(0_u64..20);
    (topic, source, select(SYMBOLS.to_vec()), since, 0_usize..8).prop_map(
        |(topic, source, symbol, since, limit)| Query {
            topic,
            source: source.map(Into::into),
            symbol: symbol.map(|text| Symbol::new(text).unwrap()),
            since: since.map(|secs| NOW.plus(Duration::from_secs(secs))),
            limit,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let topics = proptest::sample::subsequence(TOPICS.to_vec(), 1..=2);
    let subscribing = (select(IDS.to_vec()), topics, 0_usize..4, filter());
    let publishing =
        (select(TOPICS.to_vec()), select(SOURCES.to_vec()), select(SYMBOLS.to_vec()), priority(), 0_u64..12);
    prop_oneof![
        3 => subscribing
            .prop_map(|(id, topics, capacity, filter)| Step::Subscribe { id, topics, capacity, filter }),
        1 => select(IDS.to_vec()).prop_map(Step::Leave),
        2 => query().prop_map(Step::Ask),
        12 => publishing.prop_map(|(topic, source, symbol, priority, ttl_secs)| {
            Step::Publish { topic, source, symbol, priority, ttl_secs }
        }),
        5 => select(IDS.to_vec()).prop_map(Step::Receive),
        3 => (0_u64..6).prop_map(|secs| Step::Advance { secs }),
        1 => Just(Step::Cleanup),
    ]
}

struct ModelMailbox {
    topics: Vec<Topic>,
    capacity: usize,
    filter: Filter,
    /// In order of arrival.
    queue: Vec<Arc<Message>>,
}

#[derive(Default)]
struct Model {
    mailboxes: BTreeMap<&'static str, ModelMailbox>,
    history: Vec<Arc<Message>>,
    /// Everything ever published and not cleaned up.
    said: Vec<Arc<Message>>,
    delivered: u64,
    dropped: u64,
    expired: u64,
}

impl ModelMailbox {
    /// Whether topic and filter let the message in.
    fn wants(&self, message: &Message) -> bool {
        let Filter { sources, symbols, min_priority } = &self.filter;
        let from = sources.is_empty() || sources.iter().any(|source| **source == *message.source);
        let symbol = message.payload.symbol();
        let about = symbols.is_empty() || symbol.is_none() || symbols.iter().any(|one| Some(one) == symbol);
        self.topics.contains(&message.topic) && from && about && message.priority as u8 >= *min_priority as u8
    }

    /// Whether it took the message, and how many were dropped.
    fn offer(&mut self, message: &Arc<Message>) -> (bool, usize) {
        self.queue.push(Arc::clone(message));
        if self.queue.len() <= self.capacity.max(1) {
            return (true, 0);
        }
        let lowest = self.queue.iter().map(|m| m.priority).min().unwrap();
        let victim = self.queue.iter().position(|m| m.priority == lowest).unwrap();
        let victim = self.queue.remove(victim);
        (victim.id != message.id, 1)
    }
}

impl Model {
    fn publish(&mut self, message: &Arc<Message>) -> Published {
        self.history.push(Arc::clone(message));
        if self.history.len() > HISTORY_MAX {
            self.history.remove(0);
        }
        self.said.push(Arc::clone(message));
        let mut published = Published::default();
        for mailbox in self.mailboxes.values_mut().filter(|mailbox| mailbox.wants(message)) {
            let (took, dropped) = mailbox.offer(message);
            published.mailboxes += usize::from(took);
            published.dropped += dropped;
        }
        self.dropped += published.dropped as u64;
        published
    }

    fn ask(&self, query: &Query, now: Timestamp) -> Vec<MessageId> {
        let mut found: Vec<_> = self.history.iter().filter(|message| !message.is_expired(now)).collect();
        found.retain(|message| query.topic.is_none_or(|topic| message.topic == topic));
        found.retain(|message| query.source.as_deref().is_none_or(|source| *message.source == *source));
        found.retain(|message| query.symbol.is_none() || message.payload.symbol() == query.symbol.as_ref());
        found.retain(|message| query.since.is_none_or(|since| message.timestamp >= since));
        found.iter().rev().take(query.limit).map(|message| message.id).collect()
    }

    fn receive(&mut self, id: &str, now: Timestamp) -> Option<MessageId> {
        let queue = &mut self.mailboxes.get_mut(id)?.queue;
        while let Some(highest) = queue.iter().map(|m| m.priority).max() {
            let place = queue.iter().position(|m| m.priority == highest)?;
            let message = queue.remove(place);
            if !message.is_expired(now) {
                self.delivered += 1;
                return Some(message.id);
            }
            self.expired += 1;
        }
        None
    }

    /// Of the last word of each source, the newest that has not expired.
    fn latest(&self, topic: Topic, symbol: Option<&Symbol>, now: Timestamp) -> Option<MessageId> {
        let about = |m: &&Arc<Message>| m.topic == topic && m.payload.symbol() == symbol;
        let mut heard = Vec::new();
        self.said.iter().rev().filter(about).find_map(|message| {
            let last_word = !heard.contains(&&message.source);
            heard.push(&message.source);
            (last_word && !message.is_expired(now)).then_some(message.id)
        })
    }
}

fn payload(topic: Topic, symbol: Option<&str>) -> Payload {
    if topic == Topic::SystemEvents {
        return event(symbol, "");
    }
    Payload::Risk(RiskAlert {
        symbol: symbol.map(|text| Symbol::new(text).unwrap()),
        kind: "drawdown".into(),
        severity: Severity::Low,
        detail: SafeText::default(),
    })
}

proptest! {
    #[test]
    fn any_interleaving_keeps_what_the_model_promises(steps in proptest::collection::vec(step(), 1..120)) {
        let bus = bus_keeping(HISTORY_MAX);
        let mut mailboxes: BTreeMap<&str, Mailbox> = BTreeMap::new();
        let (mut model, mut now, mut count) = (Model::default(), NOW, 0);
        for step in steps {
            match step {
                Step::Subscribe { id, topics, capacity, filter } => {
                    mailboxes.insert(id, bus.subscribe(id, &topics, capacity, filter.clone()));
                    let mailbox = ModelMailbox { topics, capacity, filter, queue: Vec::new() };
                    model.mailboxes.insert(id, mailbox);
                }
                Step::Leave(id) => {
                    mailboxes.remove(id);
                    model.mailboxes.remove(id);
                }
                Step::Ask(query) => {
                    let found: Vec<_> = bus.history(&query).iter().map(|message| message.id).collect();
                    prop_assert_eq!(found, model.ask(&query, now), "{:?}", query);
                }
                Step::Publish { topic, source, symbol, priority, ttl_secs } => {
                    count += 1;
                    let urgent_refused = priority == Priority::Urgent && source == "agent";
                    let sent = Arc::new(Message {
                        topic,
                        source: source.into(),
                        priority,
                        timestamp: now,
                        ttl: (ttl_secs > 0).then(|| Duration::from_secs(ttl_secs)),
                        payload: payload(topic, symbol),
                        ..message(count)
                    });
                    let published = bus.publish(Arc::clone(&sent), now);
                    if urgent_refused {
                        prop_assert_eq!(published, Err(MessageError::UrgentNotAllowed(source.to_owned())));
                    } else {
                        prop_assert_eq!(published, Ok(model.publish(&sent)));
                    }
                }
                Step::Receive(id) => {
                    let received = mailboxes.get_mut(id).and_then(|mailbox| mailbox.try_recv().ok());
                    prop_assert_eq!(received.map(|message| message.id), model.receive(id, now));
                }
                Step::Advance { secs } => {
                    now = now.plus(Duration::from_secs(secs));
                    bus.advance(now);
                }
                Step::Cleanup => {
                    let before = model.history.len();
                    model.history.retain(|message| !message.is_expired(now));
                    prop_assert_eq!(bus.cleanup(now), before - model.history.len());
                }
            }
            for topic in TOPICS {
                for symbol in SYMBOLS {
                    let symbol = symbol.map(|text| Symbol::new(text).unwrap());
                    let latest = bus.latest(topic, symbol.as_ref()).map(|message| message.id);
                    prop_assert_eq!(latest, model.latest(topic, symbol.as_ref(), now));
                }
            }
            let newest_first = model.history.iter().rev().filter(|m| !m.is_expired(now)).map(|m| m.id);
            let history: Vec<_> = bus.history(&Query::default()).iter().map(|m| m.id).collect();
            prop_assert_eq!(history, newest_first.collect::<Vec<_>>());
            let stats = bus.stats();
            assert_consistent(&stats);
            let queued: usize = model.mailboxes.values().map(|mailbox| mailbox.queue.len()).sum();
            prop_assert_eq!((stats.queued, stats.history), (queued, model.history.len()));
            prop_assert_eq!(
                (stats.counts.delivered, stats.counts.dropped, stats.counts.expired),
                (model.delivered, model.dropped, model.expired)
            );
        }
    }
}
