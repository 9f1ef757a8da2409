//! Replays one seed of the simulation, or runs many.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use teahouse_sim::{Sim, Statistics};

/// Runs the simulation: one seed with `--seed`, many with `--seeds`.
#[derive(Parser)]
struct Args {
    /// The seed to replay.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// The seeds to run, `A..B`, without B.
    #[arg(long, value_parser = range)]
    seeds: Option<std::ops::Range<u64>>,
    /// Steps a seed; audits add some.
    #[arg(long, default_value_t = 20_000)]
    steps: u64,
    /// Print every happening.
    #[arg(long)]
    trace: bool,
}

/// What is printed of a broken promise; it may quote a whole answer.
const DESCRIBED_CHARS: usize = 2_000;

fn range(text: &str) -> Result<std::ops::Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("expected A..B")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is not a number"));
    Ok(number(from)?..number(to)?)
}

#[allow(clippy::print_stdout, reason = "a command line says what it has found")]
fn main() -> ExitCode {
    let args = Args::parse();
    let seeds = match (args.seed, args.seeds) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(seeds)) => seeds,
        (None, None) => 0..50,
    };
    let begun = Instant::now();
    let mut failed = 0;
    let mut total = Statistics::default();
    for seed in seeds.clone() {
        let mut sim = Sim::new(seed);
        if args.trace {
            sim = sim.with_trace();
        }
        if let Err(problem) = sim.run(args.steps) {
            failed += 1;
            let problem: String = problem.to_string().chars().take(DESCRIBED_CHARS).collect();
            println!("seed {seed}: {problem}");
        }
        total = total.plus(&sim.statistics());
    }
    println!(
        "{} seeds, {} failed; {} steps, {} messages, {} pushes, {} crashes, {} cut links, {} audits; {:.1} s",
        seeds.end - seeds.start,
        failed,
        total.steps,
        total.stored,
        total.pushes,
        total.crashes,
        total.cuts,
        total.audits,
        begun.elapsed().as_secs_f64(),
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
