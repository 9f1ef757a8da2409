//! W2: a group of 500 members, all online, 20 of whom write. Every message is stored, and arrives at
//! everybody else once and in the order of the group.

use clap::Args;

use crate::cli::Common;
use crate::crowd::{Crowd, Invitation};
use crate::error::BenchError;
use crate::fanout::Fanout;
use crate::group;
use crate::limits;
use crate::program::{Mix, Phase};
use crate::series::Series;
use crate::target::UnderTest;
use crate::w1::{Epochs, Timing};

/// Flags of `W2`.
#[derive(Debug, Args)]
pub(crate) struct W2Args {
    /// Members of the group; all are online.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..=5_000))]
    members: u32,
    /// Members who write.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    senders: u32,
    /// Messages a second of all senders together.
    #[arg(long, value_delimiter = ',', default_value = "20,200,1000,2000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rates: Vec<u32>,
    #[command(flatten)]
    timing: Timing,
    /// Leaves the ceiling out.
    #[arg(long)]
    no_ceiling: bool,
}

/// Runs W2 as the flags say.
pub(crate) fn run(common: &Common, args: &W2Args) -> Result<(), BenchError> {
    limits::make_room(args.members)?;
    let server = UnderTest::new(common)?;
    server.set(&["group.messages_per_second=1000000".to_owned()])?;
    let mut epochs = Epochs::start();
    let (members, speakers) = (args.members, args.senders.min(args.members));
    let group = format!("bench-{}", epochs.next());
    let invitation = Invitation { members, speakers, group: group.clone(), enters: false };
    let crowd = Crowd::start(&server.target, invitation)?;
    crowd.wait_for_all(members)?;
    group::make_group(&server.target, "Public", &group, &crowd.users())?;
    let fanout = Fanout { server: &server, crowd: &crowd, members, speakers, drops: false };
    let mut series = Series::new(common, args.timing, "W2", members);
    for round in 1..=args.timing.rounds {
        for rate in &args.rates {
            let phase = Phase { rate: *rate, mix: Mix::NORMAL, length: args.timing.measure() };
            let figures = fanout.measure(epochs.next(), phase, args.timing.warmup())?;
            series.add(round, &format!("{rate}/s"), figures)?;
        }
        if !args.no_ceiling {
            series.ceiling(round)?;
        }
    }
    series.note_refusal(&crowd);
    series.report()?;
    series.verdict()
}
