//! Callers of a server: REST over HTTP, the gateway over WebSocket, on plain or encrypted sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{App, DEADLINE, unix_seconds};

/// The platform number of browsers.
pub(crate) const WEB: u32 = 7;

/// A socket, encrypted or not.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// How to reach a server.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
}

impl Dial {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    /// # Errors
    /// Why there is no connection: refused, or the certificate is not trusted.
    pub(crate) async fn socket(&self) -> Result<Box<dyn Socket>, String> {
        let open = async {
            let socket = TcpStream::connect(self.address).await?;
            let Some(tls) = &self.tls else { return Ok(Box::new(socket) as Box<dyn Socket>) };
            let name = "localhost".try_into().expect("a name");
            let socket = TlsConnector::from(tls.clone()).connect(name, socket).await?;
            Ok(Box::new(socket) as Box<dyn Socket>)
        };
        let opened = timeout(DEADLINE, open).await.map_err(|_| "no connection in time")?;
        opened.map_err(|problem: std::io::Error| problem.to_string())
    }

    /// Sends one HTTP request on a connection of its own; status and text of the answer.
    pub(crate) async fn http(&self, method: &str, path: &str, body: String) -> (u16, String) {
        let socket = self.socket().await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.expect("HTTP");
        let connection = tokio::spawn(connection);
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .body(Full::<Bytes>::from(body))
            .expect("a request");
        let answer = timeout(DEADLINE, sender.send_request(request)).await.expect("in time");
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("the whole answer").to_bytes();
        connection.abort();
        (status, String::from_utf8(body.into()).expect("UTF-8"))
    }

    /// A REST call by `administrator`; the answer, whatever it says.
    pub(crate) async fn rest(&self, app: App, command: &str, body: &Value) -> Value {
        let text = self.rest_as(app, "administrator", command, body.to_string()).await;
        serde_json::from_str(&text).unwrap_or_else(|problem| panic!("{command}: {problem}: {text}"))
    }

    /// A REST call by `admin`, as text to the letter.
    pub(crate) async fn rest_as(
        &self,
        app: App,
        admin: &str,
        command: &str,
        body: String,
    ) -> String {
        let (id, usersig) = (app.id, app.sign(admin));
        let path = format!(
            "/v4/{command}?sdkappid={id}&identifier={admin}&usersig={usersig}\
             &random=1&contenttype=json"
        );
        let (status, text) = self.http("POST", &path, body).await;
        assert_eq!(status, 200, "{command}: {text}");
        text
    }

    /// A REST call that has to succeed.
    pub(crate) async fn rest_ok(&self, app: App, command: &str, body: &Value) -> Value {
        let answer = self.rest(app, command, body).await;
        assert_eq!(answer["ActionStatus"], "OK", "{command} {body}: {answer}");
        answer
    }
}

/// What a client is, beside its user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device<'a> {
    /// Names the client process, stable over its reconnects.
    pub(crate) instance: &'a str,
    pub(crate) platform: u32,
}

impl<'a> Device<'a> {
    pub(crate) fn web(instance: &'a str) -> Self {
        Self { instance, platform: WEB }
    }
}

/// A frame from the server.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) seq: u64,
    pub(crate) body: Value,
}

/// A client's socket, and who it says it is.
pub(crate) struct Gateway {
    socket: WebSocketStream<Box<dyn Socket>>,
    app: App,
    platform: u32,
    seq: u64,
    /// The fields of the head that say who asks; the reply to a login replaces them.
    identity: Map<String, Value>,
}

impl Gateway {
    /// Opens a socket that has not logged in, as somebody who shows a signature.
    pub(crate) async fn open(dial: &Dial, app: App, device: Device<'_>, user: &str) -> Self {
        let usersig = app.sign(user);
        let shown = json!({ "identifier": user, "usersig": usersig });
        Self::open_with(dial, app, device, shown).await
    }

    /// Opens a socket, as somebody who shows the fields of `identity`.
    pub(crate) async fn open_with(
        dial: &Dial,
        app: App,
        device: Device<'_>,
        identity: Value,
    ) -> Self {
        let scheme = if dial.tls.is_some() { "wss" } else { "ws" };
        let Device { instance, platform } = device;
        let url = format!(
            "{scheme}://localhost/binfo?sdkappid={}&instanceid={instance}&random=0.5\
             &platform={platform}&host=linux&version=-1&sdkversion=3.6.6",
            app.id
        );
        let socket = dial.socket().await.expect("a connection");
        let opened = timeout(DEADLINE, tokio_tungstenite::client_async(url, socket)).await;
        let (socket, _) = opened.expect("a handshake in time").expect("a WebSocket");
        let Value::Object(identity) = identity else { panic!("an identity is fields") };
        // Far from the constant of pushes, as with real clients.
        Self { socket, app, platform, seq: 10_000_000, identity }
    }

    /// Opens a socket and logs `user` in with a new signature.
    pub(crate) async fn login(dial: &Dial, app: App, device: Device<'_>, user: &str) -> Self {
        let mut gateway = Self::open(dial, app, device, user).await;
        let reply = gateway.wslogin().await;
        assert_eq!(reply["ErrorCode"], 0, "{user} logs in: {reply}");
        gateway
    }

    /// Logs in; from here on the session's token says who asks. The reply, whatever it says.
    pub(crate) async fn wslogin(&mut self) -> Value {
        let body =
            json!({ "State": "Online", "is_web_uniapp": 0, "InstType": 0, "CustomInfo": "" });
        let reply = self.ask("im_open_status.wslogin", &body).await;
        if reply["A2Key"].is_string() {
            self.identity = Map::from_iter([
                ("a2".to_owned(), reply["A2Key"].clone()),
                ("tinyid".to_owned(), reply["TinyId"].clone()),
                ("status_instid".to_owned(), reply["InstId"].clone()),
            ]);
        }
        reply
    }

    /// The fields of the head that say who asks: what a client keeps over a restart.
    pub(crate) fn identity(&self) -> Value {
        Value::Object(self.identity.clone())
    }

    /// Sends a request and does not wait; the number that its reply will have.
    ///
    /// # Errors
    /// The server has closed the socket.
    pub(crate) async fn send(&mut self, command: &str, body: &Value) -> Result<u64, String> {
        self.seq += 1;
        let mut head = json!({
            "ver": "v4",
            "platform": self.platform,
            "websdkappid": 537_048_168,
            "websdkversion": "1.7.3",
            "status_instid": 0,
            "sdkappid": self.app.id,
            "contenttype": "json",
            "reqtime": unix_seconds(),
            "servcmd": command,
            "seq": self.seq,
        });
        for (name, value) in &self.identity {
            head[name] = value.clone();
        }
        let frame = json!({ "head": head, "body": body }).to_string();
        let sent = self.socket.send(Message::Binary(frame.into())).await;
        sent.map(|()| self.seq).map_err(|problem| problem.to_string())
    }

    /// The next frame, a reply or a push; nothing when the server has closed the socket.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            let received = timeout(DEADLINE, self.socket.next()).await.expect("a frame in time");
            let frame = match received?.ok()? {
                Message::Binary(frame) => frame,
                Message::Text(text) => panic!("a text frame on /binfo: {text}"),
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            let mut frame: Value = serde_json::from_slice(&frame).expect("frames are JSON");
            let seq = frame["head"]["seq"].as_u64().unwrap_or_default();
            return Some(Frame { seq, body: frame["body"].take() });
        }
    }

    /// Sends a request and waits for its reply; pushes on the way are dropped.
    pub(crate) async fn ask(&mut self, command: &str, body: &Value) -> Value {
        let seq = self.send(command, body).await.expect("an open socket");
        loop {
            let frame = self.next().await;
            let frame = frame.unwrap_or_else(|| panic!("closed before the reply to {command}"));
            if frame.seq == seq {
                return frame.body;
            }
        }
    }

    /// A request that has to succeed.
    pub(crate) async fn ask_ok(&mut self, command: &str, body: &Value) -> Value {
        let reply = self.ask(command, body).await;
        let fine = reply["ErrorCode"].as_i64().unwrap_or_default() == 0;
        assert!(fine, "{command} {body}: {reply}");
        reply
    }

    /// Ends the socket in order, without logging out.
    pub(crate) async fn close(mut self) {
        // The server may be quicker.
        let _ = self.socket.close(None).await;
        while self.next().await.is_some() {}
    }
}
