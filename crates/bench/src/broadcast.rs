//! The ceiling of broadcasting: a server that writes the same pre-encoded frame to all its sockets,
//! round after round. No users, no groups, no queues.
//!
//! As many threads as the machine has processors share the sockets, as the chat server's shards do.
//! A round is one write a socket, of as many messages and bytes as the workload was seen to have in
//! a frame. Two rounds are under way at most: the generator tells how many have arrived. So frames
//! do not pile up in the sockets, where the reader would get several at once, and both ends work all
//! the time.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::client::runtime;
use crate::error::BenchError;
use crate::framing::{BINARY, PING, PONG, Side, put_frame};
use crate::load::lock;
use crate::mark::{Mark, TEXT_BYTES, find};
use crate::raw;
use crate::socket::{Link, split};
use crate::wire;

/// What the broadcasting server sends, and to how many.
#[derive(Debug, Clone, Args)]
pub(crate) struct BroadcastArgs {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Messages in a frame.
    #[arg(long)]
    pub(crate) messages: u32,
    /// Bytes of a frame.
    #[arg(long)]
    pub(crate) bytes: usize,
}

impl BroadcastArgs {
    /// As the command line of a process of its own.
    pub(crate) fn arguments(&self) -> [String; 3] {
        [
            "raw-broadcast".to_owned(),
            format!("--messages={}", self.messages),
            format!("--bytes={}", self.bytes),
        ]
    }
}

/// The run that all its marks belong to.
pub(crate) const EPOCH: u32 = 0xb0ad_ca57;
/// Rounds under way at most.
const ROUNDS_AHEAD: u64 = 2;
/// Sockets that a round serves before other tasks of its thread get their turn.
const SLICE: usize = 128;
/// How often sockets that were full are tried again.
const RETRY: Duration = Duration::from_millis(2);

const ROUNDS: &str = r#"{"rounds":"#;

/// What the generator says when so many rounds have arrived in whole; 0 begins the first one.
pub(crate) fn rounds_ended(rounds: u64) -> String {
    format!("{ROUNDS}{rounds}}}")
}

struct Broadcast {
    args: BroadcastArgs,
    ended: watch::Sender<u64>,
    started: watch::Sender<bool>,
}

/// Serves until the process is killed; prints `ready http://ADDR` when it accepts.
pub(crate) fn serve(args: &BroadcastArgs) -> Result<(), BenchError> {
    let failed = || BenchError::io(format!("listen on {}", args.listen));
    let listener = std::net::TcpListener::bind(args.listen).map_err(failed())?;
    let addr = listener.local_addr().map_err(failed())?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ready http://{addr}").map_err(BenchError::io("print the address"))?;
    accept(&listener, args)
}

/// Serves the connections of `listener`; returns only with an error.
fn accept(listener: &std::net::TcpListener, args: &BroadcastArgs) -> Result<(), BenchError> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let broadcast = Arc::new(Broadcast {
        args: args.clone(),
        ended: watch::channel(0).0,
        started: watch::channel(false).0,
    });
    let mut shards = Vec::new();
    for _ in 0..threads {
        let (sockets, accepted) = mpsc::channel(1_024);
        let runtime = runtime()?;
        let broadcast = Arc::clone(&broadcast);
        std::thread::spawn(move || runtime.block_on(shard(broadcast, accepted)));
        shards.push(sockets);
    }
    for number in 0.. {
        let (stream, _) = listener.accept().map_err(BenchError::io("accept"))?;
        stream.set_nonblocking(true).map_err(BenchError::io("accept"))?;
        let sent = shards[number % threads].blocking_send(stream);
        sent.map_err(|_| BenchError::Server("a thread of the broadcast ended".to_owned()))?;
    }
    Ok(())
}

async fn shard(broadcast: Arc<Broadcast>, mut accepted: mpsc::Receiver<std::net::TcpStream>) {
    let links = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(broadcast.clone().rounds(Arc::clone(&links)));
    while let Some(stream) = accepted.recv().await {
        if let Ok(stream) = TcpStream::from_std(stream) {
            tokio::spawn(Arc::clone(&broadcast).connection(stream, Arc::clone(&links)));
        }
    }
}

impl Broadcast {
    /// Answers logins, and takes what is said of rounds.
    async fn connection(self: Arc<Self>, stream: TcpStream, links: Arc<Mutex<Vec<Arc<Link>>>>) {
        let Some((stream, frames)) = raw::upgrade(stream).await else { return };
        let (mut read, link) = split(stream, frames);
        let link = Arc::new(link);
        let mut answers = Vec::new();
        loop {
            let mut logged_in = false;
            let frames = read.frames(|opcode, frame| match opcode {
                PING => put_frame(&mut answers, Side::Server, PONG, frame),
                BINARY if frame.starts_with(ROUNDS.as_bytes()) => {
                    let ended = wire::number_after(frame, b"\"rounds\":").unwrap_or(0);
                    self.started.send_replace(true);
                    self.ended.send_if_modified(|known| std::mem::replace(known, ended) < ended);
                }
                BINARY => {
                    logged_in = find(frame, wire::LOGIN.as_bytes()).is_some();
                    let command = if logged_in { wire::LOGIN } else { wire::HEARTBEAT };
                    let seq = wire::number_after(frame, b"\"seq\":").unwrap_or(0);
                    raw::put_answer(&mut answers, command, seq);
                }
                _ => {}
            });
            if frames.await.is_err() {
                return;
            }
            if logged_in {
                // Before the answer: whoever has it takes part.
                lock(&links).push(Arc::clone(&link));
            }
            if !answers.is_empty() {
                link.send(&answers);
                answers.clear();
            }
        }
    }

    /// Writes round after round to the sockets of one thread.
    async fn rounds(self: Arc<Self>, links: Arc<Mutex<Vec<Arc<Link>>>>) {
        let mut started = self.started.subscribe();
        // The senders live as long as this does.
        let _started = started.wait_for(|started| *started).await.is_ok();
        let links = lock(&links).clone();
        let mut ended = self.ended.subscribe();
        let mut frame = Vec::new();
        for round in 0.. {
            while tokio::time::timeout(RETRY, may_begin(&mut ended, round)).await.is_err() {
                links.iter().for_each(|link| link.flush());
            }
            put_round(&mut frame, &self.args, round);
            for slice in links.chunks(SLICE) {
                slice.iter().for_each(|link| link.send(&frame));
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn may_begin(ended: &mut watch::Receiver<u64>, round: u64) {
    // The sender lives as long as this does.
    let _ended = ended.wait_for(|ended| ended + ROUNDS_AHEAD > round).await.is_ok();
}

/// The frame of one round: as many messages as asked for, and padding up to the bytes asked for.
fn put_round(out: &mut Vec<u8>, args: &BroadcastArgs, round: u64) {
    let messages = args.messages.max(1);
    let each = args.bytes / messages as usize;
    let mut payload = Vec::with_capacity(args.bytes);
    for message in 0..messages {
        let index = round * u64::from(messages) + u64::from(message);
        let begin = payload.len();
        payload.extend_from_slice(format!("{{\"MsgSeq\":{},\"Text\":\"", index + 1).as_bytes());
        Mark { epoch: EPOCH, pair: 0, index: index as u32, sent_ns: 0 }.put_text(&mut payload);
        let wanted = begin + each.max(TEXT_BYTES);
        payload.resize(wanted.max(payload.len()), b'.');
    }
    out.clear();
    put_frame(out, Side::Server, BINARY, &payload);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crowd::{Crowd, Invitation};
    use crate::tally::Tally;

    #[test]
    fn every_socket_gets_round_after_round() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = crate::client::Target {
            addr: listener.local_addr().unwrap(),
            app: teahouse_proto::ids::SdkAppId(1),
            secret: "key".to_owned(),
        };
        let args = BroadcastArgs { listen: target.addr, messages: 3, bytes: 900 };
        // Ends with the process.
        std::thread::spawn(move || accept(&listener, &args));
        let invitation =
            Invitation { members: 5, speakers: 0, group: String::new(), enters: false };
        let crowd = Crowd::start(&target, invitation).unwrap();
        crowd.open_books(Tally::new(EPOCH, 5, 0..u64::MAX, u64::MAX));
        crowd.wait_for_all(5).unwrap();
        crowd.tell_rounds();
        let deadline = crowd.clock().now_ns() + 30_000_000_000;
        let heard = || crowd.with_books(|tally| (tally.deliveries, tally.frames_in_window));
        while heard().1 < 100 && crowd.clock().now_ns() < deadline {
            crowd.clock().sleep_until(crowd.clock().now_ns() + 1_000_000);
        }
        let (deliveries, frames) = heard();
        assert!(frames >= 100, "twenty rounds are told to the server, which goes on");
        assert_eq!(deliveries, 3 * frames);
        assert_eq!(crowd.trouble(), None);
    }

    #[test]
    fn a_round_has_the_messages_and_bytes_asked_for() {
        let args = BroadcastArgs {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            messages: 8,
            bytes: 5_600,
        };
        let mut frame = Vec::new();
        put_round(&mut frame, &args, 3);
        let found: Vec<u32> = crate::mark::marks(&frame).map(|mark| mark.index).collect();
        assert_eq!(found, (24..32).collect::<Vec<_>>());
        assert_eq!(frame.len(), 5_600 + 4);
    }
}
