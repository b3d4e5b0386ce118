//! What travels on the bus.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Asset, Candle, ClientOrderId, Command, Fill, MessageId, RegimeUpdate, SafeText, SentimentUpdate, Signal,
    Symbol, TaSignal, Timestamp,
};

/// Default bound on the wire form of one message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Closed candles.
    MarketData,
    /// Technical analysis.
    TaSignals,
    /// Market regimes.
    RegimeUpdates,
    /// Mood.
    SentimentUpdates,
    /// Proposals to trade.
    TradingSignals,
    /// Alerts from risk.
    RiskAlerts,
    /// Orders and fills.
    ExecutionEvents,
    /// Equity and balances.
    PortfolioUpdates,
    /// State, level, tasks, health.
    SystemEvents,
    /// Copies of commands, for the eye and the audit; never input.
    CoordinatorCommands,
}

impl Topic {
    /// All topics, in the order of the design.
    pub const ALL: [Self; 10] = [
        Self::MarketData,
        Self::TaSignals,
        Self::RegimeUpdates,
        Self::SentimentUpdates,
        Self::TradingSignals,
        Self::RiskAlerts,
        Self::ExecutionEvents,
        Self::PortfolioUpdates,
        Self::SystemEvents,
        Self::CoordinatorCommands,
    ];

    /// The topic's name on the wire, on screen and in config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MarketData => "market_data",
            Self::TaSignals => "ta_signals",
            Self::RegimeUpdates => "regime_updates",
            Self::SentimentUpdates => "sentiment_updates",
            Self::TradingSignals => "trading_signals",
            Self::RiskAlerts => "risk_alerts",
            Self::ExecutionEvents => "execution_events",
            Self::PortfolioUpdates => "portfolio_updates",
            Self::SystemEvents => "system_events",
            Self::CoordinatorCommands => "coordinator_commands",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.name() == text)
            .ok_or_else(|| format!("`{text}` is not a topic"))
    }
}

/// Which lane a message takes. Higher lanes are delivered first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Bulk: market data.
    Low = 1,
    /// Analysis.
    Normal = 2,
    /// Signals, executions.
    High = 3,
    /// Risk, health and the coordinator only.
    Urgent = 4,
}

impl Priority {
    /// All priorities, highest lane first.
    pub const DESCENDING: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// The letter of the screen: L, N, H, U.
    pub const fn letter(self) -> char {
        match self {
            Self::Low => 'L',
            Self::Normal => 'N',
            Self::High => 'H',
            Self::Urgent => 'U',
        }
    }
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For information.
    Low,
    /// Worth a look.
    Medium,
    /// Blocks signals of its symbol or the portfolio while in force.
    High,
    /// As high, and more urgent.
    Critical,
}

/// An alert from risk. In force until its message's TTL ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskAlert {
    /// Whose; none means the whole portfolio.
    pub symbol: Option<Symbol>,
    /// What kind: `circuit_breaker`, `drawdown`, ...
    pub kind: String,
    /// How bad.
    pub severity: Severity,
    /// One line.
    pub detail: SafeText,
}

/// What happened to an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum ExecutionEvent {
    /// Sent to the venue.
    Sent {
        /// Which order.
        client_id: ClientOrderId,
        /// What.
        symbol: Symbol,
        /// In words: `buy 0.012 @ 42310.5 (entry d41)`.
        detail: SafeText,
    },
    /// Executed, at least in part.
    Filled {
        /// The execution.
        fill: Fill,
    },
    /// Ended without being filled whole.
    Ended {
        /// Which order.
        client_id: ClientOrderId,
        /// What.
        symbol: Symbol,
        /// In words: `cancelled`, `rejected NO_FRESH_PRICE`.
        detail: SafeText,
    },
}

/// The account in numbers, in the account currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortfolioUpdate {
    /// The account currency.
    pub currency: Asset,
    /// Everything, at the last prices.
    pub equity: Decimal,
    /// Open lots at the last prices, percent of equity.
    pub exposure_pct: Decimal,
    /// Below the peak, percent.
    pub drawdown_pct: Decimal,
    /// Largest distance of an asset from its target, in points.
    pub deviation_pct: Option<Decimal>,
}

/// What kind of system event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemEventKind {
    /// The process started or recovered.
    Started,
    /// The trading state changed.
    StateChanged,
    /// The degradation level changed.
    LevelChanged,
    /// A task run failed or timed out.
    TaskError,
    /// A task was enabled or disabled.
    TaskChanged,
    /// A feed had a gap, went stale or came back.
    Feed,
    /// An alarm was raised, acknowledged or cleared.
    Alarm,
    /// A plan or leg changed.
    Plan,
    /// A health check changed.
    Health,
}

/// Something the system says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SystemEvent {
    /// What kind.
    pub kind: SystemEventKind,
    /// About which symbol, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Symbol>,
    /// One line.
    pub detail: SafeText,
}

/// The content of a message. Which topics a payload fits is fixed: see [`Payload::topic`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Payload {
    /// On `market_data`.
    Candle(Candle),
    /// On `ta_signals`.
    Ta(TaSignal),
    /// On `regime_updates`.
    Regime(RegimeUpdate),
    /// On `sentiment_updates`.
    Sentiment(SentimentUpdate),
    /// On `trading_signals`.
    Signal(Signal),
    /// On `risk_alerts`.
    Risk(RiskAlert),
    /// On `execution_events`.
    Execution(ExecutionEvent),
    /// On `portfolio_updates`.
    Portfolio(PortfolioUpdate),
    /// On `system_events`.
    System(SystemEvent),
    /// On `coordinator_commands`.
    Command(Command),
}

impl Payload {
    /// The one topic this payload belongs to.
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Candle(_) => Topic::MarketData,
            Self::Ta(_) => Topic::TaSignals,
            Self::Regime(_) => Topic::RegimeUpdates,
            Self::Sentiment(_) => Topic::SentimentUpdates,
            Self::Signal(_) => Topic::TradingSignals,
            Self::Risk(_) => Topic::RiskAlerts,
            Self::Execution(_) => Topic::ExecutionEvents,
            Self::Portfolio(_) => Topic::PortfolioUpdates,
            Self::System(_) => Topic::SystemEvents,
            Self::Command(_) => Topic::CoordinatorCommands,
        }
    }

    /// The symbol it is about, if one.
    pub fn symbol(&self) -> Option<&Symbol> {
        match self {
            Self::Candle(candle) => Some(&candle.symbol),
            Self::Ta(ta) => Some(&ta.symbol),
            Self::Regime(update) => Some(&update.symbol),
            Self::Sentiment(update) => Some(&update.symbol),
            Self::Signal(signal) => Some(&signal.symbol),
            Self::Risk(alert) => alert.symbol.as_ref(),
            Self::Execution(
                ExecutionEvent::Sent { symbol, .. }
                | ExecutionEvent::Ended { symbol, .. }
                | ExecutionEvent::Filled { fill: Fill { symbol, .. } },
            ) => Some(symbol),
            Self::System(event) => event.symbol.as_ref(),
            Self::Portfolio(_) | Self::Command(_) => None,
        }
    }
}

/// Why a message is refused by the bus.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Nobody says who sent it.
    #[error("message has an empty source: name the agent that sends it")]
    EmptySource,
    /// It would be dead on arrival.
    #[error("message ttl must be longer than zero")]
    ZeroTtl,
    /// Payload and topic do not belong together.
    #[error("payload of {payload} does not fit topic {topic}")]
    WrongTopic {
        /// Topic of the message.
        topic: Topic,
        /// Topic of its payload.
        payload: Topic,
    },
    /// Urgent is reserved.
    #[error("`{0}` may not send Urgent messages: only risk, health and the coordinator may")]
    UrgentNotAllowed(String),
    /// Larger than the bus accepts.
    #[error("message of {bytes} bytes is larger than max_message_bytes {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It claims to come from the future.
    #[error("message timestamp {0} lies in the future")]
    FromTheFuture(Timestamp),
    /// It is not readable JSON of our form.
    #[error("message is not readable: {0}")]
    Unreadable(String),
    /// The bus has been stopped.
    #[error("the bus is stopped")]
    Stopped,
}

/// One message. Its JSON form is the bus's business (`bus/wire.rs`).
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Never used twice.
    pub id: MessageId,
    /// About what.
    pub topic: Topic,
    /// From whom; not empty.
    pub source: std::sync::Arc<str>,
    /// How urgent.
    pub priority: Priority,
    /// Made when, market time.
    pub timestamp: Timestamp,
    /// How long it may be delivered and returned; none means for ever.
    pub ttl: Option<Duration>,
    /// Ties a reply to its request, or messages to one decision.
    pub correlation_id: Option<MessageId>,
    /// The content.
    pub payload: Payload,
}

impl Message {
    /// Whether its TTL is over at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.ttl.is_some_and(|ttl| now >= self.timestamp.plus(ttl))
    }
}
