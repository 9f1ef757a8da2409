//! W1: one-to-one messages with a durable acknowledgement, and the ceilings of the same run.
//!
//! Each round runs every series once, server and ceilings in turn, so that a change of the machine
//! meets them all; figures are medians over the rounds with the smallest and the largest.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::ceiling::{self, StorePlan};
use crate::cli::Common;
use crate::clock;
use crate::error::BenchError;
use crate::histogram::Percentiles;
use crate::load::{FrameBytes, Load, Loop, Outcome, Plan};
use crate::process::{Account, Observed, load_average};
use crate::report::{Column, Spread, table};
use crate::target::{UnderTest, data_folder};

/// Flags of `W1`.
#[derive(Debug, Args)]
pub(crate) struct W1Args {
    /// Closed loops: messages in flight per pair. The greatest also sets what the ceilings have
    /// outstanding.
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) windows: Vec<u32>,
    /// Open loops: messages per second over all pairs.
    #[arg(long, value_delimiter = ',', default_value = "500,2000,5000,10000,20000", value_parser = clap::value_parser!(u32).range(1..))]
    rates: Vec<u32>,
    #[command(flatten)]
    timing: Timing,
    /// Leaves the ceilings out.
    #[arg(long)]
    no_ceilings: bool,
}

/// Flags of `ceilings`.
#[derive(Debug, Args)]
pub(crate) struct CeilingArgs {
    /// Messages in flight per pair.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    window: u32,
    #[command(flatten)]
    timing: Timing,
    /// Bytes of the raw server's acknowledgement.
    #[arg(long, default_value_t = 180)]
    ack_bytes: usize,
    /// Bytes of the raw server's push.
    #[arg(long, default_value_t = 700)]
    push_bytes: usize,
}

/// How long and how often.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Timing {
    /// Rounds over all series.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds of measurement per series and round.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    /// Seconds of sending before each measurement.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub(crate) warmup: u64,
}

impl Timing {
    /// Length of the sending before each measurement.
    pub(crate) fn warmup(self) -> Duration {
        Duration::from_secs(self.warmup)
    }

    /// Length of each measurement.
    pub(crate) fn measure(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// How long a load may take to come to rest after its measurement.
const REST: Duration = Duration::from_secs(15);

/// One series in one round.
#[derive(Debug, Clone, Serialize)]
struct Figures {
    per_second: f64,
    ack: Percentiles,
    delivery: Option<Percentiles>,
    lateness: Option<Percentiles>,
    sent: u64,
    unanswered: u64,
    refused: u64,
    lost: u64,
    duplicates: u64,
    reordered: u64,
    cpu_us: Option<f64>,
    generator_cpu_us: Option<f64>,
    syncs_per_second: Option<f64>,
    disk_bytes: Option<f64>,
    resident_mib: Option<f64>,
    load_average: f64,
    frame_bytes: Option<FrameBytes>,
}

/// One line of the table: a series over all rounds.
type Series = (String, Vec<Figures>);

const COLUMNS: &[Column<Figures>] = &[
    Column { name: "acked/s", digits: 0, figure: |f| Some(f.per_second), spread: true },
    Column { name: "ack p50 ms", digits: 2, figure: |f| Some(f.ack.p50_ms), spread: false },
    Column { name: "p99", digits: 2, figure: |f| Some(f.ack.p99_ms), spread: true },
    Column { name: "p99.9", digits: 2, figure: |f| Some(f.ack.p999_ms), spread: false },
    Column {
        name: "delivery p99",
        digits: 2,
        figure: |f| f.delivery.map(|d| d.p99_ms),
        spread: false,
    },
    Column { name: "late p99", digits: 2, figure: |f| f.lateness.map(|l| l.p99_ms), spread: false },
    Column { name: "CPU us/msg", digits: 1, figure: |f| f.cpu_us, spread: true },
    Column { name: "generator", digits: 1, figure: |f| f.generator_cpu_us, spread: false },
    Column { name: "syncs/s", digits: 0, figure: |f| f.syncs_per_second, spread: false },
    Column { name: "disk B/msg", digits: 0, figure: |f| f.disk_bytes, spread: false },
    Column { name: "RSS MiB", digits: 0, figure: |f| f.resident_mib, spread: false },
    Column { name: "load", digits: 1, figure: |f| Some(f.load_average), spread: true },
];

const FAULTS: &[Column<Figures>] = &[
    Column { name: "sent", digits: 0, figure: |f| Some(f.sent as f64), spread: true },
    Column { name: "refused", digits: 0, figure: |f| Some(f.refused as f64), spread: true },
    Column { name: "unanswered", digits: 0, figure: |f| Some(f.unanswered as f64), spread: true },
    Column {
        name: "acked, not delivered",
        digits: 0,
        figure: |f| Some(f.lost as f64),
        spread: true,
    },
    Column { name: "duplicates", digits: 0, figure: |f| Some(f.duplicates as f64), spread: true },
    Column { name: "reordered", digits: 0, figure: |f| Some(f.reordered as f64), spread: true },
];

/// Gives each run of this process a number that no other run of the same users has.
pub(crate) struct Epochs(u32);

impl Epochs {
    /// Numbers that no earlier process has used.
    pub(crate) fn start() -> Self {
        Self(clock::unix_seconds())
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}

/// Runs W1 as the flags say.
pub(crate) fn run(common: &Common, args: &W1Args) -> Result<(), BenchError> {
    let server = UnderTest::new(common)?;
    let mut bench = Bench::new(common, args.timing);
    let window = args.windows.iter().copied().max().unwrap_or(1);
    let mut raw = None;
    for round in 1..=args.timing.rounds {
        bench.round = round;
        for window in &args.windows {
            let name = format!("closed, window {window}");
            bench.measure(&server, &name, Loop::Closed { window: *window })?;
        }
        for rate in &args.rates {
            bench.measure(&server, &format!("open, {rate}/s"), Loop::Open { rate: *rate })?;
        }
        let rate = (bench.maximum() / 2.0) as u32;
        bench.measure(&server, HALF, Loop::Open { rate })?;
        if !args.no_ceilings {
            if raw.is_none() {
                raw = Some(UnderTest::raw(common, bench.frame_bytes)?);
            }
            bench.ceilings(raw.as_ref(), window)?;
        }
    }
    bench.report("W1", !args.no_ceilings)?;
    bench.verdict()
}

/// Runs the ceilings alone.
pub(crate) fn ceilings(common: &Common, args: &CeilingArgs) -> Result<(), BenchError> {
    let bytes = FrameBytes { request: 0, ack: args.ack_bytes, push: args.push_bytes };
    let raw = UnderTest::raw(common, bytes)?;
    let mut bench = Bench::new(common, args.timing);
    for round in 1..=args.timing.rounds {
        bench.round = round;
        bench.ceilings(Some(&raw), args.window)?;
    }
    bench.report("ceilings", false)
}

/// Name of the open loop whose rate follows from the closed ones.
const HALF: &str = "open, half of maximum";
const RAW: &str = "ceiling: raw echo + push";
const STORE: &str = "ceiling: store";

struct Bench<'a> {
    common: &'a Common,
    timing: Timing,
    round: u32,
    epochs: Epochs,
    rows: Vec<Series>,
    frame_bytes: FrameBytes,
    refusal: Option<String>,
}

impl<'a> Bench<'a> {
    fn new(common: &'a Common, timing: Timing) -> Self {
        Self {
            common,
            timing,
            round: 0,
            epochs: Epochs::start(),
            rows: Vec::new(),
            frame_bytes: FrameBytes::default(),
            refusal: None,
        }
    }

    fn ceilings(&mut self, raw: Option<&UnderTest>, window: u32) -> Result<(), BenchError> {
        if let Some(raw) = raw {
            self.measure(raw, RAW, Loop::Closed { window })?;
        }
        let folder = data_folder(self.common)?;
        self.store(folder.path(), window)
    }

    /// One series of one round against a server.
    fn measure(&mut self, server: &UnderTest, name: &str, send: Loop) -> Result<(), BenchError> {
        let plan = Plan {
            pairs: self.common.pairs,
            send,
            warmup: self.timing.warmup(),
            measure: self.timing.measure(),
            epoch: self.epochs.next(),
            threads: self.common.generator_threads,
            per_pair_max: u32::MAX,
        };
        let generator = Observed { pid: Some(std::process::id()), ..Observed::default() };
        let running = Load::connect(&server.target, plan)?.start()?;
        running.wait_for_measure();
        let before = [server.observed.account(), generator.account()];
        running.wait_for_end();
        let after = [server.observed.account(), generator.account()];
        running.wait_for_rest(REST);
        let outcome = running.finish()?;
        if let Some(reason) = outcome.broken {
            return Err(BenchError::Server(format!("during \"{name}\": {reason}")));
        }
        if name != RAW {
            self.frame_bytes = outcome.frame_bytes;
        }
        if self.refusal.is_none() {
            self.refusal.clone_from(&outcome.first_refusal);
        }
        let figures = figures(&outcome, &before, &after, self.timing.measure());
        self.add(name, figures)
    }

    /// One round of the store's ceiling.
    fn store(&mut self, data: &Path, window: u32) -> Result<(), BenchError> {
        let plan = StorePlan {
            pairs: self.common.pairs,
            window,
            warmup: self.timing.warmup(),
            measure: self.timing.measure(),
        };
        let store = ceiling::embedded(&data.join("data"), plan)?;
        let figures = Figures {
            per_second: store.per_second,
            ack: store.commit,
            delivery: None,
            lateness: None,
            sent: store.commit.count,
            unanswered: 0,
            refused: 0,
            lost: 0,
            duplicates: 0,
            reordered: 0,
            cpu_us: store.cpu_us,
            generator_cpu_us: None,
            syncs_per_second: Some(store.syncs_per_second),
            disk_bytes: store.disk_bytes,
            resident_mib: None,
            load_average: load_average(),
            frame_bytes: None,
        };
        self.add(STORE, figures)
    }

    fn add(&mut self, name: &str, figures: Figures) -> Result<(), BenchError> {
        say(&format!(
            "round {}: {name}: {:.0}/s, ack p99 {:.2} ms\n",
            self.round, figures.per_second, figures.ack.p99_ms
        ))?;
        match self.rows.iter_mut().find(|(known, _)| known == name) {
            Some((_, rounds)) => rounds.push(figures),
            None => self.rows.push((name.to_owned(), vec![figures])),
        }
        Ok(())
    }

    /// The greatest median of acknowledged messages per second so far.
    fn maximum(&self) -> f64 {
        let of_server = |(name, _): &&Series| name != RAW && name != STORE;
        self.rows.iter().filter(of_server).map(rate).fold(1.0, f64::max)
    }

    fn ratio(&self) -> Option<f64> {
        let of = |wanted| self.rows.iter().find(|(name, _)| name == wanted).map(rate);
        Some(self.maximum() / of(RAW)?.min(of(STORE)?))
    }

    fn report(&self, title: &str, with_ratio: bool) -> Result<(), BenchError> {
        let bytes = self.frame_bytes;
        let mut text = format!(
            "\n{title}: {} pairs, {} rounds of {} s after {} s of warm-up; TLS off; 128 bytes of text\n",
            self.common.pairs, self.timing.rounds, self.timing.seconds, self.timing.warmup
        );
        if bytes.push > 0 {
            text.push_str(&format!(
                "frames: request {} B, acknowledgement {} B, push {} B\n",
                bytes.request, bytes.ack, bytes.push
            ));
        }
        text.push_str("medians over the rounds, [smallest..largest]\n\n");
        text.push_str(&table(COLUMNS, &self.rows));
        text.push('\n');
        text.push_str(&table(FAULTS, &self.rows));
        if let (true, Some(ratio)) = (with_ratio, self.ratio()) {
            text.push_str(&format!(
                "\nmaximum {:.0}/s = {ratio:.2} x the lower ceiling (target: 0.5)\n",
                self.maximum()
            ));
        }
        if let Some((_, half)) = self.rows.iter().find(|(name, _)| name == HALF) {
            let p99 = Spread::of(half.iter().map(|figures| figures.ack.p99_ms));
            if let Some(p99) = p99 {
                text.push_str(&format!(
                    "ack p99 at half of the maximum: {:.2} ms (target: 20)\n",
                    p99.median
                ));
            }
        }
        if let Some(refusal) = &self.refusal {
            text.push_str(&format!("first refusal: {refusal}\n"));
        }
        say(&text)?;
        self.write_json(title)
    }

    fn write_json(&self, title: &str) -> Result<(), BenchError> {
        let Some(path) = &self.common.json else { return Ok(()) };
        #[derive(Serialize)]
        struct Report<'a> {
            workload: &'a str,
            pairs: u32,
            seconds: u64,
            frame_bytes: FrameBytes,
            maximum_per_second: f64,
            ratio_to_lower_ceiling: Option<f64>,
            series: &'a [Series],
        }
        let report = Report {
            workload: title,
            pairs: self.common.pairs,
            seconds: self.timing.seconds,
            frame_bytes: self.frame_bytes,
            maximum_per_second: self.maximum(),
            ratio_to_lower_ceiling: self.ratio(),
            series: &self.rows,
        };
        write_json(path, &report)
    }

    /// What was acknowledged must have been delivered, once and in order, in every round.
    fn verdict(&self) -> Result<(), BenchError> {
        let sum = |figure: fn(&Figures) -> u64| {
            self.rows.iter().flat_map(|(_, rounds)| rounds).map(figure).sum::<u64>()
        };
        let (lost, doubled, reordered) =
            (sum(|f| f.lost), sum(|f| f.duplicates), sum(|f| f.reordered));
        if lost + doubled + reordered == 0 {
            return Ok(());
        }
        Err(BenchError::BrokenPromise(format!(
            "{lost} acknowledged messages not delivered, {doubled} delivered twice, {reordered} out of order"
        )))
    }
}

fn rate((_, rounds): &Series) -> f64 {
    Spread::of(rounds.iter().map(|figures| figures.per_second)).map_or(0.0, |spread| spread.median)
}

/// The figures of a run; the accounts are those of the server and of the generator.
fn figures(
    outcome: &Outcome,
    [before, generator_before]: &[Account; 2],
    [after, generator_after]: &[Account; 2],
    measure: Duration,
) -> Figures {
    let each = outcome.acked_in_measure.max(1) as f64;
    let seconds = measure.as_secs_f64();
    let cpu_us = |from: &Account, to: &Account| {
        Some(to.cpu?.saturating_sub(from.cpu?).as_secs_f64() * 1e6 / each)
    };
    let disk = before.disk_bytes.zip(after.disk_bytes);
    let lateness = outcome.lateness.percentiles();
    Figures {
        per_second: outcome.acked_in_measure as f64 / seconds,
        ack: outcome.ack.percentiles(),
        delivery: Some(outcome.delivery.percentiles()),
        lateness: (lateness.count > 0).then_some(lateness),
        sent: outcome.sent,
        unanswered: outcome.sent - outcome.acked - outcome.refused,
        refused: outcome.refused,
        lost: outcome.undelivered,
        duplicates: outcome.duplicates,
        reordered: outcome.reordered,
        cpu_us: cpu_us(before, after),
        generator_cpu_us: cpu_us(generator_before, generator_after),
        syncs_per_second: syncs(before, after).map(|syncs| syncs / seconds),
        disk_bytes: disk.map(|(from, to)| to.saturating_sub(from) as f64 / each),
        resident_mib: after.resident_mib(),
        load_average: load_average(),
        frame_bytes: Some(outcome.frame_bytes),
    }
}

/// The server's own count of syncs of its store.
fn syncs(before: &Account, after: &Account) -> Option<f64> {
    const NAME: &str = "teahouse_store_syncs_total";
    Some(after.metrics.get(NAME)? - before.metrics.get(NAME)?)
}

/// Prints to standard output.
pub(crate) fn say(text: &str) -> Result<(), BenchError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(BenchError::io("print"))
}

/// Writes `report` to `path` as JSON.
pub(crate) fn write_json(path: &Path, report: &impl Serialize) -> Result<(), BenchError> {
    let text = serde_json::to_vec_pretty(report).expect("plain figures can be written as JSON");
    std::fs::write(path, text).map_err(BenchError::io(format!("write {}", path.display())))
}
