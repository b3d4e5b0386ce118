//! One record in one line, for people.

use super::operator_time;
use crate::alarm::AlarmTransition;
use crate::coordinator::dca::{LegTransition, PlanTransition};
use crate::coordinator::degradation::DegradationTransition;
use crate::coordinator::record::{Record, RecordKind};
use crate::domain::{CommandOutcome, Decision, Order, Rule, SafeText, Timestamp, Untrusted, plain_amount};
use crate::risk::{BreakerTransition, StreakTransition};

/// Longest line; the whole of a record is in `andon audit export`.
const CHARS_MAX: usize = 300;

/// Time, number, actor, kind, and what it says. Safe for a terminal.
pub fn in_words(record: &Record) -> SafeText {
    let line = format!(
        "{}  {:<7} {:<11} {:<17} {}",
        time(operator_time(record)),
        record.seq.to_string(),
        record.actor.to_string(),
        record.kind.name(),
        what(&record.kind),
    );
    Untrusted::new(line.trim_end()).sanitize(CHARS_MAX)
}

/// `2026-03-01 08:00:00`.
pub(super) fn time(at: Timestamp) -> String {
    at.to_string().replace('T', " ").chars().take(19).collect()
}

/// What happened, and why if a reason was given.
pub(super) fn because(what: impl std::fmt::Display, reason: &SafeText) -> String {
    if reason.as_str().is_empty() { what.to_string() } else { format!("{what}: {reason}") }
}

fn what(kind: &RecordKind) -> String {
    match kind {
        RecordKind::State(state) => format!("{}; {} lots", state.control.state, state.account.lots().len()),
        RecordKind::RunStarted { version, config_fingerprint } => {
            format!("version {version}, configuration {}", short(config_fingerprint))
        }
        RecordKind::RunEnded { reason } => reason.to_string(),
        RecordKind::CommandRequested { id, command } => format!("{id} {}", json(command)),
        RecordKind::CommandEnded { id, command, outcome, .. } => format!("{id} {command} {}", end(outcome)),
        RecordKind::StateChanged { from, to, reason } if from == to => because(*to, reason),
        RecordKind::StateChanged { from, to, reason } => because(format_args!("{from} to {to}"), reason),
        RecordKind::Decision(decision) => decided(decision),
        RecordKind::DecisionEnded { id, outcome, detail, .. } => format!("{id} {outcome} {detail}"),
        RecordKind::OrderIntended(order) | RecordKind::OrderAdopted(order) => ordered(order),
        RecordKind::OrderStatus { client_id, status, detail } => {
            format!("{} {} {detail}", short(&client_id.to_string()), json(status).trim_matches('"'))
        }
        RecordKind::Fill { posting, done } => {
            let fill = &posting.fill;
            let order = short(&fill.client_id.to_string()).to_owned();
            format!(
                "{} {} {} {} at {}{} (order {order}, {})",
                fill.trade_id,
                fill.side,
                fill.quantity,
                fill.symbol,
                fill.price,
                if *done { "" } else { ", in part" },
                posting.purpose.intent(),
            )
        }
        RecordKind::ClosingEnded { symbol } => format!("{symbol} sold"),
        RecordKind::Plan(transition) => planned(transition),
        RecordKind::Alarm(transition) => alarmed(transition),
        RecordKind::TaskEnabled { task, enabled } => {
            format!("{task} {}", if *enabled { "enabled" } else { "disabled" })
        }
        RecordKind::Mark { equity, .. } => format!("equity {}", plain_amount(*equity)),
        RecordKind::Note { text } => text.to_string(),
        RecordKind::Degradation(transition) => degraded(transition),
        RecordKind::Breaker(transition) => breaker(transition),
        RecordKind::Streak(transition) => streak(*transition),
        RecordKind::Closing(closing) => because(
            format_args!(
                "{} {} to sell, {} tries failed",
                closing.symbol, closing.remaining, closing.failures
            ),
            &closing.reason,
        ),
    }
}

pub(super) fn end(outcome: &CommandOutcome) -> String {
    match outcome {
        CommandOutcome::Done { detail } => format!("done: {detail}"),
        CommandOutcome::Refused { why } => format!("REFUSED: {why}"),
        CommandOutcome::Preview { would, .. } => format!("to be confirmed: {would}"),
    }
}

fn decided(decision: &Decision) -> String {
    let signal = &decision.signal;
    let outcome = decision.outcome.map_or_else(|| "order".to_owned(), |outcome| outcome.to_string());
    let head = format!("{} {} {} -> {outcome}", decision.id, signal.action, signal.symbol);
    match decision.blocked_by() {
        Some(Rule::Conflict(kind)) => format!("{head} {kind}"),
        Some(Rule::Reason(_)) | None => {
            let reasons: Vec<_> = decision.reasons.iter().map(ToString::to_string).collect();
            format!("{head} {}", reasons.join(" "))
        }
    }
}

fn ordered(order: &Order) -> String {
    let name = order.client_id.to_string();
    let head = format!("{} {} {} {}", short(&name), order.side, order.quantity, order.symbol);
    format!("{head} ({})", order.purpose.intent())
}

fn planned(transition: &PlanTransition) -> String {
    match transition {
        PlanTransition::Created { plan } => {
            format!("{} made: {} trades in {} legs", plan.id, plan.trades.len(), plan.legs.len())
        }
        PlanTransition::Leg { id, transition } => format!("{id} {}", stepped(transition)),
        PlanTransition::Shifted { plan, by, .. } => {
            format!("{plan} later by {}", humantime::format_duration(*by))
        }
    }
}

/// The step of a leg, and why.
fn stepped(transition: &LegTransition) -> String {
    let name = transition.name();
    match transition {
        LegTransition::Deferred { reason } => format!("{name}: {reason}"),
        LegTransition::Intent { intent } => format!(
            "{name}: {} {} {} for {}, price bound {}",
            intent.side, intent.quantity, intent.symbol, intent.amount, intent.price_bound
        ),
        LegTransition::Withdrawn { reason } => format!("{name}: {reason}"),
        LegTransition::Rejected { reason } => format!("{name}: {reason}"),
        LegTransition::Unknown { detail } => format!("{name}: {}", detail.sanitize(CHARS_MAX)),
        LegTransition::Filled { trade, quantity, worth, done } => {
            let whole = if *done { "whole" } else { "in part" };
            format!("{name} {whole}: {trade}, {quantity} for {worth}")
        }
        LegTransition::Ended { expired } => {
            format!("{name}: {}", if *expired { "ran out" } else { "cancelled" })
        }
        LegTransition::Waiting { reason } => format!("{name}: {reason}"),
        LegTransition::Postponed { due_at } => format!("{name} to {}", time(*due_at)),
        LegTransition::Due
        | LegTransition::Sent
        | LegTransition::Accepted
        | LegTransition::Asked
        | LegTransition::Absent
        | LegTransition::Skipped
        | LegTransition::Cancelled => name.to_owned(),
    }
}

fn breaker(transition: &BreakerTransition) -> String {
    match transition {
        BreakerTransition::Baseline { name, equity, rearmed, .. } => {
            let armed = if *rearmed { ", armed again" } else { "" };
            format!("{name} counts from {}{armed}", plain_amount(*equity))
        }
        BreakerTransition::Peak { equity, .. } => format!("new peak {}", plain_amount(*equity)),
        BreakerTransition::Tripped { name, trip, baseline, limit_pct } => {
            let (equity, baseline) = (plain_amount(trip.equity), plain_amount(*baseline));
            format!("{name} TRIPPED: equity {equity}, baseline {baseline}, limit {limit_pct} %")
        }
        BreakerTransition::Rearmed { name, from, to, .. } => {
            let from = from.map_or_else(|| "none".to_owned(), |from| plain_amount(from).to_string());
            format!("{name} armed again: baseline {from} to {}", plain_amount(*to))
        }
    }
}

fn streak(transition: StreakTransition) -> String {
    match transition {
        StreakTransition::Losses { in_a_row } => format!("{in_a_row} losses in a row"),
        StreakTransition::ExecutionErrors { in_a_row } => format!("{in_a_row} execution errors in a row"),
        StreakTransition::Cooldown { cause, until } => format!("no entries until {}: {cause}", time(until)),
    }
}

fn degraded(transition: &DegradationTransition) -> String {
    match transition {
        DegradationTransition::LevelChanged(change) => {
            format!("{} to {}, {} failures", change.from, change.to, change.failures)
        }
        DegradationTransition::Counted { component, counter } => {
            format!("{component}: {} failures outstanding", counter.outstanding)
        }
        DegradationTransition::Forgotten { component } => format!("{component} is not configured any more"),
        DegradationTransition::FailuresReset { reason, .. } => because("all failures reset", reason),
        DegradationTransition::Forced { forced } => {
            because(format_args!("LEVEL forced to {} at least", forced.level), &forced.reason)
        }
        DegradationTransition::ForcedCleared { level, reason, .. } => {
            because(format_args!("forced LEVEL {level} cleared"), reason)
        }
        DegradationTransition::ForcedEnded { level, .. } => format!("forced LEVEL {level} ended"),
        DegradationTransition::ReviewDue { level, .. } => format!("forced LEVEL {level} is due for review"),
        DegradationTransition::EndNear { level, .. } => format!("forced LEVEL {level} ends soon"),
        DegradationTransition::Streak { task, symbol, failures } => {
            format!("{task} {symbol}: {failures} failures in a row")
        }
        DegradationTransition::Locked { symbol, .. } => format!("{symbol} locked: no entries"),
        DegradationTransition::Unlocked { symbol, by } => format!("{symbol} unlocked by {by}"),
    }
}

fn alarmed(transition: &AlarmTransition) -> String {
    let head = format!("{} {}", transition.id(), transition.key());
    match transition {
        AlarmTransition::Raised { class, cause, detail, .. } => {
            format!("{head} raised ({class}): {cause}: {detail}")
        }
        AlarmTransition::Updated { cause, detail, .. } => format!("{head} now: {cause}: {detail}"),
        AlarmTransition::Cleared { .. } => format!("{head} condition gone"),
        AlarmTransition::Acknowledged { ack, .. } => format!("{head} acknowledged: {}", ack.comment),
        AlarmTransition::Reset { .. } => format!("{head} reset"),
        AlarmTransition::Annunciated { .. } => format!("{head} annunciated again"),
    }
}

/// The first 8 characters of a hash or UUID.
pub(super) fn short(text: &str) -> &str {
    text.get(..8).unwrap_or(text)
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_of_a_leg_and_of_a_breaker_says_why() {
        let reason = crate::coordinator::dca::DeferReason::Blocked(crate::domain::ReasonCode::Paused);
        assert_eq!(stepped(&LegTransition::Deferred { reason }), "deferred: PAUSED");
        let detail = Untrusted::new("no route");
        assert_eq!(stepped(&LegTransition::Unknown { detail }), "unknown: no route");
        assert_eq!(stepped(&LegTransition::Sent), "sent");
        let (at, name) = (Timestamp::EPOCH, crate::risk::BreakerName::DailyLoss);
        let rearmed = BreakerTransition::Rearmed { name, at, from: None, to: rust_decimal::Decimal::TEN };
        assert_eq!(breaker(&rearmed), "daily_loss armed again: baseline none to 10");
    }

    #[test]
    fn a_reason_that_was_not_given_leaves_nothing_behind() {
        assert_eq!(because("PAUSED", &SafeText::default()), "PAUSED");
        assert_eq!(because("PAUSED", &SafeText::ours("lunch")), "PAUSED: lunch");
    }
}
