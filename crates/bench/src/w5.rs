//! W5: connections that are logged in and say nothing but that they are alive: what one costs the
//! server in memory, and what comes back when most of them leave.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::cli::Common;
use crate::crowd::{Crowd, Invitation};
use crate::error::BenchError;
use crate::limits;
use crate::process::{Kernel, load_average, mib};
use crate::report::{Column, table};
use crate::target::UnderTest;
use crate::w1::{say, write_json};

/// Flags of `W5`.
#[derive(Debug, Args)]
pub(crate) struct W5Args {
    /// Connections, one server for each number. What the limit of open files does not allow is cut
    /// down to it, or left out if that is less than nine tenths.
    #[arg(long, value_delimiter = ',', default_value = "10000,20000,50000", value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    connections: Vec<u32>,
    /// Seconds of rest before memory is looked at: time for signs of life, and for the allocator.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    settle: u64,
}

/// One number of connections.
#[derive(Debug, Clone, Serialize)]
struct Idle {
    connections: u32,
    login_seconds: f64,
    /// The server's resident memory: empty, with all, with a tenth left, with all again.
    empty_bytes: u64,
    full_bytes: u64,
    left_bytes: u64,
    again_bytes: u64,
    /// Both ends of the connections: the kernel's slab, and its socket buffers.
    kernel_bytes: u64,
    cpus: Option<f64>,
    load_average: f64,
}

impl Idle {
    fn each(&self, bytes: u64) -> Option<f64> {
        Some(bytes as f64 / f64::from(self.connections))
    }
}

const COLUMNS: &[Column<Idle>] = &[
    Column {
        name: "B/connection",
        digits: 0,
        figure: |i| i.each(i.full_bytes.saturating_sub(i.empty_bytes)),
        spread: true,
    },
    Column {
        name: "the second time",
        digits: 0,
        figure: |i| i.each(i.again_bytes.saturating_sub(i.left_bytes) * 10 / 9),
        spread: true,
    },
    Column {
        name: "returned after 90 % left, %",
        digits: 0,
        figure: |i| {
            let gained = i.full_bytes.checked_sub(i.empty_bytes).filter(|gained| *gained > 0)?;
            let returned = i.full_bytes.saturating_sub(i.left_bytes);
            Some(returned as f64 / 0.9 / gained as f64 * 100.0)
        },
        spread: true,
    },
    Column {
        name: "kernel, both ends, B",
        digits: 0,
        figure: |i| i.each(i.kernel_bytes),
        spread: true,
    },
    Column { name: "CPUs", digits: 3, figure: |i| i.cpus, spread: true },
    Column { name: "empty MiB", digits: 1, figure: |i| Some(mib(i.empty_bytes)), spread: false },
    Column { name: "full", digits: 1, figure: |i| Some(mib(i.full_bytes)), spread: false },
    Column { name: "left", digits: 1, figure: |i| Some(mib(i.left_bytes)), spread: false },
    Column { name: "again", digits: 1, figure: |i| Some(mib(i.again_bytes)), spread: false },
    Column { name: "login s", digits: 1, figure: |i| Some(i.login_seconds), spread: false },
    Column { name: "load", digits: 1, figure: |i| Some(i.load_average), spread: false },
];

/// Runs W5 as the flags say.
pub(crate) fn run(common: &Common, args: &W5Args) -> Result<(), BenchError> {
    let most = limits::sockets_max();
    let mut rows = Vec::new();
    for wanted in &args.connections {
        let Some(connections) = possible(*wanted, most) else {
            say(&format!(
                "W5: {wanted} connections are left out: the limit of open files allows {most}\n"
            ))?;
            continue;
        };
        let idle = measure(common, connections, Duration::from_secs(args.settle))?;
        rows.push((format!("{connections} connections"), vec![idle]));
    }
    say(&format!(
        "\nW5: logged in, a sign of life every 10 s; {} s of settling; TLS off\n\n{}",
        args.settle,
        table(COLUMNS, &rows)
    ))?;
    match &common.json {
        Some(path) => write_json(path, &rows),
        None => Ok(()),
    }
}

/// How many connections stand for `wanted` if `most` are possible; nothing if that says too little.
fn possible(wanted: u32, most: u32) -> Option<u32> {
    let possible = wanted.min(most);
    (possible >= wanted - wanted / 10).then_some(possible)
}

fn measure(common: &Common, connections: u32, settle: Duration) -> Result<Idle, BenchError> {
    let server = UnderTest::new(common)?;
    let process = server.observed.process();
    let resident = || {
        let account = process.account();
        account.resident_bytes.ok_or_else(|| {
            BenchError::Usage("memory needs --server-pid beside --server".to_owned())
        })
    };
    std::thread::sleep(settle / 4);
    let (empty_bytes, kernel) = (resident()?, Kernel::now());
    let invitation =
        Invitation { members: connections, speakers: 0, group: String::new(), enters: false };
    let crowd = Crowd::start(&server.target, invitation)?;
    let clock = crowd.clock();
    crowd.wait_for_all(connections)?;
    let login_seconds = clock.now_ns() as f64 / 1e9;
    std::thread::sleep(settle / 2);
    let before = process.account();
    std::thread::sleep(settle / 2);
    let cpu = process.account().cpu_since(&before);
    let (full_bytes, kernel_bytes) = (resident()?, Kernel::now().bytes_since(&kernel));
    let load_average = load_average();
    crowd.resize(connections / 10);
    std::thread::sleep(settle);
    let left_bytes = resident()?;
    crowd.resize(connections);
    crowd.wait_for_all(connections)?;
    std::thread::sleep(settle);
    if let Some(reason) = crowd.trouble() {
        return Err(BenchError::Server(reason));
    }
    say(&format!("W5: {connections} connections: {full_bytes} B, before {empty_bytes} B\n"))?;
    Ok(Idle {
        connections,
        login_seconds,
        empty_bytes,
        full_bytes,
        left_bytes,
        again_bytes: resident()?,
        kernel_bytes,
        cpus: cpu.map(|cpu| cpu.as_secs_f64() / (settle / 2).as_secs_f64()),
        load_average,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_cut_down_a_little_or_left_out() {
        assert_eq!(possible(10_000, 19_700), Some(10_000));
        assert_eq!(possible(20_000, 19_700), Some(19_700));
        assert_eq!(possible(20_000, 17_999), None);
        assert_eq!(possible(50_000, 19_700), None);
    }
}
