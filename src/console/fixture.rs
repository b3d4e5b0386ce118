//! The screen of the drawing board as a snapshot: a daily-loss breaker has paused the system 12 s ago.

use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::app::{Action, App};
use super::facts::Facts;
use super::keymap::Keymap;
use super::{Options, view};
use crate::alarm::AlarmClass;
use crate::bus::MessageBus;
use crate::config::{Config, TaskName};
use crate::coordinator::block::Block;
use crate::coordinator::snapshot::{
    AlarmRow, AllocationRow, Check, ComponentView, ConsensusRow, ControlView, DecisionsView, DegradationView,
    HaltReason, HealthRow, HealthStatus, LastSignal, LegView, PlanView, PortfolioView, PositionView,
    ReleaseView, ResumeView, Snapshot, TallyView, TaskRow, TaskState, VoiceView,
};
use crate::domain::{
    self, AlarmId, Asset, Bias, Candle, Confidence, Conflict, ConflictKind, Decision, DecisionId, Epoch,
    Level, Message, MessageId, Now, Outcome, Payload, Pct, PlanId, Priority, ReasonCode, Regime, Resolution,
    ResolutionAction, ResolvedBy, RiskAlert, SafeText, SentimentBias, Seq, Severity, Side, Signal, SignalId,
    Symbol, SystemEvent, SystemEventKind, TaSignal, Timestamp, TradingState, Untrusted,
};
use crate::gate::{Gate, Reading};
use crate::runtime::handle::{Handle, Request};

/// The instant of the sketch, on both clocks.
pub fn now() -> Now {
    Now::both("2026-03-14T10:42:07Z".parse().unwrap())
}

pub fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn safe(text: &str) -> SafeText {
    SafeText::ours(text)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn ago(span: u64) -> Timestamp {
    now().operator.minus(secs(span))
}

fn ahead(span: u64) -> Timestamp {
    now().market.plus(secs(span))
}

pub fn keymap() -> Keymap {
    Keymap::new(&Config::defaults().unwrap().console).unwrap()
}

pub fn reading(state: TradingState) -> Reading {
    Reading { state, epoch: Epoch { run: 1, count: 4 }, permits_in_use: 0 }
}

pub fn facts(snapshot: Snapshot) -> Facts {
    let state = snapshot.control.state;
    Facts { snapshot: Arc::new(snapshot), gate: reading(state), now: now(), has_ended: false }
}

/// The sketch, with the messages of the sketch; the Emergency box is put aside.
pub fn app() -> App {
    app_of(snapshot())
}

pub fn app_of(snapshot: Snapshot) -> App {
    app_with(facts(snapshot), Options::default())
}

/// A console as the default configuration makes it.
pub fn new_app(facts: Facts, options: Options) -> App {
    App::new(facts, options, keymap(), &Config::defaults().unwrap())
}

pub fn app_with(facts: Facts, options: Options) -> App {
    let mut app = new_app(facts.clone(), options);
    app.update(facts.clone(), Action::Traffic(traffic(), 0));
    if app.dialog().is_some() {
        app.update(later(&facts, 600), Action::Key("esc".parse().unwrap()));
    }
    app.update(facts, Action::Facts);
    app
}

/// The engine's ends of a handle.
pub struct Engine {
    pub gate: Gate,
    pub requests: mpsc::Receiver<Request>,
    /// Whoever has the handle borrows from it.
    _snapshots: watch::Sender<Arc<Snapshot>>,
}

/// A handle of an engine that is RUNNING and answers nothing, at an instant that stands.
pub fn engine() -> (Handle, Engine) {
    let (snapshots, seen) = watch::channel(Arc::new(empty()));
    let (send, requests) = mpsc::channel(16);
    let bus = MessageBus::new(&Config::defaults().unwrap().orchestration.message_bus);
    let gate = Gate::new(1, TradingState::Running);
    let handle = Handle::new(seen, send, gate.clone(), bus, Arc::new(now));
    (handle, Engine { gate, requests, _snapshots: snapshots })
}

/// The same facts, some milliseconds later by both clocks; the core goes on telling them.
pub fn later(facts: &Facts, millis: u64) -> Facts {
    let span = Duration::from_millis(millis);
    let now = Now { market: facts.now.market.plus(span), operator: facts.now.operator.plus(span) };
    let snapshot = Snapshot { at: now, ..(*facts.snapshot).clone() };
    Facts { snapshot: Arc::new(snapshot), now, ..facts.clone() }
}

/// The screen as text, one line per row, without trailing spaces.
pub fn screen(app: &App, width: u16, height: u16) -> String {
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, app)).unwrap();
    text_of(terminal.backend().buffer())
}

pub fn text_of(buffer: &ratatui::buffer::Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let rows = buffer.content.chunks(width).map(|row| {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

pub fn snapshot() -> Snapshot {
    let at = now();
    Snapshot {
        revision: 900,
        at: Now { operator: at.operator.minus(Duration::from_millis(100)), ..at },
        head: Seq(18_204),
        durable: Seq(18_204),
        control: Arc::new(control()),
        degradation: Arc::new(degradation()),
        consensus: Arc::new(consensus()),
        schedule: Arc::new(schedule()),
        plans: Arc::new(vec![plan()]),
        alarms: Arc::new(alarms()),
        decisions: Arc::new(decisions()),
        portfolio: Arc::new(portfolio()),
        health: Arc::new(health()),
    }
}

/// A system in its first moments: nothing has been said or done yet.
pub fn empty() -> Snapshot {
    let full = snapshot();
    Snapshot {
        control: Arc::new(running_control()),
        degradation: Arc::new(DegradationView {
            effective: Level::Normal,
            automatic: Level::Normal,
            forced: None,
            since: now().operator,
            llm_failures: 0,
            api_failures: 0,
            next_level_at: Some(3),
            components: Vec::new(),
            models_configured: false,
        }),
        consensus: Arc::default(),
        schedule: Arc::default(),
        plans: Arc::default(),
        alarms: Arc::default(),
        decisions: Arc::default(),
        portfolio: Arc::new(PortfolioView {
            equity: None,
            stale_since: None,
            day_pct: (None, decimal("5")),
            week_pct: (None, decimal("10")),
            drawdown_pct: (None, decimal("20")),
            exposure_pct: (None, decimal("80")),
            largest: None,
            breakers_tripped: Vec::new(),
            positions: Vec::new(),
            allocation: Vec::new(),
            equity_history: Vec::new(),
            marks: Vec::new(),
            realised: Decimal::ZERO,
            ..portfolio()
        }),
        health: Arc::default(),
        ..full
    }
}

/// Two hundred symbols, fifty alarms, a hundred decisions, ten plans.
pub fn overfull() -> Snapshot {
    let full = snapshot();
    let row = full.consensus[0].clone();
    let consensus = (0..200)
        .map(|n| ConsensusRow { symbol: symbol(&format!("C{n:03}/USDT")), held: n < 5, ..row.clone() })
        .collect();
    let alarm = full.alarms[1].clone();
    let mut alarms = vec![full.alarms[0].clone()];
    alarms.extend((0..50).map(|n| AlarmRow { id: AlarmId(100 + n), ..alarm.clone() }));
    let plans = (0..10).map(|n| PlanView { id: PlanId(n), ..plan() }).collect();
    let recent = (0..100)
        .map(|n| {
            let mut decision = (*full.decisions.recent[0]).clone();
            decision.id = DecisionId(n);
            Arc::new(decision)
        })
        .collect();
    let position = full.portfolio.positions[0].clone();
    let positions = (0..40)
        .map(|n| PositionView { symbol: symbol(&format!("C{n:03}/USDT")), ..position.clone() })
        .collect();
    Snapshot {
        consensus: Arc::new(consensus),
        alarms: Arc::new(alarms),
        plans: Arc::new(plans),
        decisions: Arc::new(DecisionsView { recent, ..(*full.decisions).clone() }),
        portfolio: Arc::new(PortfolioView { positions, ..portfolio() }),
        ..full
    }
}

/// The longest words and figures that ordinary trading shows.
pub fn longest() -> Snapshot {
    let full = snapshot();
    let mut consensus = (*full.consensus).clone();
    for row in &mut consensus {
        row.regime = voice(Regime::BreakoutPotential, 0.6, 540, 900);
        row.sentiment = voice(SentimentBias::VeryBearish, 0.9, 5_100, 5_400);
        row.technical = voice(Bias::Short, 0.61, 119, 120);
    }
    consensus[2].price = Some(decimal("0.000012091"));
    let mut schedule = schedule();
    schedule[0].state = TaskState::SkippedByLevel;
    schedule[1].state = TaskState::SkippedByState;
    let mut portfolio = portfolio();
    portfolio.positions[0].quantity = decimal("0.01234567");
    portfolio.positions[1] = PositionView {
        price: Some(decimal("0.000012091")),
        result: Some(decimal("-1310.22")),
        ..portfolio.positions[1].clone()
    };
    let mut alarms = alarms();
    alarms[0].consequence = safe("entries stay blocked until 00:00 UTC, then trading is still PAUSED.");
    Snapshot {
        consensus: Arc::new(consensus),
        schedule: Arc::new(schedule),
        portfolio: Arc::new(portfolio),
        alarms: Arc::new(alarms),
        ..full
    }
}

/// A candle of the symbol whose price has the most places.
pub fn longest_price() -> Arc<Message> {
    let price = decimal("0.000012091");
    let candle = Candle {
        symbol: symbol("XRP/BTC"),
        open_time: ago(62),
        interval_secs: 60,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Decimal::ONE,
        synthetic: false,
    };
    message(9, "sim", Priority::Low, 2, Payload::Candle(candle))
}

pub fn control() -> ControlView {
    ControlView {
        market: "SIM".into(),
        venue: "PAPER".into(),
        speed: Some(60),
        state: TradingState::Paused,
        since: ago(12),
        by: "daily_loss (auto)".into(),
        reason: SafeText::default(),
        recorded: Seq(18_200),
        not_durable: false,
        epoch: Epoch { run: 1, count: 4 },
        halt_reasons: Vec::new(),
        blocks: vec![
            Block::global(ReasonCode::Paused),
            Block {
                name: Some("daily_loss".into()),
                until: Some("2026-03-15T00:00:00Z".parse().unwrap()),
                ..Block::global(ReasonCode::BreakerTripped)
            },
        ],
        symbols_locked: Vec::new(),
        feed_at: Some(now().operator.minus(Duration::from_millis(400))),
        feed_ended: false,
        last_order_at: Some(ago(31)),
        orders_open: 0,
        stops: 2,
        release: None,
        resume: Some(ResumeView {
            next_hour: vec![
                "leg p7/3 buy BTC/USDT 83.33 USDT".into(),
                "trading_decision for 3 symbols in 58:01".into(),
            ],
            unacknowledged: 0,
            blocks_after: vec![Block {
                name: Some("daily_loss".into()),
                until: Some("2026-03-15T00:00:00Z".parse().unwrap()),
                ..Block::global(ReasonCode::BreakerTripped)
            }],
        }),
    }
}

pub fn running_control() -> ControlView {
    ControlView {
        state: TradingState::Running,
        since: ago(15_127),
        by: "ana".into(),
        blocks: Vec::new(),
        resume: None,
        ..control()
    }
}

pub fn halted_control() -> ControlView {
    ControlView {
        market: "KRAKEN".into(),
        speed: Some(1),
        state: TradingState::Halted,
        since: ago(33_123),
        by: "ana".into(),
        reason: safe("runaway XRP"),
        halt_reasons: vec![HaltReason {
            at: Now::both(ago(33_123)),
            by: "ana".into(),
            reason: safe("runaway XRP"),
        }],
        blocks: vec![Block::global(ReasonCode::Halted)],
        last_order_at: Some(ago(33_125)),
        resume: None,
        release: Some(ReleaseView {
            checks: vec![
                Check { what: "every Emergency acknowledged".into(), problem: None, advisory: false },
                Check {
                    what: "breakers armed".into(),
                    problem: Some("daily_loss tripped".into()),
                    advisory: true,
                },
                Check { what: "store test write and fsync".into(), problem: None, advisory: false },
            ],
            code: "K7QX".into(),
            valid_for: secs(30),
        }),
        ..control()
    }
}

fn degradation() -> DegradationView {
    let component =
        |name: &str, is_llm, failures| ComponentView { name: name.into(), is_llm, failures, successes: 0 };
    DegradationView {
        effective: Level::Reduced,
        automatic: Level::Reduced,
        forced: None,
        since: ago(2_222),
        llm_failures: 2,
        api_failures: 1,
        next_level_at: Some(6),
        components: vec![
            component("deepseek", true, 2),
            component("kraken", false, 1),
            component("anthropic", true, 0),
        ],
        models_configured: true,
    }
}

fn voice<T>(says: T, confidence: f64, age: u64, fresh: u64) -> VoiceView<T> {
    VoiceView {
        says: Some((says, Confidence::clamped(confidence))),
        at: Some(ago(age)),
        fresh_for: secs(fresh),
    }
}

fn absent() -> VoiceView<SentimentBias> {
    VoiceView { says: None, at: None, fresh_for: secs(5_400) }
}

fn tally(agreeing: u8, present: u8, multiplier: f64) -> TallyView {
    TallyView { agreeing, present, multiplier }
}

fn consensus() -> Vec<ConsensusRow> {
    let last = |action, confidence, outcome| {
        Some(LastSignal {
            at: ago(126),
            action,
            confidence: Confidence::clamped(confidence),
            outcome,
            blocked_by: None,
        })
    };
    let row = |name: &str| ConsensusRow {
        symbol: symbol(name),
        held: true,
        locked: None,
        technical: voice(Bias::Long, 0.72, 8, 120),
        regime: voice(Regime::TrendingBull, 0.8, 127, 900),
        sentiment: voice(SentimentBias::Neutral, 0.5, 2_500, 5_400),
        buy: tally(2, 3, 1.10),
        sell: tally(0, 3, 0.85),
        price: Some(decimal("42310.5")),
        last_signal: last(domain::Action::Buy, 0.81, Some(Outcome::Filled)),
        history: vec![0.85, 1.0, 1.1, 1.1, 0.85, 1.1],
    };
    vec![
        row("BTC/USDT"),
        ConsensusRow {
            technical: voice(Bias::Short, 0.61, 8, 120),
            regime: voice(Regime::Choppy, 0.6, 127, 900),
            sentiment: absent(),
            buy: tally(0, 2, 0.85),
            sell: tally(1, 2, 1.0),
            price: Some(decimal("0.5102")),
            last_signal: None,
            ..row("XRP/USDT")
        },
        ConsensusRow {
            held: false,
            technical: voice(Bias::Long, 0.61, 141, 120),
            regime: voice(Regime::Unknown, 0.0, 400, 900),
            sentiment: absent(),
            buy: tally(0, 1, 0.85),
            sell: tally(0, 1, 0.85),
            price: None,
            last_signal: None,
            ..row("XRP/BTC")
        },
    ]
}

fn schedule() -> Vec<TaskRow> {
    let row = |task, state, ok, took, next| TaskRow {
        task,
        state,
        ok,
        took: Some(Duration::from_millis(took)),
        next_due: Some(ahead(next)),
        late_cycles: 0,
        abandoned: 0,
        problem: None,
        symbols: Vec::new(),
    };
    vec![
        row(TaskName::TechnicalAnalysis, TaskState::Idle, (3, 3), 212, 41),
        row(TaskName::RegimeDetection, TaskState::Idle, (3, 3), 188, 130),
        TaskRow {
            problem: Some(safe("timeout")),
            ..row(TaskName::SentimentAnalysis, TaskState::Failing, (0, 3), 60_000, 1_082)
        },
        row(TaskName::TradingDecision, TaskState::Idle, (3, 3), 2_100, 3_481),
        row(TaskName::PortfolioRebalance, TaskState::Idle, (1, 1), 31, 120),
    ]
}

fn plan() -> PlanView {
    let leg = |number: u16, state: &str, due: Timestamp, reason: Option<&str>| LegView {
        number,
        symbol: symbol("BTC/USDT"),
        side: Side::Buy,
        amount: decimal("83.33"),
        due,
        state: state.into(),
        reason: reason.map(safe),
        is_terminal: state == "filled",
        needs_attention: false,
    };
    PlanView {
        id: PlanId(7),
        at: ago(30_000),
        legs: vec![
            leg(0, "filled", ago(28_000), None),
            leg(1, "filled", ago(14_000), None),
            leg(2, "deferred", ago(5), Some("paused")),
            leg(3, "scheduled", ahead(11_527), None),
            leg(4, "scheduled", ahead(25_927), None),
            leg(5, "scheduled", ahead(40_327), None),
        ],
        done: decimal("166.68"),
        left: decimal("333.32"),
    }
}

fn alarms() -> Vec<AlarmRow> {
    vec![
        AlarmRow {
            id: AlarmId(41),
            class: AlarmClass::Emergency,
            title: safe("Circuit breaker tripped"),
            headline: safe("daily_loss 5.1% > 5%: paused"),
            unacknowledged: true,
            active: true,
            resettable: false,
            raised: Now::both(ago(12)),
            acknowledged: None,
            count: 1,
            cause: safe("XRP/USDT -310 USDT."),
            consequence: safe("entries blocked until 00:00Z."),
            response: safe("check stops (8), then leave paused, halt or flatten"),
        },
        AlarmRow {
            id: AlarmId(40),
            class: AlarmClass::Medium,
            title: safe("Model provider does not answer"),
            headline: safe("model deepseek: no answer"),
            unacknowledged: false,
            active: true,
            resettable: false,
            raised: Now::both(ago(665)),
            acknowledged: Some(("ana".into(), ago(600), safe("1 investigating"))),
            count: 1,
            cause: safe("the provider does not answer."),
            consequence: safe("conflicts take the configured default."),
            response: safe("check the provider; nothing to do if it comes back"),
        },
    ]
}

/// Another Emergency than that of the sketch.
pub fn second_emergency() -> AlarmRow {
    AlarmRow {
        id: AlarmId(42),
        title: safe("Store failed"),
        headline: safe("store failed: disk full"),
        raised: Now::both(ago(5)),
        ..alarms().remove(0)
    }
}

fn decision(id: u64, at: &str, name: &str, action: domain::Action, own: f64, multiplier: f64) -> Decision {
    let at: Timestamp = format!("2026-03-14T{at}Z").parse().unwrap();
    Decision {
        id: DecisionId(id),
        at,
        signal: Signal {
            id: SignalId::from_uuid(Uuid::from_u128(u128::from(id))),
            symbol: symbol(name),
            action,
            confidence: Confidence::clamped(own),
            entry: Some(decimal("42310.5")),
            stop: Some(decimal("41549")),
            take_profit: Some(decimal("43900")),
            size_pct: Pct::new(decimal("4")).unwrap(),
            leverage: Decimal::ONE,
            at,
            source: "trading_decision".into(),
            reasoning: Untrusted::new("ma cross"),
        },
        votes: Vec::new(),
        ratio: Some(2.0 / 3.0),
        multiplier,
        confidence: Confidence::clamped(own * multiplier),
        conflicts: Vec::new(),
        resolution: None,
        changes: Vec::new(),
        verdict: None,
        orders: Vec::new(),
        filled: Decimal::ZERO,
        average_price: None,
        reasons: Vec::new(),
        detail: String::new(),
        outcome: Some(Outcome::Hold),
        ended_at: Some(at),
    }
}

fn decisions() -> DecisionsView {
    use domain::Action::{Buy, Hold};
    let recent = vec![
        Decision {
            filled: decimal("0.012"),
            average_price: Some(decimal("42310.5")),
            outcome: Some(Outcome::Filled),
            ..decision(14, "10:40:01", "BTC/USDT", Buy, 0.74, 1.10)
        },
        Decision {
            conflicts: vec![Conflict {
                kind: ConflictKind::RegimeConflict,
                detail: "regime choppy .60".into(),
            }],
            resolution: Some(Resolution {
                action: ResolutionAction::Abort,
                by: ResolvedBy::Default,
                confidence: None,
                reasoning: Some(Untrusted::new("\u{1b}[31mtrust me")),
                prompt_digest: None,
                reply_digest: None,
                took: None,
            }),
            detail: "regime choppy .60 (default)".into(),
            outcome: Some(Outcome::Aborted),
            ..decision(13, "10:40:01", "XRP/USDT", Buy, 0.62, 1.0)
        },
        Decision {
            reasons: vec![ReasonCode::ConfidenceTooLow],
            detail: "<.60".into(),
            outcome: Some(Outcome::Rejected),
            ..decision(12, "09:40:02", "BTC/USDT", Buy, 0.58, 0.85)
        },
        decision(11, "09:40:02", "XRP/USDT", Hold, 0.4, 1.0),
        Decision {
            reasons: vec![ReasonCode::LowRr],
            detail: "1.2 < 1.5".into(),
            outcome: Some(Outcome::Rejected),
            ..decision(10, "08:40:01", "XRP/BTC", Buy, 0.66, 1.0)
        },
        decision(9, "08:40:01", "BTC/USDT", Hold, 0.5, 1.0),
    ];
    DecisionsView {
        recent: recent.into_iter().map(Arc::new).collect(),
        today: vec![(Outcome::Hold, 3), (Outcome::Rejected, 5), (Outcome::Aborted, 1), (Outcome::Filled, 5)],
    }
}

pub fn portfolio() -> PortfolioView {
    let position = |name: &str, quantity: &str, price: &str, result: &str, stop: &str| PositionView {
        symbol: symbol(name),
        quantity: decimal(quantity),
        entry: decimal(price),
        stale_since: None,
        price: Some(decimal(price)),
        result: Some(decimal(result)),
        stop_pct: Some(decimal(stop)),
    };
    let asset = |code: &str, value: &str, share: &str, target: &str| AllocationRow {
        asset: Asset::new(code).unwrap(),
        quantity: decimal("1"),
        value: Some(decimal(value)),
        stale_since: None,
        share_pct: Some(decimal(share)),
        target_pct: decimal(target),
    };
    let wave = [104, 104, 103, 103, 103, 102, 103, 102, 101, 101, 101, 100, 99, 98, 97, 97];
    PortfolioView {
        currency: Asset::new("USDT").unwrap(),
        decimals: 2,
        equity: Some(decimal("9412.40")),
        stale_since: None,
        day_pct: (Some(decimal("-5.1")), decimal("5")),
        week_pct: (Some(decimal("-2.2")), decimal("10")),
        drawdown_pct: (Some(decimal("5.6")), decimal("20")),
        exposure_pct: (Some(decimal("34")), decimal("80")),
        largest: Some((symbol("XRP/USDT"), decimal("12.1"), decimal("20"))),
        breakers_tripped: vec!["daily_loss".into()],
        positions: vec![
            position("BTC/USDT", "0.012", "42310.5", "12.40", "-1.8"),
            position("XRP/USDT", "2400", "0.5102", "-310.22", "-0.4"),
        ],
        orders: Vec::new(),
        allocation: vec![
            asset("BTC", "2900.10", "42.1", "40"),
            asset("XRP", "1900.02", "27.6", "30"),
            asset("USDT", "2088.00", "30.3", "30"),
        ],
        equity_history: (0_u64..)
            .zip(wave)
            .map(|(n, v)| (ago((16 - n) * 5_400), Decimal::from(v * 95)))
            .collect(),
        marks: vec![(ago(2_222), safe("REDUCED")), (ago(12), safe("PAUSED"))],
        realised: decimal("-211.5"),
    }
}

fn health() -> Vec<HealthRow> {
    let row = |what: &str, status, detail: &str| HealthRow {
        what: what.into(),
        status,
        detail: safe(detail),
        since: ago(3_600),
    };
    vec![
        row("feed", HealthStatus::Ok, "0.4s"),
        row("store", HealthStatus::Ok, "2ms"),
        row("journal", HealthStatus::Ok, "#18,204"),
        row("models", HealthStatus::Warn, "deepseek does not answer"),
        row("disk", HealthStatus::Ok, "11204 MiB free"),
    ]
}

fn message(n: u64, source: &str, priority: Priority, age: u64, payload: Payload) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId::from_uuid(Uuid::from_u128(u128::from(n))),
        topic: payload.topic(),
        source: source.into(),
        priority,
        timestamp: ago(age),
        ttl: None,
        correlation_id: None,
        payload,
    })
}

/// What technical analysis says of a symbol.
pub fn ta_message(name: &str) -> Arc<Message> {
    let ta = TaSignal {
        symbol: symbol(name),
        bias: Bias::Long,
        confidence: Confidence::clamped(0.72),
        atr_pct: None,
        atr_ratio: None,
        support: None,
        resistance: None,
        reasoning: Untrusted::new("ema cross"),
    };
    message(6, "technical_analysis", Priority::Normal, 1, Payload::Ta(ta))
}

/// So many candles.
pub fn messages(count: usize) -> Vec<Arc<Message>> {
    let price = decimal("42310.5");
    let candle = || Candle {
        symbol: symbol("BTC/USDT"),
        open_time: ago(62),
        interval_secs: 60,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Decimal::ONE,
        synthetic: false,
    };
    (0_u64..).take(count).map(|n| message(n, "sim", Priority::Low, 2, Payload::Candle(candle()))).collect()
}

/// The messages of the sketch, oldest first.
pub fn traffic() -> Vec<Arc<Message>> {
    let system = Payload::System(SystemEvent {
        kind: SystemEventKind::StateChanged,
        symbol: None,
        detail: safe("PAUSED"),
    });
    let risk = Payload::Risk(RiskAlert {
        symbol: None,
        kind: "circuit_breaker".into(),
        severity: Severity::Critical,
        detail: safe("daily_loss"),
    });
    let mut list = vec![
        message(3, "coordinator", Priority::Urgent, 12, system),
        message(4, "risk", Priority::Urgent, 12, risk),
    ];
    list.extend(messages(1));
    list.push(ta_message("BTC/USDT"));
    list
}
