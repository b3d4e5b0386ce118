//! The bus in a live run; the latch; and what the core hears of a venue.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rust_decimal::Decimal;
use tokio::sync::watch;

use super::{WatchedLatch, World};
use crate::config::Config;
use crate::coordinator::effect::Effect;
use crate::coordinator::input::Input;
use crate::domain::{
    Actor, Candle, CandleSpan, ClientOrderId, CommandId, DecisionId, Fill, InstallId, Message, MessageId,
    Order, OrderKind, Payload, PlanId, Priority, Purpose, ReasonCode, SafeText, Seq, Side, Symbol,
    SystemEvent, SystemEventKind, Timestamp, Topic, TradeId, TradingState, VenueEvent,
};
use crate::gate::AnyPermit;
use crate::market::CandleStore;
use crate::runtime::live_driver::{Engine, LiveDriver};
use crate::runtime::options::{RunOptions, Speed, simulated_for};
use crate::runtime::start::Assembly;
use crate::store::OrderNotes;
use crate::venue::{Answer, CancelScope, OrderReport, ProtectiveOrder, Venue, VenueError};

fn options(speed: Speed) -> RunOptions {
    RunOptions { speed, run_for: None, ..simulated_for(Duration::ZERO) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_run_keeps_the_bus_clean_and_stops_it_at_the_end() {
    let place = tempfile::tempdir().unwrap();
    let assembly = Assembly::new(&options(Speed::Times(3_600)), place.path()).unwrap();
    let (bus, now) = (assembly.world.bus.clone(), assembly.begins_at);
    let short_lived = Arc::new(Message {
        id: MessageId::sequential(InstallId::derived("tests"), 1, 1),
        topic: Topic::SystemEvents,
        source: "guest".into(),
        priority: Priority::Low,
        timestamp: now,
        ttl: Some(Duration::from_secs(1)),
        correlation_id: None,
        payload: Payload::System(SystemEvent {
            kind: SystemEventKind::Started,
            symbol: None,
            detail: SafeText::default(),
        }),
    });
    let remembered = Arc::downgrade(&short_lived);
    assert_eq!(bus.publish(short_lived, now).unwrap().mailboxes, 0);

    let Engine { driver, handle, watchdog, lock, .. } =
        LiveDriver::prepare(assembly, 3_600, Actor::Script).unwrap();
    let (stop, stopped) = watch::channel(None);
    let running = tokio::spawn(driver.run(None, stopped));
    let mut snapshots = handle.snapshots();
    // The last word of the guest outlives its place in the history: only the clean-up takes it out.
    snapshots.wait_for(|_| remembered.upgrade().is_none()).await.unwrap();

    stop.send_replace(Some(SafeText::ours("seen")));
    running.await.unwrap().unwrap();
    assert!(!bus.is_running());
    drop((watchdog, lock));
}

fn candle_at(minute: i64) -> Candle {
    let [open, high, low, close] = [Decimal::ONE_HUNDRED; 4];
    Candle {
        symbol: Symbol::new("BTC/USDT").unwrap(),
        open_time: Timestamp::from_secs(minute * 60),
        interval_secs: 60,
        open,
        high,
        low,
        close,
        volume: Decimal::ONE,
        synthetic: false,
    }
}

fn leg() -> Order {
    let purpose = Purpose::Leg { plan: PlanId(1), leg: 0 };
    Order {
        client_id: ClientOrderId::derive(InstallId::derived("test"), &purpose.intent()),
        symbol: Symbol::new("BTC/USDT").unwrap(),
        side: Side::Buy,
        quantity: Decimal::ONE,
        kind: OrderKind::Limit {
            price: Decimal::TEN,
            valid_until: Some(Timestamp::from_secs(86_400 * 365 * 80)),
        },
        purpose,
        protection: None,
    }
}

#[test]
fn an_order_is_handed_over_until_its_deadline_and_not_after() {
    let place = tempfile::tempdir().unwrap();
    let mut world = Assembly::new(&options(Speed::Max), place.path()).unwrap().world;
    let approved = world.gate.epoch();
    let deadline = Timestamp::from_secs(1_000);
    let submit =
        || Effect::Submit { order: leg().into(), deadline: Some(deadline), approved, recorded: Seq(1) };
    let late = world.carry_out(deadline.plus(Duration::from_millis(1)), submit());
    let reason = ReasonCode::DeadlinePassed;
    assert_eq!(late, [Input::NotHandedOver { client_id: leg().client_id, reason }]);
    assert!(matches!(world.carry_out(deadline, submit())[..], [Input::Venue(_), ..]));
}

/// A world whose venue cannot write, and what it says to an order.
#[cfg(target_os = "linux")]
fn beside_a_full_disk(place: &Path) -> (World, Vec<Input>) {
    use crate::venue::{PaperTerms, PaperVenue};

    let mut world = Assembly::new(&options(Speed::Max), place).unwrap().world;
    let terms = PaperTerms::new(
        &Config::defaults().unwrap().execution.paper,
        [candle_at(0).symbol],
        CandleSpan::new(candle_at(0).interval()),
    );
    world.venue = Box::new(PaperVenue::on_a_full_disk(terms).unwrap());
    world.candle(candle_at(1).close_time(), candle_at(1));
    let submit = Effect::Submit {
        order: leg().into(),
        deadline: None,
        approved: world.gate.epoch(),
        recorded: Seq(1),
    };
    let answer = world.carry_out(Timestamp::from_secs(120), submit);
    (world, answer)
}

#[cfg(target_os = "linux")]
#[test]
fn a_venue_that_fails_is_told_of_once_and_wakes_nobody_any_more() {
    let place = tempfile::tempdir().unwrap();
    let (mut world, unanswered) = beside_a_full_disk(place.path());
    assert!(matches!(unanswered[..], [Input::Venue(_)]), "{unanswered:?}");
    let told = world.candle(candle_at(2).close_time(), candle_at(2));
    assert!(matches!(told[..], [Input::VenueFailed { .. }, Input::Candle(_)]), "{told:?}");
    assert!(matches!(world.candle(candle_at(3).close_time(), candle_at(3))[..], [Input::Candle(_)]));
    assert_eq!(world.venue_expiry(), None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_protection_that_the_venue_cannot_lower_is_a_venue_that_has_failed() {
    let place = tempfile::tempdir().unwrap();
    let (mut world, _) = beside_a_full_disk(place.path());
    let shrink = Effect::ShrinkProtection { client_id: leg().client_id, quantity: Decimal::ONE };
    let told = world.carry_out(Timestamp::from_secs(121), shrink);
    assert!(matches!(told[..], [Input::VenueFailed { .. }]), "{told:?}");
}

#[test]
fn the_latch_goes_only_as_it_was_shown_and_only_if_nobody_halted_since() {
    let place = tempfile::tempdir().unwrap();
    let mut world = Assembly::new(&options(Speed::Max), place.path()).unwrap().world;
    let halt = place.path().join("HALT");
    let set = |reason: &str| Effect::SetLatch { reason: SafeText::ours(reason) };
    let seen = world.gate.halt();
    assert_eq!(world.carry_out(Timestamp::EPOCH, set("smoke")), []);

    std::fs::write(&halt, "do not release").unwrap();
    let [Input::GateShut { to: TradingState::Halted, reason, .. }] =
        &world.carry_out(Timestamp::EPOCH, Effect::ReleaseLatch { seen })[..]
    else {
        panic!("a latch that nobody was shown was released");
    };
    assert!(reason.as_str().contains("do not release") && halt.exists(), "{reason}");
    assert_eq!(world.carry_out(Timestamp::EPOCH, Effect::ReleaseLatch { seen }), [], "overtaken by a halt");
    assert!(halt.exists());

    world.carry_out(Timestamp::EPOCH, set("again"));
    let release = Effect::ReleaseLatch { seen: world.gate.epoch() };
    assert_eq!(world.carry_out(Timestamp::EPOCH, release), []);
    assert!(!halt.exists());
}

#[test]
fn a_halt_over_a_latch_that_nobody_was_shown_does_not_count_it_as_shown() {
    let place = tempfile::tempdir().unwrap();
    let (mut latch, _) = WatchedLatch::look(crate::store::Latch::new(place.path()));
    std::fs::write(place.path().join("HALT"), "do not release").unwrap();
    latch.set(&SafeText::ours("smoke")).unwrap();
    assert!(latch.release().unwrap_err().contains("do not release"));
    latch.release().unwrap();
}

#[cfg(unix)]
#[test]
fn a_latch_that_cannot_be_set_is_told_to_the_core() {
    let place = tempfile::tempdir().unwrap();
    let mut world = Assembly::new(&options(Speed::Max), place.path()).unwrap().world;
    let (latch, _) = WatchedLatch::look(crate::store::Latch::new(&place.path().join("gone")));
    world.latch = Some(latch);
    let told = world.carry_out(Timestamp::EPOCH, Effect::SetLatch { reason: SafeText::ours("smoke") });
    assert!(matches!(told[..], [Input::LatchFailed { .. }]), "{told:?}");
}

#[test]
fn a_latch_that_a_power_cut_may_undo_is_told_and_one_reason_more_is_not() {
    let place = tempfile::tempdir().unwrap();
    let (mut latch, _) = WatchedLatch::look(crate::store::Latch::new(place.path()));
    latch.arm().unwrap();
    // It can be renamed, and not written.
    std::fs::remove_file(place.path().join("halt.armed")).unwrap();
    std::fs::create_dir(place.path().join("halt.armed")).unwrap();
    let told = latch.set(&SafeText::ours("smoke")).unwrap_err();
    assert!(told.as_str().contains("a power cut may undo it"), "{told}");
    assert!(place.path().join("HALT").exists());
    latch.set(&SafeText::ours("again")).unwrap();
}

fn flatten() -> Order {
    let purpose = Purpose::Flatten { number: 1 };
    let client_id = ClientOrderId::derive(InstallId::derived("test"), &purpose.intent());
    Order { client_id, side: Side::Sell, kind: OrderKind::Market { bound: None }, purpose, ..leg() }
}

/// A world that was halted, and had a price a moment before.
fn halted_world(place: &std::path::Path) -> World {
    let mut world = Assembly::new(&options(Speed::Max), place).unwrap().world;
    world.candle(candle_at(1).close_time(), candle_at(1));
    world.gate.halt();
    world
}

#[test]
fn what_is_not_durable_lets_exits_out_after_a_note_and_nothing_else_to_the_venue() {
    let place = tempfile::tempdir().unwrap();
    let mut world = halted_world(place.path());
    let (now, seen) = (candle_at(1).close_time(), world.gate.epoch());
    let submit = |order: &Order| Effect::Submit {
        order: order.clone().into(),
        deadline: None,
        approved: seen,
        recorded: Seq(1),
    };

    let sold = world.carry_out_not_durable(now, submit(&flatten()));
    assert!(matches!(sold[..], [Input::Venue(VenueEvent::Accepted { .. }), ..]), "{sold:?}");
    assert_eq!(OrderNotes::new(place.path()).read().unwrap().orders, [flatten()]);

    // Not even in an epoch of the gate that would let it pass.
    let command = CommandId(1);
    world.gate.open(seen, TradingState::Running).unwrap();
    let decision = DecisionId(1);
    for purpose in [Purpose::Entry { decision }, leg().purpose, Purpose::Exit { decision }] {
        let client_id = ClientOrderId::derive(InstallId::derived("test"), &purpose.intent());
        let order = Order { client_id, purpose, ..leg() };
        let submit = Effect::Submit {
            order: order.into(),
            deadline: None,
            approved: world.gate.epoch(),
            recorded: Seq(1),
        };
        let refused = world.carry_out_not_durable(now, submit);
        let reason = ReasonCode::GateShut;
        assert_eq!(refused, [Input::NotHandedOver { client_id, reason }], "{purpose:?}");
    }
    assert_eq!(OrderNotes::new(place.path()).read().unwrap().orders, [flatten()], "only what went out");
    let open = Effect::OpenGate { seen: world.gate.epoch(), to: TradingState::Running, command };
    assert_eq!(world.carry_out_not_durable(now, open), [Input::GateNotOpened { command }]);

    world.carry_out(now, Effect::SetLatch { reason: SafeText::ours("disk") });
    let release = Effect::ReleaseLatch { seen: world.gate.epoch() };
    assert_eq!(world.carry_out_not_durable(now, release), []);
    assert!(place.path().join("HALT").exists(), "the latch holds");
    world.carry_out_not_durable(now, Effect::PutNotesAway);
    assert_eq!(OrderNotes::new(place.path()).read().unwrap().orders.len(), 1, "what was noted stays");
}

/// A venue that looks, when it gets an order, at what is noted beside the latch.
struct Witness {
    notes: OrderNotes,
    noted: Arc<Mutex<Vec<Order>>>,
}

impl Venue for Witness {
    fn submit(&mut self, _: Timestamp, _: &Order, _: AnyPermit<'_>) -> Result<Vec<VenueEvent>, VenueError> {
        *self.noted.lock().unwrap() = self.notes.read().unwrap().orders;
        Ok(Vec::new())
    }
    fn cancel(&mut self, _: ClientOrderId) -> Result<Vec<VenueEvent>, VenueError> {
        Ok(Vec::new())
    }
    fn cancel_all(&mut self, _: CancelScope) -> Result<Vec<VenueEvent>, VenueError> {
        Ok(Vec::new())
    }
    fn shrink_protection(&mut self, _: ClientOrderId, quantity: Decimal) -> Result<Decimal, VenueError> {
        Ok(quantity)
    }
    fn open_orders(&self) -> Result<Vec<OrderReport>, VenueError> {
        Ok(Vec::new())
    }
    fn protective_orders(&self) -> Result<Vec<ProtectiveOrder>, VenueError> {
        Ok(Vec::new())
    }
    fn query(&self, _: ClientOrderId) -> Result<Answer, VenueError> {
        Ok(Answer::Absent)
    }
    fn fills_since(&self, _: TradeId) -> Result<Vec<Fill>, VenueError> {
        Ok(Vec::new())
    }
    fn on_candle(&mut self, _: &Candle) -> Result<Vec<VenueEvent>, VenueError> {
        Ok(Vec::new())
    }
    fn on_time(&mut self, _: Timestamp) -> Result<Vec<VenueEvent>, VenueError> {
        Ok(Vec::new())
    }
    fn next_expiry(&self) -> Option<Timestamp> {
        None
    }
}

#[test]
fn an_exit_without_a_record_is_noted_before_the_venue_sees_it() {
    let place = tempfile::tempdir().unwrap();
    let mut world = halted_world(place.path());
    let noted = Arc::default();
    world.venue = Box::new(Witness { notes: OrderNotes::new(place.path()), noted: Arc::clone(&noted) });
    let submit = Effect::Submit {
        order: flatten().into(),
        deadline: None,
        approved: world.gate.epoch(),
        recorded: Seq(1),
    };
    world.carry_out_not_durable(candle_at(1).close_time(), submit);
    assert_eq!(*noted.lock().unwrap(), [flatten()]);
}

#[test]
fn an_exit_that_cannot_even_be_noted_goes_out_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let mut world = halted_world(place.path());
    world.notes = Some(OrderNotes::new(&place.path().join("gone")));
    let submit = Effect::Submit {
        order: flatten().into(),
        deadline: None,
        approved: world.gate.epoch(),
        recorded: Seq(1),
    };
    let sold = world.carry_out_not_durable(candle_at(1).close_time(), submit);
    assert!(matches!(sold[..], [Input::Venue(VenueEvent::Accepted { .. }), ..]), "{sold:?}");
}

#[test]
fn what_the_venue_has_done_since_a_trade_is_told_order_first_and_once_each() {
    let place = tempfile::tempdir().unwrap();
    let mut world = halted_world(place.path());
    let now = candle_at(1).close_time();
    let submit = Effect::Submit {
        order: flatten().into(),
        deadline: None,
        approved: world.gate.epoch(),
        recorded: Seq(1),
    };
    world.carry_out_not_durable(now, submit);
    world.candle(candle_at(2).close_time(), candle_at(2));

    let told = world.carry_out(now, Effect::FetchFills { after: TradeId(0) });

    let [Input::OrderFound(order), Input::Venue(VenueEvent::Filled { fill, done: true })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((&**order, fill.client_id), (&flatten(), flatten().client_id));
    let asked = world.carry_out(now, Effect::Query { client_id: flatten().client_id });
    let [Input::OrderFound(order), Input::Venue(VenueEvent::Accepted { .. }), filled] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!((&**order, filled), (&flatten(), &told[1]));
    let none = world.carry_out(now, Effect::FetchFills { after: fill.trade_id });
    assert_eq!(none, [], "that trade is in the books");
}

#[test]
fn a_candle_dated_ahead_moves_neither_indicators_nor_venue() {
    let place = tempfile::tempdir().unwrap();
    let mut world = Assembly::new(&options(Speed::Max), place.path()).unwrap().world;
    let symbol = candle_at(0).symbol;
    // Without the history of the run, which is younger than these candles.
    world.candles = CandleStore::new(Config::defaults().unwrap().agents.indicators);
    let closes = |world: &World| world.candles.last(&symbol).map(Candle::close_time);
    world.candle(candle_at(1).close_time(), candle_at(1));

    let told = world.candle(candle_at(1).close_time(), candle_at(3));
    assert!(matches!(told[..], [Input::Candle(_)]), "the core is told: {told:?}");
    assert_eq!(closes(&world), Some(candle_at(1).close_time()));

    world.candle(candle_at(2).close_time(), candle_at(2));
    assert_eq!(closes(&world), Some(candle_at(2).close_time()), "the next honest one is taken");
}
