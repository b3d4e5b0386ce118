//! A world in which an entry passes, for the tests of the rules.

mod any_proposal;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rust_decimal::Decimal;

use super::*;
use crate::config::{Config, Risk};
use crate::domain::{Confidence, Level, Pct, ReasonCode, Regime, Symbol, Timestamp, TradeCosts, Verdict};

/// Read once: a property test builds a hundred thousand worlds.
static DEFAULTS: LazyLock<Risk> = LazyLock::new(|| Config::defaults().unwrap().risk);

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn pct(value: Decimal) -> Pct {
    Pct::new(value).unwrap()
}

/// Everything the rules look at; a world in which the default proposal passes.
#[derive(Debug, Clone, PartialEq)]
struct World {
    config: Risk,
    terms: VenueTerms,
    now: Timestamp,
    equity: Option<Decimal>,
    drawdown_pct: Decimal,
    exposure: BTreeMap<Symbol, Decimal>,
    margin_used: Decimal,
    regime: Regime,
    atr_ratio: Option<f64>,
    streak: Streak,
    breakers: Breakers,
    locked: BTreeSet<Symbol>,
    last_price: Option<Decimal>,
    quote_rate: Option<Decimal>,
    funds: Decimal,
    entry_min: Option<Decimal>,
    recent: RecentOrders,
    level: Level,
}

impl World {
    fn new() -> Self {
        Self {
            config: DEFAULTS.clone(),
            terms: VenueTerms {
                leverage_max: Decimal::ONE,
                costs: TradeCosts { fee_pct: pct(dec("0.26")), slippage_pct: pct(dec("0.1")) },
            },
            now: Timestamp::from_secs(1_000_000),
            equity: Some(dec("10000")),
            drawdown_pct: Decimal::ZERO,
            exposure: BTreeMap::new(),
            margin_used: Decimal::ZERO,
            regime: Regime::TrendingBull,
            atr_ratio: Some(1.0),
            streak: Streak::default(),
            breakers: Breakers::default(),
            locked: BTreeSet::new(),
            last_price: Some(dec("40000")),
            quote_rate: Some(Decimal::ONE),
            funds: dec("10000"),
            entry_min: Some(dec("10")),
            recent: RecentOrders::default(),
            level: Level::Normal,
        }
    }

    fn view(&self) -> RiskView<'_> {
        RiskView {
            now: self.now,
            equity: self.equity,
            drawdown_pct: self.drawdown_pct,
            exposure: &self.exposure,
            margin_used: self.margin_used,
            regime: self.regime,
            atr_ratio: self.atr_ratio,
            streak: &self.streak,
            breakers: &self.breakers,
            locked: &self.locked,
            last_price: self.last_price,
            quote_rate: self.quote_rate,
            funds: self.funds,
            entry_min: self.entry_min,
            recent: &self.recent,
            level: self.level,
        }
    }

    fn check(&self, proposal: &EntryProposal) -> EntryVerdict {
        check_entry(proposal, &self.view(), &self.config, &self.terms)
    }

    fn lose(&mut self, times: usize) {
        (0..times).for_each(|n| {
            self.streak.apply(&StreakTransition::Losses { in_a_row: u32::try_from(n + 1).unwrap() });
        });
    }

    fn hold(&mut self, text: &str, worth: i64) {
        self.exposure.insert(symbol(text), worth.into());
    }
}

/// 10 % of equity in BTC at 40,000 with the stop 2 % below and the target 4 % above.
fn proposal() -> EntryProposal {
    EntryProposal {
        symbol: symbol("BTC/USDT"),
        confidence: Confidence::clamped(0.9),
        entry: Some(dec("40000")),
        stop: Some(dec("39200")),
        take_profit: Some(dec("41600")),
        size_pct: pct(dec("10")),
        leverage: Decimal::ONE,
    }
}

fn approved(verdict: &EntryVerdict) -> (Decimal, Decimal, Decimal) {
    match &verdict.verdict {
        Verdict::Approved { size_pct, leverage, quantity } => (size_pct.value(), *leverage, *quantity),
        Verdict::Rejected { code, detail } => panic!("rejected: {code} {detail}"),
    }
}

fn rejected(verdict: &EntryVerdict) -> (ReasonCode, &str) {
    match &verdict.verdict {
        Verdict::Rejected { code, detail } => (*code, detail),
        Verdict::Approved { .. } => panic!("approved"),
    }
}

/// The code with which the world refuses the proposal after `change`.
fn code(change: impl FnOnce(&mut World, &mut EntryProposal)) -> ReasonCode {
    let (mut world, mut proposal) = (World::new(), proposal());
    change(&mut world, &mut proposal);
    rejected(&world.check(&proposal)).0
}

/// The size that the world approves after `change`.
fn size(change: impl FnOnce(&mut World, &mut EntryProposal)) -> Decimal {
    let (mut world, mut proposal) = (World::new(), proposal());
    change(&mut world, &mut proposal);
    approved(&world.check(&proposal)).0
}
