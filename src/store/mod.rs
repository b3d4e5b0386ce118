//! What outlives the process: the journal (the authority and the audit trail), the checkpoint (a shortcut through
//! it), the identity of a data directory, its lock, and the HALT latch.
//!
//! Everything here is plain blocking I/O on the caller's thread, except [`WriterThread`], which has its own. Nothing
//! here reads a clock, decides about trading or repairs damage silently: what is found wrong is returned, and the
//! runtime halts on it.
//!
//! ```text
//! <data directory>/            0700
//!   lock                       pid and start time of the instance that runs
//!   identity.json              market, currency and seed that it is bound to, install id
//!   run                        how often it was started
//!   halt.armed | HALT          the latch; HALT.released-N are its past
//!   halt.orders                orders sent while the journal could not be written; .adopted-N are its past
//!   reserve                    4 MiB given back when the disk is full
//!   journal/00000001.log ...   one record a line: <blake3 of the JSON> <JSON>
//!   journal/00000001.log.torn-7  what a crash left of an unfinished line, after record 7
//!   journal/HEAD               the last record when a segment was sealed or a run ended, and the segment that went on
//!   venue.log                  the paper venue's own
//!   log/                       what was logged
//!   models.log                 what models were asked and wrote, by the digests of the journal
//!   store.sled/                checkpoint; corrupt-N are those that were damaged or knew of lost records, kept
//!   checkpoint                 record and hash of the last checkpoint
//! ```

pub mod audit;
pub mod backup;
mod checkpoint;
mod data_dir;
mod durable_file;
mod identity;
mod journal;
mod last_checkpoint;
mod latch;
mod lock;
mod model_texts;
mod order_notes;
mod recovery;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, CheckpointOpen, CheckpointStore};
pub use data_dir::{DataDir, DataDirError};
pub use identity::{Bound, Identity, IdentityError};
pub use journal::{
    Anchor, AnchorError, AppendError, Disk, Fault, FsDisk, Hash, HashError, JournalFile, Line, Progress,
    ReadError, Reader, Resume, STATE_KIND, SegmentNo, SyncMode, Torn, WriteError, Writer, WriterState,
    WriterThread,
};
pub use latch::{Latch, LatchError, LatchState, Latched};
pub use lock::{Holder, InstanceLock, LockError};
pub use model_texts::{ModelText, keep_model_texts};
pub use order_notes::{Noted, OrderNotes};
pub use recovery::{RecoverError, Recovered, Trouble, recover};
pub use verify::{Scope, Unread, Verdict, VerifyReport, still_holds, verify};
