//! What all records together say, from the first to the last, without any shortcut.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::process::Command;

use andon::config::Config;
use andon::coordinator::durable::Durable;
use andon::coordinator::record::{Record, RecordKind};
use andon::domain::{InstallId, Now, Seq};

use super::place::Data;

/// All records from the first, by their effect alone: a state in between must be what they have led to.
pub fn replay(records: &[Record], at: &str) -> Durable {
    let config = Config::defaults().unwrap();
    let begin = Now::both(records[0].at);
    let mut durable = Durable::fresh(InstallId::derived("any"), &config, begin);
    for record in records {
        if let RecordKind::State(state) = &record.kind
            && record.seq > Seq(1)
        {
            assert!(**state == durable, "{at}: the state of {} is not what the records say", record.seq);
        }
        durable.apply(record);
    }
    durable
}

/// Copies only these files and directories of a data directory, as far as they are there.
pub fn copy_parts(from: &Data, to: &Data, names: &[&str]) {
    fs::DirBuilder::new().mode(0o700).create(to.path()).unwrap();
    for path in names.iter().map(|name| from.path().join(name)).filter(|path| path.exists()) {
        let copied = Command::new("cp").arg("-r").arg(path).arg(to.path()).status().unwrap();
        assert!(copied.success());
    }
}
