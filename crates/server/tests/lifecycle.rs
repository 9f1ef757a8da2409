//! The life of a server process: what SIGTERM ends, and what is still true after the next start.

mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use support::client::{Device, Dial, Gateway};
use support::process::{self, Server};
use support::{App, eventually, unix_seconds};
use tempfile::TempDir;
use tokio::net::TcpStream;

const APP: App = App { id: 1_400_000_001, key: "the key of the app that is restarted" };
const SENDERS: [&str; 4] = ["ann", "ben", "cat", "dan"];
/// Requests that each sender has under way.
const IN_FLIGHT: usize = 16;
/// Acknowledgements, of all senders together, before the server is told to stop.
const BEFORE_THE_END: usize = 200;

fn data() -> (TempDir, PathBuf) {
    let directory = TempDir::new().expect("a temporary directory");
    let data = directory.path().join("data");
    (directory, data)
}

async fn start(data: &std::path::Path) -> (Server, Dial) {
    let server = Server::start(data, &["--app", &APP.argument()]).await;
    let dial = Dial::plain(server.address);
    (server, dial)
}

fn message(from: &str, to: &str, seq: u64) -> Value {
    json!({
        "From_Account": from, "To_Account": to, "MsgSeq": seq, "MsgRandom": seq,
        "MsgBody": [{ "MsgType": "TIMTextElem", "MsgContent": { "Text": seq.to_string() } }],
    })
}

/// Sends to `bob` until the server closes the socket; the sequence numbers that were acknowledged.
async fn send_until_closed(dial: Dial, from: &str, acknowledged: &AtomicUsize) -> BTreeSet<u64> {
    let mut client = Gateway::login(&dial, APP, Device::web("sender"), from).await;
    let mut waiting = std::collections::BTreeMap::new();
    let mut done = BTreeSet::new();
    let mut seq = 0;
    loop {
        while waiting.len() < IN_FLIGHT {
            seq += 1;
            match client.send("openim.sendmsg", &message(from, "bob", seq)).await {
                Ok(request) => waiting.insert(request, seq),
                // Replies may be on their way still.
                Err(_) => break,
            };
        }
        let Some(frame) = client.next().await else { return done };
        if let Some(seq) = waiting.remove(&frame.seq) {
            // A server that is about to stop may refuse; it must not acknowledge and forget.
            if frame.body["ErrorCode"] == 0 {
                done.insert(seq);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The sequence numbers of a whole history, oldest first.
async fn history(dial: &Dial, user: &str, peer: &str) -> Vec<u64> {
    let mut newest_first = Vec::new();
    let (mut time, mut key) = (json!(u32::MAX), json!(""));
    loop {
        let wanted = json!({
            "Operator_Account": user, "Peer_Account": peer, "MaxCnt": 100,
            "MinTime": 0, "MaxTime": time, "LastMsgKey": key,
        });
        let mut page = dial.rest_ok(APP, "openim/admin_getroammsg", &wanted).await;
        let messages = page["MsgList"].as_array().expect("a list");
        let seqs = messages.iter().map(|message| message["MsgSeq"].as_u64().expect("a number"));
        newest_first.extend(seqs.rev());
        if page["Complete"] == 1 {
            newest_first.reverse();
            return newest_first;
        }
        (time, key) = (page["LastMsgTime"].take(), page["LastMsgKey"].take());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_stop_is_there_after_the_start() {
    let (_directory, data) = data();
    let (server, dial) = start(&data).await;
    let mut bob = Gateway::login(&dial, APP, Device::web("b"), "bob").await;
    let identity = bob.identity();
    // Somebody who has connected and says nothing must not delay the end.
    let silent = TcpStream::connect(server.address).await.expect("a connection");

    let acknowledged = Arc::new(AtomicUsize::new(0));
    let senders = SENDERS.map(|from| {
        let (dial, acknowledged) = (dial.clone(), acknowledged.clone());
        tokio::spawn(async move { send_until_closed(dial, from, &acknowledged).await })
    });
    let receiver = tokio::spawn(async move { while bob.next().await.is_some() {} });
    eventually("messages are acknowledged", async || {
        (acknowledged.load(Ordering::Relaxed) >= BEFORE_THE_END).then_some(())
    })
    .await;
    server.stop().await;
    drop(silent);
    receiver.await.expect("bob's socket is closed");

    let (server, dial) = start(&data).await;
    for (from, sender) in SENDERS.iter().zip(senders) {
        let promised = sender.await.expect("the sender's socket is closed");
        assert!(!promised.is_empty(), "{from} got through");
        let stored = history(&dial, "bob", from).await;
        let in_order: Vec<u64> = (1..=stored.len() as u64).collect();
        assert_eq!(stored, in_order, "{from}: each once, in the order of sending, without a gap");
        assert!(promised.iter().all(|seq| stored.contains(seq)), "{from}: {promised:?}");
        assert_eq!(history(&dial, from, "bob").await, stored, "both sides have the same");
    }
    // The session outlives the server's process.
    let mut bob = Gateway::open_with(&dial, APP, Device::web("b"), identity).await;
    let reply = bob.wslogin().await;
    assert_eq!((&reply["ErrorCode"], &reply["InstId"]), (&json!(0), &json!(1)), "{reply}");
    bob.close().await;
    server.stop().await;
}

#[tokio::test]
async fn read_marks_of_the_last_moment_survive_a_stop() {
    let (_directory, data) = data();
    let (server, dial) = start(&data).await;
    let mut ann = Gateway::login(&dial, APP, Device::web("a"), "ann").await;
    let mut bob = Gateway::login(&dial, APP, Device::web("b"), "bob").await;
    let sent = ann.ask_ok("openim.sendmsg", &message("ann", "bob", 1)).await;
    let item = json!({ "To_Account": "ann", "LastedMsgTime": unix_seconds() });
    let marks = json!({ "C2CMsgReaded": { "C2CMsgReadedItem": [item] } });
    bob.ask_ok("openim.msgreaded", &marks).await;
    server.stop().await;

    let (server, dial) = start(&data).await;
    let mut ann = Gateway::login(&dial, APP, Device::web("a"), "ann").await;
    let peers = json!({ "To_Account": ["bob"] });
    let read = ann.ask_ok("openim.get_peer_read_time", &peers).await;
    assert_eq!(read["ReadTime"], json!([sent["MsgTime"]]));
    let mut bob = Gateway::login(&dial, APP, Device::web("b"), "bob").await;
    let missed = bob.ask_ok("openim.getmsg", &json!({ "Cookie": "", "SyncFlag": 0 })).await;
    assert_eq!(missed["C2CPairUnreadCount"], json!([]), "{missed}");
    server.stop().await;
}

#[tokio::test]
async fn the_control_file_is_its_owners_and_goes_with_the_server() {
    let (_directory, data) = data();
    let control = data.join("control.json");
    let (server, _) = start(&data).await;
    let mode = std::fs::metadata(&control).expect("the control file is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(server.ctl(&["app", "list"]).await.trim(), APP.id.to_string());
    server.stop().await;
    assert!(!control.exists(), "it would lead to nobody");

    let flag = "--data".as_ref();
    let asked = ["ctl".as_ref(), flag, data.as_os_str(), "app".as_ref(), "list".as_ref()];
    let ended = process::run(&asked).await;
    assert_eq!((ended.status.code(), ended.stderr.lines().count()), (Some(1), 1), "{ended:?}");
}
