//! One connection to a server: upgrade, login, request and answer. The load takes such a
//! connection over after login; the checks of histories use it as it is.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::UnixSeconds;
use teahouse_proto::usersig::{self, SignRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::clock;
use crate::error::BenchError;
use crate::framing::{BINARY, CLOSE, FrameReader, PING, PONG, Side, put_frame};
use crate::mark::find;
use crate::wire::{self, Credentials, Identity};

/// Longest wait for an answer: the time after which the public client gives up.
const ANSWER_WAIT: Duration = Duration::from_secs(15);

/// Lifetime of the signatures made here, in seconds: longer than any run.
const SIGNATURE_SECONDS: u64 = 86_400;

/// Sockets per source address: few of the usual range of ephemeral ports, also after some generations of them
/// that the kernel keeps for a minute. Among many it looks long for each free one.
const SOCKETS_PER_SOURCE: u32 = 1_000;
/// Source addresses that differ in their last byte only.
const SOURCES_A_NET: u32 = 250;

/// A runtime on this thread. Whoever counts what a server costs has no others beside it.
pub(crate) fn runtime() -> Result<Runtime, BenchError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(BenchError::io("start a runtime"))
}

/// The server under test, and the app whose users chat on it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    /// The app.
    pub(crate) app: SdkAppId,
    /// The key that signs its users in.
    pub(crate) secret: String,
}

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    app: SdkAppId,
    frames: FrameReader,
    inbox: VecDeque<Vec<u8>>,
    seq: u32,
}

impl Client {
    /// Connects the `number`th socket of a run to `target`. Numbers choose the source address, so
    /// that more sockets fit than one address has ports.
    pub(crate) async fn open(target: &Target, number: u32) -> Result<Self, BenchError> {
        let connecting = Self::connect(target, number);
        timeout(ANSWER_WAIT, connecting).await.unwrap_or_else(|_| {
            Err(BenchError::TimedOut {
                what: format!("a connection to {}", target.addr),
                seconds: ANSWER_WAIT.as_secs(),
            })
        })
    }

    async fn connect(target: &Target, number: u32) -> Result<Self, BenchError> {
        let failed = || BenchError::io(format!("connect to {}", target.addr));
        let stream = if target.addr.ip().is_loopback() && target.addr.is_ipv4() {
            let place = number / SOCKETS_PER_SOURCE;
            let (net, host) = ((place / SOURCES_A_NET) as u8, 1 + (place % SOURCES_A_NET) as u8);
            let socket = TcpSocket::new_v4().map_err(failed())?;
            let source = SocketAddr::from((Ipv4Addr::new(127, 0, net, host), 0));
            socket.bind(source).map_err(BenchError::io(format!("bind {source}")))?;
            socket.connect(target.addr).await.map_err(failed())?
        } else {
            TcpStream::connect(target.addr).await.map_err(failed())?
        };
        stream.set_nodelay(true).map_err(failed())?;
        let mut client = Self {
            stream,
            peer: target.addr,
            app: target.app,
            frames: FrameReader::default(),
            inbox: VecDeque::new(),
            seq: 0,
        };
        client.upgrade(number).await?;
        Ok(client)
    }

    async fn upgrade(&mut self, number: u32) -> Result<(), BenchError> {
        // No `compress=`: the generator scans what arrives, which a compressed frame would hide.
        let request = format!(
            "GET /binfo?sdkappid={}&instanceid={number:032x}&random=0.5&platform=7&host=unknown\
             &version=-1&sdkversion=3.6.6 HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGVhaG91c2UtYmVuY2gtMQ==\r\n\r\n",
            self.app, self.peer
        );
        let failed = || BenchError::io("upgrade to WebSocket");
        self.stream.write_all(request.as_bytes()).await.map_err(failed())?;
        let mut answer = Vec::new();
        loop {
            if let Some(end) = find(&answer, b"\r\n\r\n") {
                if !answer.starts_with(b"HTTP/1.1 101") {
                    return Err(BenchError::refused("upgrade", &answer));
                }
                return self.take(&answer[end + 4..]);
            }
            if self.stream.read_buf(&mut answer).await.map_err(failed())? == 0 {
                return Err(BenchError::refused("upgrade", &answer));
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), BenchError> {
        let (inbox, mut control) = (&mut self.inbox, None);
        let fed = self.frames.feed(bytes, |opcode, payload| match opcode {
            PING | CLOSE => control = Some((opcode, payload.to_vec())),
            PONG => {}
            _ => inbox.push_back(payload.to_vec()),
        });
        fed.map_err(|error| BenchError::Framing { peer: self.peer, what: error.to_string() })?;
        match control {
            Some((CLOSE, reason)) => Err(BenchError::refused("the connection", &reason)),
            _ => Ok(()),
        }
    }

    /// Logs `user` in with a fresh signature, or with the token of an earlier login.
    pub(crate) async fn login(
        &mut self,
        secret: &str,
        user: &str,
        token: Option<&Credentials>,
    ) -> Result<Credentials, BenchError> {
        let sig = usersig::sign(&SignRequest {
            app: self.app,
            user,
            key: secret,
            now: UnixSeconds(clock::unix_seconds()),
            expire_s: SIGNATURE_SECONDS,
            userbuf: None,
        });
        let identity = token.map_or(Identity::Signature { user, sig: &sig }, Identity::Token);
        let answer = self.call(identity, wire::LOGIN, wire::LOGIN_BODY).await?;
        wire::body(wire::LOGIN, &answer)
    }

    /// Sends one request and returns its answer; pushes that arrive meanwhile are dropped.
    pub(crate) async fn call(
        &mut self,
        identity: Identity<'_>,
        command: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, BenchError> {
        self.seq += 1;
        let (seq, mut request) = (self.seq, Vec::new());
        wire::put_request(&mut request, self.app.0, identity, command, seq, body);
        self.send(&request).await?;
        self.answer(command, seq).await
    }

    /// Writes one binary frame.
    pub(crate) async fn send(&mut self, payload: &[u8]) -> Result<(), BenchError> {
        let mut frame = Vec::with_capacity(payload.len() + 8);
        put_frame(&mut frame, Side::Client, BINARY, payload);
        self.stream.write_all(&frame).await.map_err(BenchError::io("write a request"))
    }

    /// Waits for the answer to the request `command`, `seq`; an error code in it is an error here.
    pub(crate) async fn answer(&mut self, command: &str, seq: u32) -> Result<Vec<u8>, BenchError> {
        let answer = timeout(ANSWER_WAIT, self.read_answer(command, seq)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(BenchError::TimedOut {
                what: format!("the answer to {command}"),
                seconds: ANSWER_WAIT.as_secs(),
            })
        })?;
        match wire::number_after(&answer, b"\"ErrorCode\":") {
            None | Some(0) => Ok(answer),
            Some(_) => Err(BenchError::refused(command, &answer)),
        }
    }

    async fn read_answer(&mut self, command: &str, seq: u32) -> Result<Vec<u8>, BenchError> {
        let command = format!("\"servcmd\":\"{command}\"");
        loop {
            let frame = self.next_frame().await?;
            let mine = wire::number_after(&frame, b"\"seq\":") == Some(u64::from(seq));
            if mine && find(&frame, command.as_bytes()).is_some() {
                return Ok(frame);
            }
        }
    }

    /// Waits, without a limit, for the next data frame.
    pub(crate) async fn next_frame(&mut self) -> Result<Vec<u8>, BenchError> {
        loop {
            if let Some(frame) = self.inbox.pop_front() {
                return Ok(frame);
            }
            let mut piece = Vec::with_capacity(16 * 1024);
            let read = self.stream.read_buf(&mut piece).await;
            if read.map_err(BenchError::io("read an answer"))? == 0 {
                return Err(BenchError::Server(format!("{} closed the connection", self.peer)));
            }
            self.take(&piece)?;
        }
    }

    /// Gives the socket away, with what has been read of it but not yet looked at.
    pub(crate) fn into_parts(self) -> (TcpStream, FrameReader) {
        (self.stream, self.frames)
    }
}
