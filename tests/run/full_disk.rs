//! A disk on which nothing more fits: files cannot grow beyond a limit, as on a full one.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use andon::alarm::{AlarmSource, AlarmTransition};
use andon::coordinator::record::{Record, RecordKind};
use andon::domain::TradingState;
use andon::store::CheckpointStore;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::place::{Data, Place, text};

/// How often a journal is looked at before it counts as one that does not change: a minute at least.
const ROUNDS_MAX: u32 = 3_000;

/// Whatever the disk does, the operator tries the same again every ten minutes: one second here.
const SCRIPT: [(u32, &str); 4] =
    [(10, "reopen_store"), (11, "ack_alarm all 1"), (12, "release space is back"), (13, "resume")];

/// The limit on the size of files of a running process; none for no limit.
fn limit(child: &Child, bytes: Option<u64>) {
    let pid = Pid::from_child(child);
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

fn wait_for(data: &Data, child: &mut Child, what: &str, holds: impl Fn(&[Record]) -> bool) {
    for _ in 0..ROUNDS_MAX {
        if data.dir().journal().is_dir() && holds(&data.records_so_far()) {
            return;
        }
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        // Another process is waited for; it tells nobody.
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("never: {what}")
}

fn is_halt(record: &Record) -> bool {
    matches!(&record.kind, RecordKind::StateChanged { to: TradingState::Halted, reason, .. }
        if reason.as_str().contains("journal"))
}

fn is_alarm(record: &Record) -> bool {
    matches!(&record.kind, RecordKind::Alarm(AlarmTransition::Raised { key, .. })
        if key.source == AlarmSource::JournalFault)
}

#[test]
fn a_full_disk_halts_and_records_it_and_trading_comes_back_with_the_space() {
    let place = Place::new();
    let data = place.data();
    let mut script = String::new();
    for from in (0..4_000).step_by(10) {
        for (after, what) in SCRIPT {
            writeln!(script, "- {{ at: {}m, do: {what} }}", from + after).unwrap();
        }
    }
    let script = place.write("s.yaml", &script);
    let args = ["--no-console", "--speed", "600", "--operator-script", script.to_str().unwrap()];
    let andon = place.command(&[&args[..], &["--data-dir", data.arg()]].concat());
    // A write beyond the limit is to fail, not to kill: the signal is ignored, and stays so over the exec.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg0("sh").arg(andon.get_program());
    command.args(andon.get_args()).current_dir(place.path()).env("HOME", place.path());
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME").env_remove("RUST_LOG");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&data, &mut child, "it runs", |records| records.len() >= 20);

    let segment = data.dir().journal().join("00000001.log");
    limit(&child, Some(fs::metadata(&segment).unwrap().len()));

    wait_for(&data, &mut child, "halted, on a full disk", |records| records.iter().any(is_halt));
    wait_for(&data, &mut child, "the alarm", |records| records.iter().any(is_alarm));
    assert!(data.path().join("HALT").exists());
    assert!(!data.path().join("reserve").exists(), "it was given back for this");
    let refused = |records: &[Record]| {
        records.iter().any(|record| {
            matches!(&record.kind, RecordKind::CommandEnded { command, outcome, .. }
                if command == "reopen_store" && format!("{outcome:?}").contains("not reopened"))
        })
    };
    wait_for(&data, &mut child, "a refusal while it is full", refused);

    limit(&child, None);

    let trades = |records: &[Record]| {
        let halted = records.iter().rposition(is_halt).unwrap();
        let mut since = records[halted..].iter().map(|record| &record.kind);
        since.any(|kind| matches!(kind, RecordKind::StateChanged { to: TradingState::Running, .. }))
            && since.any(|kind| matches!(kind, RecordKind::OrderIntended(_)))
    };
    wait_for(&data, &mut child, "released, resumed and trading", trades);
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(data.path().join("reserve").exists(), "it is taken again");
    data.assert_verifies();
    let marked = CheckpointStore::marked(&data.dir()).unwrap().seq;
    assert_eq!(marked, data.records().last().unwrap().seq, "checkpoints are written again too");
    let last = data.records().into_iter().rev().find(|it| matches!(it.kind, RecordKind::State(_))).unwrap();
    assert!(last.seq.0 > 1, "the new segment begins with the state");
}

#[test]
fn a_start_without_space_for_the_reserve_raises_an_alarm() {
    let place = Place::new();
    let data = place.data();
    let andon = place.command(&["--no-console", "--speed", "max", "--for", "1h", "--data-dir", data.arg()]);
    // At most 1,536 blocks for a file, of 512 or of 1,024 bytes: less than the reserve wants.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 1536; exec \"$0\" \"$@\""]).arg(andon.get_program());
    command.args(andon.get_args()).current_dir(place.path()).env("HOME", place.path());

    let output = command.output().unwrap();

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("High, unacknowledged: No reserve for recording a halt"), "{said}");
    let raised = data.records().into_iter().find_map(|record| match record.kind {
        RecordKind::Alarm(AlarmTransition::Raised { key, detail, .. })
            if key.source == AlarmSource::ReserveMissing =>
        {
            Some(detail.to_string())
        }
        _ => None,
    });
    assert!(raised.is_some_and(|detail| detail.starts_with("reserve: ")), "{said}");

    let with_space =
        place.andon(&["--no-console", "--speed", "max", "--for", "1h", "--data-dir", data.arg()]);
    assert!(
        text(&with_space.stdout).contains("returned unacknowledged: No reserve"),
        "the reserve is there again"
    );
}
