//! The files of a journal directory: their names, their order, `HEAD`, and what a crash left of a last line.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::anchor::Anchor;
use super::line;
use super::reader::{ReadError, Torn, io_error};
use crate::domain::Seq;
use crate::store::durable_file;

/// Number of a segment; the first is 1. A gap is a segment that is lost, or one that `HEAD` had named and that never came
/// to be.
pub type SegmentNo = u32;

/// Longest first line that is looked at when a segment is chosen: a state record of a large account fits.
const FIRST_LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// File names have eight digits: a file with a higher number is not ours.
pub(in crate::store) const SEGMENT_MAX: SegmentNo = 99_999_999;

/// What follows the name of a segment in that of a torn line of it; the number of the record before it comes after.
const TORN: &str = ".torn-";

/// Few lines are longer: read at first to find the beginning of one, bytes.
const LINE_BYTES: u64 = 16 * 1024;

/// `00000001.log`.
pub(in crate::store) fn file_name(segment: SegmentNo) -> String {
    format!("{segment:08}.log")
}

/// The segments there are, in order. A directory that does not exist holds none.
pub(in crate::store) fn list(journal: &Path) -> Result<Vec<SegmentNo>, ReadError> {
    let mut found = Vec::new();
    for name in file_names(journal).map_err(|error| io_error(journal, error))? {
        let number = name.strip_suffix(".log").and_then(|stem| stem.parse().ok());
        found.extend(number.filter(|&number| number <= SEGMENT_MAX && name == file_name(number)));
    }
    found.sort_unstable();
    Ok(found)
}

/// What stands in a directory, in no order; nothing in one that does not exist. A name that is no text is none of ours.
fn file_names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
    names.filter_map(Result::transpose).collect()
}

/// How a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Head {
    /// Number of its first record.
    pub first: Seq,
    /// That record holds the whole state.
    pub is_state: bool,
}

/// How a segment begins; none if it has no whole line, or its first one is damaged.
pub(in crate::store) fn read_head(journal: &Path, segment: SegmentNo) -> Result<Option<Head>, ReadError> {
    let path = journal.join(file_name(segment));
    let mut first_line = Vec::new();
    let read = std::fs::File::open(&path).and_then(|file| {
        BufReader::new(io::Read::take(file, FIRST_LINE_BYTES_MAX)).read_until(b'\n', &mut first_line)
    });
    read.map_err(|error| io_error(&path, error))?;
    let whole = first_line.strip_suffix(b"\n");
    Ok(whole.and_then(line::peek).map(|(first, is_state)| Head { first, is_state }))
}

/// The line, without its newline, that ends at byte `end` of a segment.
pub(in crate::store) fn line_before(journal: &Path, segment: SegmentNo, end: u64) -> io::Result<Vec<u8>> {
    let file = std::fs::File::open(journal.join(file_name(segment)))?;
    let mut step = LINE_BYTES;
    loop {
        let from = end.saturating_sub(step);
        let mut bytes = vec![0; usize::try_from(end - from).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, from)?;
        if bytes.pop() != Some(b'\n') {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no line ends there"));
        }
        match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(before) => return Ok(bytes.split_off(before + 1)),
            None if from == 0 => return Ok(bytes),
            None => step *= 8,
        }
    }
}

/// What `journal/HEAD` holds: how far the journal was when a segment was last sealed, or a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct HeadFile {
    /// The segment of the next record: the newest there can be.
    pub segment: SegmentNo,
    /// The last record.
    #[serde(flatten)]
    pub anchor: Anchor,
}

impl HeadFile {
    fn read(text: &[u8]) -> Result<Self, String> {
        let head_file: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let is_possible = head_file.segment <= SEGMENT_MAX && head_file.anchor.is_possible();
        if is_possible { Ok(head_file) } else { Err("it names a record that cannot be".to_owned()) }
    }
}

fn head_path(journal: &Path) -> PathBuf {
    journal.join("HEAD")
}

/// Writes it whole or not at all; durable when it returns, if `durable`.
pub(super) fn write_head_file(
    journal: &Path,
    segment: SegmentNo,
    anchor: Anchor,
    durable: bool,
) -> io::Result<()> {
    let mut text = serde_json::to_vec(&HeadFile { segment, anchor })?;
    text.push(b'\n');
    let write = if durable { durable_file::replace } else { durable_file::swap };
    write(&head_path(journal), &text)
}

/// What `journal/HEAD` says; none if none was written yet. The inner error says why it is unreadable.
pub(in crate::store) fn read_head_file(journal: &Path) -> io::Result<Result<Option<HeadFile>, String>> {
    match std::fs::read(head_path(journal)) {
        Ok(text) => Ok(HeadFile::read(&text).map(Some)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ok(None)),
        Err(error) => Err(error),
    }
}

/// Moves a torn line into a file beside its segment, which names the record before it. The copy is durable before the
/// segment is cut.
pub(in crate::store) fn set_torn_aside(journal: &Path, piece: &Torn) -> io::Result<()> {
    let path = journal.join(file_name(piece.segment));
    let bytes = std::fs::read(&path)?;
    let torn = usize::try_from(piece.whole_len).ok().and_then(|len| bytes.get(len..)).unwrap_or_default();
    let mut aside = durable_file::with_suffix(&path, &format!("{TORN}{}", piece.after.seq.0));
    if aside.exists() {
        aside = durable_file::first_free(&aside)?;
    }
    let mut copy = OpenOptions::new().write(true).create_new(true).open(&aside)?;
    copy.write_all(torn)?;
    copy.sync_all()?;
    durable_file::sync_directory(journal)?;
    let file = OpenOptions::new().write(true).open(&path)?;
    file.set_len(piece.whole_len)?;
    file.sync_all()
}

/// The torn lines that were set aside: the record that each stood after, and its file name.
pub(in crate::store) fn list_torn(journal: &Path) -> Result<Vec<(Seq, String)>, ReadError> {
    let mut found = Vec::new();
    for name in file_names(journal).map_err(|error| io_error(journal, error))? {
        let after = name.split_once(TORN).and_then(|(_, rest)| rest.split('-').next()?.parse().ok());
        found.extend(after.map(|after| (Seq(after), name)));
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_segment_names_are_listed_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "00000010.log",
            "00000002.log",
            "2.log",
            "99999999.log",
            "100000000.log",
            "4294967295.log",
            "00000002.log.torn-7",
            "HEAD",
            "x.log",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(list(dir.path()).unwrap(), [2, 10, SEGMENT_MAX]);
    }

    #[test]
    fn the_line_that_ends_at_a_place_is_found_however_long_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let long = "x".repeat(40_000);
        std::fs::write(dir.path().join(file_name(1)), format!("{long}\nlast\n")).unwrap();
        assert_eq!(line_before(dir.path(), 1, 40_001).unwrap(), long.as_bytes());
        assert_eq!(line_before(dir.path(), 1, 40_006).unwrap(), b"last");
        assert!(line_before(dir.path(), 1, 40_003).is_err(), "no line ends in the middle of one");
        assert!(line_before(dir.path(), 1, 40_007).is_err(), "the file is shorter");
    }

    #[test]
    fn a_head_file_says_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_head_file(dir.path()).unwrap(), Ok(None));
        let anchor = Anchor { seq: Seq(7), hash: super::super::Hash::of(b"x") };
        write_head_file(dir.path(), 3, anchor, true).unwrap();
        assert_eq!(read_head_file(dir.path()).unwrap(), Ok(Some(HeadFile { segment: 3, anchor })));
        let endless = Anchor { seq: Seq(u64::MAX), ..anchor };
        for (segment, anchor) in [(3, endless), (SegmentNo::MAX, anchor)] {
            write_head_file(dir.path(), segment, anchor, true).unwrap();
            assert!(read_head_file(dir.path()).unwrap().is_err(), "nothing goes on from there");
        }
    }
}
