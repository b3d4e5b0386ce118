//! One page for whoever takes over: the state as the journal tells it, and what was done by whom.

use std::fmt::{self, Write as _};
use std::path::Path;

use super::words::{because, end, time};
use super::{Gap, operator_time};
use crate::alarm::{Alarm, AlarmClass};
use crate::coordinator::dca::{Leg, LegState};
use crate::coordinator::durable::Durable;
use crate::coordinator::record::{Record, RecordKind};
use crate::domain::{Actor, CommandId, SafeText, Timestamp, Untrusted, plain_amount};
use crate::store::journal::{self, Fault, ReadError, Reader};

/// Commands and notes on the page; the older ones are counted.
const DONE_MAX: usize = 20;
/// Alarms on the page, and legs of one plan; the others are counted. An Emergency is always there.
const ALARMS_MAX: usize = 15;
const LEGS_MAX: usize = 6;
/// Longest line of the page.
const LINE_CHARS_MAX: usize = 200;

/// There is nothing to hand over.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No record holds the whole state.
    #[error("no segment of the journal begins with a readable state; see andon audit verify")]
    NoState,
}

/// What somebody asked for or wrote down.
#[derive(Debug, Clone)]
struct Done {
    at: Timestamp,
    actor: Actor,
    command: Option<CommandId>,
    what: String,
}

/// The page.
#[derive(Debug)]
pub struct Handover {
    state: Box<Durable>,
    at: Timestamp,
    since: Timestamp,
    done: Vec<Done>,
    gap: Option<Gap>,
}

impl Handover {
    /// Reads the state at the end of `journal`; what was done since `since` (operator time) is added with
    /// [`Handover::add`].
    ///
    /// # Errors
    /// [`HandoverError`].
    pub fn read(journal: &Path, since: Timestamp) -> Result<Self, HandoverError> {
        for segment in journal::list(journal)?.into_iter().rev() {
            let head = journal::read_head(journal, segment)?;
            if !head.is_some_and(|head| head.is_state) {
                continue;
            }
            let (mut state, mut at, mut gap) = (None, since, None);
            let mut reader = Reader::from_segment(journal, segment)?;
            loop {
                let (seq, record) = match reader.next_line() {
                    Ok(Some(line)) => (line.anchor.seq, line.record()),
                    Ok(None) | Err(ReadError::Torn(_)) => break,
                    Err(ReadError::Damaged { seq, why }) => (seq, Err(why)),
                    Err(error @ (ReadError::Io { .. } | ReadError::Newer { .. })) => return Err(error.into()),
                };
                match record {
                    Ok(record) => {
                        at = operator_time(&record);
                        apply(&mut state, &record);
                    }
                    Err(why) => {
                        gap = Some(Gap { seq, why });
                        break;
                    }
                }
            }
            if let Some(state) = state {
                return Ok(Self { state, at, since, done: Vec::new(), gap });
            }
        }
        Err(HandoverError::NoState)
    }

    /// The kinds of records that [`Handover::add`] has a use for.
    pub const KINDS: [&'static str; 4] = ["command_requested", "command_ended", "state_changed", "note"];

    /// One more record of what was done, in order.
    pub fn add(&mut self, record: &Record) {
        let (command, what) = match &record.kind {
            RecordKind::CommandRequested { id, command } => {
                (Some(*id), format!("{} (no end in the journal)", command.name()))
            }
            RecordKind::CommandEnded { id, command, outcome, .. } => {
                let what = format!("{command} {}", end(outcome));
                if let Some(asked) = self.done.iter_mut().rev().find(|done| done.command == Some(*id)) {
                    asked.what = what;
                    return;
                }
                (Some(*id), what)
            }
            RecordKind::StateChanged { to, reason, .. } => (None, because(*to, reason)),
            RecordKind::Note { text } => (None, format!("note: {text}")),
            RecordKind::State(_)
            | RecordKind::RunStarted { .. }
            | RecordKind::RunEnded { .. }
            | RecordKind::Degradation(_)
            | RecordKind::Decision(_)
            | RecordKind::DecisionEnded { .. }
            | RecordKind::OrderIntended(_)
            | RecordKind::OrderAdopted(_)
            | RecordKind::OrderStatus { .. }
            | RecordKind::Fill { .. }
            | RecordKind::Breaker(_)
            | RecordKind::Streak(_)
            | RecordKind::Closing(_)
            | RecordKind::ClosingEnded { .. }
            | RecordKind::Plan(_)
            | RecordKind::Alarm(_)
            | RecordKind::TaskEnabled { .. }
            | RecordKind::Mark { .. } => return,
        };
        self.done.push(Done { at: operator_time(record), actor: record.actor.clone(), command, what });
    }

    fn positions(&self, page: &mut Page) {
        let account = &self.state.account;
        let held = account.balances().iter().filter(|(_, amount)| !amount.is_zero());
        let (cash, held): (Vec<_>, Vec<_>) = held.partition(|(asset, _)| *asset == account.currency());
        page.head(&format!("POSITIONS ({})", held.len()));
        for (asset, amount) in held {
            page.line(&format!("{} {asset}", plain_amount(*amount)));
        }
        for (currency, amount) in cash {
            page.line(&format!("cash: {} {currency}", plain_amount(*amount)));
        }
        for uncertain in self.state.uncertain() {
            page.line(&format!("equity uncertain: {uncertain}"));
        }
        for lot in account.lots() {
            let price =
                |price: Option<rust_decimal::Decimal>| price.map_or("NONE".to_owned(), |p| p.to_string());
            page.line(&format!(
                "lot: {} {} at {}, stop {}, target {}, since {}",
                lot.symbol,
                lot.quantity,
                plain_amount(lot.entry_price),
                price(lot.stop),
                price(lot.take_profit),
                time(lot.opened_at),
            ));
        }
        for tracked in self.state.open_orders() {
            let order = &tracked.order;
            page.line(&format!("open order: {} {} {}", order.side, order.quantity, order.symbol));
        }
        for closing in self.state.closings.values() {
            page.line(&format!("being sold: {} {}: {}", closing.remaining, closing.symbol, closing.reason));
        }
        for plan in self.state.plans.open() {
            let count = |state| plan.legs.iter().filter(|leg| leg.state == state).count();
            let counts = LegState::ALL.map(|state| (count(state), state));
            let counts = counts.iter().filter(|(count, _)| *count > 0);
            let counts: Vec<_> = counts.map(|(count, state)| format!("{count} {state}")).collect();
            page.line(&format!("plan {}: {}", plan.id, counts.join(", ")));
            let is_open_question = |leg: &&Leg| matches!(leg.state, LegState::Waiting | LegState::Unknown);
            let asking: Vec<_> = plan.legs.iter().filter(is_open_question).collect();
            for leg in asking.iter().take(LEGS_MAX) {
                let why = leg.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
                let (id, amount) = (plan.leg_id(leg), leg.amount.normalize());
                page.line(&format!("leg {id} {}: {} {} for {amount}{why}", leg.state, leg.side, leg.symbol));
            }
            page.more(asking.len(), LEGS_MAX, "legs");
        }
    }

    fn alarms(&self, page: &mut Page) {
        let alarms = self.state.alarms.listed();
        page.head(&format!("OPEN ALARMS ({})", alarms.len()));
        let (first, rest): (Vec<_>, Vec<_>) =
            alarms.into_iter().partition(|alarm| alarm.class == AlarmClass::Emergency);
        for alarm in first.iter().chain(rest.iter().take(ALARMS_MAX)) {
            page.line(&alarm_line(alarm));
        }
        page.more(rest.len(), ALARMS_MAX, "alarms");
        for (name, trip) in self.state.breakers.tripped() {
            page.line(&format!(
                "breaker {name} tripped at {}, loss {} %",
                time(trip.at),
                trip.loss_pct.round_dp(2)
            ));
        }
        for (symbol, _) in self.state.degradation.locks() {
            page.line(&format!("{symbol} is locked for entries"));
        }
        if let Some(forced) = self.state.degradation.forced() {
            page.line(&format!("LEVEL {} is forced at least", forced.level));
        }
        for task in &self.state.tasks_disabled {
            page.line(&format!("task {task} is disabled"));
        }
    }

    fn done(&self, page: &mut Page) {
        page.head(&format!("DONE SINCE {}", time(self.since)));
        let older = self.done.len().saturating_sub(DONE_MAX);
        if older > 0 {
            page.line(&format!("{older} older ones: andon since {}", self.since));
        }
        for done in &self.done[older..] {
            page.line(&format!("{}  {:<11} {}", time(done.at), done.actor.to_string(), done.what));
        }
        if self.done.is_empty() {
            page.line("nothing");
        }
    }
}

/// The first record holds the whole state; the others change it.
fn apply(state: &mut Option<Box<Durable>>, record: &Record) {
    match (state, &record.kind) {
        (Some(state), _) => state.apply(record),
        (state @ None, RecordKind::State(first)) => state.insert(first.clone()).apply(record),
        (None, _) => {}
    }
}

fn alarm_line(alarm: &Alarm) -> String {
    let seen = match &alarm.ack {
        Some(ack) => format!("acknowledged by {} at {}: {}", ack.by, time(ack.at.operator), ack.comment),
        None => "NOT ACKNOWLEDGED".to_owned(),
    };
    let since = time(alarm.raised_at.operator);
    format!("{} {} {} since {since}: {}; {seen}", alarm.class, alarm.id, alarm.key, alarm.cause)
}

/// Lines that are fit for a terminal, whatever foreign words are in them.
struct Page(String);

impl Page {
    fn head(&mut self, text: &str) {
        self.0.push('\n');
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// How many of `count` are not among the `shown`.
    fn more(&mut self, count: usize, shown: usize, what: &str) {
        if count > shown {
            self.line(&format!("and {} more {what}", count - shown));
        }
    }

    fn line(&mut self, text: &str) {
        let safe: SafeText = Untrusted::new(text).sanitize(LINE_CHARS_MAX);
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "  {safe}");
    }
}

impl fmt::Display for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let control = &self.state.control;
        let mut page = Page(format!("HANDOVER at {} (record {}, UTC)\n", time(self.at), self.state.seq));
        page.head(&format!("STATE {}", control.state));
        let since = format!("since {} by {}", time(control.since.operator), control.by);
        page.line(&because(since, &control.reason));
        for halt in &control.halt_reasons {
            page.line(&format!("halt by {}: {}", halt.by, halt.reason));
        }
        let level_since = self.state.degradation.level_since();
        let level_since = level_since.map_or_else(String::new, |at| format!(" since {}", time(at.operator)));
        page.line(&format!("LEVEL {}{level_since}", self.state.degradation.recorded_level()));
        if let Some(gap) = &self.gap {
            let what = if matches!(gap.why, Fault::Newer { .. }) {
                "A NEWER ANDON WROTE WHAT COMES AFTER"
            } else {
                "THE JOURNAL IS DAMAGED, this is the state before"
            };
            page.line(&format!("{what}: {gap}"));
        }
        self.positions(&mut page);
        self.alarms(&mut page);
        self.done(&mut page);
        f.write_str(&page.0)
    }
}
