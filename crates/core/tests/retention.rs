//! Messages that are older than an app keeps are removed, and no others.

mod support;

use support::{DAY_MS, START_MS, World};
use teahouse_proto::error::ErrorCode;
use teahouse_proto::time::UnixMillis;

#[tokio::test]
async fn old_messages_go_and_younger_ones_stay() {
    let world = World::new(&[("c2c.history_days", "2")]).await;
    for day in 0..4_u32 {
        world.set_clock(START_MS + u64::from(day) * DAY_MS);
        world.send(day + 1).await;
        world.finish().await;
    }
    world.tick().await;
    assert_eq!(world.history().await, [2, 3, 4], "two whole days are kept beside the present one");

    world.set_clock(START_MS + 9 * DAY_MS);
    world.tick().await;
    assert_eq!(world.history().await, [0_u32; 0], "days on which nobody looked are made up for");

    world.send(5).await;
    assert_eq!(world.history().await, [5]);
}

#[tokio::test]
async fn what_is_imported_into_the_past_goes_with_its_own_day() {
    let world = World::new(&[("c2c.history_days", "2")]).await;
    world.set_clock(START_MS + 5 * DAY_MS + 1_000);
    world.tick().await;
    world.send(9).await;
    for (number, day) in [(5, 5), (4, 4), (3, 3), (1, 1)] {
        let time = UnixMillis(START_MS + day * DAY_MS).seconds();
        world.import(number, time, false).await;
    }
    assert_eq!(world.history().await, [1, 3, 4, 5, 9]);
    world.finish().await;

    world.set_clock(START_MS + 6 * DAY_MS);
    world.tick().await;
    assert_eq!(world.history().await, [4, 5, 9], "what was too old already goes with the next day");
    world.set_clock(START_MS + 7 * DAY_MS);
    world.tick().await;
    assert_eq!(world.history().await, [5, 9]);
    world.set_clock(START_MS + 8 * DAY_MS);
    world.tick().await;
    assert_eq!(world.history().await, [0_u32; 0]);
}

#[tokio::test]
async fn a_merged_list_is_kept_as_long_as_any_message_that_may_name_it() {
    let world = World::new(&[("c2c.history_days", "2"), ("group.history_days", "4")]).await;
    let list = r#"{"MsgList":[{"From_Account":"alice"}]}"#;
    let saved = world.call_as_alice("im_long_msg.save_relay_json_msg", list).await;
    let key = saved.expect("accepted")["JsonMsgKey"].to_string();
    let load = || async {
        let body = format!(r#"{{"JsonMsgKey":{key}}}"#);
        let loaded = world.call_as_alice("im_long_msg.get_relay_json_msg", &body).await;
        loaded.map(|reply| reply["MsgList"].to_string()).map_err(|error| error.code)
    };
    world.set_clock(START_MS + 4 * DAY_MS);
    world.tick().await;
    assert_eq!(load().await.as_deref(), Ok(r#"[{"From_Account":"alice"}]"#));
    world.set_clock(START_MS + 5 * DAY_MS);
    world.tick().await;
    assert_eq!(load().await, Err(ErrorCode::MessageUnknown));
}
