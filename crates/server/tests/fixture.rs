//! Data of earlier formats: `fixtures/format-1.teahouse` was written by a server of format 1, and every
//! later version has to open it and show what went in. `fixtures/README.md` says how it was made.

#[path = "fixtures/format_1.rs"]
mod format_1;
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::client::{Device, Dial, Gateway};
use support::process::{self, Server};
use support::{App, eventually};
use teahouse_store::family;
use teahouse_store::stream::{Element, StreamReader};
use tempfile::TempDir;

use crate::format_1::{Pace, TEA};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A new directory with the fixture's data in it.
async fn imported() -> (TempDir, PathBuf) {
    let directory = TempDir::new().expect("a temporary directory");
    let data = directory.path().join("data");
    let file = fixture("format-1.teahouse");
    let (data_flag, in_flag) = ("--data".as_ref(), "--in".as_ref());
    process::succeed(&["import".as_ref(), data_flag, data.as_ref(), in_flag, file.as_ref()]).await;
    (directory, data)
}

/// What the script leaves in a new server, as an exported file.
async fn exported(directory: &Path, pace: Pace) -> (PathBuf, Value) {
    let data = directory.join("data");
    let arguments = format_1::arguments();
    let server = Server::start(&data, &arguments.each_ref().map(String::as_str)).await;
    let known = format_1::fill(&server, pace).await;
    let file = directory.join("exported");
    let (data_flag, out_flag) = ("--data".as_ref(), "--out".as_ref());
    process::succeed(&["export".as_ref(), data_flag, data.as_ref(), out_flag, file.as_ref()]).await;
    server.stop().await;
    (file, known)
}

/// Makes the fixture anew when `WRITE_FIXTURE` is 1. That is for a change of the script only: a format
/// that was released is what later versions have to open.
async fn write_fixture() {
    let directory = TempDir::new().expect("a temporary directory");
    let (file, known) = exported(directory.path(), Pace::OverSeconds).await;
    std::fs::copy(file, fixture("format-1.teahouse")).expect("the fixture can be written");
    let (_imported, data) = imported().await;
    let server = Server::start(&data, &[]).await;
    let seen = format_1::observe(&server, &known).await;
    server.stop().await;
    let all = serde_json::to_string_pretty(&json!({ "known": known, "seen": seen }));
    let all = all.expect("values are JSON") + "\n";
    std::fs::write(fixture("format-1.json"), all).expect("the observation can be written");
}

#[tokio::test]
async fn data_of_format_1_is_all_there() {
    if std::env::var("WRITE_FIXTURE").is_ok_and(|set| set == "1") {
        write_fixture().await;
    }
    let text = std::fs::read_to_string(fixture("format-1.json")).expect("the observation is there");
    let expected: Value = serde_json::from_str(&text).expect("the observation is JSON");
    check_observation(&expected["seen"]);

    let (_directory, data) = imported().await;
    let server = Server::start(&data, &[]).await;
    let seen = format_1::observe(&server, &expected["known"]).await;
    let mut missing = Vec::new();
    compare(&expected["seen"], &seen, "seen", &mut missing);
    assert!(missing.is_empty(), "{} differences:\n{}", missing.len(), missing.join("\n"));
    life_goes_on(&server, second_of(&seen, 14)).await;
    server.stop().await;
}

/// What the file of expectations has to say, whatever it was made by.
fn check_observation(seen: &Value) {
    assert_eq!(seen["revoked_usersig"], 70_052);
    let sessions = &seen["sessions"];
    let outcome = |name: &str| sessions[name]["ErrorCode"].as_i64().expect("an outcome");
    assert_eq!(outcome("alice, in the second browser"), 0);
    assert_eq!(outcome("alice, on a phone that lost its connection"), 0);
    assert_ne!(outcome("alice, displaced by a second browser"), 0);
    assert_ne!(outcome("bob, logged out"), 0);
    assert_ne!(outcome("carol, before she is kicked"), 0);
    assert_ne!(outcome("erin, before her account is deleted"), 0);
    assert_ne!(outcome("dave, before his account is deleted and made again"), 0);

    let seqs = |history: &str| -> Vec<u64> {
        let messages = seen["tea"]["histories"][history].as_array();
        let seq = |message: &Value| message["MsgSeq"].as_u64().expect("a number");
        messages.into_iter().flatten().map(seq).collect()
    };
    assert_eq!(seqs("alice with bob"), [1, 2, 3, 4, 5, 7, 8, 9], "6 is hidden from its sender");
    assert_eq!(seqs("bob with alice"), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!((seqs("alice with carol"), seqs("carol with alice")), (vec![], vec![20, 21]));
    assert_eq!((seqs("alice with frank"), seqs("bob with carol")), (vec![22, 23], vec![25]));
    assert_eq!((seqs("alice with dave"), seqs("dave with alice")), (vec![26], vec![]));
    assert_eq!((seqs("bob with erin"), seqs("dave with bob")), (vec![27], vec![28]));
    assert_eq!(seqs("alice with alice"), [10]);
    assert_eq!(seqs("grace with bob"), [11, 12, 13, 14, 15, 16]);
    assert!(second_of(seen, 14) < second_of(seen, 15), "written over several seconds");

    let lists = &seen["tea"]["lists"];
    let unread = |user: &str| -> Vec<(String, u64)> {
        let items = lists[user]["conversations"].as_array().expect("a list").iter();
        let item = |item: &Value| {
            let peer = item["To_Account"].as_str().expect("a peer").to_owned();
            (peer, item["UnreadMsgCount"].as_u64().expect("a count"))
        };
        let mut unread: Vec<_> = items.map(item).collect();
        unread.sort();
        unread
    };
    let counts = |counts: &[(&str, u64)]| -> Vec<(String, u64)> {
        counts.iter().map(|(peer, count)| ((*peer).to_owned(), *count)).collect()
    };
    let alices = counts(&[("alice", 0), ("bob", 1), ("dave", 1), ("frank", 1)]);
    assert_eq!(unread("alice"), alices, "not carol");
    assert_eq!(
        unread("bob"),
        counts(&[("alice", 3), ("carol", 1), ("dave", 0), ("erin", 1), ("grace", 2)])
    );
    assert_eq!(unread("grace"), counts(&[("bob", 3)]));
}

/// When Bob or Grace wrote the message with this sequence number.
fn second_of(seen: &Value, seq: u64) -> u64 {
    let messages = seen["tea"]["histories"]["grace with bob"].as_array().expect("a history");
    let message = messages.iter().find(|message| message["MsgSeq"] == seq).expect("the message");
    message["MsgTimeStamp"].as_u64().expect("a second")
}

/// Imported data is data: it can be added to and taken from. `second`: of Bob's last message but one to
/// Grace.
async fn life_goes_on(server: &Server, second: u64) {
    let dial = Dial::plain(server.address);
    let mut grace = Gateway::login(&dial, TEA, Device::web("another-browser"), "grace").await;
    let item = json!({ "To_Account": "bob", "LastedMsgTime": second });
    let marks = json!({ "C2CMsgReaded": { "C2CMsgReadedItem": [item] } });
    grace.ask_ok("openim.msgreaded", &marks).await;
    let unread = grace.ask_ok("openim.getmsg", &json!({ "Cookie": "", "SyncFlag": 0 })).await;
    let one = json!([{ "From_Account": "bob", "UnreadCount": 1 }]);
    assert_eq!(unread["C2CPairUnreadCount"], one, "15 came later");

    let before = accounts(server, TEA).await;
    let grace = json!({ "DeleteItem": [{ "UserID": "grace" }] });
    dial.rest_ok(TEA, "im_open_login_svc/account_delete", &grace).await;
    eventually("a deleted account is not counted", async || {
        (accounts(server, TEA).await == before - 1).then_some(())
    })
    .await;
    let body = json!([{ "MsgType": "TIMTextElem", "MsgContent": { "Text": "and on" } }]);
    let message =
        json!({ "From_Account": "carol", "To_Account": "alice", "MsgRandom": 1, "MsgBody": body });
    dial.rest_ok(TEA, "openim/sendmsg", &message).await;
    let history = json!({
        "Operator_Account": "alice", "Peer_Account": "carol", "MaxCnt": 100,
        "MinTime": 0, "MaxTime": u32::MAX,
    });
    let history = dial.rest_ok(TEA, "openim/admin_getroammsg", &history).await;
    assert_eq!(history["MsgCnt"], 1, "what was cleared stays so: {history}");
}

async fn accounts(server: &Server, app: App) -> u64 {
    let shown = server.ctl(&["app", "show", &app.id.to_string()]).await;
    let count = shown.lines().find_map(|line| line.strip_prefix("accounts"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("{shown}"))
}

/// Notes where `found` lacks something of `expected`. More fields are fine: later versions answer more.
fn compare(expected: &Value, found: &Value, path: &str, missing: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, value) in expected {
                let other = found.get(name).unwrap_or(&Value::Null);
                compare(value, other, &format!("{path}.{name}"), missing);
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (value, other)) in expected.iter().zip(found).enumerate() {
                compare(value, other, &format!("{path}.{index}"), missing);
            }
        }
        _ if expected == found => {}
        _ => missing.push(format!("{path}: expected {expected}, found {found}")),
    }
}

/// Not everything that is stored can be seen from outside at any time: a day's directory is read when the
/// day is over, an offline time until it has passed. So what the script makes today's server write has to
/// use every partition, key family and field that it made the server of format 1 write.
#[tokio::test]
async fn todays_rows_have_the_fields_of_format_1() {
    let directory = TempDir::new().expect("a temporary directory");
    let (file, _) = exported(directory.path(), Pace::Quick).await;
    let (then, now) = (shape(&fixture("format-1.teahouse")), shape(&file));
    assert!(then.len() > 70, "a fixture with little in it: {then:?}");
    let lost: Vec<_> = then.difference(&now).collect();
    assert!(lost.is_empty(), "format 1 has these, today's server did not write them: {lost:#?}");
}

/// Fields that are messages themselves: a profile's values, a user's devices, the sides of a pair.
const NESTED: [&str; 4] = [
    "u 0x11 field 1",
    "u 0x12 field 1",
    "p of 21 bytes 0x10 field 3",
    "p of 21 bytes 0x10 field 4",
];

/// Kind of partition, family of key, number and wire type of field and length of number, of all that is in
/// a stream. Jobs are left out: they may be there or already done.
fn shape(file: &Path) -> BTreeSet<String> {
    let mut file = std::fs::File::open(file).expect("an exported file");
    let mut reader = StreamReader::new(&mut file).expect("a stream");
    let mut shape = BTreeSet::new();
    let mut kind = String::new();
    while let Some(element) = reader.next().expect("a sound stream") {
        match element {
            Element::Partition(partition, _) => kind = kind_of(partition.as_bytes()),
            Element::Row(row) if row.key[0] == family::OUTBOX => {}
            Element::Row(row) => {
                add_shape(&format!("{kind} {:#x}", row.key[0]), &row.value, &mut shape);
            }
        }
    }
    shape
}

fn add_shape(name: &str, message: &[u8], shape: &mut BTreeSet<String>) {
    shape.insert(name.to_owned());
    for Field { number, wire_type, value } in fields(message) {
        let name = format!("{name} field {number}");
        // A count, a second, a millisecond and an account's number differ in length, so that two fields of
        // one type that change places are noticed too.
        let length = if wire_type == VARINT { value.len() } else { 0 };
        shape.insert(format!("{name} as {wire_type} {length}"));
        if NESTED.contains(&name.as_str()) {
            add_shape(&name, value, shape);
        }
    }
}

/// Users are named by people and so have names of any length; directories come in two kinds.
fn kind_of(name: &[u8]) -> String {
    let kind = char::from(name[0]);
    match kind {
        'u' => kind.to_string(),
        'd' => format!("{kind}{} of {} bytes", name[5], name.len()),
        _ => format!("{kind} of {} bytes", name.len()),
    }
}

/// Wire types of protobuf.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED_32: u64 = 5;

/// A field of a protobuf message, its value as encoded.
struct Field<'a> {
    number: u64,
    wire_type: u64,
    value: &'a [u8],
}

fn fields(mut message: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = number(take_varint(&mut message));
        let (number_of_field, wire_type) = (tag >> 3, tag & 7);
        let value = match wire_type {
            VARINT => take_varint(&mut message),
            FIXED_64 => take(&mut message, 8),
            FIXED_32 => take(&mut message, 4),
            LENGTH => {
                let length = number(take_varint(&mut message));
                take(&mut message, usize::try_from(length).expect("a length"))
            }
            other => panic!("wire type {other}"),
        };
        fields.push(Field { number: number_of_field, wire_type, value });
    }
    fields
}

fn take<'a>(message: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = message.split_at(length);
    *message = rest;
    taken
}

fn take_varint<'a>(message: &mut &'a [u8]) -> &'a [u8] {
    let last = message.iter().position(|byte| byte & 0x80 == 0).expect("a whole message");
    take(message, last + 1)
}

fn number(varint: &[u8]) -> u64 {
    varint.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
}
