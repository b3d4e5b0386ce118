//! What was said lately, and the last word of everybody. The ring is bounded by count; the index by (topic,
//! symbol, source) outlives eviction from the ring, so the newest message is always one look-up away. The index
//! is bounded too: who invents names without end only displaces the oldest names.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::domain::{Message, Symbol, Timestamp, Topic};

/// Most symbols whose newest messages are known, per topic.
const SYMBOLS_MAX: usize = 1_024;
/// Most sources whose newest message is known, per topic and symbol.
const SOURCES_MAX: usize = 64;

/// Which messages of the history are wanted: every condition must hold, none is asked by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Only on this topic.
    pub topic: Option<Topic>,
    /// Only from this sender.
    pub source: Option<Arc<str>>,
    /// Only about exactly this symbol.
    pub symbol: Option<Symbol>,
    /// Only with a timestamp at or after this.
    pub since: Option<Timestamp>,
    /// At most so many, the newest.
    pub limit: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self { topic: None, source: None, symbol: None, since: None, limit: usize::MAX }
    }
}

impl Query {
    fn accepts(&self, message: &Message) -> bool {
        self.topic.is_none_or(|topic| topic == message.topic)
            && self.source.as_ref().is_none_or(|source| *source == message.source)
            && self.symbol.as_ref().is_none_or(|symbol| message.payload.symbol() == Some(symbol))
            && self.since.is_none_or(|since| message.timestamp >= since)
    }
}

/// Ring and index.
#[derive(Debug)]
pub(super) struct History {
    ring: VecDeque<Arc<Message>>,
    size_max: usize,
    topics: [TopicIndex; Topic::ALL.len()],
    /// Number of the latest message, by which words are ordered.
    order: u64,
}

#[derive(Debug, Default)]
struct TopicIndex {
    unnamed: Words,
    /// Sorted, because a few comparisons cost less than hashing a symbol.
    symbols: BTreeMap<Symbol, Words>,
}

/// The newest message of each source.
#[derive(Debug, Default)]
struct Words {
    by_source: Vec<Word>,
    /// Where in `by_source` the newest of all stands.
    newest: usize,
}

#[derive(Debug)]
struct Word {
    order: u64,
    message: Arc<Message>,
}

impl History {
    pub(super) fn new(size_max: usize) -> Self {
        Self { ring: VecDeque::new(), size_max, topics: Default::default(), order: 0 }
    }

    /// Keeps a message. Returns the one that had to leave the ring, to be dropped once the lock is released.
    pub(super) fn push(&mut self, message: &Arc<Message>) -> Option<Arc<Message>> {
        self.order += 1;
        self.topics[message.topic as usize].put(self.order, message);
        if self.size_max == 0 {
            return None;
        }
        let evicted = if self.ring.len() >= self.size_max { self.ring.pop_front() } else { None };
        self.ring.push_back(Arc::clone(message));
        evicted
    }

    /// The newest unexpired last word about the symbol on the topic.
    pub(super) fn latest(
        &self,
        topic: Topic,
        symbol: Option<&Symbol>,
        now: Timestamp,
    ) -> Option<Arc<Message>> {
        self.topics[topic as usize].words(symbol)?.latest(now)
    }

    /// Unexpired messages of the ring, newest first.
    pub(super) fn query(&self, query: &Query, now: Timestamp) -> Vec<Arc<Message>> {
        self.ring
            .iter()
            .rev()
            .filter(|message| query.accepts(message) && !message.is_expired(now))
            .take(query.limit)
            .cloned()
            .collect()
    }

    /// Takes everything expired out of ring and index and hands it out, to be dropped once the lock is released.
    /// The first number is how many left the ring.
    pub(super) fn remove_expired(&mut self, now: Timestamp) -> (usize, Vec<Arc<Message>>) {
        let mut removed = Vec::new();
        self.ring.retain(|message| keep_unexpired(message, now, &mut removed));
        let from_ring = removed.len();
        for topic in &mut self.topics {
            topic.unnamed.remove_expired(now, &mut removed);
            topic.symbols.retain(|_, words| {
                words.remove_expired(now, &mut removed);
                !words.by_source.is_empty()
            });
        }
        (from_ring, removed)
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    /// How many (topic, source, symbol) are known.
    pub(super) fn indexed(&self) -> usize {
        let of = |topic: &TopicIndex| {
            topic.unnamed.by_source.len() + topic.symbols.values().map(|w| w.by_source.len()).sum::<usize>()
        };
        self.topics.iter().map(of).sum()
    }
}

fn keep_unexpired(message: &Arc<Message>, now: Timestamp, removed: &mut Vec<Arc<Message>>) -> bool {
    let keep = !message.is_expired(now);
    if !keep {
        removed.push(Arc::clone(message));
    }
    keep
}

impl TopicIndex {
    fn words(&self, symbol: Option<&Symbol>) -> Option<&Words> {
        match symbol {
            Some(symbol) => self.symbols.get(symbol),
            None => Some(&self.unnamed),
        }
    }

    fn put(&mut self, order: u64, message: &Arc<Message>) {
        let Some(symbol) = message.payload.symbol() else {
            return self.unnamed.put(order, message);
        };
        if let Some(words) = self.symbols.get_mut(symbol) {
            return words.put(order, message);
        }
        if self.symbols.len() >= SYMBOLS_MAX {
            let oldest = self.symbols.iter().min_by_key(|(_, words)| words.order()).map(|(s, _)| s.clone());
            if let Some(oldest) = oldest {
                self.symbols.remove(&oldest);
            }
        }
        self.symbols.entry(symbol.clone()).or_default().put(order, message);
    }
}

impl Words {
    fn put(&mut self, order: u64, message: &Arc<Message>) {
        let word = Word { order, message: Arc::clone(message) };
        let known = self.by_source.iter().position(|word| word.message.source == message.source);
        let place = known.or_else(|| (self.by_source.len() >= SOURCES_MAX).then(|| self.oldest()).flatten());
        if let Some(place) = place {
            self.by_source[place] = word;
            self.newest = place;
        } else {
            self.newest = self.by_source.len();
            self.by_source.push(word);
        }
    }

    fn oldest(&self) -> Option<usize> {
        self.by_source.iter().enumerate().min_by_key(|(_, word)| word.order).map(|(place, _)| place)
    }

    fn order(&self) -> u64 {
        self.by_source.get(self.newest).map_or(0, |word| word.order)
    }

    fn latest(&self, now: Timestamp) -> Option<Arc<Message>> {
        let newest = self.by_source.get(self.newest)?;
        if !newest.message.is_expired(now) {
            return Some(Arc::clone(&newest.message));
        }
        let unexpired = self.by_source.iter().filter(|word| !word.message.is_expired(now));
        unexpired.max_by_key(|word| word.order).map(|word| Arc::clone(&word.message))
    }

    fn remove_expired(&mut self, now: Timestamp, removed: &mut Vec<Arc<Message>>) {
        self.by_source.retain(|word| keep_unexpired(&word.message, now, removed));
        let newest = self.by_source.iter().enumerate().max_by_key(|(_, word)| word.order);
        self.newest = newest.map_or(0, |(place, _)| place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{InstallId, MessageId, Payload, Priority, SafeText, SystemEvent, SystemEventKind};

    fn message(source: &str, symbol: Option<String>) -> Arc<Message> {
        let payload = Payload::System(SystemEvent {
            kind: SystemEventKind::Feed,
            symbol: symbol.map(|text| text.parse().unwrap()),
            detail: SafeText::default(),
        });
        Arc::new(Message {
            id: MessageId::sequential(InstallId::derived("history"), 1, 1),
            topic: Topic::SystemEvents,
            source: source.into(),
            priority: Priority::Low,
            timestamp: Timestamp::EPOCH,
            ttl: None,
            correlation_id: None,
            payload,
        })
    }

    #[test]
    fn names_without_end_only_displace_the_oldest_names() {
        let mut history = History::new(1);
        for n in 0..SOURCES_MAX * 3 {
            history.push(&message(&format!("agent{n}"), None));
        }
        assert_eq!(history.indexed(), SOURCES_MAX);
        let newest = format!("agent{}", SOURCES_MAX * 3 - 1);
        let latest = history.latest(Topic::SystemEvents, None, Timestamp::EPOCH).unwrap();
        assert_eq!(*latest.source, *newest);
        for n in 0..SYMBOLS_MAX + 5 {
            history.push(&message("agent", Some(format!("X{n}/USDT"))));
        }
        assert_eq!(history.topics[Topic::SystemEvents as usize].symbols.len(), SYMBOLS_MAX);
        let gone: Symbol = "X0/USDT".parse().unwrap();
        assert!(history.latest(Topic::SystemEvents, Some(&gone), Timestamp::EPOCH).is_none());
    }
}
