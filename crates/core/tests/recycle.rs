//! Groups in which nothing happens are dismissed where an app wants that, and nowhere else.

mod support;

use support::{DAY_MS, START_MS, World};

async fn make(world: &World, id: &str, kind: &str) {
    let body = format!(
        r#"{{"Type":"{kind}","GroupId":"{id}","Name":"Tea","Owner_Account":"alice","MemberList":[]}}"#
    );
    world.call("group_open_http_svc/create_group", &body).await;
}

async fn say(world: &World, id: &str, random: u32) {
    let body = format!(
        r#"{{"GroupId":"{id}","Random":{random},
            "MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"hi"}}}}]}}"#
    );
    world.call("group_open_http_svc/send_group_msg", &body).await;
}

/// Ids of the groups that are there.
async fn groups(world: &World) -> Vec<String> {
    let listed = world.call("group_open_http_svc/get_appid_group_list", "{}").await;
    let ids = listed["GroupIdList"].as_array().expect("a list").iter();
    let mut ids: Vec<String> =
        ids.map(|group| group["GroupId"].as_str().expect("text").to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_group_in_which_nothing_happens_goes() {
    let world = World::new(&[("group.recycle_idle_days", "2")]).await;
    world.set_clock(START_MS);
    for (id, kind) in [("idle", "Public"), ("said", "Private"), ("edited", "ChatRoom")] {
        make(&world, id, kind).await;
    }
    make(&world, "live", "AVChatRoom").await;
    world.finish().await;

    world.set_clock(START_MS + DAY_MS);
    say(&world, "said", 1).await;
    let edit = r#"{"GroupId":"edited","Name":"Green tea"}"#;
    world.call("group_open_http_svc/modify_group_base_info", edit).await;
    world.set_clock(START_MS + 2 * DAY_MS);
    world.tick().await;
    assert_eq!(groups(&world).await, ["edited", "idle", "live", "said"], "not yet");

    world.set_clock(START_MS + 2 * DAY_MS + 3_600_000);
    world.tick().await;
    assert_eq!(groups(&world).await, ["edited", "live", "said"]);
    world.set_clock(START_MS + 9 * DAY_MS);
    world.tick().await;
    assert_eq!(groups(&world).await, ["live"], "of live rooms nobody knows");
}

#[tokio::test]
async fn nothing_goes_by_itself() {
    let world = World::new(&[]).await;
    world.set_clock(START_MS);
    make(&world, "idle", "Public").await;
    world.set_clock(START_MS + 1_000 * DAY_MS);
    world.tick().await;
    assert_eq!(groups(&world).await, ["idle"]);
}
