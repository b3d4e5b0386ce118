//! The commands that read the record of a run: `audit`, `since`, `why`, `handover`. They work beside a running instance.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use andon::domain::{Symbol, Timestamp};
use andon::runtime::clock;
use andon::store::audit::{self, Filter, Gap, Handover, Since, TrailError, Why};
use andon::store::{self, Anchor, AnchorError, CheckpointStore, DataDir, Scope, Verdict};
use color_eyre::eyre;

use crate::cli::{AuditTask, TrailArgs};
use crate::{Failure, complain, say};

/// How far back a page is handed over if nobody says.
const HANDOVER_SINCE: &str = "24h";

pub fn run(task: AuditTask) -> Result<(), Failure> {
    match task {
        AuditTask::Verify { anchors, data_dir } => verify(anchors.as_deref(), data_dir.as_deref()),
        AuditTask::Show { trail, data_dir } => show(&trail, data_dir.as_deref()),
        AuditTask::Export { trail, data_dir } => export(&trail, data_dir.as_deref()),
    }
}

/// Verifies the journal against `HEAD`, the anchors that were kept elsewhere, and the marker of the checkpoint. Reads only,
/// and takes no lock: it may stand beside a running instance, and keeps nobody from starting.
fn verify(anchors: Option<&Path>, data_dir: Option<&Path>) -> Result<(), Failure> {
    let (dir, journal) = journal_of(data_dir)?;
    let mut anchors = anchors.map(kept_anchors).transpose()?.unwrap_or_default();
    let data = DataDir::look_at(&dir);
    match CheckpointStore::marked(&data) {
        Some(anchor) => anchors.push(anchor),
        None if data.checkpoint_store().exists() => {
            complain(
                "warning: no checkpoint can be compared: the file that names it is missing or unreadable",
            );
        }
        None => {}
    }
    let report = store::verify(&journal, &anchors, Scope::All).map_err(|e| Failure::Broken(e.into()))?;
    let chain = match &report.verdict {
        Verdict::Sound => "chain sound".to_owned(),
        Verdict::Torn(torn) => format!("chain sound up to a torn line of {} bytes", torn.torn_len),
        Verdict::Damaged { .. } | Verdict::Shortened { .. } => {
            return Err(Failure::Broken(eyre::eyre!("{}: {report}", dir.display())));
        }
    };
    let anchored = if report.head.seq > report.anchored {
        format!("; unanchored after seq {}", report.anchored.0)
    } else {
        String::new()
    };
    say(&format!("{} records, head {}, {chain}{anchored}\n", report.records, report.head.hash))
}

fn kept_anchors(path: &Path) -> Result<Vec<Anchor>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("--anchors: {}: {error}", path.display())))?;
    let anchor = |(number, line): (usize, &str)| {
        line.parse().map_err(|error: AnchorError| {
            Failure::Usage(format!("--anchors: {}:{}: {error}", path.display(), number + 1))
        })
    };
    text.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(anchor).collect()
}

/// One line a record, for people.
pub fn show(trail: &TrailArgs, data_dir: Option<&Path>) -> Result<(), Failure> {
    let (_, journal) = journal_of(data_dir)?;
    let mut filter = filter(trail, &journal)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let walked = audit::walk_trail(&journal, &mut filter, &mut |_, record| {
        writeln!(out, "{}", audit::in_words(record))
    });
    finish(walked, out)
}

/// The records as they are, JSON lines; the hash of one is `prev` of the next.
fn export(trail: &TrailArgs, data_dir: Option<&Path>) -> Result<(), Failure> {
    let (_, journal) = journal_of(data_dir)?;
    let mut filter = filter(trail, &journal)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let walked = audit::walk_trail(&journal, &mut filter, &mut |line, _| {
        out.write_all(line.json).and_then(|()| out.write_all(b"\n"))
    });
    finish(walked, out)
}

/// What stopped the last signal of a symbol.
pub fn why(symbol: Symbol, data_dir: Option<&Path>) -> Result<(), Failure> {
    let (_, journal) = journal_of(data_dir)?;
    let mut why = Why::of(symbol);
    let mut filter = Filter::new(None, Why::KINDS.to_vec(), None);
    let gaps = audit::walk_trail::<io::Error>(&journal, &mut filter, &mut |_, record| {
        why.add(record);
        Ok(())
    });
    let gaps = gaps.map_err(broken)?;
    say(&format!("{}\n", why.answer()))?;
    complete(&gaps)
}

/// One page for whoever takes over.
pub fn handover(since: Option<Since>, data_dir: Option<&Path>) -> Result<(), Failure> {
    let (_, journal) = journal_of(data_dir)?;
    let since = match since {
        Some(since) => since,
        None => HANDOVER_SINCE.parse().map_err(|e: audit::SinceError| Failure::Usage(e.to_string()))?,
    };
    let since = from(since, &journal)?;
    let mut page = Handover::read(&journal, since).map_err(|e| Failure::Broken(e.into()))?;
    let mut filter = Filter::new(Some(since), Handover::KINDS.to_vec(), None);
    let gaps = audit::walk_trail::<io::Error>(&journal, &mut filter, &mut |_, record| {
        page.add(record);
        Ok(())
    });
    let gaps = gaps.map_err(broken)?;
    say(&page.to_string())?;
    complete(&gaps)
}

fn filter(trail: &TrailArgs, journal: &Path) -> Result<Filter, Failure> {
    let since = trail.since.map(|since| from(since, journal)).transpose()?;
    Ok(Filter::new(since, trail.kinds.clone(), trail.about))
}

/// The instant that is meant, by the clock of the journal: the wall's, or the market's in a run at full speed.
fn from(since: Since, journal: &Path) -> Result<Timestamp, Failure> {
    let last = audit::last_record(journal).map_err(|e| Failure::Broken(e.into()))?;
    match last {
        Some(record) if record.wall.is_none() && since.is_wall() => {
            let text =
                "`w` asks for wall time, and a run at full speed has none; leave it out for market time";
            Err(Failure::Usage(text.to_owned()))
        }
        Some(record) if record.wall.is_none() => Ok(since.resolve(record.at)),
        Some(_) | None => Ok(since.resolve(clock::wall())),
    }
}

fn finish(walked: Result<Vec<Gap>, TrailError<io::Error>>, mut out: impl io::Write) -> Result<(), Failure> {
    let gaps = walked.map_err(broken)?;
    out.flush()?;
    complete(&gaps)
}

fn broken(error: TrailError<io::Error>) -> Failure {
    match error {
        TrailError::Read(error) => Failure::Broken(error.into()),
        TrailError::Visit(error) => error.into(),
    }
}

/// What was left out is said last, where it is seen.
fn complete(gaps: &[Gap]) -> Result<(), Failure> {
    let Some((last, others)) = gaps.split_last() else { return Ok(()) };
    for gap in others {
        complain(&gap.to_string());
    }
    Err(Failure::Broken(last.clone().into()))
}

/// The data directory that is meant, and its journal.
pub fn journal_of(data_dir: Option<&Path>) -> Result<(PathBuf, PathBuf), Failure> {
    let dir = match data_dir {
        Some(dir) => dir.to_owned(),
        None => the_only_data_dir()?,
    };
    let journal = DataDir::look_at(&dir).journal();
    if !journal.is_dir() {
        let text = format!("there is no journal in {}; name the data directory of a run", dir.display());
        return Err(Failure::Usage(text));
    }
    Ok((dir, journal))
}

/// The data directory that is meant when none is named and there is one alone.
fn the_only_data_dir() -> Result<PathBuf, Failure> {
    let parent = DataDir::default_parent().map_err(|error| Failure::Usage(error.to_string()))?;
    let found = match std::fs::read_dir(&parent) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut dirs: Vec<_> = found.into_iter().map(|entry| entry.path()).collect();
    dirs.retain(|dir| DataDir::look_at(dir).journal().is_dir());
    dirs.sort();
    match dirs.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            Err(Failure::Usage(format!("no run has left data in {}; give --data-dir DIR", parent.display())))
        }
        several => {
            let names: Vec<_> = several.iter().map(|dir| format!("\n  {}", dir.display())).collect();
            Err(Failure::Usage(format!("which journal? give its --data-dir DIR:{}", names.concat())))
        }
    }
}
