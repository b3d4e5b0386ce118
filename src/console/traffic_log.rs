//! The messages that the Topics pane shows: a bounded ring with arrival rates, and a view that can be held still.

use std::collections::VecDeque;
use std::sync::Arc;

use super::topic_filter::TopicFilter;
use crate::domain::{Message, Timestamp};

/// Seconds over which the rate is an average.
const RATE_SECS: i64 = 10;

/// One message with the number of its arrival.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Rises by one with every arrival; the first is 1.
    pub number: u64,
    /// The message.
    pub message: Arc<Message>,
}

/// Whether the view moves.
#[derive(Debug, Clone)]
enum View {
    /// It shows what comes.
    Live,
    /// It stands still because a row is being looked at.
    Held(VecDeque<Entry>),
    /// It stands still because the operator said so.
    Frozen(VecDeque<Entry>),
}

/// The ring.
#[derive(Debug, Clone)]
pub struct TrafficLog {
    kept_max: usize,
    entries: VecDeque<Entry>,
    arrived: u64,
    dropped: u64,
    /// Arrivals by second of operator time, newest last.
    seconds: VecDeque<(i64, u32)>,
    view: View,
}

impl TrafficLog {
    /// An empty ring that keeps `kept_max` messages.
    pub const fn new(kept_max: usize) -> Self {
        Self {
            kept_max,
            entries: VecDeque::new(),
            arrived: 0,
            dropped: 0,
            seconds: VecDeque::new(),
            view: View::Live,
        }
    }

    /// Takes messages that arrived at `now`, operator time. `dropped` is the count of all that were lost so far.
    pub fn extend(&mut self, now: Timestamp, messages: Vec<Arc<Message>>, dropped: u64) {
        let second = now.millis().div_euclid(1_000);
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        match self.seconds.back_mut() {
            Some((last, so_far)) if *last == second => *so_far = so_far.saturating_add(count),
            _ => self.seconds.push_back((second, count)),
        }
        while self.seconds.front().is_some_and(|(at, _)| *at <= second - RATE_SECS) {
            self.seconds.pop_front();
        }
        for message in messages {
            self.arrived += 1;
            self.entries.push_back(Entry { number: self.arrived, message });
            if self.entries.len() > self.kept_max {
                self.entries.pop_front();
            }
        }
        self.dropped = dropped;
    }

    /// Messages a second, over the last ten.
    pub fn rate(&self, now: Timestamp) -> f64 {
        let since = now.millis().div_euclid(1_000) - RATE_SECS;
        let count: u32 = self.seconds.iter().filter(|(at, _)| *at > since).map(|(_, count)| count).sum();
        f64::from(count) / RATE_SECS as f64
    }

    /// Messages that were lost before they came here.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What the pane shows, newest first.
    pub fn visible<'a>(&'a self, filter: &'a TopicFilter) -> impl Iterator<Item = &'a Entry> {
        let entries = match &self.view {
            View::Live => &self.entries,
            View::Held(entries) | View::Frozen(entries) => entries,
        };
        entries.iter().rev().filter(|entry| filter.accepts(&entry.message))
    }

    /// One word on whether the view moves: `LIVE`, `HELD +3 new`, `FROZEN +312 new`.
    pub fn view_word(&self) -> String {
        match &self.view {
            View::Live => "LIVE".to_owned(),
            View::Held(entries) => format!("HELD +{} new", self.newer_than(entries)),
            View::Frozen(entries) => format!("FROZEN +{} new", self.newer_than(entries)),
        }
    }

    fn newer_than(&self, entries: &VecDeque<Entry>) -> u64 {
        self.arrived - entries.back().map_or(0, |entry| entry.number)
    }

    /// Stands still while a row is looked at.
    pub fn hold(&mut self) {
        if matches!(self.view, View::Live) {
            self.view = View::Held(self.entries.clone());
        }
    }

    /// Follows again, unless the operator froze it.
    pub fn follow(&mut self) {
        if matches!(self.view, View::Held(_)) {
            self.view = View::Live;
        }
    }

    /// Whether the operator froze it.
    pub const fn is_frozen(&self) -> bool {
        matches!(self.view, View::Frozen(_))
    }

    /// Freezes the view, or lets it go.
    pub fn toggle_freeze(&mut self) {
        self.view = match std::mem::replace(&mut self.view, View::Live) {
            View::Frozen(_) => View::Live,
            View::Held(entries) => View::Frozen(entries),
            View::Live => View::Frozen(self.entries.clone()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn the_ring_keeps_the_newest() {
        let mut log = TrafficLog::new(3);
        log.extend(at(0), fixture::messages(5), 7);
        let numbers: Vec<_> = log.visible(&TopicFilter::default()).map(|entry| entry.number).collect();
        assert_eq!(numbers, [5, 4, 3]);
        assert_eq!(log.dropped(), 7);
    }

    #[test]
    fn the_rate_forgets_what_is_older_than_ten_seconds() {
        let mut log = TrafficLog::new(100);
        log.extend(at(100), fixture::messages(50), 0);
        assert!((log.rate(at(105)) - 5.0).abs() < 1e-9);
        assert!(log.rate(at(111)).abs() < 1e-9);
    }

    #[test]
    fn a_frozen_view_stands_still_and_counts_what_it_misses() {
        let mut log = TrafficLog::new(3);
        log.extend(at(0), fixture::messages(3), 0);
        log.toggle_freeze();
        log.extend(at(1), fixture::messages(312), 0);
        assert_eq!(log.view_word(), "FROZEN +312 new");
        assert_eq!(log.visible(&TopicFilter::default()).next().map(|entry| entry.number), Some(3));
        log.follow();
        assert_eq!(log.view_word(), "FROZEN +312 new", "only the operator lets a frozen view go");
        log.toggle_freeze();
        assert_eq!(log.view_word(), "LIVE");
    }
}
