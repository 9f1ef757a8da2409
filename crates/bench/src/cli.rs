//! The flags of `teahouse bench`, and its one entry point.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use teahouse_proto::ids::SdkAppId;

use crate::client::Target;
use crate::error::BenchError;
use crate::load::FrameBytes;
use crate::{broadcast, migration, raw, w1, w2, w3, w4, w5, w6, w7, w8, w10, w10_groups};

/// Measures a server and the ceilings of the machine that it runs on.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    workload: Workload,
    #[command(flatten)]
    common: Common,
}

/// What all workloads take.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// A running server to measure; without it, this program starts one and stops it again.
    #[arg(long, global = true, value_name = "ADDR")]
    pub(crate) server: Option<SocketAddr>,
    /// The app whose users chat, with its key.
    #[arg(long, global = true, value_name = "SDKAPPID:SECRET")]
    pub(crate) app: Option<AppKey>,
    /// Process number of the running server, to account for its processor time.
    #[arg(long, global = true, requires = "server", value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// Data directory of the running server, to account for its disk.
    #[arg(long, global = true, requires = "server", value_name = "DIR")]
    pub(crate) server_data: Option<PathBuf>,
    /// Where data of servers started here goes, and is removed from; the system's temporary folder
    /// by default.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_root: Option<PathBuf>,
    /// Pairs of users.
    #[arg(long, global = true, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(crate) pairs: u32,
    /// Threads of the generator. More than one takes processor time from a server on two cores.
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) generator_threads: u32,
    /// Also writes all figures of all rounds to a file.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Workload {
    /// One-to-one messages with a durable acknowledgement, beside the two ceilings.
    #[command(name = "W1", alias = "w1")]
    W1(w1::W1Args),
    /// A group of 500 members, all online: what is said to it arrives at each of them.
    #[command(name = "W2", alias = "w2")]
    W2(w2::W2Args),
    /// A live room with thousands of viewers at a steady rate.
    #[command(name = "W3", alias = "w3")]
    W3(w3::W3Args),
    /// A live room that is offered far more than it may have.
    #[command(name = "W4", alias = "w4")]
    W4(w4::W4Args),
    /// Idle connections: memory and processor time.
    #[command(name = "W5", alias = "w5")]
    W5(w5::W5Args),
    /// History of a group with a million messages.
    #[command(name = "W6", alias = "w6")]
    W6(w6::W6Args),
    /// Everybody comes back at once: relogin, list of conversations, what was missed.
    #[command(name = "W7", alias = "w7")]
    W7(w7::W7Args),
    /// Kill -9 at full W1 load, restart, and a look into every history.
    #[command(name = "W8", alias = "w8")]
    W8(w8::W8Args),
    /// What the same requests cost with more conversations and more accounts.
    #[command(name = "W10", alias = "w10")]
    W10(w10::W10Args),
    /// What the same requests cost in a group of more members, and with more groups in the app.
    #[command(name = "W10-groups", alias = "w10-groups")]
    W10Groups(w10_groups::W10GroupsArgs),
    /// An app moves from one server to another, though its migration is killed on the way.
    Migration(migration::MigrationArgs),
    /// The two ceilings alone: group commit of the store, and raw WebSocket echo plus push.
    Ceilings(w1::CeilingArgs),
    /// The raw server of the ceiling.
    #[command(hide = true)]
    RawServer(RawArgs),
    /// The broadcasting server of the ceiling.
    #[command(hide = true)]
    RawBroadcast(broadcast::BroadcastArgs),
}

#[derive(Debug, Args)]
struct RawArgs {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[arg(long)]
    ack_bytes: usize,
    #[arg(long)]
    push_bytes: usize,
}

/// An app and its key, written `SDKAPPID:SECRET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppKey {
    app: SdkAppId,
    secret: String,
}

impl FromStr for AppKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once(':').and_then(|(app, secret)| Some((app.parse().ok()?, secret)));
        match parts {
            Some((app, secret)) if !secret.is_empty() => {
                Ok(Self { app: SdkAppId(app), secret: secret.to_owned() })
            }
            _ => Err("an app is written SDKAPPID:SECRET".to_owned()),
        }
    }
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.app.0, self.secret)
    }
}

impl AppKey {
    pub(crate) fn target(&self, addr: SocketAddr) -> Target {
        Target { addr, app: self.app, secret: self.secret.clone() }
    }
}

impl Common {
    pub(crate) fn app_or_default(&self) -> AppKey {
        self.app.clone().unwrap_or_else(|| AppKey {
            app: SdkAppId(1_400_000_000),
            secret: "a secret that only this measurement knows".replace(' ', "-"),
        })
    }
}

/// Runs the workload that the flags name and prints its figures.
///
/// # Errors
/// When the measurement cannot be carried out, and when it shows that an acknowledged message was
/// lost or doubled.
pub fn run(args: &BenchArgs) -> Result<(), BenchError> {
    match &args.workload {
        Workload::W1(w1) => w1::run(&args.common, w1),
        Workload::W2(w2) => w2::run(&args.common, w2),
        Workload::W3(w3) => w3::run(&args.common, w3),
        Workload::W4(w4) => w4::run(&args.common, w4),
        Workload::W5(w5) => w5::run(&args.common, w5),
        Workload::W6(w6) => w6::run(&args.common, w6),
        Workload::W7(w7) => w7::run(&args.common, w7),
        Workload::RawBroadcast(raw) => broadcast::serve(raw),
        Workload::W10(w10) => w10::run(&args.common, w10),
        Workload::W10Groups(groups) => w10_groups::run(&args.common, groups),
        Workload::W8(w8) => w8::run(&args.common, w8),
        Workload::Migration(migration) => migration::run(&args.common, migration),
        Workload::Ceilings(ceilings) => w1::ceilings(&args.common, ceilings),
        Workload::RawServer(raw) => {
            let bytes = FrameBytes { request: 0, ack: raw.ack_bytes, push: raw.push_bytes };
            raw::serve(raw.listen, bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    fn parse(flags: &[&str]) -> Result<BenchArgs, clap::Error> {
        let command = BenchArgs::augment_args(clap::Command::new("bench"));
        command.debug_assert();
        let command = BenchArgs::augment_args(clap::Command::new("bench"));
        let matches = command.try_get_matches_from([&["bench"], flags].concat())?;
        BenchArgs::from_arg_matches(&matches)
    }

    #[test]
    fn flags_may_stand_before_and_after_the_workload() {
        let args = parse(&["--pairs", "7", "W1", "--windows", "1,4", "--app", "5:k:e"]).unwrap();
        assert_eq!(args.common.pairs, 7);
        assert_eq!(args.common.app.unwrap().to_string(), "5:k:e");
        let Workload::W1(w1) = args.workload else { panic!("not W1") };
        assert_eq!(w1.windows, [1, 4]);
    }

    #[test]
    fn an_app_is_a_number_and_a_key() {
        for wrong in ["5", "5:", "x:key", ":key", "-1:key"] {
            assert!(wrong.parse::<AppKey>().is_err(), "{wrong}");
        }
    }
}
