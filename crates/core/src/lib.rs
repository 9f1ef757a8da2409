//! What it means: the domain of Teahouse.
//!
//! This crate owns the rules, the entities and their storage layout, the order of events, and who is
//! told what. It refuses to know HTTP, WebSocket, sockets, threads, the machine's clock, and any
//! particular store: faces call [`operation::Registry`], the environment comes in through [`env::Env`],
//! rows go through `teahouse_store::Store`.
//!
//! Start with [`commands::registry`]: every operation is one line there and one file. A change goes
//! through an entity (`entity`), is durable, and tells an [`event::Event`]; `push` turns events into
//! frames, the [`hub`] queues them for sockets. Everything stored is defined in `rows`.

mod account;
mod admission;
mod agenda;
pub mod app;
mod attached;
pub mod caller;
pub mod commands;
mod conversation;
mod dedupe;
mod directory;
mod entity;
pub mod env;
pub mod error;
pub mod event;
mod follow;
mod group;
pub mod hook;
pub mod hub;
mod merged;
mod mute;
pub mod node;
mod numbers;
pub mod operation;
mod outbox;
mod pair;
mod presence;
mod profile;
mod push;
mod relation;
mod retention;
mod robot;
mod rows;
mod sdk;
mod search;
pub mod session;
pub mod settings;
mod turns;

pub use group::matrix as group_types;
