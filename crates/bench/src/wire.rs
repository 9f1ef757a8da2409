//! The client protocol as the generator speaks it: the requests that it builds and the little that
//! it reads out of answers.
//!
//! Requests carry what the public web client sends, in the same order, except the push options
//! (`OfflinePushInfo`), which a one-to-one text does not need. Answers to what is measured are
//! scanned, never parsed.

use crate::clock;
use crate::error::BenchError;
use crate::mark::{Mark, find};

/// The command that sends a one-to-one message.
pub(crate) const SEND: &str = "openim.sendmsg";
/// The command that logs in.
pub(crate) const LOGIN: &str = "im_open_status.wslogin";
/// The command that keeps a connection alive.
pub(crate) const HEARTBEAT: &str = "heartbeat.alive";
/// The command that reads a page of one-to-one history.
pub(crate) const HISTORY: &str = "openim.getroammsg";
/// The command that sends a message to a group or live room.
pub(crate) const GROUP_SEND: &str = "group_open_http_svc.send_group_msg";
/// The command that enters a live room.
pub(crate) const GROUP_JOIN: &str = "group_open_http_svc.apply_join_group";
/// The one-way command that acknowledges a push which asks for it.
pub(crate) const PUSH_ACK: &str = "openim.ws_msg_push_ack";

/// Sequence number of the request that sends the message with index 0; below it are the numbers of
/// all other requests.
pub(crate) const FIRST_SEND_SEQ: u32 = 100_000_000;

/// What a login yields and every later request carries.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Credentials {
    /// Session token.
    #[serde(rename = "A2Key")]
    pub(crate) a2: String,
    /// The user's number, as decimal digits.
    #[serde(rename = "TinyId")]
    pub(crate) tiny_id: String,
    /// Number of this instance.
    #[serde(rename = "InstId", default)]
    pub(crate) instance: u32,
}

/// How a request shows who sends it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Identity<'a> {
    /// By user name and signature: a first login.
    Signature {
        /// The user.
        user: &'a str,
        /// The UserSig.
        sig: &'a str,
    },
    /// By the token of an earlier login.
    Token(&'a Credentials),
}

/// Writes one request `{"head":…,"body":…}` into `out` (cleared first). `body` is a JSON object.
pub(crate) fn put_request(
    out: &mut Vec<u8>,
    app: u32,
    identity: Identity<'_>,
    command: &str,
    seq: u32,
    body: &[u8],
) {
    out.clear();
    let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
    put("{\"head\":{\"ver\":\"v4\",\"platform\":7,\"websdkappid\":537048168,");
    put("\"websdkversion\":\"1.7.3\",");
    let instance = match identity {
        Identity::Signature { user, sig } => {
            put("\"identifier\":\"");
            put(user);
            put("\",\"usersig\":\"");
            put(sig);
            0
        }
        Identity::Token(credentials) => {
            put("\"a2\":\"");
            put(&credentials.a2);
            put("\",\"tinyid\":\"");
            put(&credentials.tiny_id);
            credentials.instance
        }
    };
    put("\",\"status_instid\":");
    put_number(out, instance);
    out.extend_from_slice(b",\"sdkappid\":");
    put_number(out, app);
    out.extend_from_slice(b",\"contenttype\":\"json\",\"reqtime\":");
    put_number(out, clock::unix_seconds());
    out.extend_from_slice(b",\"sdkability\":75689843,\"sdkability_ext\":\"\",\"cappid\":0,\"cs\":");
    // The web client sends no checksum with these commands.
    let unchecked = [LOGIN, HEARTBEAT, PUSH_ACK].contains(&command);
    put_number(out, if unchecked { 0 } else { crc32fast::hash(body) });
    out.extend_from_slice(b",\"servcmd\":\"");
    out.extend_from_slice(command.as_bytes());
    out.extend_from_slice(b"\",\"seq\":");
    put_number(out, seq);
    out.extend_from_slice(b"},\"body\":");
    out.extend_from_slice(body);
    out.push(b'}');
}

fn put_number(out: &mut Vec<u8>, mut number: u32) {
    let mut digits = [0; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The body of a login request.
pub(crate) const LOGIN_BODY: &[u8] =
    br#"{"State":"Online","is_web_uniapp":0,"InstType":0,"CustomInfo":""}"#;

/// Name of the user who sends (`sender`) or receives in a pair.
pub(crate) fn user_name(pair: u32, sender: bool) -> String {
    format!("bench-{pair:05}-{}", if sender { "a" } else { "b" })
}

/// Name of a member of a crowd. All have the same length.
pub(crate) fn crowd_name(number: u32) -> String {
    format!("crowd-{number:05}")
}

/// Who sends and who receives a message, and what makes its request repeatable: the same envelope
/// and mark always yield the same body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    /// The app.
    pub(crate) app: u32,
    /// The sender's login.
    pub(crate) credentials: &'a Credentials,
    /// The sender.
    pub(crate) from: &'a str,
    /// The receiver.
    pub(crate) to: &'a str,
    /// The sender's calendar second.
    pub(crate) client_seconds: u32,
}

/// Writes the request that sends the message `mark` into `out`, through the scratch `body`.
pub(crate) fn put_send(out: &mut Vec<u8>, body: &mut Vec<u8>, envelope: Envelope<'_>, mark: &Mark) {
    body.clear();
    body.extend_from_slice(b"{\"From_Account\":\"");
    body.extend_from_slice(envelope.from.as_bytes());
    body.extend_from_slice(b"\",\"To_Account\":\"");
    body.extend_from_slice(envelope.to.as_bytes());
    body.extend_from_slice(b"\",\"MsgSeq\":");
    put_number(body, 1_000_000_000 + mark.index);
    body.extend_from_slice(b",\"MsgRandom\":");
    put_number(body, random_of(mark));
    put_text_element(body, mark);
    body.extend_from_slice(
        b",\"CloudCustomData\":\"\",\"From_AccountNick\":\"\",\"From_AccountHeadurl\":\"\",\
          \"SendMsgControl\":[],\"MsgClientTime\":",
    );
    put_number(body, envelope.client_seconds);
    body.extend_from_slice(
        b",\"IsNeedReadReceipt\":0,\"SupportMessageExtension\":0,\"IsRelayMsg\":0}",
    );
    let identity = Identity::Token(envelope.credentials);
    put_request(out, envelope.app, identity, SEND, FIRST_SEND_SEQ + mark.index, body);
}

/// Who says something to which group, and how much it matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupEnvelope<'a> {
    /// The app.
    pub(crate) app: u32,
    /// The sender's login.
    pub(crate) credentials: &'a Credentials,
    /// The sender.
    pub(crate) from: &'a str,
    /// The group or live room.
    pub(crate) group: &'a str,
    /// `High`, `Normal` or `Low`.
    pub(crate) priority: &'a str,
    /// The sender's calendar second.
    pub(crate) client_seconds: u32,
}

/// Writes the request that sends the message `mark` to a group into `out`, through the scratch
/// `body`. An equal `priority` makes an equally long request.
pub(crate) fn put_group_send(
    out: &mut Vec<u8>,
    body: &mut Vec<u8>,
    envelope: GroupEnvelope<'_>,
    mark: &Mark,
) {
    body.clear();
    body.extend_from_slice(b"{\"From_Account\":\"");
    body.extend_from_slice(envelope.from.as_bytes());
    body.extend_from_slice(b"\",\"GroupId\":\"");
    body.extend_from_slice(envelope.group.as_bytes());
    body.extend_from_slice(b"\",\"MsgPriority\":\"");
    body.extend_from_slice(envelope.priority.as_bytes());
    body.extend_from_slice(b"\",\"ClientSeq\":");
    put_number(body, 1_000_000_000 + mark.index);
    body.extend_from_slice(b",\"Random\":");
    put_number(body, random_of(mark));
    put_text_element(body, mark);
    body.extend_from_slice(
        b",\"CloudCustomData\":\"\",\"OnlineOnlyFlag\":0,\"GroupAtInfo\":[],\"MsgClientTime\":",
    );
    put_number(body, envelope.client_seconds);
    body.extend_from_slice(b",\"NeedReadReceipt\":0,\"SupportMessageExtension\":0}");
    let identity = Identity::Token(envelope.credentials);
    put_request(out, envelope.app, identity, GROUP_SEND, FIRST_SEND_SEQ + mark.index, body);
}

/// Writes the one element of the message `mark`.
fn put_text_element(body: &mut Vec<u8>, mark: &Mark) {
    body.extend_from_slice(
        b",\"MsgBody\":[{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{\"Text\":\"",
    );
    mark.put_text(body);
    body.extend_from_slice(b"\"}}]");
}

/// The message's random number: eight digits, and different for every message that a pair sends
/// within some 90 runs, since a server may take the same number for the same message.
fn random_of(mark: &Mark) -> u32 {
    const SPAN: u64 = 90_000_000;
    // Coprime with the span, so that consecutive indexes never meet.
    const STEP: u64 = 61_803_397;
    let place = u64::from(mark.epoch) * 1_000_003 + u64::from(mark.index);
    10_000_000 + (place % SPAN * STEP % SPAN) as u32
}

/// The body of the answer to `command`.
pub(crate) fn body<T: serde::de::DeserializeOwned>(
    command: &str,
    answer: &[u8],
) -> Result<T, BenchError> {
    #[derive(serde::Deserialize)]
    struct Answer<T> {
        body: T,
    }
    let answer: Result<Answer<T>, _> =
        serde_json::from_slice(answer).map_err(|_| BenchError::refused(command, answer));
    answer.map(|answer| answer.body)
}

/// What an arriving frame is to the generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// The answer to a send request.
    SendReply {
        /// The index of the message.
        index: u32,
        /// Whether it was accepted.
        accepted: bool,
    },
    /// A frame with events for this user.
    Push,
    /// The answer to something else, or an event without messages.
    Other,
}

/// Tells what `frame` is by looking at its command.
pub(crate) fn classify(frame: &[u8]) -> Incoming {
    const COMMAND: &[u8] = b"\"servcmd\":\"";
    let Some(at) = find(frame, COMMAND) else { return Incoming::Other };
    let command = &frame[at + COMMAND.len()..];
    if command.starts_with(b"im_open_push.") {
        return Incoming::Push;
    }
    let is =
        |name: &str| command.starts_with(name.as_bytes()) && command.get(name.len()) == Some(&b'"');
    if !is(SEND) && !is(GROUP_SEND) {
        return Incoming::Other;
    }
    let index = number_after(frame, b"\"seq\":")
        .and_then(|seq| u32::try_from(seq).ok()?.checked_sub(FIRST_SEND_SEQ));
    match index {
        Some(index) => Incoming::SendReply {
            index,
            // An absent code is success for the clients of this protocol.
            accepted: matches!(number_after(frame, b"\"ErrorCode\":"), None | Some(0)),
        },
        None => Incoming::Other,
    }
}

/// The unsigned number that follows the first occurrence of `key`.
pub(crate) fn number_after(frame: &[u8], key: &[u8]) -> Option<u64> {
    let after = &frame[find(frame, key)? + key.len()..];
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&after[..digits]).ok()?.parse().ok()
}

/// The session data of a push that wants an acknowledgement, still as JSON text in quotes.
pub(crate) fn wanted_ack(push: &[u8]) -> Option<&[u8]> {
    if number_after(push, b"\"NeedAck\":") != Some(1) {
        return None;
    }
    const KEY: &[u8] = b"\"SessionData\":";
    let value = &push[find(push, KEY)? + KEY.len()..];
    let end = 1 + value.get(1..)?.iter().position(|byte| *byte == b'"')?;
    value.get(..=end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials { a2: "token".into(), tiny_id: "144115200000000001".into(), instance: 1000 }
    }

    #[test]
    fn a_send_request_is_json_with_the_fields_of_the_web_client() {
        let mark = Mark { epoch: 3, pair: 2, index: 5, sent_ns: 9 };
        let (mut out, mut body) = (Vec::new(), Vec::new());
        let envelope = Envelope {
            app: 1_400_000_000,
            credentials: &credentials(),
            from: "ann",
            to: "bob",
            client_seconds: 1_795_390_094,
        };
        put_send(&mut out, &mut body, envelope, &mark);
        let request: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let head = &request["head"];
        assert_eq!(head["servcmd"], SEND);
        assert_eq!(head["seq"], FIRST_SEND_SEQ + 5);
        assert_eq!(head["a2"], "token");
        assert_eq!(head["tinyid"], "144115200000000001");
        assert_eq!(head["status_instid"], 1000);
        assert_eq!(head["sdkappid"], 1_400_000_000);
        assert_eq!(head["cs"], crc32fast::hash(&body));
        let sent = &request["body"];
        assert_eq!(sent["From_Account"], "ann");
        assert_eq!(sent["To_Account"], "bob");
        assert_eq!(sent["MsgSeq"], 1_000_000_005);
        assert_eq!(sent["MsgClientTime"], 1_795_390_094);
        let text = sent["MsgBody"][0]["MsgContent"]["Text"].as_str().unwrap();
        assert_eq!(text.len(), crate::mark::TEXT_BYTES);
        assert_eq!(crate::mark::marks(&out).collect::<Vec<_>>(), [mark]);
    }

    #[test]
    fn a_message_to_a_group_is_json_that_names_group_and_priority() {
        let mark = Mark { epoch: 3, pair: 2, index: 5, sent_ns: 9 };
        let (mut out, mut body) = (Vec::new(), Vec::new());
        let envelope = GroupEnvelope {
            app: 1_400_000_000,
            credentials: &credentials(),
            from: "ann",
            group: "tea",
            priority: "High",
            client_seconds: 1_795_390_094,
        };
        put_group_send(&mut out, &mut body, envelope, &mark);
        let request: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(request["head"]["servcmd"], GROUP_SEND);
        assert_eq!(request["head"]["seq"], FIRST_SEND_SEQ + 5);
        let sent = &request["body"];
        assert_eq!((&sent["GroupId"], &sent["From_Account"]), (&"tea".into(), &"ann".into()));
        assert_eq!(sent["MsgPriority"], "High");
        assert_eq!(crate::mark::marks(&out).collect::<Vec<_>>(), [mark]);
        let reply = teahouse_proto::frame::reply(GROUP_SEND, 100_000_005, br#"{"ErrorCode":0}"#);
        assert_eq!(classify(&reply), Incoming::SendReply { index: 5, accepted: true });
    }

    #[test]
    fn random_numbers_of_neighbouring_runs_do_not_meet() {
        let mut seen = std::collections::HashSet::new();
        for epoch in 0..20 {
            for index in 0..5_000 {
                let random = random_of(&Mark { epoch, pair: 0, index, sent_ns: 0 });
                assert!((10_000_000..100_000_000).contains(&random));
                assert!(seen.insert(random), "run {epoch}, message {index}");
            }
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let accepted = br#"{"head":{"ver":"v4","servcmd":"openim.sendmsg","seq":100000007},"body":{"ActionStatus":"OK","ErrorCode":0,"MsgTime":1}}"#;
        assert_eq!(classify(accepted), Incoming::SendReply { index: 7, accepted: true });
        let refused =
            br#"{"head":{"servcmd":"openim.sendmsg","seq":100000000},"body":{"ErrorCode":20012}}"#;
        assert_eq!(classify(refused), Incoming::SendReply { index: 0, accepted: false });
        let push = br#"{"head":{"servcmd":"im_open_push.msg_push","seq":3},"body":{}}"#;
        assert_eq!(classify(push), Incoming::Push);
        let other = br#"{"head":{"servcmd":"openim.sendmsg_x","seq":100000000},"body":{}}"#;
        assert_eq!(classify(other), Incoming::Other);
        assert_eq!(classify(b"{}"), Incoming::Other);
    }

    #[test]
    fn only_a_push_that_asks_is_acknowledged() {
        assert_eq!(wanted_ack(br#"{"NeedAck":1,"SessionData":"s-1"}"#), Some(&b"\"s-1\""[..]));
        assert_eq!(wanted_ack(br#"{"NeedAck":0,"SessionData":"s-1"}"#), None);
        assert_eq!(wanted_ack(br#"{"SessionData":"s-1"}"#), None);
        assert_eq!(wanted_ack(br#"{"NeedAck":1,"SessionData":"s-1"#), None);
    }

    #[test]
    fn requests_are_what_the_protocol_crate_reads() {
        use teahouse_proto::frame::Request;
        let mut out = Vec::new();
        let login = Identity::Signature { user: "bench-00000-a", sig: "eJw" };
        put_request(&mut out, 7, login, LOGIN, 3, LOGIN_BODY);
        let request = Request::parse(&out).unwrap();
        assert_eq!((request.servcmd.as_ref(), request.seq, request.sdkappid.0), (LOGIN, 3, 7));
        assert_eq!(
            (request.identifier.as_ref(), request.usersig.as_ref()),
            ("bench-00000-a", "eJw")
        );
        put_request(&mut out, 7, Identity::Token(&credentials()), HEARTBEAT, 1, b"{}");
        let request = Request::parse(&out).unwrap();
        assert_eq!((request.a2.as_ref(), request.status_instid), ("token", 1000));
    }

    #[test]
    fn frames_of_the_protocol_crate_are_told_apart() {
        use teahouse_proto::{frame, push};
        let body = br#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","MsgTime":9}"#;
        let reply = frame::reply(SEND, u64::from(FIRST_SEND_SEQ) + 3, body);
        assert_eq!(classify(&reply), Incoming::SendReply { index: 3, accepted: true });
        assert_eq!(classify(&frame::reply(HEARTBEAT, 1, b"{}")), Incoming::Other);
        let options = push::PushOptions { ack_session_data: Some("s 1"), more_waiting: false };
        let push = push::event_frame(&[], options);
        assert_eq!(classify(&push), Incoming::Push);
        assert_eq!(wanted_ack(&push), Some(&b"\"s 1\""[..]));
        assert_eq!(wanted_ack(&push::event_frame(&[], push::PushOptions::default())), None);
    }
}
