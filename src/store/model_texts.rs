//! What models were asked and what they wrote, word for word: one JSON object a line in `models.log`, named by the
//! digest that the journal holds. It is there to be read by people; no run reads it back, and losing it loses no fact.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use serde::{Deserialize, Serialize};

use super::DataDir;

/// One text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelText {
    /// BLAKE3 of the text in hex.
    pub digest: String,
    /// The text, as it went out or came in.
    pub text: String,
}

/// Adds texts at the end of the file, in one write.
///
/// # Errors
/// The operating system's answer; the texts are then not kept.
pub fn keep_model_texts<'t>(dir: &DataDir, texts: impl IntoIterator<Item = &'t str>) -> io::Result<()> {
    /// Only the owner may read what was asked.
    const MODE: u32 = 0o600;
    let mut lines = Vec::new();
    for text in texts {
        let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
        serde_json::to_writer(&mut lines, &ModelText { digest, text: text.to_owned() })?;
        lines.push(b'\n');
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(MODE).open(dir.model_texts())?;
    file.write_all(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_in_order_and_found_by_their_digest() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&place.path().join("data")).unwrap();
        keep_model_texts(&dir, ["what now?", "wait\n\u{1b}[31m"]).unwrap();
        keep_model_texts(&dir, ["and now?"]).unwrap();

        let written = std::fs::read_to_string(dir.model_texts()).unwrap();
        let read: Vec<ModelText> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let texts: Vec<_> = read.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(texts, ["what now?", "wait\n\u{1b}[31m", "and now?"]);
        assert!(read.iter().all(|it| it.digest == blake3::hash(it.text.as_bytes()).to_hex().as_str()));
    }
}
