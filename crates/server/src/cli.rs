//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::UnixSeconds;
use teahouse_proto::usersig::{self, SignRequest};

use crate::env::system_now;
use crate::{Failure, say};

/// The open chat cloud: a self-hosted chat platform that speaks the REST API, UserSig login and client
/// protocol of Tencent Cloud Chat.
#[derive(Debug, Parser)]
#[command(name = "teahouse", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(ServeArgs),
    /// Print a UserSig: what a user logs in with.
    Usersig(UsersigArgs),
    /// Change apps of a running server.
    Ctl(CtlArgs),
    /// Write all data, of a running server or of a directory, to one file.
    Export(ExportArgs),
    /// Fill a new data directory from an exported file.
    Import(ImportArgs),
    /// Measure: load generator and ceilings.
    Bench(teahouse_bench::cli::BenchArgs),
    /// Move an app over from another service, by its REST API.
    Migrate(teahouse_migrate::cli::MigrateArgs),
}

/// `teahouse serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Directory of the data; made if it is missing.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address for everything: REST, WebSocket, metrics, health. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Make this app if it is missing, with the account `administrator`. May be repeated.
    #[arg(long = "app", value_name = "SDKAPPID:SECRET")]
    pub apps: Vec<NewApp>,
    /// A TOML file; the flags win over it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Make a first app with a random secret if there is none, and print how to use it.
    #[arg(long)]
    pub dev: bool,
}

/// `SDKAPPID:SECRET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApp {
    /// The app.
    pub id: SdkAppId,
    /// Its UserSig key.
    pub secret: String,
}

impl FromStr for NewApp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, secret) = text.split_once(':').ok_or("expected SDKAPPID:SECRET")?;
        let id: u32 = id.parse().map_err(|_| format!("{id} is not an SDKAppID"))?;
        if id == 0 || secret.is_empty() {
            return Err("the SDKAppID is above 0 and the secret is not empty".to_owned());
        }
        Ok(Self { id: SdkAppId(id), secret: secret.to_owned() })
    }
}

/// `teahouse usersig`.
#[derive(Debug, Args)]
pub struct UsersigArgs {
    /// The app.
    #[arg(long)]
    pub sdkappid: u32,
    /// The app's key.
    #[arg(long)]
    pub key: String,
    /// The user.
    #[arg(long)]
    pub user: String,
    /// Lifetime in seconds.
    #[arg(long, default_value_t = 15_552_000)]
    pub expire: u64,
}

/// `teahouse ctl`.
#[derive(Debug, Args)]
pub struct CtlArgs {
    /// Data directory of the running server.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// What about.
    #[command(subcommand)]
    pub command: CtlCommand,
}

/// What `ctl` is about.
#[derive(Debug, Subcommand)]
pub enum CtlCommand {
    /// Apps: keys, administrators, settings.
    #[command(subcommand)]
    App(AppCommand),
}

/// What to do with apps.
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// List the apps.
    List,
    /// Make an app.
    Create {
        /// The app; a free number if absent.
        sdkappid: Option<u32>,
        /// Its UserSig key; a random one if absent.
        secret: Option<String>,
    },
    /// Show an app with all its settings.
    Show {
        /// The app.
        sdkappid: u32,
    },
    /// Change settings, all or none; `key.add=SECRET` and `key.remove=SECRET` rotate keys.
    Set {
        /// The app.
        sdkappid: u32,
        /// What to set.
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = key_value)]
        changes: Vec<(String, String)>,
    },
    /// Webhooks: what was sent, what waits, what was given up.
    Hooks {
        /// The app.
        sdkappid: u32,
        /// What to do.
        #[command(subcommand)]
        command: HooksCommand,
    },
    /// Administrators: the accounts that may call REST.
    Admin {
        /// The app.
        sdkappid: u32,
        /// What to do.
        #[command(subcommand)]
        command: AdminCommand,
    },
}

/// What to do with webhooks.
#[derive(Debug, Subcommand)]
pub enum HooksCommand {
    /// How they stand, and the last calls.
    Status,
    /// The newest events.
    Log {
        /// Only those that were given up.
        #[arg(long)]
        dead: bool,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        count: usize,
    },
    /// Send events again: one, those of a time, or all that were given up.
    #[command(group(clap::ArgGroup::new("which").required(true).args(["event", "from", "dead"])))]
    Replay {
        /// The event, as the log names it.
        event: Option<String>,
        /// From this time on, unix milliseconds.
        #[arg(long, value_name = "MS", requires = "to")]
        from: Option<u64>,
        /// Up to this time, unix milliseconds.
        #[arg(long, value_name = "MS", requires = "from")]
        to: Option<u64>,
        /// All that were given up.
        #[arg(long)]
        dead: bool,
    },
}

/// What to do with administrators.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Add one.
    Add {
        /// The account; made if it is missing.
        account: String,
    },
    /// Remove one; the account stays.
    Remove {
        /// The account.
        account: String,
    },
    /// List them.
    List,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text}: expected KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `teahouse export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Data directory, of a running server or not.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The file to write; standard output if absent.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `teahouse import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The data directory to make; it must be missing or empty.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The file to read; standard input if absent.
    #[arg(long = "in", value_name = "FILE")]
    pub input: Option<PathBuf>,
}

/// What is wrong with a command line, in one sentence.
pub fn sentence(problem: &clap::Error) -> String {
    let text = problem.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    let sentence = words.join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    format!("{sentence} (--help explains)")
}

/// Prints a UserSig.
pub(crate) fn usersig(args: &UsersigArgs) -> Result<(), Failure> {
    if args.key.is_empty() || args.user.is_empty() {
        return Err(Failure::new("the key and the user must not be empty"));
    }
    let now: UnixSeconds = system_now().seconds();
    say(usersig::sign(&SignRequest {
        app: SdkAppId(args.sdkappid),
        user: &args.user,
        key: &args.key,
        now,
        expire_s: args.expire,
        userbuf: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_command_line_is_one_sentence() {
        for (args, names) in [
            (&["teahouse", "usersig", "--user", "a"][..], "--key"),
            (&["teahouse", "serve", "--listen", "here"], "here"),
            (&["teahouse", "brew"], "brew"),
        ] {
            let problem = Cli::try_parse_from(args).expect_err("wrong");
            let sentence = sentence(&problem);
            assert!(sentence.contains(names) && !sentence.contains('\n'), "{sentence}");
        }
    }

    #[test]
    fn an_app_is_a_number_and_a_secret() {
        let app = NewApp { id: SdkAppId(1_400_000_000), secret: "a:b".to_owned() };
        assert_eq!("1400000000:a:b".parse(), Ok(app));
        for bad in ["1400000000", "x:secret", "0:secret", "1400000000:", "4294967296:s"] {
            assert!(bad.parse::<NewApp>().is_err(), "{bad}");
        }
    }
}
