//! Entry points shared by the fuzz targets and the corpus replay test: one per decoder.
//!
//! Each takes arbitrary bytes, feeds them to its decoder, and asserts what must hold for whatever
//! comes out: above all, that what was read and written again reads as the same. None returns
//! anything; a broken promise is a panic.

use serde_json::value::RawValue;

use crate::fields::Fields;
use crate::frame::{self, ConnectQuery, Request};
use crate::ids::{GroupId, MsgKey, SdkAppId, TinyId, UserId};
use crate::message::{
    CallbackControl, Element, MergedList, MessageBody, OfflinePushInfo, SendControl,
};
use crate::time::UnixSeconds;
use crate::usersig::{self, SignRequest, UserSigError};

/// The size limit of a message with the default settings, in bytes.
const BODY_BYTES_MAX: usize = 12 * 1024;

/// [`Request::parse`]: a request written again is the same request, and its reply echoes it.
pub fn frame_request(data: &[u8]) {
    let Ok(request) = Request::parse(data) else { return };
    let written = format!(
        r#"{{"body":{},"head":{{"servcmd":{},"seq":{},"sdkappid":{},"identifier":{},"usersig":{},"a2":{},"tinyid":{},"status_instid":{},"platform":{}}}}}"#,
        request.body,
        json(&request.servcmd),
        request.seq,
        request.sdkappid,
        json(&request.identifier),
        json(&request.usersig),
        json(&request.a2),
        json(&request.tinyid),
        request.status_instid,
        request.platform.number(),
    );
    let again = Request::parse(written.as_bytes()).expect("our own frame parses");
    assert_eq!(format!("{request:?}"), format!("{again:?}"));

    let reply = frame::reply(&request.servcmd, request.seq, request.body.get());
    let echoed = Request::parse(&reply).expect("a reply has the form of a request");
    assert_eq!((&echoed.servcmd, echoed.seq), (&request.servcmd, request.seq));
    assert_eq!(echoed.body.get(), request.body.get());
    if let Some(compressed) = frame::compress(&reply) {
        assert!(compressed.len() < reply.len());
        assert_eq!(frame::decompress(&compressed, reply.len()).as_deref(), Some(&*reply));
    }
    fields(request.body.get().as_bytes());
}

/// [`ConnectQuery::parse`]: texts stay within their bounds and survive being written again.
pub fn connect_query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(query) = ConnectQuery::parse(text) else { return };
    assert!(query.instance_id.len() <= ConnectQuery::TEXT_BYTES_MAX);
    assert!(query.sdk_version.len() <= ConnectQuery::TEXT_BYTES_MAX);
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let written = format!(
        "compress={}&platform={}&instanceid={}&sdkversion={}&sdkappid={}",
        if query.compress { "gzip" } else { "" },
        query.platform.number(),
        encode(&query.instance_id),
        encode(&query.sdk_version),
        query.sdkappid
    );
    assert_eq!(ConnectQuery::parse(&written), Ok(query));
}

/// [`usersig::decode`] and [`usersig::verify`]: nothing is let in without the key, and what is signed
/// with it is let in.
///
/// The input is a ticket; past the compression, which no fuzzer gets through, the JSON of one when it
/// looks like an object, else a user to sign a ticket for.
pub fn usersig(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    unsigned_ticket(text);
    if text.starts_with('{') {
        unsigned_ticket(&usersig::pack(data));
    } else {
        signed_ticket(text);
    }
}

const APP: SdkAppId = SdkAppId(1_400_000_000);
const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

fn unsigned_ticket(sig: &str) {
    let Ok(ticket) = usersig::decode(sig) else { return };
    assert!(!ticket.identifier.contains('\n'));
    let refused = usersig::verify(sig, APP, &ticket.identifier, &["not the key"], NOW);
    assert!(matches!(refused, Err(UserSigError::OtherApp | UserSigError::Mismatch)));
}

fn signed_ticket(user: &str) {
    let request = SignRequest {
        app: APP,
        user,
        key: "key",
        now: NOW,
        expire_s: user.len() as u64 + 1,
        userbuf: (!user.is_empty()).then_some(user.as_bytes()),
    };
    match usersig::verify(&usersig::sign(&request), APP, user, &["other", "key"], NOW) {
        Ok(verified) => assert_eq!(verified.issued_at, NOW),
        // What cannot be read back is too long or breaks the line.
        Err(error) => {
            assert_eq!(error, UserSigError::Malformed);
            assert!(user.contains('\n') || user.len() > 1024, "{user:?}");
        }
    }
}

/// [`MessageBody::parse`]: an accepted body keeps its value, its bounds, and parses to itself.
pub fn message_body(data: &[u8]) {
    let Some(raw) = raw_json(data) else { return };
    if let Ok(stored) = MessageBody::from_stored(raw.get().to_owned()) {
        // Whatever was stored can be looked at.
        let _ = (stored.elements(), stored.push_text());
    }
    let body = match MessageBody::parse(raw, BODY_BYTES_MAX) {
        Ok(body) => body,
        Err(error) => {
            let _ = (error.to_string(), error.c2c_code(), error.group_code());
            return;
        }
    };
    assert!(body.bytes() <= BODY_BYTES_MAX);
    assert_eq!(value(body.as_json()), value(raw.get()), "whitespace is all that goes");
    let elements = body.elements();
    assert!(!elements.is_empty());
    assert!(!elements.iter().any(|element| matches!(element, Element::Other { .. })));
    assert!(elements.iter().filter(|element| matches!(element, Element::Custom(_))).count() <= 1);
    let again = raw_json(body.as_json().as_bytes()).expect("a body is JSON");
    assert_eq!(MessageBody::parse(again, body.bytes()).as_ref(), Ok(&body));
    assert_eq!(MessageBody::from_stored(body.as_json().to_owned()).as_ref(), Ok(&body));
    assert_eq!(json(&body), body.as_json());
}

/// [`MergedList::parse`]: as for bodies.
pub fn merged_list(data: &[u8]) {
    let Some(raw) = raw_json(data) else { return };
    let list = match MergedList::parse(raw, BODY_BYTES_MAX) {
        Ok(list) => list,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    assert!(list.as_json().len() <= BODY_BYTES_MAX);
    assert_eq!(value(list.as_json()), value(raw.get()), "whitespace is all that goes");
    let again = raw_json(list.as_json().as_bytes()).expect("a list is JSON");
    assert_eq!(MergedList::parse(again, list.as_json().len()).as_ref(), Ok(&list));
}

/// [`OfflinePushInfo::parse`]: as for bodies.
pub fn offline_push(data: &[u8]) {
    let Some(raw) = raw_json(data) else { return };
    let Ok(info) = OfflinePushInfo::parse(raw, BODY_BYTES_MAX) else { return };
    assert!(info.bytes() <= BODY_BYTES_MAX);
    assert_eq!(value(info.as_json()), value(raw.get()));
    assert!(info.fields().is_ok());
    let again = raw_json(info.as_json().as_bytes()).expect("push info is JSON");
    assert_eq!(OfflinePushInfo::parse(again, info.bytes()).as_ref(), Ok(&info));
}

/// `SendMsgControl`: switches written as names set the same switches.
pub fn send_control(data: &[u8]) {
    let Ok(control) = serde_json::from_slice::<SendControl>(data) else { return };
    let mut names = Vec::new();
    for (set, name) in [
        (control.no_unread, "NoUnread"),
        (control.no_last_msg, "NoLastMsg"),
        (control.with_mute_notifications, "WithMuteNotifications"),
        (control.no_msg_check, "NoMsgCheck"),
    ] {
        if set {
            names.push(name);
        }
    }
    assert_eq!(serde_json::from_str::<SendControl>(&json(&names)).ok(), Some(control));
    // Of the same form, with other names.
    assert!(serde_json::from_slice::<CallbackControl>(data).is_ok());
}

/// [`Fields::parse`]: fields written again are the same, and the last of a name is the one found.
pub fn fields(data: &[u8]) {
    let Ok(fields) = Fields::parse(data) else { return };
    let entries: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}:{value}", json(name))).collect();
    let written = format!("{{{}}}", entries.join(","));
    let again = Fields::parse(written.as_bytes()).expect("our own object parses");
    assert!(again.iter().map(text_of).eq(fields.iter().map(text_of)));
    for (name, _) in fields.iter() {
        let last = fields.iter().filter(|(other, _)| *other == name).last();
        let last = last.map(text_of).map(|(_, value)| value).filter(|value| *value != "null");
        assert_eq!(fields.get(&[name]).map(RawValue::get), last);
    }
    let _ = fields.optional::<UserId>(&["From_Account"]);
    let _ = fields.optional::<MsgKey>(&["MsgKey"]);
    let _ = fields.optional::<u32>(&["MsgRandom"]);
}

/// Every id: what parses is within its bounds and survives as text and as JSON.
pub fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(user) = UserId::parse(text) {
        assert!((1..=UserId::BYTES_MAX).contains(&user.len()));
        assert_eq!(user, text);
        assert_eq!(serde_json::from_str::<UserId>(&json(&user)).ok(), Some(user));
    }
    if let Ok(group) = GroupId::parse(text) {
        assert_eq!(group, text);
        assert_eq!(serde_json::from_str::<GroupId>(&json(&group)).ok(), Some(group));
    }
    if let Ok(key) = text.parse::<MsgKey>() {
        assert!(key.to_string().len() <= MsgKey::BYTES_MAX);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(serde_json::from_str::<MsgKey>(&json(&key)).ok(), Some(key));
    }
    if let Ok(tiny) = text.parse::<TinyId>() {
        assert_eq!(serde_json::from_str::<TinyId>(&json(&tiny)).ok(), Some(tiny));
    }
    if let Ok(app) = text.parse::<SdkAppId>() {
        assert_eq!(app.to_string().parse(), Ok(app));
    }
    // The JSON forms decode escapes by themselves.
    let _ = serde_json::from_str::<UserId>(text);
    let _ = serde_json::from_str::<MsgKey>(text);
    let _ = serde_json::from_str::<TinyId>(text);
}

fn text_of<'a>((name, value): (&'a str, &'a RawValue)) -> (&'a str, &'a str) {
    (name, value.get())
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("our own values serialise")
}

fn raw_json(data: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(data).ok()
}

/// The value that a JSON text means; depth is bounded by the decoders that accepted it.
///
/// `None` when it holds, under an unknown key, what has no value here: `1e999`, half a surrogate pair.
fn value(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text).ok()
}
