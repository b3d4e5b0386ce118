//! Andon: a terminal console from which one person runs a multi-agent trading system.
//!
//! One idea carries everything: **a pure core, a thin shell**. All decisions are made by a synchronous state machine,
//! [`coordinator::Coordinator::step`], that reads no clock, does no I/O and spawns nothing. The runtime turns the world
//! into inputs and carries out the effects. Same inputs, same effects, always.
//!
//! # Where things live
//!
//! | module          | what it is for                                                                           |
//! | --------------- | ---------------------------------------------------------------------------------------- |
//! | [`domain`]      | the shared nouns: symbols, money, messages, signals, orders, decisions, untrusted text   |
//! | [`config`]      | one file per YAML file: types, defaults, validation with file and line                   |
//! | [`telemetry`]   | tracing to a file and to memory, never to the screen                                     |
//! | [`gate`]        | the one atomic word that every order must pass, and its permits                          |
//! | [`bus`]         | publish and subscribe: mailboxes by priority, history, statistics                        |
//! | [`account`]     | balances, lots, holdings, fills, equity (pure)                                           |
//! | [`alarm`]       | the alarm state machine after ISA-18.2 (pure)                                            |
//! | [`risk`]        | pre-trade rules, circuit breakers (pure)                                                 |
//! | [`coordinator`] | the core: every decision                                                                 |
//! | [`llm`]         | models: prompts, replies, providers one after the other                                  |
//! | [`market`]      | feeds (simulated, replay), candle store, indicators                                      |
//! | [`agents`]      | what proposes: rules over indicators                                                     |
//! | [`venue`]       | where orders go: the seam, and the paper venue                                           |
//! | [`store`]       | journal (the authority), checkpoint, latch, lock, recovery                               |
//! | [`runtime`]     | the drivers, live and virtual, the outbox, the watchdog                                  |
//! | [`console`]     | the terminal front; knows only `runtime::handle` and `coordinator::snapshot`             |
//!
//! Imports point up this list only, never down; `tests/architecture.rs` fails on a wrong arrow. From `domain` to
//! `coordinator` nothing reads a clock, draws random numbers or does I/O: time, randomness and ids come in with the
//! input.
//!
//! # What must never be
//!
//! - An order without a permit of the gate: [`venue::Venue::submit`] takes one, so it does not compile.
//! - Durable state that changes other than by applying a record: recovery applies the same records.
//! - Anything that follows from a record leaving the process before the record is on disk.
//! - A trading state that loosens by itself.

pub mod account;
pub mod agents;
pub mod alarm;
pub mod bus;
pub mod config;
pub mod console;
pub mod coordinator;
pub mod domain;
pub mod gate;
pub mod llm;
pub mod market;
pub mod risk;
pub mod runtime;
pub mod store;
pub mod telemetry;
pub mod venue;
