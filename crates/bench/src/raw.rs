//! The ceiling of sockets: a server that only reads a frame, answers the sender with a canned
//! acknowledgement and the receiver with a canned push. No users, no rules, no store.
//!
//! It runs as a process of its own, so that its processor time is comparable, and takes the same
//! generator over the same connections: it answers logins too. Only the request's number and the
//! marked text are copied into the canned frames, without which nobody could count.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::runtime;
use crate::error::BenchError;
use crate::framing::{BINARY, FrameReader, PING, PONG, Side, put_frame};
use crate::load::FrameBytes;
use crate::mark::{TEXT_BYTES, find};
use crate::socket::{Link, split};
use crate::wire::{self, Incoming};

/// How often full sockets are tried again.
const HOUSEKEEPING: Duration = Duration::from_millis(10);

/// An upgrade request that is longer than this is none.
const UPGRADE_BYTES_MAX: usize = 16 * 1024;

/// Canned frames of given sizes.
struct Canned {
    ack_tail: Vec<u8>,
    push_head: Vec<u8>,
    push_tail: Vec<u8>,
}

const ACK_HEAD: &[u8] = br#"{"head":{"ver":"v4","servcmd":"openim.sendmsg","seq":"#;
/// Digits of the numbers of send requests.
const SEQ_DIGITS: usize = 9;

impl Canned {
    /// Frames of the sizes in `bytes`, or as small as their fixed parts allow.
    fn new(bytes: FrameBytes) -> Self {
        let ack_tail = padded(
            r#"},"body":{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","Pad":""#,
            r#""}}"#,
            bytes.ack.saturating_sub(ACK_HEAD.len() + SEQ_DIGITS),
        );
        let push_head = br#"{"head":{"ver":"v4","servcmd":"im_open_push.msg_push","seq":3},"body":{"EventArray":[{"Event":1,"C2cMsgArray":[{"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":""#.to_vec();
        let push_tail = padded(
            r#""}}],"Pad":""#,
            r#""}]}]}}"#,
            bytes.push.saturating_sub(push_head.len() + TEXT_BYTES),
        );
        Self { ack_tail, push_head, push_tail }
    }

    fn put_ack(&self, out: &mut Vec<u8>, scratch: &mut Vec<u8>, index: u32) {
        scratch.clear();
        scratch.extend_from_slice(ACK_HEAD);
        let mut digits = [b'0'; SEQ_DIGITS];
        let mut rest = wire::FIRST_SEND_SEQ + index;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        scratch.extend_from_slice(&digits);
        scratch.extend_from_slice(&self.ack_tail);
        put_frame(out, Side::Server, BINARY, scratch);
    }

    fn put_push(&self, out: &mut Vec<u8>, scratch: &mut Vec<u8>, text: &[u8]) {
        scratch.clear();
        scratch.extend_from_slice(&self.push_head);
        scratch.extend_from_slice(text);
        scratch.extend_from_slice(&self.push_tail);
        put_frame(out, Side::Server, BINARY, scratch);
    }
}

fn padded(head: &str, tail: &str, bytes: usize) -> Vec<u8> {
    let padding = bytes.saturating_sub(head.len() + tail.len());
    [head.as_bytes(), &vec![b'.'; padding], tail.as_bytes()].concat()
}

/// State of the server: who receives in which pair, and all links for housekeeping.
struct Raw {
    canned: Canned,
    receivers: Mutex<HashMap<u32, Arc<Link>>>,
    links: Mutex<Vec<Arc<Link>>>,
}

/// Serves on `listen` until the process is killed; prints `ready http://ADDR` when it accepts.
pub(crate) fn serve(listen: SocketAddr, bytes: FrameBytes) -> Result<(), BenchError> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let failed = || BenchError::io(format!("listen on {listen}"));
        let listener = TcpListener::bind(listen).await.map_err(failed())?;
        let addr = listener.local_addr().map_err(failed())?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "ready http://{addr}").map_err(BenchError::io("print the address"))?;
        accept(listener, bytes).await
    })
}

/// Serves the connections of `listener`; returns only with an error.
async fn accept(listener: TcpListener, bytes: FrameBytes) -> Result<(), BenchError> {
    let raw = Arc::new(Raw {
        canned: Canned::new(bytes),
        receivers: Mutex::default(),
        links: Mutex::default(),
    });
    let keeper = Arc::clone(&raw);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { keeper.keep_house().await });
    loop {
        let (stream, _) = listener.accept().await.map_err(BenchError::io("accept"))?;
        let raw = Arc::clone(&raw);
        tasks.spawn(async move { raw.connection(stream).await });
    }
}

impl Raw {
    async fn keep_house(&self) {
        let mut tick = tokio::time::interval(HOUSEKEEPING);
        loop {
            tick.tick().await;
            let mut links = self.links.lock().expect("nothing panics with this lock");
            // A link that only this list still holds belongs to a connection that has ended.
            links.retain(|link| Arc::strong_count(link) > 1);
            links.iter().for_each(|link| link.flush());
        }
    }

    async fn connection(&self, stream: TcpStream) {
        let Some((stream, frames)) = upgrade(stream).await else { return };
        let (mut read, link) = split(stream, frames);
        let link = Arc::new(link);
        self.links.lock().expect("nothing panics with this lock").push(Arc::clone(&link));
        let mut peer = Peer { raw: self, link: Arc::clone(&link), pair: 0, receiver: None };
        let (mut answers, mut pushes, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let frames = read.frames(|opcode, frame| match opcode {
                PING => put_frame(&mut answers, Side::Server, PONG, frame),
                BINARY => peer.take(frame, &mut answers, &mut pushes, &mut scratch),
                _ => {}
            });
            if frames.await.is_err() {
                break;
            }
            if !answers.is_empty() {
                link.send(&answers);
                answers.clear();
            }
            if let (Some(receiver), false) = (&peer.receiver, pushes.is_empty()) {
                receiver.send(&pushes);
                pushes.clear();
            }
        }
        let mut receivers = self.receivers.lock().expect("nothing panics with this lock");
        receivers.retain(|_, receiver| !Arc::ptr_eq(receiver, &link));
    }
}

/// One connection after its upgrade.
struct Peer<'a> {
    raw: &'a Raw,
    link: Arc<Link>,
    pair: u32,
    receiver: Option<Arc<Link>>,
}

impl Peer<'_> {
    fn take(
        &mut self,
        frame: &[u8],
        answers: &mut Vec<u8>,
        pushes: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
    ) {
        // A send request looks to the scan like its own acceptance.
        if let Incoming::SendReply { index, .. } = wire::classify(frame) {
            self.raw.canned.put_ack(answers, scratch, index);
            if self.receiver.is_none() {
                let receivers = self.raw.receivers.lock().expect("nothing panics with this lock");
                self.receiver = receivers.get(&self.pair).cloned();
            }
            if let Some(text) = find(frame, b"#tb1:").and_then(|at| frame.get(at..at + TEXT_BYTES))
            {
                self.raw.canned.put_push(pushes, scratch, text);
            }
            return;
        }
        let Some(seq) = wire::number_after(frame, b"\"seq\":") else { return };
        let command = if find(frame, wire::LOGIN.as_bytes()).is_some() {
            self.introduce(frame);
            wire::LOGIN
        } else {
            wire::HEARTBEAT
        };
        put_answer(answers, command, seq);
    }

    /// Reads `bench-00012-b` out of a login.
    fn introduce(&mut self, login: &[u8]) {
        const KEY: &[u8] = b"\"identifier\":\"bench-";
        let Some(at) = find(login, KEY) else { return };
        let name = &login[at + KEY.len()..];
        let Some((digits, role)) = name.split_at_checked(5) else { return };
        let pair = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        let Some(pair) = pair else { return };
        self.pair = pair;
        if role.starts_with(b"-b") {
            let mut receivers = self.raw.receivers.lock().expect("nothing panics with this lock");
            receivers.insert(self.pair, Arc::clone(&self.link));
        }
    }
}

/// Answers a login or a sign of life.
pub(crate) fn put_answer(answers: &mut Vec<u8>, command: &str, seq: u64) {
    let answer = format!(
        r#"{{"head":{{"ver":"v4","servcmd":"{command}","seq":{seq}}},"body":{{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","A2Key":"{:0100}","TinyId":"144115200000000001","InstId":1000}}}}"#,
        0
    );
    put_frame(answers, Side::Server, BINARY, answer.as_bytes());
}

/// Answers the upgrade; `None` when the peer wants something else.
pub(crate) async fn upgrade(mut stream: TcpStream) -> Option<(TcpStream, FrameReader)> {
    stream.set_nodelay(true).ok()?;
    let mut request = Vec::new();
    let end = loop {
        if let Some(end) = find(&request, b"\r\n\r\n") {
            break end + 4;
        }
        if request.len() > UPGRADE_BYTES_MAX || stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    };
    if find(&request, b"Upgrade: websocket").is_none() {
        let refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(refusal).await.ok()?;
        return None;
    }
    // The generator does not check the accept key, so none is computed.
    let answer =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(answer).await.ok()?;
    let mut frames = FrameReader::default();
    // The generator waits for the answer before it sends a frame: nothing whole can be here yet.
    frames.feed(&request[end..], |_, _| {}).ok()?;
    Some((stream, frames))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Target;
    use crate::load::{Load, Loop, Outcome, Plan};
    use crate::mark::{Mark, marks};
    use teahouse_proto::ids::SdkAppId;

    const BYTES: FrameBytes = FrameBytes { request: 0, ack: 200, push: 700 };

    #[test]
    fn canned_frames_have_the_sizes_asked_for_and_are_json() {
        let canned = Canned::new(BYTES);
        let mark = Mark { epoch: 1, pair: 2, index: 3, sent_ns: 4 };
        let (mut out, mut scratch, mut text) = (Vec::new(), Vec::new(), Vec::new());
        canned.put_ack(&mut out, &mut scratch, 7);
        assert_eq!(scratch.len(), BYTES.ack);
        assert!(serde_json::from_slice::<serde_json::Value>(&scratch).is_ok());
        assert_eq!(wire::classify(&scratch), Incoming::SendReply { index: 7, accepted: true });
        mark.put_text(&mut text);
        canned.put_push(&mut out, &mut scratch, &text);
        assert_eq!(scratch.len(), BYTES.push);
        assert!(serde_json::from_slice::<serde_json::Value>(&scratch).is_ok());
        assert_eq!(marks(&scratch).collect::<Vec<_>>(), [mark]);
    }

    /// Runs a load against a raw server on a thread of this process.
    fn run(send: Loop, per_pair_max: u32) -> Outcome {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.spawn(async move {
            accept(TcpListener::from_std(listener).unwrap(), BYTES).await.unwrap_err()
        });
        let target = Target { addr, app: SdkAppId(1), secret: "key".to_owned() };
        let plan = Plan {
            pairs: 5,
            send,
            warmup: Duration::ZERO,
            measure: Duration::from_secs(if per_pair_max == u32::MAX { 1 } else { 60 }),
            epoch: 9,
            threads: 2,
            per_pair_max,
        };
        let running = Load::connect(&target, plan).unwrap().start().unwrap();
        if per_pair_max == u32::MAX {
            running.wait_for_end();
        }
        running.wait_for_rest(Duration::from_secs(30));
        let outcome = running.finish().unwrap();
        server.abort();
        outcome
    }

    fn assert_whole(outcome: &Outcome) {
        assert_eq!(outcome.broken, None);
        assert_eq!(outcome.acked, outcome.sent);
        assert_eq!(outcome.refused + outcome.undelivered, 0);
        assert_eq!(outcome.duplicates + outcome.reordered, 0);
        assert_eq!(outcome.ack.percentiles().count, outcome.sent);
        assert_eq!(outcome.delivery.percentiles().count, outcome.sent);
        assert_eq!((outcome.frame_bytes.ack, outcome.frame_bytes.push), (BYTES.ack, BYTES.push));
        assert!(outcome.frame_bytes.request > 128);
    }

    #[test]
    fn a_closed_loop_sends_what_each_pair_may_and_all_of_it_arrives() {
        for window in [1, 16] {
            let outcome = run(Loop::Closed { window }, 100);
            assert_whole(&outcome);
            assert_eq!(outcome.sent, 500);
            assert_eq!(outcome.runs.len(), 5);
            assert!(outcome.runs.iter().all(|run| run.acked == [true; 100]));
        }
    }

    #[test]
    fn an_open_loop_sends_exactly_its_schedule() {
        let outcome = run(Loop::Open { rate: 700 }, u32::MAX);
        assert_whole(&outcome);
        assert_eq!(outcome.sent, 700);
        assert_eq!(outcome.lateness.percentiles().count, 700);
    }
}
