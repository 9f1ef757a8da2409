//! W4: a live room is offered ten and fifty times what it may have. What is important gets through
//! whole, what arrives is fresh, one-to-one chat beside it does not suffer, and a moment after the
//! flood all is as before.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::cli::Common;
use crate::crowd::Crowd;
use crate::error::BenchError;
use crate::fanout::{Accounts, Fanout, STALE};
use crate::histogram::{Latencies, Percentiles};
use crate::limits;
use crate::load::{self, Load, Loop};
use crate::process::load_average;
use crate::program::{Level, Mix, Phase};
use crate::report::{Column, table};
use crate::tally::LevelCount;
use crate::target::UnderTest;
use crate::w1::{Epochs, Timing, say, write_json};
use crate::w3::DEFAULT_LIMIT;

/// Flags of `W4`.
#[derive(Debug, Args)]
pub(crate) struct W4Args {
    /// Viewers, one room and one server for each number.
    #[arg(long, value_delimiter = ',', default_value = "5000,10000", value_parser = clap::value_parser!(u32).range(2..=200_000))]
    viewers: Vec<u32>,
    /// Viewers who write.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    senders: u32,
    /// Messages a second that are offered in the flood.
    #[arg(long, value_delimiter = ',', default_value = "400,2000", value_parser = clap::value_parser!(u32).range(21..=100_000))]
    rates: Vec<u32>,
    #[command(flatten)]
    timing: Timing,
    /// The room's limit, messages a second.
    #[arg(long, default_value_t = DEFAULT_LIMIT, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

/// Important messages in the flood, a second: within the limit by themselves.
const HIGH_PER_SECOND: u32 = 20;
/// Normal ones in a hundred of the others.
const NORMAL_PERCENT: u32 = 30;
/// Before and after the flood.
const CALM: Phase = Phase { rate: 20, mix: Mix::NORMAL, length: Duration::from_secs(5) };
/// How often viewers are asked how old the newest is that they have.
const SAMPLE_NS: u64 = 50_000_000;
/// Viewers asked.
const SAMPLED: u32 = 200;
/// The one-to-one chat beside the room.
const PAIRS: u32 = 20;
const PAIRS_RATE: u32 = 500;

/// One flood.
#[derive(Debug, Clone, Serialize)]
struct Flood {
    high: LevelCount,
    normal: LevelCount,
    low: LevelCount,
    deliveries_per_second: f64,
    delivery: Percentiles,
    /// Age of the newest message of each sampled viewer at each moment of the flood.
    newest_age: Percentiles,
    recovery_ms: f64,
    w1_ack_before: Percentiles,
    w1_ack_during: Percentiles,
    /// How late the generator itself was.
    lateness: Percentiles,
    cpus: Option<f64>,
    resident_mib: Option<f64>,
    disordered: u64,
    load_average: f64,
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

const COLUMNS: &[Column<Flood>] = &[
    Column {
        name: "High delivered %",
        digits: 3,
        figure: |f| percent(f.high.deliveries, f.high.expected),
        spread: true,
    },
    Column { name: "age p50 ms", digits: 0, figure: |f| Some(f.newest_age.p50_ms), spread: false },
    Column { name: "p99", digits: 0, figure: |f| Some(f.newest_age.p99_ms), spread: true },
    Column { name: "max", digits: 0, figure: |f| Some(f.newest_age.max_ms), spread: false },
    Column { name: "delivery p99", digits: 0, figure: |f| Some(f.delivery.p99_ms), spread: false },
    Column { name: "recovery ms", digits: 0, figure: |f| Some(f.recovery_ms), spread: true },
    Column {
        name: "W1 ack p99 before",
        digits: 2,
        figure: |f| Some(f.w1_ack_before.p99_ms),
        spread: true,
    },
    Column { name: "during", digits: 2, figure: |f| Some(f.w1_ack_during.p99_ms), spread: true },
    Column {
        name: "deliveries/s",
        digits: 0,
        figure: |f| Some(f.deliveries_per_second),
        spread: false,
    },
    Column { name: "late max", digits: 0, figure: |f| Some(f.lateness.max_ms), spread: true },
    Column { name: "CPUs", digits: 2, figure: |f| f.cpus, spread: false },
    Column { name: "RSS MiB", digits: 0, figure: |f| f.resident_mib, spread: false },
    Column { name: "disordered", digits: 0, figure: |f| Some(f.disordered as f64), spread: true },
    Column { name: "load", digits: 1, figure: |f| Some(f.load_average), spread: false },
];

const LEVELS: &[Column<Flood>] = &[
    Column {
        name: "High offered",
        digits: 0,
        figure: |f| Some(f.high.offered as f64),
        spread: false,
    },
    Column { name: "let through", digits: 0, figure: |f| Some(f.high.heard as f64), spread: false },
    Column {
        name: "Normal offered",
        digits: 0,
        figure: |f| Some(f.normal.offered as f64),
        spread: false,
    },
    Column {
        name: "let through",
        digits: 0,
        figure: |f| Some(f.normal.heard as f64),
        spread: false,
    },
    Column {
        name: "Low offered",
        digits: 0,
        figure: |f| Some(f.low.offered as f64),
        spread: false,
    },
    Column { name: "let through", digits: 0, figure: |f| Some(f.low.heard as f64), spread: false },
    Column {
        name: "of what was let through, delivered %",
        digits: 3,
        figure: |f| {
            let levels = [&f.high, &f.normal, &f.low];
            let whole = levels.map(|level| level.heard * level.expected / level.accepted.max(1));
            percent(levels.map(|level| level.deliveries).iter().sum(), whole.iter().sum())
        },
        spread: true,
    },
];

/// Runs W4 as the flags say.
pub(crate) fn run(common: &Common, args: &W4Args) -> Result<(), BenchError> {
    limits::make_room(args.viewers.iter().copied().max().unwrap_or(0) + 2 * PAIRS)?;
    let mut epochs = Epochs::start();
    let mut rows: Vec<(String, Vec<Flood>)> = Vec::new();
    for viewers in &args.viewers {
        let server = UnderTest::new(common)?;
        server.set(&[format!("room.messages_per_second={}", args.limit)])?;
        let (members, speakers) = (*viewers, args.senders.min(*viewers));
        let group = format!("bench-{}", epochs.next());
        let crowd = Crowd::in_room(&server.target, group, members, speakers)?;
        let fanout = Fanout { server: &server, crowd: &crowd, members, speakers, drops: true };
        for round in 1..=args.timing.rounds {
            for rate in &args.rates {
                let name = format!("{viewers} viewers, {rate}/s");
                let flood = flood(&fanout, &mut epochs, *rate, args.timing)?;
                say(&format!(
                    "W4 round {round}: {name}: High {:.3} %, newest age p99 {:.0} ms, generator late {:.0} ms\n",
                    percent(flood.high.deliveries, flood.high.expected).unwrap_or(0.0),
                    flood.newest_age.p99_ms,
                    flood.lateness.max_ms
                ))?;
                match rows.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, rounds)) => rounds.push(flood),
                    None => rows.push((name, vec![flood])),
                }
            }
        }
    }
    report(common, args, &rows)?;
    verdict(&rows)
}

/// One flood between two calm times, with one-to-one chat beside it.
fn flood(
    fanout: &Fanout<'_>,
    epochs: &mut Epochs,
    rate: u32,
    timing: Timing,
) -> Result<Flood, BenchError> {
    let (crowd, observed) = (fanout.crowd, &fanout.server.observed);
    let pairs = |epoch, measure| load::Plan {
        pairs: PAIRS,
        send: Loop::Open { rate: PAIRS_RATE },
        warmup: CALM.length,
        measure,
        epoch,
        threads: 1,
        per_pair_max: u32::MAX,
    };
    let calm = Phase { length: timing.measure(), ..CALM };
    let load = Load::connect(&fanout.server.target, pairs(epochs.next(), calm.length))?;
    let (load, running) = (load.start()?, fanout.start(epochs.next(), vec![CALM, calm], 1)?);
    load.wait_for_end();
    running.rest()?;
    let before = chatted(load)?;

    let mix = Mix { high_per_second: HIGH_PER_SECOND, normal_percent: NORMAL_PERCENT };
    let flood = Phase { rate, mix, length: timing.measure() };
    let load = Load::connect(&fanout.server.target, pairs(epochs.next(), flood.length))?;
    let (load, running) = (load.start()?, fanout.start(epochs.next(), vec![CALM, flood, CALM], 1)?);
    running.wait_for_measure();
    let accounts = Accounts::now(observed);
    let end_ns = running.measured_end_ns();
    let sampled = crowd.sample((fanout.members / SAMPLED) as usize);
    let mut newest_age = Latencies::default();
    let mut next_ns = crowd.clock().now_ns();
    while next_ns < end_ns {
        crowd.clock().sleep_until(next_ns);
        let now = crowd.clock().now_ns();
        sampled.iter().for_each(|m| newest_age.record(now.saturating_sub(m.newest_ns())));
        next_ns = now + SAMPLE_NS;
    }
    running.wait_for_measured();
    let after = Accounts::now(observed);
    load.wait_for_end();
    let lateness = running.rest()?.percentiles();
    let during = chatted(load)?;
    let seconds = timing.measure().as_secs_f64();
    Ok(crowd.with_books(|tally| Flood {
        high: tally.level(Level::High),
        normal: tally.level(Level::Normal),
        low: tally.level(Level::Low),
        deliveries_per_second: tally.deliveries_in_window as f64 / seconds,
        delivery: tally.delivery.percentiles(),
        newest_age: newest_age.percentiles(),
        recovery_ms: tally.last_stale_ns.saturating_sub(end_ns) as f64 / 1e6,
        w1_ack_before: before,
        w1_ack_during: during,
        lateness,
        cpus: after.cpus_since(&accounts, timing.measure()),
        resident_mib: after.resident_mib(),
        disordered: tally.disordered,
        load_average: load_average(),
    }))
}

/// Ends the one-to-one chat; how long its acknowledgements took.
fn chatted(load: load::Running) -> Result<Percentiles, BenchError> {
    load.wait_for_rest(Duration::from_secs(15));
    let outcome = load.finish()?;
    match outcome.broken {
        Some(reason) => Err(BenchError::Server(reason)),
        None => Ok(outcome.ack.percentiles()),
    }
}

fn report(common: &Common, args: &W4Args, rows: &[(String, Vec<Flood>)]) -> Result<(), BenchError> {
    let mut text = format!(
        "\nW4: {} rounds of {} s of flood; limit {}/s; {HIGH_PER_SECOND}/s High, {NORMAL_PERCENT} % of \
         the others Normal, the rest Low;\n{PAIRS} pairs with {PAIRS_RATE}/s beside it; recovered when \
         nothing arrives later than {} ms\nmedians over the rounds, [smallest..largest]\n\n",
        args.timing.rounds,
        args.timing.seconds,
        args.limit,
        STALE.as_millis()
    );
    text.push_str(&table(COLUMNS, rows));
    text.push('\n');
    text.push_str(&table(LEVELS, rows));
    say(&text)?;
    let Some(path) = &common.json else { return Ok(()) };
    #[derive(Serialize)]
    struct Report<'a> {
        workload: &'a str,
        seconds: u64,
        limit: u32,
        series: &'a [(String, Vec<Flood>)],
    }
    let (seconds, limit) = (args.timing.seconds, args.limit);
    write_json(path, &Report { workload: "W4", seconds, limit, series: rows })
}

/// What is important must have reached everybody, and nothing may have come twice.
fn verdict(rows: &[(String, Vec<Flood>)]) -> Result<(), BenchError> {
    let all = || rows.iter().flat_map(|(_, rounds)| rounds);
    let missing: u64 = all().map(|f| f.high.expected.abs_diff(f.high.deliveries)).sum();
    let disordered: u64 = all().map(|f| f.disordered).sum();
    if missing + disordered == 0 {
        return Ok(());
    }
    Err(BenchError::BrokenPromise(format!(
        "{missing} deliveries of High messages missing, {disordered} twice or out of order"
    )))
}
