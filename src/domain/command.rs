//! Everything an operator can ask for: a closed enum, one spelling in console, `ctl`, scripts and journal.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{AlarmId, Level, PlanId, SafeText, Symbol};

/// What an alarm command is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmTarget {
    /// One occurrence; a stale one is refused.
    One(AlarmId),
    /// Every one to which it can be applied (scripts, and `ctl` with confirmation).
    All,
}

/// Which legs a command is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegTarget {
    /// One leg.
    One {
        /// Which plan.
        plan: PlanId,
        /// Which leg, from 0.
        leg: u16,
    },
    /// Every leg that waits for the operator.
    All,
}

/// Which plans a command is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanTarget {
    /// One plan.
    One(PlanId),
    /// Every plan that has legs left.
    All,
}

/// What it takes to have a command carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Makes things safer: at once, always.
    Safer,
    /// Makes things looser, or makes orders: after a preview and `y`.
    Looser,
    /// As looser, and a code has to be typed.
    WithCode,
}

/// One request of an operator, script or rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// No entries, no legs; exits go on.
    Pause {
        /// Why; may be empty.
        reason: String,
    },
    /// From PAUSED to RUNNING.
    Resume,
    /// Stop everything but protective orders.
    Halt {
        /// Why; may be empty.
        reason: String,
    },
    /// From HALTED to PAUSED.
    Release {
        /// Why; must not be empty.
        reason: String,
    },
    /// Close lots, and with `all` holdings too. Works in every state.
    Flatten {
        /// Only this symbol.
        symbol: Option<Symbol>,
        /// Holdings too.
        all: bool,
    },
    /// Force the degradation level to be at least this.
    ForceLevel {
        /// The floor.
        level: Level,
        /// Ends by itself after this long, market time, if asked for.
        until: Option<Duration>,
        /// Why; may be empty when tightening.
        reason: String,
    },
    /// Take the forced level away.
    ClearLevel {
        /// Why; must not be empty.
        reason: String,
    },
    /// Set all failure counters to zero.
    ResetFailures {
        /// Why; must not be empty.
        reason: String,
    },
    /// Arm a tripped breaker with the present equity as its new baseline.
    RearmBreaker {
        /// `daily_loss`, `weekly_loss`, `max_drawdown`.
        name: String,
        /// Why; must not be empty.
        reason: String,
    },
    /// No entries for one symbol.
    LockSymbol {
        /// Which.
        symbol: Symbol,
    },
    /// Entries for it again.
    UnlockSymbol {
        /// Which.
        symbol: Symbol,
    },
    /// Run a scheduled task now.
    RunTask {
        /// Its name.
        task: String,
        /// For one symbol, or for all.
        symbol: Option<Symbol>,
    },
    /// Let a disabled task run again.
    EnableTask {
        /// Its name.
        task: String,
    },
    /// Keep a task from running.
    DisableTask {
        /// Its name.
        task: String,
    },
    /// Run a deferred or waiting leg now.
    RunLeg {
        /// Which plan.
        plan: PlanId,
        /// Which leg, from 0.
        leg: u16,
    },
    /// Never run this leg.
    SkipLeg {
        /// Which.
        target: LegTarget,
    },
    /// Run this leg later, and those scheduled behind it as much later.
    PostponeLeg {
        /// Which plan.
        plan: PlanId,
        /// Which leg, from 0.
        leg: u16,
        /// By how long, market time.
        by: Duration,
    },
    /// Cancel one leg that has not been sent.
    CancelLeg {
        /// Which plan.
        plan: PlanId,
        /// Which leg, from 0.
        leg: u16,
    },
    /// Cancel every leg of a plan that has not been sent.
    CancelPlan {
        /// Which.
        target: PlanTarget,
    },
    /// "Seen, mine." Clears, resets and resumes nothing.
    AckAlarm {
        /// Which.
        target: AlarmTarget,
        /// An Emergency wants one.
        comment: String,
    },
    /// Take a latched, acknowledged alarm whose condition is gone off the list.
    ResetAlarm {
        /// Which.
        target: AlarmTarget,
    },
    /// Go on writing the journal in a new segment, after its disk has failed.
    ReopenStore,
    /// Write a line into the journal.
    Note {
        /// The line.
        text: String,
    },
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It was carried out and is durable, unless it says otherwise.
    Done {
        /// What that means now, in one line.
        detail: SafeText,
    },
    /// It was not carried out.
    Refused {
        /// Why, and what to do.
        why: SafeText,
    },
    /// It was not carried out, because it has to be confirmed first.
    Preview {
        /// What it would do.
        would: SafeText,
        /// The code to type, where it takes one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
}

impl Outcome {
    /// Carried out.
    pub fn done(detail: impl fmt::Display) -> Self {
        Self::Done { detail: SafeText::ours(detail) }
    }

    /// Not carried out.
    pub fn refused(why: impl fmt::Display) -> Self {
        Self::Refused { why: SafeText::ours(why) }
    }

    /// Whether it was carried out.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }

    /// The same, said while the journal cannot be written.
    #[must_use]
    pub fn not_durable(self) -> Self {
        match self {
            Self::Done { detail } => Self::done(format!("{detail} (NOT DURABLE: not in the journal)")),
            not_done @ (Self::Refused { .. } | Self::Preview { .. }) => not_done,
        }
    }
}

/// Why words are not a command.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandParseError {
    /// Nothing was written.
    #[error("no command given: try one of {}", names())]
    Empty,
    /// No command has this name.
    #[error("`{name}` is not a command{}", suggestion(.name))]
    Unknown {
        /// What was written.
        name: String,
    },
    /// Nobody reads that much in a record.
    #[error("{chars} characters, at most {COMMAND_CHARS_MAX}; write a shorter reason")]
    TooLong {
        /// How many there are.
        chars: usize,
    },
    /// The words behind the name do not fit.
    #[error("{command}: {problem}; write: {usage}")]
    Arguments {
        /// Which command.
        command: &'static str,
        /// What is wrong.
        problem: String,
        /// How it is written.
        usage: &'static str,
    },
}

/// Longest command, reason or comment included, in characters.
const COMMAND_CHARS_MAX: usize = 500;
/// Longest span that a command may name: a year.
const SPAN_MAX: Duration = Duration::from_secs(366 * 86_400);

/// Name, usage and tier of every command, in the order of the documentation.
const COMMANDS: [(&str, &str, Tier); 23] = [
    ("pause", "pause [REASON]", Tier::Safer),
    ("resume", "resume", Tier::Looser),
    ("halt", "halt [REASON]", Tier::Safer),
    ("release", "release REASON", Tier::WithCode),
    ("flatten", "flatten [SYMBOL] [--all]", Tier::WithCode),
    ("force_level", "force_level LEVEL [--until 2h] [REASON]", Tier::Safer),
    ("clear_level", "clear_level REASON", Tier::Looser),
    ("reset_failures", "reset_failures REASON", Tier::Looser),
    ("rearm_breaker", "rearm_breaker NAME REASON", Tier::Looser),
    ("lock_symbol", "lock_symbol SYMBOL", Tier::Safer),
    ("unlock_symbol", "unlock_symbol SYMBOL", Tier::Looser),
    ("run_task", "run_task TASK [SYMBOL]", Tier::Looser),
    ("enable_task", "enable_task TASK", Tier::Looser),
    ("disable_task", "disable_task TASK", Tier::Safer),
    ("run_leg", "run_leg PLAN/LEG", Tier::Looser),
    ("skip_leg", "skip_leg PLAN/LEG|all", Tier::Safer),
    ("postpone_leg", "postpone_leg PLAN/LEG SPAN", Tier::Safer),
    ("cancel_leg", "cancel_leg PLAN/LEG", Tier::Safer),
    ("cancel_plan", "cancel_plan PLAN|all", Tier::Safer),
    ("ack_alarm", "ack_alarm ALARM|all [COMMENT]", Tier::Safer),
    ("reset_alarm", "reset_alarm ALARM|all", Tier::Looser),
    ("reopen_store", "reopen_store", Tier::Looser),
    ("note", "note TEXT", Tier::Safer),
];

fn names() -> String {
    COMMANDS.map(|(name, ..)| name).join(", ")
}

fn suggestion(name: &str) -> String {
    COMMANDS
        .iter()
        .map(|(known, ..)| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(
            || format!(": it is one of {}", names()),
            |(_, known)| format!(": did you mean `{known}`?"),
        )
}

impl Command {
    /// Name and usage of every command, for completion and help.
    pub fn usages() -> impl Iterator<Item = (&'static str, &'static str)> {
        COMMANDS.into_iter().map(|(name, usage, _)| (name, usage))
    }

    /// The command's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
            Self::Halt { .. } => "halt",
            Self::Release { .. } => "release",
            Self::Flatten { .. } => "flatten",
            Self::ForceLevel { .. } => "force_level",
            Self::ClearLevel { .. } => "clear_level",
            Self::ResetFailures { .. } => "reset_failures",
            Self::RearmBreaker { .. } => "rearm_breaker",
            Self::LockSymbol { .. } => "lock_symbol",
            Self::UnlockSymbol { .. } => "unlock_symbol",
            Self::RunTask { .. } => "run_task",
            Self::EnableTask { .. } => "enable_task",
            Self::DisableTask { .. } => "disable_task",
            Self::RunLeg { .. } => "run_leg",
            Self::SkipLeg { .. } => "skip_leg",
            Self::PostponeLeg { .. } => "postpone_leg",
            Self::CancelLeg { .. } => "cancel_leg",
            Self::CancelPlan { .. } => "cancel_plan",
            Self::AckAlarm { .. } => "ack_alarm",
            Self::ResetAlarm { .. } => "reset_alarm",
            Self::ReopenStore => "reopen_store",
            Self::Note { .. } => "note",
        }
    }

    /// What it takes to have it carried out. `force_level` is looser when it loosens, and `ack_alarm all` when an
    /// Emergency is among them, which only the core knows.
    pub fn tier(&self) -> Tier {
        COMMANDS.iter().find(|(name, ..)| *name == self.name()).map_or(Tier::WithCode, |(_, _, tier)| *tier)
    }

    /// Reads the words of a command as written after `ctl`, in a script, or in the palette.
    ///
    /// # Errors
    /// Unknown name, missing or surplus words, or a word of the wrong kind; the text says how it is written.
    pub fn parse(text: &str) -> Result<Self, CommandParseError> {
        let chars = text.chars().count();
        if chars > COMMAND_CHARS_MAX {
            return Err(CommandParseError::TooLong { chars });
        }
        let mut words = text.split_whitespace();
        let name = words.next().ok_or(CommandParseError::Empty)?;
        let &(name, usage, _) = COMMANDS
            .iter()
            .find(|(known, ..)| *known == name)
            .ok_or_else(|| CommandParseError::Unknown { name: name.to_owned() })?;
        let args = Words { name, usage, rest: words.collect() };
        args.read()
    }
}

/// The words behind a command's name.
struct Words<'a> {
    name: &'static str,
    usage: &'static str,
    rest: Vec<&'a str>,
}

impl Words<'_> {
    fn wrong(&self, problem: impl Into<String>) -> CommandParseError {
        CommandParseError::Arguments { command: self.name, problem: problem.into(), usage: self.usage }
    }

    /// Takes the next word and reads it.
    fn take<T>(&mut self, what: &str) -> Result<T, CommandParseError>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        if self.rest.is_empty() {
            return Err(self.wrong(format!("{what} is missing")));
        }
        let word = self.rest.remove(0);
        word.parse().map_err(|e: T::Err| {
            let said = e.to_string();
            // Most say themselves what is no such thing.
            let names_it = said.starts_with(&format!("`{word}` "));
            self.wrong(if names_it { said } else { format!("`{word}` is not a {what}: {said}") })
        })
    }

    fn take_optional<T>(&mut self, what: &str) -> Result<Option<T>, CommandParseError>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        if self.rest.is_empty() { Ok(None) } else { self.take(what).map(Some) }
    }

    fn take_flag(&mut self, flag: &str) -> bool {
        let at = self.rest.iter().position(|word| *word == flag);
        at.map(|at| self.rest.remove(at)).is_some()
    }

    fn take_span(&mut self, what: &str) -> Result<Duration, CommandParseError> {
        let word: String = self.take(what)?;
        let span = humantime::parse_duration(&word)
            .map_err(|e| self.wrong(format!("`{word}` is not a {what} such as 2h: {e}")))?;
        if span > SPAN_MAX {
            return Err(self.wrong(format!("`{word}` is longer than a year")));
        }
        Ok(span)
    }

    fn take_option(&mut self, option: &str) -> Result<Option<Duration>, CommandParseError> {
        let Some(at) = self.rest.iter().position(|word| *word == option) else {
            return Ok(None);
        };
        self.rest.remove(at);
        let mut tail = Words { name: self.name, usage: self.usage, rest: self.rest.split_off(at) };
        let span = tail.take_span(&format!("span behind {option}"))?;
        self.rest.append(&mut tail.rest);
        Ok(Some(span))
    }

    /// `p3/2`, `3/2`.
    fn take_leg(&mut self) -> Result<(PlanId, u16), CommandParseError> {
        let word: String = self.take("leg")?;
        let leg = word.split_once('/').and_then(|(plan, leg)| Some((plan.parse().ok()?, leg.parse().ok()?)));
        leg.ok_or_else(|| self.wrong(format!("`{word}` is not PLAN/LEG, such as p3/2")))
    }

    fn take_target(&mut self) -> Result<AlarmTarget, CommandParseError> {
        let word: String = self.take("alarm")?;
        if word == "all" {
            return Ok(AlarmTarget::All);
        }
        word.parse()
            .map(AlarmTarget::One)
            .map_err(|_| self.wrong(format!("`{word}` is not an alarm id such as a12")))
    }

    /// Everything that is left, as one text.
    fn take_rest(&mut self) -> String {
        std::mem::take(&mut self.rest).join(" ")
    }

    fn required_rest(&mut self, what: &str) -> Result<String, CommandParseError> {
        let rest = self.take_rest();
        if rest.is_empty() { Err(self.wrong(format!("{what} is missing"))) } else { Ok(rest) }
    }

    fn read(mut self) -> Result<Command, CommandParseError> {
        let command = match self.name {
            "pause" => Command::Pause { reason: self.take_rest() },
            "resume" => Command::Resume,
            "halt" => Command::Halt { reason: self.take_rest() },
            "release" => Command::Release { reason: self.required_rest("a reason")? },
            "flatten" => {
                let all = self.take_flag("--all");
                Command::Flatten { symbol: self.take_optional("symbol")?, all }
            }
            "force_level" => {
                let until = self.take_option("--until")?;
                Command::ForceLevel { level: self.take("level")?, until, reason: self.take_rest() }
            }
            "clear_level" => Command::ClearLevel { reason: self.required_rest("a reason")? },
            "reset_failures" => Command::ResetFailures { reason: self.required_rest("a reason")? },
            "rearm_breaker" => {
                let name = self.take("breaker")?;
                Command::RearmBreaker { name, reason: self.required_rest("a reason")? }
            }
            "lock_symbol" => Command::LockSymbol { symbol: self.take("symbol")? },
            "unlock_symbol" => Command::UnlockSymbol { symbol: self.take("symbol")? },
            "run_task" => {
                let task = self.take("task")?;
                Command::RunTask { task, symbol: self.take_optional("symbol")? }
            }
            "enable_task" => Command::EnableTask { task: self.take("task")? },
            "disable_task" => Command::DisableTask { task: self.take("task")? },
            "run_leg" => self.take_leg().map(|(plan, leg)| Command::RunLeg { plan, leg })?,
            "skip_leg" => {
                let one = |(plan, leg)| LegTarget::One { plan, leg };
                let target = if self.take_flag("all") { LegTarget::All } else { self.take_leg().map(one)? };
                Command::SkipLeg { target }
            }
            "postpone_leg" => {
                let (plan, leg) = self.take_leg()?;
                Command::PostponeLeg { plan, leg, by: self.take_span("span")? }
            }
            "cancel_leg" => self.take_leg().map(|(plan, leg)| Command::CancelLeg { plan, leg })?,
            "cancel_plan" => {
                let target = if self.take_flag("all") {
                    PlanTarget::All
                } else {
                    PlanTarget::One(self.take("plan or `all`")?)
                };
                Command::CancelPlan { target }
            }
            "ack_alarm" => Command::AckAlarm { target: self.take_target()?, comment: self.take_rest() },
            "reset_alarm" => Command::ResetAlarm { target: self.take_target()? },
            "reopen_store" => Command::ReopenStore,
            _ => Command::Note { text: self.required_rest("the text")? },
        };
        match self.rest.first() {
            Some(word) => Err(self.wrong(format!("`{word}` is one word too many"))),
            None => Ok(command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_as_long_as_a_record_can_bear_and_no_longer() {
        let longest = "x".repeat(COMMAND_CHARS_MAX - "pause ".len());
        assert_eq!(
            Command::parse(&format!("pause {longest}")),
            Ok(Command::Pause { reason: longest.clone() })
        );
        for text in [format!("pause {longest}x"), "é".repeat(10_000_000)] {
            let chars = text.chars().count();
            assert_eq!(Command::parse(&text), Err(CommandParseError::TooLong { chars }));
        }
    }

    #[test]
    fn every_command_reads_back_from_its_words() {
        let symbol = Symbol::new("BTC/USDT").unwrap();
        for (text, command) in [
            ("pause", Command::Pause { reason: String::new() }),
            ("halt runaway XRP", Command::Halt { reason: "runaway XRP".into() }),
            ("resume", Command::Resume),
            ("release all clear", Command::Release { reason: "all clear".into() }),
            ("flatten BTC/USDT", Command::Flatten { symbol: Some(symbol.clone()), all: false }),
            ("flatten --all", Command::Flatten { symbol: None, all: true }),
            (
                "force_level limited --until 2h storm",
                Command::ForceLevel {
                    level: Level::Limited,
                    until: Some(Duration::from_secs(7_200)),
                    reason: "storm".into(),
                },
            ),
            ("run_leg p3/2", Command::RunLeg { plan: PlanId(3), leg: 2 }),
            (
                "postpone_leg 3/2 90m",
                Command::PostponeLeg { plan: PlanId(3), leg: 2, by: Duration::from_secs(5_400) },
            ),
            ("skip_leg p3/2", Command::SkipLeg { target: LegTarget::One { plan: PlanId(3), leg: 2 } }),
            ("skip_leg all", Command::SkipLeg { target: LegTarget::All }),
            ("cancel_plan p3", Command::CancelPlan { target: PlanTarget::One(PlanId(3)) }),
            ("cancel_plan all", Command::CancelPlan { target: PlanTarget::All }),
            ("ack_alarm all", Command::AckAlarm { target: AlarmTarget::All, comment: String::new() }),
            (
                "ack_alarm a7 2 expected",
                Command::AckAlarm { target: AlarmTarget::One(AlarmId(7)), comment: "2 expected".into() },
            ),
            (
                "rearm_breaker daily_loss new day",
                Command::RearmBreaker { name: "daily_loss".into(), reason: "new day".into() },
            ),
            ("reopen_store", Command::ReopenStore),
            ("note hello there", Command::Note { text: "hello there".into() }),
        ] {
            assert_eq!(Command::parse(text), Ok(command), "{text}");
        }
    }

    #[test]
    fn wrong_words_say_how_it_is_written() {
        for (text, expected) in [
            ("", "no command given"),
            ("pauze", "did you mean `pause`"),
            ("release", "a reason is missing; write: release REASON"),
            ("resume now", "`now` is one word too many"),
            ("force_level HIGH", "NORMAL, REDUCED, LIMITED or EMERGENCY"),
            ("run_leg 3", "such as p3/2"),
            ("postpone_leg p3/2 8000y", "longer than a year"),
            ("force_level limited --until 9999999h", "longer than a year"),
            ("lock_symbol BTCUSDT", "BASE/QUOTE"),
        ] {
            let error = Command::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} said: {error}");
        }
    }

    #[test]
    fn what_loosens_or_orders_is_never_in_the_safer_tier() {
        for (text, tier) in [
            ("pause", Tier::Safer),
            ("halt", Tier::Safer),
            ("resume", Tier::Looser),
            ("release x", Tier::WithCode),
            ("flatten", Tier::WithCode),
            ("run_leg 1/1", Tier::Looser),
            ("reopen_store", Tier::Looser),
        ] {
            assert_eq!(Command::parse(text).unwrap().tier(), tier);
        }
    }
}
