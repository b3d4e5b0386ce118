//! What the bus loses, from a full mailbox to the alarm on the screen, through both drivers.

use std::time::Duration;

use tokio::sync::watch;

use crate::bus::{Delivery, Filter, Mailbox, MessageBus};
use crate::config::Config;
use crate::coordinator::snapshot::Snapshot;
use crate::domain::{
    Actor, InstallId, Message, MessageId, Payload, Priority, SafeText, SystemEvent, SystemEventKind, Topic,
};
use crate::runtime::live_driver::{Engine, LiveDriver};
use crate::runtime::options::{ColorChoice, MarketChoice, RunOptions, Speed, SummaryFormat};
use crate::runtime::start::Assembly;
use crate::runtime::virtual_driver::VirtualDriver;

fn options(speed: Speed) -> RunOptions {
    RunOptions {
        market: MarketChoice::Simulated,
        speed,
        seed: 7,
        run_for: None,
        console: false,
        summary: SummaryFormat::Text,
        operator_script: None,
        operator: None,
        data_dir: None,
        durable: false,
        read_only: false,
        ascii: false,
        color: ColorChoice::Never,
        config: Config::defaults().unwrap().into(),
    }
}

/// Must see everything, and never looks.
fn stuck_archive(bus: &MessageBus) -> Mailbox {
    bus.subscribe("archive", &Topic::ALL, Delivery::Reliable { capacity: 2 }, Filter::all())
}

fn alarms_about_the_archive(snapshot: &Snapshot) -> usize {
    snapshot.alarms.iter().filter(|row| row.title.as_str().contains("archive")).count()
}

#[test]
fn a_full_reliable_mailbox_is_an_alarm_in_virtual_time() {
    let place = tempfile::tempdir().unwrap();
    let assembly = Assembly::new(&options(Speed::Max), place.path()).unwrap();
    let archive = stuck_archive(&assembly.world.bus);
    let hour = Some(Duration::from_secs(3_600));
    let (snapshot, _, _) = VirtualDriver::seen_after(assembly, 7, hour).unwrap();
    assert!(archive.is_closed());
    assert_eq!(alarms_about_the_archive(&snapshot), 1, "{:?}", snapshot.alarms);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_run_alarms_about_a_full_reliable_mailbox_and_keeps_the_bus_clean() {
    let place = tempfile::tempdir().unwrap();
    let assembly = Assembly::new(&options(Speed::Times(3_600)), place.path()).unwrap();
    let (bus, now) = (assembly.world.bus.clone(), assembly.begins_at);
    let short_lived = std::sync::Arc::new(Message {
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
    let remembered = std::sync::Arc::downgrade(&short_lived);
    assert_eq!(bus.publish(short_lived, now).unwrap().mailboxes, 0);
    let archive = stuck_archive(&bus);

    let Engine { driver, handle, watchdog } = LiveDriver::prepare(assembly, 3_600, Actor::Script).unwrap();
    let (stop, stopped) = watch::channel(None);
    let running = tokio::spawn(driver.run(None, stopped));
    let mut snapshots = handle.snapshots();
    // The last word of the guest outlives its place in the history: only the clean-up takes it out.
    snapshots
        .wait_for(|now| alarms_about_the_archive(now) == 1 && remembered.upgrade().is_none())
        .await
        .unwrap();
    assert!(archive.is_closed());

    stop.send_replace(Some(SafeText::ours("seen")));
    running.await.unwrap().unwrap();
    assert!(!bus.is_running());
    drop(watchdog);
}
