//! How long a sender may withdraw a message.

mod support;

use support::{START_MS, World};
use teahouse_proto::error::ErrorCode;

async fn withdraw_after(world: &World, number: u32, ms: u64) -> Option<ErrorCode> {
    world.set_clock(START_MS);
    let time = world.send(number).await;
    world.finish().await;
    world.set_clock(START_MS + ms);
    let body = format!(
        r#"{{"MsgInfo":{{"From_Account":"alice","To_Account":"bob","MsgSeq":{number},
            "MsgRandom":{number},"MsgTimeStamp":{time}}}}}"#
    );
    let answer = world.call_as_alice("openim.msgwithdraw", &body).await;
    answer.err().map(|error| error.code)
}

#[tokio::test]
async fn a_message_may_be_withdrawn_for_two_minutes() {
    let world = World::new(&[]).await;
    assert_eq!(withdraw_after(&world, 1, 0).await, None);
    assert_eq!(withdraw_after(&world, 2, 120_999).await, None);
    assert_eq!(withdraw_after(&world, 3, 121_000).await, Some(ErrorCode::RecallTooLate));
}

#[tokio::test]
async fn the_app_says_how_long() {
    let world = World::new(&[("c2c.withdraw_s", "0")]).await;
    assert_eq!(withdraw_after(&world, 1, 999).await, None);
    assert_eq!(withdraw_after(&world, 2, 1_000).await, Some(ErrorCode::RecallTooLate));
}
