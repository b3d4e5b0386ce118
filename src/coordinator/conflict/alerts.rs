//! The risk alerts in force: what forbids trading a symbol, or anything, until it expires.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{RiskAlert, SafeText, Severity, Symbol, Timestamp, Untrusted};

/// Longest kind of an alert kept, in characters: it may come from outside.
const KIND_CHARS_MAX: usize = 40;

/// What is in force for one symbol, or for the portfolio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertInForce {
    /// What kind the latest of the worst alerts was.
    pub kind: SafeText,
    /// The worst severity of those in force.
    pub severity: Severity,
    /// When the last of them expires, market time.
    pub until: Timestamp,
    /// For which symbol; none means the whole portfolio.
    pub symbol: Option<Symbol>,
}

impl fmt::Display for AlertInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        };
        write!(f, "{severity} alert `{}`", self.kind)?;
        match &self.symbol {
            Some(symbol) => write!(f, " for {symbol}")?,
            None => f.write_str(" for the portfolio")?,
        }
        write!(f, " until {}", self.until.clock())
    }
}

/// Alerts of severity high and critical that have not expired. One entry for each symbol and one for the portfolio,
/// so their number is bounded whatever arrives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AlertsInForce {
    portfolio: Option<AlertInForce>,
    by_symbol: BTreeMap<Symbol, AlertInForce>,
}

impl AlertsInForce {
    /// Takes in an alert that expires at `until`, and forgets what has expired at `now`; both market time.
    ///
    /// A milder or a shorter alert never loosens what is in force; below high it forbids nothing.
    pub fn add(&mut self, alert: &RiskAlert, until: Timestamp, now: Timestamp) {
        self.by_symbol.retain(|_, alert| alert.until > now);
        self.portfolio = self.portfolio.take().filter(|alert| alert.until > now);
        match alert.severity {
            Severity::Low | Severity::Medium => return,
            Severity::High | Severity::Critical => {}
        }
        if until <= now {
            return;
        }
        let new = AlertInForce {
            kind: Untrusted::new(alert.kind.as_str()).sanitize(KIND_CHARS_MAX),
            severity: alert.severity,
            until,
            symbol: alert.symbol.clone(),
        };
        match &alert.symbol {
            None => self.portfolio = Some(new.joined(self.portfolio.take())),
            Some(symbol) => {
                let before = self.by_symbol.remove(symbol);
                self.by_symbol.insert(symbol.clone(), new.joined(before));
            }
        }
    }

    /// The alert for the whole portfolio that is in force at `now`, market time.
    pub fn portfolio(&self, now: Timestamp) -> Option<&AlertInForce> {
        self.portfolio.as_ref().filter(|alert| alert.until > now)
    }

    /// The worst alert in force at `now`, market time, for `symbol` or for the portfolio.
    pub fn against(&self, symbol: &Symbol, now: Timestamp) -> Option<&AlertInForce> {
        let own = self.by_symbol.get(symbol);
        own.into_iter()
            .chain(&self.portfolio)
            .filter(|alert| alert.until > now)
            .max_by_key(|alert| (alert.severity, alert.until))
    }
}

impl AlertInForce {
    /// This one and the one before it as one: the worse severity, the later end.
    fn joined(self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        let until = self.until.max(before.until);
        let worse = if before.severity > self.severity { before } else { self };
        Self { until, ..worse }
    }
}
