//! The log of webhooks: what is dropped when it is full, what is kept and for how long.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;
use support::{APP, START_MS, World};
use teahouse_core::hook::{Endpoints, Post, PostError};

const AFTER_SEND: [(&str, &str); 2] =
    [("webhook.url", "http://app.example/"), ("webhook.commands", "C2C.CallbackAfterSendMsg")];
const HOUR_MS: u64 = 3_600_000;

/// The application's server, which is there or not.
#[derive(Default)]
struct Endpoint {
    up: AtomicBool,
    /// Sequence numbers of the messages that it was told of.
    told: Mutex<Vec<u64>>,
}

impl Endpoint {
    fn told(&self) -> Vec<u64> {
        self.told.lock().expect("no panic while held").clone()
    }

    fn turn(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }
}

impl Endpoints for Endpoint {
    fn post(&self, post: Post) -> BoxFuture<'static, Result<Bytes, PostError>> {
        let answer = if self.up.load(Ordering::Relaxed) {
            let body: Value = serde_json::from_slice(&post.body).expect("JSON");
            let number = body["MsgSeq"].as_u64().expect("a number");
            self.told.lock().expect("no panic while held").push(number);
            Ok(Bytes::from_static(br#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}"#))
        } else {
            Err(PostError::Unreachable("it is down".to_owned()))
        };
        Box::pin(std::future::ready(answer))
    }
}

async fn world(more: &[(&str, &str)]) -> (World, Arc<Endpoint>) {
    let endpoint = Arc::new(Endpoint::default());
    let settings: Vec<_> = AFTER_SEND.iter().chain(more).copied().collect();
    (World::with(&settings, endpoint.clone()).await, endpoint)
}

/// A minute of seconds, from `ms` on.
async fn pass_a_minute(world: &World, ms: u64) {
    for second in 0..60 {
        world.set_clock(ms + second * 1_000);
        world.tick().await;
    }
}

#[tokio::test]
async fn a_full_log_loses_its_oldest_events_and_says_so() {
    let (world, endpoint) = world(&[("webhook.log_mib", "1")]).await;
    let text = "x".repeat(10_000);
    for number in 1..=150 {
        let body = format!(
            r#"{{"From_Account":"alice","To_Account":"bob","MsgSeq":{number},"MsgRandom":1,
                "MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"{text}"}}}}]}}"#
        );
        world.call("openim/sendmsg", &body).await;
    }
    world.finish().await;
    world.tick().await;
    let status = world.node.hook_status(APP).await.expect("there");
    assert!((40..60).contains(&status.dropped), "{status:?}");
    assert!(status.bytes <= 1 << 20 && status.bytes > 1_000_000, "{status:?}");
    assert_eq!((status.events, status.open), (150 - status.dropped, 150 - status.dropped));
    assert_eq!(endpoint.told(), Vec::<u64>::new());

    endpoint.turn(true);
    pass_a_minute(&world, START_MS + 1_000).await;
    let told = endpoint.told();
    let kept: Vec<u64> = (status.dropped + 1..=150).collect();
    // What was under way when it was dropped may be told all the same.
    assert!(told.ends_with(&kept), "{told:?}");
    assert_eq!(world.node.hook_status(APP).await.expect("there").open, 0);
}

#[tokio::test]
async fn what_was_sent_is_kept_for_the_record_and_what_was_not_for_as_long_as_it_takes() {
    let (world, endpoint) = world(&[("webhook.retry_hours", "720")]).await;
    endpoint.turn(true);
    world.send(1).await;
    world.finish().await;
    world.tick().await;
    endpoint.turn(false);
    world.send(2).await;
    world.finish().await;
    let events = async || {
        let status = world.node.hook_status(APP).await.expect("there");
        (status.events, status.open)
    };
    assert_eq!(events().await, (2, 1));
    world.set_clock(START_MS + 72 * HOUR_MS);
    world.tick().await;
    assert_eq!(events().await, (2, 1), "72 hours are not over");
    world.set_clock(START_MS + 72 * HOUR_MS + 1);
    world.tick().await;
    assert_eq!(events().await, (1, 1), "it waits still");
    endpoint.turn(true);
    pass_a_minute(&world, START_MS + 73 * HOUR_MS).await;
    assert_eq!((events().await, endpoint.told()), ((0, 0), vec![1, 2]));
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_written() {
    let (world, _) = world(&[("webhook.url", "")]).await;
    world.send(1).await;
    world.finish().await;
    world.tick().await;
    assert_eq!(world.node.hook_status(APP).await.expect("there").events, 0);
}

#[tokio::test]
async fn a_replay_comes_behind_what_is_there_under_the_same_name() {
    use teahouse_core::hook::Replay;
    let (world, endpoint) = world(&[]).await;
    endpoint.turn(true);
    for number in 1..=3 {
        world.send(number).await;
        world.finish().await;
    }
    world.tick().await;
    assert_eq!(endpoint.told(), [1, 2, 3]);
    let logged = world.node.hook_log(APP, false, 10).await.expect("there");
    let names: Vec<_> = logged.iter().rev().map(|hook| hook.event.clone()).collect();
    let second = Replay::Event(names[1].clone());
    assert_eq!(world.node.replay_hooks(APP, &second).await.expect("there"), 1);
    world.finish().await;
    assert_eq!(endpoint.told(), [1, 2, 3, 2]);
    let all = Replay::Between(START_MS, START_MS + 1_000);
    assert_eq!(world.node.replay_hooks(APP, &all).await.expect("there"), 3);
    world.finish().await;
    assert_eq!(endpoint.told(), [1, 2, 3, 2, 1, 2, 3]);
    let logged = world.node.hook_log(APP, false, 10).await.expect("there");
    assert_eq!(logged[0].event, names[2], "the newest of them is the third again");
    assert!(world.node.replay_hooks(APP, &Replay::Event("7".to_owned())).await.is_err());
}
