//! Everything that can happen to the core. The runtime turns the world into these, one at a time.

use std::time::Duration;

use super::conflict::{CallFailure, Resolved};
use super::task::{TaskFailure, TaskOutput};
use crate::domain::{
    Actor, Candle, ClientOrderId, Command, CommandId, DecisionId, Epoch, Order, ReasonCode, RunId, SafeText,
    Symbol, Timestamp, TradingState, VenueEvent,
};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The process runs; the first input of every run.
    Started(Box<Started>),
    /// An instant that the core asked for has come.
    Tick,
    /// A candle closed.
    Candle(Candle),
    /// The feed has a hole.
    FeedGap {
        /// Whose.
        symbol: Symbol,
        /// First missing instant.
        from: Timestamp,
        /// First instant that is there again.
        until: Timestamp,
    },
    /// The feed has come to its end.
    FeedEnded,
    /// The feed has failed for good: why.
    FeedFailed {
        /// In words.
        why: SafeText,
    },
    /// A task run ended.
    TaskFinished {
        /// Which.
        run: RunId,
        /// How.
        result: Result<TaskOutput, TaskFailure>,
    },
    /// How a question to the models ended.
    Resolved {
        /// Whose conflicts.
        decision: DecisionId,
        /// How.
        resolved: Box<Resolved>,
    },
    /// How the probe of a failing provider ended.
    ProviderProbed {
        /// Its name in the configuration.
        provider: String,
        /// How.
        result: Result<(), CallFailure>,
    },
    /// Somebody asks for something.
    Command {
        /// Given by the runtime, to tell the answers apart.
        id: CommandId,
        /// Who.
        actor: Actor,
        /// What.
        command: Command,
        /// How it was confirmed.
        confirmation: Confirmation,
    },
    /// The venue says something.
    Venue(VenueEvent),
    /// The venue cannot keep its book any more and answers nothing until the next start.
    VenueFailed {
        /// Why.
        error: SafeText,
    },
    /// The HALT latch could not be put on disk: the halt holds, but a restart may not know of it.
    LatchFailed {
        /// Why.
        error: SafeText,
    },
    /// An order was not handed over; the venue never saw it.
    NotHandedOver {
        /// Which.
        client_id: ClientOrderId,
        /// The gate was shut, or its deadline had passed.
        reason: ReasonCode,
    },
    /// The gate was shut, by the core's own effect or by somebody who could not wait for it.
    GateShut {
        /// The epoch that began with it.
        epoch: Epoch,
        /// How tight.
        to: TradingState,
        /// By whom.
        by: Actor,
        /// Why.
        reason: SafeText,
    },
    /// The gate was loosened as the core asked.
    GateOpened {
        /// Epoch in force.
        epoch: Epoch,
        /// The command that asked for it.
        command: CommandId,
    },
    /// The gate was not loosened, because somebody shut it since.
    GateNotOpened {
        /// The command that asked for it.
        command: CommandId,
    },
    /// How far the disk is behind.
    StoreLag {
        /// Records that wait.
        waiting: u64,
        /// How long the oldest has waited, operator time.
        oldest: Duration,
    },
    /// The journal cannot be written any more: what follows is not durable, and only what makes things safer goes out.
    StoreFailed {
        /// Why.
        error: SafeText,
    },
    /// A write of the journal failed; it goes on in the space that was kept in reserve.
    StoreOnReserve {
        /// Why.
        error: SafeText,
    },
    /// How a try to write the journal again ended.
    StoreReopened {
        /// The command that asked for it.
        command: CommandId,
        /// Everything so far is durable and the reserve is filled, or what is in the way.
        result: Result<(), SafeText>,
    },
    /// The write of a checkpoint has ended, or does not end.
    CheckpointWritten {
        /// It is there, or why not.
        result: Result<(), SafeText>,
    },
    /// The verification of the records that the start did not read has ended: what is wrong with them.
    OldRecordsVerified {
        /// The first bad record, or why they cannot be read.
        result: Result<(), SafeText>,
    },
    /// An order as the venue has it, before what became of it; the journal may know nothing of it, or know another.
    OrderFound(Box<Order>),
    /// Result of the runtime's own checks (disk, clock, mailboxes).
    Probe(Probe),
    /// The measurement under way does not end: the disk hangs.
    ProbeHangs,
    /// A task of the runtime panicked.
    Panicked {
        /// Which.
        what: SafeText,
    },
    /// The process did not run for a while (suspended, machine asleep); whoever noticed has shut the gate.
    ProcessGap {
        /// For how long, operator time.
        length: Duration,
    },
    /// The process is about to end.
    Stop {
        /// Why.
        reason: SafeText,
    },
}

/// What is known of the records that a start need not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OldRecords {
    /// They are as they were written, or there are none.
    #[default]
    Sound,
    /// They are being read.
    BeingVerified,
    /// Nobody reads them in this run.
    NotVerified,
    /// They are not as they were written: what was found.
    Damaged(SafeText),
}

impl OldRecords {
    /// What a release should know of them.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Sound => None,
            Self::BeingVerified => Some("still being read".to_owned()),
            Self::NotVerified => Some("not read in this run; see andon audit verify".to_owned()),
            Self::Damaged(fault) => Some(fault.to_string()),
        }
    }
}

/// What the runtime found when it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Number of this process run, from 1.
    pub run: u16,
    /// Version of the program.
    pub version: String,
    /// BLAKE3 of the configuration in force.
    pub config_fingerprint: String,
    /// The HALT latch: its reason, if it is set or unreadable.
    pub latched: Option<SafeText>,
    /// The journal lost records or is damaged: what was found.
    pub journal_fault: Option<SafeText>,
    /// What is known of the records before those that were read.
    pub old_records: OldRecords,
    /// The journal goes on in a new segment, which begins with the whole state.
    pub begins_segment: bool,
    /// Orders that went out while the journal could not be written, as they stand beside the latch.
    pub noted: Vec<Order>,
    /// Such orders may be missing: why.
    pub notes_fault: Option<SafeText>,
    /// Torn last lines of the journal that were moved aside and that no record names yet: where to.
    pub torn: Option<SafeText>,
    /// The checkpoint was damaged or is lost, in words.
    pub checkpoint_rebuilt: Option<SafeText>,
    /// Space that could not be kept back for recording a halt on a full disk: which, and why.
    pub unreserved: Vec<SafeText>,
    /// The files of a replay go on behind what the last run has read of them: in words.
    pub market_grown: Option<SafeText>,
    /// Keep RUNNING over the restart (simulated and replayed markets only).
    pub keep_running: bool,
}

/// How a command that loosens was confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// Not at all: enough for what makes things safer.
    None,
    /// Shown and confirmed at the console or by `--confirm`.
    Given {
        /// The gate's epoch that the preview showed.
        epoch: Epoch,
        /// Operator time at which the preview was shown.
        shown_at: Timestamp,
        /// The code that was typed, where one is wanted.
        code: Option<String>,
    },
    /// An operator script of a simulated or replayed run confirms itself.
    Script,
}

/// What the runtime measured of its surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The last durable record still stands in the journal as it was written; or what is wrong.
    pub journal: Result<(), SafeText>,
    /// How long a test write with fsync took, or why it failed.
    pub store: Result<Duration, SafeText>,
    /// Free space in the data directory, MiB; none when it cannot be told.
    pub disk_free_mib: Option<u64>,
    /// Difference between the process clock and the wall clock.
    pub clock_drift: Duration,
    /// What the bus has lost so far.
    pub bus: BusLosses,
}

/// What the bus has lost since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BusLosses {
    /// Messages dropped by mailboxes.
    pub dropped: u64,
    /// Messages not accepted.
    pub refused: u64,
}
