//! Through which pairs an asset is worth something in the account currency.

use std::collections::VecDeque;

use crate::domain::{Asset, Symbol};

/// The account walks no further: each pair more is one more price that may be stale.
const PAIRS_MAX: usize = 2;

/// The fewest pairs, two at most, that lead from `asset` to `currency`, base to quote at each step: `XRP/BTC`, `BTC/USDT`.
/// Empty for the currency itself, none when the symbols do not lead there. Of equally short ways the first in the order
/// of `symbols` is taken.
pub fn price_path(symbols: &[Symbol], asset: &Asset, currency: &Asset) -> Option<Vec<Symbol>> {
    let mut seen = vec![asset];
    let mut ways: VecDeque<(&Asset, Vec<Symbol>)> = VecDeque::from([(asset, Vec::new())]);
    while let Some((here, way)) = ways.pop_front() {
        if here == currency {
            return Some(way);
        }
        if way.len() == PAIRS_MAX {
            continue;
        }
        for symbol in symbols.iter().filter(|symbol| symbol.base() == here) {
            if !seen.contains(&symbol.quote()) {
                seen.push(symbol.quote());
                let mut longer = way.clone();
                longer.push(symbol.clone());
                ways.push_back((symbol.quote(), longer));
            }
        }
    }
    None
}

/// Whether an amount of `from` can be valued in `to`: through a pair read either way, or two of them.
pub fn converts(symbols: &[Symbol], from: &Asset, to: &Asset) -> bool {
    let joined = |a: &Asset, b: &Asset| {
        symbols
            .iter()
            .any(|pair| (pair.base(), pair.quote()) == (a, b) || (pair.base(), pair.quote()) == (b, a))
    };
    let mut between = symbols.iter().flat_map(|pair| [pair.base(), pair.quote()]);
    from == to || joined(from, to) || between.any(|asset| joined(from, asset) && joined(asset, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(symbols: &[&str], asset: &str, currency: &str) -> Option<String> {
        let symbols: Vec<_> = symbols.iter().map(|text| Symbol::new(text).unwrap()).collect();
        let way = price_path(&symbols, &Asset::new(asset).unwrap(), &Asset::new(currency).unwrap())?;
        Some(way.iter().map(Symbol::as_str).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_shortest_way_to_the_currency_is_taken() {
        let symbols = ["XRP/BTC", "BTC/USDT", "XRP/USDT"];
        assert_eq!(way(&symbols, "XRP", "USDT").unwrap(), "XRP/USDT");
        assert_eq!(way(&symbols[..2], "XRP", "USDT").unwrap(), "XRP/BTC BTC/USDT");
        assert_eq!(way(&symbols, "USDT", "USDT").unwrap(), "");
    }

    #[test]
    fn a_way_of_three_pairs_is_none() {
        let symbols = ["BTC/USDT", "ETH/BTC", "XRP/ETH"];
        assert_eq!(way(&symbols, "ETH", "USDT").unwrap(), "ETH/BTC BTC/USDT");
        assert_eq!(way(&symbols, "XRP", "USDT"), None);
    }

    #[test]
    fn an_amount_converts_through_pairs_read_either_way() {
        let converts = |symbols: &[&str], from: &str, to: &str| {
            let symbols: Vec<_> = symbols.iter().map(|text| Symbol::new(text).unwrap()).collect();
            super::converts(&symbols, &Asset::new(from).unwrap(), &Asset::new(to).unwrap())
        };
        assert!(converts(&[], "BTC", "BTC"));
        assert!(converts(&["BTC/USDT"], "USDT", "BTC"));
        assert!(converts(&["BTC/USDT", "LTC/BTC"], "USDT", "LTC"));
        assert!(!converts(&["LTC/BTC"], "USDT", "BTC"));
    }

    #[test]
    fn an_asset_without_a_way_has_no_price() {
        assert_eq!(way(&["BTC/USDT"], "ETH", "USDT"), None);
        assert_eq!(way(&["BTC/USDT"], "USDT", "BTC"), None, "pairs are not read backwards");
        assert_eq!(way(&["A/B", "B/A"], "A", "C"), None, "circles end");
    }
}
