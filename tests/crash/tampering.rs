//! Whoever changes what stands before an anchor is found, at the first record that is not as it was; whoever changes
//! nothing is not accused. The records are those of a real run.

use std::fs;
use std::path::PathBuf;

use andon::coordinator::record::Record;
use andon::domain::Seq;
use andon::runtime::options::RunOptions;
use andon::store::{Anchor, DataDir, Reader, Resume, Scope, SyncMode, Verdict, Writer, verify};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng as _};
use tempfile::TempDir;

use super::place::{DAY, Data, Place, options, simulate};
use super::side_by_side::side_by_side;

const SEED: u64 = 20_260_304;
const ROUNDS: usize = 1_000;

/// Two days of a simulated run.
fn real_records() -> Vec<Record> {
    let place = Place::new();
    let data = place.data();
    simulate(&RunOptions { run_for: Some(DAY * 2), data_dir: Some(data.path()), ..options() });
    data.records()
}

/// A journal of consecutive real records, of random length, in segments and commits of random length.
struct Journal {
    _parent: TempDir,
    dir: DataDir,
    anchors: Vec<Anchor>,
    /// The lines of each segment.
    segments: Vec<Vec<Vec<u8>>>,
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn new(round: usize) -> Self {
        Self(ChaCha8Rng::seed_from_u64(SEED + round as u64))
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.0.next_u64() % n as u64).unwrap()
    }
}

impl Journal {
    fn random(records: &[Record], dice: &mut Dice) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&parent.path().join("data")).unwrap();
        let mut writer = Writer::new(Box::new(dir.journal_disk(false)), SyncMode::None, Resume::FRESH);
        let (count, per_segment) = (12 + dice.below(48), 3 + dice.below(12));
        let from = dice.below(records.len() - count);
        let mut anchors = Vec::new();
        for (n, record) in records[from..from + count].iter().enumerate() {
            let record = Record { seq: Seq(n as u64 + 1), ..record.clone() };
            anchors.push(writer.append(&record, n > 0 && n % per_segment == 0).unwrap());
            if dice.below(3) == 0 {
                writer.commit().unwrap();
            }
        }
        writer.commit().unwrap();
        let mut journal = Self { _parent: parent, dir, anchors, segments: Vec::new() };
        journal.segments = (1..=count.div_ceil(per_segment)).map(|n| lines(&journal.segment(n))).collect();
        journal
    }

    fn segment(&self, number: usize) -> PathBuf {
        self.dir.journal().join(format!("{number:08}.log"))
    }

    fn write(&self, segments: &[Vec<Vec<u8>>]) {
        for (n, lines) in (1..).zip(segments) {
            fs::write(self.segment(n), lines.concat()).unwrap();
        }
    }

    fn last(&self) -> Anchor {
        *self.anchors.last().unwrap()
    }

    /// The number of the first record of a segment (counted from 0).
    fn first_of(&self, segment: usize) -> usize {
        1 + self.segments[..segment].iter().map(Vec::len).sum::<usize>()
    }

    /// The number of the record at which a change of record `seq` can first be seen when the chain was made anew after
    /// it: the next anchor. `HEAD` holds the end of the last segment but one.
    fn next_anchor(&self, seq: usize) -> usize {
        let sealed = self.first_of(self.segments.len() - 1) - 1;
        if seq <= sealed { sealed } else { self.anchors.len() }
    }
}

fn lines(path: &std::path::Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn a_thousand_tamperings_before_the_anchor_are_found_at_the_first_bad_record() {
    println!("seed {SEED}");
    let records = real_records();
    let by_kind = side_by_side(ROUNDS, |round| {
        let mut dice = Dice::new(round);
        let journal = Journal::random(&records, &mut dice);
        let (what, bad) = tamper(&journal, round, &mut dice);

        let report = verify(&journal.dir.journal(), &[journal.last()], Scope::All).unwrap();

        let found = match report.verdict {
            Verdict::Damaged { seq, .. } => seq,
            // Whole lines are gone from the end, so the first one missing is the next.
            Verdict::Shortened { .. } => report.head.seq.next(),
            Verdict::Sound | Verdict::Torn(_) => panic!("seed {SEED}, round {round}, {what}: {report}"),
        };
        assert_eq!(found, Seq(bad as u64), "seed {SEED}, round {round}, {what}: {report}");
        what
    });
    let count = |kind: &str| by_kind.iter().filter(|what| **what == kind).count();
    let kinds = KINDS.map(|kind| format!("{} {kind}", count(kind)));
    println!("{ROUNDS} tamperings, {ROUNDS} found at the right record: {}", kinds.join(", "));
}

const KINDS: [&str; 8] = [
    "bit flipped",
    "byte cut out",
    "record cut out",
    "segment cut short",
    "record inserted",
    "byte inserted",
    "records swapped",
    "chain made anew",
];

/// Changes something at or before the last record. Says what, and which record is the first that is not as it was.
fn tamper(journal: &Journal, round: usize, dice: &mut Dice) -> (&'static str, usize) {
    let mut segments = journal.segments.clone();
    let s = dice.below(segments.len());
    let l = dice.below(segments[s].len());
    let mut bad = journal.first_of(s) + l;
    let kind = round % KINDS.len();
    match kind {
        0 => {
            let at = dice.below(segments[s][l].len());
            segments[s][l][at] ^= 1 << dice.below(8);
        }
        1 => {
            let at = dice.below(segments[s][l].len());
            segments[s][l].remove(at);
        }
        2 => drop(segments[s].remove(l)),
        3 => {
            segments[s].truncate(l + 1);
            let kept = dice.below(segments[s][l].len());
            segments[s][l].truncate(kept);
        }
        4 => {
            let from = dice.below(segments.len());
            let which = dice.below(segments[from].len());
            let copy = segments[from][which].clone();
            segments[s].insert(l, copy);
            // A copy before itself stands in its right place; the second one is too many.
            bad += usize::from((from, which) == (s, l));
        }
        5 => {
            let at = dice.below(segments[s][l].len());
            let byte = u8::try_from(dice.below(256)).unwrap();
            segments[s][l].insert(at, byte);
        }
        6 => {
            // Of the same segment or of two; where a segment has one record, with the segment's neighbour.
            let (other_s, other_l) = loop {
                let other_s = dice.below(segments.len());
                let other_l = dice.below(segments[other_s].len());
                if (other_s, other_l) != (s, l) {
                    break (other_s, other_l);
                }
            };
            let one = segments[s][l].clone();
            let other = std::mem::replace(&mut segments[other_s][other_l], one);
            segments[s][l] = other;
            bad = bad.min(journal.first_of(other_s) + other_l);
        }
        _ => {
            make_anew(&mut segments, bad);
            bad = journal.next_anchor(bad);
        }
    }
    journal.write(&segments);
    (KINDS[kind], bad)
}

/// Changes record `from` and makes the chain anew after it, so that it holds together again.
fn make_anew(segments: &mut [Vec<Vec<u8>>], from: usize) {
    const JSON_AT: usize = 65;
    let mut prev = None;
    for line in segments.iter_mut().flatten().skip(from - 1) {
        let mut json: serde_json::Value = serde_json::from_slice(&line[JSON_AT..]).unwrap();
        match prev {
            None => json["run"] = 9.into(),
            Some(prev) => json["prev"] = serde_json::Value::String(prev),
        }
        let text = json.to_string();
        let hash = blake3::hash(text.as_bytes()).to_string();
        *line = format!("{hash} {text}\n").into_bytes();
        prev = Some(hash);
    }
}

#[test]
fn a_thousand_clean_journals_raise_no_false_alarm() {
    println!("seed {SEED}");
    let records = real_records();
    side_by_side(ROUNDS, |round| {
        let mut dice = Dice::new(round);
        let journal = Journal::random(&records, &mut dice);
        let known = journal.anchors[dice.below(journal.anchors.len())];
        for (anchors, scope) in [
            (&[][..], Scope::All),
            (&[journal.last()], Scope::All),
            (&[known], Scope::FromAnchor),
            (&journal.anchors, Scope::FromAnchor),
        ] {
            let report = verify(&journal.dir.journal(), anchors, scope).unwrap();
            let at = format!("seed {SEED}, round {round}: {report}");
            assert_eq!((report.verdict, report.head), (Verdict::Sound, journal.last()), "{at}");
            assert!(anchors.iter().all(|anchor| anchor.seq <= report.anchored), "{at}");
        }
    });
    println!("{ROUNDS} clean journals, 0 false alarms");
}

#[test]
fn a_last_record_cut_at_any_byte_is_set_aside_by_a_start_and_nothing_else_is_missing() {
    let records = real_records();
    let journal = Journal::random(&records, &mut Dice::new(0));
    let last_segment = journal.segment(journal.segments.len());
    let whole = fs::read(&last_segment).unwrap();
    let last_line = journal.segments.last().unwrap().last().unwrap();
    let before = whole.len() - last_line.len();
    for len in before..whole.len() {
        fs::write(&last_segment, &whole[..len]).unwrap();

        let recovered = Data(journal.dir.root().to_owned()).recovered();

        assert!(recovered.troubles.is_empty(), "cut at {len}: {:?}", recovered.troubles);
        let kept = recovered.records.iter().map(|record| record.seq.0);
        assert!(kept.eq(1..journal.last().seq.0), "cut at {len}");
        assert_eq!(recovered.head(), journal.anchors[journal.anchors.len() - 2], "cut at {len}");
        match &recovered.torn_unrecorded[..] {
            [aside] => {
                let aside = journal.dir.journal().join(aside);
                assert_eq!(fs::read(&aside).unwrap(), whole[before..len], "cut at {len}");
                fs::remove_file(aside).unwrap();
            }
            [] => assert_eq!(len, before, "nothing of the line is left"),
            several => panic!("cut at {len}: {several:?}"),
        }
        assert_eq!(Reader::all(&journal.dir.journal()).unwrap().records().count(), journal.anchors.len() - 1);
    }
    println!("{} bytes of the last record, each a place to be cut off at", last_line.len());
}
