use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::market::SimulatedFeed;

const BTC: &str = "1640995200,10,12,9,11,5,1\n1640995260,11,13,10,12,5,2\n1640995320,12,12,12,12,0,0\n";

fn open(files: &[(&str, &str)]) -> Result<ReplayFeed, ReplayError> {
    let files: Vec<(Source, String)> =
        files.iter().map(|(spec, text)| (Source::parse(spec).unwrap(), (*text).to_owned())).collect();
    ReplayFeed::of(&files)
}

fn played(feed: &mut ReplayFeed) -> Vec<String> {
    let mut events = Vec::new();
    while let Some(at) = feed.next_at() {
        let secs = at.millis() / 1_000 - 1_640_995_200;
        events.push(match feed.pop().unwrap() {
            FeedEvent::Candle(candle) => format!("{secs} {} {}", candle.symbol, candle.close),
            FeedEvent::Gap { symbol, from, until } => {
                format!("{secs} {symbol} gap {}", until.since(from).as_secs())
            }
            FeedEvent::Ended => format!("{secs} ended"),
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
fn a_hole_is_reported_before_the_candle_behind_it() {
    let text = "1640995200,1,1,1,1,5,1\n1640995500,2,2,2,2,5,2\n";
    let mut feed = open(&[("BTCUSDT_1.csv", text)]).unwrap();
    assert_eq!(played(&mut feed), ["60 BTC/USDT 1", "360 BTC/USDT gap 240", "360 BTC/USDT 2", "360 ended"]);
}

#[test]
fn a_restarted_replay_continues_behind_its_last_record() {
    let mut feed = open(&[("BTCUSDT_1.csv", BTC)]).unwrap();
    feed.skip_until(Timestamp::from_secs(1_640_995_260 + 60));
    assert_eq!(feed.warm_up().len(), 2);
    assert_eq!(played(&mut feed), ["180 BTC/USDT 12", "180 ended"]);
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
#[case("data/BTCUSDT_1.csv", "BTC/USDT", Some(60))]
#[case("XMRBTC_5.csv", "XMR/BTC", Some(300))]
#[case("XBTUSD_60.csv", "BTC/USD", Some(3_600))]
#[case("ETHXBT_1440.csv", "ETH/BTC", Some(86_400))]
#[case("XDGUSDC_1.csv", "DOGE/USDC", Some(60))]
#[case("SOL/EUR=x/y_z.csv", "SOL/EUR", None)]
fn symbol_and_interval_come_from_the_name(
    #[case] spec: &str,
    #[case] symbol: &str,
    #[case] interval: Option<u32>,
) {
    let source = Source::parse(spec).unwrap();
    assert_eq!((source.symbol.as_str(), source.interval_secs), (symbol, interval));
}

#[rstest]
#[case("candles.csv", "no `_MINUTES`")]
#[case("BTCUSDT_x.csv", "`x` is not a number of minutes")]
#[case("BTCUSDT_0.csv", "`0` is not a number of minutes")]
#[case("BTCFOO_1.csv", "does not end in a known quote")]
#[case("btc/usdt=a.csv", "not an asset code")]
fn a_name_that_says_nothing_is_refused_with_the_two_ways_out(#[case] spec: &str, #[case] reason: &str) {
    let error = Source::parse(spec).unwrap_err().to_string();
    assert!(error.contains(reason) && error.contains("BTC/USDT="), "{error}");
}

#[rstest]
#[case("1640995200,1,1,1,1,5", "BTCUSDT_1.csv:1: 6 columns instead of 7")]
#[case("time,open,high,low,close,volume,trades", "BTCUSDT_1.csv:1: time is not a number: `time`")]
#[case("1640995200000,1,1,1,1,5,1", "BTCUSDT_1.csv:1: time 1640995200000 is not in unix seconds")]
#[case("-9223372036854775808,1,1,1,1,5,1", "BTCUSDT_1.csv:1: time -9223372036854775808 is not in unix")]
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
    let error = open(&[("BTCUSDT_1.csv", text)]).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_row_beside_the_grid_of_the_named_interval_is_refused() {
    let error = open(&[("BTCUSDT_5.csv", BTC)]).unwrap_err().to_string();
    assert!(error.contains("BTCUSDT_5.csv:2: time 1640995260 is not a multiple of the interval of 300 s"));
}

#[test]
fn without_a_named_interval_the_spacing_of_the_rows_is_it() {
    let spaced = "1640995200,1,1,1,1,5,1\n1640995800,1,1,1,1,5,1\n1640996100,1,1,1,1,5,1\n";
    assert_eq!(open(&[("BTC/USDT=m.csv", spaced)]).unwrap().interval().as_secs(), 300);
    let uneven = "1640995200,1,1,1,1,5,1\n1640995231,1,1,1,1,5,1\n";
    let error = open(&[("BTC/USDT=m.csv", uneven)]).unwrap_err().to_string();
    assert!(
        error.starts_with("m.csv:1: time 1640995200 is not a multiple of the interval of 31 s"),
        "{error}"
    );
    let one = open(&[("BTC/USDT=m.csv", "1640995200,1,1,1,1,5,1")]).unwrap_err().to_string();
    assert!(one.starts_with("m.csv: one row does not say how long"), "{one}");
}

#[test]
fn files_that_do_not_go_together_are_refused() {
    let five = "1640995200,1,1,1,1,5,1\n";
    let mixed = open(&[("BTCUSDT_1.csv", BTC), ("LTCUSDT_5.csv", five)]).unwrap_err();
    assert!(matches!(mixed, ReplayError::MixedIntervals { interval_secs: 300, other_secs: 60, .. }));
    let twice = open(&[("a/BTCUSDT_1.csv", BTC), ("b/BTCUSDT_1.csv", BTC)]).unwrap_err();
    assert!(matches!(twice, ReplayError::Twice { .. }));
    assert!(matches!(ReplayFeed::open::<&str>(&[]), Err(ReplayError::NoFiles)));
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
            FeedEvent::Candle(_) | FeedEvent::Gap { .. } | FeedEvent::Ended => None,
        });
        (format!("{symbol}=file.csv"), rows.collect::<String>())
    });
    let mut replay = open(&written.each_ref().map(|(spec, text)| (spec.as_str(), text.as_str()))).unwrap();
    let replayed: Vec<FeedEvent> = (0..lived.len()).filter_map(|_| replay.pop()).collect();
    assert_eq!(replayed, lived);
    assert_eq!(replay.pop(), Some(FeedEvent::Ended));
}

#[test]
fn windows_line_ends_are_read() {
    assert_eq!(played(&mut open(&[("BTCUSDT_1.csv", &BTC.replace('\n', "\r\n"))]).unwrap()).len(), 4);
}

#[test]
fn a_wrong_symbol_is_refused_with_its_own_file_in_the_advice() {
    let error = Source::parse("BTC-USDT=any.csv").unwrap_err().to_string();
    assert!(error.ends_with("or write BTC/USDT=any.csv"), "{error}");
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_line() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("BTCUSDT_1.csv");
    std::fs::write(&file, [BTC.as_bytes(), b"16409953\xff0,1,1,1,1,5,1\n"].concat()).unwrap();
    let error = ReplayFeed::open(&[file.to_string_lossy()]).unwrap_err().to_string();
    assert!(error.contains("BTCUSDT_1.csv:4: not UTF-8 text"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = ReplayFeed::open(&["no/such/BTCUSDT_1.csv"]).unwrap_err().to_string();
    assert!(error.starts_with("no/such/BTCUSDT_1.csv:"), "{error}");
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
