//! W10 of groups: what the same request costs as a group gets more members, and as the app gets more groups.
//! What is said and who comes has to cost the same in all of them; a dismissal as much more as there are
//! members to be told.
//!
//! Everything is asked over REST, each on a connection of its own, by one caller who waits for the answer.

use std::ops::Range;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::cli::Common;
use crate::client::Target;
use crate::clock::Clock;
use crate::error::BenchError;
use crate::group;
use crate::histogram::{Latencies, Percentiles};
use crate::process::load_average;
use crate::report::{Column, table};
use crate::target::UnderTest;
use crate::w1::{say, write_json};
use crate::wire;

/// Flags of `W10-groups`.
#[derive(Debug, Args)]
pub(crate) struct W10GroupsArgs {
    /// Members of the groups that are asked.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,6000", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    members: Vec<u32>,
    /// Groups of the app.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    groups: Vec<u32>,
    /// Requests of each kind and size; dismissals a tenth of them.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=1_000))]
    times: u32,
}

/// Members of the groups that are asked while the app gets more groups.
const FEW: u32 = 10;
/// Groups that one user is in, of those that the app gets.
const GROUPS_A_USER: u32 = 10;
/// Threads that make groups.
const MAKERS: u32 = 8;
/// Members of a page.
const PAGE: u32 = 100;

const SEND: &str = "group_open_http_svc/send_group_msg";
const LIST: &str = "group_open_http_svc/get_group_member_info";
const DISMISS: &str = "group_open_http_svc/destroy_group";
/// A server that has nothing left to do takes less than a twentieth of a processor for so long.
const QUIET: Duration = Duration::from_millis(250);

/// One kind of request at one size.
#[derive(Debug, Clone, Serialize)]
struct Cost {
    latency: Percentiles,
    /// The server's processor time for each, with all that follows the answer.
    cpu_us: Option<f64>,
}

/// One size.
#[derive(Debug, Clone, Serialize)]
struct Costs {
    /// Members of the group that is asked.
    members: u32,
    send: Cost,
    /// One more member comes.
    join: Cost,
    /// A page of [`PAGE`] members.
    page: Cost,
    /// The group goes.
    dismiss: Cost,
    load_average: f64,
}

const COLUMNS: &[Column<Costs>] = &[
    Column {
        name: "send p50 ms",
        digits: 2,
        figure: |c| Some(c.send.latency.p50_ms),
        spread: false,
    },
    Column { name: "p99", digits: 2, figure: |c| Some(c.send.latency.p99_ms), spread: false },
    Column { name: "CPU us", digits: 0, figure: |c| c.send.cpu_us, spread: false },
    Column {
        name: "join p50 ms",
        digits: 2,
        figure: |c| Some(c.join.latency.p50_ms),
        spread: false,
    },
    Column { name: "p99", digits: 2, figure: |c| Some(c.join.latency.p99_ms), spread: false },
    Column { name: "CPU us", digits: 0, figure: |c| c.join.cpu_us, spread: false },
    Column {
        name: "page p50 ms",
        digits: 2,
        figure: |c| Some(c.page.latency.p50_ms),
        spread: false,
    },
    Column { name: "CPU us", digits: 0, figure: |c| c.page.cpu_us, spread: false },
    Column {
        name: "dismissal p50 ms",
        digits: 1,
        figure: |c| Some(c.dismiss.latency.p50_ms),
        spread: false,
    },
    Column {
        name: "CPU us a member",
        digits: 1,
        figure: |c| c.dismiss.cpu_us.map(|us| us / f64::from(c.members)),
        spread: false,
    },
    Column { name: "load", digits: 1, figure: |c| Some(c.load_average), spread: false },
];

/// Runs W10 of groups as the flags say.
pub(crate) fn run(common: &Common, args: &W10GroupsArgs) -> Result<(), BenchError> {
    let server = UnderTest::new(common)?;
    server.set(&[
        "rest.calls_per_second=1000000".to_owned(),
        "group.messages_per_second=1000000".to_owned(),
        "group.members_max=100000".to_owned(),
    ])?;
    let mut bench =
        Bench { server: &server, clock: Clock::start(), imported: 0, made: 0, asked: 0, args };
    let (mut by_members, mut by_groups) = (Vec::new(), Vec::new());
    for members in &args.members {
        let costs = bench.measure(*members)?;
        by_members.push((format!("{members} members"), vec![costs]));
    }
    for groups in &args.groups {
        bench.make(*groups)?;
        let costs = bench.measure(FEW)?;
        by_groups.push((format!("{groups} groups"), vec![costs]));
    }
    say(&format!(
        "\nW10: a group in which one writes, joins, pages through the members, and which is dismissed\n\n{}\n{}",
        table(COLUMNS, &by_members),
        table(COLUMNS, &by_groups)
    ))?;
    match &common.json {
        Some(path) => write_json(path, &(by_members, by_groups)),
        None => Ok(()),
    }
}

struct Bench<'a> {
    server: &'a UnderTest,
    clock: Clock,
    /// Accounts that exist, numbered from 0.
    imported: u32,
    /// Groups that are there so that there are many, numbered from 0.
    made: u32,
    /// Groups that were asked.
    asked: u32,
    args: &'a W10GroupsArgs,
}

impl Bench<'_> {
    fn import(&mut self, count: u32) -> Result<(), BenchError> {
        group::import(&self.server.target, self.imported..count)?;
        self.imported = self.imported.max(count);
        Ok(())
    }

    /// Makes groups until there are so many.
    fn make(&mut self, count: u32) -> Result<(), BenchError> {
        self.import(count / GROUPS_A_USER + FEW + self.args.times)?;
        let (from, target) = (self.made, &self.server.target);
        let share = |maker: u32| {
            let at = |part: u32| {
                from + (u64::from(count.saturating_sub(from)) * u64::from(part) / u64::from(MAKERS))
                    as u32
            };
            at(maker)..at(maker + 1)
        };
        thread::scope(|scope| {
            let makers: Vec<_> = (0..MAKERS)
                .map(|maker| scope.spawn(move || make_some(target, share(maker))))
                .collect();
            makers.into_iter().try_for_each(|maker| maker.join().expect("a maker does not panic"))
        })?;
        self.made = self.made.max(count);
        Ok(())
    }

    /// Makes groups of so many members and asks them.
    fn measure(&mut self, members: u32) -> Result<Costs, BenchError> {
        let times = self.args.times;
        self.import(members + times)?;
        let names: Vec<String> = (0..members).map(wire::crowd_name).collect();
        let dismissals = times / 10;
        let groups: Vec<String> = (0..dismissals)
            .map(|_| {
                self.asked += 1;
                format!("asked-{}", self.asked)
            })
            .collect();
        let target = &self.server.target;
        for group in &groups {
            group::make_group(target, "Public", group, &names)?;
        }
        let group = &groups[0];
        let send = self.cost(times, |time| {
            let text = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"how much is it?"}}]"#;
            let from = &names[(time % members) as usize];
            let body = format!(
                r#"{{"GroupId":"{group}","From_Account":"{from}","Random":{time},"MsgBody":{text}}}"#
            );
            group::ask(target, SEND, &body).map(drop)
        })?;
        let page = self.cost(times, |time| {
            let pages = members.div_ceil(PAGE);
            let offset = time % pages * PAGE;
            let body = format!(r#"{{"GroupId":"{group}","Limit":{PAGE},"Offset":{offset}}}"#);
            group::ask(target, LIST, &body).map(drop)
        })?;
        let join = self
            .cost(times, |time| group::add(target, group, &[wire::crowd_name(members + time)]))?;
        let dismiss = self.cost(dismissals, |time| {
            let group = &groups[time as usize];
            group::ask(target, DISMISS, &format!(r#"{{"GroupId":"{group}"}}"#)).map(drop)
        })?;
        let load_average = load_average();
        Ok(Costs { members, send, join, page, dismiss, load_average })
    }

    fn cost(
        &self,
        times: u32,
        request: impl Fn(u32) -> Result<(), BenchError>,
    ) -> Result<Cost, BenchError> {
        let process = self.server.observed.process();
        let (mut latency, before) = (Latencies::default(), process.account());
        for time in 0..times {
            let asked_ns = self.clock.now_ns();
            request(time)?;
            latency.record(self.clock.now_ns() - asked_ns);
        }
        self.until_quiet();
        let cpu_us = process.account().cpu_us_each(&before, f64::from(times));
        Ok(Cost { latency: latency.percentiles(), cpu_us })
    }

    /// Waits until the server has done what follows its answers.
    fn until_quiet(&self) {
        let process = self.server.observed.process();
        loop {
            let before = process.account();
            thread::sleep(QUIET);
            if process.account().cpu_since(&before).is_none_or(|busy| busy < QUIET / 20) {
                return;
            }
        }
    }
}

/// Makes groups of one member.
fn make_some(target: &Target, numbers: Range<u32>) -> Result<(), BenchError> {
    numbers.into_iter().try_for_each(|number| {
        let owner = wire::crowd_name(number / GROUPS_A_USER);
        group::make_group(target, "Public", &format!("one-of-many-{number}"), &[owner])
    })
}
