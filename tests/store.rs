//! The store as the runtime uses it: what is written is read again, what is changed is found, what fails is said.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests stop a test as its own lines do")]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use andon::alarm::{AlarmClass, AlarmKey, AlarmSource, AlarmTransition};
use andon::config::{Config, TaskName};
use andon::coordinator::durable::Durable;
use andon::coordinator::record::{Record, RecordKind};
use andon::domain::{Actor, AlarmId, InstallId, Now, SafeText, Seq, Timestamp};
use andon::store::backup::{self, BackupError};
use andon::store::{
    Anchor, AppendError, Checkpoint, CheckpointStore, DataDir, Disk, Fault, FsDisk, Hash, JournalFile,
    Reader, RecoverError, Recovered, Resume, Scope, SegmentNo, SyncMode, Trouble, Verdict, WriteError,
    Writer, WriterState, WriterThread, recover, still_holds, verify,
};

fn record(seq: u64) -> Record {
    Record {
        seq: Seq(seq),
        at: Timestamp::from_secs(1_640_995_200 + i64::try_from(seq).unwrap()),
        wall: None,
        run: 1,
        actor: Actor::Coordinator,
        kind: RecordKind::Note { text: SafeText::ours(format!("note {seq} \u{1f514} \"quoted\"")) },
    }
}

fn fresh_state() -> Durable {
    let begin = Now::both(Timestamp::from_secs(1_640_995_200));
    Durable::fresh(InstallId::derived("any"), &Config::defaults().unwrap(), begin)
}

struct Fixture {
    _parent: tempfile::TempDir,
    dir: DataDir,
}

impl Fixture {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&parent.path().join("data")).unwrap();
        Self { _parent: parent, dir }
    }

    /// A journal of `count` records with a new segment after every `segment_len`.
    fn with_journal(count: u64, segment_len: u64) -> Self {
        let fixture = Self::new();
        let mut writer = fixture.writer(Resume::FRESH);
        for seq in 1..=count {
            writer.append(&record(seq), seq % segment_len == 1).unwrap();
            writer.commit().unwrap();
        }
        fixture
    }

    fn writer(&self, resume: Resume) -> Writer {
        Writer::new(Box::new(self.dir.journal_disk(false)), SyncMode::None, resume)
    }

    fn journal(&self) -> PathBuf {
        self.dir.journal()
    }

    fn segment(&self, number: SegmentNo) -> PathBuf {
        self.journal().join(format!("{number:08}.log"))
    }

    fn verdict(&self, anchors: &[Anchor]) -> Verdict {
        verify(&self.journal(), anchors, Scope::All).unwrap().verdict
    }

    fn recover(&self) -> Recovered<Vec<u8>> {
        recover(&self.dir, |_, state| Ok(state.to_vec())).unwrap()
    }

    fn anchor_at(&self, seq: u64) -> Anchor {
        let mut reader = Reader::all(&self.journal()).unwrap();
        loop {
            let anchor = reader.next_line().unwrap().unwrap().anchor;
            if anchor.seq == Seq(seq) {
                return anchor;
            }
        }
    }
}

fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq.0).collect()
}

#[test]
fn what_was_written_is_read_again_in_order_over_segments() {
    let fixture = Fixture::with_journal(25, 10);
    let read: Vec<Record> = Reader::all(&fixture.journal()).unwrap().records().map(Result::unwrap).collect();
    assert_eq!(read, (1..=25).map(record).collect::<Vec<_>>());
    assert_eq!(fixture.verdict(&[]), Verdict::Sound);
    assert!(fixture.segment(3).exists() && !fixture.segment(4).exists());
}

#[test]
fn the_same_records_end_with_the_same_head_however_they_are_committed() {
    let one = Fixture::with_journal(30, 10);
    let two = Fixture::new();
    let mut writer = two.writer(Resume::FRESH);
    for seq in 1..=30 {
        writer.append(&record(seq), seq % 10 == 1).unwrap();
    }
    writer.commit().unwrap();
    assert_eq!(writer.head(), one.anchor_at(30));
}

#[test]
fn a_report_says_up_to_where_it_is_anchored() {
    let fixture = Fixture::with_journal(25, 10);
    let report = verify(&fixture.journal(), &[], Scope::All).unwrap();
    assert_eq!(
        (report.records, report.anchored),
        (25, Seq(20)),
        "HEAD was written when segment 2 was sealed"
    );
    assert_eq!(report.to_string(), "25 records in order; unanchored after #20");
    let report = verify(&fixture.journal(), &[fixture.anchor_at(25)], Scope::FromAnchor).unwrap();
    assert_eq!((report.records, report.anchored), (5, Seq(25)));
}

// Tampering ----------------------------------------------------------------------------------------------------------

type Lines = Vec<Vec<u8>>;

fn read_lines(fixture: &Fixture, segments: SegmentNo) -> Vec<Lines> {
    (1..=segments)
        .map(|n| {
            let bytes = std::fs::read(fixture.segment(n)).unwrap();
            bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
        })
        .collect()
}

fn write_lines(fixture: &Fixture, segments: &[Lines]) {
    for (n, lines) in (1..).zip(segments) {
        std::fs::write(fixture.segment(n), lines.concat()).unwrap();
    }
}

#[test]
fn a_missing_segment_is_damage_where_it_began() {
    let fixture = Fixture::with_journal(25, 10);
    std::fs::remove_file(fixture.segment(2)).unwrap();
    assert_eq!(fixture.verdict(&[]), Verdict::Damaged { seq: Seq(11), why: Fault::SegmentMissing(2) });
}

#[test]
fn a_head_file_that_says_nothing_is_damage() {
    let fixture = Fixture::with_journal(25, 10);
    std::fs::write(fixture.journal().join("HEAD"), "").unwrap();
    let report = verify(&fixture.journal(), &[], Scope::All).unwrap();
    assert!(matches!(report.verdict, Verdict::Damaged { why: Fault::HeadUnreadable(_), .. }));
    assert!(report.to_string().starts_with("first bad file HEAD: "), "no record is accused: {report}");
}

// Crashes ------------------------------------------------------------------------------------------------------------

#[test]
fn a_last_line_torn_at_any_byte_is_set_aside_and_the_chain_goes_on() {
    let fixture = Fixture::with_journal(12, 10);
    let whole = std::fs::read(fixture.segment(2)).unwrap();
    let first_len = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    for len in first_len + 1..whole.len() {
        std::fs::write(fixture.segment(2), &whole[..len]).unwrap();
        assert!(matches!(fixture.verdict(&[]), Verdict::Torn(_)), "cut at {len}");
        if len % 40 != 0 && len != whole.len() - 1 {
            continue; // Opening the checkpoint store for every byte would take long.
        }

        let recovered = fixture.recover();

        assert_eq!(recovered.head().seq, Seq(11), "cut at {len}");
        let aside = recovered.torn_unrecorded.last().unwrap();
        assert!(aside.starts_with("00000002.log.torn-11"), "cut at {len}: {aside}");
        assert_eq!(std::fs::read(fixture.journal().join(aside)).unwrap(), &whole[first_len..len]);
        assert!(!recovered.halts());
        let mut writer = fixture.writer(recovered.resume);
        writer.append(&record(12), false).unwrap();
        writer.commit().unwrap();
        assert_eq!(std::fs::read(fixture.segment(2)).unwrap(), whole);
    }
}

#[test]
fn a_torn_line_is_told_until_a_record_names_it() {
    let fixture = Fixture::with_journal(12, 10);
    let tear = |after: u64| {
        let mut file = std::fs::OpenOptions::new().append(true).open(fixture.segment(2)).unwrap();
        file.write_all(format!("torn after {after}").as_bytes()).unwrap();
    };
    let unrecorded = || fixture.recover().torn_unrecorded.join(" ");
    let (first, second) = ("00000002.log.torn-12", "00000002.log.torn-12-1");
    tear(12);
    assert_eq!(unrecorded(), first);
    // That start was refused, and the next one ended within its first line.
    tear(12);
    assert_eq!(unrecorded(), format!("{first} {second}"));

    let mut writer = fixture.writer(fixture.recover().resume);
    let mut write = |seq: u64, cause: &str| {
        let kind = unclean_end(cause);
        let anchor = writer.append(&Record { kind, ..record(seq) }, false).unwrap();
        writer.commit().unwrap();
        anchor
    };
    write(13, "unclean end");
    assert_eq!(unrecorded(), format!("{first} {second}"));
    write(14, &format!("unclean end; torn last record moved to journal/{second}"));
    assert_eq!(unrecorded(), first, "its name is the beginning of another");
    let told =
        write(15, &format!("unclean end; torn last record moved to journal/{first}, journal/{second}"));
    assert!(unrecorded().is_empty());
    // What stands behind a checkpoint was recorded, or the run that took it would have recorded it.
    fixture.recover().store.write(&checkpoint(told)).unwrap();
    assert!(unrecorded().is_empty());
    tear(15);
    assert_eq!(unrecorded(), "00000002.log.torn-15");
}

fn unclean_end(cause: &str) -> RecordKind {
    RecordKind::Alarm(AlarmTransition::Raised {
        key: AlarmKey::of(AlarmSource::UncleanEnd),
        id: AlarmId(1),
        class: AlarmClass::High,
        latched: false,
        cause: SafeText::ours(cause),
        detail: SafeText::ours("the last run left no end record"),
        at: Now::both(Timestamp::from_secs(1_640_995_200)),
    })
}

#[test]
fn a_segment_whose_first_line_is_torn_is_begun_again() {
    let fixture = Fixture::with_journal(11, 10);
    let whole = std::fs::read(fixture.segment(2)).unwrap();
    for len in [0, 1, whole.len() - 1] {
        std::fs::write(fixture.segment(2), &whole[..len]).unwrap();

        let recovered = fixture.recover();

        assert!(recovered.resume.begins_segment() && !recovered.halts());
        assert_eq!((recovered.head().seq, recovered.resume.last_segment), (Seq(10), 1));
        let mut writer = fixture.writer(recovered.resume);
        writer.append(&record(11), true).unwrap();
        writer.commit().unwrap();
        assert_eq!((fixture.verdict(&[]), writer.trouble()), (Verdict::Sound, None));
    }
    // Where records are known to be lost it stays as it is.
    fixture.recover().store.write(&checkpoint(fixture.anchor_at(11))).unwrap();
    std::fs::write(fixture.segment(2), b"").unwrap();
    let recovered = fixture.recover();
    assert!(recovered.halts() && fixture.segment(2).exists());
    assert_eq!(recovered.resume.last_segment, 2);
}

#[test]
fn a_line_torn_at_or_before_an_anchor_is_damage() {
    let fixture = Fixture::with_journal(12, 10);
    let anchor = fixture.anchor_at(12);
    let whole = std::fs::read(fixture.segment(2)).unwrap();
    std::fs::write(fixture.segment(2), &whole[..whole.len() - 1]).unwrap();
    assert_eq!(fixture.verdict(&[anchor]), Verdict::Damaged { seq: Seq(12), why: Fault::CutOff });
    assert!(matches!(fixture.verdict(&[]), Verdict::Torn(_)));
}

#[test]
fn a_bad_whole_line_is_never_taken_for_a_torn_one() {
    let fixture = Fixture::with_journal(12, 10);
    let mut bytes = std::fs::read(fixture.segment(2)).unwrap();
    let at = bytes.len() - 10;
    bytes[at] ^= 1;
    std::fs::write(fixture.segment(2), &bytes).unwrap();

    let recovered = fixture.recover();

    assert_eq!(recovered.troubles, [damaged(12, Fault::HashMismatch, None)]);
    assert_eq!(std::fs::read(fixture.segment(2)).unwrap(), bytes, "the evidence stays");
}

// Recovery -----------------------------------------------------------------------------------------------------------

fn damaged(seq: u64, why: Fault, checkpoint: Option<PathBuf>) -> Trouble {
    Trouble::Damaged { seq: Seq(seq), why, checkpoint }
}

fn checkpoint(anchor: Anchor) -> Checkpoint {
    Checkpoint { anchor, state: format!("state at {}", anchor.seq).into_bytes(), hints: b"hints".to_vec() }
}

#[test]
fn a_fresh_directory_recovers_to_nothing() {
    let recovered = Fixture::new().recover();
    assert_eq!(recovered.resume, Resume::FRESH);
    assert!(recovered.checkpoint.is_none() && recovered.records.is_empty() && recovered.troubles.is_empty());
}

#[test]
fn recovery_gives_the_checkpoint_and_only_the_records_after_it() {
    let fixture = Fixture::with_journal(25, 10);
    let taken = checkpoint(fixture.anchor_at(23));
    fixture.recover().store.write(&taken).unwrap();

    let recovered = fixture.recover();

    assert_eq!(recovered.checkpoint, Some(taken));
    assert_eq!(seqs(&recovered.records), [24, 25]);
    assert!(recovered.troubles.is_empty());
}

#[test]
fn a_checkpoint_store_that_is_deleted_is_told() {
    let fixture = Fixture::with_journal(25, 10);
    let anchor = fixture.anchor_at(23);
    fixture.recover().store.write(&checkpoint(anchor)).unwrap();
    std::fs::remove_dir_all(fixture.dir.checkpoint_store()).unwrap();

    let recovered = fixture.recover();

    assert_eq!(recovered.troubles, [Trouble::CheckpointLost { anchor }]);
    assert!(!recovered.halts() && recovered.checkpoint.is_none());
    assert_eq!(seqs(&recovered.records), (1..=25).collect::<Vec<_>>());
}

#[test]
fn an_older_checkpoint_in_the_place_of_the_last_one_is_told_and_moved_aside() {
    let fixture = Fixture::with_journal(25, 10);
    fixture.recover().store.write(&checkpoint(fixture.anchor_at(23))).unwrap();
    let marker = std::fs::read(fixture.dir.checkpoint_marker()).unwrap();
    fixture.recover().store.write(&checkpoint(fixture.anchor_at(12))).unwrap();
    std::fs::write(fixture.dir.checkpoint_marker(), marker).unwrap();

    let recovered = fixture.recover();

    let why = "that of record #23 is not in the store".to_owned();
    let moved_to = fixture.dir.root().join("corrupt-1");
    let told = [Trouble::CheckpointDamaged { why, moved_to: moved_to.clone() }];
    assert_eq!(recovered.troubles, told);
    assert!(!recovered.halts() && recovered.checkpoint.is_none());
    assert_eq!(seqs(&recovered.records), (1..=25).collect::<Vec<_>>());
    // The start was killed: the next one finds the same.
    drop(recovered);
    let recovered = fixture.recover();
    assert_eq!(recovered.troubles, told);
    assert!(!moved_to.exists());
    // A new store takes the next one.
    let next = checkpoint(fixture.anchor_at(25));
    recovered.store.write(&next).unwrap();
    assert!(moved_to.is_dir());
    drop(recovered.store);
    let again = fixture.recover();
    assert_eq!((again.troubles, again.checkpoint), (vec![], Some(next)));
}

#[test]
fn a_checkpoint_more_than_a_segment_behind_the_journal_is_told_and_moved_aside() {
    let state = fresh_state();
    for (at, is_told) in [(15, false), (5, true)] {
        let fixture = Fixture::new();
        let mut writer = fixture.writer(Resume::FRESH);
        for seq in 1..=25 {
            let begins = seq % 10 == 1;
            let state = RecordKind::State(Box::new(state.clone()));
            let kind = if begins { state } else { record(seq).kind };
            writer.append(&Record { kind, ..record(seq) }, begins).unwrap();
        }
        writer.commit().unwrap();
        fixture.recover().store.write(&checkpoint(fixture.anchor_at(at))).unwrap();

        let recovered = fixture.recover();

        assert_eq!(seqs(&recovered.records), (21..=25).collect::<Vec<_>>());
        let moved_to = fixture.dir.root().join("corrupt-1");
        let why = format!("that of record #{at} is 2 segments behind the journal");
        let told = vec![Trouble::CheckpointDamaged { why, moved_to }];
        assert_eq!(recovered.troubles, if is_told { told } else { Vec::new() });
    }
}

#[test]
fn a_checkpoint_whose_state_cannot_be_read_is_moved_aside_and_still_vouches_for_the_journal() {
    let fixture = Fixture::with_journal(25, 10);
    let anchor = fixture.anchor_at(25);
    fixture.recover().store.write(&checkpoint(anchor)).unwrap();
    std::fs::remove_file(fixture.dir.checkpoint_marker()).unwrap();
    let mut segments = read_lines(&fixture, 3);
    segments[2].truncate(2);
    write_lines(&fixture, &segments);

    let recovered = recover(&fixture.dir, |_, _| Err::<(), _>("no such field".to_owned())).unwrap();

    let why = "its state cannot be read: no such field".to_owned();
    let moved_to = fixture.dir.root().join("corrupt-1");
    let damaged = Trouble::CheckpointDamaged { why, moved_to };
    let head = fixture.anchor_at(22);
    assert_eq!(recovered.troubles, [damaged, Trouble::Shortened { anchor, head, checkpoint: None }]);
    assert!(recovered.checkpoint.is_none());
    assert_eq!(seqs(&recovered.records), (1..=22).collect::<Vec<_>>());
}

#[test]
fn a_kill_between_store_and_marker_is_no_loss() {
    let fixture = Fixture::with_journal(25, 10);
    let newer = checkpoint(fixture.anchor_at(23));
    let store = fixture.recover().store;
    store.write(&checkpoint(fixture.anchor_at(12))).unwrap();
    let marker = std::fs::read(fixture.dir.checkpoint_marker()).unwrap();
    store.write(&newer).unwrap();
    drop(store);
    std::fs::write(fixture.dir.checkpoint_marker(), marker).unwrap();

    let recovered = fixture.recover();

    assert_eq!((recovered.troubles, recovered.checkpoint), (vec![], Some(newer)));
}

#[test]
fn a_marker_that_says_nothing_asks_for_nothing() {
    let fixture = Fixture::with_journal(25, 10);
    fixture.recover().store.write(&checkpoint(fixture.anchor_at(23))).unwrap();
    std::fs::remove_dir_all(fixture.dir.checkpoint_store()).unwrap();
    let whole = std::fs::read(fixture.dir.checkpoint_marker()).unwrap();
    for rest in [b"".as_slice(), &whole[..whole.len() - 1], &whole[2..], b"\xff\n"] {
        std::fs::write(fixture.dir.checkpoint_marker(), rest).unwrap();
        assert_eq!(fixture.recover().troubles, [], "{rest:?}");
    }
}

#[test]
fn the_marker_still_knows_of_lost_records_when_the_checkpoint_is_gone() {
    let fixture = Fixture::with_journal(25, 10);
    let anchor = fixture.anchor_at(25);
    fixture.recover().store.write(&checkpoint(anchor)).unwrap();
    std::fs::remove_dir_all(fixture.dir.checkpoint_store()).unwrap();
    let mut segments = read_lines(&fixture, 3);
    segments[2].truncate(2);
    write_lines(&fixture, &segments);

    let recovered = fixture.recover();

    let head = fixture.anchor_at(22);
    let lost = [Trouble::CheckpointLost { anchor }, Trouble::Shortened { anchor, head, checkpoint: None }];
    assert_eq!(recovered.troubles, lost);
    assert!(recovered.halts());
    assert_eq!(recovered.head(), anchor, "no number is used twice");
}

#[test]
fn without_a_checkpoint_everything_is_read_when_no_segment_holds_the_state() {
    let fixture = Fixture::with_journal(25, 10);
    assert_eq!(seqs(&fixture.recover().records), (1..=25).collect::<Vec<_>>());
}

#[test]
fn a_checkpoint_ahead_of_the_journal_means_lost_records() {
    let fixture = Fixture::with_journal(25, 10);
    let anchor = fixture.anchor_at(25);
    fixture.recover().store.write(&checkpoint(anchor)).unwrap();
    let mut segments = read_lines(&fixture, 3);
    segments[2].truncate(2);
    write_lines(&fixture, &segments);

    let recovered = fixture.recover();

    let head = fixture.anchor_at(22);
    let kept = fixture.dir.root().join("corrupt-1");
    assert_eq!(recovered.troubles, [Trouble::Shortened { anchor, head, checkpoint: Some(kept.clone()) }]);
    assert!(recovered.halts() && recovered.records.is_empty());
    assert_eq!(recovered.checkpoint, Some(checkpoint(anchor)), "the best state that is known");
    assert_eq!(recovered.head(), anchor, "no number is used twice");
    recovered.store.write(&checkpoint(Anchor { seq: Seq(27), ..anchor })).unwrap();
    assert!(kept.is_dir(), "the next one does not take its place");
}

/// What a start writes that is killed before its first checkpoint.
fn start_and_kill(fixture: &Fixture) -> Anchor {
    let mut writer = fixture.writer(fixture.recover().resume);
    let state = RecordKind::State(Box::new(fresh_state()));
    let seq = writer.head().seq.0;
    writer.append(&Record { kind: state, ..record(seq + 1) }, true).unwrap();
    writer.append(&record(seq + 2), false).unwrap();
    writer.commit().unwrap()
}

#[test]
fn a_checkpoint_of_lost_records_is_kept_although_the_start_that_found_it_was_killed_before_its_next_one() {
    for lost in [1..=3, 3..=3] {
        let fixture = Fixture::with_journal(25, 10);
        let taken = checkpoint(fixture.anchor_at(25));
        fixture.recover().store.write(&taken).unwrap();
        lost.for_each(|segment| std::fs::remove_file(fixture.segment(segment)).unwrap());
        let written = start_and_kill(&fixture);

        let recovered = fixture.recover();

        let why = "record #25, after which it was taken, is not in the journal".to_owned();
        let kept = fixture.dir.root().join("corrupt-1");
        assert_eq!(recovered.troubles, [Trouble::CheckpointDamaged { why, moved_to: kept.clone() }]);
        assert_eq!((recovered.checkpoint.is_none(), seqs(&recovered.records)), (true, vec![26, 27]));
        recovered.store.write(&checkpoint(written)).unwrap();
        drop(recovered);
        assert_eq!(fixture.recover().troubles, []);
        std::fs::remove_dir_all(fixture.dir.checkpoint_store()).unwrap();
        std::fs::rename(kept, fixture.dir.checkpoint_store()).unwrap();
        assert_eq!(CheckpointStore::open(&fixture.dir).unwrap().checkpoint, Ok(Some(taken)));
    }
}

/// What was done to a journal, and what a start says of it.
type Harm<'a> = &'a dyn Fn(&Fixture) -> Fault;

#[test]
fn a_checkpoint_is_kept_whatever_took_its_record_and_not_for_damage_elsewhere() {
    let cut = |fixture: &Fixture| {
        let bytes = std::fs::read(fixture.segment(3)).unwrap();
        std::fs::write(fixture.segment(3), &bytes[..bytes.len() - 10]).unwrap();
        Fault::CutOff
    };
    let gone_and_an_empty_one = |fixture: &Fixture| {
        std::fs::remove_file(fixture.segment(3)).unwrap();
        std::fs::write(fixture.segment(4), b"").unwrap();
        Fault::SegmentMissing(3)
    };
    let made_anew = |fixture: &Fixture| {
        std::fs::remove_dir_all(fixture.journal()).unwrap();
        let mut writer = fixture.writer(Resume::FRESH);
        for seq in 1..=25 {
            writer.append(&Record { run: 2, ..record(seq) }, seq % 10 == 1).unwrap();
        }
        writer.commit().unwrap();
        Fault::NotAsAnchored
    };
    let elsewhere = |fixture: &Fixture| {
        let mut segments = read_lines(fixture, 3);
        segments[2][1][100] ^= 1;
        write_lines(fixture, &segments);
        Fault::HashMismatch
    };
    let harms: [(Harm<'_>, u64, bool); 4] = [
        (&cut, 25, true),
        (&gone_and_an_empty_one, 21, true),
        (&made_anew, 25, true),
        (&elsewhere, 22, false),
    ];
    for (harm, seq, is_kept) in harms {
        let fixture = Fixture::with_journal(25, 10);
        fixture.recover().store.write(&checkpoint(fixture.anchor_at(25))).unwrap();
        let why = harm(&fixture);
        let kept = is_kept.then(|| fixture.dir.root().join("corrupt-1"));
        assert_eq!(fixture.recover().troubles, [damaged(seq, why, kept)]);
        start_and_kill(&fixture);
        let again = format!("{:?}", fixture.recover().troubles);
        assert_eq!(again.contains("corrupt-1"), is_kept, "{again}");
    }
}

#[test]
fn after_damage_writing_goes_on_in_a_new_segment_and_the_evidence_stays_found() {
    let fixture = Fixture::with_journal(25, 10);
    let mut segments = read_lines(&fixture, 3);
    segments[2][1][100] ^= 1;
    write_lines(&fixture, &segments);
    let damaged = std::fs::read(fixture.segment(3)).unwrap();

    let recovered = fixture.recover();
    assert!(recovered.halts() && recovered.resume.begins_segment());
    assert_eq!(seqs(&recovered.records), (1..=21).collect::<Vec<_>>());
    assert_eq!(recovered.head().seq, Seq(25), "later records are there, so their numbers are taken");
    let mut writer = fixture.writer(recovered.resume);
    let anchor = writer.append(&record(26), true).unwrap();
    writer.note_head().unwrap();
    recovered.store.write(&checkpoint(anchor)).unwrap();
    drop(recovered);

    let next = fixture.recover();
    assert!(!next.halts(), "{:?}", next.troubles);
    assert_eq!(next.head().seq, Seq(26));
    assert_eq!(std::fs::read(fixture.segment(3)).unwrap(), damaged);
    assert_eq!(verify(&fixture.journal(), &[anchor], Scope::FromAnchor).unwrap().verdict, Verdict::Sound);
    assert_eq!(fixture.verdict(&[]), Verdict::Damaged { seq: Seq(22), why: Fault::HashMismatch });
}

#[test]
fn the_number_of_a_bad_last_record_is_not_used_again() {
    let fixture = Fixture::with_journal(25, 10);
    let mut segments = read_lines(&fixture, 3);
    segments[2].last_mut().unwrap()[100] ^= 1;
    write_lines(&fixture, &segments);
    assert_eq!(fixture.recover().head().seq, Seq(25));
}

#[test]
fn a_number_that_cannot_be_is_not_counted_on_from() {
    let fixture = Fixture::with_journal(25, 10);
    let json = format!(r#"{{"seq":{},"kind":"note","prev":"{}"}}"#, u64::MAX, Hash::GENESIS);
    let mut bytes = std::fs::read(fixture.segment(3)).unwrap();
    bytes.extend(format!("{} {json}\n", Hash::of(json.as_bytes())).bytes());
    std::fs::write(fixture.segment(3), bytes).unwrap();
    assert_eq!(fixture.recover().head().seq, Seq(26), "the place of the line, not what it says");
}

#[test]
fn a_start_that_no_number_is_left_for_is_refused_before_anything_is_changed() {
    const SEGMENT_TOO_HIGH: SegmentNo = 99_000_000;
    const SEQ_TOO_HIGH: u64 = 1 << 52;
    let files = |fixture: &Fixture| -> BTreeMap<_, _> {
        let entries = std::fs::read_dir(fixture.journal()).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap())).collect()
    };
    let with = |segment: SegmentNo, known: u64| {
        let fixture = Fixture::with_journal(12, 10);
        let whole = std::fs::read(fixture.segment(2)).unwrap();
        std::fs::write(fixture.segment(2), [&whole, b"torn".as_slice()].concat()).unwrap();
        std::fs::rename(fixture.segment(2), fixture.segment(segment)).unwrap();
        let head = format!("{{\"segment\":2,\"seq\":{known},\"hash\":\"{}\"}}\n", fixture.anchor_at(12).hash);
        std::fs::write(fixture.journal().join("HEAD"), head).unwrap();
        fixture
    };
    for (segment, known) in [(SEGMENT_TOO_HIGH, 12), (2, SEQ_TOO_HIGH)] {
        let fixture = with(segment, known);
        let before = files(&fixture);
        let refused = recover(&fixture.dir, |_, state| Ok(state.to_vec()));
        assert!(matches!(refused, Err(RecoverError::NumbersUsedUp { .. })), "{refused:?}");
        assert_eq!(files(&fixture), before);
    }
    let resume = with(SEGMENT_TOO_HIGH - 1, 12).recover().resume;
    assert_eq!(resume.segment.map(|(segment, _)| segment), Some(SEGMENT_TOO_HIGH - 1));
    let resume = with(2, SEQ_TOO_HIGH - 1).recover().resume;
    assert_eq!(resume.head.seq, Seq(SEQ_TOO_HIGH - 1));
}

#[test]
fn records_after_the_checkpoint_are_kept_when_damage_lies_before_it() {
    let fixture = Fixture::with_journal(25, 10);
    let taken = checkpoint(fixture.anchor_at(23));
    fixture.recover().store.write(&taken).unwrap();
    let mut segments = read_lines(&fixture, 3);
    segments[2][1][100] ^= 1;
    write_lines(&fixture, &segments);

    let recovered = fixture.recover();

    assert!(recovered.halts());
    assert_eq!(recovered.checkpoint, Some(taken));
    assert_eq!(seqs(&recovered.records), [24, 25]);
}

#[test]
fn records_after_a_damaged_anchor_are_vouched_for_by_its_hash_all_the_same() {
    let fixture = Fixture::with_journal(25, 10);
    let taken = checkpoint(fixture.anchor_at(23));
    fixture.recover().store.write(&taken).unwrap();
    let mut segments = read_lines(&fixture, 3);
    segments[2][2][100] ^= 1;
    write_lines(&fixture, &segments);

    let recovered = fixture.recover();

    let kept = fixture.dir.root().join("corrupt-1");
    assert_eq!(recovered.troubles, [damaged(23, Fault::HashMismatch, Some(kept))]);
    assert_eq!((recovered.checkpoint, seqs(&recovered.records)), (Some(taken), vec![24, 25]));
}

#[test]
fn an_older_checkpoint_is_the_state_when_that_of_the_last_segment_cannot_be_read() {
    let fixture = Fixture::with_journal(20, 10);
    let taken = checkpoint(fixture.anchor_at(15));
    fixture.recover().store.write(&taken).unwrap();
    let json = format!(r#"{{"seq":21,"kind":"state","prev":"{}"}}"#, fixture.anchor_at(20).hash);
    let line = format!("{} {json}\n", Hash::of(json.as_bytes()));
    std::fs::write(fixture.segment(3), line).unwrap();

    let recovered = fixture.recover();

    assert!(matches!(
        recovered.troubles[..],
        [Trouble::Damaged { seq: Seq(21), why: Fault::NotARecord(_), checkpoint: None }]
    ));
    assert_eq!(recovered.checkpoint, Some(taken), "and not that of a fresh installation");
    assert_eq!((seqs(&recovered.records), recovered.resume.head.seq), ((16..=20).collect(), Seq(21)));
}

#[test]
fn with_the_journal_gone_even_a_checkpoint_older_than_its_marker_is_better_than_nothing() {
    let fixture = Fixture::with_journal(25, 10);
    let older = checkpoint(fixture.anchor_at(12));
    let newest = fixture.anchor_at(23);
    fixture.recover().store.write(&checkpoint(newest)).unwrap();
    let marker = std::fs::read(fixture.dir.checkpoint_marker()).unwrap();
    fixture.recover().store.write(&older).unwrap();
    std::fs::write(fixture.dir.checkpoint_marker(), marker).unwrap();
    std::fs::remove_dir_all(fixture.journal()).unwrap();

    let recovered = fixture.recover();

    assert!(recovered.halts());
    assert_eq!((recovered.checkpoint, recovered.resume.head), (Some(older), newest));
}

#[test]
fn a_number_that_no_segment_ever_had_is_no_gap() {
    let fixture = Fixture::with_journal(25, 10);
    std::fs::rename(fixture.segment(3), fixture.segment(5)).unwrap();
    assert_eq!(fixture.verdict(&[]), Verdict::Sound);
    std::fs::rename(fixture.segment(2), fixture.segment(6)).unwrap();
    let missing = Verdict::Damaged { seq: Seq(11), why: Fault::SegmentMissing(2) };
    assert_eq!(fixture.verdict(&[]), missing);
}

#[test]
fn a_lost_segment_keeps_its_name_and_can_be_put_back() {
    // After a clean end HEAD names the last segment, after a kill the one before; the checkpoint knows of more.
    for (gone, clean) in [(1..=3, true), (3..=3, true), (1..=3, false), (3..=3, false)] {
        let fixture = Fixture::with_journal(25, 10);
        let Recovered { store, resume, .. } = fixture.recover();
        let mut writer = fixture.writer(resume);
        let anchor = writer.append(&record(26), false).unwrap();
        if clean {
            writer.note_head().unwrap();
        } else {
            writer.commit().unwrap();
            store.write(&checkpoint(anchor)).unwrap();
        }
        drop(store);
        let lost: Vec<_> = gone.clone().map(|n| std::fs::read(fixture.segment(n)).unwrap()).collect();
        gone.clone().for_each(|n| std::fs::remove_file(fixture.segment(n)).unwrap());

        let recovered = fixture.recover();
        assert!(recovered.halts() && recovered.head() == anchor, "{gone:?}: {:?}", recovered.troubles);
        let mut writer = fixture.writer(recovered.resume);
        writer.append(&record(27), true).unwrap();
        writer.commit().unwrap();
        assert!(!fixture.segment(3).exists() && fixture.segment(4).exists(), "{gone:?}");

        gone.clone().zip(lost).for_each(|(n, bytes)| std::fs::write(fixture.segment(n), bytes).unwrap());
        let report = verify(&fixture.journal(), &[], Scope::All).unwrap();
        assert_eq!((report.verdict, report.records), (Verdict::Sound, 27), "{gone:?}");
    }
}

// What a start does not read -----------------------------------------------------------------------------------------

/// Three segments, of which a start with this checkpoint reads the last only.
fn with_old_records() -> Fixture {
    let fixture = Fixture::with_journal(25, 10);
    fixture.recover().store.write(&checkpoint(fixture.anchor_at(23))).unwrap();
    fixture
}

/// What a verification beside the run finds in the segments that a start did not read.
fn verdict_on_unread(fixture: &Fixture) -> Verdict {
    let recovered = fixture.recover();
    assert!(recovered.troubles.is_empty(), "a start does not read so far back: {:?}", recovered.troubles);
    recovered.unread.unwrap().verify(&AtomicBool::new(false)).unwrap().unwrap().verdict
}

#[test]
fn what_a_start_did_not_read_is_verified_up_to_what_it_read() {
    let fixture = with_old_records();
    let unread = fixture.recover().unread.unwrap();
    // Later segments are not its business, however they are written to meanwhile.
    std::fs::write(fixture.segment(4), "torn").unwrap();
    let report = unread.verify(&AtomicBool::new(false)).unwrap().unwrap();
    assert_eq!((report.records, report.head, report.verdict), (20, fixture.anchor_at(20), Verdict::Sound));
}

#[test]
fn a_start_that_read_everything_leaves_nothing_to_verify() {
    assert_eq!(Fixture::new().recover().unread, None);
    let without_checkpoint = Fixture::with_journal(25, 10);
    assert_eq!(without_checkpoint.recover().unread, None);
    let one_segment = Fixture::with_journal(9, 10);
    one_segment.recover().store.write(&checkpoint(one_segment.anchor_at(5))).unwrap();
    assert_eq!(one_segment.recover().unread, None);
}

#[test]
fn a_bit_flipped_in_any_old_record_is_found_under_its_number() {
    for seq in 1..=20 {
        let fixture = with_old_records();
        let mut segments = read_lines(&fixture, 3);
        let (segment, line) = ((seq - 1) / 10, (seq - 1) % 10);
        segments[segment][line][100] ^= 1;
        write_lines(&fixture, &segments);
        let bad = Verdict::Damaged { seq: Seq(seq as u64), why: Fault::HashMismatch };
        assert_eq!(verdict_on_unread(&fixture), bad);
    }
}

#[test]
fn old_records_that_are_missing_or_made_anew_are_found() {
    let cut = with_old_records();
    let end = cut.anchor_at(20);
    let mut segments = read_lines(&cut, 3);
    segments[1].truncate(7);
    write_lines(&cut, &segments);
    assert_eq!(verdict_on_unread(&cut), Verdict::Shortened { anchor: end });

    let torn = with_old_records();
    let mut segments = read_lines(&torn, 3);
    segments[1][9].truncate(50);
    write_lines(&torn, &segments);
    assert_eq!(verdict_on_unread(&torn), Verdict::Damaged { seq: Seq(20), why: Fault::CutOff });

    let gone = with_old_records();
    std::fs::remove_file(gone.segment(1)).unwrap();
    assert_eq!(verdict_on_unread(&gone), Verdict::Damaged { seq: Seq(1), why: Fault::SegmentMissing(1) });

    // A whole chain with another word in it: only what the start has read tells it from the true one.
    let anew = with_old_records();
    let other = Fixture::new();
    let mut writer = other.writer(Resume::FRESH);
    for seq in 1..=20 {
        let kind = RecordKind::Note { text: SafeText::ours(format!("other {seq}")) };
        writer.append(&Record { kind, ..record(seq) }, seq % 10 == 1).unwrap();
    }
    writer.commit().unwrap();
    for segment in 1..=2 {
        std::fs::copy(other.segment(segment), anew.segment(segment)).unwrap();
    }
    assert_eq!(verdict_on_unread(&anew), Verdict::Damaged { seq: Seq(20), why: Fault::NotAsAnchored });
}

#[test]
fn a_verification_that_is_stopped_says_nothing() {
    let fixture = with_old_records();
    let unread = fixture.recover().unread.unwrap();
    std::fs::write(fixture.segment(1), "damaged\n").unwrap();
    assert_eq!(unread.verify(&AtomicBool::new(true)).unwrap(), None);
}

// The writer's thread ------------------------------------------------------------------------------------------------

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn sixty_four_writers_keep_their_order_and_what_is_called_durable_is_readable() {
    const EACH: u64 = 5;
    let fixture = Fixture::new();
    let disk = Box::new(fixture.dir.journal_disk(true));
    let writer = WriterThread::spawn(Writer::new(disk, SyncMode::Data, Resume::FRESH), 1024).unwrap();
    let next = Mutex::new((0, writer));
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let mut progress = next.lock().unwrap().1.progress();
                for _ in 0..EACH {
                    let mine = {
                        let (seq, writer) = &mut *next.lock().unwrap();
                        *seq += 1;
                        writer.append(record(*seq), *seq % 100 == 1).unwrap();
                        *seq
                    };
                    block_on(progress.wait_for(|it| it.durable_seq() >= Seq(mine))).unwrap();
                    let readable = verify(&fixture.journal(), &[], Scope::All).unwrap();
                    assert!(readable.is_sound() && readable.head.seq >= Seq(mine), "{readable}");
                }
            });
        }
    });
    let (_, writer) = next.into_inner().unwrap();
    let anchor = writer.anchor().unwrap();

    let end = writer.close();

    assert_eq!((end.durable_seq(), &end.state), (Seq(64 * EACH), &WriterState::Closed));
    assert_eq!(anchor.blocking_recv(), Ok(end.durable));
    let report = verify(&fixture.journal(), &[], Scope::All).unwrap();
    assert_eq!((report.head, report.anchored), (end.durable, Seq(64 * EACH)));
}

/// A disk that writes for real until it is told to fail, and then writes only half, or hangs while `held` is locked.
#[derive(Clone)]
struct BadDisk {
    inner: FsDisk,
    failing: Arc<AtomicBool>,
    /// What it took does not come to the disk.
    unsynced: Arc<AtomicBool>,
    /// There is no room for the reserve.
    tight: Arc<AtomicBool>,
    /// Giving the reserve back makes room.
    reserve_helps: bool,
    held: Arc<Mutex<()>>,
}

impl BadDisk {
    fn new(fixture: &Fixture) -> Self {
        Self {
            inner: fixture.dir.journal_disk(true),
            failing: Arc::default(),
            unsynced: Arc::default(),
            tight: Arc::default(),
            reserve_helps: false,
            held: Arc::default(),
        }
    }

    fn spawn(&self, queue_max: usize) -> WriterThread {
        let writer = Writer::new(Box::new(self.clone()), SyncMode::Data, Resume::FRESH);
        WriterThread::spawn(writer, queue_max).unwrap()
    }

    fn file(&self, inner: Box<dyn JournalFile>) -> Box<dyn JournalFile> {
        Box::new(BadFile { inner, disk: self.clone(), broken: false })
    }
}

impl Disk for BadDisk {
    fn create(&mut self, segment: SegmentNo) -> io::Result<Box<dyn JournalFile>> {
        let inner = self.inner.create(segment)?;
        Ok(self.file(inner))
    }

    fn open(&mut self, segment: SegmentNo) -> io::Result<Box<dyn JournalFile>> {
        let inner = self.inner.open(segment)?;
        Ok(self.file(inner))
    }

    fn cut(&mut self, segment: SegmentNo, len: u64) -> io::Result<()> {
        self.inner.cut(segment, len)
    }

    fn note_head(&mut self, segment: SegmentNo, head: Anchor) -> io::Result<()> {
        self.inner.note_head(segment, head)
    }

    fn free_reserve(&mut self) -> io::Result<()> {
        self.failing.fetch_and(!self.reserve_helps, Ordering::SeqCst);
        self.inner.free_reserve()
    }

    fn fill_reserve(&mut self) -> io::Result<()> {
        if self.failing.load(Ordering::SeqCst) || self.tight.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.inner.fill_reserve()
    }
}

struct BadFile {
    inner: Box<dyn JournalFile>,
    disk: BadDisk,
    broken: bool,
}

impl Write for BadFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.broken, "written to after it failed");
        drop(self.disk.held.lock());
        if self.disk.failing.load(Ordering::SeqCst) {
            self.broken = true;
            self.inner.write_all(&bytes[..bytes.len() / 2])?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl JournalFile for BadFile {
    fn sync(&mut self) -> io::Result<()> {
        if self.disk.unsynced.load(Ordering::SeqCst) {
            return Err(io::Error::other("lost on the way to the disk"));
        }
        self.inner.sync()
    }
}

#[test]
fn what_was_written_and_not_synced_is_not_called_durable() {
    let fixture = Fixture::new();
    let disk = BadDisk::new(&fixture);
    let writer = disk.spawn(64);
    let mut progress = writer.progress();
    writer.append(record(1), true).unwrap();
    block_on(progress.wait_for(|it| it.durable_seq() == Seq(1))).unwrap();

    disk.unsynced.store(true, Ordering::SeqCst);
    writer.append(record(2), false).unwrap();
    let anchor = writer.anchor().unwrap();
    let told = block_on(progress.wait_for(|it| it.state != WriterState::Open)).unwrap().clone();
    assert!(matches!(told.state, WriterState::Failed { error: WriteError::Disk { doing: "fsync", .. } }));
    assert_eq!(told.durable_seq(), Seq(1));
    assert!(anchor.blocking_recv().is_err(), "no checkpoint may be named by it");
}

#[test]
fn what_waits_for_a_failing_disk_is_bounded_and_more_of_it_is_said_to_be_lost() {
    const MIB: usize = 1024 * 1024;
    let fixture = Fixture::new();
    let disk = BadDisk::new(&fixture);
    let mut writer = Writer::new(Box::new(disk.clone()), SyncMode::None, Resume::FRESH);
    disk.failing.store(true, Ordering::SeqCst);
    let text = SafeText::ours("x".repeat(4 * MIB));
    let mut append = |seq| {
        let kind = RecordKind::Note { text: text.clone() };
        writer.append(&Record { kind, ..record(seq) }, false).and_then(|_| writer.commit())
    };
    for seq in 1..=15 {
        assert!(matches!(append(seq), Err(WriteError::Disk { .. })), "{seq}");
    }
    assert_eq!(append(16), Err(WriteError::Overflow));
    disk.failing.store(false, Ordering::SeqCst);
    assert_eq!(writer.reopen(), Err(WriteError::Overflow), "a record is missing: only a new start helps");
}

#[test]
fn a_failing_disk_stops_the_writer_and_reopening_loses_no_record() {
    let fixture = Fixture::new();
    let disk = BadDisk::new(&fixture);
    let writer = disk.spawn(64);
    let mut progress = writer.progress();
    writer.append(record(1), true).unwrap();
    block_on(progress.wait_for(|it| it.durable_seq() == Seq(1))).unwrap();

    disk.failing.store(true, Ordering::SeqCst);
    for seq in 2..=4 {
        writer.append(record(seq), seq == 3).unwrap();
    }
    let told = block_on(progress.wait_for(|it| it.state != WriterState::Open)).unwrap().clone();
    assert!(matches!(told.state, WriterState::Failed { error: WriteError::Disk { doing: "write", .. } }));
    assert_eq!(told.durable_seq(), Seq(1));
    assert!(writer.reopen().unwrap().blocking_recv().unwrap().is_err(), "the disk is still full");

    disk.failing.store(false, Ordering::SeqCst);
    assert_eq!(writer.reopen().unwrap().blocking_recv().unwrap().unwrap().seq, Seq(4));
    writer.append(record(5), true).unwrap();
    let end = writer.close();
    assert_eq!((end.durable_seq(), end.state), (Seq(5), WriterState::Closed));
    assert_eq!(fixture.verdict(&[]), Verdict::Sound);
    assert_eq!(seqs(&fixture.recover().records), [1, 2, 3, 4, 5]);
}

#[test]
fn the_reserve_takes_what_a_full_disk_does_not_and_is_wanted_back() {
    let fixture = Fixture::new();
    fixture.dir.fill_reserve().unwrap();
    let reserve = fixture.dir.root().join("reserve");
    let disk = BadDisk { reserve_helps: true, ..BadDisk::new(&fixture) };
    let mut writer = Writer::new(Box::new(disk.clone()), SyncMode::Data, Resume::FRESH);
    writer.append(&record(1), true).unwrap();
    writer.commit().unwrap();

    disk.failing.store(true, Ordering::SeqCst);
    disk.tight.store(true, Ordering::SeqCst);
    writer.append(&record(2), false).unwrap();
    assert_eq!(writer.commit().unwrap().seq, Seq(2), "in a new segment");
    assert!(writer.failed().is_none() && writer.trouble().is_some() && !reserve.exists());
    assert_eq!(writer.place().map(|(segment, _)| segment), Some(2));
    assert!(matches!(writer.reopen(), Err(WriteError::Disk { doing: "fill the reserve", .. })));
    assert!(writer.trouble().is_some(), "there is no room yet");

    disk.tight.store(false, Ordering::SeqCst);
    writer.reopen().unwrap();
    assert!(writer.trouble().is_none() && reserve.exists());
    writer.append(&record(3), true).unwrap();
    writer.commit().unwrap();
    assert_eq!(fixture.verdict(&[]), Verdict::Sound);
    assert_eq!(seqs(&fixture.recover().records), [1, 2, 3]);
}

#[test]
fn a_second_failure_is_the_end_although_the_first_was_survived() {
    let fixture = Fixture::new();
    let disk = BadDisk { reserve_helps: true, ..BadDisk::new(&fixture) };
    let mut writer = Writer::new(Box::new(disk.clone()), SyncMode::Data, Resume::FRESH);
    for seq in 1..=2 {
        disk.failing.store(true, Ordering::SeqCst);
        writer.append(&record(seq), seq == 1).unwrap();
        assert_eq!(writer.commit().is_ok(), seq == 1);
    }
    assert!(writer.failed().is_some());
    assert_eq!(writer.committed().seq, Seq(1));
}

/// Three records, the last of which a newer version wrote.
fn with_newer_record() -> Fixture {
    let fixture = Fixture::with_journal(3, 10);
    let text = std::fs::read_to_string(fixture.segment(1)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (known, newer) = (format!("\"v\":{}", Record::VERSION), format!("\"v\":{}", Record::VERSION + 1));
    let json = lines[2].split_once(' ').unwrap().1.replace(&known, &newer).replace("note", "news");
    lines[2] = format!("{} {json}", Hash::of(json.as_bytes()));
    std::fs::write(fixture.segment(1), lines.join("\n") + "\n").unwrap();
    fixture
}

fn is_newer<S>(refused: &Result<S, RecoverError>) -> bool {
    let Err(RecoverError::Newer { seq: Seq(3), found, known: Record::VERSION }) = refused else {
        return false;
    };
    *found == Record::VERSION + 1
}

#[test]
fn a_newer_version_is_refused_by_name_and_still_verifies() {
    let fixture = with_newer_record();

    let refused = recover(&fixture.dir, |_, state| Ok(state.to_vec()));

    assert!(is_newer(&refused), "{refused:?}");
    let said = refused.unwrap_err().to_string();
    for words in [format!("version {}", Record::VERSION + 1), format!("up to {}", Record::VERSION)] {
        assert!(said.contains(&words) && said.contains("newer andon"), "{said}");
    }
    assert_eq!(fixture.verdict(&[]), Verdict::Sound, "the chain needs no words");
}

#[test]
fn a_newer_version_is_refused_although_a_checkpoint_holds_its_state() {
    let fixture = with_newer_record();
    let store = CheckpointStore::open(&fixture.dir).unwrap().store;
    store.write(&checkpoint(fixture.anchor_at(3))).unwrap();
    drop(store);

    // Nor does a start that is refused move it aside.
    for is_readable in [true, false] {
        let decode = |_: Seq, _: &[u8]| is_readable.then_some(()).ok_or_else(|| "unknown".to_owned());
        let refused = recover(&fixture.dir, decode);
        assert!(is_newer(&refused), "{refused:?}");
    }
    let found = CheckpointStore::open(&fixture.dir).unwrap();
    assert!(matches!(found.checkpoint, Ok(Some(_))), "{found:?}");
}

#[test]
fn a_journal_that_is_changed_while_it_is_written_is_noticed() {
    let fixture = Fixture::new();
    let writer = BadDisk::new(&fixture).spawn(64);
    let mut progress = writer.progress();
    for seq in 1..=3 {
        writer.append(record(seq), seq == 1).unwrap();
    }
    let told = block_on(progress.wait_for(|it| it.durable_seq() == Seq(3))).unwrap().clone();
    assert_eq!(still_holds(&fixture.journal(), &told), Ok(()));

    let whole = std::fs::read(fixture.segment(1)).unwrap();
    let mut changed = whole.clone();
    let at = whole.len() - 120;
    changed[at] ^= 1;
    std::fs::write(fixture.segment(1), &changed).unwrap();
    assert!(still_holds(&fixture.journal(), &told).unwrap_err().contains("not what was written"));
    std::fs::write(fixture.segment(1), &whole[..whole.len() - 1]).unwrap();
    assert!(still_holds(&fixture.journal(), &told).unwrap_err().contains("is not in 00000001.log"));
    std::fs::remove_file(fixture.segment(1)).unwrap();
    assert!(still_holds(&fixture.journal(), &told).is_err());
}

#[test]
fn a_journal_that_cannot_be_made_is_told_and_not_forgotten() {
    let fixture = Fixture::new();
    std::fs::create_dir_all(fixture.segment(1)).unwrap();
    let writer = BadDisk::new(&fixture).spawn(64);
    writer.append(record(1), true).unwrap();
    let end = writer.close();
    assert!(matches!(
        end.state,
        WriterState::Failed { error: WriteError::Disk { doing: "create segment", .. } }
    ));
    assert_eq!(end.durable, Anchor::GENESIS);
}

#[test]
fn a_gap_in_the_numbers_stops_the_writer_for_good_after_what_came_before() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(Resume::FRESH);
    writer.append(&record(1), true).unwrap();
    let gap = WriteError::OutOfOrder { wanted: Seq(2), found: Seq(3) };
    assert_eq!(writer.append(&record(3), false), Err(gap.clone()));
    assert_eq!(writer.append(&record(2), false), Err(gap.clone()));
    assert_eq!(writer.reopen(), Err(gap));
    assert_eq!(writer.committed().seq, Seq(1));
}

#[test]
fn a_full_queue_is_refused_and_never_waited_for() {
    let fixture = Fixture::new();
    let disk = BadDisk::new(&fixture);
    let hanging = disk.held.lock().unwrap();
    let writer = disk.spawn(4);
    // The writer may take one batch off the queue before it hangs.
    let refused = (1..=10_000).map(|seq| writer.append(record(seq), false)).find(Result::is_err);
    assert_eq!(refused, Some(Err(AppendError::Full)));
    drop(hanging);
    assert!(writer.close().durable_seq() >= Seq(4));
}

/// A journal of a state, a change of the enabled tasks, and a state that begins the next segment.
fn two_states(is_right: bool, version: u16) -> Fixture {
    let fixture = Fixture::new();
    let mut state = fresh_state();
    let of = |seq: u64, kind: RecordKind| Record { kind, ..record(seq) };
    let first = of(1, RecordKind::State(Box::new(state.clone())));
    let disabled = of(2, RecordKind::TaskEnabled { task: TaskName::SentimentAnalysis, enabled: false });
    state.apply(&first);
    if is_right {
        state.apply(&disabled);
    }
    let mut head = Anchor::GENESIS.hash;
    std::fs::create_dir(fixture.journal()).unwrap();
    for (segment, records) in
        [(1, vec![first, disabled]), (2, vec![of(3, RecordKind::State(Box::new(state)))])]
    {
        let mut text = String::new();
        for record in records {
            let mut json = serde_json::to_value(&record).unwrap();
            json["v"] = version.into();
            json["prev"] = head.to_string().into();
            let json = json.to_string();
            head = Hash::of(json.as_bytes());
            text.extend([head.to_string().as_str(), " ", &json, "\n"]);
        }
        std::fs::write(fixture.segment(segment), text).unwrap();
    }
    fixture
}

#[test]
fn a_backup_is_verified_at_every_state_that_its_journal_holds() {
    let import = |fixture: &Fixture| {
        let parent = fixture.dir.root().parent().unwrap();
        let (file, copy) = (parent.join("backup.tar"), parent.join("copy"));
        backup::export(&fixture.dir, &file).unwrap();
        backup::import(&file, &copy, true)
    };
    assert!(import(&two_states(true, Record::VERSION)).is_ok());

    let refused = import(&two_states(false, Record::VERSION)).unwrap_err();
    assert!(matches!(refused, BackupError::OtherState(Seq(3))), "{refused}");

    let by_earlier = import(&two_states(false, Record::VERSION - 1));
    assert!(by_earlier.is_ok(), "an earlier program may have kept less: {by_earlier:?}");
}
