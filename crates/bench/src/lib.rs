//! The load generator behind `teahouse bench`.
//!
//! It measures a Teahouse server from outside, over real sockets and real logins, and beside it the
//! two ceilings that the machine sets: the store's group commit, and sockets without a chat server.
//! Start at [`cli`]; [`load`] is the generator itself. The crate knows the client protocol and the
//! store, and nothing of the server's inside. [`RoomSimulation`] is a small part of it that others use.

mod broadcast;
mod ceiling;
pub mod cli;
mod client;
mod clock;
mod crowd;
mod error;
mod fanout;
mod framing;
mod group;
mod histogram;
mod history;
mod limits;
mod load;
mod mark;
mod migration;
mod process;
mod program;
mod raw;
mod report;
mod schedule;
mod series;
mod simulation;
mod socket;
mod tally;
mod target;
mod verify;
mod visitor;
mod w1;
mod w10;
mod w10_groups;
mod w2;
mod w3;
mod w4;
mod w5;
mod w6;
mod w7;
mod w8;
mod wire;

pub use cli::run;
pub use error::BenchError;
pub use simulation::{RoomSimulation, RoomStats, SimulationTarget};
