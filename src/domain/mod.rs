//! The shared nouns: plain data with serde, no clock, no I/O, no decisions.
//!
//! Everything here can be built, compared, printed and stored. A type whose values could be wrong validates
//! when it is constructed or read (`Symbol`, `Confidence`, `Pct`), so the rest of the house need not ask again.

mod actor;
mod candle;
mod command;
mod control;
mod decision;
mod ids;
mod indicators;
mod message;
mod money;
mod order;
mod signal;
mod symbol;
mod time;
mod untrusted;
mod voice;

pub use actor::Actor;
pub use candle::{AGE_CANDLES_MIN, Candle, CandleError, CandleSpan, PriceJump};
pub use command::{
    AlarmTarget, Command, CommandParseError, LegTarget, Outcome as CommandOutcome, PlanTarget, Tier,
};
pub use control::{Epoch, Level, TradingState};
pub use decision::{
    Change, Conflict, ConflictKind, Decision, Outcome, ReasonCode, Resolution, ResolutionAction, ResolvedBy,
    Rule, Verdict, Vote,
};
pub use ids::{
    AlarmId, ClientOrderId, CommandId, DecisionId, InstallId, MessageId, PlanId, RunId, Seq, SignalId,
    TradeId,
};
pub use indicators::{AdxValue, BollingerValue, IndicatorValues, MacdValue};
pub use message::{
    ExecutionEvent, MESSAGE_BYTES_MAX, Message, MessageError, Payload, PortfolioUpdate, Priority, RiskAlert,
    Severity, SystemEvent, SystemEventKind, Topic,
};
pub use money::{
    DECIMALS_MAX, Money, MoneyError, Pct, PctError, PriceRounding, TradeCosts, checked_add, checked_div,
    checked_mul, checked_sub, on_tick, pct_of, plain_amount, price_from_f64, round_quantity, shown_amount,
    spendable_amount,
};
pub use order::{
    Fill, FillRole, Order, OrderError, OrderKind, OrderStatus, Protection, Purpose, Side, VenueEvent,
    VenueReject,
};
pub use signal::{Action, Confidence, ConfidenceError, Signal};
pub use symbol::{Asset, Symbol, SymbolError};
pub use time::{Now, Timestamp, days_hms, short_span};
pub use untrusted::{SafeText, Untrusted};
pub use voice::{Bias, Regime, RegimeUpdate, SentimentBias, SentimentUpdate, TaSignal, VoiceKind};
