//! Which messages the Topics pane shows: all words have to match, each one anywhere or in the field it names.

use crate::domain::{Message, Priority};

/// One word of a filter, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Topic(String),
    Source(String),
    Symbol(String),
    /// This priority or a higher one.
    AtLeast(Priority),
    /// A priority that does not exist matches nothing.
    Never,
    Anywhere(String),
}

/// What was typed behind `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicFilter {
    text: String,
    words: Vec<Word>,
}

impl TopicFilter {
    /// Reads `topic:ta symbol:BTC prio:H source:sim text`.
    pub fn parse(text: &str) -> Self {
        let words = text.to_lowercase().split_whitespace().map(Word::parse).collect();
        Self { text: text.trim().to_owned(), words }
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the pane shows `message`.
    pub fn accepts(&self, message: &Message) -> bool {
        self.words.iter().all(|word| word.accepts(message))
    }
}

impl Word {
    fn parse(word: &str) -> Self {
        match word.split_once(':') {
            Some(("topic", rest)) => Self::Topic(rest.to_owned()),
            Some(("source", rest)) => Self::Source(rest.to_owned()),
            Some(("symbol", rest)) => Self::Symbol(rest.to_owned()),
            Some(("prio", rest)) => Priority::DESCENDING
                .into_iter()
                .find(|priority| rest.starts_with(priority.letter().to_ascii_lowercase()))
                .map_or(Self::Never, Self::AtLeast),
            Some(_) | None => Self::Anywhere(word.to_owned()),
        }
    }

    fn accepts(&self, message: &Message) -> bool {
        let symbol = || message.payload.symbol().map(|s| s.as_str().to_lowercase()).unwrap_or_default();
        let source = || message.source.to_lowercase();
        match self {
            Self::Topic(part) => message.topic.name().contains(part),
            Self::Source(part) => source().contains(part),
            Self::Symbol(part) => symbol().contains(part),
            Self::AtLeast(priority) => message.priority >= *priority,
            Self::Never => false,
            Self::Anywhere(part) => {
                message.topic.name().contains(part)
                    || source().contains(part)
                    || symbol().contains(part)
                    || super::panes::message_text::in_words(&message.payload).to_lowercase().contains(part)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;

    #[test]
    fn every_word_has_to_match() {
        let message = fixture::ta_message("BTC/USDT");
        for (text, shown) in [
            ("", true),
            ("topic:ta", true),
            ("topic:market", false),
            ("symbol:btc", true),
            ("symbol:xrp", false),
            ("source:technical", true),
            ("prio:n", true),
            ("prio:H", false),
            ("prio:x", false),
            ("LONG", true),
            ("long symbol:xrp", false),
            ("nowhere", false),
        ] {
            assert_eq!(TopicFilter::parse(text).accepts(&message), shown, "{text:?}");
        }
    }
}
