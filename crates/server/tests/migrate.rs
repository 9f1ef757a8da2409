//! `teahouse migrate`: an app moves from one server to another, and the migration is killed on its way. A second
//! Teahouse stands for the service that the app leaves: it speaks the same API.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use support::client::Dial;
use support::process::{self, BINARY, Ended, Server};
use support::{App, eventually, unix_seconds};
use tempfile::TempDir;
use tokio::process::Command;

const SOURCE: App = App { id: 1_400_000_011, key: "the key of the app that moves" };
const TARGET: App = App { id: 1_400_000_012, key: "the key of the app that it moves to" };
/// Of whom the first half is named by a file; the others are found.
const ACCOUNTS: u32 = 300;
const GROUPS: u32 = 36;
const MEMBERS_A_GROUP: u32 = 24;
const MESSAGES_A_GROUP: u32 = 91;
const PAIRS: u32 = 60;
const MESSAGES_A_PAIR: u32 = 12;
/// When everything began.
const BEGIN: u32 = 1_700_000_000;
const KINDS: [&str; 4] = ["Public", "Private", "ChatRoom", "Community"];
/// Calls that the test has under way.
const AT_ONCE: usize = 16;

fn user(number: u32) -> String {
    format!("user-{}", number % ACCOUNTS)
}

fn group(number: u32) -> String {
    let prefix = if kind(number) == "Community" { "@TGS#_" } else { "@TGS#2" };
    format!("{prefix}GROUP{number}")
}

fn kind(number: u32) -> &'static str {
    KINDS[number as usize % KINDS.len()]
}

fn text(text: impl ToString) -> Value {
    json!([{ "MsgType": "TIMTextElem", "MsgContent": { "Text": text.to_string() } }])
}

/// One server with its app.
struct Side {
    app: App,
    server: Server,
    dial: Dial,
}

impl Side {
    async fn start(folder: &Path, app: App) -> Self {
        let data = folder.join(format!("data-{}", app.id));
        let server = Server::start(&data, &["--app", &app.argument()]).await;
        let id = app.id.to_string();
        // Nothing is slowed down, and nothing is so old that it goes.
        let settings =
            ["rest.calls_per_second=100000", "c2c.history_days=0", "group.history_days=0"];
        server.ctl(&[&["app", "set", &id], &settings[..]].concat()).await;
        let dial = Dial::plain(server.address);
        Self { app, server, dial }
    }

    async fn ok(&self, command: &str, body: Value) -> Value {
        self.dial.rest_ok(self.app, command, &body).await
    }

    async fn all(&self, calls: impl IntoIterator<Item = (&'static str, Value)>) {
        let calls = stream::iter(calls).map(|(command, body)| self.ok(command, body));
        calls.buffer_unordered(AT_ONCE).for_each(async |_| ()).await;
    }

    /// Numbers of the ordinary messages of a group, and what they say, from old to new.
    async fn history(&self, group: &str) -> Vec<(String, Value, Value)> {
        let request = json!({ "GroupIdList": [group], "ResponseFilter": { "GroupBaseInfoFilter": ["NextMsgSeq"] } });
        let info = self.ok("group_open_http_svc/get_group_info", request).await;
        let mut last = info["GroupInfo"][0]["NextMsgSeq"].as_u64().expect("a number") - 1;
        let mut newest_first = Vec::new();
        while last > 0 {
            let page = json!({ "GroupId": group, "ReqMsgNumber": 20, "ReqMsgSeq": last });
            let page = self.ok("group_open_http_svc/group_msg_get_simple", page).await;
            for message in page["RspMsgList"].as_array().expect("a list") {
                if message["IsSystemMsg"] == 0 {
                    let from = message["From_Account"].as_str().expect("a name").to_owned();
                    newest_first.push((
                        from,
                        message["MsgTimeStamp"].clone(),
                        message["MsgBody"].clone(),
                    ));
                }
            }
            last = last.saturating_sub(20);
        }
        newest_first.reverse();
        newest_first
    }

    /// Texts of the messages between two users.
    async fn said(&self, own: &str, peer: &str) -> Vec<Value> {
        let wanted = json!({
            "Operator_Account": own, "Peer_Account": peer, "MaxCnt": 1_000, "MinTime": 0, "MaxTime": u32::MAX,
        });
        let page = self.ok("openim/admin_getroammsg", wanted).await;
        assert_eq!(page["Complete"], 1, "it fits into one answer");
        let messages = page["MsgList"].as_array().expect("a list").iter();
        messages.map(|message| message["MsgBody"][0]["MsgContent"]["Text"].clone()).collect()
    }
}

/// An app that people have used.
async fn live(source: &Side) {
    let accounts: Vec<u32> = (0..ACCOUNTS).collect();
    source
        .all(accounts.chunks(100).map(|some| {
            let account =
                |number: &u32| json!({ "UserID": user(*number), "Nick": format!("Nick {number}") });
            let list: Vec<Value> = some.iter().map(account).collect();
            ("im_open_login_svc/multiaccount_import", json!({ "AccountList": list }))
        }))
        .await;
    source
        .all(accounts.iter().step_by(3).map(|number| {
            let items = json!([
                { "Tag": "Tag_Profile_IM_SelfSignature", "Value": format!("number {number}") },
                { "Tag": "Tag_Profile_IM_Level", "Value": number },
            ]);
            ("profile/portrait_set", json!({ "From_Account": user(*number), "ProfileItem": items }))
        }))
        .await;
    source
        .all(accounts.iter().map(|number| {
            let friend = |step: u32| {
                json!({
                    "To_Account": user(number + step), "AddSource": "AddSource_Type_Tea",
                    "Remark": format!("friend {step}"), "AddTime": BEGIN + number, "GroupName": ["tea"],
                })
            };
            let list: Vec<Value> = (1..=2).map(friend).collect();
            ("sns/friend_import", json!({ "From_Account": user(*number), "AddFriendItem": list }))
        }))
        .await;
    source
        .all(accounts.iter().step_by(5).map(|number| {
            let blocked = [user(number + 10), user(number + 11)];
            ("sns/black_list_add", json!({ "From_Account": user(*number), "To_Account": blocked }))
        }))
        .await;
    let groups =
        stream::iter(0..GROUPS).map(|number| async move { live_group(source, number).await });
    groups.buffer_unordered(AT_ONCE).for_each(async |()| ()).await;
    let pairs = stream::iter(0..PAIRS).map(|pair| async move { live_pair(source, pair).await });
    pairs.buffer_unordered(AT_ONCE).for_each(async |()| ()).await;
}

/// Two who write to each other, several times a second.
async fn live_pair(source: &Side, pair: u32) {
    for number in 0..MESSAGES_A_PAIR {
        let (one, other) = (user(pair), user(pair + 100));
        let (from, to) = if number.is_multiple_of(2) { (one, other) } else { (other, one) };
        let body = json!({
            "SyncFromOldSystem": 2, "From_Account": from, "To_Account": to, "MsgSeq": number,
            "MsgRandom": pair, "MsgTimeStamp": BEGIN + number / 3, "MsgBody": text(number),
        });
        source.ok("openim/importmsg", body).await;
    }
}

/// A group in which something was said, and something happened.
async fn live_group(source: &Side, number: u32) {
    let id = group(number);
    source
        .ok(
            "group_open_http_svc/import_group",
            json!({
                "Type": kind(number), "GroupId": id, "Name": format!("Group {number}"), "Owner_Account": user(number),
                "CreateTime": BEGIN + number, "Introduction": "tea", "MuteAllMember": if number.is_multiple_of(9) { "On" } else { "Off" },
            }),
        )
        .await;
    let messages: Vec<u32> = (0..MESSAGES_A_GROUP).collect();
    for some in messages.chunks(7) {
        let message = |message: &u32| {
            json!({
                // Some of whom have left since.
                "From_Account": user(number + message % (MEMBERS_A_GROUP + 4)), "Random": message,
                // Several in a second.
                "SendTime": BEGIN + 1_000 + message / 3, "MsgPriority": if message.is_multiple_of(8) { "High" } else { "Normal" },
                "CloudCustomData": if message.is_multiple_of(5) { "custom" } else { "" }, "MsgBody": text(message),
            })
        };
        let list: Vec<Value> = some.iter().map(message).collect();
        let request = json!({ "GroupId": id, "RecentContactFlag": 1, "MsgList": list });
        source.ok("group_open_http_svc/import_group_msg", request).await;
    }
    let members: Vec<Value> = (1..MEMBERS_A_GROUP)
        .map(|member| {
            let is_admin = member == 1 && kind(number) != "Private";
            json!({
                "Member_Account": user(number + member), "Role": if is_admin { "Admin" } else { "Member" },
                "JoinTime": BEGIN + 1_000 + member, "UnreadMsgNum": member % 4,
                "NameCard": if member.is_multiple_of(6) { "card" } else { "" },
                "MsgFlag": if member.is_multiple_of(7) { "AcceptNotNotify" } else { "AcceptAndNotify" },
                "MuteUntil": if member == 5 { unix_seconds() + 86_400 } else { 0 },
            })
        })
        .collect();
    let request = json!({ "GroupId": id, "MemberList": members });
    source.ok("group_open_http_svc/import_group_member", request).await;
    // Said here, with a tip before it.
    let newcomer =
        json!({ "GroupId": id, "MemberList": [{ "Member_Account": user(number + 200) }] });
    source.ok("group_open_http_svc/add_group_member", newcomer).await;
    let request = json!({
        "GroupId": id, "From_Account": user(number + 1), "Random": 7, "MsgBody": text("the last word"),
    });
    source.ok("group_open_http_svc/send_group_msg", request).await;
}

/// The files of a migration, and how it is started.
struct Move<'a> {
    folder: &'a Path,
    source: &'a Side,
    target: &'a Side,
}

impl Move<'_> {
    fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    fn arguments(&self, command: &str, more: &[&str]) -> Vec<String> {
        let host = |side: &Side| format!("http://{}", side.server.address);
        let mut all: Vec<String> = ["migrate", command].map(str::to_owned).into();
        for (side, name) in [(self.source, "source"), (self.target, "target")] {
            all.extend([format!("--{name}"), host(side)]);
            all.extend([format!("--{name}-app"), side.app.id.to_string()]);
            all.extend([format!("--{name}-key"), side.app.key.to_owned()]);
            all.extend([format!("--{name}-calls-per-second"), "100000".to_owned()]);
        }
        all.extend(["--journal".to_owned(), self.journal().display().to_string()]);
        all.extend(more.iter().map(ToString::to_string));
        all
    }

    async fn run(&self, command: &str, more: &[&str]) -> Ended {
        let arguments = self.arguments(command, more);
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        process::run(&arguments).await
    }

    /// Starts it, and kills it when its journal has `lines` of this kind.
    async fn run_until(&self, more: &[&str], kind: &str, lines: usize) {
        let mut child = Command::new(BINARY)
            .args(self.arguments("tencent", more))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be started");
        eventually("the journal grows", async || {
            let text = std::fs::read_to_string(self.journal()).unwrap_or_default();
            let beginning = format!("{{\"{kind}\":");
            let count = text.lines().filter(|line| line.starts_with(&beginning)).count();
            (count >= lines).then_some(())
        })
        .await;
        child.start_kill().expect("it can be killed");
        let status = child.wait().await.expect("it can be waited for");
        assert_eq!(status.code(), None, "it did not end by itself");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_moves_over_though_its_migration_is_killed() {
    let folder = TempDir::new().expect("a temporary directory");
    let source = &Side::start(folder.path(), SOURCE).await;
    let target = &Side::start(folder.path(), TARGET).await;
    live(source).await;
    let named = folder.path().join("accounts");
    let ids: Vec<String> = (0..ACCOUNTS / 2).map(user).chain(["ghost".to_owned()]).collect();
    std::fs::write(&named, ids.join("\n")).expect("a file");
    let archives = archives(folder.path());
    let [named, archives] = [&named, &archives].map(|path| path.to_str().expect("text"));
    let flags = ["--accounts", named, "--archive", archives];

    let moving = Move { folder: folder.path(), source, target };
    moving.run_until(&flags, "messages", 40).await;
    moving.run_until(&flags, "members", GROUPS as usize / 2).await;
    moving.run_until(&flags, "friends", ACCOUNTS as usize / 2).await;
    moving.run_until(&flags, "pair", 10).await;
    let ended = moving.run("tencent", &flags).await;
    assert!(ended.status.success(), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.ends_with("differences: 0\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("no accounts: ghost"), "{}", ended.stdout);

    // Not only by its own account.
    for number in 0..GROUPS {
        let (here, there) =
            (source.history(&group(number)).await, target.history(&group(number)).await);
        assert_eq!(here.len(), MESSAGES_A_GROUP as usize + 1);
        assert_eq!(here, there, "each once, in the same order");
    }
    for pair in 0..PAIRS {
        let (one, other) = (user(pair), user(pair + 100));
        let here = source.said(&one, &other).await;
        assert_eq!(here.len(), MESSAGES_A_PAIR as usize);
        assert_eq!(here, target.said(&other, &one).await);
    }
    let archived = target.said("user-290", "user-291").await;
    assert_eq!(archived, ["from an archive"], "the source does not know it");
    unread_is_the_same(target).await;

    // Again: everything is there.
    let ended = moving.run("tencent", &[&flags[..], &["--again"]].concat()).await;
    assert!(ended.status.success(), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("groups that are gone: gone"), "{}", ended.stdout);
    assert_eq!(target.history(&group(0)).await.len(), MESSAGES_A_GROUP as usize + 1);

    differences_are_found(&moving).await;
}

/// Archives of an hour of each kind: what the source knows, what it does not, and what belongs to nothing any more.
fn archives(folder: &Path) -> PathBuf {
    let archives = folder.join("archives");
    std::fs::create_dir(&archives).expect("a folder");
    let write = |kind: &str, messages: &[Value]| {
        let lines: Vec<String> = messages.iter().map(Value::to_string).collect();
        let head =
            format!(r#"{{"SdkAppId":1,"ChatType":"{kind}","MsgTime":"2023111422","MsgList":["#);
        let text = format!("{head}\n{}\n]}}\n", lines.join(",\n"));
        let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        file.write_all(text.as_bytes()).expect("memory can be written");
        let packed = file.finish().expect("memory can be written");
        std::fs::write(archives.join(format!("{kind}.gz")), packed).expect("a file");
    };
    let c2c = |seq: u32, from: u32, to: u32, body: Value| {
        json!({
            "From_Account": user(from), "To_Account": user(to), "MsgTimestamp": BEGIN, "MsgSeq": seq,
            "MsgRandom": 0, "MsgBody": body,
        })
    };
    write("C2C", &[c2c(0, 0, 100, text(0)), c2c(5, 290, 291, text("from an archive"))]);
    let said = |group: String, seq: u32, body: Value| {
        json!({
            "From_Account": user(1), "GroupId": group, "MsgTimestamp": BEGIN + 1_000, "MsgSeq": seq, "MsgBody": body,
        })
    };
    write("Group", &[said(group(1), 1, text(0)), said("gone".to_owned(), 1, text(0))]);
    archives
}

/// Members have read as far as before, however the messages are numbered: the target has one less, the tip.
async fn unread_is_the_same(target: &Side) {
    for number in (0..GROUPS).filter(|number| kind(*number) != "ChatRoom") {
        let members: Vec<String> =
            (0..MEMBERS_A_GROUP).map(|member| user(number + member)).collect();
        let request = json!({ "GroupId": group(number), "Member_List_Account": members });
        let command = "group_open_http_svc/get_specified_group_member_info";
        let answer = target.ok(command, request).await;
        for (member, found) in
            (0..MEMBERS_A_GROUP).zip(answer["MemberList"].as_array().expect("a list"))
        {
            // Besides the last word, unless it is his own, what the source says; of that one message is his own.
            let unread = member % 4 + u32::from(member != 1) - u32::from(member == 6);
            let read = MESSAGES_A_GROUP + 1 - unread;
            assert_eq!(found["MsgSeq"], read, "{member} of {}: {found}", group(number));
        }
    }
}

/// The comparison is no formality.
async fn differences_are_found(moving: &Move<'_>) {
    let target = moving.target;
    let request = json!({ "From_Account": user(0), "To_Account": [user(1)] });
    target.ok("sns/friend_delete", request).await;
    let request = json!({ "GroupId": group(2), "MemberToDel_Account": [user(5)], "Silence": 1 });
    target.ok("group_open_http_svc/delete_group_member", request).await;
    let request = json!({ "GroupId": group(1), "Name": "Another", "Introduction": "" });
    target.ok("group_open_http_svc/modify_group_base_info", request).await;
    let items = json!([{ "Tag": "Tag_Profile_IM_Nick", "Value": "Another" }]);
    target
        .ok("profile/portrait_set", json!({ "From_Account": user(7), "ProfileItem": items }))
        .await;
    let request = json!({
        "From_Account": user(0), "To_Account": user(100), "MsgRandom": 1, "MsgBody": text("late"),
    });
    moving.source.ok("openim/sendmsg", request).await;
    let request = json!({
        "GroupId": group(4), "From_Account": user(5), "Random": 8, "MsgBody": text("late"),
    });
    moving.source.ok("group_open_http_svc/send_group_msg", request).await;

    let ended = moving.run("compare", &[]).await;
    assert_eq!(ended.status.code(), Some(1), "{}\n{}", ended.stdout, ended.stderr);
    let found: BTreeSet<&str> =
        ended.stdout.lines().filter_map(|line| line.strip_prefix("different: ")).collect();
    for expected in [
        "1 × friends that are missing: user-1 of user-0".to_owned(),
        format!("1 × members that are missing: user-5 of {}", group(2)),
        format!("1 × Name of groups: {}", group(1)),
        format!("1 × Introduction of groups: {}", group(1)),
        "1 × profiles: user-7".to_owned(),
        format!("1 × group messages that are missing: {} 94", group(4)),
    ] {
        assert!(found.contains(expected.as_str()), "{expected}\n{}", ended.stdout);
    }
    let late = found.iter().find(|line| line.contains("one-to-one messages that are missing"));
    assert!(late.is_some_and(|line| line.contains("user-0 and user-100 at")), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("differences: 7\n"), "{}", ended.stdout);
}
