//! What the operator wrote is read up to a limit: size first, then depth, because the reader of YAML takes minutes for
//! brackets within brackets that nobody means.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use thiserror::Error;

/// Most bytes of a file that a person writes for this program. The defaults together have a tenth of it.
pub const FILE_BYTES_MAX: u64 = 128 * 1_024;
/// Most maps and lists within each other that are open at one place of a text.
pub const NESTING_MAX: usize = 64;

/// Why a text is not read.
#[derive(Debug, Error)]
pub enum Unbounded {
    /// The operating system refuses it.
    #[error("cannot read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is too long.
    #[error("more than {} KiB, the most that is read; take out what does not belong here", FILE_BYTES_MAX / 1_024)]
    TooLong,
    /// It is not text.
    #[error("not UTF-8 text, from byte {at} on; save it as UTF-8")]
    NotText {
        /// First byte that is not, from 0.
        at: usize,
    },
}

/// The text of a file.
///
/// # Errors
/// See [`Unbounded`].
pub fn read(path: &Path) -> Result<String, Unbounded> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Unbounded::TooLong);
    }
    String::from_utf8(bytes).map_err(|error| Unbounded::NotText { at: error.utf8_error().valid_up_to() })
}

/// Line and column, from 1, of the first bracket that opens more than [`NESTING_MAX`] of them within each other. Lines
/// of comment do not count.
pub fn too_deep(yaml: &str) -> Option<(usize, usize)> {
    let mut open = 0_usize;
    for (index, line) in yaml.lines().enumerate() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        for (column, c) in line.chars().enumerate() {
            match c {
                '[' | '{' => open += 1,
                ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > NESTING_MAX {
                return Some((index + 1, column + 1));
            }
        }
    }
    None
}

/// What is said of a text that [`too_deep`] refuses.
pub fn too_deep_text() -> String {
    format!("more than {NESTING_MAX} brackets open within each other; close them, or write fewer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_within_brackets_are_counted_and_those_side_by_side_are_not() {
        let deep = |depth: usize| format!("a: 1\nb: {}{}\n", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(too_deep(&deep(NESTING_MAX)), None);
        assert_eq!(too_deep(&deep(NESTING_MAX + 1)), Some((2, 3 + NESTING_MAX + 1)));
        assert_eq!(too_deep(&"- [{}]\n".repeat(1_000)), None);
        assert_eq!(too_deep(&format!("  # {}", "[".repeat(1_000))), None);
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.yaml");
        let max = usize::try_from(FILE_BYTES_MAX).unwrap();
        std::fs::write(&path, "x".repeat(max)).unwrap();
        assert_eq!(read(&path).unwrap().len(), max);
        std::fs::write(&path, "x".repeat(max + 1)).unwrap();
        assert!(matches!(read(&path), Err(Unbounded::TooLong)));
        std::fs::write(&path, b"a: \xff").unwrap();
        assert!(matches!(read(&path), Err(Unbounded::NotText { at: 3 })));
        assert!(matches!(read(Path::new("/dev/zero")), Err(Unbounded::TooLong)));
    }
}
