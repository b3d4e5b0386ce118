//! Symbol, file and interval from what stands on the command line: `BTCUSDT_1.csv` or `BTC/USDT=any.csv`.
//!
//! A pair without a slash is read only where it can be read in one way; nothing is guessed.

use std::path::{Path, PathBuf};

use super::ReplayError;
use crate::domain::{Symbol, SymbolError};

/// Quote assets by which the pair in a file name is split, longer ones first.
const QUOTES: [&str; 22] = [
    "FDUSD", "PYUSD", "RLUSD", "EURC", "EURT", "USDC", "USDD", "USDE", "USDG", "USDP", "USDS", "USDT", "AUD",
    "BTC", "CAD", "CHF", "ETH", "EUR", "GBP", "JPY", "USD", "XBT",
];

/// Currencies whose code ends the codes of tokens too: FDUSD, TUSD, EURB.
const CURRENCIES: [&str; 3] = ["USD", "EUR", "GBP"];

/// Most letters that such a token has before the currency.
const TOKEN_LETTERS_MAX: usize = 2;

/// Assets that are told from a longer base: BTCFD/USD is more likely BTC/FDUSD.
const KNOWN: [&str; 64] = [
    "1INCH", "AAVE", "ADA", "ALGO", "APE", "APT", "ARB", "ATOM", "AVAX", "AXS", "BAT", "BCH", "BNB", "BONK",
    "BTC", "COMP", "CRV", "DAI", "DASH", "DOGE", "DOT", "ENJ", "EOS", "ETC", "ETH", "ETHFI", "ETHW", "EUR",
    "FIL", "FLOW", "GRT", "ICP", "INJ", "KSM", "LDO", "LINK", "LTC", "MANA", "MATIC", "MKR", "NEAR", "PAXG",
    "PEPE", "POL", "QTUM", "SAND", "SHIB", "SNX", "SOL", "SUI", "TON", "TRX", "UNI", "USDC", "USDT", "WBTC",
    "WIF", "XBT", "XDG", "XLM", "XMR", "XRP", "XTZ", "ZEC",
];

/// Kraken's own codes and what everyone else calls them.
const KRAKEN_CODES: [(&str, &str); 20] = [
    ("XBT", "BTC"),
    ("XDG", "DOGE"),
    ("XETC", "ETC"),
    ("XETH", "ETH"),
    ("XICN", "ICN"),
    ("XLTC", "LTC"),
    ("XMLN", "MLN"),
    ("XREP", "REP"),
    ("XXBT", "BTC"),
    ("XXDG", "DOGE"),
    ("XXLM", "XLM"),
    ("XXMR", "XMR"),
    ("XXRP", "XRP"),
    ("XZEC", "ZEC"),
    ("ZAUD", "AUD"),
    ("ZCAD", "CAD"),
    ("ZEUR", "EUR"),
    ("ZGBP", "GBP"),
    ("ZJPY", "JPY"),
    ("ZUSD", "USD"),
];

/// A file that was named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) symbol: Symbol,
    pub(super) file: PathBuf,
    /// From the file name; none means from the rows.
    pub(super) interval_secs: Option<u32>,
}

impl Source {
    /// Reads `SYMBOL=FILE`, or symbol and interval from the name of the file.
    pub(super) fn parse(spec: &str) -> Result<Self, ReplayError> {
        if let (Some(symbol), file) = split_spec(spec) {
            return Ok(Self { symbol, file: file.into(), interval_secs: None });
        }
        let unclear = |reason: String| {
            let (file, reason) = match spec.split_once('=') {
                Some((before, after)) if is_like_a_pair(before) => {
                    (after, format!("`{before}` before the `=` is not BASE/QUOTE in capitals"))
                }
                Some(_) | None => (spec, reason),
            };
            ReplayError::Name { spec: spec.to_owned(), file: file.to_owned(), reason }
        };
        let file = Path::new(spec);
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let (pair, minutes) =
            stem.rsplit_once('_').ok_or_else(|| unclear("there is no `_MINUTES` in its name".to_owned()))?;
        let interval_secs = minutes
            .parse::<u32>()
            .ok()
            .and_then(|minutes| minutes.checked_mul(60))
            .filter(|secs| *secs > 0)
            .ok_or_else(|| unclear(format!("`{minutes}` is not a number of minutes")))?;
        match read_pair(pair) {
            Pair::Clear(symbol) => Ok(Self { symbol, file: file.into(), interval_secs: Some(interval_secs) }),
            Pair::Ambiguous(first, second) => Err(ReplayError::Ambiguous {
                spec: spec.to_owned(),
                pair: pair.to_owned(),
                readings: (first, second),
            }),
            Pair::NoQuote => Err(unclear(format!("`{pair}` does not end in a known quote asset"))),
            Pair::NoSymbol(error) => Err(unclear(error.to_string())),
        }
    }
}

/// What stands before the first `=`, if it is a symbol, and the file. Any other `=` is part of the path.
pub(super) fn split_spec(spec: &str) -> (Option<Symbol>, &str) {
    match spec.split_once('=').map(|(symbol, file)| (Symbol::new(symbol), file)) {
        Some((Ok(symbol), file)) => (Some(symbol), file),
        Some((Err(_), _)) | None => (None, spec),
    }
}

/// Whether somebody may have meant a symbol by it.
fn is_like_a_pair(text: &str) -> bool {
    let text = text.to_uppercase().replace(['-', '_', ':'], "/");
    text.parse::<Symbol>().is_ok() || matches!(read_pair(&text), Pair::Clear(_))
}

/// What a pair without a slash says.
#[derive(Debug, PartialEq, Eq)]
enum Pair {
    Clear(Symbol),
    Ambiguous(String, String),
    NoQuote,
    NoSymbol(SymbolError),
}

fn read_pair(pair: &str) -> Pair {
    if let Some((base, quote)) = of_kraken_codes(pair) {
        return clear(base, quote);
    }
    let mut readings = QUOTES.iter().filter_map(|quote| Some((base_before(pair, quote)?, *quote)));
    let Some((longest_base, longest)) = readings.next() else { return Pair::NoQuote };
    let (base, quote) = readings.next_back().unwrap_or((longest_base, longest));
    if is_known(base) {
        return clear(base, quote);
    }
    if quote != longest {
        return Pair::Ambiguous(shown(longest_base, longest), shown(base, quote));
    }
    let token = KNOWN.iter().find_map(|known| {
        let rest = base.strip_prefix(known).filter(|rest| rest.len() <= TOKEN_LETTERS_MAX)?;
        let is_token = CURRENCIES.contains(&quote) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_token.then(|| shown(known, &format!("{rest}{quote}")))
    });
    match token {
        Some(token) => Pair::Ambiguous(token, shown(base, quote)),
        None => clear(base, quote),
    }
}

/// Kraken's old names put X before a coin and Z before a currency: XXBTZUSD, XETHXXBT, USDTZUSD.
fn of_kraken_codes(pair: &str) -> Option<(&str, &str)> {
    KRAKEN_CODES.iter().filter(|(code, _)| code.len() == 4).find_map(|(quote, _)| {
        let base = base_before(pair, quote)?;
        is_known(base).then_some((base, *quote))
    })
}

fn base_before<'a>(pair: &'a str, quote: &str) -> Option<&'a str> {
    pair.strip_suffix(quote).filter(|base| !base.is_empty())
}

fn is_known(base: &str) -> bool {
    KNOWN.contains(&base) || KRAKEN_CODES.iter().any(|(code, _)| *code == base)
}

fn clear(base: &str, quote: &str) -> Pair {
    Symbol::new(&shown(base, quote)).map_or_else(Pair::NoSymbol, Pair::Clear)
}

fn shown(base: &str, quote: &str) -> String {
    format!("{}/{}", common_code(base), common_code(quote))
}

fn common_code(code: &str) -> &str {
    KRAKEN_CODES.iter().find(|(kraken, _)| *kraken == code).map_or(code, |(_, common)| common)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("data/BTCUSDT_1.csv", "BTC/USDT", Some(60))]
    #[case("XMRBTC_5.csv", "XMR/BTC", Some(300))]
    #[case("XBTUSD_60.csv", "BTC/USD", Some(3_600))]
    #[case("ETHXBT_1440.csv", "ETH/BTC", Some(86_400))]
    #[case("XDGUSDC_1.csv", "DOGE/USDC", Some(60))]
    #[case("DOTUSD_1.csv", "DOT/USD", Some(60))]
    #[case("XTZUSD_1.csv", "XTZ/USD", Some(60))]
    #[case("XTZEUR_1.csv", "XTZ/EUR", Some(60))]
    #[case("USDTUSD_1.csv", "USDT/USD", Some(60))]
    #[case("TRXXBT_1.csv", "TRX/BTC", Some(60))]
    #[case("SOMENEWUSDT_1.csv", "SOMENEW/USDT", Some(60))]
    #[case("XXBTZUSD_1.csv", "BTC/USD", Some(60))]
    #[case("XETHXXBT_60.csv", "ETH/BTC", Some(3_600))]
    #[case("XXDGZEUR_1.csv", "DOGE/EUR", Some(60))]
    #[case("XETHZJPY_1.csv", "ETH/JPY", Some(60))]
    #[case("USDTZUSD_1.csv", "USDT/USD", Some(60))]
    #[case("XBTPYUSD/XBTUSDT_1.csv", "BTC/USDT", Some(60))]
    #[case("SOL/EUR=x/y_z.csv", "SOL/EUR", None)]
    #[case("BTC/FDUSD=BTCFDUSD_5.csv", "BTC/FDUSD", None)]
    fn symbol_and_interval_come_from_the_name(
        #[case] spec: &str,
        #[case] symbol: &str,
        #[case] interval: Option<u32>,
    ) {
        let source = Source::parse(spec).unwrap();
        assert_eq!((source.symbol.as_str(), source.interval_secs), (symbol, interval));
    }

    #[rstest]
    #[case("BTCFDUSD_5.csv", "BTC/FDUSD", "BTCFD/USD")]
    #[case("XRPRLUSD_5.csv", "XRP/RLUSD", "XRPRL/USD")]
    #[case("XBTPYUSD_1.csv", "BTC/PYUSD", "XBTPY/USD")]
    #[case("BTCBUSD_1.csv", "BTC/BUSD", "BTCB/USD")]
    #[case("SOLTUSD_1.csv", "SOL/TUSD", "SOLT/USD")]
    #[case("dir/ETHAEUR_1.csv", "ETH/AEUR", "ETHA/EUR")]
    #[case("NOBODYFDUSD_1.csv", "NOBODY/FDUSD", "NOBODYFD/USD")]
    fn a_name_that_can_be_read_in_two_ways_is_refused_with_both(
        #[case] spec: &str,
        #[case] first: &str,
        #[case] second: &str,
    ) {
        let error = Source::parse(spec).unwrap_err();
        assert!(
            matches!(&error, ReplayError::Ambiguous { readings, .. } if readings.0 == first && readings.1 == second),
            "{error}"
        );
        assert!(error.to_string().contains(&format!("{first}={spec}")), "{error}");
    }

    #[rstest]
    #[case("candles.csv", "no `_MINUTES`")]
    #[case("BTCUSDT_x.csv", "`x` is not a number of minutes")]
    #[case("BTCUSDT_0.csv", "`0` is not a number of minutes")]
    #[case("BTCFOO_1.csv", "does not end in a known quote")]
    #[case("btc/usdt=a.csv", "`btc/usdt` before the `=` is not BASE/QUOTE")]
    #[case("BTC-USDT=any.csv", "`BTC-USDT` before the `=` is not BASE/QUOTE")]
    #[case("BTCUSDT=any.csv", "`BTCUSDT` before the `=` is not BASE/QUOTE")]
    #[case("BTC-USDT_1.csv", "not an asset code")]
    #[case("BTC-USD_1.csv", "not an asset code")]
    fn a_name_that_says_nothing_is_refused_with_the_two_ways_out(#[case] spec: &str, #[case] reason: &str) {
        let error = Source::parse(spec).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("BTC/USDT="), "{error}");
    }

    #[test]
    fn a_wrong_symbol_is_refused_with_its_own_file_in_the_advice() {
        let error = Source::parse("BTC-USDT=any.csv").unwrap_err().to_string();
        assert!(error.ends_with("or write BTC/USDT=any.csv"), "{error}");
    }

    #[rstest]
    #[case("pair=XBTUSDT/XBTUSDT_1.csv", "BTC/USDT")]
    #[case("exchange=kraken/pair=ETHEUR/year=2024/ETHEUR_60.csv", "ETH/EUR")]
    #[case("./DATA/USDT=1/XBTUSDT_1.csv", "BTC/USDT")]
    fn an_equals_sign_in_a_path_is_part_of_it(#[case] spec: &str, #[case] symbol: &str) {
        let source = Source::parse(spec).unwrap();
        assert_eq!((source.symbol.as_str(), source.file), (symbol, PathBuf::from(spec)));
        let named = Source::parse(&format!("LTC/BTC={spec}")).unwrap();
        assert_eq!((named.symbol.as_str(), named.file), ("LTC/BTC", PathBuf::from(spec)));
    }
}
