//! Imports between sends: the history is in the order of its seconds, and nothing else is disturbed.

mod support;

use support::{Dice, START_MS, World};
use teahouse_proto::time::UnixSeconds;

/// What a conversation should be, by the simplest means.
#[derive(Default)]
struct Model {
    /// Second, number, and whether it counts; in the order of arrival.
    messages: Vec<(u32, u32, bool)>,
    read_time: u32,
    read: usize,
}

impl Model {
    fn last_time(&self) -> u32 {
        self.messages.iter().map(|(time, ..)| *time).max().unwrap_or(0)
    }

    fn history(&self) -> Vec<u32> {
        let mut sorted = self.messages.clone();
        // A stable sort: within a second, by arrival.
        sorted.sort_by_key(|(time, ..)| *time);
        sorted.into_iter().map(|(_, number, _)| number).collect()
    }

    fn counted(&self, through: u32) -> usize {
        self.messages.iter().filter(|(time, _, counts)| *counts && *time <= through).count()
    }

    fn mark_read(&mut self, time: u32) {
        let time = time.min(self.last_time());
        if time >= self.read_time {
            self.read_time = time;
            self.read = self.read.max(self.counted(time));
        }
    }

    fn unread(&self) -> usize {
        self.counted(u32::MAX) - self.read
    }
}

async fn unread(world: &World) -> usize {
    let reply = world.call("openim/get_c2c_unread_msg_num", r#"{"To_Account":"bob"}"#).await;
    usize::try_from(reply["AllC2CUnreadMsgNum"].as_u64().expect("a number")).expect("small")
}

async fn listed_time(world: &World) -> u64 {
    let body = r#"{"From_Account":"bob","TimeStamp":0,"StartIndex":0,
        "TopTimeStamp":0,"TopStartIndex":0,"AssistFlags":15}"#;
    let reply = world.call("recentcontact/get_list", body).await;
    reply["SessionItem"][0]["MsgTime"].as_u64().expect("a second")
}

#[tokio::test]
async fn whatever_comes_in_whatever_order_history_counts_and_list_are_right() {
    const STEPS: u32 = 60;
    for seed in 0..24 {
        let (world, mut model, mut dice) = (World::new(&[]).await, Model::default(), Dice(seed));
        let mut now_ms = START_MS;
        for number in 1..=STEPS {
            now_ms += u64::from(dice.below(3)) * 1_000;
            world.set_clock(now_ms);
            match dice.below(6) {
                0 | 1 => {
                    let time = world.send(number).await;
                    model.messages.push((time, number, true));
                }
                2..=4 => {
                    let live = dice.below(2) == 0;
                    let time = world.now().0 - 40 + dice.below(45);
                    let is_newest = time >= model.last_time();
                    world.import(number, UnixSeconds(time), live).await;
                    // The same again changes nothing.
                    world.import(number, UnixSeconds(time), !live).await;
                    model.messages.push((time, number, live && is_newest));
                }
                _ => {
                    let time = world.now().0 - dice.below(45);
                    let body = format!(
                        r#"{{"Report_Account":"bob","Peer_Account":"alice","MsgReadTime":{time}}}"#
                    );
                    world.call("openim/admin_set_msg_read", &body).await;
                    model.mark_read(time);
                }
            }
            assert_eq!(unread(&world).await, model.unread(), "seed {seed}, step {number}");
        }
        assert_eq!(world.history().await, model.history(), "seed {seed}");
        assert_eq!(listed_time(&world).await, u64::from(model.last_time()), "seed {seed}");
    }
}

#[tokio::test]
async fn the_same_import_at_the_same_time_is_stored_once() {
    let world = World::new(&[]).await;
    let time = world.now();
    let imports = (0..8).map(|_| world.import(1, time, true));
    futures_util::future::join_all(imports).await;
    assert_eq!(world.history().await, [1]);
    assert_eq!(unread(&world).await, 1);
}
