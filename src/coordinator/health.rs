//! The health check: everything that must work, looked at every minute of operator time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use super::degradation::{Component, DegradationEvent};
use super::input::{BusLosses, OldRecords, Probe};
use super::snapshot::{HealthRow, HealthStatus};
use super::{Coordinator, Cx};
use crate::alarm::{AlarmKey, AlarmSource, Subject};
use crate::config::{self, TaskName};
use crate::domain::{Asset, Priority, SafeText, Symbol, SystemEventKind, Timestamp, VoiceKind, short_span};

/// What the health checks remember.
#[derive(Debug, Default)]
pub(super) struct HealthState {
    /// Operator time of the next check.
    pub next_check: Timestamp,
    /// The runtime's last measurements.
    pub probe: Option<Probe>,
    /// The ones after them do not end.
    pub probe_hangs: bool,
    /// Records that wait for the disk, and how long the oldest has waited.
    pub lag: (u64, Duration),
    /// A write of the journal failed, and it was not reopened since.
    pub store_failed: Option<SafeText>,
    /// Nothing that happens now is in the journal.
    pub not_durable: bool,
    /// What is known of the records before those that the start has read.
    pub old_records: OldRecords,
    /// What the bus had lost at the last check.
    pub bus: BusLosses,
    /// Result of the last check.
    pub rows: Vec<HealthRow>,
}

impl HealthState {
    /// The disk is so far behind that no entry may go out.
    pub fn store_slow(&self, config: &config::Store) -> bool {
        self.store_failed.is_some()
            || self.lag.0 > config.outbox_records_max
            || self.lag.1 > config.outbox_wait_max
    }

    /// What is wrong with the journal on the disk.
    pub fn journal_problem(&self) -> Option<&SafeText> {
        self.probe.as_ref().and_then(|probe| probe.journal.as_ref().err())
    }

    /// What is wrong with records that the start did not read.
    const fn old_records_problem(&self) -> Option<&SafeText> {
        match &self.old_records {
            OldRecords::Damaged(fault) => Some(fault),
            OldRecords::Sound | OldRecords::BeingVerified | OldRecords::NotVerified => None,
        }
    }

    /// What keeps the store from being trusted.
    pub fn store_problem(&self) -> Option<String> {
        if let Some(error) = &self.store_failed {
            return Some(error.to_string());
        }
        if self.probe_hangs {
            return Some("the last test write does not end".to_owned());
        }
        self.probe.as_ref().and_then(|probe| probe.store.as_ref().err().map(ToString::to_string))
    }

    /// The measurements, or what is said of what was not measured.
    fn measured(&self, what: &'static str) -> Result<&Probe, Finding> {
        match &self.probe {
            Some(probe) if !self.probe_hangs => Ok(probe),
            Some(_) | None => {
                let status = if self.probe_hangs { HealthStatus::Warn } else { HealthStatus::Ok };
                Err(Finding::new(what, status, "not measured"))
            }
        }
    }
}

/// One result before its since-time is known.
pub(super) struct Finding {
    what: Cow<'static, str>,
    status: HealthStatus,
    detail: String,
}

impl Finding {
    pub(super) fn new(
        what: impl Into<Cow<'static, str>>,
        status: HealthStatus,
        detail: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), status, detail: detail.into() }
    }
}

impl Coordinator {
    /// How far the disk is behind; blocks entries at once when it is too far.
    pub(super) fn store_lag(&mut self, cx: &mut Cx<'_>, waiting: u64, oldest: Duration) {
        self.live.health.lag = (waiting, oldest);
        let slow = self.live.health.store_slow(&self.config.orchestration.store);
        let detail = format!("{waiting} records wait, the oldest {}", short_span(oldest));
        self.raise_while(cx, slow, AlarmKey::of(AlarmSource::StoreSlow), "records wait for the disk", detail);
    }

    /// Once a minute.
    pub(super) fn check_health(&mut self, cx: &mut Cx<'_>) {
        if cx.now.operator < self.live.health.next_check {
            return;
        }
        self.live.health.next_check = cx.now.operator.plus(self.live.ages.health_every);
        self.probe_providers(cx);
        self.probe_venue(cx);
        let mut findings =
            vec![self.check_agents(cx), self.check_tasks(cx), self.check_risk(cx), self.check_feed(cx)];
        findings.extend(self.check_providers(cx));
        findings.extend([
            self.check_store(cx),
            self.check_journal(),
            self.check_clock(cx),
            self.check_mailboxes(cx),
            self.check_disk(cx),
        ]);
        let before = std::mem::take(&mut self.live.health.rows);
        for finding in findings {
            let old = before.iter().find(|row| row.what == finding.what);
            let since =
                old.filter(|row| row.status == finding.status).map_or(cx.now.operator, |row| row.since);
            if old.is_some_and(|row| row.status != finding.status) {
                let said = format!("{} {:?}: {}", finding.what, finding.status, finding.detail);
                self.announce(cx, SystemEventKind::Health, Priority::Normal, said);
            }
            self.live.health.rows.push(HealthRow {
                what: finding.what.into_owned(),
                status: finding.status,
                detail: SafeText::ours(finding.detail),
                since,
            });
        }
        self.live.dirty.health = true;
        self.live.revision += 1;
    }

    /// The required agents have spoken of every symbol lately. Who is silent for want of prices is the feed's alarm.
    fn check_agents(&mut self, cx: &mut Cx<'_>) -> Finding {
        let (mut silent, mut alarming) = (Vec::new(), Vec::new());
        let running_for = cx.now.market.since(self.live.begun_at);
        let freshness = self.live.ages.voices;
        for symbol in self.listed_symbols(cx.now) {
            let fresh = self.live.voices.fresh(symbol, cx.now.market, &freshness);
            let voices = [
                (VoiceKind::Technical, fresh.technical.is_none(), freshness.technical),
                (VoiceKind::Regime, fresh.regime.is_none(), freshness.regime),
            ];
            for (voice, _, fresh_for) in voices.into_iter().filter(|(_, is_silent, _)| *is_silent) {
                let name = format!("{voice} {symbol}");
                // Its words are never older than the candle they are about: a feed that stops is seen first.
                let prices = self.live.prices.at(cx.now.market, fresh_for.min(self.live.ages.price));
                if prices.price(symbol).is_ok() && running_for > fresh_for && !self.live.feed_ended {
                    alarming.push(name.clone());
                }
                silent.push(name);
            }
        }
        let first = alarming.first().cloned().unwrap_or_default();
        let detail = format!("silent: {first}{}", more(alarming.len()));
        let key = AlarmKey::of(AlarmSource::AgentsSilent);
        self.raise_while(cx, !alarming.is_empty(), key, "required agents are silent", detail);
        match silent.len() {
            0 => Finding::new("agents", HealthStatus::Ok, "technical and regime fresh"),
            _ if self.live.feed_ended => Finding::new("agents", HealthStatus::Ok, "feed ended"),
            count => {
                let first = silent.into_iter().next().unwrap_or_default();
                let status = if count < self.listed_symbols(cx.now).count() {
                    HealthStatus::Warn
                } else {
                    HealthStatus::Failed
                };
                Finding::new("agents", status, format!("silent: {first}{}", more(count)))
            }
        }
    }

    /// Tasks that have missed a whole cycle.
    fn check_tasks(&mut self, cx: &mut Cx<'_>) -> Finding {
        let mut late: BTreeMap<TaskName, u32> = TaskName::ALL.into_iter().map(|task| (task, 0)).collect();
        for row in self.live.schedule.view(cx.now) {
            late.entry(row.task).and_modify(|cycles| *cycles = (*cycles).max(row.late_cycles));
        }
        let mut named = Vec::new();
        for (task, cycles) in late {
            let key = AlarmKey::about(AlarmSource::TaskLate, Subject::Task(task));
            let is_late = cycles > 0 && !self.live.feed_ended;
            self.raise_while(cx, is_late, key, "late by a cycle", format!("{task}: {cycles} cycles"));
            if is_late {
                named.push(format!("{task} by {cycles}"));
            }
        }
        if named.is_empty() {
            return Finding::new("tasks", HealthStatus::Ok, "none late");
        }
        Finding::new("tasks", HealthStatus::Warn, format!("late: {}", named.join(", ")))
    }

    /// Risk knows what the account is worth: at least of something that is held there has been a price.
    fn check_risk(&mut self, cx: &mut Cx<'_>) -> Finding {
        let valuation = self.valuation(cx.now);
        if let Some(valuation) = &valuation {
            self.watch_uncertainty(cx, valuation);
        }
        let equity = self.equity(cx.now);
        let key = AlarmKey::of(AlarmSource::RiskUnfed);
        let (status, detail) = match equity {
            Some(equity) if equity > Decimal::ZERO => {
                self.clear(cx, key);
                let uncertain: Vec<_> = self.live.uncertain.iter().map(Asset::as_str).collect();
                let detail = format!("equity {}", self.said(equity));
                if uncertain.is_empty() {
                    (HealthStatus::Ok, detail)
                } else {
                    (HealthStatus::Warn, format!("{detail}, no fresh price of {}", uncertain.join(", ")))
                }
            }
            Some(equity) => {
                let detail = format!("equity {}: nothing passes", self.said(equity));
                self.raise(cx, key, "the account is worth nothing", &detail);
                (HealthStatus::Failed, detail)
            }
            None => {
                let left = valuation.map(|valuation| valuation.unpriced).unwrap_or_default();
                let names: Vec<_> = left.iter().map(|left| left.asset.as_str()).collect();
                let detail = format!("no price yet of {}: nothing passes", names.join(", "));
                if !self.awaits_first_prices(cx.now) && !self.live.feed_ended {
                    self.raise(cx, key, "equity is unknown", &detail);
                }
                (HealthStatus::Failed, format!("equity unknown, {detail}"))
            }
        };
        Finding::new("risk", status, detail)
    }

    /// The feed is stale when no symbol has a fresh price. One that still delivers is alive: a symbol without a price is
    /// then a matter of its own market, which takes no entries until it has one.
    fn check_feed(&mut self, cx: &mut Cx<'_>) -> Finding {
        let listed: Vec<&Symbol> = self.listed_symbols(cx.now).collect();
        let stale: Vec<&Symbol> =
            listed.iter().copied().filter(|symbol| self.symbol_feed_stale(symbol, cx.now)).collect();
        // A feed whose first candle is not due yet is waited for, not stale.
        let is_waiting =
            self.live.feed_at.is_none() && cx.now.market.since(self.live.begun_at) < self.live.ages.price;
        let is_stale = stale.len() == listed.len() && !self.live.feed_ended && !is_waiting;
        let quiet = stale.len();
        let first = stale.first().map(ToString::to_string).unwrap_or_default();
        let detail = format!("no fresh price: {first}{}", more(quiet));
        self.raise_while(cx, is_stale, AlarmKey::of(AlarmSource::FeedStale), "feed stale", &detail);
        let event = if is_stale {
            DegradationEvent::Failed(Component::Feed)
        } else {
            DegradationEvent::Succeeded(Component::Feed)
        };
        self.degradation_event(cx, &event);
        if self.live.feed_ended {
            Finding::new("feed", HealthStatus::Ok, "ended")
        } else if is_stale {
            Finding::new("feed", HealthStatus::Failed, detail)
        } else if let Some(at) = self.live.feed_at {
            let age = cx.now.operator.since(at);
            let age = format!("{}.{} s", age.as_secs(), age.subsec_millis() / 100);
            let age = match self.live.candles_refused {
                0 => age,
                refused => format!("{age}, {refused} refused"),
            };
            if quiet > 0 && !is_waiting {
                return Finding::new("feed", HealthStatus::Warn, format!("{age}; {detail}"));
            }
            Finding::new("feed", HealthStatus::Ok, age)
        } else {
            Finding::new("feed", HealthStatus::Ok, "waiting for the first candle")
        }
    }

    /// Whether the journal was whole at the start and before, can be written now, and still holds its last durable record
    /// as it was written; how far it is.
    fn check_journal(&self) -> Finding {
        let health = &self.live.health;
        let fault = self.live.journal_fault.as_ref().or(health.store_failed.as_ref());
        let fault = fault.or(health.journal_problem()).or(health.old_records_problem());
        match fault {
            Some(fault) => Finding::new("journal", HealthStatus::Failed, fault.to_string()),
            None => Finding::new("journal", HealthStatus::Ok, self.durable.seq.to_string()),
        }
    }

    fn check_store(&mut self, cx: &mut Cx<'_>) -> Finding {
        let problem = self.live.health.store_problem();
        let failed = problem.is_some();
        let detail =
            problem.unwrap_or_else(|| match self.live.health.probe.as_ref().map(|probe| &probe.store) {
                Some(Ok(took)) => format!("test write {} ms", took.as_millis()),
                Some(Err(_)) | None => format!("{} records wait", self.live.health.lag.0),
            });
        self.raise_while(cx, failed, AlarmKey::of(AlarmSource::StoreFault), "test write failed", &detail);
        Finding::new("store", if failed { HealthStatus::Failed } else { HealthStatus::Ok }, detail)
    }

    fn check_clock(&mut self, cx: &mut Cx<'_>) -> Finding {
        let drift = match self.live.health.measured("clock") {
            Ok(probe) => probe.clock_drift,
            Err(unmeasured) => return unmeasured,
        };
        let drifts = drift > self.config.orchestration.health.clock_drift_max;
        let detail = format!("{} ms from the wall clock", drift.as_millis());
        self.raise_while(cx, drifts, AlarmKey::of(AlarmSource::ClockDrift), "clocks disagree", &detail);
        Finding::new("clock", if drifts { HealthStatus::Warn } else { HealthStatus::Ok }, detail)
    }

    fn check_mailboxes(&mut self, cx: &mut Cx<'_>) -> Finding {
        let seen = match self.live.health.measured("mailboxes") {
            Ok(probe) => probe.bus,
            Err(unmeasured) => return unmeasured,
        };
        let before = std::mem::replace(&mut self.live.health.bus, seen);
        let new = seen.dropped.saturating_sub(before.dropped);
        let detail =
            format!("{} dropped, {new} of them lately; {} messages refused", seen.dropped, seen.refused);
        self.raise_while(cx, new > 0, AlarmKey::of(AlarmSource::MailboxDrops), "messages dropped", &detail);
        let warns = new > 0 || seen.refused > before.refused;
        Finding::new("mailboxes", if warns { HealthStatus::Warn } else { HealthStatus::Ok }, detail)
    }

    fn check_disk(&mut self, cx: &mut Cx<'_>) -> Finding {
        let min = self.config.orchestration.health.disk_free_min_mib;
        let free = match self.live.health.measured("disk") {
            Ok(probe) => probe.disk_free_mib,
            Err(unmeasured) => return unmeasured,
        };
        let low = free.is_some_and(|free| free < min);
        let detail = free.map_or_else(|| "not measured".to_owned(), |free| format!("{free} MiB free"));
        self.raise_while(cx, low, AlarmKey::of(AlarmSource::DiskLow), "disk nearly full", &detail);
        Finding::new("disk", if low { HealthStatus::Warn } else { HealthStatus::Ok }, detail)
    }
}

fn more(count: usize) -> String {
    if count > 1 { format!(" and {} more", count - 1) } else { String::new() }
}
