//! Moves an app over: reads it through the REST API of the service that it runs on, and writes it into a Teahouse
//! through the same API.
//!
//! [`cli`] is the entry. [`api`] speaks REST to either side, within its limits; [`read`] is what an app can be
//! asked, [`write`] what is imported. [`people`], [`groups`], [`pairs`] and [`archive`] carry over one kind of
//! thing each, in the order of [`cli::run`]; [`compare`] looks afterwards whether both sides have the same.
//!
//! **Invariants:** everything that is written may be written again; the journal only saves work. What cannot be
//! carried over is counted and named, never dropped in silence.

mod api;
mod archive;
pub mod cli;
mod compare;
mod error;
mod groups;
mod journal;
mod pairs;
mod people;
mod read;
mod report;
mod write;

use teahouse_proto::time::UnixSeconds;

use crate::api::Api;
use crate::journal::Journal;
use crate::report::Report;

/// A migration under way: what all parts of it need.
struct Migration {
    source: Api,
    target: Api,
    journal: Journal,
    report: Report,
    plan: Plan,
}

/// What the flags ask for.
#[derive(Debug, Clone)]
struct Plan {
    /// Units of work at the same time.
    jobs: usize,
    /// Profile fields to carry over.
    profile_tags: Vec<String>,
    /// When the program was started.
    started: UnixSeconds,
}
