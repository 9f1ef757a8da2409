//! Imports into a group between sends and marks: the history is in the order of its seconds, and what is unread is what
//! the simplest means say.

mod support;

use serde_json::{Value, json};
use support::{Dice, START_MS, World};

/// What alice has of the group, by the simplest means.
#[derive(Default)]
struct Model {
    /// By number, from 1: second, text, and whether it counts for her.
    messages: Vec<(u32, u32, bool)>,
    read: u64,
    /// What she has not read because it was said so: that many, up to this number.
    said: (u64, u64),
}

impl Model {
    fn last(&self) -> u64 {
        self.messages.len() as u64
    }

    fn last_time(&self) -> u32 {
        self.messages.last().map_or(0, |(time, ..)| *time)
    }

    fn import(&mut self, time: u32, text: u32) {
        self.messages.push((time, text, false));
        self.said = (0, 0);
    }

    fn mark(&mut self, seq: u64) {
        if seq > self.read {
            self.read = seq;
            self.said.0 = self.said.0.min(self.said.1.saturating_sub(seq));
        }
    }

    /// All of it is said to be read, but for the last.
    fn set_unread(&mut self, count: u64) {
        let count = count.min(self.last());
        self.read = self.last() - count;
        self.messages.iter_mut().for_each(|(.., counts)| *counts = false);
        self.said = (count, self.last());
    }

    fn unread(&self) -> u64 {
        let since = self.messages.iter().skip(usize::try_from(self.read).expect("few"));
        since.filter(|(.., counts)| *counts).count() as u64 + self.said.0
    }
}

async fn import(world: &World, time: u32, text: u32) -> Value {
    let body = json!({
        "GroupId": "tea", "RecentContactFlag": 1,
        "MsgList": [{
            "From_Account": "bob", "SendTime": time, "Random": text,
            "MsgBody": [{ "MsgType": "TIMTextElem", "MsgContent": { "Text": text.to_string() } }],
        }],
    });
    let reply = world.call("group_open_http_svc/import_group_msg", &body.to_string()).await;
    reply["ImportMsgResult"][0].clone()
}

async fn send(world: &World, from: &str, text: u32) -> Value {
    let body = json!({
        "GroupId": "tea", "From_Account": from, "Random": text,
        "MsgBody": [{ "MsgType": "TIMTextElem", "MsgContent": { "Text": text.to_string() } }],
    });
    world.call("group_open_http_svc/send_group_msg", &body.to_string()).await
}

/// What alice's list says of the group.
async fn unread(world: &World) -> u64 {
    let body = r#"{"From_Account":"alice","TimeStamp":0,"StartIndex":0,"TopTimeStamp":0,"TopStartIndex":0,
        "OrderType":1,"MsgAssistFlags":15,"AssistFlags":31}"#;
    let reply = world.call_as_alice("recentcontact.page_get", body).await.expect("accepted");
    reply["SessionItem"][0]["UnreadMsgCount"].as_u64().unwrap_or_default()
}

async fn history(world: &World, last: u64) -> Vec<u32> {
    let mut newest_first = Vec::new();
    let mut through = last;
    while through > 0 {
        let body = format!(r#"{{"GroupId":"tea","ReqMsgNumber":20,"ReqMsgSeq":{through}}}"#);
        let reply = world.call("group_open_http_svc/group_msg_get_simple", &body).await;
        for message in reply["RspMsgList"].as_array().expect("a list") {
            let text = message["MsgBody"][0]["MsgContent"]["Text"].as_str().expect("a text");
            newest_first.push(text.parse().expect("a number"));
        }
        through = through.saturating_sub(20);
    }
    newest_first.reverse();
    newest_first
}

async fn with_group() -> World {
    let world = World::new(&[("group.messages_per_second", "1000000")]).await;
    let body = r#"{"Type":"Public","GroupId":"tea","Name":"Tea","Owner_Account":"alice","CreateTime":1600000000}"#;
    world.call("group_open_http_svc/import_group", body).await;
    world
}

#[tokio::test]
async fn whatever_comes_in_whatever_order_history_and_unread_are_right() {
    const STEPS: u32 = 80;
    for seed in 0..24 {
        let (world, mut model, mut dice) = (with_group().await, Model::default(), Dice(seed));
        let mut now_ms = START_MS;
        for step in 1..=STEPS {
            now_ms += u64::from(dice.below(3)) * 1_000;
            world.set_clock(now_ms);
            let now = world.now().0;
            match dice.below(8) {
                choice @ (0 | 1) => {
                    let from = ["alice", "bob"][choice as usize];
                    let sent = send(&world, from, step).await;
                    let time = u32::try_from(sent["MsgTime"].as_u64().expect("a second"));
                    model.messages.push((time.expect("32 bits"), step, from == "bob"));
                    assert_eq!(sent["MsgSeq"], model.last());
                }
                2..=4 => {
                    let time = now - 5 + dice.below(8);
                    let first = import(&world, time, step).await;
                    // The same again is there already, or is refused again.
                    assert_eq!(import(&world, time, step).await, first, "seed {seed}, step {step}");
                    if time >= model.last_time() {
                        model.import(time, step);
                        assert_eq!(first["MsgSeq"], model.last(), "seed {seed}, step {step}");
                    } else {
                        assert_eq!(first["Result"], 10_004, "seed {seed}, step {step}");
                    }
                }
                5 | 6 => {
                    let seq = u64::from(dice.below(STEPS)).min(model.last());
                    let body = format!(r#"{{"GroupId":"tea","MsgReadedSeq":{seq}}}"#);
                    let command = "group_open_http_svc.msg_read_report";
                    world.call_as_alice(command, &body).await.expect("accepted");
                    model.mark(seq);
                }
                _ => {
                    let count = u64::from(dice.below(10));
                    let body = format!(
                        r#"{{"GroupId":"tea","Member_Account":"alice","UnreadMsgNum":{count}}}"#
                    );
                    world.call("group_open_http_svc/set_unread_msg_num", &body).await;
                    model.set_unread(count);
                }
            }
            assert_eq!(unread(&world).await, model.unread(), "seed {seed}, step {step}");
            if dice.below(10) == 0 {
                // Marks are saved, and nothing changes by that.
                world.tick().await;
            }
        }
        let texts: Vec<u32> = model.messages.iter().map(|(_, text, _)| *text).collect();
        assert_eq!(history(&world, model.last()).await, texts, "seed {seed}");
    }
}

#[tokio::test]
async fn the_same_import_at_the_same_time_is_stored_once() {
    let world = with_group().await;
    let time = world.now().0;
    let imports = (0..8).map(|_| import(&world, time, 1));
    let results = futures_util::future::join_all(imports).await;
    assert!(results.iter().all(|result| result["MsgSeq"] == 1), "{results:?}");
    assert_eq!(history(&world, 2).await, [1]);
}
