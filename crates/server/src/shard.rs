//! A shard: one thread with one single-threaded runtime and its own sockets. Nothing moves between
//! shards, so a connection's tasks run in order and without locks that others hold.

use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use teahouse_core::app::App;
use teahouse_core::hub::{CloseReason, Connection};
use teahouse_proto::platform::PlatformKind;
use teahouse_proto::time::UnixMillis;
use tokio::sync::mpsc;

use crate::Failure;
use crate::connection::ClientStream;
use crate::http::Peer;
use crate::serve::Server;

/// Accepted sockets that wait for a shard: more than the kernel's own queue would hold.
const ACCEPTED_MAX: usize = 4_096;
/// How often silent connections are looked for. One look a shard, no timer a connection.
const SWEEP: Duration = Duration::from_secs(5);
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

type Seats = HashMap<u64, (Arc<App>, Arc<Connection>)>;

/// The gateway connections of one shard.
#[derive(Default)]
pub(crate) struct Shard {
    /// As the hub counts them.
    pub(crate) number: usize,
    connections: Mutex<Seats>,
    last_seat: AtomicU64,
}

/// A connection's place in its shard, given back when it is dropped.
pub(crate) struct Seat {
    shard: Arc<Shard>,
    number: u64,
}

/// A running shard, from outside.
pub(crate) struct Handle {
    pub(crate) sockets: mpsc::Sender<TcpStream>,
    pub(crate) shard: Arc<Shard>,
    thread: std::thread::JoinHandle<()>,
}

impl Handle {
    /// Ends the shard: its runtime goes when all senders of sockets are gone.
    pub(crate) fn stop(self) {
        drop(self.sockets);
        if self.thread.join().is_err() {
            tracing::error!("a shard's thread panicked");
        }
    }
}

impl Shard {
    /// Starts a shard's thread.
    pub(crate) fn start(server: Arc<Server>, number: usize) -> Result<Handle, Failure> {
        let (sockets, accepted) = mpsc::channel(ACCEPTED_MAX);
        let shard = Arc::new(Self { number, ..Self::default() });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|problem| Failure(format!("a shard does not start: {problem}")))?;
        let own = shard.clone();
        let thread = std::thread::Builder::new()
            .name(format!("shard-{number}"))
            .spawn(move || runtime.block_on(own.run(server, accepted)))
            .map_err(|problem| Failure(format!("a shard's thread does not start: {problem}")))?;
        Ok(Handle { sockets, shard, thread })
    }

    async fn run(self: Arc<Self>, server: Arc<Server>, mut accepted: mpsc::Receiver<TcpStream>) {
        let hub = server.node.clone();
        let number = self.number;
        tokio::spawn(async move { hub.hub().fan_out(number).await });
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                socket = accepted.recv() => match socket {
                    Some(socket) => {
                        tokio::spawn(serve_socket(server.clone(), self.clone(), socket));
                    }
                    None => return,
                },
                _ = sweep.tick() => self.close_silent(server.node.now()),
            }
        }
    }

    /// Takes a connection in.
    pub(crate) fn seat(self: &Arc<Self>, app: Arc<App>, connection: Arc<Connection>) -> Seat {
        let number = self.last_seat.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, (app, connection));
        metrics::gauge!("teahouse_connections").increment(1.0);
        Seat { shard: self.clone(), number }
    }

    /// Ends every connection, for `reason`.
    pub(crate) fn close_all(&self, reason: CloseReason) {
        self.lock().values().for_each(|(_, connection)| connection.queue().close(reason));
    }

    fn close_silent(&self, now: UnixMillis) {
        for (app, connection) in self.lock().values() {
            let settings = &app.facts().settings;
            let timeout_s = match connection.platform.kind() {
                PlatformKind::Web => settings.presence_web_timeout_s,
                PlatformKind::Mobile | PlatformKind::Pad | PlatformKind::Desktop => {
                    settings.presence_native_timeout_s
                }
            };
            if now.since(connection.last_heard()) > Duration::from_secs(timeout_s.into()) {
                connection.queue().close(CloseReason::Silent);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seats> {
        self.connections.lock().expect("bookkeeping of connections does not panic")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shard.lock().remove(&self.number);
        metrics::gauge!("teahouse_connections").decrement(1.0);
    }
}

async fn serve_socket(server: Arc<Server>, shard: Arc<Shard>, socket: TcpStream) {
    let peer = socket.peer_addr().ok().map(|address| Peer(address.ip().to_canonical()));
    let Some(stream) = open(&server, socket).await else { return };
    let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        peer.map(|peer| request.extensions_mut().insert(peer));
        crate::http::answer(server.clone(), shard.clone(), request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(problem) = served {
        tracing::debug!(%problem, "an HTTP connection broke");
    }
}

async fn open(server: &Server, socket: TcpStream) -> Option<ClientStream> {
    // Frames are gathered before they are written; waiting for more would only add latency.
    let socket = socket.set_nodelay(true).and_then(|()| tokio::net::TcpStream::from_std(socket));
    let socket = match socket {
        Ok(socket) => socket,
        Err(problem) => {
            tracing::warn!(%problem, "an accepted socket cannot be used");
            return None;
        }
    };
    let Some(tls) = &server.tls else { return Some(ClientStream::Plain(socket)) };
    match tokio::time::timeout(TLS_TIMEOUT, tls.accept(socket)).await {
        Ok(Ok(stream)) => Some(ClientStream::Tls(Box::new(stream.into()))),
        Ok(Err(problem)) => {
            tracing::debug!(%problem, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}
