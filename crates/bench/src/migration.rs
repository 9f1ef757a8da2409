//! `migration`: an app moves from one server to another with `teahouse migrate`, which is killed on its way and goes
//! on where it was; then both sides are compared.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::{AppKey, Common};
use crate::client::Target;
use crate::error::BenchError;
use crate::group;
use crate::process::{ServerProcess, load_average, mib};
use crate::target::{control, data_folder, observe, serve};
use crate::w1::{say, write_json};
use crate::wire;

/// Flags of `migration`.
#[derive(Debug, Args)]
pub(crate) struct MigrationArgs {
    /// Accounts of the app.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    accounts: u32,
    /// Its groups.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    groups: u32,
    /// Members of each group.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100))]
    members: u32,
    /// Messages, of which a twentieth is one-to-one.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000_000))]
    messages: u32,
    /// How often the migration is killed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    kills: u32,
}

/// When the app began, unix seconds.
const BEGIN: u32 = 1_700_000_000;
/// What fills the source at the same time.
const FILLERS: u32 = 4;
/// Messages that one call imports.
const MESSAGES_A_CALL: u32 = 7;
const ACCOUNTS_A_CALL: u32 = 100;
/// Messages that a migration notes as done together.
const MESSAGES_A_LINE: u32 = 20;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What was measured.
#[derive(Debug, Serialize)]
struct Figures {
    accounts: u32,
    groups: u32,
    members: u32,
    group_messages: u32,
    pair_messages: u32,
    fill_seconds: f64,
    kills: u32,
    move_seconds: f64,
    messages_per_second: f64,
    compare_seconds: f64,
    target_cpu_seconds: Option<f64>,
    source_disk_mib: Option<f64>,
    target_disk_mib: Option<f64>,
    load_average: f64,
    last_words: String,
}

/// Runs the migration as the flags say.
pub(crate) fn run(common: &Common, args: &MigrationArgs) -> Result<(), BenchError> {
    if common.server.is_some() {
        return Err(BenchError::Usage(
            "a migration needs two servers of its own: leave out --server".to_owned(),
        ));
    }
    let app = common.app_or_default();
    let (source_data, target_data) = (data_folder(common)?, data_folder(common)?);
    let source = Side::start(source_data.path(), &app)?;
    let target = Side::start(target_data.path(), &app)?;
    let app_of = Filled::of(args);
    let begun = Instant::now();
    app_of.fill(&source.target)?;
    let fill_seconds = begun.elapsed().as_secs_f64();
    say(&format!("filled in {fill_seconds:.0} s\n"))?;

    let folder = target_data.path();
    let files =
        Files { folder, accounts: folder.join("accounts"), journal: folder.join("journal") };
    let names: Vec<String> = (0..args.accounts).map(wire::crowd_name).collect();
    std::fs::write(&files.accounts, names.join("\n")).map_err(BenchError::io("name accounts"))?;
    let begun = Instant::now();
    for kill in 1..=args.kills {
        let lines = u64::from(app_of.group_messages / MESSAGES_A_LINE);
        let enough = lines * u64::from(kill) / u64::from(args.kills + 1);
        files.kill_at(&source, &target, enough)?;
        say(&format!("killed after {:.0} s\n", begun.elapsed().as_secs_f64()))?;
    }
    files.finish(&source, &target, "tencent")?;
    let move_seconds = begun.elapsed().as_secs_f64();
    let account = target.account();
    let begun = Instant::now();
    let last_words = files.finish(&source, &target, "compare")?;
    let figures = Figures {
        accounts: args.accounts,
        groups: args.groups,
        members: args.members * args.groups,
        group_messages: app_of.group_messages,
        pair_messages: app_of.pair_messages,
        fill_seconds,
        kills: args.kills,
        move_seconds,
        messages_per_second: f64::from(app_of.group_messages + app_of.pair_messages) / move_seconds,
        compare_seconds: begun.elapsed().as_secs_f64(),
        target_cpu_seconds: account.cpu.map(|cpu| cpu.as_secs_f64()),
        source_disk_mib: source.account().disk_bytes.map(mib),
        target_disk_mib: target.account().disk_bytes.map(mib),
        load_average: load_average(),
        last_words,
    };
    let shown = serde_json::to_string_pretty(&figures).expect("plain figures are JSON");
    say(&format!("{shown}\n"))?;
    match &common.json {
        Some(path) => write_json(path, &figures),
        None => Ok(()),
    }
}

/// A server with the app.
struct Side {
    process: ServerProcess,
    target: Target,
    folder: std::path::PathBuf,
}

impl Side {
    fn start(folder: &Path, app: &AppKey) -> Result<Self, BenchError> {
        let process = serve(folder, app)?;
        let target = app.target(process.addr);
        let settings =
            ["rest.calls_per_second=1000000", "c2c.history_days=0", "group.history_days=0"];
        control(&folder.join("data"), &target, &settings.map(str::to_owned))?;
        Ok(Self { process, target, folder: folder.to_owned() })
    }

    fn account(&self) -> crate::process::Account {
        observe(&self.process, &self.folder).account()
    }
}

/// How much is in the app.
#[derive(Debug, Clone, Copy)]
struct Filled<'a> {
    args: &'a MigrationArgs,
    group_messages: u32,
    pair_messages: u32,
}

impl<'a> Filled<'a> {
    fn of(args: &'a MigrationArgs) -> Self {
        let pair_messages = args.messages / 20;
        let each = (args.messages - pair_messages) / args.groups;
        Self { args, group_messages: each * args.groups, pair_messages }
    }

    /// Writes all of it, from some threads.
    fn fill(&self, target: &Target) -> Result<(), BenchError> {
        let batches = self.args.accounts.div_ceil(ACCOUNTS_A_CALL);
        self.in_parallel(batches, |batch| self.accounts(target, batch))?;
        self.in_parallel(self.args.groups, |number| self.group(target, number))?;
        self.in_parallel(self.pair_messages, |number| self.pair_message(target, number))
    }

    fn in_parallel(
        &self,
        count: u32,
        work: impl Fn(u32) -> Result<(), BenchError> + Sync,
    ) -> Result<(), BenchError> {
        let next = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let fillers: Vec<_> = (0..FILLERS)
                .map(|_| {
                    scope.spawn(|| {
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= count {
                                return Ok(());
                            }
                            work(number)?;
                        }
                    })
                })
                .collect();
            let ended = fillers.into_iter().map(|filler| filler.join().expect("no panic"));
            ended.collect()
        })
    }

    fn name(&self, number: u32) -> String {
        wire::crowd_name(number % self.args.accounts)
    }

    fn accounts(&self, target: &Target, batch: u32) -> Result<(), BenchError> {
        let first = batch * ACCOUNTS_A_CALL;
        let some = first..self.args.accounts.min(first + ACCOUNTS_A_CALL);
        let account =
            |number| json!({ "UserID": self.name(number), "Nick": format!("Nick {number}") });
        let list: Vec<Value> = some.map(account).collect();
        ask(target, "im_open_login_svc/multiaccount_import", json!({ "AccountList": list }))
    }

    fn group(&self, target: &Target, number: u32) -> Result<(), BenchError> {
        let (id, first) = (format!("group-{number}"), number * self.args.members);
        let group = json!({
            "Type": "Public", "GroupId": id, "Name": format!("Group {number}"),
            "Owner_Account": self.name(first), "CreateTime": BEGIN,
        });
        ask(target, "group_open_http_svc/import_group", group)?;
        let (messages, mut said) = (self.group_messages / self.args.groups, 0);
        while said < messages {
            let some = said..messages.min(said + MESSAGES_A_CALL);
            said = some.end;
            let message = |message: u32| {
                let text = format!("message {message} of a group, as long as people write them");
                json!({
                    "From_Account": self.name(first + message % self.args.members),
                    "SendTime": BEGIN + 1 + message, "Random": message, "MsgBody": text_body(&text),
                })
            };
            let list: Vec<Value> = some.map(message).collect();
            let list = json!({ "GroupId": id, "RecentContactFlag": 1, "MsgList": list });
            ask(target, "group_open_http_svc/import_group_msg", list)?;
        }
        let member = |member| {
            json!({
                "Member_Account": self.name(first + member), "JoinTime": BEGIN + member,
                "UnreadMsgNum": member % 5,
            })
        };
        let list: Vec<Value> = (1..self.args.members).map(member).collect();
        if list.is_empty() {
            return Ok(());
        }
        let list = json!({ "GroupId": id, "MemberList": list });
        ask(target, "group_open_http_svc/import_group_member", list)
    }

    fn pair_message(&self, target: &Target, number: u32) -> Result<(), BenchError> {
        // Ten messages a pair.
        let pair = number / 10;
        let message = json!({
            "SyncFromOldSystem": 2, "From_Account": self.name(pair), "To_Account": self.name(pair + 1),
            "MsgSeq": number, "MsgRandom": number, "MsgTimeStamp": BEGIN + number,
            "MsgBody": text_body(&format!("message {number} of two people")),
        });
        ask(target, "openim/importmsg", message)
    }
}

fn text_body(text: &str) -> Value {
    json!([{ "MsgType": "TIMTextElem", "MsgContent": { "Text": text } }])
}

fn ask(target: &Target, command: &str, body: Value) -> Result<(), BenchError> {
    group::ask(target, command, &body.to_string()).map(drop)
}

/// What a migration reads and writes beside the two apps.
struct Files<'a> {
    folder: &'a Path,
    accounts: std::path::PathBuf,
    journal: std::path::PathBuf,
}

impl Files<'_> {
    fn start(&self, source: &Side, target: &Side, command: &str) -> Result<Child, BenchError> {
        let program =
            std::env::current_exe().map_err(BenchError::io("find this program's own file"))?;
        let failed = || BenchError::io("start the migration");
        let output = |name: &str| File::create(self.folder.join(name)).map_err(failed());
        let mut child = Command::new(program);
        child.args(["migrate", command]).arg("--journal").arg(&self.journal);
        for (side, name) in [(source, "source"), (target, "target")] {
            child.args([format!("--{name}"), format!("http://{}", side.target.addr)]);
            child.args([format!("--{name}-app"), side.target.app.to_string()]);
            child.args([format!("--{name}-key"), side.target.secret.clone()]);
            child.args([format!("--{name}-calls-per-second"), "1000000".to_owned()]);
        }
        if command == "tencent" {
            child.arg("--accounts").arg(&self.accounts).arg("--no-compare");
        }
        let (said, shown) = (output("said")?, output("shown")?);
        child.stdin(Stdio::null()).stdout(said).stderr(shown).spawn().map_err(failed())
    }

    /// Starts the migration, and kills it once it has noted so many parts of groups.
    fn kill_at(&self, source: &Side, target: &Side, lines: u64) -> Result<(), BenchError> {
        let mut child = self.start(source, target, "tencent")?;
        let waited = || BenchError::io("wait for the migration");
        let mut noted = 0;
        while noted < lines {
            std::thread::sleep(LOOK_EVERY);
            if child.try_wait().map_err(waited())?.is_some() {
                return Err(BenchError::Server(
                    self.said("the migration ended before it was killed"),
                ));
            }
            let journal = std::fs::read(&self.journal).unwrap_or_default();
            let lines = journal.split(|byte| *byte == b'\n');
            noted = lines.filter(|line| line.starts_with(b"{\"messages\"")).count() as u64;
        }
        child.kill().map_err(waited())?;
        child.wait().map(drop).map_err(waited())
    }

    /// Lets a command come to its end; its last line.
    fn finish(&self, source: &Side, target: &Side, command: &str) -> Result<String, BenchError> {
        let mut child = self.start(source, target, command)?;
        let status = child.wait().map_err(BenchError::io("wait for the migration"))?;
        if !status.success() {
            return Err(BenchError::BrokenPromise(self.said("the migration failed")));
        }
        let said = std::fs::read_to_string(self.folder.join("said")).unwrap_or_default();
        Ok(said.lines().last().unwrap_or_default().to_owned())
    }

    fn said(&self, what: &str) -> String {
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let last = read("shown").lines().last().unwrap_or_default().to_owned();
        format!("{what}: {} {last}", read("said"))
    }
}
