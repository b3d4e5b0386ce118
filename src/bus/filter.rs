//! Which messages of its topics a subscriber wants. A filter is data, not a closure: it can be shown, compared
//! and sent over a wire, and runs no foreign code while a message is being delivered.

use std::sync::Arc;

use crate::domain::{Message, Priority, Symbol};

/// What passes: every condition must hold; an empty list asks nothing. The default lets everything through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only from these senders.
    pub sources: Vec<Arc<str>>,
    /// Only about these symbols. A message that names no symbol concerns all of them and passes: nobody who
    /// asked for one pair may miss an alert about the whole portfolio.
    pub symbols: Vec<Symbol>,
    /// Only of this priority and above.
    pub min_priority: Priority,
}

impl Default for Filter {
    fn default() -> Self {
        Self { sources: Vec::new(), symbols: Vec::new(), min_priority: Priority::Low }
    }
}

impl Filter {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only from these senders.
    #[must_use]
    pub fn from_sources<S: Into<Arc<str>>>(mut self, sources: impl IntoIterator<Item = S>) -> Self {
        self.sources = sources.into_iter().map(Into::into).collect();
        self
    }

    /// Only about these symbols, and what names no symbol.
    #[must_use]
    pub fn about(mut self, symbols: impl IntoIterator<Item = Symbol>) -> Self {
        self.symbols = symbols.into_iter().collect();
        self
    }

    /// Only of this priority and above.
    #[must_use]
    pub fn at_least(mut self, priority: Priority) -> Self {
        self.min_priority = priority;
        self
    }

    /// Whether the message passes.
    pub fn accepts(&self, message: &Message) -> bool {
        message.priority >= self.min_priority
            && (self.sources.is_empty() || self.sources.contains(&message.source))
            && (self.symbols.is_empty()
                || message.payload.symbol().is_none_or(|symbol| self.symbols.contains(symbol)))
    }
}
