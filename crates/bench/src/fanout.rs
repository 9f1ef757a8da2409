//! Measures what a crowd hears: the part that the workloads of groups and live rooms share.

use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use crate::broadcast::{self, BroadcastArgs};
use crate::cli::Common;
use crate::crowd::{Crowd, Invitation};
use crate::error::BenchError;
use crate::histogram::{Latencies, Percentiles};
use crate::process::{Account, Observed, load_average};
use crate::program::{Level, Phase, lines};
use crate::report::Column;
use crate::tally::{LevelCount, Tally};
use crate::target::UnderTest;
use crate::w1::Timing;

/// How long a run may take to come to rest.
const REST: Duration = Duration::from_secs(20);
/// A room that drops messages is at rest when nothing has arrived for so long.
const QUIET: Duration = Duration::from_millis(1_500);
/// A delivery later than this is late: the target of a steady room.
pub(crate) const STALE: Duration = Duration::from_millis(500);
/// The pacer wakes at most once in this time, as the one of the pairs does.
const PACER_QUANTUM_NS: u64 = 200_000;

/// One series in one round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    /// Messages sent a second.
    pub(crate) offered_per_second: f64,
    /// Arrivals a second, over all receivers.
    pub(crate) deliveries_per_second: f64,
    /// Arrivals as a share of what was accepted, times those who should get it.
    pub(crate) delivered_share: Option<f64>,
    /// From the intended time of sending to each arrival.
    pub(crate) delivery: Option<Percentiles>,
    /// From the intended time of sending to the answer.
    pub(crate) ack: Option<Percentiles>,
    /// How late the generator itself was.
    pub(crate) lateness: Option<Percentiles>,
    /// The server's processor time for each delivery, in microseconds.
    pub(crate) cpu_us: Option<f64>,
    /// The generator's.
    pub(crate) generator_cpu_us: Option<f64>,
    /// The server's processor time as a share of one processor.
    pub(crate) cpus: Option<f64>,
    /// Messages in a frame.
    pub(crate) per_frame: f64,
    /// Bytes of a frame.
    pub(crate) frame_bytes: f64,
    /// Frames that each receiver got in a second.
    pub(crate) frames_per_second: f64,
    /// The server's memory at the end.
    pub(crate) resident_mib: Option<f64>,
    /// What became of the messages.
    pub(crate) count: LevelCount,
    /// Deliveries out of order or twice.
    pub(crate) disordered: u64,
    /// Of the machine.
    pub(crate) load_average: f64,
}

/// Columns of the workloads without loss.
pub(crate) const COLUMNS: &[Column<Figures>] = &[
    Column { name: "in/s", digits: 0, figure: |f| Some(f.offered_per_second), spread: false },
    Column {
        name: "deliveries/s",
        digits: 0,
        figure: |f| Some(f.deliveries_per_second),
        spread: true,
    },
    Column { name: "p50 ms", digits: 1, figure: |f| f.delivery.map(|d| d.p50_ms), spread: false },
    Column { name: "p99", digits: 1, figure: |f| f.delivery.map(|d| d.p99_ms), spread: true },
    Column { name: "max", digits: 0, figure: |f| f.delivery.map(|d| d.max_ms), spread: false },
    Column { name: "ack p99", digits: 1, figure: |f| f.ack.map(|a| a.p99_ms), spread: false },
    Column { name: "late p99", digits: 1, figure: |f| f.lateness.map(|l| l.p99_ms), spread: false },
    Column { name: "CPU us/delivery", digits: 2, figure: |f| f.cpu_us, spread: true },
    Column { name: "generator", digits: 2, figure: |f| f.generator_cpu_us, spread: false },
    Column { name: "CPUs", digits: 2, figure: |f| f.cpus, spread: false },
    Column { name: "msgs/frame", digits: 1, figure: |f| Some(f.per_frame), spread: false },
    Column { name: "RSS MiB", digits: 0, figure: |f| f.resident_mib, spread: false },
    Column { name: "load", digits: 1, figure: |f| Some(f.load_average), spread: false },
];

/// What must not be.
pub(crate) const FAULTS: &[Column<Figures>] = &[
    Column { name: "sent", digits: 0, figure: |f| Some(f.count.offered as f64), spread: true },
    Column { name: "refused", digits: 0, figure: |f| Some(f.count.refused as f64), spread: true },
    Column {
        name: "unanswered",
        digits: 0,
        figure: |f| Some((f.count.offered - f.count.accepted - f.count.refused) as f64),
        spread: true,
    },
    Column {
        name: "delivered %",
        digits: 3,
        figure: |f| f.delivered_share.map(|share| share * 100.0),
        spread: true,
    },
    Column {
        name: "not delivered",
        digits: 0,
        figure: |f| Some(f.count.expected as f64 - f.count.deliveries as f64),
        spread: true,
    },
    Column {
        name: "twice or disordered",
        digits: 0,
        figure: |f| Some(f.disordered as f64),
        spread: true,
    },
];

/// A crowd that is in, and the server that it is in at.
pub(crate) struct Fanout<'a> {
    /// The server.
    pub(crate) server: &'a UnderTest,
    /// The crowd.
    pub(crate) crowd: &'a Crowd,
    /// How many it is.
    pub(crate) members: u32,
    /// How many of it speak.
    pub(crate) speakers: u32,
    /// Some of what is said is dropped on purpose.
    pub(crate) drops: bool,
}

/// A run under way.
pub(crate) struct Running<'a> {
    fanout: &'a Fanout<'a>,
    pacer: JoinHandle<Latencies>,
    window: std::ops::Range<u64>,
    end_ns: u64,
}

/// The accounts of server and generator at one moment.
pub(crate) struct Accounts([Account; 2]);

impl Accounts {
    /// Those of now.
    pub(crate) fn now(observed: &Observed) -> Self {
        let generator = Observed { pid: Some(std::process::id()), ..Observed::default() };
        Self([observed.process().account(), generator.account()])
    }

    /// Processor time of server and generator since `before`.
    fn cpu_since(&self, before: &Self) -> [Option<Duration>; 2] {
        [0, 1].map(|of| self.0[of].cpu_since(&before.0[of]))
    }

    /// The server's processor time in `measure`, the time since `before`, as a share of one
    /// processor.
    pub(crate) fn cpus_since(&self, before: &Self, measure: Duration) -> Option<f64> {
        let [cpu, _] = self.cpu_since(before);
        cpu.map(|cpu| cpu.as_secs_f64() / measure.as_secs_f64())
    }

    /// The server's memory.
    pub(crate) fn resident_mib(&self) -> Option<f64> {
        self.0[0].resident_mib()
    }
}

impl Fanout<'_> {
    /// Speaks `phases` one after another; phase number `measured` is the one that is measured.
    pub(crate) fn start(
        &self,
        epoch: u32,
        phases: Vec<Phase>,
        measured: usize,
    ) -> Result<Running<'_>, BenchError> {
        let clock = self.crowd.clock();
        // A moment ahead, so that the first messages are not late from the start.
        let start_ns = clock.now_ns() + 20_000_000;
        let until = |count: usize| {
            let lengths = phases.iter().take(count).map(|phase| phase.length.as_nanos() as u64);
            start_ns + lengths.sum::<u64>()
        };
        let window = until(measured)..until(measured + 1);
        let end_ns = until(phases.len());
        let stale_ns = STALE.as_nanos() as u64;
        self.crowd.open_books(Tally::new(epoch, self.members - 1, window.clone(), stale_ns));
        let (mut speaker, speakers, from) = (self.crowd.speaker(), self.speakers, window.start);
        let pace = move || {
            let (mut lateness, mut woke_ns) = (Latencies::default(), 0);
            for line in lines(&phases, start_ns, speakers) {
                if line.at_ns > clock.now_ns() {
                    clock.sleep_until(line.at_ns.max(woke_ns + PACER_QUANTUM_NS));
                    woke_ns = clock.now_ns();
                }
                speaker.say(line.sender, line.level, line.at_ns);
                if line.at_ns >= from {
                    lateness.record(clock.now_ns().saturating_sub(line.at_ns));
                }
            }
            lateness
        };
        let pacer = std::thread::Builder::new()
            .name("bench-pacer".to_owned())
            .spawn(pace)
            .map_err(BenchError::io("start the pacer"))?;
        Ok(Running { fanout: self, pacer, window, end_ns })
    }

    /// Measures one steady rate.
    pub(crate) fn measure(
        &self,
        epoch: u32,
        phase: Phase,
        warmup: Duration,
    ) -> Result<Figures, BenchError> {
        let phases = vec![Phase { length: warmup, ..phase }, phase];
        let running = self.start(epoch, phases, 1)?;
        running.wait_for_measure();
        let before = Accounts::now(&self.server.observed);
        running.wait_for_measured();
        let after = Accounts::now(&self.server.observed);
        let lateness = running.rest()?;
        let figures = self.crowd.with_books(|tally| {
            figures(tally, self.members, phase.length, &before, &after, Some(&lateness))
        });
        Ok(figures)
    }
}

impl Running<'_> {
    /// Blocks until the measured phase begins.
    pub(crate) fn wait_for_measure(&self) {
        self.fanout.crowd.clock().sleep_until(self.window.start);
    }

    /// Blocks until the measured phase ends.
    pub(crate) fn wait_for_measured(&self) {
        self.fanout.crowd.clock().sleep_until(self.window.end);
    }

    /// When the measured phase ends.
    pub(crate) fn measured_end_ns(&self) -> u64 {
        self.window.end
    }

    /// Blocks until all is said and has arrived, or nothing more arrives; returns how late the
    /// generator was.
    pub(crate) fn rest(self) -> Result<Latencies, BenchError> {
        let crowd = self.fanout.crowd;
        let clock = crowd.clock();
        let lateness =
            self.pacer.join().map_err(|_| BenchError::Server("the pacer panicked".into()))?;
        clock.sleep_until(self.end_ns);
        let deadline = clock.now_ns() + REST.as_nanos() as u64;
        let mut known = (0, clock.now_ns());
        loop {
            let (deliveries, answered, sent) =
                crowd.with_books(|tally| (tally.deliveries, tally.answered, tally.sent()));
            let now = clock.now_ns();
            if deliveries != known.0 {
                known = (deliveries, now);
            }
            let all = sent * u64::from(self.fanout.members - 1);
            let is_quiet = self.fanout.drops && now > known.1 + QUIET.as_nanos() as u64;
            if answered == sent && (deliveries >= all || is_quiet) || now > deadline {
                break;
            }
            clock.sleep_until(now + 5_000_000);
        }
        match crowd.trouble() {
            Some(reason) => Err(BenchError::Server(reason)),
            None => Ok(lateness),
        }
    }
}

/// The figures of the measured phase.
fn figures(
    tally: &Tally,
    members: u32,
    measure: Duration,
    before: &Accounts,
    after: &Accounts,
    lateness: Option<&Latencies>,
) -> Figures {
    let seconds = measure.as_secs_f64();
    let mut count = LevelCount::default();
    for level in Level::ALL {
        count.add(&tally.level(level));
    }
    let each = tally.deliveries_in_window.max(1) as f64;
    let [cpu, generator_cpu] = after.cpu_since(before);
    let us = |cpu: Option<Duration>| cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / each);
    let frames = tally.frames_in_window.max(1) as f64;
    let some = |latencies: &Latencies| {
        Some(latencies.percentiles()).filter(|percentiles| percentiles.count > 0)
    };
    Figures {
        offered_per_second: count.offered as f64 / seconds,
        deliveries_per_second: tally.deliveries_in_window as f64 / seconds,
        delivered_share: (count.expected > 0)
            .then(|| count.deliveries as f64 / count.expected as f64),
        delivery: some(&tally.delivery),
        ack: some(&tally.ack),
        lateness: lateness.and_then(some),
        cpu_us: us(cpu),
        generator_cpu_us: us(generator_cpu),
        cpus: after.cpus_since(before, measure),
        per_frame: each / frames,
        frame_bytes: tally.bytes_in_window as f64 / frames,
        frames_per_second: frames / seconds / f64::from(members),
        resident_mib: after.resident_mib(),
        count,
        disordered: tally.disordered,
        load_average: load_average(),
    }
}

/// Measures the ceiling: as many sockets, frames of the same messages and bytes, nothing else.
pub(crate) fn ceiling(
    common: &Common,
    members: u32,
    like: &Figures,
    timing: Timing,
) -> Result<Figures, BenchError> {
    let messages = (like.per_frame.round() as u32).max(1);
    let each = like.frame_bytes / like.per_frame;
    let args = BroadcastArgs {
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        messages,
        bytes: (each * f64::from(messages)) as usize,
    };
    let server = UnderTest::broadcast(common, &args)?;
    let invitation = Invitation { members, speakers: 0, group: String::new(), enters: false };
    let crowd = Crowd::start(&server.target, invitation)?;
    crowd.wait_for_all(members)?;
    let clock = crowd.clock();
    let start_ns = clock.now_ns() + timing.warmup().as_nanos() as u64;
    let end_ns = start_ns + timing.measure().as_nanos() as u64;
    crowd.open_books(Tally::new(broadcast::EPOCH, members, start_ns..end_ns, u64::MAX));
    crowd.tell_rounds();
    clock.sleep_until(start_ns);
    let before = Accounts::now(&server.observed);
    clock.sleep_until(end_ns);
    let after = Accounts::now(&server.observed);
    let measure = timing.measure();
    let mut figures =
        crowd.with_books(|tally| figures(tally, members, measure, &before, &after, None));
    if let Some(reason) = crowd.trouble() {
        return Err(BenchError::Server(reason));
    }
    figures.offered_per_second = figures.deliveries_per_second / f64::from(members);
    Ok(figures)
}
