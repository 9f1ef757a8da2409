//! `teahouse`: the binary.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use teahouse_server::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(problem) => return misread(&problem),
    };
    match teahouse_server::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.0);
            ExitCode::FAILURE
        }
    }
}

/// Help and version are answers; anything else is one sentence and status 2.
fn misread(problem: &clap::Error) -> ExitCode {
    let asked_nothing = problem.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !problem.use_stderr() || asked_nothing {
        return match problem.print() {
            Ok(()) if !asked_nothing => ExitCode::SUCCESS,
            Ok(()) => ExitCode::from(2),
            Err(_) => ExitCode::FAILURE,
        };
    }
    complain(&teahouse_server::cli::sentence(problem));
    ExitCode::from(2)
}

fn complain(sentence: &str) {
    use std::io::Write;
    // Nothing better can be done when standard error is closed.
    let _ = writeln!(std::io::stderr(), "teahouse: {sentence}");
}
