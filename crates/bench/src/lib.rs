//! The load generator behind `teahouse bench`.
//!
//! It measures a Teahouse server from outside, over real sockets and real logins, and beside it the
//! two ceilings that the machine sets: the store's group commit, and sockets without a chat server.
//! Start at [`cli`]; [`load`] is the generator itself. The crate knows the client protocol and the
//! store, and nothing of the server's inside.

mod ceiling;
pub mod cli;
mod client;
mod clock;
mod error;
mod framing;
mod histogram;
mod history;
mod load;
mod mark;
mod process;
mod raw;
mod report;
mod schedule;
mod socket;
mod target;
mod verify;
mod w1;
mod w8;
mod wire;

pub use cli::run;
pub use error::BenchError;
