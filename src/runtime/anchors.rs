//! Tells the outside how far the journal is on the disk: number and hash of its head, a line each, as soon as they are
//! durable. Who keeps these lines where the writer of the journal cannot reach can prove later that nothing up to them
//! was lost or changed: `andon audit verify --anchors FILE`. A reader that does not keep up holds nothing up here; it
//! misses what lies between two lines, which the later one vouches for.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::store::{Anchor, Progress};

/// Opens the file or pipe that takes the lines, at its end.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Writes a line.
pub(super) fn write(mut to: &File, anchor: Anchor) -> io::Result<()> {
    // One call: a kill leaves a whole line or none.
    to.write_all(format!("{anchor}\n").as_bytes())
}

/// Writes a line whenever `progress` says that more is durable, on a thread of its own. What is returned ends when
/// there is nothing more to tell.
pub(super) fn follow(to: File, mut progress: watch::Receiver<Progress>) -> io::Result<oneshot::Receiver<()>> {
    let (done, ended) = oneshot::channel();
    let runtime = Handle::current();
    let follow = move || {
        let mut told = progress.borrow().durable;
        while runtime.block_on(progress.changed()).is_ok() {
            let durable = progress.borrow_and_update().durable;
            if durable == told {
                continue;
            }
            if let Err(error) = write(&to, durable) {
                tracing::error!(%error, "anchors are not told any more; the journal goes on");
                break;
            }
            told = durable;
        }
        drop(done);
    };
    std::thread::Builder::new().name("anchors".to_owned()).spawn(follow)?;
    Ok(ended)
}
