//! How old anything may be on this feed: every configured span, measured against the length of its candles.

use std::time::Duration;

use super::consensus::Freshness;
use super::{MARK_EVERY, Setup};
use crate::config::Config;
use crate::domain::CandleSpan;

/// How long a candle's message is of use where candles are short.
const CANDLE_TTL: Duration = Duration::from_secs(3_600);

/// Longest distance of the health checks in virtual time: a level that has risen ends within a day.
const HEALTH_VIRTUAL_MAX: Duration = Duration::from_secs(3_600);

/// The spans in force. All market time but `health_every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ages {
    /// How long each voice counts.
    pub voices: Freshness,
    /// How old a price may be.
    pub price: Duration,
    /// How long an asset that is held may be without a fresh price before it is an alarm.
    pub stale_held: Duration,
    /// How old a signal may be.
    pub signal: Duration,
    /// How long an entry order rests.
    pub entry: Duration,
    /// How long after its decision a leg may be handed over.
    pub intent: Duration,
    /// How late a leg may run by itself.
    pub lateness: Duration,
    /// Distance in which deferred legs are offered again.
    pub offer_again: Duration,
    /// Rest of a closing that sold nothing.
    pub closing_again: Duration,
    /// How long the message of a candle is of use.
    pub candle_message: Duration,
    /// How long the message of an equity mark is of use.
    pub mark_message: Duration,
    /// Distance of the health checks, operator time.
    pub health_every: Duration,
}

impl Ages {
    pub(super) fn new(config: &Config, setup: &Setup) -> Self {
        let candle = CandleSpan::new(setup.candle_interval);
        let (signals, market) = (&config.orchestration.signals, &config.orchestration.market);
        let (dca, execution) = (&config.portfolio.dca, &config.execution.execution);
        let health_every = config.orchestration.health.every;
        Self {
            voices: Freshness::new(&config.orchestration.consensus, candle),
            price: candle.age_of(signals.feed_stale_after, signals.feed_stale_candles),
            stale_held: candle.age(market.stale_held_max),
            signal: candle.age_of(signals.max_age, signals.max_age_candles),
            entry: candle.age(execution.entry_valid_for),
            intent: candle.age(dca.intent_valid_for),
            lateness: candle.age(dca.max_lateness),
            offer_again: candle.pace(dca.offer_again_after),
            closing_again: candle.pace(execution.closing_again_after),
            candle_message: candle.age(CANDLE_TTL),
            mark_message: candle.age(MARK_EVERY * 2),
            // Where both clocks are virtual nothing that is checked changes between two candles.
            health_every: match setup.speed {
                Some(_) => health_every,
                None => candle.pace(health_every).min(HEALTH_VIRTUAL_MAX.max(health_every)),
            },
        }
    }
}
