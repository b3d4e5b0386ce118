//! The records that a start need not read are read while it runs, so that damage in them is found without being asked for.
//! It only reads, and ends at once when the run does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::SafeText;
use crate::store::Unread;

/// A verification that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Verification {
    unread: Unread,
    stop: Arc<AtomicBool>,
}

impl Verification {
    /// Of these records.
    pub(super) fn new(unread: Unread) -> Self {
        Self { unread, stop: Arc::default() }
    }

    /// What reads them, on a thread that may block: the first thing that is wrong, in words; none if it was stopped.
    pub(super) fn begin(&self) -> impl FnOnce() -> Option<Result<(), SafeText>> + Send + 'static {
        let (unread, stop) = (self.unread.clone(), Arc::clone(&self.stop));
        move || {
            let result = match unread.verify(&stop) {
                Ok(None) => return None,
                Ok(Some(report)) if report.is_sound() => {
                    tracing::info!(records = report.records, "the records of earlier segments are in order");
                    Ok(())
                }
                Ok(Some(report)) => Err(SafeText::ours(report)),
                Err(error) => Err(SafeText::ours(error)),
            };
            if let Err(fault) = &result {
                tracing::error!(%fault, "old records of the journal are not what was written");
            }
            Some(result)
        }
    }
}

impl Drop for Verification {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
