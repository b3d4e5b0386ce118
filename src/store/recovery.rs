//! What a start finds: the checkpoint, the records after it, and what is wrong. A crash's torn last line is set
//! aside; nothing else is repaired. The caller must hold the [`super::InstanceLock`].
//!
//! In trouble the caller gets the best state that is known and halts. Writing then goes on in a new segment, under
//! numbers that were never used as far as anything left tells, so the evidence stays where it is and a full verification
//! keeps naming it.

use std::path::{Path, PathBuf};

use super::checkpoint::{Checkpoint, CheckpointError, CheckpointStore};
use super::data_dir::DataDir;
use super::journal::{self, Anchor, Fault, ReadError, Reader, Resume, SegmentNo};
use super::last_checkpoint::{Closed, LastCheckpoint};
use super::verify::{self, Unread, Verdict, VerifyReport};
use crate::alarm::AlarmTransition;
use crate::coordinator::record::{Record, RecordKind};
use crate::domain::Seq;

/// Why a start comes up HALTED, or with an alarm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The journal ends before a record that was in it: HALTED.
    #[error("the journal lost records: it ends at {}, but {} was in it; nothing was removed{}", .head.seq, .anchor.seq, kept_at(.checkpoint.as_ref()))]
    Shortened {
        /// What the checkpoint or `HEAD` knows.
        anchor: Anchor,
        /// The last record there is.
        head: Anchor,
        /// Where the checkpoint is kept when the next one is written, if its record is not there.
        checkpoint: Option<PathBuf>,
    },
    /// A bad record: HALTED.
    #[error("the journal is damaged: {}; nothing was removed{}; see andon audit verify", .why.at(*.seq), kept_at(.checkpoint.as_ref()))]
    Damaged {
        /// Its number.
        seq: Seq,
        /// What is wrong.
        why: Fault,
        /// Where the checkpoint is kept when the next one is written, if its record is not there.
        checkpoint: Option<PathBuf>,
    },
    /// The checkpoint cannot be used: an alarm.
    #[error("the checkpoint cannot be used ({why}) and goes to {}; the state comes from the journal as far as that tells it", .moved_to.display())]
    CheckpointDamaged {
        /// What is wrong with it.
        why: String,
        /// Where it is kept when the next one is written.
        moved_to: PathBuf,
    },
    /// The whole store of checkpoints is gone: an alarm.
    #[error("the checkpoint of record {} is gone; the state comes from the journal", .anchor.seq)]
    CheckpointLost {
        /// Its record.
        anchor: Anchor,
    },
}

fn kept_at(checkpoint: Option<&PathBuf>) -> String {
    let words = |path: &PathBuf| format!("; the checkpoint goes to {}", path.display());
    checkpoint.map_or_else(String::new, words)
}

impl Trouble {
    /// The start is HALTED; otherwise an alarm will do.
    pub const fn halts(&self) -> bool {
        match self {
            Self::Shortened { .. } | Self::Damaged { .. } => true,
            Self::CheckpointDamaged { .. } | Self::CheckpointLost { .. } => false,
        }
    }
}

/// Recovery itself could not be done; trading cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal cannot be read.
    #[error("{0}; see that it is a plain file there and can be read, and start again")]
    Read(ReadError),
    /// A newer version of the program wrote here, and this one would lose what it does not know.
    #[error(
        "journal record {seq} is of version {found}, and this andon reads versions up to {known}; start the newer andon \
         that wrote it, or name another directory with --data-dir"
    )]
    Newer {
        /// The first such record.
        seq: Seq,
        /// Its version.
        found: u16,
        /// The newest version that is known here.
        known: u16,
    },
    /// The torn line could not be set aside.
    #[error(
        "the torn last line cannot be set aside ({0}); see that the data directory has space and can be written, and start again"
    )]
    SetAside(std::io::Error),
    /// So high a number that none is left for what a run writes.
    #[error(
        "no number is left after {last} in {}; if the file or line that names it (a segment, HEAD, or checkpoint beside the \
         journal) is not of this journal, move it away and start again",
        .journal.display()
    )]
    NumbersUsedUp {
        /// Where the segments are.
        journal: PathBuf,
        /// The highest, with what it counts.
        last: String,
    },
    /// The checkpoint store cannot be looked at.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// All that a start needs to know.
#[derive(Debug)]
pub struct Recovered<S> {
    /// The state to begin with; none if the records say everything.
    pub checkpoint: Option<Checkpoint<S>>,
    /// What to apply to it, in order. Without a checkpoint the first one holds the whole state, or is the first of all.
    pub records: Vec<Record>,
    /// Where writing goes on.
    pub resume: Resume,
    /// Files of torn lines that are to be recorded: that of this start, and those of starts that did not live to record
    /// theirs.
    pub torn_unrecorded: Vec<String>,
    /// Older segments, which were not needed: damage there is not among the troubles.
    pub unread: Option<Unread>,
    /// What is wrong. The start is halted if any of it [`Trouble::halts`].
    pub troubles: Vec<Trouble>,
    /// The store of checkpoints, open.
    pub store: CheckpointStore,
}

/// A run begins fewer segments.
const SEGMENTS_LEFT_MIN: SegmentNo = 1_000_000;

impl<S> Recovered<S> {
    /// The last record there is.
    pub const fn head(&self) -> Anchor {
        self.resume.head
    }

    /// Any of what is wrong keeps trading halted.
    pub fn halts(&self) -> bool {
        self.troubles.iter().any(Trouble::halts)
    }
}

/// Reads what the last run left. `decode` reads the state of the checkpoint that was taken after a record; one that it
/// refuses is as good as damaged, but its record still vouches for the journal.
///
/// # Errors
/// See [`RecoverError`]. Damage is no error; it is in [`Recovered::troubles`].
pub fn recover<S>(
    dir: &DataDir,
    decode: impl FnOnce(Seq, &[u8]) -> Result<S, String>,
) -> Result<Recovered<S>, RecoverError> {
    let journal = dir.journal();
    let mut last = LastCheckpoint::open(dir, decode)?;
    let Beginning { from, base, behind, in_order } = choose_beginning(&journal, last.usable())?;
    let mut base = last.usable().filter(|_| base == Base::Checkpoint);
    // A kill just after a segment began leaves the last checkpoint in the one before.
    if behind > 1 {
        last.refuse(|seq| format!("that of record {seq} is {behind} segments behind the journal"));
    }
    let mut records = Vec::new();
    let (mut report, mut ending) = verify::walk(&journal, &last.anchors, from, &mut |line| {
        // What the checkpoint says of an earlier record is in the words of its version.
        line.is_known()?;
        if base.is_none_or(|base| line.anchor.seq > base.seq) {
            records.push(line.record()?);
        }
        Ok(())
    })?;
    if !in_order && report.is_sound() {
        // What is wrong stands before it.
        (report, ending) = verify::walk(&journal, &last.anchors, None, &mut |line| line.is_known())?;
    }
    // The state that the records promised cannot be read, or ends before one that is known.
    let told = records.last().map_or(Seq(0), |record| record.seq);
    if let Some(known) = last.readable().filter(|known| base.is_none() && told < known.seq) {
        base = Some(known);
        records = after_damage(&journal, known)?;
    }
    // The latest state stands where no segment before it leads.
    if let Some(segment) = from.filter(|_| records.is_empty() && base.is_none()) {
        records = own_chain(Reader::on_trust(&journal, segment)?)?;
    }
    // A sound walk that began before its record has passed it. One whose record is lost is kept: it alone may know of that.
    let was_passed = report.is_sound() && base.is_some();
    let is_lost = !was_passed && last.is_lost(&journal)?;
    if is_lost && report.is_sound() {
        // An earlier start went on behind the lost records, and ended before its next checkpoint.
        last.refuse(|seq| format!("record {seq}, after which it was taken, is not in the journal"));
    }
    let Closed { store, read, trouble } = last.close();
    let mut troubles = Vec::from_iter(trouble);
    let kept = (is_lost && !report.is_sound()).then(|| store.give_up());
    let resume = resume_at(&journal, &report, &ending)?;
    match &report.verdict {
        Verdict::Sound => {}
        Verdict::Torn(piece) => journal::set_torn_aside(&journal, piece).map_err(RecoverError::SetAside)?,
        Verdict::Damaged { seq, why } => {
            if let Some(base) = base.filter(|base| *seq <= base.seq) {
                records = after_damage(&journal, base)?;
            }
            troubles.push(Trouble::Damaged { seq: *seq, why: why.clone(), checkpoint: kept });
        }
        Verdict::Shortened { anchor } => {
            troubles.push(Trouble::Shortened { anchor: *anchor, head: report.head, checkpoint: kept });
        }
    }
    if report.is_sound() {
        remove_if_empty(&journal, ending.place.0)?;
    }
    let torn_unrecorded = torn_unrecorded(&journal, base.map(|base| base.seq), &records)?;
    Ok(Recovered {
        checkpoint: read.filter(|_| base.is_some()),
        records,
        resume,
        torn_unrecorded,
        unread: ending.unread,
        troubles,
        store,
    })
}

/// The records that continue the checkpoint although something before it is damaged: its hash vouches for them.
fn after_damage(journal: &Path, checkpoint: Anchor) -> Result<Vec<Record>, ReadError> {
    Reader::after(journal, checkpoint)?.map_or(Ok(Vec::new()), own_chain)
}

/// The records of a reader up to the first that does not follow.
fn own_chain(reader: Reader) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => records.push(record),
            Err(error @ (ReadError::Io { .. } | ReadError::Newer { .. })) => return Err(error),
            // The start is halted for the first damage already.
            Err(ReadError::Torn(_) | ReadError::Damaged { .. }) => break,
        }
    }
    Ok(records)
}

/// The torn lines beside the journal that no record names. `records` are those after the state of record `base`, or of
/// which the first holds the state; what stands before a state was recorded before it.
fn torn_unrecorded(journal: &Path, base: Option<Seq>, records: &[Record]) -> Result<Vec<String>, ReadError> {
    let pieces = journal::list_torn(journal)?;
    let first = base.map(Seq::next).or(records.first().map(|record| record.seq)).unwrap_or(Seq(1));
    let at_end = pieces.into_iter().filter(|(after, _)| after.next() >= first);
    Ok(at_end
        .map(|(_, name)| name)
        .filter(|name| !records.iter().any(|record| names(record, name)))
        .collect())
}

fn names(record: &Record, torn: &str) -> bool {
    let RecordKind::Alarm(AlarmTransition::Raised { cause, .. } | AlarmTransition::Updated { cause, .. }) =
        &record.kind
    else {
        return false;
    };
    cause.as_str().split([' ', ',', '/']).any(|word| word == torn)
}

impl From<ReadError> for RecoverError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Newer { seq, found } => Self::Newer { seq, found, known: Record::VERSION },
            error @ (ReadError::Io { .. } | ReadError::Torn(_) | ReadError::Damaged { .. }) => {
                Self::Read(error)
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Checkpoint,
    Records,
}

/// Where a start begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beginning {
    /// The first segment that is read; none: from the first record.
    from: Option<SegmentNo>,
    /// On what the records build.
    base: Base,
    /// How many segments begin with a later state than that of the checkpoint, if that is not the base.
    behind: usize,
    /// The segments begin with rising numbers.
    in_order: bool,
}

/// A checkpoint older than the last state record is not needed: never more than one segment is applied. Among segments
/// that do not follow each other it is the latest state that counts, wherever it stands.
fn choose_beginning(journal: &Path, checkpoint: Option<Anchor>) -> Result<Beginning, RecoverError> {
    let taken = checkpoint.map(|checkpoint| checkpoint.seq);
    let (mut from_state, mut behind, mut start, mut later) = (None, 0, None, None);
    for segment in journal::list(journal)?.into_iter().rev() {
        let Some(head) = journal::read_head(journal, segment)? else { continue };
        if later.is_some_and(|later| later <= head.first) {
            return latest_state(journal, taken);
        }
        later = Some(head.first);
        if start.is_some() {
            continue;
        }
        if taken.is_some_and(|seq| head.first <= seq) {
            start = Some(match from_state {
                Some(_) => (from_state, Base::Records),
                None => (Some(segment), Base::Checkpoint),
            });
        } else if head.is_state {
            from_state = from_state.or(Some(segment));
            behind += 1;
            if taken.is_none() {
                start = Some((from_state, Base::Records));
            }
        }
    }
    let none_begins_before =
        if taken.is_some() && from_state.is_none() { Base::Checkpoint } else { Base::Records };
    let (from, base) = start.unwrap_or((from_state, none_begins_before));
    Ok(Beginning { from, base, behind: if base == Base::Checkpoint { 0 } else { behind }, in_order: true })
}

/// Where the latest state stands among segments that do not follow each other: what comes after it is damage.
/// Of two that begin alike it is the longer.
fn latest_state(journal: &Path, taken: Option<Seq>) -> Result<Beginning, RecoverError> {
    let mut newest: Option<(SegmentNo, (Seq, u64))> = None;
    for segment in journal::list(journal)? {
        let head = journal::read_head(journal, segment)?.filter(|head| head.is_state);
        if let Some(head) = head {
            let path = journal.join(journal::file_name(segment));
            let len = path.metadata().map_err(|error| ReadError::Io { path, error })?.len();
            newest =
                newest.into_iter().chain([(segment, (head.first, len))]).max_by_key(|(_, content)| *content);
        }
    }
    let is_behind = |(_, (first, _))| taken.is_some_and(|taken| first <= taken);
    let base = if newest.is_some_and(is_behind) { Base::Checkpoint } else { Base::Records };
    Ok(Beginning { from: newest.map(|(segment, _)| segment), base, behind: 0, in_order: false })
}

/// Where writing goes on, if any number is left for it. Changes nothing.
fn resume_at(journal: &Path, report: &VerifyReport, ending: &verify::Ending) -> Result<Resume, RecoverError> {
    let mut segments = journal::list(journal)?;
    let resume = if report.is_sound() {
        let (segment, len) = ending.place;
        // A segment without a whole line is begun again, under the same number and with a state record.
        segments.pop_if(|last| len == 0 && *last == segment);
        let last_segment = segments.last().copied().unwrap_or(0);
        let segment = (last_segment == segment && len > 0).then_some((segment, len));
        Resume { head: report.head, segment, last_segment }
    } else {
        // A segment that is lost keeps its name: it may be found again. The first one there was is lost if any record was.
        let first = u32::from(ending.highest.seq > Seq(0));
        let lost = ending.head_file.map_or(first, |head_file| head_file.segment);
        let last_segment = segments.last().copied().unwrap_or(0).max(lost);
        Resume { head: ending.highest, segment: None, last_segment }
    };
    if journal::SEGMENT_MAX - resume.last_segment.min(journal::SEGMENT_MAX) < SEGMENTS_LEFT_MIN {
        let last = format!("segment {:08}.log", resume.last_segment);
        return Err(RecoverError::NumbersUsedUp { journal: journal.to_owned(), last });
    }
    if !resume.head.leaves_numbers() {
        let last = format!("record {}", resume.head.seq);
        return Err(RecoverError::NumbersUsedUp { journal: journal.to_owned(), last });
    }
    Ok(resume)
}

/// Makes room for a segment that is begun again.
fn remove_if_empty(journal: &Path, segment: SegmentNo) -> Result<(), ReadError> {
    let path = journal.join(journal::file_name(segment));
    if path.metadata().is_ok_and(|file| file.len() == 0) {
        std::fs::remove_file(&path).map_err(|error| ReadError::Io { path, error })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::journal::{Hash, STATE_KIND};
    use super::*;

    fn write_segment(journal: &Path, segment: SegmentNo, first: u64, kind: &str) {
        let json = format!(r#"{{"seq":{first},"kind":"{kind}","prev":"{}"}}"#, Hash::GENESIS);
        let line = format!("{} {json}\n", Hash::of(json.as_bytes()));
        std::fs::write(journal.join(journal::file_name(segment)), line).unwrap();
    }

    fn checkpoint(seq: u64) -> Anchor {
        Anchor { seq: Seq(seq), hash: Hash::GENESIS }
    }

    #[test]
    fn recovery_begins_at_the_last_state_or_at_a_newer_checkpoint() {
        let journal = tempfile::tempdir().unwrap();
        write_segment(journal.path(), 1, 1, STATE_KIND);
        write_segment(journal.path(), 2, 11, STATE_KIND);
        write_segment(journal.path(), 3, 21, "note");
        std::fs::write(journal.path().join(journal::file_name(4)), "torn").unwrap();
        let beginning = |seq: Option<u64>| choose_beginning(journal.path(), seq.map(checkpoint)).unwrap();
        let at = |from, base, behind| Beginning { from: Some(from), base, behind, in_order: true };
        assert_eq!(beginning(None), at(2, Base::Records, 1), "segment 3 does not begin with the state");
        assert_eq!(beginning(Some(5)), at(2, Base::Records, 1), "an old checkpoint is not needed");
        assert_eq!(beginning(Some(15)), at(2, Base::Checkpoint, 0));
        assert_eq!(beginning(Some(25)), at(3, Base::Checkpoint, 0));
    }
}
