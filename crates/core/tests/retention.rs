//! Messages that are older than an app keeps are removed, and no others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use teahouse_core::caller::{Caller, Who};
use teahouse_core::commands::registry;
use teahouse_core::env::{Clock, Env, Random, Spawn};
use teahouse_core::node::Node;
use teahouse_proto::ids::{SdkAppId, UserId};
use teahouse_proto::time::UnixMillis;
use teahouse_store::Memory;
use tokio::task::JoinHandle;

const APP: SdkAppId = SdkAppId(7);
const DAY_MS: u64 = 86_400_000;
const START_MS: u64 = 1_800_000_000_000;

struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed))
    }
}

/// A sequence is random enough where nobody guesses.
struct Sequence(AtomicU64);

impl Random for Sequence {
    fn next(&self) -> u64 {
        self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }
}

/// Background work that the test can wait for.
#[derive(Default)]
struct Background(Mutex<Vec<JoinHandle<()>>>);

impl Spawn for Background {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.lock().expect("no panic while held").push(tokio::spawn(task));
    }
}

impl Background {
    async fn finish(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().expect("no panic while held"));
        for task in tasks {
            task.await.expect("no panic in the background");
        }
    }
}

async fn call(node: &Arc<Node>, path: &str, body: &str) -> serde_json::Value {
    let app = node.app(APP).expect("made by the test");
    let admin = Who::Admin(UserId::parse("administrator").expect("valid"));
    let caller = Caller::new(node.clone(), app, admin);
    let served = node.registry().rest(path).expect("served");
    let reply = served.run(caller, body).await.expect("accepted");
    serde_json::from_str(&reply).expect("JSON")
}

async fn send(node: &Arc<Node>, number: u32) {
    let body = format!(
        r#"{{"From_Account":"alice","To_Account":"bob","MsgSeq":{number},"MsgRandom":{number},
            "MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"hi"}}}}]}}"#
    );
    call(node, "openim/sendmsg", &body).await;
}

async fn history(node: &Arc<Node>) -> Vec<u64> {
    let body = r#"{"Operator_Account":"bob","Peer_Account":"alice","MaxCnt":100,
        "MinTime":0,"MaxTime":4294967295}"#;
    let reply = call(node, "openim/admin_getroammsg", body).await;
    let messages = reply["MsgList"].as_array().expect("a list");
    messages.iter().map(|message| message["MsgSeq"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn old_messages_go_and_younger_ones_stay() {
    let clock = Arc::new(TestClock(AtomicU64::new(START_MS)));
    let background = Arc::new(Background::default());
    let env = Env {
        clock: clock.clone(),
        random: Arc::new(Sequence(AtomicU64::new(1))),
        spawn: background.clone(),
        node_number: 1,
        shards: 1,
    };
    let node = Node::open(env, Arc::new(Memory::new()), registry()).await.expect("opens");
    node.create_app(APP, "secret").await.expect("made");
    let setting = ("c2c.history_days".to_owned(), "2".to_owned());
    node.set_app(APP, &[setting]).await.expect("valid");
    call(&node, "im_open_login_svc/multiaccount_import", r#"{"Accounts":["alice","bob"]}"#).await;

    for day in 0..4_u32 {
        clock.0.store(START_MS + u64::from(day) * DAY_MS, Ordering::Relaxed);
        send(&node, day + 1).await;
        background.finish().await;
    }
    node.tick().await;
    background.finish().await;
    assert_eq!(history(&node).await, [2, 3, 4], "two whole days are kept beside the present one");

    clock.0.store(START_MS + 9 * DAY_MS, Ordering::Relaxed);
    node.tick().await;
    background.finish().await;
    assert_eq!(history(&node).await, [0_u64; 0], "days on which nobody looked are made up for");

    send(&node, 5).await;
    assert_eq!(history(&node).await, [5]);
}
