//! A deterministic simulation of Teahouse: the real core, on the real in-memory store, with everything
//! around it made of a seed.
//!
//! One thread, no clock, no socket. An executor of its own runs a ready task of its choice, so that every
//! interleaving at an await can happen; commits become durable when the simulation says so; the process
//! dies and starts again on what was durable; links are cut with frames in flight. Devices behave as the
//! public client package does, a backend calls REST. After every step what the server says is compared
//! with what is durable, and now and then everything comes to rest and is audited: histories, lists,
//! unread counts, what each device knows.
//!
//! It refuses to know how the core does it: operations are called through the registry, as the faces call
//! them; only the store is watched, to know what is durable and when.
//!
//! `cargo run -p teahouse-sim -- --seed 7 --trace` replays one seed. A seed that has once failed stays in
//! `tests/regressions.rs`.
//!
//! What the simulation grants the server, because real machines do: from a change to its push, and from a
//! queued frame to its arrival on a link that still carries requests, it takes under two seconds together.

mod audit;
mod device;
mod disk;
mod executor;
mod group_changes;
mod groups;
mod in_groups;
mod ledger;
mod random;
mod server;
mod sim;

use std::fmt;

pub use sim::{Sim, Statistics};

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    what: String,
    step: Option<u64>,
}

impl Broken {
    fn at(mut self, step: u64) -> Self {
        self.step.get_or_insert(step);
        self
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(formatter, "step {step}: {}", self.what),
            None => formatter.write_str(&self.what),
        }
    }
}

impl std::error::Error for Broken {}

/// What a check returns.
pub type Check = Result<(), Broken>;

fn broken(what: String) -> Broken {
    Broken { what, step: None }
}
