//! An app with two users on a node in memory, and a clock that the test sets.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;
use teahouse_core::caller::{Caller, Identity, Who};
use teahouse_core::commands::registry;
use teahouse_core::env::{Clock, Env, Random, Spawn};
use teahouse_core::hook::{Endpoints, Post, PostError};
use teahouse_core::hub::Connection;
use teahouse_core::node::Node;
use teahouse_proto::error::Error;
use teahouse_proto::ids::{SdkAppId, TinyId, UserId};
use teahouse_proto::platform::Platform;
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use teahouse_store::Memory;
use tokio::task::JoinHandle;

pub(crate) const APP: SdkAppId = SdkAppId(7);
pub(crate) const DAY_MS: u64 = 86_400_000;
/// When each test begins: the first moment of a day.
pub(crate) const START_MS: u64 = 1_800_057_600_000;

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

/// No application has a server.
struct Nobody;

impl Endpoints for Nobody {
    fn post(&self, _: Post) -> BoxFuture<'static, Result<Bytes, PostError>> {
        let problem = PostError::Unreachable("there is no network".to_owned());
        Box::pin(std::future::ready(Err(problem)))
    }
}

/// A sequence of choices that a seed determines.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(limit)).expect("32 bits")
    }
}

pub(crate) struct World {
    pub(crate) node: Arc<Node>,
    pub(crate) store: Arc<Memory>,
    clock: Arc<TestClock>,
    background: Arc<Background>,
}

impl World {
    /// With the accounts alice and bob.
    pub(crate) async fn new(settings: &[(&str, &str)]) -> Self {
        Self::with(settings, Arc::new(Nobody)).await
    }

    /// The same, with a server of the application.
    pub(crate) async fn with(settings: &[(&str, &str)], endpoints: Arc<dyn Endpoints>) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(START_MS)));
        let background = Arc::new(Background::default());
        let env = Env {
            clock: clock.clone(),
            random: Arc::new(Sequence(AtomicU64::new(1))),
            spawn: background.clone(),
            endpoints,
            node_number: 1,
            shards: 1,
        };
        let store = Arc::new(Memory::new());
        let node = Node::open(env, store.clone(), registry()).await.expect("opens");
        node.create_app(APP, "secret").await.expect("made");
        let settings: Vec<(String, String)> =
            settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        node.set_app(APP, &settings).await.expect("valid");
        let world = Self { node, store, clock, background };
        world
            .call("im_open_login_svc/multiaccount_import", r#"{"Accounts":["alice","bob"]}"#)
            .await;
        world
    }

    pub(crate) fn set_clock(&self, ms: u64) {
        self.clock.0.store(ms, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.now().seconds()
    }

    /// Waits until nothing is done in the background.
    pub(crate) async fn finish(&self) {
        loop {
            let tasks =
                std::mem::take(&mut *self.background.0.lock().expect("no panic while held"));
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                task.await.expect("no panic in the background");
            }
        }
    }

    pub(crate) async fn tick(&self) {
        self.node.tick().await;
        self.finish().await;
    }

    /// Calls as the administrator; it has to succeed.
    pub(crate) async fn call(&self, path: &str, body: &str) -> Value {
        let admin = Who::Admin(UserId::parse("administrator").expect("valid"));
        let served = self.node.registry().rest(path).expect("served");
        self.run(served.run(self.caller(admin), body)).await.expect("accepted")
    }

    /// Calls as alice, from a client.
    pub(crate) async fn call_as_alice(&self, servcmd: &str, body: &str) -> Result<Value, Error> {
        let now = self.clock.now();
        let identity = Identity {
            user: UserId::parse("alice").expect("valid"),
            tiny_id: TinyId(1),
            inst_id: 1,
            issued: UnixMillis(0),
            expires: UnixSeconds::MAX,
            connection: Connection::new("test".into(), Platform::Web, false, 0, 1 << 20, None, now),
        };
        let served = self.node.registry().gateway(servcmd).expect("served");
        self.run(served.run(self.caller(Who::User(identity)), body)).await
    }

    fn caller(&self, who: Who) -> Caller {
        Caller::new(self.node.clone(), self.node.app(APP).expect("made"), who)
    }

    async fn run(&self, reply: BoxFuture<'static, Result<String, Error>>) -> Result<Value, Error> {
        Ok(serde_json::from_str(&reply.await?).expect("JSON"))
    }

    /// Alice writes to bob; `number` is sequence and random number. Answers with the message's second.
    pub(crate) async fn send(&self, number: u32) -> u32 {
        let body = format!(
            r#"{{"From_Account":"alice","To_Account":"bob","MsgSeq":{number},"MsgRandom":{number},
                "MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"hi"}}}}]}}"#
        );
        let reply = self.call("openim/sendmsg", &body).await;
        u32::try_from(reply["MsgTime"].as_u64().expect("a second")).expect("32 bits")
    }

    /// Imports what alice said to bob.
    pub(crate) async fn import(&self, number: u32, time: UnixSeconds, live: bool) {
        let kind = if live { 5 } else { 2 };
        let body = format!(
            r#"{{"From_Account":"alice","To_Account":"bob","MsgSeq":{number},"MsgRandom":{number},
                "SyncFromOldSystem":{kind},"MsgTimeStamp":{time},
                "MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"hi"}}}}]}}"#
        );
        self.call("openim/importmsg", &body).await;
    }

    /// The numbers of bob's history with alice, oldest first, read by page.
    pub(crate) async fn history(&self) -> Vec<u32> {
        let (mut through, mut last_key) = (u64::from(u32::MAX), String::new());
        let mut numbers = Vec::new();
        loop {
            let body = format!(
                r#"{{"Operator_Account":"bob","Peer_Account":"alice","MaxCnt":7,
                    "MinTime":0,"MaxTime":{through},"LastMsgKey":"{last_key}"}}"#
            );
            let reply = self.call("openim/admin_getroammsg", &body).await;
            let messages = reply["MsgList"].as_array().expect("a list");
            let number = |message: &Value| message["MsgSeq"].as_u64().expect("a number");
            let page = messages.iter().map(|m| u32::try_from(number(m)).expect("32 bits"));
            numbers.splice(0..0, page);
            if reply["Complete"] == 1 {
                return numbers;
            }
            through = reply["LastMsgTime"].as_u64().expect("a second");
            last_key = reply["LastMsgKey"].as_str().expect("a key").to_owned();
        }
    }
}
