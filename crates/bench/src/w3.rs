//! W3: a live room with thousands of viewers at the steady rate of its limit: nothing is dropped.

use clap::Args;

use crate::cli::Common;
use crate::crowd::Crowd;
use crate::error::BenchError;
use crate::fanout::Fanout;
use crate::limits;
use crate::program::{Mix, Phase};
use crate::series::Series;
use crate::target::UnderTest;
use crate::w1::{Epochs, Timing};

/// Flags of `W3`.
#[derive(Debug, Args)]
pub(crate) struct W3Args {
    /// Viewers, one series for each number.
    #[arg(long, value_delimiter = ',', default_value = "5000,10000", value_parser = clap::value_parser!(u32).range(2..=200_000))]
    viewers: Vec<u32>,
    /// Viewers who write.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    senders: u32,
    /// Messages a second of all senders together. Above 40 the room's limit is raised to it.
    #[arg(long, value_delimiter = ',', default_value = "40,100", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rates: Vec<u32>,
    #[command(flatten)]
    timing: Timing,
    /// Leaves the ceiling out.
    #[arg(long)]
    no_ceiling: bool,
}

/// Messages a second that a room may have if nobody changes it.
pub(crate) const DEFAULT_LIMIT: u32 = 40;

/// Runs W3 as the flags say.
pub(crate) fn run(common: &Common, args: &W3Args) -> Result<(), BenchError> {
    limits::make_room(args.viewers.iter().copied().max().unwrap_or(0))?;
    let mut epochs = Epochs::start();
    let mut reports = Vec::new();
    for viewers in &args.viewers {
        // A server of its own for each number: its memory is part of the figures.
        let server = UnderTest::new(common)?;
        let (members, speakers) = (*viewers, args.senders.min(*viewers));
        let group = format!("bench-{}", epochs.next());
        let crowd = Crowd::in_room(&server.target, group, members, speakers)?;
        let fanout = Fanout { server: &server, crowd: &crowd, members, speakers, drops: false };
        let mut series = Series::new(common, args.timing, "W3", members);
        for round in 1..=args.timing.rounds {
            for rate in &args.rates {
                let limit = (*rate).max(DEFAULT_LIMIT);
                server.set(&[format!("room.messages_per_second={limit}")])?;
                let phase = Phase { rate: *rate, mix: Mix::NORMAL, length: args.timing.measure() };
                let figures = fanout.measure(epochs.next(), phase, args.timing.warmup())?;
                series.add(round, &format!("{rate}/s"), figures)?;
            }
        }
        series.note_refusal(&crowd);
        // The ceiling needs the descriptors.
        drop(crowd);
        drop(server);
        if !args.no_ceiling {
            (1..=args.timing.rounds).try_for_each(|round| series.ceiling(round))?;
        }
        series.report()?;
        reports.push(series);
    }
    reports.iter().try_for_each(Series::verdict)
}
