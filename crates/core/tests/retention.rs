//! Messages that are older than an app keeps are removed, and no others.

mod support;

use bytes::Bytes;
use support::{APP, DAY_MS, START_MS, World};
use teahouse_proto::error::ErrorCode;
use teahouse_proto::time::UnixMillis;
use teahouse_store::{Direction, Partition, Store};

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

/// The first bytes of the keys of all rows that lie beside messages.
async fn beside(world: &World, alice: u64) -> Vec<u8> {
    let mut families = Vec::new();
    // Bob was made right after alice.
    for bob in alice..alice + 1_000 {
        let name = [b"p", &APP.0.to_be_bytes()[..], &alice.to_be_bytes(), &bob.to_be_bytes()];
        let partition = Partition::new(Bytes::from(name.concat())).expect("a name");
        let (from, to) = (Bytes::from_static(&[0x40]), Bytes::from_static(&[0x46]));
        let rows = world.store.scan(&partition, &from..&to, Direction::Ascending, 100).await;
        families.extend(rows.expect("readable").iter().map(|row| row.key[0]));
    }
    families
}

#[tokio::test]
async fn what_lies_beside_old_messages_goes_with_them() {
    let world = World::new(&[("c2c.history_days", "2")]).await;
    for (number, day) in [(1, 0), (2, 3)] {
        world.set_clock(START_MS + day * DAY_MS);
        let body = format!(
            r#"{{"From_Account":"alice","To_Account":"bob","MsgSeq":{number},"MsgRandom":{number},
                "SupportMessageExtension":1,
                "MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"hi"}}}}]}}"#
        );
        let key = world.call("openim/sendmsg", &body).await["MsgKey"].to_string();
        world.finish().await;
        let named = format!(r#""From_Account":"alice","To_Account":"bob","MsgKey":{key}"#);
        let modify = format!(r#"{{{named},"CloudCustomData":"new"}}"#);
        world.call("openim/modify_c2c_msg", &modify).await;
        let set =
            format!(r#"{{{named},"OperateType":1,"ExtensionList":[{{"Key":"a","Value":"b"}}]}}"#);
        world.call("openim_msg_ext_http_svc/set_key_values", &set).await;
        let react = format!(r#"{{{named},"Reaction":"smile"}}"#);
        let react = world.call_as_alice("openim_msg_ext_http_svc.reaction_add", &react).await;
        react.expect("accepted");
    }
    let body = r#"{"Operator_Account":"bob","Peer_Account":"alice","MaxCnt":1,"MinTime":0,
        "MaxTime":4294967295}"#;
    let last = world.call("openim/admin_getroammsg", body).await["MsgList"][0].clone();
    let alice = last["TinyId"].as_str().expect("text").parse().expect("a number");
    let all = [0x40, 0x40, 0x41, 0x41, 0x43, 0x43, 0x44, 0x44, 0x45, 0x45];
    assert_eq!(beside(&world, alice).await, all);

    world.tick().await;
    assert_eq!(world.history().await, [2]);
    assert_eq!(last["CloudCustomData"], "new");
    // The log has a length of its own.
    assert_eq!(beside(&world, alice).await, [0x40, 0x41, 0x41, 0x43, 0x44, 0x45]);
}
