//! Orders that went out while the journal could not be written: one JSON line each, in a file beside the HALT latch. The
//! next start reads them back and asks the venue what became of them.
//!
//! A line is on the disk before its order is handed over, so a line that a crash cut off names nothing that went out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::durable_file;
use crate::domain::Order;

/// Size of the armed file, bytes. Its blocks are there already, so some forty orders fit on a full disk.
const ARMED_BYTES: usize = 16 * 1024;
/// Longest file that is read, bytes.
const READ_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What stands beside the latch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Noted {
    /// The orders, oldest first.
    pub orders: Vec<Order>,
    /// Whole lines that cannot be read: orders that only the venue knows.
    pub unreadable: usize,
}

/// The file of one data directory.
#[derive(Debug, Clone)]
pub struct OrderNotes {
    path: PathBuf,
}

impl OrderNotes {
    /// The notes in the directory `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join("halt.orders") }
    }

    /// Makes the file with its space taken, if it is not there.
    ///
    /// # Errors
    /// The operating system's answer; [`OrderNotes::note`] then needs space on the disk.
    pub fn arm(&self) -> io::Result<()> {
        if self.path.exists() {
            return Ok(());
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&self.path)?;
        file.write_all(&[b' '; ARMED_BYTES])?;
        file.sync_all()?;
        durable_file::sync_parent(&self.path)
    }

    /// Everything that was noted.
    ///
    /// # Errors
    /// The operating system's answer, unless there is nothing.
    pub fn read(&self) -> io::Result<Noted> {
        let bytes = match File::open(&self.path) {
            Ok(file) => whole(&file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Noted::default()),
            Err(error) => return Err(error),
        };
        let mut noted = Noted::default();
        for line in bytes[..end_of_lines(&bytes)].split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
        {
            match serde_json::from_slice(line) {
                Ok(order) => noted.orders.push(order),
                Err(_) => noted.unreadable += 1,
            }
        }
        Ok(noted)
    }

    /// Notes an order that is about to be handed over. It is on the disk when this returns.
    ///
    /// # Errors
    /// The operating system's answer; what was noted before stays.
    pub fn note(&self, order: &Order) -> io::Result<()> {
        let is_new = !self.path.exists();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path)?;
        let end = end_of_lines(&whole(&file)?) as u64;
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        file.write_all_at(&line, end)?;
        file.sync_data()?;
        if is_new { durable_file::sync_parent(&self.path) } else { Ok(()) }
    }

    /// What was noted is in the journal now: the file becomes `halt.orders.adopted-N`, and an empty one is armed. Does
    /// nothing to an empty one.
    ///
    /// # Errors
    /// The operating system's answer; the orders are then adopted once more, which changes nothing.
    pub fn put_away(&self) -> io::Result<()> {
        if self.read()? == Noted::default() {
            return Ok(());
        }
        let adopted = durable_file::first_free(&durable_file::with_suffix(&self.path, ".adopted"))?;
        std::fs::rename(&self.path, adopted)?;
        durable_file::sync_parent(&self.path)?;
        self.arm()
    }
}

fn whole(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where the whole lines end: behind them stand blanks, or a line that was cut off.
fn end_of_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::{ClientOrderId, InstallId, OrderKind, Purpose, Side, Symbol};

    fn order(number: u64) -> Order {
        let purpose = Purpose::Flatten { number };
        Order {
            client_id: ClientOrderId::derive(InstallId::derived("notes"), &purpose.intent()),
            symbol: Symbol::new("BTC/USDT").unwrap(),
            side: Side::Sell,
            quantity: Decimal::ONE,
            kind: OrderKind::Market { bound: None },
            purpose,
            protection: None,
        }
    }

    fn armed() -> (tempfile::TempDir, OrderNotes) {
        let dir = tempfile::tempdir().unwrap();
        let notes = OrderNotes::new(dir.path());
        notes.arm().unwrap();
        (dir, notes)
    }

    #[test]
    fn what_is_noted_is_read_back_in_order_and_needs_no_new_space() {
        let (_dir, notes) = armed();
        for number in 1..=20 {
            notes.note(&order(number)).unwrap();
        }
        let read = OrderNotes::new(notes.path.parent().unwrap()).read().unwrap();
        assert_eq!(read.orders, (1..=20).map(order).collect::<Vec<_>>());
        assert_eq!(notes.path.metadata().unwrap().len(), ARMED_BYTES as u64);
    }

    #[test]
    fn a_line_that_was_cut_off_names_nothing_and_the_next_one_takes_its_place() {
        let (_dir, notes) = armed();
        notes.note(&order(1)).unwrap();
        let mut bytes = std::fs::read(&notes.path).unwrap();
        let end = end_of_lines(&bytes);
        let torn =
            b"{\"client_id\": \"a long line that never came to its end, and never went out to any venue";
        bytes[end..end + torn.len()].copy_from_slice(torn);
        std::fs::write(&notes.path, &bytes).unwrap();
        assert_eq!(notes.read().unwrap(), Noted { orders: vec![order(1)], unreadable: 0 });

        notes.note(&order(2)).unwrap();
        assert_eq!(notes.read().unwrap().orders, [order(1), order(2)]);
    }

    #[test]
    fn a_whole_line_that_cannot_be_read_is_counted_and_costs_no_other() {
        let (_dir, notes) = armed();
        std::fs::write(&notes.path, "not an order\n").unwrap();
        notes.note(&order(1)).unwrap();
        assert_eq!(notes.read().unwrap(), Noted { orders: vec![order(1)], unreadable: 1 });
    }

    #[test]
    fn what_was_put_away_is_kept_and_not_read_again() {
        let (dir, notes) = armed();
        notes.put_away().unwrap();
        notes.note(&order(1)).unwrap();
        notes.put_away().unwrap();
        assert_eq!(notes.read().unwrap(), Noted::default());
        assert!(dir.path().join("halt.orders.adopted-1").exists());
        assert!(!dir.path().join("halt.orders.adopted-2").exists());
    }

    #[test]
    fn notes_are_taken_without_an_armed_file_too() {
        let dir = tempfile::tempdir().unwrap();
        let notes = OrderNotes::new(dir.path());
        assert_eq!(notes.read().unwrap(), Noted::default());
        notes.note(&order(1)).unwrap();
        assert_eq!(notes.read().unwrap().orders, [order(1)]);
    }
    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_not_on_the_disk_does_not_count_as_noted() {
        let dir = tempfile::tempdir().unwrap();
        let notes = OrderNotes::new(dir.path());
        // Takes everything, and cannot be synced.
        std::os::unix::fs::symlink("/dev/null", &notes.path).unwrap();
        assert!(notes.note(&order(1)).is_err());
    }
}
