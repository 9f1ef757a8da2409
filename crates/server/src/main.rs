//! `teahouse`: the binary.

use std::process::ExitCode;

use clap::Parser;
use teahouse_server::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match teahouse_server::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            use std::io::Write;
            // Nothing better can be done when standard error is closed.
            let _ = writeln!(std::io::stderr(), "teahouse: {failure}");
            ExitCode::FAILURE
        }
    }
}
