//! The faces of Teahouse and everything that touches the machine: sockets, threads, the clock, files,
//! the command line.
//!
//! Only [`rest`] knows HTTP envelopes, only [`gateway`] knows WebSocket; both decode, make a caller, and
//! dispatch from the one registry of `teahouse-core`. A face never touches the store. [`serve`] puts a
//! server together; [`shard`] is one single-threaded runtime with its own sockets.

pub mod cli;
pub mod config;
mod connection;
pub mod control;
mod ctl;
mod env;
mod frames;
mod gateway;
mod http;
pub mod openapi;
mod outgoing;
mod page;
mod rest;
mod serve;
mod shard;
mod telemetry;
mod tls;
mod transfer;
mod try_it;

use cli::{Cli, Command};

/// One clear sentence for the person at the terminal.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    fn new(sentence: impl std::fmt::Display) -> Self {
        Self(sentence.to_string())
    }
}

/// Runs one command to its end.
///
/// # Errors
/// What went wrong, in one sentence.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Usersig(args) => cli::usersig(&args),
        Command::Ctl(args) => ctl::run(&args),
        Command::Export(args) => transfer::export(&args),
        Command::Import(args) => transfer::import(&args),
        Command::Bench(args) => teahouse_bench::cli::run(&args).map_err(Failure::new),
        Command::Migrate(args) => {
            teahouse_migrate::cli::run(&args, env::system_now().seconds()).map_err(Failure::new)
        }
    }
}

/// Writes a line for a person or a script to standard output.
fn say(line: impl std::fmt::Display) -> Result<(), Failure> {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")
        .and_then(|()| output.flush())
        .map_err(|problem| Failure(format!("standard output cannot be written: {problem}")))
}
