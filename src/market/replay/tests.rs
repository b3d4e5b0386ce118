use std::io::Write as _;
use std::path::Path;

use proptest::prelude::*;
use rstest::rstest;
use rust_decimal::Decimal;

use super::*;
use crate::config::Config;
use crate::market::SimulatedFeed;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

const BTC: &str = "1640995200,10,12,9,11,5,1\n1640995260,11,13,10,12,5,2\n1640995320,12,12,12,12,0,0\n";

/// Quiet up to an hour, gaps up to a year.
fn terms() -> Market {
    let usual = Config::defaults().unwrap().orchestration.market;
    Market { quiet_max: HOUR, gap_max: 366 * DAY, ..usual }
}

/// Opens files of these texts. Their directory is gone afterwards, and is left out of what is said of them.
fn open(files: &[(&str, &str)]) -> Result<ReplayFeed, String> {
    let place = tempfile::tempdir().unwrap();
    let written: Vec<String> = files.iter().map(|(spec, text)| write(place.path(), spec, text)).collect();
    let prefix = format!("{}/", place.path().display());
    ReplayFeed::open(&written, &terms()).map_err(|error| error.to_string().replace(&prefix, ""))
}

/// Writes the file of a spec below `place`, and gives the spec of it there.
fn write(place: &Path, spec: &str, text: &str) -> String {
    let file = place.join(ReplayFeed::file_of(spec));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, text).unwrap();
    let symbol = spec.strip_suffix(ReplayFeed::file_of(spec)).unwrap();
    format!("{symbol}{}", file.display())
}

/// Rows at these minutes, at prices that are the numbers of the rows.
fn rows(minutes: impl IntoIterator<Item = i64>) -> String {
    let row = |(n, minute): (usize, i64)| format!("{},{n},{n},{n},{n},5,1\n", 1_640_995_200 + 60 * minute);
    minutes.into_iter().enumerate().map(|(n, minute)| row((n + 1, minute))).collect()
}

fn played(feed: &mut ReplayFeed) -> Vec<String> {
    let mut events = Vec::new();
    while let Some(at) = feed.next_at() {
        let secs = at.millis() / 1_000 - 1_640_995_200;
        events.push(match feed.pop().unwrap() {
            FeedEvent::Candle(candle) if candle.synthetic => {
                assert_eq!(
                    (candle.volume, candle.low, candle.high),
                    (Decimal::ZERO, candle.open, candle.close)
                );
                format!("{secs} {} {} quiet", candle.symbol, candle.close)
            }
            FeedEvent::Candle(candle) => format!("{secs} {} {}", candle.symbol, candle.close),
            FeedEvent::Gap { symbol, from, until } => {
                format!("{secs} {symbol} gap {}", until.since(from).as_secs())
            }
            FeedEvent::Ended => format!("{secs} ended"),
            FeedEvent::Failed(why) => format!("{secs} failed: {why}"),
        });
    }
    assert_eq!(feed.pop(), None);
    events
}

#[test]
fn candles_are_known_when_they_close_and_the_end_comes_once() {
    let mut feed = open(&[("BTCUSDT_1.csv", BTC)]).unwrap();
    assert_eq!((feed.label(), feed.interval().as_secs()), ("REPLAY", 60));
    assert_eq!(feed.start_at(), Timestamp::from_secs(1_640_995_200));
    assert!(feed.warm_up().is_empty(), "a replay trades from its first row");
    assert_eq!(played(&mut feed), ["60 BTC/USDT 11", "120 BTC/USDT 12", "180 BTC/USDT 12", "180 ended"]);
}

#[test]
fn files_are_merged_by_time_and_at_one_instant_in_their_order() {
    let late = "1640995260,1,1,1,1,5,1\n1640995320,2,2,2,2,5,2\n";
    let mut feed = open(&[("XRPUSDT_1.csv", late), ("BTCUSDT_1.csv", BTC)]).unwrap();
    assert_eq!(
        played(&mut feed),
        [
            "60 BTC/USDT 11",
            "120 XRP/USDT 1",
            "120 BTC/USDT 12",
            "180 XRP/USDT 2",
            "180 BTC/USDT 12",
            "180 ended"
        ]
    );
}

#[test]
fn minutes_without_a_row_are_played_as_flat_candles_that_say_so() {
    let mut feed = open(&[("BTCUSDT_1.csv", &rows([0, 3, 4]))]).unwrap();
    assert_eq!(
        played(&mut feed),
        [
            "60 BTC/USDT 1",
            "120 BTC/USDT 1 quiet",
            "180 BTC/USDT 1 quiet",
            "240 BTC/USDT 2",
            "300 BTC/USDT 3",
            "300 ended"
        ]
    );
}

#[test]
fn a_hole_longer_than_a_quiet_market_is_a_gap_before_the_candle_behind_it() {
    let quiet = played(&mut open(&[("BTCUSDT_1.csv", &rows([0, 60]))]).unwrap());
    assert_eq!((quiet.len(), quiet[59].as_str()), (62, "3600 BTC/USDT 1 quiet"));
    let mut feed = open(&[("BTCUSDT_1.csv", &rows([0, 61]))]).unwrap();
    assert_eq!(
        played(&mut feed),
        ["60 BTC/USDT 1", "3720 BTC/USDT gap 3600", "3720 BTC/USDT 2", "3720 ended"]
    );
}

#[test]
fn one_idle_candle_is_quiet_however_long_candles_are() {
    let daily = |days: [i64; 3]| rows(days.map(|day| day * 1_440));
    let events = played(&mut open(&[("BTCUSDT_1440.csv", &daily([0, 1, 3]))]).unwrap());
    assert_eq!(events[2], "259200 BTC/USDT 2 quiet");
    let events = played(&mut open(&[("BTCUSDT_1440.csv", &daily([0, 1, 4]))]).unwrap());
    assert_eq!(events[2], "432000 BTC/USDT gap 172800");
}

#[test]
fn a_file_that_begins_later_has_neither_candles_nor_a_gap_before() {
    let mut feed = open(&[("BTCUSDT_1.csv", &rows(0..3)), ("XRPUSDT_1.csv", &rows([2]))]).unwrap();
    let [btc, xrp] = ["BTC/USDT", "XRP/USDT"].map(|text| Symbol::new(text).unwrap());
    assert_eq!(feed.listed_at(&btc), Some(feed.start_at()));
    assert_eq!(feed.listed_at(&xrp), Some(Timestamp::from_secs(1_640_995_320)));
    assert_eq!(
        played(&mut feed),
        ["60 BTC/USDT 1", "120 BTC/USDT 2", "180 BTC/USDT 3", "180 XRP/USDT 1", "180 ended"]
    );
}

#[test]
fn a_gap_longer_than_any_run_is_refused_with_its_line_and_the_limit() {
    let century = 100 * 366 * 1_440;
    let error = open(&[("BTCUSDT_1.csv", &rows([0, 1, century]))]).unwrap_err();
    assert!(
        error.starts_with("BTCUSDT_1.csv:3: 36599d") && error.contains("market.gap_max (366d"),
        "{error}"
    );
    let apart = open(&[("BTCUSDT_1.csv", &rows([0, 1])), ("XRPUSDT_1.csv", &rows([century]))]).unwrap_err();
    assert!(apart.starts_with("XRPUSDT_1.csv begins") && apart.contains("market.gap_max"), "{apart}");
}

#[test]
fn a_restarted_replay_continues_behind_its_last_record() {
    let mut feed = open(&[("BTCUSDT_1.csv", BTC)]).unwrap();
    feed.skip_until(Timestamp::from_secs(1_640_995_260 + 60));
    assert_eq!(feed.warm_up().len(), 2);
    assert_eq!(played(&mut feed), ["180 BTC/USDT 12", "180 ended"]);
}

#[test]
fn a_replay_restarted_in_a_quiet_market_goes_on_as_if_it_had_not_been() {
    let text = rows([0, 4, 9]);
    let whole = played(&mut open(&[("BTCUSDT_1.csv", &text)]).unwrap());
    for minutes in 0..10 {
        let mut feed = open(&[("BTCUSDT_1.csv", &text)]).unwrap();
        feed.skip_until(Timestamp::from_secs(1_640_995_200 + 60 * minutes));
        let skipped = feed.warm_up().len();
        assert_eq!(skipped, usize::try_from(minutes).unwrap());
        assert_eq!(played(&mut feed), whole[skipped..]);
    }
}

#[test]
fn the_identity_is_that_of_the_data_and_not_of_its_place() {
    let here = open(&[("a/BTCUSDT_1.csv", BTC)]).unwrap().identity();
    assert_eq!(here, open(&[("BTC/USDT=b/any.csv", BTC)]).unwrap().identity());
    assert_ne!(here, open(&[("LTC/USDT=b/any.csv", BTC)]).unwrap().identity());
    assert_ne!(here, open(&[("a/BTCUSDT_1.csv", &BTC[..BTC.len() - 1])]).unwrap().identity());
    assert!(here.starts_with("replay:") && here.len() == 39);
}

#[rstest]
#[case("1640995200,1,1,1,1,5", "BTCUSDT_1.csv:1: 6 columns instead of 7")]
#[case("time,open,high,low,close,volume,trades", "BTCUSDT_1.csv:1: time is not a number: `time`")]
#[case(
    "1640995200000,1,1,1,1,5,1",
    "BTCUSDT_1.csv:1: time 1640995200000 is in milliseconds, not in seconds: divide the times by 1,000."
)]
#[case(
    "1640995200000000,1,1,1,1,5,1",
    "BTCUSDT_1.csv:1: time 1640995200000000 is in microseconds, not in seconds: divide the times by 1,000,000."
)]
#[case(
    "1640995200000000000,1,1,1,1,5,1",
    "BTCUSDT_1.csv:1: time 1640995200000000000 is in nanoseconds, not in seconds: divide the times by 1,000,000,000."
)]
#[case("-9223372036854775808,1,1,1,1,5,1", "BTCUSDT_1.csv:1: time -9223372036854775808 is not in unix")]
#[case("20220101,1,1,1,1,5,1", "BTCUSDT_1.csv:1: time 20220101 is not in unix seconds (1971 to 2200)")]
#[case("1640995200.5,1,1,1,1,5,1", "BTCUSDT_1.csv:1: time is not a whole number: `1640995200.5`")]
#[case("1640995200,1,1,1,1,5,1.5", "BTCUSDT_1.csv:1: trades is not a whole number: `1.5`")]
#[case("1640995200,1,1,1,1,5,1.x", "BTCUSDT_1.csv:1: trades is not a number: `1.x`")]
#[case("1640995200,1,1,1,1,5,.0", "BTCUSDT_1.csv:1: trades is not a number: `.0`")]
#[case("1640995200,1,x,1,1,5,1", "BTCUSDT_1.csv:1: high is not a number: `x`")]
#[case("1640995200,1,NaN,1,1,5,1", "BTCUSDT_1.csv:1: high is not a number")]
#[case("1640995200,1,1,1,1,5,-1", "BTCUSDT_1.csv:1: trades is not a number")]
#[case("1640995200,1,1,2,1,5,1", "BTCUSDT_1.csv:1: high 1 and low 2 do not enclose")]
#[case("1640995200,1,2,0,1,5,1", "BTCUSDT_1.csv:1: price 0 is not positive")]
#[case("1640995200,1,1,1,1,-5,1", "BTCUSDT_1.csv:1: volume -5 is negative")]
#[case("1640995260,1,1,1,1,5,1\n1640995200,1,1,1,1,5,1", "BTCUSDT_1.csv:2: time 1640995200 is not after")]
#[case("1640995200,1,1,1,1,5,1\n1640995200,1,1,1,1,5,1", "BTCUSDT_1.csv:2: time 1640995200 is not after")]
#[case(
    "1640995200,1,1,1,1,5,1\n1640995231,1,1,1,1,5,1\n",
    "BTCUSDT_1.csv:2: time 1640995231 is not a multiple of"
)]
#[case("1640995200,1,1,1,1,5,1\n\n1640995260,1,1,1,1,5,1\n", "BTCUSDT_1.csv:2: 1 columns")]
#[case("\n", "BTCUSDT_1.csv: no rows")]
fn a_bad_file_is_refused_with_line_and_reason(#[case] text: &str, #[case] expected: &str) {
    let error = open(&[("BTCUSDT_1.csv", text)]).unwrap_err();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
    let error = open(&[("BTCUSDT_1.csv", &format!("{BTC}{}", "1".repeat(5_000)))]).unwrap_err();
    assert!(error.starts_with("BTCUSDT_1.csv:4: the line is longer than 1000 bytes"), "{error}");
}

#[rstest]
#[case::of_pandas("1640995200.0,1,1,1,1,5.0,1.0\n1640995260.0,8e-01,1.0,8E-1,1,0.0,30.00\n")]
#[case::byte_order_mark("\u{feff}1640995200,1,1,1,1,5,1\n1640995260,0.8,1,0.8,1,0,30\n")]
#[case::windows("1640995200,1,1,1,1,5,1\r\n1640995260,0.8,1,0.8,1,0,30\r\n\r\n")]
fn numbers_and_lines_are_read_as_others_write_them(#[case] text: &str) {
    let mut feed = open(&[("BTCUSDT_1.csv", text)]).unwrap();
    assert_eq!(played(&mut feed), ["60 BTC/USDT 1", "120 BTC/USDT 1", "120 ended"]);
}

#[rstest]
#[case::five_minutes_called_one(
    "BTCUSDT_1.csv",
    5,
    72,
    "its name says candles of 1 min, but the rows are usually 5 min apart"
)]
#[case::one_minute_called_five(
    "BTCUSDT_5.csv",
    1,
    72,
    "its name says candles of 5 min, but the rows are usually 1 min apart"
)]
#[case::days_called_hours(
    "BTCUSDT_60.csv",
    1_440,
    10,
    "its name says candles of 60 min, but the rows are usually 1440 min apart"
)]
fn rows_that_are_spaced_otherwise_than_the_name_says_are_refused_with_both(
    #[case] spec: &str,
    #[case] every: i64,
    #[case] count: i64,
    #[case] said: &str,
) {
    let error = open(&[(spec, &rows((0..count).map(|n| n * every)))]).unwrap_err();
    assert!(error.contains(said), "{error}");
}

#[test]
fn a_thin_market_is_told_from_one_of_longer_candles() {
    // Of five-minute candles in which often nobody traded every distance is a multiple of five.
    let thin = |unit: i64| (0..60).filter(|n| n % 7 != 0 && n % 3 != 1 && n % 10 < 8).map(move |n| n * unit);
    let error = open(&[("BTCUSDT_1.csv", &rows(thin(5)))]).unwrap_err();
    assert!(error.contains("usually 5 min apart"), "{error}");
    assert_eq!(open(&[("BTCUSDT_1.csv", &rows(thin(1)))]).unwrap().interval().as_secs(), 60);
    assert_eq!(open(&[("BTCUSDT_5.csv", &rows(thin(5)))]).unwrap().interval().as_secs(), 300);
    let one_stray = (0..40).map(|n| n * 5).chain([196]);
    let error = open(&[("BTC/USDT=any.csv", &rows(one_stray))]).unwrap_err();
    assert!(error.contains("the shortest distance of two rows says candles of 1 min"), "{error}");
}

#[test]
fn a_row_beside_the_grid_of_the_named_interval_is_refused() {
    let error = open(&[("BTCUSDT_5.csv", BTC)]).unwrap_err();
    assert!(error.contains("BTCUSDT_5.csv:2: time 1640995260 is not a multiple of the interval of 300 s"));
}

#[test]
fn without_a_named_interval_the_spacing_of_the_rows_is_it() {
    let spaced = "1640995200,1,1,1,1,5,1\n1640995800,1,1,1,1,5,1\n1640996100,1,1,1,1,5,1\n";
    assert_eq!(open(&[("BTC/USDT=m.csv", spaced)]).unwrap().interval().as_secs(), 300);
    let uneven = "1640995200,1,1,1,1,5,1\n1640995231,1,1,1,1,5,1\n";
    let error = open(&[("BTC/USDT=m.csv", uneven)]).unwrap_err();
    assert!(
        error.starts_with("m.csv:1: time 1640995200 is not a multiple of the interval of 31 s"),
        "{error}"
    );
    let one = open(&[("BTC/USDT=m.csv", "1640995200,1,1,1,1,5,1")]).unwrap_err();
    assert!(one.starts_with("m.csv: one row does not say how long"), "{one}");
}

#[test]
fn files_that_do_not_go_together_are_refused() {
    let five = "1640995200,1,1,1,1,5,1\n";
    let mixed = open(&[("BTCUSDT_1.csv", BTC), ("LTCUSDT_5.csv", five)]).unwrap_err();
    assert!(mixed.starts_with("LTCUSDT_5.csv has candles of 300 s, BTCUSDT_1.csv of 60 s"), "{mixed}");
    let twice = open(&[("a/BTCUSDT_1.csv", BTC), ("b/BTCUSDT_1.csv", BTC)]).unwrap_err();
    assert!(twice.starts_with("BTC/USDT is in two files, a/BTCUSDT_1.csv and b/BTCUSDT_1.csv"), "{twice}");
    assert!(matches!(ReplayFeed::open::<&str>(&[], &terms()), Err(ReplayError::NoFiles)));
}

#[test]
fn what_was_simulated_and_written_down_replays_the_same() {
    let symbols = ["BTC/USDT", "XRP/USDT", "XRP/BTC"].map(|text| Symbol::new(text).unwrap());
    let mut simulated = SimulatedFeed::new(3, &symbols);
    let lived: Vec<FeedEvent> = (0..3 * 500).filter_map(|_| simulated.pop()).collect();
    let written = symbols.each_ref().map(|symbol| {
        let rows = lived.iter().filter_map(|event| match event {
            FeedEvent::Candle(c) if c.symbol == *symbol => {
                let secs = c.open_time.millis() / 1_000;
                Some(format!("{secs},{},{},{},{},{},0\n", c.open, c.high, c.low, c.close, c.volume))
            }
            FeedEvent::Candle(_) | FeedEvent::Gap { .. } | FeedEvent::Ended | FeedEvent::Failed(_) => None,
        });
        (format!("{symbol}={}{}.csv", symbol.base(), symbol.quote()), rows.collect::<String>())
    });
    let mut replay = open(&written.each_ref().map(|(spec, text)| (spec.as_str(), text.as_str()))).unwrap();
    let replayed: Vec<FeedEvent> = (0..lived.len()).filter_map(|_| replay.pop()).collect();
    assert_eq!(replayed, lived);
    assert_eq!(replay.pop(), Some(FeedEvent::Ended));
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_line() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("BTCUSDT_1.csv");
    std::fs::write(&file, [BTC.as_bytes(), b"16409953\xff0,1,1,1,1,5,1\n"].concat()).unwrap();
    let error = ReplayFeed::open(&[file.to_string_lossy()], &terms()).unwrap_err().to_string();
    assert!(error.contains("BTCUSDT_1.csv:4: not UTF-8 text"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = ReplayFeed::open(&["no/such/BTCUSDT_1.csv"], &terms()).unwrap_err().to_string();
    assert!(error.starts_with("no/such/BTCUSDT_1.csv:"), "{error}");
}

#[test]
fn a_file_that_has_grown_is_known_again_and_one_that_was_rewritten_is_not() {
    let place = tempfile::tempdir().unwrap();
    let reopened = |text: &str| {
        let spec = write(place.path(), "BTCUSDT_1.csv", text);
        ReplayFeed::open(&[spec], &terms()).unwrap()
    };
    let before = reopened(BTC).extents();
    let since = |text: &str| reopened(text).since(&before).unwrap();

    let (grown, changed) = (format!("{BTC}1640995380,13,13,13,13,5,1\n"), BTC.replace(",11,13,", ",11,14,"));
    assert_eq!((since(BTC), since(&grown)), (Since::Grown, Since::Grown));
    assert_eq!(since(&changed), Since::Rewritten);
    assert_eq!(since(&BTC[..BTC.len() - 1]), Since::Rewritten);

    let open_end = reopened(&BTC[..BTC.len() - 1]).extents();
    assert_eq!(reopened(&grown).since(&open_end).unwrap(), Since::Grown);
    let longer_last_row = format!("{}7\n", &BTC[..BTC.len() - 1]);
    assert_eq!(reopened(&longer_last_row).since(&open_end).unwrap(), Since::Rewritten);

    let other = write(place.path(), "LTCUSDT_1.csv", BTC);
    assert_eq!(ReplayFeed::open(&[other], &terms()).unwrap().since(&before).unwrap(), Since::Others);
}

#[test]
fn rows_that_are_appended_while_a_file_is_played_are_not_played_and_missing_ones_are_a_fault() {
    let place = tempfile::tempdir().unwrap();
    let text = rows(0..2_000);
    let spec = write(place.path(), "BTCUSDT_1.csv", &text);
    let file = || std::fs::File::options().append(true).open(&spec).unwrap();

    let mut feed = ReplayFeed::open(&[&spec], &terms()).unwrap();
    file().write_all(rows([3_000]).as_bytes()).unwrap();
    assert_eq!(played(&mut feed).len(), 2_001);

    let mut feed = ReplayFeed::open(&[&spec], &terms()).unwrap();
    file().set_len(text.len() as u64 / 2).unwrap();
    let events = played(&mut feed);
    let last = events.last().unwrap();
    assert!(events.len() < 1_500 && last.contains("failed: ") && last.contains("BTCUSDT_1.csv"), "{last}");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_what_it_accepts_is_in_order(text in "([0-9]{0,12},?|[-.,\n]){0,60}") {
        for spec in ["BTCUSDT_1.csv", "BTC/USDT=any.csv"] {
            if let Ok(mut feed) = open(&[(spec, &text)]) {
                let mut before = feed.start_at();
                while let Some(at) = feed.next_at() {
                    prop_assert!(at >= before && feed.pop().is_some());
                    before = at;
                }
            }
        }
    }
}
