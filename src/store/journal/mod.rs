//! The journal: append-only segments of chained lines. It is the authority on everything that is durable.
//!
//! A line is `<hash> <json>`: the BLAKE3 of the JSON bytes, and a record with two more fields: `v`, the version of its
//! words (1 where it is missing), and `prev`, the hash of the line before (64 zeros at the very first). The chain runs
//! on over segments.
//!
//! A segment begins with a record of the whole state. The one exception holds what a failed segment did not take: its
//! records are numbered already, and the state follows them in the next segment.

mod anchor;
mod disk;
mod line;
mod reader;
mod segments;
mod thread;
mod writer;

pub use anchor::{Anchor, AnchorError, Hash, HashError};
pub use disk::{Disk, FsDisk, JournalFile};
pub(super) use line::anchor_of;
pub use line::{Fault, Line, STATE_KIND};
pub use reader::{ReadError, Reader, Torn};
pub use segments::SegmentNo;
pub(super) use segments::{
    HeadFile, SEGMENT_MAX, file_name, line_before, list, list_torn, read_head, read_head_file, set_torn_aside,
};
pub use thread::{AppendError, Progress, WriterState, WriterThread};
pub use writer::{Resume, SyncMode, WriteError, Writer};
