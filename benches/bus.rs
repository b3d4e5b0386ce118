//! Figures of the message bus, with a bare `tokio::sync::mpsc` of `Arc<Message>` in the same run as the yardstick.
//!
//! `cargo bench --bench bus`. The last two figures are not loops criterion can time and are printed as text:
//! bytes held by 1,000 messages of 1 KB, and the latency of Urgent messages in a flowing bus.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on must stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon::bus::{Delivery, Filter, Mailbox, MessageBus, Query, wire};
use andon::config;
use andon::domain::{
    Bias, Confidence, InstallId, Message, MessageId, Payload, Priority, Symbol, TaSignal, Timestamp, Topic,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use futures_util::FutureExt;

const NOW: Timestamp = Timestamp::from_secs(1_640_995_200);
/// Messages per measured loop.
const BATCH: u64 = 1_000;

fn bus(max_history_size: usize) -> MessageBus {
    MessageBus::new(&config::MessageBus {
        max_history_size,
        max_message_bytes: 64 * 1024,
        cleanup_every: Duration::from_secs(60),
    })
}

fn install() -> InstallId {
    InstallId::derived("bench")
}

/// Built as the core builds one: symbol and source are shared, the text is new.
fn message(symbol: &Symbol, source: &Arc<str>, count: u64, reasoning: &str) -> Message {
    Message {
        id: MessageId::sequential(install(), 1, count),
        topic: Topic::TaSignals,
        source: Arc::clone(source),
        priority: Priority::Normal,
        timestamp: NOW,
        ttl: Some(Duration::from_secs(120)),
        correlation_id: None,
        payload: Payload::Ta(TaSignal {
            symbol: symbol.clone(),
            bias: Bias::Long,
            confidence: Confidence::ONE,
            atr_pct: Some(1.2),
            atr_ratio: None,
            support: None,
            resistance: None,
            reasoning: reasoning.into(),
        }),
    }
}

struct Parts {
    symbol: Symbol,
    source: Arc<str>,
}

impl Parts {
    fn new() -> Self {
        Self { symbol: Symbol::new("BTC/USDT").unwrap(), source: "technical_analysis".into() }
    }

    fn message(&self, count: u64) -> Message {
        message(&self.symbol, &self.source, count, "trend up on the hourly bars")
    }
}

fn subscribe(bus: &MessageBus, name: &str, delivery: Delivery) -> Mailbox {
    bus.subscribe(name, &[Topic::TaSignals], delivery, Filter::all())
}

/// Publish and receive, one after the other, as fast as one task can.
fn one_mailbox(c: &mut Criterion) {
    let parts = Parts::new();
    let mut group = c.benchmark_group("one mailbox");
    group.throughput(Throughput::Elements(BATCH));

    let prebuilt: Vec<_> = (0..BATCH).map(|count| Arc::new(parts.message(count))).collect();
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Arc<Message>>(1_024);
    group.bench_function("yardstick: bare mpsc", |b| {
        b.iter(|| {
            for message in &prebuilt {
                sender.try_send(Arc::clone(message)).unwrap();
                black_box(receiver.recv().now_or_never().flatten().unwrap());
            }
        });
    });
    for (name, delivery) in
        [("lossy", Delivery::Lossy { capacity: 1_024 }), ("reliable", Delivery::Reliable { capacity: 1_024 })]
    {
        let bus = bus(1_000);
        let mut mailbox = subscribe(&bus, "reader", delivery);
        group.bench_function(format!("publish and receive, {name}"), |b| {
            b.iter(|| {
                for message in &prebuilt {
                    let _ = bus.publish(Arc::clone(message), NOW).unwrap();
                    black_box(mailbox.recv().now_or_never().flatten().unwrap());
                }
            });
        });
    }
    let bus = bus(1_000);
    let mut mailbox = subscribe(&bus, "reader", Delivery::Lossy { capacity: 1_024 });
    group.bench_function("build, publish and receive", |b| {
        b.iter(|| {
            for count in 0..BATCH {
                let _ = bus.publish(parts.message(count), NOW).unwrap();
                black_box(mailbox.recv().now_or_never().flatten().unwrap());
            }
        });
    });
    group.finish();
}

/// Publish alone; the mailboxes are lossy and drained between the loops.
fn many_mailboxes(c: &mut Criterion) {
    let parts = Parts::new();
    let prebuilt: Vec<_> = (0..BATCH).map(|count| Arc::new(parts.message(count))).collect();
    let mut group = c.benchmark_group("publish to mailboxes");
    group.throughput(Throughput::Elements(BATCH));
    for count in [0, 1, 4, 16, 64] {
        let bus = bus(1_000);
        let delivery = Delivery::Lossy { capacity: 1_024 };
        let mut mailboxes: Vec<_> = (0..count).map(|n| subscribe(&bus, &format!("m{n}"), delivery)).collect();
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |b, _| {
            b.iter_batched(
                || mailboxes.iter_mut().for_each(|mailbox| while mailbox.try_recv().is_ok() {}),
                |()| {
                    for message in &prebuilt {
                        let _ = bus.publish(Arc::clone(message), NOW).unwrap();
                    }
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn latest(c: &mut Criterion) {
    let parts = Parts::new();
    let rare = Symbol::new("XRP/BTC").unwrap();
    let mut group = c.benchmark_group("latest at history size");
    for size in [10, 1_000, 100_000] {
        let bus = bus(size);
        let _ = bus.publish(message(&rare, &parts.source, 0, "long evicted"), NOW).unwrap();
        for count in 0..=size as u64 {
            let _ = bus.publish(parts.message(count), NOW).unwrap();
        }
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |b, _| {
            b.iter(|| black_box(bus.latest(Topic::TaSignals, Some(black_box(&rare)))).unwrap());
        });
    }
    group.finish();
}

/// Resident memory of this process, bytes; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1_024
}

/// What a history of messages of 1,024 bytes in JSON costs. Many are held, so that pages and allocator slack
/// average out.
#[expect(clippy::print_stdout, reason = "the figure is this benchmark's result")]
fn memory() {
    const HELD: u64 = 100_000;
    let parts = Parts::new();
    let bare = wire::encode(&message(&parts.symbol, &parts.source, 0, ""), usize::MAX).unwrap().len();
    let text = "x".repeat(1_024 - bare);
    let bus = bus(usize::try_from(HELD).unwrap());
    let before = resident_bytes();
    for count in 0..HELD {
        let _ = bus.publish(message(&parts.symbol, &parts.source, count, &text), NOW).unwrap();
    }
    let held = bus.history(&Query { limit: 1, ..Query::default() });
    let bytes = resident_bytes().saturating_sub(before) * 1_000 / HELD;
    println!("1,000 messages of 1,024 bytes of JSON in history: {bytes} bytes (of {HELD}, {})", held.len());
}

/// 10,000 messages a second flow to a reader and to a stuck lossy subscriber; every hundredth is Urgent. The time
/// runs from just before publishing to just after receiving in another task.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
#[expect(clippy::print_stdout, reason = "the figure is this benchmark's result")]
fn urgent_latency() {
    const PER_SECOND: u64 = 10_000;
    const SECONDS: u64 = 10;
    let parts = Parts::new();
    let bus = bus(1_000);
    let _stuck = subscribe(&bus, "stuck", Delivery::Lossy { capacity: 256 });
    let mut reader = subscribe(&bus, "reader", Delivery::Reliable { capacity: 4_096 });
    let start = Instant::now();
    let receiving = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async move {
            let mut latencies = Vec::new();
            while let Some(message) = reader.recv().await {
                if message.priority == Priority::Urgent {
                    let sent = Duration::from_nanos(message.id.uuid().as_u64_pair().1 & 0xff_ffff_ffff);
                    latencies.push(start.elapsed().saturating_sub(sent));
                }
            }
            latencies
        })
    });
    for count in 0..PER_SECOND * SECONDS {
        let due = Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap() * u32::try_from(count).unwrap();
        if let Some(early) = due.checked_sub(start.elapsed()) {
            std::thread::sleep(early);
        }
        let urgent = count.is_multiple_of(100);
        let mut sent = parts.message(count);
        if urgent {
            sent.priority = Priority::Urgent;
            sent.source = "risk".into();
            // 40 bits of nanoseconds last 18 minutes.
            let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap();
            sent.id = MessageId::sequential(install(), 2, nanos);
        }
        assert_eq!(bus.publish(sent, NOW).unwrap().closed, 0);
    }
    let flowed = start.elapsed();
    bus.stop();
    let mut latencies = receiving.join().unwrap();
    latencies.sort();
    let at = |share: usize| latencies[(latencies.len() * share / 1_000).min(latencies.len() - 1)];
    println!(
        "Urgent latency at {:.0} msg/s with a stuck subscriber ({} dropped there): p50 {:?}, p99 {:?}, max {:?}",
        (PER_SECOND * SECONDS) as f64 / flowed.as_secs_f64(),
        bus.stats().counts.dropped,
        at(500),
        at(990),
        at(1_000)
    );
}

criterion_group! {
    name = figures;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = one_mailbox, many_mailboxes, latest
}

fn main() {
    figures();
    memory();
    urgent_latency();
    Criterion::default().configure_from_args().final_summary();
}
