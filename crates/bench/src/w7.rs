//! W7: everybody is gone at once and comes back at once, as after the restart of a load balancer. Each
//! client logs in again with its token, asks for its conversations and for what it missed. Beside it the
//! first login of the public web client, with all the questions it asks, and one-to-one chat during both.

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::cli::Common;
use crate::client::{Client, Target, runtime};
use crate::clock::Clock;
use crate::error::BenchError;
use crate::histogram::{Latencies, Percentiles};
use crate::limits;
use crate::load::{Load, Loop, Plan};
use crate::process::load_average;
use crate::report::{Column, table};
use crate::target::UnderTest;
use crate::visitor::{FIRST_SOCKET, Member, come_back, enter, greet, sync};
use crate::w1::{Epochs, say, write_json};
use crate::wire::{self, Identity};

/// Flags of `W7`.
#[derive(Debug, Args)]
pub(crate) struct W7Args {
    /// Clients that leave and come back.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=200_000))]
    clients: u32,
    /// Conversations of each; an even number.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=200))]
    conversations: u32,
    /// Milliseconds within which they all come back.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    within: u64,
    /// Rounds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// Logins under way at once while the conversations are made.
const PREPARED_AT_ONCE: u32 = 128;
/// The one-to-one chat beside the storm.
const PAIRS: u32 = 20;
const PAIRS_RATE: u32 = 500;
/// How long that chat goes on: longer than a storm that is worth measuring.
const BESIDE: Duration = Duration::from_secs(10);

/// What the public web client asks between the login and what it missed, and after it. `ME` is the user.
const FIRST_QUESTIONS: &[(&str, &str)] = &[
    (
        "profile.portrait_get_all",
        r#"{"From_Account":"ME","UserItem":[{"To_Account":"ME","StandardSequence":0,"CustomSequence":0}]}"#,
    ),
    ("sns.black_list_get", r#"{"From_Account":"ME","StartIndex":0,"MaxLimited":1000}"#),
    (
        "group_open_http_svc.get_joined_group_list",
        r#"{"Member_Account":"ME","Limit":200,"Offset":0,"ResponseFilter":{"GroupBaseInfoFilter":["Type","Name"],"SelfInfoFilter":["Role"]}}"#,
    ),
    (
        "million_group_open_http_svc.get_joined_group_list",
        r#"{"Member_Account":"ME","Limit":200,"Offset":0,"GroupType":"Community","SupportTopic":0}"#,
    ),
    (
        "sns.friend_get",
        r#"{"From_Account":"ME","StartIndex":0,"StandardSequence":0,"CustomSequence":0}"#,
    ),
    (
        "sns.group_get",
        r#"{"From_Account":"ME","LastSequence":0,"NeedFriend":"Need_Friend_Type_Yes"}"#,
    ),
    (
        "sns.pendency_get",
        r#"{"From_Account":"ME","PendencyType":"Pendency_Type_Both","StartTime":0,"MaxLimited":50,"LastSequence":0}"#,
    ),
    ("im_sdk_config_mgr.fetch_config", r#"{"uint32_sdkappid":1,"uint64_version":0}"#),
    ("recentcontact.get_contact_group", r#"{"From_Account":"ME","StartIndex":0}"#),
    ("im_sdk_config_mgr.fetch_imsdk_purchase_bitsv2", r#"{"uint32_sdkappid":1}"#),
];

/// How the clients come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// With the token of an earlier login.
    Again,
    /// With a signature, and all questions of a first login.
    First,
}

/// One storm.
#[derive(Debug, Clone, Serialize)]
struct Storm {
    /// From the first connection attempt to the last client that has all.
    seconds: f64,
    logins_per_second: f64,
    /// Of each client, from when it meant to connect until it had all.
    synced: Percentiles,
    cpu_us: Option<f64>,
    ack: Percentiles,
    resident_mib: Option<f64>,
    load_average: f64,
}

const COLUMNS: &[Column<Storm>] = &[
    Column { name: "all synced s", digits: 2, figure: |s| Some(s.seconds), spread: true },
    Column { name: "logins/s", digits: 0, figure: |s| Some(s.logins_per_second), spread: false },
    Column { name: "p50 ms", digits: 0, figure: |s| Some(s.synced.p50_ms), spread: false },
    Column { name: "p99", digits: 0, figure: |s| Some(s.synced.p99_ms), spread: true },
    Column { name: "CPU us/login", digits: 0, figure: |s| s.cpu_us, spread: true },
    Column { name: "W1 ack p99 beside", digits: 1, figure: |s| Some(s.ack.p99_ms), spread: true },
    Column { name: "RSS MiB", digits: 0, figure: |s| s.resident_mib, spread: false },
    Column { name: "load", digits: 1, figure: |s| Some(s.load_average), spread: false },
];

/// Runs W7 as the flags say.
pub(crate) fn run(common: &Common, args: &W7Args) -> Result<(), BenchError> {
    limits::make_room(args.clients + 2 * PAIRS)?;
    let server = UnderTest::new(common)?;
    let mut bench = Bench {
        server: &server,
        args,
        runtime: runtime()?,
        epochs: Epochs::start(),
        clients: Vec::new(),
    };
    let mut members = bench.prepare()?;
    let (mut again, mut first) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        for (way, storms) in [(Way::Again, &mut again), (Way::First, &mut first)] {
            let storm;
            (members, storm) = bench.storm(members, way)?;
            say(&format!("W7 round {round}: {way:?}: all synced after {:.2} s\n", storm.seconds))?;
            storms.push(storm);
        }
    }
    let rows = [("token, list, missed".to_owned(), again), ("first login".to_owned(), first)];
    say(&format!(
        "\nW7: {} clients with {} conversations each, gone at once, back within {} ms;\n{PAIRS} pairs \
         with {PAIRS_RATE}/s beside it; medians over {} rounds, [smallest..largest]\n\n{}",
        args.clients,
        args.conversations,
        args.within,
        args.rounds,
        table(COLUMNS, &rows)
    ))?;
    match &common.json {
        Some(path) => write_json(path, &rows),
        None => Ok(()),
    }
}

struct Bench<'a> {
    server: &'a UnderTest,
    args: &'a W7Args,
    runtime: Runtime,
    epochs: Epochs,
    /// Those who are in.
    clients: Vec<Client>,
}

impl Bench<'_> {
    /// Makes the users and their conversations, and leaves them logged in.
    fn prepare(&mut self) -> Result<Vec<Member>, BenchError> {
        let (target, args, epoch) = (&self.server.target, self.args, self.epochs.next());
        let mut members = Vec::with_capacity(args.clients as usize);
        // Everybody has to exist before anybody writes to him.
        for from in (0..args.clients).step_by(PREPARED_AT_ONCE as usize) {
            let some = from..args.clients.min(from + PREPARED_AT_ONCE);
            let logins = some.map(|number| enter(target, number, wire::crowd_name(number)));
            let entered = self.runtime.block_on(join_all(logins));
            for entered in entered {
                let (member, client) = entered?;
                members.push(member);
                self.clients.push(client);
            }
        }
        let all = args.clients;
        for (some, clients) in members
            .chunks(PREPARED_AT_ONCE as usize)
            .zip(self.clients.chunks_mut(PREPARED_AT_ONCE as usize))
        {
            let greetings = some.iter().zip(clients).map(|(member, client)| async move {
                // Each writes to half of them, and the others write to him.
                for step in 1..=args.conversations / 2 {
                    let to = wire::crowd_name((member.number + step) % all);
                    greet(target, client, member, &to, epoch, step).await?;
                }
                Ok::<_, BenchError>(())
            });
            let greeted = self.runtime.block_on(join_all(greetings));
            greeted.into_iter().collect::<Result<Vec<()>, _>>()?;
        }
        for (member, client) in members.iter_mut().zip(&mut self.clients) {
            self.runtime.block_on(sync(client, member))?;
        }
        Ok(members)
    }

    /// Drops all connections at once and has everybody come back.
    fn storm(
        &mut self,
        members: Vec<Member>,
        way: Way,
    ) -> Result<(Vec<Member>, Storm), BenchError> {
        let plan = Plan {
            pairs: PAIRS,
            send: Loop::Open { rate: PAIRS_RATE },
            warmup: Duration::from_secs(1),
            measure: BESIDE,
            epoch: self.epochs.next(),
            threads: 1,
            per_pair_max: u32::MAX,
        };
        let beside = Load::connect(&self.server.target, plan)?.start()?;
        beside.wait_for_measure();
        let before = self.server.observed.process().account();
        self.clients.clear();
        let count = members.len();
        let clock = Clock::start();
        let (within, target) = (self.args.within, self.server.target.clone());
        let come = |(place, mut member): (usize, Member)| {
            let at_ns = within * 1_000_000 * place as u64 / count as u64;
            let target = target.clone();
            self.runtime.spawn(async move {
                let wait = Duration::from_nanos(at_ns.saturating_sub(clock.now_ns()));
                tokio::time::sleep(wait).await;
                let client = match way {
                    Way::Again => come_back(&target, &mut member).await?,
                    Way::First => begin(&target, &mut member).await?,
                };
                Ok::<_, BenchError>((member, client, clock.now_ns().saturating_sub(at_ns)))
            })
        };
        let coming: Vec<_> = members.into_iter().enumerate().map(come).collect();
        let back = self.runtime.block_on(join_all(coming));
        let seconds = clock.now_ns() as f64 / 1e9;
        let after = self.server.observed.process().account();
        beside.wait_for_end();
        beside.wait_for_rest(Duration::from_secs(15));
        let outcome = beside.finish()?;
        if let Some(reason) = outcome.broken {
            return Err(BenchError::Server(reason));
        }
        let mut latencies = Latencies::default();
        let mut members = Vec::with_capacity(count);
        for back in back {
            let (member, client, latency_ns) = back.expect("a client does not panic")?;
            latencies.record(latency_ns);
            members.push(member);
            self.clients.push(client);
        }
        let storm = Storm {
            seconds,
            logins_per_second: count as f64 / seconds,
            synced: latencies.percentiles(),
            cpu_us: after.cpu_us_each(&before, count as f64),
            ack: outcome.ack.percentiles(),
            resident_mib: after.resident_mib(),
            load_average: load_average(),
        };
        Ok((members, storm))
    }
}

/// Comes back as a client that knows nothing: the first login of the public web client.
async fn begin(target: &Target, member: &mut Member) -> Result<Client, BenchError> {
    let mut client = Client::open(target, FIRST_SOCKET + member.number).await?;
    member.credentials = client.login(&target.secret, &member.user, None).await?;
    member.cookie.clear();
    for (command, body) in FIRST_QUESTIONS {
        let body = body.replace("ME", &member.user);
        client.call(Identity::Token(&member.credentials), command, body.as_bytes()).await?;
    }
    sync(&mut client, member).await?;
    Ok(client)
}
