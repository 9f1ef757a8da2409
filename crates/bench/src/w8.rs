//! W8: the server is killed at full W1 load and started again on the same data; then the clients
//! send again what was not answered, as the public client does, and every history is read back.
//!
//! Every message that was sent and in the end acknowledged must be there exactly once, and each
//! pair's messages in the order in which they were sent.

use std::time::Duration;

use clap::Args;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::cli::Common;
use crate::client::{Target, runtime};
use crate::clock;
use crate::error::BenchError;
use crate::history;
use crate::load::{Load, Loop, Outcome, Plan};
use crate::process::{ServerProcess, load_average};
use crate::report::Spread;
use crate::target::{data_folder, serve};
use crate::verify::{SentRun, Verdict, verify};
use crate::w1::{say, write_json};

/// Flags of `W8`.
#[derive(Debug, Args)]
pub(crate) struct W8Args {
    /// How often to kill and restart.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    times: u32,
    /// Messages stored before the first crash, so that the time to ready is that of a full disk.
    #[arg(long, default_value_t = 0, value_name = "MESSAGES")]
    preload: u64,
    /// Chooses the moments of the kills; printed, so that a run can be repeated.
    #[arg(long)]
    seed: Option<u64>,
    /// Messages in flight per pair.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    window: u32,
    /// The latest moment of a kill, in milliseconds of load; the earliest is 200.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(300..=600_000))]
    kill_within: u64,
}

/// The earliest moment of a kill, in milliseconds of load.
const KILL_AFTER_MS: u64 = 200;

/// How long a preload may take, and how long connections may take to end after a kill.
const PRELOAD_WAIT: Duration = Duration::from_secs(3600);
const HANGUP_WAIT: Duration = Duration::from_secs(10);

/// Conversations read at once.
const READERS: usize = 16;

/// One crash.
#[derive(Debug, Clone, Serialize)]
struct Crash {
    number: u32,
    killed_after_ms: u64,
    acked_before: u64,
    repeated: u64,
    ready_ms: f64,
    verdict: Verdict,
    load_average: f64,
}

/// Runs W8 as the flags say.
pub(crate) fn run(common: &Common, args: &W8Args) -> Result<(), BenchError> {
    if common.server.is_some() {
        return Err(BenchError::Usage(
            "W8 kills its server, so it starts one of its own: leave out --server".to_owned(),
        ));
    }
    let seed = args.seed.unwrap_or_else(rand::random);
    say(&format!("W8: seed {seed}\n"))?;
    let folder = data_folder(common)?;
    let app = common.app_or_default();
    let start = || serve(folder.path(), &app);
    let runtime = runtime()?;
    let mut drill = Drill {
        common,
        args,
        runtime,
        random: StdRng::seed_from_u64(seed),
        epoch: clock::unix_seconds(),
        sent: vec![Vec::new(); common.pairs as usize],
    };
    let mut server = start()?;
    if args.preload > 0 {
        drill.preload(&app.target(server.addr))?;
        server.kill();
        server = start()?;
        say(&format!(
            "{} messages on disk: ready {:.0} ms after a kill\n",
            args.preload,
            server.ready_after.as_secs_f64() * 1e3
        ))?;
    }
    let mut crashes = Vec::new();
    for number in 1..=args.times {
        let crash = drill.crash(number, &mut server, |process| {
            *process = start()?;
            Ok(app.target(process.addr))
        })?;
        say(&line(&crash))?;
        crashes.push(crash);
    }
    let target = app.target(server.addr);
    let all = drill.check(&target, 0)?;
    report(common, seed, args, &crashes, all)
}

/// What goes on over all crashes.
struct Drill<'a> {
    common: &'a Common,
    args: &'a W8Args,
    runtime: tokio::runtime::Runtime,
    random: StdRng,
    epoch: u32,
    /// Everything sent, by pair, in ascending order of runs.
    sent: Vec<Vec<SentRun>>,
}

impl Drill<'_> {
    fn plan(&mut self, measure: Duration, per_pair_max: u32) -> Plan {
        self.epoch = self.epoch.wrapping_add(1);
        Plan {
            pairs: self.common.pairs,
            send: Loop::Closed { window: self.args.window },
            warmup: Duration::ZERO,
            measure,
            epoch: self.epoch,
            threads: self.common.generator_threads,
            per_pair_max,
        }
    }

    /// Stores the wanted number of messages, evenly over the pairs.
    fn preload(&mut self, target: &Target) -> Result<(), BenchError> {
        let each = self.args.preload.div_ceil(u64::from(self.common.pairs));
        let each = u32::try_from(each)
            .map_err(|_| BenchError::Usage("--preload is too large".to_owned()))?;
        let plan = self.plan(PRELOAD_WAIT, each);
        let running = Load::connect(target, plan)?.start()?;
        let wanted = u64::from(each) * u64::from(self.common.pairs);
        while running.acked() < wanted && !running.is_broken() {
            std::thread::sleep(Duration::from_millis(50));
        }
        let outcome = running.finish()?;
        if outcome.acked < wanted {
            return Err(BenchError::Server(format!(
                "only {} of {wanted} messages were stored: {}",
                outcome.acked,
                outcome.broken.or(outcome.first_refusal).unwrap_or_default()
            )));
        }
        self.keep(outcome.runs);
        Ok(())
    }

    fn keep(&mut self, runs: Vec<SentRun>) {
        self.sent.iter_mut().zip(runs).for_each(|(kept, run)| kept.push(run));
    }

    /// One load, kill, restart and look.
    fn crash(
        &mut self,
        number: u32,
        server: &mut ServerProcess,
        mut restart: impl FnMut(&mut ServerProcess) -> Result<Target, BenchError>,
    ) -> Result<Crash, BenchError> {
        let killed_after_ms = self.random.random_range(KILL_AFTER_MS..self.args.kill_within);
        let plan = self.plan(Duration::from_millis(self.args.kill_within) * 2, u32::MAX);
        let before =
            Target { addr: server.addr, ..self.common.app_or_default().target(server.addr) };
        let running = Load::connect(&before, plan)?.start()?;
        running.wait_for_measure();
        std::thread::sleep(Duration::from_millis(killed_after_ms));
        if running.is_broken() {
            return Err(BenchError::Server("the server broke before it was killed".to_owned()));
        }
        server.kill();
        running.wait_for_hangup(HANGUP_WAIT);
        let mut outcome = running.finish()?;
        let acked_before = outcome.acked;
        let target = restart(server)?;
        let repeated = self.repeat(&target, &mut outcome)?;
        self.keep(outcome.runs);
        let verdict = self.check(&target, self.epoch)?;
        Ok(Crash {
            number,
            killed_after_ms,
            acked_before,
            repeated,
            ready_ms: server.ready_after.as_secs_f64() * 1e3,
            verdict,
            load_average: load_average(),
        })
    }

    /// All senders come back and repeat what was not answered; returns how much that was.
    fn repeat(&self, target: &Target, outcome: &mut Outcome) -> Result<u64, BenchError> {
        let all = &*outcome;
        let answered: Vec<Vec<bool>> = self.runtime.block_on(
            stream::iter(0..self.common.pairs)
                .map(|pair| history::send_again(target, pair, all))
                .buffered(READERS)
                .try_collect(),
        )?;
        let mut repeated = 0;
        for (run, acked) in outcome.runs.iter_mut().zip(answered) {
            repeated += run.acked.iter().filter(|acked| !**acked).count() as u64;
            run.acked = acked;
        }
        Ok(repeated)
    }

    /// Compares the histories of all pairs with what was sent since the run `since_epoch`.
    fn check(&self, target: &Target, since_epoch: u32) -> Result<Verdict, BenchError> {
        let histories: Vec<_> = self.runtime.block_on(
            stream::iter(0..self.common.pairs)
                .map(|pair| history::read(target, pair, since_epoch))
                .buffered(READERS)
                .try_collect(),
        )?;
        let mut all = Verdict::default();
        for (runs, history) in self.sent.iter().zip(&histories) {
            let first = runs.partition_point(|run| run.epoch < since_epoch);
            all.add(&verify(&runs[first..], history));
        }
        Ok(all)
    }
}

fn line(crash: &Crash) -> String {
    format!(
        "crash {:>3}: killed after {:>5} ms with {} acked; ready in {:.0} ms; {} repeated; {}; \
         load {:.1}\n",
        crash.number,
        crash.killed_after_ms,
        crash.acked_before,
        crash.ready_ms,
        crash.repeated,
        said(&crash.verdict),
        crash.load_average
    )
}

fn said(verdict: &Verdict) -> String {
    let Verdict { acked, found, lost, doubled, gaps, disordered, unknown } = verdict;
    format!(
        "of {acked} acked {found} found: {lost} lost, {doubled} doubled, {gaps} gaps, \
         {disordered} out of order, {unknown} unknown"
    )
}

fn report(
    common: &Common,
    seed: u64,
    args: &W8Args,
    crashes: &[Crash],
    all: Verdict,
) -> Result<(), BenchError> {
    let mut total = Verdict::default();
    crashes.iter().for_each(|crash| total.add(&crash.verdict));
    let ready = Spread::of(crashes.iter().map(|crash| crash.ready_ms));
    let acked: u64 = crashes.iter().map(|crash| crash.acked_before).sum();
    let mut text = format!(
        "\nW8: {} crashes at full load, {acked} messages acknowledged before them\n\
         looks after each crash: {}\nlook at everything at the end: {}\n",
        crashes.len(),
        said(&total),
        said(&all),
    );
    if let Some(Spread { median, min, max }) = ready {
        text.push_str(&format!("time to ready: {median:.0} ms [{min:.0}..{max:.0}]\n"));
    }
    say(&text)?;
    if let Some(path) = &common.json {
        #[derive(Serialize)]
        struct Report<'a> {
            workload: &'a str,
            seed: u64,
            preload: u64,
            crashes: &'a [Crash],
            ready_ms: Option<Spread>,
            at_the_end: Verdict,
        }
        let preload = args.preload;
        write_json(
            path,
            &Report { workload: "W8", seed, preload, crashes, ready_ms: ready, at_the_end: all },
        )?;
    }
    if total.holds() && all.holds() && total.gaps + all.gaps == 0 {
        return Ok(());
    }
    Err(BenchError::BrokenPromise("not every message is in the history once and in order".into()))
}
