//! What holds for whatever is proposed.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;

use super::*;

/// Any decimal: plausible, tiny, huge, negative, zero.
fn any_decimal() -> impl Strategy<Value = Decimal> {
    prop_oneof![
        8 => (1_i64..100_000_000, 0_u32..6).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
        2 => (any::<i64>(), 0_u32..28).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
        1 => prop::sample::select(vec![Decimal::ZERO, Decimal::MAX, Decimal::MIN, Decimal::NEGATIVE_ONE]),
    ]
}

fn any_percent() -> impl Strategy<Value = Pct> {
    (0_i64..=10_000).prop_map(|hundredths| pct(Decimal::new(hundredths, 2)))
}

/// Prices around an entry, mostly where they belong.
fn any_prices() -> impl Strategy<Value = [Option<Decimal>; 4]> {
    let near = (1_i64..10_000_000, 0_i64..600, 0_i64..1_500, -250_i64..250).prop_map(
        |(entry, stop, target, last)| {
            let entry = Decimal::new(entry, 2);
            let at = |points: i64| Some(entry * Decimal::new(10_000 + points, 4));
            [Some(entry), at(-stop), at(target), at(last)]
        },
    );
    let anything = prop::array::uniform4(prop::option::weighted(0.9, any_decimal()));
    prop_oneof![4 => near, 1 => anything]
}

fn any_case() -> impl Strategy<Value = (World, EntryProposal)> {
    let proposal = (
        prop::sample::select(vec!["BTC/USDT", "XRP/USDT", "XRP/BTC"]),
        0.3_f64..=1.0,
        any_prices(),
        any_percent(),
        prop_oneof![4 => (100_i64..600).prop_map(|l| Decimal::new(l, 2)), 1 => any_decimal()],
    );
    let facts = (
        prop::option::weighted(
            0.95,
            prop_oneof![4 => (1_i64..1_000_000).prop_map(Decimal::from), 1 => any_decimal()],
        ),
        prop_oneof![4 => (0_i64..30).prop_map(Decimal::from), 1 => any_decimal()],
        prop::option::of(prop_oneof![3 => 0.0_f64..6.0, 1 => any::<f64>()]),
        prop::sample::select(Regime::ALL.to_vec()),
        prop::sample::select(Level::ALL.to_vec()),
        0_usize..7,
        prop_oneof![4 => Just(Decimal::from(1_000_000_000)), 1 => any_decimal()],
        prop::option::weighted(0.95, prop_oneof![3 => Just(Decimal::ONE), 1 => any_decimal()]),
        prop::collection::vec((0_usize..4, 0_i64..30), 0..4),
        1_i64..6,
    );
    (proposal, facts).prop_map(|((text, confidence, prices, size_pct, leverage), facts)| {
        let (equity, drawdown, atr_ratio, regime, level, losses, funds, rate, held, venue) = facts;
        let [entry, stop, take_profit, last_price] = prices;
        let confidence = Confidence::clamped(confidence);
        let proposal =
            EntryProposal { symbol: symbol(text), confidence, entry, stop, take_profit, size_pct, leverage };
        let mut world =
            World { equity, drawdown_pct: drawdown, atr_ratio, regime, level, funds, ..World::new() };
        (world.last_price, world.quote_rate) = (last_price, rate);
        world.terms.leverage_max = venue.into();
        world.lose(losses);
        // In percent of an equity that is one.
        let whole = equity.unwrap_or_default().clamp(Decimal::ZERO, Decimal::from(1_000_000));
        for (of, percent) in held {
            let held = symbol(["BTC/USDT", "XRP/USDT", "XRP/BTC", "ETH/USDT"][of]);
            world.exposure.insert(held, whole * Decimal::new(percent, 2));
        }
        (world, proposal)
    })
}

/// 100,000 proposals: none passes larger than it was, beyond a limit, or with a number that is not one.
#[test]
fn whatever_is_proposed_risk_only_reduces_and_what_passes_is_within_every_limit() {
    let cases = 100_000;
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let passed = Cell::new(0);
    let outcome = TestRunner::new(config).run(&any_case(), |(world, proposal)| {
        let EntryVerdict { verdict, changes } = world.check(&proposal);
        for change in &changes {
            prop_assert!(change.to < change.from, "{change:?}");
        }
        let Verdict::Approved { size_pct, leverage, quantity } = verdict else { return Ok(()) };
        passed.set(passed.get() + 1);
        let (equity, entry) = (world.equity.unwrap(), proposal.entry.unwrap());
        prop_assert!(size_pct <= proposal.size_pct && size_pct > Pct::ZERO);
        prop_assert!(leverage <= proposal.leverage && leverage >= Decimal::ONE);
        prop_assert!(leverage <= world.terms.leverage_max);
        prop_assert!(quantity > Decimal::ZERO && equity > Decimal::ZERO);
        prop_assert!(world.atr_ratio.is_none_or(f64::is_finite));
        let cost = quantity * entry;
        let worth = cost * world.quote_rate.unwrap();
        let allowed = size_pct.of(equity).unwrap();
        prop_assert!(worth <= allowed * dec("1.000000000001"), "{worth} > {allowed}");
        prop_assert!(cost <= world.funds);
        let held = world.exposure.get(&proposal.symbol).copied().unwrap_or_default();
        prop_assert!(held + worth <= equity * dec("0.200000000001"));
        let all: Decimal = world.exposure.values().sum();
        prop_assert!(all + worth <= equity * dec("0.800000000001"), "{all} + {worth} of {equity}");
        let of_others = world.exposure.get(&symbol("ETH/USDT")).copied().unwrap_or_default();
        prop_assert!(all - of_others + worth <= equity * dec("0.400000000001"), "BTC and XRP move together");
        let others = world.exposure.iter().filter(|(s, worth)| **s != proposal.symbol && !worth.is_zero());
        prop_assert!(others.count() < world.config.exposure.positions_max);
        let (stop, last) = (proposal.stop.unwrap(), world.last_price.unwrap());
        let distance = (entry - stop) / entry * Decimal::ONE_HUNDRED;
        let rules = &world.config.stop;
        let bounds = rules.distance_min_pct.value()..=rules.distance_max(&proposal.symbol).value();
        prop_assert!(bounds.contains(&distance), "{distance}");
        let gain = proposal.take_profit.unwrap() - entry;
        prop_assert!(gain >= (entry - stop) * rules.reward_risk_min * dec("0.999999999999"));
        let off = (entry - last).abs() / last * Decimal::ONE_HUNDRED;
        prop_assert!(off <= world.config.orders.price_collar_pct.value() * dec("1.000000000001"), "{off}");
        prop_assert!(proposal.confidence >= world.config.confidence.min_by_regime[&world.regime]);
        let loss = quantity * (entry - proposal.stop.unwrap()) * world.quote_rate.unwrap();
        prop_assert!(loss <= equity * dec("0.020000000001"));
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
    assert!(passed.get() > cases / 50, "only {} of {cases} passed: the test says little", passed.get());
}
