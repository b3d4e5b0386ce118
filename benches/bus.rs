//! Figures of the message bus, with a bare `tokio::sync::mpsc` of `Arc<Message>` in the same run as the yardstick.
//!
//! `cargo bench --bench bus` takes about a minute. Three figures are not loops that criterion can time and
//! are printed as text: bytes held by messages in history, the share of the yardstick's speed, and the latency of
//! Urgent messages in a flowing bus. `cargo bench --bench bus -- NAME` runs those whose name contains NAME; the
//! three are called `bytes in history`, `share of the yardstick` and `urgent latency`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on must stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use andon::bus::{Filter, Mailbox, MessageBus, wire};
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

/// Built as the core builds one: installation, symbol and source are shared, the text is new.
fn message(parts: &Parts, symbol: &Symbol, count: u64, reasoning: &str) -> Message {
    Message {
        id: MessageId::sequential(parts.install, 1, count),
        topic: Topic::TaSignals,
        source: Arc::clone(&parts.source),
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
    install: InstallId,
    symbol: Symbol,
    source: Arc<str>,
}

impl Parts {
    fn new() -> Self {
        Self {
            install: InstallId::derived("bench"),
            symbol: Symbol::new("BTC/USDT").unwrap(),
            source: "technical_analysis".into(),
        }
    }

    fn message(&self, count: u64) -> Message {
        message(self, &self.symbol, count, "trend up on the hourly bars")
    }

    fn batch(&self) -> Vec<Arc<Message>> {
        (0..BATCH).map(|count| Arc::new(self.message(count))).collect()
    }
}

fn subscribe(bus: &MessageBus, name: &str, capacity: usize) -> Mailbox {
    bus.subscribe(name, &[Topic::TaSignals], capacity, Filter::all())
}

type Pipe = (tokio::sync::mpsc::Sender<Arc<Message>>, tokio::sync::mpsc::Receiver<Arc<Message>>);

/// One message after the other through the bare channel, as fast as one task can.
fn through_pipe(messages: &[Arc<Message>], (sender, receiver): &mut Pipe) {
    for message in messages {
        sender.try_send(Arc::clone(message)).unwrap();
        black_box(receiver.recv().now_or_never().flatten().unwrap());
    }
}

/// The same through the bus.
fn through_bus(messages: &[Arc<Message>], bus: &MessageBus, mailbox: &mut Mailbox) {
    for message in messages {
        bus.publish(Arc::clone(message), NOW).unwrap();
        black_box(mailbox.recv().now_or_never().flatten().unwrap());
    }
}

const CAPACITY: usize = 1_024;

fn one_mailbox(c: &mut Criterion) {
    let parts = Parts::new();
    let mut group = c.benchmark_group("one mailbox");
    group.throughput(Throughput::Elements(BATCH));

    let prebuilt = parts.batch();
    let mut pipe = tokio::sync::mpsc::channel(CAPACITY);
    group.bench_function("yardstick: bare mpsc", |b| b.iter(|| through_pipe(&prebuilt, &mut pipe)));
    let bus = bus(1_000);
    let mut mailbox = subscribe(&bus, "reader", CAPACITY);
    group.bench_function("publish and receive", |b| {
        b.iter(|| through_bus(&prebuilt, &bus, &mut mailbox));
    });
    group.bench_function("build, publish and receive", |b| {
        b.iter(|| {
            for count in 0..BATCH {
                bus.publish(parts.message(count), NOW).unwrap();
                black_box(mailbox.recv().now_or_never().flatten().unwrap());
            }
        });
    });
    group.finish();
}

/// How fast the bus is beside the bare channel. The two take turns every few tens of microseconds, so that
/// whatever else the machine does strikes them alike; each round gives one share, and the median counts.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
#[expect(clippy::print_stdout, reason = "the figure is this benchmark's result")]
fn share_of_the_yardstick() {
    const ROUNDS: usize = 5_001;
    let prebuilt = Parts::new().batch();
    let mut pipe = tokio::sync::mpsc::channel(CAPACITY);
    let bus = bus(1_000);
    let mut mailbox = subscribe(&bus, "reader", CAPACITY);
    let timed = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let mut shares = Vec::new();
    for _ in 0..ROUNDS {
        let yardstick = timed(&mut || through_pipe(&prebuilt, &mut pipe));
        shares.push(yardstick / timed(&mut || through_bus(&prebuilt, &bus, &mut mailbox)));
    }
    println!("share of the yardstick (median of {ROUNDS} rounds): {:.2}", median(shares));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Publish alone; the mailboxes are drained between the loops.
fn many_mailboxes(c: &mut Criterion) {
    let parts = Parts::new();
    let prebuilt = parts.batch();
    let mut group = c.benchmark_group("publish to mailboxes");
    group.throughput(Throughput::Elements(BATCH));
    for count in [0, 1, 4, 16, 64] {
        let bus = bus(1_000);
        let mut mailboxes: Vec<_> = (0..count).map(|n| subscribe(&bus, &format!("m{n}"), CAPACITY)).collect();
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |b, _| {
            b.iter_batched(
                || mailboxes.iter_mut().for_each(|mailbox| while mailbox.try_recv().is_ok() {}),
                |()| {
                    for message in &prebuilt {
                        bus.publish(Arc::clone(message), NOW).unwrap();
                    }
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Subscribing an id again among 64.
fn replacing(c: &mut Criterion) {
    let bus = bus(1_000);
    let mut mailboxes: Vec<_> = (0..64).map(|n| subscribe(&bus, &format!("m{n}"), CAPACITY)).collect();
    c.bench_function("subscribe again among 64 mailboxes", |b| {
        b.iter(|| mailboxes[63] = subscribe(&bus, "m63", CAPACITY));
    });
}

fn latest(c: &mut Criterion) {
    let parts = Parts::new();
    let rare = Symbol::new("XRP/BTC").unwrap();
    let mut group = c.benchmark_group("latest at history size");
    for size in [10, 1_000, 100_000] {
        let bus = bus(size);
        bus.publish(message(&parts, &rare, 0, "long evicted"), NOW).unwrap();
        for count in 0..=size as u64 {
            bus.publish(parts.message(count), NOW).unwrap();
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
/// average out; runs first, before freed memory could be used again unseen.
#[expect(clippy::print_stdout, reason = "the figure is this benchmark's result")]
fn bytes_in_history() {
    const HELD: u64 = 100_000;
    let parts = Parts::new();
    let bare = wire::encode(&message(&parts, &parts.symbol, 0, ""), usize::MAX).unwrap().len();
    let text = "x".repeat(1_024 - bare);
    let bus = bus(usize::try_from(HELD).unwrap());
    let before = resident_bytes();
    for count in 0..HELD {
        bus.publish(message(&parts, &parts.symbol, count, &text), NOW).unwrap();
    }
    let bytes = resident_bytes().saturating_sub(before) * 1_000 / HELD;
    assert_eq!(bus.stats().history as u64, HELD);
    println!("bytes in history, per 1,000 messages of 1,024 bytes of JSON ({HELD} held): {bytes}");
}

/// Messages that flow per second, of which every hundredth is Urgent.
const PER_SECOND: u32 = 10_000;
const URGENT_EVERY: u32 = 100;

/// A stream of messages at a steady pace. Between messages its thread yields: a sleep of 100 us is late by as much
/// again, and a thread that spins keeps off its core the reader that it has just woken there, for milliseconds.
struct Flow {
    parts: Parts,
    start: Instant,
    sent: u32,
}

impl Flow {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    fn new() -> Self {
        Self { parts: Parts::new(), start: Instant::now(), sent: 0 }
    }

    /// Lets a second of messages flow. The publisher sleeps until the next one is due, as every publisher of the program
    /// does: one that kept its core busy meanwhile would be measured against the reader that it wakes. What is due by
    /// then goes out at once.
    fn second(&mut self, mut publish: impl FnMut(Message)) {
        let begin = self.start.elapsed();
        for n in 0..PER_SECOND {
            let due = begin + Duration::from_secs(1) / PER_SECOND * n;
            if let Some(early) = due.checked_sub(self.start.elapsed()) {
                std::thread::sleep(early);
            }
            self.sent += 1;
            publish(self.next(n % URGENT_EVERY == 0));
        }
    }

    /// An Urgent message carries the instant of its making in its id: 40 bits of nanoseconds last 18 minutes.
    fn next(&self, urgent: bool) -> Message {
        let plain = self.parts.message(u64::from(self.sent));
        if !urgent {
            return plain;
        }
        let nanos = u64::try_from(self.start.elapsed().as_nanos()).unwrap();
        let id = MessageId::sequential(self.parts.install, 2, nanos);
        Message { id, priority: Priority::Urgent, source: "risk".into(), ..plain }
    }
}

/// Receives on a thread of its own until there is nothing more; gives the latencies of the Urgent messages.
fn listen(
    start: Instant,
    mut next: impl AsyncFnMut() -> Option<Arc<Message>> + Send + 'static,
) -> JoinHandle<Vec<Duration>> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut latencies = Vec::new();
            while let Some(message) = next().await {
                if message.priority == Priority::Urgent {
                    let sent = Duration::from_nanos(message.id.uuid().as_u64_pair().1 & 0xff_ffff_ffff);
                    latencies.push(start.elapsed().saturating_sub(sent));
                }
            }
            latencies
        })
    })
}

/// From just before an Urgent message is published to just after a sleeping task on another thread has received it,
/// while messages flow and another subscriber is stuck. Most of it is the operating system waking that thread: the
/// bare channel, which takes turns with the bus second by second, says how much.
#[expect(clippy::print_stdout, reason = "the figure is this benchmark's result")]
fn urgent_latency() {
    const SECONDS_EACH: u32 = 10;
    let mut flow = Flow::new();
    let bus = bus(1_000);
    let stuck = subscribe(&bus, "stuck", 256);
    let mut mailbox = subscribe(&bus, "reader", 4_096);
    let (pipe, mut end) = tokio::sync::mpsc::channel(4_096);
    let of_bus = listen(flow.start, async move || mailbox.recv().await);
    let of_pipe = listen(flow.start, async move || end.recv().await);
    for _ in 0..SECONDS_EACH {
        flow.second(|message| assert!(bus.publish(message, NOW).is_ok()));
        flow.second(|message| pipe.try_send(Arc::new(message)).unwrap());
    }
    let dropped = stuck.counts().dropped;
    bus.stop();
    drop(pipe);
    for (name, latencies) in [("bus", of_bus), ("yardstick: bare mpsc", of_pipe)] {
        let mut latencies = latencies.join().unwrap();
        latencies.sort();
        assert_eq!(latencies.len(), (SECONDS_EACH * PER_SECOND / URGENT_EVERY) as usize);
        let at = |share: usize| latencies[(latencies.len() * share / 1_000).min(latencies.len() - 1)];
        println!("urgent latency, {name}: p50 {:?}, p99 {:?}, max {:?}", at(500), at(990), at(1_000));
    }
    println!("  ({PER_SECOND} messages a second flowing, {dropped} dropped by the stuck subscriber)");
}

criterion_group! {
    name = figures;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = one_mailbox, many_mailboxes, replacing, latest
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_trial = arguments.iter().any(|argument| argument == "--test" || argument == "--list");
    let wanted =
        |name: &str| !is_trial && (filters.is_empty() || filters.iter().any(|filter| name.contains(*filter)));
    if wanted("bytes in history") {
        bytes_in_history();
    }
    figures();
    if wanted("share of the yardstick") {
        share_of_the_yardstick();
    }
    if wanted("urgent latency") {
        urgent_latency();
    }
    Criterion::default().configure_from_args().final_summary();
}
