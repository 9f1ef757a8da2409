//! The gateway: JSON frames over WebSocket, for clients.
//!
//! A connection is one task on its shard. It reads requests, starts each on a task of its own (in the
//! order of arrival, so that what a client sends one after another is stored in that order), and writes
//! what the hub has queued, as many frames in one write as are there. Requests are authenticated by
//! what they carry, not by the socket: after a reconnect a client repeats its unanswered requests
//! before it logs in again.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use teahouse_core::app::App;
use teahouse_core::caller::{Caller, Identity, Who};
use teahouse_core::error::Outcome;
use teahouse_core::hub::{CloseReason, Connection, Turn};
use teahouse_core::operation::{Access, Served, family};
use teahouse_core::session::{self, Credentials};
use teahouse_proto::envelope::{envelope, error_envelope};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::frame::{self, ConnectQuery};
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::connection::ClientStream;
use crate::frames::{self, Opcode};
use crate::http::{self, Answer};
use crate::rest::said;
use crate::serve::Server;
use crate::shard::Shard;
use crate::telemetry::{self, Face};

/// A client that does not take a single byte for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle connections are most of the memory: buffers start small. Most requests fit.
const READ_BUFFER_BYTES: usize = 1024;
/// Clients close with this code when they are about to connect anew.
const CLOSE_BEFORE_RECONNECT: u16 = 4001;
/// Places for frames that a connection keeps between two writes.
const FRAMES_KEPT: usize = 8;

/// Whether the server answers on this path with binary or with text frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Binary,
    Text,
}

impl Framing {
    /// `…/binfo` or `…/info`, below any prefix.
    fn of(path: &str) -> Option<Self> {
        match path.rsplit('/').next() {
            Some("binfo") => Some(Self::Binary),
            Some("info") => Some(Self::Text),
            Some(_) | None => None,
        }
    }

    fn opcode(self) -> Opcode {
        match self {
            Self::Binary => Opcode::Binary,
            Self::Text => Opcode::Text,
        }
    }
}

/// Whether a request wants to become a WebSocket.
pub(crate) fn is_upgrade(request: &Request<Incoming>) -> bool {
    names(request.headers(), header::UPGRADE, "websocket")
        && names(request.headers(), header::CONNECTION, "upgrade")
}

fn names(headers: &HeaderMap, header: header::HeaderName, word: &str) -> bool {
    let says = |value: &HeaderValue| {
        value
            .to_str()
            .is_ok_and(|v| v.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    headers.get_all(header).iter().any(says)
}

/// Accepts a client: checks what its address says, answers 101, and serves the socket from then on.
pub(crate) fn upgrade(
    server: Arc<Server>,
    shard: Arc<Shard>,
    mut request: Request<Incoming>,
) -> Answer {
    let Some(framing) = Framing::of(request.uri().path()) else {
        return http::text(StatusCode::NOT_FOUND, "the gateway is at /binfo and /info\n");
    };
    let version = request.headers().get(header::SEC_WEBSOCKET_VERSION);
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned();
    let Some(key) = key.filter(|_| version.is_some_and(|version| version == "13")) else {
        return http::text(
            StatusCode::BAD_REQUEST,
            "a WebSocket handshake of version 13 is needed\n",
        );
    };
    let query = match ConnectQuery::parse(request.uri().query().unwrap_or_default()) {
        Ok(query) => query,
        Err(problem) => return http::text(StatusCode::BAD_REQUEST, format!("{problem}\n")),
    };
    let Some(app) = server.node.app(query.sdkappid) else {
        let sentence = format!("there is no app with SDKAppID {}\n", query.sdkappid);
        return http::text(StatusCode::FORBIDDEN, sentence);
    };
    let accepted = derive_accept_key(key.as_bytes());
    let peer = http::peer(&request);
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(upgraded) => {
                let hyper::upgrade::Parts { io, read_buf, .. } = upgraded
                    .downcast::<TokioIo<ClientStream>>()
                    .expect("every connection is served on a ClientStream");
                // The buffer itself goes: it is 8 KiB, and this task lives as long as the connection.
                let read = read_buf.to_vec();
                drop(read_buf);
                let stream = WebSocketStream::from_partially_read(
                    io.into_inner(),
                    read,
                    Role::Server,
                    Some(socket_config(server.config.frame_bytes_max)),
                )
                .await;
                Client::new(server, shard, app, framing, &query, peer).serve(stream).await;
            }
            Err(problem) => tracing::debug!(%problem, "a client left during the handshake"),
        }
    });
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let accepted = HeaderValue::from_str(&accepted).expect("base64 is a header value");
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
    answer
}

fn socket_config(frame_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        // Only answers to control frames go through the library.
        .write_buffer_size(0)
        .max_message_size(Some(frame_bytes_max))
        .max_frame_size(Some(frame_bytes_max))
}

/// One connected client.
struct Client {
    server: Arc<Server>,
    shard: Arc<Shard>,
    app: Arc<App>,
    framing: Framing,
    connection: Arc<Connection>,
    in_flight: Arc<InFlight>,
}

/// Requests of one connection under way: bounded, so that one client cannot queue up work.
#[derive(Default)]
struct InFlight {
    count: AtomicUsize,
    fell: Notify,
}

type Socket = WebSocketStream<ClientStream>;

impl Client {
    fn new(
        server: Arc<Server>,
        shard: Arc<Shard>,
        app: Arc<App>,
        framing: Framing,
        query: &ConnectQuery,
        peer: Option<IpAddr>,
    ) -> Self {
        let connection = Connection::new(
            query.instance_id.clone(),
            query.platform,
            // Compressed frames are binary by nature.
            query.compress && framing == Framing::Binary,
            shard.number,
            app.facts().settings.gateway_send_queue_bytes as usize,
            peer,
            server.node.now(),
        );
        Self { server, shard, app, framing, connection, in_flight: Arc::default() }
    }

    async fn serve(self, mut socket: Socket) {
        let seat = self.shard.seat(self.app.clone(), self.connection.clone());
        let ended = self.run(&mut socket).await;
        if let Err(problem) = &ended {
            tracing::debug!(%problem, "a client's connection broke");
        }
        if let Ok(Some(reason)) = ended {
            metrics::counter!("teahouse_connections_closed_total", "reason" => reason.name())
                .increment(1);
            let close = CloseFrame { code: close_code(reason), reason: reason.name().into() };
            // The client may be gone, or not listen any more: then it does not need to know.
            let _ = tokio::time::timeout(WRITE_TIMEOUT, socket.close(Some(close))).await;
        }
        drop(seat);
        session::disconnected(&self.server.node, &self.connection).await;
    }

    /// Reads and writes until one side ends it.
    async fn run(&self, socket: &mut Socket) -> Result<Option<CloseReason>, tungstenite::Error> {
        let mut frames = Vec::new();
        loop {
            let may_read = self.in_flight.count.load(Ordering::Relaxed)
                < self.server.config.requests_in_flight_max;
            tokio::select! {
                received = socket.next(), if may_read => match received {
                    Some(message) => {
                        if !self.receive(message?) {
                            return Ok(None);
                        }
                    }
                    None => return Ok(None),
                },
                () = self.in_flight.fell.notified(), if !may_read => {}
                () = self.connection.queue().ready() => {
                    // One commit acknowledges many messages: whoever else has something for this socket
                    // goes first, so that one write takes it all. Without load this costs nothing.
                    tokio::task::yield_now().await;
                    let closed = self.connection.queue().take(&mut frames);
                    let slow = closed == Some(CloseReason::SlowReader);
                    if !slow && !self.write(socket, &mut frames).await? {
                        return Ok(Some(CloseReason::SlowReader));
                    }
                    if closed.is_some() {
                        return Ok(closed);
                    }
                }
            }
        }
    }

    /// Writes all frames at once; says whether the client took them in time.
    async fn write(
        &self,
        socket: &mut Socket,
        frames: &mut Vec<Bytes>,
    ) -> Result<bool, tungstenite::Error> {
        let all = async {
            // What the library has begun to write (an answer to a ping) ends first.
            socket.flush().await?;
            frames::write(socket.get_mut(), self.framing.opcode(), frames).await?;
            if frames.capacity() > FRAMES_KEPT {
                *frames = Vec::new();
            }
            Ok(())
        };
        match tokio::time::timeout(WRITE_TIMEOUT, all).await {
            Ok(written) => written.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Handles what was received; says whether the connection goes on.
    fn receive(&self, message: Message) -> bool {
        self.connection.heard(self.server.node.now());
        match message {
            Message::Text(text) => self.request(text.as_bytes()),
            Message::Binary(bytes) => self.request(&bytes),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            Message::Close(frame) => {
                if frame.is_none_or(|frame| u16::from(frame.code) != CLOSE_BEFORE_RECONNECT) {
                    self.connection.leave();
                }
                return false;
            }
        }
        true
    }

    fn request(&self, bytes: &[u8]) {
        let request = match frame::Request::parse(bytes) {
            Ok(request) => request,
            Err(problem) => {
                tracing::debug!(%problem, "a frame is not a request");
                metrics::counter!("teahouse_frames_malformed_total").increment(1);
                return;
            }
        };
        let Some(served) = self.server.node.registry().gateway(&request.servcmd) else {
            let code = family(&request.servcmd).unknown_command;
            let error = Error::with(code, format!("{} is not served", request.servcmd));
            return reply(&self.connection, &request.servcmd, request.seq, None, Err(error));
        };
        self.in_flight.count.fetch_add(1, Ordering::Relaxed);
        let call = Call {
            server: self.server.clone(),
            app: self.app.clone(),
            connection: self.connection.clone(),
            in_flight: self.in_flight.clone(),
            operation: served.index,
            servcmd: request.servcmd.into_owned(),
            seq: request.seq,
            credentials: Credentials {
                identifier: request.identifier.into_owned(),
                usersig: request.usersig.into_owned(),
            },
            token: request.a2.into_owned(),
            body: request.body.get().to_owned(),
            _working: self.server.work.start(),
        };
        let other_app = request.sdkappid.0 != 0 && request.sdkappid != self.app.id();
        tokio::spawn(call.run(other_app));
    }
}

fn close_code(reason: CloseReason) -> CloseCode {
    match reason {
        CloseReason::SlowReader => CloseCode::Policy,
        CloseReason::Silent | CloseReason::Replaced | CloseReason::Gone => CloseCode::Normal,
        CloseReason::Shutdown => CloseCode::Restart,
    }
}

fn reply(
    connection: &Connection,
    servcmd: &str,
    seq: u64,
    served: Option<&Served>,
    outcome: Result<String, Error>,
) {
    telemetry::count_request(Face::Gateway, outcome.as_ref().err());
    let display = served.is_some_and(|served| served.family.error_display);
    let body = match outcome {
        Ok(fields) => envelope(&fields, display),
        Err(error) => error_envelope(&error, display),
    };
    connection.reply(frame::reply(servcmd, seq, body));
}

/// One request under way.
struct Call {
    server: Arc<Server>,
    app: Arc<App>,
    connection: Arc<Connection>,
    in_flight: Arc<InFlight>,
    operation: usize,
    servcmd: String,
    seq: u64,
    credentials: Credentials,
    token: String,
    body: String,
    /// Given back when this is dropped.
    _working: crate::env::Working,
}

impl Drop for Call {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // This request is lost; the connection, and what waited for it, are not.
            self.connection.sync_failed();
            let error = Error::new(ErrorCode::ServiceTimeout);
            reply(&self.connection, &self.servcmd, self.seq, None, Err(error));
        }
        self.in_flight.count.fetch_sub(1, Ordering::Relaxed);
        self.in_flight.fell.notify_one();
    }
}

impl Call {
    async fn run(self, other_app: bool) {
        let served = self.server.node.registry().at(self.operation);
        // Taken first of all: everything before an operation's own place can wait for the store, and
        // what waits can be overtaken.
        let turn = if served.about.in_order { Some(self.connection.turn().await) } else { None };
        let outcome = self.answer(served, other_app, turn).await;
        if !served.about.one_way {
            reply(&self.connection, &self.servcmd, self.seq, Some(served), outcome);
        }
    }

    async fn answer(
        &self,
        served: &Served,
        other_app: bool,
        turn: Option<Turn>,
    ) -> Result<String, Error> {
        if other_app {
            return Err(ErrorCode::DifferentApps.into());
        }
        let who = self.who(served).await.map_err(|failure| said(failure, served.family))?;
        let caller = Caller::new(self.server.node.clone(), self.app.clone(), who);
        let caller = match turn {
            Some(turn) => caller.in_turn(turn),
            None => caller,
        };
        served.run(caller, &self.body).await
    }

    /// Who asks, by what the request itself carries.
    async fn who(&self, served: &Served) -> Outcome<Who> {
        let node = &self.server.node;
        if !self.token.is_empty() {
            let identity =
                session::check_token(node, &self.app, &self.connection, &self.token).await;
            return match identity {
                Ok(identity) => Ok(Who::User(identity)),
                // A heartbeat goes on with a dead token after a logout, and a kicked client says goodbye.
                Err(_) if served.about.access == Access::Anyone && !self.is_login() => {
                    Ok(self.guest())
                }
                Err(refused) => Err(refused),
            };
        }
        if served.about.access == Access::Anyone {
            return Ok(self.guest());
        }
        let Credentials { identifier, usersig } = &self.credentials;
        let (user, verified) = session::check_usersig(node, &self.app, identifier, usersig).await?;
        let expires = verified.expires_at;
        let connection = self.connection.clone();
        let tiny_id = session::tiny_id(node, &self.app, &user).await?;
        let issued = node.now();
        Ok(Who::User(Identity { user, tiny_id, inst_id: 0, issued, expires, connection }))
    }

    fn is_login(&self) -> bool {
        self.servcmd == "im_open_status.wslogin"
    }

    fn guest(&self) -> Who {
        Who::Guest { connection: self.connection.clone(), credentials: self.credentials.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_prefix_leads_to_the_gateway() {
        assert_eq!(Framing::of("/binfo"), Some(Framing::Binary));
        assert_eq!(Framing::of("/chat/v1/binfo"), Some(Framing::Binary));
        assert_eq!(Framing::of("/x/info"), Some(Framing::Text));
        for other in ["/", "/binfo/", "/binfox", ""] {
            assert_eq!(Framing::of(other), None, "{other}");
        }
    }
}
