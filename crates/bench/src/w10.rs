//! W10: what the same request costs as everything around it grows: with the conversations of the user who
//! asks, and with the accounts of the app. Sending has to cost the same for all of them; a list and a
//! relogin as much more as there is to tell.

use clap::Args;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::cli::Common;
use crate::client::runtime;
use crate::clock::Clock;
use crate::error::BenchError;
use crate::group;
use crate::histogram::{Latencies, Percentiles};
use crate::process::load_average;
use crate::report::{Column, table};
use crate::target::UnderTest;
use crate::visitor::{come_back, enter, greet, sync};
use crate::w1::{Epochs, say, write_json};
use crate::wire;

/// Flags of `W10`.
#[derive(Debug, Args)]
pub(crate) struct W10Args {
    /// Conversations of the users who ask.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,10000", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    conversations: Vec<u32>,
    /// Accounts of the app.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,1000000", value_parser = clap::value_parser!(u32).range(100..=100_000_000))]
    accounts: Vec<u32>,
    /// Requests of each kind and size.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    times: u32,
}

/// Lists are long: so many of them are as good as [`W10Args::times`] sends.
const LISTS: u32 = 20;

/// One size.
#[derive(Debug, Clone, Serialize)]
struct Costs {
    /// Conversations of who asks.
    conversations: u32,
    send: Percentiles,
    /// All pages of the list, and what was missed: nothing.
    list: Percentiles,
    /// A new socket, the login with the token, and that list.
    relogin: Percentiles,
    /// The server's processor time for each list.
    list_cpu_us: Option<f64>,
    load_average: f64,
}

const COLUMNS: &[Column<Costs>] = &[
    Column { name: "send p50 ms", digits: 2, figure: |c| Some(c.send.p50_ms), spread: false },
    Column { name: "p99", digits: 2, figure: |c| Some(c.send.p99_ms), spread: false },
    Column { name: "list p50 ms", digits: 2, figure: |c| Some(c.list.p50_ms), spread: false },
    Column { name: "p99", digits: 2, figure: |c| Some(c.list.p99_ms), spread: false },
    Column { name: "CPU us", digits: 0, figure: |c| c.list_cpu_us, spread: false },
    Column {
        name: "us a conversation",
        digits: 1,
        figure: |c| Some(c.list.p50_ms * 1e3 / f64::from(c.conversations)),
        spread: false,
    },
    Column { name: "relogin p50 ms", digits: 2, figure: |c| Some(c.relogin.p50_ms), spread: false },
    Column { name: "load", digits: 1, figure: |c| Some(c.load_average), spread: false },
];

/// Runs W10 as the flags say.
pub(crate) fn run(common: &Common, args: &W10Args) -> Result<(), BenchError> {
    let server = UnderTest::new(common)?;
    server.set(&[
        "rest.calls_per_second=1000000".to_owned(),
        // The default tells the newest 500.
        "conversation.list_max=100000".to_owned(),
    ])?;
    let runtime = runtime()?;
    let mut bench =
        Bench { server: &server, runtime, epochs: Epochs::start(), imported: 0, asking: 0, args };
    let (mut by_conversations, mut by_accounts) = (Vec::new(), Vec::new());
    // First: those that the conversations need would be there already.
    for accounts in &args.accounts {
        bench.import(*accounts)?;
        let costs = bench.measure(10)?;
        by_accounts.push((format!("{accounts} accounts"), vec![costs]));
    }
    for conversations in &args.conversations {
        bench.import(*conversations)?;
        let costs = bench.measure(*conversations)?;
        by_conversations.push((format!("{conversations} conversations"), vec![costs]));
    }
    say(&format!(
        "\nW10: one client that sends, lists its conversations, and logs in again\n\n{}\n{}",
        table(COLUMNS, &by_accounts),
        table(COLUMNS, &by_conversations)
    ))?;
    match &common.json {
        Some(path) => write_json(path, &(by_accounts, by_conversations)),
        None => Ok(()),
    }
}

struct Bench<'a> {
    server: &'a UnderTest,
    runtime: Runtime,
    epochs: Epochs,
    /// Accounts that exist, numbered from 0.
    imported: u32,
    /// Users who have asked.
    asking: u32,
    args: &'a W10Args,
}

impl Bench<'_> {
    /// Makes accounts until there are so many.
    fn import(&mut self, count: u32) -> Result<(), BenchError> {
        group::import(&self.server.target, self.imported..count)?;
        self.imported = self.imported.max(count);
        Ok(())
    }

    /// Has a new user chat with that many others, who exist, and ask.
    fn measure(&mut self, conversations: u32) -> Result<Costs, BenchError> {
        self.asking += 1;
        let (epoch, number) = (self.epochs.next(), self.asking);
        let (target, times) = (&self.server.target, self.args.times);
        let process = self.server.observed.process();
        self.runtime.block_on(async {
            let clock = Clock::start();
            let (mut member, mut client) =
                enter(target, number, format!("asking-{number}")).await?;
            for peer in 0..conversations {
                let to = wire::crowd_name(peer);
                greet(target, &mut client, &member, &to, epoch, peer).await?;
            }
            let mut send = Latencies::default();
            for time in 0..times {
                let to = wire::crowd_name(time % conversations);
                let asked_ns = clock.now_ns();
                greet(target, &mut client, &member, &to, epoch, conversations + time).await?;
                send.record(clock.now_ns() - asked_ns);
            }
            let lists = LISTS.min(times);
            // The first list fills the caches.
            sync(&mut client, &mut member).await?;
            let (mut whole, before) = (Latencies::default(), process.account());
            for _ in 0..lists {
                let asked_ns = clock.now_ns();
                sync(&mut client, &mut member).await?;
                whole.record(clock.now_ns() - asked_ns);
            }
            let list_cpu_us = process.account().cpu_us_each(&before, f64::from(lists));
            let mut relogin = Latencies::default();
            for _ in 0..lists {
                drop(client);
                let asked_ns = clock.now_ns();
                client = come_back(target, &mut member).await?;
                relogin.record(clock.now_ns() - asked_ns);
            }
            Ok(Costs {
                conversations,
                send: send.percentiles(),
                list: whole.percentiles(),
                relogin: relogin.percentiles(),
                list_cpu_us,
                load_average: load_average(),
            })
        })
    }
}
