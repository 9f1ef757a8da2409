//! Ordered rows in partitions: the one thing Teahouse asks of a database.
//!
//! Start with [`contract`]: the [`Store`] trait and every promise it makes. The engines are
//! [`memory::Memory`] (nothing on disk; for tests and the simulator, which can crash it) and
//! [`embedded::Embedded`] (one machine, one directory). [`store_suite!`] holds an engine to the
//! contract, one named test for each sentence of it. [`stream`] moves data between engines.
//!
//! This crate knows rows, partitions and versions. It does not know what a user, a group or a
//! message is, and no engine-specific type leaves it.

mod chain;
pub mod contract;
pub mod embedded;
pub mod family;
pub mod memory;
pub mod probe;
mod stats;
pub mod stream;
pub mod suite;

pub use contract::{
    Commit, CommitError, Direction, Durability, InvalidPartition, Partition, ReadError, Row, Store,
    Version, Write, limits,
};
pub use embedded::{Embedded, OpenError};
pub use futures_util::future::BoxFuture;
pub use memory::Memory;
pub use stats::{CommitLatency, Stats};
