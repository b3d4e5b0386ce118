//! Through which pairs one asset is worth something in another: directly, inversely, or with one asset in between.
//! Which of the ways can be walked now depends on prices, and those are not here.

use std::collections::BTreeMap;

use crate::domain::{Asset, Symbol};

/// One step of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    /// The pair whose price is used.
    pub symbol: Symbol,
    /// The amount is in the pair's quote: divide instead of multiply.
    pub inverse: bool,
}

/// The pairs that touch each asset, by the asset at their other end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Routes(BTreeMap<Asset, BTreeMap<Asset, Vec<Hop>>>);

impl Routes {
    /// Over these pairs.
    pub fn of<'a>(symbols: impl IntoIterator<Item = &'a Symbol>) -> Self {
        let mut routes = Self::default();
        symbols.into_iter().for_each(|symbol| routes.add(symbol));
        routes
    }

    /// One more pair.
    pub fn add(&mut self, symbol: &Symbol) {
        let mut add = |from: &Asset, to: &Asset, inverse| {
            let hops = self.0.entry(from.clone()).or_default().entry(to.clone()).or_default();
            hops.push(Hop { symbol: symbol.clone(), inverse });
        };
        add(symbol.base(), symbol.quote(), false);
        add(symbol.quote(), symbol.base(), true);
    }

    /// All ways of at most two hops, the direct ones first.
    pub fn between<'a>(&'a self, from: &'a Asset, to: &'a Asset) -> impl Iterator<Item = Vec<Hop>> + 'a {
        let direct = self.hops(from, to).iter().map(|hop| vec![hop.clone()]);
        let neighbours = self.0.get(from).into_iter().flatten().filter(move |(between, _)| *between != to);
        let by_another = neighbours.flat_map(move |(between, first)| {
            let last = self.hops(between, to);
            first.iter().flat_map(move |hop| last.iter().map(move |last| vec![hop.clone(), last.clone()]))
        });
        direct.chain(by_another)
    }

    fn hops(&self, from: &Asset, to: &Asset) -> &[Hop] {
        self.0.get(from).and_then(|ends| ends.get(to)).map_or(&[], Vec::as_slice)
    }
}
