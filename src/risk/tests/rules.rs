//! Every rule by its code.

use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::domain::Side;

#[test]
fn a_sound_entry_passes_unchanged() {
    let verdict = World::new().check(&proposal());
    assert_eq!(approved(&verdict), (dec("10"), dec("1"), dec("0.025")));
    assert_eq!(verdict.changes, []);
}

#[test]
fn a_pair_in_another_quote_is_converted_through_the_quotes_own_price() {
    let mut world = World::new();
    world.quote_rate = Some(dec("40000"));
    world.last_price = Some(dec("0.0000125"));
    world.funds = dec("0.2");
    let proposal = EntryProposal {
        symbol: symbol("XRP/BTC"),
        entry: Some(dec("0.0000125")),
        stop: Some(dec("0.00001225")),
        take_profit: Some(dec("0.000013")),
        ..proposal()
    };
    // 1,000 USDT are 0.025 BTC, which are 2,000 XRP.
    assert_eq!(approved(&world.check(&proposal)).2, dec("2000"));
    world.quote_rate = None;
    let verdict = world.check(&proposal);
    assert_eq!(rejected(&verdict), (ReasonCode::FeedStale, "no fresh price: BTC"));
}

#[test]
fn breaker_tripped() {
    let tripped = code(|world, _| {
        let at = world.now;
        let trip = Trip { at, equity: dec("9500"), loss_pct: dec("5") };
        let (name, baseline) = (BreakerName::DailyLoss, dec("10000"));
        world.breakers.apply(&BreakerTransition::Tripped { name, trip, baseline, limit_pct: pct(dec("5")) });
    });
    assert_eq!(tripped, ReasonCode::BreakerTripped);
}

#[test]
fn in_cooldown() {
    let cooldown = |ends_in: u64| {
        let mut world = World::new();
        let until = world.now.plus(Duration::from_secs(ends_in));
        world.streak.apply(&StreakTransition::Cooldown { cause: CooldownCause::Losses, until });
        world.check(&proposal())
    };
    let verdict = cooldown(61);
    assert_eq!(rejected(&verdict), (ReasonCode::InCooldown, "losses in a row, 1:01 left"));
    approved(&cooldown(0));
}

#[test]
fn symbol_locked() {
    let locked = |text: &'static str| {
        move |world: &mut World, _: &mut EntryProposal| {
            world.locked.insert(symbol(text));
        }
    };
    assert_eq!(code(locked("BTC/USDT")), ReasonCode::SymbolLocked);
    assert_eq!(size(locked("XRP/USDT")), dec("10"));
}

#[test]
fn invalid_order() {
    for bad in [dec("0"), dec("-1"), Decimal::MAX, Decimal::MIN, dec("0.0000000000000001")] {
        assert_eq!(code(|_, p| p.entry = Some(bad)), ReasonCode::InvalidOrder, "entry {bad}");
        assert_eq!(code(|_, p| p.stop = Some(bad)), ReasonCode::InvalidOrder, "stop {bad}");
        assert_eq!(code(|_, p| p.take_profit = Some(bad)), ReasonCode::InvalidOrder, "target {bad}");
        assert_eq!(code(|w, _| w.last_price = Some(bad)), ReasonCode::InvalidOrder, "last {bad}");
        assert_eq!(code(|w, _| w.quote_rate = Some(bad)), ReasonCode::InvalidOrder, "rate {bad}");
    }
    for bad in [dec("0"), dec("-1"), dec("0.99"), dec("1000.1")] {
        assert_eq!(code(|_, p| p.leverage = bad), ReasonCode::InvalidOrder, "leverage {bad}");
    }
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        assert_eq!(code(|w, _| w.atr_ratio = Some(bad)), ReasonCode::InvalidOrder, "ATR ratio {bad}");
    }
    assert_eq!(code(|_, p| p.entry = None), ReasonCode::InvalidOrder);
    assert_eq!(code(|_, p| p.size_pct = Pct::ZERO), ReasonCode::InvalidOrder);
    assert_eq!(code(|w, _| w.equity = Some(Decimal::MAX)), ReasonCode::InvalidOrder);
    assert_eq!(code(|w, _| w.margin_used = dec("-1")), ReasonCode::InvalidOrder);
    assert_eq!(code(|w, _| w.drawdown_pct = dec("-1")), ReasonCode::InvalidOrder);
}

#[test]
fn no_equity() {
    for equity in [None, Some(dec("0")), Some(dec("-5"))] {
        assert_eq!(code(|world, _| world.equity = equity), ReasonCode::NoEquity, "{equity:?}");
    }
}

#[test]
fn stop_loss_required() {
    assert_eq!(code(|_, p| p.stop = None), ReasonCode::StopLossRequired);
}

#[test]
fn stop_too_tight() {
    assert_eq!(code(|_, p| p.stop = Some(dec("39801"))), ReasonCode::StopTooTight);
    assert_eq!(code(|_, p| p.stop = p.entry), ReasonCode::StopTooTight);
    assert_eq!(size(|_, p| p.stop = Some(dec("39800"))), dec("10"));
}

#[test]
fn stop_too_wide() {
    let (at_limit, beyond) = (Some(dec("38800")), Some(dec("38799")));
    assert_eq!(size(|_, p| (p.stop, p.take_profit) = (at_limit, Some(dec("42000")))), dec("10"));
    assert_eq!(code(|_, p| p.stop = beyond), ReasonCode::StopTooWide);
    // Another pair may go to 5 %.
    assert_eq!(
        size(|_, p| {
            p.symbol = symbol("XRP/USDT");
            (p.stop, p.take_profit) = (Some(dec("38000")), Some(dec("44000")));
        }),
        dec("10")
    );
}

#[test]
fn stop_wrong_side() {
    for above in ["40001", "40800", "80000"] {
        assert_eq!(code(|_, p| p.stop = Some(dec(above))), ReasonCode::StopWrongSide);
    }
}

#[test]
fn low_rr() {
    assert_eq!(code(|_, p| p.take_profit = Some(dec("41199"))), ReasonCode::LowRr);
    assert_eq!(code(|_, p| p.take_profit = Some(dec("39000"))), ReasonCode::LowRr);
    assert_eq!(code(|_, p| p.take_profit = None), ReasonCode::LowRr);
    assert_eq!(size(|_, p| p.take_profit = Some(dec("41200"))), dec("10"));
}

#[test]
fn confidence_too_low() {
    let with = |regime, losses, confidence| {
        let (mut world, mut proposal) = (World::new(), proposal());
        world.regime = regime;
        world.lose(losses);
        proposal.confidence = Confidence::clamped(confidence);
        world.check(&proposal)
    };
    for (regime, losses, least) in [
        (Regime::TrendingBull, 0, 0.55),
        (Regime::TrendingBear, 2, 0.55),
        (Regime::Ranging, 0, 0.60),
        (Regime::VolatileBull, 0, 0.65),
        (Regime::Choppy, 0, 0.75),
        (Regime::Unknown, 0, 0.60),
        (Regime::Ranging, 3, 0.70),
        (Regime::VolatileBear, 4, 0.75),
        (Regime::TrendingBull, 5, 0.75),
        (Regime::Choppy, 9, 0.95),
    ] {
        approved(&with(regime, losses, least));
        let verdict = with(regime, losses, least - 0.001);
        assert_eq!(rejected(&verdict).0, ReasonCode::ConfidenceTooLow, "{regime} after {losses}");
    }
}

#[test]
fn a_minimum_above_one_asks_for_certainty() {
    let mut config = World::new().config.confidence;
    config.raise_many = 0.9;
    assert_eq!(confidence::minimum(Regime::Choppy, 5, &config), Confidence::ONE);
    config.min_by_regime.clear();
    assert_eq!(confidence::minimum(Regime::Ranging, 0, &config), Confidence::ONE);
}

#[test]
fn size_reduced() {
    assert_eq!(size(|_, p| p.size_pct = pct(dec("50"))), dec("20"), "per symbol");
    assert_eq!(size(|w, _| w.hold("BTC/USDT", 1_500)), dec("5"), "what is held counts");
    assert_eq!(size(|w, _| w.config.size.loss_at_stop_max_pct = pct(dec("0.1"))), dec("5"), "loss at stop");
    assert_eq!(size(|w, _| w.atr_ratio = Some(3.1)), dec("5"), "spike");
    assert_eq!(size(|w, _| w.atr_ratio = Some(3.0)), dec("10"), "no spike yet");
    assert_eq!(size(|w, _| w.lose(5)), dec("5"), "losses");
    assert_eq!(size(|w, _| w.level = Level::Limited), dec("5"), "level");
    assert_eq!(size(|w, _| w.level = Level::Reduced), dec("10"), "level");
    let all = size(|w, p| {
        (w.atr_ratio, w.level, p.size_pct) = (Some(9.0), Level::Limited, pct(dec("100")));
        w.lose(5);
    });
    assert_eq!(all, dec("2.5"), "20, halved three times");
    assert_eq!(code(|w, _| w.hold("BTC/USDT", 2_000)), ReasonCode::SizeTooSmall, "nothing left");
}

#[test]
fn size_too_small() {
    let wanted = |size_pct: &str| {
        let size_pct = pct(dec(size_pct));
        move |_: &mut World, p: &mut EntryProposal| p.size_pct = size_pct
    };
    assert_eq!(size(wanted("0.1")), dec("0.1"), "10 of 10,000");
    assert_eq!(code(wanted("0.0999")), ReasonCode::SizeTooSmall);
    let reduced = code(|w, p| (w.level, p.size_pct) = (Level::Limited, pct(dec("0.15"))));
    assert_eq!(reduced, ReasonCode::SizeTooSmall, "what is left counts");
    assert_eq!(size(|w, p| (w.entry_min, p.size_pct) = (Some(Decimal::ZERO), pct(dec("0.01")))), dec("0.01"));
    assert_eq!(code(|w, _| w.entry_min = None), ReasonCode::FeedStale, "a minimum without a price");
}

#[test]
fn target_below_cost() {
    // Buying and selling cost 0.72 %, three times that is 2.16 %: 40,864 for an entry at 40,000.
    let at = |target: &str| {
        let target = dec(target);
        move |_: &mut World, p: &mut EntryProposal| {
            (p.stop, p.take_profit) = (Some(dec("39700")), Some(target));
        }
    };
    assert_eq!(code(at("40863")), ReasonCode::TargetBelowCost);
    assert!(size(at("40864")) > Decimal::ZERO);
    let free = |w: &mut World, p: &mut EntryProposal| {
        w.config.stop.target_costs_min = Decimal::ZERO;
        at("40863")(w, p);
    };
    assert!(size(free) > Decimal::ZERO);
}

#[test]
fn every_reduction_says_from_what_to_what_and_why() {
    let (mut world, mut proposal) = (World::new(), proposal());
    world.level = Level::Limited;
    (proposal.size_pct, proposal.leverage) = (pct(dec("30")), dec("3"));
    let changes = world.check(&proposal).changes;
    let said: Vec<String> =
        changes.iter().map(|c| format!("{} {} {}: {}", c.code, c.from, c.to, c.why)).collect();
    assert_eq!(
        said,
        [
            "SIZE_REDUCED 30 20: at most 20 % of equity in one symbol, 0 % held",
            "SIZE_REDUCED 20 10: LEVEL LIMITED",
            "LEVERAGE_REDUCED 3 1: at most 1: venue limit",
        ]
    );
}

#[test]
fn leverage_reduced() {
    let config = World::new().config.leverage;
    for (regime, drawdown, confidence, venue, least) in [
        (Regime::TrendingBull, "0", 0.9, "10", "5"),
        (Regime::TrendingBear, "0", 0.9, "10", "3"),
        (Regime::Ranging, "0", 0.9, "10", "2"),
        (Regime::Choppy, "0", 0.9, "10", "1"),
        (Regime::Unknown, "0", 0.9, "10", "1"),
        (Regime::TrendingBull, "4.99", 0.9, "10", "5"),
        (Regime::TrendingBull, "5", 0.9, "10", "3"),
        (Regime::TrendingBull, "10", 0.9, "10", "2"),
        (Regime::TrendingBull, "99", 0.9, "10", "1"),
        (Regime::TrendingBull, "0", 0.85, "10", "5"),
        (Regime::TrendingBull, "0", 0.84, "10", "4"),
        (Regime::TrendingBull, "0", 0.65, "10", "3"),
        (Regime::TrendingBull, "0", 0.60, "10", "2"),
        (Regime::TrendingBull, "0", 0.59, "10", "1"),
        (Regime::TrendingBull, "0", 0.9, "2", "2"),
        (Regime::TrendingBull, "0", 0.9, "0", "1"),
    ] {
        let (limit, _) =
            leverage::limit(regime, dec(drawdown), Confidence::clamped(confidence), dec(venue), &config);
        assert_eq!(
            limit,
            dec(least),
            "{regime}, drawdown {drawdown}, confidence {confidence}, venue {venue}"
        );
    }
}

#[test]
fn exposure_too_high() {
    let held = |worth| move |world: &mut World, _: &mut EntryProposal| world.hold("ETH/USDT", worth);
    assert_eq!(code(held(7_001)), ReasonCode::ExposureTooHigh);
    assert_eq!(size(held(7_000)), dec("10"));
}

#[test]
fn correlated_exposure() {
    assert_eq!(code(|w, _| w.hold("XRP/USDT", 3_001)), ReasonCode::CorrelatedExposure);
    assert_eq!(size(|w, _| w.hold("XRP/USDT", 3_000)), dec("10"));
    assert_eq!(size(|w, _| w.hold("ETH/USDT", 3_001)), dec("10"), "not in the group");
    let configured = |members: [&str; 2]| {
        let group = members.map(symbol).to_vec();
        move |world: &mut World, _: &mut EntryProposal| {
            world.config.exposure.correlation_groups = vec![group];
            world.hold("ETH/USDT", 3_001);
            world.hold("XRP/USDT", 3_001);
        }
    };
    assert_eq!(code(configured(["BTC/USDT", "ETH/USDT"])), ReasonCode::CorrelatedExposure);
    assert_eq!(size(configured(["ADA/USDT", "ETH/USDT"])), dec("10"), "in no group");
}

#[test]
fn too_many_positions() {
    let held = |count: usize| {
        move |world: &mut World, _: &mut EntryProposal| {
            ["A", "B", "C", "D", "E"].iter().take(count).for_each(|a| world.hold(&format!("{a}/USDT"), 1));
        }
    };
    assert_eq!(code(held(5)), ReasonCode::TooManyPositions);
    assert_eq!(size(held(4)), dec("10"));
    let enlarge = |world: &mut World, p: &mut EntryProposal| {
        held(4)(world, p);
        world.hold("BTC/USDT", 100);
    };
    assert_eq!(size(enlarge), dec("10"), "enlarging is not another position");
}

#[test]
fn margin_too_high() {
    assert_eq!(code(|w, _| w.margin_used = dec("5001")), ReasonCode::MarginTooHigh);
    let leveraged = |used: &'static str| {
        move |world: &mut World, p: &mut EntryProposal| {
            (world.terms.leverage_max, p.leverage, world.margin_used) = (dec("5"), dec("2"), dec(used));
        }
    };
    assert_eq!(code(leveraged("4501")), ReasonCode::MarginTooHigh);
    assert_eq!(size(leveraged("4500")), dec("10"));
}

#[test]
fn price_collar() {
    for (last, passes) in [("40816", true), ("40817", false), ("39216", true), ("39215", false)] {
        let mut world = World::new();
        world.last_price = Some(dec(last));
        let verdict = world.check(&proposal());
        if passes {
            approved(&verdict);
        } else {
            assert_eq!(rejected(&verdict).0, ReasonCode::PriceCollar, "last trade {last}");
        }
    }
}

#[test]
fn feed_stale() {
    assert_eq!(code(|w, _| w.last_price = None), ReasonCode::FeedStale);
    assert_eq!(code(|w, _| w.quote_rate = None), ReasonCode::FeedStale);
}

fn sent(world: &mut World, quantity: &str, ago_secs: u64) {
    let at = world.now.minus(Duration::from_secs(ago_secs));
    let order = SentOrder { at, symbol: symbol("BTC/USDT"), side: Side::Buy, quantity: dec(quantity) };
    world.recent.apply(&order);
}

#[test]
fn duplicate_order() {
    assert_eq!(code(|w, _| sent(w, "0.025", 59)), ReasonCode::DuplicateOrder);
    assert_eq!(size(|w, _| sent(w, "0.025", 60)), dec("10"));
    assert_eq!(size(|w, _| sent(w, "0.026", 1)), dec("10"));
}

#[test]
fn order_rate() {
    let often = |times: u64| {
        move |world: &mut World, _: &mut EntryProposal| {
            (0..times).for_each(|n| sent(world, "0.001", 50 - n));
        }
    };
    assert_eq!(code(often(10)), ReasonCode::OrderRate);
    assert_eq!(size(often(9)), dec("10"));
}

#[test]
fn insufficient_funds() {
    // 1,000 USDT and 0.26 % of it.
    assert_eq!(size(|w, _| w.funds = dec("1002.6")), dec("10"));
    assert_eq!(code(|w, _| w.funds = dec("1002.59")), ReasonCode::InsufficientFunds);
    assert_eq!(code(|w, _| w.funds = dec("-1")), ReasonCode::InsufficientFunds);
}

#[test]
fn the_first_rule_that_says_no_names_the_reason() {
    let everything_wrong = code(|world, p| {
        world.locked.insert(symbol("BTC/USDT"));
        world.equity = None;
        world.last_price = None;
        p.stop = None;
    });
    assert_eq!(everything_wrong, ReasonCode::SymbolLocked);
}

fn leg() -> LegProposal {
    LegProposal {
        symbol: symbol("BTC/USDT"),
        side: Side::Buy,
        amount: dec("1000"),
        price: Some(dec("40000")),
        quote_rate: Some(Decimal::ONE),
        available: dec("5000"),
        costs_max: Decimal::ZERO,
        price_decimals: 1,
        collar: pct(dec("2")),
    }
}

#[test]
fn a_leg_needs_numbers_price_and_balance_only() {
    let terms = World::new().terms;
    let check = |change: &dyn Fn(&mut LegProposal)| {
        let mut leg = leg();
        change(&mut leg);
        let order = check_leg(&leg, Some(dec("10000")), &terms).map_err(|rejection| rejection.code)?;
        Ok((order.quantity, order.price_bound))
    };
    assert_eq!(check(&|_| {}), Ok((dec("0.025"), dec("40800"))));
    assert_eq!(check(&|l| l.available = dec("1003")), Err(ReasonCode::InsufficientFunds));
    assert_eq!(check(&|l| l.price = None), Err(ReasonCode::FeedStale));
    assert_eq!(check(&|l| l.quote_rate = None), Err(ReasonCode::FeedStale));
    assert_eq!(check(&|l| l.amount = dec("-1")), Err(ReasonCode::InvalidOrder));
    assert_eq!(check(&|l| l.amount = Decimal::MAX), Err(ReasonCode::InvalidOrder));
    let sell = |available: &'static str| {
        move |l: &mut LegProposal| {
            (l.side, l.available) = (Side::Sell, dec(available));
        }
    };
    assert_eq!(check(&sell("0.025")), Ok((dec("0.025"), dec("39200"))));
    assert_eq!(check(&sell("0.0249")), Ok((dec("0.0249"), dec("39200"))), "what has become of the holding");
    assert_eq!(check(&sell("0")), Err(ReasonCode::InsufficientFunds));
    assert_eq!(check_leg(&leg(), None, &terms).unwrap_err().code, ReasonCode::NoEquity);
}

#[test]
fn a_leg_that_takes_all_the_cash_is_smaller_by_fee_and_slippage_and_never_overdraws() {
    let terms = World::new().terms;
    let last = LegProposal { available: dec("1002.6"), costs_max: dec("60"), ..leg() };
    let order = check_leg(&last, Some(dec("10000")), &terms).unwrap();
    assert!(order.quantity < dec("0.025"), "{}", order.quantity);
    let dearest = terms.costs.with_fee(order.quantity * order.price_bound).unwrap();
    assert!(dearest <= last.available && dearest > dec("1002.5"), "{dearest}");
    assert!(order.price_bound >= dec("40040"), "the slippage is within the bound");

    let tight = LegProposal { available: dec("1004"), ..leg() };
    let order = check_leg(&tight, Some(dec("10000")), &terms).unwrap();
    assert_eq!(order.quantity, dec("0.025"), "it can be paid for");
    assert!(
        terms.costs.with_fee(order.quantity * order.price_bound).unwrap() <= tight.available,
        "also at its worst"
    );
}

proptest! {
    #[test]
    fn no_leg_costs_more_than_there_is(
        amount in 1_u64..1_000_000_000_000,
        amount_decimals in 0_u32..9,
        price in 1_u64..10_000_000_000,
        price_decimals in 0_u32..9,
        available in 0_u64..1_000_000_000_000,
        fee in 0_i64..200,
        slippage in 0_i64..190,
    ) {
        let costs = TradeCosts { fee_pct: pct(Decimal::new(fee, 2)), slippage_pct: pct(Decimal::new(slippage, 2)) };
        let terms = VenueTerms { leverage_max: Decimal::ONE, costs };
        let leg = LegProposal {
            amount: Decimal::new(amount.cast_signed(), amount_decimals),
            price: Some(Decimal::new(price.cast_signed(), price_decimals)),
            available: Decimal::new(available.cast_signed(), amount_decimals),
            costs_max: Decimal::new(available.cast_signed(), amount_decimals),
            price_decimals,
            ..leg()
        };
        if let Ok(order) = check_leg(&leg, Some(Decimal::ONE), &terms) {
            let cost = costs.with_fee(order.quantity * order.price_bound).unwrap();
            prop_assert!(order.quantity > Decimal::ZERO);
            prop_assert!(cost <= leg.available * dec("1.000000000000000001"), "{} of {}", cost, leg.available);
            prop_assert_eq!(order.price_bound, order.price_bound.round_dp(price_decimals), "on the tick");
        }
    }
}

#[test]
fn an_exit_is_refused_only_for_what_makes_it_impossible() {
    let check = |change: &dyn Fn(&mut ExitProposal)| {
        let (quantity, held) = (dec("0.5"), dec("0.5"));
        let price = Some(dec("40000"));
        let mut exit =
            ExitProposal { symbol: symbol("BTC/USDT"), quantity, held, price, client_id_used: false };
        change(&mut exit);
        check_exit(&exit).map_err(|rejection| rejection.code)
    };
    assert_eq!(check(&|_| {}), Ok(dec("0.5")));
    assert_eq!(
        check(&|e| (e.quantity, e.held) = (dec("0.123456789"), dec("0.123456789"))),
        Ok(dec("0.123456789"))
    );
    assert_eq!(check(&|e| e.quantity = dec("0.123456789")), Ok(dec("0.12345678")));
    assert_eq!(check(&|e| e.quantity = dec("0.000000001")), Err(ReasonCode::InvalidOrder));
    assert_eq!(check(&|e| e.quantity = dec("0.51")), Err(ReasonCode::QuantityTooHigh));
    assert_eq!(check(&|e| e.held = Decimal::ZERO), Err(ReasonCode::NothingHeld));
    assert_eq!(check(&|e| e.quantity = Decimal::ZERO), Err(ReasonCode::InvalidOrder));
    assert_eq!(check(&|e| e.price = None), Err(ReasonCode::FeedStale));
    assert_eq!(check(&|e| e.client_id_used = true), Err(ReasonCode::DuplicateOrder));
}
