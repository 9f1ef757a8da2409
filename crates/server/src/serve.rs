//! `teahouse serve`: puts a server together, runs it, and takes it apart again.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use teahouse_core::commands;
use teahouse_core::hub::CloseReason;
use teahouse_core::node::Node;
use teahouse_proto::ids::SdkAppId;
use teahouse_store::Embedded;
use teahouse_store::embedded::Options;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use crate::cli::{NewApp, ServeArgs};
use crate::config::Config;
use crate::control::{self, ControlFile, random_secret};
use crate::env::{self, Work};
use crate::shard::{Handle, Shard};
use crate::try_it::TryIt;
use crate::{Failure, say, telemetry, tls};

/// What every face of one process shares.
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) node: Arc<Node>,
    pub(crate) store: Arc<Embedded>,
    pub(crate) work: Work,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) control_token: String,
    pub(crate) try_it: TryIt,
    ready: AtomicBool,
}

impl Server {
    /// Accepts requests, and is not about to stop.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

/// The first app of `--dev`.
const DEV_APP: SdkAppId = SdkAppId(1_400_000_000);
/// Any free port of this machine itself.
const CONTROL_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const TICK: Duration = Duration::from_secs(1);
/// A failed accept (no descriptors left) is tried again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that may wait to be accepted, as far as the kernel allows (`somaxconn`). One that does not
/// fit is tried again by its client after 1 s, then 2 s, 4 s and so on: when all come back at once, a short
/// line makes the last of them wait for a minute.
const BACKLOG: u32 = 65_535;

/// Where the store is below the data directory.
pub(crate) fn store_dir(data: &Path) -> PathBuf {
    data.join("store")
}

/// Runs a server until it is told to stop.
pub(crate) fn run(args: ServeArgs) -> Result<(), Failure> {
    let config = Config::load(&args)?;
    telemetry::start_logs(&config)?;
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|problem| Failure(format!("the runtime does not start: {problem}")))?;
    runtime.block_on(serve(config, &args.apps, args.dev))
}

/// Every connection is a descriptor, and what a process may have at first is often 1,024: it may raise
/// that itself as far as its administrator allows.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(problem) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%problem, "the limit of open files stays as it is");
    }
}

async fn serve(config: Config, apps: &[NewApp], dev: bool) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let metrics = telemetry::start_metrics()?;
    let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
    // The address first: a server that cannot be reached does not touch the data.
    let listener = listen(config.listen)?;
    let address =
        listener.local_addr().map_err(|problem| cannot_listen(config.listen, &problem))?;
    let store = Arc::new(open_store(&config.data)?);
    let work = Work::default();
    let environment = env::system(&work, config.node_number, config.shard_count());
    let node = Node::open(environment, store.clone(), commands::registry())
        .await
        .map_err(|problem| Failure(format!("{}: {problem}", config.data.display())))?;
    let server = Arc::new(Server {
        node,
        store,
        work,
        metrics,
        tls,
        control_token: random_secret(),
        try_it: TryIt::new(dev, address),
        ready: AtomicBool::new(true),
        config,
    });
    for app in apps {
        create_app(&server, app.id, &app.secret).await?;
    }
    let control_listener = listen(CONTROL_LISTEN)?;
    let control_address =
        control_listener.local_addr().map_err(|problem| cannot_listen(CONTROL_LISTEN, &problem))?;
    let control_file = ControlFile::write(&server.config.data, control_address, &server)?;
    let shards = (0..server.config.shard_count())
        .map(|number| Shard::start(server.clone(), number))
        .collect::<Result<Vec<_>, _>>()?;
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    if dev {
        introduce(&server, scheme, address).await?;
    }
    say(format!("ready {scheme}://{address}"))?;
    let ticking = tokio::spawn(tick(server.node.clone()));
    let pacing = tokio::spawn(run_due(server.node.clone()));
    let mut next = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => hand_over(&shards, &mut next, accepted).await,
            accepted = control_listener.accept() => match accepted {
                Ok((socket, _)) => drop(tokio::spawn(control::serve(server.clone(), socket))),
                Err(problem) => tracing::warn!(%problem, "a control connection was not accepted"),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    // Whatever it was about is taken up again by the next start, or saved by `stop`.
    ticking.abort();
    pacing.abort();
    drop(listener);
    drop(control_file);
    stop(&server, shards).await
}

async fn tick(node: Arc<Node>) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        node.tick().await;
    }
}

/// Does what is due within the second, when it is due.
async fn run_due(node: Arc<Node>) {
    loop {
        let Some(wait) = node.next_due() else {
            node.due_changed().await;
            continue;
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => node.run_due(),
            () = node.due_changed() => {}
        }
    }
}

fn no_signals(problem: std::io::Error) -> Failure {
    Failure(format!("signals cannot be received: {problem}"))
}

fn cannot_listen(address: SocketAddr, problem: &std::io::Error) -> Failure {
    if problem.kind() == ErrorKind::AddrInUse {
        return Failure(format!("{address} is taken by another process"));
    }
    Failure(format!("cannot listen on {address}: {problem}"))
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let open = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|problem: std::io::Error| cannot_listen(address, &problem))
}

/// Opens the store below the data directory. A directory with other things in it is not ours.
fn open_store(data: &Path) -> Result<Embedded, Failure> {
    let at = |problem: std::io::Error| Failure(format!("{}: {problem}", data.display()));
    std::fs::create_dir_all(data).map_err(at)?;
    let store = store_dir(data);
    if !store.exists() {
        let is_ours = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.is_ok_and(|entry| entry.file_name() == ControlFile::NAME)
        };
        if !std::fs::read_dir(data).map_err(at)?.all(is_ours) {
            let sentence = "is not empty and is not a teahouse data directory";
            return Err(Failure(format!("{} {sentence}", data.display())));
        }
    }
    Embedded::open(&store, &Options::default()).map_err(Failure::new)
}

async fn create_app(server: &Server, id: SdkAppId, secret: &str) -> Result<(), Failure> {
    match server.node.create_app(id, secret).await {
        Ok(_) => Ok(()),
        Err(problem) => Err(Failure(format!("app {id}: {problem}"))),
    }
}

/// What a newcomer needs to know.
async fn introduce(server: &Arc<Server>, scheme: &str, address: SocketAddr) -> Result<(), Failure> {
    if server.node.apps().is_empty() {
        create_app(server, DEV_APP, &random_secret()).await?;
    }
    let app = &server.node.apps()[0];
    let facts = app.facts();
    let secret = facts.keys.first().map_or("", String::as_str);
    let socket = scheme.replacen("http", "ws", 1);
    say(format!(
        "page      {scheme}://{address}/\nSDKAppID  {}\nsecret    {secret}\nREST      {scheme}://{address}/v4/{{service}}/{{command}}\n\
         client    {socket}://{address}   (proxyServer of the web SDK)\nmetrics   {scheme}://{address}/metrics",
        app.id()
    ))
}

/// Gives an accepted socket to the next shard.
async fn hand_over(
    shards: &[Handle],
    next: &mut usize,
    accepted: std::io::Result<(tokio::net::TcpStream, SocketAddr)>,
) {
    let socket = match accepted.and_then(|(socket, _)| socket.into_std()) {
        Ok(socket) => socket,
        Err(problem) => {
            tracing::warn!(%problem, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            return;
        }
    };
    *next = (*next + 1) % shards.len();
    send(&shards[*next], socket).await;
}

async fn send(shard: &Handle, socket: TcpStream) {
    if shard.sockets.send(socket).await.is_err() {
        tracing::error!("a shard has ended; the connection is dropped");
    }
}

/// Ends connections, waits for what is under way, saves what is only in memory.
async fn stop(server: &Arc<Server>, shards: Vec<Handle>) -> Result<(), Failure> {
    tracing::info!("stopping");
    server.ready.store(false, Ordering::Relaxed);
    server.try_it.end().await;
    server.node.stop_hooks().await;
    shards.iter().for_each(|handle| handle.shard.close_all(CloseReason::Shutdown));
    let drained = tokio::time::timeout(server.config.drain_timeout(), server.work.finished()).await;
    if drained.is_err() {
        tracing::warn!("some requests did not end in time and are dropped");
    }
    server.node.stop_hooks().await;
    server.node.save_all_marks().await;
    let store = server.store.clone();
    let closed = tokio::task::spawn_blocking(move || {
        shards.into_iter().for_each(Handle::stop);
        store.close();
    });
    closed.await.map_err(|problem| Failure(format!("the store did not close: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_may_wait_to_be_accepted() {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        // Nobody accepts. Who does not fit would have to try again, and not fit then either.
        let mut waiting = Vec::new();
        for number in 0..300 {
            let dial = tokio::net::TcpStream::connect(address);
            let dialled = tokio::time::timeout(Duration::from_secs(10), dial).await;
            waiting.push(dialled.unwrap_or_else(|_| panic!("number {number} found no place")));
        }
        assert!(waiting.iter().all(Result::is_ok));
    }
}
