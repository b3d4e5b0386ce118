use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::{Pct, PriceRounding, TradeCosts, on_tick};
use crate::risk::{LegProposal, VenueTerms, check_leg};

fn percent(units: i64, decimals: u32) -> Pct {
    Pct::new(Decimal::new(units, decimals)).unwrap()
}

/// The venue of the property tests: it may lose orders and answers, but what it says of absence is true.
#[derive(Default)]
struct FakeVenue {
    has: BTreeMap<ClientOrderId, bool>,
    taken: BTreeMap<ClientOrderId, u32>,
    trades: u64,
}

proptest! {
    #[test]
    fn legs_sum_to_the_trade_exactly(
        units in 1_i64..10_000_000_000_000,
        scale in 0_u32..9,
        legs_max in 0_u16..40,
        leg_min in 0_i64..100_000,
        decimals in 0_u32..9,
    ) {
        let amount = Decimal::new(units, scale);
        let trade_min = Decimal::ZERO;
        let settings = PlanTerms { legs_max, leg_min: Decimal::new(leg_min, 3), trade_min, decimals, ..terms() };

        let legs = split(amount, &settings).unwrap();

        prop_assert_eq!(legs.iter().sum::<Decimal>(), amount);
        prop_assert!(legs.len() <= usize::from(legs_max.max(1)));
        prop_assert!(legs.iter().all(|leg| *leg > Decimal::ZERO));
        prop_assert!(legs.len() == 1 || legs.iter().all(|leg| *leg >= settings.leg_min));
        prop_assert!(legs[1..].iter().all(|leg| leg.scale() <= decimals && *leg <= legs[0]));
        if legs.len() < usize::from(legs_max) {
            let more = amount / Decimal::from(legs.len() + 1);
            let unit = Decimal::new(1, decimals);
            prop_assert!(more.trunc_with_scale(decimals) < settings.leg_min || more < unit, "too few legs");
        }
    }

    #[test]
    fn a_plan_that_spends_all_the_cash_ends_with_every_leg_done_and_nothing_overdrawn(
        cash in 1_000_i64..1_000_000_000_000,
        decimals in 0_u32..9,
        legs_max in 1_u16..40,
        price in 1_i64..10_000_000,
        price_decimals in 0_u32..7,
        moves in prop::collection::vec(-100_i64..100, 40),
        fee in 0_i64..100,
        slippage in 0_i64..100,
    ) {
        let mut cash = Decimal::new(cash, decimals);
        let costs = TradeCosts { fee_pct: percent(fee, 2), slippage_pct: percent(slippage, 2) };
        let venue = VenueTerms { leverage_max: Decimal::ONE, costs };
        let collar = percent(2, 0);
        let costs_max = TradeCosts { slippage_pct: collar, ..costs }.of(cash).unwrap();
        let legs = split(cash, &PlanTerms { legs_max, decimals, trade_min: Decimal::ZERO, ..terms() }).unwrap();
        for (amount, permille) in legs.into_iter().zip(moves) {
            let price = Decimal::new(price, price_decimals);
            let price = on_tick(price + price * Decimal::new(permille, 3), price_decimals, PriceRounding::Up);
            prop_assume!(amount / price > dec("0.001"));
            let leg = LegProposal {
                symbol: Symbol::new("BTC/USDT").unwrap(),
                side: Side::Buy,
                amount,
                price: Some(price),
                quote_rate: Some(Decimal::ONE),
                available: cash,
                costs_max,
                price_decimals,
                collar,
            };
            // A coarse tick is a slippage of its own.
            let filled = on_tick(price * (Decimal::ONE + costs.slippage_pct.value() / dec("100")), price_decimals, PriceRounding::Up);
            prop_assume!(filled <= price * dec("1.0101"));
            let order = check_leg(&leg, Some(cash), &venue).unwrap();
            prop_assert!(filled <= order.price_bound, "{} within {}", filled, order.price_bound);
            cash -= costs.with_fee(order.quantity * filled).unwrap();
            prop_assert!(cash >= dec("-0.000000000000001"), "{}", cash);
        }
    }

    #[test]
    fn whatever_happens_no_leg_is_bought_twice(events in prop::collection::vec((0_u8..16, 0_u16..3, any::<bool>()), 1..200)) {
        let trades = [trade("BTC/USDT", Side::Buy, "600"), trade("XRP/USDT", Side::Sell, "600")];
        let mut bench = Bench::with_trades(&trades);
        let mut venue = FakeVenue::default();
        let mut now = hours(0);
        for (what, number, coin) in events {
            let id = leg(number);
            let name = bench.name(number);
            let before = bench.plans.leg(id).unwrap().clone();
            let on_record = venue.has.get(&name).copied();
            let steps = match what {
                0 | 1 => {
                    now = now.plus(Duration::from_secs(if coin { 1_200 } else { 14_400 }));
                    bench.plans.due(now, dca().max_lateness, open)
                }
                2 => bench.plans.due(now, dca().max_lateness, paused),
                3 => bench.plans.intend(id, intent_terms("50000")).ok().flatten().into_iter().collect(),
                4 => {
                    // After its deadline nothing is handed over.
                    let intent = before.intent.as_ref().filter(|intent| now <= intent.deadline);
                    let sent = intent.and_then(|intent| bench.plans.send(id, &intent.digest).ok());
                    // The order reaches the venue or is lost on the way. A name it knows already is refused there,
                    // but the test counts that as taken twice: our own side must prevent it.
                    if sent.is_some() && coin {
                        venue.has.insert(name, false);
                        *venue.taken.entry(name).or_default() += 1;
                    }
                    sent.into_iter().collect()
                }
                5 => bench.plans.withdraw(id, ReasonCode::GateShut).into_iter().collect(),
                6 => bench.plans.restarted(),
                7 => bench.plans.ask_unknown(),
                8 if coin && on_record.is_none() => {
                    let reason = VenueReject::NoFreshPrice;
                    bench.plans.venue(&VenueEvent::Rejected { client_id: name, reason }).unwrap()
                }
                8 => bench.plans.venue(&no_answer(name)).unwrap(),
                9 => match on_record {
                    Some(_) => bench.plans.venue(&VenueEvent::Accepted { client_id: name }).unwrap(),
                    None => bench.plans.venue(&VenueEvent::Absent { client_id: name }).unwrap(),
                },
                10 | 11 if on_record == Some(false) => {
                    venue.trades += 1;
                    venue.has.insert(name, coin);
                    let fill = bench.fill(number, venue.trades);
                    bench.plans.venue(&VenueEvent::Filled { fill, done: coin }).unwrap()
                }
                12 => bench.plans.run_leg(id, None).into_iter().collect(),
                13 => bench.plans.postpone_leg(id, Duration::from_secs(3_600), now).unwrap_or_default(),
                14 if coin => bench.plans.skip_leg(id).into_iter().collect(),
                15 if coin => bench.plans.cancel_leg(id).into_iter().collect(),
                _ => Vec::new(),
            };
            bench.take(steps);
            let after = bench.plans.leg(id).unwrap();
            if before.state.is_terminal() {
                prop_assert_eq!(after, &before, "an ended leg changed");
            }
            prop_assert!(venue.taken.values().all(|taken| *taken <= 1), "{} was bought twice", id);
        }
        let mut replayed = Plans::default();
        for step in &bench.journal {
            let text = serde_json::to_string(step).unwrap();
            replayed.apply(&serde_json::from_str(&text).unwrap()).unwrap();
        }
        prop_assert_eq!(&replayed, &bench.plans);
        let checkpoint: Plans = serde_json::from_str(&serde_json::to_string(&bench.plans).unwrap()).unwrap();
        prop_assert_eq!(checkpoint, replayed);
    }

    #[test]
    fn raw_steps_send_a_leg_once_per_intent_and_never_after_its_end(picks in prop::collection::vec(0_usize..17, 1..120)) {
        let mut bench = Bench::with_plan();
        let steps = every_step(&bench);
        let (mut intents, mut sends) = (0, 0);
        for pick in picks {
            let before = bench.plans.clone();
            let was = before.leg(leg(0)).unwrap().state;
            let step = PlanTransition::Leg { id: leg(0), transition: steps[pick].clone() };
            if bench.plans.apply(&step).is_err() {
                prop_assert_eq!(&bench.plans, &before, "a refused step changed something");
                continue;
            }
            prop_assert!(!was.is_terminal());
            intents += u32::from(matches!(steps[pick], LegTransition::Intent { .. }));
            sends += u32::from(steps[pick] == LegTransition::Sent);
            prop_assert!(sends <= intents, "sent without an intent of its own");
        }
        prop_assert_eq!(bench.plans.leg(leg(0)).unwrap().sends, sends);
    }
}
