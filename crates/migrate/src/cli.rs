//! The flags of `teahouse migrate`, and its one entry point.

use std::fmt;
use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use futures_util::{StreamExt, TryStreamExt, stream};
use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::UnixSeconds;

use crate::api::{Api, Endpoint, Host};
use crate::error::MigrateError;
use crate::journal::{Journal, Record};
use crate::people::STANDARD_TAGS;
use crate::report::Report;
use crate::{Migration, Plan};

/// Moves an app over from the service that it runs on.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry everything over that the REST API of Tencent Cloud Chat shows of an app, and compare afterwards. Stopped
    /// in whatever way, it goes on where it was when it is started again with the same flags.
    Tencent(TencentArgs),
    /// Compare what was carried over, and nothing else.
    Compare(SidesArgs),
}

/// From where, to where.
#[derive(Debug, Args)]
struct SidesArgs {
    /// The service that the app runs on, such as https://console.tim.qq.com.
    #[arg(long, value_name = "URL")]
    source: Host,
    /// The app there.
    #[arg(long, value_name = "SDKAPPID")]
    source_app: u32,
    /// An administrator of the app there.
    #[arg(long, value_name = "ACCOUNT", default_value = "administrator")]
    source_admin: String,
    /// The app's key there; @FILE reads it from a file.
    #[arg(long, value_name = "KEY")]
    source_key: Secret,
    /// Calls a second of one command that the source allows.
    #[arg(long, value_name = "CALLS", default_value = "200")]
    source_calls_per_second: NonZeroU32,
    /// The Teahouse that the app moves to, such as http://127.0.0.1:8080.
    #[arg(long, value_name = "URL")]
    target: Host,
    /// The app there.
    #[arg(long, value_name = "SDKAPPID")]
    target_app: u32,
    /// An administrator of the app there.
    #[arg(long, value_name = "ACCOUNT", default_value = "administrator")]
    target_admin: String,
    /// The app's key there; @FILE reads it from a file.
    #[arg(long, value_name = "KEY")]
    target_key: Secret,
    /// Calls a second of one command that the target allows (its setting `rest.calls_per_second`).
    #[arg(long, value_name = "CALLS", default_value = "200")]
    target_calls_per_second: NonZeroU32,
    /// The file that says what is done; made if it is missing.
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    /// Units of work at the same time.
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// A custom profile field, `Tag_Profile_Custom_…`, that both apps have declared. May be repeated.
    #[arg(long = "profile-tag", value_name = "TAG")]
    profile_tags: Vec<String>,
}

#[derive(Debug, Args)]
struct TencentArgs {
    #[command(flatten)]
    sides: SidesArgs,
    /// Ids of accounts, one a line. The service lists none; without the file, only accounts that are in a group, a
    /// relation or a conversation of another one are found.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Pairs whose messages are carried over also if neither list names them: two ids a line, with a tab between.
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// A message archive as the service makes them for each hour, or a folder of such. May be repeated.
    #[arg(long = "archive", value_name = "PATH")]
    archives: Vec<PathBuf>,
    /// Look at everything again: what has changed at the source since the last run, and new messages.
    #[arg(long)]
    again: bool,
    /// Do not compare afterwards.
    #[arg(long)]
    no_compare: bool,
}

/// A key, which is not shown.
#[derive(Clone)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let key = match text.strip_prefix('@') {
            None => text.to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|problem| format!("{path}: {problem}"))?
                .trim()
                .to_owned(),
        };
        if key.is_empty() { Err("the key is empty".to_owned()) } else { Ok(Self(key)) }
    }
}

/// Runs the command that the flags name; what it has done goes to standard output, how far it is to standard error.
///
/// # Errors
/// What kept it from coming to its end; [`MigrateError::Differ`] when both sides were compared and differ.
pub fn run(args: &MigrateArgs, now: UnixSeconds) -> Result<(), MigrateError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(MigrateError::io("start the runtime"))?;
    runtime.block_on(async {
        let (sides, tencent) = match &args.command {
            Command::Tencent(tencent) => (&tencent.sides, Some(tencent)),
            Command::Compare(sides) => (sides, None),
        };
        let migration = Migration::of(sides, now)?;
        let work = async {
            if let Some(tencent) = tencent {
                migration.carry_over(tencent).await?;
            }
            if tencent.is_none_or(|tencent| !tencent.no_compare) {
                migration.compare().await?;
            }
            Ok(())
        };
        let outcome: Result<(), MigrateError> = tokio::select! {
            outcome = work => outcome,
            () = migration.report.show_steadily() => unreachable!("it shows steadily"),
        };
        let mut output = std::io::stdout().lock();
        writeln!(output, "{}", migration.report)
            .map_err(MigrateError::io("write to standard output"))?;
        outcome?;
        match migration.report.differences() {
            0 => Ok(()),
            differences => Err(MigrateError::Differ(differences)),
        }
    })
}

impl Migration {
    fn of(sides: &SidesArgs, now: UnixSeconds) -> Result<Self, MigrateError> {
        let source = Endpoint {
            host: sides.source.clone(),
            app: SdkAppId(sides.source_app),
            admin: sides.source_admin.clone(),
            key: sides.source_key.0.clone(),
            calls_per_second: sides.source_calls_per_second.get(),
        };
        let target = Endpoint {
            host: sides.target.clone(),
            app: SdkAppId(sides.target_app),
            admin: sides.target_admin.clone(),
            key: sides.target_key.0.clone(),
            calls_per_second: sides.target_calls_per_second.get(),
        };
        let (source, target) = (Api::new("source", source, now)?, Api::new("target", target, now)?);
        let tags = STANDARD_TAGS.iter().map(ToString::to_string);
        Ok(Self {
            journal: Journal::open(&sides.journal, source.name(), target.name())?,
            source,
            target,
            report: Report::default(),
            plan: Plan {
                jobs: sides.jobs.into(),
                profile_tags: tags.chain(sides.profile_tags.iter().cloned()).collect(),
                started: now,
            },
        })
    }

    async fn carry_over(&self, args: &TencentArgs) -> Result<(), MigrateError> {
        if args.again {
            self.journal.note(Record::Again)?;
        }
        self.report.begin("accounts");
        if let Some(path) = &args.accounts {
            self.accounts_of_file(path).await?;
        }
        self.report.begin("groups");
        let groups = self.groups().await?;
        // What history has forgotten is older than what it knows.
        self.report.begin("archives");
        self.archives(&args.archives, &groups).await?;
        self.report.begin("messages and members of groups");
        self.contents(groups).await?;
        self.report.begin("relations");
        self.relations().await?;
        self.report.begin("one-to-one messages");
        if let Some(path) = &args.pairs {
            self.pairs_of_file(path).await?;
        }
        self.pairs().await
    }

    /// Does the same with all items, some at a time; the first failure ends it.
    pub(crate) async fn in_parallel<T>(
        &self,
        items: Vec<T>,
        work: impl AsyncFn(T) -> Result<(), MigrateError>,
    ) -> Result<(), MigrateError> {
        let work = &work;
        stream::iter(items)
            .map(|item| work(item))
            .buffer_unordered(self.plan.jobs)
            .try_collect::<()>()
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    const SIDES: [&str; 12] = [
        "--source",
        "https://h.example",
        "--source-app",
        "1",
        "--source-key",
        "k",
        "--target",
        "http://127.0.0.1:80",
        "--target-app",
        "2",
        "--target-key",
        "l",
    ];

    fn parse(flags: &[&str]) -> Result<MigrateArgs, clap::Error> {
        MigrateArgs::augment_args(clap::Command::new("migrate")).debug_assert();
        let command = MigrateArgs::augment_args(clap::Command::new("migrate"));
        let matches = command.try_get_matches_from([&["migrate"], flags].concat())?;
        MigrateArgs::from_arg_matches(&matches)
    }

    #[test]
    fn both_sides_and_a_journal_are_required() {
        let all = [&["tencent"], &SIDES[..], &["--journal", "j"]].concat();
        let args = parse(&all).unwrap();
        let Command::Tencent(tencent) = args.command else { panic!("another command") };
        assert_eq!(tencent.sides.source_admin, "administrator");
        assert_eq!((tencent.sides.jobs, tencent.again, tencent.no_compare), (16, false, false));
        for without in (1..all.len()).step_by(2) {
            let mut some = all.clone();
            some.drain(without..without + 2);
            assert!(parse(&some).is_err(), "{}", all[without]);
        }
    }

    #[test]
    fn a_key_may_be_in_a_file_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "a key\n").unwrap();
        let secret: Secret = format!("@{}", path.display()).parse().unwrap();
        assert_eq!((secret.0.as_str(), format!("{secret:?}").as_str()), ("a key", "Secret"));
        assert!("".parse::<Secret>().is_err() && "@/no/such/file".parse::<Secret>().is_err());
    }
}
