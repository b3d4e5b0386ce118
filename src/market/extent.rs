//! The files behind a feed, as they were read: enough to know them again when they have grown.

use serde::{Deserialize, Serialize};

use crate::domain::Symbol;

/// How far a file went when it was read, and what was in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileExtent {
    /// Whose candles.
    pub symbol: Symbol,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of them, in hex.
    pub hash: String,
}

/// What has become of files since they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Each begins with what was read, and goes on.
    Grown,
    /// One of them does not begin with what was read.
    Rewritten,
    /// They are of other symbols.
    Others,
}
