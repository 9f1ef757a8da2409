//! What the page at `/` is served with: its files, signatures, and the live room that is simulated.

mod support;

use serde_json::{Value, json};
use support::client::{Device, Dial, Gateway};
use support::process::Server;
use support::{App, eventually};
use tempfile::TempDir;

const APP: App = App { id: 1_400_000_002, key: "the key of the app that is tried" };

async fn start(flags: &[&str]) -> (TempDir, Server, Dial) {
    let directory = TempDir::new().expect("a temporary directory");
    let app = APP.argument();
    let all: Vec<&str> = ["--app", &app].iter().chain(flags).copied().collect();
    let server = Server::start(&directory.path().join("data"), &all).await;
    let dial = Dial::plain(server.address);
    (directory, server, dial)
}

async fn ask(dial: &Dial, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, text) = dial.http(method, path, body).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn room(dial: &Dial) -> Value {
    let (status, report) = ask(dial, "GET", "/try/room", Value::Null).await;
    assert_eq!(status, 200, "{report}");
    report
}

#[tokio::test]
async fn only_a_server_for_newcomers_hands_out_signatures() {
    let (_directory, server, dial) = start(&[]).await;
    let (status, info) = ask(&dial, "GET", "/try/info", Value::Null).await;
    assert_eq!((status, &info), (200, &json!({ "dev": false, "version": "0.1.0" })));
    for (method, path) in [("POST", "/try/users"), ("POST", "/try/room"), ("GET", "/try/room")] {
        let (status, _) = ask(&dial, method, path, json!({ "userIds": ["alice"] })).await;
        assert_eq!(status, 404, "{method} {path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn users_log_in_with_the_signatures_of_the_page() {
    let (_directory, server, dial) = start(&["--dev"]).await;
    let (_, info) = ask(&dial, "GET", "/try/info", Value::Null).await;
    assert_eq!(info, json!({ "dev": true, "version": "0.1.0", "sdkAppId": APP.id }));

    let wish = json!({ "userIds": ["alice-x1", "bob-x1"] });
    let (status, users) = ask(&dial, "POST", "/try/users", wish).await;
    assert_eq!(status, 200, "{users}");
    assert_eq!(users["users"][1]["userId"], "bob-x1");
    let shown = json!({ "identifier": "bob-x1", "usersig": users["users"][1]["userSig"] });
    let mut bob = Gateway::open_with(&dial, APP, Device::web("b"), shown).await;
    let reply = bob.wslogin().await;
    assert_eq!(reply["ErrorCode"], 0, "{reply}");
    bob.close().await;

    let admin = &users["admin"];
    assert_eq!(admin["userId"], "administrator");
    let usersig = admin["userSig"].as_str().expect("a signature");
    let path = format!(
        "/v4/im_open_login_svc/account_check?sdkappid={}&identifier=administrator\
         &usersig={usersig}&random=1&contenttype=json",
        APP.id
    );
    let wish = json!({ "CheckItem": [{ "UserID": "bob-x1" }] });
    let (_, checked) = ask(&dial, "POST", &path, wish).await;
    assert_eq!(checked["ResultItem"][0]["AccountStatus"], "Imported", "{checked}");

    let many = json!({ "userIds": ["a", "b", "c", "d", "e"] });
    for bad in [json!({ "userIds": [] }), many, json!({ "userIds": [""] }), json!(["a"])] {
        let (status, _) = ask(&dial, "POST", "/try/users", bad.clone()).await;
        assert_eq!(status, 400, "{bad}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_simulated_room_fills_speaks_changes_and_ends() {
    let (_directory, server, dial) = start(&["--dev"]).await;
    let report = room(&dial).await;
    assert_eq!((&report["groupId"], &report["viewers"]), (&json!(""), &json!(0)));

    let wish =
        |viewers, rate| json!({ "groupId": "live", "viewers": viewers, "messagesPerSecond": rate });
    let (status, report) = ask(&dial, "POST", "/try/room", wish(5, 20)).await;
    assert_eq!((status, &report["groupId"]), (200, &json!("live")), "{report}");
    eventually("all five hear what is said", async || {
        let report = room(&dial).await;
        let heard = report["delivered"].as_u64()? >= 25 && report["offered"].as_u64()? >= 5;
        let is_timed = report["latencyMs"]["p99"].as_f64()? > 0.0;
        (report["connected"] == 5 && heard && is_timed).then_some(())
    })
    .await;
    let groups = json!({ "GroupIdList": ["live"] });
    let group = dial.rest_ok(APP, "group_open_http_svc/get_group_info", &groups).await;
    assert_eq!(group["GroupInfo"][0]["Type"], "AVChatRoom", "{group}");

    let before = room(&dial).await["delivered"].as_u64().expect("a number");
    let (_, report) = ask(&dial, "POST", "/try/room", wish(2, 100_000)).await;
    assert_eq!((&report["viewers"], &report["messagesPerSecond"]), (&json!(2), &json!(200)));
    assert!(report["delivered"].as_u64().expect("a number") >= before, "the counts go on");
    eventually("three leave", async || (room(&dial).await["connected"] == 2).then_some(())).await;
    // Far more than a room lets through.
    eventually("something is dropped", async || {
        (room(&dial).await["dropped"].as_u64()? > 0).then_some(())
    })
    .await;

    let (_, report) = ask(&dial, "POST", "/try/room", wish(0, 0)).await;
    assert_eq!((&report["viewers"], &report["connected"]), (&json!(0), &json!(0)));
    assert_eq!(room(&dial).await["groupId"], "", "nothing runs any more");
    // It may also run when the server is stopped.
    let (status, _) = ask(&dial, "POST", "/try/room", wish(3, 10)).await;
    assert_eq!(status, 200);
    server.stop().await;
}

#[tokio::test]
async fn the_page_is_there_and_names_the_way_if_it_was_not_built() {
    let (_directory, server, dial) = start(&[]).await;
    let (status, page) = dial.http("GET", "/", String::new()).await;
    assert_eq!(status, 200);
    assert!(page.contains("<title>Teahouse") || page.contains("make web"), "{page}");
    for missing in ["/assets/none.js", "/assets/", "/assets/../index.html"] {
        assert_eq!(dial.http("GET", missing, String::new()).await.0, 404, "{missing}");
    }
    server.stop().await;
}
