//! W6: history of one group with a million messages, read by many clients at once: the newest page, and
//! pages anywhere in it; from memory, and after a restart from disk.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::cli::Common;
use crate::client::{Client, Target, runtime};
use crate::clock::Clock;
use crate::crowd::{Crowd, Invitation};
use crate::error::BenchError;
use crate::group;
use crate::histogram::{Latencies, Percentiles};
use crate::process::{Account, load_average};
use crate::program::Level;
use crate::report::{Column, table};
use crate::tally::Tally;
use crate::target::{control, data_folder, observe, serve};
use crate::visitor::{Member, enter};
use crate::w1::{Epochs, Timing, say, write_json};
use crate::wire::{self, Identity};

/// Flags of `W6`.
#[derive(Debug, Args)]
pub(crate) struct W6Args {
    /// Messages in the group.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    messages: u64,
    /// Clients that read, each one page at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    clients: u32,
    #[command(flatten)]
    timing: Timing,
}

/// Those who write the messages.
const WRITERS: u32 = 8;
/// Messages on their way at once: below what a server reads ahead from so many connections.
const IN_FLIGHT: u64 = 400;
/// Numbers of the readers, beside those of the writers.
const FIRST_READER: u32 = 1_000;
/// Messages of a page.
const PAGE: u64 = 20;
const GROUP_HISTORY: &str = "group_open_http_svc.group_msg_get";

/// Where pages are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Newest,
    Anywhere,
}

/// One series in one round.
#[derive(Debug, Clone, Serialize)]
struct Pages {
    per_second: f64,
    latency: Percentiles,
    page_bytes: f64,
    cpu_us: Option<f64>,
    resident_mib: Option<f64>,
    load_average: f64,
}

const COLUMNS: &[Column<Pages>] = &[
    Column { name: "pages/s", digits: 0, figure: |p| Some(p.per_second), spread: true },
    Column { name: "p50 ms", digits: 2, figure: |p| Some(p.latency.p50_ms), spread: false },
    Column { name: "p99", digits: 2, figure: |p| Some(p.latency.p99_ms), spread: true },
    Column { name: "B/page", digits: 0, figure: |p| Some(p.page_bytes), spread: false },
    Column { name: "CPU us/page", digits: 0, figure: |p| p.cpu_us, spread: true },
    Column { name: "RSS MiB", digits: 0, figure: |p| p.resident_mib, spread: false },
    Column { name: "load", digits: 1, figure: |p| Some(p.load_average), spread: false },
];

/// Runs W6 as the flags say.
pub(crate) fn run(common: &Common, args: &W6Args) -> Result<(), BenchError> {
    if common.server.is_some() {
        let why = "W6 starts its server again, so it starts one of its own: leave out --server";
        return Err(BenchError::Usage(why.to_owned()));
    }
    let (folder, app) = (data_folder(common)?, common.app_or_default());
    let mut epochs = Epochs::start();
    let name = format!("bench-{}", epochs.next());
    let mut server = serve(folder.path(), &app)?;
    let data = folder.path().join("data");
    fill(&app.target(server.addr), &data, &name, epochs.next(), args)?;
    server.kill();
    forget(&data)?;
    let server = serve(folder.path(), &app)?;
    let target = app.target(server.addr);
    let runtime = runtime()?;
    let entering =
        (0..args.clients).map(|number| runtime.block_on(enter(&target, number, name_of(number))));
    let readers = entering.collect::<Result<Vec<Reader>, _>>()?;
    let users: Vec<String> = (0..args.clients).map(name_of).collect();
    group::add(&target, &name, &users)?;
    let observed = observe(&server, folder.path());
    let mut bench = Bench { runtime, group: name.into(), readers, messages: args.messages };
    let cold = bench.read(Place::Anywhere, args.timing, || observed.process().account())?;
    say(&format!("W6 cold: {:.0} pages/s\n", cold.per_second))?;
    let (mut newest, mut anywhere) = (Vec::new(), Vec::new());
    for round in 1..=args.timing.rounds {
        for (place, series) in [(Place::Newest, &mut newest), (Place::Anywhere, &mut anywhere)] {
            let pages = bench.read(place, args.timing, || observed.process().account())?;
            say(&format!("W6 round {round}: {place:?}: {:.0} pages/s\n", pages.per_second))?;
            series.push(pages);
        }
    }
    let rows = [
        ("anywhere, after a restart".to_owned(), vec![cold]),
        ("newest".to_owned(), newest),
        ("anywhere".to_owned(), anywhere),
    ];
    say(&format!(
        "\nW6: a group of {} messages, {} clients that read pages of {PAGE}; {} rounds of {} s; TLS off\n\
         medians over the rounds, [smallest..largest]\n\n{}",
        args.messages,
        args.clients,
        args.timing.rounds,
        args.timing.seconds,
        table(COLUMNS, &rows)
    ))?;
    match &common.json {
        Some(path) => write_json(path, &rows),
        None => Ok(()),
    }
}

/// Of the reader of that number; those of the writers are others.
fn name_of(number: u32) -> String {
    wire::crowd_name(FIRST_READER + number)
}

/// Makes the group and its messages.
fn fill(
    target: &Target,
    data: &Path,
    name: &str,
    epoch: u32,
    args: &W6Args,
) -> Result<(), BenchError> {
    control(data, target, &["group.messages_per_second=1000000".to_owned()])?;
    let invitation =
        Invitation { members: WRITERS, speakers: WRITERS, group: name.to_owned(), enters: false };
    let crowd = Crowd::start(target, invitation)?;
    crowd.wait_for_all(WRITERS)?;
    group::make_group(target, "ChatRoom", name, &crowd.users())?;
    let clock = crowd.clock();
    crowd.open_books(Tally::new(epoch, WRITERS - 1, 0..0, u64::MAX));
    let mut speaker = crowd.speaker();
    let wait = |most: u64| {
        while crowd.with_books(|tally| tally.sent() - tally.answered) > most {
            if let Some(reason) = crowd.trouble() {
                return Err(BenchError::Server(reason));
            }
            clock.sleep_until(clock.now_ns() + 200_000);
        }
        Ok(())
    };
    for number in 0..args.messages {
        if number % 64 == 0 {
            wait(IN_FLIGHT)?;
        }
        let writer = u32::try_from(number % u64::from(WRITERS)).expect("below 8");
        speaker.say(writer, Level::Normal, clock.now_ns());
    }
    wait(0)?;
    match crowd.first_refusal() {
        Some(refusal) => Err(BenchError::Server(refusal)),
        None => Ok(()),
    }
}

/// Has the system forget what it keeps in memory of the files in `folder`.
fn forget(folder: &Path) -> Result<(), BenchError> {
    let failed = || BenchError::io(format!("look at {}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        if path.is_dir() {
            forget(&path)?;
            continue;
        }
        let file = std::fs::File::open(&path).map_err(failed())?;
        file.sync_all().map_err(failed())?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
            .map_err(|problem| failed()(problem.into()))?;
    }
    Ok(())
}

/// A client that reads, and its user.
type Reader = (Member, Client);

struct Bench {
    runtime: Runtime,
    group: Arc<str>,
    readers: Vec<Reader>,
    messages: u64,
}

impl Bench {
    fn read(
        &mut self,
        place: Place,
        timing: Timing,
        account: impl Fn() -> Account,
    ) -> Result<Pages, BenchError> {
        let (clock, before) = (Clock::start(), account());
        let end_ns = timing.measure().as_nanos() as u64;
        let messages = self.messages;
        let reads = |(number, mut reader): (usize, Reader)| {
            let group = Arc::clone(&self.group);
            let mut random = StdRng::seed_from_u64(number as u64);
            self.runtime.spawn(async move {
                let (mut latencies, mut bytes) = (Latencies::default(), 0);
                while clock.now_ns() < end_ns {
                    let newest = match place {
                        Place::Newest => messages,
                        Place::Anywhere => random.random_range(PAGE..=messages),
                    };
                    let asked_ns = clock.now_ns();
                    bytes += page(&mut reader, &group, newest).await?;
                    latencies.record(clock.now_ns() - asked_ns);
                }
                Ok::<_, BenchError>((reader, latencies, bytes))
            })
        };
        let reading: Vec<_> = self.readers.drain(..).enumerate().map(reads).collect();
        let read = self.runtime.block_on(join_all(reading));
        let (seconds, after) = (clock.now_ns() as f64 / 1e9, account());
        let (mut latencies, mut bytes) = (Latencies::default(), 0);
        for read in read {
            let (reader, of_reader, bytes_of_reader) = read.expect("a reader does not panic")?;
            self.readers.push(reader);
            latencies.merge(&of_reader);
            bytes += bytes_of_reader;
        }
        let latency = latencies.percentiles();
        let pages = latency.count as f64;
        Ok(Pages {
            per_second: pages / seconds,
            latency,
            page_bytes: bytes as f64 / pages,
            cpu_us: after.cpu_us_each(&before, pages),
            resident_mib: after.resident_mib(),
            load_average: load_average(),
        })
    }
}

/// Reads the page that ends with the message `newest`; its bytes. A page that is not full is an error.
async fn page(
    (member, client): &mut Reader,
    group: &str,
    newest: u64,
) -> Result<usize, BenchError> {
    let body = format!(
        r#"{{"GroupId":"{group}","ReqMsgSeq":{newest},"ReqMsgNumber":{PAGE},"WithRecalledMsg":1}}"#
    );
    let identity = Identity::Token(&member.credentials);
    let answer = client.call(identity, GROUP_HISTORY, body.as_bytes()).await?;
    let first = format!("\"MsgSeq\":{newest},");
    let is_there = crate::mark::find(&answer, first.as_bytes()).is_some();
    let whole = crate::mark::marks(&answer).count() as u64 == PAGE;
    if is_there && whole {
        Ok(answer.len())
    } else {
        Err(BenchError::refused(GROUP_HISTORY, &answer))
    }
}
