//! What the paper venue remembers over a restart.

use std::fs;
use std::path::{Path, PathBuf};

use andon::domain::{FillRole, Side, TradeId, VenueReject};
use andon::venue::{LogError, PaperBook, PaperVenue, Venue};

use crate::bench::*;

fn log_in(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("venue.log")
}

fn open(path: &Path) -> PaperVenue {
    PaperVenue::open(terms(), path, true).unwrap()
}

/// A log of one book line and one line for each of four operations, and the book after them.
fn written(path: &Path) -> PaperBook {
    let mut venue = open(path);
    venue.on_candle(&candle(0, [100, 100, 100, 100])).unwrap();
    submit(&mut venue, at(60), &entry(1, "2", "100"));
    submit(&mut venue, at(61), &leg(0, Side::Buy, "1", limit("95")));
    submit(&mut venue, at(61), &leg(1, Side::Buy, "1", limit("50")));
    venue.cancel(id("leg/1/0")).unwrap();
    venue.book().clone()
}

#[test]
fn replaying_the_log_gives_an_equal_book() {
    let directory = tempfile::tempdir().unwrap();
    let book = written(&log_in(&directory));
    assert_eq!(fs::read_to_string(log_in(&directory)).unwrap().lines().count(), 5);
    assert_eq!(open(&log_in(&directory)).book(), &book);
}

#[test]
fn opening_begins_the_log_anew_with_the_book_alone() {
    let directory = tempfile::tempdir().unwrap();
    let book = written(&log_in(&directory));
    drop(open(&log_in(&directory)));
    assert_eq!(fs::read_to_string(log_in(&directory)).unwrap().lines().count(), 1);
    assert_eq!(open(&log_in(&directory)).book(), &book);
}

#[test]
fn an_order_of_before_the_restart_is_known_and_not_executed_again() {
    let directory = tempfile::tempdir().unwrap();
    written(&log_in(&directory));
    let mut venue = open(&log_in(&directory));
    submit(&mut venue, at(200), &entry(1, "2", "100"));
    assert_eq!(venue.fills_since(TradeId(0)).unwrap().len(), 1);
    assert_fill(&venue.on_candle(&candle(4, [100, 100, 89, 95])).unwrap(), FillRole::Stop, "2", "89.91");
}

#[test]
fn no_price_of_before_the_restart_is_fresh() {
    let directory = tempfile::tempdir().unwrap();
    written(&log_in(&directory));
    let events = submit(&mut open(&log_in(&directory)), at(62), &leg(9, Side::Buy, "1", market()));
    assert_eq!(rejected(&events), VenueReject::NoFreshPrice);
}

#[test]
fn a_log_cut_anywhere_after_its_first_line_gives_the_book_of_whole_operations() {
    let directory = tempfile::tempdir().unwrap();
    let path = log_in(&directory);
    written(&path);
    let bytes = fs::read(&path).unwrap();
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let books: Vec<_> = (1..=lines.len())
        .map(|whole| {
            fs::write(&path, lines[..whole].concat()).unwrap();
            PaperVenue::open(terms(), &path, false).unwrap().book().clone()
        })
        .collect();
    for cut in lines[0].len()..bytes.len() {
        let whole = bytes[..cut].split(|byte| *byte == b'\n').count() - 1;
        fs::write(&path, &bytes[..cut]).unwrap();
        let venue = PaperVenue::open(terms(), &path, false).unwrap();
        assert_eq!(venue.book(), &books[whole - 1], "cut at {cut}");
    }
}

#[test]
fn a_damaged_line_is_named_and_the_log_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = log_in(&directory);
    written(&path);
    let damaged = fs::read_to_string(&path).unwrap().replacen("\"accepted\"", "\"acceptes\"", 1);
    fs::write(&path, &damaged).unwrap();
    let error = PaperVenue::open(terms(), &path, true).unwrap_err();
    assert!(matches!(error, LogError::Damaged { line: 2, .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
}

#[test]
fn a_log_without_its_book_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = log_in(&directory);
    fs::write(&path, "").unwrap();
    assert!(matches!(PaperVenue::open(terms(), &path, true), Err(LogError::Headless { .. })));
}
