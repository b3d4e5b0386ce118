//! Journal and checkpoint against a plain map: whatever is appended, sealed, checkpointed, cut off and begun again, a
//! start finds exactly what had reached the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use andon::config::Config;
use andon::coordinator::durable::Durable;
use andon::coordinator::record::{Record, RecordKind};
use andon::domain::{Actor, InstallId, Now, Seq, Timestamp};
use andon::store::{
    Anchor, Checkpoint, CheckpointStore, DataDir, Resume, Scope, SyncMode, Trouble, Verdict, Writer, verify,
};
use proptest::prelude::*;
use rust_decimal::Decimal;
use tempfile::TempDir;

use super::place::Data;

#[derive(Debug, Clone)]
enum Step {
    /// So many records; they wait for a commit.
    Append(u8),
    Commit,
    /// The next record holds the state and begins a segment.
    Seal,
    /// Of the last committed record.
    Checkpoint,
    /// The process is gone; of what was not committed, this share (of 256) had reached the file.
    Crash(u8),
    /// An end in order, and the next start.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1_u8..6).prop_map(Step::Append),
        4 => Just(Step::Commit),
        2 => Just(Step::Seal),
        3 => Just(Step::Checkpoint),
        2 => any::<u8>().prop_map(Step::Crash),
        1 => Just(Step::Reopen),
    ]
}

/// Equity by second: what the state keeps of each record, and what the model keeps.
type Marks = BTreeMap<Timestamp, Decimal>;

/// The store, and beside it a plain map of all that was appended.
struct Bench {
    _parent: TempDir,
    dir: DataDir,
    writer: Writer,
    checkpoints: CheckpointStore,
    /// As the core's: it has every record, durable or not.
    state: Durable,
    model: Marks,
    /// The map after each record; one that holds the state leaves it as it is.
    after: BTreeMap<Seq, Marks>,
    taken: Option<Anchor>,
    /// Records that hold the whole state.
    states: BTreeSet<Seq>,
    begins_segment: bool,
}

fn fresh() -> Durable {
    let start = Now::both(Timestamp::from_secs(1_640_995_200));
    Durable::fresh(InstallId::derived("model"), &Config::defaults().unwrap(), start)
}

fn marks(state: &Durable) -> Marks {
    state.marks.iter().copied().collect()
}

impl Bench {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&parent.path().join("data")).unwrap();
        let found = Data(dir.root().to_owned()).recovered();
        assert_eq!(found.resume, Resume::FRESH);
        Self {
            writer: writer(&dir, found.resume),
            checkpoints: found.store,
            _parent: parent,
            dir,
            state: fresh(),
            model: Marks::new(),
            after: BTreeMap::from([(Seq(0), Marks::new())]),
            taken: None,
            states: BTreeSet::new(),
            begins_segment: true,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append(count) => (0..*count).for_each(|_| self.append()),
            Step::Commit => drop(self.writer.commit().unwrap()),
            Step::Seal => self.begins_segment = true,
            Step::Checkpoint => self.checkpoint(),
            Step::Crash(share) => self.crash(usize::from(*share)),
            Step::Reopen => {
                self.writer.note_head().unwrap();
                let head = self.writer.head().seq;
                self.start(head, 0);
            }
        }
    }

    fn append(&mut self) {
        let seq = self.state.seq.next();
        let at = self.state.at.plus(std::time::Duration::from_secs(1));
        let kind = if self.begins_segment {
            self.states.insert(seq);
            RecordKind::State(Box::new(self.state.clone()))
        } else {
            let equity = Decimal::from(seq.0);
            self.model.insert(at, equity);
            RecordKind::Mark { equity, rates: BTreeMap::new() }
        };
        let record = Record { seq, at, wall: None, run: 1, actor: Actor::Runtime, kind };
        self.writer.append(&record, self.begins_segment).unwrap();
        self.state.apply(&record);
        self.after.insert(seq, self.model.clone());
        self.begins_segment = false;
    }

    fn checkpoint(&mut self) {
        let anchor = self.writer.commit().unwrap();
        if anchor.seq > Seq(0) {
            let state = serde_json::to_vec(&self.state).unwrap();
            self.checkpoints.write(&Checkpoint { anchor, state, hints: Vec::new() }).unwrap();
            self.taken = Some(anchor);
        }
    }

    /// Lets `share` of what waits reach the disk: the whole lines in it are there, the piece after them is torn.
    fn crash(&mut self, share: usize) {
        let committed = self.writer.committed().seq;
        let lengths = || -> BTreeMap<_, _> {
            let Ok(entries) = fs::read_dir(self.dir.journal()) else { return BTreeMap::new() };
            let file = |entry: fs::DirEntry| (entry.path(), entry.metadata().unwrap().len());
            entries.map(|entry| file(entry.unwrap())).filter(|(path, _)| is_segment(path)).collect()
        };
        let before = lengths();
        self.writer.commit().unwrap();
        let (mut kept, mut torn) = (committed, 0);
        if let Some((last, len)) = lengths().into_iter().next_back() {
            let from = before.get(&last).copied().unwrap_or(0);
            let waiting = usize::try_from(len - from).unwrap();
            let reached = waiting * share / 256;
            let bytes = fs::read(&last).unwrap();
            let cut = bytes.len() - waiting + reached;
            let lost = bytes[cut..].split(|&byte| byte == b'\n').count() - 1;
            kept = Seq(self.writer.head().seq.0 - lost as u64);
            torn = bytes[..cut].rsplit(|&byte| byte == b'\n').next().unwrap().len();
            fs::write(&last, &bytes[..cut]).unwrap();
        }
        self.start(kept, torn);
    }

    /// A checkpoint that is more than a segment behind is told until there is a new one; nothing else is wrong.
    fn assert_told(&self, troubles: &[Trouble], kept: Seq) {
        let since = |taken: Anchor| self.states.range(taken.seq.next()..).filter(|seq| **seq <= kept).count();
        let behind = self.taken.map_or(0, since);
        let wanted = (behind > 1).then(|| format!("is {behind} segments behind the journal"));
        match (troubles, &wanted) {
            ([], None) => {}
            ([Trouble::CheckpointDamaged { why, .. }], Some(end)) if why.ends_with(end) => {}
            _ => panic!("kept {kept}: {troubles:?}, wanted {wanted:?}"),
        }
    }

    /// What starts have put aside, with its length.
    fn pieces(&self) -> BTreeMap<String, u64> {
        let files = fs::read_dir(self.dir.journal()).into_iter().flatten().map(Result::unwrap);
        let named =
            files.map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().len()));
        named.filter(|(name, _)| name.contains(".torn-")).collect()
    }

    /// A start finds every record up to `kept`, and puts a piece of `torn` bytes aside.
    fn start(&mut self, kept: Seq, torn: usize) {
        // sled lets go of its lock before it is opened again.
        let elsewhere = tempfile::tempdir().unwrap();
        let nowhere = DataDir::open(&elsewhere.path().join("data")).unwrap();
        self.checkpoints = Data(nowhere.root().to_owned()).recovered().store;

        let aside = self.pieces();

        let found = Data(self.dir.root().to_owned()).recovered();

        self.assert_told(&found.troubles, kept);
        let new = self.pieces().into_iter().filter(|(name, _)| !aside.contains_key(name));
        let lens = new.map(|(name, len)| (found.torn_unrecorded.contains(&name), len));
        assert!(lens.eq((torn > 0).then_some((true, torn as u64))), "kept {kept}, torn {torn}");
        assert_eq!(found.head().seq, kept);
        let mut state = found.checkpoint.as_ref().map_or_else(fresh, |it| it.state.clone());
        if let Some(checkpoint) = &found.checkpoint {
            assert_eq!(Some(checkpoint.anchor), self.taken);
        } else if let Some(first) = found.records.first() {
            assert!(matches!(first.kind, RecordKind::State(_)), "{first:?} says nothing without a state");
        }
        for record in &found.records {
            state.apply(record);
        }
        assert_eq!(state.seq, kept);
        // Each once: a record that is applied twice would stand twice in the state.
        assert!(state.marks.iter().copied().eq(self.after[&kept].clone()), "kept {kept}: {:?}", state.marks);
        let anchors: Vec<_> = self.taken.into_iter().collect();
        let report = verify(&self.dir.journal(), &anchors, Scope::All).unwrap();
        assert_eq!((report.verdict, report.head.seq), (Verdict::Sound, kept));

        self.begins_segment = found.resume.begins_segment();
        self.writer = writer(&self.dir, found.resume);
        self.checkpoints = found.store;
        self.after.retain(|seq, _| *seq <= kept);
        self.states.retain(|seq| *seq <= kept);
        self.model = marks(&state);
        self.state = state;
    }
}

fn is_segment(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

fn writer(dir: &DataDir, resume: Resume) -> Writer {
    Writer::new(Box::new(dir.journal_disk(false)), SyncMode::None, resume)
}

fn run(steps: &[Step]) {
    let mut bench = Bench::new();
    for step in steps {
        bench.take(step);
    }
    bench.crash(0);
    bench.crash(255);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_start_finds_exactly_what_had_reached_the_disk(steps in prop::collection::vec(step(), 1..30)) {
        run(&steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    #[ignore = "long: 2,000 sequences"]
    fn a_start_finds_exactly_what_had_reached_the_disk_in_2_000_sequences(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        run(&steps);
    }
}
