//! Speaks to the server as its callers do: REST over HTTP, the gateway over WebSocket.

use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// An HTTP client with a pool of connections.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

/// One HTTP request to the server.
#[derive(Debug, Default)]
pub(crate) struct HttpRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) path_and_query: String,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: String,
}

impl Http {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), address }
    }

    /// The answer's status and text.
    pub(crate) async fn send(&self, request: HttpRequest<'_>) -> Result<(u16, String), String> {
        let mut built = hyper::Request::builder()
            .method(request.method)
            .uri(format!("http://{}{}", self.address, request.path_and_query));
        for (name, value) in request.headers {
            built = built.header(name, value);
        }
        let built = built.body(Full::from(request.body)).map_err(|error| error.to_string())?;
        let answer =
            self.client.request(built).await.map_err(|error| format!("HTTP: {error:?}"))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| format!("HTTP: {error}"))?;
        let text = String::from_utf8(body.to_bytes().into()).map_err(|error| error.to_string())?;
        Ok((status, text))
    }
}

/// Query parameters as a client writes them into a URL.
pub(crate) fn query_string(parameters: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| format!("{}={}", escape(name), escape(value));
    parameters.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// A client's socket, and who it says it is.
pub(crate) struct Gateway {
    socket: WebSocketStream<TcpStream>,
    app: u32,
    platform: u32,
    seq: u32,
    /// The fields of the head that say who asks; the reply to a login replaces them.
    identity: Map<String, Value>,
}

impl Gateway {
    /// Opens a socket as `user`, who is not logged in yet; `instance` names the client process.
    pub(crate) async fn open(
        address: SocketAddr,
        app: u32,
        platform: u32,
        instance: &str,
        user: &str,
        usersig: &str,
    ) -> Result<Self, String> {
        let url = format!(
            "ws://{address}/binfo?sdkappid={app}&instanceid={}&random=0.5&platform={platform}\
             &host=linux&version=-1&sdkversion=3.6.6",
            escape(instance)
        );
        let stream = TcpStream::connect(address).await.map_err(|error| format!("TCP: {error}"))?;
        let (socket, _) = tokio_tungstenite::client_async(url, stream)
            .await
            .map_err(|error| format!("WebSocket: {error}"))?;
        let identity = [("identifier", user), ("usersig", usersig)];
        let identity = identity.map(|(name, value)| (name.to_owned(), json!(value)));
        // Far from the constant of pushes, as with real clients.
        let seq = 10_000_000;
        Ok(Self { socket, app, platform, seq, identity: Map::from_iter(identity) })
    }

    /// Logs in; from here on the session's token says who asks. The reply, whatever it says.
    pub(crate) async fn login(&mut self) -> Result<Value, String> {
        let body = r#"{"State":"Online","is_web_uniapp":0,"InstType":0,"CustomInfo":""}"#;
        let reply = self.ask("im_open_status/wslogin", body, &Map::new()).await?;
        if let (Value::String(_), Some(instance)) = (&reply["A2Key"], reply.get("InstId")) {
            self.identity = Map::from_iter([
                ("a2".to_owned(), reply["A2Key"].clone()),
                ("tinyid".to_owned(), reply["TinyId"].clone()),
                ("status_instid".to_owned(), instance.clone()),
            ]);
        }
        Ok(reply)
    }

    /// Sends `body`, which may be malformed, and waits for the reply's body. `head` replaces fields.
    pub(crate) async fn ask(
        &mut self,
        operation: &str,
        body: &str,
        head: &Map<String, Value>,
    ) -> Result<Value, String> {
        self.seq += 1;
        let command = operation.replacen('/', ".", 1);
        let frame = format!(r#"{{"head":{},"body":{body}}}"#, self.head(&command, head));
        let failed = |error| format!("WebSocket: {error}");
        self.socket.send(Message::Binary(frame.into())).await.map_err(failed)?;
        loop {
            let message = self.socket.next().await.ok_or("the server closed the socket")?;
            let frame = match message.map_err(failed)? {
                Message::Binary(frame) => frame,
                Message::Text(text) => return Err(format!("a text frame on /binfo: {text}")),
                Message::Close(close) => return Err(format!("the server closed it: {close:?}")),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            if let Some(body) = self.reply_in(&frame, &command)? {
                return Ok(body);
            }
        }
    }

    fn head(&self, command: &str, replaced: &Map<String, Value>) -> Value {
        let mut head = json!({
            "ver": "v4",
            "platform": self.platform,
            "websdkappid": 537_048_168,
            "websdkversion": "1.7.3",
            "status_instid": 0,
            "sdkappid": self.app,
            "contenttype": "json",
            "reqtime": crate::run::unix_seconds(),
            "servcmd": command,
            "seq": self.seq,
        });
        for (name, value) in self.identity.iter().chain(replaced) {
            head[name] = value.clone();
        }
        head
    }

    /// The body when `frame` answers the last request; `None` for a push.
    fn reply_in(&self, frame: &[u8], command: &str) -> Result<Option<Value>, String> {
        let mut frame: Value = serde_json::from_slice(frame)
            .map_err(|error| format!("{error} in the frame {}", String::from_utf8_lossy(frame)))?;
        if frame["head"]["seq"] != self.seq {
            return Ok(None);
        }
        if frame["head"]["servcmd"] != command {
            return Err(format!("the reply names another command: {}", frame["head"]));
        }
        Ok(Some(frame["body"].take()))
    }

    /// Ends the socket in order.
    pub(crate) async fn close(mut self) -> Result<(), String> {
        self.socket.close(None).await.map_err(|error| format!("WebSocket: {error}"))
    }
}
