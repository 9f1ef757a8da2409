//! Calls of applications' own servers: HTTP with kept connections, TLS, and a guard of where they go.

mod guard;

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use teahouse_core::hook::{ANSWER_BYTES_MAX, Endpoints, Post, PostError};
use teahouse_proto::ids::SdkAppId;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::connection::ClientStream;
use crate::tls;
use guard::Reach;

/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_secs(15);
/// Connections without a request that are kept for one host.
const IDLE_MAX: usize = 64;

/// Looks a name up.
type Resolve = dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// The client of all apps. Connections are kept apart by app: what one may reach, another may not.
pub(crate) struct Outgoing {
    resolve: Arc<Resolve>,
    clients: Mutex<HashMap<SdkAppId, Kept>>,
}

/// The client of one app, and what it was made with.
struct Kept {
    allow_private: bool,
    client_certificate: Arc<str>,
    client: Client<Connector, Full<Bytes>>,
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        Self::with(Arc::new(|host, port| {
            async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }.boxed()
        }))
    }

    fn with(resolve: Arc<Resolve>) -> Self {
        Self { resolve, clients: Mutex::default() }
    }

    /// The client of the post's app, made anew when its settings have changed.
    fn client(&self, post: &Post) -> Result<Client<Connector, Full<Bytes>>, PostError> {
        let mut clients = self.clients.lock().expect("no panic while held");
        let is_current = |kept: &&Kept| {
            kept.allow_private == post.allow_private
                && kept.client_certificate == post.client_certificate
        };
        if let Some(kept) = clients.get(&post.app).filter(is_current) {
            return Ok(kept.client.clone());
        }
        let tls = tls::client(&post.client_certificate)
            .map_err(|problem| PostError::Unreachable(problem.0))?;
        let connector = Connector {
            allow_private: post.allow_private,
            resolve: self.resolve.clone(),
            tls: Arc::new(tls),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        let kept = Kept {
            allow_private: post.allow_private,
            client_certificate: post.client_certificate.clone(),
            client: client.clone(),
        };
        clients.insert(post.app, kept);
        Ok(client)
    }
}

impl Endpoints for Outgoing {
    fn post(&self, post: Post) -> BoxFuture<'static, Result<Bytes, PostError>> {
        let client = self.client(&post);
        async move {
            let client = client?;
            match tokio::time::timeout(post.timeout, call(&client, post)).await {
                Ok(answer) => answer,
                Err(_) => Err(PostError::TimedOut),
            }
        }
        .boxed()
    }
}

async fn call(client: &Client<Connector, Full<Bytes>>, post: Post) -> Result<Bytes, PostError> {
    let mut request = Request::post(&post.url).header(CONTENT_TYPE, "application/json");
    for (name, value) in &post.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Full::from(post.body))
        .map_err(|problem| PostError::Unreachable(format!("webhook.url: {problem}")))?;
    let answer = client.request(request).await.map_err(|problem| why(&problem))?;
    if answer.status() != StatusCode::OK {
        return Err(PostError::Status(answer.status().as_u16()));
    }
    match Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(problem) if problem.is::<LengthLimitError>() => {
            Err(PostError::Malformed(format!("it is longer than {ANSWER_BYTES_MAX} bytes")))
        }
        Err(problem) => Err(PostError::Broken(problem.to_string())),
    }
}

/// What has happened, from the innermost cause: the outer ones say only that something has.
fn why(problem: &ClientError) -> PostError {
    let mut cause: &dyn StdError = problem;
    loop {
        if let Some(Forbidden(address)) = cause.downcast_ref() {
            return PostError::Forbidden(address.clone());
        }
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    let info = cause.to_string();
    if problem.is_connect() { PostError::Unreachable(info) } else { PostError::Broken(info) }
}

/// No address of the host may be called.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Forbidden(String);

/// Connects where the guard allows it.
#[derive(Clone)]
struct Connector {
    allow_private: bool,
    resolve: Arc<Resolve>,
    tls: Arc<ClientConfig>,
}

type ConnectError = Box<dyn StdError + Send + Sync>;

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<ClientStream>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        async move { connector.connect(&uri).await.map(TokioIo::new) }.boxed()
    }
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<ClientStream, ConnectError> {
        let is_tls = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or("the address names no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let found = (self.resolve)(host.to_owned(), port).await?;
        let socket = self.connect_to(host, found).await?;
        socket.set_nodelay(true)?;
        if !is_tls {
            return Ok(ClientStream::Plain(socket));
        }
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, socket).await?;
        Ok(ClientStream::Tls(Box::new(stream.into())))
    }

    async fn connect_to(
        &self,
        host: &str,
        found: Vec<SocketAddr>,
    ) -> Result<TcpStream, ConnectError> {
        let mut problem: ConnectError = format!("{host} has no address").into();
        for address in found {
            match guard::reach(address.ip()) {
                Reach::Public => {}
                Reach::Private if self.allow_private => {}
                Reach::Private | Reach::Never => {
                    problem = Forbidden(format!("{host} is {}", address.ip())).into();
                    continue;
                }
            }
            match TcpStream::connect(address).await {
                Ok(socket) => return Ok(socket),
                Err(failed) => problem = failed.into(),
            }
        }
        Err(problem)
    }
}

impl Connection for ClientStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

    /// Answers every request with `answer`, and ends the connection.
    async fn answering(answer: String) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 4096];
                if socket.read(&mut request).await.is_ok() {
                    // Who has gone away needs no answer.
                    let _ = socket.write_all(answer.as_bytes()).await;
                }
            }
        });
        port
    }

    fn post(port: u16) -> Post {
        Post {
            app: SdkAppId(7),
            url: format!("http://tea.example:{port}/hook"),
            headers: Vec::new(),
            body: Bytes::from_static(b"{}"),
            timeout: Duration::from_secs(20),
            allow_private: true,
            client_certificate: Arc::from(""),
        }
    }

    /// A client for which the name leads to these addresses, one look-up after the other.
    fn resolving(addresses: &'static [Ipv4Addr]) -> Outgoing {
        let looked_up = AtomicUsize::new(0);
        Outgoing::with(Arc::new(move |_, port| {
            let nth = looked_up.fetch_add(1, Ordering::Relaxed);
            let address = addresses[nth.min(addresses.len() - 1)];
            std::future::ready(Ok(vec![SocketAddr::new(IpAddr::V4(address), port)])).boxed()
        }))
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_the_next_time_gets_nobody_there() {
        let port = answering(ANSWER.to_owned()).await;
        const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
        let outgoing = resolving(&[Ipv4Addr::LOCALHOST, METADATA]);
        assert_eq!(outgoing.post(post(port)).await, Ok(Bytes::from_static(b"{}")));
        let second = outgoing.post(post(port)).await;
        let why = "tea.example is 169.254.169.254".to_owned();
        assert_eq!(second, Err(PostError::Forbidden(why)));
    }

    #[tokio::test]
    async fn what_one_app_may_reach_another_may_not() {
        let port = answering(ANSWER.to_owned()).await;
        let outgoing = resolving(&[Ipv4Addr::LOCALHOST]);
        assert!(outgoing.post(post(port)).await.is_ok());
        let other = Post { app: SdkAppId(8), allow_private: false, ..post(port) };
        assert!(matches!(outgoing.post(other).await, Err(PostError::Forbidden(_))));
        let stricter = Post { allow_private: false, ..post(port) };
        assert!(matches!(outgoing.post(stricter).await, Err(PostError::Forbidden(_))));
    }

    #[tokio::test]
    async fn answers_are_bounded_and_only_200_is_one() {
        let outgoing = resolving(&[Ipv4Addr::LOCALHOST]);
        let with = |length: usize| {
            let body = "x".repeat(length);
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
        };
        let longest = answering(with(ANSWER_BYTES_MAX)).await;
        assert_eq!(outgoing.post(post(longest)).await.map(|body| body.len()), Ok(ANSWER_BYTES_MAX));
        let longer = answering(with(ANSWER_BYTES_MAX + 1)).await;
        assert!(matches!(outgoing.post(post(longer)).await, Err(PostError::Malformed(_))));
        let moved =
            "HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n";
        let moved = answering(moved.to_owned()).await;
        assert_eq!(outgoing.post(post(moved)).await, Err(PostError::Status(302)));
        let garbage = answering("tea\r\n\r\n".to_owned()).await;
        assert!(matches!(outgoing.post(post(garbage)).await, Err(PostError::Broken(_))));
    }

    #[tokio::test]
    async fn nobody_there_and_no_answer_are_told_apart() {
        let outgoing = resolving(&[Ipv4Addr::LOCALHOST]);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        // It is accepted by the kernel, and never answered.
        let silent = Post { timeout: Duration::from_millis(50), ..post(port) };
        assert_eq!(outgoing.post(silent).await, Err(PostError::TimedOut));
        drop(listener);
        assert!(matches!(outgoing.post(post(port)).await, Err(PostError::Unreachable(_))));
    }
}
